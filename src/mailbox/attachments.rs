//! `$HasAttachment` and `$HasNoAttachment` (RFC 9979): where a setting asks for it, a message gets one of them as it
//! arrives, by APPEND or from `new/`. What lies in `cur/` already is left as it is.

use crate::imap::flag::Keyword;
use crate::mailbox::snapshot::Message;
use crate::mailbox::turn::Turn;
use crate::message::Source;
use crate::message::attachment::has_attachment;
use crate::spool::filename::Letters;
use crate::spool::keyword_set::KeywordSet;

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
    /// The letters of a message that is taken over from `new/`. A keyword that has none, it has after this.
    pub(super) fn letters_on_arrival(&mut self, message: &Message) -> Letters {
        if !self.disk.attachment_keywords {
            return message.keywords.letters;
        }
        let has: Vec<Keyword> = self.draft.keywords_of(message).cloned().collect();
        // A file that cannot be opened is most likely gone: taking it over will tell.
        let file = self.disk.folder.open(message.sub, &message.name).ok();
        let keyword = file.and_then(|file| keyword_for(&file, &has));
        let keywords = self.with_keyword(&message.keywords, keyword);
        let put = self.put_extras(&[(message.name.base(), keywords.extras.clone())]);
        if let Ok(true) = put {
            self.show_extras(message, keywords.extras);
        }
        keywords.letters
    }

    /// The keywords with one more. That there is no room for it keeps no message from arriving.
    pub(super) fn with_keyword(
        &mut self,
        keywords: &KeywordSet,
        keyword: Option<Keyword>,
    ) -> KeywordSet {
        let more = keyword.and_then(|keyword| self.keywords_for(&[keyword]).ok());
        keywords.union(&more.unwrap_or_default())
    }
}
