//! The fold of `i;unicode-casemap` (RFC 5051): what makes two texts the same to SEARCH.
//!
//! Each code point is mapped to its simple titlecase form, then decomposed in full (NFKD without the
//! reordering of marks, which RFC 5051 §4 leaves open), and written as UTF-8. Accents stay significant,
//! for they stay in the text; `ß` and `SS` stay different, for neither is the other's titlecase form.
//! Code points are folded one by one, so a text may be folded in pieces.
//!
//! The bytes made here are for comparing only. They carry the case of the ASCII letters the other way
//! round (titlecase `A` is written `a`, and the `a` that remains of a decomposed `ª` is written `A`):
//! as good for comparing, and `memmem` guesses well which bytes are rare in a lower-case text.

use std::sync::LazyLock;

use unicode_normalization::char::decompose_compatible;

/// Appends the folded form of `text`. At most eleven times as long as `text`; nearly always as long.
pub fn fold(text: &str, out: &mut Vec<u8>) {
    let table = &*TABLE;
    let mut rest = text.as_bytes();
    out.reserve(rest.len());
    while !rest.is_empty() {
        rest = fold_lanes(rest, out);
        rest = table.fold_mixed(rest, out);
    }
}

/// Gives each character that does not fold to itself, with what it folds to.
pub fn each_folded(mut take: impl FnMut(char, &[u8])) {
    let table = &*TABLE;
    let mut give = |code: usize, entry: u64| {
        let character = u32::try_from(code).ok().and_then(char::from_u32);
        let length = (entry >> LENGTH) as usize;
        let octets = entry.to_le_bytes();
        let folded = match octets.get(..length) {
            Some(short) if length < WORD => short,
            _ => table.long(entry),
        };
        if let Some(character) = character
            && !folded.is_empty()
            && folded != character.encode_utf8(&mut [0; 4]).as_bytes()
        {
            take(character, folded);
        }
    };
    for (code, entry) in table.narrow.iter().enumerate() {
        give(code, *entry);
    }
    for (number, block) in table.blocks.iter().enumerate() {
        let start = usize::from(*block) * BLOCK;
        let entries = table.entries.get(start..start + BLOCK).unwrap_or_default();
        for (low, Entry(entry)) in entries.iter().enumerate() {
            let code = number * BLOCK + low;
            if *block > 0 && code >= NARROW {
                give(code, *entry);
            }
        }
    }
}

/// Octets that are ASCII or not as one.
const LANE: usize = 32;

/// Octets gathered before they are appended, where each piece costs one copy of fixed length.
const GATHERED: usize = 512;

/// Octets looked at together in mixed text, and the size of an [`Entry`].
const WORD: usize = 8;

/// Where in an [`Entry`] the length is.
const LENGTH: u32 = 56;

/// A one in each octet of a word.
const EACH: u64 = 0x0101_0101_0101_0101;

/// Code points that have one octet or two.
const NARROW: usize = 0x800;

/// Code points a block of the table covers.
const BLOCK: usize = 256;

/// Folds as many lanes of pure ASCII as come first, at one go. Gives the rest.
fn fold_lanes<'t>(text: &'t [u8], out: &mut Vec<u8>) -> &'t [u8] {
    let (lanes, _) = text.as_chunks::<LANE>();
    let ascii = lanes.iter().take_while(|lane| lane.is_ascii()).count();
    let (run, rest) = text.split_at_checked(ascii * LANE).unwrap_or((&[], text));
    let start = out.len();
    out.extend_from_slice(run);
    if let Some(run) = out.get_mut(start..) {
        run.make_ascii_lowercase();
    }
    rest
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::build);

/// Folded forms of all code points: about 400 KiB, made in a few milliseconds at first use.
struct Table {
    /// Those of code points with one octet or two, in one place; those too that fold to themselves.
    narrow: Vec<u64>,
    /// For each 256 code points, which block of `entries` they have. Block 0 is "all fold to themselves".
    blocks: Vec<u16>,
    entries: Vec<Entry>,
    /// Folded forms too long for an entry.
    long: Vec<u8>,
}

