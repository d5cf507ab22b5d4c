//! The arrows between the rooms (`src/lib.rs`): every path from one room into another stands in the table
//! below, or this test fails. So do `unsafe`, `async fn` and tokio where they may not be. It also prints
//! the size of each room.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which room may name which; a name after the room limits the arrow to that one module or type.
const ARROWS: &[(&str, &[&str])] = &[
    ("auth", &["config", "imap::core", "blocking"]),
    ("blocking", &[]),
    ("cli", &["process", "config", "auth"]),
    ("config", &[]),
    ("imap", &[]),
    ("index", &["spool", "imap"]),
    ("lmtp", &[]),
    (
        "mailbox",
        &["index", "spool", "message", "imap", "blocking"],
    ),
    ("message", &["imap"]),
    ("net", &[]),
    (
        "process",
        &[
            "config",
            "net",
            "auth",
            "session",
            "lmtp",
            "mailbox",
            "imap::core::Tag",
            "blocking",
        ],
    ),
    ("search", &["mailbox", "message", "imap"]),
    (
        "session",
        &[
            "auth::Channel",
            "auth::Granted",
            "auth::Line",
            "auth::Mechanism",
            "auth::Purpose",
            "auth::Step",
            "auth::Tls",
            "auth::Verdict",
            "auth::sasl",
            "search",
            "mailbox",
            "message",
            "imap",
            "blocking",
        ],
    ),
    ("spool", &["imap"]),
];

/// Where a keyword of Rust or a crate may not be, and why.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "async fn",
        &["spool", "index", "imap", "message"],
        "blocking calls only; the protocol has no I/O",
    ),
    (
        "tokio",
        &["spool", "index", "imap", "message"],
        "these rooms know no runtime",
    ),
    ("std::fs", &["imap"], "the protocol has no I/O"),
    (
        "File::open",
        &["imap", "lmtp", "message", "session"],
        "Mailbox::open opens messages, for FETCH and SEARCH alike",
    ),
    (
        "OpenOptions",
        &["imap", "lmtp", "message", "session"],
        "these rooms write no files",
    ),
    (
        "RawFd",
        &[
            "auth", "cli", "config", "imap", "index", "lmtp", "mailbox", "message", "net",
            "search", "session", "spool",
        ],
        "raw descriptors live in process/",
    ),
    (
        "spawn_blocking",
        &[
            "auth", "cli", "config", "imap", "index", "lmtp", "mailbox", "message", "net",
            "process", "search", "session", "spool",
        ],
        "blocking::spawn does not panic where no thread can be started",
    ),
];

/// Where `unsafe` may be.
const UNSAFE_ALLOWED: &[&str] = &["process/", "auth/crypt.rs"];

