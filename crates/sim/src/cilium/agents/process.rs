//! An agent's process, from its start to serving.

use std::time::Duration;

use ipam::agent::{self, Agent, AgentConfig, Gate, Infra, NodeView, PodCidrWrite, Previous, Started};
use ipam::operator::{ConfigError, Family, LogLine, OperatorConfig};

use super::{AgentStep, Agents, Process, Stage, endpoint, exit, is_open, object};
use crate::cilium::{info, log_text};
use crate::controllers::nodes::Nodes;
use crate::store::{Resource, Stored};
use crate::world::{Context, Name, Signal, Task};

/// `k8s-app=cilium`'s container.
const CONTAINER: &str = cilium::components::AGENT.container;

impl Agents {
    /// A process of a pod has started.
    pub(crate) fn started(&mut self, cx: &mut Context, pod: &Name, node: &Name) {
        let data = self.configs.get(pod).cloned().unwrap_or_default();
        let place = self.places.entry(node.clone()).or_default();
        place.lives += 1;
        place.looking = false;
        place.republishing = false;
        let life = place.lives;
        let flag = |key: &str, default: bool| data.get(key).map_or(default, |text| cilium::config::boolean(text));
        let config = AgentConfig {
            ipam: data.get(cilium::config::IPAM).cloned().unwrap_or_else(|| cilium::config::DEFAULT_MODE.to_owned()),
            ipv4: flag(cilium::config::ENABLE_IPV4, true),
            ipv6: flag(cilium::config::ENABLE_IPV6, true),
            health: flag("enable-health-checking", true) && flag("enable-endpoint-health-checking", true),
            ingress: flag("enable-envoy-config", false),
        };
        place.process = Some(Process { pod: pod.clone(), life, data, config, stage: Stage::Booting });
        let span = cx.pace.agent_boot;
        cx.later(span, Task::Agent(node.clone(), life, AgentStep::Booted));
    }

    pub(super) fn log(&self, cx: &mut Context, node: &Name, lines: &[LogLine], fields: &[(&str, &str)]) {
        let Some(process) = self.places.get(node).and_then(|place| place.process.as_ref()) else { return };
        let now = cx.store.now();
        for line in lines {
            let text = log_text(&crate::store::micros(now), line, fields);
            cx.logs.write(&process.pod, CONTAINER, now, text);
        }
    }

    fn fatal(&mut self, cx: &mut Context, node: &Name, line: LogLine) {
        self.log(cx, node, std::slice::from_ref(&line), &[]);
        let text = match &line.error {
            Some(error) => format!("level=fatal msg={:?} error={error:?}", line.message),
            None => format!("level=fatal msg={:?}", line.message),
        };
        if let Some(process) = self.places.get(node).and_then(|place| place.process.as_ref()) {
            exit(cx, &process.pod.clone(), &text);
        }
    }

    pub(super) fn booted(&mut self, cx: &mut Context, nodes: &Nodes, node: &Name) {
        let Some(place) = self.places.get_mut(node) else { return };
        let Some(process) = place.process.as_mut() else { return };
        // Every process of Cilium checks the whole ConfigMap for values that cannot be read.
        let refused = OperatorConfig::from_config_map(&process.data, self.release).err();
        if let Some(error @ ConfigError::Flag { .. }) = refused {
            return self.fatal(cx, node, error.log());
        }
        process.stage = Stage::Waiting { said: None };
        let life = process.life;
        // The CNI configuration is written as the process comes up, so that the Node is ready although its agent may wait for a range
        // for ever; pods that are put there wait with it.
        if !std::mem::replace(&mut place.installed, true) {
            cx.signals.push_back(Signal::NetworkInstalled { node: node.clone() });
        }
        // A start hook may take 5 min and 5 s (hive); up to 1.17 the startup probe is over before that (105 times 2 s).
        let patience = if self.release.minor() <= 17 { 215 } else { 305 };
        cx.timers.after(Duration::from_secs(patience), Task::Agent(node.clone(), life, AgentStep::GiveUp));
        self.look(cx, nodes, node);
    }

