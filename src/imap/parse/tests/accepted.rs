//! Commands and their values, by section of RFC 3501 §6, its examples among them.

use super::*;
use crate::imap::command::{
    FetchModifiers, ListOptions, ReturnOption, SelectOption, SelectParameters, StatusItem,
    StoreAction,
};
use crate::imap::core::Secret;
use crate::imap::fetch::{FetchItem, Partial, PreviewForm, Section, SectionText};
use crate::imap::flag::{Flag, Keyword, SystemFlag};
use crate::imap::search::{
    Day, PartialRange, ReturnOptions, SearchKey, SortCriterion, SortKey, Source, ThreadAlgorithm,
};

use CommandBody::*;
use Numbering::{Sequence, Uid};

#[test]
fn without_arguments() {
    for (text, value) in [
        ("CAPABILITY", Capability),
        ("noop", Noop),
        ("Logout", Logout),
        ("STARTTLS", StartTls),
        ("NAMESPACE", Namespace),
        ("IDLE", Idle),
        ("CHECK", Check),
        ("CLOSE", Close),
        ("Compress Deflate", Compress),
        (
            "UIDBATCHES 2000",
            UidBatches {
                size: 2000,
                batches: None,
            },
        ),
        (
            "uidbatches 4294967295 10:20",
            UidBatches {
                size: u32::MAX,
                batches: Some((10, 20)),
            },
        ),
        ("UNAUTHENTICATE", Unauthenticate),
        ("UNSELECT", Unselect),
        ("EXPUNGE", Expunge { uids: None }),
    ] {
        assert_eq!(body(text), value);
    }
}

/// RFC 9738: the sets above and below a UID, which may be empty.
#[test]
fn uids_after_and_before() {
    let key = |text: &str| match body(format!("SEARCH {text}")) {
        Search { key, .. } => key,
        other => panic!("{other:?}"),
    };
    let none = SearchKey::Not(Box::new(SearchKey::All));
    for (text, expected) in [
        ("UIDAFTER 1", SearchKey::Uid(set(&[(2, u32::MAX)]))),
        ("uidafter 25000", SearchKey::Uid(set(&[(25_001, u32::MAX)]))),
        (
            "UIDAFTER 4294967294",
            SearchKey::Uid(set(&[(u32::MAX, u32::MAX)])),
        ),
        ("UIDAFTER 4294967295", none.clone()),
        ("UIDBEFORE 1", none.clone()),
        ("UIDBEFORE 2", SearchKey::Uid(set(&[(1, 1)]))),
        (
            "UIDBEFORE 4294967295",
            SearchKey::Uid(set(&[(1, u32::MAX - 1)])),
        ),
    ] {
        assert_eq!(key(text), expected, "{text}");
    }
}

#[test]
fn tags() {
    for tag in ["a", "A001", "1", "]", "a.b-c", "~!@#$&_=[|;:'<>,./?"] {
        let bytes = format!("{tag} NOOP");
        assert_eq!(command(bytes.as_bytes()).unwrap().tag.as_str(), tag);
        assert_eq!(tag_of(bytes.as_bytes()).unwrap().as_str(), tag);
        assert_eq!(tag_of(tag.as_bytes()).unwrap().as_str(), tag);
    }
    assert_eq!(tag_of(b"a \xff (((").unwrap().as_str(), "a");
    assert_eq!(verb_of(b"a Append x {").as_deref(), Some("APPEND"));
    assert_eq!(verb_of(b"a xyzzy").as_deref(), Some("XYZZY"));
    for bytes in [&b""[..], b" ", b"+ NOOP", b"(a", b"\0", b"\xff NOOP"] {
        assert_eq!(tag_of(bytes), None);
        assert_eq!(verb_of(bytes), None);
    }
    assert_eq!(verb_of(b"a"), None);
    assert_eq!(verb_of(b"a  NOOP"), None);
    assert_eq!(verb_of(b"a {3}"), None);
}

