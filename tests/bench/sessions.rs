//! What many sessions cost that wait: 2,000 in IDLE with NOTIFY over 21 mailboxes each, ten for each of 200 users, in
//! clear and under TLS, beside Dovecot's in the same run; and how long it takes from a delivery (a rename into `new/`)
//! until each of the user's sessions hears of it: `cargo bench --bench sessions`.
//!
//! Memory is the proportional set size of all of the server's processes; that of the clients, which are all in this
//! process, does not count. Dovecot has a process for each session: `CULVER_BENCH_SESSIONS` makes them fewer, and
//! `CULVER_BENCH_SERVER=culver` leaves Dovecot out. It hears of foreign deliveries in selected mailboxes alone, and of
//! these by the kernel only as far as `fs.inotify.max_user_instances` goes, so what it does not tell in two seconds is
//! counted and passed over.
//!
//! The program fails if Culver takes more memory or time than it promises.

#[path = "../harness/mod.rs"]
mod harness;

use std::fs;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::server::PASSWORD;
use harness::{Chance, Kind, Maildir, Server, Setup, have, message, tls};
use rustls::version::TLS13;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

const USERS: usize = 200;

/// Of all users.
const SESSIONS: usize = 2000;

/// Of each user, beside INBOX.
const FOLDERS: usize = 20;

/// In INBOX, and in each folder.
const MESSAGES: [usize; 2] = [100, 5];

/// Sessions that begin at the same time.
const AT_ONCE: usize = 16;

/// How long the server is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(10);

/// How long a delivery may take to be heard of before it is given up.
const PATIENCE: Duration = Duration::from_secs(2);

/// What Culver promises, of memory for a session above what the server takes without any.
const CLEAR: u64 = 40 << 10;
const TLS: u64 = 80 << 10;
const MEDIAN: Duration = Duration::from_millis(5);
const P99: Duration = Duration::from_millis(50);

/// What each session asks for.
const NOTIFY: &str = "NOTIFY SET (selected (MessageNew MessageExpunge FlagChange)) \
    (personal (MessageNew MessageExpunge FlagChange))";

