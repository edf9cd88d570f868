//! What running agents are.

use serde_json::json;

use super::check;
use super::scene::Scene;
use crate::support::objects::{NODES, Pod};
use crate::world::Silence;

fn agent_pod(name: &str, node: &str) -> Pod<'static> {
    let (name, node): (&'static str, &'static str) = (name.to_owned().leak(), node.to_owned().leak());
    Pod::system(json!({"k8s-app": "cilium"}), name, node, "172.18.0.2", true)
}

#[test]
fn the_mode_is_what_the_agent_says_not_what_the_config_says() {
    let mut scene = Scene::full();
    scene.put(crate::support::objects::config(&json!({"ipam": "kubernetes"})));
    check(&scene, "agents: {every: {ipam: cluster-pool, ready: true, crashLooping: false}}", true, &[]);
    check(
        &scene,
        "agents: {some: {ipam: kubernetes}}",
        false,
        &["Agent/t-worker | running agent | ipam kubernetes (on at least one of 3) | ipam cluster-pool, ready"],
    );
}

#[test]
fn a_successor_has_to_answer_for_itself() {
    let mut scene = Scene::full();
    scene.edit("Pod", "cilium-1", |pod| pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:01:00Z"));
    scene.put(Pod { created: "2026-01-01T00:01:00Z", ..agent_pod("cilium-9", NODES[1]) }.value());
    check(
        &scene,
        "agents: {every: {ipam: cluster-pool}}",
        false,
        &["ipam unknown (cilium-9 on t-worker has not answered yet), ready"],
    );
    check(&scene, "agents: {none: {ipam: kubernetes}}", false, &["unknown"]);
    scene.agent(1, "kubernetes", "10.244.1.0/24");
    check(&scene, "agents: {exactly: {count: 1, ipam: kubernetes}}", true, &[]);
}

#[test]
fn a_container_that_restarted_has_to_answer_again() {
    let mut scene = Scene::full();
    scene.put(Pod { restarts: 1, ..agent_pod("cilium-1", NODES[1]) }.value());
    check(&scene, "agents: {every: {ipam: cluster-pool}}", false, &["ipam unknown", "1 restarts"]);
    check(&scene, "agents: {exactly: {count: 1, crashLooping: true}}", true, &[]);
}

#[test]
fn an_agent_that_does_not_answer_says_why() {
    let mut scene = Scene::full();
    let incarnation = scene.world.agent_pods()[NODES[1]].incarnation();
    scene.world.agents.remove(&incarnation);
    let silence = Silence { cause: "connection refused".to_owned(), asked: false };
    scene.world.silent.insert(incarnation, silence.into());
    check(&scene, "agents: {every: {ipam: cluster-pool}}", false, &["cilium-1 does not answer: connection refused"]);
}

#[test]
fn crash_looping_is_waiting_for_it_or_restarts_since_the_start() {
    let mut scene = Scene::full();
    scene.edit("Pod", "cilium-1", |pod| {
        pod["status"]["containerStatuses"] =
            json!([{"restartCount": 0, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]);
    });
    check(&scene, "agents: {on: [worker], every: {crashLooping: true}}", true, &[]);
    check(&scene, "agents: {every: {crashLooping: false}}", false, &["CrashLoopBackOff"]);
    // Restarts from before the start are not this scenario's.
    let mut scene = Scene::full();
    scene.put(Pod { restarts: 4, ..agent_pod("cilium-1", NODES[1]) }.value());
    scene.label("start");
    check(&scene, "agents: {every: {crashLooping: false}}", true, &[]);
}

#[test]
fn what_is_known_to_differ_need_not_answer() {
    let mut scene = Scene::full();
    scene.world.agents.clear();
    scene.put(Pod { ready: false, ..agent_pod("cilium-1", NODES[1]) }.value());
    check(&scene, "agents: {on: [worker], none: {ipam: kubernetes, ready: true}}", true, &[]);
    check(&scene, "agents: {on: [worker], none: {ipam: kubernetes, ready: false}}", false, &[]);
}
