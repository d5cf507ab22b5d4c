//! Keywords beyond the 26 letters: on messages, in other processes, after a restart, and whatever is lost.

use std::time::{Duration, Instant};

use super::*;
use crate::imap::sequence::ModSeq;
use crate::mailbox::alter::Condition;

fn keyword(name: &str) -> Flag {
    Flag::Keyword(Keyword::new(name).unwrap())
}

fn keywords(numbers: impl IntoIterator<Item = u32>) -> Vec<Flag> {
    let named = |number| keyword(&format!("kw{number}"));
    numbers.into_iter().map(named).collect()
}

async fn store(
    mailbox: &Arc<Mailbox>,
    numbers: &[u32],
    action: StoreAction,
    flags: &[Flag],
) -> Result<(), Fault> {
    let stored = mailbox.store(&uids(numbers), action, flags).await;
    stored.map(drop)
}

/// What a message has, and when that changed last.
fn shown(mailbox: &Mailbox, uid: u32) -> (String, ModSeq) {
    let snapshot = mailbox.snapshot();
    let message = snapshot.find(Uid::new(uid).unwrap()).unwrap();
    let names: Vec<&str> = snapshot.keywords_of(message).map(Keyword::as_str).collect();
    (names.join(" "), message.modseq)
}

impl Account1 {
    /// INBOX with messages of which the first has `kw0` to `kw27`, the last two without a letter.
    async fn with_many(messages: u32) -> (Account1, Arc<Mailbox>) {
        let account = Account1::new();
        for number in 1..=messages {
            account.deliver(&format!("{number}.M1P1.host"));
        }
        let inbox = account.inbox().await;
        inbox.select(false).await.unwrap();
        let all = keywords(0..28);
        store(&inbox, &[1], StoreAction::Add, &all).await.unwrap();
        (account, inbox)
    }

    async fn again(&self) -> Arc<Mailbox> {
        let user = open(self.dir.path());
        user.mailbox(&MailboxName::inbox()).await.unwrap()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.root().join(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.root().join(name), text).unwrap();
    }
}

fn all(numbers: std::ops::Range<u32>) -> String {
    let names: Vec<String> = numbers.map(|number| format!("kw{number}")).collect();
    names.join(" ")
}

#[tokio::test]
async fn what_has_no_letter_is_kept_beside_the_uidlist() {
    let (account, inbox) = Account1::with_many(2).await;
    assert_eq!(shown(&inbox, 1).0, all(0..28));
    let text = account.text("culver.keywords");
    assert_eq!(text, "V\t1\nk 26 kw26\nk 27 kw27\nm 26,27 :1.M1P1.host\n");
    assert_eq!(account.text("dovecot-keywords").lines().count(), 26);
    let letters: String = ('a'..='z').collect();
    assert_eq!(account.names("cur")[0], format!("1.M1P1.host:2,{letters}"));
    // What has a letter keeps it, whatever case it is named in; what has a number, that.
    let mut view = inbox.select(false).await.unwrap();
    let some = [keyword("KW27"), keyword("Kw3"), keyword("kw28")];
    store(&inbox, &[2], StoreAction::Add, &some).await.unwrap();
    assert_eq!(
        told(&mut view, Expunge::Held),
        ["FLAGS", "2 FETCH kw3 kw27 kw28"]
    );
    store(&inbox, &[1, 2], StoreAction::Remove, &some[..1])
        .await
        .unwrap();
    assert_eq!(shown(&inbox, 1).0, all(0..27));
    store(&inbox, &[1], StoreAction::Replace, &keywords([26, 1]))
        .await
        .unwrap();
    let (kept, modseq) = shown(&inbox, 1);
    assert_eq!(kept, "kw1 kw26");
    let told = told(&mut view, Expunge::Held);
    assert_eq!(told, ["1 FETCH kw1 kw26", "2 FETCH kw3 kw28"]);
    // Nothing is new: nothing is written.
    let text = account.text("culver.keywords");
    store(&inbox, &[1], StoreAction::Add, &keywords([26]))
        .await
        .unwrap();
    assert_eq!(
        (account.text("culver.keywords"), shown(&inbox, 1).1),
        (text, modseq)
    );

    // Whoever opens it later sees the same, and the same mod-sequences.
    let before = [1, 2].map(|uid| shown(&inbox, uid));
    drop((view, inbox));
    let again = account.again().await;
    assert_eq!([1, 2].map(|uid| shown(&again, uid)), before);
}

