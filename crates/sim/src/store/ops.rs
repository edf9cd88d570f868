//! The store's public face: reads, creates and updates.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::clock::{Clock, seconds};
use super::gc;
use super::state::State;
use super::strategy::{self, Context};
use super::{Change, ChangeKind, Resource, Selection, Status, Stored, Subscription};

/// How a store begins.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Seeds uids and generated names.
    pub seed: u64,
    /// Where `creationTimestamp` and its like come from.
    pub clock: Clock,
    /// Changes of each resource that a watch can go back to.
    pub history: usize,
    /// Where Services get their addresses: one range per family, the cluster's first family first.
    pub service_subnets: Vec<IpNet>,
    /// `ca.crt` in every namespace's `kube-root-ca.crt`.
    pub root_ca: String,
}

impl StoreConfig {
    /// 10,000 changes of history and 10.96.0.0/16 for Services.
    pub fn new(seed: u64, clock: Clock) -> StoreConfig {
        let services = IpNet::new(IpAddr::from([10, 96, 0, 0]), 16).into_iter().collect();
        StoreConfig { seed, clock, history: 10_000, service_subnets: services, root_ca: String::new() }
    }
}

/// Which part of an object an update may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Part {
    /// Everything but `status` (or everything, where status is no subresource).
    #[default]
    Main,
    /// `status` alone.
    Status,
    /// Everything: what only controllers inside the server do.
    Whole,
}

/// How a create or update is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteOptions {
    /// What may change.
    pub part: Part,
    /// Answer, but store nothing.
    pub dry_run: bool,
}

/// The objects of a cluster. Clones are the same store.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    config: StoreConfig,
}

