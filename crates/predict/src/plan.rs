//! Scenarios and values files to plans.

use std::collections::BTreeMap;

use cilium::values::{ChartError, IpamValues, configmap_for, merge, with_ipam};
use events::Fault;
use ipam::{Release, UnknownRelease};
use ipnet::IpNet;
use scenario::Scenario;
use scenario::model::{Action, Component, IpFamily, NodeRef, NodeTemplate, ObjectName, PatchStep, RestartTarget};
use semver::Version;
use serde_json::{Map, Value};

use crate::{KubeRangeError, KubeRanges};

/// Something that happens to a cluster's IPAM.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// `cilium-config` gets these values; `None` removes a key. Nothing reads it until it is started.
    Configure(BTreeMap<String, Option<String>>),
    /// These values are laid over those in force, and the chart is applied.
    Upgrade(Map<String, Value>),
    /// The release is taken away and installed anew, with these values over those in force. CiliumNodes stay.
    Reinstall(Map<String, Value>),
    /// `cilium-config` is kept as it is.
    Backup,
    /// What was kept is put back.
    Restore,
    /// The operator is replaced, or started where none runs: it reads `cilium-config`.
    RestartOperator,
    /// No operator runs any more.
    StopOperator,
    /// Agents are replaced: they read `cilium-config`. No name: every one.
    RestartAgents(Vec<String>),
    /// An agent's container is started again, with the configuration that it had.
    CrashAgent(String),
    /// A CiliumNode is deleted.
    DeleteCiliumNode(String),
    /// A Node leaves.
    RemoveNode(String),
    /// A Node joins.
    AddNode(String),
    /// A machine stops; its objects stay.
    LoseNode(String),
    /// A CiliumNode's podCIDRs are overwritten by hand.
    SetPodCidrs {
        /// Whose.
        node: String,
        /// With these.
        cidrs: Vec<Word>,
    },
    /// A CiliumNode's operator-status is overwritten by hand.
    SetError {
        /// Whose.
        node: String,
        /// With this; empty clears it.
        error: String,
    },
    /// A Node's podCIDRs are set by hand.
    SetNodePodCidrs {
        /// Whose.
        node: String,
        /// To these.
        cidrs: Vec<Word>,
    },
    /// Something that may concern IPAM, and that the model does not look at.
    NotLookedAt(String),
}

/// A text, or one with values of nodes to be filled in when its time comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// As is.
    Literal(String),
    /// With variables.
    Template(NodeTemplate),
}

/// A step, and what happens in it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    /// In a line.
    pub title: String,
    /// Its line in the file; 0 where there is none.
    pub line: usize,
    /// Its name, for `@NAME`.
    pub label: Option<String>,
    /// Why it is left out, if it is.
    pub skipped: Option<String>,
    /// In order; each comes to rest before the next.
    pub happenings: Vec<Happening>,
}

