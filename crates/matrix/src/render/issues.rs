//! Ready issue texts: one for each fingerprint, whatever the number of cells that have it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use report::text::one_line;

use super::markdown::escaped;
use crate::result::{CellResult, MatrixResult, Status};

/// A text to file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Also the file's name; the title has it, so that an open issue can be found by it.
    pub fingerprint: String,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
}

/// An issue for each fingerprint, by fingerprint. Flaky cells have one as well: the trouble was there, though the next run passed.
pub fn issues(result: &MatrixResult) -> Vec<Issue> {
    let mut groups: BTreeMap<&str, Vec<&CellResult>> = BTreeMap::new();
    for cell in &result.cells {
        if let Some(fingerprint) = &cell.fingerprint {
            groups.entry(fingerprint).or_default().push(cell);
        }
    }
    groups.into_iter().map(|(fingerprint, cells)| issue(result, fingerprint, &cells)).collect()
}

fn issue(result: &MatrixResult, fingerprint: &str, cells: &[&CellResult]) -> Issue {
    let first = cells[0];
    // The failure that is meant: of a flaky cell that of an earlier run.
    let attempt = first.attempts.iter().rev().find(|attempt| attempt.failure.is_some());
    let failure = attempt.and_then(|attempt| attempt.failure.as_ref());
    let what = match first.status {
        Status::Fail => format!("{} fails", first.scenario),
        Status::Xpass => format!("{} passes, though a known bug should make it fail", first.scenario),
        Status::Input => format!("{} asks for something that is not there", first.scenario),
        _ => format!("infrastructure: {}", first.cause.map_or("other", |cause| cause.as_str())),
    };
    let mut body = String::new();
    let message = failure.map(|failure| one_line(&failure.message)).unwrap_or_default();
    let _ = writeln!(body, "{}\n", escaped(&message));
    let _ = writeln!(body, "| cell | outcome | runs |\n|---|---|--:|");
    for cell in cells {
        let _ = writeln!(body, "| `{}` | {} | {} |", cell.key(), cell.status.as_str(), cell.attempts.len());
    }
    let _ = writeln!(body, "\nOn {}, plan `{}`, fingerprint `{fingerprint}`.", result.plan.cluster, result.plan_id);
    if let Some(notice) = &result.notice {
        let _ = writeln!(body, "**{}**", escaped(notice));
    }
    if let Some(failure) = failure {
        let _ = writeln!(body, "\nExpected and observed:\n");
        for line in failure.text().lines().take(40) {
            let _ = writeln!(body, "    {}", one_line(line));
        }
        if !failure.next.is_empty() {
            let _ = writeln!(body, "\nAgain:\n");
        }
        for next in &failure.next {
            let _ = writeln!(body, "    {}", one_line(next));
        }
    }
    Issue { fingerprint: fingerprint.to_owned(), title: format!("[{fingerprint}] {what}"), body }
}
