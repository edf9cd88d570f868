//! The cluster's state at a moment, for `EventKind::State`: a function of the world and its history.

use std::collections::BTreeMap;
use std::time::Duration;

use cilium::{CiliumEndpoint, CiliumNode, components, config};
use events::{AgentState, CiliumNodeSeen, CiliumNodeState, KubeNode, NodeState, Owner, PodSeen, PodState, State};
use scenario::Scenario;
use scenario::model::NodeRef;
use serde_json::Value;
use tokio::time::Instant;

use crate::observe::{History, KindName, Seen, Version};
use crate::observe::{cilium_node_kind, endpoint_kind, lease_kind, node_kind, pod_kind};
use crate::world::{Key, PodFacts, World};

/// Above this many nodes no states are told: each would name every pod.
pub(crate) const MOST_NODES: usize = 200;

/// How long nothing may have changed before a cluster counts as settled. Cilium's own writes come up to a second after their cause
/// (cilium/cilium: podcidr.go, trigger MinInterval 1 s); agents remove the endpoints of pods that they no longer know some seconds after
/// they have become ready (pkg/endpointcleanup).
pub(crate) const QUIET: Duration = Duration::from_secs(10);

/// How long an operator has had its lease before a state counts: its first write came up to 12 s after it.
pub(crate) const LEADS: Duration = Duration::from_secs(15);

/// How long nothing may have changed where something waits that may wait for ever (an agent without a podCIDR): longer than any part of
/// Cilium takes from one change of its pod to the next on its way to being ready, and than an operator needs for a lease that was not given
/// back (15 s).
pub(crate) const STILL: Duration = Duration::from_secs(30);

/// An operator that has just got its lease first wrote after up to 11 s, as seen on a real cluster.
const OPERATOR_WRITES: Duration = Duration::from_secs(15);
/// An agent that has its range has written its CiliumNode by then; one that waits for a range is not waited for.
const AGENT_STARTS: Duration = Duration::from_secs(40);
/// Cilium's own writes come up to a second after their cause (cilium/cilium: podcidr.go, trigger MinInterval 1 s).
const IPAM_QUIET: Duration = Duration::from_secs(4);

/// The kinds that a state is made from, and the lease: who has just got it has everything to do yet.
pub(crate) fn kinds() -> [KindName; 5] {
    [node_kind(), pod_kind(), cilium_node_kind(), endpoint_kind(), lease_kind()]
}

/// How many versions of each object the state before had taken in: the next one tells what came after.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks(BTreeMap<(KindName, Key), usize>);

impl Marks {
    /// Everything in the history so far.
    pub(crate) fn of(history: &History) -> Self {
        let kinds = [cilium_node_kind(), pod_kind()];
        let objects = kinds
            .iter()
            .flat_map(|kind| history.kind(kind).map(|(key, versions)| ((kind.clone(), key.clone()), versions.len())));
        Self(objects.collect())
    }

    fn get(&self, kind: &KindName, key: &Key) -> usize {
        self.0.get(&(kind.clone(), key.clone())).copied().unwrap_or(0)
    }
}

/// What a state is made from.
pub(crate) struct Moment<'a> {
    pub(crate) world: &'a World,
    pub(crate) history: &'a History,
    /// Fixed at the scenario's start.
    pub(crate) roles: &'a [(NodeRef, String)],
    pub(crate) scenario: &'a Scenario,
}

