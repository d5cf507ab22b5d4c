"""What Culver ought to answer, from the message's octets: a breakage in a message excuses that two servers differ, and not
what Culver says. Where no grammar tells the answer, what Culver gives must at least stand in the field."""

import calendar
import re

import octets as grammar
import reading

MONTHS = [one.lower() for one in calendar.month_abbr[1:]]
MONTH = "|".join("(?:".join([one[:3], *one[3:]]) + ")?" * len(one[3:]) for one in map(str.lower, calendar.month_name[1:]))


def squeezed(text):
    """Without what quoting and folding add. A NUL is U+FFFD within quotes, and 0x80 in a literal."""
    return re.sub(rb'[\s"\\]', b"", text or b"").replace(b"\xef\xbf\xbd", b"\x80")


def stands_in(value, text):
    """Whether a string, or all strings of a list, stand in a field."""
    if isinstance(value, list):
        return all(stands_in(one, text) for one in value)
    return value is None or squeezed(value) in squeezed(text) or squeezed(value) in squeezed(grammar.strip_comments(text))


# Addresses.

MAILBOX = re.compile(
    rf"(?:({grammar.PHRASE})?<((?:,*@{grammar.DOMAIN}(?:,+(?:@{grammar.DOMAIN})?)*:)?)({grammar.LOCAL})@({grammar.DOMAIN})>"
    rf"|({grammar.LOCAL})@({grammar.DOMAIN}))")


def addresses(text):
    """The addresses before a field's first mistake, as ENVELOPE gives them; a name that only a comment could give is `None`."""
    lexemes = grammar.lexemes(text)
    letters, at, out = "".join(letter for letter, _ in lexemes), 0, []

    def value(found, group):
        return b"".join(one for _, one in lexemes[found.start(group) : found.end(group)]) if found[group] else None

    def mailbox(found):
        if found[6]:
            return [None, None, value(found, 5), value(found, 6)]
        return [value(found, 1), (value(found, 2) or b"").strip(b",:") or None, value(found, 3), value(found, 4)]

    while True:
        while letters[at : at + 1] == ",":
            at += 1
        found = grammar.ADDRESS.match(letters, at)
        if not found or letters[found.end() : found.end() + 1] not in ("", ","):
            return out
        if found[2]:
            out.append(mailbox(MAILBOX.match(letters, at)))
        else:
            colon = letters.index(":", at)
            name = b"".join(one for _, one in lexemes[at:colon])
            out.append([None, None, name, None])
            out += [mailbox(one) for one in MAILBOX.finditer(letters, colon + 1, found.end())]
            out.append([None, None, None, None])
        at = found.end()


def same_address(expected, given, text):
    name, *rest = expected
    right = squeezed(name) == squeezed(given[0]) if name is not None else stands_in(given[0], text)
    return right and [re.sub(rb",+", b",", squeezed(one)) for one in rest] == [squeezed(one) for one in given[1:]]


def right_addresses(given, bodies):
    """Whether a list of addresses begins with all those before the first mistake in these fields, has no more if there is no
    mistake, and whether what it has behind the mistake stands in the field, each mailbox with its own host."""
    at = 0
    for body in bodies:
        for one in addresses(body):
            if at == len(given) or not same_address(one, given[at], body):
                return False
            at += 1
        if grammar.sound_addresses(body)[1] and body.strip():
            break
    else:
        return at == len(given)
    rest = b"\n".join(bodies)
    return all(broken_address(one, rest) for one in given[at:])


def whole(given, bodies):
    """Those addresses, without their names, that stand in one of the fields up to where an address may end: what stands before a
    bracket is a name."""
    pairs = [(mailbox, domain) for _, _, mailbox, domain in given if mailbox and domain]
    return {pair for pair in pairs if any(re.search(re.escape(b"@".join(pair)) + rb"\s*(?:[,;>]|$)", body) for body in bodies)}


def broken_address(given, text):
    """Whether an address behind a mistake stands in the field: each word, and its domain behind its own local part. What is
    missing is said by the words that clients know from Dovecot."""
    text += b"\n" + re.sub(rb"[()]", b"", text) if grammar.comment_open(text) else b""
    words = b" ".join((one or b"").replace(b"MISSING_MAILBOX", b"") for one in given[:3]).split()
    domain = given[3] if given[3] not in (b"MISSING_DOMAIN", b"SYNTAX_ERROR") else None
    return all(stands_in(word, text) for word in words) and (not domain or stands_in((given[2] or b"").replace(b"MISSING_MAILBOX", b"") + b"@" + domain, text))


def fields(header, item):
    """What HEADER.FIELDS or HEADER.FIELDS.NOT gives of a header; a line without a colon is none of those that are named."""
    names = re.search(r"\((.*)\)", item)[1].encode().lower().split()
    lines, taking, wanted = re.split(rb"(?<=\n)", header), False, b"FIELDS.NOT" not in item.encode()
    out = b""
    for line in lines:
        if line == b"\r\n":
            return out + line
        if line[:1] not in (b" ", b"\t"):
            taking = (b":" in line and line.partition(b":")[0].rstrip(b" \t").lower() in names) == wanted
        out += line if taking else b""
    return out


# Parameters.


