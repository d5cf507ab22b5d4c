//! The sockets on which MTAs ask who may send.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::process::Signal;

use crate::hall::{BERT, Hall, signal};
use crate::harness::wait_until;

/// A connection that has heard what is offered, as Exim does it: before it says anything.
fn ask(socket: &Path) -> Option<BufReader<UnixStream>> {
    let mut lines = BufReader::new(UnixStream::connect(socket).ok()?);
    let mut line = String::new();
    while line != "DONE\n" {
        line.clear();
        if lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
    }
    Some(lines)
}

fn answer(lines: &mut BufReader<UnixStream>, request: &str) -> String {
    writeln!(lines.get_mut(), "{request}").unwrap();
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    line
}

/// `\0carl@example.org\0p`, and with `x` for a password.
const GOOD: &str = "AGNhcmxAZXhhbXBsZS5vcmcAcA==";
const BAD: &str = "AGNhcmxAZXhhbXBsZS5vcmcAeA==";

#[test]
fn who_may_send_is_told_over_a_socket_of_the_mtas_own() {
    let Some(hall) = Hall::open() else { return };
    let socket = hall.at("auth");
    wait_until("the socket", || socket.exists());
    let shown = fs::symlink_metadata(&socket).unwrap();
    assert!(shown.file_type().is_socket());
    assert_eq!((shown.uid(), shown.mode() & 0o777), (0, 0o600));
    let mut mta = ask(&socket).unwrap();
    writeln!(mta.get_mut(), "VERSION\t1\t1\nCPID\t4711").unwrap();
    for (response, said) in [
        (GOOD, "OK\t1\tuser=carl@example.org\n"),
        (BAD, "FAIL\t1\tuser=carl@example.org\n"),
    ] {
        let request =
            format!("AUTH\t1\tPLAIN\tservice=smtp\tnologin\trip=192.0.2.7\tresp={response}");
        assert_eq!(answer(&mut mta, &request), said);
    }
    // Auth may end; its socket stays.
    let auth = hall.process("culver-auth", None).unwrap();
    signal(auth.pid, Signal::KILL);
    wait_until("another auth process", || {
        let Some(mut mta) = ask(&socket) else {
            return false;
        };
        let request = format!("AUTH\t1\tPLAIN\tservice=smtp\tresp={GOOD}");
        answer(&mut mta, &request) == "OK\t1\tuser=carl@example.org\n"
    });
    assert!(
        hall.log()
            .contains("no socket for MTAs yet, trying again: No such file or directory")
    );
    // A directory that comes later.
    fs::create_dir(hall.at("spool")).unwrap();
    let late = hall.at("spool/auth");
    wait_until("the other socket", || ask(&late).is_some());
    let shown = fs::metadata(&late).unwrap();
    assert_eq!((shown.uid(), shown.mode() & 0o777), (BERT, 0o660));
}
