//! Clusters behind one interface: `kind`, `existing` and, from its own crate, `sim`.
//!
//! *Architecture invariant:* this crate knows how to make, reach and remove a cluster. It knows no scenario, no step and no check.

mod error;
mod provider;

pub use error::{ClusterError, Leftovers};
pub use provider::{Cluster, ClusterSpec, ExecOutput, HelmAction, Progress, Provider};
