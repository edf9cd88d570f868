//! Forms that several fields share.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::Number;

use crate::located::{Entries, Located};
use crate::reader::WRITTEN;
use crate::tree::{Entry, Node, Shape, Table};

/// One, or a list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "$shape", rename_all = "lowercase")]
#[schemars(rename = "OneOrMany{T}", untagged)]
pub(crate) enum OneOrMany<T> {
    /// Several.
    List(Vec<Located<T>>),
    /// One.
    One(Located<T>),
}

impl<T> OneOrMany<T> {
    /// All of them, in order.
    pub(crate) fn as_slice(&self) -> &[Located<T>] {
        match self {
            Self::List(items) => items,
            Self::One(item) => std::slice::from_ref(item),
        }
    }

    /// The same, by value.
    pub(crate) fn into_vec(self) -> Vec<Located<T>> {
        match self {
            Self::List(items) => items,
            Self::One(item) => vec![item],
        }
    }
}

/// A text, for places where serde needs a type of its own.
pub(crate) type Text = Located<String>;

/// A text, or a list of texts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "$shape", rename_all = "lowercase")]
#[schemars(rename = "Texts", untagged)]
pub(crate) enum Texts {
    /// One.
    Text(Text),
    /// Several.
    List(#[schemars(length(min = 1))] Vec<Text>),
}

impl Texts {
    /// All of them, in order.
    pub(crate) fn as_slice(&self) -> &[Text] {
        match self {
            Self::Text(text) => std::slice::from_ref(text),
            Self::List(texts) => texts,
        }
    }
}

/// A scalar as it is written (`1.10` stays `1.10`); none for null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written(pub(crate) Option<String>);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WrittenVisitor;
        impl Visitor<'_> for WrittenVisitor {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, true, false or null")
            }

            fn visit_str<E>(self, text: &str) -> Result<Written, E> {
                Ok(Written(Some(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Written, E> {
                Ok(Written(None))
            }
        }
        deserializer.deserialize_newtype_struct(WRITTEN, WrittenVisitor)
    }
}

impl JsonSchema for Written {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Written".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean", "null"]})
    }
}

/// Any value, with the place of everything in it.
#[derive(Debug, Clone)]
pub(crate) struct Json(pub(crate) Node);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Located::<Any>::deserialize(deserializer).map(|any| Self(node(any)))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename = "$shape", rename_all = "lowercase")]
enum Any {
    Null,
    Flag(bool),
    Number(Number),
    Text(String),
    List(Vec<Located<Any>>),
    Map(Entries<Any>),
}

fn node(any: Located<Any>) -> Node {
    let value = match any.value {
        None | Some(Any::Null) => Shape::Null,
        Some(Any::Flag(flag)) => Shape::Bool(flag),
        Some(Any::Number(number)) => {
            let text = number.to_string();
            Shape::Number(number, text)
        }
        Some(Any::Text(text)) => Shape::Text(text),
        Some(Any::List(items)) => Shape::List(items.into_iter().map(node).collect()),
        Some(Any::Map(entries)) => {
            let entries = entries.0.into_iter().map(|(key, value)| Entry {
                key: key.value.unwrap_or_default(),
                key_span: key.span,
                node: node(value),
            });
            Shape::Map(Table { entries: entries.collect(), repeated: Vec::new() })
        }
    };
    Node { span: any.span, value }
}
