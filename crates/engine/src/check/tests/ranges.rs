//! podCIDRs by their three sources, and addresses within ranges.

use rstest::rstest;
use serde_json::json;

use super::check;
use super::scene::Scene;
use crate::support::objects::{NODES, cilium_node, config};

#[rstest]
#[case::equal("ciliumNode", "equal: ciliumNode.podCIDRs@start", true)]
#[case::equal_to_another("ciliumNode", "equal: node.podCIDRs", false)]
#[case::equal_literal("ciliumNode", "equal: 10.0.0.0/8", false)]
#[case::within_itself("ciliumNode", "within: ciliumNode.podCIDRs", true)]
#[case::within_pool("ciliumNode", "within: pool", true)]
#[case::within_a_list("ciliumNode", "within: [10.0.0.0/23, 10.0.2.0/24]", true)]
#[case::within_too_small("ciliumNode", "within: 10.0.0.0/23", false)]
#[case::within_a_smaller_one("ciliumNode", "within: 10.0.0.0/25", false)]
#[case::disjoint("ciliumNode", "disjoint: node.podCIDRs", true)]
#[case::not_disjoint_from_what_holds_it("ciliumNode", "disjoint: 10.0.0.0/8", false)]
#[case::not_disjoint_from_what_it_holds("ciliumNode", "disjoint: [10.0.0.128/25, 10.0.1.128/25, 10.0.2.128/25]", false)]
#[case::unchanged("ciliumNode", "unchanged: start", true)]
#[case::mask("ciliumNode", "mask: 24", true)]
#[case::other_mask("ciliumNode", "mask: 25", false)]
#[case::not_empty("ciliumNode", "empty: false", true)]
#[case::empty("ciliumNode", "empty: true", false)]
#[case::two_matchers("ciliumNode", "mask: 24, within: pool", true)]
#[case::two_matchers_one_wrong("ciliumNode", "mask: 24, within: 10.9.0.0/16", false)]
#[case::nodes_own("node", "within: 10.244.0.0/16", true)]
#[case::the_agents("agent", "equal: ciliumNode.podCIDRs", true)]
fn pod_cidrs(#[case] of: &str, #[case] matcher: &str, #[case] held: bool) {
    check(&Scene::full(), &format!("podCIDRs: {{of: {of}, every: {{{matcher}}}}}"), held, &[]);
}

#[test]
fn the_three_sources_are_told_apart() {
    // As on 1.20 after a switch of modes: the agent uses the Node's range, the CiliumNode still has the pool's.
    let mut scene = Scene::full();
    for place in 0..3 {
        scene.agent(place, "kubernetes", &format!("10.244.{place}.0/24"));
    }
    check(&scene, "podCIDRs: {of: agent, every: {equal: node.podCIDRs, disjoint: ciliumNode.podCIDRs}}", true, &[]);
    check(&scene, "podCIDRs: {of: ciliumNode, every: {unchanged: start}}", true, &[]);
    check(
        &scene,
        "podCIDRs: {of: agent, every: {unchanged: start}}",
        false,
        &["Agent/t-worker | podCIDRs it allocates from | unchanged from [10.0.1.0/24] | [10.244.1.0/24]"],
    );
    check(&scene, "podIPs: {of: alpine, none: {within: agent.podCIDRs}}", true, &[]);
}

#[rstest]
#[case::equal("equal: node.podCIDRs")]
#[case::within("within: 0.0.0.0/0")]
#[case::disjoint("disjoint: 10.9.0.0/16")]
#[case::mask("mask: 24")]
#[case::empty("empty: false")]
fn an_empty_list_matches_nothing_but_empty(#[case] matcher: &str) {
    let mut scene = Scene::full();
    for node in NODES {
        scene.put(cilium_node(node, &[], None));
        scene.edit("Node", node, |node| node["spec"] = json!({}));
    }
    check(&scene, &format!("podCIDRs: {{of: ciliumNode, every: {{{matcher}}}}}"), false, &["| []"]);
    check(&scene, "podCIDRs: {of: ciliumNode, every: {empty: true}}", true, &[]);
    scene.label("start");
    check(&scene, "podCIDRs: {of: ciliumNode, every: {unchanged: start}}", true, &[]);
}

#[rstest]
#[case::empty("empty: true")]
#[case::within("within: pool")]
fn what_is_no_cidr_is_not_passed_over(#[case] matcher: &str) {
    let mut scene = Scene::full();
    scene.put(cilium_node(NODES[1], &["10.0.1.0/24", "nonsense"], None));
    let text = format!("podCIDRs: {{of: ciliumNode, on: [worker], every: {{{matcher}}}}}");
    check(&scene, &text, false, &["CiliumNode/t-worker has `nonsense`, which is not a CIDR"]);
}

#[test]
fn both_families_must_match() {
    let mut scene = Scene::full();
    scene.put(cilium_node(NODES[1], &["10.0.1.0/24", "fd00::/120"], None));
    check(
        &scene,
        "podCIDRs: {of: ciliumNode, on: [worker], every: {within: 10.0.0.0/8}}",
        false,
        &["[10.0.1.0/24 fd00::/120]"],
    );
    check(&scene, "podCIDRs: {of: ciliumNode, on: [worker], every: {within: [10.0.0.0/8, 'fd00::/104']}}", true, &[]);
    check(&scene, "podCIDRs: {of: ciliumNode, on: [worker], every: {mask: 24}}", false, &[]);
}

#[test]
fn the_pool_is_what_the_config_says_now() {
    let mut scene = Scene::full();
    check(&scene, "podIPs: {of: alpine, every: {within: pool}}", true, &[]);
    scene.put(config(&json!({"cluster-pool-ipv4-cidr": "192.168.0.0/16"})));
    check(
        &scene,
        "podIPs: {of: alpine, every: {within: pool}}",
        false,
        &["within pool [192.168.0.0/16] | 10.0.1.10 on t-worker"],
    );
}

#[rstest]
#[case::cilium_node("ciliumNode.podCIDRs", true)]
#[case::another_nodes_range("10.0.1.0/24", false)]
#[case::node("node.podCIDRs", false)]
#[case::as_it_was("ciliumNode.podCIDRs@start", true)]
fn an_address_is_measured_by_its_own_node(#[case] reference: &str, #[case] held: bool) {
    check(&Scene::full(), &format!("podIPs: {{of: alpine, every: {{within: {reference}}}}}"), held, &[]);
}

#[test]
fn what_is_not_known_is_no_proof() {
    let mut scene = Scene::full();
    scene.world.agents.clear();
    check(
        &scene,
        "podIPs: {of: alpine, none: {within: agent.podCIDRs}}",
        false,
        &["cilium-1 on t-worker has not answered yet"],
    );
    check(&scene, "podCIDRs: {of: agent, none: {within: 10.9.0.0/16}}", false, &["has not answered yet"]);
    scene.delete("CiliumNode", NODES[1]);
    check(
        &scene,
        "podIPs: {of: alpine, none: {within: ciliumNode.podCIDRs}}",
        false,
        &["CiliumNode/t-worker is not there"],
    );
    check(&scene, "podCIDRs: {of: ciliumNode, none: {mask: 25}}", false, &["CiliumNode/t-worker is not there"]);
}
