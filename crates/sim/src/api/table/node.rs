//! The row of a node.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::age::since;
use super::cells::text;

pub(super) fn cells(node: &Value, now: Timestamp) -> Vec<Value> {
    let status = &node["status"];
    let ready = status["conditions"].as_array().into_iter().flatten().rfind(|c| c["type"] == "Ready");
    let mut words = vec![match ready {
        Some(condition) if condition["status"] == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }];
    if node["spec"]["unschedulable"] == true {
        words.push("SchedulingDisabled");
    }
    let info = &status["nodeInfo"];
    let address = |kind: &str| {
        let list = status["addresses"].as_array().into_iter().flatten();
        let found = list.into_iter().find(|a| a["type"] == kind).and_then(|a| a["address"].as_str());
        Value::from(found.unwrap_or("<none>"))
    };
    let known = |key: &str| match info[key].as_str() {
        Some(text) if !text.is_empty() => Value::from(text),
        _ => Value::from("<unknown>"),
    };
    vec![
        node["metadata"]["name"].clone(),
        words.join(",").into(),
        roles(node).into(),
        since(&node["metadata"]["creationTimestamp"], now).into(),
        text(&info["kubeletVersion"]),
        address("InternalIP"),
        address("ExternalIP"),
        known("osImage"),
        known("kernelVersion"),
        known("containerRuntimeVersion"),
    ]
}

fn roles(node: &Value) -> String {
    let mut roles = BTreeSet::new();
    for (key, value) in node["metadata"]["labels"].as_object().into_iter().flatten() {
        if let Some(role) = key.strip_prefix("node-role.kubernetes.io/").filter(|r| !r.is_empty()) {
            roles.insert(role);
        } else if key == "kubernetes.io/role"
            && let Some(role) = value.as_str().filter(|r| !r.is_empty())
        {
            roles.insert(role);
        }
    }
    if roles.is_empty() {
        return "<none>".into();
    }
    roles.into_iter().collect::<Vec<_>>().join(",")
}
