//! Running cells: so many hands, each taking the next one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use camino::Utf8Path;
use cluster::{KindProvider, Provider};
use engine::{Emitter, Plan, Stop, StopLevel};
use events::{ClusterKind, Event};
use matrix::{Attempt, Cell, CellResult, Column, MatrixPlan, Status, fold, may_retry, until_done};
use report::text::duration;
use report::{AtEnd, Console, Format, Reporter, RunSummary, ndjson};
use sim::SimProvider;
use tokio::time::Instant;

use super::files;
use crate::cli::E2e;
use crate::cmd::e2e;
use crate::provider::Chosen;

/// A column with what its runs need.
pub(super) struct Ready {
    pub(super) column: Column,
    pub(super) args: E2e,
    pub(super) chosen: Chosen,
}

/// Everything that the hands share.
pub(super) struct Work<'a> {
    pub(super) plan: &'a MatrixPlan,
    /// The engine's plan of each cell.
    pub(super) plans: &'a [Plan],
    pub(super) columns: &'a [Ready],
    /// Cells to be reported, in the plan's order.
    pub(super) mine: &'a [usize],
    /// What each cell of the plan will probably take.
    pub(super) estimates: &'a [u64],
    pub(super) dir: &'a Utf8Path,
    /// Id of this run: part of the names of clusters.
    pub(super) run: &'a str,
    pub(super) jobs: usize,
    pub(super) retries: usize,
    pub(super) fail_fast: bool,
    pub(super) resumed: bool,
    pub(super) stop: &'a Stop,
}

#[derive(Default)]
struct Shared {
    results: Vec<(usize, CellResult)>,
    red: BTreeSet<Column>,
    /// Cells that are still to be run or running.
    left: BTreeSet<usize>,
    total: usize,
}

