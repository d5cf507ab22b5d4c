//! A blocking IMAP client that knows nothing but lines and literals, and lets no response pass unseen.
//!
//! Lines are compared in a plain form: the human text of status responses is cut off (`* OK [UIDNEXT 4]`,
//! `NO [CANNOT]`), and the items of a FETCH response are put in alphabetical order, for RFC 3501 leaves
//! both to the server. So it does RECENT after an expunge: RECENT is compared only where it is expected, and so is
//! HIGHESTMODSEQ and MAILBOXID.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};

use super::deflate::Deflate;
use super::server::{PASSWORD, USER};
use super::{Kind, PATIENCE, tls};

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Closed,
}

/// One connection.
pub struct Client {
    stream: Stream,
    kind: Kind,
    input: Vec<u8>,
    tag: u32,
    deflate: Option<Box<Deflate>>,
    /// The server may be killed at any moment: a response cut off is the end, not a fault.
    pub doomed: bool,
}

/// What came back for a command.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// Untagged responses, literals inline, as they came.
    pub untagged: Vec<Vec<u8>>,
    /// The tagged response without its tag, as it came.
    pub tagged: String,
}

impl Reply {
    /// The untagged responses in plain form.
    pub fn plain(&self) -> Vec<String> {
        self.untagged
            .iter()
            .map(|line| plain(&String::from_utf8_lossy(line)))
            .collect()
    }

    /// The tagged response in plain form: `OK`, `NO [TRYCREATE]`; without MAILBOXID.
    pub fn outcome(&self) -> String {
        match cut_text(&self.tagged) {
            created if created.starts_with("OK [MAILBOXID ") => "OK".to_owned(),
            outcome => outcome,
        }
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?} {}", self.plain(), self.tagged)
    }
}

impl Client {
    /// A connection in the clear.
    pub fn open(address: SocketAddr, kind: Kind) -> Client {
        Client::on(TcpStream::connect(address).unwrap(), kind)
    }

    /// The same; `None` if nobody listens.
    pub fn try_open(address: SocketAddr, kind: Kind) -> Option<Client> {
        Some(Client::on(TcpStream::connect(address).ok()?, kind))
    }

    fn on(stream: TcpStream, kind: Kind) -> Client {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Client {
            stream: Stream::Plain(stream),
            kind,
            input: Vec::new(),
            tag: 0,
            deflate: None,
            doomed: false,
        }
    }

    /// Starts TLS on what was a plain connection, with these versions.
    pub fn secure(&mut self, versions: &[&'static rustls::SupportedProtocolVersion]) {
        self.secure_by(tls::client(versions));
    }

    /// The same, asking for this name.
    pub fn secure_as(
        &mut self,
        name: &str,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) {
        let name = name.to_owned().try_into().unwrap();
        let client = ClientConnection::new(tls::config(versions), name);
        self.secure_by(client.unwrap());
    }

    /// The same, with a client side of the caller's own.
    pub fn secure_by(&mut self, client: ClientConnection) {
        assert!(self.input.is_empty(), "bytes before TLS: {:?}", self.input);
        let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Closed) else {
            panic!("TLS is already on");
        };
        let mut stream = StreamOwned::new(client, stream);
        stream.flush().unwrap();
        self.stream = Stream::Tls(Box::new(stream));
    }

    /// The server's certificate (DER).
    pub fn certificate(&self) -> Vec<u8> {
        let Stream::Tls(stream) = &self.stream else {
            panic!("there is no TLS");
        };
        stream.conn.peer_certificates().unwrap()[0].to_vec()
    }

    /// Turns compression on (RFC 4978).
    #[track_caller]
    pub fn compress(&mut self) {
        self.ok("COMPRESS DEFLATE");
        assert!(self.input.is_empty(), "bytes in clear: {:?}", self.input);
        self.deflate = Some(Box::new(Deflate::new()));
    }

