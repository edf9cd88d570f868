//! Whether there is room: for nodes in the pools, for pods in a node's range.

use ipam::agent::HostScope;
use ipam::operator::OperatorConfig;
use ipnet::IpNet;

use crate::output::grouped;
use crate::settings::{Settings, family_keys};
use crate::{Capacity, Finding, Origin, rules};

/// Router and health: what an agent takes for itself by the chart's defaults.
const OWN_ADDRESSES: u64 = 2;

/// From this share of used ranges on, in percent.
const NEARLY_FULL: f64 = 80.0;

pub(super) fn check(settings: &Settings, capacity: &[Capacity], findings: &mut Vec<Finding>) {
    let Ok(config) = OperatorConfig::from_config_map(&settings.config, settings.release) else { return };
    for capacity in capacity {
        let (_, pool) = config.family(capacity.family());
        let keys = family_keys(capacity.family());
        for_nodes(settings, capacity, keys.pools, findings);
        let Some(room) = addresses(&settings.elements(capacity.family()), pool.mask) else { continue };
        if room <= OWN_ADDRESSES {
            let what = if room < OWN_ADDRESSES {
                "the agent does not start"
            } else {
                "every pod fails with \"range is full\""
            };
            findings.push(
                Finding::new(
                    &rules::RANGE_TOO_SMALL_FOR_PODS,
                    settings.place(keys.mask),
                    format!(
                        "a /{} has {room} addresses to hand out, and the agent takes {OWN_ADDRESSES} for itself: {what}",
                        pool.mask
                    ),
                )
                .help("write a mask size of 29 or less (IPv4); 24 to 26 are usual"),
            );
            continue;
        }
        let most = settings.around.nodes.iter().filter_map(|(name, node)| Some((node.max_pods?, name))).max();
        if let Some((pods, name)) = most.filter(|(pods, _)| *pods > room - OWN_ADDRESSES) {
            findings.push(
                Finding::new(
                    &rules::RANGE_SMALLER_THAN_MAX_PODS,
                    settings.place(keys.mask),
                    format!(
                        "node {name} takes up to {pods} pods, and a /{} has addresses for {}",
                        pool.mask,
                        room - OWN_ADDRESSES
                    ),
                )
                .help("lower the kubelet's `maxPods`, or plan new nodes with a smaller mask size")
                .node(name.clone()),
            );
        }
    }
}

/// How many addresses a node's range has to hand out.
fn addresses(elements: &[crate::settings::Element], mask: i64) -> Option<u64> {
    let net = elements.iter().find_map(|element| element.net)?;
    let range = IpNet::new(net.network(), u8::try_from(mask).ok()?).ok()?;
    Some(HostScope::new(range).capacity())
}

fn for_nodes(settings: &Settings, capacity: &Capacity, key: &str, findings: &mut Vec<Finding>) {
    let total = u128::from(capacity.ranges);
    let append = "append a pool to the list; existing elements stay as they are";
    if let Some(nodes) = capacity.nodes.filter(|nodes| u128::from(*nodes) > total) {
        let left = u128::from(nodes) - total;
        findings.push(
            Finding::new(
                &rules::POOL_TOO_SMALL_FOR_NODES,
                settings.place(key),
                format!(
                    "{} nodes and {} {} ranges: {} get none, with operator-status \"allocator full\"",
                    grouped(u128::from(nodes)),
                    grouped(total),
                    capacity.family,
                    grouped(left)
                ),
            )
            .help(append),
        );
    } else if capacity.share_used().is_some_and(|share| share >= NEARLY_FULL)
        && !matches!(settings.origin, Origin::Scenario { .. })
    {
        let used = capacity.used.or(capacity.nodes).unwrap_or(0);
        findings.push(
            Finding::new(
                &rules::POOL_NEARLY_FULL,
                settings.place(key),
                format!(
                    "{} of {} {} ranges are used: there is room for {} more nodes",
                    grouped(u128::from(used)),
                    grouped(total),
                    capacity.family,
                    grouped(total.saturating_sub(u128::from(used)))
                ),
            )
            .help(append),
        );
    }
}
