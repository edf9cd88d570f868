//! A DaemonSet's specification, read once per change.

use std::collections::BTreeMap;

use crate::controllers::nodes::NodeFacts;
use crate::controllers::taints::Toleration;
use crate::tree::{Tree, tree};

/// What a DaemonSet wants.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) template: Tree,
    /// Its own and those that every daemon pod has.
    pub(super) tolerations: Vec<Toleration>,
    pub(super) tolerations_value: Tree,
    pub(super) on_delete: bool,
    pub(super) max_unavailable: Tree,
    node_selector: BTreeMap<String, String>,
}

impl Wanted {
    pub(super) fn read(set: &Tree) -> Self {
        let template = set["spec"]["template"].clone();
        let mut list = template["spec"]["tolerations"].as_array().cloned().unwrap_or_default();
        // pkg/controller/daemon/util, AddOrUpdateDaemonPodTolerations.
        let mut own = vec![
            ("node.kubernetes.io/not-ready", "NoExecute"),
            ("node.kubernetes.io/unreachable", "NoExecute"),
            ("node.kubernetes.io/disk-pressure", "NoSchedule"),
            ("node.kubernetes.io/memory-pressure", "NoSchedule"),
            ("node.kubernetes.io/pid-pressure", "NoSchedule"),
            ("node.kubernetes.io/unschedulable", "NoSchedule"),
        ];
        if template["spec"]["hostNetwork"] == true {
            own.push(("node.kubernetes.io/network-unavailable", "NoSchedule"));
        }
        list.extend(own.into_iter().map(|(key, effect)| tree!({"key": key, "operator": "Exists", "effect": effect})));
        let tolerations_value = Tree::Array(list);
        let node_selector = template["spec"]["nodeSelector"].as_object().into_iter().flatten();
        Self {
            tolerations: tolerations_value.read().unwrap_or_default(),
            tolerations_value,
            on_delete: set["spec"]["updateStrategy"]["type"] == "OnDelete",
            max_unavailable: set["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"].clone(),
            node_selector: node_selector
                .map(|(key, value)| (key.to_string(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
            template,
        }
    }

    pub(super) fn selects(&self, node: &NodeFacts) -> bool {
        self.node_selector.iter().all(|(key, value)| node.label(key) == Some(value))
    }
}
