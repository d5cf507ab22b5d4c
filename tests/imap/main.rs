//! The server as its clients meet it: a file per command or subject, real sockets, exact untagged
//! responses. See `tests/harness` for the server and the client.

#[path = "../harness/mod.rs"]
mod harness;

mod abnf;
mod append;
mod capability;
mod copy;
mod expunge;
mod fetch;
mod hostile;
mod idle;
mod limits;
mod limits_of_messages;
mod list;
mod login;
mod mailboxes;
mod malformed;
mod openings;
mod pipeline;
mod rfc3502;
mod rfc3516;
mod rfc4731;
mod rfc5032;
mod rfc5161;
mod rfc5182;
mod rfc5256;
mod rfc5258;
mod rfc5819;
mod rfc6154;
mod rfc7889;
mod rfc8438;
mod rfc9051;
mod rfc9755;
mod search;
mod select;
mod session;
mod shutdown;
mod starttls;
mod status;
mod store;
mod two_clients;
