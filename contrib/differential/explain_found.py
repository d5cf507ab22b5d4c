"""Finds the classes of a difference between what SEARCH, SORT and THREAD find, by what the messages' octets say. No class: it
is unexplained."""

import email.utils
import re

import expected
import octets as grammar
import parts
import reading
from classes import CLASSES
from compare import MISSING, Difference, compare_found, numbers_of
from explain import ADDRESSES, ENCODINGS, ENVELOPE, problem

# SEARCH.

HEADER_KEYS = {"SUBJECT": "Subject", "FROM": "From", "TO": "To", "CC": "Cc", "BCC": "Bcc"}


def search_classes(difference, message, ask):
    """The classes of a SEARCH answer's difference. `ask` says of a single key whether each server finds the message."""
    found = set()
    keys = list(atoms(difference.command, difference.strings))
    for key, name, string in keys:
        ours, theirs = (difference.ours, difference.theirs) if len(keys) == 1 and "NOT" not in difference.command else ask(
            message.number, key, name, string)
        if ours == theirs:
            continue
        names = dates(message, key, string, ours) if key.startswith("SENT") else words(message, key, name, string, ours)
        if not names and ask and ask(message.number, key, name, string) == [ours, ours]:
            names = {"search-beside"}
        if not names:
            return set()
        found |= names
    return found


def atoms(command, strings):
    """The keys of a SEARCH command that look at the message's text, as (key, field name, string)."""
    charset = re.search(r"CHARSET (\S+)", command)
    parts = command.split()
    for at, word in enumerate(parts):
        key = word.strip("()").upper()
        if at == 0 or parts[at - 1].upper() == "CHARSET":
            continue
        if key in ("BODY", "TEXT", "HEADER") or key in HEADER_KEYS or key.startswith("SENT"):
            name = parts[at + 1] if key == "HEADER" else HEADER_KEYS.get(key, "")
            value = parts[at + 2 if key == "HEADER" else at + 1].strip("()")
            string = strings[0] if value == "%s" else value.strip('"').encode()
            yield key, name, string.decode(charset[1] if charset else "utf-8")


def dates(message, key, day, ours):
    """Culver's answer must be that of the day that the field names."""
    bodies = grammar.fields(message.fetch("BODY.PEEK[HEADER]"), "Date")
    if ours != expected.found_by_date(bodies[0] if bodies else None, key, day):
        return set()
    if not any(body.strip() for body in bodies):
        return {"date-missing"}
    return odd_date(bodies[0])


def odd_date(text):
    """The class of a date that Dovecot reads otherwise."""
    if not grammar.sound_date(text):
        return {"date-odd"}
    if grammar.obsolete_date(text):
        return {"date-obsolete"}
    if grammar.undivided_date(text):
        return {"date-undivided"}
    when = seconds(text)
    return {"date-epoch"} if when is not None and when <= 0 else set()


def seconds(text):
    """When a date is, in seconds since 1970, as Python reads it; `None` if it does not."""
    when = email.utils.parsedate_tz(grammar.strip_comments(text).decode("latin-1"))
    return email.utils.mktime_tz(when) if when else None


