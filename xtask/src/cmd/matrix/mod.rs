//! `matrix`: scenarios × versions. What is run, in which order, and what it came to is `crates/matrix`; here is the rim.

mod args;
mod cells;
pub(crate) mod files;
mod refuse;
mod times;

use anyhow::{Context, Result};
use clap::{Args as _, FromArgMatches as _};
use cluster::Sweep;
use engine::{Plan, Stop};
use events::ClusterKind;
use matrix::{Cell, Column, FORMAT, MatrixPlan, MatrixResult, github, until_done};
use report::text::duration;
use semver::Version;
use tokio::time::Instant;

use crate::cli::{ClusterChoice, E2e};
use crate::outcome::BadInput;
use crate::versions::{self, versions};
use crate::{project, provider, select, signals};
use cells::{Ready, Work};

use args::Emit;
pub(crate) use args::{Matrix, Merge, Report, ReportWhat};

pub(crate) fn run(args: &Matrix) -> Result<u8> {
    if args.cluster == ClusterChoice::Existing {
        return Err(BadInput("a matrix makes its own clusters: --cluster kind or sim".to_owned()).into());
    }
    let mut selection = args.selection.clone();
    selection.scenarios.extend(args.scenario.iter().cloned());
    let read = select::read(&selection)?;
    super::lint::refuse(&read.problems)?;
    let baseline = args.baseline.as_deref().map(files::read).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.context("start the runtime")?;

    let columns = columns(args, &runtime)?;
    let kind = columns.first().context("there is no column")?.chosen.kind;
    let weights = times::weights()?;
    let mut pairs = Vec::new();
    for scenario in &read.scenarios {
        for ready in &columns {
            let plan = engine::plan(scenario, &ready.column.cilium, kind, args.timeout_scale);
            let plan = plan.map_err(|error| BadInput(error.to_string()))?;
            pairs.push((cell(&weights, kind, ready, &plan), plan));
        }
    }
    pairs.sort_by(|(a, _), (b, _)| (&a.scenario, &a.column).cmp(&(&b.scenario, &b.column)));
    let (cells, plans): (Vec<Cell>, Vec<Plan>) = pairs.into_iter().unzip();
    let plan =
        MatrixPlan::new(kind, (kind == ClusterKind::Sim).then(|| args.seed.unwrap_or_default()), options(args), cells);
    if let Some(Emit::Github) = args.emit {
        let count = args.shards.map_or_else(|| github::shards(&plan), usize::from);
        say!("{}", github::matrix(&plan, count));
        return Ok(events::exit::PASSED);
    }
    let mine: Vec<usize> = match args.shard {
        Some(shard) => shard.of(&plan.cells),
        None => (0..plan.cells.len()).collect(),
    };
    let measured = times::measured();
    let estimate = |cell: &Cell| measured.of(kind, &cell.scenario, &cell.column.cilium).unwrap_or(cell.weight_ms);
    let estimates: Vec<u64> = plan.cells.iter().map(estimate).collect();
    let jobs = args.jobs.map_or_else(|| if kind == ClusterKind::Sim { processors() } else { 1 }, usize::from);
    tell_plan(&plan, &mine, &estimates, jobs, &columns[0], args.dry_run);
    if args.dry_run {
        return Ok(events::exit::PASSED);
    }
    if kind == ClusterKind::Kind {
        let of = |index: &usize| columns.iter().find(|ready| ready.column == plan.cells[*index].column);
        let needed: Vec<(&Ready, &Plan)> = mine.iter().filter_map(|index| Some((of(index)?, &plans[*index]))).collect();
        runtime.block_on(refuse::refuse(&columns, &needed, args.pull))?;
        runtime.block_on(sweep(&columns[0]))?;
    }
    let dir = files::dir(args.resume.as_deref().or(args.report_dir.as_deref()))?;
    files::begin(&dir, &plan, args.resume.is_some())?;
    crate::cmd::e2e::private_dir(&dir.join("cells"))?;
    let stop = Stop::default();
    runtime.block_on(async { signals::listen(&stop) }).context("listen for signals")?;
    let began = Instant::now();
    let done = cells::run(&Work {
        plan: &plan,
        plans: &plans,
        columns: &columns,
        mine: &mine,
        estimates: &estimates,
        dir: &dir,
        run: &project::run_id(),
        jobs,
        retries: usize::from(args.retries),
        fail_fast: args.fail_fast,
        resumed: args.resume.is_some(),
        stop: &stop,
    })?;
    let result = MatrixResult {
        format: FORMAT,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        plan_id: plan.id(),
        plan,
        shard: args.shard,
        notice: (kind == ClusterKind::Sim).then(|| sim::NOTICE.to_owned()),
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        cells: done,
    };
    crate::cmd::e2e::end(runtime);
    let changes = baseline.map(|before| matrix::changes(&before, &result, args.slower));
    let code = files::tell(&dir, &result, changes.as_ref())?;
    if args.update_weights {
        say!("written: {}", times::update_weights(&result)?);
    }
    Ok(code)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// Removes what killed runs left, once and before the first cluster.
async fn sweep(ready: &Ready) -> Result<()> {
    let swept = cluster::clean(ready.chosen.settings(), Sweep::Remnants).await?;
    for name in &swept.removed {
        say!("removed what an earlier run left: {name}");
    }
    for error in &swept.failed {
        eprintln!("warning: {error}");
    }
    Ok(())
}

fn cell(weights: &matrix::Times, kind: ClusterKind, ready: &Ready, plan: &Plan) -> Cell {
    let mut skip = plan.skip.clone();
    if let (None, Some(kubernetes)) = (&skip, &ready.column.kubernetes)
        && !versions().supports(&plan.version, kubernetes)
    {
        skip = Some(format!("Cilium {} is not run with Kubernetes {kubernetes} (kind/versions.yaml)", plan.version));
    }
    Cell {
        scenario: plan.scenario.name.clone(),
        column: ready.column.clone(),
        skip,
        digest: MatrixPlan::digest(&plan.scenario.source.text),
        weight_ms: times::weight(weights, kind, plan),
    }
}

/// What else changes what a run shows.
fn options(args: &Matrix) -> Vec<String> {
    let mut options = Vec::new();
    if args.settle {
        options.push("--settle".to_owned());
    }
    if args.defer_xpass {
        options.push("--defer-xpass".to_owned());
    }
    #[expect(clippy::float_cmp, reason = "1 is what is there where nobody said anything")]
    if args.timeout_scale != 1.0 {
        options.push(format!("--timeout-scale {}", args.timeout_scale));
    }
    options.extend(args.faults.iter().map(|fault| format!("--fault {fault}")));
    options
}

/// Every column, with the kind of cluster that was chosen for all.
fn columns(args: &Matrix, runtime: &tokio::runtime::Runtime) -> Result<Vec<Ready>> {
    let mut asked = versions::all(&args.cilium);
    if asked.is_empty() {
        asked.clone_from(&versions().cilium.proven);
    }
    let kubernetes: Vec<Option<&Version>> =
        if args.kubernetes.is_empty() { vec![None] } else { args.kubernetes.iter().map(Some).collect() };
    let mut columns: Vec<Ready> = Vec::new();
    for cilium in &asked {
        for kubernetes in &kubernetes {
            let e2e = e2e_args(args, cilium, *kubernetes)?;
            let chosen = runtime.block_on(provider::choose(&e2e))?;
            if chosen.kind == ClusterKind::Sim {
                let known = cilium.to_string().parse::<ipam::Release>();
                known.map_err(|error: ipam::UnknownRelease| BadInput(error.to_string()))?;
                if kubernetes.is_some() {
                    let text = "--kubernetes is for kind: simulated clusters are of one version of Kubernetes";
                    return Err(BadInput(text.to_owned()).into());
                }
            }
            let column = Column { cilium: cilium.clone(), kubernetes: kubernetes.cloned() };
            columns.push(Ready { column, args: e2e, chosen });
        }
    }
    Ok(columns)
}

/// What `e2e` would be told for a cell of a column.
fn e2e_args(args: &Matrix, cilium: &Version, kubernetes: Option<&Version>) -> Result<E2e> {
    let cluster = match args.cluster {
        ClusterChoice::Auto => "auto",
        ClusterChoice::Kind => "kind",
        ClusterChoice::Existing => "existing",
        ClusterChoice::Sim => "sim",
    };
    let mut line = vec!["e2e".to_owned(), "--cluster".to_owned(), cluster.to_owned()];
    line.extend(["--cilium".to_owned(), cilium.to_string()]);
    line.extend(["--timeout-scale".to_owned(), args.timeout_scale.to_string()]);
    line.extend(args.seed.iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]));
    line.extend(args.faults.iter().flat_map(|fault| ["--fault".to_owned(), fault.clone()]));
    line.extend(args.settle.then(|| "--settle".to_owned()));
    line.extend(args.defer_xpass.then(|| "--defer-xpass".to_owned()));
    let command = E2e::augment_args(clap::Command::new("e2e"));
    let mut e2e = E2e::from_arg_matches(&command.try_get_matches_from(line)?)?;
    e2e.sources = args.sources.clone();
    if let Some(kubernetes) = kubernetes {
        e2e.sources.node_image = versions().kubernetes.node_images.get(kubernetes).cloned();
    }
    Ok(e2e)
}

/// How much there is to do, and, for a dry run, everything in the order in which it is begun.
fn tell_plan(plan: &MatrixPlan, mine: &[usize], estimates: &[u64], jobs: usize, first: &Ready, all: bool) {
    let run: Vec<usize> = mine.iter().copied().filter(|index| plan.cells[*index].skip.is_none()).collect();
    let lengths: Vec<u64> = run.iter().map(|index| estimates[*index]).collect();
    let skipped = mine.len() - run.len();
    say!(
        "{} cells on {} ({}), {skipped} skipped, {jobs} side by side, about {}; plan {}",
        mine.len(),
        plan.cluster,
        first.chosen.why,
        duration(until_done(&lengths, jobs)),
        plan.id()
    );
    if !all {
        return;
    }
    for at in matrix::order(&lengths) {
        say!("{:>8}  {}", duration(lengths[at]), plan.cells[run[at]].key());
    }
    for cell in mine.iter().map(|index| &plan.cells[*index]) {
        if let Some(why) = &cell.skip {
            say!("{:>8}  {}: {why}", "skipped", cell.key());
        }
    }
}
