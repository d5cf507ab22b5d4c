//! ENABLE (RFC 5161, RFC 9051 §6.3.1).

use crate::imap::response::Data;
use crate::session::reply::{Failure, Reply};
use crate::session::{Session, State};

/// What is not known, or needs no enabling, is passed over. A client should enable before it selects, but
/// "server implementations don't have to check" that (RFC 9051 §6.3.1).
pub(crate) fn run(session: &mut Session, names: &[String]) -> Result<Reply, Failure> {
    let mut enabled = Vec::new();
    let offered = |name: &str| !session.limits.withdrawn.has(name, &session.client_id);
    let mut enable = |name, switch: &mut bool| {
        if offered(name) && names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)) {
            *switch = true;
            enabled.push(name);
        }
    };
    enable("IMAP4rev2", &mut session.enabled.rev2);
    enable("UTF8=ACCEPT", &mut session.enabled.utf8);
    // "ENABLE QRESYNC" and "ENABLE QRESYNC CONDSTORE" "are "CONDSTORE enabling commands" […] and have identical
    // results" (RFC 7162 §3.2.3).
    let mut condstore = false;
    enable("QRESYNC", &mut session.enabled.qresync);
    enable("CONDSTORE", &mut condstore);
    enable("UIDONLY", &mut session.enabled.uid_only);
    for name in ["METADATA", "METADATA-SERVER"] {
        enable(name, &mut session.enabled.metadata);
    }
    if session.enabled.metadata && session.annotations.is_none() {
        session.annotations = Some(session.user.listen());
    }
    if session.enabled.utf8_names() {
        session.writer.use_utf8_names();
    }
    if let State::Selected(view, _) = &mut session.state
        && session.enabled.rev2
    {
        view.without_recent();
    }
    session.writer.data(&Data::Enabled(enabled));
    if condstore || session.enabled.qresync {
        session.enable_condstore();
    }
    Ok(Reply::ok("Enabled"))
}
