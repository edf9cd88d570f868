//! The agents: one process per node, and what it leaves on the node when it ends.

mod endpoint;
mod object;
mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ipam::Release;
use ipam::agent::{Address, Agent, AgentConfig, Gate};

use super::config::{Configs, Data};
use super::identity::Identities;
use crate::controllers::nodes::{NodeFacts, Nodes};
use crate::store::{Change, ChangeKind};
use crate::world::{ByName, Context, Name, Signal, Task};

/// How long the CNI plugin waits for the agent before it gives up (plugins/cilium-cni).
const CNI_WAIT: Duration = Duration::from_secs(30);

/// What an agent does later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AgentStep {
    /// The process is up: it looks for CRDs, then for its range.
    Booted,
    /// Its Node, its CiliumNode or the CRDs have changed.
    Look,
    /// It has been waiting for its range for too long.
    GiveUp,
    /// It serves.
    Ready,
    /// Its Node has other labels or annotations.
    Republish,
    /// An endpoint of this pod is published.
    Publish(Name),
    /// A CNI request of this pod has waited for too long.
    CniTimeout(Name),
}

#[derive(Debug)]
enum Stage {
    Booting,
    /// Waits for CRDs or for its range.
    Waiting {
        /// The last warning, so that the same one is not logged for each event.
        said: Option<&'static str>,
    },
    /// In a mode that this simulation does not model.
    Stuck,
    Serving {
        agent: Box<Agent>,
        ready: bool,
    },
}

/// An agent's process.
#[derive(Debug)]
struct Process {
    pod: Name,
    /// Timers of an earlier process are void.
    life: u32,
    data: Data,
    config: AgentConfig,
    stage: Stage,
}

/// An endpoint in an agent's state directory.
#[derive(Debug, Clone)]
struct Endpoint {
    address: Address,
    id: u16,
}

/// A node, as its agents see and leave it.
#[derive(Debug, Default)]
struct Place {
    process: Option<Process>,
    lives: u32,
    /// `/var/run/cilium/state`: gone with the machine.
    endpoints: BTreeMap<Name, Endpoint>,
    /// Pods whose endpoint was given up: they have an address and no network.
    lost: BTreeMap<Name, Address>,
    /// The addresses of `cilium_host`.
    router: Address,
    /// CNI requests that wait for the agent.
    requests: BTreeSet<Name>,
    /// `/etc/cni/net.d` has Cilium's configuration.
    installed: bool,
    /// A write of the CiliumNode is due.
    republishing: bool,
    looking: bool,
}

/// All agents.
#[derive(Debug)]
pub(crate) struct Agents {
    release: Release,
    places: ByName<Place>,
    /// What each agent's pod has read: fixed for the pod's life.
    configs: ByName<Data>,
    identities: Identities,
    /// Agents that wait for the CRDs.
    crds_wanted: BTreeSet<Name>,
    /// Which endpoints have an address: duplicates are possible.
    by_address: BTreeMap<IpAddr, BTreeSet<(Name, Name)>>,
}

impl Agents {
    pub(crate) fn new(release: Release) -> Self {
        Self {
            release,
            places: ByName::default(),
            configs: ByName::default(),
            identities: Identities::default(),
            crds_wanted: BTreeSet::new(),
            by_address: BTreeMap::new(),
        }
    }

    /// Cilium has another version from now on: new processes are of it.
    pub(crate) fn set_release(&mut self, release: Release) {
        self.release = release;
    }

    /// A machine has stopped: its memory is gone, its disk is not.
    pub(crate) fn machine_stops(&mut self, node: &Name) {
        let Some(place) = self.places.get_mut(node) else { return };
        for (pod, endpoint) in std::mem::take(&mut place.endpoints) {
            endpoint::unlist(&mut self.by_address, node, &pod, &endpoint.address);
        }
        place.lost.clear();
        place.requests.clear();
        place.router = Address::default();
        place.process = None;
    }

    /// Everything that agents left on a node is taken away.
    pub(crate) fn scrub(&mut self, node: &Name) {
        let Some(place) = self.places.get_mut(node) else { return };
        for (pod, endpoint) in std::mem::take(&mut place.endpoints) {
            endpoint::unlist(&mut self.by_address, node, &pod, &endpoint.address);
        }
        // Timers of earlier processes stay void.
        *place = Place { lives: place.lives, ..Place::default() };
    }

    /// Whether a node has Cilium's CNI configuration.
    pub(crate) fn is_installed(&self, node: &str) -> bool {
        self.places.get(node).is_some_and(|place| place.installed)
    }

    /// Helm has removed Cilium: `cni.uninstall` is off by default, so nodes keep their configuration.
    pub(crate) fn configured(&mut self, cx: &mut Context, configs: &mut Configs, pod: &Name) {
        let data = configs.read(&cx.store).unwrap_or_default();
        self.configs.insert(pod.clone(), data);
    }

    /// A pod's process has ended, or the pod is gone.
    pub(crate) fn stopped(&mut self, pod: &Name, node: &Name) {
        if let Some(place) = self.places.get_mut(node)
            && place.process.as_ref().is_some_and(|process| process.pod == *pod)
        {
            place.process = None;
        }
    }

    /// A pod is gone for good.
    pub(crate) fn forget_pod(&mut self, pod: &str) {
        self.configs.remove(pod);
    }

