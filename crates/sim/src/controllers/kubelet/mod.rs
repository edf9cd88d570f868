//! The kubelets of all nodes: pods from bound to gone.

mod container;
mod status;
mod trouble;
mod view;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ecow::EcoString;

use super::pods::PodFacts;
use super::scheduler::set_condition;
use crate::store::{DeleteOptions, Resource, Stored};
use crate::tree::tree;
use crate::world::pace::{BACK_OFF_FIRST, BACK_OFF_MOST};
use crate::world::{ByName, Context, Key, Name, Note, PodStep, Program, Signal, Source, Task};
use container::{Container, End};
use view::PodView;

pub(crate) use trouble::disk_full;

/// A pod as its kubelet knows it.
#[derive(Debug)]
pub(crate) struct Local {
    key: Key,
    uid: Name,
    node: Name,
    view: Arc<PodView>,
    stage: Stage,
    started: Option<EcoString>,
    addresses: Vec<IpAddr>,
    inits: Vec<Container>,
    containers: Vec<Container>,
    deleting: bool,
    /// Timers of an earlier life of the pod's sandbox are void.
    life: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Bound,
    /// Waits for its sandbox's network.
    Sandbox,
    Initializing,
    Running,
    Stopping,
}

/// What is known of a machine.
#[derive(Debug, Default)]
struct Machine {
    running: bool,
    addresses: Vec<String>,
    pods: BTreeSet<Name>,
}

/// All kubelets.
#[derive(Debug, Default)]
pub(crate) struct Kubelets {
    machines: ByName<Machine>,
    pods: ByName<Local>,
    views: view::Views,
    images: view::Images,
    /// Images that are not on any node, by the beginning of their names.
    absent: Vec<String>,
}

impl Kubelets {
    /// A machine with these addresses runs from now on.
    pub(crate) fn machine_runs(&mut self, node: &Name, addresses: Vec<String>) {
        let machine = self.machines.entry(node.clone()).or_default();
        machine.running = true;
        machine.addresses = addresses;
    }

    /// A machine stops, and everything on it. Nobody is told.
    pub(crate) fn machine_stops(&mut self, cx: &mut Context, node: &Name) {
        let Some(machine) = self.machines.get_mut(node) else { return };
        machine.running = false;
        for uid in machine.pods.clone() {
            let Some(pod) = self.pods.get_mut(&uid) else { continue };
            pod.life += 1;
            let program = pod.view.program();
            if pod.stage >= Stage::Running {
                cx.signals.push_back(Signal::Stopped { pod: uid.clone(), node: node.clone(), program });
            }
        }
    }

    /// After a machine's start: its pods that are still wanted begin anew, with one restart more each.
    pub(crate) fn resume(&mut self, cx: &mut Context, node: &Name) {
        let uids = self.machines.get(node).map(|machine| machine.pods.clone()).unwrap_or_default();
        for uid in uids {
            let there = cx.store.find_uid(&uid);
            let Some(pod) = self.pods.get_mut(&uid) else { continue };
            let Some(object) = there else {
                self.forget(cx, &uid);
                continue;
            };
            if object.meta.deleting {
                self.finish(cx, &uid);
                continue;
            }
            let at = cx.stamp();
            for container in pod.inits.iter_mut().chain(&mut pod.containers) {
                container.machine_restarted(&at);
            }
            pod.stage = Stage::Bound;
            pod.addresses.clear();
            let life = pod.life;
            let span = cx.pace.notice;
            cx.later(span, Task::Pod(uid, life, PodStep::Notice));
        }
    }

    /// Whether a machine runs.
    pub(crate) fn is_running(&self, node: &str) -> bool {
        self.machines.get(node).is_some_and(|machine| machine.running)
    }

    /// The pod of that UID, if a kubelet has it.
    pub(crate) fn get(&self, uid: &str) -> Option<&Local> {
        self.pods.get(uid)
    }

    pub(crate) fn pod_changed(&mut self, cx: &mut Context, before: Option<&PodFacts>, after: Option<&PodFacts>) {
        let Some(pod) = after else {
            if let Some(pod) = before {
                self.removed(cx, pod);
            }
            return;
        };
        let Some(node) = &pod.node else { return };
        if let Some(local) = self.pods.get_mut(&pod.uid) {
            if pod.deleting && !local.deleting {
                local.deleting = true;
                self.stop(cx, &pod.uid, &pod.object);
            }
            return;
        }
        // A static pod's mirror is its kubelet's own doing.
        if view::is_mirror(&pod.object) || pod.ended {
            return;
        }
        let local = self.begin(pod, node);
        let (uid, life) = (local.uid.clone(), local.life);
        let deleting = local.deleting;
        self.machines.entry(node.clone()).or_default().pods.insert(uid.clone());
        self.pods.insert(uid.clone(), local);
        if deleting {
            self.stop(cx, &uid, &pod.object);
        } else {
            let span = cx.pace.notice;
            cx.later(span, Task::Pod(uid, life, PodStep::Notice));
        }
    }

