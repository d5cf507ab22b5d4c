"""What messages are made of: random numbers that are the same everywhere, words, people, header fields, parts.
Python 3, standard library only."""

import base64


class Dice:
    """Random numbers (splitmix64): the same for a seed with every version of Python."""

    def __init__(self, seed):
        self.state = seed & (2**64 - 1)

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & (2**64 - 1)
        x = self.state
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        return x ^ (x >> 31)

    def below(self, n):
        return self.next() % n

    def between(self, low, high):
        """Both ends included."""
        return low + self.below(high - low + 1)

    def pick(self, things):
        return things[self.below(len(things))]

    def chance(self, percent):
        return self.below(100) < percent

    def text(self, alphabet, length):
        return "".join(self.pick(alphabet) for _ in range(length))

    def octets(self, length):
        return bytes(self.below(256) for _ in range(length))


HEX = "0123456789ABCDEF"
ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

# Charset, a name as senders write it, words in it. One line for every charset common in mail since 1990.
TONGUES = [
    ("ascii", "us-ascii", "the quick report about our meeting next week please send numbers before friday thanks"),
    ("latin-1", "iso-8859-1", "Grüße schöne Straße Übung naïve café déjà été señor año mañana coração"),
    ("iso8859-2", "iso-8859-2", "Příliš žluťoučký kůň úpěl ďábelské ódy zażółć gęślą jaźń"),
    ("iso8859-3", "iso-8859-3", "ĉiuĵaŭde eĥoŝanĝo Ġużeppi ħobża"),
    ("iso8859-4", "iso-8859-4", "ąžuolas šviesa ūkis ķirsis"),
    ("iso8859-5", "iso-8859-5", "Съешь ещё этих мягких булок"),
    ("iso8859-6", "iso-8859-6", "مرحبا بالعالم رسالة"),
    ("iso8859-7", "iso-8859-7", "Καλημέρα κόσμε Ελλάδα γράμμα"),
    ("iso8859-8", "iso-8859-8-I", "שלום עולם מכתב"),
    ("iso8859-9", "iso-8859-9", "İstanbul güneş çığ ığdır şeker"),
    ("iso8859-10", "iso-8859-10", "Þór ąčęė ŋ Sámi"),
    ("iso8859-13", "iso-8859-13", "Žalias šuo ąžuolų"),
    ("iso8859-14", "iso-8859-14", "Ŵyl ŷ ŵ Ċ ḃ"),
    ("iso8859-15", "iso-8859-15", "prix 10 € cœur Œuvre Žena"),
    ("iso8859-16", "iso-8859-16", "Țară și ființă Ădam"),
    ("cp1250", "windows-1250", "Příliš žluťoučký „kůň“ – €"),
    ("cp1251", "windows-1251", "Привет мир письмо «счёт» №5"),
    ("cp1252", "Windows-1252", "It’s a “smart” quote – 5 € … naïve"),
    ("cp1253", "windows-1253", "Ελληνικά γράμματα ’κι άλλα"),
    ("cp1254", "windows-1254", "Türkçe şiir ğ ı İ €"),
    ("cp1255", "windows-1255", "שלום ספר מכתב"),
    ("cp1256", "windows-1256", "مرحبا پارسی رسالة"),
    ("cp1257", "windows-1257", "Ūdens šķiņķis ąžuolas"),
    ("cp1258", "windows-1258", "Tiêng Viêt đ ơ ư"),
    ("koi8-r", "koi8-r", "Привет письмо отчёт за неделю"),
    ("koi8-u", "KOI8-U", "Привіт лист їжак ґанок"),
    ("mac-roman", "macintosh", "Crème brûlée – “naïve” ∞"),
    ("cp866", "ibm866", "Привет из ДОСа"),
    ("gb2312", "gb2312", "你好世界邮件报告会议"),
    ("gbk", "GBK", "你好 镕基 邮件 會議"),
    ("gb18030", "gb18030", "你好 䶮 𠮷 邮件"),
    ("big5", "big5", "你好世界 電子郵件 會議"),
    ("euc_jp", "euc-jp", "こんにちは世界 会議の報告"),
    ("iso2022_jp", "iso-2022-jp", "こんにちは世界 会議の報告 お知らせ"),
    ("shift_jis", "Shift_JIS", "こんにちは テスト 表示 能"),
    ("euc_kr", "ks_c_5601-1987", "안녕하세요 회의 보고서"),
    ("euc_kr", "euc-kr", "편지 보고서 다음 주"),
    ("utf-8", "utf-8", "Zoë 你好 Привет naïve ✓ 😀 e\u0301te\u0301 ﬁn"),
    ("utf-8", "UTF-8", "İstanbul Straße ÅNGSTRÖM Ⅷ ｆｕｌｌ ｗｉｄｔｈ"),
    ("utf-7", "unicode-1-1-utf-7", "Grüße aus Köln 10 €"),
]
ENGLISH = TONGUES[0][2].split() + (
    "invoice budget server backup migration release patch review lunch holiday ticket flight contract draft "
    "minutes agenda question answer photo garden weather kernel deadline project plan order delivery account "
    "password update newsletter sale garage concert homework teacher school team customer support network"
).split()
PEOPLE = [
    ("Ann Example", "ann", "example.org"), ("Bob Müller", "bob.mueller", "example.de"),
    ("Carol O'Neil", "carol", "mail.example.com"), ("Zoë van Dyk", "zoe", "example.nl"),
    ("田中 太郎", "tanaka", "example.jp"), ("Иван Петров", "ivan", "example.ru"),
    ("Dr. Eve, PhD", "eve+lists", "lists.example.net"), ("김철수", "kim", "example.kr"),
    ("", "frank", "example.org"), ("Grace \"Amazing\" H.", "grace", "example.mil"),
    ("Łukasz Żak", "lukasz", "example.pl"), ("Office", "office", "EXAMPLE.com"),
    ("Heidi (work)", "heidi_99", "sub.domain.example.co.uk"), ("support", "no-reply", "shop.example"),
    ("José Núñez", "jose", "example.es"), ("李雷", "lilei", "example.cn"),
]
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
ZONES = ["+0000", "-0800", "+0100", "+0530", "-0330", "+1300", "+0200", "-0500"]


