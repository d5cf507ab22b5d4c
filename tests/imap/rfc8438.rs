//! STATUS=SIZE (RFC 8438), and STATUS DELETED (RFC 9051 §6.3.11).

use std::fs;
use std::sync::Arc;

use crate::harness::{Maildir, Server, message};

/// §3, the example with its sizes: SIZE stands among the others, and is what FETCH adds up to.
#[test]
fn the_rfcs_example() {
    let maildir = Arc::new(Maildir::new());
    let sizes = [3224, 1222, 444, 4516, 544, 922, 31126, 2423];
    let uids: Vec<u32> = (1..=8).collect();
    maildir.numbered("frop", 1_364_851_417, 242_344, &uids);
    for (name, size) in maildir.files("frop").iter().zip(sizes) {
        let path = maildir.folder("frop").join(name);
        fs::write(path, format!("{:x<size$}", "Subject: x\r\n\r\n")).unwrap();
    }
    let server = Server::on(&maildir);
    let mut c = server.client();
    let told = format!("{} ", c.ok("CAPABILITY").remove(0));
    assert!(told.contains(" STATUS=SIZE "), "{told}");
    let status = c.ok("STATUS frop (MESSAGES SIZE UIDNEXT)").remove(0);
    // The items may come in any order.
    let list = status.strip_prefix("* STATUS frop (").unwrap();
    let list = format!(" {} ", list.trim_end_matches(')'));
    for item in [" MESSAGES 8 ", " SIZE 44421 ", " UIDNEXT 242344 "] {
        assert!(list.contains(item), "{item} in {status}");
    }
    c.ok("SELECT frop");
    let lines = c.ok("FETCH 1:* (RFC822.SIZE)");
    let expected = (1..).zip(sizes);
    let expected: Vec<String> = expected
        .map(|(number, size)| format!("* {number} FETCH (RFC822.SIZE {size})"))
        .collect();
    assert_eq!(lines, expected);
}

/// §3: the value "MUST be equal to or greater than the sum of the values of the RFC822.SIZE FETCH message data
/// items of all messages in the mailbox". Here it is the sum.
#[test]
fn the_sum_of_the_sizes() {
    let server = Server::start();
    let mut c = server.client();
    c.check("STATUS INBOX (SIZE)", &["* STATUS INBOX (SIZE 0)"], "OK");
    let texts = [message("one"), message("two"), message("twenty")];
    for text in &texts {
        c.append("INBOX", "", text);
    }
    let sum: usize = texts.iter().map(String::len).sum();
    let status = format!("* STATUS INBOX (MESSAGES 3 SIZE {sum})");
    c.check("STATUS INBOX (MESSAGES SIZE)", &[&status], "OK");
    c.ok("SELECT INBOX");
    c.ok("STORE 1 +FLAGS (\\Deleted)");
    c.ok("EXPUNGE");
    let rest = sum - texts[0].len();
    let status = format!("* STATUS INBOX (SIZE {rest})");
    c.check(
        "LIST \"\" INBOX RETURN (STATUS (SIZE))",
        &["* LIST () \".\" INBOX", &status],
        "OK",
    );
}

/// Files that an MTA wrote, with LF and without sizes in their names, count as they will be served.
#[test]
fn of_files_whose_size_nobody_noted() {
    let maildir = Arc::new(Maildir::new());
    let text = "Subject: x\n\none\ntwo\n";
    for number in 0..200 {
        maildir.deliver("INBOX", &format!("{text}{number:03}\n"));
    }
    let server = Server::on(&maildir);
    let mut c = server.client();
    let size = 200 * (text.len() + "000\n".len() + 5);
    let status = format!("* STATUS INBOX (SIZE {size})");
    c.check("STATUS INBOX (SIZE)", &[&status], "OK");
    c.ok("SELECT INBOX");
    let fetched: usize = c
        .ok("FETCH 1:* RFC822.SIZE")
        .iter()
        .map(|line| {
            let number = line.rsplit(' ').next().unwrap().trim_end_matches(')');
            number.parse::<usize>().unwrap()
        })
        .sum();
    assert_eq!(fetched, size);
}

#[test]
fn deleted() {
    let server = Server::start();
    if server.either(false, true) {
        return;
    }
    let mut c = server.client();
    c.append("INBOX", "(\\Deleted) ", &message("one"));
    c.append("INBOX", "", &message("two"));
    c.append("INBOX", "(\\Deleted \\Seen) ", &message("three"));
    c.check(
        "STATUS INBOX (DELETED UNSEEN DELETED)",
        &["* STATUS INBOX (DELETED 2 UNSEEN 2)"],
        "OK",
    );
}
