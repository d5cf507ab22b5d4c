//! What is told of a mailbox that nobody has open: the same as who opens it would find, whatever others have done since
//! it was noted.

use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use super::history::{expunge, five};
use super::*;
use crate::mailbox::status::{Asked, Known, Status};

const ALL: Asked = Asked {
    size: true,
    deleted_storage: false,
    lasting: true,
    selected: None,
};

impl Account1 {
    /// What a process that starts now is told without opening the mailbox.
    async fn noted(&self) -> Option<Status> {
        noted(&open(self.dir.path())).await
    }

    /// What one is told that opens it.
    async fn found(&self) -> Status {
        found(&open(self.dir.path())).await
    }

    /// As a program that looks for mail does.
    async fn survey(&self) -> Status {
        survey(&open(self.dir.path())).await
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }
}

async fn noted(user: &Arc<User>) -> Option<Status> {
    let names = vec![MailboxName::inbox()];
    match user.known(names, &ALL).await.unwrap().remove(0) {
        Known::Noted(status) => Some(status),
        Known::Open => panic!("it is open"),
        Known::Unknown => None,
    }
}

async fn found(user: &Arc<User>) -> Status {
    let mailbox = user.mailbox(&MailboxName::inbox()).await.unwrap();
    // The first look may have been too near to what it saw.
    mailbox.refresh().await.unwrap();
    user.status(&MailboxName::inbox(), &ALL)
        .await
        .unwrap()
        .status
}

async fn survey(user: &Arc<User>) -> Status {
    // What is not asked for is noted all the same.
    let mut survey = user.survey(Asked {
        lasting: false,
        ..ALL
    });
    let mut answers = survey.of(&[MailboxName::inbox()]).await.unwrap();
    survey.end().await;
    answers.remove(0).unwrap().status
}

/// Five messages, one of them seen, one deleted, one in `new/`; all is noted.
async fn settled() -> Account1 {
    let (account, inbox) = five().await;
    inbox
        .store(&uids(&[2]), StoreAction::Add, &seen())
        .await
        .unwrap();
    inbox
        .store(&uids(&[3]), StoreAction::Add, &deleted())
        .await
        .unwrap();
    drop(inbox);
    account.deliver("6.M1P1.host");
    let account = Account1 {
        user: open(account.dir.path()),
        dir: account.dir,
    };
    settle(&account).await;
    account
}

/// Looks until what is seen is noted: too near to a change it is not.
async fn settle(account: &Account1) {
    for _ in 0..500 {
        account.survey().await;
        if account.noted().await.is_some() {
            return;
        }
    }
    panic!("it is never noted");
}

#[tokio::test]
async fn one_that_nobody_has_open_is_not_opened() {
    let account = settled().await;
    let user = open(account.dir.path());
    let answer = user.status(&MailboxName::inbox(), &ALL).await.unwrap();
    assert!(user.open.lock().await.is_empty());
    let status = answer.status;
    assert_eq!(status, survey(&user).await);
    assert!(user.open.lock().await.is_empty());
    assert_eq!(status, account.found().await);
    let counts = [
        status.messages,
        status.recent,
        status.unseen,
        status.deleted,
    ];
    assert_eq!(counts, [6, 1, 5, 1]);
    // "Subject: 1.M1P1.host", an empty line and "Text", all with CRLF.
    assert_eq!(status.size, Some(6 * (22 + 2 + 6)));
    assert!(status.modseq.is_some());
    // One that is open is asked.
    let inbox = user.mailbox(&MailboxName::inbox()).await.unwrap();
    let view = inbox.select(false).await.unwrap();
    let asked = Asked {
        selected: Some(Arc::clone(&inbox)),
        ..ALL
    };
    let answer = user.status(&MailboxName::inbox(), &asked).await.unwrap();
    assert!(answer.selected);
    assert_eq!((answer.status.recent, view.recent()), (0, 1));
}

/// What another program does.
type Hand = fn(&Account1);

/// Renames within `cur/`, and gives the directory the time that it had.
fn at_equal_times(account: &Account1) {
    let cur = account.file("cur");
    let before = fs::metadata(&cur).unwrap().modified().unwrap();
    account.rename("cur/1.M1P1.host:2,", "cur/1.M1P1.host:2,S");
    fs::File::open(&cur).unwrap().set_modified(before).unwrap();
    assert_eq!(fs::metadata(&cur).unwrap().modified().unwrap(), before);
}

