//! One container's life.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::view::{ContainerView, Images};
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
    Running { since: String },
    Ended { since: String, at: String, code: i32, message: String },
}

/// A container.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    image_id: String,
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
    pub(super) fn new(view: &ContainerView, images: &mut Images) -> Self {
        let (image_id, id) = images.id(&view.image);
        Self {
            name: view.name.clone(),
            image: view.image.clone(),
            image_id,
            id,
            state: State::Waiting { reason: "ContainerCreating".to_owned(), message: String::new() },
            last: None,
            ready: false,
            restarts: 0,
            back_off: None,
            shows_log: view.termination_message_policy == "FallbackToLogsOnError",
            resources: if view.resources.is_object() { view.resources.clone().into() } else { tree!({}) },
            mounts: view.volume_mounts.iter().map(mount).collect(),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    pub(super) fn begin(&mut self, now: &str) {
        if matches!(self.state, State::Ended { .. }) {
            self.last = Some(self.state.clone());
        }
        self.id = self.id.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x632b_e593);
        self.state = State::Running { since: now.to_owned() };
        self.ready = false;
    }

    pub(super) fn complete(&mut self, now: &str) {
        self.end(now, End { code: 0, message: String::new() });
        self.ready = true;
    }

    pub(super) fn end(&mut self, now: &str, end: End) {
        let since = match &self.state {
            State::Running { since } => since.clone(),
            _ => now.to_owned(),
        };
        let message = if self.shows_log { end.message } else { String::new() };
        self.state = State::Ended { since, at: now.to_owned(), code: end.code, message };
        self.ready = false;
    }

    pub(super) fn wait(&mut self, reason: &str, message: &str) {
        self.last = Some(self.state.clone());
        self.state = State::Waiting { reason: reason.to_owned(), message: message.to_owned() };
    }

    /// Its machine went down and came up again.
    pub(super) fn machine_restarted(&mut self, now: &str) {
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
            "image": full_name(&self.image),
            "imageID": if created { self.image_id.as_str() } else { "" },
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
fn mount(mount: &Value) -> Tree {
    let mut out = tree!({"name": mount["name"], "mountPath": mount["mountPath"]});
    if mount["readOnly"] == true {
        out["readOnly"] = true.into();
        out["recursiveReadOnly"] = "Disabled".into();
    }
    out
}

/// An image's name as containerd has it: with its registry.
fn full_name(image: &str) -> String {
    match image.split_once('/') {
        None => format!("docker.io/library/{image}"),
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => image.to_owned(),
        Some(_) => format!("docker.io/{image}"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("alpine:3.22", "docker.io/library/alpine:3.22")]
    #[case("cilium/cilium:v1", "docker.io/cilium/cilium:v1")]
    #[case("quay.io/cilium/cilium:v1", "quay.io/cilium/cilium:v1")]
    #[case("localhost/x", "localhost/x")]
    fn images_have_their_registry(#[case] image: &str, #[case] expected: &str) {
        assert_eq!(full_name(image), expected);
    }
}
