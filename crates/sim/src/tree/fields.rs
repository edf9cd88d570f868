//! An object's fields: a sorted list of keys and values.

use ecow::{EcoString, EcoVec};

use super::Tree;

/// Fields, in the order of their keys.
#[derive(Clone, Default)]
pub struct Fields(EcoVec<(EcoString, Tree)>);

impl Fields {
    /// None.
    pub fn new() -> Fields {
        Fields::default()
    }

    /// None, with room for some.
    pub fn with_capacity(capacity: usize) -> Fields {
        Fields(EcoVec::with_capacity(capacity))
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(k, _)| k.as_str().cmp(key))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A field.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    /// A field, to change.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Tree> {
        let at = self.find(key).ok()?;
        Some(&mut self.0.make_mut()[at].1)
    }

    /// Whether there is such a field.
    pub fn contains_key(&self, key: &str) -> bool {
        self.find(key).is_ok()
    }

    /// Sets a field; returns what was there.
    pub fn insert(&mut self, key: impl AsRef<str> + Into<EcoString>, value: Tree) -> Option<Tree> {
        match self.find(key.as_ref()) {
            Ok(at) => Some(std::mem::replace(&mut self.0.make_mut()[at].1, value)),
            Err(at) => {
                self.0.insert(at, (key.into(), value));
                None
            }
        }
    }

    /// Takes a field away.
    pub fn remove(&mut self, key: &str) -> Option<Tree> {
        let at = self.find(key).ok()?;
        Some(self.0.remove(at).1)
    }

    /// A field, set to a value if there is none.
    pub(super) fn slot(&mut self, key: &str, value: impl FnOnce() -> Tree) -> &mut Tree {
        let at = match self.find(key) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, (key.into(), value()));
                at
            }
        };
        &mut self.0.make_mut()[at].1
    }

    /// A field that may be there.
    pub fn entry<'a>(&'a mut self, key: &'a str) -> Entry<'a> {
        Entry { fields: self, key }
    }

    /// Keys and values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&EcoString, &Tree)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// Keys.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &EcoString> {
        self.0.iter().map(|(key, _)| key)
    }

    /// Values.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Tree> {
        self.0.iter().map(|(_, value)| value)
    }

    /// Whether both are the same in memory, and so equal.
    pub(super) fn is_same(&self, other: &Fields) -> bool {
        self.0.len() == other.0.len() && std::ptr::eq(self.0.as_ptr(), other.0.as_ptr())
    }

    pub(super) fn vec_mut(&mut self) -> &mut EcoVec<(EcoString, Tree)> {
        &mut self.0
    }

    pub(super) fn pairs(&self) -> &[(EcoString, Tree)] {
        &self.0
    }

    pub(super) fn pairs_mut(&mut self) -> &mut [(EcoString, Tree)] {
        self.0.make_mut()
    }
}

/// A field that may be there.
pub struct Entry<'a> {
    fields: &'a mut Fields,
    key: &'a str,
}

impl<'a> Entry<'a> {
    /// What is there, or else this.
    pub fn or_insert(self, value: Tree) -> &'a mut Tree {
        self.fields.slot(self.key, || value)
    }

    /// What is there, or else what this makes.
    pub fn or_insert_with(self, value: impl FnOnce() -> Tree) -> &'a mut Tree {
        self.fields.slot(self.key, value)
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Fields) -> bool {
        self.is_same(other) || self.0 == other.0
    }
}

impl<K: Into<EcoString>, V: Into<Tree>> FromIterator<(K, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Fields {
        let mut list: Vec<(EcoString, Tree)> = pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        if !list.is_sorted_by(|(a, _), (b, _)| a < b) {
            // Of two equal keys the last one counts.
            list.reverse();
            list.sort_by(|(a, _), (b, _)| a.cmp(b));
            list.dedup_by(|(a, _), (b, _)| a == b);
        }
        Fields(list.into())
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = (&'a EcoString, &'a Tree);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, (EcoString, Tree)>, fn(&'a (EcoString, Tree)) -> Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

impl IntoIterator for Fields {
    type Item = (EcoString, Tree);
    type IntoIter = ecow::vec::IntoIter<(EcoString, Tree)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
