//! A cluster that is told second by second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use events::Invariant;
use scenario::model::{Off, VersionRange};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::invariant::{Broken, Invariants, Touch, View};
use crate::observe::{History, KindName, ObjectChange, Observation, standard};
use crate::support::objects::{self, NODES, Pod};
use crate::world::{AgentFacts, Effect, World};

pub(super) const WORKER: &str = NODES[1];
pub(super) const WORKER2: &str = NODES[2];

pub(super) struct Cluster {
    pub(super) world: World,
    history: History,
    invariants: Invariants,
    base: Instant,
    now: u64,
    version: u64,
    /// Violations of invariants that are off.
    pub(super) off: Vec<Invariant>,
}

impl Cluster {
    /// Every kind has been listed, and nothing is there.
    pub(super) fn empty() -> Self {
        Self::with_off(&[])
    }

    pub(super) fn with_off(off: &[Invariant]) -> Self {
        let why = || Off { reason: "on purpose".to_owned(), versions: VersionRange::any() };
        let off: BTreeMap<Invariant, Off> = off.iter().map(|invariant| (*invariant, why())).collect();
        let version = semver::Version::new(1, 19, 1);
        let mut cluster = Self {
            world: World { cilium_version: Some(version.clone()), ..World::default() },
            history: History::default(),
            invariants: Invariants::new(&off, &version),
            base: Instant::now(),
            now: 0,
            version: 0,
            off: Vec::new(),
        };
        for watched in standard() {
            cluster.tell(watched.kind, ObjectChange::Listed { objects: Vec::new(), gap: None });
        }
        cluster
    }

    /// Two workers in mode cluster-pool with 10.0.1.0/24 and 10.0.2.0/24, an operator that leads, and agents that have answered.
    pub(super) fn running() -> Self {
        Self::running_with_off(&[])
    }

    pub(super) fn running_with_off(off: &[Invariant]) -> Self {
        let mut cluster = Self::with_off(off);
        cluster.put(objects::config(&json!({})));
        cluster.put(operator("cilium-operator-1", WORKER, 0, true));
        cluster.put(objects::lease(&format!("{WORKER}-abc"), "2026-01-01T00:00:00Z"));
        for (place, node) in [(1, WORKER), (2, WORKER2)] {
            cluster.put(objects::node(node));
            cluster.put(agent(node, 0).value());
            cluster.put(with_router(
                objects::cilium_node(node, &[&format!("10.0.{place}.0/24")], None),
                &format!("10.0.{place}.7"),
            ));
            cluster.answer(node, "cluster-pool", &format!("10.0.{place}.0/24"));
        }
        cluster
    }

    /// Time passes, and nothing happens.
    pub(super) fn pass(&mut self, seconds: u64) {
        self.now += seconds;
        self.judge(&[]);
    }

    /// Time passes before the next thing happens, without a look in between.
    pub(super) fn skip(&mut self, seconds: u64) {
        self.now += seconds;
    }

    fn at(&self) -> Instant {
        self.base + Duration::from_secs(self.now)
    }

    /// An object is there, in a new version, a second later.
    pub(super) fn put(&mut self, object: Value) {
        let kind = kind(&object);
        let object = self.versioned(object);
        self.tell(kind, ObjectChange::Applied(object));
    }

    /// An object is gone.
    pub(super) fn delete(&mut self, object: Value) {
        let kind = kind(&object);
        let object = self.versioned(object);
        self.tell(kind, ObjectChange::Deleted(object));
    }

    /// What a list after a gap says.
    pub(super) fn list_again(&mut self, objects: Vec<Value>) {
        let kind = kind(&objects[0]);
        let objects = objects.into_iter().map(|object| self.versioned(object)).collect();
        self.tell(kind, ObjectChange::Listed { objects, gap: Some("too old resource version".to_owned()) });
    }

    /// The watch on a kind goes down, or comes up again.
    pub(super) fn watch(&mut self, kind: KindName, up: bool) {
        let change = if up { ObjectChange::Resumed } else { ObjectChange::Lost { cause: "gone".to_owned() } };
        self.tell(kind, change);
    }

