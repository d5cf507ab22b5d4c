//! The workers that master has started, and which of them a user's next session goes to.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use tokio::sync::{mpsc, oneshot};

use crate::process::ServeError;
use crate::process::child::{Child, Event, Said, Who};
use crate::process::held::{Held, Nursed, WorkersEnd};
use crate::process::link::{self, Link};
use crate::process::looks::Found;
use crate::process::message::{FromWorker, ToNursery, ToWorker, WorkerSetup};
use crate::process::place::Place;

/// All workers, by their numbers.
pub struct Workers {
    all: HashMap<u32, Worker>,
    /// How many there may be.
    most: usize,
}

struct Worker {
    child: Child<ToWorker>,
    place: Place,
    /// How many sessions it was given.
    given: u64,
    /// The directories that it can name, once it has said so.
    reached: Option<Vec<(u64, u64)>>,
    /// It gets no more.
    leaving: bool,
    /// Told how it ended.
    end: Option<oneshot::Sender<WorkersEnd>>,
}

impl Workers {
    /// None yet, and never more than `most`.
    pub fn new(most: usize) -> Workers {
        Workers {
            all: HashMap::new(),
            most,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A line to the worker that serves in this place, which is told `order`, and its number; it is started with this one
    /// if it is not there.
    ///
    /// # Errors
    ///
    /// What keeps it from being served.
    pub fn line(
        &mut self,
        nursery: Option<&Child<ToNursery>>,
        (place, here): Found,
        order: ToWorker,
        number: u32,
        events: &mpsc::Sender<Event>,
    ) -> Result<(u32, OwnedFd), ServeError> {
        let doing = "start a worker";
        let mut found = None;
        for (number, worker) in &mut self.all {
            if worker.leaving || worker.place != place {
                continue;
            }
            // What it can name is directories, not names, and others may have taken their place.
            if worker
                .reached
                .as_ref()
                .is_some_and(|reached| *reached != here)
            {
                worker.leave();
                continue;
            }
            found = Some(*number);
        }
        let number = match found {
            Some(number) => number,
            None => {
                if self.all.len() >= self.most {
                    return Err(ServeError::Usage("there are too many workers".to_owned()));
                }
                let nursery = nursery.ok_or_else(|| io::ErrorKind::NotConnected.into());
                let nursery = nursery.map_err(ServeError::system(doing))?;
                let started = start(nursery, &place, number, events);
                let (child, end) = started.map_err(ServeError::system(doing))?;
                let worker = Worker {
                    child,
                    place,
                    given: 0,
                    reached: None,
                    leaving: false,
                    end: Some(end),
                };
                self.all.insert(number, worker);
                number
            }
        };
        let (here, there) = UnixStream::pair().map_err(ServeError::system(doing))?;
        match self.all.get_mut(&number) {
            Some(worker) if worker.child.tell(order, Some(there.into())) => {
                worker.given += 1;
                Ok((number, here.into()))
            }
            _ => Err(ServeError::Usage("the worker does not listen".to_owned())),
        }
    }

    /// Hears what a worker says.
    pub fn hear(&mut self, number: u32, said: FromWorker) {
        let Some(worker) = self.all.get_mut(&number) else {
            return;
        };
        match said {
            FromWorker::Ready(reached) => worker.reached = Some(reached),
            // Somebody may be on the way to it.
            FromWorker::Idle(served) if served == worker.given => worker.leave(),
            FromWorker::Idle(_) => {}
        }
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

    /// Forgets one that has ended; `true`: it was not told to.
    pub fn lose(&mut self, number: u32) -> bool {
        let worker = self.all.remove(&number);
        worker.is_some_and(|worker| !worker.leaving)
    }

    /// Ends those that are there at once.
    pub fn kill(&self, nursery: &Child<ToNursery>) {
        for number in self.all.keys() {
            nursery.tell(ToNursery::Kill(*number), None);
        }
    }

    /// Has all of them end their sessions.
    pub fn stop(&self) {
        for worker in self.all.values() {
            worker.child.tell(ToWorker::Stop, None);
        }
    }
}

impl Worker {
    fn leave(&mut self) {
        self.leaving = true;
        self.child.tell(ToWorker::Leave, None);
    }
}

/// Has a worker begun by the nursery.
fn start(
    nursery: &Child<ToNursery>,
    place: &Place,
    number: u32,
    events: &mpsc::Sender<Event>,
) -> io::Result<(Child<ToWorker>, oneshot::Sender<WorkersEnd>)> {
    let setup = WorkerSetup {
        ids: place.ids,
        reach: place.reach.clone(),
        crowded: place.crowded,
    };
    let (here, there) = link::pair()?;
    let here = Link::new(here)?;
    if !nursery.tell(ToNursery::Start(number, setup), Some(there)) {
        return Err(io::ErrorKind::NotConnected.into());
    }
    let (tell_end, end) = oneshot::channel();
    let process = Held::Nursed(Nursed {
        number,
        nursery: nursery.teller(),
        end,
    });
    let who = Who::Worker(place.clone());
    let wrap = |said: FromWorker| Said::Worker(said);
    let child = Child::attend(who, number, (here, process), events, wrap);
    Ok((child, tell_end))
}
