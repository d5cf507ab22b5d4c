//! The query against a plain reading of RFC 3501 §6.4.4.

use super::*;

use proptest::prelude::*;

use crate::imap::flag::SystemFlags;

fn day(year: u16, month: u8, day: u8) -> Day {
    Day { year, month, day }
}

fn compile(key: &SearchKey) -> Query {
    Query::compile(key, None, &NumberSet::new()).unwrap()
}

fn text(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// A message as plainly as can be, to be asked key by key.
#[derive(Clone, Debug)]
struct Model {
    flags: SystemFlags,
    recent: bool,
    modseq: u64,
    size: u64,
    received: Day,
    sent: Option<Day>,
    header: String,
    body: String,
}

impl Model {
    /// RFC 3501 §6.4.4, word for word.
    fn matches(&self, key: &SearchKey) -> bool {
        let has = |place: &str, text: &[u8]| place.contains(std::str::from_utf8(text).unwrap());
        match key {
            SearchKey::All => true,
            SearchKey::And(keys) => keys.iter().all(|key| self.matches(key)),
            SearchKey::Or(a, b) => self.matches(a) || self.matches(b),
            SearchKey::Not(key) => !self.matches(key),
            SearchKey::Flag(flag) => self.flags.has(*flag),
            SearchKey::New => self.recent && !self.flags.has(SystemFlag::Seen),
            SearchKey::Old => !self.recent,
            SearchKey::Recent => self.recent,
            SearchKey::ModSeq(least) => self.modseq >= least.0,
            SearchKey::Larger(size) => self.size > *size,
            SearchKey::Smaller(size) => self.size < *size,
            SearchKey::Before(day) => self.received < *day,
            SearchKey::On(day) => self.received == *day,
            SearchKey::Since(day) => self.received >= *day,
            SearchKey::SentBefore(day) => self.sent.is_some_and(|sent| sent < *day),
            SearchKey::SentOn(day) => self.sent.is_some_and(|sent| sent == *day),
            SearchKey::SentSince(day) => self.sent.is_some_and(|sent| sent >= *day),
            SearchKey::Header(_, text) => has(&self.header, text),
            SearchKey::Body(text) => has(&self.body, text),
            SearchKey::Text(text) => has(&self.header, text) || has(&self.body, text),
            SearchKey::EmailId(_)
            | SearchKey::ThreadId(_)
            | SearchKey::Keyword(_)
            | SearchKey::Older(_)
            | SearchKey::Saved
            | SearchKey::Sequence(_)
            | SearchKey::Uid(_)
            | SearchKey::Younger(_) => unreachable!("not made below"),
        }
    }

    /// The answer to one test.
    fn answer(&self, test: &Test) -> bool {
        let has = |place: &str, needle: &Needle| {
            let mut folded = Vec::new();
            crate::search::fold::fold(place, &mut folded);
            memchr::memmem::find(&folded, needle.folded()).is_some()
        };
        match test {
            Test::Flag(flag) => self.flags.has(*flag),
            Test::Recent => self.recent,
            Test::ModSeqAtLeast(least) => self.modseq >= least.0,
            Test::SizeAtLeast(least) => self.size >= *least,
            Test::Received(order, day) => self.received.cmp(day) == *order,
            Test::Sent(order, day) => self.sent.is_some_and(|sent| sent.cmp(day) == *order),
            Test::Field(_, needle) | Test::Header(needle) => has(&self.header, needle),
            Test::Body(needle) => has(&self.body, needle),
            Test::InnerHeader(_) => false,
            Test::EmailId(_)
            | Test::Keyword(_)
            | Test::Numbers(_)
            | Test::ReceivedBy(_)
            | Test::Saved(_)
            | Test::Uids(_) => {
                unreachable!("not made below")
            }
        }
    }
}

fn days() -> impl Strategy<Value = Day> {
    (1u8..4).prop_map(|number| day(2024, 2, number))
}

fn words() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(text("a")),
        Just(text("b")),
        Just(text("ab")),
        Just(text(""))
    ]
}

