//! The taint on nodes whose agent is not ready, and the condition on those whose agent is (operator/watchers/node_taint.go).

use super::{OperatorStep, Operators, Parts, Stage};
use crate::controllers::pods::PodFacts;
use crate::controllers::scheduler::set_condition;
use crate::store::Resource;
use crate::tree::{Tree, tree};
use crate::world::{Context, Key, Name, Task};

impl Operators {
    /// An agent's pod has changed.
    pub(crate) fn agent_pod_changed(&mut self, cx: &mut Context, pod: &PodFacts) {
        let ours = *pod.key.namespace == *cilium::components::NAMESPACE
            && cilium::components::AGENT.selects(|key| pod.object.meta.label(key));
        if let Some(node) = pod.node.as_ref().filter(|_| ours) {
            self.dirty.insert(node.clone());
            self.ask_for_taints(cx);
        }
    }

    pub(super) fn ask_for_taints(&mut self, cx: &mut Context) {
        let Some(process) = self.leader.as_ref().and_then(|pod| self.processes.get(pod)) else { return };
        if !matches!(process.stage, Stage::Leading { synced: true, .. }) || self.dirty_asked {
            return;
        }
        self.dirty_asked = true;
        let task = Task::Operator(process.pod.clone(), process.life, OperatorStep::Taints);
        let span = cx.pace.reconcile;
        cx.later(span, task);
    }

    pub(super) fn mark_nodes(&mut self, cx: &mut Context, parts: &Parts<'_>, pod: &Name) {
        self.dirty_asked = false;
        let Some(process) = self.processes.get(pod) else { return };
        let on = |key: &str| process.data.get(key).is_some_and(|text| cilium::config::boolean(text));
        let (remove, set, up) = (
            on(cilium::config::REMOVE_NODE_TAINTS),
            on(cilium::config::SET_NODE_TAINTS),
            on(cilium::config::SET_CILIUM_IS_UP),
        );
        let taint = process
            .data
            .get(cilium::config::AGENT_NOT_READY_TAINT_KEY)
            .cloned()
            .unwrap_or_else(|| cilium::components::AGENT_NOT_READY_TAINT.to_owned());
        for name in std::mem::take(&mut self.dirty) {
            let Some(node) = parts.nodes.get(&name) else { continue };
            let mut agents = parts
                .pods
                .on(&name)
                .filter(|pod| cilium::components::AGENT.selects(|key| pod.object.meta.label(key)))
                .peekable();
            let scheduled = agents.peek().is_some();
            // The operator's cache has no deletion timestamps: a pod that is going counts while it answers.
            let ready = agents.any(|pod| pod.ready.is_some());
            let tainted = node.taints.iter().any(|one| one.key == taint);
            let key = Key::new("", &name);
            if ready {
                let now = cx.stamp();
                cx.change(Resource::Node, &key, |node| {
                    if remove {
                        untaint(node, &taint);
                    }
                    if up && !is_up(node) {
                        let condition = tree!({
                            "type": "NetworkUnavailable",
                            "status": "False",
                            "reason": "CiliumIsUp",
                            "message": "Cilium is running on this node",
                            "lastHeartbeatTime": now,
                            "lastTransitionTime": now,
                        });
                        set_condition(node, condition);
                        first(node, "NetworkUnavailable");
                    }
                });
            } else if scheduled && set && !tainted {
                cx.change(Resource::Node, &key, |node| {
                    if !node["spec"]["taints"].is_array() {
                        node["spec"]["taints"] = tree!([]);
                    }
                    if let Some(list) = node["spec"]["taints"].as_array_mut() {
                        list.push(tree!({"key": taint, "effect": "NoSchedule"}));
                    }
                });
            }
        }
    }
}

fn untaint(node: &mut Tree, taint: &str) {
    if let Some(list) = node["spec"]["taints"].as_array_mut() {
        list.retain(|one| one["key"] != taint);
        if list.is_empty()
            && let Some(spec) = node["spec"].as_object_mut()
        {
            spec.remove("taints");
        }
    }
}

fn is_up(node: &Tree) -> bool {
    let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .into_iter()
        .any(|one| one["type"] == "NetworkUnavailable" && one["status"] == "False" && one["reason"] == "CiliumIsUp")
}

/// Puts a condition before the others: a strategic merge patch puts what is new in front.
fn first(node: &mut Tree, kind: &str) {
    if let Some(list) = node["status"]["conditions"].as_array_mut() {
        list.sort_by_key(|one| one["type"] != kind);
    }
}
