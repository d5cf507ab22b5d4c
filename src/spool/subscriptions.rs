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
//! ever written with them. Entries that are no names of ours stay in the file: they may be another
//! namespace's.
//!
//! Of a file that is broken every line that spells a name counts, whatever its header has become; the next
//! change writes it anew, and what was replaced is [kept](crate::spool::broken).

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::imap::name::MailboxName;
use crate::spool::broken::{self, Contents, Found};
use crate::spool::dir::Draft;
use crate::spool::lock::{Lock, Patience, Try};
use crate::spool::tree::Tree;

/// The file's name.
pub const NAME: &str = "subscriptions";
const LOCK: &str = "subscriptions.lock";
const DRAFT: &str = "subscriptions.tmp";

/// What a file of version 2 begins with.
const VERSION_2: &[u8] = b"V\t2\n\n";

/// How old a lock that names no living process must be to be taken over.
const STALE: Duration = Duration::from_secs(30);

/// How many octets of a file are read.
const LARGEST: u64 = 16 * 1024 * 1024;

/// All subscribed names in the file's order; entries that are no valid names are left out.
pub fn read(tree: &Tree) -> io::Result<Vec<MailboxName>> {
    let Some(bytes) = read_file(tree)? else {
        return Ok(Vec::new());
    };
    let file = Subscriptions::parse(tree, &bytes);
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

/// The file's octets; says if it is broken. `None` if there is no file.
fn read_file(tree: &Tree) -> io::Result<Option<Vec<u8>>> {
    let dir = tree.account_dir();
    let Found::There(contents) = broken::read(dir, tree.account_path(), NAME, LARGEST)? else {
        return Ok(None);
    };
    let Contents {
        mut bytes,
        cut,
        file,
        ..
    } = contents;
    if let Some(line) = Subscriptions::parse(tree, &bytes).broken_line {
        let (at, what) = (tree.account_path(), format!("line {line}"));
        tree.told.report(dir, at, NAME, &file, &what);
    } else if cut {
        let what = format!("more than {LARGEST} octets");
        tree.told
            .report(dir, tree.account_path(), NAME, &file, &what);
    }
    if cut {
        // The last line is not all there.
        let end = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end.saturating_add(1));
        bytes.truncate(end);
    }
    Ok(Some(bytes))
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
    let bytes = read_file(tree)?.unwrap_or_else(|| VERSION_2.to_vec());
    let mut file = Subscriptions::parse(tree, &bytes);
    let is_it = |line: &[u8]| file.name(tree, line).as_ref() == Some(name);
    let present = file.lines.iter().any(|line| is_it(line));
    if present == subscribed && file.broken_line.is_none() {
        return Ok(());
    }
    let kept: Vec<&[u8]> = file
        .lines
        .iter()
        .filter(|line| subscribed || !is_it(line))
        .copied()
        .collect();
    file.lines = kept;
    let new = file.line(tree, name);
    if subscribed && !present {
        file.lines.push(&new);
    }
    broken::make_way(dir, tree.account_path(), NAME)?;
    let draft = Draft::create(dir, DRAFT)?;
    (&draft.file).write_all(&file.bytes())?;
    draft.publish(NAME)?;
    drop(lock);
    Ok(())
}

/// The file's lines that can be names, those of version 2 without the first two.
struct Subscriptions<'a> {
    version_2: bool,
    lines: Vec<&'a [u8]>,
    /// The number of the first line that is not as it should be, from 1.
    broken_line: Option<usize>,
}

impl<'a> Subscriptions<'a> {
    fn parse(tree: &Tree, bytes: &'a [u8]) -> Subscriptions<'a> {
        let marked = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let version_2 = marked.starts_with(b"V\t") || memchr::memchr(b'\t', marked).is_some();
        let mut file = Subscriptions {
            version_2,
            lines: Vec::new(),
            broken_line: None,
        };
        if marked.len() < bytes.len() || (version_2 && !bytes.starts_with(VERSION_2)) {
            file.broken_line = Some(1);
        }
        let header = usize::from(marked.starts_with(b"V\t"));
        let lines = marked.split(|byte| *byte == b'\n').enumerate();
        for (at, line) in lines.skip(header) {
            let sound = line.strip_suffix(b"\r").unwrap_or(line);
            let spelled = file.is_spelled(tree, sound);
            if (!spelled || sound.len() < line.len()) && file.broken_line.is_none() {
                file.broken_line = Some(at.saturating_add(1));
            }
            if spelled && !sound.is_empty() {
                file.lines.push(sound);
            }
        }
        file
    }

    /// Whether a line can be a name's, perhaps with escapes.
    fn is_spelled(&self, tree: &Tree, line: &[u8]) -> bool {
        let readable = |level: &[u8]| level.contains(&1) || tree.is_spelled(level);
        !line.contains(&0)
            && !line.contains(&b'\r')
            && line.split(|byte| *byte == b'\t').all(readable)
    }

    /// The name that a line means, if it is one.
    fn name(&self, tree: &Tree, line: &[u8]) -> Option<MailboxName> {
        let mut separator = [0; 4];
        let separator = tree.separator().encode_utf8(&mut separator).as_bytes();
        let levels: Vec<&[u8]> = line.split(|byte| *byte == b'\t').collect();
        let stored = levels.join(separator);
        tree.name_stored(stored.strip_suffix(separator).unwrap_or(&stored))
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
        let text = "Archive.2024.\nbad/name\ninbox\nArchive.2024\nNew.x\n";
        assert_eq!(mail.read(NAME), text);
        assert!(mail.read("subscriptions.broken").contains("&bad"));
        change(&mail.tree(), &name("Archive.2024", '.'), false).expect("unsubscribe");
        assert_eq!(mail.read(NAME), "bad/name\ninbox\nNew.x\n");
        assert!(!mail.exists("subscriptions.broken.2"));
        mail.write(NAME, "");
        change(&mail.tree(), &name("A.B", '.'), true).expect("subscribe");
        assert_eq!(mail.read(NAME), "A.B\n");
    }

    #[test]
    fn a_broken_file_counts_as_far_as_it_spells_names() {
        let mail = Mail::new();
        for broken in [
            "\u{feff}V\t2\n\nA\nB\tC\n",
            "V\t2\r\n\r\nA\r\nB\tC\r\n",
            "V\t9\n\nA\nB\tC\n",
            "V\t\nA\nB\tC\n",
            "A\nB\tC\n",
            "V\t2\n\nA\n\0\0\0\nB\tC\n&/\n",
        ] {
            mail.write("draft", broken);
            std::fs::rename(mail.path("draft"), mail.path(NAME)).expect(broken);
            assert_eq!(shown(&mail), ["A", "B.C"], "{broken:?}");
            change(&mail.tree(), &name("A", '.'), true).expect(broken);
            assert_eq!(mail.read(NAME), "V\t2\n\nA\nB\tC\n", "{broken:?}");
        }
        assert!(mail.exists("subscriptions.broken.6"));
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