    /// Compression has ended by UNAUTHENTICATE (RFC 8437 §4.1). Gives how many octets came compressed.
    pub fn compressed_no_more(&mut self) -> u64 {
        let Some(deflate) = self.deflate.take() else {
            return 0;
        };
        self.input.extend_from_slice(&deflate.ahead);
        deflate.received
    }

    /// Octets that came compressed so far.
    pub fn received(&self) -> u64 {
        self.deflate.as_ref().map_or(0, |deflate| deflate.received)
    }

    /// What would be sent for these bytes.
    pub fn packed(&mut self, bytes: &[u8]) -> Vec<u8> {
        match &mut self.deflate {
            Some(deflate) => deflate.pack(bytes),
            None => bytes.to_vec(),
        }
    }

    /// Reads the greeting.
    pub fn greeting(&mut self) -> String {
        String::from_utf8(self.line()).unwrap()
    }

    /// Logs in as the test's user.
    pub fn login(&mut self) {
        self.login_as(USER);
    }

    /// Logs in as one of several users.
    pub fn login_as(&mut self, user: &str) {
        let reply = self.run(&format!("LOGIN {user} {PASSWORD}"));
        assert!(reply.tagged.starts_with("OK"), "{reply:?}");
    }

    /// The tag that the next command will have, for responses that repeat it.
    pub fn next_tag(&self) -> String {
        format!("a{}", self.tag + 1)
    }

    /// Sends a command and reads everything up to its tagged response. A literal in the text, `{5}` CRLF
    /// and five octets, is sent when the server asks for it.
    pub fn run(&mut self, command: &str) -> Reply {
        self.run_bytes(command.as_bytes())
    }

    /// The same, for bytes that are no text.
    pub fn run_bytes(&mut self, command: &[u8]) -> Reply {
        self.tag += 1;
        let tag = format!("a{}", self.tag);
        let mut bytes = [tag.as_bytes(), b" ", command, b"\r\n"].concat();
        let mut untagged = Vec::new();
        while let Some(end) = synchronising_literal(&bytes) {
            let rest = bytes.split_off(end);
            self.send(&bytes);
            bytes = rest;
            loop {
                let line = self.line();
                if line.starts_with(b"+") {
                    break;
                }
                if let Some(tagged) = strip_tag(&line, &tag) {
                    return Reply { untagged, tagged };
                }
                untagged.push(line);
            }
        }
        self.send(&bytes);
        self.finish(&tag, untagged)
    }

    /// As [`Client::run`] with a server that may be killed meanwhile: `None` where no tagged response came.
    /// Literals must be of the kind that does not wait.
    pub fn try_run(&mut self, command: &str) -> Option<Reply> {
        self.doomed = true;
        self.tag += 1;
        let tag = format!("a{}", self.tag);
        self.try_send(format!("{tag} {command}\r\n").as_bytes())
            .ok()?;
        let mut untagged = Vec::new();
        loop {
            let line = self.next_line()?;
            if let Some(tagged) = strip_tag(&line, &tag) {
                return Some(Reply { untagged, tagged });
            }
            untagged.push(line);
        }
    }

    fn finish(&mut self, tag: &str, mut untagged: Vec<Vec<u8>>) -> Reply {
        loop {
            let line = self.line();
            if let Some(tagged) = strip_tag(&line, tag) {
                return Reply { untagged, tagged };
            }
            assert!(
                line.starts_with(b"* "),
                "neither * nor {tag}: {}",
                String::from_utf8_lossy(&line)
            );
            // How far a command is (RFC 9585) may be told wherever the machine is slow.
            if !line.starts_with(b"* OK [INPROGRESS") {
                untagged.push(line);
            }
        }
    }

    /// Reads up to the tagged response of a command that was sent by hand.
    pub fn until_tagged(&mut self, tag: &str) -> Reply {
        self.finish(tag, Vec::new())
    }