fn models() -> impl Strategy<Value = Model> {
    let flags = prop_oneof![
        Just(SystemFlags::NONE),
        Just(SystemFlags::NONE.with(SystemFlag::Seen)),
        Just(SystemFlags::NONE.with(SystemFlag::Flagged)),
    ];
    let sent = proptest::option::of(days());
    (
        flags,
        any::<bool>(),
        (1u64..4, 0u64..4),
        days(),
        sent,
        "[ab]{0,3}",
        "[ab]{0,3}",
    )
        .prop_map(
            |(flags, recent, (modseq, size), received, sent, header, body)| Model {
                flags,
                recent,
                modseq,
                size,
                received,
                sent,
                header,
                body,
            },
        )
}

fn keys() -> impl Strategy<Value = SearchKey> {
    let flags = prop_oneof![Just(SystemFlag::Seen), Just(SystemFlag::Flagged)];
    let leaf = prop_oneof![
        Just(SearchKey::All),
        Just(SearchKey::New),
        Just(SearchKey::Old),
        Just(SearchKey::Recent),
        flags.prop_map(SearchKey::Flag),
        prop_oneof![0u64..4, Just(u64::MAX)].prop_map(SearchKey::Larger),
        (0u64..5).prop_map(|least| SearchKey::ModSeq(ModSeq(least))),
        prop_oneof![0u64..4, Just(u64::MAX)].prop_map(SearchKey::Smaller),
        days().prop_map(SearchKey::Before),
        days().prop_map(SearchKey::On),
        days().prop_map(SearchKey::Since),
        days().prop_map(SearchKey::SentBefore),
        days().prop_map(SearchKey::SentOn),
        days().prop_map(SearchKey::SentSince),
        words().prop_map(|word| SearchKey::Header(text("Subject"), word)),
        words().prop_map(SearchKey::Body),
        words().prop_map(SearchKey::Text),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(SearchKey::And),
            inner.clone().prop_map(|key| SearchKey::Not(Box::new(key))),
            (inner.clone(), inner).prop_map(|(a, b)| SearchKey::Or(Box::new(a), Box::new(b))),
        ]
    })
}

proptest! {
    /// However few answers are known, what is decided is what the RFC says; with the open tests
    /// answered, cost after cost, it is decided, and with nothing asked that could not matter.
    #[test]
    fn a_query_decides_as_the_rfc_does(
        key in keys(),
        model in models(),
        known in proptest::collection::vec(any::<bool>(), 64),
    ) {
        let expected = model.matches(&key);
        let query = compile(&key);
        let tests = query.tests();

        let partly = query.decide(|number| {
            known.get(number)?.then(|| model.answer(&tests[number]))
        });
        prop_assert!(partly.is_none_or(|verdict| verdict == expected));

        let mut answers = vec![None; tests.len()];
        for cost in [Cost::Memory, Cost::Stat, Cost::Header, Cost::Body] {
            let mut open = Vec::new();
            query.open_tests(&answers, |number, test| {
                if test.cost() == cost {
                    open.push((number, model.answer(test)));
                }
            });
            for (number, value) in open {
                prop_assert!(answers[number].replace(value).is_none());
            }
        }
        prop_assert_eq!(query.decide(|number| answers[number]), Some(expected));
        query.open_tests(&answers, |_, _| panic!("nothing is open"));
    }

    /// Cheap tests are asked for first, at every node.
    #[test]
    fn cheap_tests_come_first(keys in proptest::collection::vec(keys(), 1..6)) {
        let query = compile(&SearchKey::And(keys));
        if let Expression::All(parts) | Expression::Any(parts) = &query.expression {
            prop_assert!(parts.is_sorted_by_key(|part| part.cost(&query.tests)));
        }
    }
}

#[test]
fn what_costs_nothing_decides_before_what_costs() {
    let key = SearchKey::And(vec![
        SearchKey::Body(text("x")),
        SearchKey::Header(text("From"), text("y")),
        SearchKey::Flag(SystemFlag::Seen),
    ]);
    let query = compile(&key);
    assert_eq!(query.cost(), Cost::Body);
    let mut asked = Vec::new();
    let verdict = query.decide(|number| {
        asked.push(query.tests()[number].cost());
        (query.tests()[number].cost() == Cost::Memory).then_some(false)
    });
    assert_eq!((verdict, asked), (Some(false), vec![Cost::Memory]));
}

