//! Objects as an API server has them.

use serde_json::{Value, json};

/// Names of the nodes, as kind gives them: a control-plane node and two workers.
pub(crate) const NODES: [&str; 3] = ["t-control-plane", "t-worker", "t-worker2"];

/// A ready node. Its podCIDR is `10.244.N.0/24`, with `N` its place in [`NODES`].
pub(crate) fn node(name: &str) -> Value {
    let place = NODES.iter().position(|known| *known == name).unwrap_or(9);
    let mut labels = json!({"kubernetes.io/hostname": name});
    if name.ends_with("control-plane") {
        labels["node-role.kubernetes.io/control-plane"] = json!("");
    }
    let cidr = format!("10.244.{place}.0/24");
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    })
}

/// A CiliumNode that an operator has looked at.
pub(crate) fn cilium_node(name: &str, cidrs: &[&str], error: Option<&str>) -> Value {
    let status = error.map_or_else(|| json!({}), |error| json!({"error": error}));
    json!({
        "apiVersion": "cilium.io/v2", "kind": "CiliumNode",
        "metadata": {"name": name},
        "spec": {"ipam": {"podCIDRs": cidrs}},
        "status": {"ipam": {"operator-status": status}},
    })
}

/// What a pod is made from.
#[derive(Debug, Clone)]
pub(crate) struct Pod<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) labels: Value,
    pub(crate) node: &'a str,
    pub(crate) ip: &'a str,
    pub(crate) ready: bool,
    pub(crate) host_network: bool,
    pub(crate) restarts: u32,
    pub(crate) created: &'a str,
}

impl<'a> Pod<'a> {
    /// A running pod of a workload, in the namespace of that name.
    pub(crate) fn of(workload: &'a str, name: &'a str, node: &'a str, ip: &'a str) -> Self {
        Self {
            namespace: workload,
            name,
            labels: json!({"app": workload, "ipam-e2e.cilium.io/workload": workload}),
            node,
            ip,
            ready: true,
            host_network: false,
            restarts: 0,
            created: "2026-01-01T00:00:00Z",
        }
    }

    /// One of Cilium's, in kube-system.
    pub(crate) fn system(labels: Value, name: &'a str, node: &'a str, ip: &'a str, host_network: bool) -> Self {
        Self { namespace: "kube-system", labels, host_network, ..Self::of("", name, node, ip) }
    }

    pub(crate) fn value(&self) -> Value {
        let ready = if self.ready { "True" } else { "False" };
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": self.name, "namespace": self.namespace, "labels": self.labels,
                "creationTimestamp": self.created,
            },
            "spec": {"nodeName": self.node, "hostNetwork": self.host_network},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": ready}],
                "containerStatuses": [{"restartCount": self.restarts, "state": {"running": {}}}],
            },
        });
        if !self.ip.is_empty() {
            pod["status"]["podIP"] = json!(self.ip);
            pod["status"]["podIPs"] = json!([{"ip": self.ip}]);
        }
        pod
    }
}

/// `cilium-config` of mode cluster-pool, changed as given.
pub(crate) fn config(changes: &Value) -> Value {
    let mut data = json!({
        "ipam": "cluster-pool",
        "cluster-pool-ipv4-cidr": "10.0.0.0/8",
        "cluster-pool-ipv4-mask-size": "24",
        "enable-ipv4": "true",
        "enable-ipv6": "false",
    });
    for (key, value) in changes.as_object().into_iter().flatten() {
        data[key] = value.clone();
    }
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "cilium-config", "namespace": "kube-system"}, "data": data,
    })
}

/// The operator's lease, renewed at a moment.
pub(crate) fn lease(holder: &str, renewed: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "cilium-operator-resource-lock", "namespace": "kube-system"},
        "spec": {"holderIdentity": holder, "renewTime": renewed},
    })
}
