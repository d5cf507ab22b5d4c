//! SEARCH directly over the message files.

pub mod needle;
pub mod query;
pub mod scan;
