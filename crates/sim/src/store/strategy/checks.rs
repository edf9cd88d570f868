//! Validation of specifications: what users of `kubectl` meet.

use super::service;
use crate::store::names;
use crate::store::{Cause, Resource};
use crate::tree::{Fields, List, Tree, tree};

/// 1 MiB in a ConfigMap or Secret.
const MAX_DATA: usize = 1024 * 1024;

/// Faults of an object beside its metadata.
pub(super) fn validate(resource: Resource, object: &Tree, old: Option<&Tree>) -> Vec<Cause> {
    match resource {
        Resource::Pod => pod(object, old),
        Resource::Deployment | Resource::ReplicaSet | Resource::DaemonSet => workload(resource, object, old),
        Resource::Service => service::validate(object, old),
        Resource::ConfigMap | Resource::Secret => immutable(resource, object, old),
        Resource::Node => node(object, old),
        Resource::ControllerRevision if object["data"].is_null() => vec![Cause::required("data", "data is mandatory")],
        _ => Vec::new(),
    }
}

fn immutable(resource: Resource, object: &Tree, old: Option<&Tree>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let size = ["data", "binaryData"].iter().flat_map(|part| object[*part].as_object().into_iter().flatten());
    // Secrets' values are counted as they are, not as they are written.
    let length = |text: &str| if resource == Resource::Secret { text.len() / 4 * 3 } else { text.len() };
    let size: usize = size.map(|(_, value)| length(value.as_str().unwrap_or_default())).sum();
    if size > MAX_DATA {
        causes.push(Cause::too_long(if resource == Resource::Secret { "data" } else { "[]" }, MAX_DATA));
    }
    for part in ["data", "binaryData"] {
        for (key, _) in object[part].as_object().into_iter().flatten() {
            let valid = !key.is_empty()
                && key.len() <= 253
                && key.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._".contains(&c));
            if !valid {
                let detail = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
                causes.push(Cause::invalid(format!("{part}[{key}]"), &key.as_str().into(), detail));
            }
        }
    }
    let Some(old) = old else { return causes };
    if old["immutable"] == true {
        let detail = "field is immutable when `immutable` is set";
        if object["immutable"] != true {
            causes.push(Cause::forbidden("immutable", detail));
        }
        for part in ["data", "binaryData"] {
            if object[part] != old[part] {
                causes.push(Cause::forbidden(part, detail));
            }
        }
    }
    if resource == Resource::Secret && object["type"] != old["type"] {
        causes.push(Cause::invalid("type", &object["type"], "field is immutable"));
    }
    causes
}

fn node(object: &Tree, old: Option<&Tree>) -> Vec<Cause> {
    let Some(old) = old else { return Vec::new() };
    let before = &old["spec"]["podCIDRs"];
    let after = &object["spec"]["podCIDRs"];
    if before.as_array().is_some_and(|l| !l.is_empty()) && before != after {
        let detail = "node updates may not change podCIDR except from \"\" to valid";
        return vec![Cause::forbidden("spec.podCIDRs", detail)];
    }
    Vec::new()
}

fn workload(resource: Resource, object: &Tree, old: Option<&Tree>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = &object["spec"];
    if resource != Resource::DaemonSet
        && let Some(replicas) = spec["replicas"].as_i64().filter(|r| *r < 0)
    {
        let detail = "must be greater than or equal to 0";
        causes.push(Cause::invalid("spec.replicas", &replicas.into(), detail));
    }
    let selector = &spec["selector"];
    let terms = selector["matchLabels"].as_object().map_or(0, Fields::len)
        + selector["matchExpressions"].as_array().map_or(0, |list| list.len());
    if selector.is_null() {
        causes.push(Cause::required("spec.selector", ""));
    } else if terms == 0 {
        let detail = match resource {
            Resource::Deployment => "empty selector is invalid for deployment",
            Resource::DaemonSet => "empty selector is invalid for daemonset",
            _ => "empty selector is invalid for deployment",
        };
        causes.push(Cause::invalid("spec.selector", selector, detail));
    }
    let labels = &spec["template"]["metadata"]["labels"];
    // No selector selects nothing, an empty one everything.
    let fits = !selector.is_null()
        && selector["matchLabels"]
            .as_object()
            .is_none_or(|wanted| wanted.iter().all(|(k, v)| labels.get(k) == Some(v)));
    if !fits {
        let labels = if labels.is_null() { tree!({}) } else { labels.clone() };
        let detail = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", &labels, detail));
    }
    pod_spec(&spec["template"]["spec"], "spec.template.spec", &mut causes);
    if spec["strategy"]["type"] == "Recreate" && spec["strategy"]["rollingUpdate"].is_object() {
        let detail = "may not be specified when strategy `type` is 'Recreate'";
        causes.push(Cause::forbidden("spec.strategy.rollingUpdate", detail));
    }
    let policy = &spec["template"]["spec"]["restartPolicy"];
    if policy != "Always" && policy.is_string() {
        causes.push(Cause::unsupported("spec.template.spec.restartPolicy", policy, &["Always"]));
    }
    if let Some(old) = old
        && old["spec"]["selector"] != *selector
    {
        causes.push(Cause::invalid("spec.selector", selector, "field is immutable"));
    }
    causes
}

