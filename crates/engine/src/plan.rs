//! A scenario, a Cilium version and a kind of cluster make a plan: pure, printable.

use std::sync::Arc;
use std::time::Duration;

use events::{ClusterKind, StepPlan};
use scenario::Scenario;
use scenario::model::{Action, Check, Span, Timing};
use semver::Version;

use crate::check::Programs;

/// What will be done, in order.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it is made from.
    pub scenario: Arc<Scenario>,
    /// Cilium's version.
    pub version: Version,
    /// Why the whole scenario will not run here, if so.
    pub skip: Option<String>,
    /// Its steps.
    pub steps: Vec<PlannedStep>,
}

/// A step with its deadline.
#[derive(Debug, Clone)]
pub struct PlannedStep {
    /// In a line.
    pub title: String,
    /// Line in the file.
    pub line: usize,
    /// Deadline, scaled.
    pub within: Duration,
    /// Why it will not run, if so.
    pub skip: Option<String>,
}

/// A scenario that cannot be planned: bad input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}: {message}")]
pub struct PlanError {
    /// The scenario's file.
    pub path: String,
    /// Line in it.
    pub line: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// Why the model is compared with nothing on `sim`.
const OWN_MODEL: &str = "not applicable on sim, which runs on the same model";

/// Makes a plan.
///
/// # Errors
/// A CEL expression that does not compile, a timing that its checks cannot have.
pub fn plan(scenario: &Arc<Scenario>, version: &Version, kind: ClusterKind, scale: f64) -> Result<Plan, PlanError> {
    let mut programs = Programs::default();
    let mut steps = Vec::new();
    for step in &scenario.steps {
        let error = |message: String| PlanError { path: scenario.source.path.to_string(), line: step.line, message };
        if let Action::Expect(expect) = &step.action {
            for check in &expect.checks {
                if let Check::Cel { expression, .. } = check {
                    programs
                        .add(expression)
                        .map_err(|why| error(format!("the CEL expression `{expression}` does not compile: {why}")))?;
                }
                let over_steps = matches!(
                    expect.timing,
                    Timing::Holds(Span::Steps(_) | Span::Rest) | Timing::Never(Span::Steps(_) | Span::Rest)
                );
                if over_steps && matches!(check, Check::Reachability { .. }) {
                    return Err(error(
                        "reachability is tried by pings, which cannot go on unnoticed while other steps run; \
                         write a time instead of steps (`holds: 5s`)"
                            .to_owned(),
                    ));
                }
            }
        }
        let skip = step
            .versions
            .as_ref()
            .filter(|range| !range.contains(version))
            .map(|range| format!("for Cilium {range}, this is {version}"))
            .or_else(|| (step.action == Action::Model && kind == ClusterKind::Sim).then(|| OWN_MODEL.to_owned()));
        let within = step.within.unwrap_or_else(|| step.action.default_deadline());
        steps.push(PlannedStep { title: step.title(), line: step.line, within: within.mul_f64(scale), skip });
    }
    let skip = if !scenario.cilium.versions.contains(version) {
        Some(format!("for Cilium {}, this is {version}", scenario.cilium.versions))
    } else if !scenario.clusters.contains(&kind) {
        let kinds: Vec<&str> = scenario.clusters.iter().map(|k| k.as_str()).collect();
        let why = scenario.clusters_reason.as_deref().unwrap_or("its file says so");
        Some(format!("for {} only: {why}", kinds.join(" and ")))
    } else if kind != ClusterKind::Sim && scenario.steps.iter().any(|step| matches!(step.action, Action::Inject(_))) {
        Some("for sim only: faults can be injected there alone".to_owned())
    } else {
        None
    };
    Ok(Plan { scenario: scenario.clone(), version: version.clone(), skip, steps })
}

impl Plan {
    /// For the event that begins the scenario.
    pub(crate) fn events(&self) -> Vec<StepPlan> {
        self.steps
            .iter()
            .map(|step| StepPlan {
                title: step.title.clone(),
                line: step.line,
                deadline_ms: u64::try_from(step.within.as_millis()).unwrap_or(u64::MAX),
                skip: step.skip.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
