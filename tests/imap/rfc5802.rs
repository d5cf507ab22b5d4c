//! SCRAM (RFC 5802; with SHA-256 RFC 7677), bound to TLS by tls-exporter (RFC 9266) or tls-server-end-point (RFC 5929).
//! The exchanges that the RFCs print have nonces of their own, and are tests beside the code.

use std::sync::Arc;

use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::harness::{Client, Kind, Maildir, Server, Setup};

/// A server whose user `user` has the password `pencil`, as in the RFCs.
pub fn house() -> Server {
    let mechanisms = "\"PLAIN\", \"SCRAM-SHA-1\", \"SCRAM-SHA-1-PLUS\", \"SCRAM-SHA-256\", \"SCRAM-SHA-256-PLUS\"";
    Setup::new(Kind::chosen())
        .account("user", "pencil")
        .settings(&format!(
            "[auth]\nfailure-delay = \"0s\"\nmechanisms = [{mechanisms}]\n"
        ))
        .dovecot_settings(super::rfc4616::PATIENT)
        .dovecot_settings("auth_mechanisms = plain scram-sha-1 scram-sha-256\n")
        .start(&Arc::new(Maildir::new()))
}

fn hash(mechanism: &str, text: &[u8]) -> Vec<u8> {
    match mechanism.contains("SHA-256") {
        true => Sha256::digest(text).to_vec(),
        false => Sha1::digest(text).to_vec(),
    }
}

fn mac(mechanism: &str, key: &[u8], text: &[u8]) -> Vec<u8> {
    match mechanism.contains("SHA-256") {
        true => Hmac::<Sha256>::new_from_slice(key)
            .unwrap()
            .chain_update(text)
            .finalize()
            .into_bytes()
            .to_vec(),
        false => Hmac::<Sha1>::new_from_slice(key)
            .unwrap()
            .chain_update(text)
            .finalize()
            .into_bytes()
            .to_vec(),
    }
}

fn encode(text: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(text)
}

/// A challenge that the server sends.
fn challenge(c: &mut Client) -> Result<String, String> {
    let line = String::from_utf8(c.line()).unwrap();
    let Some(challenge) = line.strip_prefix("+ ") else {
        return Err(line);
    };
    let challenge = base64_simd::STANDARD.decode_to_vec(challenge).unwrap();
    Ok(String::from_utf8(challenge).unwrap())
}

/// How an exchange ends. `tamper` may change the last message before it is sent.
pub fn exchange(
    c: &mut Client,
    (mechanism, header, bound): (&str, &str, &[u8]),
    (user, password): (&str, &str),
    tamper: impl FnOnce(String) -> String,
) -> String {
    let nonce = "fyko+d2lbbFgONRv9qkxdawL";
    let bare = format!("n={user},r={nonce}");
    let first = encode(format!("{header}{bare}").as_bytes());
    c.send(format!("x AUTHENTICATE {mechanism} {first}\r\n").as_bytes());
    let server = match challenge(c) {
        Ok(server) => server,
        Err(line) => return line,
    };
    // "r=: ... this attribute's value MUST be the concatenation of the client's and the server's nonce"
    let fields: Vec<&str> = server.splitn(3, ',').collect();
    assert!(fields[0].starts_with(&format!("r={nonce}")) && fields[0].len() > nonce.len() + 10);
    let salt = base64_simd::STANDARD
        .decode_to_vec(&fields[1][2..])
        .unwrap();
    // RFC 7677 §4: "the hash iteration-count … SHOULD be at least 4096"
    let rounds: u32 = fields[2].strip_prefix("i=").unwrap().parse().unwrap();
    assert!(rounds >= 4096);
    let mut salted = vec![0; hash(mechanism, b"").len()];
    let (secret, salted_in) = (password.as_bytes(), &mut salted);
    match mechanism.contains("SHA-256") {
        true => pbkdf2::pbkdf2::<Hmac<Sha256>>(secret, &salt, rounds, salted_in).unwrap(),
        false => pbkdf2::pbkdf2::<Hmac<Sha1>>(secret, &salt, rounds, salted_in).unwrap(),
    }
    let unproven = format!(
        "c={},{}",
        encode(&[header.as_bytes(), bound].concat()),
        fields[0]
    );
    let all = format!("{bare},{server},{unproven}");
    let key = mac(mechanism, &salted, b"Client Key");
    let signature = mac(mechanism, &hash(mechanism, &key), all.as_bytes());
    let proof: Vec<u8> = key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    let last = tamper(format!("{unproven},p={}", encode(&proof)));
    c.send(format!("{}\r\n", encode(last.as_bytes())).as_bytes());
    match challenge(c) {
        Ok(proof) => {
            // "the client then authenticates the server by computing the ServerSignature"
            let server_key = mac(mechanism, &salted, b"Server Key");
            let expected = mac(mechanism, &server_key, all.as_bytes());
            assert_eq!(proof, format!("v={}", encode(&expected)));
            c.send(b"\r\n");
            c.until_tagged("x").tagged
        }
        Err(line) => line.strip_prefix("x ").unwrap_or(&line).to_owned(),
    }
}

pub fn same(message: String) -> String {
    message
}

#[track_caller]
pub fn refused(said: &str) {
    let said = said.strip_prefix("x ").unwrap_or(said);
    assert!(said.starts_with("NO [AUTHENTICATIONFAILED]"), "{said}");
}

