//! Clusters behind one interface: `kind`, `existing` and, from its own crate, `sim`.
//!
//! *Architecture invariant:* this crate knows how to make, reach and remove a cluster. It knows no scenario, no step and no check.

pub mod doctor;
mod error;
mod exec;
pub mod existing;
pub mod helm;
mod kind;
pub mod ledger;
mod provider;
mod reuse;
mod settings;
pub mod tools;

pub use error::{ClusterError, Leftovers};
pub use existing::ExistingProvider;
pub use kind::{KindProvider, config as kind_config};
pub use ledger::{CleanReport, Sweep, clean};
pub use provider::{Cluster, ClusterSpec, ExecOutput, HelmAction, Progress, Provider};
pub use reuse::{Pool, Use, versions_allow};
pub use settings::{DEFAULT_CHART_REPO, DEFAULT_LEDGER, ENVIRONMENT, ImageMode, Settings, SettingsError};
