//! (interface below)
