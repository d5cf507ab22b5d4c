//! What is wrong with a passwd-file, line by line, for those who set a server up: a login that meets such a line is
//! refused, and the client does not hear why.

use std::collections::HashSet;

use super::hash::{Scheme, Stored};
use super::names::is_user_name;
use super::passwd_line;

/// The number of a line, from 1 on, and what is wrong with it.
pub type Fault = (usize, String);

/// What is wrong with the lines of a passwd-file. Nothing that stands in a password's place is shown.
pub fn proofread(text: &[u8]) -> Vec<Fault> {
    let mut seen = HashSet::new();
    let mut faults = Vec::new();
    for (number, line) in text.split(|octet| *octet == b'\n').enumerate() {
        if matches!(line.first(), None | Some(b'#' | b':')) {
            continue;
        }
        let wrong = match seen.insert(line.split(|octet| *octet == b':').next()) {
            true => wrong(line),
            false => Some("the user is there twice; the first line counts".to_owned()),
        };
        faults.extend(wrong.map(|wrong| (number + 1, wrong)));
    }
    faults
}

fn wrong(line: &[u8]) -> Option<String> {
    let Ok(line) = std::str::from_utf8(line) else {
        return Some("the line is not UTF-8".to_owned());
    };
    let Some((user, rest)) = line.split_once(':') else {
        return Some("no colon behind the name".to_owned());
    };
    if !is_user_name(user) {
        return Some("no user can have such a name".to_owned());
    }
    let entry = match passwd_line::parse(user, rest.as_bytes()) {
        Ok(Some(entry)) => entry,
        Ok(None) => return Some(passwd_line::BAD_ID.to_owned()),
        Err(why) => return Some(why),
    };
    if entry.password.is_empty() {
        return None;
    }
    let scheme = entry.scheme.unwrap_or(Scheme::Crypt);
    let error = Stored::parse(&entry.password, scheme).err()?;
    Some(format!("no password is right: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_lines_are_named() {
        let text = b"# users\n\nann:{PLAIN}p:5000:5000::/home/ann::\nann:x\nbob\nroot:{PLAIN}p:0:0::/root::\n\
            c\xff:x\n../d:{PLAIN}p\ne:{NONSENSE}p\nf:{PLAIN}p::::::allow_nets=x\n:passed over\ng:!\nh:::::::nologin\n\
            i:{PLAIN}p::::::proxy host=x\nj:{PLAIN}p:1000:1000::h3::\nk:{PLAIN}p:4294967295:1000::/h::";
        let faults = proofread(text);
        let lines: Vec<usize> = faults.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [4, 5, 6, 7, 8, 9, 10, 14, 15, 16], "{faults:?}");
        for (at, words) in [
            (0, "twice"),
            (1, "no colon"),
            (2, "uid or gid is 0"),
            (3, "not UTF-8"),
            (4, "such a name"),
            (5, "no password is right"),
            (7, "proxying"),
            (8, "no absolute path"),
            (9, "too large"),
        ] {
            assert!(faults[at].1.contains(words), "{:?}", faults[at]);
        }
        assert_eq!(proofread(b""), []);
    }
}
