//! Message flags (RFC 3501 §2.3.2): system flags and keywords.

use std::fmt;

/// A keyword: a flag that users or clients define. An atom of at most [`Keyword::LONGEST`] bytes;
/// two keywords are equal if they differ in ASCII case only, as in Dovecot.
#[derive(Clone, Debug)]
pub struct Keyword(Box<str>);

impl Keyword {
    /// Dovecot's `mail_max_keyword_length`, in bytes.
    pub const LONGEST: usize = 50;

    /// `None` if the text is no atom or is too long.
    pub fn new(text: &str) -> Option<Keyword> {
        let fits = !text.is_empty() && text.len() <= Keyword::LONGEST;
        (fits && text.bytes().all(crate::imap::core::is_atom_char)).then(|| Keyword(text.into()))
    }

    /// The keyword as first spelled.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Keyword) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A flag as a client names it in STORE, APPEND or a search key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flag {
    /// One of the five system flags a client may set.
    System(SystemFlag),
    /// Anything without a backslash.
    Keyword(Keyword),
}

/// The five system flags that are stored. `\Recent` is not among them: it belongs to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SystemFlag {
    /// `\Answered`
    Answered = 1,
    /// `\Flagged`
    Flagged = 2,
    /// `\Deleted`
    Deleted = 4,
    /// `\Seen`
    Seen = 8,
    /// `\Draft`
    Draft = 16,
}

impl SystemFlag {
    /// All five, in the order Dovecot lists them.
    pub const ALL: [SystemFlag; 5] = [
        SystemFlag::Answered,
        SystemFlag::Flagged,
        SystemFlag::Deleted,
        SystemFlag::Seen,
        SystemFlag::Draft,
    ];

    /// The flag's name with its backslash.
    pub fn as_str(self) -> &'static str {
        match self {
            SystemFlag::Answered => "\\Answered",
            SystemFlag::Flagged => "\\Flagged",
            SystemFlag::Deleted => "\\Deleted",
            SystemFlag::Seen => "\\Seen",
            SystemFlag::Draft => "\\Draft",
        }
    }
}

/// A set of system flags, one byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SystemFlags(u8);

impl SystemFlags {
    /// No flag.
    pub const NONE: SystemFlags = SystemFlags(0);

    /// The set with `flag` added.
    #[must_use]
    pub fn with(self, flag: SystemFlag) -> SystemFlags {
        SystemFlags(self.0 | flag as u8)
    }

    /// The set with `flag` taken out.
    #[must_use]
    pub fn without(self, flag: SystemFlag) -> SystemFlags {
        SystemFlags(self.0 & !(flag as u8))
    }

    /// Everything in either set.
    #[must_use]
    pub fn union(self, other: SystemFlags) -> SystemFlags {
        SystemFlags(self.0 | other.0)
    }

    /// Everything in this set that is not in `other`.
    #[must_use]
    pub fn difference(self, other: SystemFlags) -> SystemFlags {
        SystemFlags(self.0 & !other.0)
    }

    /// Whether `flag` is set.
    pub fn has(self, flag: SystemFlag) -> bool {
        self.0 & flag as u8 != 0
    }

    /// Whether no flag is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The flags that are set, in [`SystemFlag::ALL`]'s order.
    pub fn iter(self) -> impl Iterator<Item = SystemFlag> {
        SystemFlag::ALL
            .into_iter()
            .filter(move |flag| self.has(*flag))
    }
}
