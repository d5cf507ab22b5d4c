//! Encoded words (RFC 2047) and parameters (RFC 2045, RFC 2231): any field gives a text of bounded length, and a
//! text that was written in them, however it was cut into pieces, comes back.
//!
//! Octets 1 and 2 say how the rest is cut when it is taken for a text, and how and in which order the pieces come.

use culver::imap::structure::Parameter;
use culver::message::decode::{from_charset, header_text};
use culver::message::header::compressed;
use culver::message::parameter::{ContentType, decoded, disposition, languages};

pub fn check(octets: &[u8]) {
    let [cut, order, text @ ..] = octets else {
        return;
    };
    any_field(text);
    any_parameters(text);
    let cut = usize::from(*cut) + 1;
    if let Ok(text) = std::str::from_utf8(text) {
        words(text, cut, usize::from(*order));
        continued(text, cut, usize::from(*order));
    }
}

fn any_field(body: &[u8]) {
    let text = header_text(body);
    let plain = compressed(body);
    // No octet means more than a character of three.
    assert!(text.len() <= 3 * plain.len() + 3);
    assert_eq!(header_text(&plain), text);
    if !plain.windows(2).any(|two| two == b"=?") {
        let expected = from_charset(b"utf-8", &plain).unwrap();
        assert_eq!(text, expected);
    }
    // Where there is a space, a fold may be.
    let mut folded = Vec::new();
    for octet in &plain {
        if *octet == b' ' {
            folded.extend_from_slice(b"\r\n\t");
        } else {
            folded.push(*octet);
        }
    }
    assert_eq!(header_text(&folded), text);
    // Encoded words keep apart what is around them.
    let around = [
        b"=?utf-8?q?=C2=AB?= x ",
        plain.as_slice(),
        b" x =?utf-8?q?=C2=BB?=",
    ]
    .concat();
    if !plain.contains(&b'=') && !plain.is_empty() {
        assert_eq!(header_text(&around), format!("\u{ab} x {text} x \u{bb}"));
    }
}

/// Text as encoded words of so many octets each, which do not care where characters end.
fn words(text: &str, cut: usize, order: usize) {
    let utf16 = || text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let (charset, octets): (_, Vec<u8>) = match order % 3 {
        0 => ("utf-8", text.into()),
        1 => ("UTF-8*en", text.into()),
        // What begins with a byte order mark loses it.
        _ if text.starts_with('\u{feff}') => return,
        _ => ("utf-16be", utf16()),
    };
    let blank = [" ", "\r\n ", "\n\t \r\n ", ""][order / 3 % 4];
    let base64 = (order / 12).is_multiple_of(2);
    let mut field = String::new();
    for piece in octets.chunks(cut) {
        let encoded = if base64 {
            base64_simd::STANDARD.encode_to_string(piece)
        } else {
            let escaped = |octet: &u8| match octet {
                b' ' => "_".to_owned(),
                b'a'..=b'z' => char::from(*octet).to_string(),
                _ => format!("={octet:02X}"),
            };
            piece.iter().map(escaped).collect()
        };
        let encoding = if base64 { 'b' } else { 'Q' };
        field.push_str(&format!("=?{charset}?{encoding}?{encoded}?={blank}"));
    }
    assert_eq!(header_text(field.as_bytes()), text, "{field}");
}

/// What is read of any field can be written so that it is read the same way.
fn any_parameters(body: &[u8]) {
    let (_, parameters) = disposition(body);
    assert!(parameters.len() <= 200);
    let length = |(name, value): &Parameter| name.len() + value.len();
    // A percent sign may become three octets, and a charset of nothing may be added.
    let read: usize = parameters.iter().map(length).sum();
    assert!(read <= 3 * body.len() + 3);
    for (name, value) in &parameters {
        assert!(!name.iter().any(|octet| b" \t\r\n;=\"".contains(octet)));
        assert!(!value.iter().any(|octet| b"\r\n".contains(octet)));
        if let Some(text) = decoded(name, value) {
            assert!(text.len() <= 3 * value.len() + 3);
        }
    }
    let mut written = b"x/y".to_vec();
    for (name, value) in &parameters {
        written.extend_from_slice(b"; ");
        written.extend_from_slice(name);
        written.extend_from_slice(b"=\"");
        for octet in value {
            if matches!(octet, b'"' | b'\\') {
                written.push(b'\\');
            }
            written.push(*octet);
        }
        written.push(b'"');
    }
    let again = ContentType::parse(&written).unwrap();
    assert!(again.is(b"x") && again.is_sub(b"y"));
    // Those with asterisks come last.
    assert_eq!(sorted(&again.parameters), sorted(&parameters));
    if let Some(content_type) = ContentType::parse(body) {
        let once = format!("{content_type:?}");
        assert_eq!(once, format!("{:?}", ContentType::parse(body).unwrap()));
        assert!(!content_type.media_type.is_empty() && !content_type.subtype.is_empty());
    }
    for tag in languages(body) {
        assert!(!tag.is_empty() && tag.len() <= body.len());
    }
}

fn sorted(parameters: &[Parameter]) -> Vec<&Parameter> {
    let mut sorted: Vec<_> = parameters.iter().collect();
    sorted.sort();
    sorted
}

/// Text as a parameter continued over pieces of so many octets, in any order.
fn continued(text: &str, cut: usize, order: usize) {
    let mut pieces: Vec<String> = Vec::new();
    for (number, piece) in text.as_bytes().chunks(cut).enumerate() {
        let charset = if number == 0 { "utf-8'en'" } else { "" };
        let plain = piece.iter().all(u8::is_ascii_alphanumeric);
        pieces.push(if plain && number > 0 && number % 2 == order % 2 {
            let piece = std::str::from_utf8(piece).unwrap();
            format!("; T*{number}=\"{piece}\"")
        } else {
            let escaped = |octet: &u8| match octet {
                b'a'..=b'z' => char::from(*octet).to_string(),
                _ => format!("%{octet:02x}"),
            };
            let piece: String = piece.iter().map(escaped).collect();
            format!("; t*{number}*={charset}{piece}")
        });
    }
    if pieces.is_empty() || pieces.len() > 200 {
        return;
    }
    let middle = order % pieces.len();
    pieces.rotate_left(middle);
    let field = format!("attachment{}", pieces.concat());
    let (kind, parameters) = disposition(field.as_bytes());
    assert_eq!(kind, b"attachment");
    let [(name, value)] = parameters.as_slice() else {
        panic!("{parameters:?}");
    };
    assert!(name.eq_ignore_ascii_case(b"t*"));
    assert_eq!(decoded(b"t*", value).as_deref(), Some(text), "{field}");
}
