//! No two live pods share an IP.
//!
//! A kubelet tells a pod's new address some seconds late, and a pod that its agent has given up shows its old one for ever. What counts
//! is therefore what agents hold: two pods share an IP when the CiliumEndpoints of both have it. Where a cluster has no CiliumEndpoints,
//! what the pods show has to do, and has to last.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cilium::CiliumEndpoint;
use events::Invariant;

use super::{Finding, Rule, Seen, Touch, View, past};
use crate::world::{Key, PodFacts};

pub(super) const RULE: Rule = Rule { invariant: Invariant::PodIpsUnique, kinds, touched, judge };

/// Agents remove the CiliumEndpoint of a pod that they gave up some seconds after they have become ready (pkg/endpointcleanup).
const ENDPOINTS: Duration = Duration::from_secs(20);
/// Kubelets write a pod's status within 10 s, and on a loaded machine later.
const SHOWN: Duration = Duration::from_secs(60);

fn kinds() -> Vec<crate::observe::KindName> {
    vec![past::pod_kind(), past::endpoint_kind()]
}

fn touched(touch: Touch<'_>, _: View<'_>) -> Vec<String> {
    let ips: Vec<IpAddr> = match touch {
        Touch::Object { kind: "Pod", after, deleted: false, .. } => {
            let pod = PodFacts::read(after);
            if pod.host_network { Vec::new() } else { pod.ips }
        }
        Touch::Object { kind: "CiliumEndpoint", after, deleted: false, .. } => {
            CiliumEndpoint::from_value(after).map(|endpoint| addresses(&endpoint)).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    ips.iter().map(ToString::to_string).collect()
}

fn addresses(endpoint: &CiliumEndpoint) -> Vec<IpAddr> {
    endpoint.ipv4s.iter().chain(&endpoint.ipv6s).filter_map(|ip| ip.parse().ok()).collect()
}

fn judge(ip: &str, view: View<'_>) -> Option<Finding> {
    let address: IpAddr = ip.parse().ok()?;
    let world = view.world;
    let told = !world.endpoints.is_empty();
    let holds = |key: &Key| world.endpoints.get(key).is_some_and(|endpoint| addresses(endpoint).contains(&address));
    let mut holders: Vec<Arc<PodFacts>> = world
        .pods
        .iter()
        .filter(|(key, pod)| !pod.host_network && pod.is_live() && pod.ips.contains(&address) && (!told || holds(key)))
        .map(|(_, pod)| pod.clone())
        .collect();
    if holders.len() < 2 {
        return None;
    }
    holders.sort_by_key(|pod| std::cmp::Reverse(past::made(view, pod)));
    let (later, earlier) = (&holders[0], &holders[1]);
    Some(Finding {
        seen: [later, earlier].into_iter().filter_map(|pod| seen(view, pod)).collect(),
        field: "status.podIPs",
        expected: format!("another address than {}", earlier.object()),
        observed: ip.to_owned(),
        grace: if told { ENDPOINTS } else { SHOWN },
        under: format!("{} {}", later.uid, earlier.uid),
    })
}

fn seen(view: View<'_>, pod: &PodFacts) -> Option<Seen> {
    let node = pod.node.as_deref().unwrap_or("no node");
    let what = format!("status.podIPs {} on {node}", super::list(&pod.ips));
    past::seen(view, &past::pod_kind(), &pod.namespace, &pod.name, what, |object| PodFacts::read(object).ips)
}
