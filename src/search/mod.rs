//! SEARCH directly over the message files.

pub mod examine;
pub mod fold;
pub mod needle;
pub mod query;
pub mod scan;
