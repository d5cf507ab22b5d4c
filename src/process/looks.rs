//! Looks at the directories of users' mail, which master has to know to find a worker for them. They may be on a file
//! system that hangs, so each look has a thread of its own, nobody waits long for one, and what hangs is not looked at once
//! more: whoever is there meanwhile is told to come again, and the mail of others is served.

use std::collections::HashMap;
use std::collections::hash_map;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tracing::warn;

use crate::blocking;
use crate::process::child::Event;
use crate::process::place::Place;
use crate::process::worker::identities;

/// How long the directories of a user's mail may take to be found.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// Looks at one file system at a time that are not late; others wait for a turn.
const TURNS: usize = 16;

/// Looks that are late: beyond so many in all, or on one file system, nothing new is looked at. Threads there are for no
/// more than these and those whose turn it is.
const LATE_MAX: usize = 256;
const LATE_OF_ONE: usize = 64;

/// Symbolic links that are followed to find out which file system a name leads to.
const LINKS_MAX: usize = 16;

/// Tells what is mounted where, and asks none of these file systems for it.
const MOUNTS: &str = "/proc/self/mountinfo";

/// Octets of a thread's stack: a path takes 4096, and the system's calls do not go deep.
const STACK: usize = 256 << 10;

/// What is looked at: a place where a user might be served, and the user's mail.
pub type Question = (Place, PathBuf);

/// The place where the user is served, and what is there now of its directories: device and inode of each.
pub type Found = (Place, Vec<(u64, u64)>);

/// How it is found where the mail is mounted, how it is looked, and how long that may take.
type How = (fn(&Path) -> PathBuf, fn(Question) -> Found, Duration);

/// All that are under way, and what waits for each of them.
pub struct Looks<E> {
    all: HashMap<Question, Look<E>>,
    disks: Arc<Disks>,
}

struct Look<E> {
    waiting: Vec<E>,
    late: bool,
}

/// The file systems that are being looked at.
struct Disks {
    /// By where they are mounted.
    all: Mutex<HashMap<PathBuf, Arc<Disk>>>,
    together: Threads,
}

/// What there may be of looks at one file system.
struct Disk {
    /// That are not late.
    prompt: Semaphore,
    threads: Threads,
}

/// Threads that there may be, and how many of them are late.
struct Threads {
    left: Arc<Semaphore>,
    late: AtomicUsize,
    late_max: usize,
}

impl<E> Looks<E> {
    /// None yet.
    pub fn new() -> Looks<E> {
        Looks {
            all: HashMap::new(),
            disks: Arc::new(Disks {
                all: Mutex::default(),
                together: Threads::new(LATE_MAX),
            }),
        }
    }

    /// Has `errand` wait for a look, which tells `events` what comes of it, once or twice: see [`Looks::end`].
    ///
    /// # Errors
    ///
    /// The errand, where there is no hope that it will be heard of soon.
    pub fn begin(
        &mut self,
        question: Question,
        errand: E,
        events: &mpsc::Sender<Event>,
    ) -> Result<(), E> {
        self.begin_with(question, errand, events, (mount, find, LOOK_LIMIT))
    }

    fn begin_with(
        &mut self,
        question: Question,
        errand: E,
        events: &mpsc::Sender<Event>,
        how: How,
    ) -> Result<(), E> {
        match self.all.entry(question) {
            hash_map::Entry::Occupied(mut look) => {
                if look.get().late {
                    return Err(errand);
                }
                look.get_mut().waiting.push(errand);
            }
            hash_map::Entry::Vacant(free) => {
                let (question, disks) = (free.key().clone(), Arc::clone(&self.disks));
                tokio::spawn(look(question, disks, events.clone(), how));
                free.insert(Look {
                    waiting: vec![errand],
                    late: false,
                });
            }
        }
        Ok(())
    }

    /// A look has ended, or (`is_over` being false) is late and goes on. Gives what waits for it.
    pub fn end(&mut self, question: &Question, is_over: bool) -> Vec<E> {
        if is_over {
            let look = self.all.remove(question);
            return look.map(|look| look.waiting).unwrap_or_default();
        }
        let Some(look) = self.all.get_mut(question) else {
            return Vec::new();
        };
        look.late = true;
        std::mem::take(&mut look.waiting)
    }
}

