//! What follows from what each source says, by its rules: for logins, and for whoever only looks for a user.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::tests::{credentials, here};
use super::*;
use crate::config::Config;

/// Sources by the passwords of `ann` and of `bob` in each, and by their rules.
fn with_rules(sources: &[(&str, &str)]) -> (TempDir, Authenticator) {
    let directory = tempfile::tempdir().unwrap();
    let mut text = "[auth]\nmaster-separator = \"*\"\nfailure-delay = \"0s\"\n".to_owned();
    for (number, (line, rules)) in sources.iter().enumerate() {
        let path = directory.path().join(number.to_string());
        if *line != "missing" {
            fs::write(&path, line).unwrap();
        }
        text += &format!(
            "[[auth.source]]\nkind = \"passwd-file\"\npath = {:?}\n{rules}\n",
            path.display().to_string()
        );
    }
    let auth = Authenticator::new(&Config::parse(&text).expect(&text).auth, 0, &here());
    (directory, auth)
}

async fn by_rules(sources: &[(&str, &str)], password: &str) -> Verdict {
    let (_directory, auth) = with_rules(sources);
    let masters = |(_, rules): &(&str, &str)| rules.contains("master = true");
    let user = if sources.iter().any(masters) {
        "ann*root"
    } else {
        "ann"
    };
    auth.check(credentials(user, password)).await
}

