//! Value → bytes → value for all commands, and that no bytes whatever make the parser panic.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::writer::Writer;
use super::*;
use crate::imap::command::{
    Announced, AppendOptions, FetchModifiers, ListOptions, Resync, ReturnOption, SelectOption,
    SelectParameters, StatusItem, StoreAction,
};
use crate::imap::core::Secret;
use crate::imap::date::DateTime;
use crate::imap::fetch::{FetchItem, Partial, PreviewForm, Section, SectionText};
use crate::imap::flag::{Flag, Keyword, SystemFlag};
use crate::imap::metadata::{Depth, EntryName};
use crate::imap::notify::{Event, EventGroup, Filter, NotifySet};
use crate::imap::objectid::ObjectId;
use crate::imap::search::{
    Day, PartialRange, ReturnOptions, SearchKey, SortCriterion, SortKey, Source, ThreadAlgorithm,
};
use crate::imap::sequence::{ModSeq, UidValidity};

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(1u8.., 0..12),
        "[A-Za-z0-9 ]{0,12}".prop_map(String::into_bytes),
        "[\"\\\\{}()*%\\[\\]+~&-]{0,6}".prop_map(String::into_bytes),
    ]
}

fn any_name() -> impl Strategy<Value = String> {
    "[A-Z][A-Z0-9=_-]{0,10}"
}

fn any_set() -> impl Strategy<Value = SequenceSet> {
    let number = || prop_oneof![0u32..20, any::<u32>()];
    vec((number(), number()), 1..5).prop_map(|ranges| set(&ranges))
}

fn any_object_id() -> impl Strategy<Value = ObjectId> {
    "[A-Za-z0-9_-]{1,40}".prop_map(|text| ObjectId::new(&text).unwrap())
}

fn any_modseq() -> impl Strategy<Value = ModSeq> {
    prop_oneof![1u64..20, 1..=i64::MAX as u64].prop_map(ModSeq)
}

fn any_modseq_or_zero() -> impl Strategy<Value = ModSeq> {
    prop_oneof![Just(ModSeq(0)), any_modseq()]
}

fn any_parameters() -> impl Strategy<Value = SelectParameters> {
    let no_last = || {
        let number = || any::<NonZeroU32>().prop_map(Bound::Number);
        vec((number(), number()), 1..4).prop_map(|ranges| SequenceSet::new(ranges).unwrap())
    };
    let resync = (
        any::<NonZeroU32>(),
        any_modseq(),
        proptest::option::of(no_last()),
        proptest::option::of((no_last(), no_last())),
    );
    let resync = resync.prop_map(|(uid_validity, modseq, known, sample)| Resync {
        uid_validity: UidValidity(uid_validity),
        modseq,
        known,
        sample,
    });
    let both = (any::<bool>(), proptest::option::of(resync));
    both.prop_map(|(condstore, qresync)| SelectParameters { condstore, qresync })
}

fn any_modifiers() -> impl Strategy<Value = FetchModifiers> {
    let partial = proptest::option::of(any_partial_range());
    let changed_since = proptest::option::of(any_modseq());
    let all = (partial, changed_since, any::<bool>());
    all.prop_map(|(partial, changed_since, vanished)| FetchModifiers {
        partial,
        changed_since,
        vanished: vanished && changed_since.is_some(),
    })
}

fn any_event_group() -> impl Strategy<Value = EventGroup> {
    let names = || vec(any_bytes(), 1..4);
    let filter = prop_oneof![
        Just(Filter::Inboxes),
        names().prop_map(Filter::Mailboxes),
        Just(Filter::Personal),
        Just(Filter::Selected),
        Just(Filter::SelectedDelayed),
        Just(Filter::Subscribed),
        names().prop_map(Filter::Subtree),
    ];
    let messages = (any::<bool>(), any::<bool>(), any::<bool>());
    let of_mailbox = [
        Event::MailboxMetadataChange,
        Event::MailboxName,
        Event::Other,
        Event::ServerMetadataChange,
        Event::SubscriptionChange,
    ];
    let of_mailbox = vec(select(of_mailbox.to_vec()), 0..4);
    (filter, messages, vec(any_item(), 0..3), of_mailbox).prop_map(
        |(filter, (new, flags, annotations), items, others)| {
            let mut events = Vec::new();
            if !filter.is_selected() {
                events.extend(others);
            }
            if new {
                let items = items.into_iter().filter(|_| filter.is_selected());
                events.push(Event::MessageNew(items.collect()));
                events.push(Event::MessageExpunge);
                events.extend(flags.then_some(Event::FlagChange));
                events.extend(annotations.then_some(Event::AnnotationChange));
            }
            EventGroup { filter, events }
        },
    )
}

