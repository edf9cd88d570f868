//! What changed between two versions of an object, in a line.

use serde_json::Value;

use super::KindName;

/// Fields that tell a reader of this harness something, by kind. Everything else (heartbeats, conditions' times, container ids) is
/// in the history files, not in the lines.
fn fields(kind: &KindName) -> &'static [&'static str] {
    match kind.kind.as_str() {
        "CiliumNode" => &[
            "/spec/ipam/podCIDRs",
            "/spec/ipam/pools",
            "/status/ipam/operator-status/error",
            "/spec/addresses",
            "/metadata/deletionTimestamp",
        ],
        "Node" => &["/spec/podCIDRs", "/spec/unschedulable", "/spec/taints", "/metadata/deletionTimestamp"],
        "Pod" => &["/spec/nodeName", "/status/phase", "/status/podIPs", "/metadata/deletionTimestamp"],
        "CiliumEndpoint" => &["/status/networking/addressing", "/status/state"],
        "ConfigMap" => &["/data"],
        "Lease" => &["/spec/holderIdentity"],
        _ => &[],
    }
}

/// `spec.ipam.podCIDRs: [10.0.0.0/24] -> [10.224.1.0/24]; ...`. None if nothing that matters changed.
pub(crate) fn describe_change(kind: &KindName, before: Option<&Value>, after: &Value) -> Option<String> {
    let mut parts = Vec::new();
    if kind.kind == "Pod" {
        let ready = |pod: &Value| crate::world::pod_ready(pod);
        let (was, is) = (before.map(ready), ready(after));
        if was != Some(is) && (is || was.is_some()) {
            parts.push(format!("ready: {is}"));
        }
        let restarts = |pod: &Value| crate::world::pod_restarts(pod);
        let was = before.map_or(0, restarts);
        if restarts(after) != was {
            parts.push(format!("restarts: {was} -> {}", restarts(after)));
        }
        let waiting = |pod: &Value| crate::world::pod_waiting(pod);
        if let Some(reason) = waiting(after)
            && before.and_then(waiting).as_ref() != Some(&reason)
        {
            parts.push(format!("waiting: {reason}"));
        }
    }
    for pointer in fields(kind) {
        let (was, is) = (before.and_then(|b| b.pointer(pointer)), after.pointer(pointer));
        if was == is {
            continue;
        }
        let name = pointer.trim_start_matches('/').replace('/', ".");
        if let (Some(Value::Object(was)), Some(Value::Object(is))) = (was, is) {
            let keys: std::collections::BTreeSet<_> = was.keys().chain(is.keys()).collect();
            for key in keys.into_iter().filter(|key| was.get(*key) != is.get(*key)) {
                parts.push(format!("{name}.{key}: {} -> {}", short(was.get(key)), short(is.get(key))));
            }
        } else if matches!((kind.kind.as_str(), was, is), ("ConfigMap", None, Some(_))) {
            parts.push(format!("{name}: {} keys", is.and_then(Value::as_object).map_or(0, serde_json::Map::len)));
        } else {
            match before {
                None => parts.push(format!("{name}: {}", short(is))),
                Some(_) => parts.push(format!("{name}: {} -> {}", short(was), short(is))),
            }
        }
    }
    if parts.is_empty() {
        return before.is_none().then(|| "created".to_owned());
    }
    Some(parts.join("; "))
}

/// A value as people write it: strings bare, lists in brackets, what is missing as `-`.
fn short(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| short(Some(item))).collect();
            format!("[{}]", items.join(" "))
        }
        Some(Value::Object(map)) => match (map.get("ip"), map.get("type"), map.get("key")) {
            (Some(Value::String(ip)), Some(Value::String(kind)), _) => format!("{kind}={ip}"),
            (Some(Value::String(ip)), _, _) => ip.clone(),
            (_, _, Some(Value::String(key))) => key.clone(),
            _ => serde_json::to_string(map).unwrap_or_default(),
        },
        Some(other) => other.to_string(),
    };
    if text.chars().count() > 160 { format!("{}…", text.chars().take(159).collect::<String>()) } else { text }
}

#[cfg(test)]
mod tests;
