//! Node's imapflow, by a script of what a program does with it in a day: TLS and STARTTLS, mailboxes with
//! non-ASCII names, structure and download, search, flags, COPY, MOVE, deletion, and news while it idles; and by one that
//! keeps a copy of a mailbox and resynchronises it.

use crate::harness::{Server, have};
use crate::{disk, program};

#[test]
fn a_day_of_a_program() {
    if !have("node") {
        return;
    }
    let Some(packages) = program::package("node", "node_modules/imapflow") else {
        return;
    };
    let server = Server::start();
    let told = program::printed(
        program::command("node")
            .env("NODE_PATH", packages.join("node_modules"))
            .arg(program::beside("imapflow/everyday.js"))
            .args([
                server.imap.port().to_string(),
                server.imaps.port().to_string(),
            ]),
    );
    let mailboxes = [
        ("INBOX", "INBOX"),
        ("Sent", "Sent"),
        ("Entwürfe.台北", "Entw&APw-rfe.&U,BTFw-"),
    ];
    disk::agrees(&told, &server.maildir, &mailboxes);
}

#[test]
fn a_program_that_was_away() {
    if !have("node") {
        return;
    }
    let Some(packages) = program::package("node", "node_modules/imapflow") else {
        return;
    };
    let server = Server::start();
    let told = program::printed(
        program::command("node")
            .env("NODE_PATH", packages.join("node_modules"))
            .arg(program::beside("imapflow/offline.js"))
            .arg(server.imap.port().to_string()),
    );
    disk::agrees(&told, &server.maildir, &[("INBOX", "INBOX")]);
}
