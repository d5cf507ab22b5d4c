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
