//! A serde deserializer over a [`Node`] that reports every problem and keeps going.
//!
//! serde stops at its first error. Here an error inside a [`Located`](crate::located::Located) value is noted and that value
//! left out, and a field that a struct does not have is noted and skipped; so one reading finds the problems of the whole file.
//!
//! Two names have a meaning of their own: `$located` (see [`crate::located`]), and `$shape` for an enum whose variant is
//! chosen by what the value is: `null`, `flag`, `number`, `text`, `list`, `map`, or `one` for everything that has no variant.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{BoolDeserializer, BorrowedStrDeserializer, UsizeDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use crate::codes::{self, Code};
use crate::located::LOCATED;
use crate::problem::{Problem, Sink, nearest, quoted, suggest};
use crate::tree::{Entry, Node, Shape, Span, shorten};

/// The name of enums whose variant is chosen by the value's shape.
pub(crate) const SHAPE: &str = "$shape";
/// The name of a scalar that is kept as it is written.
pub(crate) const WRITTEN: &str = "$written";

/// Reads `T`; its problems go to `sink`.
pub(crate) fn read<'de, T: Deserialize<'de>>(node: &'de Node, sink: &'de Sink) -> Option<T> {
    let reader = Reader { node, sink, label: Label::Top };
    T::deserialize(reader).map_err(|fault| sink.push(fault.place(node.span))).ok()
}

/// What a value is called in messages.
#[derive(Debug, Clone, Copy)]
enum Label<'de> {
    Top,
    Key(&'de str),
    Item(&'de str),
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top => f.write_str("a scenario"),
            Self::Key(key) => write!(f, "`{key}`"),
            Self::Item(key) => write!(f, "an item of `{key}`"),
        }
    }
}

/// An error of one value, before it is noted.
#[derive(Debug)]
pub(crate) struct Fault {
    code: &'static Code,
    message: String,
    help: Option<String>,
    span: Option<Span>,
}

impl Fault {
    fn place(self, span: Span) -> Problem {
        let mut problem = Problem::new(self.code, self.span.unwrap_or(span), self.message).fatal();
        problem.help = self.help;
        problem
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { code: &codes::WRONG_TYPE, message: message.to_string(), help: None, span: None }
    }
}

#[derive(Clone, Copy)]
struct Reader<'de> {
    node: &'de Node,
    sink: &'de Sink,
    label: Label<'de>,
}

impl<'de> Reader<'de> {
    fn wrong(&self, expected: &str) -> Fault {
        let is_duration = matches!(self.label, Label::Key("within" | "settled" | "holds" | "never"));
        let help = match (&self.node.value, expected) {
            (Shape::Number(_, text), _) if is_duration => Some(format!("write the unit too: {text}s")),
            (Shape::Number(_, text), "a text") => Some(format!("write \"{text}\", with the quotes, to make it a text")),
            (Shape::Bool(flag), "a text") => Some(format!("write \"{flag}\", with the quotes, to make it a text")),
            (Shape::Text(text), "true or false") => match text.to_lowercase().as_str() {
                "yes" | "on" | "y" => Some("write true".to_owned()),
                "no" | "off" | "n" => Some("write false".to_owned()),
                _ => Some("write true or false".to_owned()),
            },
            (Shape::Text(text), "a list") => Some(format!("write [{}]", shorten(text))),
            (Shape::Text(text), other) if other.starts_with("a whole number") && text.parse::<u64>().is_ok() => {
                Some(format!("write {text}, without quotes"))
            }
            (_, "a text") => Some("write a text".to_owned()),
            (_, "true or false") => Some("write true or false".to_owned()),
            (_, "a list") => Some("write a list such as [a, b]".to_owned()),
            (_, other) if other.starts_with("a whole number") => Some("write a number such as 3".to_owned()),
            (_, "a map") => Some("write a map such as {key: value}".to_owned()),
            (_, other) => Some(format!("write {other}")),
        };
        let message = match self.node.value {
            Shape::Null => format!("{} has no value; it must be {expected}", self.label),
            _ => format!("{} must be {expected}, not {}", self.label, self.node.describe()),
        };
        Fault { code: &codes::WRONG_TYPE, message, help, span: Some(self.node.span) }
    }

    fn unsigned(&self, max: u64) -> Result<u64, Fault> {
        let value = match &self.node.value {
            Shape::Number(number, _) => number.as_u64().filter(|value| *value <= max),
            _ => None,
        };
        value.ok_or_else(|| match max {
            0..=255 => self.wrong(&format!("a whole number from 0 to {max}")),
            _ => self.wrong("a whole number, 0 or more"),
        })
    }

