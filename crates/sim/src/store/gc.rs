//! Garbage collection and the end of namespaces: what follows from a change, done at once and in order.

use jiff::Timestamp;

use super::clock::seconds;
use super::ops::metadata_of;
use super::remove::{self, DeleteOptions};
use super::state::State;
use super::strategy;
use super::{Resource, StoreConfig, Stored};
use crate::tree::{Tree, tree};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// What a change leaves to do.
#[derive(Debug)]
pub(super) enum Work {
    /// It is gone.
    Removed(Stored),
    /// It is being deleted but still there.
    Marked(Stored),
    /// Every owner that it names is absent.
    Orphaned(Stored),
}

/// Does what is to do until nothing is left.
pub(super) fn run(state: &mut State, config: &StoreConfig, now: Timestamp) {
    while let Some(work) = state.work.pop_front() {
        match work {
            Work::Removed(object) => removed(state, config, &object, now),
            Work::Marked(object) => marked(state, config, &object, now),
            Work::Orphaned(object) => {
                if let Some(current) = current(state, &object)
                    && current.meta.owners.iter().all(|o| state.by_uid(&o.uid).is_none())
                    && !current.meta.deleting
                {
                    remove::delete(state, &current, &DeleteOptions::default(), now);
                }
            }
        }
    }
}

/// The object as it is now, if it is still the same one.
fn current(state: &State, object: &Stored) -> Option<Stored> {
    state.by_uid(&object.meta.uid).cloned()
}

fn removed(state: &mut State, config: &StoreConfig, object: &Stored, now: Timestamp) {
    for dependent in state.dependents(&object.meta.uid) {
        let alive = dependent.meta.owners.iter().any(|o| state.by_uid(&o.uid).is_some());
        if alive {
            disown(state, &dependent, &object.meta.uid);
        } else if !dependent.meta.deleting {
            remove::delete(state, &dependent, &DeleteOptions::default(), now);
        }
    }
    for owner in object.meta.owners.iter() {
        if let Some(owner) = state.by_uid(&owner.uid).cloned() {
            finish_foreground(state, config, &owner);
        }
    }
    if !object.meta.namespace.is_empty()
        && state.population(&object.meta.namespace) == 0
        && let Some(namespace) = state.find(Resource::Namespace, "", &object.meta.namespace).cloned()
        && namespace.meta.deleting
    {
        finish_namespace(state, &namespace);
    }
}

fn marked(state: &mut State, config: &StoreConfig, object: &Stored, now: Timestamp) {
    let Some(object) = current(state, object) else { return };
    let has = |f: &str| object.meta.finalizers.iter().any(|x| **x == *f);
    if object.meta.resource == Resource::Namespace {
        empty_namespace(state, &object, now);
    } else if has(ORPHAN) {
        for dependent in state.dependents(&object.meta.uid) {
            disown(state, &dependent, &object.meta.uid);
        }
        remove::release(state, config, &object, ORPHAN);
    } else if has(FOREGROUND) {
        for dependent in state.dependents(&object.meta.uid) {
            let others =
                dependent.meta.owners.iter().any(|o| o.uid != object.meta.uid && state.by_uid(&o.uid).is_some());
            if others {
                disown(state, &dependent, &object.meta.uid);
            } else if !dependent.meta.deleting {
                let options =
                    DeleteOptions { propagation: Some(remove::Propagation::Foreground), ..DeleteOptions::default() };
                // Pods own nothing: foreground would only hold them back.
                let options = if dependent.meta.resource == Resource::Pod { DeleteOptions::default() } else { options };
                remove::delete(state, &dependent, &options, now);
            }
        }
        finish_foreground(state, config, &object);
    }
}

/// Lets an owner go once nothing that blocks it is left.
fn finish_foreground(state: &mut State, config: &StoreConfig, owner: &Stored) {
    let waits = owner.meta.deleting && owner.meta.finalizers.iter().any(|f| **f == *FOREGROUND);
    if !waits {
        return;
    }
    let blocked = state
        .dependents(&owner.meta.uid)
        .iter()
        .any(|d| d.meta.owners.iter().any(|o| o.uid == owner.meta.uid && o.blocks));
    if !blocked {
        remove::release(state, config, owner, FOREGROUND);
    }
}

/// Takes one owner reference away.
fn disown(state: &mut State, dependent: &Stored, owner: &str) {
    let mut value = dependent.tree().clone();
    let metadata = metadata_of(&mut value);
    let mut owners = metadata.get("ownerReferences").and_then(Tree::as_array).cloned().unwrap_or_default();
    owners.retain(|o| o["uid"] != owner);
    if owners.is_empty() {
        metadata.remove("ownerReferences");
    } else {
        metadata.insert("ownerReferences", owners.into());
    }
    state.put(dependent.meta.resource, value, Some(dependent));
}

fn empty_namespace(state: &mut State, namespace: &Stored, now: Timestamp) {
    for resource in Resource::all().filter(|r| r.info().namespaced) {
        let content: Vec<Stored> = state.within(resource, &namespace.meta.name).cloned().collect();
        for object in content.into_iter().filter(|o| !o.meta.deleting) {
            remove::delete(state, &object, &DeleteOptions::default(), now);
        }
    }
    if state.population(&namespace.meta.name) == 0
        && let Some(namespace) = current(state, namespace)
    {
        finish_namespace(state, &namespace);
    }
}

fn finish_namespace(state: &mut State, namespace: &Stored) {
    let mut value = namespace.tree().clone();
    if let Some(spec) = value.get_mut("spec").and_then(Tree::as_object_mut) {
        spec.remove("finalizers");
    }
    let object = state.put(Resource::Namespace, value, Some(namespace));
    if object.meta.finalizers.is_empty() {
        state.take(&object);
    }
}

/// What kube-controller-manager puts into every new namespace.
pub(super) fn furnish_namespace(name: &str, config: &StoreConfig, now: Timestamp) -> [(Resource, Tree); 2] {
    let ca = tree!({
        "metadata": {
            "name": "kube-root-ca.crt",
            "namespace": name,
            "annotations": {"kubernetes.io/description": strategy::ROOT_CA_NOTE},
            "managedFields": [{
                "manager": "kube-controller-manager",
                "operation": "Update",
                "apiVersion": "v1",
                "time": seconds(now),
                "fieldsType": "FieldsV1",
                "fieldsV1": {
                    "f:data": {".": {}, "f:ca.crt": {}},
                    "f:metadata": {"f:annotations": {".": {}, "f:kubernetes.io/description": {}}},
                },
            }],
        },
        "data": {"ca.crt": config.root_ca},
    });
    let account = tree!({"metadata": {"name": "default", "namespace": name}});
    [(Resource::ConfigMap, ca), (Resource::ServiceAccount, account)]
}
