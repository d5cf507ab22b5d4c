#!/usr/bin/python3
"""Writes a Maildir of some 2,000 messages: ordinary ones, broken ones, those that lie beside this folder, and
ones changed at random. The same seed gives the same octets everywhere. Python 3, standard library only."""

import argparse
import os
import pathlib
import sys

sys.dont_write_bytecode = True

from letters import Dice
from mutate import mutated
from nasty import KINDS, nasty
from ordinary import Letter, ordinary

FLAGS = ["S", "", "RS", "FS", "S", "ST", "DS", "FRS", "T", "S", "D", "F"]


def corpus(seed, mutations, every=1):
    """All messages, as (name, octets), in an order that mixes them; one of `every`."""
    Letter.count = 0
    dice = Dice(seed)
    here = pathlib.Path(__file__).resolve().parent.parent
    fixed = [(path.stem, path.read_bytes()) for path in sorted(here.glob("*.eml"))]
    made = ordinary(dice) + nasty(dice)
    everything = made + fixed + mutated(dice, made + fixed, mutations)
    for at in range(len(everything) - 1, 0, -1):
        other = dice.below(at + 1)
        everything[at], everything[other] = everything[other], everything[at]
    return everything[::every]


def write(folder, messages):
    """A Maildir at `folder`, which must not be there. INTERNALDATE is a file's time, 2,000 seconds apart."""
    for name in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(folder, name))
    for number, (name, octets) in enumerate(messages):
        time = 1_000_000_000 + number * 2_000
        path = os.path.join(folder, "cur", f"{time}.{number}_{name}.corpus:2,{FLAGS[number % len(FLAGS)]}")
        with open(path, "wb") as file:
            file.write(octets)
        os.utime(path, (time, time))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", help="the Maildir to be made")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutations", type=int, default=900, metavar="N", help="messages changed at random (900)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth message (1)")
    parser.add_argument("--kinds", action="store_true", help="print the kinds of breakage and where they are seen, as the README has them")
    given = parser.parse_args()
    if given.kinds:
        for name, seen, _ in KINDS:
            print(f"| `{name}` | {seen[0].upper()}{seen[1:]}. |")
        return
    if not given.folder:
        parser.error("no folder given")
    messages = corpus(given.seed, given.mutations, given.every)
    write(given.folder, messages)
    print(f"{len(messages)} messages, {sum(len(octets) for _, octets in messages)} octets", file=sys.stderr)


if __name__ == "__main__":
    main()
