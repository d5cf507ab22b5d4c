//! The Maildir below the sessions: what lies in it before, and what must hold while and after they run.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use culver::mailbox::user::{DiskNames, Layout, Location, User};
use culver::spool::filename::FileName;
use culver::spool::folder::Sub;
use culver::spool::scan;
use culver::spool::tree::Tree;
use culver::spool::uidlist::{Read, UidList};
use tempfile::TempDir;

/// Folder, place and contents of the messages that are there from the start.
const MESSAGES: [(&str, &str, &str); 6] = [
    (
        "",
        "new/1700000001.M1P1.host",
        "From: a@example.org\nSubject: new\n\nBody\n",
    ),
    (
        "",
        "cur/1700000002.M2P2.host,S=400:2,S",
        "From: \"A, B\" <a@example.org>\r\nTo: group: b@example.org;\r\nSubject: =?utf-8?Q?=C3=A9t=C3=A9?=\r\n\
         Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=x\r\n\r\npreamble\r\n--x\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8K\r\n--x\r\n\
         Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner body\r\n--x--\r\nepilogue\r\n",
    ),
    (
        "",
        "cur/1700000003.M3P3.host:2,ST",
        "Subject: deleted\n\nhas \\Deleted from the start\n",
    ),
    (
        "",
        "cur/1700000004.M4P4.host:2,Fa",
        "Subject: keyword\r\nContent-Type: text/html; charset=iso-8859-1\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n<b>caf=E9</b>=\r\n tail\r\n",
    ),
    (
        "Sub",
        "cur/1700000005.M5P5.host:2,",
        "Subject: sub\n\nin a folder\n",
    ),
    (
        "Sub",
        "new/1700000006.M6P6.host",
        "Subject: sub two\r\n\r\nin a folder, too\r\n",
    ),
];

/// Dovecot's files in the folders, where they are not made anew.
const CONTROL: [(&str, &str, &str); 3] = [
    ("", "dovecot-keywords", "0 $Forwarded\n1 $Junk\n"),
    ("", "subscriptions", "V\t2\n\nSub\nGone\n"),
    (
        "Sub",
        "dovecot-uidlist",
        "3 V1700000000 N9 G0123456789abcdef0123456789abcdef\n7 :1700000005.M5P5.host\n",
    ),
];

/// What a UIDVALIDITY has seen.
#[derive(Default)]
struct Given {
    names: BTreeMap<u32, Box<[u8]>>,
    next: u32,
}

pub struct Disk {
    _root: TempDir,
    location: Location,
    given: HashMap<u32, Given>,
}

