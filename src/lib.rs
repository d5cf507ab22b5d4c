//! Culver: an IMAP server over Maildir. The map of the house.
//!
//! Data flows one way: bytes → command → mailbox → Maildir → response. Arrows point down only, and
//! `tests/rooms.rs` holds them:
//!
//! ```text
//! main → cli → process, config, auth
//! process → config, net, auth, session, lmtp, mailbox, blocking
//! session → auth (what goes in and comes out), search, mailbox, message, imap, blocking
//! auth → config (values), imap (Secret), blocking
//! search → mailbox (Snapshot, open), message, imap
//! mailbox → index, spool, message, imap, blocking
//! index → spool, imap
//! spool, message → imap (types only)
//! imap, lmtp, config, net, blocking → nothing
//! ```
//!
//! - [`imap`]: the protocol as values; no I/O.
//! - [`message`]: bytes of a message → its structure; never fails on bad input.
//! - [`spool`]: the Maildir on disk, as Dovecot keeps it; blocking calls only.
//! - [`index`]: what Culver remembers of a mailbox besides Dovecot's files; blocking calls only.
//! - [`mailbox`]: what all connections of one user share, in memory.
//! - [`search`]: SEARCH over the message files, in parallel.
//! - [`session`]: one connection, from greeting to BYE.
//! - [`lmtp`]: how an MTA brings mail.
//! - [`auth`]: who may log in.
//! - [`net`]: listeners, TLS, orderly shutdown.
//! - [`blocking`]: threads for what may block.
//! - [`config`]: `culver.toml`, typed, with every mistake's place.
//! - [`process`]: who runs as whom.
//! - [`cli`]: the command line.

#![warn(missing_docs)]
#![deny(unsafe_code)]

pub mod auth;
pub mod blocking;
pub mod cli;
pub mod config;
pub mod imap;
pub mod index;
pub mod lmtp;
pub mod mailbox;
pub mod message;
pub mod net;
pub mod process;
pub mod search;
pub mod session;
pub mod spool;
