//! Mailbox names ↔ directory names. No file is touched here.
//!
//! The *stored* form of a name is what `subscriptions` holds: `A.B` or `A/B`, its levels in modified UTF-7 or
//! UTF-8. A Maildir++ directory is that with a dot before it.

use std::path::PathBuf;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::imap::name::{MailboxName, NameError, mutf7};
use crate::spool::dir;
use crate::spool::filename::LONGEST;
use crate::spool::tree::{DiskNames, Layout, Location};

/// The longest stored form, in bytes: a path with it fits what the kernel takes (4096).
const LONGEST_STORED: usize = 3000;

/// How deep mailboxes may be nested in the fs layout.
const MOST_LEVELS: usize = 100;

/// Names that no level can have in the fs layout: there, files and directories of the mailbox above have them. Nor
/// can those that begin like [`OWN`].
const RESERVED: [&str; 13] = [
    "cur",
    "new",
    "tmp",
    "subscriptions",
    "subscriptions.lock",
    "dovecot-acl",
    "dovecot-acl-list",
    "dovecot-keywords",
    "dovecot-uidlist",
    "dovecot-uidlist.lock",
    "dovecot-uidvalidity",
    "maildirfolder",
    "maildirsize",
];

/// How the names of Culver's own files begin.
const OWN: &str = "culver.";

/// What stands at the beginning of each name that is set aside for removal.
pub(super) const TRASH: &str = "..DOVECOT-TRASHED";

/// Whether the layout can hold this name.
pub(super) fn check(location: &Location, name: &MailboxName) -> Result<(), NameError> {
    let text = name.as_str();
    let separator = match location.layout {
        Layout::MaildirPlusPlus => '.',
        Layout::Fs => '/',
    };
    let refuse = |why| Err(NameError::Unusable(why));
    if text.starts_with('~') {
        return refuse("Begins with '~'");
    }
    if text.starts_with(separator) {
        return refuse("Begins with hierarchy separator");
    }
    if text.ends_with(separator) {
        return refuse("Ends with hierarchy separator");
    }
    let stored = stored(location, name);
    if stored.len() > LONGEST_STORED {
        return refuse("Name is too long");
    }
    if text.split(separator).any(str::is_empty) {
        return refuse("Has adjacent hierarchy separators");
    }
    match location.layout {
        Layout::MaildirPlusPlus if text.contains('/') => {
            return refuse("Name must not have '/' characters");
        }
        Layout::MaildirPlusPlus if stored.len() >= LONGEST => return refuse("Name is too long"),
        Layout::MaildirPlusPlus => return Ok(()),
        Layout::Fs => {}
    }
    if text.split('/').count() > MOST_LEVELS {
        return refuse("Name has too many levels");
    }
    for level in stored.split('/') {
        match level {
            "." => return refuse("Contains '.' part"),
            ".." => return refuse("Contains '..' part"),
            _ if RESERVED.contains(&level) || level.starts_with(OWN) || level.starts_with("..") => {
                return refuse("Contains reserved name");
            }
            _ if level.len() > LONGEST => return refuse("Name is too long"),
            _ => {}
        }
    }
    Ok(())
}

/// Where the mailbox lies below the mail root; `None` for INBOX, which is the root itself.
pub(super) fn place(location: &Location, name: &MailboxName) -> Option<PathBuf> {
    (!name.is_inbox()).then(|| control_place(location, name))
}

/// Where its control files lie below the control root.
pub(super) fn control_place(location: &Location, name: &MailboxName) -> PathBuf {
    let stored = stored(location, name);
    match location.layout {
        Layout::MaildirPlusPlus => PathBuf::from(format!(".{stored}")),
        Layout::Fs => PathBuf::from(stored),
    }
}

/// The name in its stored form.
pub(super) fn stored(location: &Location, name: &MailboxName) -> String {
    match location.names {
        DiskNames::Utf7 => name.to_mutf7(),
        DiskNames::Utf8 => name.as_str().nfc().collect(),
    }
}

/// The name whose stored form this is. `None` if it is that of no name, or of INBOX, which is no directory below
/// the root.
pub(super) fn from_stored(location: &Location, bytes: &[u8]) -> Option<MailboxName> {
    let separator = match location.layout {
        Layout::MaildirPlusPlus => '.',
        Layout::Fs => '/',
    };
    let utf8 = location.names == DiskNames::Utf8;
    let name = MailboxName::from_wire(bytes, utf8, separator).ok()?;
    let usable = !name.is_inbox() && check(location, &name).is_ok();
    (usable && stored(location, &name).as_bytes() == bytes).then_some(name)
}

/// Whether this can be the stored form of a name, perhaps of one that this account cannot hold.
pub(super) fn is_spelled(location: &Location, bytes: &[u8]) -> bool {
    bytes.len() <= LONGEST_STORED
        && match location.names {
            DiskNames::Utf7 => mutf7::decode(bytes).is_some(),
            DiskNames::Utf8 => std::str::from_utf8(bytes).is_ok(),
        }
}

/// Whether mailboxes may lie in a directory of this stored form: in each mailbox's own, and, though it is none,
/// in `INBOX` (fs).
pub(super) fn leads_to_names(location: &Location, bytes: &[u8]) -> bool {
    bytes == b"INBOX" || from_stored(location, bytes).is_some()
}

/// The name in Normalization Form C.
pub(super) fn normal(name: &MailboxName, separator: char) -> MailboxName {
    if is_nfc(name.as_str()) {
        return name.clone();
    }
    let text: String = name.as_str().nfc().collect();
    MailboxName::from_utf8(&text, separator).unwrap_or_else(|_| name.clone())
}

/// The name as it is listed: with UTF-8 on disk, in NFC.
pub(super) fn canonical(location: &Location, name: &MailboxName) -> MailboxName {
    let stored = stored(location, name);
    from_stored(location, stored.as_bytes()).unwrap_or_else(|| name.clone())
}

/// The mailbox of a directory in the root (Maildir++).
pub(super) fn from_entry(location: &Location, entry: &[u8]) -> Option<MailboxName> {
    from_stored(location, entry.strip_prefix(b".")?)
}

/// A name in a root that nobody else uses, and that is no mailbox.
pub(super) fn fresh_trash() -> PathBuf {
    let unique = crate::spool::filename::FileName::fresh_base();
    dir::path_of(&[TRASH.as_bytes(), b".", &unique].concat()).to_path_buf()
}
