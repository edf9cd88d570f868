//! operator-status: clear, the exact text with variables, a pattern.

use rstest::rstest;

use super::check;
use super::scene::Scene;
use crate::support::objects::{NODES, cilium_node};

/// Every CiliumNode has the conflict that a switch of modes leaves on 1.18 and 1.19.
fn switched() -> Scene {
    let mut scene = Scene::full();
    for (place, node) in NODES.iter().enumerate() {
        let error = format!(
            "node has CIDRs allocated ([10.0.{place}.0/24]) that conflict with requested CIDRs [10.244.{place}.0/24]"
        );
        scene.put(cilium_node(node, &[&format!("10.244.{place}.0/24")], Some(&error)));
    }
    scene
}

const CONFLICT: &str = "node has CIDRs allocated (${ciliumNode.podCIDRs@start}) that conflict with requested CIDRs";

#[rstest]
#[case::each_nodes_own_pair("${node.podCIDRs}", true)]
#[case::the_same_ranges_by_another_name("${ciliumNode.podCIDRs}", true)]
#[case::singular_is_bare("[${node.podCIDR}]", true)]
#[case::as_it_was("${ciliumNode.podCIDRs@start}", false)]
#[case::agents_say_what_they_run("${agent.podCIDRs}", false)]
fn an_exact_text(#[case] requested: &str, #[case] held: bool) {
    let text = format!("operatorStatus: {{every: {{error: \"{CONFLICT} {requested}\"}}}}");
    check(&switched(), &text, held, &[]);
}

#[test]
fn the_text_is_filled_in_for_the_node_in_question() {
    check(
        &switched(),
        "operatorStatus: {every: {error: \"${node.name} has ${ciliumNode.podCIDR@start}\"}}",
        false,
        &["CiliumNode/t-worker | status.ipam.operator-status.error | t-worker has 10.0.1.0/24 | node has CIDRs"],
    );
}

#[test]
fn exact_means_all_of_it() {
    check(&switched(), "operatorStatus: {every: {error: node has CIDRs allocated}}", false, &[]);
    check(&switched(), "operatorStatus: {every: {matches: '^node has CIDRs allocated'}}", true, &[]);
    check(&switched(), "operatorStatus: {every: {matches: 'allocated$'}}", false, &[]);
}

#[test]
fn an_error_is_not_clear_and_clear_is_no_error() {
    check(&Scene::full(), "operatorStatus: {some: {matches: '.*'}}", false, &["| clear"]);
    check(&switched(), "operatorStatus: {some: clear}", false, &[]);
    check(&switched(), "operatorStatus: {none: clear}", true, &[]);
}

#[test]
fn an_empty_or_absent_status_is_clear() {
    let mut scene = Scene::full();
    scene.put(cilium_node(NODES[0], &["10.0.0.0/24"], Some("")));
    scene.edit("CiliumNode", NODES[1], |node| node["status"] = serde_json::Value::Null);
    check(&scene, "operatorStatus: {every: clear}", true, &[]);
}

#[test]
fn a_ciliumnode_that_is_not_there_is_neither_clear_nor_free_of_errors() {
    let mut scene = Scene::full();
    scene.delete("CiliumNode", NODES[1]);
    check(
        &scene,
        "operatorStatus: {every: clear}",
        false,
        &["CiliumNode/t-worker | status.ipam.operator-status.error | clear | no such CiliumNode"],
    );
    check(&scene, "operatorStatus: {none: {matches: boom}}", false, &["no such CiliumNode"]);
    check(&scene, "operatorStatus: {exactly: {count: 2, clear: true}}", false, &["cannot be told"]);
    check(&scene, "operatorStatus: {some: clear}", true, &[]);
}

#[test]
fn a_text_that_cannot_be_filled_in_says_why() {
    let mut scene = Scene::full();
    scene.world.agents.clear();
    check(
        &scene,
        "operatorStatus: {none: {error: \"uses ${agent.podCIDR}\"}}",
        false,
        &["uses ${agent.podCIDR} (cilium-1 on t-worker has not answered yet)"],
    );
    check(
        &Scene::full(),
        "operatorStatus: {every: {error: \"${node.podCIDR@then}\"}}",
        false,
        &["the step named then has not ended"],
    );
}
