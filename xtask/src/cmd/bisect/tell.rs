//! What a search says: its heading, its report.

use std::fmt::Write as _;
use std::time::Duration;

use bisect::{Candidate, Change, Conclusion, Direction, Run, Search, Standing, Verdict};
use events::ClusterKind;
use scenario::Scenario;
use serde_json::json;

use super::begin::{aim, within};
use super::differ::Differences;
use super::keep::{Keeper, Kept};
use super::trial::Told;
use crate::versions::versions;

/// Where Cilium's sources and releases are.
const CILIUM: &str = "https://github.com/cilium/cilium";

/// Lines of each kind of difference in the report; all are in the result file.
const LINES: usize = 20;

pub(super) fn heading(kept: &Kept, scenario: &Scenario) -> String {
    let search = &kept.search;
    let (count, left) = (search.candidates.len(), search.left());
    let ends = (&search.candidates[0], &search.candidates[count - 1]);
    let done = match search.runs.len() {
        0 => String::new(),
        n => format!("; {n} runs are known already"),
    };
    format!(
        "{}: {}\nlooking for {} from {} to {}: {count} versions, about {left} runs{done}",
        scenario.name,
        scenario.summary,
        aim(search.direction),
        ends.0,
        ends.1
    )
}

/// What was found, for people.
pub(super) fn report(keeper: &Keeper, conclusion: &Conclusion, differences: &Differences) -> String {
    let kept = &keeper.kept;
    let search = &kept.search;
    let name = |place: usize| search.candidates[place].to_string();
    let (first, last) = words(search.direction);
    let mut text = String::new();
    let (before, after) = (name(conclusion.before), name(conclusion.after));
    if conclusion.skipped.is_empty() {
        let _ = writeln!(text, "first {first} version: {after} (last {last}: {before})");
    } else {
        let open: Vec<String> = conclusion.skipped.iter().map(|place| name(*place)).collect();
        let _ =
            writeln!(text, "the first {first} version is one of {}, {after} (last {last}: {before})", open.join(", "));
        let _ = writeln!(text, "those before {after} could not be tried:");
        for place in &conclusion.skipped {
            if let Standing::Skipped { why } = search.standing(*place) {
                let _ = writeln!(text, "  {}: {why}", name(*place));
            }
        }
    }
    let untried = untried(kept, conclusion);
    if !untried.is_empty() {
        let _ = writeln!(text, "not among those tried, though between the two: {}", untried.join(", "));
    }
    if kept.cluster == ClusterKind::Sim {
        let _ = writeln!(text, "{}", sim::NOTICE);
    }
    runs(&mut text, kept);
    for place in [conclusion.before, conclusion.after] {
        side(&mut text, keeper, place);
    }
    let _ = writeln!(text, "\ndifferences from {before} to {after}, {}", differences.source);
    changes(&mut text, "cilium-config", &differences.config);
    changes(&mut text, "chart values", &differences.values);
    let _ = writeln!(text, "\nto read");
    for line in reading(&search.candidates[conclusion.before], &search.candidates[conclusion.after]) {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// Known versions between the two that were no candidates: the change may have come with one of them.
fn untried(kept: &Kept, conclusion: &Conclusion) -> Vec<String> {
    let candidates = &kept.search.candidates;
    let (before, after) = (&candidates[conclusion.before].version, &candidates[conclusion.after].version);
    let between = versions().all().filter(|version| version > before && version < after);
    let tried = |version: &semver::Version| candidates.iter().any(|one| one.version == *version && one.tag.is_none());
    between.filter(|version| !tried(version)).map(|version| version.to_string()).collect()
}

/// The same, for programs.
pub(super) fn json(keeper: &Keeper, conclusion: &Conclusion, differences: &Differences) -> String {
    let search = &keeper.kept.search;
    let name = |place: usize| search.candidates[place].to_string();
    let (first, _) = words(search.direction);
    let list = |changes: &Result<Vec<Change>, String>| match changes {
        Ok(changes) => json!(changes.iter().map(ToString::to_string).collect::<Vec<_>>()),
        Err(why) => json!({"unknown": why}),
    };
    let all = json!({
        "scenario": keeper.kept.scenario,
        "cluster": keeper.kept.cluster,
        "looksFor": format!("first {first}"),
        "before": name(conclusion.before),
        "first": name(conclusion.after),
        "orOneOf": conclusion.skipped.iter().map(|place| name(*place)).collect::<Vec<_>>(),
        "untried": untried(&keeper.kept, conclusion),
        "runs": search.runs.len(),
        "runsOnReusedClusters": search.runs.iter().filter(|run| run.on_reused()).count(),
        "ciliumConfig": list(&differences.config),
        "chartValues": list(&differences.values),
        "toRead": reading(&search.candidates[conclusion.before], &search.candidates[conclusion.after]),
    });
    format!("{all:#}\n")
}

/// The verdict that is looked for, and the one before it.
fn words(direction: Direction) -> (&'static str, &'static str) {
    match direction {
        Direction::Break => ("bad", "good"),
        Direction::Mend => ("good", "bad"),
    }
}

fn runs(text: &mut String, kept: &Kept) {
    let search = &kept.search;
    let total: u64 = search.runs.iter().map(|run| run.took_ms).sum();
    let _ = writeln!(
        text,
        "\n{} runs on {}, {} together",
        search.runs.len(),
        kept.cluster,
        span(Duration::from_millis(total))
    );
    let width = search.candidates.iter().map(|candidate| candidate.to_string().len()).max().unwrap_or(0);
    let hows: Vec<String> = search.runs.iter().map(how).collect();
    let wide = hows.iter().map(String::len).max().unwrap_or(0);
    for (run, how) in search.runs.iter().zip(&hows) {
        let name = search.candidates[run.candidate].to_string();
        let took = span(Duration::from_millis(run.took_ms));
        let verdict = match &run.verdict {
            Verdict::Good => "good".to_owned(),
            Verdict::Bad { what } => format!("bad: {what}"),
            Verdict::Infrastructure { why } => format!("neither: {why}"),
        };
        let gap = if wide == 0 { "" } else { "  " };
        let _ = writeln!(text, "  {name:width$}  {took:>7}{gap}{how:wide$}  {verdict}");
    }
    saved(text, search);
    for (place, candidate) in search.candidates.iter().enumerate() {
        if let Standing::Bad { note: Some(note) } = search.standing(place) {
            let _ = writeln!(text, "  {candidate}: {note}");
        }
    }
}

/// The cluster that a run had, where that is known: `reused, up in 31.0s`.
fn how(run: &Run) -> String {
    run.cluster.map_or_else(String::new, |cluster| {
        let what = if cluster.reused { "reused" } else { "new cluster" };
        format!("{what}, up in {}", span(Duration::from_millis(cluster.up_ms)))
    })
}

/// What it was worth that clusters were handed on: until the first step, against the run that each was made for.
fn saved(text: &mut String, search: &Search) {
    let (mut new, mut reused, mut difference) = (0, 0, 0_i64);
    for run in search.runs.iter().filter_map(|run| run.cluster) {
        let up = i64::try_from(run.up_ms).unwrap_or(i64::MAX);
        if run.reused {
            reused += 1;
            difference += new - up;
        } else {
            new = up;
        }
    }
    if reused > 0 {
        let by = span(Duration::from_millis(difference.unsigned_abs()));
        let word = if difference < 0 { "later" } else { "sooner" };
        let _ = writeln!(
            text,
            "  {reused} of {} on a reused cluster: first steps {by} {word} in all than on the new ones that they took over",
            search.runs.len()
        );
    }
}

/// The evidence of one side: of its last run that had a verdict.
fn side(text: &mut String, keeper: &Keeper, place: usize) {
    let search = &keeper.kept.search;
    let said = |verdict: &Verdict| !matches!(verdict, Verdict::Infrastructure { .. });
    // Of a version with runs of both kinds, the one that failed has something to show.
    let mut runs: Vec<_> = search.runs.iter().filter(|run| run.candidate == place && said(&run.verdict)).collect();
    runs.sort_by_key(|run| matches!(run.verdict, Verdict::Bad { .. }));
    let Some(run) = runs.last() else { return };
    let (name, dir) = (&search.candidates[place], within(keeper, &run.dir));
    let word = if run.verdict == Verdict::Good { "passed" } else { "failed" };
    let _ = writeln!(text, "\n{name} {word}: {dir}");
    if run.on_reused() {
        let _ = writeln!(text, "  on a cluster that another run had; --fresh gives each run a new one");
    }
    let failure = match Told::of(keeper, &run.dir) {
        Ok(told) => {
            if let Some(evidence) = &told.evidence {
                let _ = writeln!(text, "  evidence: {evidence}");
            }
            told.failure
        }
        Err(error) => {
            let _ = writeln!(text, "  its recording cannot be read: {error:#}");
            None
        }
    };
    let Some(failure) = failure else { return };
    let place = failure.location.map(|location| format!(" ({location})")).unwrap_or_default();
    let _ = writeln!(text, "  {}{place}", failure.message);
    for mismatch in failure.mismatches.iter().take(4) {
        let _ = writeln!(text, "  {}, {}", mismatch.object, mismatch.field);
        let _ = writeln!(text, "    expected {}", mismatch.expected);
        let _ = writeln!(text, "    observed {}", mismatch.observed);
    }
    for change in failure.history.iter().rev().take(4).rev() {
        let at = span(Duration::from_millis(change.at_ms));
        let _ = writeln!(text, "  {at:>7}  {} @{}: {}", change.object, change.version, change.what);
    }
}

fn changes(text: &mut String, what: &str, changes: &Result<Vec<Change>, String>) {
    let changes = match changes {
        Err(why) => {
            let _ = writeln!(text, "{what}: not known: {why}");
            return;
        }
        Ok(changes) => changes,
    };
    let _ = writeln!(text, "{what}: {} differ", changes.len());
    // What speaks of addresses is what one came for.
    let near = |change: &&Change| {
        let key = change.key.to_lowercase();
        !["ipam", "cidr", "pool"].iter().any(|word| key.contains(word))
    };
    let mut sorted: Vec<&Change> = changes.iter().collect();
    sorted.sort_by_key(near);
    for change in sorted.iter().take(LINES) {
        let _ = writeln!(text, "  {change}");
    }
    if let Some(more) = changes.len().checked_sub(LINES).filter(|more| *more > 0) {
        let _ = writeln!(text, "  and {more} more, in result.json");
    }
}

/// What was changed from one side to the other.
fn reading(before: &Candidate, after: &Candidate) -> Vec<String> {
    let mut lines = Vec::new();
    if before.version != after.version {
        lines.push(format!("{CILIUM}/compare/v{}...v{}", before.version, after.version));
        lines.push(format!("{CILIUM}/releases/tag/v{}", after.version));
        lines.push(format!("{CILIUM}/blob/v{}/CHANGELOG.md", after.version));
    }
    if before.tag.is_some() || after.tag.is_some() {
        lines.push(format!(
            "the commits that {} and {} were built from: {CILIUM}/commits",
            before.image_tag(),
            after.image_tag()
        ));
    }
    lines
}

/// `1m28s`, `0.4s`.
pub(super) fn span(took: Duration) -> String {
    match took.as_secs() {
        0..60 => format!("{:.1}s", took.as_secs_f64()),
        secs => format!("{}m{:02}s", secs / 60, secs % 60),
    }
}
