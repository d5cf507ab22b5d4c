//! Case-insensitive substrings: a [`Needle`] is what is looked for, a [`Seeker`] looks for several of
//! them in texts that come in pieces. Both compare folded text ([`fold`]), as octets; a text that a
//! [`Screen`] clears need not be folded.

use std::sync::OnceLock;

use memchr::memmem::Finder;

use crate::search::fold::fold;
use crate::search::screen::Screen;

/// Text is looked at when at least this much has gathered: it stays in the processor's cache.
const LOOK_AT: usize = 32 * 1024;

/// A character's longest form in UTF-8. It may fold to a single octet.
const LONGEST: usize = 4;

/// What is looked for, folded.
#[derive(Clone, Debug)]
pub struct Needle {
    finder: Finder<'static>,
    /// Made when it is first looked for. In a box, for keys in keys make needles on a stack.
    screen: OnceLock<Option<Box<Screen>>>,
}

impl Needle {
    /// The text as UTF-8. A line end in it, CRLF or LF, is found as either.
    pub fn new(text: &str) -> Needle {
        let mut folded = Vec::new();
        fold(text, &mut folded);
        unify_line_ends(&mut folded, true);
        Needle {
            finder: Finder::new(&folded).into_owned(),
            screen: OnceLock::new(),
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

    /// Whether it may be in a text; `false` is certain.
    fn may_be_in(&self, text: &str) -> bool {
        let screen = self
            .screen
            .get_or_init(|| Screen::new(self.folded()).map(Box::new));
        screen.as_ref().is_none_or(|screen| screen.may_hold(text))
    }
}

/// Looks for several needles in one text after another, each text in pieces of any size. Memory is
/// bounded by [`LOOK_AT`], one piece and eight times the longest needle, and what these fold to, however
/// long the texts are.
pub struct Seeker<'n> {
    /// Needles not found yet, with the numbers they are known by.
    missing: Vec<(usize, &'n Needle)>,
    buffers: Buffers,
    /// Octets of what was looked at that the beginning of a match may take.
    kept: usize,
    /// Only if a needle has a line end does it matter which one the text has.
    spans_lines: bool,
}

/// What a [`Seeker`] works with; another one can use it again.
#[derive(Debug, Default)]
pub struct Buffers {
    /// The end of what was looked at, as long as a match may need, and what is new.
    text: String,
    /// The same, folded.
    folded: Vec<u8>,
}

impl<'n> Seeker<'n> {
    /// Looks for nothing yet. [`Seeker::into_buffers`] gives back the buffers, for the next one.
    pub fn new(buffers: Buffers) -> Seeker<'n> {
        Seeker {
            missing: Vec::new(),
            buffers,
            kept: 0,
            spans_lines: false,
        }
    }

    /// Looks for these needles from now on, in a new text. [`Seeker::push`] reports them by their numbers.
    pub fn seek(&mut self, needles: impl IntoIterator<Item = (usize, &'n Needle)>) {
        self.missing.clear();
        self.missing.extend(needles);
        let longest = self.missing.iter().map(|(_, needle)| needle.folded().len());
        self.kept = longest.max().unwrap_or(0).saturating_mul(LONGEST);
        self.spans_lines = self.missing.iter().any(|(_, needle)| needle.spans_lines());
        self.buffers.text.clear();
    }

    /// The buffers, to be used again.
    pub fn into_buffers(self) -> Buffers {
        self.buffers
    }

    /// Whether everything has been found.
    pub fn is_done(&self) -> bool {
        self.missing.is_empty()
    }

    /// Whether what is looked for may be in a text, which is not taken; `false` is certain.
    pub fn may_find(&self, text: &str) -> bool {
        let mut missing = self.missing.iter();
        missing.any(|(_, needle)| needle.may_be_in(text))
    }

    /// Takes the next piece of the text, which `add` appends to what it is given, and calls `found` with the
    /// number of each needle that is now seen for the first time; it may be seen a few pieces later, but
    /// not after [`Seeker::end`].
    pub fn push(&mut self, add: impl FnOnce(&mut String), found: impl FnMut(usize)) {
        add(&mut self.buffers.text);
        // At least as much new text as old, so that long needles cost no more than twice the time.
        let length = self.buffers.text.len();
        if length >= self.kept.saturating_add(self.kept.max(LOOK_AT)) {
            self.look(false, found);
            let text = &mut self.buffers.text;
            text.drain(..text.floor_char_boundary(length - self.kept));
        }
    }

    /// Ends a text: the next piece begins another.
    pub fn end(&mut self, found: impl FnMut(usize)) {
        self.look(true, found);
        self.buffers.text.clear();
    }

    fn look(&mut self, at_end: bool, mut found: impl FnMut(usize)) {
        let Buffers { text, folded } = &mut self.buffers;
        folded.clear();
        let mut is_folded = false;
        self.missing.retain(|(number, needle)| {
            if !needle.may_be_in(text) {
                return true;
            }
            if !std::mem::replace(&mut is_folded, true) {
                fold(text, folded);
                if self.spans_lines {
                    unify_line_ends(folded, at_end);
                }
            }
            let is_there = needle.finder.find(folded).is_some();
            if is_there {
                found(*number);
            }
            !is_there
        });
    }
}

/// CRLF → LF. A bare CR stays; but where the text goes on, one at its end waits for what comes.
fn unify_line_ends(text: &mut Vec<u8>, at_end: bool) {
    let (mut out, mut at) = (0, 0);
    while let Some(&octet) = text.get(at) {
        at += 1;
        let next = text.get(at);
        if octet == b'\r' && (next == Some(&b'\n') || (next.is_none() && !at_end)) {
            continue;
        }
        if let Some(place) = text.get_mut(out) {
            *place = octet;
        }
        out += 1;
    }
    text.truncate(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    /// The numbers of the needles found in texts given as pieces.
    fn found(needles: &[&str], texts: &[&[&str]]) -> Vec<usize> {
        found_by(
            &needles
                .iter()
                .map(|text| Needle::new(text))
                .collect::<Vec<_>>(),
            texts,
        )
    }

    fn found_by(needles: &[Needle], texts: &[&[&str]]) -> Vec<usize> {
        let mut seeker = Seeker::new(Buffers {
            text: "left over".to_owned(),
            folded: b"left over".to_vec(),
        });
        seeker.seek(needles.iter().enumerate());
        let mut found = Vec::new();
        for text in texts {
            for piece in *text {
                seeker.push(|text| text.push_str(piece), |number| found.push(number));
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
        let mut seeker = Seeker::new(Buffers::default());
        seeker.seek([(0, &needle)]);
        let piece = "abcdefgh".repeat(1024);
        for _ in 0..1000 {
            seeker.push(|text| text.push_str(&piece), |_| panic!("not there"));
        }
        seeker.end(|_| panic!("not there"));
        let Buffers { text, folded } = seeker.into_buffers();
        assert!(text.capacity() + folded.capacity() < 5 * LOOK_AT);
    }

    proptest! {
        /// Wherever a text is cut, the same is found as in the whole.
        #[test]
        fn every_cut_finds_the_same(
            text in "[abé\r\nⱥ한]{0,24}",
            needles in proptest::collection::vec("[aBÉ\r\n한]{1,4}", 1..4),
        ) {
            let needles: Vec<Needle> = needles.iter().map(|text| Needle::new(text)).collect();
            let whole = found_by(&needles, &[&[&text]]);
            for (first, _) in text.char_indices() {
                for (second, _) in text.char_indices().filter(|(at, _)| *at >= first) {
                    let pieces = [&text[..first], &text[first..second], &text[second..]];
                    prop_assert_eq!(&found_by(&needles, &[&pieces]), &whole);
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