impl Disk {
    /// Makes a Maildir with some messages.
    pub fn new(layout: Layout, names: DiskNames, control: bool) -> Disk {
        let root = tempfile::Builder::new()
            .prefix("culver-fuzz-")
            .tempdir()
            .unwrap();
        let location = Location {
            root: root.path().join("Maildir"),
            control: control.then(|| root.path().join("control")),
            layout,
            names,
            follow_links_out: false,
        };
        let entwurf = match names {
            DiskNames::Utf7 => "Entw&APw-rfe",
            DiskNames::Utf8 => "Entwürfe",
        };
        let place = |base: &Path, folder: &str| match (folder, layout) {
            ("", _) => base.to_owned(),
            (name, Layout::MaildirPlusPlus) => base.join(format!(".{name}")),
            (name, Layout::Fs) => base.join(name),
        };
        for folder in ["", "Sub", entwurf] {
            for sub in ["cur", "new", "tmp"] {
                fs::create_dir_all(place(&location.root, folder).join(sub)).unwrap();
            }
        }
        for (folder, name, text) in MESSAGES {
            fs::write(place(&location.root, folder).join(name), text).unwrap();
        }
        // As if long ago: a directory that was changed just now would be looked at twice.
        for folder in ["", "Sub", entwurf] {
            for sub in ["cur", "new"] {
                let directory = fs::File::open(place(&location.root, folder).join(sub)).unwrap();
                let then = SystemTime::now() - Duration::from_secs(3600);
                directory.set_modified(then).unwrap();
            }
        }
        let base = location.control.as_ref().unwrap_or(&location.root);
        for (folder, name, text) in CONTROL {
            let place = place(base, folder);
            fs::create_dir_all(&place).unwrap();
            fs::write(place.join(name), text).unwrap();
        }
        Disk {
            _root: root,
            location,
            given: HashMap::new(),
        }
    }

    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Looks at every uidlist: none is broken, no two mailboxes have one UIDVALIDITY, a UID names one
    /// message for ever, and the next one never goes back.
    pub fn look(&mut self) {
        let tree = Tree::open(self.location.clone()).unwrap();
        let mut seen = HashSet::new();
        for entry in tree.list().unwrap() {
            if !entry.selectable {
                continue;
            }
            let folder = tree.folder(&entry.name).unwrap();
            let (list, records) = match UidList::read(&folder).unwrap() {
                Read::Missing => continue,
                Read::Broken(salvage) => panic!("{}: {salvage:?}", entry.name),
                Read::Whole { list, records, .. } => (list, records),
            };
            let uid_validity = list.uid_validity.get();
            assert!(seen.insert(uid_validity), "two mailboxes: {uid_validity}");
            let given = self.given.entry(uid_validity).or_default();
            let next = list.next.get();
            assert!(given.next <= next, "{} after {}", next, given.next);
            given.next = next;
            let mut last = 0;
            for record in records {
                let uid = record.uid.get();
                assert!(last < uid && uid < next, "{last} {uid} {next}");
                last = uid;
                let name = given.names.entry(uid).or_insert(record.base.clone());
                assert_eq!(name, &record.base, "{}: UID {uid}", entry.name);
            }
        }
    }

    /// After the sessions: nothing is left half done, and no message is gone that nobody deleted.
    pub fn expect_in_order(&self, said: &[u8], appended: usize) {
        let mut files = Vec::new();
        walk(self._root.path(), &mut files);
        let mut contents = HashSet::new();
        let mut messages = 0;
        for path in files {
            let parent = path.parent().and_then(Path::file_name).unwrap_or_default();
            let name = path.file_name().unwrap().to_string_lossy();
            assert!(parent != "tmp", "{} is left", path.display());
            assert!(!name.ends_with(".lock"), "{} is left", path.display());
            if parent == "new" || parent == "cur" {
                messages += 1;
                contents.insert(fs::read_to_string(&path).unwrap_or_default());
            }
        }
        let said = said.to_ascii_lowercase();
        let says = |word: &str| said.windows(word.len()).any(|text| text == word.as_bytes());
        // DELETE and \Deleted; REPLACE names any message.
        if says("delete") || says("replace") {
            return;
        }
        let expunges = says("expunge") || says("close");
        let mut kept = 0;
        for (_, name, text) in MESSAGES {
            if !(expunges && name.ends_with('T')) {
                assert!(contents.contains(text), "{name} is gone");
                kept += 1;
            }
        }
        assert!(messages >= kept + appended, "{appended} were appended");
    }

    /// Opens everything anew: each mailbox shows the files that are there.
    pub async fn expect_readable(&mut self, user: &Arc<User>) {
        let tree = Tree::open(self.location.clone()).unwrap();
        user.subscriptions().await.unwrap();
        for folder in user.list().await.unwrap() {
            if !folder.selectable {
                continue;
            }
            let mailbox = user.mailbox(&folder.name).await.unwrap();
            mailbox.refresh().await.unwrap();
            let place = tree.folder(&folder.name).unwrap();
            let listed = [Sub::New, Sub::Cur].map(|sub| scan::list(&place, sub).unwrap());
            let names: HashSet<&[u8]> = listed.iter().flatten().map(FileName::base).collect();
            let snapshot = mailbox.snapshot();
            let shown: HashSet<&[u8]> =
                snapshot.iter().map(|message| message.name.base()).collect();
            assert_eq!(shown, names, "{}", folder.name);
            for message in snapshot.iter() {
                mailbox.open(message).unwrap();
            }
        }
    }
}

/// Every file below `path`.
fn walk(path: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => walk(&entry.path(), files),
            false => files.push(entry.path()),
        }
    }
}