    fn begin(&mut self, pod: &PodFacts, node: &Name) -> Local {
        let view = self.views.read(&pod.object);
        let spec = &pod.object.tree()["spec"];
        let mut made = |views: &[view::ContainerView], list: &str| -> Vec<Container> {
            let specs = spec[list].as_array().into_iter().flatten();
            views.iter().zip(specs).map(|(one, spec)| Container::new(one, spec, &mut self.images)).collect()
        };
        Local {
            key: pod.key.clone(),
            uid: pod.uid.clone(),
            node: node.clone(),
            stage: Stage::Bound,
            started: None,
            addresses: Vec::new(),
            inits: made(&view.init_containers, "initContainers"),
            containers: made(&view.containers, "containers"),
            deleting: pod.deleting,
            life: 0,
            view,
        }
    }

    /// The API has forgotten a pod: whatever is left of it here ends too.
    fn removed(&mut self, cx: &mut Context, pod: &PodFacts) {
        cx.events.forget(&pod.uid);
        let Some(local) = self.pods.get(&pod.uid) else {
            cx.logs.forget(&pod.uid);
            return;
        };
        if self.is_running(&local.node) {
            self.end_processes(cx, &pod.uid);
        }
        self.forget(cx, &pod.uid);
    }

    fn forget(&mut self, cx: &mut Context, uid: &Name) {
        cx.logs.forget(uid);
        if let Some(local) = self.pods.remove(uid)
            && let Some(machine) = self.machines.get_mut(&local.node)
        {
            machine.pods.remove(uid);
        }
    }

    fn end_processes(&mut self, cx: &mut Context, uid: &Name) {
        let Some(local) = self.pods.get_mut(uid) else { return };
        let (node, program) = (local.node.clone(), local.view.program());
        if local.containers.iter().any(Container::is_running) {
            cx.signals.push_back(Signal::Stopped { pod: uid.clone(), node: node.clone(), program });
        }
        if !local.view.host_network && local.stage > Stage::Bound {
            cx.signals.push_back(Signal::SandboxGone { pod: uid.clone(), node });
        }
        local.stage = Stage::Stopping;
        local.life += 1;
    }

    fn stop(&mut self, cx: &mut Context, uid: &Name, object: &Stored) {
        let Some(local) = self.pods.get(uid) else { return };
        if !self.is_running(&local.node) {
            return;
        }
        let grace = Duration::from_secs(view::grace(object));
        let running = local.containers.iter().any(Container::is_running);
        let took = cx.rng.between(cx.pace.stop);
        let wait = match (running, local.view.heeds_sigterm()) {
            (false, _) => took / 4,
            (true, true) => took.min(grace),
            (true, false) => grace,
        };
        self.note(cx, uid, |container| vec![("Killing", format!("Stopping container {}", container.name))]);
        let Some(local) = self.pods.get(uid) else { return };
        let (life, node) = (local.life, local.node.clone());
        // An agent closes its API first of all: whoever wants an address from then on waits for its successor.
        if running && local.view.program() == Program::Agent {
            cx.signals.push_back(Signal::Stopped { pod: uid.clone(), node, program: Program::Agent });
        }
        cx.timers.after(wait, Task::Pod(uid.clone(), life, PodStep::Gone));
    }

    /// The containers have ended: the pod can go.
    fn finish(&mut self, cx: &mut Context, uid: &Name) {
        self.end_processes(cx, uid);
        let Some(local) = self.pods.get(uid) else { return };
        let options = DeleteOptions { grace_seconds: Some(0), uid: Some(uid.to_string()), ..DeleteOptions::default() };
        // Gone already, or another pod of that name: either way this one is over.
        let _ = cx.store.delete(Resource::Pod, &local.key.namespace, &local.key.name, &options);
    }

