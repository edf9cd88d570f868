//! Discovery: which groups, versions and resources there are, in the old form and in the aggregated one.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, Value, json};

use super::Api;
use super::respond;
use crate::store::{Resource, ResourceInfo};

/// A resource that is discovered: stored ones, their second names, and those that are only created.
struct Entry {
    plural: &'static str,
    singular: &'static str,
    kind: &'static str,
    namespaced: bool,
    short: &'static [&'static str],
    categories: &'static [&'static str],
    verbs: &'static [&'static str],
    custom: bool,
    parts: Vec<Part>,
}

struct Part {
    name: &'static str,
    kind: &'static str,
    /// Group and version of the kind, where they are not the resource's.
    of: Option<(&'static str, &'static str)>,
    verbs: &'static [&'static str],
}

const ALL: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
/// Custom resources list theirs in another order.
const CUSTOM: &[&str] = &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const NAMESPACES: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];
const PART: &[&str] = &["get", "patch", "update"];
const CREATE: &[&str] = &["create"];

/// Groups in the order in which the real server lists them.
const GROUPS: [&str; 10] = [
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "policy",
    "apiextensions.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "cilium.io",
    "",
];

fn versions(api: &Api, group: &str) -> Vec<&'static str> {
    match group {
        "" | "events.k8s.io" | "authentication.k8s.io" | "authorization.k8s.io" => vec!["v1"],
        group => {
            let mut out: Vec<&'static str> = Vec::new();
            for info in Resource::all().filter(|r| api.served(*r)).map(Resource::info).filter(|i| i.group == group) {
                if !out.contains(&info.version) {
                    out.push(info.version);
                }
            }
            out
        }
    }
}

fn entry(info: &ResourceInfo) -> Entry {
    let mut parts = Vec::new();
    let mut part = |name, kind, of, verbs| parts.push(Part { name, kind, of, verbs });
    match info.resource {
        Resource::Namespace => part("finalize", "Namespace", None, &["update"]),
        Resource::Pod => {
            part("binding", "Binding", None, CREATE);
            part("eviction", "Eviction", Some(("policy", "v1")), CREATE);
            part("exec", "PodExecOptions", None, &["create", "get"]);
            part("log", "Pod", None, &["get"]);
        }
        _ => {}
    }
    if info.scale {
        part("scale", "Scale", Some(("autoscaling", "v1")), PART);
    }
    if info.status {
        part("status", info.kind, None, PART);
    }
    Entry {
        plural: info.plural,
        singular: info.singular,
        kind: info.kind,
        namespaced: info.namespaced,
        short: info.short,
        categories: info.categories,
        verbs: match info.resource {
            Resource::Namespace => NAMESPACES,
            _ if info.custom => CUSTOM,
            _ => ALL,
        },
        custom: info.custom,
        parts,
    }
}

fn review(plural: &'static str, singular: &'static str, kind: &'static str) -> Entry {
    Entry {
        plural,
        singular,
        kind,
        namespaced: false,
        short: &[],
        categories: &[],
        verbs: CREATE,
        custom: false,
        parts: Vec::new(),
    }
}

fn entries(api: &Api, group: &str, version: &str) -> Vec<Entry> {
    let mut out: Vec<Entry> = match (group, version) {
        ("events.k8s.io", "v1") => vec![Entry { parts: Vec::new(), ..entry(Resource::Event.info()) }],
        ("authentication.k8s.io", "v1") => vec![review("selfsubjectreviews", "selfsubjectreview", "SelfSubjectReview")],
        ("authorization.k8s.io", "v1") => vec![
            review("selfsubjectaccessreviews", "selfsubjectaccessreview", "SelfSubjectAccessReview"),
            review("selfsubjectrulesreviews", "selfsubjectrulesreview", "SelfSubjectRulesReview"),
        ],
        _ => Resource::all()
            .filter(|r| api.served(*r))
            .map(Resource::info)
            .filter(|i| i.group == group && i.version == version)
            .map(entry)
            .collect(),
    };
    out.sort_by_key(|e| e.plural);
    out
}

fn wants_aggregated(headers: &HeaderMap) -> Option<&'static str> {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok())?;
    accept.split(',').find_map(|part| {
        let has = |text: &str| part.split(';').any(|w| w.trim() == text);
        if !has("as=APIGroupDiscoveryList") || !has("g=apidiscovery.k8s.io") {
            return None;
        }
        if has("v=v2") {
            Some("v2")
        } else if has("v=v2beta1") {
            Some("v2beta1")
        } else {
            None
        }
    })
}

