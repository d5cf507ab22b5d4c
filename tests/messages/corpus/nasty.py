"""Broken messages: each kind of breakage with the place where it is seen. The table of `README.md` is made from
what is said here."""

import base64

from letters import ALNUM, ENGLISH, PEOPLE, b64, date, fields, mailbox, multipart, part, prose, q_word, qp
from ordinary import MIME, Letter, bounce, forward, gmail, mutt, outlook, plain_charset, thunderbird

KINDS = []


def kind(seen):
    """Registers a kind of breakage; its name is the function's."""

    def register(make):
        KINDS.append((make.__name__.replace("_", "-"), seen, make))
        return make

    return register


def simple(letter, *more, body=b"text\n"):
    return letter.head(MIME, *more) + b"\n" + body


def with_field(dice, name, value):
    """A message whose field of this name has this body."""
    head = fields(("Date", date(1_000_000_000)), ("From", "ann@example.org"), ("To", "bob@example.org"),
                  ("Subject", " ".join(dice.pick(ENGLISH) for _ in range(3))), ("Message-ID", Letter(dice).id))
    lines = [line for line in head.splitlines(True) if not line.lower().startswith(name.lower().encode() + b":")]
    value = value if isinstance(value, bytes) else value.encode()
    lines.insert(dice.below(len(lines) + 1), name.encode() + b": " + value + b"\n")
    return b"".join(lines) + b"\n" + prose(dice).encode()


ADDRESS_FIELDS = ["From", "To", "Cc", "Sender", "Reply-To", "Bcc"]


@kind("Outlook and old Exchange: semicolons between addresses, names with commas unquoted")
def address_separators(dice):
    return with_field(dice, dice.pick(ADDRESS_FIELDS), dice.pick([
        "ann@example.org; bob@example.org", "Doe, John <john@example.org>", "a@example.org;;b@example.org;",
        "Doe, John (Sales) <john@example.org>; Roe, Jane <jane@example.org>", "'ann@example.org' <ann@example.org>",
        "a@example.org b@example.org c@example.org", "a@example.org,, ,b@example.org,"]))


@kind("web forms and PHP scripts: names and brackets left open, no quotes around what needs them")
def address_unclosed(dice):
    return with_field(dice, dice.pick(ADDRESS_FIELDS), dice.pick([
        '"Ann <ann@example.org>', 'Ann" <ann@example.org>, bob@example.org', "Ann <ann@example.org", "Ann (home <ann@example.org>",
        "ann@example.org>", "<ann@example.org>, <bob", "Ann [Sales] <ann@example.org>", "Ann: <ann@example.org>",
        "John Q. Public, Jr. <john@example.org>", "Ann@Work <ann@example.org>", "A \\ B <ann@example.org>", "a@b@example.org",
        "<a@example.org> trailing words, b@example.org", "Ann <mailto:ann@example.org>", "<<ann@example.org>>"]))


@kind("spam: fields with nothing, only commas, only a name, only a comment")
def address_empty(dice):
    return with_field(dice, dice.pick(ADDRESS_FIELDS), dice.pick([
        "", ",", ", ,", "<>", "Ann", "Ann Example", "(only a comment)", ";", "undisclosed-recipients: ;", "group:", ": ann@example.org",
        '""', '"" <>', "@", "@example.org", "ann@", "<@example.org>", "\" \" <ann@example.org>"]))


@kind("spam and gateways: domain literals, routes, quoted local parts, dots at the ends")
def address_odd(dice):
    return with_field(dice, dice.pick(ADDRESS_FIELDS), dice.pick([
        "ann@[192.0.2.1]", "ann@[IPv6:2001:db8::1]", "<@relay.example,@other.example:ann@example.org>", '"ann b"@example.org',
        '"ann@home"@example.org', "ann.@example.org", ".ann@example.org", "a..n@example.org", "ann@example..org", "ann@.example",
        "ann @ example . org", "Ann <ann (work) @ (at) example.org>", '"ann".b@example.org', "ann@example.org.",
        "ann%relay@example.org", "ann!bob@example.org", "Gruppe: a@example.org, Ann <b@example.org>;, c@example.org",
        "g1: a@example.org; g2: b@example.org;", "g1: g2: a@example.org;;", "ann@ex ample.org", "ann smith@example.org"]))


