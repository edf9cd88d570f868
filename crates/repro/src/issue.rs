//! The text of an issue: what, versions, steps, expected, observed, history.

use std::fmt::Write as _;

use events::{Change, EventKind, FailureClass, Outcome};
use scenario::Scenario;
use semver::Version;
use serde_json::Value;

use crate::Observed;
use crate::script::{Defaults, Script};

/// How many changes the text shows; all are in the archive.
const CHANGES: usize = 40;
/// How many lines of the operator's log the text shows.
const LINES: usize = 20;

/// The text, before anything is taken out of it.
pub(crate) fn text(
    scenario: &Scenario,
    version: &Version,
    defaults: &Defaults,
    script: &Script,
    observed: Option<&Observed>,
) -> String {
    let mut text = format!("# {}\n\n", scenario.summary);
    if let Some((_, _, Some(notice))) = observed.and_then(Observed::circumstances) {
        let _ = writeln!(text, "> **{notice}.** Run it on kind before you report it.\n");
    }
    let _ = writeln!(text, "Scenario `{}` on Cilium {version}.", scenario.name);
    if !scenario.references.is_empty() {
        let _ = writeln!(text, "See also: {}.", scenario.references.join(", "));
    }
    versions(&mut text, version, defaults, observed);
    steps(&mut text, scenario, version, script);
    match observed {
        None => {
            text.push_str("\n## Expected\n\nEvery check of the scenario holds:\n\n");
            checks(&mut text, scenario, version);
            text.push_str("\n## Observed\n\nNothing was recorded yet: run the script and put its output here.\n");
        }
        Some(observed) => seen(&mut text, scenario, version, observed),
    }
    text.push_str(
        "\n## In this archive\n\n| file | what |\n|---|---|\n| `repro.sh` | the reproducer: bash 5, kind, helm, kubectl and jq are enough |\n\
         | `scenario.yaml` | what it was made from |\n| `values.json`, `kind.json` | Helm's values and kind's configuration, as the script has them |\n",
    );
    if observed.is_some() {
        text.push_str("| `observed/` | every version of every object that was watched, the run's events, logs, what the agents said |\n");
    }
    text.push_str("\nNames, addresses and credentials of the machine that this comes from were taken out.\n");
    text
}

fn versions(text: &mut String, version: &Version, defaults: &Defaults, observed: Option<&Observed>) {
    let _ = write!(text, "\n## Versions\n\n| | |\n|---|---|\n| Cilium | {version}, its Helm chart |\n");
    let nodes = observed.and_then(|observed| observed.files.get("objects/Node.json"));
    let info = nodes
        .and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok())
        .map(|nodes| nodes[0]["status"]["nodeInfo"].clone());
    match info {
        Some(info) => {
            for (name, field) in [
                ("Kubernetes", "kubeletVersion"),
                ("container runtime", "containerRuntimeVersion"),
                ("kernel", "kernelVersion"),
                ("node image's system", "osImage"),
                ("architecture", "architecture"),
            ] {
                if let Some(value) = info[field].as_str() {
                    let _ = writeln!(text, "| {name} | {} |", cell(value));
                }
            }
        }
        None => {
            let _ = writeln!(text, "| node image | {} |", cell(&defaults.node_image));
        }
    }
    if let Some((_, cluster, _)) = observed.and_then(Observed::circumstances) {
        let _ = writeln!(text, "| cluster | {cluster} |");
    }
}

fn steps(text: &mut String, scenario: &Scenario, version: &Version, script: &Script) {
    let _ = write!(
        text,
        "\n## Steps\n\n```sh\nCILIUM_VERSION={version} bash repro.sh\n```\n\nIt makes a kind cluster of one control-plane node and {} workers, installs \
         Cilium, and then:\n\n",
        scenario.cluster.workers
    );
    for (number, step) in scenario.steps.iter().enumerate() {
        let skipped = step.versions.as_ref().filter(|range| !range.contains(version));
        let note = skipped.map(|range| format!(" *(skipped: for Cilium {range})*")).unwrap_or_default();
        let _ = writeln!(text, "{}. {}{note}", number + 1, one_line(&step.title()));
    }
    text.push_str("\nExit code 0: every check held. 1: one did not. 3: the machine got in the way, which says nothing about Cilium.\n");
    if !script.left_out.is_empty() {
        text.push_str("\nNot in the script, since it has no words for it:\n\n");
        for check in &script.left_out {
            let _ = writeln!(text, "- {}", one_line(check));
        }
    }
}

fn checks(text: &mut String, scenario: &Scenario, version: &Version) {
    for step in &scenario.steps {
        if step.versions.as_ref().is_some_and(|range| !range.contains(version)) {
            continue;
        }
        if matches!(step.action, scenario::model::Action::Expect(_)) {
            let _ = writeln!(text, "- {}", one_line(&step.title()));
        }
    }
}

