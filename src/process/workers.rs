//! The workers that master has started, and which of them a user's next session goes to.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::process::ServeError;
use crate::process::child::{Child, Event, Said, Who};
use crate::process::held::{self, Handle, Held, Nursed, WorkersEnd};
use crate::process::link::{self, Link};
use crate::process::looks::Found;
use crate::process::message::{FromWorker, ToNursery, ToWorker, WorkerSetup};
use crate::process::place::Place;

/// How long a worker may take to begin.
const BEGINNING: Duration = Duration::from_secs(10);

/// What somebody gets who is served: the worker's number, and a line to it.
pub type Line = (u32, OwnedFd);

/// All workers, by their numbers.
pub struct Workers<E> {
    all: HashMap<u32, Worker<E>>,
    /// How many there may be.
    most: usize,
}

struct Worker<E> {
    child: Child<ToWorker>,
    place: Place,
    /// How many sessions it was given.
    given: u64,
    /// The directories that it can name, once it has said so.
    reached: Option<Vec<(u64, u64)>>,
    /// Who gets a line to it once it has: before that nobody knows whether it will serve.
    waiting: Vec<(E, OwnedFd)>,
    /// It gets no more.
    leaving: bool,
    /// What it can be ended by.
    handle: Handle,
    /// Told how it ended.
    end: Option<oneshot::Sender<WorkersEnd>>,
}

/// What is known of a worker that is lost.
pub struct Lost<E> {
    /// It was told to end.
    pub told: bool,
    /// Those that it will not serve, for it never began.
    pub waiting: Vec<E>,
}

