//! COMPRESS=DEFLATE (RFC 4978): raw deflate in both directions, between the commands and responses and whatever
//! carries them.
//!
//! What is inflated comes in no larger pieces than were asked for, so that all limits of [`cut`](crate::session::cut)
//! hold for it, however little was sent. What is deflated ends in a sync flush wherever the server stops to listen.
//!
//! Memory: the inflater keeps the last 32 KiB, for the client may refer to them at any time. The deflater costs
//! several times as much, and is let go when there has been nothing to say for a while: the next one begins with an
//! empty dictionary, which the client need not know.

use std::io;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Compressed octets that are read at a time.
const CHUNK: usize = 4 << 10;

/// Compressed octets that are made at a time.
pub(super) const PACKED: usize = 16 << 10;

/// As fast as may be: responses shrink to a third all the same.
const LEVEL: Compression = Compression::fast();

/// Most octets of ours that a match may go back, as a power of two. With more, the deflater costs more and saves
/// little on responses.
const WINDOW_BITS: u8 = 13;

/// What a sync flush ends in (RFC 1951 §3.2.4, an empty stored block).
const FLUSHED: &[u8] = &[0, 0, 0xff, 0xff];

/// How a stream ends behind a flush: a last block without octets (RFC 1951 §3.2.3), with fixed codes or stored.
const ENDS: [&[u8]; 2] = [&[3, 0], &[1, 0, 0, 0xff, 0xff]];

/// Takes the end of a compressed stream off what follows one. No command begins as it does. `true`: it may still come.
pub(super) fn pass_end(follows: &mut Vec<u8>) -> bool {
    if let Some(end) = ENDS.iter().find(|end| follows.starts_with(end)) {
        follows.drain(..end.len());
        return false;
    }
    ENDS.iter().any(|end| end.starts_with(follows))
}

/// The client's stream is no deflate, or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("broken compressed stream")]
pub struct Broken;

impl Broken {
    /// Whether an error of reading is this.
    pub fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Broken>())
    }
}

/// The client's octets → what it said.
#[derive(Debug)]
pub struct Inflate {
    state: Decompress,
    /// Compressed octets that have come; those before `taken` are done with.
    input: Vec<u8>,
    taken: usize,
    /// There may be more to come of octets that are done with.
    more: bool,
    /// The stream has ended; what follows is none.
    ended: bool,
    /// What follows is no deflate.
    broken: bool,
}

impl Inflate {
    /// Begins with what has come behind the COMPRESS command.
    pub fn new(input: Vec<u8>) -> Inflate {
        Inflate {
            state: Decompress::new(false),
            input,
            taken: 0,
            more: false,
            ended: false,
            broken: false,
        }
    }

    /// Where compressed octets go, and how many are wanted; `None` while some are there.
    pub fn wants(&mut self) -> Option<(&mut Vec<u8>, usize)> {
        if self.taken < self.input.len() || self.more {
            return None;
        }
        // A flush may come in two pieces.
        let kept = self.input.len().saturating_sub(FLUSHED.len() - 1);
        self.input = self.input.split_off(kept);
        self.taken = self.input.len();
        Some((&mut self.input, CHUNK))
    }

    /// Inflates what is here into the room that `out` has. It stops behind each flush of the client's, so that what
    /// follows a command is not touched before that command is run: compression may end with it (RFC 8437 §4.1). What
    /// comes before something broken is given.
    pub fn inflate(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if self.ended || self.broken {
            return Err(io::Error::new(io::ErrorKind::InvalidData, Broken));
        }
        let from = self.taken.saturating_sub(FLUSHED.len() - 1);
        let flush = memchr::memmem::find(self.input.get(from..).unwrap_or_default(), FLUSHED);
        let end = flush.map_or(self.input.len(), |at| from + at + FLUSHED.len());
        let rest = self.input.get(self.taken..end).unwrap_or_default();
        let (before, had) = (self.state.total_in(), out.len());
        let status = self.state.decompress_vec(rest, out, FlushDecompress::None);
        let used = self.state.total_in().saturating_sub(before);
        self.taken += usize::try_from(used).unwrap_or_default();
        self.more = out.len() == out.capacity();
        self.ended = matches!(status, Ok(Status::StreamEnd));
        self.broken = status.is_err();
        match self.broken && out.len() == had {
            true => Err(io::Error::new(io::ErrorKind::InvalidData, Broken)),
            false => Ok(()),
        }
    }

