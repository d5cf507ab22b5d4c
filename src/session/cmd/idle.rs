//! IDLE (RFC 2177): news as it happens.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::imap::response::StatusKind;
use crate::mailbox::annotations::Listener;
use crate::mailbox::fault::Fault;
use crate::mailbox::snapshot::Snapshot;
use crate::mailbox::view::Expunge;
use crate::session::cmd::metadata;
use crate::session::cut::Cut;
use crate::session::notify::{self, Notify};
use crate::session::reply::{self, End, Failure, Reply};
use crate::session::updates::By;
use crate::session::{Session, State, stopped, updates};

/// How often a client hears that the server is there. It keeps addresses translated on the way, and finds
/// clients that are not; so IDLE itself never times out.
const STILL_HERE: Duration = Duration::from_secs(2 * 60);

/// How often the mailbox is looked at in case nobody noticed a change.
const LOOK: Duration = Duration::from_secs(30);

/// Serves until DONE. Without a mailbox selected it only waits.
pub(crate) async fn run(session: &mut Session) -> Result<Reply, Failure> {
    session.writer.continuation("idling");
    let mut changes = match &session.state {
        State::Selected(view, _) => Some(view.mailbox().changes()),
        State::Authenticated => None,
    };
    let mut still_here = interval_at(Instant::now() + STILL_HERE, STILL_HERE);
    let mut look = interval_at(Instant::now() + LOOK, LOOK);
    still_here.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // What happened before IDLE, or while this client was slow to read, counts too.
        Box::pin(tell(session)).await?;
        session.writer.flush().await?;
        // Who idles has to wait, and need not cost what compression does.
        session.writer.rest();
        tokio::select! {
            biased;
            () = stopped(&mut session.stop) => return Err(End::STOP.into()),
            line = session.reader.line() => return match line? {
                Cut::Command(line) if line.eq_ignore_ascii_case(b"DONE") => {
                    Ok(Reply::ok("Idle completed"))
                }
                Cut::Refused(refusal) => Err(Failure::Refused(refusal)),
                Cut::Flood => Err(End::FLOOD.into()),
                _ => Err(Failure::Bad("Expected DONE".into())),
            },
            () = changed(&mut changes) => {}
            () = notified(&mut session.notify) => {}
            () = annotated(&mut session.annotations) => {}
            _ = still_here.tick() => {
                session.writer.status(None, StatusKind::Ok, None, "Still here");
            }
            _ = look.tick() => Box::pin(refresh(session)).await?,
        }
    }
}

/// Tells all that is new. In a box of its own: who idles keeps no room for it.
async fn tell(session: &mut Session) -> Result<(), Failure> {
    metadata::tell(session).await?;
    notify::tell(session).await?;
    updates::tell(session, Expunge::Allowed, false, By::Others).await?;
    updates::tell_modseq(session, None);
    Ok(())
}

/// Resolves at the next change; never, where there is nothing that could.
async fn changed(changes: &mut Option<watch::Receiver<Arc<Snapshot>>>) {
    match changes {
        Some(receiver) => {
            if receiver.changed().await.is_err() {
                *changes = None;
            }
        }
        None => std::future::pending().await,
    }
}

/// Resolves when something has happened elsewhere that the client wants to hear of.
async fn notified(notify: &mut Option<Box<Notify>>) {
    match notify {
        Some(notify) => notify.hears().await,
        None => std::future::pending().await,
    }
}

/// Resolves when somebody else has changed an annotation, if the client wants to hear of that.
pub(crate) async fn annotated(listener: &mut Option<Listener>) {
    match listener {
        Some(listener) => listener.hears().await,
        None => std::future::pending().await,
    }
}

async fn refresh(session: &mut Session) -> Result<(), Failure> {
    let State::Selected(view, _) = &session.state else {
        return Ok(());
    };
    let mailbox = Arc::clone(view.mailbox());
    match mailbox.refresh().await {
        Ok(()) => Ok(()),
        Err(Fault::Ended) => Err(Fault::Ended.into()),
        Err(fault) => {
            reply::log(&fault, "IDLE");
            Ok(())
        }
    }
}
