//! Both layouts: what is listed, what may be named, and what changing them does to the disk.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::spool::testing::{Mail, name};

const FLAT: Layout = Layout::MaildirPlusPlus;

fn separator(mail: &Mail) -> char {
    mail.tree().separator()
}

/// What LIST shows: names, with `!` where they cannot be selected.
fn listed(mail: &Mail) -> Vec<String> {
    let entries = mail.tree().list().expect("list");
    let shown = |entry: Entry| match entry.selectable {
        true => entry.name.as_str().to_owned(),
        false => format!("{}!", entry.name.as_str()),
    };
    entries.into_iter().map(shown).collect()
}

fn create(mail: &Mail, text: &str) {
    let name = name(text, separator(mail));
    mail.tree().create(&name).expect(text);
}

fn delete(mail: &Mail, text: &str) -> io::Result<()> {
    mail.tree().delete(&name(text, separator(mail)))
}

fn rename(mail: &Mail, from: &str, to: &str) -> io::Result<Vec<(String, String)>> {
    let separator = separator(mail);
    let pairs = mail
        .tree()
        .rename(&name(from, separator), &name(to, separator))?;
    let text = |name: MailboxName| name.as_str().to_owned();
    Ok(pairs
        .into_iter()
        .map(|(old, new)| (text(old), text(new)))
        .collect())
}

fn refusal(mail: &Mail, text: &str) -> Option<String> {
    let error = mail.tree().check(&name(text, separator(mail))).err()?;
    let made = mail.tree().create(&name(text, separator(mail)));
    assert_eq!(made.expect_err(text).kind(), io::ErrorKind::InvalidInput);
    assert!(
        !mail
            .tree()
            .exists(&name(text, separator(mail)))
            .expect(text)
    );
    Some(error.to_string().replace("Invalid mailbox name: ", ""))
}

/// The names in expected.json's LIST, in UTF-8, as [`listed`] shows them.
fn expected(sample: &str, separator: char) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/maildirs");
    let json = fs::read(path.join(sample).join("expected.json")).expect(sample);
    let json: serde_json::Value = serde_json::from_slice(&json).expect(sample);
    let mut names: Vec<String> = json["list"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| {
            let wire = entry["name"].as_str().expect("a name");
            let name = MailboxName::from_wire(wire.as_bytes(), false, separator).expect(wire);
            let attributes = entry["attrs"].as_array().expect("attributes");
            let noselect = attributes.iter().any(|attribute| {
                matches!(attribute.as_str(), Some("\\Noselect" | "\\NonExistent"))
            });
            let mark = if noselect { "!" } else { "" };
            format!("{}{mark}", name.as_str())
        })
        .collect();
    names.sort();
    names
}

#[test]
fn dovecots_trees_list_as_dovecot_lists_them() {
    for (sample, layout, separator) in [
        ("std", FLAT, '.'),
        ("messy", FLAT, '.'),
        ("v1", FLAT, '.'),
        ("fs", Layout::Fs, '/'),
    ] {
        let mail = Mail::sample(sample, layout);
        let mut names = listed(&mail);
        names.sort();
        assert_eq!(names, expected(sample, separator), "{sample}");
        for entry in mail.tree().list().expect("list") {
            assert_eq!(
                mail.tree().exists(&entry.name).expect("look"),
                entry.selectable
            );
            let folder = mail.tree().folder(&entry.name);
            assert_eq!(folder.is_ok(), entry.selectable, "{}", entry.name);
        }
    }
}

#[test]
fn dovecots_subscriptions_are_read() {
    let read = |sample, layout| {
        let mail = Mail::sample(sample, layout);
        let names = crate::spool::subscriptions::read(&mail.tree()).expect(sample);
        names.len()
    };
    let lsub = |sample: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/maildirs");
        let json = fs::read(path.join(sample).join("expected.json")).expect(sample);
        let json: serde_json::Value = serde_json::from_slice(&json).expect(sample);
        let listed = json["lsub"].as_array().expect("a list").iter();
        listed
            .filter(|entry| !entry.to_string().contains("Noselect"))
            .count()
    };
    for (sample, layout) in [("std", FLAT), ("messy", FLAT), ("fs", Layout::Fs)] {
        assert_eq!(read(sample, layout), lsub(sample), "{sample}");
    }
}