fn aggregated(api: &Api, version: &'static str, groups: &[&str]) -> Response {
    let items: Vec<Value> = groups
        .iter()
        .filter(|g| !versions(api, g).is_empty())
        .map(|group| {
            let versions: Vec<Value> = versions(api, group)
                .into_iter()
                .map(|version| {
                    let resources: Vec<Value> =
                        entries(api, group, version).iter().map(|e| discovered(e, group, version)).collect();
                    json!({"version": version, "resources": resources, "freshness": "Current"})
                })
                .collect();
            let metadata = if group.is_empty() { json!({}) } else { json!({"name": group}) };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": items,
    });
    let mut response = respond::json(200, &list);
    let content_type = match version {
        "v2" => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        _ => "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn discovered(entry: &Entry, group: &str, version: &str) -> Value {
    // Built-in kinds leave group and version of their own kinds empty.
    let kind = |kind: &str, of: Option<(&str, &str)>| {
        let (group, version) = of.unwrap_or(if entry.custom { (group, version) } else { ("", "") });
        json!({"group": group, "version": version, "kind": kind})
    };
    let mut out = Map::new();
    out.insert("resource".into(), entry.plural.into());
    out.insert("responseKind".into(), kind(entry.kind, None));
    out.insert("scope".into(), if entry.namespaced { "Namespaced" } else { "Cluster" }.into());
    out.insert("singularResource".into(), entry.singular.into());
    out.insert("verbs".into(), json!(entry.verbs));
    if !entry.short.is_empty() {
        out.insert("shortNames".into(), json!(entry.short));
    }
    if !entry.categories.is_empty() {
        out.insert("categories".into(), json!(entry.categories));
    }
    if !entry.parts.is_empty() {
        let parts: Vec<Value> = entry
            .parts
            .iter()
            .map(|p| json!({"subresource": p.name, "responseKind": kind(p.kind, p.of), "verbs": p.verbs}))
            .collect();
        out.insert("subresources".into(), parts.into());
    }
    Value::Object(out)
}

/// `/api`.
pub(super) fn core(api: &Api, headers: &HeaderMap) -> Response {
    match wants_aggregated(headers) {
        Some(version) => aggregated(api, version, &[""]),
        None => {
            respond::json(200, &json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}))
        }
    }
}

/// `/apis`.
pub(super) fn groups(api: &Api, headers: &HeaderMap) -> Response {
    let named: Vec<&str> = GROUPS.into_iter().filter(|g| !g.is_empty()).collect();
    match wants_aggregated(headers) {
        Some(version) => aggregated(api, version, &named),
        None => {
            let groups: Vec<Value> =
                named.iter().filter(|g| !versions(api, g).is_empty()).map(|g| described(api, g)).collect();
            respond::json(200, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
    }
}

fn described(api: &Api, group: &str) -> Value {
    let versions: Vec<Value> = versions(api, group)
        .into_iter()
        .map(|v| json!({"groupVersion": format!("{group}/{v}"), "version": v}))
        .collect();
    json!({"name": group, "preferredVersion": versions.first(), "versions": versions})
}

/// `/apis/GROUP`.
pub(super) fn group(api: &Api, group: &str) -> Response {
    let mut described = described(api, group);
    described["kind"] = "APIGroup".into();
    described["apiVersion"] = "v1".into();
    respond::json(200, &described)
}

/// `/api/v1`, `/apis/GROUP/VERSION`.
pub(super) fn resources(api: &Api, group: &str, version: &str) -> Response {
    let mut resources = Vec::new();
    for entry in entries(api, group, version) {
        let mut out = Map::new();
        out.insert("name".into(), entry.plural.into());
        out.insert("singularName".into(), entry.singular.into());
        out.insert("namespaced".into(), entry.namespaced.into());
        out.insert("kind".into(), entry.kind.into());
        out.insert("verbs".into(), json!(entry.verbs));
        if !entry.short.is_empty() {
            out.insert("shortNames".into(), json!(entry.short));
        }
        if !entry.categories.is_empty() {
            out.insert("categories".into(), json!(entry.categories));
        }
        resources.push(Value::Object(out));
        for part in &entry.parts {
            let mut out = json!({
                "name": format!("{}/{}", entry.plural, part.name),
                "singularName": "",
                "namespaced": entry.namespaced,
                "kind": part.kind,
                "verbs": part.verbs,
            });
            if let Some((group, version)) = part.of {
                out["group"] = group.into();
                out["version"] = version.into();
            }
            resources.push(out);
        }
    }
    let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let mut list = json!({"kind": "APIResourceList", "groupVersion": name, "resources": resources});
    if !group.is_empty() {
        list["apiVersion"] = "v1".into();
    }
    respond::json(200, &list)
}

/// `/`.
pub(super) fn root(api: &Api) -> Response {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for group in GROUPS.into_iter().filter(|g| !g.is_empty()) {
        let versions = versions(api, group);
        if !versions.is_empty() {
            paths.push(format!("/apis/{group}"));
        }
        paths.extend(versions.into_iter().map(|v| format!("/apis/{group}/{v}")));
    }
    paths.extend(["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"].map(str::to_owned));
    paths.sort();
    respond::json(200, &json!({"paths": paths}))
}

/// Group and version of everything that has objects, for OpenAPI: `api/v1`, `apis/apps/v1`.
pub(super) fn group_versions(api: &Api) -> Vec<(String, &'static str)> {
    let mut out = Vec::new();
    for group in GROUPS {
        out.extend(versions(api, group).into_iter().map(|v| (group.to_owned(), v)));
    }
    out
}

/// Kinds of a version with the paths that their resources have, for OpenAPI.
pub(super) fn kinds(api: &Api, group: &str, version: &str) -> Vec<(&'static str, &'static str, bool, bool)> {
    let entries = entries(api, group, version);
    entries.into_iter().map(|e| (e.plural, e.kind, e.namespaced, e.verbs.len() > 1)).collect()
}
