//! The tables behind the store's lock, and the only two ways to change them: [`State::put`] and [`State::take`].

use std::collections::{BTreeSet, VecDeque};

use ecow::EcoString;
use rustc_hash::FxHashMap;

use super::clock::Ids;
use super::gc::Work;
use super::object::Object;
use super::table::Table;
use super::watch::History;
use super::{Change, ChangeKind, Resource, Stored};
use crate::tree::Tree;

/// An object's resource, namespace and name.
type Place = (Resource, EcoString, EcoString);

#[derive(Debug)]
pub(super) struct State {
    pub(super) revision: u64,
    pub(super) ids: Ids,
    /// By resource.
    tables: Vec<Table>,
    histories: Vec<History>,
    // The maps are looked up only, never walked: their order must not show.
    by_uid: FxHashMap<EcoString, Place>,
    dependents: FxHashMap<EcoString, BTreeSet<Place>>,
    /// The last object that was made for each controller: the next one will be much the same.
    models: FxHashMap<EcoString, Stored>,
    /// Objects in each namespace.
    population: FxHashMap<EcoString, usize>,
    /// What the last change leaves to do, in order.
    pub(super) work: VecDeque<Work>,
}

impl State {
    pub(super) fn new(seed: u64, history: usize) -> State {
        State {
            // A server's first revisions are never 0: 0 means "any".
            revision: 1,
            ids: Ids::new(seed),
            tables: (0..Resource::COUNT).map(|_| Table::default()).collect(),
            histories: (0..Resource::COUNT).map(|_| History::new(history)).collect(),
            by_uid: FxHashMap::default(),
            dependents: FxHashMap::default(),
            models: FxHashMap::default(),
            population: FxHashMap::default(),
            work: VecDeque::new(),
        }
    }

    pub(super) fn table(&self, resource: Resource) -> &Table {
        &self.tables[resource as usize]
    }

    pub(super) fn history(&mut self, resource: Resource) -> &mut History {
        &mut self.histories[resource as usize]
    }

    pub(super) fn find(&self, resource: Resource, namespace: &str, name: &str) -> Option<&Stored> {
        self.table(resource).get(namespace, name)
    }

    pub(super) fn by_uid(&self, uid: &str) -> Option<&Stored> {
        let (resource, namespace, name) = self.by_uid.get(uid)?;
        self.find(*resource, namespace, name)
    }

    pub(super) fn dependents(&self, uid: &str) -> Vec<Stored> {
        let places = self.dependents.get(uid).into_iter().flatten();
        places.filter_map(|(resource, namespace, name)| self.find(*resource, namespace, name).cloned()).collect()
    }

    pub(super) fn population(&self, namespace: &str) -> usize {
        self.population.get(namespace).copied().unwrap_or_default()
    }

    /// Objects of a namespace (or, with "", of all), in the order of lists.
    pub(super) fn within<'a>(
        &'a self,
        resource: Resource,
        namespace: &'a str,
    ) -> Box<dyn Iterator<Item = &'a Stored> + 'a> {
        let table = self.table(resource);
        if namespace.is_empty() { Box::new(table.all()) } else { Box::new(table.within(namespace)) }
    }

    /// Stores a new version of an object that is new or is there, under the next revision.
    pub(super) fn put(&mut self, resource: Resource, mut tree: Tree, previous: Option<&Stored>) -> Stored {
        self.revision += 1;
        if let Some(previous) = previous {
            tree.share(previous.tree());
        }
        tree.fit();
        let object = Stored::new(Object::new(resource, self.revision, tree, previous.map(|previous| &**previous)));
        let previous = self.tables[resource as usize].insert(object.clone());
        match &previous {
            Some(old) if old.meta.owners != object.meta.owners => {
                self.unlink(old);
                self.link(&object);
            }
            Some(_) => {}
            None => {
                let meta = &object.meta;
                let place = (resource, meta.namespace.clone(), meta.name.clone());
                self.by_uid.insert(meta.uid.clone(), place);
                *self.population.entry(meta.namespace.clone()).or_default() += 1;
                self.link(&object);
            }
        }
        let kind = if previous.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
        self.histories[resource as usize].push(Change { kind, object: object.clone(), previous });
        object
    }

    /// Stores a new object. Those of one controller share what is equal in them.
    pub(super) fn add(&mut self, resource: Resource, mut tree: Tree) -> Stored {
        let owners = tree["metadata"]["ownerReferences"].as_array();
        let controller = owners.and_then(|owners| owners.iter().find(|owner| owner["controller"] == true));
        let controller = controller.and_then(|owner| owner["uid"].as_text()).cloned();
        let Some(uid) = controller else { return self.put(resource, tree, None) };
        if let Some(model) = self.models.get(&uid).filter(|model| model.meta.resource == resource) {
            tree.share(model.tree());
        }
        let object = self.put(resource, tree, None);
        self.models.insert(uid, object.clone());
        object
    }

    /// Removes an object; returns its last content under the deletion's revision.
    pub(super) fn take(&mut self, object: &Stored) -> Stored {
        let meta = &object.meta;
        let resource = meta.resource;
        self.revision += 1;
        let last = Stored::new(object.at(self.revision));
        self.tables[resource as usize].remove(&meta.namespace, &meta.name);
        self.by_uid.remove(&meta.uid);
        self.models.remove(&meta.uid);
        self.unlink(object);
        if let Some(count) = self.population.get_mut(&meta.namespace) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.population.remove(&meta.namespace);
            }
        }
        let change = Change { kind: ChangeKind::Deleted, object: last.clone(), previous: Some(object.clone()) };
        self.histories[resource as usize].push(change);
        self.work.push_back(Work::Removed(last.clone()));
        last
    }

    fn link(&mut self, object: &Stored) {
        let meta = &object.meta;
        for owner in meta.owners.iter() {
            let place = (meta.resource, meta.namespace.clone(), meta.name.clone());
            self.dependents.entry(owner.uid.clone()).or_default().insert(place);
        }
        if !meta.owners.is_empty() && meta.owners.iter().all(|o| !self.by_uid.contains_key(&o.uid)) {
            self.work.push_back(Work::Orphaned(object.clone()));
        }
    }

    fn unlink(&mut self, object: &Stored) {
        let meta = &object.meta;
        let entry = (meta.resource, meta.namespace.clone(), meta.name.clone());
        for owner in meta.owners.iter() {
            if let Some(set) = self.dependents.get_mut(&owner.uid) {
                set.remove(&entry);
                if set.is_empty() {
                    self.dependents.remove(&owner.uid);
                }
            }
        }
    }
}
