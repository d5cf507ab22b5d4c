//! Mod-sequences (RFC 7162) as a view tells them, and STORE under a condition.

use super::*;
use crate::imap::sequence::ModSeq;
use crate::mailbox::alter::{Condition, Stored};
use crate::mailbox::watch::{Ear, Inbox, Kind};
use crate::spool::folder::Sub;

/// What a client would be told, with the mod-sequences that it knew before as `-`.
fn told_since(view: &mut View, expunge: Expunge, known: ModSeq) -> Vec<String> {
    let updates = view.sync(expunge).unwrap().updates;
    let short = |update| match update {
        Update::Flags {
            number,
            message,
            known: only_modseq,
            ..
        } => {
            let news = if message.modseq > known { "+" } else { "-" };
            let flags = if only_modseq { "" } else { " FLAGS" };
            Some(format!("{number}{flags} {news}"))
        }
        Update::Expunge(_, uid) => Some(format!("VANISHED {uid}")),
        _ => None,
    };
    updates.into_iter().filter_map(short).collect()
}

async fn filled() -> (Account1, Arc<Mailbox>, View) {
    let account = Account1::new();
    for number in 1..=4 {
        account.deliver(&format!("{number}.M1P1.host"));
    }
    let inbox = account.inbox().await;
    let mut view = inbox.select(false).await.unwrap();
    assert!(view.with_modseqs());
    (account, inbox, view)
}

