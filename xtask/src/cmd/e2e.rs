//! `e2e`.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use camino::Utf8Path;
use engine::{Emitter, Keep, Plan, RunOptions, Stop};
use report::{AtEnd, Console, Format, Look, Reporter, Surroundings, ndjson};
use scenario::Severity;

use crate::cli::{E2e, KeepChoice};
use crate::outcome::BadInput;
use crate::{project, provider, select, signals};

pub(crate) fn run(args: E2e) -> Result<u8> {
    let read = select::read(&args.selection)?;
    super::lint::complain(&read.problems);
    let errors = read.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    if errors > 0 {
        return Err(BadInput(format!("{errors} errors in scenario files; no cluster was touched")).into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start the runtime")?;
    let code = runtime.block_on(go(args, &read.scenarios));
    // What still runs (readers of a dead connection) must not hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    code
}

async fn go(args: E2e, scenarios: &[Arc<scenario::Scenario>]) -> Result<u8> {
    let chosen = provider::choose(&args)?;
    let plans = scenarios
        .iter()
        .map(|scenario| {
            engine::plan(scenario, &args.cilium, chosen.kind, args.timeout_scale)
                .map_err(|error| BadInput(error.to_string()).into())
        })
        .collect::<Result<Vec<Plan>>>()?;
    if args.dry_run {
        print_plans(&plans, &args, &chosen.why);
        return Ok(events::exit::PASSED);
    }
    let run = project::run_id();
    let dir = args.report_dir.clone().unwrap_or_else(|| project::short_root().join("target/e2e").join(&run));
    private_dir(&dir)?;
    // Before anything is made: what earlier runs left, and what is missing here.
    let provider = chosen.prepare(&args, &plans).await?;

    let options = RunOptions {
        run: run.clone(),
        dir: dir.clone(),
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
        seed: None,
        notice: None,
    };
    let reporter = Arc::new(Mutex::new(reporter(&dir)?));
    let sink = reporter.clone();
    let emitter = Emitter::new(Box::new(move |event| {
        sink.lock().unwrap_or_else(PoisonError::into_inner).event(event);
    }));
    let stop = Stop::default();
    signals::listen(&stop).context("listen for signals")?;
    let code = engine::run(&plans, &*provider, &options, &emitter, &stop, events::exit::code).await;
    drop(emitter);
    if let Some(reporter) = Arc::into_inner(reporter) {
        let reporter = reporter.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Err(errors) = reporter.finish() {
            for error in errors {
                eprintln!("warning: {error}");
            }
        }
    }
    println!("reports: {dir}");
    Ok(code)
}

fn reporter(dir: &Utf8Path) -> Result<Reporter> {
    let look = Look::suiting(&Surroundings::of_stdout());
    let recorder = ndjson::Recorder::create(&dir.join(ndjson::FILE_NAME)).context("create events.ndjson")?;
    let mut reporter = Reporter::new().with(recorder).with(Console::stdout(look));
    for format in Format::ALL {
        reporter = reporter.with(AtEnd::new(format, dir.join(format.file_name())));
    }
    Ok(reporter)
}

fn private_dir(dir: &Utf8Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).with_context(|| format!("create folder {dir}"))
}

fn print_plans(plans: &[Plan], args: &E2e, why: &str) {
    println!("cluster: {why}");
    println!("Cilium:  {}", args.cilium);
    for plan in plans {
        println!("\n{}  ({})", plan.scenario.name, plan.scenario.source.path);
        println!("  {}", plan.scenario.summary);
        if let Some(skip) = &plan.skip {
            println!("  skipped: {skip}");
            continue;
        }
        for (index, step) in plan.steps.iter().enumerate() {
            let seconds = step.within.as_secs();
            match &step.skip {
                Some(why) => println!("  {:>2}. {} [skipped: {why}]", index + 1, step.title),
                None => println!("  {:>2}. {} [within {seconds}s]", index + 1, step.title),
            }
        }
    }
}
