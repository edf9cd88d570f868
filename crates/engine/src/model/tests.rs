//! From what watches tell to what the model is told.

use std::sync::Arc;
use std::time::Duration;

use events::EventKind;
use predict::oracle::Happened;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Beside;
use crate::invariant::View;
use crate::observe::{History, KindName, ObjectChange, Observation};
use crate::support::objects::{self, NODES, Pod, cilium_node, config, lease};
use crate::world::World;

/// What is told second by second.
struct Told {
    world: World,
    history: History,
    model: Beside,
    base: Instant,
    now: u64,
}

impl Told {
    fn new(version: &str) -> Self {
        let version: semver::Version = version.parse().expect("a version");
        Self {
            world: World { cilium_version: Some(version.clone()), ..World::default() },
            history: History::default(),
            model: Beside::new(&version),
            base: Instant::now(),
            now: 0,
        }
    }

    fn put(&mut self, mut object: Value) {
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-of-{}", object["metadata"]["name"].as_str().unwrap_or("")));
        }
        self.tell(object, ObjectChange::Applied);
    }

    fn delete(&mut self, object: Value) {
        self.tell(object, ObjectChange::Deleted);
    }

    fn tell(&mut self, mut object: Value, change: impl FnOnce(Arc<Value>) -> ObjectChange) {
        self.now += 1;
        object["metadata"]["resourceVersion"] = json!(self.now.to_string());
        let part = |name: &str| object[name].as_str().expect("an object says what it is").to_owned();
        let kind = KindName::new(&part("apiVersion"), &part("kind"));
        let at = self.base + Duration::from_secs(self.now);
        self.world.apply(Observation { at, kind, change: change(Arc::new(object)) }, &mut self.history);
    }

    /// Nodes and their agents are there, and then an operator leads.
    fn install(&mut self) {
        self.put(config(&json!({})));
        for (place, node) in NODES.iter().enumerate() {
            self.put(objects::node(node));
            self.put(agent(place, 0));
            self.put(cilium_node(node, &[], None));
        }
        self.operator("cilium-operator-1", NODES[1], "first");
    }

    fn operator(&mut self, name: &str, node: &str, id: &str) {
        self.put(operator(name, node));
        self.put(lease(&format!("{node}-{id}"), "2026-01-01T00:00:00Z"));
    }

    /// The CiliumNodes' podCIDRs and errors.
    fn nodes(&mut self, nodes: [(&str, Option<&str>); 3]) {
        for (node, (cidr, error)) in NODES.iter().zip(nodes) {
            let cidrs: Vec<&str> = if cidr.is_empty() { Vec::new() } else { vec![cidr] };
            self.put(cilium_node(node, &cidrs, error));
        }
    }

    /// What a comparison tells.
    fn compare(&mut self, unsettled: bool) -> Vec<String> {
        let view = View { world: &self.world, history: &self.history };
        let told = self.model.compare(Some(0), unsettled, view);
        told.into_iter()
            .map(|event| match event {
                EventKind::Warning { text } => text,
                other => panic!("{other:?}"),
            })
            .collect()
    }
}

fn agent(place: usize, restarts: u32) -> Value {
    let name = format!("cilium-{place}");
    let pod = Pod::system(json!({"k8s-app": "cilium"}), &name, NODES[place], "172.18.0.2", true);
    running(Pod { restarts, ..pod }.value(), "cilium-agent")
}

fn operator(name: &str, node: &str) -> Value {
    let labels = json!({"io.cilium/app": "operator", "name": "cilium-operator"});
    running(Pod::system(labels, name, node, "172.18.0.2", true).value(), "cilium-operator")
}

fn running(mut pod: Value, container: &str) -> Value {
    pod["status"]["containerStatuses"][0]["name"] = json!(container);
    pod["status"]["containerStatuses"][0]["state"] = json!({"running": {}});
    pod
}

const RANGES: [&str; 3] = ["10.0.1.0/24", "10.0.0.0/24", "10.0.2.0/24"];

fn installed() -> Told {
    let mut told = Told::new("1.19.1");
    told.install();
    told.nodes(RANGES.map(|range| (range, None)));
    assert_eq!(told.compare(false), Vec::<String>::new());
    told
}

#[test]
fn an_installation_is_as_the_model_says() {
    let report = installed().model.report();
    assert_eq!((report.compared, report.agreed, report.left_out, report.silent), (1, 1, 0, None));
}

