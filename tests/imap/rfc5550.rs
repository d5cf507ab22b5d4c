//! URL-PARTIAL (RFC 5550 §5.7.1): ranges in the URLs that CATENATE takes. Of URLAUTH, which it names too, there is none.

use super::rfc4469::{ORIGINAL, drafts, octets};
use super::rfc5092::made;
use crate::harness::Server;

/// §5.7.1: a server that takes `;PARTIAL=` MUST announce it, in the CAPABILITY response and in the code.
#[test]
fn it_is_announced_in_both_places() {
    let server = Server::start();
    if server.either(false, true) {
        return; // It takes ranges and does not say so.
    }
    let mut c = server.connect();
    let reply = c.run("LOGIN u p");
    let code = reply.tagged.split(']').next().unwrap();
    assert!(code.split(' ').any(|name| name == "URL-PARTIAL"), "{code}");
    let told = c.ok("CAPABILITY").remove(0);
    assert!(told.split(' ').any(|name| name == "URL-PARTIAL"), "{told}");
}

/// What it means is said in RFC 5092 §6: the range of octets that FETCH would give for `<first.length>` behind the
/// section; without a length, all from there.
#[test]
fn ranges() {
    let server = Server::start();
    let (mut c, _) = drafts(&server);
    c.ok("CREATE Made");
    c.ok("EXAMINE Drafts");
    let body = octets(&mut c, 1, "1");
    for (url, expected) in [
        ("/;PARTIAL=0.10", &ORIGINAL[..10]),
        ("/;partial=5.1000000", &ORIGINAL[5..]),
        ("/;SECTION=1/;PARTIAL=4.6", &body[4..10]),
        ("/;SECTION=1/;PARTIAL=4", &body[4..]),
        ("/;SECTION=1/;PARTIAL=4000.1", ""),
    ] {
        assert_eq!(
            made(&mut c, &format!("/Drafts/;UID=1{url}")),
            expected,
            "{url}"
        );
    }
}

/// A file with LF alone reads with CRLF, and a range may end between the two.
#[test]
fn ranges_count_crlf() {
    let server = Server::start();
    let mut c = server.client();
    c.ok("CREATE Made");
    server.maildir.deliver("INBOX", "Subject: x\n\na\nb\n");
    c.ok("SELECT INBOX");
    let whole = "Subject: x\r\n\r\na\r\nb\r\n";
    assert_eq!(made(&mut c, "/INBOX/;UID=1"), whole);
    for (from, length) in [(0, 11), (1, 10), (12, 2), (14, 4)] {
        let url = format!("/INBOX/;UID=1/;PARTIAL={from}.{length}");
        assert_eq!(made(&mut c, &url), &whole[from..from + length], "{url}");
    }
    for at in 1..whole.len() {
        let (one, other) = (format!("0.{at}"), format!("{at}.100"));
        let url = format!("/INBOX/;UID=1/;PARTIAL={one}\" URL \"/INBOX/;UID=1/;PARTIAL={other}");
        assert_eq!(made(&mut c, &url), whole, "{url}");
    }
}
