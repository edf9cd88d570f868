//! One container's life.

use std::time::Duration;

use ecow::EcoString;
use jiff::Timestamp;

use super::view::{ContainerView, Image, Images};
use crate::tree::{Tree, tree};

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) code: i32,
    /// With `terminationMessagePolicy: FallbackToLogsOnError`, the end of its log.
    pub(super) message: String,
}

/// Where a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Waiting { reason: String, message: String },
    Running { since: EcoString },
    Ended { since: EcoString, at: EcoString, code: i32, message: String },
}

/// A container.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) name: EcoString,
    pub(super) image: EcoString,
    pulled: Image,
    id: u64,
    pub(super) state: State,
    last: Option<State>,
    pub(super) ready: bool,
    pub(super) restarts: u32,
    /// The last wait of CrashLoopBackOff; none before the first crash.
    pub(super) back_off: Option<Duration>,
    shows_log: bool,
    resources: Tree,
    mounts: Tree,
}

impl Container {
    /// `spec`: the whole of what the view is a part of.
    pub(super) fn new(view: &ContainerView, spec: &Tree, images: &mut Images) -> Self {
        let (pulled, id) = images.of_container(&view.image);
        let mounts = spec["volumeMounts"].as_array().into_iter().flatten();
        Self {
            name: view.name.clone(),
            image: view.image.clone(),
            pulled,
            id,
            state: State::Waiting { reason: "ContainerCreating".to_owned(), message: String::new() },
            last: None,
            ready: false,
            restarts: 0,
            back_off: None,
            shows_log: view.termination_message_policy == "FallbackToLogsOnError",
            resources: if spec["resources"].is_object() { spec["resources"].clone() } else { tree!({}) },
            mounts: mounts.map(mount).collect(),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    pub(super) fn begin(&mut self, now: &EcoString) {
        if matches!(self.state, State::Ended { .. }) {
            self.last = Some(self.state.clone());
        }
        self.id = self.id.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x632b_e593);
        self.state = State::Running { since: now.clone() };
        self.ready = false;
    }

    pub(super) fn complete(&mut self, now: &EcoString) {
        self.end(now, End { code: 0, message: String::new() });
        self.ready = true;
    }

    pub(super) fn end(&mut self, now: &EcoString, end: End) {
        let since = match &self.state {
            State::Running { since } => since.clone(),
            _ => now.clone(),
        };
        let message = if self.shows_log { end.message } else { String::new() };
        self.state = State::Ended { since, at: now.clone(), code: end.code, message };
        self.ready = false;
    }

    pub(super) fn wait(&mut self, reason: &str, message: &str) {
        self.last = Some(self.state.clone());
        self.state = State::Waiting { reason: reason.to_owned(), message: message.to_owned() };
    }

    /// Its machine went down and came up again.
    pub(super) fn machine_restarted(&mut self, now: &EcoString) {
        if self.is_running() {
            self.end(now, End { code: 255, message: String::new() });
            self.restarts += 1;
        }
        self.ready = false;
        if matches!(self.state, State::Ended { .. }) {
            self.last = Some(self.state.clone());
        }
        self.state = State::Waiting { reason: "ContainerCreating".to_owned(), message: String::new() };
    }

    /// How long it has run.
    pub(super) fn ran(&self, now: Timestamp) -> Duration {
        let State::Running { since } = &self.state else { return Duration::ZERO };
        let since: Option<Timestamp> = since.parse().ok();
        let seconds = since.map_or(0, |since| now.duration_since(since).as_secs());
        Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
    }

    /// Its entry in the pod's status. `initializing`: it waits for init containers.
    pub(super) fn status(&self, initializing: bool) -> Tree {
        let created = self.is_running() || matches!(self.state, State::Ended { .. }) || self.last.is_some();
        let state = match &self.state {
            State::Waiting { reason, .. } if initializing && reason == "ContainerCreating" => {
                tree!({"waiting": {"reason": "PodInitializing"}})
            }
            other => self.state_value(other),
        };
        let mut status = tree!({
            "name": self.name,
            "image": self.pulled.full_name,
            "imageID": if created { self.pulled.id.clone() } else { EcoString::new() },
            "containerID": if created { self.container_id() } else { String::new() },
            "state": state,
            "lastState": self.last.as_ref().map_or_else(|| tree!({}), |last| self.state_value(last)),
            "ready": self.ready,
            "restartCount": self.restarts,
            "started": self.is_running(),
        });
        if created {
            status["resources"] = self.resources.clone();
            if let Some(requests) = self.resources.get("requests") {
                status["allocatedResources"] = requests.clone();
            }
        }
        if self.mounts.as_array().is_some_and(|list| !list.is_empty()) {
            status["volumeMounts"] = self.mounts.clone();
        }
        status
    }

    fn container_id(&self) -> String {
        let mut word = self.id;
        let mut text = String::from("containerd://");
        for _ in 0..4 {
            word = word.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
            text.push_str(&format!("{word:016x}"));
        }
        text
    }

    fn state_value(&self, state: &State) -> Tree {
        match state {
            State::Waiting { reason, message } if message.is_empty() => tree!({"waiting": {"reason": reason}}),
            State::Waiting { reason, message } => tree!({"waiting": {"reason": reason, "message": message}}),
            State::Running { since } => tree!({"running": {"startedAt": since}}),
            State::Ended { since, at, code, message } => {
                let reason = match code {
                    0 => "Completed",
                    255 => "Unknown",
                    _ => "Error",
                };
                let mut terminated = tree!({
                    "exitCode": code,
                    "reason": reason,
                    "startedAt": since,
                    "finishedAt": at,
                    "containerID": self.container_id(),
                });
                if !message.is_empty() {
                    terminated["message"] = message.clone().into();
                }
                tree!({"terminated": terminated})
            }
        }
    }
}

/// A mount as a kubelet reports it.
fn mount(mount: &Tree) -> Tree {
    let mut out = tree!({"name": mount["name"], "mountPath": mount["mountPath"]});
    if mount["readOnly"] == true {
        out["readOnly"] = true.into();
        out["recursiveReadOnly"] = "Disabled".into();
    }
    out
}