/// Two processes: each hears what the other did, with the mod-sequence that it was given.
#[tokio::test]
async fn another_process_hears_of_it() {
    let (account, inbox) = Account1::with_many(3).await;
    let other = account.again().await;
    let mut view = other.select(false).await.unwrap();
    store(&inbox, &[2], StoreAction::Add, &keywords([27, 28]))
        .await
        .unwrap();
    other.refresh().await.unwrap();
    assert_eq!(
        told(&mut view, Expunge::Held),
        ["FLAGS", "2 FETCH kw27 kw28"]
    );
    assert_eq!(shown(&other, 2), shown(&inbox, 2));
    for (who, action, number) in [
        (&other, StoreAction::Remove, 27),
        (&inbox, StoreAction::Add, 30),
        (&other, StoreAction::Replace, 29),
    ] {
        store(who, &[2, 3], action, &keywords([number]))
            .await
            .unwrap();
        inbox.refresh().await.unwrap();
        other.refresh().await.unwrap();
        let [here, there] = [&inbox, &other].map(|one| [2, 3].map(|uid| shown(one, uid)));
        assert_eq!(here, there);
    }
    assert_eq!(shown(&inbox, 3).0, "kw29");
    // Nobody answers what is no news.
    let log = fs::metadata(account.root().join("culver.log"))
        .unwrap()
        .len();
    for _ in 0..3 {
        inbox.refresh().await.unwrap();
        other.refresh().await.unwrap();
    }
    assert_eq!(
        fs::metadata(account.root().join("culver.log"))
            .unwrap()
            .len(),
        log
    );
    assert!(!inbox.select(false).await.unwrap().is_stale());
}

/// No name tells of them, and still nobody has to ask.
#[tokio::test]
async fn who_waits_in_another_process_is_told_at_once() {
    let (account, inbox) = Account1::with_many(2).await;
    let other = account.again().await;
    let mut view = other.select(false).await.unwrap();
    store(&inbox, &[2], StoreAction::Add, &keywords([26]))
        .await
        .unwrap();
    assert_eq!(awaited(&mut view).await, ["2 FETCH kw26"]);
    store(&other, &[2], StoreAction::Replace, &keywords([27]))
        .await
        .unwrap();
    assert_eq!(told(&mut view, Expunge::Held), ["2 FETCH kw27"]);
    assert_eq!(account.names("new"), [""; 0]);
}

/// What was written, and nobody gave a mod-sequence for, as by a process that was killed between the two.
#[tokio::test]
async fn what_was_not_told_is_a_change() {
    let (account, inbox) = Account1::with_many(3).await;
    let before = [1, 2, 3].map(|uid| shown(&inbox, uid));
    let more = account.text("culver.keywords") + "m 27 :3.M1P1.host\nm 26 :nobody";
    account.write("culver.keywords", &more);
    let mut view = inbox.select(false).await.unwrap();
    assert_eq!(told(&mut view, Expunge::Held), [""; 0]);
    let now = [1, 2, 3].map(|uid| shown(&inbox, uid));
    assert_eq!((&now[..2], &*now[2].0), (&before[..2], "kw27"));
    assert!(now[2].1 > before[2].1.max(before[0].1));
    // The same where nobody had it open.
    drop((view, inbox));
    let more = account.text("culver.keywords").replace("m 26 :nobody", "") + "m 26 :2.M1P1.host\n";
    account.write("culver.keywords", &more);
    let again = account.again().await;
    assert_eq!(
        [1, 3].map(|uid| shown(&again, uid)),
        [now[0].clone(), now[2].clone()]
    );
    assert_eq!(shown(&again, 2).0, "kw26");
    assert!(shown(&again, 2).1 > now[2].1);
    // The next who writes cuts off what is no line.
    store(&again, &[2], StoreAction::Add, &keywords([27]))
        .await
        .unwrap();
    assert!(
        account
            .text("culver.keywords")
            .ends_with("m 26 :2.M1P1.host\nm 26,27 :2.M1P1.host\n")
    );
}

