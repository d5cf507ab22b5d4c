//! What other programs do in the same Maildir, and what sessions see of it.

use super::*;

#[tokio::test]
async fn mail_gets_uids_in_order_of_arrival_and_keeps_them() {
    let account = Account1::new();
    account.deliver("1700000002.M1P1.host");
    account.deliver("1700000001.M1P1.host");
    let inbox = account.inbox().await;
    let first: Vec<_> = inbox
        .snapshot()
        .iter()
        .map(|m| (m.uid.get(), m.name.base().to_vec()))
        .collect();
    assert_eq!(
        first,
        [
            (1, b"1700000001.M1P1.host".to_vec()),
            (2, b"1700000002.M1P1.host".to_vec())
        ]
    );
    assert_eq!(inbox.unclaimed_recent(), 2);
    let validity = inbox.snapshot().uid_validity;
    account.deliver("1600000000.M1P1.host");
    drop(inbox);

    let again = open(account.dir.path())
        .mailbox(&MailboxName::inbox())
        .await
        .unwrap();
    assert_eq!(again.snapshot().uid_validity, validity);
    let third = again
        .snapshot()
        .find(Uid::new(3).unwrap())
        .unwrap()
        .name
        .base()
        .to_vec();
    assert_eq!(third, b"1600000000.M1P1.host");
}

#[tokio::test]
async fn a_session_takes_over_new_and_examine_does_not() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    let look = inbox.select(true).await.unwrap();
    assert_eq!((look.exists(), look.recent()), (1, 1));
    assert_eq!(account.names("new"), ["1.M1P1.host"]);
    let take = inbox.select(false).await.unwrap();
    assert_eq!((take.exists(), take.recent()), (1, 1));
    assert_eq!(account.names("cur"), ["1.M1P1.host:2,"]);
    assert_eq!(inbox.select(false).await.unwrap().recent(), 0);
}

#[tokio::test]
async fn deliveries_renames_and_removals_by_others_are_told() {
    let account = Account1::new();
    let inbox = account.inbox().await;
    let mut view = inbox.select(false).await.unwrap();
    account.deliver("1.M1P1.host");
    assert_eq!(awaited(&mut view).await, ["1 EXISTS", "1 RECENT"]);
    assert_eq!(account.names("cur"), ["1.M1P1.host:2,"]);
    let cur = account.root().join("cur");
    fs::rename(cur.join("1.M1P1.host:2,"), cur.join("1.M1P1.host:2,RS")).unwrap();
    assert_eq!(awaited(&mut view).await, ["1 FETCH \\Answered \\Seen"]);
    fs::remove_file(cur.join("1.M1P1.host:2,RS")).unwrap();
    assert_eq!(awaited(&mut view).await, ["1 EXPUNGE", "0 RECENT"]);
}

#[tokio::test]
async fn a_message_renamed_to_elsewhere_is_expunged_by_two_scans() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    account.deliver("2.M1P1.host");
    let mut view = account.inbox().await.select(false).await.unwrap();
    fs::rename(
        account.root().join("cur/1.M1P1.host:2,"),
        account.dir.path().join("elsewhere"),
    )
    .unwrap();
    assert_eq!(awaited(&mut view).await, ["1 EXPUNGE", "1 RECENT"]);
}

#[tokio::test]
async fn an_unwatched_mailbox_sees_changes_when_it_is_refreshed() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    account.deliver("2.M1P1.host");
    inbox.refresh().await.unwrap();
    assert_eq!(inbox.snapshot().len(), 2);
    fs::remove_file(account.root().join("new/1.M1P1.host")).unwrap();
    inbox.refresh().await.unwrap();
    let left: Vec<u32> = inbox
        .snapshot()
        .iter()
        .map(|message| message.uid.get())
        .collect();
    assert_eq!(left, [2]);
}

#[tokio::test]
async fn a_base_name_that_comes_back_gets_a_new_uid() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let mut view = account.inbox().await.select(false).await.unwrap();
    let path = account.root().join("cur/1.M1P1.host:2,");
    let aside = account.dir.path().join("aside");
    fs::rename(&path, &aside).unwrap();
    assert_eq!(awaited(&mut view).await, ["1 EXPUNGE", "0 RECENT"]);
    fs::rename(&aside, &path).unwrap();
    assert_eq!(awaited(&mut view).await, ["1 EXISTS", "1 RECENT"]);
    assert_eq!(view.snapshot().get(0).unwrap().uid.get(), 2);
}

#[tokio::test]
async fn two_files_with_one_base_name_become_two_messages() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    let mut view = inbox.select(false).await.unwrap();
    fs::write(
        account.root().join("cur/1.M1P1.host:2,S"),
        "Subject: twin\n\n",
    )
    .unwrap();
    assert_eq!(
        awaited(&mut view).await.first().map(String::as_str),
        Some("2 EXISTS")
    );
    assert_eq!(account.names("cur").len(), 2);
    assert_eq!(
        view.snapshot().find(Uid::FIRST).unwrap().name.bytes(),
        b"1.M1P1.host:2,"
    );
}

#[tokio::test]
async fn a_lost_uidlist_is_written_again_with_the_same_uids() {
    let account = Account1::new();
    (1..=3).for_each(|n| account.deliver(&format!("{n}.M1P1.host")));
    let inbox = account.inbox().await;
    let validity = inbox.snapshot().uid_validity;
    fs::remove_file(account.root().join("dovecot-uidlist")).unwrap();
    account.deliver("4.M1P1.host");
    inbox.refresh().await.unwrap();
    let again = open(account.dir.path())
        .mailbox(&MailboxName::inbox())
        .await
        .unwrap();
    assert_eq!(again.snapshot().uid_validity, validity);
    let found: Vec<_> = again
        .snapshot()
        .iter()
        .map(|m| (m.uid.get(), m.name.base().to_vec()))
        .collect();
    assert_eq!(found.len(), 4);
    assert_eq!(found[3], (4, b"4.M1P1.host".to_vec()));
}

/// Events come a moment after what they tell of. Mail that came in the same tick of the clock as our own renames is
/// found by who asks before the event does.
#[tokio::test]
async fn mail_is_found_before_its_event_comes() {
    let account = Account1::new();
    let inbox = account.inbox().await;
    let known = {
        let mut disk = inbox.enter_queue().await.unwrap();
        inbox.watch_now(&mut disk);
        // As after own renames long ago, of which `new/` has not been listed since.
        let long_ago = std::time::SystemTime::now() - Duration::from_secs(60);
        let new = fs::File::open(account.root().join("new")).unwrap();
        new.set_modified(long_ago).unwrap();
        disk.seen = Some(disk.stamps().unwrap());
        (disk.new_listed, disk.rescan) = (None, false);
        disk.seen.unwrap()[0].modified
    };
    account.deliver("1.M1P1.host");
    let (seconds, nanos) = (u64::try_from(known.0).unwrap(), known.1);
    let known = std::time::UNIX_EPOCH + Duration::new(seconds, nanos);
    let new = fs::File::open(account.root().join("new")).unwrap();
    new.set_modified(known).unwrap();
    inbox.inbox.take();
    inbox.refresh().await.unwrap();
    assert_eq!(inbox.snapshot().len(), 1);
}
