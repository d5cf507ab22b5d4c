#!/usr/bin/python3
"""Answers that Culver never gave are put before the recognisers: a right one must have its class, a wrong one in the same
broken message none. Without servers."""

import sys
import unittest

sys.dont_write_bytecode = True

import expected
import explain
import explain_found
from compare import Difference

END = [None, None, None, None]


class Told(explain.Message):
    """A message whose FETCH answers are given: of one part, or with (header, body) of each part of a multipart."""

    def __init__(self, header, body, structure, envelope=None, parts=()):
        super().__init__(None, 1)
        self.known = {
            "BODY.PEEK[]": header + body, "BODY.PEEK[HEADER]": header, "BODY.PEEK[TEXT]": body, "BODYSTRUCTURE": structure, "ENVELOPE": envelope}
        for at, (mime, content) in enumerate(parts or [(header, body)], 1):
            self.known[f"BODY.PEEK[{at}.MIME]"], self.known[f"BODY.PEEK[{at}]"] = mime, content


def text(content, encoding=b"7bit", parameters=(b"charset", b"us-ascii"), kind=(b"text", b"plain")):
    return [*kind, list(parameters), None, None, encoding, len(content), content.count(b"\n"), *END]


def plain(header, body=b"x\r\n", encoding=b"7bit"):
    return Told(header + b"\r\n", body, text(body, encoding))


