//! A quick look that says of most texts that a needle is not in them, without folding them.
//!
//! Nearly always a letter of folded text comes from one of two characters: the letter itself in either case. A
//! [`Screen`] has a window of such letters out of its needle, and the few characters by which the same letters may
//! come otherwise: full-width forms, ligatures, a `K` that is the Kelvin sign. In a text with neither, no place
//! folds to the needle ([`fold`]). Whatever else the text has may be there or not: it has to be folded to know.

use std::ops::Range;

use crate::search::fold::{each_folded, fold};

/// Octets that are looked at together.
const LANE: usize = 32;

/// Octets of a window by which it is looked for.
const PROBES: usize = 3;

/// Ranges of octets that are asked for together.
const RANGES: usize = 4;

/// Octets of a window at the most: more would not make it rarer.
const WINDOW: usize = 48;

/// Letters of European languages, frequent ones first. What is not among them counts as in their midst.
const FREQUENT: &[u8] = b"eatinosrldhucmpgfvbywkzxjq";

/// What tells of one needle that it is not in a text.
#[derive(Clone, Debug)]
pub struct Screen {
    /// For each octet of the window what it may be.
    window: Vec<[u8; 2]>,
    /// Where in the window the rarest octets are.
    probes: [usize; PROBES],
    /// What else the window's letters may come from, in order.
    suspects: Vec<char>,
    /// The first octets of suspects: the two lowest, and the one from which the others are on. The quickest look.
    lowest: [u8; 3],
    /// Where they lie, by start and length.
    firsts: [(u8, u8); RANGES],
    /// By the first octet of a suspect (its lower six bits), what the second may be, a bit for each.
    seconds: [u64; 64],
}

impl Screen {
    /// A screen for a needle in its folded form. `None` if it has no letters that are fit for one.
    pub fn new(folded: &[u8]) -> Option<Screen> {
        let text = std::str::from_utf8(folded).ok()?;
        let window = best_window(text)?;
        let suspects = suspects(folded, &window);
        let mut seconds = [0; 64];
        for suspect in &suspects {
            let (first, second) = beginning(*suspect);
            if let Some(bits) = seconds.get_mut(usize::from(first & 0x3f)) {
                *bits |= 1_u64 << (second & 0x3f);
            }
        }
        Some(Screen {
            probes: window.probes,
            window: window.octets,
            lowest: lowest_firsts(&suspects),
            firsts: first_octets(&suspects),
            suspects,
            seconds,
        })
    }

    /// Whether the needle may be in this text. `false` is certain.
    pub fn may_hold(&self, text: &str) -> bool {
        self.has_window(text.as_bytes()) || self.has_suspect(text)
    }

    fn has_window(&self, text: &[u8]) -> bool {
        let choices = self
            .probes
            .map(|at| self.window.get(at).copied().unwrap_or_default());
        // Where the window does not fit in any more, it cannot be.
        let Some(starts) = (text.len() + 1).checked_sub(self.window.len()) else {
            return false;
        };
        let is_here = |start: usize| {
            let place = text.get(start..).unwrap_or_default();
            let mut octets = self.window.iter().zip(place);
            octets.all(|(choice, octet)| choice.contains(octet))
        };
        let probed = self
            .probes
            .map(|at| text.get(at..at + starts).unwrap_or_default());
        let [lanes, second_lanes, third_lanes] = probed.map(|octets| octets.as_chunks().0);
        let lanes = lanes.iter().zip(second_lanes).zip(third_lanes);
        for (number, ((lane, second), third)) in lanes.enumerate() {
            let mut places = number * LANE..(number + 1) * LANE;
            // Two rare octets are there by chance now and then, three hardly ever.
            if has_all([lane, second], choices)
                && has_all([lane, second, third], choices)
                && places.any(is_here)
            {
                return true;
            }
        }
        // NUL is in no window.
        let rest = starts - starts % LANE;
        let lanes = probed.map(|octets| {
            let mut lane = [0; LANE];
            for (place, octet) in lane.iter_mut().zip(octets.iter().skip(rest)) {
                *place = *octet;
            }
            lane
        });
        has_all(lanes.each_ref(), choices) && (rest..starts).any(is_here)
    }