impl Disks {
    fn mounted_at(&self, mount: PathBuf) -> Arc<Disk> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, disk| Arc::strong_count(disk) > 1);
        let disk = all.entry(mount).or_insert_with(|| {
            Arc::new(Disk {
                prompt: Semaphore::new(TURNS),
                threads: Threads::new(LATE_OF_ONE),
            })
        });
        Arc::clone(disk)
    }
}

impl Threads {
    fn new(late_max: usize) -> Threads {
        Threads {
            left: Arc::new(Semaphore::new(late_max + TURNS)),
            late: AtomicUsize::new(0),
            late_max,
        }
    }

    fn are_hopeless(&self) -> bool {
        self.late.load(Ordering::Relaxed) >= self.late_max
    }

    async fn take(&self) -> io::Result<OwnedSemaphorePermit> {
        let leave = Arc::clone(&self.left).acquire_owned().await;
        leave.map_err(io::Error::other)
    }
}

/// One look, to its end.
async fn look(
    question: Question,
    disks: Arc<Disks>,
    events: mpsc::Sender<Event>,
    (mount, find, limit): How,
) {
    // Nobody hears it once master is at its end.
    let tell = async |found| drop(events.send(Event::Looked(question.clone(), found)).await);
    let root = question.1.clone();
    let mut finding = blocking::spawn(move || mount(&root));
    let disk = match timeout(limit, &mut finding).await {
        Ok(Ok(mount)) => disks.mounted_at(mount),
        Ok(Err(error)) => return tell(Some(Err(error.into()))).await,
        // No thread can be started. Once one can, whoever comes is looked for anew.
        Err(late) => {
            tell(None).await;
            let _ = finding.await;
            return tell(Some(Err(late.into()))).await;
        }
    };
    if disk.threads.are_hopeless() || disks.together.are_hopeless() {
        return tell(Some(Err(io::ErrorKind::TimedOut.into()))).await;
    }
    let (sender, mut found) = oneshot::channel();
    let in_time = async {
        // It is given back when the look ends or is late.
        let _turn = disk.prompt.acquire().await.map_err(io::Error::other)?;
        // Given back when the thread ends: one that is late still has them.
        let leave = (disk.threads.take().await?, disks.together.take().await?);
        let asked = question.clone();
        let thread = thread::Builder::new().stack_size(STACK);
        thread.spawn(move || {
            let _leave = leave;
            sender.send(find(asked)).is_ok()
        })?;
        (&mut found).await.map_err(io::Error::other)
    };
    let late = match timeout(limit, in_time).await {
        Ok(found) => return tell(Some(found)).await,
        Err(late) => late,
    };
    warn!("{} does not answer: {late}", question.1.display());
    let threads = [&disk.threads, &disks.together];
    for threads in threads {
        threads.late.fetch_add(1, Ordering::Relaxed);
    }
    tell(None).await;
    // One that never had a turn, or no thread, ends here.
    let found = found.await.map_err(io::Error::other);
    for threads in threads {
        threads.late.fetch_sub(1, Ordering::Relaxed);
    }
    tell(Some(found)).await;
}

/// Where the file system is mounted that this mail is on; without the list of mounts all are on one. **Blocking**.
fn mount(root: &Path) -> PathBuf {
    led_to(root, &fs::read_to_string(MOUNTS).unwrap_or_default())
}

/// Where the file system is mounted that mail is on: homes may be symbolic links from the root file system to others. Only
/// what is in that one is asked where it leads, for this program lies there too: the others may hang. **Blocking**.
fn led_to(path: &Path, mounts: &str) -> PathBuf {
    let parts = |path: &Path| -> Vec<OsString> {
        let parts = path.components().rev();
        parts.map(|part| part.as_os_str().to_owned()).collect()
    };
    let root = Path::new("/");
    let (mut at, mut rest, mut links) = (root.to_path_buf(), parts(path), 0);
    while !mounts.is_empty()
        && links < LINKS_MAX
        && let Some(part) = rest.pop()
    {
        let above = at.clone();
        match part == ".." {
            true => drop(at.pop()),
            false => at.push(part),
        }
        if mount_of(&at, mounts) != root {
            break;
        }
        if let Ok(target) = fs::read_link(&at) {
            links += 1;
            at = above;
            rest.extend(parts(&target));
        }
    }
    at.extend(rest.into_iter().rev());
    mount_of(&at, mounts)
}

