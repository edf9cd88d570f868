//! What is not seen is not judged.

use events::Invariant;

use super::cluster::{Cluster, WORKER, WORKER2, agent, with_router};
use crate::observe::{cilium_node_kind, endpoint_kind};
use crate::support::objects::{Pod, cilium_node};

#[test]
fn nothing_is_judged_by_what_was_seen_before_a_watch_went_down() {
    let mut cluster = Cluster::running();
    cluster.watch(cilium_node_kind(), false);
    // That its podCIDRs changed with it could not be seen.
    cluster.put(Pod::of("alpine", "a", WORKER, "10.0.9.5").value());
    cluster.pass(120);
    assert!(cluster.broken().is_none() && cluster.due().is_none());
    cluster.list_again(vec![
        with_router(cilium_node(WORKER, &["10.0.9.0/24"], None), "10.0.9.7"),
        with_router(cilium_node(WORKER2, &["10.0.2.0/24"], None), "10.0.2.7"),
    ]);
    cluster.watch(cilium_node_kind(), true);
    cluster.holds();
}

#[test]
fn what_was_left_is_judged_when_the_watch_is_up_again() {
    let mut cluster = Cluster::running();
    cluster.watch(cilium_node_kind(), false);
    cluster.put(Pod::of("alpine", "a", WORKER, "10.0.9.5").value());
    cluster.watch(cilium_node_kind(), true);
    assert!(cluster.in_doubt().is_some(), "the watch went on where it had ended");
    cluster.pass(20);
    cluster.breaks(Invariant::PodIpInPodCidr, ["Pod/alpine/a", "CiliumNode/t-worker"]);
}

#[test]
fn time_before_a_watch_went_down_does_not_count() {
    let mut cluster = Cluster::running();
    cluster.put(Pod::of("alpine", "a", WORKER, "10.0.9.5").value());
    cluster.pass(10);
    cluster.watch(cilium_node_kind(), false);
    cluster.pass(60);
    cluster.watch(cilium_node_kind(), true);
    cluster.pass(10);
    assert!(cluster.broken().is_none());
}

#[test]
fn a_watch_that_a_rule_does_not_depend_on_changes_nothing() {
    let mut cluster = Cluster::running();
    cluster.watch(endpoint_kind(), false);
    cluster.put(cilium_node(WORKER2, &["10.0.1.0/24"], None));
    cluster.breaks(Invariant::PodCidrsDisjoint, ["CiliumNode/t-worker2", "CiliumNode/t-worker"]);
}

#[test]
fn a_history_with_a_gap_is_not_judged_by() {
    let mut cluster = Cluster::running();
    cluster.put(agent(WORKER, 1).value());
    cluster.list_again(vec![
        with_router(cilium_node(WORKER, &["10.0.9.0/24"], None), "10.0.1.7"),
        with_router(cilium_node(WORKER2, &["10.0.2.0/24"], None), "10.0.2.7"),
    ]);
    cluster.answer(WORKER, "cluster-pool", "10.0.5.0/24");
    cluster.holds();
}

#[test]
fn emptied_during_a_gap_is_emptied() {
    let mut cluster = Cluster::running();
    cluster.list_again(vec![cilium_node(WORKER, &[], None), cilium_node(WORKER2, &["10.0.2.0/24"], None)]);
    cluster.breaks(Invariant::PodCidrsNeverEmptied, ["CiliumNode/t-worker", "CiliumNode/t-worker"]);
}

#[test]
fn what_is_due_is_told_and_then_no_more() {
    let mut cluster = Cluster::running_with_off(&[Invariant::PodIpInPodCidr]);
    cluster.put(Pod::of("alpine", "a", WORKER, "10.0.9.5").value());
    assert!(cluster.due().is_some());
    cluster.pass(20);
    assert_eq!(cluster.off, [Invariant::PodIpInPodCidr]);
    assert!(cluster.due().is_none() && cluster.in_doubt().is_none(), "nobody has to wake up for it any more");
    cluster.holds();
}
