//! `culver user` and `culver auth test`: what the sources of users say, without a server's help.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::hall::{ANN, Hall, VMAIL};
use crate::harness::server::culver_program;
use crate::system;

/// Runs it, with a line on standard input.
fn ask(hall: &Hall, words: &[&str], typed: &str) -> Output {
    let mut child = Command::new(culver_program())
        .args(words)
        .arg("--config")
        .arg(hall.at("culver.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Where none is asked for it is not read.
    let _ = writeln!(child.stdin.take().unwrap(), "{typed}");
    child.wait_with_output().unwrap()
}

#[track_caller]
fn says(output: &Output, code: i32, stdout: &str, stderr: &str) {
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}{errors}");
    assert_eq!(said, stdout, "{errors}");
    assert!(errors.contains(stderr), "{errors}");
}

fn facts(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_a_login_would_give() {
    let Some(hall) = Hall::open() else { return };
    let (home, users) = (hall.home.path().display(), hall.at("users"));
    let users = users.display();
    let ann = ask(&hall, &["user", "Ann"], "");
    let expected = format!(
        "user:    ann\nuid:     {ANN}\ngid:     {ANN}\nhome:    {home}/ann\n\
         mail:    {home}/ann/Maildir\nquota:   none\nsource:  1 passwd-file {users}\nlogin:   allowed\n"
    );
    says(&ann, 0, &expected, "");
    let full = ask(&hall, &["user", "full@example.org", "--json"], "");
    let home = format!("{home}/vmail/example.org/full");
    assert_eq!(
        facts(&full),
        json!({
            "user": "full@example.org", "uid": VMAIL, "gid": VMAIL, "home": home,
            "mail": format!("{home}/Maildir"), "control": null,
            "quota": { "storage": 1000, "messages": null },
            "sources": [{ "number": 1, "kind": "passwd-file", "what": users.to_string() }],
            "login": true, "reason": null,
        })
    );
    for (user, why) in [
        ("nobody@example.org", "there is no such user"),
        ("root", "there is no such user"),
        ("daemon", "is below users.first-uid"),
    ] {
        says(&ask(&hall, &["user", user], ""), 1, "", why);
    }
    std::fs::rename(hall.at("users"), hall.at("gone")).unwrap();
    says(&ask(&hall, &["user", "ann"], ""), 1, "", "cannot be asked");
    std::fs::write(hall.at("culver.toml"), "nonsense = 1\n").unwrap();
    says(&ask(&hall, &["user", "ann"], ""), 2, "", "nonsense");
}

#[test]
fn what_each_source_says_to_a_password() {
    let more = "[[auth.source]]\nkind = \"passwd-file\"\npath = \"HOME/more\"\n";
    let Some(hall) = Hall::prepared(&[], |home| {
        let line = "ann:{PLAIN}q::::::nologin reason=Gone\n\
            near:{PLAIN}n::::/nonexistent/near::allow_nets=192.0.2.7\nlow:{PLAIN}l:100:100::/low:\n";
        std::fs::write(home.join("more"), line).unwrap();
        let (file, home) = (home.join("culver.toml"), home.display().to_string());
        let text = std::fs::read_to_string(&file).unwrap() + &more.replace("HOME", &home);
        std::fs::write(file, text).unwrap();
    }) else {
        return;
    };
    let sources = [hall.at("users"), hall.at("more")];
    let sources = sources.each_ref().map(|path| path.display());
    for (words, typed, code, answers, verdict) in [
        (
            &["ann"][..],
            "p",
            0,
            ["right", "wrong password"],
            "granted: ann is let in",
        ),
        (
            &["ann"],
            "q",
            1,
            ["wrong password", "right, but refused: Gone"],
            "disabled: Gone",
        ),
        (
            &["ann"],
            "x",
            1,
            ["wrong password"; 2],
            "denied: wrong password, or no such user",
        ),
        (
            &["nobody"],
            "p",
            1,
            ["no such user"; 2],
            "denied: wrong password, or no such user",
        ),
        (
            &["near"],
            "n",
            1,
            ["no such user", "right, but refused: not from this address"],
            "denied: wrong password, or no such user",
        ),
        (
            &["near", "--address", "192.0.2.7"],
            "n",
            0,
            ["no such user", "right"],
            "granted: near is let in",
        ),
        (
            &["low"],
            "l",
            1,
            ["no such user", "right"],
            "unserved: the password is right, but low: users.uid: 100 is below users.first-uid (500)",
        ),
    ] {
        let output = ask(&hall, &[&["auth", "test"], words].concat(), typed);
        let expected = format!(
            "1 passwd-file {}: {}\n2 passwd-file {}: {}\n{verdict}\n",
            sources[0], answers[0], sources[1], answers[1]
        );
        says(&output, code, &expected, "");
    }
    let near = facts(&ask(&hall, &["user", "near", "--json"], ""));
    let only = json!("from some addresses only");
    assert_eq!((&near["login"], &near["reason"]), (&Value::Null, &only));
    let output = ask(&hall, &["auth", "test", "low", "--json"], "l");
    assert_eq!(facts(&output)["verdict"], json!("unserved"));
    let output = ask(&hall, &["auth", "test", "ann", "--json"], "q");
    let said = facts(&output);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        (&said["verdict"], &said["reason"]),
        (&json!("disabled"), &json!("Gone"))
    );
    assert_eq!(said["sources"][1]["answer"], json!("right, but refused"));
    says(&ask(&hall, &["auth", "test"], ""), 2, "", "USER");
}

/// PAM sees the users of a view of the files that is the server's; whoever asks is in it too.
#[test]
fn users_of_the_system_and_those_of_programs() {
    for (source, before, login, answers) in [
        (
            "kind = \"pam\"\n",
            system::before(),
            "login:   as PAM says\n",
            [
                (
                    "ann",
                    "secret",
                    "1 pam culver: right\ngranted: ann is let in\n",
                ),
                (
                    "carl",
                    "secret",
                    "1 pam culver: right, but refused: The account has expired\n\
                     disabled: The account has expired\n",
                ),
                (
                    "dora",
                    "secret",
                    "1 pam culver: wrong password\ndenied: wrong password, or no such user\n",
                ),
            ],
        ),
        (
            "kind = \"exec\"\ncommand = [\"HOME/check\"]\n",
            crate::exec::before(),
            "login:   allowed\n",
            [
                (
                    "ann",
                    "right",
                    "1 exec HOME/check: right\ngranted: ann is let in\n",
                ),
                (
                    "ann",
                    "wrong",
                    "1 exec HOME/check: wrong password, or no such user\n\
                     denied: wrong password, or no such user\n",
                ),
                (
                    "ann",
                    "crash",
                    "1 exec HOME/check: cannot say\nunavailable: a source cannot say\n",
                ),
            ],
        ),
    ] {
        let Some(hall) = Hall::with(source, &before) else {
            return;
        };
        let home = hall.home.path().display().to_string();
        let inside = |words: &[&str], typed: &str| {
            let mut child = Command::new("nsenter")
                .args(["--mount", "--target", &hall.master().to_string()])
                .arg(culver_program())
                .args(words)
                .arg("--config")
                .arg(hall.at("culver.toml"))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // Where none is asked for it is not read.
            let _ = writeln!(child.stdin.take().unwrap(), "{typed}");
            String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
        };
        for (user, password, expected) in answers {
            let said = inside(&["auth", "test", user], password);
            assert_eq!(said, expected.replace("HOME", &home), "{user} {password}");
        }
        let said = inside(&["user", "ann"], "");
        assert!(said.ends_with(login), "{said}");
    }
}
