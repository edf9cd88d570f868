//! A podCIDR outside every pool comes with an operator-status error.
//!
//! Judged where an operator in mode cluster-pool leads, by the pools that it was started with: what `cilium-config` says now it has not
//! read. It needs time: one that has just got the lease first wrote after 11 s, as seen on a real cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use cilium::config::IpamSettings;
use events::Invariant;
use ipnet::IpNet;
use semver::Version;

use super::{Finding, Rule, Touch, View, list, past};
use crate::observe::KindName;

pub(super) const RULE: Rule = Rule { invariant: Invariant::ForeignPodCidrReported, kinds, touched, judge };

const GRACE: Duration = Duration::from_secs(30);

fn kinds() -> Vec<KindName> {
    vec![past::cilium_node_kind(), past::pod_kind(), past::lease_kind(), past::config_kind()]
}

fn touched(touch: Touch<'_>, view: View<'_>) -> Vec<String> {
    match touch {
        Touch::Object { kind: "CiliumNode", before, after, deleted: false } => {
            let what = |object: &serde_json::Value| {
                (
                    object.pointer("/spec/ipam/podCIDRs").cloned(),
                    object.pointer("/status/ipam/operator-status").cloned(),
                )
            };
            let changed = before.is_none_or(|before| what(before) != what(after));
            let name = after["metadata"]["name"].as_str().filter(|_| changed);
            name.map(str::to_owned).into_iter().collect()
        }
        Touch::Object { kind: "Lease", .. } => view.world.cilium_nodes.keys().cloned().collect(),
        Touch::Object { kind: "Pod", after, .. }
            if cilium::components::OPERATOR.selects(|label| after["metadata"]["labels"][label].as_str()) =>
        {
            view.world.cilium_nodes.keys().cloned().collect()
        }
        _ => Vec::new(),
    }
}

fn judge(name: &str, view: View<'_>) -> Option<Finding> {
    let own = view.world.cilium_nodes.get(name)?;
    if own.error.is_some() || own.pod_cidrs.is_empty() {
        return None;
    }
    let version = view.world.cilium_version.as_ref()?;
    let operator = past::leading_operator(view).filter(|pod| pod.ready)?;
    // Where it is open which configuration it has read, it is judged by the pools of all.
    let configs = past::config_at_start(view, &operator)?;
    let mut pools = Vec::new();
    for config in &configs {
        pools.extend(pools_of(config, version)?);
    }
    let foreign = past::ranges(own).into_iter().find(|range| {
        let mut family = pools.iter().filter(|pool| pool.addr().is_ipv4() == range.addr().is_ipv4()).peekable();
        family.peek().is_some() && family.all(|pool| !pool.contains(range) && !range.contains(pool))
    })?;
    let kind = past::cilium_node_kind();
    let (key, ignore) = ((String::new(), name.to_owned()), cilium::components::IGNORE_ANNOTATION);
    let object = view.world.objects.get(&kind).and_then(|objects| objects.get(&key))?;
    if !object["metadata"]["annotations"][ignore].is_null() {
        return None;
    }
    let what = format!("spec.ipam.podCIDRs {}, no operator-status error", list(&own.pod_cidrs));
    let seen = past::seen(view, &kind, "", name, what, |object| {
        (object.pointer("/spec/ipam/podCIDRs").cloned(), object.pointer("/status/ipam/operator-status").cloned())
    });
    let what = format!("leads, with the pools {}", list(&pools));
    let (namespace, name) = (&operator.namespace, &operator.name);
    let leader = past::seen(view, &past::pod_kind(), namespace, name, what, crate::world::pod_ready);
    Some(Finding {
        seen: seen.into_iter().chain(leader).collect(),
        field: "status.ipam.operator-status.error",
        expected: format!("an error, since {foreign} is in none of the pools {}", list(&pools)),
        observed: "none".to_owned(),
        grace: GRACE,
        under: format!(
            "{} {}",
            view.world.operator_leader().map(AsRef::as_ref).unwrap_or_default(),
            list(&own.pod_cidrs)
        ),
    })
}

/// The pools of the families that are on; none in another mode, or where the operator would not start with them.
fn pools_of(config: &BTreeMap<String, String>, version: &Version) -> Option<Vec<IpNet>> {
    let settings = IpamSettings::read(config, version);
    if settings.mode != "cluster-pool" || settings.refused().is_some() {
        return None;
    }
    let v4 = settings.ipv4.cidrs.iter().filter(|_| settings.ipv4_enabled);
    let v6 = settings.ipv6.cidrs.iter().filter(|_| settings.ipv6_enabled);
    v4.chain(v6).map(|text| text.parse::<IpNet>().ok().map(|pool| pool.trunc())).collect()
}
