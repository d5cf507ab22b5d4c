//! How a command ends: with what is new in the selected mailbox, as far as the command lets it be told, and its tagged
//! line. What the news are is the matter of [`updates`].

use std::sync::Arc;

use crate::imap::command::{AppendHead, CommandBody, Numbering};
use crate::imap::core::Tag;
use crate::imap::response::{Code, StatusKind};
use crate::mailbox::fault::Fault;
use crate::mailbox::view::Expunge;
use crate::session::cmd::metadata;
use crate::session::notify as unasked;
use crate::session::reply::{self, End, Failure, Reply};
use crate::session::run::Patience;
use crate::session::updates::By;
use crate::session::{Session, State, updates};

impl Session {
    /// Tells what is new, then how the command ended.
    pub(super) async fn conclude(
        &mut self,
        tag: &Tag,
        name: &'static str,
        news: News,
        result: Result<Reply, Failure>,
        patience: &mut Patience,
    ) -> Result<(), End> {
        let (kind, code, text) = match result {
            Ok(Reply { code, text }) => (StatusKind::Ok, code, text),
            Err(Failure::No(code, text)) => (StatusKind::No, code, text),
            Err(Failure::Fault(fault)) => {
                let (code, text) = reply::answer(&fault, name)?;
                (StatusKind::No, code, text)
            }
            // Nothing is told with a BAD: who sent it may hold it for a command that permits less.
            Err(Failure::Bad(text)) => {
                let text = format!("Error in IMAP command {name}: {text}");
                return self.bad(Some(tag), None, &text, patience);
            }
            Err(Failure::Refused(mut refusal)) => {
                refusal.tag = Some(tag.clone());
                return self.refused(refusal, patience);
            }
            Err(Failure::End(end)) => return Err(end),
        };
        patience.bad_commands = 0;
        let mut code = code;
        if news.told {
            if let Err(Failure::End(end)) = unasked::tell(self).await {
                return Err(end);
            }
            match metadata::tell(self).await {
                Err(Failure::End(end)) => return Err(end),
                Ok(()) | Err(_) => self.tell_news(name, news).await?,
            }
            code = updates::tell_modseq(self, code);
        }
        self.writer.status(Some(tag), kind, code, text);
        Ok(())
    }

    async fn tell_news(&mut self, name: &'static str, news: News) -> Result<(), End> {
        let State::Selected(view, _) = &self.state else {
            return Ok(());
        };
        let mailbox = Arc::clone(view.mailbox());
        let mut outcome = mailbox.refresh().await.map_err(Failure::from);
        if let Err(Failure::Fault(fault)) = &outcome
            && !matches!(fault, Fault::Ended)
        {
            // The command did what it did; what is known already can still be told.
            reply::log(fault, name);
            outcome = Ok(());
        }
        if outcome.is_ok() {
            outcome = updates::tell(self, news.expunge, news.by_uid, news.by).await;
        }
        match outcome {
            Ok(()) => Ok(()),
            Err(Failure::Fault(Fault::Ended)) if news.may_end => {
                // This client did it and knows; it can go on with another mailbox.
                self.state = State::Authenticated;
                self.writer.status(
                    None,
                    StatusKind::Ok,
                    Some(Code::Closed),
                    "Selected mailbox was deleted or renamed.",
                );
                Ok(())
            }
            Err(Failure::End(end)) => Err(end),
            Err(Failure::Fault(fault)) => {
                reply::answer(&fault, name)?;
                Ok(())
            }
            Err(Failure::Bad(_) | Failure::No(..) | Failure::Refused(_)) => Ok(()),
        }
    }
}

/// What of the selected mailbox's news goes with a command's answer.
#[derive(Clone, Copy)]
pub(super) struct News {
    /// Any at all.
    told: bool,
    /// Expunges too (RFC 3501 §7.4.1).
    expunge: Expunge,
    /// FETCH responses name the UID too, as every one does that a UID command causes.
    by_uid: bool,
    /// The command may itself have ended the selected mailbox.
    may_end: bool,
    /// Whether the command may have changed the selected mailbox. NOTIFY "MUST cause the server to immediately return
    /// any accumulated changes" (RFC 5465 §3.1), as if it had.
    by: By,
}

impl News {
    const ALL: News = News {
        told: true,
        expunge: Expunge::Allowed,
        by_uid: false,
        may_end: false,
        by: By::Client,
    };

    /// What goes with an APPEND or REPLACE.
    pub(super) fn of_append(head: &AppendHead) -> News {
        let by_uid = matches!(head.replaces, Some((Numbering::Uid, _)));
        News {
            by_uid,
            ..News::ALL
        }
    }

    /// What goes with any command.
    pub(super) fn of(body: &CommandBody) -> News {
        let (told, by_uid, may_end) = match body {
            // What is selected after these is news altogether, or nothing is.
            CommandBody::Select { .. }
            | CommandBody::Close
            | CommandBody::Unselect
            | CommandBody::Logout => (false, false, false),
            CommandBody::Delete { .. } | CommandBody::Rename { .. } => (true, false, true),
            CommandBody::Copy { numbering, .. }
            | CommandBody::Fetch { numbering, .. }
            | CommandBody::Move { numbering, .. }
            | CommandBody::Search { numbering, .. }
            | CommandBody::Sort { numbering, .. }
            | CommandBody::Thread { numbering, .. }
            | CommandBody::Store { numbering, .. } => (true, *numbering == Numbering::Uid, false),
            CommandBody::Esearch { .. } | CommandBody::UidBatches { .. } => (true, true, false),
            CommandBody::Expunge { uids } => (true, uids.is_some(), false),
            CommandBody::Append(head, _) => return News::of_append(head),
            CommandBody::Authenticate { .. }
            | CommandBody::CancelUpdate { .. }
            | CommandBody::Capability
            | CommandBody::Check
            | CommandBody::Compress
            | CommandBody::Create { .. }
            | CommandBody::Enable(_)
            | CommandBody::GetMetadata { .. }
            | CommandBody::GetQuota { .. }
            | CommandBody::GetQuotaRoot { .. }
            | CommandBody::Id(_)
            | CommandBody::Idle
            | CommandBody::List(_)
            | CommandBody::Login { .. }
            | CommandBody::Lsub { .. }
            | CommandBody::Namespace
            | CommandBody::Noop
            | CommandBody::Notify(_)
            | CommandBody::SetMetadata { .. }
            | CommandBody::SetQuota { .. }
            | CommandBody::StartTls
            | CommandBody::Status { .. }
            | CommandBody::Subscribe { .. }
            | CommandBody::Unauthenticate
            | CommandBody::Unsubscribe { .. } => (true, false, false),
        };
        let by = match body {
            CommandBody::Copy { .. }
            | CommandBody::Expunge { .. }
            | CommandBody::Move { .. }
            | CommandBody::Notify(_)
            | CommandBody::Store { .. } => By::Client,
            _ => By::Others,
        };
        News {
            told,
            by,
            expunge: if body.permits_expunge() {
                Expunge::Allowed
            } else {
                Expunge::Held
            },
            by_uid,
            may_end,
        }
    }
}
