//! GETMETADATA and SETMETADATA (RFC 5464), what LIST says of annotations (RFC 9590), and what others changed
//! (RFC 5464 §4.4.2).

use crate::imap::metadata::{Depth, EntryName};
use crate::imap::name::MailboxName;
use crate::imap::response::{Code, Data, ListAttribute};
use crate::mailbox::annotations::{Annotations, SPECIAL_USE, Subject};
use crate::session::Session;
use crate::session::cmd::create;
use crate::session::reply::{Failure, Reply};

/// Most octets of a value.
const LONGEST_VALUE: usize = 64 << 10;

/// One response has values of about so many octets; more go into the next.
const RESPONSE: usize = 64 << 10;

/// The server's contact, which no client can change (RFC 5464 §3.2.1.1).
const ADMIN: &str = "/shared/admin";

/// An entry, and its value if it has one.
pub(super) type Value = (EntryName, Option<Vec<u8>>);

/// GETMETADATA. What is asked for by name and has no value is NIL; what DEPTH asks for is what there is.
pub(crate) async fn get(
    session: &mut Session,
    wire: &[u8],
    entries: &[EntryName],
    depth: Depth,
    max_size: Option<u64>,
) -> Result<Reply, Failure> {
    let subject = subject(session, wire).await?;
    let mut known = session.user.annotations(&subject).await?;
    if let Subject::Mailbox(name) = &subject
        && entries
            .iter()
            .any(|entry| depth.reaches(&entry.key(), SPECIAL_USE))
    {
        let purpose = session.user.special_use(name).await?;
        tie_special_use(&mut known, purpose);
    }
    let mut found: Vec<Value> = Vec::new();
    for entry in entries {
        match depth {
            Depth::Zero if found.iter().any(|(other, _)| other == entry) => {}
            Depth::Zero => found.push(take(&mut known, entry)),
            depth => found.append(&mut below(&mut known, entry, depth)),
        }
    }
    drop(known);
    let is_long = |value: &Option<Vec<u8>>| {
        let octets = value.as_ref().map_or(0, Vec::len) as u64;
        max_size.is_some_and(|most| octets > most).then_some(octets)
    };
    let longest = found.iter().filter_map(|(_, value)| is_long(value)).max();
    found.retain(|(_, value)| is_long(value).is_none());
    tell_values(session, &subject, found).await?;
    let text = "Getmetadata completed";
    Ok(match longest {
        Some(octets) => Reply::with(Code::MetadataLongEntries(octets), text),
        None => Reply::ok(text),
    })
}

/// SETMETADATA. RFC 5464 §4.3: "When any one annotation fails to be set, resulting in a tagged NO response from the
/// server, then the server MUST NOT change the values for other annotations".
pub(crate) async fn set(
    session: &mut Session,
    wire: &[u8],
    mut values: Vec<Value>,
) -> Result<Reply, Failure> {
    let subject = subject(session, wire).await?;
    for (entry, value) in &mut values {
        if value
            .as_ref()
            .is_some_and(|value| value.len() > LONGEST_VALUE)
        {
            let text = format!("{entry} is too large");
            let code = Code::MetadataMaxSize(LONGEST_VALUE as u64);
            return Err(Failure::No(Some(code), text.into()));
        }
        match &subject {
            Subject::Server if entry.key() == ADMIN => {
                let text = format!("{ADMIN} cannot be changed");
                return Err(Failure::No(Some(Code::NoPerm), text.into()));
            }
            Subject::Mailbox(name) if entry.key() == SPECIAL_USE => {
                *value = special_use(session, name, value.as_deref()).await?;
            }
            Subject::Server | Subject::Mailbox(_) => {}
        }
    }
    let by = session.annotations.as_ref();
    session.user.annotate(&subject, values, by).await?;
    Ok(Reply::ok("Setmetadata completed"))
}

/// What a mailbox's entries are that LIST is asked for, each of them once.
pub(super) async fn listed(
    session: &Session,
    subject: &Subject,
    purpose: Option<ListAttribute>,
    entries: &[EntryName],
) -> Result<Vec<Value>, Failure> {
    let mut known = session.user.annotations(subject).await?;
    tie_special_use(&mut known, purpose);
    Ok(entries
        .iter()
        .map(|entry| take(&mut known, entry))
        .collect())
}

