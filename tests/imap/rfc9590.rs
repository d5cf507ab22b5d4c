//! LIST-METADATA (RFC 9590).

use crate::harness::{Kind, Server};

/// §3: after each LIST response of a mailbox that can be selected, METADATA with all entries that are asked for; what
/// has no value is NIL.
#[test]
fn each_mailbox_with_its_entries() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        return;
    }
    let mut c = server.client();
    for name in ["foo", "foo.bar", "foo.baz", "x.y"] {
        c.ok(&format!("CREATE {name}"));
    }
    let color = "/shared/vendor/cmu/cyrus-imapd/color";
    c.ok(&format!("SETMETADATA INBOX ({color} \"#b71c1c\")"));
    c.ok(&format!("SETMETADATA foo ({color} \"#e84c4c\")"));
    c.ok(&format!("SETMETADATA foo.bar ({color} {{3+}}\r\na\r\n)"));
    let listed = |mailbox: &str, value: &str| format!("* METADATA {mailbox} ({color} {value})");
    c.check(
        &format!("LIST \"\" % RETURN (METADATA ({color}))"),
        &[
            "* LIST () \".\" INBOX",
            &listed("INBOX", "\"#b71c1c\""),
            "* LIST () \".\" foo",
            &listed("foo", "\"#e84c4c\""),
            // "Nothing" of a name that is no mailbox.
            "* LIST (\\NonExistent \\HasChildren) \".\" x",
        ],
        "OK",
    );
    c.ok("SUBSCRIBE foo.bar");
    c.ok("CREATE gone");
    c.ok("SUBSCRIBE gone");
    c.ok("DELETE gone");
    c.check(
        &format!("LIST (SUBSCRIBED) \"\" * RETURN (STATUS (MESSAGES) METADATA ({color} /private/specialuse))"),
        &[
            "* LIST (\\Subscribed) \".\" foo.bar",
            "* STATUS foo.bar (MESSAGES 0)",
            &format!("* METADATA foo.bar ({color} {{3}}\r\na\r\n /private/specialuse NIL)"),
            "* LIST (\\Subscribed \\NonExistent) \".\" gone",
        ],
        "OK",
    );
    // Twice asked for, once said; in the client's own spelling.
    c.ok("CREATE Sent");
    c.check(
        "LIST \"\" Sent RETURN (METADATA (/Private/SpecialUse /private/specialuse) METADATA (/private/comment))",
        &[
            "* LIST () \".\" Sent",
            "* METADATA Sent (/Private/SpecialUse \"\\\\Sent\" /private/comment NIL)",
        ],
        "OK",
    );
    for wrong in [
        "METADATA",
        "METADATA ()",
        "METADATA /private/comment",
        "METADATA (comment)",
        "METADATA (MAXSIZE 5) (/private/comment)",
    ] {
        c.bad(&format!("LIST \"\" % RETURN ({wrong})"));
    }
}
