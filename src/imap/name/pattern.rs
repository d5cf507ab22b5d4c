//! LIST patterns (RFC 3501 §6.3.8): which names a reference and a pattern with `*` and `%` ask for.

use crate::imap::name::{MailboxName, decode};

/// The arguments of LIST or LSUB, ready to be compared with names.
///
/// A pattern is compared with names as UTF-8. One that is not valid in its session's spelling names
/// nothing, so it matches nothing. INBOX, also as the first of several levels, is matched without
/// regard to case; everything else with.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Never two wildcards in a row. `None` if nothing matches.
    tokens: Option<Vec<Token>>,
    /// Octets of the shortest name that could match.
    least: usize,
    separator: char,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Character(char),
    /// `%`: anything within a level.
    Level,
    /// `*`: anything.
    Any,
}

impl Pattern {
    /// A pattern from what the client sent; the reference is simply put before it, as in Dovecot.
    /// `utf8` is whether names are UTF-8 in this session, otherwise they are modified UTF-7.
    pub fn new(reference: &[u8], pattern: &[u8], utf8: bool, separator: char) -> Pattern {
        let Ok(text) = decode(&[reference, pattern].concat(), utf8) else {
            return Pattern {
                tokens: None,
                least: 0,
                separator,
            };
        };
        let mut tokens: Vec<Token> = Vec::with_capacity(text.len());
        let mut least = 0;
        for character in text.chars() {
            let token = match character {
                '*' => Token::Any,
                '%' => Token::Level,
                _ => {
                    least += character.len_utf8();
                    Token::Character(character)
                }
            };
            // A row of wildcards asks for no more than its widest does.
            match (tokens.last_mut(), token) {
                (Some(last @ (Token::Level | Token::Any)), Token::Any) => *last = Token::Any,
                (Some(Token::Level | Token::Any), Token::Level) => {}
                _ => tokens.push(token),
            }
        }
        Pattern {
            tokens: Some(tokens),
            least,
            separator,
        }
    }

    /// Whether the pattern asks for `name`.
    pub fn matches(&self, name: &MailboxName) -> bool {
        let (matched, _) = self.compare(name);
        matched
    }

    /// The parents of `name` that the pattern asks for, outermost first: those that LIST shows as
    /// `\NonExistent` or `\NoSelect` where they do not exist, and that `LSUB` with `%` gives for a
    /// subscribed name below them (RFC 3501 §6.3.9).
    pub fn matching_parents(&self, name: &MailboxName) -> Vec<MailboxName> {
        let (_, parents) = self.compare(name);
        parents
    }

    /// Walks the name once with every place in the pattern where it may be. A pattern with more characters than
    /// the name is not looked at, so the cost is at most the square of the name's length, whatever the
    /// pattern is.
    fn compare(&self, name: &MailboxName) -> (bool, Vec<MailboxName>) {
        let mut parents = Vec::new();
        let Some(tokens) = &self.tokens else {
            return (false, parents);
        };
        if self.least > name.as_str().len() {
            return (false, parents);
        }
        let folded = match name.levels(self.separator).next() {
            Some("INBOX") => "INBOX".len(),
            _ => 0,
        };
        let mut places = Vec::new();
        enter(&mut places, tokens, 0);
        for (at, character) in name.as_str().char_indices() {
            if character == self.separator
                && places.last() == Some(&tokens.len())
                && let Some(parent) = name.as_str().get(..at)
                && !parent.is_empty()
            {
                parents.push(MailboxName(parent.into()));
            }
            let mut next = Vec::with_capacity(places.len() + 2);
            for place in places {
                match tokens.get(place) {
                    Some(Token::Any) => enter(&mut next, tokens, place),
                    Some(Token::Level) if character != self.separator => {
                        enter(&mut next, tokens, place);
                    }
                    Some(Token::Character(wanted))
                        if *wanted == character
                            || at < folded && wanted.eq_ignore_ascii_case(&character) =>
                    {
                        enter(&mut next, tokens, place + 1);
                    }
                    _ => {}
                }
            }
            places = next;
            if places.is_empty() {
                return (false, parents);
            }
        }
        (places.last() == Some(&tokens.len()), parents)
    }
}

