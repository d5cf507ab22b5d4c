//! HTML → the text that a person would see of it, character by character, in pieces of any size. Not a renderer:
//! styles are not looked at, and markup that is broken only costs the text in it.

use crate::message::charset::from_charset;

/// Octets of a tag's name or an entity that are kept: none that matters is longer.
const NAME_MAX: usize = 16;

/// Elements that hold no markup and nothing that is seen: only their own end tag ends them (HTML, 13.2.5.2 to 13.2.5.4).
const RAW: [&str; 3] = ["style", "script", "title"];

/// Others whose content is not seen.
const UNSEEN: [&str; 3] = ["template", "noscript", "select"];

/// Elements that begin and end a line.
const BLOCKS: [&str; 30] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "html",
    "li",
    "main",
    "ol",
    "p",
    "pre",
    "table",
    "tr",
    "ul",
];

/// The entities of ISO 8859-1, in the order of their code points from U+00A0.
const LATIN: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 \
    sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml \
    Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml \
    times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil \
    egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash \
    ugrave uacute ucirc uuml yacute thorn yuml";

/// Others that mailers write.
const OTHERS: [(&str, char); 44] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("sbquo", '‚'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("lsaquo", '‹'),
    ("rsaquo", '›'),
    ("bull", '•'),
    ("hellip", '…'),
    ("euro", '€'),
    ("trade", '™'),
    ("ensp", '\u{2002}'),
    ("emsp", '\u{2003}'),
    ("thinsp", '\u{2009}'),
    ("zwnj", '\u{200c}'),
    ("zwj", '\u{200d}'),
    ("lrm", '\u{200e}'),
    ("rlm", '\u{200f}'),
    ("OElig", 'Œ'),
    ("oelig", 'œ'),
    ("Scaron", 'Š'),
    ("scaron", 'š'),
    ("Yuml", 'Ÿ'),
    ("fnof", 'ƒ'),
    ("dagger", '†'),
    ("Dagger", '‡'),
    ("permil", '‰'),
    ("larr", '←'),
    ("rarr", '→'),
    ("uarr", '↑'),
    ("darr", '↓'),
    ("minus", '−'),
    ("hearts", '♥'),
    ("check", '✓'),
    ("star", '☆'),
    ("infin", '∞'),
];

/// What HTML says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A character of text. White space is as written.
    Char(char),
    /// A line ends here, if one has begun.
    Break,
    /// So many quotations hold what follows.
    Quoted(usize),
}

/// Reads HTML as it comes.
#[derive(Debug, Default)]
pub struct Html {
    state: State,
    /// The element whose content is passed over.
    unseen: Option<&'static str>,
    /// How many `blockquote` are open.
    quotations: usize,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Text,
    /// Behind `&`.
    Entity(String),
    /// Behind `<`.
    Tag {
        /// `name`, `/name`, `!…` or `?…`, in lower case.
        name: String,
        /// The name is complete.
        named: bool,
        /// The quotation mark that ends the value of an attribute.
        quote: Option<char>,
        /// A value begins here.
        value: bool,
    },
    /// Behind `<!--`.
    Comment(Comment),
    /// In an element of `RAW`; so many characters of its end tag were last.
    Raw(&'static str, usize),
}

/// What was last in a comment, as far as that decides where it ends: at `-->` and `--!>`, and at once in `<!-->` and
/// `<!--->` (HTML, 13.2.5.43 to 13.2.5.52).
#[derive(Clone, Copy, Debug)]
enum Comment {
    Start,
    StartHyphen,
    Text,
    Hyphen,
    Hyphens,
    Bang,
}

impl Html {
    /// Reads the next piece, and gives what is seen of it.
    pub fn push(&mut self, text: &str, mut seen: impl FnMut(Seen)) {
        for c in text.chars() {
            self.char(c, &mut seen);
        }
    }

    /// What the end leaves undecided.
    pub fn finish(&mut self, mut seen: impl FnMut(Seen)) {
        if let State::Entity(name) = std::mem::take(&mut self.state) {
            self.entity(&name, false, &mut seen);
        }
    }

