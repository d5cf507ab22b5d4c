"""The texts that SEARCH looks into, decoded as a person would: each with the classes (see `classes.py`) of what had to be
forgiven to read it. Uses Python's codecs, and `iconv` to learn which charsets Dovecot's library does not know."""

import base64
import binascii
import codecs
import functools
import re
import subprocess
import unicodedata

import octets as grammar

# Labels whose octets are those of a larger charset in practice, and names that Python does not know.
WIDER = {
    "us-ascii": "cp1252", "ascii": "cp1252", "ansi_x3.4-1968": "cp1252", "iso-8859-1": "cp1252", "latin1": "cp1252", "iso8859-1": "cp1252",
    "iso-8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc-kr": "cp949", "ks_c_5601-1987": "cp949",
    "iso-8859-8-i": "iso8859-8", "unicode-1-1-utf-7": "utf-7", "big5": "big5hkscs", "x-user-defined": "latin-1", "windows-874": "cp874",
    "macintosh": "mac-roman", "iso-8859-11": "cp874", "tis-620": "cp874",
}


codecs.register_error("best", lambda error: (error.object[error.start : error.end].decode("cp1252", "replace"), error.end))


# In the Chinese ones, 0x80 is the euro sign of Windows.
codecs.register_error("wider", lambda error: (
    "€" if error.object[error.start : error.start + 1] == b"\x80" and "gb" in error.encoding else "\ufffd", error.start + 1))


# In UTF-7 (RFC 2152) no octet above 127 is any character's; what is no letter of base64 ends it.
codecs.register_error("seven", lambda error: (
    chr(error.object[error.start]) if error.end == error.start + 1 and error.object[error.start] > 127 else "\ufffd", error.end))


