//! A stream of events of a run to recordings, one a scenario.

mod blocks;
mod nodes;
mod pods;

use std::collections::BTreeMap;

use events::{ClusterKind, Event, EventKind, Outcome, State, StepPlan};

use crate::recording::{FORMAT, Phase, Recording};
use blocks::Blocks;

/// Why a run of a scenario cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotComparable {
    /// The stream has no beginning of a run.
    NoRun,
    /// It did not pass, with the reason.
    NotPassed(Outcome, String),
    /// The stream breaks off.
    CutOff,
    /// No state was told: the run is of an older version of this tool, or the cluster is too large.
    NoStates,
}

impl std::fmt::Display for NotComparable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoRun => f.write_str("this is no recording of a run"),
            Self::NotPassed(outcome, why) => write!(f, "{}: {why}", outcome.as_str()),
            Self::CutOff => f.write_str("the recording breaks off"),
            Self::NoStates => f.write_str("the recording has no states: it was made by an older version of this tool"),
        }
    }
}

impl std::error::Error for NotComparable {}

/// What is known of a scenario while its events are read.
#[derive(Default)]
struct Open {
    steps: Vec<StepPlan>,
    states: Vec<(Option<usize>, State)>,
    failure: Option<String>,
    outcome: Option<(Outcome, Option<String>)>,
}

/// Reduces a run: each scenario's recording, or why it cannot be compared. Scenarios that were skipped are left out.
pub fn reduce(events: &[Event]) -> BTreeMap<String, Result<Recording, NotComparable>> {
    let mut run: Option<(String, ClusterKind)> = None;
    let mut open: BTreeMap<String, Open> = BTreeMap::new();
    for event in events {
        if let EventKind::RunStarted { cilium, cluster, .. } = &event.kind {
            run = Some((cilium.clone(), *cluster));
        }
        let Some(name) = &event.scenario else { continue };
        let of = open.entry(name.clone()).or_default();
        match &event.kind {
            EventKind::ScenarioStarted { steps, .. } => of.steps.clone_from(steps),
            EventKind::State { step, state } => of.states.push((*step, state.clone())),
            EventKind::Failed { failure } => of.failure = Some(failure.message.clone()),
            EventKind::ScenarioEnded { outcome, reason, .. } => of.outcome = Some((*outcome, reason.clone())),
            _ => {}
        }
    }
    open.retain(|_, of| !matches!(of.outcome, Some((Outcome::Skipped, _))));
    open.into_iter()
        .map(|(name, of)| {
            let recording = one(&name, of, run.as_ref());
            (name, recording)
        })
        .collect()
}

fn one(name: &str, of: Open, run: Option<&(String, ClusterKind)>) -> Result<Recording, NotComparable> {
    let (cilium, cluster) = run.cloned().ok_or(NotComparable::NoRun)?;
    match of.outcome {
        // What a known bug does to the cluster is worth comparing as well: up to the failure, the states say it.
        Some((Outcome::Passed | Outcome::Xfailed | Outcome::Tolerated, _)) => {}
        Some((outcome, reason)) => {
            let why = of.failure.or(reason).unwrap_or_else(|| "no reason was told".to_owned());
            return Err(NotComparable::NotPassed(outcome, why));
        }
        None => return Err(NotComparable::CutOff),
    }
    if of.states.is_empty() {
        return Err(NotComparable::NoStates);
    }
    let mut blocks = Blocks::default();
    let mut before = None;
    let mut phases = Vec::new();
    for (step, state) in &of.states {
        blocks.learn(state);
        let name = step.map_or_else(|| "start".to_owned(), |index| format!("step {}", index + 1));
        let title = step.and_then(|index| of.steps.get(index)).map_or("", |step| step.title.as_str()).to_owned();
        let (facts, placed) = (BTreeMap::new(), BTreeMap::new());
        let mut phase = Phase { name, title, unsettled: state.unsettled.clone(), facts, placed };
        nodes::facts(&blocks, before, state, &mut phase.facts);
        pods::facts(&blocks, before, state, &mut phase);
        phases.push(phase);
        before = Some(state);
    }
    Ok(Recording { format: FORMAT, scenario: name.to_owned(), cilium, cluster, phases })
}
