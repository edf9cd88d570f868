//! Strategic merge patch: a merge patch that knows which lists have keys.

use serde_json::{Map, Value};

use crate::api::schema::{PatchStrategy, TypeId, schemas};
use crate::store::Status;

const DIRECTIVE: &str = "$patch";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";
const RETAIN: &str = "$retainKeys";

/// Merges `patch` into `object`.
pub(super) fn merge(root: Option<TypeId>, object: &Value, patch: &Value) -> Result<Value, Status> {
    let (Some(object), Some(patch)) = (object.as_object(), patch.as_object()) else {
        return Err(Status::bad_request("error decoding patch: expected an object"));
    };
    Ok(Value::Object(maps(root, object, patch, &PatchStrategy::default())?))
}

fn maps(
    of: Option<TypeId>,
    object: &Map<String, Value>,
    patch: &Map<String, Value>,
    strategy: &PatchStrategy,
) -> Result<Map<String, Value>, Status> {
    match patch.get(DIRECTIVE).and_then(Value::as_str) {
        Some("replace") => return Ok(without_directives(patch)),
        Some("delete") => return Ok(Map::new()),
        Some("merge") | None => {}
        Some(other) => return Err(Status::bad_request(format!("unknown patch type: {other}"))),
    }
    let mut out = object.clone();
    if let Some(keys) = patch.get(RETAIN).and_then(Value::as_array)
        && (strategy.retain_keys || patch.contains_key(RETAIN))
    {
        out.retain(|key, _| keys.iter().any(|k| k == key));
    }
    for (key, change) in patch {
        if key == DIRECTIVE || key == RETAIN {
            continue;
        }
        if let Some(list) = key.strip_prefix(DELETE_FROM) {
            if let (Some(items), Some(gone)) = (out.get_mut(list).and_then(Value::as_array_mut), change.as_array()) {
                items.retain(|i| !gone.contains(i));
            }
            continue;
        }
        if key.starts_with(ORDER) {
            continue;
        }
        if change.is_null() {
            out.remove(key);
            continue;
        }
        let (child, strategy) = place(of, key);
        let merged = match (out.get(key), change) {
            (Some(Value::Object(old)), Value::Object(new)) if !strategy.replace => {
                if new.get(DIRECTIVE).and_then(Value::as_str) == Some("delete") {
                    out.remove(key);
                    continue;
                }
                Value::Object(maps(child, old, new, &strategy)?)
            }
            (old, Value::Object(new)) => {
                if new.get(DIRECTIVE).and_then(Value::as_str) == Some("delete") {
                    out.remove(key);
                    continue;
                }
                let empty = Map::new();
                let old = old.filter(|_| !strategy.replace).and_then(Value::as_object).unwrap_or(&empty);
                Value::Object(maps(child, old, new, &strategy)?)
            }
            (old, Value::Array(new)) => {
                let empty = Vec::new();
                let old = old.and_then(Value::as_array).unwrap_or(&empty);
                let order = patch.get(&format!("{ORDER}{key}")).and_then(Value::as_array);
                Value::Array(lists(child, old, new, &strategy, order)?)
            }
            (_, other) => other.clone(),
        };
        out.insert(key.clone(), merged);
    }
    // An order may be given for a list that the patch does not otherwise touch.
    for (key, order) in patch {
        if let (Some(list), Some(order)) = (key.strip_prefix(ORDER), order.as_array())
            && !patch.contains_key(list)
            && let Some(items) = out.get(list).and_then(Value::as_array)
        {
            let (_, strategy) = place(of, list);
            let sorted = ordered(items.clone(), items, order, strategy.key.as_deref());
            out.insert(list.to_owned(), Value::Array(sorted));
        }
    }
    Ok(out)
}

/// Type and strategy of a field.
fn place(of: Option<TypeId>, key: &str) -> (Option<TypeId>, PatchStrategy) {
    let Some(of) = of.map(|id| schemas().get(id)) else { return (None, PatchStrategy::default()) };
    match of.fields.get(key) {
        Some(field) => (Some(field.of), field.patch.clone()),
        None => (of.additional, PatchStrategy::default()),
    }
}

fn without_directives(map: &Map<String, Value>) -> Map<String, Value> {
    let kept = map.iter().filter(|(k, _)| *k != DIRECTIVE && !k.starts_with(ORDER) && *k != RETAIN);
    kept.map(|(k, v)| (k.clone(), cleaned(v))).collect()
}

fn cleaned(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(without_directives(map)),
        Value::Array(list) => Value::Array(list.iter().map(cleaned).collect()),
        other => other.clone(),
    }
}

