//! The operator's replicas: the lease, and what the leader does.

mod allocator;
mod lead;
mod taints;
mod unmanaged;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipam::Release;
use ipam::operator::{ConfigError, LogLine, Operator, OperatorConfig};

use super::config::{Configs, Data};
use super::{info, log_text};
use crate::store::{Resource, WriteOptions, micros};
use crate::tree::tree;
use crate::world::{Context, Key, Name, Signal, Task};
use allocator::Watched;

/// How long a lease holds that nobody renews, and how often one tries to get it (operator/cmd/flags.go).
const LEASE: Duration = Duration::from_secs(15);
const RETRY: (Duration, Duration) = (Duration::from_millis(1800), Duration::from_millis(2400));
const CONTAINER: &str = cilium::components::OPERATOR.container;

/// What an operator does later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OperatorStep {
    /// The process is up.
    Booted,
    /// It tries to get the lease.
    Campaign,
    /// It leads and has listed what is there.
    Synced,
    /// CiliumNodes have changed.
    Deliver,
    /// The allocator has something to do.
    Wake,
    /// Nodes whose agents have changed.
    Taints,
    /// The round over pods without an endpoint.
    Unmanaged,
    /// The kubelet has brought the ConfigMap volume up to date.
    Volume,
}

#[derive(Debug)]
enum Stage {
    Booting,
    Candidate,
    Leading {
        machine: Option<Box<Operator>>,
        /// Its tasks have listed what is there.
        synced: bool,
    },
}

#[derive(Debug)]
struct Process {
    pod: Name,
    life: u32,
    id: String,
    data: Data,
    stage: Stage,
}

/// All operators.
#[derive(Debug)]
pub(crate) struct Operators {
    release: Release,
    lives: u32,
    /// By pod.
    processes: BTreeMap<Name, Process>,
    /// ConfigMap volumes, by pod.
    volumes: BTreeMap<Name, Data>,
    /// Who leads.
    leader: Option<Name>,
    /// The last leader did not give its lease back: it holds until then, by the world's own clock.
    held_until: Option<Duration>,
    watched: Watched,
    /// Nodes whose agents have changed.
    dirty: BTreeSet<Name>,
    dirty_asked: bool,
    unmanaged: unmanaged::Rounds,
}

impl Operators {
    pub(crate) fn new(release: Release) -> Self {
        Self {
            release,
            lives: 0,
            processes: BTreeMap::new(),
            volumes: BTreeMap::new(),
            leader: None,
            held_until: None,
            watched: Watched::default(),
            dirty: BTreeSet::new(),
            dirty_asked: false,
            unmanaged: unmanaged::Rounds::default(),
        }
    }

    /// Cilium has another version from now on: new processes are of it.
    pub(crate) fn set_release(&mut self, release: Release) {
        self.release = release;
    }

    /// The pod that leads.
    pub(crate) fn leader(&self) -> Option<&Name> {
        self.leader.as_ref()
    }

    /// The configuration in a pod's volume.
    pub(crate) fn config_of(&self, pod: &str) -> Option<&Data> {
        self.volumes.get(pod)
    }

    /// A process of a pod has started.
    pub(crate) fn started(&mut self, cx: &mut Context, configs: &mut Configs, pod: &Name, node: &Name) {
        self.lives += 1;
        let life = self.lives;
        // A container that is started again in its pod sees the volume as the kubelet has brought it up to date.
        let data = match self.volumes.get(pod) {
            Some(data) => data.clone(),
            None => {
                let data = configs.read(&cx.store).unwrap_or_default();
                self.volumes.insert(pod.clone(), data.clone());
                data
            }
        };
        let id = format!("{node}-{}", cx.store.new_suffix());
        let process = Process { pod: pod.clone(), life, id, data, stage: Stage::Booting };
        self.processes.insert(pod.clone(), process);
        let span = cx.pace.operator_boot;
        cx.later(span, Task::Operator(pod.clone(), life, OperatorStep::Booted));
    }

    /// A process has ended. `orderly`: it was asked to, and gave its lease back.
    pub(crate) fn stopped(&mut self, cx: &mut Context, pod: &Name, orderly: bool) {
        if self.processes.remove(pod).is_none() || self.leader.as_ref() != Some(pod) {
            return;
        }
        self.leader = None;
        // What this process had asked itself to do is not done any more.
        self.dirty_asked = false;
        self.unmanaged.stop();
        let key = Key::new(cilium::components::NAMESPACE, cilium::components::OPERATOR_LEASE);
        if orderly {
            self.held_until = None;
            let now = micros(cx.store.now());
            cx.change(Resource::Lease, &key, |lease| {
                lease["spec"]["holderIdentity"] = "".into();
                lease["spec"]["leaseDurationSeconds"] = 1.into();
                lease["spec"]["renewTime"] = now.into();
            });
        } else {
            self.held_until = Some(cx.timers.now() + LEASE);
        }
    }

    /// A pod is gone for good.
    pub(crate) fn forget_pod(&mut self, pod: &str) {
        self.volumes.remove(pod);
    }

    /// `cilium-config` has changed: kubelets bring volumes up to date after a while, whether their pods' processes run or not.
    pub(crate) fn config_changed(&mut self, cx: &mut Context) {
        for pod in self.volumes.keys() {
            let wait = (Duration::from_secs(20), Duration::from_secs(80));
            cx.later(wait, Task::Operator(pod.clone(), 0, OperatorStep::Volume));
        }
    }

