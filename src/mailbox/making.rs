//! Mailboxes made, renamed and removed (RFC 3501 §6.3.3 to §6.3.5). NO means not done: what was made and cannot be used
//! is taken back.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use crate::imap::name::MailboxName;
use crate::imap::response::ListAttribute;
use crate::imap::sequence::Uid;
use crate::mailbox::closing::Slot;
use crate::mailbox::fault::{Fault, blocking};
use crate::mailbox::mailbox::Mailbox;
use crate::mailbox::user::User;
use crate::spool::metadata;

impl User {
    /// CREATE.
    pub async fn create(&self, name: &MailboxName) -> Result<(), Fault> {
        if name.is_inbox() {
            return Err(Fault::AlreadyExists);
        }
        let (tree, wanted) = (Arc::clone(&self.tree), name.clone());
        let made = blocking("creating a mailbox", move || tree.create(&wanted)).await?;
        made.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Fault::AlreadyExists,
            _ => Fault::from_io(format!("creating {name}"), error),
        })
    }

    /// CREATE with USE (RFC 6154 §3): all of it or nothing.
    pub async fn create_for(
        &self,
        name: &MailboxName,
        purpose: ListAttribute,
    ) -> Result<(), Fault> {
        self.create(name).await?;
        let (tree, made) = (Arc::clone(&self.tree), name.clone());
        let noted = blocking("creating a mailbox", move || {
            metadata::set_special_use(&tree, &made, purpose)
        })
        .await?;
        if let Err(error) = noted {
            let fault = Fault::from_io(format!("creating {name} for {}", purpose.as_str()), error);
            self.delete(name).await?;
            return Err(fault);
        }
        Ok(())
    }

    /// Opens a mailbox that has just been made, and waits until its UIDVALIDITY is safe. If that fails, as on a full disk,
    /// the mailbox is taken back: who hears NO may try again.
    pub async fn open_made(self: &Arc<Self>, name: &MailboxName) -> Result<Arc<Mailbox>, Fault> {
        let opened = async {
            let mailbox = self.mailbox(name).await?;
            let next = mailbox.snapshot().uid_next;
            // In an empty mailbox UIDVALIDITY alone is waited for.
            let last = Uid::new(next.get() - 1).unwrap_or(next);
            mailbox.durable(last).await?;
            Ok(mailbox)
        };
        match opened.await {
            Ok(mailbox) => Ok(mailbox),
            Err(fault) => Err(self.take_back(name, fault).await),
        }
    }

    /// Takes back a mailbox that was made, if there is no message in it, and gives the fault that it is taken back for.
    async fn take_back(&self, name: &MailboxName, fault: Fault) -> Fault {
        let mut open = self.open.lock().await;
        let (tree, wanted) = (Arc::clone(&self.tree), name.clone());
        let gone = blocking("taking back a mailbox", move || tree.take_back(&wanted)).await;
        let gone =
            gone.and_then(|gone| gone.map_err(|error| Fault::from_io(name.to_string(), error)));
        match gone {
            Ok(()) => end(&mut open, name),
            Err(error) => tracing::warn!(mailbox = %name, %error, "it was made and stays"),
        }
        fault
    }

    /// DELETE. Sessions that have it selected are told it ended.
    pub async fn delete(&self, name: &MailboxName) -> Result<(), Fault> {
        if name.is_inbox() {
            return Err(Fault::Cannot("INBOX can't be deleted".into()));
        }
        let mut open = self.open.lock().await;
        let (tree, wanted) = (Arc::clone(&self.tree), name.clone());
        let (quota, counted) = (Arc::clone(&self.quota), self.quota.enter().await);
        let gone = blocking("deleting a mailbox", move || {
            let _counted = counted;
            let loss = quota.of_mailbox(&wanted);
            tree.delete(&wanted)?;
            quota.note(loss);
            Ok(())
        })
        .await?;
        gone.map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Fault::NonExistent(name.to_string()),
            io::ErrorKind::DirectoryNotEmpty => Fault::HasChildren,
            _ => Fault::from_io(format!("deleting {name}"), error),
        })?;
        end(&mut open, name);
        Ok(())
    }

    /// RENAME, with children; of INBOX: its messages move to the new mailbox.
    pub async fn rename(
        self: &Arc<Self>,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<(), Fault> {
        if to.is_inbox() {
            return Err(Fault::AlreadyExists);
        }
        if from.is_inbox() {
            return self.rename_inbox(to).await;
        }
        let mut open = self.open.lock().await;
        let (tree, old, new) = (Arc::clone(&self.tree), from.clone(), to.clone());
        let renamed = blocking("renaming a mailbox", move || tree.rename(&old, &new)).await?;
        let renamed = renamed.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Fault::NonExistent(from.to_string()),
            io::ErrorKind::AlreadyExists => Fault::AlreadyExists,
            io::ErrorKind::InvalidInput => {
                Fault::Cannot("Can't rename mailbox under its own child".into())
            }
            _ => Fault::from_io(format!("renaming {from}"), error),
        })?;
        // Sessions go on: an open mailbox holds its directories, whatever they are called.
        let held: Vec<_> = renamed
            .into_iter()
            .filter_map(|(old, new)| Some((new, open.remove(&old)?)))
            .collect();
        open.extend(held);
        Ok(())
    }

    /// RFC 3501 §6.3.5: all messages move to the new mailbox, INBOX stays and is empty. RFC 5464 §4.1: "the
    /// annotations are copied from the original INBOX to the renamed mailbox".
    async fn rename_inbox(self: &Arc<Self>, to: &MailboxName) -> Result<(), Fault> {
        self.events.note_inbox_to(to);
        let renamed = self.empty_inbox_into(to).await;
        if renamed.is_err() {
            self.events.forget_inbox_to(to);
        }
        renamed
    }

    async fn empty_inbox_into(self: &Arc<Self>, to: &MailboxName) -> Result<(), Fault> {
        self.create(to).await?;
        let target = self.open_made(to).await?;
        let moved = async {
            let inbox = self.mailbox(&MailboxName::inbox()).await?;
            inbox.refresh().await?;
            let snapshot = inbox.snapshot();
            let all = snapshot.iter().map(|message| message.uid.get()).collect();
            self.copy_annotations(&MailboxName::inbox(), to).await?;
            inbox.move_to(&all, &target).await
        };
        match moved.await {
            Ok(_) => Ok(()),
            Err(fault) => Err(self.take_back(to, fault).await),
        }
    }
}

/// A mailbox is no more: whoever has it selected finds that out.
fn end(open: &mut HashMap<MailboxName, Arc<Slot>>, name: &MailboxName) {
    if let Some(mailbox) = (open.remove(name).as_ref()).and_then(|slot| slot.mailbox.get()) {
        mailbox.end();
    }
}
