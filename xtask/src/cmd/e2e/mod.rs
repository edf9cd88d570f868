//! `e2e`.

mod host;
mod seeds;
mod simulated;

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use engine::{Emitter, Keep, Plan, RunOptions, Stop};
use events::{ClusterKind, Event};
use report::{AtEnd, Console, Format, Look, Reporter, Surroundings, ndjson};
use scenario::Scenario;
use tokio::runtime::{Builder, Runtime};

use crate::cli::{E2e, KeepChoice};
use crate::outcome::BadInput;
use crate::provider::{self, Chosen};
use crate::{project, select, signals};

pub(crate) use host::Host;

pub(crate) fn run(args: E2e) -> Result<u8> {
    let read = select::read(&args.selection)?;
    super::lint::refuse(&read.problems)?;
    these(args, &read.scenarios)
}

/// Runs these, wherever they come from.
pub(crate) fn these(args: E2e, scenarios: &[Arc<Scenario>]) -> Result<u8> {
    let threads = Builder::new_multi_thread().worker_threads(2).enable_all().build().context("start the runtime")?;
    let chosen = threads.block_on(provider::choose(&args))?;
    let plans = scenarios
        .iter()
        .map(|scenario| {
            engine::plan(scenario, &args.cilium, chosen.kind, args.timeout_scale)
                .map_err(|error| BadInput(error.to_string()).into())
        })
        .collect::<Result<Vec<Plan>>>()?;
    if args.dry_run {
        print_plans(&plans, &args, &chosen);
        return Ok(events::exit::PASSED);
    }
    let code = carry_out(&args, &chosen, &plans, &threads, Voice::Aloud, None);
    end(threads);
    code
}

/// Whether a run is told on the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    Aloud,
    Silent,
}

/// Runs these plans with everything that a run leaves in its folder. For commands that are made of runs, which may have their clusters
/// from a host.
pub(crate) fn carry_out_here(args: &E2e, plans: &[Plan], voice: Voice, host: Option<&Host>) -> Result<u8> {
    let threads = Builder::new_multi_thread().worker_threads(2).enable_all().build().context("start the runtime")?;
    let chosen = threads.block_on(provider::choose(args))?;
    let code = carry_out(args, &chosen, plans, &threads, voice, host);
    end(threads);
    code
}

fn carry_out(
    args: &E2e,
    chosen: &Chosen,
    plans: &[Plan],
    threads: &Runtime,
    voice: Voice,
    host: Option<&Host>,
) -> Result<u8> {
    if chosen.kind == ClusterKind::Sim {
        let _: ipam::Release =
            args.cilium.to_string().parse().map_err(|error: ipam::UnknownRelease| BadInput(error.to_string()))?;
    }
    if let Some(count) = args.sim.seeds {
        return seeds::run(args, chosen, plans, count);
    }
    match chosen.kind {
        ClusterKind::Sim => simulated(args, chosen, plans, threads, voice, host),
        // Connections to a cluster live in the runtime in which they were made.
        ClusterKind::Kind | ClusterKind::Existing => {
            host.map_or(threads, |host| &host.runtime).block_on(go(args, chosen, plans, voice, host))
        }
    }
}

/// Runs everything on simulated clusters and answers what was told, without a word on the terminal.
pub(crate) fn simulate(args: &E2e, plans: &[Plan]) -> Result<Vec<Event>> {
    let threads = Builder::new_multi_thread().worker_threads(1).enable_all().build().context("start the runtime")?;
    let chosen = threads.block_on(provider::choose(args))?;
    let stop = Stop::default();
    threads.block_on(async { signals::listen_quietly(&stop) }).context("listen for signals")?;
    // Runs need a folder; what they tell is in memory.
    let dir = project::short_root().join(format!("target/e2e/simulated-{}", std::process::id()));
    let mut heard = Vec::new();
    let mut tell = |event: &Event| heard.push(event.clone());
    let all = simulated::processors();
    let done = simulated::run(args, &chosen, plans, (chosen.sim.seed, &dir), &stop, (all, None), &mut tell);
    fs_err::remove_dir_all(&dir).with_context(|| format!("remove folder {dir}"))?;
    end(threads);
    done.map(|_| heard)
}

/// What still runs (readers of a dead connection) must not hold the process.
pub(crate) fn end(runtime: Runtime) {
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
}

async fn go(args: &E2e, chosen: &Chosen, plans: &[Plan], voice: Voice, host: Option<&Host>) -> Result<u8> {
    let (run, dir) = run_dir(args)?;
    // Before anything is made: what earlier runs left, and what is missing here.
    let provider = chosen.prepare(args, plans).await?;
    let reporter = Arc::new(Mutex::new(reporter(&dir, voice)?));
    let sink = reporter.clone();
    let emitter = Emitter::new(Box::new(move |event| {
        sink.lock().unwrap_or_else(PoisonError::into_inner).event(event);
    }));
    let stop = Stop::default();
    let _listening = signals::listen_meanwhile(&stop).context("listen for signals")?;
    let options = options(args, chosen, &run, &dir, chosen.sim.seed);
    let provider = host.map_or(&*provider, Host::provider);
    let code = engine::run(plans, provider, &options, &emitter, &stop, events::exit::code).await;
    drop(emitter);
    if let Some(reporter) = Arc::into_inner(reporter) {
        finish(reporter.into_inner().unwrap_or_else(PoisonError::into_inner), &dir, voice);
    }
    Ok(code)
}

