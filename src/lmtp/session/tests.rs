//! Dialogues with a mail system that keeps what it gets in memory.

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::lmtp::MESSAGE_MAX;
use crate::lmtp::line::LINE_MAX;

mod town;

use town::{Town, replies};

/// One with `ann`, `bob` and `full`, with or without a domain, that cannot tell of `later`, and never tells of `never`.
fn town() -> Town {
    Town::new(|user| match user.split('@').next().unwrap_or_default() {
        "ann" | "bob" | "full" => Some(Ok(())),
        "never" => None,
        "later" => Some(Err(Refusal::Temporary)),
        _ => Some(Err(Refusal::Unknown)),
    })
}

fn setting(most: u64) -> Setting {
    Setting {
        host: "mx.test".to_owned(),
        most,
        peer: None,
        xclient: false,
    }
}

/// All that is said to a client that says this and hangs up, and what was brought, without its trace.
async fn dialogue(said: &[u8], most: u64) -> (Vec<String>, Vec<(String, String)>) {
    let (client, server) = duplex(1 << 12);
    let (town, setting) = (town(), setting(most));
    let (_stop, stopping) = watch::channel(false);
    let (mut read, mut write) = tokio::io::split(client);
    let octets = said.to_vec();
    let writing = async move {
        // The server may hang up first.
        let _ = write.write_all(&octets).await;
        let _ = write.shutdown().await;
    };
    let serving = serve(server, &town, &setting, stopping);
    let mut heard = Vec::new();
    let reading = async {
        let (_, _) = tokio::join!(serving, writing);
    };
    let (_, _) = tokio::join!(reading, async { read.read_to_end(&mut heard).await });
    let heard = String::from_utf8(heard).unwrap();
    let one = |(recipients, octets): (Vec<String>, Vec<u8>)| {
        let text = String::from_utf8_lossy(&octets).into_owned();
        recipients.into_iter().map(move |to| (to, text.clone()))
    };
    let brought = town.brought().into_iter().flat_map(one);
    (replies(&heard), brought.collect())
}

fn pair(to: &str, text: &str) -> (String, String) {
    (to.to_owned(), text.to_owned())
}

#[tokio::test]
async fn a_reply_for_each_recipient() {
    let said = b"LHLO client.test\r\nMAIL FROM:<a@b>\r\nRCPT TO:<ann@x>\r\nRCPT TO:<nobody@x>\r\n\
        RCPT TO:<full@x>\r\nRCPT TO:<later@x>\r\nRCPT TO:<bob+Box@x>\r\nRCPT TO:<ann@x>\r\nDATA\r\n\
        one\r\n..two\r\n.\r\nNOOP\r\nQUIT\r\n";
    let (lines, brought) = dialogue(said, MESSAGE_MAX).await;
    assert_eq!(
        lines,
        [
            "220 mx.test Culver ready.",
            "250-mx.test",
            "250-8BITMIME",
            "250-CHUNKING",
            "250-ENHANCEDSTATUSCODES",
            "250-PIPELINING",
            "250-SIZE 2147483647",
            "250 SMTPUTF8",
            "250 2.1.0 OK",
            "250 2.1.5 OK",
            "550 5.1.1 <nobody@x> User doesn't exist: nobody@x",
            "250 2.1.5 OK",
            "451 4.3.0 <later@x> Temporary internal error",
            "250 2.1.5 OK",
            "250 2.1.5 OK",
            "354 OK",
            "250 2.0.0 <ann@x> Saved",
            "552 5.2.2 <full@x> Quota exceeded (mailbox for user is full)",
            "250 2.0.0 <bob+Box@x> Saved",
            "250 2.0.0 <ann@x> Saved",
            "250 2.0.0 OK",
            "221 2.0.0 Bye",
        ]
    );
    let text = "one\r\n.two\r\n";
    assert_eq!(
        brought,
        [
            pair("ann@x/INBOX", text),
            pair("bob@x/Box", text),
            pair("ann@x/INBOX", text)
        ]
    );
}

