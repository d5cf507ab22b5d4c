//! The command reader: however a client's octets are cut up on the way, the same commands, literals and
//! messages come out of them, and what cannot be a command is let go rather than kept.
//!
//! Octet 1 says whose limits hold and what becomes of APPENDs, octet 2 how the rest arrives. In the rest,
//! 0xFE and an octet n stand for n × 256 times the octet before.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use culver::imap::command::{Announced, AppendStep};
use culver::session::cut::{AFTER_LOGIN, BEFORE_LOGIN, Budget, Cut, Cutter};
use culver::session::reader::Reader;
use tokio::io::{AsyncRead, ReadBuf};

/// The longest line of strangers and of users.
const LINES: [usize; 2] = [8 << 10, 64 << 10];

/// Up to this length all ways to cut the octets in two are tried.
const EVERY_PLACE: usize = 96;

/// The most that repetitions may make of the input.
const LONGEST: usize = 160 << 10;

/// What came out.
#[derive(Debug, PartialEq)]
enum Event {
    Cut(Cut),
    /// What answered a continuation request.
    Line(Cut),
    Message(Vec<u8>),
}

/// How a session takes its cuts.
#[derive(Clone, Copy)]
struct Taker {
    budget: Budget,
    line: usize,
    /// Two bits for each literal of an APPEND, used in a circle.
    messages: u8,
}

/// What is done with a literal of an APPEND.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Taken,
    /// Given up; `true`: it comes all the same.
    Refused(bool),
}

impl Taker {
    fn fate(self, events: &[Event], message: Announced) -> Fate {
        let choice = self.messages.rotate_right(2 * (events.len() as u32 % 4)) & 3;
        match choice {
            _ if message.size == 0 => Fate::Refused(message.non_sync),
            0 | 1 => Fate::Taken,
            2 => Fate::Refused(message.non_sync),
            _ => Fate::Refused(true),
        }
    }
}

/// The literal of an APPEND that comes next.
fn announced(cut: &Cut) -> Option<Announced> {
    match cut {
        Cut::Append { steps, .. } | Cut::AppendOn(steps) => AppendStep::announced(steps),
        _ => None,
    }
}

/// Whether the next line is the answer to a continuation request.
fn is_line_next(events: &[Event]) -> bool {
    let Some(Event::Cut(Cut::Command(command))) = events.last() else {
        return false;
    };
    command.to_ascii_uppercase().ends_with(b" IDLE")
}

/// Runs the input through the reader in many ways.
pub fn check(octets: &[u8]) {
    let [how, seed, rest @ ..] = octets else {
        return;
    };
    let octets = with_repetitions(rest);
    let taker = Taker {
        budget: [BEFORE_LOGIN, AFTER_LOGIN][usize::from(how & 1)],
        line: LINES[usize::from(how & 1)],
        messages: how >> 1,
    };

    let whole = cut(taker, &[&octets]);
    let single: Vec<&[u8]> = octets
        .chunks(if octets.len() > 4096 { 61 } else { 1 })
        .collect();
    let mixed = pieces(&octets, *seed);
    same(&whole, &cut(taker, &single));
    same(&whole, &cut(taker, &mixed));
    same(&whole, &read(taker, &mixed, false));
    same(&whole, &read(taker, &single, true));
    if octets.len() <= EVERY_PLACE {
        for at in 1..octets.len() {
            let (one, other) = octets.split_at(at);
            same(&whole, &cut(taker, &[one, other]));
        }
    }
}

fn same(one: &[Event], other: &[Event]) {
    if one != other {
        let at = one.iter().zip(other).take_while(|(a, b)| a == b).count();
        let shown = |events: &[Event]| format!("{:.2000}", format!("{:?}", events.get(at)));
        panic!("event {at}: {} or {}", shown(one), shown(other));
    }
}

