//! The arguments of NOTIFY (RFC 5465 §8), with what §5 and §6.1 say of which events go together.

use nom::Parser;

use crate::imap::command::{CommandBody, WireName};
use crate::imap::notify::{Event, EventGroup, Filter, NotifySet};
use crate::imap::parse::fetch::fetch_list;
use crate::imap::parse::lexical::{
    Parsed, Wrong, argument, capital_atom, named, parenthesized, refused, sp, spaced, word,
};
use crate::imap::parse::mailbox::mailbox;

/// Most groups of events.
const GROUPS: usize = 100;

/// Most events of a group.
const EVENTS: usize = 100;

/// Most mailboxes that a group names.
const MAILBOXES: usize = 1000;

/// NOTIFY
pub(super) fn notify(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, form) = argument(named("SET or NONE", word)).parse(input)?;
    match form.as_str() {
        "NONE" => Ok((rest, CommandBody::Notify(None))),
        "SET" => {
            let (rest, _) = sp(rest)?;
            let (rest, status) = match rest.first() {
                Some(b'(') => (rest, false),
                _ => {
                    let (after, name) = named("STATUS or event groups", word).parse(rest)?;
                    if name != "STATUS" {
                        return Err(refused(rest, "Expected STATUS or event groups"));
                    }
                    (sp(after)?.0, true)
                }
            };
            let (after, groups) = spaced(GROUPS, "event groups", group).parse(rest)?;
            let selected = groups.iter().filter(|group| group.filter.is_selected());
            if selected.count() > 1 {
                let text = "Only one group can be of the selected mailbox";
                return Err(refused(rest, text));
            }
            let set = NotifySet { status, groups };
            Ok((after, CommandBody::Notify(Some(set))))
        }
        _ => Err(refused(input, "Expected SET or NONE")),
    }
}

/// `event-group`
fn group(input: &[u8]) -> Parsed<'_, EventGroup> {
    let body = |input| {
        let (rest, filter) = filter(input)?;
        let (rest, _) = sp(rest)?;
        let (after, events) = events(rest)?;
        check(rest, &filter, &events)?;
        Ok((after, EventGroup { filter, events }))
    };
    parenthesized(body).parse(input)
}

/// `filter-mailboxes`
fn filter(input: &[u8]) -> Parsed<'_, Filter> {
    let (rest, name) = named("which mailboxes", word).parse(input)?;
    let filter = match name.as_str() {
        "INBOXES" => Filter::Inboxes,
        "MAILBOXES" => return argument(mailboxes).map(Filter::Mailboxes).parse(rest),
        "PERSONAL" => Filter::Personal,
        "SELECTED" => Filter::Selected,
        "SELECTED-DELAYED" => Filter::SelectedDelayed,
        "SUBSCRIBED" => Filter::Subscribed,
        "SUBTREE" => return argument(mailboxes).map(Filter::Subtree).parse(rest),
        _ => return Err(refused(input, "Unknown mailbox specifier")),
    };
    Ok((rest, filter))
}

/// `one-or-more-mailbox`
fn mailboxes(input: &[u8]) -> Parsed<'_, Vec<WireName>> {
    match input.first() {
        Some(b'(') => parenthesized(spaced(MAILBOXES, "mailboxes", mailbox)).parse(input),
        _ => mailbox.map(|name| vec![name]).parse(input),
    }
}

/// `events`
fn events(input: &[u8]) -> Parsed<'_, Vec<Event>> {
    if input.first() == Some(&b'(') {
        return parenthesized(spaced(EVENTS, "events", event)).parse(input);
    }
    let (rest, name) = named("events or NONE", word).parse(input)?;
    match name.as_str() {
        "NONE" => Ok((rest, Vec::new())),
        _ => Err(refused(input, "Expected events in parentheses, or NONE")),
    }
}

/// `event`
fn event(input: &[u8]) -> Parsed<'_, Event> {
    let (rest, name) = named("an event", capital_atom).parse(input)?;
    let event = match name.as_str() {
        "ANNOTATIONCHANGE" => Event::AnnotationChange,
        "FLAGCHANGE" => Event::FlagChange,
        "MAILBOXMETADATACHANGE" => Event::MailboxMetadataChange,
        "MAILBOXNAME" => Event::MailboxName,
        "MESSAGEEXPUNGE" => Event::MessageExpunge,
        "MESSAGENEW" => match rest {
            [b' ', b'(', ..] => {
                return argument(fetch_list).map(Event::MessageNew).parse(rest);
            }
            _ => Event::MessageNew(Vec::new()),
        },
        "SERVERMETADATACHANGE" => Event::ServerMetadataChange,
        "SUBSCRIPTIONCHANGE" => Event::SubscriptionChange,
        _ => Event::Other,
    };
    Ok((rest, event))
}

/// What is BAD in a group that fits the grammar.
fn check(input: &[u8], filter: &Filter, events: &[Event]) -> Result<(), nom::Err<Wrong>> {
    let has = |one: fn(&Event) -> bool| events.iter().any(one);
    let new = has(|event| matches!(event, Event::MessageNew(_)));
    let expunge = has(|event| *event == Event::MessageExpunge);
    let fetches = has(|event| matches!(event, Event::MessageNew(items) if !items.is_empty()));
    let of_mailbox = has(|event| event.is_supported() && !event.is_of_messages());
    let needs_both = has(|event| matches!(event, Event::FlagChange | Event::AnnotationChange));
    let text = if new != expunge {
        "MessageNew and MessageExpunge go together"
    } else if needs_both && !new {
        "FlagChange and AnnotationChange need MessageNew and MessageExpunge"
    } else if filter.is_selected() && of_mailbox {
        "The selected mailbox has no events but those of messages"
    } else if fetches && !filter.is_selected() {
        "Only what comes to the selected mailbox can be fetched"
    } else {
        return Ok(());
    };
    Err(refused(input, text))
}
