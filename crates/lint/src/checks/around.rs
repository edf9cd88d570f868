//! Pools against what is around them: Services, nodes, the Nodes' podCIDRs, the native-routing CIDR.

use ipam::cidr::{Blocks, is_subset, overlaps};
use ipam::operator::{Family, OperatorConfig};
use ipnet::IpNet;

use crate::settings::{Element, Settings, family_keys};
use crate::{Finding, Rule, Severity, rules};

pub(super) fn check(settings: &Settings, findings: &mut Vec<Finding>) {
    let Ok(config) = OperatorConfig::from_config_map(&settings.config, settings.release) else { return };
    for family in Family::BOTH {
        let (enabled, pool) = config.family(family);
        if !enabled {
            continue;
        }
        let elements = settings.elements(family);
        let reach = Reach { settings, mask: pool.mask, elements: &elements };
        let around = &settings.around;
        for service in &around.services {
            reach.report(&rules::POOL_OVERLAPS_SERVICE_CIDR, "Services", &[*service], findings);
        }
        for subnet in &around.pod_subnets {
            reach.report(
                &rules::POOL_OVERLAPS_POD_SUBNET,
                "Nodes' podCIDRs (kube-controller-manager)",
                &[*subnet],
                findings,
            );
        }
        let addresses: Vec<IpNet> = around.nodes.values().flat_map(|node| node.addresses.iter().copied()).collect();
        reach.report(&rules::POOL_OVERLAPS_NODE_NETWORK, "nodes", &addresses, findings);
        for network in &around.node_networks {
            reach.report(&rules::POOL_OVERLAPS_NODE_NETWORK, "nodes", &[*network], findings);
        }
        native(settings, family, &elements, findings);
    }
}

/// How far the allocator has to come until it reaches something.
struct Reach<'a> {
    settings: &'a Settings,
    mask: i64,
    elements: &'a [Element],
}

impl Reach<'_> {
    /// Reports the first pool that one of `others` lies in, if there is one: the one that the allocator reaches first.
    fn report(&self, rule: &'static Rule, whose: &str, others: &[IpNet], findings: &mut Vec<Finding>) {
        let mut before: u128 = 0;
        for element in self.elements {
            let Some(net) = element.net.map(|net| net.trunc()) else { continue };
            let blocks = u8::try_from(self.mask).ok().and_then(|mask| Blocks::new(net, mask).ok());
            let touched: Vec<(&IpNet, Option<u128>)> = others
                .iter()
                .filter(|other| overlaps(&net, other))
                .map(|other| (other, blocks.and_then(|blocks| blocks.touched_by(other)).map(|(first, _)| first)))
                .collect();
            if let Some((other, first)) = touched.iter().min_by_key(|(other, first)| (first.unwrap_or(0), **other)) {
                let ordinal = first.map(|first| before.saturating_add(first).saturating_add(1));
                self.say(rule, whose, element, other, touched.len(), ordinal, findings);
                return;
            }
            before = before.saturating_add(blocks.map_or(0, |blocks| blocks.count()));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one sentence")]
    fn say(
        &self,
        rule: &'static Rule,
        whose: &str,
        element: &Element,
        other: &IpNet,
        count: usize,
        ordinal: Option<u128>,
        findings: &mut Vec<Finding>,
    ) {
        let around = &self.settings.around;
        // A cluster that does not live long enough to come so far.
        if let (Some(ever), Some(ordinal)) = (around.ranges_ever, ordinal)
            && ordinal > u128::from(ever)
        {
            return;
        }
        let holder = self.holder(other);
        let reached = match (ordinal, around.node_count) {
            (Some(ordinal), Some(count)) => ordinal <= u128::from(count).saturating_add(1),
            _ => false,
        };
        let when = match (&holder, ordinal) {
            (Some((name, cidr)), _) => format!("node {name} already has {cidr}"),
            (None, Some(ordinal)) => format!("the {} node gets such a range", nth(ordinal)),
            (None, None) => "the pool has no room for a node's range".to_owned(),
        };
        let which = match (count, other.prefix_len() == other.max_prefix_len()) {
            (1, true) => format!("the address {}", other.addr()),
            (1, false) => other.to_string(),
            (count, _) => format!("{count} addresses, {} among them", other.addr()),
        };
        let grave = holder.is_some() || (reached && rule.code == rules::POOL_OVERLAPS_NODE_NETWORK.code);
        let message = format!("pool {} overlaps {which} of {whose}: {when}", element.text);
        findings.push(
            Finding::new(rule, element.place.clone(), message)
                .severity(if grave { Severity::Error } else { rule.severity })
                .help(format!("choose a pool that is disjoint from {}", other.trunc())),
        );
    }

    /// A node that has a range of this overlap today.
    fn holder(&self, other: &IpNet) -> Option<(String, IpNet)> {
        let pools: Vec<IpNet> = self.elements.iter().filter_map(|element| element.net).collect();
        let live = self.settings.live.as_ref()?;
        live.nodes.iter().find_map(|(name, node)| {
            let cidrs = node.pod_cidrs.iter().filter_map(|text| text.parse::<IpNet>().ok());
            let mut cidrs = cidrs.filter(|cidr| overlaps(cidr, other) && pools.iter().any(|pool| overlaps(pool, cidr)));
            // A Node's own podCIDR, which the operator adopted, is no collision with itself.
            let own = self.settings.around.nodes.get(name).map(|node| node.pod_cidrs.clone()).unwrap_or_default();
            cidrs.find(|cidr| !own.contains(&cidr.to_string())).map(|cidr| (name.clone(), cidr))
        })
    }
}

fn native(settings: &Settings, family: Family, elements: &[Element], findings: &mut Vec<Finding>) {
    let key = family_keys(family).native;
    let Some(text) = settings.config.get(key).filter(|text| !text.trim().is_empty()) else { return };
    let Ok(native) = text.trim().parse::<IpNet>() else { return };
    for element in elements {
        let Some(net) = element.net.filter(|net| !is_subset(&net.trunc(), &native)) else { continue };
        findings.push(
            Finding::new(
                &rules::POOL_OUTSIDE_NATIVE_ROUTING_CIDR,
                element.place.clone(),
                format!("pool {net} is not within `{key}` {native}: traffic between its pods is masqueraded"),
            )
            .help("make the native-routing CIDR hold every pool")
            .related(settings.place(key), "the native-routing CIDR"),
        );
    }
}

/// `1st`, `2nd`, `24,577th`.
fn nth(number: u128) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{}{ending}", crate::output::grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals() {
        for (number, text) in [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (113, "113th"), (24_577, "24,577th")] {
            assert_eq!(nth(number), text);
        }
    }
}
