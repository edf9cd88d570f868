//! Scenarios: their settings for every version that they speak about, held against the same rules.

use std::collections::BTreeMap;

use scenario::Scenario;
use scenario::model::Action;
use semver::Version;
use serde_json::{Map, Value};

use crate::document::{self, Node};
use crate::read::{places, rendered};
use crate::settings::KeyPlaces;
use crate::{Finding, Origin, Place, Settings, Surroundings, find, lint};

/// The scenario's own words for keys of `cilium-config`.
const PLACES: &[(&str, &str)] = &[
    ("ipam", "cilium.ipam.mode"),
    ("cluster-pool-ipv4-cidr", "cilium.ipam.clusterPoolIPv4PodCIDRList"),
    ("cluster-pool-ipv4-mask-size", "cilium.ipam.clusterPoolIPv4MaskSize"),
    ("cluster-pool-ipv6-cidr", "cilium.ipam.clusterPoolIPv6PodCIDRList"),
    ("cluster-pool-ipv6-mask-size", "cilium.ipam.clusterPoolIPv6MaskSize"),
];

/// What the rules say about a scenario's `cilium` and `cluster`, for those of `versions` that it speaks about. `values` are all values
/// that it installs Cilium with. What `allow` names is left out; a line of `allow` that names a rule of this crate and is not needed is
/// a finding itself (`stale-allow`).
///
/// # Errors
/// When a version is not known.
pub fn scenario(
    scenario: &Scenario,
    values: &Map<String, Value>,
    versions: &[Version],
) -> Result<Vec<Finding>, crate::InputError> {
    let documents = document::read(scenario.source.text.as_bytes()).unwrap_or_default();
    let document = documents.first();
    let mut findings: Vec<Finding> = Vec::new();
    let spoken: Vec<&Version> = versions.iter().filter(|version| scenario.cilium.versions.contains(version)).collect();
    for version in &spoken {
        crate::chart::chart(version)?;
        let (config, refused) = rendered(values, version);
        let settings = settings(scenario, document, values, config, version)?;
        for finding in lint(&settings, refused.as_ref(), Vec::new()).findings {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    let fired: Vec<&'static str> = findings.iter().map(|finding| finding.code).collect();
    findings.retain(|finding| !scenario.allow.contains_key(finding.code));
    if !spoken.is_empty() {
        let stale = scenario.allow.keys().filter(|code| scenario::codes::DOMAIN.contains(&code.as_str()));
        for code in stale.filter(|code| !fired.contains(&code.as_str())) {
            findings.push(stale_allow(scenario, document, code));
        }
    }
    Ok(findings)
}

fn top(scenario: &Scenario) -> Place {
    Place { file: Some(scenario.source.path.to_string()), line: 1, column: 1, path: String::new() }
}

fn stale_allow(scenario: &Scenario, document: Option<&Node>, code: &str) -> Finding {
    let entry = document.and_then(|document| document.entry("allow")).and_then(|allow| allow.node.entry(code));
    let place = entry.map_or_else(
        || top(scenario),
        |entry| Place { line: entry.line, column: entry.column, path: format!("allow.{code}"), ..top(scenario) },
    );
    Finding {
        code: "stale-allow",
        severity: crate::Severity::Error,
        message: format!("nothing in this file is `{code}`, so it need not be allowed"),
        help: Some("remove this line".to_owned()),
        place,
        related: Vec::new(),
        node: None,
    }
}

fn settings(
    scenario: &Scenario,
    document: Option<&Node>,
    values: &Map<String, Value>,
    config: BTreeMap<String, String>,
    version: &Version,
) -> Result<Settings, crate::InputError> {
    let top = top(scenario);
    let mut found: BTreeMap<String, KeyPlaces> = BTreeMap::new();
    let own = document.and_then(|document| document.at("cilium.values")).cloned();
    if let Some(own) = &own {
        found.extend(places(own, &top));
    }
    if let Some(document) = document {
        for (key, path) in PLACES {
            let Some(node) = document.at(path) else { continue };
            let at =
                |node: &Node| Place { line: node.line, column: node.column, path: (*path).to_owned(), ..top.clone() };
            let elements = match &node.value {
                document::Shape::List(items) => items.iter().map(at).collect(),
                _ => Vec::new(),
            };
            found.insert((*key).to_owned(), KeyPlaces { whole: at(node), elements });
        }
    }
    let cluster = &scenario.cluster;
    let nodes = u64::from(cluster.workers) + 1;
    // Each of these may make the operator hand out another range; none of them is given twice before the pool is through.
    let more = scenario
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::AddNode { .. } | Action::DeleteCiliumNode(_)));
    Ok(Settings {
        origin: Origin::Scenario { values: values.clone(), own },
        name: scenario.name.clone(),
        version: version.clone(),
        release: version.to_string().parse()?,
        config,
        around: Surroundings {
            services: cluster.service_subnet.clone(),
            pod_subnets: cluster.pod_subnet.clone(),
            node_count: Some(nodes),
            ranges_ever: Some(nodes + u64::try_from(more.count()).unwrap_or(u64::MAX)),
            ..Surroundings::default()
        },
        live: None,
        places: found,
        top,
    })
}

/// The page of a code, whether it is one of this crate's or one of the scenario format's.
pub fn explain(code: &str) -> Option<String> {
    match (find(code), scenario::codes::find(code)) {
        (Some(rule), _) => Some(rule.page.to_owned()),
        (None, Some(code)) => Some(format!("# {}\n\nIn scenario files: {}.\n", code.name, code.meaning)),
        (None, None) => None,
    }
}
