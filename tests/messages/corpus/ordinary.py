"""Ordinary messages, as mailers write them."""

from letters import (ALNUM, ENGLISH, HEX, PEOPLE, TONGUES, ZONES, b64, b_word, date, encoded, fields, mailbox, multipart,
                     part, prose, q_word, qp)

MIME = ("MIME-Version", "1.0")
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00"


class Letter:
    """Who writes to whom, when, about what; the conversation it belongs to."""

    count = 0

    def __init__(self, dice, about=None, references=(), person=None):
        Letter.count += 1
        self.dice = dice
        self.sender = person or dice.pick(PEOPLE)
        self.to = [dice.pick(PEOPLE) for _ in range(dice.between(1, 3))]
        self.cc = [dice.pick(PEOPLE) for _ in range(dice.between(0, 2))]
        self.time = 946_684_800 + dice.below(700_000_000)
        self.zone = dice.pick(ZONES)
        self.about = about or " ".join(dice.pick(ENGLISH) for _ in range(dice.between(1, 6))).capitalize()
        self.references = list(references)
        self.id = f"<{dice.text(ALNUM, 20)}.{Letter.count}@{self.sender[2]}>"

    def date(self, pad=False):
        return date(self.time, self.zone, pad)

    def people(self, all_of):
        return ",\n ".join(mailbox(person, self.dice) for person in all_of) or None

    def head(self, *more):
        """The usual fields, in a common order."""
        return fields(
            ("Date", self.date()), ("From", mailbox(self.sender, self.dice)), ("To", self.people(self.to)),
            ("Cc", self.people(self.cc)), ("Subject", encoded(self.about, self.dice)), ("Message-ID", self.id),
            ("In-Reply-To", self.references[-1] if self.references else None),
            ("References", "\n ".join(self.references) or None), *more)

    def received(self, hops):
        out = b""
        for hop in range(hops):
            out += (f"Received: from mx{hop}.{self.sender[2]} (mx{hop}.{self.sender[2]} [192.0.2.{hop + 1}])\n"
                    f"\tby mail.example.org (Postfix) with ESMTPS id {self.dice.text(HEX, 10)}\n"
                    f"\tfor <{self.to[0][1]}@{self.to[0][2]}>; {self.date(True)} (UTC)\n").encode()
        return out


def foreign(dice):
    """A tongue, a subject in it as encoded words, and a few lines of it."""
    codec, charset, words = dice.pick(TONGUES)
    words = words.split()
    subject = " ".join(dice.pick(words) for _ in range(dice.between(1, 7)))
    word = b_word if codec in ("iso2022_jp", "utf-7") or dice.chance(50) else q_word
    return codec, charset, word(subject, codec, charset), prose(dice, words).encode(codec, "replace")


def thunderbird(dice, letter):
    codec, charset, subject, text = foreign(dice)
    encoding, text = dice.pick([("8bit", text), ("quoted-printable", qp(text)), ("base64", b64(text))])
    if codec in ("iso2022_jp", "utf-7", "ascii"):
        encoding, text = "7bit", prose(dice).encode() if codec == "ascii" else text
    return letter.received(1) + fields(
        ("Message-ID", letter.id), ("Date", letter.date()), MIME, ("User-Agent", "Mozilla Thunderbird"),
        ("Subject", subject), ("Content-Language", dice.pick(["en-US", "de-DE", "fr"])),
        ("To", letter.people(letter.to)), ("References", " ".join(letter.references) or None),
        ("From", mailbox(letter.sender, dice)), ("In-Reply-To", (letter.references or [None])[-1]),
        ("Content-Type", f"text/plain; charset={charset}; format=flowed"),
        ("Content-Transfer-Encoding", encoding)) + b"\n" + text


