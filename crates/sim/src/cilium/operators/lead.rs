//! What an operator does first when it leads.

use std::time::Duration;

use ipam::operator::{LogLine, Operator, OperatorConfig, Timing};
use ipam::{IpamMode, version::Behaviour};

use super::{OperatorStep, Operators, Parts, Stage};
use crate::cilium::{crds, info};
use crate::world::{Context, Name, Task};

/// How long the first operator of a cluster took at most until it had listed what is there.
const FIRST_SYNC: Duration = Duration::from_secs(9);

impl Operators {
    pub(super) fn lead(&mut self, cx: &mut Context, pod: &Name) {
        crds::register(cx, self.release);
        let Some(process) = self.processes.get(pod) else { return };
        let (life, data) = (process.life, process.data.clone());
        let mode = data.get(cilium::config::IPAM).cloned().unwrap_or_else(|| cilium::config::DEFAULT_MODE.to_owned());
        let legacy = !self.release.has(Behaviour::IdlesInForeignModes);
        if legacy {
            self.log(cx, pod, &[info("Initializing IPAM")], &[("mode", &mode)]);
        }
        let mut machine = None;
        match mode.parse::<IpamMode>() {
            Ok(IpamMode::ClusterPool) => {
                self.log(cx, pod, &[info("Starting ClusterPool IP allocator")], &[]);
                // Read once already, when the process started.
                let config = OperatorConfig::from_config_map(&data, self.release).unwrap_or_default();
                match Operator::start(&config, self.release, Timing::default()) {
                    Ok(operator) => machine = Some(Box::new(operator)),
                    Err(error) => {
                        let orderly = self.release.has(Behaviour::StopsOrderly);
                        return self.fatal(cx, pod, error.log(self.release), orderly);
                    }
                }
            }
            Ok(IpamMode::Eni | IpamMode::Azure | IpamMode::AlibabaCloud) if legacy => {
                let message = format!("{mode} allocator is not supported by this version of cilium-operator-generic");
                return self.fatal(cx, pod, LogLine { level: "fatal", message, error: None }, false);
            }
            Ok(IpamMode::MultiPool) => {
                let message =
                    "simulated operator: ipam mode multi-pool is not modelled, nothing is allocated".to_owned();
                self.log(cx, pod, &[LogLine { level: "error", message, error: None }], &[]);
            }
            _ => {}
        }
        if let Some(process) = self.processes.get_mut(pod) {
            process.stage = Stage::Leading { machine, synced: false };
        }
        // On a new cluster its first lists take long now and then: agents may be up, and their nodes have pods, before it marks them.
        let span = if life == 1 {
            (cx.pace.operator_sync.0, FIRST_SYNC.max(cx.pace.operator_sync.0))
        } else {
            cx.pace.operator_sync
        };
        cx.later(span, Task::Operator(pod.clone(), life, OperatorStep::Synced));
    }

    /// What is there is listed: every task of the leader begins.
    pub(super) fn synced(&mut self, cx: &mut Context, parts: &Parts<'_>, pod: &Name) {
        let Some(process) = self.processes.get_mut(pod) else { return };
        if let Stage::Leading { synced, .. } = &mut process.stage {
            *synced = true;
        }
        self.start_allocator(cx, pod);
        if self.release.minor() <= 18 {
            self.log(cx, pod, &[info("CiliumNodes caches synced with Kubernetes")], &[]);
        }
        self.log(cx, pod, &[info("Initialization complete")], &[]);
        self.dirty.extend(parts.nodes.names().cloned());
        self.ask_for_taints(cx);
        self.start_unmanaged(cx, pod);
    }
}
