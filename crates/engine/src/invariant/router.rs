//! The router address lies in a podCIDR that the node has, or had while its agent ran.
//!
//! An agent keeps the range that it was started with, and its router with it, when the CiliumNode's podCIDRs change beneath it. Judged once
//! the agent that runs now has answered: until then the address is its predecessor's.

use std::net::IpAddr;
use std::time::Duration;

use events::Invariant;

use super::{Finding, Rule, Touch, View, list, past};
use crate::observe::KindName;

pub(super) const RULE: Rule = Rule { invariant: Invariant::RouterInPodCidr, kinds, touched, judge };

/// Two watches are not in step, and an agent writes its CiliumNode beside its work.
const GRACE: Duration = Duration::from_secs(15);

fn kinds() -> Vec<KindName> {
    vec![past::pod_kind(), past::cilium_node_kind(), past::node_kind()]
}

fn touched(touch: Touch<'_>, _: View<'_>) -> Vec<String> {
    match touch {
        Touch::Object { kind: "CiliumNode", before, after, deleted: false } => {
            let changed = before.is_none_or(|before| before["spec"] != after["spec"]);
            let name = after["metadata"]["name"].as_str().filter(|_| changed);
            name.map(str::to_owned).into_iter().collect()
        }
        Touch::Agent { node } => vec![node.to_owned()],
        Touch::Object { .. } => Vec::new(),
    }
}

fn judge(name: &str, view: View<'_>) -> Option<Finding> {
    let own = view.world.cilium_nodes.get(name)?;
    let agent = view.world.agent_on(name)?;
    if !matches!(agent.ipam.as_str(), "cluster-pool" | "kubernetes") {
        return None;
    }
    let pod = view.world.agent_pods().remove(name)?;
    let began = past::began(view, &pod)?;
    let mut ranges = past::ranges_since(view, name, began)?;
    ranges.extend(past::ranges_of_kubernetes(view, name));
    // What is left of a family that was turned off belongs to no range.
    let served = |ip: &IpAddr| agent.pod_cidrs.iter().any(|range| range.addr().is_ipv4() == ip.is_ipv4());
    let routers = own.router_ips.iter().filter_map(|ip| ip.parse::<IpAddr>().ok());
    let outside = routers.filter(served).find(|ip| !past::contains(&ranges, *ip))?;
    let kind = past::cilium_node_kind();
    let what = format!("CiliumInternalIP {}; spec.ipam.podCIDRs {}", list(&own.router_ips), list(&own.pod_cidrs));
    let node = past::seen(view, &kind, "", name, what, |object| object["spec"].clone());
    let what = format!("runs {} from {}", agent.ipam, list(&agent.pod_cidrs));
    let pod_seen = past::seen(view, &past::pod_kind(), &pod.namespace, &pod.name, what, crate::world::pod_ready);
    ranges.dedup();
    Some(Finding {
        seen: node.into_iter().chain(pod_seen).collect(),
        field: "spec.addresses",
        expected: format!("a CiliumInternalIP in {}", list(&ranges)),
        observed: outside.to_string(),
        grace: GRACE,
        under: pod.incarnation(),
    })
}