def alternative(dice, boundary, charset="utf-8"):
    text = prose(dice) + dice.pick(["", "Grüße – Zoë\n"])
    html = "<html><body><p>" + text.replace("\n", "<br>\n") + "</p></body></html>\n"
    transfer = ("Content-Transfer-Encoding", "quoted-printable")
    return multipart(boundary, [
        part(f"text/plain; charset={charset}", qp(text.encode()), transfer),
        part(f"text/html; charset=\"{charset}\"", qp(html.encode()), transfer)])


def gmail(dice, letter):
    boundary = "000000000000" + dice.text("0123456789abcdef", 16)
    return fields(MIME, ("Date", letter.date()), ("References", " ".join(letter.references) or None),
                  ("In-Reply-To", (letter.references or [None])[-1]), ("Message-ID", letter.id),
                  ("Subject", encoded(letter.about)), ("From", mailbox(letter.sender)), ("To", letter.people(letter.to)),
                  ("Content-Type", f'multipart/alternative; boundary="{boundary}"')) + b"\n" + alternative(
                      dice, boundary, "UTF-8")


def outlook(dice, letter):
    outer, inner = (f"_00{n}_{dice.text(HEX, 32)}example_" for n in (4, 5))
    body = multipart(inner, [
        part('text/plain; charset="Windows-1252"', qp(prose(dice).encode() + "It’s fine – 5 €\n".encode("cp1252")),
             ("Content-Transfer-Encoding", "quoted-printable")),
        part('text/html; charset="Windows-1252"', qp(b"<html>\n<body><img src=\"cid:image001.png@01D0\"></body>\n</html>\n"),
             ("Content-Transfer-Encoding", "quoted-printable"))])
    image = part('image/png; name="image001.png"', b64(PNG + dice.octets(80)), ("Content-Description", "image001.png"),
                 ("Content-Disposition", 'inline; filename="image001.png"; size=120;\n\tcreation-date="'
                  + letter.date() + '"'), ("Content-ID", "<image001.png@01D0>"), ("Content-Transfer-Encoding", "base64"))
    related = multipart(outer, [part(f'multipart/alternative;\n\tboundary="{inner}"', body), image])
    return letter.received(2) + fields(
        ("From", mailbox(letter.sender, dice)), ("To", letter.people(letter.to)), ("CC", letter.people(letter.cc)),
        ("Subject", dice.pick(["", "RE: ", "AW: ", "FW: "]) + encoded(letter.about)), ("Thread-Topic", letter.about),
        ("Thread-Index", b64(dice.octets(22)).strip()), ("Date", letter.date()), ("Message-ID", letter.id),
        ("References", "\n ".join(letter.references) or None), ("In-Reply-To", (letter.references or [None])[-1]),
        ("Accept-Language", "de-DE, en-US"), ("Content-Language", "de-DE"), ("X-MS-Has-Attach", "yes"),
        ("Content-Type", f'multipart/related;\n\tboundary="{outer}";\n\ttype="multipart/alternative"'), MIME) + b"\n" + related


def tnef(dice, letter):
    boundary = f"----_=_NextPart_000_{dice.text(HEX, 8)}.{dice.text(HEX, 8)}"
    return letter.head(MIME, ("X-Mailer", "Internet Mail Service (5.5.2653.19)"),
                       ("Content-Type", f'multipart/mixed;\n\tboundary="{boundary}"')) + b"\n" + multipart(boundary, [
        part('text/plain;\n\tcharset="iso-8859-1"', prose(dice).encode()),
        part('application/ms-tnef;\n\tname="winmail.dat"', b64(b"\x78\x9f\x3e\x22" + dice.octets(90)),
             ("Content-Transfer-Encoding", "base64"))], b"This message is in MIME format. Since your mail reader does not"
        b" understand\nthis format, some or all of this message may not be legible.\n\n")