    fn has_suspect(&self, text: &str) -> bool {
        let (lanes, rest) = text.as_bytes().as_chunks::<LANE>();
        for (number, lane) in lanes.iter().enumerate() {
            let start = number * LANE;
            if has_first(lane, self.lowest)
                && has_any(lane, &self.firsts)
                && self.has_suspect_in(text, start..start + LANE)
            {
                return true;
            }
        }
        has_first(rest, self.lowest) && self.has_suspect_in(text, lanes.len() * LANE..text.len())
    }

    /// Whether one of the characters that begin in this range is suspect.
    fn has_suspect_in(&self, text: &str, range: Range<usize>) -> bool {
        let octets = text.as_bytes();
        range.into_iter().any(|at| {
            let Some(&[first, second]) = octets.get(at..).and_then(<[u8]>::first_chunk) else {
                return false;
            };
            let seconds = self.seconds.get(usize::from(first & 0x3f));
            let begun = text.get(at..).filter(|_| {
                first >= 0xc0 && seconds.is_some_and(|bits| bits >> (second & 0x3f) & 1 == 1)
            });
            begun
                .and_then(|text| text.chars().next())
                .is_some_and(|suspect| self.suspects.binary_search(&suspect).is_ok())
        })
    }
}

/// Whether there is a place where each of these has an octet of its choice. Without branches, so that octets are
/// compared side by side.
#[inline(always)]
fn has_all<const N: usize>(lanes: [&[u8; LANE]; N], choices: [[u8; 2]; PROBES]) -> bool {
    let mut here = [true; LANE];
    for (lane, [one, other]) in lanes.iter().zip(choices) {
        for (here, octet) in here.iter_mut().zip(*lane) {
            *here &= (*octet == one) | (*octet == other);
        }
    }
    here.iter().fold(false, |any, here| any | here)
}

/// Whether there is one of the first two octets, or one from the third on, likewise.
#[inline(always)]
fn has_first(octets: &[u8], [one, other, from]: [u8; 3]) -> bool {
    let mut any = 0;
    for octet in octets {
        any |= u8::from(*octet == one) | u8::from(*octet == other) | u8::from(*octet >= from);
    }
    any > 0
}

/// Whether an octet is in one of these ranges, likewise.
#[inline(always)]
fn has_any(octets: &[u8], ranges: &[(u8, u8); RANGES]) -> bool {
    let mut any = 0;
    for octet in octets {
        for (start, length) in ranges {
            any |= u8::from(octet.wrapping_sub(*start) < *length);
        }
    }
    any > 0
}

/// The two lowest of the first octets of these characters, which are in order, and the third. [`u8::MAX`], which no
/// text has, stands for one that is not there.
fn lowest_firsts(suspects: &[char]) -> [u8; 3] {
    let mut firsts: Vec<u8> = suspects
        .iter()
        .map(|suspect| beginning(*suspect).0)
        .collect();
    firsts.dedup();
    let mut firsts = firsts.into_iter();
    [(); 3].map(|()| firsts.next().unwrap_or(u8::MAX))
}

/// Ranges, as their starts and lengths, that hold all first octets of these characters, and as few others as that
/// many ranges can. What is left over is empty.
fn first_octets(suspects: &[char]) -> [(u8, u8); RANGES] {
    let mut ranges: Vec<(u8, u8)> = Vec::new();
    for suspect in suspects {
        let (first, _) = beginning(*suspect);
        match ranges.last_mut() {
            Some((_, last)) if *last >= first.saturating_sub(1) => *last = first,
            _ => ranges.push((first, first)),
        }
    }
    while ranges.len() > RANGES {
        let gap = |pair: &[(u8, u8)]| match pair {
            [(_, last), (next, _)] => next - last,
            _ => u8::MAX,
        };
        let gaps = ranges.windows(2).map(gap).zip(1..);
        let Some((_, nearest)) = gaps.min() else {
            break;
        };
        let (_, last) = ranges.remove(nearest);
        if let Some(range) = ranges.get_mut(nearest - 1) {
            range.1 = last;
        }
    }
    let mut all = [(0, 0); RANGES];
    for (place, (start, last)) in all.iter_mut().zip(ranges) {
        *place = (start, last - start + 1);
    }
    all
}

/// A part of a needle.
struct Window {
    /// Where it begins in the folded needle, in octets.
    start: usize,
    octets: Vec<[u8; 2]>,
    /// Where its rarest octets are, the rarest first.
    probes: [usize; PROBES],
    /// How rare the first two are: the more, the better.
    rarity: usize,
}