    /// Runs a command that must succeed and gives its untagged responses in plain form.
    #[track_caller]
    pub fn ok(&mut self, command: &str) -> Vec<String> {
        let reply = self.run(command);
        assert!(
            reply.tagged.starts_with("OK"),
            "{command:.200} → {:?} {}",
            reply.plain(),
            reply.tagged
        );
        reply.plain()
    }

    /// Runs a command and demands exactly these untagged responses and this outcome, both in plain form.
    #[track_caller]
    pub fn check(&mut self, command: &str, untagged: &[&str], outcome: &str) {
        let reply = self.run(command);
        let expected: Vec<String> = untagged.iter().map(|line| plain(line)).collect();
        let got = without_needless(reply.plain(), &expected);
        assert!(
            got == expected && reply.outcome() == outcome,
            "{command:.300}\n  expected {expected:#?} {outcome}\n  but got  {got:#?} {}",
            reply.tagged
        );
    }

    /// As [`Client::check`], for responses whose order is the server's.
    #[track_caller]
    pub fn check_sorted(&mut self, command: &str, untagged: &[&str], outcome: &str) {
        let reply = self.run(command);
        let mut expected: Vec<String> = untagged.iter().map(|line| plain(line)).collect();
        let mut got = reply.plain();
        expected.sort();
        got.sort();
        assert!(
            got == expected && reply.outcome() == outcome,
            "{command:.300}\n  expected {expected:#?} {outcome}\n  but got  {got:#?} {}",
            reply.tagged
        );
    }

    /// Runs a command of which only the tagged response matters: its outcome in plain form.
    pub fn outcome(&mut self, command: &str) -> String {
        self.run(command).outcome()
    }

    /// Runs a command that must be answered NO, whatever the response code.
    #[track_caller]
    pub fn no(&mut self, command: &str) {
        let reply = self.run(command);
        assert!(reply.tagged.starts_with("NO"), "{command:.200} → {reply:?}");
    }

    /// Runs a command that must be answered BAD and nothing else.
    #[track_caller]
    pub fn bad(&mut self, command: &str) {
        let reply = self.run(command);
        assert!(
            reply.tagged.starts_with("BAD"),
            "{command:.200} → {reply:?}"
        );
        // Dovecot closes the mailbox even where SELECT does not parse.
        let mut lines = reply.plain();
        lines.retain(|line| self.kind == Kind::Culver || line != "* OK [CLOSED]");
        assert!(lines.is_empty(), "{command:.200} → {reply:?}");
    }

    /// Runs a command that Culver must answer BAD, where Dovecot is lenient.
    #[track_caller]
    pub fn bad_strictly(&mut self, command: &str) {
        match self.kind {
            Kind::Culver => self.bad(command),
            Kind::Dovecot => drop(self.run(command)),
        }
    }

    /// APPENDs a message and gives its UID.
    #[track_caller]
    pub fn append(&mut self, mailbox: &str, arguments: &str, message: &str) -> u32 {
        let size = message.len();
        let reply = self.run(&format!(
            "APPEND {mailbox} {arguments}{{{size}}}\r\n{message}"
        ));
        let code = reply.tagged.strip_prefix("OK [APPENDUID ");
        let code = code.unwrap_or_else(|| panic!("APPEND → {reply:?}"));
        let uid = code.split([' ', ']']).nth(1).unwrap();
        uid.parse().unwrap()
    }

    /// IDLEs until exactly these responses have come, in this order, and nothing else.
    #[track_caller]
    pub fn idle_until(&mut self, expected: &[&str]) {
        let mut idle = self.idle();
        idle.expect(expected);
        idle.done(&[]);
    }

