//! States of small worlds.

use std::sync::Arc;

use camino::Utf8Path;
use events::{CiliumNodeSeen, Owner, PodSeen, State};
use rstest::rstest;
use scenario::Scenario;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{LEADS, Marks, Moment, QUIET, STILL};
use crate::observe::{History, KindName, ObjectChange, Observation};
use crate::support::objects::{self, NODES, Pod};
use crate::world::{AgentFacts, World};

struct Scene {
    world: World,
    history: History,
    scenario: Scenario,
    version: u64,
}

impl Scene {
    /// Three nodes with their agents, an operator, CoreDNS with its endpoint, and a pod of alpine.
    fn full() -> Self {
        let text = "name: t\nsummary: s\ncluster: {podSubnet: 10.244.0.0/16}\nworkloads:\n  alpine: {replicas: 1}\nsteps:\n  - deploy: alpine\n";
        let (scenario, problems) = scenario::parse(Utf8Path::new("t.yaml"), text.as_bytes());
        let mut scene = Self {
            world: World { cilium_version: Some(semver::Version::new(1, 19, 1)), ..World::default() },
            history: History::default(),
            scenario: scenario.unwrap_or_else(|| panic!("{problems:?}")),
            version: 0,
        };
        for kind in super::kinds() {
            scene.observe(kind, ObjectChange::Listed { objects: Vec::new(), gap: None });
        }
        scene.put(objects::config(&json!({})));
        scene.put(objects::lease("one", "1"));
        let labels = json!({"io.cilium/app": "operator", "name": "cilium-operator"});
        let operator = Pod::system(labels, "cilium-operator-1", NODES[0], "172.18.0.2", true).value();
        scene.put(with_uid(operator, "cilium-operator-1"));
        for (place, node) in NODES.iter().enumerate() {
            scene.put(objects::node(node));
            scene.put(objects::cilium_node(node, &[&format!("10.0.{place}.0/24")], None));
            let name = format!("cilium-{place}");
            scene.put(with_uid(
                Pod::system(json!({"k8s-app": "cilium"}), &name, node, "172.18.0.2", true).value(),
                &name,
            ));
            let facts = AgentFacts {
                node: (*node).to_owned(),
                pod_uid: name.clone(),
                ipam: "cluster-pool".to_owned(),
                pod_cidrs: vec![format!("10.0.{place}.0/24").parse().expect("a CIDR")],
            };
            scene.world.agents.insert(format!("{name}/0"), Arc::new(facts));
        }
        let labels = json!({"k8s-app": "kube-dns"});
        scene.put(with_uid(Pod::system(labels, "coredns-1", NODES[0], "10.0.0.9", false).value(), "coredns-1"));
        scene.put(endpoint("kube-system", "coredns-1", "10.0.0.9"));
        scene.put(with_uid(Pod::of("alpine", "alpine-1", NODES[1], "10.0.1.5").value(), "alpine-1"));
        scene
    }

    fn observe(&mut self, kind: KindName, change: ObjectChange) {
        self.world.apply(Observation { at: Instant::now(), kind, change }, &mut self.history);
    }

    fn put(&mut self, object: Value) {
        let (kind, object) = self.versioned(object);
        self.observe(kind, ObjectChange::Applied(object));
    }

    fn remove(&mut self, object: Value) {
        let (kind, object) = self.versioned(object);
        self.observe(kind, ObjectChange::Deleted(object));
    }

    fn versioned(&mut self, mut object: Value) -> (KindName, Arc<Value>) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let part = |name: &str| object[name].as_str().unwrap_or("").to_owned();
        (KindName::new(&part("apiVersion"), &part("kind")), Arc::new(object))
    }

    fn state(&self, marks: &Marks) -> State {
        let roles = self.world.roles();
        self.moment(&roles).state(marks, None)
    }

    fn moment<'a>(&'a self, roles: &'a [(scenario::model::NodeRef, String)]) -> Moment<'a> {
        Moment { world: &self.world, history: &self.history, roles, scenario: &self.scenario }
    }

    fn unsettled(&self) -> Option<String> {
        let roles = self.world.roles();
        self.moment(&roles).unsettled(Instant::now() + LEADS).map(|(why, _)| why)
    }
}

fn with_uid(mut object: Value, uid: &str) -> Value {
    object["metadata"]["uid"] = json!(uid);
    object
}

