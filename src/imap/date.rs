//! `date-time` (RFC 3501 §9): INTERNALDATE and APPEND's date.

/// A moment with the offset from UTC it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// Seconds since 1970-01-01T00:00:00Z; may be negative.
    pub seconds: i64,
    /// Offset from UTC in minutes, east positive, −1439 to 1439.
    pub offset: i16,
}
