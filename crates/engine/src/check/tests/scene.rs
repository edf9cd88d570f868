//! A world of three nodes and three pods, one of each on each, and what a check may look at beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8Path;
use scenario::Scenario;
use scenario::model::{Action, Check, Expect, NodeRef, PodSet};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::check::{Context, Pair, Ping, Programs, Verdict, evaluate_all, pairs};
use crate::observe::{History, KindName, ObjectChange, Observation};
use crate::support::objects::{self, NODES, Pod};
use crate::world::{AgentFacts, PodFacts, World};

/// The checks of an `expect`, as a scenario file has them: one a line.
#[track_caller]
pub(crate) fn checks(text: &str) -> Vec<Check> {
    expect(text).checks
}

/// A whole `expect`.
#[track_caller]
pub(crate) fn expect(text: &str) -> Expect {
    match scenario(text).steps.into_iter().last().map(|step| step.action) {
        Some(Action::Expect(expect)) => expect,
        other => panic!("the last step is an expect, not {other:?}"),
    }
}

#[track_caller]
fn scenario(checks: &str) -> Scenario {
    let lines: String = checks.lines().map(|line| format!("      {line}\n")).collect();
    let text = format!(
        "name: t\nsummary: s\nworkloads:\n  alpine: {{replicas: 3}}\n  host: {{hostNetwork: true}}\nsteps:\n  \
         - deploy: host\n  - name: then\n    deploy: alpine\n  - expect:\n{lines}"
    );
    let (scenario, problems) = scenario::parse(Utf8Path::new("t.yaml"), text.as_bytes());
    scenario.unwrap_or_else(|| panic!("{text}\n{problems:#?}"))
}

pub(crate) struct Scene {
    pub(crate) world: World,
    history: History,
    pub(crate) labels: BTreeMap<String, Arc<World>>,
    pub(crate) rollouts: BTreeMap<PodSet, Arc<Vec<Arc<PodFacts>>>>,
    pub(crate) pings: BTreeMap<Pair, Ping>,
    roles: Vec<(NodeRef, String)>,
    scenario: Scenario,
}

impl Scene {
    /// Nothing has been seen yet, but the version of Cilium is known.
    pub(crate) fn empty() -> Self {
        let world = World { cilium_version: Some(semver::Version::new(1, 19, 1)), ..World::default() };
        Self {
            world,
            history: History::default(),
            labels: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            pings: BTreeMap::new(),
            roles: Vec::new(),
            scenario: scenario("config: {ipam: cluster-pool}"),
        }
    }

    /// Three nodes in mode cluster-pool, and `alpine-0` to `alpine-2` on them, one each. All is well.
    pub(crate) fn full() -> Self {
        let mut scene = Self::empty();
        scene.put(objects::config(&json!({})));
        for (place, node) in NODES.iter().enumerate() {
            scene.put(objects::node(node));
            scene.put(objects::cilium_node(node, &[&format!("10.0.{place}.0/24")], None));
            let agent = json!({"k8s-app": "cilium"});
            scene.put(Pod::system(agent, &format!("cilium-{place}"), node, "172.18.0.2", true).value());
            scene.agent(place, "cluster-pool", &format!("10.0.{place}.0/24"));
            scene.put(Pod::of("alpine", &format!("alpine-{place}"), node, &format!("10.0.{place}.10")).value());
        }
        scene.ping_all(&Ping::Answered);
        scene.roles = scene.world.roles();
        scene.label("start");
        let pods = scene.world.live(&alpine(), &scene.scenario.workloads);
        scene.rollouts.insert(alpine(), Arc::new(pods));
        scene
    }