/// The same on simulated clusters. `listener` hears signals: the runtimes of the scenarios come and go.
fn simulated(
    args: &E2e,
    chosen: &Chosen,
    plans: &[Plan],
    listener: &Runtime,
    voice: Voice,
    host: Option<&Host>,
) -> Result<u8> {
    let (_, dir) = run_dir(args)?;
    let stop = Stop::default();
    listener.block_on(async { signals::listen(&stop) }).context("listen for signals")?;
    let mut reporter = reporter(&dir, voice)?;
    let mut tell = |event: &Event| reporter.event(event);
    // What has one cluster at a time runs one scenario at a time.
    let threads = if host.is_some() { 1 } else { simulated::processors() };
    let code = simulated::run(args, chosen, plans, (chosen.sim.seed, &dir), &stop, (threads, host), &mut tell)?;
    finish(reporter, &dir, voice);
    Ok(code)
}

/// Writes what is written at the end, and says where everything is.
fn finish(reporter: Reporter, dir: &Utf8Path, voice: Voice) {
    if let Err(errors) = reporter.finish() {
        for error in errors {
            eprintln!("warning: {error}");
        }
    }
    if voice == Voice::Aloud {
        say!("reports: {dir}");
    }
}

/// An id for this run, and its folder, made.
fn run_dir(args: &E2e) -> Result<(String, Utf8PathBuf)> {
    let run = project::run_id();
    let default = || project::short_root().join("target/e2e").join(&run);
    let dir = args.report_dir.clone().unwrap_or_else(default);
    private_dir(&dir)?;
    Ok((run, dir))
}

pub(crate) fn options(args: &E2e, chosen: &Chosen, run: &str, dir: &Utf8Path, seed: u64) -> RunOptions {
    let simulated = chosen.kind == ClusterKind::Sim;
    RunOptions {
        // Two runs of one seed are the same run, to the byte.
        run: if simulated { format!("seed{seed}") } else { run.to_owned() },
        dir: dir.to_owned(),
        keep: match args.keep {
            KeepChoice::Never => Keep::Never,
            KeepChoice::OnFailure => Keep::OnFailure,
            KeepChoice::Always => Keep::Always,
        },
        fail_fast: args.fail_fast,
        timeout_scale: args.timeout_scale,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        why: chosen.why.clone(),
        cilium: args.cilium.clone(),
        seed: simulated.then_some(seed),
        notice: simulated.then(|| sim::NOTICE.to_owned()),
        settle: args.settle,
        defer_xpass: args.defer_xpass,
        // A real cluster's history is worth its megabytes; a simulated one can be had again.
        record: args.record || !simulated,
        model: !simulated || args.model_on_sim,
    }
}

fn reporter(dir: &Utf8Path, voice: Voice) -> Result<Reporter> {
    let look = Look::suiting(&Surroundings::of_stdout());
    let recorder = ndjson::Recorder::create(&dir.join(ndjson::FILE_NAME)).context("create events.ndjson")?;
    let mut reporter = Reporter::new().with(recorder);
    if voice == Voice::Aloud {
        reporter = reporter.with(Console::stdout(look));
    }
    for format in Format::ALL {
        reporter = reporter.with(AtEnd::new(format, dir.join(format.file_name())));
    }
    Ok(reporter)
}

pub(crate) fn private_dir(dir: &Utf8Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).with_context(|| format!("create folder {dir}"))
}

fn print_plans(plans: &[Plan], args: &E2e, chosen: &Chosen) {
    say!("cluster: {} ({})", chosen.kind, chosen.why);
    say!("Cilium:  {}", args.cilium);
    for plan in plans {
        say!("\n{}  ({})", plan.scenario.name, plan.scenario.source.path);
        say!("  {}", plan.scenario.summary);
        if let Some(skip) = &plan.skip {
            say!("  skipped: {skip}");
            continue;
        }
        for mark in plan.scenario.xfail.iter().filter(|mark| mark.versions.contains(&plan.version)) {
            let how = if mark.intermittent { "now and then" } else { "to fail" };
            say!("  known bug: {}: {} (expected {how}: `{}`)", mark.issue, mark.reason, mark.pattern);
        }
        for (index, step) in plan.steps.iter().enumerate() {
            let seconds = step.within.as_secs();
            match &step.skip {
                Some(why) => say!("  {:>2}. {} [skipped: {why}]", index + 1, step.title),
                None => say!("  {:>2}. {} [within {seconds}s]", index + 1, step.title),
            }
        }
    }
}
