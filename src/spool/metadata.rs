//! `culver.metadata`: what is known of a mailbox that Dovecot's files have no place for. It lies beside the
//! uidlist, so it goes where its mailbox goes and ends with it.
//!
//! ```text
//! V<TAB>1
//! /private/specialuse<TAB>\Sent
//! ```
//!
//! Each line has the name of an entry (RFC 5464; the one here is RFC 6154 §4's) and its value. It is written
//! once, when its mailbox is made. Other entries, and files that begin with another line, are passed over.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use crate::imap::name::MailboxName;
use crate::imap::response::ListAttribute;
use crate::spool::dir::Draft;
use crate::spool::tree::Tree;

const NAME: &str = "culver.metadata";
const DRAFT: &str = "culver.metadata.tmp";

/// What a file begins with.
const VERSION_1: &[u8] = b"V\t1\n";

const SPECIAL_USE: &[u8] = b"/private/specialuse";

/// How many octets of a file are read.
const LARGEST: u64 = 64 << 10;

/// What a mailbox was made for. `None` if nothing says so, or nothing that can be read.
pub fn special_use(tree: &Tree, name: &MailboxName) -> io::Result<Option<ListAttribute>> {
    let file = match tree.control_file(name, NAME) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => File::from(file?),
    };
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(parse(&bytes))
}

fn parse(bytes: &[u8]) -> Option<ListAttribute> {
    let lines = bytes.strip_prefix(VERSION_1)?;
    lines.split(|byte| *byte == b'\n').find_map(|line| {
        let value = line.strip_prefix(SPECIAL_USE)?.strip_prefix(b"\t")?;
        ListAttribute::special_use(std::str::from_utf8(value).ok()?)
    })
}

/// Says what a mailbox was made for, before anybody else knows it: it has no such file yet. On disk when this
/// returns.
pub fn set_special_use(tree: &Tree, name: &MailboxName, purpose: ListAttribute) -> io::Result<()> {
    let folder = tree.folder(name)?;
    let control = folder.control_to_write()?;
    let draft = Draft::create(control.as_fd(), DRAFT)?;
    let lines = [
        VERSION_1,
        SPECIAL_USE,
        b"\t",
        purpose.as_str().as_bytes(),
        b"\n",
    ];
    (&draft.file).write_all(&lines.concat())?;
    draft.publish(NAME)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::testing::Mail;
    use crate::spool::tree::Layout;

    fn name(text: &str, separator: char) -> MailboxName {
        MailboxName::from_utf8(text, separator).unwrap()
    }

    #[test]
    fn it_goes_where_its_mailbox_goes() {
        for layout in [Layout::MaildirPlusPlus, Layout::Fs] {
            for apart in [false, true] {
                let control = tempfile::tempdir().unwrap();
                let mut mail = Mail::with(layout);
                mail.location.control = apart.then(|| control.path().to_owned());
                let tree = mail.tree();
                let [a, b] = ["Out", "Out2"].map(|text| name(text, tree.separator()));
                tree.create(&a).unwrap();
                assert_eq!(special_use(&tree, &a).unwrap(), None);
                set_special_use(&tree, &a, ListAttribute::Sent).unwrap();
                assert_eq!(special_use(&tree, &a).unwrap(), Some(ListAttribute::Sent));
                tree.rename(&a, &b).unwrap();
                assert_eq!(special_use(&tree, &a).unwrap(), None);
                assert_eq!(special_use(&tree, &b).unwrap(), Some(ListAttribute::Sent));
                tree.delete(&b).unwrap();
                tree.create(&b).unwrap();
                assert_eq!(special_use(&tree, &b).unwrap(), None);
            }
        }
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        for (bytes, expected) in [
            (
                &b"V\t1\n/private/specialuse\t\\sent\n"[..],
                Some(ListAttribute::Sent),
            ),
            (
                b"V\t1\n/private/comment\tx\n/private/specialuse\t\\Junk",
                Some(ListAttribute::Junk),
            ),
            (b"V\t2\n/private/specialuse\t\\Sent\n", None),
            (b"V\t1\n/private/specialuse\tSent\n", None),
            (b"V\t1\n/private/specialuse\t\\Seen\n", None),
            (b"V\t1\n/private/specialuses\t\\Sent\n\0\xff\n", None),
            (b"", None),
        ] {
            assert_eq!(parse(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
