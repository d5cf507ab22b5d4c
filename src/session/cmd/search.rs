//! SEARCH (RFC 3501 §6.4.4): what [`crate::search`] finds, in this client's numbers.

use std::sync::Arc;

use crate::imap::command::Numbering;
use crate::imap::response::{Code, Data};
use crate::imap::search::SearchKey;
use crate::imap::sequence::Uid;
use crate::search::CHARSETS;
use crate::search::query::Query;
use crate::search::scan::{self, Cancel};
use crate::session::reply::{End, Failure, Reply};
use crate::session::{Session, State, stopped};

pub(crate) async fn run(
    session: &mut Session,
    numbering: Numbering,
    charset: Option<&[u8]>,
    key: &SearchKey,
) -> Result<Reply, Failure> {
    let Session {
        reader,
        writer,
        state,
        stop,
        ..
    } = session;
    let State::Selected(view) = state else {
        return Err(Failure::Bad("No mailbox selected".into()));
    };
    let query = Query::compile(key, charset).map_err(|unknown| {
        let code = Code::BadCharset(CHARSETS.to_vec());
        Failure::No(Some(code), unknown.to_string().into())
    })?;
    let mailbox = Arc::clone(view.mailbox());
    let picked = view.all();
    let last = (
        view.exists(),
        picked.last().map_or(0, |picked| picked.message.uid.get()),
    );
    let scan = scan::run(
        Arc::clone(&mailbox),
        picked,
        Arc::clone(view.snapshot()),
        last,
        query,
        Cancel::new(),
    );
    // A search may take long. Nobody waits for it once the client is gone; dropped, it stops.
    writer.flush().await?;
    let found = tokio::select! {
        found = scan => found?,
        () = reader.closed() => {
            return Err(End::from(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)).into());
        }
        () = stopped(stop) => return Err(End::STOP.into()),
    };
    let numbers: Vec<u32> = match numbering {
        Numbering::Uid => {
            let highest = found
                .uids
                .ranges()
                .last()
                .and_then(|range| Uid::new(range.1));
            if let Some(highest) = highest {
                mailbox.durable(highest).await?;
            }
            found.uids.iter().collect()
        }
        Numbering::Sequence => found
            .uids
            .iter()
            .filter_map(|uid| Some(view.number(Uid::new(uid)?)?.0.get()))
            .collect(),
    };
    writer.data(&Data::Search(numbers));
    Ok(if found.expunged {
        Reply::with(
            Code::ExpungeIssued,
            "Search completed, some messages were already expunged",
        )
    } else {
        Reply::ok("Search completed")
    })
}
