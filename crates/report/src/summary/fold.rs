//! Events to summary.

use std::collections::BTreeMap;

use events::{Event, EventKind, Failure, Kept, Outcome, StepPlan, Tally, exit};

use super::{
    EvidenceSummary, PhaseSummary, RecordedFailure, RunInfo, RunSummary, ScenarioSummary, StepState, StepSummary,
};

/// Takes events one by one; a summary can be had at any time, as if the run had been cut off there.
#[derive(Debug, Clone, Default)]
pub struct Fold {
    run: Option<RunInfo>,
    end: Option<End>,
    at_ms: u64,
    failures: Vec<RecordedFailure>,
    remarks: Vec<String>,
    unknown: usize,
    scenarios: Vec<Open>,
    /// Index in `scenarios` of the latest one of a name.
    latest: BTreeMap<String, usize>,
}

/// What the last event says.
#[derive(Debug, Clone)]
struct End {
    tally: Tally,
    exit_code: u8,
    took_ms: u64,
}

/// A scenario so far.
#[derive(Debug, Clone)]
struct Open {
    summary: ScenarioSummary,
    started_ms: Option<u64>,
    phase_ms: u64,
    step: Option<(usize, u64)>,
    ended: bool,
}

impl Open {
    fn new(name: &str) -> Self {
        let summary = ScenarioSummary {
            name: name.to_owned(),
            file: None,
            summary: None,
            references: Vec::new(),
            outcome: Outcome::Interrupted,
            reason: None,
            took_ms: 0,
            phases: Vec::new(),
            steps: Vec::new(),
            failure: None,
            further_failures: Vec::new(),
            evidence: Vec::new(),
            kept: None,
            model: None,
            remarks: Vec::new(),
        };
        Self { summary, started_ms: None, phase_ms: 0, step: None, ended: false }
    }

    /// The step, made up where the plan did not have it: what was carried out is reported in any case.
    fn step(&mut self, index: usize) -> &mut StepSummary {
        let steps = &mut self.summary.steps;
        while steps.len() <= index {
            steps.push(StepSummary {
                title: format!("step {}", steps.len() + 1),
                line: 0,
                state: StepState::NotRun,
                took_ms: None,
                subjects: None,
                detail: String::new(),
            });
        }
        &mut steps[index]
    }

    fn fail(&mut self, at_ms: u64, failure: &Failure) {
        let recorded = RecordedFailure { at_ms, failure: failure.clone() };
        match self.summary.failure {
            None => self.summary.failure = Some(recorded),
            Some(_) => self.summary.further_failures.push(recorded),
        }
    }

    fn end(&mut self, outcome: Outcome, took_ms: u64, reason: &Option<String>, kept: &Option<Kept>) {
        self.ended = true;
        self.summary.outcome = outcome;
        self.summary.took_ms = took_ms;
        self.summary.reason.clone_from(reason);
        self.summary.kept.clone_from(kept);
    }

    /// The scenario as it is reported when nothing more comes.
    fn close(&self, at_ms: u64, run_ended: bool) -> ScenarioSummary {
        let mut summary = self.summary.clone();
        if let Some(phase) = summary.phases.last_mut().filter(|phase| !phase.ended) {
            phase.took_ms = at_ms.saturating_sub(self.phase_ms);
        }
        if let Some((index, started_ms)) = self.step {
            let step = &mut summary.steps[index];
            step.state = StepState::Unfinished;
            step.took_ms = Some(at_ms.saturating_sub(started_ms));
        }
        if self.ended {
            return summary;
        }
        // A failure that was recorded has decided the scenario, also when what comes after it is missing.
        summary.outcome = summary.failure.as_ref().map_or(Outcome::Interrupted, |recorded| recorded.failure.outcome());
        summary.took_ms = self.started_ms.map_or(0, |started| at_ms.saturating_sub(started));
        let reason = match (run_ended, self.started_ms) {
            (false, Some(_)) => "the run was cut off",
            (false, None) => "the run was cut off before it began",
            (true, Some(_)) => "the run ended without its result",
            (true, None) => "the run ended before it began",
        };
        summary.reason = Some(reason.to_owned());
        summary
    }
}

