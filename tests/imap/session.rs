//! CHECK (RFC 3501 §6.4.1).

use crate::harness::Server;

#[test]
fn check_only_where_a_mailbox_is_selected() {
    let server = Server::start();
    let mut c = server.client();
    c.bad("CHECK");
    c.ok("SELECT INBOX");
    c.check("CHECK", &[], "OK");
    c.bad_strictly("CHECK x");
}
