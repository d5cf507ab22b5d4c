//! A part's content without its transfer encoding, octet for octet, as BINARY gives it (RFC 3516, RFC 9051
//! §6.4.5). Charsets are left alone.
//!
//! And the way back: a message that has binary contents is rewritten with these in base64, for lines of text are
//! all that a Maildir keeps and that BODY can show (RFC 3516 §6).
//!
//! A literal's length comes before its octets, and is not known before they are decoded: a content is read
//! twice, once to measure it and once to send it, so that none is ever held in memory.

use std::io;
use std::num::NonZeroU32;
use std::ops::Range;

use crate::message::Source;
use crate::message::crlf::CrlfStream;
use crate::message::decode::TransferEncoding;
use crate::message::header::{HEADER_MAX, Header, Line, line};
use crate::message::mime::{self, Content, Part, Structure};
use crate::message::parameter::token;
use crate::message::pieces::{Pieces, read};
use crate::message::section::{Found, walk};
use crate::message::transfer::Transfer;

/// Octets decoded at once.
const PIECE: usize = 64 * 1024;

/// What part numbers name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// A content that can be decoded.
    Encoded(Encoded),
    /// Its transfer encoding is not known: `NO [UNKNOWN-CTE]`.
    UnknownEncoding,
    /// There is no such part.
    Nothing,
}

/// A part's body as it lies in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Where.
    range: Range<u64>,
    /// Its octets with every line end as CRLF, still encoded.
    virtual_size: u64,
    encoding: TransferEncoding,
}

/// Finds a part; without numbers the message itself, header and all. That and a multipart have no encoding of
/// their own (RFC 2045 §6.4): they are given as they are.
pub fn locate<S: Source + ?Sized>(
    structure: &Structure,
    source: &S,
    numbers: &[NonZeroU32],
) -> io::Result<Located> {
    let plain = |range, virtual_size| {
        Located::Encoded(Encoded {
            range,
            virtual_size,
            encoding: TransferEncoding::Identity,
        })
    };
    if numbers.is_empty() {
        return Ok(plain(0..source.len()?, structure.virtual_size));
    }
    let part = match walk(structure, numbers) {
        Some(Found::Part(part)) => part,
        Some(Found::Empty(at)) => return Ok(plain(at..at, 0)),
        None => return Ok(Located::Nothing),
    };
    if let Content::Multipart(_) = part.content {
        return Ok(plain(part.body.clone(), part.body_virtual));
    }
    let header = Header::read(source, part.header.clone(), HEADER_MAX, is_encoding)?;
    let field = header.first(b"Content-Transfer-Encoding");
    Ok(match TransferEncoding::known(field.unwrap_or_default()) {
        Some(encoding) => Located::Encoded(Encoded {
            range: part.body.clone(),
            virtual_size: part.body_virtual,
            encoding,
        }),
        None => Located::UnknownEncoding,
    })
}

/// A content being sent, resumable between buffers.
pub struct BinaryStream {
    /// What is still encoded.
    encoded: CrlfStream,
    /// Away when all is decoded.
    transfer: Option<Transfer>,
    /// Read and not decoded yet.
    read: Vec<u8>,
    /// Decoded and not given yet: from `given` on.
    decoded: Vec<u8>,
    given: usize,
    /// Decoded octets to come that are not wanted, and those that are.
    skip: u64,
    remaining: u64,
    has_nul: bool,
}

impl BinaryStream {
    /// Octets `skip .. skip + length` of the content; what is beyond its end is not there. Decodes it as far as
    /// that, to measure it.
    pub fn open<S: Source + ?Sized>(
        source: &S,
        encoded: &Encoded,
        skip: u64,
        length: u64,
    ) -> io::Result<BinaryStream> {
        let mut first_pass = BinaryStream::start(encoded, skip, length);
        let mut has_nul = false;
        let mut size = 0;
        let mut piece = Vec::new();
        loop {
            first_pass.take(source, &mut piece, PIECE)?;
            if piece.is_empty() {
                break;
            }
            size += piece.len() as u64;
            has_nul |= memchr::memchr(0, &piece).is_some();
            piece.clear();
        }
        let mut stream = BinaryStream::start(encoded, skip, size);
        stream.has_nul = has_nul;
        Ok(stream)
    }

