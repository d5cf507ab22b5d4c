//! Mail that an MTA brings. It is written as APPEND writes it, to `tmp/` while it comes, and then placed in `new/` of one
//! mailbox or several, as any MTA would place it: without the uidlist's lock, for it needs no UID yet. Whoever has the
//! mailbox open hears of it as of all mail, and gives it its UID and keywords.
//!
//! Nothing is acknowledged here before the file and its name are on the disk, whatever `[mail] fsync` says: who brings
//! mail forgets it then.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::imap::flag::SystemFlags;
use crate::imap::name::MailboxName;
use crate::mailbox::fault::{Fault, blocking};
use crate::mailbox::quota::{Amount, Quota};
use crate::mailbox::user::User;
use crate::spool::deliver::{Complete, Delivery};
use crate::spool::filename::Letters;
use crate::spool::folder::{Folder, Sub};
use crate::spool::quota::Change;

/// A mailbox that mail is brought to. Nobody need have it open.
pub struct Target {
    name: MailboxName,
    folder: Arc<Folder>,
    quota: Arc<Quota>,
}

/// Mail on its way. Dropping it leaves nothing, and is **blocking**.
pub struct Incoming {
    folder: Arc<Folder>,
    /// Away while a piece is being written, and after one could not be.
    delivery: Option<Delivery>,
}

/// Mail that is whole and synced, and in no mailbox yet. What is in none when it is dropped is gone. Dropping it is **blocking**.
pub struct Whole {
    complete: Arc<Complete>,
}

impl User {
    /// The mailbox that mail is for: the one of this name, in UTF-8 as IMAP has it, if there is one and it can be
    /// written; else INBOX.
    pub async fn target(self: &Arc<Self>, wanted: Option<&str>) -> Result<Target, Fault> {
        let name = wanted.and_then(|text| MailboxName::from_utf8(text, self.separator()).ok());
        let name = match name.filter(|name| self.tree.check(name).is_ok()) {
            Some(name) => Some(self.canonical(name).await?),
            None => None,
        };
        let user = Arc::clone(self);
        let found = blocking("opening a mailbox", move || {
            let found = name.and_then(|name| match user.tree.folder(&name) {
                Ok(folder) => folder.is_writable().then_some((name, folder)),
                Err(error) => {
                    tracing::debug!("no mail goes to {name}: {error}");
                    None
                }
            });
            match found {
                Some(found) => Ok(found),
                None => {
                    let inbox = MailboxName::inbox();
                    user.tree.folder(&inbox).map(|folder| (inbox, folder))
                }
            }
        })
        .await?;
        let (name, folder) = found.map_err(|error| self.quota.fault("opening a mailbox", error))?;
        Ok(Target {
            name,
            folder: Arc::new(folder),
            quota: Arc::clone(&self.quota),
        })
    }
}

impl Target {
    /// The mailbox's name.
    pub fn name(&self) -> &MailboxName {
        &self.name
    }

    /// The device that the mailbox is on.
    pub fn device(&self) -> u64 {
        self.folder.identity().0
    }

    /// Whether mail can be brought now, of so many octets where that is known: it tries all that bringing it will need,
    /// and leaves nothing.
    pub async fn try_out(&self, size: Option<u64>) -> Result<(), Fault> {
        // However large it is announced to be, less of it may be kept than has come.
        let smallest = Amount {
            storage: 1,
            messages: 1,
        };
        self.quota.room(Amount::default()).take(smallest).await?;
        let folder = Arc::clone(&self.folder);
        let tried = blocking("trying whether mail can be written", move || {
            folder.takes_new()?;
            Delivery::create(&folder)?.try_room(size.unwrap_or(1).max(1))
        })
        .await?;
        tried.map_err(|error| fault(&self.folder, "trying whether mail can be written", error))
    }
}

impl Incoming {
    /// Begins one in the `tmp/` of the first mailbox that it is for.
    pub async fn begin(target: &Target) -> Result<Incoming, Fault> {
        let folder = Arc::clone(&target.folder);
        let create = Arc::clone(&folder);
        let delivery = blocking("creating a message", move || Delivery::create(&create)).await?;
        let delivery = delivery.map_err(|error| fault(&folder, "creating a message", error))?;
        Ok(Incoming {
            folder,
            delivery: Some(delivery),
        })
    }

