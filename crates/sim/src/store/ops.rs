//! The store's public face: reads, creates and updates.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ecow::EcoString;
use ipnet::IpNet;
use jiff::Timestamp;

use super::clock::Clock;
use super::gc;
use super::object::Object;
use super::state::State;
use super::strategy::{self, Context};
use super::{Change, ChangeKind, Resource, Selection, Status, Stored, Subscription};
use crate::tree::{Fields, Tree};

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

/// How many names are made from one `generateName` before it counts as taken (registry/generic/registry/store.go,
/// `maxNameGenerationCreateAttempts`). Of the 14 million endings, two of 5,000 are the same more often than not.
const NAMES_TRIED: usize = 8;

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
    pub fn timestamp(&self) -> EcoString {
        self.0.config.clock.stamp()
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
        let first: Vec<Change> = state.table(resource).all().map(added).collect();
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
        object: impl Into<Tree>,
        options: &WriteOptions,
    ) -> Result<Stored, Status> {
        let object = object.into();
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
        mut object: Tree,
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
            metadata.insert("namespace", namespace.into());
        } else {
            metadata.remove("namespace");
        }
        let base = metadata.get("generateName").and_then(Tree::as_str).unwrap_or_default().to_owned();
        let mut name = metadata.get("name").and_then(Tree::as_str).unwrap_or_default().to_owned();
        if name.is_empty() && !base.is_empty() {
            // Kubernetes cuts the base so that the name fits a label.
            let base: String = base.chars().take(58).collect();
            for _ in 0..NAMES_TRIED {
                name = format!("{base}{}", state.ids.suffix());
                if state.find(resource, namespace, &name).is_none() {
                    break;
                }
            }
            metadata.insert("name", name.as_str().into());
        }
        metadata.insert("uid", state.ids.uid().into());
        metadata.insert("creationTimestamp", self.timestamp().into());
        if info.generation {
            metadata.insert("generation", 1.into());
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
            return Ok(Stored::new(Object::new(resource, 0, object, None)));
        }
        Ok(state.add(resource, object))
    }

    /// Replaces an object, or its status. A `resourceVersion` or `uid` in it must be the current one; an equal object writes nothing.
    pub fn update(
        &self,
        resource: Resource,
        namespace: &str,
        name: &str,
        object: impl Into<Tree>,
        options: &WriteOptions,
    ) -> Result<Stored, Status> {
        let object = object.into();
        let info = resource.info();
        let state = self.lock();
        let Some(old) = state.find(resource, namespace, name).cloned() else {
            drop(state);
            if info.create_on_update && options.part == Part::Main {
                return self.create(resource, namespace, object, options);
            }
            return Err(Status::not_found(info, name));
        };
        self.replace(state, old, object, options)
    }

    /// Puts `object` in the place of `old`.
    fn replace(
        &self,
        mut state: MutexGuard<'_, State>,
        old: Stored,
        mut object: Tree,
        options: &WriteOptions,
    ) -> Result<Stored, Status> {
        let resource = old.meta.resource;
        let info = resource.info();
        let now = self.now();
        // What is not part of a stored object's content must not make it another one.
        if let Some(fields) = object.as_object_mut() {
            fields.remove("apiVersion");
            fields.remove("kind");
        }
        // Controllers hardly ever touch metadata.
        if !object["metadata"].is_same(&old.tree()["metadata"]) {
            check_preconditions(&old, &object["metadata"], options.part)?;
            keep_metadata(metadata_of(&mut object), &old.tree()["metadata"], options.part);
        }
        let mut context = Context { state: &mut state, config: self.config(), now };
        strategy::prepare_update(&mut context, resource, &mut object, old.tree(), options.part)?;
        if options.part != Part::Whole {
            let causes = strategy::validate(resource, &object, Some(old.tree()));
            if !causes.is_empty() {
                return Err(Status::invalid(info, &old.meta.name, &causes));
            }
        }
        // A pod that is bound to its node is not a changed one.
        let bound = resource == Resource::Pod && options.part == Part::Whole;
        if info.generation && !bound && strategy::spec_changed(resource, old.tree(), &object) {
            metadata_of(&mut object).insert("generation", (old.meta.generation + 1).into());
        }
        if object == *old.tree() {
            return Ok(old);
        }
        if options.dry_run {
            return Ok(Stored::new(Object::new(resource, old.meta.resource_version, object, None)));
        }
        let stored = commit(&mut state, &old, object);
        gc::run(&mut state, self.config(), now);
        Ok(stored)
    }

    /// Changes an object in place, whatever its version, status included: for controllers. No change writes nothing.
    pub fn mutate(
        &self,
        resource: Resource,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Tree),
    ) -> Result<Stored, Status> {
        let mut object = self.get(resource, namespace, name)?.tree().clone();
        // Without the lock: what changes may ask the store.
        change(&mut object);
        let state = self.lock();
        let old = state.find(resource, namespace, name).cloned();
        let old = old.ok_or_else(|| Status::not_found(resource.info(), name))?;
        self.replace(state, old, object, &WriteOptions { part: Part::Whole, dry_run: false })
    }
}

