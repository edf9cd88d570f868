//! `fidelity`: scenarios on a real cluster and on a simulated one, compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args as _, FromArgMatches as _};
use engine::Plan;
use events::{ClusterKind, Event};
use fidelity::{Comparison, Recording};
use scenario::Scenario;
use semver::Version;
use serde_json::json;

use super::e2e;
use crate::cli::{E2e, Fidelity};
use crate::outcome::BadInput;
use crate::versions::{all, versions};
use crate::{project, select};

/// How many orders of what real life leaves open are tried.
const ORDERS: u64 = 16;

/// The reduced runs of one version, by scenario, or why there is none.
type Side = BTreeMap<String, Result<Recording, String>>;

pub(crate) fn run(args: &Fidelity) -> Result<u8> {
    let scenarios = select::read(&args.selection)?;
    super::lint::refuse(&scenarios.problems)?;
    let recorded_run = args.real.as_deref().map(read_run).transpose()?;
    let mut comparisons = Vec::new();
    let mut records = Vec::new();
    for cilium in cilium(args, recorded_run.as_deref())? {
        let plans = plans(&scenarios.scenarios, &cilium, args.timeout_scale)?;
        let real = match &recorded_run {
            Some(events) => reduced(events),
            None if args.recorded => committed(&plans, &cilium)?,
            None => real_run(args, &cilium)?,
        };
        comparisons.extend(compare_all(args, &cilium, &plans, &real)?);
        for plan in &plans {
            let name = &plan.scenario.name;
            if let (true, Some(Ok(recording))) = (args.record, real.get(name)) {
                records.push(write_recording(recording)?);
            }
        }
    }
    for path in &records {
        say!("written: {path}");
    }
    tell(args, &comparisons)
}

/// Versions asked for: those of the command line, else that of the recorded run, else the default; all that recordings are kept of
/// where those are compared with.
fn cilium(args: &Fidelity, recorded_run: Option<&[Event]>) -> Result<Vec<Version>> {
    let known = &versions().cilium;
    let asked = all(&args.cilium);
    if let Some(events) = recorded_run {
        let version = events.iter().find_map(|event| match &event.kind {
            events::EventKind::RunStarted { cilium, .. } => Version::parse(cilium).ok(),
            _ => None,
        });
        let version = version.ok_or_else(|| BadInput("the recorded run names no version of Cilium".to_owned()))?;
        if asked.iter().any(|asked| *asked != version) {
            return Err(BadInput(format!("the recorded run is of Cilium {version}")).into());
        }
        return Ok(vec![version]);
    }
    let asked = if !asked.is_empty() {
        asked
    } else if args.recorded {
        known.proven.clone()
    } else {
        vec![known.default.clone()]
    };
    for version in &asked {
        let _: ipam::Release =
            version.to_string().parse().map_err(|error: ipam::UnknownRelease| BadInput(error.to_string()))?;
    }
    Ok(asked)
}

/// Compares each scenario with the simulated side. Reality leaves open in which order an operator serves several nodes, so a
/// scenario that is not equal in one order is tried in others; one that is equal in none is told as it was in the first.
fn compare_all(args: &Fidelity, cilium: &Version, plans: &[Plan], real: &Side) -> Result<Vec<Comparison>> {
    let first = args.seed.unwrap_or(0);
    let mut found: BTreeMap<String, Comparison> = BTreeMap::new();
    let mut left = plans.to_vec();
    for order in 0..ORDERS {
        let mut sim_args = e2e_args(args, cilium, ClusterKind::Sim)?;
        sim_args.sim.seed = Some(first.wrapping_add(order));
        let sim = reduced(&e2e::simulate(&sim_args, &left)?);
        left.retain(|plan| {
            let name = &plan.scenario.name;
            let (one, other) = (real.get(name), sim.get(name));
            let Some(comparison) = compare_one(name, cilium, one, other) else { return false };
            let equal = comparison.is_equal();
            if equal || order == 0 {
                found.insert(name.clone(), comparison.in_order(order + 1));
            }
            // No order makes a recording out of none, or settles a real cluster that had not.
            let settled = matches!(one, Some(Ok(real)) if real.phases.iter().all(|phase| phase.unsettled.is_none()));
            !equal && settled
        });
        if left.is_empty() {
            break;
        }
    }
    Ok(plans.iter().filter_map(|plan| found.remove(&plan.scenario.name)).collect())
}

/// What `e2e` would be told for a run of one side.
fn e2e_args(args: &Fidelity, cilium: &Version, cluster: ClusterKind) -> Result<E2e> {
    let scale = args.timeout_scale.to_string();
    let mut line = vec!["e2e".to_owned(), "--settle".to_owned()];
    line.extend(["--cluster".to_owned(), cluster.as_str().to_owned(), "--cilium".to_owned(), cilium.to_string()]);
    line.extend(["--timeout-scale".to_owned(), scale]);
    let command = E2e::augment_args(clap::Command::new("e2e"));
    let mut e2e = E2e::from_arg_matches(&command.try_get_matches_from(line)?)?;
    e2e.selection = args.selection.clone();
    e2e.sources = args.sources.clone();
    Ok(e2e)
}

