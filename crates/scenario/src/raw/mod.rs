//! The raw form of a scenario file: what it may look like, before anything is said about what it means.
//!
//! These types are read by [`crate::reader`] and make the JSON schema; their comments are its descriptions.

mod expect;
mod forms;
mod step;
mod xfail;

pub(crate) use expect::{
    AgentMatch, AgentsCheck, CelCheck, CidrMatch, ConfigCheck, EXPECT_TIMING, Exactly, PodCidrsCheck, PodIpsCheck,
    PodsCheck, RawExpect, RawReach, RawSpan, RawStatus, RawSteps, Reachability, Since, StatusCheck, StatusMatch,
};
pub(crate) use forms::{Json, OneOrMany, Text, Texts, Written};
pub(crate) use step::{
    ExecForm, ExpectForm, LogForm, NodeOrName, PatchForm, RawAddNode, RawDeploy, RawRestart, RawStep, STEP_MODIFIERS,
    ScaleForm, WaitForm,
};
pub(crate) use xfail::RawXfail;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::located::{Entries, Field, Located};

/// One case: a cluster, how Cilium is installed in it, workloads, and steps that change and check them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Scenario")]
pub(crate) struct RawScenario {
    /// Unique, and equal to the file's name without `.yaml`: small letters, digits and hyphens.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub(crate) name: Field<String>,
    /// What it shows, in one sentence.
    #[schemars(length(min = 1))]
    pub(crate) summary: Field<String>,
    /// Issues and pages it comes from: `cilium/cilium#23872`, or a URL.
    #[serde(default)]
    pub(crate) references: Field<Vec<Located<String>>>,
    /// Words for `--tag`.
    #[serde(default)]
    pub(crate) tags: Field<Vec<Located<String>>>,
    /// The kinds of cluster it can run on. Default: all. Needs `clustersReason`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(crate) clusters: Field<Vec<Located<RawClusterKind>>>,
    /// Why it cannot run on the others.
    #[serde(default)]
    pub(crate) clusters_reason: Field<String>,
    /// Diagnostics that are meant here: the code, and why.
    #[serde(default)]
    #[schemars(extend("propertyNames" = crate::schema::allowable()))]
    pub(crate) allow: Field<Entries<String>>,
    /// A known bug that makes it fail on some versions, or a list of them.
    #[serde(default)]
    pub(crate) xfail: Field<OneOrMany<RawXfail>>,
    /// What must be so at every moment of every scenario, where this one breaks it on purpose.
    #[serde(default)]
    pub(crate) invariants: Field<RawInvariants>,
    /// The cluster it needs.
    #[serde(default)]
    pub(crate) cluster: Field<RawCluster>,
    /// How Cilium is installed.
    #[serde(default)]
    pub(crate) cilium: Field<RawCilium>,
    /// Deployments, by name.
    #[serde(default)]
    pub(crate) workloads: Field<Entries<RawWorkload>>,
    /// What is done and checked, in order.
    #[schemars(length(min = 1))]
    pub(crate) steps: Field<Vec<Located<RawStep>>>,
}

/// Invariants that are not judged in this scenario.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Invariants")]
pub(crate) struct RawInvariants {
    /// The invariant, and why the scenario breaks it.
    #[serde(default)]
    #[schemars(extend("propertyNames" = crate::schema::invariants(), "minProperties" = 1))]
    pub(crate) off: Field<Entries<RawOff>>,
}

/// Why an invariant is off.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "$shape", rename_all = "lowercase")]
#[schemars(rename = "Off", untagged)]
pub(crate) enum RawOff {
    /// For every version of Cilium.
    Text(Text),
    /// For some versions.
    Map(OffForm),
}

/// Why an invariant is off, and for which versions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OffForm {
    /// Why the scenario breaks it.
    pub(crate) reason: Field<String>,
    /// Versions of Cilium for which it is off: ">=1.20". Default: all.
    #[serde(default)]
    pub(crate) versions: Field<String>,
}

