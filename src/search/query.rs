//! A search key as a [`Query`]: tests in a tree, cheapest first, which is decided as soon as the answers
//! known so far allow. What a test costs to answer, and so what of a message has to be read, is its
//! [`Cost`]; who reads is not known here.

use std::cmp::Ordering;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::imap::flag::{Keyword, SystemFlag};
use crate::imap::objectid::ObjectId;
use crate::imap::search::{Day, SearchKey};
use crate::imap::sequence::{ModSeq, NumberSet, SequenceSet};
use crate::mailbox::names::KeywordSet;
use crate::mailbox::snapshot::Snapshot;
use crate::mailbox::view::Picked;
use crate::message::decode::from_charset;
use crate::search::needle::Needle;

/// The SEARCH command named a charset that is not known: `NO [BADCHARSET]` (RFC 3501 §6.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Unknown charset")]
pub struct UnknownCharset;

/// A compiled search key.
#[derive(Clone, Debug)]
pub struct Query {
    expression: Expression,
    tests: Vec<Test>,
}

/// Tests joined by "all" and "any". Negation has moved down to the tests; constants have moved up and away.
#[derive(Clone, Debug)]
enum Expression {
    Always(bool),
    All(Vec<Expression>),
    Any(Vec<Expression>),
    /// The test of this number must give this answer.
    Test(usize, bool),
}

/// One question about a message. Its number is its position in [`Query::tests`].
#[derive(Clone, Debug)]
pub enum Test {
    /// A system flag is set.
    Flag(SystemFlag),
    /// A keyword is set.
    Keyword(Keyword),
    /// `\Recent` for this session.
    Recent,
    /// The sequence number is one of these. Numbers that no message has match none, as for Dovecot, though
    /// RFC 3501 §9 would have them answered BAD: programs search so.
    Numbers(SequenceSet),
    /// The UID is one of these.
    Uids(SequenceSet),
    /// The UID is one of those saved.
    Saved(Arc<NumberSet>),
    /// The EMAILID is this one.
    EmailId(ObjectId),
    /// The mod-sequence is this or more.
    ModSeqAtLeast(ModSeq),
    /// RFC822.SIZE is this or more.
    SizeAtLeast(u64),
    /// INTERNALDATE's day in the server's zone stands so to the one given.
    Received(Ordering, Day),
    /// SAVEDATE's day stands so; where nobody knows it, INTERNALDATE's.
    Stored(Ordering, Day),
    /// INTERNALDATE is this moment, in seconds since 1970, or an earlier one.
    ReceivedBy(i64),
    /// The thread has this id.
    ThreadId(ObjectId),
    /// The day in the Date: field stands so to the one given. Without a date that can be read: no.
    Sent(Ordering, Day),
    /// A field of this name is there and has the needle in it.
    Field(Vec<u8>, Needle),
    /// A field of the message's own header has the needle in it, `Name: ` included.
    Header(Needle),
    /// The text of a part has it: `text/…`, `message/…`, those of messages inside too.
    Body(Needle),
    /// A field of a part's header, or of the header of a message inside, has it.
    InnerHeader(Needle),
}

/// What it takes to answer a test, cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Nothing but the client's picture.
    Memory,
    /// The file's size and time.
    Stat,
    /// The message's own header.
    Header,
    /// All of the message.
    Body,
}

/// A query's tests as far as the client's picture answers them: sets and keywords looked up once.
#[derive(Debug)]
pub struct Picture(Vec<Known>);

#[derive(Debug)]
enum Known {
    Flag(SystemFlag),
    /// A keyword; none where no message has it.
    Keyword(KeywordSet),
    Recent,
    Numbers(NumberSet),
    Uids(NumberSet),
    Saved(Arc<NumberSet>),
    EmailId(ObjectId),
    ModSeqAtLeast(ModSeq),
    SizeAtLeast(u64),
    Stored(Ordering, Day),
    ThreadId(ObjectId),
    /// The file has to say.
    Nothing,
}

impl Query {
    /// Decodes the key's strings and orders its tests. Without a charset, or with an empty one, strings
    /// are UTF-8, or windows-1252 where they are not valid as that.
    ///
    /// `saved` are the UIDs that `$` stands for.
    ///
    /// Recursion is as deep as the key, which the parser bounds.
    pub fn compile(
        key: &SearchKey,
        charset: Option<&[u8]>,
        saved: &NumberSet,
    ) -> Result<Query, UnknownCharset> {
        let charset = charset.filter(|name| !name.is_empty());
        if charset.is_some_and(|name| from_charset(name, b"").is_none()) {
            return Err(UnknownCharset);
        }
        let mut tests = Vec::new();
        let expression = Builder {
            charset,
            saved,
            shared: None,
            tests: &mut tests,
        }
        .build(key, true);
        Ok(Query { expression, tests })
    }

