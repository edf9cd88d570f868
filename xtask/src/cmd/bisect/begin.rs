//! From the command line to a search: what is wrong is said before the first cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use bisect::{Candidate, Direction, Ends, Search};
use camino::Utf8PathBuf;
use events::ClusterKind;
use scenario::Scenario;
use scenario::model::VersionRange;

use super::Settings;
use super::here::{self, Here};
use super::keep::{Keeper, Kept};
use super::trial;
use crate::cli::{Bisect, ClusterChoice, Selection};
use crate::outcome::BadInput;
use crate::versions::versions;
use crate::{project, provider, select};

/// A new search, kept; none for a dry run, which is told.
pub(super) fn begin(args: &Bisect, settings: &Settings) -> Result<Option<Keeper>> {
    let (Some(name), Some(good), Some(bad)) = (&args.scenario, &args.good, &args.bad) else {
        return Err(BadInput("name a scenario, --good and --bad; or --resume DIR".to_owned()).into());
    };
    let scenario = one(name)?;
    let ends = Ends { good: end("good", good)?, bad: end("bad", bad)? };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let (cluster, why) = kind(args, &runtime)?;
    let here = runtime.block_on(Here::look(settings.clone()));
    let among = among(args.among.as_deref(), cluster, &here)?;
    let (candidates, direction) =
        bisect::plan(&ends, among, &scenario.cilium.versions).map_err(|error| BadInput(error.to_string()))?;
    refuse_tags_on_sim(cluster, &candidates)?;
    runs_there(&scenario, cluster, &candidates, args.timeout_scale)?;
    let candidates = match cluster {
        ClusterKind::Sim => candidates,
        ClusterKind::Kind | ClusterKind::Existing => leave_out_missing(candidates, &here, &runtime)?,
    };
    let kept = Kept {
        format: bisect::FORMAT,
        scenario: scenario.name.clone(),
        // Absolute, since the search may go on from another folder.
        file: camino::absolute_utf8(&scenario.source.path).with_context(|| format!("find {}", scenario.source.path))?,
        text: scenario.source.text.to_string(),
        cluster,
        context: args.context.clone(),
        seed: args.seed,
        faults: args.faults.clone(),
        timeout_scale: args.timeout_scale,
        fresh: args.fresh,
        search: Search { candidates, direction, repeat: args.repeat, retries: args.retries, runs: Vec::new() },
    };
    say!("cluster: {cluster} ({why})");
    if args.dry_run {
        let names: Vec<String> = kept.search.candidates.iter().map(ToString::to_string).collect();
        say!("{}", super::tell::heading(&kept, &scenario));
        say!("candidates: {}", names.join(", "));
        return Ok(None);
    }
    let default = || project::short_root().join(format!("target/e2e/bisect-{}", project::run_id()));
    let dir = args.report_dir.clone().unwrap_or_else(default);
    Keeper::create(dir, kept).map(Some)
}

/// The scenario of a search, which must be what it was.
pub(super) fn scenario(kept: &Kept) -> Result<Arc<Scenario>> {
    let bytes =
        fs_err::read(&kept.file).map_err(|error| BadInput(format!("the search is for {}: {error}", kept.file)))?;
    if bytes != kept.text.as_bytes() {
        let text = format!("{} is not what it was when the search began: begin another, or restore it", kept.file);
        return Err(BadInput(text).into());
    }
    let (scenarios, problems) = scenario::parse_all(&[(kept.file.clone(), bytes)]);
    crate::cmd::lint::refuse(&problems)?;
    let found = scenarios.into_iter().next().map(Arc::new);
    found.with_context(|| format!("{} has no scenario", kept.file))
}

/// The scenario with the expectations of the good end.
///
/// A scenario that knows of a change says what each version does (`versions: ">=1.20"` at a step), and so passes on both sides of it.
/// What is asked here is where the good end's behaviour is lost, so its steps are taken everywhere.
pub(super) fn as_for_the_good_end(scenario: &Arc<Scenario>, search: &Search) -> Arc<Scenario> {
    let good = good_end(search);
    let mut scenario = (**scenario).clone();
    for step in &mut scenario.steps {
        step.versions = step.versions.take().filter(|range| !range.contains(&good.version)).map(|range| {
            // A range of nothing, so that the step keeps its place and its name.
            VersionRange { text: format!("{range} (steps are taken as for {good})"), alternatives: Vec::new() }
        });
    }
    Arc::new(scenario)
}

/// Whether that makes a difference.
pub(super) fn has_steps_by_version(scenario: &Scenario) -> bool {
    scenario.steps.iter().any(|step| step.versions.is_some())
}

/// Where the scenario passes.
pub(super) fn good_end(search: &Search) -> &Candidate {
    match search.direction {
        Direction::Break => &search.candidates[0],
        Direction::Mend => &search.candidates[search.candidates.len() - 1],
    }
}

