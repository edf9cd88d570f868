//! Deletion: grace, finalizers, propagation and preconditions.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::clock::seconds;
use super::gc::{self, Work};
use super::ops::metadata_of;
use super::state::State;
use super::{Resource, ResourceInfo, Status, Store, StoreConfig, Stored};
use crate::tree::{Fields, List, Tree};

/// What becomes of the objects that name the deleted one as their owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted after it.
    Background,
    /// It stays until those that block it are gone.
    Foreground,
    /// They lose the reference.
    Orphan,
}

/// How an object is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeleteOptions {
    /// Seconds a pod has to stop; its own `terminationGracePeriodSeconds` by default. 0 removes it at once.
    pub grace_seconds: Option<i64>,
    /// Background by default.
    pub propagation: Option<Propagation>,
    /// Must be the object's uid.
    pub uid: Option<String>,
    /// Must be the object's version.
    pub resource_version: Option<String>,
    /// Answer, but delete nothing.
    pub dry_run: bool,
}

/// What a delete came to.
#[derive(Debug, Clone)]
pub enum Deleted {
    /// It is gone; this was it.
    Gone(Stored),
    /// It is marked, and goes when its finalizers, its kubelet or its namespace's content are done.
    Pending(Stored),
}

impl Deleted {
    /// The object as it was left.
    pub fn object(&self) -> &Stored {
        match self {
            Deleted::Gone(object) | Deleted::Pending(object) => object,
        }
    }
}

impl Store {
    /// Deletes an object.
    pub fn delete(
        &self,
        resource: Resource,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted, Status> {
        let mut state = self.lock();
        let now = self.now();
        let Some(old) = state.find(resource, namespace, name).cloned() else {
            return Err(Status::not_found(resource.info(), name));
        };
        check(&old, options)?;
        if options.dry_run {
            let Marked { value, gone, .. } = mark(&old, options, now);
            return Ok(match value {
                Some(value) => {
                    let shown = Stored::new(super::Object::new(resource, old.meta.resource_version, value, None));
                    if gone { Deleted::Gone(shown) } else { Deleted::Pending(shown) }
                }
                None => Deleted::Gone(old),
            });
        }
        let deleted = delete(&mut state, &old, options, now);
        gc::run(&mut state, self.config(), now);
        Ok(deleted)
    }

    /// Ends a pod's (or any object's) grace: what a kubelet does when the containers have stopped.
    pub fn finish_delete(&self, resource: Resource, namespace: &str, name: &str) -> Result<Deleted, Status> {
        self.delete(resource, namespace, name, &DeleteOptions { grace_seconds: Some(0), ..DeleteOptions::default() })
    }
}

fn check(old: &Stored, options: &DeleteOptions) -> Result<(), Status> {
    let info = old.meta.resource.info();
    let name = &old.meta.name;
    if let Some(uid) = options.uid.as_ref().filter(|uid| ***uid != *old.meta.uid) {
        let why = format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
            old.meta.uid
        );
        return Err(precondition(info, name, &why));
    }
    let version = old.meta.resource_version.to_string();
    if let Some(wanted) = options.resource_version.as_ref().filter(|v| **v != version) {
        let why = format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({version}). The object might have been modified"
        );
        return Err(precondition(info, name, &why));
    }
    Ok(())
}

/// Kubernetes names the kind, not the resource, where a precondition of a delete fails.
fn precondition(info: &ResourceInfo, name: &str, why: &str) -> Status {
    let qualified = if info.group.is_empty() { info.kind.to_owned() } else { format!("{}.{}", info.kind, info.group) };
    let mut details = json!({"name": name, "kind": info.kind});
    if !info.group.is_empty() {
        details["group"] = info.group.into();
    }
    let message = format!("Operation cannot be fulfilled on {qualified} {name:?}: {why}");
    Status { details: Some(details), ..Status::new(409, "Conflict", message) }
}

/// Marks or removes an object that is there.
pub(super) fn delete(state: &mut State, old: &Stored, options: &DeleteOptions, now: Timestamp) -> Deleted {
    let Marked { value, changed, gone } = mark(old, options, now);
    let stored = match value {
        Some(value) if changed => state.put(old.meta.resource, value, Some(old)),
        _ => old.clone(),
    };
    if gone {
        return Deleted::Gone(state.take(&stored));
    }
    state.work.push_back(Work::Marked(stored.clone()));
    Deleted::Pending(stored)
}

