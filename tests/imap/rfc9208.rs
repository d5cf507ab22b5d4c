//! QUOTA (RFC 9208), which is also RFC 2087's: what there is, what there may be, and what happens beyond it. The forms
//! are Dovecot's, whose plugin answers the same dialogues.

use std::fs;
use std::sync::Arc;

use crate::harness::{Client, Kind, Maildir, Server, Setup};

/// A message whose file has so many octets: a line end is stored as one.
fn stored(octets: usize) -> String {
    format!("Subject: x\r\n\r\n{}", "x".repeat(octets - 12))
}

fn with_quota(storage: Option<&str>, messages: Option<u32>) -> (Arc<Maildir>, Server) {
    let maildir = Arc::new(Maildir::new());
    let server = Setup::new(Kind::chosen()).quota(storage, messages);
    let server = server.start(&maildir);
    (maildir, server)
}

/// Demands that the one quota root says so.
#[track_caller]
fn says(c: &mut Client, resources: &str) {
    let quota = format!("* QUOTA \"User quota\" ({resources})");
    c.check("GETQUOTA \"User quota\"", &[&quota], "OK");
}

/// §3.1.1: "Supported resource names MUST be advertised as a capability by prepending the resource name with
/// "QUOTA=RES-"." §1: "Any server compliant with this document that implements the SETQUOTA command (see Section 4.1.3)
/// MUST also return the "QUOTASET" capability": this one does not.
#[test]
fn the_capabilities() {
    let (_maildir, server) = with_quota(Some("10K"), Some(5));
    let told = format!("{} ", server.client().ok("CAPABILITY").remove(0));
    assert!(told.contains(" QUOTA "), "{told}");
    if server.kind == Kind::Culver {
        assert!(told.contains(" QUOTA=RES-STORAGE "), "{told}");
        assert!(told.contains(" QUOTA=RES-MESSAGE "), "{told}");
    }
    assert!(!told.contains("QUOTASET"), "{told}");
}

/// §4.1.1: GETQUOTA "returns the quota root's resource usage and limits in an untagged QUOTA response." §5.1: STORAGE is
/// "in units of 1024 octets", those begun too, as Dovecot has it.
#[test]
fn what_there_is_and_may_be() {
    let (_maildir, server) = with_quota(Some("10K"), Some(5));
    let mut c = server.client();
    let root = "* QUOTAROOT INBOX \"User quota\"";
    let quota = "* QUOTA \"User quota\" (STORAGE 0 10 MESSAGE 0 5)";
    c.check("GETQUOTAROOT INBOX", &[root, quota], "OK");
    c.check("GETQUOTA \"User quota\"", &[quota], "OK");
    // "Note that the mailbox name parameter doesn't have to reference an existing mailbox."
    let root = "* QUOTAROOT nosuch \"User quota\"";
    c.check("getquotaroot nosuch", &[root, quota], "OK");
    // "NO - getquota error: no such quota root"
    for nosuch in ["\"\"", "nosuch", "\"user quota\"", "INBOX"] {
        c.check(&format!("GETQUOTA {nosuch}"), &[], "NO");
    }
    for (octets, kibibytes) in [(1024, 1), (14, 2), (1010, 2), (14, 3)] {
        c.append("INBOX", "", &stored(octets));
        let messages = c.ok("STATUS INBOX (MESSAGES)").remove(0);
        let messages = messages.trim_end_matches(')').rsplit(' ').next().unwrap();
        says(
            &mut c,
            &format!("STORAGE {kibibytes} 10 MESSAGE {messages} 5"),
        );
    }
}

/// §4.2.1: "Resources not named in the list are not limited in the quota root."
#[test]
fn what_is_not_limited_is_not_named() {
    let (_maildir, server) = with_quota(Some("10K"), None);
    says(&mut server.client(), "STORAGE 0 10");
    let (_maildir, server) = with_quota(None, Some(7));
    says(&mut server.client(), "MESSAGE 0 7");
}

/// §4.1.3: "support for the SETQUOTA command requires the server to advertise the "QUOTASET" capability". Who knows
/// RFC 2087 alone is told that it may not.
#[test]
fn limits_are_not_for_clients_to_set() {
    let (_maildir, server) = with_quota(Some("10K"), None);
    let mut c = server.client();
    for root in ["\"User quota\"", "\"#user/alice\""] {
        for limits in ["(STORAGE 510)", "(STORAGE 510 MESSAGE 5)", "()"] {
            let refused = server.either("NO [NOPERM]", "NO");
            c.check(&format!("SETQUOTA {root} {limits}"), &[], refused);
        }
    }
    says(&mut c, "STORAGE 0 10");
}

