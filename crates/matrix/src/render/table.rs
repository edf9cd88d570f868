//! The table for a terminal or a log.

use std::fmt::Write as _;

use events::exit;
use report::text::{count, duration, one_line};

use super::{noteworthy, skipped, word};
use crate::baseline::Changes;
use crate::result::MatrixResult;

/// Scenario × versions, a word each.
pub fn table(result: &MatrixResult) -> String {
    let columns = result.plan.columns();
    let mut rows: Vec<Vec<String>> =
        vec![std::iter::once("scenario".to_owned()).chain(columns.iter().map(|column| column.to_string())).collect()];
    for scenario in result.plan.scenarios() {
        let cells: Vec<Option<String>> = columns.iter().map(|column| result.cell(scenario, column).map(word)).collect();
        // A shard has some of the cells.
        if cells.iter().all(Option::is_none) {
            continue;
        }
        rows.push(
            std::iter::once(scenario.to_owned()).chain(cells.into_iter().map(Option::unwrap_or_default)).collect(),
        );
    }
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..=columns.len()).map(width).collect();
    rows.iter().fold(String::new(), |mut text, row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        text
    })
}

/// What there is to say of single cells, and what changed since the baseline.
pub fn troubles(result: &MatrixResult, changes: Option<&Changes>) -> String {
    let mut text = String::new();
    for cell in noteworthy(result) {
        let reason = cell.reason.as_deref().map(one_line).unwrap_or_default();
        let _ = writeln!(text, "{:<15} {}: {reason}", cell.status.as_str(), cell.key());
        if let Some(fingerprint) = &cell.fingerprint {
            let _ = writeln!(text, "{:<15} fingerprint {fingerprint}", "");
        }
        if let Some(dir) = cell.attempts.last().and_then(|attempt| attempt.dir.as_ref()) {
            let _ = writeln!(text, "{:<15} evidence {dir}", "");
        }
        for kept in cell.attempts.iter().filter_map(|attempt| attempt.kept.as_ref()) {
            let _ = writeln!(text, "{:<15} stays: {kept}", "");
        }
    }
    for (reason, cells) in skipped(result) {
        let _ = writeln!(text, "{:<15} {}: {}", "skipped", cells.join(", "), one_line(&reason));
    }
    if let Some(changes) = changes {
        for (change, cell, what) in &changes.list {
            let _ = writeln!(text, "since baseline  {}: {cell}: {}", change.as_str(), one_line(what));
        }
        if changes.list.is_empty() {
            let _ = writeln!(text, "since baseline  nothing has changed");
        }
    }
    text
}

/// The last line.
pub fn closing(result: &MatrixResult) -> String {
    let code = result.exit_code();
    let meaning = exit::meaning(code).map(|meaning| format!(", {meaning}")).unwrap_or_default();
    let shard = result.shard.map(|shard| format!(", shard {shard}")).unwrap_or_default();
    let notice = result.notice.as_deref().map(|notice| format!(" ({notice})")).unwrap_or_default();
    format!(
        "{}{shard}: {} in {}{notice}  (exit code {code}{meaning})\n",
        count(result.cells.len(), "cell"),
        result.counts().text(),
        duration(result.took_ms),
    )
}
