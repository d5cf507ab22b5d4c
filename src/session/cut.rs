//! Octets → commands, before any grammar: where a line ends, where a literal begins and how long it is.
//!
//! No I/O: [`crate::session::reader`] puts octets in and takes [`Cut`]s out. Because literals are cut
//! here, a command that is refused can be thrown away whole, and its literal is never read as a
//! command. Nothing is allocated by a size that a client merely announced.

use zeroize::Zeroize;

use crate::imap::command::{AppendOptions, WireName};
use crate::imap::core::Tag;
use crate::imap::parse::{self, LiteralMark};
use crate::imap::response::Code;

/// Of a line that is too long, this much of its end is kept: enough for any literal's mark.
const LONGEST_MARK: usize = 32;

/// And this much of its front: enough for any sensible tag.
const LONGEST_TAG: usize = 128;

/// Literals that can precede an APPEND's first message or be it: the mailbox's name, and the message.
const HEAD_LITERALS: u32 = 2;

/// How much a client may send before it has to stop for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Octets of one line, its CR included.
    line: usize,
    /// Octets of one literal.
    literal: u64,
    /// Octets of one literal that is sent without waiting (RFC 7888 §5).
    non_sync: u64,
    /// Octets of a whole command, its literals included, but not an APPEND's message.
    command: usize,
    /// Octets of a refused command that are read and dropped. Beyond that the connection ends.
    swallow: u64,
    /// Whether an APPEND's message is cut off to be streamed.
    append: bool,
}

/// For strangers. LITERAL- is what is announced to them.
pub const BEFORE_LOGIN: Budget = Budget {
    line: 8 << 10,
    literal: 4 << 10,
    non_sync: 4 << 10,
    command: 16 << 10,
    swallow: 64 << 10,
    append: false,
};

/// For users.
pub const AFTER_LOGIN: Budget = Budget {
    line: 64 << 10,
    literal: 1 << 20,
    non_sync: 1 << 20,
    command: 1 << 20,
    swallow: 64 << 20,
    append: true,
};

/// What has been cut off.
#[derive(Debug, PartialEq)]
pub enum Cut {
    /// An APPEND up to its first message, which is still to come.
    Append {
        /// The command's tag.
        tag: Tag,
        /// Where to.
        mailbox: WireName,
        /// The message to come.
        message: Announced,
    },
    /// A whole command, its literals inline, without the last CRLF. After an APPEND's last message: nothing,
    /// for the line ended as it should.
    Command(Vec<u8>),
    /// A literal fits and the client waits for `+ OK` before it sends it.
    Literal,
    /// The APPEND goes on, up to its next message (RFC 3502).
    Message(Announced),
    /// A command that will not be run. All of it that the client sends has been swallowed.
    Refused(Refusal),
    /// More was announced or sent than is worth swallowing: the connection must end.
    Flood,
}

/// A message of an APPEND that is still to come.
#[derive(Clone, Debug, PartialEq)]
pub struct Announced {
    /// What is said of it.
    pub options: AppendOptions,
    /// Its octets.
    pub size: u64,
    /// The client does not wait for `+ OK`.
    pub non_sync: bool,
    /// A literal8 (RFC 3516 §4.4).
    pub binary: bool,
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
    /// This many octets of an APPEND's message, which [`Cutter::message`] takes.
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
    /// The line after an APPEND's message is being read.
    after_message: bool,
    /// The tag of that APPEND, and the octets of its lines so far.
    tag: Option<Tag>,
    append_lines: usize,
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
            after_message: false,
            tag: None,
            append_lines: 0,
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

    /// What is not cut yet, for another reader.
    pub fn into_rest(mut self) -> Vec<u8> {
        std::mem::take(self.input())
    }

