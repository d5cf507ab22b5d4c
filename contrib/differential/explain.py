"""Finds the classes of a difference between FETCH answers, by what the message's octets say. No class: it is unexplained."""

import re

import expected
import octets as grammar

ENVELOPE = ("date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id")
ADDRESSES = ENVELOPE[2:8]
ENCODINGS = (b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable")


class Message:
    """A message as its octets and its structure show it. What is asked for is fetched from Culver once."""

    def __init__(self, connection, number):
        self.connection, self.number, self.known = connection, number, {}
        self.differing = {}  # classes of the differences in BODYSTRUCTURE, by part; "" is the whole message

    def fetch(self, item):
        if item not in self.known:
            for response in self.connection.command(f"FETCH {self.number} ({item})"):
                if response[0] == self.number and response[1] == "FETCH":
                    self.known[item] = response[2][response[2].index(item.replace(".PEEK", "")) + 1]
        return self.known[item]

    @property
    def octets(self):
        return self.fetch("BODY.PEEK[]")

    @property
    def structure(self):
        return self.fetch("BODYSTRUCTURE")

    def mime(self, part):
        """The header that says what a part is; of part 1 of a message without parts, the message's own. `1.HEADER` stands for
        the message within part 1."""
        if part.endswith(".HEADER"):
            return self.fetch(f"BODY.PEEK[{part}]")
        return self.fetch(f"BODY.PEEK[{part}.MIME]") if part else self.fetch("BODY.PEEK[HEADER]")

    def body(self, part):
        return self.fetch(f"BODY.PEEK[{part}]") if part else self.fetch("BODY.PEEK[TEXT]")

    def parts(self):
        """(part number, its node, that of the multipart around it) for each part that BODY[n] names, outermost first."""
        yield from _parts(self.structure, "")


def _parts(node, prefix, around=None):
    if isinstance(node[0], list):
        for at, inner in enumerate(children(node)):
            number = f"{prefix}{at + 1}"
            yield number, inner, node
            yield from within(inner, number)
    else:
        yield prefix + "1", node, around
        yield from within(node, prefix + "1")


def within(node, number):
    if isinstance(node[0], list):
        yield from _parts(node, number + ".")
    elif is_message(node):
        yield from _parts(node[8], number + ".")


def children(node):
    return [one for one in node if isinstance(one, list) and one and isinstance(one[0], (list, bytes)) and node.index(one) < first_string(node)]


def first_string(node):
    return next(at for at, one in enumerate(node) if not isinstance(one, list))


def is_message(node):
    return isinstance(node[0], bytes) and node[0].lower() == b"message" and len(node) > 9 and isinstance(node[8], list) and isinstance(node[7], list)


def is_composite(node):
    return isinstance(node[0], list) or is_message(node)


# The parts of a compound answer that differ.


def leaves(difference):
    """An ENVELOPE's or BODYSTRUCTURE's difference as (field, part, ours, theirs); any other as it is."""
    if difference.kind == "ENVELOPE":
        yield from envelope_leaves(difference.ours, difference.theirs, "")
    elif difference.kind in ("BODY", "BODYSTRUCTURE"):
        yield from structure_leaves(difference.ours, difference.theirs, "", "")
    else:
        yield difference.kind, "", difference.ours, difference.theirs


def envelope_leaves(ours, theirs, part):
    for name, a, b in zip(ENVELOPE, ours, theirs):
        if a != b:
            yield name, part, a, b


def structure_leaves(ours, theirs, prefix, me):
    """`me` is the part's own number, `prefix` what stands before those of the parts in it."""
    if isinstance(ours[0], list) != isinstance(theirs[0], list):
        yield "structure", me, ours, theirs
    elif isinstance(ours[0], list):
        mine, its = children(ours), children(theirs)
        if len(mine) != len(its):
            yield "structure", me, ours, theirs
            return
        for at, (a, b) in enumerate(zip(mine, its)):
            number = f"{prefix}{at + 1}"
            yield from structure_leaves(a, b, number + ".", number)
        rest = zip(("subtype", "parameters", "disposition", "language", "location"), ours[len(mine) :], theirs[len(its) :])
        yield from ((name, me, a, b) for name, a, b in rest if a != b)
    else:
        number = me if me and not me.endswith(".HEADER") else prefix + "1"
        if [one.lower() for one in ours[:2]] != [one.lower() for one in theirs[:2]]:
            yield "type", number, ours[:3], theirs[:3]
            # The lines of text and the inside of a message are where the other has nothing.
            ours, theirs = plain(ours), plain(theirs)
        elif ours[:2] != theirs[:2]:
            yield "case", number, ours[:2], theirs[:2]
        names = ["type", "type", "parameters", "id", "description", "encoding", "size"]
        if is_message(ours) and is_message(theirs):
            yield from envelope_leaves(ours[7], theirs[7], number)
            yield from structure_leaves(ours[8], theirs[8], number + ".", number + ".HEADER")
            ours, theirs = (node[:7] + node[9:] for node in (ours, theirs))
            names.append("lines")
        elif len(ours) in (8, 12):
            names.append("lines")
        names += ["md5", "disposition", "language", "location"]
        skip = 3 if plain(ours) == ours and ours[:2] != theirs[:2] else 2
        for at, (name, a, b) in enumerate(zip(names, ours, theirs)):
            if a != b and at >= skip:
                yield name, number, a, b


def plain(node):
    """A leaf's node without what only text or messages have."""
    if is_message(node):
        return node[:7] + node[10:]
    return node[:7] + node[8:] if len(node) in (8, 12) else node


# What a leaf's difference comes from.


def classes_of(difference, message):
    """The classes of a FETCH answer's difference: of all its leaves, or none if one is unexplained."""
    found = set()
    for field, part, ours, theirs in leaves(difference):
        names = fetch_classes(field, part, ours, theirs, difference, message)
        if not names:
            return set()
        found |= names
        if difference.kind == "BODYSTRUCTURE":
            message.differing.setdefault(part.removesuffix(".HEADER"), set()).update(names)
    return found


def fetch_classes(field, part, ours, theirs, difference, message):
    if field in ADDRESSES:
        return addresses(field, header_of(message, part), ours, theirs)
    if field in ENVELOPE:
        if isinstance(ours, bytes) and isinstance(theirs, bytes) and theirs != ours == theirs.strip(b" \t"):
            return {"white-space-at-ends"}
        return set()
    if field in ("BODY[n]", "BODY[n]<>", "BODY[n.MIME]", "BINARY[n]", "BINARY.SIZE[n]"):
        return section(field, ours, theirs, difference.command, message)
    if field == "BODY[HEADER.FIELDS (…)]":
        found = set()
        if b"\r\r\n" in ours:
            ours, found = ours.replace(b"\r\r\n", b"\r\n"), {"cr-before-crlf"}
        if ours == theirs + b"\r\n" and not message.octets.endswith(b"\n") and b"\r\n\r\n" not in message.octets:
            ours, found = theirs, found | {"blank-line"}
        return found if ours == theirs else set()
    return structure_field(field, part, ours, theirs, message)


def header_of(message, part):
    """The header of the message in a part, or the message's own."""
    return message.fetch(f"BODY.PEEK[{part}.HEADER]") if part else message.fetch("BODY.PEEK[HEADER]")


def addresses(field, header, ours, theirs):
    """An error in the field: both have the same addresses before it, and Culver has each that the other has. Or a form that is
    only obsolete. Culver's addresses must be those of the field."""
    for name in [field] + ["from"] * (field in ("sender", "reply-to")):  # RFC 3501 7.4.2: they default to From
        bodies = grammar.fields(header, name)
        if not expected.right_addresses(ours or [], bodies):
            continue
        before = 0
        for body in bodies:
            count, broken = grammar.sound_addresses(body)
            before += count
            if broken and (ours or [])[:before] == (theirs or [])[:before]:
                lost = expected.whole(theirs or [], bodies) - expected.whole(ours or [], bodies)
                return set() if lost else {"address-broken"}
        if any(grammar.obsolete_addresses(body) for body in bodies):
            return {"address-obsolete"}
    return set()


def structure_field(field, part, ours, theirs, message):
    header = message.mime(part)
    content_type = (grammar.fields(header, "Content-Type") or [b""])[0]
    if field in ("size", "lines"):
        body = message.body(part)
        if not stands(message, part, body) or ours != (len(body) if field == "size" else body.count(b"\n")):
            return set()
        if theirs == ours + (2 if field == "size" else 1) and ends_before_delimiter(message, part):
            return {"nested-line-end"}
        return around(message, part) | follows_structure(message, part)
    if field == "structure":
        boundary = re.search(rb'boundary\s*=\s*"?([^";\s]*)', content_type)
        if boundary and len(boundary[1]) > 70:
            return {"boundary-long"}
        if isinstance(ours[0], list) and re.search(rb'boundary\s*=\s*"[^"]*\s"', content_type):
            return {"boundary-spaces"}
        if not grammar.sound_type(content_type):
            return {"type-invalid"}
        if b"message/global" in content_type.lower():
            return {"message-global"}
        return set() if grammar.sound_parameters(content_type) else {"parameters-broken"}
    if field == "type":
        if b"message/global" in content_type.lower():
            return {"message-global"} if [one.lower() for one in ours[:2]] == [b"message", b"global"] else set()
        named = expected.stands_in(ours[:2], content_type) or [one.lower() for one in ours[:2]] in DEFAULT_TYPES
        return {"type-invalid"} if named and not grammar.sound_type(content_type) else set()
    if field == "subtype":
        return {"type-invalid"} if expected.stands_in(ours, content_type) and not grammar.sound_type(content_type) else set()
    if field == "case":
        return {"type-case"} if b"/".join(ours) in content_type else set()
    if field in ("parameters", "disposition"):
        if renamed(theirs) == ours:
            return {"parameter-names"}
        return parameters(ours, theirs, grammar.fields(header, "Content-Type" if field == "parameters" else "Content-Disposition"))
    if field == "encoding":
        named = grammar.fields(header, "Content-Transfer-Encoding")
        if not any(re.match(rb"\s*" + re.escape(ours) + rb"(?![\w-])", grammar.strip_comments(one)) for one in named[:1]):
            return set()
        if not grammar.fields(header, "Content-Type") and not grammar.fields(header, "MIME-Version"):
            return {"not-mime"}
        return set() if all(map(grammar.sound_token, named)) else {"encoding-broken"}
    if field == "language":
        named = grammar.fields(header, "Content-Language")
        right = expected.stands_in(ours, b",".join(named))
        return set() if not right or all(map(grammar.sound_languages, named)) else {"languages-broken"}
    return set()


DEFAULT_TYPES = ([b"text", b"plain"], [b"message", b"rfc822"], [b"application", b"octet-stream"])


def parameters(ours, theirs, bodies):
    """Of a list of parameters; of a disposition, its type and that list. Those that are sound must be as they stand."""
    body = (bodies or [b""])[0]
    disposition = isinstance(ours, list) and len(ours) == 2 and isinstance(ours[1], list)
    listed = ours[1] if disposition else ours
    if not expected.right_parameters(listed, body) or disposition and not expected.stands_in(ours[0], body):
        return set()
    lower = lambda value: [lower(one) for one in value] if isinstance(value, list) else value and value.lower()
    if not disposition and lower(ours) == lower(theirs) and ours and expected.stands_in(ours, body):
        return {"type-case"}
    return set() if grammar.sound_parameters(body) and (disposition or grammar.sound_type(body)) else {"parameters-broken"}


def renamed(value):
    """A list of parameters, or one within, with `name*0*` as `name*`."""
    if isinstance(value, list):
        return [renamed(one) for one in value]
    return re.sub(rb"\*0\*$", b"*", value) if isinstance(value, bytes) else value


def follows_structure(message, part):
    """Where a part, or one that it lies in, is another one for the other server, so is what lies in it."""
    found = set(message.differing.get("", ()))
    while part:
        found |= message.differing.get(part, set())
        part = part.rpartition(".")[0]
    return found & {"boundary-spaces", "boundary-long", "type-invalid", "parameters-broken", "message-global"}


def stands(message, part, body):
    """Whether these octets are where BODYSTRUCTURE says that the part is: behind its header, and of its size; and a part of a
    multipart behind a delimiter of that. Where no delimiter is found, there must be nothing."""
    node, around_it = next(((node, around_it) for number, node, around_it in message.parts() if number == part), (None, None))
    whole = message.mime(part) + body
    if node is None or not isinstance(node[0], list) and node[6] != len(body):
        return False
    if around_it is None:
        return whole in message.octets
    listed = next((one for one in around_it[len(children(around_it)) + 1 :] if isinstance(one, list)), [])
    boundary = next((value for name, value in zip(listed[::2], listed[1::2]) if name.lower() == b"boundary"), b"")
    delimiter = rb"(?:^|\n)--" + re.escape(boundary.rstrip())
    if not whole and not (boundary and re.search(delimiter, message.octets)):
        return True
    return bool(re.search(delimiter + rb"[^\r\n]*(?:\r\n|\Z)" + re.escape(whole), message.octets))


def around(message, part):
    """Where the boundary of a multipart around the part cannot be read soundly, so can its parts not be told apart."""
    while part:
        part = part.rpartition(".")[0]
        for content_type in grammar.fields(message.mime(part), "Content-Type")[:1]:
            if content_type.strip().lower().startswith(b"multipart") and not grammar.sound_parameters(content_type):
                return {"parameters-broken"}
    return set()


def ends_before_delimiter(message, part):
    """Whether a part is a multipart or message behind which a line end and a delimiter come."""
    node = next((node for number, node, _ in message.parts() if number == part), None)
    return node is not None and is_composite_by_type(node, message, part) and message.body(part) + b"\r\n--" in message.octets


def is_composite_by_type(node, message, part):
    return is_composite(node) or (grammar.fields(message.mime(part), "Content-Type") or [b""])[0].strip().lower().startswith((b"multipart", b"message/"))


def section(field, ours, theirs, command, message):
    part = re.search(r"\[([\d.]*\d)", command)[1]
    node = next((node for number, node, _ in message.parts() if number == part), None)
    body = message.body(part)
    if node is None or not stands(message, part, body):
        return set()
    if field.startswith("BINARY"):
        encoding = grammar.strip_comments((grammar.fields(message.mime(part), "Content-Transfer-Encoding") or [b""])[0]).strip().lower()
        encoding = b"" if isinstance(node[0], list) else (re.match(grammar.TOKEN, encoding) or [b""])[0]
        content = expected.decoded(body, encoding)
        right = ours in ("NO [UNKNOWN-CTE]",) if encoding not in (b"", *ENCODINGS) else ours == (
            len(content) if isinstance(ours, int) else content)
    elif field == "BODY[n]<>":
        first, count = map(int, re.search(r"<(\d+)(?:\.(\d+))?", command).groups("40"))
        right = ours == body[first : first + count]
    else:
        right = ours == (message.mime(part) if field == "BODY[n.MIME]" else body)
    if not right:
        return set()
    if (theirs == ours + b"\r\n" if isinstance(ours, bytes) else theirs == ours + 2 if isinstance(ours, int) else False) and ends_before_delimiter(
            message, part):
        return {"nested-line-end"}
    if field.startswith("BINARY"):
        found = binary(ours, theirs, part, node, message)
        if found:
            return found
    if field == "BODY[n]<>":
        if theirs == (body + b"\r\n")[first : first + len(theirs)] and ends_before_delimiter(message, part):
            return {"nested-line-end"}
        if re.search(rb"\r[^\n]", body[: first + 1]):
            return {"partial-behind-cr"}
    return follows_structure(message, part)


def binary(ours, theirs, part, node, message):
    body = message.body(part)
    own = problem(message, part) | (message.differing.get(part, set()) & {"not-mime"} if theirs in (body, len(body)) else set())
    encodings = grammar.fields(message.mime(part), "Content-Transfer-Encoding")
    if is_composite(node):
        if own or encodings or b"content-transfer-encoding:" in message.body(part).lower():
            return {"binary-composite"}
    elif own:
        return own
    elif len(encodings) > 1 and encodings[0] != encodings[-1]:
        return {"encoding-twice"}
    if isinstance(theirs, str):
        # Dovecot reads all parts for the size of one.
        others = [problem(message, number) for number, other, _ in message.parts() if number != part]
        everywhere = re.findall(rb"(?im)^content-transfer-encoding:[ \t]*([^\s;]+)", message.octets)
        unknown = [one for one in everywhere if one.lower() not in ENCODINGS]
        own = b"".join(grammar.fields(message.fetch("BODY.PEEK[HEADER]"), "Content-Transfer-Encoding")).strip().lower()
        unknown += [own] * (isinstance(message.structure[0], list) and own not in (b"", *ENCODINGS[:3]))
        return {"binary-size-of-others"} if (any(others) or unknown) and isinstance(ours, int) else set()
    if isinstance(ours, int) and ours == len(message.fetch(f"BINARY.PEEK[{part}]")) == len(message.body(part)):
        return {"binary-size-wrong"}
    return set()


def problem(message, part):
    """What there is about a part's transfer encoding."""
    field = (grammar.fields(message.mime(part), "Content-Transfer-Encoding") or [None])[0]
    if field is None:
        return set()
    encoding = grammar.strip_comments(field).strip().lower()
    if not encoding:
        return {"encoding-empty"}
    if not grammar.sound_token(field):
        return {"encoding-broken"}
    if encoding == b"base64" and not grammar.sound_base64(message.body(part)):
        return {"base64-broken"}
    if encoding == b"quoted-printable" and not grammar.sound_quoted_printable(message.body(part)):
        return {"quoted-printable-broken"}
    return set() if encoding in ENCODINGS else {"encoding-unknown"}
