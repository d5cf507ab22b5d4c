//! LMTP (RFC 2033): how an MTA brings mail. One connection from greeting to 221, over any stream; what the mail system can
//! do stands behind [`Desk`] and [`Transfer`]. Nothing here opens a file, and no message is ever held as a whole.
//!
//! It answers as Dovecot's does. Offered beyond that: SIZE (RFC 1870) and SMTPUTF8 (RFC 6531).

pub mod command;
pub mod data;
mod line;
pub mod session;
pub mod trace;

/// Why somebody gets no mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such user.
    Unknown,
    /// The user has as much mail as is allowed.
    OverQuota,
    /// There is no room on the disk.
    DiskFull,
    /// The message is larger than is allowed.
    TooLarge,
    /// Anything else: it may be otherwise later.
    Temporary,
}

/// Where recipients are known.
pub trait Desk: Send + Sync {
    /// Somebody whom mail can be brought to. Dropping it tells that none will be.
    type Recipient: Send;
    /// A message on its way.
    type Transfer: Transfer<Recipient = Self::Recipient>;

    /// Looks somebody up: a user's name as it was given, and the mailbox that the address names, if it names one.
    fn find(
        &self,
        user: &str,
        mailbox: Option<&str>,
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

    /// Ends it: for each recipient, in their order, whether the message is in the mailbox and on the disk.
    fn end(self) -> impl Future<Output = Vec<Result<(), Refusal>>> + Send;
}
