//! Octets → commands, before any grammar: where a line ends, where a literal begins and how long it is.
//!
//! No I/O: [`crate::session::reader`] puts octets in and takes [`Cut`]s out. Because literals are cut
//! here, a command that is refused can be thrown away whole, and its literal is never read as a
//! command. Nothing is allocated by a size that a client merely announced.

use zeroize::Zeroize;

use crate::imap::command::{AppendHead, AppendStep};
use crate::imap::core::Tag;
use crate::imap::parse;
use crate::imap::response::Code;
use crate::session::cut::append::Appending;

pub use crate::session::cut::limits::{AFTER_LOGIN, BEFORE_LOGIN, Budget};

mod append;
mod limits;

/// Of a line that is too long, this much of its end is kept: enough for any literal's mark.
const LONGEST_MARK: usize = 32;

/// And this much of its front: enough for any sensible tag.
const LONGEST_TAG: usize = 128;

/// What has been cut off.
#[derive(Debug, PartialEq)]
pub enum Cut {
    /// An APPEND or REPLACE up to its first literal that is a message or part of one, and is still to come; or,
    /// without such a literal, all of it.
    Append {
        /// The command's tag.
        tag: Tag,
        /// What it is, and where to.
        head: AppendHead,
        /// Up to that literal.
        steps: Vec<AppendStep>,
    },
    /// The APPEND goes on: up to its next literal (RFC 3502, RFC 4469), or to its end.
    AppendOn(Vec<AppendStep>),
    /// A whole command, its literals inline, without the last CRLF.
    Command(Vec<u8>),
    /// A literal fits and the client waits for `+ OK` before it sends it.
    Literal,
    /// A command that will not be run. All of it that the client sends has been swallowed.
    Refused(Refusal),
    /// More was announced or sent than is worth swallowing: the connection must end.
    Flood,
}

/// Why a command is not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The command's tag, where one could be read.
    pub tag: Option<Tag>,
    /// `[LIMIT]` or `[TOOBIG]`, where it is one of the limits here.
    pub code: Option<Code>,
    /// Its text.
    pub text: String,
    /// A line was too long.
    pub long_line: bool,
}

/// What the next octets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Part of a line.
    Line,
    /// This many octets of a literal, then a line.
    Literal(u64),
    /// This many octets of an APPEND's literal, which [`Cutter::message`] takes.
    Message(u64),
}

/// Input that has come, and how far it has been cut.
#[derive(Debug)]
pub struct Cutter {
    budget: Budget,
    /// Octets received. What is before `taken` is done with, what is before `seen` holds no LF.
    input: Vec<u8>,
    taken: usize,
    seen: usize,
    /// The front of a line was dropped because the line is too long.
    long_line: bool,
    phase: Phase,
    /// The command so far.
    command: Vec<u8>,
    /// How many literals it had.
    literals: u32,
    /// The command is an APPEND or REPLACE whose head has been read.
    append: Option<Appending>,
    refusal: Option<Refusal>,
    swallowed: u64,
}

impl Cutter {
    /// Begins with what another reader had not cut yet.
    pub fn new(budget: Budget, input: Vec<u8>) -> Cutter {
        Cutter {
            budget,
            input,
            taken: 0,
            seen: 0,
            long_line: false,
            phase: Phase::Line,
            command: Vec::new(),
            literals: 0,
            append: None,
            refusal: None,
            swallowed: 0,
        }
    }

    /// Where new octets go: at the end.
    pub fn input(&mut self) -> &mut Vec<u8> {
        if self.taken > 0 {
            // Passwords may be among what is done with.
            self.input[..self.taken].zeroize();
            self.input.drain(..self.taken);
            self.seen = self.seen.saturating_sub(self.taken);
            self.taken = 0;
        }
        &mut self.input
    }

    /// How many octets have come and are not cut yet.
    pub fn ahead(&self) -> usize {
        self.input.len() - self.taken
    }

    /// Begins anew: its input has been taken out.
    pub fn forget(&mut self) {
        self.taken = 0;
        self.seen = 0;
    }

    /// What is not cut yet, for another reader.
    pub fn into_rest(mut self) -> Vec<u8> {
        std::mem::take(self.input())
    }

    /// The next cut, if enough octets have come. Not while an APPEND's literal is being taken.
    pub fn cut(&mut self) -> Option<Cut> {
        loop {
            let progress = match self.phase {
                Phase::Line => match self.line().filter(|_| !self.is_flooded()) {
                    Some(line) => {
                        if let Some(cut) = self.end_line(line) {
                            return Some(cut);
                        }
                        true
                    }
                    None => false,
                },
                Phase::Literal(0) | Phase::Message(0) => {
                    self.phase = Phase::Line;
                    true
                }
                Phase::Literal(left) => {
                    let count = self.available(left);
                    if self.refusal.is_none() {
                        let octets = &self.input[self.taken..self.taken + count];
                        self.command.extend_from_slice(octets);
                    }
                    self.take(count);
                    self.phase = Phase::Literal(left - count as u64);
                    count > 0
                }
                Phase::Message(_) => false,
            };
            if self.is_flooded() {
                return Some(Cut::Flood);
            }
            if !progress {
                return None;
            }
        }
    }