/// RFC 5321 §4.1.4 has a client say LHLO first, and lets a server that goes by the address do without; so does Dovecot.
#[tokio::test]
async fn who_has_not_said_lhlo_brings_mail_all_the_same() {
    let said = b"MAIL FROM:<a@b>\r\nLHLO x\r\nRCPT TO:<ann>\r\nMAIL FROM:<a@b>\r\nRCPT TO:<ann>\r\nDATA\r\n.\r\nQUIT\r\n";
    let (mut lines, brought) = dialogue(said, MESSAGE_MAX).await;
    lines.retain(|line| !line.starts_with("250-"));
    assert_eq!(
        lines[1..],
        [
            "250 2.1.0 OK",
            "250 SMTPUTF8",
            "503 5.5.0 MAIL needed first",
            "250 2.1.0 OK",
            "250 2.1.5 OK",
            "354 OK",
            "250 2.0.0 <ann> Saved",
            "221 2.0.0 Bye",
        ]
    );
    assert_eq!(brought, [pair("ann/INBOX", "")]);
}

#[tokio::test]
async fn chunks() {
    let said =
        b"MAIL FROM:<a@b>\r\nRCPT TO:<ann>\r\nBDAT 5\r\n.\r\n.\rBDAT 0\r\nDATA\r\nMAIL FROM:<c@d>\r\n\
        BDAT 3 LAST\r\n\nx\0RSET\r\nBDAT 6 LAST\r\nQUIT\r\nQUIT\r\n";
    let (lines, brought) = dialogue(said, MESSAGE_MAX).await;
    assert_eq!(
        lines,
        [
            "220 mx.test Culver ready.",
            "250 2.1.0 OK",
            "250 2.1.5 OK",
            "250 2.0.0 Added 5 octets",
            "250 2.0.0 Added 0 octets",
            "503 5.5.0 No valid recipients",
            "503 5.5.0 MAIL already given",
            "250 2.0.0 <ann> Saved",
            "250 2.0.0 OK",
            "503 5.5.0 No valid recipients",
            "221 2.0.0 Bye",
        ]
    );
    assert_eq!(brought, [pair("ann/INBOX", ".\r\n.\r\nx\0")]);
}

#[tokio::test]
async fn what_is_too_large_is_swallowed() {
    let said = b"MAIL FROM:<a@b> SIZE=11\r\nMAIL FROM:<a@b> SIZE=10\r\nRCPT TO:<ann>\r\nRCPT TO:<bob>\r\n\
        DATA\r\n12345678901\r\nQUIT\r\n.\r\nMAIL FROM:<a@b>\r\nRCPT TO:<ann>\r\nBDAT 11\r\n12345678901\
        MAIL FROM:<a@b>\r\nRCPT TO:<ann>\r\nBDAT 11 LAST\r\n12345678901\
        MAIL FROM:<a@b>\r\nRCPT TO:<ann>\r\nDATA\r\n12345678\r\n.\r\nQUIT\r\n";
    let (lines, brought) = dialogue(said, 10).await;
    assert_eq!(
        lines,
        [
            "220 mx.test Culver ready.",
            "552 5.3.4 Message too large",
            "250 2.1.0 OK",
            "250 2.1.5 OK",
            "250 2.1.5 OK",
            "354 OK",
            "552 5.3.4 <ann> Message too large",
            "552 5.3.4 <bob> Message too large",
            "250 2.1.0 OK",
            "250 2.1.5 OK",
            "552 5.3.4 Message too large",
            "250 2.1.0 OK",
            "250 2.1.5 OK",
            "552 5.3.4 <ann> Message too large",
            "250 2.1.0 OK",
            "250 2.1.5 OK",
            "354 OK",
            "250 2.0.0 <ann> Saved",
            "221 2.0.0 Bye",
        ]
    );
    assert_eq!(brought, [pair("ann/INBOX", "12345678\r\n")]);
}

