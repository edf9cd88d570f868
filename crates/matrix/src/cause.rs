//! What got in the way, and fingerprints: the same trouble has the same one from night to night.

use std::sync::LazyLock;

use events::{Failure, FailureClass};
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::cell::digest;

/// What got in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// No room on a disk, or a node that says so.
    DiskFull,
    /// No memory.
    OutOfMemory,
    /// An image that is not there and cannot be pulled.
    ImageMissing,
    /// A chart that is not there, or Helm.
    Chart,
    /// The container engine.
    Docker,
    /// Limits of the kernel: watches, open files.
    Limits,
    /// A name or an address that cannot be reached, no free subnet.
    Network,
    /// The API server does not answer.
    ApiServer,
    /// A node that is not ready.
    Node,
    /// A cluster that does not come up.
    ClusterCreate,
    /// Something was not done in time.
    Timeout,
    /// Anything else.
    Other,
}

/// Words that a cause is known by, in small letters; the first that is found decides, so what lies deeper comes first.
const KNOWN: [(Cause, &[&str]); 11] = [
    (Cause::DiskFull, &["no space left on device", "disk-pressure", "diskpressure", "disk quota", "ephemeral-storage"]),
    (
        Cause::OutOfMemory,
        &["memory-pressure", "memorypressure", "oomkilled", "out of memory", "cannot allocate memory"],
    ),
    (
        Cause::ImageMissing,
        &[
            "errimagepull",
            "imagepullbackoff",
            "errimageneverpull",
            "invalidimagename",
            "imageinspecterror",
            "pull access denied",
            "failed to pull image",
            "manifest unknown",
            "no such image",
            "image is not there",
        ],
    ),
    (Cause::Chart, &["chart"]),
    (Cause::Docker, &["docker daemon", "docker engine", "containerd is not running"]),
    (Cause::Limits, &["too many open files", "inotify", "no more processes", "resource temporarily unavailable"]),
    (
        Cause::ApiServer,
        &["api server", "the watch on", "has not listed", "internalerror", "connection refused", "etcdserver"],
    ),
    (Cause::Network, &["no such host", "address pool", "network is unreachable", "tls handshake", "i/o timeout"]),
    (Cause::ClusterCreate, &["create kind cluster", "kind create cluster", "create cluster"]),
    (Cause::Node, &["not ready node", "node is not ready", "notready", "not-ready", "unreachable"]),
    (Cause::Timeout, &["was not done within", "deadline", "timed out", "waited "]),
];

impl Cause {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DiskFull => "disk-full",
            Self::OutOfMemory => "out-of-memory",
            Self::ImageMissing => "image-missing",
            Self::Chart => "chart",
            Self::Docker => "docker",
            Self::Limits => "limits",
            Self::Network => "network",
            Self::ApiServer => "api-server",
            Self::Node => "node",
            Self::ClusterCreate => "cluster-create",
            Self::Timeout => "timeout",
            Self::Other => "other",
        }
    }

    /// What a failure of the machine was caused by: by its own words, then by the last error of the API.
    pub fn of(failure: &Failure) -> Self {
        let own = failure.text().to_lowercase();
        let api = failure.last_api_error.iter().map(|error| format!("api server: {error}").to_lowercase());
        std::iter::once(own)
            .chain(api)
            .find_map(|text| Self::in_text(&text).filter(|cause| *cause != Self::Timeout))
            .unwrap_or_else(|| Self::in_text(&failure.text().to_lowercase()).unwrap_or(Self::Other))
    }

    fn in_text(text: &str) -> Option<Self> {
        KNOWN.iter().find(|(_, words)| words.iter().any(|word| text.contains(word))).map(|(cause, _)| *cause)
    }
}

/// Names trouble: `disk-full`, `image-missing-1f09…` for one image, `product-77ab…` for one failure of one scenario. What changes
/// from run to run (times, addresses, ids, the node that luck chose) is not part of it, nor is the version.
pub fn fingerprint(scenario: &str, failure: &Failure) -> String {
    let hashed = |word: &str, text: &str| format!("{word}-{}", &digest(text.as_bytes())[..8]);
    match failure.class {
        FailureClass::Infrastructure => {
            let cause = Cause::of(failure);
            match cause {
                // One sick machine makes many different messages.
                Cause::DiskFull | Cause::OutOfMemory | Cause::Docker | Cause::Limits | Cause::ApiServer => {
                    cause.as_str().to_owned()
                }
                Cause::ImageMissing => match image(&failure.text()) {
                    Some(image) => hashed(cause.as_str(), image),
                    None => cause.as_str().to_owned(),
                },
                _ => hashed(cause.as_str(), &without_luck(scenario, &failure.message)),
            }
        }
        FailureClass::Product => {
            hashed("product", &format!("{scenario}\n{}", without_luck(scenario, &failure.message)))
        }
        FailureClass::Unexpected => hashed("xpass", scenario),
        FailureClass::Input => hashed("input", &format!("{scenario}\n{}", without_luck(scenario, &failure.message))),
        FailureClass::Interrupted => "interrupted".to_owned(),
    }
}

/// The image that a message names: `quay.io/cilium/cilium:v1.18.4`.
fn image(text: &str) -> Option<&str> {
    static IMAGE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"\b[a-z0-9][a-z0-9.-]*(?:/[a-z0-9._-]+)+:[A-Za-z0-9._-]*[A-Za-z0-9]|\b[a-z]+:\d[\w.-]*\w").ok()
    });
    IMAGE.as_ref()?.find(text).map(|found| found.as_str())
}

