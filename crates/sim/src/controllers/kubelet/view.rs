//! The part of a pod's specification that its kubelet reads, and what its processes do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ecow::EcoString;
use serde::Deserialize;

use crate::store::Stored;
use crate::world::{Program, or_default};

/// The annotation of a static pod's mirror.
pub(crate) const MIRROR: &str = "kubernetes.io/config.mirror";

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodView {
    #[serde(deserialize_with = "or_default")]
    pub(super) host_network: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) restart_policy: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) init_containers: Vec<ContainerView>,
    #[serde(deserialize_with = "or_default")]
    pub(super) containers: Vec<ContainerView>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ContainerView {
    #[serde(deserialize_with = "or_default")]
    pub(super) name: EcoString,
    #[serde(deserialize_with = "or_default")]
    pub(super) image: EcoString,
    #[serde(deserialize_with = "or_default")]
    command: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    args: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) termination_message_policy: String,
    readiness_probe: Option<ProbeView>,
    startup_probe: Option<ProbeView>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ProbeView {
    initial_delay_seconds: u64,
}

impl PodView {
    pub(super) fn read(pod: &Stored) -> Self {
        #[derive(Deserialize)]
        struct View {
            spec: PodView,
        }
        pod.read::<View>().map(|view| view.spec).unwrap_or_default()
    }

    /// Told by the command, so that a copy under another name is one as well.
    pub(super) fn program(&self) -> Program {
        let command = self.containers.first().and_then(|container| container.command.first());
        match command.map(String::as_str) {
            Some("cilium-agent") => Program::Agent,
            Some("cilium-operator-generic") => Program::Operator,
            _ => Program::Other,
        }
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        let first = self.containers.first();
        first.into_iter().flat_map(|container| container.command.iter().chain(&container.args)).map(String::as_str)
    }

    /// A process with number 1 gets only the signals that it has asked for: `sleep` asks for none.
    pub(super) fn heeds_sigterm(&self) -> bool {
        let mut words = self.words();
        !matches!(words.next(), Some("sleep" | "/bin/sleep" | "tail"))
    }

    /// The exit code of a command that ends soon, where it can be told from its words.
    pub(super) fn ends(&self) -> Option<i32> {
        let words: Vec<&str> = self.words().collect();
        let script = match words.as_slice() {
            ["true" | "/bin/true" | "echo" | "date" | "env" | "ls", ..] => return Some(0),
            ["false" | "/bin/false"] => return Some(1),
            ["sh" | "/bin/sh" | "bash" | "/bin/bash", "-c", script] => script.trim(),
            _ => return None,
        };
        let last = parts(script).last()?;
        if matches!(last.split(' ').next(), Some("echo" | "true" | "date")) {
            return Some(0);
        }
        let code = last.strip_prefix("exit")?.trim();
        if code.is_empty() { Some(0) } else { code.parse().ok() }
    }

    pub(super) fn stays_ended(&self, code: i32) -> bool {
        self.restart_policy == "Never" || (self.restart_policy == "OnFailure" && code == 0)
    }

    pub(super) fn has_probe(&self) -> bool {
        self.containers.iter().any(|c| c.readiness_probe.is_some() || c.startup_probe.is_some())
    }

    pub(super) fn probe_delay(&self) -> Duration {
        let seconds = self.containers.iter().map(|container| {
            let delay = |probe: &Option<ProbeView>| probe.as_ref().map_or(0, |probe| probe.initial_delay_seconds);
            delay(&container.startup_probe).max(delay(&container.readiness_probe))
        });
        Duration::from_secs(seconds.max().unwrap_or_default())
    }
}

impl ContainerView {
    /// What it writes as it starts, where that can be told from its words: what it echoes.
    pub(super) fn says(&self) -> Vec<String> {
        let words: Vec<&str> = self.command.iter().chain(&self.args).map(String::as_str).collect();
        let echo = |part: &str| Some(part.strip_prefix("echo ")?.trim().trim_matches(['"', '\'']).to_owned());
        match words.as_slice() {
            ["echo", rest @ ..] => vec![rest.join(" ")],
            ["sh" | "/bin/sh" | "bash" | "/bin/bash", "-c", script] => parts(script).map_while(echo).collect(),
            _ => Vec::new(),
        }
    }
}

/// The commands of a script that has one after the other.
fn parts(script: &str) -> impl DoubleEndedIterator<Item = &str> {
    script.split([';', '&', '\n']).map(str::trim).filter(|part| !part.is_empty())
}

pub(super) fn is_mirror(pod: &Stored) -> bool {
    #[derive(Deserialize)]
    struct View {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(default, deserialize_with = "or_default")]
        annotations: BTreeMap<String, String>,
    }
    pod.read::<View>().is_ok_and(|view| view.metadata.annotations.contains_key(MIRROR))
}

/// Seconds that a deleted pod has left.
pub(super) fn grace(pod: &Stored) -> u64 {
    #[derive(Deserialize)]
    struct View {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(rename = "deletionGracePeriodSeconds")]
        grace: Option<u64>,
    }
    pod.read::<View>().ok().and_then(|view| view.metadata.grace).unwrap_or(30)
}

/// What kubelets read of the pods that they saw last. Thousands of pods of one template have one view.
#[derive(Debug, Default)]
pub(super) struct Views(Vec<Arc<PodView>>);

impl Views {
    /// More than there are workloads in a cluster that is large.
    const KEPT: usize = 16;

    pub(super) fn read(&mut self, pod: &Stored) -> Arc<PodView> {
        let view = PodView::read(pod);
        if let Some(known) = self.0.iter().find(|known| ***known == view) {
            return known.clone();
        }
        if self.0.len() == Self::KEPT {
            self.0.remove(0);
        }
        let view = Arc::new(view);
        self.0.push(view.clone());
        view
    }
}

/// An image as containerd has it.
#[derive(Debug, Clone)]
pub(super) struct Image {
    /// With its registry.
    pub(super) full_name: EcoString,
    /// Made up, the same for the same image.
    pub(super) id: EcoString,
    word: u64,
}

/// The images of all nodes, and a number for each container.
#[derive(Debug, Default)]
pub(super) struct Images {
    known: BTreeMap<EcoString, Image>,
    containers: u64,
}

impl Images {
    /// A container's image, and a number that no other container has.
    pub(super) fn of_container(&mut self, image: &EcoString) -> (Image, u64) {
        self.containers += 1;
        let found = self.known.entry(image.clone()).or_insert_with(|| Image::new(image)).clone();
        let number = found.word.wrapping_add(self.containers);
        (found, number)
    }
}

impl Image {
    fn new(image: &str) -> Self {
        let mut digest = String::from("sha256:");
        let mut word = 0xcbf2_9ce4_8422_2325_u64;
        for round in 0..4_u64 {
            for byte in image.bytes() {
                word = (word ^ u64::from(byte) ^ round).wrapping_mul(0x0100_0000_01b3);
            }
            digest.push_str(&format!("{word:016x}"));
        }
        Self { full_name: full_name(image).into(), id: digest.into(), word }
    }
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
