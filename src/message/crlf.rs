//! Files whose lines end in LF, or in a mixture, served with CRLF: sizes and streams.
//! A bare LF becomes CRLF; CRLF and a bare CR stay. NUL, which IMAP cannot say (RFC 3501 §9, CHAR8),
//! is served as 0x80, as Dovecot does, so that no octet is lost.

use std::io;
use std::ops::Range;

use crate::message::Source;
use crate::message::pieces::read;

/// Octets read at once.
const CHUNK: usize = 64 * 1024;

/// Octets of the range with every line end as CRLF. `UnexpectedEof` if the source is shorter than the range.
pub fn virtual_size<S: Source + ?Sized>(source: &S, range: Range<u64>) -> io::Result<u64> {
    let mut buffer = chunk(range.end.saturating_sub(range.start));
    let mut offset = range.start;
    let mut size = 0;
    let mut after_cr = false;
    while offset < range.end {
        let bytes = read_chunk(source, offset..range.end, &mut buffer)?;
        size += bytes.len() as u64;
        for at in memchr::memchr_iter(b'\n', bytes) {
            let bare = match at.checked_sub(1) {
                Some(before) => bytes.get(before) != Some(&b'\r'),
                None => !after_cr,
            };
            size += u64::from(bare);
        }
        after_cr = bytes.last() == Some(&b'\r');
        offset += bytes.len() as u64;
    }
    Ok(size)
}

/// A range of a message being sent, with CRLF, resumable between buffers.
#[derive(Debug)]
pub struct CrlfStream {
    /// What has not been read.
    unread: Range<u64>,
    /// Octets to come that are not wanted, as they read with CRLF.
    skip: u64,
    /// Octets to come that are.
    remaining: u64,
    /// The file has CRLF throughout.
    is_crlf: bool,
    /// Read and not yet given: `chunk[given..filled]`.
    chunk: Vec<u8>,
    given: usize,
    filled: usize,
    /// The last octet read was a CR.
    after_cr: bool,
}

impl CrlfStream {
    /// Octets `skip .. skip + length` of the range as it reads with CRLF; `virtual_size` is that of the
    /// whole range. What is beyond its end is not there.
    pub fn new(range: Range<u64>, virtual_size: u64, skip: u64, length: u64) -> CrlfStream {
        let skip = skip.min(virtual_size);
        let is_crlf = range.end.saturating_sub(range.start) == virtual_size;
        let (start, skip_by_reading) = if is_crlf {
            (range.start + skip, 0)
        } else {
            (range.start, skip)
        };
        CrlfStream {
            unread: start..range.end,
            skip: skip_by_reading,
            remaining: length.min(virtual_size - skip),
            is_crlf,
            chunk: Vec::new(),
            given: 0,
            filled: 0,
            after_cr: false,
        }
    }