/// A folded form: up to seven octets, the first lowest, and how many in the highest. A longer form (Hangul
/// syllables, Arabic ligatures) is in [`Table::long`], where the lower half says. Nothing at all stands
/// for a code point that folds to itself.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Entry(u64);

impl Table {
    /// Folds some [`GATHERED`] octets of UTF-8 that is not all ASCII. Gives the rest.
    ///
    /// Runs of ASCII go word by word, what is between them character by character.
    fn fold_mixed<'t>(&self, mut rest: &'t [u8], out: &mut Vec<u8>) -> &'t [u8] {
        let mut gathered = [0; GATHERED + 2 * WORD];
        let mut length = 0;
        while length < GATHERED && !rest.is_empty() {
            match rest {
                [first @ 0xc0..0xe0, second, more @ ..] => {
                    let entry = self.narrow(*first, *second);
                    put(&mut gathered, length, entry);
                    length += (entry >> LENGTH) as usize;
                    rest = more;
                }
                [0xe0..=0xff, ..] => {
                    let word = first_word(rest);
                    let (code, taken) = decode(word);
                    rest = rest.get(taken..).unwrap_or_default();
                    let Entry(entry) = self.entry(code);
                    let count = (entry >> LENGTH) as usize;
                    if count >= WORD {
                        out.extend_from_slice(gathered.get(..length).unwrap_or_default());
                        out.extend_from_slice(self.long(entry));
                        length = 0;
                        continue;
                    }
                    // What folds to itself has an empty entry.
                    let same = count == 0;
                    put(&mut gathered, length, entry | (word * u64::from(same)));
                    length += count + taken * usize::from(same);
                }
                _ => {
                    let word = first_word(rest);
                    let ascii = ascii_octets(word);
                    put(&mut gathered, length, lowercase(word));
                    length += ascii;
                    rest = rest.get(ascii..).unwrap_or_default();
                }
            }
        }
        out.extend_from_slice(gathered.get(..length).unwrap_or_default());
        rest
    }

    /// The folded form of the code point with these two octets, its length in the highest octet.
    #[inline]
    fn narrow(&self, first: u8, second: u8) -> u64 {
        let code = usize::from(first & 0x1f) << 6 | usize::from(second & 0x3f);
        self.narrow.get(code).copied().unwrap_or_default()
    }

    #[inline]
    fn entry(&self, code: u64) -> Entry {
        let code = code as usize;
        let block = self.blocks.get(code / BLOCK).copied().unwrap_or(0);
        let entry = self.entries.get(usize::from(block) * BLOCK + code % BLOCK);
        entry.copied().unwrap_or_default()
    }

    fn long(&self, entry: u64) -> &[u8] {
        let (at, length) = (entry as u32 as usize, (entry >> LENGTH) as usize);
        self.long.get(at..at + length).unwrap_or_default()
    }

    fn build() -> Table {
        let mut table = Table {
            narrow: Vec::with_capacity(NARROW),
            blocks: vec![0; 0x11_0000 / BLOCK],
            entries: vec![Entry::default(); BLOCK],
            long: Vec::new(),
        };
        let mut folded = Vec::new();
        for (number, slot) in table.blocks.iter_mut().enumerate() {
            // Ideographs, surrogates, private use and everything from plane 2 on fold to themselves; what
            // does not is the compatibility ideographs of plane 2.
            if matches!(number, 0x34..=0x9f | 0xd8..=0xf8 | 0x200..=0x2f7 | 0x2fb..) {
                continue;
            }
            let mut entries = [Entry::default(); BLOCK];
            for (low, entry) in entries.iter_mut().enumerate() {
                let Some(c) = u32::try_from(number * BLOCK + low)
                    .ok()
                    .and_then(char::from_u32)
                else {
                    continue;
                };
                folded.clear();
                fold_slowly(c, &mut folded);
                if folded != c.encode_utf8(&mut [0; 4]).as_bytes() {
                    *entry = Entry::new(&folded, &mut table.long);
                }
            }
            if entries != [Entry::default(); BLOCK] {
                // At most 4352 blocks, so their numbers fit.
                *slot = (table.entries.len() / BLOCK) as u16;
                table.entries.extend_from_slice(&entries);
            }
        }
        for code in (0..).map_while(char::from_u32).take(NARROW) {
            folded.clear();
            fold_slowly(code, &mut folded);
            // Six octets at the most, so none is among the long ones.
            table.narrow.push(Entry::new(&folded, &mut table.long).0);
        }
        table
    }
}