/// A kind of cluster.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ClusterKind")]
pub(crate) enum RawClusterKind {
    /// Kubernetes and Cilium in Docker.
    Kind,
    /// A context that the user named and marked.
    Existing,
    /// The embedded Kubernetes API.
    Sim,
}

/// The cluster that a scenario needs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Cluster")]
pub(crate) struct RawCluster {
    /// Workers beside the one control-plane node. Default 2.
    #[serde(default)]
    pub(crate) workers: Field<u32>,
    /// kube-controller-manager's `--cluster-cidr`; a list of two for `ipFamily: dual`. Default 10.244.0.0/16.
    #[serde(default)]
    pub(crate) pod_subnet: Field<Texts>,
    /// Service range; a list of two for `ipFamily: dual`. Default 10.96.0.0/16.
    #[serde(default)]
    pub(crate) service_subnet: Field<Texts>,
    /// Address families. Default ipv4.
    #[serde(default)]
    pub(crate) ip_family: Field<RawIpFamily>,
    /// Further flags of kube-controller-manager, without dashes: `node-cidr-mask-size: "25"`.
    #[serde(default)]
    pub(crate) kube_controller_manager: Field<Entries<Written>>,
}

/// Address families of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "IpFamily")]
pub(crate) enum RawIpFamily {
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
    /// Both, IPv4 first.
    Dual,
}

/// How Cilium is installed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Cilium")]
pub(crate) struct RawCilium {
    /// Versions that the scenario speaks about: ">=1.18", ">=1.18, <1.20", "1.18 || 1.20", "latest-patch-of 1.19". Default: any.
    #[serde(default)]
    pub(crate) versions: Field<String>,
    /// Whether the steps begin once every node has a ready agent (true), or once every node has one that runs (false). Default true.
    #[serde(default)]
    pub(crate) ready: Field<bool>,
    /// IP address management.
    #[serde(default)]
    pub(crate) ipam: Field<RawIpam>,
    /// Further Helm values, merged over everything else.
    #[serde(default)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub(crate) values: Field<Json>,
}

/// Helm's `ipam` values, without the level `operator`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Ipam")]
pub(crate) struct RawIpam {
    /// IPAM mode. Default cluster-pool.
    #[serde(default)]
    #[schemars(extend("enum" = crate::schema::modes()))]
    pub(crate) mode: Field<String>,
    /// IPv4 ranges that nodes get theirs from. Default 10.0.0.0/8.
    #[serde(default, rename = "clusterPoolIPv4PodCIDRList")]
    #[schemars(length(min = 1))]
    pub(crate) ipv4_pools: Field<Vec<Located<String>>>,
    /// Prefix length of a node's IPv4 range. Default 24.
    #[serde(default, rename = "clusterPoolIPv4MaskSize")]
    pub(crate) ipv4_mask: Field<u8>,
    /// IPv6 ranges that nodes get theirs from. Default fd00::/104.
    #[serde(default, rename = "clusterPoolIPv6PodCIDRList")]
    #[schemars(length(min = 1))]
    pub(crate) ipv6_pools: Field<Vec<Located<String>>>,
    /// Prefix length of a node's IPv6 range. Default 120.
    #[serde(default, rename = "clusterPoolIPv6MaskSize")]
    pub(crate) ipv6_mask: Field<u8>,
}

/// A Deployment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Workload")]
pub(crate) struct RawWorkload {
    /// Container image. Default alpine:3.22.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(crate) image: Field<String>,
    /// Number of pods. Default 3.
    #[serde(default)]
    pub(crate) replicas: Field<u32>,
    /// Namespace. Default: the workload's name.
    #[serde(default)]
    pub(crate) namespace: Field<String>,
    /// Command and arguments. Default: sleep until SIGTERM.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(crate) command: Field<Vec<Located<String>>>,
    /// Runs in the host's network, so its pods have no address of their own. Default false.
    #[serde(default)]
    pub(crate) host_network: Field<bool>,
    /// The node that all its pods run on: `control-plane`, `worker`, `worker2`, ...
    #[serde(default)]
    pub(crate) node: Field<String>,
}
