//! CiliumEndpoint.

use serde::Deserialize;
use serde_json::Value;

use super::Metadata;

/// A view of a CiliumEndpoint (cilium/cilium: pkg/k8s/apis/cilium.io/v2/types.go). A running pod without one is unknown to its agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CiliumEndpoint {
    /// Namespace of its pod.
    pub namespace: String,
    /// Name of its pod.
    pub name: String,
    /// Its own UID; empty if absent.
    pub uid: String,
    /// `status.networking.node`: the address of the node that it is on.
    pub node_ip: Option<String>,
    /// IPv4 addresses.
    pub ipv4s: Vec<String>,
    /// IPv6 addresses.
    pub ipv6s: Vec<String>,
    /// `status.state`: `ready`, `restoring`, ...
    pub state: Option<String>,
    /// `status.id`: its number on its node.
    pub id: Option<i64>,
    /// `status.identity.id`.
    pub identity: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Raw {
    metadata: Option<Metadata>,
    status: Option<Status>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    id: Option<i64>,
    identity: Option<Identity>,
    networking: Option<Networking>,
    state: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Identity {
    id: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Networking {
    addressing: Option<Vec<AddressPair>>,
    node: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AddressPair {
    ipv4: Option<String>,
    ipv6: Option<String>,
}

impl CiliumEndpoint {
    /// Reads an object of the API.
    ///
    /// # Errors
    /// When a field that is read has another type than Cilium gives it.
    pub fn from_value(object: &Value) -> Result<Self, serde_json::Error> {
        let raw = Raw::deserialize(object)?;
        let metadata = raw.metadata.unwrap_or_default();
        let status = raw.status.unwrap_or_default();
        let networking = status.networking.unwrap_or_default();
        let (mut ipv4s, mut ipv6s) = (Vec::new(), Vec::new());
        for pair in networking.addressing.unwrap_or_default() {
            ipv4s.extend(pair.ipv4.filter(|ip| !ip.is_empty()));
            ipv6s.extend(pair.ipv6.filter(|ip| !ip.is_empty()));
        }
        Ok(Self {
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default(),
            node_ip: networking.node.filter(|ip| !ip.is_empty()),
            ipv4s,
            ipv6s,
            state: status.state,
            id: status.id,
            identity: status.identity.and_then(|identity| identity.id),
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::nothing(json!({}), &[], &[], None)]
    #[case::dual(json!({"status": {"networking": {"addressing": [{"ipv4": "10.0.1.5", "ipv6": "fd00::5"}], "node": "172.18.0.3"}, "state": "ready"}}),
        &["10.0.1.5"], &["fd00::5"], Some("ready"))]
    #[case::nulls(json!({"status": {"networking": {"addressing": null}, "identity": null, "state": null}}), &[], &[], None)]
    fn reads_addresses(
        #[case] object: Value,
        #[case] ipv4s: &[&str],
        #[case] ipv6s: &[&str],
        #[case] state: Option<&str>,
    ) {
        let endpoint = CiliumEndpoint::from_value(&object).unwrap();
        assert_eq!(endpoint.ipv4s, ipv4s);
        assert_eq!(endpoint.ipv6s, ipv6s);
        assert_eq!(endpoint.state.as_deref(), state);
    }
}
