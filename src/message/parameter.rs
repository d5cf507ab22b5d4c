//! `value; attribute=value; …`: the bodies of Content-Type and Content-Disposition (RFC 2045 §5.1,
//! RFC 2183), with parameters continued over several (RFC 2231), and the single tokens of others.
//!
//! Values stay as written, charset and percent signs included, as clients of RFC 3501 want them; only the
//! pieces of a continued parameter are put together (RFC 2231 §6). [`decoded`] goes further.

use crate::imap::structure::Parameter;
use crate::message::charset::from_charset;
use crate::message::lexer::{Cursor, is_space};

/// Parameters kept of one field.
const PARAMETERS_MAX: usize = 200;

/// A media type with its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentType {
    /// `text`, as written.
    pub media_type: Vec<u8>,
    /// `plain`, as written.
    pub subtype: Vec<u8>,
    /// The parameters.
    pub parameters: Vec<Parameter>,
}

impl ContentType {
    /// Reads a Content-Type field's body. `None` if it does not begin with `type/subtype`: the default
    /// is then to be taken (RFC 2045 §5.2).
    pub fn parse(body: &[u8]) -> Option<ContentType> {
        let mut cursor = Cursor::new(body);
        cursor.skip_cfws();
        let media_type = cursor.take_while(is_token).to_vec();
        cursor.skip_cfws();
        if media_type.is_empty() || !cursor.eat(b'/') {
            return None;
        }
        cursor.skip_cfws();
        let subtype = cursor.take_while(is_token).to_vec();
        if subtype.is_empty() || cursor.has_open_comment() {
            return None;
        }
        Some(ContentType {
            media_type,
            subtype,
            parameters: parameters(&mut cursor),
        })
    }

    /// Whether it is `media_type/…`.
    pub fn is(&self, media_type: &[u8]) -> bool {
        self.media_type.eq_ignore_ascii_case(media_type)
    }

    /// Whether it is `…/subtype`.
    pub fn is_sub(&self, subtype: &[u8]) -> bool {
        self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// The value of the first parameter of that name.
    pub fn parameter(&self, name: &[u8]) -> Option<&[u8]> {
        self.parameters
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }
}

/// Content-Disposition: its type, which may be missing, and parameters.
pub fn disposition(body: &[u8]) -> (Vec<u8>, Vec<Parameter>) {
    let mut cursor = Cursor::new(body);
    cursor.skip_cfws();
    let kind = cursor.take_while(is_token).to_vec();
    (kind, parameters(&mut cursor))
}

/// The text of a parameter `name*`, whose value begins with a charset and a language (RFC 2231 §4). `None` for
/// other parameters, and where the charset is not known.
pub fn decoded(name: &[u8], value: &[u8]) -> Option<String> {
    name.strip_suffix(b"*")
        .filter(|name| !name.contains(&b'*'))?;
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    let (charset, _, mut text) = (parts.next()?, parts.next()?, parts.next()?);
    let mut octets = Vec::with_capacity(text.len());
    loop {
        text = match text {
            [] => break,
            [
                b'%',
                high @ (b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F'),
                low,
                rest @ ..,
            ] if low.is_ascii_hexdigit() => {
                octets.push(digit(*high) << 4 | digit(*low));
                rest
            }
            [byte, rest @ ..] => {
                octets.push(*byte);
                rest
            }
        };
    }
    let charset = match charset {
        b"" => b"utf-8",
        named => named,
    };
    from_charset(charset, &octets)
}

/// The value of a hexadecimal digit.
fn digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20).saturating_sub(b'a') + 10,
    }
}

/// The first token of a field, such as Content-Transfer-Encoding's.
pub fn token(body: &[u8]) -> &[u8] {
    let mut cursor = Cursor::new(body);
    cursor.skip_cfws();
    cursor.take_while(is_token)
}

/// The tags of Content-Language (RFC 3282), separated by commas.
pub fn languages(body: &[u8]) -> Vec<Vec<u8>> {
    let mut cursor = Cursor::new(body);
    let mut all = Vec::new();
    while all.len() < PARAMETERS_MAX {
        cursor.skip_cfws();
        let tag = match cursor.quoted_string() {
            Some(tag) => tag,
            None => cursor.take_while(is_token).to_vec(),
        };
        if !tag.is_empty() {
            all.push(tag);
        }
        skip_to(&mut cursor, b',');
        if !cursor.eat(b',') {
            break;
        }
    }
    all
}

/// `token` of RFC 2045 §5.1; 8-bit text is let in.
fn is_token(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !b"()<>@,;:\\\"/[]?=".contains(&byte)
}

