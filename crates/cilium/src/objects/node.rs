//! CiliumNode.

use serde::Deserialize;
use serde_json::Value;

use super::Metadata;

/// An address of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct NodeAddress {
    /// `InternalIP`, `ExternalIP`, `CiliumInternalIP`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The address.
    pub ip: String,
}

/// A view of a CiliumNode (cilium/cilium: pkg/k8s/apis/cilium.io/v2/types.go). What is absent is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CiliumNode {
    /// Its name, which is the Node's.
    pub name: String,
    /// Its UID; empty if absent.
    pub uid: String,
    /// Its resourceVersion; empty if absent.
    pub resource_version: String,
    /// `spec.ipam.podCIDRs`, as written.
    pub pod_cidrs: Vec<String>,
    /// `status.ipam.operator-status.error`; none when absent or empty.
    pub error: Option<String>,
    /// Whether `status.ipam.operator-status` is there at all: no operator has written a node's status before that.
    pub operator_status_present: bool,
    /// All of `spec.addresses`.
    pub addresses: Vec<NodeAddress>,
    /// Addresses of type `CiliumInternalIP`: those of `cilium_host`, the node's router.
    pub router_ips: Vec<String>,
    /// Addresses of type `InternalIP`: the node's own.
    pub internal_ips: Vec<String>,
    /// `spec.health`, IPv4 before IPv6.
    pub health_ips: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Raw {
    metadata: Option<Metadata>,
    spec: Option<Spec>,
    status: Option<Status>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    addresses: Option<Vec<NodeAddress>>,
    health: Option<Health>,
    ipam: Option<Ipam>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Health {
    ipv4: Option<String>,
    ipv6: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ipam {
    #[serde(rename = "podCIDRs")]
    pod_cidrs: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    ipam: Option<IpamStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct IpamStatus {
    #[serde(rename = "operator-status")]
    operator_status: Option<OperatorStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OperatorStatus {
    error: Option<String>,
}

impl CiliumNode {
    /// Reads an object of the API.
    ///
    /// # Errors
    /// When a field that is read has another type than Cilium gives it.
    pub fn from_value(object: &Value) -> Result<Self, serde_json::Error> {
        let raw = Raw::deserialize(object)?;
        let metadata = raw.metadata.unwrap_or_default();
        let spec = raw.spec.unwrap_or_default();
        let operator_status = raw.status.and_then(|status| status.ipam).and_then(|ipam| ipam.operator_status);
        let health = spec.health.unwrap_or_default();
        let addresses = spec.addresses.unwrap_or_default();
        let of_kind = |kind: &str| -> Vec<String> {
            addresses.iter().filter(|address| address.kind == kind).map(|address| address.ip.clone()).collect()
        };
        Ok(Self {
            name: metadata.name.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default(),
            resource_version: metadata.resource_version.unwrap_or_default(),
            pod_cidrs: spec.ipam.and_then(|ipam| ipam.pod_cidrs).unwrap_or_default(),
            operator_status_present: operator_status.is_some(),
            error: operator_status.and_then(|status| status.error).filter(|error| !error.is_empty()),
            router_ips: of_kind("CiliumInternalIP"),
            internal_ips: of_kind("InternalIP"),
            health_ips: [health.ipv4, health.ipv6].into_iter().flatten().filter(|ip| !ip.is_empty()).collect(),
            addresses,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::never_touched_by_an_operator(json!({"metadata": {"name": "n"}, "spec": {}}), &[], None, false)]
    #[case::clear(json!({"spec": {"ipam": {"podCIDRs": ["10.0.1.0/24"]}}, "status": {"ipam": {"operator-status": {}}}}), &["10.0.1.0/24"], None, true)]
    #[case::empty_error_is_none(json!({"spec": {}, "status": {"ipam": {"operator-status": {"error": ""}}}}), &[], None, true)]
    #[case::error(json!({"status": {"ipam": {"operator-status": {"error": "allocator full"}}}}), &[], Some("allocator full"), true)]
    #[case::nulls(json!({"metadata": null, "spec": {"ipam": {"podCIDRs": null}, "addresses": null}, "status": null}), &[], None, false)]
    #[case::unknown_fields(json!({"spec": {"eni": {"x": 1}, "ipam": {"pools": {}, "podCIDRs": ["fd00::/120"]}}}), &["fd00::/120"], None, false)]
    fn reads_ipam(#[case] object: Value, #[case] cidrs: &[&str], #[case] error: Option<&str>, #[case] present: bool) {
        let node = CiliumNode::from_value(&object).unwrap();
        assert_eq!(node.pod_cidrs, cidrs);
        assert_eq!(node.error.as_deref(), error);
        assert_eq!(node.operator_status_present, present);
    }

    #[test]
    fn sorts_addresses_by_type() {
        let node = CiliumNode::from_value(&json!({
            "metadata": {"name": "w", "uid": "u", "resourceVersion": "7"},
            "spec": {
                "addresses": [
                    {"type": "InternalIP", "ip": "172.18.0.3"},
                    {"type": "CiliumInternalIP", "ip": "10.0.0.44"},
                    {"type": "CiliumInternalIP", "ip": "fd00::1"},
                ],
                "health": {"ipv4": "10.0.0.7"},
            },
        }))
        .unwrap();
        assert_eq!((node.name.as_str(), node.uid.as_str(), node.resource_version.as_str()), ("w", "u", "7"));
        assert_eq!(node.router_ips, ["10.0.0.44", "fd00::1"]);
        assert_eq!(node.internal_ips, ["172.18.0.3"]);
        assert_eq!(node.health_ips, ["10.0.0.7"]);
    }

    #[test]
    fn a_wrong_type_is_an_error() {
        assert!(CiliumNode::from_value(&json!({"spec": {"ipam": {"podCIDRs": "10.0.0.0/24"}}})).is_err());
    }
}
