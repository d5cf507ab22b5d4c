//! Mod-sequences and vanished UIDs over restarts, lost files, other programs and other processes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::imap::sequence::ModSeq;
use crate::mailbox::snapshot::Snapshot;

/// UIDs and their mod-sequences.
pub(super) fn modseqs(snapshot: &Snapshot) -> BTreeMap<u32, ModSeq> {
    let of = |message: &Arc<crate::mailbox::snapshot::Message>| (message.uid.get(), message.modseq);
    snapshot.iter().map(of).collect()
}

impl Account1 {
    /// The inbox as a process finds it that starts now.
    pub(super) async fn reopened(&self) -> Arc<Mailbox> {
        let user = open(self.dir.path());
        user.mailbox(&MailboxName::inbox()).await.unwrap()
    }

    pub(super) fn remove_index(&self) {
        for name in ["culver.index", "culver.log"] {
            fs::remove_file(self.root().join(name)).unwrap();
        }
    }

    /// The floor that the uidlist tells.
    pub(super) fn floor(&self) -> u64 {
        let text = fs::read_to_string(self.root().join("dovecot-uidlist")).unwrap();
        let header = text.lines().next().unwrap();
        let field = header.split(' ').find_map(|field| field.strip_prefix('M'));
        field.expect("a floor").parse().unwrap()
    }

    pub(super) fn set_floor(&self, floor: u64) {
        let path = self.root().join("dovecot-uidlist");
        let text = fs::read_to_string(&path).unwrap();
        let now = self.floor();
        fs::write(
            path,
            text.replacen(&format!(" M{now}"), &format!(" M{floor}"), 1),
        )
        .unwrap();
    }
}

/// Five messages.
pub(super) async fn five() -> (Account1, Arc<Mailbox>) {
    let account = Account1::new();
    (1..=5).for_each(|n| account.deliver(&format!("{n}.M1P1.host")));
    let inbox = account.inbox().await;
    inbox.select(false).await.unwrap();
    (account, inbox)
}

pub(super) async fn expunge(inbox: &Arc<Mailbox>, numbers: &[u32]) {
    let uids = uids(numbers);
    inbox
        .store(&uids, StoreAction::Add, &deleted())
        .await
        .unwrap();
    assert_eq!(inbox.expunge(Some(&uids)).await.unwrap(), uids);
}

#[tokio::test]
async fn who_starts_anew_finds_the_same_modseqs() {
    let (account, inbox) = five().await;
    let begin = inbox.snapshot().modseq;
    inbox
        .store(&uids(&[2]), StoreAction::Add, &seen())
        .await
        .unwrap();
    let stored = inbox.snapshot().modseq;
    assert!(stored > begin);
    assert_eq!(modseqs(&inbox.snapshot())[&2], stored);
    assert!(modseqs(&inbox.snapshot())[&1] <= begin);
    expunge(&inbox, &[3, 4]).await;
    let before = inbox.snapshot();
    let after = account.reopened().await;
    let now = after.snapshot();
    assert_eq!(modseqs(&now), modseqs(&before));
    assert_eq!(now.modseq, before.modseq);
    for inbox in [&inbox, &after] {
        assert_eq!(inbox.vanished(stored, None), uids(&[3, 4]));
        assert_eq!(inbox.vanished(now.modseq, None), uids(&[]));
        let one = SequenceSet::new(vec![(Bound::Number(4.try_into().unwrap()), Bound::Last)]);
        assert_eq!(inbox.vanished(stored, one.as_ref()), uids(&[4]));
    }
}

#[tokio::test]
async fn what_others_did_while_nobody_looked_gets_modseqs() {
    let (account, inbox) = five().await;
    let before = inbox.snapshot();
    drop(inbox);
    let cur = account.root().join("cur");
    fs::rename(cur.join("2.M1P1.host:2,"), cur.join("2.M1P1.host:2,F")).unwrap();
    fs::remove_file(cur.join("4.M1P1.host:2,")).unwrap();
    account.deliver("6.M1P1.host");
    let after = account.reopened().await;
    let now = after.snapshot();
    assert!(now.modseq > before.modseq);
    let (was, is) = (modseqs(&before), modseqs(&now));
    for uid in [1, 3, 5] {
        assert_eq!(is[&uid], was[&uid]);
    }
    for uid in [2, 6] {
        assert!(is[&uid] > before.modseq);
    }
    assert_eq!(after.vanished(before.modseq, None), uids(&[4]));
    // And it stays so.
    let again = account.reopened().await;
    assert_eq!(modseqs(&again.snapshot()), is);
    assert_eq!(again.snapshot().modseq, now.modseq);
    assert_eq!(again.vanished(before.modseq, None), uids(&[4]));
}

