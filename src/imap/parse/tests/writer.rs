//! Commands as bytes: the way back that only tests need, these and the fuzz target of the grammar (which
//! includes this file, and so `crate::imap` must be all that it knows of the crate).

use std::num::NonZeroU32;

use crate::imap::command::{
    Announced, AppendOptions, AppendStep, Command, CommandBody, FetchModifiers, ReturnOption,
    SelectOption, SelectParameters, StatusItem, StoreAction,
};
use crate::imap::core::is_astring_char;
use crate::imap::encode::fetch::Items;
use crate::imap::fetch::{FetchItem, PreviewForm};
use crate::imap::flag::Flag;
use crate::imap::metadata::{Depth, EntryName};
use crate::imap::notify::{Event, EventGroup, Filter};
use crate::imap::search::{Day, ReturnOptions, SearchKey, SortKey, Source, ThreadAlgorithm};
use crate::imap::sequence::{Bound, MessageSet, SeqNum, SequenceSet};

/// Writes commands; `choices` decides where the grammar has several ways to write a thing.
pub(super) struct Writer {
    pub(super) out: Vec<u8>,
    pub(super) choices: Vec<u8>,
}

impl Writer {
    fn choose(&mut self) -> u8 {
        let choice = self.choices.pop().unwrap_or(0);
        self.choices.insert(0, choice);
        choice
    }

    fn either(&mut self) -> bool {
        self.choose() & 1 == 0
    }

