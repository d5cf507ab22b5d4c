//! What goes wrong half-way: calls that fail, futures that are dropped, others who act in between.

use std::future::Future;
use std::os::unix::fs::MetadataExt;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::SystemTime;

use super::*;
use crate::mailbox::watch::{Ear, Inbox, Kind};
use crate::spool::folder::Sub;

impl Mailbox {
    /// No UID is safe from now on, and every sync of the uidlist fails.
    pub(crate) fn break_syncs(&self) {
        fs::create_dir_all(self.folder().path().join("dovecot-uidlist.tmp/full")).unwrap();
        self.note_unsyncable(self.snapshot().iter().last().unwrap().uid);
        self.durability().forget_safe();
    }

    /// The next look makes all safe again.
    pub(crate) fn mend_syncs(&self) {
        fs::remove_dir_all(self.folder().path().join("dovecot-uidlist.tmp")).unwrap();
    }

    /// A pipe cannot be synced: who waits for this UID hears that it is not safe.
    pub(super) fn note_unsyncable(&self, last: Uid) {
        let (_reader, writer) = std::io::pipe().unwrap();
        let pipe = fs::File::from(std::os::fd::OwnedFd::from(writer));
        self.durability().note_uids(pipe, last);
    }
}

/// Polls a future once and drops it, as when a client goes away.
fn begun_and_dropped(future: impl Future) {
    let _ = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
}

/// Makes every attempt to write the uidlist anew fail.
fn forbid_rewriting(account: &Account1) {
    fs::create_dir_all(account.root().join("dovecot-uidlist.tmp/full")).unwrap();
}

fn allow_rewriting(account: &Account1) {
    fs::remove_dir_all(account.root().join("dovecot-uidlist.tmp")).unwrap();
}

/// Takes the lock as a living process of this host does.
fn lock_from_outside(account: &Account1) -> PathBuf {
    let lock = account.root().join("dovecot-uidlist.lock");
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    fs::write(&lock, format!("1:{}", host.trim())).unwrap();
    lock
}

/// The uidlist, without the times at which messages came.
fn uidlist(account: &Account1) -> String {
    let text = fs::read_to_string(account.root().join("dovecot-uidlist")).unwrap();
    let is_time = |word: &&str| {
        word.strip_prefix('D')
            .is_some_and(|time| time.parse::<u32>().is_ok())
    };
    let words = |line: &str| {
        line.split(' ')
            .filter(|word| !is_time(word))
            .collect::<Vec<_>>()
            .join(" ")
            + "\n"
    };
    text.lines().map(words).collect()
}

/// Replaces the uidlist as Dovecot does.
fn replace_uidlist(account: &Account1, text: &str) {
    let draft = account.root().join("dovecot-uidlist.other");
    fs::write(&draft, text).unwrap();
    fs::rename(draft, account.root().join("dovecot-uidlist")).unwrap();
}

fn bases(mailbox: &Mailbox) -> Vec<(u32, String)> {
    let base = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    mailbox
        .snapshot()
        .iter()
        .map(|m| (m.uid.get(), base(m.name.base())))
        .collect()
}

#[tokio::test]
async fn a_flush_that_nobody_waits_for_any_more_still_counts() {
    let account = Account1::new();
    let inbox = account.inbox().await;
    inbox.note_unsyncable(Uid::new(7).unwrap());
    begun_and_dropped(inbox.flush());
    assert!(inbox.flush().await.is_err());
    assert!(inbox.durable(Uid::new(7).unwrap()).await.is_err());
}

#[tokio::test]
async fn a_failed_sync_is_mended_by_a_new_uidlist_at_the_next_look() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    inbox.refresh().await.unwrap();
    let before = fs::metadata(account.root().join("dovecot-uidlist")).unwrap();
    inbox.note_unsyncable(Uid::new(1).unwrap());
    assert!(inbox.flush().await.is_err());
    forbid_rewriting(&account);
    inbox.refresh().await.unwrap();
    allow_rewriting(&account);
    inbox.refresh().await.unwrap();
    let after = fs::metadata(account.root().join("dovecot-uidlist")).unwrap();
    assert_ne!(before.ino(), after.ino());
}

