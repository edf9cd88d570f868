//! DaemonSets: one pod on every node that takes it.
//!
//! Nodes are looked at one by one as they or their pods change, never all of them for one change: with 5,000 nodes that would be 25
//! million looks for a single roll-out.

mod read;
mod revision;

use std::collections::{BTreeMap, BTreeSet};

use super::nodes::{NodeFacts, Nodes};
use super::pods::{PodFacts, Pods};
use super::taints::repelled;
use super::template;
use crate::store::{Change, ChangeKind, DeleteOptions, Resource, Stored, WriteOptions};
use crate::tree::{Tree, tree};
use crate::world::{Context, Key, Name, Note, Source, Task};
use read::Wanted;

/// The label that says which template a pod is of.
const REVISION_LABEL: &str = "controller-revision-hash";
/// The most that one round creates (pkg/controller/daemon, `BurstReplicas`).
const BURST: usize = 250;

/// What one node has of a DaemonSet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Seat {
    should: bool,
    /// It has a pod, terminating ones included.
    taken: bool,
    scheduled: bool,
    ready: bool,
    updated: bool,
}

#[derive(Debug)]
struct Set {
    key: Key,
    object: Stored,
    wanted: Wanted,
    hash: String,
    seats: BTreeMap<Name, Seat>,
    /// Nodes to look at.
    dirty: BTreeSet<Name>,
    /// Nodes that have a pod of an older template.
    outdated: BTreeSet<Name>,
    totals: Totals,
}

/// Sums over the seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Totals {
    desired: usize,
    current: usize,
    ready: usize,
    updated: usize,
    misscheduled: usize,
}

impl Totals {
    fn add(&mut self, seat: Seat, sign: isize) {
        let step = |field: &mut usize, holds: bool| {
            if holds {
                *field = field.saturating_add_signed(sign);
            }
        };
        step(&mut self.desired, seat.should);
        step(&mut self.current, seat.should && seat.scheduled);
        step(&mut self.ready, seat.should && seat.ready);
        step(&mut self.updated, seat.should && seat.updated);
        step(&mut self.misscheduled, !seat.should && seat.scheduled);
    }
}

/// The controller.
#[derive(Debug, Default)]
pub(crate) struct DaemonSets {
    sets: BTreeMap<Name, Set>,
    queued: BTreeSet<Name>,
}

impl DaemonSets {
    pub(crate) fn changed(&mut self, cx: &mut Context, nodes: &Nodes, change: &Change) {
        let uid: Name = (*change.object.meta.uid).into();
        if change.kind == ChangeKind::Deleted {
            self.sets.remove(&uid);
            return;
        }
        let same_spec = self.sets.get(&uid).is_some_and(|set| {
            set.object.meta.generation == change.object.meta.generation
                && set.object.meta.deleting == change.object.meta.deleting
        });
        if same_spec {
            if let Some(set) = self.sets.get_mut(&uid) {
                set.object = change.object.clone();
            }
            return;
        }
        let value = change.object.tree();
        let hash = revision::ensure(cx, &change.object, value);
        let all = nodes.names().cloned().collect();
        let old = self.sets.remove(&uid);
        let (seats, totals) = old.map(|set| (set.seats, set.totals)).unwrap_or_default();
        let set = Set {
            key: Key::of(&change.object),
            object: change.object.clone(),
            wanted: Wanted::read(value),
            hash,
            dirty: all,
            seats,
            outdated: BTreeSet::new(),
            totals,
        };
        self.sets.insert(uid.clone(), set);
        self.enqueue(cx, uid);
    }

    /// A pod of this owner has changed.
    pub(crate) fn pod_changed(&mut self, cx: &mut Context, owner: &Name, nodes: &[Name]) {
        let Some(set) = self.sets.get_mut(owner) else { return };
        set.dirty.extend(nodes.iter().cloned());
        self.enqueue(cx, owner.clone());
    }

    pub(crate) fn node_changed(&mut self, cx: &mut Context, before: Option<&NodeFacts>, after: Option<&NodeFacts>) {
        let matters = match (before, after) {
            (Some(old), Some(new)) => {
                old.taints != new.taints || old.labels() != new.labels() || old.unschedulable != new.unschedulable
            }
            _ => true,
        };
        let Some(node) = after.or(before).filter(|_| matters) else { return };
        let uids: Vec<Name> = self.sets.keys().cloned().collect();
        for uid in uids {
            if let Some(set) = self.sets.get_mut(&uid) {
                set.dirty.insert(node.name.clone());
            }
            self.enqueue(cx, uid);
        }
    }

    fn enqueue(&mut self, cx: &mut Context, uid: Name) {
        if self.queued.insert(uid.clone()) {
            let span = cx.pace.reconcile;
            cx.later(span, Task::DaemonSet(uid));
        }
    }

    pub(crate) fn reconcile(&mut self, cx: &mut Context, pods: &Pods, nodes: &Nodes, uid: Name) {
        self.queued.remove(&uid);
        let Some(set) = self.sets.get_mut(&uid) else { return };
        let mut looked = std::mem::take(&mut set.dirty).into_iter().collect::<Vec<_>>();
        cx.rng.shuffle(&mut looked);
        let mut burst = BURST;
        for node in looked {
            set.look(cx, pods, nodes, &uid, &node, &mut burst);
        }
        set.roll(cx, pods, &uid);
        set.write_status(cx);
        if !set.dirty.is_empty() {
            self.enqueue(cx, uid);
        }
    }
}

