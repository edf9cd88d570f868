//! Trees of other values, and `serde_json`'s values of trees.

use ecow::EcoString;
use serde_json::{Map, Number, Value};

use super::{Fields, List, Tree};

impl From<Value> for Tree {
    fn from(value: Value) -> Tree {
        match value {
            Value::Null => Tree::Null,
            Value::Bool(flag) => Tree::Bool(flag),
            Value::Number(number) => Tree::Number(number),
            Value::String(text) => Tree::String(text.into()),
            Value::Array(list) => Tree::Array(list.into_iter().collect()),
            Value::Object(map) => Tree::Object(map.into_iter().collect()),
        }
    }
}

impl From<&Tree> for Value {
    fn from(tree: &Tree) -> Value {
        match tree {
            Tree::Null => Value::Null,
            Tree::Bool(flag) => Value::Bool(*flag),
            Tree::Number(number) => Value::Number(number.clone()),
            Tree::String(text) => Value::String(text.as_str().to_owned()),
            Tree::Array(list) => Value::Array(list.iter().map(Value::from).collect()),
            Tree::Object(fields) => {
                Value::Object(fields.iter().map(|(key, value)| (key.as_str().to_owned(), value.into())).collect())
            }
        }
    }
}

impl From<Tree> for Value {
    fn from(tree: Tree) -> Value {
        Value::from(&tree)
    }
}

impl From<Map<String, Value>> for Tree {
    fn from(map: Map<String, Value>) -> Tree {
        Value::Object(map).into()
    }
}

impl From<bool> for Tree {
    fn from(flag: bool) -> Tree {
        Tree::Bool(flag)
    }
}

impl From<&str> for Tree {
    fn from(text: &str) -> Tree {
        Tree::String(text.into())
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Tree {
        Tree::String(text.into())
    }
}

impl From<EcoString> for Tree {
    fn from(text: EcoString) -> Tree {
        Tree::String(text)
    }
}

impl From<Fields> for Tree {
    fn from(fields: Fields) -> Tree {
        Tree::Object(fields)
    }
}

impl From<List> for Tree {
    fn from(list: List) -> Tree {
        Tree::Array(list)
    }
}

impl<T: Into<Tree>> From<Vec<T>> for Tree {
    fn from(list: Vec<T>) -> Tree {
        Tree::Array(list.into_iter().collect())
    }
}

impl<T: Into<Tree>> From<Option<T>> for Tree {
    fn from(value: Option<T>) -> Tree {
        value.map_or(Tree::Null, Into::into)
    }
}

impl<T: Into<Tree>> FromIterator<T> for Tree {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Tree {
        Tree::Array(items.into_iter().collect())
    }
}

impl<K: Into<EcoString>, V: Into<Tree>> FromIterator<(K, V)> for Tree {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Tree {
        Tree::Object(pairs.into_iter().collect())
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl From<$number> for Tree {
            fn from(number: $number) -> Tree {
                Tree::Number(Number::from(number))
            }
        }

        impl PartialEq<$number> for Tree {
            fn eq(&self, other: &$number) -> bool {
                matches!(self, Tree::Number(number) if *number == Number::from(*other))
            }
        }

        impl super::ToTree for $number {
            fn to_tree(&self) -> Tree {
                Tree::from(*self)
            }
        }
    )*};
}

numbers!(i32 i64 u16 u32 u64 usize);

impl PartialEq<str> for Tree {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<&str> for Tree {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == Some(*other)
    }
}

impl PartialEq<String> for Tree {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<bool> for Tree {
    fn eq(&self, other: &bool) -> bool {
        self.as_bool() == Some(*other)
    }
}
