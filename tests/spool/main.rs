//! The Maildir as other programs keep it, and what is left of it after a crash.

#[path = "../harness/mod.rs"]
mod harness;

mod broken;
mod crash;
mod deliver;
mod faults;
mod fifty;
mod foreign;
mod kill;
mod modseqs;
mod picture;
mod quota;
mod replay;
mod samples;
mod told;
mod trace;
