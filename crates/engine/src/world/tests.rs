//! Observations taken in.

use std::sync::Arc;

use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Effect, World};
use crate::observe::{History, KindName, ObjectChange, Observation, Seen};
use crate::support::objects::{self, Pod, cilium_node, config, lease};

struct Taker {
    world: World,
    history: History,
    version: u64,
}

impl Taker {
    fn new() -> Self {
        Self { world: World::default(), history: History::default(), version: 0 }
    }

    fn take(&mut self, kind: &KindName, change: ObjectChange) -> Vec<Effect> {
        self.world.apply(Observation { at: Instant::now(), kind: kind.clone(), change }, &mut self.history)
    }

    fn put(&mut self, object: Value) -> Vec<Effect> {
        let (kind, object) = self.versioned(object);
        self.take(&kind, ObjectChange::Applied(object))
    }

    fn list(&mut self, kind: &KindName, objects: Vec<Value>, gap: Option<&str>) -> Vec<Effect> {
        let objects = objects.into_iter().map(|object| self.versioned(object).1).collect();
        self.take(kind, ObjectChange::Listed { objects, gap: gap.map(str::to_owned) })
    }

    fn versioned(&mut self, mut object: Value) -> (KindName, Arc<Value>) {
        self.version += 1;
        if object["metadata"]["resourceVersion"].is_null() {
            object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        }
        let part = |name: &str| object[name].as_str().unwrap_or("").to_owned();
        (KindName::new(&part("apiVersion"), &part("kind")), Arc::new(object))
    }
}

fn node_kind() -> KindName {
    KindName::new("v1", "Node")
}

fn deleted(effects: &[Effect]) -> Vec<String> {
    let name = |effect: &Effect| match effect {
        Effect::Object { after, deleted: true, .. } => after["metadata"]["name"].as_str().map(str::to_owned),
        _ => None,
    };
    effects.iter().filter_map(name).collect()
}

#[test]
fn a_list_fills_the_world() {
    let mut taker = Taker::new();
    let effects = taker.list(&node_kind(), objects::NODES.map(objects::node).to_vec(), None);
    assert_eq!(effects.len(), 3);
    assert_eq!(taker.world.nodes.keys().collect::<Vec<_>>(), objects::NODES.iter().collect::<Vec<_>>());
    assert!(taker.world.nodes["t-control-plane"].control_plane);
    assert!(taker.world.listed.contains(&node_kind()));
    assert_eq!(taker.world.stale(&[node_kind()]), None);
}

#[test]
fn a_list_after_a_gap_tells_what_is_gone_and_flags_what_changed() {
    let mut taker = Taker::new();
    taker.list(&node_kind(), objects::NODES.map(objects::node).to_vec(), None);
    let mut same = (*taker.world.objects[&node_kind()][&(String::new(), "t-worker".to_owned())]).clone();
    same["kind"] = json!("Node");
    let mut changed = objects::node("t-worker2");
    changed["spec"]["unschedulable"] = json!(true);
    let effects = taker.list(&node_kind(), vec![same, changed], Some("too old resource version"));
    assert!(matches!(&effects[0], Effect::Gap { reason, .. } if reason == "too old resource version"));
    assert_eq!(deleted(&effects), ["t-control-plane"]);
    assert_eq!(effects.len(), 3, "what is as it was is not told again: {effects:?}");
    assert!(taker.world.nodes["t-worker2"].unschedulable);
    let seen = |name: &str| taker.history.of(&node_kind(), "", name).iter().map(|v| v.seen).collect::<Vec<_>>();
    assert_eq!(seen("t-worker"), [Seen::Applied]);
    assert_eq!(seen("t-worker2"), [Seen::Applied, Seen::AfterGap]);
    assert_eq!(seen("t-control-plane"), [Seen::Applied, Seen::Deleted]);
}

#[test]
fn a_deletion_takes_the_facts_with_it() {
    let mut taker = Taker::new();
    taker.put(objects::node("t-worker"));
    taker.put(cilium_node("t-worker", &["10.0.1.0/24"], None));
    let pod = Pod::of("alpine", "a", "t-worker", "10.0.1.5").value();
    taker.put(pod.clone());
    taker.put(config(&json!({})));
    for object in [objects::node("t-worker"), cilium_node("t-worker", &[], None), pod, config(&json!({}))] {
        let (kind, object) = taker.versioned(object);
        taker.take(&kind, ObjectChange::Deleted(object));
    }
    let world = &taker.world;
    assert!(world.nodes.is_empty() && world.cilium_nodes.is_empty() && world.pods.is_empty());
    assert!(world.config.is_empty() && world.objects.values().all(std::collections::BTreeMap::is_empty));
}

#[test]
fn a_renewed_lease_is_no_news() {
    let mut taker = Taker::new();
    taker.put(operator("2026-01-01T00:00:00Z"));
    assert_eq!(taker.put(lease("one", "1")).len(), 1);
    assert_eq!(taker.put(lease("one", "2")).len(), 0);
    assert_eq!(taker.put(lease("two", "3")).len(), 1);
    assert_eq!(taker.world.operator_leader().map(AsRef::as_ref), Some("two"));
    assert_eq!(taker.put(lease("", "4")).len(), 1, "given up");
    assert_eq!(taker.put(lease("", "5")).len(), 0);
    assert_eq!(taker.world.operator_leader(), None);
}