def apple(dice, letter):
    outer, inner = (f"Apple-Mail={'_' if n else '-'}{dice.text(HEX, 8)}-{dice.text(HEX, 4)}" for n in (0, 1))
    codec, charset, _, text = foreign(dice)
    name = encoded("Bildschirmfoto " + dice.pick(["é.png", "ü 2.png", "1.png"]))
    body = multipart(outer, [
        part(f"text/plain;\n\tcharset={charset}", qp(text), ("Content-Transfer-Encoding", "quoted-printable")),
        part(f"multipart/mixed;\n\tboundary=\"{inner}\"", multipart(inner, [
            part("text/html;\n\tcharset=us-ascii", b"<html><head></head><body>" + prose(dice).encode() + b"</body></html>\n",
                 ("Content-Transfer-Encoding", "7bit")),
            part(f'image/png;\n\tname="{name}"', b64(PNG + dice.octets(200)),
                 ("Content-Disposition", f'inline;\n\tfilename="{name}"'), ("Content-Transfer-Encoding", "base64"))]))])
    return letter.head(("Content-Type", f'multipart/alternative;\n\tboundary="{outer}"'),
                       ("Mime-Version", "1.0 (Mac OS X Mail 16.0 \\(3731.500.231\\))"),
                       ("X-Mailer", "Apple Mail (2.3731.500.231)")) + b"\n" + body


def mutt(dice, letter):
    return letter.received(1) + letter.head(
        MIME, ("Content-Type", "text/plain; charset=us-ascii"), ("Content-Disposition", "inline"),
        ("User-Agent", "Mutt/1.5.21 (2010-09-15)")) + b"\n" + (
            "On Mon, Jan 01, Ann wrote:\n> " + prose(dice, lines=2) + prose(dice) + "-- \n" + letter.sender[1] + "\n").encode()


def attachment(dice, letter):
    """File names in the four ways they are written."""
    boundary = "=-" + dice.text(ALNUM, 20)
    name = dice.pick(["Übersicht März.pdf", "отчёт.doc", "会議.xls", "résumé final (2).odt", "plain.txt", "it's 5 € %.zip"])
    percent = "".join(chr(b) if chr(b) in ALNUM + ".-" else f"%{b:02X}" for b in name.encode())
    style = dice.below(4)
    if style == 0:  # RFC 2231
        disposition, typed = f"attachment;\n filename*=utf-8''{percent}", "application/octet-stream"
    elif style == 1:  # RFC 2231 with continuations
        pieces = [percent[at : at + 12] for at in range(0, len(percent), 12)]
        more = "".join(f";\n filename*{n}*={'UTF-8' + chr(39) * 2 if n == 0 else ''}{p}" for n, p in enumerate(pieces))
        disposition, typed = "attachment" + more, "application/octet-stream;\n name*0=\"long \";\n name*1=name.bin"
    elif style == 2:  # encoded words where none may be
        disposition, typed = f'attachment; filename="{encoded(name)}"', f'application/octet-stream; name="{encoded(name)}"'
    else:  # raw UTF-8
        disposition, typed = f'attachment; filename="{name}"', f'application/octet-stream; name="{name}"'
    return letter.head(MIME, ("X-Mailer", "Evolution 3.38"),
                       ("Content-Type", f'multipart/mixed; boundary="{boundary}"')) + b"\n" + multipart(boundary, [
        part("text/plain; charset=utf-8", (prose(dice) + "ünter\n").encode(), ("Content-Transfer-Encoding", "8bit")),
        part(typed, b64(dice.octets(dice.between(0, 300))), ("Content-Disposition", disposition),
             ("Content-Transfer-Encoding", "base64"))], b"\n")


def plain_charset(dice, letter):
    """Text in each charset and transfer encoding; encoded words in Subject and From."""
    codec, charset, subject, text = foreign(dice)
    encoding = dice.pick(["8bit", "quoted-printable", "base64", "QUOTED-PRINTABLE", "Base64", "binary"])
    body = {"q": qp, "b": b64, "8": bytes}[encoding[0].lower()](text) if encoding != "binary" else text
    words = [w for c, n, w in TONGUES if n == charset][0].split()
    name = q_word(dice.pick(words), codec, charset)
    return fields(("From", f"{name} <{letter.sender[1]}@{letter.sender[2]}>"), ("To", letter.people(letter.to)),
                  ("Subject", subject), ("Date", letter.date()), ("Message-Id", letter.id), MIME,
                  ("Content-Type", dice.pick([f"text/plain; charset={charset}", f'text/plain; charset="{charset}"',
                                              f"TEXT/PLAIN; CHARSET={charset.upper()}"])),
                  ("Content-Transfer-Encoding", encoding)) + b"\n" + body


