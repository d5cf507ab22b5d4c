//! A model of a disk: what is left of a directory when the power goes after any step of a trace.
//!
//! Data of a file is safe after its fsync; of what was written since, none, half or all may be there. A
//! change of a directory is safe after that directory's fsync; of those since, every subset may have
//! happened (they reach the disk in no promised order), a rename being one change, also between directories:
//! so what takes an entry away has happened only if what made that entry has. Journalling file systems keep prefixes only, which are among the subsets.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::trace::Step;

/// Up to this many changes of directories every subset is tried; of more, all prefixes, each change alone
/// and all but each.
const SUBSETS_UP_TO: usize = 5;

type Inode = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Dir,
    File(Inode),
}

#[derive(Clone, Debug, Default)]
struct Data {
    safe: Vec<u8>,
    now: Vec<u8>,
}

/// A change of names, with all that is needed to make it on its own.
#[derive(Clone, Debug)]
enum Change {
    Add(String, Node),
    Remove(String),
    Move {
        from: String,
        to: String,
        node: Node,
    },
}

impl Change {
    fn touches(&self, dir: &str) -> bool {
        match self {
            Change::Add(path, _) | Change::Remove(path) => parent(path) == dir,
            Change::Move { from, to, .. } => parent(from) == dir || parent(to) == dir,
        }
    }

    /// The entry that it makes.
    fn made(&self) -> Option<&str> {
        match self {
            Change::Add(path, _) | Change::Move { to: path, .. } => Some(path),
            Change::Remove(_) => None,
        }
    }

    /// The entry that it takes away.
    fn taken(&self) -> Option<&str> {
        match self {
            Change::Remove(path) | Change::Move { from: path, .. } => Some(path),
            Change::Add(..) => None,
        }
    }

    fn make(&self, names: &mut BTreeMap<String, Node>) {
        match self {
            Change::Add(path, node) => drop(names.insert(path.clone(), *node)),
            Change::Remove(path) => drop(names.remove(path)),
            Change::Move { from, to, node } => {
                names.remove(from);
                names.insert(to.clone(), *node);
                if *node == Node::Dir {
                    let below = format!("{from}/");
                    let inside: Vec<String> = names
                        .keys()
                        .filter(|name| name.starts_with(&below))
                        .cloned()
                        .collect();
                    for name in inside {
                        let node = names.remove(&name).unwrap();
                        names.insert(format!("{to}/{}", &name[below.len()..]), node);
                    }
                }
            }
        }
    }
}

/// A directory tree after a crash: files with their bytes, directories with none.
pub type Tree = BTreeMap<String, Option<Vec<u8>>>;

/// The disk, step by step.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: Vec<Data>,
    now: BTreeMap<String, Node>,
    safe: BTreeMap<String, Node>,
    pending: Vec<Change>,
    places: HashMap<(u32, Inode), (usize, bool)>,
    /// Files that were made without a name.
    nameless: HashMap<String, Inode>,
    /// Files that somebody else delivers: they are there, safely, once the server touches them.
    deliveries: BTreeMap<String, Vec<u8>>,
    /// Calls that the model does not know.
    pub unknown: Vec<String>,
}

impl Disk {
    /// A disk that holds this tree, safely, and to which these files will be delivered by others.
    pub fn new(tree: &Tree, deliveries: BTreeMap<String, Vec<u8>>) -> Disk {
        let mut disk = Disk {
            deliveries,
            ..Disk::default()
        };
        for (path, content) in tree {
            let node = match content {
                None => Node::Dir,
                Some(bytes) => disk.file(bytes.clone()),
            };
            disk.now.insert(path.clone(), node);
            disk.safe.insert(path.clone(), node);
        }
        disk
    }

    fn file(&mut self, bytes: Vec<u8>) -> Node {
        self.files.push(Data {
            safe: bytes.clone(),
            now: bytes,
        });
        Node::File(self.files.len() - 1)
    }

    fn arrive(&mut self, path: &str) {
        if !self.now.contains_key(path)
            && let Some(bytes) = self.deliveries.remove(path)
        {
            let node = self.file(bytes);
            self.now.insert(path.to_owned(), node);
            self.safe.insert(path.to_owned(), node);
        }
    }

