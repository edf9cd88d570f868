//! Steps.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Expect, NodeRef, NodeTemplate, PodSet, Template, VersionRange};

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// A label: later checks can speak of the state at this step's end as `@NAME`.
    pub name: Option<String>,
    /// Cilium versions that it is for; others skip it, and say so.
    pub versions: Option<VersionRange>,
    /// Deadline. Each action has a default.
    pub within: Option<Duration>,
    /// A text that must be in the error with which it is refused: then it passes, and changes nothing.
    pub fails: Option<String>,
    /// What it does.
    pub action: Action,
    /// Line in the file, from 1.
    pub line: usize,
}

/// What a step does. Every action ends when its effect is seen in the watched objects, not when its request is answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Creates a workload; ends when all its pods are ready.
    Deploy {
        /// Name in `workloads`.
        workload: String,
        /// Whether to wait for ready pods (`deploy: {workload: alpine, ready: false}` does not).
        ready: bool,
    },
    /// Changes the replicas of a workload or of the operator; ends when so many are ready and no more are live.
    Scale {
        /// A workload, or the operator: of Cilium's parts, the one whose absence means something to IPAM.
        target: RestartTarget,
        /// New number.
        replicas: u32,
        /// Whether to wait for ready pods.
        ready: bool,
    },
    /// Removes a workload; ends when its pods are gone.
    Delete {
        /// Name in `workloads`.
        workload: String,
    },
    /// Merge patch of `cilium-config`'s data; `None` removes a key. Restarts nothing.
    Configure(BTreeMap<String, Option<String>>),
    /// `helm upgrade` with these values over the ones in force. Restarts what the chart restarts.
    Upgrade(Map<String, Value>),
    /// `helm uninstall` and `helm install` with these values over the ones in force; ends when Cilium is ready as after the
    /// installation. Custom resources stay, as Helm leaves them.
    Reinstall(Map<String, Value>),
    /// Keeps `cilium-config` as it is now.
    Backup,
    /// Puts the kept `cilium-config` back.
    Restore,
    /// Deletes pods (or restarts a workload's roll-out) and ends when each has a successor: a new UID on the same node, Ready,
    /// started after the change, and with the configuration that `cilium-config` holds.
    Restart(Vec<RestartItem>),
    /// Deletes a node's CiliumNode; ends when it is gone.
    DeleteCiliumNode(NodeRef),
    /// Marks a node unschedulable.
    Cordon(NodeRef),
    /// Marks it schedulable.
    Uncordon(NodeRef),
    /// Takes a node out of the cluster: pods evicted, machine stopped, Node deleted; ends when its CiliumNode is gone too.
    RemoveNode(NodeRef),
    /// Brings a removed node back; ends when it is Ready with a running agent.
    AddNode {
        /// Which.
        node: NodeRef,
        /// Whether to wait until the node is Ready.
        ready: bool,
    },
    /// Merge patch of any object.
    Patch(PatchStep),
    /// Runs a command in pods.
    Exec(ExecStep),
    /// Lets something go wrong; ends when it has. On `sim` only.
    Inject(events::Fault),
    /// Waits for a level.
    Wait(WaitFor),
    /// Checks.
    Expect(Expect),
    /// All CiliumNodes are as the model of Cilium's IPAM says, once the cluster has come to rest.
    Model,
}

/// Cilium's own parts that a step can restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// DaemonSet `cilium`.
    Agent,
    /// Deployment `cilium-operator`.
    Operator,
    /// Deployment `hubble-relay`.
    HubbleRelay,
    /// Deployment `coredns`.
    CoreDns,
}

impl Component {
    /// The word in scenarios: the value of the label `app.kubernetes.io/name`, where there is one.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "cilium-agent",
            Self::Operator => "cilium-operator",
            Self::HubbleRelay => "hubble-relay",
            Self::CoreDns => "coredns",
        }
    }
}

/// What to restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestartTarget {
    /// A part of Cilium.
    Component(Component),
    /// A workload.
    Workload(String),
}

/// One item of `restart`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartItem {
    /// What.
    pub target: RestartTarget,
    /// Only on these nodes; empty means everywhere.
    pub on: Vec<NodeRef>,
    /// Whether to wait for the successors to be ready (`ready: false` for a restart that is meant to hang).
    pub ready: bool,
}

/// An object of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// `v1`, `cilium.io/v2`.
    pub api_version: String,
    /// `CiliumNode`.
    pub kind: String,
    /// None for cluster-scoped kinds.
    pub namespace: Option<String>,
    /// Its name.
    pub name: ObjectName,
}

/// A name, or the name of a node by its role (`worker2`), for Node and CiliumNode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectName {
    /// As is.
    Literal(String),
    /// The name of that node.
    Node(NodeRef),
}

/// `patch`.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchStep {
    /// What to patch.
    pub object: ObjectRef,
    /// `status` to patch the status subresource.
    pub subresource: Option<String>,
    /// The merge patch, as written.
    pub merge: Value,
    /// Texts in `merge` with variables (`${worker2.ciliumNode.podCIDR}`): each one's JSON pointer and its parts. They are to
    /// be filled in before the patch is sent.
    pub templates: Vec<(String, NodeTemplate)>,
}

/// `exec`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecStep {
    /// In every pod of this set.
    pub pods: PodSet,
    /// Argument vector; nothing is passed to a shell.
    pub command: Vec<String>,
    /// Expected exit code. Default 0.
    pub exit_code: i32,
    /// Regular expression that the standard output must match.
    pub stdout: Option<String>,
}

/// `wait`.
#[derive(Debug, Clone, PartialEq)]
pub enum WaitFor {
    /// Every CiliumNode's podCIDRs and operator-status unchanged for this long.
    Settled(Duration),
    /// Components or workloads that are rolling out are done.
    Ready(Vec<RestartTarget>),
    /// A text appears in a component's log, in a line written after the previous step began.
    Log {
        /// Whose log.
        component: Component,
        /// Regular expression or text with variables.
        contains: Template,
    },
}
