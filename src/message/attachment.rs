//! Whether a message has attachments: what `$HasAttachment` says (RFC 9979).

use std::io;

use crate::message::Source;
use crate::message::header::{HEADER_MAX, Header};
use crate::message::mime::{self, Content};
use crate::message::parameter::disposition;

/// Whether some part is one to be kept apart: its Content-Disposition is `attachment`, or it is `inline` and has a file
/// name. A message that came inside another is looked into, as clients show what it has.
pub fn has_attachment<S: Source + ?Sized>(source: &S) -> io::Result<bool> {
    let outline = mime::outline(source)?;
    for part in &outline.parts {
        if matches!(part.content, Content::Multipart(_)) {
            continue;
        }
        let is_wanted = |name: &[u8]| name.eq_ignore_ascii_case(b"Content-Disposition");
        let header = Header::read(source, part.header.clone(), HEADER_MAX, is_wanted)?;
        let said = header.first(b"Content-Disposition").map(disposition);
        let is_attachment = said.is_some_and(|(kind, parameters)| {
            let has_name = || {
                let mut names = parameters.iter().map(|(name, _)| name.as_slice());
                names.any(|name| name.to_ascii_lowercase().starts_with(b"filename"))
            };
            kind.eq_ignore_ascii_case(b"attachment")
                || kind.eq_ignore_ascii_case(b"inline") && has_name()
        });
        if is_attachment {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_disposition() {
        let part = |header: &str| format!("{header}\r\n\r\nx\r\n");
        let mixed = |parts: &[&str]| {
            let parts: String = parts
                .iter()
                .map(|one| format!("--b\r\n{}", part(one)))
                .collect();
            format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n")
        };
        let plain = "Content-Type: text/plain";
        for (message, expected) in [
            (part("Subject: x"), false),
            (part("Content-Disposition: attachment"), true),
            (mixed(&[plain, plain]), false),
            (
                mixed(&[plain, "Content-Disposition: ATTACHMENT; filename=a.pdf"]),
                true,
            ),
            (mixed(&[plain, "Content-Disposition: inline"]), false),
            (
                mixed(&["Content-Disposition: inline; filename*0=a; filename*1=b"]),
                true,
            ),
            (mixed(&["Content-Type: image/png; name=x.png"]), false),
            (
                format!(
                    "Content-Type: message/rfc822\r\n\r\n{}",
                    mixed(&["Content-Disposition: attachment"])
                ),
                true,
            ),
            (
                format!("Content-Disposition: attachment\r\n{}", mixed(&[plain])),
                false,
            ),
            (String::new(), false),
        ] {
            assert_eq!(
                has_attachment(message.as_bytes()).unwrap(),
                expected,
                "{message}"
            );
        }
    }
}