def mailing_list(dice, letter):
    name = dice.pick(["users", "devel", "announce"])
    return letter.received(2) + letter.head(
        MIME, ("Content-Type", "text/plain; charset=\"us-ascii\""), ("Content-Transfer-Encoding", "7bit"),
        ("X-BeenThere", f"{name}@lists.example.net"), ("Precedence", "list"), ("Sender", f"{name}-bounces@lists.example.net"),
        ("Reply-To", f"Discussion <{name}@lists.example.net>"), ("List-Id", f"Discussion <{name}.lists.example.net>"),
        ("List-Unsubscribe", f"<https://lists.example.net/{name}>,\n <mailto:{name}-request@lists.example.net?subject=leave>"),
        ("Errors-To", f"{name}-bounces@lists.example.net")).replace(b"Subject: ", f"Subject: [{name}] ".encode()) + b"\n" + (
            prose(dice) + f"_______________________________________________\n{name} mailing list\n").encode()


def digest(dice, letter):
    boundary, inner = f"===============0{dice.below(10**17)}==", "----------"
    inside = [Letter(dice).head() + b"\n" + prose(dice).encode() for _ in range(dice.between(1, 4))]
    parts = [part("text/plain; charset=\"us-ascii\"", prose(dice).encode(), ("Content-Description", "Digest header")),
             part(f'multipart/digest; boundary="{inner}"', multipart(
                 inner, [dice.pick([b"\n", b"Content-Type: message/rfc822\nMIME-Version: 1.0\n\n"]) + one for one in inside])),
             part("text/plain", b"End of Digest\n", ("Content-Description", "Digest Footer"))]
    return letter.head(MIME, ("Content-Type", f'multipart/mixed; boundary="{boundary}"')) + b"\n" + multipart(boundary, parts)


def bounce(dice, letter):
    """A delivery report (RFC 3464) as Postfix writes it, with the whole message or its header."""
    boundary = f"{dice.text(HEX, 10)}.{letter.time}/mail.example.org"
    inner = thunderbird(dice, Letter(dice))
    returned = part("message/rfc822", inner, ("Content-Description", "Undelivered Message"))
    if dice.chance(40):
        returned = part("text/rfc822-headers", inner.split(b"\n\n")[0] + b"\n",
                        ("Content-Description", "Undelivered Message Headers"))
    status = (f"Reporting-MTA: dns; mail.example.org\nX-Postfix-Queue-ID: {dice.text(HEX, 10)}\n\n"
              f"Final-Recipient: rfc822; nobody@example.com\nAction: failed\nStatus: 5.1.1\n"
              f"Diagnostic-Code: smtp; 550 5.1.1 <nobody@example.com>: User unknown\n").encode()
    return fields(("Return-Path", "<>"), ("Date", letter.date()), ("From", "MAILER-DAEMON@mail.example.org (Mail Delivery System)"),
                  ("Subject", "Undelivered Mail Returned to Sender"), ("To", mailbox(letter.to[0])),
                  ("Auto-Submitted", "auto-replied"), MIME,
                  ("Content-Type", f'multipart/report; report-type=delivery-status;\n\tboundary="{boundary}"'),
                  ("Message-Id", letter.id)) + b"\n" + multipart(boundary, [
                      part("text/plain; charset=us-ascii", prose(dice).encode(), ("Content-Description", "Notification")),
                      part("message/delivery-status", status, ("Content-Description", "Delivery report")), returned],
                      b"This is a MIME-encapsulated message.\n\n")


