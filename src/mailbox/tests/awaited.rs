//! Mod-sequences that are not kept for a moment, and clients who ask for them in it.

use super::history::{five, modseqs};
use super::*;

/// Longer than any wait for a lock that is let go of.
const PATIENCE: Duration = Duration::from_secs(60);

/// Dovecot's lock, as another program holds it while it changes a message.
fn locked(account: &Account1) -> PathBuf {
    let lock = account.root().join("dovecot-uidlist.lock");
    fs::write(&lock, "foreign").unwrap();
    let name = |flags| account.root().join(format!("cur/1.M1P1.host:2,{flags}"));
    fs::rename(name(""), name("F")).unwrap();
    lock
}

fn let_go_after(wait: Duration, lock: PathBuf) {
    tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        fs::remove_file(lock).unwrap();
    });
}

/// Who was told HIGHESTMODSEQ and asks in such a moment hears of them when it is over.
#[tokio::test(start_paused = true)]
async fn who_asks_too_early_is_told_later() {
    let (account, one) = five().await;
    let mut view = one.select(false).await.unwrap();
    let known = view.begin_modseqs(PATIENCE).await.unwrap().unwrap();
    let lock = locked(&account);
    one.refresh().await.unwrap();
    view.sync(Expunge::Allowed).unwrap();
    assert!(!view.with_modseqs());
    assert!(view.awaits_modseqs() && view.hears_modseqs());
    assert_eq!(view.take_owed_modseq(), None);

    let_go_after(Duration::from_secs(3), lock);
    one.await_modseqs(PATIENCE).await.unwrap();
    let updates = view.sync(Expunge::Held).unwrap().updates;
    assert!(matches!(updates.as_slice(), [Update::Flags { .. }]));
    assert!(view.tells_modseqs() && !view.awaits_modseqs());
    assert_eq!(view.settle_modseq(false), None);
    let now = one.snapshot().modseq;
    assert!(now > known && modseqs(&one.snapshot())[&1] == now);
    assert_eq!(view.take_owed_modseq(), Some(now));
    assert_eq!(view.take_owed_modseq(), None);
}

#[tokio::test(start_paused = true)]
async fn select_waits_before_it_says_that_there_are_none() {
    let (account, one) = five().await;
    let before = one.snapshot().modseq;
    let lock = locked(&account);
    let mut late = one.select(true).await.unwrap();
    assert!(!late.snapshot().keeps_modseqs());
    let told = late.begin_modseqs(Duration::from_secs(1)).await.unwrap();
    assert_eq!(told, None);

    let mut view = one.select(true).await.unwrap();
    let_go_after(Duration::from_secs(3), lock);
    let told = view.begin_modseqs(PATIENCE).await.unwrap();
    assert_eq!(told, Some(one.snapshot().modseq));
    assert!(told > Some(before));
    assert!(view.with_modseqs() && view.take_owed_modseq().is_none());
    assert_eq!((view.exists(), Some(view.highest_modseq())), (5, told));

    // Whoever was told so never hears of any.
    assert!(!late.with_modseqs());
    late.sync(Expunge::Allowed).unwrap();
    assert!(late.snapshot().keeps_modseqs());
    assert!(!late.tells_modseqs() && !late.awaits_modseqs());
    assert_eq!(late.take_owed_modseq(), None);
}

/// Where nothing can be kept until somebody mends it, nobody waits.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_what_cannot_be() {
    let (account, one) = five().await;
    account.remove_index();
    fs::create_dir_all(account.root().join("culver.index/full")).unwrap();
    one.store(&uids(&[1]), StoreAction::Add, &seen())
        .await
        .unwrap();
    let mut view = one.select(true).await.unwrap();
    let begun = tokio::time::Instant::now();
    assert_eq!(view.begin_modseqs(PATIENCE).await.unwrap(), None);
    assert!(begun.elapsed() < PATIENCE / 2);
}
