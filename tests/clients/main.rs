//! Real mail programs against the real server: mbsync, mutt, curl, Python's imaplib.

#[path = "../harness/mod.rs"]
mod harness;

mod curl;
mod imaplib;
mod mbsync;
mod mutt;
