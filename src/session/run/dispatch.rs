//! Which file of [`cmd`](crate::session::cmd) carries out a command. No rules here: who may send what, and when, has been
//! decided.

use crate::imap::command::{CommandBody, Numbering};
use crate::imap::core::Tag;
use crate::imap::search::{ReturnOptions, Source};
use crate::session::Session;
use crate::session::cmd::{
    any, append, cancelupdate, check, close, copy, create, delete, enable, esearch, expunge, fetch,
    idle, list, metadata, namespace, notify, quota, rename, search, select, sort, status, store,
    subscribe, uidbatches,
};
use crate::session::reply::{End, Failure, Reply};

/// Of what a client says in ID after its login, this much that is new is logged: it cannot fill the log.
const IDS_NOTED: u32 = 3;

impl Session {
    /// Carries out a command that the state allows. Each is in a box of its own but IDLE: a session that waits keeps no
    /// room for the others.
    pub(super) async fn dispatch(
        &mut self,
        tag: &Tag,
        body: CommandBody,
    ) -> Result<Reply, Failure> {
        match body {
            CommandBody::Append(head, steps) => Box::pin(append::run(self, &head, steps)).await,
            CommandBody::Authenticate { .. }
            | CommandBody::Login { .. }
            | CommandBody::StartTls => Err(Failure::Bad("Already logged in".into())),
            CommandBody::CancelUpdate { tags } => cancelupdate::run(self, &tags),
            CommandBody::Capability => {
                let list = self.capabilities();
                any::capability(&mut self.writer, list);
                Ok(Reply::ok("Capability completed"))
            }
            CommandBody::Check => Box::pin(check::run(self)).await,
            CommandBody::Close => Box::pin(close::close(self)).await,
            // The first one has answered itself.
            CommandBody::Compress => Err(Failure::Bad("DEFLATE is active already".into())),
            CommandBody::Copy {
                numbering,
                set,
                mailbox,
            } => Box::pin(copy::copy(self, numbering, &set, &mailbox)).await,
            CommandBody::Create { mailbox, uses } => {
                Box::pin(create::run(self, &mailbox, &uses)).await
            }
            CommandBody::Delete { mailbox } => Box::pin(delete::run(self, &mailbox)).await,
            CommandBody::Enable(names) => enable::run(self, &names),
            CommandBody::Esearch {
                sources,
                returns,
                charset,
                key,
            } => {
                let sources = sources.unwrap_or_else(|| vec![Source::Selected]);
                let returns = Some(returns.unwrap_or(ReturnOptions::ALL));
                let asked = search::Asked::new(tag, Numbering::Uid, returns, &key);
                Box::pin(esearch::run(
                    self,
                    asked,
                    &sources,
                    charset.as_deref(),
                    &key,
                ))
                .await
            }
            CommandBody::Expunge { uids } => Box::pin(expunge::run(self, uids.as_ref())).await,
            CommandBody::Fetch {
                numbering,
                set,
                items,
                modifiers,
            } => Box::pin(fetch::run(self, numbering, &set, items, modifiers)).await,
            CommandBody::GetMetadata {
                mailbox,
                entries,
                depth,
                max_size,
            } => Box::pin(metadata::get(self, &mailbox, &entries, depth, max_size)).await,
            CommandBody::GetQuota { root } => Box::pin(quota::get(self, &root)).await,
            CommandBody::GetQuotaRoot { mailbox } => {
                Box::pin(quota::get_root(self, &mailbox)).await
            }
            CommandBody::Id(fields) => {
                let fields = fields.unwrap_or_default();
                if fields != self.client_id && self.ids_noted < IDS_NOTED {
                    any::note_client(&fields);
                    self.ids_noted += 1;
                }
                self.client_id = fields;
                any::id(&mut self.writer);
                Ok(Reply::ok("ID completed"))
            }
            CommandBody::Idle => idle::run(self).await,
            CommandBody::List(list) => Box::pin(list::list(self, &list)).await,
            CommandBody::Logout => {
                any::logout(&mut self.writer, tag);
                Err(Failure::End(End::Logout))
            }
            CommandBody::Lsub { reference, pattern } => {
                Box::pin(list::lsub(self, &reference, &pattern)).await
            }
            CommandBody::Move {
                numbering,
                set,
                mailbox,
            } => Box::pin(copy::move_to(self, numbering, &set, &mailbox)).await,
            CommandBody::Namespace => namespace::run(self),
            CommandBody::Notify(set) => Box::pin(notify::run(self, set)).await,
            CommandBody::Noop => Ok(Reply::ok("NOOP completed")),
            CommandBody::Rename { from, to } => Box::pin(rename::run(self, &from, &to)).await,
            CommandBody::Search {
                numbering,
                returns,
                charset,
                key,
            } => {
                let asked = search::Asked::new(tag, numbering, returns, &key);
                Box::pin(search::run(self, asked, charset.as_deref(), &key)).await
            }
            CommandBody::Select {
                mailbox,
                read_only,
                parameters,
            } => Box::pin(select::run(self, &mailbox, read_only, &parameters)).await,
            CommandBody::SetMetadata { mailbox, values } => {
                Box::pin(metadata::set(self, &mailbox, values)).await
            }
            CommandBody::SetQuota { .. } => quota::set(),
            CommandBody::Sort {
                numbering,
                returns,
                criteria,
                charset,
                key,
            } => {
                let asked = search::Asked::new(tag, numbering, returns, &key);
                Box::pin(sort::sort(self, asked, criteria, &charset, &key)).await
            }
            CommandBody::Status { mailbox, items } => {
                Box::pin(status::run(self, &mailbox, &items)).await
            }
            CommandBody::Store {
                numbering,
                set,
                unchanged_since,
                action,
                silent,
                flags,
            } => {
                let change = store::Change {
                    unchanged_since,
                    action,
                    silent,
                    flags: &flags,
                };
                Box::pin(store::run(self, numbering, &set, change)).await
            }
            CommandBody::Subscribe { mailbox } => {
                Box::pin(subscribe::subscribe(self, &mailbox)).await
            }
            CommandBody::Thread {
                numbering,
                algorithm,
                charset,
                key,
            } => {
                Box::pin(sort::thread(
                    self, tag, numbering, algorithm, &charset, &key,
                ))
                .await
            }
            CommandBody::UidBatches { size, batches } => {
                Box::pin(uidbatches::run(self, tag, size, batches)).await
            }
            CommandBody::Unauthenticate if self.may_unauthenticate => {
                Err(Failure::End(End::Unauthenticate(tag.clone())))
            }
            CommandBody::Unauthenticate => Err(Failure::Bad("There was no login".into())),
            CommandBody::Unselect => Ok(close::unselect(self)),
            CommandBody::Unsubscribe { mailbox } => {
                Box::pin(subscribe::unsubscribe(self, &mailbox)).await
            }
        }
    }
}
