//! Dialogues that a running Dovecot 2.3 was seen in, and what it does not take.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::*;
use crate::auth::scram::tests::answer;
use crate::auth::{Hash, Outside, Proof, Question};
use crate::config::Config;

const USERS: &str = "alice@example.test:{PLAIN}secret\nbob@example.test:{PLAIN}secret\n\
    closed@example.test:{PLAIN}secret::::::nologin reason=Gone\nodd@example.test:{NONSENSE}x\n";

struct Here;

impl Outside for Here {
    fn open(&self, _: usize, _: &str, path: &std::path::Path) -> io::Result<fs::File> {
        fs::File::open(path)
    }

    fn prove(&self, _: usize, _: Question) -> io::Result<Proof> {
        Ok(Proof::Disabled("Expired".to_owned()))
    }
}

struct Mta {
    lines: BufReader<DuplexStream>,
    served: JoinHandle<io::Result<()>>,
    _files: tempfile::TempDir,
}

impl Mta {
    /// One that has read what is offered.
    async fn greeted() -> Mta {
        Mta::with("").await
    }

    async fn with(sources: &str) -> Mta {
        let files = tempfile::tempdir().unwrap();
        let at = |name: &str| files.path().join(name).display().to_string();
        fs::write(at("users"), USERS).unwrap();
        fs::write(at("masters"), "admin:{PLAIN}mastersecret\n").unwrap();
        let text = format!(
            "[auth]\nmaster-separator = \"*\"\n[[auth.source]]\nkind = \"passwd-file\"\npath = \"{}\"\n\
             [[auth.source]]\nkind = \"passwd-file\"\npath = \"{}\"\nmaster = true\n{sources}",
            at("users"),
            at("masters"),
        );
        let auth = Config::parse(&text).unwrap().auth;
        let here: Arc<dyn Outside> = Arc::new(Here);
        let auth = Arc::new(Authenticator::new(&auth, 0, &here));
        let (client, server) = duplex(1 << 16);
        let served = tokio::spawn(serve(server, auth, &Mechanism::ALL, 23));
        let mut mta = Mta {
            lines: BufReader::new(client),
            served,
            _files: files,
        };
        for line in [
            "VERSION\t1\t2",
            "MECH\tPLAIN\tplaintext",
            "MECH\tLOGIN\tplaintext",
            "MECH\tSCRAM-SHA-1\tmutual-auth",
            "MECH\tSCRAM-SHA-256\tmutual-auth",
        ] {
            assert_eq!(mta.line().await.as_deref(), Some(line));
        }
        assert!(mta.line().await.unwrap().starts_with("SPID\t"));
        assert_eq!(mta.line().await.as_deref(), Some("CUID\t23"));
        assert_eq!(mta.line().await.unwrap().len(), "COOKIE\t".len() + 32);
        assert_eq!(mta.line().await.as_deref(), Some("DONE"));
        mta
    }

    async fn say(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.lines
            .get_mut()
            .write_all(line.as_bytes())
            .await
            .unwrap();
    }

