//! What all connections of one user share, in memory.
//!
//! A [`user::User`] holds the account's open [`mailbox::Mailbox`]es. A mailbox publishes immutable
//! [`snapshot::Snapshot`]s; each session holds a [`view::View`]: what its client has been told.

pub mod alter;
pub mod annotations;
mod arrivals;
mod attachments;
mod closing;
pub mod delivery;
mod disk;
mod durability;
pub mod events;
pub mod fault;
mod finder;
mod given;
mod heard;
pub mod history;
mod kept;
mod lookout;
#[allow(
    clippy::module_inception,
    reason = "a mailbox is what the room is about"
)]
pub mod mailbox;
mod making;
mod modseqs;
pub mod names;
pub mod news;
mod patience;
pub mod previews;
mod queue;
pub mod quota;
pub mod replace;
mod size;
pub mod snapshot;
mod special_use;
pub mod status;
pub mod transfer;
mod turn;
mod uids;
pub mod upload;
pub mod user;
pub mod view;
mod watch;
mod witness;

#[cfg(test)]
mod tests;
