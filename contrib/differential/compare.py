"""Runs commands on two connections and finds where the answers differ.

An answer is: of FETCH, one item of one message; of SEARCH, one message that either server found; of SORT, the place of
one message; of THREAD, the place of one message."""

import bisect
import re
from dataclasses import dataclass, field

from imap import Ended, Refused


@dataclass
class Difference:
    """One answer that is not the same. Where a server has none, its value is `MISSING`."""

    kind: str  # as `kind_of` names the command or item
    command: str
    number: int  # of the message; 0 where the difference is the command's
    ours: object
    theirs: object
    strings: tuple = ()
    classes: list = field(default_factory=list)


class Missing:
    def __repr__(self):
        return "(no answer)"


MISSING = Missing()


def expand(lines):
    """The commands of a list as (text, strings): `{word}` and `{word:charset}` stand for each of the `@words`."""
    words = []
    for line in lines:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("@words "):
            words = [word.strip() for word in line[7:].split("|")]
            continue
        found = re.search(r"\{word(?::([\w-]+))?\}", line)
        if not found:
            yield line, ()
            continue
        for word in words:
            try:
                string = word.encode(found[1] or "utf-8")
            except UnicodeEncodeError:
                continue
            yield line.replace(found[0], "%s"), (string,)


class Both:
    """Two connections that are asked at the same time."""

    def __init__(self, one, other, pool):
        self.connections, self.pool = (one, other), pool

    def ask(self, text, strings=()):
        return list(self.pool.map(lambda connection: ask(connection, text, strings), self.connections))

    def fetch(self, which, items):
        return list(self.pool.map(lambda connection: fetched(connection, which, items), self.connections))

    @property
    def messages(self):
        return self.connections[0].messages


def run(both, commands, parts):
    """Runs each command on both; gives a dict of how many answers there were of each kind, and the differences. `parts`
    gives the part numbers of a message."""
    totals, differences = {}, []
    for text, strings in commands:
        if "{part}" in text:
            asked = text.split(" ", 2)[2].strip("()")
            for number in range(1, both.messages + 1):
                fetch(both, number, [asked.replace("{part}", part) for part in parts(number)], totals, differences)
        elif text.upper().startswith("FETCH"):
            _, which, items = text.split(" ", 2)
            fetch(both, which, [items], totals, differences)
        else:
            differences += compare_found(both, text, strings, totals)
    return totals, differences


def compare_found(both, text, strings, totals):
    """The differences of a SEARCH, SORT or THREAD command; its answers are added to `totals`."""
    kind, differences = kind_of(text), []
    answers = both.ask(text, strings)
    if any(isinstance(answer, Refused) for answer in answers):
        totals[kind] = totals.get(kind, 0) + 1
        if not all(isinstance(answer, Refused) for answer in answers):
            differences.append(Difference(kind, text, 0, *map(str, answers), strings))
        return differences
    compare = {"SEARCH": search, "SORT": sort, "THREAD": thread}[kind.split(" ")[0]]
    compare(kind, text, strings, *answers, totals, differences)
    return differences


def ask(connection, text, strings=()):
    try:
        return connection.command(text, *strings)
    except Refused as refused:
        return refused
    except Ended as ended:
        connection.open()
        return Refused(f"BYE {ended}")


def kind_of(text):
    """What a command's answers are counted under."""
    words = text.upper().replace("(", " ").replace(")", " ").split()
    if words[0] == "SEARCH":
        words = [word for word in words if word != "NOT"]
        at = 3 if len(words) > 2 and words[1] == "CHARSET" else 1
        return " ".join(["SEARCH"] + words[at : at + 1])
    if words[0] == "SORT":
        return " ".join(words[: words.index("UTF-8")] if "UTF-8" in words else words[:2])
    return " ".join(words[:2])


def item_kind(key):
    """BODY[1.2.MIME]<0> → BODY[n.MIME]<>"""
    key = re.sub(r"<[\d.]+>$", "<>", key)
    key = re.sub(r"\[[\d.]*\d", "[n", key)
    return re.sub(r"\(.*\)", "(…)", key)


