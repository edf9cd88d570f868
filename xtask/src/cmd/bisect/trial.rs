//! One run of one candidate, and what it says.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bisect::{Candidate, OnCluster, Verdict};
use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args as _, FromArgMatches as _};
use cluster::Use;
use events::{ClusterKind, Event, EventKind, Failure, Outcome, Phase};
use scenario::Scenario;

use super::here::Here;
use super::keep::{Keeper, Kept};
use crate::cli::{E2e, Sources};
use crate::cmd::e2e::{self, Host, Voice};
use crate::outcome::BadInput;
use crate::provider;

/// How a run ended.
pub(super) enum Trial {
    /// With a verdict, or none by the machine's fault.
    Said { verdict: Verdict, took: Duration, on: Option<OnCluster>, instead: Option<String> },
    /// By the user.
    Interrupted,
}

/// Where a run is made.
pub(super) struct At<'a> {
    /// What keeps clusters for later runs, if they are kept.
    pub(super) host: Option<&'a Host>,
    /// The run's folder.
    pub(super) dir: &'a Utf8Path,
}

/// Runs a candidate. An error is one of this command or of the whole machine, which says nothing about any version.
pub(super) fn run(
    kept: &Kept,
    place: usize,
    scenario: &Arc<Scenario>,
    sources: &Sources,
    at: &At<'_>,
) -> Result<Trial> {
    let candidate = &kept.search.candidates[place];
    let args = args(kept, candidate, sources, at.dir)?;
    let scenario = with_images(scenario, candidate, sources)?;
    let plan = engine::plan(&scenario, &candidate.version, kept.cluster, kept.timeout_scale)
        .map_err(|error| BadInput(error.to_string()))?;
    // A simulated run is over before it could be read.
    let voice = if kept.cluster == ClusterKind::Sim { Voice::Silent } else { Voice::Aloud };
    let began = tokio::time::Instant::now();
    e2e::carry_out_here(&args, &[plan], voice, at.host)?;
    let took = began.elapsed();
    let told = Told::read(at.dir)?;
    let verdict = match told.outcome {
        // Where a known bug should have shown itself and has not, the version is good as well.
        Outcome::Passed | Outcome::Xpassed | Outcome::Tolerated => Verdict::Good,
        // A failure in the way that is on record: the bug is there.
        Outcome::Failed | Outcome::Xfailed => Verdict::Bad { what: told.what() },
        Outcome::Error => Verdict::Infrastructure { why: told.message() },
        Outcome::Skipped => Verdict::Infrastructure { why: "it was skipped".to_owned() },
        Outcome::Interrupted => return Ok(Trial::Interrupted),
    };
    let (reused, instead) = match at.host.and_then(Host::last_use) {
        Some(Use::Reused { .. }) => (true, None),
        Some(Use::New { instead }) => (false, instead),
        None => (false, None),
    };
    // A cluster of somebody else is neither new nor handed on.
    let on = (kept.cluster != ClusterKind::Existing).then_some(OnCluster { reused, up_ms: told.up_ms });
    Ok(Trial::Said { verdict, took, on, instead })
}

/// What `e2e` would be told.
pub(super) fn e2e_args(flags: &[&str], sources: &Sources) -> Result<E2e> {
    let command = E2e::augment_args(clap::Command::new("e2e"));
    let line = ["e2e"].into_iter().chain(flags.iter().copied());
    let mut args = E2e::from_arg_matches(&command.try_get_matches_from(line)?)?;
    args.sources = sources.clone();
    Ok(args)
}

pub(super) fn args(kept: &Kept, candidate: &Candidate, sources: &Sources, dir: &Utf8Path) -> Result<E2e> {
    let (version, scale) = (candidate.version.to_string(), kept.timeout_scale.to_string());
    let flags = ["--cluster", kept.cluster.as_str(), "--cilium", version.as_str(), "--timeout-scale", scale.as_str()];
    let mut args = e2e_args(&flags, sources)?;
    args.context.clone_from(&kept.context);
    args.sim.seed = kept.seed;
    args.sim.faults.clone_from(&kept.faults);
    args.report_dir = Some(dir.to_owned());
    Ok(args)
}

/// The scenario, installed with the candidate's own images where it has any.
pub(super) fn with_images(scenario: &Arc<Scenario>, candidate: &Candidate, sources: &Sources) -> Result<Arc<Scenario>> {
    if candidate.tag.is_none() {
        return Ok(scenario.clone());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let here = runtime.block_on(Here::look(provider::settings(sources)?));
    let values = here.values(candidate);
    anyhow::ensure!(!values.is_empty(), "the images of {candidate} are no longer in Docker");
    let mut scenario = (**scenario).clone();
    cilium::values::merge(&mut scenario.cilium.values, &values);
    Ok(Arc::new(scenario))
}

/// What a run's recording says of its one scenario.
pub(super) struct Told {
    pub(super) outcome: Outcome,
    pub(super) failure: Option<Failure>,
    /// Where evidence is.
    pub(super) evidence: Option<Utf8PathBuf>,
    /// How long it took until the first step.
    up_ms: u64,
    titles: Vec<String>,
}

impl Told {
    pub(super) fn of(keeper: &Keeper, dir: &str) -> Result<Self> {
        Self::read(&super::begin::within(keeper, dir))
    }

    fn read(dir: &Utf8Path) -> Result<Self> {
        let path = dir.join(report::ndjson::FILE_NAME);
        let recording = report::ndjson::read(&path).with_context(|| format!("read {path}"))?;
        Self::fold(&recording.events).with_context(|| format!("{path}: the run did not end"))
    }

    fn fold(events: &[Event]) -> Option<Self> {
        let (mut outcome, mut failure, mut evidence, mut up_ms, mut titles) = (None, None, None, 0, Vec::new());
        for event in events {
            match &event.kind {
                EventKind::ScenarioStarted { steps, .. } => {
                    titles = steps.iter().map(|step| step.title.clone()).collect();
                }
                EventKind::PhaseEnded { phase: Phase::Create | Phase::Install, took_ms } => up_ms += took_ms,
                EventKind::Failed { failure: why } => failure = Some(why.clone()),
                EventKind::Evidence { dir, .. } => evidence = Some(Utf8PathBuf::from(dir)),
                EventKind::ScenarioEnded { outcome: how, .. } => outcome = Some(*how),
                _ => {}
            }
        }
        Some(Self { outcome: outcome?, failure, evidence, up_ms, titles })
    }

    /// What failed, in words that are the same wherever the same fails: no names, no addresses, no times.
    fn what(&self) -> String {
        let Some(failure) = &self.failure else { return "no reason was told".to_owned() };
        let title = failure.step.and_then(|step| self.titles.get(step)).map_or("installation", String::as_str);
        let fields: BTreeSet<&str> = failure.mismatches.iter().map(|mismatch| mismatch.field.as_str()).collect();
        match fields.is_empty() {
            true => title.to_owned(),
            false => format!("{title} [{}]", fields.into_iter().collect::<Vec<_>>().join(", ")),
        }
    }

    fn message(&self) -> String {
        self.failure.as_ref().map_or_else(|| "no reason was told".to_owned(), |failure| failure.message.clone())
    }
}
