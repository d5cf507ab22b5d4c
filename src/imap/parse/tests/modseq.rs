//! What RFC 7162 adds to commands: its examples, and what is near them and wrong.

use super::*;
use crate::imap::command::{FetchModifiers, Resync, SelectParameters, StatusItem, StoreAction};
use crate::imap::fetch::FetchItem;
use crate::imap::flag::{Flag, Keyword, SystemFlag};
use crate::imap::search::{SearchKey, Source};
use crate::imap::sequence::{ModSeq, UidValidity};

use CommandBody::*;

fn parameters(text: &str) -> SelectParameters {
    let Select { parameters, .. } = body(format!("SELECT INBOX {text}")) else {
        panic!("{text}");
    };
    parameters
}

fn resync(known: Option<&[(u32, u32)]>, sample: Option<[&[(u32, u32)]; 2]>) -> Resync {
    Resync {
        uid_validity: UidValidity::new(67_890_007).unwrap(),
        modseq: ModSeq(90_060_115_194_045_000),
        known: known.map(set),
        sample: sample.map(|[numbers, uids]| (set(numbers), set(uids))),
    }
}

/// §3.1.8, §3.2.5.
#[test]
fn select() {
    let condstore = SelectParameters {
        condstore: true,
        qresync: None,
    };
    assert_eq!(parameters("(CONDSTORE)"), condstore);
    let examined = body("examine {5}\r\nINBOX (condstore)");
    let expected = Select {
        mailbox: b"INBOX".into(),
        read_only: true,
        parameters: condstore,
    };
    assert_eq!(examined, expected);
    let known: &[(u32, u32)] = &[(41, 211), (214, 541)];
    let numbers: &[(u32, u32)] = &[(5000, 5000), (9990, 9999)];
    let uids: &[(u32, u32)] = &[(15_000, 15_000), (29_970, 29_979)];
    for (text, expected) in [
        ("", resync(None, None)),
        (" 41:211,214:541", resync(Some(known), None)),
        (
            " 41:211,214:541 (5000,9990:9999 15000,29970:29979)",
            resync(Some(known), Some([numbers, uids])),
        ),
        (
            " (5000,9990:9999 15000,29970:29979)",
            resync(None, Some([numbers, uids])),
        ),
    ] {
        let text = format!("(QRESYNC (67890007 90060115194045000{text}))");
        let expected = Some(expected);
        assert_eq!(parameters(&text).qresync, expected);
        let both = parameters(&text.replace("(QRESYNC", "(CONDSTORE qresync"));
        let condstore = true;
        let qresync = expected;
        assert_eq!(both, SelectParameters { condstore, qresync });
    }
    let most = parameters("(QRESYNC (4294967295 9223372036854775807))");
    assert_eq!(most.qresync.unwrap().modseq, ModSeq(i64::MAX as u64));
    // `1*DIGIT`.
    let padded = parameters("(QRESYNC (1 007))");
    assert_eq!(padded.qresync.unwrap().modseq, ModSeq(7));
}

