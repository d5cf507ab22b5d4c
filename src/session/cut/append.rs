//! APPEND and REPLACE, whose literals are not kept: they are cut into steps, and the octets of each literal that is
//! a message or part of one are handed out as they come.

use crate::imap::command::{AppendHead, AppendStep};
use crate::imap::core::Tag;
use crate::imap::parse::{self, ParseError, Progress, Stop};
use crate::session::cut::{Cut, Cutter, Phase};

/// Literals that can precede an APPEND's first message or be it: the mailbox's name, and the message.
const HEAD_LITERALS: u32 = 2;

/// An APPEND on its way.
#[derive(Debug)]
pub(super) struct Appending {
    pub(super) tag: Tag,
    /// Until it has been told.
    head: Option<AppendHead>,
    progress: Progress,
    /// Steps that have not been told: a URL is coming as a literal.
    steps: Vec<AppendStep>,
    /// The command's octets so far, without the literals that are messages.
    pub(super) octets: usize,
}

impl Cutter {
    /// How much of an APPEND's literal is still to be taken.
    pub fn message_left(&self) -> u64 {
        match self.phase {
            Phase::Message(left) => left,
            Phase::Line | Phase::Literal(_) => 0,
        }
    }

    /// Takes up to `most` octets of the literal; none if none have come. After its last octet the rest of
    /// the line is [`Cutter::cut`]'s again.
    pub fn message(&mut self, most: usize) -> Vec<u8> {
        let Phase::Message(left) = self.phase else {
            return Vec::new();
        };
        let count = self.available(left).min(most);
        let octets = self.input[self.taken..self.taken + count].to_vec();
        self.take(count);
        let left = left - count as u64;
        self.phase = match left {
            0 => Phase::Line,
            left => Phase::Message(left),
        };
        octets
    }

    /// Gives up on an APPEND's literal. If it is on its way (`coming`), the rest of it and of the command will be
    /// swallowed, and then [`Cut::Refused`] says so; else the client is waiting and sends neither.
    pub fn give_up_message(&mut self, coming: bool) {
        let left = self.message_left();
        let coming = coming || self.append.is_some() && self.phase == Phase::Line;
        let append = self.append.take();
        self.reset();
        if coming {
            // Its octets would have been read had it been accepted: they cost nothing more now.
            self.append = append;
            self.refuse(None, "message refused".to_owned());
            self.phase = Phase::Literal(left);
        }
    }

    /// Looks whether a command that has come up to this literal's mark is an APPEND or REPLACE whose head is here.
    pub(super) fn begin_append(&mut self) -> Result<(), ParseError> {
        if !self.budget.append || self.literals >= HEAD_LITERALS {
            return Ok(());
        }
        if let Some((tag, head, octets)) = parse::append_head(&self.command)? {
            self.command.drain(..octets.min(self.command.len()));
            self.append = Some(Appending {
                tag,
                progress: Progress::new(&head),
                head: Some(head),
                steps: Vec::new(),
                octets,
            });
        }
        Ok(())
    }

    /// Takes what has come of an APPEND since its last literal. `None` if it is no APPEND, or if the literal that
    /// follows is part of the command.
    pub(super) fn append_on(&mut self, line: &[u8]) -> Result<Option<Cut>, ParseError> {
        let Some(append) = &mut self.append else {
            return Ok(None);
        };
        let mut text = std::mem::take(&mut self.command);
        text.extend_from_slice(line);
        let (steps, stop) = parse::append_steps(&mut append.progress, &text, append.octets)?;
        append.octets += text.len();
        append.steps.extend(steps);
        if stop == Stop::Url {
            return Ok(None);
        }
        let steps = std::mem::take(&mut append.steps);
        let announced = AppendStep::announced(&steps);
        let cut = match append.head.take() {
            Some(head) => Cut::Append {
                tag: append.tag.clone(),
                head,
                steps,
            },
            None => Cut::AppendOn(steps),
        };
        match announced {
            Some(literal) => self.phase = Phase::Message(literal.size),
            None => self.reset(),
        }
        Ok(Some(cut))
    }
}
