//! What a pod asks of its node.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::controllers::taints::Toleration;
use crate::store::Stored;
use crate::world::or_default;

/// The part of a pod's specification that the scheduler reads. Equal wishes have equal chances.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Wishes {
    #[serde(deserialize_with = "or_default")]
    pub(super) tolerations: Vec<Toleration>,
    #[serde(deserialize_with = "or_default")]
    pub(super) node_selector: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) affinity: Affinity,
    #[serde(deserialize_with = "or_default")]
    pub(super) containers: Vec<Container>,
    /// Whose namespace its neighbours are sought in.
    #[serde(skip)]
    pub(super) namespace: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Affinity {
    #[serde(deserialize_with = "or_default")]
    pub(super) node_affinity: NodeAffinity,
    #[serde(deserialize_with = "or_default")]
    pub(super) pod_affinity: PodAffinity,
    #[serde(deserialize_with = "or_default")]
    pub(super) pod_anti_affinity: PodAffinity,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeAffinity {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    #[serde(deserialize_with = "or_default")]
    pub(super) required: NodeSelector,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeSelector {
    #[serde(rename = "nodeSelectorTerms")]
    #[serde(deserialize_with = "or_default")]
    pub(super) terms: Vec<NodeTerm>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct NodeTerm {
    #[serde(deserialize_with = "or_default")]
    pub(super) match_expressions: Vec<Expression>,
    #[serde(deserialize_with = "or_default")]
    pub(super) match_fields: Vec<Expression>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(default)]
pub(super) struct Expression {
    #[serde(deserialize_with = "or_default")]
    pub(super) key: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) operator: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodAffinity {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    #[serde(deserialize_with = "or_default")]
    pub(super) required: Vec<PodTerm>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodTerm {
    #[serde(deserialize_with = "or_default")]
    pub(super) label_selector: LabelSelector,
    #[serde(deserialize_with = "or_default")]
    pub(super) topology_key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LabelSelector {
    #[serde(deserialize_with = "or_default")]
    pub(super) match_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) match_expressions: Vec<Expression>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    #[serde(deserialize_with = "or_default")]
    pub(super) ports: Vec<Port>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Port {
    pub(super) host_port: u16,
}

impl Wishes {
    pub(super) fn read(pod: &Stored) -> Self {
        #[derive(Deserialize)]
        struct View {
            spec: Wishes,
        }
        let mut wishes = pod.read::<View>().map(|view| view.spec).unwrap_or_default();
        wishes.namespace = pod.meta.namespace.to_string();
        // Equal wishes share a line: containers without host ports must not tell pods apart.
        wishes.containers.retain(|container| container.ports.iter().any(|port| port.host_port != 0));
        wishes
    }

    /// The one node that it can run on: a daemon pod's, or one named by `kubernetes.io/hostname`.
    pub(super) fn only_node(&self) -> Option<&str> {
        let terms = &self.affinity.node_affinity.required.terms;
        if let [term] = terms.as_slice()
            && let [field] = term.match_fields.as_slice()
            && field.key == "metadata.name"
            && let [name] = field.values.as_slice()
        {
            return Some(name);
        }
        self.node_selector.get("kubernetes.io/hostname").map(String::as_str)
    }

    pub(super) fn seeks_company(&self) -> bool {
        !self.affinity.pod_affinity.required.is_empty()
    }

    pub(super) fn host_ports(&self) -> impl Iterator<Item = u16> {
        self.containers
            .iter()
            .flat_map(|container| &container.ports)
            .map(|port| port.host_port)
            .filter(|port| *port != 0)
    }
}

impl Expression {
    pub(super) fn matches(&self, value: Option<&str>) -> bool {
        let listed = || value.is_some_and(|value| self.values.iter().any(|one| one == value));
        let number = |text: &str| text.parse::<i64>().ok();
        let bound = || self.values.first().and_then(|text| number(text));
        match self.operator.as_str() {
            "In" => listed(),
            "NotIn" => !listed(),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            "Gt" => value.and_then(number).zip(bound()).is_some_and(|(value, bound)| value > bound),
            "Lt" => value.and_then(number).zip(bound()).is_some_and(|(value, bound)| value < bound),
            _ => false,
        }
    }
}

impl LabelSelector {
    pub(super) fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.match_labels.iter().all(|(key, value)| label(key) == Some(value))
            && self.match_expressions.iter().all(|expression| expression.matches(label(&expression.key)))
    }
}
