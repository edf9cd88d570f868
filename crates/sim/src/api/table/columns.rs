//! The columns of built-in kinds.

use serde_json::{Value, json};

use crate::api::schema::schemas;
use crate::store::Resource;

/// A column of a table.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(super) name: String,
    pub(super) of: String,
    pub(super) format: String,
    pub(super) description: String,
    /// 0 is always shown, 1 with `-o wide`.
    pub(super) priority: i64,
}

impl Column {
    pub(super) fn to_value(&self) -> Value {
        json!({
            "name": self.name,
            "type": self.of,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        })
    }

    /// The first column of every kind but events.
    pub(super) fn name() -> Column {
        plain("Name", "string", "name", 0, "@meta.v1.ObjectMeta.name")
    }
}

fn plain(name: &str, of: &str, format: &str, priority: i64, doc: &str) -> Column {
    Column { name: name.into(), of: of.into(), format: format.into(), description: description(doc), priority }
}

/// `@core.v1.PodSpec.nodeName` is that field's description; anything else is the description itself.
pub(super) fn description(doc: &str) -> String {
    let Some((of, field)) = doc.strip_prefix('@').and_then(|d| d.rsplit_once('.')) else { return doc.to_owned() };
    let name = match of.strip_prefix("meta.") {
        Some(meta) => format!("io.k8s.apimachinery.pkg.apis.meta.{meta}"),
        None => format!("io.k8s.api.{of}"),
    };
    let found = schemas().definitions.get(&name);
    found.and_then(|d| d["properties"][field]["description"].as_str()).unwrap_or_default().to_owned()
}

const AGE: Row = ("Age", "string", 0, "@meta.v1.ObjectMeta.creationTimestamp");
const CONTAINERS: Row = ("Containers", "string", 1, "Names of each container in the template.");
const IMAGES: Row = ("Images", "string", 1, "Images referenced by each container in the template.");

