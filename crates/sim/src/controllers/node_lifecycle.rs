//! What becomes of Nodes that are not ready, cordoned, silent or gone, and of their pods.

use std::time::Duration;

use serde::Deserialize;

use super::nodes::{NodeFacts, Nodes};
use super::pods::{PodFacts, Pods};
use super::taints::{Taint, Toleration, may_stay};
use crate::store::{DeleteOptions, Resource};
use crate::tree::tree;
use crate::world::pace::POD_GC;
use crate::world::{ByName, Context, Key, Name, Names, Task, or_default};

/// Taints that follow from a Node's state, by key.
const OWN: [&str; 3] =
    ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", "node.kubernetes.io/unschedulable"];

/// The controller.
#[derive(Debug, Default)]
pub(crate) struct NodeLifecycle {
    queued: Names,
    /// Pods that leave their node at that moment unless its taints are gone by then.
    evictions: ByName<Duration>,
}

impl NodeLifecycle {
    pub(crate) fn node_changed(&mut self, cx: &mut Context, before: Option<&NodeFacts>, after: Option<&NodeFacts>) {
        let Some(node) = after else {
            if let Some(node) = before {
                cx.timers.after(POD_GC, Task::PodGc(node.name.clone()));
            }
            return;
        };
        if *wanted(node) != *node.taints && self.queued.insert(node.name.clone()) {
            let span = cx.pace.reconcile;
            cx.later(span, Task::NodeTaints(node.name.clone()));
        }
        let evicting = |node: &NodeFacts| node.taints.iter().any(|taint| taint.effect == "NoExecute");
        if evicting(node) && before.is_none_or(|before| before.taints != node.taints) {
            cx.timers.after(Duration::ZERO, Task::Evict(node.name.clone()));
        }
    }

    /// Brings a Node's taints into agreement with its state.
    pub(crate) fn taint(&mut self, cx: &mut Context, nodes: &Nodes, name: &Name) {
        self.queued.remove(name);
        let Some(node) = nodes.get(name) else { return };
        let wanted = wanted(node);
        if *wanted == *node.taints {
            return;
        }
        let now = cx.stamp();
        let old = node.taints.clone();
        cx.change(Resource::Node, &Key::new("", name), |node| {
            let mut list = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
            let is_own = |key: Option<&str>| key.is_some_and(|key| OWN.contains(&key));
            list.retain(|taint| {
                let effect = taint["effect"].as_str();
                !is_own(taint["key"].as_str())
                    || wanted
                        .iter()
                        .any(|w| Some(w.key.as_str()) == taint["key"].as_str() && Some(w.effect.as_str()) == effect)
            });
            for taint in wanted.iter().filter(|taint| !old.contains(taint)) {
                list.push(tree!({"key": taint.key, "effect": taint.effect, "timeAdded": now}));
            }
            if list.is_empty() {
                if let Some(spec) = node["spec"].as_object_mut() {
                    spec.remove("taints");
                }
            } else {
                node["spec"]["taints"] = list.into();
            }
        });
    }

    /// Looks which pods may not stay on a Node.
    pub(crate) fn evict(&mut self, cx: &mut Context, pods: &Pods, nodes: &Nodes, name: &Name) {
        let Some(node) = nodes.get(name) else { return };
        let now = cx.timers.now();
        let mut next: Option<Duration> = None;
        let here: Vec<PodFacts> = pods.on(name).filter(|pod| !pod.deleting).cloned().collect();
        for pod in here {
            let Some(seconds) = may_stay(&node.taints, &tolerations(&pod)) else {
                self.evictions.remove(&pod.uid);
                continue;
            };
            let after = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
            let at = *self.evictions.entry(pod.uid.clone()).or_insert(now + after);
            if at <= now {
                self.evictions.remove(&pod.uid);
                // Somebody else may have been faster.
                let _ = cx.store.delete(Resource::Pod, &pod.key.namespace, &pod.key.name, &DeleteOptions::default());
            } else {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        if let Some(at) = next {
            cx.timers.after(at.saturating_sub(now), Task::Evict(name.clone()));
        }
    }

    /// Pods of a Node that is gone are removed without asking its kubelet.
    pub(crate) fn collect(&mut self, cx: &mut Context, pods: &Pods, nodes: &Nodes, name: &Name) {
        if nodes.get(name).is_some() {
            return;
        }
        let here: Vec<PodFacts> = pods.on(name).cloned().collect();
        for pod in here {
            let options = DeleteOptions { grace_seconds: Some(0), ..DeleteOptions::default() };
            // Somebody else may have been faster.
            let _ = cx.store.delete(Resource::Pod, &pod.key.namespace, &pod.key.name, &options);
        }
    }

    pub(crate) fn pod_gone(&mut self, uid: &str) {
        self.evictions.remove(uid);
    }
}

/// The taints that a Node should have: its own of other origin, and those of its state.
fn wanted(node: &NodeFacts) -> Vec<Taint> {
    let mut taints: Vec<Taint> =
        node.taints.iter().filter(|taint| !OWN.contains(&taint.key.as_str())).cloned().collect();
    let mut add = |key: &str, effects: &[&str]| {
        taints.extend(effects.iter().map(|effect| Taint {
            key: key.to_owned(),
            value: String::new(),
            effect: (*effect).to_owned(),
        }));
    };
    match node.ready.as_str() {
        "True" => {}
        // The kubelet registers with NoSchedule alone; the controller adds NoExecute.
        "False" => add(OWN[0], &["NoExecute", "NoSchedule"]),
        _ => add(OWN[1], &["NoExecute", "NoSchedule"]),
    }
    if node.unschedulable {
        add(OWN[2], &["NoSchedule"]);
    }
    taints.sort();
    taints
}

fn tolerations(pod: &PodFacts) -> Vec<Toleration> {
    #[derive(Deserialize)]
    struct View {
        spec: Spec,
    }
    #[derive(Deserialize)]
    struct Spec {
        #[serde(default, deserialize_with = "or_default")]
        tolerations: Vec<Toleration>,
    }
    pod.object.read::<View>().map(|view| view.spec.tolerations).unwrap_or_default()
}