def parameters(text):
    """The parameters of a field that keep to the grammar, and are separated by semicolons; those behind an open quote do not
    count."""
    text, out = grammar.strip_comments(text), []
    at = text.find(b";")
    while at >= 0:
        found = grammar.PARAMETER.match(text, at)
        if found and text[found.end() : found.end() + 1] in (b"", b";"):
            name, _, value = found[0].strip().lstrip(b";").partition(b"=")
            out.append((name.strip().lower(), squeezed(value)))
            at = found.end() if found.end() < len(text) else -1
            continue
        end = text.find(b";", at + 1)
        if b'"' in text[at : end if end >= 0 else len(text)]:
            break
        at = end
    return out


def right_parameters(given, text):
    """Whether a list of parameters has those that keep to the grammar, the first of each name, and no others than stand there."""
    pairs = list(zip((given or [])[::2], (given or [])[1::2]))
    if b"charset" not in text.lower():
        pairs = [pair for pair in pairs if pair != (b"charset", b"us-ascii")]  # the default of text (RFC 2045 §5.2)
    have = [(name.lower(), squeezed(value)) for name, value in pairs]
    first = {}
    for name, value in parameters(text):
        first.setdefault(name, value)
    if any((name, value) not in have for name, value in first.items() if b"*" not in name):
        return False
    joined = re.sub(rb";\s*[^;=\s]+\*\d+\*?\s*=\s*", b"", squeezed(grammar.strip_comments(text)))
    return all(stands_in(name.split(b"*")[0], text) and (stands_in(value, text) or squeezed(value) in joined) for name, value in pairs)


# Transfer encodings.


def decoded(body, encoding):
    """A body without its transfer encoding; broken places as RFC 2045 §6.7 and §6.8 advise."""
    if encoding == b"base64":
        return reading.any_base64(body)
    if encoding == b"quoted-printable":
        return reading.any_quoted_printable(body)
    return body


# Dates.


WORD = re.compile(r"(?P<sign>(?:^|(?<=[\x00-\x20]))-)?(?P<word>[^\x00-\x20,()/-]+)")


def sent_day(text):
    """The year, month and day that a Date field names in any of the usual forms, between white space, commas, slashes and hyphens;
    `None` if there is none. A zone or a piece of another word is no year."""
    text = grammar.strip_comments(text).replace(b"\x80", b"\x00").decode("latin-1").lower()  # NUL is 0x80 in a literal
    text = re.sub(rf"(?<![^\x00-\x20,()/-])(\d{{1,2}})(?=(?:{MONTH})(?![a-z]))", r"\1 ", text)  # RFC 5322 §4.3: nothing has to divide them
    text = re.sub(rf"(?<![^\x00-\x20,()/-])({MONTH})(?=\d{{4}})", r"\1 ", text)
    found = [(one["word"] if not one["sign"] else "-", one.start() == 0 or text[one.start() - 1] not in "-/") for one in WORD.finditer(text)]
    words, apart = [word for word, _ in found], [one for _, one in found]
    at = next((at for at, word in enumerate(words) if re.fullmatch(MONTH, word.removesuffix("."))), None)

    def day_at(at):
        return 0 <= at < len(words) and re.fullmatch(r"\d{1,2}", words[at], re.A) and 1 <= int(words[at]) <= 31

    if at is None:
        if len(words) < 3 or not re.fullmatch(r"\d{4}", words[0], re.A) or not re.fullmatch(r"\d{1,2}", words[1], re.A):
            return None
        day = re.match(r"\d{1,2}(?=t|$)", words[2], re.A)
        return checked_day(int(words[0]), int(words[1]), int(day[0])) if day else None
    month = MONTHS.index(words[at][:3]) + 1
    if day_at(at - 1):
        day, behind = int(words[at - 1]), at + 1
    elif day_at(at + 1):
        day, behind = int(words[at + 1]), at + 2
    else:
        return None
    for here in range(behind, len(words)):
        if (here == behind or apart[here]) and re.fullmatch(r"\d{1,5}", words[here], re.A):
            digits, year = len(words[here]), int(words[here])
            if digits < 4:  # RFC 5322 §4.3
                year += 2000 if digits == 2 and year < 50 else 1900
            return checked_day(year, month, day) if digits > 1 else None
    return None


def checked_day(year, month, day):
    """Every fourth century's calendar is the same; a Date may name years that Python's has not."""
    sound = 1 <= month <= 12 and 1 <= day <= calendar.monthrange(2000 + year % 400, month)[1]
    return (year, month, day) if sound else None


def day_number(year, month, day):
    """Days since the beginning of the Gregorian calendar's first year."""
    return sum(calendar.monthrange(2000 + year % 400, one)[1] for one in range(1, month)) + day + year * 365 + (year - 1) // 4 - (
        year - 1) // 100 + (year - 1) // 400


def found_by_date(text, key, value):
    """Whether SENTBEFORE, SENTON or SENTSINCE finds a message with this Date field."""
    day = sent_day(text) if text is not None else None
    if day is None:
        return False
    number, month, year = value.strip('"').split("-")
    wanted = (int(year), MONTHS.index(month.lower()) + 1, int(number))
    return {"SENTBEFORE": day < wanted, "SENTON": day == wanted, "SENTSINCE": day >= wanted}[key]
