//! Messages → FETCH responses, in steps of a bounded size. Blocking: it reads files.
//!
//! All that a message's answer holds is found before its first octet is written, so that a message which
//! cannot be read spoils nothing; only long literals are read while they are sent.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::imap::date::DateTime;
use crate::imap::encode::fetch::{Items, nil};
use crate::imap::fetch::{FetchItem, Section, SectionText};
use crate::imap::sequence::Uid;
use crate::mailbox::fault::Fault;
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::snapshot::Snapshot;
use crate::mailbox::view::Picked;
use crate::message::ids::thread_root;
use crate::message::preview::preview;
use crate::message::structure::{Form, own_envelope};
use crate::session::cmd::fetch::plan::Plan;
use crate::session::cmd::fetch::reading::{Body, Literal, Reading, Value};
use crate::session::reply;

/// One message to answer for.
pub(super) struct Job {
    pub(super) picked: Picked,
    /// Where its message's keywords have their names, and whether mod-sequences are told.
    pub(super) snapshot: Arc<Snapshot>,
    /// Its message was given `\Seen` for the answer, which shows that.
    pub(super) marked: bool,
}

/// Messages on their way out.
pub(super) struct Render {
    plan: Arc<Plan>,
    mailbox: Arc<Mailbox>,
    zone: TimeZone,
    jobs: VecDeque<Job>,
    open: Option<Open>,
    met_expunged: bool,
    met_unknown_encoding: bool,
    met_unkept: bool,
    unreadable: Vec<Uid>,
}

/// A response that has been begun.
struct Open {
    items: Items,
    job: Job,
    values: std::vec::IntoIter<Value>,
    body: Option<Body>,
    /// A literal of which more is to come.
    literal: Option<Literal>,
}

/// Why a message's file gives no answer.
enum Missing {
    Expunged,
    Unreadable(Fault),
}

impl Render {
    pub(super) fn new(plan: Arc<Plan>, mailbox: Arc<Mailbox>) -> Render {
        Render {
            plan,
            mailbox,
            zone: TimeZone::system(),
            jobs: VecDeque::new(),
            open: None,
            met_expunged: false,
            met_unknown_encoding: false,
            met_unkept: false,
            unreadable: Vec::new(),
        }
    }

    /// More to answer for, in this order.
    pub(super) fn add(&mut self, jobs: impl IntoIterator<Item = Job>) {
        self.jobs.extend(jobs);
    }

    /// Whether the next step may block.
    pub(super) fn reads_files(&self, plan: &Plan) -> bool {
        self.open.is_some()
            || plan.needs_previews()
            || (self.jobs.iter())
                .any(|job| plan.reads_file(&job.picked) || plan.needs_date(&job.picked))
    }

    /// Whether a message's file must be read.
    fn reads_file(&self, picked: &Picked) -> bool {
        let kept = || self.mailbox.previews().get(picked.message.uid).is_some();
        self.plan.reads_file(picked) || self.plan.needs_previews() && !kept()
    }

    /// Whether something could not be shown because its message is gone.
    pub(super) fn met_expunged(&self) -> bool {
        self.met_expunged
    }

    /// Whether something could not be shown because its transfer encoding is not known.
    pub(super) fn met_unknown_encoding(&self) -> bool {
        self.met_unknown_encoding
    }

    /// Whether a mod-sequence that was asked for could not be shown because not all of them are kept.
    pub(super) fn met_unkept(&self) -> bool {
        self.met_unkept
    }

    /// The messages that are there and could not be read.
    pub(super) fn unreadable(&self) -> &[Uid] {
        &self.unreadable
    }

    /// Renders until `out` holds `budget` octets or nothing is left; true in the first case. An error means
    /// that a literal cannot be completed.
    pub(super) fn fill(&mut self, out: &mut Vec<u8>, budget: usize) -> io::Result<bool> {
        loop {
            if out.len() >= budget {
                return Ok(self.open.is_some() || !self.jobs.is_empty());
            }
            match self.open.take() {
                Some(open) => self.open = open.advance(&self.plan, out, budget)?,
                None => match self.jobs.pop_front() {
                    Some(job) => self.begin(job, out),
                    None => return Ok(false),
                },
            }
        }
    }

    fn begin(&mut self, job: Job, out: &mut Vec<u8>) {
        let (mut values, body) = self.answer(&job);
        let asked = values.len();
        values.retain(|value| !matches!(value, Value::UnknownEncoding));
        self.met_unknown_encoding |= values.len() < asked;
        if job.marked {
            values.extend(self.plan.shown_if_marked().filter_map(|item| match item {
                FetchItem::Flags => Some(Value::Flags),
                FetchItem::ModSeq => Some(Value::ModSeq),
                FetchItem::Uid => Some(Value::Uid),
                _ => None,
            }));
        }
        if !job.snapshot.keeps_modseqs() {
            self.met_unkept |= self.plan.shows_modseq();
            values.retain(|value| !matches!(value, Value::ModSeq));
        }
        if values.is_empty() {
            return;
        }
        self.open = Some(Open {
            items: match self.plan.uid_only() {
                true => Items::begin_by_uid(out, job.picked.message.uid),
                false => Items::begin(out, job.picked.number),
            },
            job,
            values: values.into_iter(),
            body,
            literal: None,
        });
    }

