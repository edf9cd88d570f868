//! Objects of a running cluster, or of a file that `kubectl get -o yaml` has written.

use std::collections::{BTreeMap, BTreeSet};

use cilium::CiliumNode;
use ipam::history::NodeOutcome;
use ipnet::IpNet;
use semver::Version;
use serde_json::Value;

use super::InputError;
use crate::document::{self, Node, Shape};
use crate::settings::KeyPlaces;
use crate::{Live, NodeFacts, Origin, Place, Settings, Surroundings};

/// What is known of a cluster.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Objects {
    /// The data of `kube-system/cilium-config`.
    pub config: Option<BTreeMap<String, String>>,
    /// CiliumNodes, by name.
    pub cilium_nodes: BTreeMap<String, NodeOutcome>,
    /// Nodes, by name.
    pub nodes: BTreeMap<String, NodeFacts>,
    /// Ranges of Services.
    pub services: BTreeSet<IpNet>,
    /// Ranges of podCIDRs.
    pub pod_subnets: BTreeSet<IpNet>,
    /// Cilium's version, by the image of its agents.
    pub version: Option<Version>,
}

impl Objects {
    /// Takes in an object, whatever it is: what is of no use here is passed over. Lists are taken apart.
    pub fn add(&mut self, object: &Value) {
        if let Some(items) = object.get("items").and_then(Value::as_array) {
            items.iter().for_each(|item| self.add(item));
            return;
        }
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let name = text("/metadata/name");
        match (text("/kind"), name) {
            ("CiliumNode", _) => {
                if let Ok(node) = CiliumNode::from_value(object) {
                    let outcome = NodeOutcome { pod_cidrs: node.pod_cidrs, error: node.error.unwrap_or_default() };
                    self.cilium_nodes.insert(node.name, outcome);
                }
            }
            ("Node", _) => {
                self.nodes.insert(name.to_owned(), node_facts(object));
            }
            ("ServiceCIDR", _) => self.services.extend(texts(object.pointer("/spec/cidrs"))),
            ("ConfigMap", cilium::config::CONFIG_MAP) => self.config = object.get("data").map(data),
            ("ConfigMap", "kubeadm-config") => self.kubeadm(text("/data/ClusterConfiguration")),
            ("DaemonSet", "cilium") => self.version = self.version.take().or_else(|| image_version(object)),
            _ => {}
        }
    }

    /// kubeadm's own account of the cluster.
    fn kubeadm(&mut self, text: &str) {
        let documents = document::read(text.as_bytes()).unwrap_or_default();
        let Some(networking) = documents.first().and_then(|document| document.at("networking")) else { return };
        let nets = |key: &str| -> Vec<IpNet> {
            let text = networking.at(key).and_then(Node::text).unwrap_or_default();
            text.split(',').filter_map(|part| part.trim().parse().ok()).collect()
        };
        self.services.extend(nets("serviceSubnet"));
        self.pod_subnets.extend(nets("podSubnet"));
    }

    /// What is around the pools.
    pub fn surroundings(&self) -> Surroundings {
        let count = self.nodes.len().max(self.cilium_nodes.len());
        Surroundings {
            services: self.services.iter().copied().collect(),
            pod_subnets: self.pod_subnets.iter().copied().collect(),
            node_networks: Vec::new(),
            nodes: self.nodes.clone(),
            node_count: (count > 0).then(|| u64::try_from(count).unwrap_or(u64::MAX)),
            ranges_ever: None,
        }
    }

    /// The cluster, to hold settings against.
    pub fn live(&self, name: &str) -> Live {
        Live { name: name.to_owned(), nodes: self.cilium_nodes.clone(), config: self.config.clone() }
    }
}

fn data(data: &Value) -> BTreeMap<String, String> {
    let entries = data.as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn texts(list: Option<&Value>) -> Vec<IpNet> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.as_str()?.parse().ok()).collect()
}

