//! Decoding as the real server does it: unknown fields are dropped and named, wrong types are errors, absent stays absent.

use serde_json::Value;

use super::{Kind, Schemas, Type, TypeId, schemas};
use crate::store::{Resource, Status};

/// What decoding had to say.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// Paths of fields that the kind does not have: `spec.templat`.
    pub(crate) unknown: Vec<String>,
}

/// Brings a request's object into the form that the server would have read, and drops what the kind does not have.
pub(crate) fn decode(resource: Resource, object: &mut Value) -> Result<Decoded, Status> {
    let info = resource.info();
    decode_as(&info.api_version(), info.kind, info.custom, object)
}

fn decode_as(api_version: &str, kind: &str, custom: bool, object: &mut Value) -> Result<Decoded, Status> {
    let schemas = schemas();
    let Some(root) = schemas.root(api_version, kind) else { return Ok(Decoded::default()) };
    let mut walk = Walk { schemas, custom, unknown: Vec::new() };
    walk.value(root, object, Place::default(), "").map_err(|why| {
        let version = api_version.rsplit('/').next().unwrap_or_default();
        Status::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {why}"))
    })?;
    Ok(Decoded { unknown: walk.unknown })
}

struct Walk<'a> {
    schemas: &'a Schemas,
    custom: bool,
    unknown: Vec<String>,
}

/// Where a value stands: with everything, and as Go names it, without places in lists and keys of maps.
#[derive(Debug, Clone, Copy, Default)]
struct Place<'a> {
    path: &'a str,
    go: &'a str,
}

