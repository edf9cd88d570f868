//! EndpointSlices: a Service's endpoints in portions, one row of them for each family and set of ports.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::is_headless;
use super::subsets::{HEADLESS, TRIGGER};
use super::view::Place;
use crate::controllers::template::controller_reference;
use crate::store::{DeleteOptions, Resource, Stored, WriteOptions};
use crate::tree::Tree;
use crate::world::Context;

/// The most endpoints of a slice (`--max-endpoints-per-slice`).
const MOST: usize = 100;
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const CONTROLLER: &str = "endpointslice-controller.k8s.io";
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Family and ports: what all endpoints of a slice have in common.
type Sort = (String, String);

/// Writes what has changed. An endpoint stays in the slice where it is.
pub(super) fn write(cx: &Context, service: &Stored, value: &Value, places: &[Place]) {
    let mut wanted = wanted(value, places);
    let labels = labels(service, value);
    let mut own: Vec<Stored> = cx
        .store
        .owned_by(&service.meta.uid)
        .into_iter()
        .filter(|one| one.meta.resource == Resource::EndpointSlice && one.meta.label(MANAGED_BY) == Some(CONTROLLER))
        .collect();
    own.sort_by(|one, other| one.meta.name.cmp(&other.meta.name));
    let mut kept: Vec<(Stored, Value, Sort)> = own
        .into_iter()
        .map(|slice| {
            let value = slice.value();
            let sort = sort(value["addressType"].as_str().unwrap_or_default(), &value["ports"]);
            (slice, value, sort)
        })
        .collect();
    // First, every slice keeps those of its endpoints that are still wanted.
    let mut portions: Vec<Vec<Value>> = Vec::new();
    for (_, value, sort) in &kept {
        let mut portion = Vec::new();
        if let Some(group) = wanted.get_mut(sort) {
            for old in value["endpoints"].as_array().into_iter().flatten() {
                let uid = old["targetRef"]["uid"].as_str().unwrap_or_default();
                portion.extend(group.endpoints.remove(uid));
            }
        }
        portions.push(portion);
    }
    // Then what is new goes where there is room.
    for ((_, _, sort), portion) in kept.iter().zip(&mut portions) {
        let Some(group) = wanted.get_mut(sort) else { continue };
        while portion.len() < MOST
            && let Some((_, endpoint)) = group.endpoints.pop_first()
        {
            portion.push(endpoint);
        }
        group.seated |= !portion.is_empty();
    }
    // A slice that is not needed any more becomes one that is.
    let mut spare: Vec<(Stored, String)> = Vec::new();
    for ((slice, value, sort), portion) in kept.drain(..).zip(portions) {
        let placeholder = portion.is_empty() && wanted.get_mut(&sort).is_some_and(Group::takes_placeholder);
        if portion.is_empty() && !placeholder {
            spare.push((slice, sort.0));
        } else {
            update(cx, &slice, &labels, &value["ports"], portion);
        }
    }
    for ((family, _), mut group) in wanted {
        while !group.endpoints.is_empty() || group.takes_placeholder() {
            let mut portion = Vec::new();
            while portion.len() < MOST
                && let Some((_, endpoint)) = group.endpoints.pop_first()
            {
                portion.push(endpoint);
            }
            group.seated = true;
            let ports = if group.ports.is_empty() { Value::Null } else { group.ports.clone().into() };
            match spare.iter().position(|(_, of)| *of == family) {
                Some(at) => update(cx, &spare.remove(at).0, &labels, &ports, portion),
                None => create(cx, service, &labels, &family, ports, portion),
            }
        }
    }
    for (slice, _) in spare {
        // Somebody else may have been faster.
        let _ = cx.store.delete(
            Resource::EndpointSlice,
            &slice.meta.namespace,
            &slice.meta.name,
            &DeleteOptions::default(),
        );
    }
}

/// Endpoints that share a slice, by the UID of their pods.
#[derive(Debug, Default)]
struct Group {
    ports: Vec<Value>,
    endpoints: BTreeMap<String, Value>,
    /// A family without any endpoint still has one slice, an empty one.
    placeholder: bool,
    seated: bool,
}

