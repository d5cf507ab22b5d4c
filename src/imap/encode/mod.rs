//! Values → bytes: the only place that writes the wire format.

mod code;
pub mod fetch;
mod string;
mod structure;

use crate::imap::command::StatusItem;
use crate::imap::encode::string::{
    astring, flag_list, nil, nstring_or_literal8, number, number_ranges, quoted, string, words,
};
use crate::imap::name::MailboxName;
use crate::imap::objectid::ObjectId;
use crate::imap::response::{
    Data, Esearch, ListExtended, ListItem, Returned, Status, StatusKind, StatusValue, ThreadItem,
};
use crate::imap::sequence::{ModSeq, NumberSet};

/// How mailbox names are written: modified UTF-7, or UTF-8 once the client enabled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameForm {
    /// RFC 3501 §5.1.3.
    Mutf7,
    /// RFC 9051 §5.1, RFC 9755.
    Utf8,
}

/// Writes a status response and its CRLF.
pub fn status(out: &mut Vec<u8>, status: &Status) {
    let tag = status.tag.as_ref().map_or("*", |tag| tag.as_str());
    let (kind, silent) = match status.kind {
        StatusKind::Ok => ("OK", "Completed."),
        StatusKind::No => ("NO", "Failed."),
        StatusKind::Bad => ("BAD", "Not understood."),
        StatusKind::PreAuth => ("PREAUTH", "Ready."),
        StatusKind::Bye => ("BYE", "Closing."),
    };
    words(out, [tag, kind]);
    out.push(b' ');
    let start = out.len();
    if let Some(code) = &status.code {
        code::response_code(out, code);
    }
    let bare = out.len() == start;
    match status.text.as_str() {
        "" => out.extend_from_slice(silent.as_bytes()),
        // Text that is not behind a code must not look like one.
        text if bare && text.starts_with('[') => {
            out.push(b'(');
            human_text(out, text.get(1..).unwrap_or_default());
        }
        text => human_text(out, text),
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes one untagged response and its CRLF.
pub fn data(out: &mut Vec<u8>, data: &Data, names: NameForm) {
    out.extend_from_slice(b"* ");
    match data {
        Data::Capability(capabilities) => named_words(out, "CAPABILITY", capabilities),
        Data::Enabled(capabilities) => named_words(out, "ENABLED", capabilities),
        Data::Esearch(found) => esearch(out, found, names),
        Data::Exists(count) => {
            number(out, u64::from(*count));
            out.extend_from_slice(b" EXISTS");
        }
        Data::Expunge(message) => {
            number(out, u64::from(message.0.get()));
            out.extend_from_slice(b" EXPUNGE");
        }
        Data::Flags(flags, keywords) => {
            out.extend_from_slice(b"FLAGS ");
            flag_list(out, *flags, false, keywords, false);
        }
        Data::Id(fields) => {
            out.extend_from_slice(b"ID ");
            if fields.is_empty() {
                nil(out);
            }
            for (at, (field, value)) in fields.iter().enumerate() {
                out.push(if at == 0 { b'(' } else { b' ' });
                string(out, field.as_bytes());
                out.push(b' ');
                string(out, value.as_bytes());
            }
            if !fields.is_empty() {
                out.push(b')');
            }
        }
        Data::List(item) => list_item(out, "LIST", item, names),
        Data::Lsub(item) => list_item(out, "LSUB", item, names),
        Data::Metadata(name, values) => {
            metadata_of(out, name.as_ref(), names);
            for (at, (entry, value)) in values.iter().enumerate() {
                out.push(if at == 0 { b'(' } else { b' ' });
                astring(out, entry.as_str().as_bytes());
                out.push(b' ');
                nstring_or_literal8(out, value.as_deref());
            }
            out.push(b')');
        }
        Data::MetadataChanged(name, entries) => {
            metadata_of(out, name.as_ref(), names);
            for (at, entry) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                astring(out, entry.as_str().as_bytes());
            }
        }
        Data::Namespace(character) => {
            out.extend_from_slice(b"NAMESPACE ((\"\" ");
            separator(out, Some(*character));
            out.extend_from_slice(b")) NIL NIL");
        }
        Data::Quota(root, resources) => {
            out.extend_from_slice(b"QUOTA ");
            astring(out, root.as_bytes());
            out.extend_from_slice(b" (");
            for (at, resource) in resources.iter().enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(resource.name.as_bytes());
                for value in [resource.usage, resource.limit] {
                    out.push(b' ');
                    number(out, value);
                }
            }
            out.push(b')');
        }
        Data::QuotaRoot(name, roots) => {
            out.extend_from_slice(b"QUOTAROOT ");
            mailbox(out, name, names);
            for root in roots {
                out.push(b' ');
                astring(out, root.as_bytes());
            }
        }
        Data::Recent(count) => {
            number(out, u64::from(*count));
            out.extend_from_slice(b" RECENT");
        }
        Data::Search(found, modseq) => {
            named_numbers(out, "SEARCH", found);
            highest_modseq(out, *modseq);
        }
        Data::Sort(found, modseq) => {
            named_numbers(out, "SORT", found);
            highest_modseq(out, *modseq);
        }
        Data::Thread(items) => threads(out, items),
        Data::UidBatches(tag, ranges) => {
            out.extend_from_slice(b"UIDBATCHES (TAG ");
            quoted(out, tag.as_str().as_bytes());
            out.push(b')');
            for (at, (high, low)) in ranges.iter().enumerate() {
                out.push(if at == 0 { b' ' } else { b',' });
                number(out, u64::from(*high));
                out.push(b':');
                number(out, u64::from(*low));
            }
        }
        Data::StatusItems(name, items) => {
            out.extend_from_slice(b"STATUS ");
            mailbox(out, name, names);
            out.extend_from_slice(b" (");
            for (at, (item, value)) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(status_item(*item).as_bytes());
                out.push(b' ');
                match value {
                    StatusValue::Nil => nil(out),
                    StatusValue::Number(value) => number(out, *value),
                    StatusValue::Id(id) => object_id(out, id),
                }
            }
            out.push(b')');
        }
        Data::Vanished { earlier, uids } => {
            let earlier: &[u8] = if *earlier { b"(EARLIER) " } else { b"" };
            out.extend_from_slice(b"VANISHED ");
            out.extend_from_slice(earlier);
            number_ranges(out, uids.ranges());
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes a command continuation request (RFC 3501 §7.5) and its CRLF. The text may be empty, or the
/// base64 of a challenge.
pub fn continuation(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"+ ");
    human_text(out, text);
    out.extend_from_slice(b"\r\n");
}

/// `text`, with `?` for everything that is not printable ASCII.
fn human_text(out: &mut Vec<u8>, text: &str) {
    out.extend(text.chars().map(|character| match character {
        ' '..='~' => character as u8,
        _ => b'?',
    }));
}

/// A name, and numbers after it.
fn named_numbers(out: &mut Vec<u8>, name: &str, numbers: &[u32]) {
    out.extend_from_slice(name.as_bytes());
    for found in numbers {
        out.push(b' ');
        number(out, u64::from(*found));
    }
}

/// `"(" objectid ")"` (RFC 8474 §7).
fn object_id(out: &mut Vec<u8>, id: &ObjectId) {
    out.push(b'(');
    out.extend_from_slice(id.as_str().as_bytes());
    out.push(b')');
}

/// `SP search-sort-mod-seq` (RFC 7162 §7), or nothing.
fn highest_modseq(out: &mut Vec<u8>, modseq: Option<ModSeq>) {
    if let Some(ModSeq(modseq)) = modseq {
        out.extend_from_slice(b" (MODSEQ ");
        number(out, modseq);
        out.push(b')');
    }
}

/// `thread-data`: a space before a number that follows another and before what follows a number.
fn threads(out: &mut Vec<u8>, items: &[ThreadItem]) {
    out.extend_from_slice(b"THREAD");
    let mut after_number = true;
    for item in items {
        if after_number && *item != ThreadItem::Close {
            out.push(b' ');
        }
        after_number = matches!(item, ThreadItem::Number(_));
        match item {
            ThreadItem::Open => out.push(b'('),
            ThreadItem::Number(found) => number(out, u64::from(*found)),
            ThreadItem::Close => out.push(b')'),
        }
    }
}

/// A name, and words after it.
fn named_words<W: AsRef<str>>(out: &mut Vec<u8>, name: &str, list: &[W]) {
    words(
        out,
        [name].into_iter().chain(list.iter().map(AsRef::as_ref)),
    );
}

/// `esearch-response` (RFC 4466 §2.6.2, RFC 4731 §4).
fn esearch(out: &mut Vec<u8>, answer: &Esearch, names: NameForm) {
    out.extend_from_slice(b"ESEARCH (TAG ");
    quoted(out, answer.tag.as_str().as_bytes());
    if let Some((name, uid_validity)) = &answer.mailbox {
        out.extend_from_slice(b" MAILBOX ");
        mailbox(out, name, names);
        out.extend_from_slice(b" UIDVALIDITY ");
        number(out, u64::from(uid_validity.get()));
    }
    out.push(b')');
    if answer.by_uid {
        out.extend_from_slice(b" UID");
    }
    for returned in &answer.returned {
        out.push(b' ');
        search_data(out, returned);
    }
}

/// `search-return-data` (RFC 4731 §4, RFC 5267 §5, RFC 9394 §4).
fn search_data(out: &mut Vec<u8>, returned: &Returned) {
    let mut change = |name: &[u8], numbers: &NumberSet| {
        out.extend_from_slice(name);
        out.extend_from_slice(b" (0 ");
        number_ranges(out, numbers.ranges());
        out.push(b')');
    };
    match returned {
        Returned::AddTo(numbers) => change(b"ADDTO", numbers),
        Returned::RemoveFrom(numbers) => change(b"REMOVEFROM", numbers),
        Returned::All(numbers) => {
            out.extend_from_slice(b"ALL ");
            number_ranges(out, numbers.ranges());
        }
        Returned::Count(count) => {
            out.extend_from_slice(b"COUNT ");
            number(out, *count);
        }
        Returned::Max(last) => {
            out.extend_from_slice(b"MAX ");
            number(out, u64::from(*last));
        }
        Returned::Min(first) => {
            out.extend_from_slice(b"MIN ");
            number(out, u64::from(*first));
        }
        Returned::ModSeq(ModSeq(modseq)) => {
            out.extend_from_slice(b"MODSEQ ");
            number(out, *modseq);
        }
        Returned::Partial(range, numbers) => {
            out.extend_from_slice(format!("PARTIAL ({range} ").as_bytes());
            match numbers.is_empty() {
                true => nil(out),
                false => number_ranges(out, numbers.ranges()),
            }
            out.push(b')');
        }
    }
}

/// LIST's or LSUB's line.
fn list_item(out: &mut Vec<u8>, response: &str, item: &ListItem, names: NameForm) {
    out.extend_from_slice(response.as_bytes());
    out.extend_from_slice(b" (");
    words(
        out,
        item.attributes.iter().map(|attribute| attribute.as_str()),
    );
    out.extend_from_slice(b") ");
    separator(out, item.separator);
    out.push(b' ');
    match &item.name {
        Some(name) => mailbox(out, name, names),
        None => quoted(out, b""),
    }
    for (at, extended) in item.extended.iter().enumerate() {
        out.extend_from_slice(if at == 0 { &b" ("[..] } else { b" " });
        match extended {
            ListExtended::ChildInfo(options) => {
                out.extend_from_slice(b"CHILDINFO (");
                words(out, options.iter().map(|option| format!("\"{option}\"")));
                out.push(b')');
            }
            ListExtended::OldName(name) => {
                out.extend_from_slice(b"OLDNAME (");
                mailbox(out, name, names);
                out.push(b')');
            }
        }
    }
    if !item.extended.is_empty() {
        out.push(b')');
    }
}

/// What METADATA is about: a mailbox, or the server.
fn metadata_of(out: &mut Vec<u8>, name: Option<&MailboxName>, names: NameForm) {
    out.extend_from_slice(b"METADATA ");
    match name {
        Some(name) => mailbox(out, name, names),
        None => quoted(out, b""),
    }
    out.push(b' ');
}

/// A hierarchy separator in quotes, or NIL.
fn separator(out: &mut Vec<u8>, separator: Option<char>) {
    match separator {
        Some(character) => quoted(out, character.encode_utf8(&mut [0; 4]).as_bytes()),
        None => nil(out),
    }
}

/// `mailbox`: bare where it can be, else quoted, also where it is UTF-8 (RFC 9755 §3).
fn mailbox(out: &mut Vec<u8>, name: &MailboxName, names: NameForm) {
    match names {
        NameForm::Mutf7 => astring(out, name.to_mutf7().as_bytes()),
        NameForm::Utf8 if name.as_str().is_ascii() => astring(out, name.as_str().as_bytes()),
        NameForm::Utf8 => quoted(out, name.as_str().as_bytes()),
    }
}

fn status_item(item: StatusItem) -> &'static str {
    match item {
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
    }
}

#[cfg(test)]
mod tests;
