//! SPECIAL-USE (RFC 6154).

use std::sync::Arc;

use crate::harness::{Kind, Maildir, Server, Setup};

/// §5.2. "The "SPECIAL-USE" return option could also have been specified, but it is unnecessary, as it is implied
/// by the selection option."
#[test]
fn selected_and_returned() {
    let server = Server::start();
    let mut c = server.client();
    for name in ["Projects", "Sent", "Drafts", "Trash", "Sent.Old"] {
        c.ok(&format!("CREATE {name}"));
    }
    c.check_sorted(
        "LIST \"\" \"%\" RETURN (SPECIAL-USE)",
        &[
            "* LIST () \".\" INBOX",
            "* LIST () \".\" Projects",
            "* LIST (\\Sent) \".\" Sent",
            "* LIST (\\Drafts) \".\" Drafts",
            "* LIST (\\Trash) \".\" Trash",
        ],
        "OK",
    );
    for form in [
        "LIST (SPECIAL-USE) \"\" \"*\"",
        "LIST (special-use) \"\" % RETURN (SPECIAL-USE)",
    ] {
        c.check_sorted(
            form,
            &[
                "* LIST (\\Sent) \".\" Sent",
                "* LIST (\\Drafts) \".\" Drafts",
                "* LIST (\\Trash) \".\" Trash",
            ],
            "OK",
        );
    }
    c.ok("SUBSCRIBE Sent");
    c.check(
        "LIST (SPECIAL-USE SUBSCRIBED) \"\" *",
        &["* LIST (\\Subscribed \\Sent) \".\" Sent"],
        "OK",
    );
}

/// §3: "If the server cannot create a mailbox with the designated special use defined, for whatever reason, it
/// MUST NOT create the mailbox, and MUST respond to the CREATE command with a tagged NO response." It "SHOULD
/// include the new "USEATTR" response code". Dovecot takes no notice of the parameter.
#[test]
fn a_use_that_cannot_be_given() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    c.check("CREATE Everything (USE (\\All))", &[], "NO [USEATTR]");
    c.check("CREATE x (USE (\\Flagged))", &[], "NO [USEATTR]");
    c.check(
        "CREATE MySpecial (USE (\\Drafts \\Sent))",
        &[],
        "NO [USEATTR]",
    );
    c.check("CREATE x (USE (\\Future))", &[], "NO [USEATTR]");
    c.check(
        "LIST \"\" *",
        &["* LIST (\\HasNoChildren) \".\" INBOX"],
        "OK",
    );
    c.check("CREATE Sent (USE (\\sent \\Sent))", &[], "OK");
    c.check("CREATE plain (USE ())", &[], "OK");
    // "servers MAY refuse the creation, considering the designation to be a conflict."
    c.check("CREATE Outbox (USE (\\Sent))", &[], "NO [USEATTR]");
    c.check("CREATE Sent (USE (\\Sent))", &[], "NO [ALREADYEXISTS]");
    c.check("CREATE INBOX (USE (\\Junk))", &[], "NO [ALREADYEXISTS]");
    // RFC 4466 §2.2: what a server does not recognize is BAD.
    c.bad("CREATE y (COLOUR (red))");
    c.bad("CREATE y ()");
}

/// §3: "a server MAY allow clients to designate a mailbox, at creation, as having one or more special uses."
#[test]
fn made_for_a_special_use() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    let line = c.ok("CAPABILITY").concat();
    assert!(line.contains(" CREATE-SPECIAL-USE"), "{line}");
    c.check("CREATE Gesendet (USE (\\Sent))", &[], "OK");
    // What was said counts for more than a usual name.
    c.check("CREATE Trash (USE (\\Archive))", &[], "OK");
    c.ok("CREATE Sent");
    c.ok("SUBSCRIBE Gesendet");
    c.ok("SUBSCRIBE Sent");
    let listed = |c: &mut crate::harness::Client| {
        c.check_sorted(
            "LIST \"\" % RETURN (SPECIAL-USE)",
            &[
                "* LIST () \".\" INBOX",
                "* LIST (\\Sent) \".\" Gesendet",
                "* LIST (\\Archive) \".\" Trash",
                "* LIST () \".\" Sent",
            ],
            "OK",
        );
    };
    listed(&mut c);
    c.check_sorted(
        "LSUB \"\" *",
        &["* LSUB (\\Sent) \".\" Gesendet", "* LSUB () \".\" Sent"],
        "OK",
    );
    let mut rev2 = server.client();
    rev2.ok("ENABLE IMAP4rev2");
    for (name, attributes) in [("Gesendet", "\\Sent"), ("Sent", ""), ("Trash", "\\Archive")] {
        let lines = rev2.ok(&format!("SELECT {name}"));
        let line = format!("* LIST ({attributes}) \".\" {name}");
        assert!(lines.contains(&line), "{lines:?}");
    }
    // It is on disk.
    let maildir = server.maildir.clone();
    drop((c, rev2, server));
    let server = Server::on(&maildir);
    let mut c = server.client();
    listed(&mut c);
    c.ok("RENAME Gesendet Ausgang");
    c.check(
        "LIST (SPECIAL-USE) \"\" *",
        &[
            "* LIST (\\Sent) \".\" Ausgang",
            "* LIST (\\Archive) \".\" Trash",
        ],
        "OK",
    );
    c.ok("DELETE Ausgang");
    c.check(
        "LIST (SPECIAL-USE) \"\" *",
        &[
            "* LIST (\\Sent) \".\" Sent",
            "* LIST (\\Archive) \".\" Trash",
        ],
        "OK",
    );
}

/// What the configuration says of a name holds, whoever makes its mailbox.
#[test]
fn a_name_configured_for_another_use() {
    let maildir = Arc::new(Maildir::new());
    let server = Setup::new(Kind::Culver)
        .mail_settings("auto-create = { Post = \"\\\\Sent\" }\n")
        .start(&maildir);
    let mut c = server.client();
    c.check(
        "LIST \"\" Post",
        &["* LIST (\\HasNoChildren \\Sent) \".\" Post"],
        "OK",
    );
    c.ok("DELETE Post");
    c.check("CREATE Post (USE (\\Junk))", &[], "NO [USEATTR]");
    c.check("CREATE Post (USE (\\Sent))", &[], "OK");
}
