//! A failure, in the order in which a reader asks: what, where, expected and observed, since when, and what to type next.

use std::collections::BTreeMap;

use events::{Change, FailureClass, Mismatch, Violation};

use crate::summary::{EvidenceSummary, RecordedFailure, StepSummary};
use crate::text::{Line, Role, at, count, duration, paragraph, widest};

/// Rows of a list that are shown; the rest is in the recording.
const SHOWN: usize = 12;

/// What is known around a failure.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// The scenario; none for the run itself.
    pub scenario: Option<&'a str>,
    /// The scenario's steps.
    pub steps: &'a [StepSummary],
    /// Where evidence is, if that is known already.
    pub evidence: &'a [EvidenceSummary],
}

/// The lines of one failure.
pub fn failure(context: Context<'_>, recorded: &RecordedFailure) -> Vec<Line> {
    let failure = &recorded.failure;
    let (word, meaning) = match (&failure.known, &failure.violation) {
        (Some(_), _) => ("XFAIL", "known bug: it failed as it has on record"),
        (None, Some(_)) => ("FAILED", "invariant: what must be so in every scenario was not"),
        (None, None) => class(failure.class),
    };
    let role = if failure.known.is_some() { Role::Warn } else { Role::Bad };
    let mut lines = vec![
        Line::new()
            .with(role, word)
            .with(Role::Plain, " ")
            .with(Role::Strong, context.scenario.unwrap_or("run"))
            .with(Role::Faint, &format!("  {meaning}")),
    ];
    if let Some(index) = failure.step {
        let place = match context.steps.get(index) {
            Some(step) => format!("{}/{} {}", index + 1, context.steps.len(), step.title),
            None => (index + 1).to_string(),
        };
        lines.extend(labelled("step", Role::Plain, &place));
    }
    if let Some(location) = &failure.location {
        lines.extend(labelled("at", Role::Plain, location));
    }
    if let Some(known) = &failure.known {
        lines.extend(labelled("known bug", Role::Strong, known));
    }
    lines.extend(labelled("message", Role::Strong, &failure.message));
    lines.extend(failure.violation.iter().flat_map(violation));
    lines.extend(mismatches(&failure.mismatches, recorded.at_ms));
    lines.extend(history(&failure.history));
    if !failure.causes.is_empty() {
        lines.extend(heading("caused by"));
        lines.extend(failure.causes.iter().flat_map(|cause| indented(4, Role::Plain, cause)));
    }
    if let Some(error) = &failure.last_api_error {
        lines.extend(heading("last API error"));
        lines.extend(indented(4, Role::Plain, error));
    }
    if !failure.next.is_empty() {
        lines.extend(heading("look further"));
        lines.extend(failure.next.iter().flat_map(|command| indented(4, Role::Command, command)));
    }
    if !context.evidence.is_empty() {
        lines.push(Line::new());
    }
    for evidence in context.evidence {
        for (label, role, text) in self::evidence(evidence) {
            lines.extend(labelled(label, role, &text));
        }
    }
    lines
}

/// The invariant, and the objects that show that it does not hold, with their versions and times.
fn violation(violation: &Violation) -> Vec<Line> {
    let statement = format!("{}: {}", violation.invariant, violation.invariant.statement());
    let mut lines = labelled("invariant", Role::Plain, &statement);
    lines.extend(labelled(
        "since",
        Role::Plain,
        &format!("{}, certain at {}", at(violation.since_ms), at(violation.at_ms)),
    ));
    lines.extend(heading("objects"));
    for witness in &violation.witnesses {
        let head = Line::plain("    ")
            .with(Role::Strong, &witness.object)
            .with(Role::Faint, &format!("  resourceVersion {}, seen at {}", witness.version, at(witness.at_ms)));
        lines.push(head);
        lines.extend(indented(6, Role::Plain, &witness.what));
    }
    lines
}

/// Where evidence is, and what could not be had, with a label each.
pub(crate) fn evidence(evidence: &EvidenceSummary) -> Vec<(&'static str, Role, String)> {
    let place = format!("{} ({})", evidence.dir, count(evidence.files.len(), "file"));
    let mut facts = vec![("evidence", Role::Plain, place)];
    facts.extend(evidence.missing.iter().map(|missing| ("missing", Role::Warn, missing.clone())));
    facts
}

/// The word a class begins with, and what it means for the reader.
pub(crate) fn class(class: FailureClass) -> (&'static str, &'static str) {
    match class {
        FailureClass::Product => ("FAILED", "product: observed and expected differ"),
        FailureClass::Infrastructure => ("ERROR", "infrastructure: this says nothing about Cilium"),
        FailureClass::Input => ("ERROR", "input: the scenario asks for something that is not there"),
        FailureClass::Interrupted => ("STOPPED", "interrupted: stopped by the user"),
        FailureClass::Unexpected => ("XPASS", "unexpected: it passed where a known bug should make it fail"),
    }
}