/// Name, type, priority, description.
type Row = (&'static str, &'static str, i64, &'static str);

const POD: &[Row] = &[
    ("Ready", "string", 0, "The aggregate readiness state of this pod for accepting traffic."),
    ("Status", "string", 0, "The aggregate status of the containers in this pod."),
    (
        "Restarts",
        "string",
        0,
        "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.",
    ),
    AGE,
    ("IP", "string", 1, "@core.v1.PodStatus.podIP"),
    ("Node", "string", 1, "@core.v1.PodSpec.nodeName"),
    ("Nominated Node", "string", 1, "@core.v1.PodStatus.nominatedNodeName"),
    ("Readiness Gates", "string", 1, "@core.v1.PodSpec.readinessGates"),
];

const NODE: &[Row] = &[
    ("Status", "string", 0, "The status of the node"),
    ("Roles", "string", 0, "The roles of the node"),
    AGE,
    ("Version", "string", 0, "@core.v1.NodeSystemInfo.kubeletVersion"),
    ("Internal-IP", "string", 1, "@core.v1.NodeStatus.addresses"),
    ("External-IP", "string", 1, "@core.v1.NodeStatus.addresses"),
    ("OS-Image", "string", 1, "@core.v1.NodeSystemInfo.osImage"),
    ("Kernel-Version", "string", 1, "@core.v1.NodeSystemInfo.kernelVersion"),
    ("Container-Runtime", "string", 1, "@core.v1.NodeSystemInfo.containerRuntimeVersion"),
];

const SERVICE: &[Row] = &[
    ("Type", "string", 0, "@core.v1.ServiceSpec.type"),
    ("Cluster-IP", "string", 0, "@core.v1.ServiceSpec.clusterIP"),
    ("External-IP", "string", 0, "@core.v1.ServiceSpec.externalIPs"),
    ("Port(s)", "string", 0, "@core.v1.ServiceSpec.ports"),
    AGE,
    ("Selector", "string", 1, "@core.v1.ServiceSpec.selector"),
];

const DEPLOYMENT: &[Row] = &[
    ("Ready", "string", 0, "Number of the pod with ready state"),
    (
        "Up-to-date",
        "string",
        0,
        "Total number of non-terminating pods targeted by this deployment that have the desired template spec.",
    ),
    (
        "Available",
        "string",
        0,
        "Total number of available non-terminating pods (ready for at least minReadySeconds) targeted by this deployment.",
    ),
    AGE,
    CONTAINERS,
    IMAGES,
    (
        "Selector",
        "string",
        1,
        "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones affected by this deployment.",
    ),
];

const REPLICA_SET: &[Row] = &[
    (
        "Desired",
        "integer",
        0,
        "Replicas is the number of desired pods. This is a pointer to distinguish between explicit zero and unspecified. Defaults to 1. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset",
    ),
    (
        "Current",
        "integer",
        0,
        "Replicas is the most recently observed number of non-terminating pods. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset",
    ),
    ("Ready", "integer", 0, "The number of non-terminating pods targeted by this ReplicaSet with a Ready Condition."),
    AGE,
    CONTAINERS,
    IMAGES,
    (
        "Selector",
        "string",
        1,
        "Selector is a label query over pods that should match the replica count. If the selector is empty, it is defaulted to the labels present on the pod template. Label keys and values that must match in order to be controlled by this replica set. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
];

const DAEMON_SET: &[Row] = &[
    (
        "Desired",
        "integer",
        0,
        "The total number of nodes that should be running the daemon pod (including nodes correctly running the daemon pod). More info: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/",
    ),
    (
        "Current",
        "integer",
        0,
        "The number of nodes that are running at least 1 daemon pod and are supposed to run the daemon pod. More info: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/",
    ),
    (
        "Ready",
        "integer",
        0,
        "The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and ready.",
    ),
    ("Up-to-date", "integer", 0, "The total number of nodes that are running updated daemon pod"),
    (
        "Available",
        "integer",
        0,
        "The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and available (ready for at least spec.minReadySeconds)",
    ),
    ("Node Selector", "string", 0, "@core.v1.PodSpec.nodeSelector"),
    AGE,
    CONTAINERS,
    IMAGES,
    (
        "Selector",
        "string",
        1,
        "A label query over pods that are managed by the daemon set. Must match in order to be controlled. If empty, defaulted to labels on Pod template. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
];

const ENDPOINT_SLICE: &[Row] = &[
    (
        "AddressType",
        "string",
        0,
        "addressType specifies the type of address carried by this EndpointSlice. All addresses in this slice must be the same type. This field is immutable after creation. The following address types are currently supported: * IPv4: Represents an IPv4 Address. * IPv6: Represents an IPv6 Address. * FQDN: Represents a Fully Qualified Domain Name.",
    ),
    (
        "Ports",
        "string",
        0,
        "ports specifies the list of network ports exposed by each endpoint in this slice. Each port must have a unique name. When ports is empty, it indicates that there are no defined ports. When a port is defined with a nil port value, it indicates \"all ports\". Each slice may include a maximum of 100 ports.",
    ),
    (
        "Endpoints",
        "string",
        0,
        "endpoints is a list of unique endpoints in this slice. Each slice may include a maximum of 1000 endpoints.",
    ),
    AGE,
];

const DISRUPTION_BUDGET: &[Row] = &[
    ("Min Available", "string", 0, "The minimum number of pods that must be available."),
    ("Max Unavailable", "string", 0, "The maximum number of pods that may be unavailable."),
    ("Allowed Disruptions", "integer", 0, "Calculated number of pods that may be disrupted at this time."),
    AGE,
];

const EVENT: &[Row] = &[
    ("Last Seen", "string", 0, "@core.v1.Event.lastTimestamp"),
    ("Type", "string", 0, "@core.v1.Event.type"),
    ("Reason", "string", 0, "@core.v1.Event.reason"),
    ("Object", "string", 0, "@core.v1.Event.involvedObject"),
    ("Subobject", "string", 1, "@core.v1.ObjectReference.fieldPath"),
    ("Source", "string", 1, "@core.v1.Event.source"),
    ("Message", "string", 0, "@core.v1.Event.message"),
    ("First Seen", "string", 1, "@core.v1.Event.firstTimestamp"),
    ("Count", "string", 1, "@core.v1.Event.count"),
];

/// The columns of a built-in kind, in order.
pub(super) fn of(resource: Resource) -> Vec<Column> {
    let rows: &[Row] = match resource {
        Resource::Namespace => &[("Status", "string", 0, "The status of the namespace"), AGE],
        Resource::Node => NODE,
        Resource::Pod => POD,
        Resource::ConfigMap => &[("Data", "string", 0, "@core.v1.ConfigMap.data"), AGE],
        Resource::Secret => {
            &[("Type", "string", 0, "@core.v1.Secret.type"), ("Data", "string", 0, "@core.v1.Secret.data"), AGE]
        }
        Resource::Service => SERVICE,
        Resource::Endpoints => &[("Endpoints", "string", 0, "@core.v1.Endpoints.subsets"), AGE],
        Resource::Event => {
            let mut columns: Vec<Column> = EVENT.iter().map(|r| plain(r.0, r.1, "", r.2, r.3)).collect();
            columns.push(plain("Name", "string", "name", 1, "@meta.v1.ObjectMeta.name"));
            return columns;
        }
        Resource::ServiceAccount => &[("Secrets", "string", 0, "@core.v1.ServiceAccount.secrets"), AGE],
        Resource::Deployment => DEPLOYMENT,
        Resource::ReplicaSet => REPLICA_SET,
        Resource::DaemonSet => DAEMON_SET,
        Resource::ControllerRevision => &[
            ("Controller", "string", 0, "Controller of the object"),
            ("Revision", "string", 0, "revision indicates the revision of the state represented by Data."),
            AGE,
        ],
        Resource::Lease => &[("Holder", "string", 0, "@coordination.v1.LeaseSpec.holderIdentity"), AGE],
        Resource::EndpointSlice => ENDPOINT_SLICE,
        Resource::PodDisruptionBudget => DISRUPTION_BUDGET,
        Resource::CustomResourceDefinition
        | Resource::CiliumNode
        | Resource::CiliumEndpoint
        | Resource::CiliumIdentity
        | Resource::CiliumPodIPPool => &[("Created At", "date", 0, "@meta.v1.ObjectMeta.creationTimestamp")],
    };
    let mut columns = vec![Column::name()];
    columns.extend(rows.iter().map(|r| plain(r.0, r.1, "", r.2, r.3)));
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_described() {
        for resource in Resource::all() {
            for column in of(resource) {
                assert!(!column.description.is_empty(), "{resource:?} {}", column.name);
            }
        }
    }
}