    /// Writes the next octets; CRLF is stored as LF, as Dovecot does.
    pub async fn write(&mut self, octets: Vec<u8>) -> Result<(), Fault> {
        let mut delivery = self.take()?;
        let written = blocking("writing a message", move || {
            delivery.write(&octets).map(|()| delivery)
        })
        .await?;
        let written = written.map_err(|error| fault(&self.folder, "writing a message", error))?;
        self.delivery = Some(written);
        Ok(())
    }

    /// Ends it: all of it is on the disk.
    pub async fn end(mut self) -> Result<Whole, Fault> {
        let delivery = self.take()?;
        let complete = blocking("finishing a message", move || delivery.finish(None)).await?;
        let complete =
            complete.map_err(|error| fault(&self.folder, "finishing a message", error))?;
        Ok(Whole {
            complete: Arc::new(complete),
        })
    }

    fn take(&mut self) -> Result<Delivery, Fault> {
        let cut_off = || {
            let error = io::Error::other("an earlier piece was not written");
            fault(&self.folder, "writing a message", error)
        };
        self.delivery.take().ok_or_else(cut_off)
    }
}

impl Whole {
    /// Octets of the file.
    pub fn size(&self) -> u64 {
        self.complete.size()
    }

    /// Places it in a mailbox, durably: where it is for several, the file is the same one in all of them if it can be.
    /// [`Fault::OverQuota`] or [`Fault::OverQuotaForNow`] if the account has no room for it; it is then not there.
    pub async fn place(&self, target: &Target) -> Result<(), Fault> {
        self.place_if(target, &Arc::new(AtomicBool::new(true)))
            .await
    }

    /// The same, if it is still `wanted` when nothing is left to wait for but the disk.
    pub async fn place_if(&self, target: &Target, wanted: &Arc<AtomicBool>) -> Result<(), Fault> {
        let mut room = target.quota.room(Amount::default());
        room.take(Amount {
            storage: self.size(),
            messages: 1,
        })
        .await?;
        let counted = target.quota.enter().await;
        let (complete, folder) = (Arc::clone(&self.complete), Arc::clone(&target.folder));
        let (quota, wanted) = (Arc::clone(&target.quota), Arc::clone(wanted));
        let placed = blocking("delivering a message", move || {
            let _counted = counted;
            if !wanted.load(Ordering::Relaxed) {
                return Err(io::Error::other("nobody waits for it any more"));
            }
            place(&complete, &folder)?;
            let mut change = Change::default();
            change.add(complete.size());
            quota.note(change);
            Ok(())
        })
        .await?;
        placed.map_err(|error| fault(&target.folder, "delivering a message", error))
    }
}

/// **Blocking**.
fn place(complete: &Complete, folder: &Folder) -> io::Result<()> {
    let name = complete.fresh_name(Sub::New, SystemFlags::default(), Letters::default())?;
    complete.place_also(folder, Sub::New, &name)?;
    let Err(error) = folder.sync(Sub::New) else {
        return Ok(());
    };
    // It is not acknowledged and so will come again. What somebody has seen meanwhile stays, and is there twice then.
    if let Err(error) = folder.unlink(Sub::New, &name) {
        tracing::error!("a message that could not be made durable stays in the mailbox: {error}");
    }
    Err(error)
}

