//! `culver.keywords`: the keywords of a mailbox that found no letter, and which messages have them.
//!
//! ```text
//! V<TAB>1
//! k 26 $Label6
//! k 27 Later
//! m 26,27 :1795370760.M206143P19652.vm,S=145,W=152
//! m - :1795370758.M204433P19652.vm,S=91,W=95
//! ```
//!
//! `k` names a number; the letters of `dovecot-keywords` are those from 0 to 25. `m` says which of these keywords a
//! message has, by its base name, which is what it goes by in a Maildir: so they outlive whatever happens to the uidlist,
//! as the letters in file names do. Of several lines for one message the last counts. A message that is gone keeps its
//! lines until the file is written anew.
//!
//! The file lies beside the uidlist, and is written under its lock: appended to, or replaced as a whole. Dovecot does
//! not know it. What a stopped process has left behind the last line end is nothing; the file is replaced then, for who
//! goes by its size must not take another line for what it has seen. Of a file that is broken every good line counts; what
//! was replaced is [kept](crate::spool::broken). Numbers whose names are lost are named anew.

mod format;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::imap::flag::Keyword;
use crate::spool::broken::{self, Found};
use crate::spool::dir::{self, Draft};
pub use crate::spool::extra_keywords::format::{ExtraNames, FIRST, MOST_KEYWORDS};
use crate::spool::extra_keywords::format::{LONGEST_LINE, Line, VERSION_1};
use crate::spool::folder::{Folder, Stamp};
use crate::spool::keyword_set::Extras;

/// The file, beside the uidlist.
pub const NAME: &str = "culver.keywords";
const DRAFT: &str = "culver.keywords.tmp";

/// The largest file that is read or written, in octets: some 500,000 messages.
const LARGEST: u64 = 64 << 20;

/// Octets read at a time.
const PIECE: usize = 64 << 10;

/// A file is written anew when most of its lines are dead, and so many at least.
const DEAD_LINES: usize = 500;

/// The file as last read or written.
#[derive(Debug, Default)]
pub struct ExtraKeywords {
    names: Arc<ExtraNames>,
    /// What the file says of base names, where that is something.
    sets: HashMap<Box<[u8]>, Extras>,
    /// What was said last: the next most often is the same, and need not be kept twice.
    latest: Extras,
    file: Option<Arc<File>>,
    /// The same, for appending.
    end: Option<File>,
    stamp: Option<Stamp>,
    /// Octets of whole lines: where the next one goes.
    whole: u64,
    lines: usize,
    /// The number of the first line that is not as it should be, from 1.
    broken_line: Option<usize>,
    /// It must be written anew.
    rewrite: bool,
    /// Nothing may be appended to it: others may have seen what we have taken back.
    spoiled: bool,
}

/// What others have done to the file.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// They have appended lines: names, perhaps, and something about these base names.
    Appended(Vec<Box<[u8]>>),
    /// It is another file now.
    Replaced,
}

impl ExtraKeywords {
    /// Reads the file; missing is empty, and so is what is no file.
    pub fn read(folder: &Folder) -> io::Result<ExtraKeywords> {
        let mut all = ExtraKeywords::default();
        let Some(control) = folder.control()? else {
            return Ok(all);
        };
        let file = match broken::open(control.as_fd(), folder.path(), NAME)? {
            Found::There(file) => file,
            Found::Missing => return Ok(all),
            Found::Unusable => {
                let stat = dir::stat_at(control.as_fd(), NAME)?;
                all.stamp = stat.as_ref().map(dir::stamp);
                all.rewrite = true;
                return Ok(all);
            }
        };
        // Taken before reading: what is appended meanwhile will show as a change.
        let stamp = dir::stamp(&dir::stat(&file)?);
        (all.stamp, all.file) = (Some(stamp), Some(Arc::new(file)));
        all.take_up(folder, stamp.size)?;
        Ok(all)
    }

