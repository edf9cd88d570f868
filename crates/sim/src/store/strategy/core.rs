//! Defaults of namespaces, nodes, events and CRDs.

use super::Context;
use super::defaults::{condition_times, set};
use crate::store::seconds;
use crate::tree::{Tree, tree};

pub(super) fn namespace(namespace: &mut Tree) {
    let deleting = namespace["metadata"]["deletionTimestamp"].is_string();
    if !deleting {
        set(namespace, "/spec/finalizers", || tree!(["kubernetes"]));
        set(namespace, "/status/phase", || "Active".into());
    }
    if let Some(name) = namespace["metadata"]["name"].as_str().map(str::to_owned) {
        set(namespace, "/metadata/labels", || tree!({}));
        namespace["metadata"]["labels"]["kubernetes.io/metadata.name"] = name.into();
    }
}

pub(super) fn node(node: &mut Tree) {
    set(node, "/spec", || tree!({}));
    condition_times(node, &["lastHeartbeatTime", "lastTransitionTime"]);
    set(node, "/status/daemonEndpoints/kubeletEndpoint/Port", || 0.into());
    const INFO: [&str; 10] = [
        "architecture",
        "bootID",
        "containerRuntimeVersion",
        "kernelVersion",
        "kubeProxyVersion",
        "kubeletVersion",
        "machineID",
        "operatingSystem",
        "osImage",
        "systemUUID",
    ];
    for key in INFO {
        set(node, &format!("/status/nodeInfo/{key}"), || "".into());
    }
    // The two families of podCIDR fields follow each other.
    let one = node["spec"]["podCIDR"].as_str().unwrap_or_default().to_owned();
    if !one.is_empty() {
        set(node, "/spec/podCIDRs", || tree!([one]));
    } else if let Some(first) = node["spec"]["podCIDRs"][0].as_str().map(str::to_owned) {
        node["spec"]["podCIDR"] = first.into();
    }
}

pub(super) fn event(event: &mut Tree) {
    for key in ["involvedObject", "source"] {
        set(event, &format!("/{key}"), || tree!({}));
    }
    for key in ["firstTimestamp", "lastTimestamp", "eventTime"] {
        if let Some(map) = event.as_object_mut() {
            map.entry(key).or_insert(Tree::Null);
        }
    }
    for key in ["reportingComponent", "reportingInstance"] {
        set(event, &format!("/{key}"), || "".into());
    }
}

pub(super) fn crd(crd: &mut Tree) {
    let Some(kind) = crd["spec"]["names"]["kind"].as_str().map(str::to_owned) else { return };
    set(crd, "/spec/names/singular", || kind.to_lowercase().into());
    set(crd, "/spec/names/listKind", || format!("{kind}List").into());
    set(crd, "/spec/conversion/strategy", || "None".into());
}

/// A new definition is accepted and established at once.
pub(super) fn crd_status(context: &Context<'_>, crd: &mut Tree) {
    let now = seconds(context.now);
    let stored: Vec<Tree> = crd["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|v| v["storage"] == true)
        .map(|v| v["name"].clone())
        .collect();
    let condition = |kind: &str, reason: &str, message: &str| tree!({"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message});
    crd["status"] = tree!({
        "acceptedNames": crd["spec"]["names"],
        "storedVersions": stored,
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
    });
}
