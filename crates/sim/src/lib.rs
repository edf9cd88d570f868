//! An embedded Kubernetes cluster in pure Rust: a versioned store, the Kubernetes API in front of it, and what acts on it.
//!
//! *Architecture invariant:* `store` and `api` know Kubernetes and nothing of Cilium's IPAM; whoever acts on the cluster does it
//! through [`store::Store`], so that every watcher sees one order of events.

pub mod api;
mod cilium;
mod controllers;
mod provider;
pub mod store;
pub mod tree;
pub mod world;

pub use provider::{NOTICE, NoTimedFault, SimCluster, SimOptions, SimProvider, TimedFault, When, kubeconfig, runtime};
