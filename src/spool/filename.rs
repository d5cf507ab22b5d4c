//! A message file's name: base name, `,S=` and `,W=`, info suffix ↔ flags.
//!
//! ```text
//! 1795370760.M206143P19652.vm,S=145,W=152:2,FRSab
//! └──────────── base name ──────────────┘└ info ┘
//! ```
//!
//! The base name (up to the first `:`) is the message's identity; other programs give it any form. Flags
//! are read after the last `:`, and only behind `2,`. Names are bytes, not text.

use std::cmp::Ordering;
use std::sync::atomic::{AtomicU64, Ordering as Memory};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::imap::flag::{SystemFlag, SystemFlags};

/// The longest name a directory entry can have, in bytes (NAME_MAX of every file system Linux has).
pub const LONGEST: usize = 255;

/// No Maildir is older than its inventor's first: 1995, in seconds since 1970.
const FIRST_MAILDIR: u32 = 788_918_400;

/// The longest host name that goes into a base name, in bytes.
const LONGEST_HOST: usize = 64;

/// The letters of the system flags in an info suffix. Other capitals (`P`, "passed") are kept, not read.
const LETTERS: [(u8, SystemFlag); 5] = [
    (b'D', SystemFlag::Draft),
    (b'F', SystemFlag::Flagged),
    (b'R', SystemFlag::Answered),
    (b'S', SystemFlag::Seen),
    (b'T', SystemFlag::Deleted),
];

/// Up to 26 keywords of one mailbox by their letters: bit 0 is `a`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Letters(pub u32);

impl Letters {
    /// The keyword letter of a byte of an info suffix.
    fn of(byte: u8) -> Option<Letters> {
        byte.is_ascii_lowercase()
            .then(|| Letters(1 << (byte - b'a')))
    }

    /// The letters as they stand in a name.
    fn bytes(self) -> impl Iterator<Item = u8> {
        (b'a'..=b'z').filter(move |letter| self.0 >> (letter - b'a') & 1 == 1)
    }
}

/// A name in `new/` or `cur/` that can be a message: its base name is not empty, it has no leading dot,
/// no CR, LF, NUL or `/`, and at most [`LONGEST`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileName {
    bytes: Box<[u8]>,
}

impl FileName {
    /// Takes a directory entry's name; `None` if such an entry is never a message.
    pub fn new(bytes: &[u8]) -> Option<FileName> {
        let possible = !matches!(bytes.first(), None | Some(b'.' | b':'))
            && bytes.len() <= LONGEST
            && !bytes
                .iter()
                .any(|byte| matches!(byte, b'\r' | b'\n' | b'\0' | b'/'));
        possible.then(|| FileName {
            bytes: bytes.into(),
        })
    }

    /// The whole name.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Everything before the **first** `:` (what the uidlist names); flags are looked for after the last.
    pub fn base(&self) -> &[u8] {
        match memchr::memchr(b':', &self.bytes) {
            Some(colon) => self.bytes.get(..colon).unwrap_or_default(),
            None => &self.bytes,
        }
    }

    /// System flags and keyword letters of the info suffix; none if it is not `2,…`.
    pub fn flags(&self) -> (SystemFlags, Letters) {
        let mut flags = SystemFlags::NONE;
        let mut letters = Letters::default();
        for &byte in self.info().0 {
            if let Some((_, flag)) = LETTERS.iter().find(|(letter, _)| *letter == byte) {
                flags = flags.with(*flag);
            } else if let Some(letter) = Letters::of(byte) {
                letters.0 |= letter.0;
            }
        }
        (flags, letters)
    }

    /// `,W=`: octets with every line end as CRLF.
    pub fn virtual_size(&self) -> Option<u64> {
        field(&self.bytes, b",W=")
    }

    /// `,S=`: octets of the file.
    pub fn size(&self) -> Option<u64> {
        size_in(&self.bytes)
    }

    /// The name this message has with other flags: unknown letters and what follows a `,` are kept, all
    /// sorted as Dovecot sorts them. `None` if it would be over 255 bytes.
    pub fn with_flags(&self, flags: SystemFlags, letters: Letters) -> Option<FileName> {
        let (list, rest) = self.info();
        let foreign = list.iter().copied().filter(|byte| {
            Letters::of(*byte).is_none() && !LETTERS.iter().any(|(letter, _)| letter == byte)
        });
        let system = LETTERS
            .iter()
            .filter(|(_, flag)| flags.has(*flag))
            .map(|(letter, _)| *letter);
        let mut list: Vec<u8> = foreign.chain(system).chain(letters.bytes()).collect();
        list.sort_unstable();
        FileName::new(&[self.split().0, b":2,", &list, rest].concat())
    }

