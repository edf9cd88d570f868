//! Which pods count, and whether they are the same.

use rstest::rstest;
use serde_json::{Value, json};

use super::check;
use super::scene::Scene;
use crate::support::objects::{NODES, Pod};

fn terminating(pod: &mut Value) {
    pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:01:00Z");
}

fn finished(pod: &mut Value) {
    pod["status"]["phase"] = json!("Succeeded");
}

fn failed(pod: &mut Value) {
    pod["status"]["phase"] = json!("Failed");
}

fn host_network(pod: &mut Value) {
    pod["spec"]["hostNetwork"] = json!(true);
}

fn of_another_workload(pod: &mut Value) {
    pod["metadata"]["labels"] = json!({"app": "alpine"});
}

#[rstest]
#[case::terminating(terminating)]
#[case::finished(finished)]
#[case::failed(failed)]
#[case::host_network(host_network)]
#[case::of_another_workload(of_another_workload)]
fn does_not_count(#[case] change: fn(&mut Value)) {
    let mut scene = Scene::full();
    scene.edit("Pod", "alpine-1", |pod| {
        pod["status"]["podIP"] = json!("192.168.0.1");
        pod["status"]["podIPs"] = json!([{"ip": "192.168.0.1"}]);
        change(pod);
    });
    check(&scene, "podIPs: {of: alpine, every: {within: ciliumNode.podCIDRs}}", true, &[]);
    check(&scene, "pods: {of: alpine, count: 2, ready: 2}", true, &[]);
    check(&scene, "pods: {of: alpine, count: 3}", false, &["live pods | 3 | 2 (alpine-0 alpine-2)"]);
    scene.edit("Pod", "alpine-0", change);
    scene.edit("Pod", "alpine-2", change);
    check(
        &scene,
        "podIPs: {of: alpine, none: {within: pool}}",
        false,
        &["live pods of alpine | objects to look at | at least one | none"],
    );
}

#[test]
fn a_pod_without_an_address_does_not_match() {
    let mut scene = Scene::full();
    scene.edit("Pod", "alpine-1", |pod| pod["status"] = json!({"phase": "Pending"}));
    check(
        &scene,
        "podIPs: {of: alpine, every: {within: pool}}",
        false,
        &["Pod/alpine/alpine-1 | status.podIPs", "| no address, on t-worker"],
    );
    check(&scene, "podIPs: {of: alpine, exactly: {count: 2, within: pool}}", true, &[]);
    check(&scene, "podIPs: {of: alpine, none: {within: 10.9.0.0/16}}", true, &[]);
}

#[test]
fn where_no_pod_has_an_address_none_of_them_is_anywhere() {
    let mut scene = Scene::full();
    for name in ["alpine-0", "alpine-1", "alpine-2"] {
        scene.edit("Pod", name, |pod| pod["status"] = json!({"phase": "Pending"}));
    }
    check(&scene, "podIPs: {of: alpine, none: {within: 10.9.0.0/16}}", false, &["no address"]);
}

#[test]
fn a_pod_that_is_not_scheduled_says_so() {
    let mut scene = Scene::full();
    scene.edit("Pod", "alpine-1", |pod| {
        pod["spec"] = json!({});
        pod["status"] = json!({"phase": "Pending"});
    });
    check(&scene, "podIPs: {of: alpine, every: {within: node.podCIDRs}}", false, &["no address, not scheduled"]);
}

#[test]
fn unchanged_pods() {
    let mut scene = Scene::full();
    check(&scene, "pods: {of: alpine, unchanged: true}", true, &[]);
    check(&scene, "pods: {of: alpine, unchanged: start, count: 3, ready: 3}", true, &[]);
    // What is not its UID, its address or its restarts does not matter.
    scene.edit("Pod", "alpine-1", |pod| pod["status"]["conditions"] = json!([]));
    check(&scene, "pods: {of: alpine, unchanged: true}", true, &[]);
    check(&scene, "pods: {of: alpine, unchanged: true, ready: 3}", false, &["ready pods | 3 | 2 (alpine-0 alpine-2)"]);
}

#[test]
fn a_new_pod_is_a_change() {
    let mut scene = Scene::full();
    scene.put(Pod::of("alpine", "alpine-9", NODES[1], "10.0.1.19").value());
    check(
        &scene,
        "pods: {of: alpine, unchanged: true}",
        false,
        &["Pod/alpine/alpine-9 | UID | no new pod | uid uid-of-alpine-9 address 10.0.1.19 restarts 0"],
    );
}

