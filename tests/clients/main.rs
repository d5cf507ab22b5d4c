//! Real mail programs against the real server: mbsync, offlineimap, fetchmail, mutt, neomutt, curl, and the
//! libraries that programs are written with: Python's imaplib and IMAPClient (with its own live tests),
//! Perl's Mail::IMAPClient, Node's imapflow. What a program believes is compared with what lies on disk.
//! `contrib/check` installs them; a test whose program is missing says so and shows nothing.

#[path = "../harness/mod.rs"]
mod harness;

mod curl;
mod differential;
mod disk;
mod fetchmail;
mod imapclient;
mod imapflow;
mod imaplib;
mod mail_imapclient;
mod mbsync;
mod mutt;
mod offlineimap;
mod program;
mod words;
