//! YAML (and JSON, which is YAML) as a tree in which every value knows its line.
//!
//! The dialect is that of Helm and kubectl: anchors, aliases and merge keys work, `yes` is a boolean, and of a repeated key the last
//! one counts.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Location, Options, Spanned};

/// A larger text is not read. `kubectl get ciliumnodes -o yaml` of 5,000 nodes has some 15 MiB.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Nesting beyond this is no file of these kinds.
const MAX_DEPTH: usize = 48;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What it is.
    pub value: Shape,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the file's order.
    Map(Vec<Entry>),
}

/// One entry of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The key's line, from 1.
    pub line: usize,
    /// The key's column, from 1.
    pub column: usize,
    /// Whether the value is given a name (`key: &name`), as parts that exist to be merged elsewhere are.
    pub anchored: bool,
    /// The value.
    pub node: Node,
}

/// A text that is not YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct SyntaxError {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: 8_000_000,
            max_events: 20_000_000,
            max_total_scalar_bytes: MAX_BYTES,
            max_documents: 10_000,
            max_merge_keys: 10_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 200_000,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Merge,
        with_snippet: false,
    }
}

/// Reads every document of a text; those without content are left out.
///
/// # Errors
/// When it is not YAML, is not text, or is larger than [`MAX_BYTES`].
pub fn read(bytes: &[u8]) -> Result<Vec<Node>, SyntaxError> {
    let at_top = |message: String| SyntaxError { line: 1, column: 1, message };
    if bytes.len() > MAX_BYTES {
        return Err(at_top(format!("the file has {} MiB; at most {} are read", bytes.len() >> 20, MAX_BYTES >> 20)));
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| at_top(format!("not UTF-8 text: byte {}", error.valid_up_to())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents: Vec<Spanned<Tree>> =
        serde_saphyr::from_str_multiple_with_options(text, options()).map_err(|error| {
            let place = error.location();
            let message = error.without_snippet().to_string();
            let message = message.lines().next().unwrap_or_default();
            let cut = [" at line ", " (line ", " at byte "].iter().filter_map(|mark| message.find(mark)).min();
            SyntaxError {
                line: place.map_or(1, line),
                column: place.map_or(1, column),
                message: message[..cut.unwrap_or(message.len())].trim_end_matches([':', ',', ' ']).to_owned(),
            }
        })?;
    let documents = documents.into_iter().filter(|document| !matches!(document.value, Tree::Null));
    Ok(documents.map(|document| place(document, text)).collect())
}

fn line(location: Location) -> usize {
    usize::try_from(location.line()).unwrap_or_default()
}

fn column(location: Location) -> usize {
    usize::try_from(location.column()).unwrap_or_default()
}

/// A value as the library hands it over.
enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

fn place(tree: Spanned<Tree>, text: &str) -> Node {
    let (line, column) = (line(tree.referenced), column(tree.referenced));
    let value = match tree.value {
        Tree::Null => Shape::Null,
        Tree::Bool(flag) => Shape::Bool(flag),
        Tree::Number(number) => Shape::Number(number),
        Tree::Text(value) => Shape::Text(value),
        Tree::List(items) => Shape::List(items.into_iter().map(|item| place(item, text)).collect()),
        Tree::Map(pairs) => {
            // Of a repeated key the last one counts.
            let mut entries: Vec<Entry> = Vec::with_capacity(pairs.len());
            let mut places: BTreeMap<String, usize> = BTreeMap::new();
            for (key, value) in pairs {
                let entry = entry(key, value, text);
                match places.get(&entry.key) {
                    Some(place) => entries[*place] = entry,
                    None => {
                        places.insert(entry.key.clone(), entries.len());
                        entries.push(entry);
                    }
                }
            }
            Shape::Map(entries)
        }
    };
    Node { line, column, value }
}

fn entry(key: Spanned<String>, value: Spanned<Tree>, text: &str) -> Entry {
    let span = key.defined.span();
    let end = span.byte_offset().unwrap_or_default() + span.byte_len().unwrap_or_default();
    let after = usize::try_from(end).ok().and_then(|end| text.get(end..)).unwrap_or_default();
    let after = after.trim_start_matches(['"', '\'']).trim_start().strip_prefix(':').unwrap_or_default();
    Entry {
        line: line(key.referenced),
        column: column(key.referenced),
        anchored: after.trim_start_matches([' ', '\t']).starts_with('&'),
        key: key.value,
        node: place(value, text),
    }
}

impl Node {
    /// What it is, for a message.
    pub fn describe(&self) -> String {
        match &self.value {
            Shape::Null => "nothing".to_owned(),
            Shape::Bool(flag) => flag.to_string(),
            Shape::Number(number) => format!("the number {number}"),
            Shape::Text(text) => format!("the text \"{}\"", text.chars().take(60).collect::<String>()),
            Shape::List(_) => "a list".to_owned(),
            Shape::Map(_) => "a map".to_owned(),
        }
    }

    /// The entries of a map; none for other shapes.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Shape::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entry of a map.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value at a dotted path.
    pub fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, key| node.entry(key).map(|entry| &entry.node))
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Shape::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value without places.
    pub fn to_json(&self) -> Value {
        match &self.value {
            Shape::Null => Value::Null,
            Shape::Bool(flag) => Value::Bool(*flag),
            Shape::Number(number) => Value::Number(number.clone()),
            Shape::Text(text) => Value::String(text.clone()),
            Shape::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Shape::Map(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }
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
            pairs.push((key, entries.next_value()?));
        }
        Ok(Tree::Map(pairs))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(text: &str) -> Node {
        read(text.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn anchors_and_merges_are_written_out() {
        let text = "_ipam: &ipam\n  mode: cluster-pool\n  operator: &operator\n    clusterPoolIPv4MaskSize: 25\nipam:\n  <<: *ipam\n  operator:\n    <<: *operator\n    clusterPoolIPv4PodCIDRList: &pools [10.0.0.0/16]\nagain: *pools\n";
        let node = one(text);
        assert_eq!(
            node.at("ipam").unwrap().to_json(),
            json!({"mode": "cluster-pool", "operator": {"clusterPoolIPv4MaskSize": 25, "clusterPoolIPv4PodCIDRList": ["10.0.0.0/16"]}})
        );
        assert_eq!(node.at("again").unwrap().to_json(), json!(["10.0.0.0/16"]));
        assert!(node.entry("_ipam").unwrap().anchored && !node.entry("ipam").unwrap().anchored);
        assert_eq!(node.at("ipam.operator.clusterPoolIPv4PodCIDRList").unwrap().line, 9);
    }

    #[test]
    fn booleans_are_helm_s_and_the_last_of_two_keys_counts() {
        assert_eq!(one("a: yes\nb: off\nc: 1\nc: 2\n").to_json(), json!({"a": true, "b": false, "c": 2}));
    }

    #[test]
    fn json_and_streams_are_read() {
        assert_eq!(one("{\"data\": {\"ipam\": \"kubernetes\"}}").at("data.ipam").unwrap().text(), Some("kubernetes"));
        assert_eq!(read(b"---\na: 1\n---\n---\nb: 2\n").unwrap().len(), 2);
        assert_eq!(read(b"").unwrap(), []);
    }

    #[test]
    fn says_where_it_is_not_yaml() {
        let error = read(b"ipam:\n  mode: [a\n").unwrap_err();
        assert!(error.line >= 2, "{error}");
        assert!(read(b"\xff\xfe").unwrap_err().message.contains("UTF-8"));
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..9 {
            let list = vec![format!("*a{}", i - 1); 10].join(", ");
            text.push_str(&format!("a{i}: &a{i} [{list}]\n"));
        }
        assert!(read(text.as_bytes()).is_err());
    }
}
