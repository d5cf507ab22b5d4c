//! Connections by way of a proxy (the PROXY protocol, versions 1 and 2): whose they are is what the proxy says, if it is
//! one that may.

use std::io::{Read, Write};

use rustls::version::TLS13;

use crate::hall::Hall;
use crate::harness::{Client, Kind, wait_until};

fn hall(limits: &str) -> Option<Hall> {
    Hall::set(&[
        ("listen", "proxy-protocol-from = [\"127.0.0.0/30\"]"),
        ("limits", limits),
    ])
}

/// A header of version 2 for TCP over IPv4, with something beside the addresses.
fn version_2(command: u8, from: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([command, 0x11, 0, 16]);
    header.extend(from);
    header.extend([127, 0, 0, 1, 0x12, 0x34, 0, 143, 4, 0, 1, 0]);
    header
}

fn begun(hall: &Hall, header: &[u8]) -> Client {
    let mut client = Client::open(hall.imap, Kind::Culver);
    client.send(header);
    client
}

#[test]
fn who_a_trusted_proxy_names_is_who_it_is() {
    let Some(hall) = hall("") else { return };
    for (header, peer) in [
        (
            &b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 143\r\n"[..],
            "192.0.2.7:4711",
        ),
        (
            b"PROXY TCP6 2001:db8::7 ::1 4711 143\r\n",
            "[2001:db8::7]:4711",
        ),
        (&version_2(0x21, [198, 51, 100, 7]), "198.51.100.7:4660"),
    ] {
        let mut client = begun(&hall, header);
        // They are not on this host, whatever the proxy is.
        assert!(client.greeting().contains("LOGINDISABLED"));
        client.check("STARTTLS", &[], "OK");
        client.secure(&[&TLS13]);
        client.login_as("ann");
        let line = format!("user=\"ann\" peer={peer}");
        wait_until(&line, || hall.log().contains(&line));
        let refused = client_refused(&hall, header);
        assert!(refused.starts_with("NO [AUTHENTICATIONFAILED]"));
        let address = peer.rsplit_once(':').unwrap().0.trim_matches(['[', ']']);
        let line = format!("user=\"bert\" peer=\"{address}\"");
        wait_until(&line, || hall.log().contains(&line));
    }
}

/// The answer to a wrong password.
fn client_refused(hall: &Hall, header: &[u8]) -> String {
    let mut client = begun(hall, header);
    client.greeting();
    client.check("STARTTLS", &[], "OK");
    client.secure(&[&TLS13]);
    client.outcome("LOGIN bert wrong")
}

#[test]
fn the_proxys_own_connections_are_its_own() {
    let Some(hall) = hall("") else { return };
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), version_2(0x20, [0; 4])] {
        let mut client = begun(&hall, &header);
        assert!(!client.greeting().contains("LOGINDISABLED"));
        client.login_as("ann");
    }
    assert!(hall.log().contains("user=\"ann\" peer=127.0.0.1:"));
}

#[test]
fn the_header_comes_before_tls() {
    let Some(hall) = hall("") else { return };
    let mut client = Client::open(hall.imaps, Kind::Culver);
    client.send(&version_2(0x21, [198, 51, 100, 7]));
    client.secure(&[&TLS13]);
    client.greeting();
    client.login_as("ann");
    wait_until("the log", || {
        hall.log().contains("user=\"ann\" peer=198.51.100.7:4660")
    });
}

#[test]
fn a_proxy_has_to_say_whose_it_is_and_nobody_else_may() {
    let Some(hall) = hall("") else { return };
    let mut client = begun(&hall, b"a LOGIN ann p\r\nb LOGOUT\r\n");
    assert!(client.rest().is_empty());
    wait_until("the log", || hall.log().contains("no PROXY header"));
    // One from elsewhere is a client like any other.
    let address: std::net::SocketAddr = "127.0.0.9:0".parse().unwrap();
    let mut stranger = crate::strangers::connect_from(address, hall.imap);
    let header = b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 143\r\n";
    stranger.write_all(header).unwrap();
    let mut heard = [0; 512];
    let mut said = String::new();
    while !said.contains("BAD") {
        let count = stranger.read(&mut heard).unwrap();
        assert!(count > 0, "{said}");
        said += &String::from_utf8_lossy(&heard[..count]);
    }
    assert!(
        said.starts_with("* OK ") && said.contains("PROXY BAD"),
        "{said}"
    );
}

#[test]
fn the_limits_are_the_clients_and_not_the_proxys() {
    let Some(hall) = hall("connections-per-address = 2") else {
        return;
    };
    let header = |last: u8| format!("PROXY TCP4 192.0.2.{last} 127.0.0.1 4711 143\r\n");
    let mut rest = Vec::new();
    for last in [1, 1, 2, 2, 3] {
        let mut client = begun(&hall, header(last).as_bytes());
        assert!(client.greeting().starts_with("* OK"));
        rest.push(client);
    }
    let mut client = begun(&hall, header(2).as_bytes());
    assert_eq!(
        client.greeting(),
        "* BYE Too many connections from your address"
    );
}
