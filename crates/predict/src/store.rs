//! The CiliumNodes of the API server: versions, conflicts, status apart from spec, and an event for every real change.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ipam::Release;
use ipam::operator::{ApiAnswer, ApiRequest, Change, CiliumNodeApi, Event, NodeSnapshot, accepts_pod_cidr};

use crate::Passing;

#[derive(Debug, Clone)]
pub(crate) struct Store {
    release: Release,
    nodes: BTreeMap<String, NodeSnapshot>,
    version: u64,
    /// What a watch has not delivered yet.
    events: VecDeque<Event>,
    /// Every version of every object since it was last asked for.
    seen: Vec<Passing>,
}

impl Store {
    pub(crate) fn new(release: Release) -> Self {
        Self { release, nodes: BTreeMap::new(), version: 0, events: VecDeque::new(), seen: Vec::new() }
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &NodeSnapshot> {
        self.nodes.values()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&NodeSnapshot> {
        self.nodes.get(name)
    }

    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn drop_events(&mut self) {
        self.events.clear();
    }

    /// Every version of every object since the last call.
    pub(crate) fn take_seen(&mut self) -> Vec<Passing> {
        std::mem::take(&mut self.seen)
    }

    /// Makes an object without podCIDRs, where there is none.
    pub(crate) fn ensure(&mut self, name: &str) {
        if !self.nodes.contains_key(name) {
            self.put(NodeSnapshot { name: name.to_owned(), ..NodeSnapshot::default() });
        }
    }

    /// Overwrites podCIDRs; an object is made where there is none. What the API server refuses changes nothing: false.
    pub(crate) fn set_pod_cidrs(&mut self, name: &str, cidrs: &[String]) -> bool {
        if !cidrs.iter().all(|text| accepts_pod_cidr(text, self.release)) {
            return false;
        }
        let old = self.nodes.get(name).cloned();
        let old = old.unwrap_or_else(|| NodeSnapshot { name: name.to_owned(), ..NodeSnapshot::default() });
        if old.resource_version == 0 || old.pod_cidrs != cidrs {
            self.put(NodeSnapshot { pod_cidrs: cidrs.to_vec(), ..old });
        }
        true
    }

    /// Overwrites the operator-status error.
    pub(crate) fn set_error(&mut self, name: &str, error: &str) {
        if let Some(old) = self.nodes.get(name).filter(|old| old.error != error).cloned() {
            self.put(NodeSnapshot { error: error.to_owned(), ..old });
        }
    }

    /// Something else in its spec is new: an address of its agent.
    pub(crate) fn touch(&mut self, name: &str) {
        if let Some(old) = self.nodes.get(name).cloned() {
            self.put(old);
        }
    }

    /// Takes it away; false where there is none.
    pub(crate) fn delete(&mut self, name: &str) -> bool {
        let was = self.nodes.remove(name).is_some();
        if was {
            self.events.push_back(Event::Deleted { name: name.to_owned() });
        }
        was
    }

    fn put(&mut self, node: NodeSnapshot) -> NodeSnapshot {
        self.version += 1;
        let node = NodeSnapshot { resource_version: self.version, ..node };
        self.nodes.insert(node.name.clone(), node.clone());
        self.seen.push(Passing {
            node: node.name.clone(),
            pod_cidrs: node.pod_cidrs.clone(),
            error: node.error.clone(),
        });
        self.events.push_back(Event::Upsert { node: node.clone(), change: Change::Content });
        node
    }

    fn write(&mut self, name: &str, version: u64, change: impl FnOnce(&mut NodeSnapshot)) -> ApiAnswer {
        let Some(old) = self.nodes.get(name) else { return ApiAnswer::NotFound };
        if old.resource_version != version {
            return ApiAnswer::Conflict;
        }
        let mut new = old.clone();
        change(&mut new);
        if new == *old { ApiAnswer::Ok(new) } else { ApiAnswer::Ok(self.put(new)) }
    }
}

impl CiliumNodeApi for Store {
    fn call(&mut self, _at: Duration, request: &ApiRequest) -> ApiAnswer {
        match request {
            ApiRequest::Get { name } => self.get(name).cloned().map_or(ApiAnswer::NotFound, ApiAnswer::Ok),
            ApiRequest::Update { name, resource_version, pod_cidrs } => {
                self.write(name, *resource_version, |node| node.pod_cidrs.clone_from(pod_cidrs))
            }
            ApiRequest::UpdateStatus { name, resource_version, error } => {
                self.write(name, *resource_version, |node| node.error.clone_from(error))
            }
        }
    }
}
