//! Header fields by offsets (RFC 5322 §2.2).
