//! Sessions and other programs at work in two mailboxes at once: nothing is lost, shown twice, or told gone
//! while it is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;

/// How many acts each task does.
const ACTS: usize = 40;

/// Numbers that look random, the same for the same seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// What all tasks write down, to be compared at the end.
#[derive(Default)]
struct Record {
    /// Base name by UID, for each mailbox: one UID never means two messages.
    named: Mutex<HashMap<(usize, u32), Vec<u8>>>,
    /// `Message-ID`s that somebody has removed on purpose.
    removed: Mutex<BTreeSet<u64>>,
    next_id: AtomicU64,
}

fn text(id: u64) -> String {
    format!("Message-ID: <{id}@storm>\n\ntext\n")
}

fn id_of(text: &str) -> u64 {
    let start = text.find('<').unwrap() + 1;
    let end = text.find('@').unwrap();
    text[start..end].parse().unwrap()
}

/// One session: a view on one of the mailboxes, and random acts.
async fn session(boxes: [Arc<Mailbox>; 2], at: usize, seed: u64, record: Arc<Record>) -> View {
    let mut dice = Dice(seed);
    let mut view = boxes[at].select(false).await.unwrap();
    for _ in 0..ACTS {
        let mailbox = Arc::clone(view.mailbox());
        let all = view.all();
        let one = (!all.is_empty()).then(|| all[dice.below(all.len())].clone());
        let named = one.as_ref().map(|one| uids(&[one.message.uid.get()]));
        let act = dice.below(8);
        match (act, named) {
            (0, _) | (_, None) => {
                let id = record.next_id.fetch_add(1, Ordering::Relaxed);
                let mut upload = mailbox.upload().unwrap();
                upload.begin(false).await.unwrap();
                upload.write(text(id).into_bytes()).await.unwrap();
                upload.end(&[], None).await.unwrap();
                mailbox.append(upload).await.unwrap();
            }
            (1 | 2, Some(named)) => {
                let flags = if dice.below(2) == 0 {
                    seen()
                } else {
                    [Flag::System(SystemFlag::Flagged)]
                };
                let action = [StoreAction::Add, StoreAction::Remove][dice.below(2)];
                mailbox.store(&named, action, &flags).await.unwrap();
            }
            (3, Some(named)) => match mailbox.copy(&named, &boxes[1 - at]).await {
                Ok(copied) => assert_eq!(copied.to.len(), 1),
                Err(fault) => assert!(matches!(fault, Fault::Expunged), "{fault}"),
            },
            (4 | 5, Some(named)) => match mailbox.move_to(&named, &boxes[1 - at]).await {
                Ok(moved) => assert_eq!(moved.to.len(), 1),
                Err(fault) => assert!(matches!(fault, Fault::Expunged), "{fault}"),
            },
            (6, Some(named)) => {
                // Written down before it happens, as a message may go at any time after.
                let message = &one.as_ref().unwrap().message;
                if let Ok(mut file) = mailbox.open(message) {
                    let mut body = String::new();
                    std::io::Read::read_to_string(&mut file, &mut body).unwrap();
                    record.removed.lock().unwrap().insert(id_of(&body));
                }
                let stored = mailbox.store(&named, StoreAction::Add, &deleted()).await;
                stored.unwrap();
                mailbox.expunge(Some(&named)).await.unwrap();
            }
            (_, Some(_)) => mailbox.refresh().await.unwrap(),
        }
        let allowed = [Expunge::Allowed, Expunge::Held][dice.below(2)];
        view.sync(allowed).unwrap();
        let mut named = record.named.lock().unwrap();
        for message in view.snapshot().iter() {
            let base = message.name.base().to_vec();
            let before = named
                .entry((at, message.uid.get()))
                .or_insert_with(|| base.clone());
            assert_eq!(*before, base, "UID {} means two messages", message.uid);
        }
    }
    view
}

