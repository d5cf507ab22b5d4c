//! A mailbox with its files under it: what sessions see when other programs work in the same Maildir.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::imap::command::{Numbering, StoreAction};
use crate::imap::flag::{Flag, Keyword, SystemFlag};
use crate::imap::name::MailboxName;
use crate::imap::sequence::{Bound, NumberSet, SequenceSet, Uid};
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::user::{Account, Fsync, User};
use crate::mailbox::view::{Expunge, Update, View};
use crate::spool::tree::{DiskNames, Layout, Location};

struct Account1 {
    dir: tempfile::TempDir,
    user: Arc<User>,
}

impl Account1 {
    fn new() -> Account1 {
        let dir = tempfile::tempdir().unwrap();
        let user = open(dir.path());
        Account1 { dir, user }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("Maildir")
    }

    async fn inbox(&self) -> Arc<Mailbox> {
        self.user.mailbox(&MailboxName::inbox()).await.unwrap()
    }

    /// As an MTA delivers: written in `tmp/`, renamed into `new/`.
    fn deliver(&self, name: &str) {
        let tmp = self.root().join("tmp").join(name);
        fs::write(&tmp, format!("Subject: {name}\n\nText\n")).unwrap();
        fs::rename(tmp, self.root().join("new").join(name)).unwrap();
    }

    fn names(&self, sub: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.root().join(sub))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn open(dir: &Path) -> Arc<User> {
    let location = Location {
        root: dir.join("Maildir"),
        control: None,
        layout: Layout::MaildirPlusPlus,
        names: DiskNames::Utf7,
        follow_links_out: false,
    };
    User::open(Account {
        location,
        fsync: Fsync::Always,
        auto_create: Vec::new(),
    })
    .unwrap()
}

fn uids(numbers: &[u32]) -> NumberSet {
    numbers.iter().copied().collect()
}

fn seen() -> [Flag; 1] {
    [Flag::System(SystemFlag::Seen)]
}

fn deleted() -> [Flag; 1] {
    [Flag::System(SystemFlag::Deleted)]
}

/// What a client would be told, in short.
fn told(view: &mut View, expunge: Expunge) -> Vec<String> {
    let updates = view.sync(expunge).unwrap();
    let snapshot = Arc::clone(view.snapshot());
    let short = |update| match update {
        Update::Expunge(number) => format!("{number} EXPUNGE"),
        Update::Exists(count) => format!("{count} EXISTS"),
        Update::Recent(count) => format!("{count} RECENT"),
        Update::Keywords => "FLAGS".into(),
        Update::Flags {
            number, message, ..
        } => {
            let flags = message.flags.iter().map(|flag| flag.as_str().to_owned());
            let keywords = snapshot
                .keywords_of(&message)
                .map(|keyword| keyword.to_string());
            format!(
                "{number} FETCH {}",
                flags.chain(keywords).collect::<Vec<_>>().join(" ")
            )
        }
    };
    updates.into_iter().map(short).collect()
}

/// Waits for the watcher to publish something new, as IDLE does.
async fn awaited(view: &mut View) -> Vec<String> {
    let mut changes = view.mailbox().changes();
    while !view.is_stale() {
        tokio::time::timeout(Duration::from_secs(10), changes.changed())
            .await
            .expect("nothing came")
            .unwrap();
    }
    told(view, Expunge::Allowed)
}

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
async fn store_renames_and_tells_others_once() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    account.deliver("2.M1P1.host");
    let inbox = account.inbox().await;
    let (mut one, mut other) = (
        inbox.select(false).await.unwrap(),
        inbox.select(false).await.unwrap(),
    );
    let work = [
        Flag::Keyword(Keyword::new("Work").unwrap()),
        Flag::System(SystemFlag::Flagged),
    ];
    let stored = inbox
        .store(&uids(&[1, 9]), StoreAction::Add, &work)
        .await
        .unwrap();
    assert!(stored.gone.contains(9) && stored.gone.len() == 1);
    one.told(&uids(&[1]), &stored.snapshot);
    assert_eq!(told(&mut one, Expunge::Held), ["FLAGS"]);
    assert_eq!(
        told(&mut other, Expunge::Held),
        ["FLAGS", "1 FETCH \\Flagged Work"]
    );
    assert_eq!(account.names("cur"), ["1.M1P1.host:2,Fa", "2.M1P1.host:2,"]);
    assert_eq!(
        fs::read_to_string(account.root().join("dovecot-keywords")).unwrap(),
        "0 Work\n"
    );
    inbox
        .store(&uids(&[1]), StoreAction::Replace, &seen())
        .await
        .unwrap();
    assert_eq!(told(&mut other, Expunge::Held), ["1 FETCH \\Seen"]);
}

