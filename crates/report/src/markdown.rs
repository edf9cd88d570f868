//! `summary.md`: a table and the failures, for a CI job's summary page.

use std::fmt::Write;

use events::Outcome;

use crate::RunSummary;
use crate::render::{self, Context, counts, failure};
use crate::summary::ScenarioSummary;
use crate::text::{count, duration, one_line, plain_text};

/// Text of failures that is shown in all, in bytes: GitHub refuses a job summary of more than 1 MiB.
const FAILURES_SHOWN: usize = 512 * 1024;

pub(crate) fn render(summary: &RunSummary) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "## cilium-ipam-e2e: {}\n", counts(&summary.tally));
    if let Some(run) = &summary.run {
        let facts = format!("Cilium {} on {} ({}), run {}", run.cilium, run.cluster, run.why, run.id);
        let seed = run.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
        let _ = writeln!(text, "{}, {}\n", escaped(&(facts + &seed)), duration(summary.took_ms));
    }
    if let Some(notice) = summary.notice() {
        let _ = writeln!(text, "> **{}**\n", escaped(notice));
    }
    if summary.cut_off {
        let _ = writeln!(text, "> The run was cut off: there are no events of its end.\n");
    }
    if !summary.scenarios.is_empty() {
        table(&mut text, &summary.scenarios);
    }
    let stays = summary.scenarios.iter().filter_map(|scenario| scenario.kept.as_ref());
    let stays = stays.map(|kept| format!("{} stays, {}; to remove it: {}", kept.cluster, kept.reason, kept.remove));
    let differs = summary.scenarios.iter().flat_map(model_notes);
    let notes: Vec<_> = summary.remarks.iter().cloned().chain(stays).chain(differs).collect();
    for note in &notes {
        let _ = writeln!(text, "- {}", escaped(note));
    }
    if !notes.is_empty() {
        text.push('\n');
    }
    failures(&mut text, summary);
    text
}

/// What the model says otherwise, and where it says nothing: what is as it says needs no note.
fn model_notes(scenario: &ScenarioSummary) -> Vec<String> {
    let Some(model) = &scenario.model else { return Vec::new() };
    let name = &scenario.name;
    let silent = model.silent.iter().map(|why| format!("{name}: the model: {why}"));
    let differences = model.differences.iter().map(|one| format!("{name}: the model differs: {one}"));
    differences.chain(silent).collect()
}

fn table(text: &mut String, scenarios: &[ScenarioSummary]) {
    text.push_str("| scenario | outcome | time | reason |\n|---|---|--:|---|\n");
    for scenario in scenarios {
        let reason = render::reason(scenario).map(|reason| escaped(&reason)).unwrap_or_default();
        let (name, outcome) = (escaped(&scenario.name), scenario.outcome.as_str());
        let time = if scenario.file.is_some() { duration(scenario.took_ms) } else { "-".to_owned() };
        let _ = match scenario.outcome {
            Outcome::Passed | Outcome::Skipped | Outcome::Xfailed => {
                writeln!(text, "| {name} | {outcome} | {time} | {reason} |")
            }
            Outcome::Failed | Outcome::Error | Outcome::Interrupted | Outcome::Xpassed | Outcome::Tolerated => {
                writeln!(text, "| {name} | **{outcome}** | {time} | {reason} |")
            }
        };
    }
    text.push('\n');
}

fn failures(text: &mut String, summary: &RunSummary) {
    let mut blocks: Vec<(&str, String)> = Vec::new();
    for recorded in &summary.failures {
        blocks.push(("run", plain_text(&failure(Context::default(), recorded))));
    }
    for scenario in &summary.scenarios {
        let context = Context { scenario: Some(&scenario.name), steps: &scenario.steps, evidence: &scenario.evidence };
        let parts: Vec<_> = scenario.failures().map(|recorded| plain_text(&failure(context, recorded))).collect();
        if !parts.is_empty() {
            blocks.push((&scenario.name, parts.join("\n")));
        }
    }
    let mut left = FAILURES_SHOWN;
    for (index, (name, block)) in blocks.iter().enumerate() {
        if block.len() > left {
            let more = blocks.len() - index;
            let _ = writeln!(text, "{} did not fit here: see summary.json.\n", count(more, "further failure"));
            return;
        }
        left -= block.len();
        let fence = fence(block);
        let name = escaped(name);
        let _ = writeln!(text, "<details><summary>{name}</summary>\n\n{fence}text\n{block}{fence}\n\n</details>\n");
    }
}

/// Text that Markdown and HTML show as it is.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' => {
                escaped.push('\\');
                escaped.push(c);
            }
            // Would notify whoever has that name, or link to an issue of the repository that shows the summary.
            '@' => escaped.push_str("&#64;"),
            '#' => escaped.push_str("&#35;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A fence that is longer than any row of backticks in the text.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}