#[test]
fn an_answer_that_cannot_matter_is_not_sought() {
    // (SEEN and BODY x) or FROM y, of a message that is not seen.
    let key = SearchKey::Or(
        Box::new(SearchKey::And(vec![
            SearchKey::Flag(SystemFlag::Seen),
            SearchKey::Body(text("x")),
        ])),
        Box::new(SearchKey::Header(text("From"), text("y"))),
    );
    let query = compile(&key);
    let answers: Vec<_> = query
        .tests()
        .iter()
        .map(|test| matches!(test, Test::Flag(_)).then_some(false))
        .collect();
    let mut open = Vec::new();
    query.open_tests(&answers, |_, test| open.push(test.cost()));
    assert_eq!(open, [Cost::Header]);
}

#[test]
fn constants_vanish() {
    let not = |key| SearchKey::Not(Box::new(key));
    for (key, expected) in [
        (SearchKey::All, true),
        (not(SearchKey::All), false),
        (SearchKey::Body(vec![]), true),
        (SearchKey::Text(vec![]), true),
        (SearchKey::Larger(u64::MAX), false),
        (not(SearchKey::And(vec![SearchKey::All])), false),
        (
            SearchKey::And(vec![SearchKey::Recent, not(SearchKey::All)]),
            false,
        ),
        (
            SearchKey::Or(Box::new(SearchKey::Recent), Box::new(SearchKey::All)),
            true,
        ),
    ] {
        let query = compile(&key);
        assert_eq!(query.decide(|_| None), Some(expected), "{key:?}");
        assert_eq!(query.cost(), Cost::Memory);
    }
}

#[test]
fn a_message_without_a_date_was_sent_on_no_day() {
    for key in [
        SearchKey::SentBefore,
        SearchKey::SentOn,
        SearchKey::SentSince,
    ] {
        let query = compile(&key(day(1996, 2, 5)));
        assert_eq!(query.decide(|_| Some(false)), Some(false));
    }
}

#[test]
fn a_day_is_the_servers_own() {
    let zone = |name: &str| TimeZone::posix(name).unwrap();
    // 2024-03-01T02:30:00Z
    let moment = 1_709_260_200;
    assert_eq!(day_in(&TimeZone::UTC, moment), Some(day(2024, 3, 1)));
    assert_eq!(day_in(&zone("EST5"), moment), Some(day(2024, 2, 29)));
    assert_eq!(
        day_in(&zone("JST-9"), moment + 15 * 3600),
        Some(day(2024, 3, 2))
    );
    assert_eq!(day_in(&TimeZone::UTC, -1), Some(day(1969, 12, 31)));
    assert_eq!(day_in(&TimeZone::UTC, i64::MAX), None);
    assert_eq!(day_in(&TimeZone::UTC, i64::MIN), None);
}

#[test]
fn strings_are_in_the_charset_named() {
    let folded = |bytes: &[u8], charset: Option<&[u8]>| {
        let query =
            Query::compile(&SearchKey::Body(bytes.to_vec()), charset, &NumberSet::new()).unwrap();
        match query.tests() {
            [Test::Body(needle)] => needle.folded().to_vec(),
            _ => panic!("one test"),
        }
    };
    let expected = Needle::new("café").folded().to_vec();
    assert_eq!(folded("café".as_bytes(), None), expected);
    assert_eq!(folded("CAFÉ".as_bytes(), Some(b"utf-8")), expected);
    assert_eq!(folded(b"caf\xe9", Some(b"ISO-8859-1")), expected);
    assert_eq!(folded(b"caf\xe9", None), expected, "not UTF-8");
    assert_eq!(folded(b"cafe", Some(b"US-ASCII")), b"cafe");
    assert_eq!(folded(b"cafe", Some(b"")), b"cafe");
    for name in crate::search::CHARSETS {
        assert_eq!(folded(b"cafe", Some(name.as_bytes())), b"cafe", "{name}");
    }
    // Also where there is nothing to decode.
    let unknown = Query::compile(&SearchKey::All, Some(b"X-unknown"), &NumberSet::new());
    assert_eq!(unknown.err(), Some(UnknownCharset));
}