def fetch(both, which, items, totals, differences):
    ours, theirs = both.fetch(which, items)
    for number in sorted(ours.keys() | theirs.keys()):
        mine, its = ours.get(number, {}), theirs.get(number, {})
        for key in sorted(mine.keys() | its.keys()):
            kind = item_kind(key)
            totals[kind] = totals.get(kind, 0) + 1
            a, b = mine.get(key, MISSING), its.get(key, MISSING)
            if a != b:
                differences.append(Difference(kind, key, number, a, b))


def fetched(connection, which, items):
    """The values of these items, by message and key; that of an item that is refused is the refusal's code."""
    if not items:
        return {}
    answer = ask(connection, f"FETCH {which} ({' '.join(item.strip('()') for item in items)})")
    if isinstance(answer, Refused):
        if len(items) > 1:
            found = {}
            for item in items:
                for number, values in fetched(connection, which, [item]).items():
                    found.setdefault(number, {}).update(values)
            return found
        key = re.sub(r"<(\d+)\.\d+>$", r"<\1>", items[0].upper().replace(".PEEK", ""))
        return {int(which): {key: code(answer)}} if str(which).isdigit() else {}
    found = {}
    for response in answer:
        if len(response) == 3 and response[1] == "FETCH":
            values = response[2]
            found.setdefault(response[0], {}).update(zip(map(str, values[::2]), values[1::2]))
    return found


def code(refused):
    """NO, BAD or BYE with the response code, without the words behind it."""
    return re.match(r"\*? ?(\w+( \[[^]]*\])?)", str(refused))[1]


def numbers_of(answer, name):
    return [number for response in answer if response and response[0] == name for number in response[1:]]


def search(kind, text, strings, ours, theirs, totals, differences):
    ours, theirs = (set(numbers_of(answer, "SEARCH")) for answer in (ours, theirs))
    totals[kind] = totals.get(kind, 0) + max(1, len(ours | theirs))
    for number in sorted(ours ^ theirs):
        differences.append(Difference(kind, text, number, number in ours, number in theirs, strings))


def moved(ours, theirs):
    """The fewest elements without which both orders are the same."""
    place = {number: at for at, number in enumerate(theirs)}
    tails, at_tail, before = [], [], {}
    for number in ours:
        if number not in place:
            continue
        at = bisect.bisect_left(tails, place[number])
        before[number] = at_tail[at - 1] if at else None
        tails[at : at + 1] = [place[number]]
        at_tail[at : at + 1] = [number]
    kept, number = set(), at_tail[-1] if at_tail else None
    while number is not None:
        kept.add(number)
        number = before[number]
    return (set(ours) | set(theirs)) - kept


def sort(kind, text, strings, ours, theirs, totals, differences):
    ours, theirs = (numbers_of(answer, "SORT") for answer in (ours, theirs))
    totals[kind] = totals.get(kind, 0) + max(1, len(ours))
    for number in sorted(moved(ours, theirs)):
        places = [order.index(number) if number in order else MISSING for order in (ours, theirs)]
        differences.append(Difference(kind, text, number, *places, strings))


def thread(kind, text, strings, ours, theirs, totals, differences):
    ours, theirs = (forest(numbers_of(answer, "THREAD")) for answer in (ours, theirs))
    totals[kind] = totals.get(kind, 0) + max(1, len(ours[0]))
    found = {n for n in ours[0].keys() | theirs[0].keys() if ours[0].get(n, MISSING) != theirs[0].get(n, MISSING)}
    wrong = found | moved([n for n in ours[1] if n not in found], [n for n in theirs[1] if n not in found])
    for number in sorted(wrong):
        places = [(tree[0].get(number, MISSING), tree[1].index(number) if number in tree[1] else MISSING) for tree in (ours, theirs)]
        differences.append(Difference(kind, text, number, *places, strings))


def forest(threads):
    """Each message's parent, a message or the chain of missing ones above it; and all messages in their order."""
    parents, order = {}, []
    for one in threads:
        plant(one, None, parents, order)
    return parents, order


def plant(members, parent, parents, order):
    for member in members:
        if isinstance(member, list):
            # Siblings without a parent are told apart from other roots by the first of them.
            plant(member, parent if parent is not None else ("under", first_of(members)), parents, order)
        else:
            parents[member] = parent
            order.append(member)
            parent = member


def first_of(members):
    while isinstance(members, list):
        members = members[0]
    return members
