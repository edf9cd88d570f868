//! Kinds of objects whose apiVersion need not be written.

/// A well-known kind.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) api_version: &'static str,
    pub(crate) namespaced: bool,
}

const fn kind(name: &'static str, api_version: &'static str, namespaced: bool) -> Kind {
    Kind { name, api_version, namespaced }
}

/// Kubernetes' own and Cilium's, in the versions that Cilium 1.18 to 1.20 serve.
pub(crate) const KINDS: [Kind; 20] = [
    kind("Node", "v1", false),
    kind("Pod", "v1", true),
    kind("ConfigMap", "v1", true),
    kind("Namespace", "v1", false),
    kind("Service", "v1", true),
    kind("ServiceAccount", "v1", true),
    kind("Event", "v1", true),
    kind("Deployment", "apps/v1", true),
    kind("DaemonSet", "apps/v1", true),
    kind("ReplicaSet", "apps/v1", true),
    kind("StatefulSet", "apps/v1", true),
    kind("NetworkPolicy", "networking.k8s.io/v1", true),
    kind("Lease", "coordination.k8s.io/v1", true),
    kind("CustomResourceDefinition", "apiextensions.k8s.io/v1", false),
    kind("CiliumNode", "cilium.io/v2", false),
    kind("CiliumEndpoint", "cilium.io/v2", true),
    kind("CiliumIdentity", "cilium.io/v2", false),
    kind("CiliumNetworkPolicy", "cilium.io/v2", true),
    kind("CiliumClusterwideNetworkPolicy", "cilium.io/v2", false),
    kind("CiliumPodIPPool", "cilium.io/v2alpha1", false),
];

/// The well-known kind of that name.
pub(crate) fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}
