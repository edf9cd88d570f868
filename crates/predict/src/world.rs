//! A cluster's IPAM, moved on by what happens.

use std::collections::BTreeMap;
use std::time::Duration;

use ipam::operator::{
    Change, Choice, Duty, Event, Family, NodeSnapshot, Operator, OperatorConfig, Order, Timing, duty,
};
use ipam::{IpamMode, Release};

use crate::agents::Process;
use crate::store::Store;
use crate::{AgentState, CiliumNodeState, KubeRanges, NodeState, OperatorState, Passing, PoolState, State};

/// Longer than this nothing takes to come to rest: errors that are written and erased a second later, and retries.
const PATIENCE: Duration = Duration::from_secs(60);

/// A mode that the model does not cover.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model does not cover IPAM mode {mode}: it knows cluster-pool and kubernetes, and says nothing about others"
)]
pub struct NotCovered {
    /// Which.
    pub mode: IpamMode,
}

/// Where an order is open: these first, in this order, then the others by name.
#[derive(Debug, Clone, Default)]
struct Preferred(Vec<String>);

impl Order for Preferred {
    fn arrange(&mut self, _choice: Choice, names: &mut [String]) {
        let place = |name: &String| self.0.iter().position(|known| known == name).unwrap_or(usize::MAX);
        names.sort_by_key(place);
    }
}

#[derive(Debug, Clone)]
enum OperatorProcess {
    Allocating(Box<Operator>),
    Idle(String),
    Refusing(String),
}

/// A cluster's IPAM.
#[derive(Debug, Clone)]
pub struct World {
    release: Release,
    now: Duration,
    config: BTreeMap<String, String>,
    store: Store,
    operator: Option<OperatorProcess>,
    kube: KubeRanges,
    /// In the order in which they came: Node.spec.podCIDRs.
    nodes: Vec<(String, Vec<String>)>,
    agents: BTreeMap<String, Process>,
    order: Preferred,
}

impl World {
    /// An empty cluster with that `cilium-config`, without nodes and without an operator.
    pub fn new(release: Release, config: BTreeMap<String, String>, kube: KubeRanges) -> Self {
        Self {
            release,
            now: Duration::ZERO,
            config,
            store: Store::new(release),
            operator: None,
            kube,
            nodes: Vec::new(),
            agents: BTreeMap::new(),
            order: Preferred::default(),
        }
    }

    /// The data of `cilium-config`.
    pub fn config(&self) -> &BTreeMap<String, String> {
        &self.config
    }

    /// Replaces the data of `cilium-config`. Nothing reads it until it is started.
    pub fn configure(&mut self, config: BTreeMap<String, String>) {
        self.config = config;
    }

    /// In which order nodes are served where that is open; by name where nothing else is said.
    pub fn prefer(&mut self, order: &[String]) {
        self.order = Preferred(order.to_vec());
    }

    /// Starts the operator with `cilium-config` as it is; one that runs is stopped.
    ///
    /// # Errors
    /// When its mode is not covered.
    pub fn start_operator(&mut self) -> Result<(), NotCovered> {
        self.store.drop_events();
        self.operator = None;
        let mode = self.config.get(cilium::config::IPAM).map_or(cilium::config::DEFAULT_MODE, |mode| mode.trim());
        let mode = mode.to_owned();
        let config = match OperatorConfig::from_config_map(&self.config, self.release) {
            Ok(config) => config,
            Err(error) => {
                let line = error.log();
                let error = format!("{}: {}", line.message, line.error.unwrap_or_default());
                self.operator = Some(OperatorProcess::Refusing(error));
                return Ok(());
            }
        };
        match duty(&mode, self.release) {
            Duty::NotModelled(mode) => return Err(NotCovered { mode }),
            Duty::Exits(line) => self.operator = Some(OperatorProcess::Refusing(line.message)),
            Duty::Idle => self.operator = Some(OperatorProcess::Idle(mode)),
            Duty::ClusterPool => match Operator::start(&config, self.release, Timing::default()) {
                Err(error) => self.operator = Some(OperatorProcess::Refusing(error.to_string())),
                Ok(operator) => {
                    self.operator = Some(OperatorProcess::Allocating(Box::new(operator)));
                    let mut names: Vec<String> = self.store.nodes().map(|node| node.name.clone()).collect();
                    Operator::arrange_list(self.release, &mut names, &mut self.order);
                    for name in &names {
                        if let Some(node) = self.store.get(name).cloned() {
                            self.give(Event::Upsert { node, change: Change::Content });
                        }
                    }
                    self.give(Event::Synced);
                }
            },
        }
        Ok(())
    }

    /// Stops the operator.
    pub fn stop_operator(&mut self) {
        self.operator = None;
        self.store.drop_events();
    }

    /// A Node joins, with a range of kube-controller-manager's, or with `pod_cidrs`. Its agent starts with `cilium-config` as it is.
    pub fn add_node(&mut self, name: &str, pod_cidrs: Option<Vec<String>>) {
        let cidrs = pod_cidrs.unwrap_or_else(|| self.kube.give(name));
        self.join_node(name, cidrs);
        self.start_agent(name);
    }

    /// A Node joins with these podCIDRs, and no agent runs on it yet.
    pub fn join_node(&mut self, name: &str, pod_cidrs: Vec<String>) {
        self.nodes.retain(|(other, _)| other != name);
        self.nodes.push((name.to_owned(), pod_cidrs));
    }

    /// The CiliumNodes, also those of Nodes that are not there.
    pub fn cilium_nodes(&self) -> BTreeMap<String, CiliumNodeState> {
        let state =
            |node: &NodeSnapshot| CiliumNodeState { pod_cidrs: node.pod_cidrs.clone(), error: node.error.clone() };
        self.store.nodes().map(|node| (node.name.clone(), state(node))).collect()
    }

