//! Those who have logged in, in the process that serves them: a seat in the account, and the session.

use std::net::SocketAddr;
use std::sync::Arc;

use tracing::{error, info, warn};

use crate::net::stream::Stream;
use crate::process::connection::Inside;
use crate::process::users::{Purpose, Unserved, Users};
use crate::session::{self, Code, Handover, How, Limits, Released, Stop};

/// What all sessions of a process share.
#[derive(Clone)]
pub struct Service {
    /// The accounts.
    pub users: Arc<Users>,
    /// Of every session.
    pub limits: Limits,
    /// Told when the server stops.
    pub stop: Stop,
}

impl Service {
    /// Serves somebody who has logged in. Gives what goes on without them.
    pub async fn serve<S: session::Stream>(
        &self,
        handover: Handover<S>,
        peer: SocketAddr,
    ) -> Option<Released<S>> {
        let (user, master) = (
            handover.passage.user.clone(),
            handover.passage.master.clone(),
        );
        let How { mechanism, tls } = handover.how;
        let mechanism = mechanism.name();
        match self.users.enter(&handover.passage, Purpose::Session).await {
            Ok(seat) => {
                info!(user, %peer, mechanism, %tls, master, "logged in");
                let account = Arc::clone(seat.user());
                let released =
                    session::run(handover, account, self.limits.clone(), self.stop.clone()).await;
                info!(user, %peer, master, "gone");
                released
            }
            Err(Unserved::TooMany) => {
                warn!(user, %peer, mechanism, %tls, master, "login refused: too many connections of this user");
                let text = "Too many connections of this user";
                Box::pin(session::turn_away(handover, Code::Limit, text)).await;
                None
            }
            Err(Unserved::Failed(error)) => {
                error!(user, %peer, mechanism, %tls, master, "login refused: {error}");
                let text = "Your mail cannot be opened; the server's log says why";
                Box::pin(session::turn_away(handover, Code::Unavailable, text)).await;
                None
            }
        }
    }
}

impl Inside<crate::auth::Granted> for Service {
    async fn serve(
        &self,
        handover: Handover<Stream>,
        peer: SocketAddr,
    ) -> Option<Released<Stream>> {
        Service::serve(self, handover, peer).await
    }
}