#[test]
fn no_parameters_of_select() {
    for (text, expected) in [
        ("()", "Expected CONDSTORE or QRESYNC (octet 17)"),
        ("(X-NONE)", "Expected CONDSTORE or QRESYNC (octet 17)"),
        ("CONDSTORE", "Expected the command's end (octet 15)"),
        ("(CONDSTORE", "Expected ) (octet 26)"),
        ("(CONDSTORE )", "Expected CONDSTORE or QRESYNC (octet 27)"),
        ("(CONDSTORE 1)", "Expected CONDSTORE or QRESYNC (octet 27)"),
        ("(CONDSTORE CONDSTORE)", "A parameter can be used only once"),
        (
            "(QRESYNC (1 1) QRESYNC (1 1))",
            "A parameter can be used only once",
        ),
        ("(QRESYNC)", "Expected a space (octet 24)"),
        ("(QRESYNC 1 1)", "Expected ( (octet 25)"),
        (
            "(QRESYNC ())",
            "Expected a number from 1 to 4294967295 (octet 26)",
        ),
        ("(QRESYNC (1))", "Expected a space (octet 27)"),
        (
            "(QRESYNC (0 1))",
            "Expected a number from 1 to 4294967295 (octet 26)",
        ),
        (
            "(QRESYNC (1 0))",
            "Expected a mod-sequence of 1 at least (octet 28)",
        ),
        ("(QRESYNC (1 -1))", "Expected a mod-sequence (octet 28)"),
        ("(QRESYNC (1 9223372036854775808))", "Number too large"),
        (
            "(QRESYNC (1 1 1:*))",
            "Expected numbers without * and $ (octet 30)",
        ),
        (
            "(QRESYNC (1 1 $))",
            "Expected numbers without * and $ (octet 30)",
        ),
        (
            "(QRESYNC (1 1 1,$))",
            "Expected numbers without * and $ (octet 30)",
        ),
        ("(QRESYNC (1 1 ))", "Expected a sequence set (octet 30)"),
        ("(QRESYNC (1 1 1 ()))", "Expected a sequence set (octet 33)"),
        ("(QRESYNC (1 1 1 (1)))", "Expected a space (octet 34)"),
        (
            "(QRESYNC (1 1 1 (1 *)))",
            "Expected numbers without * and $ (octet 35)",
        ),
        ("(QRESYNC (1 1 1 (1 1 1)))", "Expected ) (octet 36)"),
        ("(QRESYNC (1 1 1 (1 1) 1))", "Expected ) (octet 37)"),
        ("(QRESYNC (1 1 1 1))", "Expected ( (octet 32)"),
        (
            "(QRESYNC (1 1)) (CONDSTORE)",
            "Expected the command's end (octet 31)",
        ),
    ] {
        assert_eq!(error(format!("SELECT INBOX {text}")), expected, "{text}");
    }
    // "If any parameter is not syntactically valid, the server returns the tagged BAD response": other commands have none.
    for verb in ["CREATE", "DELETE", "SUBSCRIBE", "UNSUBSCRIBE"] {
        error(format!("{verb} x (CONDSTORE)"));
    }
}

/// §3.1.3.
#[test]
fn store() {
    let store = |numbering, set, since, action, flags: &[Flag]| Store {
        numbering,
        set,
        unchanged_since: Some(ModSeq(since)),
        action,
        silent: true,
        flags: flags.to_vec(),
    };
    let deleted = Flag::System(SystemFlag::Deleted);
    let keyword = |text| Flag::Keyword(Keyword::new(text).unwrap());
    assert_eq!(
        body("UID STORE 6,4,8 (UNCHANGEDSINCE 12121230045) +FLAGS.SILENT (\\Deleted)"),
        store(
            Numbering::Uid,
            numbers(&[(6, 6), (4, 4), (8, 8)]),
            12_121_230_045,
            StoreAction::Add,
            std::slice::from_ref(&deleted),
        )
    );
    assert_eq!(
        body("STORE * (unchangedsince 12121230045) -flags.silent \\Deleted $Processed"),
        store(
            Numbering::Sequence,
            numbers(&[(0, 0)]),
            12_121_230_045,
            StoreAction::Remove,
            &[deleted, keyword("$Processed")],
        )
    );
    assert_eq!(
        body("STORE 12 (UNCHANGEDSINCE 0) FLAGS.SILENT ($MDNSent)"),
        store(
            Numbering::Sequence,
            numbers(&[(12, 12)]),
            0,
            StoreAction::Replace,
            &[keyword("$MDNSent")],
        )
    );
    for (text, expected) in [
        ("() FLAGS ()", "Expected UNCHANGEDSINCE (octet 12)"),
        (
            "(CHANGEDSINCE 1) FLAGS ()",
            "Expected UNCHANGEDSINCE (octet 12)",
        ),
        ("(UNCHANGEDSINCE) FLAGS ()", "Expected a space (octet 26)"),
        ("(UNCHANGEDSINCE 1", "Expected ) (octet 28)"),
        (
            "(UNCHANGEDSINCE x) FLAGS ()",
            "Expected a mod-sequence (octet 27)",
        ),
        (
            "(UNCHANGEDSINCE 9223372036854775808) FLAGS ()",
            "Number too large",
        ),
        (
            "(UNCHANGEDSINCE 1 UNCHANGEDSINCE 1) FLAGS ()",
            "UNCHANGEDSINCE can be used only once",
        ),
        ("(UNCHANGEDSINCE 1)", "Expected a space (octet 29)"),
        (
            "FLAGS () (UNCHANGEDSINCE 1)",
            "Expected the command's end (octet 19)",
        ),
    ] {
        assert_eq!(error(format!("STORE 1 {text}")), expected, "{text}");
    }
}

