//! Steps, raw.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Json, OneOrMany, RawExpect, Text, Written};
use crate::located::{Entries, Field, Located};

/// Fields of a step that are no action.
pub(crate) const STEP_MODIFIERS: [&str; 4] = ["name", "versions", "within", "fails"];

/// One step: exactly one action, and possibly `name`, `versions` and `within`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Step", transform = crate::schema::exactly_one_action)]
pub(crate) struct RawStep {
    /// A name, so that later checks can speak of the state at this step's end as `@NAME`.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"))]
    pub(crate) name: Field<String>,
    /// Cilium versions that the step is for; others skip it.
    #[serde(default)]
    pub(crate) versions: Field<String>,
    /// Deadline: `90s`, `2m`. Each action has a default. For checks of `expect`, write it inside.
    #[serde(default)]
    pub(crate) within: Field<String>,
    /// A text that must be in the error with which an `upgrade` or a `patch` is refused: the step passes then, and only then.
    #[serde(default)]
    pub(crate) fails: Field<String>,
    /// Creates a workload; ends when all its pods are ready.
    #[serde(default)]
    pub(crate) deploy: Field<RawDeploy>,
    /// Changes the number of pods of a workload or of cilium-operator.
    #[serde(default)]
    pub(crate) scale: Field<ScaleForm>,
    /// Removes a workload; ends when its pods are gone.
    #[serde(default)]
    pub(crate) delete: Field<String>,
    /// Merge patch of the data of the ConfigMap `cilium-config`: null removes a key. Restarts nothing.
    #[serde(default)]
    #[schemars(extend("minProperties" = 1))]
    pub(crate) configure: Field<Entries<Written>>,
    /// `helm upgrade` with these values over the ones in force.
    #[serde(default)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub(crate) upgrade: Field<Json>,
    /// `helm uninstall`, then `helm install` with these values over the ones in force. CiliumNodes stay.
    #[serde(default)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub(crate) reinstall: Field<Json>,
    /// Keeps `cilium-config` as it is now.
    #[serde(default)]
    pub(crate) backup: Field<CiliumConfig>,
    /// Puts the kept `cilium-config` back.
    #[serde(default)]
    pub(crate) restore: Field<CiliumConfig>,
    /// Restarts cilium-agent, cilium-operator, hubble-relay, coredns or a workload; ends when each pod has a ready successor.
    #[serde(default)]
    pub(crate) restart: Field<OneOrMany<RawRestart>>,
    /// Deletes a node's CiliumNode.
    #[serde(default)]
    pub(crate) delete_cilium_node: Field<String>,
    /// Marks a node unschedulable.
    #[serde(default)]
    pub(crate) cordon: Field<String>,
    /// Marks a node schedulable.
    #[serde(default)]
    pub(crate) uncordon: Field<String>,
    /// Takes a node out of the cluster.
    #[serde(default)]
    pub(crate) remove_node: Field<String>,
    /// Brings a removed node back.
    #[serde(default)]
    pub(crate) add_node: Field<RawAddNode>,
    /// Merge patch of any object.
    #[serde(default)]
    pub(crate) patch: Field<PatchForm>,
    /// Runs a command in every pod of a workload.
    #[serde(default)]
    pub(crate) exec: Field<ExecForm>,
    /// Lets something go wrong, on simulated clusters only: `agent-crash=worker`, `operator-crash`, `lost-leader`,
    /// `node-loss=worker`, `disk-full=worker`, `image-missing=alpine:3.22`, `errors=0.05`, `slow-writes=200ms`, `drop-watches`,
    /// `expire-watches`, `violate=podcidrs-disjoint`.
    #[serde(default)]
    pub(crate) inject: Field<String>,
    /// Waits until something is so.
    #[serde(default)]
    pub(crate) wait: Field<WaitForm>,
    /// Checks that must all hold at one moment; or `model`: all CiliumNodes are as the model of Cilium's IPAM says, once the cluster has
    /// come to rest.
    #[serde(default)]
    pub(crate) expect: Field<ExpectForm>,
}

/// What is expected.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "$shape", rename_all = "lowercase")]
#[schemars(rename = "ExpectForm", untagged)]
pub(crate) enum ExpectForm {
    /// `model`.
    Text(#[schemars(extend("const" = "model"))] String),
    /// Checks.
    Map(Box<RawExpect>),
}

/// The one object that can be kept and put back.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) enum CiliumConfig {
    /// The ConfigMap `cilium-config`.
    #[serde(rename = "cilium-config")]
    CiliumConfig,
}

