//! What a FETCH asks for, and what it takes to answer that.

use crate::imap::command::Numbering;
use crate::imap::fetch::{FetchItem, Section, SectionText};
use crate::mailbox::view::Picked;
use crate::session::Enabled;

/// The items of one FETCH command.
#[derive(Debug)]
pub(super) struct Plan {
    items: Vec<FetchItem>,
    enabled: Enabled,
    hears_modseqs: bool,
}

impl Plan {
    /// UID FETCH answers with the UID whether or not it was asked for (RFC 3501 §6.4.8). What is asked for
    /// twice is answered once: an answer's size is bounded by the message, not by the command. After ENABLE UIDONLY the
    /// answer begins with the UID, so that it is an item only where it was asked for.
    pub(super) fn new(asked: Vec<FetchItem>, numbering: Numbering, enabled: Enabled) -> Plan {
        let mut items: Vec<FetchItem> = Vec::with_capacity(asked.len() + 1);
        let adds_uid = numbering == Numbering::Uid && !enabled.uid_only;
        if adds_uid && !asked.contains(&FetchItem::Uid) {
            items.push(FetchItem::Uid);
        }
        for item in asked {
            if !items.contains(&item) {
                items.push(item);
            }
        }
        Plan {
            items,
            enabled,
            hears_modseqs: false,
        }
    }

    /// The same for a client that hears of mod-sequences.
    pub(super) fn with_modseqs(self) -> Plan {
        Plan {
            hears_modseqs: true,
            ..self
        }
    }

    /// What an answer shows, unless it does so anyway, if its message was given `\Seen` for it: the flags, and "both UID
    /// and mod-sequence data" after CONDSTORE (RFC 7162 §3.2.4).
    pub(super) fn shown_if_marked(&self) -> impl Iterator<Item = FetchItem> + '_ {
        let modseq = self.hears_modseqs.then_some(FetchItem::ModSeq);
        let uid = (self.hears_modseqs && !self.uid_only()).then_some(FetchItem::Uid);
        let all = [Some(FetchItem::Flags), uid, modseq].into_iter().flatten();
        all.filter(|item| !self.items.contains(item))
    }

    /// Whether the client has enabled IMAP4rev2.
    pub(super) fn rev2(&self) -> bool {
        self.enabled.rev2
    }

    /// Whether the client has enabled UIDONLY.
    pub(super) fn uid_only(&self) -> bool {
        self.enabled.uid_only
    }

    /// In the order of the answer.
    pub(super) fn items(&self) -> &[FetchItem] {
        &self.items
    }

    /// Whether the answer names UIDs.
    pub(super) fn names_uids(&self) -> bool {
        self.uid_only() || self.items.contains(&FetchItem::Uid)
    }

    /// Whether the answer shows mod-sequences.
    pub(super) fn shows_modseq(&self) -> bool {
        self.items.contains(&FetchItem::ModSeq)
    }

    /// Whether it makes messages `\Seen`.
    pub(super) fn sets_seen(&self) -> bool {
        self.items.iter().any(FetchItem::sets_seen)
    }

    /// Whether a message's answer needs the time of its file: INTERNALDATE, which also stands for a SAVEDATE that nobody
    /// knows.
    pub(super) fn needs_date(&self, picked: &Picked) -> bool {
        self.items.iter().any(|item| match item {
            FetchItem::InternalDate => true,
            FetchItem::SaveDate => picked.message.saved().is_none(),
            _ => false,
        })
    }

    /// Whether the answer needs previews, from the files if they are not at hand.
    pub(super) fn needs_previews(&self) -> bool {
        let items = &mut self.items.iter();
        items.any(|item| matches!(item, FetchItem::Preview { lazy: false, .. }))
    }

    /// Whether a message's file must be read, or what is known without that will do.
    pub(super) fn reads_file(&self, picked: &Picked) -> bool {
        self.items.iter().any(|item| match item {
            // A preview may be at hand: see [`Plan::needs_previews`].
            FetchItem::EmailId
            | FetchItem::Flags
            | FetchItem::InternalDate
            | FetchItem::ModSeq
            | FetchItem::Preview { .. }
            | FetchItem::SaveDate
            | FetchItem::Uid => false,
            FetchItem::Rfc822Size => picked.message.virtual_size().is_none(),
            FetchItem::Binary { .. }
            | FetchItem::BinarySize { .. }
            | FetchItem::Body
            | FetchItem::BodySection { .. }
            | FetchItem::BodyStructure
            | FetchItem::Envelope
            | FetchItem::Rfc822
            | FetchItem::Rfc822Header
            | FetchItem::Rfc822Text
            | FetchItem::ThreadId => true,
        })
    }

    /// Whether most of the file will be read, so that it is better read at once.
    pub(super) fn reads_whole(&self) -> bool {
        self.items.iter().any(|item| match item {
            FetchItem::EmailId
            | FetchItem::Envelope
            | FetchItem::Flags
            | FetchItem::InternalDate
            | FetchItem::ModSeq
            | FetchItem::Rfc822Header
            | FetchItem::SaveDate
            | FetchItem::ThreadId
            | FetchItem::Uid => false,
            FetchItem::Preview { lazy, .. } => !lazy,
            FetchItem::BodySection { section, .. } => !is_own_header(section),
            FetchItem::Binary { .. }
            | FetchItem::BinarySize { .. }
            | FetchItem::Body
            | FetchItem::BodyStructure
            | FetchItem::Rfc822
            | FetchItem::Rfc822Size
            | FetchItem::Rfc822Text => true,
        })
    }
}