    /// Looks whether everything that the agent waits for is there.
    pub(super) fn look(&mut self, cx: &mut Context, nodes: &Nodes, node: &Name) {
        let Some(place) = self.places.get_mut(node) else { return };
        place.looking = false;
        let Some(process) = place.process.as_mut() else { return };
        let Stage::Waiting { said } = &mut process.stage else { return };
        let already = *said;
        let crd = format!("{}.{}", cilium::group::CILIUM_NODES, cilium::group::GROUP);
        if cx.store.find(Resource::CustomResourceDefinition, "", &crd).is_none() {
            self.crds_wanted.insert(node.clone());
            if already.is_none() {
                *said = Some("crds");
                self.log(
                    cx,
                    node,
                    &[info(
                        "Still waiting for Cilium Operator to register the following CRDs: [crd:ciliumnodes.cilium.io]",
                    )],
                    &[],
                );
            }
            return;
        }
        let config = process.config.clone();
        let Some(facts) = nodes.get(node) else {
            // Its Node is gone: there is nothing to start on.
            return;
        };
        if PodCidrWrite::before_waiting(&config).is_some() && !matches!(already, Some(text) if text != "crds") {
            // The object is made, or its metadata brought up to date; what the operator wrote stays.
            object::write(cx, facts, None, None);
        }
        let own = cx.store.find(Resource::CiliumNode, "", node);
        let view = NodeView { pod_cidrs: facts.pod_cidrs.iter().map(ToString::to_string).collect() };
        let own_view = own.as_ref().map(object::view);
        let gate = agent::gate(&config, &view, own_view.as_ref());
        if is_open(&gate) {
            let source = match agent::PodCidrSource::of(&config.ipam) {
                agent::PodCidrSource::Node => "Retrieved node information from kubernetes node",
                agent::PodCidrSource::CiliumNode => "Retrieved node information from cilium node",
            };
            self.log(cx, node, &[info(source)], &[("nodeName", node)]);
        }
        match gate {
            Gate::Open { cidrs, log } => {
                self.log(cx, node, &log, &[]);
                self.serve(cx, nodes, node, cidrs, own.as_ref());
            }
            Gate::Blocked { error, log, .. } => {
                if already != Some(error) {
                    self.log(cx, node, &log, &[]);
                    let warning = LogLine {
                        level: "warn",
                        message: "Waiting for k8s node information".to_owned(),
                        error: Some(error.to_owned()),
                    };
                    self.log(cx, node, &[warning], &[]);
                }
                if let Some(process) = self.places.get_mut(node).and_then(|place| place.process.as_mut()) {
                    process.stage = Stage::Waiting { said: Some(error) };
                }
            }
            Gate::Fatal { message } => {
                self.fatal(cx, node, LogLine { level: "fatal", message, error: None });
            }
            Gate::NotModelled { mode } => {
                let text = format!("simulated agent: ipam mode {mode} is not modelled, this agent never becomes ready");
                self.log(cx, node, &[LogLine { level: "error", message: text, error: None }], &[]);
                if let Some(process) = self.places.get_mut(node).and_then(|place| place.process.as_mut()) {
                    process.stage = Stage::Stuck;
                }
            }
        }
    }

    pub(super) fn give_up(&mut self, cx: &mut Context, node: &Name) {
        let Some(process) = self.places.get(node).and_then(|place| place.process.as_ref()) else { return };
        if matches!(process.stage, Stage::Waiting { .. }) {
            let line = LogLine {
                level: "fatal",
                message: "Start or stop failed to finish on time, aborting forcefully.".to_owned(),
                error: None,
            };
            self.fatal(cx, node, line);
        }
    }