    /// What has come and is not compressed, when compression ends, and whether the stream's end may come before it.
    /// `None` after something broken: nobody knows where it is.
    pub fn into_rest(mut self) -> Option<(Vec<u8>, bool)> {
        let rest = self.input.split_off(self.taken.min(self.input.len()));
        (!self.broken).then_some((rest, !self.ended))
    }
}

/// What we say → octets for the client.
#[derive(Debug)]
pub struct Deflate {
    /// `None`: nothing was said for a while.
    state: Option<Compress>,
    /// All that was taken has been given.
    flushed: bool,
}

impl Deflate {
    /// At the beginning of a stream.
    pub fn new() -> Deflate {
        Deflate {
            state: None,
            flushed: true,
        }
    }

    /// Takes octets and gives up to [`PACKED`] compressed ones into `out`, which is empty. With `flush`, all that was
    /// taken comes out by and by, until [`Deflate::is_flushed`]. Gives how many were taken.
    pub fn deflate(&mut self, input: &[u8], out: &mut Vec<u8>, flush: bool) -> io::Result<usize> {
        if input.is_empty() && (self.flushed || !flush) {
            return Ok(0);
        }
        self.flushed = false;
        let state = self
            .state
            .get_or_insert_with(|| Compress::new_with_window_bits(LEVEL, false, WINDOW_BITS));
        out.reserve_exact(PACKED);
        let before = state.total_in();
        let how = match flush {
            true => FlushCompress::Sync,
            false => FlushCompress::None,
        };
        state
            .compress_vec(input, out, how)
            .map_err(io::Error::other)?;
        let used = state.total_in().saturating_sub(before);
        let used = usize::try_from(used).unwrap_or_default();
        self.flushed = flush && used == input.len() && out.len() < out.capacity();
        Ok(used)
    }

    /// Whether the client can inflate all that was taken.
    pub fn is_flushed(&self) -> bool {
        self.flushed
    }

    /// Lets memory go, and with it what was said so far.
    pub fn rest(&mut self) {
        if self.flushed {
            self.state = None;
        }
    }

    /// Whether there is memory to let go.
    pub fn is_awake(&self) -> bool {
        self.state.is_some()
    }
}