    /// Its tests, numbered by position.
    pub fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// The most that any of its tests costs.
    pub fn cost(&self) -> Cost {
        self.expression.cost(&self.tests)
    }

    /// Binds the query to a client's picture; `last` is the highest sequence number and UID in it (0 where it
    /// is empty), which `*` stands for.
    pub fn picture(&self, last: (u32, u32), snapshot: &Snapshot) -> Picture {
        let (last_number, last_uid) = last;
        let known = |test: &Test| match test {
            Test::Flag(flag) => Known::Flag(*flag),
            Test::Keyword(keyword) => Known::Keyword(snapshot.keywords.set(keyword)),
            Test::Recent => Known::Recent,
            Test::Numbers(set) => Known::Numbers(set.resolve(last_number)),
            Test::Uids(set) => Known::Uids(set.resolve(last_uid)),
            Test::Saved(set) => Known::Saved(Arc::clone(set)),
            Test::EmailId(id) => Known::EmailId(id.clone()),
            Test::ModSeqAtLeast(least) => Known::ModSeqAtLeast(*least),
            Test::SizeAtLeast(size) => Known::SizeAtLeast(*size),
            Test::Stored(order, day) => Known::Stored(*order, *day),
            Test::ThreadId(id) => Known::ThreadId(id.clone()),
            Test::Received(..)
            | Test::ReceivedBy(_)
            | Test::Sent(..)
            | Test::Field(..)
            | Test::Header(_)
            | Test::Body(_)
            | Test::InnerHeader(_) => Known::Nothing,
        };
        Picture(self.tests.iter().map(known).collect())
    }

    /// Whether the message matches, as far as the answers decide it: three-valued logic, `None` being
    /// "not known yet". `answer` is asked for no more than is needed, cheap tests first.
    pub fn decide(&self, mut answer: impl FnMut(usize) -> Option<bool>) -> Option<bool> {
        self.expression.decide(&mut answer)
    }

    /// Calls `visit` with each test that has no answer yet and whose answer may still decide something.
    pub fn open_tests<'q>(
        &'q self,
        answers: &[Option<bool>],
        mut visit: impl FnMut(usize, &'q Test),
    ) {
        self.expression.open_tests(answers, &mut |number| {
            if let Some(test) = self.tests.get(number) {
                visit(number, test);
            }
        });
    }
}

/// A key on its way to being an expression.
struct Builder<'b> {
    charset: Option<&'b [u8]>,
    saved: &'b NumberSet,
    /// The same, once a key has named it.
    shared: Option<Arc<NumberSet>>,
    tests: &'b mut Vec<Test>,
}

