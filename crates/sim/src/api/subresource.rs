//! Parts of objects with kinds of their own: scale, binding, eviction, a namespace's finalizers.

use axum::body::Body;
use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

use super::dispatch::{Call, object};
use super::patch::{self, PatchType};
use super::ssa::Ownership;
use super::{body, fields, respond};
use crate::store::{Cause, DeleteOptions, Part, Resource, Status, Stored, WriteOptions};
use crate::tree::{Tree, tree};

/// Answers a request for a part other than status and log.
pub(super) async fn handle(call: &Call<'_>, part: &str, method: &Method, body: Body) -> Result<Response, Status> {
    match (call.place.resource, part, method.as_str()) {
        (resource, "scale", "GET") if resource.info().scale => Ok(respond::json(200, &scale(&found(call)?))),
        (resource, "scale", "PUT" | "PATCH") if resource.info().scale => rescale(call, method, body).await,
        (Resource::Pod, "binding", "POST") => bind(call, body).await,
        (Resource::Pod, "eviction", "POST") => evict(call, body).await,
        (Resource::Namespace, "finalize", "PUT") => finalize(call, body).await,
        (resource, "scale", _) if resource.info().scale => Err(Status::method_not_allowed()),
        (Resource::Pod, "binding" | "eviction" | "log", _) => Err(Status::method_not_allowed()),
        _ => Err(Status::no_such_path()),
    }
}

fn found(call: &Call<'_>) -> Result<Stored, Status> {
    let name = call.place.name.as_deref().unwrap_or_default();
    call.api.store.get(call.place.resource, &call.place.namespace, name)
}

/// `autoscaling/v1` `Scale` of a workload.
fn scale(stored: &Stored) -> Value {
    let value = stored.value();
    let metadata = &value["metadata"];
    let mut status = json!({"replicas": value["status"]["replicas"].as_i64().unwrap_or_default()});
    let labels = value["spec"]["selector"]["matchLabels"].as_object();
    let selector: Vec<String> =
        labels.into_iter().flatten().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect();
    if !selector.is_empty() {
        status["selector"] = selector.join(",").into();
    }
    let replicas = value["spec"]["replicas"].as_i64().unwrap_or_default();
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
            "creationTimestamp": metadata["creationTimestamp"],
        },
        // No replicas is nothing, as Go writes it.
        "spec": if replicas == 0 { json!({}) } else { json!({"replicas": replicas}) },
        "status": status,
    })
}

async fn rescale(call: &Call<'_>, method: &Method, body: Body) -> Result<Response, Status> {
    let (options, _) = fields::options(call, "UpdateOptions")?;
    let before = found(call)?;
    let new = if *method == Method::PUT {
        object(call, body, "Scale").await?
    } else {
        let kind = PatchType::of(&body::content_type(call.headers)).ok_or_else(|| Status {
            details: Some(json!({})),
            ..Status::new(415, "UnsupportedMediaType", "415: Unsupported Media Type")
        })?;
        let bytes = body::read(body).await?;
        let change = body::patch(&bytes, kind)?;
        patch::patched(kind, ("autoscaling/v1", "Scale"), &scale(&before), &change)?
    };
    let name = call.place.name.as_deref().unwrap_or_default();
    let replicas = new["spec"]["replicas"].as_i64().unwrap_or_default();
    if replicas < 0 {
        let cause = Cause::invalid("spec.replicas", &replicas.into(), "must be greater than or equal to 0");
        return Err(Status::invalid_kind("autoscaling", "Scale", name, &[cause]));
    }
    let old = before.value();
    let mut changed = old.clone();
    changed["spec"]["replicas"] = replicas.into();
    let version = new["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    if version.is_empty() {
        if let Some(metadata) = changed["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
    } else {
        changed["metadata"]["resourceVersion"] = version.into();
    }
    let mut ownership = Ownership::read(&old);
    if !ownership.is_empty() {
        let manager = fields::manager(call, false);
        let mut seen = changed.clone();
        if replicas == 0
            && let Some(spec) = seen["spec"].as_object_mut()
        {
            // A scale of 0 has no such field, so that nobody owns it.
            spec.remove("replicas");
        }
        ownership.update(call.place.resource, &old, &seen, &manager, &call.api.store.timestamp());
        ownership.write(&mut changed);
    }
    let options = WriteOptions { part: Part::Main, ..options };
    let stored = call.api.store.update(call.place.resource, &call.place.namespace, name, changed, &options)?;
    Ok(respond::json(200, &scale(&stored)))
}

fn done() -> Response {
    respond::json(201, &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}))
}

async fn bind(call: &Call<'_>, body: Body) -> Result<Response, Status> {
    let binding = object(call, body, "Binding").await?;
    let pod = found(call)?;
    let node = binding["target"]["name"].as_str().unwrap_or_default().to_owned();
    if node.is_empty() {
        return Err(Status::invalid_kind("", "Binding", &pod.meta.name, &[Cause::required("target.name", "")]));
    }
    let bound = pod.meta.field("spec.nodeName").unwrap_or_default();
    if !bound.is_empty() {
        let name = &pod.meta.name;
        return Err(Status {
            details: Some(json!({"name": name, "kind": "pods/binding"})),
            ..Status::new(
                409,
                "Conflict",
                format!(
                    "Operation cannot be fulfilled on pods/binding {name:?}: pod {name} is already assigned to node {bound:?}"
                ),
            )
        });
    }
    let store = &call.api.store;
    let now = store.timestamp();
    store.mutate(Resource::Pod, &pod.meta.namespace, &pod.meta.name, |pod| {
        pod["spec"]["nodeName"] = node.into();
        let scheduled =
            tree!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now});
        set_condition(pod, scheduled);
    })?;
    Ok(done())
}

