//! Agents: when they start, what they wait for, what they write.

use std::collections::BTreeMap;

use ipam::agent::{Agent, AgentConfig, AllocCidrs, CiliumNodeView, Gate, NodeView, PodCidrWrite, Previous, gate};
use ipam::operator::{ConfigError, OperatorConfig};
use ipam::{IpamMode, Release};

use crate::AgentState;
use crate::store::Store;

/// The agent of a node.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// What its pod was started with: a container that is started again has the same.
    pub(crate) data: BTreeMap<String, String>,
    config: AgentConfig,
    stage: Stage,
    /// The ranges that it, or the one before it, last served from.
    served: Option<AllocCidrs>,
}

#[derive(Debug, Clone)]
enum Stage {
    Waiting(String),
    Serving(AllocCidrs),
    Exiting(String),
}

impl Process {
    /// Starts with that configuration, in the place of `before`.
    pub(crate) fn start(
        data: &BTreeMap<String, String>,
        release: Release,
        name: &str,
        before: Option<&Self>,
        store: &mut Store,
    ) -> Self {
        let flag = |key: &str, default: bool| data.get(key).map_or(default, |text| cilium::config::boolean(text));
        let mode = data.get(cilium::config::IPAM).map_or(cilium::config::DEFAULT_MODE, |mode| mode.trim());
        let config = AgentConfig {
            ipam: mode.to_owned(),
            ipv4: flag(cilium::config::ENABLE_IPV4, true),
            ipv6: flag(cilium::config::ENABLE_IPV6, true),
            health: flag("enable-health-checking", true) && flag("enable-endpoint-health-checking", true),
            ingress: flag("enable-envoy-config", false),
        };
        let stage = match OperatorConfig::from_config_map(data, release) {
            Err(error @ ConfigError::Flag { .. }) => {
                let line = error.log();
                Stage::Exiting(format!("{}: {}", line.message, line.error.unwrap_or_default()))
            }
            _ => Stage::Waiting(String::new()),
        };
        if matches!(stage, Stage::Waiting(_)) && PodCidrWrite::before_waiting(&config).is_some() {
            store.ensure(name);
        }
        let served = before.and_then(|before| before.served);
        Self { data: data.clone(), config, stage, served }
    }

    /// Looks at the objects, if it waits for them. Answers whether it moved on.
    pub(crate) fn look(&mut self, name: &str, node: &[String], store: &mut Store) -> Result<bool, IpamMode> {
        let Stage::Waiting(said) = &self.stage else { return Ok(false) };
        let view = NodeView { pod_cidrs: node.to_vec() };
        let own = store.get(name);
        let own = own.map(|own| CiliumNodeView { pod_cidrs: own.pod_cidrs.clone(), ..CiliumNodeView::default() });
        let next = match gate(&self.config, &view, own.as_ref()) {
            Gate::NotModelled { mode } => return Err(mode),
            Gate::Fatal { message } => Stage::Exiting(message),
            Gate::Blocked { error, .. } if said == error => return Ok(false),
            Gate::Blocked { error, .. } => Stage::Waiting(error.to_owned()),
            Gate::Open { cidrs, .. } => match Agent::start(&self.config, cidrs, &Previous::default(), &mut |_| 0) {
                Err(error) => Stage::Exiting(error.message),
                Ok(_) => {
                    self.publish(name, cidrs, store);
                    Stage::Serving(cidrs)
                }
            },
        };
        self.stage = next;
        Ok(true)
    }

    /// What it writes once it has its addresses. From another range than before they are new, and so is its object.
    fn publish(&mut self, name: &str, cidrs: AllocCidrs, store: &mut Store) {
        store.ensure(name);
        let moved = self.served != Some(cidrs);
        self.served = Some(cidrs);
        match PodCidrWrite::when_started(&self.config, cidrs) {
            PodCidrWrite::Set(texts) => {
                let same = store.get(name).is_some_and(|node| node.pod_cidrs == texts);
                store.set_pod_cidrs(name, &texts);
                if same && moved {
                    store.touch(name);
                }
            }
            PodCidrWrite::Keep if moved => store.touch(name),
            PodCidrWrite::Keep => {}
        }
    }

    pub(crate) fn state(&self) -> AgentState {
        let mode = self.config.ipam.clone();
        match &self.stage {
            Stage::Waiting(error) => AgentState::Waiting { mode, error: error.clone() },
            Stage::Exiting(error) => AgentState::Exiting { mode, error: error.clone() },
            Stage::Serving(cidrs) => {
                AgentState::Serving { mode, cidrs: cidrs.iter().map(|cidr| cidr.to_string()).collect() }
            }
        }
    }
}
