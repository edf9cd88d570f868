//! The leader's allocator: [`ipam::operator::Operator`] between the store's changes and the store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use events::Invariant;
use ipam::operator::{
    ApiAnswer, ApiRequest, Change as Touched, Choice, CiliumNodeApi, Event, Exchange, NodeSnapshot, Operator, Order,
};
use serde::Deserialize;

use super::{OperatorStep, Operators, Stage};
use crate::store::{Change, ChangeKind, Resource, Store, Stored};
use crate::tree::{Tree, tree};
use crate::world::{ByName, Context, Name, Names, Rng, Task, or_default};

/// The leader's view of CiliumNodes.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Changed and not looked at yet, each once, in the order of their first change: a work queue.
    queue: VecDeque<Name>,
    queued: Names,
    /// The change that came when nothing was queued: its handler has that version in its hands, and waits for the lock if a batch of
    /// writes holds it, while what comes later goes by the queue. So an operator sees the podCIDRs that it wrote before it sees the error
    /// that it wrote next, and erases the error.
    in_hand: Option<Stored>,
    asked: bool,
    /// Generation and error of the version that was looked at last.
    last: ByName<(i64, String)>,
    /// When the allocator is to be woken.
    wake_at: Option<Duration>,
}

#[derive(Deserialize)]
struct View {
    #[serde(default, deserialize_with = "or_default")]
    metadata: MetadataView,
    #[serde(default, deserialize_with = "or_default")]
    spec: SpecView,
    #[serde(default, deserialize_with = "or_default")]
    status: StatusView,
}

#[derive(Default, Deserialize)]
struct MetadataView {
    #[serde(default, deserialize_with = "or_default")]
    annotations: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
struct SpecView {
    #[serde(default, deserialize_with = "or_default")]
    ipam: SpecIpamView,
}

#[derive(Default, Deserialize)]
struct SpecIpamView {
    #[serde(default, rename = "podCIDRs", deserialize_with = "or_default")]
    pod_cidrs: Vec<String>,
}

#[derive(Default, Deserialize)]
struct StatusView {
    #[serde(default, deserialize_with = "or_default")]
    ipam: StatusIpamView,
}

#[derive(Default, Deserialize)]
struct StatusIpamView {
    #[serde(default, rename = "operator-status", deserialize_with = "or_default")]
    operator_status: OperatorStatusView,
}

#[derive(Default, Deserialize)]
struct OperatorStatusView {
    #[serde(default, deserialize_with = "or_default")]
    error: String,
}

fn snapshot(object: &Stored) -> NodeSnapshot {
    let view: View = object.read().unwrap_or_else(|_| View {
        metadata: MetadataView::default(),
        spec: SpecView::default(),
        status: StatusView::default(),
    });
    NodeSnapshot {
        name: object.meta.name.to_string(),
        resource_version: object.meta.resource_version,
        pod_cidrs: view.spec.ipam.pod_cidrs,
        error: view.status.ipam.operator_status.error,
        ignore: view.metadata.annotations.get(cilium::components::IGNORE_ANNOTATION).cloned(),
        deleting: object.meta.deleting,
    }
}

/// The store, as the allocator's API server.
struct Api<'a> {
    store: &'a Store,
    flaws: &'a BTreeSet<Invariant>,
}

impl Api<'_> {
    /// With the flaw that breaks `podcidrs-disjoint`: the range that some other node has.
    fn range_of_another(&self, name: &str) -> Option<Vec<String>> {
        if !self.flaws.contains(&Invariant::PodCidrsDisjoint) {
            return None;
        }
        let (objects, _) = self.store.list(Resource::CiliumNode, None, &crate::store::Selection::all());
        let others = objects.iter().map(snapshot).filter(|other: &NodeSnapshot| other.name != name);
        others.map(|other| other.pod_cidrs).find(|cidrs| !cidrs.is_empty())
    }

    fn write(&self, name: &str, version: u64, change: impl FnOnce(&mut Tree)) -> ApiAnswer {
        let Some(old) = self.store.find(Resource::CiliumNode, "", name) else { return ApiAnswer::NotFound };
        if old.meta.resource_version != version {
            return ApiAnswer::Conflict;
        }
        match self.store.mutate(Resource::CiliumNode, "", name, change) {
            Ok(object) => ApiAnswer::Ok(snapshot(&object)),
            Err(status) if status.code == 404 => ApiAnswer::NotFound,
            Err(_) => ApiAnswer::Failed,
        }
    }
}

impl CiliumNodeApi for Api<'_> {
    fn call(&mut self, _at: Duration, request: &ApiRequest) -> ApiAnswer {
        match request {
            ApiRequest::Get { name } => {
                let found = self.store.find(Resource::CiliumNode, "", name);
                found.map_or(ApiAnswer::NotFound, |object| ApiAnswer::Ok(snapshot(&object)))
            }
            ApiRequest::Update { name, resource_version, pod_cidrs } => {
                let taken = self.range_of_another(name);
                let pod_cidrs = taken.as_ref().unwrap_or(pod_cidrs);
                self.write(name, *resource_version, |node| {
                    let ipam = &mut node["spec"]["ipam"];
                    if pod_cidrs.is_empty() {
                        if let Some(map) = ipam.as_object_mut() {
                            map.remove("podCIDRs");
                        }
                    } else {
                        ipam["podCIDRs"] = tree!(pod_cidrs);
                    }
                })
            }
            ApiRequest::UpdateStatus { name, resource_version, error } => self.write(name, *resource_version, |node| {
                for key in ["alibaba-cloud", "azure", "eni"] {
                    if node["status"][key].is_null() {
                        node["status"][key] = tree!({});
                    }
                }
                let silent = self.flaws.contains(&Invariant::ForeignPodCidrReported);
                if let Some(map) = node["spec"]["ipam"].as_object_mut()
                    && self.flaws.contains(&Invariant::PodCidrsNeverEmptied)
                {
                    map.remove("podCIDRs");
                }
                node["status"]["ipam"]["operator-status"] =
                    if error.is_empty() || silent { tree!({}) } else { tree!({"error": error}) };
            }),
        }
    }
}

