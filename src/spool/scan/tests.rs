//! What one look at the directories says of itself.

use std::fs;

use super::*;
use crate::spool::testing::{Mail, folder};

/// The samples' messages, by name.
fn bases(scan: &Scan) -> Vec<String> {
    let mut bases: Vec<String> = scan
        .entries
        .iter()
        .map(|(sub, name)| format!("{sub:?} {}", String::from_utf8_lossy(name.bytes())))
        .collect();
    bases.sort();
    bases
}

#[test]
fn foreign_names_are_all_messages() {
    let mail = Mail::sample("messy", crate::spool::tree::Layout::MaildirPlusPlus);
    let scan = scan(&folder(&mail)).expect("scan");
    let bases = bases(&scan);
    assert_eq!(bases.len(), 20);
    assert!(bases.contains(&"Cur weird name.eml".to_owned()));
    assert!(bases.contains(&"New 1700000003.Vfd00I1234M55.mx".to_owned()));
    assert!(!bases.iter().any(|base| base.contains("hidden")));
}

#[test]
fn quiet_is_only_what_was_left_alone_for_the_guard() {
    let stamp = |nanos: i128| Stamp {
        identity: (1, 1),
        modified: (
            i64::try_from(nanos / 1_000_000_000).expect("seconds"),
            u32::try_from(nanos % 1_000_000_000).expect("nanoseconds"),
        ),
        size: 0,
    };
    let now = 1_700_000_000_500_000_000;
    let wall = UNIX_EPOCH + Duration::from_nanos(1_700_000_000_500_000_000);
    let guard = 10_000_000;
    assert!(!is_settled(&stamp(now), wall));
    assert!(!is_settled(&stamp(now - guard), wall));
    assert!(is_settled(&stamp(now - guard - 1), wall));
    assert!(!is_settled(&stamp(now + guard), wall));
    // The clock was set back by an hour.
    assert!(is_settled(&stamp(now + 3_600_000_000_000), wall));
}

#[test]
fn a_scan_of_directories_left_alone_is_quiet() {
    let mail = Mail::new();
    let inbox = folder(&mail);
    for sub in ["new", "cur"] {
        mail.set_mtime(sub, -5);
    }
    assert!(scan(&inbox).expect("scan").quiet);
    mail.write("new/1.h", "x");
    mail.set_mtime("new", 0);
    assert!(!scan(&inbox).expect("scan").quiet);
}

#[test]
fn a_message_is_found_by_its_base_name() {
    let mail = Mail::new();
    let inbox = folder(&mail);
    mail.write("cur/1.h:2,S", "x");
    mail.write("new/2.h", "x");
    let found = |base: &str| {
        let found = locate(&inbox, base.as_bytes()).expect("a look");
        found.map(|(sub, name)| (sub, String::from_utf8_lossy(name.bytes()).into_owned()))
    };
    assert_eq!(found("1.h"), Some((Sub::Cur, "1.h:2,S".into())));
    assert_eq!(found("2.h"), Some((Sub::New, "2.h".into())));
    assert_eq!(found("1"), None);
    fs::remove_dir_all(mail.path("new")).expect("removed");
    assert_eq!(found("2.h"), None);
}

#[test]
fn many_entries_come_all() {
    let mail = Mail::new();
    for number in 0..3000 {
        mail.write(&format!("new/{number}.a-name-of-some-length.host"), "");
    }
    assert_eq!(list(&folder(&mail), Sub::New).expect("list").len(), 3000);
}

#[test]
fn a_failed_look_is_an_error() {
    let mail = Mail::new();
    let inbox = folder(&mail);
    fs::remove_dir(mail.path("cur")).expect("removed");
    mail.write("cur", "a file");
    assert!(scan(&inbox).is_err());
    assert!(locate(&inbox, b"1.h").is_err());
}
