//! Endpoints and EndpointSlices: which addresses stand behind a Service that selects pods.
//!
//! Kubernetes has two controllers for the two kinds; they look at the same pods, so that here one does.

mod slices;
mod subsets;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::pods::{PodFacts, Pods};
use crate::store::{Change, ChangeKind, DeleteOptions, Resource, Selection, Stored};
use crate::world::{Context, Key, Name, Task};
use view::Place;

pub(crate) use subsets::of_api_server;

/// From a change to the look at it. Not drawn by lot: nothing that a scenario sees depends on it.
const DELAY: Duration = Duration::from_millis(10);
/// What is added for each pod: a Service with thousands of them is not written anew for each single one.
const DELAY_EACH: Duration = Duration::from_millis(2);

/// A Service with a selector, and the pods that it selects.
#[derive(Debug, Default)]
struct Selected {
    selector: Vec<(Box<str>, Box<str>)>,
    pods: BTreeSet<Name>,
}

impl Selected {
    fn takes(&self, pod: &Stored) -> bool {
        self.selector.iter().all(|(key, value)| pod.meta.label(key) == Some(&**value))
    }
}

/// The controllers.
#[derive(Debug, Default)]
pub(crate) struct EndpointsOfServices {
    /// By namespace and name.
    services: BTreeMap<Name, BTreeMap<Name, Selected>>,
    queued: BTreeSet<Key>,
}

impl EndpointsOfServices {
    pub(crate) fn service_changed(&mut self, cx: &mut Context, change: &Change) {
        let key = Key::of(&change.object);
        let selector = (change.kind != ChangeKind::Deleted).then(|| selector(&change.object.value())).flatten();
        let here = self.services.entry(key.namespace.clone()).or_default();
        match selector {
            None => {
                let known = here.remove(&key.name).is_some();
                if here.is_empty() {
                    self.services.remove(&key.namespace);
                }
                // Without a selector, endpoints are for people to write; of one that is gone, they go too.
                if known && change.kind == ChangeKind::Deleted {
                    let options = DeleteOptions::default();
                    // Somebody else may have been faster.
                    let _ = cx.store.delete(Resource::Endpoints, &key.namespace, &key.name, &options);
                }
            }
            Some(selector) => {
                let mut selected = Selected { selector, pods: BTreeSet::new() };
                let (all, _) = cx.store.list(Resource::Pod, Some(&key.namespace), &Selection::all());
                selected.pods =
                    all.iter().filter(|pod| selected.takes(pod)).map(|pod| Name::from(&*pod.meta.uid)).collect();
                here.insert(key.name.clone(), selected);
                self.enqueue(cx, key);
            }
        }
    }

    pub(crate) fn pod_changed(&mut self, cx: &mut Context, before: Option<&PodFacts>, after: Option<&PodFacts>) {
        let Some(pod) = after.or(before) else { return };
        let Some(services) = self.services.get_mut(&pod.key.namespace) else { return };
        let matters = seen(before) != seen(after);
        let mut touched = Vec::new();
        for (name, selected) in services {
            let taken = after.is_some_and(|pod| selected.takes(&pod.object));
            let changed = if taken { selected.pods.insert(pod.uid.clone()) } else { selected.pods.remove(&pod.uid) };
            if changed || (taken && matters) {
                touched.push(Key { namespace: pod.key.namespace.clone(), name: name.clone() });
            }
        }
        for key in touched {
            self.enqueue(cx, key);
        }
    }

    fn enqueue(&mut self, cx: &mut Context, key: Key) {
        let pods = self.services.get(&key.namespace).and_then(|here| here.get(&key.name)).map_or(0, |s| s.pods.len());
        if self.queued.insert(key.clone()) {
            let more = DELAY_EACH.saturating_mul(u32::try_from(pods).unwrap_or(u32::MAX));
            cx.timers.after(DELAY + more, Task::Endpoints(key));
        }
    }

    /// Brings both kinds into agreement with a Service's pods.
    pub(crate) fn reconcile(&mut self, cx: &mut Context, pods: &Pods, key: &Key) {
        self.queued.remove(key);
        let selected = self.services.get(&key.namespace).and_then(|here| here.get(&key.name));
        let (Some(selected), Some(service)) = (selected, cx.store.find(Resource::Service, &key.namespace, &key.name))
        else {
            return;
        };
        if service.meta.deleting {
            return;
        }
        let value = service.value();
        let mut places: Vec<Place> =
            selected.pods.iter().filter_map(|uid| Place::of(&pods.get(uid)?.object, &value)).collect();
        places.sort_by(|one, other| one.name.cmp(&other.name));
        subsets::write(cx, &service, &value, &places);
        slices::write(cx, &service, &value, &places);
    }
}

/// What the two kinds show of a pod.
fn seen(pod: Option<&PodFacts>) -> Option<(bool, bool, bool, Option<&str>)> {
    pod.map(|pod| (pod.ready.is_some(), pod.deleting, pod.ended, pod.object.meta.field("status.podIP")))
}

/// A Service's selector; none where it selects nothing.
fn selector(service: &Value) -> Option<Vec<(Box<str>, Box<str>)>> {
    let map = service["spec"]["selector"].as_object().filter(|map| !map.is_empty())?;
    Some(map.iter().map(|(key, value)| (key.as_str().into(), value.as_str().unwrap_or_default().into())).collect())
}

/// A Service without an address of its own.
fn is_headless(service: &Value) -> bool {
    service["spec"]["clusterIP"] == "None"
}