/// A message without what luck decides.
fn without_luck(scenario: &str, message: &str) -> String {
    static LUCK: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
        let parts = [
            // Ids, in the order from the most particular: UUIDs, times, addresses with port or mask, then digits in a word of letters.
            (r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "UUID"),
            (r"\d{4}-\d\d-\d\dT[0-9:.]+Z?", "TIME"),
            (r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+|/\d+)?", "ADDRESS"),
            (r"\b(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?:/\d+)?", "ADDRESS"),
            // Clusters and their nodes, by the run's id; then pods, `alpine-54ff7c58b8-2bftp`, `cilium-x7k2p`: Kubernetes makes such
            // parts without vowels.
            (r"\bipam-e2e-[a-z0-9]+(?:-[a-z0-9]+)*", "CLUSTER"),
            (r"(?:-[bcdfghjklmnpqrstvwxz2456789]{6,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "-POD"),
            (r"\b(?:control-plane|worker\d*)\b", "NODE"),
            (r"\d+(?:\.\d+)?", "N"),
        ];
        let regex = |(pattern, with)| Some((Regex::new(pattern).ok()?, with));
        parts.into_iter().filter_map(regex).collect()
    });
    let mut text = message.replace(scenario, "SCENARIO");
    for (pattern, with) in LUCK.iter() {
        text = pattern.replace_all(&text, *with).into_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::fold::Attempt;

    fn failure(class: FailureClass, message: &str) -> Failure {
        let failure = Attempt::error(message, 0).failure.unwrap();
        Failure { class, ..failure }
    }

    #[rstest]
    #[case("create kind cluster ipam-e2e-x: write /kind/x: no space left on device", Cause::DiskFull)]
    #[case(
        "waited 60s for 3 ready pods of alpine: 0 (Node/ipam-e2e-x-worker node.kubernetes.io/disk-pressure)",
        Cause::DiskFull
    )]
    #[case(
        "waited 600s for a ready agent on every node: 0 (Pod/kube-system/cilium-x7k2p ImagePullBackOff)",
        Cause::ImageMissing
    )]
    #[case("create kind cluster x: docker run: pull access denied for kindest/node", Cause::ImageMissing)]
    #[case("waited 60s for 3 ready pods, but the API server does not answer: connection refused", Cause::ApiServer)]
    #[case("waited 30s for x, but the watch on CiliumNode has been down for 12s: EOF", Cause::ApiServer)]
    #[case("patch ConfigMap/cilium-config: InternalError: injected", Cause::ApiServer)]
    #[case("create kind cluster x: Cannot connect to the Docker daemon at unix:///var/run/docker.sock", Cause::Docker)]
    #[case("create kind cluster x: kubelet is not running", Cause::ClusterCreate)]
    #[case("create network: all predefined address pools have been fully subnetted", Cause::Network)]
    #[case("helm upgrade was not done within 600s", Cause::Timeout)]
    #[case("the sky has fallen", Cause::Other)]
    fn causes_are_told_apart(#[case] message: &str, #[case] cause: Cause) {
        assert_eq!(Cause::of(&failure(FailureClass::Infrastructure, message)), cause);
    }

    #[test]
    fn a_deadline_with_an_api_error_before_it_is_the_api_servers() {
        let mut late = failure(FailureClass::Infrastructure, "waited 60s for 3 ready pods: 1");
        assert_eq!(Cause::of(&late), Cause::Timeout);
        late.last_api_error = Some("at 1:02.0: 503 Service Unavailable".to_owned());
        assert_eq!(Cause::of(&late), Cause::ApiServer);
    }

    #[track_caller]
    fn same(class: FailureClass, a: &str, b: &str) {
        let of = |text: &str| fingerprint("mask-widened", &failure(class, text));
        assert_eq!(of(a), of(b), "{} / {}", without_luck("mask-widened", a), without_luck("mask-widened", b));
    }

    #[test]
    fn luck_is_no_part_of_a_fingerprint() {
        same(
            FailureClass::Infrastructure,
            "waited 61.2s for cilium-agent to be back: cilium-bsw85 on worker: Running, not ready",
            "waited 60s for cilium-agent to be back: cilium-s5dxw on worker2: Running, not ready",
        );
        same(
            FailureClass::Product,
            "CiliumNode/worker2 podCIDRs [10.42.1.0/24] of pod alpine-54ff7c58b8-2bftp at 2026-03-01T12:00:00Z",
            "CiliumNode/worker podCIDRs [10.42.7.0/24] of pod alpine-6d4cf56db6-zx9qk at 2026-03-02T11:00:07Z",
        );
        same(
            FailureClass::Infrastructure,
            "create kind cluster ipam-e2e-k3v9x1: no space left on device",
            "write events.ndjson: No space left on device (os error 28)",
        );
    }

    #[test]
    fn different_trouble_has_different_fingerprints() {
        let of = |class, text: &str| fingerprint("mask-widened", &failure(class, text));
        let all = [
            of(FailureClass::Infrastructure, "Pod/alpine/a ImagePullBackOff alpine:3.22"),
            of(FailureClass::Infrastructure, "Pod/kube-system/c ImagePullBackOff quay.io/cilium/cilium:v1.20.2"),
            of(FailureClass::Infrastructure, "no space left on device"),
            of(FailureClass::Product, "podCIDRs of ciliumNode every unchanged"),
            of(FailureClass::Product, "operatorStatus every clear"),
            of(FailureClass::Unexpected, "passed"),
            fingerprint("t", &failure(FailureClass::Product, "operatorStatus every clear")),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
        assert!(all[0].starts_with("image-missing-") && all[3].starts_with("product-"), "{all:?}");
    }

    #[test]
    fn every_cause_has_a_word_of_its_own_as_in_json() {
        for (cause, _) in KNOWN {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.as_str());
        }
    }
}
