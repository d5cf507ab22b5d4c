//! How master starts each of the other processes, and what it gives them: descriptors, certificates, who is there to ask.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Master;
use crate::config::Source;
use crate::net::tls::Identities;
use crate::process::child::{Child, Event, Said, Who};
use crate::process::doors::For;
use crate::process::link;
use crate::process::message::{
    AuthSetup, FromAuth, FromLmtp, FromLogin, FromNursery, FromProof, LmtpSetup, LoginSetup,
    NurserySetup, Setup, ToAuth, ToLmtp, ToLogin, ToProof,
};
use crate::process::proof;
use crate::process::settings;
use crate::process::start::hostname;

/// Passwords that may be checked at a time.
const PROOFS_MAX: usize = 256;

/// How often sockets that could not be opened are tried again.
const SOCKETS_PAUSE: Duration = Duration::from_secs(10);

impl Master {
    pub(super) async fn start_auth(&mut self) -> io::Result<()> {
        let believed = self.believed();
        let setup = Setup::Auth(AuthSetup {
            ids: self.roles.auth,
            config: settings::for_auth(&self.config),
            identities: believed.pieces().count(),
        });
        let number = self.number();
        let wrap = |said: FromAuth| Said::Auth(said);
        let setup = (&setup, &believed);
        let auth = Child::start(Who::Auth, number, setup, &[], &self.events, wrap);
        let auth = auth.await?;
        for door in self.doors.copies()? {
            if let For::Auth(protocol) = door.purpose {
                auth.tell(ToAuth::Socket(protocol, door.place), Some(door.socket));
            }
        }
        self.auth = Some(auth);
        // An lmtp process that is there already hears of it, too.
        if let Some(lmtp) = &self.lmtp {
            let (here, there) = link::pair()?;
            lmtp.tell(ToLmtp::Auth, Some(here));
            self.introduce(ToAuth::Lmtp(lmtp.number), there);
        }
        // A login process that is there already hears of it.
        if let Some(login) = &self.login {
            let (here, there) = link::pair()?;
            login.tell(ToLogin::Auth, Some(here));
            self.introduce(ToAuth::Login(login.number), there);
        }
        Ok(())
    }

    pub(super) async fn start_nursery(&mut self) -> io::Result<()> {
        let number = self.number();
        let setup = Setup::Nursery(NurserySetup {
            config: settings::for_worker(&self.config),
        });
        let wrap = |said: FromNursery| Said::Nursery(said);
        let setup = (&setup, &Identities::default());
        let nursery = Child::start(Who::Nursery, number, setup, &[], &self.events, wrap);
        self.nursery = Some(nursery.await?);
        self.nursery_begun = Instant::now();
        Ok(())
    }

    /// Opens the sockets for MTAs that are not open yet, and gives them to those who serve them; tries again later with
    /// what still is not.
    pub(super) fn open_doors(&mut self, first: bool) {
        for door in self.doors.open(first) {
            let socket = door.socket;
            match door.purpose {
                For::Auth(protocol) => self
                    .auth
                    .as_ref()
                    .map(|auth| auth.tell(ToAuth::Socket(protocol, door.place), Some(socket))),
                For::Lmtp => self
                    .lmtp
                    .as_ref()
                    .map(|lmtp| lmtp.tell(ToLmtp::Socket, Some(socket))),
            };
        }
        if !self.doors.are_open() {
            self.wake_for_sockets();
        }
    }

    fn wake_for_sockets(&self) {
        let events = self.events.clone();
        tokio::spawn(async move {
            sleep(SOCKETS_PAUSE).await;
            // Master is gone, too, if nobody hears it.
            let _ = events.send(Event::Sockets).await;
        });
    }

    /// What auth gets of the certificates: those whom it believes who a client is.
    fn believed(&self) -> Identities {
        Identities {
            certificates: Vec::new(),
            authorities: self.identities.authorities.clone(),
        }
    }

    /// Gives new certificates to those who use them.
    pub(super) fn renew(&mut self, identities: Identities) {
        self.identities = identities;
        if let Some(login) = &self.login {
            for piece in self.identities.pieces() {
                login.tell(ToLogin::Renew(piece), None);
            }
            login.tell(ToLogin::Renewed, None);
        }
        if let Some(auth) = &self.auth {
            for piece in self.believed().pieces() {
                auth.tell(ToAuth::Renew(piece), None);
            }
            auth.tell(ToAuth::Renewed, None);
        }
    }

    pub(super) async fn start_login(&mut self) -> io::Result<()> {
        let (here, there) = link::pair()?;
        let number = self.number();
        let ports = self.ports.iter();
        let setup = Setup::Login(LoginSetup {
            ids: self.roles.login,
            config: settings::for_login(&self.config),
            ports: ports
                .clone()
                .map(|port| (port.address, port.security.is_implicit()))
                .collect(),
            identities: self.identities.pieces().count(),
        });
        let mut descriptors: Vec<BorrowedFd<'_>> = vec![here.as_fd()];
        descriptors.extend(ports.map(|port| port.socket.as_fd()));
        let wrap = |said: FromLogin| Said::Login(said);
        let setup = (&setup, &self.identities);
        let login = Child::start(Who::Login, number, setup, &descriptors, &self.events, wrap);
        self.login = Some(login.await?);
        self.introduce(ToAuth::Login(number), there);
        Ok(())
    }

    pub(super) async fn start_lmtp(&mut self) -> io::Result<()> {
        let (here, there) = link::pair()?;
        let setup = Setup::Lmtp(LmtpSetup {
            ids: self.roles.lmtp,
            config: settings::for_lmtp(&self.config),
            host: hostname(&self.config),
        });
        let mut sockets = self.doors.copies()?;
        sockets.retain(|door| door.purpose == For::Lmtp);
        let mut descriptors: Vec<BorrowedFd<'_>> = vec![here.as_fd()];
        descriptors.extend(sockets.iter().map(|door| door.socket.as_fd()));
        let number = self.number();
        let wrap = |said: FromLmtp| Said::Lmtp(said);
        let setup = (&setup, &Identities::default());
        let lmtp = Child::start(Who::Lmtp, number, setup, &descriptors, &self.events, wrap);
        self.lmtp = Some(lmtp.await?);
        self.introduce(ToAuth::Lmtp(number), there);
        Ok(())
    }

    /// Somebody who checks one password by a source, at the other end of a link.
    pub(super) async fn start_proof(&mut self, source: u32) -> io::Result<OwnedFd> {
        if self.proofs >= PROOFS_MAX {
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        }
        let setup = proof::setup(self.source(source), self.roles.auth)?;
        let setup = Setup::Proof(setup);
        let (here, there) = link::pair()?;
        let number = self.number();
        let wrap = |said: FromProof| match said {};
        let (who, descriptors) = (Who::Proof, [there.as_fd()]);
        let setup = (&setup, &Identities::default());
        // It ends by itself.
        let _: Child<ToProof> =
            Child::start(who, number, setup, &descriptors, &self.events, wrap).await?;
        self.proofs += 1;
        Ok(here)
    }

    /// A source of users by its place in the configuration.
    pub(super) fn source(&self, number: u32) -> Option<&Source> {
        let number = usize::try_from(number).ok()?;
        Some(&self.config.auth.source.get(number)?.source)
    }

    /// Tells auth of a process that asks it.
    pub(super) fn introduce(&self, who: ToAuth, link: OwnedFd) {
        if let Some(auth) = &self.auth {
            auth.tell(who, Some(link));
        }
    }
}
