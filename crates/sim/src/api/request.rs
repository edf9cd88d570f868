//! What a request is for: its path and query, taken apart.

use std::collections::BTreeMap;

use crate::store::{Resource, Status};

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// `/`.
    Root,
    /// `/version`.
    Version,
    /// `/healthz`, `/livez`, `/readyz`.
    Health,
    /// `/api`.
    CoreVersions,
    /// `/apis`.
    Groups,
    /// `/apis/GROUP`.
    Group(String),
    /// `/api/v1`, `/apis/GROUP/VERSION`.
    GroupVersion { group: String, version: String },
    /// `/openapi/v2`.
    OpenApiV2,
    /// `/openapi/v3`, with what follows.
    OpenApiV3(String),
    /// Objects.
    Objects(Place),
    /// Something that is only created: access reviews.
    Review { group: String, plural: String },
    /// Under a served version, but no resource of it.
    NoResource,
    /// Nothing.
    Nowhere,
}

/// Objects of a resource: all, one, or part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) resource: Resource,
    /// Empty for all namespaces and for cluster-wide resources.
    pub(crate) namespace: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    /// Whether it is asked for as `events.k8s.io/v1`.
    pub(crate) new_events: bool,
}

/// Groups and versions that are served beside those of resources.
const REVIEWS: [(&str, &str, &str); 3] = [
    ("authorization.k8s.io", "v1", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "v1", "selfsubjectrulesreviews"),
    ("authentication.k8s.io", "v1", "selfsubjectreviews"),
];

impl Target {
    /// Takes a path apart. `served` says whether a custom resource is defined now.
    pub(crate) fn of(path: &str, served: impl Fn(Resource) -> bool) -> Target {
        let decoded = percent_decode(path);
        let parts: Vec<&str> = decoded.split('/').filter(|p| !p.is_empty()).collect();
        match parts.as_slice() {
            [] => Target::Root,
            ["version"] => Target::Version,
            ["healthz" | "livez" | "readyz", ..] => Target::Health,
            ["api"] => Target::CoreVersions,
            ["apis"] => Target::Groups,
            ["openapi", "v2"] => Target::OpenApiV2,
            ["openapi", "v3", rest @ ..] => Target::OpenApiV3(rest.join("/")),
            ["api", version, rest @ ..] => objects("", version, rest, &served),
            ["apis", group] => {
                if known_group(group, &served) {
                    Target::Group((*group).to_owned())
                } else {
                    Target::Nowhere
                }
            }
            ["apis", group, version, rest @ ..] => objects(group, version, rest, &served),
            _ => Target::Nowhere,
        }
    }
}

fn known_group(group: &str, served: &impl Fn(Resource) -> bool) -> bool {
    group == "events.k8s.io"
        || REVIEWS.iter().any(|(g, _, _)| *g == group)
        || Resource::all().any(|r| r.info().group == group && served(r))
}

fn known_version(group: &str, version: &str, served: &impl Fn(Resource) -> bool) -> bool {
    (group == "events.k8s.io" && version == "v1")
        || REVIEWS.iter().any(|(g, v, _)| *g == group && *v == version)
        || Resource::all().any(|r| r.info().group == group && r.info().version == version && served(r))
}

