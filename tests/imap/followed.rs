//! Searches with UPDATE (RFC 5267) while two sessions change the mailbox at random: a client that does what ADDTO,
//! REMOVEFROM and EXPUNGE say always has the result that SEARCH gives.

use std::collections::BTreeSet;

use crate::harness::{Chance, Client, Kind, Server, message};

const KEYS: [&str; 7] = [
    "ALL",
    "FLAGGED UNSEEN",
    "NOT DELETED",
    "SUBJECT even",
    "OR KEYWORD k BODY Hello SEEN",
    "UID 7:*",
    "UID *",
];

/// A search that is followed, as its client knows the result.
struct Kept {
    tag: String,
    key: &'static str,
    by_uid: bool,
    numbers: BTreeSet<u32>,
}

/// The client that follows, and what it knows.
struct Follower {
    client: Client,
    results: Vec<Kept>,
    exists: u32,
    /// Numbers that will be told as expunged: those that `ALL` has lost.
    gone: BTreeSet<u32>,
}

impl Follower {
    fn new(server: &Server) -> Follower {
        let mut follower = Follower {
            client: server.client(),
            results: Vec::new(),
            exists: 0,
            gone: BTreeSet::new(),
        };
        follower.run("SELECT INBOX");
        for (at, key) in KEYS.into_iter().enumerate() {
            let by_uid = at % 2 == 1;
            let tag = follower.client.next_tag();
            follower.results.push(Kept {
                tag,
                key,
                by_uid,
                numbers: BTreeSet::new(),
            });
            let uid = if by_uid { "UID " } else { "" };
            follower.run(&format!("{uid}SEARCH RETURN (UPDATE ALL) {key}"));
        }
        follower
    }

    /// Runs a command and does what the answer says, line by line.
    fn run(&mut self, command: &str) -> Vec<String> {
        let lines = self.client.ok(command);
        for line in &lines {
            self.hear(line);
        }
        lines
    }

    fn hear(&mut self, line: &str) {
        let number = |name| line.strip_prefix("* ")?.strip_suffix(name)?.parse().ok();
        if let Some(exists) = number(" EXISTS") {
            self.exists = exists;
        }
        if let Some(number) = number(" EXPUNGE") {
            let shifted = |numbers: &BTreeSet<u32>| {
                let lower = |one: &u32| if *one > number { one - 1 } else { *one };
                numbers.iter().map(lower).collect()
            };
            self.exists -= 1;
            assert!(self.gone.remove(&number), "{line}");
            self.gone = shifted(&self.gone);
            for result in self.results.iter_mut().filter(|result| !result.by_uid) {
                assert!(!result.numbers.contains(&number), "{}: {line}", result.key);
                result.numbers = shifted(&result.numbers);
            }
        }
        assert!(!line.contains("NOUPDATE"), "{line}");
        let Some(rest) = line.strip_prefix("* ESEARCH (TAG \"") else {
            return;
        };
        let (tag, data) = rest.split_once("\")").unwrap();
        let of_tag = |result: &&mut Kept| result.tag == tag;
        let result = self.results.iter_mut().find(of_tag).unwrap();
        let data = match data.strip_prefix(" UID") {
            Some(data) => {
                assert!(result.by_uid);
                data
            }
            None => data,
        };
        let words: Vec<&str> = data
            .split([' ', '(', ')'])
            .filter(|word| !word.is_empty())
            .collect();
        let mut words = words.into_iter();
        while let Some(name) = words.next() {
            if name != "ALL" {
                assert_eq!(words.next(), Some("0"), "{line}");
            }
            for number in numbers(words.next().unwrap()) {
                let is_new = match name {
                    "ALL" | "ADDTO" => result.numbers.insert(number),
                    "REMOVEFROM" => result.numbers.remove(&number),
                    _ => panic!("{line}"),
                };
                assert!(is_new, "{}: {line}", result.key);
                if name == "ADDTO" && !result.by_uid {
                    assert!(number <= self.exists, "{}: {line}", result.key);
                    assert!(!self.gone.contains(&number), "{}: {line}", result.key);
                }
                if name == "REMOVEFROM" && result.key == "ALL" {
                    self.gone.insert(number);
                }
            }
        }
    }

