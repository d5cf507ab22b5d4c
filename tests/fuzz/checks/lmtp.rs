//! Connections of LMTP.
//!
//! Octet 1 says in pieces of what length the rest is sent; the rest is what the client says. Each reply is a line of its
//! form, what is said to be saved has been brought and nothing else, a message needs an end of its own, and how it comes in
//! pieces changes nothing.

use culver::lmtp::session::{Setting, serve};
// The mail system, which is shared with the unit tests, knows these by the path of this module.
use culver::lmtp::{Delivered, Desk, Refusal, Transfer, Wanted};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::sync::watch;

#[path = "../../../src/lmtp/session/tests/town.rs"]
mod town;

use town::{Mail, Town, replies};

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
async fn talk(said: &[u8], length: usize) -> (Vec<String>, Vec<Mail>) {
    let (client, server) = duplex(1 << 16);
    // All are known whose names do not begin with `x`.
    let town = Town::new(|user| match user.starts_with('x') {
        true => Some(Err(Refusal::Unknown)),
        false => Some(Ok(())),
    });
    let setting = Setting {
        host: "mx.test".to_owned(),
        most: 1000,
        peer: None,
        xclient: true,
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
    (replies(&heard), town.brought())
}
