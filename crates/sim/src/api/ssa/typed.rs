//! Walks over typed values: which fields there are, what differs, merging and removing.

use serde_json::{Map, Value};

use super::fields::{Fields, Path, Step};
use crate::api::schema::{Kind, Relation, Type, TypeId, schemas};

/// How a value of a type is owned. A value whose type is unknown has granular maps and atomic lists.
enum Shape<'a> {
    Leaf,
    Map(Option<&'a Type>),
    List(&'a Type),
}

fn shape(of: Option<TypeId>, value: &Value) -> Shape<'static> {
    let of = of.map(|id| schemas().get(id));
    match (of, value) {
        (Some(t), Value::Array(_)) if t.kind == Kind::Array && t.relation != Relation::Atomic => Shape::List(t),
        (Some(t), Value::Object(_)) if t.kind == Kind::Object && t.relation != Relation::Atomic => {
            // Free JSON (RawExtension) is one value; free objects of custom resources are not.
            if t.open() && t.raw.get("x-kubernetes-preserve-unknown-fields").is_none() && t.fields.is_empty() {
                Shape::Leaf
            } else {
                Shape::Map(Some(t))
            }
        }
        (None, Value::Object(_)) => Shape::Map(None),
        _ => Shape::Leaf,
    }
}

fn child(of: Option<&Type>, key: &str) -> Option<TypeId> {
    of.and_then(|t| t.child(key))
}

fn named(of: Option<&Type>, key: &str) -> bool {
    of.is_some_and(|t| t.fields.contains_key(key))
}

/// The step to an item of a list. Key fields that are absent have their defaults.
fn step(list: &Type, item: &Value, at: usize) -> Step {
    match &list.relation {
        Relation::Keyed(keys) => {
            let fields = list.items.map(|i| schemas().get(i));
            let mut map = Map::new();
            for key in keys {
                let default = || fields.and_then(|f| f.fields.get(key)).and_then(|f| f.default.clone());
                if let Some(value) = item.get(key).cloned().filter(|v| !v.is_null()).or_else(default) {
                    map.insert(key.clone(), value);
                }
            }
            if map.is_empty() { Step::Index(at) } else { Step::Key(Value::Object(map).to_string().into()) }
        }
        Relation::Set => Step::Value(item.to_string().into()),
        Relation::Atomic | Relation::Granular => Step::Index(at),
    }
}

fn steps(list: &Type, items: &[Value]) -> Vec<Step> {
    items.iter().enumerate().map(|(at, item)| step(list, item, at)).collect()
}

/// Every field of a value.
pub(super) fn fields(of: Option<TypeId>, value: &Value) -> Fields {
    let mut out = Fields::new();
    collect(of, value, &mut Path::new(), &mut out);
    out
}

fn collect(of: Option<TypeId>, value: &Value, path: &mut Path, out: &mut Fields) {
    match (shape(of, value), value) {
        (Shape::Map(t), Value::Object(map)) => {
            for (key, item) in map {
                path.push(Step::field(key));
                collect(child(t, key), item, path, out);
                let empty = item.is_null() || item.as_object().is_some_and(Map::is_empty);
                if empty || !named(t, key) {
                    out.insert(path.clone());
                }
                path.pop();
            }
        }
        (Shape::List(t), Value::Array(list)) => {
            for (item, step) in list.iter().zip(steps(t, list)) {
                path.push(step);
                collect(t.items, item, path, out);
                out.insert(path.clone());
                path.pop();
            }
        }
        _ => {
            out.insert(path.clone());
        }
    }
}

/// What differs between two values.
#[derive(Debug, Default)]
pub(super) struct Difference {
    pub(super) removed: Fields,
    pub(super) modified: Fields,
    pub(super) added: Fields,
}

/// Compares two values of a type.
pub(super) fn compare(of: Option<TypeId>, old: &Value, new: &Value) -> Difference {
    let mut out = Difference::default();
    walk(of, Some(old), Some(new), &mut Path::new(), &mut out);
    // The root itself is no field.
    for set in [&mut out.removed, &mut out.modified, &mut out.added] {
        set.remove(&Path::new());
    }
    out
}