/// Drives the cutter itself.
fn cut(taker: Taker, pieces: &[&[u8]]) -> Vec<Event> {
    let mut cutter = Cutter::new(taker.budget, Vec::new());
    let mut events = Vec::new();
    let mut message = Vec::new();
    for piece in pieces {
        cutter.input().extend_from_slice(piece);
        loop {
            if cutter.message_left() > 0 {
                message.extend(cutter.message(usize::MAX));
                if cutter.message_left() > 0 {
                    break;
                }
                events.push(Event::Message(std::mem::take(&mut message)));
            }
            if is_line_next(&events) {
                match cutter.cut_line() {
                    Some(line) => events.push(Event::Line(line)),
                    None => break,
                }
                continue;
            }
            let Some(cut) = cutter.cut() else {
                break;
            };
            if let Some(literal) = announced(&cut)
                && let Fate::Refused(coming) = taker.fate(&events, literal)
            {
                cutter.give_up_message(coming);
            }
            let is_end = cut == Cut::Flood;
            events.push(Event::Cut(cut));
            if is_end {
                return events;
            }
        }
        assert!(
            cutter.ahead() <= taker.line,
            "{} octets are kept of a line",
            cutter.ahead()
        );
    }
    events
}

/// Drives the reader; `anew`: after each command a new one goes on with what the last had read.
fn read(taker: Taker, pieces: &[&[u8]], anew: bool) -> Vec<Event> {
    let arriving = Arriving(pieces.iter().map(|piece| piece.to_vec()).collect());
    let mut reader = Reader::new(arriving, taker.budget, Vec::new());
    let mut events = Vec::new();
    let run = async {
        loop {
            if is_line_next(&events) {
                events.push(Event::Line(reader.line().await?));
                continue;
            }
            let cut = reader.next().await?;
            let fate = announced(&cut).map(|literal| taker.fate(&events, literal));
            let is_command = match &cut {
                Cut::Command(_) => true,
                Cut::Append { .. } | Cut::AppendOn(_) => fate.is_none(),
                _ => false,
            };
            let is_end = cut == Cut::Flood;
            events.push(Event::Cut(cut));
            match fate {
                Some(Fate::Refused(coming)) => reader.give_up_message(coming),
                Some(Fate::Taken) => {
                    let mut message = Vec::new();
                    while let Some(piece) = reader.message().await? {
                        message.extend(piece);
                    }
                    events.push(Event::Message(message));
                }
                None if is_end => return io::Result::Ok(()),
                None if is_command && anew => {
                    let (half, rest) = reader.into_parts().unwrap();
                    reader = Reader::new(half, taker.budget, rest);
                }
                None => {}
            }
        }
    };
    // Everything that comes is there: nothing has to be waited for.
    match pin!(run).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(())) => {}
        Poll::Ready(Err(error)) => assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof),
        Poll::Pending => panic!("the reader waits"),
    }
    events
}

/// Octets that arrive piece by piece.
struct Arriving(VecDeque<Vec<u8>>);

impl AsyncRead for Arriving {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.0.pop_front() {
            let rest = piece.split_off(piece.len().min(buffer.remaining()));
            buffer.put_slice(&piece);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Pieces of all sizes, never empty.
fn pieces(mut octets: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u64::from(seed) + 1;
    let mut pieces = Vec::new();
    while !octets.is_empty() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let scale = 1usize << ((state >> 60) & 15);
        let size = 1 + (state >> 33) as usize % scale;
        let (piece, rest) = octets.split_at(size.min(octets.len()));
        pieces.push(piece);
        octets = rest;
    }
    pieces
}

fn with_repetitions(octets: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    let mut octets = octets.iter();
    while let Some(&octet) = octets.next() {
        match (octet, out.last()) {
            (0xfe, Some(&last)) => {
                let count = usize::from(octets.next().copied().unwrap_or(0)) * 256;
                let room = LONGEST.saturating_sub(out.len());
                out.resize(out.len() + count.min(room), last);
            }
            _ => out.push(octet),
        }
    }
    out
}