/// Tells what others have changed, if the client wants to hear of it: "Unsolicited METADATA responses MUST only
/// contain entry names, not the values."
pub(crate) async fn tell(session: &mut Session) -> Result<(), Failure> {
    let Some(listener) = &mut session.annotations else {
        return Ok(());
    };
    let wants = |name: Option<&MailboxName>| match &session.notify {
        Some(notify) => notify.wants_metadata(name),
        None => true,
    };
    let changes = listener
        .take()
        .into_iter()
        .map(|change| (name_of(&change.subject), change));
    let changes: Vec<_> = changes.filter(|(name, _)| wants(name.as_ref())).collect();
    for (name, change) in changes {
        let data = Data::MetadataChanged(name, change.entries.clone());
        session.writer.data(&data);
        session.writer.relieve().await?;
    }
    Ok(())
}

/// What a command is about. An empty name is the server.
async fn subject(session: &mut Session, wire: &[u8]) -> Result<Subject, Failure> {
    if wire.is_empty() {
        return Ok(Subject::Server);
    }
    let named = session.named(wire).await?;
    session.tell_old_name(&named, Vec::new());
    Ok(Subject::Mailbox(named.name))
}

fn name_of(subject: &Subject) -> Option<MailboxName> {
    match subject {
        Subject::Mailbox(name) => Some(name.clone()),
        Subject::Server => None,
    }
}

/// The value of an entry, under the name that the client gave it. It is said once.
fn take(known: &mut Annotations, entry: &EntryName) -> Value {
    (entry.clone(), known.remove(&entry.key()))
}

/// An entry and those below it that have a value, where that has not been said yet.
fn below(known: &mut Annotations, entry: &EntryName, depth: Depth) -> Vec<Value> {
    let asked = entry.key();
    let reached = known.keys().filter(|key| depth.reaches(&asked, key));
    let reached: Vec<String> = reached.cloned().collect();
    reached
        .into_iter()
        .filter_map(|key| {
            let name = match key == asked {
                true => entry.clone(),
                false => EntryName::new(key.as_bytes()).ok()?,
            };
            Some((name, Some(known.remove(&key)?)))
        })
        .collect()
}

/// RFC 6154 §4: a server "SHOULD tie the special-use attributes for a mailbox to its metadata entry
/// "/private/specialuse"", whatever they come from.
fn tie_special_use(known: &mut Annotations, purpose: Option<ListAttribute>) {
    let key = SPECIAL_USE.to_owned();
    match purpose {
        Some(purpose) => known.insert(key, purpose.as_str().as_bytes().to_vec()),
        None => known.remove(&key),
    };
}

/// What a mailbox's special use becomes. RFC 6154 §4: "A server that supports this MUST check the validity of
/// changes […] in the same way that it checks validity for the CREATE command".
async fn special_use(
    session: &Session,
    name: &MailboxName,
    value: Option<&[u8]>,
) -> Result<Option<Vec<u8>>, Failure> {
    let text = String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
    let uses: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let purpose = create::purpose(&uses)?;
    let given = match purpose {
        Some(_) => session.user.configured_use(name),
        None => session.user.use_by_name(name).await?,
    };
    match given {
        Some(given) if Some(given) != purpose => {
            let text = format!("{name} is for {} by its name", given.as_str());
            Err(Failure::No(Some(Code::UseAttr), text.into()))
        }
        _ => Ok(purpose.map(|purpose| purpose.as_str().as_bytes().to_vec())),
    }
}

/// In one response, or in several where it would be large. In none where there is nothing to say.
pub(super) async fn tell_values(
    session: &mut Session,
    subject: &Subject,
    values: Vec<Value>,
) -> Result<(), Failure> {
    let mut values = values.into_iter().peekable();
    while values.peek().is_some() {
        let (mut part, mut octets) = (Vec::new(), 0);
        while octets < RESPONSE
            && let Some((entry, value)) = values.next()
        {
            octets += value.as_ref().map_or(0, Vec::len);
            part.push((entry, value));
        }
        session.writer.data(&Data::Metadata(name_of(subject), part));
        session.writer.relieve().await?;
    }
    Ok(())
}