    fn signed(&self, min: i64, max: i64) -> Result<i64, Fault> {
        let value = match &self.node.value {
            Shape::Number(number, _) => number.as_i64().filter(|value| (min..=max).contains(value)),
            _ => None,
        };
        value.ok_or_else(|| self.wrong(&format!("a whole number from {min} to {max}")))
    }

    fn items(&self, nodes: &'de [Node]) -> Items<'de> {
        let label = match self.label {
            Label::Key(key) | Label::Item(key) => Label::Item(key),
            Label::Top => Label::Item("the file"),
        };
        Items { nodes: nodes.iter(), sink: self.sink, label }
    }

    fn entries(&self, entries: &'de [Entry]) -> Pairs<'de, std::slice::Iter<'de, Entry>> {
        Pairs { entries: entries.iter(), current: None, sink: self.sink }
    }

    fn unknown(&self, struct_name: &str, entry: &Entry, fields: &'static [&'static str]) -> Problem {
        let key = &entry.key;
        let (code, message, known): (_, _, Vec<&str>) = match struct_name {
            "RawStep" => (&codes::UNKNOWN_ACTION, format!("unknown action `{key}`"), fields.to_vec()),
            "RawExpect" => (&codes::UNKNOWN_CHECK, format!("unknown check `{key}`"), fields.to_vec()),
            _ => (&codes::UNKNOWN_FIELD, format!("unknown field `{key}` in {}", self.label), fields.to_vec()),
        };
        let help = match struct_name {
            "RawStep" => {
                let (modifiers, actions): (Vec<&str>, Vec<&str>) =
                    known.iter().copied().partition(|field| crate::raw::STEP_MODIFIERS.contains(field));
                let near = nearest(key, known.iter().copied());
                let near = near.map(|near| format!("write `{near}`; ")).unwrap_or_default();
                format!("{near}actions: {}; beside its action a step may have {}", quoted(actions), quoted(modifiers))
            }
            _ => suggest(key, known),
        };
        let mut problem = Problem::new(code, entry.key_span, message).help(help).fatal();
        problem.meant = nearest(key, fields.iter().copied()).map(|near| (self.node.span, near));
        problem
    }
}

macro_rules! unsigned {
    ($($method:ident $visit:ident $ty:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let value = self.unsigned(u64::from(<$ty>::MAX))?;
            visitor.$visit(<$ty>::try_from(value).unwrap_or(<$ty>::MAX))
        }
    )*};
}

