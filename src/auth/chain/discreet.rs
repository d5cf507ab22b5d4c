//! What strangers do not learn, and what they cannot have: who exists, free guesses, another's verdict, the lane of those
//! who are known.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time;

use super::tests::{authenticator, credentials};
use super::*;
use crate::auth::{Proof, Purpose, Question, hash};
use crate::config::Config;

/// Held by who measures: others who compute would be measured, too.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Rounds beside which nothing else counts.
const ROUNDS: u32 = 200_000;

/// A hash of `secret` in many rounds, as crypt(3) has it, without the name of a scheme.
fn bare() -> String {
    let setting = format!("$6$rounds={ROUNDS}$saltsaltsaltsalt");
    crate::auth::crypt::crypt(b"secret", &setting).unwrap()
}

/// Whether times are compared: on a machine that does other things beside they tell nothing.
fn is_timed() -> bool {
    std::env::var_os("CULVER_TEST_LONG").is_some()
}

/// How long a refusal takes, if nothing else is done meanwhile: the fastest of a few.
async fn refusal(auth: &Authenticator, user: &str) -> Duration {
    let mut fastest = Duration::MAX;
    for _ in 0..if is_timed() { 4 } else { 1 } {
        let start = Instant::now();
        let verdict = auth.check(credentials(user, "wrong")).await;
        assert_eq!(verdict, Verdict::Denied, "{user}");
        fastest = fastest.min(start.elapsed());
    }
    fastest
}

#[track_caller]
fn alike(one: Duration, other: Duration) {
    let (less, more) = (one.min(other), one.max(other));
    assert!(!is_timed() || more < less * 2, "{one:?} {other:?}");
}

/// Time stands still for what sleeps, so that hashes alone are measured.
#[tokio::test(start_paused = true)]
async fn nobody_costs_what_somebody_does() {
    let _alone = ALONE.lock().await;
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("users"), format!("ann:{}\n", bare())).unwrap();
    let auth = authenticator(directory.path(), "", &["users"]);
    let somebody = refusal(&auth, "ann").await;
    for nobody in ["amy", "bob"] {
        alike(refusal(&auth, nobody).await, somebody);
    }
}

/// What no password fits costs what a wrong password does.
#[tokio::test(start_paused = true)]
async fn who_is_locked_costs_what_others_do() {
    let _alone = ALONE.lock().await;
    let directory = tempfile::tempdir().unwrap();
    let hash = bare();
    let lines = format!("ann:{hash}\nlocked:!{hash}\nodd:{{NONSENSE}}x\nstar:*\nx:x\n");
    fs::write(directory.path().join("users"), lines).unwrap();
    let auth = authenticator(directory.path(), "", &["users"]);
    let somebody = refusal(&auth, "ann").await;
    for user in ["locked", "odd", "star", "x"] {
        alike(refusal(&auth, user).await, somebody);
    }
}

/// A wrong password is tried on in every source, so whoever is asked about costs what all of them cost.
#[tokio::test(start_paused = true)]
async fn which_source_knows_somebody_is_not_told() {
    let _alone = ALONE.lock().await;
    let directory = tempfile::tempdir().unwrap();
    let dear = format!("ann:{}\n", bare());
    fs::write(directory.path().join("dear"), dear).unwrap();
    fs::write(directory.path().join("cheap"), "bob:{PLAIN}1\n").unwrap();
    for files in [["dear", "cheap"], ["cheap", "dear"]] {
        let auth = authenticator(directory.path(), "", &files);
        let nobody = refusal(&auth, "carl").await;
        for user in ["ann", "bob"] {
            alike(refusal(&auth, user).await, nobody);
        }
        // Who is let in pays for no other's hash.
        let mut fastest = Duration::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            let bob = auth.check(credentials("bob", "1")).await;
            assert!(matches!(bob, Verdict::Granted(_)));
            fastest = fastest.min(start.elapsed());
        }
        assert!(!is_timed() || fastest < nobody / 2);
    }
}

/// Says that all passwords are right, and keeps what it was asked.
#[derive(Default)]
struct Asked(std::sync::Mutex<Vec<(String, Option<IpAddr>, Purpose)>>);

impl Outside for Asked {
    fn open(&self, _: usize, _: &str, path: &Path) -> io::Result<fs::File> {
        fs::File::open(path)
    }

