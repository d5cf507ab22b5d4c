//! Verdicts, with passwd-files on disk. Time stands still but for what sleeps.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time;

use super::*;
use crate::auth::{Line, Proof, Purpose, Question, Tls, hash};
use crate::config::Config;

const USERS: &str = "\
ann@example.org:{PLAIN}apple:5000:5000::/v/ann::
bob@example.org:{SSHA}CLrQXtm1kqKadfvHnjzvDneriGNtqFQB::::::
closed@example.org:{PLAIN}c::::::nologin reason=Gone
near@example.org:{PLAIN}n::::::allow_nets=192.0.2.0/24
free@example.org:::::::nopassword
empty@example.org:::::::
quick@example.org:{PLAIN}q::::::nodelay
odd@example.org:{NONSENSE}x
locked@example.org:!$6$saltsalt$x
star@example.org:*
x@example.org:x
broken@example.org:$6$salt salt$xxxxxx
alias@example.org:{PLAIN}a::::::user=ann@example.org
astray@example.org:{PLAIN}a::::::user=%n+x
";

pub(super) fn credentials(user: &str, password: &str) -> Credentials {
    Credentials {
        user: user.as_bytes().to_vec(),
        authorize_as: None,
        password: Secret::new(password.as_bytes().to_vec()),
        line: Line {
            peer: "203.0.113.7:4711".to_owned(),
            purpose: Purpose::Session,
            tls: Tls::No,
            channel: None,
            shown: Vec::new(),
            certified: None,
        },
    }
}

impl Authenticator {
    /// Says who has these credentials, and nobody else hears of it.
    pub(super) async fn check(&self, credentials: Credentials) -> Verdict {
        self.log_in(credentials, |_, _| ()).await
    }
}

fn with_users(extra: &str) -> (TempDir, Authenticator) {
    let directory = tempfile::tempdir().expect("directory");
    fs::write(directory.path().join("users"), USERS).expect("users");
    let auth = authenticator(directory.path(), extra, &["users"]);
    (directory, auth)
}

/// Opens files itself; says of users of the system that their password is `r`.
struct Here;

impl Outside for Here {
    fn open(&self, _source: usize, _user: &str, path: &Path) -> io::Result<fs::File> {
        fs::File::open(path)
    }

    fn prove(&self, source: usize, question: Question) -> io::Result<Proof> {
        assert_eq!(source, 0);
        let password = question.password.as_deref().map(Vec::as_slice);
        match (question.user.as_str(), password.unwrap_or_default()) {
            ("daemon" | "no-such-user", b"r") => Ok(Proof::Right),
            ("daemon", b"late") => Ok(Proof::Disabled("Expired".to_owned())),
            ("daemon", b"stuck") => Ok(Proof::Unavailable("hangs".to_owned())),
            ("daemon", b"broken") => Err(io::Error::other("broken")),
            _ => Ok(Proof::Wrong),
        }
    }
}

pub(super) fn here() -> Arc<dyn Outside> {
    Arc::new(Here)
}

pub(super) fn authenticator(directory: &Path, extra: &str, files: &[&str]) -> Authenticator {
    let mut text = format!("[auth]\n{extra}\n");
    for file in files {
        let path = directory.join(file);
        let master = file.contains("master");
        text.push_str(&format!(
            "[[auth.source]]\nkind = \"passwd-file\"\npath = \"{}\"\nmaster = {master}\n",
            path.display()
        ));
    }
    let auth = Config::parse(&text).expect(&text).auth;
    Authenticator::new(&auth, 0, &here())
}