    /// The next line; `None`: it is over.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line).await.unwrap();
        line.strip_suffix('\n').map(str::to_owned)
    }

    #[track_caller]
    fn said(line: Option<String>, expected: &str) {
        assert_eq!(line.as_deref(), Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn what_postfix_says() {
    let mut mta = Mta::greeted().await;
    mta.say("VERSION\t1\t1\nCPID\t4711").await;
    mta.say("AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=127.0.0.1\trip=192.0.2.7\tsecured\tresp=AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ=").await;
    Mta::said(mta.line().await, "OK\t1\tuser=alice@example.test");
    mta.say("AUTH\t2\tPLAIN\tservice=smtp\tnologin\tresp=AGFsaWNlQGV4YW1wbGUudGVzdAB3cm9uZw==")
        .await;
    Mta::said(mta.line().await, "FAIL\t2\tuser=alice@example.test");
    mta.say("AUTH\t2\tPLAIN\tservice=smtp\tresp=AG5vc3VjaEBleGFtcGxlLnRlc3QAeA==")
        .await;
    Mta::said(mta.line().await, "FAIL\t2\tuser=nosuch@example.test");
}

#[tokio::test(start_paused = true)]
async fn challenges_and_responses() {
    let mut mta = Mta::greeted().await;
    mta.say("AUTH\t1\tLOGIN\tservice=smtp\tnologin\tno-penalty")
        .await;
    Mta::said(mta.line().await, "CONT\t1\tVXNlcm5hbWU6");
    mta.say("CONT\t1\tYWxpY2VAZXhhbXBsZS50ZXN0").await;
    Mta::said(mta.line().await, "CONT\t1\tUGFzc3dvcmQ6");
    // Another one meanwhile.
    for absent in ["", "\tresp="] {
        mta.say(&format!("AUTH\t2\tPLAIN\tservice=smtp{absent}"))
            .await;
        Mta::said(mta.line().await, "CONT\t2\t");
        mta.say("CONT\t2\tAGJvYkBleGFtcGxlLnRlc3QAc2VjcmV0").await;
        Mta::said(mta.line().await, "OK\t2\tuser=bob@example.test");
    }
    mta.say("CONT\t1\tc2VjcmV0").await;
    Mta::said(mta.line().await, "OK\t1\tuser=alice@example.test");
    mta.say("AUTH\t3\tLOGIN\tservice=smtp\nCANCEL\t3").await;
    mta.say("CONT\t3\teA==").await;
    let mut said = [mta.line().await.unwrap(), String::new()];
    if said[0].starts_with("CONT") {
        said[1] = mta.line().await.unwrap();
    }
    assert!(said.contains(&"FAIL\t3\treason=Authentication request timed out".to_owned()));
}

/// What the server proves at last comes with the OK where the client can take it, else as one more challenge.
#[tokio::test(start_paused = true)]
async fn scram() {
    let mut mta = Mta::greeted().await;
    for (extra, asked) in [("", true), ("\tfinal-resp-ok", false)] {
        let bare = "n=alice@example.test,r=abc";
        let first = sasl::encode(format!("n,,{bare}").as_bytes());
        mta.say(&format!(
            "AUTH\t1\tSCRAM-SHA-256\tservice=smtp{extra}\tresp={first}"
        ))
        .await;
        let challenge = mta.line().await.unwrap();
        let challenge = sasl::decode(challenge.strip_prefix("CONT\t1\t").unwrap().as_bytes());
        let challenge = String::from_utf8(challenge.unwrap().expose().to_vec()).unwrap();
        let said = (bare, challenge.as_str());
        let (last, proof) = answer(Hash::Sha256, b"secret", ("n,,", b""), said);
        mta.say(&format!("CONT\t1\t{}", sasl::encode(last.as_bytes())))
            .await;
        let (proof, ok) = (
            sasl::encode(proof.as_bytes()),
            "OK\t1\tuser=alice@example.test",
        );
        if asked {
            Mta::said(mta.line().await, &format!("CONT\t1\t{proof}"));
            mta.say("CONT\t1\t").await;
            Mta::said(mta.line().await, ok);
        } else {
            Mta::said(mta.line().await, &format!("{ok}\tresp={proof}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_that_say_why() {
    let mut mta = Mta::with("[[auth.source]]\nkind = \"pam\"\n").await;
    mta.say("AUTH\t1\tPLAIN\tservice=smtp\tresp=!!!").await;
    let why = "code=invalid_base64\treason=Invalid base64 data in initial response";
    Mta::said(mta.line().await, &format!("FAIL\t1\t{why}"));
    mta.say("AUTH\t1\tPLAIN\tservice=smtp\tresp=YWJj").await;
    Mta::said(mta.line().await, "FAIL\t1");
    let ask = |user: &str| {
        let message = format!("\0{user}\0secret");
        format!(
            "AUTH\t1\tPLAIN\tservice=smtp\tresp={}",
            sasl::encode(message.as_bytes())
        )
    };
    // Who may not have a session may send mail all the same.
    mta.say(&ask("closed@example.test")).await;
    Mta::said(mta.line().await, "OK\t1\tuser=closed@example.test");
    mta.say(&ask("daemon")).await;
    let why = "code=user_disabled\treason=Expired";
    Mta::said(mta.line().await, &format!("FAIL\t1\tuser=daemon\t{why}"));
    mta.say(&ask("../x\t")).await;
    Mta::said(mta.line().await, "FAIL\t1");
}

#[tokio::test(start_paused = true)]
async fn what_no_source_can_say_may_be_asked_again() {
    let missing = "[[auth.source]]\nkind = \"passwd-file\"\npath = \"/nonexistent\"\n";
    let mut mta = Mta::with(missing).await;
    mta.say("AUTH\t1\tPLAIN\tservice=smtp\tresp=AG9kZEBleGFtcGxlLnRlc3QAeA==")
        .await;
    Mta::said(
        mta.line().await,
        "FAIL\t1\tuser=odd@example.test\ttemp\tcode=temp_fail",
    );
}

#[tokio::test(start_paused = true)]
async fn a_master_user_is_named() {
    let mut mta = Mta::greeted().await;
    let ok = "OK\t1\tuser=alice@example.test\toriginal_user=admin\tauth_user=admin";
    for response in [
        "YWxpY2VAZXhhbXBsZS50ZXN0AGFkbWluAG1hc3RlcnNlY3JldA==",
        "AGFsaWNlQGV4YW1wbGUudGVzdCphZG1pbgBtYXN0ZXJzZWNyZXQ=",
    ] {
        mta.say(&format!(
            "AUTH\t1\tPLAIN\tservice=smtp\tno-penalty\tresp={response}"
        ))
        .await;
        Mta::said(mta.line().await, ok);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_in_the_protocol_ends_it() {
    let long = "x".repeat(LINE_MAX);
    for line in [
        "AUTH\t1\tPLAIN\tresp=AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ=",
        "AUTH\t1\tPLAIN\tservice=smtp\tresp=AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ=\tnologin",
        "AUTH\t1\tLOGIN\tservice=smtp\nAUTH\t1\tLOGIN\tservice=smtp",
        "AUTH\t1\tCRAM-MD5\tservice=smtp",
        // An MTA has TLS of its own, and does not tell what it is bound by.
        "AUTH\t1\tSCRAM-SHA-256-PLUS\tservice=smtp",
        "AUTH\tx\tPLAIN\tservice=smtp",
        "AUTH\t1",
        "FOO\t1",
        "VERSION\t2\t0",
        "CPID\t0",
        "CONT\tx\ty",
        "",
        &long,
    ] {
        let mut mta = Mta::greeted().await;
        mta.say(line).await;
        while let Some(said) = mta.line().await {
            assert!(said.starts_with("CONT\t1\t"), "{line}: {said}");
        }
        let error = mta.served.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{line}");
    }
}

#[test]
fn values_are_escaped() {
    let all = "a\0b\u{1}c\td\ne\rf";
    assert_eq!(escaped(all), "a\u{1}0b\u{1}1c\u{1}td\u{1}ne\u{1}rf");
    assert_eq!(unescaped(escaped(all).as_bytes()), all.as_bytes());
}

/// Answers no question before it is told to.
#[derive(Default)]
struct Slow {
    asked: AtomicUsize,
    go: AtomicBool,
}

impl Outside for Slow {
    fn open(&self, _: usize, _: &str, path: &std::path::Path) -> io::Result<fs::File> {
        fs::File::open(path)
    }

    fn prove(&self, _: usize, _: Question) -> io::Result<Proof> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        while !self.go.load(Ordering::SeqCst) {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        Ok(Proof::Wrong)
    }
}

/// Requests that were cancelled, and those of an MTA that has gone, do nothing any more.
#[tokio::test]
async fn what_nobody_waits_for_is_not_done() {
    let text =
        "[auth]\nfailure-delay = \"0s\"\n[[auth.source]]\nkind = \"exec\"\ncommand = [\"x\"]\n";
    let slow = Arc::new(Slow::default());
    let outside: Arc<dyn Outside> = slow.clone();
    let config = Config::parse(text).unwrap().auth;
    let auth = Arc::new(Authenticator::new(&config, 0, &outside));
    let waiting = Arc::downgrade(&auth);
    let (client, server) = duplex(1 << 20);
    let served = tokio::spawn(serve(server, auth, &Mechanism::ALL, 1));
    let mut client = BufReader::new(client);
    // Each is cancelled once it is under way, and its number used again.
    for _ in 0..400 {
        let lines = "AUTH\t1\tPLAIN\tservice=smtp\tresp=AGFubgB4\nAUTH\t2\tLOGIN\tservice=smtp\n";
        client.get_mut().write_all(lines.as_bytes()).await.unwrap();
        let mut said = String::new();
        while !said.starts_with("CONT\t2\t") {
            said.clear();
            client.read_line(&mut said).await.unwrap();
        }
        let cancel = b"CANCEL\t1\nCANCEL\t2\n";
        client.get_mut().write_all(cancel).await.unwrap();
    }
    let last = "AUTH\t1\tPLAIN\tservice=smtp\tresp=AGFubgB4\n";
    client.get_mut().write_all(last.as_bytes()).await.unwrap();
    // It goes, and with it whatever still waits for its turn.
    drop(client);
    served.await.unwrap().unwrap();
    let still = waiting.strong_count();
    // Only what was being asked by then.
    let asked = slow.asked.load(Ordering::SeqCst);
    slow.go.store(true, Ordering::SeqCst);
    assert!(still == 0 && asked <= 64, "{still} {asked}");
}
