//! What is announced, and when (RFC 3501 §6.1.1). Only what works is named here.

use std::borrow::Cow;

/// What decides the list before login.
#[derive(Clone, Copy, Debug)]
pub struct BeforeLogin<'a> {
    /// STARTTLS is possible now: TLS is set up and not yet active.
    pub starttls: bool,
    /// A plain password may cross this connection.
    pub login_allowed: bool,
    /// The capabilities of the SASL mechanisms there are on this line (`AUTH=PLAIN`).
    pub mechanisms: &'a [&'static str],
}

/// IDLE too, as Dovecot: some clients never ask again after login. Both revisions, for either kind of client: RFC
/// 9051 §7.2.2 demands the one, and RFC 3501 §7.2.1 the other.
const BEFORE: [&str; 7] = [
    "IMAP4rev1",
    "IMAP4rev2",
    "SASL-IR",
    "ID",
    "ENABLE",
    "IDLE",
    "LITERAL-",
];
const AFTER: &[&str] = &[
    "IMAP4rev1",
    "IMAP4rev2",
    "SASL-IR",
    "ID",
    "ENABLE",
    "IDLE",
    "NAMESPACE",
    "UIDPLUS",
    "UNSELECT",
    "MOVE",
    "CHILDREN",
    "LITERAL+",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "WITHIN",
    "ESEARCH",
    "SEARCHRES",
    "PARTIAL",
    "CONTEXT=SEARCH",
    "MULTISEARCH",
    "INPROGRESS",
    "PREVIEW",
    "PREVIEW=FUZZY",
    "SNIPPET=FUZZY",
    "MULTIAPPEND",
    "CATENATE",
    "URL-PARTIAL",
    "REPLACE",
    "BINARY",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "STATUS=SIZE",
    "METADATA",
    "METADATA-SERVER",
    "LIST-METADATA",
    "UTF8=ACCEPT",
    "SORT",
    "SORT=DISPLAY",
    "ESORT",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "THREAD=REFS",
    "I18NLEVEL=1",
    "CONDSTORE",
    "QRESYNC",
    "NOTIFY",
    "OBJECTID",
    "SAVEDATE",
    "COMPRESS=DEFLATE",
    "UIDBATCHES",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "QUOTA=RES-MESSAGE",
    "UIDONLY",
];

/// The list before login. LITERAL- there: only literals up to 4096 octets may come unasked (RFC 7888 §5).
pub fn before_login(situation: BeforeLogin<'_>) -> Vec<Cow<'static, str>> {
    let mut names = BEFORE.to_vec();
    if situation.starttls {
        names.push("STARTTLS");
    }
    names.extend(situation.mechanisms);
    if !situation.login_allowed {
        names.push("LOGINDISABLED");
    }
    names.into_iter().map(Cow::Borrowed).collect()
}

/// What decides the list after login.
#[derive(Clone, Copy, Debug)]
pub struct AfterLogin {
    /// The most octets that an APPEND's message may have, the same in all mailboxes. Without a limit there is no
    /// number to name, and STATUS says NIL (RFC 7889 §2).
    pub append_limit: Option<u64>,
    /// Messages that one command may process (RFC 9738).
    pub message_limit: Option<u32>,
    /// Messages that one APPEND or COPY may make, where that alone is limited (RFC 9738).
    pub save_limit: Option<u32>,
    /// There was a login, which UNAUTHENTICATE can undo.
    pub unauthenticate: bool,
}

/// The list after login.
pub fn after_login(situation: AfterLogin) -> Vec<Cow<'static, str>> {
    let limit = match situation.append_limit {
        Some(limit) => Cow::Owned(format!("APPENDLIMIT={limit}")),
        None => Cow::Borrowed("APPENDLIMIT"),
    };
    let names = AFTER.iter().copied().map(Cow::Borrowed);
    let messages = match (situation.message_limit, situation.save_limit) {
        (Some(limit), _) => Some(format!("MESSAGELIMIT={limit}")),
        (None, Some(limit)) => Some(format!("SAVELIMIT={limit}")),
        (None, None) => None,
    };
    let unauthenticate = situation.unauthenticate.then_some("UNAUTHENTICATE");
    names
        .chain([limit])
        .chain(messages.map(Cow::Owned))
        .chain(unauthenticate.map(Cow::Borrowed))
        .collect()
}