/// An MTA and a mail reader that know nothing of locks.
fn foreigner(
    roots: [PathBuf; 2],
    seed: u64,
    links: bool,
    record: Arc<Record>,
    stop: Arc<AtomicBool>,
) {
    let mut dice = Dice(seed);
    while !stop.load(Ordering::Relaxed) {
        let root = &roots[dice.below(2)];
        let cur: Vec<PathBuf> = fs::read_dir(root.join("cur"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        let path = (!cur.is_empty()).then(|| cur[dice.below(cur.len())].clone());
        match (dice.below(8), path) {
            (0 | 1, _) | (_, None) => {
                let id = record.next_id.fetch_add(1, Ordering::Relaxed);
                let name = format!("1700000000.M{id}P1.mta");
                fs::write(root.join("tmp").join(&name), text(id)).unwrap();
                fs::rename(root.join("tmp").join(&name), root.join("new").join(&name)).unwrap();
            }
            (2, Some(path)) => {
                // By what was read before: if it moved meanwhile, nothing is unlinked.
                if let Ok(body) = fs::read_to_string(&path) {
                    record.removed.lock().unwrap().insert(id_of(&body));
                    let _ = fs::remove_file(&path);
                }
            }
            (act, Some(path)) => {
                let name = path.file_name().unwrap().to_str().unwrap();
                let (base, _) = name.split_once(":2,").unwrap();
                let flags = ["", "S", "F", "FS"][dice.below(4)];
                let new = path.with_file_name(format!("{base}:2,{flags}"));
                if new == path {
                } else if links && act == 3 {
                    // As some do: link, then unlink.
                    if fs::hard_link(&path, &new).is_ok() {
                        let _ = fs::remove_file(&path);
                    }
                } else if !new.exists() {
                    let _ = fs::rename(&path, &new);
                }
            }
        }
        std::thread::yield_now();
    }
}

fn picture(view: &View, links: bool) -> Vec<(u32, String)> {
    let name = |picked: crate::mailbox::view::Picked| {
        let name = &picked.message.name;
        // Of two links to one file either name will do.
        let shown = if links { name.base() } else { name.bytes() };
        (
            picked.message.uid.get(),
            String::from_utf8_lossy(shown).into_owned(),
        )
    };
    view.all().into_iter().map(name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_twice_or_told_gone_in_a_storm() {
    storm(1, false).await;
    storm(2, true).await;
}

async fn storm(seed: u64, links: bool) {
    let account = Account1::new();
    let name = MailboxName::from_utf8("Work", '.').unwrap();
    account.user.create(&name).await.unwrap();
    let boxes = [
        account.inbox().await,
        account.user.mailbox(&name).await.unwrap(),
    ];
    let roots = [account.root(), account.root().join(".Work")];
    let record = Arc::new(Record::default());
    let stop = Arc::new(AtomicBool::new(false));
    let others = std::thread::spawn({
        let (roots, record, stop) = (roots.clone(), Arc::clone(&record), Arc::clone(&stop));
        move || foreigner(roots, 7919 * seed, links, record, stop)
    });
    let tasks: Vec<_> = (0..4)
        .map(|n| {
            let seed = seed * 1_000_003 + n as u64 * 7;
            tokio::spawn(session(boxes.clone(), n % 2, seed, Arc::clone(&record)))
        })
        .collect();
    let mut views = Vec::new();
    for task in tasks {
        views.push(task.await.unwrap());
    }
    stop.store(true, Ordering::Relaxed);
    others.join().unwrap();

    // All is quiet: every picture comes to be what a fresh start sees.
    let fresh = open(account.dir.path());
    let mut kept = BTreeMap::new();
    for (at, name) in [MailboxName::inbox(), name].iter().enumerate() {
        while {
            boxes[at].refresh().await.unwrap();
            boxes[at].look(|turn| Ok(turn.disk.rescan)).await.unwrap()
        } {}
        let view = fresh
            .mailbox(name)
            .await
            .unwrap()
            .select(true)
            .await
            .unwrap();
        let expected = picture(&view, links);
        for own in views
            .iter_mut()
            .filter(|view| Arc::ptr_eq(view.mailbox(), &boxes[at]))
        {
            // The last events of others may still be on their way.
            let mut changes = own.mailbox().changes();
            own.sync(Expunge::Allowed).unwrap();
            while picture(own, links) != expected {
                let heard = tokio::time::timeout(Duration::from_secs(10), changes.changed()).await;
                own.sync(Expunge::Allowed).unwrap();
                if heard.is_err() {
                    assert_eq!(picture(own, links), expected, "seed {seed}, mailbox {at}");
                }
            }
            assert_eq!(own.exists() as usize, expected.len());
        }
        let named = record.named.lock().unwrap();
        for message in view.snapshot().iter() {
            if let Some(before) = named.get(&(at, message.uid.get())) {
                assert_eq!(before, message.name.base(), "seed {seed}");
            }
        }
        for sub in ["new", "cur"] {
            for entry in fs::read_dir(roots[at].join(sub)).unwrap() {
                let text = fs::read_to_string(entry.unwrap().path()).unwrap();
                *kept.entry(id_of(&text)).or_insert(0) += 1;
            }
        }
        if !links {
            assert_eq!(files(&roots[at]), expected.len(), "seed {seed}");
        }
    }
    // Who was told gone never comes back under another UID, unless somebody linked it in between.
    let mut told = HashMap::new();
    for (&(at, uid), base) in record.named.lock().unwrap().iter() {
        let other = told.insert((at, base.clone()), uid);
        assert!(links || other.is_none(), "seed {seed}: {uid} was {other:?}");
    }
    let removed = record.removed.lock().unwrap();
    for id in 0..record.next_id.load(Ordering::Relaxed) {
        let there = kept.contains_key(&id) || removed.contains(&id);
        assert!(there, "seed {seed}: message {id} was lost");
    }
}

fn files(root: &Path) -> usize {
    let count = |sub| fs::read_dir(root.join(sub)).unwrap().count();
    count("new") + count("cur")
}

/// Messages that are renamed while their mailbox is opened keep their UIDs.
#[tokio::test(flavor = "multi_thread")]
async fn an_opening_amid_renames_keeps_uids() {
    const MESSAGES: usize = 500;
    let account = Account1::new();
    (0..MESSAGES).for_each(|n| account.deliver(&format!("{n}.M1P1.host")));
    let inbox = account.inbox().await;
    inbox.select(false).await.unwrap();
    let uids = |inbox: &Mailbox| -> BTreeMap<Vec<u8>, u32> {
        let snapshot = inbox.snapshot();
        let named = snapshot
            .iter()
            .map(|one| (one.name.base().to_vec(), one.uid.get()));
        named.collect()
    };
    let before = uids(&inbox);
    assert_eq!(before.len(), MESSAGES);
    drop(inbox);
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, cur) = (Arc::clone(&stop), account.root().join("cur"));
    let renames = std::thread::spawn(move || {
        let (mut dice, mut flagged) = (Dice(7), [false; MESSAGES]);
        let path = |n: usize, flagged| {
            cur.join(format!(
                "{n}.M1P1.host:2,{}",
                ["", "F"][usize::from(flagged)]
            ))
        };
        while !stopped.load(Ordering::Relaxed) {
            let n = dice.below(MESSAGES);
            fs::rename(path(n, flagged[n]), path(n, !flagged[n])).unwrap();
            flagged[n] = !flagged[n];
        }
    });
    for _ in 0..10 {
        let user = open(account.dir.path());
        let inbox = user.mailbox(&MailboxName::inbox()).await.unwrap();
        assert!(uids(&inbox) == before, "at first");
        inbox.refresh().await.unwrap();
        assert!(uids(&inbox) == before, "at the next look");
    }
    stop.store(true, Ordering::Relaxed);
    renames.join().unwrap();
}
