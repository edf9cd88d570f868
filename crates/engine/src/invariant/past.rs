//! What was so when: the past as the rules ask for it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use cilium::CiliumNode;
use ipnet::IpNet;
use serde_json::Value;
use tokio::time::Instant;

use super::{Seen, View};
use crate::observe::{self, KindName, Version};
use crate::world::{NodeFacts, PodFacts};

pub(super) use crate::observe::{cilium_node_kind, config_kind, endpoint_kind, lease_kind, node_kind, pod_kind};

/// The version in force at `from`, and all after it.
fn in_force(versions: &[Version], from: Instant) -> &[Version] {
    let later = versions.partition_point(|version| version.at <= from);
    &versions[later.saturating_sub(1)..]
}

/// Whether versions may be missing since `from`.
fn has_gap(versions: &[Version], from: Instant) -> bool {
    versions.iter().any(|version| version.at >= from && version.seen == observe::Seen::AfterGap)
}

/// The ranges that a node's CiliumNode has, or has had since `from`. One that was away then counts by what it said before: that it is not
/// there says nothing about the agent's range. None where that is not known.
pub(super) fn ranges_since(view: View<'_>, node: &str, from: Instant) -> Option<Vec<IpNet>> {
    let versions = view.history.of(&cilium_node_kind(), "", node);
    if has_gap(versions, from) {
        return None;
    }
    let alive = |version: &&Version| version.seen != observe::Seen::Deleted;
    let since = in_force(versions, from);
    let before = &versions[..versions.len() - since.len()];
    let last = match since.first() {
        Some(first) if first.seen == observe::Seen::Deleted => before.iter().rev().find(alive),
        _ => None,
    };
    Some(last.into_iter().chain(since.iter().filter(alive)).flat_map(|version| pod_cidrs(&version.object)).collect())
}

/// A Node's podCIDRs, where an agent in mode kubernetes runs on it, or has run: it uses these whatever the CiliumNode says.
pub(super) fn ranges_of_kubernetes(view: View<'_>, node: &str) -> Vec<IpNet> {
    let takes = view.world.agents.values().any(|agent| agent.node == node && agent.ipam == "kubernetes");
    if !takes {
        return Vec::new();
    }
    let versions = view.history.of(&node_kind(), "", node);
    versions.iter().flat_map(|version| NodeFacts::read(&version.object).pod_cidrs).collect()
}

/// A CiliumNode's podCIDRs, as far as they are ranges.
pub(super) fn pod_cidrs(cilium_node: &Value) -> Vec<IpNet> {
    let texts = cilium_node.pointer("/spec/ipam/podCIDRs").and_then(Value::as_array);
    texts.into_iter().flatten().filter_map(|text| text.as_str()?.parse().ok()).collect()
}

/// The same of one that was read already.
pub(super) fn ranges(node: &CiliumNode) -> Vec<IpNet> {
    node.pod_cidrs.iter().filter_map(|text| text.parse().ok()).collect()
}

pub(super) fn contains(ranges: &[IpNet], ip: IpAddr) -> bool {
    ranges.iter().any(|range| range.contains(&ip))
}

/// Whether an object is there and not on its way out.
pub(super) fn is_live(view: View<'_>, kind: &KindName, namespace: &str, name: &str) -> bool {
    let key = (namespace.to_owned(), name.to_owned());
    let object = view.world.objects.get(kind).and_then(|objects| objects.get(&key));
    object.is_some_and(|object| object["metadata"]["deletionTimestamp"].is_null())
}

/// When a pod was first seen.
pub(super) fn made(view: View<'_>, pod: &PodFacts) -> Option<Instant> {
    let versions = view.history.of(&pod_kind(), &pod.namespace, &pod.name);
    versions.iter().find(|version| uid(&version.object) == pod.uid).map(|version| version.at)
}