/// Whether a section is in the message's own header.
pub(super) fn is_own_header(section: &Section) -> bool {
    section.part.is_empty()
        && match section.text {
            SectionText::Header
            | SectionText::HeaderFields(_)
            | SectionText::HeaderFieldsNot(_) => true,
            SectionText::Whole | SectionText::Text | SectionText::Mime => false,
        }
}

/// Whether a section is the whole message.
pub(super) fn is_whole(section: &Section) -> bool {
    section.part.is_empty() && section.text == SectionText::Whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: SectionText) -> FetchItem {
        FetchItem::BodySection {
            peek: true,
            section: Section {
                part: Vec::new(),
                text,
            },
            partial: None,
        }
    }

    #[test]
    fn uid_fetch_answers_with_the_uid() {
        let plan = Plan::new(vec![FetchItem::Flags], Numbering::Uid, Enabled::default());
        assert_eq!(plan.items(), [FetchItem::Uid, FetchItem::Flags]);
        let plan = Plan::new(
            vec![FetchItem::Flags, FetchItem::Uid],
            Numbering::Uid,
            Enabled::default(),
        );
        assert_eq!(plan.items(), [FetchItem::Flags, FetchItem::Uid]);
        let plan = Plan::new(
            vec![FetchItem::Flags],
            Numbering::Sequence,
            Enabled::default(),
        );
        assert!(!plan.names_uids());
    }

    #[test]
    fn what_is_asked_for_twice_is_answered_once() {
        let asked = vec![
            FetchItem::BodyStructure,
            section(SectionText::Header),
            FetchItem::BodyStructure,
            section(SectionText::Text),
            section(SectionText::Header),
        ];
        let plan = Plan::new(asked.clone(), Numbering::Sequence, Enabled::default());
        assert_eq!(plan.items(), [&asked[..2], &asked[3..4]].concat());
    }

    #[test]
    fn headers_alone_do_not_read_the_whole_message() {
        let reads_whole =
            |item| Plan::new(vec![item], Numbering::Sequence, Enabled::default()).reads_whole();
        assert!(!reads_whole(section(SectionText::Header)));
        assert!(!reads_whole(FetchItem::Rfc822Header));
        assert!(!reads_whole(FetchItem::InternalDate));
        assert!(!reads_whole(FetchItem::Envelope));
        assert!(reads_whole(section(SectionText::Text)));
        assert!(reads_whole(FetchItem::BodyStructure));
    }

    #[test]
    fn only_bodies_without_peek_set_seen() {
        let sets_seen =
            |item| Plan::new(vec![item], Numbering::Sequence, Enabled::default()).sets_seen();
        assert!(!sets_seen(section(SectionText::Whole)));
        assert!(sets_seen(FetchItem::Rfc822Text));
        assert!(!sets_seen(FetchItem::Rfc822Header));
    }
}
