//! Address lists (RFC 5322 §3.4) → envelope addresses, leniently.
