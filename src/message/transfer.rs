//! base64 and quoted-printable (RFC 2045 §6.7, §6.8), decoded in pieces of any size.

use memchr::{memchr, memchr3};

use crate::message::decode::TransferEncoding;

/// Takes a transfer encoding away.
pub enum Transfer {
    /// There is none.
    Identity,
    /// base64
    Base64(Base64),
    /// quoted-printable
    QuotedPrintable(QuotedPrintable),
    /// The same, octet for octet.
    Exact(Exact),
}

impl Transfer {
    /// Nothing has been decoded yet.
    pub fn new(encoding: TransferEncoding) -> Transfer {
        match encoding {
            TransferEncoding::Identity => Transfer::Identity,
            TransferEncoding::Base64 => Transfer::Base64(Base64::default()),
            TransferEncoding::QuotedPrintable => {
                Transfer::QuotedPrintable(QuotedPrintable::default())
            }
        }
    }

    /// The same for those who want the content's octets, not its words: white space at the ends of
    /// quoted-printable lines, which transport has added, is not among them.
    pub fn exact(encoding: TransferEncoding) -> Transfer {
        match encoding {
            TransferEncoding::QuotedPrintable => Transfer::Exact(Exact::default()),
            other => Transfer::new(other),
        }
    }

    /// Decodes a piece onto `out`.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        match self {
            Transfer::Exact(exact) => exact.push(input, out),
            Transfer::Identity => out.extend_from_slice(input),
            Transfer::Base64(base64) => base64.push(input, out),
            Transfer::QuotedPrintable(quoted) => quoted.push(input, out),
        }
    }

    /// What the last piece left undecided.
    pub fn finish(self, out: &mut Vec<u8>) {
        match self {
            Transfer::Identity => {}
            Transfer::Base64(base64) => base64.finish(out),
            Transfer::QuotedPrintable(quoted) => quoted.finish(out),
            Transfer::Exact(exact) => exact.quoted.finish(out),
        }
    }
}

/// White space that is kept until it is known whether its line ends; of a longer run the rest stays.
const WHITE_MAX: usize = 1000;

/// Quoted-printable as RFC 2045 §6.7 (3) wants it decoded: "any trailing white space on a line must be deleted".
#[derive(Default)]
pub struct Exact {
    /// White space that may be a line's end.
    white: Vec<u8>,
    /// A piece without it.
    trimmed: Vec<u8>,
    quoted: QuotedPrintable,
}

impl Exact {
    fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        self.trimmed.clear();
        for &byte in input {
            match byte {
                b' ' | b'\t' if self.white.len() < WHITE_MAX => {
                    self.white.push(byte);
                    continue;
                }
                b'\r' | b'\n' => self.white.clear(),
                _ => self.trimmed.append(&mut self.white),
            }
            self.trimmed.push(byte);
        }
        self.quoted.push(&self.trimmed, out);
    }
}

/// Decodes base64, passing over what is not of its alphabet. `=` ends a group, and another may follow: bodies
/// put together from several are seen.
#[derive(Default)]
pub struct Base64 {
    /// Letters of the group that is not yet complete, line ends taken away.
    letters: Vec<u8>,
}

impl Base64 {
    /// Decodes a piece onto `out`.
    pub fn push(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        while !input.is_empty() {
            let end = memchr3(b'\r', b'\n', b'=', input).unwrap_or(input.len());
            let (run, rest) = input.split_at(end);
            self.letters.extend_from_slice(run);
            let (mark, rest) = rest.split_at(rest.len().min(1));
            if mark == b"=" {
                self.decode(out);
                self.end_group(out);
            }
            input = rest;
        }
        self.decode(out);
    }

    /// What the last group gives, though it is not complete.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.decode(out);
        self.end_group(out);
    }

    /// Decodes all whole groups.
    fn decode(&mut self, out: &mut Vec<u8>) {
        let whole = self.letters.len() / 4 * 4;
        let groups = self.letters.get(..whole).unwrap_or_default();
        let start = out.len();
        if groups.is_empty() {
            return;
        }
        let strict = base64_simd::STANDARD_NO_PAD.decode_append(groups, out);
        if strict.is_ok() {
            self.letters.drain(..whole);
            return;
        }
        // There is something in it that is no letter.
        out.truncate(start);
        self.letters.retain(|letter| value(*letter).is_some());
        let whole = self.letters.len() / 4 * 4;
        for group in self.letters.get(..whole).unwrap_or_default().chunks(4) {
            octets(group, out);
        }
        self.letters.drain(..whole);
    }

    fn end_group(&mut self, out: &mut Vec<u8>) {
        self.letters.retain(|letter| value(*letter).is_some());
        octets(&self.letters, out);
        self.letters.clear();
    }
}

