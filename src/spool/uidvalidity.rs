//! `dovecot-uidvalidity` and its twin, whose name is the counter: every new mailbox of an account
//! gets a larger UIDVALIDITY than any before it.
//!
//! The last value used stands, as 8 hexadecimal digits, in `dovecot-uidvalidity`, and in the *name* of an
//! empty file `dovecot-uidvalidity.<8 digits>`. Whoever renames that file to the next number has taken it. The
//! first value of an account is the time.
//!
//! If the first file is broken or lags behind, the second decides; what was broken is
//! [kept](crate::spool::broken).

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags};
use rustix::io::retry_on_intr;

use crate::imap::sequence::UidValidity;
use crate::spool::broken::{self, Found};
use crate::spool::dir::{self, Draft, Modes};
use crate::spool::tree::Tree;

const NAME: &str = "dovecot-uidvalidity";
/// Whoever has taken a number writes it; of two at once one fails, and the names still tell.
const DRAFT: &str = "dovecot-uidvalidity.tmp";

/// Octets of the file.
const LENGTH: u64 = 8;

/// How many values are tried behind the one that the file holds, and how often a lost race is repeated.
const TRIES: usize = 10;

/// Takes the next value, as Dovecot does, so that both can take turns; one larger than `above`, if given.
pub fn next(tree: &Tree, above: Option<UidValidity>) -> io::Result<UidValidity> {
    let dir = tree.account_dir();
    let held = held(tree)?;
    let value = take(dir, held, above)?;
    // The name is the counter. A number that is lost here is found by its name.
    dir::sync_dir(dir)?;
    if let Err(error) = note(tree, value, held.is_none()) {
        tracing::warn!("writing {NAME}: {error}");
    }
    Ok(value)
}

/// The value that the file holds; says if there is a file and it holds none.
fn held(tree: &Tree) -> io::Result<Option<UidValidity>> {
    let dir = tree.account_dir();
    let Found::There(contents) = broken::read(dir, tree.account_path(), NAME, LENGTH)? else {
        return Ok(None);
    };
    let value = parse(&contents.bytes).filter(|_| !contents.cut);
    if value.is_none() {
        let at = tree.account_path();
        let what = "line 1 is no number of 8 hexadecimal digits";
        tree.told.report(dir, at, NAME, &contents.file, what);
    }
    Ok(value)
}

fn take(
    dir: BorrowedFd<'_>,
    held: Option<UidValidity>,
    above: Option<UidValidity>,
) -> io::Result<UidValidity> {
    let after = |value: UidValidity| after(above.map_or(value, |above| above.max(value)));
    if let Some(mut value) = held {
        for _ in 0..TRIES {
            let next = after(value);
            if step(dir, value, next)? {
                return Ok(next);
            }
            // Whoever was faster has taken the number behind it.
            value = self::after(value);
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
            // What is held has been given, though its twin is lost.
            let first = match held.max(above) {
                Some(given) => first.max(self::after(given)),
                None => first,
            };
            if start(dir, first)? {
                return Ok(first);
            }
            continue;
        };
        let lowest = found.into_iter().min().filter(|lowest| *lowest < highest);
        if let Some(lowest) = lowest
            && let Err(error) = dir::remove(dir, twin(lowest))
        {
            tracing::debug!("{} stays: {error}", twin(lowest));
        }
        let next = after(highest);
        if step(dir, highest, next)? {
            return Ok(next);
        }
    }
    Err(io::Error::other(format!("{NAME} changes all the time")))
}

/// Takes `next` if `value` was the last; false if it was not, or if `next` is taken.
fn step(dir: BorrowedFd<'_>, value: UidValidity, next: UidValidity) -> io::Result<bool> {
    match dir::rename(dir, twin(value), dir, twin(next)) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists => Ok(false),
            _ => Err(error),
        },
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

/// Writes the value into the file: in place as Dovecot does, or into a new one where there is none that can
/// be used.
fn note(tree: &Tree, value: UidValidity, anew: bool) -> io::Result<()> {
    let dir = tree.account_dir();
    let text = format!("{:08x}", value.get());
    if anew {
        broken::make_way(dir, tree.account_path(), NAME)?;
        let draft = Draft::create(dir, DRAFT)?;
        draft.file.write_all_at(text.as_bytes(), 0)?;
        return match draft.publish(NAME) {
            // Somebody else who takes a number at this moment has put the draft, or theirs, into its place.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome.map(drop),
        };
    }
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::from(dir::open_at(dir, NAME, flags)?);
    file.write_all_at(text.as_bytes(), 0)?;
    retry_on_intr(|| rustix::fs::fdatasync(file.as_fd()))?;
    Ok(())
}

fn twin(value: UidValidity) -> String {
    format!("{NAME}.{:08x}", value.get())
}

/// Lower case alone: the twin's name is made of the value again.
fn parse(digits: &[u8]) -> Option<UidValidity> {
    let hex = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    let hex = digits.len() as u64 == LENGTH && digits.iter().all(hex);
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
        let first = next(&tree, None).expect("first").get();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now");
        assert!(u64::from(first).abs_diff(now.as_secs()) < 60);
        assert_eq!(next(&tree, None).expect("second").get(), first + 1);
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
        assert_eq!(next(&mail.tree(), None).expect("next").get(), 0x6b03_2af5);
        // The file lags behind the name.
        mail.write(NAME, "6b032af2");
        assert_eq!(next(&mail.tree(), None).expect("next").get(), 0x6b03_2af6);
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
                next(&mail.tree(), None).expect("next").get(),
                0x6b03_2af5,
                "{broken}"
            );
            assert!(!mail.exists("dovecot-uidvalidity.6b032a00"));
        }
    }

    #[test]
    fn a_value_whose_name_is_there_is_not_given_again() {
        let mail = Mail::new();
        mail.write(NAME, "6b032af4");
        mail.write("dovecot-uidvalidity.6b032af4", "");
        mail.write("dovecot-uidvalidity.6b032af5", "");
        assert_eq!(next(&mail.tree(), None).expect("next").get(), 0x6b03_2af6);
    }

    #[test]
    fn zero_is_skipped() {
        let mail = Mail::new();
        mail.write(NAME, "ffffffff");
        mail.write("dovecot-uidvalidity.ffffffff", "");
        assert_eq!(next(&mail.tree(), None).expect("next").get(), 1);
    }
}
