//! `bisect`: the first version on which a scenario's verdict changes.
//!
//! What is to be done next follows from what has been written (`bisect::Search`), so a search that was interrupted or killed goes on
//! with `--resume`, and only the run that was under way then is made again.

mod begin;
mod differ;
mod here;
mod keep;
mod reuse;
mod tell;
mod trial;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bisect::{Conclusion, Next, OnCluster, Refusal, Run, Verdict, Why};
use engine::{Stop, StopLevel};
use scenario::Scenario;

use crate::cli::Bisect;
use crate::cmd::e2e::Host;
use crate::outcome::BadInput;
use crate::{provider, signals};
use keep::Keeper;
use trial::{At, Trial};

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
    let host = reuse::host(&keeper.kept, args.fresh, &scenario, &args.sources, &keeper.dir)?;
    if let Err(why) = &host {
        say!("each run gets a new cluster: {why}");
    }
    let host = host.ok();
    let ended = search(&mut keeper, &scenario, args, host.as_ref(), &stop);
    // However it ended, the last cluster goes.
    let closed = host.map_or(Ok(()), |host| {
        let closed = host.close(&stop);
        host.end();
        closed
    });
    if let (Err(_), Err(left)) = (&ended, &closed) {
        // The first error is what the command ends with.
        eprintln!("warning: {left:#}");
    }
    let code = match ended? {
        Ended::Interrupted => interrupted(&keeper),
        Ended::Refused(refusal) => refuse(&keeper, &refusal)?,
        Ended::Done(conclusion) => {
            let differences = differ::differences(&keeper.kept, &scenario, &conclusion, &settings);
            let report = tell::report(&keeper, &conclusion, &differences);
            keeper.write("report.txt", &report)?;
            keeper.write("result.json", &tell::json(&keeper, &conclusion, &differences))?;
            put!("\n{report}");
            say!("\nkept in {}", keeper.dir);
            events::exit::PASSED
        }
    };
    closed.map(|()| code)
}

/// How a search ended.
enum Ended {
    Done(Conclusion),
    Refused(Refusal),
    Interrupted,
}

/// Makes one run after another until there is none to make.
fn search(
    keeper: &mut Keeper,
    scenario: &Arc<Scenario>,
    args: &Bisect,
    host: Option<&Host>,
    stop: &Stop,
) -> Result<Ended> {
    loop {
        let (candidate, why) = match keeper.kept.search.next() {
            Next::Run { candidate, why } => (candidate, why),
            Next::Refused(refusal) => return Ok(Ended::Refused(refusal)),
            Next::Done(conclusion) => return Ok(Ended::Done(conclusion)),
        };
        if stop.level() > StopLevel::Run {
            return Ok(Ended::Interrupted);
        }
        say!("\n{}", announce(keeper, candidate, &why));
        let go_on = || format!("the search can go on: cargo xtask bisect --resume {}", keeper.dir);
        if let Some(host) = host.filter(|_| !why.may_reuse()) {
            host.close(stop).with_context(go_on)?;
        }
        let dir = keeper.run_dir(candidate)?;
        let at = At { host, dir: &keeper.dir.join(&dir) };
        let run = trial::run(&keeper.kept, candidate, scenario, &args.sources, &at).with_context(go_on)?;
        let Trial::Said { verdict, took, on, instead } = run else { return Ok(Ended::Interrupted) };
        if let Some(why) = instead {
            say!("  a new cluster: {why}");
        }
        say!("{}", said(&verdict, took, on));
        let sound = reuse::is_sound(&verdict);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        keeper.add(Run { candidate, verdict, dir, took_ms, cluster: on })?;
        if let Some(host) = host.filter(|_| !sound) {
            host.close(stop)?;
        }
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

fn said(verdict: &Verdict, took: Duration, on: Option<OnCluster>) -> String {
    let reused = on.is_some_and(|cluster| cluster.reused);
    let took = format!("{}{}", tell::span(took), if reused { " on a reused cluster" } else { "" });
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