@kind("mailers without RFC 2047: raw 8-bit names, in UTF-8, Latin-1 and Windows-1251, quoted or not")
def address_raw_8bit(dice):
    name, codec = dice.pick([("Jörg Müller", "latin-1"), ("Jörg Müller", "utf-8"), ("Иван Петров", "cp1251"),
                             ("Zoë", "utf-8"), ("田中", "shift_jis"), ("\xe9", "latin-1")])
    raw = name.encode(codec)
    return with_field(dice, dice.pick(ADDRESS_FIELDS), dice.pick([
        raw + b" <ann@example.org>", b'"' + raw + b'" <ann@example.org>', b"ann@example.org (" + raw + b")",
        raw + b"@example.org", b"ann@" + raw + b".example"]))


@kind("Outlook, Lotus Notes: encoded words inside quotes; others: next to text without a space, inside an address")
def address_encoded_oddly(dice):
    word = q_word(dice.pick(PEOPLE)[0] or "Ü", "utf-8", "utf-8").replace("\n", "")
    return with_field(dice, dice.pick(ADDRESS_FIELDS), dice.pick([
        f'"{word}" <ann@example.org>', f"{word}<ann@example.org>", f"x{word} <ann@example.org>", f"{word}@example.org",
        f"<{word}>", f"{word}{word} <ann@example.org>", f"({word}) ann@example.org", f"ann@example.org ({word})",
        "=?utf-8?Q?Ann,_Example?= <ann@example.org>", "=?utf-8?Q?Ann <ann@example.org>", "=?utf-8?Q?\"Ann\"?= <ann@example.org>"]))


@kind("spam, and lists that rewrite senders: a field twice or three times")
def fields_twice(dice):
    letter = Letter(dice)
    name = dice.pick(["Subject", "From", "To", "Date", "Message-ID", "Content-Type", "Content-Transfer-Encoding", "Cc",
                      "References", "In-Reply-To", "Reply-To"])
    values = {"Content-Type": ["text/plain; charset=utf-8", "text/html; charset=us-ascii", "multipart/mixed; boundary=x"],
              "Content-Transfer-Encoding": ["7bit", "base64", "quoted-printable"],
              "Date": [date(900_000_000), date(1_100_000_000), ""], "Subject": ["one", "Re: two", ""]}
    values = values.get(name, ["<a@example.org>", "b@example.org", "", "Ann <c@example.org>, d@example.org"])
    double = [(name, dice.pick(values)) for _ in range(dice.between(2, 3))]
    return simple(letter, *double, body=b"dGV4dA==\n" if dice.chance(30) else b"text\n")


@kind("clocks and scripts: dates without zone, with words for it, two digits of a year, other orders, other languages")
def date_odd(dice):
    return with_field(dice, "Date", dice.pick([
        "Sat, 8 Sep 2001 19:26:40", "8 Sep 01 19:26 GMT", "Sat, 08 Sep 2001 19:26:40 EDT", "Saturday, September 8, 2001 7:26 PM",
        "2001-09-08 19:26:40", "2001-09-08T19:26:40Z", "Sat Sep  8 19:26:40 2001", "Sat, 8 Sept 2001 19:26:40 +0000",
        "Sam, 8 Sep 2001 19:26:40 +0200", "Sat, 32 Sep 2001 19:26:40 +0000", "Sat, 8 Sep 2001 25:61:61 +0000",
        "Sat, 8 Sep 2001 19:26:40 +9999", "Sat, 8 Sep 2001 19.26.40 +0000", "Sat,8 Sep 2001 19:26:40 +0000 (GMT)",
        "Sat, 8 Sep 2001 19:26:40 -0000", "Sat, 8 Sep 2001 19:26:60 +0000", "8-Sep-2001 19:26:40 +0000", "Thu, 1 Jan 1970 00:00:00 +0000",
        "Fri, 31 Dec 1999 24:00:00 +0000", "Sat, 8 Sep 20001 19:26:40 +0000", "Sat, 8 Sep 101 19:26:40 +0000", "",
        "Sat, 29 Feb 2001 10:00:00 +0000", "Mon, 8 Sep 2001 19:26:40 +0000", "Sat, 8 Sep 2001 19:26:40 A", "now",
        "Sat, 8 Sep 2001 19:26:40 +02:00", "Sat, 8 Sep 2001 19:26:40 GMT+2", "Tue, 19 Jan 2038 03:14:08 +0000",
        "1000000000", "Sat, 8 Sep 2001 7:26:40 +0000", "Sat, 8 Sep 2001 19:26:40 \"GMT\"", "(x) Sat, 8 (y) Sep 2001 19:26:40 +0000"]))


