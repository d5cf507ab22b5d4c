//! Lines of a text → one line of a preview: what is quoted, and who is, left out.

use std::collections::VecDeque;

use crate::message::html::Seen;
use crate::message::preview::PREVIEW_MAX;

/// Characters of a line that are kept.
const LINE_MAX: usize = 2 * PREVIEW_MAX;
/// Lines that the words before a quotation may take: `On Monday, 3 May, Ann Example <ann@example.org>`, `wrote:`.
const ATTRIBUTION_MAX: usize = 3;

/// What mailers begin those words with, in several languages.
const OPENINGS: [&str; 12] = [
    "On", "Am", "Le", "El", "Il", "Op", "Em", "Den", "Dne", "Dnia", "Pe", "W",
];

/// What says in them that someone wrote.
const WROTE: [&str; 16] = [
    "wrote",
    "writes",
    "schrieb",
    "écrit",
    "escribió",
    "scritto",
    "schreef",
    "escreveu",
    "skrev",
    "kirjoitti",
    "napisał",
    "napsal",
    "írta",
    "написал",
    "пишет",
    "写道",
];

/// Lines of text on their way into one: white space joined, and lines left out that are quoted or say who is.
#[derive(Default)]
pub struct Lines {
    /// What is shown.
    shown: Text,
    /// What was taken for the words before a quotation, for messages that have nothing else.
    attributions: Text,
    /// What is quoted, for messages that have not even those.
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
    pub fn plain(&mut self, c: char) {
        match c {
            '\n' => self.end_line(),
            '>' if self.line.is_empty() => self.in_quote = true,
            _ => self.line.push(c, LINE_MAX),
        }
    }

    /// What is seen of HTML.
    pub fn seen(&mut self, seen: Seen) {
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

    /// A quotation begins: lines before it that say whose it is are left out.
    fn end_attribution(&mut self) {
        if let Some(at) = attribution(self.held.make_contiguous()) {
            for line in self.held.drain(at..) {
                self.attributions.append(&line);
            }
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

    /// Nothing that follows would be shown.
    pub fn is_full(&self) -> bool {
        self.shown.count >= PREVIEW_MAX
    }

    /// The text, of `PREVIEW_MAX` characters at the most.
    pub fn finish(mut self) -> String {
        self.end_line();
        self.release(0);
        if !self.shown.is_empty() {
            return self.shown.text;
        }
        if !self.attributions.is_empty() {
            return self.attributions.text;
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

/// Where the lines before a quotation begin to say whose it is: `On Mon, 3 May 2024 at 10:00, Ann Example wrote:`.
/// `None` if they do not, and are the author's own words.
fn attribution(lines: &[Text]) -> Option<usize> {
    let (last, before) = lines.split_last()?;
    if !last.text.ends_with([':', '：']) {
        return None;
    }
    // It is one sentence.
    let first = before
        .iter()
        .rposition(|line| line.text.ends_with(['.', '!', '?', ':']))
        .map_or(0, |end| end + 1);
    let tells = |at: &usize| tells(lines.get(*at..).unwrap_or_default());
    let opening = (first..lines.len()).find(|at| lines.get(*at).is_some_and(opens));
    opening
        .filter(tells)
        .or_else(|| (first..lines.len()).rev().find(tells))
}

/// There is an address in the lines, or there are a digit and two of these: a word that attributions begin with, one
/// that says "wrote", and a year or a time of day.
fn tells(lines: &[Text]) -> bool {
    let any = |has: fn(&str) -> bool| lines.iter().any(|line| has(&line.text));
    let marks = [
        lines.first().is_some_and(opens),
        any(|text| WROTE.iter().any(|word| text.contains(word))),
        any(says_when),
    ];
    any(|text| text.contains('@'))
        || any(|text| text.contains(|c: char| c.is_ascii_digit()))
            && marks.into_iter().filter(|mark| *mark).count() > 1
}

fn opens(line: &Text) -> bool {
    let word = line.text.split(' ').next().unwrap_or_default();
    OPENINGS.contains(&word)
}

/// The text has a year in it, of this century or the last one, or a time of day: `10:00`.
fn says_when(text: &str) -> bool {
    text.split(|c: char| c != ':' && !c.is_ascii_digit())
        .any(|number| {
            let mut fields = number.split(':');
            let hour = fields.next().unwrap_or_default();
            let minute = fields.next().unwrap_or_default();
            match (hour.len(), minute.len()) {
                (1 | 2, 2) => true,
                (4, 0) => hour.starts_with("19") || hour.starts_with("20"),
                _ => false,
            }
        })
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

    fn plain(body: &str) -> String {
        let mut lines = Lines::default();
        body.chars().for_each(|c| lines.plain(c));
        lines.finish()
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
            ("1\n2\n3\n4\n5:\n> q", "1 2 3 4 5:"),
            // With nothing else it is better than nothing.
            ("> only\n> quoted\n", ">only quoted"),
            ("Am 3. Mai schrieb Ann:\n> q\n", "Am 3. Mai schrieb Ann:"),
            ("ann@b:\n> q\n\nann@c:\n> r", "ann@b: ann@c:"),
        ];
        for (body, expected) in table {
            assert_eq!(plain(body), expected, "{body}");
        }
    }

    #[test]
    fn who_is_quoted_and_what_is_the_authors() {
        let left_out = [
            "On Mon, 3 May 2024 at 10:00,\nAnn Example <ann@example.org> wrote:",
            "On Monday, 3 May 2024,\nAnn Example, of nowhere,\nwrote:",
            "Ann Example wrote on\n3 May 2024:",
            "Ann Example <ann@example.org>:",
            "Le 3 mai 2024 à 10:00, Ann a écrit :",
            "On 3 May, Ann wrote:",
            "2024-05-03 10:00:05 Ann Example wrote:",
            "2024年5月3日 周五 10:00，安写道：",
            "Den 3/5 9:05, Ann:",
        ];
        for words in left_out {
            for before in ["", "Yes, Bob,\n", "I paid 30 EUR.\n"] {
                let body = format!("{before}{words}\n> q\nmore");
                let expected = format!("{before}more").replace('\n', " ");
                // Of three lines no more is seen.
                if words.lines().count() < 3 || before.is_empty() {
                    assert_eq!(plain(&body), expected, "{body}");
                }
            }
        }
        let shown = [
            "About section 4:",
            "Hi Bob,\nI paid 30 EUR.\nHere is what the bill said:",
            "It came at 10:00 or so:",
            "In 2024 it was still:",
            "The 3 things that Ann wrote:",
            "See 10:000, 1:2 and 12345 as Ann wrote:",
            "On the road Ann wrote:",
            "On 3 May 2024 I paid.\nThe bill:",
            "Ask ann@example.org.\nThe bill:",
            "On Mon, 3 May 2024, Ann wrote",
        ];
        for words in shown {
            let body = format!("{words}\n> q\nmore");
            let expected = format!("{words} more").replace('\n', " ");
            assert_eq!(plain(&body), expected, "{body}");
        }
    }
}
