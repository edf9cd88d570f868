//! Endpoints, the older of the two kinds: one object for each Service.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::is_headless;
use super::view::Place;
use crate::store::{Resource, Stored, WriteOptions};
use crate::tree::Tree;
use crate::world::Context;

/// When the last pod changed, for those who measure how long it took.
pub(super) const TRIGGER: &str = "endpoints.kubernetes.io/last-change-trigger-time";
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
pub(super) const HEADLESS: &str = "service.kubernetes.io/headless";

/// Writes the object, or leaves it as it is where nothing has changed.
pub(super) fn write(cx: &Context, service: &Stored, value: &Value, places: &[Place]) {
    let subsets = subsets(value, places);
    let mut labels = value["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    if is_headless(value) {
        labels.insert(HEADLESS.to_owned(), "".into());
    }
    labels.insert(MANAGED_BY.to_owned(), "endpoint-controller".into());
    let (namespace, name) = (&*service.meta.namespace, &*service.meta.name);
    let now = cx.stamp();
    if cx.store.find(Resource::Endpoints, namespace, name).is_none() {
        let mut object = json!({"metadata": {"name": name, "labels": labels}});
        if !places.is_empty() {
            object["metadata"]["annotations"] = json!({TRIGGER: now});
        }
        if !subsets.is_empty() {
            object["subsets"] = subsets.into();
        }
        // In a namespace that is going nothing can be made any more.
        let _ = cx.store.create(Resource::Endpoints, namespace, object, &WriteOptions::default());
        return;
    }
    let (empty, wanted) = (subsets.is_empty(), Tree::from(Value::from(subsets)));
    let labels = Tree::from(labels);
    let change = |object: &mut Tree| {
        let same = if empty { object["subsets"].is_null() } else { object["subsets"] == wanted };
        if same && object["metadata"]["labels"] == labels {
            return;
        }
        object["metadata"]["labels"] = labels;
        object["metadata"]["annotations"][TRIGGER] = now.into();
        if empty {
            object.as_object_mut().map(|object| object.remove("subsets"));
        } else {
            object["subsets"] = wanted;
        }
    };
    // Whoever deleted it meanwhile told everybody.
    let _ = cx.store.mutate(Resource::Endpoints, namespace, name, change);
}

/// Pods with the same ports, ready and not ready.
#[derive(Default)]
struct Group {
    ready: Vec<(IpAddr, Value)>,
    unready: Vec<(IpAddr, Value)>,
    ports: Vec<Value>,
}

fn subsets(service: &Value, places: &[Place]) -> Vec<Value> {
    let family = service["spec"]["ipFamilies"][0].as_str().unwrap_or("IPv4");
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for place in places.iter().filter(|place| !place.terminating || place.published) {
        let Some(ip) = place.address(family) else { continue };
        // A Service that has ports shows only pods that have one of them.
        let asks = service["spec"]["ports"].as_array().is_some_and(|list| !list.is_empty());
        if asks && place.ports.is_empty() {
            continue;
        }
        let ports = ports(&place.ports);
        let group = groups.entry(Value::from(ports.clone()).to_string()).or_default();
        group.ports = ports;
        let ready = place.published || place.serving;
        let list = if ready { &mut group.ready } else { &mut group.unready };
        list.push((ip, address(place, ip)));
    }
    groups.into_values().map(subset).collect()
}

fn subset(mut group: Group) -> Value {
    let mut out = Map::new();
    for (field, list) in [("addresses", &mut group.ready), ("notReadyAddresses", &mut group.unready)] {
        list.sort_by_key(|(ip, _)| *ip);
        if !list.is_empty() {
            out.insert(field.to_owned(), list.iter().map(|(_, value)| value.clone()).collect());
        }
    }
    if !group.ports.is_empty() {
        out.insert("ports".to_owned(), group.ports.into());
    }
    out.into()
}

/// Ports as this kind has them: a port without a name has no such field.
fn ports(all: &[Value]) -> Vec<Value> {
    let mut out: Vec<Value> = all.to_vec();
    for port in &mut out {
        if port["name"] == ""
            && let Some(map) = port.as_object_mut()
        {
            map.remove("name");
        }
    }
    out.sort_by_cached_key(Value::to_string);
    out
}

fn address(place: &Place, ip: IpAddr) -> Value {
    let mut out = json!({"ip": ip.to_string(), "nodeName": place.node, "targetRef": place.target});
    if let Some(hostname) = &place.hostname {
        out["hostname"] = hostname.clone().into();
    }
    out
}

/// What the API server says of itself: the endpoints of Service `kubernetes`, which selects nothing.
pub(crate) fn of_api_server(cx: &Context, address: IpAddr) {
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let port = json!({"name": "https", "port": 6443, "protocol": "TCP"});
    let both = [
        (
            Resource::Endpoints,
            json!({
                "metadata": {"name": "kubernetes", "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
                "subsets": [{"addresses": [{"ip": address.to_string()}], "ports": [port]}],
            }),
        ),
        (
            Resource::EndpointSlice,
            json!({
                "metadata": {"name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}},
                "addressType": family,
                "endpoints": [{"addresses": [address.to_string()], "conditions": {"ready": true}}],
                "ports": [port],
            }),
        ),
    ];
    for (resource, object) in both {
        if cx.store.find(resource, "default", "kubernetes").is_none() {
            // It was looked for just now.
            let _ = cx.store.create(resource, "default", object, &WriteOptions::default());
        }
    }
}
