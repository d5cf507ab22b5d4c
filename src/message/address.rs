//! Address lists (RFC 5322 §3.4, §4.4) → envelope addresses, leniently.
//!
//! What is missing or broken is shown as Dovecot shows it (`MISSING_DOMAIN` and its like), but an error
//! ends only the address it is in: the next one begins after the next comma or semicolon.

use crate::imap::structure::Address;
use crate::message::header::compressed;
use crate::message::lexer::{Cursor, is_space};

/// Addresses and group marks kept of one list.
const ADDRESSES_MAX: usize = 10_000;

const MISSING_MAILBOX: &[u8] = b"MISSING_MAILBOX";
const MISSING_DOMAIN: &[u8] = b"MISSING_DOMAIN";
const SYNTAX_ERROR: &[u8] = b"SYNTAX_ERROR";
const INVALID_ROUTE: &[u8] = b"INVALID_ROUTE";

/// Reads the body of one address field and adds its addresses to `list`, up to the limit.
pub fn parse(body: &[u8], list: &mut Vec<Address>) {
    let mut cursor = Cursor::new(body);
    let mut in_group = false;
    while list.len() < ADDRESSES_MAX {
        // Empty elements are nothing (RFC 5322 §4.4).
        cursor.skip_cfws();
        match cursor.peek() {
            None => break,
            Some(b',') => {
                cursor.bump();
            }
            Some(b';') => {
                cursor.bump();
                if std::mem::take(&mut in_group) {
                    list.push(Address::default());
                }
            }
            Some(_) => match element(&mut cursor) {
                Some(Element::Mailbox(address)) => list.push(address),
                Some(Element::Group(name)) => {
                    // A group in a group is none; the first one ends here.
                    if std::mem::replace(&mut in_group, true) {
                        list.push(Address::default());
                    }
                    list.push(Address {
                        mailbox: Some(name),
                        ..Address::default()
                    });
                }
                None => {}
            },
        }
    }
    if in_group {
        list.push(Address::default());
    }
}

