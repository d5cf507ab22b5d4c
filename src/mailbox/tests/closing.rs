//! Mailboxes that nobody uses any more, and annotations, which change mod-sequences without a message.

use super::history::{expunge, five, modseqs};
use super::*;

async fn store_seen(inbox: &Arc<Mailbox>, uid: u32) {
    let one = NumberSet::from_ranges([(uid, uid)]);
    inbox.store(&one, StoreAction::Add, &seen()).await.unwrap();
}

/// Who has the lock while a mailbox is to leave does not keep it from being closed later.
#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_closed_is_closed_later() {
    let (account, inbox) = five().await;
    store_seen(&inbox, 1).await;
    let octets = || {
        fs::metadata(account.root().join("culver.log"))
            .unwrap()
            .len()
    };
    let before = octets();
    drop(inbox);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let lock = account.root().join("dovecot-uidlist.lock");
    fs::write(&lock, format!("1:{}", host.trim())).unwrap();
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(octets(), before);
    fs::remove_file(&lock).unwrap();
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(octets() > before, "not closed");
    assert!(account.user.open.lock().await.is_empty());
}

/// An annotation that cannot be noted costs no history, and is noted with the next change.
#[tokio::test]
async fn an_annotation_that_cannot_be_noted() {
    let (account, inbox) = five().await;
    expunge(&inbox, &[2]).await;
    let before = inbox.snapshot();
    fs::create_dir_all(account.root().join("culver.index.tmp/full")).unwrap();
    inbox.raise_modseq().await.unwrap();
    assert!(!inbox.snapshot().keeps_modseqs());
    for name in ["culver.index", "culver.log"] {
        assert!(account.root().join(name).exists(), "{name}");
    }
    fs::remove_dir_all(account.root().join("culver.index.tmp")).unwrap();
    store_seen(&inbox, 5).await;
    let now = inbox.snapshot();
    assert!(now.keeps_modseqs());
    let changed = modseqs(&now);
    let changed = changed.values().filter(|modseq| **modseq > before.modseq);
    assert_eq!(changed.count(), 1);
}
