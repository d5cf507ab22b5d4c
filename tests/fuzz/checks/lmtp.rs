//! Connections of LMTP.
//!
//! Octet 1 says in pieces of what length the rest is sent; the rest is what the client says. Each reply is a line of its
//! form, what is said to be saved has been brought and nothing else, a message needs an end of its own, and how it comes in
//! pieces changes nothing.

use std::sync::{Arc, Mutex};

use culver::lmtp::session::{Setting, serve};
use culver::lmtp::{Desk, Refusal, Transfer, Wanted};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::sync::watch;
use tokio::time::Instant;

/// To whom, and what.
type Brought = Vec<(Vec<String>, Vec<u8>)>;

/// Knows all whose names do not begin with `x`.
#[derive(Clone, Default)]
struct Town(Arc<Mutex<Brought>>);

struct Cart {
    town: Town,
    recipients: Vec<String>,
    octets: Vec<u8>,
}

impl Desk for Town {
    type Recipient = String;
    type Transfer = Cart;

    async fn find(&self, wanted: Wanted<'_>) -> Result<String, Refusal> {
        let (user, mailbox) = (wanted.user, wanted.mailbox);
        assert!(!user.contains(['\r', '\n', '\0']));
        match user.starts_with('x') {
            true => Err(Refusal::Unknown),
            false => Ok(format!("{user} {}", mailbox.unwrap_or_default())),
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

    async fn end(self, _deadline: Instant) -> Vec<Result<(), Refusal>> {
        let results = self.recipients.iter().map(|_| Ok(())).collect();
        let message = (self.recipients, self.octets);
        self.town.0.lock().unwrap().push(message);
        results
    }
}

pub fn check(input: &[u8]) {
    let Some((length, said)) = input.split_first() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let length = usize::from(*length).max(1);
    let in_pieces = runtime.block_on(talk(said, length));
    let at_once = runtime.block_on(talk(said, usize::MAX));
    assert_eq!(in_pieces, at_once);

    let (replies, brought) = at_once;
    let saved = replies.iter().filter(|reply| reply.ends_with(" Saved"));
    let recipients: usize = brought.iter().map(|(to, _)| to.len()).sum();
    assert_eq!(saved.count(), recipients);
    for reply in &replies {
        let (code, rest) = reply.split_at(3);
        assert!(code.bytes().all(|byte| byte.is_ascii_digit()), "{reply}");
        assert!(rest.starts_with([' ', '-']), "{reply}");
    }
    let count = |what: &[u8]| {
        said.windows(what.len())
            .filter(|part| *part == what)
            .count()
    };
    let last = said.to_ascii_uppercase();
    let last = last.windows(4).filter(|part| part == b"LAST").count();
    assert!(brought.len() <= count(b"\n.\r\n") + last, "{brought:?}");
}

/// What is answered, and brought, without what is another each time.
async fn talk(said: &[u8], length: usize) -> (Vec<String>, Brought) {
    let (client, server) = duplex(1 << 16);
    let town = Town::default();
    let setting = Setting {
        host: "mx.test".to_owned(),
        most: Some(1000),
        peer: None,
    };
    let (_stop, stopping) = watch::channel(false);
    let (mut read, mut write) = split(client);
    let mut heard = Vec::new();
    let writing = async {
        for piece in said.chunks(length.min(said.len().max(1))) {
            // The server may have hung up.
            if write.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let _ = write.shutdown().await;
    };
    let serving = async {
        // That the client hangs up in the midst is an error.
        let _ = serve(server, &town, &setting, stopping).await;
    };
    let reading = async {
        let _ = read.read_to_end(&mut heard).await;
    };
    tokio::join!(writing, serving, reading);
    let heard = String::from_utf8(heard).unwrap();
    let plain = |reply: &str| match reply.strip_suffix(" Saved") {
        Some(rest) => format!("{} Saved", rest.rsplit_once(' ').unwrap().0),
        None => reply.to_owned(),
    };
    let replies = heard.split_terminator("\r\n").map(plain).collect();
    let mut brought = town.0.lock().unwrap().clone();
    for (_, octets) in &mut brought {
        let end = octets.windows(8).position(|part| part == b" +0000\r\n");
        octets.drain(..end.unwrap() + 8);
    }
    (replies, brought)
}
