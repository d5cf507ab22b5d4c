//! The rules of taking over, with a made-up clock, host and process table.

use super::*;
use crate::spool::testing::{Mail, folder};

const NAME: &str = "dovecot-uidlist.lock";
const US: u32 = 4242;

/// One who tries for the lock of INBOX, `later` than the test began.
struct Waiter {
    watch: Watch,
    later: Duration,
    began: (SystemTime, Instant),
    alive: Vec<u32>,
}

impl Waiter {
    fn new() -> Waiter {
        Waiter {
            watch: Watch::default(),
            later: Duration::ZERO,
            began: (SystemTime::now(), Instant::now()),
            alive: vec![US, 1],
        }
    }

    fn attempt(&mut self, mail: &Mail) -> Try {
        let dir = folder(mail).control_to_write().expect("a directory");
        let alive = &self.alive;
        let observer = Observer {
            wall: self.began.0 + self.later,
            now: self.began.1 + self.later,
            pid: US,
            host: b"here",
            is_alive: &|pid| alive.contains(&pid),
        };
        let patience = Patience::Watched(&mut self.watch);
        observer
            .attempt(dir, NAME, "dovecot-uidlist", patience)
            .expect("a try")
    }

    /// Whether, so much later, a try removes the lock that is there.
    fn takes_over(&mut self, mail: &Mail, seconds: u64) -> bool {
        self.later = Duration::from_secs(seconds);
        assert!(matches!(self.attempt(mail), Try::Busy));
        let removed = !mail.exists(NAME);
        assert_eq!(self.watch.least_pause() == REMOVAL_PAUSE, removed);
        removed
    }
}

#[test]
fn it_holds_who_and_where_and_goes_when_dropped() {
    let mail = Mail::new();
    let Try::Held(lock) = Waiter::new().attempt(&mail) else {
        panic!("nobody else is there");
    };
    assert_eq!(mail.read(NAME), "4242:here");
    assert!(matches!(Waiter::new().attempt(&mail), Try::Busy));
    mail.set_mtime(NAME, -60);
    lock.touch().expect("still ours");
    assert!(mail.mtime(NAME) > 0);
    drop(lock);
    assert!(!mail.exists(NAME));
    assert!(matches!(Waiter::new().attempt(&mail), Try::Held(_)));
}

#[test]
fn a_lock_of_a_process_that_is_gone_is_removed_at_once() {
    let mail = Mail::new();
    mail.write(NAME, "77:here");
    let mut waiter = Waiter::new();
    // Removed in one try, made in the next: Dovecot's pause between the two.
    assert!(waiter.takes_over(&mail, 0));
    assert!(matches!(waiter.attempt(&mail), Try::Held(_)));
}

#[test]
fn a_lock_of_a_living_process_is_never_removed() {
    let mail = Mail::new();
    mail.write(NAME, "1:here");
    let mut waiter = Waiter::new();
    assert!(!waiter.takes_over(&mail, 3));
    assert!(!waiter.takes_over(&mail, 100_000));
}

#[test]
fn our_own_number_is_stale_only_if_we_do_not_hold_it() {
    let mail = Mail::new();
    let Try::Held(lock) = Waiter::new().attempt(&mail) else {
        panic!("nobody else is there");
    };
    assert!(!Waiter::new().takes_over(&mail, 1000));
    drop(lock);
    mail.write(NAME, "4242:here");
    assert!(Waiter::new().takes_over(&mail, 3));
}

#[test]
fn what_names_no_process_here_must_not_change_for_two_minutes() {
    for content in [
        "77:elsewhere",
        "",
        "x:here",
        "77",
        "99999999999:here",
        "\u{0}",
    ] {
        let mail = Mail::new();
        mail.write(NAME, content);
        let mut waiter = Waiter::new();
        assert!(!waiter.takes_over(&mail, 3), "{content:?}");
        assert!(!waiter.takes_over(&mail, 122), "{content:?}");
        assert!(waiter.takes_over(&mail, 123), "{content:?}");
    }
}

