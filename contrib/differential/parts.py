"""The parts of a message, found in its octets by RFC 2045, RFC 2046 and RFC 5322 alone: what BODYSTRUCTURE, BODY[n] and SEARCH
ought to go by. Written apart from Culver."""

import re

import octets as grammar

DEPTH_MAX = 100
BOUNDARY_MAX = 1000
# RFC 2045's token, 8-bit text let in but for 0x80, which stands for NUL in a literal.
WORD = rb"[^\x00-\x20\x7f\x80()<>@,;:\\\"/\[\]?=]"
TYPE = re.compile(rb"\s*(" + WORD + rb"+)\s*/\s*(" + WORD + rb"+)")
CLOSED = rb'"(?:[^"\\]|\\.)*"'
SEGMENT = re.compile(rb";((?:" + CLOSED + rb"|[^;])*)", re.S)
PARAMETER = re.compile(rb"\s*(" + WORD + rb"*)\s*=\s*(" + CLOSED + rb"|[^\s;\"(]*)(\"?)", re.S)


class Part:
    """A message, a part of a multipart, or the message within a part."""

    def __init__(self, start, around=None):
        self.start, self.around, self.inner = start, around, []
        self.header = self.body = None
        self.boundary = None

    def read_header(self, header, boundary_of):
        """What the header says that the part is."""
        self.header = header
        self.types = grammar.fields(header, "Content-Type")
        found = TYPE.match(grammar.strip_comments(self.types[0])) if self.types else None
        in_digest = self.around is not None and self.around.kind == (b"multipart", b"digest")
        default = (b"message", b"rfc822") if in_digest and not self.types else (b"text", b"plain")
        self.kind = tuple(one.lower() for one in found.groups()) if found else default
        if self.kind[0] == b"multipart":
            value = boundary_of(self.types[0])
            self.boundary = value if value is None else value.rstrip()[:BOUNDARY_MAX]
        self.charset = parameter(self.types[0], b"charset") if found else None

    @property
    def is_multipart(self):
        return self.kind[0] == b"multipart"

    @property
    def is_message(self):
        return self.kind in ((b"message", b"rfc822"), (b"message", b"global"))

    def above(self):
        """The part itself, what it lies in, and so on."""
        part = self
        while part is not None:
            yield part
            part = part.around

    def field(self, name):
        """The first field of a name, without comments and white space around it; empty if there is none."""
        return grammar.strip_comments((grammar.fields(self.header, name) or [b""])[0]).strip()

    def causes(self):
        """Why another server may take this part, or one that it lies in, for another: the classes."""
        found = set()
        for part in self.above():
            if part.types and not grammar.sound_type(part.types[0]):
                found.add("type-invalid")
            if part.kind == (b"message", b"global"):
                found.add("message-global")
            if part.types and not grammar.sound_parameters(part.types[0]) and (part is self or part.is_multipart):
                found.add("parameters-broken")
            written = parameter(part.types[0], b"boundary") if part.is_multipart else None
            if written and written != written.rstrip():
                found.add("boundary-spaces")
            if written and len(written) > 70:
                found.add("boundary-long")
        return found

    def is_mime(self):
        """Whether its header says that it is MIME, or it is a part of a multipart."""
        return bool(self.types or grammar.fields(self.header, "MIME-Version") or self.around is not None and self.around.is_multipart)


def parameters(field):
    """The parameters of a field, each up to a mistake; an open quote ends them."""
    text, found = grammar.strip_comments(field), []
    for segment in SEGMENT.finditer(text):
        one = PARAMETER.match(segment[1])
        if not one:
            continue
        if one[3] and not one[2]:
            break
        value = re.sub(rb"\r?\n", b"", one[2])
        found.append((one[1].lower(), re.sub(rb"\\(.)", rb"\1", value[1:-1]) if value[:1] == b'"' else value))
    return found


def parameter(field, name):
    """The first value of a name, or its pieces put together (RFC 2231 §3)."""
    listed = parameters(field)
    pieces = {int(key.rpartition(b"*")[2]): value for key, value in listed if re.fullmatch(re.escape(name) + rb"\*\d{1,3}", key)}
    whole = b"".join(pieces[at] for at in sorted(pieces)) if pieces and sorted(pieces) == list(range(len(pieces))) else None
    return next((value for key, value in listed if key == name), whole)


def written_boundary(field):
    return parameter(field, b"boundary")


def token_boundary(field):
    """The boundary of a server that ends a value at the first octet that stands in no token."""
    found = re.search(rb";\s*boundary\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\x00-\x20\x7f()<>@,;:\\\"/\[\]?=]*))", field, re.I | re.S)
    return found and (found[1] if found[1] is not None else found[2])


def parse(octets, boundary_of=written_boundary):
    """The message with all its parts. Line ends are CRLF."""
    root = Part(0)
    stack, here, before_line_end, in_header = [root], 0, 0, True

    def end_header(at):
        nonlocal in_header
        in_header, part = False, stack[-1]
        part.body_start = at
        part.read_header(octets[part.start : at], boundary_of)
        if len(stack) >= DEPTH_MAX:
            part.kind = (b"application", b"octet-stream") if part.is_multipart or part.is_message else part.kind
            part.boundary = None
        elif part.is_message:
            part.inner = [Part(at, part)]
            stack.append(part.inner[0])
            in_header = True

    def end_parts(keep, at):
        while in_header:
            end_header(at)
        for part in stack[keep:]:
            part.body = octets[min(part.body_start, at) : at]
            part.header = octets[min(part.start, at) : min(part.body_start, at)]
        del stack[keep:]

    while here < len(octets):
        line_end = octets.find(b"\n", here)
        after = len(octets) if line_end < 0 else line_end + 1
        text = octets[here:after].removesuffix(b"\n").removesuffix(b"\r")
        fitting = [at for at, part in enumerate(stack) if part.boundary is not None and text.startswith(b"--" + part.boundary)]
        if fitting:
            at = max(fitting, key=lambda at: (len(stack[at].boundary), at))
            if at + 1 < len(stack):
                end_parts(at + 1, max(before_line_end, stack[at + 1].start))
            multipart = stack[-1]
            if text[2 + len(multipart.boundary) :].startswith(b"--"):
                multipart.boundary = None
            elif line_end >= 0:
                multipart.inner.append(Part(after, multipart))
                stack.append(multipart.inner[-1])
                in_header = True
        elif in_header and not text:
            end_header(after)
        before_line_end, here = here + len(text), after
    end_parts(0, len(octets))
    return root


def numbered(part, prefix=""):
    """(number as BODY[n] has it, part) for each, outermost first. A multipart without parts is shown with one of nothing."""
    if part.is_multipart:
        for at, inner in enumerate(part.inner or [nothing(part)], 1):
            number = f"{prefix}{at}"
            yield number, inner
            if inner.is_multipart:
                yield from numbered(inner, number + ".")
            elif inner.kind == (b"message", b"rfc822"):
                yield from numbered(inner.inner[0], number + ".")
    else:
        yield prefix + "1", part
        if part.kind == (b"message", b"rfc822"):
            yield from numbered(part.inner[0], prefix + "1.")


def nothing(around):
    """The part of a multipart that has none (RFC 3501 §9, `body-type-mpart`)."""
    part = Part(0, around)
    part.read_header(b"", written_boundary)
    part.kind, part.body = (b"text", b"plain"), b""
    return part


def everywhere(part):
    """The part and all that lie in it."""
    yield part
    for inner in part.inner:
        yield from everywhere(inner)