def old_bounce(dice, letter):
    """As Exim and qmail write it: no MIME, the message as text."""
    return fields(("Received", "(qmail 4321 invoked for bounce); 5 Jan 2003 10:00:00 -0000"), ("Date", letter.date()),
                  ("From", dice.pick(["MAILER-DAEMON@mail.example.org", "Mail Delivery System <Mailer-Daemon@example.org>"])),
                  ("To", letter.people(letter.to)), ("Subject", "failure notice")) + (
        b"\nHi. This is the qmail-send program at mail.example.org.\n\n<nobody@example.com>:\nSorry, no mailbox here."
        b"\n\n--- Below this line is a copy of the message.\n\n") + mutt(dice, Letter(dice))


def receipt(dice, letter):
    boundary = "mdn" + dice.text(HEX, 12)
    note = (f"Reporting-UA: mail.example.org; Thunderbird\nFinal-Recipient: rfc822;{letter.sender[1]}@{letter.sender[2]}\n"
            f"Original-Message-ID: {letter.id}\nDisposition: manual-action/MDN-sent-manually; displayed\n").encode()
    return letter.head(MIME, ("Content-Type", f"multipart/report; report-type=disposition-notification;\n boundary={boundary}")
                       ) + b"\n" + multipart(boundary, [
        part("text/plain; charset=UTF-8", prose(dice).encode()), part("message/disposition-notification", note,
             ("Content-Disposition", "inline"))])


def invitation(dice, letter):
    boundary = "000000000000" + dice.text("0123456789abcdef", 16)
    event = (f"BEGIN:VCALENDAR\nPRODID:-//Example//EN\nVERSION:2.0\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:{letter.id[1:-1]}\n"
             f"SUMMARY:{letter.about}\nLOCATION:Café Größe\nEND:VEVENT\nEND:VCALENDAR\n").encode()
    return letter.head(MIME, ("Content-Type", f'multipart/mixed; boundary="{boundary}"')) + b"\n" + multipart(boundary, [
        part(f'multipart/alternative; boundary="{boundary}x"', multipart(boundary + "x", [
            part("text/plain; charset=\"UTF-8\"; format=flowed; delsp=yes", b64(prose(dice).encode()),
                 ("Content-Transfer-Encoding", "base64")),
            part("text/calendar; charset=\"UTF-8\"; method=REQUEST", event, ("Content-Transfer-Encoding", "8bit"))], gap=b"")),
        part("application/ics; name=\"invite.ics\"", b64(event), ("Content-Disposition", "attachment; filename=\"invite.ics\""),
             ("Content-Transfer-Encoding", "base64"))], gap=b"")


def signed(dice, letter):
    """S/MIME and PGP/MIME (RFC 8551, RFC 3156), signed and encrypted."""
    boundary = dice.pick(["------------ms", "=-=", "IS0zKkzwUGydFO0o"]) + dice.text("0123456789", 12)
    text = part("text/plain; charset=us-ascii", prose(dice).encode(), ("Content-Disposition", "inline"))
    armour = b"-----BEGIN PGP MESSAGE-----\n\n" + b64(dice.octets(100), 64) + b"-----END PGP MESSAGE-----\n"
    style = dice.below(4)
    if style == 0:
        kind = 'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256'
        parts = [text, part('application/pkcs7-signature; name="smime.p7s"', b64(dice.octets(200)), (
            "Content-Transfer-Encoding", "base64"), ("Content-Disposition", 'attachment; filename="smime.p7s"'),
            ("Content-Description", "S/MIME Cryptographic Signature"))]
    elif style == 1:
        kind = 'multipart/signed; micalg=pgp-sha1;\n\tprotocol="application/pgp-signature"'
        parts = [text, part('application/pgp-signature; name="signature.asc"', armour.replace(b"MESSAGE", b"SIGNATURE"),
                            ("Content-Description", "Digital signature"))]
    elif style == 2:
        kind = 'multipart/encrypted; protocol="application/pgp-encrypted"'
        parts = [part("application/pgp-encrypted", b"Version: 1\n"),
                 part('application/octet-stream; name="encrypted.asc"', armour, ("Content-Disposition", "inline"))]
    else:
        return letter.head(MIME, ("Content-Type", "application/pkcs7-mime; name=smime.p7m; smime-type=enveloped-data"),
                           ("Content-Transfer-Encoding", "base64"), ("Content-Disposition", "attachment; filename=smime.p7m")
                           ) + b"\n" + b64(dice.octets(300))
    return letter.head(MIME, ("Content-Type", f'{kind};\n\tboundary="{boundary}"')) + b"\n" + multipart(
        boundary, parts, b"This is an OpenPGP/MIME signed message (RFC 4880 and 3156)\n")


