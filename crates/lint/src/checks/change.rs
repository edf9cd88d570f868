//! A running cluster, and settings that it has or will have.

use std::collections::BTreeSet;

use ipam::operator::Family;
use ipnet::IpNet;

use crate::settings::{Settings, family_keys};
use crate::{Finding, Live, Place, Preview, rules};

/// Findings of one kind beyond this many are summed up.
const MOST: usize = 20;

pub(super) fn check(settings: &Settings, preview: &Preview) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(live) = &settings.live else { return findings };
    overlap(live, &mut findings);
    if let Some(old) = live.config.as_ref().filter(|old| **old != settings.config) {
        differences(settings, live, old, &mut findings);
    }
    statuses(settings, live, preview, &mut findings);
    findings
}

fn object(node: &str, field: &str) -> Place {
    Place::object(format!("CiliumNode/{node}: {field}"))
}

fn overlap(live: &Live, findings: &mut Vec<Finding>) {
    // By first address: a range that overlaps a later one overlaps its neighbour too.
    let mut ranges: Vec<(IpNet, &str)> = live
        .nodes
        .iter()
        .flat_map(|(name, node)| {
            node.pod_cidrs.iter().filter_map(move |text| Some((text.parse::<IpNet>().ok()?, name.as_str())))
        })
        .map(|(net, name)| (net.trunc(), name))
        .collect();
    ranges.sort();
    let mut widest: Option<(IpNet, &str)> = None;
    for (net, name) in ranges {
        if let Some((wide, owner)) = widest
            && wide.contains(&net)
        {
            if owner != name {
                findings.push(
                    Finding::new(
                        &rules::PODCIDR_OVERLAP,
                        object(name, "spec.ipam.podCIDRs"),
                        format!("{name} has {net} and {owner} has {wide}: their pods get the same addresses"),
                    )
                    .related(object(owner, "spec.ipam.podCIDRs"), "the other node")
                    .node(name),
                );
            }
            continue;
        }
        widest = Some((net, name));
    }
}

fn differences(
    settings: &Settings,
    live: &Live,
    old: &std::collections::BTreeMap<String, String>,
    findings: &mut Vec<Finding>,
) {
    let before = Settings { config: old.clone(), places: std::collections::BTreeMap::new(), ..settings.clone() };
    if before.mode() != settings.mode() {
        findings.push(
            Finding::new(
                &rules::MODE_CHANGE,
                settings.place("ipam"),
                format!("the mode of {} changes from {} to {}", live.name, before.mode(), settings.mode()),
            )
            .help("make a new cluster, or replace every node; Cilium documents cluster-pool to multi-pool (from 1.20) alone"),
        );
        return;
    }
    if !settings.is_cluster_pool() {
        return;
    }
    for family in Family::BOTH {
        let keys = family_keys(family);
        let mask = |settings: &Settings| settings.config.get(keys.mask).map(|mask| mask.trim().to_owned());
        let (was, is) = (mask(&before), mask(settings));
        if let (Some(was), Some(is)) = (&was, &is)
            && was != is
        {
            findings.push(
                Finding::new(
                    &rules::MASK_CHANGE,
                    settings.place(keys.mask),
                    format!("the {family} mask size of {} changes from {was} to {is}", live.name),
                )
                .help(format!("keep {was}: nodes keep the ranges that they have")),
            );
        }
        let nets = |settings: &Settings| -> BTreeSet<String> {
            let elements = settings.elements(family).into_iter();
            elements.map(|element| element.net.map_or(element.text, |net| net.trunc().to_string())).collect()
        };
        let (was, is) = (nets(&before), nets(settings));
        if is.is_empty() {
            continue;
        }
        let gone: Vec<&String> = was.difference(&is).collect();
        if !gone.is_empty() {
            let gone = gone.into_iter().cloned().collect::<Vec<_>>().join(", ");
            findings.push(
                Finding::new(
                    &rules::POOL_ELEMENT_CHANGED,
                    settings.place(keys.pools),
                    format!("{gone} is a pool of {} and is missing here", live.name),
                )
                .help("leave existing elements as they are, and append"),
            );
        }
    }
}

fn statuses(settings: &Settings, live: &Live, preview: &Preview, findings: &mut Vec<Finding>) {
    let (mut said, mut left) = (0, 0);
    for change in &preview.nodes {
        let emptied = !change.pod_cidrs.is_empty() && change.pod_cidrs_after.is_empty();
        if !emptied && change.error_after.is_empty() {
            continue;
        }
        said += 1;
        if said > MOST {
            left += 1;
            continue;
        }
        let name = &change.node;
        if emptied {
            findings.push(
                Finding::new(
                    &rules::PODCIDRS_EMPTIED_BY_CHANGE,
                    object(name, "spec.ipam.podCIDRs"),
                    format!(
                        "{name} loses {} {}, and its operator-status shows no error",
                        change.pod_cidrs.join(" "),
                        preview.when
                    ),
                )
                .help("do not start the operator with these settings; see `lint --explain podcidrs-emptied-by-change`")
                .related(settings.place(family_keys(Family::V4).pools), "with these pools")
                .node(name.clone()),
            );
        } else {
            let how = if change.error == change.error_after { "goes on saying" } else { "will say" };
            findings.push(
                Finding::new(
                    &rules::NODE_STATUS_AFTER_CHANGE,
                    object(name, "status.ipam.operator-status"),
                    format!("operator-status of {name} {how} \"{}\" {}", change.error_after, preview.when),
                )
                .related(settings.place(family_keys(Family::V4).pools), "with these pools")
                .node(name.clone()),
            );
        }
    }
    if left > 0 {
        findings.push(Finding::new(
            &rules::NODE_STATUS_AFTER_CHANGE,
            Place::object(format!("CiliumNodes of {}", live.name)),
            format!("{left} more nodes are in error {}: `--format json` names them all", preview.when),
        ));
    }
}