macro_rules! signed {
    ($($method:ident $visit:ident $ty:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let value = self.signed(i64::from(<$ty>::MIN), i64::from(<$ty>::MAX))?;
            visitor.$visit(<$ty>::try_from(value).unwrap_or(<$ty>::MAX))
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Shape::Null => visitor.visit_unit(),
            Shape::Bool(flag) => visitor.visit_bool(*flag),
            Shape::Number(number, _) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), _, _) => visitor.visit_u64(value),
                (None, Some(value), _) => visitor.visit_i64(value),
                (None, None, value) => visitor.visit_f64(value.unwrap_or_default()),
            },
            Shape::Text(text) => visitor.visit_borrowed_str(text),
            Shape::List(nodes) => visitor.visit_seq(self.items(nodes)),
            Shape::Map(table) => visitor.visit_map(self.entries(&table.entries)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value {
            Shape::Bool(flag) => visitor.visit_bool(flag),
            _ => Err(self.wrong("true or false")),
        }
    }

    unsigned! {
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
    }

    signed! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Shape::Text(text) => visitor.visit_borrowed_str(text),
            _ => Err(self.wrong("a text")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Shape::List(nodes) => visitor.visit_seq(self.items(nodes)),
            _ => Err(self.wrong("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Shape::Map(table) => visitor.visit_map(self.entries(&table.entries)),
            _ => Err(self.wrong("a map")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Shape::Map(table) = &self.node.value else {
            let mut fault = self.wrong("a map");
            let known = fields.iter().filter(|field| !crate::raw::STEP_MODIFIERS.contains(field) || name != "RawStep");
            fault.help = Some(format!("write a map with {}", quoted(known.copied())));
            return Err(fault);
        };
        let mut known = Vec::with_capacity(table.entries.len());
        for entry in &table.entries {
            if fields.contains(&entry.key.as_str()) {
                known.push(entry);
            } else {
                self.sink.push(self.unknown(name, entry, fields));
            }
        }
        visitor.visit_map(Pairs { entries: known.into_iter(), current: None, sink: self.sink })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == LOCATED {
            return visitor.visit_seq(Parts { reader: self, step: 0, before: self.sink.len() });
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        if name != WRITTEN {
            return visitor.visit_newtype_struct(self);
        }
        match &self.node.value {
            Shape::Text(text) | Shape::Number(_, text) => visitor.visit_borrowed_str(text),
            Shape::Bool(flag) => visitor.visit_str(if *flag { "true" } else { "false" }),
            Shape::Null => visitor.visit_unit(),
            Shape::List(_) | Shape::Map(_) => Err(self.wrong("a text, a number, true, false or null")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name != SHAPE {
            return match &self.node.value {
                Shape::Text(text) if variants.contains(&text.as_str()) => {
                    visitor.visit_enum(BorrowedStrDeserializer::new(text))
                }
                Shape::Text(text) => Err(Fault {
                    code: &codes::UNKNOWN_WORD,
                    message: format!("{} cannot be `{text}`", self.label),
                    help: Some(suggest(text, variants.iter().copied())),
                    span: Some(self.node.span),
                }),
                _ => Err(self.wrong(&format!("one of {}", quoted(variants.iter().copied())))),
            };
        }
        let shape = match &self.node.value {
            Shape::Null => "null",
            Shape::Bool(_) => "flag",
            Shape::Number(..) => "number",
            Shape::Text(_) => "text",
            Shape::List(_) => "list",
            Shape::Map(_) => "map",
        };
        let variant =
            variants.iter().find(|variant| **variant == shape).or_else(|| variants.iter().find(|v| **v == "one"));
        match variant {
            Some(variant) => visitor.visit_enum(Variant { reader: self, name: variant }),
            None => {
                let words: Vec<&str> = variants
                    .iter()
                    .filter_map(|variant| match *variant {
                        "flag" => Some("true or false"),
                        "number" => Some("a whole number"),
                        "text" => Some("a text"),
                        "list" => Some("a list"),
                        "map" => Some("a map"),
                        _ => None,
                    })
                    .collect();
                Err(self.wrong(&words.join(" or ")))
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple identifier
    }
}

/// The parts of a `Located` value: four numbers, the value, and whether nothing was wrong in it.
struct Parts<'de> {
    reader: Reader<'de>,
    step: usize,
    before: usize,
}

impl<'de> SeqAccess<'de> for Parts<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Reader { node, sink, .. } = self.reader;
        self.step += 1;
        let number = match self.step {
            1 => node.span.line,
            2 => node.span.column,
            3 => node.span.start,
            4 => node.span.end,
            5 => {
                return seed.deserialize(self.reader).map(Some).map_err(|fault| {
                    sink.push(fault.place(node.span));
                    serde::de::Error::custom("noted")
                });
            }
            _ => {
                let sound: BoolDeserializer<Fault> = (sink.len() == self.before).into_deserializer();
                return seed.deserialize(sound).map(Some);
            }
        };
        seed.deserialize(UsizeDeserializer::new(number)).map(Some)
    }
}

struct Items<'de> {
    nodes: std::slice::Iter<'de, Node>,
    sink: &'de Sink,
    label: Label<'de>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(node) = self.nodes.next() else { return Ok(None) };
        seed.deserialize(Reader { node, sink: self.sink, label: self.label }).map(Some)
    }
}

struct Pairs<'de, I> {
    entries: I,
    current: Option<&'de Entry>,
    sink: &'de Sink,
}

impl<'de, I: Iterator<Item = &'de Entry>> MapAccess<'de> for Pairs<'de, I> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.current = self.entries.next();
        let Some(entry) = self.current else { return Ok(None) };
        seed.deserialize(Key { entry, sink: self.sink, step: 0 }).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let entry = self.current.take().ok_or_else(|| <Fault as serde::de::Error>::custom("a value without a key"))?;
        seed.deserialize(Reader { node: &entry.node, sink: self.sink, label: Label::Key(&entry.key) })
    }
}

/// A key: a text, with its place where that is asked for.
struct Key<'de> {
    entry: &'de Entry,
    sink: &'de Sink,
    step: usize,
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(&self.entry.key)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_seq(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple map struct enum identifier ignored_any
    }
}

impl<'de> SeqAccess<'de> for Key<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.step += 1;
        let span = self.entry.key_span;
        let number = match self.step {
            1 => span.line,
            2 => span.column,
            3 => span.start,
            4 => span.end,
            5 => return seed.deserialize(Key { entry: self.entry, sink: self.sink, step: 0 }).map(Some),
            _ => {
                let sound: BoolDeserializer<Fault> = true.into_deserializer();
                return seed.deserialize(sound).map(Some);
            }
        };
        seed.deserialize(UsizeDeserializer::new(number)).map(Some)
    }
}

/// A `$shape` enum whose variant is decided.
struct Variant<'de> {
    reader: Reader<'de>,
    name: &'static str,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Fault;
    type Variant = Reader<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Reader<'de>), Fault> {
        seed.deserialize(BorrowedStrDeserializer::new(self.name)).map(|value| (value, self.reader))
    }
}

impl<'de> VariantAccess<'de> for Reader<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_struct("", fields, visitor)
    }
}
