//! Responses, byte for byte: RFC 3501's examples where it has them.

mod round_trip;

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::imap::core::Tag;
use crate::imap::flag::{Keyword, SystemFlag, SystemFlags};
use crate::imap::metadata::EntryName;
use crate::imap::response::{Code, ListAttribute, Resource};
use crate::imap::search::PartialRange;
use crate::imap::sequence::{ModSeq, NumberSet, SeqNum, Uid, UidValidity};

fn name(text: &str) -> MailboxName {
    MailboxName::from_utf8(text, '/').unwrap()
}

fn entry(text: &str) -> EntryName {
    EntryName::new(text.as_bytes()).unwrap()
}

fn shown(kind: StatusKind, code: Option<Code>, text: &str) -> String {
    let mut out = Vec::new();
    let value = Status {
        tag: None,
        kind,
        code,
        text: text.to_owned(),
    };
    status(&mut out, &value);
    String::from_utf8(out).unwrap()
}

fn line(value: &Data) -> String {
    let mut out = Vec::new();
    data(&mut out, value, NameForm::Mutf7);
    String::from_utf8(out).unwrap()
}

#[test]
fn statuses() {
    let mut out = Vec::new();
    let tagged = Status {
        tag: Tag::new(b"A142"),
        kind: StatusKind::Ok,
        code: Some(Code::ReadWrite),
        text: "SELECT completed".to_owned(),
    };
    status(&mut out, &tagged);
    assert_eq!(out, b"A142 OK [READ-WRITE] SELECT completed\r\n");
    let untagged = |kind, text| shown(kind, None, text);
    assert_eq!(untagged(StatusKind::PreAuth, "hi"), "* PREAUTH hi\r\n");
    assert_eq!(untagged(StatusKind::Bye, ""), "* BYE Closing.\r\n");
    assert_eq!(
        untagged(StatusKind::No, "a\r\n* BYE x\0é\u{7f}"),
        "* NO a??* BYE x???\r\n"
    );
    assert_eq!(
        untagged(StatusKind::Bad, "[ALERT] x"),
        "* BAD (ALERT] x\r\n"
    );
    assert_eq!(
        shown(StatusKind::Ok, Some(Code::Alert), "[x"),
        "* OK [ALERT] [x\r\n"
    );
}

#[test]
fn codes() {
    let validity = UidValidity::new(38_505).unwrap();
    let uid = Uid::new(3955).unwrap();
    let set = |numbers: &[u32]| numbers.iter().copied().collect::<NumberSet>();
    let flags = SystemFlags::NONE
        .with(SystemFlag::Seen)
        .with(SystemFlag::Deleted);
    let keywords = vec![Keyword::new("Junk").unwrap()];
    for (code, wire) in [
        (
            Code::AppendUid(validity, set(&[3955])),
            "[APPENDUID 38505 3955] ",
        ),
        (
            Code::AppendUid(validity, set(&[3955, 3956, 3957])),
            "[APPENDUID 38505 3955:3957] ",
        ),
        (Code::AppendUid(validity, set(&[])), ""),
        (
            Code::CopyUid(validity, set(&[304, 319, 320]), set(&[3956, 3957, 3958])),
            "[COPYUID 38505 304,319:320 3956:3958] ",
        ),
        (Code::CopyUid(validity, set(&[]), set(&[])), ""),
        (Code::BadCharset(vec![]), "[BADCHARSET] "),
        (
            Code::BadCharset(vec!["US-ASCII", "UTF-8"]),
            "[BADCHARSET (US-ASCII UTF-8)] ",
        ),
        (
            Code::Capability(vec!["IMAP4rev1".into(), "IDLE".into()]),
            "[CAPABILITY IMAP4rev1 IDLE] ",
        ),
        (
            Code::PermanentFlags(flags, keywords, true),
            "[PERMANENTFLAGS (\\Deleted \\Seen Junk \\*)] ",
        ),
        (
            Code::PermanentFlags(SystemFlags::NONE, vec![], false),
            "[PERMANENTFLAGS ()] ",
        ),
        (Code::UidNext(uid), "[UIDNEXT 3955] "),
        (Code::UidValidity(validity), "[UIDVALIDITY 38505] "),
        (
            Code::Unseen(SeqNum::from_index(11).unwrap()),
            "[UNSEEN 12] ",
        ),
        (Code::ReadOnly, "[READ-ONLY] "),
        (
            Code::InProgress(Some(Tag::new(b"A1").unwrap()), 454, 1000),
            "[INPROGRESS (\"A1\" 454 1000)] ",
        ),
        (Code::InProgress(None, 0, 1), "[INPROGRESS (NIL 0 1)] "),
        (
            Code::NoUpdate(Tag::new(b"B02").unwrap()),
            "[NOUPDATE \"B02\"] ",
        ),
        (
            Code::HighestModSeq(ModSeq(12_111_230_047)),
            "[HIGHESTMODSEQ 12111230047] ",
        ),
        (Code::Modified(set(&[7, 9])), "[MODIFIED 7,9] "),
        (Code::NoModSeq, "[NOMODSEQ] "),
        (
            Code::MetadataLongEntries(2199),
            "[METADATA LONGENTRIES 2199] ",
        ),
        (
            Code::MailboxId(ObjectId::of('F', 10)),
            "[MAILBOXID (F0000000000000000000000000000000a)] ",
        ),
        (Code::MetadataMaxSize(1024), "[METADATA MAXSIZE 1024] "),
        (
            Code::BadEvent,
            "[BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange)] ",
        ),
        (Code::NotificationOverflow, "[NOTIFICATIONOVERFLOW] "),
        (Code::MetadataTooMany, "[METADATA TOOMANY] "),
        (Code::TooBig, "[TOOBIG] "),
        (
            Code::MessageLimit(1000, Uid::new(23_221)),
            "[MESSAGELIMIT 1000 23221] ",
        ),
        (Code::MessageLimit(1000, None), "[MESSAGELIMIT 1000] "),
        (Code::TooFew, "[TOOFEW] "),
        (Code::UnknownCte, "[UNKNOWN-CTE] "),
        (Code::TryCreate, "[TRYCREATE] "),
    ] {
        assert_eq!(
            shown(StatusKind::Ok, Some(code), "done"),
            format!("* OK {wire}done\r\n")
        );
    }
}

