//! A stored object: its content and the few facts that lists, selectors and garbage collection need of it.

use std::sync::Arc;

use ecow::EcoString;
use serde::Deserialize;
use serde_json::Value;

use super::Resource;
use crate::tree::Tree;

/// A version of an object. Cheap to share: lists, watches and history hold the same one.
pub type Stored = Arc<Object>;

/// One version of an object. What has not changed is shared with the version before it, and what is equal in the pods of one
/// template among them: 50,000 pods as `serde_json::Value` would take gigabytes.
#[derive(Debug)]
pub struct Object {
    /// What is known without a look at the content.
    pub meta: Meta,
    /// The content without `apiVersion`, `kind` and `metadata.resourceVersion`, which would make each version's metadata a new one.
    tree: Tree,
}

/// What is known of an object without a look at its content.
#[derive(Debug, Clone)]
pub struct Meta {
    /// Which resource.
    pub resource: Resource,
    /// Namespace, empty for cluster-wide objects.
    pub namespace: EcoString,
    /// Name.
    pub name: EcoString,
    /// `metadata.uid`.
    pub uid: EcoString,
    /// `metadata.resourceVersion`; 0 for what is shown and never stored.
    pub resource_version: u64,
    /// `metadata.generation`, 0 where none is kept.
    pub generation: i64,
    /// `metadata.labels`, sorted by key.
    pub labels: Arc<[(EcoString, EcoString)]>,
    /// `metadata.ownerReferences`.
    pub owners: Arc<[Owner]>,
    /// `metadata.finalizers`.
    pub finalizers: Arc<[EcoString]>,
    /// Whether `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// Values of the resource's field selectors, in the order of its table row.
    fields: Box<[EcoString]>,
}

/// An owner reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The owner's uid.
    pub uid: EcoString,
    /// Whether it is the managing controller.
    pub controller: bool,
    /// Whether the owner's foreground deletion waits for this object.
    pub blocks: bool,
}

impl Object {
    /// Takes a complete object. `previous`: an earlier version, whose facts stand where metadata is the same.
    pub(crate) fn new(resource: Resource, resource_version: u64, mut tree: Tree, previous: Option<&Object>) -> Object {
        strip(&mut tree);
        let meta = Meta::read(resource, resource_version, &tree, previous);
        Object { meta, tree }
    }

    /// The content without `apiVersion`, `kind` and `metadata.resourceVersion`.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The whole object, `apiVersion` and `kind` included.
    pub fn value(&self) -> Value {
        let mut value = Value::from(&self.tree);
        if let Some(map) = value.as_object_mut() {
            let info = self.meta.resource.info();
            map.insert("apiVersion".into(), info.api_version().into());
            map.insert("kind".into(), info.kind.into());
            if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut)
                && self.meta.resource_version > 0
            {
                metadata.insert("resourceVersion".into(), self.meta.resource_version.to_string().into());
            }
        }
        value
    }

    /// Reads a typed view; `apiVersion`, `kind` and `metadata.resourceVersion` are not part of it.
    ///
    /// # Errors
    /// When the object is of another shape.
    pub fn read<'de, T: Deserialize<'de>>(&'de self) -> Result<T, serde_json::Error> {
        self.tree.read()
    }

    /// Appends the JSON text with `apiVersion` and `kind`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let info = self.meta.resource.info();
        out.extend_from_slice(b"{\"kind\":\"");
        out.extend_from_slice(info.kind.as_bytes());
        out.extend_from_slice(b"\",\"apiVersion\":\"");
        out.extend_from_slice(info.api_version().as_bytes());
        out.push(b'"');
        if self.tree.as_object().is_some_and(|fields| !fields.is_empty()) {
            out.push(b',');
            self.write_fields(out);
        }
        out.push(b'}');
    }

    /// Appends the JSON text without `apiVersion` and `kind`, as items of lists are written.
    pub(crate) fn write_item_to(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        self.write_fields(out);
        out.push(b'}');
    }

    fn write_fields(&self, out: &mut Vec<u8>) {
        let version = Tree::from(self.meta.resource_version.to_string());
        let versioned = self.meta.resource_version > 0;
        for (at, (key, value)) in self.tree.as_object().into_iter().flatten().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write(out, key);
            out.push(b':');
            match value.as_object().filter(|_| versioned && key == "metadata") {
                Some(metadata) => {
                    let mut metadata = metadata.clone();
                    metadata.insert("resourceVersion", version.clone());
                    write(out, &Tree::Object(metadata));
                }
                None => write(out, value),
            }
        }
    }

    /// The same content under another resource version: what a DELETED event shows.
    pub(crate) fn at(&self, resource_version: u64) -> Object {
        Object { meta: Meta { resource_version, ..self.meta.clone() }, tree: self.tree.clone() }
    }
}

