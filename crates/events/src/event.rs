//! The events themselves.

use serde::{Deserialize, Serialize};

use crate::{ClusterKind, Failure, Kept, Outcome, Phase, StepOutcome, Tally};

/// Version of the event format, in the first event of each stream.
pub const FORMAT: u32 = 1;

/// One event. In `events.ndjson`: one a line, in order of `seq`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts from 0 without gaps.
    pub seq: u64,
    /// Milliseconds since the run began, by the run's clock. On `sim` each scenario has a clock of its own, which begins with it, and
    /// time is virtual.
    pub at_ms: u64,
    /// Wall time. The only field that differs between two runs of one seed on `sim`.
    pub wall: jiff::Timestamp,
    /// The scenario it belongs to; none for the run itself.
    pub scenario: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// A step as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepPlan {
    /// What it does, in a line: `restart cilium-agent, hubble-relay`.
    pub title: String,
    /// Line in the scenario file.
    pub line: usize,
    /// Deadline in milliseconds.
    pub deadline_ms: u64,
    /// Why it will not run in this run, if so.
    pub skip: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// First event of a run.
    RunStarted {
        /// See [`FORMAT`].
        format: u32,
        /// The run's id, also in names and labels of what it makes.
        run: String,
        /// Version of this tool.
        tool: String,
        /// The kind of cluster.
        cluster: ClusterKind,
        /// Why this kind was taken.
        why: String,
        /// Cilium's version.
        cilium: String,
        /// Names of the scenarios, in order.
        scenarios: Vec<String>,
        /// The order of everything that real life leaves open, on `sim`.
        seed: Option<u64>,
        /// A sentence that every report must carry (`simulated: says nothing about Cilium itself`).
        notice: Option<String>,
    },
    /// A scenario begins.
    ScenarioStarted {
        /// Its file.
        file: String,
        /// What it shows.
        summary: String,
        /// Issues and pages.
        references: Vec<String>,
        /// Its steps.
        steps: Vec<StepPlan>,
    },
    /// A phase begins.
    PhaseStarted {
        /// Which.
        phase: Phase,
    },
    /// A phase has ended.
    PhaseEnded {
        /// Which.
        phase: Phase,
        /// How long it took by the run's clock.
        took_ms: u64,
    },
    /// A step begins.
    StepStarted {
        /// From 0.
        index: usize,
    },
    /// What is being waited for, and the last value seen. Written when either changes, not periodically.
    Waiting {
        /// `3 of 3 agents back`.
        what: String,
        /// `worker2: pod cilium-x7k2p not ready`.
        last: String,
    },
    /// A step has ended.
    StepEnded {
        /// From 0.
        index: usize,
        /// How.
        outcome: StepOutcome,
        /// How long it took by the run's clock.
        took_ms: u64,
        /// How many objects were looked at, for a check.
        subjects: Option<usize>,
        /// What it came to, in a line.
        detail: String,
    },
    /// What the cluster looked like after the installation, or after a step.
    State {
        /// From 0; none for the state before the first step.
        step: Option<usize>,
        /// See [`crate::State`].
        state: crate::State,
    },
    /// A watched object changed.
    Changed {
        /// See [`crate::Change`]. Not flattened: its `at_ms` is the change's own, beside the event's.
        change: crate::Change,
    },
    /// A watch had to be listed anew: changes in between may be missing from the history of that kind.
    Gap {
        /// `CiliumNode`.
        watched: String,
        /// Why.
        reason: String,
    },
    /// What came of comparing the cluster with the model of Cilium's IPAM, at the end of a scenario.
    Model {
        /// See [`crate::ModelReport`].
        report: crate::ModelReport,
    },
    /// Something to know that does not decide the outcome.
    Warning {
        /// One sentence.
        text: String,
    },
    /// The scenario cannot pass any more, and why.
    Failed {
        /// The parts.
        failure: Failure,
    },
    /// Evidence was written.
    Evidence {
        /// Its folder.
        dir: String,
        /// Files in it, relative.
        files: Vec<String>,
        /// What could not be had, with the reason.
        missing: Vec<String>,
    },
    /// A scenario has ended.
    ScenarioEnded {
        /// How.
        outcome: Outcome,
        /// How long it took by the run's clock.
        took_ms: u64,
        /// The reason, for skipped and interrupted ones, and what a known bug has to do with it.
        reason: Option<String>,
        /// What stays.
        kept: Option<Kept>,
    },
    /// Last event of a run.
    RunEnded {
        /// Counts.
        tally: Tally,
        /// The process's exit code.
        exit_code: u8,
        /// How long it took by the run's clock.
        took_ms: u64,
    },
    /// An event that a newer version of this tool wrote.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind) -> Event {
        Event { seq: 3, at_ms: 17, wall: jiff::Timestamp::UNIX_EPOCH, scenario: Some("a".into()), kind }
    }

    #[test]
    fn a_change_keeps_its_own_time_beside_the_events() {
        let change = crate::Change { at_ms: 12, object: "Node/w".into(), version: "7".into(), what: "x".into() };
        let event = event(EventKind::Changed { change });
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
    }

    #[test]
    fn an_event_of_a_newer_version_is_read_as_unknown() {
        let text = r#"{"seq":3,"at_ms":17,"wall":"1970-01-01T00:00:00Z","scenario":"a","event":"metered","watts":4}"#;
        assert_eq!(serde_json::from_str::<Event>(text).unwrap(), event(EventKind::Unknown));
    }
}
