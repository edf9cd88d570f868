//! Going into a tree: by key, by place, by JSON pointer.

use std::ops::{Index, IndexMut};

use super::{Fields, NULL, Tree};

impl Tree {
    /// A field of an object.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        self.as_object()?.get(key)
    }

    /// A field of an object, to change. Nothing is copied where there is no such field.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Tree> {
        self.as_object_mut()?.get_mut(key)
    }

    /// What a JSON pointer leads to.
    pub fn pointer(&self, pointer: &str) -> Option<&Tree> {
        steps(pointer).try_fold(self, |at, step| match at {
            Tree::Object(fields) => fields.get(&step),
            Tree::Array(list) => list.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// What a JSON pointer leads to, to change.
    pub fn pointer_mut(&mut self, pointer: &str) -> Option<&mut Tree> {
        steps(pointer).try_fold(self, |at, step| match at {
            Tree::Object(fields) => fields.get_mut(&step),
            Tree::Array(list) => list.get_mut(step.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

fn steps(pointer: &str) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    pointer
        .split('/')
        .skip(1)
        .map(|step| if step.contains('~') { step.replace("~1", "/").replace("~0", "~").into() } else { step.into() })
}

impl Index<&str> for Tree {
    type Output = Tree;

    /// The field, or null.
    fn index(&self, key: &str) -> &Tree {
        self.get(key).unwrap_or(&NULL)
    }
}

impl Index<usize> for Tree {
    type Output = Tree;

    /// The item, or null.
    fn index(&self, at: usize) -> &Tree {
        self.as_array().and_then(|list| list.get(at)).unwrap_or(&NULL)
    }
}

impl IndexMut<&str> for Tree {
    /// The field; made where it is missing, in an object that is made where there is null.
    ///
    /// # Panics
    /// When it is neither: as `serde_json::Value`.
    fn index_mut(&mut self, key: &str) -> &mut Tree {
        if self.is_null() {
            *self = Tree::Object(Fields::new());
        }
        match self {
            Tree::Object(fields) => fields.slot(key, || Tree::Null),
            other => panic!("cannot access key {key:?} in {other}"),
        }
    }
}

impl IndexMut<usize> for Tree {
    /// The item.
    ///
    /// # Panics
    /// When there is none.
    fn index_mut(&mut self, at: usize) -> &mut Tree {
        match self {
            Tree::Array(list) => &mut list[at],
            other => panic!("cannot access index {at} of {other}"),
        }
    }
}
