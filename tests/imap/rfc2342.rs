//! NAMESPACE (RFC 2342, RFC 9051 §6.3.10).

use std::sync::Arc;

use crate::harness::server::Setup;
use crate::harness::{Kind, Maildir, Server};

/// RFC 9051 §6.3.10: "a single untagged NAMESPACE response", with "a NIL for any namespace class that is not
/// available".
#[test]
fn one_of_ones_own_and_no_others() {
    let server = Server::start();
    for c in [&mut server.client(), &mut server.selected("INBOX")] {
        let line = ["* NAMESPACE ((\"\" \".\")) NIL NIL"];
        c.check("NAMESPACE", &line, "OK");
        c.check("nAmEsPaCe", &line, "OK");
        c.bad_strictly("NAMESPACE x");
        c.bad_strictly("NAMESPACE ");
    }
    server.connect().bad("NAMESPACE");
}

/// The delimiter is the one that LIST tells. RFC 2342 §5: with the prefix as a reference, LIST gives what is in it.
#[test]
fn the_delimiter_and_the_prefix_are_those_of_list() {
    let maildir = Arc::new(Maildir::new());
    let server = Setup::new(Kind::chosen()).fs_layout().start(&maildir);
    let mut c = server.client();
    c.check("NAMESPACE", &["* NAMESPACE ((\"\" \"/\")) NIL NIL"], "OK");
    c.check("LIST \"\" \"\"", &["* LIST (\\Noselect) \"/\" \"\""], "OK");
    // §2: "If an INBOX exists for a user, it MUST appear within the user's personal namespace."
    c.check(
        "LIST \"\" %",
        &["* LIST (\\HasNoChildren) \"/\" INBOX"],
        "OK",
    );
}
