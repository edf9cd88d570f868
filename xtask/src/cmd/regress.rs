//! `regress`: known bugs, version by version.

use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Parser as _, ValueEnum as _};
use events::{EventKind, Outcome, exit};
use repro::{Issue, Reproduction, is_regression, issues};
use scenario::Scenario;
use semver::Version;

use crate::cli::{Cli, Command, Regress, Selection};
use crate::outcome::{BadInput, NothingSelected};
use crate::versions::{self, versions};
use crate::{project, select};

pub(crate) fn run(args: &Regress) -> Result<u8> {
    let wanted = args.issue.as_deref().map(Issue::parse).transpose().map_err(BadInput)?;
    let read = select::read(&Selection { scenarios: Vec::new(), tag: Vec::new() })?;
    super::lint::refuse(&read.problems)?;
    let all: Vec<Arc<Scenario>> = read.scenarios.into_iter().filter(|scenario| is_regression(scenario)).collect();
    let chosen: Vec<Arc<Scenario>> = match &wanted {
        None => all.clone(),
        Some(issue) => all.iter().filter(|scenario| issues(scenario).contains(issue)).cloned().collect(),
    };
    if chosen.is_empty() {
        let mut known: Vec<String> =
            all.iter().flat_map(|scenario| issues(scenario)).map(|issue| issue.to_string()).collect();
        known.sort();
        known.dedup();
        let what = wanted.map_or_else(
            || "no scenario is a regression's".to_owned(),
            |issue| format!("no regression is about {issue}"),
        );
        return Err(NothingSelected(format!(
            "{what}; there are {}. `cargo xtask new --from-issue NUMBER` begins one",
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        ))
        .into());
    }
    let wanted = versions::all(&args.cilium);
    let wanted = if wanted.is_empty() { versions().cilium.proven.clone() } else { wanted };
    let dir = project::short_root().join("target/e2e").join(format!("regress-{}", project::run_id()));
    let mut table: Vec<(String, Version, Reproduction)> = Vec::new();
    for version in &wanted {
        let report = dir.join(version.to_string());
        let cluster = args.cluster.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let (text, scale) = (version.to_string(), args.timeout_scale.to_string());
        // The same command line as that of `e2e`, with its defaults.
        let line = [
            "xtask",
            "e2e",
            "--cluster",
            &cluster,
            "--cilium",
            &text,
            "--timeout-scale",
            &scale,
            "--report-dir",
            report.as_str(),
        ];
        let cli = Cli::try_parse_from(line).map_err(|error| BadInput(error.to_string()))?;
        let Command::E2e(e2e) = cli.command else { return Err(BadInput("e2e takes no such line".to_owned()).into()) };
        let code = super::e2e::these(e2e, &chosen)?;
        let recording =
            report::ndjson::read(&report.join(report::ndjson::FILE_NAME)).context("read what the run recorded")?;
        for scenario in &chosen {
            let outcome = recording.events.iter().find_map(|event| match &event.kind {
                EventKind::ScenarioEnded { outcome, .. } if event.scenario.as_ref() == Some(&scenario.name) => {
                    Some(*outcome)
                }
                _ => None,
            });
            let outcome = outcome.unwrap_or(Outcome::Interrupted);
            table.push((scenario.name.clone(), version.clone(), Reproduction::of(scenario, version, outcome)));
        }
        if code == exit::INTERRUPTED {
            break;
        }
    }
    say!("");
    for scenario in &chosen {
        let about: Vec<String> = issues(scenario).iter().map(ToString::to_string).collect();
        say!("{} ({})", scenario.name, about.join(", "));
        for (_, version, reproduction) in table.iter().filter(|(name, ..)| *name == scenario.name) {
            say!("  {}", reproduction.on(version));
        }
    }
    let any = |wanted: fn(Reproduction) -> bool| table.iter().any(|(_, _, reproduction)| wanted(*reproduction));
    Ok(if any(|one| matches!(one, Reproduction::Missing | Reproduction::Otherwise)) {
        exit::FAILED
    } else if any(|one| one == Reproduction::Nothing) {
        exit::ERROR
    } else {
        exit::PASSED
    })
}
