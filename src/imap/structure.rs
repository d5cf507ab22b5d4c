//! Envelope, address and body structure (RFC 3501 §7.4.2), as the wire shows them.
//!
//! Strings are the raw bytes of the header, unfolded, with encoded words left as they are;
//! `None` is NIL.

/// `envelope`: fields of the header in parsed form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The Date: field's text.
    pub date: Option<Vec<u8>>,
    /// The Subject: field's text.
    pub subject: Option<Vec<u8>>,
    /// From:. Each list is empty for NIL.
    pub from: Vec<Address>,
    /// Sender:, or From: where there is none.
    pub sender: Vec<Address>,
    /// Reply-To:, or From: where there is none.
    pub reply_to: Vec<Address>,
    /// To:
    pub to: Vec<Address>,
    /// Cc:
    pub cc: Vec<Address>,
    /// Bcc:
    pub bcc: Vec<Address>,
    /// In-Reply-To: field's text.
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID: field's text.
    pub message_id: Option<Vec<u8>>,
}

/// One address, or a mark of a group: its start has a `mailbox` and no `host`, its end neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The display name.
    pub name: Option<Vec<u8>>,
    /// Source route (obsolete).
    pub adl: Option<Vec<u8>>,
    /// Local part, or the group's name.
    pub mailbox: Option<Vec<u8>>,
    /// Domain.
    pub host: Option<Vec<u8>>,
}

/// A parameter, such as `charset` with its value: raw, as written.
pub type Parameter = (Vec<u8>, Vec<u8>);

/// `body`: what one part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyStructure {
    /// A part with no parts of its own.
    Single {
        /// Type, parameters, size.
        fields: BodyFields,
        /// `text` and `message/rfc822` have more to say.
        kind: SingleKind,
        /// Only in BODYSTRUCTURE.
        extension: Option<SingleExtension>,
    },
    /// `multipart/…`, with one part at least.
    Multi {
        /// The parts.
        parts: Vec<BodyStructure>,
        /// `MIXED` …
        subtype: Vec<u8>,
        /// Only in BODYSTRUCTURE.
        extension: Option<MultiExtension>,
    },
}

/// `body-fields` with the media type before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyFields {
    /// `text`, `image` …
    pub media_type: Vec<u8>,
    /// `plain` …
    pub subtype: Vec<u8>,
    /// Content-Type's parameters.
    pub parameters: Vec<Parameter>,
    /// Content-ID:
    pub id: Option<Vec<u8>>,
    /// Content-Description:
    pub description: Option<Vec<u8>>,
    /// Content-Transfer-Encoding, `7bit` where there is none.
    pub encoding: Vec<u8>,
    /// Octets of the body in its transfer encoding, with lines ended by CRLF.
    pub size: u64,
}

/// What a part without parts is, beyond its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SingleKind {
    /// Anything but text and message/rfc822.
    Basic,
    /// `message/rfc822` (and `message/global`): the message inside.
    Message {
        /// Its envelope.
        envelope: Box<Envelope>,
        /// Its structure.
        body: Box<BodyStructure>,
        /// Lines of the whole part.
        lines: u64,
    },
    /// `text/…`
    Text {
        /// Lines of the body.
        lines: u64,
    },
}

/// `body-ext-1part`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SingleExtension {
    /// Content-MD5:
    pub md5: Option<Vec<u8>>,
    /// What both kinds have.
    pub common: CommonExtension,
}

/// `body-ext-mpart`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultiExtension {
    /// Content-Type's parameters.
    pub parameters: Vec<Parameter>,
    /// What both kinds have.
    pub common: CommonExtension,
}

/// The end of both extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommonExtension {
    /// Content-Disposition: its type and parameters.
    pub disposition: Option<(Vec<u8>, Vec<Parameter>)>,
    /// Content-Language:
    pub language: Vec<Vec<u8>>,
    /// Content-Location:
    pub location: Option<Vec<u8>>,
}
