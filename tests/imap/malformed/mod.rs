//! Malformed input: a table of what a client may send that no command is, and the answer to each.
//!
//! The rows are data, in the files beside this one, ordered by the rule that decides the answer. Each row has
//! a connection of its own, and while its octets are under way another session asks NOOP. Where the connection
//! stays, NOOP is answered on it next, with nothing in between; where it ends, it ends. No row changes
//! anything, which is looked at when all have been sent. The server's memory is measured over all of them.
//!
//! With `CULVER_TEST_SERVER=dovecot` the differences are printed, and nothing is asserted: RFC 3501 leaves
//! much of this to the server.

mod arguments;
mod authentication;
mod lexical;
mod limits;
mod literals;
mod messages;
mod names;
mod states;

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::harness::{Client, Kind, Maildir, Server, Setup, client, message};

/// What has been done on the connection before.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Nobody has logged in.
    Stranger,
    /// STARTTLS is through, and nobody has logged in.
    Secured,
    /// Logged in.
    User,
    /// INBOX is selected, with two messages.
    Selected,
    /// The same by EXAMINE.
    Examined,
    /// A mailbox without messages is selected.
    Empty,
}

/// What is sent.
enum Sent {
    /// A command behind the tag `a`, CRLF behind it.
    Line(&'static [u8]),
    /// Octets as they are.
    Octets(&'static [u8]),
    /// The same, and the client closes its side.
    Cut(&'static [u8]),
    /// Octets, others a number of times, and what follows.
    Many(&'static [u8], &'static [u8], usize, &'static [u8]),
}

/// Rows with the same answer.
struct Rule {
    /// Why this is the answer.
    says: &'static str,
    states: &'static [State],
    /// Each line's condition and response code, ` | ` between them. `closed` is the connection's end; without
    /// it the connection stays.
    answer: &'static str,
    rows: &'static [Sent],
}

const TABLES: [&[Rule]; 8] = [
    lexical::RULES,
    literals::RULES,
    authentication::RULES,
    states::RULES,
    arguments::RULES,
    messages::RULES,
    names::RULES,
    limits::RULES,
];

/// Octets that the server may hold above what it holds idle.
const MEMORY: u64 = 64 << 20;

#[test]
fn every_row_has_its_answer() {
    let maildir = Arc::new(Maildir::new());
    for subject in ["one", "two"] {
        let name = format!("{subject}:2,S");
        maildir.place("INBOX", "cur", &name, message(subject).as_bytes());
    }
    let setup = Setup::new(Kind::chosen()).settings("[auth]\nfailure-delay = \"0s\"\n");
    let server = setup.start(&maildir);
    let mut other = server.client();
    other.ok("CREATE Empty");
    // For the messages that are odd, and still messages.
    other.ok("CREATE Odd");
    other.ok("SELECT INBOX");
    let before = picture(&mut other);
    let culver = server.kind == Kind::Culver;
    if culver {
        // 5: the highest so far is forgotten (proc(5)).
        std::fs::write(format!("/proc/{}/clear_refs", server.pid()), "5").unwrap();
    }
    let idle = server.memory_now();

    // All the while these two have not said what they began to say.
    let mut half = server.connect();
    half.send(b"a LOGIN {5");
    let mut slow = server.client();
    slow.send(b"a APPEND Odd {1000000+}\r\nSubject");

    let mut rows = 0;
    let mut slowest = Duration::ZERO;
    let mut wrong = Vec::new();
    for rule in TABLES.into_iter().flatten() {
        for state in rule.states {
            for sent in rule.rows {
                rows += 1;
                let mut row = || run(&server, &mut other, *state, sent, rule.answer, &mut slowest);
                let got = catch_unwind(AssertUnwindSafe(&mut row))
                    .unwrap_or_else(|_| "no answer".to_owned());
                if got != rule.answer {
                    let (says, answer) = (rule.says, rule.answer);
                    wrong.push(format!("{state:?}: {sent}\n  {says}\n  {answer}\n  {got}"));
                }
            }
        }
    }
    println!("{rows} rows, others waited {slowest:?} at the most");
    for row in &wrong {
        println!("{row}");
    }
    assert!(rows >= 200);
    if !culver {
        return;
    }
    let grown = server.peak_memory().saturating_sub(idle);
    println!("peak {} KiB above idle", grown >> 10);
    assert!(wrong.is_empty(), "{} rows are wrong", wrong.len());
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
    assert!(grown <= MEMORY, "{grown} octets above idle");
    assert_eq!(picture(&mut other), before, "something was carried out");
    assert!(!server.log().contains("panicked"));
}

/// Sends a row and gives the answer in the form of [`Rule::answer`]. `expected` says how many lines to wait for.
fn run(
    server: &Server,
    other: &mut Client,
    state: State,
    sent: &Sent,
    expected: &str,
    slowest: &mut Duration,
) -> String {
    let mut c = open(server, state);
    if server.kind == Kind::Dovecot {
        // It answers otherwise here and there; to wait for what does not come costs time.
        let socket = c.socket();
        socket
            .set_read_timeout(Some(Duration::from_secs(3)))
            .unwrap();
    }
    let ends = expected.ends_with("closed");
    // A server that says BYE may not take all that is sent to it.
    c.doomed = ends;
    let sending = match sent {
        Sent::Many(..) => {
            let mut socket = c.socket().try_clone().unwrap();
            let octets = sent.octets();
            Some(std::thread::spawn(move || {
                let _ = socket.write_all(&octets);
            }))
        }
        _ => {
            let _ = c.try_send(&sent.octets());
            None
        }
    };
    let begun = Instant::now();
    other.check("NOOP", &[], "OK");
    *slowest = begun.elapsed().max(*slowest);
    if let Sent::Cut(_) = sent {
        c.hang_up();
    }
    let mut got: Vec<String> = Vec::new();
    if !ends {
        let lines = expected.split(" | ").count();
        while got.len() < lines {
            match c.next_line() {
                Some(line) => got.push(shape(&line)),
                None => break,
            }
        }
        let _ = c.try_send(b"end NOOP\r\n");
    }
    let closed = loop {
        match c.next_line().map(|line| shape(&line)) {
            Some(line) if line == "end OK" => break false,
            Some(line) => got.push(line),
            None => break true,
        }
    };
    if closed {
        got.push("closed".to_owned());
    }
    if let Some(sending) = sending {
        drop(c);
        sending.join().unwrap();
    }
    got.join(" | ")
}

fn open(server: &Server, state: State) -> Client {
    match state {
        State::Stranger => server.connect(),
        State::Secured => {
            let mut c = server.connect();
            c.ok("STARTTLS");
            c.secure(rustls::ALL_VERSIONS);
            c
        }
        State::User => server.client(),
        State::Selected => server.selected("INBOX"),
        State::Examined => {
            let mut c = server.client();
            c.ok("EXAMINE INBOX");
            c
        }
        State::Empty => server.selected("Empty"),
    }
}

/// A line's tag, condition and the name of its response code; of a continuation request, `+` alone.
fn shape(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    if line.starts_with('+') {
        return "+".to_owned();
    }
    let (tag, rest) = line.split_once(' ').unwrap_or((&line, ""));
    let rest = client::plain(&format!("* {rest}"));
    let rest = rest.strip_prefix("* ").unwrap_or_default();
    let code = rest.split_once(" [").map(|(condition, code)| {
        let name = code.split([' ', ']']).next().unwrap_or_default();
        format!("{condition} [{name}]")
    });
    let rest = code.unwrap_or_else(|| rest.to_owned());
    format!("{tag} {rest}").trim_end().to_owned()
}

/// All that a row could have changed.
fn picture(c: &mut Client) -> Vec<String> {
    let mut lines = c.ok("LIST \"\" *");
    lines.extend(c.ok("LSUB \"\" *"));
    lines.extend(c.ok("STATUS INBOX (MESSAGES UIDNEXT UNSEEN)"));
    lines.extend(c.ok("FETCH 1:* (UID FLAGS)"));
    lines
}

impl Sent {
    fn octets(&self) -> Vec<u8> {
        match self {
            Sent::Line(command) => [b"a ", *command, b"\r\n"].concat(),
            Sent::Octets(octets) | Sent::Cut(octets) => octets.to_vec(),
            Sent::Many(front, unit, times, end) => [front, &*unit.repeat(*times), end].concat(),
        }
    }
}

impl std::fmt::Display for Sent {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Sent::Line(octets) => write!(out, "a {}", octets.escape_ascii()),
            Sent::Octets(octets) => write!(out, "{}", octets.escape_ascii()),
            Sent::Cut(octets) => write!(out, "{} (and no more)", octets.escape_ascii()),
            Sent::Many(front, unit, times, end) => write!(
                out,
                "{}{} × {times}{}",
                front.escape_ascii(),
                unit.escape_ascii(),
                end.escape_ascii()
            ),
        }
    }
}