#[tokio::test]
async fn held_expunges_keep_numbers_until_they_are_told() {
    let account = Account1::new();
    (1..=5).for_each(|n| account.deliver(&format!("{n}.M1P1.host")));
    let inbox = account.inbox().await;
    let (mut one, mut other) = (
        inbox.select(false).await.unwrap(),
        inbox.select(false).await.unwrap(),
    );
    inbox
        .store(&uids(&[2, 4]), StoreAction::Add, &deleted())
        .await
        .unwrap();
    assert_eq!(inbox.expunge(None).await.unwrap(), uids(&[2, 4]));
    assert_eq!(
        told(&mut one, Expunge::Allowed),
        ["4 EXPUNGE", "2 EXPUNGE", "3 RECENT"]
    );
    account.deliver("6.M1P1.host");
    inbox.refresh().await.unwrap();
    assert_eq!(told(&mut other, Expunge::Held), ["6 EXISTS", "1 RECENT"]);
    let all = SequenceSet::new(vec![(Bound::Number(1.try_into().unwrap()), Bound::Last)]).unwrap();
    let picture = other.resolve(Numbering::Sequence, &all).unwrap();
    let short: Vec<_> = picture
        .iter()
        .map(|p| (p.number.0.get(), p.message.uid.get(), p.gone))
        .collect();
    assert_eq!(
        short,
        [
            (1, 1, false),
            (2, 2, true),
            (3, 3, false),
            (4, 4, true),
            (5, 5, false),
            (6, 6, false)
        ]
    );
    assert_eq!(other.resolve(Numbering::Uid, &all).unwrap().len(), 6);
    assert_eq!(
        told(&mut other, Expunge::Allowed),
        ["4 EXPUNGE", "2 EXPUNGE"]
    );
    assert_eq!(other.exists(), 4);
    assert_eq!(other.number(Uid::new(6).unwrap()).unwrap().0.get(), 4);
    let beyond = SequenceSet::new(vec![(
        Bound::Number(5.try_into().unwrap()),
        Bound::Number(5.try_into().unwrap()),
    )]);
    assert!(
        other
            .resolve(Numbering::Sequence, &beyond.unwrap())
            .is_err()
    );
}

#[tokio::test]
async fn append_copy_and_move_carry_flags_keywords_and_dates() {
    let account = Account1::new();
    let name = MailboxName::from_utf8("Work.Sub", '.').unwrap();
    account.user.create(&name).await.unwrap();
    let (inbox, work) = (
        account.inbox().await,
        account.user.mailbox(&name).await.unwrap(),
    );
    let other = [Flag::Keyword(Keyword::new("Other").unwrap())];
    let mut upload = work.upload().unwrap();
    upload.begin().await.unwrap();
    upload
        .write(b"Subject: first\r\n\r\nx\r\n".to_vec())
        .await
        .unwrap();
    upload.end(&other, None).await.unwrap();
    work.append(upload).await.unwrap();

    let mut upload = inbox.upload().unwrap();
    upload.begin().await.unwrap();
    upload
        .write(b"Subject: a\r\n\r\ntext\r".to_vec())
        .await
        .unwrap();
    upload.write(b"\n".to_vec()).await.unwrap();
    let flags = [
        Flag::System(SystemFlag::Seen),
        Flag::Keyword(Keyword::new("Mine").unwrap()),
    ];
    let date = crate::imap::date::DateTime {
        seconds: 1_000_000_000,
        offset: 0,
    };
    upload.end(&flags, Some(date)).await.unwrap();
    let (validity, named) = inbox.append(upload).await.unwrap();
    let uid = Uid::FIRST;
    assert_eq!(
        (validity, named),
        (inbox.snapshot().uid_validity, vec![uid])
    );
    let message = inbox.snapshot().find(uid).unwrap().clone();
    assert_eq!(message.virtual_size(), Some(20));
    assert_eq!(
        fs::read(account.root().join("cur").join(&account.names("cur")[0])).unwrap(),
        b"Subject: a\n\ntext\n"
    );

    let copied = inbox.copy(&uids(&[1]), &work).await.unwrap();
    assert_eq!((copied.from.len(), copied.to[0].get()), (1, 2));
    let again = inbox.copy(&uids(&[1]), &work).await.unwrap();
    assert_eq!(again.to[0].get(), 3);
    let snapshot = work.snapshot();
    for uid in [2, 3] {
        let copy = snapshot.find(Uid::new(uid).unwrap()).unwrap();
        assert!(copy.flags.has(SystemFlag::Seen));
        assert_eq!(
            snapshot
                .keywords_of(copy)
                .map(|k| k.as_str())
                .collect::<Vec<_>>(),
            ["Mine"]
        );
        let modified = work
            .open(copy)
            .unwrap()
            .metadata()
            .unwrap()
            .modified()
            .unwrap();
        assert_eq!(
            modified,
            std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
        );
    }
    let mut watching = inbox.select(false).await.unwrap();
    let moved = inbox.move_to(&uids(&[1]), &work).await.unwrap();
    assert_eq!((moved.from[0].get(), moved.to[0].get()), (1, 4));
    assert_eq!(told(&mut watching, Expunge::Allowed)[0], "1 EXPUNGE");
    assert!(account.names("cur").is_empty());
    assert!(matches!(
        inbox.move_to(&uids(&[1]), &work).await,
        Err(Fault::Expunged)
    ));
    let within = work.move_to(&uids(&[4]), &work).await.unwrap();
    assert_eq!(within.to[0].get(), 5);
    assert_eq!(work.snapshot().len(), 4);
}

