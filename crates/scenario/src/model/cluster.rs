//! The cluster that a scenario needs.

use std::collections::BTreeMap;

use ipnet::IpNet;

/// Address families of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IpFamily {
    /// IPv4 only.
    #[default]
    Ipv4,
    /// IPv6 only.
    Ipv6,
    /// Both, IPv4 first.
    Dual,
}

/// The cluster that a scenario needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterShape {
    /// Workers beside the one control-plane node. Default 2.
    pub workers: u32,
    /// kube-controller-manager's `--cluster-cidr`, one per family. Default `10.244.0.0/16`.
    pub pod_subnet: Vec<IpNet>,
    /// Service range, one per family. Default `10.96.0.0/16`.
    pub service_subnet: Vec<IpNet>,
    /// Default [`IpFamily::Ipv4`].
    pub ip_family: IpFamily,
    /// Extra kube-controller-manager flags without dashes (`node-cidr-mask-size: "25"`).
    pub controller_manager: BTreeMap<String, String>,
}

/// A node by its role, since real names depend on the cluster: `control-plane`, `worker`, `worker2`, `worker3`, ...
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeRef {
    /// The control-plane node.
    ControlPlane,
    /// A worker, counted from 1.
    Worker(u32),
}

impl NodeRef {
    /// Reads `control-plane`, `worker` (the first) or `workerN`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "control-plane" => Some(Self::ControlPlane),
            "worker" => Some(Self::Worker(1)),
            _ => text.strip_prefix("worker")?.parse().ok().filter(|n| *n >= 1).map(Self::Worker),
        }
    }
}

impl std::fmt::Display for NodeRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ControlPlane => f.write_str("control-plane"),
            Self::Worker(1) => f.write_str("worker"),
            Self::Worker(n) => write!(f, "worker{n}"),
        }
    }
}
