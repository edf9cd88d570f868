//! What must be so in every scenario, on every cluster, at every moment.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Something that must be so, whatever a scenario shows. A scenario that breaks one on purpose switches it off, with a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Invariant {
    /// See [`Invariant::statement`], as for all of them.
    #[serde(rename = "podcidrs-disjoint")]
    PodCidrsDisjoint,
    /// An address of a range that its node does not have may belong to another node.
    #[serde(rename = "pod-ip-in-podcidr")]
    PodIpInPodCidr,
    /// Judged by what agents hold: a kubelet may tell an address late.
    #[serde(rename = "pod-ips-unique")]
    PodIpsUnique,
    /// The operator then gives the range to another node, while the agent still uses it.
    #[serde(rename = "podcidrs-never-emptied")]
    PodCidrsNeverEmptied,
    /// Judged where an operator in mode cluster-pool leads and has had time to write.
    #[serde(rename = "foreign-podcidr-reported")]
    ForeignPodCidrReported,
    /// In operator-status, or in the pod's own last termination.
    #[serde(rename = "crash-loop-explained")]
    CrashLoopExplained,
    /// An agent keeps the range that it was started with, so ranges of that time count as well.
    #[serde(rename = "router-in-podcidr")]
    RouterInPodCidr,
}

impl Invariant {
    /// All of them, in the order in which they are judged.
    pub const ALL: [Self; 7] = [
        Self::PodCidrsDisjoint,
        Self::PodCidrsNeverEmptied,
        Self::PodIpsUnique,
        Self::PodIpInPodCidr,
        Self::RouterInPodCidr,
        Self::ForeignPodCidrReported,
        Self::CrashLoopExplained,
    ];

    /// Its name in scenarios, in reports and in faults.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PodCidrsDisjoint => "podcidrs-disjoint",
            Self::PodIpInPodCidr => "pod-ip-in-podcidr",
            Self::PodIpsUnique => "pod-ips-unique",
            Self::PodCidrsNeverEmptied => "podcidrs-never-emptied",
            Self::ForeignPodCidrReported => "foreign-podcidr-reported",
            Self::CrashLoopExplained => "crash-loop-explained",
            Self::RouterInPodCidr => "router-in-podcidr",
        }
    }

    /// What must be so.
    pub fn statement(self) -> &'static str {
        match self {
            Self::PodCidrsDisjoint => "no two live CiliumNodes' podCIDRs overlap",
            Self::PodIpInPodCidr => "a pod's IP lies in a podCIDR that its node has, or had when the pod was made",
            Self::PodIpsUnique => "no two live pods share an IP",
            Self::PodCidrsNeverEmptied => "podCIDRs once given are not emptied",
            Self::ForeignPodCidrReported => "a podCIDR outside every pool comes with an operator-status error",
            Self::CrashLoopExplained => {
                "an agent that crash-loops has an explanation in operator-status or in its pod's own status"
            }
            Self::RouterInPodCidr => {
                "the router address lies in a podCIDR that the node has, or had while its agent ran"
            }
        }
    }

    /// All names, for help texts and errors.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        Self::ALL.into_iter().map(Self::as_str)
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no invariant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no invariant {text:?} (known: {})", Invariant::names().collect::<Vec<_>>().join(", "))]
pub struct NoInvariant {
    text: String,
}

impl FromStr for Invariant {
    type Err = NoInvariant;

    fn from_str(text: &str) -> Result<Self, NoInvariant> {
        let found = Self::ALL.into_iter().find(|invariant| invariant.as_str() == text);
        found.ok_or_else(|| NoInvariant { text: text.to_owned() })
    }
}

/// An object that shows a violation, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// `CiliumNode/worker2`, `Pod/alpine/alpine-abc`.
    pub object: String,
    /// Its resourceVersion; empty where there is no such object.
    pub version: String,
    /// Milliseconds of the run's clock at which that version was seen.
    pub at_ms: u64,
    /// What of it matters: `spec.ipam.podCIDRs [10.0.1.0/24]`.
    pub what: String,
}

/// Something that must always be so was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which invariant.
    pub invariant: Invariant,
    /// Milliseconds of the run's clock since which it was so.
    pub since_ms: u64,
    /// When that was certain: at once, or when it had lasted for longer than it can take by rights.
    pub at_ms: u64,
    /// The objects in question: two, or two versions of one.
    pub witnesses: Vec<Witness>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_written_back() {
        for invariant in Invariant::ALL {
            assert_eq!(invariant.as_str().parse(), Ok(invariant));
            assert_eq!(serde_json::to_value(invariant).unwrap(), invariant.as_str());
        }
        let error = "podcidr-disjoint".parse::<Invariant>().unwrap_err().to_string();
        assert!(error.contains("known: podcidrs-disjoint, "), "{error}");
    }
}