impl Builder<'_> {
    fn build(&mut self, key: &SearchKey, wanted: bool) -> Expression {
        let charset = self.charset;
        let needle = |bytes: &[u8]| Needle::new(&decode(bytes, charset));
        let mut one = |test, wanted| {
            self.tests.push(test);
            Expression::Test(self.tests.len() - 1, wanted)
        };
        match key {
            SearchKey::All => Expression::Always(wanted),
            SearchKey::And(keys) => {
                let mut parts = Vec::new();
                for key in keys {
                    parts.push(self.build(key, wanted));
                }
                Expression::join(parts, wanted, self.tests)
            }
            SearchKey::Or(a, b) => {
                let a = self.build(a, wanted);
                let b = self.build(b, wanted);
                Expression::join(vec![a, b], !wanted, self.tests)
            }
            SearchKey::Not(key) => self.build(key, !wanted),

            SearchKey::Flag(flag) => one(Test::Flag(*flag), wanted),
            SearchKey::Keyword(keyword) => one(Test::Keyword(keyword.clone()), wanted),
            SearchKey::EmailId(id) => one(Test::EmailId(id.clone()), wanted),
            SearchKey::ThreadId(id) => one(Test::ThreadId(id.clone()), wanted),
            SearchKey::ModSeq(least) => one(Test::ModSeqAtLeast(*least), wanted),
            SearchKey::Recent => one(Test::Recent, wanted),
            SearchKey::Old => one(Test::Recent, !wanted),
            SearchKey::New => {
                let recent = one(Test::Recent, wanted);
                let unseen = one(Test::Flag(SystemFlag::Seen), !wanted);
                Expression::join(vec![recent, unseen], wanted, self.tests)
            }
            SearchKey::Sequence(set) => one(Test::Numbers(set.clone()), wanted),
            SearchKey::Saved => {
                // However often it is named, it is kept once: it may be large.
                let saved = self
                    .shared
                    .get_or_insert_with(|| Arc::new(self.saved.clone()));
                one(Test::Saved(Arc::clone(saved)), wanted)
            }
            SearchKey::Uid(set) => one(Test::Uids(set.clone()), wanted),

            SearchKey::Larger(size) => match size.checked_add(1) {
                Some(least) => one(Test::SizeAtLeast(least), wanted),
                None => Expression::Always(!wanted),
            },
            SearchKey::Smaller(size) => one(Test::SizeAtLeast(*size), !wanted),
            // Both count the moment itself (RFC 5032 §2: "less recent than or equal", "more recent than or
            // equal").
            SearchKey::Older(interval) => one(Test::ReceivedBy(ago(*interval)), wanted),
            SearchKey::Younger(interval) => {
                one(Test::ReceivedBy(ago(*interval).saturating_sub(1)), !wanted)
            }
            SearchKey::Before(day) => one(Test::Received(Ordering::Less, *day), wanted),
            SearchKey::On(day) => one(Test::Received(Ordering::Equal, *day), wanted),
            SearchKey::Since(day) => one(Test::Received(Ordering::Less, *day), !wanted),
            SearchKey::SavedBefore(day) => one(Test::Stored(Ordering::Less, *day), wanted),
            SearchKey::SavedOn(day) => one(Test::Stored(Ordering::Equal, *day), wanted),
            SearchKey::SavedSince(day) => one(Test::Stored(Ordering::Less, *day), !wanted),
            SearchKey::SentBefore(day) => one(Test::Sent(Ordering::Less, *day), wanted),
            SearchKey::SentOn(day) => one(Test::Sent(Ordering::Equal, *day), wanted),
            // Not the opposite of "before": a message without a date is neither.
            SearchKey::SentSince(day) => {
                let on = one(Test::Sent(Ordering::Equal, *day), wanted);
                let after = one(Test::Sent(Ordering::Greater, *day), wanted);
                Expression::join(vec![on, after], !wanted, self.tests)
            }

            SearchKey::Header(name, text) => one(Test::Field(name.clone(), needle(text)), wanted),
            // The empty string is a substring of every text.
            SearchKey::Body(text) | SearchKey::Text(text) if text.is_empty() => {
                Expression::Always(wanted)
            }
            SearchKey::Body(text) => one(Test::Body(needle(text)), wanted),
            // RFC 9051 §6.4.4: "in the header (including MIME header fields) or body".
            SearchKey::Text(text) => {
                let needle = needle(text);
                let parts = vec![
                    one(Test::Header(needle.clone()), wanted),
                    one(Test::Body(needle.clone()), wanted),
                    one(Test::InnerHeader(needle), wanted),
                ];
                Expression::join(parts, !wanted, self.tests)
            }
        }
    }
}

impl Expression {
    /// All (or any) of these: flattened, without constants, cheapest first.
    fn join(parts: Vec<Expression>, all: bool, tests: &[Test]) -> Expression {
        let mut joined = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                // What decides the whole, and what says nothing.
                Expression::Always(value) if value != all => return Expression::Always(value),
                Expression::Always(_) => {}
                Expression::All(inner) if all => joined.extend(inner),
                Expression::Any(inner) if !all => joined.extend(inner),
                other => joined.push(other),
            }
        }
        joined.sort_by_key(|part| part.cost(tests));
        match (joined.len(), all) {
            (0, _) => Expression::Always(all),
            (1, _) => joined.remove(0),
            (_, true) => Expression::All(joined),
            (_, false) => Expression::Any(joined),
        }
    }

    fn cost(&self, tests: &[Test]) -> Cost {
        match self {
            Expression::Always(_) => Cost::Memory,
            Expression::Test(number, _) => tests.get(*number).map_or(Cost::Memory, Test::cost),
            Expression::All(parts) | Expression::Any(parts) => {
                let costs = parts.iter().map(|part| part.cost(tests));
                costs.max().unwrap_or(Cost::Memory)
            }
        }
    }

    fn decide(&self, answer: &mut impl FnMut(usize) -> Option<bool>) -> Option<bool> {
        let (parts, all) = match self {
            Expression::Always(value) => return Some(*value),
            Expression::Test(number, wanted) => return answer(*number).map(|yes| yes == *wanted),
            Expression::All(parts) => (parts, true),
            Expression::Any(parts) => (parts, false),
        };
        let mut verdict = Some(all);
        for part in parts {
            match part.decide(answer) {
                Some(value) if value != all => return Some(value),
                Some(_) => {}
                None => verdict = None,
            }
        }
        verdict
    }

    fn open_tests(&self, answers: &[Option<bool>], visit: &mut impl FnMut(usize)) {
        let mut answer = |number: usize| answers.get(number).copied().flatten();
        if self.decide(&mut answer).is_some() {
            return;
        }
        match self {
            Expression::Always(_) => {}
            Expression::Test(number, _) => visit(*number),
            Expression::All(parts) | Expression::Any(parts) => {
                for part in parts {
                    part.open_tests(answers, visit);
                }
            }
        }
    }
}