    fn inode(&self, path: &str) -> Option<Inode> {
        match self.now.get(path) {
            Some(Node::File(inode)) => Some(*inode),
            Some(Node::Dir) => None,
            None => self.nameless.get(path).copied(),
        }
    }

    fn change(&mut self, change: Change) {
        change.make(&mut self.now);
        self.pending.push(change);
    }

    /// For each pending change the earlier one without which it cannot have happened.
    fn needs(&self) -> Vec<Option<usize>> {
        let maker = |at: usize, taken: &str| {
            self.pending[..at]
                .iter()
                .rposition(|change| change.made() == Some(taken))
        };
        let takes = self.pending.iter().enumerate();
        takes
            .map(|(at, change)| maker(at, change.taken()?))
            .collect()
    }

    /// Takes a step. Whether it may have changed what a crash leaves.
    pub fn take(&mut self, step: &Step) -> bool {
        match step {
            Step::Say { .. } => return false,
            Step::Unknown(call) => self.unknown.push(call.clone()),
            Step::Open {
                path,
                create,
                truncate,
                append,
                nameless,
                fd,
            } => {
                self.arrive(path);
                let known = self.inode(path).filter(|_| !nameless);
                let inode = match known {
                    Some(inode) => inode,
                    None if *nameless => {
                        self.files.push(Data::default());
                        self.files.len() - 1
                    }
                    None if *create => {
                        self.files.push(Data::default());
                        let inode = self.files.len() - 1;
                        self.change(Change::Add(path.clone(), Node::File(inode)));
                        inode
                    }
                    None => return false,
                };
                if *nameless {
                    self.nameless.insert(path.clone(), inode);
                }
                if *truncate {
                    self.files[inode].now.clear();
                }
                self.places.insert((*fd, inode), (0, *append));
            }
            Step::Write {
                path,
                fd,
                at,
                bytes,
            } => {
                let Some(inode) = self.inode(path) else {
                    return false;
                };
                let data = &mut self.files[inode].now;
                let (place, append) = self.places.entry((*fd, inode)).or_default();
                let start = match at {
                    Some(at) => *at,
                    None if *append => data.len(),
                    None => *place,
                };
                let end = start + bytes.len();
                data.resize(data.len().max(end), 0);
                data[start..end].copy_from_slice(bytes);
                if at.is_none() {
                    *place = end;
                }
            }
            Step::Seek { path, fd, to } => {
                let Some(inode) = self.inode(path) else {
                    return false;
                };
                self.places.entry((*fd, inode)).or_default().0 = *to;
                return false;
            }
            Step::Truncate { path, size } => {
                let Some(inode) = self.inode(path) else {
                    return false;
                };
                self.files[inode].now.resize(*size, 0);
            }
            Step::Sync { path } => {
                if let Some(inode) = self.inode(path) {
                    let data = &mut self.files[inode];
                    data.safe.clone_from(&data.now);
                } else {
                    let needs = self.needs();
                    let mut done: Vec<bool> = self
                        .pending
                        .iter()
                        .map(|change| change.touches(path))
                        .collect();
                    for at in (0..done.len()).rev() {
                        if let Some(need) = needs[at].filter(|_| done[at]) {
                            done[need] = true;
                        }
                    }
                    for (change, done) in std::mem::take(&mut self.pending).into_iter().zip(done) {
                        if done {
                            change.make(&mut self.safe);
                        } else {
                            self.pending.push(change);
                        }
                    }
                }
            }
            Step::Link { from, to } => {
                self.arrive(from);
                let Some(inode) = self.inode(from) else {
                    return false;
                };
                self.change(Change::Add(to.clone(), Node::File(inode)));
            }
            Step::Rename { from, to } => {
                self.arrive(from);
                let Some(node) = self.now.get(from).copied() else {
                    return false;
                };
                self.change(Change::Move {
                    from: from.clone(),
                    to: to.clone(),
                    node,
                });
            }
            Step::Unlink { path } | Step::RemoveDir { path } => {
                self.arrive(path);
                self.change(Change::Remove(path.clone()));
            }
            Step::MakeDir { path } => self.change(Change::Add(path.clone(), Node::Dir)),
        }
        true
    }

