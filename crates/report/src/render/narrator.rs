//! A run as lines that stay: what a log file has in full, and what a terminal scrolls away.

use std::collections::BTreeMap;

use events::{Event, EventKind, Failure, Outcome, Phase, StepOutcome};

use super::failure::{Context, evidence, failure};
use super::{end, header, kept, outcome_role};
use crate::summary::{EvidenceSummary, Fold, RecordedFailure};
use crate::text::{Line, Role, at, duration, one_line, widest};

/// How often what a scenario waits for is written, at most, in milliseconds of the run's clock.
pub const WAIT_LINE_EVERY_MS: u64 = 10_000;

/// Turns events into lines.
#[derive(Debug)]
pub struct Narrator {
    fold: Fold,
    /// What is waited for is written too, for want of a progress line that shows it.
    waits_as_lines: bool,
    waits: BTreeMap<String, Wait>,
    name_width: usize,
    several: bool,
    ended: bool,
}

/// What a scenario waits for, and what of it was written.
#[derive(Debug, Default)]
struct Wait {
    now: Option<(String, String)>,
    written: Option<(String, String)>,
    written_ms: Option<u64>,
}

impl Narrator {
    /// With a line now and then about what is waited for, or without.
    pub fn new(waits_as_lines: bool) -> Self {
        Self {
            fold: Fold::default(),
            waits_as_lines,
            waits: BTreeMap::new(),
            name_width: 0,
            several: true,
            ended: false,
        }
    }

    /// The lines for the next event.
    pub fn event(&mut self, event: &Event) -> Vec<Line> {
        self.fold.apply(event);
        let mut lines = self.due_waits(event);
        lines.extend(self.lines(event));
        lines
    }

    /// The lines that are still owed when nothing more comes: none after the run's last event.
    pub fn finish(&mut self) -> Vec<Line> {
        if std::mem::replace(&mut self.ended, true) { Vec::new() } else { end(&self.fold.summary()) }
    }

    fn lines(&mut self, event: &Event) -> Vec<Line> {
        let name = event.scenario.as_deref();
        match &event.kind {
            EventKind::RunStarted { scenarios, .. } => {
                self.several = scenarios.len() != 1;
                self.name_width = widest(scenarios.iter().map(String::as_str));
                let summary = self.fold.summary();
                summary.run.map(|run| header(&run, scenarios.len())).unwrap_or_default()
            }
            EventKind::ScenarioStarted { file, summary, .. } => {
                let text = Line::plain(&one_line(summary)).with(Role::Faint, &format!("  {file}"));
                // The name is in front of each line only where there are several; it must be said once.
                let text = match (self.several, name) {
                    (false, Some(name)) => Line::new().with(Role::Strong, name).with(Role::Plain, ": ").then(text),
                    _ => text,
                };
                vec![self.row(event, Role::Strong, "start", text)]
            }
            EventKind::PhaseEnded { phase, took_ms } => vec![self.phase_ended(event, *phase, *took_ms)],
            EventKind::StepEnded { index, outcome, took_ms, subjects, detail } => {
                vec![self.step_ended(event, *index, *outcome, *took_ms, *subjects, detail)]
            }
            EventKind::Gap { watched, reason } => {
                let text = format!("changes of {watched} may be missing from the history: {reason}");
                vec![self.row(event, Role::Warn, "gap", Line::plain(&one_line(&text)))]
            }
            EventKind::Warning { text } => vec![self.row(event, Role::Warn, "warn", Line::plain(&one_line(text)))],
            EventKind::Model { report } => {
                let role = if report.differences.is_empty() { Role::Faint } else { Role::Warn };
                vec![self.row(event, role, "model", Line::plain(&one_line(&report.sentence())))]
            }
            EventKind::Failed { failure } => self.failed(event, failure),
            EventKind::Evidence { dir, files, missing } => {
                let (dir, files, missing) = (dir.clone(), files.clone(), missing.clone());
                let facts = evidence(&EvidenceSummary { dir, files, missing });
                let line = |(label, role, text): (&str, Role, String)| {
                    let text = Line::new().with(Role::Faint, label).with(role, &format!(" {}", one_line(&text)));
                    self.row(event, Role::Plain, "", text)
                };
                facts.into_iter().map(line).collect()
            }
            EventKind::ScenarioEnded { outcome, took_ms, reason, kept: stays } => {
                let mut lines = vec![self.scenario_ended(event, *outcome, *took_ms, reason.as_deref())];
                // At the run's end it is said again; with one scenario that is now.
                if self.several {
                    lines.extend(stays.iter().flat_map(kept));
                }
                lines
            }
            EventKind::RunEnded { .. } => self.finish(),
            EventKind::PhaseStarted { .. }
            | EventKind::StepStarted { .. }
            | EventKind::Waiting { .. }
            | EventKind::Changed { .. }
            | EventKind::State { .. }
            | EventKind::Unknown => Vec::new(),
        }
    }