#[tokio::test]
async fn renaming_inbox_moves_its_messages_and_renaming_a_folder_keeps_sessions() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let old = MailboxName::from_utf8("Old", '.').unwrap();
    account
        .user
        .rename(&MailboxName::inbox(), &old)
        .await
        .unwrap();
    assert_eq!(account.inbox().await.snapshot().len(), 0);
    let mailbox = account.user.mailbox(&old).await.unwrap();
    assert_eq!(mailbox.snapshot().len(), 1);
    let mut view = mailbox.select(false).await.unwrap();
    let new = MailboxName::from_utf8("New.Place", '.').unwrap();
    account.user.rename(&old, &new).await.unwrap();
    assert!(Arc::ptr_eq(
        &account.user.mailbox(&new).await.unwrap(),
        &mailbox
    ));
    mailbox
        .store(&uids(&[1]), StoreAction::Add, &seen())
        .await
        .unwrap();
    assert_eq!(told(&mut view, Expunge::Allowed), ["1 FETCH \\Seen"]);
    assert!(matches!(
        account.user.mailbox(&old).await,
        Err(Fault::NonExistent(_))
    ));
}

#[tokio::test]
async fn a_deleted_mailbox_ends_for_who_has_it_selected() {
    let account = Account1::new();
    let name = MailboxName::from_utf8("Gone", '.').unwrap();
    account.user.create(&name).await.unwrap();
    let mut view = account
        .user
        .mailbox(&name)
        .await
        .unwrap()
        .select(false)
        .await
        .unwrap();
    account.user.delete(&name).await.unwrap();
    assert!(matches!(view.sync(Expunge::Allowed), Err(Fault::Ended)));
    account.user.create(&name).await.unwrap();
    let anew = account.user.mailbox(&name).await.unwrap();
    assert!(anew.snapshot().uid_validity > view.snapshot().uid_validity);

    let view = anew.select(false).await.unwrap();
    fs::remove_dir_all(account.root().join(".Gone")).unwrap();
    assert!(matches!(view.mailbox().refresh().await, Err(Fault::Ended)));
}

#[tokio::test]
async fn a_27th_keyword_is_refused_and_changes_nothing() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    let keyword = |n: u32| Flag::Keyword(Keyword::new(&format!("kw{n}")).unwrap());
    let all: Vec<Flag> = (0..26).map(keyword).collect();
    inbox
        .store(&uids(&[1]), StoreAction::Add, &all)
        .await
        .unwrap();
    let result = inbox
        .store(&uids(&[1]), StoreAction::Add, &[keyword(26)])
        .await;
    assert!(matches!(result, Err(Fault::TooManyKeywords)));
    let snapshot = inbox.snapshot();
    assert_eq!(snapshot.keywords_of(snapshot.get(0).unwrap()).count(), 26);
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
