//! Perl's Mail::IMAPClient, by a script of what a program does with it in a day.

use crate::harness::{Server, have};
use crate::{disk, program};

#[test]
fn a_day_of_a_program() {
    if !have("perl") || !program::file("/usr/share/perl5/Mail/IMAPClient.pm") {
        return;
    }
    let server = Server::start();
    let told = program::printed(
        program::command("/usr/bin/perl")
            .arg(program::beside("mail-imapclient/everyday.pl"))
            .arg(server.imap.port().to_string()),
    );
    let mailboxes = [
        ("INBOX", "INBOX"),
        ("Sent", "Sent"),
        ("with \"quotes\" and space", "with \"quotes\" and space"),
    ];
    disk::agrees(&told, &server.maildir, &mailboxes);
}
