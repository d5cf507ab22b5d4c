"""SEARCH BODY, TEXT, SUBJECT, FROM and HEADER for words of many languages, in messages of many charsets and all
transfer encodings, against what Python's email package reads in the same messages.

    search.py PORT [EVERY]

EVERY takes one word of so many, and then one message of five. Ends with an error if a word is found in another message than the reference has it in.
"""

import base64
import email
import email.header
import email.policy
import imaplib
import quopri
import random
import sys
import unicodedata

from words import languages

ENCODINGS = ["7bit", "8bit", "quoted-printable", "base64"]
SHAPES = ["plain", "html", "alternative", "forwarded", "attached", "digest"]


def fold(text):
    """i;unicode-casemap (RFC 5051 §2): titlecase, then decomposed, a code point at a time."""
    def one(char):
        title = char.title()
        return unicodedata.normalize("NFKD", title if len(title) == 1 else char)
    return "".join(one(char) for char in text)


# The messages.


def encoded_word(text, charset, kind, rng):
    """An encoded word, or several that may part a character's octets, as mailers do that count octets. Where a word
    has to end in ASCII mode, they part the text between characters."""
    most = rng.choice([7, 12, 30])
    if charset == "iso-2022-jp":
        pieces = [text[at:at + most // 3].encode(charset) for at in range(0, len(text), most // 3)] or [b""]
    else:
        octets = text.encode(charset)
        pieces = [octets[at:at + most] for at in range(0, len(octets), most)] or [b""]
    def write(piece):
        if kind == "B":
            inside = base64.b64encode(piece).decode()
        else:
            inside = "".join(chr(octet) if chr(octet).isascii() and chr(octet).isalnum() else f"={octet:02X}" for octet in piece)
        return f"=?{charset}?{kind}?{inside}?="
    return "\r\n ".join(write(piece) for piece in pieces)


def header(name, text, charset, rng):
    if charset == "us-ascii":
        return f"{name}: {text}\r\n"
    return f"{name}: {encoded_word(text, charset, rng.choice('BQ'), rng)}\r\n"


def transfer(octets, encoding):
    if encoding == "quoted-printable":
        return quopri.encodestring(octets, quotetabs=False).replace(b"\n", b"\r\n").replace(b"\r\r\n", b"\r\n")
    if encoding == "base64":
        return base64.encodebytes(octets).replace(b"\n", b"\r\n")
    return octets


def part(text, charset, encoding, subtype="plain"):
    head = f'Content-Type: text/{subtype}; charset="{charset}"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + transfer(text.encode(charset), encoding)


def message(rng, words, charset, encoding, shape):
    def some(count):
        return [rng.choice(words) for _ in range(count)]
    def text():
        lines = [rng.choice([" ", ""] if charset != "us-ascii" else [" "]).join(some(6)) for _ in range(rng.randint(1, 9))]
        return "\r\n".join(lines) + "\r\n"
    head = header("Subject", " ".join(some(2)), charset, rng)
    name = some(1)[0]
    shown = name if charset == "us-ascii" else encoded_word(name, charset, rng.choice("BQ"), rng)
    head += f"From: {shown} <sender@example.org>\r\n"
    head += header("X-Words", " ".join(some(3)), charset, rng)
    head += "MIME-Version: 1.0\r\n"
    body = part(text(), charset, encoding)
    if shape == "html":
        body = part(f"<p>{text()}</p>\r\n", charset, encoding, "html")
    elif shape in ("alternative", "attached"):
        second = part(text(), charset, rng.choice([encoding, "base64"]), "html" if shape == "alternative" else "x-notes")
        body = (b'Content-Type: multipart/mixed; boundary="b"\r\n\r\npreamble\r\n--b\r\n' + body + b"\r\n--b\r\n" + second
                + b"\r\n--b--\r\nepilogue\r\n")
    elif shape in ("forwarded", "digest"):
        inner = header("Subject", " ".join(some(2)), charset, rng).encode() + body
        kind = b"multipart/digest" if shape == "digest" else b"multipart/mixed"
        type_of_part = b"" if shape == "digest" else b"Content-Type: message/rfc822\r\n"
        body = (b"Content-Type: " + kind + b'; boundary="b"\r\n\r\n--b\r\n' + type_of_part + b"\r\n" + inner
                + b"\r\n--b--\r\n")
    return head.encode() + body


def messages():
    rng = random.Random(7)
    for name, charset, words in languages():
        for encoding in ENCODINGS:
            if encoding == "7bit" and charset not in ("us-ascii", "iso-2022-jp"):
                continue
            for shape in SHAPES:
                yield message(rng, words, charset, encoding, shape)


# The reference.


def decoded(value):
    """A header field as it reads: encoded words decoded, those side by side joined first."""
    pieces = []
    for octets, charset in email.header.decode_header(value.replace("\r\n", "")):
        if isinstance(octets, bytes):
            octets = octets.decode(charset or "us-ascii", "replace")
        pieces.append(octets)
    return "".join(pieces)


def texts(parsed):
    for one in parsed.walk():
        if one.get_content_maintype() == "text" and not one.is_multipart():
            octets = one.get_payload(decode=True)
            yield octets.decode(one.get_content_charset() or "us-ascii", "replace")


def reference(octets):
    """What each key looks into, folded."""
    parsed = email.message_from_bytes(octets, policy=email.policy.compat32)
    field = lambda name: [fold(decoded(value)) for value in parsed.get_all(name, [])]
    body = [fold(text) for text in texts(parsed)]
    headers = [fold(f"{name}: {decoded(value)}") for one in parsed.walk() for name, value in one.items()]
    return {"SUBJECT": field("Subject"), "FROM": field("From"), "HEADER X-Words": field("X-Words"), "BODY": body,
            "TEXT": headers + body}


def main():
    every = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    server = imaplib.IMAP4("127.0.0.1", int(sys.argv[1]))
    server.login("u", "p")
    kept = []
    for octets in list(messages())[::5 if every > 1 else 1]:
        assert server.append("INBOX", None, None, octets)[0] == "OK"
        kept.append(reference(octets))
    server.select(readonly=True)

    rng = random.Random(3)
    asked = wrong = found = 0
    seen = set()
    spoken = [(word, charset) for _, charset, words in languages() for word in words]
    words = []
    for word, charset in spoken:
        if word not in seen:
            seen.add(word)
            words.append((word, charset))
    charsets = {charset for _, charset in spoken}
    for word, charset in words[rng.randrange(every)::every]:
        # As it is, in capitals, decomposed, and a part of it.
        forms = {word, word.upper(), unicodedata.normalize("NFD", word), word[1:]} - {""}
        for key in ["SUBJECT", "FROM", "HEADER X-Words", "BODY", "TEXT"]:
            for form in sorted(forms):
                wanted = fold(form)
                expected = [at for at, texts in enumerate(kept, 1) if any(wanted in text for text in texts[key])]
                in_charset = rng.choice([charset, "utf-8"])
                try:
                    literal = form.encode(in_charset)
                except UnicodeEncodeError:
                    in_charset, literal = "utf-8", form.encode()
                server.literal = literal
                kind, data = server._simple_command("SEARCH", "CHARSET", in_charset, key)
                kind, data = server._untagged_response(kind, data, "SEARCH")
                assert kind == "OK", (in_charset, key, form, data)
                got = [int(number) for number in (data[0] or b"").split()]
                asked += 1
                found += len(expected)
                if got != expected:
                    wrong += 1
                    print(f"{key} {form!r} ({in_charset}): too many {sorted(set(got) - set(expected))}, "
                          f"missing {sorted(set(expected) - set(got))}")
    print(f"{len(kept)} messages, {len(charsets)} charsets, {len(words)} words, {asked} searches, {found} hits, {wrong} wrong")
    sys.exit(wrong > 0)


main()
