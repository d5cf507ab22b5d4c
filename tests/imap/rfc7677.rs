//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 7677): what it adds to RFC 5802. Its exchange (§3) is a test beside the code;
//! what holds for both hashes: `rfc5802`.

use super::rfc5802::{USER, exchange, house, refused, same};

/// §4: "the hash iteration-count … SHOULD be at least 4096", which `exchange` looks at; and that of the two it is no weaker
/// a choice: a client that has failed by one is heard by the other.
#[test]
fn one_after_the_other() {
    let server = house();
    let mut c = server.connect();
    let wrong = ("user", "Pencil");
    refused(&exchange(
        &mut c,
        ("SCRAM-SHA-256", "n,,", b""),
        wrong,
        same,
    ));
    refused(&exchange(&mut c, ("SCRAM-SHA-1", "n,,", b""), wrong, same));
    let said = exchange(&mut c, ("SCRAM-SHA-256", "n,,", b""), USER, same);
    assert!(said.starts_with("OK"), "{said}");
}

/// A proof by SHA-1 is none by SHA-256.
#[test]
fn the_hash_is_the_mechanisms() {
    let server = house();
    for change in ["", "AAAA"] {
        let mut c = server.connect();
        let shorten = |message: String| {
            let (unproven, proof) = message.rsplit_once(",p=").unwrap();
            format!("{unproven},p={}{change}", &proof[..24])
        };
        let said = exchange(&mut c, ("SCRAM-SHA-256", "n,,", b""), USER, shorten);
        refused(&said);
    }
}