fn esearch(tag: &str, by_uid: bool, returned: Vec<Returned>) -> Data {
    Data::Esearch(Esearch {
        mailbox: None,
        tag: Tag::new(tag.as_bytes()).unwrap(),
        by_uid,
        returned,
    })
}

/// A set, or a list.
fn numbers<N: FromIterator<u32>>(numbers: &[u32]) -> N {
    numbers.iter().copied().collect()
}

fn partial(from_last: bool, from: u32, to: u32) -> PartialRange {
    let end = |number| NonZeroU32::new(number).unwrap();
    PartialRange {
        from_last,
        ends: (end(from), end(to)),
    }
}

#[test]
fn untagged_data() {
    let flags = SystemFlags::NONE.with(SystemFlag::Answered);
    for (value, wire) in [
        (
            Data::Capability(vec!["IMAP4rev1".into()]),
            "CAPABILITY IMAP4rev1",
        ),
        (Data::Enabled(vec![]), "ENABLED"),
        (Data::Enabled(vec!["CONDSTORE"]), "ENABLED CONDSTORE"),
        // RFC 4731 §3.1 and RFC 4466 §2.6.2.
        (
            esearch("A282", false, vec![Returned::Min(2), Returned::Count(3)]),
            "ESEARCH (TAG \"A282\") MIN 2 COUNT 3",
        ),
        (
            esearch("A283", false, vec![Returned::All(numbers(&[2, 10, 11]))]),
            "ESEARCH (TAG \"A283\") ALL 2,10:11",
        ),
        (
            esearch("A285", true, vec![Returned::Min(7), Returned::Max(3800)]),
            "ESEARCH (TAG \"A285\") UID MIN 7 MAX 3800",
        ),
        (esearch("]'", true, vec![]), "ESEARCH (TAG \"]'\") UID"),
        // RFC 5267 §3.3, §4.3, §4.4 and RFC 9394 §3.1.
        (
            esearch(
                "E01",
                true,
                vec![Returned::All(numbers(&[23765, 23764, 23763, 23761]))],
            ),
            "ESEARCH (TAG \"E01\") UID ALL 23765,23764,23763,23761",
        ),
        (
            esearch("B01", true, vec![Returned::AddTo(numbers(&[32769, 32768]))]),
            "ESEARCH (TAG \"B01\") UID ADDTO (0 32768:32769)",
        ),
        (
            esearch("B01", true, vec![Returned::RemoveFrom(numbers(&[32768]))]),
            "ESEARCH (TAG \"B01\") UID REMOVEFROM (0 32768)",
        ),
        (
            esearch(
                "A03",
                true,
                vec![Returned::Partial(partial(false, 1, 500), numbers(&[7, 8]))],
            ),
            "ESEARCH (TAG \"A03\") UID PARTIAL (1:500 7:8)",
        ),
        (
            esearch(
                "A04",
                true,
                vec![Returned::Partial(
                    partial(false, 24000, 24500),
                    numbers(&[]),
                )],
            ),
            "ESEARCH (TAG \"A04\") UID PARTIAL (24000:24500 NIL)",
        ),
        (
            esearch(
                "A01",
                false,
                vec![Returned::Partial(partial(true, 1, 100), numbers(&[9]))],
            ),
            "ESEARCH (TAG \"A01\") PARTIAL (-1:-100 9)",
        ),
        (Data::Exists(23), "23 EXISTS"),
        (Data::Expunge(SeqNum::from_index(43).unwrap()), "44 EXPUNGE"),
        (
            Data::Flags(flags, vec![Keyword::new("x").unwrap()]),
            "FLAGS (\\Answered x)",
        ),
        (
            Data::Id(vec![("name", "Culver".into()), ("os", "a\"b".into())]),
            "ID (\"name\" \"Culver\" \"os\" \"a\\\"b\")",
        ),
        (Data::Id(vec![]), "ID NIL"),
        (
            Data::Metadata(
                Some(name("INBOX")),
                vec![
                    (entry("/shared/comment"), Some(b"a\"b".to_vec())),
                    (entry("/private/two words"), None),
                    (entry("/private/x"), Some(b"a\r\nb".to_vec())),
                    (entry("/private/y"), Some(b"a\0b".to_vec())),
                    (entry("/private/z"), Some(vec![])),
                ],
            ),
            "METADATA INBOX (/shared/comment \"a\\\"b\" \"/private/two words\" NIL \
             /private/x {4}\r\na\r\nb /private/y ~{3}\r\na\0b /private/z \"\")",
        ),
        (
            Data::MetadataChanged(None, vec![entry("/shared/comment"), entry("/shared/x")]),
            "METADATA \"\" /shared/comment /shared/x",
        ),
        (
            Data::UidBatches(
                Tag::new(b"t").unwrap(),
                vec![(215_295, 99_696), (99_695, 1)],
            ),
            "UIDBATCHES (TAG \"t\") 215295:99696,99695:1",
        ),
        (
            Data::UidBatches(Tag::new(b"t").unwrap(), vec![]),
            "UIDBATCHES (TAG \"t\")",
        ),
        (Data::Namespace('.'), "NAMESPACE ((\"\" \".\")) NIL NIL"),
        (Data::Recent(5), "5 RECENT"),
        (Data::Search(vec![2, 84, 882], None), "SEARCH 2 84 882"),
        (Data::Search(vec![], None), "SEARCH"),
        // RFC 7162 §3.1.5, §3.1.10, §3.2.6, §3.2.7.
        (
            Data::Search(vec![2, 5], Some(ModSeq(917_162_500))),
            "SEARCH 2 5 (MODSEQ 917162500)",
        ),
        (
            Data::Sort(vec![5, 2], Some(ModSeq(1236))),
            "SORT 5 2 (MODSEQ 1236)",
        ),
        (
            esearch(
                "a",
                false,
                vec![
                    Returned::All(numbers(&[1, 2, 3, 5])),
                    Returned::ModSeq(ModSeq(1236)),
                ],
            ),
            "ESEARCH (TAG \"a\") ALL 1:3,5 MODSEQ 1236",
        ),
        (
            Data::Vanished {
                earlier: true,
                uids: [405, 411].into_iter().chain(300..=310).collect(),
            },
            "VANISHED (EARLIER) 300:310,405,411",
        ),
        (
            Data::Vanished {
                earlier: false,
                uids: numbers(&[405, 407, 410, 425]),
            },
            "VANISHED 405,407,410,425",
        ),
        (
            Data::Quota(
                "User quota",
                vec![
                    Resource {
                        name: "STORAGE",
                        usage: 10,
                        limit: 512,
                    },
                    Resource {
                        name: "MESSAGE",
                        usage: 0,
                        limit: 1,
                    },
                ],
            ),
            "QUOTA \"User quota\" (STORAGE 10 512 MESSAGE 0 1)",
        ),
        (Data::Quota("", Vec::new()), "QUOTA \"\" ()"),
        (
            Data::QuotaRoot(name("INBOX"), vec!["", "a"]),
            "QUOTAROOT INBOX \"\" a",
        ),
        (
            Data::QuotaRoot(name("comp.mail.mime"), Vec::new()),
            "QUOTAROOT comp.mail.mime",
        ),
        (
            Data::StatusItems(
                name("blurdybloop"),
                vec![
                    (StatusItem::Messages, StatusValue::Number(231)),
                    (StatusItem::UidNext, StatusValue::Number(44_292)),
                    (StatusItem::AppendLimit, StatusValue::Nil),
                    (
                        StatusItem::MailboxId,
                        StatusValue::Id(ObjectId::of('F', 0x2212)),
                    ),
                ],
            ),
            "STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292 APPENDLIMIT NIL \
             MAILBOXID (F00000000000000000000000000002212))",
        ),
    ] {
        assert_eq!(line(&value), format!("* {wire}\r\n"));
    }
}

