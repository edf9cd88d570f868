//! What a scenario's cluster and its workloads are made from: pure, so that a run and a reproducer make the same.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use cluster::ClusterSpec;
use scenario::Scenario;
use scenario::model::{IpFamily, Workload};
use semver::Version;
use serde_json::{Value, json};

use crate::{RUN_LABEL, WORKLOAD_LABEL};

pub use crate::action::values;

/// The cluster that a scenario asks for.
pub fn cluster(scenario: &Scenario, version: &Version, run: &str, dir: Utf8PathBuf, timeout_scale: f64) -> ClusterSpec {
    let text = |subnets: &[ipnet::IpNet]| subnets.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    ClusterSpec {
        run: run.to_owned(),
        scenario: scenario.name.clone(),
        dir,
        workers: scenario.cluster.workers,
        ip_family: match scenario.cluster.ip_family {
            IpFamily::Ipv4 => "ipv4",
            IpFamily::Ipv6 => "ipv6",
            IpFamily::Dual => "dual",
        }
        .to_owned(),
        pod_subnet: text(&scenario.cluster.pod_subnet),
        service_subnet: text(&scenario.cluster.service_subnet),
        controller_manager: scenario.cluster.controller_manager.clone(),
        cilium: version.to_string(),
        images: images(scenario, version),
        later: Vec::new(),
        timeout_scale,
    }
}

/// Every image that its nodes need, Cilium's first.
pub fn images(scenario: &Scenario, version: &Version) -> Vec<String> {
    let mut images = cilium::values::images_of(&values(scenario), &version.to_string());
    images.extend(scenario.workloads.values().map(|workload| workload.image.clone()));
    let mut known = BTreeSet::new();
    images.retain(|image| known.insert(image.clone()));
    images
}

/// A workload's Deployment. `node` is the real name of the node that it is bound to, `run` goes into a label.
pub fn deployment(name: &str, workload: &Workload, node: Option<&str>, run: &str) -> Value {
    // A shell that is the first process and waits ends at once on SIGTERM; `sleep` itself would ignore it for the whole grace period.
    let command = workload
        .command
        .clone()
        .unwrap_or_else(|| ["sh", "-c", "trap 'exit 0' TERM INT; sleep infinity & wait"].map(str::to_owned).to_vec());
    let labels = json!({"app": name, WORKLOAD_LABEL: name, RUN_LABEL: run});
    let mut pod = json!({
        "terminationGracePeriodSeconds": 5,
        "hostNetwork": workload.host_network,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "containers": [{
            "name": name, "image": workload.image, "imagePullPolicy": "IfNotPresent", "command": command,
        }],
    });
    match node {
        Some(node) => {
            pod["nodeSelector"] = json!({"kubernetes.io/hostname": node});
            pod["tolerations"] = json!([{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]);
        }
        None => {
            // Spread, so that as many nodes as possible have a pod to look at.
            pod["topologySpreadConstraints"] = json!([{
                "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {WORKLOAD_LABEL: name}},
            }]);
        }
    }
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": workload.namespace, "labels": labels},
        "spec": {
            "replicas": workload.replicas,
            "selector": {"matchLabels": {WORKLOAD_LABEL: name}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    })
}
