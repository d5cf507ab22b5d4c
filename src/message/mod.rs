//! Bytes of a message → its structure. Nothing here fails on bad input: it only knows less.
//!
//! A message is read through [`Source`], piece by piece, so that one of any size costs little memory.
//! Offsets are those of the file; sizes given to clients count each line end as CRLF ("virtual").

pub mod address;
pub mod attachment;
pub mod binary;
mod charset;
pub mod crlf;
pub mod date;
pub mod decode;
mod encoded_word;
pub mod header;
mod html;
pub mod ids;
mod lexer;
pub mod mime;
pub mod parameter;
pub mod pieces;
pub mod preview;
pub mod section;
pub mod structure;
pub mod text;
mod transfer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Where a message's bytes come from: a file, or memory.
#[expect(
    clippy::len_without_is_empty,
    reason = "nobody asks whether a message is empty"
)]
pub trait Source {
    /// How many octets there are.
    fn len(&self) -> io::Result<u64>;

    /// Reads at `offset`, as `pread`: fewer octets than asked for are no error, 0 is the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// All of it, where it lies in memory: then nothing has to be copied to be looked at.
    fn in_memory(&self) -> Option<&[u8]> {
        None
    }
}

impl Source for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }
}

impl Source for [u8] {
    fn len(&self) -> io::Result<u64> {
        Ok(<[u8]>::len(self) as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|at| self.get(at..))
            .unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn in_memory(&self) -> Option<&[u8]> {
        Some(self)
    }
}