@kind("all mailers: encoded words split inside a character, joined to text, too long, cut, with spaces, wrong or no charset")
def encoded_words(dice):
    long = base64.b64encode(("ü" * 60).encode()).decode()
    return with_field(dice, "Subject", dice.pick([
        "=?utf-8?B?w7zD?=\n =?utf-8?B?vMO8?=", "=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", f"=?utf-8?B?{long}?=", "=?utf-8?Q?a b c?=",
        "x=?utf-8?Q?=C3=BC?=y", "=?utf-8?Q?=C3=BC?=y", "=?utf-8?Q?=C3=BC", "=?utf-8?X?abc?=", "=?x-unknown?Q?=FC?=",
        "=?utf-8?B?w7w?=", "=?utf-8?B?w7w===?= =?utf-8?b?w7w=?=", "=?iso-8859-1*de?Q?Gr=FC=DFe?=", "=??Q?abc?=", "=?utf-8??abc?=",
        "=?utf-8?Q??=", "=?UTF-8?Q?=?=", "=?utf-8?Q?=3D=3F?= =?utf-8?Q?x?=", "Re: =?utf-8?Q?Re=3A_x?=", "=?us-ascii?Q?=FC?=",
        "=?utf-8?Q?a=0Ab?=", "=?gb2312?B?xOO6w1==?=", "=?utf-8?Q?=c3=bc?=", "=?utf-8?q?a?b?=", "\"=?utf-8?Q?x?=\"",
        "=?iso-2022-jp?B?GyRCJDMkcxsoQg==?= =?iso-2022-jp?B?GyRCJEskQQ==?=", "=?utf-8?B?" + "w7w" * 50 + "?=",
        "=?utf-8?Q?=F0=9F=98?=\n =?utf-8?Q?=80?=", "=?utf-7?Q?+APw-?=", "=?utf-8?Q?a?= \n\t =?iso-8859-1?Q?=FC?= b"]))


@kind("mailers without RFC 2047: raw 8-bit subjects in the charset of the sender's machine")
def subject_raw_8bit(dice):
    raw = dice.pick(["Grüße".encode("latin-1"), "Grüße".encode(), "Привет".encode("koi8-r"), "你好".encode("gb2312"),
                     "会議".encode("iso2022_jp"), b"\xff\xfe\x00", b"caf\xe9 =?utf-8?Q?=C3=BC?=", b"a\x00b", b"\x1b[31mred"])
    return with_field(dice, "Subject", raw)


@kind("replies by many mailers in many languages: marks that RFC 5256 removes, and those that it does not")
def subject_marks(dice):
    words = " ".join(dice.pick(ENGLISH) for _ in range(2))
    return with_field(dice, "Subject", dice.pick([
        f"Re: {words}", f"RE: FW: {words}", f"Re[3]: {words}", f"[list] Re: [list] {words}", f"[fwd: {words}]", f"{words} (fwd) (fwd)",
        f"Re:{words}", f"Re : {words}", f"AW: {words}", f"Re: [x] [y] {words}", "Re:", "[x]", "[x] ", "Re: (fwd)", "", "   ", "\t",
        f"[Fwd: Re: {words}]", f"Fwd: [Fwd: [Fwd: {words}]]", f"re: RE: rE: {words}", f"=?utf-8?Q?Re:_{words.replace(' ', '_')}?=",
        f"[a[b]] {words}", f"[] {words}", f"Re [x]: {words}", f"Re: \t {words}  ", f"{words}  {words}", f"[x]Re: {words}",
        f"Fw[x]: {words}", f"[fwd:{words}", f"Re: [fwd: {words}] (fwd)"]))


