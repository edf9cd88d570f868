//! `catalogue`: the table of all scenarios, with what they were seen on.

use std::fmt::Write as _;

use anyhow::Result;
use events::ClusterKind;
use scenario::Scenario;

use crate::cli::{Catalogue, Selection};
use crate::generated::Generated;
use crate::versions::versions;
use crate::{project, select};

const HEAD: &str = "# The catalogue

One file per case: what it shows, where it comes from, and what must come of it with each version of Cilium. `seen on kind` names the versions
whose recordings of real clusters are in `tests/fidelity`; `cargo test` compares the simulated cluster with them. Where a version is missing
there, the outcome in the file is the model's, and no cluster has confirmed it yet.

This file is made by `cargo xtask catalogue --write`.
";

pub(crate) fn run(args: &Catalogue) -> Result<u8> {
    let read = select::read(&Selection { scenarios: Vec::new(), tag: Vec::new() })?;
    super::lint::refuse(&read.problems)?;
    let mut text = HEAD.to_owned();
    for (folder, scenarios) in select::by_folder(&read.scenarios) {
        let _ = write!(
            text,
            "\n## {folder}\n\n| scenario | what it shows | from | Cilium | seen on kind |\n|---|---|---|---|---|\n"
        );
        for one in scenarios {
            let from: Vec<String> = one.references.iter().map(|reference| link(reference)).collect();
            let file = format!("[{0}]({folder}/{0}.yaml)", one.name);
            let _ = writeln!(
                text,
                "| {file} | {} | {} | {} | {} |",
                cell(&one.summary),
                from.join(", "),
                cell(&one.cilium.versions.text),
                seen(one)
            );
        }
    }
    let generated = Generated {
        file: "scenarios/README.md",
        text,
        source: "the scenarios and their recordings",
        command: "cargo xtask catalogue --write",
    };
    generated.answer(args.check, args.write)
}

/// The proven versions with a recording, or why there are none.
fn seen(scenario: &Scenario) -> String {
    if !scenario.clusters.contains(&ClusterKind::Kind) {
        let why = scenario.clusters_reason.as_deref().unwrap_or("its file says so");
        return format!("on sim alone: {}", cell(why));
    }
    let recorded: Vec<String> = versions()
        .cilium
        .proven
        .iter()
        .map(ToString::to_string)
        .filter(|version| {
            project::short_root().join(format!("tests/fidelity/{version}/{}.json", scenario.name)).is_file()
        })
        .collect();
    if recorded.is_empty() { "-".to_owned() } else { recorded.join(", ") }
}

/// `cilium/cilium#23872` and addresses, as links.
fn link(reference: &str) -> String {
    match reference.split_once('#') {
        Some((repository, number)) if !reference.contains("://") => {
            format!("[{reference}](https://github.com/{repository}/issues/{number})")
        }
        _ => format!("<{reference}>"),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
