//! What a matrix came to.

use events::{Outcome, exit};
use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::cell::Column;
use crate::fold::Attempt;
use crate::plan::MatrixPlan;
use crate::shard::Shard;

/// Version of `matrix.json`. Fields may be added within a version; none goes or changes its meaning.
pub const FORMAT: u32 = 1;

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Passed at once.
    Pass,
    /// A check did not hold.
    Fail,
    /// It failed as a known bug makes it.
    Xfail,
    /// It passed where a known bug should make it fail.
    Xpass,
    /// The same, of an intermittent bug or deferred.
    XpassTolerated,
    /// Passed, after the machine beneath had got in the way.
    Flaky,
    /// The machine beneath got in the way every time; nothing is said about Cilium.
    Infrastructure,
    /// The scenario asks for something that is not there.
    Input,
    /// Stopped by the user, or not begun.
    Interrupted,
    /// Not for these versions or this kind of cluster, or left out by `--fail-fast`.
    Skipped,
}

impl Status {
    /// Every one, gravest first.
    pub const ALL: [Self; 10] = [
        Self::Fail,
        Self::Xpass,
        Self::Infrastructure,
        Self::Input,
        Self::Interrupted,
        Self::Flaky,
        Self::XpassTolerated,
        Self::Xfail,
        Self::Pass,
        Self::Skipped,
    ];

    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Xfail => "xfail",
            Self::Xpass => "xpass",
            Self::XpassTolerated => "xpass-tolerated",
            Self::Flaky => "flaky",
            Self::Infrastructure => "infrastructure",
            Self::Input => "input",
            Self::Interrupted => "interrupted",
            Self::Skipped => "skipped",
        }
    }

    /// Whether it says something about Cilium that is wrong and was not known.
    pub fn is_red(self) -> bool {
        matches!(self, Self::Fail | Self::Xpass)
    }

    /// Whether the cell has a verdict, so that it need not be run again.
    pub fn is_verdict(self) -> bool {
        !matches!(self, Self::Infrastructure | Self::Interrupted)
    }

    /// Whether what ran was as it should be.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Pass | Self::Xfail | Self::XpassTolerated | Self::Flaky)
    }

    pub(crate) fn of(outcome: Outcome, first: bool) -> Self {
        match outcome {
            Outcome::Passed if first => Self::Pass,
            Outcome::Passed => Self::Flaky,
            Outcome::Failed => Self::Fail,
            Outcome::Error => Self::Infrastructure,
            Outcome::Interrupted => Self::Interrupted,
            Outcome::Skipped => Self::Skipped,
            Outcome::Xfailed => Self::Xfail,
            Outcome::Xpassed => Self::Xpass,
            Outcome::Tolerated => Self::XpassTolerated,
        }
    }
}

/// What a cell came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellResult {
    /// The scenario's name.
    pub scenario: String,
    /// The versions.
    #[serde(flatten)]
    pub column: Column,
    /// How it ended.
    pub status: Status,
    /// Why, in a line; none for a pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Wall time of all attempts.
    pub took_ms: u64,
    /// Each run of it, in order.
    pub attempts: Vec<Attempt>,
    /// What got in the way, for an infrastructure failure or a flaky cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The same for the same trouble, from night to night; none where nothing went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

impl CellResult {
    /// `cidr-change-ignored@1.18.4`.
    pub fn key(&self) -> String {
        format!("{}@{}", self.scenario, self.column)
    }

    /// How often it was run again.
    pub fn retries(&self) -> usize {
        self.attempts.len().saturating_sub(1)
    }
}

/// What a matrix, or one shard of it, came to: the content of `matrix.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixResult {
    /// See [`FORMAT`].
    pub format: u32,
    /// Version of the tool.
    pub tool: String,
    /// Tells plans apart, see [`MatrixPlan::id`].
    pub plan_id: String,
    /// Everything that was to be run, by all shards.
    pub plan: MatrixPlan,
    /// The part that this is; none for the whole.
    pub shard: Option<Shard>,
    /// A sentence that every report must carry.
    pub notice: Option<String>,
    /// Wall time; of shards that ran side by side, the longest.
    pub took_ms: u64,
    /// The cells, in the plan's order.
    pub cells: Vec<CellResult>,
}

/// How many cells ended how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    by_status: Vec<(Status, usize)>,
    /// Runs that were made again because of the machine beneath.
    pub retries: usize,
}

impl Counts {
    /// How many ended so.
    pub fn of(&self, status: Status) -> usize {
        self.by_status.iter().find(|(known, _)| *known == status).map_or(0, |(_, count)| *count)
    }

    /// `1 fail, 148 pass, 1 skipped; 2 runs repeated`.
    pub fn text(&self) -> String {
        let mut text: Vec<String> =
            self.by_status.iter().map(|(status, count)| format!("{count} {}", status.as_str())).collect();
        if text.is_empty() {
            text.push("nothing ran".to_owned());
        }
        match self.retries {
            0 => text.join(", "),
            1 => format!("{}; 1 run repeated", text.join(", ")),
            more => format!("{}; {more} runs repeated", text.join(", ")),
        }
    }
}

impl MatrixResult {
    /// Counts of all cells, those that are not zero, gravest first.
    pub fn counts(&self) -> Counts {
        let count = |status: Status| self.cells.iter().filter(|cell| cell.status == status).count();
        let by_status = Status::ALL.into_iter().map(|status| (status, count(status)));
        let by_status = by_status.filter(|(_, count)| *count > 0).collect();
        Counts { by_status, retries: self.cells.iter().map(CellResult::retries).sum() }
    }

    /// The process's exit code, by the rules of [`events::exit`].
    pub fn exit_code(&self) -> u8 {
        let counts = self.counts();
        let any = |statuses: &[Status]| statuses.iter().any(|status| counts.of(*status) > 0);
        if any(&[Status::Fail, Status::Xpass]) {
            exit::FAILED
        } else if any(&[Status::Infrastructure, Status::Input]) {
            exit::ERROR
        } else if any(&[Status::Interrupted]) {
            exit::INTERRUPTED
        } else if any(&[Status::Pass, Status::Xfail, Status::XpassTolerated, Status::Flaky]) {
            exit::PASSED
        } else {
            exit::NOTHING_SELECTED
        }
    }

    /// The cell of that scenario and those versions.
    pub fn cell(&self, scenario: &str, column: &Column) -> Option<&CellResult> {
        self.cells.iter().find(|cell| cell.scenario == scenario && cell.column == *column)
    }
}
