//! Files whose lines end in LF, or in a mixture, served with CRLF: sizes and streams.
//! A bare LF becomes CRLF; CRLF and a bare CR stay.

use std::io;
use std::ops::Range;

use crate::message::Source;

/// Octets of the range with every line end as CRLF.
pub fn virtual_size<S: Source + ?Sized>(source: &S, range: Range<u64>) -> io::Result<u64> {
    let _ = (source, range);
    todo!()
}

/// A range of a message being sent, with CRLF, resumable between buffers.
#[derive(Debug)]
pub struct CrlfStream {
    _private: (),
}

impl CrlfStream {
    /// Octets `skip .. skip + length` of the range as it reads with CRLF; `virtual_size` is that of the
    /// whole range. What is beyond its end is not there.
    pub fn new(range: Range<u64>, virtual_size: u64, skip: u64, length: u64) -> CrlfStream {
        let _ = (range, virtual_size, skip, length);
        todo!()
    }

    /// Octets still to come: exact from the start, so that it can be announced as a literal's length.
    pub fn remaining(&self) -> u64 {
        todo!()
    }

    /// Adds at most `budget` octets to `out`. `UnexpectedEof` if the file has become shorter.
    pub fn fill<S: Source + ?Sized>(
        &mut self,
        source: &S,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> io::Result<()> {
        let _ = (source, out, budget);
        todo!()
    }
}
