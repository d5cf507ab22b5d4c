//! Value → bytes → value for what a server writes: by the parser where it knows the form, else by a
//! reader of parenthesized lists that only this test needs.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::imap::command::CommandBody;
use crate::imap::flag::Flag;
use crate::imap::parse::command;
use crate::imap::sequence::MessageSet;
use crate::imap::structure::{
    Address, BodyFields, BodyStructure, CommonExtension, Envelope, MultiExtension, Parameter,
    SingleExtension, SingleKind,
};

/// What lists are made of.
#[derive(Debug)]
enum Value {
    List(Vec<Value>),
    Nil,
    Number(u64),
    String(Vec<u8>),
}

/// Reads one value and leaves the rest.
fn value(input: &mut &[u8]) -> Option<Value> {
    let (first, rest) = input.split_first()?;
    match first {
        b'(' => {
            *input = rest;
            let mut items = Vec::new();
            loop {
                match input.first()? {
                    b')' => {
                        *input = &input[1..];
                        return Some(Value::List(items));
                    }
                    b' ' if !items.is_empty() => *input = &input[1..],
                    _ => {}
                }
                items.push(value(input)?);
            }
        }
        b'"' => {
            let mut text = Vec::new();
            let mut bytes = rest.iter();
            loop {
                match bytes.next()? {
                    b'"' => break,
                    b'\\' => text.push(*bytes.next()?),
                    byte => text.push(*byte),
                }
            }
            *input = bytes.as_slice();
            Some(Value::String(text))
        }
        b'{' => {
            let end = rest.iter().position(|byte| *byte == b'}')?;
            let size: usize = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
            let octets = rest[end..].strip_prefix(b"}\r\n")?;
            let (text, rest) = octets.split_at_checked(size)?;
            *input = rest;
            Some(Value::String(text.to_vec()))
        }
        b'N' => {
            *input = input.strip_prefix(b"NIL")?;
            Some(Value::Nil)
        }
        _ => {
            let digits = input.iter().take_while(|b| b.is_ascii_digit()).count();
            let (number, rest) = input.split_at(digits);
            *input = rest;
            Some(Value::Number(
                std::str::from_utf8(number).ok()?.parse().ok()?,
            ))
        }
    }
}

impl Value {
    /// The items of a list, of which NIL is the empty one.
    fn list(self) -> std::vec::IntoIter<Value> {
        match self {
            Value::List(items) if !items.is_empty() => items.into_iter(),
            Value::Nil => Vec::new().into_iter(),
            other => panic!("no list: {other:?}"),
        }
    }

    fn nstring(self) -> Option<Vec<u8>> {
        match self {
            Value::String(text) => Some(text),
            Value::Nil => None,
            other => panic!("no nstring: {other:?}"),
        }
    }

    fn string(self) -> Vec<u8> {
        self.nstring().unwrap()
    }

    fn number(self) -> u64 {
        match self {
            Value::Number(number) => number,
            other => panic!("no number: {other:?}"),
        }
    }

    fn parameters(self) -> Vec<Parameter> {
        let mut strings = self.list().map(Value::string);
        let mut parameters = Vec::new();
        while let Some(name) = strings.next() {
            parameters.push((name, strings.next().unwrap()));
        }
        parameters
    }

    fn addresses(self) -> Vec<Address> {
        let address = |value: Value| {
            let mut fields = value.list().map(Value::nstring);
            let mut next = || fields.next().unwrap();
            Address {
                name: next(),
                adl: next(),
                mailbox: next(),
                host: next(),
            }
        };
        self.list().map(address).collect()
    }

    fn envelope(self) -> Envelope {
        let mut fields = self.list();
        let mut next = || fields.next().unwrap();
        let envelope = Envelope {
            date: next().nstring(),
            subject: next().nstring(),
            from: next().addresses(),
            sender: next().addresses(),
            reply_to: next().addresses(),
            to: next().addresses(),
            cc: next().addresses(),
            bcc: next().addresses(),
            in_reply_to: next().nstring(),
            message_id: next().nstring(),
        };
        assert!(fields.next().is_none());
        envelope
    }

