//! Every version of every object that the watches delivered.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use super::KindName;

/// How a version came to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// In the first list, or by a watch event.
    Applied,
    /// In a list taken after a gap: versions before it may be missing.
    AfterGap,
    /// Its deletion.
    Deleted,
}

/// One version of one object.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    /// When it arrived.
    pub(crate) at: Instant,
    /// How.
    pub(crate) seen: Seen,
    /// The object without `managedFields`.
    pub(crate) object: Arc<Value>,
}

impl Version {
    /// Its resourceVersion.
    pub(crate) fn version(&self) -> &str {
        self.object["metadata"]["resourceVersion"].as_str().unwrap_or("")
    }
}

/// Namespace (empty for cluster-scoped objects) and name.
pub(crate) type Key = (String, String);

/// Every version of every object, by kind and name.
#[derive(Debug, Default)]
pub(crate) struct History {
    objects: BTreeMap<KindName, BTreeMap<Key, Vec<Version>>>,
}

/// Namespace and name of an object.
pub(crate) fn key(object: &Value) -> Key {
    let part = |name: &str| object["metadata"][name].as_str().unwrap_or("").to_owned();
    (part("namespace"), part("name"))
}

impl History {
    /// Adds a version and answers the one before it, if the object was alive then. A version that is known already is not added.
    pub(crate) fn push(&mut self, kind: &KindName, version: Version) -> Pushed {
        let versions = self.objects.entry(kind.clone()).or_default().entry(key(&version.object)).or_default();
        let before = versions.last().filter(|last| last.seen != Seen::Deleted).cloned();
        if version.seen != Seen::Deleted
            && let Some(last) = &before
            && last.version() == version.version()
            && !version.version().is_empty()
        {
            return Pushed::Known;
        }
        versions.push(version);
        Pushed::New { before: before.map(|v| v.object) }
    }

    /// All versions of one object, oldest first.
    pub(crate) fn of(&self, kind: &KindName, namespace: &str, name: &str) -> &[Version] {
        self.objects
            .get(kind)
            .and_then(|objects| objects.get(&(namespace.to_owned(), name.to_owned())))
            .map_or(&[], Vec::as_slice)
    }

    /// All objects of a kind with their versions.
    pub(crate) fn kind(&self, kind: &KindName) -> impl Iterator<Item = (&Key, &[Version])> {
        self.objects.get(kind).into_iter().flatten().map(|(key, versions)| (key, versions.as_slice()))
    }

    /// The kinds there are.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &KindName> {
        self.objects.keys()
    }

    /// Keys of the objects of a kind that are alive as far as known.
    pub(crate) fn alive(&self, kind: &KindName) -> Vec<Key> {
        self.kind(kind)
            .filter(|(_, versions)| versions.last().is_some_and(|v| v.seen != Seen::Deleted))
            .map(|(key, _)| key.clone())
            .collect()
    }
}

/// What became of a pushed version.
pub(crate) enum Pushed {
    /// It is the version that was there already.
    Known,
    /// It is new; the live version before it.
    New { before: Option<Arc<Value>> },
}

#[cfg(test)]
mod tests;
