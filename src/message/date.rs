//! The day a message says it was sent: its Date: field (RFC 5322 §3.3, §4.3), read leniently.

use crate::imap::search::Day;

/// The day that a Date: field's body names, in the field's own zone, time and zone ignored as
/// RFC 3501 §6.4.4 wants for SENTBEFORE, SENTON, SENTSINCE. `None` where there is no date to be read.
pub fn sent_day(raw: &[u8]) -> Option<Day> {
    let _ = raw;
    todo!()
}
