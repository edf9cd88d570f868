//! Validation of custom resources against their structural schemas, with the API server's texts.

use regex::Regex;
use serde_json::Value;

use super::{Kind, Type, TypeId, schemas};
use crate::store::{Cause, Resource};
use crate::tree::ToTree as _;

/// Faults of a custom resource. Built-in kinds have their checks elsewhere.
pub(crate) fn validate(resource: Resource, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if resource.info().custom
        && let Some(root) = schemas().of(resource)
    {
        walk(root, object, "", &mut causes);
    }
    causes
}

fn walk(id: TypeId, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let of = schemas().get(id);
    if path == "metadata" {
        return;
    }
    if !fits(of, value) {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(n) if n.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let detail = format!("{path} in body must be of type {}: {found:?}", type_name(of.kind));
        causes.push(Cause::type_invalid(path, &found.into(), &detail));
        return;
    }
    checks(of, value, path, causes);
    match value {
        Value::Object(map) => {
            for (key, child) in map {
                if let Some(child_type) = of.child(key) {
                    walk(child_type, child, &join(path, key), causes);
                }
            }
            for key in &of.required {
                // Names of the root's own are checked elsewhere.
                let elsewhere = path.is_empty() && key == "metadata";
                if !map.contains_key(key) && !elsewhere {
                    causes.push(Cause::required(join(path, key), ""));
                }
            }
        }
        Value::Array(list) => {
            let Some(items) = of.items else { return };
            for (at, item) in list.iter().enumerate() {
                walk(items, item, &format!("{path}[{at}]"), causes);
            }
        }
        _ => {}
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Object => "object",
        Kind::Array => "array",
        Kind::String => "string",
        Kind::Integer => "integer",
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::Any => "any",
    }
}

fn fits(of: &Type, value: &Value) -> bool {
    match (of.kind, value) {
        (Kind::Any, _) => true,
        (_, Value::Null) => of.nullable,
        (Kind::Object, v) => v.is_object(),
        (Kind::Array, v) => v.is_array(),
        (Kind::String, v) => v.is_string(),
        (Kind::Boolean, v) => v.is_boolean(),
        (Kind::Integer, v) => v.is_i64() || v.is_u64(),
        (Kind::Number, v) => v.is_number(),
    }
}

fn checks(of: &Type, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let raw = &of.raw;
    if let Some(allowed) = raw["enum"].as_array()
        && !allowed.contains(value)
    {
        let names: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        causes.push(Cause::unsupported(path, &value.to_tree(), &names));
    }
    if let Some(text) = value.as_str() {
        let length = text.chars().count() as u64;
        if let Some(min) = raw["minLength"].as_u64().filter(|min| length < *min) {
            causes.push(Cause::invalid(
                path,
                &value.to_tree(),
                &format!("{path} in body should be at least {min} chars long"),
            ));
        }
        if let Some(max) = raw["maxLength"].as_u64().filter(|max| length > *max) {
            causes.push(Cause::too_long(path, usize::try_from(max).unwrap_or(usize::MAX)));
        }
        if let Some(pattern) = raw["pattern"].as_str()
            && Regex::new(pattern).is_ok_and(|r| !r.is_match(text))
        {
            causes.push(Cause::invalid(path, &value.to_tree(), &format!("{path} in body should match '{pattern}'")));
        }
        format_check(raw["format"].as_str().unwrap_or_default(), text, value, path, causes);
    }
    if let Some(number) = value.as_f64() {
        if let Some(min) = raw["minimum"].as_f64().filter(|min| number < *min) {
            let detail = format!("{path} in body should be greater than or equal to {min}");
            causes.push(Cause::invalid(path, &value.to_tree(), &detail));
        }
        if let Some(max) = raw["maximum"].as_f64().filter(|max| number > *max) {
            let detail = format!("{path} in body should be less than or equal to {max}");
            causes.push(Cause::invalid(path, &value.to_tree(), &detail));
        }
    }
    if let Some(list) = value.as_array()
        && let Some(min) = raw["minItems"].as_u64().filter(|min| (list.len() as u64) < *min)
    {
        let detail = format!("{path} in body should have at least {min} items");
        causes.push(Cause::invalid(path, &(list.len()).into(), &detail));
    }
}

fn format_check(format: &str, text: &str, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let good = match format {
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "cidr" => text.parse::<ipnet::IpNet>().is_ok(),
        _ => true,
    };
    if !good {
        causes.push(Cause::type_invalid(
            path,
            &value.to_tree(),
            &format!("{path} in body must be of type {format}: {text:?}"),
        ));
    }
}