    fn prove(&self, _: usize, question: Question) -> io::Result<Proof> {
        let (peer, purpose) = (question.peer, question.purpose);
        self.0.lock().unwrap().push((question.user, peer, purpose));
        Ok(Proof::Right)
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_decided_by_the_address_holds_for_that_alone() {
    for source in [
        "kind = \"pam\"",
        "kind = \"exec\"\ncommand = [\"/bin/true\"]",
    ] {
        let text = format!("[[auth.source]]\n{source}\n");
        let asked = Arc::new(Asked::default());
        let outside: Arc<dyn Outside> = asked.clone();
        let auth = Authenticator::new(&Config::parse(&text).unwrap().auth, 0, &outside);
        let submission = Purpose::Submission { penalty: true };
        for (peer, purpose, times) in [
            ("192.0.2.1:1", Purpose::Session, 1),
            ("192.0.2.1:2", Purpose::Session, 1),
            ("192.0.2.2:1", Purpose::Session, 2),
            ("192.0.2.1:1", submission, 3),
            ("192.0.2.1:1", Purpose::Submission { penalty: false }, 3),
            ("", submission, 4),
        ] {
            let mut credentials = credentials("daemon", "x");
            credentials.line.peer = peer.to_owned();
            credentials.line.purpose = purpose;
            let verdict = auth.check(credentials).await;
            assert!(matches!(verdict, Verdict::Granted(_)), "{source}");
            assert_eq!(asked.0.lock().unwrap().len(), times, "{peer} {purpose:?}");
        }
    }
}

/// Checks take until they are let go, but of the password `quick`; and lookups of one who hangs.
#[derive(Default)]
struct Slow(AtomicUsize, AtomicBool);

impl Outside for Slow {
    fn open(&self, _: usize, _: &str, path: &Path) -> io::Result<fs::File> {
        fs::File::open(path)
    }

    fn prove(&self, _: usize, question: Question) -> io::Result<Proof> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let is_quick = question
            .password
            .map_or(question.user != "hangs", |password| *password == b"quick");
        while !is_quick && !self.1.load(Ordering::SeqCst) {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        match is_quick {
            true => Ok(Proof::Known(Vec::new())),
            false => Ok(Proof::Wrong),
        }
    }
}

fn slow() -> (Arc<Authenticator>, Arc<Slow>) {
    let text = "[auth]\ncache = \"0s\"\nfailure-delay = \"0s\"\n\
        [[auth.source]]\nkind = \"exec\"\ncommand = [\"x\"]\n";
    let slow = Arc::new(Slow::default());
    let outside: Arc<dyn Outside> = slow.clone();
    let auth = Authenticator::new(&Config::parse(text).unwrap().auth, 0, &outside);
    (Arc::new(auth), slow)
}

/// However many guess, who has logged in from the same place before does not wait for them, nor does who brings mail.
#[tokio::test]
async fn who_is_known_does_not_wait_for_strangers() {
    let (auth, slow) = slow();
    let ann = || credentials("ann", "quick");
    assert!(matches!(auth.check(ann()).await, Verdict::Granted(_)));
    let mut strangers = tokio::task::JoinSet::new();
    for number in 0..500 {
        let mut guess = credentials("ann", "guess");
        guess.line.peer = format!("192.0.{}.{}", number / 250, number % 250);
        let auth = Arc::clone(&auth);
        strangers.spawn(async move { auth.check(guess).await });
    }
    while slow.0.load(Ordering::SeqCst) < 65 {
        time::sleep(Duration::from_millis(1)).await;
    }
    let at_once = async {
        assert!(matches!(auth.check(ann()).await, Verdict::Granted(_)));
        let found = auth.lookup("ann".to_owned()).await;
        assert!(matches!(found, Verdict::Granted(_)));
    };
    time::timeout(Duration::from_secs(5), at_once)
        .await
        .unwrap();
    // Who guesses from there is a stranger from then on.
    let mut wrong = credentials("ann", "guess");
    wrong.line.peer = "203.0.113.7".to_owned();
    let address = Some("203.0.113.7".parse().unwrap());
    assert_eq!(auth.house.known.lane(address, "ann"), Lane::Known);
    slow.1.store(true, Ordering::SeqCst);
    assert_eq!(auth.check(wrong).await, Verdict::Denied);
    assert_eq!(auth.house.known.lane(address, "ann"), Lane::Strangers);
    strangers.shutdown().await;
}

/// Who does not stay for the answer has guessed all the same, and it is told.
#[tokio::test(start_paused = true)]
async fn a_guess_is_told_before_it_is_held_back() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("users"), "ann:{PLAIN}1\n").unwrap();
    let auth = authenticator(directory.path(), "", &["users"]);
    for seconds in [2, 4] {
        let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
        let tell = move |verdict: &Verdict, _: Option<&str>| sender.send(verdict.clone()).unwrap();
        let guess = auth.log_in(credentials("ann", "x"), tell);
        let gone = time::timeout(Duration::from_secs(1), guess).await;
        assert!(gone.is_err(), "{seconds}");
        assert_eq!(told.recv().await, Some(Verdict::Denied));
    }
    let start = time::Instant::now();
    assert_eq!(auth.check(credentials("ann", "x")).await, Verdict::Denied);
    assert_eq!(start.elapsed().as_secs(), 8);
}

