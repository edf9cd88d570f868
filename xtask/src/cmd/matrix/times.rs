//! What cells took: measured here, or written down in `kind/weights.json`.

use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use engine::Plan;
use events::{ClusterKind, Outcome};
use matrix::{MatrixResult, Shape, Status, Times};
use scenario::model::Action;
use semver::Version;
use serde::Deserialize;

use crate::project;

/// The file, as it was when this was built, so that every machine balances shards alike.
const WEIGHTS: &str = include_str!("../../../../kind/weights.json");
/// Runs that are looked at, newest first: older ones say little.
const RUNS: usize = 40;

/// The committed table.
pub(super) fn weights() -> Result<Times> {
    serde_json::from_str(WEIGHTS).context("read kind/weights.json")
}

/// What a cell counts for, wherever the plan is made.
pub(super) fn weight(weights: &Times, cluster: ClusterKind, plan: &Plan) -> u64 {
    weights.of(cluster, &plan.scenario.name, &plan.version).unwrap_or_else(|| shape(plan).guess(cluster))
}

fn shape(plan: &Plan) -> Shape {
    let run = || plan.scenario.steps.iter().zip(&plan.steps).filter(|(_, planned)| planned.skip.is_none());
    let heavy = |action: &Action| {
        matches!(action, Action::Restart(_) | Action::Upgrade(_) | Action::RemoveNode(_) | Action::AddNode { .. })
    };
    Shape {
        nodes: plan.scenario.cluster.workers + 1,
        steps: run().count(),
        restarts: run().filter(|(step, _)| heavy(&step.action)).count(),
    }
}

/// The part of `summary.json` that says what a scenario took.
#[derive(Deserialize)]
struct Summary {
    run: Option<Run>,
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Run {
    cluster: ClusterKind,
    cilium: String,
}

#[derive(Deserialize)]
struct Scenario {
    name: String,
    outcome: Outcome,
    took_ms: u64,
}

/// What was measured on this machine: results of earlier matrices, and summaries of earlier runs on real clusters (a simulated one has a
/// clock of its own). Oldest first, so that the newest counts. What cannot be read is left out: it is an estimate.
pub(super) fn measured() -> Times {
    let mut times = Times::default();
    let mut runs: Vec<Utf8PathBuf> = fs_err::read_dir(project::short_root().join("target/e2e"))
        .map(|entries| {
            let paths = entries.flatten().filter_map(|entry| Utf8PathBuf::from_path_buf(entry.path()).ok());
            paths.collect()
        })
        .unwrap_or_default();
    let changed = |dir: &Utf8PathBuf| fs_err::metadata(dir).and_then(|data| data.modified()).ok();
    runs.sort_by_cached_key(|dir| (changed(dir), dir.clone()));
    for dir in runs.iter().rev().take(RUNS).rev() {
        learn_from(&mut times, dir);
    }
    times
}

fn learn_from(times: &mut Times, dir: &Utf8Path) {
    if let Ok(result) = super::files::read(dir) {
        learn(times, &result);
        return;
    }
    let text = fs_err::read_to_string(dir.join(report::Format::Json.file_name())).unwrap_or_default();
    let Ok(Summary { run: Some(run), scenarios }) = serde_json::from_str(&text) else { return };
    let Ok(cilium) = Version::parse(&run.cilium) else { return };
    if run.cluster != ClusterKind::Sim {
        for scenario in
            scenarios.iter().filter(|scenario| matches!(scenario.outcome, Outcome::Passed | Outcome::Xfailed))
        {
            times.learn(run.cluster, &scenario.name, &cilium, scenario.took_ms);
        }
    }
}

/// Takes over what the cells of a matrix took. One that failed may have waited for a deadline.
pub(super) fn learn(times: &mut Times, result: &MatrixResult) {
    let good = |status| matches!(status, Status::Pass | Status::Xfail | Status::XpassTolerated);
    for cell in result.cells.iter().filter(|cell| good(cell.status)) {
        times.learn(result.plan.cluster, &cell.scenario, &cell.column.cilium, cell.took_ms);
    }
}

/// Writes the committed table anew, with what this matrix took. Tenths of seconds on kind and tens of milliseconds on sim would change with
/// every run, so times are rounded.
pub(super) fn update_weights(result: &MatrixResult) -> Result<Utf8PathBuf> {
    let path = project::short_root().join("kind/weights.json");
    let mut times: Times =
        serde_json::from_str(&fs_err::read_to_string(&path)?).with_context(|| format!("read {path}"))?;
    let mut rounded = result.clone();
    for cell in &mut rounded.cells {
        let to = if result.plan.cluster == ClusterKind::Sim { 10 } else { 1_000 };
        cell.took_ms = cell.took_ms.div_ceil(to) * to;
    }
    learn(&mut times, &rounded);
    fs_err::write(&path, format!("{}\n", serde_json::to_string_pretty(&times)?))
        .with_context(|| format!("write {path}"))?;
    Ok(path)
}