fn operator(created: &str) -> Value {
    let labels = json!({"io.cilium/app": "operator", "name": "cilium-operator"});
    let mut pod = Pod::system(labels, "cilium-operator-1", "t-worker", "172.18.0.2", true).value();
    pod["metadata"]["creationTimestamp"] = json!(created);
    pod
}

#[test]
fn a_lease_of_an_operator_that_is_gone_does_not_lead() {
    let mut taker = Taker::new();
    let mut held = lease("one", "1");
    held["spec"]["acquireTime"] = json!("2026-01-01T00:00:05.000001Z");
    taker.put(held.clone());
    assert_eq!(taker.world.operator_leader(), None, "no operator is there");
    taker.put(operator("2026-01-01T00:00:07Z"));
    assert_eq!(taker.world.operator_leader(), None, "this one is younger than its lease");
    held["spec"]["holderIdentity"] = json!("two");
    held["spec"]["acquireTime"] = json!("2026-01-01T00:00:22.5Z");
    taker.put(held);
    assert_eq!(taker.world.operator_leader().map(AsRef::as_ref), Some("two"));
}

#[test]
fn another_lease_does_not_lead() {
    let mut taker = Taker::new();
    let mut other = lease("t-worker", "1");
    other["metadata"] = json!({"name": "t-worker", "namespace": "kube-node-lease"});
    taker.put(other);
    assert_eq!(taker.world.operator_leader(), None);
}

#[test]
fn a_ciliumnode_that_cannot_be_read_is_absent() {
    let mut taker = Taker::new();
    taker.put(cilium_node("t-worker", &["10.0.1.0/24"], None));
    let mut broken = cilium_node("t-worker", &[], None);
    broken["spec"]["ipam"]["podCIDRs"] = json!("10.0.0.0/24");
    taker.put(broken);
    assert!(taker.world.cilium_nodes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lost_watch_makes_its_kind_stale_until_it_is_back() {
    let mut taker = Taker::new();
    let kinds = [node_kind()];
    assert_eq!(taker.world.stale(&kinds).as_deref(), Some("the API server has not listed nodes yet"));
    taker.list(&node_kind(), Vec::new(), None);
    taker.take(&node_kind(), ObjectChange::Lost { cause: "connection refused".to_owned() });
    tokio::time::advance(std::time::Duration::from_secs(7)).await;
    let why = taker.world.stale(&kinds);
    assert_eq!(why.as_deref(), Some("the watch on Node has been down for 7s: connection refused"));
    assert_eq!(taker.world.stale(&[]), None);
    taker.take(&node_kind(), ObjectChange::Resumed);
    assert_eq!(taker.world.stale(&kinds), None);
}

#[test]
fn a_kind_that_is_not_defined_is_not_waited_for() {
    let mut taker = Taker::new();
    let kind = KindName::new("cilium.io/v2", "CiliumNode");
    taker.take(&kind, ObjectChange::Undefined);
    assert_eq!(taker.world.stale(std::slice::from_ref(&kind)), None, "there are none of it: that is known");
    taker.list(&kind, Vec::new(), None);
    assert!(taker.world.undefined.is_empty());
}

#[rstest]
#[case::in_order(&["x-control-plane", "x-worker", "x-worker2", "x-worker10"])]
#[case::by_number_not_by_letter(&["x-worker10", "x-worker2", "x-worker", "x-control-plane"])]
fn roles_count_workers_as_kind_names_them(#[case] names: &[&str]) {
    let mut taker = Taker::new();
    for name in names {
        taker.put(objects::node(name));
    }
    let roles: Vec<String> = taker.world.roles().iter().map(|(role, name)| format!("{role}={name}")).collect();
    assert_eq!(roles, ["control-plane=x-control-plane", "worker=x-worker", "worker2=x-worker2", "worker3=x-worker10"]);
}

#[test]
fn of_two_agents_on_a_node_the_younger_counts() {
    let mut taker = Taker::new();
    let agent = |name: &'static str, created: &'static str| {
        let pod = Pod::system(json!({"k8s-app": "cilium"}), name, "t-worker", "172.18.0.2", true);
        Pod { created, ..pod }.value()
    };
    taker.put(agent("cilium-b", "2026-01-01T00:00:01Z"));
    taker.put(agent("cilium-a", "2026-01-01T00:00:02Z"));
    taker.put(agent("cilium-c", "2026-01-01T00:00:00Z"));
    assert_eq!(taker.world.agent_pods()["t-worker"].name, "cilium-a");
}

#[test]
fn older_forms_of_addresses_are_read() {
    let mut taker = Taker::new();
    let mut pod = Pod::of("alpine", "a", "t-worker", "10.0.1.5").value();
    pod["status"].as_object_mut().expect("a map").remove("podIPs");
    taker.put(pod);
    let mut node = objects::node("t-worker");
    node["spec"].as_object_mut().expect("a map").remove("podCIDRs");
    taker.put(node);
    let pods: Vec<_> = taker.world.pods.values().map(|pod| pod.ips.clone()).collect();
    assert_eq!(pods, [vec!["10.0.1.5".parse::<std::net::IpAddr>().expect("an address")]]);
    assert_eq!(taker.world.nodes["t-worker"].pod_cidrs.len(), 1);
}
