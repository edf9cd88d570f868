//! CiliumPodIPPool.

use serde::Deserialize;
use serde_json::Value;

use super::Metadata;

/// One family of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct PoolFamily {
    /// Ranges, as written.
    pub cidrs: Vec<String>,
    /// Prefix length of what each node gets.
    #[serde(rename = "maskSize")]
    pub mask_size: Option<u8>,
}

/// A view of a CiliumPodIPPool (cilium/cilium: pkg/k8s/apis/cilium.io/v2alpha1/ippool_types.go), used in mode `multi-pool` only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CiliumPodIPPool {
    /// Its name: what pods and namespaces ask for.
    pub name: String,
    /// `spec.ipv4`.
    pub ipv4: Option<PoolFamily>,
    /// `spec.ipv6`.
    pub ipv6: Option<PoolFamily>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Raw {
    metadata: Option<Metadata>,
    spec: Option<Spec>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    ipv4: Option<PoolFamily>,
    ipv6: Option<PoolFamily>,
}

impl CiliumPodIPPool {
    /// Reads an object of the API.
    ///
    /// # Errors
    /// When a field that is read has another type than Cilium gives it.
    pub fn from_value(object: &Value) -> Result<Self, serde_json::Error> {
        let raw = Raw::deserialize(object)?;
        let spec = raw.spec.unwrap_or_default();
        Ok(Self { name: raw.metadata.and_then(|m| m.name).unwrap_or_default(), ipv4: spec.ipv4, ipv6: spec.ipv6 })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_families() {
        let pool = CiliumPodIPPool::from_value(&json!({
            "metadata": {"name": "default"},
            "spec": {"ipv4": {"cidrs": ["10.9.0.0/16"], "maskSize": 27}, "podSelector": {}},
        }))
        .unwrap();
        assert_eq!(pool.name, "default");
        assert_eq!(pool.ipv4, Some(PoolFamily { cidrs: vec!["10.9.0.0/16".to_owned()], mask_size: Some(27) }));
        assert_eq!(pool.ipv6, None);
    }
}