fn node_facts(object: &Value) -> NodeFacts {
    let list: Vec<String> = object
        .pointer("/spec/podCIDRs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|cidr| cidr.as_str().map(str::to_owned))
        .collect();
    let single = object.pointer("/spec/podCIDR").and_then(Value::as_str).map(str::to_owned);
    let addresses = object.pointer("/status/addresses").and_then(Value::as_array).into_iter().flatten();
    let is_address = |kind: &str| matches!(kind, "InternalIP" | "ExternalIP");
    NodeFacts {
        pod_cidrs: if list.is_empty() { single.into_iter().collect() } else { list },
        addresses: addresses
            .filter(|address| address["type"].as_str().is_some_and(is_address))
            .filter_map(|address| address["address"].as_str()?.parse::<std::net::IpAddr>().ok())
            .map(IpNet::from)
            .collect(),
        max_pods: object.pointer("/status/allocatable/pods").and_then(|pods| match pods {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        }),
    }
}

/// The version in the agents' image: `quay.io/cilium/cilium:v1.19.1@sha256:...`.
fn image_version(daemon_set: &Value) -> Option<Version> {
    let containers = daemon_set.pointer("/spec/template/spec/containers")?.as_array()?;
    let agent =
        containers.iter().find(|container| container["name"] == "cilium-agent").or_else(|| containers.first())?;
    let image = agent["image"].as_str()?.split('@').next()?;
    let tag = image.rsplit_once(':')?.1;
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

/// Reads objects that `kubectl get ... -o yaml` or `-o json` has written to a file.
///
/// # Errors
/// When the text is not YAML, or holds no CiliumNode.
pub fn dump(name: &str, text: &[u8]) -> Result<Objects, InputError> {
    let documents = document::read(text).map_err(|error| InputError::Syntax { name: name.to_owned(), error })?;
    let mut objects = Objects::default();
    for document in &documents {
        match &document.value {
            Shape::List(items) => items.iter().for_each(|item| objects.add(&item.to_json())),
            _ => objects.add(&document.to_json()),
        }
    }
    if objects.cilium_nodes.is_empty() {
        let message =
            "there is no CiliumNode here; `kubectl get ciliumnodes,nodes -o yaml` writes what is needed".to_owned();
        return Err(InputError::Shape { name: name.to_owned(), line: 1, message });
    }
    Ok(objects)
}

/// The settings that a cluster runs with, held against its own CiliumNodes: what the operator's next start brings.
///
/// # Errors
/// When it has no `cilium-config`, or the version is not known.
pub fn live(name: &str, objects: &Objects, version: &Version) -> Result<Settings, InputError> {
    let object = format!("ConfigMap/{}/{}", cilium::components::NAMESPACE, cilium::config::CONFIG_MAP);
    let Some(config) = objects.config.clone() else {
        let message = format!("{object} is not there: is this cluster's network Cilium?");
        return Err(InputError::Shape { name: name.to_owned(), line: 0, message });
    };
    let place = |key: &str| KeyPlaces { whole: Place::object(format!("{object}: {key}")), elements: Vec::new() };
    Ok(Settings {
        origin: Origin::Cluster,
        name: name.to_owned(),
        version: version.clone(),
        release: version.to_string().parse()?,
        places: config.keys().map(|key| (key.clone(), place(key))).collect(),
        config,
        around: objects.surroundings(),
        live: Some(objects.live(name)),
        top: Place::object(object),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn takes_what_it_knows_from_a_list_of_anything() {
        let mut objects = Objects::default();
        objects.add(&json!({"kind": "List", "items": [
            {"kind": "CiliumNode", "metadata": {"name": "n1"}, "spec": {"ipam": {"podCIDRs": ["10.0.0.0/24"]}},
             "status": {"ipam": {"operator-status": {"error": "allocator full"}}}},
            {"kind": "Node", "metadata": {"name": "n1"}, "spec": {"podCIDR": "10.244.0.0/24"},
             "status": {"addresses": [{"type": "InternalIP", "address": "172.18.0.2"}, {"type": "Hostname", "address": "n1"}],
                        "allocatable": {"pods": "110"}}},
            {"kind": "ConfigMap", "metadata": {"name": "kubeadm-config"}, "data": {"ClusterConfiguration":
             "networking:\n  podSubnet: 10.244.0.0/16,fd00:10:244::/56\n  serviceSubnet: 10.96.0.0/16\n"}},
            {"kind": "ServiceCIDR", "metadata": {"name": "kubernetes"}, "spec": {"cidrs": ["10.96.0.0/16"]}},
            {"kind": "DaemonSet", "metadata": {"name": "cilium"}, "spec": {"template": {"spec": {"containers": [
             {"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.19.1@sha256:00"}]}}}},
            {"kind": "Secret", "metadata": {"name": "x"}},
        ]}));
        assert_eq!(objects.cilium_nodes["n1"].error, "allocator full");
        let node = &objects.nodes["n1"];
        assert_eq!((node.pod_cidrs.as_slice(), node.max_pods), (&["10.244.0.0/24".to_owned()][..], Some(110)));
        assert_eq!(node.addresses, ["172.18.0.2/32".parse::<IpNet>().unwrap()]);
        assert_eq!((objects.services.len(), objects.pod_subnets.len()), (1, 2));
        assert_eq!(objects.version, Some(Version::new(1, 19, 1)));
        assert_eq!(objects.surroundings().node_count, Some(1));
    }

    #[test]
    fn a_dump_without_ciliumnodes_is_refused() {
        let error = dump("nodes.yaml", b"kind: List\nitems: []\n").unwrap_err();
        assert!(error.to_string().contains("kubectl get ciliumnodes,nodes -o yaml"), "{error}");
    }
}