fn modifiers(text: &str) -> FetchModifiers {
    let Fetch { modifiers, .. } = body(text) else {
        panic!("{text}");
    };
    modifiers
}

/// §3.1.4, §3.2.6; RFC 9394 §3.4.
#[test]
fn fetch() {
    let Fetch { items, .. } = body("FETCH 1:3 (MODSEQ)") else {
        panic!();
    };
    assert_eq!(items, [FetchItem::ModSeq]);
    let changed_since = Some(ModSeq(12345));
    let plain = FetchModifiers {
        changed_since,
        ..FetchModifiers::default()
    };
    let vanished = FetchModifiers {
        vanished: true,
        ..plain
    };
    for text in [
        "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)",
        "FETCH 1:* FAST (changedsince 12345)",
        "FETCH 1 PREVIEW (CHANGEDSINCE 12345)",
        "FETCH 1 PREVIEW (LAZY) (CHANGEDSINCE 12345)",
    ] {
        assert_eq!(modifiers(text), plain, "{text}");
    }
    for text in [
        "UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)",
        "UID FETCH 300:500 FLAGS (vanished changedsince 12345)",
    ] {
        assert_eq!(modifiers(text), vanished, "{text}");
    }
    let one = modifiers("UID FETCH 1 FLAGS (PARTIAL -1:-30 CHANGEDSINCE 98305)");
    let other = modifiers("UID FETCH 1 FLAGS (CHANGEDSINCE 98305 PARTIAL -1:-30)");
    assert_eq!(one, other);
    assert!(one.partial.is_some() && one.changed_since == Some(ModSeq(98305)));
    let twice = "A FETCH modifier can be used only once";
    for (text, expected) in [
        ("UID FETCH 1 UID (VANISHED)", "VANISHED needs CHANGEDSINCE"),
        (
            "UID FETCH 1 UID (VANISHED PARTIAL 1:2)",
            "VANISHED needs CHANGEDSINCE",
        ),
        (
            "FETCH 1 UID (CHANGEDSINCE 1 VANISHED)",
            "VANISHED is for UID FETCH alone",
        ),
        ("UID FETCH 1 UID (CHANGEDSINCE 1 CHANGEDSINCE 2)", twice),
        ("UID FETCH 1 UID (CHANGEDSINCE 1 VANISHED VANISHED)", twice),
        (
            "FETCH 1 UID (CHANGEDSINCE 0)",
            "Expected a mod-sequence of 1 at least (octet 29)",
        ),
        (
            "FETCH 1 UID (CHANGEDSINCE 9223372036854775808)",
            "Number too large",
        ),
        ("FETCH 1 UID (CHANGEDSINCE)", "Expected a space (octet 28)"),
        (
            "FETCH 1 UID (CHANGEDSINCE 1 )",
            "Expected CHANGEDSINCE, PARTIAL or VANISHED (octet 31)",
        ),
        (
            "FETCH 1 MODSEQ (1)",
            "Expected CHANGEDSINCE, PARTIAL or VANISHED (octet 19)",
        ),
        ("FETCH 1 MODSEQ[1]", "Expected the command's end (octet 17)"),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}

/// §3.1.5: in each command that has search keys.
#[test]
fn search() {
    let key = |text: &str| {
        let Search { key, .. } = body(format!("SEARCH {text}")) else {
            panic!("{text}");
        };
        key
    };
    let modseq = |least| SearchKey::ModSeq(ModSeq(least));
    for text in [
        "MODSEQ 620162338",
        "modseq \"/flags/\\\\draft\" all 620162338",
        "MODSEQ \"/flags/$MDNSent\" PRIV 620162338",
        "MODSEQ \"/Flags/\\\\X\" Shared 620162338",
    ] {
        assert_eq!(key(text), modseq(620_162_338), "{text}");
    }
    assert_eq!(key("MODSEQ 0"), modseq(0));
    let not = SearchKey::Not(Box::new(modseq(720_162_338)));
    let or = SearchKey::Or(Box::new(not), Box::new(SearchKey::Larger(50_000)));
    assert_eq!(key("OR NOT MODSEQ 720162338 LARGER 50000"), or);
    assert!(or.names_modseq() && !key("OR NOT SEEN (ALL 1)").names_modseq());
    for text in [
        "UID SEARCH RETURN (ALL) MODSEQ 1234",
        "SORT RETURN (ALL) (DATE) UTF-8 MODSEQ 1234",
        "THREAD REFS UTF-8 MODSEQ 1234",
        "ESEARCH IN (personal) MODSEQ 1234",
    ] {
        match body(text) {
            Search { key, .. } | Sort { key, .. } | Thread { key, .. } => {
                assert_eq!(key, modseq(1234));
            }
            Esearch { key, sources, .. } => {
                assert_eq!((key, sources), (modseq(1234), Some(vec![Source::Personal])));
            }
            other => panic!("{other:?}"),
        }
    }
    let entry = "Expected an entry such as \"/flags/\\\\seen\" (octet 17)";
    for (text, expected) in [
        ("MODSEQ", "Expected a space (octet 16)"),
        ("MODSEQ x", "Expected a mod-sequence (octet 17)"),
        ("MODSEQ -1", "Expected a mod-sequence (octet 17)"),
        ("MODSEQ 9223372036854775808", "Number too large"),
        ("MODSEQ \"/flags/\" all 1", entry),
        ("MODSEQ \"\" all 1", entry),
        ("MODSEQ \"/comment\" all 1", entry),
        ("MODSEQ \"/flags/a b\" all 1", entry),
        ("MODSEQ \"/flags/\\\\\" all 1", entry),
        (
            "MODSEQ /flags/x all 1",
            "Expected a mod-sequence (octet 17)",
        ),
        (
            "MODSEQ \"/flags/x\" 1",
            "Expected priv, shared or all (octet 28)",
        ),
        (
            "MODSEQ \"/flags/x\" any 1",
            "Expected priv, shared or all (octet 28)",
        ),
        ("MODSEQ \"/flags/x\" all", "Expected a space (octet 31)"),
    ] {
        assert_eq!(error(format!("SEARCH {text}")), expected, "{text}");
    }
}

/// §3.1.7.
#[test]
fn status() {
    let items = vec![
        StatusItem::UidNext,
        StatusItem::Messages,
        StatusItem::HighestModSeq,
    ];
    let mailbox = b"blurdybloop".to_vec();
    let text = "STATUS blurdybloop (UIDNEXT MESSAGES HighestModSeq)";
    assert_eq!(body(text), Status { mailbox, items });
}

/// §3.2.10.2: "the VANISHED response MUST NOT be sent during a UID SEARCH command that contains message numbers in the
/// search criteria."
#[test]
fn expunges_in_uid_commands() {
    for (text, permitted) in [
        ("UID SEARCH ALL", true),
        ("UID SEARCH UID 1:5", true),
        ("UID SEARCH $", true),
        ("UID SEARCH 1:5", false),
        ("UID SEARCH OR SEEN NOT (UNSEEN *)", false),
        ("UID SORT (DATE) UTF-8 1,2", false),
        ("UID THREAD REFS UTF-8 1", false),
        ("UID FETCH 1 FLAGS", true),
        ("SEARCH UID 1", false),
    ] {
        assert_eq!(body(text).permits_expunge(), permitted, "{text}");
    }
}
