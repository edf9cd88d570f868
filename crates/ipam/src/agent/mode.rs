//! The values of `ipam` in `cilium-config`.

use std::fmt;
use std::str::FromStr;

/// How the fatal message about a mode that does not exist begins.
pub const UNKNOWN_BACKEND: &str = "Unknown IPAM backend";

/// An IPAM mode that Cilium knows (`pkg/ipam/option/option.go`, the same from 1.16 to 1.20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpamMode {
    /// The Node's own podCIDRs.
    Kubernetes,
    /// The operator cuts a CIDR for each node out of its pools.
    ClusterPool,
    /// Several pools, CIDRs on demand.
    MultiPool,
    /// Addresses listed in the CiliumNode.
    Crd,
    /// AWS.
    Eni,
    /// Azure.
    Azure,
    /// Alibaba Cloud.
    AlibabaCloud,
    /// Another CNI plugin hands out addresses.
    DelegatedPlugin,
}

impl IpamMode {
    /// Every mode.
    pub const ALL: [Self; 8] = [
        Self::Kubernetes,
        Self::ClusterPool,
        Self::MultiPool,
        Self::Crd,
        Self::Eni,
        Self::Azure,
        Self::AlibabaCloud,
        Self::DelegatedPlugin,
    ];

    /// As it is written in `cilium-config`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::ClusterPool => "cluster-pool",
            Self::MultiPool => "multi-pool",
            Self::Crd => "crd",
            Self::Eni => "eni",
            Self::Azure => "azure",
            Self::AlibabaCloud => "alibabacloud",
            Self::DelegatedPlugin => "delegated-plugin",
        }
    }

    /// Whether this crate models agents in that mode.
    pub fn is_modelled(self) -> bool {
        matches!(self, Self::Kubernetes | Self::ClusterPool)
    }
}

impl fmt::Display for IpamMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for IpamMode {
    type Err = UnknownMode;

    /// Reads a mode as `cilium-config` has it: case counts.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownMode { mode: text.to_owned() };
        Self::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or_else(unknown)
    }
}

/// A mode that Cilium does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown IPAM mode \"{mode}\" (known: kubernetes, cluster-pool, multi-pool, crd, eni, azure, alibabacloud, delegated-plugin)"
)]
pub struct UnknownMode {
    /// As written.
    pub mode: String,
}
