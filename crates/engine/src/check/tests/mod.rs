//! Tests of the checks, each against a world that was made by observations.

mod agents;
mod cel;
mod pods;
mod quantities;
mod ranges;
mod reach;
pub(crate) mod scene;
mod status;

use scenario::model::Check;

use super::kinds;
use scene::{Scene, checks};

/// Whether the checks hold, and the mismatches in a line each.
#[track_caller]
fn check(scene: &Scene, text: &str, held: bool, says: &[&str]) {
    let verdict = scene.evaluate(text);
    let lines: Vec<String> = verdict
        .mismatches
        .iter()
        .map(|one| format!("{} | {} | {} | {}", one.object, one.field, one.expected, one.observed))
        .collect();
    assert_eq!(verdict.held, held, "{text}\n{}", lines.join("\n"));
    assert_eq!(lines.is_empty(), held, "what does not hold says why, and nothing else does: {lines:?}");
    for part in says {
        assert!(lines.iter().any(|line| line.contains(part)), "no line says `{part}`:\n{}", lines.join("\n"));
    }
}

#[test]
fn config_keys_are_compared_as_text() {
    let scene = Scene::full();
    check(&scene, "config: {ipam: cluster-pool, no-such-key: null}", true, &[]);
    check(&scene, "config: {ipam: kubernetes}", false, &["data.ipam | \"kubernetes\" | \"cluster-pool\""]);
    check(&scene, "config: {ipam: null}", false, &["data.ipam | no such key | \"cluster-pool\""]);
    check(&scene, "config: {no-such-key: \"1\"}", false, &["data.no-such-key | \"1\" | no such key"]);
}

#[test]
fn absent_keys_of_an_absent_config_do_not_hold() {
    check(
        &Scene::empty(),
        "config: {no-such-key: null}",
        false,
        &["cilium-config | objects to look at | at least one"],
    );
}

#[test]
fn a_config_map_of_that_name_elsewhere_is_another() {
    let mut scene = Scene::full();
    let mut other = crate::support::objects::config(&serde_json::json!({"ipam": "kubernetes"}));
    other["metadata"]["namespace"] = serde_json::json!("default");
    scene.put(other);
    check(&scene, "config: {ipam: cluster-pool}", true, &[]);
}

#[test]
fn all_checks_must_hold_at_once() {
    let scene = Scene::full();
    check(&scene, "operatorStatus: {every: clear}\nconfig: {ipam: kubernetes}", false, &["data.ipam"]);
    let verdict = scene.evaluate("operatorStatus: {every: clear}\nconfig: {ipam: cluster-pool}");
    assert_eq!((verdict.held, verdict.subjects), (true, 4));
}

#[test]
fn a_check_names_the_kinds_that_it_is_stale_without() {
    let of = |text: &str| -> Vec<String> {
        let list: Vec<Check> = checks(text);
        list.iter().flat_map(kinds).map(|kind| kind.kind).collect()
    };
    assert!(of("podIPs: {of: alpine, every: {within: pool}}").contains(&"ConfigMap".to_owned()));
    assert!(of("pods: {of: alpine, endpoints: 3}").contains(&"CiliumEndpoint".to_owned()));
    assert!(of("cel: {kind: Deployment, apiVersion: apps/v1, every: 'true'}").contains(&"Deployment".to_owned()));
    assert!(of("operatorStatus: {every: clear}").contains(&"CiliumNode".to_owned()));
}
