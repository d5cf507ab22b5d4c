//! Clients of a mailbox that keeps no mod-sequences for a moment, or none any more.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::*;
use crate::spool::filename::FileName;

impl House {
    /// Another program's lock, and a flag that it sets under it.
    fn lock(&self) -> PathBuf {
        let lock = self.maildir().join("dovecot-uidlist.lock");
        std::fs::write(&lock, "foreign").unwrap();
        let cur = self.maildir().join("cur");
        let names = std::fs::read_dir(&cur).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name());
        let first = names
            .filter_map(|name| FileName::new(name.as_encoded_bytes()))
            .min_by(FileName::arrival_order)
            .unwrap();
        let first = cur.join(OsStr::from_bytes(first.bytes()));
        std::fs::rename(&first, format!("{}F", first.display())).unwrap();
        lock
    }
}

/// What is kept of a mailbox can neither be read nor be written.
fn spoil(folder: PathBuf) {
    for name in ["culver.index", "culver.log"] {
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    std::fs::create_dir_all(folder.join("culver.index/full")).unwrap();
}

fn end(lines: &[String]) -> &str {
    lines.last().unwrap()
}

fn count(lines: &[String], what: &str) -> usize {
    lines.iter().filter(|line| line.contains(what)).count()
}

async fn answer(client: &mut Client, line: &str) -> Vec<String> {
    client.send(format!("a {line}\r\n")).await;
    client.until("a ").await
}

/// "A first CONDSTORE enabling command executed in the session with a mailbox selected MUST cause the server to return
/// HIGHESTMODSEQ" (RFC 7162 §3.1), and BAD is for who was told NOMODSEQ.
#[tokio::test(start_paused = true)]
async fn a_short_lock_refuses_nothing() {
    for first in [
        "FETCH 1:* (FLAGS) (CHANGEDSINCE 1)",
        "STORE 2 (UNCHANGEDSINCE 9000000000000000) +FLAGS (\\Seen)",
        "SEARCH MODSEQ 1",
        "SORT (DATE) UTF-8 MODSEQ 1",
        "ENABLE CONDSTORE",
        "STATUS INBOX (HIGHESTMODSEQ)",
    ] {
        let house = House::new();
        let mut client = house.enter_inbox(2).await;
        let lock = house.lock();
        let told = answer(&mut client, "NOOP").await;
        assert_eq!(count(&told, "Flagged"), 1, "{told:?}");
        assert_eq!(count(&told, "MODSEQ"), 0, "{told:?}");
        std::fs::remove_file(lock).unwrap();
        let told = answer(&mut client, first).await;
        assert!(end(&told).starts_with("a OK"), "{first}: {told:?}");
        assert_eq!(count(&told, "* OK [HIGHESTMODSEQ "), 1, "{first}: {told:?}");
        assert_eq!(count(&told, "* 1 FETCH (UID 1"), 1, "{first}: {told:?}");
        let told = answer(&mut client, "FETCH 1:* (MODSEQ)").await;
        assert!(end(&told).starts_with("a OK"), "{first}: {told:?}");
        assert_eq!(count(&told, "(MODSEQ ("), 2, "{first}: {told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_lock_refuses_for_its_time() {
    let house = House::new();
    let mut client = house.enter_inbox(2).await;
    answer(&mut client, "ENABLE CONDSTORE").await;
    let lock = house.lock();
    answer(&mut client, "NOOP").await;
    for command in ["FETCH 1 (MODSEQ)", "SEARCH MODSEQ 1"] {
        let told = answer(&mut client, command).await;
        assert_eq!(end(&told), "a NO Mod-sequences are not kept at present");
    }
    let mut other = house.enter().await;
    let told = answer(&mut other, "SELECT INBOX (CONDSTORE)").await;
    assert_eq!(count(&told, "[NOMODSEQ]"), 1, "{told:?}");
    std::fs::remove_file(lock).unwrap();
    let told = answer(&mut client, "FETCH 1 (MODSEQ)").await;
    assert!(end(&told).starts_with("a OK"), "{told:?}");
    // Who was told that there are none is held to it, until the mailbox is selected again.
    let told = answer(&mut other, "FETCH 1 (MODSEQ)").await;
    assert!(end(&told).starts_with("a BAD"), "{told:?}");
    let told = answer(&mut other, "SELECT INBOX").await;
    assert_eq!(count(&told, "[HIGHESTMODSEQ "), 1, "{told:?}");
    let told = answer(&mut other, "FETCH 1 (MODSEQ)").await;
    assert!(end(&told).starts_with("a OK"), "{told:?}");
}

/// Whether FETCH shows them is known only when it has set `\Seen`.
#[tokio::test(start_paused = true)]
async fn fetch_shows_none_that_is_not_kept() {
    let house = House::new();
    let mut one = house.enter_inbox(2).await;
    let mut two = house.enter_inbox(0).await;
    for client in [&mut one, &mut two] {
        answer(client, "ENABLE CONDSTORE").await;
    }
    let told = answer(&mut one, "FETCH 1 (BODY[TEXT])").await;
    assert_eq!(count(&told, " MODSEQ ("), 1, "{told:?}");
    answer(&mut two, "NOOP").await;
    answer(&mut one, "STORE 1 -FLAGS.SILENT (\\Seen)").await;
    answer(&mut two, "NOOP").await;
    spoil(house.maildir());
    let told = answer(&mut one, "FETCH 1 (BODY[TEXT])").await;
    assert!(end(&told).starts_with("a OK"), "{told:?}");
    assert_eq!(count(&told, "\\Seen"), 1, "{told:?}");
    assert_eq!(count(&told, "MODSEQ"), 0, "{told:?}");
    // What was asked for and is not shown is not passed over in silence.
    let told = answer(&mut two, "FETCH 2 (MODSEQ BODY[TEXT])").await;
    assert_eq!(end(&told), "a NO Mod-sequences are not kept at present");
    assert_eq!(count(&told, "* 2 FETCH (BODY[TEXT] {"), 1, "{told:?}");
    assert_eq!(count(&told, "MODSEQ"), 0, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn esearch_shows_none_that_is_not_kept() {
    let house = House::new();
    let mut client = house.enter_inbox(1).await;
    client.create("other").await;
    append(&mut client, "other", &message(1)).await;
    for (spoilt, shown) in [(false, 1), (true, 0)] {
        if spoilt {
            spoil(house.maildir().join(".other"));
        }
        let told = answer(&mut client, "ESEARCH IN (mailboxes other) MODSEQ 1").await;
        assert!(end(&told).starts_with("a OK"), "{told:?}");
        assert_eq!(count(&told, " UID ALL 1"), 1, "{told:?}");
        assert_eq!(count(&told, " UID ALL 1 MODSEQ "), shown, "{told:?}");
    }
}