fn set_condition(pod: &mut Tree, condition: Tree) {
    if !pod["status"]["conditions"].is_array() {
        pod["status"]["conditions"] = tree!([]);
    }
    if let Some(list) = pod["status"]["conditions"].as_array_mut() {
        list.retain(|c| c["type"] != condition["type"]);
        list.push(condition);
    }
}

async fn evict(call: &Call<'_>, body: Body) -> Result<Response, Status> {
    let eviction = object(call, body, "Eviction").await?;
    let pod = found(call)?;
    let named = eviction["metadata"]["name"].as_str().unwrap_or_default();
    if named != &*pod.meta.name {
        return Err(Status::bad_request("name in URL does not match name in Eviction object"));
    }
    let dry = |list: Option<&Vec<Value>>| list.is_some_and(|l| l.iter().any(|v| v == "All"));
    let dry_run = call.query.text("dryRun") == "All" || dry(eviction["deleteOptions"]["dryRun"].as_array());
    let budget = allowed(call, &pod)?;
    if dry_run {
        return Ok(done());
    }
    let store = &call.api.store;
    let now = store.timestamp();
    if let Some(budget) = budget {
        store.mutate(Resource::PodDisruptionBudget, &pod.meta.namespace, &budget.meta.name, |budget| {
            spend(budget, &pod.meta.name, &now);
        })?;
    }
    let seconds = eviction["deleteOptions"]["gracePeriodSeconds"].as_i64();
    if !pod.meta.deleting {
        store.mutate(Resource::Pod, &pod.meta.namespace, &pod.meta.name, |pod| {
            let target = tree!({
                "type": "DisruptionTarget", "status": "True", "lastProbeTime": null, "lastTransitionTime": now,
                "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting",
            });
            set_condition(pod, target);
        })?;
    }
    let options = DeleteOptions { grace_seconds: seconds, ..DeleteOptions::default() };
    store.delete(Resource::Pod, &pod.meta.namespace, &pod.meta.name, &options)?;
    Ok(done())
}

/// One disruption less.
fn spend(budget: &mut Tree, pod: &str, now: &str) {
    let generation = budget["metadata"]["generation"].clone();
    let status = &mut budget["status"];
    let left = status["disruptionsAllowed"].as_i64().unwrap_or_default() - 1;
    status["disruptionsAllowed"] = left.into();
    if !status["disruptedPods"].is_object() {
        status["disruptedPods"] = tree!({});
    }
    status["disruptedPods"][pod] = now.into();
    if left == 0 {
        status["conditions"] = tree!([{
            "type": "DisruptionAllowed", "status": "False", "observedGeneration": generation, "lastTransitionTime": now,
            "reason": "InsufficientPods", "message": "",
        }]);
    }
}

/// The disruption budget that an eviction is on, if there is one; 429 where it allows no more.
fn allowed(call: &Call<'_>, pod: &Stored) -> Result<Option<Stored>, Status> {
    // Who does not run is missed by nobody.
    if pod.meta.deleting || matches!(pod.meta.field("status.phase"), Some("Pending" | "Succeeded" | "Failed")) {
        return Ok(None);
    }
    let (budgets, _) =
        call.api.store.list(Resource::PodDisruptionBudget, Some(&pod.meta.namespace), &crate::store::Selection::all());
    for budget in budgets {
        let value = budget.value();
        let labels = value["spec"]["selector"]["matchLabels"].as_object();
        let selects = labels.is_some_and(|l| l.iter().all(|(k, v)| pod.meta.label(k) == v.as_str()));
        if !selects {
            continue;
        }
        if value["status"]["disruptionsAllowed"].as_i64().unwrap_or_default() == 0 {
            let name = &budget.meta.name;
            let status = &value["status"];
            return Err(Status {
                details: Some(json!({"causes": [{
                    "reason": "DisruptionBudget",
                    "message": format!(
                        "The disruption budget {name} needs {} healthy pods and has {} currently",
                        status["desiredHealthy"].as_i64().unwrap_or_default(),
                        status["currentHealthy"].as_i64().unwrap_or_default()
                    ),
                }]})),
                ..Status::new(
                    429,
                    "TooManyRequests",
                    "Cannot evict pod as it would violate the pod's disruption budget.",
                )
            });
        }
        return Ok(Some(budget));
    }
    Ok(None)
}

async fn finalize(call: &Call<'_>, body: Body) -> Result<Response, Status> {
    let new = object(call, body, "Namespace").await?;
    let name = call.place.name.as_deref().unwrap_or_default();
    let stored = call.api.store.mutate(Resource::Namespace, "", name, |namespace| {
        match new["spec"]["finalizers"].as_array().filter(|f| !f.is_empty()) {
            Some(list) => namespace["spec"]["finalizers"] = list.iter().cloned().map(Tree::from).collect(),
            None => {
                if let Some(spec) = namespace["spec"].as_object_mut() {
                    spec.remove("finalizers");
                }
            }
        }
    })?;
    fields::respond(call, 200, &stored, &[])
}