/// A cluster, and what is done to it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// A scenario's name, a file.
    pub name: String,
    /// Cilium's version.
    pub version: Version,
    /// Its minor, for the model.
    pub release: Release,
    /// All values that Cilium is installed with.
    pub values: Map<String, Value>,
    /// The data of `cilium-config` that the chart makes of them.
    pub config: BTreeMap<String, String>,
    /// The nodes, in the order in which they join.
    pub nodes: Vec<String>,
    /// What kube-controller-manager hands out.
    pub kube: KubeRanges,
    /// In order.
    pub steps: Vec<PlannedStep>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The model does not know the version.
    #[error(transparent)]
    Release(#[from] UnknownRelease),
    /// Helm would not install it.
    #[error("the chart refuses these values, so nothing is installed: {0}")]
    Chart(#[from] ChartError),
    /// Kubernetes would not come up.
    #[error(transparent)]
    Kube(#[from] KubeRangeError),
    /// The scenario is not about this version.
    #[error("the scenario is for Cilium {range}, this is {version}")]
    Version {
        /// As written.
        range: String,
        /// As asked.
        version: Version,
    },
}

/// All values that Cilium is installed with for a scenario.
pub fn installation(scenario: &Scenario) -> Map<String, Value> {
    let ipam = &scenario.cilium.ipam;
    let text = |pools: &[IpNet]| pools.iter().map(ToString::to_string).collect();
    let mut values = with_ipam(&IpamValues {
        mode: ipam.mode.as_str().to_owned(),
        ipv4_enabled: scenario.cluster.ip_family != IpFamily::Ipv6,
        ipv6_enabled: scenario.cluster.ip_family != IpFamily::Ipv4,
        ipv4_pools: text(&ipam.ipv4_pools),
        ipv4_mask: ipam.ipv4_mask,
        ipv6_pools: text(&ipam.ipv6_pools),
        ipv6_mask: ipam.ipv6_mask,
    });
    merge(&mut values, &scenario.cilium.values);
    values
}

/// A scenario for a version.
///
/// # Errors
/// When the scenario is not about that version, or nothing would be installed.
pub fn plan(scenario: &Scenario, version: &Version) -> Result<Plan, PlanError> {
    if !scenario.cilium.versions.contains(version) {
        let range = scenario.cilium.versions.text.clone();
        return Err(PlanError::Version { range, version: version.clone() });
    }
    let values = installation(scenario);
    let cluster = &scenario.cluster;
    let workers = (1..=cluster.workers).map(NodeRef::Worker);
    let nodes: Vec<String> =
        std::iter::once(NodeRef::ControlPlane).chain(workers).map(|node| node.to_string()).collect();
    let steps = scenario.steps.iter().map(|step| PlannedStep {
        title: step.title(),
        line: step.line,
        label: step.name.clone(),
        skipped: step
            .versions
            .as_ref()
            .filter(|range| !range.contains(version))
            .map(|range| format!("for Cilium {range}, this is {version}")),
        happenings: happenings(&step.action),
    });
    Ok(Plan {
        name: scenario.name.clone(),
        release: version.to_string().parse()?,
        config: configmap_for(&values, version)?,
        version: version.clone(),
        values,
        nodes,
        kube: KubeRanges::new(&cluster.pod_subnet, &cluster.controller_manager)?,
        steps: steps.collect(),
    })
}

/// An installation with values and nothing else, on so many nodes.
///
/// # Errors
/// When nothing would be installed.
pub fn of_values(
    name: &str,
    values: &Map<String, Value>,
    version: &Version,
    nodes: u32,
    pod_subnets: &[IpNet],
) -> Result<Plan, PlanError> {
    let width = nodes.to_string().len();
    Ok(Plan {
        name: name.to_owned(),
        release: version.to_string().parse()?,
        config: configmap_for(values, version)?,
        version: version.clone(),
        values: values.clone(),
        nodes: (1..=nodes).map(|number| format!("node-{number:0width$}")).collect(),
        kube: KubeRanges::new(pod_subnets, &BTreeMap::new())?,
        steps: Vec::new(),
    })
}

/// What a step's action means for IPAM. Workloads, checks and waits mean nothing.
fn happenings(action: &Action) -> Vec<Happening> {
    let name = |node: &NodeRef| node.to_string();
    match action {
        Action::Configure(data) => vec![Happening::Configure(data.clone())],
        Action::Upgrade(values) => vec![Happening::Upgrade(values.clone())],
        Action::Reinstall(values) => vec![Happening::Reinstall(values.clone())],
        Action::Scale { target: RestartTarget::Component(Component::Operator), replicas, .. } => {
            vec![if *replicas == 0 { Happening::StopOperator } else { Happening::RestartOperator }]
        }
        Action::Backup => vec![Happening::Backup],
        Action::Restore => vec![Happening::Restore],
        Action::Restart(items) => items
            .iter()
            .filter_map(|item| match item.target {
                RestartTarget::Component(Component::Operator) => Some(Happening::RestartOperator),
                RestartTarget::Component(Component::Agent) => {
                    Some(Happening::RestartAgents(item.on.iter().map(name).collect()))
                }
                _ => None,
            })
            .collect(),
        Action::DeleteCiliumNode(node) => vec![Happening::DeleteCiliumNode(name(node))],
        Action::RemoveNode(node) => vec![Happening::RemoveNode(name(node))],
        Action::AddNode { node, .. } => vec![Happening::AddNode(name(node))],
        Action::Inject(fault) => match fault {
            Fault::AgentCrash(node) => vec![Happening::CrashAgent(node.clone())],
            Fault::OperatorCrash | Fault::LostLeader => vec![Happening::RestartOperator],
            Fault::NodeLoss(node) => vec![Happening::LoseNode(node.clone())],
            _ => Vec::new(),
        },
        Action::Patch(patch) => patched(patch),
        Action::Deploy { .. }
        | Action::Scale { .. }
        | Action::Delete { .. }
        | Action::Cordon(_)
        | Action::Uncordon(_)
        | Action::Exec(_)
        | Action::Wait(_)
        | Action::Expect(_)
        | Action::Model => Vec::new(),
    }
}

fn patched(patch: &PatchStep) -> Vec<Happening> {
    let object = &patch.object;
    let node = match &object.name {
        ObjectName::Literal(name) => name.clone(),
        ObjectName::Node(node) => node.to_string(),
    };
    let at = |pointer: &str| patch.merge.pointer(pointer);
    match (object.kind.as_str(), node.as_str()) {
        ("CiliumNode", _) => {
            let mut found = Vec::new();
            if let Some(cidrs) = at("/spec/ipam/podCIDRs") {
                found.push(Happening::SetPodCidrs {
                    node: node.clone(),
                    cidrs: words(patch, "/spec/ipam/podCIDRs", cidrs),
                });
            }
            if let Some(error) = at("/status/ipam/operator-status") {
                let error = error.get("error").and_then(Value::as_str).unwrap_or_default().to_owned();
                found.push(Happening::SetError { node: node.clone(), error });
            }
            if at("/metadata").is_some() {
                found.push(Happening::NotLookedAt(format!("labels and annotations of CiliumNode {node}")));
            }
            found
        }
        ("Node", _) => {
            let list = at("/spec/podCIDRs").map(|cidrs| words(patch, "/spec/podCIDRs", cidrs));
            let single = at("/spec/podCIDR").map(|cidr| words(patch, "/spec/podCIDR", cidr));
            list.or(single).map(|cidrs| Happening::SetNodePodCidrs { node, cidrs }).into_iter().collect()
        }
        ("ConfigMap", cilium::config::CONFIG_MAP) => {
            let data = at("/data").and_then(Value::as_object);
            let data = data.into_iter().flatten().map(|(key, value)| (key.clone(), value.as_str().map(str::to_owned)));
            vec![Happening::Configure(data.collect())]
        }
        ("CiliumNodeConfig" | "CiliumPodIPPool", _) => {
            vec![Happening::NotLookedAt(format!("{} {node}", object.kind))]
        }
        _ => Vec::new(),
    }
}

/// The texts of a value, with their variables.
fn words(patch: &PatchStep, pointer: &str, value: &Value) -> Vec<Word> {
    let word = |pointer: &str, text: &str| {
        let template = patch.templates.iter().find(|(at, _)| at == pointer).map(|(_, template)| template.clone());
        template.map_or_else(|| Word::Literal(text.to_owned()), Word::Template)
    };
    match value {
        Value::String(text) => vec![word(pointer, text)],
        Value::Array(items) => items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| Some(word(&format!("{pointer}/{index}"), item.as_str()?)))
            .collect(),
        _ => Vec::new(),
    }
}