impl Account1 {
    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.file(from), self.file(to)).unwrap();
    }

    fn edit(&self, name: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut octets = fs::read(self.file(name)).unwrap();
        edit(&mut octets);
        fs::write(self.file(name), octets).unwrap();
    }

    /// As a backup is put back: the files are the same, under other inodes.
    fn restore(&self, name: &str) {
        let run = |from: PathBuf, to: PathBuf| {
            let mut copy = std::process::Command::new("cp");
            assert!(copy.arg("-a").arg(from).arg(to).status().unwrap().success());
        };
        let aside = self.dir.path().join(format!("aside-{name}"));
        run(self.file(name), aside.clone());
        match self.file(name).is_dir() {
            true => fs::remove_dir_all(self.file(name)).unwrap(),
            false => fs::remove_file(self.file(name)).unwrap(),
        }
        run(aside, self.file(name));
    }
}

const HANDS: [(&str, Hand); 19] = [
    ("flags", |account| {
        account.rename("cur/1.M1P1.host:2,", "cur/1.M1P1.host:2,S")
    }),
    ("flags, times set back", at_equal_times),
    ("unlink", |account| {
        fs::remove_file(account.file("cur/2.M1P1.host:2,S")).unwrap()
    }),
    ("unlink in new/", |account| {
        fs::remove_file(account.file("new/6.M1P1.host")).unwrap()
    }),
    ("taken over", |account| {
        account.rename("new/6.M1P1.host", "cur/6.M1P1.host:2,")
    }),
    ("moved away", |account| {
        account.rename("cur/4.M1P1.host:2,", "tmp/4")
    }),
    ("delivery", |account| account.deliver("7.M1P1.host")),
    ("delivery by the crate", |account| {
        maildir::Maildir::from(account.root())
            .store_new(b"Subject: x\n\n")
            .unwrap();
    }),
    ("copied into cur/", |account| {
        fs::write(account.file("cur/8.M1P1.host:2,T"), "x").unwrap()
    }),
    ("cur/ replaced", |account| account.restore("cur")),
    ("all replaced", |account| {
        account.restore("cur");
        account.restore("new");
        account.restore("dovecot-uidlist");
        account.restore("culver.index");
        account.restore("culver.log");
        account.restore("culver.status");
    }),
    ("uidlist removed", |account| {
        fs::remove_file(account.file("dovecot-uidlist")).unwrap()
    }),
    ("uidlist replaced", |account| {
        account.restore("dovecot-uidlist")
    }),
    ("uidlist renumbered", |account| {
        account.edit("dovecot-uidlist", |octets| {
            let text = String::from_utf8(octets.clone()).unwrap();
            let (header, rest) = text.split_once('\n').unwrap();
            *octets = format!("{}\n{rest}", header.replacen("V", "V4", 1)).into_bytes();
        });
    }),
    ("uidlist longer", |account| {
        account.edit("dovecot-uidlist", |octets| {
            octets.extend(b"9 :9.M1P1.host\n")
        });
    }),
    ("no index", |account| {
        fs::remove_file(account.file("culver.index")).unwrap()
    }),
    ("no log", |account| {
        fs::remove_file(account.file("culver.log")).unwrap()
    }),
    ("log cut", |account| {
        account.edit("culver.log", |octets| octets.truncate(50))
    }),
    ("new/ removed", |account| {
        fs::remove_dir_all(account.file("new")).unwrap()
    }),
];

/// Whatever they do shows, and what is noted after it is right again.
#[tokio::test]
async fn what_others_do_is_not_missed() {
    for (what, hand) in HANDS {
        let account = settled().await;
        let before = account.noted().await.unwrap();
        hand(&account);
        assert_eq!(account.noted().await, None, "{what}");
        let found = account.found().await;
        println!("{what}");
        settle(&account).await;
        let noted = account.noted().await.unwrap();
        // What lay in new/ is recent for as long as it lies there.
        assert_eq!(noted, account.found().await, "{what}");
        assert!(
            noted.modseq >= found.modseq && found.modseq >= before.modseq,
            "{what}"
        );
    }
}

