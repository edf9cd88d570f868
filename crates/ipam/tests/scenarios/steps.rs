//! Steps of histories, and what to compare.

use ipam::Release;
use ipam::history::{self, Step};
use ipam::operator::{ApiAnswer, ApiRequest, ByName, Exchange};

/// The three versions that differ, or must not.
pub(crate) const ALL: [&str; 3] = ["1.18.4", "1.19.1", "1.20.2"];
/// The ones before the allocator was rewritten.
pub(crate) const LEGACY: [&str; 2] = ["1.18.4", "1.19.1"];

/// Starts the operator with IPv4 pools.
pub(crate) fn start(pools: &[&str], mask4: i64) -> Step {
    Step::Start { v4: Some(texts(pools)), mask4, v6: None, mask6: 112 }
}

/// Starts the operator with pools of both families.
pub(crate) fn start_dual(v4: &[&str], mask4: i64, v6: &[&str], mask6: i64) -> Step {
    Step::Start { v4: Some(texts(v4)), mask4, v6: Some(texts(v6)), mask6 }
}

/// A new CiliumNode without podCIDRs.
pub(crate) fn node(name: &str) -> Step {
    node_with(name, &[])
}

/// A new CiliumNode with podCIDRs.
pub(crate) fn node_with(name: &str, cidrs: &[&str]) -> Step {
    Step::Node { name: name.to_owned(), cidrs: texts(cidrs) }
}

/// podCIDRs by hand.
pub(crate) fn set(name: &str, cidrs: &[&str]) -> Step {
    Step::Set { name: name.to_owned(), cidrs: texts(cidrs) }
}

/// A CiliumNode goes.
pub(crate) fn delete(name: &str) -> Step {
    Step::Delete { name: name.to_owned() }
}

pub(crate) fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

/// The end of a history, as lines `name podCIDRs error`; a start error of the last step as a line of its own.
pub(crate) fn end(version: &str, steps: &[Step]) -> Vec<String> {
    let release: Release = version.parse().unwrap();
    let outcome = history::run(steps, release).pop().unwrap();
    let nodes = outcome
        .nodes
        .iter()
        .map(|(name, node)| format!("{name} {} {}", node.pod_cidrs.join(","), node.error).trim_end().to_owned());
    outcome.start_error.iter().cloned().chain(nodes).collect()
}

#[track_caller]
pub(crate) fn check(versions: &[&str], steps: &[Step], expected: &[&str]) {
    for version in versions {
        assert_eq!(end(version, steps), expected, "{version}: {steps:?}");
    }
}

/// The writes of a history that changed something, with their times in milliseconds since the last step began.
pub(crate) fn last_writes(version: &str, steps: &[Step]) -> Vec<(u128, String)> {
    let release: Release = version.parse().unwrap();
    let begin = history::SETTLE * u32::try_from(steps.len() - 1).unwrap();
    let mut writes = Vec::new();
    history::run_with(steps, release, &mut ByName, &mut |exchange| {
        let Exchange::Call { at, request, answer: ApiAnswer::Ok(node) } = exchange else { return };
        let (text, before) = match request {
            ApiRequest::Update { name, resource_version, pod_cidrs } => {
                (format!("{name} spec [{}]", pod_cidrs.join(" ")), resource_version)
            }
            ApiRequest::UpdateStatus { name, resource_version, error } => {
                (format!("{name} error \"{error}\""), resource_version)
            }
            ApiRequest::Get { .. } => return,
        };
        if let Some(since) = at.checked_sub(begin).filter(|_| node.resource_version != before) {
            writes.push((since.as_millis(), text));
        }
    });
    writes
}
