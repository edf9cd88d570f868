//! The typed form of a scenario file, after validation. One file per element.

mod cidr_ref;
mod cilium;
mod cluster;
mod deadline;
mod expect;
mod invariant;
mod step;
mod template;
mod title;
mod workload;
mod xfail;

pub use cidr_ref::{At, CidrRef, CidrSource};
pub use cilium::{CiliumSetup, IpamConfig, IpamMode};
pub use cluster::{ClusterShape, IpFamily, NodeRef};
pub use expect::{
    AgentMatcher, Check, CidrMatcher, Expect, IpMatcher, Quantity, Reach, Since, Span, StatusMatcher, Timing,
    ValueMatcher,
};
pub use invariant::Off;
pub use step::{
    Action, Component, ExecStep, ObjectName, ObjectRef, PatchStep, RestartItem, RestartTarget, Step, WaitFor,
};
pub use template::{NodePart, NodeTemplate, Template, TemplatePart, Variable};
pub use versions::Range as VersionRange;
pub use workload::{PodSet, Workload};
pub use xfail::Xfail;

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;
use events::{ClusterKind, Invariant};

/// One case: a cluster, Cilium's configuration, workloads, and steps that change and check them.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Unique among all files; equals the file's stem.
    pub name: String,
    /// What it shows, in one sentence.
    pub summary: String,
    /// `cilium/cilium#23872`, or a URL.
    pub references: Vec<String>,
    /// For `--tag`.
    pub tags: Vec<String>,
    /// The cluster kinds it can run on; all where the file does not say.
    pub clusters: Vec<ClusterKind>,
    /// Why it cannot run on the others.
    pub clusters_reason: Option<String>,
    /// The cluster it needs.
    pub cluster: ClusterShape,
    /// How Cilium is installed.
    pub cilium: CiliumSetup,
    /// By name.
    pub workloads: BTreeMap<String, Workload>,
    /// In order.
    pub steps: Vec<Step>,
    /// Diagnostic codes that are meant here, each with its reason (`unknown-mode: "the how-to's typing error"`).
    pub allow: BTreeMap<String, String>,
    /// Known bugs that make it fail.
    pub xfail: Vec<Xfail>,
    /// Invariants that it breaks on purpose.
    pub invariants_off: BTreeMap<Invariant, Off>,
    /// Where it was read from.
    pub source: Source,
}

/// A scenario's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// As given on the command line or found in `scenarios/`.
    pub path: Utf8PathBuf,
    /// Its text.
    pub text: Arc<str>,
}
