//! A mod-sequence is told only if whoever comes later gives a higher one: without the lock, without room, without
//! rights, with files of others, and with a clock that was set back.

use super::history::{expunge, five, modseqs};
use super::*;
use crate::imap::sequence::ModSeq;

impl Account1 {
    /// Dovecot's lock, as another program holds it.
    pub(super) fn lock(&self) -> PathBuf {
        let lock = self.root().join("dovecot-uidlist.lock");
        fs::write(&lock, "foreign").unwrap();
        lock
    }

    /// As another program changes flags.
    fn flag(&self, number: u32, from: &str, to: &str) {
        let cur = self.root().join("cur");
        let name = |flags| cur.join(format!("{number}.M1P1.host:2,{flags}"));
        fs::rename(name(from), name(to)).unwrap();
    }
}

fn told(inbox: &Arc<Mailbox>) -> Option<ModSeq> {
    let snapshot = inbox.snapshot();
    snapshot.keeps_modseqs().then_some(snapshot.modseq)
}

async fn toggle(inbox: &Arc<Mailbox>, number: u32, on: bool) {
    let action = if on {
        StoreAction::Add
    } else {
        StoreAction::Remove
    };
    inbox
        .store(&uids(&[number]), action, &seen())
        .await
        .unwrap();
}

#[tokio::test]
async fn without_lock_and_files_nothing_is_told() {
    let (account, inbox) = five().await;
    let before = told(&inbox).unwrap();
    drop(inbox);
    account.remove_index();
    let lock = account.lock();
    let one = account.reopened().await;
    assert_eq!(told(&one), None);
    assert!(!one.select(true).await.unwrap().with_modseqs());
    account.flag(1, "", "F");
    one.refresh().await.unwrap();
    let two = account.reopened().await;
    account.flag(2, "", "F");
    two.refresh().await.unwrap();
    assert_eq!([told(&one), told(&two)], [None; 2]);
    let flags = two.snapshot().find(Uid::new(2).unwrap()).unwrap().flags;
    assert!(flags.has(SystemFlag::Flagged), "it is shown all the same");
    fs::remove_file(lock).unwrap();
    // The files are made anew when nothing happens in the directories.
    toggle(&two, 3, true).await;
    let now = told(&two).unwrap();
    assert!(modseqs(&two.snapshot()).values().all(|one| *one > before));
    assert!(account.floor() > now.0);
    toggle(&one, 4, true).await;
    assert!(told(&one).unwrap() > now);
    two.refresh().await.unwrap();
    assert_eq!(modseqs(&one.snapshot()), modseqs(&two.snapshot()));
}

#[tokio::test]
async fn what_changes_without_the_lock_gets_its_modseq_with_it() {
    let (account, one) = five().await;
    let mut view = one.select(false).await.unwrap();
    assert!(view.with_modseqs());
    let left = told(&one).unwrap();
    let other = account.reopened().await;
    let lock = account.lock();
    for (from, to) in [("", "F"), ("F", ""), ("", "S")] {
        account.flag(1, from, to);
        one.refresh().await.unwrap();
        assert_eq!(told(&one), None);
        assert_eq!(one.snapshot().modseq, left);
    }
    view.sync(Expunge::Allowed).unwrap();
    assert!(!view.tells_modseqs());
    assert_eq!(
        (view.settle_modseq(true), view.highest_modseq()),
        (None, left)
    );
    fs::remove_file(lock).unwrap();
    expunge(&other, &[2]).await;
    for _ in 0..3 {
        toggle(&other, 3, true).await;
        toggle(&other, 3, false).await;
    }
    one.refresh().await.unwrap();
    one.refresh().await.unwrap();
    assert_eq!(one.vanished(left, None), uids(&[2]));
    let now = told(&one).unwrap();
    assert!(modseqs(&one.snapshot())[&1] > left);
    view.sync(Expunge::Allowed).unwrap();
    assert!(view.tells_modseqs());
    assert_eq!(
        (view.settle_modseq(true), view.highest_modseq()),
        (None, now)
    );
    other.refresh().await.unwrap();
    assert_eq!(modseqs(&one.snapshot()), modseqs(&other.snapshot()));
    assert_eq!(other.vanished(left, None), uids(&[2]));
}

