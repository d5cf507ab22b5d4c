//! The RFCs' own exchanges, what else the grammar allows, and what it does not.

use proptest::prelude::*;

use super::*;

fn salt(base64: &str) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(base64).unwrap()
}

/// RFC 5802 §5.
#[test]
fn the_exchange_of_rfc_5802() {
    let first = b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL";
    let first = First::parse(first, false, None).unwrap();
    assert_eq!((first.user.as_str(), &first.authorize_as), ("user", &None));
    let keys = Keys::of(Hash::Sha1, b"pencil", &salt("QSXCR+Q6sek8bf92"), 4096);
    let (exchange, answer) = first.answer(Hash::Sha1, keys, "3rfcNHYJY1ZVvWVs7j");
    assert_eq!(
        answer,
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
    );
    let last =
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
    assert_eq!(
        exchange.finish(last).as_deref(),
        Some("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")
    );
}

/// RFC 7677 §3.
#[test]
fn the_exchange_of_rfc_7677() {
    let (exchange, answer) = sha256();
    assert_eq!(
        answer,
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    assert_eq!(
        exchange.finish(LAST.as_bytes()).as_deref(),
        Some("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    );
}

const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

fn sha256() -> (Exchange, String) {
    let first = First::parse(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", false, None).unwrap();
    let salt = salt("W22ZaJ0SNY7soEsUEjb6gQ==");
    let keys = Keys::of(Hash::Sha256, b"pencil", &salt, 4096);
    first.answer(Hash::Sha256, keys, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
}

#[test]
fn anything_else_is_no_proof() {
    for (from, to) in [
        ("p=d", "p=e"),
        ("AndVQ=", ""),
        ("biws", "eSws"),
        ("biws", "bi*s"),
        ("c=biws,", ""),
        ("k0,", "k1,"),
        ("r=rO", "r=RO"),
        (",p=", ",x=1,p="),
        (",p=", ",q="),
        ("c=", "C="),
    ] {
        let message = LAST.replacen(from, to, 1);
        assert_ne!(message, LAST);
        assert_eq!(sha256().0.finish(message.as_bytes()), None, "{message}");
    }
    assert_eq!(sha256().0.finish(b""), None);
    assert_eq!(sha256().0.finish(b"\xff,p="), None);
}

fn channel() -> Channel {
    Channel {
        exporter: Some(b"exported".to_vec()),
        end_point: None,
    }
}

#[test]
fn first_messages() {
    let parse = |text: &str, plus| First::parse(text.as_bytes(), plus, Some(&channel()));
    let first = parse("n,a=bob,n=a=2Cb=3Dc,r=x,ext=1", false).unwrap();
    assert_eq!(first.user, "a,b=c");
    assert_eq!(first.authorize_as.as_deref(), Some("bob"));
    assert_eq!(first.bound, b"n,a=bob,");
    assert_eq!(first.bare, "n=a=2Cb=3Dc,r=x,ext=1");
    let bound = parse("p=tls-exporter,,n=u,r=x", true).unwrap();
    assert_eq!(bound.bound, b"p=tls-exporter,,exported");
    for (text, plus) in [
        ("", false),
        ("n", false),
        ("n,", false),
        ("n,,", false),
        ("n,,n=u", false),
        ("n,,r=x,n=u", false),
        ("n,,n=,r=x", false),
        ("n,,n=u,r=", false),
        ("n,,n=u,r=a b", false),
        ("n,,n=u,r=\u{e4}", false),
        ("n,,n=u=2c,r=x", false),
        ("n,,n=u=,r=x", false),
        ("n,,n=u\0,r=x", false),
        // "m": an extension that must be understood.
        ("n,,m=1,n=u,r=x", false),
        ("n,b=c,n=u,r=x", false),
        ("n,a=,n=u,r=x", false),
        ("z,,n=u,r=x", false),
        // Bound, but not by such a mechanism; by one, but not bound; bound to what is not there.
        ("p=tls-exporter,,n=u,r=x", false),
        ("n,,n=u,r=x", true),
        ("y,,n=u,r=x", true),
        ("p=tls-unique,,n=u,r=x", true),
        ("p=tls-server-end-point,,n=u,r=x", true),
        // The client would have taken -PLUS, which was offered: somebody is in between.
        ("y,,n=u,r=x", false),
    ] {
        assert_eq!(parse(text, plus), None, "{text:?} {plus}");
    }
    let nonce = format!("n,,n=u,r={}", "x".repeat(NONCE_MAX + 1));
    assert_eq!(parse(&nonce, false), None);
    assert_eq!(First::parse(b"n,,n=\xff,r=x", false, None), None);
    assert!(First::parse(b"y,,n=u,r=x", false, None).is_some());
    assert_eq!(First::parse(b"p=tls-exporter,,n=u,r=x", true, None), None);
}

/// What a client answers that goes by the RFC's formulas: `client-final-message`, and what it expects to hear then.
pub fn answer(
    hash: Hash,
    password: &[u8],
    (header, seen): (&str, &[u8]),
    (bare, first): (&str, &str),
) -> (String, String) {
    let fields: Vec<&str> = first.splitn(3, ',').collect();
    let value = |place: usize, key: &str| fields[place].strip_prefix(key).expect(first);
    let (salt, rounds) = (salt(value(1, "s=")), value(2, "i=").parse().unwrap());
    let mut salted = vec![0u8; hash.len()];
    match hash {
        Hash::Sha1 => {
            pbkdf2::pbkdf2::<hmac::Hmac<sha1::Sha1>>(password, &salt, rounds, &mut salted)
        }
        Hash::Sha256 => {
            pbkdf2::pbkdf2::<hmac::Hmac<sha2::Sha256>>(password, &salt, rounds, &mut salted)
        }
    }
    .unwrap();
    let encode = |octets: &[u8]| base64_simd::STANDARD.encode_to_string(octets);
    let bound = encode(&[header.as_bytes(), seen].concat());
    let unproven = format!("c={bound},r={}", value(0, "r="));
    let messages = format!("{bare},{first},{unproven}");
    let key = hash.mac(&salted, b"Client Key");
    let signature = hash.mac(&hash.digest(&key), messages.as_bytes());
    let proof: Vec<u8> = key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    let verifier = hash.mac(&hash.mac(&salted, b"Server Key"), messages.as_bytes());
    let expected = format!("v={}", encode(&verifier));
    (format!("{unproven},p={}", encode(&proof)), expected)
}

fn login(seen: &[u8]) -> bool {
    let (header, bare) = ("p=tls-exporter,,", "n=u,r=abc");
    let first = format!("{header}{bare}");
    let first = First::parse(first.as_bytes(), true, Some(&channel())).unwrap();
    let keys = Keys::of(Hash::Sha256, b"pencil", b"salt", 3);
    let (exchange, first) = first.answer(Hash::Sha256, keys, &nonce().unwrap());
    let (message, expected) = answer(Hash::Sha256, b"pencil", (header, seen), (bare, &first));
    exchange.finish(message.as_bytes()) == Some(expected)
}

#[test]
fn who_is_bound_to_another_connection_is_not_let_in() {
    assert!(login(b"exported"));
    assert!(!login(b"elsewhere"));
    assert!(!login(b""));
}

proptest! {
    #[test]
    fn no_message_makes_it_panic(first in "[npyam=,a-z0-9=]{0,40}", last in "[crp=,a-z0-9+/]{0,60}") {
        let _ = First::parse(first.as_bytes(), false, None);
        let _ = First::parse(first.as_bytes(), true, Some(&channel()));
        let _ = sha256_quick().finish(last.as_bytes());
    }
}

fn sha256_quick() -> Exchange {
    let first = First::parse(b"n,,n=user,r=x", false, None).unwrap();
    first
        .answer(Hash::Sha256, Keys::of(Hash::Sha256, b"p", b"s", 1), "y")
        .0
}
