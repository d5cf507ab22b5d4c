//! Logins a second, in clear and under TLS, and what an idle session costs in memory that has a mailbox selected: 1,000 of
//! 200 virtual users with one uid, and of 200 users with a uid each, beside Dovecot's in the same run:
//! `cargo bench --bench logins`. Needs root.
//!
//! A login is a connection, its greeting, LOGIN, LOGOUT and the server's end of it; a client under TLS begins anew each
//! time. The clients, in this process, share the cores with the server. Dovecot is configured as Debian does it, but for
//! its limits. Memory is the proportional set size of all of the server's processes.
//!
//! The program fails if Culver is not as much better than Dovecot as it promises.

#[path = "../harness/mod.rs"]
mod harness;

use std::fs;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::server::PASSWORD;
use harness::{Kind, Maildir, Server, Setup, have, is_root, message, tls};
use rustls::client::Resumption;
use rustls::version::TLS13;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

const USERS: usize = 200;
const SESSIONS: usize = 1000;

/// Clients that log in at the same time.
const CLIENTS: usize = 16;

/// How long logins are counted.
const TIME: Duration = Duration::from_secs(10);

/// Sessions that begin at the same time.
const AT_ONCE: usize = 8;

/// How long the server is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(5);

/// What Culver promises: so many times Dovecot's logins a second, in clear and under TLS.
const LOGINS: [f64; 2] = [5.0, 3.0];

/// And this share of its memory, for virtual users and for those with uids of their own.
const MEMORY: [f64; 2] = [0.1, 0.2];

fn main() -> ExitCode {
    if !is_root() || !have("dovecot") {
        println!(
            "skipped: users with uids of their own need root, and the other server is Dovecot"
        );
        return ExitCode::SUCCESS;
    }
    let mut kept = true;
    println!(
        "{:<28} {:>10} {:>10} {:>7} {:>9}",
        "", "Culver", "Dovecot", "ratio", "promised"
    );
    for (secure, promised) in [false, true].into_iter().zip(LOGINS) {
        let [ours, theirs] = [Kind::Culver, Kind::Dovecot].map(|kind| logins(kind, secure));
        let line = if secure { "under TLS" } else { "in clear" };
        println!(
            "{:<28} {ours:>10.0} {theirs:>10.0} {:>7.2} {promised:>9.2}",
            format!("logins a second, {line}"),
            ours / theirs
        );
        kept &= ours >= promised * theirs;
    }
    for (apart, promised) in [false, true].into_iter().zip(MEMORY) {
        let [ours, theirs] = [Kind::Culver, Kind::Dovecot].map(|kind| memory(kind, apart));
        let whose = if apart { "a uid each" } else { "one uid" };
        println!(
            "{:<28} {ours:>10.1} {theirs:>10.1} {:>7.2} {promised:>9.2}",
            format!("KiB a session, {whose}"),
            ours / theirs
        );
        kept &= ours <= promised * theirs;
    }
    match kept {
        true => ExitCode::SUCCESS,
        false => {
            println!("less than is promised");
            ExitCode::FAILURE
        }
    }
}

fn start(kind: Kind, apart: bool) -> Server {
    let mut setup = Setup::new(kind)
        .settings("[auth]\nfailure-delay = \"0s\"\n[limits]\nconnections-per-address = 2000\n")
        .dovecot_settings(
            "service imap-login {\n  process_limit = 2000\n}\nservice imap {\n  process_limit = 4000\n}\n\
             service anvil {\n  client_limit = 10000\n}\nservice auth {\n  client_limit = 10000\n}\n\
             service stats {\n  client_limit = 10000\n}\n",
        );
    if apart {
        setup = setup.apart();
    }
    let maildirs: Vec<Arc<Maildir>> = (0..USERS).map(|_| account()).collect();
    for (number, maildir) in maildirs.iter().enumerate() {
        setup = setup.user(&format!("u{number}"), maildir);
    }
    setup.start(&maildirs[0])
}

/// A user's mail.
fn account() -> Arc<Maildir> {
    let maildir = Maildir::new();
    for number in 10..30 {
        let file = format!("cur/17000000{number}.P1Q{number}.mta:2,S");
        fs::write(maildir.folder("INBOX").join(file), message("before")).unwrap();
    }
    maildir.settle();
    Arc::new(maildir)
}

fn logins(kind: Kind, secure: bool) -> f64 {
    let server = start(kind, false);
    let address = if secure { server.imaps } else { server.imap };
    let runtime = runtime();
    let mut config = tls::config(&[&TLS13]).as_ref().clone();
    config.resumption = Resumption::disabled();
    let tls = TlsConnector::from(Arc::new(config));
    let counted = runtime.block_on(async {
        let start = Instant::now() + Duration::from_secs(2);
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let tls = secure.then(|| tls.clone());
            clients.spawn(async move {
                let mut counted = 0_u32;
                for user in (0..USERS).cycle().skip(client * USERS / CLIENTS) {
                    if Instant::now() > start + TIME {
                        break;
                    }
                    let mut stream = log_in(address, tls.clone(), user).await;
                    say(&mut stream, "LOGOUT").await;
                    let mut rest = Vec::new();
                    let _ = stream.read_to_end(&mut rest).await;
                    counted += u32::from(Instant::now() > start);
                }
                counted
            });
        }
        clients.join_all().await.into_iter().sum::<u32>()
    });
    f64::from(counted) / TIME.as_secs_f64()
}

/// KiB for each of many sessions, all that the server takes counted.
fn memory(kind: Kind, apart: bool) -> f64 {
    let server = start(kind, apart);
    let address = server.imap;
    let runtime = runtime();
    let sessions = runtime.block_on(async {
        let mut all = Vec::new();
        let mut coming = JoinSet::new();
        for number in 0..SESSIONS {
            if coming.len() >= AT_ONCE {
                all.extend(coming.join_next().await.unwrap());
            }
            coming.spawn(async move {
                let mut stream = log_in(address, None, number % USERS).await;
                say(&mut stream, "SELECT INBOX").await;
                stream
            });
        }
        all.extend(coming.join_all().await);
        tokio::time::sleep(REST).await;
        all
    });
    let (memory, _) = server.proportional_memory();
    drop(sessions);
    memory as f64 / SESSIONS as f64 / 1024.0
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

trait Both: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Both for S {}

type Stream = BufStream<Box<dyn Both>>;

async fn log_in(address: SocketAddr, tls: Option<TlsConnector>, user: usize) -> Stream {
    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let stream: Box<dyn Both> = match tls {
        None => Box::new(tcp),
        Some(tls) => Box::new(tls.connect(tls::server_name(), tcp).await.unwrap()),
    };
    let mut stream = BufStream::with_capacity(1 << 10, 1 << 10, stream);
    let mut greeting = String::new();
    stream.read_line(&mut greeting).await.unwrap();
    say(&mut stream, &format!("LOGIN u{user} {PASSWORD}")).await;
    stream
}

/// Sends a command, and waits for its OK.
async fn say(stream: &mut Stream, command: &str) {
    let line = format!("x {command}\r\n");
    stream.write_all(line.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut line = String::new();
    while !line.starts_with("x OK") {
        assert!(!line.starts_with("x "), "{command}: {line}");
        line.clear();
        assert!(stream.read_line(&mut line).await.unwrap() > 0, "it is gone");
    }
}
