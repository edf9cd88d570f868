//! What changed since an earlier matrix.

use serde::{Deserialize, Serialize};

use crate::cell::Column;
use crate::result::{CellResult, MatrixResult, Status};

/// How a cell differs from the one of the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It fails, or passes unexpectedly, and did not.
    NewlyFailing,
    /// It fails as before, in another way.
    FailsOtherwise,
    /// It was red, and is as it should be.
    Fixed,
    /// It needed another run, and did not.
    NewlyFlaky,
    /// It took longer by the factor asked for.
    Slower,
    /// The baseline does not have it.
    New,
    /// The baseline has it, and this does not.
    Gone,
}

impl Change {
    /// The words in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewlyFailing => "newly failing",
            Self::FailsOtherwise => "fails in another way",
            Self::Fixed => "fixed",
            Self::NewlyFlaky => "newly flaky",
            Self::Slower => "slower",
            Self::New => "new",
            Self::Gone => "gone",
        }
    }
}

/// All changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Kind of change, cell and what to say of it; gravest first.
    pub list: Vec<(Change, String, String)>,
}

/// Cells that take less are not called slower: there, anything is a large factor.
const SLOW_FROM_MS: u64 = 2_000;

/// Compares with an earlier result. `factor`: from which on a cell is slower.
pub fn changes(before: &MatrixResult, now: &MatrixResult, factor: f64) -> Changes {
    let mut list = Vec::new();
    for cell in &now.cells {
        let key = cell.key();
        let reason = cell.reason.clone().unwrap_or_default();
        let Some(old) = before.cell(&cell.scenario, &cell.column) else {
            if cell.status.is_red() {
                list.push((
                    Change::NewlyFailing,
                    key.clone(),
                    format!("{} (not in the baseline): {reason}", cell.status.as_str()),
                ));
            } else if cell.status != Status::Skipped {
                list.push((Change::New, key.clone(), cell.status.as_str().to_owned()));
            }
            continue;
        };
        list.extend(one(old, cell, factor).into_iter().map(|(change, text)| (change, key.clone(), text)));
    }
    let has = |scenario: &str, column: &Column| now.cell(scenario, column).is_some();
    let gone = before.cells.iter().filter(|old| old.status != Status::Skipped && !has(&old.scenario, &old.column));
    list.extend(gone.map(|old| (Change::Gone, old.key(), format!("was {}", old.status.as_str()))));
    list.sort();
    Changes { list }
}

fn one(old: &CellResult, cell: &CellResult, factor: f64) -> Vec<(Change, String)> {
    let mut found = Vec::new();
    let reason = cell.reason.clone().unwrap_or_default();
    let (was, is) = (old.status, cell.status);
    if is.is_red() && !was.is_red() {
        found.push((Change::NewlyFailing, format!("{}, was {}: {reason}", is.as_str(), was.as_str())));
    } else if is.is_red() && cell.fingerprint != old.fingerprint {
        let before = old.reason.clone().unwrap_or_default();
        found.push((Change::FailsOtherwise, format!("{}: {reason}; was {}: {before}", is.as_str(), was.as_str())));
    } else if was.is_red() && is.is_good() {
        found.push((Change::Fixed, format!("{}, was {}", is.as_str(), was.as_str())));
    }
    if cell.retries() > 0 && old.retries() == 0 {
        found.push((Change::NewlyFlaky, format!("{} in run {}", is.as_str(), cell.attempts.len())));
    }
    // Only whole runs can be compared.
    if let (true, true, Some(took), Some(before)) = (was.is_good(), is.is_good(), last_ms(cell), last_ms(old)) {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a run are far below 2^52")]
        let times = took as f64 / before.max(1) as f64;
        if times >= factor && took >= SLOW_FROM_MS {
            let text =
                format!("{times:.1} times: {}, was {}", report::text::duration(took), report::text::duration(before));
            found.push((Change::Slower, text));
        }
    }
    found
}

fn last_ms(cell: &CellResult) -> Option<u64> {
    cell.attempts.last().map(|attempt| attempt.took_ms)
}

#[cfg(test)]
mod tests {
    use events::{ClusterKind, Outcome};

    use super::*;
    use crate::fold::tests::{attempt, cell};
    use crate::{Attempt, FORMAT, MatrixPlan, fold};

    fn result(cells: Vec<(&str, Vec<Attempt>)>) -> MatrixResult {
        let planned = cells.iter().map(|(name, _)| cell(name, 18)).collect();
        let plan = MatrixPlan::new(ClusterKind::Kind, None, Vec::new(), planned);
        let cells = cells.into_iter().map(|(name, attempts)| fold(&cell(name, 18), attempts, None)).collect();
        let plan_id = plan.id();
        MatrixResult { format: FORMAT, tool: "0".into(), plan_id, plan, shard: None, notice: None, took_ms: 1, cells }
    }

    fn took(took_ms: u64) -> Vec<Attempt> {
        vec![Attempt { took_ms, ..attempt(Outcome::Passed, "") }]
    }

    #[test]
    fn each_change_is_told_once_the_gravest_first() {
        let fail = |text: &str| vec![attempt(Outcome::Failed, text)];
        let error = || attempt(Outcome::Error, "no space left on device");
        let before = result(vec![
            ("broken", took(10_000)),
            ("mended", fail("a")),
            ("still", fail("a")),
            ("otherwise", fail("a")),
            ("shaky", took(10_000)),
            ("slow", took(10_000)),
            ("short", took(10)),
            ("away", took(10_000)),
        ]);
        let now = result(vec![
            ("broken", fail("a")),
            ("mended", took(10_000)),
            ("still", fail("a")),
            ("otherwise", fail("b")),
            ("shaky", vec![error(), attempt(Outcome::Passed, "")]),
            ("slow", took(16_000)),
            ("short", took(100)),
            ("added", took(5)),
        ]);
        let changes = changes(&before, &now, 1.5).list;
        let found: Vec<(Change, &str)> =
            changes.iter().map(|(change, key, _)| (*change, key.trim_end_matches("@1.18.0"))).collect();
        assert_eq!(
            found,
            [
                (Change::NewlyFailing, "broken"),
                (Change::FailsOtherwise, "otherwise"),
                (Change::Fixed, "mended"),
                (Change::NewlyFlaky, "shaky"),
                (Change::Slower, "slow"),
                (Change::New, "added"),
                (Change::Gone, "away"),
            ]
        );
    }

    #[test]
    fn a_failure_of_the_machine_is_neither_failing_nor_fixed() {
        let error = || vec![attempt(Outcome::Error, "no space left on device")];
        let (good, sick) = (result(vec![("s", took(10))]), result(vec![("s", error())]));
        assert!(changes(&good, &sick, 1.5).list.is_empty());
        let red = result(vec![("s", vec![attempt(Outcome::Failed, "a")])]);
        assert!(changes(&red, &sick, 1.5).list.is_empty());
    }

    #[test]
    fn a_failing_cell_that_the_baseline_lacks_is_newly_failing() {
        let before = result(vec![("s", took(10))]);
        let now = result(vec![("s", took(10)), ("t", vec![attempt(Outcome::Failed, "a")])]);
        assert_eq!(changes(&before, &now, 1.5).list[0].0, Change::NewlyFailing);
    }
}