    /// The names there are.
    pub fn names(&self) -> &Arc<ExtraNames> {
        &self.names
    }

    /// The keywords of a message.
    pub fn of(&self, base: &[u8]) -> Extras {
        self.sets.get(base).cloned().unwrap_or_default()
    }

    /// The base names that have some.
    pub fn bases(&self) -> impl Iterator<Item = &[u8]> {
        self.sets.keys().map(|base| &**base)
    }

    /// The file as it is now, to be synced without holding anything.
    pub fn file(&self) -> Option<Arc<File>> {
        self.file.clone()
    }

    /// Whether the file is no longer the one that was read or written.
    pub fn is_stale(&self, folder: &Folder) -> io::Result<bool> {
        Ok(present(folder)? != self.stamp)
    }

    /// Hears what others have done to the file. One that is gone is to be [mended](ExtraKeywords::mend), for what it said
    /// is known here.
    pub fn poll(&mut self, folder: &Folder) -> io::Result<Change> {
        let now = present(folder)?;
        if now == self.stamp {
            return Ok(Change::None);
        }
        let Some(now) = now else {
            tracing::warn!(mailbox = %folder.path().display(), "{NAME} is gone: to be restored");
            (self.stamp, self.file, self.end) = (None, None, None);
            self.rewrite = true;
            return Ok(Change::None);
        };
        // The file is held open, so another one cannot have its inode.
        let grown = |was: Stamp| was.identity == now.identity && was.size < now.size;
        if self.file.is_some() && !self.is_to_be_mended() && self.stamp.is_some_and(grown) {
            self.stamp = Some(now);
            return self.take_up(folder, now.size).map(Change::Appended);
        }
        let rewrite = self.rewrite;
        *self = ExtraKeywords::read(folder)?;
        self.rewrite |= rewrite && self.file.is_some();
        Ok(Change::Replaced)
    }

    /// Gives numbers to keywords that have none. `None` if there are too few left: nothing is done then. Under the
    /// lock, after [`ExtraKeywords::poll`].
    pub fn name(&mut self, folder: &Folder, keywords: &[Keyword]) -> io::Result<Option<()>> {
        let mut names = (*self.names).clone();
        let mut lines = Vec::new();
        for keyword in keywords {
            if names.number(keyword).is_some() {
                continue;
            }
            let Some(number) = names.free().next() else {
                return Ok(None);
            };
            names.enter(number, keyword.clone());
            lines.push(Line::Name(number, keyword.clone()));
        }
        let before = std::mem::replace(&mut self.names, Arc::new(names));
        let written = self.append(folder, &lines);
        if written.is_err() {
            self.names = before;
        }
        written.map(Some)
    }

    /// Says which of these keywords messages have, by their base names; in one write, without a sync. On failure
    /// nothing has changed. Under the lock, after [`ExtraKeywords::poll`].
    pub fn put(&mut self, folder: &Folder, sets: &[(&[u8], Extras)]) -> io::Result<()> {
        let (mut lines, mut before) = (Vec::new(), Vec::new());
        for (base, set) in sets {
            let was = self.of(base);
            if was != *set {
                self.note(base, set.clone());
                lines.push(Line::Message(base, set.clone()));
                before.push((base, was));
            }
        }
        let written = self.append(folder, &lines);
        if written.is_err() {
            for (base, was) in before.into_iter().rev() {
                self.note(base, was);
            }
        }
        written
    }

    /// Writes a file anew that is broken, gone, or in doubt. Under the lock.
    pub fn mend(&mut self, folder: &Folder) -> io::Result<()> {
        match self.is_to_be_mended() {
            true => self.write(folder),
            false => Ok(()),
        }
    }

    /// Whether it has to be written anew.
    pub fn is_to_be_mended(&self) -> bool {
        self.rewrite || self.broken_line.is_some()
    }

    /// A sync has failed: what the file holds may be lost.
    pub fn note_doubt(&mut self) {
        self.rewrite |= self.file.is_some();
    }

