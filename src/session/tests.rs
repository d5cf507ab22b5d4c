//! Whole sessions over an account in a temporary directory, without a network.

mod faults;
mod life;
mod mailboxes;
mod messages;
mod modseqs;

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::auth::Granted;
use crate::mailbox::user::{Account, DiskNames, Fsync, Layout, Location};
use crate::session::client::Client;

/// An account that several clients may use.
pub(super) struct House {
    user: Arc<User>,
    limits: Limits,
    stop: watch::Sender<bool>,
    root: TempDir,
}

impl House {
    pub(super) fn new() -> House {
        House::with(Fsync::Never)
    }

    fn with(fsync: Fsync) -> House {
        let root = tempfile::tempdir().unwrap();
        let account = Account {
            location: Location {
                root: root.path().join("Maildir"),
                control: None,
                layout: Layout::MaildirPlusPlus,
                names: DiskNames::Utf7,
                follow_links_out: false,
            },
            fsync,
            attachment_keywords: false,
            auto_create: Vec::new(),
            quota: Default::default(),
        };
        House {
            user: User::open(account).unwrap(),
            limits: Limits::default(),
            stop: watch::channel(false).0,
            root,
        }
    }

    fn maildir(&self) -> PathBuf {
        self.root.path().join("Maildir")
    }

    /// A client that has been greeted.
    async fn enter(&self) -> Client {
        self.enter_with_room(1 << 20).await.0
    }

    async fn enter_with_room(&self, room: usize) -> (Client, JoinHandle<()>) {
        let (mut client, stream) = Client::new(room);
        let (user, limits) = (Arc::clone(&self.user), self.limits.clone());
        let stop = self.stop.subscribe();
        let session = tokio::spawn(async move { preauth(stream, "u", user, limits, stop).await });
        let greeting = client.line().await;
        assert!(greeting.starts_with("* PREAUTH [CAPABILITY IMAP4rev1 "));
        (client, session)
    }

    /// A session that nobody serves, and its client.
    pub(super) fn session(&self) -> (Client, Box<Session>) {
        let (client, stream) = Client::new(1 << 20);
        let (user, limits) = (Arc::clone(&self.user), self.limits.clone());
        let stop = self.stop.subscribe();
        let session = Session::new(Box::new(stream), Unread::default(), user, limits, stop);
        (client, session)
    }

    /// A client with INBOX selected, in which are as many messages, all made known as recent before.
    async fn enter_inbox(&self, messages: usize) -> Client {
        let mut client = self.enter().await;
        for number in 1..=messages {
            append(&mut client, "INBOX", &message(number)).await;
        }
        client.send("s SELECT INBOX\r\nn NOOP\r\n").await;
        client.until("n ").await;
        client
    }
}

fn message(number: usize) -> String {
    format!("Subject: {number}\r\nFrom: a@example.org\r\n\r\nBody {number}.\r\n")
}

async fn append(client: &mut Client, mailbox: &str, text: &str) {
    let size = text.len();
    client
        .send(format!("p APPEND {mailbox} {{{size}+}}\r\n{text}\r\n"))
        .await;
    let answer = client.until("p ").await.pop().unwrap();
    assert!(answer.starts_with("p OK [APPENDUID "), "{answer}");
}