impl Fold {
    /// Takes the next event.
    pub fn apply(&mut self, event: &Event) {
        self.at_ms = self.at_ms.max(event.at_ms);
        let at_ms = event.at_ms;
        let name = event.scenario.as_deref();
        match &event.kind {
            EventKind::RunStarted { format, run, tool, cluster, why, cilium, scenarios, seed, notice } => {
                self.run = Some(RunInfo {
                    events_format: *format,
                    id: run.clone(),
                    tool: tool.clone(),
                    cluster: *cluster,
                    why: why.clone(),
                    cilium: cilium.clone(),
                    seed: *seed,
                    notice: notice.clone(),
                });
                for name in scenarios {
                    self.open(name);
                }
            }
            EventKind::ScenarioStarted { file, summary, references, steps } => {
                let Some(name) = name else { return };
                let open = self.begin(name);
                open.started_ms = Some(at_ms);
                open.summary.file = Some(file.clone());
                open.summary.summary = Some(summary.clone());
                open.summary.references.clone_from(references);
                open.summary.steps = steps.iter().map(planned).collect();
            }
            EventKind::PhaseStarted { phase } => {
                let Some(open) = self.of(name) else { return };
                open.phase_ms = at_ms;
                open.summary.phases.push(PhaseSummary { phase: *phase, took_ms: 0, ended: false });
            }
            EventKind::PhaseEnded { phase, took_ms } => {
                let Some(open) = self.of(name) else { return };
                let summary = PhaseSummary { phase: *phase, took_ms: *took_ms, ended: true };
                match open.summary.phases.iter_mut().rfind(|other| other.phase == *phase && !other.ended) {
                    Some(begun) => *begun = summary,
                    None => open.summary.phases.push(summary),
                }
            }
            EventKind::StepStarted { index } => {
                let Some(open) = self.of(name) else { return };
                open.step(*index).state = StepState::Unfinished;
                open.step = Some((*index, at_ms));
            }
            EventKind::StepEnded { index, outcome, took_ms, subjects, detail } => {
                let Some(open) = self.of(name) else { return };
                open.step = None;
                let step = open.step(*index);
                step.state = StepState::from(*outcome);
                step.took_ms = Some(*took_ms);
                step.subjects = *subjects;
                if !detail.is_empty() {
                    step.detail.clone_from(detail);
                }
            }
            EventKind::Gap { watched, reason } => {
                let remark = format!("changes of {watched} may be missing from the history: {reason}");
                self.remark(name, remark);
            }
            EventKind::Warning { text } => self.remark(name, text.clone()),
            EventKind::Failed { failure } => match self.of(name) {
                Some(open) => open.fail(at_ms, failure),
                None => self.failures.push(RecordedFailure { at_ms, failure: failure.clone() }),
            },
            EventKind::Evidence { dir, files, missing } => {
                let Some(open) = self.of(name) else { return };
                let (dir, files, missing) = (dir.clone(), files.clone(), missing.clone());
                open.summary.evidence.push(EvidenceSummary { dir, files, missing });
            }
            EventKind::ScenarioEnded { outcome, took_ms, reason, kept } => {
                let Some(open) = self.of(name) else { return };
                open.end(*outcome, *took_ms, reason, kept);
            }
            EventKind::RunEnded { tally, exit_code, took_ms } => {
                self.end = Some(End { tally: *tally, exit_code: *exit_code, took_ms: *took_ms });
            }
            EventKind::Model { report } => {
                let Some(open) = self.of(name) else { return };
                open.summary.model = Some(report.clone());
            }
            EventKind::Unknown => self.unknown += 1,
            // None decides anything: they are for watching and comparing runs, and the history that matters is in the failure.
            EventKind::Waiting { .. } | EventKind::Changed { .. } | EventKind::State { .. } => {}
        }
    }

    /// What the run came to, if nothing more comes.
    pub fn summary(&self) -> RunSummary {
        let run_ended = self.end.is_some();
        let scenarios: Vec<_> = self.scenarios.iter().map(|open| open.close(self.at_ms, run_ended)).collect();
        let mut tally = Tally::default();
        for scenario in &scenarios {
            tally.add(scenario.outcome);
        }
        let mut remarks = self.remarks.clone();
        if self.unknown > 0 {
            remarks.push(format!("{} events are of a newer version and were left out", self.unknown));
        }
        let exit_code = match &self.end {
            Some(end) => {
                if end.tally != tally {
                    remarks.push("the run's own counts differ from its scenarios' results".to_owned());
                }
                never_better(end.exit_code, &tally)
            }
            None => cut_off_code(&tally, &self.failures),
        };
        RunSummary {
            run: self.run.clone(),
            cut_off: !run_ended,
            took_ms: self.end.as_ref().map_or(self.at_ms, |end| end.took_ms),
            tally,
            exit_code,
            failures: self.failures.clone(),
            remarks,
            scenarios,
        }
    }

    /// A scenario as far as it has come, without an end made up for it.
    pub fn scenario(&self, name: &str) -> Option<&ScenarioSummary> {
        self.latest.get(name).map(|index| &self.scenarios[*index].summary)
    }

    fn remark(&mut self, scenario: Option<&str>, text: String) {
        match self.of(scenario) {
            Some(open) => open.summary.remarks.push(text),
            None => self.remarks.push(text),
        }
    }

    /// The latest scenario of that name; made where the run did not announce it.
    fn of(&mut self, name: Option<&str>) -> Option<&mut Open> {
        let name = name?;
        let index = match self.latest.get(name) {
            Some(index) => *index,
            None => self.open(name),
        };
        Some(&mut self.scenarios[index])
    }

    /// The scenario that begins: a new one when one of that name has run already, so that neither result is lost.
    fn begin(&mut self, name: &str) -> &mut Open {
        let index = match self.latest.get(name) {
            Some(index) if !self.scenarios[*index].ended && self.scenarios[*index].started_ms.is_none() => *index,
            Some(_) | None => self.open(name),
        };
        &mut self.scenarios[index]
    }

    fn open(&mut self, name: &str) -> usize {
        self.scenarios.push(Open::new(name));
        let index = self.scenarios.len() - 1;
        self.latest.insert(name.to_owned(), index);
        index
    }
}

/// A step before it begins.
fn planned(plan: &StepPlan) -> StepSummary {
    StepSummary {
        title: plan.title.clone(),
        line: plan.line,
        state: if plan.skip.is_some() { StepState::Skipped } else { StepState::NotRun },
        took_ms: None,
        subjects: None,
        detail: plan.skip.clone().unwrap_or_default(),
    }
}

/// A run that was cut off has not passed, whatever its scenarios say so far.
fn cut_off_code(tally: &Tally, failures: &[RecordedFailure]) -> u8 {
    match exit::code(tally) {
        exit::PASSED | exit::NOTHING_SELECTED if !failures.is_empty() => exit::ERROR,
        exit::PASSED | exit::NOTHING_SELECTED => exit::INTERRUPTED,
        code => code,
    }
}

/// The recorded code may be graver than the scenarios' results (something could not be removed), but not better.
fn never_better(recorded: u8, tally: &Tally) -> u8 {
    let computed = exit::code(tally);
    if recorded == exit::PASSED { computed } else { recorded }
}