/// Whatever else is lost, keywords are not.
#[tokio::test]
async fn they_outlive_the_index_and_the_uidlist_and_renames() {
    let (account, inbox) = Account1::with_many(2).await;
    store(&inbox, &[2], StoreAction::Add, &keywords([27]))
        .await
        .unwrap();
    let before = [1, 2].map(|uid| shown(&inbox, uid).0);
    drop(inbox);
    for lost in [
        &["culver.index", "culver.log"][..],
        &["dovecot-uidlist"],
        &["dovecot-uidlist", "culver.log"],
    ] {
        for name in lost {
            fs::remove_file(account.root().join(name)).unwrap();
        }
        let again = account.again().await;
        assert_eq!([1, 2].map(|uid| shown(&again, uid).0), before, "{lost:?}");
    }
    // As mutt or Dovecot sets flags.
    let cur = account.root().join("cur");
    fs::rename(cur.join("2.M1P1.host:2,"), cur.join("2.M1P1.host:2,FSb")).unwrap();
    let again = account.again().await;
    assert_eq!(shown(&again, 2).0, "kw1 kw27");
    // Moved away by hand and back again.
    fs::rename(cur.join("2.M1P1.host:2,FSb"), account.root().join("away")).unwrap();
    again.refresh().await.unwrap();
    again.refresh().await.unwrap();
    assert_eq!(again.snapshot().len(), 1);
    fs::rename(account.root().join("away"), cur.join("2.M1P1.host:2,")).unwrap();
    again.refresh().await.unwrap();
    assert_eq!(shown(&again, 3).0, "kw27");
}

#[tokio::test]
async fn copies_have_them_by_the_names_of_their_mailbox() {
    let (account, inbox) = Account1::with_many(2).await;
    let name = MailboxName::from_utf8("Work", '.').unwrap();
    account.user.create(&name).await.unwrap();
    let work = account.user.mailbox(&name).await.unwrap();
    // There, others have the letters, and what has a letter here has a number.
    let mut upload = work.upload().unwrap();
    upload.begin(false).await.unwrap();
    upload
        .write(b"Subject: first\r\n\r\nx\r\n".to_vec())
        .await
        .unwrap();
    let other: Vec<Flag> = (0..30)
        .map(|number| keyword(&format!("other{number}")))
        .collect();
    upload.end(&other, None).await.unwrap();
    work.append(upload).await.unwrap();
    assert_eq!(shown(&work, 1).0.split(' ').count(), 30);
    let [here, _] = [1, 2].map(|uid| shown(&inbox, uid).0);
    let mut sorted: Vec<&str> = here.split(' ').collect();
    sorted.sort_unstable();
    let is_same = |mailbox: &Mailbox, uid| {
        let there = shown(mailbox, uid).0;
        let mut there: Vec<&str> = there.split(' ').collect();
        there.sort_unstable();
        there == sorted
    };
    // Twice, so that one of them has a base name of its own.
    for to in [2, 3] {
        let copied = inbox.copy(&uids(&[1]), &work).await.unwrap();
        assert_eq!(copied.to[0].get(), to);
        assert!(is_same(&work, to));
    }
    // Within a mailbox, and back.
    work.move_to(&uids(&[2]), &work).await.unwrap();
    assert!(is_same(&work, 4));
    let back = work.move_to(&uids(&[4, 3]), &inbox).await.unwrap();
    assert_eq!(back.to.len(), 2);
    assert!([3, 4].iter().all(|uid| is_same(&inbox, *uid)));
    assert_eq!(shown(&inbox, 3).0, here);
    // A message that has been there with some, and comes back without.
    store(&inbox, &[3], StoreAction::Replace, &[])
        .await
        .unwrap();
    inbox.copy(&uids(&[3]), &work).await.unwrap();
    assert_eq!(shown(&work, 5).0, "");
    let anew = open(account.dir.path());
    let anew = anew.mailbox(&name).await.unwrap();
    assert_eq!(
        (anew.snapshot().len(), shown(&anew, 5).0),
        (2, String::new())
    );
    // They go where their mailbox goes, and end with it.
    let renamed = MailboxName::from_utf8("Other", '.').unwrap();
    account.user.rename(&name, &renamed).await.unwrap();
    let there = account.user.mailbox(&renamed).await.unwrap();
    assert_eq!(shown(&there, 1).0.split(' ').count(), 30);
    account.user.delete(&renamed).await.unwrap();
    assert!(!account.root().join(".Other").exists());
}