impl Store {
    /// An empty store: not even namespaces.
    pub fn new(config: StoreConfig) -> Store {
        Store(Arc::new(Inner { state: Mutex::new(State::new(config.seed, config.history)), config }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves no half-made change: changes are made by `put` and `take` alone.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn config(&self) -> &StoreConfig {
        &self.0.config
    }

    /// The server's time.
    pub fn now(&self) -> Timestamp {
        self.config().clock.now()
    }

    /// The server's time as objects bear it: `2026-01-02T03:04:05Z`.
    pub fn timestamp(&self) -> String {
        seconds(self.now())
    }

    /// The last revision.
    pub fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// Objects of a resource in all namespaces.
    pub fn count(&self, resource: Resource) -> usize {
        self.lock().table(resource).len()
    }

    /// An object, or 404. `namespace` is empty for cluster-wide resources, here and below.
    pub fn get(&self, resource: Resource, namespace: &str, name: &str) -> Result<Stored, Status> {
        self.find(resource, namespace, name).ok_or_else(|| Status::not_found(resource.info(), name))
    }

    /// An object, if it is there.
    pub fn find(&self, resource: Resource, namespace: &str, name: &str) -> Option<Stored> {
        self.lock().find(resource, namespace, name).cloned()
    }

    /// An object by its uid.
    pub fn find_uid(&self, uid: &str) -> Option<Stored> {
        self.lock().by_uid(uid).cloned()
    }

    /// Objects that name `uid` as an owner, by resource and key.
    pub fn owned_by(&self, uid: &str) -> Vec<Stored> {
        self.lock().dependents(uid)
    }

    /// Objects of a namespace (all with `None`) that are selected, in etcd's order, and the revision of that answer.
    pub fn list(&self, resource: Resource, namespace: Option<&str>, selection: &Selection) -> (Vec<Stored>, u64) {
        let state = self.lock();
        let objects = state.within(resource, namespace.unwrap_or_default());
        (objects.filter(|o| selection.matches(&o.meta)).cloned().collect(), state.revision)
    }

    /// As [`Store::list`], as it was at an earlier revision; 410 when that is forgotten.
    pub fn list_at(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        selection: &Selection,
        revision: u64,
    ) -> Result<Vec<Stored>, Status> {
        let mut state = self.lock();
        let later = state.history(resource).changes_since(revision)?;
        let prefix = namespace.unwrap_or_default();
        let mut objects: std::collections::BTreeMap<Box<str>, Stored> =
            state.within(resource, prefix).map(|o| (o.meta.key(), o.clone())).collect();
        for change in later.into_iter().rev() {
            match change.previous {
                Some(previous) => objects.insert(previous.meta.key(), previous),
                None => objects.remove(&change.object.meta.key()),
            };
        }
        let mut objects: Vec<Stored> = objects.into_values().collect();
        objects.retain(|o| (prefix.is_empty() || *o.meta.namespace == *prefix) && selection.matches(&o.meta));
        Ok(objects)
    }

    /// Every object of a resource as `Added`, then every change: for controllers.
    pub fn subscribe(&self, resource: Resource) -> Subscription {
        let mut state = self.lock();
        let first: Vec<Change> = state.table(resource).values().map(added).collect();
        state.history(resource).subscribe(first.into_iter())
    }

    /// Changes after a revision, or 410 when they are forgotten.
    pub fn watch_since(&self, resource: Resource, revision: u64) -> Result<Subscription, Status> {
        let mut state = self.lock();
        let history = state.history(resource);
        let first = history.changes_since(revision)?;
        Ok(history.subscribe(first.into_iter()))
    }

    /// What is there, its revision, and every change after it, without a gap.
    pub fn list_and_watch(&self, resource: Resource, namespace: Option<&str>) -> (Vec<Stored>, u64, Subscription) {
        let mut state = self.lock();
        let objects = state.within(resource, namespace.unwrap_or_default()).cloned().collect();
        let revision = state.revision;
        (objects, revision, state.history(resource).subscribe(std::iter::empty()))
    }

    /// Forgets history up to now: watches from an earlier revision get 410.
    pub fn compact(&self, resource: Resource) {
        let mut state = self.lock();
        let revision = state.revision;
        state.history(resource).compact(revision);
    }

    /// Uid-like id from the store's seed.
    pub fn new_uid(&self) -> String {
        self.lock().ids.uid()
    }

    /// Five characters as `generateName` appends.
    pub fn new_suffix(&self) -> String {
        self.lock().ids.suffix()
    }

    /// Creates an object: defaults, admission, validation and metadata are the server's. The name comes from the object, or is
    /// made from `generateName`.
    pub fn create(
        &self,
        resource: Resource,
        namespace: &str,
        object: Value,
        options: &WriteOptions,
    ) -> Result<Stored, Status> {
        let mut state = self.lock();
        let stored = self.create_in(&mut state, resource, namespace, object, options)?;
        if resource == Resource::Namespace && !options.dry_run {
            for (furniture, object) in gc::furnish_namespace(&stored.meta.name, self.config(), self.now()) {
                self.create_in(&mut state, furniture, &stored.meta.name, object, &WriteOptions::default())?;
            }
        }
        gc::run(&mut state, self.config(), self.now());
        Ok(stored)
    }

    fn create_in(
        &self,
        state: &mut State,
        resource: Resource,
        namespace: &str,
        mut object: Value,
        options: &WriteOptions,
    ) -> Result<Stored, Status> {
        let info = resource.info();
        let now = self.now();
        let metadata = metadata_of(&mut object);
        if metadata.get("resourceVersion").is_some_and(|v| v.as_str() != Some("") && !v.is_null()) {
            return Err(Status::new(500, "", "resourceVersion should not be set on objects to be created"));
        }
        for key in [
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "generation",
            "resourceVersion",
        ] {
            metadata.remove(key);
        }
        if info.namespaced {
            metadata.insert("namespace".into(), namespace.into());
        } else {
            metadata.remove("namespace");
        }
        let base = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut name = metadata.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if name.is_empty() && !base.is_empty() {
            // Kubernetes cuts the base so that the name fits a label.
            let base: String = base.chars().take(58).collect();
            name = format!("{base}{}", state.ids.suffix());
            metadata.insert("name".into(), name.as_str().into());
        }
        metadata.insert("uid".into(), state.ids.uid().into());
        metadata.insert("creationTimestamp".into(), seconds(now).into());
        if info.generation {
            metadata.insert("generation".into(), 1.into());
        }
        let mut context = Context { state, config: self.config(), now };
        strategy::admit_namespace(&context, resource, namespace, &name)?;
        strategy::prepare_create(&mut context, resource, &mut object, options.part)?;
        let causes = strategy::validate(resource, &object, None);
        if !causes.is_empty() {
            return Err(Status::invalid(info, &name, &causes));
        }
        if state.find(resource, namespace, &name).is_some() {
            return Err(Status::already_exists(info, &name));
        }
        if options.dry_run {
            return Ok(dry(resource, object));
        }
        Ok(state.put(resource, object))
    }

    /// Replaces an object, or its status. A `resourceVersion` or `uid` in it must be the current one; an equal object writes nothing.
    pub fn update(
        &self,
        resource: Resource,
        namespace: &str,
        name: &str,
        object: Value,
        options: &WriteOptions,
    ) -> Result<Stored, Status> {
        let info = resource.info();
        let state = self.lock();
        let Some(old) = state.find(resource, namespace, name).cloned() else {
            drop(state);
            if info.create_on_update && options.part == Part::Main {
                return self.create(resource, namespace, object, options);
            }
            return Err(Status::not_found(info, name));
        };
        let old_value = old.value();
        self.replace(state, old, &old_value, object, options)
    }

    /// Puts `object` in the place of `old`, whose content is `old_value`.
    fn replace(
        &self,
        mut state: MutexGuard<'_, State>,
        old: Stored,
        old_value: &Value,
        mut object: Value,
        options: &WriteOptions,
    ) -> Result<Stored, Status> {
        let (resource, namespace, name) = (old.meta.resource, &*old.meta.namespace, &*old.meta.name);
        let info = resource.info();
        let now = self.now();
        let metadata = metadata_of(&mut object);
        let given = |key: &str| metadata.get(key).and_then(Value::as_str).filter(|v| !v.is_empty());
        if let Some(uid) = given("uid").filter(|uid| **uid != *old.meta.uid) {
            let key = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
            let why = format!(
                "StorageError: invalid object, Code: 4, Key: /registry/{}/{key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                info.plural, old.meta.uid
            );
            return Err(Status::conflict(info, name, &why));
        }
        match given("resourceVersion") {
            Some(version) if version != old.meta.resource_version.to_string() => {
                return Err(Status::stale(info, name));
            }
            None if !info.unconditional && options.part != Part::Whole => {
                let value = Value::from(0);
                let cause =
                    super::Cause::invalid("metadata.resourceVersion", &value, "must be specified for an update");
                // Kubernetes names the resource rather than the kind here.
                return Err(Status::invalid_kind(info.group, info.plural, name, &[cause]));
            }
            _ => {}
        }
        keep_metadata(metadata, &old_value["metadata"], options.part);
        let mut context = Context { state: &mut state, config: self.config(), now };
        strategy::prepare_update(&mut context, resource, &mut object, old_value, options.part)?;
        if options.part != Part::Whole {
            let causes = strategy::validate(resource, &object, Some(old_value));
            if !causes.is_empty() {
                return Err(Status::invalid(info, name, &causes));
            }
        }
        // A pod that is bound to its node is not a changed one.
        let bound = resource == Resource::Pod && options.part == Part::Whole;
        if info.generation && !bound && strategy::spec_changed(resource, old_value, &object) {
            metadata_of(&mut object).insert("generation".into(), (old.meta.generation + 1).into());
        }
        if object == *old_value {
            return Ok(old);
        }
        if options.dry_run {
            return Ok(dry(resource, object));
        }
        let stored = self.commit(&mut state, &old, object);
        gc::run(&mut state, self.config(), now);
        Ok(stored)
    }

    /// Changes an object in place, whatever its version, status included: for controllers. No change writes nothing.
    pub fn mutate(
        &self,
        resource: Resource,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Stored, Status> {
        let seen = self.get(resource, namespace, name)?;
        let seen_value = seen.value();
        let mut value = seen_value.clone();
        // Without the lock: what changes may ask the store.
        change(&mut value);
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("resourceVersion");
        }
        let state = self.lock();
        let old = state.find(resource, namespace, name).cloned();
        let old = old.ok_or_else(|| Status::not_found(resource.info(), name))?;
        let old_value = if Arc::ptr_eq(&old, &seen) { seen_value } else { old.value() };
        self.replace(state, old, &old_value, value, &WriteOptions { part: Part::Whole, dry_run: false })
    }

    /// Puts a new version, or removes the object when it is being deleted and nothing holds it any more.
    fn commit(&self, state: &mut State, old: &Stored, object: Value) -> Stored {
        let resource = old.meta.resource;
        let metadata = &object["metadata"];
        let held = metadata["finalizers"].as_array().is_some_and(|f| !f.is_empty())
            || metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or_default() > 0
            || (resource == Resource::Namespace
                && object["spec"]["finalizers"].as_array().is_some_and(|f| !f.is_empty()));
        if metadata["deletionTimestamp"].is_string() && !held {
            // Who removed the last hold sees the object without it, its watchers as it was before.
            state.take(old);
            return Stored::new(super::Object::new(resource, state.revision, object));
        }
        state.put(resource, object)
    }
}

fn added(object: &Stored) -> Change {
    Change { kind: ChangeKind::Added, object: object.clone(), previous: None }
}

/// An object that is shown but not stored.
fn dry(resource: Resource, object: Value) -> Stored {
    let version = object["metadata"]["resourceVersion"].as_str().and_then(|v| v.parse().ok()).unwrap_or_default();
    Stored::new(super::Object::new(resource, version, object))
}

/// The object's metadata, made where it is missing.
pub(super) fn metadata_of(object: &mut Value) -> &mut Map<String, Value> {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let slot = &mut object["metadata"];
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    match slot {
        Value::Object(map) => map,
        // Made an object just above.
        _ => unreachable!("metadata is an object"),
    }
}

/// What clients cannot change.
fn keep_metadata(metadata: &mut Map<String, Value>, old: &Value, part: Part) {
    let mut keys = vec![
        "name",
        "namespace",
        "generateName",
        "uid",
        "creationTimestamp",
        "selfLink",
        "generation",
        "resourceVersion",
    ];
    if part != Part::Whole {
        keys.extend(["deletionTimestamp", "deletionGracePeriodSeconds"]);
    }
    for key in keys {
        match old.get(key) {
            Some(value) => metadata.insert(key.to_owned(), value.clone()),
            None => metadata.remove(key),
        };
    }
}
