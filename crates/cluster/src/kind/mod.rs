//! Kubernetes in Docker, made by the `kind` program.
//!
//! Everything outside the run's folder bears the cluster's name: node containers (by kind, `io.x-k8s.kind.cluster`), their anonymous
//! volumes, and a Docker network of its own, whose labels say which run and which process made it. A network for each cluster
//! instead of kind's shared one means that nothing is shared, so nothing can be raced for or left behind.

mod cluster;
mod config;
mod containers;
mod create;
mod evidence;
mod images;
mod jobs;
mod kubeconfig;
mod network;
mod remove;
mod scrub;

pub(crate) use config::node_names;
pub use config::plain as config;
pub use create::KindProvider;
pub(crate) use create::{private_dir, write_private};
pub(crate) use network::orphans;
pub(crate) use remove::{Thoroughness, remove};

/// Label of kind on its containers, with the cluster's name.
const KIND_LABEL: &str = "io.x-k8s.kind.cluster";