    fn start(encoded: &Encoded, skip: u64, length: u64) -> BinaryStream {
        let range = encoded.range.clone();
        BinaryStream {
            encoded: CrlfStream::new(range, encoded.virtual_size, 0, u64::MAX),
            transfer: Some(Transfer::exact(encoded.encoding)),
            read: Vec::new(),
            decoded: Vec::new(),
            given: 0,
            skip,
            remaining: length,
            has_nul: false,
        }
    }

    /// Octets still to come: exact, so that it can be announced as a literal's length.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Whether there is NUL among them, which only a literal8 can hold.
    pub fn has_nul(&self) -> bool {
        self.has_nul
    }

    /// Adds at most `budget` octets to `out`. `UnexpectedEof` if the file is not what it was.
    pub fn fill<S: Source + ?Sized>(
        &mut self,
        source: &S,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> io::Result<()> {
        let wanted = usize::try_from(self.remaining)
            .unwrap_or(usize::MAX)
            .min(budget);
        let goal = out.len() + wanted;
        self.take(source, out, wanted)?;
        match out.len() == goal {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Adds at most `budget` octets; none at the content's end.
    fn take<S: Source + ?Sized>(
        &mut self,
        source: &S,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> io::Result<()> {
        let goal = out.len().saturating_add(budget);
        while out.len() < goal && self.remaining > 0 {
            let ready = self.decoded.get(self.given..).unwrap_or_default();
            if ready.is_empty() {
                if !self.decode(source)? {
                    break;
                }
                continue;
            }
            let as_usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
            let skipped = ready.len().min(as_usize(self.skip));
            let ready = ready.get(skipped..).unwrap_or_default();
            let room = (goal - out.len()).min(as_usize(self.remaining));
            let added = ready.get(..room).unwrap_or(ready);
            out.extend_from_slice(added);
            self.skip -= skipped as u64;
            self.remaining -= added.len() as u64;
            self.given += skipped + added.len();
        }
        Ok(())
    }

    /// Decodes the next piece; false at the end.
    fn decode<S: Source + ?Sized>(&mut self, source: &S) -> io::Result<bool> {
        self.decoded.clear();
        self.given = 0;
        if self.encoded.remaining() == 0 {
            let Some(transfer) = self.transfer.take() else {
                return Ok(false);
            };
            transfer.finish(&mut self.decoded);
        } else if let Some(transfer) = &mut self.transfer {
            self.read.clear();
            self.encoded.fill_with_nul(source, &mut self.read, PIECE)?;
            transfer.push(&self.read, &mut self.decoded);
        }
        Ok(true)
    }
}

/// Octets that make a line of base64.
const LINE: usize = 57;

/// Gives the message to `take` piece by piece, with those contents in base64 that would not come back as they
/// are: with NUL, or said to be binary and with a bare LF. "Gratuitous encoding changes will render useless
/// most cryptographic operations" (RFC 3516 §6): the rest stays as it is.
pub fn without_binary<S: Source + ?Sized>(
    source: &S,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let structure = mime::parse(source)?;
    let mut done = 0;
    for part in &structure.parts {
        if part.content != Content::Leaf || !needs_base64(source, part)? {
            continue;
        }
        each_piece(source, done..part.header.start, |piece, _| take(piece))?;
        let mut header = Pieces::new(source, part.header.clone());
        let mut dropping = false;
        while let Some(piece) = header.next()? {
            match line(&piece) {
                Line::End => {
                    dropping = false;
                    take(b"Content-Transfer-Encoding: base64\r\n")?;
                }
                Line::Field { name, .. } => dropping = is_encoding(name),
                Line::Junk => dropping = false,
                Line::More => {}
            }
            if !dropping {
                take(piece.bytes)?;
            }
        }
        let size = source.len()?;
        each_piece(source, part.body.clone(), |piece, last| {
            let mut lines: Vec<String> = Vec::new();
            for octets in piece.chunks(LINE) {
                lines.push(base64_simd::STANDARD.encode_to_string(octets));
            }
            take(lines.join("\r\n").as_bytes())?;
            if !last || part.body.end == size {
                take(b"\r\n")?;
            }
            Ok(())
        })?;
        done = part.body.end;
    }
    each_piece(source, done..source.len()?, |piece, _| take(piece))
}

fn is_encoding(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"Content-Transfer-Encoding")
}

/// Whether a part's content can be encoded, and has to be.
fn needs_base64<S: Source + ?Sized>(source: &S, part: &Part) -> io::Result<bool> {
    let header = Header::read(source, part.header.clone(), HEADER_MAX, is_encoding)?;
    let field = header
        .first(b"Content-Transfer-Encoding")
        .unwrap_or_default();
    if TransferEncoding::known(field) != Some(TransferEncoding::Identity) {
        return Ok(false);
    }
    let binary = token(field).eq_ignore_ascii_case(b"binary");
    let mut needed = false;
    let mut after_cr = false;
    each_piece(source, part.body.clone(), |piece, _| {
        let bare_lf = |at: usize| match at.checked_sub(1) {
            Some(before) => piece.get(before) != Some(&b'\r'),
            None => !after_cr,
        };
        needed |= memchr::memchr(0, piece).is_some()
            || (binary && memchr::memchr_iter(b'\n', piece).any(bare_lf));
        after_cr = piece.ends_with(b"\r");
        Ok(())
    })?;
    Ok(needed)
}

/// Reads a range by pieces that make whole lines of base64, and says which is the last.
fn each_piece<S: Source + ?Sized>(
    source: &S,
    range: Range<u64>,
    mut take: impl FnMut(&[u8], bool) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; LINE * 1024];
    let mut at = range.start;
    while at < range.end {
        let left = usize::try_from(range.end - at).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let mut filled = 0;
        while let Some(room @ [_, ..]) = buffer.get_mut(filled..wanted) {
            match read(source, at + filled as u64, room)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        at += filled as u64;
        take(buffer.get(..filled).unwrap_or_default(), at == range.end)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(numbers: &[u32]) -> Vec<NonZeroU32> {
        numbers.iter().filter_map(|n| NonZeroU32::new(*n)).collect()
    }

    fn located(message: &[u8], numbers: &[u32]) -> Located {
        let structure = mime::parse(message).unwrap();
        locate(&structure, message, &part(numbers)).unwrap()
    }

    /// The content from `skip` on, `length` of it, by pieces of `budget`, and whether it has NUL.
    fn content(
        message: &[u8],
        numbers: &[u32],
        skip: u64,
        length: u64,
        budget: usize,
    ) -> (Vec<u8>, bool) {
        let Located::Encoded(encoded) = located(message, numbers) else {
            panic!("no content");
        };
        let mut stream = BinaryStream::open(message, &encoded, skip, length).unwrap();
        let (size, has_nul) = (stream.remaining(), stream.has_nul());
        let mut out = Vec::new();
        while stream.remaining() > 0 {
            stream.fill(message, &mut out, budget).unwrap();
            assert_eq!(out.len() as u64 + stream.remaining(), size);
        }
        assert_eq!(memchr::memchr(0, &out).is_some(), has_nul);
        (out, has_nul)
    }

    fn whole(message: &[u8], numbers: &[u32]) -> Vec<u8> {
        content(message, numbers, 0, u64::MAX, 7).0
    }

    const MIXED: &[u8] = b"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n\
        --b\n\nplain\ntext\n\
        --b\nContent-Transfer-Encoding: BASE64\n\nAAEC\n/w==\n\
        --b\nContent-Transfer-Encoding: quoted-printable\n\ncaf=C3=A9 = \nand \t\nmore=0A  \n\
        --b\nContent-Type: message/rfc822\n\nSubject: x\nContent-Transfer-Encoding: base64\n\nSGkK\n\
        --b\nContent-Transfer-Encoding: x-uuencode\n\nbegin\n\
        --b\nContent-Transfer-Encoding: 8bit (really)\n\na\0b\n\
        --b--\n";

    #[test]
    fn contents_of_parts() {
        assert_eq!(whole(MIXED, &[1]), b"plain\r\ntext");
        assert_eq!(whole(MIXED, &[2]), b"\0\x01\x02\xff");
        assert_eq!(whole(MIXED, &[3]), b"caf\xc3\xa9 and\r\nmore\n");
        assert_eq!(whole(MIXED, &[4, 1]), b"Hi\n");
        assert_eq!(
            whole(MIXED, &[4]),
            b"Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\nSGkK"
        );
        assert_eq!(located(MIXED, &[5]), Located::UnknownEncoding);
        assert_eq!(content(MIXED, &[6], 0, 9, 9), (b"a\0b".to_vec(), true));
        assert_eq!(located(MIXED, &[7]), Located::Nothing);
        assert_eq!(located(MIXED, &[1, 1]), Located::Nothing);
    }

    #[test]
    fn the_message_and_multiparts_are_given_as_they_are() {
        let with_crlf = String::from_utf8_lossy(MIXED).replace('\n', "\r\n");
        assert_eq!(whole(MIXED, &[]), with_crlf.as_bytes());
        let nested = b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\
            Content-Transfer-Encoding: x\n\n--b\n\nin\n--b--\n--a--\n";
        assert_eq!(whole(nested, &[1]), b"--b\r\n\r\nin\r\n--b--");
    }

    #[test]
    fn a_single_part_and_its_number() {
        let message = b"Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n";
        assert_eq!(whole(message, &[1]), b"Hello");
        assert_eq!(content(message, &[1], 1, 3, 2), (b"ell".to_vec(), false));
        assert_eq!(content(message, &[1], 4, 3, 2).0, b"o");
        assert_eq!(content(message, &[1], 5, 3, 2).0, b"");
        assert_eq!(content(message, &[1], u64::MAX, u64::MAX, 2).0, b"");
    }

    #[test]
    fn what_is_broken_is_decoded_as_far_as_it_goes() {
        let encoded =
            |body: &str| format!("Content-Transfer-Encoding: base64\n\n{body}").into_bytes();
        assert_eq!(whole(&encoded(""), &[1]), b"");
        assert_eq!(whole(&encoded("SGVs!bG8"), &[1]), b"Hello");
        assert_eq!(whole(&encoded("SGVsb"), &[1]), b"Hel");
    }

    #[test]
    fn a_file_that_became_shorter() {
        let message = b"\n\nsome text\n".as_slice();
        let Located::Encoded(encoded) = located(message, &[1]) else {
            panic!("no content");
        };
        let mut stream = BinaryStream::open(message, &encoded, 0, u64::MAX).unwrap();
        let error = stream
            .fill(&message[..6], &mut Vec::new(), 100)
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    fn rewritten(message: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        without_binary(message, |piece| {
            out.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
        out
    }

    #[test]
    fn binary_contents_become_base64() {
        let message = b"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n\
            --b\r\n\r\ntext\nwith LF\r\n\
            --b\r\nA: 1\r\nContent-Transfer-Encoding:\r\n binary (yes)\r\nB: 2\r\n\r\na\nb\r\n\
            --b\r\n\r\nn\0l\r\n\
            --b\r\nContent-Transfer-Encoding: binary\r\n\r\nonly\r\nlines\r\n\
            --b\r\nContent-Transfer-Encoding: x-other\r\n\r\nn\0l\r\n\
            --b--\r\n";
        let expected = b"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n\
            --b\r\n\r\ntext\nwith LF\r\n\
            --b\r\nA: 1\r\nB: 2\r\nContent-Transfer-Encoding: base64\r\n\r\nYQpi\r\n\
            --b\r\nContent-Transfer-Encoding: base64\r\n\r\nbgBs\r\n\
            --b\r\nContent-Transfer-Encoding: binary\r\n\r\nonly\r\nlines\r\n\
            --b\r\nContent-Transfer-Encoding: x-other\r\n\r\nn\0l\r\n\
            --b--\r\n";
        assert_eq!(
            rewritten(message).escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        let single = b"Subject: x\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\n";
        assert_eq!(
            rewritten(single),
            b"Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\nAAo=\r\n"
        );
        let text = b"Subject: x\r\n\r\ntext\r\n";
        assert_eq!(rewritten(text), text);
    }

    proptest! {
        /// What is appended as binary comes back by BINARY.
        #[test]
        fn binary_contents_come_back(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut message = b"Content-Transfer-Encoding: binary\r\n\r\n".to_vec();
            message.extend_from_slice(&octets);
            prop_assert_eq!(whole(&rewritten(&message), &[1]), octets);
        }

        /// In pieces of any size it is what it is at once, and base64 gives back what was encoded.
        #[test]
        fn any_octets_at_any_pace(
            octets in proptest::collection::vec(any::<u8>(), 0..300),
            width in 1usize..90,
            skip in 0u64..320,
            length in 0u64..320,
            budget in 1usize..50,
        ) {
            let base64 = base64_simd::STANDARD.encode_to_string(&octets);
            let mut message = b"Content-Transfer-Encoding: base64\n\n".to_vec();
            for line in base64.as_bytes().chunks(width) {
                message.extend_from_slice(line);
                message.push(b'\n');
            }
            let from = octets.len().min(skip as usize);
            let to = octets.len().min(from + length as usize);
            prop_assert_eq!(&content(&message, &[1], skip, length, budget).0, &octets[from..to]);
        }
    }
}