impl Default for Deflate {
    fn default() -> Deflate {
        Deflate::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All of `text`, flushed.
    fn deflated(deflate: &mut Deflate, text: &[u8]) -> Vec<u8> {
        let (mut all, mut taken) = (Vec::new(), 0);
        while taken < text.len() || !deflate.is_flushed() {
            let mut out = Vec::new();
            taken += deflate.deflate(&text[taken..], &mut out, true).unwrap();
            assert!(out.len() <= out.capacity());
            all.extend(out);
        }
        all
    }

    /// What comes of octets, in pieces of `most`; the error if they are broken.
    fn inflated(inflate: &mut Inflate, octets: &[u8], most: usize) -> io::Result<Vec<u8>> {
        let (mut all, mut octets) = (Vec::new(), octets);
        loop {
            if let Some((input, wanted)) = inflate.wants() {
                if octets.is_empty() {
                    return Ok(all);
                }
                let (piece, rest) = octets.split_at(wanted.min(octets.len()));
                input.extend_from_slice(piece);
                octets = rest;
            }
            let mut out = Vec::new();
            out.reserve_exact(most);
            let room = out.capacity();
            inflate.inflate(&mut out)?;
            assert!(out.capacity() == room, "no more than there is room for");
            all.extend(out);
        }
    }

    proptest! {
        /// Whatever is said, in whatever pieces, with rests in between, comes out of one inflater.
        #[test]
        fn it_comes_back(
            texts in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..3000), 1usize..40, any::<bool>()), 1..6),
            most in 1usize..5000,
        ) {
            let (mut deflate, mut inflate) = (Deflate::new(), Inflate::new(Vec::new()));
            for (text, times, rest) in texts {
                let text = text.repeat(times);
                let packed = deflated(&mut deflate, &text);
                prop_assert!(packed.is_empty() || packed.ends_with(FLUSHED));
                prop_assert_eq!(inflated(&mut inflate, &packed, most).unwrap(), text);
                if rest {
                    deflate.rest();
                    prop_assert!(!deflate.is_awake());
                }
            }
        }

        #[test]
        fn anything_is_text_or_broken(octets in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut inflate = Inflate::new(Vec::new());
            if let Err(error) = inflated(&mut inflate, &octets, 1000) {
                prop_assert!(Broken::is(&error));
            }
        }
    }

    #[test]
    fn a_bomb_goes_off_bit_by_bit() {
        let mut bomb = Vec::new();
        let mut state = Compress::new(Compression::best(), false);
        let zeroes = vec![b'x'; 1 << 20];
        for _ in 0..64 {
            let mut out = Vec::with_capacity(1 << 16);
            state
                .compress_vec(&zeroes, &mut out, FlushCompress::Sync)
                .unwrap();
            bomb.extend(out);
        }
        assert!(bomb.len() < 100_000);
        let mut inflate = Inflate::new(bomb);
        let mut out = Vec::with_capacity(4096);
        for _ in 0..100 {
            out.clear();
            inflate.inflate(&mut out).unwrap();
            assert!(out.len() <= 4096);
        }
    }

    #[test]
    fn what_follows_a_flush_or_the_end_is_left_alone() {
        let mut deflate = Deflate::new();
        let packed = deflated(&mut deflate, b"a UNAUTHENTICATE\r\n");
        let mut inflate = Inflate::new([&packed, &b"b NOOP\r\n"[..]].concat());
        let mut out = Vec::with_capacity(4096);
        inflate.inflate(&mut out).unwrap();
        assert_eq!(out, b"a UNAUTHENTICATE\r\n");
        assert_eq!(inflate.into_rest().unwrap().0, b"b NOOP\r\n");
        // Wherever the pieces end.
        for cut in 1..packed.len() {
            let mut inflate = Inflate::new(packed[..cut].to_vec());
            let mut out = Vec::with_capacity(4096);
            while inflate.wants().is_none() {
                inflate.inflate(&mut out).unwrap();
            }
            let (input, _) = inflate.wants().unwrap();
            input.extend_from_slice(&packed[cut..]);
            input.extend_from_slice(b"b NOOP\r\n");
            inflate.inflate(&mut out).unwrap();
            assert_eq!(out, b"a UNAUTHENTICATE\r\n", "{cut}");
            assert_eq!(inflate.into_rest().unwrap().0, b"b NOOP\r\n", "{cut}");
        }

        let mut state = Compress::new(Compression::fast(), false);
        let mut packed = Vec::with_capacity(100);
        state
            .compress_vec(b"a UNAUTHENTICATE\r\n", &mut packed, FlushCompress::Finish)
            .unwrap();
        packed.extend_from_slice(b"b NOOP\r\n");
        let mut inflate = Inflate::new(packed.clone());
        let mut out = Vec::with_capacity(4096);
        inflate.inflate(&mut out).unwrap();
        assert_eq!(out, b"a UNAUTHENTICATE\r\n");
        assert_eq!(inflate.into_rest().unwrap().0, b"b NOOP\r\n");
        // There is nothing to inflate behind the end.
        let mut inflate = Inflate::new(packed);
        inflate.inflate(&mut Vec::with_capacity(4096)).unwrap();
        let error = inflate.inflate(&mut Vec::with_capacity(4096)).unwrap_err();
        assert!(Broken::is(&error));
    }

    #[test]
    fn what_comes_before_something_broken_is_given() {
        let mut deflate = Deflate::new();
        let packed = deflated(&mut deflate, b"a NOOP\r\n");
        // Without what the flush ends in, so that what is broken is not behind it.
        let end = packed.len() - FLUSHED.len() - 1;
        let mut inflate = Inflate::new([&packed[..end], &[0xff; 100]].concat());
        let mut out = Vec::with_capacity(4096);
        inflate.inflate(&mut out).unwrap();
        assert!(out.starts_with(b"a NOOP\r\n"));
        let error = inflate.inflate(&mut Vec::with_capacity(4096)).unwrap_err();
        assert!(Broken::is(&error));
    }

    #[test]
    fn the_end_of_a_stream_is_no_command() {
        for (follows, left, may_come) in [
            (&b""[..], &b""[..], true),
            (b"\x03", b"\x03", true),
            (b"\x03\0", b"", false),
            (b"\x03\0a NOOP", b"a NOOP", false),
            (b"\x01\0\0\xff", b"\x01\0\0\xff", true),
            (b"\x01\0\0\xff\xff\x03\0", b"\x03\0", false),
            (b"a NOOP", b"a NOOP", false),
            (b"\x03a", b"\x03a", false),
        ] {
            let mut octets = follows.to_vec();
            assert_eq!(pass_end(&mut octets), may_come, "{follows:?}");
            assert_eq!(octets, left);
        }
    }
}