#[tokio::test]
async fn nothing_is_smuggled() {
    for end in [
        "\n.\n",
        "\n.\r\n",
        "\r\n.\n",
        "\r.\r",
        "\r\n.\r",
        "\n.\r",
        "\r\n\0.\r\n",
    ] {
        let smuggled = format!("a{end}MAIL FROM:<evil@x>\r\nRCPT TO:<bob>\r\nDATA\r\nb\r\n");
        let said = format!("MAIL FROM:<a@b>\r\nRCPT TO:<ann>\r\nDATA\r\n{smuggled}.\r\nQUIT\r\n");
        let (lines, brought) = dialogue(said.as_bytes(), MESSAGE_MAX).await;
        assert_eq!(lines.len(), 6, "{end:?}: {lines:?}");
        let [(to, text)] = brought.try_into().unwrap();
        assert_eq!(to, "ann/INBOX", "{end:?}");
        assert!(text.contains("MAIL FROM:<evil@x>"), "{end:?}: {text}");
    }
}

#[tokio::test]
async fn a_message_that_does_not_end_is_nobodys() {
    for tail in [
        "DATA\r\nhalf\r\n.",
        "BDAT 5\r\nwhole",
        "BDAT 50 LAST\r\nhalf",
    ] {
        let said = format!("MAIL FROM:<a@b>\r\nRCPT TO:<ann>\r\n{tail}");
        let (lines, brought) = dialogue(said.as_bytes(), MESSAGE_MAX).await;
        assert!(brought.is_empty(), "{tail:?}");
        assert!(
            !lines.iter().any(|line| line.ends_with("Saved")),
            "{lines:?}"
        );
    }
}

#[tokio::test]
async fn lines_that_are_none() {
    let long = "x".repeat(LINE_MAX * 3);
    let said = format!("{long}\r\nNOOP\nNO\0OP\r\nEHLO x\r\nNOOP\r\nDATA\r\nQUIT\r\n");
    let (lines, _) = dialogue(said.as_bytes(), MESSAGE_MAX).await;
    assert_eq!(
        lines[1..],
        [
            "500 5.5.2 Line too long",
            "500 5.5.2 A line ends with CRLF",
            "500 5.5.2 Invalid command syntax",
            "500 5.5.1 Unknown command",
            "250 2.0.0 OK",
            "503 5.5.0 No valid recipients",
            "221 2.0.0 Bye",
        ]
    );
    let (lines, _) = dialogue("x\r\n".repeat(20).as_bytes(), MESSAGE_MAX).await;
    assert_eq!(lines.len(), 1 + WRONG_MAX);
    assert_eq!(
        lines.last().unwrap(),
        "421 4.7.0 mx.test Too many invalid commands."
    );
}

#[tokio::test]
async fn there_are_only_so_many_recipients() {
    let said = format!(
        "MAIL FROM:<a@b>\r\n{}QUIT\r\n",
        "RCPT TO:<ann>\r\n".repeat(RECIPIENTS_MAX + 1)
    );
    let (lines, _) = dialogue(said.as_bytes(), MESSAGE_MAX).await;
    let ok = lines.iter().filter(|line| *line == "250 2.1.5 OK");
    assert_eq!(ok.count(), RECIPIENTS_MAX);
    assert!(lines.contains(&"452 4.5.3 Too many recipients".to_owned()));
}

#[tokio::test]
async fn octets_that_are_no_letters_cost_nobody_the_connection() {
    let said = [
        b"LHLO \xff\r\nMAIL FROM:<\xff@x>\r\n".as_slice(),
        &b"RCPT TO:<an\xff@x>\r\n".repeat(WRONG_MAX + 1),
        b"RCPT TO:<ann+\xff@x>\r\nDATA\r\n\xff\r\n.\r\nQUIT\r\n",
    ];
    let (lines, brought) = dialogue(&said.concat(), MESSAGE_MAX).await;
    let nobody = "550 5.1.1 <an\u{fffd}@x> User doesn't exist: an\u{fffd}@x";
    assert_eq!(lines[9..9 + WRONG_MAX + 1], vec![nobody; WRONG_MAX + 1]);
    assert_eq!(
        lines[9 + WRONG_MAX + 1..],
        [
            "250 2.1.5 OK",
            "354 OK",
            "250 2.0.0 <ann+\u{fffd}@x> Saved",
            "221 2.0.0 Bye"
        ]
    );
    assert_eq!(brought, [pair("ann@x/INBOX", "\u{fffd}\r\n")]);
}

