//! Variables in paths and names: `%u` user, `%n` local part, `%d` domain, `%h` home; `L` before the
//! letter lower-cases the value, `U` upper-cases it, `%%` is a percent sign.
//!
//! A [`Template`] holds only variables that exist, for it is looked at when it is read. What a client
//! typed goes into paths through [`Template::expand`] alone, which refuses a value that could name
//! another directory.

use std::fmt;

/// A text with variables, known to be well formed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(String);

/// What the variables stand for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Variables<'a> {
    /// The whole user name, `%u`; `%n` and `%d` are what stands before and after its first `@`.
    pub user: &'a str,
    /// The user's home, `%h`.
    pub home: Option<&'a str>,
}

/// Why a template could not be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// `%h` or `~/` stands in it, and the user has no home.
    #[error("the user has no home directory")]
    NoHome,
    /// A value taken from the user name could lead to another path.
    #[error("%{0} would be {1:?}, which must not stand in a path")]
    Unsafe(char, String),
}

/// One piece of a template.
enum Piece<'t> {
    Text(&'t str),
    Variable { case: Option<char>, letter: char },
}

impl Template {
    /// Takes `text` if every `%` in it begins a variable named in `letters`, else says what is wrong.
    pub fn parse(text: &str, letters: &str) -> Result<Template, String> {
        for piece in pieces(text) {
            let piece = piece?;
            if let Piece::Variable { letter, .. } = piece
                && !letters.contains(letter)
            {
                let known: Vec<String> = letters.chars().map(|l| format!("%{l}")).collect();
                return Err(format!(
                    "unknown variable %{letter}; {} may stand here, with L or U before the letter, and %% for a percent sign",
                    known.join(", ")
                ));
            }
        }
        if text.contains('\0') {
            return Err("a NUL character cannot stand here".to_owned());
        }
        Ok(Template(text.to_owned()))
    }

    /// A template of this program's own.
    pub(crate) fn constant(text: &'static str) -> Template {
        Template(text.to_owned())
    }

