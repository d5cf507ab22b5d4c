//! `maildirsize`: how much mail an account has, and how much it may have, as Maildir++ keeps it in the account's
//! directory for whoever delivers there. It is not about the disk's own quotas.
//!
//! ```text
//! 10485760S,1000C      the limits: octets, messages
//! 5312 4               what there was when somebody counted: octets, messages
//! 38 1                 and each change since
//! -31 -1
//! ```
//!
//! A change is one line, appended in one write without a lock, so that many programs can do it at once. Nobody corrects
//! the file: one that is broken, that has grown to [`LARGEST`] octets, or that is not believed is replaced by a new one
//! once all has been counted again ([`count`]). What is read tolerates what Dovecot does, but for a last line without
//! its end: the next line appended would become a part of it.

pub mod count;

use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use rustix::io::{Errno, retry_on_intr};

use crate::spool::broken::{self, Contents, Found};
use crate::spool::dir::{self, Draft};
use crate::spool::filename::FileName;
use crate::spool::folder::Stamp;
use crate::spool::tree::Tree;

/// The file's name.
pub const NAME: &str = "maildirsize";

/// A file of so many octets has been appended to for long enough.
pub const LARGEST: u64 = 5120;

/// A file that has only been appended to for so long is not believed where it says that there is no room.
pub const BELIEVED: Duration = Duration::from_secs(15 * 60);

/// So much mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Octets of the files.
    pub storage: u64,
    /// Messages.
    pub messages: u64,
}

impl Amount {
    /// Both together.
    pub fn and(self, other: Amount) -> Amount {
        Amount {
            storage: self.storage.saturating_add(other.storage),
            messages: self.messages.saturating_add(other.messages),
        }
    }

    /// What is left of it without the other.
    pub fn without(self, other: Amount) -> Amount {
        Amount {
            storage: self.storage.saturating_sub(other.storage),
            messages: self.messages.saturating_sub(other.messages),
        }
    }
}

/// So much mail more, or less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    storage: i64,
    messages: i64,
}

impl Change {
    /// Notes a message of so many octets that came.
    pub fn add(&mut self, octets: u64) {
        self.count(1, i64::try_from(octets).unwrap_or(i64::MAX));
    }

    /// Notes one that went.
    pub fn remove(&mut self, octets: u64) {
        self.count(-1, -i64::try_from(octets).unwrap_or(i64::MAX));
    }

    /// All of this, gone.
    pub fn loss(amount: Amount) -> Change {
        Change {
            storage: -i64::try_from(amount.storage).unwrap_or(i64::MAX),
            messages: -i64::try_from(amount.messages).unwrap_or(i64::MAX),
        }
    }

    /// Whether nothing came of it.
    pub fn is_nothing(self) -> bool {
        self == Change::default()
    }

    fn count(&mut self, messages: i64, octets: i64) {
        self.messages = self.messages.saturating_add(messages);
        self.storage = self.storage.saturating_add(octets);
    }
}

/// How much mail there may be; `None` is as much as there is room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Octets.
    pub storage: Option<u64>,
    /// Messages.
    pub messages: Option<u64>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_none(self) -> bool {
        self == Limits::default()
    }

    /// Whether there is room for `more` where there is so much already, and `freed` goes for it. What takes no more
    /// than it frees always has room.
    pub fn have_room(self, usage: Amount, more: Amount, freed: Amount) -> bool {
        let fits = |limit: Option<u64>, usage: u64, more: u64, freed: u64| {
            let rest = usage.saturating_sub(freed);
            limit.is_none_or(|limit| more <= freed || rest.saturating_add(more) <= limit)
        };
        fits(self.storage, usage.storage, more.storage, freed.storage)
            && fits(self.messages, usage.messages, more.messages, freed.messages)
    }

    /// The first line without its end. 0 is no limit.
    fn parse(line: &[u8]) -> Option<Limits> {
        let mut limits = Limits::default();
        let mut known = false;
        for limit in line.trim_ascii().split(|byte| *byte == b',') {
            let (unit, digits) = limit.split_last()?;
            let number = crate::spool::filename::number(digits)?;
            let limit = (number > 0).then_some(number);
            match unit {
                b'S' => limits.storage = limit,
                b'C' => limits.messages = limit,
                // What another program may limit.
                unit if unit.is_ascii_alphabetic() => continue,
                _ => return None,
            }
            known = true;
        }
        known.then_some(limits)
    }

    fn line(self) -> String {
        let limits = [(self.storage, 'S'), (self.messages, 'C')];
        let limits = limits
            .iter()
            .filter_map(|(limit, unit)| limit.map(|limit| format!("{limit}{unit}")));
        match limits.collect::<Vec<_>>().join(",") {
            none if none.is_empty() => "0S".to_owned(),
            limits => limits,
        }
    }
}

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    /// Its first line.
    pub limits: Limits,
    /// The sum of the others.
    pub usage: Amount,
    /// How many others there are.
    pub lines: usize,
    /// What it is told again by.
    pub stamp: Stamp,
}