impl Set {
    fn look(&mut self, cx: &mut Context, pods: &Pods, nodes: &Nodes, uid: &Name, node: &Name, burst: &mut usize) {
        let facts = nodes.get(node);
        let should = facts.is_some_and(|facts| self.wanted.fits(facts));
        let stays = facts.is_some_and(|facts| self.wanted.stays(facts));
        let here: Vec<&PodFacts> = pods.of_on(uid, node).collect();
        let live: Vec<&PodFacts> = here.iter().copied().filter(|pod| pod.active()).collect();
        let mut seat = Seat { should, taken: !here.is_empty(), ..Seat::default() };
        for pod in here.iter().filter(|pod| pod.ended && !pod.deleting) {
            remove(cx, &self.object, pod);
        }
        // The oldest stays; further ones, and those that the node no longer takes, go.
        let mut oldest: Option<&PodFacts> = None;
        for pod in &live {
            if !stays || oldest.is_some_and(|kept| kept.created <= pod.created) {
                remove(cx, &self.object, pod);
            } else if let Some(younger) = oldest.replace(pod) {
                remove(cx, &self.object, younger);
            }
        }
        if let Some(pod) = oldest {
            seat.scheduled = true;
            seat.ready = pod.ready.is_some();
            seat.updated = pod.object.meta.label(REVISION_LABEL) == Some(&self.hash);
        }
        if seat.scheduled && !seat.updated {
            self.outdated.insert(node.clone());
        } else {
            self.outdated.remove(node);
        }
        if should && !seat.taken && !self.object.meta.deleting {
            if *burst == 0 {
                self.dirty.insert(node.clone());
            } else {
                *burst -= 1;
                self.create(cx, node);
            }
        }
        let old = self.seats.get(node).copied().unwrap_or_default();
        self.totals.add(old, -1);
        self.totals.add(seat, 1);
        if facts.is_none() && !seat.taken {
            self.seats.remove(node);
        } else {
            self.seats.insert(node.clone(), seat);
        }
    }

    fn create(&mut self, cx: &mut Context, node: &Name) {
        let mut pod = template::pod(&self.object, &self.wanted.template);
        pod["metadata"]["labels"][REVISION_LABEL] = self.hash.clone().into();
        let generation = self.object.meta.generation.to_string();
        pod["metadata"]["labels"]["pod-template-generation"] = generation.into();
        // The pod is for this node, whatever else its affinity says.
        let term = tree!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]});
        pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
            tree!({"nodeSelectorTerms": [term]});
        pod["spec"]["tolerations"] = self.wanted.tolerations_value.clone();
        let source = Source { component: "daemonset-controller", host: "" };
        let namespace = self.key.namespace.clone();
        let note = match cx.store.create(Resource::Pod, &namespace, pod, &WriteOptions::default()) {
            Ok(pod) => Note::normal("SuccessfulCreate", format!("Created pod: {}", pod.meta.name)),
            Err(status) => Note::warning("FailedCreate", format!("Error creating: {status}")),
        };
        cx.events.write(&cx.store, &self.object, source, note);
    }

    /// Replaces pods of older templates, never more at a time than may be unavailable.
    fn roll(&mut self, cx: &mut Context, pods: &Pods, uid: &Name) {
        if self.wanted.on_delete || self.outdated.is_empty() || self.object.meta.deleting {
            return;
        }
        let most = template::share(&self.wanted.max_unavailable, self.totals.desired, true, 1).max(1);
        let mut down = self.totals.desired.saturating_sub(self.totals.ready);
        let mut outdated: Vec<Name> = self.outdated.iter().cloned().collect();
        // Those that serve nobody cost nothing.
        outdated.sort_by_key(|node| self.seats.get(node).is_some_and(|seat| seat.ready));
        for node in outdated {
            let seat = self.seats.get(&node).copied().unwrap_or_default();
            if seat.ready {
                if down >= most {
                    break;
                }
                down += 1;
            }
            let live: Vec<PodFacts> = pods.of_on(uid, &node).filter(|pod| pod.active()).cloned().collect();
            for pod in live {
                remove(cx, &self.object, &pod);
            }
            self.outdated.remove(&node);
        }
    }

    fn write_status(&self, cx: &mut Context) {
        let Totals { desired, current, ready, updated, misscheduled } = self.totals;
        let generation = self.object.meta.generation;
        cx.change(Resource::DaemonSet, &self.key, |set| {
            let status = &mut set["status"];
            status["currentNumberScheduled"] = current.into();
            status["desiredNumberScheduled"] = desired.into();
            status["numberMisscheduled"] = misscheduled.into();
            status["numberReady"] = ready.into();
            status["observedGeneration"] = generation.into();
            for (field, number) in [
                ("numberAvailable", ready),
                ("numberUnavailable", desired.saturating_sub(ready)),
                ("updatedNumberScheduled", updated),
            ] {
                if number == 0 {
                    status.as_object_mut().map(|status| status.remove(field));
                } else {
                    status[field] = Tree::from(number);
                }
            }
        });
    }
}

impl Wanted {
    fn fits(&self, node: &NodeFacts) -> bool {
        self.selects(node) && repelled(&node.taints, &self.tolerations).is_none()
    }

    /// A running pod stays unless the node's NoExecute taints say otherwise.
    fn stays(&self, node: &NodeFacts) -> bool {
        let evicting: Vec<_> = node.taints.iter().filter(|taint| taint.effect == "NoExecute").cloned().collect();
        self.selects(node) && repelled(&evicting, &self.tolerations).is_none()
    }
}

fn remove(cx: &mut Context, set: &Stored, pod: &PodFacts) {
    let options = DeleteOptions { uid: Some(pod.uid.to_string()), ..DeleteOptions::default() };
    if cx.store.delete(Resource::Pod, &pod.key.namespace, &pod.key.name, &options).is_ok() {
        let source = Source { component: "daemonset-controller", host: "" };
        let note = Note::normal("SuccessfulDelete", format!("Deleted pod: {}", pod.key.name));
        cx.events.write(&cx.store, set, source, note);
    }
}
