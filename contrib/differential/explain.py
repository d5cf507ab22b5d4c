"""Finds the classes of a difference between FETCH answers, by what the message's octets say. No class: it is unexplained."""

import re

import expected
import octets as grammar
import parts
from classes import CLASSES

ENVELOPE = ("date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id")
ADDRESSES = ENVELOPE[2:8]
ENCODINGS = (b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable")


class Message:
    """A message as its octets and its structure show it. What is asked for is fetched from Culver once."""

    def __init__(self, connection, number):
        self.connection, self.number, self.known = connection, number, {}

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

    @property
    def root(self):
        """The message as `parts` reads its octets."""
        if "root" not in self.known:
            self.known["root"] = parts.parse(self.octets)
            self.known["numbered"] = dict(parts.numbered(self.known["root"]))
        return self.known["root"]

    def own(self, part):
        """A part as `parts` reads the octets; "" is the message, `1.HEADER` the message within part 1. `None` if there is none."""
        if not part:
            return self.root
        whole = self.root and self.known["numbered"].get(part.removesuffix(".HEADER"))
        if whole is not None and part.endswith(".HEADER"):
            return whole.inner[0] if whole.inner else None
        return whole

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


# What is shown of a multipart without parts (RFC 3501 §9, `body-type-mpart`).
NOTHING = [b"text", b"plain", [b"charset", b"us-ascii"], None, None, b"7bit", 0, 0]


def structure_leaves(ours, theirs, prefix, me):
    """`me` is the part's own number, `prefix` what stands before those of the parts in it."""
    if isinstance(ours[0], list) != isinstance(theirs[0], list):
        yield "structure", me, ours, theirs
    elif isinstance(ours[0], list):
        mine, its = children(ours), children(theirs)
        if len(mine) != len(its) or its[0][:8] == NOTHING != mine[0][:8]:
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
    return found


def fetch_classes(field, part, ours, theirs, difference, message):
    if field in ENVELOPE and field in grammar.nul_names(header_of(message, part)):
        return {"name-nul"} if not grammar.fields(header_of(message, part), field) and not ours else set()
    if field in ADDRESSES:
        return addresses(field, header_of(message, part), ours, theirs)
    if field in ENVELOPE:
        if isinstance(ours, bytes) and isinstance(theirs, bytes) and theirs != ours == theirs.strip(b" \t"):
            return {"white-space-at-ends"}
        return set()
    if field in ("BODY[n]", "BODY[n]<>", "BODY[n.MIME]", "BINARY[n]", "BINARY.SIZE[n]"):
        return section(field, ours, theirs, difference.command, message)
    if field in ("BODY[HEADER.FIELDS (…)]", "BODY[HEADER.FIELDS.NOT (…)]"):
        found = set()
        if grammar.nul_names(message.root.header) and ours == expected.fields(message.root.header, difference.command):
            return {"name-nul"}
        if b"\r\r\n" in ours:
            ours, found = ours.replace(b"\r\r\n", b"\r\n"), {"cr-before-crlf"}
        if ours == theirs + b"\r\n" and not message.octets.endswith(b"\n") and b"\r\n\r\n" not in message.octets:
            ours, found = theirs, found | {"blank-line"}
        return found if ours == theirs else set()
    if field == "BODY[]<>":
        return partial(ours, theirs, int(difference.command[7:-1]), message.octets)
    return structure_field(field, part, ours, theirs, message)


def partial(ours, theirs, first, octets):
    """Culver's octets must begin at the origin, and the other's be as far behind it as bare CR stand before."""
    bare = len(re.findall(rb"\r(?!\n)", octets[:first]))
    behind = any(theirs == octets[first + by : first + by + len(theirs)] for by in range(1, bare + 1))
    return {"partial-behind-cr"} if behind and len(ours) == len(theirs) and ours == octets[first : first + len(ours)] else set()


def header_of(message, part):
    """The header of the message in a part, or the message's own."""
    return message.own(part + ".HEADER" if part else "").header


def addresses(field, header, ours, theirs):
    """An error in the field: both have the same addresses before it, and Culver has each that the other has. Or a form that is
    only obsolete. Culver's addresses must be those of the field."""
    own = grammar.fields(header, field)
    for name in [field] + ["from"] * (field in ("sender", "reply-to")):  # RFC 3501 7.4.2: they default to From
        bodies = grammar.fields(header, name)
        if name != field and any(expected.addresses(body) for body in own) or not expected.right_addresses(ours or [], bodies):
            continue
        if name != field and not (theirs or [None])[0:] == ours and any(body.strip() for body in own):
            return {"address-broken"}
        before = 0
        for body in bodies:
            count, broken = grammar.sound_addresses(body)
            before += count
            if broken and (ours or [])[:before] == (theirs or [])[:before]:
                lost = expected.whole(theirs or [], bodies) - expected.whole(ours or [], bodies)
                return set() if lost else {"address-broken"}
        if any(grammar.obsolete_addresses(body) for body in bodies):
            return {"address-obsolete"}
        if theirs and [[one[0] or None, *one[1:]] for one in theirs] == ours and any(map(grammar.blank_name, bodies)):
            return {"name-blank"}
    return set()


def first_of(names):
    """The outermost of some classes, as a set; empty if there are none."""
    return {min(names, key=list(CLASSES).index)} if names else set()


SHAPED_BY = {"boundary-prefix", "boundary-spaces", "boundary-long", "type-invalid", "message-global", "parameters-broken"}


def same_shape(node, part):
    """Whether a node of BODYSTRUCTURE, with all in it, is the part that the octets have there."""
    if isinstance(node[0], list):
        inner = part.inner or [None]
        return part.is_multipart and len(children(node)) == len(inner) and all(
            one is None or same_shape(child, one) for child, one in zip(children(node), inner))
    if is_message(node):
        return part.kind == (b"message", b"rfc822") and same_shape(node[8], part.inner[0])
    return tuple(one.lower() for one in node[:2]) == part.kind and node[6] == len(part.body)


def structure_field(field, number, ours, theirs, message):
    part = message.own(number)
    if part is None:
        return set()
    content_type = (part.types or [b""])[0]
    if field in ("size", "lines"):
        if ours != (len(part.body) if field == "size" else part.body.count(b"\n")):
            return set()
        if theirs == ours + (2 if field == "size" else 1) and ends_before_delimiter(message, part):
            return {"nested-line-end"}
        return first_of(part.causes() & SHAPED_BY)
    if field == "structure":
        return first_of(part.causes() & SHAPED_BY) if same_shape(ours, part) else set()
    if field == "type":
        return first_of(part.causes() & {"message-global", "type-invalid"}) if tuple(
            one.lower() for one in ours[:2]) == part.kind else set()
    if field == "subtype":
        return first_of(part.causes() & {"type-invalid"}) if ours.lower() == part.kind[1] else set()
    if field == "case":
        return {"type-case"} if b"/".join(ours) in content_type else set()
    if field in ("parameters", "disposition"):
        if renamed(theirs) == ours:
            return {"parameter-names"}
        return parameters(ours, theirs, part, "Content-Type" if field == "parameters" else "Content-Disposition")
    if field not in OF_CONTENT:
        return set()
    bodies = grammar.fields(part.header, OF_CONTENT[field])
    body = (bodies or [b""])[0]
    if field == "encoding":
        right = bodies and re.match(rb"\s*" + re.escape(ours) + rb"(?![\w-])", grammar.strip_comments(body))
        broken = set() if all(map(grammar.sound_token, bodies)) else {"encoding-broken"}
    elif field == "language":
        right = expected.stands_in(ours, b",".join(bodies))
        broken = set() if all(map(grammar.sound_languages, bodies)) else {"languages-broken"}
    else:
        right, broken = expected.squeezed(ours) == expected.squeezed(body), set()
    if not right or not bodies:
        return set()
    return broken if part.is_mime() or theirs not in (None, b"7bit") else {"not-mime"}


OF_CONTENT = {"id": "Content-ID", "description": "Content-Description", "encoding": "Content-Transfer-Encoding", "md5": "Content-MD5",
              "language": "Content-Language", "location": "Content-Location"}


def parameters(ours, theirs, part, name):
    """Of a list of parameters; of a disposition, its type and that list. Those that are sound must be as they stand."""
    body = (grammar.fields(part.header, name) or [b""])[0]
    disposition = isinstance(ours, list) and len(ours) == 2 and isinstance(ours[1], list) or name == "Content-Disposition"
    listed = ours[1] if disposition and ours else ours
    if not expected.right_parameters(listed, body) or disposition and ours and not expected.stands_in(ours[0], body):
        return set()
    if disposition and theirs is None and not part.is_mime():
        return {"not-mime"}
    several = grammar.fields(part.header, name)
    if disposition and len(several) > 1 and theirs and any(expected.stands_in(theirs[0], one) for one in several[1:]):
        return {"disposition-twice"}
    lower = lambda value: [lower(one) for one in value] if isinstance(value, list) else value and value.lower()
    if not disposition and lower(ours) == lower(theirs) and ours and expected.stands_in(ours, body):
        return {"type-case"}
    return set() if grammar.sound_parameters(body) and (disposition or grammar.sound_type(body)) else {"parameters-broken"}


def renamed(value):
    """A list of parameters, or one within, with `name*0*` as `name*`."""
    if isinstance(value, list):
        return [renamed(one) for one in value]
    return re.sub(rb"\*0\*$", b"*", value) if isinstance(value, bytes) else value


def ends_before_delimiter(message, part):
    """Whether a part is a multipart or message behind which a line end and a delimiter come."""
    composite = part.is_multipart or part.kind[0] == b"message"
    return composite and part.around is not None and part.header + part.body + b"\r\n--" in message.octets


def section(field, ours, theirs, command, message):
    number = re.search(r"\[([\d.]*\d)", command)[1]
    part = message.own(number)
    if part is None:
        return set()
    body = part.body
    if field.startswith("BINARY"):
        encoding = part.field("Content-Transfer-Encoding").lower()
        encoding = b"" if part.is_multipart else (re.match(grammar.TOKEN, encoding) or [b""])[0]
        content = expected.decoded(body, encoding)
        nul = lambda octets: octets.replace(b"\x00", b"\x80")  # as BODY[] has it
        right = ours in ("NO [UNKNOWN-CTE]",) if encoding not in (b"", *ENCODINGS) else (
            ours == len(content) if isinstance(ours, int) else isinstance(ours, bytes) and nul(ours) == nul(content))
    elif field == "BODY[n]<>":
        first, count = map(int, re.search(r"<(\d+)(?:\.(\d+))?", command).groups("40"))
        right = ours == body[first : first + count]
    else:
        right = ours == (part.header if field == "BODY[n.MIME]" else body)
    if not right:
        return set()
    if (theirs == ours + b"\r\n" if isinstance(ours, bytes) else theirs == ours + 2 if isinstance(ours, int) else False) and ends_before_delimiter(
            message, part):
        return {"nested-line-end"}
    if field.startswith("BINARY"):
        found = binary(ours, theirs, number, part, message)
        if found:
            return found
    if field == "BODY[n]<>":
        if isinstance(theirs, bytes) and theirs == (body + b"\r\n")[first : first + len(theirs)] and ends_before_delimiter(message, part):
            return {"nested-line-end"}
        if re.search(rb"\r[^\n]", body[: first + 1]):
            return {"partial-behind-cr"}
    return first_of(part.causes() & SHAPED_BY)


def binary(ours, theirs, number, part, message):
    own = problem(part)
    if not part.is_mime() and theirs in (part.body, len(part.body)):
        own = {"not-mime"}
    encodings = grammar.fields(part.header, "Content-Transfer-Encoding")
    if part.is_multipart or part.is_message:
        if own or encodings or b"content-transfer-encoding:" in part.body.lower():
            return {"binary-composite"}
    elif own:
        return own
    elif len(encodings) > 1 and encodings[0] != encodings[-1]:
        return {"encoding-twice"}
    behind = grammar.fields(message.octets[part.start :], "Content-Transfer-Encoding")
    if theirs == "NO [UNKNOWN-CTE]" and part.header and not part.body and not encodings and behind and behind[-1].strip().lower() not in ENCODINGS:
        return {"header-cut"}
    if isinstance(theirs, str):
        # Dovecot reads all parts for the size of one.
        others = [problem(other) for other in parts.everywhere(message.root) if other is not part]
        everywhere = re.findall(rb"(?im)^content-transfer-encoding:[ \t]*([^\s;]+)", message.octets)
        unknown = [one for one in everywhere if one.lower() not in ENCODINGS]
        own = message.root.field("Content-Transfer-Encoding").lower()
        unknown += [own] * (message.root.is_multipart and own not in (b"", *ENCODINGS[:3]))
        return {"binary-size-of-others"} if (any(others) or unknown) and isinstance(ours, int) else set()
    if isinstance(ours, int) and ours == len(message.fetch(f"BINARY.PEEK[{number}]")) == len(part.body):
        return {"binary-size-wrong"}
    return set()


def problem(part):
    """What there is about a part's transfer encoding."""
    field = (grammar.fields(part.header, "Content-Transfer-Encoding") or [None])[0]
    if field is None:
        return set()
    encoding = part.field("Content-Transfer-Encoding").lower()
    if not encoding:
        return {"encoding-empty"}
    if not grammar.sound_token(field):
        return {"encoding-broken"}
    if re.match(rb"\s*\n", field):
        return {"encoding-folded"}
    if encoding == b"base64" and not grammar.sound_base64(part.body):
        return {"base64-broken"}
    if encoding == b"quoted-printable" and not grammar.sound_quoted_printable(part.body):
        return {"quoted-printable-broken"}
    return set() if encoding in ENCODINGS else {"encoding-unknown"}
