//! Who owns which fields of an object, and what an update or an apply does to that.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::fields::{self, Fields, Path, Step};
use super::typed;
use crate::api::schema::{TypeId, schemas};
use crate::store::{Resource, Status};

/// Who writes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Manager {
    pub(crate) name: String,
    /// Whether it applies rather than updates.
    pub(crate) apply: bool,
    pub(crate) api_version: String,
    pub(crate) subresource: String,
}

#[derive(Debug, Clone)]
struct Entry {
    fields: Fields,
    time: Option<String>,
}

/// Which fields of others an apply may take.
#[derive(Debug, Clone)]
pub(crate) struct Takes {
    /// These, where nothing else is in dispute; without a set, all.
    only: Option<Fields>,
}

impl Takes {
    /// `force`.
    pub(crate) fn all() -> Takes {
        Takes { only: None }
    }

    /// None.
    pub(crate) fn nothing() -> Takes {
        Takes { only: Some(Fields::new()) }
    }

    /// What `kubectl apply` has noted in the object's annotation as applied, and the annotation itself: so that
    /// `kubectl apply --server-side` can go on where it was.
    pub(crate) fn last_applied(resource: Resource, live: &Value, annotation: &str) -> Takes {
        let text = live["metadata"]["annotations"][annotation].as_str().unwrap_or_default();
        let Ok(config) = serde_json::from_str::<Value>(text) else { return Takes::nothing() };
        let mut fields = typed::fields(schemas().of(resource), &config);
        fields.insert(["metadata", "annotations", annotation].map(Step::field).to_vec());
        Takes { only: Some(fields) }
    }

    fn all_of(&self, conflicts: &[(Manager, Fields)]) -> bool {
        self.only.as_ref().is_none_or(|only| conflicts.iter().all(|(_, set)| set.is_subset(only)))
    }
}

/// `metadata.managedFields`, as sets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ownership(BTreeMap<Manager, Entry>);

impl Ownership {
    /// Reads `metadata.managedFields`.
    pub(crate) fn read(object: &Value) -> Ownership {
        let list = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        let entries = list.map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            let manager = Manager {
                name: text("manager"),
                apply: entry["operation"] == "Apply",
                api_version: text("apiVersion"),
                subresource: text("subresource"),
            };
            let time = entry["time"].as_str().map(str::to_owned);
            (manager, Entry { fields: fields::decode(&entry["fieldsV1"]), time })
        });
        Ownership(entries.collect())
    }

    /// Of an object that a client sends: what it says itself, where it says anything. Clients may hand fields over so, and
    /// `[{}]` means that nobody owns any.
    pub(crate) fn given(new: &Value, old: &Value) -> Ownership {
        let list = new["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
        match list {
            [] => Ownership::read(old),
            [one] if one.as_object().is_some_and(Map::is_empty) => Ownership::default(),
            _ => Ownership::read(new),
        }
    }

    /// Whether nobody owns anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes `metadata.managedFields`.
    pub(crate) fn write(&self, object: &mut Value) {
        let mut entries: Vec<(&Manager, &Entry)> = self.0.iter().filter(|(_, e)| !e.fields.is_empty()).collect();
        // Kubernetes' order: appliers first, then by time (entries without one before all others), then by name.
        entries.sort_by(|(a, x), (b, y)| {
            b.apply
                .cmp(&a.apply)
                .then_with(|| x.time.cmp(&y.time))
                .then_with(|| a.name.cmp(&b.name))
                .then_with(|| a.cmp(b))
        });
        let list: Vec<Value> = entries
            .into_iter()
            .map(|(manager, entry)| {
                let mut out = Map::new();
                out.insert("manager".into(), manager.name.clone().into());
                out.insert("operation".into(), if manager.apply { "Apply" } else { "Update" }.into());
                out.insert("apiVersion".into(), manager.api_version.clone().into());
                if let Some(time) = &entry.time {
                    out.insert("time".into(), time.clone().into());
                }
                out.insert("fieldsType".into(), "FieldsV1".into());
                out.insert("fieldsV1".into(), fields::encode(&entry.fields));
                if !manager.subresource.is_empty() {
                    out.insert("subresource".into(), manager.subresource.clone().into());
                }
                Value::Object(out)
            })
            .collect();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            if list.is_empty() {
                metadata.remove("managedFields");
            } else {
                metadata.insert("managedFields".into(), list.into());
            }
        }
    }

    /// Records that `manager` made `new` out of `old` (on a create, [`super::blank`]).
    pub(crate) fn update(&mut self, resource: Resource, old: &Value, new: &Value, manager: &Manager, time: &str) {
        let root = schemas().of(resource);
        let (old, new) = (bare(old), bare(new));
        let (changed, removed) = differences(root, resource, manager, &old, &new);
        for entry in self.0.values_mut() {
            entry.fields.retain(|p| !changed.contains(p) && !removed.contains(p));
        }
        let mut mine = changed;
        strip(&mut mine);
        if !mine.is_empty() {
            let entry = self.0.entry(manager.clone()).or_insert_with(|| Entry { fields: Fields::new(), time: None });
            entry.fields.extend(mine);
            // The real server loses the time on the way from the scale to the object.
            if manager.subresource != "scale" {
                entry.time = Some(time.to_owned());
            }
        }
        self.0.retain(|_, e| !e.fields.is_empty());
    }

    /// Applies a configuration: the object that results, or the conflicts.
    pub(crate) fn apply(
        &mut self,
        resource: Resource,
        live: &Value,
        config: &Value,
        manager: &Manager,
        takes: &Takes,
        time: &str,
    ) -> Result<Value, Status> {
        let root = schemas().of(resource);
        let (live, config) = (bare(live), bare(config));
        let merged = typed::merge(root, Some(&live), Some(&config)).unwrap_or_else(|| live.clone());
        let last = self.0.get(manager).cloned();
        let mut mine = typed::fields(root, &config);
        reset(resource, manager, &mut mine);
        let previous_time = last.as_ref().and_then(|e| e.time.clone());
        self.0.insert(manager.clone(), Entry { fields: mine, time: previous_time });
        let object = match &last {
            Some(last) if !last.fields.is_empty() => self.prune(root, &merged, &last.fields),
            _ => merged,
        };
        self.settle(resource, &live, &object, manager, takes)?;
        if let Some(entry) = self.0.get_mut(manager) {
            strip(&mut entry.fields);
            // Who applies what is there already comes to own it, without a time.
            if live != object {
                entry.time = Some(time.to_owned());
            }
        }
        self.0.retain(|_, e| !e.fields.is_empty());
        Ok(object)
    }

    /// Takes what changes from the others, or reports it.
    fn settle(
        &mut self,
        resource: Resource,
        live: &Value,
        object: &Value,
        manager: &Manager,
        takes: &Takes,
    ) -> Result<(), Status> {
        let (changed, removed) = differences(schemas().of(resource), resource, manager, live, object);
        let mut conflicts: Vec<(Manager, Fields)> = Vec::new();
        for (other, entry) in self.0.iter().filter(|(m, _)| *m != manager) {
            let both: Fields = entry.fields.intersection(&changed).cloned().collect();
            if !both.is_empty() {
                conflicts.push((other.clone(), both));
            }
        }
        if !takes.all_of(&conflicts) {
            return Err(conflict(&conflicts));
        }
        for (other, entry) in self.0.iter_mut().filter(|(m, _)| *m != manager) {
            let taken = conflicts.iter().find(|(m, _)| m == other).map(|(_, f)| f);
            entry.fields.retain(|p| taken.is_none_or(|t| !t.contains(p)) && !removed.contains(p));
        }
        Ok(())
    }

    /// Removes what this manager applied last time, not now, and nobody else owns.
    fn prune(&self, root: Option<TypeId>, merged: &Value, last: &Fields) -> Value {
        let all = typed::with_parents(root, &typed::fields(root, merged));
        let pruned = typed::remove(root, merged, &typed::with_parents(root, last));
        let left = typed::with_parents(root, &typed::fields(root, &pruned));
        let owned: Fields = self.0.values().flat_map(|e| e.fields.iter().cloned()).collect();
        let owned = typed::with_parents(root, &owned);
        let gone: Fields = all.iter().filter(|p| !left.contains(*p) && !owned.contains(*p)).cloned().collect();
        let pruned = typed::remove(root, merged, &gone);
        let left = typed::with_parents(root, &typed::fields(root, &pruned));
        let last = typed::with_parents(root, last);
        let gone: Fields = all.iter().filter(|p| !left.contains(*p) && last.contains(*p)).cloned().collect();
        typed::remove(root, merged, &gone)
    }
}

