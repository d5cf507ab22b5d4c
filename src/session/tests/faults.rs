//! News while the disk fails.

use super::*;

async fn enter_rev2(house: &House) -> Client {
    let mut client = house.enter().await;
    client
        .send("e ENABLE IMAP4rev2\r\ns SELECT INBOX\r\n")
        .await;
    client.until("s ").await;
    client
}

/// What names no UID is told, and what does when it may be.
#[tokio::test]
async fn a_failed_sync_loses_no_news() {
    let house = House::with(Fsync::Delivery);
    let mut one = house.enter_inbox(4).await;
    let mut two = enter_rev2(&house).await;
    let mut three = enter_rev2(&house).await;
    two.send("u UID SEARCH RETURN (UPDATE) FLAGGED\r\n").await;
    two.until("u ").await;
    one.send(
        "a STORE 1:2 +FLAGS.SILENT (\\Deleted)\r\nb STORE 4 +FLAGS.SILENT (\\Flagged)\r\nc EXPUNGE\r\n",
    )
    .await;
    one.until("c ").await;
    let inbox = house.user.mailbox(&MailboxName::inbox()).await.unwrap();
    inbox.break_syncs();
    two.send("a NOOP\r\n").await;
    two.expect(&[
        "* 2 EXPUNGE",
        "* 1 EXPUNGE",
        &format!("* NO [NOUPDATE \"u\"] {}", reply::INTERNAL),
        "a OK NOOP completed",
    ])
    .await;
    three
        .ask("a IDLE", &["+ idling", "* 2 EXPUNGE", "* 1 EXPUNGE"])
        .await;
    inbox.mend_syncs();
    let fetch = "* 2 FETCH (UID 4 FLAGS (\\Flagged))";
    two.ask("b NOOP", &[fetch, "b OK NOOP completed"]).await;
    three.ask("DONE", &[fetch, "a OK Idle completed"]).await;
}

/// What ends with NO is neither followed nor saved, whichever of the mailboxes is to blame.
#[tokio::test]
async fn a_search_that_is_refused_is_not_followed() {
    let house = House::new();
    let mut client = house.enter_inbox(2).await;
    client.create("other").await;
    // A mailbox without directories to look into.
    let cur = house.maildir().join(".other/cur");
    std::fs::remove_dir(&cur).unwrap();
    std::fs::write(&cur, "").unwrap();
    client
        .send("u ESEARCH IN (selected mailboxes other) RETURN (UPDATE COUNT) BODY Body\r\n")
        .await;
    let lines = client.until("u ").await;
    assert!(lines[0].ends_with(" UID COUNT 2"), "{lines:?}");
    assert!(
        lines[1].starts_with("u NO [SERVERBUG] Not all"),
        "{lines:?}"
    );
    client
        .ask("v CANCELUPDATE \"u\"", &["v NO Unknown tag"])
        .await;
}