async fn add(inbox: &Arc<Mailbox>, numbers: &[u32], flag: SystemFlag) -> Stored {
    let flags = [Flag::System(flag)];
    inbox
        .store(&uids(numbers), StoreAction::Add, &flags)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_silent_store_tells_the_mod_sequence_alone() {
    let (_account, inbox, mut view) = filled().await;
    let before = view.snapshot().modseq;
    let stored = add(&inbox, &[1, 2], SystemFlag::Seen).await;
    view.silenced(&uids(&[1, 2]), &stored, false);
    let told = told_since(&mut view, Expunge::Held, before);
    assert_eq!(told, ["1 +", "2 +"]);
    // What was so already is no news, but under a condition it is answered.
    for (conditional, expected) in [(false, &[][..]), (true, &["1 -"])] {
        let now = view.snapshot().modseq;
        let stored = add(&inbox, &[1], SystemFlag::Seen).await;
        view.silenced(&uids(&[1]), &stored, conditional);
        assert_eq!(told_since(&mut view, Expunge::Held, now), expected);
    }
}

#[tokio::test]
async fn a_change_and_its_opposite_are_told_to_who_hears_of_mod_sequences() {
    let (_account, inbox, mut view) = filled().await;
    let mut plain = inbox.select(true).await.unwrap();
    let before = view.snapshot().modseq;
    add(&inbox, &[3], SystemFlag::Seen).await;
    let seen = seen();
    let undone = inbox.store(&uids(&[3]), StoreAction::Remove, &seen).await;
    undone.unwrap();
    let told = told_since(&mut view, Expunge::Held, before);
    assert_eq!(told, ["3 FLAGS +"]);
    assert!(told_since(&mut plain, Expunge::Held, before).is_empty());
}

#[tokio::test]
async fn highestmodseq_does_not_run_ahead() {
    let (_account, inbox, mut view) = filled().await;
    let start = view.highest_modseq();
    add(&inbox, &[4], SystemFlag::Deleted).await;
    assert_eq!(told_since(&mut view, Expunge::Held, start), ["4 FLAGS +"]);
    // Shown in a FETCH response: nothing more to say.
    assert_eq!(view.settle_modseq(true), None);
    let known = view.highest_modseq();
    assert!(known > start);

    inbox.expunge(None).await.unwrap();
    add(&inbox, &[1], SystemFlag::Seen).await;
    let told = told_since(&mut view, Expunge::Held, known);
    assert_eq!(told, ["1 FLAGS +"]);
    assert_eq!(
        view.settle_modseq(true),
        Some(known),
        "an expunge is held back"
    );
    assert_eq!(view.settle_modseq(true), None, "nothing was shown since");
    assert_eq!(view.highest_modseq(), known);

    let told = told_since(&mut view, Expunge::Allowed, known);
    assert_eq!(told, ["VANISHED 4"]);
    let now = view.snapshot().modseq;
    assert_eq!(view.settle_modseq(true), Some(now));
    assert_eq!(
        (view.settle_modseq(true), view.highest_modseq()),
        (None, now)
    );

    // Who does not resynchronise by it is not told that it has risen.
    add(&inbox, &[2], SystemFlag::Deleted).await;
    inbox.expunge(None).await.unwrap();
    told_since(&mut view, Expunge::Allowed, now);
    assert_eq!(view.settle_modseq(false), None);
    assert!(view.highest_modseq() > now);
}

#[tokio::test]
async fn what_has_vanished() {
    let (_account, inbox, view) = filled().await;
    let since = view.snapshot().modseq;
    let vanished = |since, known: Option<SequenceSet>| inbox.vanished(since, known.as_ref());
    assert!(vanished(since, None).is_empty());
    add(&inbox, &[2, 4], SystemFlag::Deleted).await;
    inbox.expunge(None).await.unwrap();
    assert_eq!(vanished(since, None), uids(&[2, 4]));
    let bound = |number| Bound::Number(std::num::NonZeroU32::new(number).unwrap());
    let known = |from, to| SequenceSet::new(vec![(from, to)]);
    let last = known(bound(3), Bound::Last);
    assert_eq!(vanished(since, last), uids(&[4]));
    let some = known(bound(1), bound(3));
    assert_eq!(vanished(since, some), uids(&[2]));
    let now = inbox.snapshot().modseq;
    assert!(vanished(now, None).is_empty());
    // The picture has them still.
    assert_eq!(view.uids(), uids(&[1, 2, 3, 4]));
}

#[tokio::test]
async fn a_condition_is_about_the_flags_in_question() {
    let (_account, inbox, view) = filled().await;
    let since = view.snapshot().modseq;
    add(&inbox, &[1, 2], SystemFlag::Flagged).await;
    let work = [Flag::Keyword(Keyword::new("$Work").unwrap())];
    let flagged = [Flag::System(SystemFlag::Flagged)];
    let picture = Arc::clone(view.snapshot());
    let condition = |since| {
        let picture = Arc::clone(&picture);
        Some(Condition { since, picture })
    };
    for (number, action, flags, since, modified) in [
        (1, StoreAction::Add, &work, since, false),
        (1, StoreAction::Add, &flagged, since, true),
        (2, StoreAction::Remove, &flagged, since, true),
        (2, StoreAction::Replace, &work, since, true),
        (2, StoreAction::Remove, &work, ModSeq(0), true),
        (2, StoreAction::Remove, &work, since, false),
        (3, StoreAction::Replace, &work, since, false),
        (4, StoreAction::Add, &work, ModSeq(0), true),
        (9, StoreAction::Add, &work, since, false),
    ] {
        let one = uids(&[number]);
        let stored = inbox.store_if(&one, action, flags, condition(since)).await;
        let stored = stored.unwrap();
        let expected = if modified { one } else { NumberSet::new() };
        assert_eq!(stored.modified, expected, "{number} {action:?} {flags:?}");
    }
}

/// Another process writes the uidlist first, and which mod-sequence it has given then: what is looked at between is not
/// shown before that can be heard.
#[tokio::test]
async fn no_state_of_what_others_number_is_without_mod_sequences() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    fs::write(account.root().join("cur/2.M1P1.host:2,S"), "\nText\n").unwrap();
    let list = account.root().join("dovecot-uidlist");
    let numbered = fs::read_to_string(&list).unwrap() + "2 :2.M1P1.host\n";
    fs::write(&list, numbered).unwrap();
    // The first that is told of is another, which has no UID.
    account.deliver("3.M1P1.host");
    let events = Inbox::default();
    events.hear(Sub::New, b"3.M1P1.host", Kind::Appeared);
    let looked = inbox.glance(move |turn| {
        turn.watched = true;
        turn.glance(&events, false)
    });
    assert!(looked.await.unwrap(), "there is something to write");
    assert!(inbox.snapshot().keeps_modseqs());
    assert_eq!(inbox.snapshot().len(), 1);
    inbox.refresh().await.unwrap();
    assert!(inbox.snapshot().keeps_modseqs());
    let uids: Vec<u32> = inbox.snapshot().iter().map(|one| one.uid.get()).collect();
    assert_eq!(uids, [1, 2, 3]);
}
