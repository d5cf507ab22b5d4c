//! The Maildir on disk, as Dovecot keeps it. Blocking calls only: no `async fn` may appear here.

pub mod beside;
mod broken;
pub mod deliver;
mod dir;
pub mod extra_keywords;
pub mod filename;
pub mod folder;
pub mod keyword_set;
pub mod keywords;
pub mod lock;
pub mod metadata;
pub mod quota;
pub mod scan;
pub mod site;
pub mod subscriptions;
#[cfg(test)]
mod testing;
pub mod tree;
pub mod uidlist;
pub mod uidvalidity;