/// The run of letters with the two rarest octets.
fn best_window(text: &str) -> Option<Window> {
    let mut best: Option<Window> = None;
    let (mut start, mut count) = (0, 0);
    let mut octets: Vec<[u8; 2]> = Vec::new();
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        // A letter with an accent folds to the letter and the accent. Without letters that have an accent in the
        // needle, and the last, which may have one in a text, all these are no suspects.
        let is_spare = match letters.peek() {
            Some((_, next)) => !next.is_ascii() && !next.is_alphanumeric(),
            None => count >= 2,
        };
        let goes_on = !is_spare && octets.len() < WINDOW;
        let both = cases(letter).filter(|_| goes_on);
        let ends = both.is_none() || letters.peek().is_none();
        if let Some(mut both) = both {
            if octets.is_empty() {
                start = at;
            }
            octets.append(&mut both);
            count += 1;
        }
        if !ends {
            continue;
        }
        count = 0;
        if let Some(window) = Window::new(start, std::mem::take(&mut octets))
            && best.as_ref().is_none_or(|best| window.rarity > best.rarity)
        {
            best = Some(window);
        }
    }
    best
}

impl Window {
    fn new(start: usize, octets: Vec<[u8; 2]>) -> Option<Window> {
        let mut ranks: Vec<(usize, usize)> = octets.iter().map(rarity).zip(0..).collect();
        ranks.sort_unstable();
        let [others @ .., (second_rarity, second), (first_rarity, first)] = ranks.as_slice() else {
            return None;
        };
        // Of two octets one is asked for twice.
        let third = others.last().map_or(*first, |(_, third)| *third);
        Some(Window {
            start,
            octets,
            probes: [*first, *second, third],
            rarity: first_rarity + second_rarity,
        })
    }
}

/// How rare an octet is in texts that have it at all.
fn rarity(choice: &[u8; 2]) -> usize {
    let [octet, _] = *choice;
    match octet {
        0..0x80 => {
            let octet = octet.to_ascii_lowercase();
            let place = FREQUENT.iter().position(|letter| *letter == octet);
            place.unwrap_or(FREQUENT.len() / 2)
        }
        // One of 64 by its script's chance; but the first octets of a script are all the same.
        0x80..0xc0 => FREQUENT.len() / 2,
        _ => 0,
    }
}

/// The two characters, or twice the one, that fold to this letter and have octets as many, octet by octet.
fn cases(letter: char) -> Option<Vec<[u8; 2]>> {
    if !letter.is_alphanumeric() {
        return None;
    }
    let mut wanted = [0; 4];
    let wanted = letter.encode_utf8(&mut wanted).as_bytes();
    let lower = letter.to_lowercase().next().unwrap_or(letter);
    let upper = letter.to_uppercase().next().unwrap_or(letter);
    let mut folded = Vec::new();
    let mut both = [letter, lower, upper].into_iter().filter(|one| {
        folded.clear();
        fold(one.encode_utf8(&mut [0; 4]), &mut folded);
        folded == wanted && one.len_utf8() == letter.len_utf8()
    });
    let one = both.next()?;
    let other = both.find(|other| *other != one).unwrap_or(one);
    let (mut one_octets, mut other_octets) = ([0; 4], [0; 4]);
    let one = one.encode_utf8(&mut one_octets).bytes();
    let other = other.encode_utf8(&mut other_octets).bytes();
    Some(one.zip(other).map(|(one, other)| [one, other]).collect())
}

/// The characters that may bring a part of the window's letters where the needle is, other than those that the
/// window has; in order.
fn suspects(needle: &[u8], window: &Window) -> Vec<char> {
    let end = window.start + window.octets.len();
    let range = window.start..end;
    let mut in_window = [false; 256];
    for octet in needle.get(range.clone()).unwrap_or_default() {
        if let Some(is_in) = in_window.get_mut(usize::from(*octet)) {
            *is_in = true;
        }
    }
    let is_in_window = |octet: &u8| in_window.get(usize::from(*octet)) == Some(&true);
    let mut suspects = Vec::new();
    each_folded(|character, folded| {
        if folded.iter().any(is_in_window)
            && may_bring(folded, needle, &range)
            && !is_regular(character, folded)
        {
            suspects.push(character);
        }
    });
    suspects.sort_unstable();
    suspects
}

