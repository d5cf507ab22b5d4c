//! Logins by SCRAM, from the first message to the verdict. Time stands still but for what sleeps.

use std::fs;
use std::path::Path;

use tokio::time::Instant;

use super::*;
use crate::auth::scram::tests::answer;
use crate::auth::{Hash, Outside, Proof, Question, Scram, Tls};
use crate::config::Config;

/// All of them have the password `pencil`.
const USERS: &str = "\
plain:{PLAIN}pencil
kept:{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=
hashed:{SSHA}CLrQXtm1kqKadfvHnjzvDneriGNtqFQB
closed:{PLAIN}pencil::::::nologin reason=Gone
near:{PLAIN}pencil::::::allow_nets=192.0.2.0/24
odd:{SCRAM-SHA-256}x
";

struct Here;

impl Outside for Here {
    fn open(&self, _: usize, _: &str, path: &Path) -> std::io::Result<fs::File> {
        fs::File::open(path)
    }

    fn prove(&self, _: usize, _: Question) -> std::io::Result<Proof> {
        Ok(Proof::Wrong)
    }
}

struct House {
    auth: Arc<Authenticator>,
    _files: tempfile::TempDir,
}

impl House {
    fn new() -> House {
        House::with_more("")
    }

    /// With further sources.
    fn with_more(more: &str) -> House {
        let files = tempfile::tempdir().unwrap();
        let at = |name: &str| files.path().join(name).display().to_string();
        fs::write(at("users"), USERS).unwrap();
        fs::write(at("masters"), "root:{PLAIN}master\n").unwrap();
        let text = format!(
            "[auth]\nmaster-separator = \"*\"\n[[auth.source]]\nkind = \"passwd-file\"\npath = {:?}\n\
             [[auth.source]]\nkind = \"passwd-file\"\npath = {:?}\nmaster = true\n{more}",
            at("users"),
            at("masters"),
        );
        let here: Arc<dyn Outside> = Arc::new(Here);
        let auth = Authenticator::new(&Config::parse(&text).unwrap().auth, 0, &here);
        House {
            auth: Arc::new(auth),
            _files: files,
        }
    }

    fn attempt(&self, hash: Hash, channel: Option<Channel>) -> Attempt {
        let line = Line {
            peer: "203.0.113.7".to_owned(),
            purpose: Purpose::Session,
            tls: Tls::No,
            channel,
            shown: Vec::new(),
            certified: None,
        };
        let plus = line.channel.is_some();
        let mechanism = Mechanism::Scram(Scram { hash, plus });
        Attempt::new(Arc::clone(&self.auth), mechanism, line)
    }

    /// What the server says to a user's first message.
    async fn first(&self, user: &str) -> String {
        let mut attempt = self.attempt(Hash::Sha256, None);
        let first = Secret::new(format!("n,,n={user},r=abc").into_bytes());
        let Step::Challenge(first) = attempt.step(Some(&first)).await else {
            panic!("{user}: no challenge");
        };
        String::from_utf8(first).unwrap()
    }

    async fn log_in(&self, hash: Hash, user: &str, act_as: &str, password: &str) -> Verdict {
        let channel = Channel {
            exporter: None,
            end_point: Some(b"certificate".to_vec()),
        };
        let verdict = self.exchange((hash, None), user, act_as, password);
        let one = verdict.await;
        let verdict = self.exchange((hash, Some(channel)), user, act_as, password);
        assert_eq!(verdict.await, one, "bound, and not");
        one
    }

    async fn exchange(
        &self,
        (hash, channel): (Hash, Option<Channel>),
        user: &str,
        act_as: &str,
        password: &str,
    ) -> Verdict {
        let seen = channel.clone().map(|channel| channel.end_point.unwrap());
        let flag = if seen.is_some() {
            "p=tls-server-end-point"
        } else {
            "n"
        };
        let seen = seen.unwrap_or_default();
        let mut attempt = self.attempt(hash, channel);
        assert_eq!(attempt.step(None).await, Step::Challenge(Vec::new()));
        let (header, bare) = (format!("{flag},{act_as},"), format!("n={user},r=abc"));
        let first = Secret::new(format!("{header}{bare}").into_bytes());
        let challenge = match attempt.step(Some(&first)).await {
            Step::Challenge(challenge) => String::from_utf8(challenge).unwrap(),
            Step::Verdict(verdict) => return verdict,
        };
        let bound = (header.as_str(), seen.as_slice());
        let said = (bare.as_str(), challenge.as_str());
        let (last, expected) = answer(hash, password.as_bytes(), bound, said);
        assert!(!attempt.is_told());
        match attempt.step(Some(&Secret::new(last.into_bytes()))).await {
            Step::Verdict(verdict) => verdict,
            Step::Challenge(proof) => {
                assert_eq!(String::from_utf8(proof).unwrap(), expected);
                assert!(attempt.is_told());
                match attempt.step(Some(&Secret::new(Vec::new()))).await {
                    Step::Verdict(verdict) => verdict,
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_has_the_password_is_let_in() {
    let house = House::new();
    for (hash, user) in [
        (Hash::Sha1, "plain"),
        (Hash::Sha256, "plain"),
        (Hash::Sha256, "kept"),
        (Hash::Sha256, "PLAIN"),
    ] {
        match house.log_in(hash, user, "", "pencil").await {
            Verdict::Granted(granted) => assert_eq!(granted.user, user.to_lowercase()),
            other => panic!("{user}: {other:?}"),
        }
        let wrong = house.log_in(hash, user, "", "pencils").await;
        assert_eq!(wrong, Verdict::Denied, "{user}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_have_it_is_not() {
    let house = House::new();
    for (hash, user, verdict) in [
        // What is stored says nothing of what SCRAM asks.
        (Hash::Sha1, "kept", Verdict::Denied),
        (Hash::Sha256, "hashed", Verdict::Denied),
        (Hash::Sha256, "nobody", Verdict::Denied),
        (Hash::Sha256, "../plain", Verdict::Denied),
        (Hash::Sha256, "near", Verdict::Denied),
        (Hash::Sha256, "closed", Verdict::Disabled("Gone".to_owned())),
        (Hash::Sha256, "odd", Verdict::Denied),
    ] {
        let said = house.log_in(hash, user, "", "pencil").await;
        assert_eq!(said, verdict, "{user}");
    }
}

#[tokio::test(start_paused = true)]
async fn masters_log_in_as_others() {
    let house = House::new();
    for (user, act_as) in [("root", "a=plain"), ("plain*root", "")] {
        let Verdict::Granted(granted) = house.log_in(Hash::Sha256, user, act_as, "master").await
        else {
            panic!("{user}");
        };
        assert_eq!(
            (granted.user.as_str(), granted.master.as_deref()),
            ("plain", Some("root"))
        );
    }
    for (user, act_as, password) in [
        ("root", "", "master"),
        ("plain", "a=kept", "pencil"),
        ("root", "a=nobody", "master"),
    ] {
        let said = house.log_in(Hash::Sha256, user, act_as, password).await;
        assert_eq!(said, Verdict::Denied, "{user} {act_as}");
    }
}

/// Nobody is asked for what users are asked for, and for the same each time.
#[tokio::test(start_paused = true)]
async fn who_exists_is_not_told() {
    let house = House::new();
    let salt = |first: String| first.split_once(",s=").unwrap().1.to_owned();
    let mut seen = Vec::new();
    for user in ["plain", "kept", "hashed", "nobody", "somebody", "../x"] {
        let one = salt(house.first(user).await);
        assert_eq!(salt(house.first(user).await), one, "{user}");
        // Another process, perhaps tomorrow.
        assert_eq!(salt(House::new().first(user).await), one, "{user}");
        assert!(one.ends_with("==,i=4096") && one.len() == "W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".len());
        assert!(!seen.contains(&one), "{user}");
        seen.push(one);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_proof_takes_its_time() {
    let house = House::new();
    for (user, seconds) in [("plain", 2), ("nobody", 4), ("plain", 8)] {
        let start = Instant::now();
        let verdict = house.exchange((Hash::Sha256, None), user, "", "x").await;
        assert_eq!(verdict, Verdict::Denied);
        assert_eq!(start.elapsed().as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn messages_out_of_order() {
    let house = House::new();
    for messages in [
        &["n,,n=plain,r=abc", "n,,n=plain,r=abc"][..],
        &["n,,n=plain,r=abc", ""],
        &["c=biws,r=abc,p=AAAA"],
        &["", "n,,n=plain,r=abc"],
        &["n,,n=plain,r=abc", "c=biws,r=abc,p=AAAA", ""],
    ] {
        let mut attempt = house.attempt(Hash::Sha256, None);
        let mut step = Step::Challenge(Vec::new());
        for message in messages {
            step = attempt
                .step(Some(&Secret::new(message.as_bytes().to_vec())))
                .await;
        }
        assert_eq!(step, Step::Verdict(Verdict::Denied), "{messages:?}");
    }
}

/// A client of SCRAM hears of trouble when it has answered, and whoever it is.
#[tokio::test(start_paused = true)]
async fn trouble_does_not_tell_who_exists() {
    let missing = "[[auth.source]]\nkind = \"passwd-file\"\npath = \"/nonexistent\"\n";
    let house = House::with_more(missing);
    for user in ["plain", "kept", "hashed", "nobody", "odd"] {
        assert!(house.first(user).await.contains(",s="), "{user}");
        let said = house.log_in(Hash::Sha256, user, "", "wrong").await;
        assert_eq!(said, Verdict::Unavailable, "{user}");
    }
    let said = house.log_in(Hash::Sha256, "plain", "", "pencil").await;
    assert!(matches!(said, Verdict::Granted(_)));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_has_guessed() {
    let house = House::new();
    house.first("plain").await;
    house.first("nobody").await;
    let start = Instant::now();
    let wrong = house.exchange((Hash::Sha256, None), "plain", "", "x");
    assert_eq!(wrong.await, Verdict::Denied);
    assert_eq!(start.elapsed().as_secs(), 8);
    // Who is let in has answered.
    for _ in 0..2 {
        let right = house.exchange((Hash::Sha256, None), "plain", "", "pencil");
        assert!(matches!(right.await, Verdict::Granted(_)));
    }
    let start = Instant::now();
    let wrong = house.exchange((Hash::Sha256, None), "plain", "", "x");
    assert_eq!(wrong.await, Verdict::Denied);
    assert_eq!(start.elapsed().as_secs(), 2);
}

/// What the log has of all that is done here.
fn logged() -> (tempfile::NamedTempFile, tracing::subscriber::DefaultGuard) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let writer = Arc::new(file.reopen().unwrap());
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(writer);
    let guard = tracing::subscriber::set_default(subscriber.finish());
    (file, guard)
}

#[tokio::test(start_paused = true)]
async fn a_master_is_told_of_who_has_proven_to_be_one() {
    let house = House::new();
    let (log, _guard) = logged();
    for (password, times) in [("wrong", 0), ("master", 1)] {
        house
            .exchange((Hash::Sha256, None), "plain*root", "", password)
            .await;
        let text = fs::read_to_string(log.path()).unwrap();
        let told = text.matches("master user root logs in as plain").count();
        assert_eq!(told, times, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_is_not_believed_is_a_guess() {
    let house = House::new();
    let (log, _guard) = logged();
    for (seconds, times) in [(2, 1), (4, 2)] {
        let line = Line {
            peer: "203.0.113.7".to_owned(),
            purpose: Purpose::Session,
            tls: Tls::No,
            channel: None,
            shown: Vec::new(),
            certified: None,
        };
        let mut attempt = Attempt::new(Arc::clone(&house.auth), Mechanism::External, line);
        let start = Instant::now();
        let said = attempt.step(Some(&Secret::new(Vec::new()))).await;
        assert_eq!(said, Step::Verdict(Verdict::Denied));
        assert_eq!(start.elapsed().as_secs(), seconds);
        let text = fs::read_to_string(log.path()).unwrap();
        let line = "login(,203.0.113.7): invalid credentials";
        assert_eq!(text.matches(line).count(), times, "{text}");
    }
}
