//! The log, on standard error: one line an event, fields with names.
//!
//! Lines are written by a thread of its own, so that a log that is full or stuck holds up nobody;
//! what finds no room is dropped and counted. What a client sent reaches a line only with its
//! control characters escaped and never makes it longer than [`LINE_MAX`].

use std::fmt::Write as _;
use std::io::{self, Write};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::auth::LOG_TARGET;
use crate::config::LogLevel;

/// Lines that may wait to be written.
const QUEUE: usize = 1024;

/// The longest line, in octets, its line end not counted.
const LINE_MAX: usize = 4096;

/// How long the end of the process waits for the last lines.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);

/// What libraries say is kept from this level on, if the server's own level is not stricter.
const LIBRARIES: LevelFilter = LevelFilter::WARN;

/// The running log. [`Log::finish`] is the orderly end.
#[derive(Debug)]
pub struct Log {
    queue: Queue,
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
        let (items, waiting) = channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let queue = Queue {
            items,
            dropped: Arc::clone(&dropped),
        };
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(waiting, &dropped, io::stderr()))?;

        let level = filter(level);
        let targets = Targets::new()
            .with_default(level.min(LIBRARIES))
            .with_target(env!("CARGO_CRATE_NAME"), level)
            .with_target(LOG_TARGET, level);
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(queue.clone());
        let registry = tracing_subscriber::registry().with(targets);
        let started = if is_journal() {
            registry.with(lines.without_time()).try_init()
        } else {
            registry.with(lines).try_init()
        };
        started.map_err(io::Error::other)?;
        panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            let text = panic.payload_as_str().unwrap_or("no text");
            tracing::error!(place, "fault of the server's own: {text}");
        }));
        Ok(Log { queue })
    }

    /// Waits for what has been logged to be written, but not for long.
    pub fn finish(&self) {
        let (written, wait) = sync_channel(1);
        if self.queue.items.try_send(Item::Flush(written)).is_ok() {
            // It was written, or there was no time to: either way this is the end.
            let _ = wait.recv_timeout(FLUSH_LIMIT);
        }
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
                    let _ = writeln!(target, "log: {missing} lines dropped, target too slow");
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
