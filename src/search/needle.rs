//! Case-insensitive substrings: a [`Needle`] is what is looked for, a [`Seeker`] looks for several of
//! them in texts that come in pieces. Both compare folded text ([`fold`]), as octets.

use memchr::memmem::Finder;

use crate::search::fold::fold;

/// Folded text is looked at when at least this much has gathered: it stays in the processor's cache.
const LOOK_AT: usize = 32 * 1024;

/// What is looked for, folded.
#[derive(Clone, Debug)]
pub struct Needle {
    finder: Finder<'static>,
}

impl Needle {
    /// The text as UTF-8. A line end in it, CRLF or LF, is found as either.
    pub fn new(text: &str) -> Needle {
        let mut folded = Vec::new();
        fold(text, &mut folded);
        let mut line_ends = LineEnds::default();
        line_ends.normalise(&mut folded, 0);
        line_ends.end(&mut folded);
        Needle {
            finder: Finder::new(&folded).into_owned(),
        }
    }

    /// The folded text.
    pub fn folded(&self) -> &[u8] {
        self.finder.needle()
    }

    /// Whether it is the empty text, which is in every text.
    pub fn is_empty(&self) -> bool {
        self.folded().is_empty()
    }

    fn spans_lines(&self) -> bool {
        self.folded().contains(&b'\n')
    }
}

/// Looks for several needles in one text after another, each text in pieces of any size. Memory is
/// bounded by [`LOOK_AT`], one folded piece and twice the longest needle, however long the texts are.
pub struct Seeker<'n> {
    /// Needles not found yet, with the numbers they are known by.
    missing: Vec<(usize, &'n Needle)>,
    /// Folded text: the end of what was looked at, as long as a match may need, and what is new.
    folded: Vec<u8>,
    /// One less than the longest needle: how much of what was looked at is kept.
    kept: usize,
    /// Only if a needle has a line end does it matter which one the text has.
    line_ends: Option<LineEnds>,
}

impl<'n> Seeker<'n> {
    /// Looks for nothing yet. The buffer is used, whatever is in it, and [`Seeker::into_buffer`] gives it
    /// back for the next one.
    pub fn new(buffer: Vec<u8>) -> Seeker<'n> {
        Seeker {
            missing: Vec::new(),
            folded: buffer,
            kept: 0,
            line_ends: None,
        }
    }

    /// Looks for these needles from now on, in a new text. [`Seeker::push`] reports them by their numbers.
    pub fn seek(&mut self, needles: impl IntoIterator<Item = (usize, &'n Needle)>) {
        self.missing.clear();
        self.missing.extend(needles);
        let longest = self.missing.iter().map(|(_, needle)| needle.folded().len());
        self.kept = longest.max().unwrap_or(0).saturating_sub(1);
        let spans_lines = self.missing.iter().any(|(_, needle)| needle.spans_lines());
        self.line_ends = spans_lines.then(LineEnds::default);
        self.folded.clear();
    }

    /// The buffer, to be used again.
    pub fn into_buffer(self) -> Vec<u8> {
        self.folded
    }

    /// Whether everything has been found.
    pub fn is_done(&self) -> bool {
        self.missing.is_empty()
    }

    /// Takes the next piece of the text and calls `found` with the number of each needle that is now seen
    /// for the first time; it may be seen a few pieces later, but not after [`Seeker::end`].
    pub fn push(&mut self, piece: &str, found: impl FnMut(usize)) {
        let start = self.folded.len();
        fold(piece, &mut self.folded);
        if let Some(line_ends) = &mut self.line_ends {
            line_ends.normalise(&mut self.folded, start);
        }
        // At least as much new text as old, so that long needles cost no more than twice the time.
        if self.folded.len() >= self.kept + self.kept.max(LOOK_AT) {
            self.look(found);
            let seen = self.folded.len().saturating_sub(self.kept);
            self.folded.drain(..seen);
        }
    }

    /// Ends a text: the next piece begins another.
    pub fn end(&mut self, found: impl FnMut(usize)) {
        if let Some(line_ends) = &mut self.line_ends {
            line_ends.end(&mut self.folded);
        }
        self.look(found);
        self.folded.clear();
    }

    fn look(&mut self, mut found: impl FnMut(usize)) {
        let folded = &self.folded;
        self.missing.retain(|(number, needle)| {
            let is_there = needle.finder.find(folded).is_some();
            if is_there {
                found(*number);
            }
            !is_there
        });
    }
}

/// CRLF → LF over pieces. A bare CR stays.
#[derive(Debug, Default)]
struct LineEnds {
    /// The last piece ended in a CR, which was held back.
    held: bool,
}

impl LineEnds {
    /// Rewrites what was appended to `text` at `start`.
    fn normalise(&mut self, text: &mut Vec<u8>, start: usize) {
        let mut out = start;
        if self.held && start < text.len() {
            self.held = false;
            if text.get(start) != Some(&b'\n') {
                text.insert(start, b'\r');
                out += 1;
            }
        }
        let mut at = out;
        while let Some(&byte) = text.get(at) {
            at += 1;
            if byte == b'\r' && text.get(at) == Some(&b'\n') {
                continue;
            }
            if let Some(place) = text.get_mut(out) {
                *place = byte;
            }
            out += 1;
        }
        text.truncate(out);
        if text.len() > start && text.last() == Some(&b'\r') {
            text.pop();
            self.held = true;
        }
    }

