//! Facts about pods.

use std::collections::{BTreeMap, BTreeSet};

use events::{Owner, PodSeen, PodState, State};

use super::blocks::Blocks;
use crate::recording::Phase;

pub(super) fn facts(blocks: &Blocks, before: Option<&State>, state: &State, phase: &mut Phase) {
    let none = Vec::new();
    let earlier: BTreeMap<&str, &PodState> = before
        .map_or(&none, |before| &before.pods)
        .iter()
        .filter(|pod| !pod.gone)
        .map(|pod| (pod.uid.as_str(), pod))
        .collect();
    let owners: BTreeSet<&str> =
        state.pods.iter().chain(earlier.values().copied()).map(|pod| pod.of.as_str()).collect();
    for of in owners {
        let live: Vec<&PodState> = state.pods.iter().filter(|pod| pod.of == of && !pod.gone).collect();
        let gone: Vec<&PodState> = state.pods.iter().filter(|pod| pod.of == of && pod.gone).collect();
        phase.facts.insert(format!("pods of {of}"), counts(state, &live));
        // Those that came after the state before and did not live to see this one.
        let passing = gone.iter().filter(|pod| !earlier.contains_key(pod.uid.as_str())).count();
        phase.facts.insert(format!("pods of {of}: came and went"), passing.to_string());
        let there: Vec<&PodState> = earlier.values().copied().filter(|pod| pod.of == of).collect();
        let mut by_role: BTreeMap<&str, Vec<&PodState>> = BTreeMap::new();
        for pod in there {
            by_role.entry(pod.node.as_deref().unwrap_or("no node")).or_default().push(pod);
        }
        for (role, pods) in by_role {
            let kept = pods.iter().filter(|pod| live.iter().any(|now| now.uid == pod.uid)).count();
            let fate = match kept {
                0 => "all replaced or gone",
                kept if kept == pods.len() => "all kept",
                _ => "some kept",
            };
            let pinned = pods.iter().all(|pod| pod.pinned);
            put(phase, pinned, format!("pods of {of} that were on {role}"), fate.to_owned());
        }
        // Which of the pods on a node are new depends on where the scheduler had put them before.
        let mut by_place: BTreeMap<(&str, &str), Vec<&PodState>> = BTreeMap::new();
        for pod in live {
            let life = if earlier.contains_key(pod.uid.as_str()) { "kept" } else { "new" };
            by_place.entry((life, pod.node.as_deref().unwrap_or("no node"))).or_default().push(pod);
        }
        for ((life, role), pods) in by_place {
            let pinned = pods.iter().all(|pod| pod.pinned);
            let told: BTreeSet<String> =
                pods.iter().map(|pod| pod_line(blocks, state, pod, earlier.get(pod.uid.as_str()).copied())).collect();
            let told = told.into_iter().collect::<Vec<_>>().join(" | ");
            put(phase, pinned, format!("{life} pods of {of} on {role}"), told);
        }
    }
}

fn put(phase: &mut Phase, pinned: bool, subject: String, value: String) {
    if pinned {
        phase.facts.insert(subject, value)
    } else {
        phase.placed.insert(subject, value)
    };
}

/// How many there are, and in which phases. Where an agent hangs, a pod's phase is a matter of where the scheduler put it, and is told
/// with the pods of that node.
fn counts(state: &State, live: &[&PodState]) -> String {
    let hangs = state.nodes.iter().any(|node| node.node.is_some() && node.agent.is_none());
    if hangs && live.iter().any(|pod| !pod.pinned) {
        return format!("{} live", live.len());
    }
    let phases: BTreeSet<&str> = live.iter().map(|pod| pod.phase.as_str()).collect();
    let phases = phases.into_iter().map(|phase| format!(", {phase}")).collect::<String>();
    format!("{} live{phases}", live.len())
}

fn pod_line(blocks: &Blocks, state: &State, pod: &PodState, before: Option<&PodState>) -> String {
    let node = state.nodes.iter().find(|node| Some(node.role.as_str()) == pod.node.as_deref());
    let address = if pod.host_network {
        "its node's address".to_owned()
    } else if pod.ips.is_empty() {
        "no address".to_owned()
    } else {
        let all: Vec<String> = pod
            .ips
            .iter()
            .map(|ip| {
                let kept = match before {
                    Some(before) if before.ips.contains(ip) => "the same address",
                    Some(_) => "another address",
                    None => "an address",
                };
                format!("{kept} in {}", blocks.address(state, node, ip))
            })
            .collect();
        all.join(" and ")
    };
    let endpoint = match &pod.endpoint {
        None if pod.host_network => String::new(),
        None => "; no endpoint".to_owned(),
        Some(addresses) if *addresses == pod.ips => "; endpoint".to_owned(),
        Some(_) => "; endpoint with other addresses".to_owned(),
    };
    // How often it has ended so far is a matter of time, and so is whether it runs at this moment.
    if crash_loops(pod) {
        return format!("{address}; crash-loops");
    }
    // Its probes fail from then on, and how often it has been restarted since is a matter of time.
    if pod.owner == Owner::System && !pod.host_network && pod.endpoint.is_none() {
        return format!("{address}{endpoint}");
    }
    // A probe every 10 s sees a short interruption (the agents' restart, to Hubble Relay; a busy machine, to an agent) or does not: what it
    // came to is a fact.
    let ran_on = || pod.seen.iter().all(|one| one.restarts == pod.restarts && !one.crashing);
    let seen = if pod.owner == Owner::System && (!pod.host_network || ran_on()) {
        &pod.seen[pod.seen.len().saturating_sub(1)..]
    } else {
        &pod.seen
    };
    format!("{address}{endpoint}; {}", history(seen))
}

/// Whether a part of Cilium in its node's network ends again and again.
fn crash_loops(pod: &PodState) -> bool {
    let waited = || pod.seen.iter().any(|one| one.crashing);
    pod.owner == Owner::System && pod.host_network && (pod.restarts > 1 || pod.restarts == 1 && waited())
}

/// What happened to a pod since it was ready for the first time.
fn history(seen: &[PodSeen]) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut addresses: Vec<&[String]> = Vec::new();
    for one in seen.iter().skip_while(|one| !one.ready && one.restarts == 0 && !one.crashing) {
        let ready = if one.ready { "ready" } else { "not ready" };
        let crashing = if one.crashing { " and crashing" } else { "" };
        let restarts = if one.restarts > 0 { format!(" after {} restarts", one.restarts) } else { String::new() };
        let line = format!("{ready}{crashing}{restarts}");
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    for one in seen.iter().filter(|one| !one.ips.is_empty()) {
        if addresses.last() != Some(&one.ips.as_slice()) {
            addresses.push(&one.ips);
        }
    }
    let mut text = if lines.is_empty() { "never ready".to_owned() } else { lines.join(" -> ") };
    if addresses.len() > 1 {
        text = format!("{text}; {} addresses one after another", addresses.len());
    }
    text
}
