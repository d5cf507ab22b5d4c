//! A mailbox's side of the disk: its uidlist and keywords as last read, and which base names it knows.
//!
//! Everything here runs on the blocking pool, one job at a time for a mailbox: a [`Turn`](crate::mailbox::turn::Turn),
//! with `dovecot-uidlist.lock` held where it writes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::imap::objectid::ObjectId;
use crate::imap::sequence::{Uid, UidValidity};
use crate::mailbox::fault::Fault;
use crate::mailbox::given::{Given, first_floor};
use crate::mailbox::names::{KeywordNames, Unshown};
use crate::mailbox::snapshot::Snapshot;
use crate::mailbox::watch::{Event, Kind};
use crate::spool::extra_keywords::ExtraKeywords;
use crate::spool::filename::FileName;
use crate::spool::folder::{Folder, Stamp, Sub};
use crate::spool::keywords::Keywords;
use crate::spool::lock::Lock;
use crate::spool::scan;
use crate::spool::tree::Tree;
use crate::spool::uidlist::{self, Read, Record, Salvage, UidList};
use crate::spool::uidvalidity;

/// A uidlist that is gone is not restored while the directories change more often than that: whoever
/// removes the whole mailbox would find it not empty.
const REST: Duration = Duration::from_secs(1);

/// A record of the uidlist whose file is not in the picture.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub uid: Uid,
    pub virtual_size: Option<u64>,
    /// The message's GUID, where it is not the base name.
    pub guid: Option<Arc<[u8]>>,
    /// When the message came, where its base name tells another time.
    pub saved: Option<u32>,
}

impl Listed {
    pub fn of(record: &Record) -> Listed {
        Listed {
            uid: record.uid,
            virtual_size: record.virtual_size(),
            guid: record.guid().map(Arc::from),
            saved: record.saved(),
        }
    }
}

/// What is known of the disk between two turns.
pub(super) struct Disk {
    pub folder: Arc<Folder>,
    /// `None` if there is no uidlist and none can be written: UIDs are made up then.
    pub(super) uidlist: Option<UidList>,
    /// As last read or written; states that are published share it.
    pub keywords: Arc<Keywords>,
    /// The keywords that have no letter, as last read or written.
    pub extras: ExtraKeywords,
    /// What others have said there, and the picture does not show yet.
    pub unshown: Unshown,
    /// Of so many messages it tells that are not here.
    pub dead_extras: usize,
    /// Base names of the messages in the picture.
    pub live: HashMap<Box<[u8]>, Uid>,
    /// Base names that the uidlist has and the picture has not.
    pub listed: HashMap<Box<[u8]>, Listed>,
    /// Base names told as expunged whose records are still in the uidlist: a copy gets another one.
    pub expunged: HashSet<Box<[u8]>>,
    /// Base names that two entries had when last looked at: one of them gone is not the message gone.
    pub doubled: HashSet<Box<[u8]>>,
    /// The directories as of which the picture is whole. Whatever happens after shows in other stamps, or
    /// is told by events.
    pub seen: Option<[Stamp; 2]>,
    /// The directories as of which it was whole without a word from events. Only then can whoever comes later
    /// tell by the stamps alone.
    pub proven: Option<[Stamp; 2]>,
    /// `new/` as it was when it was last listed, if any change since would show. Events say what comes after, but
    /// a little later; and a client that asks is to hear of mail that came before it did.
    pub new_listed: Option<Stamp>,
    /// New messages could get no UIDs at the last try.
    pub unnumbered: bool,
    /// Something is in doubt: both directories must be listed.
    pub rescan: bool,
    /// The uidlist must be written anew: a sync has failed, it was damaged, or it is gone.
    pub(super) rewrite: bool,
    /// The uidlist is gone.
    pub(super) missing: bool,
    /// `new/` or `cur/` was removed when last looked at.
    vanishing: bool,
    /// Mod-sequences.
    pub given: Given,
    /// The first look has come to its end.
    pub opened: bool,
    /// Keywords have been named here that are not in `dovecot-keywords` yet.
    pub unwritten_keywords: bool,
    /// See [`crate::mailbox::attachments`].
    pub attachment_keywords: bool,
}