#[tokio::test]
async fn what_others_do_while_it_is_open_gets_modseqs_too() {
    let (account, inbox) = five().await;
    let mut view = inbox.select(false).await.unwrap();
    let before = inbox.snapshot().modseq;
    let cur = account.root().join("cur");
    fs::rename(cur.join("2.M1P1.host:2,"), cur.join("2.M1P1.host:2,F")).unwrap();
    assert_eq!(awaited(&mut view).await, ["2 FETCH \\Flagged"]);
    let flagged = inbox.snapshot().modseq;
    assert!(flagged > before);
    assert_eq!(modseqs(&inbox.snapshot())[&2], flagged);
    fs::remove_file(cur.join("4.M1P1.host:2,")).unwrap();
    assert_eq!(awaited(&mut view).await[0], "4 EXPUNGE");
    let after = account.reopened().await;
    assert_eq!(modseqs(&after.snapshot()), modseqs(&inbox.snapshot()));
    assert_eq!(after.vanished(flagged, None), uids(&[4]));
    assert_eq!(after.vanished(before, None), uids(&[4]));
}

#[tokio::test]
async fn without_the_files_all_is_changed_and_higher() {
    let (account, inbox) = five().await;
    expunge(&inbox, &[2]).await;
    let before = inbox.snapshot();
    for damage in 0..3 {
        let path = account.root().join("culver.log");
        match damage {
            0 => account.remove_index(),
            1 => fs::write(path, "garbage").unwrap(),
            _ => fs::remove_file(path).unwrap(),
        }
        let after = account.reopened().await;
        let now = after.snapshot();
        assert!(modseqs(&now).values().all(|modseq| *modseq > before.modseq));
        assert!(now.modseq > before.modseq);
        assert_eq!(now.uid_validity, before.uid_validity);
        assert_eq!(
            modseqs(&now).keys().copied().collect::<Vec<_>>(),
            [1, 3, 4, 5]
        );
        assert_eq!(after.vanished(before.modseq, None), uids(&[2]));
        assert_eq!(after.vanished(now.modseq, None), uids(&[]));
        assert!(account.floor() > now.modseq.0);
    }
}

#[tokio::test]
async fn who_was_gone_when_the_files_were_lost_comes_back_as_another() {
    for locked in [false, true] {
        let (account, inbox) = five().await;
        let file = account.root().join("cur/2.M1P1.host:2,");
        let aside = account.dir.path().join("aside");
        fs::copy(&file, &aside).unwrap();
        expunge(&inbox, &[2]).await;
        drop(inbox);
        account.remove_index();
        let lock = locked.then(|| account.lock());
        // Whoever opens it first finds that it is gone; the next one need not find that again.
        let first = account.reopened().await;
        assert_eq!(first.snapshot().len(), 4);
        if let Some(lock) = lock {
            fs::remove_file(lock).unwrap();
            first.refresh().await.unwrap();
        }
        drop(first);
        fs::rename(&aside, &file).unwrap();
        for _ in 0..2 {
            let now = account.reopened().await.snapshot();
            let uids: Vec<u32> = modseqs(&now).into_keys().collect();
            assert_eq!(uids, [1, 3, 4, 5, 6], "{locked}");
            let text = fs::read_to_string(account.root().join("dovecot-uidlist")).unwrap();
            assert_eq!(text.matches(":2.M1P1.host").count(), 1, "{text}");
        }
    }
}

#[tokio::test]
async fn a_clock_set_back_makes_no_modseq_fall() {
    let (account, inbox) = five().await;
    drop(inbox);
    // As if all had been written when the clock was ten years ahead.
    let ahead = account.floor() + 10 * 365 * 86_400 * 1_000_000;
    account.set_floor(ahead);
    account.remove_index();
    let inbox = account.reopened().await;
    let first = inbox.snapshot().modseq;
    assert!(first.0 >= ahead);
    assert!(account.floor() > first.0);
    inbox
        .store(&uids(&[1]), StoreAction::Add, &seen())
        .await
        .unwrap();
    assert_eq!(inbox.snapshot().modseq.0, first.0 + 1);
    let again = account.reopened().await;
    assert_eq!(again.snapshot().modseq.0, first.0 + 1);
    // The floor was lost with the whole uidlist, the files were not.
    let path = account.root().join("dovecot-uidlist");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replacen(&format!(" M{}", account.floor()), "", 1),
    )
    .unwrap();
    let again = account.reopened().await;
    again
        .store(&uids(&[2]), StoreAction::Add, &seen())
        .await
        .unwrap();
    assert_eq!(again.snapshot().modseq.0, first.0 + 2);
    assert!(account.floor() > first.0 + 2);
}