@functools.lru_cache(None)
def known_to_iconv(charset):
    given = subprocess.run(["iconv", "-f", charset, "-t", "UTF-8"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return given.returncode == 0


# Charsets of which iconv holds the last character back, as a mark may follow that belongs to it; Dovecot never fetches it.
HELD = ("windows-1255", "cp1255", "windows-1258", "cp1258", "tcvn", "tcvn5712-1", "big5-hkscs", "euc-jisx0213", "shift_jisx0213")


@functools.lru_cache(None)
def other_text(raw, charset):
    """Octets as Dovecot's library reads them, what is held back left out."""
    if not charset or not known_to_iconv(charset):
        return raw.decode("utf-8", "replace")
    given = subprocess.run(["iconv", "-c", "-f", charset, "-t", "UTF-8"], input=raw, capture_output=True, check=False)
    return given.stdout.decode("utf-8", "replace")


def text_of(raw, charset):
    """Octets as text, and the classes of what is odd about them."""
    name = charset.strip().lower()
    flags = set()
    if name and not known_to_iconv(name):
        flags.add("charset-unknown")
    if name in ("iso-8859-1", "latin1", "iso8859-1") and re.search(rb"[\x80-\x9f]", raw):
        return raw.decode("cp1252", "replace"), flags | {"charset-invalid"}
    # Python overlooks what no name of a charset has (RFC 2978 §2.3).
    usable = not re.search(r"[^\w.:+-]", name, re.A)
    try:
        if usable:
            return raw.decode(name or "us-ascii"), flags
    except (LookupError, UnicodeError):
        pass
    flags.add("charset-invalid")
    if name in ("", "us-ascii", "ascii", "utf-8", "utf8") or not usable:
        return raw.decode("utf-8", "best"), flags
    try:
        wider = WIDER.get(name, name)
        return raw.decode(wider, "seven" if wider == "utf-7" else "wider"), flags
    except LookupError:
        return raw.decode("utf-8", "best"), flags


def folded(text):
    """i;unicode-casemap (RFC 5051), nearly: title case of single letters, decomposed."""
    return "".join(unicodedata.normalize("NFKD", one.title() if len(one.title()) == 1 else one) for one in unicodedata.normalize("NFKD", text))


# Another does not begin within one.
WORD = re.compile(rb"=\?([^?]*)\?([^?]*)\?((?:(?!=\?[^=]).)*?)\?=", re.S)
SOUND_WORD = re.compile(rb"=\?[^?\s*()<>@,;:\"/\[\].=]+\?[bBqQ]\?[!->@-~]+\?=")


def is_utf8(octets):
    try:
        octets.decode("utf-8")
    except UnicodeError:
        return False
    return True


def header_text(raw):
    """A field's body with its encoded words decoded, and the classes of what was odd."""
    flags = set()
    unfolded = re.sub(rb"\r?\n", b"", raw)
    if not is_utf8(unfolded):
        flags.add("raw-8bit")
    out, at, last, start = [], 0, None, 0
    while word := WORD.search(unfolded, start):
        between = unfolded[at : word.start()]
        if re.search(rb"\s", word[1] + word[2]) or not word[1] or word[2].lower() not in (b"b", b"q"):
            flags.add("encoded-word-odd")  # none at all (RFC 2047 §2)
            start = word.start() + 2
            continue
        start = word.end()
        charset, kind, text = word[1].split(b"*")[0].decode("latin-1"), word[2].lower(), word[3]
        apart = re.fullmatch(rb"\s+", between) or not between and at == 0
        if not SOUND_WORD.fullmatch(word[0]) or b"*" in word[1] or not apart and not re.search(rb"[\s(\"]$", between):
            flags.add("encoded-word-odd")
        if unfolded[word.end() : word.end() + 1] not in (b"", b" ", b"\t", b"\r", b")", b'"'):
            flags.add("encoded-word-odd")
        if kind == b"b":
            if not grammar.sound_base64(text):
                flags.add("encoded-word-odd")
            octets = any_base64(text)
        else:
            if not grammar.sound_quoted_printable(text) or re.search(rb"=(?:0[0-9A-D]|[01][0-9A-F])", text):
                flags.add("encoded-word-odd")
            octets = without_escapes(text.replace(b"_", b" "))
        if text_of(octets, charset)[1] & {"charset-invalid"}:
            flags.add("encoded-word-odd")  # perhaps a character cut in two between words
        if last is not None and not between.strip():
            if last == (charset.lower(), kind):
                out[-1] = (out[-1][0] + octets, charset)
            else:
                out.append((octets, charset))
        else:
            out += [(between, None), (octets, charset)]
        last, at = (charset.lower(), kind), word.end()
    out.append((unfolded[at:], None))
    text = ""
    for octets, charset in out:
        if charset is None:
            one, odd = text_of(octets, "")
        else:
            one, odd = text_of(octets, charset)
            flags |= odd - {"charset-invalid"}
            if charset.lower() in HELD:
                flags.add("charset-held")
        text += one
    return re.sub(r"\s+", " ", text), flags


def other_header_text(raw):
    """A field's body with all decoded that looks like an encoded word in any way: white space within its charset, an encoding
    of which only the first letter is right, none at all."""
    unfolded = re.sub(rb"\r?\n", b"", raw)

    def text(word):
        octets = any_base64(word[3]) if word[2][:1].lower() == b"b" else without_escapes(word[3].replace(b"_", b" "))
        return other_text(octets, word[1].split(b"*")[0].decode("latin-1").strip().lower()).encode()

    return re.sub(rb"\?=\s+=\?", b"?==?", WORD.sub(text, re.sub(rb"\?=\s+=\?", b"?==?", unfolded))).decode("utf-8", "best")


def any_base64(text):
    """What can be decoded, whatever stands between (RFC 2045 §6.8); padding ends a group, and another may follow."""
    octets = b""
    for group in re.split(rb"=+", text):
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", group)
        letters = letters[: len(letters) - (len(letters) % 4 == 1)]
        octets += base64.b64decode(letters + b"=" * (-len(letters) % 4))
    return octets


def without_escapes(text):
    """What can be decoded; an = that no two digits follow stands for itself (RFC 2045 §6.7)."""
    return re.sub(rb"=([0-9A-Fa-f]{2})", lambda found: binascii.unhexlify(found[1]), text)


def any_quoted_printable(body):
    return without_escapes(re.sub(rb"[ \t]+(?=\r\n|$)", b"", body).replace(b"=\r\n", b""))


def body_text(body, encoding, charset, other=False):
    """A text part's body decoded, and the classes of what was odd about it; its charset read as Dovecot's library does."""
    flags = set()
    mechanism = encoding.strip().lower()
    if mechanism == b"base64":
        if not grammar.sound_base64(body):
            flags.add("base64-broken")
        body = any_base64(body)
    elif mechanism == b"quoted-printable":
        if not grammar.sound_quoted_printable(body):
            flags.add("quoted-printable-broken")
        body = any_quoted_printable(body)
    elif mechanism not in (b"", b"7bit", b"8bit", b"binary"):
        flags.add("encoding-unknown")
    name = charset.decode("latin-1").strip().lower()
    text, odd = text_of(body, name)
    if name in HELD:
        odd.add("charset-held")
    return other_text(body, name) if other else text, flags | odd
