//! Capabilities that are withdrawn: from everyone, and from clients by the name they give in ID. What is withdrawn is
//! not announced, not enabled by ENABLE, and commands that are its own are refused.
//!
//! RFC 2971 §3: "Implementations MUST NOT make operational changes based on the data sent as part of the ID command
//! or response." So nothing changes for a client whose name is on no list. Those on the shipped one are known to lose
//! their users' mail out of sight otherwise, which serves nobody; the administrator may add others.

use std::borrow::Cow;

use crate::session::ClientId;

/// A client that breaks where a capability is announced.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// What its ID has as `name`.
    pub name: &'static str,
    /// What it is not offered.
    pub off: &'static [&'static str],
    /// What goes wrong.
    pub reason: &'static str,
}

/// The shipped list.
pub const KNOWN: &[Known] = &[Known {
    name: "Microsoft Office 365",
    off: &["UIDONLY"],
    reason: "enables UIDONLY where it is announced and does not understand UIDFETCH: no new mail is shown",
}];

/// What cannot be withdrawn: without it there is no session, or another setting decides it.
pub const NEEDED: &[&str] = &["IMAP4rev1", "STARTTLS", "LOGINDISABLED"];

/// Capabilities, and what they say that there is besides, or cannot be used without: they go with it.
const BUILT_ON: &[(&str, &[&str])] = &[
    (
        "IMAP4rev2",
        &[
            "BINARY",
            "CHILDREN",
            "ENABLE",
            "ESEARCH",
            "IDLE",
            "LIST-EXTENDED",
            "LIST-STATUS",
            "LITERAL-",
            "MOVE",
            "NAMESPACE",
            "SASL-IR",
            "SEARCHRES",
            "SPECIAL-USE",
            "STATUS=SIZE",
            "UIDPLUS",
            "UNSELECT",
        ],
    ),
    ("CONTEXT=SEARCH", &["ESEARCH"]),
    ("CREATE-SPECIAL-USE", &["SPECIAL-USE"]),
    ("ESORT", &["SORT", "ESEARCH"]),
    ("LIST-METADATA", &["METADATA", "LIST-EXTENDED"]),
    ("LIST-STATUS", &["LIST-EXTENDED"]),
    ("METADATA-SERVER", &["METADATA"]),
    ("MULTISEARCH", &["ESEARCH"]),
    ("PARTIAL", &["ESEARCH"]),
    ("PREVIEW=FUZZY", &["PREVIEW"]),
    ("QRESYNC", &["CONDSTORE", "ENABLE"]),
    ("QUOTA=RES-MESSAGE", &["QUOTA"]),
    ("QUOTA=RES-STORAGE", &["QUOTA"]),
    ("SEARCHRES", &["ESEARCH"]),
    ("SNIPPET=FUZZY", &["PREVIEW"]),
    ("SORT=DISPLAY", &["SORT"]),
    ("UIDONLY", &["ENABLE"]),
    ("URL-PARTIAL", &["CATENATE"]),
    ("UTF8=ACCEPT", &["ENABLE"]),
];

/// Which capabilities are withdrawn from whom.
#[derive(Clone, Debug, Default)]
pub struct Withdrawn {
    everyone: Vec<String>,
    clients: Vec<(String, Vec<String>)>,
}

impl Withdrawn {
    /// From everyone, and from clients by name, beside the shipped list. Case does not matter.
    pub fn new(everyone: Vec<String>, clients: Vec<(String, Vec<String>)>) -> Withdrawn {
        Withdrawn { everyone, clients }
    }

    /// Whether a client is not offered `capability`, as it is announced: it is withdrawn itself, or what it is built
    /// on.
    pub fn has(&self, capability: &str, client: &ClientId) -> bool {
        let built_on = BUILT_ON
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(capability))
            .flat_map(|(_, needed)| *needed);
        // The table has no circles, and a test sees to that.
        self.names(capability, client) || built_on.into_iter().any(|one| self.has(one, client))
    }

    fn names(&self, capability: &str, client: &ClientId) -> bool {
        let capability = family(capability);
        if NEEDED.contains(&capability) || capability.starts_with("AUTH=") {
            return false;
        }
        let is_it = |off: &str| family(off).eq_ignore_ascii_case(capability);
        if self.everyone.iter().any(|off| is_it(off)) {
            return true;
        }
        let Some(name) = name_of(client) else {
            return false;
        };
        let configured = self.clients.iter().any(|(given, off)| {
            name.eq_ignore_ascii_case(given) && off.iter().any(|off| is_it(off))
        });
        let known = KNOWN.iter().any(|known| {
            name.eq_ignore_ascii_case(known.name) && known.off.iter().any(|off| is_it(off))
        });
        configured || known
    }

    /// The list without what is withdrawn.
    pub fn announced(
        &self,
        mut list: Vec<Cow<'static, str>>,
        client: &ClientId,
    ) -> Vec<Cow<'static, str>> {
        list.retain(|capability| !self.has(capability, client));
        list
    }
}