    fn versioned(&mut self, mut object: Value) -> Arc<Value> {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-of-{}", object["metadata"]["name"].as_str().unwrap_or("")));
        }
        Arc::new(object)
    }

    fn tell(&mut self, kind: KindName, change: ObjectChange) {
        self.now += 1;
        let observation = Observation { at: self.at(), kind, change };
        let effects = self.world.apply(observation, &mut self.history);
        let touches: Vec<Touch<'_>> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Object { kind, before, after, deleted } => {
                    Some(Touch::Object { kind: &kind.kind, before: before.as_deref(), after, deleted: *deleted })
                }
                _ => None,
            })
            .collect();
        self.judge(&touches);
    }

    /// The agent that runs on a node says what it runs.
    pub(super) fn answer(&mut self, node: &str, mode: &str, range: &str) {
        let pod = self.world.agent_pods()[node].clone();
        let facts = AgentFacts {
            node: node.to_owned(),
            pod_uid: pod.uid.clone(),
            ipam: mode.to_owned(),
            pod_cidrs: vec![range.parse().expect("a range")],
        };
        self.world.agents.insert(pod.incarnation(), Arc::new(facts));
        self.judge(&[Touch::Agent { node }]);
    }

    fn judge(&mut self, touches: &[Touch<'_>]) {
        let at = self.at();
        let view = View { world: &self.world, history: &self.history };
        let off = self.invariants.look(at, touches, view);
        self.off.extend(off.into_iter().map(|broken| broken.invariant));
    }

    pub(super) fn broken(&self) -> Option<&Broken> {
        self.invariants.broken()
    }

    pub(super) fn in_doubt(&self) -> Option<String> {
        self.invariants.in_doubt()
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.invariants.due()
    }

    /// Everything holds, now and for two minutes more.
    #[track_caller]
    pub(super) fn holds(mut self) {
        self.pass(0);
        self.pass(120);
        assert!(self.broken().is_none(), "{}", self.sentence());
    }

    /// An invariant is violated, and the message names both objects.
    #[track_caller]
    pub(super) fn breaks(&self, invariant: Invariant, objects: [&str; 2]) {
        let broken = self.broken().unwrap_or_else(|| panic!("nothing is violated; in doubt: {:?}", self.in_doubt()));
        assert_eq!(broken.invariant, invariant, "{}", self.sentence());
        let named: Vec<&str> = broken.finding.seen.iter().map(|seen| seen.object.as_str()).collect();
        assert_eq!(named, objects);
        let sentence = self.sentence();
        for seen in &broken.finding.seen {
            let text = format!("{} (resourceVersion {}, seen at ", seen.object, seen.version);
            assert!(!seen.version.is_empty() && sentence.contains(&text), "{sentence}");
        }
    }

    fn sentence(&self) -> String {
        let ms = |at: Instant| u64::try_from(at.saturating_duration_since(self.base).as_millis()).unwrap_or_default();
        self.broken().map_or_else(String::new, |broken| broken.sentence(ms))
    }
}

fn kind(object: &Value) -> KindName {
    let part = |name: &str| object[name].as_str().expect("an object says what it is").to_owned();
    KindName::new(&part("apiVersion"), &part("kind"))
}

/// A node's agent.
pub(super) fn agent(node: &str, restarts: u32) -> Pod<'_> {
    let name = if node == WORKER { "cilium-1" } else { "cilium-2" };
    Pod { restarts, ..Pod::system(json!({"k8s-app": "cilium"}), name, node, "172.18.0.2", true) }
}

/// An operator's pod.
pub(super) fn operator(name: &str, node: &str, restarts: u32, ready: bool) -> Value {
    let labels = json!({"io.cilium/app": "operator", "name": "cilium-operator"});
    Pod { restarts, ready, ..Pod::system(labels, name, node, "172.18.0.2", true) }.value()
}

/// A CiliumNode with a router.
pub(super) fn with_router(mut node: Value, ip: &str) -> Value {
    node["spec"]["addresses"] = json!([{"type": "CiliumInternalIP", "ip": ip}]);
    node
}

/// A pod's CiliumEndpoint.
pub(super) fn endpoint(namespace: &str, name: &str, ip: &str) -> Value {
    json!({
        "apiVersion": "cilium.io/v2", "kind": "CiliumEndpoint",
        "metadata": {"name": name, "namespace": namespace},
        "status": {"networking": {"addressing": [{"ipv4": ip}]}},
    })
}