    fn end(&mut self, text: &mut Vec<u8>) {
        if std::mem::take(&mut self.held) {
            text.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    /// The numbers of the needles found in texts given as pieces.
    fn found(needles: &[&str], texts: &[&[&str]]) -> Vec<usize> {
        let needles: Vec<Needle> = needles.iter().map(|text| Needle::new(text)).collect();
        let mut seeker = Seeker::new(b"left over".to_vec());
        seeker.seek(needles.iter().enumerate());
        let mut found = Vec::new();
        for text in texts {
            for piece in *text {
                seeker.push(piece, |number| found.push(number));
            }
            seeker.end(|number| found.push(number));
        }
        assert_eq!(seeker.is_done(), found.len() == needles.len());
        found.sort_unstable();
        found
    }

    #[test]
    fn each_needle_is_reported_once() {
        let texts: &[&[&str]] = &[&["one two"], &["One", " three"]];
        assert_eq!(found(&["ONE", "three", "four"], texts), [0, 1]);
        assert_eq!(found(&[""], &[&[]]), [0], "the empty text is everywhere");
        assert_eq!(found(&["x"], &[]), Vec::<usize>::new());
    }

    #[test]
    fn a_text_does_not_run_on_into_the_next() {
        assert_eq!(
            found(&["needle"], &[&["nee"], &["dle"]]),
            Vec::<usize>::new()
        );
        assert_eq!(
            found(&["a\r\nb"], &[&["a\r"], &["\nb"]]),
            Vec::<usize>::new()
        );
    }

    #[test]
    fn line_ends_are_one_kind() {
        for needle in ["one\ntwo", "one\r\ntwo"] {
            assert_eq!(found(&[needle], &[&["one\r\ntwo"]]), [0]);
            assert_eq!(found(&[needle], &[&["one\ntwo"]]), [0]);
            assert_eq!(found(&[needle], &[&["one\r", "\ntwo"]]), [0]);
            assert_eq!(
                found(&[needle], &[&["one\rtwo", "one two", "one\r\r\ntwo"]]),
                Vec::<usize>::new()
            );
        }
        assert_eq!(
            found(&["one\r\r\ntwo"], &[&["one\r", "\r", "", "\ntwo"]]),
            [0]
        );
        assert_eq!(
            found(&["a\nb", "b\r"], &[&["a\nb", "\r"]]),
            [0, 1],
            "a CR at the end"
        );
    }

    #[test]
    fn a_needle_longer_than_what_is_looked_at_is_found_in_small_pieces() {
        let long = "abcdefghij".repeat(LOOK_AT / 5);
        let text = format!("{}{long}", "x".repeat(3 * LOOK_AT + 7));
        let pieces: Vec<&str> = (0..text.len())
            .step_by(1000)
            .map(|at| &text[at..text.len().min(at + 1000)])
            .collect();
        assert_eq!(found(&[&long, "zz", "ja"], &[&pieces]), [0, 2]);
        assert_eq!(
            found(&[&format!("{long}y")], &[&pieces]),
            Vec::<usize>::new()
        );
    }

    #[test]
    fn the_buffer_stays_small_however_long_the_text() {
        let needle = Needle::new("absent");
        let mut seeker = Seeker::new(Vec::new());
        seeker.seek([(0, &needle)]);
        let piece = "abcdefgh".repeat(1024);
        for _ in 0..1000 {
            seeker.push(&piece, |_| panic!("not there"));
        }
        seeker.end(|_| panic!("not there"));
        assert!(seeker.into_buffer().capacity() < 4 * LOOK_AT);
    }

    proptest! {
        /// Wherever a text is cut, the same is found as in the whole.
        #[test]
        fn every_cut_finds_the_same(
            text in "[abé\r\nⱥ한]{0,24}",
            needles in proptest::collection::vec("[aBÉ\r\n한]{1,4}", 1..4),
        ) {
            let needles: Vec<&str> = needles.iter().map(String::as_str).collect();
            let whole = found(&needles, &[&[&text]]);
            for (first, _) in text.char_indices() {
                for (second, _) in text.char_indices().filter(|(at, _)| *at >= first) {
                    let pieces = [&text[..first], &text[first..second], &text[second..]];
                    prop_assert_eq!(&found(&needles, &[&pieces]), &whole);
                }
            }
        }

        /// The same as looking with the standard library, where folding is plain.
        #[test]
        fn ascii_is_found_as_by_the_standard_library(
            text in "[a-cA-C ]{0,60}", needle in "[a-cA-C]{1,4}",
        ) {
            let there = text.to_lowercase().contains(&needle.to_lowercase());
            prop_assert_eq!(found(&[&needle], &[&[&text]]) == [0], there);
        }
    }
}