fn fault(folder: &Folder, doing: &str, error: io::Error) -> Fault {
    Fault::from_io(format!("{doing} in {}", folder.path().display()), error)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::mailbox::quota::Limits;
    use crate::mailbox::tests::account;
    use crate::mailbox::user::{Account, Fsync};

    fn user(root: PathBuf, quota: Limits) -> Arc<User> {
        let account = Account {
            fsync: Fsync::Never,
            quota,
            ..account(root)
        };
        User::open(account).unwrap()
    }

    async fn written(target: &Target, octets: &[&[u8]]) -> Whole {
        let mut incoming = Incoming::begin(target).await.unwrap();
        for octets in octets {
            incoming.write(octets.to_vec()).await.unwrap();
        }
        incoming.end().await.unwrap()
    }

    fn files(dir: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    #[tokio::test]
    async fn mail_for_many_is_one_file() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        let (ann, bob) = (
            user(at("ann"), Limits::default()),
            user(at("bob"), Limits::default()),
        );
        ann.create(&MailboxName::from_utf8("Lists.Übung", '.').unwrap())
            .await
            .unwrap();
        let targets = [
            ann.target(None).await.unwrap(),
            bob.target(Some("none")).await.unwrap(),
            ann.target(Some("Lists.Übung")).await.unwrap(),
        ];
        let whole = written(&targets[0], &[b"Subject: x\r", b"\n\r\none\rtwo\nthree\r"]).await;
        for target in &targets {
            whole.place(target).await.unwrap();
        }
        drop(whole);
        let places = ["ann/new", "bob/new", "ann/.Lists.&ANw-bung/new"].map(at);
        let mut inodes = Vec::new();
        for place in &places {
            let [file] = files(place).try_into().unwrap();
            assert_eq!(
                fs::read(&file).unwrap(),
                b"Subject: x\n\none\rtwo\nthree\r".to_vec()
            );
            let stat = fs::metadata(&file).unwrap();
            assert_eq!(stat.nlink(), 3);
            inodes.push(stat.ino());
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            assert!(name.contains(",S=") && !name.contains(":2,"), "{name}");
        }
        inodes.dedup();
        assert_eq!(inodes.len(), 1);
        assert!(files(&at("ann/tmp")).is_empty());
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_placed() {
        let home = tempfile::tempdir().unwrap();
        let ann = user(home.path().join("ann"), Limits::default());
        let target = ann.target(None).await.unwrap();
        let whole = written(&target, &[b"text"]).await;
        let wanted = Arc::new(AtomicBool::new(false));
        whole.place_if(&target, &wanted).await.unwrap_err();
        assert!(files(&home.path().join("ann/new")).is_empty());
        wanted.store(true, Ordering::Relaxed);
        whole.place_if(&target, &wanted).await.unwrap();
    }

    #[tokio::test]
    async fn names_that_are_none_are_the_inbox() {
        let home = tempfile::tempdir().unwrap();
        let ann = user(home.path().join("ann"), Limits::default());
        ann.create(&MailboxName::from_utf8("There", '.').unwrap())
            .await
            .unwrap();
        let names = [
            "",
            ".",
            "..",
            "../x",
            "/etc",
            "a\0b",
            "%2f",
            "not there",
            "a/b",
            "inbox",
        ];
        for name in names {
            let target = ann.target(Some(name)).await.unwrap();
            assert_eq!(target.folder.path(), home.path().join("ann"), "{name}");
            assert!(target.name().is_inbox(), "{name}");
        }
        let there = ann.target(Some("There")).await.unwrap();
        assert_eq!(there.folder.path(), home.path().join("ann/.There"));
        assert_eq!(there.name().to_string(), "There");
    }

    #[tokio::test]
    async fn there_is_no_more_than_the_quota_and_what_came_is_counted() {
        let home = tempfile::tempdir().unwrap();
        let limits = Limits {
            storage: Some(25),
            messages: None,
        };
        let ann = user(home.path().join("ann"), limits);
        let target = ann.target(None).await.unwrap();
        let whole = written(&target, &[b"ten octets"]).await;
        whole.place(&target).await.unwrap();
        whole.place(&target).await.unwrap();
        let refused = whole.place(&target).await.unwrap_err();
        assert!(matches!(refused, Fault::OverQuota), "{refused}");
        assert_eq!(files(&home.path().join("ann/new")).len(), 2);
        let state = ann.quota().state().await.unwrap().unwrap();
        assert_eq!((state.usage.storage, state.usage.messages), (20, 2));
    }

    #[tokio::test]
    async fn limits_that_are_taken_away_hold_no_longer() {
        let home = tempfile::tempdir().unwrap();
        let limits = Limits {
            storage: Some(15),
            messages: None,
        };
        let ann = user(home.path().join("ann"), limits);
        let target = ann.target(None).await.unwrap();
        let whole = written(&target, &[b"ten octets"]).await;
        whole.place(&target).await.unwrap();
        whole.place(&target).await.unwrap_err();
        ann.limit(Limits::default());
        whole.place(&target).await.unwrap();
        assert!(ann.quota().state().await.unwrap().is_none());
        // Nor do they come back with the file.
        assert!(!home.path().join("ann/maildirsize").exists());
        ann.limit(limits);
        whole.place(&target).await.unwrap_err();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn those_who_come_at_once_are_together_no_more_than_the_quota() {
        let home = tempfile::tempdir().unwrap();
        let limits = Limits {
            storage: None,
            messages: Some(40),
        };
        let ann = user(home.path().join("ann"), limits);
        let target = Arc::new(ann.target(None).await.unwrap());
        let whole = Arc::new(written(&target, &[b"text"]).await);
        let bringing: Vec<_> = (0..8)
            .map(|_| {
                let (target, whole) = (Arc::clone(&target), Arc::clone(&whole));
                tokio::spawn(async move {
                    for _ in 0..20 {
                        let _ = whole.place(&target).await;
                    }
                })
            })
            .collect();
        for brought in bringing {
            brought.await.unwrap();
        }
        // What was refused for a while has room now, if there is any.
        while whole.place(&target).await.is_ok() {}
        assert_eq!(files(&home.path().join("ann/new")).len(), 40);
    }

    #[tokio::test]
    async fn room_that_others_may_not_need_is_waited_for() {
        let home = tempfile::tempdir().unwrap();
        let limits = Limits {
            storage: Some(25),
            messages: None,
        };
        let ann = user(home.path().join("ann"), limits);
        let target = ann.target(None).await.unwrap();
        let whole = written(&target, &[b"ten octets"]).await;
        let mut uploading = ann.quota().room(Amount::default());
        let most = Amount {
            storage: 20,
            messages: 1,
        };
        uploading.take(most).await.unwrap();
        let refused = whole.place(&target).await.unwrap_err();
        assert!(matches!(refused, Fault::OverQuotaForNow), "{refused}");
        // Nor would it be there if nobody else came.
        let large = written(&target, &[&[b'x'; 30]]).await;
        let refused = large.place(&target).await.unwrap_err();
        assert!(matches!(refused, Fault::OverQuota), "{refused}");
        drop(uploading);
        whole.place(&target).await.unwrap();
    }

    #[tokio::test]
    async fn what_would_fail_is_known_before() {
        let home = tempfile::tempdir().unwrap();
        let limits = Limits {
            storage: Some(10),
            messages: None,
        };
        let ann = user(home.path().join("ann"), limits);
        let target = ann.target(None).await.unwrap();
        for size in [None, Some(0), Some(1000), Some(2 << 20)] {
            target.try_out(size).await.unwrap();
        }
        let refused = target.try_out(Some(u64::MAX)).await.unwrap_err();
        assert!(matches!(refused, Fault::DiskFull(_)), "{refused}");
        assert!(files(&home.path().join("ann/tmp")).is_empty());
        written(&target, &[b"ten octets"])
            .await
            .place(&target)
            .await
            .unwrap();
        let refused = target.try_out(None).await.unwrap_err();
        assert!(matches!(refused, Fault::OverQuota), "{refused}");
        let bob = user(home.path().join("bob"), Limits::default());
        let target = bob.target(None).await.unwrap();
        fs::remove_dir(home.path().join("bob/tmp")).unwrap();
        fs::write(home.path().join("bob/tmp"), "no directory").unwrap();
        target.try_out(None).await.unwrap_err();
    }

    #[tokio::test]
    async fn what_is_given_up_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let ann = user(home.path().join("ann"), Limits::default());
        let target = ann.target(None).await.unwrap();
        let mut incoming = Incoming::begin(&target).await.unwrap();
        incoming.write(b"half".to_vec()).await.unwrap();
        drop(incoming);
        drop(written(&target, &[b"whole"]).await);
        for sub in ["tmp", "new", "cur"] {
            assert!(files(&home.path().join("ann").join(sub)).is_empty());
        }
    }
}