    /// Compares what it knows with what a search of now says.
    fn compare(&mut self) {
        self.run("NOOP");
        for at in 0..self.results.len() {
            let Kept { key, by_uid, .. } = self.results[at];
            let uid = if by_uid { "UID " } else { "" };
            let lines = self.client.ok(&format!("{uid}SEARCH {key}"));
            let found: BTreeSet<u32> = lines[0]
                .split(' ')
                .skip(2)
                .map(|number| number.parse().unwrap())
                .collect();
            assert_eq!(self.results[at].numbers, found, "{key}");
            assert_eq!(lines.len(), 1, "{lines:?}");
        }
    }
}

fn numbers(set: &str) -> impl Iterator<Item = u32> + '_ {
    set.split(',').flat_map(|range| {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        from.parse::<u32>().unwrap()..=to.parse().unwrap()
    })
}

/// Changes something at random.
fn change(chance: &mut Chance, client: &mut Client) -> Option<String> {
    let found = client.ok("UID SEARCH ALL");
    let uids: Vec<&str> = found[0].split(' ').skip(2).collect();
    if uids.len() < 3 || chance.below(4) == 0 && uids.len() < 40 {
        let flags = ["", "(\\Flagged) ", "(\\Seen k) "][chance.below(3) as usize];
        let subject = if chance.below(2) == 0 { "even" } else { "odd" };
        client.append("INBOX", flags, &message(subject));
        return None;
    }
    let uid = uids[chance.below(uids.len() as u64) as usize];
    Some(match chance.below(8) {
        0 => format!("UID STORE {uid}:* +FLAGS.SILENT (\\Deleted)"),
        1 => "EXPUNGE".to_owned(),
        2 => format!("UID FETCH {uid} BODY[]"),
        3 => format!("UID MOVE {uid} other"),
        kind => {
            let flag = ["\\Flagged", "\\Seen", "k", "\\Deleted"][kind as usize - 4];
            let sign = ["+", "-", ""][chance.below(3) as usize];
            let silent = ["", ".SILENT"][chance.below(2) as usize];
            format!("UID STORE {uid} {sign}FLAGS{silent} ({flag})")
        }
    })
}

#[test]
fn a_client_that_does_as_told_has_the_result() {
    let seed = std::env::var("CULVER_TEST_SEED");
    let seed = seed.map_or(5267, |seed| seed.parse().unwrap());
    eprintln!("CULVER_TEST_SEED={seed}");
    let server = Server::start();
    // Which does not move `*`.
    if server.kind == Kind::Dovecot {
        return;
    }
    let mut chance = Chance::new(seed);
    let mut other = server.client();
    for _ in 0..6 {
        other.append("INBOX", "", &message("even"));
    }
    other.ok("CREATE other");
    other.ok("SELECT INBOX");
    let mut follower = Follower::new(&server);
    for round in 0..250 {
        for _ in 0..chance.below(4) {
            if let Some(command) = change(&mut chance, &mut other) {
                other.ok(&command);
            }
        }
        // Some of these may not tell of an EXPUNGE.
        let command = match chance.below(6) {
            0 => "FETCH 1 FLAGS".to_owned(),
            1 => "STORE 1 +FLAGS (\\Seen)".to_owned(),
            2 => "SEARCH ALL".to_owned(),
            3 => "UID FETCH 1:* FLAGS".to_owned(),
            _ => "NOOP".to_owned(),
        };
        let reply = follower.client.run(&command);
        // Message 1 may be none by now, as far as this client knows.
        if !reply.tagged.starts_with("BAD") {
            for line in reply.plain() {
                follower.hear(&line);
            }
        }
        if round % 5 == 0 {
            follower.compare();
        }
    }
    follower.compare();
}
