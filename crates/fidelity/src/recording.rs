//! A run of one scenario, reduced to facts.

use std::collections::BTreeMap;

use events::ClusterKind;
use serde::{Deserialize, Serialize};

/// Version of the reduced form. Facts are worded by this crate, so recordings of another version are not compared with.
pub const FORMAT: u32 = 1;

/// A run of one scenario, reduced to facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// See [`FORMAT`].
    pub format: u32,
    /// The scenario's name.
    pub scenario: String,
    /// Cilium's version.
    pub cilium: String,
    /// The kind of cluster it ran on.
    pub cluster: ClusterKind,
    /// The state at its start and after each step that ran, in order.
    pub phases: Vec<Phase>,
}

/// The facts at the end of a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// `start`, `step 3`.
    pub name: String,
    /// What the step did, for readers: `restart cilium-operator`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Why the cluster was between two states; then its facts depend on the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsettled: Option<String>,
    /// What is compared, by subject.
    pub facts: BTreeMap<String, String>,
    /// What is compared where both runs have the subject: pods on a node that they need not have been put on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub placed: BTreeMap<String, String>,
}