#[tokio::test]
async fn what_vanished_is_judged_by_its_own_modseq() {
    let (account, one) = five().await;
    let left = told(&one).unwrap();
    let other = account.reopened().await;
    expunge(&other, &[2]).await;
    // So many changes that the log is written anew: all that was in it is heard from the index.
    let many = uids(&[1, 3, 4, 5]);
    let index = || fs::metadata(account.root().join("culver.index")).unwrap();
    let before = std::os::unix::fs::MetadataExt::ino(&index());
    let mut on = false;
    while std::os::unix::fs::MetadataExt::ino(&index()) == before {
        on = !on;
        let action = if on {
            StoreAction::Add
        } else {
            StoreAction::Remove
        };
        other.store(&many, action, &seen()).await.unwrap();
    }
    expunge(&other, &[4]).await;
    // One has something to say of its own, too.
    account.flag(5, if on { "S" } else { "" }, "F");
    one.refresh().await.unwrap();
    one.refresh().await.unwrap();
    other.refresh().await.unwrap();
    other.refresh().await.unwrap();
    for inbox in [&one, &other, &account.reopened().await] {
        assert_eq!(inbox.vanished(left, None), uids(&[2, 4]));
        assert_eq!(modseqs(&inbox.snapshot()), modseqs(&one.snapshot()));
        assert_eq!(told(inbox), told(&one));
    }
    let gone = one.snapshot().vanished(left, None);
    assert_eq!(gone, uids(&[2, 4]));
}

#[tokio::test]
async fn lost_while_two_have_it_open_nobody_misses_what_the_other_told() {
    let (account, one) = five().await;
    let other = account.reopened().await;
    // A client of the other one hears this, and that it is undone it does not.
    toggle(&other, 3, true).await;
    let left = told(&other).unwrap();
    toggle(&other, 3, false).await;
    account.remove_index();
    toggle(&one, 1, true).await;
    let now = told(&one).unwrap();
    assert!(now > left);
    assert!(modseqs(&one.snapshot())[&3] > left);
    toggle(&other, 4, true).await;
    assert!(told(&other).unwrap() > now);
    one.refresh().await.unwrap();
    assert_eq!(modseqs(&one.snapshot()), modseqs(&other.snapshot()));
}

#[tokio::test]
async fn where_nothing_can_be_kept_the_mail_goes_on() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    fs::create_dir_all(account.root().join("culver.index/full")).unwrap();
    let inbox = account.inbox().await;
    assert_eq!(told(&inbox), None);
    let floor = account.floor();
    for on in [true, false, true] {
        toggle(&inbox, 1, on).await;
        assert_eq!(told(&inbox), None);
    }
    assert_eq!(account.floor(), floor, "it is not used up");
    fs::remove_dir_all(account.root().join("culver.index")).unwrap();
    toggle(&inbox, 1, false).await;
    let now = told(&inbox).unwrap();
    assert!(now.0 >= floor && account.floor() > now.0);
    let last = account.reopened().await;
    assert_eq!(modseqs(&last.snapshot()), modseqs(&inbox.snapshot()));
    assert_eq!(told(&last), Some(now));
}

#[tokio::test]
async fn a_clock_set_back_while_it_runs_makes_no_modseq_fall() {
    let (account, inbox) = five().await;
    let mut last = told(&inbox).unwrap();
    for days in [0, 1, 400, 40_000] {
        inbox.disk.lock().await.given.clock_back = days * 86_400 * 1_000_000;
        for on in [true, false] {
            toggle(&inbox, 1, on).await;
            let now = told(&inbox).unwrap();
            assert!(now > last && now.0 < account.floor());
            last = now;
        }
        account.remove_index();
        toggle(&inbox, 2, days == 1).await;
        let now = told(&inbox).unwrap();
        assert!(modseqs(&inbox.snapshot()).values().all(|one| *one > last));
        last = now;
    }
}

#[tokio::test]
async fn where_no_modseq_is_left_none_is_given_twice() {
    let (account, inbox) = five().await;
    drop(inbox);
    account.set_floor((1 << 53) - 1);
    account.remove_index();
    let inbox = account.reopened().await;
    assert_eq!(told(&inbox), None);
    toggle(&inbox, 1, true).await;
    assert_eq!(told(&inbox), None);
    // With files that are believed it goes on below the floor.
    let (account, inbox) = five().await;
    let before = told(&inbox).unwrap();
    drop(inbox);
    account.set_floor((1 << 53) - 1);
    let inbox = account.reopened().await;
    assert_eq!(told(&inbox), Some(before));
    toggle(&inbox, 1, true).await;
    assert!(told(&inbox).unwrap() > before);
}

