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
    "{PBKDF2.HEX}24312449516c774b557a53693077453747712e24353030302433336662316139636563636332626530346130373433396136363065323936346538623364653164",
    "{SHA256-CRYPT}$5$741ls.wDpMBssOc1$2f0nlbt.0LpcOnhdajqqBk593cbh6R0f26dF33z5L26",
    "{SHA512-CRYPT}$6$rounds=8000$VcmyDwSpzGKAGFbj$BEKxG5D2iqJDZkCRXFnPCtxla8jCPF9.YezJ708wT15fCGOf4T5.xrtT0JiCdBXCAfovxmNqvQ/jXjY41p7qR/",
    "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$zx72YimOgB/8w+3a/8Yhgw$bp3SnZ6yhLcslZuA67fdDYHQevnmQ+Ev1mu1mJbJ59g",
    "{SCRAM-SHA-1}4096,BEf32YWe2ZlKd4b5nJYB/Q==,cjLRkZPgK+JCr8g66p3nJpv0kpg=,qV4ecSw2u4V+SariZurawPFmUd8=",
    "{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/isg==",
    "{SHA512.HEX}bd2b1aaf7ef4f09be9f52ce2d8d599674d81aa9d6a4421696dc4d93dd0619d682ce56b4d64a9ef097761ced99e0f67265b5f76085e5b0ee7ca4696b2ad6fe2b2",
    "{SSHA512}8ZiYONOT1+/XGKnN05lvrWwovxZAbc6jVbcHOGFI12ms6ESctQrektfP/FPrr1cZIbvchQ+O+wElMI/TIZNNUjBu4Lo=",
    "{SSHA512.HEX}a5471be56d084cd8be286bed7c70ff3f4f2b0732a6883a385d17efe60274966c001c7369d6d06ec2e959c1e11e4b158a9eb8675e909edf320a31445befae66e61718020c",
    "{SSHA.HEX}bdd1a335ab530262a70ef55cca73425d52d3ab33f5f5b94d",
    "{SMD5.HEX}33caeb8885e2fd85360e895dc2d6b3e28fc736ca",
    "{SHA.B64}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SHA256.HEX}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
    "{CRAM-MD5.B64}zTun3qrW5cojRIukLjeXR6ng9/H7wAyKgbuqw5VzG1Y=",
    "{PLAIN-MD4.B64}Z9Pa/vY/8AYDru83ac+/DQ==",
    "{CLEAR}secret",
];

/// Made by mkpasswd(1) of Debian 12: each method that it has.
const BY_MKPASSWD: &[&str] = &[
    "$y$j9T$bX6Io2qs0LidDiAvWgaqH.$JtbOZBR3Ulcb1vxZAIRv51G1AoNJP6A7OxbMWUrD0j8",
    "$gy$j9T$MBdUa9PM/JDAr.5D6flGI1$pU3jDffNs1gRFI6FXjjaiZiQCPOuPtIpFshtmfQLB80",
    "$7$CU..../....6jzzKAmKG6YljmlVrA6Cv.$HeHbpT8/yLp7hycV.j5JnkWdnujIGErNOo/dFzqA/Z7",
    "$2b$05$EGKqjbmAPizzXBfJCd1OA.zwHn/lnTaLpHCS25P9vtA7saxe930gu",
    "$2a$05$tCcZOv9z9ynRUW38SJkC.OftHA/8JJ49xTe3YFL0pgFmGeSz34lny",
    "$6$ufSgmkAOe1qpbRWE$8DBTuhixEVebbNyxmR5FNDETDiTk71bwER4RfYdrczmdE/Vqre.Vz2ZPnuOwcbNnXQhSqaPDIWYt.3HVlhgka/",
    "$5$D4afpK7JHRi0MnrX$H7fSXLDogB/VYdtFepjDXj/0RH4Xxo6XRZZKpJWWrl8",
    "$md5,rounds=78306$0MeEla19$$MwL.PxdquPbUTZssZ1FGO0",
    "$1$U8KfAi69$ciksFdzIk/f4E1KDUC.o8.",
    "_J9..jgRe7z0.vkt2pl.",
    "9cZB34zhpKlqU",
    "$3$$878d8014606cda29677a44efa1353fc7",
];

fn verify(stored: &str, password: &[u8]) -> Result<bool, HashError> {
    Stored::parse(stored, Scheme::Crypt)?.verify("bob@example.test", password)
}

#[test]
fn hashes_made_by_other_programs_verify() {
    assert!(BY_DOVECOT.len() + BY_MKPASSWD.len() >= 40);
    for stored in BY_DOVECOT.iter().chain(BY_MKPASSWD) {
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
