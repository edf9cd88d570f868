//! Everything that a session took in, in the order in which it took it in: what its checks saw can be judged again without a cluster.

use std::net::IpAddr;
use std::sync::Arc;

use events::StepOutcome;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use crate::check::Ping;
use crate::observe::{KindName, ObjectChange, Observation};
use crate::probe::Answer;

/// Version of the format.
pub const FORMAT: u32 = 1;
/// Its name in a scenario's folder.
pub const FILE_NAME: &str = "recording.ndjson";

/// One line of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Milliseconds of the run's clock.
    pub at_ms: u64,
    /// What was taken in.
    #[serde(flatten)]
    pub what: What,
}

/// What was taken in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum What {
    /// The first line.
    Recording {
        /// See [`FORMAT`].
        format: u32,
        /// The scenario's name.
        scenario: String,
        /// Cilium's version.
        cilium: String,
        /// The kind of cluster.
        cluster: events::ClusterKind,
    },
    /// An object as it is now.
    Applied {
        /// `v1`, `cilium.io/v2`.
        api_version: String,
        /// `Pod`.
        kind: String,
        /// Without `managedFields`.
        object: Arc<Value>,
    },
    /// An object that is gone.
    Deleted {
        /// As above.
        api_version: String,
        /// As above.
        kind: String,
        /// As it was last.
        object: Arc<Value>,
    },
    /// All objects of a kind.
    Listed {
        /// As above.
        api_version: String,
        /// As above.
        kind: String,
        /// All of them.
        objects: Vec<Arc<Value>>,
        /// Why the list had to be taken again.
        gap: Option<String>,
    },
    /// A watch went down.
    Lost {
        /// As above.
        api_version: String,
        /// As above.
        kind: String,
        /// Why.
        cause: String,
    },
    /// It came back.
    Resumed {
        /// As above.
        api_version: String,
        /// As above.
        kind: String,
    },
    /// The cluster has no such kind yet.
    Undefined {
        /// As above.
        api_version: String,
        /// As above.
        kind: String,
    },
    /// What an agent said of itself.
    Agent {
        /// Which run of its process.
        incarnation: String,
        /// Its node.
        node: String,
        /// UID of its pod.
        pod_uid: String,
        /// The mode it runs.
        ipam: String,
        /// The ranges it allocates from.
        pod_cidrs: Vec<ipnet::IpNet>,
    },
    /// An agent that did not answer.
    Silent {
        /// Which run of its process.
        incarnation: String,
        /// What came instead.
        cause: String,
        /// Whether the question came as far as the agent.
        asked: bool,
    },
    /// The answer of a ping.
    Ping {
        /// Of the pod that asked.
        namespace: String,
        /// The pod that asked.
        pod: String,
        /// Whom.
        ip: IpAddr,
        /// Whether it answered; none where the ping could not be sent.
        answered: Option<bool>,
        /// Why it could not.
        cause: Option<String>,
    },
    /// The pods of a set after they were rolled out; none where the set is gone.
    Rollout {
        /// `alpine`, `coredns`.
        of: String,
        /// Their UIDs.
        uids: Option<Vec<String>>,
    },
    /// The world was kept under a name.
    Label {
        /// `start`, or a step's name.
        name: String,
    },
    /// A step began.
    StepStarted {
        /// From 0.
        index: usize,
    },
    /// A step ended.
    StepEnded {
        /// From 0.
        index: usize,
        /// How.
        outcome: StepOutcome,
    },
    /// What a newer version of this tool wrote.
    #[serde(other)]
    Unknown,
}

/// Keeps what is taken in. Objects are shared with the history, so it costs little.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Vec<(Instant, What)>);

impl Recorder {
    pub(crate) fn note(&mut self, at: Instant, what: What) {
        self.0.push((at, what));
    }

    pub(crate) fn observed(&mut self, observation: &Observation) {
        let KindName { api_version, kind } = observation.kind.clone();
        // What Secrets hold is written nowhere; Events are not judged by.
        if kind == "Secret" || kind == "Event" {
            return;
        }
        let what = match &observation.change {
            ObjectChange::Applied(object) => What::Applied { api_version, kind, object: object.clone() },
            ObjectChange::Deleted(object) => What::Deleted { api_version, kind, object: object.clone() },
            ObjectChange::Listed { objects, gap } => {
                What::Listed { api_version, kind, objects: objects.clone(), gap: gap.clone() }
            }
            ObjectChange::Lost { cause } => What::Lost { api_version, kind, cause: cause.clone() },
            ObjectChange::Resumed => What::Resumed { api_version, kind },
            ObjectChange::Undefined => What::Undefined { api_version, kind },
        };
        self.note(observation.at, what);
    }

    pub(crate) fn answer(&mut self, at: Instant, answer: &Answer) {
        let incarnation = answer.incarnation.clone();
        let what = match &answer.outcome {
            Ok(facts) => What::Agent {
                incarnation,
                node: facts.node.clone(),
                pod_uid: facts.pod_uid.clone(),
                ipam: facts.ipam.clone(),
                pod_cidrs: facts.pod_cidrs.clone(),
            },
            Err(silence) => What::Silent { incarnation, cause: silence.cause.clone(), asked: silence.asked },
        };
        self.note(at, what);
    }

    pub(crate) fn ping(&mut self, at: Instant, pair: &crate::check::Pair, ping: &Ping) {
        let (answered, cause) = match ping {
            Ping::Answered => (Some(true), None),
            Ping::Unanswered => (Some(false), None),
            Ping::Untried(cause) => (None, Some(cause.clone())),
        };
        let (namespace, pod, ip) = pair.clone();
        self.note(at, What::Ping { namespace, pod, ip, answered, cause });
    }

    /// All lines, the first one first.
    pub(crate) fn lines(&self, head: What, ms: &dyn Fn(Instant) -> u64) -> String {
        let mut text = String::new();
        let all = std::iter::once((0, &head)).chain(self.0.iter().map(|(at, what)| (ms(*at), what)));
        for (at_ms, what) in all {
            let entry = EntryRef { at_ms, what };
            if let Ok(line) = serde_json::to_string(&entry) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryRef<'a> {
    at_ms: u64,
    #[serde(flatten)]
    what: &'a What,
}
