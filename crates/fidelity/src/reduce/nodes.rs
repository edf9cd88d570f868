//! Facts about nodes.

use std::collections::{BTreeMap, BTreeSet};

use events::{NodeState, State};
use ipnet::IpNet;

use super::blocks::Blocks;

type Facts = BTreeMap<String, String>;

pub(super) fn facts(blocks: &Blocks, before: Option<&State>, state: &State, facts: &mut Facts) {
    facts.insert("pools".to_owned(), state.pools.join(" "));
    facts.insert("podCIDRs of Nodes".to_owned(), node_blocks(state));
    facts.insert("podCIDRs of CiliumNodes".to_owned(), cilium_blocks(blocks, state));
    facts.insert("podCIDRs handed out so far".to_owned(), list(&blocks.handed_out()));
    for node in &state.nodes {
        let earlier = before.and_then(|before| before.nodes.iter().find(|other| other.role == node.role));
        one(blocks, state, node, earlier, facts);
    }
}

fn one(blocks: &Blocks, state: &State, node: &NodeState, earlier: Option<&NodeState>, facts: &mut Facts) {
    let mut fact = |what: &str, value: String| facts.insert(format!("{}: {what}", node.role), value);
    fact("Node", life(node.node.as_ref().map(|n| &n.uid), earlier.and_then(|e| e.node.as_ref()).map(|n| &n.uid)));
    if let Some(kube) = &node.node {
        let cordoned = if kube.unschedulable { ", cordoned" } else { "" };
        fact("Node condition", format!("{}{cordoned}", if kube.ready { "ready" } else { "not ready" }));
        fact("Node taints", list(&kube.taints));
        fact("Node podCIDRs", blocks.list(state, &kube.pod_cidrs));
    }
    let uid = |node: &NodeState| node.cilium.as_ref().map(|cilium| cilium.uid.clone());
    fact("CiliumNode", life(uid(node).as_ref(), earlier.and_then(uid).as_ref()));
    if let Some(cilium) = &node.cilium {
        let was = earlier.and_then(|earlier| earlier.cilium.as_ref());
        fact("CiliumNode podCIDRs", blocks.list(state, &cilium.pod_cidrs));
        let clear = if cilium.operator_status { "clear" } else { "never written" };
        fact("operator-status", cilium.error.as_ref().map_or_else(|| clear.to_owned(), |error| blocks.text(error)));
        let addresses = |now: &[String], was: Option<&[String]>| {
            let all: Vec<String> = now
                .iter()
                .map(|ip| {
                    let kept = if was.is_some_and(|was| was.contains(ip)) { "kept" } else { "new" };
                    format!("{kept}, in {}", blocks.address(state, Some(node), ip))
                })
                .collect();
            list(&all)
        };
        fact("router", addresses(&cilium.router, was.map(|was| was.router.as_slice())));
        fact("health", addresses(&cilium.health, was.map(|was| was.health.as_slice())));
    }
    match &node.agent {
        Some(agent) => {
            fact("agent's mode", agent.ipam.clone());
            fact("agent's range", blocks.list(state, &agent.pod_cidrs));
        }
        None => {
            fact("agent's mode", "no agent".to_owned());
        }
    }
    let seen = node.seen.iter().map(|seen| {
        if seen.absent {
            return "absent".to_owned();
        }
        let error = seen.error.as_ref().map_or_else(|| "clear".to_owned(), |error| blocks.text(error));
        format!("{} ({error})", blocks.list(state, &seen.pod_cidrs))
    });
    fact("CiliumNode history", seen.collect::<Vec<_>>().join(" -> "));
}

/// `3 x /24 in 10.224.0.0/16`, and whether some have the same.
fn node_blocks(state: &State) -> String {
    let all: Vec<&String> =
        state.nodes.iter().filter_map(|node| node.node.as_ref()).flat_map(|n| &n.pod_cidrs).collect();
    let distinct: BTreeSet<&&String> = all.iter().collect();
    let subnets: Vec<IpNet> = state.pod_subnets.iter().filter_map(|text| text.parse().ok()).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for block in all.iter().filter_map(|text| text.parse::<IpNet>().ok()) {
        let subnet = subnets.iter().find(|subnet| subnet.contains(&block));
        let place = subnet.map_or_else(|| "outside the pod subnet".to_owned(), |subnet| format!("in {subnet}"));
        *counts.entry(format!("/{} {place}", block.prefix_len())).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{count} x {what}")).collect();
    let doubles = all.len() - distinct.len();
    format!("{}, {doubles} doubles", list(&counts))
}

/// How many blocks CiliumNodes have, by size and by whose they were first.
fn cilium_blocks(blocks: &Blocks, state: &State) -> String {
    let all = state.nodes.iter().filter_map(|node| node.cilium.as_ref()).flat_map(|cilium| &cilium.pod_cidrs);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut distinct = BTreeSet::new();
    let mut doubles = 0;
    for text in all {
        let what = match text.parse::<IpNet>() {
            Ok(block) if blocks.is_of_node(&block) => format!("/{} of Nodes", block.prefix_len()),
            Ok(block) => format!("/{}", block.prefix_len()),
            Err(_) => format!("\"{text}\""),
        };
        *counts.entry(what).or_default() += 1;
        doubles += usize::from(!distinct.insert(text));
    }
    let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{count} x {what}")).collect();
    format!("{}, {doubles} doubles", list(&counts))
}

fn life(now: Option<&String>, before: Option<&String>) -> String {
    match (now, before) {
        (None, _) => "absent",
        (Some(now), Some(before)) if now == before => "the same",
        (Some(_), _) => "new",
    }
    .to_owned()
}

fn list(texts: &[String]) -> String {
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}