@kind("old mailers and broken gateways: In-Reply-To with words, References with garbage, no brackets, quotes, cut lines")
def ids_odd(dice):
    one, two = Letter(dice).id, Letter(dice).id
    name = dice.pick(["Message-ID", "References", "In-Reply-To"])
    return with_field(dice, name, dice.pick([
        one[1:-1], one[:-1], one[1:], f"{one} {two}", f"{one}{two}", f"Your message of \"Mon\" {one}", f'<"a b"@example.org>',
        f"{one} (comment) {two}", "<>", "<@>", "<a@>", "<@b>", "<abc>", one.replace("@", ""), one.replace("@", "@x@"),
        one.replace("<", "<\n "), f"{one},{two}", f"<{one}>", one.replace(".", " . "), "", one.upper(),
        one.replace("@", "@[192.0.2.1]"), f"{one[:-1]}\n {one}", f"<a\tb@c> {one}", "<" + dice.text(ALNUM, 500) + "@x>"]))


@kind("scripts: Content-Type without subtype, with spaces, with a name only, with unquoted values, commas for semicolons")
def type_broken(dice):
    return simple(Letter(dice), ("Content-Type", dice.pick([
        "text", "text/", "/plain", "text / plain", "text/plain charset=utf-8", "text/plain, charset=utf-8", "text/plain;charset",
        "text/plain; charset=", "text/plain; charset=utf-8; charset=latin1", "text/plain; =utf-8", "text/plain;; charset=utf-8;",
        'text/plain; charset="utf-8', "text/plain; charset='utf-8'", "text/plain; name=a b.txt", "text/plain; name=a(b).txt",
        "text/plain (comment); charset=(c)utf-8", "text/html/x", "text/plain\x00; a=b", "TEXT/Plain; Charset=UTF-8", "",
        "application/octet-stream; name=C:\\temp\\x.txt", "application/pdf; name=\"a\\\"b.pdf\"", "multipart", "multipart/mixed",
        "message", "message/rfc822", "text/plain; format=flowed charset=utf-8", "text/plain; charset = utf-8", "text.plain",
        "application/x; a=" + "b" * 300, "text/plain; x=é; charset=utf-8", "text/x-\xff", "text/plain; charset=utf-8 ;", "*/*",
        "image/jpeg; name=\"=?utf-8?Q?=C3=BC.jpg?=\"", "application/octet-stream; name*=utf-8''%C3%BC.bin", "a/b; c=d=e; f=[g]"])),
        body=dice.pick([b"text\n", b"", b"--x\n\ny\n--x--\n"]))


@kind("Lotus Notes, Eudora, old webmail: file names and RFC 2231 mixed, gaps, no charset, wrong percent signs")
def disposition_broken(dice):
    value = dice.pick([
        "attachment", "attachment;", "attachment; filename=", "attachment; filename=a b.txt", 'attachment; filename="a', "inline; x",
        "attachment; filename*=utf-8''%C3%BC.txt", "attachment; filename*=%C3%BC.txt", "attachment; filename*=utf-8'de'%zz%4",
        "attachment; filename*0=a; filename*1=b.txt", "attachment; filename*1=b; filename*0=a", "attachment; filename*0=a; filename*2=c",
        "attachment; filename*0*=utf-8''%C3; filename*1*=%BC.txt", "attachment; filename=x; filename*=utf-8''y",
        "attachment; filename*0*=utf-8''a; filename*1=\" b%20\"", "attachment; filename*=x-none''%FC", "; filename=x", "",
        "filename=x.txt", "attachment, filename=x", "ATTACHMENT; FILENAME=X.TXT", "attachment; filename=\"../../etc/passwd\"",
        "attachment; filename=\"a\nb\"", "attachment; size=12; filename=\"x\" (comment)", "attachment; filename*00=a; filename*01=b"])
    boundary = "d" + dice.text(ALNUM, 8)
    attached = part("application/octet-stream", b"AAAA\n", ("Content-Disposition", value.replace("\n", "\n ")),
                    ("Content-Transfer-Encoding", "base64"))
    return simple(Letter(dice), ("Content-Type", f"multipart/mixed; boundary={boundary}"), body=multipart(boundary, [attached]))


@kind("spam and scripts: unknown and misspelt transfer encodings, with comments, on multiparts")
def encoding_broken(dice):
    encoding = dice.pick(["8-bit", "7 bit", "quoted-printable;", "base64; x=y", "x-uuencode", "uuencode", "none", "", "utf-8",
                          "(c) base64", '"base64"', "BASE-64", "quoted/printable", "binary", "base64 base64", "7bit\x00"])
    body = dice.pick([b"SGVsbG8gd29ybGQ=\n", b"Hello =\nworld =FC\n", b"begin 644 x\n#86)C\n`\nend\n"])
    return simple(Letter(dice), ("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", encoding), body=body)