    /// A timer of an operator.
    pub(crate) fn step(
        &mut self,
        cx: &mut Context,
        parts: &super::operators::Parts<'_>,
        configs: &mut Configs,
        pod: &Name,
        life: u32,
        step: OperatorStep,
    ) {
        if step == OperatorStep::Volume {
            if let Some(data) = configs.read(&cx.store).filter(|_| self.volumes.contains_key(pod)) {
                self.volumes.insert(pod.clone(), data);
            }
            return;
        }
        if self.processes.get(pod).is_none_or(|process| process.life != life) {
            return;
        }
        match step {
            OperatorStep::Booted => self.booted(cx, pod),
            OperatorStep::Campaign => self.campaign(cx, pod),
            OperatorStep::Synced => self.synced(cx, parts, pod),
            OperatorStep::Deliver => self.deliver(cx, pod),
            OperatorStep::Wake => self.wake(cx, pod),
            OperatorStep::Taints => self.mark_nodes(cx, parts, pod),
            OperatorStep::Unmanaged => self.restart_unmanaged(cx, parts, pod),
            OperatorStep::Volume => {}
        }
    }

    fn log(&self, cx: &mut Context, pod: &Name, lines: &[LogLine], fields: &[(&str, &str)]) {
        let now = cx.store.now();
        for line in lines {
            let text = log_text(&micros(now), line, fields);
            cx.logs.write(pod, CONTAINER, now, text);
        }
    }

    fn booted(&mut self, cx: &mut Context, pod: &Name) {
        let Some(process) = self.processes.get_mut(pod) else { return };
        process.stage = Stage::Candidate;
        let life = process.life;
        let config = OperatorConfig::from_config_map(&process.data, self.release);
        if let Err(error) = config {
            let line = error.log();
            let orderly = matches!(error, ConfigError::Decode { .. });
            return self.fatal(cx, pod, line, orderly);
        }
        // Readiness asks for nothing but the API server (operator/api/health.go).
        cx.signals.push_back(Signal::Ready { pod: pod.clone(), ready: true });
        let text = format!(
            "attempting to acquire leader lease {}/{}...",
            cilium::components::NAMESPACE,
            cilium::components::OPERATOR_LEASE
        );
        self.log(cx, pod, &[info(text)], &[]);
        let span = cx.pace.watch;
        cx.later(span, Task::Operator(pod.clone(), life, OperatorStep::Campaign));
    }

    fn fatal(&mut self, cx: &mut Context, pod: &Name, line: LogLine, orderly: bool) {
        self.log(cx, pod, std::slice::from_ref(&line), &[]);
        let text = match &line.error {
            Some(error) => format!("level={} msg={:?} error={error:?}", line.level, line.message),
            None => format!("level={} msg={:?}", line.level, line.message),
        };
        self.stopped(cx, pod, orderly);
        cx.signals.push_back(Signal::Exited { pod: pod.clone(), code: 1, message: text });
    }

    fn campaign(&mut self, cx: &mut Context, pod: &Name) {
        let Some(process) = self.processes.get(pod) else { return };
        let (life, id) = (process.life, process.id.clone());
        let held = self.leader.is_some() || self.held_until.is_some_and(|until| until > cx.timers.now());
        if held {
            cx.later(RETRY, Task::Operator(pod.clone(), life, OperatorStep::Campaign));
            return;
        }
        self.held_until = None;
        self.leader = Some(pod.clone());
        acquire(cx, &id);
        let text = format!(
            "successfully acquired lease {}/{}",
            cilium::components::NAMESPACE,
            cilium::components::OPERATOR_LEASE
        );
        self.log(cx, pod, &[info(text), info("Leading the operator HA deployment")], &[]);
        self.lead(cx, pod);
    }

    /// The leader loses its lease, as when the API server does not answer it in time: it ends at once.
    pub(crate) fn lose_lead(&mut self, cx: &mut Context) -> bool {
        let Some(pod) = self.leader.clone() else { return false };
        let line = LogLine { level: "fatal", message: "Leader election lost, shutting down.".to_owned(), error: None };
        self.fatal(cx, &pod, line, false);
        true
    }
}

/// What the leader looks at.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) pods: &'a crate::controllers::pods::Pods,
    pub(crate) nodes: &'a crate::controllers::nodes::Nodes,
}

fn acquire(cx: &mut Context, id: &str) {
    let now = micros(cx.store.now());
    let key = Key::new(cilium::components::NAMESPACE, cilium::components::OPERATOR_LEASE);
    if cx.store.find(Resource::Lease, &key.namespace, &key.name).is_none() {
        let lease = tree!({
            "metadata": {"name": *key.name},
            "spec": {
                "acquireTime": now,
                "holderIdentity": id,
                "leaseDurationSeconds": LEASE.as_secs(),
                "leaseTransitions": 0,
                "renewTime": now,
            },
        });
        // Only this operator makes it, and only here.
        let _ = cx.store.create(Resource::Lease, &key.namespace, lease, &WriteOptions::default());
        return;
    }
    cx.change(Resource::Lease, &key, |lease| {
        let spec = &mut lease["spec"];
        let transitions = spec["leaseTransitions"].as_u64().unwrap_or_default() + 1;
        spec["acquireTime"] = now.clone().into();
        spec["holderIdentity"] = id.into();
        spec["leaseDurationSeconds"] = LEASE.as_secs().into();
        spec["leaseTransitions"] = transitions.into();
        spec["renewTime"] = now.into();
    });
}
