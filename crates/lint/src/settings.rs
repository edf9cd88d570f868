//! What the rules look at.

use std::collections::BTreeMap;

use ipam::Release;
use ipam::history::NodeOutcome;
use ipam::operator::{Family, keys, split_list};
use ipnet::IpNet;
use semver::Version;
use serde_json::{Map, Value};

use crate::Place;
use crate::document::Node;

/// Where settings were read.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// A values file for Cilium's chart.
    Values {
        /// The file's content, with places.
        document: Node,
        /// The same without.
        values: Map<String, Value>,
    },
    /// A ConfigMap in a file.
    ConfigMap,
    /// A running cluster.
    Cluster,
    /// A scenario.
    Scenario {
        /// Everything that it installs Cilium with.
        values: Map<String, Value>,
        /// Its own `cilium.values`, with places.
        own: Option<Node>,
    },
}

/// A node, as far as the rules look at it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// `spec.podCIDRs` of the Node.
    pub pod_cidrs: Vec<String>,
    /// Its own addresses.
    pub addresses: Vec<IpNet>,
    /// `status.allocatable.pods`.
    pub max_pods: Option<u64>,
}

/// What is around the pools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Ranges of Services.
    pub services: Vec<IpNet>,
    /// Ranges from which kube-controller-manager gives podCIDRs to Nodes.
    pub pod_subnets: Vec<IpNet>,
    /// Networks of the nodes, where they were told.
    pub node_networks: Vec<IpNet>,
    /// The nodes, where they are known, by name.
    pub nodes: BTreeMap<String, NodeFacts>,
    /// How many nodes there are or will be.
    pub node_count: Option<u64>,
    /// How many ranges are handed out in the cluster's whole life, where that is known: beyond it, nothing can collide.
    pub ranges_ever: Option<u64>,
}

/// A running cluster, to hold settings against.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Live {
    /// How the user named it.
    pub name: String,
    /// Its CiliumNodes, by name.
    pub nodes: BTreeMap<String, NodeOutcome>,
    /// The data of its `cilium-config`, where it is known.
    pub config: Option<BTreeMap<String, String>>,
}

/// What a key of `cilium-config` comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeyPlaces {
    pub(crate) whole: Place,
    /// For a list that was written as one: its elements' places.
    pub(crate) elements: Vec<Place>,
}

/// Settings, whatever they were read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where they were read.
    pub origin: Origin,
    /// What the user calls it: a file, a context.
    pub name: String,
    /// Cilium's version.
    pub version: Version,
    /// Its minor, for the model.
    pub release: Release,
    /// The data of `cilium-config`.
    pub config: BTreeMap<String, String>,
    /// What is around the pools.
    pub around: Surroundings,
    /// The cluster that they are held against.
    pub live: Option<Live>,
    pub(crate) places: BTreeMap<String, KeyPlaces>,
    pub(crate) top: Place,
}

/// The keys of one family.
pub(crate) struct FamilyKeys {
    pub(crate) pools: &'static str,
    pub(crate) mask: &'static str,
    pub(crate) native: &'static str,
}

pub(crate) fn family_keys(family: Family) -> FamilyKeys {
    match family {
        Family::V4 => FamilyKeys { pools: keys::IPV4_CIDR, mask: keys::IPV4_MASK, native: "ipv4-native-routing-cidr" },
        Family::V6 => FamilyKeys { pools: keys::IPV6_CIDR, mask: keys::IPV6_MASK, native: "ipv6-native-routing-cidr" },
    }
}

/// One element of a list of pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) text: String,
    /// As written, host bits included; none if it is no range.
    pub(crate) net: Option<IpNet>,
    pub(crate) place: Place,
}

impl Settings {
    /// The IPAM mode; the operator's default where the key is absent.
    pub(crate) fn mode(&self) -> &str {
        self.config.get(keys::IPAM).map_or(cilium::config::DEFAULT_MODE, |mode| mode.trim())
    }

    pub(crate) fn is_cluster_pool(&self) -> bool {
        self.mode() == "cluster-pool"
    }

    /// The place of a key; that of the whole where it comes from a default.
    pub(crate) fn place(&self, key: &str) -> Place {
        self.places.get(key).map_or_else(|| self.top.clone(), |places| places.whole.clone())
    }

    /// The elements of a family's list, as the operator splits it.
    pub(crate) fn elements(&self, family: Family) -> Vec<Element> {
        let key = family_keys(family).pools;
        let Some(text) = self.config.get(key) else { return Vec::new() };
        let texts = split_list(text.trim(), self.release);
        let places = self.places.get(key);
        let own = places.map(|places| places.elements.as_slice()).filter(|own| own.len() == texts.len());
        let place = |index: usize| own.map_or_else(|| self.place(key), |own| own[index].clone());
        let elements = texts.into_iter().enumerate();
        elements.map(|(index, text)| Element { net: text.parse().ok(), place: place(index), text }).collect()
    }
}
