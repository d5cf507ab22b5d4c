//! What follows DATA (RFC 5321 §4.5.2): lines, with a dot more where they begin with one, up to the line that is a dot
//! alone. A line ends with CRLF and nothing else: to take a bare LF or CR for an end would let a message carry another
//! one along (SMTP smuggling).

/// Takes the dots off. It holds no more than what it must, to know what follows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dots {
    seen: Seen,
}

/// What came last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Seen {
    /// A line begins.
    #[default]
    LineEnd,
    /// The dot that begins a line, which is held back.
    Dot,
    /// That, and a CR after it, which is held back too.
    DotCr,
    /// A CR.
    Cr,
    /// Anything else.
    Other,
    /// The end.
    End,
}

impl Dots {
    /// Takes what has come, appends to `out` what of it is message, and tells how many octets it took: all of them, or
    /// those up to the end of the message.
    pub fn take(&mut self, octets: &[u8], out: &mut Vec<u8>) -> usize {
        let mut taken = 0;
        while let Some(rest) = octets.get(taken..).filter(|rest| !rest.is_empty()) {
            // In the midst of a line only its end matters.
            if self.seen == Seen::Other {
                let plain = memchr::memchr(b'\r', rest).unwrap_or(rest.len());
                out.extend_from_slice(rest.get(..plain).unwrap_or_default());
                taken += plain;
                if plain == rest.len() {
                    break;
                }
            }
            let Some(octet) = octets.get(taken).copied() else {
                break;
            };
            taken += 1;
            self.seen = match (self.seen, octet) {
                (Seen::LineEnd, b'.') => Seen::Dot,
                (Seen::Dot, b'\r') => Seen::DotCr,
                (Seen::DotCr, b'\n') => {
                    self.seen = Seen::End;
                    return taken;
                }
                (before, octet) => {
                    // The dot before is the one too many; the CR after it is not.
                    if before == Seen::DotCr {
                        out.push(b'\r');
                    }
                    out.push(octet);
                    match (before, octet) {
                        (_, b'\r') => Seen::Cr,
                        (Seen::Cr, b'\n') => Seen::LineEnd,
                        _ => Seen::Other,
                    }
                }
            };
        }
        taken
    }

    /// Whether the message has ended.
    pub fn is_over(&self) -> bool {
        self.seen == Seen::End
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message in these octets, and what is left of them; `None`: it does not end.
    fn read(octets: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let (mut dots, mut out) = (Dots::default(), Vec::new());
        let taken = dots.take(octets, &mut out);
        dots.is_over().then(|| (out, octets[taken..].to_vec()))
    }

    #[test]
    fn dots_go_and_the_end_is_found() {
        for (octets, message, rest) in [
            (".\r\n", "", ""),
            ("a\r\n.\r\nQUIT\r\n", "a\r\n", "QUIT\r\n"),
            ("..\r\n...\r\n.\r\n", ".\r\n..\r\n", ""),
            (".a\r\n.\r\n", "a\r\n", ""),
            ("a\r\r\n.\r\n", "a\r\r\n", ""),
            (".\rx\r\n.\r\n", "\rx\r\n", ""),
            ("\r\n\r\n.\r\n", "\r\n\r\n", ""),
        ] {
            let read = read(octets.as_bytes());
            assert_eq!(
                read,
                Some((message.as_bytes().to_vec(), rest.as_bytes().to_vec())),
                "{octets:?}"
            );
        }
    }

    #[test]
    fn nothing_but_the_whole_end_is_one() {
        for octets in [
            "a\n.\n",
            "a\n.\r\n",
            "a\r\n.\n",
            "a\r.\r",
            "a\r\n.\r",
            "a\r\n.\r\r\n",
            "a\r.\r\n",
            "a\n\n.\n\n",
            "a\r\n.\0\r\n",
            "a\0.\r\n",
            "\n.\r\n",
            ".",
            "",
        ] {
            assert_eq!(read(octets.as_bytes()), None, "{octets:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn it_is_the_same_in_pieces(
            octets in proptest::collection::vec(proptest::sample::select(b"\r\n.ab\0".to_vec()), 0..60),
            cuts in proptest::collection::vec(0usize..60, 0..6),
        ) {
            let (mut whole, mut at_once) = (Dots::default(), Vec::new());
            let taken = whole.take(&octets, &mut at_once);
            let (mut dots, mut out, mut total, mut from) = (Dots::default(), Vec::new(), 0, 0);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(octets.len())).collect();
            cuts.push(octets.len());
            cuts.sort_unstable();
            for cut in cuts {
                if dots.is_over() {
                    break;
                }
                total += dots.take(&octets[from..cut], &mut out);
                from = cut;
            }
            proptest::prop_assert_eq!((dots, out, total), (whole, at_once, taken));
        }

        #[test]
        fn what_was_dotted_comes_back(
            lines in proptest::collection::vec("[.\ra\n]{0,8}", 0..8),
        ) {
            // As a client does it: by CRLF alone.
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let mut dotted = String::new();
            for line in message.split_inclusive("\r\n") {
                if line.starts_with('.') {
                    dotted.push('.');
                }
                dotted.push_str(line);
            }
            dotted.push_str(".\r\n");
            proptest::prop_assert_eq!(read(dotted.as_bytes()), Some((message.into_bytes(), Vec::new())));
        }
    }
}
