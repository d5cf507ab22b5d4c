//! What CAPABILITY, ID and LOGOUT say in any state (RFC 3501 §6.1, RFC 2971).

use std::borrow::Cow;

use tokio::io::AsyncWrite;

use crate::imap::core::Tag;
use crate::imap::response::{Data, StatusKind};
use crate::session::ClientId;
use crate::session::writer::Writer;

/// Of what a client says of itself, this many fields are logged.
const LOGGED_FIELDS: usize = 30;

/// And of each name and value so many octets.
const LOGGED_OCTETS: usize = 100;

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

/// Notes who the client says it is: on one line, whatever it sent.
pub fn note_client(fields: &ClientId) {
    let said: Vec<String> = fields
        .iter()
        .take(LOGGED_FIELDS)
        .filter_map(|(field, value)| {
            let value = value.as_deref()?;
            Some(format!("{}=\"{}\"", shown(field), shown(value)))
        })
        .collect();
    if !said.is_empty() {
        tracing::info!("client's ID: {}", said.join(" "));
    }
}

/// The beginning of what a client says, without controls and quotes.
fn shown(text: &[u8]) -> String {
    let begun = text.get(..LOGGED_OCTETS).unwrap_or(text);
    let more = if begun.len() < text.len() { "…" } else { "" };
    format!("{}{more}", begun.escape_ascii())
}

/// `* BYE`, and the tagged OK that follows it here alone.
pub fn logout<W: AsyncWrite + Unpin>(writer: &mut Writer<W>, tag: &Tag) {
    writer.status(None, StatusKind::Bye, None, "Logging out");
    writer.status(Some(tag), StatusKind::Ok, None, "Logout completed");
}
