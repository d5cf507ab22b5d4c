//! `dovecot-uidlist.lock`: the dot-lock that every changer of a mailbox holds, Dovecot's included.

use std::io;

use crate::spool::folder::Folder;

/// The lock, held. Dropping it releases it (only if the file is still ours).
#[derive(Debug)]
pub struct Lock {
    _private: (),
}

/// What one waiter has seen of a foreign lock, so that it can judge staleness over its tries.
#[derive(Debug, Default)]
pub struct Watch {
    _private: (),
}

/// The result of one try.
#[derive(Debug)]
pub enum Try {
    /// It is ours.
    Held(Lock),
    /// Somebody else holds it; try again after 100–200 ms.
    Busy,
}

impl Lock {
    /// Tries once, without waiting; takes over a stale lock by Dovecot's rules. `watch` is kept by the
    /// caller from the first try to the last.
    pub fn attempt(folder: &Folder, watch: &mut Watch) -> io::Result<Try> {
        let _ = (folder, watch);
        todo!()
    }

    /// Renews the lock's time; to be called at least every 10 s of a long change.
    pub fn touch(&self) -> io::Result<()> {
        todo!()
    }
}
