//! The system's users and groups by name, as far as `/etc/passwd` and `/etc/group` know them.
//!
//! Users that only a directory service knows are not found here; their numbers can be written
//! instead of their names.

use std::fmt;
use std::fs;
use std::io;

/// A user or group: by number or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// Its number.
    Number(u32),
    /// Its name.
    Name(String),
}

impl Id {
    /// Takes digits as a number and anything else that can be a name as one.
    pub fn parse(text: &str) -> Option<Id> {
        if text.is_empty() || text.contains(|c: char| c == ':' || c.is_control() || c == ' ') {
            return None;
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return number(text).map(Id::Number);
        }
        Some(Id::Name(text.to_owned()))
    }

    /// The user's number; `None`: there is no user of that name.
    ///
    /// # Errors
    ///
    /// What reading `/etc/passwd` says.
    pub fn uid(&self) -> io::Result<Option<u32>> {
        self.number_in("/etc/passwd")
    }

    /// The group's number; `None`: there is no group of that name.
    ///
    /// # Errors
    ///
    /// What reading `/etc/group` says.
    pub fn gid(&self) -> io::Result<Option<u32>> {
        self.number_in("/etc/group")
    }

    fn number_in(&self, path: &str) -> io::Result<Option<u32>> {
        match self {
            Id::Number(number) => Ok(Some(*number)),
            Id::Name(name) => Ok(third_field(&fs::read(path)?, name)),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::Number(number) => number.fmt(f),
            Id::Name(name) => name.fmt(f),
        }
    }
}

/// The number in the third field of the line that begins with `name`: passwd(5) and group(5) alike.
fn third_field(file: &[u8], name: &str) -> Option<u32> {
    file.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        if fields.next()? != name.as_bytes() {
            return None;
        }
        let number = fields.nth(1)?;
        self::number(std::str::from_utf8(number).ok()?)
    })
}

/// The number of somebody; the largest is nobody's, for to the system calls that change users it says that there is nothing
/// to be changed.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names() {
        assert_eq!(Id::parse("5000"), Some(Id::Number(5000)));
        assert_eq!(Id::parse("vmail"), Some(Id::Name("vmail".to_owned())));
        for bad in ["", "a:b", "a b", "a\n", "99999999999", "4294967295"] {
            assert_eq!(Id::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn root_is_number_zero() {
        assert_eq!(Id::Name("root".to_owned()).uid().unwrap(), Some(0));
        assert_eq!(Id::Name("root".to_owned()).gid().unwrap(), Some(0));
    }

    #[test]
    fn lines_that_are_no_entries_are_passed_over() {
        let file = b"# mail:x:1\n\nmail\nmailer:x:7:7\nmail:x:8:8:mail:/var/mail:/bin/sh\n\
            none:x:4294967295:4294967295::/:\n";
        assert_eq!(third_field(file, "mail"), Some(8));
        assert_eq!(third_field(file, "nobody"), None);
        assert_eq!(third_field(file, "none"), None);
    }
}