#[tokio::test]
async fn a_rename_by_link_and_unlink_is_no_expunge() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let mut view = account.inbox().await.select(false).await.unwrap();
    let (old, new) = (
        account.root().join("cur/1.M1P1.host:2,"),
        account.root().join("cur/1.M1P1.host:2,S"),
    );
    fs::hard_link(&old, &new).unwrap();
    let inbox = Arc::clone(view.mailbox());
    inbox.refresh().await.unwrap();
    assert!(told(&mut view, Expunge::Allowed).is_empty());
    fs::remove_file(&old).unwrap();
    assert_eq!(awaited(&mut view).await, ["1 FETCH \\Seen"]);
}

/// The events of a second such rename are still on their way when the first one's are looked at: the file has neither of the
/// names that they tell.
#[tokio::test]
async fn of_two_renames_by_link_and_unlink_one_has_been_told() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let mut view = account.inbox().await.select(false).await.unwrap();
    let path = |name: &str| account.root().join("cur").join(name);
    let [first, third] = [path("1.M1P1.host:2,"), path("1.M1P1.host:2,RS")];
    let told_so_far = Inbox::default();
    for (name, kind) in [
        ("1.M1P1.host:2,S", Kind::Appeared),
        ("1.M1P1.host:2,", Kind::Deleted),
    ] {
        told_so_far.hear(Sub::Cur, name.as_bytes(), kind);
    }
    let inbox = Arc::clone(view.mailbox());
    inbox
        .change(move |turn| {
            fs::hard_link(&first, &third).unwrap();
            fs::remove_file(&first).unwrap();
            turn.look(&told_so_far, false)
        })
        .await
        .unwrap();
    assert_eq!(awaited(&mut view).await, ["1 FETCH \\Answered \\Seen"]);
}

#[tokio::test]
async fn a_mailbox_that_ended_during_a_turn_stays_ended() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    let of = Arc::clone(&inbox);
    inbox
        .change(move |_| {
            of.end();
            Ok(())
        })
        .await
        .unwrap();
    assert!(matches!(inbox.refresh().await, Err(Fault::Ended)));
}

#[tokio::test]
async fn a_panic_in_a_turn_ends_the_mailbox_and_not_the_account() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    let panicked: Result<(), Fault> = inbox.change(|_| panic!("on purpose")).await;
    assert!(panicked.is_err());
    assert!(matches!(inbox.refresh().await, Err(Fault::Ended)));
    assert_eq!(account.inbox().await.snapshot().len(), 1);
}

#[tokio::test]
async fn what_others_do_during_a_turn_is_seen_after_it() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    let new = account.root().join("new");
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    let set_back = move || {
        let dir = fs::File::open(&new).unwrap();
        dir.set_modified(long_ago).unwrap();
        fs::write(new.join("2.M1P1.host"), "x: y\n\n").unwrap();
        // A long turn: what was done early in it has an old time at its end.
        dir.set_modified(long_ago + Duration::from_secs(1)).unwrap();
    };
    let settled = fs::File::open(account.root().join("new")).unwrap();
    settled.set_modified(long_ago).unwrap();
    let cur = fs::File::open(account.root().join("cur")).unwrap();
    cur.set_modified(long_ago).unwrap();
    inbox.refresh().await.unwrap();
    inbox
        .change(move |turn| {
            set_back();
            turn.note_moved(Sub::Cur, Sub::Cur);
            Ok(())
        })
        .await
        .unwrap();
    inbox.refresh().await.unwrap();
    assert_eq!(inbox.snapshot().len(), 2);
}

