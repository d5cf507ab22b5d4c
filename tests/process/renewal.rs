//! Certificates are renewed while the server runs, as those do who renew them: what is good is used at once by new
//! connections, what is not is kept out, and nobody who is connected notices.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::version::TLS13;

use crate::hall::Hall;
use crate::harness::{Client, Kind, wait_until};

/// A certificate for these names, and its key, as PEM.
fn made(names: &[&str], until: i32) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// The certificate that a new connection is shown, which asks for this name, as PEM would have it.
fn shown(hall: &Hall, name: &str) -> Vec<u8> {
    let mut client = Client::open(hall.imaps, Kind::Culver);
    client.secure_as(name, &[&TLS13]);
    client.greeting();
    client.certificate()
}

fn der(pem: &str) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject;
    let der = rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes());
    der.unwrap().to_vec()
}

fn write(directory: &Path, (certificate, key): &(String, String)) {
    fs::create_dir_all(directory).unwrap();
    fs::write(directory.join("cert.pem"), certificate).unwrap();
    fs::write(directory.join("key.pem"), key).unwrap();
}

#[test]
fn a_renewed_certificate_is_used_without_a_reload_and_a_bad_one_is_not() {
    let Some(hall) = Hall::open() else { return };
    let mut before = hall.secure_client("ann");
    let first = shown(&hall, "localhost");

    // Links are swapped, as certbot does it.
    let second = made(&["localhost"], 4000);
    write(&hall.at("archive"), &second);
    for file in ["cert.pem", "key.pem"] {
        symlink(hall.at("archive").join(file), hall.at("new")).unwrap();
        fs::rename(hall.at("new"), hall.at(file)).unwrap();
    }
    wait_until("the second", || shown(&hall, "localhost") != first);
    assert_eq!(shown(&hall, "localhost"), der(&second.0));
    assert!(hall.log().contains("certificates have been renewed"));
    before.ok("NOOP");

    // A key of another's, half a file, and one whose time is over.
    let third = made(&["localhost"], 4001);
    let expired = made(&["localhost"], 2001);
    let half = third.0[..third.0.len() / 2].to_owned();
    for (certificate, key, why) in [
        (&third.0, &second.1, "does not match the certificate"),
        (&half, &third.1, "is not valid PEM"),
        (&expired.0, &expired.1, "is good from"),
        (&String::new(), &third.1, "no certificate in"),
    ] {
        write(&hall.at("archive"), &(certificate.clone(), key.clone()));
        wait_until(why, || hall.log().contains(why));
        assert_eq!(shown(&hall, "localhost"), der(&second.0), "{why}");
    }
    // It is mended.
    write(&hall.at("archive"), &third);
    wait_until("the third", || shown(&hall, "localhost") == der(&third.0));
    before.ok("NOOP");
    hall.secure_client("bert").ok("NOOP");

    // A login process that begins anew has it too.
    let login = hall.process("culver-login", None).unwrap();
    crate::hall::signal(login.pid, rustix::process::Signal::KILL);
    wait_until("another login process", || {
        let mut client = Client::open(hall.imap, Kind::Culver);
        client.doomed = true;
        client.next_line().is_some()
    });
    assert_eq!(shown(&hall, "localhost"), der(&third.0));
}

#[test]
fn further_names_are_renewed_too() {
    let sni = "certificate = \"HOME/sni/cert.pem\"\nkey = \"HOME/sni/key.pem\"";
    let first = made(&["other.example"], 4000);
    let Some(hall) = Hall::prepared(&[("[tls.sni]", sni)], |home| {
        write(&home.join("sni"), &first)
    }) else {
        return;
    };
    assert_eq!(shown(&hall, "other.example"), der(&first.0));
    let everybodys = shown(&hall, "localhost");
    let second = made(&["other.example"], 4001);
    write(&hall.at("sni"), &second);
    wait_until("the second", || {
        shown(&hall, "other.example") == der(&second.0)
    });
    assert_eq!(shown(&hall, "localhost"), everybodys);
}
