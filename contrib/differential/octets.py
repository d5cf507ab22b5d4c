"""What the octets of a message say, read strictly: whether a field keeps to its grammar. Written apart from Culver, so
that a reason for a difference is shown by the message and not by Culver's word."""

import calendar
import re

CFWS = re.compile(rb"[ \t\r\n]+")
ATOM = re.compile(rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")
QUOTED = re.compile(rb'"(?:[^"\\\r\n\x00-\x08\x0b-\x1f\x7f-\xff]|\\[ -~\t]|\r?\n[ \t])*"')
LITERAL = re.compile(rb"\[(?:[!-Z^-~]|[ \t])*\]")
TOKEN = rb"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]+"


def head(octets):
    """The header of a message or part, up to the line that ends it, without that line; line ends as LF."""
    octets = octets.replace(b"\r\n", b"\n")
    if octets.startswith(b"\n"):
        return b""
    end = octets.find(b"\n\n")
    return octets if end < 0 else octets[: end + 1]


def fields(octets, name):
    """The bodies of the fields of a name, with their folds."""
    found, keeping = [], False
    for line in head(octets).split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            if keeping:
                found[-1] += b"\n" + line
            continue
        before, colon, after = line.partition(b":")
        keeping = bool(colon) and before.rstrip(b" \t").lower() == name.lower().encode()
        if keeping:
            found.append(after)
    return found


def nul_names(octets):
    """The names of fields, in small letters, that would be others if a NUL ended them; in a literal NUL is 0x80."""
    names = [line.partition(b":")[0] for line in head(octets).split(b"\n") if line[:1] not in (b" ", b"\t") and b":" in line]
    return {name.partition(b"\x80")[0].decode("latin-1").lower() for name in names if b"\x80" in name}


def blank_name(text):
    """Whether an address has a name of nothing but quoted white space."""
    return bool(re.search(rb'(?:^|,)\s*(?:"\s*"\s*)+<', strip_comments(text)))


def comment_end(text, at):
    """Where the comment that begins here ends; None if it does not, or holds what no comment may."""
    depth = 0
    while at < len(text):
        one = text[at : at + 1]
        if one == b"\\":
            at += 1
        elif one == b"(":
            depth += 1
        elif one == b")":
            depth -= 1
            if not depth:
                return at + 1
        elif one < b" " and one not in b"\t\n" or one >= b"\x7f":
            return None
        at += 1
    return None


def comment_open(text):
    """Whether a comment begins that never ends."""
    return b"(" in strip_comments(text)


def lexemes(text):
    """An address field as pairs of a letter and what it stands for: w word, . dot, d dot with white space around it, L domain
    literal, the specials themselves, E for what no grammar allows; between words a space, or _ where there is none."""
    out, at, spaced = [], 0, False
    while at < len(text):
        gap = CFWS.match(text, at)
        if gap:
            at, spaced = gap.end(), True
            continue
        if text[at : at + 1] == b"(":
            end = comment_end(text, at)
            if end is None:
                return out + [("E", b"")]
            at, spaced = end, True
            continue
        last = out[-1][0] if out else ""
        found = next((kind for kind in (("w", ATOM), ("w", QUOTED), ("L", LITERAL)) if kind[1].match(text, at)), None)
        if found:
            if spaced and last == ".":
                out[-1] = ("d", b".")
            if found[0] == "w" and last == "w":
                out.append((" ", b" ") if spaced else ("_", b""))
            octets = found[1].match(text, at)[0]
            out.append((found[0], octets))
            at += len(octets)
        elif text[at : at + 1] in b".<>@,:;":
            one = text[at : at + 1]
            out.append(("d" if spaced and one == b"." else one.decode(), one))
            at += 1
        else:
            return out + [("E", b"")]
        spaced = False
    return out


def tokens(text):
    """The letters of `lexemes`."""
    return "".join(letter for letter, _ in lexemes(text))


PHRASE = r"w(?:[ _]?w|[.d])*"
LOCAL, DOMAIN = r"w(?:[.d]w)*", r"(?:w(?:[.d]w)*|L)"
MAILBOX = rf"(?:(?:{PHRASE})?<(?:,*@{DOMAIN}(?:,+(?:@{DOMAIN})?)*:)?{LOCAL}@{DOMAIN}>|{LOCAL}@{DOMAIN})"
GROUP = rf"{PHRASE}:(?:,*{MAILBOX}(?:,+{MAILBOX})*,*|,*);"
ADDRESS = re.compile(rf"({GROUP})|({MAILBOX})")
MAILBOXES = re.compile(MAILBOX)


def sound_addresses(text):
    """How many addresses and group marks a field gives before its first mistake, and whether it has one (RFC 5322 §3.4
    with the obsolete forms of §4.4)."""
    letters, at, count = tokens(text), 0, 0
    while True:
        while letters[at : at + 1] == ",":
            at += 1
        if at == len(letters):
            return count, count == 0
        found = ADDRESS.match(letters, at)
        if not found or letters[found.end() : found.end() + 1] not in ("", ","):
            return count, True
        count += 1 if found[2] else 2 + len(MAILBOXES.findall(found[1].split(":", 1)[1]))
        at = found.end()


def obsolete_addresses(text):
    """Whether it uses what only RFC 5322 §4.4 has: empty elements, routes, dots with white space around them, dots in
    names, words of several kinds in a local part."""
    letters = tokens(text)
    return bool(re.search(r"^,|,,|,$|<,*@|d|[.][^<>@,:;]*<|_", letters) or re.search(rb'"[.@]|[.]"', text))


def strip_comments(text):
    out, at = b"", 0
    while at < len(text):
        quoted = QUOTED.match(text, at)
        if quoted:
            out += quoted[0]
            at = quoted.end()
        elif text[at : at + 1] == b"(" and comment_end(text, at):
            out += b" "
            at = comment_end(text, at)
        else:
            out += text[at : at + 1]
            at += 1
    return out


ZONE = r"(?:[+-]\d{2}[0-5]\d|UT|GMT|[ECMP][SD]T|[A-IK-Za-ik-z])"
FWS = r"[ \t\r\n]"
DATE = re.compile(
    rf"{FWS}*(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun){FWS}*,)?{FWS}*(\d{{1,2}}){FWS}*({'|'.join(calendar.month_abbr[1:])}){FWS}*(\d{{2,}}){FWS}+"
    rf"(\d{{2}}){FWS}*:{FWS}*(\d{{2}})(?:{FWS}*:{FWS}*(\d{{2}}))?(?:{FWS}+(?=[+-])|{FWS}*(?=[a-z]))({ZONE}){FWS}*", re.I)


def sound_date(text):
    """Whether a Date field keeps to RFC 5322 §3.3 and §4.3, numbers within their bounds."""
    found = DATE.fullmatch(strip_comments(text).decode("latin-1"))
    if not found:
        return False
    day, hour, minute, second = (int(found[at] or 0) for at in (1, 4, 5, 6))
    month = [one.lower() for one in calendar.month_abbr].index(found[2].lower())
    return 1 <= day <= calendar.monthrange(2000 + int(found[3]) % 400, month)[1] and hour < 24 and minute < 60 and second <= 60


def obsolete_date(text):
    """Whether a sound date has a year or a zone that Dovecot reads by rules of its own: it takes no other years than those of four
    digits from 1900 on, and two digits below 70 for this century; letters for zones, where RFC 5322 §4.3 says that they tell
    nothing; and no zone in small letters."""
    found = DATE.fullmatch(strip_comments(text).decode("latin-1"))
    year, zone = found[3], found[7]
    odd_year = len(year) not in (2, 4) or len(year) == 2 and 50 <= int(year) < 70 or len(year) == 4 and int(year) < 1900
    return odd_year or zone[0].isalpha() and (zone != zone.upper() or len(zone) == 1 and zone != "Z")


def undivided_date(text):
    """Whether a sound date has nothing between day, month and year."""
    found = DATE.fullmatch(strip_comments(text).decode("latin-1"))
    return found.end(1) == found.start(2) or found.end(2) == found.start(3)


MESSAGE_ID = rb"<[^\s<>@()\",;:\\\[\]]+@(?:[^\s<>@()\",;:\\\[\]]+|\[[^\s<>\[\]\\]*\])>\s*"


def sound_ids(text, several):
    """Whether a field holds one msg-id, or several, and nothing else."""
    return bool(re.fullmatch(rb"\s*(?:%s)%s" % (MESSAGE_ID, b"+" if several else b""), strip_comments(text)))


def sound_type(text):
    """Whether Content-Type begins with type/subtype (RFC 2045 §5.1)."""
    return bool(re.match(rb"\s*" + TOKEN + rb"\s*/\s*" + TOKEN + rb"\s*(?:;|$)", strip_comments(text)))


PARAMETER = re.compile(rb"\s*;\s*" + TOKEN + rb"\s*=\s*(?:" + TOKEN + rb"|\"(?:[^\"\\\r\n\x80-\xff\x00]|\\[ -~]|\n[ \t])*\")\s*")


def sound_parameters(text):
    """Whether all parameters behind the first word keep to RFC 2045 §5.1, RFC 2231."""
    text = strip_comments(text)
    at = text.find(b";")
    if at < 0:
        return True
    while at < len(text.rstrip()):
        found = PARAMETER.match(text, at)
        if not found:
            return False
        at = found.end()
    return True


def sound_token(text):
    return bool(re.fullmatch(rb"\s*" + TOKEN + rb"\s*", strip_comments(text)))


def sound_languages(text):
    return bool(re.fullmatch(rb"\s*[A-Za-z0-9-]+\s*(?:,\s*[A-Za-z0-9-]+\s*)*", strip_comments(text)))


def sound_base64(body):
    """Whether a body is base64 and nothing else, with its padding."""
    body = re.sub(rb"[\r\n\t ]", b"", body)
    return len(body) % 4 == 0 and bool(re.fullmatch(rb"[A-Za-z0-9+/]*={0,2}", body))


def sound_quoted_printable(body):
    return not re.search(rb"=(?![0-9A-Fa-f]{2}|[ \t]*\r?\n)|\r(?!\n)", body)