    /// Whether it is worth the syncs to write the file anew, where so many base names are of messages that are gone.
    pub fn is_mostly_dead(&self, gone: usize) -> bool {
        let named = self.names.all().count();
        let alive = self.sets.len().saturating_sub(gone).saturating_add(named);
        let dead = self.lines.saturating_sub(alive);
        dead > DEAD_LINES && dead > alive
    }

    /// Writes the file anew, without the base names that `stays` denies. On failure nothing has changed. Under the
    /// lock, after [`ExtraKeywords::poll`].
    pub fn rewrite(&mut self, folder: &Folder, stays: impl Fn(&[u8]) -> bool) -> io::Result<()> {
        let (kept, dropped) = std::mem::take(&mut self.sets)
            .into_iter()
            .partition(|(base, _)| stays(base));
        self.sets = kept;
        let written = self.write(folder);
        if written.is_err() {
            let dropped: HashMap<_, _> = dropped;
            self.sets.extend(dropped);
        }
        written
    }

    /// Appends lines that say what is known here already.
    fn append(&mut self, folder: &Folder, lines: &[Line<'_>]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut text = Vec::new();
        lines.iter().for_each(|line| line.write(&mut text));
        let after = self.whole.saturating_add(text.len() as u64);
        let anew = self.spoiled || self.is_to_be_mended();
        // An empty one does not even say what it is.
        if self.file.is_none() || self.whole == 0 || anew || after > LARGEST {
            return self.write(folder);
        }
        let written = self.append_text(folder, &text);
        match &written {
            Ok(true) => {
                self.whole = after;
                self.lines = self.lines.saturating_add(lines.len());
            }
            // It is not the one that was polled, may only be read, or does not end with a line.
            Ok(false) => return self.write(folder),
            Err(_) => {}
        }
        written.map(drop)
    }

    /// False if this file can not be appended to.
    fn append_text(&mut self, folder: &Folder, text: &[u8]) -> io::Result<bool> {
        let Some(stamp) = self.stamp else {
            return Ok(false);
        };
        if present(folder)?.map(|now| now.identity) != Some(stamp.identity) {
            return Ok(false);
        }
        let control = folder.control_to_write()?;
        if self.end.is_none() {
            let flags = OFlags::RDWR | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK;
            match dir::open_at(control.as_fd(), NAME, flags) {
                Ok(end) => self.end = Some(File::from(end)),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        let Some(mut end) = self.end.as_ref() else {
            return Ok(false);
        };
        if dir::stamp(&dir::stat(end)?).size != self.whole {
            return Ok(false);
        }
        let written = end.write_all(text);
        if written.is_err() {
            self.spoiled = true;
            self.rewrite |= end.set_len(self.whole).is_err();
        }
        self.stamp = Some(dir::stamp(&dir::stat(end)?));
        written.map(|()| true)
    }

    /// Writes all that is known here into a new file, synced, with its place in the directory.
    fn write(&mut self, folder: &Folder) -> io::Result<()> {
        let control = folder.control_to_write()?;
        broken::make_way(control.as_fd(), folder.path(), NAME)?;
        let draft = Draft::create(control.as_fd(), DRAFT)?;
        let mut out = BufWriter::with_capacity(PIECE, &draft.file);
        let (mut size, mut lines) = (0_u64, 0_usize);
        let mut write = |line: &[u8]| {
            (size, lines) = (
                size.saturating_add(line.len() as u64),
                lines.saturating_add(1),
            );
            match size > LARGEST {
                true => Err(io::Error::from(io::ErrorKind::FileTooLarge)),
                false => out.write_all(line),
            }
        };
        write(&[VERSION_1, b"\n"].concat())?;
        let mut text = Vec::new();
        for (number, name) in self.names.numbered() {
            text.clear();
            Line::Name(number, name.clone()).write(&mut text);
            write(&text)?;
        }
        let mut sets: Vec<(&[u8], &Extras)> =
            self.sets.iter().map(|(base, set)| (&**base, set)).collect();
        sets.sort_unstable_by_key(|(base, _)| *base);
        for (base, set) in sets {
            text.clear();
            Line::Message(base, set.clone()).write(&mut text);
            write(&text)?;
        }
        out.flush()?;
        drop(out);
        let file = draft.publish(NAME)?;
        self.stamp = Some(dir::stamp(&dir::stat(&file)?));
        (self.file, self.end) = (Some(Arc::new(file)), None);
        (self.whole, self.lines) = (size, lines);
        (self.broken_line, self.rewrite, self.spoiled) = (None, false, false);
        Ok(())
    }

    /// Takes up the lines behind those known, in a file of this size. Gives the base names that they name.
    fn take_up(&mut self, folder: &Folder, size: u64) -> io::Result<Vec<Box<[u8]>>> {
        let Some(file) = self.file.clone() else {
            return Ok(Vec::new());
        };
        let sound_before = self.broken_line.is_none();
        let (mut named, mut nameless) = (Vec::new(), BTreeSet::new());
        let mut names = (*self.names).clone();
        let (mut line, mut buffer) = (Vec::new(), vec![0; PIECE]);
        let mut at = self.whole;
        while at < size.min(LARGEST) {
            let got = match file.read_at(&mut buffer, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                got => got?,
            };
            if got == 0 {
                break;
            }
            for part in buffer
                .get(..got)
                .unwrap_or_default()
                .split_inclusive(|byte| *byte == b'\n')
            {
                at = at.saturating_add(part.len() as u64);
                let room = LONGEST_LINE.saturating_sub(line.len());
                line.extend_from_slice(part.get(..room).unwrap_or(part));
                if part.last() != Some(&b'\n') {
                    continue;
                }
                self.whole = at;
                self.lines = self.lines.saturating_add(1);
                let text = line.strip_suffix(b"\n").and_then(Line::parse);
                let is_line = match text {
                    Some(Line::Name(number, name)) => names.enter(number, name),
                    Some(Line::Message(base, extras)) => {
                        nameless.extend(extras.iter().filter(|one| names.name(*one).is_none()));
                        named.push(base.into());
                        self.note(base, extras);
                        true
                    }
                    None => false,
                };
                let is_sound = match self.lines {
                    1 => line.strip_suffix(b"\n") == Some(VERSION_1),
                    _ => is_line,
                };
                if !is_sound && self.broken_line.is_none() {
                    self.broken_line = Some(self.lines);
                }
                line.clear();
            }
        }
        if size > LARGEST && self.broken_line.is_none() {
            self.broken_line = Some(self.lines.saturating_add(1));
        }
        nameless.retain(|number| names.name(*number).is_none());
        for number in &nameless {
            names.name_unknown(*number);
            self.rewrite = true;
        }
        if names.numbered().count() > self.names.numbered().count() {
            self.names = Arc::new(names);
        }
        if let (Some(line), true) = (self.broken_line, sound_before)
            && let Some(control) = folder.control()?
        {
            let (dir, what) = (control.as_fd(), format!("line {line}"));
            let (told, at) = (&folder.told, folder.path());
            told.report(dir, at, NAME, &file, &what);
        }
        Ok(named)
    }

    fn note(&mut self, base: &[u8], extras: Extras) {
        if extras != self.latest {
            self.latest = extras;
        }
        let extras = self.latest.clone();
        if extras.is_empty() {
            self.sets.remove(base);
        } else if let Some(set) = self.sets.get_mut(base) {
            *set = extras;
        } else {
            self.sets.insert(base.into(), extras);
        }
    }
}

/// What lies there now.
fn present(folder: &Folder) -> io::Result<Option<Stamp>> {
    let stat = match folder.control()? {
        Some(control) => dir::stat_at(control.as_fd(), NAME)?,
        None => None,
    };
    Ok(stat.as_ref().map(dir::stamp))
}

#[cfg(test)]
mod tests;
