//! Why somebody gets no mail: what the client is told, and what the log.

use std::fmt;

use super::command::Address;

/// Why somebody gets no mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such user.
    Unknown,
    /// The user has as much mail as is allowed.
    OverQuota,
    /// The user has, for now: what is in the way may go.
    FullForNow,
    /// There is no room on the disk.
    DiskFull,
    /// The message is larger than is allowed.
    TooLarge,
    /// Mail is on its way to as many as there may be at a time.
    TooMany,
    /// Anything else: it may be otherwise later.
    Temporary,
}

impl Refusal {
    /// The reply for a recipient. `temporary` is the status (RFC 3463) of what is none of the others.
    pub(super) fn reply(self, address: &Address, temporary: &str) -> String {
        let to = &address.text;
        let user = address.user.as_ref().unwrap_or(to);
        match self {
            Refusal::Unknown => format!("550 5.1.1 <{to}> User doesn't exist: {user}"),
            Refusal::OverQuota => {
                format!("552 5.2.2 <{to}> Quota exceeded (mailbox for user is full)")
            }
            Refusal::FullForNow => {
                format!("452 4.2.2 <{to}> Quota exceeded (mailbox for user is full), try again")
            }
            Refusal::DiskFull => format!("452 4.3.1 <{to}> Out of disk space"),
            Refusal::TooLarge => format!("552 5.3.4 <{to}> Message too large"),
            Refusal::TooMany => format!("452 4.5.3 <{to}> Too many recipients, try again"),
            Refusal::Temporary => format!("451 {temporary} <{to}> Temporary internal error"),
        }
    }
}

impl fmt::Display for Refusal {
    /// What the log says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Unknown => "there is no such user",
            Refusal::OverQuota => "the quota is exceeded",
            Refusal::FullForNow => "the quota is exceeded for now",
            Refusal::DiskFull => "the disk is full",
            Refusal::TooLarge => "the message is too large",
            Refusal::TooMany => "mail is just coming for too many",
            Refusal::Temporary => "for now, for a reason that another line has",
        })
    }
}