    /// The name in `cur/` of a message taken over from `new/`: with an empty info suffix, unless it has one.
    /// `None` if it would be over 255 bytes.
    pub fn taken_over(&self) -> Option<FileName> {
        match self.split().1 {
            Some(_) => Some(self.clone()),
            None => FileName::new(&[&self.bytes, b":2,".as_slice()].concat()),
        }
    }

    /// The same message under another base name (the info suffix stays). `None` if that is no base name,
    /// or the whole would be over 255 bytes.
    pub fn with_base(&self, base: &[u8]) -> Option<FileName> {
        let suffix = match memchr::memrchr(b':', &self.bytes) {
            Some(colon) => self.bytes.get(colon..).unwrap_or_default(),
            None => &[],
        };
        if base.contains(&b':') {
            return None;
        }
        FileName::new(base)?;
        FileName::new(&[base, suffix].concat())
    }

    /// Order in which new messages get their UIDs: seconds, then microseconds after `M`, then bytes.
    ///
    /// A name without `M` comes before one with it in the same second. (Dovecot goes by bytes if one of
    /// two lacks it, which is no order when three of them meet.)
    pub fn arrival_order(&self, other: &FileName) -> Ordering {
        let key = |name: &FileName| {
            let base = name.base();
            let seconds = leading_number(base).unwrap_or_default();
            let second = base.split(|byte| *byte == b'.').nth(1).unwrap_or_default();
            let micros = memchr::memchr(b'M', second)
                .and_then(|at| second.get(at.saturating_add(1)..))
                .and_then(leading_number);
            (seconds, micros)
        };
        key(self)
            .cmp(&key(other))
            .then_with(|| self.base().cmp(other.base()))
    }

    /// The time that the base name begins with, in seconds since 1970: whoever puts a message into a Maildir makes its
    /// name then. `None` where no such time can be meant.
    pub fn placed(&self) -> Option<u32> {
        let seconds = u32::try_from(leading_number(self.base())?).ok()?;
        (seconds >= FIRST_MAILDIR).then_some(seconds)
    }

    /// A base name never used before: `secs.M…P….host`, as Dovecot's, without `:`, `/`, `,` in the host.
    /// The time in it grows with every call of this process, whatever the clock does.
    pub fn fresh_base() -> Vec<u8> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| {
                u64::try_from(since.as_micros()).unwrap_or_default()
            });
        let next = |last: u64| Some(now.max(last.saturating_add(1)));
        let last = LAST
            .fetch_update(Memory::Relaxed, Memory::Relaxed, next)
            .unwrap_or_default();
        let micros = now.max(last.saturating_add(1));
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let mut base = format!("{seconds}.M{micros}P{}.", std::process::id()).into_bytes();
        base.extend(host(rustix::system::uname().nodename().to_bytes()));
        base
    }

    /// What flags are put behind, and the info suffix behind the last `:`, if there is one.
    fn split(&self) -> (&[u8], Option<&[u8]>) {
        match memchr::memrchr(b':', &self.bytes)
            .and_then(|colon| self.bytes.split_at_checked(colon))
        {
            Some((before, info)) => (before, Some(info.get(1..).unwrap_or_default())),
            None => (&self.bytes, None),
        }
    }

    /// The list of flags, and what follows it from the next `,` on. Both are empty if the info suffix is
    /// not `2,…`.
    fn info(&self) -> (&[u8], &[u8]) {
        let Some(list) = self.split().1.and_then(|info| info.strip_prefix(b"2,")) else {
            return (&[], &[]);
        };
        let end = memchr::memchr(b',', list).unwrap_or(list.len());
        list.split_at_checked(end).unwrap_or((list, &[]))
    }
}

/// `,S=` of any entry, whether or not that is a message.
pub(super) fn size_in(name: &[u8]) -> Option<u64> {
    field(name, b",S=")
}

/// The number that `,X=` gives, if digits alone stand between it and the next `,`, `:` or the end.
fn field(name: &[u8], key: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(name, key)?.checked_add(key.len())?;
    let rest = name.get(at..)?;
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b',' | b':'))
        .unwrap_or(rest.len());
    number(rest.get(..end)?)
}

/// A number of decimal digits alone. `None` if there is none, or beyond 64 bits.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    let digits_only = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    digits_only
        .then(|| std::str::from_utf8(digits).ok()?.parse().ok())
        .flatten()
}

