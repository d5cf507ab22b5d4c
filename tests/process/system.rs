//! Users of the system: those of a passwd(5) and shadow(5) that only the server sees.

use crate::hall::{ANN, BERT, Hall};
use crate::harness::{message, wait_until};

/// `secret`, by crypt(3) with `$6$`.
const HASH: &str = "$6$./q00xZ.qcMRoCOb$8YoWIjjHHoJlPVgbfcJL3hDAA0Qn6y7pdBFdL9Fbq9LZbVKK9YPs.0xkMTg2XIGG7Vnn2G1bWOWVdh0..Sc78/";

/// Ann and Bert have a password, Carl's account has expired, Dora has none, Ida's is locked; PAM goes by shadow(5), but
/// hangs for Emil, refuses Fritz and Gina before it asks for a password, and cannot say of Hugo.
pub fn before() -> String {
    format!(
        "cat /etc/passwd > HOME/passwd\ncat >> HOME/passwd <<'END'\n\
         ann:x:{ANN}:{ANN}::HOME/ann:/bin/sh\nbert:x:{BERT}:{BERT}::HOME/bert:/bin/sh\n\
         carl:x:61011:61011::HOME/carl:/bin/sh\ndora:x:61012:61012::HOME/dora:/bin/sh\n\
         emil:x:61013:61013::HOME/emil:/bin/sh\nfritz:x:61014:61014::HOME/fritz:/bin/sh\n\
         gina:x:61015:61015::HOME/gina:/bin/sh\nhugo:x:61016:61016::HOME/hugo:/bin/sh\n\
         ida:x:61017:61017::HOME/ida:/bin/sh\nEND\n\
         cat > HOME/shadow <<'END'\nroot:{HASH}:19000:0:99999:7:::\nann:{HASH}:19000:0:99999:7:::\n\
         bert:{HASH}:19000:0:99999:7:::\ncarl:{HASH}:19000:0:99999:7::19001:\ndora:!:19000:0:99999:7:::\n\
         emil:{HASH}:19000:0:99999:7:::\nfritz:{HASH}:19000:0:99999:7:::\n\
         gina:{HASH}:19000:0:99999:7:::\nhugo:{HASH}:19000:0:99999:7:::\n\
         ida:!{HASH}:19000:0:99999:7:::\nEND\nchmod 600 HOME/shadow\n\
         mkdir HOME/pam.d\ncat > HOME/pam.d/culver <<'END'\n\
         auth [success=ignore default=1] pam_succeed_if.so quiet user = emil\n\
         auth required pam_exec.so quiet /bin/sleep 1000\n\
         auth [success=ignore default=1] pam_succeed_if.so quiet user = fritz\n\
         auth requisite pam_debug.so auth=perm_denied\n\
         auth [success=ignore default=1] pam_succeed_if.so quiet user = gina\n\
         auth requisite pam_debug.so auth=acct_expired\n\
         auth [success=ignore default=1] pam_succeed_if.so quiet user = hugo\n\
         auth requisite pam_debug.so auth=authinfo_unavail\n\
         auth required pam_unix.so\naccount required pam_unix.so\nEND\n\
         mount --bind HOME/passwd /etc/passwd\nmount --bind HOME/shadow /etc/shadow\n\
         mount --bind HOME/pam.d /etc/pam.d\n"
    )
}

#[test]
fn by_pam_with_their_own_rights() {
    let Some(hall) = Hall::with("kind = \"pam\"\n", &before()) else {
        return;
    };
    for (user, uid) in [("ann", ANN), ("bert", BERT)] {
        for _ in 0..2 {
            let mut client = hall.stranger();
            client.ok(&format!("LOGIN {user} secret"));
            client.append("INBOX", "", &message("hello"));
            client.ok("SELECT INBOX");
            assert!(hall.process("culver-worker", Some(uid)).is_some());
        }
        assert!(hall.at(user).join("Maildir/cur").is_dir());
    }
    for (login, answer) in [
        ("ann wrong", "NO [AUTHENTICATIONFAILED]"),
        ("nobody-at-all secret", "NO [AUTHENTICATIONFAILED]"),
        ("dora secret", "NO [AUTHENTICATIONFAILED]"),
        // Nothing that C would take for the end.
        ("\"\" secret", "NO [AUTHENTICATIONFAILED]"),
        ("dora \"\"", "NO [AUTHENTICATIONFAILED]"),
        ("carl secret", "NO [AUTHORIZATIONFAILED]"),
        // That is told to nobody but who has the password.
        ("carl wrong", "NO [AUTHENTICATIONFAILED]"),
        ("fritz secret", "NO [AUTHENTICATIONFAILED]"),
        ("gina secret", "NO [AUTHENTICATIONFAILED]"),
        ("hugo secret", "NO [UNAVAILABLE]"),
        // Root has a password, which is not tried out here.
        ("root secret", "NO [AUTHENTICATIONFAILED]"),
    ] {
        assert_eq!(
            hall.stranger().outcome(&format!("LOGIN {login}")),
            answer,
            "{login}"
        );
    }
}

#[test]
fn a_module_that_hangs_keeps_nobody_else_waiting() {
    let Some(hall) = Hall::with("kind = \"pam\"\n", &before()) else {
        return;
    };
    let mut stuck: Vec<_> = (0..20).map(|_| hall.stranger()).collect();
    for client in &mut stuck {
        client.send(b"a LOGIN emil secret\r\n");
    }
    wait_until("twenty who check", || {
        hall.processes()
            .iter()
            .filter(|one| one.name == "culver-proof")
            .count()
            == 20
    });
    for user in ["ann", "bert"] {
        hall.stranger().ok(&format!("LOGIN {user} secret"));
    }
    // What hangs may be ended, and hurts nobody else.
    for one in hall
        .processes()
        .iter()
        .filter(|one| one.name == "culver-proof")
    {
        crate::hall::signal(one.pid, rustix::process::Signal::KILL);
    }
    for client in &mut stuck {
        let reply = client.until_tagged("a");
        assert!(reply.tagged.starts_with("NO [UNAVAILABLE]"), "{reply:?}");
    }
}

#[test]
fn by_their_hashes() {
    let Some(hall) = Hall::with("kind = \"passwd\"\n", &before()) else {
        return;
    };
    hall.stranger().ok("LOGIN ann secret");
    for login in [
        "ann wrong",
        "dora secret",
        "dora !",
        "ida secret",
        "carl wrong",
        "nobody-at-all secret",
    ] {
        let said = hall.stranger().outcome(&format!("LOGIN {login}"));
        assert_eq!(said, "NO [AUTHENTICATIONFAILED]", "{login}");
    }
    let said = hall.stranger().outcome("LOGIN carl secret");
    assert_eq!(said, "NO [AUTHORIZATIONFAILED]");
}
