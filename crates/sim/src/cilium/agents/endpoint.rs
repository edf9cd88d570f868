//! Endpoints: addresses for pods, their CiliumEndpoints, and those that are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use events::Invariant;
use ipam::agent::{Address, EndpointFate};

use super::{AgentStep, Agents, CNI_WAIT, Endpoint, Stage};
use crate::controllers::nodes::Nodes;
use crate::store::{DeleteOptions, Resource, WriteOptions};
use crate::tree::{Tree, tree};
use crate::world::{Context, Name, Signal, Task};

/// What the plugin says when no agent answers.
pub(super) const NO_AGENT: &str = "plugin type=\"cilium-cni\" failed (add): unable to connect to Cilium agent: failed to create cilium agent client after 30.000000 seconds timeout: Get \"http://localhost/v1/config\": dial unix /var/run/cilium/cilium.sock: connect: no such file or directory\nIs the agent running?";
/// What containerd says where no plugin is configured.
const NO_PLUGIN: &str = "cni plugin not initialized";

type ByAddress = BTreeMap<IpAddr, BTreeSet<(Name, Name)>>;

fn list(by_address: &mut ByAddress, node: &Name, pod: &Name, address: &Address) {
    for ip in [address.v4, address.v6].into_iter().flatten() {
        by_address.entry(ip).or_default().insert((node.clone(), pod.clone()));
    }
}

pub(super) fn unlist(by_address: &mut ByAddress, node: &Name, pod: &Name, address: &Address) {
    for ip in [address.v4, address.v6].into_iter().flatten() {
        if let Some(holders) = by_address.get_mut(&ip) {
            holders.remove(&(node.clone(), pod.clone()));
            if holders.is_empty() {
                by_address.remove(&ip);
            }
        }
    }
}

/// The address that a pod gets from an agent with a flaw: one from outside, or one that another pod has.
fn flawed<'a>(cx: &Context, mut others: impl Iterator<Item = &'a Endpoint>, address: Address) -> Address {
    let outside = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => IpAddr::from([198, 51, 100, ip.octets()[3]]),
        IpAddr::V6(ip) => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, ip.segments()[7]]),
    };
    match others.next() {
        Some(other) if cx.breaks(Invariant::PodIpsUnique) => other.address,
        _ if cx.breaks(Invariant::PodIpInPodCidr) => {
            Address { v4: address.v4.map(outside), v6: address.v6.map(outside) }
        }
        _ => address,
    }
}

impl Agents {
    /// A pod's sandbox wants addresses.
    pub(crate) fn wants_address(&mut self, cx: &mut Context, pod: &Name, node: &Name) {
        let place = self.places.entry(node.clone()).or_default();
        if !place.installed {
            cx.signals.push_back(Signal::NoAddress { pod: pod.clone(), why: NO_PLUGIN.to_owned() });
            return;
        }
        let Some(process) = place.process.as_mut() else { return self.queue(cx, pod, node) };
        let life = process.life;
        let Stage::Serving { agent, ready: true } = &mut process.stage else { return self.queue(cx, pod, node) };
        let rng = &mut cx.rng;
        let mut draw = |bound: u64| rng.bits() % bound.max(1);
        match agent.allocate(&mut draw) {
            Ok(address) => {
                let address = flawed(cx, place.endpoints.values(), address);
                // Cilium draws endpoint numbers at random too.
                let mut id = 0;
                while id == 0 || place.endpoints.values().any(|one| one.id == id) {
                    id = u16::try_from(cx.rng.below(4096)).unwrap_or_default();
                }
                place.endpoints.insert(pod.clone(), Endpoint { address, id });
                list(&mut self.by_address, node, pod, &address);
                let addresses = [address.v4, address.v6].into_iter().flatten().collect();
                cx.signals.push_back(Signal::HasAddress { pod: pod.clone(), addresses });
                let span = cx.pace.sandbox;
                cx.later(span, Task::Agent(node.clone(), life, AgentStep::Publish(pod.clone())));
            }
            Err(full) => {
                let why = format!("plugin type=\"cilium-cni\" failed (add): {}", full.cni_error());
                cx.signals.push_back(Signal::NoAddress { pod: pod.clone(), why });
            }
        }
    }

    fn queue(&mut self, cx: &mut Context, pod: &Name, node: &Name) {
        if let Some(place) = self.places.get_mut(node)
            && place.requests.insert(pod.clone())
        {
            cx.timers.after(CNI_WAIT, Task::Agent(node.clone(), 0, AgentStep::CniTimeout(pod.clone())));
        }
    }