impl Sums {
    /// Whether it is as it was written when all had been counted, and that is not long ago.
    pub fn are_fresh(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let modified = u64::try_from(self.stamp.modified.0).unwrap_or_default();
        self.lines <= 1 && now.abs_diff(modified) < BELIEVED.as_secs()
    }
}

/// What is found where the file should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing.
    Nowhere,
    /// A file whose sum is good for nothing: all is to be counted. Perhaps its limits can be read.
    Spent(Option<Limits>),
    /// A file that says so much.
    There(Sums),
}

/// Reads the file, but for one that is as it was: `known` then.
pub fn read(tree: &Tree, known: Option<Sums>) -> io::Result<Kept> {
    let dir = tree.account_dir();
    if let Some(known) = known
        && let Some(stat) = dir::stat_at(dir, NAME)?
        && dir::stamp(&stat) == known.stamp
    {
        return Ok(Kept::There(known));
    }
    let Contents {
        bytes, cut, stamp, ..
    } = match broken::read(dir, tree.account_path(), NAME, LARGEST)? {
        Found::Missing => return Ok(Kept::Nowhere),
        Found::Unusable => return Ok(Kept::Spent(None)),
        Found::There(contents) => contents,
    };
    let (limits, sum) = parse(&bytes);
    Ok(match (limits, sum) {
        (Some(limits), Some((usage, lines))) if !cut && (bytes.len() as u64) < LARGEST => {
            Kept::There(Sums {
                limits,
                usage,
                lines,
                stamp,
            })
        }
        (limits, _) => Kept::Spent(limits),
    })
}

/// The limits, and the sum with the number of lines that it is of: whichever can be read.
fn parse(bytes: &[u8]) -> (Option<Limits>, Option<(Amount, usize)>) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let limits = lines.next().and_then(Limits::parse);
    // Behind the last line's end there is nothing.
    let whole = bytes.ends_with(b"\n") && !bytes.contains(&0);
    let limits = limits.filter(|_| bytes.contains(&b'\n'));
    if !whole {
        return (limits, None);
    }
    let (mut storage, mut messages, mut count) = (0i64, 0i64, 0usize);
    for line in lines {
        let mut numbers = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let Some(first) = numbers.next() else {
            continue;
        };
        let second = numbers.next().and_then(signed);
        let sum = signed(first).zip(second).and_then(|(octets, number)| {
            Some((storage.checked_add(octets)?, messages.checked_add(number)?))
        });
        let Some(sum) = sum else {
            return (limits, None);
        };
        (storage, messages) = sum;
        count = count.saturating_add(1);
    }
    let usage = u64::try_from(storage)
        .ok()
        .zip(u64::try_from(messages).ok());
    let usage = usage.map(|(storage, messages)| Amount { storage, messages });
    (limits, usage.map(|usage| (usage, count)))
}

/// A number that may have a sign.
fn signed(word: &[u8]) -> Option<i64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// Appends a change. False if there is no such file, and so nothing to be kept.
pub fn append(tree: &Tree, change: Change) -> io::Result<bool> {
    // Without NONBLOCK, opening a FIFO would wait for a reader.
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match dir::open_at(tree.account_dir(), NAME, flags) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => File::from(opened?),
    };
    if !dir::kind(&dir::stat(&file)?).is_file() {
        return Err(Errno::INVAL.into());
    }
    let line = format!("{} {}\n", change.storage, change.messages);
    let written = retry_on_intr(|| rustix::io::write(&file, line.as_bytes()))?;
    match written == line.len() {
        true => Ok(true),
        // The line has no end, by which the next who reads it knows.
        false => Err(io::ErrorKind::StorageFull.into()),
    }
}

/// Puts a new file in the place of whatever is there. A power cut may leave it empty, and then all is counted again.
pub fn write(tree: &Tree, limits: Limits, usage: Amount) -> io::Result<Sums> {
    let dir = tree.account_dir();
    broken::make_way(dir, tree.account_path(), NAME)?;
    // A name of its own: others may be at it too.
    let draft = String::from_utf8_lossy(&FileName::fresh_base()).into_owned();
    let draft = format!("{NAME}.{draft}");
    let draft = Draft::create(dir, &draft)?;
    let most = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let Amount { storage, messages } = usage;
    let text = format!("{}\n{} {}\n", limits.line(), most(storage), most(messages));
    (&draft.file).write_all(text.as_bytes())?;
    let stamp = dir::stamp(&dir::stat(&draft.file)?);
    draft.place(NAME)?;
    Ok(Sums {
        limits,
        usage,
        lines: 1,
        stamp,
    })
}

/// Removes the file: who needs it counts.
pub fn forget(tree: &Tree) -> io::Result<()> {
    dir::remove(tree.account_dir(), NAME).map(drop)
}

#[cfg(test)]
mod tests;
