//! The server as its clients meet it: a file per command or subject, real sockets, exact untagged
//! responses. See `tests/harness` for the server and the client.

#[path = "../harness/mod.rs"]
mod harness;

mod login;
