//! `dovecot-uidvalidity` and its twin, whose name is the counter: every new mailbox of an account
//! gets a larger UIDVALIDITY than any before it.

use std::io;

use crate::imap::sequence::UidValidity;
use crate::spool::tree::Tree;

/// Takes the next value, as Dovecot does, so that both can take turns.
pub fn next(tree: &Tree) -> io::Result<UidValidity> {
    let _ = tree;
    todo!()
}