impl Entry {
    fn new(folded: &[u8], long: &mut Vec<u8>) -> Entry {
        let length = (folded.len() as u64) << LENGTH;
        if folded.len() < WORD {
            let mut octets = [0; WORD];
            for (to, from) in octets.iter_mut().zip(folded) {
                *to = *from;
            }
            return Entry(u64::from_le_bytes(octets) | length);
        }
        // The longest form has 33 octets, and all of them together about 100 KiB.
        let at = long.len() as u64;
        long.extend_from_slice(folded);
        Entry(at | length)
    }
}

/// Writes a word, of which as many octets stay as the next one leaves.
#[inline]
fn put(gathered: &mut [u8; GATHERED + 2 * WORD], at: usize, word: u64) {
    if let Some(place) = gathered.get_mut(at..at + WORD) {
        place.copy_from_slice(&word.to_le_bytes());
    }
}

/// How many octets at the beginning of a word are ASCII.
#[inline]
fn ascii_octets(word: u64) -> usize {
    (word & (EACH * 0x80)).trailing_zeros() as usize / 8
}

/// The word with its ASCII octets in lower case, all at once; what the others become does not matter.
#[inline]
fn lowercase(word: u64) -> u64 {
    // Seven bits of each octet, added to so that its eighth tells `A` and above from `Z` and below.
    let low = word & (EACH * 0x7f);
    let from_a = low + EACH * (0x80 - b'A' as u64);
    let above_z = low + EACH * (0x7f - b'Z' as u64);
    let capital = (from_a & !above_z) & (EACH * 0x80);
    word | capital >> 2
}

/// The code point of three octets or four that a word of valid UTF-8 begins with, and its length.
#[inline]
fn decode(word: u64) -> (u64, usize) {
    let bits = |octet: u32, mask: u64| word >> (8 * octet) & mask;
    match word as u8 {
        0..0xf0 => (bits(0, 0xf) << 12 | bits(1, 0x3f) << 6 | bits(2, 0x3f), 3),
        _ => {
            let high = bits(0, 7) << 18 | bits(1, 0x3f) << 12;
            (high | bits(2, 0x3f) << 6 | bits(3, 0x3f), 4)
        }
    }
}

