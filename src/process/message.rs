//! What may cross between the processes of one server: a fixed list for each direction of each link.
//!
//! ```text
//!             ┌──────── master ────────┐
//!     ToLogin │          │ ToAuth      │ ToWorker
//!      ToLmtp ▼          ▼ FromAuth    ▼ FromWorker
//!     login, lmtp ◀───▶ auth         worker
//!             │  Ask, Reply            ▲
//!             │  Seek, Sought          │
//!             └────────────────────────┘
//!              a line for each session: Entry, Way back
//!              a line for each recipient: Bring, Brought
//! ```
//!
//! Workers are begun by the nursery, at master's word (`ToNursery`, `FromNursery`).
//!
//! A process says nothing to master but what stands here, login and lmtp that they are there and nothing else: what they want
//! they ask of auth, and who has logged in or gets mail auth tells master, so that a login process that was taken over can
//! name nobody, and an lmtp process can bring mail, to those that auth knows, and see none. Octets that clients
//! wrote cross from login to auth and to a worker alone, and so do those of mail from lmtp.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::auth::{Granted, Line, Mechanism};
use crate::config::AuthProtocol;
use crate::lmtp::Delivered;
use crate::net::tls::Piece;
use crate::process::privileges::Ids;
use crate::session::{How, Opening};

/// The number of a login's connection, given by the login process.
pub type Connection = u64;

/// What a process is told first: what it is.
#[derive(Debug, Serialize, Deserialize)]
pub enum Setup {
    /// See [`LoginSetup`]. With it come the link to auth, and a socket for each of the ports.
    Login(LoginSetup),
    /// See [`AuthSetup`].
    Auth(AuthSetup),
    /// See [`NurserySetup`].
    Nursery(NurserySetup),
    /// See [`ProofSetup`]. With it comes the link to auth.
    Proof(ProofSetup),
    /// See [`LmtpSetup`]. With it come the link to auth, and a socket for each place where it listens.
    Lmtp(LmtpSetup),
}

/// How the check of one password begins.
#[derive(Debug, Serialize, Deserialize)]
pub enum ProofSetup {
    /// By PAM, with this service.
    Pam(String),
    /// By shadow(5).
    Shadow,
    /// By a program.
    Exec {
        /// The program and its arguments.
        command: Vec<String>,
        /// Whom it runs as; `None`: as master does, which is not root.
        ids: Option<Ids>,
    },
}

/// How the login process begins.
#[derive(Debug, Serialize, Deserialize)]
pub struct LoginSetup {
    /// Whom it becomes; `None`: there is nobody to become.
    pub ids: Option<Ids>,
    /// What it needs of the configuration, as TOML.
    pub config: String,
    /// Where it listens, and whether TLS begins at once.
    pub ports: Vec<(SocketAddr, bool)>,
    /// How many parts of [`Identities`](crate::net::tls::Identities) follow, a message each.
    pub identities: usize,
}

/// How the lmtp process begins.
#[derive(Debug, Serialize, Deserialize)]
pub struct LmtpSetup {
    /// Whom it becomes; `None`: there is nobody to become.
    pub ids: Option<Ids>,
    /// What it needs of the configuration, as TOML.
    pub config: String,
    /// This host's name.
    pub host: String,
}

/// How the auth process begins.
#[derive(Debug, Serialize, Deserialize)]
pub struct AuthSetup {
    /// Whom it becomes; `None`: there is nobody to become.
    pub ids: Option<Ids>,
    /// What it needs of the configuration, as TOML.
    pub config: String,
    /// How many parts of [`Identities`](crate::net::tls::Identities) follow, a message each: those whom it believes who a
    /// client is.
    pub identities: usize,
}

/// How the nursery begins.
#[derive(Debug, Serialize, Deserialize)]
pub struct NurserySetup {
    /// What workers need of the configuration, as TOML.
    pub config: String,
}

/// Master → nursery: a worker of this number is to be begun; its end of its link comes along.
#[derive(Debug, Serialize, Deserialize)]
pub struct ToNursery(pub u32, pub WorkerSetup);

/// Nursery → master.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromNursery {
    /// It can begin workers.
    Ready,
    /// The worker of this number has been begun; what it can be ended by, and its end be seen, comes along
    /// (pidfd_open(2)).
    Begun(u32),
    /// The worker of this number has ended, with this status of wait(2).
    Ended(u32, i32),
    /// The worker of this number could not be begun; why, as a number of errno(3).
    Unborn(u32, i32),
}

/// How a worker begins.
#[derive(Debug, Serialize, Deserialize)]
pub struct WorkerSetup {
    /// Whom it becomes; `None`: there is nobody to become.
    pub ids: Option<Ids>,
    /// The directories that it may use; `None`: any.
    pub reach: Option<Vec<PathBuf>>,
    /// It serves many users.
    pub crowded: bool,
}

/// Master → login.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToLogin {
    /// Another auth process is there; its link comes along.
    Auth,
    /// This connection's user has logged in; the line to the worker comes along.
    Enter(Connection),
    /// The user has, but cannot be served.
    Refuse(Connection),
    /// Certificates have been renewed: this is a part of what there is now.
    Renew(Piece),
    /// That was all of it.
    Renewed,
    /// No more connections; those that are there are to end.
    Stop,
}

/// Login → master.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromLogin {
    /// It serves.
    Ready,
}

/// The number of a recipient, given by the lmtp process.
pub type Recipient = u64;