#[test]
fn names_maildir_plus_plus_refuses() {
    let mail = Mail::new();
    for (text, why) in [
        ("~root", "Begins with '~'"),
        (".x", "Begins with hierarchy separator"),
        ("../x", "Begins with hierarchy separator"),
        (".", "Begins with hierarchy separator"),
        ("x.", "Ends with hierarchy separator"),
        ("a..b", "Has adjacent hierarchy separators"),
        ("a/b", "Name must not have '/' characters"),
        ("/etc", "Name must not have '/' characters"),
        ("&/", "Name must not have '/' characters"),
    ] {
        assert_eq!(refusal(&mail, text).as_deref(), Some(why), "{text}");
    }
    for long in [
        "x".repeat(255),
        "ü".repeat(100),
        "x".repeat(4096),
        "a.".repeat(200) + "a",
    ] {
        assert_eq!(refusal(&mail, &long).as_deref(), Some("Name is too long"));
    }
    let before = mail.names("");
    for text in [
        "cur",
        "new",
        "tmp",
        "*",
        "%",
        "a b",
        &"x".repeat(254),
        "INBOX.cur",
        "nfsfoo",
    ] {
        assert_eq!(refusal(&mail, text), None, "{text}");
        create(&mail, text);
        delete(&mail, text).expect(text);
    }
    assert_eq!(mail.names(""), before);
}

#[test]
fn names_fs_refuses() {
    let mail = Mail::with(Layout::Fs);
    for (text, why) in [
        ("~root", "Begins with '~'"),
        ("/etc", "Begins with hierarchy separator"),
        ("a/", "Ends with hierarchy separator"),
        ("a//b", "Has adjacent hierarchy separators"),
        ("a/./b", "Contains '.' part"),
        ("..", "Contains '..' part"),
        ("../x", "Contains '..' part"),
        ("a/../../x", "Contains '..' part"),
        ("cur", "Contains reserved name"),
        ("a/new/b", "Contains reserved name"),
        ("tmp", "Contains reserved name"),
        ("dovecot-uidlist", "Contains reserved name"),
        ("..DOVECOT-TRASHED", "Contains reserved name"),
    ] {
        assert_eq!(refusal(&mail, text).as_deref(), Some(why), "{text}");
    }
    let deep = |levels: usize| vec!["a"; levels].join("/");
    assert_eq!(
        refusal(&mail, &deep(200)).as_deref(),
        Some("Name has too many levels")
    );
    assert_eq!(
        refusal(&mail, &"x".repeat(256)).as_deref(),
        Some("Name is too long")
    );
    assert!(refusal(&mail, &"x/".repeat(4000)).is_some());
    for text in [
        ".hid",
        "x.y/z",
        &"x".repeat(255),
        &deep(100),
        "INBOX/sub",
        "Cur",
    ] {
        create(&mail, text);
        assert!(mail.tree().exists(&name(text, '/')).expect(text), "{text}");
        delete(&mail, text).expect(text);
    }
    assert_eq!(listed(&mail), ["INBOX"]);
}

#[test]
fn a_flat_mailbox_is_made_as_dovecot_makes_it() {
    let mail = Mail::new();
    fs::set_permissions(
        mail.path(""),
        std::os::unix::fs::PermissionsExt::from_mode(0o750),
    )
    .expect("mode");
    create(&mail, "Entwürfe.Alt");
    assert_eq!(
        mail.names(".Entw&APw-rfe.Alt"),
        ["cur", "maildirfolder", "new", "tmp"]
    );
    let mode = |name: &str| mail.path(name).metadata().expect(name).mode() & 0o777;
    assert_eq!(mode(".Entw&APw-rfe.Alt/cur"), 0o750);
    assert_eq!(mode(".Entw&APw-rfe.Alt/maildirfolder"), 0o640);
    assert_eq!(listed(&mail), ["Entwürfe!", "Entwürfe.Alt", "INBOX"]);
    let again = mail.tree().create(&name("Entwürfe.Alt", '.'));
    assert_eq!(
        again.expect_err("again").kind(),
        io::ErrorKind::AlreadyExists
    );
    let inbox = mail.tree().create(&MailboxName::inbox());
    assert_eq!(
        inbox.expect_err("INBOX").kind(),
        io::ErrorKind::AlreadyExists
    );
    assert!(!mail.exists("maildirfolder"));
    let implied = mail.tree().folder(&name("Entwürfe", '.'));
    assert_eq!(
        implied.expect_err("implied").kind(),
        io::ErrorKind::NotFound
    );
}

