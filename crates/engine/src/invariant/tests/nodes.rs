//! Rules about CiliumNodes.

use events::Invariant;
use rstest::rstest;
use serde_json::json;

use super::cluster::{Cluster, WORKER, WORKER2, agent, operator, with_router};
use crate::support::objects::{cilium_node, config, lease};

#[rstest]
#[case::the_same(&["10.0.1.0/24"])]
#[case::a_part(&["10.0.1.128/25"])]
#[case::the_whole(&["10.0.0.0/16"])]
#[case::one_of_two(&["fd00::/120", "10.0.1.0/24"])]
fn overlapping_ranges_are_a_violation_at_once(#[case] cidrs: &[&str]) {
    let mut cluster = Cluster::running();
    cluster.put(cilium_node(WORKER2, cidrs, None));
    cluster.breaks(Invariant::PodCidrsDisjoint, ["CiliumNode/t-worker2", "CiliumNode/t-worker"]);
}

#[rstest]
#[case::next_to_it(&["10.0.3.0/24"])]
#[case::the_other_family(&["fd00::/120"])]
#[case::no_range(&["not-a-range"])]
fn ranges_beside_each_other_are_none(#[case] cidrs: &[&str]) {
    let mut cluster = Cluster::running_with_off(&[Invariant::RouterInPodCidr, Invariant::ForeignPodCidrReported]);
    cluster.put(cilium_node(WORKER2, cidrs, None));
    cluster.holds();
}

