//! Deployments: ReplicaSets by template, rolled one into the other.

mod replicas;
mod roll;
mod status;

use std::collections::{BTreeMap, BTreeSet};

use crate::store::{Change, ChangeKind, Resource, Stored};
use crate::tree::Tree;
use crate::world::{Context, Key, Name, Task};

/// The annotation that numbers a Deployment's ReplicaSets.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";
/// The Deployment's size when its ReplicaSet was last written.
pub(crate) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// The most pods that it may have while rolling.
pub(crate) const MOST: &str = "deployment.kubernetes.io/max-replicas";

/// The controller.
#[derive(Debug, Default)]
pub(crate) struct Deployments {
    by_uid: BTreeMap<Name, Key>,
    queued: BTreeSet<Key>,
}

/// A ReplicaSet of a Deployment, read.
#[derive(Debug)]
pub(crate) struct Replicas {
    pub(crate) object: Stored,
    pub(crate) value: Tree,
}

impl Replicas {
    fn wanted(&self) -> usize {
        count(&self.value["spec"]["replicas"])
    }

    fn present(&self) -> usize {
        count(&self.value["status"]["replicas"])
    }

    fn ready(&self) -> usize {
        count(&self.value["status"]["readyReplicas"])
    }

    fn available(&self) -> usize {
        count(&self.value["status"]["availableReplicas"])
    }

    fn revision(&self) -> u64 {
        self.value["metadata"]["annotations"][REVISION].as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}

fn count(value: &Tree) -> usize {
    value.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or_default()
}

impl Deployments {
    pub(crate) fn changed(&mut self, cx: &mut Context, change: &Change) {
        let key = Key::of(&change.object);
        if change.kind == ChangeKind::Deleted {
            self.by_uid.remove(&*change.object.meta.uid);
            return;
        }
        self.by_uid.insert((*change.object.meta.uid).into(), key.clone());
        let seen = change.previous.as_ref().is_some_and(|old| old.meta.generation == change.object.meta.generation);
        if !seen {
            self.enqueue(cx, key);
        }
    }

    /// A ReplicaSet has changed.
    pub(crate) fn replica_set_changed(&mut self, cx: &mut Context, change: &Change) {
        if let Some(key) = change.object.meta.controller().and_then(|owner| self.by_uid.get(owner)).cloned() {
            self.enqueue(cx, key);
        }
    }

    /// A pod of a ReplicaSet is gone: a Deployment of type Recreate may be waiting for that.
    pub(crate) fn pod_gone(&mut self, cx: &mut Context, replica_set: &str) {
        let Some(set) = cx.store.find_uid(replica_set) else { return };
        if let Some(key) = set.meta.controller().and_then(|owner| self.by_uid.get(owner)).cloned() {
            self.enqueue(cx, key);
        }
    }

    fn enqueue(&mut self, cx: &mut Context, key: Key) {
        if self.queued.insert(key.clone()) {
            let span = cx.pace.reconcile;
            cx.later(span, Task::Deployment(key));
        }
    }

    pub(crate) fn reconcile(&mut self, cx: &mut Context, pods: &super::pods::Pods, key: &Key) {
        self.queued.remove(key);
        let Some(object) = cx.store.find(Resource::Deployment, &key.namespace, &key.name) else { return };
        let value = object.tree();
        let sets = replicas::of(cx, &object);
        if object.meta.deleting {
            status::write(cx, key, &object, value, &sets, None);
            return;
        }
        if value["spec"]["paused"] == true {
            roll::scale_proportionally(cx, value, &sets);
            status::write(cx, key, &object, value, &sets, None);
            return;
        }
        let current = replicas::current(cx, &object, value, &sets);
        let sets = replicas::of(cx, &object);
        if roll::is_scaling(value, &sets) {
            roll::scale_proportionally(cx, value, &sets);
        } else if value["spec"]["strategy"]["type"] == "Recreate" {
            roll::recreate(cx, pods, value, &sets, current.as_deref());
        } else {
            roll::rolling(cx, value, &sets, current.as_deref());
        }
        let sets = replicas::of(cx, &object);
        if let Some(wait) = status::write(cx, key, &object, value, &sets, current.as_deref()) {
            cx.timers.after(wait, Task::Deployment(key.clone()));
        }
        replicas::forget_old(cx, value, &sets, current.as_deref());
    }
}
