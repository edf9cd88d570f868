//! The cluster as the watches last saw it: typed facts for checks, the whole objects beside them.

mod facts;
mod nodes;

pub(crate) use facts::{AgentFacts, NodeFacts, PodFacts, Silence, pod_ready, pod_restarts, pod_waiting};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cilium::{CiliumEndpoint, CiliumNode};
use jiff::Timestamp;
use scenario::model::{PodSet, Workload};
use serde_json::Value;
use tokio::time::Instant;

use crate::observe::{History, KindName, ObjectChange, Observation, Seen, Version};

/// Namespace (empty for cluster-scoped objects) and name.
pub(crate) type Key = (String, String);

/// The cluster as last seen. Cloning is cheap enough to keep one per named step: everything large is shared.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    /// By name.
    pub(crate) nodes: BTreeMap<String, Arc<NodeFacts>>,
    /// By name.
    pub(crate) cilium_nodes: BTreeMap<String, Arc<CiliumNode>>,
    /// By namespace and name.
    pub(crate) endpoints: BTreeMap<Key, Arc<CiliumEndpoint>>,
    /// By namespace and name.
    pub(crate) pods: BTreeMap<Key, Arc<PodFacts>>,
    /// `cilium-config`'s data.
    pub(crate) config: Arc<BTreeMap<String, String>>,
    /// The operator's lease, where somebody holds it.
    pub(crate) operator_lease: Option<OperatorLease>,
    /// What running agents said of themselves, by the UID of their pod and its restart count.
    pub(crate) agents: BTreeMap<String, Arc<AgentFacts>>,
    /// Whole objects, by kind, namespace and name.
    pub(crate) objects: BTreeMap<KindName, BTreeMap<Key, Arc<Value>>>,
    /// Why running agents have not said anything yet, by the same key.
    pub(crate) silent: BTreeMap<String, Arc<Silence>>,
    /// Kinds whose first list has arrived.
    pub(crate) listed: BTreeSet<KindName>,
    /// Kinds that the cluster does not have, so far.
    pub(crate) undefined: BTreeSet<KindName>,
    /// Kinds whose watch is down, since when and why.
    pub(crate) lost: BTreeMap<KindName, (Instant, Arc<str>)>,
    /// The version of Cilium, for how it reads its configuration.
    pub(crate) cilium_version: Option<semver::Version>,
}

/// The lease by which one operator leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OperatorLease {
    holder: Arc<str>,
    /// `spec.acquireTime`.
    acquired: Option<Timestamp>,
}

/// What one observation changed, for events and monitors.
#[derive(Debug)]
pub(crate) enum Effect {
    /// An object was created, changed or deleted.
    Object { kind: KindName, before: Option<Arc<Value>>, after: Arc<Value>, deleted: bool },
    /// A list had to be taken again.
    Gap { kind: KindName, reason: String },
    /// A watch went down.
    Lost { kind: KindName, cause: String },
    /// It came back.
    Resumed { kind: KindName },
}

impl World {
    /// Takes in an observation and keeps every version in `history`.
    pub(crate) fn apply(&mut self, observation: Observation, history: &mut History) -> Vec<Effect> {
        let Observation { at, kind, change } = observation;
        let mut effects = Vec::new();
        match change {
            ObjectChange::Applied(object) => {
                self.take(&kind, at, Seen::Applied, object, history, &mut effects);
            }
            ObjectChange::Deleted(object) => {
                self.take(&kind, at, Seen::Deleted, object, history, &mut effects);
            }
            ObjectChange::Listed { objects, gap } => {
                self.listed.insert(kind.clone());
                self.undefined.remove(&kind);
                let seen = if gap.is_some() { Seen::AfterGap } else { Seen::Applied };
                if let Some(reason) = gap {
                    effects.push(Effect::Gap { kind: kind.clone(), reason });
                }
                let mut gone: BTreeSet<Key> = history.alive(&kind).into_iter().collect();
                for object in objects {
                    gone.remove(&crate::observe::key(&object));
                    self.take(&kind, at, seen, object, history, &mut effects);
                }
                for (namespace, name) in gone {
                    if let Some(last) = history.of(&kind, &namespace, &name).last().map(|v| v.object.clone()) {
                        self.take(&kind, at, Seen::Deleted, last, history, &mut effects);
                    }
                }
            }
            ObjectChange::Lost { cause } => {
                self.lost.insert(kind.clone(), (at, cause.as_str().into()));
                effects.push(Effect::Lost { kind, cause });
            }
            ObjectChange::Resumed => {
                self.lost.remove(&kind);
                effects.push(Effect::Resumed { kind });
            }
            ObjectChange::Undefined => {
                self.undefined.insert(kind);
            }
        }
        effects
    }

