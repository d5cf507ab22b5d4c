//! What mailboxes are for (RFC 6154 §2): as the configuration says, as a client said when it made one, or else
//! by their usual names. The last is a guess, and stands back where a client has said it of another mailbox.

use crate::imap::name::MailboxName;
use crate::imap::response::ListAttribute;
use crate::spool::metadata;
use crate::spool::tree::Tree;

/// Names that mail clients use for one purpose, as Dovecot's shipped configuration has them; unless another is
/// configured for it.
const USUAL: &[(&str, ListAttribute)] = &[
    ("Drafts", ListAttribute::Drafts),
    ("Junk", ListAttribute::Junk),
    ("Trash", ListAttribute::Trash),
    ("Sent", ListAttribute::Sent),
    ("Archive", ListAttribute::Archive),
];

/// An account's names with a use of their own.
#[derive(Debug)]
pub(super) struct SpecialUses {
    configured: Vec<(MailboxName, ListAttribute)>,
    usual: Vec<(MailboxName, ListAttribute)>,
}

impl SpecialUses {
    pub(super) fn new(configured: Vec<(MailboxName, ListAttribute)>, separator: char) -> Self {
        let is_free = |purpose| configured.iter().all(|(_, given)| *given != purpose);
        let usual = USUAL
            .iter()
            .filter(|(_, purpose)| is_free(*purpose))
            .filter_map(|(name, purpose)| {
                let name = MailboxName::from_utf8(name, separator).ok()?;
                Some((name, *purpose))
            })
            .collect();
        SpecialUses { configured, usual }
    }

    /// All names that have a use without a word from a client.
    pub(super) fn by_name(&self) -> impl Iterator<Item = &(MailboxName, ListAttribute)> {
        self.configured.iter().chain(&self.usual)
    }

    /// What a name is configured for.
    pub(super) fn configured(&self, name: &MailboxName) -> Option<ListAttribute> {
        find(&self.configured, name)
    }

    /// What a name is usually for.
    pub(super) fn usual(&self, name: &MailboxName) -> Option<ListAttribute> {
        find(&self.usual, name)
    }
}

fn find(uses: &[(MailboxName, ListAttribute)], name: &MailboxName) -> Option<ListAttribute> {
    let found = uses.iter().find(|(other, _)| other == name);
    found.map(|(_, purpose)| *purpose)
}

/// What a mailbox was made for. **Blocking**.
pub(super) fn stored_use(tree: &Tree, name: &MailboxName) -> Option<ListAttribute> {
    metadata::special_use(tree, name).unwrap_or_else(|error| {
        tracing::warn!("what {name} is for cannot be read: {error}");
        None
    })
}