@kind("spam, and relays that cut lines: base64 with garbage, no padding, padding inside, odd line lengths, text after it")
def base64_broken(dice):
    text = "Grüße an alle, hello world and goodbye. ".encode() * dice.between(1, 5)
    good = b64(text, dice.pick([76, 60, 7, 1000]))
    at = dice.below(len(good))
    body = dice.pick([good.rstrip(b"=\n"), good.rstrip(b"=\n") + b"\n", good + b"\n-- \nfooter of a list\n", good[:at] + b"=" + good[at:],
                      good[:at] + b"!*\xff" + good[at:], good[:at] + b" \t" + good[at:], good[:at], good + good, b64(text[:7]) + b64(text),
                      b"\n\n" + good, good.replace(b"\n", b"\r"), b"=" + good, good.replace(b"+", b"-").replace(b"/", b"_"), b"====\n"])
    return simple(Letter(dice), ("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", "base64"), body=body)


@kind("old mailers and mailing lists that add footers: quoted-printable with raw =, lower case, soft breaks at the end, 8-bit")
def qp_broken(dice):
    body = dice.pick([b"a=b and c = d\n", b"=c3=bc hello\n", b"hello=", b"hello =\n", b"hello = \nworld\n", b"=C3\n=BC\n", b"a=\r\nb=\nc\n",
                      b"=ZZ =1 =\n=\n", b"trailing   \nspaces=20\n", b"\xfc raw =FC\n", b"=00=0D=0A.\n", b"x" * 2000 + b"=\nyy\n",
                      b"=3D=3D=\n3D\n", b"_a_b\n", b"foo =\t\n bar\n", b"=0Abc\n=0Dde\n"])
    return simple(Letter(dice), ("Content-Type", dice.pick(["text/plain; charset=utf-8", "text/html; charset=iso-8859-1"])),
                  ("Content-Transfer-Encoding", "quoted-printable"), body=prose(dice).encode() + body)


