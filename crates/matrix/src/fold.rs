//! Runs of a cell to what the cell came to.

use events::{Failure, FailureClass, Outcome};
use report::RunSummary;
use report::text::one_line;
use serde::{Deserialize, Serialize};

use crate::cause::{Cause, fingerprint};
use crate::cell::Cell;
use crate::result::{CellResult, Status};

/// One run of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// How it ended.
    pub outcome: Outcome,
    /// Wall time.
    pub took_ms: u64,
    /// Why, in a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The run's folder, beneath the matrix's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// What stays, with the command that removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

impl Attempt {
    /// One that did not come to a run: what is beneath it said no.
    pub fn error(message: &str, took_ms: u64) -> Self {
        let failure = Failure::new(FailureClass::Infrastructure, message);
        let (outcome, reason) = (Outcome::Error, Some(one_line(message)));
        Self { outcome, took_ms, reason, failure: Some(failure), dir: None, kept: None }
    }

    /// What a run of one scenario came to. A run that broke off is an error: what it had shown until then is not all.
    pub fn of(summary: &RunSummary, took_ms: u64, dir: Option<String>) -> Self {
        let Some(scenario) = summary.scenarios.first() else {
            return Self { dir, ..Self::error("the run has told of no scenario", took_ms) };
        };
        let failure = scenario.failure.as_ref().or(summary.failures.first()).map(|recorded| recorded.failure.clone());
        let outcome = match scenario.outcome {
            Outcome::Passed | Outcome::Tolerated | Outcome::Xfailed if summary.cut_off => Outcome::Error,
            outcome => outcome,
        };
        let message = failure.as_ref().map(|failure| one_line(&failure.message));
        let said = scenario.reason.as_deref().map(one_line);
        let reason = match (message, said) {
            // What the bug is says more than how it showed.
            (_, Some(said)) if outcome == Outcome::Xfailed => Some(said),
            (Some(message), Some(said)) => Some(format!("{message} ({said})")),
            (message, said) => message.or(said),
        };
        let kept = scenario.kept.as_ref().map(|kept| format!("{}: {}", kept.cluster, kept.remove));
        Self { outcome, took_ms, reason, failure, dir, kept }
    }

    /// Whether the machine beneath got in the way.
    pub fn is_infrastructure(&self) -> bool {
        let class = self.failure.as_ref().map(|failure| failure.class);
        self.outcome == Outcome::Error && class != Some(FailureClass::Input)
    }
}

/// Whether a cell may be run once more: after an infrastructure failure, and nothing else.
pub fn may_retry(attempts: &[Attempt], retries: usize) -> bool {
    attempts.last().is_some_and(Attempt::is_infrastructure) && attempts.len() <= retries
}