    fn phase_ended(&self, event: &Event, phase: Phase, took_ms: u64) -> Line {
        let failed = self.scenario(event).is_some_and(|scenario| {
            scenario.failures().any(|recorded| recorded.at_ms >= event.at_ms.saturating_sub(took_ms))
        });
        // Steps have said themselves how they went, and evidence is only there to be collected.
        let (role, mark) = match phase {
            Phase::Create | Phase::Install | Phase::Remove if failed => (Role::Bad, "FAIL"),
            Phase::Create | Phase::Install | Phase::Remove => (Role::Good, "ok"),
            Phase::Steps | Phase::Evidence => (Role::Faint, "done"),
        };
        let text = Line::plain(phase.as_str()).with(Role::Faint, &format!(" ({})", duration(took_ms)));
        self.row(event, role, mark, text)
    }

    fn step_ended(
        &self,
        event: &Event,
        index: usize,
        outcome: StepOutcome,
        took_ms: u64,
        subjects: Option<usize>,
        detail: &str,
    ) -> Line {
        let (role, mark) = match outcome {
            StepOutcome::Passed => (Role::Good, "ok"),
            StepOutcome::Failed => (Role::Bad, "FAIL"),
            StepOutcome::Skipped => (Role::Faint, "skip"),
        };
        let steps = self.scenario(event).map(|scenario| scenario.steps.as_slice()).unwrap_or_default();
        let title = steps.get(index).map(|step| one_line(&step.title)).unwrap_or_default();
        let mut text =
            Line::new().with(Role::Faint, &format!("{}/{} ", index + 1, steps.len())).with(Role::Plain, &title);
        if outcome != StepOutcome::Skipped {
            text = text.with(Role::Faint, &format!(" ({})", duration(took_ms)));
        }
        if let Some(subjects) = subjects {
            text = text.with(Role::Faint, &format!(" {subjects} looked at"));
        }
        let detail = one_line(detail);
        if !detail.is_empty() {
            text = text.with(Role::Faint, ": ").with(Role::Plain, &detail);
        }
        self.row(event, role, mark, text)
    }

    fn failed(&self, event: &Event, failed: &Failure) -> Vec<Line> {
        let steps = self.scenario(event).map(|scenario| scenario.steps.as_slice()).unwrap_or_default();
        let context = Context { scenario: event.scenario.as_deref(), steps, evidence: &[] };
        let recorded = RecordedFailure { at_ms: event.at_ms, failure: failed.clone() };
        let mut lines = vec![Line::new()];
        lines.extend(failure(context, &recorded));
        lines.push(Line::new());
        lines
    }

