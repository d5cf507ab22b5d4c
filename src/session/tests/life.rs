//! How a session begins, waits and ends.

use tokio::time::Instant;

use super::*;
use crate::auth::{Mechanism, Tls};

const HOW: How = How {
    mechanism: Mechanism::Plain,
    tls: Tls::No,
};

#[tokio::test]
async fn a_login_is_answered_in_the_form_the_client_looks_for() {
    let house = House::new();
    for capability_asked in [false, true] {
        let (mut client, stream) = Client::new(1 << 16);
        let handover = Handover {
            stream,
            unread: b"n NOOP\r\n".to_vec().into(),
            tag: Tag::new(b"t").unwrap(),
            passage: Granted {
                user: "u".into(),
                master: None,
                account: Default::default(),
            },
            how: HOW,
            capability_asked,
            client_id: ClientId::new(),
            failed_logins: 0,
        };
        let (user, stop) = (Arc::clone(&house.user), house.stop.subscribe());
        tokio::spawn(run(handover, user, Limits::default(), stop));
        if capability_asked {
            assert!(client.line().await.starts_with("* CAPABILITY IMAP4rev1 "));
            client.expect(&["t OK Logged in"]).await;
        } else {
            let line = client.line().await;
            assert!(line.starts_with("t OK [CAPABILITY IMAP4rev1 "), "{line}");
            assert!(line.ends_with("] Logged in"), "{line}");
        }
        client.expect(&["n OK NOOP completed"]).await;
    }
}

#[tokio::test]
async fn a_user_who_cannot_be_served() {
    let (mut client, stream) = Client::new(1 << 16);
    let handover = Handover {
        stream,
        unread: Unread::default(),
        tag: Tag::new(b"t").unwrap(),
        passage: Granted {
            user: "u".into(),
            master: None,
            account: Default::default(),
        },
        how: HOW,
        capability_asked: false,
        client_id: ClientId::new(),
        failed_logins: 0,
    };
    tokio::spawn(turn_away(handover, Code::Limit, "Too many connections"));
    client
        .expect(&[
            "t NO [LIMIT] Too many connections",
            "* BYE Too many connections",
        ])
        .await;
    client.expect_end().await;
}

#[tokio::test]
async fn commands_without_a_mailbox() {
    let house = House::new();
    let mut client = house.enter().await;
    client
        .ask(
            "a NAMESPACE",
            &[
                "* NAMESPACE ((\"\" \".\")) NIL NIL",
                "a OK Namespace completed",
            ],
        )
        .await;
    client
        .ask(
            "b ENABLE CONDSTORE X-Y",
            &["* ENABLED CONDSTORE", "b OK Enabled"],
        )
        .await;
    client
        .ask(
            "c LOGIN u p",
            &["c BAD Error in IMAP command LOGIN: Already logged in"],
        )
        .await;
    client
        .ask(
            "d FETCH 1 FLAGS",
            &["d BAD Error in IMAP command FETCH: No mailbox selected"],
        )
        .await;
    client
        .ask("e LOGOUT", &["* BYE Logging out", "e OK Logout completed"])
        .await;
    client.expect_end().await;
}

#[tokio::test]
async fn idle_tells_at_once() {
    let house = House::new();
    let mut one = house.enter_inbox(1).await;
    let mut two = house.enter().await;
    one.ask("a IDLE", &["+ idling"]).await;
    append(&mut two, "INBOX", &message(2)).await;
    one.expect(&["* 2 EXISTS", "* 2 RECENT"]).await;
    one.ask("done", &["a OK Idle completed"]).await;
    one.ask("b IDLE", &["+ idling"]).await;
    one.ask(
        "c NOOP",
        &["b BAD Error in IMAP command IDLE: Expected DONE"],
    )
    .await;
    two.ask("b IDLE", &["+ idling"]).await;
    two.ask("DONE", &["b OK Idle completed"]).await;
}

#[tokio::test(start_paused = true)]
async fn idle_is_not_inactivity() {
    let house = House::new();
    let mut client = house.enter().await;
    client.ask("a IDLE", &["+ idling"]).await;
    let begun = Instant::now();
    for _ in 0..30 {
        client.expect(&["* OK Still here"]).await;
    }
    assert_eq!(begun.elapsed(), Duration::from_secs(60 * 60));
    client.ask("DONE", &["a OK Idle completed"]).await;
    let begun = Instant::now();
    client.expect(&["* BYE Disconnected for inactivity."]).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(30 * 60));
    client.expect_end().await;
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let house = House::new();
    let mut client = house.enter().await;
    client
        .send(
            "a APPEND INBOX {6+}\r\na: b\r\n\r\nb SELECT INBOX\r\nc STORE 1 +FLAGS.SILENT (\\Seen)\r\n\
             d FETCH 1 FLAGS\r\ne CLOSE\r\nf LOGOUT\r\ng NOOP\r\n",
        )
        .await;
    for tag in ["a OK", "b OK", "c OK"] {
        client.until(tag).await;
    }
    client
        .expect(&[
            "* 1 FETCH (FLAGS (\\Seen \\Recent))",
            "d OK Fetch completed",
            "e OK Close completed",
            "* BYE Logging out",
            "f OK Logout completed",
        ])
        .await;
    client.expect_end().await;
}

#[tokio::test]
async fn twenty_bad_commands() {
    let house = House::new();
    let mut client = house.enter().await;
    for _ in 0..19 {
        client.send("a BOGUS\r\n").await;
        assert!(client.line().await.starts_with("a BAD "));
    }
    client.ask("b NOOP", &["b OK NOOP completed"]).await;
    for _ in 0..20 {
        client.send("a BOGUS\r\n").await;
        assert!(client.line().await.starts_with("a BAD "));
    }
    client
        .expect(&["* BYE Too many invalid IMAP commands."])
        .await;
    client.expect_end().await;
}

#[tokio::test]
async fn the_third_line_too_long() {
    let house = House::new();
    let mut client = house.enter().await;
    let line = format!("a NOOP {}\r\n", "x".repeat(70_000));
    for _ in 0..2 {
        client.send(&line).await;
        client
            .expect(&["a BAD [LIMIT] line too long, 65536 octets at the most"])
            .await;
        client.ask("b NOOP", &["b OK NOOP completed"]).await;
    }
    client.send(&line).await;
    client
        .expect(&[
            "a BAD [LIMIT] line too long, 65536 octets at the most",
            "* BYE Too many invalid IMAP commands.",
        ])
        .await;
    client.expect_end().await;
}

#[tokio::test]
async fn the_server_stops() {
    let house = House::new();
    let mut idle = house.enter().await;
    let mut waiting = house.enter_inbox(1).await;
    idle.ask("a IDLE", &["+ idling"]).await;
    house.stop.send(true).unwrap();
    for client in [&mut idle, &mut waiting] {
        client.expect(&["* BYE Server shutting down."]).await;
        client.expect_end().await;
    }
}
