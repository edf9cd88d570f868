//! Values with their place, for the raw form of a scenario.
//!
//! They are read through [`crate::reader`], which keeps going after an error: a [`Located`] whose value could not be read
//! is left without one, its problem is already noted, and the rest of the file is read as if nothing were wrong.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::tree::Span;

/// The name under which the reader hands over a value with its place.
pub(crate) const LOCATED: &str = "$located";

/// A value with its place; without the value where it could not be read.
#[derive(Debug)]
pub(crate) struct Located<T> {
    pub(crate) span: Span,
    pub(crate) value: Option<T>,
    /// Nothing was wrong anywhere inside.
    pub(crate) sound: bool,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LocatedVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for LocatedVisitor<T> {
            type Value = Located<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its place")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Located<T>, A::Error> {
                let mut number =
                    || parts.next_element::<usize>()?.ok_or_else(|| A::Error::custom("a place has four numbers"));
                let span = Span { line: number()?, column: number()?, start: number()?, end: number()? };
                // The reader has noted the problem before it answers with an error.
                let value = parts.next_element::<T>().unwrap_or_default();
                let sound = parts.next_element::<bool>()?.unwrap_or_default();
                Ok(Located { span, value, sound })
            }
        }
        deserializer.deserialize_tuple_struct(LOCATED, 6, LocatedVisitor(PhantomData))
    }
}

/// A field of a struct: absent, or a [`Located`] value.
#[derive(Debug)]
pub(crate) struct Field<T>(pub(crate) Option<Located<T>>);

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Field<T> {
    /// The place and the value, where there is one that could be read.
    pub(crate) fn get(&self) -> Option<(Span, &T)> {
        self.0.as_ref().and_then(|located| located.value.as_ref().map(|value| (located.span, value)))
    }

    /// The value, where there is one that could be read.
    pub(crate) fn value(&self) -> Option<&T> {
        self.get().map(|(_, value)| value)
    }

    /// The value alone.
    pub(crate) fn into_value(self) -> Option<T> {
        self.0.and_then(|located| located.value)
    }

    /// Whether it is written at all.
    pub(crate) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Whether it is written and could not be read.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.as_ref().is_some_and(|located| located.value.is_none())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Through Option, since that is what serde offers for a field that is missing.
        Option::<Located<T>>::deserialize(deserializer).map(Self)
    }
}

/// A map with free keys, in the file's order.
#[derive(Debug)]
pub(crate) struct Entries<T>(pub(crate) Vec<(Located<String>, Located<T>)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

impl<T> Entries<T> {
    /// Keys and values that could be read.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Span, Span, &T)> {
        self.0
            .iter()
            .filter_map(|(key, value)| Some((key.value.as_deref()?, key.span, value.span, value.value.as_ref()?)))
    }

    /// Keys, also of values that could not be read.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, Span)> {
        self.0.iter().filter_map(|(key, _)| Some((key.value.as_deref()?, key.span)))
    }
}

macro_rules! transparent_schema {
    ($outer:ident<T> as $inner:ty) => {
        impl<T: JsonSchema> JsonSchema for $outer<T> {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                <$inner>::schema_name()
            }

            fn schema_id() -> Cow<'static, str> {
                <$inner>::schema_id()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                generator.subschema_for::<$inner>()
            }
        }
    };
}

transparent_schema!(Located<T> as T);
transparent_schema!(Field<T> as T);
transparent_schema!(Entries<T> as std::collections::BTreeMap<String, T>);