    /// A Node leaves for good, and its CiliumNode with it.
    pub fn remove_node(&mut self, name: &str) {
        self.kube.release(name);
        self.nodes.retain(|(other, _)| other != name);
        self.agents.remove(name);
        self.store.delete(name);
    }

    /// A machine stops; its objects stay.
    pub fn lose_node(&mut self, name: &str) {
        self.agents.remove(name);
    }

    /// An agent's pod is replaced: it starts with `cilium-config` as it is.
    pub fn start_agent(&mut self, name: &str) {
        if self.nodes.iter().any(|(other, _)| other == name) {
            let before = self.agents.get(name).cloned();
            let agent = Process::start(&self.config, self.release, name, before.as_ref(), &mut self.store);
            self.agents.insert(name.to_owned(), agent);
        }
    }

    /// An agent's container is started again: it has the configuration that it had.
    pub fn crash_agent(&mut self, name: &str) {
        if let Some(before) = self.agents.get(name).cloned() {
            let agent = Process::start(&before.data, self.release, name, Some(&before), &mut self.store);
            self.agents.insert(name.to_owned(), agent);
        }
    }

    /// The nodes that have an agent.
    pub fn agents(&self) -> Vec<String> {
        self.nodes.iter().map(|(name, _)| name).filter(|name| self.agents.contains_key(*name)).cloned().collect()
    }

    /// A CiliumNode is deleted. Its agent does not notice.
    pub fn delete_cilium_node(&mut self, name: &str) {
        self.store.delete(name);
    }

    /// A CiliumNode's podCIDRs are overwritten by hand; false when the API server refuses.
    pub fn set_pod_cidrs(&mut self, name: &str, cidrs: &[String]) -> bool {
        self.store.set_pod_cidrs(name, cidrs)
    }

    /// A CiliumNode's operator-status is overwritten by hand.
    pub fn set_error(&mut self, name: &str, error: &str) {
        self.store.set_error(name, error);
    }

    /// A Node's podCIDRs are set by hand.
    pub fn set_node_pod_cidrs(&mut self, name: &str, cidrs: Vec<String>) {
        if let Some(node) = self.nodes.iter_mut().find(|(other, _)| other == name) {
            node.1 = cidrs;
        }
    }

    fn give(&mut self, event: Event) {
        if let Some(OperatorProcess::Allocating(operator)) = &mut self.operator {
            operator.handle_with(self.now, event, &mut self.order, &mut self.store);
        }
    }

    /// Lets everything come to rest.
    ///
    /// # Errors
    /// When an agent runs in a mode that is not covered.
    pub fn settle(&mut self) -> Result<(), NotCovered> {
        let until = self.now + PATIENCE;
        loop {
            while let Some(event) = self.store.next_event() {
                self.give(event);
            }
            let mut moved = false;
            for (name, cidrs) in &self.nodes {
                if let Some(agent) = self.agents.get_mut(name) {
                    moved |= agent.look(name, cidrs, &mut self.store).map_err(|mode| NotCovered { mode })?;
                }
            }
            if moved {
                continue;
            }
            let Some(OperatorProcess::Allocating(operator)) = &mut self.operator else { break };
            let Some(at) = operator.next_timer().filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            operator.on_time_with(self.now, &mut self.order, &mut self.store);
        }
        self.now = until;
        Ok(())
    }

    /// How things stand.
    pub fn state(&self) -> State {
        let mode = self.config.get(cilium::config::IPAM).map_or(cilium::config::DEFAULT_MODE, |mode| mode.trim());
        let nodes = self.nodes.iter().map(|(name, cidrs)| NodeState {
            name: name.clone(),
            node_pod_cidrs: cidrs.clone(),
            cilium_node: self
                .store
                .get(name)
                .map(|node| CiliumNodeState { pod_cidrs: node.pod_cidrs.clone(), error: node.error.clone() }),
            agent: self.agents.get(name).map_or(AgentState::Gone, Process::state),
        });
        let operator = match &self.operator {
            None => OperatorState::Down,
            Some(OperatorProcess::Idle(mode)) => OperatorState::Idle { mode: mode.clone() },
            Some(OperatorProcess::Refusing(error)) => OperatorState::Refusing { error: error.clone() },
            Some(OperatorProcess::Allocating(operator)) => {
                let pools = Family::BOTH.into_iter().flat_map(|family| operator.pools(family));
                let pools = pools.map(|pool| PoolState {
                    cidr: pool.cidr.map_or_else(String::new, |cidr| cidr.to_string()),
                    mask: pool.mask,
                    ranges: pool.slots,
                    used: pool.used,
                    used_ranges: pool.used_ranges,
                });
                OperatorState::Allocating { pools: pools.collect() }
            }
        };
        State {
            configured_mode: mode.to_owned(),
            operator,
            nodes: nodes.collect(),
            pod_subnets: self.kube.subnets().iter().map(ToString::to_string).collect(),
        }
    }

    /// What CiliumNodes said since the last call and say no longer.
    pub fn take_passing(&mut self) -> Vec<Passing> {
        let mut passing: Vec<Passing> = Vec::new();
        for seen in self.store.take_seen() {
            let last = self.store.get(&seen.node);
            let stayed = last.is_some_and(|node| node.pod_cidrs == seen.pod_cidrs && node.error == seen.error);
            let nothing = seen.pod_cidrs.is_empty() && seen.error.is_empty();
            if !stayed && !nothing && !passing.contains(&seen) {
                passing.push(seen);
            }
        }
        passing
    }
}