    /// Every tree that a crash at this moment may leave.
    pub fn crashes(&self) -> BTreeSet<Tree> {
        let mut trees = BTreeSet::new();
        let needs = self.needs();
        for kept in choices(self.pending.len()) {
            let possible = |at: usize| !kept[at] || needs[at].is_none_or(|need| kept[need]);
            if !(0..kept.len()).all(possible) {
                continue;
            }
            let mut names = self.safe.clone();
            for (change, keep) in self.pending.iter().zip(&kept) {
                if *keep {
                    change.make(&mut names);
                }
            }
            for share in [0, 1, 2] {
                let tree = names
                    .iter()
                    .filter(|(path, _)| has_parents(path, &names))
                    .map(|(path, node)| {
                        let content = match node {
                            Node::Dir => None,
                            Node::File(inode) => Some(self.files[*inode].after_crash(share)),
                        };
                        (path.clone(), content)
                    });
                trees.insert(tree.collect());
            }
        }
        trees
    }
}

impl Data {
    /// What is there of the data: the safe part and none (0), half (1) or all (2) of what came since.
    fn after_crash(&self, share: usize) -> Vec<u8> {
        match share {
            0 => self.safe.clone(),
            1 if self.now.starts_with(&self.safe) => {
                let more = self.now.len() - self.safe.len();
                self.now[..self.safe.len() + more / 2].to_vec()
            }
            1 => self.now[..self.now.len() / 2].to_vec(),
            _ => self.now.clone(),
        }
    }
}

/// Which of `count` changes are kept, in all the ways that are tried.
fn choices(count: usize) -> Vec<Vec<bool>> {
    if count <= SUBSETS_UP_TO {
        return (0..1_usize << count)
            .map(|bits| (0..count).map(|at| bits >> at & 1 == 1).collect())
            .collect();
    }
    let mut all = Vec::new();
    for mark in 0..=count {
        all.push((0..count).map(|at| at < mark).collect());
        all.push((0..count).map(|at| at == mark).collect());
        all.push((0..count).map(|at| at != mark).collect());
    }
    all
}

fn has_parents(path: &str, names: &BTreeMap<String, Node>) -> bool {
    let parent = parent(path);
    parent.is_empty() || names.get(parent) == Some(&Node::Dir)
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

#[test]
fn only_what_was_synced_is_sure() {
    let dirs: Tree = [("tmp".to_owned(), None), ("cur".to_owned(), None)].into();
    let mut disk = Disk::new(&dirs, BTreeMap::new());
    let path = || "tmp/a".to_owned();
    let mut contents = |step: Step| -> BTreeSet<Vec<(String, Vec<u8>)>> {
        disk.take(&step);
        disk.crashes()
            .into_iter()
            .map(|tree| {
                tree.into_iter()
                    .filter_map(|(path, bytes)| Some((path, bytes?)))
                    .collect()
            })
            .collect()
    };
    let at = |path: &str, bytes: &[u8]| vec![(path.to_owned(), bytes.to_vec())];
    contents(Step::Open {
        path: path(),
        create: true,
        truncate: false,
        append: false,
        nameless: false,
        fd: 3,
    });
    let after_write = contents(Step::Write {
        path: path(),
        fd: 3,
        at: None,
        bytes: b"mail".to_vec(),
    });
    assert_eq!(
        after_write,
        [
            vec![],
            at("tmp/a", b""),
            at("tmp/a", b"ma"),
            at("tmp/a", b"mail")
        ]
        .into()
    );
    let after_sync = contents(Step::Sync { path: path() });
    assert_eq!(after_sync, [vec![], at("tmp/a", b"mail")].into());
    let after_rename = contents(Step::Rename {
        from: path(),
        to: "cur/a".into(),
    });
    assert_eq!(
        after_rename,
        [vec![], at("tmp/a", b"mail"), at("cur/a", b"mail")].into()
    );
    let after_dir_sync = contents(Step::Sync { path: "cur".into() });
    assert_eq!(after_dir_sync, [at("cur/a", b"mail")].into());
}
