//! A few words of a message for a list of messages (RFC 8970): the beginning of the text that a person would read,
//! without markup and without what it quotes.

mod lines;

use std::io;

use crate::message::Source;
use crate::message::decode::{TextDecoder, TransferEncoding};
use crate::message::header::{HEADER_MAX, Header};
use crate::message::html::Html;
use crate::message::mime::{self, Content, Part, Structure};
use crate::message::parameter::{ContentType, disposition};
use crate::message::pieces::read;
use crate::message::preview::lines::Lines;

/// Characters of a preview. "The server SHOULD limit the length of the preview text to 200 preview characters."
pub const PREVIEW_MAX: usize = 200;
/// Octets of a message that are looked at, from its beginning.
pub const FRONT: u64 = 1024 * 1024;

/// Octets decoded at once.
const PIECE: usize = 8 * 1024;

/// The preview of the message in `source`; empty where it has no text.
pub fn preview<S: Source + ?Sized>(source: &S) -> io::Result<String> {
    let front = Front(source);
    let structure = mime::parse(&front)?;
    let reader = Reader {
        source: &front,
        structure: &structure,
    };
    Ok(reader.part(0)?.unwrap_or_default())
}

/// The beginning of a message.
struct Front<'s, S: ?Sized>(&'s S);

impl<S: Source + ?Sized> Source for Front<'_, S> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len()?.min(FRONT))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(FRONT.saturating_sub(offset)).unwrap_or(usize::MAX);
        let room = buffer.len().min(left);
        self.0
            .read_at(offset, buffer.get_mut(..room).unwrap_or_default())
    }
}

/// A kind of text that can be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// HTML, and what looks like it: text/enriched (RFC 1896).
    Html,
}

struct Reader<'s, S> {
    source: &'s S,
    structure: &'s Structure,
}

impl<S: Source> Reader<'_, S> {
    /// The text of the first part that has one; `None` where there is none. Goes as deep as the structure, which is
    /// bounded.
    fn part(&self, at: usize) -> io::Result<Option<String>> {
        let Some(part) = self.structure.parts.get(at) else {
            return Ok(None);
        };
        let header = self.header(part)?;
        let content_type = header.first(b"Content-Type").and_then(ContentType::parse);
        // "An entity with an unrecognized Content-Transfer-Encoding must be treated as if it has a Content-Type of
        // "application/octet-stream"" (RFC 2045 §6.4): it has no text.
        let encoding = header
            .first(b"Content-Transfer-Encoding")
            .map_or(Some(TransferEncoding::Identity), TransferEncoding::known);
        // What is attached to something is another text than the message's own.
        let attached = header
            .first(b"Content-Disposition")
            .is_some_and(|field| disposition(field).0.eq_ignore_ascii_case(b"attachment"));
        if attached && at != 0 {
            return Ok(None);
        }
        match &part.content {
            Content::Multipart(parts) => {
                let alternative = content_type.is_some_and(|kind| kind.is_sub(b"alternative"));
                if alternative {
                    // They all say the same, and plain text says it with the least to take away.
                    for &part in parts {
                        if let Some(text) = self.plain_leaf(part)? {
                            return Ok(Some(text));
                        }
                    }
                }
                for &part in parts {
                    if let Some(text) = self.part(part)? {
                        return Ok(Some(text));
                    }
                }
                Ok(None)
            }
            Content::Message(inner) if encoding == Some(TransferEncoding::Identity) => {
                self.part(*inner)
            }
            Content::Leaf => match (kind(content_type.as_ref()), encoding) {
                (Some(kind), Some(encoding)) => self.text(part, kind, encoding, content_type),
                _ => Ok(None),
            },
            Content::Message(_) | Content::Opaque => Ok(None),
        }
    }

    /// The text of a part, if that is plain text.
    fn plain_leaf(&self, at: usize) -> io::Result<Option<String>> {
        let Some(part) = self.structure.parts.get(at) else {
            return Ok(None);
        };
        let header = self.header(part)?;
        let content_type = header.first(b"Content-Type").and_then(ContentType::parse);
        match (&part.content, kind(content_type.as_ref())) {
            (Content::Leaf, Some(Kind::Plain)) => self.part(at),
            _ => Ok(None),
        }
    }

    fn header(&self, part: &Part) -> io::Result<Header> {
        Header::read(self.source, part.header.clone(), HEADER_MAX, |name| {
            [
                &b"Content-Type"[..],
                b"Content-Transfer-Encoding",
                b"Content-Disposition",
            ]
            .iter()
            .any(|wanted| name.eq_ignore_ascii_case(wanted))
        })
    }

    /// What is seen of a part's body; `None` if that is nothing.
    fn text(
        &self,
        part: &Part,
        kind: Kind,
        encoding: TransferEncoding,
        content_type: Option<ContentType>,
    ) -> io::Result<Option<String>> {
        let charset = content_type
            .as_ref()
            .and_then(|kind| kind.parameter(b"charset"));
        let mut decoder = TextDecoder::new(encoding, charset.unwrap_or_default());
        let mut lines = Lines::default();
        let mut html = Html::default();
        let mut take = |text: &str, lines: &mut Lines| match kind {
            Kind::Plain => text.chars().for_each(|c| lines.plain(c)),
            Kind::Html => html.push(text, |seen| lines.seen(seen)),
        };
        let mut octets = vec![0; PIECE];
        let mut text = String::new();
        let mut at = part.body.start;
        while at < part.body.end && !lines.is_full() {
            let left = usize::try_from(part.body.end - at).unwrap_or(PIECE);
            let room = octets.get_mut(..left.min(PIECE)).unwrap_or_default();
            let count = read(self.source, at, room)?;
            if count == 0 {
                break;
            }
            at += count as u64;
            text.clear();
            decoder.push(room.get(..count).unwrap_or_default(), &mut text);
            take(&text, &mut lines);
        }
        text.clear();
        decoder.finish(&mut text);
        take(&text, &mut lines);
        html.finish(|seen| lines.seen(seen));
        Ok(Some(lines.finish()).filter(|text| !text.is_empty()))
    }
}