/// Goes on to a separator that is in no comment or quoted string, or to the end.
fn skip_to(cursor: &mut Cursor<'_>, separator: u8) {
    loop {
        cursor.skip_cfws();
        match cursor.peek() {
            None => return,
            Some(byte) if byte == separator => return,
            Some(b'"') if cursor.quoted_string().is_some() => {}
            Some(_) => {
                cursor.bump();
            }
        }
    }
}

fn parameters(cursor: &mut Cursor<'_>) -> Vec<Parameter> {
    let mut plain = Vec::new();
    let mut pieces = Vec::new();
    while plain.len() + pieces.len() < PARAMETERS_MAX {
        skip_to(cursor, b';');
        if !cursor.eat(b';') {
            break;
        }
        cursor.skip_cfws();
        let name = cursor.take_while(is_token);
        cursor.skip_cfws();
        if !cursor.eat(b'=') {
            continue;
        }
        cursor.skip_cfws();
        let value = match cursor.quoted_string() {
            Some(value) => value,
            // All that follows stands within it, and nobody knows what of that was meant.
            None if cursor.peek() == Some(b'"') => break,
            // Mailers forget the quotes around `=`, `/`, `:` and their like, above all in boundaries.
            None => cursor
                .take_while(|byte| !is_space(byte) && !b";\"(".contains(&byte))
                .to_vec(),
        };
        match Piece::parse(name, &value) {
            Some(piece) => pieces.push(piece),
            None => plain.push((name.to_vec(), value)),
        }
    }
    plain.extend(joined(pieces));
    plain
}

/// One piece of a parameter whose name has asterisks: `name*`, `name*0`, `name*0*`.
struct Piece {
    name: Vec<u8>,
    /// `None` for `name*` without a number.
    number: Option<usize>,
    /// The name ends in an asterisk: the value has percent signs, the first one a charset.
    extended: bool,
    written: Parameter,
}

impl Piece {
    fn parse(written: &[u8], value: &[u8]) -> Option<Piece> {
        let star = memchr::memchr(b'*', written)?;
        let (name, rest) = written.split_at_checked(star)?;
        let (digits, extended) = match rest.get(1..)? {
            b"" => (&b""[..], true),
            [digits @ .., b'*'] => (digits, true),
            digits => (digits, false),
        };
        let number = match digits {
            b"" => None,
            _ => Some(std::str::from_utf8(digits).ok()?.parse().ok()?),
        };
        Some(Piece {
            name: name.to_ascii_lowercase(),
            number,
            extended,
            written: (written.to_vec(), value.to_vec()),
        })
    }
}

/// Puts the pieces 0, 1, 2 … of each name together. Where there is a gap, one piece twice, or both forms,
/// they stay as they were written, for the client to judge.
fn joined(mut pieces: Vec<Piece>) -> Vec<Parameter> {
    pieces.sort_by(|a, b| a.name.cmp(&b.name).then(a.number.cmp(&b.number)));
    let mut parameters = Vec::new();
    for group in pieces.chunk_by(|a, b| a.name == b.name) {
        let complete = group
            .iter()
            .enumerate()
            .all(|(at, piece)| piece.number == Some(at));
        if complete {
            parameters.extend(join(group));
        } else {
            parameters.extend(group.iter().map(|piece| piece.written.clone()));
        }
    }
    parameters
}