/// Takes away what is kept beside the content.
fn strip(tree: &mut Tree) {
    if let Some(fields) = tree.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
        if fields.get("metadata").and_then(|metadata| metadata.get("resourceVersion")).is_some()
            && let Some(metadata) = fields.get_mut("metadata").and_then(Tree::as_object_mut)
        {
            metadata.remove("resourceVersion");
        }
    }
}

fn write(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    // Neither a vector nor a tree refuses to be written.
    let _ = serde_json::to_writer(out, value);
}

impl Meta {
    fn read(resource: Resource, resource_version: u64, tree: &Tree, previous: Option<&Object>) -> Meta {
        let fields = resource.info().fields.iter().map(|(_, pointer)| field_text(tree, pointer)).collect();
        let metadata = &tree["metadata"];
        if let Some(previous) = previous.filter(|previous| previous.tree["metadata"].is_same(metadata)) {
            return Meta { resource_version, fields, ..previous.meta.clone() };
        }
        let labels = metadata["labels"].as_object().into_iter().flatten();
        let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
        let finalizers = metadata["finalizers"].as_array().into_iter().flatten();
        let labels = labels.map(|(key, value)| (key.clone(), text(value)));
        let owners = owners.map(|owner| Owner {
            uid: text(&owner["uid"]),
            controller: owner["controller"] == true,
            blocks: owner["blockOwnerDeletion"] == true,
        });
        let before = previous.map(|previous| &previous.meta);
        Meta {
            resource,
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
            resource_version,
            generation: metadata["generation"].as_i64().unwrap_or_default(),
            labels: kept(labels, before.map(|meta| &meta.labels)),
            owners: kept(owners, before.map(|meta| &meta.owners)),
            finalizers: kept(finalizers.map(text), before.map(|meta| &meta.finalizers)),
            deleting: metadata["deletionTimestamp"].is_string(),
            fields,
        }
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<&str> {
        let at = self.labels.binary_search_by(|(k, _)| k.as_str().cmp(key)).ok()?;
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
        self.owners.iter().find(|o| o.controller).map(|o| o.uid.as_str())
    }

    /// Where it stands among its kind, in the order of lists.
    pub(crate) fn key(&self) -> Box<str> {
        key(&self.namespace, &self.name)
    }
}

/// The new list; the old one where both are equal.
fn kept<T: PartialEq>(new: impl Iterator<Item = T>, old: Option<&Arc<[T]>>) -> Arc<[T]> {
    let new: Vec<T> = new.collect();
    match old {
        Some(old) if **old == *new => old.clone(),
        _ => new.into(),
    }
}

/// `namespace/name`, or the name alone: ordered as etcd orders its keys.
pub(crate) fn key(namespace: &str, name: &str) -> Box<str> {
    if namespace.is_empty() { name.into() } else { format!("{namespace}/{name}").into() }
}

fn text(value: &Tree) -> EcoString {
    value.as_text().cloned().unwrap_or_default()
}

/// Booleans have a text even when absent: `spec.hostNetwork=false` selects pods that do not name it.
fn field_text(tree: &Tree, pointer: &str) -> EcoString {
    match tree.pointer(pointer) {
        Some(Tree::String(text)) => text.clone(),
        Some(Tree::Bool(flag)) => if *flag { "true" } else { "false" }.into(),
        Some(Tree::Number(number)) => number.to_string().into(),
        _ if pointer == "/spec/hostNetwork" || pointer == "/spec/unschedulable" => "false".into(),
        _ => EcoString::new(),
    }
}