fn kind(content_type: Option<&ContentType>) -> Option<Kind> {
    let Some(content_type) = content_type else {
        return Some(Kind::Plain);
    };
    let sub = |name: &str| content_type.is_sub(name.as_bytes());
    if content_type.is(b"text") && ["plain", "markdown"].into_iter().any(sub) {
        Some(Kind::Plain)
    } else if content_type.is(b"text") && ["html", "enriched", "richtext"].into_iter().any(sub)
        || content_type.is(b"application") && sub("xhtml+xml")
    {
        Some(Kind::Html)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(message: &str) -> String {
        preview(message.as_bytes()).unwrap()
    }

    fn plain(body: &str) -> String {
        shown(&format!("Subject: x\n\n{body}"))
    }

    fn html(body: &str) -> String {
        shown(&format!("Content-Type: text/html; charset=utf-8\n\n{body}"))
    }

    #[test]
    fn plain_text_on_one_line() {
        let table = [
            ("", ""),
            (" \r\n\t\r\n", ""),
            ("Hello\r\n\r\n  World\t!\r\n", "Hello World !"),
            ("a\u{0}b\u{7}c\u{a0}\u{3000}d", "abc d"),
            ("\u{feff}a\u{200b}b\u{ad}c\u{202e}d", "abcd"),
            (
                "\u{200c} \u{200c} a\u{200d}b \u{200c} c\u{200c}",
                "a\u{200d}b c",
            ),
        ];
        for (body, expected) in table {
            assert_eq!(plain(body), expected, "{body}");
        }
    }

    #[test]
    fn html_quotations_are_left_out() {
        let body = "<div>Ja.</div><div class=gmail_quote><div>Am 3. Mai schrieb Ann:<br></div><blockquote>q\
            <p>r</blockquote></div>Gru&szlig;";
        assert_eq!(html(body), "Ja. Gruß");
    }

    #[test]
    fn html_without_its_markup() {
        let table = [
            (
                "<title>t</title><style>x</style><p>Hello&nbsp; <b>bo</b>ld</p><p>&eacute;</p>",
                "Hello bold é",
            ),
            (
                "<table><tr><td>a</td><td>b</td></tr></table>c<br>d",
                "a b c d",
            ),
            (
                "<div>Sale &zwnj;&nbsp;&zwnj;&nbsp;&#847;&nbsp;</div>now",
                "Sale now",
            ),
            ("<img src=x>", ""),
            ("> a &gt; b", "> a > b"),
        ];
        for (body, expected) in table {
            assert_eq!(html(body), expected, "{body}");
        }
    }

    #[test]
    fn the_first_text_and_plain_where_there_is_a_choice() {
        let multi = |kind: &str, parts: &[&str]| {
            let parts: String = parts.iter().map(|part| format!("--b\n{part}\n")).collect();
            shown(&format!(
                "Content-Type: multipart/{kind}; boundary=b\n\npreamble\n{parts}--b--\nepilogue\n"
            ))
        };
        let text = "\nplain";
        let marked = "Content-Type: text/html\n\n<p>marked";
        let blank = "Content-Type: text/plain\n\n \n";
        let attached = "Content-Disposition: attachment; filename=x.txt\n\nattached";
        let image = "Content-Type: image/png\n\nPNG";
        let calendar = "Content-Type: text/calendar\n\nBEGIN:VCALENDAR";
        let message = "Content-Type: message/rfc822\n\nSubject: x\n\ninner";
        assert_eq!(multi("alternative", &[marked, text]), "plain");
        assert_eq!(multi("alternative", &[blank, marked]), "marked");
        assert_eq!(multi("mixed", &[marked, text]), "marked");
        assert_eq!(
            multi("mixed", &[image, attached, blank, message, text]),
            "inner"
        );
        let attach = |part: &str| format!("Content-Disposition: attachment\n{part}");
        let other = attach(message);
        assert_eq!(multi("mixed", &[&other, text]), "plain");
        assert_eq!(multi("mixed", &[&other]), "");
        assert_eq!(shown(&other), "inner");
        assert_eq!(multi("mixed", &[calendar]), "");
        assert_eq!(
            multi(
                "encrypted",
                &["Content-Type: application/octet-stream\n\nx"]
            ),
            ""
        );
        assert_eq!(multi("mixed", &[]), "");
        assert_eq!(shown("Content-Type: text\n\nbroken type"), "broken type");
        assert_eq!(shown(attached), "attached");
    }

    #[test]
    fn encodings() {
        let head = "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding";
        assert_eq!(
            shown(&format!("{head}: quoted-printable\n\ncaf=E9 =\nau lait")),
            "café au lait"
        );
        assert_eq!(shown(&format!("{head}: base64\n\nY2Fm6Q==\n")), "café");
    }

    #[test]
    fn no_text_in_an_encoding_that_is_not_known() {
        let unknown = "Content-Transfer-Encoding: x-none\n";
        assert_eq!(shown(&format!("{unknown}\ntext")), "");
        assert_eq!(shown("Content-Transfer-Encoding: (none)\n\ntext"), "text");
        let message = format!("Content-Type: message/rfc822\n{unknown}\n\ninner");
        assert_eq!(shown(&message), "");
        // Parts have encodings of their own, whatever the whole says.
        let multi = "Content-Type: multipart/mixed; boundary=b\n";
        let parts = format!("--b\n{unknown}\nno text\n--b\n\ntext\n--b--\n");
        assert_eq!(shown(&format!("{multi}{unknown}\n{parts}")), "text");
    }

    #[test]
    fn as_long_as_it_may_be() {
        assert_eq!(plain(&"é".repeat(500)), "é".repeat(200));
        assert_eq!(plain(&"word ".repeat(100)), "word ".repeat(40).trim_end());
        let lines = plain(&"long line of text\n".repeat(100));
        assert!((190..=200).contains(&lines.len()), "{lines}");
        assert_eq!(plain(&"> é\n".repeat(500)).chars().count(), 200);
        // The text begins too late.
        let late = " ".repeat(FRONT as usize) + "late";
        assert_eq!(plain(&late), "");
    }
}
