use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::imap::fetch::SectionText;

fn parse(url: &str) -> Result<MessageUrl, UrlError> {
    MessageUrl::parse(url.as_bytes())
}

fn message(mailbox: Option<&str>, uid: u32) -> MessageUrl {
    MessageUrl {
        mailbox: mailbox.map(str::to_owned),
        uid_validity: None,
        uid: Uid::new(uid).unwrap(),
        section: Section::default(),
        partial: None,
    }
}

#[test]
fn a_message() {
    assert_eq!(
        parse("/Drafts/;UID=3002"),
        Ok(message(Some("Drafts"), 3002))
    );
    assert_eq!(parse("/a/b.c/;uid=1"), Ok(message(Some("a/b.c"), 1)));
    // "/" is one of the characters of a mailbox's name.
    assert_eq!(parse("/a//;uid=1"), Ok(message(Some("a/"), 1)));
    assert_eq!(
        parse("/INBOX;UIDVALIDITY=785799047/;UID=11467"),
        Ok(MessageUrl {
            uid_validity: UidValidity::new(785_799_047),
            ..message(Some("INBOX"), 11467)
        })
    );
    // RFC 5092 §9.1: "references a message with UID in the mailbox specified by the Base URI".
    assert_eq!(parse(";UID=20"), Ok(message(None, 20)));
}

#[test]
fn a_part() {
    let part = |text: &str| parse(&format!("/a/;UID=1/;{text}")).map(|url| url.section);
    let section = |numbers: &[u32], text| {
        let part = numbers
            .iter()
            .map(|number| NonZeroU32::new(*number).unwrap());
        Ok(Section {
            part: part.collect(),
            text,
        })
    };
    assert_eq!(part("section=HEADER"), section(&[], SectionText::Header));
    assert_eq!(part("SECTION=1.2"), section(&[1, 2], SectionText::Whole));
    assert_eq!(part("Section=1.MIME"), section(&[1], SectionText::Mime));
    assert_eq!(part("section=%31.te%58t"), section(&[1], SectionText::Text));
    assert_eq!(
        part("section=HEADER.FIELDS%20(From%20X/Y)"),
        section(
            &[],
            SectionText::HeaderFields(vec![b"From".to_vec(), b"X/Y".to_vec()])
        )
    );
    for wrong in [
        "section=",
        "section=MIME",
        "section=0",
        "section=1.",
        "section=1]",
        "section=HEADER.FIELDS (From)",
        "section=HEADER.FIELDS%20()",
        "section=%",
        "section=%3",
        "section=%zz",
        "section=%+1",
        "section=1;x",
        "section=1/;section=2",
        "sections=1",
        "expire=2026-01-01T00:00:00Z",
        "section=1;urlauth=anonymous",
        "uid=1",
        "",
    ] {
        assert_eq!(part(wrong), Err(UrlError::Invalid), "{wrong}");
    }
}

/// RFC 5550 §5.7.1.
#[test]
fn a_range() {
    let range = |text: &str| parse(&format!(";UID=1{text}")).map(|url| url.partial);
    let partial = |offset, length| Ok(Some(Partial { offset, length }));
    assert_eq!(range("/;PARTIAL=0.1024"), partial(0, 1024));
    assert_eq!(range("/;partial=7"), partial(7, u64::MAX));
    assert_eq!(range("/;section=1/;Partial=5.5"), partial(5, 5));
    assert_eq!(
        range("/;partial=9223372036854775807.1"),
        partial(i64::MAX as u64, 1)
    );
    for wrong in [
        "/;partial=",
        "/;partial=.1",
        "/;partial=1.",
        "/;partial=1.0",
        "/;partial=-1",
        "/;partial=1.2.3",
        "/;partial=1/",
        "/;partial=1/;section=1",
        "/;partial=9223372036854775808",
        "/;partial=+1",
        ";partial=1",
        "/partial=1",
        "/",
    ] {
        assert_eq!(range(wrong), Err(UrlError::Invalid), "{wrong}");
    }
}