def multipart(*parts):
    """Of (header, body, node)."""
    body = b"".join(b"--b\r\n" + header + content + b"\r\n" for header, content, _ in parts) + b"--b--\r\n"
    structure = [node for _, _, node in parts] + [b"mixed", [b"boundary", b"b"], None, None, None]
    return Told(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n", body, structure, parts=[part[:2] for part in parts])


class Answers(unittest.TestCase):
    def fetched(self, message, command, ours, theirs, *wanted, kind=None):
        difference = Difference(kind or command, command, 1, ours, theirs)
        self.assertEqual(explain.classes_of(difference, message), set(wanted), command)

    def found(self, message, command, ours, *wanted, word=None):
        difference = Difference("SEARCH", command, 1, ours, not ours, (word,) if word else ())
        self.assertEqual(explain_found.search_classes(difference, message, None), set(wanted), (command, word, ours))

    def test_octets_of_a_part_are_those_at_its_place(self):
        header, body = b"Content-Type: text/plain/x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", b"a=3Db"
        sound = b"\r\n", b"sound"
        message = multipart((header, body, text(body, b"quoted-printable")), (*sound, text(sound[1])))
        for garbage in (b"GARBAGE", b"a=3D", b"sound", b"--b\r\n"):
            self.fetched(message, "BODY[1]", garbage, body, kind="BODY[n]")
            self.fetched(message, "BINARY[1]", garbage, body, kind="BINARY[n]")
        self.fetched(message, "BODY[1]", body, b"a", "type-invalid", kind="BODY[n]")
        self.fetched(message, "BODY[2]", b"sound", b"soun", kind="BODY[n]")

    def test_mime_fields_without_mime_version(self):
        body = b"a=3Db"
        message = plain(b"Content-Transfer-Encoding: quoted-printable\r\nContent-ID: <a@x>\r\n", body, b"quoted-printable")
        other = text(body)
        named = list(message.structure)
        named[3] = b"<a@x>"
        self.fetched(message, "BODYSTRUCTURE", named, other, "not-mime")
        self.fetched(message, "BINARY[1]", b"a=b", body, "not-mime", kind="BINARY[n]")
        self.fetched(message, "BINARY.SIZE[1]", 3, 5, "not-mime", kind="BINARY.SIZE[n]")
        self.fetched(message, "BINARY.SIZE[1]", 4, 5, kind="BINARY.SIZE[n]")
        for at, value in ((3, b"<b@x>"), (5, b"base64"), (4, b"what")):
            wrong = list(named)
            wrong[at] = value
            self.fetched(message, "BODYSTRUCTURE", wrong, other)
        mime = plain(b"MIME-Version: 1.0\r\nContent-ID: <a@x>\r\n", body)
        named = text(body)
        named[3] = b"<a@x>"
        self.fetched(mime, "BODYSTRUCTURE", named, other)

    def test_parts_are_those_that_the_boundary_divides(self):
        header = b"Content-Type: multipart/mixed; boundary=b=c\r\n\r\n"
        body = b"--b=c\r\n\r\none\r\n--b=cd\r\n\r\ntwo\r\n--b=c--\r\n"
        end = [b"mixed", [b"boundary", b"b=c"], None, None, None]
        message = Told(header, body, [text(b"one"), text(b"two"), *end])
        theirs = [text(b"one"), b"mixed", [b"boundary", b"b"], None, None, None]
        self.fetched(message, "BODYSTRUCTURE", message.structure, theirs, "parameters-broken")
        self.fetched(message, "BODY[1]", b"one", b"", "parameters-broken", kind="BODY[n]")
        for wrong in ([text(b"one"), text(b"twos"), *end], [text(b"one"), *end], [text(b"one"), text(b"two"), text(b"two"), *end]):
            self.fetched(message, "BODYSTRUCTURE", wrong, theirs if len(wrong) > 6 else [text(b""), *wrong])
        for wrong in (b"two", b"one\r\n", b""):
            self.fetched(message, "BODY[1]", wrong, b"x", kind="BODY[n]")
        sound = Told(header.replace(b"b=c", b"b"), body.replace(b"b=c", b"b"), [text(b"one"), text(b"two"), *end])
        self.fetched(sound, "BODYSTRUCTURE", sound.structure, theirs)

    def test_what_a_nul_does_to_a_name(self):
        message = plain(b"Date: x\r\nSubject\x80 [list] Re: plan\r\n")
        both, one = b"Date: x\r\nSubject\x80 [list] Re: plan\r\n\r\n", b"Date: x\r\n\r\n"
        item = "BODY[HEADER.FIELDS (SUBJECT DATE)]"
        self.fetched(message, item, one, both, "name-nul", kind="BODY[HEADER.FIELDS (…)]")
        self.fetched(message, item, both, one, kind="BODY[HEADER.FIELDS (…)]")
        self.fetched(message, item, b"\r\n", both, kind="BODY[HEADER.FIELDS (…)]")
        self.fetched(message, "ENVELOPE", [b"x", None] + [None] * 8, [b"x", b"plan"] + [None] * 8, "name-nul")
        self.fetched(message, "ENVELOPE", [b"x", b"evil"] + [None] * 8, [b"x", b"plan"] + [None] * 8)
        self.found(message, "SEARCH SUBJECT %s", False, "name-nul", word=b"plan")
        self.found(message, "SEARCH SUBJECT %s", False, word=b"evil")
        self.found(message, "SEARCH SUBJECT %s", True, word=b"plan")

    def test_an_offset_behind_a_bare_cr(self):
        message = plain(b"Subject: a\rb\r\n", b"0123456789\r\n")
        at = message.octets.index(b"2")
        item = f"BODY[]<{at}>"
        self.fetched(message, item, b"2345", b"3456", "partial-behind-cr", kind="BODY[]<>")
        for ours, theirs in ((b"3456", b"2345"), (b"2345", b"4567"), (b"1234", b"3456"), (b"2345", b"evil")):
            self.fetched(message, item, ours, theirs, kind="BODY[]<>")
        sound = plain(b"Subject: a b\r\n", b"0123456789\r\n")
        self.fetched(sound, item, b"2345", b"3456", kind="BODY[]<>")

    def test_a_multipart_in_which_the_other_finds_no_part(self):
        header, inner = b"Content-Type: multipart/mixed; bou; boundary=b\r\n", b"Content-Transfer-Encoding: base64\r\n\r\n"
        end = [b"mixed", [b"boundary", b"b"], None, None, None]
        theirs = [text(b""), b"mixed", *END]
        for broken, classes in ((header, ["parameters-broken"]), (header.replace(b"bou;", b""), [])):
            message = Told(broken + b"\r\n", b"--b\r\n" + inner + b"eA==\r\n--b--\r\n", [text(b"eA==", b"base64"), *end])
            self.fetched(message, "BODYSTRUCTURE", message.structure, theirs, *classes)
            self.fetched(message, "BODYSTRUCTURE", [text(b"eA=", b"base64"), *end], theirs)
            self.fetched(message, "BODYSTRUCTURE", theirs, message.structure)

    def test_a_header_that_a_delimiter_ends(self):
        def cut(more):
            header = b"Content-Type: text/plain\r\n"
            body = b"--b\r\n" + header + b"--b--\r\n" + more + b"\r\nx\r\n"
            structure = [text(b""), b"mixed", [b"boundary", b"b"], None, None, None]
            return Told(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n", body, structure, parts=[(header, b"")])

        refused, unknown = "NO [UNKNOWN-CTE]", b"Content-Transfer-Encoding: x-uue\r\n"
        self.fetched(cut(unknown), "BINARY[1]", b"", refused, "header-cut", kind="BINARY[n]")
        self.fetched(cut(unknown), "BINARY[1]", refused, b"", kind="BINARY[n]")
        self.fetched(cut(unknown), "BINARY[1]", b"x", refused, kind="BINARY[n]")
        self.fetched(cut(b""), "BINARY[1]", b"", refused, kind="BINARY[n]")
        self.fetched(cut(b"\r\n" + unknown), "BINARY[1]", b"", refused, kind="BINARY[n]")

    def test_a_boundary_that_begins_another(self):
        inner = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n", b"--b\r\n\r\none"
        body = b"--b--\r\n" + b"".join(inner) + b"\r\n--b--\r\n\r\ntwo\r\n--b----\r\n"
        end = [b"mixed", [b"boundary", b"b--"], None, None, None]
        nested = [text(b"one"), b"mixed", [b"boundary", b"b"], None, None, None]
        message = Told(b"Content-Type: multipart/mixed; boundary=b--\r\n\r\n", body, [nested, text(b"two"), *end])
        theirs = [nested, *end]
        self.fetched(message, "BODYSTRUCTURE", message.structure, theirs, "boundary-prefix")
        self.fetched(message, "BODY[2]", b"two", b"", "boundary-prefix", kind="BODY[n]")
        self.fetched(message, "BODY[2]", b"tw", b"", kind="BODY[n]")
        self.fetched(message, "BODYSTRUCTURE", [nested, text(b"twos"), *end], theirs)

    def test_a_nul_behind_the_year(self):
        message = plain(b"Date: 18 Dec 2013\x80 18:53:14 -0500\r\n")
        self.found(message, "SEARCH SENTSINCE 1-Jan-2005", True, "date-odd")
        self.found(message, "SEARCH SENTSINCE 1-Jan-2005", False)
        self.found(message, "SEARCH SENTON 19-Dec-2013", True)

    def test_an_octet_in_a_date_that_is_no_white_space(self):
        message = plain(b"Date: Wed,\x1e4 May 2016 12:27:13 -0330\r\n")
        self.found(message, "SEARCH SENTON 4-May-2016", True, "date-odd")
        self.found(message, "SEARCH SENTON 4-May-2016", False)
        self.found(message, "SEARCH SENTON 5-May-2016", True)
        self.found(plain(b"Date: Wed, 4 May 2016 12:27:13+0330\r\n"), "SEARCH SENTON 4-May-2016", True, "date-odd")
        for sound in (b"-0330", b"+0000 (x)"):
            self.found(plain(b"Date: Wed, 4 May 2016 12:27:13 " + sound + b"\r\n"), "SEARCH SENTON 4-May-2016", True)

    def test_a_day_right_before_its_month(self):
        message = plain(b"Date: Sun, 9Sep 2001 01:46:40 +0000\r\n")
        self.found(message, "SEARCH SENTON 9-Sep-2001", True, "date-undivided")
        self.found(message, "SEARCH SENTON 9-Sep-2001", False)
        self.found(message, "SEARCH SENTBEFORE 1-Jan-1990", False, "date-undivided")
        self.found(plain(b"Date: Sun, 9 Sep 2001 01:46:40 +0000\r\n"), "SEARCH SENTON 9-Sep-2001", True)

    def test_an_encoded_word_that_does_not_end(self):
        message = plain(b"Subject: =?Shift_JIS?Q?=82=A0=82 =?utf-8?Q?b=C3=A9?= =?iso-8859-1?q?c==E9_?=d\r\n")
        for word in ("b\u00e9", "shift_jis", "c=\u00e9 d"):
            self.found(message, "SEARCH SUBJECT %s", False, word=word.encode())
        self.found(message, "SEARCH SUBJECT %s", True, "encoded-word-odd", word="c=\u00e9 d".encode())
        self.found(message, "SEARCH SUBJECT %s", True, word="\u3042".encode())

    def test_an_open_comment_in_an_address(self):
        message = plain(b"From: ann@example(.org\r\n")

        def envelope(domain):
            return [None, None, [[None, None, b"ann", domain]]] + [None] * 7

        self.fetched(message, "ENVELOPE", envelope(b"example.org"), envelope(b"MISSING_DOMAIN"), "address-broken")
        self.fetched(message, "ENVELOPE", envelope(b"evil.org"), envelope(b"MISSING_DOMAIN"))
        self.found(message, "SEARCH FROM %s", True, "address-broken", word=b"example.org")
        self.found(message, "SEARCH FROM %s", False, word=b"example.org")
        self.found(message, "SEARCH FROM %s", True, word=b"evil.org")

    def test_an_octet_that_utf_7_has_not(self):
        message = plain(b"Content-Type: text/plain; charset=unicode-1-1-utf-7\r\n", b"a\xe9+APw-b\xff\r\n")
        self.found(message, "SEARCH BODY %s", True, "charset-unknown", word="a\u00e9\u00fcb".encode())
        self.found(message, "SEARCH BODY %s", False, word="a\u00e9\u00fcb".encode())
        self.found(message, "SEARCH BODY %s", True, word=b"evil")

    def test_a_line_without_a_colon_has_no_name(self):
        inner = b" =?utf-8?Q?ann?= <a@example.jp>\r\nSubject: x\r\n\r\nx\r\n"
        node = [b"message", b"global", None, None, None, b"7bit", len(inner), *END]
        message = Told(b"Content-Type: message/global\r\n\r\n", inner, node)
        self.found(message, "SEARCH TEXT %s", False, "message-global", word=b"utf-8")
        self.found(message, "SEARCH TEXT %s", False, word=b"ann")
        self.found(message, "SEARCH TEXT %s", False, word=b"evil")

    def test_words_of_two_kinds(self):
        twice = plain(b"Content-Type: text/plain\r\nContent-Type: image/png\r\n", b"hello\r\n")
        self.found(twice, "SEARCH BODY %s", True, "type-twice", word=b"hello")
        self.found(twice, "SEARCH BODY %s", False, word=b"hello")
        self.found(twice, "SEARCH BODY %s", True, word=b"other")
        odd = plain(b"Subject: =?UTF-8 ?B?aGVsbG8=?=\r\n")
        self.found(odd, "SEARCH SUBJECT %s", False, "encoded-word-odd", word=b"hello")
        self.found(odd, "SEARCH SUBJECT %s", True, word=b"hello")
        self.found(odd, "SEARCH SUBJECT %s", False, word=b"other")
        held = plain(b"Subject: =?windows-1255?Q?=F9=EC=E5=ED?=\r\n")
        self.found(held, "SEARCH SUBJECT %s", True, "charset-held", word="\u05e9\u05dc\u05d5\u05dd".encode())
        self.found(held, "SEARCH SUBJECT %s", False, word="\u05e9\u05dc\u05d5\u05dd".encode())
        self.found(held, "SEARCH SUBJECT %s", True, word="\u05e9\u05e9".encode())
        empty = Told(b"Content-Type: multipart/mixed\r\n\r\n", b"hello\r\n", [text(b""), b"mixed", None, None, None, None])
        self.found(empty, "SEARCH BODY %s", True, "multipart-empty", word=b"hello")
        self.found(empty, "SEARCH BODY %s", False, word=b"hello")

    def test_years_and_zones(self):
        for date, year in ((b"9 Sep 20017 01:46:40 +0000", 20017), (b"9 Sep 001 01:46:40 +0000", 1901), (b"9 Sep 60 01:46:40 EST", 1960)):
            message = plain(b"Date: " + date + b"\r\n")
            self.found(message, "SEARCH SENTSINCE 1-Jan-1950", year > 1950, "date-obsolete")
            self.found(message, "SEARCH SENTSINCE 1-Jan-1950", year < 1950)
        for date in (b"12 Nov 2005k04:59:21 -0330", b"5 Jan 20@04 11:58:39 -0500", b"12 Nov -0330", b"Sun, 18 Aug013 04:35:54"):
            message = plain(b"Date: " + date + b"\r\n")
            self.assertIsNone(expected.sent_day(date))
            self.found(message, "SEARCH SENTBEFORE 1-Jan-2005", False, "date-odd")
            self.found(message, "SEARCH SENTBEFORE 1-Jan-2005", True)

    def test_a_name_of_nothing(self):
        message = plain(b'From: " " <a@example.org>\r\n')

        def envelope(name, mailbox=b"a"):
            return [None, None, [[name, None, mailbox, b"example.org"]]] + [None] * 7

        self.fetched(message, "ENVELOPE", envelope(None), envelope(b""), "name-blank")
        self.fetched(message, "ENVELOPE", envelope(None, b"b"), envelope(b""))
        self.fetched(message, "ENVELOPE", envelope(b"evil"), envelope(b""))

    def test_a_folded_encoding(self):
        message = plain(b"Content-Type: text/plain\r\nContent-Transfer-Encoding:\r\n base64\r\n", b"aGVsbG8=\r\n", b"base64")
        self.fetched(message, "BINARY[1]", b"hello", "NO [UNKNOWN-CTE]", "encoding-folded", kind="BINARY[n]")
        self.fetched(message, "BINARY[1]", b"aGVsbG8=\r\n", "NO [UNKNOWN-CTE]", kind="BINARY[n]")

    def test_a_part_that_is_another_one_excuses_no_other(self):
        odd = b"Content-Type: nothing\r\n\r\n", b"odd"
        sound = b"\r\n", b"sound"
        message = multipart((*odd, text(odd[1])), (*sound, text(sound[1])))
        other = [text(odd[1], kind=(b"application", b"octet-stream")), *message.structure[1:]]
        other[0] = explain.plain(other[0])
        self.fetched(message, "BODYSTRUCTURE", message.structure, other, "type-invalid")
        self.fetched(message, "BODY[1]", b"odd", b"od", "type-invalid", kind="BODY[n]")
        self.fetched(message, "BODY[2]", b"sound", b"soun", kind="BODY[n]")
        self.fetched(message, "BODYSTRUCTURE", [text(odd[1], kind=(b"image", b"png")), *message.structure[1:]], other)

    def test_addresses_stand_in_the_field(self):
        lost = [[None, None, b"MISSING_MAILBOX", b"MISSING_DOMAIN"]]
        for field, ours, theirs, name in (
                (b'"Unclosed <a@example.org>', [[b"Unclosed", None, b"a", b"example.org"]], lost, "address-broken"),
                (b"a@x.example, b@y.example>, c@z.example",
                 [[None, None, b"a", b"x.example"], [None, None, b"b", b"y.example"], [None, None, b"c", b"z.example"]],
                 [[None, None, b"a", b"x.example"]], "address-broken"),
                (b"Ann <@r.example:a . b @ x . example>, , c@y.example",
                 [[b"Ann", b"@r.example", b"a.b", b"x.example"], [None, None, b"c", b"y.example"]], lost, "address-obsolete")):
            message = plain(b"From: " + field + b"\r\n")

            def envelope(one):
                return [None, None, one] + [None] * 7

            self.fetched(message, "ENVELOPE", envelope(ours), envelope(theirs), name)
            evil = [[None, None, b"evil", b"evil.example"]]
            for wrong in (evil, ours + evil, ours[:-1] + evil, [[b"Evil", *one[1:]] for one in ours], evil * len(ours)):
                self.fetched(message, "ENVELOPE", envelope(wrong), envelope(theirs))
        message = plain(b"From: a@x.example, b@y.example>, c@z.example\r\n")
        both = [[None, None, b"a", b"x.example"], [None, None, b"b", b"y.example"]]
        self.fetched(message, "ENVELOPE", [None, None, both[:1]] + [None] * 7, [None, None, both] + [None] * 7)
        message = plain(b"From: a . b@x.example, c@y.example\r\n")
        swapped = [[None, None, b"a.b", b"y.example"], [None, None, b"c", b"x.example"]]
        self.fetched(message, "ENVELOPE", [None, None, swapped] + [None] * 7, [None, None, lost] + [None] * 7)

    def test_a_text_that_can_be_read_is_found(self):
        base64 = plain(b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n", b"aGVs!bG8=\r\n", b"base64")
        self.found(base64, "SEARCH BODY %s", True, "base64-broken", word=b"hello")
        self.found(base64, "SEARCH BODY %s", False, word=b"hello")
        self.found(base64, "SEARCH BODY %s", False, "base64-broken", word=b"aGVs")
        self.found(base64, "SEARCH BODY %s", True, word=b"other")
        raw = plain(b"Subject: hello \xff\r\n")
        self.found(raw, "SEARCH SUBJECT %s", True, "raw-8bit", word=b"hello")
        self.found(raw, "SEARCH SUBJECT %s", False, word=b"hello")
        self.found(raw, "SEARCH SUBJECT %s", True, word=b"other")
        self.found(plain("Subject: Grüße\r\n".encode()), "SEARCH SUBJECT %s", True, word="Grüße".encode())

    def test_what_only_the_other_finds_in_a_field_that_is_no_address(self):
        message = plain(b"Subject: a\r\n")
        message.known["ENVELOPE"] = [None, b"a"] + [None] * 8
        self.found(message, "SEARCH SUBJECT %s", False, word=b"b")
        self.found(message, "SEARCH SUBJECT %s", False, word=b"a")

    def test_the_day_is_the_one_that_stands_there(self):
        message = plain(b"Date: 1994-02-07\r\n")
        self.found(message, "SEARCH SENTON 7-Feb-1994", True, "date-odd")
        self.found(message, "SEARCH SENTON 8-Feb-1994", True)
        self.found(message, "SEARCH SENTON 7-Feb-1994", False)
        self.found(message, "SEARCH SENTBEFORE 7-Feb-1994", True)
        self.found(message, "SEARCH SENTSINCE 1-Jan-1994", True, "date-odd")
        self.found(plain(b"Subject: x\r\n"), "SEARCH SENTBEFORE 1-Jan-2005", False, "date-missing")
        self.found(plain(b"Subject: x\r\n"), "SEARCH SENTBEFORE 1-Jan-2005", True)

    def test_a_message_is_sorted_where_its_day_is(self):
        spans = {1: (10, 13), 2: (20, 23), 3: (19, 22), 4: (30, 33)}
        for order, wrong in (([1, 3, 2, 4], set()), ([1, 2, 3, 4], set()), ([3, 1, 2, 4], {3}), ([1, 2, 4, 3], {3})):
            self.assertEqual(explain_found.misplaced(order, spans, {1, 2, 4}), wrong, order)
        odd = explain_found.span(plain(b"Date: 1994-02-07\r\n"))
        self.assertEqual(odd, explain_found.span(plain(b"Date: Mon, 7 Feb 1994 21:52:25 -0800\r\n")))
        self.assertEqual(odd[0] + 22, explain_found.span(plain(b"Date: Mar 1 1994\r\n"))[0])

    def test_sound_parameters_are_shown_as_they_stand(self):
        message = Told(b"Content-Type: text/plain; charset=utf-8; name=a b; format=flowed\r\n\r\n", b"x\r\n", None)
        theirs = text(b"x\r\n", parameters=(b"charset", b"utf-8"))
        for parameters, classes in (
                ((b"charset", b"utf-8", b"name", b"a", b"format", b"flowed"), ["parameters-broken"]),
                ((b"charset", b"GARBAGE", b"name", b"a", b"format", b"flowed"), []),
                ((b"charset", b"utf-8", b"name", b"evil", b"format", b"flowed"), []),
                ((b"charset", b"utf-8", b"name", b"a"), []),
                ((b"charset", b"utf-8", b"name", b"a", b"format", b"flowed", b"more", b"a"), [])):
            self.fetched(message, "BODYSTRUCTURE", text(b"x\r\n", parameters=parameters), theirs, *classes)

    def test_the_outermost_cause_is_named(self):
        inner = "Subject: x\r\n\r\nGrüße\r\n".encode()
        node = [b"message", b"global", None, None, None, b"7bit", len(inner), *END]
        message = multipart((b"Content-Type: message/global\r\n\r\n", inner, node))
        self.found(message, "SEARCH CHARSET UTF-8 TEXT %s", True, "message-global", word="Grüße".encode())
        self.found(message, "SEARCH CHARSET UTF-8 BODY %s", False, "message-global", word=b"Subject")


if __name__ == "__main__":
    unittest.main()
