//! Takes from answers what differs from run to run: names, uids, versions, times, random addresses.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

static UID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").expect("a regular expression")
});
static TIME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").expect("a regular expression"));
static AGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\d+[smhd](\d+[smh])?$").expect("a regular expression"));
static VOLUME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("kube-api-access-[a-z0-9]{5}").expect("a regular expression"));
static GENERATED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("generated-[a-z0-9]{5}").expect("a regular expression"));
/// An object inside a complaint: the order of its fields is Go's, and nobody reads it.
static QUOTED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"Invalid value: ("(\{|map\[).*"|\[\{.*\}\]): "#).expect("a regular expression"));
/// `current: 374`, `resource version: 12 (13)`.
static VERSIONS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(current: |resource version: |in record \(|precondition \()\d+( \(\d+\))?")
        .expect("a regular expression")
});

/// What has been seen in a case, so that the same thing has the same name.
pub(crate) struct Normal {
    namespace: String,
    uids: BTreeMap<String, usize>,
}

impl Normal {
    pub(crate) fn new(namespace: &str) -> Normal {
        Normal { namespace: namespace.to_owned(), uids: BTreeMap::new() }
    }

    pub(crate) fn value(&mut self, mut value: Value) -> Value {
        unordered(&mut value);
        match value {
            Value::String(text) => self.text(&text).into(),
            Value::Array(list) => list.into_iter().map(|v| self.value(v)).collect(),
            Value::Object(map) => Value::Object(self.map(map)),
            other => other,
        }
    }

    fn map(&mut self, map: Map<String, Value>) -> Map<String, Value> {
        let mut out = Map::new();
        for (key, value) in map {
            let value = match (key.as_str(), &value) {
                ("resourceVersion", Value::String(text)) if !text.is_empty() => "<version>".into(),
                ("continue", Value::String(text)) if !text.is_empty() => "<continue>".into(),
                ("clusterIP", Value::String(ip)) if ip != "None" && !ip.is_empty() => "<ip>".into(),
                ("clusterIPs", Value::Array(list)) if list.first().is_some_and(|ip| ip != "None") => "<ips>".into(),
                ("nodePort", _) => "<port>".into(),
                ("storageVersionHash", _) => continue,
                // By time in seconds, so that it depends on when requests were made.
                ("managedFields", Value::Array(_)) => {
                    let Value::Array(mut list) = self.value(value) else { continue };
                    list.sort_by_cached_key(Value::to_string);
                    list.into()
                }
                // Prose: enough of it to tell that it is the same.
                ("description", Value::String(text)) => text.chars().take(40).collect::<String>().into(),
                ("annotations" | "labels", Value::Object(_)) => self.value(value),
                _ => self.value(value),
            };
            let key = self.text(&key);
            out.insert(key, value);
        }
        out
    }

    fn text(&mut self, text: &str) -> String {
        let text = &QUOTED.replace_all(text, "Invalid value: <object>: ");
        let mut out = text.replace(&self.namespace, "<ns>");
        if AGE.is_match(&out) {
            return "<age>".into();
        }
        for found in UID.find_iter(text).map(|m| m.as_str().to_owned()) {
            let next = self.uids.len() + 1;
            let number = *self.uids.entry(found.clone()).or_insert(next);
            out = out.replace(&found, &format!("<uid {number}>"));
        }
        let out = TIME.replace_all(&out, "<time>");
        let out = VOLUME.replace_all(&out, "kube-api-access-<suffix>");
        let out = GENERATED.replace_all(&out, "generated-<suffix>");
        VERSIONS.replace_all(&out, "$1<version>").into_owned()
    }
}

/// Faults of custom resources come in the order of Go's maps, which is none.
fn unordered(value: &mut Value) {
    if value["reason"] != "Invalid" || value["details"]["group"] != "cilium.io" {
        return;
    }
    let Some(causes) = value["details"]["causes"].as_array_mut().filter(|c| c.len() > 1) else { return };
    causes.sort_by_cached_key(Value::to_string);
    let text = |c: &Value| {
        format!("{}: {}", c["field"].as_str().unwrap_or_default(), c["message"].as_str().unwrap_or_default())
    };
    let texts: Vec<String> = causes.iter().map(text).collect();
    let message = value["message"].as_str().unwrap_or_default();
    if let Some((head, _)) = message.split_once("is invalid: [")
        && texts.iter().all(|t| message.contains(t))
    {
        value["message"] = format!("{head}is invalid: [{}]", texts.join(", ")).into();
    }
}
