//! OpenAPI documents: enough for `kubectl` to validate, patch and explain.

use std::collections::{BTreeMap, BTreeSet};

use axum::response::Response;
use http::{HeaderMap, header};
use serde_json::{Map, Value, json};

use super::schema::schemas;
use super::{Api, KUBERNETES, discovery, respond};
use crate::store::Status;

const PREFIX: &str = "#/components/schemas/";

/// `/openapi/v3` and what is under it.
pub(super) fn v3(api: &Api, path: &str) -> Result<Response, Status> {
    if path.is_empty() {
        let paths: BTreeMap<String, Value> = discovery::group_versions(api)
            .into_iter()
            .map(|(group, version)| {
                let name = name_of(&group, version);
                let url = format!("/openapi/v3/{name}?hash={KUBERNETES}");
                (name, json!({"serverRelativeURL": url}))
            })
            .collect();
        return Ok(respond::json(200, &json!({"paths": paths})));
    }
    let found = discovery::group_versions(api).into_iter().find(|(g, v)| name_of(g, v) == path);
    let Some((group, version)) = found else { return Err(Status::no_such_path()) };
    Ok(respond::json(200, &document(api, &group, version)))
}

fn name_of(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

fn document(api: &Api, group: &str, version: &str) -> Value {
    let definitions = &schemas().definitions;
    let mut wanted = BTreeSet::new();
    let mut paths = Map::new();
    let mut lists = Map::new();
    for (plural, kind, namespaced, stored) in discovery::kinds(api, group, version) {
        let gvk = json!({"group": group, "version": version, "kind": kind});
        let Some(name) = definition_of(group, version, kind) else { continue };
        reach(&name, &mut wanted);
        let base = format!("/{}", name_of(group, version));
        let scope =
            if namespaced { format!("{base}/namespaces/{{namespace}}/{plural}") } else { format!("{base}/{plural}") };
        paths.insert(scope.clone(), operations(&[("post", "post")], &gvk, &name));
        if stored {
            let verbs = [("get", "get"), ("put", "put"), ("patch", "patch"), ("delete", "delete")];
            paths.insert(format!("{scope}/{{name}}"), operations(&verbs, &gvk, &name));
            lists.insert(format!("{name}List"), list(&name, group, version, kind));
        }
    }
    let mut components: Map<String, Value> =
        wanted.iter().filter_map(|name| definitions.get(name).map(|d| (name.clone(), d.clone()))).collect();
    components.extend(lists);
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": KUBERNETES},
        "paths": paths,
        "components": {"schemas": components},
    })
}

fn definition_of(group: &str, version: &str, kind: &str) -> Option<String> {
    let wanted = json!({"group": group, "version": version, "kind": kind});
    let definitions = &schemas().definitions;
    let found = definitions.iter().find(|(_, d)| {
        let kinds = d["x-kubernetes-group-version-kind"].as_array();
        kinds.is_some_and(|k| k.len() == 1 && k[0] == wanted)
    });
    found.map(|(name, _)| name.clone())
}

/// A definition and all that it refers to.
fn reach(name: &str, out: &mut BTreeSet<String>) {
    if !out.insert(name.to_owned()) {
        return;
    }
    if let Some(definition) = schemas().definitions.get(name) {
        references(definition, out);
    }
}

fn references(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, child) in map {
                match child.as_str().and_then(|r| r.strip_prefix(PREFIX)).filter(|_| key == "$ref") {
                    Some(name) => reach(name, out),
                    None => references(child, out),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|child| references(child, out)),
        _ => {}
    }
}

/// Operations as far as `kubectl` reads them: what is written, and with which options.
fn operations(verbs: &[(&str, &str)], gvk: &Value, name: &str) -> Value {
    let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation"]
        .iter()
        .map(|p| json!({"name": p, "in": "query", "schema": {"type": "string", "uniqueItems": true}}))
        .collect();
    let schema = json!({"$ref": format!("{PREFIX}{name}")});
    let answer = json!({"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}});
    let mut out = Map::new();
    for (method, action) in verbs {
        let mut operation = json!({
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk,
            "responses": answer,
        });
        if *method != "get" {
            operation["parameters"] = parameters.clone().into();
        }
        if matches!(*method, "post" | "put") {
            operation["requestBody"] = json!({"required": true, "content": {"*/*": {"schema": schema}}});
        }
        out.insert((*method).to_owned(), operation);
    }
    Value::Object(out)
}

fn list(name: &str, group: &str, version: &str, kind: &str) -> Value {
    json!({
        "description": format!("{kind}List is a list of {kind}"),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "items": {"type": "array", "items": {"$ref": format!("{PREFIX}{name}")}},
        },
        "x-kubernetes-group-version-kind": [{"group": group, "version": version, "kind": format!("{kind}List")}],
    })
}

/// `/openapi/v2`: the same definitions in the old form. Only JSON is given.
pub(super) fn v2(api: &Api, headers: &HeaderMap) -> Result<Response, Status> {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("*/*");
    if !accept.split(',').any(|m| matches!(m.split(';').next().unwrap_or_default().trim(), "*/*" | "application/json"))
    {
        return Err(Status::new(406, "NotAcceptable", "only application/json is given for this document"));
    }
    let mut wanted = BTreeSet::new();
    for (group, version) in discovery::group_versions(api) {
        for (_, kind, _, _) in discovery::kinds(api, &group, version) {
            if let Some(name) = definition_of(&group, version, kind) {
                reach(&name, &mut wanted);
            }
        }
    }
    let definitions: Map<String, Value> =
        wanted.into_iter().filter_map(|name| schemas().definitions.get(&name).map(|d| (name, old_form(d)))).collect();
    let document = json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": KUBERNETES},
        "paths": {},
        "definitions": definitions,
    });
    Ok(respond::json(200, &document))
}

fn old_form(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            // A single `allOf` is how the new form says more of a reference.
            let reference = map.get("allOf").and_then(|a| a.get(0)).and_then(|a| a.get("$ref"));
            let mut out = Map::new();
            for (key, child) in map.iter().filter(|(k, _)| *k != "allOf" && *k != "oneOf") {
                out.insert(key.clone(), old_form(child));
            }
            if let Some(reference) = reference.or(map.get("$ref")).and_then(Value::as_str) {
                out.insert("$ref".into(), reference.replace("/components/schemas/", "/definitions/").into());
            }
            Value::Object(out)
        }
        Value::Array(list) => Value::Array(list.iter().map(old_form).collect()),
        other => other.clone(),
    }
}
