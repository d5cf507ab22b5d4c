//! What all connections of one user share, in memory.
//!
//! A [`user::User`] holds the account's open [`mailbox::Mailbox`]es. A mailbox publishes immutable
//! [`snapshot::Snapshot`]s; each session holds a [`view::View`]: what its client has been told.

pub mod fault;
pub mod mailbox;
pub mod snapshot;
pub mod user;
pub mod view;