    /// Octets still to come: exact from the start, so that it can be announced as a literal's length.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Adds at most `budget` octets to `out`. `UnexpectedEof` if the file has become shorter.
    pub fn fill<S: Source + ?Sized>(
        &mut self,
        source: &S,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> io::Result<()> {
        let start = out.len();
        let done = self.fill_with_nul(source, out, budget);
        replace_nul(out.get_mut(start..).unwrap_or_default());
        done
    }

    /// The same, with NUL as it is.
    pub(super) fn fill_with_nul<S: Source + ?Sized>(
        &mut self,
        source: &S,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> io::Result<()> {
        let budget = usize::try_from(self.remaining)
            .unwrap_or(usize::MAX)
            .min(budget);
        if self.is_crlf {
            self.copy(source, out, budget)
        } else {
            self.convert(source, out, budget)
        }
    }

    /// Reads straight into `out`.
    fn copy<S: Source + ?Sized>(
        &mut self,
        source: &S,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> io::Result<()> {
        let goal = out.len() + budget;
        while out.len() < goal {
            let start = out.len();
            out.resize(start + (goal - start).min(CHUNK), 0);
            let room = out.get_mut(start..).unwrap_or_default();
            let count = match read(source, self.unread.start, room) {
                Ok(count) => count,
                Err(error) => {
                    out.truncate(start);
                    return Err(error);
                }
            };
            out.truncate(start + count);
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.unread.start += count as u64;
            self.remaining -= count as u64;
        }
        Ok(())
    }

    fn convert<S: Source + ?Sized>(
        &mut self,
        source: &S,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> io::Result<()> {
        let goal = out.len() + budget;
        while out.len() < goal {
            if self.given == self.filled {
                if self.chunk.is_empty() {
                    self.chunk = chunk(self.unread.end.saturating_sub(self.unread.start));
                }
                self.filled = read_chunk(source, self.unread.clone(), &mut self.chunk)?.len();
                self.unread.start += self.filled as u64;
                self.given = 0;
            }
            let ready = self.chunk.get(self.given..self.filled).unwrap_or_default();
            if ready.first() == Some(&b'\n') && !self.after_cr {
                // The CR comes first, and the LF with the next turn, whatever room there is.
                self.after_cr = true;
                Self::give(&mut self.skip, &mut self.remaining, out, goal, b"\r");
                continue;
            }
            // As far as nothing changes: up to an LF that is not first, or that one alone.
            let length = match ready.first() {
                Some(b'\n') => 1,
                _ => memchr::memchr(b'\n', ready).unwrap_or(ready.len()),
            };
            let run = ready.get(..length).unwrap_or_default();
            let taken = Self::give(&mut self.skip, &mut self.remaining, out, goal, run);
            if taken > 0 {
                self.after_cr = ready.get(taken - 1) == Some(&b'\r');
            }
            self.given += taken;
        }
        Ok(())
    }

    /// Skips or adds octets, as many as may be, and says how many it took.
    fn give(
        skip: &mut u64,
        remaining: &mut u64,
        out: &mut Vec<u8>,
        goal: usize,
        bytes: &[u8],
    ) -> usize {
        let skipped = usize::try_from(*skip)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let added = (bytes.len() - skipped).min(goal - out.len());
        out.extend_from_slice(bytes.get(skipped..skipped + added).unwrap_or_default());
        *skip -= skipped as u64;
        *remaining -= added as u64;
        skipped + added
    }
}

/// Puts 0x80 in NUL's place.
pub(crate) fn replace_nul(mut bytes: &mut [u8]) {
    while let Some(at) = memchr::memchr(0, bytes) {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = 0x80;
        }
        bytes = bytes.get_mut(at + 1..).unwrap_or_default();
    }
}

fn chunk(length: u64) -> Vec<u8> {
    vec![0; usize::try_from(length).unwrap_or(CHUNK).min(CHUNK)]
}

/// Reads the beginning of a range that is not empty.
fn read_chunk<'b, S: Source + ?Sized>(
    source: &S,
    range: Range<u64>,
    buffer: &'b mut [u8],
) -> io::Result<&'b [u8]> {
    let left = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    let length = left.min(buffer.len());
    let room = buffer.get_mut(..length).unwrap_or_default();
    match read(source, range.start, room)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => Ok(room.get(..count).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the whole file reads like with CRLF.
    fn converted(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut before = 0;
        for &byte in bytes {
            if byte == b'\n' && before != b'\r' {
                out.push(b'\r');
            }
            out.push(if byte == 0 { 0x80 } else { byte });
            before = byte;
        }
        out
    }

    /// Gives a few octets at once.
    struct Drip<'a>(&'a [u8], usize);

    impl Source for Drip<'_> {
        fn len(&self) -> io::Result<u64> {
            Source::len(self.0)
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            let room = buffer.len().min(self.1);
            self.0.read_at(offset, &mut buffer[..room])
        }
    }

    proptest! {
        #[test]
        fn streams_as_the_plain_conversion(
            bytes in proptest::collection::vec(proptest::sample::select(b"\r\n\nab\0".to_vec()), 0..40),
            drip in 1_usize..9,
            budget in 1_usize..9,
            skip in 0_u64..50,
            length in 0_u64..50,
        ) {
            let source = Drip(&bytes, drip);
            let range = 0..bytes.len() as u64;
            let whole = converted(&bytes);
            let size = virtual_size(&source, range.clone()).unwrap();
            prop_assert_eq!(size, whole.len() as u64);
            let from = whole.len().min(skip as usize);
            let to = whole.len().min(from + length as usize);
            let mut stream = CrlfStream::new(range, size, skip, length);
            prop_assert_eq!(stream.remaining(), (to - from) as u64);
            let mut out = Vec::new();
            while stream.remaining() > 0 {
                let before = out.len();
                stream.fill(&source, &mut out, budget).unwrap();
                prop_assert!(out.len() > before && out.len() <= before + budget);
                prop_assert_eq!(out.len() as u64 + stream.remaining(), (to - from) as u64);
            }
            prop_assert_eq!(&out, &whole[from..to]);
        }
    }

    #[test]
    fn across_chunks() {
        for before in CHUNK - 2..=CHUNK + 1 {
            for end in [&b"\r\n"[..], b"\n", b"\r", b"\r\r\n\n"] {
                let mut bytes = vec![b'x'; before];
                bytes.extend_from_slice(end);
                bytes.extend_from_slice(b"y\n");
                let source = bytes.as_slice();
                let range = 0..bytes.len() as u64;
                let size = virtual_size(source, range.clone()).unwrap();
                let mut out = Vec::new();
                let mut stream = CrlfStream::new(range, size, 0, u64::MAX);
                while stream.remaining() > 0 {
                    stream.fill(source, &mut out, 1 << 20).unwrap();
                }
                assert_eq!(out, converted(&bytes));
            }
        }
    }

    #[test]
    fn a_file_that_became_shorter() {
        let source = &b"ab\n"[..];
        let mut out = Vec::new();
        for virtual_length in [9, 10] {
            let mut stream = CrlfStream::new(0..9, virtual_length, 0, u64::MAX);
            let error = stream.fill(source, &mut out, 100).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        assert_eq!(
            virtual_size(source, 0..4).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
