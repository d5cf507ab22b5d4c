//! The end of a recipient's line that is in the lmtp process: mail is brought to workers. Of those who have the same
//! worker one is sent the message, and the others the number that it got there.
//!
//! Who says nothing for too long, or is gone, has not got the mail, as far as anybody is told: it comes again then.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use rustix::rand::{GetRandomFlags, getrandom};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;
use zeroize::Zeroizing;

use crate::lmtp::{Delivered, Refusal, Transfer, Wanted};
use crate::process::link::unexpected;
use crate::process::message::{Bring, Brought, Refused};
use crate::process::peers::Addressee;
use crate::process::way;

/// How long a worker may take for more of a message: its disk may be busy.
const WRITE_LIMIT: Duration = Duration::from_secs(2 * 60);

/// Somebody who gets mail.
pub struct Recipient {
    place: Place,
    line: UnixStream,
    /// To its end.
    _counted: Addressee,
}

/// Where a message need come but once: the number of the worker, and the device of the mailbox. What is wrong with a disk
/// concerns nobody whose mail is on another.
type Place = (u32, u64);

impl Recipient {
    /// Has a worker open a mailbox and try whether mail can be brought there.
    pub async fn open(
        worker: u32,
        mut line: UnixStream,
        wanted: Wanted<'_>,
        counted: Addressee,
    ) -> Result<Recipient, Refusal> {
        let open = Bring::Open(wanted.mailbox.map(str::to_owned), wanted.size);
        match step(&mut line, open).await {
            Ok(Brought::Ready(device)) => Ok(Recipient {
                place: (worker, device),
                line,
                _counted: counted,
            }),
            answer => Err(refusal(answer)),
        }
    }
}

/// A message on its way to several places.
pub struct Carrying {
    groups: Vec<Group>,
}

/// Recipients in one place.
struct Group {
    place: Place,
    /// Them, and which they are. There is one at least, and the message goes to the first.
    recipients: Vec<(usize, Recipient)>,
    /// Why nothing is sent there any more.
    lost: Option<Refusal>,
}

impl Carrying {
    /// One for these.
    pub fn new(recipients: Vec<Recipient>) -> Carrying {
        // Each time another is the first: if its `tmp/` alone cannot be written, the others do not wait for that for ever.
        let mut octets = [0; 8];
        let _ = getrandom(&mut octets, GetRandomFlags::empty());
        Carrying::with_first(recipients, usize::from_ne_bytes(octets))
    }

    /// The same, with this one of each group as the first, counted round.
    fn with_first(recipients: Vec<Recipient>, first: usize) -> Carrying {
        let mut groups: Vec<Group> = Vec::new();
        for (which, recipient) in recipients.into_iter().enumerate() {
            let place = recipient.place;
            match groups.iter_mut().find(|group| group.place == place) {
                Some(group) => group.recipients.push((which, recipient)),
                None => groups.push(Group {
                    place,
                    recipients: vec![(which, recipient)],
                    lost: None,
                }),
            }
        }
        for Group { recipients, .. } in &mut groups {
            let first = first.checked_rem(recipients.len());
            recipients.rotate_left(first.unwrap_or(0));
        }
        Carrying { groups }
    }
}

impl Transfer for Carrying {
    type Recipient = Recipient;

    async fn write(&mut self, octets: &[u8]) {
        let piece = way::pack(&Bring::Octets(octets.to_vec()));
        // One that is slow does not keep the others waiting longer than itself.
        join_all(self.groups.iter_mut().map(|group| group.send(&piece))).await;
    }

    async fn end(self, deadline: Instant) -> Vec<Result<Delivered, Refusal>> {
        let count = (self.groups.iter())
            .map(|group| group.recipients.len())
            .sum();
        let mut results = vec![Err(Refusal::Temporary); count];
        let groups = self.groups.into_iter();
        let brought = join_all(groups.map(|group| group.end(deadline))).await;
        for (which, result) in brought.into_iter().flatten() {
            if let Some(entry) = results.get_mut(which) {
                *entry = result;
            }
        }
        results
    }
}

impl Group {
    async fn send(&mut self, piece: &io::Result<Zeroizing<Vec<u8>>>) {
        let (None, Some((_, first))) = (self.lost, self.recipients.first_mut()) else {
            return;
        };
        let sent = match piece {
            Ok(piece) => {
                let sent = timeout(WRITE_LIMIT, way::send(&mut first.line, piece)).await;
                sent.unwrap_or_else(|late| Err(late.into()))
            }
            Err(error) => Err(error.kind().into()),
        };
        if let Err(error) = sent {
            warn!("a worker does not take a message: {error}");
            self.lost = Some(Refusal::Temporary);
        }
    }

    /// Which recipients they are, and what became of the message there.
    async fn end(mut self, deadline: Instant) -> Vec<(usize, Result<Delivered, Refusal>)> {
        let whole = match (self.lost, self.recipients.first_mut()) {
            (Some(lost), _) => Err(lost),
            (None, Some((_, first))) => {
                match in_time(deadline, step(&mut first.line, Bring::End)).await {
                    Ok(Brought::Whole(number)) => Ok(number),
                    answer => Err(refusal(answer)),
                }
            }
            (None, None) => Err(Refusal::Temporary),
        };
        // One that is slow keeps nobody waiting but itself. All lines stay until all are done: with the first the worker
        // forgets the message.
        let recipients = self.recipients.iter_mut().enumerate();
        join_all(recipients.map(|(at, (which, recipient))| async move {
            let result = match whole {
                Ok(number) => {
                    let place = step(&mut recipient.line, Bring::Place(number));
                    match in_time(deadline, place).await {
                        Ok(Brought::Placed(delivered)) => Ok(delivered),
                        answer => Err(refusal(answer)),
                    }
                }
                // What is too large is so for all; anything else may be the first one's own trouble.
                Err(refusal) if at == 0 || refusal == Refusal::TooLarge => Err(refusal),
                Err(_) => Err(Refusal::Temporary),
            };
            (*which, result)
        }))
        .await
    }
}

