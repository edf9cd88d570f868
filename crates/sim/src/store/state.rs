//! The tables behind the store's lock, and the only two ways to change them: [`State::put`] and [`State::take`].

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde_json::Value;

use super::clock::Ids;
use super::gc::Work;
use super::object::{Object, key};
use super::watch::History;
use super::{Change, ChangeKind, Resource, Stored};

#[derive(Debug)]
pub(super) struct State {
    pub(super) revision: u64,
    pub(super) ids: Ids,
    /// By resource, then by key.
    tables: Vec<BTreeMap<Box<str>, Stored>>,
    histories: Vec<History>,
    /// Looked up only, never walked: its order must not show.
    by_uid: HashMap<Box<str>, (Resource, Box<str>)>,
    dependents: BTreeMap<Box<str>, BTreeSet<(Resource, Box<str>)>>,
    /// Objects in each namespace.
    population: BTreeMap<Box<str>, usize>,
    /// What the last change leaves to do, in order.
    pub(super) work: VecDeque<Work>,
}

impl State {
    pub(super) fn new(seed: u64, history: usize) -> State {
        State {
            // A server's first revisions are never 0: 0 means "any".
            revision: 1,
            ids: Ids::new(seed),
            tables: (0..Resource::COUNT).map(|_| BTreeMap::new()).collect(),
            histories: (0..Resource::COUNT).map(|_| History::new(history)).collect(),
            by_uid: HashMap::new(),
            dependents: BTreeMap::new(),
            population: BTreeMap::new(),
            work: VecDeque::new(),
        }
    }

    pub(super) fn table(&self, resource: Resource) -> &BTreeMap<Box<str>, Stored> {
        &self.tables[resource as usize]
    }

    pub(super) fn history(&mut self, resource: Resource) -> &mut History {
        &mut self.histories[resource as usize]
    }

    pub(super) fn find(&self, resource: Resource, namespace: &str, name: &str) -> Option<&Stored> {
        self.table(resource).get(&key(namespace, name))
    }

    pub(super) fn by_uid(&self, uid: &str) -> Option<&Stored> {
        let (resource, key) = self.by_uid.get(uid)?;
        self.table(*resource).get(key)
    }

    pub(super) fn dependents(&self, uid: &str) -> Vec<Stored> {
        let keys = self.dependents.get(uid).into_iter().flatten();
        keys.filter_map(|(resource, key)| self.table(*resource).get(key).cloned()).collect()
    }

    pub(super) fn population(&self, namespace: &str) -> usize {
        self.population.get(namespace).copied().unwrap_or_default()
    }

    /// Objects of a namespace (or, with "", of all), in the order of lists.
    pub(super) fn within<'a>(&'a self, resource: Resource, namespace: &str) -> impl Iterator<Item = &'a Stored> {
        let prefix = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
        let from: Box<str> = prefix.as_str().into();
        self.table(resource).range(from..).take_while(move |(k, _)| k.starts_with(&prefix)).map(|(_, o)| o)
    }

    /// Stores a new version of an object that is new or is there, under the next revision.
    pub(super) fn put(&mut self, resource: Resource, value: Value) -> Stored {
        self.revision += 1;
        let object = Stored::new(Object::new(resource, self.revision, value));
        let key = object.meta.key();
        let previous = self.tables[resource as usize].insert(key.clone(), object.clone());
        match &previous {
            Some(old) if old.meta.owners != object.meta.owners => {
                self.unlink(old);
                self.link(&object, &key);
            }
            Some(_) => {}
            None => {
                self.by_uid.insert(object.meta.uid.clone(), (resource, key.clone()));
                *self.population.entry(object.meta.namespace.clone()).or_default() += 1;
                self.link(&object, &key);
            }
        }
        let kind = if previous.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
        self.histories[resource as usize].push(Change { kind, object: object.clone(), previous });
        object
    }

    /// Removes an object; returns its last content under the deletion's revision.
    pub(super) fn take(&mut self, object: &Stored) -> Stored {
        let key = object.meta.key();
        let resource = object.meta.resource;
        self.revision += 1;
        let last = Stored::new(object.at(self.revision));
        self.tables[resource as usize].remove(&key);
        self.by_uid.remove(&object.meta.uid);
        self.unlink(object);
        if let Some(count) = self.population.get_mut(&object.meta.namespace) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.population.remove(&object.meta.namespace);
            }
        }
        let change = Change { kind: ChangeKind::Deleted, object: last.clone(), previous: Some(object.clone()) };
        self.histories[resource as usize].push(change);
        self.work.push_back(Work::Removed(last.clone()));
        last
    }

    fn link(&mut self, object: &Stored, key: &str) {
        for owner in &object.meta.owners {
            self.dependents.entry(owner.uid.clone()).or_default().insert((object.meta.resource, key.into()));
        }
        if !object.meta.owners.is_empty() && object.meta.owners.iter().all(|o| !self.by_uid.contains_key(&o.uid)) {
            self.work.push_back(Work::Orphaned(object.clone()));
        }
    }

    fn unlink(&mut self, object: &Stored) {
        let entry = (object.meta.resource, object.meta.key());
        for owner in &object.meta.owners {
            if let Some(set) = self.dependents.get_mut(&owner.uid) {
                set.remove(&entry);
                if set.is_empty() {
                    self.dependents.remove(&owner.uid);
                }
            }
        }
    }
}