impl Disk {
    /// Reads uidlist and keywords, and gives the empty picture to begin with. With `lock` a missing or
    /// broken uidlist is made; without it `None` says that it has to be, where it could.
    pub fn load(
        folder: Arc<Folder>,
        tree: &Tree,
        lock: Option<&Lock>,
    ) -> Result<Option<(Disk, Snapshot)>, Fault> {
        let doing = |act: &str| format!("{act} {}", folder.path().display());
        let mut keywords = Keywords::read(&folder)
            .map_err(|error| Fault::from_io(doing("reading keywords of"), error))?;
        let mut extras = ExtraKeywords::read(&folder)
            .map_err(|error| Fault::from_io(doing("reading culver.keywords of"), error))?;
        let read = UidList::read(&folder)
            .map_err(|error| Fault::from_io(doing("reading the uidlist of"), error))?;
        let make = |salvage: Salvage| -> std::io::Result<_> {
            let Salvage {
                uid_validity: above,
                records,
            } = salvage;
            let validity = uidvalidity::next(tree, above)?;
            let list =
                UidList::create(&folder, validity, Uid::FIRST, Some(first_floor()), &records)?;
            tracing::info!(
                mailbox = %folder.path().display(),
                uidvalidity = validity.get(),
                "new uidlist"
            );
            Ok((Some(list), records))
        };
        let (mut rewrite, mut fresh) = (false, true);
        let (uidlist, records) = match read {
            Read::Whole {
                list,
                records,
                rewrite: wanted,
            } => {
                rewrite = wanted;
                fresh = false;
                // Its UIDs are about to be spoken.
                list.sync(&folder)
                    .map_err(|error| Fault::from_io(doing("syncing the uidlist of"), error))?;
                (Some(list), records)
            }
            Read::Missing if lock.is_some() => make(Salvage::default())
                .map_err(|error| Fault::from_io(doing("making the uidlist of"), error))?,
            Read::Broken(mut salvage) if lock.is_some() => {
                // It may have been anything up to now.
                let now = passing_uid_validity();
                salvage.uid_validity = salvage.uid_validity.max(Some(now));
                make(salvage)
                    .map_err(|error| Fault::from_io(doing("making the uidlist of"), error))?
            }
            Read::Missing | Read::Broken(_) if folder.is_writable() => return Ok(None),
            Read::Missing | Read::Broken(_) => (None, Vec::new()),
        };
        let listed = records.into_iter().map(|record| {
            let listed = Listed::of(&record);
            (record.base, listed)
        });
        let listed: HashMap<_, _> = listed.collect();
        if lock.is_some()
            && let Err(error) = keywords.mend(&folder)
        {
            tracing::warn!(mailbox = %folder.path().display(), %error, "dovecot-keywords cannot be written");
        }
        if lock.is_some()
            && let Err(error) = extras.mend(&folder)
        {
            tracing::warn!(mailbox = %folder.path().display(), %error, "culver.keywords cannot be written");
        }
        let keywords = Arc::new(keywords);
        let names = Arc::new(KeywordNames {
            letters: Arc::clone(&keywords),
            extras: Arc::clone(extras.names()),
        });
        let given = Given::new(uidlist.as_ref().and_then(UidList::floor), fresh);
        let (uid_validity, uid_next) = match &uidlist {
            Some(list) => (list.uid_validity, list.next),
            None => (passing_uid_validity(), Uid::FIRST),
        };
        // Where there is no GUID and none can be kept, the directory stands for it.
        let id = match &uidlist {
            Some(list) if list.keeps_guid() || folder.is_writable() => list.guid().to_owned(),
            _ => format!("{:?} {}", folder.identity(), uid_validity.get()),
        };
        let id = ObjectId::of('F', uidlist::guid_number(id.as_bytes()));
        let snapshot = Snapshot::empty(id, uid_validity, uid_next, names);
        let disk = Disk {
            folder,
            uidlist,
            keywords,
            extras,
            unshown: Unshown::default(),
            dead_extras: 0,
            live: HashMap::new(),
            listed,
            expunged: HashSet::new(),
            doubled: HashSet::new(),
            seen: None,
            proven: None,
            new_listed: None,
            unnumbered: false,
            rescan: true,
            rewrite,
            missing: false,
            vanishing: false,
            given,
            opened: false,
            unwritten_keywords: false,
            attachment_keywords: false,
        };
        Ok(Some((disk, snapshot)))
    }

