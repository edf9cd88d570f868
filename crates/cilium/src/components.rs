//! Cilium's parts on a cluster: names, labels, containers (rendered from the charts of 1.16 to 1.20, which agree on these).

/// Namespace of everything that the chart installs.
pub const NAMESPACE: &str = "kube-system";
/// Name of the Helm release.
pub const RELEASE: &str = "cilium";
/// The Lease by which one operator replica leads.
pub const OPERATOR_LEASE: &str = "cilium-operator-resource-lock";
/// Taint that keeps pods off a node whose agent is not ready (chart value `agentNotReadyTaintKey`).
pub const AGENT_NOT_READY_TAINT: &str = "node.cilium.io/agent-not-ready";
/// Annotation by which the operator ignores a CiliumNode, since 1.18 (pkg/annotation).
pub const IGNORE_ANNOTATION: &str = "ipam.cilium.io/ignore";
/// The init container of an agent's pod that reads `cilium-config`: the configuration is fixed for the pod's life.
pub const CONFIG_INIT_CONTAINER: &str = "config";
/// Where that init container leaves one file per key.
pub const CONFIG_DIR: &str = "/tmp/cilium/config-map";

/// Kind of the object that keeps a component's pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    /// One pod per node.
    DaemonSet,
    /// So many pods, anywhere.
    Deployment,
}

/// A component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// Name of its DaemonSet or Deployment.
    pub name: &'static str,
    /// Which of the two.
    pub kind: WorkloadKind,
    /// The container whose log and state matter.
    pub container: &'static str,
    /// The selector's labels.
    pub selector: &'static [(&'static str, &'static str)],
    /// All labels of its pods.
    pub labels: &'static [(&'static str, &'static str)],
    /// Whether its pods use the node's own address.
    pub host_network: bool,
}

/// The agent.
pub const AGENT: Component = Component {
    name: "cilium",
    kind: WorkloadKind::DaemonSet,
    container: "cilium-agent",
    selector: &[("k8s-app", "cilium")],
    labels: &[
        ("app.kubernetes.io/name", "cilium-agent"),
        ("app.kubernetes.io/part-of", "cilium"),
        ("k8s-app", "cilium"),
    ],
    host_network: true,
};

/// The operator.
pub const OPERATOR: Component = Component {
    name: "cilium-operator",
    kind: WorkloadKind::Deployment,
    container: "cilium-operator",
    selector: &[("io.cilium/app", "operator"), ("name", "cilium-operator")],
    labels: &[
        ("app.kubernetes.io/name", "cilium-operator"),
        ("app.kubernetes.io/part-of", "cilium"),
        ("io.cilium/app", "operator"),
        ("name", "cilium-operator"),
    ],
    host_network: true,
};

/// Hubble Relay. Its pod needs an address from Cilium and a peer Service name from CoreDNS.
pub const HUBBLE_RELAY: Component = Component {
    name: "hubble-relay",
    kind: WorkloadKind::Deployment,
    container: "hubble-relay",
    selector: &[("k8s-app", "hubble-relay")],
    labels: &[
        ("app.kubernetes.io/name", "hubble-relay"),
        ("app.kubernetes.io/part-of", "cilium"),
        ("k8s-app", "hubble-relay"),
    ],
    host_network: false,
};

/// CoreDNS: not Cilium's, but the operator restarts its pods when they have no CiliumEndpoint.
pub const COREDNS: Component = Component {
    name: "coredns",
    kind: WorkloadKind::Deployment,
    container: "coredns",
    selector: &[("k8s-app", "kube-dns")],
    labels: &[("k8s-app", "kube-dns")],
    host_network: false,
};

impl Component {
    /// All of them.
    pub const ALL: [Self; 4] = [AGENT, OPERATOR, HUBBLE_RELAY, COREDNS];

    /// The selector as the API's `labelSelector` parameter writes it.
    pub fn label_selector(&self) -> String {
        let pairs: Vec<String> = self.selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
        pairs.join(",")
    }

    /// Whether a pod with these labels is one of its pods.
    pub fn selects<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.selector.iter().all(|(key, value)| label(key) == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(AGENT, "k8s-app=cilium")]
    #[case(OPERATOR, "io.cilium/app=operator,name=cilium-operator")]
    #[case(HUBBLE_RELAY, "k8s-app=hubble-relay")]
    #[case(COREDNS, "k8s-app=kube-dns")]
    fn selects_its_own_pods(#[case] component: Component, #[case] selector: &str) {
        assert_eq!(component.label_selector(), selector);
        for other in Component::ALL {
            let labels: BTreeMap<&str, &str> = other.labels.iter().copied().collect();
            assert_eq!(component.selects(|key| labels.get(key).copied()), component == other, "{}", other.name);
        }
    }
}
