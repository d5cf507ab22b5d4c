//! The grammar of LMTP's commands (RFC 2033 §4, RFC 5321 §4.1): a line in, a value out. It knows what is said, not
//! whether it may be said now.

use super::xclient::{self, Attribute};

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// LHLO: who speaks; `None`: a name that is none.
    Lhlo(Option<String>),
    /// MAIL.
    Mail(Mail),
    /// RCPT: an address.
    Rcpt(Address),
    /// DATA.
    Data,
    /// BDAT (RFC 3030): so many octets follow, and whether they are the last.
    Bdat(u64, bool),
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// VRFY.
    Vrfy,
    /// XCLIENT: what is said of whom the client speaks for.
    Xclient(Vec<Attribute>),
    /// QUIT.
    Quit,
}

/// Who sends, and what is said of the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// The reverse-path without its brackets; empty for the null one.
    pub sender: String,
    /// Octets that are announced (RFC 1870).
    pub size: Option<u64>,
}

/// A mailbox on the wire: `local@domain` or `local`, as it was written, without its brackets and route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// All of it, to be shown.
    pub text: String,
    /// The user's name: without quotation marks and sub-address, with the domain if there is one. `None`: no user has such
    /// a name.
    pub user: Option<String>,
    /// What stands behind the [`DELIMITER`], as far as anything does that may be a mailbox.
    pub detail: Option<String>,
}

/// Stands between a user's name and a sub-address (RFC 5233).
const DELIMITER: char = '+';

/// Why a line is no command: a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong(pub &'static str);

const UNKNOWN: Wrong = Wrong("500 5.5.1 Unknown command");
const SYNTAX: Wrong = Wrong("501 5.5.4 Invalid parameters");
const TOO_LARGE: Wrong = Wrong("552 5.3.4 Message too large");
const UNSUPPORTED: Wrong = Wrong("555 5.5.4 Unsupported parameters");

/// The longest path: RFC 5321 §4.5.3.1.3 asks for 256 octets, RFC 6531 for more.
const PATH_MAX: usize = 1024;

/// A line without its end.
///
/// # Errors
///
/// The reply where it is no command.
pub fn parse(line: &[u8]) -> Result<Command, Wrong> {
    // What is not UTF-8 is no mistake of the client's: it passes on what somebody has sent.
    let line = &*String::from_utf8_lossy(line);
    if line.chars().any(char::is_control) {
        return Err(Wrong("500 5.5.2 Invalid command syntax"));
    }
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim_matches(' ');
    let bare = |command| match rest {
        "" => Ok(command),
        _ => Err(SYNTAX),
    };
    match verb.to_ascii_uppercase().as_str() {
        "LHLO" => match rest {
            "" => Err(Wrong("501 5.5.4 Missing hostname")),
            name => Ok(Command::Lhlo(is_host(name).then(|| name.to_owned()))),
        },
        "MAIL" => mail(rest),
        "RCPT" => rcpt(rest),
        "DATA" => bare(Command::Data),
        "BDAT" => bdat(rest),
        "RSET" => bare(Command::Rset),
        "NOOP" => Ok(Command::Noop),
        "VRFY" => Ok(Command::Vrfy),
        "XCLIENT" => xclient::parse(rest).map(Command::Xclient).ok_or(SYNTAX),
        "QUIT" => bare(Command::Quit),
        _ => Err(UNKNOWN),
    }
}

/// Whether a name is one, or an address literal: what may stand in a Received field.
pub(super) fn is_host(name: &str) -> bool {
    let inner = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let of = |text: &str, more: &[u8]| {
        (1..=255).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte) || byte >= 0x80)
            && !text.contains(char::REPLACEMENT_CHARACTER)
    };
    match inner {
        Some(literal) => of(literal, b".:-"),
        None => of(name, b".-_"),
    }
}

