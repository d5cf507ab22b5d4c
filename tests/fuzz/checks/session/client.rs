//! A client that can count: it says what it is given as IMAP wants it said, and every command of it must be
//! answered once.

use culver::imap::parse;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::answers::{Picture, Response};

/// Why a server may end a session.
const REASONS: [&str; 4] = [
    "* BYE Logging out",
    "* BYE Too many invalid IMAP commands.",
    "* BYE [TOOBIG] Command too large",
    "* BYE Selected mailbox was deleted, have to disconnect.",
];

/// How far a client has come.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// It can say more.
    Answered,
    /// It or the server has ended the connection.
    Gone,
}

/// What the server said last of a command.
enum Answer {
    /// `+`
    GoOn,
    /// The tagged response, or `* BAD` for a command without a tag.
    Done,
    /// `* BYE`, and the end of the connection.
    Bye,
}

/// A command under way.
struct Running {
    line: Vec<u8>,
    tag: Option<Vec<u8>>,
}

impl Running {
    fn new(line: &[u8]) -> Running {
        let tag = parse::tag_of(line).map(|tag| tag.as_str().as_bytes().to_vec());
        Running {
            line: line.to_vec(),
            tag,
        }
    }
}

pub struct Client {
    stream: DuplexStream,
    heard: Vec<u8>,
    picture: Picture,
    /// In IDLE.
    idling: Option<Running>,
    gone: bool,
    /// How many messages the server has acknowledged.
    appended: usize,
}

impl Client {
    /// A client, and the stream for the server.
    pub fn new(room: usize) -> (Client, DuplexStream) {
        let (stream, theirs) = tokio::io::duplex(room);
        let client = Client {
            stream,
            heard: Vec::new(),
            picture: Picture::default(),
            idling: None,
            gone: false,
            appended: 0,
        };
        (client, theirs)
    }

    pub async fn be_greeted(&mut self) {
        let greeting = self.response().await.expect("a greeting");
        assert!(greeting.is("* PREAUTH "));
    }

    /// Says one command of `rest`, or the line that ends IDLE, and hears the answer.
    pub async fn say(&mut self, rest: &mut &[u8]) -> Step {
        let mut line = take_line(rest);
        if self.gone {
            return Step::Answered;
        }
        if let Some(running) = self.idling.take() {
            self.send(&[line, b"\r\n"].concat()).await;
            return self.finish(running).await;
        }
        let running = Running::new(line);
        self.picture.begin(line);
        loop {
            self.send(&[line, b"\r\n"].concat()).await;
            let Ok(Some(mark)) = parse::literal_mark(line) else {
                return self.finish(running).await;
            };
            if !mark.non_sync {
                match self.answer(&running).await {
                    Answer::GoOn => {}
                    Answer::Done => return Step::Answered,
                    Answer::Bye => return Step::Gone,
                }
            }
            let size = usize::try_from(mark.size).unwrap_or(usize::MAX);
            let Some((literal, behind)) = rest.split_at_checked(size) else {
                // Somebody has pulled the plug.
                self.send(rest).await;
                self.gone = true;
                return Step::Gone;
            };
            *rest = behind;
            self.send(literal).await;
            line = take_line(rest);
        }
    }

    /// All has been said of a command: its answer comes, unless it is IDLE.
    async fn finish(&mut self, running: Running) -> Step {
        match self.answer(&running).await {
            Answer::GoOn => {
                let verb = parse::verb_of(&running.line);
                assert_eq!(verb.as_deref(), Some("IDLE"), "a literal was announced");
                self.idling = Some(running);
                Step::Answered
            }
            Answer::Done => Step::Answered,
            Answer::Bye => Step::Gone,
        }
    }

    /// Logs out, unless the connection has ended. Gives how many messages it was told are appended.
    pub async fn leave(mut self) -> usize {
        if !self.gone && self.idling.is_some() {
            self.say(&mut &b"DONE\n"[..]).await;
        }
        if !self.gone {
            let step = self.say(&mut &b"last LOGOUT\n"[..]).await;
            assert_eq!(step, Step::Gone, "LOGOUT is not the end");
        }
        self.appended
    }

    /// The server's next word on a command.
    async fn answer(&mut self, running: &Running) -> Answer {
        let mut farewell = false;
        let mut answered = false;
        loop {
            let Some(response) = self.response().await else {
                assert!(farewell, "the connection ends without BYE");
                self.gone = true;
                return Answer::Bye;
            };
            if response.is("+ ") {
                return Answer::GoOn;
            }
            self.appended += response.appended();
            if response.is("* BYE ") {
                let text = String::from_utf8_lossy(&response.text);
                assert!(
                    REASONS.iter().any(|reason| text.starts_with(reason)),
                    "{text}"
                );
                farewell = true;
                continue;
            }
            if let Some((tag, condition)) = response.tagged() {
                assert!(
                    !answered && running.tag.as_deref() == Some(tag),
                    "{response:?}"
                );
                self.picture.end(&running.line, condition);
                answered = true;
            } else {
                self.picture.hear(&response);
                let bad = response.is("* BAD ");
                assert!(!bad || running.tag.is_none(), "{response:?}");
                answered |= bad;
            }
            // With LOGOUT, BYE comes first; the end of the connection follows.
            if answered && !farewell {
                return Answer::Done;
            }
        }
    }

    /// Says everything at once and hears what there is to hear.
    pub async fn say_at_once(self, said: &[u8]) -> usize {
        let Client {
            stream, mut heard, ..
        } = self;
        let (mut input, mut output) = tokio::io::split(stream);
        let talk = async {
            // The server may end before all is said.
            let _ = output.write_all(said).await;
            let _ = output.shutdown().await;
        };
        let listen = async { input.read_to_end(&mut heard).await.unwrap() };
        tokio::join!(talk, listen);
        let mut appended = 0;
        let mut at = 0;
        while let Some((response, length)) = Response::cut(&heard[at..]) {
            response.expect_sound();
            appended += response.appended();
            at += length;
            if let Some((tag, _)) = response.tagged() {
                assert!(said.windows(tag.len()).any(|place| place == tag));
            }
        }
        assert_eq!(heard[at..].escape_ascii().to_string(), "");
        appended
    }

    async fn send(&mut self, octets: &[u8]) {
        // The server may have ended; then that is what is heard next.
        let _ = self.stream.write_all(octets).await;
    }

    /// The next response; `None` at the end of the connection.
    async fn response(&mut self) -> Option<Response> {
        loop {
            if let Some((response, length)) = Response::cut(&self.heard) {
                self.heard.drain(..length);
                response.expect_sound();
                return Some(response);
            }
            if self.stream.read_buf(&mut self.heard).await.unwrap() == 0 {
                assert_eq!(self.heard.escape_ascii().to_string(), "");
                return None;
            }
        }
    }
}

/// The next line, without its end.
fn take_line<'s>(rest: &mut &'s [u8]) -> &'s [u8] {
    let end = rest.iter().position(|octet| *octet == b'\n');
    let (line, behind) = match end {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (*rest, &rest[rest.len()..]),
    };
    *rest = behind;
    line.strip_suffix(b"\r").unwrap_or(line)
}
