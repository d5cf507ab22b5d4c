//! `subscriptions`: versions 1 and 2 are read and kept as they are; a new file is version 2.
//!
//! ```text
//! V<TAB>2
//!
//! INBOX
//! Archive<TAB>2024
//! ```
//!
//! In version 2 the levels of a name are separated by TAB; in version 1 (no first two lines) by the layout's
//! separator. Names are spelled as on disk. Version 2 also has escapes for control characters (behind
//! 0x01), but no mailbox name has any, so an entry that uses them is not a name, nor is one of ours
//! ever written with them. Entries that are no names stay in the file.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::imap::name::MailboxName;
use crate::spool::dir::{self, Draft};
use crate::spool::lock::{Lock, Patience, Try};
use crate::spool::tree::Tree;

const NAME: &str = "subscriptions";
const LOCK: &str = "subscriptions.lock";
const DRAFT: &str = "subscriptions.tmp";

/// What a file of version 2 begins with.
const VERSION_2: &[u8] = b"V\t2\n\n";

/// How old a lock that names no living process must be to be taken over.
const STALE: Duration = Duration::from_secs(30);

/// The largest file that is read, in octets.
const LARGEST: u64 = 16 * 1024 * 1024;

/// All subscribed names in the file's order; entries that are no valid names are left out.
pub fn read(tree: &Tree) -> io::Result<Vec<MailboxName>> {
    let file = dir::read_file(tree.account_dir(), NAME, LARGEST)?;
    let Some((bytes, _)) = file else {
        return Ok(Vec::new());
    };
    let file = Subscriptions::parse(&bytes);
    let names = file.lines.iter().filter_map(|line| file.name(tree, line));
    let mut unique = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if seen.insert(name.clone()) {
            unique.push(name);
        }
    }
    Ok(unique)
}

/// Adds or removes a name; nothing is written if nothing changes. Takes `subscriptions.lock` with one
/// try: `WouldBlock` if somebody else holds it, then try again.
pub fn change(tree: &Tree, name: &MailboxName, subscribed: bool) -> io::Result<()> {
    let dir = tree.account_dir();
    let owned = Arc::new(dir.try_clone_to_owned()?);
    let lock = match Lock::attempt_in(owned, LOCK, NAME, Patience::Age(STALE))? {
        Try::Held(lock) => lock,
        Try::Busy => return Err(io::ErrorKind::WouldBlock.into()),
    };
    let file = dir::read_file(dir, NAME, LARGEST)?;
    let bytes = file.map_or_else(|| VERSION_2.to_vec(), |(bytes, _)| bytes);
    let mut file = Subscriptions::parse(&bytes);
    let is_it = |line: &[u8]| file.name(tree, line).as_ref() == Some(name);
    let present = file.lines.iter().any(|line| is_it(line));
    if present == subscribed {
        return Ok(());
    }
    let kept: Vec<&[u8]> = file
        .lines
        .iter()
        .filter(|line| !is_it(line))
        .copied()
        .collect();
    file.lines = kept;
    let new = file.line(tree, name);
    if subscribed {
        file.lines.push(&new);
    }
    let draft = Draft::create(dir, DRAFT)?;
    (&draft.file).write_all(&file.bytes())?;
    draft.publish(NAME)?;
    drop(lock);
    Ok(())
}

/// The file's lines, those of version 2 without the first two.
struct Subscriptions<'a> {
    version_2: bool,
    lines: Vec<&'a [u8]>,
}