    /// A timer of a pod.
    pub(crate) fn step(&mut self, cx: &mut Context, uid: &Name, life: u32, step: PodStep) {
        let Some(local) = self.pods.get_mut(uid) else { return };
        if local.life != life || !self.machines.get(&local.node).is_some_and(|machine| machine.running) {
            return;
        }
        if local.deleting && step != PodStep::Gone {
            return;
        }
        match step {
            PodStep::Notice => self.noticed(cx, uid),
            PodStep::Sandbox => {
                let (pod, node) = (uid.clone(), local.node.clone());
                if local.view.host_network {
                    self.sandboxed(cx, uid, Vec::new());
                } else {
                    cx.signals.push_back(Signal::WantsAddress { pod, node });
                }
            }
            PodStep::Init(index) => self.init_done(cx, uid, index),
            PodStep::Start => self.start(cx, uid),
            PodStep::Probe => self.ready(cx, uid, true),
            PodStep::Restart(index) => self.restart(cx, uid, index),
            PodStep::Gone => self.finish(cx, uid),
        }
    }

    fn noticed(&mut self, cx: &mut Context, uid: &Name) {
        let now = cx.stamp();
        let Some(local) = self.pods.get_mut(uid) else { return };
        local.stage = Stage::Sandbox;
        local.started.get_or_insert(now);
        let life = local.life;
        let span = cx.pace.sandbox;
        self.write_status(cx, uid);
        cx.later(span, Task::Pod(uid.clone(), life, PodStep::Sandbox));
    }

    /// An agent gave addresses.
    pub(crate) fn has_address(&mut self, cx: &mut Context, uid: &Name, addresses: Vec<IpAddr>) {
        let waiting = self.pods.get(uid).is_some_and(|local| local.stage == Stage::Sandbox && !local.deleting);
        if waiting {
            self.sandboxed(cx, uid, addresses);
        } else if let Some(local) = self.pods.get(uid) {
            cx.signals.push_back(Signal::SandboxGone { pod: uid.clone(), node: local.node.clone() });
        }
    }

    /// An agent gave none: later again.
    pub(crate) fn no_address(&mut self, cx: &mut Context, uid: &Name, why: &str) {
        let Some(local) = self.pods.get(uid) else { return };
        if local.stage != Stage::Sandbox || local.deleting {
            return;
        }
        let (life, node) = (local.life, local.node.clone());
        let sandbox =
            format!("{:016x}{:016x}{:016x}{:016x}", cx.rng.bits(), cx.rng.bits(), cx.rng.bits(), cx.rng.bits());
        let text = format!(
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"{sandbox}\": {why}"
        );
        if let Some(object) = cx.store.find_uid(uid) {
            let source = Source { component: "kubelet", host: &node };
            cx.events.write(&cx.store, &object, source, Note::warning("FailedCreatePodSandBox", text));
        }
        let span = cx.pace.sandbox_retry;
        cx.later(span, Task::Pod(uid.clone(), life, PodStep::Sandbox));
    }

    fn sandboxed(&mut self, cx: &mut Context, uid: &Name, addresses: Vec<IpAddr>) {
        let Some(local) = self.pods.get_mut(uid) else { return };
        local.addresses = addresses;
        local.stage = Stage::Initializing;
        let life = local.life;
        if local.inits.is_empty() {
            let span = cx.pace.container;
            cx.later(span, Task::Pod(uid.clone(), life, PodStep::Start));
        } else {
            let now = cx.stamp();
            local.inits[0].begin(&now);
            self.write_status(cx, uid);
            let span = cx.pace.init_container;
            cx.later(span, Task::Pod(uid.clone(), life, PodStep::Init(0)));
        }
    }

    fn init_done(&mut self, cx: &mut Context, uid: &Name, index: usize) {
        let now = cx.stamp();
        let Some(local) = self.pods.get_mut(uid) else { return };
        let Some(container) = local.inits.get_mut(index) else { return };
        container.complete(&now);
        if local.view.program() == Program::Agent && container.name == cilium::components::CONFIG_INIT_CONTAINER {
            cx.signals.push_back(Signal::Configured { pod: uid.clone() });
        }
        let life = local.life;
        // Each start shows in real life; with thousands of agents only the first and the last do here.
        let everyday = cx.events.everyday;
        if let Some(next) = local.inits.get_mut(index + 1) {
            next.begin(&now);
            if everyday {
                self.write_status(cx, uid);
            }
            let span = cx.pace.init_container;
            cx.later(span, Task::Pod(uid.clone(), life, PodStep::Init(index + 1)));
        } else {
            if everyday {
                self.write_status(cx, uid);
            }
            let span = cx.pace.container;
            cx.later(span, Task::Pod(uid.clone(), life, PodStep::Start));
        }
    }

