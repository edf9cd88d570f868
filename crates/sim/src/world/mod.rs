//! The world behind the API: machines, controllers and Cilium, in one loop.
//!
//! Changes of objects come in, in the store's order; each part takes them in and may ask for tasks; tasks are carried out one at a
//! time, by time. Nothing else happens: with the same seed and the same requests, everything happens in the same order.

mod boot;
mod context;
mod events;
mod feed;
mod handle;
mod hooks;
mod kubeadm;
mod lenient;
mod logs;
mod machines;
pub(crate) mod pace;
mod rng;
mod shape;
mod timers;

pub use handle::{ExecError, Fault, World, WorldError};
pub use logs::LogLine;
pub use shape::{KUBERNETES, Shape};

pub(crate) use context::{ByName, Context, Key, Name, Names, Program, Signal};
pub(crate) use events::{Note, Recorder, Source};
pub(crate) use lenient::or_default;
pub(crate) use logs::Logs;
pub(crate) use machines::{Machine, MachineStep, Machines};
pub(crate) use pace::Pace;
pub(crate) use rng::Rng;
pub(crate) use timers::Timers;

#[cfg(test)]
mod tests;

use crate::cilium::{AgentStep, Agents, Configs, Helm, OperatorStep, Operators, operators};
use crate::controllers::endpoints;
use crate::controllers::{
    DaemonSets, Deployments, EndpointsOfServices, Kubelets, NodeIpam, NodeIpamError, NodeLifecycle, Nodes, Pods,
    ReplicaSets, Scheduler,
};
use crate::store::{Change, ChangeKind, Resource, Store};

/// Clusters up to this size have everyday events.
const EVERYDAY: u32 = 50;

/// A step in a pod's life on its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PodStep {
    Notice,
    Sandbox,
    Init(usize),
    Start,
    Probe,
    Restart(usize),
    Gone,
}

/// What is to be done at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Task {
    Deployment(Key),
    ReplicaSet(Key),
    DaemonSet(Name),
    Endpoints(Key),
    Schedule,
    Pod(Name, u32, PodStep),
    Exit(Name, u32, i32),
    ProbeFails(Name),
    NodeCidr(Name),
    NodeTaints(Name),
    Evict(Name),
    PodGc(Name),
    Machine(Name, u32, MachineStep),
    Agent(Name, u32, AgentStep),
    Operator(Name, u32, OperatorStep),
}

/// Everything that acts on the cluster.
#[derive(Debug)]
pub(crate) struct Actors {
    pub(crate) cx: Context,
    shape: Shape,
    pub(crate) machines: Machines,
    pub(crate) pods: Pods,
    pub(crate) nodes: Nodes,
    deployments: Deployments,
    replica_sets: ReplicaSets,
    daemon_sets: DaemonSets,
    endpoints: EndpointsOfServices,
    scheduler: Scheduler,
    pub(crate) kubelets: Kubelets,
    node_ipam: NodeIpam,
    node_lifecycle: NodeLifecycle,
    configs: Configs,
    pub(crate) agents: Agents,
    pub(crate) operators: Operators,
    pub(crate) helm: Helm,
}

impl Actors {
    /// A cluster as it is just before its first node joins.
    fn new(store: Store, shape: Shape) -> Result<Self, NodeIpamError> {
        let node_ipam = NodeIpam::new(&shape.pod_subnet, &shape.controller_manager)?;
        let mut cx = Context {
            store,
            rng: Rng::new(shape.seed),
            timers: Timers::new(shape.speed),
            pace: Pace::default(),
            signals: std::collections::VecDeque::new(),
            logs: Logs::default(),
            events: Recorder::new(shape.workers <= EVERYDAY),
            flaws: std::collections::BTreeSet::new(),
        };
        boot::furnish(&cx, &shape);
        let mut machines = Machines::new(&shape, &mut cx);
        machines.boot(&mut cx);
        Ok(Self {
            machines,
            pods: Pods::default(),
            nodes: Nodes::default(),
            deployments: Deployments::default(),
            replica_sets: ReplicaSets::default(),
            daemon_sets: DaemonSets::default(),
            endpoints: EndpointsOfServices::default(),
            scheduler: Scheduler::default(),
            kubelets: Kubelets::default(),
            node_ipam,
            node_lifecycle: NodeLifecycle::default(),
            configs: Configs::default(),
            agents: Agents::new(shape.release),
            operators: Operators::new(shape.release),
            helm: Helm::default(),
            cx,
            shape,
        })
    }

