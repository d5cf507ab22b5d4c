//! What the end-to-end tests share: a real server on a throw-away Maildir, and blocking clients that
//! check every untagged response.
//!
//! The same dialogues run against Dovecot 2.3 with `CULVER_TEST_SERVER=dovecot`. That shows that a test
//! says what IMAP says and not what our code happens to do. Where Culver differs on purpose, the test
//! says so by [`Server::either`].

#![allow(
    dead_code,
    unused_imports,
    reason = "each test target uses its own part of the harness"
)]

pub mod bombs;
pub mod client;
pub mod deflate;
pub mod maildir;
pub mod server;
pub mod tls;

pub use client::{Client, Reply};
pub use maildir::Maildir;
pub use server::{Kind, Server, Setup};

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a test waits for anything at all before it fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a trace of the server records: every call that changes files or speaks to a client.
pub const TRACED_CALLS: &str = "trace=openat,open,creat,write,writev,pwrite64,pwritev,pwritev2,lseek,ftruncate,truncate,\
    fallocate,copy_file_range,sendfile,fsync,fdatasync,sync_file_range,syncfs,sync,rename,renameat,renameat2,\
    link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,mkdir,mkdirat,sendto,sendmsg";

/// A message with CRLF line endings, some headers and one line of text.
pub fn message(subject: &str) -> String {
    format!(
        "From: Anna <anna@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: {subject}\r\n\
         Date: Thu, 14 Mar 2024 09:00:00 +0100\r\nMessage-ID: <{subject}@example.org>\r\n\r\nHello.\r\n"
    )
}

/// Waits, with a limit, until `ready` holds: for facts outside a connection, such as a file or a process.
pub fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !ready() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Whether the tests run as root, so that the server has rights to drop.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether a program is installed; prints a line where it is not, for the test then shows nothing.
pub fn have(program: &str) -> bool {
    let dirs = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin:/usr/local/sbin";
    let found = dirs
        .split(':')
        .any(|dir| PathBuf::from(dir).join(program).is_file());
    if !found {
        eprintln!("skipped: {program} is not installed (contrib/check installs it)");
        assert!(
            std::env::var_os("CULVER_TEST_ALL").is_none(),
            "{program} is missing, and CULVER_TEST_ALL wants every test"
        );
    }
    found
}

/// A small generator of numbers (xorshift64*), for tests that want chance they can repeat.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }
}
