//! Helm's three-way merge: what the chart says holds, what it no longer says goes, what others added stays.

use serde_json::Value;

/// Brings `live` into agreement with `new`. What `old` said and `new` does not is removed.
pub(super) fn three_way(old: &Value, new: &Value, live: &mut Value) {
    let (Some(wanted), Value::Object(there)) = (new.as_object(), &mut *live) else {
        *live = new.clone();
        return;
    };
    let nothing = Value::Null;
    for (key, value) in wanted {
        let before = old.get(key).unwrap_or(&nothing);
        match there.get_mut(key) {
            Some(present) if value.is_object() && present.is_object() => three_way(before, value, present),
            Some(Value::Array(present)) if named(value) => lists(before, value, present),
            _ => {
                there.insert(key.clone(), value.clone());
            }
        }
    }
    for key in old.as_object().into_iter().flatten().map(|(key, _)| key) {
        if !wanted.contains_key(key) {
            there.remove(key);
        }
    }
}

/// Lists of things with names are merged by name, as a strategic merge does; others are replaced.
fn named(list: &Value) -> bool {
    list.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(|one| one["name"].is_string()))
}

fn lists(old: &Value, new: &Value, live: &mut Vec<Value>) {
    let nothing = Value::Null;
    let merged = new.as_array().into_iter().flatten().map(|wanted| {
        let same = |list: &[Value]| list.iter().find(|one| one["name"] == wanted["name"]).cloned();
        match same(live) {
            Some(mut present) => {
                let before = old.as_array().and_then(|list| same(list));
                three_way(before.as_ref().unwrap_or(&nothing), wanted, &mut present);
                present
            }
            None => wanted.clone(),
        }
    });
    *live = merged.collect();
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::chart_wins(json!({"a": "1"}), json!({"a": "1"}), json!({"a": "by hand"}), json!({"a": "1"}))]
    #[case::foreign_keys_stay(json!({"a": "1"}), json!({"a": "2"}), json!({"a": "1", "b": "x"}), json!({"a": "2", "b": "x"}))]
    #[case::dropped_keys_go(json!({"a": "1", "c": "1"}), json!({"a": "1"}), json!({"a": "1", "c": "1"}), json!({"a": "1"}))]
    #[case::lists_by_name(
        json!({"l": [{"name": "x", "v": 1}]}),
        json!({"l": [{"name": "x", "v": 2}]}),
        json!({"l": [{"name": "x", "v": 1, "default": true}]}),
        json!({"l": [{"name": "x", "v": 2, "default": true}]})
    )]
    #[case::other_lists_are_replaced(json!({"l": [1]}), json!({"l": [2, 3]}), json!({"l": [1, 9]}), json!({"l": [2, 3]}))]
    fn merges(#[case] old: Value, #[case] new: Value, #[case] mut live: Value, #[case] expected: Value) {
        three_way(&old, &new, &mut live);
        assert_eq!(live, expected);
    }
}