/// All of these at once.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut all_done = Poll::Ready(());
        for (future, done) in running.iter_mut().filter(|(_, done)| done.is_none()) {
            match future.as_mut().poll(context) {
                Poll::Ready(output) => *done = Some(output),
                Poll::Pending => all_done = Poll::Pending,
            }
        }
        all_done
    })
    .await;
    running.into_iter().filter_map(|(_, done)| done).collect()
}

/// Says something and hears what comes of it.
async fn step(line: &mut UnixStream, said: Bring) -> io::Result<Brought> {
    way::write(line, &said).await?;
    way::read(line).await
}

async fn in_time(
    deadline: Instant,
    step: impl Future<Output = io::Result<Brought>>,
) -> io::Result<Brought> {
    timeout_at(deadline, step).await?
}

/// What an answer means that is not the one that was hoped for.
fn refusal(answer: io::Result<Brought>) -> Refusal {
    let error = match answer {
        Ok(Brought::Refused(refused)) => {
            return match refused {
                Refused::OverQuota => Refusal::OverQuota,
                Refused::FullForNow => Refusal::FullForNow,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A recipient in a place, and the worker's end of the line.
    fn recipient(place: Place) -> (Recipient, UnixStream) {
        let (line, worker) = UnixStream::pair().unwrap();
        let recipient = Recipient {
            place,
            line,
            _counted: Addressee::alone(),
        };
        (recipient, worker)
    }

    fn delivered() -> Delivered {
        Delivered {
            user: "ann".to_owned(),
            mailbox: "INBOX".to_owned(),
            size: 4,
        }
    }

    /// Takes a message, if one comes by this line, and places what it is told to.
    async fn work(mut line: UnixStream, refused: Option<Refused>) -> Vec<u8> {
        let mut message = Vec::new();
        while let Ok(said) = way::read(&mut line).await {
            let answer = match (said, refused) {
                (Bring::Octets(octets), _) => {
                    message.extend(octets);
                    continue;
                }
                (_, Some(refused)) => Brought::Refused(refused),
                (Bring::End, None) => Brought::Whole(1),
                (_, None) => Brought::Placed(delivered()),
            };
            way::write(&mut line, &answer).await.unwrap();
        }
        message
    }

    #[tokio::test]
    async fn a_message_comes_once_to_each_place() {
        let (mut recipients, mut workers) = (Vec::new(), Vec::new());
        for (place, refused) in [
            ((1, 8), Some(Refused::DiskFull)),
            ((1, 9), None),
            ((1, 8), None),
            ((1, 9), Some(Refused::OverQuota)),
            ((2, 9), None),
        ] {
            let (recipient, worker) = recipient(place);
            recipients.push(recipient);
            workers.push(tokio::spawn(work(worker, refused)));
        }
        let mut carrying = Carrying::with_first(recipients, 0);
        carrying.write(b"text").await;
        let results = carrying.end(Instant::now() + WRITE_LIMIT).await;
        let full = Err(Refusal::DiskFull);
        let over = Err(Refusal::OverQuota);
        // Of the second nothing is known: only the first has no room for certain.
        let unknown = Err(Refusal::Temporary);
        let there = || Ok(delivered());
        assert_eq!(results, [full, there(), unknown, over, there()]);
        let mut taken = Vec::new();
        for worker in workers {
            taken.push(!worker.await.unwrap().is_empty());
        }
        assert_eq!(taken, [true, true, false, false, true]);
    }

    #[tokio::test]
    async fn one_who_cannot_take_it_does_not_keep_it_from_others_for_ever() {
        let full = || Err(Refusal::DiskFull);
        for (first, results) in [
            (0, [full(), Err(Refusal::Temporary)]),
            (1, [full(), Ok(delivered())]),
            (2, [full(), Err(Refusal::Temporary)]),
        ] {
            let ((ann, her), (bob, his)) = (recipient((1, 8)), recipient((1, 8)));
            let working = [(her, Some(Refused::DiskFull)), (his, None)]
                .map(|(line, refused)| tokio::spawn(work(line, refused)));
            let mut carrying = Carrying::with_first(vec![ann, bob], first);
            carrying.write(b"text").await;
            let deadline = Instant::now() + WRITE_LIMIT;
            assert_eq!(carrying.end(deadline).await, results);
            drop(working);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_in_time_keeps_nobody_else_waiting() {
        let lines = [(1, 8), (1, 8), (1, 8), (2, 8)].map(recipient);
        let (recipients, workers): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
        let [one, two, three, four] = workers.try_into().unwrap();
        let working = [one, three].map(|line| tokio::spawn(work(line, None)));
        let mut carrying = Carrying::with_first(recipients, 0);
        carrying.write(b"text").await;
        let begun = Instant::now();
        let deadline = begun + Duration::from_secs(100);
        let (there, late) = (|| Ok(delivered()), || Err(Refusal::Temporary));
        let results = [there(), late(), there(), late()];
        assert_eq!(carrying.end(deadline).await, results);
        assert_eq!(begun.elapsed().as_secs(), 100);
        drop((two, four, working));
    }
}
