//! What writes have in common: options of the request, decoding, ownership.

use axum::response::Response;
use http::header;
use serde_json::Value;

use super::dispatch::Call;
use super::respond::{self, Form};
use super::schema::{self, Decoded};
use super::ssa::Manager;
use super::table::{Include, Printer, partial};
use crate::store::{Cause, Part, Resource, Status, Stored, WriteOptions};
use crate::tree::ToTree as _;

/// `fieldValidation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    Ignore,
    Warn,
    Strict,
}

/// Options that the query of a write gives.
pub(super) fn options(call: &Call<'_>, kind: &'static str) -> Result<(WriteOptions, Strictness), Status> {
    let mut causes = Vec::new();
    let dry_run = call.query.all("dryRun").iter().filter(|v| !v.is_empty()).collect::<Vec<_>>();
    if dry_run.iter().any(|v| *v != "All") {
        let given: Value = dry_run.iter().map(|v| Value::from(v.as_str())).collect();
        causes.push(Cause::unsupported("dryRun", &given.to_tree(), &["All"]));
    }
    let strictness = match call.query.text("fieldValidation") {
        "" | "Warn" => Strictness::Warn,
        "Ignore" => Strictness::Ignore,
        "Strict" => Strictness::Strict,
        other => {
            causes.push(Cause::unsupported("fieldValidation", &other.into(), &["", "Ignore", "Strict", "Warn"]));
            Strictness::Warn
        }
    };
    if !causes.is_empty() {
        return Err(Status::invalid_kind("meta.k8s.io", kind, "", &causes));
    }
    let part = if call.place.subresource.as_deref() == Some("status") { Part::Status } else { Part::Main };
    Ok((WriteOptions { part, dry_run: !dry_run.is_empty() }, strictness))
}

/// Decodes an object of the request's resource; the warnings are for the client.
pub(super) fn decode(resource: Resource, object: &mut Value, strictness: Strictness) -> Result<Vec<String>, Status> {
    let Decoded { unknown } = schema::decode(resource, object)?;
    let named: Vec<String> = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
    match strictness {
        Strictness::Ignore => Ok(Vec::new()),
        Strictness::Warn => Ok(named),
        Strictness::Strict if named.is_empty() => Ok(named),
        Strictness::Strict => {
            let info = resource.info();
            Err(Status::bad_request(format!(
                "{} in version {:?} cannot be handled as a {}: strict decoding error: {}",
                info.kind,
                info.version,
                info.kind,
                named.join(", ")
            )))
        }
    }
}

/// Checks that an object is of the request's kind, and says so in it.
pub(super) fn check_kind(resource: Resource, object: &mut Value) -> Result<(), Status> {
    let info = resource.info();
    let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
    let (kind, version) = (text("kind"), text("apiVersion"));
    let expected = info.api_version();
    if info.custom {
        let shown = object.to_string();
        let missing = if kind.is_empty() {
            Some("Kind")
        } else if version.is_empty() {
            Some("apiVersion")
        } else {
            None
        };
        if let Some(what) = missing {
            return Err(Status::bad_request(format!(
                "the object provided is unrecognized (must be of type {}): Object '{what}' is missing in '{shown}' ({shown})",
                info.kind
            )));
        }
    }
    let same_kind = kind.is_empty() || kind == info.kind;
    if !version.is_empty() && version != expected && same_kind {
        let number = version.rsplit('/').next().unwrap_or_default();
        if info.custom {
            return Err(other_version(object, &version, &expected));
        }
        return Err(Status::bad_request({
            format!(
                "{} in version {number:?} cannot be handled as a {}: no kind {:?} is registered for version {version:?} in scheme \"pkg/runtime/scheme.go:110\"",
                info.kind, info.kind, info.kind
            )
        }));
    }
    if !same_kind {
        let number = info.version;
        if info.custom {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let cause = Cause::invalid("kind", &kind.as_str().into(), &format!("must be {}", info.kind));
            return Err(Status::invalid_kind(info.group, &kind, name, &[cause]));
        }
        return Err(Status::bad_request({
            let package = if info.group.is_empty() { "core" } else { info.group };
            format!(
                "{kind} in version {number:?} cannot be handled as a {}: converting ({number}.{kind}) to ({package}.{}): unknown conversion",
                info.kind, info.kind
            )
        }));
    }
    if let Some(map) = object.as_object_mut() {
        map.insert("kind".into(), info.kind.into());
        map.insert("apiVersion".into(), expected.into());
    }
    Ok(())
}

