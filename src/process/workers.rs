//! The workers that master has started, and which of them a user's next session goes to.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::config::Config;
use crate::process::ServeError;
use crate::process::child::{Child, Event, Said, Who};
use crate::process::message::{FromWorker, Setup, ToWorker, WorkerSetup};
use crate::process::place::Place;
use crate::process::settings;
use crate::process::worker::identities;

/// How long the directories of a user's mail may take to be found.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

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
    /// if it is not there. `root` is the user's mail.
    ///
    /// # Errors
    ///
    /// What keeps it from being served.
    pub async fn line(
        &mut self,
        config: &Config,
        (place, root): (Place, PathBuf),
        order: ToWorker,
        number: u32,
        events: &mpsc::Sender<Event>,
    ) -> Result<(u32, OwnedFd), ServeError> {
        let doing = "start a worker";
        let (place, here) = look(place, root)
            .await
            .map_err(ServeError::system("find the mail"))?;
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
                let child = start(config, &place, number, events).await;
                let child = child.map_err(ServeError::system(doing))?;
                let worker = Worker {
                    child,
                    place,
                    given: 0,
                    reached: None,
                    leaving: false,
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

    /// Forgets one that has ended; `true`: it was not told to.
    pub fn lose(&mut self, number: u32) -> bool {
        let worker = self.all.remove(&number);
        worker.is_some_and(|worker| !worker.leaving)
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

async fn start(
    config: &Config,
    place: &Place,
    number: u32,
    events: &mpsc::Sender<Event>,
) -> io::Result<Child<ToWorker>> {
    let setup = Setup::Worker(WorkerSetup {
        ids: place.ids,
        config: settings::for_worker(config),
        reach: place.reach.clone(),
        crowded: place.crowded,
    });
    let who = Who::Worker(place.clone());
    let wrap = |said: FromWorker| Said::Worker(said);
    Child::start(who, number, (&setup, &[]), &[], events, wrap).await
}

/// Looks at the directories themselves: mail that lies elsewhere by way of a symbolic link has a place of its own. Gives
/// what is there now, too.
async fn look(place: Place, root: PathBuf) -> io::Result<(Place, Vec<(u64, u64)>)> {
    let look = spawn_blocking(move || {
        let leads_out = place.crowded
            && place
                .common()
                .is_some_and(|common| leads_out(&root, common));
        let place = match leads_out {
            true => place.alone(root),
            false => place,
        };
        let here = identities(place.reach.as_deref().unwrap_or_default());
        (place, here)
    });
    timeout(LOOK_LIMIT, look).await?.map_err(io::Error::other)
}

/// Whether what is there of a path lies outside of a directory, in which its name is.
fn leads_out(path: &Path, common: &Path) -> bool {
    let Ok(common) = fs::canonicalize(common) else {
        return false;
    };
    let there = path
        .ancestors()
        .find_map(|path| fs::canonicalize(path).ok());
    there.is_some_and(|there| !there.starts_with(&common) && !common.starts_with(&there))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_may_lead_out() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        for dir in ["vmail/a/ann", "disk/b/bob"] {
            fs::create_dir_all(at(dir)).unwrap();
        }
        symlink(at("disk/b"), at("vmail/b")).unwrap();
        symlink(at("vmail"), at("mail")).unwrap();
        for (path, common, out) in [
            ("vmail/a/ann/Maildir", "vmail", false),
            ("vmail/a/new", "vmail", false),
            ("vmail/new/new", "vmail", false),
            ("vmail/b/bob", "vmail", true),
            ("vmail/b/new/Maildir", "vmail", true),
            ("mail/a/ann", "mail", false),
            ("mail/b/bob", "mail", true),
            ("not/there", "not", false),
        ] {
            assert_eq!(leads_out(&at(path), &at(common)), out, "{path}");
        }
    }
}
