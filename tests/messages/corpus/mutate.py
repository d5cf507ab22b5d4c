"""Messages changed at random: octets, lines, structure."""

import re

INTERESTING = [b"\x00", b"\r", b"\n", b"\r\n", b"\n\n", b"\t", b" ", b"\xff", b"\xc3\xa9", b"\xe9", b'"', b"\\", b"(", b")", b"<", b">", b"@",
               b",", b";", b":", b"=", b"=?", b"?=", b"--", b".", b"%", b"*", b"[", b"]", b"/", b"'", b"=\n", b"\n ", b"Content-Type: ", b"boundary=",
               b"\n--", b"Re: ", b"text/plain", b"base64", b"multipart/mixed", b"message/rfc822"]


def lines_of(message):
    return message.splitlines(True)


def head_size(message):
    end = message.find(b"\n\n")
    return len(message) if end < 0 else end + 1


def place(dice, message):
    """Where to change something: mostly in the header."""
    top = head_size(message) if dice.chance(60) else len(message)
    return dice.below(top + 1)


def flip(dice, message):
    at = place(dice, message)
    return message[:at] + bytes([dice.below(256)]) + message[at + 1 :]


def insert(dice, message):
    at = place(dice, message)
    return message[:at] + dice.pick(INTERESTING) + message[at:]


def remove(dice, message):
    at = place(dice, message)
    return message[:at] + message[at + dice.between(1, 12) :]


def repeat(dice, message):
    at = place(dice, message)
    size = dice.between(1, 40)
    return message[: at + size] + message[at : at + size] * dice.between(1, 3) + message[at + size :]


def drop_line(dice, message):
    lines = lines_of(message)
    if lines:
        del lines[dice.below(len(lines))]
    return b"".join(lines)


def double_line(dice, message):
    lines = lines_of(message)
    if lines:
        at = dice.below(len(lines))
        lines.insert(dice.below(len(lines)), lines[at])
    return b"".join(lines)


def swap_lines(dice, message):
    lines = lines_of(message)
    if lines:
        one, two = dice.below(len(lines)), dice.below(len(lines))
        lines[one], lines[two] = lines[two], lines[one]
    return b"".join(lines)


def join_lines(dice, message):
    ends = [at.start() for at in re.finditer(b"\n", message[: head_size(message)])]
    if not ends:
        return message
    at = dice.pick(ends)
    return message[:at] + message[at + 1 :]


def split_line(dice, message):
    at = place(dice, message)
    return message[:at] + dice.pick([b"\n", b"\n ", b"\r\n", b"\n\t", b"\n\n"]) + message[at:]


def cut_end(dice, message):
    return message[: dice.below(len(message) + 1)]


def cut_start(dice, message):
    return message[dice.below(head_size(message) + 1) :]


def line_ends(dice, message):
    return dice.pick([message.replace(b"\n", b"\r\n"), message.replace(b"\n", b"\r\n", dice.below(20)), message.replace(b"\n", b"\r", dice.below(3)),
                      message.replace(b"\n", b"\r\r\n", dice.below(20))])


def boundary(dice, message):
    """Changes one use of a boundary, or what is said of it."""
    uses = [at.start() for at in re.finditer(rb"\n--|boundary=", message)]
    if not uses:
        return insert(dice, message)
    at = dice.pick(uses) + dice.between(1, 14)
    return message[:at] + dice.pick([b"x", b"", b"\n", b"-", b" ", b'"']) + message[at + dice.below(3) :]


def encoding(dice, message):
    names = [b"base64", b"quoted-printable", b"7bit", b"8bit", b"binary", b"x-uue", b"BASE64"]
    return re.sub(rb"(?i)base64|quoted-printable|7bit|8bit", lambda _: dice.pick(names), message, count=dice.between(1, 3))


def media_type(dice, message):
    names = [b"text/plain", b"text/html", b"message/rfc822", b"multipart/mixed", b"multipart/digest", b"multipart/alternative", b"text", b"image/png",
             b"message/delivery-status", b"application/octet-stream"]
    return re.sub(rb"(?i)(text|multipart|message|image|application)/[a-z0-9.-]+", lambda _: dice.pick(names), message, count=dice.between(1, 2))


def charset(dice, message):
    names = [b"utf-8", b"us-ascii", b"iso-8859-1", b"koi8-r", b"x-none", b"gb2312", b"iso-2022-jp", b"", b"windows-1252", b"utf-16"]
    return re.sub(rb"(?i)utf-8|iso-[0-9-]+|windows-[0-9]+|us-ascii|koi8-.", lambda _: dice.pick(names), message, count=dice.between(1, 3))


def wrap_multipart(dice, message):
    mark = dice.pick([b"w", b"b", b"=_w", b"------------"])
    end = dice.pick([b"--\n", b"\n", b""])
    head = b"From: wrap@example.org\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"" + mark + b'"\n\n'
    return head + b"--" + mark + b"\n" + message + b"\n--" + mark + end


def wrap_message(dice, message):
    return b"Subject: wrapped\nContent-Type: message/rfc822\n\n" + message


MUTATIONS = [flip, flip, insert, insert, insert, remove, remove, repeat, drop_line, double_line, swap_lines, join_lines, join_lines, split_line,
             split_line, cut_end, cut_start, line_ends, boundary, boundary, encoding, media_type, charset, wrap_multipart, wrap_message]


def splice(dice, one, other):
    """The beginning of one and the end of another."""
    return one[: dice.below(len(one) + 1)] + other[dice.below(len(other) + 1) :]


def steal_field(dice, one, other):
    """A header line of another message."""
    stolen = lines_of(other[: head_size(other)])
    lines = lines_of(one)
    if stolen:
        lines.insert(dice.below(min(12, len(lines)) + 1), dice.pick(stolen))
    return b"".join(lines)


def mutated(dice, messages, count):
    """`count` messages made from others, as (name, message)."""
    out = []
    for number in range(count):
        name, message = dice.pick(messages)
        for _ in range(dice.pick([1, 1, 1, 2, 2, 3, 5])):
            if dice.chance(12):
                message = dice.pick([splice, steal_field])(dice, message, dice.pick(messages)[1])
            else:
                message = dice.pick(MUTATIONS)(dice, message)
        out.append((f"mutated-{number}-{name}", message or b"\n"))
    return out
