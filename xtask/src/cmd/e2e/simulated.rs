//! Runs on simulated clusters. Each scenario has a runtime, and so a clock, of its own: what it tells is the same whatever else runs,
//! and several can run side by side.

use std::cmp::Reverse;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use anyhow::{Context, Result};
use camino::Utf8Path;
use cluster::Provider;
use engine::{Emitter, Plan, RunOptions, Stop};
use events::{Event, EventKind, Tally};
use sim::{SimOptions, SimProvider};
use tokio::runtime::Runtime;

use super::{Host, end, options, private_dir};
use crate::cli::E2e;
use crate::provider::Chosen;

/// How many scenarios run side by side: one for each processor.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Runs all plans under one seed and tells their events in the order of the plans; answers the exit code.
pub(super) fn run(
    args: &E2e,
    chosen: &Chosen,
    plans: &[Plan],
    (seed, dir): (u64, &Utf8Path),
    stop: &Stop,
    (threads, host): (usize, Option<&Host>),
    tell: &mut dyn FnMut(&Event),
) -> Result<u8> {
    private_dir(dir)?;
    // Whether a scenario is to be run can depend on the one before it.
    let threads = if args.fail_fast { 1 } else { threads.min(plans.len()) };
    let order = order(plans, args.fail_fast);
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(false);
    let (to, from) = mpsc::channel();
    let work = |to: mpsc::Sender<(usize, Result<Vec<Event>>)>| {
        loop {
            let Some(&at) = order.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            let mut plan = plans[at].clone();
            let mut any = failed.lock().unwrap_or_else(PoisonError::into_inner);
            if args.fail_fast && *any {
                plan.skip = Some("an earlier scenario did not pass (--fail-fast)".to_owned());
            }
            drop(any);
            let heard = one(args, chosen, &plan, (seed, dir), stop, host);
            any = failed.lock().unwrap_or_else(PoisonError::into_inner);
            *any |= heard.iter().flatten().any(did_not_pass);
            drop(any);
            if to.send((at, heard)).is_err() {
                return;
            }
        }
    };
    let mut run = Run { tell, seq: 0, tally: Tally::default(), took_ms: 0, plans };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let to = to.clone();
            scope.spawn(|| work(to));
        }
        drop(to);
        let mut early = std::collections::BTreeMap::new();
        let mut due = 0;
        for (at, heard) in from {
            early.insert(at, heard?);
            while let Some(events) = early.remove(&due) {
                run.scenario(events);
                due += 1;
            }
        }
        anyhow::ensure!(due == plans.len(), "the simulation of {} panicked", plans[due].scenario.name);
        Ok(run.end())
    })
}

/// In which order scenarios are run, whatever the order in which they are told: those with the most nodes first, so that none of them is
/// the last one to be waited for.
fn order(plans: &[Plan], in_turn: bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..plans.len()).collect();
    if !in_turn {
        order.sort_by_key(|at| Reverse(plans[*at].scenario.cluster.workers));
    }
    order
}

/// What one scenario tells.
fn one(
    args: &E2e,
    chosen: &Chosen,
    plan: &Plan,
    (seed, dir): (u64, &Utf8Path),
    stop: &Stop,
    host: Option<&Host>,
) -> Result<Vec<Event>> {
    if let Some(host) = host {
        return Ok(on(&host.runtime, host.provider(), plan, &options(args, chosen, "", dir, seed), stop));
    }
    let runtime = sim::runtime(true).context("start the runtime")?;
    let provider = SimProvider::new(SimOptions { seed, ..chosen.sim.clone() });
    let heard = on(&runtime, &provider, plan, &options(args, chosen, "", dir, seed), stop);
    end(runtime);
    Ok(heard)
}

fn on(runtime: &Runtime, provider: &dyn Provider, plan: &Plan, options: &RunOptions, stop: &Stop) -> Vec<Event> {
    let heard = Arc::new(Mutex::new(Vec::<Event>::new()));
    let sink = heard.clone();
    runtime.block_on(async {
        let emitter = Emitter::new(Box::new(move |event| {
            sink.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        }));
        engine::run(std::slice::from_ref(plan), provider, options, &emitter, stop, events::exit::code).await
    });
    std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner))
}

fn did_not_pass(event: &Event) -> bool {
    match &event.kind {
        EventKind::ScenarioEnded { outcome, .. } => !outcome.is_good(),
        _ => false,
    }
}

/// Makes one run's events of those of its scenarios.
struct Run<'a> {
    tell: &'a mut dyn FnMut(&Event),
    seq: u64,
    tally: Tally,
    took_ms: u64,
    plans: &'a [Plan],
}

impl Run<'_> {
    fn scenario(&mut self, events: Vec<Event>) {
        for mut event in events {
            match &mut event.kind {
                EventKind::RunStarted { .. } if self.seq > 0 => continue,
                EventKind::RunStarted { scenarios, .. } => {
                    *scenarios = self.plans.iter().map(|plan| plan.scenario.name.clone()).collect();
                }
                EventKind::RunEnded { tally, took_ms, .. } => {
                    self.tally.join(tally);
                    // Each by its own clock, which begins with it.
                    self.took_ms = self.took_ms.max(*took_ms);
                    continue;
                }
                _ => {}
            }
            self.emit(event);
        }
    }

    fn emit(&mut self, event: Event) {
        let event = Event { seq: self.seq, ..event };
        self.seq += 1;
        (self.tell)(&event);
    }

    fn end(mut self) -> u8 {
        let exit_code = events::exit::code(&self.tally);
        let kind = EventKind::RunEnded { tally: self.tally, exit_code, took_ms: self.took_ms };
        let wall = jiff::Timestamp::now();
        self.emit(Event { seq: 0, at_ms: self.took_ms, wall, scenario: None, kind });
        exit_code
    }
}
