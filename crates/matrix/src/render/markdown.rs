//! One page for a CI job's summary.

use std::fmt::Write as _;

use report::text::{duration, one_line};

use super::{noteworthy, skipped, word};
use crate::baseline::Changes;
use crate::result::{CellResult, MatrixResult, Status};

/// Failures that are shown in full: GitHub refuses a job summary of more than 1 MiB.
const SHOWN: usize = 50;

/// The page: counts, table, reasons, changes, failures.
pub fn markdown(result: &MatrixResult, changes: Option<&Changes>) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "## cilium-ipam-e2e matrix: {}\n", result.counts().text());
    let shard = result.shard.map(|shard| format!(", shard {shard}")).unwrap_or_default();
    let _ = writeln!(
        text,
        "{} scenarios × {} versions on {}{shard}, {}, plan `{}`\n",
        result.plan.scenarios().len(),
        result.plan.columns().len(),
        result.plan.cluster,
        duration(result.took_ms),
        result.plan_id
    );
    if let Some(notice) = &result.notice {
        let _ = writeln!(text, "> **{}**\n", escaped(notice));
    }
    table(&mut text, result);
    if let Some(changes) = changes {
        let _ = writeln!(text, "### Since the baseline\n");
        if changes.list.is_empty() {
            let _ = writeln!(text, "Nothing has changed.");
        }
        for (change, cell, what) in &changes.list {
            let _ = writeln!(text, "- **{}** `{cell}`: {}", change.as_str(), escaped(what));
        }
        text.push('\n');
    }
    let cells = noteworthy(result);
    if !cells.is_empty() {
        let _ = writeln!(text, "### Cells to look at\n\n| cell | outcome | why | fingerprint |\n|---|---|---|---|");
        for cell in &cells {
            let reason = cell.reason.as_deref().map(escaped).unwrap_or_default();
            let fingerprint = cell.fingerprint.as_deref().map(|text| format!("`{text}`")).unwrap_or_default();
            let _ = writeln!(
                text,
                "| `{}` | {} | {reason} | {fingerprint} |",
                cell.key(),
                emphasised(cell, cell.status.as_str())
            );
        }
        text.push('\n');
    }
    for (reason, cells) in skipped(result) {
        let _ = writeln!(text, "- skipped, {}: {}", escaped(&reason), cells.join(", "));
    }
    for cell in cells.iter().filter(|cell| !cell.status.is_good()).take(SHOWN) {
        failure(&mut text, cell);
    }
    text
}

fn table(text: &mut String, result: &MatrixResult) {
    let columns = result.plan.columns();
    let head: Vec<String> = columns.iter().map(|column| column.to_string()).collect();
    let _ = writeln!(text, "| scenario | {} |\n|---|{}", head.join(" | "), "---|".repeat(columns.len()));
    for scenario in result.plan.scenarios() {
        let cells: Vec<Option<&CellResult>> = columns.iter().map(|column| result.cell(scenario, column)).collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        let cells: Vec<String> =
            cells.into_iter().map(|cell| cell.map(|cell| emphasised(cell, &word(cell))).unwrap_or_default()).collect();
        let _ = writeln!(text, "| {} | {} |", escaped(scenario), cells.join(" | "));
    }
    text.push('\n');
}

fn emphasised(cell: &CellResult, word: &str) -> String {
    match cell.status {
        Status::Pass | Status::Skipped | Status::Xfail => word.to_owned(),
        _ => format!("**{word}**"),
    }
}

fn failure(text: &mut String, cell: &CellResult) {
    for (index, attempt) in cell.attempts.iter().enumerate() {
        let Some(failure) = &attempt.failure else { continue };
        let _ = writeln!(
            text,
            "\n<details><summary>{}, run {}: {}</summary>\n",
            cell.key(),
            index + 1,
            html(&failure.message)
        );
        let mut lines: Vec<String> = failure.location.iter().map(|at| format!("at {at}")).collect();
        lines.extend(failure.text().lines().take(40).map(one_line));
        lines.extend(failure.last_api_error.iter().map(|error| format!("last API error: {}", one_line(error))));
        lines.extend(failure.next.iter().map(|next| format!("$ {}", one_line(next))));
        // Four spaces: nothing in it is Markdown, whatever a cluster says.
        for line in lines {
            let _ = writeln!(text, "    {line}");
        }
        let _ = writeln!(text, "\n</details>");
    }
}

/// A text that is shown as it is, in one line and in a table.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in one_line(text).chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn html(text: &str) -> String {
    one_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