def words(message, key, name, string, ours):
    """Of what only Culver finds, what had to be forgiven to read the text that holds it; of what only Dovecot finds, the texts
    that hold it only undecoded or read otherwise. What a text as decoded holds, Culver must find: that is no class's."""
    wanted = reading.folded(" ".join(string.split()) or string)
    holding = []
    for where, raw, text, flags in texts(message):
        if where != key and key != "TEXT" and not ((key == "HEADER" or key in HEADER_KEYS) and where == "HEADER " + name.upper()):
            continue
        # Where an odd word is none, an address may stand in it as it is.
        as_it_stands = ours and where.startswith("HEADER ") and "encoded-word-odd" in flags and key.lower() in ADDRESSES
        if wanted in reading.folded(text) or as_it_stands and wanted in reading.folded(raw.decode("utf-8", "best")):
            if not ours:
                return set()
            holding.append(flags)
        elif not ours and flags and wanted in reading.folded(raw.decode("utf-8", "best")):
            holding.append(flags)
    if not holding and not ours and key.lower() in ADDRESSES:
        # Dovecot looks into addresses put together again, whatever was missing.
        broken = any(grammar.sound_addresses(body)[1] for body in grammar.fields(message.fetch("BODY.PEEK[HEADER]"), key))
        together = [(mailbox or b"") + b"@" for _, _, mailbox, _ in message.fetch("ENVELOPE")[ENVELOPE.index(key.lower())] or []]
        holding = [{"address-broken"} for one in together if broken and wanted in reading.folded(one.decode("utf-8", "best"))]
    if not holding or not all(holding):
        return set()
    # One text that holds it is enough: the least odd one says why, and of its classes the outermost, for a structure that is read
    # otherwise comes before an encoding, and that before a charset. So `CLASSES` is ordered.
    order = list(CLASSES)
    return {min(min(holding, key=lambda flags: (len(flags), sorted(map(order.index, flags)))), key=order.index)}


def texts(message):
    """(where, raw octets, text, classes of what is odd) for each text of a message; the text is empty where only another reading,
    which the octets then are, holds it."""
    yield from texts_of(message.root)
    if any("parameters-broken" in part.causes() for part in parts.everywhere(message.root)):
        for part in parts.everywhere(parts.parse(message.octets, parts.token_boundary)):
            if not part.is_multipart and not part.is_message:
                text = reading.body_text(part.body, part.field("Content-Transfer-Encoding"), part.charset or b"")[0]
                yield "BODY", text.encode(), "", {"parameters-broken"}


def texts_of(part):
    odd = part.causes() & {"message-global", "boundary-prefix", "boundary-spaces", "boundary-long", "type-invalid", "parameters-broken"}
    if len(part.types) > 1 and part.types[0] != part.types[-1]:
        odd.add("type-twice")
    own = part.around is None
    yield from header_texts(part.header, own, frozenset() if own else odd)
    encodings = [(re.match(rb"\s*(" + grammar.TOKEN + rb")", grammar.strip_comments(one)) or [b"", b""])[1].lower()
                 for one in grammar.fields(part.header, "Content-Transfer-Encoding")] or [b""]
    if part.is_message:
        if encodings[0] not in (b"", b"7bit", b"8bit", b"binary"):
            yield "BODY", part.body, reading.body_text(part.body, encodings[0], b"")[0], {"message-encoded"}
            return
        if odd:
            yield "BODY", part.body, "", odd
    elif part.is_multipart:
        if not part.inner:
            yield "BODY", part.body, reading.text_of(part.body, (part.charset or b"").decode("latin-1"))[0], {"multipart-empty"}
            yield "BODY", reading.body_text(part.body, b"quoted-printable", b"")[0].encode(), "", {"multipart-encoded"}
        if odd:
            yield "BODY", part.body, "", odd
    else:
        yield from leaf_texts(part, encodings, odd)
    for inner in part.inner:
        yield from texts_of(inner)


def leaf_texts(part, encodings, odd):
    charset = part.charset if part.kind[0] in (b"text", b"message") else None
    if encodings[0] != encodings[-1]:
        odd.add("encoding-twice")
        yield "BODY", reading.body_text(part.body, encodings[-1], charset or b"")[0].encode(), "", {"encoding-twice"}
    text, flags = reading.body_text(part.body, encodings[0], charset or b"")
    if part.kind[0] in (b"text", b"message"):
        flags = flags | odd | problem(part)
        yield "BODY", part.body, text, flags
        if flags & {"charset-held", "charset-invalid"}:
            yield "BODY", reading.body_text(part.body, encodings[0], charset or b"", other=True)[0].encode(), "", flags
        text = ""
    if odd:
        yield "BODY", text.encode(), "", odd
        yield "BODY", part.body, "", odd


