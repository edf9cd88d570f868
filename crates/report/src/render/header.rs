//! What is run, and on what.

use events::ClusterKind;

use crate::summary::RunInfo;
use crate::text::{Line, Role, count};

/// The lines at a run's beginning: they say what the results will be worth.
pub fn header(run: &RunInfo, scenarios: usize) -> Vec<Line> {
    let title = Line::new()
        .with(Role::Strong, &format!("cilium-ipam-e2e {}", run.tool))
        .with(Role::Plain, &format!(", run {}, {}", run.id, count(scenarios, "scenario")));
    let mut lines = vec![title];
    let mut fact = |name: &str, role: Role, value: &str| {
        lines.push(Line::plain("  ").with(Role::Faint, name).column(12).with(role, value));
    };
    fact("cluster", Role::Plain, &format!("{} ({})", run.cluster, run.why));
    fact("cilium", Role::Plain, &run.cilium);
    if let Some(seed) = run.seed {
        fact("seed", Role::Plain, &seed.to_string());
    }
    if let Some(notice) = &run.notice {
        fact("notice", Role::Warn, notice);
    }
    match run.cluster {
        ClusterKind::Sim => fact("times", Role::Plain, "virtual, by the simulation's clock"),
        ClusterKind::Kind | ClusterKind::Existing => {}
    }
    lines.push(Line::new());
    lines
}
