//! The scheduler: one pod at a time onto the node that takes it best.
//!
//! Pods that nobody takes wait in line with others of the same wishes; a change on a node lets only the first of each line try again.

mod fit;
mod wishes;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::nodes::{NodeFacts, Nodes};
use super::pods::{PodFacts, Pods};
use super::taints::Taint;
use crate::store::{Resource, Stored};
use crate::tree::{Tree, tree};
use crate::world::{ByName, Context, Key, Name, Names, Note, Source, Task};
use fit::Refusals;
use wishes::Wishes;

/// What decides for most pods whether a node comes into question.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fence {
    taints: std::sync::Arc<[Taint]>,
    unschedulable: bool,
}

/// The nodes behind one fence, in an order that allows to go on where the last search ended.
#[derive(Debug, Default)]
struct Group {
    nodes: Vec<Name>,
    next: usize,
}

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Name>,
    /// The first of them is trying again.
    trying: bool,
}

/// The scheduler.
#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    groups: BTreeMap<Fence, Group>,
    fences: ByName<Fence>,
    active: VecDeque<Name>,
    known: Names,
    lines: BTreeMap<Wishes, Line>,
    armed: bool,
}

/// Candidates that are compared for one pod: enough for an even spread, few enough for 5,000 nodes.
const COMPARED: usize = 12;

impl Scheduler {
    pub(crate) fn pod_changed(&mut self, cx: &mut Context, before: Option<&PodFacts>, after: Option<&PodFacts>) {
        if let Some(pod) = after.filter(|pod| pod.node.is_none() && pod.active()) {
            if self.known.insert(pod.uid.clone()) {
                self.active.push_back(pod.uid.clone());
                self.arm(cx, true);
            }
            return;
        }
        if let Some(pod) = after.or(before) {
            self.known.remove(&pod.uid);
        }
        // Room is made where a pod goes; a new neighbour may be one that somebody wants to be near.
        let gone = before.is_some_and(|pod| pod.node.is_some()) && after.is_none();
        let bound = after.is_some_and(|pod| pod.node.is_some()) && before.is_some_and(|pod| pod.node.is_none());
        if gone || (bound && self.lines.keys().any(Wishes::seeks_company)) {
            self.retry(cx);
        }
    }

    pub(crate) fn node_changed(&mut self, cx: &mut Context, before: Option<&NodeFacts>, after: Option<&NodeFacts>) {
        let Some(node) = after.or(before) else { return };
        let fence = after.map(|node| Fence { taints: node.taints.clone(), unschedulable: node.unschedulable });
        let old = self.fences.get(&node.name).cloned();
        if old != fence {
            if let Some(group) = old.and_then(|old| self.groups.get_mut(&old))
                && let Ok(at) = group.nodes.binary_search(&node.name)
            {
                group.nodes.remove(at);
            }
            self.groups.retain(|_, group| !group.nodes.is_empty());
            match fence {
                Some(fence) => {
                    let nodes = &mut self.groups.entry(fence.clone()).or_default().nodes;
                    let at = nodes.partition_point(|name| *name < node.name);
                    nodes.insert(at, node.name.clone());
                    self.fences.insert(node.name.clone(), fence);
                }
                None => {
                    self.fences.remove(&node.name);
                }
            }
            self.retry(cx);
        } else if before.map(NodeFacts::labels) != after.map(NodeFacts::labels) {
            self.retry(cx);
        }
    }

    fn retry(&mut self, cx: &mut Context) {
        for line in self.lines.values_mut() {
            if !line.trying
                && let Some(first) = line.waiting.pop_front()
            {
                line.trying = true;
                self.active.push_back(first);
            }
        }
        self.lines.retain(|_, line| line.trying || !line.waiting.is_empty());
        self.arm(cx, true);
    }

    fn arm(&mut self, cx: &mut Context, idle: bool) {
        if !self.armed && !self.active.is_empty() {
            self.armed = true;
            // Woken up it takes its time; a full queue is worked off quickly.
            let span = if idle { cx.pace.bind } else { (Duration::from_micros(300), Duration::from_millis(4)) };
            cx.later(span, Task::Schedule);
        }
    }

    /// Takes the next pod of the queue.
    pub(crate) fn run(&mut self, cx: &mut Context, pods: &Pods, nodes: &Nodes) {
        self.armed = false;
        if let Some(uid) = self.active.pop_front() {
            match pods.get(&uid).filter(|pod| pod.node.is_none() && pod.active()) {
                Some(pod) => self.place(cx, pods, nodes, &pod.clone()),
                None => {
                    self.known.remove(&uid);
                    // It may have been the first of a line.
                    self.lines.values_mut().for_each(|line| line.trying = false);
                }
            }
        }
        self.arm(cx, false);
    }

