//! `dovecot-uidvalidity` and its twin, whose name is the counter: every new mailbox of an account
//! gets a larger UIDVALIDITY than any before it.
//!
//! The last value used stands, as 8 hexadecimal digits, in `dovecot-uidvalidity`, and in the *name* of an
//! empty file `dovecot-uidvalidity.<8 digits>`. Whoever renames that file to the next number has taken it. The
//! first value of an account is the time.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use crate::imap::sequence::UidValidity;
use crate::spool::dir::{self, Modes};
use crate::spool::tree::Tree;

const NAME: &str = "dovecot-uidvalidity";

/// How many values are tried behind the one that the file holds, and how often a lost race is repeated.
const TRIES: usize = 10;

/// Takes the next value, as Dovecot does, so that both can take turns.
pub fn next(tree: &Tree) -> io::Result<UidValidity> {
    let dir = tree.account_dir();
    let value = take(dir)?;
    // The name is the counter. A number that is lost here is found by its name.
    dir::sync_dir(dir)?;
    if let Err(error) = note(dir, value) {
        tracing::warn!("writing {NAME}: {error}");
    }
    Ok(value)
}

fn take(dir: BorrowedFd<'_>) -> io::Result<UidValidity> {
    let held = dir::read_file(dir, NAME, 8).unwrap_or_default();
    if let Some(mut value) = held.and_then(|(text, _)| parse(&text)) {
        for _ in 0..TRIES {
            let next = after(value);
            if step(dir, value, next)? {
                return Ok(next);
            }
            value = next;
        }
    }
    for _ in 0..TRIES {
        let mut found = Vec::new();
        dir::entries(dir, |entry, _| {
            let digits = entry.to_bytes().strip_prefix(NAME.as_bytes());
            let digits = digits.and_then(|rest| rest.strip_prefix(b"."));
            found.extend(digits.and_then(parse));
            Ok(())
        })?;
        let Some(highest) = found.iter().copied().max() else {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let seconds = now.map_or(1, |since| since.as_secs());
            let first = u32::try_from(seconds).ok().and_then(UidValidity::new);
            let first = first.unwrap_or(UidValidity(std::num::NonZeroU32::MIN));
            if start(dir, first)? {
                return Ok(first);
            }
            continue;
        };
        let lowest = found.into_iter().min().filter(|lowest| *lowest < highest);
        if let Some(lowest) = lowest {
            dir::remove(dir, twin(lowest))?;
        }
        let next = after(highest);
        if step(dir, highest, next)? {
            return Ok(next);
        }
    }
    Err(io::Error::other(format!("{NAME} changes all the time")))
}

/// Takes `next` if `value` was the last; false if it was not.
fn step(dir: BorrowedFd<'_>, value: UidValidity, next: UidValidity) -> io::Result<bool> {
    match rustix::fs::renameat(dir, twin(value), dir, twin(next)) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Takes the first value of an account; false if somebody else just did.
fn start(dir: BorrowedFd<'_>, first: UidValidity) -> io::Result<bool> {
    match Modes::of(dir)?.make_file(dir, twin(first)) {
        Ok(file) => {
            rustix::fs::fchmod(&file, Mode::RUSR | Mode::RGRP | Mode::ROTH)?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes the value into the file, in place as Dovecot does.
fn note(dir: BorrowedFd<'_>, value: UidValidity) -> io::Result<()> {
    let text = format!("{:08x}", value.get());
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match dir::open_at(dir, NAME, flags) {
        Ok(file) => file.into(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Modes::of(dir)?.make_file(dir, NAME)?
        }
        Err(error) => return Err(error),
    };
    file.write_all_at(text.as_bytes(), 0)?;
    retry_on_intr(|| rustix::fs::fdatasync(file.as_fd()))?;
    Ok(())
}

fn twin(value: UidValidity) -> String {
    format!("{NAME}.{:08x}", value.get())
}

fn parse(digits: &[u8]) -> Option<UidValidity> {
    let hex = digits.len() == 8 && digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| hex)?;
    UidValidity::new(u32::from_str_radix(digits, 16).ok()?)
}

/// The next value; 0 is none.
fn after(value: UidValidity) -> UidValidity {
    let next = value.0.checked_add(1);
    UidValidity(next.unwrap_or(std::num::NonZeroU32::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::testing::Mail;

    fn files(mail: &Mail) -> Vec<String> {
        let mut names: Vec<String> = mail
            .names("")
            .into_iter()
            .filter(|name| name.starts_with(NAME))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_first_is_the_time_and_each_next_is_one_more() {
        let mail = Mail::new();
        let tree = mail.tree();
        let first = next(&tree).expect("first").get();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now");
        assert!(u64::from(first).abs_diff(now.as_secs()) < 60);
        assert_eq!(next(&tree).expect("second").get(), first + 1);
        assert_eq!(mail.read(NAME), format!("{:08x}", first + 1));
        assert_eq!(
            files(&mail),
            [NAME.to_owned(), format!("{NAME}.{:08x}", first + 1)]
        );
    }

    #[test]
    fn dovecots_values_are_gone_on_from() {
        let mail = Mail::new();
        mail.write(NAME, "6b032af4");
        mail.write("dovecot-uidvalidity.6b032af4", "");
        assert_eq!(next(&mail.tree()).expect("next").get(), 0x6b03_2af5);
        // The file lags behind the name.
        mail.write(NAME, "6b032af2");
        assert_eq!(next(&mail.tree()).expect("next").get(), 0x6b03_2af6);
    }

    #[test]
    fn without_a_usable_file_the_names_decide() {
        let mail = Mail::new();
        for broken in ["", "6b03", "00000000", "zzzzzzzz", "6b032af4\n", "00000001"] {
            for name in files(&mail) {
                mail.remove(&name);
            }
            mail.write(NAME, broken);
            mail.write("dovecot-uidvalidity.6b032af4", "");
            mail.write("dovecot-uidvalidity.6b032a00", "");
            mail.write("dovecot-uidvalidity.notahexn", "");
            assert_eq!(
                next(&mail.tree()).expect("next").get(),
                0x6b03_2af5,
                "{broken}"
            );
            assert!(!mail.exists("dovecot-uidvalidity.6b032a00"));
        }
    }

    #[test]
    fn zero_is_skipped() {
        let mail = Mail::new();
        mail.write(NAME, "ffffffff");
        mail.write("dovecot-uidvalidity.ffffffff", "");
        assert_eq!(next(&mail.tree()).expect("next").get(), 1);
    }
}
