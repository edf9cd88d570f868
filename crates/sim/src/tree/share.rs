//! Letting equal parts be the same.

use super::{Fields, List, Tree};

impl Tree {
    /// Takes every part that is equal in `model` from there: it is held once then, and compared at a glance. Returns whether all is
    /// equal.
    pub(crate) fn share(&mut self, model: &Tree) -> bool {
        match (&mut *self, model) {
            (Tree::Object(own), Tree::Object(other)) => {
                let equal = own.is_same(other) || share_fields(own, other);
                if equal {
                    own.clone_from(other);
                }
                equal
            }
            (Tree::Array(own), Tree::Array(other)) => {
                let equal = own.is_same(other) || share_list(own, other);
                if equal {
                    own.clone_from(other);
                }
                equal
            }
            (Tree::String(own), Tree::String(other)) => {
                let equal = own == other;
                if equal {
                    own.clone_from(other);
                }
                equal
            }
            (own, other) => *own == *other,
        }
    }

    /// Whether both hold the same part, so that nothing in it can differ. Equal trees need not be.
    pub(crate) fn is_same(&self, other: &Tree) -> bool {
        match (self, other) {
            (Tree::Object(own), Tree::Object(other)) => own.is_same(other),
            (Tree::Array(own), Tree::Array(other)) => own.is_same(other),
            _ => false,
        }
    }
}

fn share_fields(own: &mut Fields, other: &Fields) -> bool {
    let mut equal = own.len() == other.len();
    let others = other.pairs();
    let mut at = 0;
    for (key, value) in own.pairs_mut() {
        while at < others.len() && others[at].0 < *key {
            at += 1;
        }
        match others.get(at).filter(|(name, _)| name == key) {
            Some((name, model)) => {
                key.clone_from(name);
                equal &= value.share(model);
            }
            None => equal = false,
        }
    }
    equal
}

fn share_list(own: &mut List, other: &List) -> bool {
    let mut equal = own.len() == other.len();
    for (item, model) in own.iter_mut().zip(other.iter()) {
        equal &= item.share(model);
    }
    equal
}