/// The number that the text begins with.
fn leading_number(text: &[u8]) -> Option<u64> {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    number(text.get(..end)?)
}

/// A host name as it may stand in a base name.
fn host(name: &[u8]) -> Vec<u8> {
    let fits = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':' | b',');
    let host: Vec<u8> = name
        .iter()
        .copied()
        .filter(fits)
        .take(LONGEST_HOST)
        .collect();
    if host.is_empty() {
        b"localhost".to_vec()
    } else {
        host
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> FileName {
        FileName::new(text.as_bytes()).expect(text)
    }

    fn flags_of(text: &str) -> String {
        let (flags, letters) = name(text).flags();
        let mut shown: String = flags.iter().map(|flag| flag.as_str()).collect();
        shown.extend(letters.bytes().map(char::from));
        shown
    }

    #[test]
    fn entries_that_are_never_messages() {
        for bytes in [
            b"".as_slice(),
            b".hidden",
            b":2,S",
            b"a\rb",
            b"a\nb",
            b"a/b",
            b"a\0b",
            &[b'x'; 256],
        ] {
            assert_eq!(FileName::new(bytes), None);
        }
        for bytes in [b"weird name.eml".as_slice(), b"\xff\xfe", &[b'x'; 255]] {
            assert!(FileName::new(bytes).is_some());
        }
    }

    #[test]
    fn flags_stand_behind_the_last_colon_and_2() {
        assert_eq!(flags_of("1.h:2,FRSab"), "\\Answered\\Flagged\\Seenab");
        assert_eq!(flags_of("1.h:2,SF,xyz"), "\\Flagged\\Seen");
        assert_eq!(flags_of("1.h:2,PSX"), "\\Seen");
        for none in ["1.h", "1.h:1,S", "1.h:2S", "1.h:", "1.h:2,", "1.h:2,S:1,S"] {
            assert_eq!(flags_of(none), "", "{none}");
        }
        assert_eq!(flags_of("1.h:2,S:2,T"), "\\Deleted");
        assert_eq!(name("1.h:2,S:2,T").base(), b"1.h");
    }

    #[test]
    fn rewriting_flags_does_as_dovecot_does() {
        let seen = SystemFlags::NONE.with(SystemFlag::Seen);
        let answered = seen.with(SystemFlag::Answered);
        let both = answered.with(SystemFlag::Flagged);
        for (old, flags, letters, new) in [
            ("7.d.host:2,PSXac", answered, 0b101, "7.d.host:2,PRSXac"),
            ("8.e.host:2,SF,xyz", both, 0, "8.e.host:2,FRS,xyz"),
            ("9.f.host:2,SSF", both, 0, "9.f.host:2,FRS"),
            ("6.c.host:1,exp", answered, 0, "6.c.host:2,RS"),
            ("5.b.host", answered, 0, "5.b.host:2,RS"),
            ("5.b.host:2,S", SystemFlags::NONE, 0, "5.b.host:2,"),
            ("5.b:2,S:2,T", seen, 0, "5.b:2,S:2,S"),
            ("5.b:2,_9", seen, 1, "5.b:2,9S_a"),
        ] {
            let new = name(new);
            assert_eq!(name(old).with_flags(flags, Letters(letters)), Some(new));
        }
    }

    #[test]
    fn a_name_too_long_for_its_flags_is_told() {
        let long = name(&"x".repeat(252));
        assert!(long.with_flags(SystemFlags::NONE, Letters(0)).is_some());
        let seen = SystemFlags::NONE.with(SystemFlag::Seen);
        assert_eq!(long.with_flags(seen, Letters(0)), None);
        assert_eq!(name(&"x".repeat(253)).taken_over(), None);
    }

    #[test]
    fn sizes_are_taken_only_where_digits_alone_stand() {
        let sizes = |text: &str| (name(text).size(), name(text).virtual_size());
        assert_eq!(sizes("1.M2P3.vm,S=145,W=152:2,S"), (Some(145), Some(152)));
        assert_eq!(sizes("1.M2P3.vm,W=152,S=145"), (Some(145), Some(152)));
        assert_eq!(sizes("1.h,S=12x,W=:2,S"), (None, None));
        assert_eq!(sizes("1.h,S=+1,W=99999999999999999999"), (None, None));
        assert_eq!(sizes("1.h,S=1,S=2"), (Some(1), None));
    }

    #[test]
    fn taking_over_adds_an_info_suffix_once() {
        assert_eq!(name("1.h").taken_over(), Some(name("1.h:2,")));
        assert_eq!(name("1.h:1,x").taken_over(), Some(name("1.h:1,x")));
    }

    #[test]
    fn another_base_keeps_the_info() {
        assert_eq!(name("1.h:2,FS").with_base(b"2.i"), Some(name("2.i:2,FS")));
        assert_eq!(name("1.h").with_base(b"2.i"), Some(name("2.i")));
        for bad in [b"".as_slice(), b".a", b"a:b", b"a/b"] {
            assert_eq!(name("1.h:2,S").with_base(bad), None);
        }
    }

    #[test]
    fn arrival_goes_by_seconds_then_microseconds_then_bytes() {
        let mut names = [
            "1700000016.M10P7.mutt:2,S",
            "1700000016.M7P7.mutt:2,S",
            "1700000003.Vfd00I1234M55.mx",
            "weird name.eml",
            "1700000016.x.host",
            "1700000004.b",
            "1700000004.a:2,S",
            "99999999999999999999999.M1P1.h",
        ]
        .map(name);
        names.sort_by(FileName::arrival_order);
        let order: Vec<_> = names.iter().map(|n| n.bytes().to_vec()).collect();
        let expected = [
            "99999999999999999999999.M1P1.h",
            "weird name.eml",
            "1700000003.Vfd00I1234M55.mx",
            "1700000004.a:2,S",
            "1700000004.b",
            "1700000016.x.host",
            "1700000016.M7P7.mutt:2,S",
            "1700000016.M10P7.mutt:2,S",
        ];
        // A number beyond 64 bits counts as none, and one with `M` comes after one without.
        assert_eq!(order[0], expected[1].as_bytes());
        assert_eq!(order[1], expected[0].as_bytes());
        for (shown, expected) in order.iter().zip(expected).skip(2) {
            assert_eq!(shown, expected.as_bytes());
        }
    }

    #[test]
    fn when_a_file_was_placed() {
        for (text, expected) in [
            ("1700000000.M1P1.host:2,S", Some(1_700_000_000)),
            ("1700000000", Some(1_700_000_000)),
            ("4294967295.x", Some(u32::MAX)),
            ("4294967296.x", None),
            ("788918399.x", None),
            ("1.M1P1.host", None),
            ("message", None),
            ("99999999999999999999999.x", None),
        ] {
            assert_eq!(name(text).placed(), expected, "{text}");
        }
        let fresh = FileName::new(&FileName::fresh_base()).expect("a name");
        assert!(fresh.placed().is_some());
    }

    #[test]
    fn fresh_bases_differ_and_grow() {
        let bases: Vec<FileName> = (0..1000)
            .map(|_| FileName::new(&FileName::fresh_base()).expect("a name"))
            .collect();
        for pair in bases.windows(2) {
            assert_eq!(pair[0].arrival_order(&pair[1]), Ordering::Less);
        }
    }

    #[test]
    fn hosts_lose_what_would_break_a_name() {
        assert_eq!(host(b"ma:il/ex,am ple\n.org"), b"mailexample.org");
        assert_eq!(host(b"///"), b"localhost");
        assert_eq!(host(&[b'h'; 300]).len(), LONGEST_HOST);
    }

    proptest! {
        #[test]
        fn flags_written_are_flags_read(bytes in proptest::collection::vec(any::<u8>(), 0..260), bits in 0u8..32, letters in 0u32..1 << 26) {
            let Some(name) = FileName::new(&bytes) else { return Ok(()) };
            let flags = SystemFlag::ALL.into_iter().enumerate().fold(SystemFlags::NONE, |set, (bit, flag)| {
                if bits >> bit & 1 == 1 { set.with(flag) } else { set }
            });
            if let Some(renamed) = name.with_flags(flags, Letters(letters)) {
                prop_assert_eq!(renamed.flags(), (flags, Letters(letters)));
                prop_assert_eq!(renamed.base(), name.base());
                prop_assert_eq!(renamed.with_flags(flags, Letters(letters)), Some(renamed.clone()));
            }
        }

        #[test]
        fn arrival_is_an_order(names in proptest::collection::vec("[0-2]{0,2}(\\.[MPx0-2]{0,3}){0,2}(:2,S)?", 1..12)) {
            let mut names: Vec<FileName> = names.iter().filter_map(|n| FileName::new(n.as_bytes())).collect();
            names.sort_by(FileName::arrival_order);
            for pair in names.windows(2) {
                prop_assert_ne!(pair[0].arrival_order(&pair[1]), Ordering::Greater);
            }
        }
    }
}