#[tokio::test]
async fn a_named_modseq_that_was_never_given_means_from_the_beginning() {
    let (_account, inbox) = five().await;
    let now = inbox.snapshot();
    assert_eq!(now.since(now.modseq), now.modseq);
    assert_eq!(now.since(ModSeq(now.modseq.0 + 1)), ModSeq(0));
    expunge(&inbox, &[2]).await;
    let gone = inbox.vanished(ModSeq(u64::MAX), None);
    assert_eq!(gone, uids(&[2]));
}

/// What others have noted of a message that is not in the picture yet is written with all else.
#[tokio::test]
async fn what_was_heard_of_is_not_forgotten_when_the_files_are_written() {
    let (account, inbox) = five().await;
    drop(inbox);
    // Nobody has it selected, so no event shows the message before its time.
    let one = account.reopened().await;
    let other = account.reopened().await;
    account.deliver("6.M1P1.host");
    other.refresh().await.unwrap();
    let noted = modseqs(&other.snapshot())[&6];
    let writes_anew = |turn: &mut crate::mailbox::turn::Turn<'_>| {
        assert!(turn.draft.find(Uid::new(6).unwrap()).is_none());
        assert!(turn.disk.given.heard.contains_key(&Uid::new(6).unwrap()));
        turn.disk.given.index = None;
        Ok(())
    };
    one.change(writes_anew).await.unwrap();
    let third = account.reopened().await;
    assert_eq!(modseqs(&third.snapshot())[&6], noted);
}

/// A second mailbox that cannot begin does not keep what the first has heard from being published.
#[tokio::test]
async fn half_a_pair_leaves_no_ghost() {
    let (account, one) = five().await;
    let name = account.user.name(b"t", false).unwrap();
    account.user.create(&name).await.unwrap();
    let target = account.user.mailbox(&name).await.unwrap();
    let other = account.reopened().await;
    expunge(&other, &[1]).await;
    // Another UIDVALIDITY in the target.
    let list = account.root().join(".t/dovecot-uidlist");
    let text = fs::read_to_string(&list).unwrap();
    let validity = text
        .split(' ')
        .find(|field| field.starts_with('V'))
        .unwrap();
    fs::write(
        account.root().join(".t/x"),
        text.replacen(validity, "V77", 1),
    )
    .unwrap();
    fs::rename(account.root().join(".t/x"), &list).unwrap();
    assert!(matches!(
        one.move_to(&uids(&[5]), &target).await,
        Err(Fault::Ended)
    ));
    assert!(target.has_ended());
    let here: Vec<u32> = one
        .snapshot()
        .iter()
        .map(|message| message.uid.get())
        .collect();
    assert_eq!(here, [2, 3, 4, 5]);
    one.refresh().await.unwrap();
    assert_eq!(told(&one), told(&other));
}

/// A file of a remembered message that no scan has shown is not gone by the word of one look.
#[tokio::test]
async fn what_the_first_look_missed_is_in_doubt() {
    let (account, inbox) = five().await;
    let before = inbox.snapshot();
    drop(inbox);
    let user = open(account.dir.path());
    let cur = account.root().join("cur");
    // One file is away at each scan, for a directory that changes is scanned while somebody renames in it.
    let away = account.root().join("away");
    fs::rename(cur.join("3.M1P1.host:2,"), &away).unwrap();
    let busy = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let renaming = std::thread::spawn({
        let (busy, cur) = (Arc::clone(&busy), cur.clone());
        move || {
            let names = [cur.join("1.M1P1.host:2,"), cur.join("1.M1P1.host:2,F")];
            let mut at = 0;
            while busy.load(std::sync::atomic::Ordering::Relaxed) || at == 1 {
                fs::rename(&names[at], &names[1 - at]).unwrap();
                at = 1 - at;
            }
        }
    });
    let inbox = user.mailbox(&MailboxName::inbox()).await.unwrap();
    let first = inbox.snapshot();
    busy.store(false, std::sync::atomic::Ordering::Relaxed);
    renaming.join().unwrap();
    fs::rename(&away, cur.join("3.M1P1.host:2,")).unwrap();
    // Where the scans were quiet all the same, it was gone for all to see.
    if first.find(Uid::new(3).unwrap()).is_some() {
        inbox.refresh().await.unwrap();
        let now = inbox.snapshot();
        assert_eq!(
            now.find(Uid::new(3).unwrap()).unwrap().modseq,
            before.find(Uid::new(3).unwrap()).unwrap().modseq
        );
        assert!(inbox.vanished(before.modseq, None).is_empty());
    }
}

