//! A stored object: its JSON text and the few facts that lists, selectors and garbage collection need of it.

use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Resource;

/// A version of an object. Cheap to share: lists, watches and history hold the same one.
pub type Stored = Arc<Object>;

/// One version of an object. Only text is kept: 50,000 pods as `serde_json::Value` would take gigabytes.
#[derive(Debug)]
pub struct Object {
    /// What is known without parsing.
    pub meta: Meta,
    /// The JSON object without `apiVersion` and `kind`.
    pub(crate) json: Bytes,
}

/// What is known of an object without parsing it.
#[derive(Debug, Clone)]
pub struct Meta {
    /// Which resource.
    pub resource: Resource,
    /// Namespace, empty for cluster-wide objects.
    pub namespace: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// `metadata.resourceVersion`.
    pub resource_version: u64,
    /// `metadata.generation`, 0 where none is kept.
    pub generation: i64,
    /// `metadata.labels`, sorted by key.
    pub labels: Box<[(Box<str>, Box<str>)]>,
    /// `metadata.ownerReferences`.
    pub owners: Box<[Owner]>,
    /// `metadata.finalizers`.
    pub finalizers: Box<[Box<str>]>,
    /// Whether `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// Values of the resource's field selectors, in the order of its table row.
    pub(crate) fields: Box<[Box<str>]>,
}

/// An owner reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The owner's uid.
    pub uid: Box<str>,
    /// Whether it is the managing controller.
    pub controller: bool,
    /// Whether the owner's foreground deletion waits for this object.
    pub blocks: bool,
}

impl Object {
    /// Takes a complete object apart. `value` keeps no `apiVersion` and `kind` in the text.
    pub(crate) fn new(resource: Resource, resource_version: u64, mut value: Value) -> Object {
        if let Some(map) = value.as_object_mut() {
            map.remove("apiVersion");
            map.remove("kind");
            // 0 is what is shown and never stored.
            if resource_version > 0
                && let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut)
            {
                metadata.insert("resourceVersion".into(), resource_version.to_string().into());
            }
        }
        let meta = Meta::read(resource, resource_version, &value);
        // `Value`'s text cannot fail to be written.
        let json = serde_json::to_vec(&value).unwrap_or_default();
        Object { meta, json: json.into() }
    }

    /// The whole object, `apiVersion` and `kind` included.
    pub fn value(&self) -> Value {
        let mut value: Value = serde_json::from_slice(&self.json).unwrap_or_default();
        if let Some(map) = value.as_object_mut() {
            let info = self.meta.resource.info();
            map.insert("apiVersion".into(), info.api_version().into());
            map.insert("kind".into(), info.kind.into());
        }
        value
    }

    /// Reads a typed view; `apiVersion` and `kind` are not part of it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.json)
    }

    /// The JSON text without `apiVersion` and `kind`: starts with `{`.
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// Appends the JSON text with `apiVersion` and `kind`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let info = self.meta.resource.info();
        out.extend_from_slice(b"{\"kind\":\"");
        out.extend_from_slice(info.kind.as_bytes());
        out.extend_from_slice(b"\",\"apiVersion\":\"");
        out.extend_from_slice(info.api_version().as_bytes());
        out.push(b'"');
        if self.json.len() > 2 {
            out.push(b',');
            out.extend_from_slice(&self.json[1..]);
        } else {
            out.push(b'}');
        }
    }

    /// The same content under another resource version: what a DELETED event shows.
    pub(crate) fn at(&self, resource_version: u64) -> Object {
        let value: Value = serde_json::from_slice(&self.json).unwrap_or_default();
        Object::new(self.meta.resource, resource_version, value)
    }
}

impl Meta {
    pub(crate) fn read(resource: Resource, resource_version: u64, value: &Value) -> Meta {
        let metadata = &value["metadata"];
        let text = |v: &Value| -> Box<str> { v.as_str().unwrap_or_default().into() };
        let labels = metadata["labels"]
            .as_object()
            .map(|map| map.iter().map(|(k, v)| (k.as_str().into(), text(v))).collect())
            .unwrap_or_default();
        let owners = metadata["ownerReferences"]
            .as_array()
            .map(|list| {
                list.iter()
                    .map(|o| Owner {
                        uid: text(&o["uid"]),
                        controller: o["controller"] == true,
                        blocks: o["blockOwnerDeletion"] == true,
                    })
                    .collect()
            })
            .unwrap_or_default();
        let finalizers = metadata["finalizers"].as_array().map(|l| l.iter().map(text).collect()).unwrap_or_default();
        let fields = resource.info().fields.iter().map(|(_, pointer)| field_text(value, pointer)).collect();
        Meta {
            resource,
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
            resource_version,
            generation: metadata["generation"].as_i64().unwrap_or_default(),
            labels,
            owners,
            finalizers,
            deleting: metadata["deletionTimestamp"].is_string(),
            fields,
        }
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<&str> {
        let at = self.labels.binary_search_by(|(k, _)| k.as_ref().cmp(key)).ok()?;
        Some(&self.labels[at].1)
    }

    /// A field selector's value: `spec.nodeName`. `None` where the resource has no such selector.
    pub fn field(&self, label: &str) -> Option<&str> {
        match label {
            "metadata.name" => return Some(&self.name),
            "metadata.namespace" if self.resource.info().namespaced => return Some(&self.namespace),
            _ => {}
        }
        let at = self.resource.info().fields.iter().position(|(l, _)| *l == label)?;
        Some(&self.fields[at])
    }

    /// The managing controller's uid.
    pub fn controller(&self) -> Option<&str> {
        self.owners.iter().find(|o| o.controller).map(|o| o.uid.as_ref())
    }

    /// Where it stands among its kind, in the order of lists.
    pub(crate) fn key(&self) -> Box<str> {
        key(&self.namespace, &self.name)
    }
}

/// `namespace/name`, or the name alone: ordered as etcd orders its keys.
pub(crate) fn key(namespace: &str, name: &str) -> Box<str> {
    if namespace.is_empty() { name.into() } else { format!("{namespace}/{name}").into() }
}

/// Booleans have a text even when absent: `spec.hostNetwork=false` selects pods that do not name it.
fn field_text(value: &Value, pointer: &str) -> Box<str> {
    match value.pointer(pointer) {
        Some(Value::String(text)) => text.as_str().into(),
        Some(Value::Bool(flag)) => flag.to_string().into(),
        Some(Value::Number(number)) => number.to_string().into(),
        _ if pointer == "/spec/hostNetwork" || pointer == "/spec/unschedulable" => "false".into(),
        _ => "".into(),
    }
}