impl Walk<'_> {
    /// `owner` is Go's struct around this place.
    fn value(&mut self, id: TypeId, value: &mut Value, at: Place<'_>, owner: &str) -> Result<(), String> {
        let path = at.path;
        let of = self.schemas.get(id);
        // Custom resources' own types are checked against their schema, with its texts; metadata is typed for all.
        let typed = !self.custom || path.starts_with("metadata");
        if typed {
            coerce(of, value);
            mismatch(of, value, at.go, owner)?;
        }
        match value {
            Value::Object(map) => {
                if of.kind != Kind::Object || (of.open() && of.fields.is_empty()) {
                    return Ok(());
                }
                let mut gone = Vec::new();
                for (key, child) in map.iter_mut() {
                    let here = join(path, key);
                    let Some(child_type) = of.child(key) else {
                        if !of.open() {
                            self.unknown.push(here);
                            gone.push(key.clone());
                        }
                        continue;
                    };
                    let inner = self.schemas.get(child_type);
                    if child.is_null() && !inner.nullable {
                        let free_form = of.additional.is_some() && of.fields.is_empty();
                        if !free_form || !typed {
                            gone.push(key.clone());
                        } else {
                            *child = zero(inner);
                        }
                        continue;
                    }
                    let name = if of.name.is_empty() { owner } else { of.name.as_str() };
                    let declared = of.fields.contains_key(key);
                    let go = if declared { join(at.go, key) } else { at.go.to_owned() };
                    self.value(child_type, child, Place { path: &here, go: &go }, name)?;
                    if typed && declared && omitted(of, key, inner, child) {
                        gone.push(key.clone());
                    }
                }
                for key in gone {
                    map.remove(&key);
                }
            }
            Value::Array(list) => {
                let Some(items) = of.items else { return Ok(()) };
                for (index, item) in list.iter_mut().enumerate() {
                    self.value(items, item, Place { path: &format!("{path}[{index}]"), go: at.go }, owner)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn zero(of: &Type) -> Value {
    match of.kind {
        Kind::String => "".into(),
        Kind::Integer | Kind::Number => 0.into(),
        Kind::Boolean => false.into(),
        _ => Value::Null,
    }
}

/// What Go's types take although it is written otherwise: numbers as quantities.
fn coerce(of: &Type, value: &mut Value) {
    if of.name == "Quantity" && value.is_number() {
        *value = value.to_string().into();
    }
}

fn mismatch(of: &Type, value: &Value, path: &str, owner: &str) -> Result<(), String> {
    let fits = match (of.kind, value) {
        (_, Value::Null) | (Kind::Any, _) => true,
        (Kind::Object, v) => v.is_object(),
        (Kind::Array, v) => v.is_array(),
        (Kind::String, v) => v.is_string(),
        (Kind::Boolean, v) => v.is_boolean(),
        (Kind::Integer, v) => v.as_f64().is_some_and(|f| f.fract() == 0.0),
        (Kind::Number, v) => v.is_number(),
    };
    if fits {
        return Ok(());
    }
    let found = match value {
        Value::String(_) => "string".to_owned(),
        Value::Number(n) if of.kind == Kind::Integer => format!("number {n}"),
        Value::Number(_) => "number".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
        Value::Null => "null".to_owned(),
    };
    Err(format!("json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {}", go_type(of)))
}

fn go_type(of: &Type) -> String {
    match of.kind {
        Kind::Integer if of.format.is_empty() => "int64".into(),
        Kind::Integer => of.format.clone(),
        Kind::Boolean => "bool".into(),
        Kind::Number => "float64".into(),
        Kind::String => "string".into(),
        Kind::Array => {
            let inner = of.items.map(|i| schemas().get(i)).map(go_element).unwrap_or_default();
            format!("[]{inner}")
        }
        Kind::Object if of.additional.is_some() => {
            let inner = of.additional.map(|i| schemas().get(i)).map(go_element).unwrap_or_default();
            format!("map[string]{inner}")
        }
        Kind::Object | Kind::Any => of.name.clone(),
    }
}

fn go_element(of: &Type) -> String {
    let package = match of.name.as_str() {
        "" => return go_type(of),
        "OwnerReference" | "ManagedFieldsEntry" | "LabelSelectorRequirement" | "Condition" => "v1",
        _ => "v1",
    };
    format!("{package}.{}", of.name)
}

/// Whether Go's `omitempty` leaves the field out: empty collections and texts, and the zero of plain numbers and flags.
fn omitted(of: &Type, key: &str, inner: &Type, value: &Value) -> bool {
    if of.required.iter().any(|r| r == key) {
        return false;
    }
    match value {
        Value::Array(list) => list.is_empty() && !matches!(key, "subsets" | "matchExpressions" if false),
        Value::Object(map) => map.is_empty() && inner.additional.is_some() && inner.fields.is_empty(),
        Value::String(text) => text.is_empty() && !KEPT_EMPTY.contains(&key),
        Value::Bool(false) => PLAIN_FLAGS.contains(&key),
        Value::Number(number) => number.as_i64() == Some(0) && PLAIN_NUMBERS.contains(&key),
        _ => false,
    }
}

/// Texts that are pointers in Go, or written even when empty.
const KEPT_EMPTY: [&str; 6] =
    ["storageClassName", "reportingComponent", "reportingInstance", "loadBalancerClass", "holderIdentity", "value"];

/// Flags that are no pointers in Go: `false` is the same as absent.
const PLAIN_FLAGS: [&str; 11] = [
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "stdin",
    "stdinOnce",
    "tty",
    "readOnly",
    "paused",
    "unschedulable",
    "publishNotReadyAddresses",
    "defaultAddCapabilities",
];

/// Numbers that are no pointers in Go: 0 is the same as absent.
const PLAIN_NUMBERS: [&str; 20] = [
    "minReadySeconds",
    "initialDelaySeconds",
    "hostPort",
    "nodePort",
    "observedGeneration",
    "availableReplicas",
    "readyReplicas",
    "updatedReplicas",
    "unavailableReplicas",
    "fullyLabeledReplicas",
    "replicas.status",
    "numberAvailable",
    "numberUnavailable",
    "updatedNumberScheduled",
    "count",
    "healthCheckNodePort",
    "generation",
    "timeoutSeconds.plain",
    "periodSeconds",
    "successThreshold",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(resource: Resource, mut object: Value, expected: Value, unknown: &[&str]) {
        let decoded = decode(resource, &mut object).unwrap();
        assert_eq!(object, expected);
        assert_eq!(decoded.unknown, unknown);
    }

    #[test]
    fn empty_and_unknown_fields_go() {
        let given =
            json!({"metadata": {"name": "a", "labels": {}, "creationTimestamp": null}, "data": {"k": "v"}, "dta": 1});
        let kept = json!({"metadata": {"name": "a"}, "data": {"k": "v"}});
        check(Resource::ConfigMap, given, kept, &["dta"]);
        let node = json!({"metadata": {"name": "n"}, "spec": {"ipam": {"podCIDRs": ["10.0.0.0/24"], "x": 1}}});
        let kept = json!({"metadata": {"name": "n"}, "spec": {"ipam": {"podCIDRs": ["10.0.0.0/24"]}}});
        check(Resource::CiliumNode, node, kept, &["spec.ipam.x"]);
    }

    #[test]
    fn wrong_types_are_named_as_go_names_them() {
        let mut object = json!({"spec": {"replicas": "two"}});
        let status = decode(Resource::Deployment, &mut object).unwrap_err();
        assert_eq!(
            status.message,
            "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
        );
    }
}
