//! REPLACE where something goes wrong half-way, and beside others.

use super::*;
use crate::mailbox::upload::Upload;

async fn uploaded(mailbox: &Mailbox, text: &str) -> Upload {
    let mut upload = mailbox.upload().unwrap();
    upload.begin(false).await.unwrap();
    upload.write(text.as_bytes().to_vec()).await.unwrap();
    upload.end(&seen(), None).await.unwrap();
    upload
}

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

/// Two messages in INBOX, which is selected, and an empty mailbox.
async fn house() -> (Account1, View, Arc<Mailbox>) {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    account.deliver("2.M1P1.host");
    let name = MailboxName::from_utf8("Sent", '.').unwrap();
    account.user.create(&name).await.unwrap();
    let sent = account.user.mailbox(&name).await.unwrap();
    let view = account.inbox().await.select(false).await.unwrap();
    (account, view, sent)
}

fn count(account: &Account1, mailbox: &str, sub: &str) -> usize {
    let path = account.root().join(mailbox).join(sub);
    fs::read_dir(path).unwrap().count()
}

#[tokio::test]
async fn a_message_for_another() {
    let (account, mut view, sent) = house().await;
    let inbox = Arc::clone(view.mailbox());
    let upload = uploaded(&inbox, "new").await;
    let (_, uids) = inbox.replace(uid(1), upload, &inbox).await.unwrap();
    assert_eq!(uids, [uid(3)]);
    let heard = told(&mut view, Expunge::Held);
    assert_eq!(heard, ["3 EXISTS", "3 RECENT"]);
    assert_eq!(told(&mut view, Expunge::Allowed), ["1 EXPUNGE", "2 RECENT"]);

    let upload = uploaded(&sent, "sent").await;
    let (_, uids) = inbox.replace(uid(2), upload, &sent).await.unwrap();
    assert_eq!(uids, [uid(1)]);
    assert_eq!(told(&mut view, Expunge::Allowed), ["1 EXPUNGE", "1 RECENT"]);
    assert_eq!(
        (count(&account, "", "cur"), count(&account, ".Sent", "cur")),
        (1, 1)
    );
}

#[tokio::test]
async fn what_is_gone_is_replaced_by_nothing() {
    let (account, mut view, sent) = house().await;
    let inbox = Arc::clone(view.mailbox());
    for target in [&inbox, &sent] {
        let upload = uploaded(target, "new").await;
        let replaced = inbox.replace(uid(9), upload, target).await;
        assert!(matches!(replaced, Err(Fault::Expunged)));
    }
    // Somebody has removed it, and nobody has noticed yet.
    fs::remove_file(account.root().join("cur/1.M1P1.host:2,")).unwrap();
    for target in [&inbox, &sent] {
        let upload = uploaded(target, "new").await;
        let replaced = inbox.replace(uid(1), upload, target).await;
        assert!(matches!(replaced, Err(Fault::Expunged)));
    }
    inbox.refresh().await.unwrap();
    assert_eq!(told(&mut view, Expunge::Allowed), ["1 EXPUNGE", "1 RECENT"]);
    for mailbox in ["", ".Sent"] {
        assert_eq!(count(&account, mailbox, "tmp"), 0);
    }
    assert_eq!(count(&account, "", "cur"), 1);
    assert_eq!(
        count(&account, ".Sent", "cur") + count(&account, ".Sent", "new"),
        0
    );
}

#[tokio::test]
async fn what_cannot_be_removed_stays_alone() {
    let (account, mut view, sent) = house().await;
    let inbox = Arc::clone(view.mailbox());
    // A directory in a message's place cannot be unlinked.
    let path = account.root().join("cur/1.M1P1.host:2,");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    for target in [&inbox, &sent] {
        let upload = uploaded(target, "new").await;
        let replaced = inbox.replace(uid(1), upload, target).await;
        assert!(replaced.is_err());
        assert_eq!(
            target
                .snapshot()
                .iter()
                .filter(|message| message.uid > uid(2))
                .count(),
            0
        );
    }
    assert!(told(&mut view, Expunge::Held).is_empty());
    assert_eq!(count(&account, "", "cur"), 2);
    assert_eq!(
        count(&account, ".Sent", "cur") + count(&account, ".Sent", "new"),
        0
    );
}

/// Renamed by another program meanwhile, it is the same message.
#[tokio::test]
async fn a_message_with_new_flags_is_found() {
    let (account, mut view, _) = house().await;
    let inbox = Arc::clone(view.mailbox());
    let cur = account.root().join("cur");
    fs::rename(cur.join("1.M1P1.host:2,"), cur.join("1.M1P1.host:2,FS")).unwrap();
    let upload = uploaded(&inbox, "new").await;
    inbox.replace(uid(1), upload, &inbox).await.unwrap();
    assert_eq!(count(&account, "", "cur"), 2);
    told(&mut view, Expunge::Allowed);
    assert_eq!(view.exists(), 2);
}

/// A disk that fails before the old message goes leaves it alone, and who waits for the same sync hears of it.
#[tokio::test]
async fn a_sync_that_fails_is_everybodys() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    inbox
        .durability()
        .note_names(crate::spool::folder::Sub::Cur);
    inbox.durability().note_failed();
    assert!(inbox.flush().await.is_err());
    inbox
        .durability()
        .note_names(crate::spool::folder::Sub::Cur);
    inbox.flush().await.unwrap();
    assert!(inbox.durability().has_doubt());
}

/// "both or neither": what has been replaced is not refused afterwards.
#[tokio::test]
async fn a_sync_that_fails_afterwards_is_no_refusal() {
    let (account, mut view, sent) = house().await;
    let inbox = Arc::clone(view.mailbox());
    let upload = uploaded(&sent, "sent").await;
    inbox.note_unsyncable(uid(2));
    let (_, uids) = inbox.replace(uid(1), upload, &sent).await.unwrap();
    assert_eq!(uids, [uid(1)]);
    assert_eq!(told(&mut view, Expunge::Allowed), ["1 EXPUNGE", "1 RECENT"]);
    assert_eq!(count(&account, ".Sent", "cur"), 1);
}

#[tokio::test]
async fn what_was_synced_in_a_turn_is_not_synced_again() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    inbox.note_unsyncable(uid(7));
    inbox.durability().note_synced(&[], Some(uid(6)));
    assert!(!inbox.durability().is_safe(uid(6)));
    inbox.durability().note_synced(&[], Some(uid(7)));
    assert!(inbox.durability().is_safe(uid(7)));
    inbox.flush().await.unwrap();
}

#[tokio::test]
async fn it_is_known_which_of_two_mailboxes_ended() {
    let (account, _view, sent) = house().await;
    let inbox = account.inbox().await;
    let upload = uploaded(&inbox, "new").await;
    fs::remove_dir_all(account.root().join(".Sent")).unwrap();
    let replaced = sent.replace(uid(1), upload, &inbox).await;
    assert!(matches!(replaced, Err(Fault::Ended)), "{replaced:?}");
    assert!(sent.has_ended() && !inbox.has_ended());
}