def forward(dice, letter, depth=None):
    depth = dice.between(1, 4) if depth is None else depth
    boundary = f"------------{dice.text(HEX, 24)}"
    inner = Letter(dice)
    inside = forward(dice, inner, depth - 1) if depth > 1 else dice.pick([gmail, mutt, apple, plain_charset])(dice, inner)
    name = encoded(inner.about).replace("\n", "")
    return letter.head(MIME, ("Content-Type", f'multipart/mixed;\n boundary="{boundary}"')) + b"\n" + multipart(boundary, [
        part("text/plain; charset=UTF-8; format=flowed", prose(dice).encode(), ("Content-Transfer-Encoding", "7bit")),
        part(f'message/rfc822;\n name="{name}.eml"', inside, ("Content-Transfer-Encoding", "8bit"),
             ("Content-Disposition", f'attachment;\n filename="{name}.eml"'))], b"This is a multi-part message in MIME format.\n")


def whole_message(dice, letter):
    """Forwarded as the whole body (pine, procmail scripts)."""
    return letter.head(MIME, ("Content-Type", "MESSAGE/RFC822; CHARSET=US-ASCII"), ("Content-Description", "forwarded")
                       ) + b"\n" + dice.pick([mutt, gmail, outlook])(dice, Letter(dice))


def newsletter(dice, letter):
    html = ("<!DOCTYPE html>\n<html><head><style>p { color: #333 }</style></head><body>" + prose(dice).replace("\n", "<br />")
            + "<a href=\"https://click.example.com/?a=1&amp;b=2\">caf&eacute; &#8364; 5</a>" * dice.between(1, 4)
            + "</body></html>").encode()
    return letter.received(3) + letter.head(
        MIME, ("DKIM-Signature", "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=k1;\n\th=from:subject;\n\tb="
               + dice.text(ALNUM, 60)), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("Content-Type", "text/html; charset=\"utf-8\""), ("Content-Transfer-Encoding", "quoted-printable"),
        ("X-Campaign", dice.text(ALNUM, 200))) + b"\n" + qp(html) + b"\n"


