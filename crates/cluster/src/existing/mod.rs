//! A cluster that somebody else made and gave us: a context that is named, on a cluster that bears a mark.
//!
//! Nothing is written before both are checked. What is taken away afterwards is what we brought: the release, its custom resources
//! and their definitions, and namespaces with the run's label. The cluster itself stays.

mod context;
mod look;
mod mark;
mod provider;
mod remove;

pub use context::Context;
pub use look::{Missing, Sight, WANTED, Wanted, Why, cluster_role, look};
pub(crate) use mark::definitions;
pub use mark::{Adoption, MARK_LABEL, adopt};
pub use provider::ExistingProvider;
pub(crate) use remove::remove;

/// Label, with the run's id, of every namespace that a run makes. On an existing cluster they are removed by it.
pub const RUN_LABEL: &str = "ipam-e2e.cilium.io/run";
