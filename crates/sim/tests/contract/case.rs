//! Cases as they are written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Requests that belong together, in a namespace of their own: `${ns}`, also usable in names of cluster-wide objects.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
}

/// One request. Exactly one of the methods names its path.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Step {
    #[serde(rename = "GET")]
    get: Option<String>,
    #[serde(rename = "POST")]
    post: Option<String>,
    #[serde(rename = "PUT")]
    put: Option<String>,
    #[serde(rename = "PATCH")]
    patch: Option<String>,
    #[serde(rename = "DELETE")]
    delete: Option<String>,
    /// A JSON body.
    pub(crate) body: Option<Value>,
    /// A body as it is.
    pub(crate) raw: Option<String>,
    /// A ConfigMap of this many bytes.
    pub(crate) fill: Option<usize>,
    /// `merge`, `json`, `strategic`, `apply`, or a media type.
    #[serde(rename = "type")]
    pub(crate) content_type: Option<String>,
    /// `Table`, `PartialObjectMetadata`, `PartialObjectMetadataList`, or a media type.
    pub(crate) accept: Option<String>,
    /// Pointers into the answer whose values later steps use as `${name}`.
    pub(crate) save: BTreeMap<String, String>,
    /// Repeats the request until its status is this one: what a controller of the real cluster takes its time for.
    pub(crate) until: Option<u16>,
    /// Repeats the request until the value at `at` is `is`.
    pub(crate) until_value: Option<Expected>,
    /// Only this part of the answer is compared.
    pub(crate) at: Option<String>,
    /// Of the list at `at`, only items whose `by` is one of these are compared.
    pub(crate) among: Option<Among>,
    /// Parts that are not compared, and why in a comment: what the two servers are free to differ in.
    pub(crate) without: Vec<String>,
}

/// A value to wait for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) at: String,
    pub(crate) is: Value,
}

/// A choice of a list's items.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Among {
    pub(crate) by: String,
    pub(crate) values: Vec<String>,
}

impl Step {
    /// Method and path.
    pub(crate) fn request(&self) -> (&'static str, &str) {
        let all = [
            ("GET", &self.get),
            ("POST", &self.post),
            ("PUT", &self.put),
            ("PATCH", &self.patch),
            ("DELETE", &self.delete),
        ];
        let mut given = all.into_iter().filter_map(|(m, p)| p.as_deref().map(|p| (m, p)));
        let first = given.next().expect("a step names a method");
        assert!(given.next().is_none(), "a step has one method: {first:?}");
        first
    }

    /// For reports.
    pub(crate) fn describe(&self) -> String {
        let (method, path) = self.request();
        format!("{method} {path}")
    }
}
