//! `culver.metadata`: what is known of a mailbox that Dovecot's files have no place for. It lies beside the
//! uidlist, so it goes where its mailbox goes and ends with it. `culver.metadata-server`, beside `subscriptions`,
//! has the same form and holds what an account says of the server.
//!
//! ```text
//! V<TAB>1
//! /private/specialuse<TAB>\Sent
//! /shared/comment<TAB>Of two%0D%0Alines
//! ```
//!
//! Each line has the name of an entry (RFC 5464 §3.2) in lower case, and its value, where controls and `%` are
//! `%` and two digits, as in URLs. What the mailbox is for (RFC 6154 §4) comes first, for LIST looks at that alone.
//! Lines of another kind are passed over and kept. A file that begins with another line says nothing; the
//! next change writes it anew, and what was replaced is [kept](crate::spool::broken).

mod format;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::imap::name::MailboxName;
use crate::imap::response::ListAttribute;
use crate::spool::broken::{self, Contents, Found};
use crate::spool::dir::{self, Draft};
use crate::spool::lock::{Lock, Patience, Try};
use crate::spool::metadata::format::Parsed;
use crate::spool::tree::Tree;

const OF_MAILBOX: Names = Names {
    file: "culver.metadata",
    draft: "culver.metadata.tmp",
    lock: "culver.metadata.lock",
};
const OF_SERVER: Names = Names {
    file: "culver.metadata-server",
    draft: "culver.metadata-server.tmp",
    lock: "culver.metadata-server.lock",
};

/// The entry that says what a mailbox is for.
pub const SPECIAL_USE: &str = "/private/specialuse";

/// Most entries with a value that a mailbox, or the server, may have.
pub const MOST_ENTRIES: usize = 100;

/// Most octets of all values of a mailbox, or of the server.
pub const MOST_OCTETS: usize = 1 << 20;

/// How many octets of a file are read: more than the entries there may be take, with every octet spelled in three.
const LARGEST: u64 = 32 << 20;

/// How many of them for what the mailbox is for alone.
const FRONT: u64 = 4 << 10;

/// How old a lock that names no living process must be to be taken over.
const STALE: Duration = Duration::from_secs(30);

/// Values by the names of their entries, in lower case.
pub type Annotations = BTreeMap<String, Vec<u8>>;

/// What annotations are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A mailbox.
    Mailbox(MailboxName),
    /// The server, as this account sees it.
    Server,
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// These entries are others than before, and on disk.
    Done(Vec<String>),
    /// Somebody else is changing the file: try again.
    Busy,
    /// There would be more than [`MOST_ENTRIES`], or [`MOST_OCTETS`] of them. Nothing is changed.
    TooMany,
}

struct Names {
    file: &'static str,
    draft: &'static str,
    lock: &'static str,
}

/// All that is known of a subject. `NotFound` for a mailbox that is not there.
pub fn read(tree: &Tree, subject: &Subject) -> io::Result<Annotations> {
    let Some(place) = Place::to_read(tree, subject)? else {
        return Ok(Annotations::new());
    };
    Ok(place
        .read()?
        .map_or_else(Annotations::new, |file| file.values))
}

/// Sets values, or takes them away, all or none. `NotFound` for a mailbox that is not there.
pub fn change(
    tree: &Tree,
    subject: &Subject,
    changes: &[(String, Option<Vec<u8>>)],
) -> io::Result<Outcome> {
    let place = Place::to_write(tree, subject)?;
    let patience = Patience::Age(STALE);
    let held = Lock::attempt_in(
        Arc::clone(&place.dir),
        place.names.lock,
        place.names.file,
        patience,
    )?;
    let Try::Held(lock) = held else {
        return Ok(Outcome::Busy);
    };
    let mut file = place.read()?.unwrap_or_default();
    let (before, octets_before) = (file.values.len(), octets(&file.values));
    let mut changed = Vec::new();
    for (entry, value) in changes {
        if file.values.get(entry) == value.as_ref() {
            continue;
        }
        changed.push(entry.clone());
        match value {
            Some(value) => file.values.insert(entry.clone(), value.clone()),
            None => file.values.remove(entry),
        };
    }
    // Where there are more already, they can still become fewer.
    if file.values.len() > MOST_ENTRIES.max(before)
        || octets(&file.values) > MOST_OCTETS.max(octets_before)
    {
        return Ok(Outcome::TooMany);
    }
    if !changed.is_empty() {
        place.write(tree, &file)?;
    }
    drop(lock);
    Ok(Outcome::Done(changed))
}

fn octets(values: &Annotations) -> usize {
    values.values().map(Vec::len).sum()
}

/// What a mailbox was made for. `None` if nothing says so, or nothing that can be read.
pub fn special_use(tree: &Tree, name: &MailboxName) -> io::Result<Option<ListAttribute>> {
    let file = match tree.control_file(name, OF_MAILBOX.file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => File::from(file?),
    };
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(FRONT).read_to_end(&mut bytes)?;
    let values = Parsed::of(&bytes).map(|file| file.values);
    Ok(values.as_ref().and_then(special_use_of))
}