    fn take(
        &mut self,
        kind: &KindName,
        at: Instant,
        seen: Seen,
        object: Arc<Value>,
        history: &mut History,
        effects: &mut Vec<Effect>,
    ) {
        use crate::observe::Pushed;
        let key = crate::observe::key(&object);
        let deleted = seen == Seen::Deleted;
        if kind.kind == "Lease" && !deleted && same_holder(history.of(kind, &key.0, &key.1).last(), &object) {
            // The leader renews its lease every few seconds: only who holds it is of interest.
            return;
        }
        let before = match history.push(kind, Version { at, seen, object: object.clone() }) {
            Pushed::Known => return,
            Pushed::New { before } => before,
        };
        self.project(kind, &key, &object, deleted);
        let objects = self.objects.entry(kind.clone()).or_default();
        if deleted {
            objects.remove(&key);
        } else {
            objects.insert(key, object.clone());
        }
        effects.push(Effect::Object { kind: kind.clone(), before, after: object, deleted });
    }

    /// Keeps the typed facts in step with the object.
    fn project(&mut self, kind: &KindName, key: &Key, object: &Value, deleted: bool) {
        fn set<K: Ord, V>(map: &mut BTreeMap<K, Arc<V>>, key: K, value: Option<V>) {
            match value {
                Some(value) => {
                    map.insert(key, Arc::new(value));
                }
                None => {
                    map.remove(&key);
                }
            }
        }
        let name = key.1.clone();
        match kind.kind.as_str() {
            "Node" => set(&mut self.nodes, name, (!deleted).then(|| NodeFacts::read(object))),
            "Pod" => set(&mut self.pods, key.clone(), (!deleted).then(|| PodFacts::read(object))),
            "CiliumNode" => {
                // What cannot be read is as good as absent: a check then says that it is not there.
                let node = CiliumNode::from_value(object).ok();
                set(&mut self.cilium_nodes, name, node.filter(|_| !deleted));
            }
            "CiliumEndpoint" => {
                let endpoint = CiliumEndpoint::from_value(object).ok();
                set(&mut self.endpoints, key.clone(), endpoint.filter(|_| !deleted));
            }
            "ConfigMap" if *key == cilium_key(cilium::config::CONFIG_MAP) => {
                let data = object["data"].as_object().filter(|_| !deleted);
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                self.config = Arc::new(data.into_iter().flatten().map(|(k, v)| (k.clone(), text(v))).collect());
            }
            "Lease" if *key == cilium_key(cilium::components::OPERATOR_LEASE) => {
                self.operator_lease = holder(object).filter(|_| !deleted).map(|holder| OperatorLease {
                    holder: holder.into(),
                    acquired: object["spec"]["acquireTime"].as_str().and_then(|text| text.parse().ok()),
                });
            }
            _ => {}
        }
    }

    /// Live pods of a set: terminating, finished and hostNetwork ones do not count.
    pub(crate) fn live(&self, set: &PodSet, workloads: &BTreeMap<String, Workload>) -> Vec<Arc<PodFacts>> {
        let (namespace, label, value) = match set {
            PodSet::Workload(name) => match workloads.get(name) {
                Some(workload) => (workload.namespace.as_str(), crate::WORKLOAD_LABEL, name.as_str()),
                None => return Vec::new(),
            },
            PodSet::CoreDns => (cilium::components::NAMESPACE, "k8s-app", "kube-dns"),
            PodSet::HubbleRelay => (cilium::components::NAMESPACE, "k8s-app", "hubble-relay"),
        };
        self.labelled(namespace, label, value).filter(|pod| pod.is_live() && !pod.host_network).collect()
    }

    /// Pods of one of Cilium's parts, dying ones included, in order of name.
    pub(crate) fn component(&self, component: &cilium::components::Component) -> impl Iterator<Item = Arc<PodFacts>> {
        let selector = component.selector;
        self.namespace(cilium::components::NAMESPACE)
            .filter(move |pod| selector.iter().all(|(key, value)| pod.labels.get(*key).is_some_and(|v| v == value)))
            .cloned()
    }