/// The addresses of a field, `local@domain` with a comma behind each, without the white space and comments that may
/// stand around their dots and their `@` (RFC 5322 §4.4). `None` where there is nothing of the kind.
pub fn without_blanks(body: &[u8]) -> Option<String> {
    let is_blank = |at: usize| {
        body.get(at)
            .is_some_and(|byte| is_space(*byte) || matches!(byte, b'(' | b')'))
    };
    memchr::memchr2_iter(b'@', b'.', body)
        .find(|at| at.checked_sub(1).is_some_and(is_blank) || is_blank(at + 1))?;
    let mut list = Vec::new();
    parse(body, &mut list);
    let mut text = Vec::new();
    for address in list {
        if let (Some(mailbox), Some(host)) = (address.mailbox, address.host) {
            text.extend(mailbox);
            text.push(b'@');
            text.extend(host);
            text.push(b',');
        }
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

enum Element {
    Mailbox(Address),
    /// The beginning of a group.
    Group(Vec<u8>),
}

/// Words that hang together by dots, with white space and comments allowed around these.
#[derive(Default)]
struct Run {
    /// The words with a space between two.
    phrase: Vec<u8>,
    /// The words without: what they are as a local part.
    local: Vec<u8>,
    /// How many there are.
    count: usize,
    /// One of them was quoted.
    quoted: bool,
    /// The last comment behind one of them.
    comment: Option<Vec<u8>>,
}

/// Takes a run of words. `None` if there is no word here.
fn run(cursor: &mut Cursor<'_>) -> Option<Run> {
    let mut run = Run::default();
    loop {
        let word = match cursor.quoted_string() {
            Some(word) => {
                run.quoted = true;
                word
            }
            None => match cursor.take_while(is_atom) {
                b"" => break,
                word => word.to_vec(),
            },
        };
        if run.count > 0 {
            run.phrase.push(b' ');
        }
        run.phrase.extend_from_slice(&word);
        run.local.extend_from_slice(&word);
        run.count += 1;
        run.comment = cursor.skip_cfws().or(run.comment);
        if !run.local.ends_with(b".") && cursor.peek() != Some(b'.') {
            break;
        }
    }
    Some(run).filter(|run| run.count > 0)
}

/// One address, or the beginning of a group. `None` where there is nothing but garbage.
fn element(cursor: &mut Cursor<'_>) -> Option<Element> {
    // All words so far are the name, if `<` comes, or a group's, if `:` comes; the last run is the
    // local part, if `@` comes.
    let mut phrase = Vec::new();
    let mut last: Option<Run> = None;
    let mut runs = 0_usize;
    loop {
        cursor.skip_cfws();
        match cursor.peek() {
            None | Some(b',' | b';') => break,
            Some(b'<') => {
                cursor.bump();
                append(&mut phrase, last);
                let mut address = angle(cursor);
                address.name = name(&phrase);
                skip_past(cursor, None);
                return Some(Element::Mailbox(address));
            }
            Some(b':') => {
                cursor.bump();
                append(&mut phrase, last);
                return Some(Element::Group(compressed(&phrase)));
            }
            Some(b'@') => {
                cursor.bump();
                return Some(Element::Mailbox(bare(cursor, phrase, last)));
            }
            Some(_) => match run(cursor) {
                Some(run) => {
                    append(&mut phrase, last.replace(run));
                    runs += 1;
                }
                None => {
                    cursor.bump();
                }
            },
        }
    }
    let last = last?;
    let mut address = Address {
        host: Some(MISSING_DOMAIN.to_vec()),
        ..Address::default()
    };
    if runs == 1 && last.count == 1 && !last.quoted {
        address.name = name(&last.comment.unwrap_or_default());
        address.mailbox = Some(compressed(&last.local));
    } else {
        append(&mut phrase, Some(last));
        address.name = Some(compressed(&phrase));
        address.mailbox = Some(MISSING_MAILBOX.to_vec());
    }
    Some(Element::Mailbox(address))
}

/// An address without brackets, from behind its `@` to its end. Where a bracket follows after all,
/// it holds the address, and what stood before is the name: `a@b <c@d>`.
fn bare(cursor: &mut Cursor<'_>, mut phrase: Vec<u8>, local: Option<Run>) -> Address {
    let mut comment = cursor.skip_cfws();
    let host = take_domain(cursor, &mut comment);
    let (words, local, earlier) = match local {
        Some(run) => (run.phrase, Some(run.local), run.comment),
        None => (Vec::new(), None, None),
    };
    if cursor.eat(b'<') {
        let mut address = angle(cursor);
        append_words(&mut phrase, &words);
        phrase.push(b'@');
        phrase.extend_from_slice(&host);
        address.name = name(&phrase);
        skip_past(cursor, None);
        return address;
    }
    skip_past(cursor, None);
    Address {
        name: name(&phrase).or_else(|| name(&comment.or(earlier).unwrap_or_default())),
        adl: None,
        mailbox: Some(or_missing(local, MISSING_MAILBOX)),
        host: Some(or_missing(
            Some(host).filter(|host| !host.is_empty()),
            MISSING_DOMAIN,
        )),
    }
}

fn append(phrase: &mut Vec<u8>, run: Option<Run>) {
    if let Some(run) = run {
        append_words(phrase, &run.phrase);
    }
}

fn append_words(phrase: &mut Vec<u8>, words: &[u8]) {
    if !phrase.is_empty() {
        phrase.push(b' ');
    }
    phrase.extend_from_slice(words);
}

/// What stands between `<` and `>`, and the `>`.
fn angle(cursor: &mut Cursor<'_>) -> Address {
    let mut address = Address::default();
    cursor.skip_cfws();
    if cursor.peek() == Some(b'@') {
        let route = route(cursor).unwrap_or_else(|| INVALID_ROUTE.to_vec());
        address.adl = Some(route);
        cursor.skip_cfws();
    }
    let local = run(cursor).map(|run| run.local);
    let mut host = None;
    if local.is_some() && cursor.eat(b'@') {
        cursor.skip_cfws();
        host = Some(take_domain(cursor, &mut None));
    }
    let whole = cursor.peek() == Some(b'>') && host.as_ref().is_none_or(|host| !host.is_empty());
    if !whole {
        host = Some(SYNTAX_ERROR.to_vec());
    }
    skip_past(cursor, Some(b'>'));
    address.mailbox = Some(or_missing(local, MISSING_MAILBOX));
    address.host = Some(or_missing(host, MISSING_DOMAIN));
    address
}

/// `@domain,@domain:` as one string. `None` if it does not end so.
fn route(cursor: &mut Cursor<'_>) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    loop {
        cursor.skip_cfws();
        match cursor.peek()? {
            b',' => {
                cursor.bump();
            }
            b':' => {
                cursor.bump();
                return Some(text);
            }
            b'@' => {
                cursor.bump();
                cursor.skip_cfws();
                if !text.is_empty() {
                    text.push(b',');
                }
                text.push(b'@');
                let domain = take_domain(cursor, &mut None);
                text.extend_from_slice(&compressed(&domain));
            }
            _ => return None,
        }
    }
}

/// A domain with white space and comments around its dots taken away, or a domain literal as written.
/// Empty if there is none. The last comment behind it is kept in `comment`.
fn take_domain(cursor: &mut Cursor<'_>, comment: &mut Option<Vec<u8>>) -> Vec<u8> {
    let mut domain = Vec::new();
    if cursor.peek() == Some(b'[') {
        domain = domain_literal(cursor);
    } else {
        loop {
            match cursor.take_while(is_atom) {
                b"" => break,
                more => domain.extend_from_slice(more),
            }
            *comment = cursor.skip_cfws().or(comment.take());
            if !domain.ends_with(b".") && cursor.peek() != Some(b'.') {
                break;
            }
        }
    }
    *comment = cursor.skip_cfws().or(comment.take());
    domain
}

fn domain_literal(cursor: &mut Cursor<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    while let Some(byte) = cursor.bump() {
        text.push(byte);
        match byte {
            b'\\' => text.extend(cursor.bump()),
            b']' => return text,
            _ => {}
        }
    }
    Vec::new()
}

/// Goes on to the separator that ends the address, or past `mark` if that comes first.
fn skip_past(cursor: &mut Cursor<'_>, mark: Option<u8>) {
    loop {
        cursor.skip_cfws();
        match cursor.peek() {
            None | Some(b',' | b';') => return,
            Some(b'"') if cursor.quoted_string().is_some() => {}
            Some(byte) => {
                cursor.bump();
                if mark == Some(byte) {
                    return;
                }
            }
        }
    }
}

fn name(text: &[u8]) -> Option<Vec<u8>> {
    Some(compressed(text)).filter(|text| !text.is_empty())
}

fn or_missing(text: Option<Vec<u8>>, missing: &[u8]) -> Vec<u8> {
    text.map_or_else(|| missing.to_vec(), |text| compressed(&text))
}

/// What an atom is here, dots included: anything that does not divide addresses.
fn is_atom(byte: u8) -> bool {
    !is_space(byte) && !b"()<>@,;:\"".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(body: &[u8]) -> String {
        let mut list = Vec::new();
        parse(body, &mut list);
        let show = |text: &Option<Vec<u8>>| match text {
            Some(text) => text.escape_ascii().to_string(),
            None => "-".to_owned(),
        };
        let all: Vec<_> = list
            .iter()
            .map(|address| {
                [&address.name, &address.adl, &address.mailbox, &address.host]
                    .map(show)
                    .join("|")
            })
            .collect();
        all.join(" ; ")
    }

    /// As Dovecot 2.3.19 answers.
    #[test]
    fn as_dovecot_shows_them() {
        let table: &[(&str, &str)] = &[
            ("a@b", "-|-|a|b"),
            ("Ann <a@b>", "Ann|-|a|b"),
            (
                "\"A, \\\"B\\\"\" <a@b>, c@d",
                "A, \\\"B\\\"|-|a|b ; -|-|c|d",
            ),
            ("Dr. No <a@b>", "Dr. No|-|a|b"),
            ("A.B <c@d>", "A.B|-|c|d"),
            ("\"A\".B <c@d>", "A .B|-|c|d"),
            ("A(c)\"B\"C <c@d>", "A B C|-|c|d"),
            ("\"a\t\tb\"  c\td <c@d>", "a b c d|-|c|d"),
            ("\"\" <a@b>", "-|-|a|b"),
            ("<@r:a@b>", "-|@r|a|b"),
            ("x <@r , , @s : a@b>", "x|@r,@s|a|b"),
            ("<@r1>", "-|INVALID_ROUTE|MISSING_MAILBOX|MISSING_DOMAIN"),
            ("<@a:b", "-|@a|b|SYNTAX_ERROR"),
            ("a", "-|-|a|MISSING_DOMAIN"),
            ("a.b", "-|-|a.b|MISSING_DOMAIN"),
            ("a b", "a b|-|MISSING_MAILBOX|MISSING_DOMAIN"),
            ("\"a\"", "a|-|MISSING_MAILBOX|MISSING_DOMAIN"),
            ("<>", "-|-|MISSING_MAILBOX|MISSING_DOMAIN"),
            ("@b", "-|-|MISSING_MAILBOX|b"),
            ("a@", "-|-|a|MISSING_DOMAIN"),
            ("<a>", "-|-|a|MISSING_DOMAIN"),
            ("<a@>", "-|-|a|SYNTAX_ERROR"),
            ("<a b@c>", "-|-|a|SYNTAX_ERROR"),
            ("<a@b c>", "-|-|a|SYNTAX_ERROR"),
            ("<<a@b>>", "-|-|MISSING_MAILBOX|SYNTAX_ERROR"),
            ("<a@b, c@d", "-|-|a|SYNTAX_ERROR ; -|-|c|d"),
            ("a..b@c", "-|-|a..b|c"),
            ("a@[1 . 2]", "-|-|a|[1 . 2]"),
            ("a@[1.2", "-|-|a|MISSING_DOMAIN"),
            ("a@[\\]] , c@d", "-|-|a|[\\\\]] ; -|-|c|d"),
            ("<\"a b\"@c>", "-|-|a b|c"),
            ("\"\"@c", "-|-||c"),
            ("a@b (c1) (c2)", "c2|-|a|b"),
            ("a(c1)@b", "c1|-|a|b"),
            ("(c) a@b", "-|-|a|b"),
            ("<a@b> (n)", "-|-|a|b"),
            ("(c)", ""),
            ("", ""),
            (
                "g: a@b, c@d; e@f",
                "-|-|g|- ; -|-|a|b ; -|-|c|d ; -|-|-|- ; -|-|e|f",
            ),
            ("g:;", "-|-|g|- ; -|-|-|-"),
            ("\"q g\" h: (c)", "-|-|q g h|- ; -|-|-|-"),
            ("g: a", "-|-|g|- ; -|-|a|MISSING_DOMAIN ; -|-|-|-"),
        ];
        for (body, expected) in table {
            assert_eq!(render(body.as_bytes()), *expected, "{body}");
        }
    }

    /// Where Dovecot loses an address, or all that follow.
    #[test]
    fn better_than_dovecot() {
        let table: &[(&str, &str)] = &[
            // RFC 5322 §4.4: obs-local-part, obs-domain.
            ("john . smith @ example . org", "-|-|john.smith|example.org"),
            ("\"foo\".bar@x", "-|-|foo.bar|x"),
            // RFC 5322 §4.4: obs-addr-list has empty elements.
            (",,a@b,,", "-|-|a|b"),
            ("a@b.", "-|-|a|b."),
            ("a@\x0c", "-|-|a|\\x0c"),
            ("a@b <c@d>, e@f", "a@b|-|c|d ; -|-|e|f"),
            (
                "one two@three, four@five",
                "one|-|two|three ; -|-|four|five",
            ),
            ("a@b; c@d", "-|-|a|b ; -|-|c|d"),
            ("a@@b, c@d", "-|-|a|MISSING_DOMAIN ; -|-|c|d"),
            ("a@b> , c@d", "-|-|a|b ; -|-|c|d"),
            ("a@b c, d@e", "-|-|a|b ; -|-|d|e"),
            ("\"open <a@b>, c@d", "open|-|a|b ; -|-|c|d"),
            ("(open a@b, c@d", "open|-|a|b ; -|-|c|d"),
            (
                "Ann (x <a@b>, Bob (work) <c@d>, e@f (Eve)",
                "Ann x|-|a|b ; Bob|-|c|d ; Eve|-|e|f",
            ),
            ("\"a\\\" <c@d>, e@f", "a\\\\|-|c|d ; -|-|e|f"),
            ("[x] a\\b <c@d>", "[x] a\\\\b|-|c|d"),
            (
                "g: a@x, h: b@y;;, c@z",
                "-|-|g|- ; -|-|a|x ; -|-|-|- ; -|-|h|- ; -|-|b|y ; -|-|-|- ; -|-|c|z",
            ),
        ];
        for (body, expected) in table {
            assert_eq!(render(body.as_bytes()), *expected, "{body}");
        }
    }

    #[test]
    fn addresses_without_blanks() {
        let plain = |body: &str| without_blanks(body.as_bytes());
        assert_eq!(plain("Ann <ann@example.org>, b@c"), None);
        assert_eq!(
            plain("Dr. Ann <ann (x) . b @(at)example .\r\n org>, c@d").unwrap(),
            "ann.b@example.org,c@d,"
        );
        assert_eq!(plain("a.(x)").unwrap(), "a.@MISSING_DOMAIN,");
    }

    #[test]
    fn hostile() {
        for text in [
            "\\", "\"\\", "(\\", "<", "<@", ":", ";", ">", "@", ".", "[", "<\"", "a@[\\",
        ] {
            let body = text.repeat(100_000);
            let mut list = Vec::new();
            parse(body.as_bytes(), &mut list);
            assert!(list.len() <= ADDRESSES_MAX + 2, "{text}");
        }
        let mut list = Vec::new();
        parse("a@b,".repeat(ADDRESSES_MAX * 2).as_bytes(), &mut list);
        assert_eq!(list.len(), ADDRESSES_MAX);
    }
}
