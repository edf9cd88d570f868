//! DELETE of one object and of collections.

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use super::dispatch::Call;
use super::list::selection;
use super::{body, fields, respond};
use crate::store::{Cause, DeleteOptions, Deleted, Propagation, Resource, Status};
use crate::tree::ToTree as _;

/// Deletes one object.
pub(super) async fn one(call: &Call<'_>, body: Body) -> Result<Response, Status> {
    let (given, old_style) = options(call, body).await?;
    let resource = call.place.resource;
    let info = resource.info();
    let name = call.place.name.as_deref().unwrap_or_default();
    // NamespaceLifecycle: what a cluster cannot do without.
    if resource == Resource::Namespace && ["default", "kube-system", "kube-public"].contains(&name) {
        return Err(Status::forbidden(info, name, "this namespace may not be deleted"));
    }
    let deleted = call.api.store.delete(resource, &call.place.namespace, name, &given)?;
    let gone = matches!(deleted, Deleted::Gone(_));
    // Only the older way of asking for the dependents' end is answered with "accepted".
    let code = if !gone && old_style { 202 } else { 200 };
    if !gone || info.returns_deleted {
        return fields::respond(call, code, deleted.object(), &[]);
    }
    let mut details = json!({"name": name, "kind": info.plural, "uid": deleted.object().meta.uid});
    if !info.group.is_empty() {
        details["group"] = info.group.into();
    }
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
    Ok(respond::json(code, &status))
}

/// Deletes what is selected.
pub(super) async fn collection(call: &Call<'_>, body: Body) -> Result<Response, Status> {
    let (given, _) = options(call, body).await?;
    let selection = selection(call)?;
    let (store, resource) = (&call.api.store, call.place.resource);
    if resource.info().namespaced && call.place.namespace.is_empty() || resource == Resource::Namespace {
        return Err(Status::method_not_allowed());
    }
    let namespace = Some(call.place.namespace.as_str()).filter(|n| !n.is_empty());
    let (objects, revision) = store.list(resource, namespace, &selection);
    let mut items = Vec::new();
    for object in objects {
        match store.delete(resource, &object.meta.namespace, &object.meta.name, &given) {
            Ok(_) => items.push(object.value()),
            // Gone with its owner meanwhile.
            Err(status) if status.code == 404 => {}
            Err(status) => return Err(status),
        }
    }
    let info = resource.info();
    if !info.custom {
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.remove("kind");
            item.remove("apiVersion");
        }
    }
    let mut list = json!({
        "kind": info.list_kind(),
        "apiVersion": info.api_version(),
        "metadata": {"resourceVersion": revision.to_string()},
        "items": items,
    });
    if info.custom {
        list["metadata"]["continue"] = "".into();
    }
    Ok(respond::json(200, &list))
}

/// Options from the body, or from the query, and whether `orphanDependents: false` is among them.
async fn options(call: &Call<'_>, body: Body) -> Result<(DeleteOptions, bool), Status> {
    let bytes = body::read(body).await?;
    let mut given = if bytes.is_empty() { json!({}) } else { body::delete_options(call.headers, &bytes)? };
    let query = call.query;
    if bytes.is_empty() {
        if let Some(seconds) = query.number("gracePeriodSeconds")? {
            given["gracePeriodSeconds"] = seconds.into();
        }
        if query.has("propagationPolicy") {
            given["propagationPolicy"] = query.text("propagationPolicy").into();
        }
        if query.has("orphanDependents") {
            given["orphanDependents"] = query.flag("orphanDependents").into();
        }
    }
    if query.has("dryRun") {
        given["dryRun"] = query.all("dryRun").into();
    }
    let causes = faults(&given);
    if !causes.is_empty() {
        return Err(Status::invalid_kind("meta.k8s.io", "DeleteOptions", "", &causes));
    }
    let dry_run = given["dryRun"].as_array().is_some_and(|d| !d.is_empty());
    let propagation = match given["propagationPolicy"].as_str() {
        Some("Background") => Some(Propagation::Background),
        Some("Foreground") => Some(Propagation::Foreground),
        Some("Orphan") => Some(Propagation::Orphan),
        // No other word has passed.
        Some(_) => None,
        None => (given["orphanDependents"] == true).then_some(Propagation::Orphan),
    };
    let old_style = given["orphanDependents"] == false;
    let text = |key: &str| given["preconditions"][key].as_str().map(str::to_owned);
    let options = DeleteOptions {
        grace_seconds: given["gracePeriodSeconds"].as_i64(),
        propagation,
        uid: text("uid"),
        resource_version: text("resourceVersion"),
        dry_run,
    };
    Ok((options, old_style))
}

fn faults(given: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let policy = &given["propagationPolicy"];
    let policies = ["Foreground", "Background", "Orphan", "nil"];
    if policy.is_string() && given["orphanDependents"].is_boolean() {
        let detail = "orphanDependents and deletionPropagation cannot be both set";
        causes.push(Cause::invalid("propagationPolicy", &policy.to_tree(), detail));
    }
    if policy.is_string() && !policies[..3].iter().any(|p| policy == *p) {
        causes.push(Cause::unsupported("propagationPolicy", &policy.to_tree(), &policies));
    }
    let dry_run = &given["dryRun"];
    if dry_run.as_array().is_some_and(|list| list.iter().any(|v| v != "All")) {
        causes.push(Cause::unsupported("dryRun", &dry_run.to_tree(), &["All"]));
    }
    causes
}