    /// It has its range: old endpoints are restored, its own addresses taken, its CiliumNode written.
    fn serve(&mut self, cx: &mut Context, nodes: &Nodes, node: &Name, cidrs: agent::AllocCidrs, own: Option<&Stored>) {
        let (Some(facts), Some(place)) = (nodes.get(node), self.places.get_mut(node)) else { return };
        let Some(process) = place.process.as_mut() else { return };
        let (pod, life, config) = (process.pod.clone(), process.life, process.config.clone());
        let view = own.map(object::view).unwrap_or_default();
        let family = |wanted: Family| {
            let of = |list: &[std::net::IpAddr]| list.iter().copied().find(|ip| ip.is_ipv4() == (wanted == Family::V4));
            Infra {
                router_on_disk: match wanted {
                    Family::V4 => place.router.v4,
                    Family::V6 => place.router.v6,
                },
                router_in_object: of(&view.internal_ips),
                health: of(&view.health_ips),
                ingress: of(&view.ingress_ips),
            }
        };
        // The state directory is read in the order of its entries: endpoint numbers as text.
        let mut old: Vec<(&Name, &super::Endpoint)> = place.endpoints.iter().collect();
        old.sort_by_key(|(_, endpoint)| endpoint.id.to_string());
        let previous = Previous {
            endpoints: old
                .into_iter()
                .map(|(pod, endpoint)| agent::Endpoint { name: pod.to_string(), address: endpoint.address })
                .collect(),
            v4: family(Family::V4),
            v6: family(Family::V6),
            node_addresses: facts.internal_ips.iter().filter_map(|ip| ip.parse().ok()).collect(),
        };
        let rng = &mut cx.rng;
        let mut draw = |bound: u64| rng.bits() % bound.max(1);
        let started = Agent::start(&config, cidrs, &previous, &mut draw);
        let prefix = cidrs.v4.map(|cidr| cidr.to_string()).unwrap_or_default();
        let prefix6 = cidrs.v6.map(|cidr| cidr.to_string()).unwrap_or_default();
        let fields = [("mode", config.ipam.as_str()), ("v4Prefix", prefix.as_str()), ("v6Prefix", prefix6.as_str())];
        self.log(cx, node, &[info("Received own node information from API server")], &fields[1..]);
        self.log(cx, node, &[info("Initializing IPAM")], &fields);
        let Started { agent, endpoints, log } = match started {
            Ok(started) => started,
            Err(error) => {
                let line = LogLine { level: "fatal", message: error.message, error: None };
                return self.fatal(cx, node, line);
            }
        };
        self.log(cx, node, &log, &[]);
        let restored = self.settle_endpoints(cx, node, endpoints);
        let failed = previous.endpoints.len() - restored;
        self.log(
            cx,
            node,
            &[info("Endpoints restored")],
            &[("restored", &restored.to_string()), ("failed", &failed.to_string())],
        );
        let write = PodCidrWrite::when_started(&config, cidrs);
        object::write(cx, facts, Some(&agent), Some(&write));
        let Some(place) = self.places.get_mut(node) else { return };
        place.router = agent::Address { v4: agent.infra(Family::V4).router, v6: agent.infra(Family::V6).router };
        if let Some(process) = place.process.as_mut().filter(|process| process.pod == pod) {
            process.stage = Stage::Serving { agent: Box::new(agent), ready: false };
        }
        let span = cx.pace.agent_ready;
        cx.later(span, Task::Agent(node.clone(), life, AgentStep::Ready));
    }

    pub(super) fn ready(&mut self, cx: &mut Context, node: &Name) {
        let Some(place) = self.places.get_mut(node) else { return };
        let Some(process) = place.process.as_mut() else { return };
        if cx.breaks(events::Invariant::CrashLoopExplained) {
            // Without a last word.
            return exit(cx, &process.pod.clone(), "");
        }
        let Stage::Serving { ready, .. } = &mut process.stage else { return };
        *ready = true;
        let pod = process.pod.clone();
        cx.signals.push_back(Signal::Ready { pod, ready: true });
        self.log(cx, node, &[info("Daemon initialization completed")], &[]);
        let waiting = self.places.get_mut(node).map(|place| std::mem::take(&mut place.requests)).unwrap_or_default();
        for request in waiting {
            self.wants_address(cx, &request, node);
        }
    }

    /// Its Node has other labels or annotations: the CiliumNode follows.
    pub(super) fn republish(&mut self, cx: &mut Context, nodes: &Nodes, node: &Name) {
        let (Some(facts), Some(place)) = (nodes.get(node), self.places.get_mut(node)) else { return };
        place.republishing = false;
        let Some(process) = &place.process else { return };
        if let Stage::Serving { agent, .. } = &process.stage {
            let write = PodCidrWrite::when_started(&process.config, agent.cidrs());
            object::write(cx, facts, Some(agent), Some(&write));
        }
    }

    /// The CNI plugin has waited for an agent for long enough.
    pub(super) fn cni_timeout(&mut self, cx: &mut Context, node: &Name, pod: &Name) {
        let waited = self.places.get_mut(node).is_some_and(|place| place.requests.remove(pod));
        if waited {
            cx.signals.push_back(Signal::NoAddress { pod: pod.clone(), why: endpoint::NO_AGENT.to_owned() });
        }
    }
}