/// What a cell came to. Without attempts it was not run: `why` says the reason, and whether it was left out or stopped.
pub fn fold(cell: &Cell, attempts: Vec<Attempt>, why: Option<(Status, String)>) -> CellResult {
    let took_ms = attempts.iter().map(|attempt| attempt.took_ms).sum();
    let trouble = attempts.iter().rev().find(|attempt| attempt.is_infrastructure()).and_then(|a| a.failure.as_ref());
    let cause = trouble.map(Cause::of);
    let (status, reason) = match attempts.last() {
        None => why.unwrap_or((Status::Interrupted, "not begun".to_owned())),
        Some(last) => {
            let status = match Status::of(last.outcome, attempts.len() == 1) {
                Status::Infrastructure if !last.is_infrastructure() => Status::Input,
                status => status,
            };
            let reason = match (status, trouble) {
                (Status::Flaky, Some(trouble)) => {
                    format!("passed in run {}: {}", attempts.len(), one_line(&trouble.message))
                }
                _ => last.reason.clone().unwrap_or_default(),
            };
            (status, reason)
        }
    };
    let failure = attempts.last().and_then(|last| last.failure.as_ref());
    let fingerprint = match status {
        Status::Infrastructure | Status::Flaky => trouble.map(|failure| fingerprint(&cell.scenario, failure)),
        Status::Fail | Status::Xpass | Status::Input => failure.map(|failure| fingerprint(&cell.scenario, failure)),
        _ => None,
    };
    CellResult {
        scenario: cell.scenario.clone(),
        column: cell.column.clone(),
        status,
        reason: Some(reason).filter(|reason| !reason.is_empty() && status != Status::Pass),
        took_ms,
        attempts,
        cause,
        fingerprint,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rstest::rstest;
    use semver::Version;

    use super::*;
    use crate::cell::Column;

    pub(crate) fn cell(scenario: &str, minor: u64) -> Cell {
        let column = Column { cilium: Version::new(1, minor, 0), kubernetes: None };
        Cell { scenario: scenario.to_owned(), column, skip: None, digest: "d".to_owned(), weight_ms: 10 }
    }

    pub(crate) fn attempt(outcome: Outcome, message: &str) -> Attempt {
        let class = match outcome {
            Outcome::Error => FailureClass::Infrastructure,
            Outcome::Xpassed => FailureClass::Unexpected,
            _ => FailureClass::Product,
        };
        let Attempt { failure, .. } = Attempt::error(message, 0);
        let failure = failure.map(|failure| Failure { class, ..failure });
        let failure = failure.filter(|_| !matches!(outcome, Outcome::Passed | Outcome::Tolerated));
        Attempt { outcome, took_ms: 5, reason: Some(message.to_owned()), failure, dir: None, kept: None }
    }

    #[rstest]
    #[case::pass(&[Outcome::Passed], Status::Pass)]
    #[case::fail(&[Outcome::Failed], Status::Fail)]
    #[case::known(&[Outcome::Xfailed], Status::Xfail)]
    #[case::unknown(&[Outcome::Xpassed], Status::Xpass)]
    #[case::tolerated(&[Outcome::Tolerated], Status::XpassTolerated)]
    #[case::stopped(&[Outcome::Interrupted], Status::Interrupted)]
    #[case::machine(&[Outcome::Error], Status::Infrastructure)]
    #[case::machine_twice(&[Outcome::Error, Outcome::Error], Status::Infrastructure)]
    #[case::machine_then_pass(&[Outcome::Error, Outcome::Passed], Status::Flaky)]
    #[case::machine_then_fail(&[Outcome::Error, Outcome::Failed], Status::Fail)]
    #[case::machine_then_known(&[Outcome::Error, Outcome::Xfailed], Status::Xfail)]
    fn the_last_run_decides_and_a_second_pass_is_flaky(#[case] outcomes: &[Outcome], #[case] status: Status) {
        let attempts: Vec<Attempt> =
            outcomes.iter().map(|outcome| attempt(*outcome, "no space left on device")).collect();
        let result = fold(&cell("s", 18), attempts, None);
        assert_eq!(result.status, status);
        assert_eq!((result.retries(), result.took_ms), (outcomes.len() - 1, 5 * outcomes.len() as u64));
        // What got in the way is never hidden.
        assert_eq!(result.cause.is_some(), outcomes[0] == Outcome::Error);
    }

    #[test]
    fn only_the_machine_earns_another_run() {
        let of = |outcome| attempt(outcome, "x");
        assert!(may_retry(&[of(Outcome::Error)], 1));
        assert!(!may_retry(&[of(Outcome::Error)], 0));
        assert!(!may_retry(&[of(Outcome::Error), of(Outcome::Error)], 1));
        for outcome in [Outcome::Passed, Outcome::Failed, Outcome::Xpassed, Outcome::Xfailed, Outcome::Interrupted] {
            assert!(!may_retry(&[of(outcome)], 5), "{outcome:?}");
        }
        let mut input = of(Outcome::Error);
        input.failure.as_mut().unwrap().class = FailureClass::Input;
        assert!(
            !may_retry(std::slice::from_ref(&input), 5),
            "a scenario that asks for what is not there will do so again"
        );
        assert_eq!(fold(&cell("s", 18), vec![input], None).status, Status::Input);
    }

    #[test]
    fn a_cell_without_a_run_says_why() {
        let skipped = fold(&cell("s", 18), Vec::new(), Some((Status::Skipped, "for Cilium >=1.20".to_owned())));
        assert_eq!((skipped.status, skipped.reason.as_deref()), (Status::Skipped, Some("for Cilium >=1.20")));
        let left = fold(&cell("s", 18), Vec::new(), None);
        assert_eq!((left.status, left.reason.as_deref()), (Status::Interrupted, Some("not begun")));
    }
}
