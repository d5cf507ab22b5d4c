//! A few words of a message for a list of messages (RFC 8970): the beginning of the text that a person would read,
//! without markup and without what it quotes.

use std::collections::VecDeque;
use std::io;

use crate::message::Source;
use crate::message::decode::{TextDecoder, TransferEncoding};
use crate::message::header::{HEADER_MAX, Header};
use crate::message::html::{Html, Seen};
use crate::message::mime::{self, Content, Part, Structure};
use crate::message::parameter::{ContentType, disposition};
use crate::message::pieces::read;

/// Characters of a preview. "The server SHOULD limit the length of the preview text to 200 preview characters."
pub const PREVIEW_MAX: usize = 200;
/// Octets of a message that are looked at, from its beginning.
pub const FRONT: u64 = 1024 * 1024;

/// Octets decoded at once.
const PIECE: usize = 8 * 1024;
/// Characters of a line that are kept.
const LINE_MAX: usize = 2 * PREVIEW_MAX;
/// Lines that the words before a quotation may take: `On Monday, 3 May, Ann Example <ann@example.org>`, `wrote:`.
const ATTRIBUTION_MAX: usize = 3;

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
        let encoding = header
            .first(b"Content-Transfer-Encoding")
            .map_or(TransferEncoding::Identity, TransferEncoding::parse);
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
            Content::Message(inner) if encoding == TransferEncoding::Identity => self.part(*inner),
            Content::Leaf => {
                // What is attached is another text than the message's own.
                let attached = header
                    .first(b"Content-Disposition")
                    .is_some_and(|field| disposition(field).0.eq_ignore_ascii_case(b"attachment"));
                match kind(content_type.as_ref()) {
                    Some(kind) if !attached => self.text(part, kind, encoding, content_type),
                    _ => Ok(None),
                }
            }
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

/// Lines of text on their way into one: white space joined, and lines left out that are quoted or say who is.
#[derive(Default)]
struct Lines {
    /// What is shown.
    shown: Text,
    /// What is quoted, for messages that have nothing else.
    quoted: Text,
    /// The last lines of a paragraph, which may turn out to be the words before a quotation.
    held: VecDeque<Text>,
    /// An empty line has followed these.
    apart: bool,
    line: Text,
    /// The line is quoted.
    in_quote: bool,
    /// HTML says that all lines are.
    quotations: usize,
}

impl Lines {
    /// A character of plain text.
    fn plain(&mut self, c: char) {
        match c {
            '\n' => self.end_line(),
            '>' if self.line.is_empty() => self.in_quote = true,
            _ => self.line.push(c, LINE_MAX),
        }
    }

    fn seen(&mut self, seen: Seen) {
        match seen {
            Seen::Char(c) => self.line.push(c, LINE_MAX),
            Seen::Break => self.end_line(),
            Seen::Quoted(depth) => self.quotations = depth,
        }
        self.in_quote = self.quotations > 0;
    }

    fn end_line(&mut self) {
        let quoted = std::mem::take(&mut self.in_quote);
        let line = std::mem::take(&mut self.line);
        if quoted {
            self.end_attribution();
            self.quoted.append(&line);
        } else if line.is_empty() {
            self.apart = true;
        } else {
            if std::mem::take(&mut self.apart) {
                self.release(0);
            }
            self.held.push_back(line);
            self.release(ATTRIBUTION_MAX);
        }
    }

    /// A quotation begins: the lines before it are left out if they say whose it is, in any language: they end in
    /// a colon, and hold a date or an address.
    fn end_attribution(&mut self) {
        let ends = self
            .held
            .back()
            .is_some_and(|line| line.text.ends_with(':'));
        let tells = |line: &Text| line.text.contains(|c: char| c == '@' || c.is_ascii_digit());
        if let Some(at) = self.held.iter().rposition(tells).filter(|_| ends) {
            self.held.truncate(at);
        }
        self.release(0);
    }

    /// Shows held lines until so many are left.
    fn release(&mut self, left: usize) {
        while self.held.len() > left {
            if let Some(line) = self.held.pop_front() {
                self.shown.append(&line);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.shown.count >= PREVIEW_MAX
    }

    fn finish(mut self) -> String {
        self.end_line();
        self.release(0);
        if !self.shown.is_empty() {
            return self.shown.text;
        }
        if self.quoted.is_empty() {
            return String::new();
        }
        // As Dovecot shows it.
        let mut text = Text::default();
        text.push('>', PREVIEW_MAX);
        self.quoted
            .text
            .chars()
            .for_each(|c| text.push(c, PREVIEW_MAX));
        text.text
    }
}

/// Characters, with one space for any white space between them, and none that is not seen.
#[derive(Default)]
struct Text {
    text: String,
    count: usize,
    /// White space has followed.
    space: bool,
    /// A joiner has followed, which counts only between two characters.
    joiner: Option<char>,
}

impl Text {
    fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a character, if there is room for it.
    fn push(&mut self, c: char, most: usize) {
        match c {
            _ if c.is_whitespace() => self.space = true,
            '\u{200c}' | '\u{200d}' => self.joiner = Some(c),
            // Marks of direction and invisible fillers, with which advertisers push text out of previews.
            '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => {}
            _ if c.is_control() => {}
            _ => {
                let space = std::mem::take(&mut self.space) && self.count > 0;
                let joiner = self.joiner.take().filter(|_| !space && self.count > 0);
                let before = space.then_some(' ').or(joiner);
                if self.count + 1 + usize::from(before.is_some()) > most {
                    // Nothing that follows is let in, either.
                    self.count = most;
                    return;
                }
                for c in before.into_iter().chain([c]) {
                    self.text.push(c);
                    self.count += 1;
                }
            }
        }
    }

    /// Adds a line.
    fn append(&mut self, line: &Text) {
        self.space = true;
        for c in line.text.chars() {
            self.push(c, PREVIEW_MAX);
        }
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
    fn quotations_are_left_out() {
        let table = [
            (
                "Hello Bob,\n> quoted\n>> more\nThanks\n",
                "Hello Bob, Thanks",
            ),
            (
                "Yes.\n\nOn Mon, 3 May 2024 at 10:00, Ann <a@b> wrote:\n> q\n",
                "Yes.",
            ),
            (
                "Yes.\n\nOn Mon, 3 May 2024, Ann Example <ann@example.org>\nwrote:\n\n> q\nAnd no.",
                "Yes. And no.",
            ),
            ("Am 3. Mai schrieb Ann:\n> q\n\nJa.", "Ja."),
            ("You asked me:\n> q\n\nYes.", "You asked me: Yes."),
            ("At 10:00 it is:\n\nYes.", "At 10:00 it is: Yes."),
            ("1\n2\n3\n4\n5:\n> q", "1 2 3 4"),
            // With nothing else it is better than nothing.
            ("> only\n> quoted\n", ">only quoted"),
            ("Am 3. Mai schrieb Ann:\n> q\n", ">q"),
        ];
        for (body, expected) in table {
            assert_eq!(plain(body), expected, "{body}");
        }
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
