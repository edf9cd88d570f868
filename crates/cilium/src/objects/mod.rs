//! Typed views of Cilium's custom resources.

mod endpoint;
pub mod group;
mod node;
mod pool;

pub use endpoint::CiliumEndpoint;
pub use node::{CiliumNode, NodeAddress};
pub use pool::{CiliumPodIPPool, PoolFamily};

use serde::Deserialize;

/// The part of `metadata` that the views need.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    #[serde(rename = "resourceVersion")]
    resource_version: Option<String>,
}