/// Adds a place, and the one after it where a wildcard may stand for nothing. Places come in rising
/// order, so one that is there already is not above the last.
fn enter(places: &mut Vec<usize>, tokens: &[Token], place: usize) {
    let wildcard = matches!(tokens.get(place), Some(Token::Level | Token::Any));
    for place in place..=place + usize::from(wildcard) {
        if places.last().is_none_or(|last| *last < place) {
            places.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> MailboxName {
        MailboxName::from_utf8(text, '/').unwrap()
    }

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(b"", pattern.as_bytes(), false, '/').matches(&name(text))
    }

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            ("*", "a", true),
            ("*", "a/b/c", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("%/%", "a/b", true),
            ("%/%", "a", false),
            ("a/%", "a/b", true),
            ("a/%", "a/b/c", false),
            ("a/*", "a/b/c", true),
            ("a/*", "a", false),
            ("a*", "a", true),
            ("a%", "a", true),
            ("*b", "a/b", true),
            ("%b", "a/b", false),
            ("*a*", "xay", true),
            ("*c", "ab", false),
            ("a", "A", false),
            ("a/b", "a/b", true),
            ("%*", "a/b", true),
            ("*%", "a/b", true),
            ("%%", "ab", true),
            ("%%", "a/b", false),
            ("", "a", false),
            ("a/", "a", false),
            ("*/*/*", "a/b/c", true),
            ("*/*/*", "a/b", false),
            ("a*b%c", "a/x/bc", true),
            ("a*b%c", "a/b/c", false),
            ("a*b%c", "a/b/bxc", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn inbox_has_no_case() {
        for pattern in ["inbox", "INBOX", "InB%", "*x", "*", "%", "i*"] {
            assert!(matches(pattern, "INBOX"), "{pattern}");
        }
        assert!(matches("inbox/%", "INBOX/sub"));
        assert!(!matches("inbox/SUB", "INBOX/sub"));
        assert!(!matches("inboxes", "INBOX"));
        assert!(!matches("in*", "INBOXES"));
        assert!(!matches("x/inbox", "x/INBOX"));
    }

    #[test]
    fn the_reference_comes_first() {
        let pattern = Pattern::new(b"a", b".%", false, '.');
        assert!(pattern.matches(&MailboxName::from_utf8("a.b", '.').unwrap()));
        assert!(!pattern.matches(&MailboxName::from_utf8("b.a", '.').unwrap()));
    }

    #[test]
    fn compared_as_text() {
        assert!(matches("Entw&APw-%", "Entwürfe"));
        assert!(matches("R&-*", "R&D"));
        assert!(Pattern::new(b"", "Entwü%".as_bytes(), true, '/').matches(&name("Entwürfe")));
        // What is spelled wrongly names nothing.
        for pattern in ["R&D", "&*", "Entw&APw", "&AC8-*", "Entw\u{fc}*"] {
            assert!(!matches(pattern, "R&D"), "{pattern}");
            assert!(!matches(pattern, "Entwürfe"), "{pattern}");
        }
        assert!(!Pattern::new(b"", b"\xff*", true, '/').matches(&name("a")));
    }

    #[test]
    fn parents() {
        let parents = |pattern: &[u8], text: &str| {
            Pattern::new(b"", pattern, false, '/')
                .matching_parents(&name(text))
                .iter()
                .map(|parent| parent.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(parents(b"%", "a/b/c"), ["a"]);
        assert_eq!(parents(b"%/%", "a/b/c"), ["a/b"]);
        assert_eq!(parents(b"*", "a/b/c"), ["a", "a/b"]);
        assert_eq!(parents(b"a/%", "a/b/c"), ["a/b"]);
        assert_eq!(parents(b"%", "a"), [""; 0]);
        assert_eq!(parents(b"inbox", "inbox/x"), ["INBOX"]);
        assert_eq!(parents(b"%", "/a"), [""; 0]);
    }

    #[test]
    fn no_blow_up() {
        let started = Instant::now();
        let long = name(&"ab/".repeat(300));
        for pattern in [
            "*%".repeat(64),
            "*a%".repeat(64),
            "%a*b".repeat(64),
            "*".repeat(60_000),
            "*a".repeat(30_000),
        ] {
            let pattern = Pattern::new(b"", pattern.as_bytes(), false, '/');
            pattern.matches(&long);
            pattern.matching_parents(&name("a/b/c"));
        }
        // Generous, for slow machines and builds without optimization; 2^64 steps would not end.
        assert!(started.elapsed() < Duration::from_secs(2));
    }

    /// The definition, by trying everything.
    fn slow(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|n| slow(rest, &text[n..])),
            Some(('%', rest)) => {
                let within = text.iter().take_while(|c| **c != '/').count();
                (0..=within).any(|n| slow(rest, &text[n..]))
            }
            Some((wanted, rest)) => text.first() == Some(wanted) && slow(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn as_defined(pattern in "[ab/%*]{0,9}", text in "[ab/]{1,9}") {
            let characters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(
                matches(&pattern, &text),
                slow(&characters(&pattern), &characters(&text))
            );
            let mut expected = Vec::new();
            for (at, _) in text.match_indices('/') {
                if at > 0 && matches(&pattern, &text[..at]) {
                    expected.push(name(&text[..at]));
                }
            }
            let pattern = Pattern::new(b"", pattern.as_bytes(), false, '/');
            prop_assert_eq!(pattern.matching_parents(&name(&text)), expected);
        }

        #[test]
        fn any_bytes(
            reference in proptest::collection::vec(any::<u8>(), 0..9),
            pattern in proptest::collection::vec(any::<u8>(), 0..20),
            utf8: bool,
        ) {
            Pattern::new(&reference, &pattern, utf8, '.').matches(&MailboxName::inbox());
        }
    }
}