def machine(dice, letter):
    """Scripts: cron, PHP's mail(), git send-email, logwatch."""
    style = dice.below(4)
    if style == 0:
        return fields(("From", "root@host.example.org (Cron Daemon)"), ("To", "root@host.example.org"), (
            "Subject", "Cron <root@host> test -x /usr/sbin/x && /usr/sbin/x"), ("Content-Type", "text/plain; charset=ANSI_X3.4-1968"),
            ("X-Cron-Env", "<SHELL=/bin/sh>"), ("Message-Id", letter.id), ("Date", letter.date(True) + " (CET)")
            ) + b"\n" + prose(dice).encode()
    if style == 1:
        return fields(("To", mailbox(letter.to[0])), ("Subject", letter.about), ("X-PHP-Originating-Script", "33:form.php"),
                      ("From", f"webmaster@{letter.sender[2]}"), ("Message-Id", letter.id), ("Date", letter.date())
                      ) + b"\n" + prose(dice).encode()
    if style == 2:
        return fields(("From", mailbox(letter.sender)), ("To", "git@vger.example.org"), ("Cc", letter.people(letter.cc)),
                      ("Subject", f"[PATCH v2 {dice.between(0, 9)}/9] {letter.about}"), ("Date", letter.date(True)),
                      ("Message-Id", letter.id), ("X-Mailer", "git-send-email 2.39.2"),
                      ("In-Reply-To", "<cover.1@example.org>"), ("References", "<cover.1@example.org>"), MIME,
                      ("Content-Type", "text/plain; charset=UTF-8"), ("Content-Transfer-Encoding", "8bit")) + (
            "\nFrom: Łukasz <lukasz@example.pl>\n\n" + prose(dice) + "---\n a.c | 2 +-\n\ndiff --git a/a.c b/a.c\n--- a/a.c\n"
            "+++ b/a.c\n@@ -1 +1 @@\n-x\n+y\n-- \n2.39.2\n\n").encode()
    return fields(("From", "logwatch@host.example.org"), ("To", "root"), ("Subject", "Logwatch for host (Linux)"),
                  ("Date", letter.date()), ("Message-ID", letter.id)) + b"\n" + prose(dice, lines=30).encode()


def ancient(dice, letter):
    """Before MIME, and its first years: elm, sendmail V8, cc:Mail and X.400 gateways, uuencode, text/enriched."""
    style = dice.below(5)
    person = dice.pick(["fred@example.edu (Fred Foobar)", "fred", "Fred Foobar <FRED%EXVAX.BITNET@gate.example.edu>",
                        "\"/G=Fred/S=Foobar/O=Firm/ADMD= /C=GB/\"@mhs.example.uk", "host!uucp!fred@relay.example.edu"])
    day = dice.pick(["Mon, 7 Feb 94 21:52:25 PST", "Monday, 07-Feb-94 21:52:25 GMT", "7 Feb 1994 21:52 EST",
                     "Mon Feb  7 21:52:25 1994", "Fri, 31 Dec 99 23:59:59 -0500 (EST)"])
    head = fields(("Date", day), ("From", person), ("Message-Id", f"<9402080552.AA{letter.dice.between(10000, 99999)}@example.edu>"),
                  ("To", dice.pick(["staff@example.edu", "staff:;", "fred, barney@example.edu", "undisclosed-recipients:;"])),
                  ("Subject", letter.about), ("X-Mailer", dice.pick(["ELM [version 2.4 PL23]", "Z-Mail (3.2.0)", "cc:Mail"])))
    if style == 0:
        return head + b"\n" + prose(dice).encode() + b"\nbegin 644 a.txt\n#86)C\n`\nend\n"
    if style == 1:
        return head + fields(("Content-Type", "text")) + b"\n" + prose(dice).encode()
    if style == 2:
        return head + fields(("Mime-Version", "1.0"), ("Content-Type", "text/enriched; charset=iso-8859-1"), (
            "Content-Transfer-Encoding", "8bit")) + b"\n<bold>" + "schöne Grüße".encode("latin-1") + b"</bold>\n"
    if style == 3:
        return head + fields(("Mime-Version", "1.0"), ("Content-Type", "TEXT/PLAIN; charset=US-ASCII"),
                             ("Content-Length", "42"), ("Status", "RO")) + b"\n" + prose(dice).encode()
    return head + b"\n" + prose(dice).encode() + "Viele Grüße\n".encode("latin-1")


