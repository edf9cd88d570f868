//! Writing trees down in code.

use std::collections::BTreeMap;
use std::sync::Arc;

use ecow::EcoString;
use serde_json::Value;

use super::{List, Tree};

/// What can stand in [`tree!`].
pub trait ToTree {
    /// The tree of it.
    fn to_tree(&self) -> Tree;
}

impl ToTree for Tree {
    fn to_tree(&self) -> Tree {
        self.clone()
    }
}

impl ToTree for List {
    fn to_tree(&self) -> Tree {
        Tree::Array(self.clone())
    }
}

impl ToTree for super::Fields {
    fn to_tree(&self) -> Tree {
        Tree::Object(self.clone())
    }
}

impl ToTree for Value {
    fn to_tree(&self) -> Tree {
        self.clone().into()
    }
}

impl ToTree for bool {
    fn to_tree(&self) -> Tree {
        Tree::Bool(*self)
    }
}

impl ToTree for str {
    fn to_tree(&self) -> Tree {
        self.into()
    }
}

impl ToTree for String {
    fn to_tree(&self) -> Tree {
        self.as_str().into()
    }
}

impl ToTree for EcoString {
    fn to_tree(&self) -> Tree {
        self.clone().into()
    }
}

impl ToTree for Arc<str> {
    fn to_tree(&self) -> Tree {
        (**self).into()
    }
}

impl<T: ToTree + ?Sized> ToTree for &T {
    fn to_tree(&self) -> Tree {
        (**self).to_tree()
    }
}

impl<T: ToTree> ToTree for Option<T> {
    fn to_tree(&self) -> Tree {
        self.as_ref().map_or(Tree::Null, ToTree::to_tree)
    }
}

impl<T: ToTree> ToTree for [T] {
    fn to_tree(&self) -> Tree {
        self.iter().map(ToTree::to_tree).collect()
    }
}

impl<T: ToTree, const N: usize> ToTree for [T; N] {
    fn to_tree(&self) -> Tree {
        self.as_slice().to_tree()
    }
}

impl<T: ToTree> ToTree for Vec<T> {
    fn to_tree(&self) -> Tree {
        self.as_slice().to_tree()
    }
}

impl ToTree for BTreeMap<String, String> {
    fn to_tree(&self) -> Tree {
        self.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }
}

/// A [`Tree`] written as JSON, as `serde_json::json!` makes a value. Keys are literals; a value of another type is a [`ToTree`].
macro_rules! tree {
    (null) => { $crate::tree::Tree::Null };
    ([ $($items:tt)* ]) => { $crate::tree::tree!(@items [] $($items)*) };
    ({ $($fields:tt)* }) => { $crate::tree::tree!(@fields [] $($fields)*) };
    // What is done stands in brackets; what is left, behind them.
    (@fields []) => { $crate::tree::Tree::Object($crate::tree::Fields::new()) };
    (@fields [$($done:tt)+]) => {{
        let fields: [(::ecow::EcoString, $crate::tree::Tree); _] = [$($done)+];
        fields.into_iter().collect::<$crate::tree::Tree>()
    }};
    (@fields [$($done:tt)*] $key:literal : null $(, $($rest:tt)*)?) => {
        $crate::tree::tree!(@fields [$($done)* ($key.into(), $crate::tree::Tree::Null),] $($($rest)*)?)
    };
    (@fields [$($done:tt)*] $key:literal : { $($fields:tt)* } $(, $($rest:tt)*)?) => {
        $crate::tree::tree!(@fields [$($done)* ($key.into(), $crate::tree::tree!({ $($fields)* })),] $($($rest)*)?)
    };
    (@fields [$($done:tt)*] $key:literal : [ $($items:tt)* ] $(, $($rest:tt)*)?) => {
        $crate::tree::tree!(@fields [$($done)* ($key.into(), $crate::tree::tree!([ $($items)* ])),] $($($rest)*)?)
    };
    (@fields [$($done:tt)*] $key:literal : $value:expr $(, $($rest:tt)*)?) => {
        $crate::tree::tree!(@fields [$($done)* ($key.into(), $crate::tree::ToTree::to_tree(&$value)),] $($($rest)*)?)
    };
    (@items []) => { $crate::tree::Tree::Array($crate::tree::List::default()) };
    (@items [$($done:tt)+]) => {{
        let items: [$crate::tree::Tree; _] = [$($done)+];
        items.into_iter().collect::<$crate::tree::Tree>()
    }};
    (@items [$($done:tt)*] null $(, $($rest:tt)*)?) => {
        $crate::tree::tree!(@items [$($done)* $crate::tree::Tree::Null,] $($($rest)*)?)
    };
    (@items [$($done:tt)*] { $($fields:tt)* } $(, $($rest:tt)*)?) => {
        $crate::tree::tree!(@items [$($done)* $crate::tree::tree!({ $($fields)* }),] $($($rest)*)?)
    };
    (@items [$($done:tt)*] [ $($items:tt)* ] $(, $($rest:tt)*)?) => {
        $crate::tree::tree!(@items [$($done)* $crate::tree::tree!([ $($items)* ]),] $($($rest)*)?)
    };
    (@items [$($done:tt)*] $value:expr $(, $($rest:tt)*)?) => {
        $crate::tree::tree!(@items [$($done)* $crate::tree::ToTree::to_tree(&$value),] $($($rest)*)?)
    };
    ($value:expr) => { $crate::tree::ToTree::to_tree(&$value) };
}

pub(crate) use tree;