    /// A pod's sandbox is gone: its address is free again, if the agent still knew it.
    pub(crate) fn sandbox_gone(&mut self, pod: &Name, node: &Name) {
        let Some(place) = self.places.get_mut(node) else { return };
        place.requests.remove(pod);
        place.lost.remove(pod);
        let Some(endpoint) = place.endpoints.remove(pod) else { return };
        unlist(&mut self.by_address, node, pod, &endpoint.address);
        if let Some(process) = place.process.as_mut()
            && let Stage::Serving { agent, .. } = &mut process.stage
        {
            agent.release(&endpoint.address);
        }
    }

    /// Puts the fates of old endpoints into effect. Returns how many were restored.
    pub(super) fn settle_endpoints(
        &mut self,
        cx: &mut Context,
        node: &Name,
        fates: Vec<(String, EndpointFate)>,
    ) -> usize {
        let Some(place) = self.places.get_mut(node) else { return 0 };
        let life = place.process.as_ref().map_or(0, |process| process.life);
        let mut restored = 0;
        for (pod, fate) in fates {
            let pod: Name = pod.into();
            match fate {
                EndpointFate::Restored => {
                    restored += 1;
                    let span = cx.pace.sandbox;
                    cx.later(span, Task::Agent(node.clone(), life, AgentStep::Publish(pod)));
                }
                EndpointFate::Lost { .. } => {
                    let Some(endpoint) = place.endpoints.remove(&pod) else { continue };
                    unlist(&mut self.by_address, node, &pod, &endpoint.address);
                    place.lost.insert(pod.clone(), endpoint.address);
                    if let Some(object) = cx.store.find_uid(&pod) {
                        // The agent deletes it by the name of its pod; that it is gone already is as good.
                        let _ = cx.store.delete(
                            Resource::CiliumEndpoint,
                            &object.meta.namespace,
                            &object.meta.name,
                            &DeleteOptions::default(),
                        );
                    }
                    // Three probes go unanswered (period 10 s).
                    let wait = std::time::Duration::from_secs(20) + cx.rng.between((CNI_WAIT / 30, CNI_WAIT / 3));
                    cx.timers.after(wait, Task::ProbeFails(pod));
                }
            }
        }
        restored
    }

    /// Writes a pod's CiliumEndpoint.
    pub(super) fn publish(&mut self, cx: &mut Context, nodes: &Nodes, node: &Name, pod: &Name) {
        let (Some(facts), Some(place)) = (nodes.get(node), self.places.get(node)) else { return };
        let (Some(endpoint), Some(object)) = (place.endpoints.get(pod), cx.store.find_uid(pod)) else { return };
        if object.meta.deleting {
            return;
        }
        let cluster = place
            .process
            .as_ref()
            .and_then(|process| process.data.get("cluster-name").cloned())
            .unwrap_or_else(|| "default".to_owned());
        let account = object.meta.field("spec.serviceAccountName").filter(|name| !name.is_empty()).unwrap_or("default");
        let (identity, labels) = self.identities.of(&cx.store, &object, &cluster, account);
        let mut pair = tree!({});
        if let Some(ip) = endpoint.address.v4 {
            pair["ipv4"] = ip.to_string().into();
        }
        if let Some(ip) = endpoint.address.v6 {
            pair["ipv6"] = ip.to_string().into();
        }
        let (namespace, name) = (object.meta.namespace.to_string(), object.meta.name.to_string());
        let mut status = tree!({
            "encryption": {},
            "external-identifiers": {
                "cni-attachment-id": format!("{pod}:eth0"),
                "k8s-namespace": namespace,
                "k8s-pod-name": name,
                "pod-name": format!("{namespace}/{name}"),
            },
            "id": endpoint.id,
            "identity": {"id": identity, "labels": labels},
            "networking": {"addressing": [pair], "node": facts.internal_ips.first()},
            "state": "ready",
        });
        if self.release.minor() >= 19 {
            status["service-account"] = account.into();
        }
        if cx.store.find(Resource::CiliumEndpoint, &namespace, &name).is_some() {
            let key = crate::world::Key::new(&namespace, &name);
            cx.change(Resource::CiliumEndpoint, &key, |cep| cep["status"] = status);
            return;
        }
        let labels: Tree = object.meta.labels.iter().map(|(key, value)| (key.to_string(), tree!(value))).collect();
        let cep = tree!({
            "metadata": {
                "name": name,
                "labels": labels,
                "ownerReferences": [{
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "name": name,
                    "uid": object.meta.uid,
                    "controller": false,
                    "blockOwnerDeletion": false,
                }],
            },
            "status": status,
        });
        // A namespace that is going refuses it; its pods are going too.
        let _ = cx.store.create(Resource::CiliumEndpoint, &namespace, cep, &WriteOptions::default());
    }
}