fn any_messages() -> impl Strategy<Value = MessageSet> {
    prop_oneof![
        4 => any_set().prop_map(MessageSet::Numbers),
        1 => any_set().prop_map(MessageSet::NumbersAndSaved),
        1 => Just(MessageSet::Saved),
    ]
}

fn any_return_options() -> impl Strategy<Value = ReturnOptions> {
    let partial = proptest::option::of(any_partial_range());
    let update = proptest::option::of(vec(any_item(), 0..4));
    (1u8..32, partial, update).prop_map(|(bits, partial, update)| ReturnOptions {
        min: bits & 1 != 0,
        max: bits & 2 != 0,
        all: bits & 4 != 0 && partial.is_none() || bits == 4,
        count: bits & 8 != 0,
        save: bits & 16 != 0,
        update,
        partial: partial.filter(|_| bits != 4),
    })
}

fn any_partial_range() -> impl Strategy<Value = PartialRange> {
    let end = || (1u32..).prop_map(|number| NonZeroU32::new(number).unwrap());
    (any::<bool>(), (end(), end())).prop_map(|(from_last, ends)| PartialRange { from_last, ends })
}

fn any_flag() -> impl Strategy<Value = Flag> {
    prop_oneof![
        select(&SystemFlag::ALL[..]).prop_map(Flag::System),
        any_keyword().prop_map(Flag::Keyword),
    ]
}

fn any_keyword() -> impl Strategy<Value = Keyword> {
    "[!-~&&[^(){%*\"\\\\\\]]]{1,50}".prop_map(|text| Keyword::new(&text).unwrap())
}

fn any_day() -> impl Strategy<Value = Day> {
    (0u16..10_000, 1u8..13, 1u8..32).prop_filter_map("no such day", |(year, month, day)| {
        Day::new(year, month, day)
    })
}

fn any_item() -> impl Strategy<Value = FetchItem> {
    let names = || vec(any_bytes(), 1..4);
    let text = prop_oneof![
        Just(SectionText::Whole),
        Just(SectionText::Header),
        names().prop_map(SectionText::HeaderFields),
        names().prop_map(SectionText::HeaderFieldsNot),
        Just(SectionText::Text),
        Just(SectionText::Mime),
    ];
    let part = vec(any::<NonZeroU32>(), 0..4);
    let section = (part, text)
        .prop_filter("MIME is of a part", |(part, text)| {
            !part.is_empty() || *text != SectionText::Mime
        })
        .prop_map(|(part, text)| Section { part, text });
    let most = i64::MAX as u64;
    let partial = (0..=most, 1..=most).prop_map(|(offset, length)| Partial { offset, length });
    let parts = || vec(any::<NonZeroU32>(), 0..4);
    let binary = (
        any::<bool>(),
        parts(),
        proptest::option::of(partial.clone()),
    )
        .prop_map(|(peek, part, partial)| FetchItem::Binary {
            peek,
            part,
            partial,
        });
    let body = (any::<bool>(), section, proptest::option::of(partial)).prop_map(
        |(peek, section, partial)| FetchItem::BodySection {
            peek,
            section,
            partial,
        },
    );
    prop_oneof![
        3 => body,
        1 => binary,
        1 => parts().prop_map(|part| FetchItem::BinarySize { part }),
        2 => select(&[
            FetchItem::Body,
            FetchItem::BodyStructure,
            FetchItem::Envelope,
            FetchItem::Flags,
            FetchItem::InternalDate,
            FetchItem::ModSeq,
            FetchItem::EmailId,
            FetchItem::SaveDate,
            FetchItem::ThreadId,
            FetchItem::Preview { lazy: false, form: PreviewForm::Plain },
            FetchItem::Preview { lazy: true, form: PreviewForm::Plain },
            FetchItem::Preview { lazy: false, form: PreviewForm::Fuzzy },
            FetchItem::Preview { lazy: true, form: PreviewForm::Fuzzy },
            FetchItem::Preview { lazy: false, form: PreviewForm::Snippet },
            FetchItem::Preview { lazy: true, form: PreviewForm::Snippet },
            FetchItem::Rfc822,
            FetchItem::Rfc822Header,
            FetchItem::Rfc822Size,
            FetchItem::Rfc822Text,
            FetchItem::Uid,
        ][..]),
    ]
}

