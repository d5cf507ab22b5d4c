//! The keywords of one message as a set: those that have a letter in file names, and those beyond the 26, which have a
//! number in `culver.keywords`. What they are called is for [`crate::spool::keywords`] and
//! [`crate::spool::extra_keywords`] to know.

use std::sync::Arc;

use crate::spool::filename::Letters;

/// Keywords without a letter, by their numbers. Takes no memory where there are none, and shares it with its clones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras(Option<Arc<Vec<u16>>>);

impl Extras {
    /// The set of these numbers.
    pub fn new(numbers: impl IntoIterator<Item = u16>) -> Extras {
        let mut numbers: Vec<u16> = numbers.into_iter().collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.shrink_to_fit();
        Extras((!numbers.is_empty()).then(|| Arc::new(numbers)))
    }

    /// The numbers, rising.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.0.iter().flat_map(|numbers| numbers.iter().copied())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a number is among them.
    pub fn contains(&self, number: u16) -> bool {
        (self.0.as_ref()).is_some_and(|numbers| numbers.binary_search(&number).is_ok())
    }

    /// A number that is most likely another one for another set; 0 for none at all, and for no other.
    pub fn digest(&self) -> u32 {
        let Some(numbers) = &self.0 else { return 0 };
        let mut hasher = crc32fast::Hasher::new();
        for number in numbers.iter() {
            hasher.update(&number.to_le_bytes());
        }
        hasher.finalize().max(1)
    }
}

/// All keywords of one message, or some that a command names, in one mailbox's letters and numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeywordSet {
    /// Those with a letter.
    pub letters: Letters,
    /// The others.
    pub extras: Extras,
}

impl KeywordSet {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.letters == Letters::default() && self.extras.is_empty()
    }

    /// These and those.
    pub fn union(&self, other: &KeywordSet) -> KeywordSet {
        let letters = Letters(self.letters.0 | other.letters.0);
        let extras = match (self.extras.is_empty(), other.extras.is_empty()) {
            (_, true) => self.extras.clone(),
            (true, _) => other.extras.clone(),
            _ => Extras::new(self.extras.iter().chain(other.extras.iter())),
        };
        KeywordSet { letters, extras }
    }

    /// These without those.
    pub fn difference(&self, other: &KeywordSet) -> KeywordSet {
        let letters = Letters(self.letters.0 & !other.letters.0);
        let stays = |number: &u16| !other.extras.contains(*number);
        let extras = match self.extras.iter().all(|number| stays(&number)) {
            true => self.extras.clone(),
            false => Extras::new(self.extras.iter().filter(stays)),
        };
        KeywordSet { letters, extras }
    }

    /// Whether one of these is among those.
    pub fn intersects(&self, other: &KeywordSet) -> bool {
        self.letters.0 & other.letters.0 != 0
            || self
                .extras
                .iter()
                .any(|number| other.extras.contains(number))
    }

    /// Whether both have the same of `some`.
    pub fn agrees_on(&self, other: &KeywordSet, some: &KeywordSet) -> bool {
        let (mine, theirs) = (&self.extras, &other.extras);
        let mut numbers = some.extras.iter();
        (self.letters.0 ^ other.letters.0) & some.letters.0 == 0
            && numbers.all(|number| mine.contains(number) == theirs.contains(number))
    }
}

impl From<Letters> for KeywordSet {
    fn from(letters: Letters) -> KeywordSet {
        KeywordSet {
            letters,
            extras: Extras::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(letters: u32, numbers: &[u16]) -> KeywordSet {
        KeywordSet {
            letters: Letters(letters),
            extras: Extras::new(numbers.iter().copied()),
        }
    }

    #[test]
    fn sets_are_sets() {
        let (one, other) = (set(0b011, &[30, 26, 30]), set(0b110, &[26, 27]));
        assert_eq!(one.extras.iter().collect::<Vec<_>>(), [26, 30]);
        assert_eq!(one.union(&other), set(0b111, &[26, 27, 30]));
        assert_eq!(one.difference(&other), set(0b001, &[30]));
        assert_eq!(one.difference(&one), KeywordSet::default());
        assert!(one.difference(&one).is_empty() && !one.is_empty());
        assert!(one.intersects(&other) && one.intersects(&set(0, &[30])));
        assert!(!one.intersects(&set(0b100, &[27])));
        assert!(one.agrees_on(&other, &set(0b010, &[26, 99])));
        assert!(!one.agrees_on(&other, &set(0, &[27])));
        assert!(!one.agrees_on(&other, &set(0b100, &[])));
        assert_eq!(
            KeywordSet::from(Letters(1)).union(&set(0, &[])),
            set(1, &[])
        );
    }

    #[test]
    fn what_has_none_takes_a_pointer_and_has_the_digest_0() {
        assert_eq!(size_of::<Extras>(), size_of::<usize>());
        assert_eq!(Extras::new([]).digest(), 0);
        let digests = [vec![26], vec![27], vec![26, 27]].map(|one| Extras::new(one).digest());
        assert!(!digests.contains(&0));
        assert!(digests[0] != digests[1] && digests[1] != digests[2] && digests[0] != digests[2]);
        // It stands in files: it must not be another one some day.
        assert_eq!(
            Extras::new([26, 27]).digest(),
            crc32fast::hash(&[26, 0, 27, 0])
        );
    }
}