    /// The text as it was written, variables and all.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Puts the values in, for a path. A leading `~/` is the home.
    ///
    /// # Errors
    ///
    /// [`ExpandError::Unsafe`] for a value from the user name that is empty, `.` or `..`, begins with
    /// a dot, or holds a `/`, a NUL or another control character; [`ExpandError::NoHome`] where a
    /// home is needed and missing.
    pub fn expand(&self, variables: &Variables<'_>) -> Result<String, ExpandError> {
        let mut out = String::with_capacity(self.0.len() + variables.user.len());
        let mut rest = self.0.as_str();
        if let Some(below) = home_relative(rest) {
            out.push_str(variables.home.ok_or(ExpandError::NoHome)?);
            rest = below;
        }
        for piece in pieces(rest).flatten() {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Variable { case, letter: 'h' } => {
                    let home = variables.home.ok_or(ExpandError::NoHome)?;
                    out.push_str(&in_case(home, case));
                }
                Piece::Variable { case, letter } => {
                    let value = in_case(of_name(letter, variables.user), case);
                    if !is_safe_component(&value) {
                        return Err(ExpandError::Unsafe(letter, value));
                    }
                    out.push_str(&value);
                }
            }
        }
        Ok(out)
    }

    /// Puts the values in, for a name that is no path: nothing is refused, `%h` is empty.
    pub fn expand_name(&self, user: &str) -> String {
        let mut out = String::with_capacity(self.0.len() + user.len());
        for piece in pieces(&self.0).flatten() {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Variable { case, letter } => {
                    out.push_str(&in_case(of_name(letter, user), case));
                }
            }
        }
        out
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What follows a leading `~`, if that is all there is or a `/` follows.
fn home_relative(text: &str) -> Option<&str> {
    text.strip_prefix('~')
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a value may stand in a path: it cannot leave the directory that the template names, nor
/// hide a file in it.
fn is_safe_component(value: &str) -> bool {
    !value.is_empty()
        && !value.starts_with('.')
        && !value.contains("..")
        && !value.contains(|c: char| c == '/' || c.is_control())
}

fn of_name(letter: char, user: &str) -> &str {
    match letter {
        'u' => user,
        'n' => user.split_once('@').map_or(user, |(local, _)| local),
        'd' => user.split_once('@').map_or("", |(_, domain)| domain),
        _ => "",
    }
}

fn in_case(value: &str, case: Option<char>) -> String {
    match case {
        Some('L') => value.to_lowercase(),
        Some('U') => value.to_uppercase(),
        _ => value.to_owned(),
    }
}

/// Cuts a template into text and variables; an error for a `%` that begins none.
fn pieces(text: &str) -> impl Iterator<Item = Result<Piece<'_>, String>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(after) = rest.strip_prefix('%') else {
            let (piece, tail) = rest.split_at(rest.find('%').unwrap_or(rest.len()));
            rest = tail;
            return Some(Ok(Piece::Text(piece)));
        };
        let mut letters = after.chars();
        let mut case = None;
        let mut letter = letters.next();
        if let Some('L' | 'U') = letter {
            case = letter;
            letter = letters.next();
        }
        rest = letters.as_str();
        Some(match letter {
            Some('%') if case.is_none() => Ok(Piece::Text("%")),
            Some(letter) if letter.is_ascii_alphabetic() => Ok(Piece::Variable { case, letter }),
            _ => {
                rest = "";
                Err("a % that begins no variable; write %% for a percent sign".to_owned())
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(template: &str, user: &str, home: Option<&str>) -> Result<String, ExpandError> {
        Template::parse(template, "undh")
            .expect("template")
            .expand(&Variables { user, home })
    }

    #[test]
    fn variables_stand_for_the_parts_of_the_name() {
        let path = expand("/var/vmail/%d/%n/Maildir", "Ann@Example.Org", None);
        assert_eq!(path.unwrap(), "/var/vmail/Example.Org/Ann/Maildir");
        assert_eq!(expand("/m/%Lu", "Ann@A", None).unwrap(), "/m/ann@a");
        assert_eq!(expand("/m/%Un", "ann@a", None).unwrap(), "/m/ANN");
        assert_eq!(expand("/m/100%%/%u", "ann", None).unwrap(), "/m/100%/ann");
    }

    #[test]
    fn home_is_tilde_and_percent_h() {
        assert_eq!(
            expand("~/Maildir", "ann", Some("/home/ann")).unwrap(),
            "/home/ann/Maildir"
        );
        assert_eq!(expand("%h/m", "a", Some("/h/..x")).unwrap(), "/h/..x/m");
        assert_eq!(expand("~/m", "ann", None), Err(ExpandError::NoHome));
        assert_eq!(expand("%h/m", "ann", None), Err(ExpandError::NoHome));
        assert_eq!(expand("~ann/m", "ann", None).unwrap(), "~ann/m");
    }

    #[test]
    fn a_name_that_could_lead_elsewhere_is_refused() {
        for user in [
            "", ".", "..", "../x", "a/b", "a\0b", "a\nb", ".hidden", "a..b",
        ] {
            let result = expand("/m/%u", user, None);
            assert!(
                matches!(result, Err(ExpandError::Unsafe('u', _))),
                "{user:?}"
            );
        }
        // No domain: the template would name the parent of all domains.
        assert!(expand("/m/%d/%n", "ann", None).is_err());
        assert!(expand("/m/%d/%n", "ann@..", None).is_err());
        assert!(expand("/m/%d/%n", "@example.org", None).is_err());
    }

    #[test]
    fn what_a_value_holds_is_not_expanded_again() {
        assert_eq!(expand("/m/%u", "%h~", Some("/x")).unwrap(), "/m/%h~");
    }

    #[test]
    fn unknown_variables_are_mistakes() {
        for bad in ["%x", "%", "%L", "%{user}", "a%Lq", "%1u"] {
            assert!(Template::parse(bad, "undh").is_err(), "{bad}");
        }
        assert!(Template::parse("%h", "und").is_err());
        assert!(Template::parse("100%%", "und").is_ok());
    }

    #[test]
    fn names_expand_without_refusal() {
        let lower = Template::constant("%Lu");
        assert_eq!(lower.expand_name("ANN@Example.ORG"), "ann@example.org");
        assert_eq!(Template::constant("%Ln").expand_name("ANN@Ex"), "ann");
    }
}
