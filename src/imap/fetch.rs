//! What FETCH can be asked for (RFC 3501 §6.4.5).

use std::num::NonZeroU32;

/// One data item of a FETCH command. The macros ALL, FAST and FULL are spelled out by the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchItem {
    /// `BINARY[…]<…>` and `BINARY.PEEK[…]<…>`: a part without its transfer encoding (RFC 3516 §4.2).
    Binary {
        /// `.PEEK`: do not set `\Seen`.
        peek: bool,
        /// Part numbers from the outermost; empty for the message itself.
        part: Vec<NonZeroU32>,
        /// `<offset.length>`, of the decoded octets.
        partial: Option<Partial>,
    },
    /// `BINARY.SIZE[…]`: how long that is.
    BinarySize {
        /// As in [`FetchItem::Binary`].
        part: Vec<NonZeroU32>,
    },
    /// `BODY`: the body structure without extension data.
    Body,
    /// `BODY[…]<…>` and `BODY.PEEK[…]<…>`.
    BodySection {
        /// `.PEEK`: do not set `\Seen`.
        peek: bool,
        /// Between the brackets.
        section: Section,
        /// `<offset.length>`.
        partial: Option<Partial>,
    },
    /// `BODYSTRUCTURE`: with extension data.
    BodyStructure,
    /// `ENVELOPE`.
    Envelope,
    /// `EMAILID` (RFC 8474 §5.3).
    EmailId,
    /// `FLAGS`.
    Flags,
    /// `INTERNALDATE`.
    InternalDate,
    /// `MODSEQ` (RFC 7162 §3.1.4.2).
    ModSeq,
    /// `PREVIEW`: the beginning of the message's text (RFC 8970).
    Preview {
        /// `(LAZY)`: only if it is at hand.
        lazy: bool,
        /// How it is asked for, and answered.
        form: PreviewForm,
    },
    /// `RFC822`: like `BODY[]`, under its own name.
    Rfc822,
    /// `RFC822.HEADER`: like `BODY.PEEK[HEADER]`.
    Rfc822Header,
    /// `RFC822.SIZE`.
    Rfc822Size,
    /// `RFC822.TEXT`: like `BODY[TEXT]`.
    Rfc822Text,
    /// `SAVEDATE`: when it came into this mailbox (RFC 8514).
    SaveDate,
    /// `THREADID` (RFC 8474 §5.3).
    ThreadId,
    /// `UID`.
    Uid,
}

/// How a preview is asked for. The last two are older than RFC 8970: Dovecot announces them as PREVIEW=FUZZY and
/// SNIPPET=FUZZY, and FUZZY is the one algorithm that they know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreviewForm {
    /// `PREVIEW`.
    Plain,
    /// `PREVIEW (FUZZY)`.
    Fuzzy,
    /// `SNIPPET`, which is always fuzzy.
    Snippet,
}

impl FetchItem {
    /// How much memory it takes, in octets.
    pub fn octets(&self) -> usize {
        let inside = match self {
            FetchItem::Binary { part, .. } | FetchItem::BinarySize { part } => size_of_val(&**part),
            FetchItem::BodySection { section, .. } => {
                let names = match &section.text {
                    SectionText::HeaderFields(names) | SectionText::HeaderFieldsNot(names) => names,
                    _ => &Vec::new(),
                };
                let names = names.iter().map(|name| size_of::<Vec<u8>>() + name.len());
                size_of_val(&*section.part) + names.sum::<usize>()
            }
            _ => 0,
        };
        size_of::<FetchItem>() + inside
    }

    /// Whether answering it sets `\Seen` (RFC 3501 §6.4.5).
    pub fn sets_seen(&self) -> bool {
        match self {
            FetchItem::Binary { peek, .. } | FetchItem::BodySection { peek, .. } => !peek,
            FetchItem::Rfc822 | FetchItem::Rfc822Text => true,
            FetchItem::BinarySize { .. }
            | FetchItem::Body
            | FetchItem::BodyStructure
            | FetchItem::EmailId
            | FetchItem::Envelope
            | FetchItem::Flags
            | FetchItem::InternalDate
            | FetchItem::ModSeq
            | FetchItem::Preview { .. }
            | FetchItem::Rfc822Header
            | FetchItem::Rfc822Size
            | FetchItem::SaveDate
            | FetchItem::ThreadId
            | FetchItem::Uid => false,
        }
    }
}

/// `section-spec` (RFC 3501 §9): which part of a message, and what of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Part numbers from the outermost; empty for the message itself.
    pub part: Vec<NonZeroU32>,
    /// What of that part.
    pub text: SectionText,
}

/// What of a part is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SectionText {
    /// Nothing named: the whole message, or the part's body.
    #[default]
    Whole,
    /// `HEADER`: of the message or of the message/rfc822 part, with the empty line that ends it.
    Header,
    /// `HEADER.FIELDS (…)`: names as the client wrote them, compared without regard to case.
    HeaderFields(Vec<Vec<u8>>),
    /// `HEADER.FIELDS.NOT (…)`.
    HeaderFieldsNot(Vec<Vec<u8>>),
    /// `TEXT`: what follows the header.
    Text,
    /// `MIME`: the part's own MIME header. Only with a part number.
    Mime,
}

/// `<offset.length>`: octets of the section from `offset`, `length` at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// First octet, from 0. A server answers with this as `<origin>`.
    pub offset: u64,
    /// How many, from 1.
    pub length: u64,
}
