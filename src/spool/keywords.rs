//! `dovecot-keywords`: the names of a mailbox's 26 keyword letters. What finds no letter is in
//! [`culver.keywords`](crate::spool::extra_keywords).
//!
//! ```text
//! 0 $Forwarded
//! 1 Work
//! ```
//!
//! Number 0 is the letter `a`. Letters are never taken back or renumbered: file names carry them. The file
//! is replaced as a whole under the uidlist's lock, each time with a later modification time in
//! seconds, by which Dovecot tells that it has changed.
//!
//! Of a file that is broken every line that names a letter counts; what was replaced is
//! [kept](crate::spool::broken). Letters whose names are lost are named anew as files turn up that carry them.

use std::io::{self, Write};
use std::os::fd::AsFd;

use rustix::fs::{Timespec, Timestamps, UTIME_OMIT};

use crate::imap::flag::Keyword;
use crate::spool::broken::{self, Contents, Found};
use crate::spool::dir::{self, Draft};
use crate::spool::filename::{Letters, number};
use crate::spool::folder::{Folder, Stamp};

const NAME: &str = "dovecot-keywords";
/// Also the draft: it is renamed over the file. Under the uidlist's lock, an old one is a leftover.
const LOCK: &str = "dovecot-keywords.lock";

/// How many octets of a file are read; 26 names of ordinary length take less than 2 KiB.
const LARGEST: u64 = 4 << 20;

/// The longest name that is kept, in octets.
const LONGEST_NAME: usize = 1024;

/// The table of letters, as last read or written.
#[derive(Clone, Debug, Default)]
pub struct Keywords {
    names: [Option<Keyword>; 26],
    /// Letters whose name is no keyword we could send to a client: kept as they stand in the file.
    opaque: Vec<(usize, Box<[u8]>)>,
    stamp: Option<Stamp>,
    /// The number of the first line that is not as it should be, from 1.
    broken_line: Option<usize>,
}

impl Keywords {
    /// Reads the file; missing is empty, and so is what is no file.
    pub fn read(folder: &Folder) -> io::Result<Keywords> {
        let Some(control) = folder.control()? else {
            return Ok(Keywords::default());
        };
        let contents = match broken::read(control.as_fd(), folder.path(), NAME, LARGEST)? {
            Found::There(contents) => contents,
            Found::Missing => return Ok(Keywords::default()),
            Found::Unusable => {
                let stat = dir::stat_at(control.as_fd(), NAME)?;
                return Ok(Keywords {
                    stamp: stat.as_ref().map(dir::stamp),
                    broken_line: Some(1),
                    ..Keywords::default()
                });
            }
        };
        let Contents {
            bytes,
            cut,
            stamp,
            file,
        } = contents;
        let mut table = Keywords::parse(&bytes);
        table.stamp = Some(stamp);
        if cut && table.broken_line.is_none() {
            table.broken_line = Some(bytes.split(|byte| *byte == b'\n').count());
        }
        if let Some(line) = table.broken_line {
            let (dir, what) = (control.as_fd(), format!("line {line}"));
            let (told, at) = (&folder.told, folder.path());
            told.report(dir, at, NAME, &file, &what);
        }
        Ok(table)
    }

    /// Writes a file that was found broken anew. Under the uidlist lock.
    pub fn mend(&mut self, folder: &Folder) -> io::Result<()> {
        match self.broken_line {
            Some(_) => self.write(folder),
            None => Ok(()),
        }
    }

    /// Whether the file is no longer the one that was read or written.
    pub fn is_stale(&self, folder: &Folder) -> io::Result<bool> {
        let stat = match folder.control()? {
            Some(control) => dir::stat_at(control.as_fd(), NAME)?,
            None => None,
        };
        Ok(stat.as_ref().map(dir::stamp) != self.stamp)
    }

    /// The letter of a keyword, if it has one.
    pub fn letter(&self, keyword: &Keyword) -> Option<Letters> {
        let index = self
            .names
            .iter()
            .position(|name| name.as_ref() == Some(keyword))?;
        Some(Letters(1 << index))
    }

    /// Gives each of these a letter, the lowest free; writes nothing yet. `None` if there is no room for
    /// all of them (then nothing is added).
    pub fn assign(&mut self, keywords: &[Keyword]) -> Option<Letters> {
        let mut with = self.clone();
        let mut letters = Letters::default();
        for keyword in keywords {
            let letter = match with.letter(keyword) {
                Some(letter) => letter,
                None => {
                    let free = (0..26).find(|index| !with.is_taken(*index))?;
                    *with.names.get_mut(free)? = Some(keyword.clone());
                    Letters(1 << free)
                }
            };
            letters.0 |= letter.0;
        }
        *self = with;
        Some(letters)
    }

