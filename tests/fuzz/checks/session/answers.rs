//! What a server says, taken apart as a client does, and whether it agrees with what it said before.

use culver::imap::parse;

/// One response: its lines without their literals' octets, and those.
#[derive(Debug)]
pub struct Response {
    /// `{n}` where a literal was; without the last CRLF.
    pub text: Vec<u8>,
    /// How many literals there were.
    pub literals: usize,
}

impl Response {
    /// The first response in `octets`, and how long it is. `None` if it is not all there. Panics where what
    /// is there cannot be one.
    pub fn cut(octets: &[u8]) -> Option<(Response, usize)> {
        let mut text = Vec::new();
        let mut literals = 0;
        let mut at = 0;
        loop {
            let length = octets.get(at..)?.iter().position(|octet| *octet == b'\n')?;
            let line = &octets[at..at + length];
            let line = line.strip_suffix(b"\r").expect("a line ends in CRLF");
            let odd = |octet: &u8| matches!(octet, b'\r' | 0);
            assert!(!line.iter().any(odd), "{}", line.escape_ascii());
            text.extend_from_slice(line);
            at += length + 1;
            let Some(mark) = parse::literal_mark(line).expect("a size") else {
                return Some((Response { text, literals }, at));
            };
            assert!(!mark.non_sync, "{}", line.escape_ascii());
            literals += 1;
            at = at.checked_add(usize::try_from(mark.size).unwrap()).unwrap();
        }
    }

    /// The words of it, as far as they have no spaces in them.
    pub fn words(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|octet| *octet == b' ')
    }

    /// Whether it begins so.
    pub fn is(&self, start: &str) -> bool {
        self.text.starts_with(start.as_bytes())
    }

    /// The tag and the condition, if it is a tagged response.
    pub fn tagged(&self) -> Option<(&[u8], &[u8])> {
        let mut words = self.words();
        let tag = words.next().filter(|tag| !matches!(*tag, b"*" | b"+"))?;
        let condition = words.next().unwrap_or_default();
        assert!(
            matches!(condition, b"OK" | b"NO" | b"BAD"),
            "{}",
            self.text.escape_ascii()
        );
        Some((tag, condition))
    }

    /// How many messages it acknowledges as appended.
    pub fn appended(&self) -> usize {
        let text = String::from_utf8_lossy(&self.text);
        let Some((_, code)) = text.split_once("OK [APPENDUID ") else {
            return 0;
        };
        let (code, _) = code.split_once(']').unwrap();
        let (_, set) = code.split_once(' ').unwrap();
        let ranges = set.split(',').map(|range| {
            let (from, to) = range.split_once(':').unwrap_or((range, range));
            let [from, to] = [from, to].map(|number| number.parse::<usize>().unwrap());
            to - from + 1
        });
        ranges.sum()
    }

    /// What no client may hear of a Maildir that nothing is wrong with.
    pub fn expect_sound(&self) {
        let code = self.words().nth(2).unwrap_or_default();
        for bad in ["[SERVERBUG]", "[UNAVAILABLE]", "[INUSE]", "[CORRUPTION]"] {
            assert!(code != bad.as_bytes(), "{}", self.text.escape_ascii());
        }
        assert!(["* ", "+ "].iter().any(|start| self.is(start)) || self.tagged().is_some());
    }
}

/// A selected mailbox as the client knows it: the UIDs it has heard.
#[derive(Debug, Default)]
pub struct Picture {
    uids: Option<Vec<Option<u32>>>,
    /// SELECT or EXAMINE runs: the next EXISTS begins anew.
    selecting: bool,
    /// Numbers must not change now (RFC 3501 §7.4.1).
    held: bool,
}

impl Picture {
    /// A command begins.
    pub fn begin(&mut self, line: &[u8]) {
        let verb = parse::verb_of(line).unwrap_or_default();
        self.selecting = matches!(&*verb, "SELECT" | "EXAMINE");
        self.held = matches!(&*verb, "FETCH" | "STORE" | "SEARCH");
    }

    /// A command has ended.
    pub fn end(&mut self, line: &[u8], condition: &[u8]) {
        let verb = parse::verb_of(line).unwrap_or_default();
        match (&*verb, condition) {
            ("SELECT" | "EXAMINE", b"NO") | ("CLOSE" | "UNSELECT", b"OK") => self.uids = None,
            ("SELECT" | "EXAMINE", b"OK") => assert!(self.uids.is_some() && !self.selecting),
            _ => {}
        }
        (self.selecting, self.held) = (false, false);
    }

    /// An untagged response comes.
    pub fn hear(&mut self, response: &Response) {
        if response.is("* OK [CLOSED]") {
            self.uids = None;
        }
        let mut words = response.words().skip(1);
        let number = words.next().and_then(|word| std::str::from_utf8(word).ok());
        let Some(number) = number.and_then(|number| number.parse::<usize>().ok()) else {
            return;
        };
        let what = words.next().unwrap_or_default();
        if what == b"EXISTS" && self.selecting {
            self.selecting = false;
            self.uids = Some(vec![None; number]);
            return;
        }
        let (held, shown) = (self.held, response.text.escape_ascii());
        let uids = self.uids.as_mut().expect("nothing is selected");
        match what {
            b"EXISTS" => {
                assert!(number >= uids.len(), "{shown}");
                uids.resize(number, None);
            }
            b"RECENT" => assert!(number <= uids.len(), "{shown}"),
            b"EXPUNGE" => {
                assert!(!held && (1..=uids.len()).contains(&number), "{shown}");
                uids.remove(number - 1);
            }
            b"FETCH" => {
                assert!((1..=uids.len()).contains(&number), "{shown}");
                if let Some(uid) = uid_of(response) {
                    let known = uids[number - 1].get_or_insert(uid);
                    assert_eq!(*known, uid, "{shown}");
                    let known: Vec<u32> = uids.iter().flatten().copied().collect();
                    assert!(known.is_sorted_by(|one, next| one < next), "{known:?}");
                }
            }
            _ => panic!("{shown}"),
        }
    }
}

/// The UID in a FETCH response, where it can be told without a whole grammar.
fn uid_of(response: &Response) -> Option<u32> {
    let text = std::str::from_utf8(&response.text).ok()?;
    if response.literals > 0 || text.contains('"') {
        return None;
    }
    let (before, rest) = text.split_once("FLAGS (").unwrap_or((text, ")"));
    let (_, after) = rest.split_once(')')?;
    [before, after].iter().find_map(|items| {
        let (_, behind) = items.split_once("UID ")?;
        let end = behind.find(|character: char| !character.is_ascii_digit());
        behind[..end.unwrap_or(behind.len())].parse().ok()
    })
}
