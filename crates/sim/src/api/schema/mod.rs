//! Kubernetes' own description of its kinds: what fields there are, how lists merge, what is required.
//!
//! `data/schemas.json` is the closure of the served kinds in the OpenAPI v3 documents of a v1.34 kube-apiserver, `data/crds.json`
//! holds Cilium's CustomResourceDefinitions. Decoding, strategic merge, server-side apply and `kubectl explain` all read these.

mod decode;
mod load;
mod validate;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::store::Resource;

pub(crate) use decode::{Decoded, decode};
pub(crate) use validate::validate;

/// Where a type stands in [`Schemas`].
pub(crate) type TypeId = usize;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    /// Anything: quantities, int-or-string, free JSON.
    Any,
}

/// How the items of a list, or the keys of a map, are owned and merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Relation {
    /// As one value.
    Atomic,
    /// Each key (of a map) for itself.
    Granular,
    /// Each item for itself, by value.
    Set,
    /// Each item for itself, by these fields.
    Keyed(Vec<String>),
}

/// How `kubectl patch --type strategic` merges a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PatchStrategy {
    pub(crate) merge: bool,
    pub(crate) replace: bool,
    pub(crate) retain_keys: bool,
    pub(crate) key: Option<String>,
}

/// A type.
#[derive(Debug)]
pub(crate) struct Type {
    /// Go's name of it, where it has one: `DeploymentSpec`.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// `int32`, `date-time`, …
    pub(crate) format: String,
    pub(crate) fields: BTreeMap<String, Field>,
    /// Type of a map's values.
    pub(crate) additional: Option<TypeId>,
    pub(crate) items: Option<TypeId>,
    pub(crate) required: Vec<String>,
    pub(crate) relation: Relation,
    pub(crate) nullable: bool,
    /// The definition, for the rarer checks.
    pub(crate) raw: Value,
}

/// A field of an object: its type, and what the place says beyond it.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) of: TypeId,
    pub(crate) patch: PatchStrategy,
    pub(crate) default: Option<Value>,
}

/// Every type.
#[derive(Debug)]
pub(crate) struct Schemas {
    types: Vec<Type>,
    roots: BTreeMap<(String, String), TypeId>,
    /// Named definitions as they were read, for OpenAPI documents.
    pub(crate) definitions: BTreeMap<String, Value>,
}

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(load::load);

/// The types of the served kinds.
pub(crate) fn schemas() -> &'static Schemas {
    &SCHEMAS
}

impl Schemas {
    pub(crate) fn get(&self, id: TypeId) -> &Type {
        &self.types[id]
    }

    /// The type of a kind: `apps/v1`, `Deployment`.
    pub(crate) fn root(&self, api_version: &str, kind: &str) -> Option<TypeId> {
        self.roots.get(&(api_version.to_owned(), kind.to_owned())).copied()
    }

    /// The type of a resource.
    pub(crate) fn of(&self, resource: Resource) -> Option<TypeId> {
        self.root(&resource.info().api_version(), resource.info().kind)
    }
}

impl Type {
    /// The type of a field or of a map's value.
    pub(crate) fn child(&self, key: &str) -> Option<TypeId> {
        self.fields.get(key).map(|f| f.of).or(self.additional)
    }

    /// Whether fields that it does not name are kept.
    pub(crate) fn open(&self) -> bool {
        self.kind == Kind::Object && self.fields.is_empty() && self.additional.is_none()
            || self.raw["x-kubernetes-preserve-unknown-fields"] == true
    }
}

/// Cilium's CustomResourceDefinitions, as its operator registers them.
pub fn cilium_crds() -> Vec<Value> {
    serde_json::from_str(include_str!("../data/crds.json")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_has_a_type() {
        for resource in Resource::all() {
            let id = schemas().of(resource).unwrap_or_else(|| panic!("{resource:?}"));
            assert!(schemas().get(id).fields.contains_key("metadata"), "{resource:?}");
        }
    }

    #[test]
    fn the_table_agrees_with_the_definitions() {
        for crd in cilium_crds() {
            let spec = &crd["spec"];
            let version = &spec["versions"][0];
            let plural = spec["names"]["plural"].as_str().unwrap();
            let found = Resource::by_path("cilium.io", version["name"].as_str().unwrap(), plural).unwrap().info();
            assert_eq!(spec["names"]["kind"], found.kind);
            assert_eq!(spec["names"]["shortNames"], serde_json::json!(found.short));
            assert_eq!(spec["scope"] == "Namespaced", found.namespaced, "{plural}");
            assert_eq!(version["subresources"].get("status").is_some(), found.status, "{plural}");
        }
    }

    #[test]
    fn lists_know_their_keys() {
        let pod = schemas().get(schemas().of(Resource::Pod).unwrap());
        let spec = schemas().get(pod.fields["spec"].of);
        let containers = &spec.fields["containers"];
        assert_eq!(containers.patch.key.as_deref(), Some("name"));
        assert_eq!(schemas().get(containers.of).relation, Relation::Keyed(vec!["name".into()]));
    }
}
