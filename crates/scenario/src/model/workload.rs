//! Workloads that a scenario deploys.

use super::NodeRef;

/// A Deployment, in a namespace of its own name unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Container image. Default `alpine:3.22`.
    pub image: String,
    /// Default 3.
    pub replicas: u32,
    /// Default: the workload's name.
    pub namespace: String,
    /// Default `sleep infinity` in a shell that ends on SIGTERM.
    pub command: Option<Vec<String>>,
    /// Runs in the host's network: its pods have no address of their own. Default false.
    pub host_network: bool,
    /// All its pods on this node.
    pub node: Option<NodeRef>,
}

/// A set of pods that a check speaks about. Terminating and hostNetwork pods never count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PodSet {
    /// A workload of the scenario.
    Workload(String),
    /// CoreDNS (`k8s-app=kube-dns` in kube-system).
    CoreDns,
    /// Hubble Relay.
    HubbleRelay,
}

impl std::fmt::Display for PodSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Workload(name) => f.write_str(name),
            Self::CoreDns => f.write_str("coredns"),
            Self::HubbleRelay => f.write_str("hubble-relay"),
        }
    }
}
