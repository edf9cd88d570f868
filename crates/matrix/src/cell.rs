//! Cells and columns.

use std::fmt;

use semver::Version;
use serde::{Deserialize, Serialize};

/// The versions that a cell is run with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Column {
    /// Cilium's version.
    pub cilium: Version,
    /// Kubernetes' version, where the matrix names some; else the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Version>,
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kubernetes {
            None => f.pad(&self.cilium.to_string()),
            Some(kubernetes) => f.pad(&format!("{}-k{kubernetes}", self.cilium)),
        }
    }
}

/// A scenario with the versions that it is run with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The scenario's name.
    pub scenario: String,
    /// The versions.
    #[serde(flatten)]
    pub column: Column,
    /// Why it is not run, if so: the scenario's own range or kinds of cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<String>,
    /// Digest of the scenario's text: shards of different texts do not belong together.
    pub digest: String,
    /// What it counts for when shards are balanced, in milliseconds. The same wherever the plan is made.
    pub weight_ms: u64,
}

impl Cell {
    /// `cidr-change-ignored@1.18.4`: unique in a plan, and fit for a folder's name.
    pub fn key(&self) -> String {
        format!("{}@{}", self.scenario, self.column)
    }
}

/// The first 16 hexadecimal digits of a SHA-256.
pub(crate) fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
