//! How Cilium is installed.

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::VersionRange;

/// IPAM modes that Cilium knows (cilium/cilium: pkg/ipam/option/option.go, the same in 1.16 to 1.20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpamMode {
    /// The operator hands out podCIDRs from its own pool.
    ClusterPool,
    /// Each node uses its Kubernetes Node's podCIDR.
    Kubernetes,
    /// Several pools, CiliumPodIPPool.
    MultiPool,
    /// CRD-backed.
    Crd,
    /// AWS.
    Eni,
    /// Azure.
    Azure,
    /// Alibaba Cloud.
    AlibabaCloud,
    /// Another CNI plugin's.
    DelegatedPlugin,
}

impl IpamMode {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ClusterPool,
        Self::Kubernetes,
        Self::MultiPool,
        Self::Crd,
        Self::Eni,
        Self::Azure,
        Self::AlibabaCloud,
        Self::DelegatedPlugin,
    ];

    /// The value of `cilium-config`'s key `ipam`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterPool => "cluster-pool",
            Self::Kubernetes => "kubernetes",
            Self::MultiPool => "multi-pool",
            Self::Crd => "crd",
            Self::Eni => "eni",
            Self::Azure => "azure",
            Self::AlibabaCloud => "alibabacloud",
            Self::DelegatedPlugin => "delegated-plugin",
        }
    }

    /// The mode of that name. Case-sensitive, as in Cilium.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// Helm's `ipam` values, in their typed form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpamConfig {
    /// `ipam.mode`. Default cluster-pool.
    pub mode: IpamMode,
    /// `ipam.operator.clusterPoolIPv4PodCIDRList`, as written (host bits kept). Default `10.0.0.0/8`, as the chart's.
    pub ipv4_pools: Vec<IpNet>,
    /// `ipam.operator.clusterPoolIPv4MaskSize`. Default 24.
    pub ipv4_mask: u8,
    /// `ipam.operator.clusterPoolIPv6PodCIDRList`. Default `fd00::/104`.
    pub ipv6_pools: Vec<IpNet>,
    /// `ipam.operator.clusterPoolIPv6MaskSize`. Default 120.
    pub ipv6_mask: u8,
}

/// How Cilium is installed.
#[derive(Debug, Clone, PartialEq)]
pub struct CiliumSetup {
    /// Versions that the scenario speaks about. Default any.
    pub versions: VersionRange,
    /// Whether the steps begin once every node has a ready agent; else once every node has one that runs. Default true.
    pub ready: bool,
    /// IPAM.
    pub ipam: IpamConfig,
    /// Further Helm values, merged over everything else.
    pub values: Map<String, Value>,
}
