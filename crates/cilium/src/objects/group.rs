//! Names by which the API serves Cilium's custom resources (cilium/cilium: pkg/k8s/apis/cilium.io).

/// The API group.
pub const GROUP: &str = "cilium.io";
/// `apiVersion` of CiliumNode and CiliumEndpoint.
pub const V2: &str = "cilium.io/v2";
/// `apiVersion` of CiliumPodIPPool.
pub const V2ALPHA1: &str = "cilium.io/v2alpha1";
/// Kind of a node's object. Cluster-scoped, status is a subresource.
pub const CILIUM_NODE: &str = "CiliumNode";
/// Its plural.
pub const CILIUM_NODES: &str = "ciliumnodes";
/// Kind of a pod's endpoint. Namespaced, no status subresource, named after its pod.
pub const CILIUM_ENDPOINT: &str = "CiliumEndpoint";
/// Its plural.
pub const CILIUM_ENDPOINTS: &str = "ciliumendpoints";
/// Kind of a pool of mode `multi-pool`. Cluster-scoped.
pub const CILIUM_POD_IP_POOL: &str = "CiliumPodIPPool";
/// Its plural.
pub const CILIUM_POD_IP_POOLS: &str = "ciliumpodippools";
/// Label of each CustomResourceDefinition that holds [`schema_version`].
pub const SCHEMA_VERSION_LABEL: &str = "io.cilium.k8s.crd.schema.version";

/// Version of the CRD schemas that an operator of 1.`minor` registers (pkg/k8s/apis/cilium.io/register.go); none for a minor that is
/// not known.
pub fn schema_version(minor: u64) -> Option<&'static str> {
    Some(match minor {
        16 => "1.29.11",
        17 => "1.30.8",
        18 => "1.31.11",
        19 => "1.32.6",
        20 => "1.33.12",
        _ => return None,
    })
}