/// What is noted may be lost, or be of another mailbox.
#[tokio::test]
async fn without_what_was_noted_it_is_opened() {
    let account = settled().await;
    let status = account.file("culver.status");
    let octets = fs::read(&status).unwrap();
    for at in [0, 8, 100, 250, 331, 335] {
        let mut other = octets.clone();
        other[at] ^= 1;
        fs::write(&status, other).unwrap();
        assert_eq!(account.noted().await, None, "octet {at}");
    }
    fs::write(&status, &octets[..300]).unwrap();
    assert_eq!(account.noted().await, None);
    fs::remove_file(&status).unwrap();
    assert_eq!(account.noted().await, None);
    fs::create_dir(&status).unwrap();
    assert_eq!(account.noted().await, None);
    account.survey().await;
    fs::remove_dir(&status).unwrap();
    settle(&account).await;
    assert_eq!(fs::read(&status).unwrap(), octets);
    // A mailbox made from this one.
    let tree = &account.user.tree;
    let copy = MailboxName::from_utf8("copy", '.').unwrap();
    tree.create(&copy).unwrap();
    for name in [
        "dovecot-uidlist",
        "culver.index",
        "culver.log",
        "culver.status",
    ] {
        fs::copy(account.file(name), account.file(".copy").join(name)).unwrap();
    }
    let known = account.user.known(vec![copy], &ALL).await.unwrap();
    assert!(matches!(known[..], [Known::Unknown]));
}

/// A change within the same clock tick as the one before leaves all times as they are: what is seen so near to a change
/// is not noted.
#[tokio::test]
async fn too_near_to_a_change_nothing_is_noted() {
    let account = settled().await;
    let changed = |name: &str| {
        let found = fs::metadata(account.file(name)).unwrap();
        let nanos = u64::try_from(found.ctime() * 1_000_000_000 + found.ctime_nsec()).unwrap();
        SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)
    };
    fs::remove_file(account.file("culver.status")).unwrap();
    let inbox = account.inbox().await;
    inbox.size(&inbox.snapshot()).await.unwrap();
    let all = [
        "new",
        "cur",
        "dovecot-uidlist",
        "culver.index",
        "culver.log",
    ];
    for name in all {
        let time = changed(name);
        for after in [0, 4, 9] {
            inbox
                .note_status_at(move || time + Duration::from_millis(after))
                .await;
            assert_eq!(account.noted().await, None, "{after} ms after {name}");
        }
    }
    let latest = all.into_iter().map(changed).max().unwrap();
    inbox
        .note_status_at(move || latest + Duration::from_millis(11))
        .await;
    assert!(account.noted().await.is_some());
    // The clock was set back.
    fs::remove_file(account.file("culver.status")).unwrap();
    inbox
        .note_status_at(move || latest - Duration::from_secs(3600))
        .await;
    assert_eq!(account.noted().await, Some(account.found().await));
}

#[tokio::test]
async fn another_process_changes_it_while_it_is_open_here() {
    let account = settled().await;
    let inbox = account.inbox().await;
    let _view = inbox.select(false).await.unwrap();
    assert_eq!(account.noted().await, None, "it was taken over");
    let mut before = inbox.snapshot().modseq;
    for round in 0..3 {
        match round {
            0 => drop(
                inbox
                    .store(&uids(&[1]), StoreAction::Add, &seen())
                    .await
                    .unwrap(),
            ),
            1 => expunge(&inbox, &[5]).await,
            _ => inbox.raise_modseq().await.unwrap(),
        }
        assert_eq!(account.noted().await, None);
        let modseq = account.found().await.modseq.unwrap();
        assert!(modseq > before);
        before = modseq;
        settle(&account).await;
        assert_eq!(account.noted().await, Some(account.found().await));
        inbox.refresh().await.unwrap();
        assert_eq!(inbox.snapshot().modseq, before);
    }
}

/// One that has the lock keeps it from being closed, and so from being noted.
#[tokio::test]
async fn under_a_foreign_lock_nothing_is_noted() {
    let account = settled().await;
    account.rename("cur/1.M1P1.host:2,", "cur/1.M1P1.host:2,S");
    let lock = account.file("dovecot-uidlist.lock");
    fs::write(&lock, "foreign").unwrap();
    let status = account.survey().await;
    assert_eq!((status.unseen, status.modseq), (4, None));
    assert_eq!(account.noted().await, None);
    fs::remove_file(lock).unwrap();
    settle(&account).await;
    assert!(account.noted().await.unwrap().modseq.is_some());
}