    /// Begins to IDLE.
    pub fn idle(&mut self) -> Idle<'_> {
        self.tag += 1;
        let tag = format!("a{}", self.tag);
        self.send(format!("{tag} IDLE\r\n").as_bytes());
        let mut before = Vec::new();
        loop {
            let line = self.line();
            if line.starts_with(b"+") {
                break;
            }
            before.push(plain(&String::from_utf8_lossy(&line)));
        }
        Idle {
            client: self,
            tag,
            heard: before,
        }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes)
            .unwrap_or_else(|error| panic!("cannot send: {error}"));
    }

    /// Sends bytes to a server that may have closed already.
    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let packed = self.packed(bytes);
        self.send_raw(&packed)
    }

    /// Sends bytes that are not compressed, or are already.
    pub fn send_raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Stream::Closed => Err(std::io::ErrorKind::NotConnected.into()),
        }
    }

    /// Reads one response with its literals, without the last CRLF.
    #[track_caller]
    pub fn line(&mut self) -> Vec<u8> {
        match self.next_line() {
            Some(line) => line,
            None => panic!("the server closed the connection"),
        }
    }

    /// Reads one response; `None` at the end of the connection.
    #[track_caller]
    pub fn next_line(&mut self) -> Option<Vec<u8>> {
        let mut searched = 0;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.input[searched..]).map(|at| at + searched)
            {
                assert!(
                    at > 0 && self.input[at - 1] == b'\r',
                    "a line of the server ends in a bare LF"
                );
                if let Some(size) = announced_literal(&self.input[..at - 1])
                    && !(searched == 0 && is_status(&self.input[..at]))
                {
                    searched = at + 1 + size;
                    while self.input.len() < searched {
                        if !self.fill(searched - self.input.len()) {
                            assert!(self.doomed, "closed inside a literal");
                            return None;
                        }
                    }
                    continue;
                }
                let rest = self.input.split_off(at + 1);
                let mut line = std::mem::replace(&mut self.input, rest);
                line.truncate(at - 1);
                return Some(line);
            }
            if !self.fill(1) {
                assert!(
                    self.doomed || self.input.is_empty(),
                    "closed inside a line: {:?}",
                    self.input
                );
                return None;
            }
        }
    }

    /// Reads more; false at the end of the connection.
    #[track_caller]
    fn fill(&mut self, wanted: usize) -> bool {
        if let Some(deflate) = &mut self.deflate
            && !deflate.ahead.is_empty()
        {
            self.input.extend(deflate.unpack(&[]));
            return true;
        }
        let mut buffer = vec![0; wanted.clamp(64 << 10, 1 << 20)];
        let mut read = || match &mut self.stream {
            Stream::Plain(stream) => stream.read(&mut buffer),
            Stream::Tls(stream) => stream.read(&mut buffer),
            Stream::Closed => Ok(0),
        };
        // A socket with a time limit is not read on after a signal.
        let read = loop {
            match read() {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        match read {
            Ok(0) => false,
            Ok(count) => {
                match &mut self.deflate {
                    Some(deflate) => self.input.extend(deflate.unpack(&buffer[..count])),
                    None => self.input.extend_from_slice(&buffer[..count]),
                }
                true
            }
            Err(error)
                if [
                    std::io::ErrorKind::ConnectionReset,
                    std::io::ErrorKind::UnexpectedEof,
                ]
                .contains(&error.kind()) =>
            {
                false
            }
            // TLS has been refused.
            Err(error) if self.doomed && error.kind() == std::io::ErrorKind::InvalidData => false,
            // The whole process was stopped for a while and goes on.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => self.fill(wanted),
            Err(error) => panic!(
                "no answer in time ({error}); so far {:?}",
                String::from_utf8_lossy(&self.input)
            ),
        }
    }

    /// Whether the server ends the connection now; what it still says is given.
    pub fn rest(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.next_line() {
            lines.push(plain(&String::from_utf8_lossy(&line)));
        }
        lines
    }

    /// Closes the sending side.
    pub fn hang_up(&mut self) {
        if let Stream::Plain(stream) = &self.stream {
            stream.shutdown(Shutdown::Write).unwrap();
        }
    }

    /// The plain socket, for tests that are slow or rude on purpose.
    pub fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_ref(),
            Stream::Closed => panic!("closed"),
        }
    }

    /// What a login over this TLS connection can be bound to: the octets of tls-exporter, and the server's certificate.
    pub fn channel(&self) -> (Vec<u8>, Vec<u8>) {
        let Stream::Tls(stream) = &self.stream else {
            panic!("no TLS");
        };
        let label = b"EXPORTER-Channel-Binding";
        let exported = stream
            .conn
            .export_keying_material(vec![0; 32], label, Some(b""));
        let certificates = stream.conn.peer_certificates().unwrap();
        (exported.unwrap(), certificates[0].to_vec())
    }

    /// The protocol version that TLS agreed on.
    pub fn tls_version(&self) -> Option<rustls::ProtocolVersion> {
        match &self.stream {
            Stream::Tls(stream) => stream.conn.protocol_version(),
            _ => None,
        }
    }
}