fn any_key() -> impl Strategy<Value = SearchKey> {
    use SearchKey::*;
    let leaf = prop_oneof![
        select(&[All, New, Old, Recent, Saved][..]),
        (any_bytes(), any_bytes()).prop_map(|(name, text)| Header(name, text)),
        any_bytes().prop_map(Body),
        any_bytes().prop_map(Text),
        select(&SystemFlag::ALL[..]).prop_map(Flag),
        any_keyword().prop_map(Keyword),
        (any_day(), 0usize..9).prop_map(|(day, which)| {
            let saved = [SavedBefore, SavedOn, SavedSince];
            let other = [Before, On, SentBefore, SentOn, SentSince, Since];
            saved.into_iter().chain(other).nth(which).unwrap()(day)
        }),
        (0..=i64::MAX as u64).prop_map(Larger),
        any_modseq_or_zero().prop_map(SearchKey::ModSeq),
        any_object_id().prop_map(EmailId),
        any_object_id().prop_map(ThreadId),
        (0..=i64::MAX as u64).prop_map(Smaller),
        any::<NonZeroU32>().prop_map(Older),
        any::<NonZeroU32>().prop_map(Younger),
        any_set().prop_map(Sequence),
        any_set().prop_map(Uid),
    ];
    leaf.prop_recursive(5, 20, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(And),
            inner.clone().prop_map(|key| Not(Box::new(key))),
            (inner.clone(), inner).prop_map(|(a, b)| Or(Box::new(a), Box::new(b))),
        ]
    })
}

/// Of each message: what is said of it, and its parts, where it is one of CATENATE's.
fn any_append() -> impl Strategy<Value = CommandBody> {
    let date = proptest::option::of((-62_167_000_000i64..253_402_000_000, -1439i16..1440));
    let options = (vec(any_flag(), 0..4), date).prop_map(|(flags, date)| AppendOptions {
        flags,
        date: date.map(|(seconds, offset)| DateTime { seconds, offset }),
    });
    let literal = || {
        (0u64..4, any::<bool>(), any::<bool>()).prop_map(|(size, non_sync, binary)| {
            AppendStep::Literal(Announced {
                size,
                non_sync,
                binary,
            })
        })
    };
    let part = prop_oneof![literal(), any_bytes().prop_map(AppendStep::Url)];
    let message = prop_oneof![
        literal().prop_map(|literal| (false, vec![literal])),
        vec(part, 1..5).prop_map(|parts| (true, parts)),
    ];
    let number = prop_oneof![
        Just(Bound::Last),
        any::<NonZeroU32>().prop_map(Bound::Number)
    ];
    let numbering = select(&[Numbering::Sequence, Numbering::Uid][..]);
    let replaces = proptest::option::of((numbering, number));
    let all = (any_bytes(), replaces, vec((options, message), 1..4));
    all.prop_map(|(mailbox, replaces, mut messages)| {
        if replaces.is_some() {
            messages.truncate(1);
        }
        let steps = messages
            .into_iter()
            .flat_map(|(options, (catenate, parts))| {
                let begin = AppendStep::Begin { options, catenate };
                [vec![begin], parts, vec![AppendStep::End]].concat()
            });
        let head = AppendHead { replaces, mailbox };
        CommandBody::Append(head, steps.collect())
    })
}

fn any_source() -> impl Strategy<Value = Source> {
    let names = vec(any_bytes(), 1..3);
    let fixed = [
        Source::Inboxes,
        Source::Personal,
        Source::Selected,
        Source::Subscribed,
    ];
    prop_oneof![
        select(fixed.to_vec()),
        (names, select(vec![0, 1, 2])).prop_map(|(names, which)| {
            [Source::Mailboxes, Source::Subtree, Source::SubtreeOne][which](names)
        }),
    ]
}

fn any_entry() -> impl Strategy<Value = EntryName> {
    "/(private|Shared)(/[ -$&-)+-.0-~]{1,5}){1,3}"
        .prop_map(|text| EntryName::new(text.as_bytes()).unwrap())
}