    fn start(&mut self, cx: &mut Context, uid: &Name) {
        let now = cx.stamp();
        if self.lacks_image(cx, uid) {
            return;
        }
        self.speak(cx, uid);
        let Some(local) = self.pods.get_mut(uid) else { return };
        local.stage = Stage::Running;
        let (life, node, program) = (local.life, local.node.clone(), local.view.program());
        for container in &mut local.containers {
            container.begin(&now);
        }
        if program != Program::Other {
            cx.signals.push_back(Signal::Started { pod: uid.clone(), node, program });
            self.write_status(cx, uid);
        } else if let Some(end) = local.view.ends() {
            self.write_status(cx, uid);
            let span = cx.pace.stop;
            let wait = cx.rng.between(span);
            cx.timers.after(wait, Task::Exit(uid.clone(), life, end));
        } else if local.view.has_probe() {
            self.write_status(cx, uid);
            let span = cx.pace.probe;
            let delay = local_delay(self.pods.get(uid)) + cx.rng.between(span);
            cx.timers.after(delay, Task::Pod(uid.clone(), life, PodStep::Probe));
        } else {
            self.set_ready(uid, true);
            self.write_status(cx, uid);
        }
        self.note(cx, uid, |container| {
            vec![
                ("Pulled", format!("Container image {:?} already present on machine", container.image)),
                ("Created", format!("Created container: {}", container.name)),
                ("Started", format!("Started container {}", container.name)),
            ]
        });
    }

    /// As [`Self::speak`], of one container.
    fn speak_again(&self, cx: &mut Context, uid: &Name, index: usize) {
        let container = self.pods.get(uid).and_then(|local| local.view.containers.get(index));
        let Some(container) = container else { return };
        let now = cx.store.now();
        for line in container.says() {
            cx.logs.write(uid, &container.name, now, line);
        }
    }

    /// What its containers write as they start.
    fn speak(&self, cx: &mut Context, uid: &Name) {
        let Some(local) = self.pods.get(uid) else { return };
        let now = cx.store.now();
        for container in &local.view.containers {
            for line in container.says() {
                cx.logs.write(uid, &container.name, now, line);
            }
        }
    }

    fn set_ready(&mut self, uid: &Name, ready: bool) {
        for container in self.pods.get_mut(uid).into_iter().flat_map(|local| &mut local.containers) {
            container.ready = ready && container.is_running();
        }
    }

    /// A probe's answer.
    pub(crate) fn ready(&mut self, cx: &mut Context, uid: &Name, ready: bool) {
        let changes = self
            .pods
            .get(uid)
            .is_some_and(|local| local.stage == Stage::Running && local.containers.iter().any(|c| c.ready != ready));
        if changes {
            self.set_ready(uid, ready);
            self.write_status(cx, uid);
        }
    }

    /// A process that ends by itself, of a pod's first life or a later one.
    pub(crate) fn exit_of_life(&mut self, cx: &mut Context, uid: &Name, life: u32, code: i32) {
        if self.pods.get(uid).is_some_and(|local| local.life == life) {
            self.exited(cx, uid, code, "");
        }
    }

    /// A process has ended by itself: it is started again, at once the first time, then after longer and longer waits.
    pub(crate) fn exited(&mut self, cx: &mut Context, uid: &Name, code: i32, message: &str) {
        let now = cx.stamp();
        let instant = cx.store.now();
        let Some(local) = self.pods.get_mut(uid) else { return };
        if local.stage != Stage::Running || local.deleting {
            return;
        }
        let (node, program, life) = (local.node.clone(), local.view.program(), local.life);
        let Some(container) = local.containers.first_mut() else { return };
        let ran = container.ran(instant);
        container.end(&now, End { code, message: message.to_owned() });
        cx.signals.push_back(Signal::Stopped { pod: uid.clone(), node, program });
        if local.view.stays_ended(code) {
            self.write_status(cx, uid);
            return;
        }
        if ran >= BACK_OFF_MOST * 2 {
            container.back_off = None;
        }
        let wait = match container.back_off {
            None => {
                container.back_off = Some(Duration::ZERO);
                Duration::ZERO
            }
            Some(Duration::ZERO) => BACK_OFF_FIRST,
            Some(last) => (last * 2).min(BACK_OFF_MOST),
        };
        if !wait.is_zero() {
            container.back_off = Some(wait);
            let text = format!(
                "back-off {} restarting failed container={} pod={}_{}({uid})",
                go_duration(wait),
                container.name,
                local.key.name,
                local.key.namespace
            );
            container.wait("CrashLoopBackOff", &text);
        }
        self.write_status(cx, uid);
        if !wait.is_zero() {
            let Some(local) = self.pods.get(uid) else { return };
            let Key { namespace, name } = local.key.clone();
            let first = local.containers.first().map(|container| container.name.clone());
            if let (Some(object), Some(container)) = (cx.store.find_uid(uid), first) {
                let text = format!("Back-off restarting failed container {container} in pod {name}_{namespace}({uid})");
                let source = Source { component: "kubelet", host: &local.node };
                cx.events.write(&cx.store, &object, source, Note::warning("BackOff", text));
            }
        }
        let start = cx.rng.between(cx.pace.container);
        cx.timers.after(wait + start, Task::Pod(uid.clone(), life, PodStep::Restart(0)));
    }