/// Go's map iteration and the watch's first list, drawn from the seed.
struct Drawn<'a>(&'a mut Rng);

impl Order for Drawn<'_> {
    fn arrange(&mut self, _choice: Choice, names: &mut [String]) {
        self.0.shuffle(names);
    }
}

impl Operators {
    pub(crate) fn cilium_node_changed(&mut self, cx: &mut Context, change: &Change) {
        let Some(process) = self.leader.as_ref().and_then(|pod| self.processes.get(pod)) else { return };
        if !matches!(process.stage, Stage::Leading { machine: Some(_), synced: true }) {
            return;
        }
        let idle = !std::mem::replace(&mut self.watched.asked, true);
        let name: Name = (*change.object.meta.name).into();
        if idle && change.kind != ChangeKind::Deleted {
            self.watched.in_hand = Some(change.object.clone());
        } else if self.watched.queued.insert(name.clone()) {
            self.watched.queue.push_back(name);
        }
        if idle {
            let task = Task::Operator(process.pod.clone(), process.life, OperatorStep::Deliver);
            let span = cx.pace.watch;
            cx.later(span, task);
        }
    }

    pub(super) fn start_allocator(&mut self, cx: &mut Context, pod: &Name) {
        self.watched = Watched::default();
        let (objects, _) = cx.store.list(Resource::CiliumNode, None, &crate::store::Selection::all());
        let mut names: Vec<String> = objects.iter().map(|object| object.meta.name.to_string()).collect();
        Operator::arrange_list(self.release, &mut names, &mut Drawn(&mut cx.rng));
        for name in &names {
            self.give(cx, pod, name);
        }
        self.feed(cx, pod, Event::Synced);
    }

    /// Hands one CiliumNode to the allocator, as it is now.
    fn give(&mut self, cx: &mut Context, pod: &Name, name: &str) {
        if let Some(object) = cx.store.find(Resource::CiliumNode, "", name) {
            return self.give_version(cx, pod, &object);
        }
        self.watched.last.remove(name);
        self.feed(cx, pod, Event::Deleted { name: name.to_owned() });
    }

    fn give_version(&mut self, cx: &mut Context, pod: &Name, object: &Stored) {
        let node = snapshot(object);
        let now = (object.meta.generation, node.error.clone());
        let before = self.watched.last.insert((*object.meta.name).into(), now.clone());
        let change = if before == Some(now) { Touched::Metadata } else { Touched::Content };
        self.feed(cx, pod, Event::Upsert { node, change });
    }

    pub(super) fn deliver(&mut self, cx: &mut Context, pod: &Name) {
        self.watched.asked = false;
        if let Some(object) = self.watched.in_hand.take() {
            self.give_version(cx, pod, &object);
        }
        self.watched.queued.clear();
        for name in std::mem::take(&mut self.watched.queue) {
            self.give(cx, pod, &name);
        }
    }

    pub(super) fn wake(&mut self, cx: &mut Context, pod: &Name) {
        self.watched.wake_at = None;
        let now = cx.timers.now();
        let Some(Stage::Leading { machine: Some(machine), .. }) =
            self.processes.get_mut(pod).map(|process| &mut process.stage)
        else {
            return;
        };
        let exchanges =
            machine.on_time_with(now, &mut Drawn(&mut cx.rng), &mut Api { store: &cx.store, flaws: &cx.flaws });
        self.after(cx, pod, exchanges);
    }

    fn feed(&mut self, cx: &mut Context, pod: &Name, event: Event) {
        let now = cx.timers.now();
        let Some(Stage::Leading { machine: Some(machine), .. }) =
            self.processes.get_mut(pod).map(|process| &mut process.stage)
        else {
            return;
        };
        let exchanges =
            machine.handle_with(now, event, &mut Drawn(&mut cx.rng), &mut Api { store: &cx.store, flaws: &cx.flaws });
        self.after(cx, pod, exchanges);
    }

    /// Logs what was said and sets the alarm.
    fn after(&mut self, cx: &mut Context, pod: &Name, exchanges: Vec<Exchange>) {
        for exchange in exchanges {
            if let Exchange::Log { line, .. } = exchange {
                self.log(cx, pod, &[line], &[]);
            }
        }
        let Some(process) = self.processes.get(pod) else { return };
        let Stage::Leading { machine: Some(machine), .. } = &process.stage else { return };
        let Some(at) = machine.next_timer() else { return };
        if self.watched.wake_at.is_none_or(|asked| at < asked) {
            self.watched.wake_at = Some(at);
            let wait = at.saturating_sub(cx.timers.now());
            cx.timers.after(wait, Task::Operator(pod.clone(), process.life, OperatorStep::Wake));
        }
    }
}
