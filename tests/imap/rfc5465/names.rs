//! What happens to names, subscriptions and annotations (RFC 5465 §5.4 to §5.7).

use std::fs;

use super::expect;
use crate::harness::{Client, Kind, Server};

/// Waits for the LIST of a name with or without an attribute. Culver tells it once, Dovecot may do so before.
#[track_caller]
fn listed(c: &mut Client, server: &Server, name: &str, attribute: &str, has: bool) {
    loop {
        let line = String::from_utf8(c.line()).unwrap();
        let of = line.strip_prefix("* LIST (").unwrap();
        let (attributes, rest) = of.split_once(") \".\" ").unwrap();
        if rest.split(' ').next() == Some(name) {
            let found = attributes
                .split(' ')
                .any(|one| one.eq_ignore_ascii_case(attribute));
            assert_eq!(found, has, "{line}");
            return;
        }
        assert_eq!(server.kind, Kind::Dovecot, "{line}");
    }
}

/// §5.4: "The server notifies the client by sending an unsolicited LIST response for each affected mailbox name. If,
/// after the event, the mailbox name does not refer to a mailbox accessible to the client, the \Nonexistent flag MUST be
/// included." §5.5: "If and only if the mailbox is subscribed after the event, the \Subscribed attribute […] is
/// included."
#[test]
fn made_subscribed_renamed_and_deleted() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("NOTIFY SET (personal (MailboxName SubscriptionChange))");
    let mut other = server.client();
    other.ok("CREATE New");
    listed(&mut c, &server, "New", "\\NonExistent", false);
    other.ok("SUBSCRIBE New");
    listed(&mut c, &server, "New", "\\Subscribed", true);
    other.ok("UNSUBSCRIBE New");
    listed(&mut c, &server, "New", "\\Subscribed", false);
    other.ok("RENAME New Other");
    listed(&mut c, &server, "Other", "\\NonExistent", false);
    other.ok("DELETE Other");
    listed(&mut c, &server, "Other", "\\NonExistent", true);
}

/// §5.4: "When INBOX is renamed, a new INBOX is assumed to be created. No MailboxName event is sent for INBOX in this
/// case." And "When a mailbox is renamed, its children are renamed too. No additional MailboxName events are sent for
/// children in this case."
#[test]
fn inbox_and_children_when_renamed() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        return;
    }
    let mut other = server.client();
    other.ok("CREATE A.B.C");
    other.ok("CREATE A");
    let mut c = server.client();
    c.ok("NOTIFY SET (personal (MailboxName))");
    other.ok("RENAME A Z");
    expect(&mut c, &["* LIST (\\HasChildren) \".\" Z (OLDNAME (A))"]);
    c.check("NOOP", &[], "OK");
    other.ok("RENAME INBOX Old");
    // "the server sends an extended LIST response [RFC5258] for the new mailbox name, containing the OLDNAME extended data
    // item with the old mailbox name."
    expect(
        &mut c,
        &["* LIST (\\HasNoChildren) \".\" Old (OLDNAME (INBOX))"],
    );
    c.check("NOOP", &[], "OK");
    assert!(other.outcome("RENAME INBOX Old").starts_with("NO"));
    // What is made afterwards under a name that was to be INBOX's is new.
    other.ok("DELETE Old");
    let line = String::from_utf8(c.line()).unwrap();
    assert!(
        line.starts_with("* LIST (\\NonExistent) \".\" Old"),
        "{line}"
    );
    other.ok("CREATE Old");
    expect(&mut c, &["* LIST (\\HasNoChildren) \".\" Old"]);
}

/// §5.6, §5.7: "A client willing to receive unsolicited METADATA responses as a result of using the
/// MailboxMetadataChange event in the NOTIFY command doesn't have to issue ENABLE METADATA."
#[test]
fn annotations() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        // It knows the events, but answers them with BADEVENT.
        return;
    }
    let mut other = server.client();
    other.ok("CREATE Lists");
    let mut c = server.client();
    c.ok("NOTIFY SET (mailboxes Lists (MailboxMetadataChange ServerMetadataChange))");
    other.ok("SETMETADATA Lists (/shared/comment \"x\")");
    expect(&mut c, &["* METADATA Lists /shared/comment"]);
    // "If a metadata item is deleted (set to NIL), it MUST always be included in the METADATA response."
    other.ok("SETMETADATA Lists (/shared/comment NIL)");
    expect(&mut c, &["* METADATA Lists /shared/comment"]);
    other.ok("SETMETADATA \"\" (/shared/comment \"x\")");
    expect(&mut c, &["* METADATA \"\" /shared/comment"]);
    // INBOX is not asked for; nor are those that the client has changed itself.
    other.ok("SETMETADATA INBOX (/shared/comment \"x\")");
    c.check("SETMETADATA Lists (/shared/comment \"y\")", &[], "OK");
    c.check("NOOP", &[], "OK");
    let mut idle = c.idle();
    other.ok("SETMETADATA Lists (/private/comment \"x\")");
    idle.expect(&["* METADATA Lists /private/comment"]);
    idle.done(&[]);
    c.ok("NOTIFY SET (personal (MailboxName))");
    other.ok("SETMETADATA Lists (/shared/comment \"z\")");
    c.check("NOOP", &[], "OK");
}

/// §5.4, §5.5, by another session and by other programs.
#[test]
fn attributes_and_foreign_hands() {
    let server = Server::start();
    if server.kind == Kind::Dovecot {
        return;
    }
    let mut c = server.client();
    c.ok("NOTIFY SET (personal (MailboxName SubscriptionChange))");
    let mut other = server.client();
    other.ok("CREATE NewMailbox");
    expect(&mut c, &["* LIST (\\HasNoChildren) \".\" NewMailbox"]);
    other.ok("SUBSCRIBE NewMailbox");
    expect(
        &mut c,
        &["* LIST (\\Subscribed \\HasNoChildren) \".\" NewMailbox"],
    );
    other.ok("UNSUBSCRIBE NewMailbox");
    expect(&mut c, &["* LIST (\\HasNoChildren) \".\" NewMailbox"]);
    // "containing the OLDNAME extended data item with the old mailbox name."
    other.ok("RENAME NewMailbox Renamed");
    expect(
        &mut c,
        &["* LIST (\\HasNoChildren) \".\" Renamed (OLDNAME (NewMailbox))"],
    );
    let root = server.maildir.path();
    fs::rename(root.join(".Renamed"), root.join(".Again")).unwrap();
    expect(
        &mut c,
        &["* LIST (\\HasNoChildren) \".\" Again (OLDNAME (Renamed))"],
    );
    // "the mailbox itself and its direct parent (whether it is an existing mailbox or not) are considered to be
    // affected."
    other.ok("CREATE Again.Below");
    expect(
        &mut c,
        &[
            "* LIST (\\HasNoChildren) \".\" Again.Below",
            "* LIST (\\HasChildren) \".\" Again",
        ],
    );
    fs::remove_dir_all(root.join(".Again.Below")).unwrap();
    expect(
        &mut c,
        &[
            "* LIST (\\NonExistent) \".\" Again.Below",
            "* LIST (\\HasNoChildren) \".\" Again",
        ],
    );
    c.check("NOOP", &[], "OK");
}
