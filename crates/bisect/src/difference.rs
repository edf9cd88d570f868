//! What differs between two flat texts: chart values, or the data of a ConfigMap.

use std::collections::{BTreeMap, BTreeSet};

/// One key that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The key.
    pub key: String,
    /// Its value on the older side, if it is there.
    pub before: Option<String>,
    /// And on the newer.
    pub after: Option<String>,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = &self.key;
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{key}: {before} -> {after}"),
            (None, Some(after)) if after.is_empty() => write!(f, "{key}: new"),
            (Some(before), None) if before.is_empty() => write!(f, "{key}: gone"),
            (None, Some(after)) => write!(f, "{key}: new, {after}"),
            (Some(before), None) => write!(f, "{key}: gone, was {before}"),
            (None, None) => write!(f, "{key}"),
        }
    }
}

/// Every key whose value differs, by name. Keys that say the version itself are no difference worth reading.
pub fn differences(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Change> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key) && !names_the_version(key))
        .map(|key| Change {
            key: key.clone(),
            before: before.get(key).map(|value| quote(value)),
            after: after.get(key).map(|value| quote(value)),
        })
        .collect()
}

/// Every key that is on one side only, where values are not known.
pub fn missing(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Vec<Change> {
    let side = |keys: &BTreeSet<String>, key: &String| keys.contains(key).then(String::new);
    let change = |key: &String| Change { key: key.clone(), before: side(before, key), after: side(after, key) };
    before.symmetric_difference(after).map(change).collect()
}

/// Tags and digests of images change with every release.
fn names_the_version(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    matches!(last, "tag" | "digest" | "genericDigest" | "awsDigest" | "azureDigest" | "alibabacloudDigest")
}

/// In a line, as long as a line may be.
fn quote(value: &str) -> String {
    const MOST: usize = 60;
    let short: String = value.chars().take(MOST).collect();
    let more = if short.len() < value.len() { "…" } else { "" };
    format!("{short:?}{more}")
}

/// Leaves by dotted path, for what a YAML or JSON text says. An empty collection is a leaf; a list is one text.
pub fn flatten(value: &serde_json::Value) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    walk(value, String::new(), &mut flat);
    flat
}

fn walk(value: &serde_json::Value, path: String, flat: &mut BTreeMap<String, String>) {
    match value {
        serde_json::Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(value, path, flat);
            }
        }
        serde_json::Value::String(text) => {
            flat.insert(path, text.clone());
        }
        other => {
            flat.insert(path, other.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_without_values() {
        let keys = |list: &[&str]| list.iter().map(|key| (*key).to_owned()).collect();
        let lines: Vec<String> =
            missing(&keys(&["a", "b"]), &keys(&["b", "c"])).iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["a: gone", "c: new"]);
    }

    #[test]
    fn what_is_new_gone_and_other() {
        let before = flatten(&json!({"a": {"b": 1, "c": []}, "image": {"tag": "v1"}, "old": "x", "same": true}));
        let after =
            flatten(&json!({"a": {"b": 2, "c": []}, "image": {"tag": "v2"}, "new": "y".repeat(80), "same": true}));
        let lines: Vec<String> = differences(&before, &after).iter().map(ToString::to_string).collect();
        let long = format!("new: new, \"{}\"…", "y".repeat(60));
        assert_eq!(lines, ["a.b: \"1\" -> \"2\"", &long, "old: gone, was \"x\""]);
    }
}
