//! Typed facts of built-in kinds. Tolerant: a missing field is an absent fact.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

/// What checks ask of a Node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeFacts {
    pub(crate) name: String,
    pub(crate) uid: String,
    /// `spec.podCIDRs`, else `spec.podCIDR`.
    pub(crate) pod_cidrs: Vec<IpNet>,
    pub(crate) ready: bool,
    pub(crate) unschedulable: bool,
    pub(crate) control_plane: bool,
    /// Keys of taints.
    pub(crate) taints: Vec<String>,
}

impl NodeFacts {
    pub(crate) fn read(node: &Value) -> Self {
        let spec = &node["spec"];
        let mut pod_cidrs: Vec<IpNet> = texts(&spec["podCIDRs"]).filter_map(|c| c.parse::<IpNet>().ok()).collect();
        if pod_cidrs.is_empty() {
            pod_cidrs.extend(spec["podCIDR"].as_str().and_then(|c| c.parse::<IpNet>().ok()));
        }
        Self {
            name: text(&node["metadata"]["name"]),
            uid: text(&node["metadata"]["uid"]),
            pod_cidrs,
            ready: condition(node, "Ready"),
            unschedulable: spec["unschedulable"].as_bool().unwrap_or(false),
            control_plane: node["metadata"]["labels"].get("node-role.kubernetes.io/control-plane").is_some(),
            taints: items(&spec["taints"]).map(|taint| text(&taint["key"])).collect(),
        }
    }
}

/// What checks ask of a Pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodFacts {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) node: Option<String>,
    /// `status.podIPs`, else `status.podIP`.
    pub(crate) ips: Vec<IpAddr>,
    pub(crate) phase: String,
    pub(crate) ready: bool,
    /// Sum over its containers.
    pub(crate) restarts: u64,
    /// The reason why a container waits (`CrashLoopBackOff`), the first there is.
    pub(crate) waiting: Option<String>,
    pub(crate) terminating: bool,
    pub(crate) host_network: bool,
    /// `metadata.creationTimestamp`, which sorts as text.
    pub(crate) created: String,
}

impl PodFacts {
    pub(crate) fn read(pod: &Value) -> Self {
        let status = &pod["status"];
        let mut ips: Vec<IpAddr> = items(&status["podIPs"]).filter_map(|ip| ip["ip"].as_str()?.parse().ok()).collect();
        if ips.is_empty() {
            ips.extend(status["podIP"].as_str().and_then(|ip| ip.parse::<IpAddr>().ok()));
        }
        let labels = pod["metadata"]["labels"].as_object();
        Self {
            namespace: text(&pod["metadata"]["namespace"]),
            name: text(&pod["metadata"]["name"]),
            uid: text(&pod["metadata"]["uid"]),
            labels: labels.into_iter().flatten().map(|(k, v)| (k.clone(), text(v))).collect(),
            node: pod["spec"]["nodeName"].as_str().filter(|n| !n.is_empty()).map(str::to_owned),
            ips,
            phase: text(&status["phase"]),
            ready: pod_ready(pod),
            restarts: pod_restarts(pod),
            waiting: pod_waiting(pod),
            terminating: pod["metadata"]["deletionTimestamp"].is_string(),
            host_network: pod["spec"]["hostNetwork"].as_bool().unwrap_or(false),
            created: text(&pod["metadata"]["creationTimestamp"]),
        }
    }

    /// Neither on its way out nor finished.
    pub(crate) fn is_live(&self) -> bool {
        !self.terminating && self.phase != "Succeeded" && self.phase != "Failed"
    }

    /// One run of the pod's containers: the UID and the restart count.
    pub(crate) fn incarnation(&self) -> String {
        format!("{}/{}", self.uid, self.restarts)
    }

    /// `Pod/alpine/alpine-abc`.
    pub(crate) fn object(&self) -> String {
        format!("Pod/{}/{}", self.namespace, self.name)
    }
}

/// What a running agent says of itself, asked once for each run of its process: none of it changes while it runs
/// (cilium/cilium: daemon/cmd/daemon.go reads mode and podCIDR once, at start).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgentFacts {
    pub(crate) node: String,
    /// UID of its pod.
    pub(crate) pod_uid: String,
    /// The IPAM mode it runs, as in `cilium-config`'s key `ipam`.
    pub(crate) ipam: String,
    /// The ranges it allocates from.
    pub(crate) pod_cidrs: Vec<IpNet>,
}

/// Why a running agent has not said what it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Silence {
    /// What came instead of an answer.
    pub(crate) cause: String,
    /// Whether the question came as far as the agent: if not, its silence says nothing about Cilium.
    pub(crate) asked: bool,
}

/// Whether a pod's Ready condition is true.
pub(crate) fn pod_ready(pod: &Value) -> bool {
    condition(pod, "Ready")
}

/// Restarts of all its containers.
pub(crate) fn pod_restarts(pod: &Value) -> u64 {
    items(&pod["status"]["containerStatuses"]).filter_map(|c| c["restartCount"].as_u64()).sum()
}

/// Why a container waits, the first there is.
pub(crate) fn pod_waiting(pod: &Value) -> Option<String> {
    items(&pod["status"]["initContainerStatuses"])
        .chain(items(&pod["status"]["containerStatuses"]))
        .find_map(|c| c["state"]["waiting"]["reason"].as_str().map(str::to_owned))
}

fn condition(object: &Value, kind: &str) -> bool {
    items(&object["status"]["conditions"]).any(|c| c["type"] == kind && c["status"] == "True")
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    items(value).filter_map(Value::as_str)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
