//! LOGIN, AUTHENTICATE and what is allowed before them (RFC 3501 §6.2, RFC 4616, RFC 4959).

use crate::harness::server::{PASSWORD, USER};
use crate::harness::{Server, client};

#[test]
fn login_with_atoms_strings_and_literals() {
    let server = Server::start();
    for command in ["LOGIN u p", "login \"u\" \"p\"", "LOGIN {1}\r\nu {1}\r\np", "LOGIN {1+}\r\nu {1+}\r\np"] {
        let mut c = server.connect();
        assert!(c.run(command).tagged.starts_with("OK"), "{command}");
        c.check("NOOP", &[], "OK");
    }
}
