//! The cells of built-in kinds.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age::since;
use super::{node, pod, service};
use crate::store::Resource;

/// The cells of an object, in the order of its columns.
pub(super) fn of(resource: Resource, object: &Value, now: Timestamp) -> Vec<Value> {
    let metadata = &object["metadata"];
    let name = || metadata["name"].clone();
    let age = || Value::from(since(&metadata["creationTimestamp"], now));
    let count = |key: &str| size(&object[key]);
    let spec = &object["spec"];
    let status = &object["status"];
    match resource {
        Resource::Namespace => vec![name(), text(&status["phase"]), age()],
        Resource::Node => node::cells(object, now),
        Resource::Pod => pod::cells(object, now),
        Resource::ConfigMap => vec![name(), (count("data") + count("binaryData")).into(), age()],
        Resource::Secret => vec![name(), text(&object["type"]), count("data").into(), age()],
        Resource::Service => service::cells(object, now),
        Resource::Endpoints => vec![name(), service::endpoints(object).into(), age()],
        Resource::Event => event(object, now),
        Resource::ServiceAccount => vec![name(), count("secrets").into(), age()],
        Resource::Deployment => {
            let ready = format!("{}/{}", number(&status["readyReplicas"]), number(&spec["replicas"]));
            let (names, images) = containers(object);
            let selector = selector(&spec["selector"]);
            let updated = number(&status["updatedReplicas"]).into();
            let available = number(&status["availableReplicas"]).into();
            vec![name(), ready.into(), updated, available, age(), names, images, selector.into()]
        }
        Resource::ReplicaSet => {
            let (names, images) = containers(object);
            vec![
                name(),
                number(&spec["replicas"]).into(),
                number(&status["replicas"]).into(),
                number(&status["readyReplicas"]).into(),
                age(),
                names,
                images,
                selector(&spec["selector"]).into(),
            ]
        }
        Resource::DaemonSet => {
            let (names, images) = containers(object);
            let on = labels(&spec["template"]["spec"]["nodeSelector"]);
            vec![
                name(),
                number(&status["desiredNumberScheduled"]).into(),
                number(&status["currentNumberScheduled"]).into(),
                number(&status["numberReady"]).into(),
                number(&status["updatedNumberScheduled"]).into(),
                number(&status["numberAvailable"]).into(),
                on.into(),
                age(),
                names,
                images,
                selector(&spec["selector"]).into(),
            ]
        }
        Resource::ControllerRevision => {
            let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
            let owner = owners.filter(|o| o["controller"] == true).map(controller).next();
            vec![name(), owner.unwrap_or_else(|| "<none>".into()).into(), number(&object["revision"]).into(), age()]
        }
        Resource::Lease => vec![name(), text(&spec["holderIdentity"]), age()],
        Resource::EndpointSlice => {
            vec![
                name(),
                text(&object["addressType"]),
                service::slice_ports(object),
                service::slice_endpoints(object),
                age(),
            ]
        }
        Resource::PodDisruptionBudget => {
            let amount = |key: &str| match &spec[key] {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => "N/A".to_owned(),
            };
            let allowed = number(&status["disruptionsAllowed"]);
            vec![name(), amount("minAvailable").into(), amount("maxUnavailable").into(), allowed.into(), age()]
        }
        Resource::CustomResourceDefinition
        | Resource::CiliumNode
        | Resource::CiliumEndpoint
        | Resource::CiliumIdentity
        | Resource::CiliumPodIPPool => vec![name(), metadata["creationTimestamp"].clone()],
    }
}

/// `daemonset.apps/cilium`.
fn controller(owner: &Value) -> String {
    let kind = owner["kind"].as_str().unwrap_or_default().to_lowercase();
    let name = owner["name"].as_str().unwrap_or_default();
    match owner["apiVersion"].as_str().unwrap_or_default().split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{name}"),
        None => format!("{kind}/{name}"),
    }
}

fn event(event: &Value, now: Timestamp) -> Vec<Value> {
    let first = match &event["firstTimestamp"] {
        Value::Null => since(&event["eventTime"], now),
        time => since(time, now),
    };
    let mut last = match &event["lastTimestamp"] {
        Value::Null => first.clone(),
        time => since(time, now),
    };
    let mut count = number(&event["count"]).max(1);
    if event["series"].is_object() {
        last = since(&event["series"]["lastObservedTime"], now);
        count = number(&event["series"]["count"]);
    }
    let about = &event["involvedObject"];
    let kind = about["kind"].as_str().unwrap_or_default().to_lowercase();
    let target = match about["name"].as_str().filter(|n| !n.is_empty()) {
        Some(name) => format!("{kind}/{name}"),
        None => kind,
    };
    let or = |a: &Value, b: &Value| -> String {
        let first = a.as_str().filter(|t| !t.is_empty());
        first.or(b.as_str()).unwrap_or_default().to_owned()
    };
    let component = or(&event["source"]["component"], &event["reportingComponent"]);
    let instance = or(&event["source"]["host"], &event["reportingInstance"]);
    let source = if instance.is_empty() { component } else { format!("{component}, {instance}") };
    vec![
        last.into(),
        text(&event["type"]),
        text(&event["reason"]),
        target.into(),
        text(&about["fieldPath"]),
        source.into(),
        event["message"].as_str().unwrap_or_default().trim().into(),
        first.into(),
        count.into(),
        event["metadata"]["name"].clone(),
    ]
}

/// A text, empty where there is none.
pub(super) fn text(value: &Value) -> Value {
    json!(value.as_str().unwrap_or_default())
}

pub(super) fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn size(value: &Value) -> usize {
    value.as_object().map(serde_json::Map::len).or(value.as_array().map(Vec::len)).unwrap_or_default()
}

fn containers(object: &Value) -> (Value, Value) {
    let list = object["spec"]["template"]["spec"]["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let join = |key: &str| list.iter().map(|c| c[key].as_str().unwrap_or_default()).collect::<Vec<_>>().join(",");
    (join("name").into(), join("image").into())
}

/// `a=b,c=d`, `<none>` when empty.
pub(super) fn labels(map: &Value) -> String {
    let terms: Vec<String> =
        map.as_object().into_iter().flatten().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect();
    if terms.is_empty() { "<none>".into() } else { terms.join(",") }
}

/// A label selector as a string.
pub(super) fn selector(selector: &Value) -> String {
    let mut terms: Vec<(String, String)> = Vec::new();
    for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
        terms.push((key.clone(), format!("{key}={}", value.as_str().unwrap_or_default())));
    }
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = expression["key"].as_str().unwrap_or_default();
        let values: Vec<&str> =
            expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let values = values.join(",");
        let shown = match expression["operator"].as_str().unwrap_or_default() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        };
        terms.push((key.to_owned(), shown));
    }
    terms.sort();
    if terms.is_empty() {
        return "<none>".into();
    }
    terms.into_iter().map(|(_, shown)| shown).collect::<Vec<_>>().join(",")
}
