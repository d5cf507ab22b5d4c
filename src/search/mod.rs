//! SEARCH directly over the message files.

pub mod fold;
pub mod needle;
pub mod query;
pub mod scan;