    fn body(self) -> BodyStructure {
        let mut fields = self.list().peekable();
        let mut parts = Vec::new();
        while matches!(fields.peek(), Some(Value::List(_))) {
            parts.extend(fields.next().map(Value::body));
        }
        if !parts.is_empty() {
            let subtype = fields.next().unwrap().string();
            let extension = fields.next().map(|parameters| MultiExtension {
                parameters: parameters.parameters(),
                common: common(&mut fields),
            });
            return BodyStructure::Multi {
                parts,
                subtype,
                extension,
            };
        }
        let mut next = || fields.next().unwrap();
        let body = BodyFields {
            media_type: next().string(),
            subtype: next().string(),
            parameters: next().parameters(),
            id: next().nstring(),
            description: next().nstring(),
            encoding: next().string(),
            size: next().number(),
        };
        let kind = match &*body.media_type {
            b"message" => SingleKind::Message {
                envelope: Box::new(next().envelope()),
                body: Box::new(next().body()),
                lines: next().number(),
            },
            b"text" => SingleKind::Text {
                lines: next().number(),
            },
            _ => SingleKind::Basic,
        };
        let extension = fields.next().map(|md5| SingleExtension {
            md5: md5.nstring(),
            common: common(&mut fields),
        });
        BodyStructure::Single {
            fields: body,
            kind,
            extension,
        }
    }
}

/// The end of both kinds' extension data, and of the list.
fn common(fields: &mut impl Iterator<Item = Value>) -> CommonExtension {
    let mut next = || fields.next().unwrap();
    let disposition = match next() {
        Value::Nil => None,
        list => {
            let mut list = list.list();
            let kind = list.next().unwrap().string();
            Some((kind, list.next().unwrap().parameters()))
        }
    };
    let extension = CommonExtension {
        disposition,
        language: next().list().map(Value::string).collect(),
        location: next().nstring(),
    };
    assert!(fields.next().is_none());
    extension
}

fn any_text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(1u8.., 0..9),
        "[a-z\"\\\\ ()]{0,9}".prop_map(String::into_bytes)
    ]
}

fn any_parameters() -> impl Strategy<Value = Vec<Parameter>> {
    vec((any_text(), any_text()), 0..3)
}

fn any_addresses() -> impl Strategy<Value = Vec<Address>> {
    let text = || option::of(any_text());
    let address = (text(), text(), text(), text()).prop_map(|(name, adl, mailbox, host)| Address {
        name,
        adl,
        mailbox,
        host,
    });
    vec(address, 0..3)
}

fn any_envelope() -> impl Strategy<Value = Envelope> {
    let text = || option::of(any_text());
    let list = any_addresses;
    let lists = (list(), list(), list(), list(), list(), list());
    (text(), text(), lists, text(), text()).prop_map(
        |(date, subject, (from, sender, reply_to, to, cc, bcc), in_reply_to, message_id)| {
            Envelope {
                date,
                subject,
                from,
                sender,
                reply_to,
                to,
                cc,
                bcc,
                in_reply_to,
                message_id,
            }
        },
    )
}

fn any_common() -> impl Strategy<Value = CommonExtension> {
    let disposition = option::of((any_text(), any_parameters()));
    (disposition, vec(any_text(), 0..3), option::of(any_text())).prop_map(
        |(disposition, language, location)| CommonExtension {
            disposition,
            language,
            location,
        },
    )
}

fn any_single_extension() -> impl Strategy<Value = Option<SingleExtension>> {
    let extension = (option::of(any_text()), any_common());
    option::of(extension.prop_map(|(md5, common)| SingleExtension { md5, common }))
}

fn any_fields(media_type: &'static str) -> impl Strategy<Value = BodyFields> {
    let id = || option::of(any_text());
    (
        any_text(),
        any_parameters(),
        id(),
        id(),
        any_text(),
        any::<u64>(),
    )
        .prop_map(
            |(subtype, parameters, id, description, encoding, size)| BodyFields {
                media_type: media_type.into(),
                subtype,
                parameters,
                id,
                description,
                encoding,
                size,
            },
        )
}

