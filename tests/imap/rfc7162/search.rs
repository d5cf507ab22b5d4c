//! MODSEQ in SEARCH, SORT, THREAD and ESEARCH (RFC 7162 §3.1.5, §3.1.6, §3.1.9, §3.1.10; RFC 4731 §3.2).

use super::{check, filled, modseq, number_behind, status};
use crate::harness::{Client, Server};

/// Eight messages of which 2, 5 and 7 have changed since, in this order: the mod-sequence before that, and theirs.
fn prepared(server: &Server) -> (Client, u64, [u64; 3]) {
    let mut c = server.client();
    c.ok("SELECT INBOX (CONDSTORE)");
    let before = status(&mut c, "INBOX");
    for number in [2, 7, 5] {
        c.ok(&format!("STORE {number} +FLAGS.SILENT (\\Draft)"));
    }
    let theirs = [2, 5, 7].map(|number| modseq(&mut c, number));
    (c, before + 1, theirs)
}

/// Examples 15 and 16: "If the client specifies a MODSEQ criterion in a SEARCH (or UID SEARCH) command and the server returns a
/// non-empty SEARCH result, the server MUST also append (to the end of the untagged SEARCH response) the highest
/// mod-sequence for all messages being returned." "Messages that have modification values that are equal to or greater".
#[test]
fn search() {
    let server = filled(8);
    let (mut c, since, [second, fifth, seventh]) = prepared(&server);
    assert!(second < seventh && seventh < fifth);
    let mut found = |command: &str, numbers: &str, highest: u64| {
        let line = format!("* SEARCH {numbers} (MODSEQ {highest})");
        c.check(command, &[&line], "OK");
    };
    for entry in [
        "",
        "\"/flags/\\\\draft\" all ",
        "\"/flags/\\\\Draft\" shared ",
        "\"/flags/$none\" PRIV ",
    ] {
        // One mod-sequence for all: "it MUST ignore <entry-name> and <entry-type-req>".
        if !entry.is_empty() && server.either(false, true) {
            continue;
        }
        found(&format!("SEARCH MODSEQ {entry}{since}"), "2 5 7", fifth);
    }
    found(&format!("SEARCH MODSEQ {seventh}"), "5 7", fifth);
    found(&format!("UID SEARCH 6:8 MODSEQ {since}"), "7", seventh);
    found(
        &format!("SEARCH OR SUBJECT number3 MODSEQ {fifth}"),
        "3 5",
        fifth,
    );
    found("SEARCH MODSEQ 0 2", "2", second);
    let command = format!("SEARCH NOT MODSEQ {since} 8");
    let told = c.ok(&command);
    assert!(told[0].starts_with("* SEARCH 8 (MODSEQ "), "{told:?}");
    assert!(number_behind(&told, "(MODSEQ ") < since);
    // "omitted if no match"
    let beyond = fifth + 1;
    check(
        &mut c,
        &format!("SEARCH MODSEQ {beyond}"),
        &["* SEARCH"],
        "OK",
    );
    let command = format!("SEARCH OR NOT MODSEQ 0 MODSEQ {}", i64::MAX);
    check(&mut c, &command, &["* SEARCH"], "OK");
    // Not where nobody asked.
    check(&mut c, "SEARCH DRAFT", &["* SEARCH 2 5 7"], "OK");
    for wrong in [
        "MODSEQ",
        "MODSEQ x",
        "MODSEQ -1",
        "MODSEQ 9223372036854775808",
        "MODSEQ \"/flags/\\\\draft\" 5",
        "MODSEQ \"/flags/\\\\draft\" none 5",
        "MODSEQ \"draft\" all 5",
    ] {
        c.bad_strictly(&format!("SEARCH {wrong}"));
        c.ok("NOOP");
    }
}

