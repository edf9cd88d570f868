//! The admission plugins that leave a trace in objects: NamespaceLifecycle, ServiceAccount, DefaultTolerationSeconds, Priority.

use serde_json::json;

use super::Context;
use crate::store::{Resource, Status};
use crate::tree::{Tree, tree};

/// NamespaceLifecycle: nothing is created where there is no namespace, or where one ends.
pub(in crate::store) fn admit_namespace(
    context: &Context<'_>,
    resource: Resource,
    namespace: &str,
    name: &str,
) -> Result<(), Status> {
    if namespace.is_empty() {
        return Ok(());
    }
    let Some(found) = context.state.find(Resource::Namespace, "", namespace) else {
        return Err(Status::not_found(Resource::Namespace.info(), namespace));
    };
    if found.meta.deleting {
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut status = Status::forbidden(resource.info(), name, &why);
        if let Some(details) = status.details.as_mut() {
            details["causes"] = json!([{
                "reason": "NamespaceTerminating",
                "message": format!("namespace {namespace} is being terminated"),
                "field": "metadata.namespace",
            }]);
        }
        return Err(status);
    }
    Ok(())
}

/// What admission writes into a new pod.
pub(super) fn pod(context: &mut Context<'_>, pod: &mut Tree) -> Result<(), Status> {
    service_account(context, pod)?;
    let mirror = pod["metadata"]["annotations"].get("kubernetes.io/config.mirror").is_some();
    let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let spec = &mut pod["spec"];
    priority(spec, &name)?;
    if !mirror {
        tolerations(spec);
    }
    Ok(())
}

fn priority(spec: &mut Tree, pod: &str) -> Result<(), Status> {
    let class = spec["priorityClassName"].as_str().unwrap_or_default().to_owned();
    let value = match class.as_str() {
        "" => 0,
        "system-cluster-critical" => 2_000_000_000,
        "system-node-critical" => 2_000_001_000,
        other => {
            let why = format!("no PriorityClass with name {other} was found");
            return Err(Status::forbidden(Resource::Pod.info(), pod, &why));
        }
    };
    spec["priority"] = value.into();
    spec["preemptionPolicy"] = "PreemptLowerPriority".into();
    Ok(())
}

fn tolerations(spec: &mut Tree) {
    if !spec["tolerations"].is_array() {
        spec["tolerations"] = tree!([]);
    }
    let Some(list) = spec["tolerations"].as_array_mut() else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerated = list.iter().any(|t| {
            let keyed = t["key"] == key || t["key"].as_str().unwrap_or_default().is_empty();
            keyed && (t["effect"] == "NoExecute" || t["effect"].as_str().unwrap_or_default().is_empty())
        });
        if !tolerated {
            list.push(tree!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
}

/// The pod's account must be there; its token is mounted into every container.
fn service_account(context: &mut Context<'_>, pod: &mut Tree) -> Result<(), Status> {
    if pod["metadata"]["annotations"].get("kubernetes.io/config.mirror").is_some() {
        return Ok(());
    }
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let account = match pod["spec"]["serviceAccountName"].as_str() {
        Some(account) if !account.is_empty() => account.to_owned(),
        _ => "default".to_owned(),
    };
    pod["spec"]["serviceAccountName"] = account.as_str().into();
    pod["spec"]["serviceAccount"] = account.as_str().into();
    let Some(found) = context.state.find(Resource::ServiceAccount, &namespace, &account) else {
        let why =
            format!("error looking up service account {namespace}/{account}: serviceaccount {account:?} not found");
        return Err(Status::forbidden(Resource::Pod.info(), &name, &why));
    };
    let mounted = pod["spec"]["automountServiceAccountToken"]
        .as_bool()
        .or_else(|| found.tree()["automountServiceAccountToken"].as_bool())
        .unwrap_or(true);
    if mounted {
        let volume = format!("kube-api-access-{}", context.state.ids.suffix());
        mount_token(&mut pod["spec"], &volume);
    }
    Ok(())
}

fn mount_token(spec: &mut Tree, volume: &str) {
    const PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
    let mut used = false;
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Tree::as_array_mut).into_iter().flatten() {
            if !container["volumeMounts"].is_array() {
                container["volumeMounts"] = tree!([]);
            }
            let Some(mounts) = container["volumeMounts"].as_array_mut() else { continue };
            if !mounts.iter().any(|m| m["mountPath"] == PATH) {
                mounts.push(tree!({"name": volume, "readOnly": true, "mountPath": PATH}));
                used = true;
            }
        }
    }
    if !used {
        return;
    }
    if !spec["volumes"].is_array() {
        spec["volumes"] = tree!([]);
    }
    if let Some(volumes) = spec["volumes"].as_array_mut() {
        volumes.push(tree!({
            "name": volume,
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                    {"downwardAPI": {"items": [{
                        "path": "namespace",
                        "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                    }]}},
                ],
                "defaultMode": 420,
            },
        }));
    }
}