impl Moment<'_> {
    /// The state, with what happened since `marks`.
    pub(crate) fn state(&self, marks: &Marks, unsettled: Option<String>) -> State {
        let version = self.world.cilium_version.clone().unwrap_or(semver::Version::new(0, 0, 0));
        let pools = [config::CLUSTER_POOL_IPV4_CIDR, config::CLUSTER_POOL_IPV6_CIDR]
            .into_iter()
            .filter_map(|key| self.world.config_value(key))
            .flat_map(|text| config::split_list(text, &version))
            .collect();
        State {
            unsettled,
            pod_subnets: self.scenario.cluster.pod_subnet.iter().map(ToString::to_string).collect(),
            pools,
            nodes: self.roles.iter().map(|(role, name)| self.node(*role, name, marks)).collect(),
            pods: self.pods(marks),
        }
    }

    fn node(&self, role: NodeRef, name: &str, marks: &Marks) -> NodeState {
        let node = self.world.nodes.get(name).map(|node| {
            let mut taints = node.taints.clone();
            taints.sort();
            KubeNode {
                uid: node.uid.clone(),
                ready: node.ready,
                unschedulable: node.unschedulable,
                taints,
                pod_cidrs: texts(&node.pod_cidrs),
            }
        });
        let cilium = self.world.cilium_nodes.get(name).map(|node| CiliumNodeState {
            uid: node.uid.clone(),
            pod_cidrs: node.pod_cidrs.clone(),
            operator_status: node.operator_status_present,
            error: node.error.clone(),
            router: node.router_ips.clone(),
            health: node.health_ips.clone(),
        });
        let agent = self
            .world
            .agent_on(name)
            .map(|agent| AgentState { ipam: agent.ipam.clone(), pod_cidrs: texts(&agent.pod_cidrs) });
        let kind = cilium_node_kind();
        let key = (String::new(), name.to_owned());
        let versions = since(self.history.of(&kind, &key.0, &key.1), marks.get(&kind, &key));
        let seen = distinct(versions.iter().map(cilium_node_seen));
        NodeState { role: role.to_string(), node, cilium, agent, seen }
    }

    /// Pods that are there or went away since `marks`.
    fn pods(&self, marks: &Marks) -> Vec<PodState> {
        let kind = pod_kind();
        let mut pods: Vec<PodState> = self
            .history
            .kind(&kind)
            .flat_map(|(key, versions)| {
                let from = marks.get(&kind, key);
                lives(versions, from).into_iter().map(move |life| (key, life))
            })
            .filter_map(|(key, life)| self.pod(key, life))
            .collect();
        pods.sort_by(|a, b| (a.gone, a.owner, &a.of, &a.name).cmp(&(b.gone, b.owner, &b.of, &b.name)));
        pods
    }

    fn pod(&self, key: &Key, life: Life<'_>) -> Option<PodState> {
        let last = life.versions.last()?;
        let facts = PodFacts::read(&last.object);
        let (owner, of) = self.owner(&facts)?;
        let seen = life
            .versions
            .iter()
            .take_while(|version| version.seen != Seen::Deleted)
            .map(|version| PodFacts::read(&version.object))
            .take_while(|facts| !facts.terminating)
            .map(|facts| PodSeen {
                ips: texts(&facts.ips),
                ready: facts.ready,
                restarts: facts.restarts,
                crashing: facts.waiting.as_deref() == Some("CrashLoopBackOff"),
            });
        let seen = distinct(seen);
        let endpoint = |endpoint: &CiliumEndpoint| endpoint.ipv4s.iter().chain(&endpoint.ipv6s).cloned().collect();
        Some(PodState {
            owner,
            node: facts.node.as_ref().map(|node| self.role(node)),
            pinned: last.object.pointer("/spec/nodeSelector/kubernetes.io~1hostname").is_some()
                || of == components::AGENT.name,
            host_network: facts.host_network,
            ips: texts(&facts.ips),
            phase: facts.phase.clone(),
            ready: facts.ready,
            restarts: facts.restarts,
            waiting: facts.waiting.clone(),
            terminating: facts.terminating,
            gone: life.gone,
            endpoint: self.world.endpoints.get(key).filter(|_| !life.gone).map(|found| endpoint(found)),
            seen,
            of,
            name: facts.name,
            uid: facts.uid,
        })
    }

    /// A node by its role; one that joined later by its name, which then shows as what it is: a node that nobody planned.
    fn role(&self, name: &str) -> String {
        let known = self.roles.iter().find(|(_, known)| known == name);
        known.map_or_else(|| name.to_owned(), |(role, _)| role.to_string())
    }

    /// Whose pod it is, if it is one that IPAM has to do with.
    fn owner(&self, pod: &PodFacts) -> Option<(Owner, String)> {
        if let Some(name) = pod.labels.get(crate::WORKLOAD_LABEL) {
            return Some((Owner::Workload, name.clone()));
        }
        let part = components::Component::ALL
            .iter()
            .find(|part| part.selects(|label| pod.labels.get(label).map(String::as_str)))?;
        (pod.namespace == components::NAMESPACE).then(|| (Owner::System, part.name.to_owned()))
    }

    /// Why the cluster is between two states, with the moment at which it may be settled although nothing changes any more.
    pub(crate) fn unsettled(&self, now: Instant) -> Option<(String, Option<Instant>)> {
        if let Some(why) = self.moves() {
            return Some((why, None));
        }
        let (why, quiet) = match self.hangs() {
            Some(why) => (why, STILL),
            None => ("something changed a moment ago".to_owned(), QUIET),
        };
        let of = |kind: &KindName| if *kind == lease_kind() { quiet.max(LEADS) } else { quiet };
        let rest = kinds().iter().filter_map(|kind| Some(self.last_change(kind)? + of(kind))).max()?;
        (now < rest).then_some((why, Some(rest)))
    }

    /// What is not known, or sure to change by itself.
    fn moves(&self) -> Option<String> {
        let world = self.world;
        if let Some(stale) = world.stale(&kinds()) {
            return Some(stale);
        }
        for (key, pod) in &world.pods {
            let Some((_, of)) = self.owner(pod) else { continue };
            if pod.terminating {
                return Some(format!("a pod of {of} is on its way out"));
            }
            // The operator restarts pods of CoreDNS that no agent knows, one after another (cilium/cilium:
            // operator/unmanagedpods).
            let lost = pod.phase == "Running" && !pod.host_network && !world.endpoints.contains_key(key);
            if of == components::COREDNS.name && lost && world.operator_leader().is_some() {
                return Some(format!("a pod of {of} has no CiliumEndpoint"));
            }
            // The first time it is not known yet whether it fails again.
            if pod.host_network && !pod.ready && pod.restarts > 0 && !self.crash_loops(key) {
                return Some(format!("a pod of {of} has been restarted"));
            }
        }
        None
    }

    /// What is not as it should be in the end, and may stay so: an agent that waits for what nobody gives it.
    fn hangs(&self) -> Option<String> {
        let world = self.world;
        // Without an operator nobody has to lead, and nobody takes taints away.
        let operated = world.component(&components::OPERATOR).next().is_some();
        if operated && world.operator_leader().is_none() {
            return Some("no operator leads".to_owned());
        }
        for (name, node) in &world.nodes {
            let role = self.role(name);
            if !node.ready {
                return Some(format!("node {role} is not ready"));
            }
            if node.taints.iter().any(|taint| taint == components::AGENT_NOT_READY_TAINT) {
                return Some(format!("node {role} is tainted {}", components::AGENT_NOT_READY_TAINT));
            }
            if world.agent_on(name).is_none() {
                return Some(format!("the agent on {role} has not said what it runs"));
            }
        }
        for (key, pod) in &world.pods {
            let Some((_, of)) = self.owner(pod) else { continue };
            // A pod that lost its network stays as it is, so that its probes fail for ever.
            let known = pod.host_network || world.endpoints.contains_key(key);
            let lost = !known && pod.phase == "Running" && !pod.ips.is_empty();
            if pod.is_live() && !pod.ready && !lost {
                return Some(format!("a pod of {of} is not ready"));
            }
        }
        None
    }

    /// Whether a part of Cilium in its node's network ends again and again: its pod was seen waiting for its next start.
    fn crash_loops(&self, key: &Key) -> bool {
        if self.world.pods.get(key).is_none_or(|pod| !pod.host_network || pod.restarts == 0) {
            return false;
        }
        let versions = self.history.of(&pod_kind(), &key.0, &key.1);
        let uid = versions.last().and_then(|version| version.object.pointer("/metadata/uid"));
        let own = versions.iter().rev().take_while(|version| version.object.pointer("/metadata/uid") == uid);
        own.filter(|version| version.seen != Seen::Deleted)
            .any(|version| crate::world::pod_waiting(&version.object).as_deref() == Some("CrashLoopBackOff"))
    }

    /// Why what CiliumNodes say may be a state in between, with the moment at which it may be settled although nothing changes any more.
    /// Less is asked than of the whole cluster: pods do not matter.
    pub(crate) fn unsettled_ipam(&self, now: Instant) -> Option<(String, Option<Instant>)> {
        let world = self.world;
        if let Some(stale) = world.stale(&kinds()) {
            return Some((stale, None));
        }
        let soon = |text: String, since: Instant, span: Duration| {
            (now.saturating_duration_since(since) < span).then(|| (text, Some(since + span)))
        };
        // Without an operator nobody has to lead.
        if world.operator_leader().is_none() && world.component(&components::OPERATOR).next().is_some() {
            return Some(("no operator leads".to_owned(), None));
        }
        if let Some(since) = self.last_change(&lease_kind())
            && let Some(early) = soon("the operator has just got its lease".to_owned(), since, OPERATOR_WRITES)
        {
            return Some(early);
        }
        let agents = world.agent_pods();
        for name in world.nodes.keys() {
            let role = self.role(name);
            let Some(pod) = agents.get(name) else { return Some((format!("there is no agent on {role}"), None)) };
            let versions = self.history.of(&pod_kind(), &pod.namespace, &pod.name);
            let since =
                versions.iter().rev().take_while(|v| crate::world::pod_restarts(&v.object) == pod.restarts).last();
            if world.agent_on(name).is_none()
                && let Some(since) = since
                && let Some(early) = soon(format!("the agent on {role} has just started"), since.at, AGENT_STARTS)
            {
                return Some(early);
            }
        }
        let last = [node_kind(), cilium_node_kind()].iter().filter_map(|kind| self.last_change(kind)).max()?;
        soon("a CiliumNode changed a moment ago".to_owned(), last, IPAM_QUIET)
    }

    /// When an object of a kind changed last. Nodes report their health all the time, and agents count on their own pods. What a pod that
    /// crash-loops goes through is one state.
    fn last_change(&self, kind: &KindName) -> Option<Instant> {
        let looping = |key: &Key| *kind == pod_kind() && self.crash_loops(key);
        let operators = self.world.component(&components::OPERATOR);
        let flapping = *kind == lease_kind()
            && operators.into_iter().any(|pod| self.crash_loops(&(pod.namespace.clone(), pod.name.clone())));
        let objects = self.history.kind(kind).filter(|(key, _)| !flapping && !looping(key));
        let lasts = objects.filter_map(|(_, versions)| {
            let mut last = versions.last()?;
            for version in versions.iter().rev().skip(1) {
                if (last.seen == Seen::Deleted) != (version.seen == Seen::Deleted)
                    || matter(kind, &last.object) != matter(kind, &version.object)
                {
                    break;
                }
                last = version;
            }
            Some(last.at)
        });
        lasts.max()
    }
}

