//! What is in a cluster, as far as it must be there in a new one and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Node;
use kube::api::{DynamicObject, ListParams};
use kube::core::ApiResource;
use kube::discovery::{Discovery, Scope, verbs};
use kube::{Api, Client, ResourceExt as _};

use crate::error::Fault;
use crate::existing::RUN_LABEL;

/// An object by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    /// `apps/v1`, `v1`.
    api_version: String,
    kind: String,
    namespace: Option<String>,
    name: String,
}

impl Id {
    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// A Node without what kubelet and Kubernetes' controllers change by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct NodeFacts {
    pod_cidrs: Vec<String>,
    labels: BTreeMap<String, String>,
    taints: BTreeSet<String>,
}

/// What is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Inventory {
    objects: BTreeMap<Id, ApiResource>,
    nodes: BTreeMap<String, NodeFacts>,
}

/// Kinds that come and go by themselves, or with another object.
const PASSING: &[&str] = &[
    "APIService",
    "CertificateSigningRequest",
    "ComponentStatus",
    "Endpoints",
    "EndpointSlice",
    "Event",
    "IPAddress",
    "Lease",
    "Node",
];

impl Inventory {
    /// What is there now, without what belongs to Cilium or to a scenario: all of it may be taken away.
    pub(super) async fn take(client: &Client) -> Result<Self, Fault> {
        let fault = |error: kube::Error| Fault::new("take stock of", error.to_string());
        let discovery = Discovery::new(client.clone()).run_aggregated().await.map_err(fault)?;
        let kinds = discovery.groups().flat_map(|group| group.recommended_resources());
        let lists = kinds
            .filter(|(kind, can)| can.supports_operation(verbs::LIST) && !PASSING.contains(&kind.kind.as_str()))
            .map(|(kind, can)| async move {
                let listed = Api::<DynamicObject>::all_with(client.clone(), &kind).list(&ListParams::default()).await;
                match listed {
                    Ok(list) => Ok((kind, can.scope, list.items)),
                    // Its definition went meanwhile, and all of its objects with it.
                    Err(kube::Error::Api(status)) if status.code == 404 => Ok((kind, can.scope, Vec::new())),
                    Err(error) => Err(error),
                }
            });
        let nodes = Api::<Node>::all(client.clone());
        let params = ListParams::default();
        let (lists, nodes) = tokio::try_join!(try_join_all(lists), nodes.list(&params)).map_err(fault)?;
        let mut objects = BTreeMap::new();
        for (kind, scope, items) in lists {
            for object in items.iter().filter(|object| stays(&kind, object)) {
                objects.insert(id(&kind, &scope, object), kind.clone());
            }
        }
        let nodes = nodes.iter().map(|node| (node.name_any(), facts(node))).collect();
        Ok(Self { objects, nodes })
    }

    /// What is here and not in `new`, with its kind.
    pub(super) fn beside<'a>(&'a self, new: &'a Self) -> impl Iterator<Item = (&'a Id, &'a ApiResource)> {
        self.objects.iter().filter(|(id, _)| !new.objects.contains_key(id))
    }

    /// In what this is not as `new`, in sentences.
    pub(super) fn differences(&self, new: &Self) -> Vec<String> {
        let left = self.beside(new).map(|(id, _)| format!("{id} is left"));
        let gone = new.objects.keys().filter(|id| !self.objects.contains_key(id)).map(|id| format!("{id} is gone"));
        let names: BTreeSet<&String> = self.nodes.keys().chain(new.nodes.keys()).collect();
        let nodes = names.into_iter().filter_map(|name| match (new.nodes.get(name), self.nodes.get(name)) {
            (Some(before), Some(now)) => other(before, now).map(|what| format!("Node {name} has other {what}")),
            (Some(_), None) => Some(format!("Node {name} is gone")),
            (None, _) => Some(format!("Node {name} is left")),
        });
        left.chain(gone).chain(nodes).collect()
    }
}

/// The first fact that is not what it was. A range that a Node had not been given yet may be any.
fn other(before: &NodeFacts, now: &NodeFacts) -> Option<String> {
    if !before.pod_cidrs.is_empty() && before.pod_cidrs != now.pod_cidrs {
        return Some(format!("podCIDRs: {} instead of {}", now.pod_cidrs.join(","), before.pod_cidrs.join(",")));
    }
    if before.labels != now.labels {
        return Some("labels".to_owned());
    }
    (before.taints != now.taints).then(|| "taints".to_owned())
}

fn id(kind: &ApiResource, scope: &Scope, object: &DynamicObject) -> Id {
    Id {
        api_version: kind.api_version.clone(),
        kind: kind.kind.clone(),
        namespace: object.namespace().filter(|_| *scope == Scope::Namespaced),
        name: object.name_any(),
    }
}

