//! An open mailbox under hostile and changing surroundings.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::imap::name::MailboxName;
use crate::spool::filename::FileName;
use crate::spool::scan;
use crate::spool::testing::{Mail, folder, name};

fn file(text: &str) -> FileName {
    FileName::new(text.as_bytes()).expect(text)
}

fn text(folder: &Folder, sub: Sub, name: &str) -> io::Result<String> {
    let mut text = String::new();
    folder.open(sub, &file(name))?.read_to_string(&mut text)?;
    Ok(text)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn what_is_missing_is_made_with_the_mailboxs_mode() {
    let mail = Mail::new();
    for sub in ["cur", "new", "tmp"] {
        fs::remove_dir(mail.path(sub)).expect(sub);
    }
    fs::set_permissions(mail.path(""), fs::Permissions::from_mode(0o2770)).expect("mode");
    let folder = folder(&mail);
    for sub in ["cur", "new", "tmp"] {
        let mode = mail.path(sub).metadata().expect(sub).mode();
        assert_eq!(mode & 0o7777, 0o2770, "{sub}");
    }
    assert!(folder.is_writable());
}

#[test]
fn a_mailbox_renamed_while_open_goes_on_and_touches_no_other() {
    let mail = Mail::new();
    let tree = mail.tree();
    tree.create(&name("A", '.')).expect("create");
    let folder = tree.folder(&name("A", '.')).expect("open");
    mail.write(".A/cur/1.h:2,", "one");
    fs::rename(mail.path(".A"), mail.path(".B")).expect("rename");
    tree.create(&name("A", '.')).expect("another");
    assert_eq!(text(&folder, Sub::Cur, "1.h:2,").expect("open"), "one");
    let seen = file("1.h:2,S");
    folder
        .rename(Sub::Cur, &file("1.h:2,"), Sub::Cur, &seen)
        .expect("rename");
    assert_eq!(mail.names(".B/cur"), ["1.h:2,S"]);
    assert!(mail.names(".A/cur").is_empty());
    assert!(!folder.is_removed().expect("stat"));
    assert!(folder.place(Sub::Cur).path().join("1.h:2,S").exists());
    fs::remove_dir_all(mail.path(".B")).expect("removed");
    assert!(folder.is_removed().expect("stat"));
    assert!(folder.lacks(Sub::New).expect("stat"));
    folder.stamp(Sub::New).expect("its last");
    let gone = folder
        .rename(Sub::Cur, &seen, Sub::New, &seen)
        .expect_err("gone");
    assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    assert!(!mail.exists(".B"));
}

#[test]
fn a_new_that_was_removed_or_replaced_is_found_again() {
    let mail = Mail::new();
    let folder = folder(&mail);
    let before = folder.stamp(Sub::New).expect("stamp");
    fs::remove_dir(mail.path("new")).expect("removed");
    // Who looks makes nothing; who puts something there does.
    let last = folder.stamp(Sub::New).expect("its last");
    assert_eq!(before.identity, last.identity);
    assert!(folder.lacks(Sub::New).expect("stat"));
    assert!(scan::list(&folder, Sub::New).expect("empty").is_empty());
    assert!(!mail.exists("new"));
    mail.write("cur/0.h:2,", "x");
    folder
        .rename(Sub::Cur, &file("0.h:2,"), Sub::New, &file("0.h"))
        .expect("made again");
    assert!(mail.exists("new/0.h"));
    let made = folder.stamp(Sub::New).expect("stamp");
    fs::rename(mail.path("new"), mail.path("old")).expect("moved away");
    fs::create_dir(mail.path("new")).expect("replaced");
    mail.write("new/1.h", "x");
    let replaced = folder.stamp(Sub::New).expect("stamp");
    assert_ne!(made.identity, replaced.identity);
    assert_ne!(before.identity, made.identity);
    assert!(folder.exists(Sub::New, &file("1.h")).expect("stat"));
}

#[test]
fn nothing_is_ever_overwritten() {
    let mail = Mail::new();
    let folder = folder(&mail);
    mail.write("cur/1.h:2,", "one");
    mail.write("cur/2.h:2,", "two");
    let (one, two) = (file("1.h:2,"), file("2.h:2,"));
    for result in [
        folder.rename(Sub::Cur, &one, Sub::Cur, &two),
        folder.link_into(Sub::Cur, &one, &folder, Sub::Cur, &two),
    ] {
        let error = result.expect_err("it is there");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
    assert_eq!(mail.read("cur/2.h:2,"), "two");
    let gone = folder.rename(Sub::New, &one, Sub::Cur, &file("3.h:2,"));
    assert_eq!(gone.expect_err("gone").kind(), io::ErrorKind::NotFound);
    folder.unlink(Sub::Cur, &one).expect("unlink");
    assert!(!folder.exists(Sub::Cur, &one).expect("stat"));
    let gone = folder.unlink(Sub::Cur, &one);
    assert_eq!(gone.expect_err("gone").kind(), io::ErrorKind::NotFound);
    folder.sync(Sub::Cur).expect("sync");
}

#[test]
fn messages_go_to_other_mailboxes_by_link_and_rename() {
    let mail = Mail::new();
    let tree = mail.tree();
    tree.create(&name("A", '.')).expect("create");
    let (inbox, other) = (folder(&mail), tree.folder(&name("A", '.')).expect("open"));
    mail.write("cur/1.h:2,", "one");
    let (old, new) = (file("1.h:2,"), file("1.h:2,S"));
    inbox
        .link_into(Sub::Cur, &old, &other, Sub::Cur, &new)
        .expect("link");
    let (device, inode, links) = other.inode(Sub::Cur, &new).expect("stat").expect("there");
    assert_eq!(
        inbox.inode(Sub::Cur, &old).expect("stat"),
        Some((device, inode, 2))
    );
    inbox
        .rename_into(Sub::Cur, &old, &other, Sub::New, &old)
        .expect("rename");
    assert_eq!(
        (links, inbox.inode(Sub::Cur, &old).expect("stat")),
        (2, None)
    );
    assert_eq!(mail.names(".A/new"), ["1.h:2,"]);
    symlink("../.A/new/1.h:2,", mail.path("cur/l:2,")).expect("a link");
    let copy = inbox.link_into(Sub::Cur, &file("l:2,"), &other, Sub::Cur, &file("l:2,"));
    assert_eq!(
        copy.expect_err("copy it").kind(),
        io::ErrorKind::CrossesDevices
    );
}

#[test]
fn only_regular_files_inside_the_mail_root_are_messages() {
    let mut mail = Mail::new();
    let outside = mail.outside().join("secret");
    fs::write(&outside, "secret").expect("write");
    mail.write("stray", "inside");
    mail.write("cur/1.h:2,", "one");
    symlink("1.h:2,", mail.path("cur/2.same:2,")).expect("a link");
    symlink("../stray", mail.path("cur/3.up:2,")).expect("a link");
    symlink(mail.path("stray"), mail.path("cur/4.absolute:2,")).expect("a link");
    symlink(&outside, mail.path("cur/5.out:2,")).expect("a link");
    symlink("../../secret", mail.path("cur/6.out:2,")).expect("a link");
    symlink("nowhere", mail.path("cur/7.dangling:2,")).expect("a link");
    symlink("8.loop:2,", mail.path("cur/8.loop:2,")).expect("a link");
    symlink("/dev/null", mail.path("cur/9.device:2,")).expect("a link");
    symlink(".", mail.path("cur/a.dir-link:2,")).expect("a link");
    fs::create_dir(mail.path("cur/b.dir:2,")).expect("a directory");
    let fifo = mail.path("cur/c.fifo:2,");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .expect("mkfifo")
            .success()
    );
    let socket = mail.path("cur/d.socket:2,");
    std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    mail.write("cur/.hidden", "x");
    mail.write("cur/:2,S", "x");
    mail.write("cur/e\nnewline:2,", "x");
    fs::write(mail.bytes_path("cur", b"f\xff\xfe:2,"), "bytes").expect("write");

    let served = [
        "1.h:2,",
        "2.same:2,",
        "3.up:2,",
        "4.absolute:2,",
        "f\\xff\\xfe:2,",
    ];
    let listed = |folder: &Folder| {
        let mut names: Vec<String> = scan::list(folder, Sub::Cur)
            .expect("a listing")
            .iter()
            .map(|name| name.bytes().escape_ascii().to_string())
            .collect();
        names.sort();
        names
    };
    let inbox = folder(&mail);
    assert_eq!(listed(&inbox), served);
    assert_eq!(text(&inbox, Sub::Cur, "2.same:2,").expect("open"), "one");
    assert_eq!(text(&inbox, Sub::Cur, "3.up:2,").expect("open"), "inside");
    assert_eq!(
        text(&inbox, Sub::Cur, "4.absolute:2,").expect("open"),
        "inside"
    );
    for (odd, kind) in [
        ("5.out:2,", io::ErrorKind::PermissionDenied),
        ("6.out:2,", io::ErrorKind::PermissionDenied),
        ("7.dangling:2,", io::ErrorKind::NotFound),
        ("9.device:2,", io::ErrorKind::PermissionDenied),
        ("a.dir-link:2,", io::ErrorKind::InvalidInput),
        ("b.dir:2,", io::ErrorKind::InvalidInput),
        ("c.fifo:2,", io::ErrorKind::InvalidInput),
        ("d.socket:2,", io::ErrorKind::InvalidInput),
    ] {
        let error = text(&inbox, Sub::Cur, odd).expect_err(odd);
        assert_eq!(error.kind(), kind, "{odd}");
    }
    assert!(text(&inbox, Sub::Cur, "8.loop:2,").is_err());

    mail.location.follow_links_out = true;
    let inbox = folder(&mail);
    assert_eq!(text(&inbox, Sub::Cur, "5.out:2,").expect("open"), "secret");
    assert_eq!(listed(&inbox).len(), served.len() + 2);
}

#[test]
fn a_mailbox_that_cannot_be_written_opens_all_the_same() {
    let mail = Mail::new();
    mail.write("cur/1.h:2,", "one");
    fs::remove_dir(mail.path("tmp")).expect("tmp");
    for dir in ["cur", "new", ""] {
        fs::set_permissions(mail.path(dir), fs::Permissions::from_mode(0o500)).expect("mode");
    }
    let inbox = mail.tree().folder(&MailboxName::inbox()).expect("open");
    // Root may write anywhere.
    assert_eq!(inbox.is_writable(), is_root());
    assert_eq!(text(&inbox, Sub::Cur, "1.h:2,").expect("open"), "one");
    assert_eq!(scan::scan(&inbox).expect("scan").entries.len(), 1);
    for dir in ["", "cur", "new"] {
        fs::set_permissions(mail.path(dir), fs::Permissions::from_mode(0o700)).expect("mode");
    }
}

#[test]
fn a_sub_directory_that_is_a_link_must_stay_in_the_root() {
    let mail = Mail::new();
    fs::remove_dir(mail.path("cur")).expect("cur");
    fs::create_dir(mail.path("elsewhere")).expect("inside");
    symlink("elsewhere", mail.path("cur")).expect("a link");
    mail.write("elsewhere/1.h:2,", "one");
    assert_eq!(
        text(&folder(&mail), Sub::Cur, "1.h:2,").expect("open"),
        "one"
    );
    mail.remove("cur");
    symlink(mail.outside(), mail.path("cur")).expect("a link");
    let refused = mail.tree().folder(&MailboxName::inbox()).expect_err("out");
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
}