/// Master → lmtp.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToLmtp {
    /// Another auth process is there; its link comes along.
    Auth,
    /// Another socket is there, and comes along.
    Socket,
    /// This recipient is there: the line to the worker of this number comes along.
    Enter(Recipient, u32),
    /// The recipient is there, but cannot be served.
    Refuse(Recipient),
    /// No more connections; what has come as a whole is to be brought.
    Stop,
}

/// Lmtp → master.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromLmtp {
    /// It serves.
    Ready,
}

/// Lmtp → auth: who has this name?
#[derive(Debug, Serialize, Deserialize)]
pub struct Seek(pub Recipient, pub String);

/// Auth → lmtp. Who was found is told master.
#[derive(Debug, Serialize, Deserialize)]
pub enum Sought {
    /// There is no such user.
    Nobody(Recipient),
    /// A source cannot answer.
    Unavailable(Recipient),
}

/// Login → auth.
#[derive(Debug, Serialize, Deserialize)]
pub enum Ask {
    /// A login begins.
    Begin(Connection, Mechanism, Line),
    /// What the client says next, out of base64; `None`: it begins without a response.
    Step(Connection, Option<Zeroizing<Vec<u8>>>),
    /// It was given up.
    Cancel(Connection),
}

/// Auth → login. What is granted goes to master.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The client is to answer this.
    Challenge(Connection, Vec<u8>),
    /// Wrong password, or no such user.
    Denied(Connection),
    /// The user may not log in, for this reason.
    Disabled(Connection, String),
    /// A source cannot answer.
    Unavailable(Connection),
}

/// Master → auth.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToAuth {
    /// A login process of this number is there; its link comes along.
    Login(u32),
    /// An lmtp process of this number is there; its link comes along.
    Lmtp(u32),
    /// A socket that MTAs connect to comes along; what is spoken there, and its name.
    Socket(AuthProtocol, String),
    /// The answer to the question of this number: the file comes along, or the link to who checks a password; or why
    /// not, as a number of errno(3).
    Here(u32, Option<i32>),
    /// The certificates of those whom it believes who a client is have been renewed: this is one.
    Renew(Piece),
    /// That was all of it.
    Renewed,
    /// It is over.
    Stop,
}

/// Auth → master.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromAuth {
    /// It answers.
    Ready,
    /// A connection of the login process of this number is this user's.
    Granted(u32, Connection, Granted),
    /// A recipient of the lmtp process of this number is this user.
    Found(u32, Recipient, Granted),
    /// Asks for the file of a source of users, by its place in the configuration, as it is for this user. The first
    /// number is the question's.
    Open(u32, u32, String),
    /// Asks for a process that checks a password by a source, by its place in the configuration. The first number is
    /// the question's.
    Prove(u32, u32),
}

/// Master → worker.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToWorker {
    /// A connection of this user is coming, on the line that comes along.
    Serve(Granted),
    /// Mail for this user is coming, on the line that comes along.
    Receive(Granted),
    /// Nobody will come any more; those that are there may stay.
    Leave,
    /// Sessions are to end.
    Stop,
}

/// Worker → master.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromWorker {
    /// It serves, in the directories of these devices and inodes.
    Ready(Vec<(u64, u64)>),
    /// It has had nothing to do for a while, after so many connections.
    Idle(u64),
}

/// Master → who checks a password: nothing, once it is set up.
#[derive(Debug, Serialize)]
pub enum ToProof {}

/// Who checks a password → master: nothing. It answers auth.
#[derive(Debug, Deserialize)]
pub enum FromProof {}

/// Login → worker, on the line of a session: somebody who has logged in.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The tag of the command to answer.
    pub tag: Vec<u8>,
    /// The client asked CAPABILITY before.
    pub capability_asked: bool,
    /// How the client has logged in, for the log.
    pub how: How,
    /// What is known of the connection; [`Opening::greeting`] says nothing here.
    pub opening: Opening,
    /// The client's address.
    pub peer: SocketAddr,
}

/// Lmtp → worker, on the line of a recipient: mail for that user, and nothing else.
#[derive(Debug, Serialize, Deserialize)]
pub enum Bring {
    /// First: the mailbox that the address names, in UTF-8, and how large the message was announced to be. Answered by
    /// [`Brought::Ready`].
    Open(Option<String>, Option<u64>),
    /// More of a message.
    Octets(Vec<u8>),
    /// That was all of it. Answered by [`Brought::Whole`].
    End,
    /// The message of this number is for this recipient too. Answered by [`Brought::Placed`].
    Place(u64),
}

/// Worker → lmtp, on the same line.
#[derive(Debug, Serialize, Deserialize)]
pub enum Brought {
    /// There is a mailbox for what comes, on this device.
    Ready(u64),
    /// The message is on the disk; its number.
    Whole(u64),
    /// It is in the mailbox, for good.
    Placed(Delivered),
    /// It is not.
    Refused(Refused),
}

/// Why a worker does not take mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// The user has as much as is allowed.
    OverQuota,
    /// The same for now.
    FullForNow,
    /// There is no room on the disk.
    DiskFull,
    /// It is too large.
    TooLarge,
    /// Anything else.
    Fault,
}

/// Worker → login, on the same line: the client has given up who it was (RFC 8437).
#[derive(Debug, Serialize, Deserialize)]
pub struct WayBack {
    /// How the connection goes on.
    pub opening: Opening,
}
