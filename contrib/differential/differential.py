#!/usr/bin/python3
"""Asks two servers with copies of one Maildir the same, and sorts every difference between their answers into classes.

The first server is Culver: where the two differ, a class must carry the sentence of an RFC that is on its side
(`classes.py`), and the message's own octets must show the cause (`explain.py`). The exit status is 0 if every difference
has a class and no class holds more than 1 % of all answers (`--share`)."""

import argparse
import collections
import os
import pathlib
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True

import compare
import explain
import explain_found
from classes import CLASSES
from imap import Connection
from servers import Servers

HERE = pathlib.Path(__file__).resolve().parent


def main():
    given = arguments()
    started = None
    with tempfile.TemporaryDirectory(prefix="differential-") as folder:
        try:
            if given.culver:
                started = Servers(given.culver, given.maildir or corpus(os.path.join(folder, "maildir"), given))
                places = [("127.0.0.1", port, "u", "p") for port in (started.culver_port, started.dovecot_port)]
            else:
                places = [(place.split(":")[0], int(place.split(":")[1]), *place.split(":")[2:4]) for place in given.server]
            with ThreadPoolExecutor(2) as pool:
                return run(*(Connection(*place) for place in places), pool, given)
        finally:
            if started:
                started.stop()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", nargs="*", metavar="HOST:PORT:USER:PASSWORD", help="two servers that run: Culver and another one")
    parser.add_argument("--culver", metavar="PROGRAM", help="start this Culver, and Debian's Dovecot, on copies of a Maildir")
    parser.add_argument("--maildir", help="the Maildir to be copied; without it the messages of tests/messages are made")
    parser.add_argument("--seed", default="1", help="of those messages (1)")
    parser.add_argument("--mutations", default="900", metavar="N", help="how many of them are changed at random (900)")
    parser.add_argument("--every", default="1", metavar="N", help="take only every Nth of them (1)")
    parser.add_argument("--commands", default=HERE / "commands", metavar="FILE", help="what to ask; see there for its form")
    parser.add_argument("--share", type=float, default=1, metavar="PERCENT", help="how much of all answers a class may hold (1)")
    parser.add_argument("--show", metavar="CLASS", help="print the differences of this class")
    given = parser.parse_args()
    if bool(given.culver) == (len(given.server) == 2):
        parser.error("either --culver or two servers")
    return given


def corpus(folder, given):
    """The messages of tests/messages, in a Maildir."""
    sys.path.insert(0, str(HERE.parent.parent / "tests/messages/corpus"))
    import generate

    generate.write(folder, generate.corpus(int(given.seed), int(given.mutations), int(given.every)))
    return folder


def run(one, other, pool, given):
    if one.messages != other.messages:
        raise SystemExit(f"{one.messages} and {other.messages} messages: these are no copies of one mailbox")
    messages = {}

    def message(number):
        return messages.setdefault(number, explain.Message(one, number))

    def parts(number):
        return [part for part, _, _ in message(number).parts()]

    with open(given.commands, encoding="utf-8") as file:
        commands = list(compare.expand(file))
    both = compare.Both(one, other, pool)
    totals, differences = compare.run(both, commands, parts)
    classify(differences, both, message)
    return report(totals, differences, len(commands), one.messages, given)


def classify(differences, both, message):
    # What differs in a message's structure explains what differs in its parts: that comes first.
    for difference in sorted(differences, key=lambda difference: difference.kind != "BODYSTRUCTURE"):
        if difference.kind.split(" ")[0] not in ("SEARCH", "SORT", "THREAD"):
            difference.classes = sorted(explain.classes_of(difference, message(difference.number)))

    def ask(number, key, name, string):
        text = f"SEARCH {number} {key} {string}"
        strings = ()
        if not key.startswith("SENT"):
            text, strings = " ".join(f"SEARCH CHARSET UTF-8 {number} {key} {name if key == 'HEADER' else ''}".split()) + " %s", (string.encode(),)
        return [number in compare.numbers_of(answer, "SEARCH") for answer in both.ask(text, strings)]

    orders = collections.defaultdict(list)
    for difference in differences:
        kind = difference.kind.split(" ")[0]
        if kind == "SEARCH" and difference.number:
            difference.classes = sorted(explain_found.search_classes(difference, message(difference.number), ask))
        elif kind in ("SORT", "THREAD") and difference.number:
            orders[difference.command].append(difference)
    for group in orders.values():
        beyond = explain_found.order_classes(group, both, message)
        differences.extend(compare.Difference(group[0].kind, group[0].command, number, None, None) for number in sorted(beyond))


def report(totals, differences, commands, messages, given):
    answers = sum(totals.values())
    kinds, classes, examples = collections.Counter(), collections.Counter(), {}
    for difference in differences:
        kinds[difference.kind] += 1
        for name in difference.classes or ["unexplained"]:
            classes[name] += 1
            examples.setdefault(name, difference)
            if name == given.show or name == "unexplained":
                print(f"{name}: {difference.command} {[string.decode('utf-8', 'replace') for string in difference.strings] or ''} "
                      f"message {difference.number}\n  Culver: {str(difference.ours)[:300]}\n  other:  {str(difference.theirs)[:300]}")
    print(f"\n{messages} messages, {commands} commands, {answers} answers, {len(differences)} of them differ\n")
    print(f"{'answers':10} {'differ':>7} {'of':>8}")
    for kind in totals:
        print(f"  {kind:40} {kinds[kind]:7} {totals[kind]:8}") if kinds[kind] else None
    print(f"\n{'class':28} {'answers':>7} {'share':>8}  verdict")
    failed = False
    for name, count in classes.most_common():
        share = count / answers
        verdict = "UNEXPLAINED" if name == "unexplained" else "TOO MANY" if share > given.share / 100 else "Culver's"
        failed |= verdict != "Culver's"
        print(f"{name:28} {count:7} {share:8.3%}  {verdict}")
        if name in CLASSES:
            print(f"    The other server {CLASSES[name][0]}.\n    {CLASSES[name][1]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
