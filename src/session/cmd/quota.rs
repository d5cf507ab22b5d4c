//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208), which are also what RFC 2087 knew. An account is one quota root; one
//! without limits has none.

use crate::imap::response::{Code, Data, Resource};
use crate::mailbox::quota::State;
use crate::session::Session;
use crate::session::reply::{Failure, Reply};

/// What nearly every Dovecot calls it.
const ROOT: &str = "User quota";

/// Octets of a unit of STORAGE (RFC 9208 §5.1).
const UNIT: u64 = 1024;

pub(crate) async fn get(session: &mut Session, root: &[u8]) -> Result<Reply, Failure> {
    match session.user.quota().state().await? {
        Some(state) if root == ROOT.as_bytes() => {
            session.writer.data(&Data::Quota(ROOT, resources(state)));
            Ok(Reply::ok("Getquota completed"))
        }
        _ => Err(Failure::No(None, "Quota root doesn't exist".into())),
    }
}

/// "The mailbox name parameter doesn't have to reference an existing mailbox" (§4.1.2).
pub(crate) async fn get_root(session: &mut Session, wire: &[u8]) -> Result<Reply, Failure> {
    let name = session.name(wire).await?;
    let state = session.user.quota().state().await?;
    let roots = state.iter().map(|_| ROOT).collect();
    session.writer.data(&Data::QuotaRoot(name, roots));
    if let Some(state) = state {
        session.writer.data(&Data::Quota(ROOT, resources(state)));
    }
    Ok(Reply::ok("Getquotaroot completed"))
}

/// Without QUOTASET, which is not announced, it is known for those who know RFC 2087 alone.
pub(crate) fn set() -> Result<Reply, Failure> {
    let text = "Quota can be changed only by admin";
    Err(Failure::No(Some(Code::NoPerm), text.into()))
}

/// Of what is limited. A unit of STORAGE that has been begun counts.
fn resources(state: State) -> Vec<Resource> {
    let State { limits, usage } = state;
    let storage = limits.storage.map(|limit| Resource {
        name: "STORAGE",
        usage: usage.storage.div_ceil(UNIT),
        limit: limit.div_ceil(UNIT),
    });
    let messages = limits.messages.map(|limit| Resource {
        name: "MESSAGE",
        usage: usage.messages,
        limit,
    });
    storage.into_iter().chain(messages).collect()
}
