//! The interface that `kind`, `existing` and `sim` share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use events::{ClusterKind, Fault};
use serde_json::{Map, Value};

use crate::{ClusterError, Leftovers};

/// The cluster that is wanted. Addresses are text: this crate hands them on.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterSpec {
    /// Id of the run, in names and labels of everything that is made.
    pub run: String,
    /// The scenario it is for.
    pub scenario: String,
    /// Private folder for this cluster's files (kubeconfig, kind configuration, values). Exists, mode 0700.
    pub dir: Utf8PathBuf,
    /// Workers beside one control-plane node.
    pub workers: u32,
    /// `ipv4`, `ipv6` or `dual`, as kind spells it.
    pub ip_family: String,
    /// Comma-separated, one per family.
    pub pod_subnet: String,
    /// Comma-separated, one per family.
    pub service_subnet: String,
    /// kube-controller-manager flags without dashes.
    pub controller_manager: BTreeMap<String, String>,
    /// Cilium's version, without `v`.
    pub cilium: String,
    /// Images that nodes will need (`alpine:3.22`, Cilium's): those that Docker has are brought in.
    pub images: Vec<String>,
    /// Images that a later use of the cluster may need ([`Cluster::bring`]): prepared for as far as that costs nothing.
    pub later: Vec<String>,
    /// How many times longer than usual every deadline of this crate is. 1.0 by default.
    pub timeout_scale: f64,
}

/// Told what is being done, for live output. Calls are cheap and may come from any task.
pub trait Progress: Send + Sync {
    /// `images: 3 of 4 on worker2`.
    fn now(&self, what: &str);
    /// Something to know that does not decide the outcome.
    fn warn(&self, what: &str);
}

/// Makes clusters of one kind.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Which.
    fn kind(&self) -> ClusterKind;

    /// Begins to make a cluster and returns as soon as its API answers; [`Cluster::ready`] waits for the rest (further nodes,
    /// images). It is in the ledger before anything exists. When it fails, or is dropped, what it made is removed or, failing that,
    /// named in the error and still in the ledger.
    async fn create(&self, spec: &ClusterSpec, progress: Arc<dyn Progress>) -> Result<Arc<dyn Cluster>, ClusterError>;
}

/// Helm on a cluster. Values are complete, not differences.
#[derive(Debug, Clone, PartialEq)]
pub enum HelmAction {
    /// `helm upgrade --install` without waiting: the engine waits on what it watches.
    Apply {
        /// Chart version, without `v`.
        version: String,
        /// All values.
        values: Map<String, Value>,
    },
    /// `helm uninstall`; ends when all of the release is gone.
    Uninstall,
}

/// What a command in a container came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecOutput {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A cluster that is there.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// Which kind.
    fn kind(&self) -> ClusterKind;
    /// Its name.
    fn name(&self) -> &str;
    /// A client for its API.
    fn client(&self) -> kube::Client;
    /// Its kubeconfig, where one is written (mode 0600).
    fn kubeconfig(&self) -> Option<&Utf8Path>;

    /// Ends when every node has joined and every image is in place.
    async fn ready(&self) -> Result<(), ClusterError>;

    /// Release `cilium` in namespace `kube-system`.
    async fn helm(&self, action: &HelmAction) -> Result<(), ClusterError>;

    /// Runs a command in a container, bounded by `deadline`. A non-zero exit code is not an error.
    async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        command: &[String],
        deadline: Duration,
    ) -> Result<ExecOutput, ClusterError>;

    /// Stops a node's machine. The Node object stays.
    async fn stop_node(&self, node: &str) -> Result<(), ClusterError>;
    /// Starts it again; its kubelet registers the Node anew if it was deleted.
    async fn start_node(&self, node: &str) -> Result<(), ClusterError>;

    /// Lets something go wrong on purpose. Only a simulated cluster can.
    async fn inject(&self, fault: &Fault) -> Result<(), ClusterError> {
        Err(ClusterError {
            operation: format!("inject {fault} into"),
            object: format!("cluster {}", self.name()),
            cause: format!("a cluster of kind {} takes no faults on request", self.kind()),
            output: None,
            hint: Some("use --cluster sim".to_owned()),
            leftovers: self.leftovers(),
        })
    }

    /// Writes what only the provider can see (node containers, kubelet logs) into `dir`; returns file names, and what could not be had.
    async fn evidence(&self, dir: &Utf8Path) -> (Vec<String>, Vec<String>);

    /// Brings further images into a cluster that is there, as its making did with the first ones.
    async fn bring(&self, _images: &[String]) -> Result<(), ClusterError> {
        Ok(())
    }

    /// Takes from its machines what Cilium has left there after it was uninstalled: they are as before it came, or the error names what
    /// is left.
    async fn scrub(&self) -> Result<(), ClusterError> {
        Err(ClusterError {
            operation: "take what Cilium left from the nodes of".to_owned(),
            object: format!("cluster {}", self.name()),
            cause: format!("the machines of a cluster of kind {} are not this tool's", self.kind()),
            output: None,
            hint: None,
            leftovers: self.leftovers(),
        })
    }

    /// Leaves it standing after the run, on purpose: the next run does not take it for a remnant. `cargo xtask clean` removes it.
    async fn keep(&self, _reason: &str) -> Result<(), ClusterError> {
        Ok(())
    }

    /// Removes it. Safe to call more than once, also while it is being made.
    async fn destroy(&self) -> Result<(), ClusterError>;

    /// What exists now and the command that removes it.
    fn leftovers(&self) -> Leftovers;
}