#[test]
fn a_nested_mailbox_is_made_where_a_directory_is_too() {
    let mail = Mail::with(Layout::Fs);
    create(&mail, "A/B/C");
    assert_eq!(listed(&mail), ["A!", "A/B!", "A/B/C", "INBOX"]);
    assert_eq!(mail.names("A/B/C"), ["cur", "new", "tmp"]);
    create(&mail, "A");
    assert_eq!(listed(&mail), ["A", "A/B!", "A/B/C", "INBOX"]);
    let again = mail.tree().create(&name("A", '/'));
    assert_eq!(
        again.expect_err("again").kind(),
        io::ErrorKind::AlreadyExists
    );
    create(&mail, "INBOX/sub");
    assert_eq!(listed(&mail), ["A", "A/B!", "A/B/C", "INBOX", "INBOX/sub"]);
}

#[test]
fn what_is_no_mailbox_is_not_listed() {
    let mail = Mail::new();
    for dir in [
        "plain", ".&bad", ".A..B", "..x", ".INBOX", ".inbox", ".inbox.x", ".~y", ".&AEE-",
    ] {
        fs::create_dir(mail.path(dir)).expect(dir);
    }
    mail.write(".file", "x");
    symlink("nowhere", mail.path(".dangling")).expect("a link");
    symlink("/", mail.path(".out")).expect("a link");
    symlink(mail.outside(), mail.path(".outside")).expect("a link");
    symlink(".real", mail.path(".alias")).expect("a link");
    symlink(mail.path(".real"), mail.path(".absolute")).expect("a link");
    create(&mail, "real");
    assert_eq!(listed(&mail), ["INBOX", "absolute", "alias", "real"]);
    for refused in ["out", "outside", "dangling", "file"] {
        let name = name(refused, '.');
        assert!(!mail.tree().exists(&name).expect(refused));
        let error = mail.tree().folder(&name).expect_err(refused);
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{refused}");
    }
    let mut outward = Mail::new();
    outward.location.follow_links_out = true;
    symlink(mail.path(".real"), outward.path(".far")).expect("a link");
    assert_eq!(listed(&outward), ["INBOX", "far"]);
    assert!(outward.tree().folder(&name("far", '.')).is_ok());
}

#[test]
fn links_in_a_circle_end() {
    let mail = Mail::with(Layout::Fs);
    create(&mail, "A/B");
    create(&mail, "C");
    symlink("../..", mail.path("A/B/root")).expect("a link");
    symlink("..", mail.path("A/B/up")).expect("a link");
    symlink("../../C", mail.path("A/B/c")).expect("a link");
    let names = listed(&mail);
    assert!(names.contains(&"A/B/c".to_owned()), "{names:?}");
    assert!(names.len() < 12, "{names:?}");
}

#[test]
fn utf8_names_are_nfc_on_disk() {
    let mut mail = Mail::new();
    mail.location.names = DiskNames::Utf8;
    create(&mail, "Entwu\u{308}rfe");
    assert!(mail.exists(".Entwürfe"));
    assert_eq!(listed(&mail), ["Entwürfe", "INBOX"]);
    assert!(
        mail.tree()
            .exists(&name("Entwu\u{308}rfe", '.'))
            .expect("look")
    );
    let pairs = rename(&mail, "Entwu\u{308}rfe", "A&B").expect("rename");
    assert_eq!(pairs, [("Entwürfe".to_owned(), "A&B".to_owned())]);
    assert!(mail.exists(".A&B"));
    fs::create_dir(mail.path(".e\u{301}")).expect("not NFC");
    assert_eq!(listed(&mail), ["A&B", "INBOX"]);
}

