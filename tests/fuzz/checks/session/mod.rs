//! Whole sessions, logged in, over a Maildir made for each input.
//!
//! Octet 1 says how the Maildir is kept and how the client talks ([`How`]); the rest is what the client
//! says. A client that waits for answers gets exactly one tagged answer for each command (or `* BYE`), hears
//! numbers that agree with each other, and leaves a Maildir in order behind. Lines that begin with `|` are
//! said by a second client of the same account. A client that does not wait says everything at once.

mod answers;
mod client;
mod disk;

use std::sync::Arc;
use std::time::Duration;

use culver::mailbox::user::{Account, DiskNames, Fsync, Layout, User};
use culver::session::{Limits, preauth};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::client::{Client, Step};
use self::disk::Disk;

/// Far longer than any input needs: what takes as long hangs.
const LONGEST: Duration = Duration::from_secs(50);

/// What the first octet says, bit by bit.
struct How(u8);

impl How {
    fn says(&self, bit: u8) -> bool {
        self.0 >> bit & 1 == 1
    }

    /// The client does not wait for answers.
    fn at_once(&self) -> bool {
        self.says(0)
    }

    /// How much may be under way to such a client.
    fn room(&self) -> usize {
        if self.says(5) { 64 } else { 1 << 16 }
    }

    fn layout(&self) -> Layout {
        match self.says(1) {
            true => Layout::Fs,
            false => Layout::MaildirPlusPlus,
        }
    }

    fn names(&self) -> DiskNames {
        match self.says(2) {
            true => DiskNames::Utf8,
            false => DiskNames::Utf7,
        }
    }

    fn fsync(&self) -> Fsync {
        match self.says(3) {
            true => Fsync::Always,
            false => Fsync::Never,
        }
    }

    /// Dovecot's files lie in a directory of their own.
    fn control(&self) -> bool {
        self.says(4)
    }
}

/// Lets clients say the octets, and looks at what they heard and left behind.
pub fn check(octets: &[u8]) {
    let [how, said @ ..] = octets else {
        return;
    };
    let how = How(*how);
    let mut disk = Disk::new(how.layout(), how.names(), how.control());
    let account = Account {
        location: disk.location().clone(),
        fsync: how.fsync(),
        attachment_keywords: false,
        auto_create: Vec::new(),
        quota: Default::default(),
    };
    let appended = run(async {
        let user = User::open(account.clone()).unwrap();
        let appended = match how.at_once() {
            true => say_at_once(&user, said, how.room()).await,
            false => say(&user, said, &mut disk).await,
        };
        user.flush().await;
        appended
    });
    disk.look();
    disk.expect_in_order(said, appended);

    // Whoever comes next finds it as it is.
    run(async {
        let user = User::open(account).unwrap();
        disk.expect_readable(&user).await;
        user.flush().await;
    });
    disk.look();
}

/// Runs something and whatever it leaves running.
fn run<T>(task: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let result = runtime.block_on(async { timeout(LONGEST, task).await });
    // Waits for what runs on a thread.
    drop(runtime);
    result.expect("it hangs")
}

/// One session for a client.
fn enter(user: &Arc<User>, room: usize, stop: watch::Receiver<bool>) -> (Client, JoinHandle<()>) {
    let (client, stream) = Client::new(room);
    let user = Arc::clone(user);
    let session = async move { preauth(stream, "u", user, Limits::default(), stop).await };
    (client, tokio::spawn(session))
}

/// Two clients that wait for their answers. Gives how many messages were acknowledged.
async fn say(user: &Arc<User>, said: &[u8], disk: &mut Disk) -> usize {
    let (_stop, stopped) = watch::channel(false);
    let mut sessions = Vec::new();
    let mut clients: [Option<Client>; 2] = [None, None];
    let mut rest = said;
    while !rest.is_empty() {
        let second = rest.first() == Some(&b'|');
        rest = &rest[usize::from(second)..];
        let place = &mut clients[usize::from(second)];
        if place.is_none() {
            let (mut client, session) = enter(user, 1 << 20, stopped.clone());
            client.be_greeted().await;
            sessions.push(session);
            *place = Some(client);
        }
        if let Some(client) = place
            && client.say(&mut rest).await == Step::Gone
        {
            break;
        }
        disk.look();
    }
    let mut appended = 0;
    for client in clients.into_iter().flatten() {
        appended += client.leave().await;
    }
    for session in sessions {
        session.await.expect("a session panics");
    }
    appended
}

/// A client that waits for nothing.
async fn say_at_once(user: &Arc<User>, said: &[u8], room: usize) -> usize {
    let (_stop, stopped) = watch::channel(false);
    let (client, session) = enter(user, room, stopped);
    let appended = client.say_at_once(said).await;
    session.await.expect("a session panics");
    appended
}