def header_texts(header, own, odd=frozenset()):
    lines = re.sub(rb"\n(?=[ \t])", b"\x00", grammar.head(header)).split(b"\n")
    for line in lines:
        name, colon, body = line.replace(b"\x00", b"\n").partition(b":")
        text, flags = reading.header_text(body if colon else line)
        flags |= odd
        field = name.strip().decode("latin-1")
        if own and field.lower() in ADDRESSES:
            count, broken = grammar.sound_addresses(body)
            if broken:
                flags = flags | {"address-broken"}
            elif grammar.obsolete_addresses(body):
                flags = flags | {"address-obsolete"}
        where = "HEADER " + field.upper() if own else "INNER"
        if own and "\x80" in field:
            yield "HEADER " + field.partition("\x80")[0].upper(), body, "", {"name-nul"}
        # A line without a colon has no name: all of it is text.
        yield where, body, f"{field}: {text}" if not own and colon else text, flags
        if "address-broken" in flags and grammar.comment_open(body):
            yield where, b"", re.sub(r"[()]", "", text), flags
        if flags & {"encoded-word-odd", "charset-held"}:
            yield where, reading.other_header_text(body).encode(), "", flags


# SORT and THREAD.

SORTED_BY = {"CC": "Cc", "DATE": "Date", "FROM": "From", "SUBJECT": "Subject", "TO": "To", "DISPLAYFROM": "From", "DISPLAYTO": "To"}


def oddities(message, command):
    """The classes of what is odd in the fields that a SORT or THREAD command looks at."""
    header, found = message.fetch("BODY.PEEK[HEADER]"), set()
    words = re.findall(r"\w+", command.upper().split(" UTF-8 ")[0])
    if words[0] == "THREAD":
        words = {"ORDEREDSUBJECT": ["DATE", "SUBJECT"], "REFS": ["DATE", "IDS"]}.get(words[1], ["DATE", "SUBJECT", "IDS"])
    for word in words:
        bodies = grammar.fields(header, SORTED_BY.get(word, "None"))
        if SORTED_BY.get(word, "None").lower() in grammar.nul_names(header):
            found.add("name-nul")
        if word == "DATE" and bodies:
            found |= odd_date(bodies[0])
        if word in ("SUBJECT", "DISPLAYFROM", "DISPLAYTO"):
            for body in bodies:
                found |= reading.header_text(body)[1]
                if re.search(rb"[ \t]{2}|\t", re.sub(rb"\r?\n", b"", body.strip())):
                    found.add("subject-spaces" if word == "SUBJECT" else "name-spaces")
        if word in SORTED_BY and word not in ("DATE", "SUBJECT"):
            for body in bodies:
                count, broken = grammar.sound_addresses(body)
                found |= {"name-blank"} if grammar.blank_name(body) else set()
                found |= {"address-broken"} if broken and body.strip() else set()
                found |= {"address-obsolete"} if not broken and grammar.obsolete_addresses(body) else set()
            if len(bodies) > 1 and not bodies[0].strip():
                found.add("first-address")
        if word == "IDS":
            for name in ("Message-ID", "References", "In-Reply-To"):
                for body in grammar.fields(header, name):
                    if not grammar.sound_ids(body, name != "Message-ID"):
                        found.add("ids-odd")
    return found


