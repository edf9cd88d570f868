//! `doctor`, also at the start of each run on kind.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result};
use cluster::Settings;
use cluster::doctor::{Finding, Level, Request, examine};
use engine::Plan;
use events::ClusterKind;
use semver::Version;

use crate::cli::{Doctor, Selection};
use crate::{provider, select};

pub(crate) fn run(args: &Doctor) -> Result<u8> {
    let settings = provider::settings(&args.sources)?;
    let read = select::read(&Selection { scenarios: Vec::new(), tag: Vec::new() })?;
    let plans: Vec<Plan> = read
        .scenarios
        .iter()
        .filter_map(|scenario| engine::plan(scenario, &args.cilium, ClusterKind::Kind, 1.0).ok())
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let findings = runtime.block_on(look(settings, &args.cilium, &plans));
    for finding in &findings {
        say!("{}", line(finding));
    }
    let errors = findings.iter().filter(|finding| finding.level == Level::Error).count();
    say!(
        "{}",
        match errors {
            0 => "ready for `cargo xtask e2e --cluster kind`".to_owned(),
            n => format!("{n} things to mend before `cargo xtask e2e --cluster kind`"),
        }
    );
    Ok(if errors == 0 { events::exit::PASSED } else { events::exit::ERROR })
}

/// Looks for everything that these plans need.
pub(crate) async fn look(settings: Arc<Settings>, version: &Version, plans: &[Plan]) -> Vec<Finding> {
    examine(settings, &request(version, plans)).await
}

/// What these plans need.
pub(crate) fn request<'a>(version: &Version, plans: impl IntoIterator<Item = &'a Plan>) -> Request {
    let mut images: BTreeSet<String> = cilium::values::images(&version.to_string()).into_iter().collect();
    let mut subnets = BTreeSet::new();
    let mut pools = BTreeSet::new();
    let mut nodes = 1;
    for plan in plans.into_iter().filter(|plan| plan.skip.is_none()) {
        let scenario = &plan.scenario;
        images.extend(scenario.workloads.values().map(|workload| workload.image.clone()));
        subnets.extend(scenario.cluster.pod_subnet.iter().map(|subnet| ("pod subnet".to_owned(), *subnet)));
        subnets.extend(scenario.cluster.service_subnet.iter().map(|subnet| ("service subnet".to_owned(), *subnet)));
        let ipam = &scenario.cilium.ipam;
        pools.extend(ipam.ipv4_pools.iter().map(|pool| (format!("pool of {}", scenario.name), *pool)));
        nodes = nodes.max(scenario.cluster.workers + 1);
    }
    Request {
        subnets: subnets.into_iter().collect(),
        pools: pools.into_iter().collect(),
        images: images.into_iter().collect(),
        cilium: Some(version.to_string()),
        nodes,
    }
}

/// Refuses a run when something that it needs is missing; warns of the rest.
pub(crate) fn refuse(findings: &[Finding]) -> Result<()> {
    for finding in findings.iter().filter(|finding| finding.level == Level::Warn) {
        eprintln!("{}", line(finding));
    }
    let errors: Vec<String> = findings.iter().filter(|finding| finding.level == Level::Error).map(line).collect();
    anyhow::ensure!(errors.is_empty(), "this machine is not ready for kind; nothing was made\n{}", errors.join("\n"));
    Ok(())
}

fn line(finding: &Finding) -> String {
    let word = match finding.level {
        Level::Ok => "ok  ",
        Level::Warn => "warn",
        Level::Error => "FAIL",
    };
    let fix = if finding.fix.is_empty() { String::new() } else { format!("\n        fix: {}", finding.fix) };
    format!("{word}  {}{fix}", finding.what)
}