#[test]
fn a_pod_that_is_gone_is_a_change() {
    let mut scene = Scene::full();
    scene.delete("Pod", "alpine-1");
    check(
        &scene,
        "pods: {of: alpine, unchanged: true}",
        false,
        &["Pod/alpine/alpine-1 | UID, address, restarts | uid uid-of-alpine-1 address 10.0.1.10 restarts 0 | gone"],
    );
    scene.delete("Pod", "alpine-0");
    scene.delete("Pod", "alpine-2");
    let verdict = scene.evaluate("pods: {of: alpine, unchanged: true}");
    assert_eq!((verdict.held, verdict.subjects, verdict.mismatches.len()), (false, 0, 3));
}

#[test]
fn a_terminating_pod_is_gone() {
    let mut scene = Scene::full();
    scene.edit("Pod", "alpine-1", terminating);
    check(&scene, "pods: {of: alpine, unchanged: true}", false, &["alpine-1 | UID, address, restarts", "| gone"]);
}

#[rstest]
#[case::restarted(|pod: &mut Value| pod["status"]["containerStatuses"][0]["restartCount"] = json!(1), "address 10.0.1.10 restarts 1")]
#[case::other_address(|pod: &mut Value| pod["status"]["podIPs"] = json!([{"ip": "10.0.1.11"}]), "address 10.0.1.11 restarts 0")]
#[case::second_address(|pod: &mut Value| pod["status"]["podIPs"] = json!([{"ip": "10.0.1.10"}, {"ip": "fd00::1"}]), "address 10.0.1.10 fd00::1")]
fn the_same_pod_in_another_state_is_a_change(#[case] change: fn(&mut Value), #[case] says: &str) {
    let mut scene = Scene::full();
    scene.edit("Pod", "alpine-1", change);
    check(&scene, "pods: {of: alpine, unchanged: true}", false, &[says]);
}

#[test]
fn a_pod_of_the_same_name_is_another() {
    let mut scene = Scene::full();
    scene.edit("Pod", "alpine-1", |pod| pod["metadata"]["uid"] = json!("uid-of-its-successor"));
    check(&scene, "pods: {of: alpine, unchanged: true}", false, &["| gone", "| no new pod |"]);
}

#[test]
fn unchanged_since_a_state_without_pods_does_not_hold() {
    let mut scene = Scene::full();
    scene.rollouts.clear();
    check(&scene, "pods: {of: alpine, unchanged: true}", false, &["no new pod"]);
}

#[test]
fn unchanged_on_some_nodes_only() {
    let mut scene = Scene::full();
    scene.delete("Pod", "alpine-2");
    check(&scene, "pods: {of: alpine, on: [worker], unchanged: true}", true, &[]);
    check(&scene, "pods: {of: alpine, on: [worker2], unchanged: true}", false, &["| gone"]);
}

#[test]
fn zero_pods_must_be_asked_for() {
    let scene = Scene::empty();
    check(&scene, "pods: {of: alpine, count: 0}", true, &[]);
    check(&scene, "pods: {of: alpine, ready: 0}", false, &["live pods of alpine | objects to look at"]);
    check(&scene, "pods: {of: alpine, endpoints: 0}", false, &["live pods of alpine | objects to look at"]);
    check(&scene, "pods: {of: alpine, count: 3}", false, &["live pods | 3 | 0"]);
    check(&Scene::full(), "pods: {of: alpine, count: 0}", false, &["live pods | 0 | 3 (alpine-0 alpine-1 alpine-2)"]);
}

#[test]
fn endpoints_are_those_of_live_pods() {
    let mut scene = Scene::full();
    let endpoint = |name: &str| json!({"apiVersion": "cilium.io/v2", "kind": "CiliumEndpoint", "metadata": {"name": name, "namespace": "alpine"}});
    check(&scene, "pods: {of: alpine, endpoints: 0}", true, &[]);
    for name in ["alpine-0", "alpine-1", "of-no-pod"] {
        scene.put(endpoint(name));
    }
    check(&scene, "pods: {of: alpine, endpoints: 2}", true, &[]);
    check(
        &scene,
        "pods: {of: alpine, endpoints: 3}",
        false,
        &["pods with a CiliumEndpoint | 3 | 2 (alpine-0 alpine-1)"],
    );
}

#[test]
fn pods_of_the_cluster_itself() {
    let mut scene = Scene::empty();
    scene.put(Pod::system(json!({"k8s-app": "kube-dns"}), "coredns-1", NODES[0], "10.0.0.3", false).value());
    scene.put(Pod::system(json!({"k8s-app": "hubble-relay"}), "hubble-relay-1", NODES[1], "10.0.1.3", false).value());
    check(&scene, "podIPs: {of: coredns, every: {within: 10.0.0.0/24}}", true, &[]);
    check(&scene, "pods: {of: hubble-relay, count: 1, ready: 1}", true, &[]);
}
