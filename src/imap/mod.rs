//! The protocol as values: what RFC 3501 and its extensions let a client and a server say.
//!
//! No I/O and no tokio here; the room can be tested without a disk or a socket. Bytes become a
//! [`command::Command`] in [`parse`], answers become bytes in [`encode`] and nowhere else.

pub mod capability;
pub mod command;
pub mod core;
pub mod date;
pub mod encode;
pub mod fetch;
pub mod flag;
pub mod metadata;
pub mod name;
pub mod notify;
pub mod objectid;
pub mod parse;
pub mod response;
pub mod search;
pub mod sequence;
pub mod structure;
pub mod url;