#[tokio::test]
async fn a_floor_that_somebody_drops_comes_back() {
    let (account, inbox) = five().await;
    let path = account.root().join("dovecot-uidlist");
    let floor = account.floor();
    let text = fs::read_to_string(&path).unwrap();
    let fresh = account.root().join("fresh");
    fs::write(&fresh, text.replacen(&format!(" M{floor}"), " Xkept", 1)).unwrap();
    fs::rename(&fresh, &path).unwrap();
    inbox
        .store(&uids(&[1]), StoreAction::Add, &seen())
        .await
        .unwrap();
    assert_eq!(account.floor(), floor);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.lines().next().unwrap().contains(" Xkept"), "{text}");
}

#[tokio::test]
async fn two_processes_give_each_modseq_once() {
    let (account, one) = five().await;
    let other = account.reopened().await;
    assert_eq!(modseqs(&one.snapshot()), modseqs(&other.snapshot()));
    let begin = one.snapshot().modseq;
    one.store(&uids(&[1]), StoreAction::Add, &seen())
        .await
        .unwrap();
    // Who changes something hears first what the other did.
    other
        .store(&uids(&[2]), StoreAction::Add, &seen())
        .await
        .unwrap();
    let (was, is) = (modseqs(&one.snapshot()), modseqs(&other.snapshot()));
    assert_eq!(is[&1], was[&1]);
    assert!(is[&2] > is[&1]);
    assert!(
        other
            .snapshot()
            .find(Uid::FIRST)
            .unwrap()
            .flags
            .has(SystemFlag::Seen)
    );
    expunge(&one, &[1, 4]).await;
    other.refresh().await.unwrap();
    other
        .store(&uids(&[5]), StoreAction::Add, &seen())
        .await
        .unwrap();
    assert_eq!(other.snapshot().len(), 3);
    assert_eq!(other.vanished(begin, None), uids(&[1, 4]));
    account.deliver("6.M1P1.host");
    one.refresh().await.unwrap();
    other.refresh().await.unwrap();
    one.refresh().await.unwrap();
    assert_eq!(modseqs(&one.snapshot()), modseqs(&other.snapshot()));
    assert_eq!(one.snapshot().modseq, other.snapshot().modseq);
    // The files are lost, and both go on.
    account.remove_index();
    one.store(&uids(&[3]), StoreAction::Add, &seen())
        .await
        .unwrap();
    other
        .store(&uids(&[5]), StoreAction::Remove, &seen())
        .await
        .unwrap();
    one.store(&uids(&[3]), StoreAction::Remove, &seen())
        .await
        .unwrap();
    assert_eq!(modseqs(&one.snapshot())[&5], modseqs(&other.snapshot())[&5]);
    let third = account.reopened().await;
    assert_eq!(modseqs(&third.snapshot()), modseqs(&one.snapshot()));
    assert_eq!(third.vanished(begin, None), uids(&[1, 4]));
}

#[tokio::test]
async fn the_files_go_where_their_mailbox_goes() {
    let account = Account1::new();
    let [a, b] = ["a", "b"].map(|name| account.user.name(name.as_bytes(), false).unwrap());
    account.user.create(&a).await.unwrap();
    let mailbox = account.user.mailbox(&a).await.unwrap();
    let modseq = mailbox.snapshot().modseq;
    drop(mailbox);
    account.user.rename(&a, &b).await.unwrap();
    let renamed = open(account.dir.path()).mailbox(&b).await.unwrap();
    assert_eq!(renamed.snapshot().modseq, modseq);
    account.user.delete(&b).await.unwrap();
    assert!(!account.root().join(".b").exists());
}

#[tokio::test]
async fn closed_it_is_synced() {
    let (account, inbox) = five().await;
    let log = || {
        fs::metadata(account.root().join("culver.log"))
            .unwrap()
            .len()
    };
    let before = log();
    inbox.close().await.unwrap();
    assert!(log() > before);
    let closed = log();
    inbox.close().await.unwrap();
    assert_eq!(log(), closed);
    inbox
        .store(&uids(&[1]), StoreAction::Add, &seen())
        .await
        .unwrap();
    assert_eq!(log(), closed + 2 * 28);
}

/// What may happen to a mailbox.
#[derive(Clone, Debug)]
enum Step {
    Deliver,
    /// Of the message at this place: it is seen or not.
    Flag(usize, bool),
    Expunge(usize),
    /// By another program, while nobody looks.
    Rename(usize, bool),
    Remove(usize),
    Restart,
    Lose,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Deliver),
        4 => (0..20_usize, any::<bool>()).prop_map(|(at, on)| Step::Flag(at, on)),
        2 => (0..20_usize).prop_map(Step::Expunge),
        2 => (0..20_usize, any::<bool>()).prop_map(|(at, on)| Step::Rename(at, on)),
        1 => (0..20_usize).prop_map(Step::Remove),
        2 => Just(Step::Restart),
        1 => Just(Step::Lose),
    ];
    proptest::collection::vec(step, 1..25)
}