    /// What there is to say of a message, and what of its literals is still to be read from.
    fn answer(&mut self, job: &Job) -> (Vec<Value>, Option<Body>) {
        let answer = if self.reads_file(&job.picked) {
            self.read_file(job)
                .map(|(values, body)| (values, Some(body)))
        } else if self.plan.needs_date(&job.picked) {
            self.date_of(job)
                .map(|date| (self.remembered(job, Some(date)), None))
        } else {
            Ok((self.remembered(job, None), None))
        };
        let error = match answer {
            Ok(answer) => return answer,
            Err(error) => error,
        };
        let mut values = self.remembered(job, None);
        match error {
            Missing::Expunged => self.met_expunged = true,
            Missing::Unreadable(fault) => {
                let uid = job.picked.message.uid;
                reply::log(&fault, &format!("FETCH of UID {uid}"));
                self.unreadable.push(uid);
                // NIL would be taken for an empty message, and be believed.
                values.retain(|value| !matches!(value, Value::Nil(_)));
            }
        }
        (values, None)
    }

    /// The answer without reading the message's file: sections are NIL (as in Dovecot), and what else only the
    /// file could say is left out.
    fn remembered(&self, job: &Job, date: Option<DateTime>) -> Vec<Value> {
        let answer = |(at, item): (usize, &FetchItem)| match item {
            FetchItem::EmailId => Some(Value::EmailId),
            FetchItem::Flags => Some(Value::Flags),
            FetchItem::ModSeq => Some(Value::ModSeq),
            FetchItem::SaveDate => {
                let saved = job.picked.message.saved().map(|saved| self.local(saved));
                saved.or(date).map(Value::SaveDate)
            }
            FetchItem::Uid => Some(Value::Uid),
            FetchItem::Rfc822Size => job.picked.message.virtual_size().map(Value::Size),
            FetchItem::Binary { .. }
            | FetchItem::BodySection { .. }
            | FetchItem::Rfc822
            | FetchItem::Rfc822Header
            | FetchItem::Rfc822Text => Some(Value::Nil(at)),
            FetchItem::InternalDate => date.map(Value::Date),
            // "A server MUST NOT return NIL to a FETCH PREVIEW request made without the LAZY modifier" (RFC 8970
            // §3.2).
            FetchItem::Preview { lazy, form } => {
                let kept = self.mailbox.previews().get(job.picked.message.uid);
                (*lazy || kept.is_some()).then_some(Value::Preview(*form, kept))
            }
            FetchItem::BinarySize { .. }
            | FetchItem::Body
            | FetchItem::BodyStructure
            | FetchItem::Envelope
            | FetchItem::ThreadId => None,
        };
        self.plan
            .items()
            .iter()
            .enumerate()
            .filter_map(answer)
            .collect()
    }

    /// INTERNALDATE of a message of which nothing else is read.
    fn date_of(&self, job: &Job) -> Result<DateTime, Missing> {
        if job.picked.gone {
            return Err(Missing::Expunged);
        }
        match self.mailbox.internal_date(&job.picked.message) {
            Ok(seconds) => Ok(self.local(seconds)),
            Err(Fault::Expunged) => Err(Missing::Expunged),
            Err(fault) => Err(Missing::Unreadable(fault)),
        }
    }

    fn read_file(&self, job: &Job) -> Result<(Vec<Value>, Body), Missing> {
        if job.picked.gone {
            return Err(Missing::Expunged);
        }
        let message = &job.picked.message;
        let file = match self.mailbox.open(message) {
            Ok(file) => file,
            Err(Fault::Expunged) => return Err(Missing::Expunged),
            Err(fault) => return Err(Missing::Unreadable(fault)),
        };
        self.read(job, file).map_err(|error| {
            let name = message.name.bytes().escape_ascii();
            Missing::Unreadable(Fault::from_io(format!("reading {name}"), error))
        })
    }

