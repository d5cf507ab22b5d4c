//! The field that Culver adds to the header, and Dovecot keeps: a floor for mod-sequences (RFC 7162).

use crate::imap::sequence::ModSeq;
use crate::spool::filename::number;
use crate::spool::uidlist::UidList;
use crate::spool::uidlist::format::FLOOR;

impl UidList {
    /// The header field `M`: a mod-sequence (RFC 7162) above all that may have been told. `None` where it is missing,
    /// or no number that one could be.
    pub fn floor(&self) -> Option<ModSeq> {
        let fields = self.header.others.iter().filter(|(key, _)| *key == FLOOR);
        let floors = fields.filter_map(|(_, value)| number(value));
        floors
            .filter(|floor| (1..1 << 53).contains(floor))
            .max()
            .map(ModSeq)
    }

    /// Sets it, for the next [`UidList::rewrite`].
    pub fn set_floor(&mut self, floor: ModSeq) {
        self.header.others.retain(|(key, _)| *key != FLOOR);
        let value = floor.0.to_string().into_bytes();
        self.header.others.push((FLOOR, value.into()));
    }
}