    /// Whether files carry letters that the table has no name for.
    pub fn lacks(&self, letters: Letters) -> bool {
        (0..26).any(|index| letters.0 >> index & 1 == 1 && !self.is_taken(index))
    }

    /// Names letters that files carry but the table lacks, as Dovecot does (`unknown-3`).
    pub fn name_unknown(&mut self, letters: Letters) {
        for index in (0..26).filter(|index| letters.0 >> index & 1 == 1) {
            if self.is_taken(index) {
                continue;
            }
            let mut text = format!("unknown-{index}");
            let name = loop {
                match Keyword::new(&text) {
                    Some(name) if self.letter(&name).is_some() => text.push('?'),
                    name => break name,
                }
            };
            if let Some(slot) = self.names.get_mut(index) {
                *slot = name;
            }
        }
    }

    /// Writes the file as Dovecot does (lock, rename, fsync, growing mtime). Under the uidlist lock.
    pub fn write(&mut self, folder: &Folder) -> io::Result<()> {
        let control = folder.control_to_write()?;
        broken::make_way(control.as_fd(), folder.path(), NAME)?;
        let old = dir::stat_at(control.as_fd(), NAME)?;
        let draft = Draft::create(control.as_fd(), LOCK)?;
        let mut text = Vec::new();
        for index in 0..26 {
            if let Some(name) = self.name(index) {
                text.extend_from_slice(format!("{index} ").as_bytes());
                text.extend_from_slice(name);
                text.push(b'\n');
            }
        }
        (&draft.file).write_all(&text)?;
        let written: i64 = dir::wide(dir::stat(&draft.file)?.st_mtime);
        if let Some(old) = old.map(|stat| dir::wide::<_, i64>(stat.st_mtime))
            && written <= old
        {
            let at = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
            let times = Timestamps {
                last_access: at(0, UTIME_OMIT),
                last_modification: at(old.saturating_add(1), 0),
            };
            rustix::fs::futimens(&draft.file, &times)?;
        }
        let file = draft.publish(NAME)?;
        self.stamp = Some(dir::stamp(&dir::stat(&file)?));
        self.broken_line = None;
        Ok(())
    }

    /// The keywords of some letters, in letter order.
    pub fn named(&self, letters: Letters) -> impl Iterator<Item = &Keyword> {
        self.names
            .iter()
            .enumerate()
            .filter(move |(bit, _)| letters.0 >> bit & 1 == 1)
            .filter_map(|(_, name)| name.as_ref())
    }

    /// All keywords, in letter order.
    pub fn all(&self) -> impl Iterator<Item = &Keyword> {
        self.names.iter().flatten()
    }

    /// How many letters are not taken.
    pub fn free(&self) -> usize {
        (0..26).filter(|index| !self.is_taken(*index)).count()
    }

    fn is_taken(&self, index: usize) -> bool {
        self.name(index).is_some()
    }

    /// What stands in the file for a letter.
    fn name(&self, index: usize) -> Option<&[u8]> {
        match self.names.get(index)? {
            Some(name) => Some(name.as_str().as_bytes()),
            None => self
                .opaque
                .iter()
                .find(|(at, _)| *at == index)
                .map(|(_, name)| &**name),
        }
    }

    /// Lines that cannot be used are passed over: without a space, with a number above 25, without a name or
    /// with one that holds control characters, with a name that an earlier one has. Of two with one number
    /// the later counts.
    fn parse(bytes: &[u8]) -> Keywords {
        let mut table = Keywords::default();
        let marked = bytes.strip_prefix(b"\xef\xbb\xbf");
        let is_marked = marked.is_some();
        let mut lines: Vec<&[u8]> = marked
            .unwrap_or(bytes)
            .split(|byte| *byte == b'\n')
            .collect();
        let is_cut_off = lines.pop_if(|line| line.is_empty()).is_none();
        let last = lines.len().saturating_sub(1);
        for (at, line) in lines.into_iter().enumerate() {
            let sound = table.enter(line) && !(is_marked && at == 0) && !(is_cut_off && at == last);
            if !sound && table.broken_line.is_none() {
                table.broken_line = Some(at.saturating_add(1));
            }
        }
        table
    }

