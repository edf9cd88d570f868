//! Defaults of pods and of the pod templates in workloads.

use super::defaults::{condition_times, set, set_within};
use crate::tree::{Tree, tree};

/// A pod's own defaults.
pub(super) fn defaults(pod: &mut Tree) {
    set(pod, "/spec", || tree!({}));
    let spec = &mut pod["spec"];
    spec_defaults(spec);
    set(spec, "/enableServiceLinks", || true.into());
    requests_from_limits(spec);
    condition_times(pod, &["lastProbeTime", "lastTransitionTime"]);
}

/// Defaults of a pod's specification, wherever it stands.
pub(super) fn spec_defaults(spec: &mut Tree) {
    set(spec, "/restartPolicy", || "Always".into());
    set(spec, "/terminationGracePeriodSeconds", || 30.into());
    set(spec, "/dnsPolicy", || "ClusterFirst".into());
    set(spec, "/securityContext", || tree!({}));
    set(spec, "/schedulerName", || "default-scheduler".into());
    // The old name of the field follows the new one, and the other way round.
    let new = spec["serviceAccountName"].as_str().map(str::to_owned);
    let old = spec.get("serviceAccount").and_then(Tree::as_str).map(str::to_owned);
    match (new.filter(|n| !n.is_empty()), old.filter(|o| !o.is_empty())) {
        (Some(name), _) => spec["serviceAccount"] = name.into(),
        (None, Some(name)) => spec["serviceAccountName"] = name.into(),
        (None, None) => {
            if let Some(map) = spec.as_object_mut() {
                map.remove("serviceAccount");
                map.remove("serviceAccountName");
            }
        }
    }
    let host = spec["hostNetwork"] == true;
    if !host && let Some(map) = spec.as_object_mut() {
        // `false` is not written.
        for key in ["hostNetwork", "hostPID", "hostIPC"] {
            if map.get(key) == Some(&Tree::Bool(false)) || map.get(key) == Some(&Tree::Null) {
                map.remove(key);
            }
        }
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec.get_mut(list).and_then(Tree::as_array_mut).into_iter().flatten() {
            container_defaults(container, host);
        }
    }
    for volume in spec.get_mut("volumes").and_then(Tree::as_array_mut).into_iter().flatten() {
        volume_defaults(volume);
    }
}

fn container_defaults(container: &mut Tree, host_network: bool) {
    set(container, "/terminationMessagePath", || "/dev/termination-log".into());
    set(container, "/terminationMessagePolicy", || "File".into());
    set(container, "/resources", || tree!({}));
    let image = container["image"].as_str().unwrap_or_default();
    let policy = if untagged_or_latest(image) { "Always" } else { "IfNotPresent" };
    set(container, "/imagePullPolicy", || policy.into());
    for port in container.get_mut("ports").and_then(Tree::as_array_mut).into_iter().flatten() {
        set(port, "/protocol", || "TCP".into());
        if host_network {
            let number = port["containerPort"].clone();
            set(port, "/hostPort", || number);
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.get_mut(probe).filter(|p| p.is_object()) else { continue };
        for (key, value) in
            [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
        {
            set(probe, &format!("/{key}"), || value.into());
        }
        set_within(probe.get_mut("grpc"), "service", || "".into());
        http_defaults(probe.get_mut("httpGet"));
    }
    for hook in ["postStart", "preStop"] {
        http_defaults(container.get_mut("lifecycle").and_then(|l| l.get_mut(hook)).and_then(|h| h.get_mut("httpGet")));
    }
    for variable in container.get_mut("env").and_then(Tree::as_array_mut).into_iter().flatten() {
        set_within(variable.get_mut("valueFrom").and_then(|v| v.get_mut("fieldRef")), "apiVersion", || "v1".into());
    }
}

fn http_defaults(get: Option<&mut Tree>) {
    if let Some(get) = get.filter(|g| g.is_object()) {
        set(get, "/path", || "/".into());
        set(get, "/scheme", || "HTTP".into());
    }
}

fn untagged_or_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or_default();
    match last.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => true,
    }
}

fn volume_defaults(volume: &mut Tree) {
    for key in ["configMap", "secret", "downwardAPI", "projected"] {
        set_within(volume.get_mut(key), "defaultMode", || 420.into());
    }
    set_within(volume.get_mut("hostPath"), "type", || "".into());
    let items = volume.get_mut("downwardAPI").and_then(|d| d.get_mut("items")).and_then(Tree::as_array_mut);
    for item in items.into_iter().flatten() {
        set_within(item.get_mut("fieldRef"), "apiVersion", || "v1".into());
    }
    let sources = volume.get_mut("projected").and_then(|p| p.get_mut("sources")).and_then(Tree::as_array_mut);
    for source in sources.into_iter().flatten() {
        set_within(source.get_mut("serviceAccountToken"), "expirationSeconds", || 3600.into());
        let items = source.get_mut("downwardAPI").and_then(|d| d.get_mut("items")).and_then(Tree::as_array_mut);
        for item in items.into_iter().flatten() {
            set_within(item.get_mut("fieldRef"), "apiVersion", || "v1".into());
        }
    }
    let others = [
        "configMap",
        "secret",
        "hostPath",
        "emptyDir",
        "projected",
        "downwardAPI",
        "persistentVolumeClaim",
        "csi",
        "nfs",
        "ephemeral",
        "image",
        "iscsi",
        "local",
    ];
    if !others.iter().any(|k| volume.get(k).is_some()) {
        set(volume, "/emptyDir", || tree!({}));
    }
}

fn requests_from_limits(spec: &mut Tree) {
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Tree::as_array_mut).into_iter().flatten() {
            let Some(limits) = container["resources"]["limits"].as_object().cloned() else { continue };
            for (name, amount) in limits {
                set(container, "/resources/requests", || tree!({}));
                set_within(container["resources"].get_mut("requests"), &name, || amount);
            }
        }
    }
}

/// `Pending`, with the quality of service that the requests give.
pub(super) fn initial_status(pod: &mut Tree) {
    if !pod["status"].is_object() {
        pod["status"] = tree!({});
    }
    set(pod, "/status/phase", || "Pending".into());
    let class = quality(&pod["spec"]);
    set(pod, "/status/qosClass", || class.into());
}

fn quality(spec: &Tree) -> &'static str {
    let lists = ["initContainers", "containers"];
    let containers: Vec<&Tree> = lists.iter().flat_map(|l| spec[*l].as_array().into_iter().flatten()).collect();
    let named = |c: &Tree, part: &str, what: &str| c["resources"][part].get(what).cloned();
    let any = containers.iter().any(|c| {
        ["cpu", "memory"].iter().any(|w| named(c, "requests", w).is_some() || named(c, "limits", w).is_some())
    });
    if !any {
        return "BestEffort";
    }
    let full = containers.iter().all(|c| {
        ["cpu", "memory"].iter().all(|w| {
            let limit = named(c, "limits", w);
            limit.is_some() && limit == named(c, "requests", w)
        })
    });
    if full { "Guaranteed" } else { "Burstable" }
}

/// Quality of service never changes.
pub(super) fn keep_old(pod: &mut Tree, old: &Tree) {
    if let Some(class) = old["status"].get("qosClass") {
        pod["status"]["qosClass"] = class.clone();
    }
}
