//! Rules about pods.

use events::Invariant;
use rstest::rstest;
use serde_json::{Value, json};

use super::cluster::{Cluster, WORKER, WORKER2, agent, endpoint};
use crate::support::objects::{Pod, cilium_node};

fn pod<'a>(name: &'a str, node: &'a str, ip: &'a str) -> Pod<'a> {
    Pod::of("alpine", name, node, ip)
}

#[test]
fn a_pod_outside_its_nodes_ranges_is_a_violation_after_a_while() {
    let mut cluster = Cluster::running();
    cluster.put(pod("a", WORKER, "10.0.2.9").value());
    cluster.pass(10);
    assert!(cluster.broken().is_none());
    cluster.pass(10);
    cluster.breaks(Invariant::PodIpInPodCidr, ["Pod/alpine/a", "CiliumNode/t-worker"]);
}

#[test]
fn it_is_a_violation_also_when_the_pod_has_gone_since() {
    let mut cluster = Cluster::running();
    cluster.put(pod("a", WORKER, "10.0.2.9").value());
    cluster.skip(30);
    cluster.delete(pod("a", WORKER, "10.0.2.9").value());
    cluster.breaks(Invariant::PodIpInPodCidr, ["Pod/alpine/a", "CiliumNode/t-worker"]);
}

#[test]
fn and_none_when_it_was_gone_in_time() {
    let mut cluster = Cluster::running();
    cluster.put(pod("a", WORKER, "10.0.2.9").value());
    cluster.skip(5);
    cluster.delete(pod("a", WORKER, "10.0.2.9").value());
    cluster.holds();
}

#[test]
fn a_range_that_the_node_had_when_the_pod_was_made_is_good() {
    let mut cluster = Cluster::running_with_off(&[Invariant::RouterInPodCidr]);
    cluster.put(pod("a", WORKER, "").value());
    cluster.put(cilium_node(WORKER, &["10.0.9.0/24"], None));
    cluster.put(pod("a", WORKER, "10.0.1.5").value());
    cluster.holds();
}

#[test]
fn a_range_that_the_node_had_before_the_pod_was_made_is_not() {
    let mut cluster = Cluster::running();
    cluster.put(cilium_node(WORKER, &["10.0.9.0/24"], None));
    cluster.put(pod("a", WORKER, "10.0.1.5").value());
    cluster.pass(20);
    cluster.breaks(Invariant::PodIpInPodCidr, ["Pod/alpine/a", "CiliumNode/t-worker"]);
}

#[test]
fn that_there_is_no_cilium_node_says_nothing_about_the_range() {
    let mut cluster = Cluster::running();
    cluster.delete(cilium_node(WORKER, &["10.0.1.0/24"], None));
    cluster.put(pod("a", WORKER, "10.0.1.5").value());
    cluster.holds();
}

#[rstest]
#[case::kubernetes_takes_the_nodes_range("kubernetes", true)]
#[case::other_modes_are_not_judged("multi-pool", true)]
#[case::cluster_pool_does_not("cluster-pool", false)]
fn a_pod_in_the_nodes_own_range(#[case] mode: &str, #[case] holds: bool) {
    let mut cluster = Cluster::running();
    cluster.put(agent(WORKER, 1).value());
    // Before the agent has answered nobody knows.
    cluster.put(pod("a", WORKER, "10.244.1.5").value());
    cluster.pass(60);
    assert!(cluster.broken().is_none());
    cluster.answer(WORKER, mode, "10.244.1.0/24");
    if holds {
        cluster.holds();
    } else {
        cluster.pass(20);
        cluster.breaks(Invariant::PodIpInPodCidr, ["Pod/alpine/a", "CiliumNode/t-worker"]);
    }
}

#[test]
fn a_pod_from_before_cilium_has_an_address_of_something_else() {
    let mut cluster = Cluster::empty();
    cluster.put(pod("a", WORKER, "172.30.0.5").value());
    cluster.put(agent(WORKER, 0).value());
    cluster.put(cilium_node(WORKER, &["10.0.1.0/24"], None));
    cluster.answer(WORKER, "cluster-pool", "10.0.1.0/24");
    cluster.holds();
}