#[test]
fn another_range_is_a_difference_and_told_once() {
    let mut told = Told::new("1.19.1");
    told.install();
    told.nodes([("10.0.1.0/24", None), ("10.0.0.0/24", None), ("10.9.9.0/24", None)]);
    assert_eq!(told.compare(true), Vec::<String>::new(), "it may be on its way");
    let text = "the model differs: t-worker2: spec.ipam.podCIDRs is 10.9.9.0/24, the model says 10.0.2.0/24";
    assert_eq!(told.compare(false), [text]);
    assert_eq!(told.compare(false), Vec::<String>::new());
    let report = told.model.report();
    assert_eq!((report.compared, report.agreed, report.left_out, report.differences.len()), (2, 0, 1, 1));
    let said = "after step 1: t-worker2: spec.ipam.podCIDRs is 10.9.9.0/24, the model says 10.0.2.0/24";
    assert_eq!(report.differences[0].to_string(), said);
}

#[test]
fn an_operator_is_followed_with_the_configuration_that_it_has_read() {
    let mut told = installed();
    told.put(config(&json!({"cluster-pool-ipv4-cidr": "192.168.0.0/16"})));
    assert_eq!(told.compare(false), Vec::<String>::new(), "nothing has read it yet");
    told.delete(operator("cilium-operator-1", NODES[1]));
    told.operator("cilium-operator-2", NODES[2], "second");
    let errors = RANGES.map(|range| format!("allocator not configured for the requested CIDR {range}"));
    let missing = told.compare(false);
    assert_eq!(missing.len(), 3, "{missing:?}");
    told.nodes([0, 1, 2].map(|place| (RANGES[place], Some(errors[place].as_str()))));
    assert_eq!(told.compare(false), Vec::<String>::new());
}

#[test]
fn an_operator_that_ends_without_giving_its_lease_back_is_gone() {
    let mut told = Told::new("1.20.2");
    told.install();
    told.nodes(RANGES.map(|range| (range, None)));
    assert_eq!(told.compare(false), Vec::<String>::new());
    let mut ended = operator("cilium-operator-1", NODES[1]);
    ended["status"]["phase"] = json!("Failed");
    told.put(ended);
    let edited = Happened::PodCidrsSet { node: NODES[2].to_owned(), pod_cidrs: vec!["10.0.0.0/24".to_owned()] };
    told.now += 1;
    told.model.edited(told.base + Duration::from_secs(told.now), edited);
    told.nodes([("10.0.1.0/24", None), ("10.0.0.0/24", None), ("10.0.0.0/24", None)]);
    assert_eq!(told.compare(false), Vec::<String>::new(), "nobody was there to put it back");
}

#[test]
fn an_operator_that_was_started_again_in_its_pod_may_have_read_either() {
    let mut told = installed();
    told.put(config(&json!({"cluster-pool-ipv4-cidr": "192.168.0.0/16"})));
    let mut again = operator("cilium-operator-1", NODES[1]);
    again["status"]["containerStatuses"][0]["restartCount"] = json!(1);
    told.put(again);
    told.put(lease(&format!("{}-again", NODES[1]), "2026-01-01T00:00:00Z"));
    let said = told.compare(false);
    assert!(
        said.len() == 1 && said[0].contains("which cilium-config cilium-operator-1 has read is not known"),
        "{said:?}"
    );
    assert_eq!(told.compare(false), Vec::<String>::new(), "once");
    assert!(told.model.report().silent.is_some());
}

#[test]
fn a_node_that_is_replaced_is_followed() {
    let mut told = installed();
    told.delete(objects::node(NODES[2]));
    told.delete(cilium_node(NODES[2], &["10.0.2.0/24"], None));
    let mut node = objects::node(NODES[2]);
    node["metadata"]["uid"] = json!("another");
    told.put(node);
    let mut pod = agent(2, 0);
    pod["metadata"]["uid"] = json!("another agent");
    told.put(pod);
    told.put(cilium_node(NODES[2], &["10.0.3.0/24"], None));
    assert_eq!(told.compare(false), Vec::<String>::new());
}

#[test]
fn a_mode_that_the_model_does_not_know_is_said_and_never_guessed() {
    let mut told = Told::new("1.19.1");
    told.put(config(&json!({"ipam": "multi-pool"})));
    told.put(objects::node(NODES[1]));
    told.put(agent(1, 0));
    told.put(cilium_node(NODES[1], &[], None));
    told.operator("cilium-operator-1", NODES[1], "first");
    let said = told.compare(false);
    assert!(said.len() == 1 && said[0].contains("the model does not cover IPAM mode multi-pool"), "{said:?}");
}
