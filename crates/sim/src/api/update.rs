//! PUT and PATCH of objects, status and server-side apply included.

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use super::dispatch::{Call, object};
use super::fields::{self, Strictness};
use super::patch::{self, PatchType};
use super::schema::schemas;
use super::ssa::{Manager, Ownership, Takes, blank};
use super::{body, events};
use crate::store::{Cause, Part, Resource, Status, Stored, WriteOptions, defaults};
use crate::tree::ToTree as _;

/// The one manager that the server lets go on from `kubectl apply` without a conflict.
const KUBECTL: &str = "kubectl";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Replaces an object.
pub(super) async fn put(call: &Call<'_>, body: Body) -> Result<Response, Status> {
    let resource = call.place.resource;
    let (options, strictness) = fields::options(call, "UpdateOptions")?;
    let mut new = object(call, body, resource.info().kind).await?;
    if call.place.new_events {
        events::to_core(&mut new);
    }
    fields::check_kind(resource, &mut new)?;
    let warnings = fields::decode(resource, &mut new, strictness)?;
    fields::check_place(call, &mut new)?;
    check_version(&new)?;
    let before = find(call);
    let stored = replace(call, before.as_ref(), new, options)?;
    let code = if before.is_some() { 200 } else { 201 };
    fields::respond(call, code, &stored, &warnings)
}

fn find(call: &Call<'_>) -> Option<Stored> {
    let name = call.place.name.as_deref().unwrap_or_default();
    call.api.store.find(call.place.resource, &call.place.namespace, name)
}

fn check_version(object: &Value) -> Result<(), Status> {
    let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    if !version.is_empty() && version.parse::<u64>().is_err() {
        return Err(Status::new(500, "", format!("strconv.ParseUint: parsing {version:?}: invalid syntax")));
    }
    Ok(())
}

/// A patch that makes something else than an object of the kind.
fn undecodable(resource: Resource, patched: &Value, why: Status) -> Status {
    // Of the complaint about an object that was sent, what follows the introduction.
    let introduction = format!("cannot be handled as a {}: ", resource.info().kind);
    let Some((_, detail)) = why.message.split_once(&introduction) else { return why };
    Status::invalid_kind("", "", "", &[Cause::invalid("patch", &patched.to_string().into(), detail)])
}

/// The same of a strategic merge patch: its result is not read as JSON, so that the complaint is of another kind, and shows the patch.
fn unconvertible(change: &Value, why: Status) -> Status {
    const SIMPLE: [&str; 5] = ["int32", "int64", "bool", "string", "float64"];
    let wanted = why.message.rsplit_once(" of type ").map(|(_, wanted)| wanted).filter(|one| SIMPLE.contains(one));
    let Some(wanted) = wanted.filter(|_| why.message.contains("cannot unmarshal")) else { return why };
    let shown = go_map(change).to_tree();
    Status::invalid_kind("", "", "", &[Cause::invalid("patch", &shown, &format!("unrecognized type: {wanted}"))])
}

/// A value as Go prints it.
fn go_map(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key}:{}", go_map(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(go_map).collect::<Vec<_>>().join(" ")),
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

/// A patch cannot give an object another identity. The rules for all objects and those of the kind both say so.
fn check_uid(resource: Resource, new: &Value, before: &Stored) -> Result<(), Status> {
    let uid = &new["metadata"]["uid"];
    if uid.as_str().is_none_or(|uid| uid.is_empty() || *uid == *before.meta.uid) {
        return Ok(());
    }
    let cause = Cause::invalid("metadata.uid", &uid.to_tree(), "field is immutable");
    Err(Status::invalid(resource.info(), &before.meta.name, &[cause.clone(), cause]))
}

/// Stores a decoded object in place of the old one; what changes is then its sender's.
fn replace(call: &Call<'_>, before: Option<&Stored>, mut new: Value, options: WriteOptions) -> Result<Stored, Status> {
    let resource = call.place.resource;
    let store = &call.api.store;
    let name = call.place.name.as_deref().unwrap_or_default();
    defaults(resource, &mut new);
    fields::validate(resource, &new)?;
    let old = before.map_or_else(|| blank(resource), |b| b.value());
    let mut ownership = if options.part == Part::Status { Ownership::read(&old) } else { Ownership::given(&new, &old) };
    // An object whose fields nobody owns stays so until somebody applies.
    if before.is_none() || !ownership.is_empty() {
        let manager = fields::manager(call, false);
        let effective = effective(resource, &old, &new, options);
        ownership.update(resource, &old, &effective, &manager, &store.timestamp());
    }
    ownership.write(&mut new);
    store.update(resource, &call.place.namespace, name, new, &options)
}

/// The object as the store will have it: what the server keeps of the old one is no change.
fn effective(resource: Resource, old: &Value, new: &Value, options: WriteOptions) -> Value {
    let mut out = new.clone();
    crate::store::keep(resource, &mut out, old, options.part);
    out
}