/// The octets that a text begins with, made up to a word with what is neither ASCII nor looked at.
#[inline]
fn first_word(rest: &[u8]) -> u64 {
    if let Some(word) = rest.first_chunk::<WORD>() {
        return u64::from_le_bytes(*word);
    }
    let mut word = [0x80; WORD];
    for (to, from) in word.iter_mut().zip(rest) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

/// RFC 5051 §2, step 2, by the book.
fn fold_slowly(c: char, out: &mut Vec<u8>) {
    decompose_compatible(titlecase(c), |c| {
        let c = if c.is_ascii_lowercase() {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        };
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    });
}

/// The simple titlecase mapping of UnicodeData.txt. The standard library has the full uppercase mapping:
/// it differs where that has several characters, and in the few places where titlecase is not uppercase.
fn titlecase(c: char) -> char {
    match c {
        // Digraphs with a titlecase form of their own.
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        // Georgian has capitals for whole words only, none for the first letter.
        'ა'..='ჺ' | 'ჽ'..='ჿ' => c,
        // Greek with iota subscript: several characters in upper case, one in title case.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
            char::from_u32(c as u32 + 8).unwrap_or(c)
        }
        'ᾳ' => 'ᾼ',
        'ῃ' => 'ῌ',
        'ῳ' => 'ῼ',
        _ => {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn folded(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        fold(text, &mut out);
        out
    }

    fn same(a: &str, b: &str) -> bool {
        folded(a) == folded(b)
    }

    #[test]
    fn case_does_not_matter_and_accents_do() {
        assert!(same("ÉTÉ", "été"));
        assert!(same("Привет", "ПРИВЕТ"));
        assert!(same("ΟΔΟΣ", "οδος"));
        assert!(
            same("ΟΔΟΣ", "οδος".replace('σ', "ς").as_str()),
            "final sigma"
        );
        assert!(!same("ete", "été"));
        assert!(!same("И", "Й"));
    }

    #[test]
    fn a_letter_with_an_accent_is_the_letter_and_the_accent() {
        assert!(same("é", "e\u{301}"));
        assert!(same("É", "e\u{301}"));
        assert!(same("ế", "E\u{302}\u{301}"), "decomposed all the way down");
        assert!(same(
            "한글",
            "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"
        ));
    }

    #[test]
    fn compatibility_forms_are_what_they_stand_for() {
        assert!(same("Ｆｕｌｌ", "full"));
        assert!(same("①", "1"));
        assert!(same("\u{212a}", "k"), "the Kelvin sign");
        assert!(same("ſ", "s"));
        assert!(same("\u{fdfa}", "صلى الله عليه وسلم"));
        assert!(same("𝐀", "a"), "beyond the BMP");
        assert!(same("\u{2f800}", "丽"));
    }

    #[test]
    fn what_rfc_5051_leaves_different_is_different() {
        assert!(!same("straße", "STRASSE"));
        assert!(!same("ß", "ẞ"), "neither is the other's titlecase form");
        // Decomposing comes after titlecase, and its result is not titlecased again.
        assert!(!same("ª", "a"));
        assert!(!same("ﬁ", "FI") && !same("ﬁ", "fi"));
        // Georgian: an uppercase form is no titlecase form.
        assert!(!same("\u{10d0}", "\u{1c90}"));
    }

    /// UnicodeData.txt has no titlecase form for them, though the full mapping of SpecialCasing.txt makes several
    /// characters of each; or it has one that is shared.
    #[test]
    fn one_character_has_one_titlecase_form_at_most() {
        for (c, expected) in [
            ("ß", "ß"),
            ("ŉ", "ʼN"),
            ("ǰ", "J\u{30c}"),
            ("ΐ", "ι\u{308}\u{301}"),
            ("և", "եւ"),
            ("ﬀ", "FF"),
            ("ᾶ", "α\u{342}"),
            ("ᾼ", "Α\u{345}"),
            ("İ", "i\u{307}"),
            ("ı", "i"),
            ("ͅ", "Ι"),
        ] {
            // ASCII letters the other way round.
            assert_eq!(folded(c), expected.as_bytes(), "{c}");
        }
    }

    #[test]
    fn digraphs_take_the_example_of_rfc_5051() {
        // U+01C4 becomes U+0044 U+007A U+030C: `D`, and a `z` that stays small.
        for digraph in ["Ǆ", "ǅ", "ǆ"] {
            assert_eq!(folded(digraph), "dZ\u{30c}".as_bytes());
        }
        assert!(same("ᾳ", "ᾼ") && same("ᾀ", "ᾈ"));
    }

    #[test]
    fn the_table_says_what_the_book_says() {
        let mut slowly = Vec::new();
        for c in ('\0'..'\u{30000}').chain(['\u{30000}', char::MAX]) {
            slowly.clear();
            fold_slowly(c, &mut slowly);
            assert_eq!(folded(c.encode_utf8(&mut [0; 4])), slowly, "{c:?}");
            assert!(slowly.len() <= 11 * c.len_utf8(), "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_make_the_whole_by_the_book(text in "(?s)([@-z ]{0,40}.{0,9}){0,6}") {
            let whole = folded(&text);
            let mut slowly = Vec::new();
            text.chars().for_each(|c| fold_slowly(c, &mut slowly));
            prop_assert_eq!(&whole, &slowly);
            for (at, _) in text.char_indices() {
                let mut pieces = Vec::new();
                fold(&text[..at], &mut pieces);
                fold(&text[at..], &mut pieces);
                prop_assert_eq!(&pieces, &whole);
            }
        }
    }
}