impl<E> Workers<E> {
    /// None yet, and never more than `most`.
    pub fn new(most: usize) -> Workers<E> {
        Workers {
            all: HashMap::new(),
            most,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Has `errand` served by the worker for this place, which is told `order`; it is begun with this number if it is not
    /// there. Gives the errand and its line where they are for now; otherwise the errand waits.
    ///
    /// # Errors
    ///
    /// The errand, and what keeps it from being served.
    pub fn send(
        &mut self,
        nursery: Option<&Child<ToNursery>>,
        (place, here): Found,
        (errand, order): (E, ToWorker),
        number: u32,
        events: &mpsc::Sender<Event>,
    ) -> Result<Option<(E, Line)>, (E, ServeError)> {
        let line = self
            .find(&place, &here)
            .map_or_else(|| self.begin(nursery, place, number, events), Ok)
            .and_then(|number| self.line(number, order));
        let (number, line) = match line {
            Ok(line) => line,
            Err(error) => return Err((errand, error)),
        };
        match self.all.get_mut(&number) {
            Some(worker) if worker.reached.is_none() => {
                worker.waiting.push((errand, line));
                Ok(None)
            }
            _ => Ok(Some((errand, (number, line)))),
        }
    }

    /// The worker that serves there.
    fn find(&mut self, place: &Place, here: &[(u64, u64)]) -> Option<u32> {
        let mut found = None;
        for (number, worker) in &mut self.all {
            if worker.leaving || worker.place != *place {
                continue;
            }
            // What it can name is directories, not names, and others may have taken their place.
            if worker.reached.as_ref().is_some_and(|it| it != here) {
                worker.leave();
                continue;
            }
            found = Some(*number);
        }
        found
    }

    /// Has a worker begun.
    fn begin(
        &mut self,
        nursery: Option<&Child<ToNursery>>,
        place: Place,
        number: u32,
        events: &mpsc::Sender<Event>,
    ) -> Result<u32, ServeError> {
        if self.all.len() >= self.most {
            return Err(ServeError::Usage("there are too many workers".to_owned()));
        }
        let begun = nursery
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
            .and_then(|nursery| begin(nursery, place, number, events));
        let worker = begun.map_err(ServeError::system("start a worker"))?;
        self.all.insert(number, worker);
        Ok(number)
    }

    /// A line to this worker, which is told what for.
    fn line(&mut self, number: u32, order: ToWorker) -> Result<Line, ServeError> {
        let pair = UnixStream::pair();
        let (here, there) = pair.map_err(ServeError::system("reach a worker"))?;
        match self.all.get_mut(&number) {
            Some(worker) if worker.child.tell(order, Some(there.into())) => {
                worker.given += 1;
                Ok((number, here.into()))
            }
            _ => Err(ServeError::Usage("the worker does not listen".to_owned())),
        }
    }

    /// Hears what a worker says; gives those that it will serve now.
    pub fn hear(&mut self, number: u32, said: FromWorker) -> Vec<(E, Line)> {
        let Some(worker) = self.all.get_mut(&number) else {
            return Vec::new();
        };
        match said {
            FromWorker::Ready(reached) => worker.reached = Some(reached),
            // Somebody may be on the way to it.
            FromWorker::Idle(served) if served == worker.given => worker.leave(),
            FromWorker::Idle(_) => {}
        }
        let waiting = std::mem::take(&mut worker.waiting).into_iter();
        waiting
            .map(|(errand, line)| (errand, (number, line)))
            .collect()
    }

    /// The nursery has begun a worker, which can be got hold of by this.
    pub fn begun(&self, number: u32, handle: Option<OwnedFd>) {
        if let (Some(worker), Some(handle)) = (self.all.get(&number), handle) {
            // It is told once.
            let _ = worker.handle.set(handle);
        }
    }

    /// A worker has had its time to begin. Gives those that it does not serve, and whether it is the nursery that hangs.
    pub fn overdue(&mut self, number: u32) -> (Vec<E>, bool) {
        let worker = self.all.get_mut(&number);
        let Some(worker) = worker.filter(|worker| worker.reached.is_none()) else {
            return (Vec::new(), false);
        };
        worker.leaving = true;
        worker.child.end();
        (worker.not_served(), worker.handle.get().is_none())
    }

    /// The nursery has seen how a worker ended.
    pub fn end(&mut self, number: u32, how: WorkersEnd) {
        let worker = self.all.get_mut(&number);
        if let Some(end) = worker.and_then(|worker| worker.end.take()) {
            // It is told once.
            let _ = end.send(how);
        }
    }

    /// The nursery has ended: nobody will see how those end that are there.
    pub fn orphan(&mut self) {
        for worker in self.all.values_mut() {
            worker.end = None;
        }
    }

    /// Forgets one that has ended.
    pub fn lose(&mut self, number: u32) -> Option<Lost<E>> {
        let mut worker = self.all.remove(&number)?;
        Some(Lost {
            told: worker.leaving,
            waiting: worker.not_served(),
        })
    }

    /// Ends those that are there at once.
    pub fn kill(&self) {
        for worker in self.all.values() {
            held::kill(&worker.handle);
        }
    }

    /// Has all of them end their sessions.
    pub fn stop(&self) {
        for worker in self.all.values() {
            worker.child.tell(ToWorker::Stop, None);
        }
    }
}

impl<E> Worker<E> {
    fn leave(&mut self) {
        self.leaving = true;
        self.child.tell(ToWorker::Leave, None);
    }

    fn not_served(&mut self) -> Vec<E> {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        waiting.map(|(errand, _)| errand).collect()
    }
}

/// Has a worker begun by the nursery.
fn begin<E>(
    nursery: &Child<ToNursery>,
    place: Place,
    number: u32,
    events: &mpsc::Sender<Event>,
) -> io::Result<Worker<E>> {
    let setup = WorkerSetup {
        ids: place.ids,
        reach: place.reach.clone(),
        crowded: place.crowded,
    };
    let (here, there) = link::pair()?;
    let here = Link::new(here)?;
    if !nursery.tell(ToNursery(number, setup), Some(there)) {
        return Err(io::ErrorKind::NotConnected.into());
    }
    let handle = Handle::default();
    let (tell_end, end) = oneshot::channel();
    let process = Held::Nursed(Nursed {
        handle: Arc::clone(&handle),
        end,
    });
    let who = Who::Worker(place.clone());
    let wrap = |said: FromWorker| Said::Worker(said);
    let child = Child::attend(who, number, (here, process), events, wrap);
    let events = events.clone();
    tokio::spawn(async move {
        sleep(BEGINNING).await;
        // Master is gone, too, if nobody hears it.
        let _ = events.send(Event::Overdue(number)).await;
    });
    Ok(Worker {
        child,
        place,
        given: 0,
        reached: None,
        waiting: Vec::new(),
        leaving: false,
        handle,
        end: Some(tell_end),
    })
}