fn mismatches(mismatches: &[Mismatch], at_ms: u64) -> Vec<Line> {
    // Objects that differ from the same expectation in the same field are one group, in order of their first.
    let mut groups: Vec<Vec<&Mismatch>> = Vec::new();
    let mut known: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for mismatch in mismatches {
        let group = *known.entry((&mismatch.field, &mismatch.expected)).or_insert(groups.len());
        match groups.get_mut(group) {
            Some(members) => members.push(mismatch),
            None => groups.push(vec![mismatch]),
        }
    }
    let mut lines = Vec::new();
    let mut left = SHOWN;
    for group in &groups {
        if left == 0 {
            break;
        }
        let shown = &group[..group.len().min(left)];
        left -= shown.len();
        lines.push(Line::new());
        lines.extend(match shown {
            [one] => single(one, at_ms),
            several => grouped(several, at_ms),
        });
    }
    lines.extend(more(mismatches.len(), "difference"));
    lines
}

/// One object: expected and observed one above the other, so that the eye finds the difference.
fn single(mismatch: &Mismatch, at_ms: u64) -> Vec<Line> {
    let mut lines = vec![
        Line::plain("  ")
            .with(Role::Strong, &mismatch.object)
            .with(Role::Plain, "  ")
            .with(Role::Plain, &mismatch.field),
    ];
    lines.extend(row("expected", "", 0, Role::Good, &mismatch.expected));
    lines.extend(row("observed", "", 0, Role::Bad, &mismatch.observed));
    if let Some(since) = since(mismatch, at_ms) {
        lines.extend(row("since", "", 0, Role::Faint, &since));
    }
    lines
}

/// Several objects under one expectation, all values in one column.
fn grouped(mismatches: &[&Mismatch], at_ms: u64) -> Vec<Line> {
    let objects = widest(mismatches.iter().map(|mismatch| mismatch.object.as_str()));
    let mut lines = vec![Line::plain("  ").with(Role::Strong, &mismatches[0].field)];
    lines.extend(row("expected", "", objects, Role::Good, &mismatches[0].expected));
    let mut label = "observed";
    for mismatch in mismatches {
        let mut rows = row(label, &mismatch.object, objects, Role::Bad, &mismatch.observed);
        if let (Some(since), Some(last)) = (since(mismatch, at_ms), rows.pop()) {
            rows.push(last.with(Role::Faint, &format!("  since {since}")));
        }
        lines.extend(rows);
        label = "";
    }
    lines
}

/// A label, an object in a column of that width, and a value that may have several lines.
fn row(label: &str, object: &str, objects: usize, role: Role, value: &str) -> Vec<Line> {
    let column = if objects == 0 { 14 } else { 16 + objects };
    let value = if value.is_empty() { "(empty)" } else { value };
    let mut lines = paragraph(role, value).into_iter();
    let mut first = Line::plain("    ").with(Role::Faint, label);
    if !object.is_empty() {
        first = first.column(14).with(Role::Plain, object);
    }
    let mut rows = vec![first.column(column).then(lines.next().unwrap_or_default())];
    rows.extend(lines.map(|line| Line::new().column(column).then(line)));
    rows
}

fn since(mismatch: &Mismatch, at_ms: u64) -> Option<String> {
    mismatch.since_ms.map(|since| format!("{}, for {}", at(since), duration(at_ms.saturating_sub(since))))
}

fn history(history: &[Change]) -> Vec<Line> {
    if history.is_empty() {
        return Vec::new();
    }
    let shown = &history[history.len().saturating_sub(SHOWN)..];
    let objects = widest(shown.iter().map(|change| change.object.as_str()));
    let times = widest(shown.iter().map(|change| at(change.at_ms)).collect::<Vec<_>>().iter().map(String::as_str));
    let mut lines = heading("last changes").to_vec();
    if shown.len() < history.len() {
        let earlier = format!("{} before these, in events.ndjson", count(history.len() - shown.len(), "change"));
        lines.push(Line::plain("    ").with(Role::Faint, &earlier));
    }
    let mut previous = "";
    for change in shown {
        // The object is named where it changes, so that one object's changes read as a list.
        let object = if change.object == previous { "" } else { change.object.as_str() };
        previous = &change.object;
        let time = at(change.at_ms);
        let mut line = Line::plain("    ")
            .with(Role::Faint, &format!("{time:>times$}"))
            .column(6 + times)
            .with(Role::Plain, object);
        for part in change.what.split("; ") {
            lines.push(line.column(8 + times + objects).with(Role::Plain, part));
            line = Line::new();
        }
    }
    lines
}

/// A heading apart from what comes before.
fn heading(text: &str) -> [Line; 2] {
    [Line::new(), Line::plain("  ").with(Role::Strong, text)]
}

fn labelled(label: &str, role: Role, text: &str) -> Vec<Line> {
    let mut rest = paragraph(role, text).into_iter();
    let first = Line::plain("  ").with(Role::Faint, label).column(12).then(rest.next().unwrap_or_default());
    let mut lines = vec![first];
    lines.extend(rest.map(|line| Line::new().column(12).then(line)));
    lines
}

fn indented(columns: usize, role: Role, text: &str) -> Vec<Line> {
    paragraph(role, text).into_iter().map(|line| Line::new().column(columns).then(line)).collect()
}

fn more(total: usize, what: &str) -> Option<Line> {
    (total > SHOWN).then(|| {
        let rest = total - SHOWN;
        Line::plain("  ").with(Role::Faint, &format!("and {} more, in events.ndjson", count(rest, what)))
    })
}
