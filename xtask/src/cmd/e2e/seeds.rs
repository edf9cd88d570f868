//! `e2e --seeds N`: the same scenarios under many orders of everything that real life leaves open. One that depends on luck shows itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use camino::Utf8Path;
use engine::{Plan, Stop, StopLevel};
use events::{Event, EventKind, Tally};
use serde_json::json;

use super::{end, run_dir, simulated};
use crate::cli::E2e;
use crate::provider::Chosen;
use crate::signals;

/// What came of one seed.
struct Seeded {
    seed: u64,
    tally: Tally,
    /// Scenarios that did not pass: name and reason.
    bad: Vec<(String, String)>,
}

pub(super) fn run(args: &E2e, chosen: &Chosen, plans: &[Plan], count: u64) -> Result<u8> {
    let began = tokio::time::Instant::now();
    let (_, dir) = run_dir(args)?;
    let stop = Stop::default();
    let listener = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let listener = listener.context("start the runtime")?;
    listener.block_on(async { signals::listen(&stop) }).context("listen for signals")?;

    let next = AtomicU64::new(0);
    let all: Mutex<Vec<Seeded>> = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count || stop.level() > StopLevel::Run {
                return Ok(());
            }
            let seeded = one(args, chosen, plans, seed, &dir, &stop)?;
            for (name, reason) in &seeded.bad {
                say!("seed {seed}  {name}: {reason}");
            }
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(seeded);
            if all.len().is_multiple_of(50) {
                say!("{} of {count} seeds", all.len());
            }
        }
    };
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..simulated::processors()).map(|_| scope.spawn(work)).collect();
        hands
            .into_iter()
            .try_for_each(|hand| hand.join().map_err(|_| anyhow::anyhow!("a thread of the run panicked"))?)
    })?;
    end(listener);

    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.sort_by_key(|seeded| seeded.seed);
    let mut tally = Tally::default();
    for seeded in &all {
        tally.join(&seeded.tally);
    }
    let bad: Vec<_> = all
        .iter()
        .flat_map(|seeded| {
            seeded.bad.iter().map(|(name, reason)| json!({"seed": seeded.seed, "scenario": name, "reason": reason}))
        })
        .collect();
    let summary = json!({
        "cilium": args.cilium.to_string(),
        "notice": sim::NOTICE,
        "seeds": all.len(),
        "scenarios": plans.iter().map(|plan| &plan.scenario.name).collect::<Vec<_>>(),
        "passed": tally.passed,
        "skipped": tally.skipped,
        "notPassed": bad,
    });
    fs_err::write(dir.join("seeds.json"), format!("{summary:#}\n")).context("write the summary")?;
    say!(
        "{} seeds of {count}, {} scenarios each: {} in {:.1} s ({})",
        all.len(),
        plans.len(),
        report::counts(&tally),
        began.elapsed().as_secs_f64(),
        sim::NOTICE
    );
    if let Some(first) = all.iter().find_map(|seeded| Some((seeded.seed, &seeded.bad.first()?.0))) {
        let (seed, name) = first;
        say!("again: cargo xtask e2e {name} --cluster sim --cilium {} --seed {seed}", args.cilium);
    }
    say!("reports: {dir}");
    Ok(events::exit::code(&tally))
}

/// Runs everything under one seed. Only a seed under which something did not pass leaves its events.
fn one(args: &E2e, chosen: &Chosen, plans: &[Plan], seed: u64, dir: &Utf8Path, stop: &Stop) -> Result<Seeded> {
    let dir = dir.join(format!("seed{seed}"));
    let mut heard = Vec::new();
    let mut tell = |event: &Event| heard.push(event.clone());
    simulated::run(args, chosen, plans, (seed, &dir), stop, (1, None), &mut tell)?;
    let mut seeded = Seeded { seed, tally: Tally::default(), bad: Vec::new() };
    let mut reason = None;
    for event in &heard {
        match &event.kind {
            EventKind::Failed { failure } => reason = Some(failure.message.clone()),
            EventKind::ScenarioEnded { outcome, .. } => {
                seeded.tally.add(*outcome);
                let reason = reason.take();
                if !outcome.is_good() {
                    let name = event.scenario.clone().unwrap_or_default();
                    seeded.bad.push((name, reason.unwrap_or_else(|| outcome.as_str().to_owned())));
                }
            }
            _ => {}
        }
    }
    if seeded.bad.is_empty() {
        fs_err::remove_dir_all(&dir).with_context(|| format!("remove folder {dir}"))?;
    } else {
        let path = dir.join(report::ndjson::FILE_NAME);
        report::ndjson::write(&path, &heard).context("write events.ndjson")?;
    }
    Ok(seeded)
}