    /// Takes a change of an object in.
    fn changed(&mut self, change: &Change) {
        let cx = &mut self.cx;
        match change.object.meta.resource {
            Resource::Pod => self.pod_changed(change),
            Resource::Node => self.node_changed(change),
            Resource::Deployment => self.deployments.changed(cx, change),
            Resource::ReplicaSet => {
                self.replica_sets.changed(cx, change);
                self.deployments.replica_set_changed(cx, change);
            }
            Resource::DaemonSet => self.daemon_sets.changed(cx, &self.nodes, change),
            Resource::Service => self.endpoints.service_changed(cx, change),
            Resource::CiliumNode => {
                self.agents.cilium_node_changed(cx, change);
                self.operators.cilium_node_changed(cx, change);
            }
            Resource::CiliumEndpoint if change.kind == ChangeKind::Deleted => self.operators.endpoint_gone(cx),
            Resource::CustomResourceDefinition if change.kind == ChangeKind::Added => self.agents.crds_changed(cx),
            Resource::ConfigMap => {
                let meta = &change.object.meta;
                if &*meta.namespace == cilium::components::NAMESPACE && &*meta.name == cilium::config::CONFIG_MAP {
                    self.operators.config_changed(cx);
                }
                if change.kind == ChangeKind::Deleted && &*meta.name == kubeadm::ROOT_CA {
                    kubeadm::publish_again(cx, &change.object);
                }
            }
            _ => {}
        }
        self.settle();
    }

    fn pod_changed(&mut self, change: &Change) {
        let (before, after) = self.pods.apply(change);
        let (before, after) = (before.as_deref(), after.as_deref());
        let cx = &mut self.cx;
        if let Some(pod) = after.or(before) {
            if let Some(owner) = &pod.owner {
                self.replica_sets.pod_changed(cx, owner);
                let nodes: Vec<Name> =
                    [before, after].into_iter().flatten().filter_map(|pod| pod.seat.clone()).collect();
                self.daemon_sets.pod_changed(cx, owner, &nodes);
                if after.is_none() {
                    self.deployments.pod_gone(cx, owner);
                }
            }
            self.operators.agent_pod_changed(cx, pod);
        }
        self.endpoints.pod_changed(cx, before, after);
        self.operators.dns_pod_changed(cx, before, after);
        self.scheduler.pod_changed(cx, before, after);
        self.kubelets.pod_changed(cx, before, after);
        if let (Some(pod), None) = (before, after) {
            self.node_lifecycle.pod_gone(&pod.uid);
            self.agents.forget_pod(&pod.uid);
            self.operators.forget_pod(&pod.uid);
            self.static_pod_gone(pod.node.as_ref(), change);
        }
    }

    /// A static pod cannot be deleted: its kubelet mirrors it again.
    fn static_pod_gone(&mut self, node: Option<&Name>, change: &Change) {
        let Some(node) = node.filter(|_| change.object.meta.label("tier") == Some("control-plane")) else { return };
        if let Some(machine) = self.machines.get(node).filter(|machine| machine.running) {
            boot::static_pods(&mut self.cx, node, machine, &self.shape.kubernetes);
        }
    }

    fn node_changed(&mut self, change: &Change) {
        let (before, after) = self.nodes.apply(change);
        let cx = &mut self.cx;
        let (before, after) = (before.as_deref(), after.as_deref());
        self.node_ipam.node_changed(cx, before, after);
        self.node_lifecycle.node_changed(cx, before, after);
        self.daemon_sets.node_changed(cx, before, after);
        self.scheduler.node_changed(cx, before, after);
        self.agents.node_changed(cx, before, after);
    }

