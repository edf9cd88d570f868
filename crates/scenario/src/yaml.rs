//! The only place that names the YAML library: one dialect for every scenario file.
//!
//! YAML 1.2 as `kubectl` users expect it: `yes`, `no`, `on` are texts, `0755` and `1_000` are texts, keys are unique, there
//! are no merge keys (`<<`), and a file is one document.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Location, Options, Spanned};

use crate::tree::{Entry, Node, Repeated, Shape, Span, Table};

/// Nesting beyond this is not a scenario. The library recurses, and takes some 30 KiB of stack per level without optimisation.
const MAX_DEPTH: usize = 32;

/// More values than this are not a scenario. Bounds the time that a file of one megabyte can take.
const MAX_NODES: usize = 20_000;

/// Why a text is not YAML.
#[derive(Debug)]
pub(crate) struct YamlError {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: Option<&'static str>,
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 10_000,
        },
        // Repeated keys reach `TreeVisitor`, which keeps each of them as an error of its own.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// Reads every document of a text. Documents without content are left out.
pub(crate) fn read(text: &str) -> Result<Vec<Node>, YamlError> {
    let documents: Vec<Spanned<Tree>> =
        serde_saphyr::from_str_multiple_with_options(text, options()).map_err(|error| explain(&error))?;
    Ok(documents.into_iter().map(|document| place(document, text)).collect())
}

/// The library's error in our words where a scenario's author is likely to meet it.
fn explain(error: &serde_saphyr::Error) -> YamlError {
    use serde_saphyr::Error;
    let (message, help) = match error.without_snippet() {
        Error::MergeKeyNotAllowed { .. } => {
            ("merge keys (`<<`) are not part of a scenario's YAML".to_owned(), Some("write the fields out"))
        }
        Error::UnknownAnchor { .. } => (
            "no anchor (`&name`) of that name comes before this".to_owned(),
            Some("put a text that begins with `*` in quotes"),
        ),
        Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } | Error::AliasReplayStackDepthExceeded { .. } => {
            (
                format!("a file has at most {MAX_NODES} values, aliases written out, in at most {MAX_DEPTH} levels"),
                Some("write less, or nest it less deeply"),
            )
        }
        other => {
            let message = plain(other);
            let help = [
                ("mapping values are not allowed", "put a text that holds `: ` in quotes, or check the indentation"),
                ("unclosed quote", "close it with the same quote; inside single quotes, write a single quote twice"),
                ("unsupported tag", "put a text that begins with `!` in quotes"),
                ("unclosed bracket", "close it, or put the text in quotes"),
                ("simple key expected", "check the indentation, and that `: ` follows each key"),
                ("could not find expected ':'", "check the indentation, and that `: ` follows each key"),
                ("unexpected character", "put a text that begins with `@`, `%` or a backquote in quotes"),
            ];
            let help = help.into_iter().find(|(part, _)| message.contains(part)).map(|(_, help)| help);
            let help = help.unwrap_or("check indentation, quotes and brackets at this place and just before it");
            match message.as_str() {
                "expected string scalar" => ("the key of a map must be a text".to_owned(), Some("write `key: value`")),
                _ => (message, Some(help)),
            }
        }
    };
    YamlError { span: error.location().map(span).unwrap_or_default(), message, help }
}

/// The library's message without its position, which the diagnostic shows in its own way.
fn plain(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let text = text.lines().next().unwrap_or_default();
    let cut =
        [" at line ", " (line ", " at byte "].iter().filter_map(|mark| text.find(mark)).min().unwrap_or(text.len());
    text[..cut].trim_end_matches([':', ',', ' ']).to_owned()
}

fn span(location: Location) -> Span {
    let bytes = location.span();
    let start = usize::try_from(bytes.byte_offset().unwrap_or_default()).unwrap_or_default();
    let length = usize::try_from(bytes.byte_len().unwrap_or_default()).unwrap_or_default();
    Span {
        line: usize::try_from(location.line()).unwrap_or_default(),
        column: usize::try_from(location.column()).unwrap_or_default(),
        start,
        end: start + length,
    }
}

/// A value as the library hands it over; places are added by [`place`], which has the text.
enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

fn place(tree: Spanned<Tree>, text: &str) -> Node {
    let span = span(tree.referenced);
    let value = match tree.value {
        Tree::Null => Shape::Null,
        Tree::Bool(flag) => Shape::Bool(flag),
        Tree::Number(number) => {
            // As written where it is defined, which for an alias is elsewhere.
            let defined = self::span(tree.defined);
            let written = text.get(defined.start..defined.end).map(str::trim).filter(|raw| !raw.is_empty());
            let written = written.map_or_else(|| number.to_string(), str::to_owned);
            Shape::Number(number, written)
        }
        Tree::Text(value) => Shape::Text(value),
        Tree::List(items) => Shape::List(items.into_iter().map(|item| place(item, text)).collect()),
        Tree::Map(pairs) => Shape::Map(table(pairs, text)),
    };
    let span = match value {
        Shape::List(_) | Shape::Map(_) => Span { end: span.start, ..span },
        _ => span,
    };
    Node { span, value }
}

fn table(pairs: Vec<(Spanned<String>, Spanned<Tree>)>, text: &str) -> Table {
    let mut table = Table::default();
    let mut first: BTreeMap<String, Span> = BTreeMap::new();
    for (key, value) in pairs {
        let key_span = span(key.referenced);
        let node = place(value, text);
        match first.get(&key.value) {
            Some(&first) => table.repeated.push(Repeated { key: key.value, span: key_span, first }),
            None => {
                first.insert(key.value.clone(), key_span);
                table.entries.push(Entry { key: key.value, key_span, node });
            }
        }
    }
    table
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Tree, E> {
        Number::from_f64(value).map(Tree::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut pairs: Vec<(Spanned<String>, Spanned<Tree>)> = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            if pairs.len() == usize::from(u16::MAX) {
                return Err(A::Error::custom("a map with more than 65535 entries"));
            }
            pairs.push((key, entries.next_value()?));
        }
        Ok(Tree::Map(pairs))
    }
}