    fn char(&mut self, c: char, seen: &mut impl FnMut(Seen)) {
        match &mut self.state {
            State::Text => match c {
                '<' => {
                    self.state = State::Tag {
                        name: String::new(),
                        named: false,
                        quote: None,
                        value: false,
                    };
                }
                '&' => self.state = State::Entity(String::new()),
                _ => self.text(c, seen),
            },
            State::Entity(name) => match c {
                '#' | 'a'..='z' | 'A'..='Z' | '0'..='9' if name.len() < NAME_MAX => name.push(c),
                _ => {
                    let name = std::mem::take(name);
                    self.state = State::Text;
                    self.entity(&name, c == ';', seen);
                    if c != ';' {
                        self.char(c, seen);
                    }
                }
            },
            State::Comment(last) => {
                *last = match (*last, c) {
                    (
                        Comment::Start | Comment::StartHyphen | Comment::Hyphens | Comment::Bang,
                        '>',
                    ) => {
                        self.state = State::Text;
                        return;
                    }
                    (Comment::Start, '-') => Comment::StartHyphen,
                    (Comment::Text | Comment::Bang, '-') => Comment::Hyphen,
                    (_, '-') => Comment::Hyphens,
                    (Comment::Hyphens, '!') => Comment::Bang,
                    _ => Comment::Text,
                };
            }
            State::Raw(element, matched) => {
                let expected = "</".chars().chain(element.chars()).nth(*matched);
                match expected {
                    Some(expected) if c.eq_ignore_ascii_case(&expected) => *matched += 1,
                    None if c == '>' => self.state = State::Text,
                    None if c == '/' || c.is_ascii_whitespace() => {
                        self.state = State::Tag {
                            name: format!("/{element}"),
                            named: true,
                            quote: None,
                            value: false,
                        };
                    }
                    _ => *matched = usize::from(c == '<'),
                }
            }
            State::Tag {
                name,
                named,
                quote,
                value,
            } => match (c, *quote) {
                (_, Some(mark)) if c == mark => *quote = None,
                (_, Some(_)) => {}
                // `a < b` is no tag.
                (_, None)
                    if name.is_empty() && !matches!(c, 'a'..='z' | 'A'..='Z' | '/' | '!' | '?') =>
                {
                    self.state = State::Text;
                    self.text('<', seen);
                    self.char(c, seen);
                }
                ('>', None) => {
                    let name = std::mem::take(name);
                    self.state = State::Text;
                    self.tag(&name, seen);
                }
                ('"' | '\'', None) if *value => {
                    *quote = Some(c);
                    *value = false;
                }
                _ => {
                    *value = c == '=' || *value && c.is_whitespace();
                    let more = !c.is_whitespace() && (c != '/' || name.is_empty());
                    *named |= !more || name.len() >= NAME_MAX;
                    if !*named {
                        name.push(c.to_ascii_lowercase());
                    }
                    if name == "!--" {
                        self.state = State::Comment(Comment::Start);
                    }
                }
            },
        }
    }

    fn text(&self, c: char, seen: &mut impl FnMut(Seen)) {
        if self.unseen.is_none() {
            seen(Seen::Char(c));
        }
    }

    fn tag(&mut self, name: &str, seen: &mut impl FnMut(Seen)) {
        let (name, ends) = match name.strip_prefix('/') {
            Some(name) => (name, true),
            None => (name, false),
        };
        if !ends && let Some(raw) = RAW.into_iter().find(|raw| *raw == name) {
            self.state = State::Raw(raw, 0);
            return;
        }
        if let Some(unseen) = self.unseen {
            if ends && name == unseen {
                self.unseen = None;
            }
            return;
        }
        if !ends {
            self.unseen = UNSEEN.into_iter().find(|unseen| *unseen == name);
        }
        if BLOCKS.contains(&name) {
            seen(Seen::Break);
        } else if matches!(name, "td" | "th") {
            seen(Seen::Char(' '));
        }
        if name == "blockquote" {
            self.quotations = match ends {
                true => self.quotations.saturating_sub(1),
                false => self.quotations.saturating_add(1),
            };
            seen(Seen::Quoted(self.quotations));
        }
    }

