//! A range of a message, read line by line in bounded memory.
//!
//! A line longer than the buffer comes in several pieces; everything that looks at lines needs only
//! their beginning. What lies in memory anyway is not copied; its pieces are the same. Line ends are LF or CRLF and never divided between two pieces. Not here: what a
//! line means.

use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::message::Source;

/// Octets read at once, and the longest line that comes in one piece.
const BUFFER: usize = 128 * 1024;

/// Looks for a line that begins with `--`.
static DASHES: LazyLock<Finder> = LazyLock::new(|| Finder::new(b"\n--"));

/// Reads a range of a source piece by piece.
#[derive(Debug)]
pub struct Pieces<'s, S: Source + ?Sized> {
    source: &'s S,
    buffer: Cow<'s, [u8]>,
    /// What has been read and not handed out: `buffer[start..end]`.
    start: usize,
    end: usize,
    /// Where in the source `buffer[start]` lies.
    offset: u64,
    /// Where to read next, and where to stop.
    unread: Range<u64>,
    /// The last piece ended its line.
    at_line_start: bool,
}

/// A line, or a piece of a very long one.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'b> {
    /// Where it begins.
    pub offset: u64,
    /// The octets, with the line end.
    pub bytes: &'b [u8],
    /// It begins a line.
    pub first: bool,
}

impl Piece<'_> {
    /// Octets of the line end: 2 for CRLF, 1 for a bare LF, 0 where the piece does not end its line.
    pub fn line_end(&self) -> usize {
        match self.bytes {
            [.., b'\r', b'\n'] => 2,
            [.., b'\n'] => 1,
            _ => 0,
        }
    }

    /// The octets without the line end.
    pub fn text(&self) -> &[u8] {
        let length = self.bytes.len() - self.line_end();
        self.bytes.get(..length).unwrap_or_default()
    }

    /// Where the next piece begins.
    pub fn next_offset(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// Octets with the line end as CRLF.
    pub fn virtual_len(&self) -> u64 {
        self.bytes.len() as u64 + u64::from(self.line_end() == 1)
    }
}

impl<'s, S: Source + ?Sized> Pieces<'s, S> {
    /// Begins at the start of `range`. Where the source is shorter, it ends there.
    pub fn new(source: &'s S, range: Range<u64>) -> Pieces<'s, S> {
        let offset = range.start;
        let (buffer, end, unread) = match source.in_memory() {
            Some(whole) => {
                let place = |offset: u64| {
                    usize::try_from(offset).map_or(whole.len(), |at| at.min(whole.len()))
                };
                let part = whole
                    .get(place(range.start)..place(range.end))
                    .unwrap_or_default();
                (Cow::Borrowed(part), part.len(), range.end..range.end)
            }
            None => {
                let length = range.end.saturating_sub(range.start);
                let size = usize::try_from(length).unwrap_or(BUFFER).min(BUFFER);
                (Cow::Owned(vec![0; size]), 0, range)
            }
        };
        Pieces {
            source,
            buffer,
            start: 0,
            end,
            offset,
            unread,
            at_line_start: true,
        }
    }

    /// The next line or piece of one; `None` at the end.
    #[expect(clippy::should_implement_trait, reason = "what it gives is lent")]
    pub fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        let mut searched = 0;
        let length = loop {
            // Of what lies in memory there may be more than comes in one piece.
            let most = self.end.min(self.start + BUFFER);
            let ready = self
                .buffer
                .get(self.start + searched..most)
                .unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', ready) {
                break searched + at + 1;
            }
            searched = most - self.start;
            if most < self.end || !self.refill()? {
                // The buffer is full of one line, or this is the end of the range.
                let rest = self.buffer.get(self.start..most).unwrap_or_default();
                let is_last = most == self.end && self.unread.is_empty();
                let cr_at_stake = !is_last && rest.ends_with(b"\r");
                break match rest.len() {
                    0 => return Ok(None),
                    length if cr_at_stake && length > 1 => length - 1,
                    length => length,
                };
            }
        };
        let begin = self.start;
        let offset = self.offset;
        let first = self.at_line_start;
        self.start += length;
        self.offset += length as u64;
        let bytes = self.buffer.get(begin..self.start).unwrap_or_default();
        self.at_line_start = bytes.ends_with(b"\n");
        Ok(Some(Piece {
            offset,
            bytes,
            first,
        }))
    }

    /// All whole lines that are ready, up to the next one that begins with `--`, at once: the quick way
    /// through a body. Empty where [`Pieces::next`] has to be asked.
    pub fn lines_before_dashes(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.refill()?;
        }
        let ready = self.buffer.get(self.start..self.end).unwrap_or_default();
        let length = if !self.at_line_start || ready.starts_with(b"-") {
            0
        } else {
            let last = match DASHES.find(ready) {
                Some(at) => Some(at),
                None => memchr::memrchr(b'\n', ready),
            };
            last.map_or(0, |at| at + 1)
        };
        let begin = self.start;
        self.start += length;
        self.offset += length as u64;
        Ok(self.buffer.get(begin..self.start).unwrap_or_default())
    }

    /// Reads more behind what is left. `false` if nothing more fits or comes.
    fn refill(&mut self) -> io::Result<bool> {
        if self.unread.is_empty() {
            return Ok(false);
        }
        let Cow::Owned(buffer) = &mut self.buffer else {
            return Ok(false);
        };
        if self.start > 0 {
            buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let left = self.unread.end - self.unread.start;
        let room = buffer.get_mut(self.end..).unwrap_or_default();
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(room.len());
        if wanted == 0 {
            return Ok(false);
        }
        let room = room.get_mut(..wanted).unwrap_or_default();
        let count = read(self.source, self.unread.start, room)?;
        if count == 0 {
            // Shorter than it was: nothing comes any more.
            self.unread.start = self.unread.end;
            return Ok(false);
        }
        self.end += count;
        self.unread.start += count as u64;
        Ok(true)
    }
}

