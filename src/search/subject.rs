//! The base subject (RFC 5256 §2.1): what is left of a subject without the marks of replies and forwards.

/// A subject without its artifacts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseSubject {
    /// The base subject, as it is written: to compare it, fold it.
    pub text: String,
    /// Whether the subject is that of a reply or a forward, by what was removed.
    pub is_reply: bool,
}

/// Takes the base subject out of a subject, which must be decoded (encoded words → UTF-8) and unfolded. Takes time
/// linear in its length.
pub fn base_subject(decoded: &str) -> BaseSubject {
    let spaced = single_spaced(decoded);
    let mut rest = spaced.as_str();
    let mut is_reply = false;
    loop {
        rest = without_trailers(rest, &mut is_reply);
        rest = without_leaders(rest, &mut is_reply);
        match forwarded(rest) {
            Some(inner) => rest = inner,
            None => break,
        }
        is_reply = true;
    }
    BaseSubject {
        text: rest.to_owned(),
        is_reply,
    }
}

/// Tabs and line ends become spaces, and several spaces one.
fn single_spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' ' | '\t' | '\r' | '\n' if spaced.ends_with(' ') => {}
            ' ' | '\t' | '\r' | '\n' => spaced.push(' '),
            other => spaced.push(other),
        }
    }
    spaced
}

/// Without every `subj-trailer` at the end.
fn without_trailers<'s>(mut text: &'s str, is_reply: &mut bool) -> &'s str {
    loop {
        text = text.trim_end_matches(' ');
        match text
            .len()
            .checked_sub(5)
            .and_then(|at| text.split_at_checked(at))
        {
            Some((before, last)) if last.eq_ignore_ascii_case("(fwd)") => text = before,
            _ => return text,
        }
        *is_reply = true;
    }
}

/// Without every `subj-leader` and `subj-blob` at the beginning, but for a blob that is all there is.
fn without_leaders<'s>(mut text: &'s str, is_reply: &mut bool) -> &'s str {
    loop {
        text = text.trim_start_matches(' ');
        // Blobs stand before a mark of a reply, or alone. They are walked over once for either.
        let mut after_blobs = text;
        let mut last_that_leaves_some = text;
        while let Some(after) = after_blob(after_blobs) {
            if after.is_empty() {
                break;
            }
            after_blobs = after;
            last_that_leaves_some = after;
        }
        // With a blob right before the end, what stands before it may still be a mark: `[a] re[b]:` is one, and
        // `[a] [b]` is not.
        match after_refwd(after_blobs) {
            Some(after) => {
                *is_reply = true;
                text = after;
            }
            None => {
                let unchanged = last_that_leaves_some.len() == text.len();
                text = last_that_leaves_some;
                if unchanged {
                    return text;
                }
            }
        }
    }
}

/// What follows a `subj-blob`.
fn after_blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']', '\0'])?;
    let after = inner.get(end..)?.strip_prefix(']')?;
    Some(after.trim_start_matches(' '))
}

/// What follows a `subj-refwd`: `re:`, `fw:`, `fwd:`, with a blob before the colon or without.
fn after_refwd(text: &str) -> Option<&str> {
    let after = ["fwd", "re", "fw"].iter().find_map(|mark| {
        let (head, after) = text.split_at_checked(mark.len())?;
        head.eq_ignore_ascii_case(mark).then_some(after)
    })?;
    let after = after.trim_start_matches(' ');
    after_blob(after).unwrap_or(after).strip_prefix(':')
}

/// What `[fwd: …]` holds.
fn forwarded(text: &str) -> Option<&str> {
    let (head, inner) = text.split_at_checked(5)?;
    head.eq_ignore_ascii_case("[fwd:").then_some(())?;
    inner.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_are_removed() {
        let table = [
            ("", "", false),
            ("Hello", "Hello", false),
            ("  Hello \t world\r\n  again ", "Hello world again", false),
            ("Re: Hello", "Hello", true),
            ("RE : re: Fw:FWD:  Hello", "Hello", true),
            ("Re:", "", true),
            ("Re", "Re", false),
            ("Reply: Hello", "Reply: Hello", false),
            ("fwdd: Hello", "fwdd: Hello", false),
            ("Re[2]: Hello", "Hello", true),
            ("Re [list] : Hello", "Hello", true),
            ("Re [a] [b]: Hello", "Re [a] [b]: Hello", false),
            ("[list] Hello", "Hello", false),
            ("[list] [other] Re: [list] Hello", "Hello", true),
            ("[list]", "[list]", false),
            ("[a] [b]", "[b]", false),
            ("[a][b] ", "[b]", false),
            ("Re: [list]", "[list]", true),
            ("[a [b] c", "[a [b] c", false),
            ("[] Hello", "Hello", false),
            ("Hello (fwd)", "Hello", true),
            ("Hello (FWD) (fwd)  ", "Hello", true),
            ("(fwd)", "", true),
            ("Hello(fwd)", "Hello", true),
            ("[fwd: Hello]", "Hello", true),
            ("[Fwd: Re: [list] Hello (fwd)] (fwd)", "Hello", true),
            ("Re: [fwd: [fwd: Hello]]", "Hello", true),
            ("[fwd: Hello", "[fwd: Hello", false),
            ("[fwd: Hello] there", "there", false),
            ("[fwd:]", "", true),
            ("é", "é", false),
            ("Ré: Hello", "Ré: Hello", false),
            ("ééé(fwd)", "ééé", true),
            ("\u{20ac}\u{20ac}d)", "\u{20ac}\u{20ac}d)", false),
        ];
        for (subject, text, is_reply) in table {
            let base = base_subject(subject);
            assert_eq!(
                (base.text.as_str(), base.is_reply),
                (text, is_reply),
                "{subject:?}"
            );
        }
    }

    #[test]
    fn what_is_left_is_its_own_base() {
        for subject in [
            "Re: [a] x (fwd)",
            "[a] [b]",
            "[fwd: re: [x]]",
            "re [a]: [b] fw: [c] (fwd)",
        ] {
            let once = base_subject(subject);
            let again = base_subject(&once.text);
            assert_eq!(once.text, again.text, "{subject}");
        }
    }

    #[test]
    fn a_bomb_of_marks_takes_linear_time() {
        for bomb in ["re: ", "[a]", "[fwd:", "(fwd)", "[", " ", "re[a]"] {
            base_subject(&bomb.repeat(200_000));
        }
        let nested = format!("{}x{}", "[fwd:".repeat(100_000), "]".repeat(100_000));
        assert_eq!(base_subject(&nested).text, "x");
    }
}
