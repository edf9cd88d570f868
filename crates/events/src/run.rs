//! The words of a run: cluster kinds, phases, outcomes.

use serde::{Deserialize, Serialize};

/// The kind of cluster that stands behind a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClusterKind {
    /// Real Kubernetes with real Cilium in Docker.
    Kind,
    /// A context that the user named and marked as disposable.
    Existing,
    /// The embedded Kubernetes API with simulated nodes.
    Sim,
}

impl ClusterKind {
    /// The word used on the command line, in scenarios and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Existing => "existing",
            Self::Sim => "sim",
        }
    }
}

impl std::fmt::Display for ClusterKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A stretch of a scenario's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The cluster is created; images are brought in meanwhile.
    Create,
    /// Cilium is installed and every agent becomes ready.
    Install,
    /// The scenario's steps.
    Steps,
    /// Evidence is collected.
    Evidence,
    /// What was made is removed.
    Remove,
}

impl Phase {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Install => "install",
            Self::Steps => "steps",
            Self::Evidence => "evidence",
            Self::Remove => "remove",
        }
    }
}

/// How a scenario ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every check held.
    Passed,
    /// A check did not hold: Cilium, or the scenario, is not as expected.
    Failed,
    /// The cluster, a tool or the API got in the way; nothing is said about Cilium.
    Error,
    /// The user stopped the run.
    Interrupted,
    /// Not run, with the reason in the event.
    Skipped,
    /// A check did not hold, as a known bug makes it: the failure is the one that the scenario's `xfail` has on record.
    Xfailed,
    /// Every check held, though a known bug should have made one fail. The mark is out of date, so this is not a pass.
    Xpassed,
    /// The same, where the mark says that the bug is intermittent, or the run was told to defer it: told, and not fatal.
    Tolerated,
}

impl Outcome {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Interrupted => "interrupted",
            Self::Skipped => "skipped",
            Self::Xfailed => "xfailed",
            Self::Xpassed => "xpassed",
            Self::Tolerated => "tolerated",
        }
    }

    /// Whether nothing is wrong that was not known: what a run goes on after, and what leaves no cluster behind with `--keep on-failure`.
    pub fn is_good(self) -> bool {
        match self {
            Self::Passed | Self::Skipped | Self::Xfailed | Self::Tolerated => true,
            Self::Failed | Self::Error | Self::Interrupted | Self::Xpassed => false,
        }
    }
}

/// How one step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepOutcome {
    /// Done, or every check held.
    Passed,
    /// The scenario's failure names why.
    Failed,
    /// Not for this Cilium version or cluster kind.
    Skipped,
}

/// What stays after a scenario, on purpose (`--keep`) or because removal did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The cluster's name.
    pub cluster: String,
    /// Path of its kubeconfig, for an `export KUBECONFIG=...` line.
    pub kubeconfig: Option<String>,
    /// The command that removes it.
    pub remove: String,
    /// Why it stays.
    pub reason: String,
}

/// How many scenarios ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// See [`Outcome::Passed`].
    pub passed: usize,
    /// See [`Outcome::Failed`].
    pub failed: usize,
    /// See [`Outcome::Error`].
    pub error: usize,
    /// See [`Outcome::Interrupted`].
    pub interrupted: usize,
    /// See [`Outcome::Skipped`].
    pub skipped: usize,
    /// See [`Outcome::Xfailed`].
    #[serde(default)]
    pub xfailed: usize,
    /// See [`Outcome::Xpassed`].
    #[serde(default)]
    pub xpassed: usize,
    /// See [`Outcome::Tolerated`].
    #[serde(default)]
    pub tolerated: usize,
}

impl Tally {
    /// Counts one more scenario.
    pub fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Passed => &mut self.passed,
            Outcome::Failed => &mut self.failed,
            Outcome::Error => &mut self.error,
            Outcome::Interrupted => &mut self.interrupted,
            Outcome::Skipped => &mut self.skipped,
            Outcome::Xfailed => &mut self.xfailed,
            Outcome::Xpassed => &mut self.xpassed,
            Outcome::Tolerated => &mut self.tolerated,
        } += 1;
    }

    /// Counts those of another run as well.
    pub fn join(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.error += other.error;
        self.interrupted += other.interrupted;
        self.skipped += other.skipped;
        self.xfailed += other.xfailed;
        self.xpassed += other.xpassed;
        self.tolerated += other.tolerated;
    }

    /// Each outcome with its number, in the order in which reports tell them.
    pub fn counts(&self) -> [(Outcome, usize); 8] {
        let Self { passed, failed, error, interrupted, skipped, xfailed, xpassed, tolerated } = *self;
        [
            (Outcome::Passed, passed),
            (Outcome::Failed, failed),
            (Outcome::Xpassed, xpassed),
            (Outcome::Error, error),
            (Outcome::Interrupted, interrupted),
            (Outcome::Xfailed, xfailed),
            (Outcome::Tolerated, tolerated),
            (Outcome::Skipped, skipped),
        ]
    }

    /// Scenarios in all.
    pub fn total(&self) -> usize {
        self.counts().iter().map(|(_, number)| number).sum()
    }
}