#[test]
fn mailboxes() {
    let list = |attributes: &[ListAttribute], separator, name: Option<&str>| ListItem {
        attributes: attributes.to_vec(),
        separator,
        name: name.map(self::name),
        extended: Vec::new(),
    };
    for (item, wire) in [
        (
            list(&[ListAttribute::NoSelect], Some('/'), None),
            "(\\Noselect) \"/\" \"\"",
        ),
        (list(&[], None, Some("inbox")), "() NIL INBOX"),
        (
            list(&[], Some('\\'), Some("sp ace")),
            "() \"\\\\\" \"sp ace\"",
        ),
        (
            list(
                &[ListAttribute::HasNoChildren, ListAttribute::Drafts],
                Some('.'),
                Some("Entwürfe"),
            ),
            "(\\HasNoChildren \\Drafts) \".\" Entw&APw-rfe",
        ),
        (list(&[], Some('.'), Some("a\"b")), "() \".\" \"a\\\"b\""),
        (list(&[], Some('.'), Some("nil")), "() \".\" \"nil\""),
        (list(&[], Some('.'), Some("a%b")), "() \".\" \"a%b\""),
    ] {
        assert_eq!(
            line(&Data::List(item.clone())),
            format!("* LIST {wire}\r\n")
        );
        assert_eq!(line(&Data::Lsub(item)), format!("* LSUB {wire}\r\n"));
    }
    let extended = |extended: &[ListExtended]| {
        let item = ListItem {
            extended: extended.to_vec(),
            ..list(&[], Some('/'), Some("Foo"))
        };
        line(&Data::List(item))
    };
    let child_info = ListExtended::ChildInfo(vec!["SUBSCRIBED"]);
    let old_name = ListExtended::OldName(name("Ö \"x\""));
    assert_eq!(
        extended(std::slice::from_ref(&child_info)),
        "* LIST () \"/\" Foo (CHILDINFO (\"SUBSCRIBED\"))\r\n"
    );
    assert_eq!(
        extended(&[
            ListExtended::ChildInfo(vec!["SUBSCRIBED", "SPECIAL-USE"]),
            old_name
        ]),
        "* LIST () \"/\" Foo (CHILDINFO (\"SUBSCRIBED\" \"SPECIAL-USE\") OLDNAME (\"&ANY- \\\"x\\\"\"))\r\n"
    );
    let mut out = Vec::new();
    let value = Data::List(list(&[], Some('/'), Some("Entwürfe")));
    data(&mut out, &value, NameForm::Utf8);
    assert_eq!(out, "* LIST () \"/\" \"Entwürfe\"\r\n".as_bytes());
}

#[test]
fn continuations() {
    let shown = |text| {
        let mut out = Vec::new();
        continuation(&mut out, text);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(shown("OK"), "+ OK\r\n");
    assert_eq!(shown(""), "+ \r\n");
    assert_eq!(shown("VXNlcm5hbWU6"), "+ VXNlcm5hbWU6\r\n");
}

proptest! {
    #[test]
    fn a_status_is_one_line(text in any::<String>(), coded: bool) {
        let shown = shown(StatusKind::No, coded.then_some(Code::Cannot), &text);
        prop_assert!(shown.ends_with("\r\n"));
        let line = shown.trim_end_matches("\r\n");
        prop_assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        let text = line.strip_prefix(if coded { "* NO [CANNOT] " } else { "* NO " });
        prop_assert!(!text.unwrap().is_empty());
        prop_assert!(coded || !text.unwrap().starts_with('['));
    }
}
