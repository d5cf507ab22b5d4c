//! Listeners, TLS, orderly shutdown. Knows bytes and addresses, and no protocol but TLS.

pub mod limits;
pub mod listener;
pub mod proxy;
pub mod shutdown;
pub mod stream;
pub mod tls;
pub mod words;
pub mod x509;