/// Changes an object.
pub(super) async fn patch(call: &Call<'_>, body: Body) -> Result<Response, Status> {
    let resource = call.place.resource;
    let info = resource.info();
    let kind = body::content_type(call.headers);
    let Some(kind) = PatchType::of(&kind) else {
        return Err(Status {
            details: Some(json!({})),
            ..Status::new(415, "UnsupportedMediaType", "415: Unsupported Media Type")
        });
    };
    if kind == PatchType::Strategic && info.custom {
        return Err(Status::new(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        ));
    }
    let (options, strictness) = fields::options(call, "PatchOptions")?;
    check_options(call, kind)?;
    let bytes = body::read(body).await?;
    let change = body::patch(&bytes, kind)?;
    if kind == PatchType::Apply {
        return apply(call, change, options, strictness);
    }
    let name = call.place.name.as_deref().unwrap_or_default();
    let before = call.api.store.get(resource, &call.place.namespace, name)?;
    let mut new = patch::apply(kind, resource, &before.value(), &change)?;
    let whole = new.clone();
    fields::check_kind(resource, &mut new)?;
    let warnings = fields::decode(resource, &mut new, strictness).map_err(|why| match kind {
        PatchType::Strategic => unconvertible(&change, undecodable(resource, &whole, why)),
        _ => undecodable(resource, &whole, why),
    })?;
    fields::check_place(call, &mut new)?;
    check_version(&new)?;
    check_uid(resource, &new, &before)?;
    let stored = replace(call, Some(&before), new, options)?;
    fields::respond(call, 200, &stored, &warnings)
}

fn check_options(call: &Call<'_>, kind: PatchType) -> Result<(), Status> {
    let mut causes = Vec::new();
    if kind == PatchType::Apply && call.query.text("fieldManager").is_empty() {
        causes.push(Cause::required("fieldManager", "is required for apply patch"));
    }
    if kind != PatchType::Apply && call.query.has("force") {
        causes.push(Cause::forbidden("force", "may not be specified for non-apply patch"));
    }
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid_kind("meta.k8s.io", "PatchOptions", "", &causes)) }
}

/// Server-side apply: creates what is not there.
fn apply(
    call: &Call<'_>,
    mut config: Value,
    options: WriteOptions,
    strictness: Strictness,
) -> Result<Response, Status> {
    let resource = call.place.resource;
    let store = &call.api.store;
    let name = call.place.name.as_deref().unwrap_or_default();
    check_config(resource, &config)?;
    let given = config.clone();
    let warnings = fields::decode(resource, &mut config, strictness)?;
    fields::check_place(call, &mut config)?;
    let before = find(call);
    let live = match &before {
        Some(before) => before.value(),
        None => {
            let info = resource.info();
            json!({"apiVersion": info.api_version(), "kind": info.kind, "metadata": {"name": name}})
        }
    };
    let now = store.timestamp();
    let mut ownership = Ownership::read(&live);
    if before.is_some() && ownership.is_empty() {
        let first = Manager { name: "before-first-apply".into(), apply: false, ..fields::manager(call, true) };
        ownership.update(resource, &blank(resource), &live, &first, &now);
    }
    let manager = fields::manager(call, true);
    let takes = match manager.name.as_str() {
        _ if call.query.flag("force") => Takes::all(),
        KUBECTL => Takes::last_applied(resource, &live, LAST_APPLIED),
        _ => Takes::nothing(),
    };
    let mut object = ownership.apply(resource, &live, &config, &manager, &takes, &now)?;
    fields::decode(resource, &mut object, Strictness::Ignore)?;
    defaults(resource, &mut object);
    fields::validate(resource, &object)?;
    if manager.name == KUBECTL && object["metadata"]["annotations"].get(LAST_APPLIED).is_some() {
        object["metadata"]["annotations"][LAST_APPLIED] = last_applied(&given).into();
    }
    ownership.write(&mut object);
    if before.is_none() {
        let stored = store.create(resource, &call.place.namespace, object, &options)?;
        return fields::respond(call, 201, &stored, &warnings);
    }
    let stored = store.update(resource, &call.place.namespace, name, object, &options)?;
    fields::respond(call, 200, &stored, &warnings)
}

fn check_config(resource: Resource, config: &Value) -> Result<(), Status> {
    let expected = resource.info().api_version();
    let version = config["apiVersion"].as_str().unwrap_or_default();
    let kind = config["kind"].as_str().unwrap_or_default();
    if kind.is_empty() {
        return Err(Status::bad_request(format!("error decoding YAML: Object 'Kind' is missing in '{config}'")));
    }
    if version != expected && schemas().root(version, kind).is_none() {
        let (group, number) = version.split_once('/').unwrap_or(("", version));
        return Err(Status::bad_request(format!("invalid object type: {group}/{number}, Kind={kind}")));
    }
    if version != expected {
        return Err(Status::bad_request(format!(
            "Incorrect version specified in apply patch. Specified patch version: {version}, expected: {expected}"
        )));
    }
    if config["metadata"].get("managedFields").is_some_and(|m| !m.is_null()) {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    Ok(())
}

/// The configuration as the annotation holds it.
fn last_applied(config: &Value) -> String {
    let mut config = config.clone();
    if let Some(annotations) = config["metadata"].get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove(LAST_APPLIED);
    }
    format!("{config}\n")
}