#[rstest]
#[case::host_network(Pod { host_network: true, ..pod("a", WORKER, "172.18.0.3") }.value())]
#[case::finished(with(pod("a", WORKER, "10.9.9.9").value(), "/status/phase", "Succeeded"))]
#[case::terminating(terminating(pod("a", WORKER, "10.9.9.9").value()))]
fn pods_that_do_not_count(#[case] value: Value) {
    let mut cluster = Cluster::running();
    cluster.put(value.clone());
    let mut twin = value;
    twin["metadata"]["name"] = json!("b");
    cluster.put(twin);
    cluster.holds();
}

fn with(mut pod: Value, pointer: &str, text: &str) -> Value {
    *pod.pointer_mut(pointer).expect("it has that field") = json!(text);
    pod
}

fn terminating(mut pod: Value) -> Value {
    pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    pod
}

#[test]
fn two_pods_whose_endpoints_have_one_address_are_a_violation() {
    let mut cluster = Cluster::running();
    cluster.put(pod("a", WORKER, "10.0.1.5").value());
    cluster.put(endpoint("alpine", "a", "10.0.1.5"));
    cluster.put(pod("b", WORKER, "10.0.1.5").value());
    cluster.put(endpoint("alpine", "b", "10.0.1.5"));
    cluster.pass(10);
    assert!(cluster.broken().is_none(), "an endpoint may be cleaned up late");
    cluster.pass(15);
    cluster.breaks(Invariant::PodIpsUnique, ["Pod/alpine/b", "Pod/alpine/a"]);
}

#[rstest]
#[case::a_kubelet_that_tells_the_new_address_late(Some("10.0.1.6"))]
#[case::a_pod_that_its_agent_has_given_up(None)]
fn two_pods_that_only_show_one_address_are_none(#[case] held: Option<&str>) {
    let mut cluster = Cluster::running();
    cluster.put(pod("a", WORKER, "10.0.1.5").value());
    if let Some(ip) = held {
        cluster.put(endpoint("alpine", "a", ip));
    }
    cluster.put(pod("b", WORKER, "10.0.1.5").value());
    cluster.put(endpoint("alpine", "b", "10.0.1.5"));
    cluster.holds();
}

#[test]
fn without_endpoints_what_pods_show_has_to_last() {
    let mut cluster = Cluster::running();
    cluster.put(pod("a", WORKER, "10.0.1.5").value());
    cluster.put(pod("b", WORKER, "10.0.1.5").value());
    cluster.pass(50);
    assert!(cluster.broken().is_none());
    cluster.pass(15);
    cluster.breaks(Invariant::PodIpsUnique, ["Pod/alpine/b", "Pod/alpine/a"]);
}

/// An agent's pod that waits for its next start.
fn crashing(restarts: u32, last: &Value) -> Value {
    let mut pod = Pod { ready: false, ..agent(WORKER2, restarts) }.value();
    pod["status"]["containerStatuses"] = json!([{
        "restartCount": restarts,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}},
        "lastState": {"terminated": last},
    }]);
    pod
}

#[test]
fn a_crash_loop_without_a_word_is_a_violation() {
    let mut cluster = Cluster::running();
    cluster.put(crashing(2, &json!({"reason": "Error", "exitCode": 1})));
    cluster.pass(20);
    cluster.breaks(Invariant::CrashLoopExplained, ["Pod/kube-system/cilium-2", "CiliumNode/t-worker2"]);
}

#[rstest]
#[case::once_may_be_chance(1, json!({"reason": "Error"}), None)]
#[case::its_last_words(2, json!({"reason": "Error", "message": "level=fatal msg=\"no podCIDR\""}), None)]
#[case::what_the_kernel_did(2, json!({"reason": "OOMKilled"}), None)]
#[case::operator_status(2, json!({"reason": "Error"}), Some("allocator full"))]
fn a_crash_loop_that_explains_itself(#[case] restarts: u32, #[case] last: Value, #[case] error: Option<&str>) {
    let mut cluster = Cluster::running();
    cluster.put(cilium_node(WORKER2, &["10.0.2.0/24"], error));
    cluster.put(crashing(restarts, &last));
    cluster.holds();
}
