//! Every scheme: hashes that Dovecot made, and our own.

use proptest::prelude::*;

use super::*;

/// The password of all of these.
const PASSWORD: &[u8] = b"secret";

/// Made by `doveadm pw` 2.3.19; DIGEST-MD5 for the user `bob@example.test`.
const BY_DOVECOT: &[&str] = &[
    "{PLAIN}secret",
    "{CLEARTEXT}secret",
    "{plain.b64}c2VjcmV0",
    "{PLAIN.Base64}c2VjcmV0",
    "{PLAIN.hex}736563726574",
    "{CRYPT}$2y$05$9xlHPtc74mBHIDEz4xZtBu3UUc2HXhkrzVcCAOEua/YF9mH1WHRy.",
    "{SHA512-CRYPT}$6$./q00xZ.qcMRoCOb$8YoWIjjHHoJlPVgbfcJL3hDAA0Qn6y7pdBFdL9Fbq9LZbVKK9YPs.0xkMTg2XIGG7Vnn2G1bWOWVdh0..Sc78/",
    "{BLF-CRYPT}$2y$05$P3yOwl0Eux/tU6C3xlLi9ez4s3C0StAytrcucjXybnks.nTI8NQWW",
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$uU4BDJjVkEV7TuYBAJdv3Q$Q1E/t8AGGkoOyLoOAl7VfKzaH/AnZRb/Km6iUfT2Rpc",
    "{MD5-CRYPT}$1$P79fMR/T$qDoTv.rykMe4H1u3Fglo1/",
    "{MD5}$1$P79fMR/T$qDoTv.rykMe4H1u3Fglo1/",
    "{DES-CRYPT}xnxCN6qIIfSHE",
    "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SHA1}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4",
    "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
    "{SSHA}CLrQXtm1kqKadfvHnjzvDneriGNtqFQB",
    "{SSHA256}2oE0nAxTxA+jP/Xz9B6XYix1ysw8OOgTWk7+of1FDgtV+W/q",
    "{SSHA256.HEX}05a5742b2aa235873a752a94e360a7d643d336b8986948c27d04089125cd759cc65f4aa8",
    "{SMD5}FXhrC51Mag5QOsK92ORXpPxK364=",
    "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
    "{PLAIN-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
    "{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
    "{LDAP-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
    "{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
    "{PLAIN-MD4}67d3dafef63ff00603aeef3769cfbf0d",
    "{CRAM-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56",
    "{HMAC-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56",
    "{DIGEST-MD5}b9e3922dea280a655b538d4ee4e8fbaa",
    "{SCRAM-SHA-256}4096,OGnXKw6aIKCQIC9GSzhpHw==,hJ6Bas5UlqewDp8lkGqMr/g0sz9KnE0idj3sYWLLYqI=,wvaRGN0vlvX/rFENlo8FYAhE3iDfctNzPqwv099J3kQ=",
    "{PBKDF2}$1$ZgORuWVJczqosK5M$5000$db191bde0ddca93cc166563404a056ad482ab8c5",
    "{PBKDF2}$1$EPLdrd/8cuZb1Vos$5000$5861220b66e7542c8edc50bbd60fdc5599de18c0",
];

fn verify(stored: &str, password: &[u8]) -> Result<bool, HashError> {
    Stored::parse(stored, Scheme::Crypt)?.verify("bob@example.test", password)
}

#[test]
fn hashes_made_by_dovecot_verify() {
    for stored in BY_DOVECOT {
        assert_eq!(verify(stored, PASSWORD), Ok(true), "{stored}");
        for wrong in [&b"secre"[..], b"secret\0"] {
            assert_eq!(verify(stored, wrong), Ok(false), "{stored} {wrong:?}");
        }
    }
}

#[test]
fn hashes_made_here_verify() {
    for (name, scheme, ..) in SCHEMES {
        let made = make(*scheme, Some("bob@example.test"), PASSWORD).expect(name);
        assert!(made.starts_with('{'), "{made}");
        assert_eq!(verify(&made, PASSWORD), Ok(true), "{made}");
        assert_eq!(verify(&made, b"other"), Ok(false), "{made}");
    }
}

#[test]
fn the_default_scheme_is_a_strong_one() {
    let scheme = Scheme::named(DEFAULT_SCHEME).unwrap();
    assert!(
        make(scheme, None, PASSWORD)
            .unwrap()
            .starts_with("{CRYPT}$y$")
    );
}

#[test]
fn data_alone_has_the_default_scheme() {
    let bare = "$1$P79fMR/T$qDoTv.rykMe4H1u3Fglo1/";
    assert_eq!(verify(bare, PASSWORD), Ok(true));
    let plain = Stored::parse("secret", Scheme::Plain).unwrap();
    assert_eq!(plain.verify("", PASSWORD), Ok(true));
    let braces = Stored::parse("{secret", Scheme::Plain).unwrap();
    assert_eq!(braces.verify("", b"{secret"), Ok(true));
}

#[test]
fn what_cannot_be_compared_is_an_error_not_a_wrong_password() {
    for bad in [
        "{NONSENSE}x",
        "{PLAIN.rot13}x",
        "{OTP}x",
        "{}x",
        "{SHA}short",
        "{SSHA}AAAA",
        "{SHA256}!!!",
        "{CRAM-MD5}00",
        "{CRYPT}",
        "{CRYPT}*",
        "{CRYPT}!$6$salt$hash",
        "{SHA512-CRYPT}$nonsense$x",
        "{ARGON2ID}$argon2id$v=19$m=65536",
        "{ARGON2ID}",
        "{PBKDF2}$1$salt$0$db191bde0ddca93cc166563404a056ad482ab8c5",
        "{PBKDF2}$1$salt$4000000000$db191bde0ddca93cc166563404a056ad482ab8c5",
        "{PBKDF2}$2$salt$5000$00",
        "{SCRAM-SHA-256}4096,AAAA,AAAA,AAAA",
        "{SCRAM-SHA-1}x",
    ] {
        assert!(verify(bad, PASSWORD).is_err(), "{bad}");
    }
}

#[test]
fn a_hash_with_its_digest_alone_has_an_empty_salt() {
    assert_eq!(
        verify("{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", PASSWORD),
        Ok(true)
    );
}

#[test]
fn passwords_that_a_scheme_cannot_take() {
    assert!(make(Scheme::Crypt, None, b"a\0b").is_err());
    assert!(make(Scheme::Crypt, None, &[b'x'; 600]).is_err());
    assert!(make(Scheme::DigestMd5, None, PASSWORD).is_err());
    let long = vec![b'x'; 100_000];
    assert_eq!(verify("{SHA512-CRYPT}$6$a$b", &long), Ok(false));
}

#[test]
fn nothing_stored_reaches_a_log() {
    // `Stored` is printed by nobody, yet a secret in it should not depend on that.
    let stored = Stored::parse("{PLAIN}hunter2", Scheme::Crypt).unwrap();
    assert!(!format!("{stored:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn no_stored_text_makes_it_panic(
        scheme in prop::sample::select(names()),
        data in "[$a-zA-Z0-9,./=+{}é-]{0,60}",
    ) {
        // Hashes that are well formed may be slow; what is random here hardly ever is.
        let _ = Stored::parse(&format!("{{{scheme}}}{data}"), Scheme::Crypt);
        let _ = Stored::parse(&data, Scheme::named(scheme).unwrap());
    }
}
