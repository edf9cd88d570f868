//! `events.k8s.io/v1`: the stored core events under their newer names.

use serde_json::{Map, Value};

/// Core name and newer name of a field.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

/// A core event as `events.k8s.io/v1` shows it.
pub(super) fn to_new(event: Value) -> Value {
    let Value::Object(map) = event else { return event };
    let mut out: Map<String, Value> = map
        .into_iter()
        .map(|(key, value)| {
            let name = NAMES.iter().find(|(core, _)| *core == key).map_or(key.as_str(), |(_, new)| *new);
            (name.to_owned(), value)
        })
        .collect();
    for key in ["reportingController", "reportingInstance"] {
        if out.get(key).is_some_and(|v| v == "") {
            out.remove(key);
        }
    }
    out.insert("apiVersion".into(), "events.k8s.io/v1".into());
    Value::Object(out)
}

/// As [`to_new`], in a list: there, items do not say what they are.
pub(super) fn to_new_item(event: Value) -> Value {
    let mut event = to_new(event);
    if let Some(map) = event.as_object_mut() {
        map.remove("apiVersion");
        map.remove("kind");
    }
    event
}

/// A newer event as it is stored.
pub(super) fn to_core(event: &mut Value) {
    let Some(map) = event.as_object_mut() else { return };
    for (core, new) in NAMES {
        if let Some(value) = map.remove(new) {
            map.insert(core.to_owned(), value);
        }
    }
    if map.get("apiVersion").is_some_and(|v| v == "events.k8s.io/v1") {
        map.insert("apiVersion".into(), "v1".into());
    }
}