/// `Source::read_at`, tried again where a signal interrupts it.
pub fn read<S: Source + ?Sized>(source: &S, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read_at(offset, buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives at most three octets at once.
    struct Drip<'a>(&'a [u8]);

    impl Source for Drip<'_> {
        fn len(&self) -> io::Result<u64> {
            Source::len(self.0)
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            let room = buffer.len().min(3);
            self.0.read_at(offset, &mut buffer[..room])
        }
    }

    fn lines(bytes: &[u8], range: Range<u64>) -> Vec<(u64, Vec<u8>)> {
        let drip = Drip(bytes);
        let mut pieces = Pieces::new(&drip, range);
        let mut all = Vec::new();
        while let Some(piece) = pieces.next().unwrap() {
            assert!(piece.first);
            all.push((piece.offset, piece.bytes.to_vec()));
        }
        all
    }

    #[test]
    fn lines_of_a_range() {
        let text = b"one\r\ntwo\n\nlast\r";
        let all = lines(text, 5..15);
        let expected: Vec<(u64, Vec<u8>)> = vec![
            (5, b"two\n".to_vec()),
            (9, b"\n".to_vec()),
            (10, b"last\r".to_vec()),
        ];
        assert_eq!(all, expected);
        assert_eq!(lines(text, 3..5), vec![(3, b"\r\n".to_vec())]);
        assert_eq!(lines(b"", 0..0), vec![]);
        // The file is shorter than the range.
        assert_eq!(lines(b"ab", 1..100), vec![(1, b"b".to_vec())]);
    }

    #[test]
    fn lines_before_dashes() {
        let text = b"a\nb\r\n-\n--c\n-d\n\ne";
        let mut pieces = Pieces::new(text.as_slice(), 0..text.len() as u64);
        assert_eq!(pieces.lines_before_dashes().unwrap(), b"a\nb\r\n-\n");
        assert_eq!(pieces.lines_before_dashes().unwrap(), b"");
        let piece = pieces.next().unwrap().unwrap();
        assert_eq!((piece.offset, piece.bytes), (7, &b"--c\n"[..]));
        // What begins with one is left to `next` too.
        assert_eq!(pieces.lines_before_dashes().unwrap(), b"");
        assert_eq!(pieces.next().unwrap().unwrap().bytes, b"-d\n");
        assert_eq!(pieces.lines_before_dashes().unwrap(), b"\n");
        assert_eq!(pieces.lines_before_dashes().unwrap(), b"");
        assert_eq!(pieces.next().unwrap().unwrap().bytes, b"e");
        assert!(pieces.next().unwrap().is_none());
    }

    #[test]
    fn a_long_line_comes_in_pieces_that_keep_crlf_together() {
        for extra in 0..3 {
            let mut text = vec![b'x'; BUFFER - 1 + extra];
            text.extend_from_slice(b"\r\nnext\n");
            let mut pieces = Pieces::new(text.as_slice(), 0..text.len() as u64);
            let mut joined = Vec::new();
            let mut ends = 0;
            while let Some(piece) = pieces.next().unwrap() {
                assert_eq!(piece.first, matches!(joined.last(), None | Some(b'\n')));
                assert_eq!(piece.offset, joined.len() as u64);
                if !piece.bytes.ends_with(b"\n") {
                    assert!(!piece.bytes.ends_with(b"\r"));
                }
                ends += usize::from(piece.line_end() == 2);
                joined.extend_from_slice(piece.bytes);
            }
            assert_eq!(joined, text);
            assert_eq!(ends, 1);
        }
    }
}