#[test]
fn deleting_a_flat_mailbox_leaves_its_children_and_follows_no_link() {
    let mail = Mail::new();
    create(&mail, "A");
    create(&mail, "A.B");
    mail.write("kept", "x");
    symlink("..", mail.path(".A/cur/up")).expect("a link");
    symlink("../kept", mail.path(".A/cur/1.h:2,")).expect("a link");
    fs::create_dir_all(mail.path(".A/cur/deep/er")).expect("directories");
    mail.write(".A/cur/deep/er/file", "x");
    delete(&mail, "A").expect("delete");
    assert_eq!(listed(&mail), ["A!", "A.B", "INBOX"]);
    assert_eq!(mail.names(""), [".A.B", "cur", "kept", "new", "tmp"]);
    for gone in ["A", "X"] {
        assert_eq!(
            delete(&mail, gone).expect_err(gone).kind(),
            io::ErrorKind::NotFound
        );
    }
    assert_eq!(
        delete(&mail, "INBOX").expect_err("no").kind(),
        io::ErrorKind::InvalidInput
    );
    // Of an alias, the link goes.
    symlink(".A.B", mail.path(".L")).expect("a link");
    delete(&mail, "L").expect("delete");
    assert_eq!(listed(&mail), ["A!", "A.B", "INBOX"]);
}

#[test]
fn deleting_a_nested_mailbox_takes_only_what_is_its_own() {
    let mail = Mail::with(Layout::Fs);
    create(&mail, "A");
    create(&mail, "A/B");
    mail.write("A/cur/1.h:2,", "x");
    mail.write("A/dovecot-uidlist", "x");
    delete(&mail, "A").expect("delete");
    assert_eq!(listed(&mail), ["A!", "A/B", "INBOX"]);
    assert_eq!(mail.names("A"), ["B"]);
    let refused = delete(&mail, "A").expect_err("it has a child");
    assert_eq!(refused.kind(), io::ErrorKind::DirectoryNotEmpty);
    delete(&mail, "A/B").expect("delete");
    assert_eq!(listed(&mail), ["INBOX"]);
    assert_eq!(mail.names(""), ["cur", "new", "tmp"]);
    mail.write("file", "x");
    assert_eq!(
        delete(&mail, "file").expect_err("a file").kind(),
        io::ErrorKind::NotFound
    );
}

#[test]
fn renaming_takes_the_children_along() {
    let mail = Mail::new();
    for text in ["A", "A.B", "A.B.C", "AB", "Z.y"] {
        create(&mail, text);
    }
    mail.write(".A.B/cur/1.h:2,", "x");
    let pairs = rename(&mail, "A", "X.Ü").expect("rename");
    let expected = [("A", "X.Ü"), ("A.B", "X.Ü.B"), ("A.B.C", "X.Ü.B.C")];
    assert_eq!(
        pairs,
        expected.map(|(old, new)| (old.to_owned(), new.to_owned()))
    );
    assert_eq!(
        listed(&mail),
        ["AB", "INBOX", "X!", "X.Ü", "X.Ü.B", "X.Ü.B.C", "Z!", "Z.y"]
    );
    assert_eq!(mail.read(".X.&ANw-.B/cur/1.h:2,"), "x");
    // An implied parent, too.
    assert_eq!(rename(&mail, "Z", "W").expect("rename").len(), 2);
    for (from, to, why) in [
        ("gone", "N", io::ErrorKind::NotFound),
        ("AB", "X.Ü", io::ErrorKind::AlreadyExists),
        ("AB", "INBOX", io::ErrorKind::AlreadyExists),
        ("AB", "AB", io::ErrorKind::AlreadyExists),
        ("AB", "AB.C", io::ErrorKind::InvalidInput),
        ("INBOX", "N", io::ErrorKind::InvalidInput),
        ("AB", "a/b", io::ErrorKind::InvalidInput),
        ("X.Ü", &"x".repeat(251), io::ErrorKind::InvalidInput),
    ] {
        let error = rename(&mail, from, to).expect_err(from);
        assert_eq!(error.kind(), why, "{from} {to}");
    }
    // A child that is in the way stops all of it.
    create(&mail, "N.B");
    let error = rename(&mail, "X.Ü", "N").expect_err("in the way");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert!(mail.exists(".X.&ANw-"));
}