def civil(days):
    """Days since 1970 → year, month, day."""
    z = days + 719468
    era = z // 146097
    doe = z - era * 146097
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    return yoe + era * 400 + (month <= 2), month, doy - (153 * mp + 2) // 5 + 1


def date(seconds, zone="+0000", pad=False):
    """A Date field's text."""
    offset = (int(zone[1:3]) * 60 + int(zone[3:])) * (60 if zone[0] == "+" else -60)
    days, rest = divmod(seconds + offset, 86400)
    year, month, day = civil(days)
    day = f"{day:02}" if pad else f"{day}"
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{DAYS[(days + 3) % 7]}, {day} {MONTHS[month - 1]} {year} {clock} {zone}"


def q_word(text, codec, charset):
    """Encoded words (RFC 2047), as many as are needed, split between characters."""
    return _words(text, codec, charset, "Q", _q)


def b_word(text, codec, charset):
    return _words(text, codec, charset, "B", lambda raw: base64.b64encode(raw).decode())


def _q(raw):
    return "".join(chr(b) if chr(b) in ALNUM else "_" if b == 32 else f"={b:02X}" for b in raw)


def _words(text, codec, charset, kind, encode):
    words, run = [], ""
    for character in text:
        if len(encode((run + character).encode(codec, "replace"))) > 45:
            words.append(run)
            run = ""
        run += character
    words.append(run)
    encoded_text = [encode(word.encode(codec, "replace")) for word in words]
    return "\n ".join(f"=?{charset}?{kind}?{text}?=" for text in encoded_text)


def encoded(text, dice=None):
    """A header's text: as it is where it is ASCII, else in encoded words."""
    if text.isascii():
        return text
    make = b_word if dice is not None and dice.chance(50) else q_word
    return make(text, "utf-8", "UTF-8" if dice is None or dice.chance(50) else "utf-8")


def mailbox(person, dice=None):
    name, local, domain = person
    if not name:
        return f"{local}@{domain}"
    if not name.isascii():
        name = encoded(name, dice)
    elif any(c in name for c in "()<>@,;:\\\".[]"):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{local}@{domain}>"


def qp(raw):
    """quoted-printable, lines of at most 76."""
    lines = []
    for line in raw.split(b"\n"):
        out, column = "", 0
        for at, b in enumerate(line):
            last = at + 1 == len(line)
            plain = 33 <= b <= 126 and b != 61 or b in (32, 9) and not last
            piece = chr(b) if plain else f"={b:02X}"
            if column + len(piece) > 75:
                out += "=\n"
                column = 0
            out += piece
            column += len(piece)
        lines.append(out)
    return "\n".join(lines).encode()


def b64(raw, width=76):
    text = base64.b64encode(raw)
    return b"\n".join(text[at : at + width] for at in range(0, len(text), width)) + b"\n"


def fields(*pairs):
    """Header fields, without the empty line."""
    out = b""
    for name, value in pairs:
        if value is not None:
            value = value if isinstance(value, bytes) else value.encode()
            out += name.encode() + b": " + value + b"\n"
    return out


def part(content_type, body, *more):
    """A part: header, empty line, body."""
    return fields(("Content-Type", content_type), *more) + b"\n" + body


def multipart(boundary, parts, preamble=b"", epilogue=b"", gap=b"\n"):
    """Parts between delimiters. Behind a multipart or message most mailers leave an empty line, Gmail for one does not."""
    mark = boundary.encode()
    body = preamble
    for one in parts:
        nested = one.endswith(b"--\n") or b"content-type: message/rfc822" in one.split(b"\n\n")[0].lower()
        body += b"--" + mark + b"\n" + one + (gap if nested else b"") + (b"" if one.endswith(b"\n") else b"\n")
    return body + b"--" + mark + b"--\n" + epilogue


def prose(dice, words=ENGLISH, lines=None):
    """Lines of words."""
    text = ""
    for _ in range(lines or dice.between(2, 8)):
        line = [dice.pick(words) for _ in range(dice.between(3, 11))]
        text += " ".join(line) + dice.pick([".", ",", "!", "?", ""]) + "\n"
    return text