/// Closed is what nobody uses, and what is calm; so there is little left to do when the server stops.
#[tokio::test(start_paused = true)]
async fn what_rests_is_closed() {
    let (account, inbox) = five().await;
    let log = || {
        let log = fs::metadata(account.root().join("culver.log"));
        log.unwrap().len()
    };
    toggle(&inbox, 1, true).await;
    let before = log();
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(log(), before, "somebody has it open");
    tokio::time::sleep(Duration::from_secs(240)).await;
    assert_eq!(log(), before + 28, "but nothing happens in it");
    toggle(&inbox, 1, false).await;
    let before = log();
    drop(inbox);
    tokio::time::sleep(Duration::from_secs(35)).await;
    assert_eq!(log(), before + 28, "nobody has it open");
    assert!(account.inbox().await.snapshot().keeps_modseqs());
}

/// The first look could not read the files, a later one can: what went while nobody looked is told all the same.
#[tokio::test]
async fn what_went_is_told_when_the_files_can_be_read_later() {
    let (account, inbox) = five().await;
    let left = told(&inbox).unwrap();
    drop(inbox);
    fs::remove_file(account.root().join("cur/3.M1P1.host:2,")).unwrap();
    let (log, away) = ["culver.log", "away"]
        .map(|name| account.root().join(name))
        .into();
    fs::rename(&log, &away).unwrap();
    // Nobody can open it, and it may be all right.
    let socket = std::os::unix::net::UnixListener::bind(&log).unwrap();
    let inbox = account.reopened().await;
    assert_eq!(told(&inbox), None);
    drop(socket);
    fs::rename(&away, &log).unwrap();
    inbox.refresh().await.unwrap();
    toggle(&inbox, 1, true).await;
    assert!(told(&inbox).unwrap() > left);
    assert_eq!(inbox.vanished(left, None), uids(&[3]));
    let last = account.reopened().await;
    assert_eq!(last.vanished(left, None), uids(&[3]));
    assert_eq!(modseqs(&last.snapshot()), modseqs(&inbox.snapshot()));
}

/// What another process has told may be above all that is known here, even where the directories tell nothing.
#[tokio::test]
async fn who_cannot_hear_what_others_gave_tells_nothing() {
    let (account, one) = five().await;
    let other = account.reopened().await;
    toggle(&one, 1, true).await;
    toggle(&one, 1, false).await;
    let left = told(&one).unwrap();
    let lock = account.lock();
    other.refresh().await.unwrap();
    assert_eq!(told(&other), None);
    fs::remove_file(lock).unwrap();
    other.refresh().await.unwrap();
    assert_eq!(told(&other), Some(left));
}

/// A client that was shown more than it has heard of is told so, even if nothing is kept at the time.
#[tokio::test]
async fn what_a_client_was_shown_is_not_forgotten_while_nothing_is_kept() {
    let (account, one) = five().await;
    let mut view = one.select(false).await.unwrap();
    assert!(view.with_modseqs());
    let left = view.highest_modseq();
    expunge(&one, &[2]).await;
    toggle(&one, 3, true).await;
    // It is shown what came after the expunge, and may not hear of that one.
    view.sync(Expunge::Held).unwrap();
    let lock = account.lock();
    account.flag(1, "", "F");
    one.refresh().await.unwrap();
    view.sync(Expunge::Held).unwrap();
    assert!(view.awaits_modseqs());
    assert_eq!(view.settle_modseq(true), Some(left));
    assert_eq!(view.settle_modseq(true), None, "it has been told");
    // With nothing held back it has heard of all that it was shown.
    view.sync(Expunge::Allowed).unwrap();
    assert_eq!(
        (view.settle_modseq(true), view.highest_modseq()),
        (None, left)
    );
    fs::remove_file(lock).unwrap();
    one.refresh().await.unwrap();
    toggle(&one, 4, true).await;
    view.sync(Expunge::Allowed).unwrap();
    view.settle_modseq(true);
    assert_eq!(view.highest_modseq(), told(&one).unwrap());
}
