//! The table of served resources: what discovery, paths, selectors and storage need to know of each.

/// A resource that the server stores and serves. One word for the same thing everywhere: the variant's name is the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is the Kubernetes or Cilium kind of its name")]
pub enum Resource {
    Namespace,
    Node,
    Pod,
    ConfigMap,
    Secret,
    Service,
    Endpoints,
    Event,
    ServiceAccount,
    Deployment,
    ReplicaSet,
    DaemonSet,
    ControllerRevision,
    Lease,
    EndpointSlice,
    PodDisruptionBudget,
    CustomResourceDefinition,
    CiliumNode,
    CiliumEndpoint,
    CiliumIdentity,
    CiliumPodIPPool,
}

/// What is known of a [`Resource`].
#[derive(Debug)]
pub struct ResourceInfo {
    /// The resource.
    pub resource: Resource,
    /// API group, empty for the core group.
    pub group: &'static str,
    /// The served (and stored) version.
    pub version: &'static str,
    /// `CiliumNode`.
    pub kind: &'static str,
    /// `ciliumnodes`.
    pub plural: &'static str,
    /// `ciliumnode`.
    pub singular: &'static str,
    /// Short names (`cn`, `ciliumn`).
    pub short: &'static [&'static str],
    /// Categories (`all`, `cilium`).
    pub categories: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Whether `status` is a subresource of its own.
    pub status: bool,
    /// Whether `scale` is served.
    pub scale: bool,
    /// Whether `metadata.generation` is kept.
    pub generation: bool,
    /// Whether an update without a `resourceVersion` is taken (`AllowUnconditionalUpdate`).
    pub unconditional: bool,
    /// Whether a PUT may create (`AllowCreateOnUpdate`).
    pub create_on_update: bool,
    /// Whether a DELETE answers with the object rather than with a `Status` (`ReturnDeletedObject`).
    pub returns_deleted: bool,
    /// Whether it is defined by a CustomResourceDefinition.
    pub custom: bool,
    /// Field selectors beside `metadata.name` and `metadata.namespace`: label and JSON pointer.
    pub fields: &'static [(&'static str, &'static str)],
}

const BUILT_IN: ResourceInfo = ResourceInfo {
    resource: Resource::Namespace,
    group: "",
    version: "v1",
    kind: "",
    plural: "",
    singular: "",
    short: &[],
    categories: &[],
    namespaced: true,
    status: false,
    scale: false,
    generation: false,
    unconditional: true,
    create_on_update: false,
    returns_deleted: false,
    custom: false,
    fields: &[],
};

const APPS: ResourceInfo = ResourceInfo { group: "apps", status: true, scale: true, generation: true, ..BUILT_IN };

const CILIUM: ResourceInfo = ResourceInfo {
    group: "cilium.io",
    version: "v2",
    categories: &["cilium"],
    custom: true,
    generation: true,
    namespaced: false,
    unconditional: false,
    ..BUILT_IN
};