#[test]
fn renaming_in_fs_is_one_step_and_empty_parents_go() {
    let mail = Mail::with(Layout::Fs);
    for text in ["A/B", "A/B/C", "Q"] {
        create(&mail, text);
    }
    let pairs = rename(&mail, "A/B", "X/Y").expect("rename");
    let expected = [("A/B", "X/Y"), ("A/B/C", "X/Y/C")];
    assert_eq!(
        pairs,
        expected.map(|(old, new)| (old.to_owned(), new.to_owned()))
    );
    assert_eq!(listed(&mail), ["INBOX", "Q", "X!", "X/Y", "X/Y/C"]);
    let error = rename(&mail, "Q", "X").expect_err("in the way");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    fs::create_dir(mail.path("Empty")).expect("a directory");
    rename(&mail, "Q", "Empty").expect("rename");
    assert_eq!(listed(&mail), ["Empty", "INBOX", "X!", "X/Y", "X/Y/C"]);
}

#[test]
fn control_files_go_along() {
    for (layout, prefix, inbox) in [(FLAT, ".", ".INBOX"), (Layout::Fs, "", "INBOX")] {
        let mut mail = Mail::with(layout);
        let control = mail.outside().join("control");
        mail.location.control = Some(control.clone());
        let place = |name: &str| control.join(format!("{prefix}{name}"));
        for text in ["INBOX", "A", "B"] {
            if text != "INBOX" {
                create(&mail, text);
            }
            let folder = mail.tree().folder(&name(text, '.')).expect(text);
            folder.control_to_write().expect(text);
        }
        assert!(control.join(inbox).exists());
        fs::write(place("A").join("dovecot-uidlist"), "of A").expect("write");
        // What a mailbox that is gone has left must not be taken over by another.
        fs::create_dir(place("C")).expect("a directory");
        fs::write(place("C").join("dovecot-uidlist"), "stale").expect("write");
        rename(&mail, "A", "C").expect("rename");
        let text = fs::read(place("C").join("dovecot-uidlist")).expect("moved");
        assert_eq!(
            (text.as_slice(), place("A").exists()),
            (b"of A".as_slice(), false)
        );
        delete(&mail, "C").expect("delete");
        assert!(!place("C").exists());
        let left: Vec<_> = fs::read_dir(&control).expect("control").collect();
        assert_eq!(left.len(), 2);
    }
}

#[test]
fn leftovers_of_deletions_go_when_they_are_old() {
    let mail = Mail::new();
    fs::create_dir_all(mail.path("..DOVECOT-TRASHED/cur")).expect("a leftover");
    fs::create_dir_all(mail.path("..DOVECOT-TRASHED.1.M2P3.vm/cur")).expect("a leftover");
    create(&mail, "kept");
    assert_eq!(listed(&mail), ["INBOX", "kept"]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now");
    let hour = std::time::Duration::from_secs(3600);
    change::clear_trash(&mail.tree().root, now + hour / 2);
    assert_eq!(mail.names("").len(), 6);
    change::clear_trash(&mail.tree().root, now + hour * 2);
    assert_eq!(mail.names(""), [".kept", "cur", "new", "tmp"]);
}

#[test]
fn a_missing_maildir_is_made_private() {
    let mut mail = Mail::new();
    mail.location.root = mail.outside().join("home/user/Mail");
    assert_eq!(listed(&mail), ["INBOX"]);
    assert_eq!(mail.names(""), ["cur", "new", "tmp"]);
    for dir in ["", "cur", "../../user"] {
        let mode = mail.path(dir).metadata().expect(dir).mode();
        assert_eq!(mode & 0o777, 0o700, "{dir}");
    }
}

#[test]
fn the_maildir_may_itself_be_a_link() {
    let mut mail = Mail::new();
    symlink("Maildir", mail.outside().join("link")).expect("a link");
    mail.location.root = mail.outside().join("link");
    create(&mail, "A");
    rename(&mail, "A", "B").expect("rename");
    delete(&mail, "B").expect("delete");
    assert_eq!(listed(&mail), ["INBOX"]);
}

#[test]
fn several_processes_may_open_it_for_the_first_time_at_once() {
    let home = tempfile::tempdir().unwrap();
    for round in 0..50 {
        let location = Location {
            root: home.path().join(round.to_string()),
            control: None,
            layout: FLAT,
            names: DiskNames::Utf7,
            follow_links_out: false,
        };
        let begin = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    begin.wait();
                    Tree::open(location.clone()).expect("all of them open it");
                });
            }
        });
    }
}
