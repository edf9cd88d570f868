//! A scenario as one shell script that runs without this project: bash, kind, helm, kubectl and jq are enough.
//!
//! The script is a fixed part, which is the same for all scenarios and has files of its own, and calls of its functions, one for each
//! step. The fixed part lists and watches the API from the first second and keeps every version of every object; checks are data, judged
//! by jq definitions that mirror the engine's checks, at every single version where a check says `holds` or `never`.

mod cel;
mod checks;
mod quote;
mod steps;
mod version;

use std::fmt::Write as _;

use camino::Utf8PathBuf;
use engine::recipe;
use events::ClusterKind;
use scenario::Scenario;
use semver::Version;
use serde_json::{Value, json};

use quote::{comment, document, flat, word};

/// The shell's part that is the same in every script.
pub const PRELUDE: &str = include_str!("prelude/prelude.sh");
/// The definitions for jq: addresses, the recorded world, checks.
pub const DEFINITIONS: [&str; 3] =
    [include_str!("prelude/address.jq"), include_str!("prelude/world.jq"), include_str!("prelude/checks.jq")];

/// What a script takes where its environment does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// Cilium's version.
    pub cilium: Version,
    /// kind's node image.
    pub node_image: String,
    /// Helm repository of Cilium's chart.
    pub chart_repo: String,
}

/// A script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its text.
    pub text: String,
    /// Checks that it does not have, in words.
    pub left_out: Vec<String>,
}

/// A scenario that no script can stand for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} cannot be put into a script: {why}")]
pub struct NoScript {
    /// Line of the scenario; 1 for the whole of it.
    pub line: usize,
    /// Why.
    pub why: String,
}

/// Makes the script.
///
/// # Errors
/// A scenario that is not for real clusters.
pub fn script(scenario: &Scenario, defaults: &Defaults) -> Result<Script, NoScript> {
    if !scenario.clusters.contains(&ClusterKind::Kind) {
        let why = scenario.clusters_reason.as_deref().unwrap_or("its file says so");
        return Err(NoScript { line: 1, why: format!("the scenario is not for kind: {why}") });
    }
    let values = recipe::values(scenario);
    let mut writer = steps::Writer { scenario, values: values.clone(), cel: cel::Translated, left_out: Vec::new() };
    let steps = scenario
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| writer.step(index, step))
        .collect::<Result<String, _>>()?;

    let mut text = head(scenario, defaults);
    text.push_str("IFS= read -r -d '' JQ <<'DEFINITIONS' || true\n");
    for (index, part) in DEFINITIONS.iter().enumerate() {
        if index == 2 {
            let _ = writeln!(text, "{}", writer.cel.definition());
        }
        text.push_str(part);
    }
    text.push_str("DEFINITIONS\n\n");
    text.push_str(PRELUDE);
    text.push_str(&rule("The scenario."));
    let _ = write!(
        text,
        "\nbegin\n{} || usage {}\n",
        version::condition(&scenario.cilium.versions),
        word(&format!("the scenario is for Cilium {}", flat(&scenario.cilium.versions.text)))
    );
    let spec = recipe::cluster(scenario, &defaults.cilium, "repro", Utf8PathBuf::new(), 1.0);
    let _ = write!(
        text,
        "\ncreate_cluster {} {}",
        scenario.cluster.workers,
        document("KIND", &format!("{:#}", cluster::kind_config(&spec)))
    );
    let images: Vec<String> = scenario.workloads.values().map(|workload| word(&workload.image)).collect();
    let _ = write!(
        text,
        "\nload_images \"quay.io/cilium/cilium:v$CILIUM_VERSION\" \"quay.io/cilium/operator-generic:v$CILIUM_VERSION\" \\\n  \"quay.io/cilium/hubble-relay:v$CILIUM_VERSION\""
    );
    let mut known = std::collections::BTreeSet::new();
    for image in images.into_iter().filter(|image| known.insert(image.clone())) {
        let _ = write!(text, " {image}");
    }
    let _ = write!(
        text,
        "\n\ninstall {} {}",
        scenario.cilium.ready,
        document("VALUES", &format!("{:#}", Value::Object(values)))
    );
    text.push_str(&steps);
    text.push_str("\npassed\n");
    Ok(Script { text, left_out: writer.left_out })
}

fn rule(title: &str) -> String {
    format!("\n# ---- {title} {}\n", "-".repeat(120_usize.saturating_sub(title.len())))
}

fn head(scenario: &Scenario, defaults: &Defaults) -> String {
    // Single quotes hold jq's variables, and functions are called from traps and by name.
    let mut text = String::from("#!/usr/bin/env bash\n# shellcheck disable=SC2016,SC2317\n");
    text.push_str(&comment(&format!("{}: {}", scenario.name, scenario.summary)));
    for reference in &scenario.references {
        text.push_str(&comment(reference));
    }
    let workloads: serde_json::Map<String, Value> =
        scenario.workloads.iter().map(|(name, workload)| (name.clone(), json!(workload.namespace))).collect();
    let _ = write!(
        text,
        "#\n\
         # Makes a kind cluster, installs Cilium, carries out the steps, checks, and removes the cluster. It needs bash 5, kind, helm, kubectl\n\
         # and jq; kind needs Docker. Exit code 0: every check held, 1: one did not, 3: the machine got in the way.\n\
         #\n\
         #   CILIUM_VERSION={version} KEEP=1 bash repro.sh\n\
         #\n\
         set -Eeuo pipefail\n\
         shopt -s inherit_errexit\n\
         # Cilium's version; images that Docker has are loaded into the nodes, others are pulled by them.\n\
         CILIUM_VERSION=${{CILIUM_VERSION:-{version}}}\n\
         # kind's node image.\n\
         NODE_IMAGE=${{NODE_IMAGE:-{node_image}}}\n\
         # The chart's name in a repository, or its path.\n\
         CHART=${{CHART:-cilium}}\n\
         if [ \"$CHART\" = cilium ]; then CHART_REPO=${{CHART_REPO:-{chart_repo}}}; else CHART_REPO=${{CHART_REPO:-}}; fi\n\
         # The cluster's name.\n\
         CLUSTER=${{CLUSTER:-repro}}\n\
         # 1: the cluster stays.\n\
         KEEP=${{KEEP:-0}}\n\
         # A whole number by which every deadline is longer, for slow machines.\n\
         TIMEOUT_SCALE=${{TIMEOUT_SCALE:-1}}\n\
         # STATE_DIR: where everything that was seen is kept. Default: a new folder.\n\
         # Namespaces of the workloads.\n\
         WORKLOADS={workloads}\n\
         # For jq: addresses, the recorded world, checks.\n",
        version = defaults.cilium,
        node_image = word(&defaults.node_image),
        chart_repo = word(&defaults.chart_repo),
        workloads = word(&Value::Object(workloads).to_string()),
    );
    text
}

#[cfg(test)]
mod tests;