fn plans(scenarios: &[Arc<Scenario>], cilium: &Version, scale: f64) -> Result<Vec<Plan>> {
    let plan = |scenario| {
        engine::plan(scenario, cilium, ClusterKind::Sim, scale).map_err(|error| BadInput(error.to_string()).into())
    };
    // One that cannot run on kind has nothing to be compared with.
    scenarios.iter().filter(|scenario| scenario.clusters.contains(&ClusterKind::Kind)).map(plan).collect()
}

/// Runs the scenarios on kind and reads the recording.
fn real_run(args: &Fidelity, cilium: &Version) -> Result<Side> {
    let mut e2e_args = e2e_args(args, cilium, ClusterKind::Kind)?;
    let dir = project::short_root().join("target/e2e").join(project::run_id());
    e2e_args.report_dir = Some(dir.clone());
    e2e::run(e2e_args)?;
    Ok(reduced(&read_run(&dir)?))
}

fn read_run(dir: &Utf8Path) -> Result<Vec<Event>> {
    let path = dir.join(report::ndjson::FILE_NAME);
    let recording = report::ndjson::read(&path).map_err(|error| BadInput(format!("--real: {error}")))?;
    Ok(recording.events)
}

fn reduced(events: &[Event]) -> Side {
    let reduced = fidelity::reduce(events).into_iter();
    reduced.map(|(name, recording)| (name, recording.map_err(|why| why.to_string()))).collect()
}

/// `tests/fidelity/VERSION/SCENARIO.json`.
fn path(cilium: &str, scenario: &str) -> Utf8PathBuf {
    project::short_root().join("tests/fidelity").join(cilium).join(format!("{scenario}.json"))
}

fn committed(plans: &[Plan], cilium: &Version) -> Result<Side> {
    let mut side = Side::new();
    for plan in plans.iter().filter(|plan| plan.skip.is_none()) {
        let name = &plan.scenario.name;
        let path = path(&cilium.to_string(), name);
        let recording = if path.is_file() {
            let text = fs_err::read_to_string(&path).with_context(|| format!("read {path}"))?;
            serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))
        } else {
            Err(format!("there is no {path}: `cargo xtask fidelity --record --cilium {cilium}` writes it"))
        };
        side.insert(name.clone(), recording);
    }
    Ok(side)
}

fn write_recording(recording: &Recording) -> Result<Utf8PathBuf> {
    let path = path(&recording.cilium, &recording.scenario);
    if let Some(dir) = path.parent() {
        fs_err::create_dir_all(dir).with_context(|| format!("create folder {dir}"))?;
    }
    let text = serde_json::to_string_pretty(recording).context("write a recording")?;
    fs_err::write(&path, format!("{text}\n")).with_context(|| format!("write {path}"))?;
    Ok(path)
}

/// None where neither side has run it: it is not for this version.
fn compare_one(
    name: &str,
    cilium: &Version,
    real: Option<&Result<Recording, String>>,
    sim: Option<&Result<Recording, String>>,
) -> Option<Comparison> {
    match (real, sim) {
        (None, None) => None,
        (Some(Ok(real)), Some(Ok(sim))) => Some(fidelity::compare(real, sim)),
        (real, sim) => {
            let side = |side: Option<&Result<Recording, String>>| match side {
                None => "not run".to_owned(),
                Some(Ok(recording)) => format!("{} phases", recording.phases.len()),
                Some(Err(why)) => why.clone(),
            };
            Some(Comparison::impossible(name, &cilium.to_string(), Some(side(real)), Some(side(sim))))
        }
    }
}

/// Prints the table and the differences, writes the JSON; answers the exit code.
fn tell(args: &Fidelity, comparisons: &[Comparison]) -> Result<u8> {
    let equal = !comparisons.is_empty() && comparisons.iter().all(Comparison::is_equal);
    put!("{}", fidelity::table(comparisons));
    put!("{}", fidelity::differences(comparisons));
    let path = args.json.clone().unwrap_or_else(|| project::short_root().join("target/e2e/fidelity.json"));
    let text = json!({"equal": equal, "comparisons": comparisons});
    if let Some(dir) = path.parent().filter(|dir| !dir.as_str().is_empty()) {
        fs_err::create_dir_all(dir).with_context(|| format!("create folder {dir}"))?;
    }
    fs_err::write(&path, format!("{text:#}\n")).with_context(|| format!("write {path}"))?;
    say!("written: {path}");
    Ok(if equal { events::exit::PASSED } else { events::exit::FAILED })
}
