//! `$HasAttachment` and `$HasNoAttachment` (RFC 9979): where a setting asks for it, a message gets one of them as it
//! arrives, by APPEND or from `new/`. What lies in `cur/` already is left as it is.

use crate::imap::flag::Keyword;
use crate::mailbox::snapshot::Message;
use crate::mailbox::turn::Turn;
use crate::message::Source;
use crate::message::attachment::has_attachment;
use crate::spool::filename::Letters;

const NAMES: [&str; 2] = ["$HasAttachment", "$HasNoAttachment"];

/// The keyword for a message that comes with these; `None` if one of them says it, or the message cannot be read.
pub(super) fn keyword_for<S: Source + ?Sized>(source: &S, has: &[Keyword]) -> Option<Keyword> {
    let says = |keyword: &Keyword| {
        NAMES
            .iter()
            .any(|name| name.eq_ignore_ascii_case(keyword.as_str()))
    };
    if has.iter().any(says) {
        return None;
    }
    let [with, without] = NAMES;
    match has_attachment(source) {
        Ok(has) => Keyword::new(if has { with } else { without }),
        Err(error) => {
            tracing::warn!(%error, "whether a message has attachments is not known");
            None
        }
    }
}

impl Turn<'_> {
    /// The letters of a message that is taken over from `new/`.
    pub(super) fn letters_on_arrival(&mut self, message: &Message) -> Letters {
        let letters = message.letters;
        if !self.disk.attachment_keywords {
            return letters;
        }
        let has: Vec<Keyword> = self.draft.keywords_of(message).cloned().collect();
        // A file that cannot be opened is most likely gone: taking it over will tell.
        let file = self.disk.folder.open(message.sub, &message.name).ok();
        let keyword = file.and_then(|file| keyword_for(&file, &has));
        self.with_keyword(letters, keyword)
    }

    /// The letters with one more. That there is no room for it keeps no message from arriving.
    pub(super) fn with_keyword(&mut self, letters: Letters, keyword: Option<Keyword>) -> Letters {
        let more = keyword.and_then(|keyword| self.letters_for(&[keyword]).ok());
        Letters(letters.0 | more.unwrap_or_default().0)
    }
}
