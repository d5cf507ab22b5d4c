//! What is well-formed, or may yet be, and too much: refused with LIMIT where it can be swallowed, else the end.
//! That each limit's last value is still served is shown in `tests/imap/limits.rs`.

use super::Rule;
use super::Sent::{Many, Octets};
use super::State::{Selected, Stranger, User};

/// Three lines of 70,000 octets.
static THREE_LONG_LINES: [u8; 210_000] = {
    let mut octets = [b'x'; 210_000];
    let mut line = 0;
    while line < octets.len() {
        octets[line] = b'a';
        octets[line + 1] = b' ';
        octets[line + 69_999] = b'\n';
        line += 70_000;
    }
    octets
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        says: "before login a line has 8 KiB at most",
        states: &[Stranger],
        answer: "a BAD [LIMIT]",
        rows: &[
            Many(b"a NOOP ", b"x", 8192, b"\r\n"),
            Many(b"a LOGIN u \"", b"p", 20_000, b"\"\r\n"),
            Many(b"a ID (\"name\" \"", b"x", 20_000, b"\")\r\n"),
            Many(b"a LOGIN ", b"\0", 20_000, b"\r\n"),
            Many(b"a LOGIN ", b"\xff", 20_000, b"\r\n"),
            Many(b"a ", b"(", 60_000, b"\r\n"),
            Many(b"a LOGIN ", b"\r", 20_000, b"\r\n"),
            Many(b"a LOGIN ", b"x", 20_000, b" {10+}\r\nb LOGOUT\r\n\r\n"),
        ],
    },
    Rule {
        says: "the same; of a tag that long nothing is left to answer with",
        states: &[Stranger],
        answer: "* BAD [LIMIT]",
        rows: &[
            Many(b"", b"x", 20_000, b"\r\n"),
            Many(b"", b"(", 60_000, b"\r\n"),
            Many(b"", b" ", 20_000, b"\r\n"),
            Many(b"", b"\0", 20_000, b"\r\n"),
        ],
    },
    Rule {
        says: "after login a line has 64 KiB at most",
        states: &[User, Selected],
        answer: "a BAD [LIMIT]",
        rows: &[
            Many(b"a NOOP ", b"x", 65_536, b"\r\n"),
            Many(b"a SELECT \"", b"x", 100_000, b"\"\r\n"),
            Many(b"a SEARCH ", b"(", 10_000_000, b"\r\n"),
            Many(b"a FETCH ", b"1,", 1_000_000, b"1 FLAGS\r\n"),
            Many(b"a APPEND ", b"x", 100_000, b" {10+}\r\nb LOGOUT\r\n\r\n"),
        ],
    },
    Rule {
        says: "the same in IDLE",
        states: &[User],
        answer: "+ | a BAD [LIMIT]",
        rows: &[Many(b"a IDLE\r\n", b"x", 100_000, b"\r\n")],
    },
    Rule {
        says: "the third line that is too long is the last",
        states: &[User],
        answer: "a BAD [LIMIT] | a BAD [LIMIT] | a BAD [LIMIT] | * BYE | closed",
        rows: &[Octets(&THREE_LONG_LINES)],
    },
    Rule {
        says: "a line without an end is read for 64 KiB before login, and then is the end",
        states: &[Stranger],
        answer: "* BYE [TOOBIG] | closed",
        rows: &[
            Many(b"a LOGIN ", b"x", 4 << 20, b""),
            Many(b"", b"\0", 1 << 20, b""),
            Many(b"", b"(", 1 << 20, b""),
        ],
    },
    Rule {
        says: "and for 64 MiB after login",
        states: &[User],
        answer: "* BYE [TOOBIG] | closed",
        rows: &[Many(b"a NOOP ", b"x", 80 << 20, b"")],
    },
    Rule {
        says: "before login a command has 16 KiB at most, its literals included",
        states: &[Stranger],
        answer: "a BAD [LIMIT]",
        rows: &[
            Many(b"a LOGIN", b" {8+}\r\n12345678", 2000, b"\r\n"),
            Many(b"a LOGIN", b" {0+}\r\n", 6000, b"\r\n"),
        ],
    },
    Rule {
        says: "after login 1 MiB",
        states: &[User],
        answer: "a BAD [LIMIT]",
        rows: &[Many(b"a SELECT", b" {8+}\r\n12345678", 200_000, b"\r\n")],
    },
    Rule {
        says: "search keys are nested 32 deep at most, and there are 1000; what is not closed is not asked for",
        states: &[Selected],
        answer: "a BAD [LIMIT]",
        rows: &[
            Many(
                b"a SEARCH ",
                b"(",
                33,
                b"ALL)))))))))))))))))))))))))))))))))\r\n",
            ),
            Many(b"a SEARCH ", b"(", 60_000, b"\r\n"),
            Many(b"a SEARCH ", b"NOT ", 10_000, b"ALL\r\n"),
            Many(b"a SEARCH ", b"OR ALL ", 9000, b"ALL\r\n"),
            Many(b"a SEARCH ", b"OR ", 10_000, b"\r\n"),
            Many(b"a SEARCH ", b"(NOT ", 10_000, b"\r\n"),
            Many(b"a SEARCH ALL", b" ALL", 10_000, b"\r\n"),
            Many(b"a SEARCH RETURN (MIN", b" MIN", 1000, b") ALL\r\n"),
        ],
    },
    Rule {
        says: "other lists have their limits too",
        states: &[Selected],
        answer: "a BAD [LIMIT]",
        rows: &[
            Many(b"a FETCH 1 (UID", b" UID", 1000, b")\r\n"),
            Many(b"a CANCELUPDATE", b" \"a\"", 101, b"\r\n"),
            Many(
                b"a SORT RETURN (MIN",
                b" MIN",
                1000,
                b") (DATE) UTF-8 ALL\r\n",
            ),
            Many(b"a FETCH 1 BODY[1", b".1", 1000, b"]\r\n"),
            Many(b"a FETCH 1 BODY[HEADER.FIELDS (A", b" A", 1000, b")]\r\n"),
            Many(b"a FETCH 1", b",1", 20_000, b" FLAGS\r\n"),
            Many(b"a STORE 1 FLAGS (a", b" a", 1000, b")\r\n"),
            Many(b"a STORE 1 FLAGS (", b"a", 51, b")\r\n"),
            Many(b"a LIST \"\" (a", b" a", 1000, b")\r\n"),
            Many(
                b"a LIST () \"\" * RETURN (CHILDREN",
                b" CHILDREN",
                100,
                b")\r\n",
            ),
            Many(b"a STATUS INBOX (UNSEEN", b" UNSEEN", 100, b")\r\n"),
            Many(b"a ENABLE X", b" X", 100, b"\r\n"),
            Many(b"a ID (\"a\" NIL", b" \"a\" NIL", 30, b")\r\n"),
            Many(b"a ID (\"a\" \"", b"x", 4097, b"\")\r\n"),
            Many(b"a CREATE x (USE (\\Sent", b" \\Sent", 100, b"))\r\n"),
        ],
    },
    Rule {
        says: "lists that are nested are no lists of the grammar",
        states: &[Selected],
        answer: "a BAD",
        rows: &[
            Many(b"a FETCH 1 ", b"(", 60_000, b"\r\n"),
            Many(b"a STORE 1 FLAGS ", b"(", 60_000, b"\r\n"),
            Many(b"a LIST \"\" ", b"(", 60_000, b"\r\n"),
            Many(b"a STATUS INBOX ", b"(", 60_000, b"\r\n"),
            Many(b"a ID ", b"(", 60_000, b"\r\n"),
            Many(b"a FETCH ", b"1:", 20_000, b"* FLAGS\r\n"),
            Many(b"a FETCH ", b"9", 60_000, b" FLAGS\r\n"),
            Many(b"a SELECT {", b"9", 60_000, b"\r\n"),
            Many(b"a UID", b" UID", 10_000, b"\r\n"),
        ],
    },
    Rule {
        says: "a name as long as a line may be is a name that cannot be",
        states: &[User],
        answer: "a NO [CANNOT]",
        rows: &[
            Many(b"a CREATE ", b"x", 60_000, b"\r\n"),
            Many(b"a SELECT \"", b"x", 60_000, b"\"\r\n"),
            Many(b"a CREATE a", b".a", 20_000, b"\r\n"),
            Many(b"a CREATE \"", b"\xc3\xa9", 20_000, b"\"\r\n"),
            Many(b"a CREATE &", b"Jjo", 20_000, b"-\r\n"),
            Many(b"a CREATE ", b"&", 60_000, b"\r\n"),
        ],
    },
    Rule {
        says: "wrong commands in a row: the third ends a stranger's connection",
        states: &[Stranger],
        answer: "a BAD | a BAD | a BAD | * BYE | closed",
        rows: &[Many(b"", b"a BOGUS\r\n", 100, b"")],
    },
    Rule {
        says: "and the twentieth a user's",
        states: &[User],
        answer: "a BAD | a BAD | a BAD | a BAD | a BAD | a BAD | a BAD | a BAD | a BAD | a BAD | a BAD | a BAD | \
                 a BAD | a BAD | a BAD | a BAD | a BAD | a BAD | a BAD | a BAD | * BYE | closed",
        rows: &[Many(b"", b"a BOGUS\r\n", 100, b"")],
    },
];
