//! Validation of `metadata`, as `ValidateObjectMeta` and its kin do it.

use crate::store::names;
use crate::store::{Cause, Resource};
use crate::tree::Tree;

/// Faults of an object's metadata.
pub(super) fn validate(resource: Resource, object: &Tree, old: Option<&Tree>) -> Vec<Cause> {
    let metadata = &object["metadata"];
    let mut causes = Vec::new();
    if old.is_none() {
        name(resource, metadata, &mut causes);
    }
    keyed(metadata, "labels", &mut causes, true);
    keyed(metadata, "annotations", &mut causes, false);
    owners(metadata, &mut causes);
    finalizers(metadata, old.map(|o| &o["metadata"]), &mut causes);
    causes
}

fn name(resource: Resource, metadata: &Tree, causes: &mut Vec<Cause>) {
    let name = metadata["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
        return;
    }
    let checked = match resource {
        Resource::Namespace => names::label(name),
        Resource::Service => names::label_1035(name),
        _ => names::subdomain(name),
    };
    if let Err(why) = checked {
        causes.push(Cause::invalid("metadata.name", &name.into(), &why));
    }
}

fn keyed(metadata: &Tree, part: &str, causes: &mut Vec<Cause>, values: bool) {
    let field = format!("metadata.{part}");
    for (key, value) in metadata[part].as_object().into_iter().flatten() {
        // Annotations' keys are compared in lower case.
        let checked = if values { names::qualified_name(key) } else { names::qualified_name(&key.to_lowercase()) };
        if let Err(why) = checked {
            causes.push(Cause::invalid(&field, &key.as_str().into(), &why));
        }
        if values && let Err(why) = names::label_value(value.as_str().unwrap_or_default()) {
            causes.push(Cause::invalid(&field, value, &why));
        }
    }
}

fn owners(metadata: &Tree, causes: &mut Vec<Cause>) {
    let mut controllers: Vec<String> = Vec::new();
    for owner in metadata["ownerReferences"].as_array().into_iter().flatten() {
        let empty = |key: &str| owner[key].as_str().unwrap_or_default().is_empty();
        for (key, what) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if empty(key) {
                causes.push(Cause::invalid(format!("metadata.ownerReferences.{key}"), &owner[key], what));
            }
        }
        if owner["controller"] != true {
            continue;
        }
        let text = |key: &str| owner[key].as_str().unwrap_or_default();
        controllers.push(format!("{}/{}", text("kind"), text("name")));
        if let [first, .., last] = controllers.as_slice() {
            let detail = format!(
                "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {last}"
            );
            causes.push(Cause::invalid("metadata.ownerReferences", &metadata["ownerReferences"], &detail));
        }
    }
}

fn finalizers(metadata: &Tree, old: Option<&Tree>, causes: &mut Vec<Cause>) {
    let list = |v: &Tree| -> Vec<String> {
        v["finalizers"].as_array().into_iter().flatten().filter_map(Tree::as_str).map(str::to_owned).collect()
    };
    let now = list(metadata);
    for (at, finalizer) in now.iter().enumerate() {
        if let Err(why) = names::qualified_name(finalizer) {
            causes.push(Cause::invalid(format!("metadata.finalizers[{at}]"), &finalizer.as_str().into(), &why));
        } else if !finalizer.contains('/')
            && !["kubernetes", "orphan", "foregroundDeletion"].contains(&finalizer.as_str())
        {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            causes.push(Cause::invalid(format!("metadata.finalizers[{at}]"), &finalizer.as_str().into(), detail));
        }
    }
    let Some(old) = old.filter(|o| o["deletionTimestamp"].is_string()) else { return };
    let before = list(old);
    let added: Vec<&String> = now.iter().filter(|f| !before.contains(f)).collect();
    if !added.is_empty() {
        let named: Vec<String> = added.iter().map(|f| format!("{f:?}")).collect();
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            named.join(", ")
        );
        // The rules for all objects and those of the kind both say so.
        for _ in 0..2 {
            causes.push(Cause::forbidden("metadata.finalizers", &detail));
        }
    }
}
