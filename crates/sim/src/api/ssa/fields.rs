//! Sets of field paths and their `FieldsV1` form.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A field of an object, or a key of a map.
    Field(Box<str>),
    /// An item of a list by its keys: a JSON object.
    Key(Box<str>),
    /// An item of a set: its JSON.
    Value(Box<str>),
    /// An item by its place.
    Index(usize),
}

/// From the root to a field.
pub(super) type Path = Vec<Step>;

/// Fields.
pub(super) type Fields = BTreeSet<Path>;

impl Step {
    pub(super) fn field(name: &str) -> Step {
        Step::Field(name.into())
    }

    fn encode(&self) -> String {
        match self {
            Step::Field(name) => format!("f:{name}"),
            Step::Key(keys) => format!("k:{keys}"),
            Step::Value(value) => format!("v:{value}"),
            Step::Index(at) => format!("i:{at}"),
        }
    }

    fn decode(text: &str) -> Option<Step> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Step::Field(rest.into())),
            "k" => Some(Step::Key(canonical(rest)?)),
            "v" => Some(Step::Value(canonical(rest)?)),
            "i" => rest.parse().ok().map(Step::Index),
            _ => None,
        }
    }
}

/// JSON with sorted keys and no spaces, so that equal keys are equal texts.
fn canonical(json: &str) -> Option<Box<str>> {
    let value: Value = serde_json::from_str(json).ok()?;
    Some(value.to_string().into())
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Field(name) => write!(f, ".{name}"),
            Step::Key(keys) => {
                let map: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let list: Vec<String> = map.iter().map(|(k, v)| format!("{k}={v}")).collect();
                write!(f, "[{}]", list.join(","))
            }
            Step::Value(value) => write!(f, "[={value}]"),
            Step::Index(at) => write!(f, "[{at}]"),
        }
    }
}

/// `.spec.containers[name="a"].image`.
pub(super) fn show(path: &Path) -> String {
    path.iter().map(Step::to_string).collect()
}

/// Members in the order in which Kubernetes lists them: a level's own before what lies deeper.
pub(super) fn listed(fields: &Fields) -> Vec<&Path> {
    let mut out: Vec<&Path> = fields.iter().collect();
    out.sort_by(|a, b| order(a, b));
    out
}

fn order(a: &Path, b: &Path) -> std::cmp::Ordering {
    let common = a.iter().zip(b.iter()).take_while(|(x, y)| x == y).count();
    let (left, right) = (a.len() - common, b.len() - common);
    // At the level where they part, one that ends there comes first.
    (left > 1).cmp(&(right > 1)).then_with(|| a.cmp(b))
}

/// `FieldsV1`.
pub(super) fn encode(fields: &Fields) -> Value {
    let mut root = Map::new();
    for path in fields {
        let mut at = &mut root;
        let last = path.len().saturating_sub(1);
        for (depth, step) in path.iter().enumerate() {
            let key = step.encode();
            let slot = at.entry(key).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(map) = slot else { break };
            if depth == last {
                map.insert(".".into(), Value::Object(Map::new()));
            }
            at = map;
        }
    }
    let mut value = Value::Object(root);
    simplify(&mut value);
    value
}

/// A member without children is `{}`, not `{".": {}}`.
fn simplify(value: &mut Value) {
    let Value::Object(map) = value else { return };
    if map.len() == 1 && map.contains_key(".") {
        map.clear();
        return;
    }
    for (key, child) in map.iter_mut() {
        if key != "." {
            simplify(child);
        }
    }
}

/// Reads `FieldsV1`.
pub(super) fn decode(value: &Value) -> Fields {
    let mut out = Fields::new();
    read(value, &mut Path::new(), &mut out);
    out
}

fn read(value: &Value, path: &mut Path, out: &mut Fields) {
    let Some(map) = value.as_object() else { return };
    if !path.is_empty() && (map.is_empty() || map.contains_key(".")) {
        out.insert(path.clone());
    }
    for (key, child) in map {
        if let Some(step) = Step::decode(key) {
            path.push(step);
            read(child, path, out);
            path.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_read_as_they_are_written() {
        let text = json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}}}},
        });
        let fields = decode(&text);
        assert_eq!(encode(&fields), text);
        let shown: Vec<String> = fields.iter().map(show).collect();
        assert!(shown.contains(&".spec.containers[name=\"a\"].image".to_owned()), "{shown:?}");
    }
}