fn seen(text: &mut String, scenario: &Scenario, version: &Version, observed: &Observed) {
    let failure = observed.failure();
    match (observed.outcome(), failure) {
        (Some(Outcome::Passed), _) => {
            text.push_str("\n## Expected and observed\n\nEvery check held:\n\n");
            checks(text, scenario, version);
        }
        (_, Some(failure)) => {
            let step = failure.step.and_then(|index| scenario.steps.get(index));
            text.push_str("\n## Expected and observed\n\n");
            match failure.class {
                FailureClass::Product | FailureClass::Unexpected => {}
                FailureClass::Infrastructure | FailureClass::Input | FailureClass::Interrupted => {
                    text.push_str("**The machine got in the way: this says nothing about Cilium.**\n\n");
                }
            }
            if let Some(known) = &failure.known {
                let _ = writeln!(text, "Known: {}.\n", one_line(known));
            }
            if let (Some(index), Some(step)) = (failure.step, step) {
                let _ = writeln!(text, "Step {}, {}:\n", index + 1, one_line(&step.title()));
            }
            let _ = writeln!(text, "{}\n", one_line(&failure.message));
            if !failure.mismatches.is_empty() {
                text.push_str("| object | field | expected | observed |\n|---|---|---|---|\n");
                for one in &failure.mismatches {
                    let _ = writeln!(
                        text,
                        "| {} | {} | {} | {} |",
                        cell(&one.object),
                        cell(&one.field),
                        cell(&one.expected),
                        cell(&one.observed)
                    );
                }
            }
        }
        _ => text.push_str("\n## Observed\n\nThe run was not brought to its end.\n"),
    }
    history(text, observed);
    log(text, observed);
}

/// Changes of the objects in question, or of every CiliumNode where there are none.
fn history(text: &mut String, observed: &Observed) {
    let objects: Vec<&str> = observed
        .failure()
        .map(|failure| failure.mismatches.iter().map(|one| one.object.as_str()).collect())
        .unwrap_or_default();
    let about = |change: &Change| {
        change.object.starts_with("CiliumNode/")
            || change.object.starts_with("ConfigMap/")
            || objects.iter().any(|object| *object == change.object)
    };
    let mut lines: Vec<String> = Vec::new();
    for event in &observed.events {
        match &event.kind {
            EventKind::StepStarted { index } => {
                lines.push(format!("{:>8.1} s  -- step {}", seconds(event.at_ms), index + 1))
            }
            EventKind::Changed { change } if about(change) => {
                lines.push(format!("{:>8.1} s  {}  {}", seconds(change.at_ms), change.object, one_line(&change.what)));
            }
            EventKind::Gap { watched, .. } => {
                lines.push(format!("{:>8.1} s  (changes of {watched} may be missing here)", seconds(event.at_ms)));
            }
            _ => {}
        }
    }
    // Steps in which nothing happened say nothing.
    let marks = |line: &str| line.contains("  -- step ");
    let kept: Vec<&String> = (0..lines.len())
        .filter(|i| !marks(&lines[*i]) || lines.get(i + 1).is_some_and(|next| !marks(next)))
        .map(|i| &lines[i])
        .collect();
    if kept.is_empty() {
        return;
    }
    let shown = &kept[kept.len().saturating_sub(CHANGES)..];
    let _ = write!(
        text,
        "\n## History\n\nAs the API server told it; the last {} of {} lines.\n\n```text\n",
        shown.len(),
        kept.len()
    );
    for line in shown {
        let _ = writeln!(text, "{line}");
    }
    text.push_str("```\n");
}

fn log(text: &mut String, observed: &Observed) {
    let operator = observed.files.iter().find(|(path, _)| path.starts_with("logs/cilium-operator"));
    let Some((path, bytes)) = operator else { return };
    let log = String::from_utf8_lossy(bytes);
    let telling: Vec<&str> = log
        .lines()
        .filter(|line| {
            ["level=warn", "level=error", "level=fatal", "podCIDR", "CIDR"].iter().any(|word| line.contains(word))
        })
        .collect();
    if telling.is_empty() {
        return;
    }
    let shown = &telling[telling.len().saturating_sub(LINES)..];
    let _ = write!(
        text,
        "\n## Operator's log\n\nLines that warn or speak of CIDRs, the last {}; all of it is in `observed/{path}`.\n\n```text\n",
        shown.len()
    );
    for line in shown {
        let _ = writeln!(text, "{}", one_line(line).replace("```", "'''"));
    }
    text.push_str("```\n");
}

fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// In a table.
fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}