async fn user_of(auth: &Authenticator, user: &str, password: &str) -> Option<String> {
    match auth.check(credentials(user, password)).await {
        Verdict::Granted(granted) => Some(granted.user),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn the_right_password_is_granted_with_the_account() {
    let (_directory, auth) = with_users("");
    let Verdict::Granted(granted) = auth.check(credentials("Ann@Example.ORG", "apple")).await
    else {
        panic!("not granted");
    };
    assert_eq!(granted.user, "ann@example.org");
    assert_eq!(granted.account.uid, Some(5000));
    for _ in 0..2 {
        // The second time from memory.
        assert!(user_of(&auth, "bob@example.org", "secret").await.is_some());
        assert!(user_of(&auth, "bob@example.org", "Secret").await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn refusals() {
    let (_directory, auth) = with_users("");
    for (user, password) in [
        ("ann@example.org", "Apple"),
        ("ann@example.org", ""),
        ("nobody@example.org", "apple"),
        ("ann", "apple"),
        ("near@example.org", "n"),
        ("empty@example.org", ""),
        ("empty@example.org", "x"),
        // What no password fits is not told from a wrong one.
        ("locked@example.org", "x"),
        ("star@example.org", "*"),
        ("x@example.org", "x"),
        ("broken@example.org", "x"),
        ("odd@example.org", "x"),
        ("", ""),
    ] {
        let verdict = auth.check(credentials(user, password)).await;
        assert_eq!(verdict, Verdict::Denied, "{user} {password}");
    }
    let long = "x".repeat(1 << 20);
    let verdict = auth.check(credentials("ann@example.org", &long)).await;
    assert_eq!(verdict, Verdict::Denied);
}

#[tokio::test(start_paused = true)]
async fn names_that_could_lead_elsewhere_are_nobody() {
    let (directory, auth) = with_users("");
    let hostile = "../ann:{PLAIN}p\na/b:{PLAIN}p\na b:{PLAIN}p\n%u:{PLAIN}p\nq\"q:{PLAIN}p\n";
    fs::write(directory.path().join("users"), hostile).unwrap();
    let long = "x".repeat(10_000);
    for name in [
        "../ann", "a/b", "a b", "%u", "q\"q", "ann\0", "ann\n", ".", "..", "a..b", "jörg", &long,
    ] {
        let verdict = auth.check(credentials(name, "p")).await;
        assert_eq!(verdict, Verdict::Denied, "{name:?}");
    }
    let mut bytes = credentials("", "p");
    bytes.user = vec![0xff, 0xfe];
    assert_eq!(auth.check(bytes).await, Verdict::Denied);
}

#[tokio::test(start_paused = true)]
async fn what_extra_fields_do() {
    let (_directory, auth) = with_users("");
    let closed = auth.check(credentials("closed@example.org", "c")).await;
    assert_eq!(closed, Verdict::Disabled("Gone".to_owned()));
    let closed = auth.check(credentials("closed@example.org", "x")).await;
    assert_eq!(closed, Verdict::Denied);
    let mut near = credentials("near@example.org", "n");
    near.line.peer = "[::ffff:192.0.2.200]:99".to_owned();
    assert!(matches!(auth.check(near).await, Verdict::Granted(_)));
    assert!(user_of(&auth, "free@example.org", "any").await.is_some());
    let alias = user_of(&auth, "alias@example.org", "a").await;
    assert_eq!(alias.as_deref(), Some("ann@example.org"));
    let astray = auth.check(credentials("astray@example.org", "a")).await;
    assert_eq!(astray, Verdict::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_answer_is_no_refusal() {
    let (directory, auth) = with_users("");
    fs::remove_file(directory.path().join("users")).unwrap();
    let gone = auth.check(credentials("ann@example.org", "apple")).await;
    assert_eq!(gone, Verdict::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn sources_are_asked_in_order_until_one_says_yes() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("one"), "ann:{PLAIN}1\n").unwrap();
    fs::write(directory.path().join("two"), "ann:{PLAIN}2\nbob:{PLAIN}2\n").unwrap();
    let auth = authenticator(directory.path(), "", &["missing", "one", "two"]);
    for (user, password) in [("ann", "1"), ("ann", "2"), ("bob", "2")] {
        assert!(user_of(&auth, user, password).await.is_some(), "{user}");
    }
    let wrong = auth.check(credentials("ann", "3")).await;
    assert_eq!(wrong, Verdict::Unavailable, "the missing file might know");
}

#[tokio::test(start_paused = true)]
async fn a_changed_password_ends_what_was_remembered() {
    let (directory, auth) = with_users("");
    assert!(user_of(&auth, "ann@example.org", "apple").await.is_some());
    let changed = USERS.replace("apple", "pear-");
    fs::write(directory.path().join("users"), changed).unwrap();
    assert!(user_of(&auth, "ann@example.org", "apple").await.is_none());
    assert!(user_of(&auth, "ann@example.org", "pear-").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn refusals_are_held_back_ever_longer() {
    let (_directory, auth) = with_users("");
    let mut waits = Vec::new();
    for user in [
        "ann@example.org",
        "nobody",
        "ann@example.org",
        "../x",
        "ann",
    ] {
        let start = time::Instant::now();
        auth.check(credentials(user, "wrong")).await;
        waits.push(start.elapsed().as_secs());
    }
    assert_eq!(waits, [2, 4, 8, 15, 15]);
    let start = time::Instant::now();
    assert!(user_of(&auth, "ann@example.org", "apple").await.is_some());
    auth.check(credentials("quick@example.org", "wrong")).await;
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_master_user_logs_in_as_another() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("users"), USERS).unwrap();
    fs::write(
        directory.path().join("masters"),
        "root:{PLAIN}m\nann:{PLAIN}z\n",
    )
    .unwrap();
    let separator = "master-separator = \"*\"";
    let auth = authenticator(directory.path(), separator, &["users", "masters"]);
    let ann = Some("ann@example.org".to_owned());
    assert_eq!(user_of(&auth, "ann@example.org*root", "m").await, ann);
    let mut plain = credentials("root", "m");
    plain.authorize_as = Some(b"ann@example.org".to_vec());
    assert!(
        matches!(auth.check(plain).await, Verdict::Granted(granted) if Some(&granted.user) == ann.as_ref())
    );
    // Neither with the user's own password, nor with no such user, nor without being a master.
    for (user, password) in [
        ("ann@example.org*root", "apple"),
        ("nobody*root", "m"),
        ("bob@example.org*ann@example.org", "apple"),
        ("root", "m"),
        ("*root", "m"),
    ] {
        assert_eq!(user_of(&auth, user, password).await, None, "{user}");
    }
    // Their own sources are not asked about the login, so what they say of it is of no account.
    for user in ["closed@example.org*root", "near@example.org*root"] {
        assert!(user_of(&auth, user, "m").await.is_some(), "{user}");
    }
    let mut own = credentials("ann@example.org", "apple");
    own.authorize_as = Some(b"ANN@example.org".to_vec());
    assert!(matches!(auth.check(own).await, Verdict::Granted(_)));
}

#[tokio::test(start_paused = true)]
async fn a_single_user() {
    let auth = Authenticator::single("Jörg".to_owned(), Secret::new(b"pw".to_vec()));
    assert_eq!(user_of(&auth, "jörg", "pw").await.as_deref(), Some("Jörg"));
    assert_eq!(user_of(&auth, "Jörg", "pw ").await, None);
    assert_eq!(user_of(&auth, "ann", "pw").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_static_password_serves_every_name() {
    let text = "[[auth.source]]\nkind = \"static\"\npassword = \"one\"\n";
    let auth = Authenticator::new(&Config::parse(text).unwrap().auth, 0, &here());
    assert_eq!(user_of(&auth, "Ann", "one").await.as_deref(), Some("ann"));
    assert_eq!(user_of(&auth, "ann", "two").await, None);
}

#[tokio::test(start_paused = true)]
async fn users_of_the_system() {
    let auth = Authenticator::new(&config::Auth::default(), 0, &here());
    for _ in 0..2 {
        let Verdict::Granted(granted) = auth.check(credentials("daemon", "r")).await else {
            panic!("not granted");
        };
        assert_eq!(granted.account.uid, Some(1));
    }
    for (user, password, verdict) in [
        ("daemon", "x", Verdict::Denied),
        ("ann", "r", Verdict::Denied),
        // Nobody asks whether it is root's.
        ("root", "broken", Verdict::Denied),
        ("daemon", "late", Verdict::Disabled("Expired".to_owned())),
        ("daemon", "stuck", Verdict::Unavailable),
        ("daemon", "broken", Verdict::Unavailable),
        // Known to PAM, and yet nobody: there is no mail.
        ("no-such-user", "r", Verdict::Denied),
    ] {
        assert_eq!(
            auth.check(credentials(user, password)).await,
            verdict,
            "{user} {password}"
        );
    }
}

#[test]
fn the_dummy_can_be_hashed() {
    let stored = hash::Stored::parse(hash::DUMMY, hash::Scheme::Crypt).unwrap();
    assert_eq!(stored.verify("", b"secret"), Ok(false));
}

#[tokio::test]
async fn mail_is_for_whoever_is_there() {
    let (directory, auth) = with_users("username-format = \"%Lu\"");
    for name in ["ann", "bob", "closed", "near", "empty", "odd"] {
        let typed = format!("{}@Example.org", name.to_uppercase());
        let Verdict::Granted(granted) = auth.lookup(typed).await else {
            panic!("{name}");
        };
        assert_eq!(granted.user, format!("{name}@example.org"));
    }
    let Verdict::Granted(ann) = auth.lookup("alias@example.org".to_owned()).await else {
        panic!("alias");
    };
    assert_eq!(ann.user, "ann@example.org");
    for nobody in [
        "nobody@example.org",
        "../ann@example.org",
        "",
        "a\0b",
        "a+b",
    ] {
        let found = auth.lookup(nobody.to_owned()).await;
        assert_eq!(found, Verdict::Denied, "{nobody}");
    }
    fs::remove_file(directory.path().join("users")).unwrap();
    let found = auth.lookup("ann@example.org".to_owned()).await;
    assert_eq!(found, Verdict::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_a_user_without_a_password() {
    let (_directory, auth) = with_users("");
    let Verdict::Granted(ann) = auth.lookup("Ann@Example.ORG".to_owned()).await else {
        panic!("not found");
    };
    assert_eq!(
        (ann.user.as_str(), ann.account.uid),
        ("ann@example.org", Some(5000))
    );
    for user in ["closed@example.org", "near@example.org", "odd@example.org"] {
        let found = auth.lookup(user.to_owned()).await;
        assert!(matches!(found, Verdict::Granted(_)), "{user}");
    }
    for user in ["nobody@example.org", "../x", ""] {
        assert_eq!(auth.lookup(user.to_owned()).await, Verdict::Denied);
    }
}