#[test]
fn the_arrows_point_down() {
    let mut wrong = Vec::new();
    for (path, source) in sources() {
        let room = room_of(&path);
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            assert!(
                ["lib", "main"].contains(&room.as_str()),
                "{room} is not in the table"
            );
            continue;
        };
        for (line, target) in paths_into_rooms(&source) {
            let into = target.split("::").next().unwrap();
            let known = ARROWS.iter().any(|(name, _)| *name == into);
            let permitted = into == room
                || allowed
                    .iter()
                    .any(|arrow| target == *arrow || target.starts_with(&format!("{arrow}::")));
            if known && !permitted {
                wrong.push(format!("src/{}:{line}: {room} → {target}", path.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "arrows that are not in the table:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn what_may_not_be_is_not() {
    let mut wrong = Vec::new();
    for (path, source) in sources() {
        let room = room_of(&path);
        let place = path.display().to_string();
        let code = without_comments(&source);
        for (number, line) in code.lines().enumerate() {
            for (word, rooms, why) in FORBIDDEN {
                if rooms.contains(&room.as_str()) && has_word(line, word) {
                    wrong.push(format!("src/{place}:{}: {word} ({why})", number + 1));
                }
            }
            let allowed = UNSAFE_ALLOWED
                .iter()
                .any(|prefix| place.starts_with(prefix));
            if has_word(line, "unsafe") && !allowed {
                wrong.push(format!("src/{place}:{}: unsafe", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Prints how large the rooms are; run with `--nocapture` to see it.
#[test]
fn sizes_by_room() {
    let mut rooms: BTreeMap<String, (usize, usize, usize)> = BTreeMap::new();
    for (path, source) in sources() {
        let lines = source.lines().count();
        let (files, total, largest) = rooms.entry(room_of(&path)).or_default();
        *files += 1;
        *total += lines;
        *largest = lines.max(*largest);
    }
    println!(
        "{:<10} {:>5} {:>6} {:>8}",
        "room", "files", "lines", "largest"
    );
    for (room, (files, total, largest)) in rooms {
        println!("{room:<10} {files:>5} {total:>6} {largest:>8}");
    }
}

/// Paths such as `mailbox::view::View` that the code names behind `crate::`, with their lines; use-trees are
/// taken apart.
fn paths_into_rooms(source: &str) -> Vec<(usize, String)> {
    let code = without_comments(source);
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = code[from..].find("crate::").map(|at| at + from) {
        from = at + "crate::".len();
        let before = code[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let mut paths = Vec::new();
        expand(&code[from..], "", &mut paths);
        found.extend(paths.into_iter().map(|path| (line, path)));
    }
    found
}

/// Takes a use-tree's text (`a::{b, c::d}` and whatever follows) apart; gives what is left of the text.
fn expand<'t>(mut text: &'t str, prefix: &str, paths: &mut Vec<String>) -> &'t str {
    let mut path = prefix.to_owned();
    loop {
        text = text.trim_start();
        if let Some(inside) = text.strip_prefix('{') {
            text = inside;
            loop {
                text = text.trim_start().trim_start_matches(',').trim_start();
                if let Some(rest) = text.strip_prefix('}') {
                    return rest;
                }
                let before = text.len();
                text = expand(text, &path, paths);
                if text.len() == before {
                    return text;
                }
            }
        }
        let end = text
            .find(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '*')
            .unwrap_or(text.len());
        path.push_str(&text[..end]);
        text = &text[end..];
        match text.strip_prefix("::") {
            Some(rest) => {
                path.push_str("::");
                text = rest;
            }
            None => {
                paths.push(path);
                return text;
            }
        }
    }
}

/// The code with comments, strings' insides and test modules' bodies kept in place but comments blanked, so
/// that line numbers hold.
fn without_comments(source: &str) -> String {
    source
        .lines()
        .map(|line| {
            let mut quoted = false;
            let bytes = line.as_bytes();
            for at in 0..bytes.len() {
                match bytes[at] {
                    b'"' if at == 0 || (bytes[at - 1] != b'\\' && bytes[at - 1] != b'\'') => {
                        quoted = !quoted
                    }
                    b'/' if !quoted && bytes.get(at + 1) == Some(&b'/') => return &line[..at],
                    _ => {}
                }
            }
            line
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn has_word(line: &str, word: &str) -> bool {
    let letter =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = line.as_bytes();
    line.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        !letter(before) && !letter(bytes.get(at + word.len()))
    })
}

/// The first directory below `src/`, or the file's own name in `src/` itself, without its ending.
fn room_of(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str();
    let name = first.to_str().unwrap();
    name.strip_suffix(".rs").unwrap_or(name).to_owned()
}

/// Every file of `src/`, by its path below it.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, root: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(root).unwrap().to_owned();
                found.push((below, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found.sort();
    found
}

#[test]
fn use_trees_are_taken_apart() {
    let source = "use crate::imap::{core::Tag, flag};\nfn x() { crate::spool::lock::try_lock() }\n// crate::net\n";
    let found: Vec<String> = paths_into_rooms(source)
        .into_iter()
        .map(|(_, path)| path)
        .collect();
    assert_eq!(
        found,
        ["imap::core::Tag", "imap::flag", "spool::lock::try_lock"]
    );
}

/// The walks through the house in CONTRIBUTING.md name functions, types and files; each must exist.
#[test]
fn the_walks_in_contributing_name_what_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let start = text.find("## One FETCH").unwrap();
    let walks = &text[start..start + text[start..].find("## Rules").unwrap()];
    let code: Vec<String> = sources()
        .iter()
        .map(|(_, source)| without_comments(source))
        .collect();
    let name = |word: &str| {
        !word.is_empty()
            && word
                .split("::")
                .all(|part| part.chars().all(|c| c.is_alphanumeric() || c == '_'))
    };
    let mut checked = 0;
    for word in walks
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| name(word))
    {
        // `room::file::function` or `Type::function`: the last part is defined somewhere.
        let last = word.rsplit("::").next().unwrap();
        if word == last && !last.contains('_') && last.chars().all(char::is_lowercase) {
            continue; // A plain word, such as a flag's or a file's name.
        }
        let defined = ["fn ", "struct ", "enum "].iter().any(|kind| {
            code.iter().any(|source| {
                source
                    .lines()
                    .any(|line| has_word(line, &format!("{kind}{last}")))
            })
        });
        assert!(
            defined || ["PEEK", "FETCH"].contains(&last),
            "{word} is nowhere in src/"
        );
        checked += 1;
    }
    assert!(checked > 20, "only {checked} names were found");
}