#[test]
fn a_range_of_a_node_that_is_gone_or_going_may_be_given_away() {
    for going in [false, true] {
        let mut cluster = Cluster::running();
        let mut old = cilium_node(WORKER, &["10.0.1.0/24"], None);
        if going {
            old["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            cluster.put(old);
        } else {
            cluster.delete(old);
        }
        cluster.put(cilium_node(WORKER2, &["10.0.2.0/24", "10.0.1.0/24"], None));
        cluster.holds();
    }
}

#[test]
fn emptied_ranges_are_a_violation_at_once_and_show_both_versions() {
    let mut cluster = Cluster::running();
    cluster.put(cilium_node(WORKER, &[], None));
    cluster.breaks(Invariant::PodCidrsNeverEmptied, ["CiliumNode/t-worker", "CiliumNode/t-worker"]);
    let broken = cluster.broken().expect("it was just named");
    let what: Vec<&str> = broken.finding.seen.iter().map(|seen| seen.what.as_str()).collect();
    assert_eq!(what, ["spec.ipam.podCIDRs none", "spec.ipam.podCIDRs 10.0.1.0/24"]);
}

#[test]
fn a_cilium_node_that_is_made_again_is_another_one() {
    let mut cluster = Cluster::running();
    cluster.delete(cilium_node(WORKER, &["10.0.1.0/24"], None));
    let mut again = cilium_node(WORKER, &[], None);
    again["metadata"]["uid"] = json!("another");
    cluster.put(again);
    cluster.holds();
}

#[test]
fn what_is_off_is_noticed_once_and_fails_nothing() {
    let mut cluster = Cluster::running_with_off(&[Invariant::PodCidrsNeverEmptied]);
    for _ in 0..2 {
        cluster.put(cilium_node(WORKER, &[], None));
        cluster.put(cilium_node(WORKER, &["10.0.1.0/24"], None));
    }
    assert_eq!(cluster.off, [Invariant::PodCidrsNeverEmptied]);
    cluster.holds();
}

#[test]
fn a_router_outside_is_a_violation_after_a_while() {
    let mut cluster = Cluster::running();
    cluster.put(with_router(cilium_node(WORKER, &["10.0.1.0/24"], None), "198.51.100.1"));
    cluster.pass(10);
    assert!(cluster.broken().is_none() && cluster.in_doubt().is_some());
    cluster.pass(10);
    cluster.breaks(Invariant::RouterInPodCidr, ["CiliumNode/t-worker", "Pod/kube-system/cilium-1"]);
}

#[test]
fn a_router_stays_in_the_range_that_its_agent_was_started_with() {
    let mut cluster = Cluster::running_with_off(&[Invariant::ForeignPodCidrReported]);
    cluster.put(with_router(cilium_node(WORKER, &["10.0.9.0/24"], None), "10.0.1.7"));
    cluster.pass(60);
    // Its successor has not answered yet: the address is still the old one.
    cluster.put(agent(WORKER, 1).value());
    cluster.pass(60);
    cluster.put(with_router(cilium_node(WORKER, &["10.0.9.0/24"], None), "10.0.9.7"));
    cluster.answer(WORKER, "cluster-pool", "10.0.9.0/24");
    cluster.holds();
}

#[test]
fn a_router_of_the_agent_before_is_a_violation_once_its_successor_has_answered() {
    let mut cluster = Cluster::running_with_off(&[Invariant::ForeignPodCidrReported]);
    cluster.put(with_router(cilium_node(WORKER, &["10.0.9.0/24"], None), "10.0.1.7"));
    cluster.put(agent(WORKER, 1).value());
    cluster.answer(WORKER, "cluster-pool", "10.0.9.0/24");
    cluster.pass(20);
    cluster.breaks(Invariant::RouterInPodCidr, ["CiliumNode/t-worker", "Pod/kube-system/cilium-1"]);
}

#[rstest]
#[case::kubernetes_takes_the_nodes_range("kubernetes", true)]
#[case::other_modes_are_not_judged("multi-pool", true)]
#[case::cluster_pool_does_not("cluster-pool", false)]
fn a_router_in_the_nodes_own_range(#[case] mode: &str, #[case] holds: bool) {
    let mut cluster = Cluster::running();
    cluster.put(agent(WORKER, 1).value());
    cluster.put(with_router(cilium_node(WORKER, &["10.0.1.0/24"], None), "10.244.1.9"));
    cluster.answer(WORKER, mode, "10.244.1.0/24");
    if holds {
        cluster.holds();
    } else {
        cluster.pass(20);
        cluster.breaks(Invariant::RouterInPodCidr, ["CiliumNode/t-worker", "Pod/kube-system/cilium-1"]);
    }
}

/// The ways in which a range outside every pool comes about: the operator's configuration is what counts.
fn started_with(pools: &str) -> Cluster {
    let mut cluster = Cluster::running();
    cluster.put(config(&json!({"cluster-pool-ipv4-cidr": pools})));
    cluster.delete(operator("cilium-operator-1", WORKER, 0, true));
    cluster.put(operator("cilium-operator-2", WORKER2, 0, true));
    cluster
}

#[test]
fn a_foreign_range_is_a_violation_once_the_operator_had_time_to_write() {
    let mut cluster = started_with("192.168.0.0/16");
    cluster.pass(300);
    assert!(cluster.broken().is_none(), "nobody leads: the lease is that of the operator before");
    cluster.put(lease(&format!("{WORKER2}-def"), "2026-01-01T00:05:00Z"));
    cluster.pass(20);
    assert!(cluster.broken().is_none());
    cluster.pass(20);
    cluster.breaks(Invariant::ForeignPodCidrReported, ["CiliumNode/t-worker", "Pod/kube-system/cilium-operator-2"]);
}

#[test]
fn a_foreign_range_with_an_error_is_none() {
    let mut cluster = started_with("192.168.0.0/16");
    cluster.put(lease(&format!("{WORKER2}-def"), "2026-01-01T00:05:00Z"));
    for (node, cidr) in [(WORKER, "10.0.1.0/24"), (WORKER2, "10.0.2.0/24")] {
        let node =
            with_router(cilium_node(node, &[cidr], Some("allocator not configured")), &cidr.replace("0/24", "7"));
        cluster.put(node);
    }
    cluster.holds();
}

#[rstest]
#[case::a_pool_around_it("172.16.0.0/12 10.0.0.0/8")]
#[case::a_pool_within_it("192.168.0.0/16 10.0.1.0/26 10.0.2.0/26")]
#[case::a_pool_of_which_nobody_knows_what_it_is("not-a-range")]
#[case::no_pool_of_its_family("")]
fn a_range_with_a_pool_is_none(#[case] pools: &str) {
    let mut cluster = started_with(pools);
    cluster.put(lease(&format!("{WORKER2}-def"), "2026-01-01T00:05:00Z"));
    cluster.holds();
}

#[test]
fn what_the_configmap_says_since_is_not_what_the_operator_has_read() {
    let mut cluster = Cluster::running();
    cluster.put(config(&json!({"cluster-pool-ipv4-cidr": "192.168.0.0/16"})));
    cluster.pass(120);
    // Its next process may have read either.
    cluster.put(operator("cilium-operator-1", WORKER, 1, false));
    cluster.put(operator("cilium-operator-1", WORKER, 1, true));
    cluster.holds();
}

#[test]
fn in_another_mode_no_pool_is_asked_for() {
    let mut cluster = Cluster::running();
    cluster.put(config(&json!({"ipam": "kubernetes", "cluster-pool-ipv4-cidr": "192.168.0.0/16"})));
    cluster.delete(operator("cilium-operator-1", WORKER, 0, true));
    cluster.put(operator("cilium-operator-2", WORKER2, 0, true));
    cluster.put(lease(&format!("{WORKER2}-def"), "2026-01-01T00:05:00Z"));
    cluster.holds();
}