#[test]
fn a_change_of_the_lock_or_of_the_uidlist_begins_the_wait_anew() {
    let mail = Mail::new();
    mail.write(NAME, "77:elsewhere");
    let mut waiter = Waiter::new();
    assert!(!waiter.takes_over(&mail, 3));
    mail.write("dovecot-uidlist", "x");
    assert!(!waiter.takes_over(&mail, 123));
    mail.set_mtime(NAME, 1);
    assert!(!waiter.takes_over(&mail, 242));
    assert!(!waiter.takes_over(&mail, 361));
    assert!(waiter.takes_over(&mail, 362));
}

#[test]
fn a_clock_set_back_does_not_keep_a_dead_lock() {
    let mail = Mail::new();
    mail.write(NAME, "77:here");
    mail.set_mtime(NAME, 8 * 60 * 60);
    assert!(Waiter::new().takes_over(&mail, 0));
}

#[test]
fn a_lock_that_was_taken_over_is_left_to_its_new_holder() {
    let mail = Mail::new();
    let Try::Held(lock) = Waiter::new().attempt(&mail) else {
        panic!("nobody else is there");
    };
    std::fs::rename(mail.path(NAME), mail.path("kept")).expect("moved");
    mail.write(NAME, "1:here");
    assert!(lock.touch().is_err());
    drop(lock);
    assert_eq!(mail.read(NAME), "1:here");
}

#[test]
fn of_two_who_find_it_stale_the_slower_leaves_the_new_one() {
    let mail = Mail::new();
    mail.write(NAME, "77:here");
    let dir = folder(&mail).control_to_write().expect("a directory");
    let stale = trace(&dir, NAME).expect("stat").expect("there");
    let slow = File::open(mail.path(NAME)).expect("open");
    assert!(Waiter::new().takes_over(&mail, 3));
    let Try::Held(lock) = Waiter::new().attempt(&mail) else {
        panic!("free now");
    };
    assert!(!remove_stale(&dir, NAME, Some(&slow), (stale.0, stale.1)).expect("a try"));
    lock.touch().expect("still ours");
}

#[test]
fn it_is_a_symbolic_link_or_a_directory() {
    let mail = Mail::new();
    std::os::unix::fs::symlink("/etc/passwd", mail.path(NAME)).expect("a link");
    let mut waiter = Waiter::new();
    assert!(!waiter.takes_over(&mail, 3));
    assert!(waiter.takes_over(&mail, 1000));
    std::fs::create_dir(mail.path(NAME)).expect("a directory");
    assert!(!waiter.takes_over(&mail, 2000));
    waiter.later = Duration::from_secs(4000);
    let dir = folder(&mail).control_to_write().expect("a directory");
    let mut watch = std::mem::take(&mut waiter.watch);
    let observer = Observer {
        wall: waiter.began.0 + waiter.later,
        now: waiter.began.1 + waiter.later,
        pid: US,
        host: b"here",
        is_alive: &|_| true,
    };
    let patience = Patience::Watched(&mut watch);
    assert!(
        observer
            .attempt(dir, NAME, "dovecot-uidlist", patience)
            .is_err()
    );
}

#[test]
fn the_real_thing_knows_its_own_host_and_process() {
    let mail = Mail::new();
    let folder = folder(&mail);
    let Ok(Try::Held(_lock)) = Lock::attempt(&folder, &mut Watch::default()) else {
        panic!("nobody else is there");
    };
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    assert_eq!(mail.read(NAME), format!("{}:{host}", std::process::id()));
    assert!(is_alive(1) && is_alive(std::process::id()) && !is_alive(0));
}

#[test]
fn of_many_threads_one_holds_it() {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    let mail = Mail::new();
    let folder = folder(&mail);
    let (taken, times) = (AtomicBool::new(false), AtomicUsize::new(0));
    let work = || {
        let mut watch = Watch::default();
        while times.load(Ordering::Relaxed) < 200 {
            match Lock::attempt(&folder, &mut watch).expect("a try") {
                Try::Held(lock) => {
                    assert!(!taken.swap(true, Ordering::SeqCst));
                    times.fetch_add(1, Ordering::Relaxed);
                    assert!(taken.swap(false, Ordering::SeqCst));
                    drop(lock);
                }
                Try::Busy => std::thread::yield_now(),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(work);
        }
    });
    assert!(!mail.exists(NAME));
}
