//! What the API server tells us, kept as history: one list and one watch per kind for the whole run.

mod diff;
mod history;
mod kinds;
mod watch;

pub(crate) use diff::describe_change;
pub(crate) use history::{History, Pushed, Seen, Version, key};
pub(crate) use kinds::KindName;
pub(crate) use kinds::{Watched, standard};
pub(crate) use kinds::{cilium_node_kind, config_kind, endpoint_kind, lease_kind, node_kind, pod_kind};
pub(crate) use watch::{ObjectChange, Observation, spawn};
