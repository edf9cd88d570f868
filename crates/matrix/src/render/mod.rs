//! A result as people and machines want to read it.

mod issues;
mod junit;
mod markdown;
mod table;
#[cfg(test)]
mod tests;

pub use issues::{Issue, issues};
pub use junit::junit;
pub use markdown::markdown;
pub use table::{closing, table, troubles};

use crate::result::{CellResult, MatrixResult, Status};

/// What a table has in a cell: the word, loud where it is red, and what it took.
pub(crate) fn word(cell: &CellResult) -> String {
    let again = match (cell.status, cell.retries()) {
        (Status::Flaky | Status::Infrastructure, retries) if retries > 0 => format!(" (run {})", retries + 1),
        (_, 0) => String::new(),
        (_, retries) => format!(" (flaky: run {})", retries + 1),
    };
    let word = match cell.status {
        Status::Fail => "FAIL",
        Status::Xpass => "XPASS",
        Status::XpassTolerated => "xpass",
        Status::Infrastructure => "infra",
        Status::Interrupted => "stopped",
        Status::Skipped => "-",
        other => other.as_str(),
    };
    format!("{word}{again}")
}

/// Cells with something to say, gravest first; those that only passed or were not for these versions are left out.
pub(crate) fn noteworthy(result: &MatrixResult) -> Vec<&CellResult> {
    let mut cells: Vec<&CellResult> =
        result.cells.iter().filter(|cell| !matches!(cell.status, Status::Pass | Status::Skipped)).collect();
    let grave = |status| Status::ALL.iter().position(|known| *known == status);
    cells.sort_by_key(|cell| grave(cell.status));
    cells
}

/// Reasons why cells were left out, each with its cells.
pub(crate) fn skipped(result: &MatrixResult) -> Vec<(String, Vec<String>)> {
    let mut reasons: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    for cell in result.cells.iter().filter(|cell| cell.status == Status::Skipped) {
        reasons.entry(cell.reason.clone().unwrap_or_default()).or_default().push(cell.key());
    }
    reasons.into_iter().collect()
}