/// What annotations say that their mailbox is for.
pub fn special_use_of(values: &Annotations) -> Option<ListAttribute> {
    ListAttribute::special_use(std::str::from_utf8(values.get(SPECIAL_USE)?).ok()?)
}

/// Says what a mailbox was made for, before anybody else knows it: it has no such file yet. On disk when this
/// returns.
pub fn set_special_use(tree: &Tree, name: &MailboxName, purpose: ListAttribute) -> io::Result<()> {
    let subject = Subject::Mailbox(name.clone());
    let value = purpose.as_str().as_bytes().to_vec();
    match change(tree, &subject, &[(SPECIAL_USE.to_owned(), Some(value))])? {
        Outcome::Done(_) => Ok(()),
        Outcome::Busy | Outcome::TooMany => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// Where a subject's file is.
struct Place {
    dir: Arc<OwnedFd>,
    /// For log lines.
    path: PathBuf,
    names: &'static Names,
}

impl Place {
    /// `None` where nothing has been written yet.
    fn to_read(tree: &Tree, subject: &Subject) -> io::Result<Option<Place>> {
        match subject {
            Subject::Server => Place::of_server(tree).map(Some),
            Subject::Mailbox(name) => {
                let folder = tree.folder(name)?;
                Ok(folder.control()?.map(|dir| Place {
                    dir,
                    path: folder.path().to_owned(),
                    names: &OF_MAILBOX,
                }))
            }
        }
    }

    fn to_write(tree: &Tree, subject: &Subject) -> io::Result<Place> {
        match subject {
            Subject::Server => Place::of_server(tree),
            Subject::Mailbox(name) => {
                let folder = tree.folder(name)?;
                Ok(Place {
                    dir: folder.control_to_write()?,
                    path: folder.path().to_owned(),
                    names: &OF_MAILBOX,
                })
            }
        }
    }

    fn of_server(tree: &Tree) -> io::Result<Place> {
        Ok(Place {
            dir: Arc::new(tree.account_dir().try_clone_to_owned()?),
            path: tree.account_path().to_owned(),
            names: &OF_SERVER,
        })
    }

    /// `None` where there is no such file, or none that can be read.
    fn read(&self) -> io::Result<Option<Parsed>> {
        match broken::read(self.dir.as_fd(), &self.path, self.names.file, LARGEST)? {
            Found::There(Contents { bytes, .. }) => Ok(Parsed::of(&bytes)),
            Found::Missing | Found::Unusable => Ok(None),
        }
    }

    fn write(&self, tree: &Tree, file: &Parsed) -> io::Result<()> {
        let (dir, name) = (self.dir.as_fd(), self.names.file);
        // What was there and said nothing is kept, for it may say something to somebody else.
        if let Found::There(found) = broken::read(dir, &self.path, name, LARGEST)?
            && Parsed::of(&found.bytes).is_none()
        {
            let what = "it does not begin with V<TAB>1";
            tree.told.report(dir, &self.path, name, &found.file, what);
        }
        broken::make_way(dir, &self.path, name)?;
        if file.values.is_empty() && file.others.is_empty() {
            if dir::remove(dir, name)? {
                dir::sync_dir(dir)?;
            }
            return Ok(());
        }
        let draft = Draft::create(dir, self.names.draft)?;
        (&draft.file).write_all(&file.bytes())?;
        draft.publish(name)?;
        Ok(())
    }
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

    fn set(tree: &Tree, subject: &Subject, entry: &str, value: Option<&[u8]>) -> Outcome {
        let change_of = (entry.to_owned(), value.map(<[u8]>::to_vec));
        change(tree, subject, &[change_of]).unwrap()
    }

    #[test]
    fn values_are_any_octets() {
        let mail = Mail::new();
        let tree = mail.tree();
        let all: Vec<u8> = (0..=255).collect();
        for subject in [Subject::Mailbox(MailboxName::inbox()), Subject::Server] {
            assert!(read(&tree, &subject).unwrap().is_empty());
            for value in [
                &all[..],
                b"",
                b"%",
                b"%4",
                b"%zz",
                b"%41",
                b"a%",
                b"\t\r\n\n",
            ] {
                set(&tree, &subject, "/shared/comment", Some(value));
                let values = read(&tree, &subject).unwrap();
                assert_eq!(values["/shared/comment"], value);
            }
        }
        assert!(mail.read("culver.metadata").is_ascii());
        // A file by hand.
        mail.write(
            "culver.metadata",
            "V\t1\n/shared/comment\t50% or %4 of%20it\n",
        );
        let inbox = Subject::Mailbox(MailboxName::inbox());
        assert_eq!(
            read(&tree, &inbox).unwrap()["/shared/comment"],
            b"50% or %4 of it"
        );
    }

    #[test]
    fn the_server_and_inbox_are_two() {
        for layout in [Layout::MaildirPlusPlus, Layout::Fs] {
            let mail = Mail::with(layout);
            let tree = mail.tree();
            let inbox = Subject::Mailbox(MailboxName::inbox());
            set(&tree, &inbox, "/private/comment", Some(b"box"));
            set(&tree, &Subject::Server, "/private/comment", Some(b"server"));
            assert_eq!(read(&tree, &inbox).unwrap()["/private/comment"], b"box");
            let text = mail.read("culver.metadata-server");
            assert_eq!(text, "V\t1\n/private/comment\tserver\n");
            for layout_names in ["culver.metadata", "culver.metadata.lock"] {
                let clash = MailboxName::from_utf8(layout_names, tree.separator());
                assert_eq!(
                    clash.is_err() || tree.create(&clash.unwrap()).is_err(),
                    layout == Layout::Fs
                );
            }
            // A file that says nothing any more goes.
            set(&tree, &inbox, "/private/comment", None);
            set(&tree, &inbox, "/private/comment", None);
            assert!(!mail.exists("culver.metadata"));
            assert!(!mail.exists("culver.metadata.lock"));
        }
    }

    #[test]
    fn what_others_wrote_stays() {
        let mail = Mail::new();
        let tree = mail.tree();
        let inbox = Subject::Mailbox(MailboxName::inbox());
        let before = "V\t1\nsaved\t17 4711\n/shared/comment\tx\n\u{ff}\n";
        mail.write("culver.metadata", before);
        set(&tree, &inbox, "/private/specialuse", Some(b"\\Junk"));
        assert_eq!(
            mail.read("culver.metadata"),
            "V\t1\n/private/specialuse\t\\Junk\n/shared/comment\tx\nsaved\t17 4711\n\u{ff}\n"
        );
        set(&tree, &inbox, "/private/specialuse", None);
        set(&tree, &inbox, "/shared/comment", None);
        assert!(mail.read("culver.metadata").contains("saved"));
        // A form that is not known, and what is no file.
        mail.write("culver.metadata", "V\t2\nwho knows\n");
        assert!(read(&tree, &inbox).unwrap().is_empty());
        set(&tree, &inbox, "/shared/comment", Some(b"new"));
        assert_eq!(mail.read("culver.metadata.broken"), "V\t2\nwho knows\n");
        assert_eq!(mail.read("culver.metadata"), "V\t1\n/shared/comment\tnew\n");
        mail.remove("culver.metadata");
        std::os::unix::fs::symlink("/etc/hostname", mail.path("culver.metadata")).unwrap();
        assert!(read(&tree, &inbox).unwrap().is_empty());
        set(&tree, &inbox, "/shared/comment", Some(b"newer"));
        assert_eq!(
            mail.read("culver.metadata"),
            "V\t1\n/shared/comment\tnewer\n"
        );
    }

    #[test]
    fn all_or_nothing_and_so_many() {
        let mail = Mail::new();
        let tree = mail.tree();
        let entry = |number: usize| (format!("/private/x{number}"), Some(vec![b'x']));
        let inbox = Subject::Mailbox(MailboxName::inbox());
        let all: Vec<_> = (0..MOST_ENTRIES).map(entry).collect();
        let keys: Vec<String> = all.iter().map(|(entry, _)| entry.clone()).collect();
        assert_eq!(change(&tree, &inbox, &all).unwrap(), Outcome::Done(keys));
        let same = change(&tree, &inbox, &all).unwrap();
        assert_eq!(same, Outcome::Done(Vec::new()));
        let more = [(all[0].0.clone(), None), entry(1000), entry(1001)];
        assert_eq!(change(&tree, &inbox, &more).unwrap(), Outcome::TooMany);
        assert_eq!(read(&tree, &inbox).unwrap().len(), MOST_ENTRIES);
        let keys = vec![more[0].0.clone(), more[1].0.clone()];
        let changed = change(&tree, &inbox, &more[..2]).unwrap();
        assert_eq!(changed, Outcome::Done(keys));
        let large = |at: usize, octets| (all[at].0.clone(), Some(vec![b'x'; octets]));
        let full = [large(1, MOST_OCTETS), large(2, 1)];
        assert_eq!(change(&tree, &inbox, &full).unwrap(), Outcome::TooMany);
        mail.write("culver.metadata.lock", "1:elsewhere.example");
        assert_eq!(change(&tree, &inbox, &all).unwrap(), Outcome::Busy);
    }

    #[test]
    fn of_a_mailbox_that_is_not_there() {
        let mail = Mail::new();
        let tree = mail.tree();
        let nosuch = Subject::Mailbox(name("nosuch", '.'));
        let missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
        assert!(read(&tree, &nosuch).is_err_and(missing));
        assert!(change(&tree, &nosuch, &[]).is_err_and(missing));
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
            let found = Parsed::of(bytes).and_then(|file| special_use_of(&file.values));
            assert_eq!(found, expected, "{}", bytes.escape_ascii());
        }
    }
}
