//! The log: one line an event, fields with names. A server's goes to standard error; that of a program which an MTA has
//! started to syslog(3), for the MTA reads its standard error.
//!
//! Lines are written by a thread of its own, so that a log that is full or stuck holds up nobody;
//! what finds no room is dropped and counted. What a client sent reaches a line only with its
//! control characters escaped and never makes it longer than [`LINE_MAX`].

use std::fmt::Write as _;
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::panic;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::auth::LOG_TARGET;
use crate::blocking;
use crate::config::LogLevel;

/// Lines that may wait to be written.
const QUEUE: usize = 1024;

/// The longest line, in octets, its line end not counted.
const LINE_MAX: usize = 4096;

/// How long the end of the process waits for the last lines.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);

/// Where syslog(3) hears programs.
const SYSLOG: &str = "/dev/log";

/// The facility of syslog(3) for mail.
const MAIL: u8 = 2;

/// What a program calls itself there.
const TAG: &str = "culver-deliver";

/// What libraries say is kept from this level on, if the server's own level is not stricter.
const LIBRARIES: LevelFilter = LevelFilter::WARN;

/// The running log. [`Log::finish`] is the orderly end.
#[derive(Debug)]
pub struct Log {
    queues: Vec<Queue>,
}

#[derive(Debug)]
enum Item {
    Line(Vec<u8>),
    /// Everything before it has been written once the receiver hears of it.
    Flush(SyncSender<()>),
}

#[derive(Clone, Debug)]
struct Queue {
    /// It takes room for those that wait, not for those that may.
    items: Sender<Item>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    /// Begins to log, panics included. Starts a thread, so rights are dropped by now.
    pub fn start(level: LogLevel) -> io::Result<Log> {
        Log::begin(level, None)
    }

    /// The same, for a program whose standard error its caller reads, and may take for a sign of failure: at
    /// [`LogLevel::Info`] it gets no more than warnings, and syslog(3) gets all, where somebody hears it.
    pub fn start_beside_caller(level: LogLevel) -> io::Result<Log> {
        if is_journal() {
            return Log::start(level);
        }
        let said = match level {
            LogLevel::Info => LogLevel::Warn,
            chosen => chosen,
        };
        let syslog = Syslog::reach(Path::new(SYSLOG)).ok();
        Log::begin(said, syslog.map(|syslog| (level, syslog)))
    }

    fn begin(level: LogLevel, syslog: Option<(LogLevel, Syslog)>) -> io::Result<Log> {
        let queue = Queue::to(io::stderr())?;
        let mut queues = vec![queue.clone()];
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(queue);
        let lines = match is_journal() {
            true => lines.without_time().with_filter(targets(level)).boxed(),
            false => lines.with_filter(targets(level)).boxed(),
        };
        let mut layers = vec![lines];
        if let Some((level, syslog)) = syslog {
            let queue = Queue::to(syslog)?;
            queues.push(queue.clone());
            let lines = tracing_subscriber::fmt::layer()
                .with_ansi(false)
                .without_time()
                .with_writer(queue);
            layers.push(lines.with_filter(targets(level)).boxed());
        }
        let registry = tracing_subscriber::registry().with(layers);
        registry.try_init().map_err(io::Error::other)?;
        panic::set_hook(Box::new(|panic| {
            if blocking::is_offering() {
                return;
            }
            let place = panic.location().map(ToString::to_string);
            let text = panic.payload_as_str().unwrap_or("no text");
            tracing::error!(place, "fault of the server's own: {text}");
        }));
        Ok(Log { queues })
    }

    /// Waits for what has been logged to be written, but not for long.
    pub fn finish(&self) {
        for queue in &self.queues {
            let (written, wait) = sync_channel(1);
            if queue.items.try_send(Item::Flush(written)).is_ok() {
                // It was written, or there was no time to: either way this is the end.
                let _ = wait.recv_timeout(FLUSH_LIMIT);
            }
        }
    }
}

impl Queue {
    /// One whose lines are written there.
    fn to(target: impl Write + Send + 'static) -> io::Result<Queue> {
        let (items, waiting) = channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let queue = Queue {
            items,
            dropped: Arc::clone(&dropped),
        };
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(waiting, &dropped, target))?;
        Ok(queue)
    }
}

/// A way to syslog(3): a datagram for each line.
struct Syslog(UnixDatagram);

impl Syslog {
    fn reach(path: &Path) -> io::Result<Syslog> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Syslog(socket))
    }
}

