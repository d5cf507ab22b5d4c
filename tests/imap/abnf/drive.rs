//! Says random commands to a server, each in a state that permits it, and judges the answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::walk::{Said, Walk};
use crate::harness::{Client, Kind, Maildir, Server, Setup, message};

/// The user's connection is kept in a mailbox of this size at the most, since COPY may double it.
const LARGE: u32 = 40;

pub struct Drive {
    server: Server,
    /// A connection that has logged in.
    user: Client,
    selected: bool,
    read_only: bool,
    exists: u32,
    /// UTF8=ACCEPT is enabled.
    utf8: bool,
    /// One that has not.
    stranger: Client,
    /// How often each verb was answered how.
    pub tally: BTreeMap<String, u64>,
}

/// How an exchange ended.
struct Answer {
    untagged: Vec<String>,
    tagged: String,
    /// A SASL exchange was given up by "*".
    aborted: bool,
}

impl Drive {
    pub fn new() -> Drive {
        let server = Setup::new(Kind::Culver)
            .mail_settings("fsync = \"never\"\n")
            .start(&Arc::new(Maildir::new()));
        let (user, stranger) = (server.client(), server.connect());
        Drive {
            server,
            user,
            selected: false,
            read_only: false,
            exists: 0,
            utf8: false,
            stranger,
            tally: BTreeMap::new(),
        }
    }

    /// Says a command, and fails if the answer is BAD for no good reason.
    pub fn say(&mut self, said: &Said, walk: &mut Walk<'_>) {
        let as_stranger = said.has("command-nonauth") || said.has("command-any") && walk.once_in(2);
        let may_be_selected = !said.has("command-nonauth");
        if !as_stranger && may_be_selected && (said.has("command-select") || walk.once_in(2)) {
            self.select(walk);
        }
        let client = match as_stranger {
            true => &mut self.stranger,
            false => &mut self.user,
        };
        let answer = exchange(client, said);
        let verb = verb(said);
        let mut outcome = answer.tagged.split(' ').next().unwrap().to_owned();
        if outcome == "BAD" {
            let reason = self.excuse(said, &answer);
            outcome = format!(
                "BAD, {}",
                reason.unwrap_or_else(|| panic!("{} was answered {}", said.shown(), answer.tagged))
            );
        }
        *self.tally.entry(format!("{verb}: {outcome}")).or_default() += 1;
        let ended = verb == "LOGOUT";
        let bye = answer.untagged.iter().any(|line| line.starts_with("* BYE"));
        assert_eq!(bye, ended, "{} ended it", said.shown());
        if as_stranger {
            if ended || said.has("command-nonauth") && outcome == "OK" {
                self.stranger = self.server.connect();
            }
        } else if ended {
            self.user = self.server.client();
            self.selected = false;
            self.utf8 = false;
        } else {
            self.note(&verb, &outcome, &answer);
        }
    }

    /// The server is still there, and nothing of it has panicked.
    pub fn end(self) {
        self.server.client().ok("SELECT INBOX");
        let log = self.server.log();
        assert!(!log.contains("panicked"), "{log}");
    }