fn any_structure() -> impl Strategy<Value = BodyStructure> {
    let leaf = prop_oneof![
        (any_fields("text"), any::<u64>(), any_single_extension()).prop_map(
            |(fields, lines, extension)| BodyStructure::Single {
                fields,
                kind: SingleKind::Text { lines },
                extension,
            }
        ),
        (any_fields("image"), any_single_extension()).prop_map(|(fields, extension)| {
            BodyStructure::Single {
                fields,
                kind: SingleKind::Basic,
                extension,
            }
        }),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let multi = option::of((any_parameters(), any_common()));
        prop_oneof![
            (vec(inner.clone(), 1..4), any_text(), multi).prop_map(|(parts, subtype, multi)| {
                BodyStructure::Multi {
                    parts,
                    subtype,
                    extension: multi
                        .map(|(parameters, common)| MultiExtension { parameters, common }),
                }
            }),
            (
                any_fields("message"),
                any_envelope(),
                inner,
                any::<u64>(),
                any_single_extension()
            )
                .prop_map(|(fields, envelope, body, lines, extension)| {
                    let kind = SingleKind::Message {
                        envelope: Box::new(envelope),
                        body: Box::new(body),
                        lines,
                    };
                    BodyStructure::Single {
                        fields,
                        kind,
                        extension,
                    }
                }),
        ]
    })
}

proptest! {
    #[test]
    fn structures_come_back(structure in any_structure()) {
        let mut out = Vec::new();
        super::structure::body(&mut out, &structure);
        let mut rest = &out[..];
        prop_assert_eq!(value(&mut rest).map(Value::body), Some(structure));
        prop_assert_eq!(rest, b"");
    }

    #[test]
    fn envelopes_come_back(envelope in any_envelope()) {
        let mut out = Vec::new();
        super::structure::envelope(&mut out, &envelope);
        let mut rest = &out[..];
        prop_assert_eq!(value(&mut rest).map(Value::envelope), Some(envelope));
        prop_assert_eq!(rest, b"");
    }

    #[test]
    fn strings_come_back(text in vec(any::<u8>(), 0..1200)) {
        let mut out = Vec::new();
        string(&mut out, &text);
        let text = text.iter().map(|byte| if *byte == 0 { 0x80 } else { *byte }).collect();
        prop_assert_eq!(value(&mut &out[..]).map(Value::string), Some(text));
    }

    /// Names, flags and sets are written as a client may send them back.
    #[test]
    fn a_client_may_repeat_what_it_was_told(
        text in "\\PC{1,12}",
        numbers in vec(1u32.., 1..9),
        flags in 0usize..32,
        keywords in vec("[a-zA-Z0-9$_-]{1,20}", 0..3),
        utf8: bool,
    ) {
        let names = if utf8 { NameForm::Utf8 } else { NameForm::Mutf7 };
        let name = MailboxName::from_utf8(&text, '/').unwrap_or(MailboxName::inbox());
        let numbers: NumberSet = numbers.into_iter().collect();
        let mut told = b"a COPY ".to_vec();
        number_ranges(&mut told, numbers.ranges());
        told.push(b' ');
        mailbox(&mut told, &name, names);
        match command(&told).map(|command| command.body) {
            Ok(CommandBody::Copy { set, mailbox, .. }) => {
                let resolved = match set {
                    MessageSet::Numbers(set) => set.resolve(1),
                    MessageSet::NumbersAndSaved(_) | MessageSet::Saved => NumberSet::new(),
                };
                prop_assert_eq!(resolved, numbers);
                prop_assert_eq!(MailboxName::from_wire(&mailbox, utf8, '/'), Ok(name));
            }
            other => prop_assert!(false, "{other:?}"),
        }

        let system: Vec<SystemFlag> = SystemFlag::ALL
            .into_iter()
            .enumerate()
            .filter_map(|(at, flag)| (flags >> at & 1 == 1).then_some(flag))
            .collect();
        let set = system.iter().fold(SystemFlags::NONE, |set, flag| set.with(*flag));
        let keywords: Vec<Keyword> = keywords.iter().filter_map(|k| Keyword::new(k)).collect();
        let mut told = b"a STORE 1 FLAGS ".to_vec();
        flag_list(&mut told, set, false, &keywords, false);
        let system = system.into_iter().map(Flag::System);
        let expected: Vec<Flag> = system.chain(keywords.into_iter().map(Flag::Keyword)).collect();
        match command(&told).map(|command| command.body) {
            Ok(CommandBody::Store { flags, .. }) => prop_assert_eq!(flags, expected),
            other => prop_assert!(false, "{other:?}"),
        }
    }
}