/// A capability without the number that goes with it.
fn family(capability: &str) -> &str {
    match capability.split_once('=') {
        Some((family, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            match family {
                // Here the number is which one it is.
                "I18NLEVEL" => capability,
                family => family,
            }
        }
        _ => capability,
    }
}

/// The name that a client gives itself.
fn name_of(client: &ClientId) -> Option<&str> {
    let (_, value) = client
        .iter()
        .find(|(field, _)| field.eq_ignore_ascii_case(b"name"))?;
    std::str::from_utf8(value.as_deref()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(name: &str) -> ClientId {
        vec![
            (b"version".to_vec(), None),
            (b"NAME".to_vec(), Some(name.as_bytes().to_vec())),
        ]
    }

    #[test]
    fn from_everyone_and_from_some() {
        let withdrawn = Withdrawn::new(
            vec!["compress=deflate".into(), "IMAP4rev1".into()],
            vec![(
                "Some Client".into(),
                vec!["APPENDLIMIT".into(), "IDLE".into()],
            )],
        );
        let list = || {
            [
                "IMAP4rev1",
                "IDLE",
                "UIDONLY",
                "COMPRESS=DEFLATE",
                "APPENDLIMIT=5",
                "AUTH=PLAIN",
            ]
        };
        let announced = |id: &ClientId| {
            let list = list().map(Cow::Borrowed).to_vec();
            withdrawn.announced(list, id).join(" ")
        };
        assert_eq!(
            announced(&ClientId::new()),
            "IMAP4rev1 IDLE UIDONLY APPENDLIMIT=5 AUTH=PLAIN"
        );
        for (off, list) in [
            (
                "METADATA",
                "SORT ESORT SORT=DISPLAY CONDSTORE QRESYNC IMAP4rev2 ENABLE",
            ),
            (
                "CONDSTORE",
                "METADATA-SERVER LIST-METADATA SORT ESORT SORT=DISPLAY IMAP4rev2 ENABLE",
            ),
            (
                "sort",
                "METADATA-SERVER LIST-METADATA CONDSTORE QRESYNC IMAP4rev2 ENABLE",
            ),
            (
                "ENABLE",
                "METADATA-SERVER LIST-METADATA SORT ESORT SORT=DISPLAY CONDSTORE",
            ),
            (
                "ESEARCH",
                "METADATA-SERVER LIST-METADATA SORT SORT=DISPLAY CONDSTORE QRESYNC ENABLE",
            ),
            (
                "IDLE",
                "METADATA-SERVER LIST-METADATA SORT ESORT SORT=DISPLAY CONDSTORE QRESYNC ENABLE",
            ),
        ] {
            let all = "METADATA-SERVER LIST-METADATA SORT ESORT SORT=DISPLAY CONDSTORE QRESYNC IMAP4rev2 ENABLE";
            let all = all.split(' ').map(Cow::Borrowed).collect();
            let withdrawn = Withdrawn::new(vec![off.into()], Vec::new());
            let announced = withdrawn.announced(all, &ClientId::new()).join(" ");
            assert_eq!(announced, list, "without {off}");
        }
        assert_eq!(
            announced(&client("some client")),
            "IMAP4rev1 UIDONLY AUTH=PLAIN"
        );
        assert_eq!(
            announced(&client("Some")),
            "IMAP4rev1 IDLE UIDONLY APPENDLIMIT=5 AUTH=PLAIN"
        );
        assert_eq!(
            announced(&client("Microsoft Office 365")),
            "IMAP4rev1 IDLE APPENDLIMIT=5 AUTH=PLAIN"
        );
    }

    /// What anything is built on is built on less.
    #[test]
    fn nothing_is_built_on_itself() {
        fn depth(name: &str) -> usize {
            let mut rows = BUILT_ON.iter().filter(|(built, _)| *built == name);
            let below = rows
                .next()
                .map(|(_, on)| on.iter().map(|one| depth(one) + 1));
            assert!(rows.next().is_none(), "{name} stands there twice");
            below.and_then(Iterator::max).unwrap_or(0)
        }
        assert!(BUILT_ON.iter().all(|(name, _)| depth(name) <= 2));
    }

    #[test]
    fn each_entry_of_the_shipped_list_has_its_reason() {
        for known in KNOWN {
            assert!(!known.name.is_empty() && !known.off.is_empty());
            assert!(known.reason.len() > 20, "{}", known.name);
        }
    }

    #[test]
    fn numbers_do_not_matter_but_where_they_do() {
        assert_eq!(family("MESSAGELIMIT=1000"), "MESSAGELIMIT");
        assert_eq!(family("I18NLEVEL=1"), "I18NLEVEL=1");
        assert_eq!(family("COMPRESS=DEFLATE"), "COMPRESS=DEFLATE");
        assert_eq!(family("THREAD=REFS"), "THREAD=REFS");
    }
}