pub const USER: (&str, &str) = ("user", "pencil");

/// §5: without binding, in clear and under TLS, which a client tells by `n`.
#[test]
fn without_channel_binding() {
    let server = house();
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "scram-sha-256"] {
        let mechanism = &mechanism.to_uppercase();
        let mut c = server.connect();
        assert!(c.ok("CAPABILITY")[0].contains(&format!(" AUTH={mechanism}")));
        let said = exchange(&mut c, (mechanism, "n,,", b""), USER, same);
        assert!(said.starts_with("OK"), "{said}");
        c.ok("SELECT INBOX");
        // A client that could be bound, but sees that the server cannot.
        let mut c = server.connect();
        let said = exchange(&mut c, (mechanism, "y,,", b""), USER, same);
        assert!(said.starts_with("OK"), "{said}");
        // RFC 5802 §5.1: "n" and "r" come first; the authorization identity may be one's own.
        let mut c = server.connect();
        let said = exchange(&mut c, (mechanism, "n,a=user,", b""), USER, same);
        assert!(said.starts_with("OK"), "{said}");
    }
}

/// A wrong password, a user that is not there and a proof that was changed are told in the same words.
#[test]
fn who_has_not_the_password() {
    let server = house();
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256"] {
        for user in [("user", "pencils"), ("nobody", "pencil")] {
            let mut c = server.connect();
            // Dovecot tells at once that there is no such user.
            refused(&exchange(&mut c, (mechanism, "n,,", b""), user, same));
        }
        let mut c = server.connect();
        let changed = |message: String| message.replace("c=biws", "c=eSws");
        refused(&exchange(&mut c, (mechanism, "n,,", b""), USER, changed));
        let mut c = server.connect();
        refused(&exchange(
            &mut c,
            (mechanism, "n,a=other,", b""),
            USER,
            same,
        ));
    }
}

#[test]
fn bound_to_the_tls_connection() {
    let server = house();
    if server.kind == Kind::Dovecot {
        // 2.3 knows none of these types.
        return;
    }
    for mechanism in ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"] {
        // §6: "-PLUS" is only there where there is something to be bound to.
        let mut c = server.connect();
        assert!(!c.ok("CAPABILITY")[0].contains("-PLUS"));
        c.no(&format!("AUTHENTICATE {mechanism}"));
        for (kind, versions) in [
            ("tls-exporter", &[&rustls::version::TLS13][..]),
            ("tls-server-end-point", &[&rustls::version::TLS13]),
            ("tls-server-end-point", &[&rustls::version::TLS12]),
        ] {
            let secured = || {
                let mut c = server.connect();
                c.ok("STARTTLS");
                c.secure(versions);
                c
            };
            let mut c = secured();
            assert!(c.ok("CAPABILITY")[0].contains(&format!(" AUTH={mechanism}")));
            let bound = |c: &Client| match kind {
                "tls-exporter" => c.channel().0,
                // The certificate is signed with SHA-256.
                _ => Sha256::digest(c.channel().1).to_vec(),
            };
            let header = format!("p={kind},,");
            let own = bound(&c);
            let said = exchange(&mut c, (mechanism, &header, &own), USER, same);
            assert!(said.starts_with("OK"), "{kind}: {said}");
            // By what somebody in between would see.
            let mut c = secured();
            let other = vec![0; 32];
            refused(&exchange(&mut c, (mechanism, &header, &other), USER, same));
            if kind == "tls-exporter" {
                let mut c = secured();
                refused(&exchange(&mut c, (mechanism, &header, &own), USER, same));
            }
        }
        let mut c = server.connect();
        c.ok("STARTTLS");
        c.secure(&[&rustls::version::TLS12]);
        // RFC 9266 §3: not before TLS 1.3 unless both ends know the connection to be unique.
        let header = "p=tls-exporter,,";
        let bound = c.channel().0;
        refused(&exchange(&mut c, (mechanism, header, &bound), USER, same));
        // §6: "If the flag is set to "y" and the server supports channel binding, the server MUST fail authentication."
        let plain = mechanism.strip_suffix("-PLUS").unwrap();
        refused(&exchange(&mut c, (plain, "y,,", b""), USER, same));
        let said = exchange(&mut c, (plain, "n,,", b""), USER, same);
        assert!(said.starts_with("OK"), "{said}");
    }
}

/// No password crosses the line, so it may be used where a password may not.
#[test]
fn where_passwords_may_not_be_sent() {
    if Kind::chosen() == Kind::Dovecot {
        return;
    }
    let server = Setup::new(Kind::Culver)
        .account("user", "pencil")
        .settings("[auth]\nplaintext-without-tls = \"never\"\nmechanisms = [\"PLAIN\", \"SCRAM-SHA-256\"]\n")
        .start(&Arc::new(Maildir::new()));
    let mut c = server.connect();
    let told = format!("{} ", c.ok("CAPABILITY").remove(0));
    assert!(
        told.contains(" LOGINDISABLED ") && told.contains(" AUTH=SCRAM-SHA-256 "),
        "{told}"
    );
    assert!(!told.contains("AUTH=PLAIN"), "{told}");
    let said = exchange(&mut c, ("SCRAM-SHA-256", "n,,", b""), USER, same);
    assert!(said.starts_with("OK"), "{said}");
}
