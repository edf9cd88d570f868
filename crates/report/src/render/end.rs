//! The end of a run: a table, the reasons, what stays, the counts.

use events::{ClusterKind, Outcome, Phase, Tally, exit};

use super::{kept, outcome_role};
use crate::summary::{RunSummary, ScenarioSummary};
use crate::text::{Line, Role, count, duration, one_line};

/// The lines at a run's end, also of one that was cut off.
pub fn end(summary: &RunSummary) -> Vec<Line> {
    let mut lines = vec![Line::new()];
    if !summary.scenarios.is_empty() {
        lines.extend(table(&summary.scenarios));
        lines.push(Line::new());
    }
    let reasons = reasons(summary);
    if !reasons.is_empty() {
        lines.extend(reasons);
        lines.push(Line::new());
    }
    let stays: Vec<_> = summary.scenarios.iter().filter_map(|scenario| scenario.kept.as_ref()).flat_map(kept).collect();
    if !stays.is_empty() {
        lines.extend(stays);
        lines.push(Line::new());
    }
    lines.push(totals(summary));
    if let Some(notice) = summary.notice() {
        lines.push(Line::new().with(Role::Warn, notice));
    }
    lines
}

/// `7 scenarios: 3 passed, 1 failed in 2m 03s; exit code 1: a check failed`.
fn totals(summary: &RunSummary) -> Line {
    let mut line = Line::new().with(Role::Strong, &format!("{}: ", count(summary.tally.total(), "scenario")));
    let counted = counted(&summary.tally);
    for (index, (outcome, number)) in counted.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        line = line.with(Role::Plain, comma).with(outcome_role(*outcome), &format!("{number} {}", outcome.as_str()));
    }
    if counted.is_empty() {
        line = line.with(Role::Bad, "nothing ran");
    }
    let code = summary.exit_code;
    let meaning = exit::meaning(code).map(|meaning| format!(", {meaning}")).unwrap_or_default();
    // A simulated cluster's clock jumps over whatever nothing happens in.
    let simulated = summary.run.as_ref().is_some_and(|run| run.cluster == ClusterKind::Sim);
    let clock = if simulated { " on its own clock" } else { "" };
    line.with(Role::Plain, &format!(" in {}{clock}", duration(summary.took_ms)))
        .with(Role::Faint, &format!("  (exit code {code}{meaning})"))
}

/// `144 passed, 4 xfailed, 2 skipped`.
pub fn counts(tally: &Tally) -> String {
    let counts: Vec<_> =
        counted(tally).into_iter().map(|(outcome, number)| format!("{number} {}", outcome.as_str())).collect();
    if counts.is_empty() { "nothing ran".to_owned() } else { counts.join(", ") }
}

/// The counts that are not zero, in the order of the tally.
pub(crate) fn counted(tally: &Tally) -> Vec<(Outcome, usize)> {
    tally.counts().into_iter().filter(|(_, number)| *number > 0).collect()
}

/// The phases that any scenario went through, in the order in which they come.
pub(crate) fn phases(scenarios: &[ScenarioSummary]) -> Vec<Phase> {
    let all = [Phase::Create, Phase::Install, Phase::Steps, Phase::Evidence, Phase::Remove];
    all.into_iter().filter(|phase| scenarios.iter().any(|scenario| scenario.phase_ms(*phase).is_some())).collect()
}

/// One sentence why a scenario did not pass. For a known bug that is the bug; how it showed is in the failure.
pub(crate) fn reason(scenario: &ScenarioSummary) -> Option<String> {
    if let (Outcome::Xfailed, Some(reason)) = (scenario.outcome, &scenario.reason) {
        return Some(one_line(reason));
    }
    let message = scenario.failure.as_ref().map(|recorded| one_line(&recorded.failure.message));
    let reason = scenario.reason.as_deref().map(one_line);
    match (message, reason) {
        (Some(message), Some(reason)) if message != reason => Some(format!("{message} ({reason})")),
        (message, reason) => message.or(reason),
    }
}

fn table(scenarios: &[ScenarioSummary]) -> Vec<Line> {
    let phases = phases(scenarios);
    let mut rows = vec![{
        let mut head = vec![(Role::Faint, "scenario".to_owned()), (Role::Faint, "outcome".to_owned())];
        head.push((Role::Faint, "time".to_owned()));
        head.extend(phases.iter().map(|phase| (Role::Faint, phase.as_str().to_owned())));
        head
    }];
    for scenario in scenarios {
        let mut row = vec![
            (Role::Plain, one_line(&scenario.name)),
            (outcome_role(scenario.outcome), scenario.outcome.as_str().to_owned()),
            (Role::Plain, if scenario.file.is_some() { duration(scenario.took_ms) } else { "-".to_owned() }),
        ];
        row.extend(phases.iter().map(|phase| match scenario.phase_ms(*phase) {
            Some(ms) => (Role::Faint, duration(ms)),
            None => (Role::Faint, "-".to_owned()),
        }));
        rows.push(row);
    }
    let width = |column: usize| rows.iter().map(|row| console::measure_text_width(&row[column].1)).max().unwrap_or(0);
    let widths: Vec<_> = (0..3 + phases.len()).map(width).collect();
    rows.iter().map(|row| cells(row, &widths)).collect()
}

/// Words to the left, times to the right.
fn cells(row: &[(Role, String)], widths: &[usize]) -> Line {
    let mut line = Line::new();
    for (column, ((role, text), width)) in row.iter().zip(widths).enumerate() {
        let blanks = " ".repeat(width - console::measure_text_width(text));
        let gap = if column == 0 { "" } else { "  " };
        line = line.with(Role::Plain, gap);
        line = if column < 2 {
            line.with(*role, text).with(Role::Plain, &blanks)
        } else {
            line.with(Role::Plain, &blanks).with(*role, text)
        };
    }
    line
}

fn reasons(summary: &RunSummary) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut say = |role: Role, word: &str, subject: &str, text: &str| {
        let line = Line::new().with(role, word).column(13);
        let subject_role = if word.is_empty() { Role::Faint } else { Role::Strong };
        lines.push(line.with(subject_role, subject).with(Role::Plain, &format!(": {text}")));
    };
    for recorded in &summary.failures {
        say(Role::Bad, "error", "run", &one_line(&recorded.failure.message));
    }
    for scenario in &summary.scenarios {
        if let Some(reason) = reason(scenario) {
            say(outcome_role(scenario.outcome), scenario.outcome.as_str(), &scenario.name, &reason);
        }
        for evidence in &scenario.evidence {
            say(Role::Faint, "", "evidence", &one_line(&evidence.dir));
        }
    }
    if summary.cut_off {
        say(Role::Warn, "cut off", "run", "there are no events of its end");
    }
    for remark in &summary.remarks {
        say(Role::Warn, "note", "run", &one_line(remark));
    }
    lines
}