    fn read(&self, job: &Job, file: File) -> io::Result<(Vec<Value>, Body)> {
        let message = &job.picked.message;
        let metadata = file.metadata()?;
        let mut reading = Reading::new(file, metadata.len(), self.plan.reads_whole())?;
        let mut values = Vec::with_capacity(self.plan.items().len() + 1);
        let rev2 = self.plan.rev2();
        let form = |extended| Form { extended, rev2 };
        for (at, item) in self.plan.items().iter().enumerate() {
            values.push(match item {
                FetchItem::EmailId => Value::EmailId,
                FetchItem::Flags => Value::Flags,
                FetchItem::ModSeq => Value::ModSeq,
                FetchItem::SaveDate => {
                    let saved = message.saved().unwrap_or(metadata.mtime());
                    Value::SaveDate(self.local(saved))
                }
                FetchItem::ThreadId => {
                    let root = thread_root(&reading.body)?;
                    Value::ThreadId(message.thread_id(root.as_deref()))
                }
                FetchItem::Uid => Value::Uid,
                FetchItem::InternalDate => Value::Date(self.local(metadata.mtime())),
                FetchItem::Rfc822Size => Value::Size(match message.virtual_size() {
                    Some(size) => size,
                    None => reading.virtual_size()?,
                }),
                FetchItem::Binary { part, partial, .. } => reading.binary(at, part, *partial)?,
                FetchItem::BinarySize { part } => reading.binary_size(at, part)?,
                FetchItem::Envelope => Value::Envelope(Box::new(own_envelope(&reading.body)?)),
                FetchItem::Preview { lazy, form } => {
                    let previews = self.mailbox.previews();
                    let text = match previews.get(message.uid) {
                        None if !lazy => Some(previews.keep(message.uid, preview(&reading.body)?)),
                        kept => kept,
                    };
                    Value::Preview(*form, text)
                }
                FetchItem::Body => {
                    Value::Structure("BODY", Box::new(reading.body_structure(form(false))?))
                }
                FetchItem::BodyStructure => {
                    let structure = reading.body_structure(form(true))?;
                    Value::Structure("BODYSTRUCTURE", Box::new(structure))
                }
                FetchItem::BodySection {
                    section, partial, ..
                } => reading.section(at, section, *partial)?,
                FetchItem::Rfc822 => reading.section(at, &Section::default(), None)?,
                FetchItem::Rfc822Header => reading.section(at, &own(SectionText::Header), None)?,
                FetchItem::Rfc822Text => reading.section(at, &own(SectionText::Text), None)?,
            });
        }
        if let Some(size) = reading.virtual_size {
            message.note_virtual_size(size);
        }
        Ok((values, reading.body))
    }

    /// INTERNALDATE is shown in the server's zone, as by Dovecot.
    fn local(&self, seconds: i64) -> DateTime {
        let offset = Timestamp::from_second(seconds)
            .map(|moment| self.zone.to_offset(moment).seconds() / 60)
            .ok()
            .and_then(|minutes| i16::try_from(minutes).ok())
            .unwrap_or(0);
        DateTime { seconds, offset }
    }
}

fn own(text: SectionText) -> Section {
    Section {
        part: Vec::new(),
        text,
    }
}

impl Open {
    /// Writes the next item, or as much of it as there is room for. `None` when the response is complete.
    fn advance(
        mut self,
        plan: &Plan,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> io::Result<Option<Open>> {
        if let (Some(literal), Some(body)) = (&mut self.literal, &self.body) {
            let room = budget.saturating_sub(out.len());
            literal.fill(body, out, room)?;
            if literal.is_done() {
                self.literal = None;
            }
            return Ok(Some(self));
        }
        let message = &self.job.picked.message;
        match self.values.next() {
            None => {
                self.items.end(out);
                return Ok(None);
            }
            Some(Value::Flags) => self.items.flags(
                out,
                message.flags,
                self.job.picked.recent,
                self.job.snapshot.keywords_of(message),
            ),
            Some(Value::EmailId) => self.items.email_id(out, &message.email_id()),
            Some(Value::ThreadId(id)) => self.items.thread_id(out, &id),
            Some(Value::ModSeq) => self.items.modseq(out, message.modseq),
            Some(Value::Uid) => self.items.uid(out, message.uid),
            Some(Value::Date(date)) => self.items.internal_date(out, date),
            Some(Value::SaveDate(date)) => self.items.save_date(out, date),
            Some(Value::Size(size)) => self.items.size(out, size),
            Some(Value::Preview(form, text)) => self.items.preview(out, form, text.as_deref()),
            Some(Value::Envelope(envelope)) => self.items.envelope(out, &envelope),
            Some(Value::Structure(name, structure)) => {
                self.items.body_structure(out, name, &structure);
            }
            Some(Value::Nil(at)) => {
                self.label(plan, at, out);
                nil(out);
            }
            Some(Value::Literal(at, literal)) => {
                self.label(plan, at, out);
                literal.announce(out);
                self.literal = Some(literal).filter(|literal| !literal.is_done());
            }
            Some(Value::BinarySize(at, octets)) => {
                if let Some(FetchItem::BinarySize { part }) = plan.items().get(at) {
                    self.items.binary_size(out, part, octets);
                }
            }
            Some(Value::UnknownEncoding) => {}
        }
        Ok(Some(self))
    }

    /// An item's name, before its value.
    fn label(&mut self, plan: &Plan, at: usize, out: &mut Vec<u8>) {
        match plan.items().get(at) {
            Some(FetchItem::Binary { part, partial, .. }) => {
                self.items.binary(out, part, *partial);
            }
            Some(FetchItem::BodySection {
                section, partial, ..
            }) => self.items.section(out, section, *partial),
            Some(FetchItem::Rfc822Header) => self.items.name(out, "RFC822.HEADER"),
            Some(FetchItem::Rfc822Text) => self.items.name(out, "RFC822.TEXT"),
            _ => self.items.name(out, "RFC822"),
        }
    }
}
