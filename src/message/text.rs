//! Which parts of a message are text, and how that is encoded: what SEARCH BODY looks into. It is known from the
//! pass over the message ([`crate::message::mime`]); no header is read again for it.

use std::ops::Range;

use crate::message::decode::TransferEncoding;
use crate::message::header::Header;
use crate::message::mime::{Content, Outline};
use crate::message::parameter::ContentType;

/// Octets of a charset's name that are kept. None that is known has more.
const CHARSET_MAX: usize = 64;

/// How a part's body is encoded, if it is text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Its Content-Transfer-Encoding.
    pub encoding: TransferEncoding,
    /// The charset as the part names it; empty where it names none, or one of a very long name.
    pub charset: Vec<u8>,
}

/// A part whose body a person would read: `text/…`, and `message/…` without parts of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPart<'s> {
    /// Where its body lies in the file, still encoded.
    pub range: Range<u64>,
    /// How the body is encoded.
    pub encoding: TransferEncoding,
    /// The charset as the part names it; empty where it names none.
    pub charset: &'s [u8],
}

impl Text {
    /// What a header says, of which `content_type` has been read. Whether the part is text after all, its content
    /// decides.
    pub fn of(header: &Header, content_type: Option<&ContentType>) -> Text {
        let charset = content_type.and_then(|kind| kind.parameter(b"charset"));
        let charset = charset.filter(|charset| charset.len() <= CHARSET_MAX);
        Text {
            encoding: header
                .first(b"Content-Transfer-Encoding")
                .map_or(TransferEncoding::Identity, TransferEncoding::parse),
            charset: charset.unwrap_or_default().to_vec(),
        }
    }
}

impl Outline {
    /// Where the headers of all parts but the message itself lie, in the order of the file.
    pub fn inner_headers(&self) -> impl Iterator<Item = Range<u64>> {
        self.parts.iter().skip(1).map(|part| part.header.clone())
    }

    /// The parts that SEARCH BODY looks into, in the order of the file.
    pub fn text_parts(&self) -> impl Iterator<Item = TextPart<'_>> {
        let mut encoded_until = 0;
        self.parts.iter().filter_map(move |part| {
            // What lies inside an encoded message is noise.
            if part.header.start < encoded_until {
                return None;
            }
            let text = part.text.as_ref()?;
            let encoding = match &part.content {
                Content::Leaf | Content::Opaque => text.encoding,
                Content::Message(_) if text.encoding == TransferEncoding::Identity => return None,
                Content::Message(_) => {
                    encoded_until = part.body.end;
                    text.encoding
                }
                // Without a delimiter all of it is text, and not encoded (RFC 2045 §6.4).
                Content::Multipart(parts) if parts.is_empty() => TransferEncoding::Identity,
                Content::Multipart(_) => return None,
            };
            (!part.body.is_empty()).then(|| TextPart {
                range: part.body.clone(),
                encoding,
                charset: &text.charset,
            })
        })
    }
}
