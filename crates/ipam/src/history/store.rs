//! A store of CiliumNodes that answers like the API server: versions, conflicts, status apart from spec, and an event for
//! every real change.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::types::NodeOutcome;
use crate::operator::{ApiAnswer, ApiRequest, Change, CiliumNodeApi, Event, NodeSnapshot, accepts_pod_cidr};
use crate::version::Release;

#[derive(Debug)]
pub(super) struct Store {
    release: Release,
    nodes: BTreeMap<String, NodeSnapshot>,
    version: u64,
    /// What a watch has not delivered yet.
    events: VecDeque<Event>,
}

impl Store {
    pub(super) fn new(release: Release) -> Self {
        Self { release, nodes: BTreeMap::new(), version: 0, events: VecDeque::new() }
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &NodeSnapshot> {
        self.nodes.values()
    }

    pub(super) fn get(&self, name: &str) -> Option<&NodeSnapshot> {
        self.nodes.get(name)
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Forgets what was not delivered: the watch is gone with its operator.
    pub(super) fn drop_events(&mut self) {
        self.events.clear();
    }

    fn accepts(&self, cidrs: &[String]) -> bool {
        cidrs.iter().all(|text| accepts_pod_cidr(text, self.release))
    }

    /// Creates a CiliumNode. One that exists, or podCIDRs that are refused, leave everything as it is.
    pub(super) fn create(&mut self, name: &str, cidrs: &[String]) {
        if !self.nodes.contains_key(name) && self.accepts(cidrs) {
            self.put(NodeSnapshot { name: name.to_owned(), pod_cidrs: cidrs.to_vec(), ..NodeSnapshot::default() });
        }
    }

    /// Puts in a CiliumNode as it is, without an event.
    pub(super) fn insert(&mut self, name: String, node: NodeOutcome) {
        self.version += 1;
        let NodeOutcome { pod_cidrs, error } = node;
        let snapshot = NodeSnapshot {
            name: name.clone(),
            resource_version: self.version,
            pod_cidrs,
            error,
            ..NodeSnapshot::default()
        };
        self.nodes.insert(name, snapshot);
    }

    /// Overwrites podCIDRs. A missing node, or podCIDRs that are refused, leave everything as it is.
    pub(super) fn set(&mut self, name: &str, cidrs: &[String]) {
        if let Some(node) = self.nodes.get(name).filter(|node| node.pod_cidrs != cidrs)
            && self.accepts(cidrs)
        {
            self.put(NodeSnapshot { pod_cidrs: cidrs.to_vec(), ..node.clone() });
        }
    }

    pub(super) fn delete(&mut self, name: &str) {
        if self.nodes.remove(name).is_some() {
            self.events.push_back(Event::Deleted { name: name.to_owned() });
        }
    }

    fn put(&mut self, node: NodeSnapshot) -> NodeSnapshot {
        self.version += 1;
        let node = NodeSnapshot { resource_version: self.version, ..node };
        self.nodes.insert(node.name.clone(), node.clone());
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