    fn place(&mut self, cx: &mut Context, pods: &Pods, nodes: &Nodes, pod: &PodFacts) {
        let wishes = Wishes::read(&pod.object);
        let line = self.lines.entry(wishes.clone()).or_default();
        let first = std::mem::take(&mut line.trying);
        if !first && !line.waiting.is_empty() {
            // Others with the same wishes wait already, and nothing has changed since.
            line.waiting.push_back(pod.uid.clone());
            self.tell_unschedulable(cx, nodes, pods, &wishes, pod);
            return;
        }
        match self.choose(cx, pods, nodes, &wishes, pod) {
            Some(node) => {
                self.known.remove(&pod.uid);
                bind(cx, pod, &node);
                if let Some(line) = self.lines.get_mut(&wishes) {
                    match line.waiting.pop_front() {
                        Some(next) => {
                            line.trying = true;
                            self.active.push_back(next);
                        }
                        None => {
                            self.lines.remove(&wishes);
                        }
                    }
                }
            }
            None => {
                if let Some(line) = self.lines.get_mut(&wishes) {
                    line.waiting.push_front(pod.uid.clone());
                }
                self.tell_unschedulable(cx, nodes, pods, &wishes, pod);
            }
        }
    }

    fn choose(
        &mut self,
        cx: &mut Context,
        pods: &Pods,
        nodes: &Nodes,
        wishes: &Wishes,
        pod: &PodFacts,
    ) -> Option<Name> {
        if let Some(name) = wishes.only_node() {
            let node = nodes.get(name)?;
            return fit::check(wishes, node, pods).is_ok().then(|| node.name.clone());
        }
        let mut best: Option<((usize, usize, u64), Name)> = None;
        let mut compared = 0;
        for (fence, group) in &mut self.groups {
            if fit::fenced_off(wishes, &fence.taints, fence.unschedulable).is_some() {
                continue;
            }
            let total = group.nodes.len();
            for step in 0..total {
                let name = &group.nodes[(group.next + step) % total];
                let Some(node) = nodes.get(name) else { continue };
                if fit::check(wishes, node, pods).is_err() {
                    continue;
                }
                let siblings = pod.owner.as_ref().map_or(0, |owner| pods.count_of_on(owner, name));
                let score = (siblings, pods.count_on(name), cx.rng.bits());
                if best.as_ref().is_none_or(|(least, _)| score < *least) {
                    best = Some((score, name.clone()));
                }
                compared += 1;
                if compared >= COMPARED {
                    group.next = (group.next + step + 1) % total;
                    break;
                }
            }
        }
        best.map(|(_, name)| name)
    }

    fn tell_unschedulable(&self, cx: &mut Context, nodes: &Nodes, pods: &Pods, wishes: &Wishes, pod: &PodFacts) {
        let mut refusals = Refusals::default();
        for (fence, group) in &self.groups {
            match fit::fenced_off(wishes, &fence.taints, fence.unschedulable) {
                Some(why) if wishes.only_node().is_none() => refusals.add(why, group.nodes.len()),
                _ => {
                    // In large clusters a look at a part of the nodes is enough for a message.
                    for node in group.nodes.iter().take(500).filter_map(|name| nodes.get(name)) {
                        if let Err(why) = fit::check(wishes, node, pods) {
                            refusals.add(why, 1);
                        }
                    }
                }
            }
        }
        let message = refusals.message(nodes.names().len());
        let now = cx.stamp();
        cx.change(Resource::Pod, &pod.key, |pod| {
            let condition = tree!({
                "type": "PodScheduled",
                "status": "False",
                "lastProbeTime": null,
                "lastTransitionTime": now,
                "reason": "Unschedulable",
                "message": message,
            });
            set_condition(pod, condition);
        });
        let source = Source { component: "default-scheduler", host: "" };
        cx.events.write(&cx.store, &pod.object, source, Note::warning("FailedScheduling", message));
    }
}

fn bind(cx: &mut Context, pod: &PodFacts, node: &Name) {
    let now = cx.stamp();
    let bound: Option<Stored> = cx.change(Resource::Pod, &pod.key, |pod| {
        pod["spec"]["nodeName"] = (**node).into();
        let condition =
            tree!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now});
        set_condition(pod, condition);
    });
    if let Some(bound) = bound {
        let Key { namespace, name } = &pod.key;
        let text = format!("Successfully assigned {namespace}/{name} to {node}");
        let source = Source { component: "default-scheduler", host: "" };
        cx.events.write(&cx.store, &bound, source, Note::normal("Scheduled", text));
    }
}

/// Puts a condition in place of the one of its type; its time stays where its status does.
pub(crate) fn set_condition(object: &mut Tree, mut condition: Tree) {
    let status = &mut object["status"];
    if !status["conditions"].is_array() {
        status["conditions"] = tree!([]);
    }
    let Some(list) = status["conditions"].as_array_mut() else { return };
    match list.iter_mut().find(|old| old["type"] == condition["type"]) {
        Some(old) => {
            if old["status"] == condition["status"] {
                condition["lastTransitionTime"] = old["lastTransitionTime"].clone();
            }
            *old = condition;
        }
        None => list.push(condition),
    }
}