    /// Kills a pod's first container, as a crash does.
    pub(crate) fn crash(&mut self, cx: &mut Context, uid: &Name, code: i32) {
        self.exited(cx, uid, code, "");
    }

    fn restart(&mut self, cx: &mut Context, uid: &Name, index: usize) {
        let now = cx.stamp();
        let Some(local) = self.pods.get_mut(uid) else { return };
        let (node, program, life) = (local.node.clone(), local.view.program(), local.life);
        let Some(container) = local.containers.get_mut(index) else { return };
        container.restarts += 1;
        container.begin(&now);
        cx.logs.turn(uid, &container.name);
        self.speak_again(cx, uid, index);
        let Some(local) = self.pods.get_mut(uid) else { return };
        let probe = local.view.has_probe();
        if program != Program::Other {
            cx.signals.push_back(Signal::Started { pod: uid.clone(), node, program });
            self.write_status(cx, uid);
        } else if let Some(end) = local.view.ends() {
            self.write_status(cx, uid);
            let wait = cx.rng.between(cx.pace.stop);
            cx.timers.after(wait, Task::Exit(uid.clone(), life, end));
        } else if probe {
            self.write_status(cx, uid);
            let span = cx.pace.probe;
            cx.later(span, Task::Pod(uid.clone(), life, PodStep::Probe));
        } else {
            self.set_ready(uid, true);
            self.write_status(cx, uid);
        }
    }

    /// Everyday events about each container.
    fn note(&self, cx: &mut Context, uid: &Name, notes: impl Fn(&Container) -> Vec<(&'static str, String)>) {
        if !cx.events.everyday {
            return;
        }
        let (Some(local), Some(object)) = (self.pods.get(uid), cx.store.find_uid(uid)) else { return };
        for container in &local.containers {
            let source = Source { component: "kubelet", host: &local.node };
            for (reason, text) in notes(container) {
                let note = Note::normal(reason, text).about(&container.name);
                cx.events.write(&cx.store, &object, source, note);
            }
        }
    }

    fn write_status(&self, cx: &mut Context, uid: &Name) {
        let Some(local) = self.pods.get(uid) else { return };
        let hosts = self.machines.get(&local.node).map(|machine| machine.addresses.clone()).unwrap_or_default();
        status::write(cx, local, &hosts);
    }

    /// The pods of an unreachable node are not ready any more, as far as anybody can tell.
    pub(crate) fn presume_unready(&mut self, cx: &mut Context, node: &Name) {
        let uids = self.machines.get(node).map(|machine| machine.pods.clone()).unwrap_or_default();
        let now = cx.stamp();
        for uid in uids {
            let Some(local) = self.pods.get(&uid) else { continue };
            cx.change(Resource::Pod, &local.key, |pod| {
                let ready = pod["status"]["conditions"]
                    .as_array()
                    .is_some_and(|list| list.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"));
                if ready {
                    let condition =
                        tree!({"type": "Ready", "status": "False", "lastProbeTime": null, "lastTransitionTime": now});
                    set_condition(pod, condition);
                }
            });
        }
    }
}

fn local_delay(local: Option<&Local>) -> Duration {
    local.map(|local| local.view.probe_delay()).unwrap_or_default()
}

/// As Go prints it: `10s`, `1m20s`, `5m0s`.
fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) }
}

impl Local {
    /// Its pod's name.
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// Its pod's UID.
    pub(crate) fn uid(&self) -> &Name {
        &self.uid
    }

    /// The node that it is on.
    pub(crate) fn node(&self) -> &Name {
        &self.node
    }

    /// Whether it uses the node's network.
    pub(crate) fn host_network(&self) -> bool {
        self.view.host_network
    }

    /// Whether it is on its way out.
    pub(crate) fn is_deleting(&self) -> bool {
        self.deleting
    }

    /// Whether its kubelet asks it how it is.
    pub(crate) fn is_probed(&self) -> bool {
        self.view.has_probe()
    }

    /// Its own addresses.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// What its first container runs, as far as the model cares.
    pub(crate) fn program(&self) -> Program {
        self.view.program()
    }

    /// Names of its containers, and whether each runs.
    pub(crate) fn containers(&self) -> impl Iterator<Item = (&str, bool)> {
        self.containers.iter().map(|container| (container.name.as_str(), container.is_running()))
    }
}
