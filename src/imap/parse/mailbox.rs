//! The arguments of commands about mailboxes: SELECT to STATUS (RFC 3501 §6.3).

use nom::Parser;
use nom::character::complete::char;
use nom::sequence::preceded;

use crate::imap::command::{CommandBody, SelectParameters, StatusItem, WireName};
use crate::imap::parse::lexical::{
    Parsed, argument, astring, atom, expected, named, parenthesized, refused, sp, spaced, word,
};
use crate::imap::parse::modseq::select_parameter;

/// Most items in a STATUS.
const STATUS_ITEMS: usize = 100;

/// Most parameters of a SELECT; none may come twice.
const SELECT_PARAMETERS: usize = 100;

/// Most special uses in a CREATE.
const USES: usize = 100;

/// A mailbox's name as the only argument, which `make` turns into the command.
pub(super) fn one_mailbox(
    input: &[u8],
    make: impl FnOnce(WireName) -> CommandBody,
) -> Parsed<'_, CommandBody> {
    let (rest, mailbox) = argument(mailbox).parse(input)?;
    Ok((rest, make(mailbox)))
}

/// `mailbox`
pub(super) fn mailbox(input: &[u8]) -> Parsed<'_, WireName> {
    named("a mailbox name", astring).parse(input)
}

/// SELECT, or EXAMINE where `read_only`, perhaps with parameters (RFC 4466 §2.3).
pub(super) fn select(input: &[u8], read_only: bool) -> Parsed<'_, CommandBody> {
    let (mut rest, mailbox) = argument(mailbox).parse(input)?;
    let mut parameters = SelectParameters::default();
    if let [b' ', b'(', ..] = rest {
        let one = |input| select_parameter(input, &mut parameters);
        let all = parenthesized(spaced(SELECT_PARAMETERS, "SELECT parameters", one));
        (rest, _) = argument(all).parse(rest)?;
    }
    let body = CommandBody::Select {
        mailbox,
        read_only,
        parameters,
    };
    Ok((rest, body))
}

/// RENAME
pub(super) fn rename(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, from) = argument(mailbox).parse(input)?;
    let (rest, to) = argument(mailbox).parse(rest)?;
    Ok((rest, CommandBody::Rename { from, to }))
}

/// CREATE, perhaps with the parameter USE (RFC 4466 §2.2, RFC 6154 §3).
pub(super) fn create(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, mailbox) = argument(mailbox).parse(input)?;
    let (rest, uses) = match rest {
        [b' ', b'(', ..] => {
            let parameters = parenthesized(spaced(USES, "CREATE parameters", create_use));
            argument(parameters).map(|uses| uses.concat()).parse(rest)?
        }
        _ => (rest, Vec::new()),
    };
    Ok((rest, CommandBody::Create { mailbox, uses }))
}

/// `"USE" SP "(" [use-attr *(SP use-attr)] ")"`
fn create_use(input: &[u8]) -> Parsed<'_, Vec<String>> {
    let (rest, name) = named("USE", word).parse(input)?;
    if name != "USE" {
        return Err(refused(input, "Unknown CREATE parameter"));
    }
    let (rest, _) = sp(rest)?;
    match rest {
        [b'(', b')', rest @ ..] => Ok((rest, Vec::new())),
        _ => parenthesized(spaced(USES, "special uses", use_attribute)).parse(rest),
    }
}

/// `use-attr`
fn use_attribute(input: &[u8]) -> Parsed<'_, String> {
    let (rest, name) = preceded(char('\\'), atom).parse(input)?;
    Ok((rest, format!("\\{}", String::from_utf8_lossy(name))))
}

/// STATUS
pub(super) fn status(input: &[u8]) -> Parsed<'_, CommandBody> {
    let (rest, mailbox) = argument(mailbox).parse(input)?;
    let (rest, items) = argument(status_items).parse(rest)?;
    Ok((rest, CommandBody::Status { mailbox, items }))
}

/// `"(" status-att *(SP status-att) ")"`
pub(super) fn status_items(input: &[u8]) -> Parsed<'_, Vec<StatusItem>> {
    parenthesized(spaced(STATUS_ITEMS, "STATUS items", status_item)).parse(input)
}

/// `status-att`
fn status_item(input: &[u8]) -> Parsed<'_, StatusItem> {
    let what = "MESSAGES, UIDNEXT, UIDVALIDITY, UNSEEN, DELETED, SIZE, HIGHESTMODSEQ, MAILBOXID, APPENDLIMIT or RECENT";
    let (rest, name) = named(what, word).parse(input)?;
    let item = match name.as_str() {
        "APPENDLIMIT" => StatusItem::AppendLimit,
        "DELETED" => StatusItem::Deleted,
        "DELETED-STORAGE" => StatusItem::DeletedStorage,
        "HIGHESTMODSEQ" => StatusItem::HighestModSeq,
        "MAILBOXID" => StatusItem::MailboxId,
        "MESSAGES" => StatusItem::Messages,
        "RECENT" => StatusItem::Recent,
        "SIZE" => StatusItem::Size,
        "UIDNEXT" => StatusItem::UidNext,
        "UIDVALIDITY" => StatusItem::UidValidity,
        "UNSEEN" => StatusItem::Unseen,
        _ => return Err(expected(input, what)),
    };
    Ok((rest, item))
}