#[test]
fn login() {
    let value = |user: &[u8], password: &[u8]| Login {
        user: user.into(),
        password: Secret::new(password.into()),
    };
    for (text, user, password) in [
        (&b"LOGIN SMITH SESAME"[..], &b"SMITH"[..], &b"SESAME"[..]),
        // RFC 3501 §4.3 and §7.5.
        (
            b"LOGIN {11}\r\nFRED FOOBAR {7}\r\nfat man",
            b"FRED FOOBAR",
            b"fat man",
        ),
        (b"LOGIN {4+}\nfred {0+}\r\n", b"fred", b""),
        (br#"LOGIN "a\"b\\c" "p w""#, br#"a"b\c"#, b"p w"),
        (b"LOGIN \"\" \"\"", b"", b""),
        (
            b"LOGIN x] \"caf\xc3\xa9\t\xff\"",
            b"x]",
            b"caf\xc3\xa9\t\xff",
        ),
        (b"LOGIN a {4}\r\n\"\r\n}", b"a", b"\"\r\n}"),
    ] {
        assert_eq!(body(text), value(user, password));
    }
    assert!(!format!("{:?}", body("LOGIN a hunter2")).contains("hunter2"));
}

#[test]
fn authenticate() {
    for (text, mechanism, initial) in [
        ("AUTHENTICATE plain", "PLAIN", None),
        (
            "AUTHENTICATE SCRAM-SHA-256 =",
            "SCRAM-SHA-256",
            Some(&b""[..]),
        ),
        ("AUTHENTICATE PLAIN AGEAYg==", "PLAIN", Some(b"\0a\0b")),
    ] {
        let value = Authenticate {
            mechanism: mechanism.to_owned(),
            initial: initial.map(|bytes| Secret::new(bytes.into())),
        };
        assert_eq!(body(text), value);
    }
}

#[test]
fn id_and_enable() {
    assert_eq!(body("ID NIL"), Id(None));
    assert_eq!(body("id nil"), Id(None));
    assert_eq!(body("ID ()"), Id(Some(vec![])));
    assert_eq!(
        body("ID (\"name\" \"sodr\" \"version\" {2}\r\n19 \"os\" NIL)"),
        Id(Some(vec![
            (b"name".into(), Some(b"sodr".into())),
            (b"version".into(), Some(b"19".into())),
            (b"os".into(), None),
        ]))
    );
    let long = format!("ID (\"{}\" \"{}\")", "k".repeat(40), "v".repeat(2000));
    assert!(matches!(body(long), Id(Some(fields)) if fields.len() == 1));
    assert_eq!(
        body("ENABLE condstore X-GOOD-IDEA"),
        Enable(vec!["CONDSTORE".into(), "X-GOOD-IDEA".into()])
    );
}

#[test]
fn mailboxes() {
    let name = b"&ZeVnLIqe-".to_vec();
    for (verb, value) in [
        (
            "CREATE",
            Create {
                mailbox: name.clone(),
                uses: vec![],
            },
        ),
        (
            "DELETE",
            Delete {
                mailbox: name.clone(),
            },
        ),
        (
            "SUBSCRIBE",
            Subscribe {
                mailbox: name.clone(),
            },
        ),
        (
            "UNSUBSCRIBE",
            Unsubscribe {
                mailbox: name.clone(),
            },
        ),
        (
            "SELECT",
            Select {
                mailbox: name.clone(),
                read_only: false,
                parameters: SelectParameters::default(),
            },
        ),
        (
            "EXAMINE",
            Select {
                mailbox: name.clone(),
                read_only: true,
                parameters: SelectParameters::default(),
            },
        ),
    ] {
        assert_eq!(body(format!("{verb} &ZeVnLIqe-")), value);
        assert_eq!(body(format!("{verb} \"&ZeVnLIqe-\"")), value);
        assert_eq!(body(format!("{verb} {{10}}\r\n&ZeVnLIqe-")), value);
    }
    assert_eq!(
        body("RENAME \"old box\" {3}\r\nnew"),
        Rename {
            from: b"old box".into(),
            to: b"new".into()
        }
    );
    // What a name means is not the grammar's matter.
    for (text, mailbox, uses) in [
        ("CREATE \"\"", "", &[][..]),
        ("CREATE nil", "nil", &[]),
        ("CREATE \"\u{e9}\"", "é", &[]),
        // RFC 6154 §5.3.
        (
            "CREATE MySpecial (USE (\\Drafts \\Sent))",
            "MySpecial",
            &["\\Drafts", "\\Sent"],
        ),
        ("create x (use (\\All) USE ())", "x", &["\\All"]),
    ] {
        let uses = uses.iter().map(|one: &&str| one.to_string()).collect();
        let mailbox = mailbox.into();
        assert_eq!(body(text), Create { mailbox, uses });
    }
}

#[test]
fn list_and_lsub() {
    for (text, reference, pattern) in [
        ("\"\" \"\"", "", ""),
        ("\"\" *", "", "*"),
        ("\"#news.\" \"comp.mail.*\"", "#news.", "comp.mail.*"),
        ("~/Mail/ %", "~/Mail/", "%"),
        ("/usr/staff/jones \"\"", "/usr/staff/jones", ""),
        ("{1}\r\na {2}\r\n.%", "a", ".%"),
        ("\"\" INBOX]*%", "", "INBOX]*%"),
    ] {
        let (reference, pattern) = (reference.as_bytes().to_vec(), pattern.as_bytes().to_vec());
        assert_eq!(
            body(format!("LSUB {text}")),
            Lsub {
                reference: reference.clone(),
                pattern: pattern.clone()
            }
        );
        let list = List(crate::imap::command::List {
            reference,
            patterns: vec![pattern],
            extended: None,
        });
        assert_eq!(body(format!("LIST {text}")), list);
        assert_eq!(body(format!("xlist {text}")), list);
    }
}

/// RFC 5258 §5 and §6, RFC 5819 §3, RFC 6154 §5.2.
#[test]
fn list_extended() {
    use ReturnOption::{Children, Status};
    use SelectOption::{RecursiveMatch, Remote, SpecialUse, Subscribed};
    let status = Status(vec![StatusItem::Messages, StatusItem::Unseen]);
    for (text, patterns, select, returns) in [
        ("LIST () \"\" *", &["*"][..], &[][..], vec![]),
        ("LIST \"\" (foo)", &["foo"], &[], vec![]),
        ("LIST \"\" % RETURN ()", &["%"], &[], vec![]),
        ("LIST \"\" \"\" RETURN ()", &[""], &[], vec![]),
        (
            "LIST \"\" (\"INBOX\" Drafts {6+}\r\nSent/% \"\")",
            &["INBOX", "Drafts", "Sent/%", ""],
            &[],
            vec![],
        ),
        (
            "list (subscribed RecursiveMatch) \"\" % return (children)",
            &["%"],
            &[Subscribed, RecursiveMatch],
            vec![Children],
        ),
        (
            "LIST (SUBSCRIBED REMOTE RECURSIVEMATCH) \"\" *",
            &["*"],
            &[Subscribed, Remote, RecursiveMatch],
            vec![],
        ),
        ("LIST (REMOTE) \"\" %", &["%"], &[Remote], vec![]),
        (
            "LIST (SPECIAL-USE) \"\" % RETURN (SPECIAL-USE SUBSCRIBED SUBSCRIBED)",
            &["%"],
            &[SpecialUse],
            vec![
                ReturnOption::SpecialUse,
                ReturnOption::Subscribed,
                ReturnOption::Subscribed,
            ],
        ),
        (
            "LIST \"\" % RETURN (STATUS (MESSAGES UNSEEN) CHILDREN)",
            &["%"],
            &[],
            vec![status, Children],
        ),
    ] {
        let list = crate::imap::command::List {
            reference: vec![],
            patterns: patterns.iter().map(|one| one.as_bytes().into()).collect(),
            extended: Some(ListOptions {
                select: select.to_vec(),
                returns,
            }),
        };
        assert_eq!(body(text), List(list), "{text}");
    }
}

#[test]
fn status() {
    assert_eq!(
        body("STATUS blurdybloop (UIDNEXT MESSAGES)"),
        Status {
            mailbox: b"blurdybloop".into(),
            items: vec![StatusItem::UidNext, StatusItem::Messages]
        }
    );
    assert_eq!(
        body("STATUS {1}\r\nx (recent UIDVALIDITY unseen unseen)"),
        Status {
            mailbox: b"x".into(),
            items: vec![
                StatusItem::Recent,
                StatusItem::UidValidity,
                StatusItem::Unseen,
                StatusItem::Unseen
            ]
        }
    );
}

#[test]
fn sets() {
    for (text, ranges) in [
        ("1", &[(1, 1)][..]),
        ("*", &[(0, 0)]),
        ("2,4:7,9,12:*", &[(2, 2), (4, 7), (9, 9), (12, 0)]),
        ("*:4,5:7", &[(0, 4), (5, 7)]),
        ("4294967295:1", &[(u32::MAX, 1)]),
        ("*:*", &[(0, 0)]),
    ] {
        let value = Copy {
            numbering: Sequence,
            set: numbers(ranges),
            mailbox: b"x".into(),
        };
        assert_eq!(body(format!("COPY {text} x")), value);
    }
    let many = format!("1{}", ",1".repeat(sequence::SET_RANGES - 1));
    assert!(matches!(body(format!("COPY {many} x")), Copy { .. }));
}

#[test]
fn uid() {
    assert_eq!(
        body("UID EXPUNGE 3000:3002"),
        Expunge {
            uids: Some(numbers(&[(3000, 3002)]))
        }
    );
    assert_eq!(
        body("uid move 42:69 foo"),
        Move {
            numbering: Uid,
            set: numbers(&[(42, 69)]),
            mailbox: b"foo".into()
        }
    );
    for verb in [
        "COPY 1 x",
        "FETCH 1 UID",
        "MOVE 1 x",
        "SEARCH ALL",
        "STORE 1 FLAGS ()",
    ] {
        let (plain, prefixed) = (body(verb), body(format!("UID {verb}")));
        assert_eq!(format!("UID {}", plain.name()), prefixed.name());
    }
}

#[test]
fn store() {
    let value = |action, silent, flags: &[Flag]| Store {
        numbering: Sequence,
        set: numbers(&[(2, 4)]),
        unchanged_since: None,
        action,
        silent,
        flags: flags.to_vec(),
    };
    let deleted = Flag::System(SystemFlag::Deleted);
    let keyword = Flag::Keyword(Keyword::new("$Forwarded").unwrap());
    for (text, value) in [
        (
            "+FLAGS (\\Deleted)",
            value(StoreAction::Add, false, std::slice::from_ref(&deleted)),
        ),
        (
            "-flags.silent \\DELETED $Forwarded",
            value(
                StoreAction::Remove,
                true,
                &[deleted.clone(), keyword.clone()],
            ),
        ),
        ("FLAGS ()", value(StoreAction::Replace, false, &[])),
        (
            "FLAGS.SILENT ($forwarded)",
            value(StoreAction::Replace, true, &[keyword]),
        ),
        (
            "+FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            value(StoreAction::Add, false, &SystemFlag::ALL.map(Flag::System)),
        ),
    ] {
        assert_eq!(body(format!("STORE 2:4 {text}")), value);
    }
}

fn preview(lazy: bool, form: PreviewForm) -> FetchItem {
    FetchItem::Preview { lazy, form }
}

fn items(text: &str) -> Vec<FetchItem> {
    match body(format!("FETCH 1 {text}")) {
        Fetch { items, .. } => items,
        other => panic!("{other:?}"),
    }
}

#[test]
fn fetch() {
    use FetchItem::*;
    for (text, value) in [
        ("FAST", &[Flags, InternalDate, Rfc822Size][..]),
        ("all", &[Flags, InternalDate, Rfc822Size, Envelope]),
        ("FULL", &[Flags, InternalDate, Rfc822Size, Envelope, Body]),
        ("UID", &[FetchItem::Uid]),
        ("(FLAGS)", &[Flags]),
        ("(UID UID BODY)", &[FetchItem::Uid, FetchItem::Uid, Body]),
        (
            "(bodystructure rfc822 rfc822.header rfc822.text rfc822.size)",
            &[BodyStructure, Rfc822, Rfc822Header, Rfc822Text, Rfc822Size],
        ),
        // RFC 8970 §6.
        ("PREVIEW", &[preview(false, PreviewForm::Plain)]),
        ("preview (lazy)", &[preview(true, PreviewForm::Plain)]),
        (
            "(PREVIEW (LAZY LAZY) PREVIEW UID)",
            &[
                preview(true, PreviewForm::Plain),
                preview(false, PreviewForm::Plain),
                FetchItem::Uid,
            ],
        ),
        // Dovecot's.
        ("PREVIEW (FUZZY)", &[preview(false, PreviewForm::Fuzzy)]),
        (
            "(preview (lazy=fuzzy))",
            &[preview(true, PreviewForm::Fuzzy)],
        ),
        ("PREVIEW (FUZZY LAZY)", &[preview(true, PreviewForm::Fuzzy)]),
        ("snippet", &[preview(false, PreviewForm::Snippet)]),
        ("(SNIPPET (FUZZY))", &[preview(false, PreviewForm::Snippet)]),
        (
            "SNIPPET (LAZY=FUZZY)",
            &[preview(true, PreviewForm::Snippet)],
        ),
        ("(SNIPPET (LAZY))", &[preview(true, PreviewForm::Snippet)]),
    ] {
        assert_eq!(items(text), value);
    }
    // RFC 3501 §6.4.5.
    assert_eq!(
        body("FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])"),
        Fetch {
            numbering: Sequence,
            set: numbers(&[(2, 4)]),
            items: vec![
                Flags,
                BodySection {
                    peek: false,
                    section: Section {
                        part: vec![],
                        text: SectionText::HeaderFields(vec![b"DATE".into(), b"FROM".into()])
                    },
                    partial: None
                }
            ],
            modifiers: FetchModifiers::default(),
        }
    );
}

#[test]
fn sections() {
    for (text, part, value) in [
        ("", &[][..], SectionText::Whole),
        ("TEXT", &[], SectionText::Text),
        ("header", &[], SectionText::Header),
        ("1", &[1], SectionText::Whole),
        ("4.2.2.1", &[4, 2, 2, 1], SectionText::Whole),
        ("3.HEADER", &[3], SectionText::Header),
        ("3.TEXT", &[3], SectionText::Text),
        ("4.1.MIME", &[4, 1], SectionText::Mime),
        (
            "HEADER.FIELDS.NOT (\"x y\" {3}\r\nb]c To)",
            &[],
            SectionText::HeaderFieldsNot(vec![b"x y".into(), b"b]c".into(), b"To".into()]),
        ),
        (
            "1.2.HEADER.FIELDS (a)",
            &[1, 2],
            SectionText::HeaderFields(vec![b"a".into()]),
        ),
    ] {
        for (peek, name) in [(false, "BODY"), (true, "body.peek")] {
            for (origin, partial) in [
                ("", None),
                ("<0.2048>", Some((0, 2048))),
                (
                    "<4294967295.4294967295>",
                    Some((4_294_967_295, 4_294_967_295)),
                ),
                ("<007.9223372036854775807>", Some((7, i64::MAX as u64))),
            ] {
                let partial = partial.map(|(offset, length)| Partial { offset, length });
                let section = Section {
                    part: part.iter().filter_map(|n| NonZeroU32::new(*n)).collect(),
                    text: value.clone(),
                };
                let item = FetchItem::BodySection {
                    peek,
                    section,
                    partial,
                };
                assert_eq!(items(&format!("({name}[{text}]{origin})")), [item]);
            }
        }
    }
}

fn key(text: impl AsRef<[u8]>) -> SearchKey {
    match body([b"SEARCH ", text.as_ref()].concat()) {
        Search { key, .. } => key,
        other => panic!("{other:?}"),
    }
}

#[test]
fn search_keys() {
    use SearchKey::*;
    let not = |key| Not(Box::new(key));
    let header = |name: &str, text: &str| Header(name.into(), text.into());
    let day = Day::new(1994, 2, 1).unwrap();
    let keyword = crate::imap::flag::Keyword::new("$x").unwrap();
    for (text, value) in [
        ("ALL", All),
        ("answered", Flag(SystemFlag::Answered)),
        ("BCC x", header("BCC", "x")),
        ("BEFORE 1-Feb-1994", Before(day)),
        ("BODY \"a b\"", Body(b"a b".into())),
        ("CC {1}\r\nx", header("CC", "x")),
        ("DELETED", Flag(SystemFlag::Deleted)),
        ("DRAFT", Flag(SystemFlag::Draft)),
        ("FLAGGED", Flag(SystemFlag::Flagged)),
        ("from \"\"", header("FROM", "")),
        ("HEADER \"X-a\" \"\"", header("X-a", "")),
        ("KEYWORD $x", Keyword(keyword.clone())),
        ("LARGER 0", Larger(0)),
        ("OLDER 1", Older(1.try_into().unwrap())),
        ("younger 4294967295", Younger(u32::MAX.try_into().unwrap())),
        ("NEW", New),
        ("NOT SEEN", not(Flag(SystemFlag::Seen))),
        ("OLD", Old),
        ("ON \"01-feb-1994\"", On(day)),
        ("OR NEW OLD", Or(Box::new(New), Box::new(Old))),
        ("RECENT", Recent),
        ("$", Saved),
        ("uid $", Saved),
        (
            "2:4,$",
            Or(Box::new(Sequence(set(&[(2, 4)]))), Box::new(Saved)),
        ),
        ("SEEN", Flag(SystemFlag::Seen)),
        ("SENTBEFORE 1-FEB-1994", SentBefore(day)),
        ("SENTON 01-Feb-1994", SentOn(day)),
        ("SENTSINCE 1-Feb-1994", SentSince(day)),
        ("SINCE 1-Feb-1994", Since(day)),
        ("SMALLER 4294967296", Smaller(1 << 32)),
        ("SUBJECT x", header("SUBJECT", "x")),
        ("TEXT x", Text(b"x".into())),
        ("TO x", header("TO", "x")),
        ("UID 1:*", Uid(set(&[(1, 0)]))),
        ("UNANSWERED", not(Flag(SystemFlag::Answered))),
        ("UNDELETED", not(Flag(SystemFlag::Deleted))),
        ("UNDRAFT", not(Flag(SystemFlag::Draft))),
        ("UNFLAGGED", not(Flag(SystemFlag::Flagged))),
        ("UNKEYWORD $X", not(Keyword(keyword))),
        ("UNSEEN", not(Flag(SystemFlag::Seen))),
        ("1:5", Sequence(set(&[(1, 5)]))),
        ("*", Sequence(set(&[(0, 0)]))),
        ("((ALL))", All),
        ("ALL NEW", And(vec![All, New])),
        (
            "OR (ALL 1) NOT (NEW NOT OLD)",
            Or(
                Box::new(And(vec![All, Sequence(set(&[(1, 1)]))])),
                Box::new(not(And(vec![New, not(Old)]))),
            ),
        ),
    ] {
        assert_eq!(key(text), value, "{text}");
    }
    assert_eq!(key(b"BODY \"\xff\""), Body(vec![0xff]));
}

#[test]
fn sort_and_thread() {
    // RFC 5256 §3.
    let by = |reverse, key| SortCriterion { reverse, key };
    assert_eq!(
        body("SORT (SUBJECT REVERSE DATE) UTF-8 ALL"),
        Sort {
            numbering: Sequence,
            returns: None,
            criteria: vec![by(false, SortKey::Subject), by(true, SortKey::Date)],
            charset: b"UTF-8".into(),
            key: SearchKey::All
        }
    );
    assert_eq!(
        body("uid sort (reverse displayfrom) \"us-ascii\" text \"not in mailbox\" 1:3"),
        Sort {
            numbering: Uid,
            returns: None,
            criteria: vec![by(true, SortKey::DisplayFrom)],
            charset: b"us-ascii".into(),
            key: key("(TEXT \"not in mailbox\" 1:3)")
        }
    );
    // RFC 5267 §3.3.
    assert_eq!(
        body("UID SORT RETURN () (REVERSE DATE) UTF-8 UNDELETED UNKEYWORD $Junk"),
        Sort {
            numbering: Uid,
            returns: Some(ReturnOptions::ALL),
            criteria: vec![by(true, SortKey::Date)],
            charset: b"UTF-8".into(),
            key: key("(UNDELETED UNKEYWORD $Junk)")
        }
    );
    assert_eq!(
        body("UID THREAD References UTF-8 SINCE 5-MAR-2000"),
        Thread {
            numbering: Uid,
            algorithm: ThreadAlgorithm::References,
            charset: b"UTF-8".into(),
            key: key("SINCE 5-Mar-2000")
        }
    );
}

#[test]
fn search() {
    // RFC 3501 §6.4.4.
    assert_eq!(
        body("SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\""),
        Search {
            numbering: Sequence,
            returns: None,
            charset: None,
            key: key("(FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\")")
        }
    );
    assert_eq!(
        body("UID SEARCH CHARSET UTF-8 TEXT {6}\r\nXXXXXX"),
        Search {
            numbering: Uid,
            returns: None,
            charset: Some(b"UTF-8".into()),
            key: SearchKey::Text(b"XXXXXX".into())
        }
    );
    let deepest = format!("{}ALL", "NOT ".repeat(32));
    assert!(matches!(key(deepest), SearchKey::Not(_)));
    let most = format!("ALL{}", " ALL".repeat(999));
    assert!(matches!(key(most), SearchKey::And(keys) if keys.len() == 1000));
}

fn partial(from_last: bool, from: u32, to: u32) -> PartialRange {
    let end = |number| NonZeroU32::new(number).unwrap();
    PartialRange {
        from_last,
        ends: (end(from), end(to)),
    }
}

/// RFC 9394 §3.3.
#[test]
fn fetch_modifiers() {
    for (text, partial) in [
        ("UID FETCH 25900:26600 (UID FLAGS)", None),
        (
            "UID FETCH 25900:26600 (UID FLAGS) (PARTIAL -1:-3)",
            Some(partial(true, 1, 3)),
        ),
        (
            "UID FETCH 25900:26600 (UID FLAGS) (partial 1:5)",
            Some(partial(false, 1, 5)),
        ),
    ] {
        let fetch = Fetch {
            numbering: Uid,
            set: MessageSet::Numbers(set(&[(25900, 26600)])),
            items: vec![FetchItem::Uid, FetchItem::Flags],
            modifiers: FetchModifiers {
                partial,
                ..FetchModifiers::default()
            },
        };
        assert_eq!(body(text), fetch);
    }
    for text in ["FETCH 1 FAST (PARTIAL 1:1)", "FETCH 1 BODY[] (PARTIAL 1:1)"] {
        let Fetch { modifiers, .. } = body(text) else {
            panic!("{text}");
        };
        assert_eq!(modifiers.partial, Some(partial(false, 1, 1)));
    }
}

/// RFC 5267 §4.3.5.
#[test]
fn cancelupdate() {
    let tags = |tags: &[&str]| CancelUpdate {
        tags: tags.iter().map(|tag| tag.as_bytes().to_vec()).collect(),
    };
    assert_eq!(body("CANCELUPDATE \"B01\""), tags(&["B01"]));
    assert_eq!(body("cancelupdate \"B01\" \"b]\""), tags(&["B01", "b]"]));
    assert_eq!(body("CANCELUPDATE \"no tag\" \"\""), tags(&["no tag", ""]));
}

#[test]
fn esearch() {
    let all = |sources, returns| CommandBody::Esearch {
        sources,
        returns,
        charset: None,
        key: SearchKey::All,
    };
    let names = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect();
    assert_eq!(body("ESEARCH ALL"), all(None, None));
    assert_eq!(
        body("esearch in (Personal) return () all"),
        all(Some(vec![Source::Personal]), Some(ReturnOptions::ALL))
    );
    // RFC 7377 §3.
    for (text, sources) in [
        (
            "mailboxes \"folder1\" subtree \"folder2\"",
            vec![
                Source::Mailboxes(names(&["folder1"])),
                Source::Subtree(names(&["folder2"])),
            ],
        ),
        (
            "selected inboxes SUBTREE-ONE (a \"\" b) subscribed",
            vec![
                Source::Selected,
                Source::Inboxes,
                Source::SubtreeOne(names(&["a", "", "b"])),
                Source::Subscribed,
            ],
        ),
        // A mailbox may have the name of a source.
        (
            "mailboxes personal personal",
            vec![Source::Mailboxes(names(&["personal"])), Source::Personal],
        ),
    ] {
        let command = format!("ESEARCH IN ({text}) ALL");
        assert_eq!(body(command), all(Some(sources), None), "{text}");
    }
    let charset = CommandBody::Esearch {
        sources: None,
        returns: None,
        charset: Some(b"UTF-8".to_vec()),
        key: SearchKey::All,
    };
    assert_eq!(body("ESEARCH CHARSET UTF-8 ALL"), charset);
}

#[test]
fn search_return_options() {
    let none = ReturnOptions::default;
    for (text, value) in [
        ("()", ReturnOptions::ALL),
        ("(ALL)", ReturnOptions::ALL),
        (
            "(min)",
            ReturnOptions {
                min: true,
                ..none()
            },
        ),
        (
            "(MAX COUNT)",
            ReturnOptions {
                max: true,
                count: true,
                ..none()
            },
        ),
        (
            "(SAVE)",
            ReturnOptions {
                save: true,
                ..none()
            },
        ),
        (
            "(SAVE save)",
            ReturnOptions {
                save: true,
                ..none()
            },
        ),
        // RFC 5267 §4.2: a hint; it asks for no result.
        ("(CONTEXT)", ReturnOptions::ALL),
        (
            "(CONTEXT COUNT)",
            ReturnOptions {
                count: true,
                ..none()
            },
        ),
        (
            "(update UPDATE)",
            ReturnOptions {
                update: Some(Vec::new()),
                ..none()
            },
        ),
        // RFC 5465 §7.
        (
            "(COUNT UPDATE (UID flags))",
            ReturnOptions {
                count: true,
                update: Some(vec![FetchItem::Uid, FetchItem::Flags]),
                ..none()
            },
        ),
        (
            "(PARTIAL 500:400)",
            ReturnOptions {
                partial: Some(partial(false, 500, 400)),
                ..none()
            },
        ),
        (
            "(save partial -1:-100)",
            ReturnOptions {
                save: true,
                partial: Some(partial(true, 1, 100)),
                ..none()
            },
        ),
    ] {
        let command = format!("UID SEARCH return {text} CHARSET UTF-8 1:5");
        assert_eq!(
            body(command),
            Search {
                numbering: Uid,
                returns: Some(value),
                charset: Some(b"UTF-8".into()),
                key: SearchKey::Sequence(set(&[(1, 5)]))
            }
        );
    }
}

/// `sequence-set =/ seq-last-command` (RFC 5182 §3): in every command that takes one.
#[test]
fn the_saved_result() {
    let items = vec![FetchItem::Flags];
    for (numbering, prefix) in [(Sequence, ""), (Uid, "UID ")] {
        let fetch = Fetch {
            numbering,
            set: MessageSet::Saved,
            items: items.clone(),
            modifiers: FetchModifiers::default(),
        };
        assert_eq!(body(format!("{prefix}FETCH $ FLAGS")), fetch);
        let copy = Copy {
            numbering,
            set: MessageSet::Saved,
            mailbox: b"x".to_vec(),
        };
        assert_eq!(body(format!("{prefix}COPY $ x")), copy);
        let moved = Move {
            numbering,
            set: MessageSet::Saved,
            mailbox: b"x".to_vec(),
        };
        assert_eq!(body(format!("{prefix}MOVE $ x")), moved);
        let store = Store {
            numbering,
            set: MessageSet::Saved,
            unchanged_since: None,
            action: StoreAction::Add,
            silent: true,
            flags: vec![Flag::System(SystemFlag::Seen)],
        };
        assert_eq!(body(format!("{prefix}STORE $ +FLAGS.Silent \\Seen")), store);
    }
    let uids = Some(MessageSet::Saved);
    assert_eq!(body("UID EXPUNGE $"), Expunge { uids });
    // The rule calls itself: RFC 9051 §9, `sequence-set = (seq-number / seq-range) ["," sequence-set]`.
    let uids = Some(MessageSet::NumbersAndSaved(set(&[(2, 2), (4, 0)])));
    assert_eq!(body("UID EXPUNGE 2,4:*,$"), Expunge { uids });
}

#[test]
fn literal_marks() {
    let mark = |size, non_sync, binary, start| {
        Ok(Some(LiteralMark {
            size,
            non_sync,
            binary,
            start,
        }))
    };
    for (line, value) in [
        (&b"a LOGIN {11}"[..], mark(11, false, false, 8)),
        (b"{0}", mark(0, false, false, 0)),
        (b"x {5+}", mark(5, true, false, 2)),
        (b"x ~{5}", mark(5, false, true, 2)),
        (b"x ~{5+}", mark(5, true, true, 2)),
        (b"x {00000000000000000000007}", mark(7, false, false, 2)),
        (b"{4294967296}", mark(1 << 32, false, false, 0)),
        (
            b"{9223372036854775807}",
            mark(i64::MAX as u64, false, false, 0),
        ),
        (b"\"unclosed {5}", mark(5, false, false, 10)),
        (b"{{5}", mark(5, false, false, 1)),
        (b"", Ok(None)),
        (b"}", Ok(None)),
        (b"{}", Ok(None)),
        (b"{+}", Ok(None)),
        (b"5}", Ok(None)),
        (b"~5}", Ok(None)),
        (b"{5} ", Ok(None)),
        (b"\"a {5}\"", Ok(None)),
        (b"{abc}", Ok(None)),
        (b"{-1}", Ok(None)),
        (b"{5-}", Ok(None)),
        (b"{5++}", Ok(None)),
        (b"{ 5}", Ok(None)),
        (b"{0x10}", Ok(None)),
        (b"{\xff}", Ok(None)),
    ] {
        assert_eq!(literal_mark(line), value, "{}", shown(line));
    }
    for line in [
        &b"a {9223372036854775808}"[..],
        b"a {99999999999999999999}",
        b"a ~{99999999999999999999999999999999999999999999999+}",
    ] {
        assert_eq!(
            literal_mark(line).unwrap_err().expected,
            "Literal size too large"
        );
    }
}