fn lists(
    of: Option<TypeId>,
    old: &[Value],
    new: &[Value],
    strategy: &PatchStrategy,
    order: Option<&Vec<Value>>,
) -> Result<Vec<Value>, Status> {
    let replaced = new.iter().any(|i| i.get(DIRECTIVE).and_then(Value::as_str) == Some("replace"));
    if !strategy.merge || replaced {
        return Ok(new.iter().filter(|i| i.get(DIRECTIVE).is_none()).map(cleaned).collect());
    }
    let items = of.and_then(|id| schemas().get(id).items);
    let merged = match &strategy.key {
        Some(key) => keyed(items, old, new, key)?,
        None => {
            let mut out: Vec<Value> = Vec::new();
            for item in old.iter().chain(new) {
                if !out.contains(item) {
                    out.push(item.clone());
                }
            }
            out
        }
    };
    // The patch's own order counts where no other is given.
    Ok(ordered(merged, old, order.map_or(new, Vec::as_slice), strategy.key.as_deref()))
}

fn keyed(items: Option<TypeId>, old: &[Value], new: &[Value], key: &str) -> Result<Vec<Value>, Status> {
    let mut out = old.to_vec();
    for change in new {
        let Some(map) = change.as_object() else { continue };
        let Some(id) = map.get(key) else {
            let list: Vec<String> = map.iter().map(|(k, v)| format!("{k}:{v}")).collect();
            return Err(Status::new(
                500,
                "",
                format!("map: map[{}] does not contain declared merge key: {key}", list.join(" ")),
            ));
        };
        let at = out.iter().position(|item| item.get(key) == Some(id));
        match map.get(DIRECTIVE).and_then(Value::as_str) {
            Some("delete") => out.retain(|item| item.get(key) != Some(id)),
            _ => match at.and_then(|at| out[at].as_object().map(|old| (at, old.clone()))) {
                Some((at, old)) => out[at] = Value::Object(maps(items, &old, map, &PatchStrategy::default())?),
                None => out.push(Value::Object(maps(items, &Map::new(), map, &PatchStrategy::default())?)),
            },
        }
    }
    Ok(out)
}

/// Puts what the patch's author ordered in that order, and the server's own items where they stood among the others.
fn ordered(merged: Vec<Value>, old: &[Value], order: &[Value], key: Option<&str>) -> Vec<Value> {
    let id = |item: &Value| -> Value {
        match key {
            Some(key) => item.get(key).cloned().unwrap_or(Value::Null),
            None => item.clone(),
        }
    };
    let wanted: Vec<Value> = order.iter().map(id).collect();
    let (listed, others): (Vec<Value>, Vec<Value>) = merged.into_iter().partition(|i| wanted.contains(&id(i)));
    let mut listed = listed;
    listed.sort_by_key(|i| wanted.iter().position(|w| *w == id(i)));
    let before: Vec<Value> = old.iter().map(id).collect();
    let stood = |item: &Value| before.iter().position(|b| *b == id(item));
    let (mut left, mut right) = (listed.into_iter().peekable(), others.into_iter().peekable());
    let mut out = Vec::new();
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let server_first = match (stood(a), stood(b)) {
            (Some(a), Some(b)) => b < a,
            _ => false,
        };
        out.extend(if server_first { right.next() } else { left.next() });
    }
    out.extend(left);
    out.extend(right);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::Resource;

    #[track_caller]
    fn check(object: Value, patch: Value, expected: Value) {
        let root = schemas().of(Resource::Deployment);
        assert_eq!(merge(root, &object, &patch).unwrap(), expected);
    }

    fn with(containers: Value) -> Value {
        json!({"spec": {"template": {"spec": {"containers": containers}}}})
    }

    #[test]
    fn containers_merge_by_name() {
        let old = with(json!([{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]));
        check(
            old.clone(),
            with(json!([{"name": "b", "image": "z"}])),
            with(json!([{"name": "a", "image": "x"}, {"name": "b", "image": "z"}])),
        );
        check(
            old.clone(),
            with(json!([{"name": "a", "$patch": "delete"}])),
            with(json!([{"name": "b", "image": "y"}])),
        );
        check(old, with(json!([{"$patch": "replace"}, {"name": "c"}])), with(json!([{"name": "c"}])));
    }

    #[test]
    fn order_directives_order() {
        let old = with(json!([{"name": "a"}, {"name": "b"}]));
        let patch = json!({"spec": {"template": {"spec": {
            "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
            "containers": [{"name": "c"}, {"name": "b", "$patch": "delete"}],
        }}}});
        check(old, patch, with(json!([{"name": "c"}, {"name": "a"}])));
    }

    #[test]
    fn finalizers_merge_as_a_set() {
        check(
            json!({"metadata": {"finalizers": ["a/b"]}}),
            json!({"metadata": {"finalizers": ["c/d"], "$deleteFromPrimitiveList/finalizers": ["a/b"]}}),
            json!({"metadata": {"finalizers": ["c/d"]}}),
        );
    }

    #[test]
    fn nulls_remove_and_retain_keys_keeps() {
        check(
            json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}, "paused": true}}),
            json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}, "paused": null}}),
            json!({"spec": {"strategy": {"type": "Recreate"}}}),
        );
    }
}