/// Says this and hears what is answered up to a line, and how long that took.
async fn heard_until(said: &[u8], last: &str) -> (String, Duration) {
    let (client, server) = duplex(1 << 16);
    let (town, setting) = (town(), setting(MESSAGE_MAX));
    let (_stop, stopping) = watch::channel(false);
    let (mut read, mut write) = tokio::io::split(client);
    write.write_all(said).await.unwrap();
    let begun = Instant::now();
    let mut heard = Vec::new();
    let hearing = async {
        while !heard.ends_with(format!("{last}\r\n").as_bytes()) {
            assert!(read.read_buf(&mut heard).await.unwrap() > 0);
        }
    };
    tokio::select! {
        () = hearing => {}
        served = serve(server, &town, &setting, stopping) => panic!("{served:?}"),
    }
    (String::from_utf8(heard).unwrap(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn who_is_not_found_in_time_is_refused_alone() {
    let said = b"MAIL FROM:<a@b>\r\nRCPT TO:<ann>\r\nRCPT TO:<never>\r\nRCPT TO:<bob>\r\n";
    let (heard, took) = heard_until(said, "internal error\r\n250 2.1.5 OK").await;
    assert!(heard.contains("250 2.1.5 OK\r\n451 4.3.0 <never> Temporary internal error\r\n"));
    assert_eq!((heard.lines().count(), took.as_secs()), (5, 60));
    // What is known already is not kept back for it.
    let (_, took) = heard_until(said, "250 2.1.5 OK").await;
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn that_mail_was_brought_is_said_at_once() {
    let said =
        b"MAIL FROM:<a@b>\r\nRCPT TO:<ann>\r\nDATA\r\n.\r\nMAIL FROM:<a@b>\r\nRCPT TO:<never>\r\n";
    let (heard, took) = heard_until(said, "Saved").await;
    assert!(heard.contains("354 OK\r\n250 2.0.0 <ann> "), "{heard}");
    assert_eq!(took, Duration::ZERO);
}

#[tokio::test]
async fn a_server_that_stops_gives_up_what_is_not_whole() {
    let (client, server) = duplex(1 << 12);
    let (town, setting) = (town(), setting(MESSAGE_MAX));
    let (stop, stopping) = watch::channel(false);
    let (mut read, mut write) = tokio::io::split(client);
    let talking = async {
        write
            .write_all(b"MAIL FROM:<a@b>\r\nRCPT TO:<ann>\r\nDATA\r\nhalf\r\n")
            .await
            .unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"354 OK\r\n") {
            read.read_buf(&mut heard).await.unwrap();
        }
        stop.send_replace(true);
        heard.clear();
        read.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"421 4.3.2 Shutting down\r\n");
    };
    let serving = async {
        // The stream closes with it.
        serve(server, &town, &setting, stopping).await.unwrap();
    };
    tokio::join!(talking, serving);
    assert!(town.brought().is_empty());
}

#[tokio::test]
async fn who_is_believed_speaks_for_others() {
    let talk = async |xclient: bool| {
        let said = b"LHLO proxy.test\r\nMAIL FROM:<a@b>\r\nXCLIENT ADDR=192.0.2.7\r\nRSET\r\n\
            XCLIENT HELO=client.test NAME=x LOGIN=ann\r\nXCLIENT ADDR=192.0.2.7\r\nXCLIENT ADDR=x\r\n\
            LHLO proxy.test\r\nMAIL FROM:<a@b>\r\nRCPT TO:<ann>\r\nDATA\r\n.\r\nQUIT\r\n";
        let (client, server) = duplex(1 << 12);
        let town = town();
        let setting = Setting {
            peer: Some(IpAddr::from([10, 0, 0, 1])),
            xclient,
            ..setting(MESSAGE_MAX)
        };
        let (_stop, stopping) = watch::channel(false);
        let (mut read, mut write) = tokio::io::split(client);
        let mut heard = String::new();
        let talking = async {
            write.write_all(said).await.unwrap();
            read.read_to_string(&mut heard).await.unwrap();
        };
        let serving = async {
            serve(server, &town, &setting, stopping).await.unwrap();
        };
        tokio::join!(talking, serving);
        let announced = "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT".to_owned();
        let mut lines = replies(&heard);
        assert_eq!(lines.contains(&announced), xclient);
        lines.retain(|line| !line.starts_with("250"));
        (lines, town.last_trace())
    };
    let greeting = "220 mx.test Culver ready.";
    let wrong = "501 5.5.4 Invalid parameters";
    let last = ["354 OK", "221 2.0.0 Bye"];
    let (lines, trace) = talk(true).await;
    let busy = "503 5.5.1 Mail transaction in progress";
    assert_eq!(lines[..5], [greeting, busy, greeting, greeting, wrong]);
    assert_eq!(lines[5..], last);
    assert!(
        trace.contains("Received: from client.test ([192.0.2.7])\r\n"),
        "{trace}"
    );
    let (lines, trace) = talk(false).await;
    let no = "550 5.7.0 Insufficient authorization";
    assert_eq!(lines[..5], [greeting, no, no, no, wrong]);
    assert_eq!(lines[5..], last);
    assert!(
        trace.contains("Received: from proxy.test ([10.0.0.1])\r\n"),
        "{trace}"
    );
}

#[tokio::test(start_paused = true)]
async fn who_has_no_mail_for_long_makes_room() {
    let (client, server) = duplex(1 << 12);
    let (town, setting) = (town(), setting(MESSAGE_MAX));
    let (_stop, stopping) = watch::channel(false);
    let (mut read, mut write) = tokio::io::split(client);
    let begun = Instant::now();
    let talking = async {
        let bring = b"RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<ann>\r\nDATA\r\n.\r\n";
        let idle = b"NOOP\r\nRSET\r\nMAIL FROM:<a@b>\r\n";
        let mut minutes = 0;
        // It hangs up some time.
        while write
            .write_all(if minutes == 5 { &bring[..] } else { &idle[..] })
            .await
            .is_ok()
        {
            minutes += 1;
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    };
    let mut heard = String::new();
    let reading = async {
        read.read_to_string(&mut heard).await.unwrap();
        begun.elapsed().as_secs()
    };
    let serving = async { serve(server, &town, &setting, stopping).await.unwrap() };
    let ((), took, ()) = tokio::join!(talking, reading, serving);
    assert!(heard.ends_with("421 4.4.2 Disconnected for inactivity\r\n"));
    assert_eq!((town.brought().len(), took), (1, 15 * 60));
}

#[tokio::test(start_paused = true)]
async fn a_message_comes_to_its_end_or_makes_room() {
    for begin in [&b"DATA\r\n"[..], b"BDAT 1000\r\n"] {
        let (client, server) = duplex(1 << 12);
        let (town, setting) = (town(), setting(MESSAGE_MAX));
        let (_stop, stopping) = watch::channel(false);
        let (mut read, mut write) = tokio::io::split(client);
        let begun = Instant::now();
        let talking = async {
            let envelope = b"MAIL FROM:<a@b>\r\nRCPT TO:<ann>\r\n";
            write.write_all(&[envelope, begin].concat()).await.unwrap();
            // It hangs up some time.
            while write.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(4 * 60)).await;
            }
        };
        let mut heard = String::new();
        let reading = async {
            read.read_to_string(&mut heard).await.unwrap();
            begun.elapsed()
        };
        let serving = async { serve(server, &town, &setting, stopping).await.unwrap() };
        let ((), took, ()) = tokio::join!(talking, reading, serving);
        assert!(heard.ends_with("421 4.4.2 Disconnected for inactivity\r\n"));
        assert_eq!((town.brought().len(), took), (0, MESSAGE_LIMIT));
    }
}
