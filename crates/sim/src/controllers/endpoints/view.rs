//! What endpoints take from a pod.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::store::Stored;
use crate::world::or_default;

/// A pod behind a Service.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) node: String,
    /// Its name in DNS, where the Service is its subdomain.
    pub(super) hostname: Option<String>,
    /// It answers, whether or not it is on its way out.
    pub(super) serving: bool,
    pub(super) terminating: bool,
    /// The Service does not ask whether its pods are ready.
    pub(super) published: bool,
    pub(super) target: Value,
    /// The Service's ports as this pod has them: name, number, protocol and application protocol.
    pub(super) ports: Vec<Value>,
}

#[derive(Deserialize)]
struct View {
    #[serde(default, deserialize_with = "or_default")]
    spec: Spec,
    #[serde(default, deserialize_with = "or_default")]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(deserialize_with = "or_default")]
    node_name: String,
    #[serde(deserialize_with = "or_default")]
    hostname: String,
    #[serde(deserialize_with = "or_default")]
    subdomain: String,
    #[serde(deserialize_with = "or_default")]
    containers: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Container {
    #[serde(deserialize_with = "or_default")]
    ports: Vec<Port>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    container_port: i64,
    #[serde(default = "tcp")]
    protocol: String,
}

fn tcp() -> String {
    "TCP".to_owned()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "or_default")]
    phase: String,
    #[serde(rename = "podIPs", deserialize_with = "or_default")]
    ips: Vec<Ip>,
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Ip {
    ip: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

impl Place {
    /// None for a pod that has no address yet, or has ended.
    pub(super) fn of(pod: &Stored, service: &Value) -> Option<Self> {
        let view: View = pod.read().ok()?;
        let addresses: Vec<IpAddr> = view.status.ips.iter().filter_map(|one| one.ip.parse().ok()).collect();
        if addresses.is_empty() || matches!(view.status.phase.as_str(), "Succeeded" | "Failed") {
            return None;
        }
        let serving = view.status.conditions.iter().any(|one| one.kind == "Ready" && one.status == "True");
        let named = !view.spec.hostname.is_empty()
            && service["metadata"]["name"] == view.spec.subdomain
            && service["metadata"]["namespace"] == *pod.meta.namespace;
        let ports = service["spec"]["ports"].as_array().into_iter().flatten();
        let ports = ports.filter_map(|port| resolve(port, &view.spec.containers)).collect();
        Some(Self {
            name: pod.meta.name.to_string(),
            addresses,
            node: view.spec.node_name,
            hostname: named.then_some(view.spec.hostname),
            serving,
            terminating: pod.meta.deleting,
            published: service["spec"]["publishNotReadyAddresses"] == true,
            target: json!({
                "kind": "Pod",
                "name": &*pod.meta.name,
                "namespace": &*pod.meta.namespace,
                "uid": &*pod.meta.uid,
            }),
            ports,
        })
    }

    /// Its first address of a family.
    pub(super) fn address(&self, family: &str) -> Option<IpAddr> {
        self.addresses.iter().copied().find(|ip| ip.is_ipv4() == (family == "IPv4"))
    }
}

/// A Service's port on a pod. A name that the pod has no port for leaves it out.
fn resolve(port: &Value, containers: &[Container]) -> Option<Value> {
    let protocol = port["protocol"].as_str().unwrap_or("TCP");
    let number = match &port["targetPort"] {
        Value::Number(number) => number.as_i64()?,
        Value::String(name) => {
            let mut all = containers.iter().flat_map(|container| &container.ports);
            all.find(|one| one.name == *name && one.protocol == protocol)?.container_port
        }
        _ => port["port"].as_i64()?,
    };
    let mut out = json!({
        "name": port["name"].as_str().unwrap_or_default(),
        "port": number,
        "protocol": protocol,
    });
    if let Some(application) = port["appProtocol"].as_str() {
        out["appProtocol"] = application.into();
    }
    Some(out)
}
