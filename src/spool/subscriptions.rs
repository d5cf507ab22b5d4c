//! `subscriptions`: versions 1 and 2 are read and kept as they are; a new file is version 2.

use std::io;

use crate::imap::name::MailboxName;
use crate::spool::tree::Tree;

/// All subscribed names in the file's order; entries that are no valid names are left out.
pub fn read(tree: &Tree) -> io::Result<Vec<MailboxName>> {
    let _ = tree;
    todo!()
}

/// Adds or removes a name; nothing is written if nothing changes. Takes `subscriptions.lock` with one
/// try: `WouldBlock` if somebody else holds it, then try again.
pub fn change(tree: &Tree, name: &MailboxName, subscribed: bool) -> io::Result<()> {
    let _ = (tree, name, subscribed);
    todo!()
}
