//! Merging and reading Helm values.

use serde_json::{Map, Value};

/// Lays `over` over `values` as Helm does: maps are merged, `null` removes a key, everything else (lists too) replaces.
pub fn merge(values: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (values.get_mut(key), value) {
            (_, Value::Null) => {
                values.remove(key);
            }
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, Value::Object(new)) => {
                let mut fresh = Map::new();
                merge(&mut fresh, new);
                values.insert(key.clone(), Value::Object(fresh));
            }
            (_, other) => {
                values.insert(key.clone(), other.clone());
            }
        }
    }
}

/// The value at a dotted path (`ipam.operator.clusterPoolIPv4MaskSize`).
pub fn lookup<'a>(values: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let mut at = values.get(parts.next()?)?;
    for part in parts {
        at = at.as_object()?.get(part)?;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::maps_merge(json!({"a": {"b": 1}}), json!({"a": {"c": 2}}), json!({"a": {"b": 1, "c": 2}}))]
    #[case::lists_replace(json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]}))]
    #[case::null_removes(json!({"a": 1, "b": 2}), json!({"a": null}), json!({"b": 2}))]
    #[case::null_in_a_new_map(json!({}), json!({"a": {"b": null, "c": 1}}), json!({"a": {"c": 1}}))]
    #[case::scalar_becomes_map(json!({"a": 1}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}}))]
    #[case::map_becomes_scalar(json!({"a": {"b": 1}}), json!({"a": 1}), json!({"a": 1}))]
    fn merges(#[case] values: Value, #[case] over: Value, #[case] expected: Value) {
        let (mut values, over) = (values.as_object().unwrap().clone(), over.as_object().unwrap().clone());
        merge(&mut values, &over);
        assert_eq!(Value::Object(values), expected);
    }

    #[rstest]
    #[case("a.b", Some(json!(1)))]
    #[case("a", Some(json!({"b": 1})))]
    #[case("a.b.c", None)]
    #[case("x", None)]
    fn looks_up(#[case] path: &str, #[case] expected: Option<Value>) {
        let values = json!({"a": {"b": 1}}).as_object().unwrap().clone();
        assert_eq!(lookup(&values, path), expected.as_ref());
    }
}
