//! The other end of a session, for tests.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

/// A client that says what it is told to and wants to hear exactly what it is told to expect.
pub(crate) struct Client {
    stream: DuplexStream,
    heard: Vec<u8>,
}

impl Client {
    /// A client, and the stream for the server. At most `room` octets are under way in each direction.
    pub(crate) fn new(room: usize) -> (Client, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(room);
        let client = Client {
            stream: ours,
            heard: Vec::new(),
        };
        (client, theirs)
    }

    /// Sends octets as they are.
    pub(crate) async fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).await.unwrap();
    }

    /// The next line, without its CRLF.
    pub(crate) async fn line(&mut self) -> String {
        loop {
            if let Some(at) = self.heard.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=at).collect();
                let line = line.strip_suffix(b"\r\n").expect("CRLF");
                return String::from_utf8(line.to_vec()).unwrap();
            }
            assert!(self.more().await, "closed after {:?}", self.heard);
        }
    }

    /// Sends a line and expects these lines.
    pub(crate) async fn ask(&mut self, line: &str, answers: &[&str]) {
        self.send(format!("{line}\r\n")).await;
        self.expect(answers).await;
    }

    /// Makes a mailbox, which is told by its own identifier.
    pub(crate) async fn create(&mut self, name: &str) {
        self.send(format!("z CREATE {name}\r\n")).await;
        let answer = self.line().await;
        assert!(answer.starts_with("z OK [MAILBOXID ("), "{answer}");
    }

    /// Expects these lines next.
    pub(crate) async fn expect(&mut self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.line().await, *line);
        }
    }

    /// Expects the connection to end, and nothing before that.
    pub(crate) async fn expect_end(&mut self) {
        while self.more().await {}
        assert_eq!(self.heard.escape_ascii().to_string(), "");
    }

    /// Expects silence.
    pub(crate) async fn expect_nothing(&mut self) {
        let more = timeout(Duration::from_secs(1), self.more()).await;
        assert!(more.is_err(), "{}", self.heard.escape_ascii());
    }

    /// Exactly so many octets.
    pub(crate) async fn octets(&mut self, count: usize) -> Vec<u8> {
        while self.heard.len() < count {
            assert!(self.more().await, "closed after {:?}", self.heard);
        }
        self.heard.drain(..count).collect()
    }

    /// The lines up to the tagged one, and that one.
    pub(crate) async fn until(&mut self, tag: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            lines.push(self.line().await);
            if lines.last().is_some_and(|line| line.starts_with(tag)) {
                return lines;
            }
        }
    }

    async fn more(&mut self) -> bool {
        self.stream.read_buf(&mut self.heard).await.unwrap() > 0
    }
}