/// What cannot be written is not done, the part in the names neither.
#[tokio::test]
async fn a_store_is_done_as_a_whole_or_not_at_all() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    account.deliver("2.M1P1.host");
    let inbox = account.inbox().await;
    inbox.select(false).await.unwrap();
    // In the way of its draft.
    fs::create_dir_all(account.root().join("culver.keywords.tmp/x")).unwrap();
    assert!(
        store(&inbox, &[1, 2], StoreAction::Add, &keywords(0..27))
            .await
            .is_err()
    );
    store(&inbox, &[1, 2], StoreAction::Add, &keywords(0..26))
        .await
        .unwrap();
    fs::remove_dir_all(account.root().join("culver.keywords.tmp")).unwrap();
    store(&inbox, &[1], StoreAction::Replace, &keywords(0..27))
        .await
        .unwrap();
    // A file that cannot be appended to is replaced, and that fails.
    account.write(
        "culver.keywords",
        &(account.text("culver.keywords") + "garbage\n"),
    );
    fs::create_dir_all(account.root().join("culver.keywords.tmp/x")).unwrap();
    let names = account.names("cur");
    let flags = [keywords([26]), seen().to_vec()].concat();
    assert!(
        store(&inbox, &[1, 2], StoreAction::Replace, &flags)
            .await
            .is_err()
    );
    assert_eq!(account.names("cur"), names);
    assert_eq!(
        [1, 2].map(|uid| shown(&inbox, uid).0),
        [all(0..27), all(0..26)]
    );
    fs::remove_dir_all(account.root().join("culver.keywords.tmp")).unwrap();
    store(&inbox, &[1, 2], StoreAction::Replace, &flags)
        .await
        .unwrap();
    assert_eq!([1, 2].map(|uid| shown(&inbox, uid).0), ["kw26"; 2]);
    assert!(!account.text("culver.keywords").contains("garbage"));
}

#[tokio::test]
async fn there_is_room_for_so_many() {
    let (_account, inbox) = Account1::with_many(2).await;
    store(&inbox, &[1], StoreAction::Add, &keywords(0..999))
        .await
        .unwrap();
    assert!(matches!(
        store(&inbox, &[2], StoreAction::Add, &keywords([7, 999, 1000])).await,
        Err(Fault::TooManyKeywords)
    ));
    assert_eq!(shown(&inbox, 2).0, "");
    let (.., more) = inbox.select(false).await.unwrap().defined_flags();
    assert!(more);
    store(&inbox, &[2], StoreAction::Add, &keywords([7, 999]))
        .await
        .unwrap();
    assert_eq!(shown(&inbox, 2).0, "kw7 kw999");
    let (_, defined, more) = inbox.select(false).await.unwrap().defined_flags();
    assert_eq!((defined.len(), more), (1000, false));
    assert!(matches!(
        store(&inbox, &[2], StoreAction::Add, &keywords([1000])).await,
        Err(Fault::TooManyKeywords)
    ));
}

