//! Messages: appended, read, changed, copied, found.

use super::*;

#[tokio::test]
async fn append_checks_before_it_takes() {
    let mut house = House::new();
    house.limits.max_message_size = Some(1000);
    let mut client = house.enter().await;
    client
        .ask(
            "a APPEND nosuch {9}",
            &["a NO [TRYCREATE] Mailbox doesn't exist: nosuch"],
        )
        .await;
    client
        .ask(
            "b APPEND INBOX {0}",
            &["b NO Can't save a zero byte message"],
        )
        .await;
    client
        .ask(
            "c APPEND INBOX {1001}",
            &["c NO [TOOBIG] Message too large, 1000 octets at the most"],
        )
        .await;
    // What comes unasked goes nowhere, and is never a command.
    client
        .ask(
            "d APPEND nosuch {12+}\r\nx LOGOUT\r\n\r\n",
            &["d NO [TRYCREATE] Mailbox doesn't exist: nosuch"],
        )
        .await;
    client
        .ask(
            "e APPEND INBOX {10+}\r\nx LOGOUT\r\n and more",
            &["e BAD Expected a literal with the message, CATENATE or UTF8 (octet 22)"],
        )
        .await;
    client.ask("f APPEND INBOX {6}", &["+ OK"]).await;
    client.send("a: b\r\n\r\n").await;
    let answer = client.line().await;
    assert!(answer.starts_with("f OK [APPENDUID ") && answer.ends_with(" 1] Append completed"));
    client
        .ask(
            "g STATUS INBOX (MESSAGES)",
            &["* STATUS INBOX (MESSAGES 1)", "g OK Status completed"],
        )
        .await;
    assert_eq!(
        std::fs::read_dir(house.maildir().join("tmp"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn an_append_that_breaks_off_leaves_nothing() {
    let house = House::new();
    let (mut client, session) = house.enter_with_room(1 << 20).await;
    client.ask("a APPEND INBOX {100000}", &["+ OK"]).await;
    client.send("x".repeat(90_000)).await;
    house.stop.send(true).unwrap();
    client.expect(&["* BYE Server shutting down."]).await;
    drop(client);
    session.await.unwrap();
    for directory in ["tmp", "new", "cur"] {
        let entries = std::fs::read_dir(house.maildir().join(directory)).unwrap();
        assert_eq!(entries.count(), 0, "{directory}");
    }
}

#[tokio::test]
async fn append_to_the_selected_mailbox_tells_first() {
    let house = House::new();
    let mut client = house.enter_inbox(0).await;
    client
        .send("a APPEND INBOX (\\Seen) {6+}\r\na: b\r\n\r\n")
        .await;
    client.expect(&["* 1 EXISTS", "* 1 RECENT"]).await;
    assert!(client.line().await.starts_with("a OK [APPENDUID "));
}

#[tokio::test]
async fn fetch_from_memory_and_from_the_file() {
    let house = House::new();
    let mut client = house.enter().await;
    let text = message(1);
    client
        .send(format!(
            "p APPEND INBOX (\\Flagged k) \"01-Feb-2020 03:04:05 +0000\" {{{}+}}\r\n{text}\r\n",
            text.len()
        ))
        .await;
    client.send("s SELECT INBOX\r\n").await;
    client.until("s ").await;
    client
        .ask(
            "a FETCH 1 (UID FLAGS RFC822.SIZE)",
            &[
                &format!(
                    "* 1 FETCH (UID 1 FLAGS (\\Flagged \\Recent k) RFC822.SIZE {})",
                    text.len()
                ),
                "a OK Fetch completed",
            ],
        )
        .await;
    client
        .ask(
            "b UID FETCH 1 (BODY.PEEK[HEADER.FIELDS (Subject)] BODY.PEEK[TEXT]<1.4>)",
            &[
                "* 1 FETCH (UID 1 BODY[HEADER.FIELDS (Subject)] {14}",
                "Subject: 1",
                "",
                " BODY[TEXT]<1> {4}",
                "ody )",
                "b OK Fetch completed",
            ],
        )
        .await;
    client
        .send("c FETCH 1 (INTERNALDATE ENVELOPE BODY)\r\n")
        .await;
    let line = client.line().await;
    assert!(line.contains("-2020 "), "{line}");
    assert!(
        line.contains("ENVELOPE (NIL \"1\" ((NIL NIL \"a\" \"example.org\"))"),
        "{line}"
    );
    assert!(line.contains("BODY (\"text\" \"plain\" "), "{line}");
    client.expect(&["c OK Fetch completed"]).await;
    // Reading sets \Seen, and the same response says so.
    client
        .ask(
            "d FETCH 1 RFC822.TEXT",
            &[
                "* 1 FETCH (RFC822.TEXT {9}",
                "Body 1.",
                " FLAGS (\\Flagged \\Seen \\Recent k))",
                "d OK Fetch completed",
            ],
        )
        .await;
    client
        .ask(
            "e FETCH 1 BODY[]<1000.5>",
            &["* 1 FETCH (BODY[]<1000> {0}", ")", "e OK Fetch completed"],
        )
        .await;
    client
        .ask(
            "f FETCH 1 BODY[3]",
            &["* 1 FETCH (BODY[3] NIL)", "f OK Fetch completed"],
        )
        .await;
    client
        .ask(
            "g FETCH 2 FLAGS",
            &["g BAD Error in IMAP command FETCH: Invalid messageset"],
        )
        .await;
    client
        .ask("h UID FETCH 99 FLAGS", &["h OK Fetch completed"])
        .await;
}

#[tokio::test]
async fn examine_changes_nothing() {
    let house = House::new();
    let mut client = house.enter_inbox(1).await;
    client.send("a EXAMINE INBOX\r\n").await;
    client.until("a ").await;
    client.send("b FETCH 1 BODY[TEXT]\r\n").await;
    assert_eq!(
        client.until("b ").await.last().unwrap(),
        "b OK Fetch completed"
    );
    let read_only = "NO Mailbox is read-only";
    for command in ["STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "MOVE 1 INBOX"] {
        client
            .ask(&format!("c {command}"), &[&format!("c {read_only}")])
            .await;
    }
    client
        .ask(
            "d FETCH 1 FLAGS",
            &["* 1 FETCH (FLAGS ())", "d OK Fetch completed"],
        )
        .await;
}

#[tokio::test]
async fn a_large_message_goes_through_a_narrow_pipe() {
    let house = House::new();
    let mut writer = house.enter().await;
    let body: String = (0..60_000).map(|n| format!("line {n}\n")).collect();
    append(&mut writer, "INBOX", &format!("Subject: large\n\n{body}")).await;
    let (mut client, _session) = house.enter_with_room(1000).await;
    client.send("s EXAMINE INBOX\r\n").await;
    client.until("s ").await;
    client.send("a FETCH 1 (BODY[] RFC822.SIZE)\r\n").await;
    let wanted = format!("Subject: large\n\n{body}").replace('\n', "\r\n");
    client
        .expect(&[&format!("* 1 FETCH (BODY[] {{{}}}", wanted.len())])
        .await;
    assert!(client.octets(wanted.len()).await == wanted.as_bytes());
    client
        .expect(&[
            &format!(" RFC822.SIZE {})", wanted.len()),
            "a OK Fetch completed",
        ])
        .await;
}

#[tokio::test]
async fn two_clients_hear_of_each_other() {
    let house = House::new();
    let mut one = house.enter_inbox(3).await;
    let mut two = house.enter_inbox(0).await;
    one.ask(
        "a STORE 1:2 +FLAGS (\\Deleted k)",
        &[
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft k)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft k \\*)] Flags permitted.",
            "* 1 FETCH (FLAGS (\\Deleted \\Recent k))",
            "* 2 FETCH (FLAGS (\\Deleted \\Recent k))",
            "a OK Store completed",
        ],
    )
    .await;
    one.ask(
        "b STORE 3 +FLAGS.SILENT (\\Seen)",
        &["b OK Store completed"],
    )
    .await;
    two.ask(
        "a UID SEARCH ALL",
        &[
            "* SEARCH 1 2 3",
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft k)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft k \\*)] Flags permitted.",
            "* 1 FETCH (UID 1 FLAGS (\\Deleted k))",
            "* 2 FETCH (UID 2 FLAGS (\\Deleted k))",
            "* 3 FETCH (UID 3 FLAGS (\\Seen))",
            "a OK Search completed",
        ],
    )
    .await;
}

