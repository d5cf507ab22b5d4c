//! SPECIAL-USE (RFC 6154).

use crate::harness::Server;

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
fn create_for_a_special_use() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    assert!(!c.ok("CAPABILITY")[0].contains("CREATE-SPECIAL-USE"));
    c.check("CREATE Everything (USE (\\All))", &[], "NO [USEATTR]");
    c.check(
        "CREATE MySpecial (USE (\\Drafts \\Sent))",
        &[],
        "NO [USEATTR]",
    );
    c.check("CREATE Sent (USE (\\Sent \\Junk))", &[], "NO [USEATTR]");
    c.check("CREATE x (USE (\\Future))", &[], "NO [USEATTR]");
    c.check(
        "LIST \"\" *",
        &["* LIST (\\HasNoChildren) \".\" INBOX"],
        "OK",
    );
    c.check("CREATE Sent (USE (\\sent))", &[], "OK");
    c.check("CREATE plain (USE ())", &[], "OK");
    // RFC 4466 §2.2: what a server does not recognize is BAD.
    c.bad("CREATE y (COLOUR (red))");
    c.bad("CREATE y ()");
}
