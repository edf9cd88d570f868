//! The JSON of histories and outcomes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Steps, in their order.
pub type History = Vec<Step>;

/// Something that is done. After each, everything has [`SETTLE`](super::SETTLE) to come to rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub enum Step {
    /// Starts the operator; a running one is stopped first.
    Start {
        /// The IPv4 pools, as written. Absent: IPv4 is off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        v4: Option<Vec<String>>,
        /// Prefix length of a node's IPv4 CIDR.
        #[serde(default = "default_mask4")]
        mask4: i64,
        /// The IPv6 pools, as written. Absent: IPv6 is off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        v6: Option<Vec<String>>,
        /// Prefix length of a node's IPv6 CIDR.
        #[serde(default = "default_mask6")]
        mask6: i64,
    },
    /// Stops the operator.
    Stop,
    /// Creates a CiliumNode.
    Node {
        /// Its name.
        name: String,
        /// Its podCIDRs; empty: none.
        #[serde(default)]
        cidrs: Vec<String>,
    },
    /// Deletes a CiliumNode.
    Delete {
        /// Its name.
        name: String,
    },
    /// Overwrites a CiliumNode's podCIDRs by hand.
    Set {
        /// Its name.
        name: String,
        /// Its new podCIDRs.
        #[serde(default)]
        cidrs: Vec<String>,
    },
}

fn default_mask4() -> i64 {
    24
}

fn default_mask6() -> i64 {
    112
}

/// How things stand after a step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Why the operator did not start: the words of its pool allocator. Then none runs.
    #[serde(default, rename = "startError", skip_serializing_if = "Option::is_none")]
    pub start_error: Option<String>,
    /// The CiliumNodes by name.
    pub nodes: BTreeMap<String, NodeOutcome>,
}

/// One CiliumNode.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeOutcome {
    /// `spec.ipam.podCIDRs`.
    #[serde(rename = "podCIDRs")]
    pub pod_cidrs: Vec<String>,
    /// `status.ipam.operator-status.error`; empty when absent.
    pub error: String,
}