#[tokio::test]
async fn what_one_expunged_keeps_its_number_for_the_other() {
    let house = House::new();
    let mut one = house.enter_inbox(3).await;
    let mut two = house.enter_inbox(0).await;
    one.send("a STORE 2 +FLAGS.SILENT (\\Deleted)\r\n").await;
    one.until("a ").await;
    two.send("a NOOP\r\n").await;
    two.until("a ").await;
    one.ask(
        "b EXPUNGE",
        &["* 2 EXPUNGE", "* 2 RECENT", "b OK Expunge completed"],
    )
    .await;
    two.ask(
        "b FETCH 2 FLAGS",
        &["* 2 FETCH (FLAGS (\\Deleted))", "b OK Fetch completed"],
    )
    .await;
    two.ask(
        "c FETCH 2:3 BODY.PEEK[TEXT]",
        &[
            "* 2 FETCH (BODY[TEXT] NIL)",
            "* 3 FETCH (BODY[TEXT] {9}",
            "Body 3.",
            ")",
            "c OK [EXPUNGEISSUED] Some messages were already expunged",
        ],
    )
    .await;
    two.ask(
        "d STORE 2 +FLAGS (\\Seen)",
        &["d NO [EXPUNGEISSUED] The messages no longer exist"],
    )
    .await;
    two.ask(
        "e STORE 2 +FLAGS.SILENT (\\Seen)",
        &["e OK Store completed"],
    )
    .await;
    two.ask(
        "f COPY 2 INBOX",
        &[
            "* 2 EXPUNGE",
            "f NO [EXPUNGEISSUED] Some of the requested messages no longer exist",
        ],
    )
    .await;
}

