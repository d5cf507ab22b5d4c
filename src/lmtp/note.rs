//! What the log says of mail that comes: a line for each recipient, whether the message is in the mailbox or not.
//!
//! What strangers have written stands in quotation marks, with what is not shown escaped, cut to [`SHOWN_MAX`], and behind
//! all that is known for certain: a line that is cut for its length loses nothing else.

use std::fmt;
use std::net::IpAddr;

use tracing::info;

use super::Delivered;

/// Characters of an address that the log keeps.
const SHOWN_MAX: usize = 320;

/// Who brings mail; `None`: who has no address, for a socket is a path, or a program was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(pub Option<IpAddr>);

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("local"),
        }
    }
}

/// A message, as the log has it.
#[derive(Clone, Copy, Debug)]
pub struct Note<'a> {
    /// The transfer's name, as it stands in the Received field; `None` while there is none.
    pub id: Option<&'a str>,
    /// Who brings it, or whom that one speaks for.
    pub client: Client,
    /// The reverse-path.
    pub from: &'a str,
}

impl Note<'_> {
    /// It is in the mailbox of this recipient.
    pub fn delivered(&self, to: &str, delivered: &Delivered) {
        let Note { id, client, from } = self;
        let Delivered {
            user,
            mailbox,
            size,
        } = delivered;
        let (user, mailbox) = (shown(user), shown(mailbox));
        let (to, from) = (shown(to), shown(from));
        info!(id, user, mailbox, size, %client, to, from, "mail delivered");
    }

    /// It is not, and will not be.
    pub fn refused(&self, to: &str, why: impl fmt::Display) {
        let Note { id, client, from } = self;
        let (to, from) = (shown(to), shown(from));
        info!(id, %client, to, from, "mail refused: {why}");
    }

    /// It is refused before anybody was named whom it is for.
    pub fn refused_at_once(&self, why: impl fmt::Display) {
        let (client, from) = (self.client, shown(self.from));
        info!(%client, from, "mail refused: {why}");
    }
}

/// As much of an address as the log keeps.
fn shown(text: &str) -> &str {
    let end = text.char_indices().nth(SHOWN_MAX);
    end.and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cut() {
        let long = "é".repeat(SHOWN_MAX);
        assert_eq!(shown(&format!("{long}x")), long);
        assert_eq!(shown(&long), long);
        assert_eq!(shown(""), "");
    }

    #[test]
    fn who_has_no_address_is_local() {
        let six = "2001:db8::1";
        assert_eq!(Client(Some(six.parse().unwrap())).to_string(), six);
        assert_eq!(Client(None).to_string(), "local");
    }
}