impl<'a> Subscriptions<'a> {
    fn parse(bytes: &'a [u8]) -> Subscriptions<'a> {
        let (version_2, lines) = match bytes.strip_prefix(VERSION_2) {
            Some(lines) => (true, lines),
            None => (false, bytes),
        };
        let lines = lines.split(|byte| *byte == b'\n');
        Subscriptions {
            version_2,
            lines: lines.filter(|line| !line.is_empty()).collect(),
        }
    }

    /// The name that a line means, if it is one.
    fn name(&self, tree: &Tree, line: &[u8]) -> Option<MailboxName> {
        let mut separator = [0; 4];
        let separator = tree.separator().encode_utf8(&mut separator).as_bytes();
        if self.version_2 {
            let levels: Vec<&[u8]> = line.split(|byte| *byte == b'\t').collect();
            tree.name_stored(&levels.join(separator))
        } else {
            tree.name_stored(line.strip_suffix(separator).unwrap_or(line))
        }
    }

    /// The line of a name.
    fn line(&self, tree: &Tree, name: &MailboxName) -> Vec<u8> {
        let stored = tree.stored(name);
        match self.version_2 {
            true => stored.replace(tree.separator(), "\t").into_bytes(),
            false => stored.into_bytes(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.version_2 {
            bytes.extend_from_slice(VERSION_2);
        }
        for line in &self.lines {
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::testing::{Mail, name};

    fn shown(mail: &Mail) -> Vec<String> {
        let names = read(&mail.tree()).expect("read");
        names.iter().map(|name| name.as_str().to_owned()).collect()
    }

    #[test]
    fn a_new_file_is_version_2() {
        let mail = Mail::new();
        let tree = mail.tree();
        assert!(shown(&mail).is_empty());
        for text in ["INBOX", "Archive.2024", "Entwürfe", "INBOX.sub"] {
            change(&tree, &name(text, '.'), true).expect(text);
        }
        let text = "V\t2\n\nINBOX\nArchive\t2024\nEntw&APw-rfe\nINBOX\tsub\n";
        assert_eq!(mail.read(NAME), text);
        assert_eq!(
            shown(&mail),
            ["INBOX", "Archive.2024", "Entwürfe", "INBOX.sub"]
        );
        assert!(!mail.exists(LOCK) && !mail.exists(DRAFT));
        change(&tree, &name("Archive.2024", '.'), false).expect("unsubscribe");
        assert_eq!(shown(&mail), ["INBOX", "Entwürfe", "INBOX.sub"]);
    }

    #[test]
    fn version_1_stays_version_1() {
        let mail = Mail::new();
        mail.write(NAME, "Archive.2024.\nbad/name\ninbox\n&bad\nArchive.2024\n");
        assert_eq!(shown(&mail), ["Archive.2024", "INBOX"]);
        change(&mail.tree(), &name("New.x", '.'), true).expect("subscribe");
        let text = "Archive.2024.\nbad/name\ninbox\n&bad\nArchive.2024\nNew.x\n";
        assert_eq!(mail.read(NAME), text);
        change(&mail.tree(), &name("Archive.2024", '.'), false).expect("unsubscribe");
        assert_eq!(mail.read(NAME), "bad/name\ninbox\n&bad\nNew.x\n");
        mail.write(NAME, "");
        change(&mail.tree(), &name("A.B", '.'), true).expect("subscribe");
        assert_eq!(mail.read(NAME), "A.B\n");
    }

    #[test]
    fn nothing_is_written_when_nothing_changes() {
        let mail = Mail::new();
        let tree = mail.tree();
        change(&tree, &name("A", '.'), false).expect("unsubscribe");
        assert!(!mail.exists(NAME));
        change(&tree, &name("A", '.'), true).expect("subscribe");
        let inode = mail.inode(NAME);
        change(&tree, &name("A", '.'), true).expect("again");
        assert_eq!(mail.inode(NAME), inode);
    }

    #[test]
    fn a_busy_lock_is_told_and_left() {
        let mail = Mail::new();
        mail.write(LOCK, "1:elsewhere.example");
        let busy = change(&mail.tree(), &name("A", '.'), true).expect_err("busy");
        assert_eq!(busy.kind(), io::ErrorKind::WouldBlock);
        assert!(mail.exists(LOCK) && !mail.exists(NAME));
        mail.set_mtime(LOCK, -31);
        let busy = change(&mail.tree(), &name("A", '.'), true).expect_err("just removed");
        assert_eq!(busy.kind(), io::ErrorKind::WouldBlock);
        change(&mail.tree(), &name("A", '.'), true).expect("free");
    }

    #[test]
    fn escapes_of_version_2_are_no_names() {
        let mail = Mail::new();
        mail.write(NAME, "V\t2\n\nA\x01tB\nC\n\tD\nE\t\tF\n");
        assert_eq!(shown(&mail), ["C"]);
    }
}