def order_classes(differences, both, message_of):
    """The classes of a SORT or THREAD command's differences: without the messages that are odd, both servers must agree.
    What is left is unexplained; a message that only others have moved is of the class `beside-odd`."""
    command, strings = differences[0].command, differences[0].strings
    numbers = range(1, both.messages + 1)
    odd = {number: oddities(message_of(number), command) for number in numbers}
    for difference in differences:
        if MISSING in (difference.ours, difference.theirs) or isinstance(difference.ours, tuple) and MISSING in (
                difference.ours[0], difference.theirs[0]):
            # The search found it on one server only.
            found = Difference("SEARCH", "SEARCH " + command.split(" UTF-8 ")[1], difference.number, difference.theirs is MISSING or isinstance(
                difference.theirs, tuple) and difference.theirs[0] is MISSING, False, strings)
            found.theirs = not found.ours
            odd[difference.number] = search_classes(found, message_of(difference.number), None) or {None}
    rest = [number for number in numbers if not odd[number]]
    head, tail = command.split(" UTF-8 ")
    sound = f"{head} UTF-8 {sequence_set(rest)} {tail}"
    left = {difference.number for difference in compare_found(both, sound, strings, {})}
    tied = ties(both, sound, strings, message_of) if left and head.startswith("THREAD") else set()
    wrong, steady = set(), True
    if head.startswith("SORT"):
        # Those that are not odd must stand as they stand alone.
        order = numbers_of(both.ask(command, strings)[0], "SORT")
        steady = [number for number in order if not odd[number]] == numbers_of(both.ask(sound, strings)[0], "SORT")
    if command.startswith("SORT (DATE) "):
        wrong = misplaced(order, {number: span(message_of(number)) for number in order}, {number for number in order if not odd[number]})
    for difference in differences:
        number = difference.number
        if number in wrong:
            continue
        difference.classes = sorted(odd[number] - {None}) if odd[number] else ["thread-ties"] if number in tied else [
            "beside-odd"] if number not in left and steady else []
    return left - tied - {difference.number for difference in differences}


def span(message):
    """Between which times, in days of our era, a message was sent: its day anywhere on earth; of one without a day INTERNALDATE's."""
    bodies = grammar.fields(message.fetch("BODY.PEEK[HEADER]"), "Date")
    day = expected.sent_day(bodies[0]) if bodies else None
    if day is None:
        day = expected.sent_day(message.fetch("INTERNALDATE"))
    at = expected.day_number(*day)
    return at - 1, at + 2


def misplaced(order, spans, sound):
    """The messages of an order by date that stand behind a sound one of a later day, or before one of an earlier."""
    found, latest = set(), None
    for number in order:
        latest = spans[number][0] if number in sound else latest
        if number not in sound and latest is not None and latest > spans[number][1]:
            found.add(number)
    earliest = None
    for number in reversed(order):
        earliest = spans[number][1] if number in sound else earliest
        if number not in sound and earliest is not None and earliest < spans[number][0]:
            found.add(number)
    return found


def ties(both, command, strings, message_of):
    """The messages of the threads whose places differ, if each thread stands otherwise only to threads of its own date, and one
    of the two begins with a message that is missing."""
    ours, theirs = ([sorted(flat(one)) for one in numbers_of(answer, "THREAD")] for answer in both.ask(command, strings))
    if sorted(ours) != sorted(theirs):
        return set()
    place = {thread[0]: at for at, thread in enumerate(theirs)}
    found = set()
    for at, one in enumerate(ours):
        for other in ours[at + 1 :]:
            if place[one[0]] > place[other[0]]:
                if not sent(message_of, one) & sent(message_of, other) or not (rootless(message_of, one) or rootless(message_of, other)):
                    return set()
                found.update(one, other)
    return found


def flat(members):
    return [number for member in members for number in (flat(member) if isinstance(member, list) else [member])]


def sent(message_of, thread):
    """The dates that a thread may be put in its place by."""
    dates = [grammar.fields(message_of(number).fetch("BODY.PEEK[HEADER]"), "Date") for number in thread]
    return {seconds(bodies[0]) for bodies in dates if bodies} - {None}


def rootless(message_of, thread):
    """Whether a message of the thread names others, of which none is the thread's first."""
    headers = [message_of(number).fetch("BODY.PEEK[HEADER]") for number in thread]
    ids = {body.strip() for header in headers for body in grammar.fields(header, "Message-ID")}
    named = [grammar.fields(header, "References") or grammar.fields(header, "In-Reply-To") for header in headers]
    return any(bodies and bodies[0].split() and bodies[0].split()[0] not in ids for bodies in named)


def sequence_set(numbers):
    """Numbers as `1:3,5`."""
    out = []
    for number in numbers:
        if out and out[-1][1] == number - 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in out)
