//! What sessions do, and what other sessions see of it.

use super::*;

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
async fn a_picture_knows_what_it_has_changed_in() {
    let account = Account1::new();
    (1..=5).for_each(|n| account.deliver(&format!("{n}.M1P1.host")));
    let inbox = account.inbox().await;
    let mut view = inbox.select(false).await.unwrap();
    let sync = |view: &mut View, expunge| {
        let synced = view.sync(expunge).unwrap();
        let plain = |(number, uid): &(SeqNum, Uid)| (number.0.get(), uid.get());
        let gone: Vec<_> = synced.gone.iter().map(plain).collect();
        (gone, synced.touched)
    };
    assert_eq!(sync(&mut view, Expunge::Held), (vec![], uids(&[])));
    // Changes that the client need not hear of count too.
    let stored = inbox
        .store(&uids(&[1, 4]), StoreAction::Add, &seen())
        .await
        .unwrap();
    view.told(&uids(&[1]), &stored.snapshot);
    assert_eq!(sync(&mut view, Expunge::Held), (vec![], uids(&[1, 4])));
    inbox
        .store(&uids(&[2, 5]), StoreAction::Add, &deleted())
        .await
        .unwrap();
    inbox.expunge(None).await.unwrap();
    account.deliver("6.M1P1.host");
    inbox.refresh().await.unwrap();
    // The one that was the last, though it is gone, and the one that is.
    let gone = vec![(2, 2), (5, 5)];
    assert_eq!(
        sync(&mut view, Expunge::Held),
        (gone.clone(), uids(&[5, 6]))
    );
    // As long as they are not told, with numbers that are still good; and once more with those.
    assert_eq!(sync(&mut view, Expunge::Allowed), (gone, uids(&[])));
    assert_eq!(sync(&mut view, Expunge::Allowed), (vec![], uids(&[])));
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
    upload.begin(false).await.unwrap();
    upload
        .write(b"Subject: first\r\n\r\nx\r\n".to_vec())
        .await
        .unwrap();
    upload.end(&other, None).await.unwrap();
    work.append(upload).await.unwrap();

    let mut upload = inbox.upload().unwrap();
    upload.begin(false).await.unwrap();
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
async fn a_silent_store_hides_its_own_change_and_nobody_elses() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    account.deliver("2.M1P1.host");
    let inbox = account.inbox().await;
    let mut view = inbox.select(false).await.unwrap();
    let flagged = [Flag::System(SystemFlag::Flagged)];
    let (one, both) = (uids(&[1]), uids(&[1, 2]));
    let others = inbox.store(&one, StoreAction::Add, &flagged).await;
    others.unwrap();
    let ours = inbox.store(&both, StoreAction::Add, &seen()).await.unwrap();
    view.silenced(&both, &ours, false);
    assert_eq!(told(&mut view, Expunge::Held), ["1 FETCH \\Flagged \\Seen"]);
}

#[tokio::test]
async fn a_silent_store_that_another_undoes_at_once_is_told() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    let mut view = inbox.select(false).await.unwrap();
    let one = uids(&[1]);
    let mut ours = inbox.store(&one, StoreAction::Add, &seen()).await.unwrap();
    let others = inbox.store(&one, StoreAction::Remove, &seen()).await;
    // Theirs may come in before ours looks at what it has done.
    ours.snapshot = others.unwrap().snapshot;
    view.silenced(&one, &ours, false);
    assert_eq!(told(&mut view, Expunge::Held), ["1 FETCH "]);
    assert!(told(&mut view, Expunge::Held).is_empty());
}

#[tokio::test]
async fn a_silent_store_that_missed_a_file_is_told_when_it_is_there() {
    let account = Account1::new();
    account.deliver("1.M1P1.host");
    let inbox = account.inbox().await;
    let mut view = inbox.select(false).await.unwrap();
    let one = uids(&[1]);
    let (here, away) = (
        account.root().join("cur/1.M1P1.host:2,"),
        account.root().join("away"),
    );
    fs::rename(&here, &away).unwrap();
    let stored = inbox.store(&one, StoreAction::Add, &seen()).await.unwrap();
    assert_eq!(stored.gone, one);
    fs::rename(&away, &here).unwrap();
    view.silenced(&one, &stored, false);
    assert_eq!(awaited(&mut view).await, ["1 FETCH "]);
}
