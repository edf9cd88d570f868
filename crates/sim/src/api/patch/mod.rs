//! The patch types of Kubernetes, each as a function of values.

mod strategic;

use json_patch::{AddOperation, PatchOperation};
use serde_json::Value;

use super::schema::schemas;
use crate::store::{Resource, Status};

/// How a patch is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PatchType {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl PatchType {
    /// By content type, parameters aside.
    pub(crate) fn of(content_type: &str) -> Option<PatchType> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => Some(PatchType::Json),
            "application/merge-patch+json" => Some(PatchType::Merge),
            "application/strategic-merge-patch+json" => Some(PatchType::Strategic),
            "application/apply-patch+yaml" => Some(PatchType::Apply),
            _ => None,
        }
    }
}

/// The object with a patch applied. Apply patches are not for here: they need to know who owns what.
pub(crate) fn apply(kind: PatchType, resource: Resource, object: &Value, patch: &Value) -> Result<Value, Status> {
    let info = resource.info();
    patched(kind, (&info.api_version(), info.kind), object, patch)
}

/// As [`apply`], for kinds that are no resource of their own (`Scale`).
pub(crate) fn patched(kind: PatchType, of: (&str, &str), object: &Value, patch: &Value) -> Result<Value, Status> {
    match kind {
        PatchType::Json => json(object, patch),
        PatchType::Merge | PatchType::Apply => {
            if !patch.is_object() {
                return Err(Status::bad_request(
                    "error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}",
                ));
            }
            let mut object = object.clone();
            json_patch::merge(&mut object, patch);
            Ok(object)
        }
        PatchType::Strategic => {
            let root = schemas().root(of.0, of.1);
            strategic::merge(root, object, patch)
        }
    }
}

fn json(object: &Value, patch: &Value) -> Result<Value, Status> {
    let operations: json_patch::Patch = serde_json::from_value(patch.clone())
        .map_err(|why| Status::bad_request(format!("error decoding patch: {why}")))?;
    let mut object = object.clone();
    for operation in operations.0 {
        // Kubernetes replaces what is not there, too: it is then new.
        let operation = match operation {
            PatchOperation::Replace(replace) if object.pointer(replace.path.as_str()).is_none() => {
                PatchOperation::Add(AddOperation { path: replace.path, value: replace.value })
            }
            other => other,
        };
        if json_patch::patch(&mut object, &[operation]).is_err() {
            return Err(Status {
                details: Some(serde_json::json!({})),
                ..Status::new(422, "Invalid", "the server rejected our request due to an error in our request")
            });
        }
    }
    Ok(object)
}
