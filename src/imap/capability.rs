//! What is announced, and when (RFC 3501 §6.1.1). Only what works is named here.

/// What decides the list before login.
#[derive(Clone, Copy, Debug)]
pub struct BeforeLogin<'a> {
    /// STARTTLS is possible now: TLS is set up and not yet active.
    pub starttls: bool,
    /// A plain password may cross this connection.
    pub login_allowed: bool,
    /// The capabilities of the SASL mechanisms there are (`AUTH=PLAIN`).
    pub mechanisms: &'a [&'static str],
}

/// IDLE too, as Dovecot: some clients never ask again after login.
const BEFORE: [&str; 6] = ["IMAP4rev1", "SASL-IR", "ID", "ENABLE", "IDLE", "LITERAL-"];
const AFTER: &[&str] = &[
    "IMAP4rev1",
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
    "WITHIN",
    "ESEARCH",
    "SEARCHRES",
    "MULTIAPPEND",
    "BINARY",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "STATUS=SIZE",
    "UTF8=ACCEPT",
];

/// The list before login. LITERAL- there: only literals up to 4096 octets may come unasked (RFC 7888 §5).
pub fn before_login(situation: BeforeLogin<'_>) -> Vec<&'static str> {
    let mut names = BEFORE.to_vec();
    if situation.starttls {
        names.push("STARTTLS");
    }
    if situation.login_allowed {
        names.extend(situation.mechanisms);
    } else {
        names.push("LOGINDISABLED");
    }
    names
}

/// The list after login.
pub fn after_login() -> Vec<&'static str> {
    AFTER.to_vec()
}