fn join(group: &[Piece]) -> Option<Parameter> {
    let first = group.first()?;
    let (mut name, _) = first.written.clone();
    name.truncate(first.name.len());
    let extended = group.iter().any(|piece| piece.extended);
    let mut value = Vec::new();
    if extended {
        name.push(b'*');
        if !first.extended {
            // Charset and language stand in the first piece only, which has none.
            value.extend_from_slice(b"''");
        }
    }
    for piece in group {
        for &byte in &piece.written.1 {
            match byte {
                b'%' if extended && !piece.extended => value.extend_from_slice(b"%25"),
                _ => value.push(byte),
            }
        }
    }
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> String {
        let Some(parsed) = ContentType::parse(body.as_bytes()) else {
            return "none".to_owned();
        };
        let mut text = format!(
            "{}/{}",
            parsed.media_type.escape_ascii(),
            parsed.subtype.escape_ascii()
        );
        for (name, value) in parsed.parameters {
            text.push_str(&format!(
                " {}=[{}]",
                name.escape_ascii(),
                value.escape_ascii()
            ));
        }
        text
    }

    #[test]
    fn types() {
        let table = [
            ("text/plain", "text/plain"),
            (" (c) TEXT (c) / (c) X-Y.z+w;", "TEXT/X-Y.z+w"),
            ("text", "none"),
            ("text/", "none"),
            ("/plain", "none"),
            ("", "none"),
            (";charset=x", "none"),
            ("text plain", "none"),
            ("text/plain charset=x; a=b", "text/plain a=[b]"),
            ("text/plain/x; a=b", "text/plain a=[b]"),
            // What follows a parenthesis is a comment's, closed or not.
            ("message(/rfc822", "none"),
            ("message/(rfc822", "none"),
            ("(message/rfc822", "none"),
            ("message(a)(/(b)rfc822", "none"),
            ("text/html(; a=b", "text/html a=[b]"),
        ];
        for (body, expected) in table {
            assert_eq!(parse(body), expected, "{body}");
        }
    }

    #[test]
    fn values() {
        let table = [
            ("a/b; c=d", "a/b c=[d]"),
            (
                "a/b; c = \"d \\\"e\\\" ;f\" (x); g=h",
                "a/b c=[d \\\"e\\\" ;f] g=[h]",
            ),
            ("a/b; c=----=_P:1/2?3; d=e", "a/b c=[----=_P:1/2?3] d=[e]"),
            ("a/b; c=d e; f=g", "a/b c=[d] f=[g]"),
            ("a/b; c; ; =d; e=; f=g", "a/b =[d] e=[] f=[g]"),
            ("a/b; x=y; c=\"open; d=e", "a/b x=[y]"),
            ("multipart/mixed; boundary=\"---", "multipart/mixed"),
            ("a/b; c=(x)d(y)", "a/b c=[d]"),
        ];
        for (body, expected) in table {
            assert_eq!(parse(body), expected, "{body}");
        }
    }

    #[test]
    fn continuations() {
        let table = [
            ("a/b; t*1=y; t*0=x; u=v", "a/b u=[v] t=[xy]"),
            (
                "a/b; t*0*=u'e'%20; t*1=1%2; t*2*=%21",
                "a/b t*=[u\\'e\\'%201%252%21]",
            ),
            ("a/b; t*0=x; t*1*=%20", "a/b t*=[\\'\\'x%20]"),
            ("a/b; t*=u''x; t=y", "a/b t=[y] t*=[u\\'\\'x]"),
            ("a/b; t*0=x; t*2=y", "a/b t*0=[x] t*2=[y]"),
            ("a/b; t*0=x; t*0*=y; t*1=z", "a/b t*0=[x] t*0*=[y] t*1=[z]"),
            (
                "a/b; t*x=y; t**=z; t*99999999999999999999=w",
                "a/b t*x=[y] t*99999999999999999999=[w] t**=[z]",
            ),
        ];
        for (body, expected) in table {
            assert_eq!(parse(body), expected, "{body}");
        }
    }

    #[test]
    fn charsets() {
        let table: [(&str, &str, Option<&str>); 9] = [
            ("t*", "utf-8'de'%C3%A4 %e2%82%ac", Some("ä €")),
            ("t*", "iso-8859-1''%E4'x'", Some("ä'x'")),
            ("t*", "''%C3%A4", Some("ä")),
            ("t*", "us-ascii''100%2x%", Some("100%2x%")),
            ("t*", "x-none''a", None),
            ("t*", "plain", None),
            ("t", "utf-8''a", None),
            ("t*0*", "utf-8''a", None),
            ("t**", "utf-8''a", None),
        ];
        for (name, value, expected) in table {
            let text = decoded(name.as_bytes(), value.as_bytes());
            assert_eq!(text.as_deref(), expected, "{name}={value}");
        }
    }

    #[test]
    fn hundred_thousand_parameters() {
        let mut body = "a/b".to_owned();
        for number in 0..100_000 {
            body.push_str(&format!("; t*{number}*=x"));
        }
        let parsed = ContentType::parse(body.as_bytes()).unwrap();
        assert_eq!(parsed.parameters.len(), 1);
        assert_eq!(parsed.parameters[0].1.len(), PARAMETERS_MAX);
    }

    #[test]
    fn other_fields() {
        assert_eq!(token(b" (c) base64 (d); x"), b"base64");
        assert_eq!(
            languages(b" en, (c) de-CH ,,\"fr\";q=1, x y"),
            ["en", "de-CH", "fr", "x"].map(|tag| tag.as_bytes().to_vec())
        );
        assert_eq!(languages(b" "), Vec::<Vec<u8>>::new());
        let (kind, parameters) = disposition(b" attachment filename=x; size=1");
        assert_eq!(kind, b"attachment");
        assert_eq!(parameters, [(b"size".to_vec(), b"1".to_vec())]);
    }
}