/// Whether there is a place where what a character folds to and the needle agree as far as they overlap, and
/// overlap in this range.
fn may_bring(folded: &[u8], needle: &[u8], range: &Range<usize>) -> bool {
    // The needle's start, seen from where the other starts, is `shift - folded.len()`.
    (1..folded.len() + needle.len()).any(|shift| {
        let before = folded.len().saturating_sub(shift);
        let start = shift.saturating_sub(folded.len());
        let length = (folded.len() - before).min(needle.len() - start);
        let overlaps = start < range.end && start + length > range.start;
        overlaps && folded.get(before..before + length) == needle.get(start..start + length)
    })
}

/// Whether a character that folds to one letter is one of those that a window has for it.
fn is_regular(character: char, folded: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(folded) else {
        return false;
    };
    let mut letters = text.chars();
    let (Some(letter), None) = (letters.next(), letters.next()) else {
        return false;
    };
    let mut octets = [0; 4];
    let octets = character.encode_utf8(&mut octets).as_bytes();
    cases(letter).is_some_and(|both| {
        both.len() == octets.len() && {
            // Not octet by octet: one case's first and the other's second may be a third character.
            let one = both.iter().map(|[one, _]| one);
            let other = both.iter().map(|[_, other]| other);
            one.eq(octets) || other.eq(octets)
        }
    })
}

/// The first two octets of a character; of one that has a single octet, that and nothing.
fn beginning(character: char) -> (u8, u8) {
    let mut octets = [0; 4];
    character.encode_utf8(&mut octets);
    let [first, second, ..] = octets;
    (first, second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        fold(text, &mut out);
        out
    }

    fn screen(needle: &str) -> Screen {
        Screen::new(&folded(needle)).unwrap()
    }

    #[test]
    fn a_word_is_seen_in_either_case_and_no_other_word() {
        for (needle, here, elsewhere) in [
            ("absent", "it is ABSent", "abscence, ab sent, abs\u{301}ent"),
            ("щебетание", "ЩЕБЕтание!", "щебет ание, ёжик"),
            ("überzwerch", "BERZWERCH", "über Zwerge, ﬁt, K, é"),
            ("ab", "xaB", "a b"),
            ("漢字", "a漢字", "漢 字, カナ"),
        ] {
            let screen = screen(needle);
            for padding in [0, 1, 31, 32, 33, 100] {
                let padding = "é- ".repeat(padding);
                assert!(
                    screen.may_hold(&format!("{padding}{here}{padding}")),
                    "{needle}"
                );
                assert!(
                    !screen.may_hold(&format!("{padding}{elsewhere}{padding}")),
                    "{needle}"
                );
            }
            assert!(!screen.may_hold(""));
        }
    }

    #[test]
    fn another_form_of_a_letter_is_suspect() {
        let text = format!("{} in Ｋelvin, or \u{212a}elvin", "été ".repeat(20));
        assert!(screen("kelvin").may_hold(&text));
        assert!(screen("5tm").may_hold("5™"));
        assert!(screen("한글").may_hold("한글"));
        assert!(!screen("office").may_hold("a ﬂat"));
        assert!(!screen("kelvin").may_hold("ｆｕ"));
    }

    #[test]
    fn what_has_no_letters_has_no_screen() {
        for needle in ["", "x", "...", " - ", "\r\n"] {
            assert!(Screen::new(&folded(needle)).is_none(), "{needle:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_there_is_never_denied(
            text in "([abkKszﬁéÉﬃſ\u{212a}ａǆĳª½ßΣσςйИ\u{306}ё한\u{1112}\u{1161}㎏漢\u{fb03}𝐀]|x{30}){0,40}",
            needle in "[abkKszﬁfiéſdžjoΣσςйИ\u{306}е한\u{1112}\u{1161}g漢2]{1,5}",
            start in 0_usize..60,
            length in 1_usize..8,
        ) {
            let whole = folded(&text);
            // Needles that are there, and others.
            let inside: String = text.chars().skip(start).take(length).collect();
            for needle in [folded(&needle), folded(&inside)] {
                let is_there = memchr::memmem::find(&whole, &needle).is_some();
                if let Some(screen) = Screen::new(&needle) {
                    prop_assert!(screen.may_hold(&text) || !is_there);
                }
            }
        }
    }
}
