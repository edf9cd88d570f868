//! Kubernetes' error answers, as values.

use serde_json::{Map, Value, json};

use super::ResourceInfo;
use crate::tree::Tree;

/// A `Status` object of a failed request: HTTP code, machine-readable reason, message and details.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// `NotFound`, `Conflict`, …; empty where Kubernetes gives none.
    pub reason: &'static str,
    /// What `kubectl` prints.
    pub message: String,
    /// `details`, where there are any.
    pub details: Option<Value>,
    /// `metadata.continue`: how an expired list can go on all the same.
    pub list_continue: Option<String>,
    /// `Warning` headers that come with it.
    pub warnings: Vec<String>,
}

/// One field's fault in an `Invalid` answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// `FieldValueInvalid`, `FieldValueRequired`, …
    pub reason: &'static str,
    /// `Invalid value: "X": must be …`, without the field.
    pub message: String,
    /// `spec.selector`.
    pub field: String,
}

impl Cause {
    fn new(reason: &'static str, field: impl Into<String>, message: String) -> Cause {
        Cause { reason, message, field: field.into() }
    }

    /// `Invalid value: <value as Go prints it>: <detail>`.
    pub fn invalid(field: impl Into<String>, value: &Tree, detail: &str) -> Cause {
        Cause::new("FieldValueInvalid", field, with_detail(format!("Invalid value: {}", go_value(value)), detail))
    }

    /// `Required value: <detail>`.
    pub fn required(field: impl Into<String>, detail: &str) -> Cause {
        Cause::new("FieldValueRequired", field, with_detail("Required value".to_owned(), detail))
    }

    /// `Forbidden: <detail>`.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Cause {
        Cause::new("FieldValueForbidden", field, with_detail("Forbidden".to_owned(), detail))
    }

    /// `Duplicate value: <value>`.
    pub fn duplicate(field: impl Into<String>, value: &Tree) -> Cause {
        Cause::new("FieldValueDuplicate", field, format!("Duplicate value: {}", go_value(value)))
    }

    /// `Unsupported value: <value>: supported values: "A", "B"`.
    pub fn unsupported(field: impl Into<String>, value: &Tree, supported: &[&str]) -> Cause {
        let list: Vec<String> = supported.iter().map(|s| format!("{s:?}")).collect();
        let text = format!("Unsupported value: {}: supported values: {}", go_value(value), list.join(", "));
        Cause::new("FieldValueNotSupported", field, text)
    }

    /// `Too long: may not be more than N bytes`.
    pub fn too_long(field: impl Into<String>, max: usize) -> Cause {
        Cause::new("FieldValueTooLong", field, format!("Too long: may not be more than {max} bytes"))
    }

    /// `Not found: <value>`.
    pub fn not_found(field: impl Into<String>, value: &Tree) -> Cause {
        Cause::new("FieldValueNotFound", field, format!("Not found: {}", go_value(value)))
    }

    /// A wrong type: `Invalid value: "string": <detail>`, as structural schemas report it.
    pub fn type_invalid(field: impl Into<String>, value: &Tree, detail: &str) -> Cause {
        Cause::new("FieldValueTypeInvalid", field, with_detail(format!("Invalid value: {}", go_value(value)), detail))
    }

    fn text(&self) -> String {
        format!("{}: {}", self.field, self.message)
    }
}

fn with_detail(text: String, detail: &str) -> String {
    if detail.is_empty() { text } else { format!("{text}: {detail}") }
}