fn any_command() -> impl Strategy<Value = Command> {
    use CommandBody::*;
    let numbering = || select(&[Numbering::Sequence, Numbering::Uid][..]);
    let secret = || any_bytes().prop_map(Secret::new);
    let action = select(&[StoreAction::Add, StoreAction::Remove, StoreAction::Replace][..]);
    let items = select(
        &[
            StatusItem::AppendLimit,
            StatusItem::Deleted,
            StatusItem::DeletedStorage,
            StatusItem::HighestModSeq,
            StatusItem::MailboxId,
            StatusItem::Messages,
            StatusItem::Recent,
            StatusItem::Size,
            StatusItem::UidNext,
            StatusItem::UidValidity,
            StatusItem::Unseen,
        ][..],
    );
    let returns = prop_oneof![
        vec(items.clone(), 1..4).prop_map(ReturnOption::Status),
        vec(any_entry(), 1..4).prop_map(ReturnOption::Metadata),
        select(
            &[
                ReturnOption::Children,
                ReturnOption::SpecialUse,
                ReturnOption::Subscribed
            ][..]
        ),
    ];
    let fields = vec((any_bytes(), proptest::option::of(any_bytes())), 0..4);
    let body = prop_oneof![
        select(
            &[
                Capability,
                Check,
                Close,
                Compress,
                Idle,
                Logout,
                Namespace,
                Noop,
                StartTls,
                Unauthenticate,
                Unselect
            ][..]
        ),
        (any_name(), proptest::option::of(secret()))
            .prop_map(|(mechanism, initial)| Authenticate { mechanism, initial }),
        (any_bytes(), secret()).prop_map(|(user, password)| Login { user, password }),
        vec(any_name(), 1..4).prop_map(Enable),
        any_append(),
        proptest::option::of(fields).prop_map(Id),
        (any_bytes(), 0usize..6, any_parameters()).prop_map(|(mailbox, which, parameters)| {
            match which {
                0 => Create {
                    uses: vec!["\\Sent".to_owned(); mailbox.len() % 3],
                    mailbox,
                },
                1 => Delete { mailbox },
                2 => Subscribe { mailbox },
                3 => Unsubscribe { mailbox },
                _ => Select {
                    mailbox,
                    read_only: which == 4,
                    parameters,
                },
            }
        }),
        (any_bytes(), any_bytes()).prop_map(|(from, to)| Rename { from, to }),
        (any_bytes(), any_bytes()).prop_map(|(reference, pattern)| {
            List(crate::imap::command::List {
                reference,
                patterns: vec![pattern],
                extended: None,
            })
        }),
        (
            any_bytes(),
            vec(any_bytes(), 1..4),
            vec(
                select(
                    &[
                        SelectOption::RecursiveMatch,
                        SelectOption::Remote,
                        SelectOption::SpecialUse,
                        SelectOption::Subscribed
                    ][..]
                ),
                0..4
            ),
            vec(returns, 0..4),
        )
            .prop_map(|(reference, patterns, mut select, returns)| {
                if select.contains(&SelectOption::RecursiveMatch) {
                    select.push(SelectOption::Subscribed);
                }
                let extended = Some(ListOptions { select, returns });
                List(crate::imap::command::List {
                    reference,
                    patterns,
                    extended,
                })
            }),
        (any_bytes(), "[a-z*%]{0,6}").prop_map(|(reference, pattern)| Lsub {
            reference,
            pattern: pattern.into()
        }),
        (any_bytes(), vec(items, 1..4)).prop_map(|(mailbox, items)| Status { mailbox, items }),
        proptest::option::of(any_messages()).prop_map(|uids| Expunge { uids }),
        (
            numbering(),
            proptest::option::of(any_return_options()),
            proptest::option::of(any_bytes()),
            any_key()
        )
            .prop_map(|(numbering, returns, charset, key)| Search {
                numbering,
                returns,
                charset,
                key
            }),
        (
            proptest::option::of(vec(any_source(), 1..4)),
            proptest::option::of(any_return_options()),
            proptest::option::of(any_bytes()),
            any_key()
        )
            .prop_map(|(sources, returns, charset, key)| Esearch {
                sources,
                returns,
                charset,
                key
            }),
        (
            numbering(),
            proptest::option::of(any_return_options()),
            vec((proptest::bool::ANY, select(&SortKey::NAMES[..])), 1..4),
            any_bytes(),
            any_key()
        )
            .prop_map(|(numbering, returns, criteria, charset, key)| Sort {
                numbering,
                returns,
                criteria: (criteria.into_iter())
                    .map(|(reverse, (_, key))| SortCriterion { reverse, key })
                    .collect(),
                charset,
                key
            }),
        (
            numbering(),
            select(&ThreadAlgorithm::NAMES[..]),
            any_bytes(),
            any_key()
        )
            .prop_map(|(numbering, (_, algorithm), charset, key)| Thread {
                numbering,
                algorithm,
                charset,
                key
            }),
        (
            numbering(),
            any_messages(),
            vec(any_item(), 1..4),
            any_modifiers()
        )
            .prop_map(|(numbering, set, items, modifiers)| Fetch {
                numbering,
                set,
                items,
                modifiers: FetchModifiers {
                    vanished: modifiers.vanished && numbering == Numbering::Uid,
                    ..modifiers
                },
            }),
        any_bytes().prop_map(|root| GetQuota { root }),
        any_bytes().prop_map(|mailbox| GetQuotaRoot { mailbox }),
        (any_bytes(), vec((any_name(), 0..=i64::MAX as u64), 0..4))
            .prop_map(|(root, limits)| SetQuota { root, limits }),
        vec("[ -~]{0,8}", 1..4).prop_map(|tags| CancelUpdate {
            tags: tags.into_iter().map(String::into_bytes).collect()
        }),
        (
            numbering(),
            any_messages(),
            proptest::option::of(any_modseq_or_zero()),
            (action, any::<bool>()),
            vec(any_flag(), 0..4)
        )
            .prop_map(
                |(numbering, set, unchanged_since, (action, silent), flags)| Store {
                    numbering,
                    set,
                    unchanged_since,
                    action,
                    silent,
                    flags
                }
            ),
        (numbering(), any_messages(), any_bytes()).prop_map(|(numbering, set, mailbox)| Copy {
            numbering,
            set,
            mailbox
        }),
        (
            any_bytes(),
            vec(any_entry(), 1..4),
            select(&[Depth::Zero, Depth::One, Depth::Infinity][..]),
            proptest::option::of(0..=i64::MAX as u64)
        )
            .prop_map(|(mailbox, entries, depth, max_size)| GetMetadata {
                mailbox,
                entries,
                depth,
                max_size
            }),
        (
            any_bytes(),
            vec(
                (
                    any_entry().prop_filter("a value", EntryName::may_have_value),
                    proptest::option::of(vec(any::<u8>(), 0..8))
                ),
                1..4
            )
        )
            .prop_map(|(mailbox, values)| SetMetadata { mailbox, values }),
        (any::<bool>(), vec(any_event_group(), 1..4), any::<bool>()).prop_map(
            |(status, mut groups, none)| {
                let mut selected = 0;
                groups.retain(|group| {
                    selected += usize::from(group.filter.is_selected());
                    !group.filter.is_selected() || selected == 1
                });
                let set = NotifySet { status, groups };
                Notify((!none && !set.groups.is_empty()).then_some(set))
            }
        ),
        (1u32.., proptest::option::of((1u32.., 1u32..)))
            .prop_map(|(size, batches)| UidBatches { size, batches }),
        (numbering(), any_messages(), any_bytes()).prop_map(|(numbering, set, mailbox)| Move {
            numbering,
            set,
            mailbox
        }),
    ];
    ("[!-~&&[^(){%*\"\\\\+]]{1,10}", body).prop_map(|(tag, body)| Command {
        tag: Tag::new(tag.as_bytes()).unwrap(),
        body,
    })
}