fn main() -> ExitCode {
    let setting = |name| std::env::var(name).ok();
    let sessions = setting("CULVER_BENCH_SESSIONS").and_then(|count| count.parse().ok());
    let sessions: usize = sessions.unwrap_or(SESSIONS);
    println!(
        "{:<8} {:<6} {:>8} {:>9} {:>14} {:>12} {:>11} {:>9} {:>9} {:>9} {:>9}",
        "server",
        "line",
        "sessions",
        "processes",
        "KiB a session",
        "above idle",
        "deliveries",
        "unheard",
        "median",
        "p99",
        "longest"
    );
    let mut kept = true;
    for (secure, most) in [(false, CLEAR), (true, TLS)] {
        let found = measure(Kind::Culver, secure, sessions);
        kept &= found.memory <= most && found.median <= MEDIAN && found.p99 <= P99;
        kept &= found.unheard == 0;
    }
    if have("dovecot") && setting("CULVER_BENCH_SERVER").as_deref() != Some("culver") {
        for secure in [false, true] {
            measure(Kind::Dovecot, secure, sessions);
        }
    }
    if !kept {
        println!(
            "too much: {} KiB in clear, {} KiB under TLS, {MEDIAN:?} and {P99:?} are promised",
            CLEAR >> 10,
            TLS >> 10
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

struct Found {
    memory: u64,
    median: Duration,
    p99: Duration,
    unheard: usize,
}

fn measure(kind: Kind, secure: bool, sessions: usize) -> Found {
    let maildirs: Vec<Arc<Maildir>> = (0..USERS).map(|_| account()).collect();
    let server = start(kind, &maildirs);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (idle, _) = server.proportional_memory();
    let (tell, heard) = unbounded_channel();
    let clients = runtime.block_on(begin(&server, secure, sessions, tell));
    runtime.block_on(async { sleep(REST).await });
    let (memory, processes) = server.proportional_memory();
    let (deliveries, folders) = match kind {
        Kind::Culver => (500, FOLDERS + 1),
        Kind::Dovecot => (20, 1),
    };
    let of_each = sessions / USERS;
    let (mut times, unheard) =
        runtime.block_on(deliver(&maildirs, of_each, deliveries, folders, heard));
    drop(clients);
    times.sort();
    let last = times.len().saturating_sub(1);
    let at = |share: f64| {
        let time = times.get((last as f64 * share) as usize);
        time.copied().unwrap_or(PATIENCE)
    };
    let found = Found {
        memory: memory.saturating_sub(idle) / sessions as u64,
        median: at(0.5),
        p99: at(0.99),
        unheard,
    };
    println!(
        "{:<8} {:<6} {sessions:>8} {processes:>9} {:>14.1} {:>12.1} {deliveries:>11} {unheard:>9} {:>9} {:>9} {:>9}",
        format!("{kind:?}"),
        if secure { "TLS" } else { "clear" },
        memory as f64 / sessions as f64 / 1024.0,
        found.memory as f64 / 1024.0,
        format!("{:.1?}", found.median),
        format!("{:.1?}", found.p99),
        format!("{:.1?}", at(1.0)),
    );
    found
}

/// A user's mail.
fn account() -> Arc<Maildir> {
    let maildir = Maildir::new();
    let text = message("before");
    for folder in 0..=FOLDERS {
        let name = name(folder);
        let path = maildir.folder(&name);
        if folder > 0 {
            fs::create_dir(&path).unwrap();
            for sub in ["cur", "new", "tmp"] {
                fs::create_dir(path.join(sub)).unwrap();
            }
        }
        let [in_inbox, in_folder] = MESSAGES;
        let count = if folder == 0 { in_inbox } else { in_folder };
        for number in 0..count {
            let file = format!("cur/17000000{number:02}.P1Q{number}.mta:2,S");
            fs::write(path.join(file), &text).unwrap();
        }
    }
    maildir.settle();
    Arc::new(maildir)
}

fn name(folder: usize) -> String {
    match folder {
        0 => "INBOX".to_owned(),
        number => format!("f{number}"),
    }
}

fn start(kind: Kind, maildirs: &[Arc<Maildir>]) -> Server {
    let mut setup = Setup::new(kind)
        .settings("[limits]\nconnections = 10000\n")
        .dovecot_settings(
            "service imap-login {\n  service_count = 0\n  process_min_avail = 2\n  client_limit = 4000\n}\n\
             service imap {\n  process_limit = 4000\n}\nservice anvil {\n  client_limit = 10000\n}\n\
             service auth {\n  client_limit = 10000\n}\nservice stats {\n  client_limit = 10000\n}\n\
             mailbox_list_index = yes\n",
        );
    for (number, maildir) in maildirs.iter().enumerate() {
        setup = setup.user(&format!("u{number}"), maildir);
    }
    setup.start(&maildirs[0])
}

/// Begins all sessions; each tells when it hears of something from then on.
async fn begin(server: &Server, secure: bool, sessions: usize, tell: Tell) -> JoinSet<()> {
    let tls = TlsConnector::from(tls::config(&[&TLS13]));
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let address = if secure { server.imaps } else { server.imap };
    let (ready, mut are_ready) = unbounded_channel();
    let mut clients = JoinSet::new();
    for number in 0..sessions {
        let user = number % USERS;
        let (places, ready, tell) = (Arc::clone(&places), ready.clone(), tell.clone());
        let tls = secure.then(|| tls.clone());
        clients.spawn(async move {
            let place = places.acquire_owned().await.unwrap();
            let mut stream = connect(address, tls).await;
            line(&mut stream, "* OK").await;
            for command in [
                &*format!("LOGIN u{user} {PASSWORD}"),
                "SELECT INBOX",
                NOTIFY,
            ] {
                send(&mut stream, command).await;
                line(&mut stream, "x OK").await;
            }
            send(&mut stream, "IDLE").await;
            line(&mut stream, "+").await;
            drop(place);
            ready.send(()).unwrap();
            listen(stream, user, tell).await;
        });
    }
    for _ in 0..sessions {
        tokio::select! {
            _ = are_ready.recv() => {}
            ended = clients.join_next() => panic!("a session has ended: {ended:?}\n{}", server.log()),
        }
    }
    clients
}

trait Both: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Both for S {}

type Stream = BufStream<Box<dyn Both>>;

/// Which user's session has heard of something, and when.
type Tell = UnboundedSender<(usize, Instant)>;

async fn connect(address: SocketAddr, tls: Option<TlsConnector>) -> Stream {
    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let stream: Box<dyn Both> = match tls {
        None => Box::new(tcp),
        Some(tls) => Box::new(tls.connect(tls::server_name(), tcp).await.unwrap()),
    };
    BufStream::with_capacity(1 << 10, 1 << 10, stream)
}

async fn send(stream: &mut Stream, command: &str) {
    let line = format!("x {command}\r\n");
    stream.write_all(line.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}

/// Waits for the line that begins so. A tagged one has to.
async fn line(stream: &mut Stream, begin: &str) {
    let mut line = String::new();
    while !line.starts_with(begin) {
        assert!(!line.starts_with("x "), "{line}");
        line.clear();
        assert!(stream.read_line(&mut line).await.unwrap() > 0, "it is gone");
    }
}

async fn listen(mut stream: impl AsyncBufRead + Unpin, user: usize, tell: Tell) {
    let mut line = String::new();
    while stream.read_line(&mut line).await.unwrap() > 0 {
        if line.ends_with(" EXISTS\r\n") || line.starts_with("* STATUS ") {
            let _ = tell.send((user, Instant::now()));
        }
        line.clear();
    }
}

/// Delivers to one mailbox after the other, 5 to 25 ms after all that should have heard of the one before. Gives how
/// long each took to hear, and how many did not.
async fn deliver(
    maildirs: &[Arc<Maildir>],
    sessions: usize,
    deliveries: usize,
    folders: usize,
    mut heard: UnboundedReceiver<(usize, Instant)>,
) -> (Vec<Duration>, usize) {
    let mut chance = Chance::new(1);
    let (mut times, mut unheard) = (Vec::with_capacity(deliveries * sessions), 0);
    for _ in 0..deliveries {
        let user = chance.below(maildirs.len() as u64) as usize;
        let name = name(chance.below(folders as u64) as usize);
        let prepared = maildirs[user].prepare(&name, message("news").as_bytes());
        sleep(Duration::from_millis(5 + chance.below(20))).await;
        while heard.try_recv().is_ok() {}
        let start = Instant::now();
        maildirs[user].release(&name, &prepared);
        for missing in (1..=sessions).rev() {
            let Ok(Some((by, at))) = timeout(PATIENCE, heard.recv()).await else {
                unheard += missing;
                break;
            };
            if by == user {
                times.push(at - start);
            }
        }
    }
    (times, unheard)
}
