//! A server by configuration, as the several processes that it is: who runs as whom, what each could do if it were taken
//! over, and what happens when one ends. All of it needs root.

#[path = "../harness/mod.rs"]
mod harness;

mod captive;
mod certified;
mod deliver;
mod directory;
mod ends;
mod exec;
mod files;
mod hall;
mod hostile;
mod lmtp;
mod lmtp_ends;
mod mail;
mod mta;
mod notes;
mod nursery;
mod proxied;
mod renewal;
mod strangers;
mod system;
mod taken;
mod threads;
mod timing;