fn written(command: &Command, choices: Vec<u8>) -> Vec<u8> {
    let mut writer = Writer {
        out: Vec::new(),
        choices,
    };
    writer.command(command);
    writer.out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn commands_come_back(value in any_command(), choices in vec(any::<u8>(), 1..8)) {
        let bytes = written(&value, choices);
        prop_assert_eq!(command(&bytes), Ok(value.clone()), "{}", shown(&bytes));
        prop_assert_eq!(tag_of(&bytes), Some(value.tag));
        let verb = verb_of(&bytes);
        prop_assert_eq!(verb.as_deref(), value.body.name().split(' ').next());
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..60)) {
        let _ = command(&bytes);
        let _ = append_head(&bytes);
        let head = AppendHead { replaces: None, mailbox: Vec::new() };
        let _ = append_steps(&mut Progress::new(&head), &bytes, 0);
        let _ = section(&bytes);
        let _ = literal_mark(&bytes);
        let _ = (tag_of(&bytes), verb_of(&bytes));
    }

    /// Commands cut, with octets changed, put in or taken out: a value or an error that is fit to send.
    #[test]
    fn no_damaged_command_panics(
        value in any_command(),
        choices in vec(any::<u8>(), 1..8),
        damage in vec((any::<Index>(), 0u8..4, select(&b"\0\r\n \"\\(){}[]<>*%+,:.~0919aA\xff"[..])), 1..4),
    ) {
        let mut bytes = written(&value, choices);
        for (at, kind, byte) in damage {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes.truncate(at),
                1 => bytes[at] = byte,
                2 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        for head in [&b""[..], b"a ", b"a APPEND "] {
            let bytes = [head, &bytes].concat();
            let _ = append_head(&bytes);
            if let Err(error) = command(&bytes) {
                prop_assert!(error.expected.bytes().all(|byte| matches!(byte, b' '..=b'~')));
                prop_assert!(!error.expected.contains("something else"));
                prop_assert_eq!(error.tag, tag_of(&bytes));
            }
        }
    }
}
