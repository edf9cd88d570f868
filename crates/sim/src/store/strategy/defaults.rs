//! Defaults that the server writes into objects, on create and on update.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{apps, core, pod, service};
use crate::store::Resource;
use crate::tree::{Fields, Tree, tree};

/// Fills in what is not given.
pub(super) fn apply(resource: Resource, object: &mut Tree) {
    match resource {
        Resource::Namespace => core::namespace(object),
        Resource::Node => core::node(object),
        Resource::Pod => pod::defaults(object),
        Resource::Secret => secret(object),
        Resource::Service => service::defaults(object),
        Resource::Endpoints => endpoints(object),
        Resource::Event => core::event(object),
        Resource::Deployment => apps::deployment(object),
        Resource::ReplicaSet => apps::replica_set(object),
        Resource::DaemonSet => apps::daemon_set(object),
        Resource::EndpointSlice => endpoint_slice(object),
        Resource::CustomResourceDefinition => core::crd(object),
        Resource::PodDisruptionBudget => {
            set(
                object,
                "/status",
                || tree!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0}),
            );
        }
        Resource::CiliumNode | Resource::CiliumEndpoint | Resource::CiliumIdentity | Resource::CiliumPodIPPool => {}
        Resource::ConfigMap | Resource::ServiceAccount | Resource::ControllerRevision | Resource::Lease => {}
    }
}

/// Times of conditions that are written even when they are not known.
pub(super) fn condition_times(object: &mut Tree, keys: &[&str]) {
    let list = object.get_mut("status").and_then(|s| s.get_mut("conditions")).and_then(Tree::as_array_mut);
    for condition in list.into_iter().flatten().filter_map(Tree::as_object_mut) {
        for key in keys {
            condition.entry(key).or_insert(Tree::Null);
        }
    }
}

/// Sets what is absent (or null) at a pointer whose parents are objects or absent.
pub(super) fn set(object: &mut Tree, pointer: &str, value: impl FnOnce() -> Tree) {
    let mut at = object;
    for key in pointer.split('/').skip(1) {
        if at.is_null() {
            *at = Tree::Object(Fields::new());
        }
        let Some(map) = at.as_object_mut() else { return };
        at = map.entry(key).or_insert(Tree::Null);
    }
    if at.is_null() {
        *at = value();
    }
}

/// As [`set`], but only where the pointer's parent is there.
pub(super) fn set_within(parent: Option<&mut Tree>, key: &str, value: impl FnOnce() -> Tree) {
    if let Some(map) = parent.and_then(Tree::as_object_mut) {
        let slot = map.entry(key).or_insert(Tree::Null);
        if slot.is_null() {
            *slot = value();
        }
    }
}

fn secret(secret: &mut Tree) {
    set(secret, "/type", || "Opaque".into());
    let Some(map) = secret.as_object_mut() else { return };
    let Some(Tree::Object(plain)) = map.remove("stringData") else { return };
    let data = map.entry("data").or_insert_with(|| tree!({}));
    for (key, value) in plain {
        if let (Some(data), Some(text)) = (data.as_object_mut(), value.as_str()) {
            data.insert(key, STANDARD.encode(text).into());
        }
    }
}

fn endpoints(endpoints: &mut Tree) {
    for subset in endpoints["subsets"].as_array_mut().into_iter().flatten() {
        for port in subset["ports"].as_array_mut().into_iter().flatten() {
            set(port, "/protocol", || "TCP".into());
        }
    }
}

fn endpoint_slice(slice: &mut Tree) {
    for port in slice["ports"].as_array_mut().into_iter().flatten() {
        set(port, "/protocol", || "TCP".into());
        set(port, "/name", || "".into());
    }
}