    /// What keywords are called.
    pub fn keyword_names(&self) -> KeywordNames {
        KeywordNames {
            letters: Arc::clone(&self.keywords),
            extras: Arc::clone(self.extras.names()),
        }
    }

    /// Whether UIDs come from a uidlist.
    pub fn has_uidlist(&self) -> bool {
        self.uidlist.is_some()
    }

    /// Whether an event only tells what the picture has already, most often the echo of our own change.
    pub fn is_echo(&self, event: &Event, snapshot: &Snapshot) -> bool {
        let Some(name) = FileName::new(&event.name) else {
            return true;
        };
        let known = self
            .live
            .get(name.base())
            .and_then(|uid| snapshot.find(*uid));
        let is_known = known.is_some_and(|known| known.sub == event.sub && *known.name == name);
        match event.kind {
            Kind::Appeared => is_known,
            Kind::Deleted | Kind::Left => !is_known,
        }
    }

    /// `new/`'s and `cur/`'s stamps now.
    pub fn stamps(&self) -> std::io::Result<[Stamp; 2]> {
        Ok([self.folder.stamp(Sub::New)?, self.folder.stamp(Sub::Cur)?])
    }

    /// Whether it must be looked at again soon.
    pub fn is_in_doubt(&self) -> bool {
        self.rescan || self.is_vanishing() || self.is_behind()
    }

    /// Whether somebody seems to be removing all of it.
    pub fn is_vanishing(&self) -> bool {
        self.missing || self.vanishing
    }

    /// Whether `new/` or `cur/` is being removed.
    pub fn lacks_directories(&mut self) -> bool {
        self.note_vanishing();
        self.vanishing
    }

    /// Whether others have written to `culver.keywords`, or it is to be written anew.
    pub fn owes_extras(&self) -> bool {
        self.extras.is_stale(&self.folder).unwrap_or(true)
            || self.extras.is_to_be_mended() && self.folder.is_writable() && self.rests()
    }

    fn is_behind(&self) -> bool {
        self.given.is_behind() && self.has_uidlist() && self.folder.is_writable()
    }

    /// Whether mod-sequences are not kept that could be now. Files are made only where nobody seems to be removing all.
    pub fn owes_modseqs(&self) -> bool {
        self.is_behind() && !self.is_vanishing() && (self.given.index.is_some() || self.rests())
    }

    /// Looks whether `new/` or `cur/` has been removed.
    pub fn note_vanishing(&mut self) {
        let mut subs = [Sub::New, Sub::Cur].into_iter();
        self.vanishing = subs.any(|sub| self.folder.lacks(sub).unwrap_or(false));
    }

    /// Whether nothing has happened in the directories for so long that nobody seems to be removing them.
    pub fn rests(&self) -> bool {
        let now = SystemTime::now();
        let rested = |stamp: &Stamp| scan::is_unchanged_for(stamp, now, REST);
        !self.vanishing && self.stamps().is_ok_and(|stamps| stamps.iter().all(rested))
    }

    /// Whether nothing has happened in the directories that the picture lacks.
    pub fn is_whole(&self) -> bool {
        self.seen.is_some() && self.stamps().ok() == self.seen
    }
}

/// UIDVALIDITY for a mailbox that can keep none: larger at each start of the server.
fn passing_uid_validity() -> UidValidity {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |age| age.as_secs());
    u32::try_from(seconds)
        .ok()
        .and_then(UidValidity::new)
        .unwrap_or(UidValidity::FIRST)
}
