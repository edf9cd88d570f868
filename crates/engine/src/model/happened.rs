//! From the history of the watched objects to what happened to IPAM.

use std::collections::BTreeMap;
use std::time::Duration;

use cilium::components::{AGENT, Component, NAMESPACE, OPERATOR};
use cilium::config;
use predict::oracle::Happened;
use serde_json::Value;
use tokio::time::Instant;

use crate::invariant::{View, config_at_start};
use crate::observe::{KindName, Seen, Version, cilium_node_kind, lease_kind, node_kind, pod_kind};
use crate::world::{Key, NodeFacts, PodFacts, pod_restarts};

/// The watches on leases and pods are out of step by no more than this.
const OUT_OF_STEP: Duration = Duration::from_secs(5);

/// The keys of `cilium-config` that IPAM depends on.
const KEYS: [&str; 7] = [
    config::IPAM,
    config::CLUSTER_POOL_IPV4_CIDR,
    config::CLUSTER_POOL_IPV4_MASK_SIZE,
    config::CLUSTER_POOL_IPV6_CIDR,
    config::CLUSTER_POOL_IPV6_MASK_SIZE,
    config::ENABLE_IPV4,
    config::ENABLE_IPV6,
];

/// How much of the history was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Reader {
    read: BTreeMap<(KindName, Key), usize>,
    /// Agents that have started, by the UID of their pod: how often.
    agents: BTreeMap<String, u64>,
    edits: Vec<(Instant, Happened)>,
}

/// When, in which order at that moment, and what.
type Dated = (Instant, u8, Happened);

impl Reader {
    /// Somebody else than operator and agent wrote a CiliumNode.
    pub(super) fn edited(&mut self, at: Instant, what: Happened) {
        self.edits.push((at, what));
    }

    /// What happened since it was asked last, in order.
    pub(super) fn read(&mut self, view: View<'_>) -> Vec<Happened> {
        let mut found: Vec<Dated> = self.edits.drain(..).map(|(at, what)| (at, 5, what)).collect();
        for (kind, key, versions, from) in self.news(view, &node_kind()) {
            nodes(&key, versions, from, &mut found);
            self.read.insert((kind, key), versions.len());
        }
        for (kind, key, versions, from) in self.news(view, &cilium_node_kind()) {
            let gone = versions[from..].iter().filter(|version| version.seen == Seen::Deleted);
            found.extend(gone.map(|version| (version.at, 0, Happened::CiliumNodeDeleted { node: key.1.clone() })));
            self.read.insert((kind, key), versions.len());
        }
        for (kind, key, versions, from) in self.news(view, &lease_kind()) {
            found.extend(versions[from..].iter().map(|version| leadership(view, version)));
            self.read.insert((kind, key), versions.len());
        }
        for (kind, key, versions, from) in self.news(view, &pod_kind()) {
            for version in &versions[from..] {
                self.agent(view, version, &mut found);
                found.extend(end_of_leader(view, version));
            }
            self.read.insert((kind, key), versions.len());
        }
        found.sort_by_key(|(at, rank, _)| (*at, *rank));
        found.into_iter().map(|(_, _, what)| what).collect()
    }

    /// Objects with versions that were not read yet.
    fn news<'a>(&self, view: View<'a>, kind: &KindName) -> Vec<(KindName, Key, &'a [Version], usize)> {
        let objects = view.history.kind(kind);
        objects
            .map(|(key, versions)| (kind.clone(), key.clone(), versions))
            .map(|(kind, key, versions)| {
                let from = self.read.get(&(kind.clone(), key.clone())).copied().unwrap_or(0);
                (kind, key, versions, from)
            })
            .filter(|(_, _, versions, from)| *from < versions.len())
            .collect()
    }

    fn agent(&mut self, view: View<'_>, version: &Version, found: &mut Vec<Dated>) {
        let object = &version.object;
        if version.seen == Seen::Deleted || !is_part(object, AGENT) || !runs(object, AGENT.container) {
            return;
        }
        let pod = PodFacts::read(object);
        let Some(node) = pod.node.clone() else { return };
        let restarts = pod_restarts(object);
        match self.agents.insert(pod.uid.clone(), restarts) {
            None => {
                let what = match read_by(view, &pod) {
                    Ok(config) => Happened::AgentStarted { node, config },
                    Err(why) => Happened::NotKnown(why),
                };
                found.push((version.at, 2, what));
            }
            Some(before) if before < restarts => found.push((version.at, 2, Happened::AgentRestarted { node })),
            Some(_) => {}
        }
    }
}

