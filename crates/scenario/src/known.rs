//! Version ranges against the versions that there are: a range that none is in says nothing, and is probably out of date or mistyped.

use semver::Version;

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::model::{Scenario, VersionRange};
use crate::problem::Problem;
use crate::tree::Span;

/// The ranges of a scenario that no known version is in: its own, its steps', its known bugs'. A known bug counts only on versions that the
/// scenario speaks about.
pub fn unreached(scenario: &Scenario, known: &[Version]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let list = known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut tell = |code: &'static codes::Code, line: usize, range: &VersionRange, message: String, help: String| {
        if scenario.allow.contains_key(code.name) {
            return;
        }
        let text = &scenario.source.text;
        let problem = Problem::new(code, place(text, line, &range.text), message).help(help);
        found.push(Diagnostic::new(problem, &scenario.source.path, text));
    };
    let own: Vec<&Version> = known.iter().filter(|version| scenario.cilium.versions.contains(version)).collect();
    if own.is_empty() {
        let range = &scenario.cilium.versions;
        let message = format!("no known version of Cilium is in `{range}`, so the scenario never runs");
        tell(&codes::NO_KNOWN_VERSION, 1, range, message, format!("known: {list}"));
        return found;
    }
    for step in &scenario.steps {
        let Some(range) = &step.versions else { continue };
        if !own.iter().any(|version| range.contains(version)) {
            let message =
                format!("no known version of Cilium that the scenario is for is in `{range}`: this step never runs");
            tell(&codes::NO_KNOWN_VERSION, step.line, range, message, format!("known: {list}"));
        }
    }
    for mark in &scenario.xfail {
        let range = &mark.versions;
        if !own.iter().any(|version| range.contains(version)) {
            let message = format!(
                "the known bug {} is for `{range}`, and no known version of Cilium that the scenario is for is in it",
                mark.issue
            );
            let help = format!("if the bug is gone, remove the mark; known: {list}");
            tell(&codes::STALE_XFAIL, mark.line, range, message, help);
        }
    }
    found
}

/// Where a range is written: in the line that is known or the next one that has it.
fn place(text: &str, from: usize, range: &str) -> Span {
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if index + 1 >= from
            && let Some(at) = line.find(range).filter(|_| line.contains("versions"))
        {
            let column = line[..at].chars().count() + 1;
            return Span { line: index + 1, column, start: start + at, end: start + at + range.len() };
        }
        start += line.len();
    }
    Span { line: from, column: 1, start: 0, end: 0 }
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use rstest::rstest;

    use super::*;

    fn check(text: &str) -> Vec<(String, usize, usize)> {
        let known = [Version::new(1, 18, 4), Version::new(1, 19, 1), Version::new(1, 20, 2)];
        let (scenario, problems) = crate::parse(Utf8Path::new("t.yaml"), text.as_bytes());
        let scenario = scenario.unwrap_or_else(|| panic!("{problems:?}"));
        let found = unreached(&scenario, &known);
        found.into_iter().map(|problem| (problem.code.to_owned(), problem.line, problem.column)).collect()
    }

    #[rstest]
    #[case::own("cilium: {versions: '>=1.21'}", &[("no-known-version", 3, 21)])]
    #[case::bug("xfail: {issue: a/b#1, reason: r, versions: '<1.18', match: m}", &[("stale-xfail", 3, 45)])]
    #[case::bug_outside_the_scenarios_range(
        "xfail: {issue: a/b#1, reason: r, versions: '1.20', match: m}\ncilium: {versions: '<1.20'}",
        &[("stale-xfail", 3, 45)]
    )]
    #[case::allowed("cilium: {versions: '>=1.21'}\nallow: {no-known-version: not released yet}", &[])]
    #[case::in_order("xfail: {issue: a/b#1, reason: r, versions: '>=1.20', match: m}", &[])]
    fn a_range_that_no_known_version_is_in_is_found(#[case] lines: &str, #[case] expected: &[(&str, usize, usize)]) {
        let text = format!("name: t\nsummary: s\n{lines}\nsteps:\n  - backup: cilium-config\n");
        let expected: Vec<_> =
            expected.iter().map(|(code, line, column)| ((*code).to_owned(), *line, *column)).collect();
        assert_eq!(check(&text), expected);
    }

    #[test]
    fn a_step_that_never_runs_is_found_at_its_range() {
        let text = "name: t\nsummary: s\nsteps:\n  - backup: cilium-config\n  - restore: cilium-config\n    versions: \"<1.17\"\n";
        assert_eq!(check(text), [("no-known-version".to_owned(), 6, 16)]);
    }
}
