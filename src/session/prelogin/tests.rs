use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::auth::sasl::Exchange;
use crate::auth::{Granted, Tls};
use crate::session::client::Client;

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR ID ENABLE IDLE LITERAL- AUTH=PLAIN AUTH=LOGIN] Culver ready.";

/// Knows one user, `u`, whose password is `p`; and takes its time where the user is `slow`.
struct OneUser;

impl Authenticate for OneUser {
    type Passage = Granted;
    type Attempt = Talk;

    fn begin(&self, mechanism: Mechanism, _line: Line) -> Talk {
        Talk(mechanism, None)
    }
}

/// What was said, once anything was.
struct Talk(Mechanism, Option<Exchange>);

impl Attempt for Talk {
    type Passage = Granted;

    async fn step(&mut self, response: Option<Secret>) -> Step {
        let response = response.as_ref().map(Secret::expose);
        let next = match &mut self.1 {
            Some(exchange) => exchange.step(response.unwrap_or_default()),
            None => {
                let (exchange, next) = Exchange::start(self.0, None, response);
                self.1 = Some(exchange);
                next
            }
        };
        let (user, password) = match next {
            sasl::Step::Challenge(challenge) => return Step::Challenge(challenge),
            sasl::Step::Done { user, password, .. } => (user, password),
            _ => return Step::Verdict(Verdict::Denied),
        };
        Step::Verdict(match (user.as_slice(), password.expose()) {
            (b"u", b"p") => Verdict::Granted(Granted {
                user: "u".into(),
                master: None,
                account: Default::default(),
            }),
            (b"slow", _) => {
                tokio::time::sleep(Duration::from_secs(1000)).await;
                Verdict::Denied
            }
            (b"out", _) => Verdict::Unavailable,
            (b"off", _) => Verdict::Disabled("Account closed".into()),
            _ => Verdict::Denied,
        })
    }
}

struct Server {
    end: JoinHandle<PreloginEnd<DuplexStream, Granted>>,
    stop: watch::Sender<bool>,
}

fn start(situation: Situation, room: usize) -> (Client, Server) {
    let (client, stream) = Client::new(room);
    let (stop, stopped) = watch::channel(false);
    let end = tokio::spawn(async move {
        let limits = Limits::default();
        let opening = Opening {
            greeting: true,
            ..Opening::default()
        };
        prelogin(stream, &situation, &limits, &OneUser, opening, stopped).await
    });
    (client, Server { end, stop })
}

fn secure() -> Situation {
    Situation {
        tls: Tls::V1_3,
        starttls: true,
        login_allowed: true,
        mechanisms: [Mechanism::Plain, Mechanism::Login].into(),
        channel: None,
        shown: Vec::new(),
        peer: "192.0.2.1".into(),
    }
}

fn in_clear() -> Situation {
    Situation {
        tls: Tls::No,
        starttls: true,
        login_allowed: false,
        mechanisms: [Mechanism::Plain, Mechanism::Login].into(),
        channel: None,
        shown: Vec::new(),
        peer: "192.0.2.1".into(),
    }
}

async fn greeted() -> (Client, Server) {
    let (mut client, server) = start(secure(), 64 << 10);
    client.expect(&[GREETING]).await;
    (client, server)
}

impl Server {
    async fn handover(self) -> Handover<DuplexStream> {
        match self.end.await.unwrap() {
            PreloginEnd::Handover(handover) => handover,
            other => panic!("{other:?}"),
        }
    }