fn nodes(key: &Key, versions: &[Version], from: usize, found: &mut Vec<Dated>) {
    let texts = |version: &Version| -> Vec<String> {
        NodeFacts::read(&version.object).pod_cidrs.iter().map(ToString::to_string).collect()
    };
    let node = key.1.clone();
    let mut before = from.checked_sub(1).map(|last| &versions[last]).filter(|last| last.seen != Seen::Deleted);
    for version in &versions[from..] {
        if version.seen == Seen::Deleted {
            found.push((version.at, 0, Happened::NodeLeft { node: node.clone() }));
            before = None;
            continue;
        }
        let pod_cidrs = texts(version);
        let what = match before {
            None => Some(Happened::NodeJoined { node: node.clone(), pod_cidrs }),
            Some(before) if texts(before) != pod_cidrs => Some(Happened::NodeRanges { node: node.clone(), pod_cidrs }),
            Some(_) => None,
        };
        found.extend(what.map(|what| (version.at, 1, what)));
        before = Some(version);
    }
}

/// Who leads from a version of the lease on.
fn leadership(view: View<'_>, lease: &Version) -> Dated {
    let holder = lease.object["spec"]["holderIdentity"].as_str().filter(|holder| !holder.is_empty());
    let Some(holder) = holder.filter(|_| lease.seen != Seen::Deleted) else {
        return (lease.at, 3, Happened::OperatorGone);
    };
    let config = match operator_of(view, holder, lease.at) {
        Some(pod) => read_by(view, &pod),
        None => Err(format!("which pod the leading operator {holder} is, is not known")),
    };
    (lease.at, 4, config.map_or_else(Happened::NotKnown, |config| Happened::OperatorLeads { config }))
}

/// The end of the process that the lease names. Not every operator gives its lease back as it ends.
fn end_of_leader(view: View<'_>, version: &Version) -> Option<Dated> {
    let object = &version.object;
    if !is_part(object, OPERATOR) || !has_ended(version) {
        return None;
    }
    let leases = lease_kind();
    let then = view.history.kind(&leases).find_map(|(_, versions)| {
        versions.iter().rev().find(|lease| lease.at <= version.at && lease.seen != Seen::Deleted)
    })?;
    let leader = operator_of(view, then.object["spec"]["holderIdentity"].as_str()?, then.at)?;
    (object["metadata"]["uid"] == *leader.uid).then_some((version.at, 3, Happened::OperatorGone))
}

/// Whether nothing of an operator's pod runs any more.
fn has_ended(version: &Version) -> bool {
    let status = &version.object["status"];
    let containers = status["containerStatuses"].as_array().into_iter().flatten();
    let mut own = containers.filter(|container| container["name"] == OPERATOR.container);
    version.seen == Seen::Deleted
        || matches!(status["phase"].as_str(), Some("Succeeded" | "Failed"))
        || own.any(|container| !container["state"]["terminated"].is_null())
}

/// The operator's pod that a lease names by its node, as it was then.
fn operator_of(view: View<'_>, holder: &str, at: Instant) -> Option<PodFacts> {
    let kind = pod_kind();
    let last = view.history.kind(&kind).filter_map(|(_, versions)| {
        let then = versions.iter().rev().find(|version| version.at <= at + OUT_OF_STEP)?;
        let of_operator = is_part(&then.object, OPERATOR);
        let node = then.object["spec"]["nodeName"].as_str()?;
        let rest = holder.strip_prefix(node)?.strip_prefix('-')?;
        (of_operator && !rest.contains('-')).then(|| (versions.first().map(|first| first.at), then))
    });
    last.max_by_key(|(since, _)| *since).map(|(_, then)| PodFacts::read(&then.object))
}

/// What a pod's process has read of `cilium-config`, as far as IPAM depends on it.
fn read_by(view: View<'_>, pod: &PodFacts) -> Result<BTreeMap<String, String>, String> {
    let not_known = |why: &str| Err(format!("which cilium-config {} has read is not known: {why}", pod.name));
    let Some(configs) = config_at_start(view, pod) else { return not_known("it was not seen to start") };
    let relevant = |config: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        KEYS.iter().filter_map(|key| Some(((*key).to_owned(), config.get(*key)?.clone()))).collect()
    };
    match configs.as_slice() {
        [first, rest @ ..] if rest.iter().all(|other| relevant(other) == relevant(first)) => Ok(first.clone()),
        _ => not_known("it changed while the pod was there"),
    }
}

/// Whether a pod is one of a part of Cilium.
fn is_part(pod: &Value, part: Component) -> bool {
    let metadata = &pod["metadata"];
    metadata["namespace"] == NAMESPACE && part.selects(|label| metadata["labels"][label].as_str())
}

/// Whether a container of a pod runs.
fn runs(pod: &Value, container: &str) -> bool {
    let statuses = pod["status"]["containerStatuses"].as_array();
    let own = statuses.into_iter().flatten().find(|status| status["name"] == container);
    own.is_some_and(|status| !status["state"]["running"].is_null())
}
