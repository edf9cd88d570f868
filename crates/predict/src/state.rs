//! How things stand.

use serde::Serialize;

/// A cluster's IPAM, at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// `ipam` in `cilium-config`: what processes that start now will run with.
    pub configured_mode: String,
    /// The operator.
    pub operator: OperatorState,
    /// The nodes, in the order of their roles.
    pub nodes: Vec<NodeState>,
    /// The ranges of kube-controller-manager.
    pub pod_subnets: Vec<String>,
}

/// The operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is", rename_all_fields = "camelCase")]
pub enum OperatorState {
    /// It allocates.
    Allocating {
        /// Its pools, IPv4 before IPv6.
        pools: Vec<PoolState>,
    },
    /// It runs without an allocator, in that mode.
    Idle {
        /// The mode that it was started with.
        mode: String,
    },
    /// It exits at each start.
    Refusing {
        /// What its log says.
        error: String,
    },
    /// There is none.
    Down,
}

/// A pool, by the operator's own memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolState {
    /// Without host bits.
    pub cidr: String,
    /// Prefix length of a node's range.
    pub mask: i64,
    /// How many ranges it has.
    pub ranges: u64,
    /// How many of them are used.
    pub used: u64,
    /// The used ones by number from 0: first and one past the last.
    pub used_ranges: Vec<(u64, u64)>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeState {
    /// Its role, or its name.
    pub name: String,
    /// `Node.spec.podCIDRs`.
    #[serde(rename = "nodePodCIDRs")]
    pub node_pod_cidrs: Vec<String>,
    /// Its CiliumNode, if there is one.
    pub cilium_node: Option<CiliumNodeState>,
    /// Its agent.
    pub agent: AgentState,
}

/// A CiliumNode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CiliumNodeState {
    /// `spec.ipam.podCIDRs`.
    #[serde(rename = "podCIDRs")]
    pub pod_cidrs: Vec<String>,
    /// `status.ipam.operator-status.error`; empty for none.
    pub error: String,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum AgentState {
    /// It hands out addresses.
    Serving {
        /// The mode that it was started with.
        mode: String,
        /// From these ranges.
        cidrs: Vec<String>,
    },
    /// It waits for a range.
    Waiting {
        /// The mode that it was started with.
        mode: String,
        /// The error in its log.
        error: String,
    },
    /// It exits at each start.
    Exiting {
        /// The mode that it was started with.
        mode: String,
        /// The fatal message.
        error: String,
    },
    /// Its machine is gone.
    Gone,
}

/// What a CiliumNode said for a moment, and does not say at the end of the step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Passing {
    /// The node.
    pub node: String,
    /// Its podCIDRs then.
    #[serde(rename = "podCIDRs")]
    pub pod_cidrs: Vec<String>,
    /// Its operator-status error then; empty for none.
    pub error: String,
}

impl State {
    /// The node of that name.
    pub fn node(&self, name: &str) -> Option<&NodeState> {
        self.nodes.iter().find(|node| node.name == name)
    }
}

impl NodeState {
    /// Its CiliumNode's podCIDRs; empty without one.
    pub fn pod_cidrs(&self) -> &[String] {
        self.cilium_node.as_ref().map_or(&[], |node| &node.pod_cidrs)
    }

    /// Its operator-status error; empty for none.
    pub fn error(&self) -> &str {
        self.cilium_node.as_ref().map_or("", |node| &node.error)
    }
}
