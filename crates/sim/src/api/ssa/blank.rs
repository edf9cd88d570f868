//! What Kubernetes' own types look like before anything is written into them.
//!
//! A field that Go writes even when it is empty is there from the start: whoever creates the object does not come to own it.

use serde_json::{Value, json};

use crate::store::Resource;

/// An empty object of a resource, as Go writes it. `metadata` is left out: nobody owns it as such.
pub(crate) fn blank(resource: Resource) -> Value {
    let template = || json!({"metadata": {}, "spec": {"containers": null}});
    match resource {
        // The finalizer is the server's, written where no owner is noted.
        Resource::Namespace => json!({"spec": {"finalizers": ["kubernetes"]}, "status": {}}),
        Resource::Node => json!({"spec": {}, "status": {"daemonEndpoints": {"kubeletEndpoint": {}}, "nodeInfo": {}}}),
        Resource::Pod => json!({"spec": {"containers": null}, "status": {}}),
        Resource::Service => json!({"spec": {}, "status": {"loadBalancer": {}}}),
        Resource::Event => json!({
            "involvedObject": {}, "source": {}, "firstTimestamp": null, "lastTimestamp": null, "eventTime": null,
            "reportingComponent": "", "reportingInstance": "",
        }),
        Resource::Deployment => {
            json!({"spec": {"selector": null, "template": template(), "strategy": {}}, "status": {}})
        }
        Resource::ReplicaSet => json!({"spec": {"selector": null, "template": template()}, "status": {"replicas": 0}}),
        Resource::DaemonSet => json!({
            "spec": {"selector": null, "template": template(), "updateStrategy": {}},
            "status": {"currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0},
        }),
        Resource::ControllerRevision => json!({"data": null, "revision": 0}),
        Resource::Lease => json!({"spec": {}}),
        Resource::EndpointSlice => json!({"addressType": "", "endpoints": null, "ports": null}),
        Resource::PodDisruptionBudget => json!({
            "spec": {},
            "status": {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0},
        }),
        Resource::CustomResourceDefinition => json!({
            "spec": {"group": "", "names": {"kind": "", "plural": ""}, "scope": "", "versions": null},
            "status": {"acceptedNames": {"kind": "", "plural": ""}, "conditions": null, "storedVersions": null},
        }),
        Resource::ConfigMap | Resource::Secret | Resource::ServiceAccount | Resource::Endpoints => json!({}),
        Resource::CiliumNode | Resource::CiliumEndpoint | Resource::CiliumIdentity | Resource::CiliumPodIPPool => {
            json!({})
        }
    }
}
