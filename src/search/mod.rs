//! SEARCH directly over the message files.
//!
//! A search key becomes a [`query::Query`] of tests ordered by what they cost. [`scan::run`] answers what the
//! client's picture answers, and gives the rest to a pool of threads, where [`examine::examine`] reads each
//! message no further than it takes to decide. Texts are decoded and looked through by a [`needle::Seeker`],
//! piece by piece: a [`screen::Screen`] says of most that a word is not there, the others are folded by
//! [`fold::fold`].

pub mod examine;
pub mod fold;
mod header;
pub mod key;
pub mod needle;
pub mod order;
pub mod pool;
pub mod query;
pub mod rank;
pub mod scan;
pub mod screen;
pub mod subject;
pub mod thread;

/// The charsets named where a client's is not known (`BADCHARSET`): those a client may sensibly choose from.
/// Every other that mail is written in is known too.
pub const CHARSETS: &[&str] = &[
    "UTF-8",
    "US-ASCII",
    "ISO-8859-1",
    "ISO-8859-2",
    "ISO-8859-15",
    "WINDOWS-1251",
    "WINDOWS-1252",
    "KOI8-R",
    "GB18030",
    "BIG5",
    "ISO-2022-JP",
    "SHIFT_JIS",
    "EUC-JP",
    "EUC-KR",
];
