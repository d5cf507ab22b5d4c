//! What is no command, and what the client is told.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::*;

#[test]
fn without_a_tag() {
    for bytes in [
        &b""[..],
        b" NOOP",
        b"+ NOOP",
        b"* OK",
        b"{3}",
        b"\0",
        b"\r",
        b"((((",
    ] {
        let error = command(bytes).unwrap_err();
        assert_eq!(error.tag, None);
        assert_eq!(error.expected, "Expected a tag (octet 1)");
    }
    let error = command(b"\xffa NOOP").unwrap_err();
    assert_eq!(
        (error.tag, &*error.expected),
        (None, "8bit data in atom (octet 1)")
    );
    let error = command(b"a").unwrap_err();
    assert_eq!(error.expected, "Expected a space (octet 2)");
    assert_eq!(error.tag.unwrap().as_str(), "a");
    // What does not end like a tag is none.
    for bytes in [
        &b"a\rNOOP"[..],
        b"a(b NOOP",
        b"a+ NOOP",
        b"a\0",
        b"a{3+}\r\nx y",
    ] {
        let error = command(bytes).unwrap_err();
        assert_eq!(
            (error.tag, &*error.expected),
            (None, "Expected a space (octet 2)")
        );
    }
}

#[test]
fn texts_and_places() {
    for (text, expected) in [
        ("", "Expected a command (octet 3)"),
        (" NOOP", "Expected a command (octet 3)"),
        ("XYZZY", "Unknown command"),
        ("XYZZY (((", "Unknown command"),
        ("UID", "Expected a space (octet 6)"),
        ("UID ", "Expected a command after UID (octet 7)"),
        ("UID NOOP", "Unknown command"),
        ("UID UID FETCH 1 UID", "Unknown command"),
        ("NOOP ", "Expected the command's end (octet 7)"),
        ("NOOP x", "Expected the command's end (octet 7)"),
        ("NOOP\0", "Expected the command's end (octet 7)"),
        ("NOOP\r", "Expected the command's end (octet 7)"),
        ("COMPRESS", "Expected a space (octet 11)"),
        ("COMPRESS ", "Expected a compression mechanism (octet 12)"),
        ("COMPRESS GZIP", "Unknown compression mechanism"),
        (
            "COMPRESS DEFLATE x",
            "Expected the command's end (octet 19)",
        ),
        (
            "UIDBATCHES 0",
            "Expected a number from 1 to 4294967295 (octet 14)",
        ),
        ("UIDBATCHES 500 1", "Expected : (octet 19)"),
        (
            "UIDBATCHES 500 1:*",
            "Expected a number from 1 to 4294967295 (octet 20)",
        ),
        ("UNAUTHENTICATE x", "Expected the command's end (octet 17)"),
        ("LOGIN", "Expected a space (octet 8)"),
        ("LOGIN ", "Expected an atom or a string (octet 9)"),
        ("LOGIN  a b", "Expected an atom or a string (octet 9)"),
        ("LOGIN a", "Expected a space (octet 10)"),
        ("LOGIN a b c", "Expected the command's end (octet 12)"),
        ("LOGIN a\0 b", "Expected a space (octet 10)"),
        ("LOGIN é b", "8bit data in atom (octet 9)"),
        ("LOGIN aé b", "8bit data in atom (octet 10)"),
        ("LOGIN a (b)", "Expected an atom or a string (octet 11)"),
        ("LOGIN a {b}", "Expected a number (octet 12)"),
        ("LOGIN a {-1}\r\n", "Expected a number (octet 12)"),
        ("LOGIN a {0x10}\r\n", "Expected } (octet 13)"),
        ("LOGIN a {1-}\r\nb", "Expected } (octet 13)"),
        ("LOGIN a {1}", "Expected a line's end (octet 14)"),
        ("LOGIN a {1} b", "Expected a line's end (octet 14)"),
        (
            "LOGIN a {4}\r\nabc",
            "Expected all octets of the literal (octet 19)",
        ),
        ("LOGIN a {18446744073709551615}\r\nabc", "Number too large"),
        (
            "LOGIN a {9223372036854775807}\r\nabc",
            "Expected all octets of the literal (octet 37)",
        ),
        ("LOGIN a {3}\r\na\0b", "Expected no NUL (octet 17)"),
        (
            "LOGIN a ~{3}\r\nabc",
            "Expected the command's end (octet 12)",
        ),
        ("LOGIN a \"b", "Expected the quoted string's end (octet 13)"),
        (
            "LOGIN a \"b\\",
            "Expected \" or \\ after a backslash (octet 14)",
        ),
        (
            "LOGIN a \"b\\n\"",
            "Expected \" or \\ after a backslash (octet 14)",
        ),
        (
            "LOGIN a \"b\r\n\"",
            "Expected the quoted string's end (octet 13)",
        ),
        (
            "LOGIN a \"b\0\"",
            "Expected the quoted string's end (octet 13)",
        ),
        ("LOGIN a \"b\"c", "Expected the command's end (octet 14)"),
        (
            "AUTHENTICATE ",
            "Expected an authentication mechanism (octet 16)",
        ),
        (
            "AUTHENTICATE PLAIN ",
            "Expected an initial response (octet 22)",
        ),
        (
            "AUTHENTICATE PLAIN *",
            "Invalid base64 data in initial response",
        ),
        (
            "AUTHENTICATE PLAIN AGEAYg",
            "Invalid base64 data in initial response",
        ),
        (
            "AUTHENTICATE PLAIN AGEAYg==é",
            "Invalid base64 data in initial response",
        ),
        (
            "AUTHENTICATE PLAIN = =",
            "Expected the command's end (octet 23)",
        ),
        ("ENABLE", "Expected a space (octet 9)"),
        ("ENABLE (x)", "Expected a capability (octet 10)"),
        ("ID", "Expected a space (octet 5)"),
        ("ID x", "Expected a list or NIL (octet 6)"),
        ("ID (a b)", "Expected a string (octet 7)"),
        ("ID (\"a\")", "Expected a space (octet 10)"),
        ("ID (\"a\" b)", "Expected a string or NIL (octet 11)"),
        ("ID (\"a\" \"b\"", "Expected ) (octet 14)"),
        ("SELECT", "Expected a space (octet 9)"),
        ("SELECT ", "Expected a mailbox name (octet 10)"),
        ("SELECT a*", "Expected the command's end (octet 11)"),
        ("RENAME a", "Expected a space (octet 11)"),
        ("LIST", "Expected a space (octet 7)"),
        ("LIST * x", "Expected a reference name (octet 8)"),
        ("LIST \"\" ", "Expected a mailbox pattern (octet 11)"),
        ("LIST \"\" ()", "Expected a mailbox pattern (octet 12)"),
        ("LIST \"\" (a (b))", "Expected a mailbox pattern (octet 14)"),
        ("LIST \"\" (a", "Expected ) (octet 13)"),
        ("LIST () \"\"", "Expected a space (octet 13)"),
        ("LIST ( ) \"\" *", "Expected a selection option (octet 9)"),
        ("LIST (REMOTE)", "Expected a space (octet 16)"),
        ("LIST (REMOTE\"\" *", "Expected ) (octet 15)"),
        ("LIST \"\" % RETURN", "Expected a space (octet 19)"),
        ("LIST \"\" % BOGUS ()", "Expected RETURN (octet 13)"),
        ("LIST \"\" % RETURN CHILDREN", "Expected ( (octet 20)"),
        (
            "LIST \"\" % RETURN ( CHILDREN)",
            "Expected a return option (octet 21)",
        ),
        (
            "LIST \"\" % RETURN () ()",
            "Expected the command's end (octet 22)",
        ),
        ("LIST \"\" % RETURN (STATUS)", "Expected a space (octet 27)"),
        ("LSUB \"\" (%)", "Expected a mailbox pattern (octet 11)"),
        (
            "LSUB \"\" % RETURN ()",
            "Expected the command's end (octet 12)",
        ),
        // RFC 5258 §3 and §3.1.
        ("LIST (X) \"\" %", "Unknown LIST selection option"),
        ("LIST \"\" % RETURN (X)", "Unknown LIST return option"),
        (
            "LIST (RECURSIVEMATCH) \"\" %",
            "RECURSIVEMATCH must not be the only selection",
        ),
        (
            "LIST (REMOTE RECURSIVEMATCH) \"\" %",
            "RECURSIVEMATCH must not be the only selection",
        ),
        ("CREATE x ()", "Expected USE (octet 13)"),
        ("CREATE x (USE)", "Expected a space (octet 16)"),
        ("CREATE x (USE (Sent))", "Expected \\ (octet 18)"),
        ("CREATE x (FOO)", "Unknown CREATE parameter"),
        ("CREATE x y", "Expected the command's end (octet 11)"),
        ("STATUS x", "Expected a space (octet 11)"),
        (
            "STATUS x ()",
            "Expected MESSAGES, UIDNEXT, UIDVALIDITY, UNSEEN, DELETED, SIZE, HIGHESTMODSEQ, MAILBOXID, APPENDLIMIT or RECENT (octet 13)",
        ),
        (
            "STATUS x (SIZES)",
            "Expected MESSAGES, UIDNEXT, UIDVALIDITY, UNSEEN, DELETED, SIZE, HIGHESTMODSEQ, MAILBOXID, APPENDLIMIT or RECENT (octet 13)",
        ),
        ("STATUS x MESSAGES", "Expected ( (octet 12)"),
        ("STATUS x (MESSAGES", "Expected ) (octet 21)"),
        (
            "STATUS x (MESSAGES )",
            "Expected MESSAGES, UIDNEXT, UIDVALIDITY, UNSEEN, DELETED, SIZE, HIGHESTMODSEQ, MAILBOXID, APPENDLIMIT or RECENT (octet 22)",
        ),
        ("FETCH", "Expected a space (octet 8)"),
        ("FETCH x FLAGS", "Expected a sequence set (octet 9)"),
        ("FETCH 0 FLAGS", "Expected a sequence set (octet 9)"),
        ("FETCH 01 FLAGS", "Expected a sequence set (octet 9)"),
        (
            "FETCH 1:0 FLAGS",
            "Expected a number from 1 to 4294967295 or * (octet 11)",
        ),
        (
            "FETCH 4294967296 FLAGS",
            "Expected a sequence set (octet 9)",
        ),
        ("FETCH 99999999999999999999 FLAGS", "Number too large"),
        ("FETCH -1 FLAGS", "Expected a sequence set (octet 9)"),
        (
            "FETCH 1, FLAGS",
            "Expected a number from 1 to 4294967295 or * (octet 11)",
        ),
        (
            "FETCH 1: FLAGS",
            "Expected a number from 1 to 4294967295 or * (octet 11)",
        ),
        ("FETCH 1:2:3 FLAGS", "Expected a space (octet 12)"),
        ("FETCH 1", "Expected a space (octet 10)"),
        ("FETCH 1 ", "Expected a FETCH item (octet 11)"),
        ("FETCH 1 ()", "Expected a FETCH item (octet 12)"),
        ("FETCH 1 X", "Expected a FETCH item (octet 11)"),
        ("FETCH 1 (FAST)", "Expected a FETCH item (octet 12)"),
        ("FETCH 1 FAST UID", "Expected the command's end (octet 15)"),
        ("FETCH 1 FLAGS UID", "Expected the command's end (octet 16)"),
        ("FETCH 1 (FLAGS", "Expected ) (octet 17)"),
        ("FETCH 1 (FLAGS  UID)", "Expected a FETCH item (octet 18)"),
        ("FETCH 1 ((FLAGS))", "Expected a FETCH item (octet 12)"),
        ("FETCH 1 BODY.PEEK", "Expected [ (octet 20)"),
        (
            "FETCH 1 PREVIEW LAZY",
            "Expected the command's end (octet 18)",
        ),
        (
            "FETCH 1 (PREVIEW (EAGER))",
            "Expected a FETCH item (octet 20)",
        ),
        ("FETCH 1 (PREVIEW ())", "Expected a FETCH item (octet 20)"),
        ("FETCH 1 (SNIPPET ())", "Expected a FETCH item (octet 20)"),
        (
            "FETCH 1 (PREVIEW (LAZY=X))",
            "Expected a FETCH item (octet 20)",
        ),
        ("FETCH 1 FLAGS[]", "Expected the command's end (octet 16)"),
        (
            "FETCH 1 BODY[",
            "Expected a part number, HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT or TEXT (octet 16)",
        ),
        (
            "FETCH 1 BODY[MIME]",
            "Expected a part number, HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT or TEXT (octet 16)",
        ),
        (
            "FETCH 1 BODY[0]",
            "Expected a number from 1 to 4294967295 (octet 16)",
        ),
        (
            "FETCH 1 BODY[1.]",
            "Expected a part number, HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME (octet 18)",
        ),
        (
            "FETCH 1 BODY[1.x]",
            "Expected a part number, HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME (octet 18)",
        ),
        ("FETCH 1 BODY[1", "Expected ] (octet 17)"),
        (
            "FETCH 1 BODY[TEXT.1]",
            "Expected a part number, HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT or TEXT (octet 16)",
        ),
        ("FETCH 1 BODY[HEADER.FIELDS]", "Expected a space (octet 29)"),
        (
            "FETCH 1 BODY[HEADER.FIELDS ()]",
            "Expected an atom or a string (octet 31)",
        ),
        ("FETCH 1 BODY[]<0>", "Expected . (octet 19)"),
        (
            "FETCH 1 BODY[]<0.0>",
            "Expected a length of 1 at least (octet 20)",
        ),
        ("FETCH 1 BODY[]<.1>", "Expected a number (octet 18)"),
        ("FETCH 1 BODY[]<0.1", "Expected > (octet 21)"),
        ("FETCH 1 BODY[]<0.9223372036854775808>", "Number too large"),
        ("STORE 1 (\\Seen)", "Expected UNCHANGEDSINCE (octet 12)"),
        (
            "STORE 1 *FLAGS (\\Seen)",
            "Expected FLAGS, +FLAGS or -FLAGS, perhaps with .SILENT (octet 11)",
        ),
        (
            "STORE 1 +FLAG (\\Seen)",
            "Expected FLAGS, +FLAGS or -FLAGS, perhaps with .SILENT (octet 11)",
        ),
        ("STORE 1 FLAGS", "Expected a space (octet 16)"),
        ("STORE 1 FLAGS ", "Expected a flag (octet 17)"),
        ("STORE 1 FLAGS (", "Expected a flag (octet 18)"),
        ("STORE 1 FLAGS (\\Recent)", "\\Recent cannot be set"),
        (
            "STORE 1 FLAGS (\\Recently)",
            "Invalid system flag \\Recently",
        ),
        ("STORE 1 +FLAGS.SILENT \\X", "Invalid system flag \\X"),
        ("STORE 1 -FLAGS (\\Seen \\X)", "Invalid system flag \\X"),
        ("STORE 1 FLAGS \\X\0", "Invalid system flag \\X"),
        (
            "STORE 1 FLAGS \\*",
            "Expected a system flag's name (octet 18)",
        ),
        ("STORE 1 FLAGS (a]b)", "Expected ) (octet 19)"),
        ("STORE 1 FLAGS (é)", "8bit data in atom (octet 18)"),
        ("SEARCH", "Expected a space (octet 9)"),
        ("SEARCH ", "Expected a search key (octet 10)"),
        ("SEARCH ()", "Expected a search key (octet 11)"),
        ("SEARCH X", "Expected a search key (octet 10)"),
        ("SEARCH (ALL", "Expected ) (octet 14)"),
        ("SEARCH ALL)", "Expected the command's end (octet 13)"),
        ("SEARCH CHARSET", "Expected a search key (octet 10)"),
        ("SEARCH CHARSET UTF-8", "Expected a space (octet 23)"),
        ("SEARCH CHARSET UTF-8 ", "Expected a search key (octet 24)"),
        (
            "SEARCH ALL CHARSET UTF-8",
            "Expected a search key (octet 14)",
        ),
        (
            "SEARCH UIDAFTER 0",
            "Expected a number from 1 to 4294967295 (octet 19)",
        ),
        (
            "SEARCH UIDBEFORE 4294967296",
            "Expected a number from 1 to 4294967295 (octet 20)",
        ),
        ("SEARCH NOT", "Expected a space (octet 13)"),
        ("SEARCH OR ALL", "Expected a space (octet 16)"),
        (
            "SEARCH ON 31-Feb-1994",
            "Expected a date such as 1-Feb-1994 (octet 13)",
        ),
        (
            "SEARCH ON \"1 Feb 1994\"",
            "Expected a date such as 1-Feb-1994 (octet 13)",
        ),
        (
            "SEARCH ON (",
            "Expected a date such as 1-Feb-1994 (octet 13)",
        ),
        (
            "SEARCH RETURN (MIN LEAST) ALL",
            "Expected MIN, MAX, ALL, COUNT, SAVE, PARTIAL, UPDATE or CONTEXT (octet 22)",
        ),
        ("SEARCH RETURN (PARTIAL) ALL", "Expected a space (octet 25)"),
        (
            "SEARCH RETURN (PARTIAL 0:1) ALL",
            "Expected a number from 1 to 4294967295 (octet 26)",
        ),
        ("SEARCH RETURN (PARTIAL 1) ALL", "Expected : (octet 27)"),
        (
            "SEARCH RETURN (PARTIAL 1:*) ALL",
            "Expected a number from 1 to 4294967295 (octet 28)",
        ),
        (
            "SEARCH RETURN (PARTIAL 1:-2) ALL",
            "Expected a number from 1 to 4294967295 (octet 28)",
        ),
        ("SEARCH RETURN (PARTIAL -1:2) ALL", "Expected - (octet 29)"),
        (
            "SEARCH RETURN (PARTIAL 1:2 PARTIAL 1:2) ALL",
            "PARTIAL can be used only once",
        ),
        (
            "SEARCH RETURN (ALL PARTIAL 1:2) ALL",
            "PARTIAL cannot be used with ALL",
        ),
        (
            "SORT RETURN (PARTIAL 1:2 ALL) (DATE) UTF-8 ALL",
            "PARTIAL cannot be used with ALL",
        ),
        ("ESEARCH", "Expected a space (octet 10)"),
        (
            "ESEARCH IN ALL",
            "Expected mailboxes in parentheses (octet 14)",
        ),
        (
            "ESEARCH IN () ALL",
            "Expected inboxes, mailboxes, personal, selected, subscribed, subtree or subtree-one (octet 15)",
        ),
        (
            "ESEARCH IN (selected-delayed) ALL",
            "Expected inboxes, mailboxes, personal, selected, subscribed, subtree or subtree-one (octet 15)",
        ),
        ("ESEARCH IN (mailboxes) ALL", "Expected a space (octet 24)"),
        (
            "ESEARCH IN (mailboxes ()) ALL",
            "Expected a mailbox name (octet 26)",
        ),
        ("ESEARCH IN (personal)", "Expected a space (octet 24)"),
        ("UID ESEARCH ALL", "Unknown command"),
        ("SORT RETURN () UTF-8 ALL", "Expected ( (octet 18)"),
        (
            "THREAD RETURN () REFS UTF-8 ALL",
            "Unknown threading algorithm",
        ),
        (
            "FETCH 1 FLAGS (UID)",
            "Expected CHANGEDSINCE, PARTIAL or VANISHED (octet 18)",
        ),
        (
            "FETCH 1 FLAGS ()",
            "Expected CHANGEDSINCE, PARTIAL or VANISHED (octet 18)",
        ),
        (
            "FETCH 1 FLAGS (PARTIAL 1:2 PARTIAL 1:2)",
            "A FETCH modifier can be used only once",
        ),
        ("CANCELUPDATE", "Expected a space (octet 15)"),
        ("CANCELUPDATE B01", "Expected a tag in quotes (octet 16)"),
        ("SEARCH RETURN MIN ALL", "Expected ( (octet 17)"),
        ("SEARCH RETURN (MIN)", "Expected a space (octet 22)"),
        ("SEARCH $,1", "Expected the command's end (octet 11)"),
        ("SEARCH UID $:*", "Expected the command's end (octet 15)"),
        ("FETCH 1,$,2 FLAGS", "Expected a space (octet 12)"),
        (
            "SEARCH OLDER 0",
            "Expected a number from 1 to 4294967295 (octet 16)",
        ),
        (
            "SEARCH YOUNGER -1",
            "Expected a number from 1 to 4294967295 (octet 18)",
        ),
        ("SEARCH LARGER x", "Expected a number (octet 17)"),
        ("SEARCH LARGER 9223372036854775808", "Number too large"),
        ("SEARCH KEYWORD \"x\"", "Expected an atom (octet 18)"),
        ("SEARCH KEYWORD \\Seen", "Expected an atom (octet 18)"),
        ("SEARCH UID x", "Expected a sequence set (octet 14)"),
        ("SEARCH HEADER x", "Expected a space (octet 18)"),
        ("SEARCH TEXT é", "8bit data in atom (octet 15)"),
        ("SEARCH 0", "Expected a sequence set (octet 10)"),
        ("COPY 1", "Expected a space (octet 9)"),
        ("MOVE 1 ", "Expected a mailbox name (octet 10)"),
        ("EXPUNGE 1", "Expected the command's end (octet 10)"),
        ("UID EXPUNGE", "Expected a space (octet 14)"),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}

/// Each just beyond a limit, with the text that names it.
#[test]
fn limits() {
    let id = |count: usize| vec!["\"a\" NIL"; count].join(" ");
    for (text, expected) in [
        (
            format!("FETCH 1{} UID", ",1".repeat(32_768)),
            "More than 16384 ranges in a set",
        ),
        (
            format!("FETCH 1 (UID{})", " UID".repeat(1000)),
            "More than 1000 FETCH items",
        ),
        (
            format!("FETCH 1 BODY[HEADER.FIELDS (a{})]", " a".repeat(1000)),
            "More than 1000 header names",
        ),
        (
            format!("FETCH 1 BODY[1{}]", ".1".repeat(128)),
            "More than 128 part numbers in a section",
        ),
        (
            format!("SEARCH ALL{}", " ALL".repeat(1000)),
            "More than 1000 search keys",
        ),
        (
            format!(
                "SEARCH (ALL{}) (ALL{})",
                " ALL".repeat(499),
                " ALL".repeat(499)
            ),
            "More than 1000 search keys",
        ),
        (
            format!("SEARCH {}ALL", "NOT ".repeat(33)),
            "Search keys nested more than 32 deep",
        ),
        (
            format!("STORE 1 FLAGS (a{})", " a".repeat(1000)),
            "More than 1000 flags",
        ),
        (
            format!("STORE 1 FLAGS ({})", "k".repeat(51)),
            "Keyword longer than 50 octets",
        ),
        (
            format!("SEARCH KEYWORD {}", "k".repeat(51)),
            "Keyword longer than 50 octets",
        ),
        (
            format!("STATUS x (RECENT{})", " RECENT".repeat(100)),
            "More than 100 STATUS items",
        ),
        (
            format!("ENABLE x{}", " x".repeat(100)),
            "More than 100 capabilities",
        ),
        (format!("ID ({})", id(31)), "More than 30 ID fields"),
        (
            format!("ID (\"a\" {{4097}}\r\n{})", "v".repeat(4097)),
            "ID longer than 4096 octets",
        ),
    ] {
        assert_eq!(error(&text), expected, "{}", shown(text.as_bytes()));
    }
    assert!(matches!(
        body(format!("ID ({})", id(30))),
        CommandBody::Id(_)
    ));
}

/// A mebibyte of each ends in an error or a value at once, and not on the stack.
#[test]
fn bombs() {
    // What this thread works, for others may keep the machine busy.
    let worked = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let before = worked();
    for (head, piece) in [
        ("SEARCH ", "("),
        ("SEARCH ", "NOT "),
        ("SEARCH ", "OR "),
        ("SEARCH ", "OR (NOT "),
        ("SEARCH ", "1,"),
        ("SEARCH ", "ALL "),
        ("", "("),
        ("FETCH 1 ", "("),
        ("FETCH 1 BODY[", "1."),
        ("FETCH 1 BODY[HEADER.FIELDS (", "a "),
        ("FETCH ", "1:*,"),
        ("FETCH ", "9"),
        ("STORE 1 FLAGS (", "a "),
        ("STORE 1 FLAGS (", "\\"),
        ("ID (", "\"a\" NIL "),
        ("STATUS x (", "RECENT "),
        ("LOGIN ", "\""),
        ("LOGIN ", "\\\""),
        ("LOGIN \"", "\\"),
        ("LOGIN ", "{"),
        ("LOGIN ", "{1}\r\nx "),
        ("LOGIN {", "0"),
        ("LIST \"\" ", "*%"),
        ("AUTHENTICATE PLAIN ", "A"),
        ("UID ", "UID "),
    ] {
        let bomb = format!("a {head}{}", piece.repeat((1 << 20) / piece.len()));
        let _ = command(bomb.as_bytes());
        let _ = append_head(bomb.as_bytes());
        let _ = literal_mark(format!("{bomb}}}").as_bytes());
    }
    // Generous, for slow machines and builds without optimization.
    assert!(worked() - before < Duration::from_secs(10));
}