    /// Why BAD is right although the syntax is.
    fn excuse(&self, said: &Said, answer: &Answer) -> Option<&'static str> {
        let text = &answer.tagged;
        // RFC 7162 §3.2.3: "A server MUST respond with a tagged BAD response".
        let resyncs = said.has("other-param") || said.has("vanished-fetch-mod");
        if text.contains("QRESYNC is not enabled") && resyncs {
            return Some("not enabled");
        }
        if text.contains("Invalid messageset")
            && said.has("seq-number")
            && said.has("command-select")
            && verb(said).split(' ').next() != Some("UID")
        {
            // RFC 9051 §9: "The server should respond with a tagged BAD response to a command that uses a message
            // sequence number greater than the number of messages in the selected mailbox. This includes "*" if the
            // selected mailbox is empty."
            return Some("no such message");
        }
        if text.contains("No CHARSET after ENABLE UTF8=ACCEPT") && self.utf8 && said.has("charset")
        {
            // RFC 9755 §3: "it SHOULD reject the command with a BAD response".
            return Some("CHARSET after UTF8=ACCEPT");
        }
        if text.contains("Tag reuse") && said.has("search-return-opts") {
            // RFC 5267 §4.3: "SHALL result in the server rejecting the searching command with a BAD response."
            return Some("tag reuse");
        }
        if said.has("esearch")
            && (text.contains("No mailbox selected") && !self.selected
                || text.contains("SAVE is for the selected mailbox alone"))
        {
            // RFC 7377 §2.2: each of these "MUST return a "BAD" result."
            return Some("not in this state, or not saved");
        }
        // RFC 9051 §6.2.2: "If the server receives such a response [a single "*"], […] it MUST reject the
        // AUTHENTICATE command by sending a tagged BAD response."
        (answer.aborted && said.has("authenticate")).then_some("given up by the client")
    }

    /// Selects a mailbox that has messages, but not too many.
    fn select(&mut self, walk: &mut Walk<'_>) {
        if self.selected && self.exists > LARGE && !self.read_only {
            self.user.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)");
            self.user.ok("CLOSE");
            self.selected = false;
        }
        if self.selected && (1..=LARGE).contains(&self.exists) {
            return;
        }
        let mail = message("filled");
        let mail = format!(" {{{}+}}\r\n{mail}", mail.len()).repeat(6);
        self.user.ok(&format!("APPEND INBOX{mail}"));
        let verb = if walk.once_in(6) { "EXAMINE" } else { "SELECT" };
        let reply = self.user.run(&format!("{verb} INBOX"));
        let answer = Answer {
            untagged: reply.plain(),
            tagged: reply.tagged,
            aborted: false,
        };
        self.note(verb, "OK", &answer);
        assert!(self.selected && self.exists > 0, "{:?}", answer.untagged);
    }

    /// What an answer changes.
    fn note(&mut self, verb: &str, outcome: &str, answer: &Answer) {
        for line in &answer.untagged {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                [_, "OK", "[CLOSED]", ..] => self.selected = false,
                [_, "ENABLED", ref names @ ..] => self.utf8 |= names.contains(&"UTF8=ACCEPT"),
                [_, count, "EXISTS"] => self.exists = count.parse().unwrap(),
                [_, _, "EXPUNGE"] => self.exists -= 1,
                _ => {}
            }
        }
        match (verb, outcome) {
            ("SELECT" | "EXAMINE", "OK") => {
                self.selected = true;
                self.read_only = answer.tagged.contains("[READ-ONLY]");
            }
            ("SELECT" | "EXAMINE", "NO") | ("CLOSE" | "UNSELECT", "OK") => self.selected = false,
            _ => {}
        }
    }
}

/// The command's name, with that after UID.
pub fn verb(said: &Said) -> String {
    let command = String::from_utf8_lossy(said.command()).to_ascii_uppercase();
    let mut words = command.split(' ').skip(1);
    let verb = words.next().unwrap();
    match verb {
        "UID" => format!("UID {}", words.next().unwrap()),
        verb => verb.to_owned(),
    }
}

/// Says a command, waiting where it has to, and hears the answer.
fn exchange(client: &mut Client, said: &Said) -> Answer {
    let prefix = format!("{} ", said.tag());
    let mut answer = Answer {
        untagged: Vec::new(),
        tagged: String::new(),
        aborted: false,
    };
    let mut sent = 0;
    let ends = said.pauses.iter().map(|(at, _)| *at);
    for end in ends.chain([said.octets.len()]) {
        client.send(&said.octets[sent..end]);
        sent = end;
        loop {
            let line = client.line();
            if let Some(tagged) = line.strip_prefix(prefix.as_bytes()) {
                answer.tagged = String::from_utf8_lossy(tagged).into_owned();
                return answer;
            }
            if line.starts_with(b"+") && sent < said.octets.len() {
                break;
            }
            if line.starts_with(b"+") {
                assert!(said.has("authenticate"), "{line:?} came unasked");
                client.send(b"*\r\n");
                answer.aborted = true;
            } else {
                assert!(line.starts_with(b"* "), "{}", line.escape_ascii());
                answer
                    .untagged
                    .push(String::from_utf8_lossy(&line).into_owned());
            }
        }
    }
    unreachable!("a command ends with its tagged response")
}