    /// A word of the grammar, in any case.
    fn word(&mut self, word: &str) {
        let lower = self.either();
        let text = if lower {
            word.to_lowercase()
        } else {
            word.to_owned()
        };
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn raw(&mut self, text: impl AsRef<[u8]>) {
        self.out.extend_from_slice(text.as_ref());
    }

    fn string(&mut self, text: &[u8]) {
        let quotable = !text.iter().any(|byte| matches!(byte, b'\r' | b'\n'));
        match self.choose() % 3 {
            0 if quotable => self.quoted(text),
            1 => self.raw(format!("{{{}+}}\r\n", text.len())),
            _ => self.raw(format!("{{{}}}\r\n", text.len())),
        }
        if self.out.ends_with(b"}\r\n") {
            self.raw(text);
        }
    }

    fn quoted(&mut self, text: &[u8]) {
        self.raw("\"");
        for byte in text {
            if matches!(byte, b'"' | b'\\') {
                self.raw("\\");
            }
            self.raw([*byte]);
        }
        self.raw("\"");
    }

    pub(super) fn astring(&mut self, text: &[u8]) {
        let bare = !text.is_empty() && text.iter().all(|byte| is_astring_char(*byte));
        if bare && self.either() {
            self.raw(text);
        } else {
            self.string(text);
        }
    }

    fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Writer, &T)) {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.raw(" ");
            }
            write(self, item);
        }
    }

    fn metadata_options(&mut self, options: &[String], wanted: bool) {
        if wanted && !options.is_empty() {
            self.raw(" (");
            self.list(options, |writer, option| writer.word(option));
            self.raw(")");
        }
    }

    fn entry(&mut self, entry: &EntryName) {
        self.astring(entry.as_str().as_bytes());
    }

    fn message_set(&mut self, set: &MessageSet) {
        match set {
            MessageSet::Numbers(set) => self.set(set),
            MessageSet::NumbersAndSaved(set) => {
                self.set(set);
                self.raw(",$");
            }
            MessageSet::Saved => self.raw("$"),
        }
    }

    fn set(&mut self, set: &SequenceSet) {
        let shown = |bound| match bound {
            Bound::Number(number) => number.to_string(),
            Bound::Last => "*".to_owned(),
        };
        let ranges = set.ranges().iter().map(|&(from, to)| match from == to {
            true => shown(from),
            false => format!("{}:{}", shown(from), shown(to)),
        });
        let ranges: Vec<String> = ranges.collect();
        self.raw(ranges.join(","));
    }

    fn flag(&mut self, flag: &Flag) {
        match flag {
            Flag::System(flag) => self.word(flag.as_str()),
            Flag::Keyword(keyword) => self.raw(keyword.as_str()),
        }
    }

    /// Everything behind an APPEND's mailbox. Literals are of zeroes, for their octets are not in the value.
    fn append(&mut self, steps: &[AppendStep]) {
        let mut first_part = false;
        let mut catenates = false;
        for step in steps {
            match step {
                AppendStep::Begin { options, catenate } => {
                    self.options(options);
                    (first_part, catenates) = (true, *catenate);
                    if catenates {
                        self.word("CATENATE");
                        self.raw(" (");
                    }
                    continue;
                }
                AppendStep::End if catenates => self.raw(")"),
                AppendStep::End => {}
                AppendStep::Literal(_) | AppendStep::Url(_) if catenates && !first_part => {
                    self.raw(" ");
                }
                AppendStep::Literal(_) | AppendStep::Url(_) => {}
            }
            first_part = false;
            match step {
                AppendStep::Literal(literal) => self.append_literal(*literal, catenates),
                AppendStep::Url(url) => {
                    self.word("URL");
                    self.raw(" ");
                    self.astring(url);
                }
                AppendStep::Begin { .. } | AppendStep::End => {}
            }
        }
    }

    fn append_literal(&mut self, literal: Announced, catenates: bool) {
        let utf8 = literal.binary && (catenates || self.either());
        if utf8 {
            self.word("UTF8");
            self.raw(" (");
        } else if catenates {
            self.word("TEXT");
            self.raw(" ");
        }
        let tilde = if literal.binary { "~" } else { "" };
        let plus = if literal.non_sync { "+" } else { "" };
        self.raw(format!("{tilde}{{{}{plus}}}\r\n", literal.size));
        self.raw(vec![0; usize::try_from(literal.size).unwrap()]);
        if utf8 {
            self.raw(")");
        }
    }

    /// `append-opts SP`
    fn options(&mut self, options: &AppendOptions) {
        self.raw(" ");
        if !options.flags.is_empty() {
            self.flags(&options.flags);
            self.raw(" ");
        }
        if let Some(date) = options.date {
            self.raw(format!("\"{date}\" "));
        }
    }

    pub(super) fn flags(&mut self, flags: &[Flag]) {
        self.raw("(");
        self.list(flags, Writer::flag);
        self.raw(")");
    }

    fn select_parameters(&mut self, parameters: &SelectParameters) {
        let SelectParameters { condstore, qresync } = parameters;
        if !condstore && qresync.is_none() {
            return;
        }
        self.raw(" (");
        if *condstore {
            self.word("CONDSTORE");
        }
        if *condstore && qresync.is_some() {
            self.raw(" ");
        }
        if let Some(resync) = qresync {
            self.word("QRESYNC");
            self.raw(format!(" ({} {}", resync.uid_validity, resync.modseq.0));
            if let Some(known) = &resync.known {
                self.raw(" ");
                self.set(known);
            }
            if let Some((numbers, uids)) = &resync.sample {
                self.raw(" (");
                self.set(numbers);
                self.raw(" ");
                self.set(uids);
                self.raw(")");
            }
            self.raw(")");
        }
        self.raw(")");
    }

    fn status_item(&mut self, item: &StatusItem) {
        self.word(match item {
            StatusItem::AppendLimit => "APPENDLIMIT",
            StatusItem::Deleted => "DELETED",
            StatusItem::DeletedStorage => "DELETED-STORAGE",
            StatusItem::HighestModSeq => "HIGHESTMODSEQ",
            StatusItem::MailboxId => "MAILBOXID",
            StatusItem::Messages => "MESSAGES",
            StatusItem::Recent => "RECENT",
            StatusItem::Size => "SIZE",
            StatusItem::UidNext => "UIDNEXT",
            StatusItem::UidValidity => "UIDVALIDITY",
            StatusItem::Unseen => "UNSEEN",
        });
    }

    fn day(&mut self, day: Day) {
        let quote = if self.either() { "\"" } else { "" };
        self.raw(format!("{quote}{day}{quote}"));
    }

    fn part(&mut self, part: &[NonZeroU32]) {
        let numbers: Vec<String> = part.iter().map(ToString::to_string).collect();
        self.raw(format!("[{}]", numbers.join(".")));
    }

    fn item(&mut self, item: &FetchItem) {
        match item {
            FetchItem::Binary {
                peek,
                part,
                partial,
            } => {
                self.word(if *peek { "BINARY.PEEK" } else { "BINARY" });
                self.part(part);
                if let Some(partial) = partial {
                    self.raw(format!("<{}.{}>", partial.offset, partial.length));
                }
            }
            FetchItem::BinarySize { part } => {
                self.word("BINARY.SIZE");
                self.part(part);
            }
            FetchItem::Body => self.word("BODY"),
            FetchItem::BodySection {
                peek,
                section,
                partial,
            } => {
                // What the server writes in its answer is what the client may ask for.
                let mut answer = Vec::new();
                let mut items = Items::begin(&mut Vec::new(), SeqNum::from_index(0).unwrap());
                items.section(&mut answer, section, None);
                self.word(if *peek { "BODY.PEEK" } else { "BODY" });
                self.raw(&answer[b"BODY".len()..answer.len() - 1]);
                if let Some(partial) = partial {
                    self.raw(format!("<{}.{}>", partial.offset, partial.length));
                }
            }
            FetchItem::BodyStructure => self.word("BODYSTRUCTURE"),
            FetchItem::EmailId => self.word("EMAILID"),
            FetchItem::Envelope => self.word("ENVELOPE"),
            FetchItem::Flags => self.word("FLAGS"),
            FetchItem::InternalDate => self.word("INTERNALDATE"),
            FetchItem::ModSeq => self.word("MODSEQ"),
            FetchItem::Preview { lazy, form } => self.word(match (form, lazy) {
                (PreviewForm::Plain, false) => "PREVIEW",
                (PreviewForm::Plain, true) => "PREVIEW (LAZY)",
                (PreviewForm::Fuzzy, false) => "PREVIEW (FUZZY)",
                (PreviewForm::Fuzzy, true) => "PREVIEW (LAZY=FUZZY)",
                (PreviewForm::Snippet, false) => "SNIPPET (FUZZY)",
                (PreviewForm::Snippet, true) => "SNIPPET (LAZY=FUZZY)",
            }),
            FetchItem::Rfc822 => self.word("RFC822"),
            FetchItem::Rfc822Header => self.word("RFC822.HEADER"),
            FetchItem::Rfc822Size => self.word("RFC822.SIZE"),
            FetchItem::Rfc822Text => self.word("RFC822.TEXT"),
            FetchItem::SaveDate => self.word("SAVEDATE"),
            FetchItem::ThreadId => self.word("THREADID"),
            FetchItem::Uid => self.word("UID"),
        }
    }

    fn search_program(
        &mut self,
        returns: &Option<ReturnOptions>,
        charset: &Option<Vec<u8>>,
        key: &SearchKey,
    ) {
        if let Some(options) = returns {
            self.word("RETURN ");
            self.return_options(options.clone());
            self.raw(" ");
        }
        if let Some(charset) = charset {
            self.word("CHARSET ");
            self.astring(charset);
            self.raw(" ");
        }
        self.key(key);
    }

    fn source(&mut self, source: &Source) {
        let (word, names) = match source {
            Source::Inboxes => ("inboxes", None),
            Source::Mailboxes(names) => ("mailboxes", Some(names)),
            Source::Personal => ("personal", None),
            Source::Selected => ("selected", None),
            Source::Subscribed => ("subscribed", None),
            Source::Subtree(names) => ("subtree", Some(names)),
            Source::SubtreeOne(names) => ("subtree-one", Some(names)),
        };
        self.word(word);
        match names.map(Vec::as_slice) {
            None => {}
            Some([only]) if self.either() => {
                self.raw(" ");
                self.astring(only);
            }
            Some(names) => {
                self.raw(" (");
                self.list(names, |writer, name| writer.astring(name));
                self.raw(")");
            }
        }
    }

    fn return_options(&mut self, options: ReturnOptions) {
        let ReturnOptions {
            min,
            max,
            all,
            count,
            save,
            partial,
            ref update,
        } = options;
        if options == ReturnOptions::ALL && self.either() {
            return self.raw("()");
        }
        let mut names = vec![
            (min, "MIN"),
            (max, "MAX"),
            (all, "ALL"),
            (count, "COUNT"),
            (save, "SAVE"),
            (partial.is_some(), "PARTIAL"),
            (update.is_some(), "UPDATE"),
            (self.either(), "CONTEXT"),
        ];
        names.retain(|(asked, _)| *asked);
        self.raw("(");
        self.list(&names, |writer, (_, name)| {
            writer.word(name);
            if let Some(range) = partial.filter(|_| *name == "PARTIAL") {
                writer.raw(format!(" {range}"));
            }
            let items = update.as_ref().filter(|_| *name == "UPDATE");
            if let Some(items) = items.filter(|items| !items.is_empty()) {
                writer.raw(" (");
                writer.list(items, Writer::item);
                writer.raw(")");
            }
        });
        self.raw(")");
    }

    fn key(&mut self, key: &SearchKey) {
        let mut named = |name: &str, write: &dyn Fn(&mut Writer)| {
            self.word(name);
            self.raw(" ");
            write(self);
        };
        match key {
            SearchKey::All => self.word("ALL"),
            SearchKey::And(keys) => {
                self.raw("(");
                self.list(keys, Writer::key);
                self.raw(")");
            }
            SearchKey::Header(name, text) => named("HEADER", &|writer| {
                writer.astring(name);
                writer.raw(" ");
                writer.astring(text);
            }),
            SearchKey::Before(day) => named("BEFORE", &|writer| writer.day(*day)),
            SearchKey::SavedBefore(day) => named("SAVEDBEFORE", &|writer| writer.day(*day)),
            SearchKey::SavedOn(day) => named("SAVEDON", &|writer| writer.day(*day)),
            SearchKey::SavedSince(day) => named("SAVEDSINCE", &|writer| writer.day(*day)),
            SearchKey::Body(text) => named("BODY", &|writer| writer.astring(text)),
            SearchKey::EmailId(id) => named("EMAILID", &|writer| writer.raw(id.as_str())),
            SearchKey::Flag(flag) => self.word(&flag.as_str()[1..]),
            SearchKey::Keyword(keyword) => {
                named("KEYWORD", &|writer| writer.raw(keyword.as_str()));
            }
            SearchKey::Larger(octets) => named("LARGER", &|writer| writer.raw(octets.to_string())),
            SearchKey::ThreadId(id) => named("THREADID", &|writer| writer.raw(id.as_str())),
            SearchKey::ModSeq(modseq) => named("MODSEQ", &|writer| {
                let entries = ["", "\"/flags/\\\\seen\" all ", "\"/FLAGS/$x\" Priv "];
                let entry = usize::from(writer.choose()) % entries.len();
                writer.raw(format!("{}{}", entries[entry], modseq.0));
            }),
            SearchKey::New => self.word("NEW"),
            SearchKey::Not(inner) => match (&**inner, self.either()) {
                (SearchKey::Flag(flag), true) => {
                    self.word(&format!("UN{}", &flag.as_str()[1..]));
                }
                (SearchKey::Keyword(keyword), true) => {
                    self.word("UNKEYWORD ");
                    self.raw(keyword.as_str());
                }
                (inner, _) => {
                    self.word("NOT ");
                    self.key(inner);
                }
            },
            SearchKey::Old => self.word("OLD"),
            SearchKey::Older(interval) => {
                named("OLDER", &|writer| writer.raw(interval.to_string()));
            }
            SearchKey::On(day) => named("ON", &|writer| writer.day(*day)),
            SearchKey::Or(one, other) => named("OR", &|writer| {
                writer.key(one);
                writer.raw(" ");
                writer.key(other);
            }),
            SearchKey::Recent => self.word("RECENT"),
            SearchKey::Saved => match self.either() {
                true => self.raw("$"),
                false => self.word("UID $"),
            },
            SearchKey::SentBefore(day) => named("SENTBEFORE", &|writer| writer.day(*day)),
            SearchKey::SentOn(day) => named("SENTON", &|writer| writer.day(*day)),
            SearchKey::SentSince(day) => named("SENTSINCE", &|writer| writer.day(*day)),
            SearchKey::Sequence(set) => self.set(set),
            SearchKey::Since(day) => named("SINCE", &|writer| writer.day(*day)),
            SearchKey::Smaller(octets) => {
                named("SMALLER", &|writer| writer.raw(octets.to_string()));
            }
            SearchKey::Text(text) => named("TEXT", &|writer| writer.astring(text)),
            SearchKey::Uid(set) => named("UID", &|writer| writer.set(set)),
            SearchKey::Younger(interval) => {
                named("YOUNGER", &|writer| writer.raw(interval.to_string()));
            }
        }
    }

    fn event_group(&mut self, group: &EventGroup) {
        let (name, mailboxes) = match &group.filter {
            Filter::Inboxes => ("INBOXES", None),
            Filter::Mailboxes(names) => ("MAILBOXES", Some(names)),
            Filter::Personal => ("PERSONAL", None),
            Filter::Selected => ("SELECTED", None),
            Filter::SelectedDelayed => ("SELECTED-DELAYED", None),
            Filter::Subscribed => ("SUBSCRIBED", None),
            Filter::Subtree(names) => ("SUBTREE", Some(names)),
        };
        self.word(name);
        if let Some(names) = mailboxes {
            self.raw(" (");
            self.list(names, |writer, name| writer.astring(name));
            self.raw(")");
        }
        if group.events.is_empty() {
            return self.word(" NONE");
        }
        self.raw(" (");
        self.list(&group.events, |writer, event| match event {
            Event::AnnotationChange => writer.word("AnnotationChange"),
            Event::FlagChange => writer.word("FlagChange"),
            Event::MailboxMetadataChange => writer.word("MailboxMetadataChange"),
            Event::MailboxName => writer.word("MailboxName"),
            Event::MessageExpunge => writer.word("MessageExpunge"),
            Event::MessageNew(items) => {
                writer.word("MessageNew");
                if !items.is_empty() {
                    writer.raw(" (");
                    writer.list(items, Writer::item);
                    writer.raw(")");
                }
            }
            Event::Other => writer.word("Other"),
            Event::ServerMetadataChange => writer.word("ServerMetadataChange"),
            Event::SubscriptionChange => writer.word("SubscriptionChange"),
        });
        self.raw(")");
    }

    pub(super) fn command(&mut self, command: &Command) {
        use CommandBody::*;
        self.raw(command.tag.as_str());
        self.raw(" ");
        self.word(command.body.name());
        match &command.body {
            UidBatches { size, batches } => {
                self.raw(format!(" {size}"));
                if let Some((first, last)) = batches {
                    self.raw(format!(" {first}:{last}"));
                }
            }
            Compress => {
                self.raw(" ");
                self.word("DEFLATE");
            }
            Capability | Check | Close | Idle | Logout | Namespace | Noop | StartTls
            | Unauthenticate | Unselect => {}
            Append(head, steps) => {
                if let Some((_, number)) = head.replaces {
                    self.raw(" ");
                    self.raw(match number {
                        Bound::Number(number) => number.to_string(),
                        Bound::Last => "*".to_owned(),
                    });
                }
                self.raw(" ");
                self.astring(&head.mailbox);
                self.append(steps);
            }
            GetQuota { root } => {
                self.raw(" ");
                self.astring(root);
            }
            GetQuotaRoot { mailbox } => {
                self.raw(" ");
                self.astring(mailbox);
            }
            SetQuota { root, limits } => {
                self.raw(" ");
                self.astring(root);
                self.raw(" (");
                self.list(limits, |writer, (name, limit)| {
                    writer.word(name);
                    writer.raw(format!(" {limit}"));
                });
                self.raw(")");
            }
            CancelUpdate { tags } => {
                self.raw(" ");
                self.list(tags, |writer, tag| writer.quoted(tag));
            }
            Sort {
                returns,
                criteria,
                charset,
                key,
                ..
            } => {
                if let Some(options) = returns {
                    self.word(" RETURN ");
                    self.return_options(options.clone());
                }
                self.raw(" (");
                self.list(criteria, |writer, criterion| {
                    if criterion.reverse {
                        writer.word("REVERSE ");
                    }
                    let mut names = SortKey::NAMES.iter();
                    let named = names.find(|(_, key)| *key == criterion.key);
                    writer.word(named.map_or("", |(name, _)| name));
                });
                self.raw(") ");
                self.astring(charset);
                self.raw(" ");
                self.key(key);
            }
            Thread {
                algorithm,
                charset,
                key,
                ..
            } => {
                let mut names = ThreadAlgorithm::NAMES.iter();
                let named = names.find(|(_, other)| other == algorithm);
                self.raw(" ");
                self.word(named.map_or("", |(name, _)| name));
                self.raw(" ");
                self.astring(charset);
                self.raw(" ");
                self.key(key);
            }
            Authenticate { mechanism, initial } => {
                self.raw(" ");
                self.word(mechanism);
                if let Some(initial) = initial {
                    let base64 = base64_simd::STANDARD.encode_to_string(initial.expose());
                    self.raw(if base64.is_empty() { " =" } else { " " });
                    self.raw(base64);
                }
            }
            Copy { set, mailbox, .. } | Move { set, mailbox, .. } => {
                self.raw(" ");
                self.message_set(set);
                self.raw(" ");
                self.astring(mailbox);
            }
            Create { mailbox, uses } => {
                self.raw(" ");
                self.astring(mailbox);
                if !uses.is_empty() || self.either() {
                    self.word(" (USE (");
                    self.list(uses, |writer, one| writer.raw(one));
                    self.raw("))");
                }
            }
            Select {
                mailbox,
                parameters,
                ..
            } => {
                self.raw(" ");
                self.astring(mailbox);
                self.select_parameters(parameters);
            }
            Delete { mailbox } | Subscribe { mailbox } | Unsubscribe { mailbox } => {
                self.raw(" ");
                self.astring(mailbox);
            }
            Enable(names) => {
                self.raw(" ");
                self.list(names, |writer, name| writer.word(name));
            }
            Expunge { uids } => {
                if let Some(uids) = uids {
                    self.raw(" ");
                    self.message_set(uids);
                }
            }
            Fetch {
                set,
                items,
                modifiers,
                ..
            } => {
                self.raw(" ");
                self.message_set(set);
                self.raw(" (");
                self.list(items, Writer::item);
                self.raw(")");
                let FetchModifiers {
                    partial,
                    changed_since,
                    vanished,
                } = modifiers;
                let mut modifiers: Vec<String> = vanished
                    .then(|| "VANISHED".to_owned())
                    .into_iter()
                    .chain(changed_since.map(|since| format!("CHANGEDSINCE {}", since.0)))
                    .chain(partial.map(|range| format!("PARTIAL {range}")))
                    .collect();
                if self.either() {
                    modifiers.reverse();
                }
                if !modifiers.is_empty() {
                    self.word(&format!(" ({})", modifiers.join(" ")));
                }
            }
            Notify(None) => self.word(" NONE"),
            Notify(Some(set)) => {
                self.word(" SET");
                self.word(if set.status { " STATUS" } else { "" });
                for group in &set.groups {
                    self.raw(" (");
                    self.event_group(group);
                    self.raw(")");
                }
            }
            Id(None) => self.word(" NIL"),
            Id(Some(fields)) => {
                self.raw(" (");
                self.list(fields, |writer, (field, value)| {
                    writer.string(field);
                    writer.raw(" ");
                    match value {
                        Some(value) => writer.string(value),
                        None => writer.word("NIL"),
                    }
                });
                self.raw(")");
            }
            List(list) => {
                if let Some(options) = &list.extended {
                    self.raw(" (");
                    self.list(&options.select, |writer, option| {
                        writer.word(match option {
                            SelectOption::RecursiveMatch => "RECURSIVEMATCH",
                            SelectOption::Remote => "REMOTE",
                            SelectOption::SpecialUse => "SPECIAL-USE",
                            SelectOption::Subscribed => "SUBSCRIBED",
                        });
                    });
                    self.raw(")");
                }
                self.raw(" ");
                self.astring(&list.reference);
                self.raw(" ");
                match &list.patterns[..] {
                    [pattern] => self.astring(pattern),
                    patterns => {
                        self.raw("(");
                        self.list(patterns, |writer, pattern| writer.astring(pattern));
                        self.raw(")");
                    }
                }
                let returns = list.extended.as_ref().map(|options| &options.returns);
                if let Some(returns) = returns.filter(|returns| !returns.is_empty()) {
                    self.word(" RETURN (");
                    self.list(returns, |writer, option| match option {
                        ReturnOption::Children => writer.word("CHILDREN"),
                        ReturnOption::Metadata(entries) => {
                            writer.word("METADATA (");
                            writer.list(entries, Writer::entry);
                            writer.raw(")");
                        }
                        ReturnOption::SpecialUse => writer.word("SPECIAL-USE"),
                        ReturnOption::Status(items) => {
                            writer.word("STATUS (");
                            writer.list(items, Writer::status_item);
                            writer.raw(")");
                        }
                        ReturnOption::Subscribed => writer.word("SUBSCRIBED"),
                    });
                    self.raw(")");
                }
            }
            Lsub { reference, pattern } => {
                self.raw(" ");
                self.astring(reference);
                self.raw(" ");
                let plain = pattern
                    .iter()
                    .all(|byte| matches!(byte, b'*' | b'%' | b'a'..=b'z'));
                match plain && !pattern.is_empty() {
                    true => self.raw(pattern),
                    false => self.astring(pattern),
                }
            }
            Login { user, password } => {
                self.raw(" ");
                self.astring(user);
                self.raw(" ");
                self.astring(password.expose());
            }
            Rename { from, to } => {
                self.raw(" ");
                self.astring(from);
                self.raw(" ");
                self.astring(to);
            }
            Search {
                returns,
                charset,
                key,
                ..
            } => {
                self.raw(" ");
                self.search_program(returns, charset, key);
            }
            Esearch {
                sources,
                returns,
                charset,
                key,
            } => {
                self.raw(" ");
                if let Some(sources) = sources {
                    self.word("IN (");
                    self.list(sources, Writer::source);
                    self.raw(") ");
                }
                self.search_program(returns, charset, key);
            }
            GetMetadata {
                mailbox,
                entries,
                depth,
                max_size,
            } => {
                let mut options = Vec::new();
                if *depth != Depth::Zero || self.either() {
                    options.push(match depth {
                        Depth::Zero => "DEPTH 0".to_owned(),
                        Depth::One => "DEPTH 1".to_owned(),
                        Depth::Infinity => "DEPTH infinity".to_owned(),
                    });
                }
                options.extend(max_size.map(|most| format!("MAXSIZE {most}")));
                let before = self.either();
                self.metadata_options(&options, before);
                self.raw(" ");
                self.astring(mailbox);
                self.metadata_options(&options, !before);
                let bare = self.either();
                self.raw(if bare { " " } else { " (" });
                self.list(entries, Writer::entry);
                self.raw(if bare { "" } else { ")" });
            }
            SetMetadata { mailbox, values } => {
                self.raw(" ");
                self.astring(mailbox);
                self.raw(" (");
                self.list(values, |writer, (entry, value)| {
                    writer.entry(entry);
                    writer.raw(" ");
                    match value {
                        Some(value) if value.contains(&0) || writer.either() => {
                            writer.raw(format!("~{{{}}}\r\n", value.len()));
                            writer.raw(value);
                        }
                        Some(value) => writer.string(value),
                        None => writer.word("NIL"),
                    }
                });
                self.raw(")");
            }
            Status { mailbox, items } => {
                self.raw(" ");
                self.astring(mailbox);
                self.raw(" (");
                self.list(items, Writer::status_item);
                self.raw(")");
            }
            Store {
                set,
                unchanged_since,
                action,
                silent,
                flags,
                ..
            } => {
                self.raw(" ");
                self.message_set(set);
                if let Some(since) = unchanged_since {
                    self.word(" (UNCHANGEDSINCE ");
                    self.raw(format!("{})", since.0));
                }
                self.word(match action {
                    StoreAction::Add => " +FLAGS",
                    StoreAction::Remove => " -FLAGS",
                    StoreAction::Replace => " FLAGS",
                });
                self.word(if *silent { ".SILENT " } else { " " });
                if flags.is_empty() || self.either() {
                    self.flags(flags);
                } else {
                    self.list(flags, Writer::flag);
                }
            }
        }
    }
}
