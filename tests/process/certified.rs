//! EXTERNAL (RFC 4422 appendix A): who a client is, its certificate says. It may show one, and need not.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::version::TLS13;

use crate::hall::Hall;
use crate::harness::{Client, Kind, tls};
use crate::system::before;

/// Somebody who signs certificates of clients.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Authority {
    fn new() -> Authority {
        let mut params = named("Clients of example.org");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Authority { pem, issuer }
    }

    /// A hall that believes it.
    fn hall(&self) -> Option<Hall> {
        Hall::prepared(&BELIEVES, |home| self.prepare(home))
    }

    fn prepare(&self, home: &Path) {
        std::fs::write(home.join("ca.pem"), &self.pem).unwrap();
    }

    /// Makes a connection secure with a certificate for this name.
    fn secure(&self, client: &mut Client, name: &str) {
        let key = KeyPair::generate().unwrap();
        let certificate = named(name).signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        client.secure_by(tls::client_with(certificate.der().clone(), key));
    }

    /// A connection under TLS with a certificate for this name, and its greeting.
    fn client(&self, hall: &Hall, name: &str) -> (Client, String) {
        let mut client = Client::open(hall.imaps, Kind::Culver);
        self.secure(&mut client, name);
        let greeting = client.greeting();
        (client, greeting)
    }
}

const BELIEVES: [(&str, &str); 2] = [
    ("tls", "client-ca = \"HOME/ca.pem\""),
    ("auth", "mechanisms = [\"PLAIN\", \"EXTERNAL\"]"),
];

const DENIED: &str = "NO [AUTHENTICATIONFAILED]";

#[test]
fn who_shows_a_certificate_needs_no_password() {
    let authority = Authority::new();
    let Some(hall) = authority.hall() else { return };
    let (mut ann, greeting) = authority.client(&hall, "ann");
    assert!(greeting.contains(" AUTH=EXTERNAL"), "{greeting}");
    // An empty initial response (RFC 4959 §3): the name is the certificate's.
    ann.ok("AUTHENTICATE EXTERNAL =");
    ann.ok("SELECT INBOX");
    // As a response to an empty challenge; and saying who it is, as RFC 4422 appendix A has it.
    let (mut ann, _) = authority.client(&hall, "ann");
    ann.send(b"a AUTHENTICATE EXTERNAL\r\n");
    assert_eq!(ann.line(), b"+ ");
    ann.send(b"\r\n");
    assert!(ann.until_tagged("a").tagged.starts_with("OK"));
    let (mut ann, _) = authority.client(&hall, "ann");
    ann.ok("AUTHENTICATE EXTERNAL YW5u");
    // By STARTTLS.
    let mut carl = hall.stranger();
    assert!(!carl.ok("CAPABILITY")[0].contains("EXTERNAL"));
    carl.check("STARTTLS", &[], "OK");
    authority.secure(&mut carl, "Carl@Example.org");
    carl.ok("AUTHENTICATE EXTERNAL =");
    // A password will do all the same, also another user's.
    let (mut bert, _) = authority.client(&hall, "ann");
    bert.login_as("bert");
}

#[test]
fn nobody_is_who_the_certificate_does_not_say() {
    let authority = Authority::new();
    let Some(hall) = authority.hall() else { return };
    for (name, response) in [
        // "bert", "ann" with a NUL, and nobody.
        ("ann", "YmVydA=="),
        ("ann", "YW5uAA=="),
        ("nobody-here", "="),
        ("root", "="),
        ("../ann", "="),
        ("bert*ann", "="),
        ("%{user}", "="),
    ] {
        let (mut client, greeting) = authority.client(&hall, name);
        assert!(greeting.contains(" AUTH=EXTERNAL"));
        let said = client.outcome(&format!("AUTHENTICATE EXTERNAL {response}"));
        assert_eq!(said, DENIED, "{name} {response}");
    }
}

#[test]
fn without_a_certificate_there_is_no_external() {
    let authority = Authority::new();
    let Some(hall) = authority.hall() else { return };
    let mut client = Client::open(hall.imaps, Kind::Culver);
    client.secure(&[&TLS13]);
    assert!(!client.greeting().contains("EXTERNAL"));
    assert!(client.outcome("AUTHENTICATE EXTERNAL =").starts_with("NO"));
    client.login_as("ann");
    // In clear neither.
    let mut clear = hall.stranger();
    assert!(
        clear
            .outcome("AUTHENTICATE EXTERNAL YW5u")
            .starts_with("NO")
    );
}

#[test]
fn a_certificate_of_another_authority_ends_the_handshake() {
    let authority = Authority::new();
    let Some(hall) = authority.hall() else { return };
    let mut client = Client::open(hall.imaps, Kind::Culver);
    client.doomed = true;
    Authority::new().secure(&mut client, "ann");
    assert!(client.next_line().is_none());
}

#[test]
fn another_authority_is_believed_without_a_reload() {
    let authority = Authority::new();
    let Some(hall) = authority.hall() else { return };
    let next = Authority::new();
    std::fs::write(hall.at("ca.pem"), &next.pem).unwrap();
    crate::harness::wait_until("the next", || {
        let mut client = Client::open(hall.imaps, Kind::Culver);
        client.doomed = true;
        next.secure(&mut client, "ann");
        client.next_line().is_some()
    });
    // Auth heard of it beside login.
    crate::harness::wait_until("a login", || {
        let (mut client, _) = next.client(&hall, "ann");
        client.outcome("AUTHENTICATE EXTERNAL =").starts_with("OK")
    });
}

/// Whose account in the system is closed is not let in by a certificate either.
#[test]
fn users_of_the_system_whose_account_is_closed_are_not_let_in() {
    let authority = Authority::new();
    let closed = "NO [AUTHORIZATIONFAILED]";
    for (kind, carl, ida) in [("passwd", closed, closed), ("pam", closed, "OK")] {
        let source = format!("kind = \"{kind}\"\n");
        let prepare = |home: &Path| authority.prepare(home);
        let homes = "mkdir HOME/dora HOME/ida\nchown 61012 HOME/dora\nchown 61017 HOME/ida\n";
        let before = before() + homes;
        let Some(hall) = Hall::with_all(&source, &before, &BELIEVES, prepare) else {
            return;
        };
        for (user, outcome) in [
            ("ann", "OK"),
            // There is no password, and none is asked for.
            ("dora", "OK"),
            ("carl", carl),
            ("ida", ida),
            ("root", DENIED),
            ("nobody-at-all", DENIED),
        ] {
            let (mut client, _) = authority.client(&hall, user);
            let said = client.outcome("AUTHENTICATE EXTERNAL =");
            assert!(said.starts_with(outcome), "{kind} {user}: {said}");
        }
    }
}