fn endpoint(namespace: &str, name: &str, ip: &str) -> Value {
    json!({
        "apiVersion": "cilium.io/v2", "kind": "CiliumEndpoint",
        "metadata": {"name": name, "namespace": namespace},
        "status": {"networking": {"addressing": [{"ipv4": ip}]}},
    })
}

#[test]
fn names_nodes_by_role_and_pods_by_what_they_belong_to() {
    let state = Scene::full().state(&Marks::default());
    let roles: Vec<&str> = state.nodes.iter().map(|node| node.role.as_str()).collect();
    assert_eq!(roles, ["control-plane", "worker", "worker2"]);
    let worker = &state.nodes[1];
    assert_eq!(worker.node.as_ref().map(|node| node.pod_cidrs.clone()), Some(vec!["10.244.1.0/24".to_owned()]));
    assert_eq!(worker.cilium.as_ref().map(|node| node.pod_cidrs.clone()), Some(vec!["10.0.1.0/24".to_owned()]));
    assert_eq!(worker.agent.as_ref().map(|agent| agent.ipam.as_str()), Some("cluster-pool"));
    assert_eq!(state.pools, ["10.0.0.0/8"]);
    assert_eq!(state.pod_subnets, ["10.244.0.0/16"]);
    let pods: Vec<_> = state.pods.iter().map(|pod| (pod.owner, pod.of.as_str(), pod.node.as_deref())).collect();
    assert_eq!(pods[0], (Owner::Workload, "alpine", Some("worker")));
    assert_eq!(pods[4], (Owner::System, "cilium-operator", Some("control-plane")));
    assert_eq!(pods[5], (Owner::System, "coredns", Some("control-plane")));
    assert_eq!(state.pods[5].endpoint, Some(vec!["10.0.0.9".to_owned()]));
    assert_eq!(state.pods[0].endpoint, None);
}

#[test]
fn an_error_that_was_erased_is_seen_once() {
    let mut scene = Scene::full();
    scene.put(objects::cilium_node(NODES[1], &["10.0.1.0/24"], Some("allocator full")));
    scene.put(objects::cilium_node(NODES[1], &["10.0.1.0/24"], None));
    let seen = |error: Option<&str>| CiliumNodeSeen {
        absent: false,
        pod_cidrs: vec!["10.0.1.0/24".to_owned()],
        error: error.map(str::to_owned),
    };
    let state = scene.state(&Marks::default());
    assert_eq!(state.nodes[1].seen, [seen(None), seen(Some("allocator full")), seen(None)]);
    let marks = Marks::of(&scene.history);
    assert_eq!(scene.state(&marks).nodes[1].seen, [seen(None)]);
    scene.remove(objects::cilium_node(NODES[1], &["10.0.1.0/24"], None));
    let gone = CiliumNodeSeen { absent: true, ..CiliumNodeSeen::default() };
    assert_eq!(scene.state(&marks).nodes[1].seen, [seen(None), gone]);
}

#[test]
fn a_pod_that_went_is_told_once_with_what_it_was() {
    let mut scene = Scene::full();
    let marks = Marks::of(&scene.history);
    let mut pod = Pod::of("alpine", "alpine-1", NODES[1], "10.0.1.5");
    pod.ready = false;
    scene.put(with_uid(pod.value(), "alpine-1"));
    scene.remove(with_uid(pod.value(), "alpine-1"));
    scene.put(with_uid(Pod::of("alpine", "alpine-1", NODES[1], "10.0.1.6").value(), "alpine-2"));
    let state = scene.state(&marks);
    let alpine: Vec<_> = state.pods.iter().filter(|pod| pod.of == "alpine").collect();
    assert_eq!(
        alpine.iter().map(|pod| (pod.uid.as_str(), pod.gone)).collect::<Vec<_>>(),
        [("alpine-2", false), ("alpine-1", true)]
    );
    let seen = |ready| PodSeen { ips: vec!["10.0.1.5".to_owned()], ready, restarts: 0, crashing: false };
    assert_eq!(alpine[1].seen, [seen(true), seen(false)]);
    let state = scene.state(&Marks::of(&scene.history));
    let alpine: Vec<_> = state.pods.iter().filter(|pod| pod.of == "alpine").map(|pod| pod.uid.as_str()).collect();
    assert_eq!(alpine, ["alpine-2"]);
}