impl Group {
    fn takes_placeholder(&mut self) -> bool {
        self.placeholder && !std::mem::replace(&mut self.seated, true)
    }
}

fn sort(family: &str, ports: &Value) -> Sort {
    (
        family.to_owned(),
        ports.as_array().filter(|list| !list.is_empty()).map_or_else(String::new, |list| json!(list).to_string()),
    )
}

fn wanted(service: &Value, places: &[Place]) -> BTreeMap<Sort, Group> {
    let families: Vec<&str> = match service["spec"]["ipFamilies"].as_array() {
        Some(list) => list.iter().filter_map(Value::as_str).collect(),
        None => vec!["IPv4"],
    };
    let mut out: BTreeMap<Sort, Group> = BTreeMap::new();
    for family in families {
        let mut empty = true;
        for place in places {
            let Some(ip) = place.address(family) else { continue };
            empty = false;
            let group = out.entry(sort(family, &json!(place.ports))).or_default();
            group.ports.clone_from(&place.ports);
            let uid = place.target["uid"].as_str().unwrap_or_default().to_owned();
            group.endpoints.insert(uid, endpoint(place, &ip.to_string()));
        }
        if empty {
            out.entry(sort(family, &Value::Null)).or_default().placeholder = true;
        }
    }
    out
}

fn endpoint(place: &Place, ip: &str) -> Value {
    let mut out = json!({
        "addresses": [ip],
        "conditions": {
            "ready": place.published || (place.serving && !place.terminating),
            "serving": place.published || place.serving,
            "terminating": place.terminating,
        },
        "nodeName": place.node,
        "targetRef": place.target,
    });
    if let Some(hostname) = &place.hostname {
        out["hostname"] = hostname.clone().into();
    }
    out
}

fn labels(service: &Stored, value: &Value) -> Map<String, Value> {
    let mut labels = value["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    labels.insert(MANAGED_BY.to_owned(), CONTROLLER.into());
    labels.insert(SERVICE_NAME.to_owned(), (*service.meta.name).into());
    if is_headless(value) {
        labels.insert(HEADLESS.to_owned(), "".into());
    }
    labels
}

fn create(
    cx: &Context,
    service: &Stored,
    labels: &Map<String, Value>,
    family: &str,
    ports: Value,
    portion: Vec<Value>,
) {
    let mut metadata = json!({
        "generateName": format!("{}-", service.meta.name),
        "labels": labels,
        "ownerReferences": [controller_reference(service)],
    });
    if !portion.is_empty() {
        metadata["annotations"] = json!({TRIGGER: cx.stamp()});
    }
    let slice = json!({
        "metadata": metadata,
        "addressType": family,
        "endpoints": or_null(portion),
        "ports": ports,
    });
    // In a namespace that is going nothing can be made any more.
    let _ = cx.store.create(Resource::EndpointSlice, &service.meta.namespace, slice, &WriteOptions::default());
}

/// Nothing, as Go writes it.
fn or_null(list: Vec<Value>) -> Value {
    if list.is_empty() { Value::Null } else { list.into() }
}

fn update(cx: &Context, slice: &Stored, labels: &Map<String, Value>, ports: &Value, portion: Vec<Value>) {
    let now = cx.stamp();
    let (labels, ports) = (Tree::from(labels.clone()), Tree::from(ports.clone()));
    let endpoints = Tree::from(or_null(portion));
    let change = |object: &mut Tree| {
        let same = object["endpoints"] == endpoints && object["ports"] == ports;
        if same && object["metadata"]["labels"] == labels {
            return;
        }
        object["metadata"]["labels"] = labels;
        object["metadata"]["annotations"][TRIGGER] = now.into();
        object["endpoints"] = endpoints;
        object["ports"] = ports;
    };
    // Whoever deleted it meanwhile told everybody.
    let _ = cx.store.mutate(Resource::EndpointSlice, &slice.meta.namespace, &slice.meta.name, change);
}