fn one(name: &str) -> Result<Arc<Scenario>> {
    let read = select::read(&Selection { scenarios: vec![name.to_owned()], tag: Vec::new() })?;
    crate::cmd::lint::refuse(&read.problems)?;
    match read.scenarios.as_slice() {
        [scenario] => Ok(scenario.clone()),
        several => {
            let names: Vec<&str> = several.iter().map(|scenario| scenario.name.as_str()).collect();
            let text = format!("\"{name}\" means {} scenarios; name one of: {}", names.len(), names.join(", "));
            Err(BadInput(text).into())
        }
    }
}

fn end(flag: &str, text: &str) -> Result<Candidate> {
    let (candidate, note) = Candidate::one(text, versions()).map_err(|error| BadInput(format!("--{flag}: {error}")))?;
    if let Some(note) = note {
        eprintln!("note: --{flag}: {note}");
    }
    Ok(candidate)
}

fn kind(args: &Bisect, runtime: &tokio::runtime::Runtime) -> Result<(ClusterKind, String)> {
    let choice = match args.cluster {
        ClusterChoice::Auto => "auto",
        ClusterChoice::Kind => "kind",
        ClusterChoice::Existing => "existing",
        ClusterChoice::Sim => "sim",
    };
    let mut e2e = trial::e2e_args(&["--cluster", choice], &args.sources)?;
    e2e.context.clone_from(&args.context);
    e2e.sim.seed = args.seed;
    e2e.sim.faults.clone_from(&args.faults);
    let chosen = runtime.block_on(provider::choose(&e2e))?;
    Ok((chosen.kind, chosen.why))
}

/// What is to be tried, before the ends cut it.
fn among(text: Option<&str>, cluster: ClusterKind, here: &Here) -> Result<Vec<Candidate>> {
    let known = || versions().with_clusters().map(Candidate::release);
    match text.map(str::trim) {
        None => Ok(known().collect()),
        Some("here") if cluster == ClusterKind::Sim => {
            Err(BadInput("--among here: a simulated cluster has neither charts nor images; name versions".to_owned())
                .into())
        }
        Some("here") => Ok(known().filter(|candidate| here.has(candidate)).collect()),
        Some(list) => Candidate::many(list, versions()).map_err(|error| BadInput(format!("--among: {error}")).into()),
    }
}

fn refuse_tags_on_sim(cluster: ClusterKind, candidates: &[Candidate]) -> Result<()> {
    match candidates.iter().find(|candidate| candidate.tag.is_some()) {
        Some(tagged) if cluster == ClusterKind::Sim => {
            let text = format!("{tagged}: a simulated cluster runs no images; images of your own need --cluster kind");
            Err(BadInput(text).into())
        }
        _ => Ok(()),
    }
}

/// A scenario that would be skipped everywhere says nothing anywhere.
fn runs_there(scenario: &Arc<Scenario>, cluster: ClusterKind, candidates: &[Candidate], scale: f64) -> Result<()> {
    for candidate in candidates {
        let plan =
            engine::plan(scenario, &candidate.version, cluster, scale).map_err(|error| BadInput(error.to_string()))?;
        if let Some(why) = plan.skip {
            return Err(BadInput(format!("{} would be skipped on {candidate}: {why}", scenario.name)).into());
        }
    }
    Ok(())
}

/// Without its chart or its images a candidate cannot be tried: an end is bad input, any other is left out, and both are said.
fn leave_out_missing(
    candidates: Vec<Candidate>,
    here: &Here,
    runtime: &tokio::runtime::Runtime,
) -> Result<Vec<Candidate>> {
    let last = candidates.len() - 1;
    let found = runtime.block_on(here::to_be_had(here, &candidates));
    let mut left = Vec::new();
    let mut ends = Vec::new();
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (place, (candidate, found)) in candidates.into_iter().zip(found).enumerate() {
        match found {
            Ok(()) => left.push(candidate),
            Err(why) if place == 0 || place == last => ends.push(format!("{candidate}, an end, cannot be had: {why}")),
            // One registry that cannot be reached is one reason, whatever is asked of it.
            Err(why) => out
                .entry(why.replace(&candidate.version.to_string(), "VERSION"))
                .or_default()
                .push(candidate.to_string()),
        }
    }
    for (why, candidates) in &out {
        say!("left out, since they cannot be had: {}\n  {why}", candidates.join(", "));
    }
    if ends.is_empty() {
        return Ok(left);
    }
    let text = format!("{}\n`cargo xtask versions` shows what is here; no cluster was made", ends.join("\n"));
    Err(BadInput(text).into())
}

/// Where a kept search's direction is told.
pub(super) fn aim(direction: Direction) -> &'static str {
    match direction {
        Direction::Break => "the first bad version",
        Direction::Mend => "the first good version, since --good is the newer end",
    }
}

/// The run's folder, whole.
pub(super) fn within(keeper: &Keeper, dir: &str) -> Utf8PathBuf {
    keeper.dir.join(dir)
}
