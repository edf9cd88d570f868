//! What goes on right now, for a terminal's progress lines.

use std::collections::BTreeMap;

use events::{ClusterKind, Event, EventKind, Phase, StepPlan, Tally};

use super::end::counted;
use super::narrator::waiting;
use super::outcome_role;
use crate::text::{Line, Role, duration, one_line};

/// What goes on in each scenario that has begun and not ended.
#[derive(Debug, Default)]
pub struct LiveView {
    total: usize,
    tally: Tally,
    virtual_time: bool,
    running: BTreeMap<String, LiveScenario>,
}

/// What goes on in one scenario.
#[derive(Debug, Default)]
pub struct LiveScenario {
    steps: Vec<StepPlan>,
    phase: Option<Phase>,
    step: Option<usize>,
    waiting: Option<(String, String)>,
    stretch: u64,
}

impl LiveView {
    /// Takes the next event.
    pub fn apply(&mut self, event: &Event) {
        let name = event.scenario.as_deref();
        match &event.kind {
            EventKind::RunStarted { scenarios, cluster, .. } => {
                self.total = scenarios.len();
                self.virtual_time = match cluster {
                    ClusterKind::Sim => true,
                    ClusterKind::Kind | ClusterKind::Existing => false,
                };
            }
            EventKind::ScenarioStarted { steps, .. } => {
                if let Some(name) = name {
                    let scenario = LiveScenario { steps: steps.clone(), ..LiveScenario::default() };
                    self.running.insert(name.to_owned(), scenario);
                }
            }
            EventKind::PhaseStarted { phase } => self.update(name, |scenario| {
                scenario.phase = Some(*phase);
                scenario.next_stretch();
            }),
            EventKind::StepStarted { index } => self.update(name, |scenario| {
                scenario.next_stretch();
                scenario.step = Some(*index);
            }),
            EventKind::PhaseEnded { .. } | EventKind::StepEnded { .. } => self.update(name, LiveScenario::next_stretch),
            EventKind::Waiting { what, last } => self.update(name, |scenario| {
                scenario.waiting = Some((what.clone(), last.clone()));
            }),
            EventKind::ScenarioEnded { outcome, .. } => {
                self.tally.add(*outcome);
                if let Some(name) = name {
                    self.running.remove(name);
                }
            }
            EventKind::RunEnded { .. } => self.running.clear(),
            EventKind::Changed { .. }
            | EventKind::State { .. }
            | EventKind::Gap { .. }
            | EventKind::Warning { .. }
            | EventKind::Model { .. }
            | EventKind::Failed { .. }
            | EventKind::Evidence { .. }
            | EventKind::Unknown => {}
        }
    }

    /// The running scenarios by name.
    pub fn running(&self) -> &BTreeMap<String, LiveScenario> {
        &self.running
    }

    /// The line about one of them. Where time is virtual there is no limit in it, since the time shown beside it is real.
    pub fn line(&self, name: &str, scenario: &LiveScenario) -> Line {
        let mut line = Line::new().with(Role::Strong, name).with(Role::Plain, "  ");
        line = line.with(Role::Plain, scenario.phase.map_or("start", Phase::as_str));
        if let Some(index) = scenario.step {
            line = line.with(Role::Faint, &format!(" {}/{}", index + 1, scenario.steps.len()));
            if let Some(step) = scenario.steps.get(index) {
                line = line.with(Role::Plain, &format!(" {}", one_line(&step.title)));
                if !self.virtual_time {
                    line = line.with(Role::Faint, &format!(" (limit {})", duration(step.deadline_ms)));
                }
            }
        }
        line
    }

    /// The line about all of them; none for a run of one scenario.
    pub fn overall(&self) -> Option<Line> {
        if self.total < 2 || self.running.is_empty() {
            return None;
        }
        let mut line = Line::new().with(Role::Faint, &format!("{} of {} done", self.tally.total(), self.total));
        for (outcome, number) in counted(&self.tally) {
            line = line.with(Role::Faint, ", ").with(outcome_role(outcome), &format!("{number} {}", outcome.as_str()));
        }
        Some(line)
    }

    fn update(&mut self, name: Option<&str>, change: impl FnOnce(&mut LiveScenario)) {
        if let Some(scenario) = name.and_then(|name| self.running.get_mut(name)) {
            change(scenario);
        }
    }
}

impl LiveScenario {
    /// Counts phases and steps: the elapsed time begins anew with each.
    pub fn stretch(&self) -> u64 {
        self.stretch
    }

    /// What is waited for, and the last value seen.
    pub fn waiting(&self) -> Option<Line> {
        let (what, last) = self.waiting.as_ref()?;
        Some(Line::new().with(Role::Faint, "waiting ").then(waiting(what, last)))
    }

    fn next_stretch(&mut self) {
        self.stretch += 1;
        self.step = None;
        self.waiting = None;
    }
}
