//! Changes in a line.

use rstest::rstest;
use serde_json::{Value, json};

use super::describe_change;
use crate::observe::KindName;

fn cilium_node(cidrs: Value, status: Value) -> Value {
    json!({"spec": {"ipam": {"podCIDRs": cidrs}}, "status": {"ipam": {"operator-status": status}}})
}

#[track_caller]
fn check(kind: &str, before: Option<Value>, after: &Value, expected: Option<&str>) {
    let api = if kind.starts_with("Cilium") { "cilium.io/v2" } else { "v1" };
    assert_eq!(describe_change(&KindName::new(api, kind), before.as_ref(), after).as_deref(), expected);
}

#[test]
fn podcidrs_and_operator_status() {
    let old = cilium_node(json!(["10.0.0.0/24"]), json!({}));
    check("CiliumNode", None, &old, Some("spec.ipam.podCIDRs: [10.0.0.0/24]"));
    check("CiliumNode", Some(old.clone()), &old, None);
    check(
        "CiliumNode",
        Some(old.clone()),
        &cilium_node(json!(["10.224.1.0/24"]), json!({"error": "allocator full"})),
        Some(
            "spec.ipam.podCIDRs: [10.0.0.0/24] -> [10.224.1.0/24]; status.ipam.operator-status.error: - -> allocator full",
        ),
    );
    check(
        "CiliumNode",
        Some(cilium_node(json!(["10.0.0.0/24"]), json!({"error": "boom"}))),
        &old,
        Some("status.ipam.operator-status.error: boom -> -"),
    );
}

#[rstest]
#[case::heartbeat(
    "Node",
    json!({"status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "1"}]}}),
    json!({"status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2"}]}}),
    None
)]
#[case::taint(
    "Node",
    json!({"spec": {}}),
    json!({"spec": {"taints": [{"key": "node.cilium.io/agent-not-ready", "effect": "NoSchedule"}]}}),
    Some("spec.taints: - -> [node.cilium.io/agent-not-ready]")
)]
#[case::cordon(
    "Node", json!({"spec": {}}), json!({"spec": {"unschedulable": true}}), Some("spec.unschedulable: - -> true")
)]
#[case::config_key(
    "ConfigMap",
    json!({"data": {"ipam": "cluster-pool", "same": "1", "gone": "x"}}),
    json!({"data": {"ipam": "kubernetes", "same": "1", "new": "y"}}),
    Some("data.gone: x -> -; data.ipam: cluster-pool -> kubernetes; data.new: - -> y")
)]
#[case::lease(
    "Lease",
    json!({"spec": {"holderIdentity": "a", "renewTime": "1"}}),
    json!({"spec": {"holderIdentity": "b", "renewTime": "2"}}),
    Some("spec.holderIdentity: a -> b")
)]
#[case::pod_gets_its_address(
    "Pod",
    json!({"spec": {"nodeName": "w"}, "status": {"phase": "Pending"}}),
    json!({"spec": {"nodeName": "w"}, "status": {
        "phase": "Running", "podIPs": [{"ip": "10.0.1.5"}], "conditions": [{"type": "Ready", "status": "True"}],
    }}),
    Some("ready: true; status.phase: Pending -> Running; status.podIPs: - -> [10.0.1.5]")
)]
#[case::pod_restarts(
    "Pod",
    json!({"status": {"containerStatuses": [{"restartCount": 0}]}}),
    json!({"status": {"containerStatuses": [{"restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}}),
    Some("restarts: 0 -> 2; waiting: CrashLoopBackOff")
)]
#[case::pod_terminates(
    "Pod", json!({"metadata": {}}), json!({"metadata": {"deletionTimestamp": "t"}}), Some("metadata.deletionTimestamp: - -> t")
)]
#[case::kind_without_fields("Secret", json!({"data": {"password": "a"}}), json!({"data": {"password": "b"}}), None)]
fn changes(#[case] kind: &str, #[case] before: Value, #[case] after: Value, #[case] expected: Option<&str>) {
    check(kind, Some(before), &after, expected);
}

#[test]
fn what_is_new_is_described_or_just_created() {
    check("ConfigMap", None, &json!({"data": {"a": "1", "b": "2"}}), Some("data: 2 keys"));
    check("Deployment", None, &json!({}), Some("created"));
}

#[test]
fn a_long_value_is_cut() {
    let long = "x".repeat(500);
    let text = describe_change(
        &KindName::new("cilium.io/v2", "CiliumNode"),
        None,
        &cilium_node(Value::Null, json!({"error": long})),
    );
    let text = text.expect("a new object");
    assert!(text.ends_with('…') && text.chars().count() < 220, "{text}");
}
