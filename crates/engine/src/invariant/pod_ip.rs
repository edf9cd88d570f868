//! A pod's IP lies in a podCIDR that its node has, or had when the pod was made.
//!
//! An agent in mode kubernetes takes its Node's podCIDRs, whatever the CiliumNode says (on 1.20 the two differ after a switch of the mode).
//! In modes other than that and cluster-pool a podCIDR means something else, so nothing is said there.

use std::time::Duration;

use events::Invariant;

use super::{Finding, Rule, Touch, View, list, past};
use crate::observe::KindName;
use crate::world::PodFacts;

pub(super) const RULE: Rule = Rule { invariant: Invariant::PodIpInPodCidr, kinds, touched, judge };

/// Two watches are not in step, and an agent writes its CiliumNode beside its work.
const GRACE: Duration = Duration::from_secs(15);

fn kinds() -> Vec<KindName> {
    vec![past::pod_kind(), past::cilium_node_kind(), past::node_kind()]
}

fn touched(touch: Touch<'_>, view: View<'_>) -> Vec<String> {
    let subject = |pod: &PodFacts| format!("{}/{}", pod.namespace, pod.name);
    match touch {
        Touch::Object { kind: "Pod", before, after, deleted: false } => {
            let pod = PodFacts::read(after);
            let same = before.is_some_and(|before| PodFacts::read(before).ips == pod.ips);
            if pod.host_network || pod.ips.is_empty() || same { Vec::new() } else { vec![subject(&pod)] }
        }
        // What it uses was not known before.
        Touch::Agent { node } => {
            let pods = view.world.pods.values();
            let own = pods.filter(|pod| pod.node.as_deref() == Some(node) && !pod.host_network && !pod.ips.is_empty());
            own.map(|pod| subject(pod)).collect()
        }
        Touch::Object { .. } => Vec::new(),
    }
}

fn judge(subject: &str, view: View<'_>) -> Option<Finding> {
    let (namespace, name) = subject.split_once('/')?;
    let pod = view.world.pods.get(&(namespace.to_owned(), name.to_owned()))?;
    let node = pod.node.as_deref()?;
    let agent = view.world.agent_on(node)?;
    if !pod.is_live() || pod.host_network || !matches!(agent.ipam.as_str(), "cluster-pool" | "kubernetes") {
        return None;
    }
    let mut ranges = past::ranges_since(view, node, past::made(view, pod)?)?;
    ranges.extend(past::ranges_of_kubernetes(view, node));
    let outside = *pod.ips.iter().find(|ip| !past::contains(&ranges, **ip))?;
    if !is_ciliums(view, pod, node) {
        return None;
    }
    let what = format!("status.podIPs {} on {node}", list(&pod.ips));
    let pod_seen = past::seen(view, &past::pod_kind(), namespace, name, what, |object| PodFacts::read(object).ips);
    ranges.dedup();
    Some(Finding {
        seen: pod_seen.into_iter().chain(past::seen_cilium_node(view, node)).collect(),
        field: "status.podIPs",
        expected: format!("an address in {}", list(&ranges)),
        observed: outside.to_string(),
        grace: GRACE,
        under: pod.uid.clone(),
    })
}

/// Whether the pod got its address when there was an agent on its node already. On a cluster that had another network before, an older one
/// is not Cilium's.
fn is_ciliums(view: View<'_>, pod: &PodFacts, node: &str) -> bool {
    let kind = past::pod_kind();
    let versions = view.history.of(&kind, &pod.namespace, &pod.name);
    let Some(given) = versions.iter().find(|version| PodFacts::read(&version.object).ips == pod.ips) else {
        return false;
    };
    let in_namespace =
        view.history.kind(&kind).filter(|((namespace, _), _)| namespace == cilium::components::NAMESPACE);
    let mut agents = in_namespace.filter_map(|(_, versions)| {
        let of_node = |object: &serde_json::Value| object["spec"]["nodeName"].as_str() == Some(node);
        let first = versions.iter().find(|version| of_node(&version.object))?;
        let is_agent = cilium::components::AGENT.selects(|label| first.object["metadata"]["labels"][label].as_str());
        is_agent.then_some(first.at)
    });
    agents.any(|since| since <= given.at)
}