/// Runs what is not left out; answers the results in the plan's order.
pub(super) fn run(work: &Work<'_>) -> Result<Vec<CellResult>> {
    let mut shared = Shared::default();
    let mut queue = Vec::new();
    for index in work.mine {
        let cell = &work.plan.cells[*index];
        let done = match &cell.skip {
            Some(why) => Some(fold(cell, Vec::new(), Some((Status::Skipped, why.clone())))),
            None if work.resumed => files::finished(work.dir, cell),
            None => None,
        };
        match done {
            Some(result) => shared.results.push((*index, result)),
            None => queue.push(*index),
        }
    }
    let known = shared.results.iter().filter(|(_, result)| !result.attempts.is_empty());
    if work.resumed {
        say!("{} cells have a verdict already", known.clone().count());
    }
    for (_, result) in known {
        if result.status.is_red() {
            shared.red.insert(result.column.clone());
        }
    }
    let lengths: Vec<u64> = queue.iter().map(|index| work.estimates[*index]).collect();
    let queue: Vec<usize> = matrix::order(&lengths).into_iter().map(|at| queue[at]).collect();
    shared.left = queue.iter().copied().collect();
    shared.total = queue.len();
    let shared = Mutex::new(shared);
    let next = AtomicUsize::new(0);
    let hand = || -> Result<()> {
        while let Some(index) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = one(work, *index, &shared)?;
            finished(work, *index, result, &shared)?;
        }
        Ok(())
    };
    let hands = work.jobs.clamp(1, queue.len().max(1));
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..hands).map(|_| scope.spawn(hand)).collect();
        hands
            .into_iter()
            .try_for_each(|hand| hand.join().map_err(|_| anyhow::anyhow!("a thread of the matrix panicked"))?)
    })?;
    let mut results = shared.into_inner().unwrap_or_else(PoisonError::into_inner).results;
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// Runs a cell until it has a verdict or may not be run again.
fn one(work: &Work<'_>, index: usize, shared: &Mutex<Shared>) -> Result<CellResult> {
    let cell = &work.plan.cells[index];
    let red = || shared.lock().unwrap_or_else(PoisonError::into_inner).red.contains(&cell.column);
    if work.stop.level() > StopLevel::Run {
        return Ok(fold(cell, Vec::new(), None));
    }
    if work.fail_fast && red() {
        let why = "an earlier cell of this column failed (--fail-fast)".to_owned();
        return Ok(fold(cell, Vec::new(), Some((Status::Skipped, why))));
    }
    let ready = work.columns.iter().find(|ready| ready.column == cell.column).context("a column without a cluster")?;
    if ready.chosen.kind != ClusterKind::Sim {
        say!("   start  {}  (about {})", cell.key(), duration(work.estimates[index]));
    }
    let mut attempts = Vec::new();
    loop {
        let began = Instant::now();
        let attempt = match attempt(work, ready, index, attempts.len() + 1, began) {
            Ok(attempt) => attempt,
            Err(error) => Attempt::error(&format!("{error:#}"), millis(began.elapsed())),
        };
        attempts.push(attempt);
        if !may_retry(&attempts, work.retries) || work.stop.level() > StopLevel::Run {
            return Ok(fold(cell, attempts, None));
        }
        let why = attempts.last().and_then(|attempt| attempt.reason.clone()).unwrap_or_default();
        say!("   again  {}: {why}", cell.key());
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// One run, in a folder of its own, which is read like any other run's.
fn attempt(work: &Work<'_>, ready: &Ready, index: usize, number: usize, began: Instant) -> Result<Attempt> {
    let cell = &work.plan.cells[index];
    let beneath = match number {
        1 => format!("cells/{}", cell.key()),
        more => format!("cells/{}-run{more}", cell.key()),
    };
    let dir = work.dir.join(&beneath);
    if dir.exists() {
        fs_err::remove_dir_all(&dir).with_context(|| format!("remove folder {dir}"))?;
    }
    e2e::private_dir(&dir)?;
    let simulated = ready.chosen.kind == ClusterKind::Sim;
    let runtime = if simulated {
        sim::runtime(true)
    } else {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
    };
    let runtime = runtime.context("start the runtime")?;
    // Two clusters of one run must not have one name.
    let run = format!("{}{index:x}", work.run);
    let heard = Arc::new(Mutex::new(Vec::<Event>::new()));
    let reporter = Arc::new(Mutex::new(reporter(cell, &dir, simulated)?));
    let (sink, telling) = (heard.clone(), reporter.clone());
    runtime.block_on(async {
        let emitter = Emitter::new(Box::new(move |event| {
            telling.lock().unwrap_or_else(PoisonError::into_inner).event(event);
            sink.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        }));
        let provider: Box<dyn Provider> = if simulated {
            Box::new(SimProvider::new(ready.chosen.sim.clone()))
        } else {
            Box::new(KindProvider::new(ready.chosen.settings()))
        };
        let options = e2e::options(&ready.args, &ready.chosen, &run, &dir, ready.chosen.sim.seed);
        let plan = std::slice::from_ref(&work.plans[index]);
        engine::run(plan, &*provider, &options, &emitter, work.stop, events::exit::code).await
    });
    e2e::end(runtime);
    if let Some(reporter) = Arc::into_inner(reporter) {
        let finished = reporter.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
        for error in finished.err().into_iter().flatten() {
            eprintln!("warning: {}: {error}", cell.key());
        }
    }
    let heard = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
    if simulated {
        ndjson::write(&dir.join(ndjson::FILE_NAME), &heard).context("write events.ndjson")?;
    }
    Ok(Attempt::of(&RunSummary::from_events(&heard), millis(began.elapsed()), Some(beneath)))
}

/// A real run is recorded as it goes, with the log that `e2e` would print. A simulated one is over before anybody could look.
fn reporter(cell: &Cell, dir: &Utf8Path, simulated: bool) -> Result<Reporter> {
    if simulated {
        return Ok(Reporter::new());
    }
    let recorder = ndjson::Recorder::create(&dir.join(ndjson::FILE_NAME)).context("create events.ndjson")?;
    let log =
        fs_err::File::create(dir.join("console.log")).with_context(|| format!("create the log of {}", cell.key()))?;
    let mut reporter = Reporter::new().with(recorder).with(Console::plain(log, false));
    for format in Format::ALL {
        reporter = reporter.with(AtEnd::new(format, dir.join(format.file_name())));
    }
    Ok(reporter)
}

/// Keeps a result and says how far it is.
fn finished(work: &Work<'_>, index: usize, result: CellResult, shared: &Mutex<Shared>) -> Result<()> {
    let cell = &work.plan.cells[index];
    files::keep(work.dir, cell, &result)?;
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    shared.left.remove(&index);
    if result.status.is_red() {
        shared.red.insert(result.column.clone());
    }
    let (done, total) = (shared.total - shared.left.len(), shared.total);
    let left: Vec<u64> = shared.left.iter().map(|index| work.estimates[*index]).collect();
    let simulated = work.plan.cluster == ClusterKind::Sim;
    // On sim only what is worth a look: the rest is done before it is read.
    if !simulated || !result.status.is_good() {
        let reason = result.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let to_go =
            if left.is_empty() { String::new() } else { format!(", {} left", duration(until_done(&left, work.jobs))) };
        let took = duration(result.took_ms);
        say!("{done:>4}/{total}  {:<14}  {} in {took}{to_go}{reason}", result.status.as_str(), cell.key());
    }
    shared.results.push((index, result));
    Ok(())
}