    /// The same, but on `worker2` nothing is as on the others.
    pub(crate) fn one_differs() -> Self {
        let mut scene = Self::full();
        scene.put(objects::cilium_node(NODES[2], &["192.168.0.0/24"], Some("boom")));
        scene.put(Pod::of("alpine", "alpine-2", NODES[2], "192.168.0.10").value());
        let agent = json!({"k8s-app": "cilium"});
        let agent = Pod { ready: false, ..Pod::system(agent, "cilium-2", NODES[2], "172.18.0.2", true) };
        scene.put(agent.value());
        scene.ping_all(&Ping::Answered);
        for ((_, from, _), ping) in &mut scene.pings {
            if from == "alpine-2" {
                *ping = Ping::Unanswered;
            }
        }
        scene
    }

    pub(crate) fn put(&mut self, mut object: Value) {
        let name = object["metadata"]["name"].clone();
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-of-{}", name.as_str().unwrap_or("")));
        }
        let kind = kind(&object);
        let change = ObjectChange::Applied(Arc::new(object));
        self.world.apply(Observation { at: Instant::now(), kind, change }, &mut self.history);
    }

    pub(crate) fn edit(&mut self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let objects =
            self.world.objects.iter().filter(|(known, _)| known.kind == kind).flat_map(|(_, objects)| objects);
        let found = objects.into_iter().find(|((_, known), _)| known == name);
        let mut object = (**found.expect("there is such an object").1).clone();
        change(&mut object);
        self.put(object);
    }

    pub(crate) fn delete(&mut self, kind: &str, name: &str) {
        let objects = self.world.objects.iter().filter(|(known, _)| known.kind == kind);
        let (kind, object) = objects
            .flat_map(|(kind, objects)| objects.iter().map(move |(key, object)| (kind, key, object)))
            .find(|(_, key, _)| key.1 == name)
            .map(|(kind, _, object)| (kind.clone(), object.clone()))
            .expect("there is such an object");
        let change = ObjectChange::Deleted(object);
        self.world.apply(Observation { at: Instant::now(), kind, change }, &mut self.history);
    }

    /// What the agent on a node says.
    pub(crate) fn agent(&mut self, place: usize, mode: &str, range: &str) {
        let node = NODES[place].to_owned();
        let pod = self.world.agent_pods()[&node].clone();
        let ranges = if range.is_empty() { Vec::new() } else { vec![range.parse().expect("a range")] };
        let facts = AgentFacts { node, pod_uid: pod.uid.clone(), ipam: mode.to_owned(), pod_cidrs: ranges };
        self.world.agents.insert(pod.incarnation(), Arc::new(facts));
    }

    /// Keeps the world as it is now.
    pub(crate) fn label(&mut self, name: &str) {
        self.labels.insert(name.to_owned(), Arc::new(self.world.clone()));
    }

    pub(crate) fn ping_all(&mut self, answer: &Ping) {
        let tried: Vec<Pair> = pairs(&self.context(&Programs::default()), &alpine(), &alpine())
            .into_iter()
            .filter_map(|p| p.2.ok())
            .collect();
        self.pings = tried.into_iter().map(|pair| (pair, answer.clone())).collect();
    }

    pub(crate) fn context<'a>(&'a self, programs: &'a Programs) -> Context<'a> {
        Context {
            world: &self.world,
            labels: &self.labels,
            rollouts: &self.rollouts,
            scenario: &self.scenario,
            programs,
            pings: &self.pings,
            roles: &self.roles,
        }
    }

    #[track_caller]
    pub(crate) fn evaluate(&self, text: &str) -> Verdict {
        let list = checks(text);
        let mut programs = Programs::default();
        for check in &list {
            if let Check::Cel { expression, .. } = check {
                programs.add(expression).expect("the expression compiles");
            }
        }
        evaluate_all(&list, &self.context(&programs))
    }
}

fn alpine() -> PodSet {
    PodSet::Workload("alpine".to_owned())
}

fn kind(object: &Value) -> KindName {
    let part = |name: &str| object[name].as_str().expect("an object says what it is").to_owned();
    KindName::new(&part("apiVersion"), &part("kind"))
}
