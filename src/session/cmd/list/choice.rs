//! Which names a LIST gives, and with which attributes (RFC 5258 §3). No I/O here.

use std::cmp::Ordering;
use std::collections::HashSet;

use crate::imap::command::{ListOptions, ReturnOption, SelectOption, StatusItem};
use crate::imap::metadata::EntryName;
use crate::imap::name::MailboxName;
use crate::imap::response::{ListAttribute, ListExtended, ListItem};
use crate::mailbox::user::Folder;

/// What a LIST asks for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    extended: bool,
    select_subscribed: bool,
    select_special_use: bool,
    recursive_match: bool,
    show_subscribed: bool,
    show_children: bool,
    show_special_use: bool,
    /// Items of the STATUS that follows.
    pub(super) status: Vec<StatusItem>,
    /// Entries of the METADATA that follows, each of them once.
    pub(super) metadata: Vec<EntryName>,
}

/// A name that could be listed.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) folder: Folder,
    pub(super) subscribed: bool,
}

/// One LIST response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) item: ListItem,
    /// It is a mailbox that meets the selection itself: it may have a STATUS.
    pub(super) selected: bool,
}

impl Line {
    /// Whether a STATUS follows it.
    pub(super) fn has_status(&self, wanted: &Wanted) -> bool {
        self.selected && self.item.name.is_some() && !wanted.status.is_empty()
    }
}

impl Wanted {
    /// The basic form asks for everything but subscriptions. The extended form gives what it names: REMOTE
    /// adds nothing, for there is nothing remote; what is selected by is also shown.
    pub(super) fn new(options: Option<&ListOptions>) -> Wanted {
        let Some(ListOptions { select, returns }) = options else {
            return Wanted {
                show_children: true,
                show_special_use: true,
                ..Wanted::default()
            };
        };
        let select_subscribed = select.contains(&SelectOption::Subscribed);
        let select_special_use = select.contains(&SelectOption::SpecialUse);
        let mut wanted = Wanted {
            extended: true,
            select_subscribed,
            select_special_use,
            recursive_match: select.contains(&SelectOption::RecursiveMatch),
            show_subscribed: select_subscribed,
            show_special_use: select_special_use,
            ..Wanted::default()
        };
        for option in returns {
            match option {
                ReturnOption::Children => wanted.show_children = true,
                ReturnOption::Metadata(entries) => entries.iter().for_each(|entry| {
                    if !wanted.metadata.contains(entry) {
                        wanted.metadata.push(entry.clone());
                    }
                }),
                ReturnOption::SpecialUse => wanted.show_special_use = true,
                ReturnOption::Status(items) => wanted.status.extend(items),
                ReturnOption::Subscribed => wanted.show_subscribed = true,
            }
        }
        wanted
    }

    /// Whether it matters what is subscribed.
    pub(super) fn asks_for_subscriptions(&self) -> bool {
        self.show_subscribed
    }

    fn selects(&self) -> bool {
        self.select_subscribed || self.select_special_use
    }

    fn is_met_by(&self, row: &Row) -> bool {
        (row.subscribed || !self.select_subscribed)
            && (row.folder.special_use.is_some() || !self.select_special_use)
    }

    /// The selection as CHILDINFO names it.
    fn criteria(&self) -> Vec<&'static str> {
        [
            (self.select_subscribed, "SUBSCRIBED"),
            (self.select_special_use, "SPECIAL-USE"),
        ]
        .into_iter()
        .filter_map(|(selected, name)| selected.then_some(name))
        .collect()
    }

    /// In Dovecot's order.
    fn attributes(&self, row: &Row) -> Vec<ListAttribute> {
        let folder = &row.folder;
        let mut attributes = Vec::with_capacity(4);
        if self.show_subscribed && row.subscribed {
            attributes.push(ListAttribute::Subscribed);
        }
        if !folder.exists && self.extended {
            attributes.push(ListAttribute::NonExistent);
        } else if !folder.selectable {
            attributes.push(ListAttribute::NoSelect);
        }
        // RFC 5258 §3.5: servers that know implied parents "SHOULD use the "\NonExistent \HasChildren" attribute
        // pair" where there is no CHILDINFO.
        if self.show_children || !folder.exists && !self.selects() {
            attributes.push(if folder.has_children {
                ListAttribute::HasChildren
            } else {
                ListAttribute::HasNoChildren
            });
        }
        if self.show_special_use {
            attributes.extend(folder.special_use);
        }
        attributes
    }
}

/// The account's names, of which nothing is known to be subscribed.
pub(super) fn rows(folders: Vec<Folder>) -> Vec<Row> {
    let row = |folder| Row {
        folder,
        subscribed: false,
    };
    folders.into_iter().map(row).collect()
}

/// Marks what is subscribed. Where subscriptions are what is listed, adds names that are no mailboxes, with
/// their parents. RFC 5258 §3: "return options MUST NOT cause the server to report information about additional
/// mailbox names."
pub(super) fn subscribe(
    rows: &mut Vec<Row>,
    subscribed: &HashSet<MailboxName>,
    wanted: &Wanted,
    separator: char,
    use_of: impl Fn(&MailboxName) -> Option<ListAttribute>,
) {
    for row in rows.iter_mut() {
        row.subscribed = subscribed.contains(&row.folder.name);
    }
    if !wanted.select_subscribed {
        return;
    }
    let mut known: HashSet<MailboxName> = rows.iter().map(|row| row.folder.name.clone()).collect();
    for name in subscribed {
        let mut next = Some(name.clone());
        while let Some(name) = next.filter(|name| known.insert(name.clone())) {
            next = name.parent(separator);
            rows.push(Row {
                subscribed: subscribed.contains(&name),
                folder: Folder {
                    selectable: false,
                    exists: false,
                    has_children: false,
                    special_use: use_of(&name),
                    name,
                },
            });
        }
    }
}

impl Row {
    fn compare(&self, other: &Row, separator: char) -> Ordering {
        let levels = self.folder.name.levels(separator);
        levels.cmp(other.folder.name.levels(separator))
    }
}

/// Puts parents before what is below them.
pub(super) fn sort(rows: &mut [Row], separator: char) {
    rows.sort_by(|one, other| one.compare(other, separator));
}

/// The responses to a LIST over sorted `rows`; `asked_for` says which of them the patterns name.
///
/// RFC 5258 §3.3 gives two reasons to list a name that a pattern asks for: it meets the selection, or, with
/// RECURSIVEMATCH, a name below it does that no pattern asks for.
pub(super) fn lines(
    rows: &[Row],
    asked_for: &[bool],
    wanted: &Wanted,
    separator: char,
) -> Vec<Line> {
    let mut lines = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if asked_for.get(at) != Some(&true) {
            continue;
        }
        let meets = wanted.is_met_by(row);
        // What is below a name comes right behind it.
        let child_meets = wanted.recursive_match
            && rows
                .iter()
                .zip(asked_for)
                .skip(at + 1)
                .take_while(|(below, _)| below.folder.name.is_below(&row.folder.name, separator))
                .any(|(below, asked_for)| wanted.is_met_by(below) && (meets || !asked_for));
        if !meets && !child_meets {
            continue;
        }
        let extended = child_meets.then(|| ListExtended::ChildInfo(wanted.criteria()));
        lines.push(Line {
            item: ListItem {
                attributes: wanted.attributes(row),
                separator: Some(separator),
                name: Some(row.folder.name.clone()),
                extended: extended.into_iter().collect(),
            },
            selected: meets && row.folder.selectable,
        });
    }
    lines
}

#[cfg(test)]
mod tests;