    fn scenario_ended(&self, event: &Event, outcome: Outcome, took_ms: u64, reason: Option<&str>) -> Line {
        let mark = match outcome {
            Outcome::Passed => "PASS",
            Outcome::Failed => "FAIL",
            Outcome::Error => "ERROR",
            Outcome::Interrupted => "STOP",
            Outcome::Skipped => "SKIP",
            Outcome::Xfailed => "XFAIL",
            Outcome::Xpassed | Outcome::Tolerated => "XPASS",
        };
        let mut text = Line::new().with(outcome_role(outcome), outcome.as_str());
        if self.scenario(event).is_some_and(|scenario| scenario.file.is_some()) {
            text = text.with(Role::Plain, &format!(" in {}", duration(took_ms)));
        }
        if let Some(reason) = reason {
            text = text.with(Role::Plain, &format!(": {}", one_line(reason)));
        }
        self.row(event, outcome_role(outcome), mark, text)
    }

    /// What a scenario waits for is written when it has changed, and when nothing of the kind was written for a while. Since
    /// events come when something changes, one that was held back is written with the next event that comes late enough,
    /// whoever's it is.
    fn due_waits(&mut self, event: &Event) -> Vec<Line> {
        if let Some(name) = &event.scenario {
            match &event.kind {
                EventKind::Waiting { what, last } => {
                    let wait = self.waits.entry(name.clone()).or_default();
                    wait.now = Some((what.clone(), last.clone()));
                }
                EventKind::StepStarted { .. }
                | EventKind::StepEnded { .. }
                | EventKind::PhaseStarted { .. }
                | EventKind::PhaseEnded { .. } => {
                    if let Some(wait) = self.waits.get_mut(name) {
                        wait.now = None;
                    }
                }
                EventKind::ScenarioEnded { .. } => {
                    self.waits.remove(name);
                }
                EventKind::RunStarted { .. }
                | EventKind::ScenarioStarted { .. }
                | EventKind::Changed { .. }
                | EventKind::State { .. }
                | EventKind::Gap { .. }
                | EventKind::Warning { .. }
                | EventKind::Model { .. }
                | EventKind::Failed { .. }
                | EventKind::Evidence { .. }
                | EventKind::RunEnded { .. }
                | EventKind::Unknown => {}
            }
        }
        if !self.waits_as_lines {
            return Vec::new();
        }
        let due = |wait: &Wait| {
            let late_enough = wait.written_ms.is_none_or(|written| event.at_ms >= written + WAIT_LINE_EVERY_MS);
            wait.now.is_some() && wait.now != wait.written && late_enough
        };
        let names: Vec<String> =
            self.waits.iter().filter(|(_, wait)| due(wait)).map(|(name, _)| name.clone()).collect();
        let mut lines = Vec::new();
        for name in names {
            if let Some(wait) = self.waits.get_mut(&name) {
                wait.written.clone_from(&wait.now);
                wait.written_ms = Some(event.at_ms);
                if let Some((what, last)) = wait.now.clone() {
                    let text = waiting(&what, &last);
                    lines.push(self.row_of(&name, event.at_ms, Role::Faint, "wait", text));
                }
            }
        }
        lines
    }

    fn scenario(&self, event: &Event) -> Option<&crate::summary::ScenarioSummary> {
        event.scenario.as_deref().and_then(|name| self.fold.scenario(name))
    }

    fn row(&self, event: &Event, role: Role, mark: &str, text: Line) -> Line {
        self.row_of(event.scenario.as_deref().unwrap_or(""), event.at_ms, role, mark, text)
    }

    fn row_of(&self, name: &str, at_ms: u64, role: Role, mark: &str, text: Line) -> Line {
        let time = at(at_ms);
        let line = Line::new().with(role, &format!("{mark:>5}")).with(Role::Faint, &format!(" {time:>8}  "));
        let line = if self.several {
            let column = line.width() + self.name_width + 2;
            line.with(Role::Strong, name).column(column)
        } else {
            line
        };
        line.then(text)
    }
}

/// What is waited for, and the last value seen.
pub(super) fn waiting(what: &str, last: &str) -> Line {
    let line = Line::new().with(Role::Plain, &format!("for {}", one_line(what)));
    let last = one_line(last);
    if last.is_empty() { line } else { line.with(Role::Faint, " | last: ").with(Role::Plain, &last) }
}
