//! Invariants that a scenario breaks on purpose.

use semver::Version;

use super::VersionRange;

/// Why an invariant is off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Off {
    /// Why the scenario breaks it.
    pub reason: String,
    /// The versions of Cilium for which it is off.
    pub versions: VersionRange,
}

impl Off {
    /// Whether it is off for this version.
    pub fn applies(&self, version: &Version) -> bool {
        self.versions.contains(version)
    }
}
