//! Why a scenario did not pass, in the parts that a reader needs.

use serde::{Deserialize, Serialize};

/// What a failure speaks about. The classes never mix: an API error is not a mismatch, and neither is a bug of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureClass {
    /// Observed and expected differ.
    Product,
    /// Docker, kind, helm, the API server, the network, a timeout of an action.
    Infrastructure,
    /// The scenario asks for something that is not there (a node, a workload).
    Input,
    /// Stopped by the user.
    Interrupted,
}

/// One difference between what was expected and what was observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// `CiliumNode/worker2`, `Pod/alpine/alpine-abc`.
    pub object: String,
    /// The field or the property: `status.ipam.operator-status.error`.
    pub field: String,
    /// What the scenario asks for.
    pub expected: String,
    /// What is there.
    pub observed: String,
    /// Milliseconds of the run's clock since which the observed value is as it is, where known.
    pub since_ms: Option<u64>,
}

/// One change in an object's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Milliseconds of the run's clock.
    pub at_ms: u64,
    /// `CiliumNode/worker2`.
    pub object: String,
    /// resourceVersion after the change.
    pub version: String,
    /// `spec.ipam.podCIDRs: [10.0.0.0/24] -> [10.224.1.0/24]`; several fields are separated by `; `.
    pub what: String,
}

/// Why a scenario did not pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What the failure speaks about.
    pub class: FailureClass,
    /// One sentence: the operation, the object and the cause.
    pub message: String,
    /// Index of the step, from 0, where it happened in one.
    pub step: Option<usize>,
    /// `scenarios/x.yaml:31`.
    pub location: Option<String>,
    /// Expected and observed, per field and object.
    pub mismatches: Vec<Mismatch>,
    /// The last changes of the objects in question, oldest first.
    pub history: Vec<Change>,
    /// Causes beneath the message, outermost first.
    pub causes: Vec<String>,
    /// The last API or watch error seen, if any, with when.
    pub last_api_error: Option<String>,
    /// Commands to look further.
    pub next: Vec<String>,
}