#[tokio::test]
async fn uids_never_go_back_when_the_uidlist_is_replaced_by_an_older_one() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    let old = uidlist(&account);
    // Dovecot numbers mail that is gone before we look.
    let line = "50 :9.M9P9.host\n";
    fs::write(account.root().join("dovecot-uidlist"), old.clone() + line).unwrap();
    inbox.change(|_| Ok(())).await.unwrap();
    replace_uidlist(&account, &old);
    account.deliver("2.M1P1.host");
    inbox.refresh().await.unwrap();
    assert_eq!(bases(&inbox)[1], (51, "2.M1P1.host".into()));
}

#[tokio::test]
async fn a_message_that_another_server_numbered_anew_gets_its_number() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    account.deliver("2.M1P1.host");
    let inbox = account.inbox().await;
    let text = uidlist(&account).replace("2 :2.M1P1.host", "7 :2.M1P1.host");
    replace_uidlist(&account, &text);
    account.deliver("3.M1P1.host");
    inbox.refresh().await.unwrap();
    let expected = [(1, "1.M1P1.host"), (7, "2.M1P1.host"), (8, "3.M1P1.host")];
    assert_eq!(
        bases(&inbox),
        expected.map(|(uid, base)| (uid, base.into()))
    );
    let again = open(account.dir.path());
    let again = again.mailbox(&MailboxName::inbox()).await.unwrap();
    assert_eq!(bases(&again), bases(&inbox));
}

#[tokio::test]
async fn a_replaced_uidlist_that_lacks_a_message_gets_it_back() {
    let account = Account1::new();
    (1..=3).for_each(|n| account.deliver(&format!("{n}.M1P1.host")));
    let inbox = account.inbox().await;
    let text = uidlist(&account).replace("2 :2.M1P1.host\n", "");
    replace_uidlist(&account, &text);
    inbox.change(|_| Ok(())).await.unwrap();
    assert!(uidlist(&account).contains("\n2 :2.M1P1.host\n"));
}

#[tokio::test]
async fn a_full_disk_does_not_keep_anybody_from_reading_or_expunging() {
    let account = Account1::new();
    (1..=600).for_each(|n| account.deliver(&format!("{n}.M1P1.host")));
    let inbox = account.inbox().await;
    let view = inbox.select(false).await.unwrap();
    let all = NumberSet::from_ranges([(1, 600)]);
    inbox
        .store(&all, StoreAction::Add, &deleted())
        .await
        .unwrap();
    // So many dead records ask for a new file.
    forbid_rewriting(&account);
    assert_eq!(inbox.expunge(None).await.unwrap(), all);
    drop(view);
}

#[tokio::test]
async fn a_uidlist_that_cannot_be_rewritten_leaves_known_messages_readable() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    fs::write(
        account.root().join("dovecot-uidlist"),
        "1 1234567890 11\n10 1.M1P1.host\n",
    )
    .unwrap();
    account.deliver("2.M1P1.host");
    forbid_rewriting(&account);
    let inbox = account.inbox().await;
    let view = inbox.select(false).await.unwrap();
    assert_eq!(view.exists(), 1);
    allow_rewriting(&account);
    inbox.refresh().await.unwrap();
    let expected = [(10, "1.M1P1.host"), (11, "2.M1P1.host")];
    assert_eq!(
        bases(&inbox),
        expected.map(|(uid, base)| (uid, base.into()))
    );
    assert!(uidlist(&account).starts_with("3 V1234567890 "));
}