fn walk(of: Option<TypeId>, old: Option<&Value>, new: Option<&Value>, path: &mut Path, out: &mut Difference) {
    let Some(sample) = new.or(old) else { return };
    let empty = |v: Option<&Value>| match v {
        None | Some(Value::Null) => true,
        Some(Value::Object(m)) => m.is_empty(),
        Some(Value::Array(l)) => l.is_empty(),
        Some(_) => false,
    };
    // Null has any form.
    let same_form =
        old.is_none_or(|o| o.is_null() || o.is_object() == sample.is_object() && o.is_array() == sample.is_array());
    match shape(of, sample) {
        Shape::Map(t) if same_form && !(empty(old) && empty(new)) => {
            let none = Map::new();
            let (left, right) =
                (old.and_then(Value::as_object).unwrap_or(&none), new.and_then(Value::as_object).unwrap_or(&none));
            let mut keys: Vec<&String> = left.keys().chain(right.keys().filter(|k| !left.contains_key(*k))).collect();
            keys.sort();
            for key in keys {
                path.push(Step::field(key));
                walk(child(t, key), left.get(key), right.get(key), path, out);
                path.pop();
            }
        }
        Shape::List(t) if same_form && !(empty(old) && empty(new)) => {
            let none = Vec::new();
            let (left, right) =
                (old.and_then(Value::as_array).unwrap_or(&none), new.and_then(Value::as_array).unwrap_or(&none));
            let (ls, rs) = (steps(t, left), steps(t, right));
            for (at, step) in ls.iter().enumerate() {
                let other = rs.iter().position(|s| s == step).map(|i| &right[i]);
                path.push(step.clone());
                walk(t.items, Some(&left[at]), other, path, out);
                path.pop();
            }
            for (at, step) in rs.iter().enumerate().filter(|(_, s)| !ls.contains(s)) {
                path.push(step.clone());
                walk(t.items, None, Some(&right[at]), path, out);
                path.pop();
            }
        }
        _ => {
            match (old, new) {
                (None, Some(_)) => out.added.insert(path.clone()),
                (Some(_), None) => out.removed.insert(path.clone()),
                (Some(a), Some(b)) if a != b => out.modified.insert(path.clone()),
                _ => false,
            };
            return;
        }
    }
    if old.is_none() {
        out.added.insert(path.clone());
    } else if new.is_none() {
        out.removed.insert(path.clone());
    }
}

/// `config` over `live`.
pub(super) fn merge(of: Option<TypeId>, live: Option<&Value>, config: Option<&Value>) -> Option<Value> {
    let Some(config) = config else { return live.cloned() };
    let Some(live) = live else { return Some(config.clone()) };
    match (shape(of, config), live, config) {
        (Shape::Map(t), Value::Object(left), Value::Object(right)) => {
            let mut out = Map::new();
            for key in left.keys().chain(right.keys()) {
                if !out.contains_key(key)
                    && let Some(value) = merge(child(t, key), left.get(key), right.get(key))
                {
                    out.insert(key.clone(), value);
                }
            }
            Some(Value::Object(out))
        }
        (Shape::List(t), Value::Array(left), Value::Array(right)) => Some(Value::Array(merge_lists(t, left, right))),
        _ => Some(config.clone()),
    }
}

/// The configuration's order holds among its own; the live object's other items keep their places before what followed them.
fn merge_lists(of: &Type, left: &[Value], right: &[Value]) -> Vec<Value> {
    let (ls, rs) = (steps(of, left), steps(of, right));
    let shared: Vec<&Step> = rs.iter().filter(|s| ls.contains(s)).collect();
    let mut shared = shared.into_iter();
    let mut next = shared.next();
    let mut merged: Vec<&Step> = Vec::new();
    let mut out = Vec::new();
    let take = |step: &Step, value: &Value| {
        let old = ls.iter().position(|s| s == step).map(|i| &left[i]);
        merge(of.items, old, Some(value)).unwrap_or(Value::Null)
    };
    let (mut l, mut r) = (0, 0);
    while l < ls.len() || r < rs.len() {
        if l < ls.len() && r < rs.len() {
            if ls[l] == rs[r] {
                merged.push(&rs[r]);
                out.push(take(&rs[r], &right[r]));
                l += 1;
                r += 1;
                next = shared.next();
                continue;
            }
            if rs.contains(&ls[l]) && next.is_some_and(|n| *n != ls[l]) {
                l += 1;
                continue;
            }
        }
        if l < ls.len() {
            if !rs.contains(&ls[l]) {
                out.push(left[l].clone());
                l += 1;
                continue;
            }
            if merged.contains(&&ls[l]) {
                l += 1;
            }
        }
        if r < rs.len() {
            merged.push(&rs[r]);
            out.push(take(&rs[r], &right[r]));
            if next.is_some_and(|n| *n == rs[r]) {
                next = shared.next();
            }
            r += 1;
        }
    }
    out
}

