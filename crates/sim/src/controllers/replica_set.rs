//! ReplicaSets: so many pods of one template.

use std::collections::{BTreeMap, BTreeSet};

use super::pods::{PodFacts, Pods};
use super::template;
use crate::store::{Change, ChangeKind, DeleteOptions, Resource, Stored, WriteOptions};
use crate::tree::Tree;
use crate::world::{Context, Key, Name, Note, Source, Task};

/// The most that one round creates or deletes (pkg/controller/replicaset, `BurstReplicas`).
const BURST: usize = 500;

/// The controller.
#[derive(Debug, Default)]
pub(crate) struct ReplicaSets {
    by_uid: BTreeMap<Name, Key>,
    queued: BTreeSet<Key>,
}

impl ReplicaSets {
    pub(crate) fn changed(&mut self, cx: &mut Context, change: &Change) {
        let key = Key::of(&change.object);
        if change.kind == ChangeKind::Deleted {
            self.by_uid.remove(&*change.object.meta.uid);
            return;
        }
        self.by_uid.insert((*change.object.meta.uid).into(), key.clone());
        // Its own status writes are no reason to look again.
        let seen = change.previous.as_ref().is_some_and(|old| {
            old.meta.generation == change.object.meta.generation && old.meta.deleting == change.object.meta.deleting
        });
        if !seen {
            self.enqueue(cx, key);
        }
    }

    /// A pod of this owner has changed.
    pub(crate) fn pod_changed(&mut self, cx: &mut Context, owner: &str) {
        if let Some(key) = self.by_uid.get(owner).cloned() {
            self.enqueue(cx, key);
        }
    }

    fn enqueue(&mut self, cx: &mut Context, key: Key) {
        if self.queued.insert(key.clone()) {
            let span = cx.pace.reconcile;
            cx.later(span, Task::ReplicaSet(key));
        }
    }

    pub(crate) fn reconcile(&mut self, cx: &mut Context, pods: &Pods, key: Key) {
        self.queued.remove(&key);
        let Some(object) = cx.store.find(Resource::ReplicaSet, &key.namespace, &key.name) else { return };
        let set = object.tree();
        let wanted = usize::try_from(set["spec"]["replicas"].as_u64().unwrap_or(1)).unwrap_or_default();
        let active = pods.family(&object.meta.uid).map_or(0, |family| family.active);
        let mut created = 0;
        if !object.meta.deleting {
            if active < wanted {
                created = create(cx, &object, set, (wanted - active).min(BURST));
                if wanted - active > BURST {
                    self.enqueue(cx, key.clone());
                }
            } else if active > wanted {
                delete(cx, &object, pods, active - wanted);
            }
        }
        self.write_status(cx, &object, set, pods, &key, active, created);
    }

    #[expect(clippy::too_many_arguments, reason = "one call, kept apart for its length")]
    fn write_status(
        &mut self,
        cx: &mut Context,
        object: &Stored,
        set: &Tree,
        pods: &Pods,
        key: &Key,
        active: usize,
        created: usize,
    ) {
        let ready = pods.family(&object.meta.uid).map_or(0, |family| family.ready);
        let least = set["spec"]["minReadySeconds"].as_i64().unwrap_or_default();
        let (available, wait) = available(cx, pods, &object.meta.uid, ready, least);
        if let Some(seconds) = wait {
            self.queued.insert(key.clone());
            cx.timers.after(std::time::Duration::from_secs(seconds), Task::ReplicaSet(key.clone()));
        }
        let generation = object.meta.generation;
        cx.change(Resource::ReplicaSet, key, |set| {
            let status = &mut set["status"];
            for (field, count) in
                [("fullyLabeledReplicas", active + created), ("readyReplicas", ready), ("availableReplicas", available)]
            {
                if count == 0 {
                    status.as_object_mut().map(|status| status.remove(field));
                } else {
                    status[field] = count.into();
                }
            }
            status["replicas"] = (active + created).into();
            status["observedGeneration"] = generation.into();
        });
    }
}

/// How many have been ready for long enough, and in how many seconds to look again.
pub(crate) fn available(cx: &Context, pods: &Pods, owner: &str, ready: usize, least: i64) -> (usize, Option<u64>) {
    if least <= 0 {
        return (ready, None);
    }
    let now = cx.store.now();
    let (mut count, mut next) = (0, None);
    for since in pods.of(owner).filter(|pod| pod.active()).filter_map(|pod| pod.ready) {
        let left = least - now.duration_since(since).as_secs();
        if left <= 0 {
            count += 1;
        } else {
            next = Some(next.map_or(left, |next: i64| next.min(left)));
        }
    }
    (count, next.and_then(|seconds| u64::try_from(seconds).ok()))
}

fn create(cx: &mut Context, object: &Stored, set: &Tree, count: usize) -> usize {
    let mut created = 0;
    let source = Source { component: "replicaset-controller", host: "" };
    for _ in 0..count {
        let pod = template::pod(object, &set["spec"]["template"]);
        match cx.store.create(Resource::Pod, &object.meta.namespace, pod, &WriteOptions::default()) {
            Ok(pod) => {
                created += 1;
                let note = Note::normal("SuccessfulCreate", format!("Created pod: {}", pod.meta.name));
                cx.events.write(&cx.store, object, source, note);
            }
            Err(status) => {
                let note = Note::warning("FailedCreate", format!("Error creating: {status}"));
                cx.events.write(&cx.store, object, source, note);
                break;
            }
        }
    }
    created
}

fn delete(cx: &mut Context, object: &Stored, pods: &Pods, count: usize) {
    let mut candidates: Vec<&PodFacts> = pods.of(&object.meta.uid).filter(|pod| pod.active()).collect();
    // Who is missed least goes first: unbound, not running, not ready, ready for a short time, young
    // (pkg/controller, ActivePodsWithRanks).
    candidates.sort_by_key(|pod| {
        let since = pod.ready.map(|at| std::cmp::Reverse(at.as_second()));
        let created = pod.created.map(|at| std::cmp::Reverse(at.as_second()));
        (pod.node.is_some(), pod.running, pod.ready.is_some(), since, created, pod.uid.clone())
    });
    let source = Source { component: "replicaset-controller", host: "" };
    for pod in candidates.into_iter().take(count.min(BURST)) {
        let gone = cx.store.delete(Resource::Pod, &pod.key.namespace, &pod.key.name, &DeleteOptions::default());
        if gone.is_ok() {
            let note = Note::normal("SuccessfulDelete", format!("Deleted pod: {}", pod.key.name));
            cx.events.write(&cx.store, object, source, note);
        }
    }
}
