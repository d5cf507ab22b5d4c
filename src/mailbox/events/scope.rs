//! Which mailboxes a session wants to hear of, and what (RFC 5465 §6).

use crate::imap::name::MailboxName;

/// What is wanted of a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// MessageNew and MessageExpunge: one is not to be had without the other.
    pub messages: bool,
    /// FlagChange, and changes of UIDVALIDITY.
    pub flags: bool,
    /// MailboxName.
    pub names: bool,
    /// SubscriptionChange.
    pub subscriptions: bool,
    /// MailboxMetadataChange.
    pub metadata: bool,
}

impl Wants {
    fn and(self, other: Wants) -> Wants {
        Wants {
            messages: self.messages || other.messages,
            flags: self.flags || other.flags,
            names: self.names || other.names,
            subscriptions: self.subscriptions || other.subscriptions,
            metadata: self.metadata || other.metadata,
        }
    }
}

/// Mailboxes that a group of events is wanted of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of the account. So are those that mail may be delivered to: "If the IMAP server cannot easily compute this
    /// set, it MUST treat "inboxes" as equivalent to "personal"" (§6.3).
    Personal,
    /// Those that are subscribed, at any time.
    Subscribed,
    /// These and all below them.
    Subtree(Vec<MailboxName>),
    /// These.
    Mailboxes(Vec<MailboxName>),
}

/// All that a session wants to hear, but of its selected mailbox's messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// "multiple <event-group>s can apply to the same mailbox" (§6).
    pub groups: Vec<(Which, Wants)>,
    /// ServerMetadataChange.
    pub server_metadata: bool,
}

impl Scope {
    /// What is wanted of a mailbox.
    pub fn wants(&self, name: &MailboxName, subscribed: bool, separator: char) -> Wants {
        let applies = |which: &Which| match which {
            Which::Personal => true,
            Which::Subscribed => subscribed,
            Which::Subtree(tops) => tops
                .iter()
                .any(|top| top == name || name.is_below(top, separator)),
            Which::Mailboxes(names) => names.contains(name),
        };
        let groups = self.groups.iter().filter(|(which, _)| applies(which));
        groups.fold(Wants::default(), |all, (_, wants)| all.and(*wants))
    }

    /// What is wanted of any mailbox.
    pub fn wants_of_any(&self) -> Wants {
        let groups = self.groups.iter();
        groups.fold(Wants::default(), |all, (_, wants)| all.and(*wants))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MailboxName {
        MailboxName::from_utf8(text, '.').unwrap()
    }

    #[test]
    fn groups_add_up() {
        let of = |wants: fn(&mut Wants)| {
            let mut all = Wants::default();
            wants(&mut all);
            all
        };
        let scope = Scope {
            groups: vec![
                (
                    Which::Mailboxes(vec![name("INBOX")]),
                    of(|wants| wants.messages = true),
                ),
                (Which::Personal, of(|wants| wants.subscriptions = true)),
                (Which::Subscribed, of(|wants| wants.flags = true)),
                (
                    Which::Subtree(vec![name("Lists"), name("A")]),
                    of(|wants| wants.names = true),
                ),
            ],
            server_metadata: false,
        };
        let inbox = scope.wants(&name("INBOX"), false, '.');
        assert!(inbox.messages && inbox.subscriptions && !inbox.flags && !inbox.names);
        assert!(scope.wants(&name("INBOX"), true, '.').flags);
        for (mailbox, below) in [
            ("Lists", true),
            ("Lists.a.b", true),
            ("Listserv", false),
            ("A.B", true),
            ("lists", false),
        ] {
            assert_eq!(scope.wants(&name(mailbox), false, '.').names, below);
        }
        assert!(scope.wants_of_any().flags && !scope.wants_of_any().metadata);
    }
}
