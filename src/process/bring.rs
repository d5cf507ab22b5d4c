//! The end of a recipient's line that is in the lmtp process: mail is brought to workers. Of those who have the same
//! worker one is sent the message, and the others the number that it got there.
//!
//! Who says nothing for too long, or is gone, has not got the mail, as far as anybody is told: it comes again then.

use std::io;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

use crate::lmtp::{Refusal, Transfer};
use crate::process::link::unexpected;
use crate::process::message::{Bring, Brought, Refused};
use crate::process::way;

/// How long a worker may take to open a mailbox.
const OPEN_LIMIT: Duration = Duration::from_secs(60);

/// How long it may take for more of a message: its disk may be busy.
const WRITE_LIMIT: Duration = Duration::from_secs(4 * 60);

/// How long all may take from the end of a message: Postfix and Exim wait for ten minutes, and bring it again if they have
/// heard nothing.
const END_LIMIT: Duration = Duration::from_secs(8 * 60);

/// Somebody who gets mail.
pub struct Recipient {
    /// The number of the worker.
    worker: u32,
    line: UnixStream,
}

impl Recipient {
    /// Has a worker open a mailbox.
    pub async fn open(
        worker: u32,
        mut line: UnixStream,
        mailbox: Option<&str>,
    ) -> Result<Recipient, Refusal> {
        let open = Bring::Open(mailbox.map(str::to_owned));
        match step(&mut line, open, Instant::now() + OPEN_LIMIT).await {
            Ok(Brought::Ready) => Ok(Recipient { worker, line }),
            answer => Err(refusal(answer)),
        }
    }
}

/// A message on its way to several workers.
pub struct Carrying {
    groups: Vec<Group>,
}

/// Recipients of one worker.
struct Group {
    worker: u32,
    /// Their lines, and which recipients they are. There is one at least, which the message goes to.
    lines: Vec<(usize, UnixStream)>,
    /// Why nothing is sent there any more.
    lost: Option<Refusal>,
}

impl Carrying {
    /// One for these.
    pub fn new(recipients: Vec<Recipient>) -> Carrying {
        let mut groups: Vec<Group> = Vec::new();
        for (place, Recipient { worker, line }) in recipients.into_iter().enumerate() {
            match groups.iter_mut().find(|group| group.worker == worker) {
                Some(group) => group.lines.push((place, line)),
                None => groups.push(Group {
                    worker,
                    lines: vec![(place, line)],
                    lost: None,
                }),
            }
        }
        Carrying { groups }
    }
}

impl Transfer for Carrying {
    type Recipient = Recipient;

    async fn write(&mut self, octets: &[u8]) {
        for group in &mut self.groups {
            group.send(octets).await;
        }
    }

    async fn end(self) -> Vec<Result<(), Refusal>> {
        let count = self.groups.iter().map(|group| group.lines.len()).sum();
        let mut results = vec![Err(Refusal::Temporary); count];
        let mut bringing: JoinSet<Vec<(usize, Result<(), Refusal>)>> =
            self.groups.into_iter().map(Group::end).collect();
        while let Some(brought) = bringing.join_next().await {
            for (place, result) in brought.unwrap_or_default() {
                if let Some(entry) = results.get_mut(place) {
                    *entry = result;
                }
            }
        }
        results
    }
}

impl Group {
    async fn send(&mut self, octets: &[u8]) {
        let (None, Some((_, line))) = (self.lost, self.lines.first_mut()) else {
            return;
        };
        let piece = Bring::Octets(octets.to_vec());
        let sent = timeout(WRITE_LIMIT, way::write(line, &piece)).await;
        if let Err(error) = sent.unwrap_or_else(|late| Err(late.into())) {
            warn!("a worker does not take a message: {error}");
            self.lost = Some(Refusal::Temporary);
        }
    }

    /// Each recipient's place, and what became of the message there.
    async fn end(mut self) -> Vec<(usize, Result<(), Refusal>)> {
        let deadline = Instant::now() + END_LIMIT;
        let whole = match (self.lost, self.lines.first_mut()) {
            (Some(lost), _) => Err(lost),
            (None, Some((_, line))) => match step(line, Bring::End, deadline).await {
                Ok(Brought::Whole(number)) => Ok(number),
                answer => Err(refusal(answer)),
            },
            (None, None) => Err(Refusal::Temporary),
        };
        let mut results = Vec::with_capacity(self.lines.len());
        // The first line comes last: with it the worker forgets the message.
        for (place, mut line) in self.lines.drain(..).rev() {
            let result = match whole {
                Ok(number) => match step(&mut line, Bring::Place(number), deadline).await {
                    Ok(Brought::Placed) => Ok(()),
                    answer => Err(refusal(answer)),
                },
                Err(refusal) => Err(refusal),
            };
            results.push((place, result));
        }
        results
    }
}

/// Says something and hears what comes of it.
async fn step(line: &mut UnixStream, said: Bring, deadline: Instant) -> io::Result<Brought> {
    let step = async {
        way::write(line, &said).await?;
        way::read(line).await
    };
    timeout_at(deadline, step).await?
}

/// What an answer means that is not the one that was hoped for.
fn refusal(answer: io::Result<Brought>) -> Refusal {
    let error = match answer {
        Ok(Brought::Refused(refused)) => {
            return match refused {
                Refused::OverQuota => Refusal::OverQuota,
                Refused::DiskFull => Refusal::DiskFull,
                Refused::TooLarge => Refusal::TooLarge,
                Refused::Fault => Refusal::Temporary,
            };
        }
        Ok(_) => unexpected("no answer to what was said"),
        Err(error) => error,
    };
    warn!("a worker has not taken mail: {error}");
    Refusal::Temporary
}
