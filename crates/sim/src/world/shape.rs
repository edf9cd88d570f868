//! What a simulated cluster is like.

use std::collections::BTreeMap;

use ipam::Release;

/// The Kubernetes version that nodes show.
pub const KUBERNETES: &str = "v1.34.4";

/// What a simulated cluster is like, checked.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The cluster's name: nodes are `NAME-control-plane`, `NAME-worker`, `NAME-worker2`, ...
    pub name: String,
    /// Workers beside the one control-plane node.
    pub workers: u32,
    /// Whether nodes have IPv4 addresses.
    pub ipv4: bool,
    /// Whether nodes have IPv6 addresses.
    pub ipv6: bool,
    /// Comma-separated, one per family: kube-controller-manager's `--cluster-cidr`.
    pub pod_subnet: String,
    /// Comma-separated, one per family.
    pub service_subnet: String,
    /// kube-controller-manager flags without dashes.
    pub controller_manager: BTreeMap<String, String>,
    /// Which Cilium will be installed. Helm can change it.
    pub release: Release,
    /// Decides everything that real life leaves open.
    pub seed: u64,
    /// How many times shorter than on a real cluster everything takes. 1.0 by default; of no consequence in virtual time.
    pub speed: f64,
    /// Kubernetes' version.
    pub kubernetes: String,
}

impl Shape {
    /// A small IPv4 cluster.
    pub fn new(name: &str, workers: u32, release: Release, seed: u64) -> Self {
        Self {
            name: name.to_owned(),
            workers,
            ipv4: true,
            ipv6: false,
            pod_subnet: "10.244.0.0/16".to_owned(),
            service_subnet: "10.96.0.0/16".to_owned(),
            controller_manager: BTreeMap::new(),
            release,
            seed,
            speed: 1.0,
            kubernetes: KUBERNETES.to_owned(),
        }
    }
}