    /// Carries out a task.
    fn perform(&mut self, task: Task) {
        let cx = &mut self.cx;
        match task {
            Task::Deployment(key) => self.deployments.reconcile(cx, &self.pods, &key),
            Task::ReplicaSet(key) => self.replica_sets.reconcile(cx, &self.pods, key),
            Task::DaemonSet(uid) => self.daemon_sets.reconcile(cx, &self.pods, &self.nodes, uid),
            Task::Endpoints(key) => self.endpoints.reconcile(cx, &self.pods, &key),
            Task::Schedule => self.scheduler.run(cx, &self.pods, &self.nodes),
            Task::Pod(uid, life, step) => self.kubelets.step(cx, &uid, life, step),
            Task::Exit(uid, life, code) => self.kubelets.exit_of_life(cx, &uid, life, code),
            Task::ProbeFails(uid) => {
                let connected = self.kubelets.get(&uid).is_none_or(|pod| self.agents.is_connected(pod.node(), &uid));
                if !connected && self.kubelets.get(&uid).is_some_and(|pod| pod.is_probed()) {
                    self.kubelets.ready(cx, &uid, false);
                }
            }
            Task::NodeCidr(name) => self.node_ipam.allocate(cx, &name),
            Task::NodeTaints(name) => self.node_lifecycle.taint(cx, &self.nodes, &name),
            Task::Evict(name) => self.node_lifecycle.evict(cx, &self.pods, &self.nodes, &name),
            Task::PodGc(name) => self.node_lifecycle.collect(cx, &self.pods, &self.nodes, &name),
            Task::Machine(name, life, step) => self.machine_step(&name, life, step),
            Task::Agent(node, life, step) => self.agents.step(cx, &self.nodes, &node, life, step),
            Task::Operator(pod, life, step) => {
                let parts = operators::Parts { pods: &self.pods, nodes: &self.nodes };
                self.operators.step(cx, &parts, &mut self.configs, &pod, life, step);
            }
        }
        self.settle();
    }

    fn machine_step(&mut self, name: &Name, life: u32, step: MachineStep) {
        let cx = &mut self.cx;
        if self.machines.get(name).is_none_or(|machine| machine.life != life) {
            return;
        }
        match step {
            MachineStep::Register => {
                let networked = self.agents.is_installed(name);
                self.machines.register(cx, name, networked);
                let Some(machine) = self.machines.get(name) else { return };
                let addresses = machine.addresses.iter().map(ToString::to_string).collect();
                self.kubelets.machine_runs(name, addresses);
                if machine.control_plane {
                    boot::static_pods(cx, name, machine, &self.shape.kubernetes);
                    kubeadm::lead(cx, name);
                    if let Some(address) = machine.addresses.first() {
                        endpoints::of_api_server(cx, *address);
                    }
                }
                self.kubelets.resume(cx, name);
            }
            MachineStep::Silent => {
                self.machines.silent(cx, name);
                self.kubelets.presume_unready(cx, name);
            }
        }
    }

    /// Passes on what the parts have to tell each other, until they have nothing more to say.
    pub(crate) fn settle(&mut self) {
        while let Some(signal) = self.cx.signals.pop_front() {
            let cx = &mut self.cx;
            match signal {
                Signal::WantsAddress { pod, node } => self.agents.wants_address(cx, &pod, &node),
                Signal::HasAddress { pod, addresses } => self.kubelets.has_address(cx, &pod, addresses),
                Signal::NoAddress { pod, why } => self.kubelets.no_address(cx, &pod, &why),
                Signal::SandboxGone { pod, node } => self.agents.sandbox_gone(&pod, &node),
                Signal::Configured { pod } => self.agents.configured(cx, &mut self.configs, &pod),
                Signal::Started { pod, node, program } => match program {
                    Program::Agent => self.agents.started(cx, &pod, &node),
                    Program::Operator => self.operators.started(cx, &mut self.configs, &pod, &node),
                    Program::Other => {}
                },
                Signal::Stopped { pod, node, program } => match program {
                    Program::Agent => self.agents.stopped(&pod, &node),
                    // A machine that stops, or a crash, leaves no time to give the lease back.
                    Program::Operator => {
                        let orderly = self.kubelets.is_running(&node)
                            && self.kubelets.get(&pod).is_none_or(|local| local.is_deleting());
                        self.operators.stopped(cx, &pod, orderly);
                    }
                    Program::Other => {}
                },
                Signal::Ready { pod, ready } => self.kubelets.ready(cx, &pod, ready),
                Signal::Exited { pod, code, message } => self.kubelets.exited(cx, &pod, code, &message),
                Signal::NetworkInstalled { node } => self.machines.network_ready(cx, &node),
            }
        }
    }
}
