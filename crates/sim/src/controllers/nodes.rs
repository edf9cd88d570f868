//! An index of Nodes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::taints::Taint;
use crate::store::{Change, ChangeKind, Stored};
use crate::world::{Name, or_default};

/// What controllers need to know of a Node.
#[derive(Debug, Clone)]
pub(crate) struct NodeFacts {
    pub(crate) name: Name,
    pub(crate) uid: Name,
    pub(crate) labels: BTreeMap<String, String>,
    /// Sorted.
    pub(crate) taints: Vec<Taint>,
    pub(crate) unschedulable: bool,
    pub(crate) pod_cidrs: Vec<String>,
    pub(crate) internal_ips: Vec<String>,
    /// The status of its Ready condition: `True`, `False` or `Unknown`.
    pub(crate) ready: String,
    pub(crate) capacity: usize,
    pub(crate) object: Stored,
}

#[derive(Deserialize)]
struct View {
    #[serde(default, deserialize_with = "or_default")]
    metadata: MetadataView,
    #[serde(default, deserialize_with = "or_default")]
    spec: SpecView,
    #[serde(default, deserialize_with = "or_default")]
    status: StatusView,
}

#[derive(Default, Deserialize)]
struct MetadataView {
    #[serde(default, deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecView {
    #[serde(default, deserialize_with = "or_default")]
    taints: Vec<Taint>,
    #[serde(default, deserialize_with = "or_default")]
    unschedulable: bool,
    #[serde(default, rename = "podCIDRs", deserialize_with = "or_default")]
    pod_cidrs: Vec<String>,
    #[serde(rename = "podCIDR")]
    pod_cidr: Option<String>,
}

#[derive(Default, Deserialize)]
struct StatusView {
    #[serde(default, deserialize_with = "or_default")]
    addresses: Vec<AddressView>,
    #[serde(default, deserialize_with = "or_default")]
    conditions: Vec<ConditionView>,
    #[serde(default, deserialize_with = "or_default")]
    allocatable: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct AddressView {
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    address: String,
}

#[derive(Deserialize)]
struct ConditionView {
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    status: String,
}

/// All Nodes.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    by_name: BTreeMap<Name, NodeFacts>,
}

impl Nodes {
    /// Takes a change in. Returns the facts before and after it.
    pub(crate) fn apply(&mut self, change: &Change) -> (Option<NodeFacts>, Option<NodeFacts>) {
        let name: Name = (*change.object.meta.name).into();
        if change.kind == ChangeKind::Deleted {
            return (self.by_name.remove(&name), None);
        }
        let after = facts(&change.object);
        let before = self.by_name.insert(name, after.clone());
        (before, Some(after))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&NodeFacts> {
        self.by_name.get(name)
    }

    pub(crate) fn all(&self) -> impl ExactSizeIterator<Item = &NodeFacts> {
        self.by_name.values()
    }
}

fn facts(node: &Stored) -> NodeFacts {
    let view: View = node.read().unwrap_or_else(|_| View {
        metadata: MetadataView::default(),
        spec: SpecView::default(),
        status: StatusView::default(),
    });
    let mut taints = view.spec.taints;
    taints.sort();
    let pod_cidrs =
        if view.spec.pod_cidrs.is_empty() { view.spec.pod_cidr.into_iter().collect() } else { view.spec.pod_cidrs };
    NodeFacts {
        name: (*node.meta.name).into(),
        uid: (*node.meta.uid).into(),
        labels: view.metadata.labels,
        taints,
        unschedulable: view.spec.unschedulable,
        pod_cidrs,
        internal_ips: view.status.addresses.into_iter().filter(|a| a.kind == "InternalIP").map(|a| a.address).collect(),
        ready: view
            .status
            .conditions
            .into_iter()
            .find(|c| c.kind == "Ready")
            .map_or_else(|| "Unknown".to_owned(), |c| c.status),
        capacity: view.status.allocatable.get("pods").and_then(|text| text.parse().ok()).unwrap_or(110),
        object: node.clone(),
    }
}