    async fn logout(self) {
        let end = self.end.await.unwrap();
        assert!(matches!(end, PreloginEnd::Logout), "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_strangers_may_say() {
    let (mut client, server) = greeted().await;
    client
        .ask(
            "a CAPABILITY",
            &[
                "* CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR ID ENABLE IDLE LITERAL- AUTH=PLAIN AUTH=LOGIN",
                "a OK Pre-login capabilities listed, post-login capabilities have more.",
            ],
        )
        .await;
    client.ask("b NOOP", &["b OK NOOP completed."]).await;
    let version = env!("CARGO_PKG_VERSION");
    client
        .ask(
            "c ID (\"name\" \"x\")",
            &[
                &format!("* ID (\"name\" \"Culver\" \"version\" \"{version}\")"),
                "c OK ID completed.",
            ],
        )
        .await;
    client.ask("d SELECT INBOX", &["d BAD Log in first"]).await;
    client
        .ask("e LOGOUT", &["* BYE Logging out", "e OK Logout completed"])
        .await;
    client.expect_end().await;
    server.logout().await;
}

#[tokio::test(start_paused = true)]
async fn login_hands_over_what_came_with_it() {
    let (mut client, server) = greeted().await;
    client
        .send("i ID (\"name\" \"x\" \"os\" NIL)\r\nc CAPABILITY\r\nt LOGIN u p\r\nn NOOP\r\nm NO")
        .await;
    let handover = server.handover().await;
    assert_eq!(handover.tag.as_str(), "t");
    assert_eq!(handover.passage.user, "u");
    assert_eq!(handover.unread, b"n NOOP\r\nm NO".to_vec().into());
    assert!(handover.capability_asked);
    assert_eq!(
        handover.client_id,
        [
            (b"name".to_vec(), Some(b"x".to_vec())),
            (b"os".to_vec(), None)
        ]
    );
    for _ in 0..4 {
        client.line().await;
    }
    client.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn login_in_every_spelling() {
    for input in [
        "t LOGIN u p\r\n",
        "t login \"u\" \"p\"\r\n",
        "t LOGIN {1+}\r\nu {1+}\r\np\r\n",
        "t AUTHENTICATE PLAIN AHUAcA==\r\n",
        "t authenticate login dQ==\r\ncA==\r\n",
    ] {
        let (mut client, server) = greeted().await;
        client.send(input).await;
        assert_eq!(server.handover().await.tag.as_str(), "t", "{input}");
    }
    let (mut client, server) = greeted().await;
    client.ask("t LOGIN {1}", &["+ OK"]).await;
    client.ask("u {1}", &["+ OK"]).await;
    client.send("p\r\n").await;
    server.handover().await;

    let (mut client, server) = greeted().await;
    client.ask("t AUTHENTICATE PLAIN", &["+ "]).await;
    client.send("AHUAcA==\r\n").await;
    server.handover().await;

    let (mut client, server) = greeted().await;
    client
        .ask("t AUTHENTICATE LOGIN", &["+ VXNlcm5hbWU6"])
        .await;
    client.ask("dQ==", &["+ UGFzc3dvcmQ6"]).await;
    client.send("cA==\r\n").await;
    server.handover().await;
}

#[tokio::test(start_paused = true)]
async fn login_refused() {
    let (mut client, server) = greeted().await;
    let failed = "[AUTHENTICATIONFAILED] Authentication failed.";
    for (line, answer) in [
        ("a LOGIN u q", format!("a NO {failed}")),
        ("a LOGIN nobody p", format!("a NO {failed}")),
        ("a AUTHENTICATE PLAIN AHUAcQ==", format!("a NO {failed}")),
        ("a AUTHENTICATE PLAIN dXA=", format!("a NO {failed}")),
        (
            "a LOGIN out p",
            "a NO [UNAVAILABLE] Temporary authentication failure.".into(),
        ),
        (
            "a LOGIN off p",
            "a NO [AUTHORIZATIONFAILED] Account closed".into(),
        ),
        (
            "a AUTHENTICATE SCRAM-MD5",
            "a NO [ALERT] Unsupported authentication mechanism.".into(),
        ),
    ] {
        client.ask(line, &[&answer]).await;
    }
    for _ in 0..5 {
        let answer = format!("a NO {failed}");
        client.ask("a LOGIN u q", &[&answer]).await;
    }
    client.send("a LOGIN u q\r\n").await;
    client
        .expect(&[&format!("a NO {failed}"), "* BYE Too many failed logins."])
        .await;
    client.expect_end().await;
    server.logout().await;
}

#[tokio::test(start_paused = true)]
async fn an_exchange_broken_off() {
    let (mut client, _server) = greeted().await;
    client.ask("a AUTHENTICATE PLAIN", &["+ "]).await;
    client
        .ask("*", &["a BAD Authentication aborted by client."])
        .await;
    client
        .ask("b AUTHENTICATE LOGIN", &["+ VXNlcm5hbWU6"])
        .await;
    client
        .ask("d", &["b BAD Invalid base64 data in continued response"])
        .await;
    client.ask("c NOOP", &["c OK NOOP completed."]).await;
    client.ask("d AUTHENTICATE PLAIN", &["+ "]).await;
    client.send("x".repeat(1 << 14)).await;
    client
        .ask(
            "",
            &["d BAD [LIMIT] line too long, 8192 octets at the most"],
        )
        .await;
    client.ask("e NOOP", &["e OK NOOP completed."]).await;
    client.ask("f AUTHENTICATE PLAIN", &["+ "]).await;
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn no_password_crosses_a_line_in_clear() {
    let (mut client, server) = start(in_clear(), 64 << 10);
    client
        .expect(&["* OK [CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR ID ENABLE IDLE LITERAL- STARTTLS LOGINDISABLED] Culver ready."])
        .await;
    client
        .ask(
            "a LOGIN u p",
            &[
                "* BAD [ALERT] Plaintext authentication not allowed without SSL/TLS, but your client \
                 did it anyway. If anyone was listening, the password was exposed.",
                "a NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) \
                 connections.",
            ],
        )
        .await;
    let disabled = "b NO [PRIVACYREQUIRED] Plaintext authentication disabled.";
    client.ask("b AUTHENTICATE PLAIN", &[disabled]).await;
    client
        .ask("b AUTHENTICATE PLAIN AHUAcA==", &[disabled])
        .await;
    client
        .ask("s STARTTLS", &["s OK Begin TLS negotiation now."])
        .await;
    assert!(matches!(
        server.end.await.unwrap(),
        PreloginEnd::StartTls(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn nothing_behind_starttls_is_executed() {
    for behind in ["b LOGIN u p\r\n", "b", "\r\n"] {
        let (mut client, server) = start(in_clear(), 64 << 10);
        client.line().await;
        client.send(format!("a STARTTLS\r\n{behind}")).await;
        client
            .expect(&["* BYE Input after STARTTLS in the clear."])
            .await;
        client.expect_end().await;
        server.logout().await;
    }
}

#[tokio::test(start_paused = true)]
async fn starttls_once_only() {
    let (mut client, _server) = greeted().await;
    client
        .ask(
            "a STARTTLS",
            &["a BAD TLS is active already, or not available"],
        )
        .await;
}

#[tokio::test(start_paused = true)]
async fn three_bad_commands() {
    let (mut client, server) = greeted().await;
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\n").await;
        assert!(client.line().await.starts_with("GET BAD "));
    }
    client.ask("a NOOP", &["a OK NOOP completed."]).await;
    for _ in 0..3 {
        client.send("\r\n").await;
        assert!(client.line().await.starts_with("* BAD "));
    }
    client
        .expect(&["* BYE Too many invalid IMAP commands."])
        .await;
    client.expect_end().await;
    server.logout().await;
}

#[tokio::test(start_paused = true)]
async fn literals_that_are_too_large() {
    let (mut client, server) = greeted().await;
    let large = "a BAD [TOOBIG] literal too large, 4096 octets at the most";
    client.ask("a LOGIN {4097}", &[large]).await;
    client
        .send(format!(
            "a LOGIN {{5000+}}\r\n{}\r\n",
            "x\r\n".repeat(1666) + "yz"
        ))
        .await;
    client.expect(&[large]).await;
    client.ask("b NOOP", &["b OK NOOP completed."]).await;
    client
        .ask("c LOGIN {99999999999}", &[&large.replace("a ", "c ")])
        .await;
    client
        .ask(
            "c LOGIN {99999999999+}",
            &["* BYE [TOOBIG] Command too large"],
        )
        .await;
    client.expect_end().await;
    server.logout().await;
}

#[tokio::test(start_paused = true)]
async fn a_minute_to_log_in() {
    let begun = Instant::now();
    let (mut client, server) = greeted().await;
    tokio::time::sleep(Duration::from_secs(59)).await;
    client.ask("a NOOP", &["a OK NOOP completed."]).await;
    client.expect(&["* BYE Disconnected for inactivity."]).await;
    assert_eq!(begun.elapsed().as_secs(), 60);
    client.expect_end().await;
    server.logout().await;

    let (mut client, server) = greeted().await;
    client
        .ask("a LOGIN slow p", &["* BYE Disconnected for inactivity."])
        .await;
    client.expect_end().await;
    server.logout().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_goes_in_time() {
    let begun = Instant::now();
    let (client, server) = start(secure(), 16);
    server.logout().await;
    assert!(begun.elapsed() <= Duration::from_secs(65));
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn the_server_stops() {
    let (mut client, server) = greeted().await;
    server.stop.send(true).unwrap();
    client.expect(&["* BYE Server shutting down."]).await;
    client.expect_end().await;
    server.logout().await;
}