/// UNCHANGEDSINCE is about the keywords in question, where they have no letter too.
#[tokio::test]
async fn a_condition_looks_at_them() {
    let (_account, inbox) = Account1::with_many(1).await;
    let picture = inbox.snapshot();
    let since = picture.modseq;
    store(&inbox, &[1], StoreAction::Remove, &keywords([26]))
        .await
        .unwrap();
    for (number, met) in [(27, true), (3, true), (26, false)] {
        let picture = Arc::clone(&picture);
        let condition = Condition { since, picture };
        let stored = inbox
            .store_if(
                &uids(&[1]),
                StoreAction::Remove,
                &keywords([number]),
                Some(condition),
            )
            .await
            .unwrap();
        assert_eq!(stored.modified.len(), u64::from(!met), "kw{number}");
    }
}

/// Lines of messages that are gone go, when they are most of the file.
#[tokio::test]
async fn the_file_does_not_grow_for_ever() {
    let (account, inbox) = Account1::with_many(3).await;
    let lines = || account.text("culver.keywords").lines().count();
    let first = || inbox.snapshot().get(0).unwrap().uid.get();
    let switch = async |round: u32| {
        let action = match round % 2 {
            0 => StoreAction::Add,
            _ => StoreAction::Remove,
        };
        store(&inbox, &[first()], action, &keywords([26]))
            .await
            .unwrap();
    };
    // While others may be at work in the directories every line stays, and their times are young after each change; but
    // a time comes when they are not.
    let in_the_end = async || {
        let end = Instant::now() + Duration::from_secs(60);
        for round in 0.. {
            inbox.bring_up_to_date(true).await.unwrap();
            switch(round).await;
            if lines() < 540 {
                return;
            }
            assert!(Instant::now() < end, "{} lines", lines());
        }
    };
    for round in 0..1200 {
        switch(round).await;
    }
    in_the_end().await;
    // What others expunge, too.
    for _ in 0..600 {
        let moved = inbox.move_to(&uids(&[first()]), &inbox).await;
        moved.unwrap();
    }
    in_the_end().await;
    let flags = [keywords([26]), deleted().to_vec()].concat();
    let rest: Vec<u32> = inbox.snapshot().iter().map(|one| one.uid.get()).collect();
    store(&inbox, &rest, StoreAction::Add, &flags)
        .await
        .unwrap();
    inbox.expunge(None).await.unwrap();
    assert!(lines() < 540, "{}", lines());
    assert_eq!(account.again().await.snapshot().len(), 0);
}

/// One name in both tables, as where somebody has written them by hand, is one keyword.
#[tokio::test]
async fn a_name_that_is_in_both_tables_is_one() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    account.deliver("2.M1P1.host");
    account.write("dovecot-keywords", "0 Twice\n");
    account.write(
        "culver.keywords",
        "V\t1\nk 26 twice\nk 27 Once\nm 26,27 :1.M1P1.host\n",
    );
    let inbox = account.inbox().await;
    inbox.select(false).await.unwrap();
    assert_eq!(shown(&inbox, 1).0, "twice Once");
    assert_eq!(inbox.snapshot().keywords.all().count(), 2);
    store(&inbox, &[1, 2], StoreAction::Add, &[keyword("TWICE")])
        .await
        .unwrap();
    assert_eq!(
        [1, 2].map(|uid| shown(&inbox, uid).0),
        ["Twice Once", "Twice"]
    );
    store(&inbox, &[1], StoreAction::Remove, &[keyword("TWICE")])
        .await
        .unwrap();
    assert_eq!([1, 2].map(|uid| shown(&inbox, uid).0), ["Once", "Twice"]);
}