/// RFC 5092 §8: names are UTF-8, percent-encoded; nothing there is modified UTF-7.
#[test]
fn names() {
    let name = |text: &str| parse(&format!("/{text}/;uid=1")).map(|url| url.mailbox.unwrap());
    let named = |text: &str| Ok(text.to_owned());
    assert_eq!(
        name("~peter/%E6%97%A5%E6%9C%AC%E8%AA%9E/%e5%8f%b0%e5%8c%97"),
        named("~peter/日本語/台北")
    );
    assert_eq!(name("gray%20council"), named("gray council"));
    assert_eq!(name("Entw&APw-rfe"), named("Entw&APw-rfe"));
    assert_eq!(name("%25%3B%3f%2F%00"), named("%;?/\0"));
    for wrong in [
        "%FF",
        "%C3",
        "gr\u{fc}n",
        "a b",
        "a\"b",
        "a%2",
        "a<b",
        "a#b",
        "[a]",
    ] {
        assert_eq!(name(wrong), Err(UrlError::Invalid), "{wrong}");
    }
}

/// RFC 3986 §5.2.4, RFC 5092 §7 and §9.1.
#[test]
fn dot_segments() {
    assert_eq!(parse("/a/./b/../c/;UID=1"), Ok(message(Some("a/c"), 1)));
    assert_eq!(parse("/../../a/;UID=1"), Ok(message(Some("a"), 1)));
    assert_eq!(parse("/%2E%2E/a/;UID=1"), Ok(message(Some("../a"), 1)));
    assert_eq!(
        parse("/a/..;UIDVALIDITY=1/;UID=2")
            .unwrap()
            .mailbox
            .unwrap(),
        "a/.."
    );
    // "is the same as </foo>"
    assert_eq!(parse("/foo/;UID=20/.."), Err(UrlError::NoMessage));
    assert_eq!(parse("/a/../;UID=1"), Err(UrlError::Invalid));
}

#[test]
fn what_names_no_message_of_this_session() {
    for (url, error) in [
        ("imap://example.org/INBOX/;UID=1", UrlError::Absolute),
        (
            "imap://u@example.org/INBOX/;UID=1/;section=1",
            UrlError::Absolute,
        ),
        ("IMAP:INBOX/;UID=1", UrlError::Absolute),
        ("http://example.org/", UrlError::Absolute),
        ("//example.org/INBOX/;UID=1", UrlError::Absolute),
        ("//u;AUTH=*@example.org/INBOX/;UID=1", UrlError::Absolute),
        // §7.2: "Implementations MUST NOT generate or accept relative-path IMAP references."
        ("Drafts/;UID=1", UrlError::RelativePath),
        ("..;UIDVALIDITY=385759045/;UID=20", UrlError::RelativePath),
        (";section=1.4", UrlError::RelativePath),
        (";PARTIAL=1.4", UrlError::RelativePath),
        ("", UrlError::RelativePath),
        ("/", UrlError::NoMessage),
        ("/INBOX", UrlError::NoMessage),
        ("/INBOX;UIDVALIDITY=1", UrlError::NoMessage),
        ("/INBOX?SUBJECT%20shadows", UrlError::NoMessage),
        ("/INBOX;UIDVALIDITY=1?ALL", UrlError::NoMessage),
        ("/INBOX;UID=1", UrlError::Invalid),
        ("/INBOX;UIDVALIDITY=0/;UID=1", UrlError::Invalid),
        ("/INBOX;UIDVALIDITY=/;UID=1", UrlError::Invalid),
        ("/INBOX;UIDVALIDITY=4294967296/;UID=1", UrlError::Invalid),
        ("/INBOX;UIDVALIDITY=1;UID=1", UrlError::Invalid),
        ("/INBOX/;UID=0", UrlError::Invalid),
        ("/INBOX/;UID=01", UrlError::Invalid),
        ("/INBOX/;UID=", UrlError::Invalid),
        ("/INBOX/;UID=*", UrlError::Invalid),
        ("/INBOX/;UID=1:2", UrlError::Invalid),
        ("/INBOX/;UID=4294967296", UrlError::Invalid),
        ("/INBOX/;UID=99999999999999999999", UrlError::Invalid),
        ("/;UID=1", UrlError::Invalid),
        ("/;UIDVALIDITY=1/;UID=1", UrlError::Invalid),
        (";UID=1?x", UrlError::Invalid),
        (";UID", UrlError::RelativePath),
    ] {
        assert_eq!(parse(url), Err(error), "{url}");
    }
}

