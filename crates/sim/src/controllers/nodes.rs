//! An index of Nodes.

use std::collections::BTreeSet;
use std::sync::Arc;

use ecow::EcoString;
use rustc_hash::FxHashMap;

use super::taints::Taint;
use crate::store::{Change, ChangeKind, Stored};
use crate::tree::Tree;
use crate::world::Name;

/// What controllers need to know of a Node.
#[derive(Debug, Clone)]
pub(crate) struct NodeFacts {
    pub(crate) name: Name,
    pub(crate) uid: Name,
    /// Sorted.
    pub(crate) taints: Arc<[Taint]>,
    pub(crate) unschedulable: bool,
    pub(crate) pod_cidrs: Vec<EcoString>,
    pub(crate) internal_ips: Vec<EcoString>,
    /// The status of its Ready condition: `True`, `False` or `Unknown`.
    pub(crate) ready: EcoString,
    pub(crate) capacity: usize,
    pub(crate) object: Stored,
}

impl NodeFacts {
    /// A label's value.
    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.object.meta.label(key)
    }

    /// Its labels.
    pub(crate) fn labels(&self) -> &[(EcoString, EcoString)] {
        &self.object.meta.labels
    }
}

/// All Nodes.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    // Looked up only, never walked.
    by_name: FxHashMap<Name, Arc<NodeFacts>>,
    names: BTreeSet<Name>,
}

impl Nodes {
    /// Takes a change in. Returns the facts before and after it.
    pub(crate) fn apply(&mut self, change: &Change) -> (Option<Arc<NodeFacts>>, Option<Arc<NodeFacts>>) {
        let name = &*change.object.meta.name;
        if change.kind == ChangeKind::Deleted {
            self.names.remove(name);
            return (self.by_name.remove(name), None);
        }
        let before = self.by_name.get(name).cloned();
        let after = Arc::new(facts(&change.object, before.as_deref()));
        if before.is_none() {
            self.names.insert(after.name.clone());
        }
        self.by_name.insert(after.name.clone(), after.clone());
        (before, Some(after))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&NodeFacts> {
        self.by_name.get(name).map(|facts| &**facts)
    }

    /// Their names, in order.
    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = &Name> {
        self.names.iter()
    }
}

/// Reads a version of a Node. Taints that have not changed are those of the version before.
fn facts(node: &Stored, before: Option<&NodeFacts>) -> NodeFacts {
    let tree = node.tree();
    let (spec, status) = (&tree["spec"], &tree["status"]);
    let texts = |list: &Tree| -> Vec<EcoString> {
        list.as_array().into_iter().flatten().filter_map(Tree::as_text).cloned().collect()
    };
    let mut pod_cidrs = texts(&spec["podCIDRs"]);
    if pod_cidrs.is_empty() {
        pod_cidrs.extend(spec["podCIDR"].as_text().cloned());
    }
    let addresses = status["addresses"].as_array().into_iter().flatten();
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    let known = before.filter(|before| {
        let old = &before.object.tree()["spec"]["taints"];
        old.is_same(&spec["taints"]) || (old.is_null() && spec["taints"].is_null())
    });
    NodeFacts {
        name: before.map_or_else(|| (*node.meta.name).into(), |before| before.name.clone()),
        uid: match before.filter(|before| *before.uid == *node.meta.uid) {
            Some(before) => before.uid.clone(),
            None => (*node.meta.uid).into(),
        },
        taints: known.map_or_else(|| taints(&spec["taints"]), |before| before.taints.clone()),
        unschedulable: spec["unschedulable"] == true,
        pod_cidrs,
        internal_ips: addresses
            .filter(|one| one["type"] == "InternalIP")
            .filter_map(|one| one["address"].as_text())
            .cloned()
            .collect(),
        ready: conditions
            .find(|one| one["type"] == "Ready")
            .map_or_else(|| "Unknown".into(), |one| one["status"].as_text().cloned().unwrap_or_default()),
        capacity: status["allocatable"]["pods"].as_str().and_then(|text| text.parse().ok()).unwrap_or(110),
        object: node.clone(),
    }
}

fn taints(list: &Tree) -> Arc<[Taint]> {
    let mut taints: Vec<Taint> = list.read::<Option<Vec<Taint>>>().ok().flatten().unwrap_or_default();
    taints.sort();
    taints.into()
}