#[tokio::test]
async fn compaction_keeps_the_records_of_mail_not_shown_yet() {
    let account = Account1::new();
    (1..=600).for_each(|n| account.deliver(&format!("{n}.M1P1.host")));
    let inbox = account.inbox().await;
    let all = NumberSet::from_ranges([(1, 600)]);
    inbox
        .store(&all, StoreAction::Add, &deleted())
        .await
        .unwrap();
    account.deliver("x.M1P1.host");
    let text = uidlist(&account) + "700 :x.M1P1.host\n";
    fs::write(account.root().join("dovecot-uidlist"), text).unwrap();
    inbox.expunge(None).await.unwrap();
    assert_eq!(uidlist(&account).lines().count(), 2);
    inbox.refresh().await.unwrap();
    assert_eq!(bases(&inbox), [(700, "x.M1P1.host".into())]);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_lock_holds_up_changes_and_nobody_else() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    inbox.refresh().await.unwrap();
    let lock = lock_from_outside(&account);
    account.deliver("2.M1P1.host");
    let since = tokio::time::Instant::now();
    let one = uids(&[1]);
    let seen = seen();
    let mut store = Box::pin(inbox.store(&one, StoreAction::Add, &seen));
    tokio::select! {
        biased;
        _ = &mut store => panic!("the lock was not honoured"),
        looked = inbox.refresh() => looked.unwrap(),
    }
    assert!(since.elapsed() < Duration::from_secs(5));
    assert_eq!(inbox.snapshot().len(), 1);
    fs::remove_file(lock).unwrap();
    store.await.unwrap();
    inbox.refresh().await.unwrap();
    assert_eq!(inbox.snapshot().len(), 2);
}

#[tokio::test]
async fn keywords_heard_by_a_turn_that_failed_are_shown_by_the_next() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let name = MailboxName::from_utf8("Work", '.').unwrap();
    account.user.create(&name).await.unwrap();
    let inbox = account.inbox().await;
    let work = account.user.mailbox(&name).await.unwrap();
    fs::write(account.root().join("dovecot-keywords"), "0 Other\n").unwrap();
    // The target turns out to be another mailbox, after the source was heard.
    let list = account.root().join(".Work/dovecot-uidlist");
    let anew = account.dir.path().join("anew");
    fs::write(&anew, "3 V77 N1 G00000000000000000000000000000001\n").unwrap();
    fs::rename(&anew, &list).unwrap();
    assert!(inbox.move_to(&uids(&[1]), &work).await.is_err());
    inbox.change(|_| Ok(())).await.unwrap();
    assert_eq!(inbox.snapshot().keywords.all().count(), 1);
}

#[tokio::test]
async fn a_replaced_directory_is_watched_in_its_turn() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let mut view = account.inbox().await.select(false).await.unwrap();
    let cur = account.root().join("cur");
    fs::rename(&cur, account.root().join("cur.old")).unwrap();
    fs::create_dir(&cur).unwrap();
    fs::rename(
        account.root().join("cur.old/1.M1P1.host:2,"),
        cur.join("1.M1P1.host:2,"),
    )
    .unwrap();
    let inbox = Arc::clone(view.mailbox());
    inbox.refresh().await.unwrap();
    assert!(told(&mut view, Expunge::Allowed).is_empty());
    fs::rename(cur.join("1.M1P1.host:2,"), cur.join("1.M1P1.host:2,S")).unwrap();
    assert_eq!(awaited(&mut view).await, ["1 FETCH \\Seen"]);
}

#[tokio::test]
async fn a_name_in_the_way_stops_neither_store_nor_taking_over() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    let mut view = inbox.select(false).await.unwrap();
    let cur = account.root().join("cur");
    // Somebody was stopped between link and unlink.
    fs::hard_link(cur.join("1.M1P1.host:2,"), cur.join("1.M1P1.host:2,S")).unwrap();
    inbox
        .store(&uids(&[1]), StoreAction::Add, &seen())
        .await
        .unwrap();
    assert_eq!(account.names("cur"), ["1.M1P1.host:2,S"]);
    told(&mut view, Expunge::Allowed);

    fs::hard_link(
        cur.join("1.M1P1.host:2,S"),
        account.root().join("new/1.M1P1.host:2,S"),
    )
    .unwrap();
    fs::rename(cur.join("1.M1P1.host:2,S"), cur.join("1.M1P1.host:2,ST")).unwrap();
    // A file of two names is looked at twice, and the second look comes by itself.
    assert_eq!(awaited(&mut view).await, ["1 FETCH \\Deleted \\Seen"]);
    inbox.expunge(None).await.unwrap();
    inbox.refresh().await.unwrap();
    assert_eq!(inbox.snapshot().len(), 0);
    assert!(account.names("new").is_empty());
}
