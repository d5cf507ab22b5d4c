//! Many strangers: they stand on each other's feet, and on nobody else's. The same in large is
//! `cargo bench --bench flood`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::hall::Hall;
use crate::harness::{PATIENCE, tls, wait_until};

/// A connection from this address of the host.
pub fn connect_from(from: SocketAddr, to: SocketAddr) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &from).unwrap();
    connect(&socket, &to).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// One of the addresses that strangers come from.
fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([127, 2, 0, number], 0))
}

/// The first line that a connection in clear hears.
fn first_line(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    let mut octet = [0];
    while !line.ends_with(b"\r\n") && stream.read(&mut octet).is_ok_and(|count| count == 1) {
        line.extend(octet);
    }
    String::from_utf8(line).unwrap()
}

#[test]
fn a_crowd_from_few_addresses_shuts_nobody_out() {
    let limits = "connections = 120\nconnections-per-address = 40";
    let Some(hall) = Hall::set(&[("limits", limits)]) else {
        return;
    };
    let mut crowd = Vec::new();
    for number in 0..120 {
        let mut stranger = connect_from(address(number % 3 + 1), hall.imap);
        assert!(first_line(&mut stranger).starts_with("* OK"));
        crowd.push(stranger);
    }
    // One more of theirs is refused, by either limit.
    let mut more = connect_from(address(1), hall.imap);
    let refusal = first_line(&mut more);
    assert!(
        refusal.starts_with("* BYE Too many connections"),
        "{refusal}"
    );
    // Whom nobody knows yet comes in all the same, and so does who begins with TLS.
    let mut inside = vec![hall.client("ann"), hall.secure_client("bert")];
    for _ in 0..20 {
        inside.push(hall.client("carl@example.org"));
    }
    for client in &mut inside {
        client.ok("NOOP");
    }
    // Those who made way are gone: the oldest.
    for stranger in crowd.iter_mut().take(3) {
        assert_eq!(stranger.read(&mut [0]).unwrap_or(0), 0);
    }
}

#[test]
fn a_crowd_from_many_addresses_shuts_out_nobody_who_is_known() {
    let limits = "connections = 60\nconnections-per-address = 40";
    let Some(hall) = Hall::set(&[("limits", limits)]) else {
        return;
    };
    // From 127.0.0.1 somebody has logged in, and is gone.
    drop(hall.client("ann"));
    wait_until("the end", || hall.log().contains("gone user=\"ann\""));
    let mut crowd = Vec::new();
    for number in 0..60 {
        let mut stranger = connect_from(address(number + 1), hall.imap);
        assert!(first_line(&mut stranger).starts_with("* OK"));
        crowd.push(stranger);
    }
    let mut unknown = connect_from(address(200), hall.imap);
    assert!(first_line(&mut unknown).starts_with("* BYE Too many connections, try again later"));
    let mut inside: Vec<_> = (0..10).map(|_| hall.client("ann")).collect();
    inside.push(hall.secure_client("bert"));
    for client in &mut inside {
        client.ok("NOOP");
    }
}

#[test]
fn handshakes_begun_and_given_up_hold_up_nobody() {
    let Some(hall) = Hall::open() else { return };
    let mut hello = Vec::new();
    tls::client(&[&rustls::version::TLS13])
        .write_tls(&mut hello)
        .unwrap();
    let mut half = Vec::new();
    for number in 0..300u16 {
        let from = address(u8::try_from(number % 100).unwrap() + 1);
        let mut stranger = connect_from(from, hall.imaps);
        // All of it, half of it, garbage, or nothing.
        let sent = match number % 4 {
            0 => &hello[..],
            1 => &hello[..hello.len() / 2],
            2 => b"\x16\x03\x01\xff\xffgarbage",
            _ => b"",
        };
        stranger.write_all(sent).unwrap();
        half.push(stranger);
    }
    let begun = std::time::Instant::now();
    hall.secure_client("ann").ok("NOOP");
    // A second is promised; machines that run tests have others to serve.
    assert!(begun.elapsed() < Duration::from_secs(10));
}