fn objects(group: &str, version: &str, rest: &[&str], served: &impl Fn(Resource) -> bool) -> Target {
    // Only groups of the server itself answer for what they do not have.
    let own = group.is_empty()
        || known_group(group, served) && !Resource::all().any(|r| r.info().custom && r.info().group == group);
    let none = || if own { Target::NoResource } else { Target::Nowhere };
    if !known_version(group, version, served) {
        return none();
    }
    let new_events = group == "events.k8s.io";
    let find = |plural: &str| {
        if new_events {
            return (plural == "events").then_some(Resource::Event);
        }
        Resource::by_path(group, version, plural).filter(|r| served(*r))
    };
    let place = |plural: &str, namespace: &str, name: Option<&str>, subresource: Option<&str>| {
        let Some(resource) = find(plural) else { return none() };
        let info = resource.info();
        let scoped = info.namespaced != namespace.is_empty();
        // Across namespaces there are only lists.
        let across = info.namespaced && name.is_none();
        if !scoped && !across {
            return none();
        }
        Target::Objects(Place {
            resource,
            namespace: namespace.to_owned(),
            name: name.map(str::to_owned),
            subresource: subresource.map(str::to_owned),
            new_events,
        })
    };
    match rest {
        [] => Target::GroupVersion { group: group.to_owned(), version: version.to_owned() },
        [plural] if REVIEWS.iter().any(|(g, v, p)| (*g, *v, *p) == (group, version, *plural)) => {
            Target::Review { group: group.to_owned(), plural: (*plural).to_owned() }
        }
        ["namespaces"] if group.is_empty() => place("namespaces", "", None, None),
        ["namespaces", name] if group.is_empty() => place("namespaces", "", Some(name), None),
        ["namespaces", name, part @ ("status" | "finalize")] if group.is_empty() => {
            place("namespaces", "", Some(name), Some(part))
        }
        ["namespaces", namespace, plural] => place(plural, namespace, None, None),
        ["namespaces", namespace, plural, name] => place(plural, namespace, Some(name), None),
        ["namespaces", namespace, plural, name, part] => place(plural, namespace, Some(name), Some(part)),
        [plural] => place(plural, "", None, None),
        [plural, name] => place(plural, "", Some(name), None),
        [plural, name, part] => place(plural, "", Some(name), Some(part)),
        _ => none(),
    }
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match (bytes[at], hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Query parameters. A name can come more than once (`command` of exec).
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(BTreeMap<String, Vec<String>>);

impl Query {
    pub(crate) fn parse(query: &str) -> Query {
        let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |t: &str| percent_decode(&t.replace('+', " "));
            out.entry(decode(key)).or_default().push(decode(value));
        }
        Query(out)
    }

    /// The first value, or "".
    pub(crate) fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(|v| v.first()).map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn all(&self, key: &str) -> &[String] {
        self.0.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// `true`, `1` and an empty value are true, as Go's conversion has it.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.0.get(key).and_then(|v| v.first()).is_some_and(|v| !matches!(v.as_str(), "false" | "0" | "f" | "F"))
    }

    /// A number, or the error that Go's parser gives.
    pub(crate) fn number(&self, key: &str) -> Result<Option<i64>, Status> {
        match self.text(key) {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn place(resource: Resource, namespace: &str, name: Option<&str>, subresource: Option<&str>) -> Target {
        Target::Objects(Place {
            resource,
            namespace: namespace.into(),
            name: name.map(Into::into),
            subresource: subresource.map(Into::into),
            new_events: false,
        })
    }

    #[rstest]
    #[case("/api/v1/pods", place(Resource::Pod, "", None, None))]
    #[case("/api/v1/namespaces/a/pods/b/log", place(Resource::Pod, "a", Some("b"), Some("log")))]
    #[case("/api/v1/namespaces/a", place(Resource::Namespace, "", Some("a"), None))]
    #[case("/api/v1/namespaces/a/status", place(Resource::Namespace, "", Some("a"), Some("status")))]
    #[case("/apis/cilium.io/v2/ciliumnodes/n", place(Resource::CiliumNode, "", Some("n"), None))]
    #[case("/api/v1/pods/b", Target::NoResource)]
    #[case("/api/v1/nosuch", Target::NoResource)]
    #[case("/apis/nosuch.io/v1/things", Target::Nowhere)]
    #[case("/apis/apps/v1beta1/deployments", Target::NoResource)]
    #[case("/apis/cilium.io/v2/nosuch", Target::Nowhere)]
    #[case("/nosuch", Target::Nowhere)]
    fn paths_lead_where_kubernetes_leads_them(#[case] path: &str, #[case] expected: Target) {
        assert_eq!(Target::of(path, |_| true), expected);
    }

    #[test]
    fn an_undefined_custom_resource_is_nowhere() {
        assert_eq!(Target::of("/apis/cilium.io/v2/ciliumnodes", |r| !r.info().custom), Target::Nowhere);
    }

    #[test]
    fn queries_decode() {
        let query = Query::parse("labelSelector=a%3Db%2Cc&command=ip&command=addr&watch");
        assert_eq!(query.text("labelSelector"), "a=b,c");
        assert_eq!(query.all("command"), ["ip", "addr"]);
        assert!(query.flag("watch") && !query.flag("follow"));
    }
}