/// §5.2: the number of messages "MUST be an exact number", whatever they go through.
#[test]
fn it_goes_with_the_messages() {
    let (maildir, server) = with_quota(Some("100K"), Some(50));
    let mut c = server.client();
    let text = |octets: usize| {
        let text = stored(octets);
        format!("{{{}+}}\r\n{text}", text.len())
    };
    c.append("INBOX", "", &stored(3000));
    c.ok(&format!("APPEND INBOX {} {}", text(2000), text(1000)));
    says(&mut c, "STORAGE 6 100 MESSAGE 3 50");
    c.ok("CREATE a");
    c.ok("CREATE b");
    c.ok("SELECT INBOX");
    c.ok("COPY 1:2 a");
    says(&mut c, "STORAGE 11 100 MESSAGE 5 50");
    c.ok("MOVE 1 b");
    c.ok("RENAME a c");
    says(&mut c, "STORAGE 11 100 MESSAGE 5 50");
    c.ok("STORE 1 +FLAGS (\\Deleted)");
    says(&mut c, "STORAGE 11 100 MESSAGE 5 50");
    c.ok("EXPUNGE");
    says(&mut c, "STORAGE 9 100 MESSAGE 4 50");
    c.ok("DELETE c");
    says(&mut c, "STORAGE 4 100 MESSAGE 2 50");
    c.ok("SELECT b");
    c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    c.ok("CLOSE");
    says(&mut c, "STORAGE 1 100 MESSAGE 1 50");
    match server.kind {
        Kind::Culver => drop(c.ok("RENAME INBOX d")),
        // It cannot.
        Kind::Dovecot => {
            c.ok("CREATE d");
            c.ok("SELECT INBOX");
            c.ok("MOVE 1 d");
        }
    }
    says(&mut c, "STORAGE 1 100 MESSAGE 1 50");
    // What a message has that is there.
    let inside = format!(
        "APPEND INBOX CATENATE (URL /d;UIDVALIDITY={}/;UID=1 TEXT {})",
        validity(&mut c, "d"),
        text(1012)
    );
    c.ok(&inside);
    says(&mut c, "STORAGE 3 100 MESSAGE 2 50");
    if server.kind == Kind::Culver {
        c.ok("SELECT d");
        c.ok(&format!("REPLACE 1 d {}", text(5000)));
        says(&mut c, "STORAGE 7 100 MESSAGE 2 50");
        c.ok(&format!("REPLACE 1 INBOX {}", text(500)));
        says(&mut c, "STORAGE 3 100 MESSAGE 2 50");
    }
    // Counted anew it is the same.
    let before = c.ok("GETQUOTA \"User quota\"");
    fs::remove_file(maildir.path().join("maildirsize")).unwrap();
    let mut other = server.client();
    assert_eq!(other.ok("GETQUOTA \"User quota\""), before);
}

fn validity(c: &mut Client, mailbox: &str) -> String {
    let status = c.ok(&format!("STATUS {mailbox} (UIDVALIDITY)")).remove(0);
    let number = status.trim_end_matches(')').rsplit(' ').next().unwrap();
    number.to_owned()
}

/// §4.3.1: "The OVERQUOTA response code SHOULD be returned in the tagged NO response to an APPEND/COPY/MOVE when the
/// addition of the message(s) puts the target mailbox over any one of its quota limits." Who asks before it sends hears
/// it before.
#[test]
fn beyond_the_storage_there_may_be() {
    let (_maildir, server) = with_quota(Some("10K"), None);
    let mut c = server.client();
    c.check("APPEND INBOX {10300}", &[], "NO [OVERQUOTA]");
    let large = stored(10_300);
    let sent = format!("{{{}+}}\r\n{large}", large.len());
    c.check(&format!("APPEND INBOX {sent}"), &[], "NO [OVERQUOTA]");
    // Several together, of which each would do: none is appended.
    let half = stored(6000);
    let half = format!("{{{}+}}\r\n{half}", half.len());
    c.check(
        &format!("APPEND INBOX {half} {half}"),
        &[],
        "NO [OVERQUOTA]",
    );
    c.check("NOOP", &[], "OK");
    says(&mut c, "STORAGE 0 10");
    c.append("INBOX", "", &stored(6000));
    c.check("APPEND INBOX {6000}", &[], "NO [OVERQUOTA]");
    c.ok("CREATE a");
    c.ok("SELECT INBOX");
    c.check("COPY 1 a", &[], "NO [OVERQUOTA]");
    c.check("UID COPY 1 a", &[], "NO [OVERQUOTA]");
    let url = format!("/INBOX;UIDVALIDITY={}/;UID=1", validity(&mut c, "INBOX"));
    c.check(
        &format!("APPEND a CATENATE (URL {url})"),
        &[],
        "NO [OVERQUOTA]",
    );
    // RFC 6851 §4.1: what is moved is there already.
    c.ok("MOVE 1 a");
    says(&mut c, "STORAGE 6 10");
    c.check("STATUS a (MESSAGES)", &["* STATUS a (MESSAGES 1)"], "OK");
    c.append("a", "", &stored(4200));
    c.check("APPEND INBOX {100}", &[], "NO [OVERQUOTA]");
    c.ok("SELECT a");
    c.ok("MOVE 1:2 INBOX");
    // Room is made.
    c.ok("SELECT INBOX");
    c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    c.append("INBOX", "", &stored(4000));
}

