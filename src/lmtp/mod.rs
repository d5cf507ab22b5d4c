//! LMTP (RFC 2033): how an MTA brings mail. One connection from greeting to 221, over any stream; what the mail system can
//! do stands behind [`Desk`] and [`Transfer`]. Nothing here opens a file, and no message is ever held as a whole.
//!
//! It answers as Dovecot's does. Offered beyond that: SIZE (RFC 1870) and SMTPUTF8 (RFC 6531); and to those who are
//! believed for whom they speak, XCLIENT.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub mod command;
pub mod data;
mod line;
pub mod note;
mod refusal;
pub mod session;
pub mod trace;
pub mod xclient;

pub use self::refusal::Refusal;

/// The largest message that is brought where no other size is set, in octets as they come. The size of one that has an LF
/// for each line end, counted with CRLF, is told in 32 bits (`RFC822.SIZE`) all the same; and what never ends fills no disk.
pub const MESSAGE_MAX: u64 = (1 << 31) - 1;

/// Where a message is, for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Whose it is, as the sources have the name.
    pub user: String,
    /// The mailbox.
    pub mailbox: String,
    /// Octets of the file.
    pub size: u64,
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
    fn end(self, deadline: Instant)
    -> impl Future<Output = Vec<Result<Delivered, Refusal>>> + Send;
}