/// The value without the given fields. What becomes empty by it goes too.
pub(super) fn remove(of: Option<TypeId>, value: &Value, gone: &Fields) -> Value {
    cut(of, value, &mut Path::new(), gone).unwrap_or_else(|| Value::Object(Map::new()))
}

fn cut(of: Option<TypeId>, value: &Value, path: &mut Path, gone: &Fields) -> Option<Value> {
    let below =
        |path: &Path| gone.range(path.clone()..).take_while(|p| p.starts_with(path)).any(|p| p.len() > path.len());
    match (shape(of, value), value) {
        (Shape::Map(t), Value::Object(map)) if !map.is_empty() => {
            let mut out = Map::new();
            for (key, item) in map {
                path.push(Step::field(key));
                if !gone.contains(path) {
                    let kept = if below(path) { cut(child(t, key), item, path, gone) } else { Some(item.clone()) };
                    out.insert(key.clone(), kept.unwrap_or(Value::Null));
                }
                path.pop();
            }
            (!out.is_empty()).then_some(Value::Object(out))
        }
        (Shape::List(t), Value::Array(list)) if !list.is_empty() => {
            let mut out = Vec::new();
            for (item, step) in list.iter().zip(steps(t, list)) {
                path.push(step);
                if !gone.contains(path) {
                    let kept = if below(path) { cut(t.items, item, path, gone) } else { Some(item.clone()) };
                    out.push(kept.unwrap_or(Value::Null));
                }
                path.pop();
            }
            (!out.is_empty()).then_some(Value::Array(out))
        }
        (Shape::Leaf, other) if other.is_object() || other.is_array() => None,
        (_, other) => Some(other.clone()),
    }
}

/// The set with every declared field on the way to its members.
pub(super) fn with_parents(of: Option<TypeId>, set: &Fields) -> Fields {
    let mut out = set.clone();
    for path in set {
        let mut at = of;
        for (depth, step) in path.iter().enumerate() {
            let here = at.map(|id| schemas().get(id));
            at = match step {
                Step::Field(key) => {
                    if named(here, key) && depth + 1 < path.len() {
                        out.insert(path[..=depth].to_vec());
                    }
                    child(here, key)
                }
                Step::Key(_) | Step::Value(_) | Step::Index(_) => here.and_then(|t| t.items),
            };
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fields::show;
    use super::*;
    use crate::store::Resource;

    fn deployment() -> Option<TypeId> {
        schemas().of(Resource::Deployment)
    }

    #[test]
    fn fields_follow_the_schema() {
        let value = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 1, "template": {"spec": {"containers": [
            {"name": "c", "ports": [{"containerPort": 80}], "args": ["x"]}]}}}});
        let shown: Vec<String> = fields(deployment(), &value).iter().map(show).collect();
        assert_eq!(
            shown,
            [
                ".metadata.labels.a",
                ".spec.replicas",
                ".spec.template.spec.containers[name=\"c\"]",
                ".spec.template.spec.containers[name=\"c\"].args",
                ".spec.template.spec.containers[name=\"c\"].name",
                ".spec.template.spec.containers[name=\"c\"].ports[containerPort=80,protocol=\"TCP\"]",
                ".spec.template.spec.containers[name=\"c\"].ports[containerPort=80,protocol=\"TCP\"].containerPort",
            ]
        );
    }

    #[test]
    fn removal_takes_what_it_is_told() {
        let value = json!({"metadata": {"labels": {"a": "1", "b": "2"}}});
        let gone = Fields::from([vec![Step::field("metadata"), Step::field("labels"), Step::field("a")]]);
        assert_eq!(remove(deployment(), &value, &gone), json!({"metadata": {"labels": {"b": "2"}}}));
    }
}