#[test]
fn beyond_the_messages_there_may_be() {
    let (_maildir, server) = with_quota(None, Some(3));
    let mut c = server.client();
    let one = stored(20);
    let one = format!("{{{}+}}\r\n{one}", one.len());
    let four = [&one[..]; 4].join(" ");
    c.check(&format!("APPEND INBOX {four}"), &[], "NO [OVERQUOTA]");
    says(&mut c, "MESSAGE 0 3");
    c.ok(&format!("APPEND INBOX {one} {one}"));
    c.ok("SELECT INBOX");
    c.check("COPY 1:2 INBOX", &[], "NO [OVERQUOTA]");
    c.ok("COPY 1 INBOX");
    c.check(&format!("APPEND INBOX {one}"), &[], "NO [OVERQUOTA]");
    says(&mut c, "MESSAGE 3 3");
}

/// RFC 8508 §3.4: "only the net quota consumption is considered": a draft can be saved where nothing else can.
#[test]
fn a_draft_replaces_itself_in_a_full_account() {
    let (_maildir, server) = with_quota(Some("10K"), Some(2));
    if server.kind == Kind::Dovecot {
        return;
    }
    let mut c = server.client();
    c.append("INBOX", "", &stored(5000));
    c.append("INBOX", "", &stored(5200));
    c.ok("SELECT INBOX");
    c.check("APPEND INBOX {20}", &[], "NO [OVERQUOTA]");
    let text = |octets: usize| {
        let text = stored(octets);
        format!("{{{}+}}\r\n{text}", text.len())
    };
    c.check(
        &format!("REPLACE 2 INBOX {}", text(5300)),
        &[],
        "NO [OVERQUOTA]",
    );
    assert_eq!(
        c.outcome(&format!("REPLACE 2 INBOX {}", text(5100)))
            .split(' ')
            .next(),
        Some("OK")
    );
    says(&mut c, "STORAGE 10 10 MESSAGE 2 2");
}

/// §4.1.4: "the number of messages with the \Deleted flag set", and "the amount of storage space that can be
/// reclaimed by performing EXPUNGE on the mailbox", exactly. Both "MUST be supported" where the resource is.
#[test]
fn what_an_expunge_would_free() {
    let (maildir, server) = with_quota(Some("10K"), None);
    if server.kind == Kind::Dovecot {
        return;
    }
    // A file whose name tells no size.
    maildir.deliver("INBOX", &"x".repeat(333));
    let mut c = server.client();
    c.append("INBOX", "", &stored(1000));
    c.append("INBOX", "", &stored(2000));
    let status = |c: &mut Client, deleted: usize, octets: usize| {
        let answer =
            format!("* STATUS INBOX (MESSAGES 3 DELETED {deleted} DELETED-STORAGE {octets})");
        c.check(
            "STATUS INBOX (MESSAGES DELETED DELETED-STORAGE)",
            &[&answer],
            "OK",
        );
    };
    status(&mut c, 0, 0);
    let mut other = server.selected("INBOX");
    other.ok("STORE 1,3 +FLAGS (\\Deleted)");
    status(&mut c, 2, 2333);
    let lines = c.ok("LIST \"\" INBOX RETURN (STATUS (DELETED-STORAGE))");
    assert_eq!(
        lines.last().unwrap(),
        "* STATUS INBOX (DELETED-STORAGE 2333)"
    );
}

/// §4.2.2: a mailbox may have "no quota root associated with it". Then there is nothing to be kept on disk, as with
/// Dovecot without its plugin.
#[test]
fn without_limits() {
    let maildir = Arc::new(Maildir::new());
    let server = Server::on(&maildir);
    if server.kind == Kind::Dovecot {
        return;
    }
    let mut c = server.client();
    c.check("GETQUOTAROOT INBOX", &["* QUOTAROOT INBOX"], "OK");
    c.check("GETQUOTA \"User quota\"", &[], "NO");
    c.append("INBOX", "", &stored(1000));
    c.ok("SELECT INBOX");
    c.ok("COPY 1 INBOX");
    c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    c.ok("EXPUNGE");
    assert!(!maildir.path().join("maildirsize").exists());
}