    /// What was written as `&name;`, or without the semicolon.
    fn entity(&self, name: &str, closed: bool, seen: &mut impl FnMut(Seen)) {
        if let Some(c) = entity(name) {
            self.text(c, seen);
            return;
        }
        self.text('&', seen);
        for c in name.chars() {
            self.text(c, seen);
        }
        if closed {
            self.text(';', seen);
        }
    }
}

fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let number = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        // Numbers of C1 controls mean windows-1252, as browsers have it.
        return match u8::try_from(number) {
            Ok(octet @ 0x80..=0x9f) => {
                let text = from_charset(b"windows-1252", &[octet])?;
                text.chars().next()
            }
            _ => char::from_u32(number).filter(|c| *c != '\0'),
        };
    }
    let latin = LATIN.split_whitespace().position(|other| other == name);
    match latin {
        Some(at) => char::from_u32(0xa0 + u32::try_from(at).ok()?),
        None => OTHERS
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, c)| *c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text with `|` for breaks and `{n}` for quotations.
    fn seen(html: &str, piece: usize) -> String {
        let mut text = String::new();
        let mut show = |seen: Seen| match seen {
            Seen::Char(c) => text.push(c),
            Seen::Break => text.push('|'),
            Seen::Quoted(depth) => text.push_str(&format!("{{{depth}}}")),
        };
        let mut reader = Html::default();
        let chars: Vec<char> = html.chars().collect();
        for piece in chars.chunks(piece) {
            reader.push(&piece.iter().collect::<String>(), &mut show);
        }
        reader.finish(&mut show);
        text
    }

    #[test]
    fn markup_goes_and_text_stays() {
        let table = [
            ("plain", "plain"),
            ("<p>a</p><P CLASS=x>b<br/>c", "|a||b|c"),
            ("a<b>b</b><i title=\"x>y\">c</i>", "abc"),
            ("a <a href='x>y' >b</a>", "a b"),
            ("<td>a</td><td>b", " a  b"),
            ("a<!-- <p> -- > --->b<!---->c", "abc"),
            ("<!DOCTYPE html \"x\"><?xml?>a", "a"),
            ("<style type=\"text/css\"><!-- p > a {} --></style>a", "a"),
            (
                "<head><title>t</title><script>if (a<b) '</p>'</script></head>x",
                "x",
            ),
            (
                "<blockquote type=cite>q<blockquote>r</blockquote></blockquote></blockquote>s",
                "|{1}q|{2}r|{1}|{0}|{0}s",
            ),
            ("a < b << c <3 d", "a < b << c <3 d"),
            ("a<", "a"),
            ("a<p", "a"),
            ("<script>x", ""),
            ("<script>for(i=0;i<n;i++){}</script>Hello", "Hello"),
            ("<style><!-- a{} </style>Hello", "Hello"),
            ("<style>a<b </style>Hello", "Hello"),
            ("<title>a <b</title>Hello", "Hello"),
            ("<title>a</titles></ title><</TITLE\n x='>'>Hello", "Hello"),
            ("<script>a='</scrip</script/>Hello", "Hello"),
            ("</title>Hello", "Hello"),
            (
                "<noscript><style>a<b</noscript></style>x</noscript>Hello",
                "Hello",
            ),
            ("<select><!-- </select> --><p a='>'></select>Hello", "Hello"),
            ("<!-->Hello", "Hello"),
            ("<!--->Hello", "Hello"),
            ("<!---->Hello", "Hello"),
            ("<!-- x --!>Hello", "Hello"),
            ("<!--!> - > -- > --!-> --! > --!--->Hello", "Hello"),
            ("<!---!> -->Hello", "Hello"),
        ];
        for (html, expected) in table {
            for piece in 1..4 {
                assert_eq!(seen(html, piece), expected, "{html}");
            }
        }
    }

    #[test]
    fn entities() {
        let table = [
            ("&eacute;&Eacute;&yuml;&nbsp;&thorn;", "éÉÿ\u{a0}þ"),
            ("&lt;p&gt; &amp;lt; &hellip;&euro;", "<p> &lt; …€"),
            ("&#233;&#xE9;&#XE9;&#146;&#x80;&#129;", "ééé’€\u{81}"),
            ("&eacute &eacute", "é é"),
            ("AT&T & x&y; &; &#; &#x;", "AT&T & x&y; &; &#; &#x;"),
            ("&#0; &#55296; &#9999999999;", "&#0; &#55296; &#9999999999;"),
            ("&averyveryverylongname;", "&averyveryverylongname;"),
            ("&amp", "&"),
        ];
        for (html, expected) in table {
            for piece in 1..4 {
                assert_eq!(seen(html, piece), expected, "{html}");
            }
        }
    }
}
