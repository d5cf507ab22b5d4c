//! Where files are that others have renamed: listed once for many, not once for each.

use std::collections::HashMap;
use std::io;

use crate::spool::filename::FileName;
use crate::spool::folder::{Folder, Sub};
use crate::spool::scan;

/// How often the directories are listed for one command at the most.
const LISTINGS: usize = 32;

/// What one command has listed so far.
#[derive(Default)]
pub(super) struct Finder {
    listing: HashMap<Box<[u8]>, (Sub, FileName)>,
    listings: usize,
}

impl Finder {
    /// The present place of a file that is no longer where it was. `Ok(None)` if it is nowhere.
    pub fn find(
        &mut self,
        folder: &Folder,
        stale: (Sub, &FileName),
    ) -> io::Result<Option<(Sub, FileName)>> {
        let base = stale.1.base();
        if let Some((sub, name)) = self.listing.get(base)
            && (*sub, name) != stale
        {
            return Ok(Some((*sub, name.clone())));
        }
        if self.listings < LISTINGS {
            self.listings += 1;
            let entries = scan::scan(folder)?.entries.into_iter();
            let by_base = |(sub, name): (Sub, FileName)| (name.base().into(), (sub, name));
            self.listing = entries.map(by_base).collect();
        }
        Ok(self.listing.get(base).cloned())
    }
}