/// What a client was told when it left: flags by UID, and HIGHESTMODSEQ.
type Told = (ModSeq, BTreeMap<u32, crate::imap::flag::SystemFlags>);

/// A client that left after each step comes back: what it was told, with what it is told now, is what is there.
async fn come_back(inbox: &Arc<Mailbox>, left: &[Told]) {
    let now = inbox.snapshot();
    let flags: BTreeMap<_, _> = now.iter().map(|one| (one.uid.get(), one.flags)).collect();
    for (since, told) in left {
        assert!(now.modseq >= *since);
        let mut picture = told.clone();
        let gone = inbox.vanished(*since, None);
        picture.retain(|uid, _| !gone.contains(*uid));
        let changed = now.iter().filter(|message| message.modseq > *since);
        picture.extend(changed.map(|message| (message.uid.get(), message.flags)));
        assert_eq!(picture, flags, "since {since:?}");
    }
}

/// Where a message is that this process knows by a name that may be old.
fn file_of(account: &Account1, message: &crate::mailbox::snapshot::Message) -> Option<PathBuf> {
    let base = String::from_utf8(message.name.base().to_vec()).unwrap();
    ["new", "cur"].into_iter().find_map(|sub| {
        let names = account.names(sub);
        let name = names.iter().find(|name| name.starts_with(&base));
        name.map(|name| account.root().join(sub).join(name))
    })
}

/// Plays steps, each in one of so many processes. Clients that have left come back to any of them.
async fn play(steps: Vec<Step>, processes: usize) {
    let account = Account1::new();
    let mut inboxes = Vec::new();
    for _ in 0..processes {
        inboxes.push(account.reopened().await);
    }
    let mut left: Vec<Told> = Vec::new();
    for (number, step) in steps.into_iter().enumerate() {
        let process = number * 7 % 5 % processes;
        let inbox = Arc::clone(&inboxes[process]);
        let snapshot = inbox.snapshot();
        let nth = |at: usize| snapshot.get(at.checked_rem(snapshot.len())?).cloned();
        let one = |at: usize| nth(at).map(|message| uids(&[message.uid.get()]));
        match step {
            // Base names must not be the beginning of others.
            Step::Deliver => account.deliver(&format!("{}.M1P1.host", 1000 + number)),
            Step::Flag(at, on) => {
                let action = if on {
                    StoreAction::Add
                } else {
                    StoreAction::Remove
                };
                if let Some(uids) = one(at) {
                    inbox.store(&uids, action, &seen()).await.unwrap();
                }
            }
            Step::Expunge(at) => {
                if let Some(uids) = one(at) {
                    inbox
                        .store(&uids, StoreAction::Add, &deleted())
                        .await
                        .unwrap();
                    inbox.expunge(Some(&uids)).await.unwrap();
                }
            }
            Step::Rename(at, on) => {
                if let Some(path) = nth(at).and_then(|message| file_of(&account, &message)) {
                    let name = path.file_name().unwrap().to_str().unwrap();
                    let base = name.split(':').next().unwrap();
                    let new = format!("{base}:2,{}", if on { "F" } else { "" });
                    fs::rename(&path, account.root().join("cur").join(new)).unwrap();
                }
            }
            Step::Remove(at) => {
                if let Some(path) = nth(at).and_then(|message| file_of(&account, &message)) {
                    fs::remove_file(path).unwrap();
                }
            }
            Step::Restart => {
                inbox.refresh().await.unwrap();
                let before = inbox.snapshot();
                inboxes[process] = account.reopened().await;
                let now = inboxes[process].snapshot();
                assert_eq!(modseqs(&now), modseqs(&before));
                assert_eq!(now.modseq, before.modseq);
            }
            Step::Lose => {
                for name in ["culver.index", "culver.log"] {
                    let _ = fs::remove_file(account.root().join(name));
                }
                for inbox in &mut inboxes {
                    *inbox = account.reopened().await;
                }
            }
        }
        for inbox in &inboxes {
            inbox.refresh().await.unwrap();
            come_back(inbox, &left).await;
            let now = inbox.snapshot();
            let flags = now.iter().map(|one| (one.uid.get(), one.flags)).collect();
            left.push((now.modseq, flags));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_client_that_comes_back_hears_of_all_that_happened(steps in steps(), processes in 1..4_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(steps, processes));
    }
}
