//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208 §4.1 and §7).

use super::*;
use crate::imap::command::StatusItem;

#[test]
fn what_is_asked_for() {
    let get = |root: &str| CommandBody::GetQuota { root: root.into() };
    let of = |mailbox: &str| CommandBody::GetQuotaRoot {
        mailbox: mailbox.into(),
    };
    let set = |root: &str, limits: &[(&str, u64)]| CommandBody::SetQuota {
        root: root.into(),
        limits: (limits.iter())
            .map(|(name, limit)| ((*name).to_owned(), *limit))
            .collect(),
    };
    for (text, value) in [
        ("GETQUOTA \"!partition/sda4\"", get("!partition/sda4")),
        ("getquota \"\"", get("")),
        ("GETQUOTA {3}\r\na b", get("a b")),
        ("GETQUOTA root", get("root")),
        ("GETQUOTAROOT INBOX", of("INBOX")),
        ("GetQuotaRoot \"comp.mail.mime\"", of("comp.mail.mime")),
        (
            "SETQUOTA \"#user/alice\" (STORAGE 510)",
            set("#user/alice", &[("STORAGE", 510)]),
        ),
        (
            "setquota \"\" (storage 1 MESSAGE 0)",
            set("", &[("STORAGE", 1), ("MESSAGE", 0)]),
        ),
        ("SETQUOTA x ()", set("x", &[])),
        (
            "SETQUOTA x (X-OTHER 9223372036854775807)",
            set("x", &[("X-OTHER", i64::MAX as u64)]),
        ),
    ] {
        assert_eq!(body(text), value, "{text}");
    }
    let status = "STATUS INBOX (MESSAGES deleted Deleted-Storage)";
    let items = vec![
        StatusItem::Messages,
        StatusItem::Deleted,
        StatusItem::DeletedStorage,
    ];
    let mailbox = b"INBOX".to_vec();
    assert_eq!(body(status), CommandBody::Status { mailbox, items });
}

#[test]
fn what_is_none() {
    for (text, expected) in [
        ("GETQUOTA", "Expected a space (octet 11)"),
        ("GETQUOTA ", "Expected a quota root (octet 12)"),
        ("GETQUOTA a b", "Expected the command's end (octet 13)"),
        ("GETQUOTA (a)", "Expected a quota root (octet 12)"),
        ("GETQUOTAROOT", "Expected a space (octet 15)"),
        ("GETQUOTAROOT a b", "Expected the command's end (octet 17)"),
        ("SETQUOTA", "Expected a space (octet 11)"),
        ("SETQUOTA x", "Expected a space (octet 13)"),
        ("SETQUOTA x STORAGE 5", "Expected ( (octet 14)"),
        ("SETQUOTA x ( )", "Expected a resource (octet 15)"),
        ("SETQUOTA x (STORAGE)", "Expected a space (octet 22)"),
        ("SETQUOTA x (STORAGE x)", "Expected a number (octet 23)"),
        ("SETQUOTA x (STORAGE -1)", "Expected a number (octet 23)"),
        (
            "SETQUOTA x (STORAGE 5 MESSAGE)",
            "Expected a space (octet 32)",
        ),
        (
            "SETQUOTA x (STORAGE 9223372036854775808)",
            "Number too large",
        ),
        ("SETQUOTA x () y", "Expected the command's end (octet 16)"),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
    let list = vec!["STORAGE 1"; 101].join(" ");
    let text = format!("SETQUOTA x ({list})");
    assert_eq!(error(text), "More than 100 resources");
}
