//! One result with everything in it, in every format.

use events::{ClusterKind, Outcome, exit};

use super::*;
use crate::fold::tests::{attempt, cell};
use crate::{Attempt, Cell, FORMAT, MatrixPlan, MatrixResult, fold};

const HOSTILE: &str = "a\u{1b}[31m]]>\u{0}<b>&\"'| `x` ``` \u{202e}ü\n## no heading";

/// Scenario `a` on two versions and so on: every status at least once.
fn result() -> MatrixResult {
    let runs: Vec<(&str, u64, Vec<Attempt>)> = vec![
        ("a", 18, vec![attempt(Outcome::Passed, "")]),
        ("a", 19, vec![attempt(Outcome::Failed, HOSTILE)]),
        ("b", 18, vec![attempt(Outcome::Xfailed, "known bug a/b#1: why")]),
        ("b", 19, vec![attempt(Outcome::Xpassed, "passed")]),
        ("c", 18, vec![attempt(Outcome::Error, "no space left on device"), attempt(Outcome::Passed, "")]),
        (
            "c",
            19,
            vec![
                attempt(Outcome::Error, "no space left on device"),
                attempt(Outcome::Error, "no space left on device"),
            ],
        ),
        ("d", 18, vec![attempt(Outcome::Tolerated, "passed, though now and then")]),
        ("d", 19, Vec::new()),
        ("e", 18, vec![attempt(Outcome::Error, "no space left on device"), attempt(Outcome::Failed, "another")]),
    ];
    let skipped = Cell { skip: Some("for Cilium >=1.20".to_owned()), ..cell("e", 19) };
    let cells: Vec<Cell> = runs.iter().map(|(name, minor, _)| cell(name, *minor)).chain([skipped.clone()]).collect();
    let plan = MatrixPlan::new(ClusterKind::Sim, Some(0), Vec::new(), cells);
    let mut done: Vec<CellResult> =
        runs.into_iter().map(|(name, minor, attempts)| fold(&cell(name, minor), attempts, None)).collect();
    done.push(fold(&skipped, Vec::new(), Some((Status::Skipped, "for Cilium >=1.20".to_owned()))));
    MatrixResult {
        format: FORMAT,
        tool: "0.1.0".to_owned(),
        plan_id: plan.id(),
        plan,
        shard: None,
        notice: Some("simulated: says nothing about Cilium itself".to_owned()),
        took_ms: 61_000,
        cells: done,
    }
}

#[test]
fn the_table_has_a_word_for_each_cell() {
    let expected = "\
scenario  1.18.0               1.19.0
a         pass                 FAIL
b         xfail                XPASS
c         flaky (run 2)        infra (run 2)
d         xpass                stopped
e         FAIL (flaky: run 2)  -
";
    assert_eq!(table(&result()), expected);
}

#[test]
fn the_gravest_come_first_and_the_last_line_counts_all() {
    let result = result();
    let text = troubles(&result, None);
    let words: Vec<&str> =
        text.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_whitespace().next()).collect();
    let order =
        ["fail", "fail", "xpass", "infrastructure", "interrupted", "flaky", "xpass-tolerated", "xfail", "skipped"];
    assert_eq!(words, order);
    assert_eq!(result.exit_code(), exit::FAILED);
    let closing = closing(&result);
    assert!(closing.starts_with("10 cells: 2 fail, 1 xpass, 1 infrastructure, 1 interrupted, 1 flaky, "), "{closing}");
    assert!(closing.contains("1 skipped; 3 runs repeated in 1m 01s (simulated: "), "{closing}");
}

#[test]
fn what_a_cluster_says_breaks_no_format() {
    let result = result();
    let xml = junit(&result).unwrap();
    assert!(!xml.contains('\u{0}') && !xml.contains('\u{1b}') && xml.contains("&lt;b&gt;"), "{xml}");
    assert_eq!(xml.matches("<testcase ").count(), 10);
    assert_eq!(xml.matches("<flakyError ").count(), 1, "{xml}");
    assert_eq!(xml.matches("<rerunError ").count(), 2, "{xml}");
    assert!(xml.contains("type=\"infrastructure:disk-full\"") && xml.contains("type=\"xfail\""), "{xml}");
    let page = markdown(&result, None);
    assert!(page.starts_with("## cilium-ipam-e2e matrix: 2 fail, 1 xpass,"), "{page}");
    assert!(!page.contains("\n## no heading") && !page.contains('\u{1b}'), "{page}");
    assert!(page.contains("| a | pass | **FAIL** |"), "{page}");
    assert!(page.contains("> **simulated: says nothing about Cilium itself**"), "{page}");
}

#[test]
fn there_is_one_issue_for_each_fingerprint() {
    let found = issues(&result());
    let titles: Vec<&str> = found.iter().map(|issue| issue.title.split("] ").nth(1).unwrap_or_default()).collect();
    let expected =
        ["infrastructure: disk-full", "a fails", "e fails", "b passes, though a known bug should make it fail"];
    for title in expected {
        assert_eq!(titles.iter().filter(|found| **found == title).count(), 1, "{title} in {titles:?}");
    }
    assert_eq!(titles.len(), expected.len());
    let disk = found.iter().find(|issue| issue.fingerprint == "disk-full").unwrap();
    assert!(
        disk.body.contains("| `c@1.18.0` | flaky | 2 |") && disk.body.contains("| `c@1.19.0` | infrastructure | 2 |")
    );
    for issue in found {
        assert!(!issue.title.contains('\n') && !issue.body.contains("\n## no heading"), "{}", issue.body);
    }
}

#[test]
fn json_reads_back_as_it_was() {
    let result = result();
    let text = serde_json::to_string_pretty(&result).unwrap();
    assert_eq!(serde_json::from_str::<MatrixResult>(&text).unwrap(), result);
}