/// What follows `MAIL`.
fn mail(rest: &str) -> Result<Command, Wrong> {
    let rest = strip_word(rest, "FROM:").ok_or(SYNTAX)?;
    let (path, parameters) = path(rest).map_err(|why| match why {
        NoPath::Open => Wrong("501 5.5.4 Invalid FROM: Missing '<' at beginning of path"),
        NoPath::Bad => Wrong("501 5.5.4 Invalid FROM: Invalid path"),
    })?;
    let mut mail = Mail {
        sender: path.to_owned(),
        size: None,
    };
    for parameter in parameters.split_ascii_whitespace() {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match (key.to_ascii_uppercase().as_str(), value) {
            ("SIZE", value) => mail.size = Some(size(value)?),
            ("BODY", value)
                if value.eq_ignore_ascii_case("7BIT") || value.eq_ignore_ascii_case("8BITMIME") => {
            }
            ("SMTPUTF8", "") => {}
            _ => return Err(UNSUPPORTED),
        }
    }
    Ok(Command::Mail(mail))
}

/// How large the message will be. A number that is too large to be one is larger than any message.
fn size(value: &str) -> Result<u64, Wrong> {
    let is_number = !value.is_empty() && value.bytes().all(|octet| octet.is_ascii_digit());
    match value.parse() {
        Ok(size) => Ok(size),
        Err(_) if is_number => Err(TOO_LARGE),
        Err(_) => Err(SYNTAX),
    }
}

/// What follows `RCPT`.
fn rcpt(rest: &str) -> Result<Command, Wrong> {
    let rest = strip_word(rest, "TO:").ok_or(SYNTAX)?;
    let (path, parameters) = path(rest).map_err(|why| match why {
        NoPath::Open => Wrong("501 5.5.4 Invalid TO: Missing '<' at beginning of path"),
        NoPath::Bad => Wrong("501 5.5.4 Invalid TO: Invalid path"),
    })?;
    if path.is_empty() {
        return Err(Wrong("501 5.5.4 Invalid TO: Path is empty"));
    }
    for parameter in parameters.split_ascii_whitespace() {
        let (key, _) = parameter.split_once('=').unwrap_or((parameter, ""));
        // Of RFC 3461, unasked for, and taken by Dovecot too.
        if !matches!(key.to_ascii_uppercase().as_str(), "ORCPT" | "NOTIFY") {
            return Err(UNSUPPORTED);
        }
    }
    Ok(Command::Rcpt(Address::parse(path)))
}

fn bdat(rest: &str) -> Result<Command, Wrong> {
    let mut words = rest.split_ascii_whitespace();
    let size = words
        .next()
        .filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
    let size = size.and_then(|word| word.parse().ok()).ok_or(SYNTAX)?;
    match (words.next(), words.next()) {
        (None, _) => Ok(Command::Bdat(size, false)),
        (Some(last), None) if last.eq_ignore_ascii_case("LAST") => Ok(Command::Bdat(size, true)),
        _ => Err(SYNTAX),
    }
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (front, rest) = text.split_at_checked(word.len())?;
    // Some leave a space there.
    front
        .eq_ignore_ascii_case(word)
        .then(|| rest.trim_start_matches(' '))
}

/// Why there is no path.
enum NoPath {
    Open,
    Bad,
}

/// A path in its brackets, without a source route (RFC 5321 §4.1.1.3), and what follows it. What stands in it may be
/// broken: to refuse a sender for that would send the message back to it.
fn path(text: &str) -> Result<(&str, &str), NoPath> {
    let inner = text.strip_prefix('<').ok_or(NoPath::Open)?;
    let mut quoted = false;
    let mut escaped = false;
    let end = inner.char_indices().find(|(_, letter)| {
        match (*letter, escaped) {
            (_, true) => escaped = false,
            ('\\', _) if quoted => escaped = true,
            ('"', _) => quoted = !quoted,
            ('>', _) => return !quoted,
            _ => {}
        }
        false
    });
    let end = end.map(|(at, _)| at).or_else(|| inner.find('>'));
    let at = end.ok_or(NoPath::Bad)?;
    let (path, rest) = inner.split_at(at);
    let rest = rest.strip_prefix('>').unwrap_or_default();
    let path = match path.strip_prefix('@') {
        Some(route) => route.split_once(':').ok_or(NoPath::Bad)?.1,
        None => path,
    };
    let apart = rest.is_empty() || rest.starts_with(' ');
    match apart && path.len() <= PATH_MAX {
        true => Ok((path, rest)),
        false => Err(NoPath::Bad),
    }
}