#[rstest]
#[case::nothing_is_going_on(|_: &mut Scene| {}, None)]
#[case::coredns_without_an_endpoint(
    |scene: &mut Scene| scene.remove(endpoint("kube-system", "coredns-1", "10.0.0.9")),
    Some("a pod of coredns has no CiliumEndpoint")
)]
#[case::an_agent_that_restarts(
    |scene: &mut Scene| scene.put(with_uid(Pod { ready: false, ..Pod::system(json!({"k8s-app": "cilium"}), "cilium-9", NODES[2], "172.18.0.2", true) }.value(), "new")),
    Some("the agent on worker2 has not said what it runs")
)]
#[case::a_pod_on_its_way_out(
    |scene: &mut Scene| {
        let mut pod = with_uid(Pod::of("alpine", "alpine-1", NODES[1], "10.0.1.5").value(), "alpine-1");
        pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        scene.put(pod);
    },
    Some("a pod of alpine is on its way out")
)]
#[case::a_pod_that_lost_its_network_stays_so(
    |scene: &mut Scene| {
        let pod = Pod { ready: false, ..Pod::of("alpine", "alpine-1", NODES[1], "10.0.1.5") };
        scene.put(with_uid(pod.value(), "alpine-1"));
    },
    None
)]
#[case::a_pod_that_is_known_and_not_ready(
    |scene: &mut Scene| {
        let pod = Pod { ready: false, ..Pod::of("alpine", "alpine-1", NODES[1], "10.0.1.5") };
        scene.put(with_uid(pod.value(), "alpine-1"));
        scene.put(endpoint("alpine", "alpine-1", "10.0.1.5"));
    },
    Some("a pod of alpine is not ready")
)]
#[tokio::test(start_paused = true)]
async fn says_what_has_not_settled(#[case] change: impl FnOnce(&mut Scene), #[case] expected: Option<&str>) {
    let mut scene = Scene::full();
    change(&mut scene);
    assert_eq!(scene.unsettled().as_deref(), expected);
}

fn crashing(restarts: u64, waiting: Option<&str>) -> Value {
    let pod =
        Pod { ready: false, ..Pod::system(json!({"k8s-app": "cilium"}), "cilium-2", NODES[1], "172.18.0.2", true) };
    let mut pod = with_uid(pod.value(), "crashing");
    let state = waiting.map_or_else(|| json!({"running": {}}), |reason| json!({"waiting": {"reason": reason}}));
    pod["status"]["containerStatuses"] = json!([{"name": "cilium-agent", "restartCount": restarts, "state": state}]);
    pod
}

#[tokio::test(start_paused = true)]
async fn what_hangs_or_crash_loops_is_settled_once_all_else_is_still() {
    let mut scene = Scene::full();
    scene.put(crashing(1, None));
    let roles = scene.world.roles();
    let why = |scene: &Scene| scene.moment(&roles).unsettled(Instant::now());
    tokio::time::advance(STILL).await;
    let first = why(&scene).map(|(why, wake)| (why, wake.is_some()));
    assert_eq!(first, Some(("a pod of cilium has been restarted".to_owned(), false)), "it may come up yet");
    scene.put(crashing(1, Some("CrashLoopBackOff")));
    tokio::time::advance(STILL).await;
    assert_eq!(why(&scene), None);
    // Whether it runs right now is no change, and neither is how often it has ended.
    scene.put(crashing(2, None));
    assert_eq!(why(&scene), None);
    scene.put(objects::cilium_node(NODES[1], &["10.0.1.0/24"], Some("allocator full")));
    let (told, wake) = why(&scene).expect("unsettled");
    assert_eq!((told.as_str(), wake), ("the agent on worker has not said what it runs", Some(Instant::now() + STILL)));
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_is_no_change_and_a_change_is() {
    let mut scene = Scene::full();
    let roles = scene.world.roles();
    tokio::time::advance(LEADS).await;
    let mut node = objects::node(NODES[1]);
    node["status"]["conditions"][0]["lastHeartbeatTime"] = json!("now");
    scene.put(node);
    assert_eq!(scene.moment(&roles).unsettled(Instant::now()), None);
    scene.put(objects::cilium_node(NODES[1], &["10.0.1.0/24"], Some("allocator full")));
    let (why, wake) = scene.moment(&roles).unsettled(Instant::now()).expect("unsettled");
    assert_eq!((why.as_str(), wake), ("something changed a moment ago", Some(Instant::now() + QUIET)));
    tokio::time::advance(QUIET).await;
    assert_eq!(scene.moment(&roles).unsettled(Instant::now()), None);
    scene.put(objects::lease("two", "2"));
    assert!(scene.moment(&roles).unsettled(Instant::now()).is_some(), "another operator leads");
}
