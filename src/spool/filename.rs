//! A message file's name: base name, `,S=` and `,W=`, info suffix ↔ flags.

use crate::imap::flag::SystemFlags;

/// Up to 26 keywords of one mailbox by their letters: bit 0 is `a`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Letters(pub u32);

/// A name in `new/` or `cur/` that can be a message: not empty, no leading dot, no CR, LF or `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileName {
    bytes: Box<[u8]>,
}

impl FileName {
    /// Takes a directory entry's name; `None` if such an entry is never a message.
    pub fn new(bytes: &[u8]) -> Option<FileName> {
        let _ = bytes;
        todo!()
    }

    /// The whole name.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Everything before the **first** `:` (what the uidlist names); flags are looked for after the last.
    pub fn base(&self) -> &[u8] {
        todo!()
    }

    /// System flags and keyword letters of the info suffix; none if it is not `2,…`.
    pub fn flags(&self) -> (SystemFlags, Letters) {
        todo!()
    }

    /// `,W=`: octets with every line end as CRLF.
    pub fn virtual_size(&self) -> Option<u64> {
        todo!()
    }

    /// `,S=`: octets of the file.
    pub fn size(&self) -> Option<u64> {
        todo!()
    }

    /// The name this message has with other flags: unknown letters and what follows a `,` are kept, all
    /// sorted as Dovecot sorts them. `None` if it would be over 255 bytes.
    pub fn with_flags(&self, flags: SystemFlags, letters: Letters) -> Option<FileName> {
        let _ = (flags, letters);
        todo!()
    }

    /// The same message under another base name (the info suffix stays).
    pub fn with_base(&self, base: &[u8]) -> Option<FileName> {
        let _ = base;
        todo!()
    }

    /// Order in which new messages get their UIDs (seconds, then microseconds after `M`, then bytes).
    pub fn arrival_order(&self, other: &FileName) -> std::cmp::Ordering {
        let _ = other;
        todo!()
    }

    /// A base name never used before: `secs.#…M…P….host`, as Dovecot's, without `:`, `/`, `,` in the host.
    pub fn fresh_base() -> Vec<u8> {
        todo!()
    }
}
