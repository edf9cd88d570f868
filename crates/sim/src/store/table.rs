//! The objects of one resource: found by a hash of their names, listed in etcd's order.

use std::collections::{BTreeMap, BTreeSet};

use ecow::EcoString;
use rustc_hash::FxHashMap;

use super::Stored;

/// One resource's objects.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// By namespace with a slash behind it, as it stands in a key: so namespaces are in the order of their keys.
    spaces: BTreeMap<Box<str>, Space>,
    /// The same by plain name, to be found without making a key.
    places: FxHashMap<EcoString, Box<str>>,
    len: usize,
}

#[derive(Debug, Default)]
struct Space {
    // Looked up only: its order must not show.
    objects: FxHashMap<EcoString, Stored>,
    names: BTreeSet<EcoString>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<&Stored> {
        self.space(namespace)?.objects.get(name)
    }

    /// Puts an object; returns the one in whose place it is.
    pub(super) fn insert(&mut self, object: Stored) -> Option<Stored> {
        let namespace = &object.meta.namespace;
        let name = object.meta.name.clone();
        let space = match self.places.get(namespace) {
            Some(key) => self.spaces.entry(key.clone()).or_default(),
            None => {
                let key: Box<str> = place(namespace).into();
                self.places.insert(namespace.clone(), key.clone());
                self.spaces.entry(key).or_default()
            }
        };
        let previous = space.objects.insert(name.clone(), object);
        if previous.is_none() {
            space.names.insert(name);
            self.len += 1;
        }
        previous
    }

    pub(super) fn remove(&mut self, namespace: &str, name: &str) {
        let Some(key) = self.places.get(namespace) else { return };
        let Some(space) = self.spaces.get_mut(key) else { return };
        if space.objects.remove(name).is_some() {
            space.names.remove(name);
            self.len -= 1;
        }
        if space.names.is_empty() {
            self.spaces.remove(key);
            self.places.remove(namespace);
        }
    }

    /// All of them, in the order of lists.
    pub(super) fn all(&self) -> impl Iterator<Item = &Stored> {
        self.spaces.values().flat_map(Space::all)
    }

    /// Those of one namespace.
    pub(super) fn within(&self, namespace: &str) -> impl Iterator<Item = &Stored> {
        self.space(namespace).into_iter().flat_map(Space::all)
    }

    fn space(&self, namespace: &str) -> Option<&Space> {
        self.spaces.get(self.places.get(namespace)?)
    }
}

impl Space {
    fn all(&self) -> impl Iterator<Item = &Stored> {
        self.names.iter().filter_map(|name| self.objects.get(name))
    }
}

fn place(namespace: &str) -> String {
    if namespace.is_empty() { String::new() } else { format!("{namespace}/") }
}
