//! A list of trees.

use ecow::EcoVec;

use super::Tree;

/// A list that shares its content with its clones until it is changed.
#[derive(Debug, Clone, Default)]
pub struct List(EcoVec<Tree>);

impl List {
    /// Appends an item.
    pub fn push(&mut self, item: impl Into<Tree>) {
        self.0.push(item.into());
    }

    /// Keeps what fulfils a condition.
    pub fn retain(&mut self, mut keep: impl FnMut(&Tree) -> bool) {
        // Nothing is copied where nothing goes.
        if !self.0.iter().all(&mut keep) {
            self.0.retain(|item| keep(item));
        }
    }

    /// As a slice.
    pub fn as_slice(&self) -> &[Tree] {
        &self.0
    }

    pub(super) fn vec_mut(&mut self) -> &mut EcoVec<Tree> {
        &mut self.0
    }

    /// Whether both are the same in memory, and so equal.
    pub(super) fn is_same(&self, other: &List) -> bool {
        self.0.len() == other.0.len() && std::ptr::eq(self.0.as_ptr(), other.0.as_ptr())
    }
}

impl PartialEq for List {
    fn eq(&self, other: &List) -> bool {
        self.is_same(other) || self.0 == other.0
    }
}

impl std::ops::Deref for List {
    type Target = [Tree];

    fn deref(&self) -> &[Tree] {
        &self.0
    }
}

impl std::ops::DerefMut for List {
    fn deref_mut(&mut self) -> &mut [Tree] {
        self.0.make_mut()
    }
}

impl<T: Into<Tree>> FromIterator<T> for List {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> List {
        List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Tree>> Extend<T> for List {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        self.0.extend(items.into_iter().map(Into::into));
    }
}

impl<'a> IntoIterator for &'a List {
    type Item = &'a Tree;
    type IntoIter = std::slice::Iter<'a, Tree>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a mut List {
    type Item = &'a mut Tree;
    type IntoIter = std::slice::IterMut<'a, Tree>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.make_mut().iter_mut()
    }
}

impl IntoIterator for List {
    type Item = Tree;
    type IntoIter = ecow::vec::IntoIter<Tree>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