/// The way back, with what must be encoded, and more where `all`.
fn written(url: &MessageUrl, all: bool) -> String {
    let encoded = |text: &[u8], slash: bool| -> String {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || slash && *byte == b'/' && !all;
        let mut out = String::new();
        for byte in text {
            match plain(byte) {
                true => out.push(char::from(*byte)),
                false => out += &format!("%{byte:02x}"),
            }
        }
        out
    };
    let mut out = String::new();
    if let Some(mailbox) = &url.mailbox {
        out += &format!("/{}", encoded(mailbox.as_bytes(), true));
        if let Some(validity) = url.uid_validity {
            out += &format!(";UIDVALIDITY={validity}");
        }
        out += "/";
    }
    out += &format!(";UID={}", url.uid);
    let numbers: Vec<String> = url.section.part.iter().map(ToString::to_string).collect();
    let text = match &url.section.text {
        SectionText::Whole => "",
        SectionText::Header => "HEADER",
        SectionText::HeaderFields(_) => "HEADER.FIELDS (\"a b\" c)",
        SectionText::HeaderFieldsNot(_) => "HEADER.FIELDS.NOT (c)",
        SectionText::Text => "TEXT",
        SectionText::Mime => "MIME",
    };
    let text = Some(text.to_owned()).filter(|text| !text.is_empty());
    let spec: Vec<String> = numbers.into_iter().chain(text).collect();
    if !spec.is_empty() {
        out += &format!("/;SECTION={}", encoded(spec.join(".").as_bytes(), true));
    }
    match url.partial {
        Some(Partial {
            offset,
            length: u64::MAX,
        }) => out += &format!("/;PARTIAL={offset}"),
        Some(Partial { offset, length }) => out += &format!("/;PARTIAL={offset}.{length}"),
        None => {}
    }
    out
}

fn any_url() -> impl Strategy<Value = MessageUrl> {
    let text = select(vec![
        SectionText::Header,
        SectionText::HeaderFields(vec![b"a b".to_vec(), b"c".to_vec()]),
        SectionText::HeaderFieldsNot(vec![b"c".to_vec()]),
        SectionText::Text,
        SectionText::Whole,
    ]);
    let part = prop::collection::vec(any::<NonZeroU32>(), 0..4);
    let section = (part, text, any::<bool>()).prop_map(|(part, text, mime)| Section {
        text: match mime && !part.is_empty() {
            true => SectionText::Mime,
            false => text,
        },
        part,
    });
    let length = prop_oneof![Just(u64::MAX), 1..=i64::MAX as u64];
    let partial = (0..=i64::MAX as u64, length);
    let mailbox = prop::option::of("[^/.]{1,8}(/[^/.]{1,8})?");
    let validity = prop::option::of(any::<NonZeroU32>().prop_map(UidValidity));
    (
        mailbox,
        validity,
        any::<NonZeroU32>(),
        section,
        prop::option::of(partial),
    )
        .prop_map(|(mailbox, validity, uid, section, partial)| MessageUrl {
            uid_validity: validity.filter(|_| mailbox.is_some()),
            mailbox,
            uid: Uid(uid),
            section,
            partial: partial.map(|(offset, length)| Partial { offset, length }),
        })
}

proptest! {
    #[test]
    fn urls_come_back(url in any_url(), all in any::<bool>()) {
        let text = written(&url, all);
        prop_assert_eq!(parse(&text), Ok(url), "{}", text);
    }

    #[test]
    fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = MessageUrl::parse(&octets);
    }

    #[test]
    fn no_pieces_panic(pieces in prop::collection::vec(
        select(vec![
            "/", ";", "UID=1", ";UID=1", ";UIDVALIDITY=1", ";SECTION=1", ";PARTIAL=1.1", "..", ".", "a", "%41", "%",
            "?", ":", "//", "imap:",
        ]),
        0..12,
    )) {
        let _ = parse(&pieces.concat());
    }
}
