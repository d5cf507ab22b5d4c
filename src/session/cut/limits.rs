//! How much a client may send, and what is said of more.

use zeroize::Zeroize;

use crate::imap::parse;
use crate::imap::response::Code;
use crate::session::cut::{Cutter, Refusal};

/// How much a client may send before it has to stop for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Octets of one line, its CR included.
    pub(super) line: usize,
    /// Octets of one literal.
    pub(super) literal: u64,
    /// Octets of one literal that is sent without waiting (RFC 7888 §5).
    non_sync: u64,
    /// Octets of a whole command, its literals included, but not those of an APPEND's messages.
    command: usize,
    /// Octets of a refused command that are read and dropped. Beyond that the connection ends.
    swallow: u64,
    /// Whether the literals of an APPEND's messages are cut off to be streamed.
    pub(super) append: bool,
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

impl Cutter {
    /// Refuses lines that no command may hold.
    pub(super) fn judge_line(&mut self, line: &[u8]) {
        if std::mem::take(&mut self.long_line) {
            let text = self.too_long();
            self.refuse(Some(Code::Limit), text);
            if let Some(refusal) = &mut self.refusal {
                refusal.long_line = true;
            }
        } else if self.refusal.is_none() {
            let before = self.append.as_ref().map_or(0, |append| append.octets);
            let whole = before + self.command.len() + line.len();
            let (code, text) = if memchr::memchr2(b'\r', 0, line).is_some() {
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
    pub(super) fn judge_literal(&mut self, size: u64, non_sync: bool) {
        let limit = if non_sync {
            self.budget.non_sync
        } else {
            self.budget.literal
        };
        let before = self.append.as_ref().map_or(0, |append| append.octets);
        let whole = ((before + self.command.len()) as u64).saturating_add(size);
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
    pub(super) fn refuse(&mut self, code: Option<Code>, text: String) {
        let mut command = std::mem::take(&mut self.command);
        let append = self.append.take();
        self.refusal.get_or_insert_with(|| Refusal {
            tag: append
                .map(|append| append.tag)
                .or_else(|| parse::tag_of(&command)),
            code,
            text,
            long_line: false,
        });
        command.zeroize();
    }

    pub(super) fn is_flooded(&self) -> bool {
        self.swallowed > self.budget.swallow
    }

    pub(super) fn too_long(&self) -> String {
        format!("line too long, {} octets at the most", self.budget.line)
    }

    fn command_too_long(&self) -> String {
        let most = self.budget.command;
        format!("command too long, {most} octets at the most")
    }
}