    /// The next cut, if enough octets have come. Not while a message is being taken.
    pub fn cut(&mut self) -> Option<Cut> {
        loop {
            let progress = match self.phase {
                Phase::Line => match self.line() {
                    Some(line) => {
                        if let Some(cut) = self.end_line(line) {
                            return Some(cut);
                        }
                        true
                    }
                    None => false,
                },
                Phase::Literal(0) => {
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
            if self.swallowed > self.budget.swallow {
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
        if self.swallowed > self.budget.swallow {
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

    /// How much of an APPEND's message is still to be taken.
    pub fn message_left(&self) -> u64 {
        match self.phase {
            Phase::Message(left) => left,
            Phase::Line | Phase::Literal(_) => 0,
        }
    }

    /// Takes up to `most` octets of the message; none if none have come. After its last octet the rest of
    /// the line is [`Cutter::cut`]'s again.
    pub fn message(&mut self, most: usize) -> Vec<u8> {
        let Phase::Message(left) = self.phase else {
            return Vec::new();
        };
        let count = self.available(left).min(most);
        let octets = self.input[self.taken..self.taken + count].to_vec();
        self.take(count);
        let left = left - count as u64;
        self.phase = if left == 0 {
            self.after_message = true;
            Phase::Line
        } else {
            Phase::Message(left)
        };
        octets
    }

    /// Gives up on an APPEND's message. If it is on its way (`coming`), the rest of it and of its line will
    /// be swallowed, and then [`Cut::Refused`] says so; else the client is waiting and sends neither.
    pub fn give_up_message(&mut self, coming: bool) {
        let left = self.message_left();
        let coming = coming || self.after_message;
        let tag = self.tag.take();
        self.reset();
        if coming {
            // Its octets would have been read had it been accepted: they cost nothing more now.
            self.tag = tag;
            self.refuse(None, "message refused".to_owned());
            self.phase = Phase::Literal(left);
        }
    }

    /// The next line without its end, once that has come.
    fn line(&mut self) -> Option<Vec<u8>> {
        let end = memchr::memchr(b'\n', &self.input[self.seen..]).map(|at| self.seen + at);
        let stop = end.unwrap_or(self.input.len());
        // An over-long line is let go as it comes, so that it costs no memory.
        if stop - self.taken > self.budget.line {
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
        self.judge_line(&line, !matches!(mark, Ok(None)));
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
        if self.refusal.is_none() && self.after_message {
            match parse::append_options(front) {
                Ok(options) => {
                    self.append_lines += line.len();
                    return Some(Cut::Message(self.announce(options, &mark)));
                }
                Err(error) => self.refuse(error.code, error.expected),
            }
        } else if self.refusal.is_none() {
            self.command.extend_from_slice(front);
            if self.budget.append && self.literals < HEAD_LITERALS {
                match parse::append_head(&self.command) {
                    Ok(Some((tag, mailbox, options))) => {
                        self.append_lines = self.command.len();
                        self.command = Vec::new();
                        self.tag = Some(tag.clone());
                        return Some(Cut::Append {
                            tag,
                            mailbox,
                            message: self.announce(options, &mark),
                        });
                    }
                    Ok(None) => {}
                    Err(error) => self.refuse(error.code, error.expected),
                }
            }
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
            self.command.extend_from_slice(announcement);
            self.command.extend_from_slice(b"\r\n");
            self.literals += 1;
        }
        self.phase = Phase::Literal(mark.size);
        (!mark.non_sync).then_some(Cut::Literal)
    }

    /// A message of an APPEND comes next.
    fn announce(&mut self, options: AppendOptions, mark: &LiteralMark) -> Announced {
        self.after_message = false;
        self.phase = Phase::Message(mark.size);
        Announced {
            options,
            size: mark.size,
            non_sync: mark.non_sync,
            binary: mark.binary,
        }
    }

    /// The line was the command's last.
    fn end_command(&mut self, mut line: Vec<u8>) -> Cut {
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

    /// Refuses lines that no command may hold.
    fn judge_line(&mut self, line: &[u8], announces: bool) {
        if std::mem::take(&mut self.long_line) {
            let text = self.too_long();
            self.refuse(Some(Code::Limit), text);
            if let Some(refusal) = &mut self.refusal {
                refusal.long_line = true;
            }
        } else if self.refusal.is_none() {
            let whole = self.command.len() + self.append_lines + line.len();
            let (code, text) = if self.after_message && !line.is_empty() && !announces {
                (
                    None,
                    "expected the end of the line after the message".to_owned(),
                )
            } else if memchr::memchr2(b'\r', 0, line).is_some() {
                (None, "NUL or bare CR in a line".to_owned())
            } else if whole > self.budget.command {
                (Some(Code::Limit), self.command_too_long())
            } else {
                return;
            };
            self.command.extend_from_slice(line);
            self.refuse(code, text);
        }
    }

    /// Refuses literals that are too large.
    fn judge_literal(&mut self, size: u64, non_sync: bool) {
        let limit = if non_sync {
            self.budget.non_sync
        } else {
            self.budget.literal
        };
        let whole = (self.command.len() as u64).saturating_add(size);
        if self.refusal.is_some() {
            return;
        }
        if size > limit {
            let text = format!("literal too large, {limit} octets at the most");
            self.refuse(Some(Code::TooBig), text);
        } else if whole > self.budget.command as u64 {
            self.refuse(Some(Code::Limit), self.command_too_long());
        }
    }

    /// The command will not be run. The first reason stands; the rest is forgotten, but for the tag.
    fn refuse(&mut self, code: Option<Code>, text: String) {
        let mut command = std::mem::take(&mut self.command);
        self.refusal.get_or_insert_with(|| Refusal {
            tag: self.tag.take().or_else(|| parse::tag_of(&command)),
            code,
            text,
            long_line: false,
        });
        command.zeroize();
    }

    fn too_long(&self) -> String {
        format!("line too long, {} octets at the most", self.budget.line)
    }

    fn command_too_long(&self) -> String {
        let most = self.budget.command;
        format!("command too long, {most} octets at the most")
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
        self.after_message = false;
        self.tag = None;
        self.append_lines = 0;
        self.refusal = None;
        self.swallowed = 0;
    }
}

#[cfg(test)]
mod tests;
