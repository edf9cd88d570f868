//! Everything put together, and redacted.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use engine::recipe;
use ipnet::IpNet;
use scenario::Scenario;
use scenario::model::{Check, CidrMatcher, CidrRef, IpMatcher};
use semver::Version;
use serde_json::Value;

use crate::archive::{Archive, FORMAT, KIND, Manifest, OBSERVED, README, SCENARIO, SCRIPT, VALUES};
use crate::redact::{Identity, Redactor};
use crate::script::{self, Defaults, NoScript};
use crate::{Observed, issue};

/// What a reproducer is made from.
#[derive(Debug)]
pub struct Ingredients<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// What the script takes where its environment does not say; Cilium's version among it.
    pub defaults: Defaults,
    /// What an earlier run saw.
    pub observed: Option<Observed>,
    /// What is known of this machine.
    pub identity: Identity,
    /// Version of this tool.
    pub tool: String,
    /// Now.
    pub created: jiff::Timestamp,
}

/// A reproducer.
#[derive(Debug)]
pub struct Packed {
    /// All of it.
    pub archive: Archive,
    /// The text of an issue.
    pub issue: String,
    /// What is not in it, in words.
    pub left_out: Vec<String>,
}

/// Puts a reproducer together.
///
/// # Errors
/// A scenario that no script can stand for.
pub fn pack(ingredients: Ingredients<'_>) -> Result<Packed, NoScript> {
    let Ingredients { scenario, defaults, observed, identity, tool, created } = ingredients;
    let version: Version = defaults.cilium.clone();
    let mut redactor = Redactor::new(identity, ranges(scenario));
    // Sites have images of their own; the script must not name them.
    let defaults = Defaults {
        node_image: redactor.text(&defaults.node_image),
        chart_repo: redactor.text(&defaults.chart_repo),
        cilium: defaults.cilium,
    };
    let script = script::script(scenario, &defaults)?;
    let issue = redactor.text(&issue::text(scenario, &version, &defaults, &script, observed.as_ref()));
    let spec = recipe::cluster(scenario, &version, "repro", Utf8PathBuf::new(), 1.0);
    let mut files = BTreeMap::new();
    let mut add = |path: &str, text: String| files.insert(path.to_owned(), text.into_bytes());
    add(README, issue.clone());
    add(SCENARIO, redactor.text(&scenario.source.text));
    add(VALUES, redactor.text(&format!("{:#}\n", Value::Object(recipe::values(scenario)))));
    add(KIND, redactor.text(&format!("{:#}\n", cluster::kind_config(&spec))));
    add(SCRIPT, redactor.text(&script.text));
    let mut left_out = script.left_out;
    if let Some(observed) = observed {
        let lines: Vec<String> = observed.events.iter().filter_map(|event| serde_json::to_string(event).ok()).collect();
        add(&format!("{OBSERVED}events.ndjson"), redactor.text(&(lines.join("\n") + "\n")));
        for (path, bytes) in &observed.files {
            // A pod's name is in paths as well.
            add(&format!("{OBSERVED}{}", redactor.text(path)), redactor.text(&String::from_utf8_lossy(bytes)));
        }
        left_out.extend(observed.left_out);
    }
    let manifest = Manifest {
        format: FORMAT,
        tool,
        scenario: scenario.name.clone(),
        cilium: version.to_string(),
        created,
        files: files.iter().map(|(path, bytes)| (path.clone(), bytes.len() as u64)).collect(),
    };
    Ok(Packed { archive: Archive { manifest, files }, issue, left_out })
}

/// Every range that the scenario names: addresses in them are what it is about, public or not.
fn ranges(scenario: &Scenario) -> Vec<IpNet> {
    let ipam = &scenario.cilium.ipam;
    let mut ranges: Vec<IpNet> =
        [&ipam.ipv4_pools, &ipam.ipv6_pools, &scenario.cluster.pod_subnet, &scenario.cluster.service_subnet]
            .into_iter()
            .flatten()
            .copied()
            .collect();
    for step in &scenario.steps {
        match &step.action {
            scenario::model::Action::Configure(keys) => {
                let words = keys.values().flatten().flat_map(|value| value.split([',', ' ']));
                ranges.extend(words.filter_map(|word| word.parse::<IpNet>().ok()));
            }
            scenario::model::Action::Upgrade(values) => texts(&Value::Object(values.clone()), &mut ranges),
            scenario::model::Action::Patch(patch) => texts(&patch.merge, &mut ranges),
            scenario::model::Action::Expect(expect) => expect.checks.iter().for_each(|check| named(check, &mut ranges)),
            _ => {}
        }
    }
    ranges
}

fn texts(value: &Value, ranges: &mut Vec<IpNet>) {
    match value {
        Value::String(text) => ranges.extend(text.parse::<IpNet>().ok()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, ranges)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, ranges)),
        _ => {}
    }
}

fn named(check: &Check, ranges: &mut Vec<IpNet>) {
    let mut of = |reference: &CidrRef| {
        if let CidrRef::Literal(literal) = reference {
            ranges.extend(literal);
        }
    };
    match check {
        Check::PodIps { matcher: IpMatcher::Within(reference), .. } => of(reference),
        Check::PodCidrs { matcher, .. } => {
            for one in matcher {
                if let CidrMatcher::Equal(reference)
                | CidrMatcher::Within(reference)
                | CidrMatcher::Disjoint(reference) = one
                {
                    of(reference);
                }
            }
        }
        _ => {}
    }
}
