//! What the fuzz targets check: each `check` takes any octets and panics where a promise is broken.
//!
//! `cargo fuzz` runs them on octets of its own making (`tests/fuzz/run`), `cargo test --test fuzz` on those in
//! `corpus/`.

// The writer of commands, which is shared with the grammar's unit tests, knows the room by this path.
use culver::imap;

pub mod address;
#[cfg(test)]
mod corpus;
pub mod date;
pub mod grammar;
pub mod index;
pub mod lmtp;
pub mod message;
pub mod mutf7;
pub mod reader;
pub mod section;
pub mod sequence;
pub mod session;
pub mod spool;
pub mod words;
