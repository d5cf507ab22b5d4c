//! A mailbox with its files under it: what sessions see when other programs work in the same Maildir.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::imap::command::{Numbering, StoreAction};
use crate::imap::flag::{Flag, Keyword, SystemFlag};
use crate::imap::name::MailboxName;
use crate::imap::sequence::{Bound, NumberSet, SeqNum, SequenceSet, Uid};
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::news::Update;
use crate::mailbox::user::{Account, Fsync, User};
use crate::mailbox::view::{Expunge, View};
use crate::spool::tree::{DiskNames, Layout, Location};

mod awaited;
mod closing;
mod faults;
mod history;
mod kept;
mod keywords;
mod modseqs;
mod others;
mod replace;
mod sessions;
mod status;
mod storm;

struct Account1 {
    dir: tempfile::TempDir,
    user: Arc<User>,
}

impl Account1 {
    fn new() -> Account1 {
        let dir = tempfile::tempdir().unwrap();
        let user = open(dir.path());
        Account1 { dir, user }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("Maildir")
    }

    async fn inbox(&self) -> Arc<Mailbox> {
        self.user.mailbox(&MailboxName::inbox()).await.unwrap()
    }

    /// As an MTA delivers: written in `tmp/`, renamed into `new/`.
    fn deliver(&self, name: &str) {
        let tmp = self.root().join("tmp").join(name);
        fs::write(&tmp, format!("Subject: {name}\n\nText\n")).unwrap();
        fs::rename(tmp, self.root().join("new").join(name)).unwrap();
    }

    fn names(&self, sub: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.root().join(sub))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn open(dir: &Path) -> Arc<User> {
    User::open(account(dir.join("Maildir"))).unwrap()
}

/// An account by the defaults.
pub(super) fn account(root: PathBuf) -> Account {
    let location = Location {
        root,
        control: None,
        layout: Layout::MaildirPlusPlus,
        names: DiskNames::Utf7,
        follow_links_out: false,
    };
    Account {
        location,
        fsync: Fsync::Always,
        attachment_keywords: false,
        auto_create: Vec::new(),
        quota: Default::default(),
    }
}

fn uids(numbers: &[u32]) -> NumberSet {
    numbers.iter().copied().collect()
}

fn seen() -> [Flag; 1] {
    [Flag::System(SystemFlag::Seen)]
}

fn deleted() -> [Flag; 1] {
    [Flag::System(SystemFlag::Deleted)]
}

/// What a client would be told, in short.
fn told(view: &mut View, expunge: Expunge) -> Vec<String> {
    let updates = view.sync(expunge).unwrap().updates;
    let snapshot = Arc::clone(view.snapshot());
    let short = |update| match update {
        Update::Expunge(number, _) => format!("{number} EXPUNGE"),
        Update::Exists(count) => format!("{count} EXISTS"),
        Update::Recent(count) => format!("{count} RECENT"),
        Update::Keywords => "FLAGS".into(),
        Update::Flags {
            number, message, ..
        } => {
            let flags = message.flags.iter().map(|flag| flag.as_str().to_owned());
            let keywords = snapshot
                .keywords_of(&message)
                .map(|keyword| keyword.to_string());
            format!(
                "{number} FETCH {}",
                flags.chain(keywords).collect::<Vec<_>>().join(" ")
            )
        }
    };
    updates.into_iter().map(short).collect()
}

/// Waits for the watcher to publish something new, as IDLE does.
async fn awaited(view: &mut View) -> Vec<String> {
    let mut changes = view.mailbox().changes();
    loop {
        while !view.is_stale() {
            tokio::time::timeout(Duration::from_secs(10), changes.changed())
                .await
                .expect("nothing came")
                .unwrap();
        }
        // A state may have nothing new for a client, such as another name of the same file.
        let news = told(view, Expunge::Allowed);
        if !news.is_empty() {
            return news;
        }
    }
}