/// As `field.Error` prints values: strings quoted, structures as JSON.
fn go_value(value: &Tree) -> String {
    match value {
        Tree::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}

impl Status {
    /// Any code, reason and text, without details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Status {
        Status { code, reason, message: message.into(), details: None, list_continue: None, warnings: Vec::new() }
    }

    fn about(code: u16, reason: &'static str, info: &ResourceInfo, name: &str, message: String) -> Status {
        Status { details: Some(details(name, info.group, info.plural)), ..Status::new(code, reason, message) }
    }

    /// 404 of an object.
    pub fn not_found(info: &ResourceInfo, name: &str) -> Status {
        Status::about(404, "NotFound", info, name, format!("{} {name:?} not found", info.qualified()))
    }

    /// 404 of a path.
    pub fn no_such_path() -> Status {
        Status {
            details: Some(json!({})),
            ..Status::new(404, "NotFound", "the server could not find the requested resource")
        }
    }

    /// 409 of a create.
    pub fn already_exists(info: &ResourceInfo, name: &str) -> Status {
        Status::about(409, "AlreadyExists", info, name, format!("{} {name:?} already exists", info.qualified()))
    }

    /// 409 of a write against a stale object, or with a failed precondition.
    pub fn conflict(info: &ResourceInfo, name: &str, why: &str) -> Status {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", info.qualified());
        Status::about(409, "Conflict", info, name, message)
    }

    /// 409 of a write with an old `resourceVersion`.
    pub fn stale(info: &ResourceInfo, name: &str) -> Status {
        const WHY: &str = "the object has been modified; please apply your changes to the latest version and try again";
        Status::conflict(info, name, WHY)
    }

    /// 403.
    pub fn forbidden(info: &ResourceInfo, name: &str, why: &str) -> Status {
        let message = if name.is_empty() {
            format!("{} is forbidden: {why}", info.qualified())
        } else {
            format!("{} {name:?} is forbidden: {why}", info.qualified())
        };
        Status::about(403, "Forbidden", info, name, message)
    }

    /// 422 with every cause.
    pub fn invalid(info: &ResourceInfo, name: &str, causes: &[Cause]) -> Status {
        Status::invalid_kind(info.group, info.kind, name, causes)
    }

    /// 422 of something that is no resource of its own: `ListOptions.meta.k8s.io`.
    pub fn invalid_kind(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Status {
        let mut texts: Vec<String> = Vec::new();
        // A fault that two rules find is told twice among the causes and once in the text.
        for text in causes.iter().map(Cause::text) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let list = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let mut details = details(name, group, kind);
        if let Value::Object(map) = &mut details {
            let causes: Vec<Value> =
                causes.iter().map(|c| json!({"reason": c.reason, "message": c.message, "field": c.field})).collect();
            map.insert("causes".into(), causes.into());
        }
        Status {
            details: Some(details),
            ..Status::new(422, "Invalid", format!("{qualified} {name:?} is invalid: {list}"))
        }
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Status {
        Status::new(400, "BadRequest", message)
    }

    /// 410 of a list continued, or a watch begun, too late.
    pub fn expired(message: impl Into<String>) -> Status {
        Status::new(410, "Expired", message)
    }

    /// 405.
    pub fn method_not_allowed() -> Status {
        Status {
            details: Some(json!({})),
            ..Status::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        }
    }

    /// 500.
    pub fn internal(message: impl Into<String>) -> Status {
        let message = message.into();
        Status {
            details: Some(json!({"causes": [{"message": message}]})),
            ..Status::new(500, "InternalError", format!("Internal error occurred: {message}"))
        }
    }

    /// The body that is sent.
    pub fn to_value(&self) -> Value {
        let mut body = Map::new();
        body.insert("kind".into(), "Status".into());
        body.insert("apiVersion".into(), "v1".into());
        let metadata = self.list_continue.as_ref().map_or_else(|| json!({}), |token| json!({"continue": token}));
        body.insert("metadata".into(), metadata);
        body.insert("status".into(), "Failure".into());
        body.insert("message".into(), self.message.clone().into());
        if !self.reason.is_empty() {
            body.insert("reason".into(), self.reason.into());
        }
        if let Some(details) = &self.details {
            body.insert("details".into(), details.clone());
        }
        body.insert("code".into(), self.code.into());
        Value::Object(body)
    }
}

/// `details` of an object; empty parts are left out.
fn details(name: &str, group: &str, kind: &str) -> Value {
    let parts = [("name", name), ("group", group), ("kind", kind)];
    Value::Object(
        parts.iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| ((*k).to_owned(), Value::from(*v))).collect(),
    )
}