/// Whether an object is one of the cluster's own, or of nobody that is known.
fn stays(kind: &ApiResource, object: &DynamicObject) -> bool {
    let name = object.name_any();
    let (labels, annotations) = (object.labels(), object.annotations());
    let of_cilium = is_ciliums(&kind.group)
        || (kind.kind == "CustomResourceDefinition" && name.rsplit_once('.').is_some_and(|_| is_ciliums(&name)))
        || annotations.contains_key("meta.helm.sh/release-name")
        || labels.get("owner").is_some_and(|owner| owner == "helm");
    // Made in every namespace, or by controllers when they get to it, or gone after a time of its own.
    let by_itself = match kind.kind.as_str() {
        "ConfigMap" => name == "kube-root-ca.crt",
        "ServiceAccount" => name == "default" || object.namespace().as_deref() == Some("kube-system"),
        "Secret" => name.starts_with("bootstrap-token-"),
        _ => false,
    };
    // Whatever is owned goes with its owner.
    let owned = !object.owner_references().is_empty();
    !(of_cilium || by_itself || owned || labels.contains_key(RUN_LABEL))
}

/// Whether a group, or a definition's name, is one of Cilium's.
pub(super) fn is_ciliums(name: &str) -> bool {
    name == "cilium.io" || name.ends_with(".cilium.io")
}

fn facts(node: &Node) -> NodeFacts {
    let spec = node.spec.clone().unwrap_or_default();
    let taints = spec.taints.unwrap_or_default();
    NodeFacts {
        pod_cidrs: spec.pod_cidrs.unwrap_or_default(),
        labels: node
            .labels()
            .iter()
            .filter(|(key, _)| !key.contains("cilium"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        // Those of Kubernetes' own controllers follow from the Node's conditions.
        taints: taints
            .into_iter()
            .filter(|taint| !taint.key.starts_with("node.kubernetes.io/") && !taint.key.contains("cilium"))
            .map(|taint| format!("{}:{}", taint.key, taint.effect))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn kind(group: &str, kind: &str) -> ApiResource {
        let api_version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
        ApiResource {
            group: group.to_owned(),
            version: "v1".to_owned(),
            api_version,
            kind: kind.to_owned(),
            plural: format!("{}s", kind.to_lowercase()),
        }
    }

    #[rstest]
    #[case::kubeadm("", "ConfigMap", json!({"name": "kubeadm-config", "namespace": "kube-system"}), true)]
    #[case::a_scenarios("", "ConfigMap", json!({"name": "mine", "namespace": "default"}), true)]
    #[case::certificate("", "ConfigMap", json!({"name": "kube-root-ca.crt", "namespace": "default"}), false)]
    #[case::charts("apps", "DaemonSet", json!({"name": "cilium", "annotations": {"meta.helm.sh/release-name": "cilium"}}), false)]
    #[case::helms("", "Secret", json!({"name": "sh.helm.release.v1.cilium.v1", "labels": {"owner": "helm"}}), false)]
    #[case::ciliums("cilium.io", "CiliumNode", json!({"name": "worker"}), false)]
    #[case::definition("apiextensions.k8s.io", "CustomResourceDefinition", json!({"name": "ciliumnodes.cilium.io"}), false)]
    #[case::others("apiextensions.k8s.io", "CustomResourceDefinition", json!({"name": "notcilium.io"}), true)]
    #[case::workload("apps", "Deployment", json!({"name": "alpine", "labels": {RUN_LABEL: "r"}}), false)]
    #[case::owned("apps", "ReplicaSet", json!({"name": "coredns-1", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "coredns", "uid": "u"}]}), false)]
    #[case::bare_pod("", "Pod", json!({"name": "alone", "namespace": "default"}), true)]
    fn what_stays(#[case] group: &str, #[case] name: &str, #[case] metadata: Value, #[case] expected: bool) {
        let object: DynamicObject = serde_json::from_value(json!({"metadata": metadata})).unwrap();
        assert_eq!(stays(&kind(group, name), &object), expected);
    }

    fn inventory(names: &[&str], nodes: &[(&str, Value)]) -> Inventory {
        let pod = kind("", "Pod");
        let objects = names.iter().map(|name| {
            let object: DynamicObject =
                serde_json::from_value(json!({"metadata": {"name": name, "namespace": "default"}})).unwrap();
            (id(&pod, &Scope::Namespaced, &object), pod.clone())
        });
        let nodes = nodes.iter().map(|(name, node)| {
            let node: Node = serde_json::from_value(node.clone()).unwrap();
            ((*name).to_owned(), facts(&node))
        });
        Inventory { objects: objects.collect(), nodes: nodes.collect() }
    }

    #[test]
    fn what_is_left_gone_and_other_is_said() {
        let node = |cidr: &str, taint: &str| json!({"spec": {"podCIDRs": [cidr], "taints": [{"key": taint, "effect": "NoSchedule"}]}});
        let new = inventory(
            &["kept", "lost"],
            &[("a", node("10.0.0.0/24", "node.cilium.io/agent-not-ready")), ("b", node("10.0.1.0/24", "x"))],
        );
        let now = inventory(
            &["kept", "extra"],
            &[("a", node("10.0.0.0/24", "node.kubernetes.io/not-ready")), ("b", node("10.0.2.0/24", "x"))],
        );
        assert_eq!(
            now.differences(&new),
            [
                "Pod default/extra is left",
                "Pod default/lost is gone",
                "Node b has other podCIDRs: 10.0.2.0/24 instead of 10.0.1.0/24"
            ]
        );
        assert_eq!(new.differences(&new), Vec::<String>::new());
    }
}