/// What of an object can make a state another one.
fn matter(kind: &KindName, object: &Value) -> Vec<Value> {
    let at = |pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
    match kind.kind.as_str() {
        "Node" => {
            let facts = crate::world::NodeFacts::read(object);
            vec![at("/spec"), facts.ready.into()]
        }
        "Pod" => vec![
            at("/metadata/uid"),
            at("/metadata/deletionTimestamp"),
            at("/spec/nodeName"),
            at("/status/podIPs"),
            at("/status/phase"),
            crate::world::pod_ready(object).into(),
            crate::world::pod_restarts(object).into(),
        ],
        "Lease" => vec![at("/spec/holderIdentity")],
        "CiliumEndpoint" => vec![at("/metadata/uid"), at("/status/networking")],
        _ => vec![at("/spec"), at("/status")],
    }
}

/// One life of a name: from a creation to a deletion.
struct Life<'a> {
    versions: &'a [Version],
    gone: bool,
}

/// The lives that did not end before `from`; versions before it are left out but for the one at that time.
fn lives(versions: &[Version], from: usize) -> Vec<Life<'_>> {
    let mut lives = Vec::new();
    let mut begin = 0;
    for (index, version) in versions.iter().enumerate() {
        let gone = version.seen == Seen::Deleted;
        if !gone && index + 1 < versions.len() {
            continue;
        }
        if index >= from || !gone {
            let begin = begin.max(from.saturating_sub(1));
            lives.push(Life { versions: &versions[begin..=index], gone });
        }
        begin = index + 1;
    }
    lives
}

/// The versions from `from` on, and the one before it.
fn since(versions: &[Version], from: usize) -> &[Version] {
    versions.get(from.saturating_sub(1)..).unwrap_or_default()
}

fn cilium_node_seen(version: &Version) -> CiliumNodeSeen {
    let node = CiliumNode::from_value(&version.object).ok().filter(|_| version.seen != Seen::Deleted);
    node.map_or_else(
        || CiliumNodeSeen { absent: true, ..CiliumNodeSeen::default() },
        |node| CiliumNodeSeen { absent: false, pod_cidrs: node.pod_cidrs, error: node.error },
    )
}

/// Leaves out what repeats the one before it.
fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut all: Vec<T> = values.collect();
    all.dedup();
    all
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

/// Whether states of a cluster of this size are told.
pub(crate) fn is_told(world: &World) -> bool {
    world.nodes.len() <= MOST_NODES
}

#[cfg(test)]
mod tests;
