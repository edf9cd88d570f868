//! The kinds that a run watches.

use kube::core::{ApiResource, GroupVersionKind};

/// `v1` and `Pod`, `cilium.io/v2` and `CiliumNode`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KindName {
    /// `v1`, `cilium.io/v2`.
    pub(crate) api_version: String,
    /// `Pod`.
    pub(crate) kind: String,
}

impl KindName {
    /// From its two parts.
    pub(crate) fn new(api_version: &str, kind: &str) -> Self {
        Self { api_version: api_version.to_owned(), kind: kind.to_owned() }
    }

    /// How requests name it. The plural is formed as Kubernetes' own code generators form it.
    pub(crate) fn resource(&self) -> ApiResource {
        let (group, version) = self.api_version.rsplit_once('/').unwrap_or(("", &self.api_version));
        ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &self.kind))
    }
}

pub(crate) fn node_kind() -> KindName {
    KindName::new("v1", "Node")
}

pub(crate) fn pod_kind() -> KindName {
    KindName::new("v1", "Pod")
}

pub(crate) fn config_kind() -> KindName {
    KindName::new("v1", "ConfigMap")
}

pub(crate) fn cilium_node_kind() -> KindName {
    KindName::new("cilium.io/v2", "CiliumNode")
}

pub(crate) fn endpoint_kind() -> KindName {
    KindName::new("cilium.io/v2", "CiliumEndpoint")
}

pub(crate) fn lease_kind() -> KindName {
    KindName::new("coordination.k8s.io/v1", "Lease")
}

/// One list and watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    /// Which kind.
    pub(crate) kind: KindName,
    /// Only in this namespace.
    pub(crate) namespace: Option<String>,
    /// Only what this selects (`metadata.name=cilium-config`).
    pub(crate) fields: Option<String>,
    /// Its CustomResourceDefinition may come later: a 404 means none yet, not an error.
    pub(crate) custom: bool,
}

impl Watched {
    fn all(api_version: &str, kind: &str) -> Self {
        let custom = api_version.starts_with("cilium.io/");
        Self { kind: KindName::new(api_version, kind), namespace: None, fields: None, custom }
    }

    fn one(api_version: &str, kind: &str, name: &str) -> Self {
        Self {
            kind: KindName::new(api_version, kind),
            namespace: Some(cilium::components::NAMESPACE.to_owned()),
            fields: Some(format!("metadata.name={name}")),
            custom: false,
        }
    }

    /// A kind that a CEL check or a patch names and that is not watched anyway.
    pub(crate) fn extra(kind: KindName) -> Self {
        // Any group with a dot that Kubernetes does not own may be a custom resource.
        let group = kind.api_version.split('/').next().unwrap_or_default();
        let custom = group.contains('.') && !group.ends_with("k8s.io");
        Self { kind, namespace: None, fields: None, custom }
    }
}

/// What every run watches.
pub(crate) fn standard() -> Vec<Watched> {
    vec![
        Watched::all("v1", "Node"),
        Watched::all("v1", "Pod"),
        Watched::one("v1", "ConfigMap", cilium::config::CONFIG_MAP),
        // Its holder says which operator leads (cilium/cilium: operator/cmd/root.go, leader election).
        Watched::one("coordination.k8s.io/v1", "Lease", cilium::components::OPERATOR_LEASE),
        Watched::all("v1", "Event"),
        Watched::all("cilium.io/v2", "CiliumNode"),
        Watched::all("cilium.io/v2", "CiliumEndpoint"),
    ]
}
