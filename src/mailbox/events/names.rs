//! Which names an account has, and what has happened to them since the last look (RFC 5465 §5.4, §5.5): by whomever,
//! for two looks are compared. A mailbox is known by its directory, so one that was renamed is found under its new
//! name, whoever renamed it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::imap::name::MailboxName;
use crate::mailbox::events::{NameChange, NameKind};
use crate::mailbox::fault::{Fault, blocking};
use crate::mailbox::user::{Folder, User};
use crate::spool::tree::Origin;

/// Looks at an account that others change meanwhile, until one is taken as it is.
const LOOKS: usize = 4;

/// The account's names at one moment.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub folders: Vec<Folder>,
    pub subscribed: HashSet<MailboxName>,
    /// Device and inode of each mailbox's directory.
    pub identities: HashMap<MailboxName, (u64, u64)>,
    origins: HashMap<MailboxName, Origin>,
}

/// What has happened between two looks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// In the order that they are to be told.
    pub changes: Vec<NameChange>,
    /// Old names and new ones, children too.
    pub renamed: Vec<(MailboxName, MailboxName)>,
    /// Mailboxes that are no more, though there may be others of the same names.
    pub gone: Vec<MailboxName>,
}

impl Names {
    /// Looks at the account.
    pub async fn read(user: &User) -> Result<Names, Fault> {
        let _held = user.hold_names().await;
        // What others rename between the list of names and the look at each would be taken for another mailbox.
        for _ in 1..LOOKS {
            let names = Names::look(user).await?;
            let mut selectable = names.folders.iter().filter(|folder| folder.selectable);
            if selectable.all(|folder| names.identities.contains_key(&folder.name)) {
                return Ok(names);
            }
        }
        Names::look(user).await
    }

    async fn look(user: &User) -> Result<Names, Fault> {
        let folders = user.list().await?;
        let subscribed = user.subscriptions().await?.into_iter().collect();
        let selectable = folders.iter().filter(|folder| folder.selectable);
        let names: Vec<MailboxName> = selectable.map(|folder| folder.name.clone()).collect();
        let tree = Arc::clone(&user.tree);
        let (identities, origins) = blocking("looking at mailboxes", move || {
            let (mut identities, mut origins) = (HashMap::new(), HashMap::new());
            for name in names {
                if let Some(origin) = tree.origin(&name) {
                    origins.insert(name.clone(), origin);
                }
                if let Ok(Some(identity)) = tree.identity(&name) {
                    identities.insert(name, identity);
                }
            }
            (identities, origins)
        })
        .await?;
        Ok(Names {
            folders,
            subscribed,
            identities,
            origins,
        })
    }

    /// What has happened since `before`.
    pub fn since(&self, before: &Names, separator: char) -> Difference {
        let was = before.mailboxes();
        let is = self.mailboxes();
        // What has another directory is another mailbox.
        let replaced = |name: &MailboxName| {
            let [old, new] = [before, self].map(|names| names.origins.get(name));
            let [first, last] = [before, self].map(|names| names.identities.get(name));
            old != new || first != last
        };
        let is_new = |name: &MailboxName| !was.contains(name) || replaced(name);
        let is_gone = |name: &MailboxName| !is.contains(name) || replaced(name);
        let gone: Vec<&MailboxName> = before.names().filter(|name| is_gone(name)).collect();
        let by_origin: HashMap<&Origin, &MailboxName> = (gone.iter())
            .filter_map(|name| Some((before.origins.get(*name)?, *name)))
            .collect();
        let renamed: Vec<(MailboxName, MailboxName)> = (self.names())
            .filter(|name| is_new(name))
            .filter_map(|name| {
                let old = by_origin.get(self.origins.get(name)?)?;
                (*old != name).then(|| ((*old).clone(), name.clone()))
            })
            .collect();
        let renamed_to: HashSet<&MailboxName> = renamed.iter().map(|(_, new)| new).collect();
        let renamed_from: HashSet<&MailboxName> = renamed.iter().map(|(old, _)| old).collect();

        let mut told: HashSet<MailboxName> = HashSet::new();
        let mut changes = Vec::new();
        // "When a mailbox is renamed, its children are renamed too. No additional MailboxName events are sent for
        // children in this case."
        for (old, new) in &renamed {
            let with_parent = renamed.iter().any(|(top, goal)| {
                let below = |name: &MailboxName, top: &MailboxName| {
                    let rest = name.as_str().strip_prefix(top.as_str());
                    rest.filter(|_| name.is_below(top, separator))
                        .map(str::to_owned)
                };
                let rest = below(old, top);
                rest.is_some() && rest == below(new, goal)
            });
            if !with_parent {
                changes.push(self.change(new, NameKind::Renamed(old.clone())));
            }
            told.insert(new.clone());
        }
        // "If a mailbox is created or deleted, the mailbox itself and its direct parent (whether it is an existing
        // mailbox or not) are considered to be affected."
        let came = self
            .names()
            .filter(|name| is_new(name) && !renamed_to.contains(name));
        let went = gone.iter().copied();
        let went = went.filter(|name| !renamed_from.contains(name) || is.contains(*name));
        let affected: Vec<&MailboxName> = came.chain(went).collect();
        let parents = affected.iter().filter_map(|name| name.parent(separator));
        for name in affected.iter().copied().cloned().chain(parents) {
            if told.insert(name.clone()) {
                changes.push(self.change(&name, NameKind::Came));
            }
        }
        let mut subscribed: Vec<&MailboxName> = self
            .subscribed
            .symmetric_difference(&before.subscribed)
            .collect();
        subscribed.sort();
        let subscribed = subscribed.into_iter();
        changes.extend(subscribed.map(|name| self.change(name, NameKind::Subscribed)));
        let gone = gone.iter().copied();
        let gone = gone.filter(|name| !renamed_from.contains(name)).cloned();
        Difference {
            changes,
            gone: gone.collect(),
            renamed,
        }
    }

    fn names(&self) -> impl Iterator<Item = &MailboxName> {
        let selectable = self.folders.iter().filter(|folder| folder.selectable);
        selectable.map(|folder| &folder.name)
    }

    fn mailboxes(&self) -> HashSet<&MailboxName> {
        self.names().collect()
    }

    fn change(&self, name: &MailboxName, kind: NameKind) -> NameChange {
        let known = self.folders.iter().find(|folder| folder.name == *name);
        let folder = known.cloned().unwrap_or_else(|| Folder {
            name: name.clone(),
            selectable: false,
            exists: false,
            has_children: false,
            special_use: None,
        });
        NameChange {
            folder,
            subscribed: self.subscribed.contains(name),
            kind,
        }
    }
}