/// Examples 19 and 20, and those of RFC 4731 §3.2: "If the SEARCH/UID SEARCH command contained a single MIN or MAX result
/// option, the MODSEQ result option contains the mod-sequence for the found message. If the SEARCH/UID SEARCH command
/// contained both MIN and MAX result options and no ALL/COUNT option, the MODSEQ result option contains the highest
/// mod-sequence for the two returned messages. Otherwise the MODSEQ result option contains the highest mod-sequence for
/// all messages being returned."
#[test]
fn esearch_and_esort() {
    let server = filled(8);
    let (mut c, since, [second, fifth, seventh]) = prepared(&server);
    let mut answered = |command: &str, data: &str| {
        let tag = c.next_tag();
        let line = format!("* ESEARCH (TAG \"{tag}\"){data}");
        c.check(command, &[&line], "OK");
    };
    for (options, data) in [
        ("ALL", format!(" ALL 2,5,7 MODSEQ {fifth}")),
        ("", format!(" ALL 2,5,7 MODSEQ {fifth}")),
        ("MIN", format!(" MIN 2 MODSEQ {second}")),
        ("MAX", format!(" MAX 7 MODSEQ {seventh}")),
        ("MIN MAX", format!(" MIN 2 MAX 7 MODSEQ {seventh}")),
        ("MIN COUNT", format!(" MIN 2 COUNT 3 MODSEQ {fifth}")),
        ("COUNT", format!(" COUNT 3 MODSEQ {fifth}")),
    ] {
        let command = format!("SEARCH RETURN ({options}) MODSEQ {since}");
        answered(&command, &data);
    }
    answered(
        &format!("UID SEARCH RETURN (ALL SAVE) MODSEQ {since}"),
        &format!(" UID ALL 2,5,7 MODSEQ {fifth}"),
    );
    answered(
        &format!("SEARCH RETURN (COUNT) MODSEQ {}", fifth + 1),
        " COUNT 0",
    );
    answered(
        &format!("SORT RETURN (ALL) (REVERSE SUBJECT) UTF-8 MODSEQ {since}"),
        &format!(" ALL 7,5,2 MODSEQ {fifth}"),
    );
    answered(
        &format!("UID SORT RETURN (MIN) (REVERSE SUBJECT) UTF-8 MODSEQ {since}"),
        &format!(" UID MIN 7 MODSEQ {seventh}"),
    );
    if server.either(true, false) {
        answered(
            &format!("SEARCH RETURN (PARTIAL -1:-1) MODSEQ {since}"),
            &format!(" PARTIAL (-1:-1 7) MODSEQ {seventh}"),
        );
    }
    // SAVE alone is not answered, and what is saved does not depend on it.
    let command = format!("SEARCH RETURN (SAVE) MODSEQ {since}");
    let tag = c.next_tag();
    let dovecots = format!("* ESEARCH (TAG \"{tag}\") MODSEQ {fifth}");
    c.check(&command, server.either(&[], &[&dovecots]), "OK");
    c.check("SEARCH $ DRAFT", &["* SEARCH 2 5 7"], "OK");
}

/// §3.1.9: SORT too; "THREAD responses are unchanged by the CONDSTORE extension."
#[test]
fn sort_and_thread() {
    let server = filled(8);
    let (mut c, since, [_, fifth, _]) = prepared(&server);
    c.check(
        &format!("SORT (REVERSE SUBJECT) UTF-8 MODSEQ {since}"),
        &[&format!("* SORT 7 5 2 (MODSEQ {fifth})")],
        "OK",
    );
    c.check(
        &format!("UID SORT (SUBJECT) UTF-8 SUBJECT number5 MODSEQ {since}"),
        &[&format!("* SORT 5 (MODSEQ {fifth})")],
        "OK",
    );
    let command = format!("SORT (SUBJECT) UTF-8 MODSEQ {}", fifth + 1);
    c.check(&command, &["* SORT"], "OK");
    c.check(
        &format!("THREAD REFS UTF-8 MODSEQ {since}"),
        &["* THREAD (2)(5)(7)"],
        "OK",
    );
}

/// RFC 7377: in several mailboxes. RFC 5267 §4.3: followed.
#[test]
fn several_mailboxes_and_followed() {
    let server = filled(8);
    if server.either(false, true) {
        return;
    }
    let (mut c, since, [_, fifth, _]) = prepared(&server);
    c.ok("CREATE box");
    c.ok("COPY 1 box");
    let told = c.ok(&format!("ESEARCH IN (personal) MODSEQ {since}"));
    assert_eq!(told.len(), 2, "{told:?}");
    let inbox = told.iter().find(|line| line.contains("INBOX")).unwrap();
    assert!(
        inbox.ends_with(&format!(" UID ALL 2,5,7 MODSEQ {fifth}")),
        "{inbox}"
    );
    let highest = status(&mut c, "box");
    assert!(
        told.iter()
            .any(|line| line.ends_with(&format!(" UID ALL 1 MODSEQ {highest}")))
    );

    let now = status(&mut c, "INBOX");
    let tag = c.next_tag();
    let command = format!("UID SEARCH RETURN (ALL UPDATE) MODSEQ {}", now + 1);
    c.check(&command, &[&format!("* ESEARCH (TAG \"{tag}\") UID")], "OK");
    server.selected("INBOX").ok("STORE 3 +FLAGS (\\Seen)");
    check(
        &mut c,
        "NOOP",
        &[
            &super::changed(&server, 3, "\\Seen"),
            &format!("* ESEARCH (TAG \"{tag}\") UID ADDTO (0 3)"),
        ],
        "OK",
    );
}

/// IMAP4rev2 answers with ESEARCH.
#[test]
fn imap4rev2() {
    let server = filled(8);
    let Some(mut c) = crate::states::rev2(&server) else {
        return;
    };
    c.ok("SELECT INBOX");
    let before = status(&mut c, "INBOX");
    c.ok("STORE 2 +FLAGS.SILENT (\\Draft)");
    let second = modseq(&mut c, 2);
    let tag = c.next_tag();
    let line = format!("* ESEARCH (TAG \"{tag}\") ALL 2 MODSEQ {second}");
    c.check(&format!("SEARCH MODSEQ {}", before + 1), &[&line], "OK");
}
