"""As much of an IMAP client as a comparison needs: sends a command, gives the untagged responses as values."""

import re
import socket


class Atom(str):
    """A word that is no string: a flag, a name, the key of a FETCH item."""


class Ended(Exception):
    """The server closed the connection or said BYE."""


class Refused(Exception):
    """The server answered NO or BAD."""


class Connection:
    """A connection that has logged in and selected INBOX."""

    def __init__(self, host, port, user, password):
        self.where = (host, port, user, password)
        self.open()

    def open(self):
        host, port, user, password = self.where
        self.socket = socket.create_connection((host, port), 120)
        self.input = self.socket.makefile("rb", 1 << 16)
        self.number = 0
        self.line()
        self.command("LOGIN", user.encode(), password.encode())
        self.messages = 0
        for response in self.command("EXAMINE INBOX"):
            if len(response) == 2 and response[1] == "EXISTS":
                self.messages = response[0]

    def line(self):
        """One response line: a list of octets and literals."""
        pieces = []
        while True:
            text = self.input.readline()
            if not text.endswith(b"\n"):
                raise Ended("the connection was closed")
            literal = re.search(rb"~?\{(\d+)\}\r\n$", text)
            if not literal:
                return pieces + [text.rstrip(b"\r\n")]
            size = int(literal[1])
            octets = self.input.read(size)
            if len(octets) < size:
                raise Ended("the connection was closed within a literal")
            pieces += [text[: literal.start()], Literal(octets)]

    def command(self, text, *strings):
        """Sends a command whose arguments end with these strings, as literals; gives the untagged responses."""
        self.number += 1
        tag = b"t%d" % self.number
        # "%s" within the text stands for a string in the middle.
        pieces = text.encode().split(b"%s") if b"%s" in text.encode() else [text.encode()] + [b""] * len(strings)
        unsent = tag + b" " + pieces[0]
        for piece, string in zip(pieces[1:], strings):
            glue = b"" if b"%s" in text.encode() else b" "
            self.socket.sendall(unsent + glue + b"{%d}\r\n" % len(string))
            while not (start := self.line())[0].startswith(b"+"):
                if start[0].startswith(tag):
                    raise Refused(start[0].decode("latin-1"))
            unsent = string + piece
        self.socket.sendall(unsent + b"\r\n")
        untagged = []
        while True:
            line = self.line()
            head = line[0]
            if head.startswith(b"* BYE"):
                raise Ended(head.decode("latin-1"))
            if head.startswith(tag + b" "):
                if not head.startswith(tag + b" OK"):
                    raise Refused(head[len(tag) + 1 :].decode("latin-1"))
                return untagged
            if head.startswith(b"* ") and not re.match(rb"\* (OK|NO|BAD|PREAUTH|FLAGS|CAPABILITY)\b", head):
                untagged.append(values(line))

    def close(self):
        self.socket.close()


class Literal(bytes):
    """A string that came as a literal; equal to the same octets in quotes."""


TOKEN = re.compile(
    rb'(?P<space>\s+)|(?P<open>\()|(?P<close>\))|(?P<quoted>"(?:[^"\\]|\\.)*")'
    rb'|(?P<key>(?:BODY|BINARY)(?:\.SIZE|\.PEEK)?\[)|(?P<atom>[^\s()"]+)', re.I | re.S)


def values(line):
    """The values of a response line behind its `* `."""
    stack, keys = [[]], []
    for at, piece in enumerate(line):
        if isinstance(piece, Literal):
            stack[-1].append(bytes(piece))
            continue
        position = 2 if at == 0 else 0
        while position < len(piece):
            if keys:
                # Within the brackets of a section, up to their end.
                end = re.compile(rb'(?:[^]"]|"(?:[^"\\]|\\.)*")*\](<\d+>)?', re.S).match(piece, position)
                if not end:
                    raise ValueError(f"no end of a section: {piece[position:position + 80]!r}")
                stack[-1].append(Atom((keys.pop() + end[0]).decode("latin-1").upper()))
                position = end.end()
                continue
            token = TOKEN.match(piece, position)
            if not token:
                raise ValueError(f"cannot be read: {piece[position:position + 80]!r}")
            position = token.end()
            name, text = token.lastgroup, token[0]
            if name == "open":
                stack.append([])
            elif name == "close":
                if len(stack) < 2:
                    raise ValueError("a parenthesis too many")
                done = stack.pop()
                stack[-1].append(done)
            elif name == "quoted":
                stack[-1].append(re.sub(rb"\\(.)", rb"\1", text[1:-1], flags=re.S))
            elif name == "key":
                keys.append(text)
            elif name == "atom":
                if text.isdigit():
                    stack[-1].append(int(text))
                else:
                    stack[-1].append(None if text.upper() == b"NIL" else Atom(text.decode("latin-1")))
    if len(stack) != 1 or keys:
        raise ValueError("a parenthesis is missing")
    return stack[0]
