//! `bisect`: the first version on which a scenario's verdict changes.
//!
//! What is to be done next follows from what has been written (`bisect::Search`), so a search that was interrupted or killed goes on
//! with `--resume`, and only the run that was under way then is made again.

mod begin;
mod differ;
mod here;
mod keep;
mod tell;
mod trial;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bisect::{Next, Refusal, Run, Verdict, Why};
use engine::{Stop, StopLevel};

use crate::cli::Bisect;
use crate::outcome::BadInput;
use crate::{provider, signals};
use keep::Keeper;
use trial::Ended;

pub(crate) fn run(args: &Bisect) -> Result<u8> {
    let settings = provider::settings(&args.sources)?;
    let mut keeper = match &args.resume {
        Some(dir) => Keeper::open(dir)?,
        None => match begin::begin(args, &settings)? {
            Some(keeper) => keeper,
            // A dry run.
            None => return Ok(events::exit::PASSED),
        },
    };
    let scenario = begin::scenario(&keeper.kept)?;
    let by_version = begin::has_steps_by_version(&scenario);
    let scenario = begin::as_for_the_good_end(&scenario, &keeper.kept.search);
    // Between runs as well: within a run, the run's own listener hears them too, and says so.
    let stop = Stop::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.context("start the runtime")?;
    runtime.block_on(async { signals::listen_quietly(&stop) }).context("listen for signals")?;
    say!("{}", tell::heading(&keeper.kept, &scenario));
    if by_version {
        let good = begin::good_end(&keeper.kept.search);
        say!("some of its steps are for some versions only: they are taken as for {good}, the good end, everywhere");
    }
    loop {
        let search = &keeper.kept.search;
        let (candidate, why) = match search.next() {
            Next::Run { candidate, why } => (candidate, why),
            Next::Refused(refusal) => return refuse(&keeper, &refusal),
            Next::Done(conclusion) => {
                let differences = differ::differences(&keeper.kept, &scenario, &conclusion, &settings);
                let report = tell::report(&keeper, &conclusion, &differences);
                keeper.write("report.txt", &report)?;
                keeper.write("result.json", &tell::json(&keeper, &conclusion, &differences))?;
                put!("\n{report}");
                say!("\nkept in {}", keeper.dir);
                return Ok(events::exit::PASSED);
            }
        };
        if stop.level() > StopLevel::Run {
            return Ok(interrupted(&keeper));
        }
        say!("\n{}", announce(&keeper, candidate, &why));
        let dir = keeper.run_dir(candidate)?;
        let ended = trial::run(&keeper.kept, candidate, &scenario, &args.sources, &dir, &keeper.dir)
            .with_context(|| format!("the search can go on: cargo xtask bisect --resume {}", keeper.dir))?;
        let Ended::Said { verdict, took } = ended else { return Ok(interrupted(&keeper)) };
        say!("{}", said(&verdict, took));
        keeper.add(Run { candidate, verdict, dir, took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX) })?;
    }
}

fn announce(keeper: &Keeper, candidate: usize, why: &Why) -> String {
    let search = &keeper.kept.search;
    let name = &search.candidates[candidate];
    let why = match why {
        Why::End => "an end".to_owned(),
        Why::Middle => "in the middle".to_owned(),
        Why::Again(why) => format!("again; {why}"),
    };
    let left = search.left().max(1);
    let runs = if left == 1 { "1 run".to_owned() } else { format!("{left} runs") };
    format!("run {}: {name} ({why}), about {runs} to go", search.runs.len() + 1)
}

fn said(verdict: &Verdict, took: Duration) -> String {
    let took = tell::span(took);
    match verdict {
        Verdict::Good => format!("  good, in {took}"),
        Verdict::Bad { what } => format!("  bad, in {took}: {what}"),
        Verdict::Infrastructure { why } => format!("  neither good nor bad, in {took}; infrastructure: {why}"),
    }
}

fn interrupted(keeper: &Keeper) -> u8 {
    say!("\ninterrupted; to go on: cargo xtask bisect --resume {}", keeper.dir);
    events::exit::INTERRUPTED
}

/// Ends that do not differ are bad input; an end that could not be tried is an error of the machine.
fn refuse(keeper: &Keeper, refusal: &Refusal) -> Result<u8> {
    let search = &keeper.kept.search;
    let name = |place: usize| search.candidates[place].to_string();
    match refusal {
        Refusal::End { candidate, named_good, what } => {
            let named = if *named_good { "good" } else { "bad" };
            let runs = search.runs.iter().filter(|run| run.candidate == *candidate).count();
            let text = format!(
                "there is nothing to search: --{named} {} is not {named}: {what} ({runs} runs, in {})",
                name(*candidate),
                keeper.dir
            );
            Err(BadInput(text).into())
        }
        Refusal::Untried { candidate, why } => {
            anyhow::bail!("{}, an end, cannot be tried here: {why} (runs in {})", name(*candidate), keeper.dir)
        }
    }
}

/// What all of this command's files pass on.
type Settings = Arc<cluster::Settings>;