/// <https://doc.dovecot.org/2.3/configuration_manual/authentication/password_databases_passdb/>, "Result values".
#[tokio::test(start_paused = true)]
async fn what_follows_from_what_a_source_says() {
    const ANN: &str = "ann:{PLAIN}1";
    for (sources, password, granted) in [
        // Who is let in by one is not kept out by the next, unless it is to be asked.
        (&[(ANN, ""), ("", "")][..], "1", true),
        (
            &[(ANN, "result-success = \"return-fail\""), (ANN, "")],
            "1",
            false,
        ),
        (
            &[(ANN, "result-success = \"return\""), (ANN, "")],
            "1",
            false,
        ),
        (
            &[(ANN, "result-success = \"continue\""), ("", "")],
            "1",
            false,
        ),
        (
            &[(ANN, "result-success = \"continue-ok\""), ("", "")],
            "1",
            true,
        ),
        (
            &[
                (ANN, "result-success = \"continue-ok\""),
                ("", "result-failure = \"return-fail\""),
            ],
            "1",
            false,
        ),
        (
            &[
                (ANN, "result-success = \"continue-ok\""),
                ("", "result-failure = \"return\""),
            ],
            "1",
            true,
        ),
        // Once it was right, the next one's password does not matter, but that it knows the user.
        (
            &[(ANN, "result-success = \"continue\""), ("ann:{PLAIN}2", "")],
            "1",
            true,
        ),
        (
            &[
                (ANN, "result-success = \"continue-fail\""),
                ("ann:{PLAIN}2", ""),
            ],
            "1",
            false,
        ),
        (
            &[(ANN, "result-success = \"continue-fail\""), (ANN, "")],
            "1",
            true,
        ),
        (
            &[(ANN, "result-success = \"continue\""), ("ann:{PLAIN}2", "")],
            "2",
            true,
        ),
        // A wrong one.
        (&[(ANN, ""), ("ann:{PLAIN}2", "")], "2", true),
        (
            &[
                (ANN, "result-failure = \"return-fail\""),
                ("ann:{PLAIN}2", ""),
            ],
            "2",
            false,
        ),
        (
            &[(ANN, "result-failure = \"return\""), ("ann:{PLAIN}2", "")],
            "2",
            false,
        ),
        // Both have to know it: the second is asked only of those who were let in.
        (
            &[
                (ANN, "result-success = \"continue-ok\""),
                (ANN, "skip = \"unauthenticated\""),
            ],
            "2",
            false,
        ),
        (
            &[
                (ANN, "result-success = \"continue-ok\""),
                (
                    "",
                    "skip = \"authenticated\"\nresult-failure = \"return-fail\"",
                ),
            ],
            "1",
            true,
        ),
        // `continue` for a right password is enough for what is skipped.
        (
            &[
                (ANN, "result-success = \"continue\""),
                ("ann:{PLAIN}2", "skip = \"unauthenticated\""),
            ],
            "1",
            true,
        ),
        (
            &[
                (ANN, "result-success = \"continue\""),
                ("ann:{PLAIN}2", "skip = \"authenticated\""),
            ],
            "1",
            false,
        ),
        // Sources that follow know a user by the new name.
        (
            &[
                (
                    "ann:{PLAIN}1::::::user=bob",
                    "result-success = \"continue\"",
                ),
                ("bob:{PLAIN}2", ""),
            ],
            "1",
            true,
        ),
        (
            &[
                (
                    "ann:{PLAIN}1::::::user=bob",
                    "result-success = \"continue-fail\"",
                ),
                ("bob:{PLAIN}1", ""),
            ],
            "1",
            true,
        ),
        (
            &[
                (
                    "ann:{PLAIN}1::::::user=bob",
                    "result-success = \"continue\"",
                ),
                (ANN, ""),
            ],
            "1",
            false,
        ),
        // One that cannot say.
        (
            &[("missing", "result-internalfail = \"return-ok\"")],
            "x",
            true,
        ),
        (&[("missing", ""), (ANN, "")], "1", true),
    ] {
        let verdict = by_rules(sources, password).await;
        let is_granted = matches!(verdict, Verdict::Granted(_));
        assert_eq!(is_granted, granted, "{sources:?} {password}: {verdict:?}");
    }
    let fail = "result-internalfail = \"return-fail\"";
    let verdict = by_rules(&[("missing", fail), (ANN, "")], "1").await;
    assert_eq!(verdict, Verdict::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn what_several_sources_say_of_a_user_comes_together() {
    let sources = [
        (
            "ann:{PLAIN}1:5:6::/one::userdb_mail=maildir:/m",
            "result-success = \"continue\"",
        ),
        ("ann:{PLAIN}2:7:8:::", ""),
    ];
    let Verdict::Granted(granted) = by_rules(&sources, "1").await else {
        panic!("not granted");
    };
    let account = granted.account;
    assert_eq!((account.uid, account.gid), (Some(7), Some(8)));
    assert_eq!(account.home.as_deref(), Some(Path::new("/one")));
    assert_eq!(account.mail.as_deref(), Some("/m"));
}

/// Dovecot's `pass = yes`: the users' sources are asked too, and what they say of a login counts.
#[tokio::test(start_paused = true)]
async fn a_master_whom_the_other_sources_are_asked_after() {
    let masters = (
        "root:{PLAIN}m",
        "master = true\nresult-success = \"continue\"",
    );
    let gone = Verdict::Disabled("Gone".to_owned());
    let closed = ("ann:{PLAIN}1::::::nologin reason=Gone", "");
    assert_eq!(by_rules(&[closed, masters], "m").await, gone);
    assert_eq!(by_rules(&[closed, masters], "1").await, Verdict::Denied);
    assert_eq!(
        by_rules(&[("bob:x", ""), masters], "m").await,
        Verdict::Denied
    );
    // Who may not log in does not do so as another, either.
    for rules in [masters.1, "master = true"] {
        let barred = ("root:{PLAIN}m::::::nologin reason=Barred", rules);
        let verdict = by_rules(&[("ann:{PLAIN}1", ""), barred], "m").await;
        assert_eq!(verdict, Verdict::Disabled("Barred".to_owned()), "{rules}");
    }
    // Whatever the rules say, somebody has to be a master, and the user has to be there.
    for (rule, line, password, granted) in [
        ("success", "ann:{PLAIN}1", "m", true),
        ("success", "bob:{PLAIN}1", "m", false),
        ("success", "ann:{PLAIN}1", "x", false),
        ("failure", "ann:{PLAIN}1", "x", false),
    ] {
        let rules = format!("master = true\nresult-{rule} = \"continue-ok\"");
        let verdict = by_rules(&[(line, ""), ("root:{PLAIN}m", &rules)], password).await;
        let is_granted = matches!(verdict, Verdict::Granted(_));
        assert_eq!(is_granted, granted, "{rule} {line} {password}");
    }
    let own = by_rules(&[("ann:{PLAIN}1", ""), masters], "m").await;
    assert!(matches!(own, Verdict::Granted(granted) if granted.master.as_deref() == Some("root")));
}

/// A user without a password is looked for by the same rules.
async fn looked_up(sources: &[(&str, &str)], user: &str) -> Verdict {
    let (_directory, auth) = with_rules(sources);
    auth.lookup(user.to_owned()).await
}

#[tokio::test]
async fn who_is_looked_up_is_who_could_log_in() {
    const ANN: &str = "ann:{PLAIN}1:5:6:::";
    const BANNED: &str = "ann:::::::nopassword";
    for (sources, expected) in [
        (&[(ANN, ""), ("ann:x:7:8:::", "")][..], Some(5)),
        (&[("", ""), (ANN, "")], Some(5)),
        // The first knows only passwords, the second the rest.
        (
            &[
                ("ann:{PLAIN}1", "result-success = \"continue\""),
                ("ann:x:7:8:::", ""),
            ],
            Some(7),
        ),
        (
            &[(ANN, "result-success = \"continue\""), ("bob:x", "")],
            None,
        ),
        (
            &[(ANN, "result-success = \"continue-ok\""), ("", "")],
            Some(5),
        ),
        (
            &[
                (ANN, "result-success = \"continue-ok\""),
                ("bob:x", "result-failure = \"return-fail\""),
            ],
            None,
        ),
        // Who is kept out gets mail, but a list of those who are does not say who is there.
        (&[(ANN, "result-success = \"return-fail\"")], Some(5)),
        (&[(ANN, "result-success = \"continue-fail\"")], Some(5)),
        (
            &[(BANNED, "result-success = \"return-fail\""), (ANN, "")],
            Some(5),
        ),
        (&[(BANNED, "result-success = \"return-fail\"")], None),
        (
            &[
                (BANNED, "result-success = \"continue-fail\""),
                ("bob:x", ""),
            ],
            None,
        ),
        // As at a login.
        (
            &[
                (ANN, "result-success = \"continue\""),
                ("ann:x:7:8:::", "skip = \"unauthenticated\""),
            ],
            Some(7),
        ),
        (
            &[
                (
                    "ann:{PLAIN}1::::::user=bob",
                    "result-success = \"continue\"",
                ),
                ("bob:x:7:8:::", ""),
            ],
            Some(7),
        ),
        (
            &[("bob:x", "result-failure = \"return-fail\""), (ANN, "")],
            None,
        ),
        (&[(ANN, "skip = \"unauthenticated\"")], None),
        (
            &[
                (ANN, "result-success = \"continue-ok\""),
                ("ann:x:7:8:::", "skip = \"authenticated\""),
            ],
            Some(5),
        ),
        // Mail comes to who may not log in, and from wherever.
        (
            &[("ann:x:5:6::::nologin allow_nets=192.0.2.1", "")],
            Some(5),
        ),
    ] {
        let verdict = looked_up(sources, "ann").await;
        let found = match &verdict {
            Verdict::Granted(granted) => granted.account.uid,
            _ => None,
        };
        assert_eq!(found, expected, "{sources:?}: {verdict:?}");
    }
    for (rule, expected) in [
        ("return-fail", Verdict::Unavailable),
        ("return", Verdict::Unavailable),
    ] {
        let rule = format!("result-internalfail = \"{rule}\"");
        let verdict = looked_up(&[("missing", &rule), (ANN, "")], "ann").await;
        assert_eq!(verdict, expected, "{rule}");
    }
    let verdict = looked_up(&[("missing", ""), (ANN, "")], "ann").await;
    assert!(matches!(verdict, Verdict::Granted(_)));
}

#[tokio::test]
async fn why_somebody_may_not_log_in_who_is_looked_up() {
    const KEPT_OUT: Option<&str> = Some("a source's result-success says so");
    for (sources, expected) in [
        (&[("ann:x", "")][..], None),
        (&[("ann:x::::::nologin reason=Gone", "")], Some("Gone")),
        (&[("ann:x", "result-success = \"return-fail\"")], KEPT_OUT),
        (
            &[
                ("ann:::::::nopassword", "result-success = \"return-fail\""),
                ("ann:x", ""),
            ],
            KEPT_OUT,
        ),
        // The next one may still let the user in.
        (
            &[
                ("ann:x", "result-success = \"continue-fail\""),
                ("ann:x", ""),
            ],
            None,
        ),
    ] {
        let (_directory, auth) = with_rules(sources);
        let known = auth.look_up("ann".to_owned()).await;
        assert!(matches!(known.verdict, Some(Verdict::Granted(_))));
        assert_eq!(known.closed.as_deref(), expected, "{sources:?}");
        assert!(!known.is_near);
    }
    let (_directory, auth) = with_rules(&[("ann:x::::::allow_nets=192.0.2.1", "")]);
    assert!(auth.look_up("ann".to_owned()).await.is_near);
}
