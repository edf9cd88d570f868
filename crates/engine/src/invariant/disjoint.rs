//! No two live CiliumNodes' podCIDRs overlap. One watch tells of all of them, in order, so it is certain at once.

use std::time::Duration;

use events::Invariant;
use ipnet::IpNet;

use super::{Finding, Rule, Touch, View, past};

pub(super) const RULE: Rule = Rule { invariant: Invariant::PodCidrsDisjoint, kinds, touched, judge };

fn kinds() -> Vec<crate::observe::KindName> {
    vec![past::cilium_node_kind()]
}

fn touched(touch: Touch<'_>, _: View<'_>) -> Vec<String> {
    match touch {
        Touch::Object { kind: "CiliumNode", before, after, deleted: false } => {
            let changed = before
                .is_none_or(|before| before.pointer("/spec/ipam/podCIDRs") != after.pointer("/spec/ipam/podCIDRs"));
            let name = after["metadata"]["name"].as_str().filter(|_| changed);
            name.map(str::to_owned).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn overlapping(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

fn judge(name: &str, view: View<'_>) -> Option<Finding> {
    let kind = past::cilium_node_kind();
    let own = past::ranges(view.world.cilium_nodes.get(name)?);
    if own.is_empty() || !past::is_live(view, &kind, "", name) {
        return None;
    }
    let others = view.world.cilium_nodes.iter().filter(|(other, _)| *other != name);
    let (other, mine, theirs) = others
        .filter_map(|(other, node)| {
            let ranges = past::ranges(node);
            let pair =
                own.iter().find_map(|mine| Some((*mine, *ranges.iter().find(|range| overlapping(mine, range))?)));
            pair.map(|(mine, theirs)| (other, mine, theirs))
        })
        .find(|(other, ..)| past::is_live(view, &kind, "", other))?;
    let seen = [past::seen_cilium_node(view, name), past::seen_cilium_node(view, other)];
    Some(Finding {
        seen: seen.into_iter().flatten().collect(),
        field: "spec.ipam.podCIDRs",
        expected: format!("nothing of {theirs}, which CiliumNode/{other} has"),
        observed: mine.to_string(),
        grace: Duration::ZERO,
        under: String::new(),
    })
}
