//! What Cilium looks like from outside: its custom resources, its ConfigMap, its chart and its parts.
//!
//! Objects that come from a cluster are read leniently: every field may be missing, unknown ones are ignored. What this crate writes
//! (Helm values, ConfigMap data) is exact.
//!
//! *Architecture invariant:* everything here is a function of its arguments. This crate opens no connection, reads no file and knows
//! no clock; it does not know which cluster an object came from.

pub mod components;
pub mod config;
mod objects;
pub mod status;
pub mod values;

pub use objects::{CiliumEndpoint, CiliumNode, CiliumPodIPPool, NodeAddress, PoolFamily, group};