static TABLE: [ResourceInfo; 21] = [
    ResourceInfo {
        resource: Resource::Namespace,
        kind: "Namespace",
        plural: "namespaces",
        singular: "namespace",
        short: &["ns"],
        namespaced: false,
        status: true,
        fields: &[("status.phase", "/status/phase"), ("name", "/metadata/name")],
        returns_deleted: true,
        ..BUILT_IN
    },
    ResourceInfo {
        resource: Resource::Node,
        kind: "Node",
        plural: "nodes",
        singular: "node",
        short: &["no"],
        namespaced: false,
        status: true,
        fields: &[("spec.unschedulable", "/spec/unschedulable")],
        ..BUILT_IN
    },
    ResourceInfo {
        resource: Resource::Pod,
        kind: "Pod",
        plural: "pods",
        singular: "pod",
        short: &["po"],
        categories: &["all"],
        status: true,
        generation: true,
        returns_deleted: true,
        fields: &[
            ("spec.nodeName", "/spec/nodeName"),
            ("status.phase", "/status/phase"),
            ("status.podIP", "/status/podIP"),
            ("spec.restartPolicy", "/spec/restartPolicy"),
            ("spec.schedulerName", "/spec/schedulerName"),
            ("spec.serviceAccountName", "/spec/serviceAccountName"),
            ("spec.hostNetwork", "/spec/hostNetwork"),
            ("status.nominatedNodeName", "/status/nominatedNodeName"),
        ],
        ..BUILT_IN
    },
    ResourceInfo {
        resource: Resource::ConfigMap,
        kind: "ConfigMap",
        plural: "configmaps",
        singular: "configmap",
        short: &["cm"],
        ..BUILT_IN
    },
    ResourceInfo {
        resource: Resource::Secret,
        kind: "Secret",
        plural: "secrets",
        singular: "secret",
        fields: &[("type", "/type")],
        ..BUILT_IN
    },
    ResourceInfo {
        resource: Resource::Service,
        kind: "Service",
        plural: "services",
        singular: "service",
        short: &["svc"],
        categories: &["all"],
        status: true,
        returns_deleted: true,
        fields: &[("spec.clusterIP", "/spec/clusterIP"), ("spec.type", "/spec/type")],
        ..BUILT_IN
    },
    ResourceInfo {
        resource: Resource::Endpoints,
        kind: "Endpoints",
        plural: "endpoints",
        singular: "endpoints",
        short: &["ep"],
        create_on_update: true,
        ..BUILT_IN
    },
    ResourceInfo {
        resource: Resource::Event,
        kind: "Event",
        plural: "events",
        singular: "event",
        short: &["ev"],
        create_on_update: true,
        fields: &[
            ("involvedObject.kind", "/involvedObject/kind"),
            ("involvedObject.namespace", "/involvedObject/namespace"),
            ("involvedObject.name", "/involvedObject/name"),
            ("involvedObject.uid", "/involvedObject/uid"),
            ("involvedObject.apiVersion", "/involvedObject/apiVersion"),
            ("involvedObject.resourceVersion", "/involvedObject/resourceVersion"),
            ("involvedObject.fieldPath", "/involvedObject/fieldPath"),
            ("reason", "/reason"),
            ("reportingComponent", "/reportingComponent"),
            ("source", "/source/component"),
            ("type", "/type"),
        ],
        ..BUILT_IN
    },
    ResourceInfo {
        resource: Resource::ServiceAccount,
        kind: "ServiceAccount",
        plural: "serviceaccounts",
        singular: "serviceaccount",
        short: &["sa"],
        returns_deleted: true,
        ..BUILT_IN
    },
    ResourceInfo {
        resource: Resource::Deployment,
        kind: "Deployment",
        plural: "deployments",
        singular: "deployment",
        short: &["deploy"],
        categories: &["all"],
        ..APPS
    },
    ResourceInfo {
        resource: Resource::ReplicaSet,
        kind: "ReplicaSet",
        plural: "replicasets",
        singular: "replicaset",
        short: &["rs"],
        categories: &["all"],
        ..APPS
    },
    ResourceInfo {
        resource: Resource::DaemonSet,
        kind: "DaemonSet",
        plural: "daemonsets",
        singular: "daemonset",
        short: &["ds"],
        categories: &["all"],
        scale: false,
        ..APPS
    },
    ResourceInfo {
        resource: Resource::ControllerRevision,
        kind: "ControllerRevision",
        plural: "controllerrevisions",
        singular: "controllerrevision",
        scale: false,
        status: false,
        generation: false,
        ..APPS
    },
    ResourceInfo {
        resource: Resource::Lease,
        group: "coordination.k8s.io",
        kind: "Lease",
        plural: "leases",
        singular: "lease",
        unconditional: false,
        create_on_update: true,
        ..BUILT_IN
    },
    ResourceInfo {
        resource: Resource::EndpointSlice,
        group: "discovery.k8s.io",
        kind: "EndpointSlice",
        plural: "endpointslices",
        singular: "endpointslice",
        generation: true,
        ..BUILT_IN
    },
    ResourceInfo {
        resource: Resource::PodDisruptionBudget,
        group: "policy",
        kind: "PodDisruptionBudget",
        plural: "poddisruptionbudgets",
        singular: "poddisruptionbudget",
        short: &["pdb"],
        status: true,
        generation: true,
        unconditional: false,
        ..BUILT_IN
    },
    ResourceInfo {
        resource: Resource::CustomResourceDefinition,
        group: "apiextensions.k8s.io",
        kind: "CustomResourceDefinition",
        plural: "customresourcedefinitions",
        singular: "customresourcedefinition",
        short: &["crd", "crds"],
        categories: &["api-extensions"],
        namespaced: false,
        status: true,
        generation: true,
        unconditional: false,
        returns_deleted: true,
        ..BUILT_IN
    },
    ResourceInfo {
        resource: Resource::CiliumNode,
        kind: "CiliumNode",
        plural: "ciliumnodes",
        singular: "ciliumnode",
        short: &["cn", "ciliumn"],
        status: true,
        ..CILIUM
    },
    ResourceInfo {
        resource: Resource::CiliumEndpoint,
        kind: "CiliumEndpoint",
        plural: "ciliumendpoints",
        singular: "ciliumendpoint",
        short: &["cep", "ciliumep"],
        namespaced: true,
        ..CILIUM
    },
    ResourceInfo {
        resource: Resource::CiliumIdentity,
        kind: "CiliumIdentity",
        plural: "ciliumidentities",
        singular: "ciliumidentity",
        short: &["ciliumid"],
        status: true,
        ..CILIUM
    },
    ResourceInfo {
        resource: Resource::CiliumPodIPPool,
        version: "v2alpha1",
        kind: "CiliumPodIPPool",
        plural: "ciliumpodippools",
        singular: "ciliumpodippool",
        short: &["cpip"],
        ..CILIUM
    },
];

impl Resource {
    /// How many there are.
    pub const COUNT: usize = TABLE.len();

    /// Every resource, in the table's order.
    pub fn all() -> impl ExactSizeIterator<Item = Resource> {
        TABLE.iter().map(|info| info.resource)
    }

    /// The table's row.
    pub fn info(self) -> &'static ResourceInfo {
        &TABLE[self as usize]
    }

    /// By group, version and plural, as they stand in a path.
    pub fn by_path(group: &str, version: &str, plural: &str) -> Option<Resource> {
        Self::all().find(|r| {
            let info = r.info();
            info.plural == plural && info.group == group && info.version == version
        })
    }

    /// By `apiVersion` and `kind`, as they stand in an object.
    pub fn by_kind(api_version: &str, kind: &str) -> Option<Resource> {
        Self::all().find(|r| r.info().kind == kind && r.info().api_version() == api_version)
    }
}

impl ResourceInfo {
    /// `v1`, `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `pods`, `deployments.apps`: how error texts call it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `PodList`.
    pub fn list_kind(&self) -> String {
        format!("{}List", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_the_variants() {
        for (at, resource) in Resource::all().enumerate() {
            assert_eq!(resource as usize, at, "{}", resource.info().kind);
            assert_eq!(format!("{resource:?}"), resource.info().kind);
        }
    }
}
