//! For people.

use std::fmt::Write as _;

use crate::output::grouped;
use crate::{Capacity, Finding, Preview, Report, Severity};

/// Whether text has ANSI colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Yes.
    On,
    /// No.
    Off,
}

impl Colour {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::On => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Off => text.to_owned(),
        }
    }
}

/// A finding in the manner of rustc, with the line of `source` that it is about, where that is known.
pub fn finding_text(finding: &Finding, source: Option<&str>, colour: Colour) -> String {
    let accent = match finding.severity {
        Severity::Error => "1;31",
        Severity::Warning => "1;33",
        Severity::Note => "1;36",
    };
    let place = &finding.place;
    let margin = " ".repeat(place.line.max(1).to_string().len());
    let bar = |text: &str| colour.paint("1;34", text);
    let head = colour.paint(accent, &format!("{}[{}]", finding.severity.as_str(), finding.code));
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{head}{}", colour.paint("1", &format!(": {}", finding.message)));
    let path =
        if place.file.is_some() && !place.path.is_empty() { format!(" ({})", place.path) } else { String::new() };
    let _ = writeln!(out, "{margin}{} {place}{path}", bar("-->"));
    let line = source.filter(|_| place.file.is_some()).and_then(|text| text.lines().nth(place.line.checked_sub(1)?));
    if let Some(line) = line.filter(|line| !line.trim().is_empty()) {
        let shown: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(110).collect();
        let _ = writeln!(out, "{margin} {}", bar("|"));
        let _ = writeln!(out, "{} {}", bar(&format!("{} |", place.line)), shown.trim_end());
        let start = place.column.saturating_sub(1);
        if start < shown.chars().count() {
            let _ = writeln!(out, "{margin} {} {}{}", bar("|"), " ".repeat(start), colour.paint(accent, "^"));
        }
    }
    for related in &finding.related {
        let _ = writeln!(out, "{margin} {} {}: {}", bar("="), related.place, related.message);
    }
    if let Some(help) = &finding.help {
        let _ = writeln!(out, "{margin} {} help: {help}", bar("="));
    }
    out
}

/// The whole report: findings, the room in the pools, what becomes of the nodes, and a last line that counts.
pub fn report_text(report: &Report, source: Option<&str>, colour: Colour) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        let _ = writeln!(out, "{}", finding_text(finding, source, colour));
    }
    for capacity in &report.capacity {
        let _ = writeln!(out, "{}", room(capacity));
    }
    if let Some(preview) = &report.preview {
        out.push_str(&preview_text(preview));
    }
    for what in &report.not_checked {
        let _ = writeln!(out, "not checked: {what}");
    }
    let count = |severity: Severity, word: &str| {
        let number = report.count(severity);
        format!("{number} {word}{}", if number == 1 { "" } else { "s" })
    };
    let _ = writeln!(
        out,
        "{} (Cilium {}, mode {}): {}, {}, {}",
        report.subject,
        report.version,
        report.mode,
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
        count(Severity::Note, "note")
    );
    out
}

fn room(capacity: &Capacity) -> String {
    let pools: Vec<&str> = capacity.pools.iter().map(|pool| pool.cidr.as_str()).collect();
    let mut text = format!(
        "{}: {} in ranges of /{}: {} nodes",
        capacity.family,
        pools.join(", "),
        capacity.mask,
        grouped(u128::from(capacity.ranges))
    );
    match (capacity.used, capacity.nodes, capacity.share_used()) {
        (Some(used), _, Some(share)) => {
            let _ = write!(text, ", {} ranges used ({share:.1} %)", grouped(u128::from(used)));
        }
        (None, Some(nodes), Some(share)) => {
            let _ = write!(text, ", {} wanted ({share:.1} %)", grouped(u128::from(nodes)));
        }
        _ => {}
    }
    let free = capacity.used.map(|used| capacity.ranges.saturating_sub(used));
    match free {
        Some(free) => {
            let _ = write!(text, "; full after {} more", grouped(u128::from(free)));
        }
        None => {
            let _ = write!(text, "; node {} gets none", grouped(u128::from(capacity.first_without)));
        }
    }
    text
}

fn preview_text(preview: &Preview) -> String {
    let mut out = format!("\n{} {}:\n", preview.cluster, preview.when);
    if let Some(error) = &preview.start_error {
        let _ = writeln!(out, "  the operator does not start: {error}");
    }
    let list = |cidrs: &[String]| if cidrs.is_empty() { "-".to_owned() } else { cidrs.join(" ") };
    let rows: Vec<[String; 3]> = preview
        .nodes
        .iter()
        .map(|change| {
            let cidrs = if change.pod_cidrs == change.pod_cidrs_after {
                list(&change.pod_cidrs)
            } else {
                format!("{} -> {}", list(&change.pod_cidrs), list(&change.pod_cidrs_after))
            };
            let status = match (change.error.as_str(), change.error_after.as_str()) {
                ("", "") => "clear".to_owned(),
                (_, "") => "cleared".to_owned(),
                (before, after) if before == after => format!("still: {after}"),
                (_, after) => after.to_owned(),
            };
            [change.node.clone(), cidrs, status]
        })
        .collect();
    let head = ["node", "podCIDRs", "operator-status"].map(str::to_owned);
    let width = |column: usize| rows.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    for row in std::iter::once(&head).chain(&rows) {
        let _ = writeln!(out, "  {:first$}  {:second$}  {}", row[0], row[1], row[2]);
    }
    if let Some(open) = &preview.open {
        let _ = writeln!(out, "  {open}");
    }
    out.push('\n');
    out
}
