//! JSON whose parts are shared.
//!
//! Versions of an object differ little, and pods of one template hardly at all. A [`Tree`] is cheap to clone, a change copies the
//! path to what is changed and nothing else, and two trees that share a part are compared without looking into it. So a version
//! costs what is new in it, in time and in memory. Its interface is that of `serde_json::Value`.

mod convert;
mod fields;
mod fit;
mod index;
mod list;
mod make;
mod read;
mod share;

#[cfg(test)]
mod tests;

use ecow::EcoString;
use serde::ser::{Serialize, Serializer};
use serde_json::Number;

pub use fields::Fields;
pub use list::List;
pub use make::ToTree;
pub(crate) use make::tree;

/// A JSON value. Clones share everything.
#[derive(Clone, PartialEq, Default)]
pub enum Tree {
    /// `null`, and what is not there.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    String(EcoString),
    /// A list.
    Array(List),
    /// An object: its keys in order.
    Object(Fields),
}

static NULL: Tree = Tree::Null;

impl Tree {
    /// A text's content.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Tree::String(text) => Some(text),
            _ => None,
        }
    }

    /// A text, to share.
    pub fn as_text(&self) -> Option<&EcoString> {
        match self {
            Tree::String(text) => Some(text),
            _ => None,
        }
    }

    /// A truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Tree::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// A whole number.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Tree::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Tree::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// A list.
    pub fn as_array(&self) -> Option<&List> {
        match self {
            Tree::Array(list) => Some(list),
            _ => None,
        }
    }

    /// A list, to change.
    pub fn as_array_mut(&mut self) -> Option<&mut List> {
        match self {
            Tree::Array(list) => Some(list),
            _ => None,
        }
    }

    /// An object's fields.
    pub fn as_object(&self) -> Option<&Fields> {
        match self {
            Tree::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// An object's fields, to change.
    pub fn as_object_mut(&mut self) -> Option<&mut Fields> {
        match self {
            Tree::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// Whether it is null, or not there.
    pub fn is_null(&self) -> bool {
        matches!(self, Tree::Null)
    }

    /// Whether it is a text.
    pub fn is_string(&self) -> bool {
        matches!(self, Tree::String(_))
    }

    /// Whether it is a number.
    pub fn is_number(&self) -> bool {
        matches!(self, Tree::Number(_))
    }

    /// Whether it is a list.
    pub fn is_array(&self) -> bool {
        matches!(self, Tree::Array(_))
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        matches!(self, Tree::Object(_))
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Tree::Null => serializer.serialize_unit(),
            Tree::Bool(flag) => serializer.serialize_bool(*flag),
            Tree::Number(number) => number.serialize(serializer),
            Tree::String(text) => serializer.serialize_str(text),
            Tree::Array(list) => serializer.collect_seq(list),
            Tree::Object(fields) => serializer.collect_map(fields.iter()),
        }
    }
}

impl std::fmt::Display for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| std::fmt::Error)?)
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
