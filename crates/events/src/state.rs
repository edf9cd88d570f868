//! What a cluster looked like at one moment, as far as IPAM is concerned: what `fidelity` compares between two kinds of cluster.
//!
//! Nodes are named by role (`control-plane`, `worker`, `worker2`, ...), since real names belong to the run. Everything else is as
//! observed, with its random parts: reducing those is the comparison's business. CIDRs and addresses are text as the API has it.

use serde::{Deserialize, Serialize};

/// The state after the installation, or at the end of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Why the cluster was still between two states then; none when it had settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsettled: Option<String>,
    /// kube-controller-manager's ranges for Nodes, as the scenario asks for them.
    pub pod_subnets: Vec<String>,
    /// The operator's pools as `cilium-config` names them now; which pools a running operator uses was fixed at its start.
    pub pools: Vec<String>,
    /// In order of role.
    pub nodes: Vec<NodeState>,
    /// Pods of the scenario's workloads, of Cilium and of CoreDNS, gone ones last.
    pub pods: Vec<PodState>,
}

/// A node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    /// `control-plane`, `worker`, `worker2`, ...
    pub role: String,
    /// The Node; none while it is out of the cluster.
    pub node: Option<KubeNode>,
    /// Its CiliumNode; none where there is none.
    pub cilium: Option<CiliumNodeState>,
    /// What the agent that runs there said of itself; none where none runs or none has answered.
    pub agent: Option<AgentState>,
    /// Every distinct value that the CiliumNode had since the state before this one, oldest first, beginning with the value it
    /// had then. An error that was written and erased in between is here and nowhere else.
    pub seen: Vec<CiliumNodeSeen>,
}

/// A Node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubeNode {
    /// Its UID.
    pub uid: String,
    /// Its Ready condition.
    pub ready: bool,
    /// `spec.unschedulable`.
    pub unschedulable: bool,
    /// Keys of its taints, sorted.
    pub taints: Vec<String>,
    /// `spec.podCIDRs`.
    pub pod_cidrs: Vec<String>,
}

/// A CiliumNode.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CiliumNodeState {
    /// Its UID.
    pub uid: String,
    /// `spec.ipam.podCIDRs`, as written.
    pub pod_cidrs: Vec<String>,
    /// Whether `status.ipam.operator-status` is there at all: no operator has written a status before that.
    #[serde(default)]
    pub operator_status: bool,
    /// `status.ipam.operator-status.error`; none when absent or empty.
    pub error: Option<String>,
    /// Addresses of type `CiliumInternalIP`.
    pub router: Vec<String>,
    /// `spec.health`.
    pub health: Vec<String>,
}

/// What an agent said of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentState {
    /// The mode it runs.
    pub ipam: String,
    /// The ranges it allocates from.
    pub pod_cidrs: Vec<String>,
}

/// One value that a CiliumNode had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CiliumNodeSeen {
    /// Whether there was no CiliumNode.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absent: bool,
    /// `spec.ipam.podCIDRs`.
    pub pod_cidrs: Vec<String>,
    /// `status.ipam.operator-status.error`.
    pub error: Option<String>,
}

/// Whose pod it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// A workload of the scenario.
    #[default]
    Workload,
    /// Cilium, or CoreDNS, which the operator restarts where it must.
    System,
}

/// A pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodState {
    /// Whose it is.
    pub owner: Owner,
    /// The workload, or the part: `cilium`, `cilium-operator`, `hubble-relay`, `coredns`.
    pub of: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Role of its node; none before it is scheduled.
    pub node: Option<String>,
    /// Whether it may run on one node only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// Whether it uses its node's own address.
    pub host_network: bool,
    /// `status.podIPs`.
    pub ips: Vec<String>,
    /// `status.phase`.
    pub phase: String,
    /// Its Ready condition.
    pub ready: bool,
    /// Restarts of all its containers.
    pub restarts: u64,
    /// Why a container waits: `CrashLoopBackOff`.
    pub waiting: Option<String>,
    /// Whether it is on its way out.
    pub terminating: bool,
    /// Whether it went away since the state before this one; the rest is as it was last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// Addresses of its CiliumEndpoint; none where there is none.
    pub endpoint: Option<Vec<String>>,
    /// Every distinct condition that it had since the state before this one, oldest first, until it began to go away. For a pod that
    /// was there at the time of that state, the first is the one that it had then.
    pub seen: Vec<PodSeen>,
}

/// One condition that a pod had. Addresses that came or changed are in it, so a pod whose address changed shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodSeen {
    /// `status.podIPs`.
    pub ips: Vec<String>,
    /// Its Ready condition.
    pub ready: bool,
    /// Restarts of all its containers.
    pub restarts: u64,
    /// `CrashLoopBackOff`, where a container waits for that; passing reasons (`ContainerCreating`) are left out.
    pub crashing: bool,
}