impl Write for Syslog {
    /// Takes one whole line, which begins with its level.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = line.trim_ascii();
        let severity = match text.split(|octet| *octet == b' ').next() {
            Some(b"ERROR") => 3,
            Some(b"WARN") => 4,
            Some(b"DEBUG" | b"TRACE") => 7,
            _ => 6,
        };
        let front = format!("<{}>{TAG}[{}]: ", MAIL * 8 + severity, std::process::id());
        self.0.send(&[front.as_bytes(), text].concat())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Queue;

    fn make_writer(&'a self) -> &'a Queue {
        self
    }
}

impl Write for &Queue {
    /// Takes one whole event, as the subscriber writes them.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        if self.items.try_send(Item::Line(clean(event))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes until nobody is left who could log. A target that fails is no reason to stop serving, so
/// its errors are passed over.
fn write_lines(mut waiting: Receiver<Item>, dropped: &AtomicU64, mut target: impl Write) {
    while let Some(item) = waiting.blocking_recv() {
        match item {
            Item::Line(line) => {
                let _ = target.write_all(&line);
                let missing = dropped.swap(0, Ordering::Relaxed);
                if missing > 0 {
                    let text = format!("log: {missing} lines dropped, target too slow\n");
                    let _ = target.write_all(text.as_bytes());
                }
            }
            Item::Flush(written) => {
                let _ = target.flush();
                let _ = written.send(());
            }
        }
    }
}

/// One line of printable text that ends in a line feed.
fn clean(event: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(event);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let mut line = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        if line.len() >= LINE_MAX {
            line.push('…');
            break;
        }
        if character.is_control() {
            // Writing to a String cannot fail.
            let _ = write!(line, "\\x{:02x}", u32::from(character));
        } else {
            line.push(character);
        }
    }
    line.push('\n');
    line.into_bytes()
}

/// What is logged at a level.
fn targets(level: LogLevel) -> Targets {
    let level = filter(level);
    Targets::new()
        .with_default(level.min(LIBRARIES))
        .with_target(env!("CARGO_CRATE_NAME"), level)
        .with_target(LOG_TARGET, level)
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Whether systemd's journal reads standard error (systemd.exec(5), `JOURNAL_STREAM`); it notes the
/// time itself.
fn is_journal() -> bool {
    let Ok(stat) = rustix::fs::fstat(io::stderr()) else {
        return false;
    };
    std::env::var("JOURNAL_STREAM")
        .is_ok_and(|stream| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(
            clean("user=\"a\r\nb\u{1b}[2J\u{7f}\u{9b}é\"\n".as_bytes()),
            "user=\"a\\x0d\\x0ab\\x1b[2J\\x7f\\x9bé\"\n".as_bytes()
        );
        assert_eq!(clean(b"\xff\n"), "\u{fffd}\n".as_bytes());
        assert_eq!(clean(b""), b"\n");
    }

    #[test]
    fn long_lines_are_cut() {
        let line = clean("é".repeat(LINE_MAX).as_bytes());
        assert_eq!(line.len(), LINE_MAX + "…\n".len());
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (items, waiting) = channel(2);
        let dropped = Arc::new(AtomicU64::new(0));
        let queue = Queue {
            items,
            dropped: Arc::clone(&dropped),
        };
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            (&queue).write_all(line.as_bytes()).unwrap();
        }
        drop(queue);
        let mut target = Vec::new();
        write_lines(waiting, &dropped, &mut target);
        assert_eq!(
            String::from_utf8(target).unwrap(),
            "one\nlog: 2 lines dropped, target too slow\ntwo\n"
        );
    }

    #[test]
    fn syslog_gets_a_datagram_for_each_line() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log");
        assert!(Syslog::reach(&path).is_err());
        let heard = UnixDatagram::bind(&path).unwrap();
        let mut syslog = Syslog::reach(&path).unwrap();
        for (line, priority) in [
            (" INFO culver: mail delivered user=\"ann\"\n", 22),
            ("ERROR x\n", 19),
            (" WARN x\n", 20),
            ("DEBUG x\n", 23),
            ("log: 2 lines dropped\n", 22),
        ] {
            syslog.write_all(line.as_bytes()).unwrap();
            let mut octets = [0; 200];
            let length = heard.recv(&mut octets).unwrap();
            let text = String::from_utf8_lossy(&octets[..length]);
            let pid = std::process::id();
            let whole = format!("<{priority}>culver-deliver[{pid}]: {}", line.trim());
            assert_eq!(text, whole);
        }
    }

    #[test]
    fn a_failing_target_is_passed_over() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::StorageFull.into())
            }
        }
        let (items, waiting) = channel(2);
        let (written, wait) = sync_channel(1);
        items.try_send(Item::Line(b"lost\n".to_vec())).unwrap();
        items.try_send(Item::Flush(written)).unwrap();
        drop(items);
        write_lines(waiting, &AtomicU64::new(0), Full);
        wait.recv().unwrap();
    }
}