/// SIZE of files whose names do not tell it is found out once.
#[tokio::test]
async fn a_size_that_nobody_knows_is_not_told() {
    let account = settled().await;
    account.deliver("7.M1P1.host");
    let without = Asked { size: false, ..ALL };
    let mut known = false;
    for _ in 0..500 {
        let user = open(account.dir.path());
        let mut survey = user.survey(without.clone());
        survey.of(&[MailboxName::inbox()]).await.unwrap();
        survey.end().await;
        let names = vec![MailboxName::inbox()];
        let found = user.known(names, &without).await.unwrap().remove(0);
        if let Known::Noted(status) = found {
            assert_eq!((status.messages, status.size), (7, None));
            known = true;
            break;
        }
    }
    assert!(known);
    assert_eq!(account.noted().await, None);
    settle(&account).await;
    assert_eq!(account.noted().await.unwrap().size, Some(7 * 30));
}

/// With Dovecot's CONTROL= it lies where the uidlist does; and it goes where its mailbox goes.
#[tokio::test]
async fn with_control_files_elsewhere_and_under_other_names() {
    for (layout, apart) in [
        (Layout::MaildirPlusPlus, true),
        (Layout::MaildirPlusPlus, false),
        (Layout::Fs, true),
        (Layout::Fs, false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let start = || {
            let control = apart.then(|| dir.path().join("control"));
            let location = Location {
                root: dir.path().join("Maildir"),
                control,
                layout,
                names: DiskNames::Utf7,
                follow_links_out: false,
            };
            User::open(Account {
                location,
                ..account(PathBuf::new())
            })
            .unwrap()
        };
        let [a, b] = ["a", "b"].map(|name| MailboxName::from_utf8(name, '/').unwrap());
        let user = start();
        user.create(&a).await.unwrap();
        let folder = match layout {
            Layout::MaildirPlusPlus => ".a",
            Layout::Fs => "a",
        };
        fs::write(
            dir.path()
                .join("Maildir")
                .join(folder)
                .join("new/1.M1P1.host"),
            "x\n",
        )
        .unwrap();
        let mut status = None;
        for _ in 0..500 {
            let mut survey = user.survey(ALL);
            survey.of(std::slice::from_ref(&a)).await.unwrap();
            survey.end().await;
            let known = user.known(vec![a.clone(), b.clone()], &ALL).await.unwrap();
            assert!(matches!(known[1], Known::Unknown));
            if let Known::Noted(noted) = &known[0] {
                status = Some(noted.clone());
                break;
            }
        }
        let status = status.expect("it is never noted");
        let other = start();
        let answer = other.examine(&a, &ALL).await.unwrap().0;
        assert_eq!(status, answer.status);
        drop(other);
        user.rename(&a, &b).await.unwrap();
        let known = user.known(vec![a.clone(), b], &ALL).await.unwrap();
        let [Known::Unknown, Known::Noted(moved)] = &known[..] else {
            panic!("{layout:?} {apart} {known:?}");
        };
        assert_eq!(*moved, status);
    }
}

/// Everybody at once: sessions of two processes, and other programs. What is noted is what is found, at every step.
#[tokio::test]
async fn what_is_noted_is_what_is_found() {
    for seed in 1..=3_u64 {
        let account = settled().await;
        let mut random = seed;
        let mut next = move |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let mut held = None;
        let mut count = 6;
        for step in 0..60 {
            let files = account.names("cur");
            let one = files.get(usize::try_from(next(files.len().max(1) as u64)).unwrap());
            match next(8) {
                0 => {
                    count += 1;
                    account.deliver(&format!("{count}.M1P1.host"));
                }
                1 | 2 => {
                    if let Some(one) = one {
                        let to = match one.strip_suffix('S') {
                            Some(without) => without.to_owned(),
                            None => format!("{one}S"),
                        };
                        account.rename(&format!("cur/{one}"), &format!("cur/{to}"));
                    }
                }
                3 => {
                    if let Some(one) = one {
                        fs::remove_file(account.file("cur").join(one)).unwrap();
                    }
                }
                4 => {
                    let inbox = account.reopened().await;
                    let view = inbox.select(next(2) == 0).await.unwrap();
                    held = Some((inbox, view));
                }
                5 => {
                    if let Some((inbox, _)) = &held {
                        let action = [StoreAction::Add, StoreAction::Remove];
                        let action = action[usize::try_from(next(2)).unwrap()];
                        let all = inbox.snapshot().iter().map(|one| one.uid.get()).collect();
                        inbox.store(&all, action, &seen()).await.unwrap();
                    }
                }
                _ => {
                    held = None;
                    account.survey().await;
                }
            }
            if let Some(noted) = account.noted().await {
                assert_eq!(noted, account.found().await, "seed {seed}, step {step}");
            }
        }
    }
}