#[tokio::test]
async fn copy_and_move() {
    let house = House::new();
    let mut client = house.enter_inbox(3).await;
    client
        .ask(
            "a COPY 1 nosuch",
            &["a NO [TRYCREATE] Mailbox doesn't exist: nosuch"],
        )
        .await;
    client.create("box").await;
    client.send("c UID COPY 1,3 box\r\n").await;
    let line = client.line().await;
    assert!(line.starts_with("c OK [COPYUID "), "{line}");
    assert!(line.ends_with(" 1,3 1:2] Copy completed"), "{line}");
    client.send("d MOVE 1:2 box\r\n").await;
    let line = client.line().await;
    assert!(line.starts_with("* OK [COPYUID "), "{line}");
    assert!(line.ends_with(" 1:2 3:4] Moved UIDs."), "{line}");
    client
        .expect(&[
            "* 2 EXPUNGE",
            "* 1 EXPUNGE",
            "* 1 RECENT",
            "d OK Move completed",
        ])
        .await;
    client
        .ask("e UID COPY 99 box", &["e OK No messages found"])
        .await;
    client
        .ask(
            "f STATUS box (MESSAGES UIDNEXT UNSEEN)",
            &[
                "* STATUS box (MESSAGES 4 UIDNEXT 5 UNSEEN 4)",
                "f OK Status completed",
            ],
        )
        .await;
    client
        .ask(
            "g STATUS INBOX (MESSAGES)",
            &["* STATUS INBOX (MESSAGES 1)", "g OK Status completed"],
        )
        .await;
}

#[tokio::test]
async fn search_in_the_clients_numbers() {
    let house = House::new();
    let mut client = house.enter_inbox(3).await;
    client
        .send("x STORE 1 +FLAGS.SILENT (\\Deleted)\r\nx EXPUNGE\r\n")
        .await;
    client.until("x ").await;
    client.until("x ").await;
    client
        .ask(
            "a SEARCH BODY \"body 3\"",
            &["* SEARCH 2", "a OK Search completed"],
        )
        .await;
    client
        .ask(
            "b UID SEARCH BODY \"body 3\"",
            &["* SEARCH 3", "b OK Search completed"],
        )
        .await;
    client
        .ask("c SEARCH SEEN", &["* SEARCH", "c OK Search completed"])
        .await;
    client.send("d SEARCH CHARSET X-foo TEXT x\r\n").await;
    let line = client.line().await;
    assert!(line.starts_with("d NO [BADCHARSET ("), "{line}");
    client
        .ask("e SEARCH 5", &["* SEARCH", "e OK Search completed"])
        .await;
}

#[tokio::test]
async fn a_message_that_cannot_be_read_spoils_nothing_else() {
    let house = House::new();
    let mut client = house.enter_inbox(2).await;
    let cur = house.maildir().join("cur");
    let mut paths = std::fs::read_dir(&cur)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_first = |path: &PathBuf| std::fs::read_to_string(path).unwrap().contains("Body 1.");
    let first = paths.find(is_first).unwrap();
    // A directory of its name: not gone, and not to be read.
    std::fs::remove_file(&first).unwrap();
    std::fs::create_dir(&first).unwrap();
    client.send("a FETCH 1:2 (UID BODY.PEEK[TEXT])\r\n").await;
    let lines = client.until("a ").await;
    assert_eq!(
        lines,
        [
            "* 1 FETCH (UID 1)",
            "* 2 FETCH (UID 2 BODY[TEXT] {9}",
            "Body 2.",
            ")",
            "a NO [SERVERBUG] Messages that cannot be read: UID 1",
        ]
    );
}
