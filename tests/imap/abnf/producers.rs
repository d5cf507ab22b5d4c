//! What the grammar leaves to prose: numbers within their bounds, days that exist, literals as long as they say,
//! base64 of something, names and charsets that mean something now and then.

use super::walk::{Pause, Walk};
use crate::harness::{message, server};

pub enum Producer {
    /// Says it all itself.
    Instead(fn(&mut Walk<'_>)),
    /// Now and then, or in part, leaves it to the rule.
    Around(fn(&mut Walk<'_>)),
}

/// The rules that are never expanded by their definitions.
pub const INSTEAD: &[&str] = &[
    "base64",
    "crlf",
    "date-text",
    "date-time",
    "literal",
    "literal8",
    "number64",
    "nz-number",
    "nz-number64",
    "tag",
];

pub fn of(rule: &str) -> Option<Producer> {
    use Producer::{Around, Instead};
    Some(match rule {
        "auth-type" => Around(auth_type),
        "base64" => Instead(base64),
        "capability" => Around(|walk| {
            known(walk, &["IMAP4rev2", "UTF8=ACCEPT", "CONDSTORE", "IDLE"], 3);
        }),
        "cat-url" => Around(|walk| {
            known(walk, &["/INBOX/;UID=1", "\";UID=*\"", "{6+}\r\n;UID=2"], 3);
        }),
        "charset" => Around(|walk| known(walk, &["UTF-8", "US-ASCII", "\"ISO-8859-1\""], 2)),
        "crlf" => Instead(|walk| {
            walk.say(b"\r\n");
            walk.said.pauses.push((walk.said.octets.len(), Pause::Line));
        }),
        "date-text" => Instead(date_text),
        "date-time" => Instead(date_time),
        "flag-extension" => Instead(flag_extension),
        "header-fld-name" => Around(|walk| {
            known(walk, &["Subject", "\"From\"", "{2+}\r\nTo", "X-None"], 2);
        }),
        "initial-resp" => Around(initial_response),
        "list-mailbox" => Around(|walk| mailbox(walk, "list-mailbox")),
        "literal" => Instead(|walk| literal(walk, false)),
        "literal8" => Instead(|walk| literal(walk, true)),
        "mailbox" => Around(|walk| mailbox(walk, "mailbox")),
        "number64" => Instead(|walk| number(walk, 0, i64::MAX as u64)),
        "nz-number" => Instead(|walk| number(walk, 1, u64::from(u32::MAX))),
        "nz-number64" => Instead(|walk| number(walk, 1, i64::MAX as u64)),
        "password" => Around(|walk| credential(walk, server::PASSWORD, "password")),
        "tag" => Instead(tag),
        "userid" => Around(|walk| credential(walk, server::USER, "userid")),
        _ => return None,
    })
}

/// One of some words, or once in `odds` what the rule in hand says.
fn known(walk: &mut Walk<'_>, words: &[&str], odds: u64) {
    let rule = walk.within.last().unwrap().clone();
    if walk.once_in(odds) {
        return walk.body(&rule);
    }
    let word = walk.pick(words);
    walk.say(word.as_bytes());
}

/// No tag twice: the responses must be told apart.
fn tag(walk: &mut Walk<'_>) {
    const CHARACTERS: &[u8] = b"!#$&',-./09:;<=>?@AZ[]^_`az|~";
    for _ in 0..walk.chance.below(4) {
        let character = walk.pick(CHARACTERS);
        walk.say(&[character]);
    }
    let count = walk.count.to_string();
    walk.say(count.as_bytes());
}

/// Small ones mostly, for mailboxes here are small too.
fn number(walk: &mut Walk<'_>, least: u64, most: u64) {
    let number = match walk.chance.below(12) {
        0 => most,
        1 => least,
        2 => walk.chance.next() % (most - least) + least,
        3 => walk.chance.below(1000).max(least),
        _ => walk.chance.below(8).max(least),
    };
    // "number64 = 1*DIGIT": zeroes may stand at its front, but for an nz-number.
    let zeroes = if least == 0 && walk.once_in(20) {
        "00"
    } else {
        ""
    };
    walk.say(format!("{zeroes}{number}").as_bytes());
}

/// "{" number64 ["+"] "}" CRLF *CHAR8, of the length that it says. "Non-synchronizing literals MUST NOT be larger
/// than 4096 octets" (RFC 9051 §4.3).
fn literal(walk: &mut Walk<'_>, binary: bool) {
    let is_message = walk.within.iter().any(|rule| rule.starts_with("append"))
        && !(walk.within.iter()).any(|rule| rule == "mailbox" || rule == "cat-url");
    let octets = match walk.chance.below(40) {
        0 => Vec::new(),
        // Of ID, values "MUST NOT be longer than 1024 octets" (RFC 2971 §3.3).
        1 if !walk.said.has("id") => random(walk, 5000, binary),
        2..30 if is_message => mail(walk),
        _ => {
            let length = walk.chance.below(20);
            random(walk, length, binary)
        }
    };
    let plus = octets.len() <= 4096 && walk.once_in(2);
    if binary {
        walk.say(b"~");
    }
    walk.say(format!("{{{}{}}}\r\n", octets.len(), if plus { "+" } else { "" }).as_bytes());
    if !plus {
        let at = walk.said.octets.len();
        walk.said.pauses.push((at, Pause::Literal));
    }
    walk.say(&octets);
}

/// Octets, NUL among them only where `nul`; valid UTF-8 where text is wanted.
fn random(walk: &mut Walk<'_>, length: u64, nul: bool) -> Vec<u8> {
    let least = u64::from(!nul);
    let octets = (0..length).map(|_| (walk.chance.below(256 - least) + least) as u8);
    let octets: Vec<u8> = octets.collect();
    match walk.text {
        true => octets
            .iter()
            .map(|octet| char::from(*octet))
            .collect::<String>()
            .into_bytes(),
        false => octets,
    }
}

fn mail(walk: &mut Walk<'_>) -> Vec<u8> {
    let nested = format!(
        "Subject: nested\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n\
         Content-Type: message/rfc822\r\n\r\n{}\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Type: image/png; name*=utf-8''%C3%A4\r\n\r\nAAEC\r\n--b\r\nContent-Transfer-Encoding: x-new\r\n\r\n?\r\n--b--\r\n",
        message("inner")
    );
    match walk.chance.below(3) {
        0 => nested.into_bytes(),
        _ => message("plain").into_bytes(),
    }
}

fn date_text(walk: &mut Walk<'_>) {
    let (day, month, year) = day(walk);
    let day = match walk.once_in(2) {
        true => day.to_string(),
        false => format!("{day:02}"),
    };
    walk.say(format!("{day}-{month}-{year:04}").as_bytes());
}

fn date_time(walk: &mut Walk<'_>) {
    let (day, month, year) = day(walk);
    let day = match walk.once_in(2) {
        true => format!("{day:2}"),
        false => format!("{day:02}"),
    };
    let [hour, minute, second] = [24, 60, 61].map(|end| walk.chance.below(end));
    let [sign, zone_hour, zone_minute] = [2, 15, 60].map(|end| walk.chance.below(end));
    let sign = if sign == 0 { '+' } else { '-' };
    walk.say(
        format!(
            "\"{day}-{month}-{year:04} {hour:02}:{minute:02}:{second:02} {sign}{zone_hour:02}{zone_minute:02}\""
        )
        .as_bytes(),
    );
}

fn day(walk: &mut Walk<'_>) -> (u64, &'static str, u64) {
    let (month, days) = walk.pick(&[
        ("Jan", 31),
        ("FEB", 28),
        ("mar", 31),
        ("Apr", 30),
        ("May", 31),
        ("Jun", 30),
        ("Jul", 31),
        ("Aug", 31),
        ("Sep", 30),
        ("Oct", 31),
        ("Nov", 30),
        ("dEC", 31),
    ]);
    let year = match walk.once_in(4) {
        true => walk.chance.below(10_000),
        false => 1990 + walk.chance.below(40),
    };
    (walk.chance.below(days) + 1, month, year)
}

/// A name that may exist, in any form of an astring; or any other. "In IMAP4rev2, mailbox names are encoded in
/// Net-Unicode" (§5.1), so they are UTF-8 in literals too.
fn mailbox(walk: &mut Walk<'_>, rule: &str) {
    const NAMES: [&str; 9] = [
        "inbox",
        "Sent",
        "a",
        "a.b",
        "a.b.c",
        "Entwürfe",
        "&AOQ-",
        "x y",
        "cafe\u{301}",
    ];
    if walk.once_in(3) {
        walk.text = true;
        walk.body(rule);
        walk.text = false;
    } else {
        let name = walk.pick(&NAMES);
        astring(walk, name);
    }
}

fn astring(walk: &mut Walk<'_>, text: &str) {
    let plain = text
        .bytes()
        .all(|octet| octet.is_ascii_alphanumeric() || b".&-".contains(&octet));
    match walk.chance.below(4) {
        0 => {
            walk.say(format!("{{{}}}\r\n", text.len()).as_bytes());
            let at = walk.said.octets.len();
            walk.said.pauses.push((at, Pause::Literal));
            walk.say(text.as_bytes());
        }
        1 => walk.say(format!("{{{}+}}\r\n{text}", text.len()).as_bytes()),
        2 if plain => walk.say(text.as_bytes()),
        _ => walk.say(format!("\"{text}\"").as_bytes()),
    }
}

/// Of a failed login a server makes its client wait, so to one these are right.
fn credential(walk: &mut Walk<'_>, right: &str, rule: &str) {
    match walk.may_log_in {
        true => astring(walk, right),
        false => walk.body(rule),
    }
}

/// Any mechanism; to a server mostly PLAIN, for which the responses are right.
fn auth_type(walk: &mut Walk<'_>) {
    let login = walk.within.iter().any(|rule| rule == "authenticate");
    match walk.may_log_in && login && !walk.once_in(3) {
        true => walk.say(b"PLAIN"),
        false => walk.body("auth-type"),
    }
}

/// "To send a zero-length initial response, the client MUST send a single pad character" (§6.2.2): base64 is not
/// empty there. "=" is wrong for PLAIN.
fn initial_response(walk: &mut Walk<'_>) {
    match walk.may_log_in {
        true => walk.rule("base64"),
        false => walk.body("initial-resp"),
    }
}

/// What encodes something (RFC 4648 §3.5).
fn base64(walk: &mut Walk<'_>) {
    let octets = match walk.may_log_in {
        true => format!("\0{}\0{}", server::USER, server::PASSWORD).into_bytes(),
        false => {
            let length = walk.chance.below(30) + 1;
            random(walk, length, true)
        }
    };
    let text = base64_simd::STANDARD.encode_to_string(octets);
    walk.say(text.as_bytes());
}

/// What is for the future is refused until there is something by that name, as by Dovecot: "even though "\Seen" can be parsed
/// as a flag-extension" (RFC 3501 §9) it is one that there is.
fn flag_extension(walk: &mut Walk<'_>) {
    let flag = walk.pick(&["\\seen", "\\ANSWERED", "\\dRAFT"]);
    walk.say(flag.as_bytes());
}