/// Where nothing is configured, the limits that another program has written hold, as with Dovecot's plugin without a
/// rule; and a file without limits is kept for whoever reads it.
#[test]
fn the_limits_of_the_file() {
    let maildir = Arc::new(Maildir::new());
    let file = maildir.path().join("maildirsize");
    let put = |text: &str| {
        fs::write(&file, text).unwrap();
        crate::harness::maildir::own(&file);
    };
    put("1000S,3C\n0 0\n");
    let setup = Setup::new(Kind::chosen()).quota(None, None);
    let server = setup.start(&maildir);
    let mut c = server.client();
    says(&mut c, "STORAGE 0 1 MESSAGE 0 3");
    c.append("INBOX", "", &stored(300));
    c.check("APPEND INBOX {900}", &[], "NO [OVERQUOTA]");
    // Before it was refused, all was counted.
    let counted = server.either("1000S,3C\n300 1\n", "1000S,3C\n0 0\n300 1\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), counted);
    put("0S\n300 1\n");
    c.append("INBOX", "", &stored(3000));
    assert_eq!(fs::read_to_string(&file).unwrap(), "0S\n300 1\n3000 1\n");
}

/// A user's own fields come before what holds for all, in both of Dovecot's forms.
#[test]
fn a_users_own_limits() {
    for (fields, resources) in [
        (
            "userdb_quota_rule=*:storage=5M:messages=9",
            "STORAGE 0 5120 MESSAGE 0 9",
        ),
        ("userdb_quota_rule=*:messages=9", "MESSAGE 0 9"),
        ("userdb_quota_storage_size=5M", "STORAGE 0 5120 MESSAGE 0 7"),
        ("userdb_quota_message_count=0", "STORAGE 0 10"),
    ] {
        // Dovecot 2.3 knows the first form alone.
        if Kind::chosen() == Kind::Dovecot && !fields.starts_with("userdb_quota_rule") {
            continue;
        }
        let maildir = Arc::new(Maildir::new());
        let setup = Setup::new(Kind::chosen()).quota(Some("10K"), Some(7));
        let server = setup.fields(fields).start(&maildir);
        says(&mut server.client(), resources);
    }
}

/// All sessions have one number, and what other programs append to the file is in it at once.
#[test]
fn one_number_for_all() {
    let (maildir, server) = with_quota(Some("10K"), Some(5));
    let (mut c, mut other) = (server.client(), server.client());
    c.append("INBOX", "", &stored(2000));
    says(&mut other, "STORAGE 2 10 MESSAGE 1 5");
    let file = maildir.path().join("maildirsize");
    let append = |line: &str| {
        use std::io::Write;
        let mut file = fs::OpenOptions::new().append(true).open(&file).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    };
    append("3000 2\n");
    says(&mut c, "STORAGE 5 10 MESSAGE 3 5");
    append("-1000 -1\n");
    says(&mut other, "STORAGE 4 10 MESSAGE 2 5");
    other.append("INBOX", "", &stored(100));
    says(&mut c, "STORAGE 5 10 MESSAGE 3 5");
}

/// What others have appended is not believed where there would be no room for it: all is counted first. Dovecot does
/// that where there is too much already.
#[test]
fn a_number_that_is_wrong_mends_itself() {
    let (maildir, server) = with_quota(Some("10K"), Some(5));
    let mut c = server.client();
    c.append("INBOX", "", &stored(2000));
    let file = maildir.path().join("maildirsize");
    for wrong in [
        "10240S,5C\n9000 2\n6000 2\n",
        "10240S,5C\n2000 1\nx\n",
        "10240S,5C\n2000 1\n-9000 -9\n",
        "10240S,5C\n2000 1\n12",
        "9S,1C\n2000 1\n",
        "",
    ] {
        fs::write(&file, wrong).unwrap();
        let mut c = server.client();
        c.append("INBOX", "", &stored(100));
        c.ok("SELECT INBOX");
        c.ok("STORE * +FLAGS.SILENT (\\Deleted)");
        c.ok("EXPUNGE");
        says(&mut c, "STORAGE 2 10 MESSAGE 1 5");
        if server.kind == Kind::Culver {
            let text = fs::read_to_string(&file).unwrap();
            assert!(
                text.starts_with("10240S,5C\n2000 1\n"),
                "{wrong:?}: {text:?}"
            );
        }
    }
}

/// What is switched off is not known.
#[test]
fn switched_off() {
    if Kind::chosen() == Kind::Dovecot {
        return;
    }
    let maildir = Arc::new(Maildir::new());
    let setup = Setup::new(Kind::Culver).settings("[capabilities]\noff = [\"QUOTA\"]\n");
    let server = setup.start(&maildir);
    let mut c = server.client();
    let told = c.ok("CAPABILITY").remove(0);
    assert!(!told.contains("QUOTA"), "{told}");
    for command in ["GETQUOTA x", "GETQUOTAROOT INBOX", "SETQUOTA x ()"] {
        c.bad(command);
    }
}
