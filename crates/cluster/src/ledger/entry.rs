//! One line of the ledger: a cluster, who makes it, and what it is made of.

use camino::Utf8PathBuf;
use events::ClusterKind;
use serde::{Deserialize, Serialize};

use super::Owner;

/// Beginning of the name of everything that is made outside the run's folder.
pub(crate) const PREFIX: &str = "ipam-e2e-";

/// A cluster that is being made, exists, or is being removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Version of this format.
    pub format: u32,
    /// Name of the cluster, and of the file.
    pub name: String,
    /// Id of the run.
    pub run: String,
    /// The scenario it is for.
    pub scenario: String,
    /// The process that makes it.
    pub owner: Owner,
    /// When.
    pub created: jiff::Timestamp,
    /// Its folder.
    pub dir: Utf8PathBuf,
    /// Why it stays after its run, if it does on purpose.
    pub kept: Option<String>,
    /// What it is made of.
    pub target: Target,
}

/// What a cluster is made of, as far as it must be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Target {
    /// Containers and a network.
    Kind {
        /// Names of the node containers.
        nodes: Vec<String>,
        /// The network, named like the cluster.
        network: String,
    },
    /// Objects in somebody's cluster.
    Existing {
        /// The context.
        context: String,
        /// The kubeconfig file that has it; none for the default ones.
        kubeconfig: Option<Utf8PathBuf>,
    },
}

impl Entry {
    /// Version of the format that is written.
    pub(crate) const FORMAT: u32 = 1;

    /// Which kind of cluster.
    pub fn kind(&self) -> ClusterKind {
        match self.target {
            Target::Kind { .. } => ClusterKind::Kind,
            Target::Existing { .. } => ClusterKind::Existing,
        }
    }
}

/// `ipam-e2e-RUN-N`, short enough for a host name with kind's `-control-plane` behind it: of a long run id the end is taken, where
/// ids differ. Other characters than kind allows become dashes.
pub fn cluster_name(run: &str, number: u32) -> String {
    const RUN_MAX: usize = 30;
    let clean: String =
        run.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let clean = clean.trim_matches('-');
    let cut = clean[clean.len().saturating_sub(RUN_MAX)..].trim_matches('-');
    format!("{PREFIX}{}-{number}", if cut.is_empty() { "run" } else { cut })
}

/// Whether this is a name that [`cluster_name`] gives. Anything else is never removed.
pub(crate) fn is_ours(name: &str) -> bool {
    name.strip_prefix(PREFIX).and_then(|rest| rest.rsplit_once('-')).is_some_and(|(run, number)| {
        !run.is_empty()
            && run.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !number.is_empty()
            && number.chars().all(|c| c.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("k3f9", 1, "ipam-e2e-k3f9-1")]
    #[case("2026-11-23T08:26Z", 12, "ipam-e2e-2026-11-23t08-26z-12")]
    #[case("a-very-long-run-id-that-goes-on-and-on-and-on-x7", 3, "ipam-e2e-that-goes-on-and-on-and-on-x7-3")]
    #[case("ä!", 1, "ipam-e2e-run-1")]
    #[case("", 1, "ipam-e2e-run-1")]
    fn names(#[case] run: &str, #[case] number: u32, #[case] expected: &str) {
        let name = cluster_name(run, number);
        assert_eq!(name, expected);
        assert!(name.len() + "-control-plane".len() <= 63);
        assert!(is_ours(&name));
    }

    #[rstest]
    #[case("kind")]
    #[case("ipam-e2e-")]
    #[case("ipam-e2e-1")]
    #[case("ipam-e2e-x-")]
    #[case("ipam-e2e-x-1-control-plane")]
    #[case("ipam-e2e-$(rm)-1")]
    #[case("my-ipam-e2e-x-1")]
    fn names_of_others(#[case] name: &str) {
        assert!(!is_ours(name));
    }
}
