//! Why somebody is not let in of whom nothing was wrong: the log says it, and the client does not hear it.

use std::fs;
use std::sync::{Arc, Mutex};

use super::tests::{authenticator, credentials};
use super::*;

/// What is told of a login, and why.
async fn told(auth: &Authenticator, credentials: Credentials) -> (Verdict, Option<String>) {
    let heard = Arc::new(Mutex::new(None));
    let hearing = Arc::clone(&heard);
    let tell = move |verdict: &Verdict, why: Option<&str>| {
        *hearing.lock().unwrap() = Some((verdict.clone(), why.map(str::to_owned)));
    };
    auth.log_in(credentials, tell).await;
    heard.lock().unwrap().take().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_way_of_a_right_password_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let users = "ann:{PLAIN}p\nnear:{PLAIN}p::::::allow_nets=192.0.2.1\n";
    fs::write(directory.path().join("users"), users).unwrap();
    fs::write(directory.path().join("masters"), "root:{PLAIN}m\n").unwrap();
    let separator = "master-separator = \"*\"";
    let open = authenticator(directory.path(), separator, &["users", "masters"]);
    let path = directory.path().join("users").display().to_string();
    let text = format!(
        "[[auth.source]]\nkind = \"passwd-file\"\npath = {path:?}\nresult-success = \"return-fail\"\n"
    );
    let config = crate::config::Config::parse(&text).unwrap();
    let closed = Authenticator::new(&config.auth, 0, &super::tests::here());
    let address = Some("the address is not in allow_nets");
    for (auth, user, password, why) in [
        (&open, "near", "p", address),
        (&open, "near", "x", None),
        (&open, "nobody", "p", None),
        (
            &open,
            "nobody*root",
            "m",
            Some("there is no such user to log in as"),
        ),
        (&open, "nobody*root", "x", None),
        (
            &closed,
            "ann",
            "p",
            Some("a source's result-success says so"),
        ),
        (&closed, "ann", "x", None),
        (&closed, "near", "p", address),
    ] {
        let told = told(auth, credentials(user, password)).await;
        assert_eq!(told, (Verdict::Denied, why.map(str::to_owned)), "{user}");
    }
    let (verdict, why) = told(&open, credentials("ann", "p")).await;
    assert!(matches!(verdict, Verdict::Granted(_)) && why.is_none());
    // Root's password is not tried, and the system's own users are nobody here.
    let text = "[[auth.source]]\nkind = \"pam\"\n";
    let config = crate::config::Config::parse(text).unwrap();
    let system = Authenticator::new(&config.auth, 500, &super::tests::here());
    let (verdict, why) = told(&system, credentials("daemon", "r")).await;
    assert_eq!(verdict, Verdict::Denied);
    assert!(why.unwrap().contains("users.first-uid"));
}

/// By SCRAM that is known before the client has proven anything.
#[tokio::test(start_paused = true)]
async fn it_is_told_of_who_has_proven_to_be_the_user() {
    let directory = tempfile::tempdir().unwrap();
    let users = "near:{PLAIN}p::::::allow_nets=192.0.2.1\n";
    fs::write(directory.path().join("users"), users).unwrap();
    let auth = authenticator(directory.path(), "", &["users"]);
    let ask = async || {
        let named = auth.named(b"near", None);
        let line = credentials("", "").line;
        let challenge = auth.challenge(named, Hash::Sha256, &line).await;
        challenge.unwrap().outcome
    };
    assert!(ask().await.why.unwrap().contains("allow_nets"));
    assert_eq!(ask().await.refused().why, None);
}
