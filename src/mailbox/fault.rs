//! Why a change or a look at a mailbox failed: a vocabulary that the session turns into NO or BYE.

use std::io;
use std::sync::Arc;

/// What went wrong. The first word says whose matter it is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// No such mailbox.
    #[error("Mailbox doesn't exist: {0}")]
    NonExistent(String),
    /// There is one already.
    #[error("Mailbox already exists")]
    AlreadyExists,
    /// Names below it keep it from being deleted.
    #[error("Mailbox has children, delete them first")]
    HasChildren,
    /// The rules of names or of INBOX forbid it.
    #[error("{0}")]
    Cannot(String),
    /// The mailbox is open read-only, or the file system refuses.
    #[error("Permission denied: {0}")]
    NoPermission(String),
    /// No space on the disk.
    #[error("The disk is full: {0}")]
    DiskFull(String),
    /// The account has as much mail as it may have.
    #[error("Quota exceeded (mailbox for user is full)")]
    OverQuota,
    /// There is room for the mail, but other mail is on its way that may fill it.
    #[error("Quota may be exceeded by mail that is just coming, try again")]
    OverQuotaForNow,
    /// Whom the files belong to has as much on the disk as the system allows.
    #[error("The system's quota is exceeded: {0}")]
    DiskQuota(String),
    /// There is no room for another keyword, or for more messages that have some.
    #[error("Too many keywords in this mailbox")]
    TooManyKeywords,
    /// All annotations that there may be are there.
    #[error("Too many annotations")]
    TooManyAnnotations,
    /// Another program held the lock for two minutes.
    #[error("Mailbox is locked by another program")]
    Locked,
    /// The selected mailbox was deleted or replaced.
    #[error("Selected mailbox was deleted")]
    Ended,
    /// Some messages named are gone.
    #[error("Some of the requested messages no longer exist")]
    Expunged,
    /// Anything else from the system, with what was being done.
    #[error("{0}: {1}")]
    Io(String, Arc<io::Error>),
}

impl Fault {
    /// Sorts a system error into the vocabulary; `doing` names the act and the path.
    pub fn from_io(doing: impl Into<String>, error: io::Error) -> Fault {
        let doing = doing.into();
        match error.kind() {
            io::ErrorKind::StorageFull => Fault::DiskFull(doing),
            io::ErrorKind::QuotaExceeded => Fault::DiskQuota(doing),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Fault::NoPermission(doing)
            }
            _ => Fault::Io(doing, Arc::new(error)),
        }
    }
}

/// Runs file work on the blocking pool; a panic there ends this act alone.
pub(super) async fn blocking<R: Send + 'static>(
    doing: &'static str,
    act: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Fault> {
    let done = crate::blocking::spawn(act).await;
    done.map_err(|lost| Fault::Io(doing.into(), Arc::new(lost.into())))
}