/// The same while it is being found out.
#[tokio::test]
async fn a_guess_is_told_whoever_waits() {
    let (auth, slow) = slow();
    let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
    let tell = move |verdict: &Verdict, _: Option<&str>| sender.send(verdict.clone()).unwrap();
    let guess = auth.log_in(credentials("ann", "guess"), tell);
    let gone = time::timeout(Duration::from_millis(100), guess).await;
    assert!(gone.is_err());
    slow.1.store(true, Ordering::SeqCst);
    assert_eq!(told.recv().await, Some(Verdict::Denied));
}

/// However many are looked up, and for however long, others do not wait for them.
#[tokio::test]
async fn logins_do_not_wait_for_lookups() {
    let (auth, slow) = slow();
    let mut lookups = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let auth = Arc::clone(&auth);
        lookups.spawn(async move { auth.lookup("hangs".to_owned()).await });
    }
    while slow.0.load(Ordering::SeqCst) < 64 {
        time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..2 {
        let login = auth.check(credentials("ann", "quick"));
        let login = time::timeout(Duration::from_secs(5), login).await;
        assert!(matches!(login, Ok(Verdict::Granted(_))));
    }
    slow.1.store(true, Ordering::SeqCst);
    lookups.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn no_guess_is_free_because_a_source_cannot_say() {
    let directory = tempfile::tempdir().unwrap();
    let auth = authenticator(directory.path(), "", &["missing"]);
    let mut waits = Vec::new();
    for _ in 0..5 {
        let start = time::Instant::now();
        let verdict = auth.check(credentials("ann", "x")).await;
        assert_eq!(verdict, Verdict::Unavailable);
        waits.push(start.elapsed().as_secs());
    }
    assert_eq!(waits, [2, 4, 8, 15, 15]);
}

/// Whoever asks for both kinds of SCRAM is asked with two salts, whoever it is.
#[tokio::test(start_paused = true)]
async fn salts_tell_nobody_apart() {
    let directory = tempfile::tempdir().unwrap();
    let kept = hash::make(hash::Scheme::ScramSha256, None, b"x").unwrap();
    let users = format!("plain:{{PLAIN}}x\nkept:{kept}\nhashed:{}\n", bare());
    fs::write(directory.path().join("users"), users).unwrap();
    let auth = authenticator(directory.path(), "", &["users"]);
    let line = credentials("", "").line;
    let mut seen = HashSet::new();
    for user in ["plain", "kept", "hashed", "nobody", "somebody"] {
        for hash in [Hash::Sha1, Hash::Sha256] {
            let ask = async || {
                let named = auth.named(user.as_bytes(), None);
                let keys = auth.challenge(named, hash, &line).await.unwrap().keys;
                (keys.rounds, keys.salt)
            };
            let (rounds, salt) = ask().await;
            assert_eq!((rounds, salt.len()), (4096, 16), "{user} {hash:?}");
            assert_eq!(ask().await, (rounds, salt.clone()), "{user} {hash:?}");
            assert!(seen.insert(salt), "{user} {hash:?}");
        }
    }
}

/// Rounds are those of users, and stay what they are for one name, whatever else is in the file.
#[tokio::test(start_paused = true)]
async fn rounds_are_those_of_users() {
    let directory = tempfile::tempdir().unwrap();
    let of = |user: &str, rounds: u32| {
        let text = hash::make(hash::Scheme::ScramSha256, None, b"x").unwrap();
        format!(
            "{user}:{}\n",
            text.replace("}4096,", &format!("}}{rounds},"))
        )
    };
    let few: String = (0..10).map(|n| of(&format!("f{n}"), 5000)).collect();
    let many: String = (0..10).map(|n| of(&format!("m{n}"), 9000)).collect();
    let path = directory.path().join("users");
    fs::write(&path, format!("{few}{many}")).unwrap();
    let rounds = async || {
        let auth = authenticator(directory.path(), "", &["users"]);
        let line = credentials("", "").line;
        let mut found = Vec::new();
        for number in 0..40 {
            let named = auth.named(format!("nobody{number}").as_bytes(), None);
            let challenge = auth.challenge(named, Hash::Sha256, &line).await.unwrap();
            found.push(challenge.keys.rounds);
        }
        found
    };
    let first = rounds().await;
    assert!(first.contains(&5000) && first.contains(&9000));
    fs::write(&path, format!("{many}{few}")).unwrap();
    assert_eq!(rounds().await, first);
    // One more moves few of them.
    fs::write(&path, format!("{many}{few}{}", of("new", 5000))).unwrap();
    let moved = rounds().await;
    let moved = moved.iter().zip(&first).filter(|(one, other)| one != other);
    assert!(moved.count() < 10);
}
