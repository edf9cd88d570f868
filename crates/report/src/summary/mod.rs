//! What a run came to: one computation for every report.

mod fold;

use events::{ClusterKind, Failure, Kept, ModelReport, Outcome, Phase, StepOutcome, Tally};
use serde::{Deserialize, Serialize};

pub use fold::Fold;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// What the first event says; none when there was none.
    pub run: Option<RunInfo>,
    /// The events end before the run did: it was killed, or it still goes on.
    pub cut_off: bool,
    /// How long the run took by its clock, up to its last event.
    pub took_ms: u64,
    /// How many scenarios ended how.
    pub tally: Tally,
    /// The process's exit code, see [`events::exit`].
    pub exit_code: u8,
    /// What went wrong outside any scenario.
    pub failures: Vec<RecordedFailure>,
    /// Warnings outside any scenario, and what is odd about the events themselves.
    pub remarks: Vec<String>,
    /// The scenarios, in order.
    pub scenarios: Vec<ScenarioSummary>,
}

impl RunSummary {
    /// Computes it from a run's events, which may end anywhere.
    pub fn from_events<'a>(events: impl IntoIterator<Item = &'a events::Event>) -> Self {
        let mut fold = Fold::default();
        for event in events {
            fold.apply(event);
        }
        fold.summary()
    }

    /// The sentence that every report must carry, if any.
    pub fn notice(&self) -> Option<&str> {
        self.run.as_ref().and_then(|run| run.notice.as_deref())
    }
}

/// What was run, and on what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Format of the events.
    pub events_format: u32,
    /// The run's id.
    pub id: String,
    /// Version of the tool.
    pub tool: String,
    /// The kind of cluster.
    pub cluster: ClusterKind,
    /// Why this kind was taken.
    pub why: String,
    /// Cilium's version.
    pub cilium: String,
    /// The order of what real life leaves open, on `sim`.
    pub seed: Option<u64>,
    /// The sentence that every report must carry.
    pub notice: Option<String>,
}

/// What a scenario came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioSummary {
    /// Its name.
    pub name: String,
    /// Its file, once it has begun.
    pub file: Option<String>,
    /// What it shows, once it has begun.
    pub summary: Option<String>,
    /// Issues and pages.
    pub references: Vec<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, for skipped and interrupted ones.
    pub reason: Option<String>,
    /// How long it took by the run's clock.
    pub took_ms: u64,
    /// Its phases, in order.
    pub phases: Vec<PhaseSummary>,
    /// Its steps, as planned and as carried out.
    pub steps: Vec<StepSummary>,
    /// Why it did not pass.
    pub failure: Option<RecordedFailure>,
    /// What went wrong after that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_failures: Vec<RecordedFailure>,
    /// Where evidence is.
    pub evidence: Vec<EvidenceSummary>,
    /// What stays.
    pub kept: Option<Kept>,
    /// What the model of Cilium's IPAM says beside what was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelReport>,
    /// Warnings, and watches that were listed anew.
    pub remarks: Vec<String>,
}

impl ScenarioSummary {
    /// Every failure, the deciding one first.
    pub fn failures(&self) -> impl Iterator<Item = &RecordedFailure> {
        self.failure.iter().chain(&self.further_failures)
    }

    /// How long a phase took; none if it did not begin.
    pub fn phase_ms(&self, phase: Phase) -> Option<u64> {
        let mut times = self.phases.iter().filter(|summary| summary.phase == phase).map(|summary| summary.took_ms);
        times.next().map(|first| first + times.sum::<u64>())
    }
}

/// A phase of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseSummary {
    /// Which.
    pub phase: Phase,
    /// How long it took, up to its end or to the last event.
    pub took_ms: u64,
    /// Whether its end was recorded.
    pub ended: bool,
}

/// A step of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSummary {
    /// What it does, in a line.
    pub title: String,
    /// Line in the scenario file.
    pub line: usize,
    /// How it went.
    pub state: StepState,
    /// How long it took, up to its end or to the last event; none if it did not begin.
    pub took_ms: Option<u64>,
    /// How many objects were looked at, for a check.
    pub subjects: Option<usize>,
    /// What it came to, or why it was skipped, in a line.
    pub detail: String,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Done, or every check held.
    Passed,
    /// The scenario's failure names why.
    Failed,
    /// Not for this Cilium version or cluster kind.
    Skipped,
    /// Begun, and no end was recorded.
    Unfinished,
    /// Not begun.
    NotRun,
}

impl StepState {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Unfinished => "unfinished",
            Self::NotRun => "not run",
        }
    }
}

impl From<StepOutcome> for StepState {
    fn from(outcome: StepOutcome) -> Self {
        match outcome {
            StepOutcome::Passed => Self::Passed,
            StepOutcome::Failed => Self::Failed,
            StepOutcome::Skipped => Self::Skipped,
        }
    }
}

/// A failure, and when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedFailure {
    /// Milliseconds of the run's clock.
    pub at_ms: u64,
    /// Its parts.
    #[serde(flatten)]
    pub failure: Failure,
}

/// Evidence that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceSummary {
    /// Its folder.
    pub dir: String,
    /// Files in it, relative.
    pub files: Vec<String>,
    /// What could not be had, with the reason.
    pub missing: Vec<String>,
}
