//! Strangers without end: 10,000 connections that say nothing, and a flood of TLS handshakes begun and given up, from 100
//! loopback addresses, while one user from another address logs in over TLS: `cargo bench --bench flood`.
//!
//! It is done with room for all of them (`connections = 12000`, `connections-per-address = 150`), with too little (4000,
//! so that the strangers stand on each other's feet), and with the defaults, which refuse most of them. A third of those
//! that rest is in clear, a third has not begun with TLS on a port where it is due, a third has a session of TLS. Memory
//! is the proportional set size of all of the server's processes. Both sides need 20,000 open files (`ulimit -n`).
//!
//! The program fails if a login takes longer than a second, or if a limit was not kept.

#[path = "../harness/mod.rs"]
mod harness;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::{Client, Kind, Maildir, Server, Setup, tls};
use rustls::version::TLS13;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const ADDRESSES: usize = 100;
const IDLE: usize = 10_000;

/// Strangers that begin at the same time.
const AT_ONCE: usize = 64;

/// Handshakes that each address has under way.
const UNDER_WAY: usize = 10;

/// Logins while all that goes on.
const LOGINS: usize = 40;

/// What is promised.
const LONGEST: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    println!(
        "{:<22} {:>6} {:>8} {:>12} {:>12} {:>12} {:>11} {:>9} {:>9} {:>9}",
        "limits",
        "idle",
        "refused",
        "MiB at rest",
        "KiB of each",
        "MiB flooded",
        "flood /s",
        "quiet",
        "median",
        "longest"
    );
    // What begins takes its time where both sides share the cores.
    let roomy = "connections = 12000\nconnections-per-address = 150\nlogin-timeout = \"5m\"\n";
    let narrow = "connections = 4000\nconnections-per-address = 150\nlogin-timeout = \"5m\"\n";
    let default = "login-timeout = \"5m\"\n";
    let mut kept = true;
    for (name, settings, most) in [
        ("12000, 150 an address", roomy, IDLE),
        ("4000, 150 an address", narrow, 4000),
        ("default: 8000, 50", default, 50 * ADDRESSES),
    ] {
        kept &= measure(name, settings, most);
    }
    match kept {
        true => ExitCode::SUCCESS,
        false => {
            println!("a login may take {LONGEST:?}, and a limit is a limit");
            ExitCode::FAILURE
        }
    }
}

fn measure(name: &str, settings: &str, most: usize) -> bool {
    let server = Setup::new(Kind::Culver)
        .settings(&format!("[limits]\n{settings}"))
        .start(&Arc::new(Maildir::new()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let quiet = (0..5).map(|_| log_in(&server)).max().unwrap_or_default();
    let (before, _) = server.proportional_memory();
    let (strangers, refused) = runtime.block_on(crowd(&server));
    let (at_rest, _) = server.proportional_memory();
    let over = Arc::new(AtomicBool::new(false));
    let begun = Arc::new(AtomicUsize::new(0));
    let flood = {
        let (over, begun, imaps) = (Arc::clone(&over), Arc::clone(&begun), server.imaps);
        std::thread::spawn(move || {
            runtime.block_on(flood(imaps, &over, &begun));
            runtime
        })
    };
    // It gets under way.
    std::thread::sleep(Duration::from_secs(1));
    let (start, from) = (Instant::now(), begun.load(Ordering::Relaxed));
    let mut times: Vec<Duration> = (0..LOGINS).map(|_| log_in(&server)).collect();
    let rate = (begun.load(Ordering::Relaxed) - from) as f64 / start.elapsed().as_secs_f64();
    let (flooded, _) = server.proportional_memory();
    over.store(true, Ordering::Relaxed);
    let runtime = flood.join().unwrap();
    let idle = runtime.block_on(still_there(strangers));
    times.sort();
    let longest = times.last().copied().unwrap_or(LONGEST);
    let mib = |octets: u64| octets as f64 / f64::from(1 << 20);
    let each = at_rest.saturating_sub(before) as f64 / idle.max(1) as f64 / 1024.0;
    println!(
        "{name:<22} {idle:>6} {refused:>8} {:>12.1} {each:>12.1} {:>12.1} {rate:>11.0} {:>9} {:>9} {:>9}",
        mib(at_rest),
        mib(flooded),
        format!("{quiet:.0?}"),
        format!("{:.0?}", times[times.len() / 2]),
        format!("{longest:.0?}"),
    );
    longest <= LONGEST && idle <= most && (idle + refused >= most)
}

/// How long a user takes from the first packet to the answer of LOGIN. Its address is 127.0.0.1.
fn log_in(server: &Server) -> Duration {
    let start = Instant::now();
    let mut client = Client::open(server.imaps, Kind::Culver);
    client.secure(&[&TLS13]);
    client.greeting();
    client.login();
    start.elapsed()
}

/// One of the addresses that strangers come from.
fn address(number: usize) -> SocketAddr {
    let last = u8::try_from(number % ADDRESSES).unwrap() + 1;
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 1, 0, last)), 0)
}

