//! A document as a tree in which every value knows its place.

use serde_json::{Map, Number, Value};

/// A place in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    /// First byte.
    pub(crate) start: usize,
    /// Byte after the last. Equal to `start` for lists and maps, of which only the beginning is known.
    pub(crate) end: usize,
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Shape,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Null,
    Bool(bool),
    /// The number, and how it is written: `1.10` is the number 1.1.
    Number(Number, String),
    Text(String),
    List(Vec<Node>),
    Map(Table),
}

/// A map's entries in the file's order. Of a repeated key the first entry is kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
    pub(crate) repeated: Vec<Repeated>,
}

/// One entry of a map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

/// A key that is there a second time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Repeated {
    pub(crate) key: String,
    pub(crate) span: Span,
    pub(crate) first: Span,
}

impl Node {
    /// What it is, for a message: `the text "abc"`.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Shape::Null => "null".to_owned(),
            Shape::Bool(flag) => format!("{flag}"),
            Shape::Number(_, text) => format!("the number {text}"),
            Shape::Text(text) => format!("the text \"{}\"", shorten(text)),
            Shape::List(_) => "a list".to_owned(),
            Shape::Map(_) => "a map".to_owned(),
        }
    }

    /// The entry of a map; none for other shapes.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Shape::Map(table) => table.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node),
            _ => None,
        }
    }

    /// The value without places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.value {
            Shape::Null => Value::Null,
            Shape::Bool(flag) => Value::Bool(*flag),
            Shape::Number(number, _) => Value::Number(number.clone()),
            Shape::Text(text) => Value::String(text.clone()),
            Shape::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Shape::Map(table) => Value::Object(table.to_json()),
        }
    }

    /// Calls `visit` for this value and everything beneath it.
    pub(crate) fn walk(&self, visit: &mut impl FnMut(&Node)) {
        visit(self);
        match &self.value {
            Shape::List(items) => items.iter().for_each(|item| item.walk(visit)),
            Shape::Map(table) => table.entries.iter().for_each(|entry| entry.node.walk(visit)),
            _ => {}
        }
    }
}

impl Table {
    /// The value without places.
    pub(crate) fn to_json(&self) -> Map<String, Value> {
        self.entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect()
    }
}

/// The beginning of a long text, on one line.
pub(crate) fn shorten(text: &str) -> String {
    let line: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() < text.len() { format!("{line}...") } else { line }
}