/// What a delete makes of an object.
struct Marked {
    /// The object as it is being deleted; `None` where it goes unmarked.
    value: Option<Tree>,
    changed: bool,
    /// Whether nothing holds it.
    gone: bool,
}

fn mark(old: &Stored, options: &DeleteOptions, now: Timestamp) -> Marked {
    let resource = old.meta.resource;
    let mut value = old.tree().clone();
    let grace = grace(resource, &value, options);
    let finalizers = finalizers(&value, options.propagation);
    let gone = grace == 0 && finalizers.is_empty() && resource != Resource::Namespace;
    // Only pods are told that they end before they are gone.
    if gone && resource != Resource::Pod {
        return Marked { value: None, changed: false, gone };
    }
    let before = value.clone();
    let metadata = metadata_of(&mut value);
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers", finalizers.into());
    }
    let left = metadata.get("deletionGracePeriodSeconds").and_then(Tree::as_i64);
    if !old.meta.deleting || left.is_some_and(|left| grace < left) {
        metadata.insert("deletionTimestamp", seconds(ends(metadata, grace, now)).into());
        // A namespace ends by its own rules and shows no grace.
        if resource != Resource::Namespace {
            metadata.insert("deletionGracePeriodSeconds", grace.into());
        }
        if !old.meta.deleting && old.meta.generation > 0 {
            metadata.insert("generation", (old.meta.generation + 1).into());
        }
    }
    if resource == Resource::Namespace {
        value["status"]["phase"] = "Terminating".into();
    }
    Marked { changed: value != before, value: Some(value), gone }
}

/// When the grace is over. Shortened grace counts from the first delete.
fn ends(metadata: &Fields, grace: i64, now: Timestamp) -> Timestamp {
    let end = metadata.get("deletionTimestamp").and_then(Tree::as_str).and_then(|t| t.parse::<Timestamp>().ok());
    let left = metadata.get("deletionGracePeriodSeconds").and_then(Tree::as_i64).unwrap_or_default();
    let begun = end.and_then(|end| end.checked_sub(SignedDuration::from_secs(left)).ok()).unwrap_or(now);
    begun.checked_add(SignedDuration::from_secs(grace)).unwrap_or(now)
}

/// Only pods have grace; one that runs nowhere, or has ended, needs none.
fn grace(resource: Resource, pod: &Tree, options: &DeleteOptions) -> i64 {
    if resource != Resource::Pod {
        return 0;
    }
    let unscheduled = pod["spec"]["nodeName"].as_str().unwrap_or_default().is_empty();
    let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if unscheduled || ended {
        return 0;
    }
    let own = || pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
    let seconds = options.grace_seconds.unwrap_or_else(own);
    // Less than none is the shortest there is.
    if seconds < 0 { 1 } else { seconds }
}

fn finalizers(object: &Tree, propagation: Option<Propagation>) -> List {
    let mut list = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    if let Some(propagation) = propagation {
        list.retain(|f| f != "orphan" && f != "foregroundDeletion");
        match propagation {
            Propagation::Background => {}
            Propagation::Foreground => list.push("foregroundDeletion"),
            Propagation::Orphan => list.push("orphan"),
        }
    }
    list
}

/// Removes one finalizer; the object goes with its last.
pub(super) fn release(state: &mut State, _config: &StoreConfig, object: &Stored, finalizer: &str) {
    let mut value = object.tree().clone();
    let metadata = metadata_of(&mut value);
    let mut list = metadata.get("finalizers").and_then(Tree::as_array).cloned().unwrap_or_default();
    list.retain(|f| f != finalizer);
    if list.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers", list.clone().into());
    }
    let grace = metadata.get("deletionGracePeriodSeconds").and_then(Tree::as_i64).unwrap_or_default();
    if list.is_empty() && grace == 0 {
        // Its watchers see it as it was before.
        state.take(object);
    } else {
        state.put(object.meta.resource, value, Some(object));
    }
}