def kinds_of_parts(dice, letter):
    """Types that are rarer: parallel, AppleDouble, external-body, partial, form-data, speech, unknown ones."""
    boundary = dice.text(ALNUM, dice.between(1, 60))
    style = dice.below(5)
    if style == 0:
        kind, parts = "multipart/appledouble", [
            part("application/applefile; name=\"Report\"", b64(b"\0\x05\x16\x07" + dice.octets(40)), (
                "Content-Transfer-Encoding", "base64"), ("Content-Disposition", "attachment; filename=\"Report\"")),
            part("application/msword; name=\"Report\"; x-mac-type=\"5738424E\"; x-mac-creator=\"4D535744\"",
                 b64(dice.octets(60)), ("Content-Transfer-Encoding", "base64"))]
    elif style == 1:
        kind, parts = "multipart/parallel", [part("audio/basic", b64(dice.octets(50)), ("Content-Transfer-Encoding", "base64")),
                                             part("image/gif", b64(b"GIF89a"), ("Content-Transfer-Encoding", "base64"))]
    elif style == 2:
        kind, parts = "multipart/form-data", [
            b'Content-Disposition: form-data; name="field1"\n\nvalue\n',
            part("text/plain", b"file\n", ("Content-Disposition", 'form-data; name="files"; filename="a.txt"'))]
    elif style == 3:
        kind, parts = "multipart/mixed", [
            part('message/external-body; access-type=anon-ftp; site="ftp.example.org"; directory="pub"; name="x.ps"',
                 b"Content-Type: application/postscript\nContent-ID: <x@example.org>\n\nphantom\n"),
            part('message/partial; id="abc@example.org"; number=2; total=3', b"second piece\n"),
            part("video/mp4", b64(dice.octets(100)), ("Content-Transfer-Encoding", "base64"),
                 ("Content-Location", "http://example.org/a%20b.mp4"), ("Content-MD5", "Q2hlY2sgSW50ZWdyaXR5IQ=="),
                 ("Content-Language", "en, de-AT (Austria), fr"))]
    else:
        kind, parts = "multipart/x-mixed-replace", [part("application/vnd.example+xml; charset=utf-8; x=\"a;b\"", b"<a/>\n"),
                                                    b"\nno header\n", part("text/x-diff", b"-a\n+b\n")]
    return letter.head(MIME, ("Content-Type", f'{kind}; boundary="{boundary}"')) + b"\n" + multipart(
        boundary, parts, epilogue=dice.pick([b"", b"\n", b"epilogue\n"]))


def conversation(dice):
    """A thread: replies with References, some with In-Reply-To only, subjects that grow marks, one message missing."""
    first = Letter(dice)
    told, out = [first], [dice.pick([mutt, gmail])(dice, first)]
    chains = {first.id: []}
    for _ in range(dice.between(3, 10)):
        parent = dice.pick(told)
        mark = dice.pick(["Re: ", "RE: ", "Re[2]: ", "Aw: ", "Fwd: ", "re: [users] ", "", "Re : "])
        letter = Letter(dice, mark + parent.about, chains[parent.id] + [parent.id])
        letter.time = parent.time + dice.below(500_000)
        chains[letter.id] = letter.references
        told.append(letter)
        if dice.chance(15):
            continue  # never arrived
        if dice.chance(20):
            letter.references = letter.references[-1:]
        if dice.chance(25):
            letter.about = letter.about + " (fwd)"
        out.append(dice.pick([mutt, gmail, thunderbird, outlook, mailing_list])(dice, letter))
    return out


MAILERS = [
    (thunderbird, 40), (gmail, 25), (outlook, 30), (tnef, 8), (apple, 25), (mutt, 20), (attachment, 40), (plain_charset, 110),
    (mailing_list, 25), (digest, 15), (bounce, 25), (old_bounce, 8), (receipt, 8), (invitation, 12), (signed, 24), (forward, 30),
    (whole_message, 8), (newsletter, 20), (machine, 28), (ancient, 40), (kinds_of_parts, 35),
]


def ordinary(dice):
    """All of them, as (name, message)."""
    out = []
    for mailer, count in MAILERS:
        for number in range(count):
            out.append((f"{mailer.__name__}-{number}", mailer(dice, Letter(dice))))
    for number in range(15):
        for at, message in enumerate(conversation(dice)):
            out.append((f"conversation-{number}-{at}", message))
    return out
