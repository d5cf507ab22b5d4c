//! What CAPABILITY, ID and LOGOUT say in any state (RFC 3501 §6.1, RFC 2971).

use std::borrow::Cow;

use tokio::io::AsyncWrite;

use crate::imap::core::Tag;
use crate::imap::response::{Data, StatusKind};
use crate::session::ClientId;
use crate::session::writer::Writer;

/// Of what a client says of itself, this many fields are logged.
const LOGGED_FIELDS: usize = 30;

/// `* CAPABILITY …`
pub fn capability<W: AsyncWrite + Unpin>(writer: &mut Writer<W>, list: Vec<Cow<'static, str>>) {
    writer.data(&Data::Capability(list));
}

/// `* ID (…)`: who we are.
pub fn id<W: AsyncWrite + Unpin>(writer: &mut Writer<W>) {
    writer.data(&Data::Id(vec![
        ("name", "Culver".to_owned()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
    ]));
}

/// Notes who the client says it is.
pub fn note_client(fields: &ClientId) {
    for (field, value) in fields.iter().take(LOGGED_FIELDS) {
        tracing::debug!(
            "client's ID: {}={}",
            field.escape_ascii(),
            value.as_deref().unwrap_or_default().escape_ascii()
        );
    }
}

/// `* BYE`, and the tagged OK that follows it here alone.
pub fn logout<W: AsyncWrite + Unpin>(writer: &mut Writer<W>, tag: &Tag) {
    writer.status(None, StatusKind::Bye, None, "Logging out");
    writer.status(Some(tag), StatusKind::Ok, None, "Logout completed");
}
