//! How commands end: what becomes the tagged line, or the end of the session. The one place where a
//! fault turns into an answer; faults of the machine are logged here, once, and nowhere else.

use std::borrow::Cow;
use std::io;

use crate::imap::core::Tag;
use crate::imap::response::Code;
use crate::mailbox::fault::Fault;
use crate::session::compress::Broken;
use crate::session::cut::Refusal;

/// A command that succeeded: the rest of its tagged OK.
#[derive(Debug)]
pub struct Reply {
    /// In brackets.
    pub code: Option<Code>,
    /// For a human.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// OK with a text.
    pub fn ok(text: impl Into<Cow<'static, str>>) -> Reply {
        Reply {
            code: None,
            text: text.into(),
        }
    }

    /// OK with a code.
    pub fn with(code: Code, text: impl Into<Cow<'static, str>>) -> Reply {
        Reply {
            code: Some(code),
            text: text.into(),
        }
    }
}

/// A command that did not succeed, by whose matter it is.
#[derive(Debug)]
pub enum Failure {
    /// The client broke the protocol: BAD.
    Bad(Cow<'static, str>),
    /// What came with the command was not taken: BAD.
    Refused(Refusal),
    /// What it asks cannot be: NO.
    No(Option<Code>, Cow<'static, str>),
    /// The mailbox room says why not: NO, or BYE where the mailbox is gone.
    Fault(Fault),
    /// The session cannot go on.
    End(End),
}

impl Failure {
    /// BAD with a code.
    pub fn bad(code: Code, text: impl Into<String>) -> Failure {
        Failure::Refused(Refusal {
            tag: None,
            code: Some(code),
            text: text.into(),
            long_line: false,
        })
    }

    /// BAD to a client that names a message by its number after ENABLE UIDONLY (RFC 9586 §3).
    pub fn uid_required() -> Failure {
        Failure::bad(
            Code::UidRequired,
            "UIDONLY is enabled, and messages have no numbers",
        )
    }
}

/// Why a session ends.
#[derive(Debug)]
pub enum End {
    /// LOGOUT; all has been said.
    Logout,
    /// UNAUTHENTICATE; it is still to be answered.
    Unauthenticate(Tag),
    /// `* BYE`, with the reason.
    Bye(Option<Code>, Cow<'static, str>),
    /// The client is gone.
    Gone(io::Error),
}

impl End {
    /// The server stops.
    pub const STOP: End = End::Bye(None, Cow::Borrowed("Server shutting down."));
    /// The client waited too long.
    pub const INACTIVE: End = End::Bye(None, Cow::Borrowed("Disconnected for inactivity."));
    /// One bad command too many.
    pub const TOO_MANY_BAD: End = End::Bye(None, Cow::Borrowed("Too many invalid IMAP commands."));
    /// See [`crate::session::cut::Cut::Flood`]. RFC 7888 §5: BYE "SHOULD include the TOOBIG response code".
    pub const FLOOD: End = End::Bye(Some(Code::TooBig), Cow::Borrowed("Command too large"));
    /// What the client sends is not compressed as it should be.
    pub const BROKEN: End = End::Bye(None, Cow::Borrowed("Broken compressed stream."));
    /// The selected mailbox is no more.
    pub const DELETED: End = End::Bye(
        None,
        Cow::Borrowed("Selected mailbox was deleted, have to disconnect."),
    );
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> End {
        match Broken::is(&error) {
            true => End::BROKEN,
            false => End::Gone(error),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::End(error.into())
    }
}

impl From<End> for Failure {
    fn from(end: End) -> Failure {
        Failure::End(end)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::Fault(fault)
    }
}

/// The NO that a fault is to a client (RFC 5530), or the end of the session. Logs it if it is the
/// machine's; `doing` names the command.
pub fn answer(fault: &Fault, doing: &str) -> Result<(Option<Code>, Cow<'static, str>), End> {
    Ok(match fault {
        Fault::NonExistent(_) => (Some(Code::NonExistent), fault.to_string().into()),
        Fault::AlreadyExists => (Some(Code::AlreadyExists), fault.to_string().into()),
        Fault::HasChildren => (Some(Code::HasChildren), fault.to_string().into()),
        Fault::Cannot(_) => (Some(Code::Cannot), fault.to_string().into()),
        Fault::OverQuota | Fault::OverQuotaForNow => {
            (Some(Code::OverQuota), fault.to_string().into())
        }
        Fault::DiskQuota(_) => {
            log(fault, doing);
            (Some(Code::OverQuota), Fault::OverQuota.to_string().into())
        }
        Fault::TooManyKeywords => (Some(Code::Limit), fault.to_string().into()),
        Fault::TooManyAnnotations => (Some(Code::MetadataTooMany), fault.to_string().into()),
        Fault::Expunged => (Some(Code::ExpungeIssued), fault.to_string().into()),
        Fault::Ended => return Err(End::DELETED),
        Fault::NoPermission(_) => {
            log(fault, doing);
            (Some(Code::NoPerm), "Permission denied".into())
        }
        Fault::DiskFull(_) => {
            log(fault, doing);
            (Some(Code::Unavailable), "The disk is full".into())
        }
        Fault::Locked => {
            log(fault, doing);
            (Some(Code::InUse), fault.to_string().into())
        }
        Fault::Io(..) => {
            log(fault, doing);
            (Some(Code::ServerBug), INTERNAL.into())
        }
    })
}

/// What a client is told of a fault that it can do nothing about.
pub const INTERNAL: &str = "Internal error occurred. Refer to server log for more information.";

/// Notes a fault that the command survives.
pub fn log(fault: &Fault, doing: &str) {
    tracing::error!(command = doing, "{fault}");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn users_mistakes_are_named_and_paths_are_not() {
        let code = |fault: Fault| answer(&fault, "TEST").ok().map(|(code, _)| code);
        let text = |fault: Fault| answer(&fault, "TEST").ok().map(|(_, text)| text);
        assert_eq!(
            text(Fault::NonExistent("a.b".into())).as_deref(),
            Some("Mailbox doesn't exist: a.b")
        );
        assert_eq!(code(Fault::AlreadyExists), Some(Some(Code::AlreadyExists)));
        assert_eq!(
            text(Fault::DiskFull("writing /home/u/Maildir/tmp/x".into())).as_deref(),
            Some("The disk is full")
        );
        let spent = io::Error::from(io::ErrorKind::QuotaExceeded);
        let spent = Fault::from_io("writing /home/u/Maildir/tmp/x", spent);
        assert_eq!(code(spent.clone()), Some(Some(Code::OverQuota)));
        assert_eq!(
            text(spent).as_deref(),
            Some("Quota exceeded (mailbox for user is full)")
        );
        assert_eq!(
            text(Fault::NoPermission("writing /home/u".into())).as_deref(),
            Some("Permission denied")
        );
        let broken = Arc::new(io::Error::other("broken"));
        assert_eq!(
            code(Fault::Io("reading /home/u".into(), broken)),
            Some(Some(Code::ServerBug))
        );
        assert_eq!(code(Fault::Ended), None, "the session ends");
    }
}