/// A custom resource of a version without a schema: nothing in it is known.
fn other_version(object: &Value, given: &str, expected: &str) -> Status {
    let keys = object.as_object().into_iter().flatten().map(|(key, _)| key);
    let unknown = keys.filter(|k| !matches!(k.as_str(), "apiVersion" | "kind" | "metadata"));
    Status {
        warnings: unknown.map(|key| format!("unknown field {key:?}")).collect(),
        ..Status::bad_request(format!(
            "the API version in the data ({given}) does not match the expected API version ({expected})"
        ))
    }
}

/// Name and namespace of an object must be those of its path.
pub(super) fn check_place(call: &Call<'_>, object: &mut Value) -> Result<(), Status> {
    let place = call.place;
    let metadata = object.get("metadata").cloned().unwrap_or_default();
    let text = |key: &str| metadata[key].as_str().unwrap_or_default();
    if let Some(name) = place.name.as_deref() {
        let given = text("name");
        if given.is_empty() {
            object["metadata"]["name"] = name.into();
        } else if given != name {
            return Err(Status::bad_request(format!(
                "the name of the object ({given}) does not match the name on the URL ({name})"
            )));
        }
    }
    let given = text("namespace");
    if place.resource.info().namespaced {
        if given.is_empty() {
            object["metadata"]["namespace"] = place.namespace.as_str().into();
        } else if given != place.namespace {
            return Err(Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
    }
    Ok(())
}

/// Who writes: `fieldManager`, or the client's name.
pub(super) fn manager(call: &Call<'_>, apply: bool) -> Manager {
    let given = call.query.text("fieldManager");
    let agent = call.headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let name = if given.is_empty() { agent.split('/').next().unwrap_or_default() } else { given };
    let name: String = name.chars().filter(|c| !c.is_control()).take(128).collect();
    Manager {
        name: if name.is_empty() { "unknown".into() } else { name },
        apply,
        api_version: call.place.resource.info().api_version(),
        subresource: call.place.subresource.clone().unwrap_or_default(),
    }
}

/// Faults that only custom resources have.
pub(super) fn validate(resource: Resource, object: &Value) -> Result<(), Status> {
    let causes = schema::validate(resource, object);
    if causes.is_empty() {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    Err(Status::invalid(resource.info(), name, &causes))
}

/// Answers with one object, in the form that is wanted.
pub(super) fn respond(call: &Call<'_>, code: u16, stored: &Stored, warnings: &[String]) -> Result<Response, Status> {
    let mut response = match respond::form(call.headers)? {
        Form::Object if call.place.new_events => respond::json(code, &super::events::to_new(stored.value())),
        Form::Object => {
            let mut out = Vec::with_capacity(4096);
            stored.write_to(&mut out);
            respond::bytes(code, "application/json", out)
        }
        Form::Metadata => respond::json(code, &partial(&stored.value())),
        Form::Table => {
            let printer = printer(call);
            let metadata = serde_json::json!({"resourceVersion": stored.meta.resource_version.to_string()});
            let headers = !call.query.flag("noHeaders");
            respond::json(code, &printer.table(metadata, vec![printer.row(stored)], headers))
        }
    };
    respond::warn(&mut response, warnings);
    Ok(response)
}

/// Makes the tables that this request wants.
pub(super) fn printer(call: &Call<'_>) -> Printer {
    let definition = call.api.definition(call.place.resource).map(|d| d.value());
    let include = Include::parse(call.query.text("includeObject"));
    Printer::new(call.place.resource, definition.as_ref(), include, call.api.store.now())
}