    /// Takes what a line says; false if it is not as it should be.
    fn enter(&mut self, line: &[u8]) -> bool {
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        let Some((digits, name)) =
            memchr::memchr(b' ', text).and_then(|space| text.split_at_checked(space))
        else {
            return false;
        };
        let name = name.get(1..).unwrap_or_default();
        let index = number(digits).and_then(|index| usize::try_from(index).ok());
        let Some(index) = index.filter(|index| *index < 26) else {
            return false;
        };
        let known = (0..26).any(|other| {
            self.name(other)
                .is_some_and(|known| known.eq_ignore_ascii_case(name))
        });
        let readable = !name.iter().any(u8::is_ascii_control) && name.len() <= LONGEST_NAME;
        if name.is_empty() || !readable || known {
            return false;
        }
        let first = !self.is_taken(index);
        let keyword = std::str::from_utf8(name).ok().and_then(Keyword::new);
        self.opaque.retain(|(at, _)| *at != index);
        if keyword.is_none() {
            self.opaque.push((index, name.into()));
        }
        if let Some(slot) = self.names.get_mut(index) {
            *slot = keyword;
        }
        first && text.len() == line.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::testing::{Mail, folder};

    fn keyword(text: &str) -> Keyword {
        Keyword::new(text).expect(text)
    }

    fn names(table: &Keywords) -> Vec<&str> {
        table.all().map(Keyword::as_str).collect()
    }

    #[test]
    fn lines_are_read_as_dovecot_reads_them() {
        let table = Keywords::parse(
            b"0 $Forwarded\n1 Work\nnospace\n26 High\n3 \n4 work\n1 Later\nx Bad\n5 a]b\n6 Last",
        );
        assert_eq!(names(&table), ["$Forwarded", "Later", "Last"]);
        assert_eq!(table.letter(&keyword("LATER")), Some(Letters(0b10)));
        assert_eq!(table.letter(&keyword("Work")), None);
    }

    #[test]
    fn letters_go_to_the_lowest_free_and_never_to_an_opaque_one() {
        let mut table = Keywords::parse(b"0 A\n1 a]b\n3 C\n");
        let letters = table.assign(&[keyword("c"), keyword("X"), keyword("Y")]);
        assert_eq!(letters, Some(Letters(0b11100)));
        assert_eq!(names(&table), ["A", "X", "C", "Y"]);
        assert_eq!(table.assign(&[]), Some(Letters(0)));
    }

    #[test]
    fn all_or_none_when_the_letters_run_out() {
        let mut table = Keywords::default();
        let many: Vec<Keyword> = (0..25).map(|n| keyword(&format!("k{n}"))).collect();
        assert!(table.assign(&many).is_some());
        assert_eq!(table.assign(&[keyword("x"), keyword("y")]), None);
        assert_eq!(table.letter(&keyword("x")), None);
        assert_eq!(table.free(), 1);
        assert_eq!(
            table.assign(&[keyword("x"), keyword("X")]),
            Some(Letters(1 << 25))
        );
        assert_eq!(table.free(), 0);
    }

    #[test]
    fn unknown_letters_get_names() {
        let mut table = Keywords::parse(b"0 A\n1 unknown-2\n");
        assert!(table.lacks(Letters(0b101)));
        table.name_unknown(Letters(0b101));
        assert_eq!(names(&table), ["A", "unknown-2", "unknown-2?"]);
        assert!(!table.lacks(Letters(0b111)));
    }

    #[test]
    fn a_rewrite_keeps_what_is_not_understood_and_its_time_grows() {
        let mail = Mail::new();
        let folder = folder(&mail);
        assert!(
            Keywords::read(&folder)
                .expect("missing")
                .all()
                .next()
                .is_none()
        );
        mail.write("dovecot-keywords", "3 a]b\n0 Work\n");
        let mut table = Keywords::read(&folder).expect("read");
        assert!(!table.is_stale(&folder).expect("stale"));
        let before = mail.mtime("dovecot-keywords");
        let other = Keywords::read(&folder).expect("read");
        table.assign(&[keyword("New")]).expect("room");
        table.write(&folder).expect("write");
        assert_eq!(mail.read("dovecot-keywords"), "0 Work\n1 New\n3 a]b\n");
        assert!(mail.mtime("dovecot-keywords") > before);
        table.write(&folder).expect("again");
        assert!(mail.mtime("dovecot-keywords") > before + 1);
        assert!(!table.is_stale(&folder).expect("own write"));
        assert!(other.is_stale(&folder).expect("another's write"));
        let again = Keywords::read(&folder).expect("read");
        assert_eq!(names(&again), ["Work", "New"]);
        assert!(!mail.exists("dovecot-keywords.lock"));
    }
}