    /// A timer of an agent.
    pub(crate) fn step(&mut self, cx: &mut Context, nodes: &Nodes, node: &Name, life: u32, step: AgentStep) {
        let current = self.places.get(node).and_then(|place| place.process.as_ref()).map(|process| process.life);
        match step {
            AgentStep::CniTimeout(pod) => self.cni_timeout(cx, node, &pod),
            _ if current != Some(life) => {}
            AgentStep::Booted => self.booted(cx, nodes, node),
            AgentStep::Look => self.look(cx, nodes, node),
            AgentStep::GiveUp => self.give_up(cx, node),
            AgentStep::Ready => self.ready(cx, node),
            AgentStep::Republish => self.republish(cx, nodes, node),
            AgentStep::Publish(pod) => self.publish(cx, nodes, node, &pod),
        }
    }

    fn soon(cx: &mut Context, node: &Name, life: u32, step: AgentStep) {
        let span = cx.pace.watch;
        cx.later(span, Task::Agent(node.clone(), life, step));
    }

    /// A CRD has come.
    pub(crate) fn crds_changed(&mut self, cx: &mut Context) {
        for node in std::mem::take(&mut self.crds_wanted) {
            self.look_soon(cx, &node);
        }
    }

    pub(crate) fn node_changed(&mut self, cx: &mut Context, before: Option<&NodeFacts>, after: Option<&NodeFacts>) {
        let Some(node) = after else { return };
        let differs = before.is_some_and(|before| object::shows_other(&before.object, &node.object));
        let cidrs = before.is_none_or(|before| before.pod_cidrs != node.pod_cidrs || before.uid != node.uid);
        if cidrs {
            self.look_soon(cx, &node.name);
        }
        let Some(place) = self.places.get_mut(&node.name) else { return };
        let serving = place.process.as_ref().filter(|process| matches!(process.stage, Stage::Serving { .. }));
        if let Some(process) = serving.filter(|_| differs && !place.republishing) {
            let life = process.life;
            place.republishing = true;
            // Up to 1.18 changes are gathered for 250 ms (pkg/nodediscovery).
            let wait = if self.release.minor() <= 18 { Duration::from_millis(250) } else { Duration::ZERO };
            let wait = wait + cx.rng.between(cx.pace.watch);
            cx.timers.after(wait, Task::Agent(node.name.clone(), life, AgentStep::Republish));
        }
    }

    pub(crate) fn cilium_node_changed(&mut self, cx: &mut Context, change: &Change) {
        if change.kind != ChangeKind::Deleted {
            let node: Name = (*change.object.meta.name).into();
            self.look_soon(cx, &node);
        }
    }

    fn look_soon(&mut self, cx: &mut Context, node: &Name) {
        let Some(place) = self.places.get_mut(node) else { return };
        let Some(process) = place.process.as_ref().filter(|process| matches!(process.stage, Stage::Waiting { .. }))
        else {
            return;
        };
        if !place.looking {
            place.looking = true;
            Self::soon(cx, node, process.life, AgentStep::Look);
        }
    }

    /// What the agent of a node would answer about itself.
    pub(crate) fn report(&self, node: &str) -> Option<Report<'_>> {
        let process = self.places.get(node)?.process.as_ref()?;
        let agent = match &process.stage {
            Stage::Serving { agent, .. } => Some(&**agent),
            _ => None,
        };
        Some(Report { data: &process.data, config: &process.config, agent })
    }

    /// The configuration that a pod's init container has left.
    pub(crate) fn config_of(&self, pod: &str) -> Option<&Data> {
        self.configs.get(pod)
    }

    /// Endpoints of a node: pod, its number and its addresses.
    pub(crate) fn endpoints(&self, node: &str) -> impl Iterator<Item = (&Name, u16, &Address)> {
        let place = self.places.get(node).into_iter();
        place.flat_map(|place| &place.endpoints).map(|(pod, endpoint)| (pod, endpoint.id, &endpoint.address))
    }

    /// Whether a pod has a network.
    pub(crate) fn is_connected(&self, node: &str, pod: &str) -> bool {
        self.places.get(node).is_some_and(|place| place.endpoints.contains_key(pod))
    }

    /// The nodes on which an endpoint with this address is connected.
    pub(crate) fn places_of(&self, address: IpAddr) -> impl Iterator<Item = &Name> {
        self.by_address.get(&address).into_iter().flatten().map(|(node, _)| node)
    }

    /// Whether an address is an agent's own: router or health.
    pub(crate) fn infra_place(&self, address: IpAddr) -> Option<&Name> {
        let holders = self.places.iter().filter_map(|(node, place)| {
            let Stage::Serving { agent, .. } = &place.process.as_ref()?.stage else { return None };
            let own = [ipam::operator::Family::V4, ipam::operator::Family::V6].map(|family| agent.infra(family));
            let held = own.iter().flat_map(|own| [own.router, own.health]).flatten().any(|one| one == address);
            held.then_some(node)
        });
        // Of several, the first by name.
        holders.min()
    }
}

/// What an agent knows of itself.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) data: &'a Data,
    pub(crate) config: &'a AgentConfig,
    pub(crate) agent: Option<&'a Agent>,
}

/// Ends an agent's process with an error.
fn exit(cx: &mut Context, pod: &Name, message: &str) {
    cx.signals.push_back(Signal::Exited { pod: pod.clone(), code: 1, message: message.to_owned() });
}

/// Whether a gate lets through.
fn is_open(gate: &Gate) -> bool {
    matches!(gate, Gate::Open { .. })
}
