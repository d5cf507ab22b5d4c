//! LMTP (RFC 2033): how an MTA brings mail. One connection from greeting to 221, over any stream; what the mail system can
//! do stands behind [`Desk`] and [`Transfer`]. Nothing here opens a file, and no message is ever held as a whole.
//!
//! It answers as Dovecot's does. Offered beyond that: SIZE (RFC 1870) and SMTPUTF8 (RFC 6531); and to those who are
//! believed for whom they speak, XCLIENT.

use tokio::time::Instant;

pub mod command;
pub mod data;
mod line;
pub mod session;
pub mod trace;
pub mod xclient;

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

/// Who is to get mail.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// A user's name as it was given.
    pub user: &'a str,
    /// The mailbox that the address names, if it names one.
    pub mailbox: Option<&'a str>,
    /// How large the message will be, in octets, where that was announced.
    pub size: Option<u64>,
}

/// Where recipients are known.
pub trait Desk: Send + Sync {
    /// Somebody whom mail can be brought to. Dropping it tells that none will be.
    type Recipient: Send;
    /// A message on its way.
    type Transfer: Transfer<Recipient = Self::Recipient>;

    /// Looks somebody up, and tries whether mail can be brought. May be cancelled.
    fn find(
        &self,
        wanted: Wanted<'_>,
    ) -> impl Future<Output = Result<Self::Recipient, Refusal>> + Send;

    /// Begins a message to these, of whom there is at least one.
    fn begin(&self, recipients: Vec<Self::Recipient>) -> Self::Transfer;
}

/// A message on its way to its recipients. Dropping it gives it up: nobody gets it.
pub trait Transfer: Send {
    /// Who gets it.
    type Recipient;

    /// The next octets, as they came but for the dots. What fails shows at the end.
    fn write(&mut self, octets: &[u8]) -> impl Future<Output = ()> + Send;

    /// Ends it: for each recipient, in their order, whether the message is in the mailbox and on the disk. At the deadline
    /// those are told of whom that is known; the others may have got it.
    fn end(self, deadline: Instant) -> impl Future<Output = Vec<Result<(), Refusal>>> + Send;
}