/// A workload to create.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "$shape", rename_all = "lowercase")]
#[schemars(rename = "Deploy", untagged)]
pub(crate) enum RawDeploy {
    /// Its name.
    Text(Text),
    /// With more.
    Map(DeployForm),
}

/// A workload to create.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DeployForm {
    /// Name in `workloads`.
    pub(crate) workload: Field<String>,
    /// Whether to wait until its pods are ready. Default true.
    #[serde(default)]
    pub(crate) ready: Field<bool>,
}

/// A new number of pods.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScaleForm {
    /// Name in `workloads`, or cilium-operator.
    pub(crate) workload: Field<String>,
    /// Number of pods.
    pub(crate) replicas: Field<u32>,
    /// Whether to wait until they are ready. Default true.
    #[serde(default)]
    pub(crate) ready: Field<bool>,
}

/// What to restart.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "$shape", rename_all = "lowercase")]
#[schemars(rename = "Restart", untagged)]
pub(crate) enum RawRestart {
    /// cilium-agent, cilium-operator, hubble-relay, coredns or a workload.
    Text(Text),
    /// With more.
    Map(RestartForm),
}

/// What to restart.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RestartForm {
    /// cilium-agent, cilium-operator, hubble-relay, coredns or a workload.
    pub(crate) of: Field<String>,
    /// Only on these nodes.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(crate) on: Field<Vec<Text>>,
    /// Whether to wait until the successors are ready. Default true.
    #[serde(default)]
    pub(crate) ready: Field<bool>,
}

/// A node to bring back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "$shape", rename_all = "lowercase")]
#[schemars(rename = "AddNode", untagged)]
pub(crate) enum RawAddNode {
    /// `worker`, `worker2`, ...
    Text(Text),
    /// With more.
    Map(AddNodeForm),
}

/// A node to bring back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AddNodeForm {
    /// `worker`, `worker2`, ...
    pub(crate) node: Field<String>,
    /// Whether to wait until the node is ready and its agent runs. Default true.
    #[serde(default)]
    pub(crate) ready: Field<bool>,
}

/// An object, and what to merge into it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PatchForm {
    /// `cilium.io/v2`. May be left out for well-known kinds.
    #[serde(default)]
    pub(crate) api_version: Field<String>,
    /// `CiliumNode`.
    pub(crate) kind: Field<String>,
    /// Its name. For Node and CiliumNode, `worker2` and the like mean that node.
    pub(crate) name: Field<NodeOrName>,
    /// For namespaced kinds.
    #[serde(default)]
    pub(crate) namespace: Field<String>,
    /// `status` to patch the status subresource.
    #[serde(default)]
    pub(crate) subresource: Field<String>,
    /// The merge patch. Texts in it may hold `${worker2.ciliumNode.podCIDR}` and the like: a node's role, then a variable.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub(crate) merge: Field<Json>,
}

/// An object's name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "$shape", rename_all = "lowercase")]
#[schemars(rename = "ObjectName", untagged)]
pub(crate) enum NodeOrName {
    /// As is; a node's role for Node and CiliumNode.
    Text(Text),
    /// The name of that node, for any kind.
    Map(NamedNode),
}

/// A node's name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NamedNode {
    /// `control-plane`, `worker`, `worker2`, ...
    pub(crate) node: Field<String>,
}

/// A command for pods.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ExecForm {
    /// A workload, coredns or hubble-relay.
    pub(crate) of: Field<String>,
    /// Argument vector; nothing is passed to a shell.
    #[schemars(length(min = 1))]
    pub(crate) command: Field<Vec<Text>>,
    /// Expected exit code. Default 0.
    #[serde(default)]
    pub(crate) exit_code: Field<i32>,
    /// Regular expression that the standard output must match.
    #[serde(default)]
    pub(crate) stdout: Field<String>,
}

/// What to wait for: exactly one of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(crate) struct WaitForm {
    /// Every CiliumNode's podCIDRs and operator-status are unchanged for this long.
    #[serde(default)]
    pub(crate) settled: Field<String>,
    /// These components or workloads are rolled out.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(crate) ready: Field<Vec<Located<String>>>,
    /// A text appears in a log.
    #[serde(default)]
    pub(crate) log: Field<LogForm>,
}

/// A text in a log, in a line written after the previous step began.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LogForm {
    /// cilium-agent, cilium-operator, hubble-relay or coredns.
    pub(crate) of: Field<String>,
    /// The text; may hold variables such as `${node.podCIDR}`.
    pub(crate) contains: Field<String>,
}