/// A letter's six bits.
fn value(letter: u8) -> Option<u32> {
    Some(u32::from(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// The octets of a group of up to four letters; bits that make no whole octet are lost.
fn octets(group: &[u8], out: &mut Vec<u8>) {
    let mut bits = 0;
    let mut count = 0;
    for letter in group {
        bits = bits << 6 | value(*letter).unwrap_or_default();
        count += 6;
    }
    while count >= 8 {
        count -= 8;
        out.push((bits >> count) as u8);
    }
}

/// White space between a `=` and the line end of a soft break (RFC 2045 §6.7, rule 3): as much as a line may have
/// (RFC 5322 §2.1.1). With more it is no soft break.
const BLANKS_MAX: usize = 998;

/// Decodes quoted-printable. What is no escape stays as it is.
#[derive(Default)]
pub struct QuotedPrintable {
    /// A `=` and what followed it, not yet clear.
    held: Vec<u8>,
}

/// Octets added together where no escape is near.
const LONG: usize = 32;

/// What a text that begins with `=` begins with.
enum Escape {
    /// An octet, escaped by three, or a soft line break of so many octets.
    Octet(u8),
    Break(usize),
    /// Text.
    None,
    /// The text is too short to say.
    Undecided,
}

impl QuotedPrintable {
    /// Decodes a piece onto `out`.
    pub fn push(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        // What is held grows octet by octet until it is decided.
        while !self.held.is_empty() {
            match escape(&self.held) {
                Escape::Undecided => {
                    let Some((first, rest)) = input.split_first() else {
                        return;
                    };
                    self.held.push(*first);
                    input = rest;
                }
                decided => {
                    let taken = give(&decided, out);
                    self.held.drain(..taken.min(self.held.len()));
                    // What is left has no part in this escape; it may hold the next one.
                    match memchr(b'=', &self.held) {
                        Some(at) => out.extend(self.held.drain(..at)),
                        None => out.append(&mut self.held),
                    }
                }
            }
        }
        loop {
            input = text(input, out);
            // Octet after octet, as in text that is not Latin.
            while let [b'=', high, low, rest @ ..] = input
                && let Some(octet) = octet(*high, *low)
            {
                out.push(octet);
                input = rest;
            }
            match input {
                [] => return,
                [b'=', ..] => {}
                _ => continue,
            }
            let escape = escape(input);
            if matches!(escape, Escape::Undecided) {
                self.held.extend_from_slice(input);
                return;
            }
            let taken = give(&escape, out);
            input = input.get(taken..).unwrap_or_default();
        }
    }

    /// What was held is text, or a soft line break at the very end.
    pub fn finish(self, out: &mut Vec<u8>) {
        if !self.held.ends_with(b"\r") {
            out.extend_from_slice(&self.held);
        }
    }
}

/// Adds what an escape means, and says how many octets it took.
fn give(escape: &Escape, out: &mut Vec<u8>) -> usize {
    match escape {
        Escape::Octet(octet) => {
            out.push(*octet);
            3
        }
        Escape::Break(length) => *length,
        Escape::None | Escape::Undecided => {
            out.push(b'=');
            1
        }
    }
}

/// Adds the text before the next `=`, and gives what begins with that.
///
/// Chunks of fixed length are added whole, and what was too much is taken away again: that costs less than
/// looking first where they end. Where there are few escapes, longer ones pay.
fn text<'i>(mut input: &'i [u8], out: &mut Vec<u8>) -> &'i [u8] {
    const EQUALS: u128 = u128::from_ne_bytes([b'='; 16]);
    const ONES: u128 = u128::from_ne_bytes([1; 16]);
    while let Some(chunk) = input.first_chunk::<16>() {
        // The lowest octet that is zero borrows, and so its highest bit comes to be set.
        let zero = u128::from_le_bytes(*chunk) ^ EQUALS;
        let found = zero.wrapping_sub(ONES) & !zero & (ONES << 7);
        let length = (found.trailing_zeros() / 8) as usize;
        out.extend_from_slice(chunk);
        input = input.get(length..).unwrap_or_default();
        if length < chunk.len() {
            out.truncate(out.len() - (chunk.len() - length));
            return input;
        }
        while let Some((chunk, rest)) = input.split_first_chunk::<LONG>()
            && !has_equals(chunk)
        {
            out.extend_from_slice(chunk);
            input = rest;
        }
    }
    let length = memchr(b'=', input).unwrap_or(input.len());
    let (text, rest) = input.split_at_checked(length).unwrap_or((input, b""));
    out.extend_from_slice(text);
    rest
}

/// Without branches, so that octets are compared side by side.
fn has_equals(chunk: &[u8; LONG]) -> bool {
    let any = chunk
        .iter()
        .fold(0, |any, octet| any | u8::from(*octet == b'='));
    any > 0
}

/// The octet that two hexadecimal digits of either case make.
fn octet(high: u8, low: u8) -> Option<u8> {
    const DIGITS: [u8; 256] = {
        let mut digits = [0xff; 256];
        let mut digit = 0;
        while digit < 16 {
            digits[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
            digits[b"0123456789abcdef"[digit] as usize] = digit as u8;
            digit += 1;
        }
        digits
    };
    let (high, low) = (DIGITS[usize::from(high)], DIGITS[usize::from(low)]);
    (high | low < 16).then_some(high << 4 | low)
}

fn escape(text: &[u8]) -> Escape {
    match text {
        [_, high, low, ..] if let Some(octet) = octet(*high, *low) => return Escape::Octet(octet),
        [_, high] if high.is_ascii_hexdigit() => return Escape::Undecided,
        _ => {}
    }
    let after = text.get(1..).unwrap_or_default();
    let spaces = after
        .iter()
        .take(BLANKS_MAX)
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    match after.get(spaces..).unwrap_or_default() {
        [b'\n', ..] => Escape::Break(spaces + 2),
        [b'\r', b'\n', ..] => Escape::Break(spaces + 3),
        [] | [b'\r'] => Escape::Undecided,
        _ => Escape::None,
    }
}
