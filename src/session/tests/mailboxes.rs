//! Mailboxes: selected, listed, made and removed.

use super::*;

#[tokio::test]
async fn select_says_what_dovecot_says_in_its_order() {
    let house = House::new();
    let mut client = house.enter().await;
    append(&mut client, "INBOX", &message(1)).await;
    append(&mut client, "INBOX", &message(2)).await;
    client.send("a SELECT inbox\r\n").await;
    let mut lines = client.until("a ").await;
    let validity = lines.remove(5);
    assert!(validity.starts_with("* OK [UIDVALIDITY "), "{validity}");
    let id = lines.remove(6);
    assert!(id.starts_with("* OK [MAILBOXID (F"), "{id}");
    let highest = lines.remove(6);
    assert!(highest.starts_with("* OK [HIGHESTMODSEQ "), "{highest}");
    assert_eq!(
        lines,
        [
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags permitted.",
            "* 2 EXISTS",
            "* 2 RECENT",
            "* OK [UNSEEN 1] First unseen.",
            "* OK [UIDNEXT 3] Predicted next UID",
            "a OK [READ-WRITE] Select completed",
        ]
    );
    client.send("b EXAMINE INBOX\r\n").await;
    let mut lines = client.until("b ").await;
    lines.remove(6);
    assert_eq!(lines.remove(7), id);
    assert_eq!(lines.remove(7), highest);
    assert_eq!(
        lines,
        [
            "* OK [CLOSED] Previous mailbox closed.",
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            "* OK [PERMANENTFLAGS ()] Read-only mailbox.",
            "* 2 EXISTS",
            "* 0 RECENT",
            "* OK [UNSEEN 1] First unseen.",
            "* OK [UIDNEXT 3] Predicted next UID",
            "b OK [READ-ONLY] Examine completed",
        ]
    );
    client
        .ask(
            "c SELECT nosuch",
            &[
                "* OK [CLOSED] Previous mailbox closed.",
                "c NO [NONEXISTENT] Mailbox doesn't exist: nosuch",
            ],
        )
        .await;
    client
        .ask(
            "d CHECK",
            &["d BAD Error in IMAP command CHECK: No mailbox selected"],
        )
        .await;
}

#[tokio::test]
async fn names_are_listed_as_dovecot_lists_them() {
    let house = House::new();
    let mut client = house.enter().await;
    client
        .ask(
            "a LIST \"\" \"\"",
            &["* LIST (\\Noselect) \".\" \"\"", "a OK List completed"],
        )
        .await;
    for name in ["a.b.c", "Sent", "foo."] {
        client.create(name).await;
    }
    client.send("c LIST \"\" *\r\n").await;
    let mut lines = client.until("c ").await;
    lines.sort();
    assert_eq!(
        lines,
        [
            "* LIST (\\HasNoChildren \\Sent) \".\" Sent",
            "* LIST (\\HasNoChildren) \".\" INBOX",
            "* LIST (\\HasNoChildren) \".\" a.b.c",
            "* LIST (\\HasNoChildren) \".\" foo",
            "* LIST (\\Noselect \\HasChildren) \".\" a",
            "* LIST (\\Noselect \\HasChildren) \".\" a.b",
            "c OK List completed",
        ]
    );
    client
        .ask("d SUBSCRIBE a.b.c", &["d OK Subscribe completed"])
        .await;
    client
        .ask(
            "e LSUB \"\" *",
            &["* LSUB () \".\" a.b.c", "e OK Lsub completed"],
        )
        .await;
    client
        .ask(
            "f LSUB \"\" %",
            &["* LSUB (\\Noselect) \".\" a", "f OK Lsub completed"],
        )
        .await;
    client
        .ask(
            "g LSUB a. %",
            &["* LSUB (\\Noselect) \".\" a.b", "g OK Lsub completed"],
        )
        .await;
    client
        .ask(
            "h SUBSCRIBE nosuch",
            &["h NO [NONEXISTENT] Mailbox doesn't exist: nosuch"],
        )
        .await;
    client
        .ask("i UNSUBSCRIBE nosuch", &["i OK Unsubscribe completed"])
        .await;
    for (command, answer) in [
        ("CREATE a.b.c", "NO [ALREADYEXISTS] Mailbox already exists"),
        ("CREATE INBOX", "NO [ALREADYEXISTS] Mailbox already exists"),
        (
            "CREATE \"\"",
            "NO [CANNOT] Invalid mailbox name: Name is empty",
        ),
        (
            "CREATE &bad",
            "NO [CANNOT] Mailbox name is not valid mUTF-7",
        ),
        ("DELETE a", "NO [NONEXISTENT] Mailbox doesn't exist: a"),
        (
            "RENAME nosuch x",
            "NO [NONEXISTENT] Mailbox doesn't exist: nosuch",
        ),
        ("RENAME a z", "OK Rename completed"),
        ("DELETE z.b.c", "OK Delete completed"),
        (
            "STATUS z.b.c (MESSAGES)",
            "NO [NONEXISTENT] Mailbox doesn't exist: z.b.c",
        ),
    ] {
        client
            .ask(&format!("j {command}"), &[&format!("j {answer}")])
            .await;
    }
}

#[tokio::test]
async fn a_selected_mailbox_that_is_deleted() {
    let house = House::new();
    let mut one = house.enter().await;
    let mut two = house.enter().await;
    one.create("box").await;
    for client in [&mut one, &mut two] {
        client.send("s SELECT box\r\n").await;
        client.until("s ").await;
    }
    // Who did it goes on.
    one.ask(
        "b DELETE box",
        &[
            "* OK [CLOSED] Selected mailbox was deleted or renamed.",
            "b OK Delete completed",
        ],
    )
    .await;
    one.ask(
        "c CHECK",
        &["c BAD Error in IMAP command CHECK: No mailbox selected"],
    )
    .await;
    two.ask(
        "b NOOP",
        &["* BYE Selected mailbox was deleted, have to disconnect."],
    )
    .await;
    two.expect_end().await;
}

#[tokio::test]
async fn close_expunges_and_unselect_does_not() {
    let house = House::new();
    let mut client = house.enter_inbox(2).await;
    client.send("a STORE 1 +FLAGS.SILENT (\\Deleted)\r\n").await;
    client.until("a ").await;
    client.ask("b UNSELECT", &["b OK Unselect completed"]).await;
    client.send("c SELECT INBOX\r\n").await;
    assert!(client.until("c ").await.contains(&"* 2 EXISTS".to_owned()));
    client.ask("d CLOSE", &["d OK Close completed"]).await;
    client.send("e SELECT INBOX\r\n").await;
    assert!(client.until("e ").await.contains(&"* 1 EXISTS".to_owned()));
}
