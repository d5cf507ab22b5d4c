//! A mail system that keeps what it gets in memory: for the dialogues here, and for those of the fuzz target.

use std::sync::{Arc, Mutex};

use crate::lmtp::{Delivered, Desk, Refusal, Transfer, Wanted};
use tokio::time::Instant;

/// A message: to whom, and what.
pub type Mail = (Vec<String>, Vec<u8>);

/// Whether somebody is known; `None`: that is never found out.
pub type Knows = fn(&str) -> Option<Result<(), Refusal>>;

/// Its users have whatever mailbox is named. Those whose names begin with `full` get nothing.
#[derive(Clone)]
pub struct Town {
    knows: Knows,
    brought: Arc<Mutex<Vec<Mail>>>,
}

/// A message on its way.
pub struct Cart {
    town: Town,
    recipients: Vec<String>,
    octets: Vec<u8>,
}

impl Town {
    /// One without mail.
    pub fn new(knows: Knows) -> Town {
        Town {
            knows,
            brought: Arc::default(),
        }
    }

    /// All that was brought, without its trace.
    pub fn brought(&self) -> Vec<Mail> {
        let mut brought = self.brought.lock().unwrap().clone();
        for (_, octets) in &mut brought {
            let end = octets.windows(8).position(|part| part == b" +0000\r\n");
            octets.drain(..end.unwrap() + 8);
        }
        brought
    }

    /// The trace of the last message.
    #[allow(dead_code, reason = "the fuzz target does not ask")]
    pub fn last_trace(&self) -> String {
        let brought = self.brought.lock().unwrap();
        let text = String::from_utf8_lossy(&brought.last().unwrap().1).into_owned();
        text.split_once(" +0000\r\n").unwrap().0.to_owned()
    }
}

/// Replies in what was heard, with what differs each time taken out.
pub fn replies(heard: &str) -> Vec<String> {
    let plain = |reply: &str| match reply.strip_suffix(" Saved") {
        Some(rest) => format!("{} Saved", rest.rsplit_once(' ').unwrap().0),
        None => reply.to_owned(),
    };
    heard.split_terminator("\r\n").map(plain).collect()
}

impl Desk for Town {
    type Recipient = String;
    type Transfer = Cart;

    async fn find(&self, wanted: Wanted<'_>) -> Result<String, Refusal> {
        let (user, mailbox) = (wanted.user, wanted.mailbox.unwrap_or("INBOX"));
        assert!(!user.contains(['\r', '\n', '\0']));
        match (self.knows)(user) {
            Some(known) => known.map(|()| format!("{user}/{mailbox}")),
            None => std::future::pending().await,
        }
    }

    fn begin(&self, recipients: Vec<String>) -> Cart {
        assert!(!recipients.is_empty());
        Cart {
            town: self.clone(),
            recipients,
            octets: Vec::new(),
        }
    }
}

impl Transfer for Cart {
    type Recipient = String;

    async fn write(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    async fn end(self, deadline: Instant) -> Vec<Result<Delivered, Refusal>> {
        // Four minutes; the test may have been slow.
        let left = (deadline - Instant::now()).as_secs();
        assert!((200..=240).contains(&left), "{left}");
        let is_full = |recipient: &String| recipient.starts_with("full");
        let result = |recipient: &String| match is_full(recipient) {
            true => Err(Refusal::OverQuota),
            false => {
                let (user, mailbox) = recipient.split_once('/').unwrap();
                Ok(Delivered {
                    user: user.to_owned(),
                    mailbox: mailbox.to_owned(),
                    size: u64::try_from(self.octets.len()).unwrap(),
                })
            }
        };
        let results = self.recipients.iter().map(result).collect();
        let recipients = self.recipients.into_iter();
        let reached = recipients.filter(|recipient| !is_full(recipient)).collect();
        let mut brought = self.town.brought.lock().unwrap();
        brought.push((reached, self.octets));
        results
    }
}
