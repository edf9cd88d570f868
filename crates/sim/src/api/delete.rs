//! DELETE of one object and of collections.

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use super::dispatch::Call;
use super::list::selection;
use super::{body, fields, respond};
use crate::store::{Cause, DeleteOptions, Deleted, Propagation, Status};

/// Deletes one object.
pub(super) async fn one(call: &Call<'_>, body: Body) -> Result<Response, Status> {
    let (given, old_style) = options(call, body).await?;
    let resource = call.place.resource;
    let info = resource.info();
    let name = call.place.name.as_deref().unwrap_or_default();
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
    if resource.info().namespaced && call.place.namespace.is_empty() || resource == crate::store::Resource::Namespace {
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
    let list = json!({
        "kind": info.list_kind(),
        "apiVersion": info.api_version(),
        "metadata": {"resourceVersion": revision.to_string()},
        "items": items,
    });
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
        for key in ["propagationPolicy", "orphanDependents"] {
            if query.has(key) {
                given[key] = query.text(key).into();
            }
        }
    }
    let dry_run = !query.text("dryRun").is_empty() || given["dryRun"].as_array().is_some_and(|d| !d.is_empty());
    let propagation = match given["propagationPolicy"].as_str() {
        Some("Background") => Some(Propagation::Background),
        Some("Foreground") => Some(Propagation::Foreground),
        Some("Orphan") => Some(Propagation::Orphan),
        Some(other) => {
            let cause =
                Cause::unsupported("propagationPolicy", &other.into(), &["Foreground", "Background", "Orphan", "nil"]);
            return Err(Status::invalid_kind("meta.k8s.io", "DeleteOptions", "", &[cause]));
        }
        None => match &given["orphanDependents"] {
            Value::Bool(true) => Some(Propagation::Orphan),
            Value::String(text) if text == "true" => Some(Propagation::Orphan),
            _ => None,
        },
    };
    let old_style = given["orphanDependents"] == false || given["orphanDependents"] == "false";
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
