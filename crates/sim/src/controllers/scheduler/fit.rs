//! Whether a node takes a pod, and the scheduler's words if not.

use std::collections::BTreeMap;

use super::wishes::{NodeTerm, PodTerm, Wishes};
use crate::controllers::nodes::NodeFacts;
use crate::controllers::pods::Pods;
use crate::controllers::taints::{Taint, repelled};

/// Why a node does not take a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Refusal {
    text: String,
    /// Whether evicting somebody could help.
    resolvable: bool,
}

fn refusal(text: impl Into<String>, resolvable: bool) -> Refusal {
    Refusal { text: text.into(), resolvable }
}

/// Whether taints or a cordon keep the pod away.
pub(super) fn fenced_off(wishes: &Wishes, taints: &[Taint], unschedulable: bool) -> Option<Refusal> {
    let cordon = Taint {
        key: "node.kubernetes.io/unschedulable".to_owned(),
        value: String::new(),
        effect: "NoSchedule".to_owned(),
    };
    if unschedulable && repelled(std::slice::from_ref(&cordon), &wishes.tolerations).is_some() {
        return Some(refusal("node(s) were unschedulable", false));
    }
    let taint = repelled(taints, &wishes.tolerations)?;
    Some(refusal(format!("node(s) had untolerated taint {{{}: {}}}", taint.key, taint.value), false))
}

/// Every filter, in the scheduler's order.
pub(super) fn check(wishes: &Wishes, node: &NodeFacts, pods: &Pods) -> Result<(), Refusal> {
    if let Some(why) = fenced_off(wishes, &node.taints, node.unschedulable) {
        return Err(why);
    }
    let selected = wishes.node_selector.iter().all(|(key, value)| node.label(key) == Some(value));
    let terms = &wishes.affinity.node_affinity.required.terms;
    if !selected || (!terms.is_empty() && !terms.iter().any(|term| term_matches(term, node))) {
        return Err(refusal("node(s) didn't match Pod's node affinity/selector", false));
    }
    if pods.count_on(&node.name) >= node.capacity {
        return Err(refusal("Too many pods", true));
    }
    let wanted: Vec<u16> = wishes.host_ports().collect();
    if !wanted.is_empty() {
        let taken = pods
            .on(&node.name)
            .any(|pod| !pod.ended && Wishes::read(&pod.object).host_ports().any(|port| wanted.contains(&port)));
        if taken {
            return Err(refusal("node(s) didn't have free ports for the requested pod ports", true));
        }
    }
    let neighbour = |term: &PodTerm| {
        term.topology_key == "kubernetes.io/hostname"
            && pods.on(&node.name).any(|pod| {
                !pod.ended
                    && *pod.key.namespace == *wishes.namespace
                    && term.label_selector.matches(|key| pod.object.meta.label(key))
            })
    };
    if wishes.affinity.pod_anti_affinity.required.iter().any(neighbour) {
        return Err(refusal("node(s) didn't match pod anti-affinity rules", true));
    }
    if !wishes.affinity.pod_affinity.required.iter().all(neighbour) {
        return Err(refusal("node(s) didn't match pod affinity rules", false));
    }
    Ok(())
}

fn term_matches(term: &NodeTerm, node: &NodeFacts) -> bool {
    let empty = term.match_expressions.is_empty() && term.match_fields.is_empty();
    !empty
        && term.match_expressions.iter().all(|e| e.matches(node.label(&e.key)))
        && term.match_fields.iter().all(|e| e.key == "metadata.name" && e.matches(Some(&node.name)))
}

/// Refusals, counted.
#[derive(Debug, Default)]
pub(super) struct Refusals(BTreeMap<Refusal, usize>);

impl Refusals {
    pub(super) fn add(&mut self, why: Refusal, nodes: usize) {
        *self.0.entry(why).or_default() += nodes;
    }

    /// The text of condition and event (pkg/scheduler/framework, FitError).
    pub(super) fn message(&self, nodes: usize) -> String {
        if nodes == 0 {
            return "no nodes available to schedule pods".to_owned();
        }
        let mut reasons: Vec<String> = self.0.iter().map(|(why, count)| format!("{count} {}", why.text)).collect();
        reasons.sort();
        let (hopeful, hopeless) = self.0.iter().fold((0, 0), |(hopeful, hopeless), (why, count)| {
            if why.resolvable { (hopeful + count, hopeless) } else { (hopeful, hopeless + count) }
        });
        let mut preemption = Vec::new();
        if hopeful > 0 {
            preemption.push(format!("{hopeful} No preemption victims found for incoming pod"));
        }
        if hopeless > 0 {
            preemption.push(format!("{hopeless} Preemption is not helpful for scheduling"));
        }
        preemption.sort();
        format!(
            "0/{nodes} nodes are available: {}. no new claims to deallocate, preemption: 0/{nodes} nodes are available: {}.",
            reasons.join(", "),
            preemption.join(", ")
        )
    }
}