/// Where the file system is mounted that a path is on, by its name: the list of mounts is as proc_pid_mountinfo(5) has it.
fn mount_of(path: &Path, mounts: &str) -> PathBuf {
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    let points = points.map(|point| PathBuf::from(point.replace("\\040", " ")));
    let above = points.filter(|point| path.starts_with(point));
    let nearest = above.max_by_key(|point| point.components().count());
    nearest.unwrap_or_else(|| PathBuf::from("/"))
}

/// Looks at the directories themselves: mail that lies elsewhere by way of a symbolic link has a place of its own.
/// **Blocking**.
fn find((place, root): Question) -> Found {
    if place.reach.is_none() {
        // The worker may name any, and none is compared with what it has. But whether this one hangs is to show here.
        let _ = fs::metadata(&root);
    }
    let leads_out = place.crowded
        && place
            .common()
            .is_some_and(|common| leads_out(&root, common));
    let place = match leads_out {
        true => place.alone(root),
        false => place,
    };
    let here = identities(place.reach.as_deref().unwrap_or_default());
    (place, here)
}

/// Whether what is there of a path lies outside of a directory, in which its name is.
fn leads_out(path: &Path, common: &Path) -> bool {
    let Ok(common) = fs::canonicalize(common) else {
        return false;
    };
    let there = path
        .ancestors()
        .find_map(|path| fs::canonicalize(path).ok());
    there.is_some_and(|there| !there.starts_with(&common) && !common.starts_with(&there))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::Condvar;

    use super::*;

    /// Long enough for what does not hang.
    const LIMIT: Duration = Duration::from_secs(1);

    /// Until then what hangs does.
    static MENDED: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

    fn mount_some(root: &Path) -> PathBuf {
        root.iter().take(2).collect()
    }

    fn find_some((place, root): Question) -> Found {
        if root.starts_with("/hung") {
            let mut mended = MENDED.0.lock().unwrap();
            while !*mended {
                mended = MENDED.1.wait(mended).unwrap();
            }
        }
        (place, Vec::new())
    }

    #[test]
    fn a_file_system_is_known_by_its_name() {
        let mounts = "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
            30 21 0:40 / /hung rw,relatime shared:7 - nfs4 nas:/ rw\n\
            31 30 0:41 / /hung/two\\040words rw - nfs4 nas:/two rw\n";
        for (path, mount) in [
            ("/home/ann", "/"),
            ("/hung/ann", "/hung"),
            ("/hung", "/hung"),
            ("/hungry", "/"),
            ("/hung/two words/x", "/hung/two words"),
        ] {
            assert_eq!(mount_of(Path::new(path), mounts), Path::new(mount));
        }
        assert_eq!(mount_of(Path::new("/x"), ""), Path::new("/"));
    }

    #[tokio::test]
    async fn what_hangs_costs_its_owners_a_while_and_others_nothing() {
        let (events, mut happened) = mpsc::channel(1000);
        let mut looks = Looks::new();
        let begin = |looks: &mut Looks<usize>, root: &str, errand| {
            let root = PathBuf::from(root);
            let question = (Place::of_uid(7), root);
            looks.begin_with(question, errand, &events, (mount_some, find_some, LIMIT))
        };
        const HUNG: usize = LATE_OF_ONE + 1;
        for errand in 0..HUNG {
            begin(&mut looks, &format!("/hung/{errand}"), errand).unwrap();
        }
        // Who comes to what is looked at waits for the same look.
        begin(&mut looks, "/hung/0", HUNG).unwrap();
        begin(&mut looks, "/home/bob", HUNG + 1).unwrap();
        let begun = tokio::time::Instant::now();
        let mut late = Vec::new();
        while late.len() <= HUNG {
            let Some(Event::Looked(question, found)) = happened.recv().await else {
                panic!("something else has happened");
            };
            let errands = looks.end(&question, found.is_some());
            match found {
                Some(Ok(_)) => {
                    assert_eq!(errands, [HUNG + 1]);
                    assert!(begun.elapsed() < LIMIT && late.is_empty());
                }
                // It has had no turn in time, and has said so.
                Some(Err(_)) => assert!(errands.is_empty()),
                None => late.extend(errands),
            }
        }
        late.sort_unstable();
        assert_eq!(late, (0..=HUNG).collect::<Vec<_>>());
        begin(&mut looks, "/hung/0", 0).unwrap_err();
        begin(&mut looks, "/home/bob", 0).unwrap();

        *MENDED.0.lock().unwrap() = true;
        MENDED.1.notify_all();
        while !looks.all.is_empty() {
            let Some(Event::Looked(question, Some(_))) = happened.recv().await else {
                panic!("something else has happened");
            };
            looks.end(&question, true);
        }
        looks.disks.mounted_at("/".into());
        assert_eq!(looks.disks.all.lock().unwrap().len(), 1);
        begin(&mut looks, "/hung/0", 0).unwrap();
    }

    /// Of looks that hang for good.
    static HANGING: AtomicUsize = AtomicUsize::new(0);

    fn hang(_: Question) -> Found {
        HANGING.fetch_add(1, Ordering::Relaxed);
        loop {
            thread::park();
        }
    }

    #[tokio::test]
    async fn those_that_wait_for_a_turn_are_no_threads() {
        let (events, mut happened) = mpsc::channel(1000);
        let mut looks = Looks::new();
        const MANY: usize = 5 * LATE_OF_ONE;
        let how: How = (mount_some, hang, Duration::from_millis(200));
        for errand in 0..MANY {
            let question = (Place::of_uid(7), PathBuf::from(format!("/stuck/{errand}")));
            looks.begin_with(question, errand, &events, how).unwrap();
        }
        let (mut late, mut over) = (0, 0);
        while late < MANY || over < MANY - LATE_OF_ONE - TURNS {
            match happened.recv().await.unwrap() {
                Event::Looked(question, None) => late += looks.end(&question, false).len(),
                Event::Looked(question, Some(found)) => {
                    found.unwrap_err();
                    looks.end(&question, true);
                    over += 1;
                }
                _ => panic!("something else has happened"),
            }
        }
        assert_eq!((late, over + looks.all.len()), (MANY, MANY));
        assert!(HANGING.load(Ordering::Relaxed) <= LATE_OF_ONE + TURNS);
    }

    #[test]
    fn a_link_in_the_root_file_system_is_followed() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::create_dir_all(at("dir/two")).unwrap();
        symlink("/hung/ann", at("ann")).unwrap();
        symlink("../../ann", at("dir/two/again")).unwrap();
        symlink("round", at("round")).unwrap();
        let mounts = "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 21 0:40 / /hung rw - nfs4 nas:/ rw\n";
        for (name, mount) in [
            ("ann/Maildir", "/hung"),
            ("dir/two/again/Maildir", "/hung"),
            ("dir/two/../x", "/"),
            ("round/Maildir", "/"),
            ("dir/none", "/"),
        ] {
            assert_eq!(led_to(&at(name), mounts), Path::new(mount), "{name}");
        }
        assert_eq!(led_to(Path::new("/hung/x"), mounts), Path::new("/hung"));
        assert_eq!(led_to(&at("ann"), ""), Path::new("/"));
    }

    #[test]
    fn a_link_may_lead_out() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        for dir in ["vmail/a/ann", "disk/b/bob"] {
            fs::create_dir_all(at(dir)).unwrap();
        }
        symlink(at("disk/b"), at("vmail/b")).unwrap();
        symlink(at("vmail"), at("mail")).unwrap();
        for (path, common, out) in [
            ("vmail/a/ann/Maildir", "vmail", false),
            ("vmail/a/new", "vmail", false),
            ("vmail/new/new", "vmail", false),
            ("vmail/b/bob", "vmail", true),
            ("vmail/b/new/Maildir", "vmail", true),
            ("mail/a/ann", "mail", false),
            ("mail/b/bob", "mail", true),
            ("not/there", "not", false),
        ] {
            assert_eq!(leads_out(&at(path), &at(common)), out, "{path}");
        }
    }
}