/// A client that idles.
pub struct Idle<'c> {
    client: &'c mut Client,
    tag: String,
    heard: Vec<String>,
}

impl Idle<'_> {
    /// Waits for exactly these responses, in this order. Responses to several changes may come at once or
    /// one after the other: a count that a later one overtakes is passed over.
    #[track_caller]
    pub fn expect(&mut self, expected: &[&str]) {
        let expected: Vec<String> = expected.iter().map(|line| plain(line)).collect();
        let end = Instant::now() + PATIENCE;
        loop {
            let heard = without_needless(settle(&self.heard), &expected);
            if heard == expected {
                self.heard.clear();
                return;
            }
            assert!(
                Instant::now() < end,
                "expected {expected:#?}, heard {heard:#?}"
            );
            let line = self.client.line();
            let line = plain(&String::from_utf8_lossy(&line));
            if line != "* OK" {
                self.heard.push(line);
            }
            assert!(
                heard.len() <= expected.len() + 4,
                "expected {expected:#?}, heard {:#?}",
                self.heard
            );
        }
    }

    /// Ends it: nothing but these may come before the tagged OK.
    #[track_caller]
    pub fn done(mut self, expected: &[&str]) {
        let tag = std::mem::take(&mut self.tag);
        self.client.send(b"DONE\r\n");
        let reply = self.client.finish(&tag, Vec::new());
        let expected: Vec<String> = expected.iter().map(|line| plain(line)).collect();
        let heard: Vec<String> = self.heard.drain(..).chain(reply.plain()).collect();
        let heard = without_needless(settle(&heard), &expected);
        assert_eq!(heard, expected, "at the end of IDLE");
        assert!(reply.tagged.starts_with("OK"), "{reply:?}");
    }
}

/// Passes over an EXISTS or RECENT that a later one of its kind follows with no EXPUNGE between.
fn settle(lines: &[String]) -> Vec<String> {
    let kind = |line: &str| line.rsplit(' ').next().map(str::to_owned);
    let mut kept: Vec<String> = Vec::new();
    for line in lines {
        if line.ends_with(" EXISTS") || line.ends_with(" RECENT") {
            let since = kept
                .iter()
                .rposition(|line| line.ends_with(" EXPUNGE"))
                .map_or(0, |at| at + 1);
            if let Some(at) = kept[since..].iter().position(|old| kind(old) == kind(line)) {
                kept.remove(since + at);
            }
        }
        kept.push(line.clone());
    }
    kept
}

/// Leaves RECENT out unless it is expected, and so HIGHESTMODSEQ and MAILBOXID, which are the server's own.
fn without_needless(mut lines: Vec<String>, expected: &[String]) -> Vec<String> {
    let is_recent = |line: &String| line.ends_with(" RECENT");
    let is_highest = |line: &String| line.starts_with("* OK [HIGHESTMODSEQ ");
    let is_id = |line: &String| line.starts_with("* OK [MAILBOXID ");
    if !expected.iter().any(is_recent) {
        lines.retain(|line| !is_recent(line));
    }
    if !expected.iter().any(is_highest) {
        lines.retain(|line| !is_highest(line));
    }
    if !expected.iter().any(is_id) {
        lines.retain(|line| !is_id(line));
    }
    lines
}