/// What a write changed or added, and what it removed: of the fields that a write of its kind can touch.
fn differences(
    root: Option<TypeId>,
    resource: Resource,
    manager: &Manager,
    old: &Value,
    new: &Value,
) -> (Fields, Fields) {
    let difference = typed::compare(root, old, new);
    let mut changed: Fields = difference.modified.union(&difference.added).cloned().collect();
    let mut removed = difference.removed;
    reset(resource, manager, &mut changed);
    reset(resource, manager, &mut removed);
    (changed, removed)
}

/// The object without `managedFields`.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

/// Fields that nobody owns.
fn strip(fields: &mut Fields) {
    const IN_METADATA: [&str; 9] = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    let is = |step: &Step, name: &str| matches!(step, Step::Field(f) if **f == *name);
    fields.retain(|path: &Path| match path.as_slice() {
        [one] => !["apiVersion", "kind", "metadata"].iter().any(|n| is(one, n)),
        [one, two] if is(one, "metadata") => !IN_METADATA.iter().any(|n| is(two, n)),
        _ => true,
    });
}

/// Fields that a write of this kind does not touch: status by the main resource, all else by status.
fn reset(resource: Resource, manager: &Manager, fields: &mut Fields) {
    let info = resource.info();
    let starts = |path: &Path, name: &str| matches!(path.first(), Some(Step::Field(f)) if **f == *name);
    match manager.subresource.as_str() {
        "" if info.status => fields.retain(|p| !starts(p, "status")),
        "status" if info.custom => fields.retain(|p| starts(p, "status")),
        "status" => fields.retain(|p| !starts(p, "spec")),
        _ => {}
    }
}

/// Without its time: Kubernetes compares and names managers so.
fn describe(manager: &Manager) -> String {
    let mut out = format!("{:?}", manager.name);
    if !manager.subresource.is_empty() {
        out.push_str(&format!(" with subresource {:?}", manager.subresource));
    }
    if !manager.apply {
        out.push_str(&format!(" using {}", manager.api_version));
    }
    out
}

fn conflict(conflicts: &[(Manager, Fields)]) -> Status {
    let mut causes = Vec::new();
    let mut lines = Vec::new();
    let mut single = String::new();
    for (manager, set) in conflicts {
        let who = describe(manager);
        lines.push(format!("conflicts with {who}:"));
        for path in fields::listed(set) {
            let shown = fields::show(path);
            single = format!("conflict with {who}: {shown}");
            lines.push(format!("- {shown}"));
            causes.push(json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with {who}"),
                "field": shown,
            }));
        }
    }
    let message = match causes.len() {
        1 => format!("Apply failed with 1 conflict: {single}"),
        many => format!("Apply failed with {many} conflicts: {}", lines.join("\n")),
    };
    Status { details: Some(json!({"causes": causes})), ..Status::new(409, "Conflict", message) }
}
