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
    out.reserve(text.len());
    let mut chars = text.chars();
    loop {
        // As many lanes of ASCII as there are, at one go.
        let rest = chars.as_str();
        let (lanes, _) = rest.as_bytes().as_chunks::<LANE>();
        let ascii = lanes.iter().take_while(|lane| lane.is_ascii()).count() * LANE;
        if let Some((run, after)) = rest.split_at_checked(ascii) {
            let start = out.len();
            out.extend_from_slice(run.as_bytes());
            if let Some(run) = out.get_mut(start..) {
                run.make_ascii_lowercase();
            }
            chars = after.chars();
        }
        // Not ASCII throughout: whole characters, about a lane of them before the next try.
        for c in chars.by_ref().take(LANE / 2) {
            if c.is_ascii() {
                out.push(c.to_ascii_lowercase() as u8);
            } else {
                TABLE.fold(c, out);
            }
        }
        if chars.as_str().is_empty() {
            return;
        }
    }
}

/// Octets of ASCII folded at one go.
const LANE: usize = 32;

/// Code points a block of the table covers.
const BLOCK: usize = 256;

static TABLE: LazyLock<Table> = LazyLock::new(Table::build);

/// Folded forms of all code points: about 300 KiB, made in a few milliseconds at first use.
struct Table {
    /// For each 256 code points, which block of `entries` they have. Block 0 is "all fold to themselves".
    blocks: Vec<u16>,
    entries: Vec<Entry>,
    /// Folded forms too long for an entry.
    long: Vec<u8>,
}

/// A folded form: up to seven octets and, last, how many; 0 if the code point folds to itself. A longer
/// one (Hangul syllables, Arabic ligatures) is in [`Table::long`], where the first four octets say.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Entry([u8; 8]);

impl Table {
    fn fold(&self, c: char, out: &mut Vec<u8>) {
        let code = c as usize;
        let block = self.blocks.get(code / BLOCK).copied().unwrap_or(0);
        let entry = self.entries.get(usize::from(block) * BLOCK + code % BLOCK);
        let Entry(octets) = entry.copied().unwrap_or_default();
        let [.., length] = octets;
        let length = usize::from(length);
        let start = out.len();
        // A whole entry is copied, for a copy of fixed length is one instruction; then cut to length.
        match length {
            0 => {
                let mut utf8 = [0; 4];
                let length = c.encode_utf8(&mut utf8).len();
                out.extend_from_slice(&utf8);
                out.truncate(start + length);
            }
            1..8 => {
                out.extend_from_slice(&octets);
                out.truncate(start + length);
            }
            _ => {
                let [a, b, c, d, ..] = octets;
                let at = u32::from_le_bytes([a, b, c, d]) as usize;
                out.extend_from_slice(self.long.get(at..at + length).unwrap_or_default());
            }
        }
    }

    fn build() -> Table {
        let mut table = Table {
            blocks: vec![0; 0x11_0000 / BLOCK],
            entries: vec![Entry::default(); BLOCK],
            long: Vec::new(),
        };
        let mut folded = Vec::new();
        for (number, slot) in table.blocks.iter_mut().enumerate() {
            // Ideographs, private use and everything from plane 2 on fold to themselves; what does not is
            // the compatibility ideographs of plane 2.
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
        table
    }
}

impl Entry {
    fn new(folded: &[u8], long: &mut Vec<u8>) -> Entry {
        let mut octets = [0; 8];
        match octets.get_mut(..folded.len()) {
            Some(place) if folded.len() < 8 => place.copy_from_slice(folded),
            _ => {
                // The longest form has 33 octets, and all of them together about 100 KiB.
                octets[..4].copy_from_slice(&(long.len() as u32).to_le_bytes());
                long.extend_from_slice(folded);
            }
        }
        octets[7] = folded.len() as u8;
        Entry(octets)
    }
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
        for c in '\0'..=char::MAX {
            slowly.clear();
            fold_slowly(c, &mut slowly);
            assert_eq!(folded(c.encode_utf8(&mut [0; 4])), slowly, "{c:?}");
            assert!(slowly.len() <= 11 * c.len_utf8(), "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_make_the_whole(text in "(?s)([a-zA-Z ]{0,40}.{0,9}){0,6}") {
            let whole = folded(&text);
            for (at, _) in text.char_indices() {
                let mut pieces = Vec::new();
                fold(&text[..at], &mut pieces);
                fold(&text[at..], &mut pieces);
                prop_assert_eq!(&pieces, &whole);
            }
        }
    }
}