/// A line in the form in which lines are compared.
pub fn plain(line: &str) -> String {
    for condition in ["* OK", "* NO", "* BAD", "* BYE", "* PREAUTH"] {
        if let Some(rest) = line.strip_prefix(condition)
            && (rest.is_empty() || rest.starts_with(' '))
        {
            return format!("* {}", cut_text(&line[2..]));
        }
    }
    let mut words = line.splitn(4, ' ');
    if let (Some("*"), Some(number), Some("FETCH"), Some(items)) =
        (words.next(), words.next(), words.next(), words.next())
        && let Some(items) = items
            .strip_prefix('(')
            .and_then(|items| items.strip_suffix(')'))
    {
        let values = split_values(items);
        let mut pairs: Vec<String> = values.chunks(2).map(|pair| pair.join(" ")).collect();
        pairs.sort();
        return format!("* {number} FETCH ({})", pairs.join(" "));
    }
    line.to_owned()
}

/// Cuts the human text off a condition: `OK [UIDNEXT 4] Predicted` → `OK [UIDNEXT 4]`.
fn cut_text(line: &str) -> String {
    let Some((condition, rest)) = line.split_once(' ') else {
        return line.to_owned();
    };
    match rest.strip_prefix('[').and_then(|rest| rest.find(']')) {
        Some(end) => format!("{condition} {}", &rest[..end + 2]),
        None => condition.to_owned(),
    }
}

/// Splits a list's inside at its top-level spaces; strings, literals and lists stay whole.
pub fn split_values(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let mut values = Vec::new();
    let (mut depth, mut start, mut at) = (0_usize, 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'{' => {
                let line = bytes[at..]
                    .iter()
                    .position(|&byte| byte == b'\n')
                    .map(|end| at + end);
                if let Some(end) = line
                    && let Some(size) = announced_literal(&bytes[..end - 1])
                {
                    at = end + size;
                }
            }
            b' ' if depth == 0 => {
                values.push(String::from_utf8_lossy(&bytes[start..at]).into_owned());
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    values.push(String::from_utf8_lossy(&bytes[start.min(bytes.len())..]).into_owned());
    values
}

/// The first literal's octets in a response, as they came.
pub fn literal(line: &[u8]) -> &[u8] {
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'\n', &line[from..]).map(|at| at + from) {
        if let Some(size) = announced_literal(&line[..at - 1]) {
            return &line[at + 1..at + 1 + size];
        }
        from = at + 1;
    }
    panic!("no literal in {:?}", String::from_utf8_lossy(line));
}

/// Where the first literal that waits for `+` begins in a command.
fn synchronising_literal(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(&bytes[from..], b"\r\n").map(|at| at + from) {
        let line = &bytes[from..at];
        if line.ends_with(b"+}") {
            let size = announced_literal(&[&line[..line.len() - 2], b"}"].concat())?;
            from = at + 2 + size;
            continue;
        }
        if announced_literal(line).is_some() && at + 2 < bytes.len() {
            return Some(at + 2);
        }
        from = at + 2;
    }
    None
}

/// The size that `{n}` at a line's end announces.
fn announced_literal(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}")?;
    let open = line.iter().rposition(|&byte| byte == b'{')?;
    std::str::from_utf8(&line[open + 1..]).ok()?.parse().ok()
}

/// Whether a line is a status response, which has no literals, whatever its text looks like.
fn is_status(line: &[u8]) -> bool {
    let condition = line.split(|byte| *byte == b' ').nth(1);
    condition.is_some_and(|word| matches!(word, b"OK" | b"NO" | b"BAD" | b"BYE" | b"PREAUTH"))
}

fn strip_tag(line: &[u8], tag: &str) -> Option<String> {
    let rest = line.strip_prefix(tag.as_bytes())?.strip_prefix(b" ")?;
    Some(String::from_utf8_lossy(rest).into_owned())
}

/// How long something took, for figures that a test prints.
pub fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = run();
    (value, start.elapsed())
}