impl Test {
    /// What answering it takes at the least.
    pub fn cost(&self) -> Cost {
        match self {
            Test::Flag(_)
            | Test::Keyword(_)
            | Test::Recent
            | Test::EmailId(_)
            | Test::ModSeqAtLeast(_)
            | Test::Numbers(_)
            | Test::Uids(_)
            | Test::Saved(_) => Cost::Memory,
            Test::SizeAtLeast(_) | Test::Received(..) | Test::ReceivedBy(_) | Test::Stored(..) => {
                Cost::Stat
            }
            Test::Sent(..) | Test::Field(..) | Test::Header(_) | Test::ThreadId(_) => Cost::Header,
            Test::Body(_) | Test::InnerHeader(_) => Cost::Body,
        }
    }
}

impl Picture {
    /// The answer to a test, if the picture has it.
    pub fn answer(&self, test: usize, picked: &Picked) -> Option<bool> {
        let message = &picked.message;
        match self.0.get(test)? {
            Known::Flag(flag) => Some(message.flags.has(*flag)),
            Known::Keyword(keyword) => Some(message.keywords.intersects(keyword)),
            Known::Recent => Some(picked.recent),
            Known::Numbers(set) => Some(set.contains(picked.number.0.get())),
            Known::Uids(set) => Some(set.contains(message.uid.get())),
            Known::Saved(set) => Some(set.contains(message.uid.get())),
            Known::EmailId(id) => Some(message.email_id() == *id),
            Known::ModSeqAtLeast(least) => Some(message.modseq >= *least),
            Known::SizeAtLeast(least) => message.virtual_size().map(|size| size >= *least),
            Known::Stored(order, day) => {
                let saved = message.saved()?;
                Some(stands(local_day(saved), *order, *day))
            }
            // The first message of its thread may be another one; its header has to say.
            Known::ThreadId(id) => (message.thread_id(None) == *id).then_some(true),
            Known::Nothing => None,
        }
    }
}

/// Whether a day stands so to another. Without one: no.
pub fn stands(day: Option<Day>, order: Ordering, other: Day) -> bool {
    day.is_some_and(|day| day.cmp(&other) == order)
}

/// The day of a moment in the server's own zone, which is INTERNALDATE's in its answers too. `None` outside
/// the years 0 to 9999.
pub fn local_day(seconds: i64) -> Option<Day> {
    static ZONE: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);
    day_in(&ZONE, seconds)
}

fn day_in(zone: &TimeZone, seconds: i64) -> Option<Day> {
    let date = zone
        .to_datetime(Timestamp::from_second(seconds).ok()?)
        .date();
    Some(Day {
        year: u16::try_from(date.year()).ok()?,
        month: u8::try_from(date.month()).ok()?,
        day: u8::try_from(date.day()).ok()?,
    })
}

/// The moment so many seconds before now.
fn ago(interval: NonZeroU32) -> i64 {
    Timestamp::now()
        .as_second()
        .saturating_sub(i64::from(interval.get()))
}

fn decode(bytes: &[u8], charset: Option<&[u8]>) -> String {
    let named = match (charset, std::str::from_utf8(bytes)) {
        (None, Ok(text)) => return text.to_owned(),
        (Some(name), _) => name,
        (None, Err(_)) => b"windows-1252".as_slice(),
    };
    from_charset(named, bytes).unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests;
