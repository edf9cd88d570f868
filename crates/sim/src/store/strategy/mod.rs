//! What the server itself puts into, keeps in and demands of each kind: defaults, admission, validation.

mod admission;
mod apps;
mod checks;
mod core;
mod defaults;
mod metadata;
mod pod;
mod service;

use jiff::Timestamp;
use serde_json::Value;

use super::ops::Part;
use super::state::State;
use super::{Cause, Resource, Status, StoreConfig};

use crate::tree::Tree;
pub(super) use admission::admit_namespace;

/// `kubernetes.io/description` of `kube-root-ca.crt`.
pub(super) const ROOT_CA_NOTE: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/// What a strategy may look at.
pub(super) struct Context<'a> {
    pub(super) state: &'a mut State,
    pub(super) config: &'a StoreConfig,
    pub(super) now: Timestamp,
}

/// Brings a new object into the form in which it is stored.
pub(super) fn prepare_create(
    context: &mut Context<'_>,
    resource: Resource,
    object: &mut Tree,
    part: Part,
) -> Result<(), Status> {
    if part != Part::Whole
        && resource.info().status
        && let Some(map) = object.as_object_mut()
    {
        map.remove("status");
    }
    defaults::apply(resource, object);
    match resource {
        Resource::Pod => {
            admission::pod(context, object)?;
            pod::initial_status(object);
        }
        Resource::Service => service::allocate(context, object, None)?,
        Resource::CustomResourceDefinition => core::crd_status(context, object),
        _ => {}
    }
    Ok(())
}

/// Brings a changed object into the form in which it is stored: keeps of the old one what this part may not change.
pub(super) fn prepare_update(
    context: &mut Context<'_>,
    resource: Resource,
    object: &mut Tree,
    old: &Tree,
    part: Part,
) -> Result<(), Status> {
    if part == Part::Whole {
        return Ok(());
    }
    keep_part(resource, object, old, part);
    defaults::apply(resource, object);
    if resource == Resource::Service && part == Part::Main {
        service::allocate(context, object, Some(old))?;
    }
    match resource {
        Resource::Pod => pod::keep_old(object, old),
        Resource::DaemonSet => apps::template_generation(object, old),
        _ => {}
    }
    Ok(())
}

/// Fills in what is not given, as every write through the API does.
pub(crate) fn defaults(resource: Resource, object: &mut Value) {
    let mut tree = Tree::from(std::mem::take(object));
    defaults::apply(resource, &mut tree);
    *object = tree.into();
}

/// Puts back what a write of this part does not change.
pub(crate) fn keep(resource: Resource, object: &mut Value, old: &Value, part: Part) {
    let mut tree = Tree::from(std::mem::take(object));
    keep_part(resource, &mut tree, &Tree::from(old.clone()), part);
    *object = tree.into();
}

fn keep_part(resource: Resource, object: &mut Tree, old: &Tree, part: Part) {
    let info = resource.info();
    match part {
        Part::Whole => {}
        Part::Main if info.status => keep_field(object, old, "status"),
        Part::Main => {}
        Part::Status => {
            let status = object.get("status").cloned();
            let metadata = object["metadata"].clone();
            *object = old.clone();
            match status {
                Some(status) => object["status"] = status,
                None => {
                    if let Some(map) = object.as_object_mut() {
                        map.remove("status");
                    }
                }
            }
            if info.custom || info.group == "apps" {
                object["metadata"]["managedFields"] = metadata["managedFields"].clone();
            } else {
                object["metadata"] = metadata;
            }
            if object["metadata"]["managedFields"].is_null()
                && let Some(map) = object["metadata"].as_object_mut()
            {
                map.remove("managedFields");
            }
        }
    }
}

fn keep_field(object: &mut Tree, old: &Tree, key: &str) {
    if let Some(map) = object.as_object_mut() {
        match old.get(key) {
            Some(value) => map.insert(key, value.clone()),
            None => map.remove(key),
        };
    }
}

/// Every fault of an object; `old` on an update.
pub(super) fn validate(resource: Resource, object: &Tree, old: Option<&Tree>) -> Vec<Cause> {
    let mut causes = metadata::validate(resource, object, old);
    causes.extend(checks::validate(resource, object, old));
    causes
}

/// Whether `metadata.generation` moves on.
pub(super) fn spec_changed(resource: Resource, old: &Tree, new: &Tree) -> bool {
    if !resource.info().custom {
        return old.get("spec") != new.get("spec");
    }
    let status = resource.info().status;
    let counted = |tree: &Tree| {
        let fields = tree.as_object().cloned().unwrap_or_default().into_iter();
        fields.filter(move |(key, _)| key != "metadata" && !(status && key == "status"))
    };
    counted(old).ne(counted(new))
}