async fn connect(from: SocketAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(from)?;
    socket.connect(to).await
}

/// A connection that says nothing more.
#[allow(
    clippy::large_enum_variant,
    reason = "what it costs here is of no matter"
)]
enum Stranger {
    Clear(TcpStream),
    Silent(TcpStream),
    Tls(TlsStream<TcpStream>),
}

/// Comes and rests; `None`: it was refused.
async fn rest(number: usize, imap: SocketAddr, imaps: SocketAddr) -> Option<Stranger> {
    let mut first = [0; 5];
    match number / ADDRESSES % 3 {
        0 => {
            let mut tcp = connect(address(number), imap).await.ok()?;
            tcp.read_exact(&mut first).await.ok()?;
            (&first == b"* OK ").then_some(Stranger::Clear(tcp))
        }
        1 => connect(address(number), imaps)
            .await
            .ok()
            .map(Stranger::Silent),
        _ => {
            let tcp = connect(address(number), imaps).await.ok()?;
            let connector = TlsConnector::from(tls::config(&[&TLS13]));
            let mut tls = connector.connect(tls::server_name(), tcp).await.ok()?;
            tls.read_exact(&mut first).await.ok()?;
            Some(Stranger::Tls(tls))
        }
    }
}

/// All of them, and how many were refused.
async fn crowd(server: &Server) -> (Vec<Stranger>, usize) {
    let (imap, imaps) = (server.imap, server.imaps);
    let (mut coming, mut strangers, mut next) = (JoinSet::new(), Vec::new(), 0);
    while next < IDLE || !coming.is_empty() {
        while next < IDLE && coming.len() < AT_ONCE {
            coming.spawn(timeout(Duration::from_secs(20), rest(next, imap, imaps)));
            next += 1;
        }
        if let Some(Ok(Ok(Some(stranger)))) = coming.join_next().await {
            strangers.push(stranger);
        }
    }
    let refused = IDLE - strangers.len();
    (strangers, refused)
}

/// Those that the server has not closed.
async fn still_there(strangers: Vec<Stranger>) -> usize {
    let mut count = 0;
    // Until the runtime has looked, nobody is gone.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for mut stranger in strangers {
        let mut more = [0; 1024];
        // The rest of a greeting is no end.
        count += loop {
            let read = async {
                match &mut stranger {
                    Stranger::Clear(tcp) | Stranger::Silent(tcp) => tcp.read(&mut more).await,
                    Stranger::Tls(tls) => tls.read(&mut more).await,
                }
            };
            match timeout(Duration::ZERO, read).await {
                Ok(Ok(1..)) => {}
                Ok(_) => break 0,
                Err(_) => break 1,
            }
        };
    }
    count
}

/// Handshakes that are given up once the server has done its part, until it is over.
async fn flood(imaps: SocketAddr, over: &Arc<AtomicBool>, begun: &Arc<AtomicUsize>) {
    let mut hello = Vec::new();
    tls::client(&[&TLS13]).write_tls(&mut hello).unwrap();
    let hello: Arc<[u8]> = hello.into();
    let mut flooding = JoinSet::new();
    for number in 0..ADDRESSES * UNDER_WAY {
        let (hello, over, begun) = (Arc::clone(&hello), Arc::clone(over), Arc::clone(begun));
        flooding.spawn(async move {
            let mut answer = [0; 4096];
            while !over.load(Ordering::Relaxed) {
                let Ok(mut tcp) = connect(address(number), imaps).await else {
                    continue;
                };
                if tcp.write_all(&hello).await.is_err() {
                    continue;
                }
                let read = timeout(Duration::from_secs(2), tcp.read(&mut answer)).await;
                if matches!(read, Ok(Ok(1..))) {
                    begun.fetch_add(1, Ordering::Relaxed);
                }
                // Not even an end: no state stays behind in the kernel.
                let _ = tcp.set_zero_linger();
            }
        });
    }
    while flooding.join_next().await.is_some() {}
}