impl Address {
    /// Takes an address apart, in which what was not UTF-8 has been replaced: such a name is nobody's, or it might be
    /// taken for another's, and such a sub-address no mailbox's. What is no address has a name that no user has.
    pub fn parse(text: &str) -> Address {
        let is_whole = |text: &String| !text.contains(char::REPLACEMENT_CHARACTER);
        let (local, domain) = match text.rsplit_once('@') {
            Some((local, domain)) if !domain.contains('"') => (local, Some(domain)),
            _ => (text, None),
        };
        let local = unquoted(local);
        let (name, detail) = match local.split_once(DELIMITER) {
            Some((name, detail)) if !name.is_empty() => (name, Some(detail.to_owned())),
            _ => (local.as_str(), None),
        };
        let user = match domain {
            Some(domain) => format!("{name}@{domain}"),
            None => name.to_owned(),
        };
        Address {
            text: text.to_owned(),
            user: Some(user).filter(is_whole),
            detail: detail.filter(|detail| !detail.is_empty() && is_whole(detail)),
        }
    }
}

/// A local part without its quotation marks.
fn unquoted(local: &str) -> String {
    let inner = local
        .strip_prefix('"')
        .and_then(|local| local.strip_suffix('"'));
    let Some(inner) = inner else {
        return local.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => out.extend(letters.next()),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> (String, Option<String>) {
        let Address { user, detail, .. } = Address::parse(text);
        (user.unwrap(), detail)
    }

    #[test]
    fn commands() {
        let mail = |sender: &str, size| {
            Ok(Command::Mail(Mail {
                sender: sender.to_owned(),
                size,
            }))
        };
        for (line, parsed) in [
            (
                "LHLO mx.example.org",
                Ok(Command::Lhlo(Some("mx.example.org".to_owned()))),
            ),
            (
                "lhlo [IPv6:2001:db8::1]",
                Ok(Command::Lhlo(Some("[IPv6:2001:db8::1]".to_owned()))),
            ),
            ("LHLO a(b", Ok(Command::Lhlo(None))),
            ("LHLO", Err(Wrong("501 5.5.4 Missing hostname"))),
            ("EHLO x", Err(UNKNOWN)),
            ("HELO x", Err(UNKNOWN)),
            ("", Err(UNKNOWN)),
            ("MAIL FROM:<a@b>", mail("a@b", None)),
            ("mail from: <>", mail("", None)),
            (
                "MAIL FROM:<a@b> SIZE=7 BODY=8bitmime SMTPUTF8",
                mail("a@b", Some(7)),
            ),
            ("MAIL FROM:<@one,@two:a@b>", mail("a@b", None)),
            ("MAIL FROM:<\"a> b\"@c>", mail("\"a> b\"@c", None)),
            ("MAIL FROM:<a\"b,c d@e>", mail("a\"b,c d@e", None)),
            ("MAIL FROM:<a@b> SIZE=x", Err(SYNTAX)),
            ("MAIL FROM:<a@b> SIZE=", Err(SYNTAX)),
            (
                "MAIL FROM:<a@b> SIZE=18446744073709551615",
                mail("a@b", Some(u64::MAX)),
            ),
            ("MAIL FROM:<a@b> SIZE=18446744073709551616", Err(TOO_LARGE)),
            ("MAIL FROM:<a@b> BODY=BINARYMIME", Err(UNSUPPORTED)),
            ("MAIL FROM:<a@b> AUTH=<>", Err(UNSUPPORTED)),
            (
                "MAIL FROM:<a@b",
                Err(Wrong("501 5.5.4 Invalid FROM: Invalid path")),
            ),
            (
                "MAIL FROM:<a@b>x",
                Err(Wrong("501 5.5.4 Invalid FROM: Invalid path")),
            ),
            (
                "RCPT TO:ann",
                Err(Wrong(
                    "501 5.5.4 Invalid TO: Missing '<' at beginning of path",
                )),
            ),
            (
                "RCPT TO:<>",
                Err(Wrong("501 5.5.4 Invalid TO: Path is empty")),
            ),
            (
                "RCPT TO:<a@b> ORCPT=rfc822;x NOTIFY=NEVER",
                Ok(Command::Rcpt(Address::parse("a@b"))),
            ),
            ("RCPT TO:<a@b> X=1", Err(UNSUPPORTED)),
            ("DATA", Ok(Command::Data)),
            ("DATA x", Err(SYNTAX)),
            ("BDAT 12", Ok(Command::Bdat(12, false))),
            ("bdat 0 last", Ok(Command::Bdat(0, true))),
            ("BDAT -1", Err(SYNTAX)),
            ("BDAT 18446744073709551616", Err(SYNTAX)),
            ("BDAT 1 LAST x", Err(SYNTAX)),
            ("RSET", Ok(Command::Rset)),
            ("NOOP whatever", Ok(Command::Noop)),
            ("VRFY ann", Ok(Command::Vrfy)),
            ("QUIT", Ok(Command::Quit)),
            (
                "xclient PORT=1",
                Ok(Command::Xclient(vec![Attribute::Other])),
            ),
            ("XCLIENT", Err(SYNTAX)),
            ("XCLIENT PORT", Err(SYNTAX)),
        ] {
            assert_eq!(parse(line.as_bytes()), parsed, "{line}");
        }
        for bad in [&b"NOOP \0"[..], b"MAIL FROM:<a\rb>", b"RCPT TO:<a\tb>"] {
            assert_eq!(
                parse(bad),
                Err(Wrong("500 5.5.2 Invalid command syntax")),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn addresses_have_a_user_and_perhaps_a_mailbox() {
        let of = |user: &str, detail: Option<&str>| (user.to_owned(), detail.map(str::to_owned));
        for (text, parts) in [
            ("bob@example.org", of("bob@example.org", None)),
            ("bob+Box@example.org", of("bob@example.org", Some("Box"))),
            ("bob+a+b@example.org", of("bob@example.org", Some("a+b"))),
            ("bob+@example.org", of("bob@example.org", None)),
            ("bob", of("bob", None)),
            ("+x@example.org", of("+x@example.org", None)),
            (
                "\"bob+My Box\"@example.org",
                of("bob@example.org", Some("My Box")),
            ),
            ("\"b\\\"b\"@c", of("b\"b@c", None)),
            ("\"a@b\"@c", of("a@b@c", None)),
            ("../x@example.org", of("../x@example.org", None)),
        ] {
            assert_eq!(address(text), parts, "{text}");
        }
    }

    #[test]
    fn octets_that_are_no_letters_name_nobody_else() {
        let rcpt = |line: &[u8]| match parse(line) {
            Ok(Command::Rcpt(Address { text, user, detail })) => (text, user, detail),
            other => panic!("{other:?}"),
        };
        let text = |text: &str| text.to_owned();
        assert_eq!(
            rcpt(b"RCPT TO:<b\xf6b@example.org>"),
            (text("b\u{fffd}b@example.org"), None, None)
        );
        assert_eq!(
            rcpt("RCPT TO:<b\u{fffd}b@example.org>".as_bytes()),
            (text("b\u{fffd}b@example.org"), None, None)
        );
        assert_eq!(
            rcpt(b"RCPT TO:<bob+B\xf6x@c>"),
            (text("bob+B\u{fffd}x@c"), Some(text("bob@c")), None)
        );
        let Ok(Command::Mail(mail)) = parse(b"MAIL FROM:<s\xff@t>") else {
            panic!("a sender is taken");
        };
        assert_eq!(mail.sender, "s\u{fffd}@t");
        assert_eq!(parse(b"LHLO \xff"), Ok(Command::Lhlo(None)));
        assert_eq!(parse(b"NOOP \xff"), Ok(Command::Noop));
        assert_eq!(parse(b"\xff"), Err(UNKNOWN));
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_too_much(line in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = parse(&line);
            let _ = parse(&[b"RCPT TO:<".as_slice(), &line, b">"].concat());
        }
    }
}
