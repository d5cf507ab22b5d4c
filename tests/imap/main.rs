//! The server as its clients meet it: a file per command or subject, real sockets, exact untagged
//! responses. See `tests/harness` for the server and the client.

#[path = "../harness/mod.rs"]
mod harness;

mod append;
mod bad_input;
mod capability;
mod copy;
mod expunge;
mod fetch;
mod idle;
mod limits;
mod list;
mod login;
mod mailboxes;
mod openings;
mod pipeline;
mod search;
mod select;
mod session;
mod shutdown;
mod starttls;
mod status;
mod store;
mod two_clients;
