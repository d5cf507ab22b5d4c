//! Modified UTF-7: every text has one spelling, which leads back to it, and no other is taken.

use culver::imap::name::{MailboxName, Pattern, mutf7};

/// Takes the octets as a spelling, and as a text.
pub fn check(octets: &[u8]) {
    if let Some(text) = mutf7::decode(octets) {
        assert_eq!(mutf7::encode(&text).as_bytes(), octets);
        name(octets, false, &text);
    }
    if let Ok(text) = std::str::from_utf8(octets) {
        let wire = mutf7::encode(text);
        assert!(wire.bytes().all(|octet| matches!(octet, b' '..=b'~')));
        assert_eq!(mutf7::decode(wire.as_bytes()).as_deref(), Some(text));
        name(octets, true, text);
    }
}

/// A mailbox's name comes back from both of its forms on the wire, and as a pattern it matches itself.
fn name(octets: &[u8], utf8: bool, text: &str) {
    for separator in ['.', '/'] {
        let Ok(name) = MailboxName::from_wire(octets, utf8, separator) else {
            continue;
        };
        assert!(name.as_str().eq_ignore_ascii_case(text));
        let short = name.to_mutf7();
        let again = MailboxName::from_wire(short.as_bytes(), false, separator);
        assert_eq!(again.as_ref(), Ok(&name));
        let again = MailboxName::from_wire(name.as_str().as_bytes(), true, separator);
        assert_eq!(again.as_ref(), Ok(&name));
        if let Some(parent) = name.parent(separator) {
            assert!(name.is_below(&parent, separator));
        }
        let pattern = Pattern::new(b"", name.as_str().as_bytes(), true, separator);
        assert!(pattern.matches(&name));
        let every = Pattern::new(b"", b"*", false, separator);
        assert!(every.matches(&name));
    }
}
