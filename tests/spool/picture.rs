//! Everything a server shows of an account, in one comparable value.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::harness::client::{literal, split_values};
use crate::harness::{Client, Server};

/// One account over IMAP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Every name of LIST and whether it can be selected.
    pub list: BTreeMap<String, bool>,
    /// The names of LSUB.
    pub lsub: BTreeSet<String>,
    /// The folders that can be selected.
    pub folders: BTreeMap<String, Folder>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    pub uid_validity: u64,
    pub uid_next: u64,
    pub messages: BTreeMap<u64, Message>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// System flags and keywords, without `\Recent`.
    pub flags: BTreeSet<String>,
    /// INTERNALDATE in seconds since 1970.
    pub date: i64,
    /// RFC822.SIZE.
    pub size: u64,
    /// SHA-256 of BODY[], in hex.
    pub digest: String,
}

/// Asks a server for all of it. SELECT is used, as a mail reader would.
pub fn of(server: &Server) -> Picture {
    let mut c = server.client();
    let mut list = BTreeMap::new();
    for line in c.ok("LIST \"\" *") {
        let selectable = !line.contains("\\Noselect");
        list.insert(last_word(&line), selectable);
    }
    let lsub = c
        .ok("LSUB \"\" *")
        .iter()
        .map(|line| last_word(line))
        .collect();
    let mut folders = BTreeMap::new();
    for name in list
        .iter()
        .filter(|(_, selectable)| **selectable)
        .map(|(name, _)| name)
    {
        folders.insert(name.clone(), folder(&mut c, name));
    }
    Picture {
        list,
        lsub,
        folders,
    }
}

/// One folder of it.
pub fn folder(c: &mut Client, name: &str) -> Folder {
    let lines = c.ok(&format!("SELECT \"{name}\""));
    let code = |code: &str| -> u64 {
        let start = format!("* OK [{code} ");
        let line = lines.iter().find_map(|line| line.strip_prefix(&start));
        line.and_then(|rest| rest.trim_end_matches(']').parse().ok())
            .unwrap_or_else(|| panic!("no {code} for {name}: {lines:?}"))
    };
    let mut folder = Folder {
        uid_validity: code("UIDVALIDITY"),
        uid_next: code("UIDNEXT"),
        messages: BTreeMap::new(),
    };
    let reply = c.run("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])");
    assert!(reply.tagged.starts_with("OK"), "{name}: {}", reply.tagged);
    for line in &reply.untagged {
        let text = String::from_utf8_lossy(line).into_owned();
        let Some(items) = text.split_once(" FETCH (").map(|(_, items)| items) else {
            continue;
        };
        let values = split_values(items.strip_suffix(')').unwrap());
        let item = |wanted: &str| {
            let at = values.iter().position(|value| value == wanted);
            &values[at.unwrap_or_else(|| panic!("no {wanted} in {text:.300}")) + 1]
        };
        let flags = item("FLAGS").trim_matches(['(', ')']);
        let flags = flags
            .split_whitespace()
            .filter(|flag| *flag != "\\Recent")
            .map(str::to_owned)
            .collect();
        let body: &[u8] = if text.contains("BODY[] {") {
            literal(line)
        } else {
            b""
        };
        let digest = Sha256::digest(body);
        folder.messages.insert(
            item("UID").parse().unwrap(),
            Message {
                flags,
                date: seconds(item("INTERNALDATE").trim_matches('"')),
                size: item("RFC822.SIZE").parse().unwrap(),
                digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            },
        );
    }
    c.ok("UNSELECT");
    folder
}

/// An INTERNALDATE in seconds since 1970.
pub fn seconds(date: &str) -> i64 {
    let format = "%d-%b-%Y %H:%M:%S %z";
    jiff::Timestamp::strptime(format, date.trim_start())
        .unwrap_or_else(|error| panic!("{date}: {error}"))
        .as_second()
}

/// The mailbox name at the end of a LIST or LSUB line, without quotes.
fn last_word(line: &str) -> String {
    split_values(line)
        .pop()
        .unwrap()
        .trim_matches('"')
        .to_owned()
}