    /// The operator that leads. A lease alone does not say so: not every operator gives it back as it ends (two of eleven of 1.20.2 did
    /// not), and then it names one that is gone until it runs out.
    pub(crate) fn operator_leader(&self) -> Option<&Arc<str>> {
        let lease = self.operator_lease.as_ref()?;
        let was_there = |pod: &PodFacts| match (pod.created.parse::<Timestamp>(), lease.acquired) {
            (Ok(created), Some(acquired)) => created <= acquired,
            _ => true,
        };
        self.component(&cilium::components::OPERATOR).any(|pod| was_there(&pod)).then_some(&lease.holder)
    }

    fn namespace<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Arc<PodFacts>> + 'a {
        let from = (namespace.to_owned(), String::new());
        self.pods.range(from..).take_while(move |((ns, _), _)| ns == namespace).map(|(_, pod)| pod)
    }

    /// Pods of a namespace with a label, in order of name.
    pub(crate) fn labelled<'a>(
        &'a self,
        namespace: &'a str,
        label: &'a str,
        value: &'a str,
    ) -> impl Iterator<Item = Arc<PodFacts>> + 'a {
        self.namespace(namespace).filter(move |pod| pod.labels.get(label).is_some_and(|v| v == value)).cloned()
    }

    /// Live agent pods, by node. One a node; while a successor starts, the younger one.
    pub(crate) fn agent_pods(&self) -> BTreeMap<String, Arc<PodFacts>> {
        let mut pods: BTreeMap<String, Arc<PodFacts>> = BTreeMap::new();
        for pod in self.component(&cilium::components::AGENT).filter(|pod| pod.is_live()) {
            let Some(node) = pod.node.clone() else { continue };
            match pods.get(&node) {
                Some(other) if other.created > pod.created => {}
                _ => {
                    pods.insert(node, pod);
                }
            }
        }
        pods
    }

    /// The agent's pod on one node, as in [`World::agent_pods`].
    fn agent_pod(&self, node: &str) -> Option<&Arc<PodFacts>> {
        let selector = cilium::components::AGENT.selector;
        // Which node it is on tells most pods apart: it is looked at first.
        self.namespace(cilium::components::NAMESPACE)
            .filter(|pod| pod.node.as_deref() == Some(node) && pod.is_live())
            .filter(|pod| selector.iter().all(|(key, value)| pod.labels.get(*key).is_some_and(|v| v == value)))
            .fold(None, |found: Option<&Arc<PodFacts>>, pod| match found {
                Some(other) if other.created > pod.created => found,
                _ => Some(pod),
            })
    }

    /// What the agent that runs on a node now said of itself.
    pub(crate) fn agent_on(&self, node: &str) -> Option<Arc<AgentFacts>> {
        self.agents.get(&self.agent_pod(node)?.incarnation()).cloned()
    }

    /// Why it is not known what the agent on a node runs.
    pub(crate) fn silence_on(&self, node: &str) -> String {
        self.agent_pod(node).map_or_else(|| format!("there is no agent on {node}"), |pod| self.silence_of(node, pod))
    }

    /// The same of the agent's pod on that node.
    pub(crate) fn silence_of(&self, node: &str, pod: &PodFacts) -> String {
        match self.silent.get(&pod.incarnation()) {
            Some(silence) => format!("{} does not answer: {}", pod.name, silence.cause),
            None => format!("{} on {node} has not answered yet", pod.name),
        }
    }

    /// Why what is known about these kinds may be out of date: a watch that is down, or a first list that has not come.
    pub(crate) fn stale(&self, kinds: &[KindName]) -> Option<String> {
        kinds.iter().find_map(|kind| match self.lost.get(kind) {
            Some((since, cause)) => {
                let down = since.elapsed().as_secs();
                Some(format!("the watch on {} has been down for {down}s: {cause}", kind.kind))
            }
            None if !self.listed.contains(kind) && !self.undefined.contains(kind) => {
                Some(format!("the API server has not listed {} yet", kind.resource().plural))
            }
            None => None,
        })
    }

    /// Value of a `cilium-config` key.
    pub(crate) fn config_value(&self, key: &str) -> Option<&str> {
        self.config.get(key).map(String::as_str)
    }
}

/// The key of an object of Cilium's own namespace.
fn cilium_key(name: &str) -> Key {
    (cilium::components::NAMESPACE.to_owned(), name.to_owned())
}

fn holder(lease: &Value) -> Option<&str> {
    lease["spec"]["holderIdentity"].as_str().filter(|holder| !holder.is_empty())
}

fn same_holder(last: Option<&Version>, lease: &Value) -> bool {
    last.is_some_and(|last| last.seen != Seen::Deleted && holder(&last.object) == holder(lease))
}

#[cfg(test)]
mod tests;