/// Puts a new version, or removes the object when it is being deleted and nothing holds it any more.
fn commit(state: &mut State, old: &Stored, object: Tree) -> Stored {
    let resource = old.meta.resource;
    let metadata = &object["metadata"];
    let held = metadata["finalizers"].as_array().is_some_and(|f| !f.is_empty())
        || metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or_default() > 0
        || (resource == Resource::Namespace && object["spec"]["finalizers"].as_array().is_some_and(|f| !f.is_empty()));
    if metadata["deletionTimestamp"].is_string() && !held {
        // Who removed the last hold sees the object without it, its watchers as it was before.
        state.take(old);
        return Stored::new(Object::new(resource, state.revision, object, None));
    }
    state.put(resource, object, Some(old))
}

/// The uid and the version that a write names must be the present ones.
fn check_preconditions(old: &Stored, metadata: &Tree, part: Part) -> Result<(), Status> {
    let (namespace, name) = (&old.meta.namespace, &old.meta.name);
    let info = old.meta.resource.info();
    let given = |key: &str| metadata[key].as_str().filter(|v| !v.is_empty());
    if let Some(uid) = given("uid").filter(|uid| *uid != old.meta.uid) {
        let key = if namespace.is_empty() { name.to_string() } else { format!("{namespace}/{name}") };
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{}/{key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            info.plural, old.meta.uid
        );
        return Err(Status::conflict(info, name, &why));
    }
    match given("resourceVersion") {
        Some(version) if version != old.meta.resource_version.to_string() => Err(Status::stale(info, name)),
        None if !info.unconditional && part != Part::Whole => {
            let cause =
                super::Cause::invalid("metadata.resourceVersion", &Tree::from(0), "must be specified for an update");
            // Kubernetes names the resource rather than the kind here.
            Err(Status::invalid_kind(info.group, info.plural, name, &[cause]))
        }
        _ => Ok(()),
    }
}

fn added(object: &Stored) -> Change {
    Change { kind: ChangeKind::Added, object: object.clone(), previous: None }
}

/// The object's metadata, made where it is missing.
pub(super) fn metadata_of(object: &mut Tree) -> &mut Fields {
    if !object.is_object() {
        *object = Tree::Object(Fields::new());
    }
    let slot = &mut object["metadata"];
    if !slot.is_object() {
        *slot = Tree::Object(Fields::new());
    }
    match slot {
        Tree::Object(map) => map,
        // Made an object just above.
        _ => unreachable!("metadata is an object"),
    }
}

/// What clients cannot change.
fn keep_metadata(metadata: &mut Fields, old: &Tree, part: Part) {
    let always = ["name", "namespace", "generateName", "uid", "creationTimestamp", "selfLink", "generation"];
    let guarded: &[&str] = if part == Part::Whole { &[] } else { &["deletionTimestamp", "deletionGracePeriodSeconds"] };
    metadata.remove("resourceVersion");
    for key in always.iter().chain(guarded) {
        match old.get(key) {
            Some(value) if metadata.get(key) == Some(value) => {}
            Some(value) => {
                metadata.insert(*key, value.clone());
            }
            None => {
                metadata.remove(key);
            }
        }
    }
}
