//! NOTIFY (RFC 5465 §8).

use super::*;
use crate::imap::fetch::FetchItem;
use crate::imap::notify::{Event, EventGroup, Filter, NotifySet};

fn group(filter: Filter, events: &[Event]) -> EventGroup {
    let events = events.to_vec();
    EventGroup { filter, events }
}

#[test]
fn what_is_asked_for() {
    use Event::*;
    let names = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect();
    let new = || MessageNew(Vec::new());
    for (text, status, groups) in [
        // §6.
        (
            "notify set (mailboxes INBOX (Messagenew messageExpunge)) (personal (SubscriptionChange))",
            false,
            vec![
                group(
                    Filter::Mailboxes(names(&["INBOX"])),
                    &[new(), MessageExpunge],
                ),
                group(Filter::Personal, &[SubscriptionChange]),
            ],
        ),
        (
            "notify set (selected (Messagenew (uid flags) messageExpunge)) (personal (MessageNew FlagChange MessageExpunge))",
            false,
            vec![
                group(
                    Filter::Selected,
                    &[
                        MessageNew(vec![FetchItem::Uid, FetchItem::Flags]),
                        MessageExpunge,
                    ],
                ),
                group(Filter::Personal, &[new(), FlagChange, MessageExpunge]),
            ],
        ),
        (
            "NOTIFY SET STATUS (SELECTED-DELAYED NONE) (SUBTREE (a \"b c\" {1+}\r\nd) (MailboxName MailboxMetadataChange))",
            true,
            vec![
                group(Filter::SelectedDelayed, &[]),
                group(
                    Filter::Subtree(names(&["a", "b c", "d"])),
                    &[MailboxName, MailboxMetadataChange],
                ),
            ],
        ),
        (
            "NOTIFY SET (inboxes NONE) (subscribed (ServerMetadataChange x-ext))",
            false,
            vec![
                group(Filter::Inboxes, &[]),
                group(Filter::Subscribed, &[ServerMetadataChange, Other]),
            ],
        ),
    ] {
        let set = NotifySet { status, groups };
        assert_eq!(body(text), CommandBody::Notify(Some(set)), "{text}");
    }
    assert_eq!(body("notify none"), CommandBody::Notify(None));
}

#[test]
fn what_is_none() {
    let together = "MessageNew and MessageExpunge go together";
    let needs = "FlagChange and AnnotationChange need MessageNew and MessageExpunge";
    let fetched = "Only what comes to the selected mailbox can be fetched";
    let of_messages = "The selected mailbox has no events but those of messages";
    for (text, expected) in [
        ("NOTIFY", "Expected a space (octet 9)"),
        ("NOTIFY x", "Expected SET or NONE"),
        ("NOTIFY SET", "Expected a space (octet 13)"),
        ("NOTIFY SET STATUS", "Expected a space (octet 20)"),
        ("NOTIFY SET SELECTED", "Expected STATUS or event groups"),
        ("NOTIFY SET ()", "Expected which mailboxes (octet 15)"),
        ("NOTIFY SET (shared NONE)", "Unknown mailbox specifier"),
        ("NOTIFY SET (personal)", "Expected a space (octet 23)"),
        ("NOTIFY SET (personal ())", "Expected an event (octet 25)"),
        (
            "NOTIFY SET (personal MailboxName)",
            "Expected events in parentheses, or NONE",
        ),
        (
            "NOTIFY SET (subtree (MailboxName))",
            "Expected a space (octet 36)",
        ),
        // The grammar of §8 and §5 have no place for what the example of §3.1 says.
        (
            "NOTIFY SET (subtree Lists MessageNew)",
            "Expected events in parentheses, or NONE",
        ),
        ("NOTIFY SET (personal (MessageNew))", together),
        ("NOTIFY SET (personal (MessageExpunge))", together),
        ("NOTIFY SET (personal (FlagChange))", needs),
        ("NOTIFY SET (personal (AnnotationChange))", needs),
        (
            "NOTIFY SET (personal (MessageNew (uid) MessageExpunge))",
            fetched,
        ),
        ("NOTIFY SET (selected (MailboxName))", of_messages),
        (
            "NOTIFY SET (selected NONE) (selected-delayed NONE)",
            "Only one group can be of the selected mailbox",
        ),
        ("NOTIFY NONE x", "Expected the command's end (octet 14)"),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}