    /// One line as it is, whatever it announces: what answers a continuation request.
    pub fn cut_line(&mut self) -> Option<Cut> {
        let line = self.line();
        if self.is_flooded() {
            return Some(Cut::Flood);
        }
        let line = line?;
        let long_line = self.long_line;
        self.reset();
        Some(if long_line {
            Cut::Refused(Refusal {
                tag: None,
                code: Some(Code::Limit),
                text: self.too_long(),
                long_line,
            })
        } else {
            Cut::Command(line)
        })
    }

    /// The next line without its end, once that has come.
    fn line(&mut self) -> Option<Vec<u8>> {
        let end = memchr::memchr(b'\n', &self.input[self.seen..]).map(|at| self.seen + at);
        let stop = end.unwrap_or(self.input.len());
        // An over-long line is let go as it comes, so that it costs no memory. What is let go in the end does
        // not depend on how it comes.
        let most = match self.long_line {
            true => LONGEST_MARK,
            false => self.budget.line,
        };
        if stop - self.taken > most {
            if !self.long_line && self.command.is_empty() {
                let front = &self.input[self.taken..self.taken + LONGEST_TAG];
                // A tag whose end is not here is as good as none.
                if front.contains(&b' ') {
                    self.command.extend_from_slice(front);
                }
            }
            self.long_line = true;
            let dropped = stop - self.taken - LONGEST_MARK;
            self.swallowed = self.swallowed.saturating_add(dropped as u64);
            self.take(dropped);
        }
        self.seen = stop;
        let end = end?;
        let line = &self.input[self.taken..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
        self.take(end + 1 - self.taken);
        Some(line)
    }

    /// Decides what follows a line: a literal, or the command's end.
    fn end_line(&mut self, line: Vec<u8>) -> Option<Cut> {
        let mark = parse::literal_mark(&line);
        self.judge_line(&line);
        let mark = match mark {
            Ok(Some(mark)) => mark,
            Ok(None) => return Some(self.end_command(line)),
            Err(_) if line.ends_with(b"+}") => return Some(Cut::Flood),
            Err(error) => {
                // The client waits, and will hear no.
                self.command.extend_from_slice(&line);
                self.refuse(error.code, error.expected);
                return Some(self.end_command(line));
            }
        };
        let (front, announcement) = line.split_at(mark.start.min(line.len()));
        if self.refusal.is_none() {
            let cut = match self.append {
                None => {
                    self.command.extend_from_slice(front);
                    let begun = self.begin_append();
                    begun.and_then(|()| self.append_on(announcement))
                }
                Some(_) => self.append_on(&line),
            };
            match cut {
                Ok(None) => {}
                Ok(cut) => return cut,
                Err(error) => self.refuse(error.code, error.expected),
            }
        }
        if self.refusal.is_none() {
            // Before it is judged: with a literal where a tag should end, there is no tag to answer with.
            self.command.extend_from_slice(announcement);
        }
        self.judge_literal(mark.size, mark.non_sync);
        if let Some(refusal) = &self.refusal {
            if !mark.non_sync {
                // The client waits for `+`, and takes a tagged line for a no: it sends nothing more.
                let refusal = refusal.clone();
                self.reset();
                return Some(Cut::Refused(refusal));
            }
            self.swallowed = self.swallowed.saturating_add(mark.size);
        } else {
            self.command.extend_from_slice(b"\r\n");
            self.literals += 1;
        }
        self.phase = Phase::Literal(mark.size);
        (!mark.non_sync).then_some(Cut::Literal)
    }

    /// The line was the command's last.
    fn end_command(&mut self, mut line: Vec<u8>) -> Cut {
        if self.refusal.is_none() {
            match self.append_on(&line) {
                Ok(None) => {}
                Ok(Some(cut)) => return cut,
                Err(error) => self.refuse(error.code, error.expected),
            }
        }
        let refusal = self.refusal.take();
        let mut command = std::mem::take(&mut self.command);
        self.reset();
        match refusal {
            Some(refusal) => Cut::Refused(refusal),
            None if command.is_empty() => Cut::Command(line),
            None => {
                command.extend_from_slice(&line);
                line.zeroize();
                Cut::Command(command)
            }
        }
    }

    /// How many of `wanted` octets have come.
    fn available(&self, wanted: u64) -> usize {
        self.ahead()
            .min(usize::try_from(wanted).unwrap_or(usize::MAX))
    }

    fn take(&mut self, count: usize) {
        self.taken += count;
        self.seen = self.seen.max(self.taken);
    }

    /// Ready for the next command.
    fn reset(&mut self) {
        self.phase = Phase::Line;
        self.long_line = false;
        self.command = Vec::new();
        self.literals = 0;
        self.append = None;
        self.refusal = None;
        self.swallowed = 0;
    }
}

#[cfg(test)]
mod tests;