fn pod(object: &Tree, old: Option<&Tree>) -> Vec<Cause> {
    let mut causes = Vec::new();
    pod_spec(&object["spec"], "spec", &mut causes);
    let Some(old) = old else { return causes };
    // Everything else of a pod's specification stands from its creation on.
    let comparable = |pod: &Tree| {
        let mut spec = pod["spec"].clone();
        for list in ["containers", "initContainers"] {
            for container in spec.get_mut(list).and_then(Tree::as_array_mut).into_iter().flatten() {
                if let Some(map) = container.as_object_mut() {
                    map.remove("image");
                    // It follows the image's tag only when the pod is new.
                    map.remove("imagePullPolicy");
                }
            }
        }
        if let Some(map) = spec.as_object_mut() {
            for key in ["activeDeadlineSeconds", "tolerations", "nodeName", "terminationGracePeriodSeconds"] {
                map.remove(key);
            }
        }
        spec
    };
    if comparable(object) != comparable(old) {
        let detail = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        causes.push(Cause::forbidden("spec", detail));
    }
    causes
}

fn pod_spec(spec: &Tree, at: &str, causes: &mut Vec<Cause>) {
    let containers = spec["containers"].as_array().map(List::as_slice).unwrap_or_default();
    if containers.is_empty() {
        causes.push(Cause::required(format!("{at}.containers"), ""));
    }
    let mut seen: Vec<&str> = Vec::new();
    for (index, container) in containers.iter().enumerate() {
        let here = format!("{at}.containers[{index}]");
        let name = container["name"].as_str().unwrap_or_default();
        if name.is_empty() {
            causes.push(Cause::required(format!("{here}.name"), ""));
        } else if let Err(why) = names::label(name) {
            causes.push(Cause::invalid(format!("{here}.name"), &name.into(), &why));
        } else if seen.contains(&name) {
            causes.push(Cause::duplicate(format!("{here}.name"), &name.into()));
        }
        seen.push(name);
        if container["image"].as_str().unwrap_or_default().is_empty() {
            causes.push(Cause::required(format!("{here}.image"), ""));
        }
        let policy = &container["imagePullPolicy"];
        if policy.is_string() && !["Always", "IfNotPresent", "Never"].iter().any(|p| policy == *p) {
            causes.push(Cause::unsupported(
                format!("{here}.imagePullPolicy"),
                policy,
                &["Always", "IfNotPresent", "Never"],
            ));
        }
        for (number, port) in container["ports"].as_array().into_iter().flatten().enumerate() {
            let value = port["containerPort"].as_i64().unwrap_or_default();
            if !(1..=65535).contains(&value) {
                let detail = "must be between 1 and 65535, inclusive";
                causes.push(Cause::invalid(format!("{here}.ports[{number}].containerPort"), &value.into(), detail));
            }
        }
    }
    let policy = &spec["restartPolicy"];
    let policies = ["Always", "Never", "OnFailure"];
    if policy.is_string() && !policies.iter().any(|p| policy == *p) {
        causes.push(Cause::unsupported(format!("{at}.restartPolicy"), policy, &["Always", "OnFailure", "Never"]));
    }
}