/// When this run of a pod's containers was first seen.
pub(super) fn began(view: View<'_>, pod: &PodFacts) -> Option<Instant> {
    let versions = view.history.of(&pod_kind(), &pod.namespace, &pod.name);
    let same = |version: &&Version| {
        uid(&version.object) == pod.uid && crate::world::pod_restarts(&version.object) == pod.restarts
    };
    versions.iter().find(same).map(|version| version.at)
}

/// When this run of a pod's containers was first seen to run, or the pod to be ready.
fn running(view: View<'_>, pod: &PodFacts) -> Option<Instant> {
    let versions = view.history.of(&pod_kind(), &pod.namespace, &pod.name);
    let runs = |object: &Value| {
        let statuses = object["status"]["containerStatuses"].as_array();
        statuses.into_iter().flatten().any(|status| !status["state"]["running"].is_null())
            || crate::world::pod_ready(object)
    };
    let same = |version: &&Version| {
        uid(&version.object) == pod.uid
            && crate::world::pod_restarts(&version.object) == pod.restarts
            && runs(&version.object)
    };
    versions.iter().find(same).map(|version| version.at)
}

fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

/// The leading operator's pod. The lease names it by its node: `NODE-RANDOM` (cilium/cilium: operator/cmd/root.go).
pub(super) fn leading_operator(view: View<'_>) -> Option<Arc<PodFacts>> {
    let holder = view.world.operator_leader().map(AsRef::as_ref)?;
    view.world.component(&cilium::components::OPERATOR).find(|pod| {
        let rest = pod.node.as_deref().and_then(|node| holder.strip_prefix(node)?.strip_prefix('-'));
        pod.is_live() && rest.is_some_and(|rest| !rest.contains('-'))
    })
}

/// Every `cilium-config` that a pod's process may have read at its start. The volume of a pod that lives longer than one process is
/// brought up to date at some time, so each content since the pod was made counts. None where that is not known.
pub(crate) fn config_at_start(view: View<'_>, pod: &PodFacts) -> Option<Vec<BTreeMap<String, String>>> {
    let versions = view.history.of(&config_kind(), cilium::components::NAMESPACE, cilium::config::CONFIG_MAP);
    let (from, to) = (made(view, pod)?, running(view, pod)?);
    if has_gap(versions, from) {
        return None;
    }
    let data = |version: &Version| {
        let data = version.object["data"].as_object();
        data.into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect()
    };
    let mut found: Vec<_> = in_force(versions, from)
        .iter()
        .take_while(|version| version.at <= to || version.at <= from)
        .map(data)
        .collect();
    found.dedup();
    (!found.is_empty()).then_some(found)
}

/// An object in the version in which it got what `of` reads of it.
pub(super) fn seen<T: PartialEq>(
    view: View<'_>,
    kind: &KindName,
    namespace: &str,
    name: &str,
    what: String,
    of: impl Fn(&Value) -> T,
) -> Option<Seen> {
    let versions = view.history.of(kind, namespace, name);
    let now = of(&versions.last()?.object);
    let first = versions.iter().rev().take_while(|version| of(&version.object) == now).last()?;
    Some(one(kind, first, what))
}

/// One version of an object.
pub(super) fn one(kind: &KindName, version: &Version, what: String) -> Seen {
    let (namespace, name) = observe::key(&version.object);
    let slash = if namespace.is_empty() { "" } else { "/" };
    Seen {
        object: format!("{}/{namespace}{slash}{name}", kind.kind),
        version: version.version().to_owned(),
        at: version.at,
        what,
        value: version.object.clone(),
    }
}

/// A node's CiliumNode, with its podCIDRs; nothing where there has never been one.
pub(super) fn seen_cilium_node(view: View<'_>, node: &str) -> Option<Seen> {
    let kind = cilium_node_kind();
    let last = view.history.of(&kind, "", node).last()?;
    let what = if last.seen == observe::Seen::Deleted {
        "deleted".to_owned()
    } else {
        format!("spec.ipam.podCIDRs {}", super::list(&pod_cidrs(&last.object)))
    };
    seen(view, &kind, "", node, what, |object| object.pointer("/spec/ipam/podCIDRs").cloned())
}