@kind("spam, and text pasted between programs: the charset said is not the charset used, unknown, or given twice")
def charset_wrong(dice):
    raw = dice.pick(["Grüße naïve".encode("latin-1"), "Grüße naïve".encode(), "Привет".encode("cp1251"), "日本".encode("shift_jis"),
                     "Hi 😀".encode("utf-16"), b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe", b"\xc0\xaf\xed\xa0\x80\xf5", "über".encode("utf-7")])
    charset = dice.pick(["us-ascii", "utf-8", "iso-8859-1", "unknown-8bit", "x-user-defined", "default", "cp-850", "utf8", "latin1",
                         "\"utf-8\"", "iso-8859-8-i", "windows-874", "utf-16", "iso8859_1", "ansi", "utf-8 ", "_iso-2022-jp$ESC"])
    encoding, body = dice.pick([("8bit", raw + b"\n"), ("base64", b64(raw)), ("quoted-printable", qp(raw) + b"\n")])
    return simple(Letter(dice), ("Content-Type", f"text/plain; charset={charset}"), ("Content-Transfer-Encoding", encoding), body=body)


@kind("relays, quotas and full disks: messages cut anywhere")
def cut(dice):
    message = dice.pick([outlook, gmail, bounce, forward, thunderbird])(dice, Letter(dice))
    return message[: dice.below(len(message))]


@kind("procmail, formail, mbox tools: `From ` and `>From ` lines before and inside the header")
def from_line(dice):
    line = dice.pick([b"From ann@example.org Mon Jan  1 00:00:00 2001\n", b">From ann@example.org Mon Jan  1 00:00:00 2001\n", b"From \n"])
    message = dice.pick([mutt, gmail])(dice, Letter(dice))
    lines = message.splitlines(True)
    lines.insert(dice.pick([0, 0, 3]), line)
    return b"".join(lines)


@kind("scripts and HTTP gateways: header lines without colon, spaces before it, tabs, empty names, no header at all")
def header_broken(dice):
    lines = mutt(dice, Letter(dice)).splitlines(True)
    for _ in range(dice.between(1, 3)):
        lines.insert(dice.below(6), dice.pick([b"no colon here\n", b"Subject : spaced\n", b": no name\n", b"X-Tab\t:\tvalue\n", b" leading\n",
                                               b"\t\n", b"X Y Z: words\n", b"HTTP/1.1 200 OK\n", b"X-Empty:\n", b"To:\n a@example.org\n", b"\r\n",
                                               b"X-Nul: a\x00b\n", b"X-8\xfc: \xfc\n", b"-----\n", b"Date\n"]))
    return b"".join(lines)


@kind("Windows tools, FTP in text mode, broken relays: CRLF, bare CR, CR CR LF, mixed line ends")
def line_ends(dice):
    message = dice.pick([outlook, mutt, gmail, bounce, forward])(dice, Letter(dice))
    ending = dice.pick([b"\r\n", b"\r", b"\r\r\n", None])
    if ending:
        return message.replace(b"\n", ending)
    return b"".join(line[:-1] + dice.pick([b"\n", b"\r\n", b"\r\r\n", b"\r"]) for line in message.splitlines(True))


@kind("multiparts by hand and by virus filters: boundary missing, empty, never used, never closed, used by two, prefix of another")
def boundary_broken(dice):
    boundary = dice.pick(["b", "=_x", "bb", "b b", "b:c", ""])
    said = dice.pick([f"; boundary={boundary}", f'; boundary="{boundary}"', "", "; boundary=other", f'; boundary="{boundary} "',
                      f"; Boundary = {boundary}", f'; boundary="{boundary}'])
    parts = [part("text/plain", b"one\n"), part("text/html", b"<p>two</p>\n"),
             part(f"multipart/alternative; boundary={dice.pick(['b', 'bb', 'c', 'b b'])}", b"--bb\n\ninner\n--bb--\n")]
    body = multipart(boundary, [dice.pick(parts) for _ in range(dice.between(1, 4))], b"preamble\n" if dice.chance(50) else b"")
    body = dice.pick([body, body.replace(b"--\n", b"\n"), body.rstrip(b"-\n"), body.rstrip(b"\n"), body + body, b"", b"\n" + body,
                      body.replace(b"--" + boundary.encode() + b"\n", b"--" + boundary.encode() + b" \t\n", 1),
                      body.replace(b"\n--", b"--", 1), body.replace(b"Content-Type", b"\nContent-Type", 1),
                      body.replace(b"\n", b"\r\n"), body.replace(b"--" + boundary.encode(), b"--" + boundary.encode() + b"x", 1)])
    return simple(Letter(dice), ("Content-Type", f"multipart/{dice.pick(['mixed', 'digest', 'related', ''])}{said}"), body=body)


@kind("parts by scripts: no header, no empty line, header only, garbage for a header, folded first line")
def part_header_broken(dice):
    boundary = "p" + dice.text(ALNUM, 10)
    odd = [b"\n", b"", b"no header, no empty line\n", b"Content-Type: text/html\n", b"Content-Type: text/html\n\n", b" folded: x\n\ny\n",
           b"Content-Type:\n\ntext\n", b"content-type: image/png\ncontent-type: text/html\n\nx\n", b"\n\n\n", b"X\n\nContent-Type: text/html\n\nx\n",
           b"Content-Type: message/rfc822\n\n", b"Content-Type: message/rfc822\n\n\n", b"Content-Type: message/rfc822\n\nSubject: in\n",
           b"Content-Type: message/rfc822\n\n\nbody only\n", b"Content-Type: multipart/mixed; boundary=q\n\n",
           b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKeQo=\n"]
    parts = [dice.pick(odd) for _ in range(dice.between(1, 4))]
    return simple(Letter(dice), ("Content-Type", f"multipart/mixed; boundary={boundary}"), body=multipart(boundary, parts))


@kind("spam and mail loops: multiparts and messages nested deep")
def deep(dice):
    body = b"in the middle\n"
    header = b"Content-Type: text/plain\n"
    for level in range(dice.between(5, 60)):
        if dice.chance(50):
            header, body = f"Content-Type: multipart/mixed; boundary=L{level}-\n".encode(), multipart(f"L{level}-", [header + b"\n" + body])
        else:
            header, body = b"Content-Type: message/rfc822\n", b"Subject: level\n" + header + b"\n" + body
    return Letter(dice).head(MIME) + header + b"\n" + body


@kind("spam and broken list software: very long lines, folded every few octets, thousands of recipients")
def long_header(dice):
    style = dice.below(5)
    if style == 0:
        return with_field(dice, "To", ", ".join(f"user{n}@example.org" for n in range(dice.between(200, 600))))
    if style == 1:
        return with_field(dice, "Subject", "\n ".join(dice.pick(ENGLISH)[:2] for _ in range(dice.between(50, 300))))
    if style == 2:
        return with_field(dice, "Subject", " ".join(dice.pick(ENGLISH) for _ in range(dice.between(300, 900))))
    if style == 3:
        return with_field(dice, "References", "\n ".join(Letter(dice).id for _ in range(dice.between(50, 200))))
    return with_field(dice, "X-Spam-Report", "\n\t".join(prose(dice).splitlines() * 10))


@kind("Eudora and some gateways: Content-* fields in odd forms (Content-ID without brackets, Language with commas, MD5 broken)")
def mime_fields_odd(dice):
    return simple(Letter(dice), ("Content-Type", "text/plain"), ("Content-ID", dice.pick(["abc", "<a@b", "", "<a@b> <c@d>", "<a b@c>"])),
                  ("Content-Description", dice.pick(["", "a\n b", "=?utf-8?Q?=C3=BC?=", "ü", "(c) d", '"quoted"'])),
                  ("Content-Language", dice.pick(["", ",", "en,,de", "en;de", "en de", "(c)", '"en"', "en-US,", "x" * 100])),
                  ("Content-Location", dice.pick(["", "a b", "http://example.org/\n x", "=?utf-8?Q?x?=", "(c)", '"q"'])),
                  ("Content-MD5", dice.pick(["", "abc", "Q2hl Y2s=", "(c) x", '"q"'])))


@kind("programs that write text as it comes: control characters, NUL, escape sequences in bodies and header")
def control_characters(dice):
    body = bytes(dice.pick(list(b"abc \n\n\x00\x01\x07\x08\x0b\x0c\x1b\x7f\x80\xff\r")) for _ in range(dice.between(10, 300)))
    return dice.pick([simple(Letter(dice), body=body), with_field(dice, "Subject", body.replace(b"\n", b"\n ").replace(b"\r", b"")),
                      simple(Letter(dice), ("Content-Type", "text/plain; charset=utf-8"), body=body)])


@kind("proxies and filters that change a header but not the body: the type says what the body is not")
def type_against_body(dice):
    other = dice.pick([gmail, outlook, mutt, plain_charset])(dice, Letter(dice))
    body = other.split(b"\n\n", 1)[-1]
    return simple(Letter(dice), ("Content-Type", dice.pick(["text/html", "multipart/mixed; boundary=none", "message/rfc822", "image/png",
                                                            "message/delivery-status", "multipart/digest; boundary=x"])), body=body)


@kind("UTF-8 mail (RFC 6532), passed on by servers that do not ask: UTF-8 in every field, message/global")
def utf8_everywhere(dice):
    letter = Letter(dice)
    inner = fields(("From", "Jörg <jörg@exämple.de>"), ("Subject", "Grüße 你好"), ("Message-ID", "<ü@exämple.de>"), ("Date", letter.date()))
    return fields(("From", "田中 <太郎@例え.jp>"), ("To", "\"Zoë\" <zoë@example.nl>"), ("Subject", "Привет 😀"), MIME,
                  ("Date", letter.date()), ("Message-ID", letter.id)) + dice.pick([
        b"Content-Type: message/global\n\n" + inner + b"\nx\n", b"Content-Type: message/rfc822\n\n" + inner + b"\nx\n",
        "Content-Type: text/plain; charset=utf-8; name=ü.txt\nContent-Disposition: attachment; filename=\"ü.txt\"\n\nx\n".encode()])


@kind("scripts that end fields with spaces or write none after the colon; fields of blanks")
def white_space(dice):
    out = b""
    for line in mutt(dice, Letter(dice)).split(b"\n\n", 1)[0].splitlines():
        out += dice.pick([line + b"  \n", line.replace(b": ", b":", 1) + b"\n", line.replace(b": ", b":\t", 1) + b"\n",
                          line.replace(b": ", b":\n ", 1) + b"\n", line.replace(b" ", b"  ") + b"\n", line + b"\n \n"])
    return out + b"\n" + prose(dice).encode()


def nasty(dice, each=12):
    """All of them, as (name, message)."""
    out = []
    for name, _, make in KINDS:
        for number in range(each):
            out.append((f"{name}-{number}", make(dice)))
    return out
