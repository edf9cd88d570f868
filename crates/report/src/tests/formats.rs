//! JUnit, JSON and Markdown: each on its own, and all against each other.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use events::{Event, Outcome, Tally};
use quick_xml::events::{BytesStart, Event as Xml};
use quick_xml::{Reader, XmlVersion};

use super::sample::{every_outcome, hostile, known_bugs, one_passed};
use crate::render::Narrator;
use crate::{AtEnd, Format, Reporter, RunSummary, SUMMARY_FORMAT};

fn render(format: Format, events: &[Event]) -> String {
    format.render(&RunSummary::from_events(events)).unwrap()
}

#[test]
fn junit_of_every_outcome() {
    insta::assert_snapshot!(render(Format::Junit, &every_outcome()));
}

#[test]
fn markdown_of_every_outcome() {
    insta::assert_snapshot!(render(Format::Markdown, &every_outcome()));
}

#[test]
fn json_of_every_outcome() {
    insta::assert_snapshot!(render(Format::Json, &every_outcome()));
}

#[test]
fn known_bugs_in_every_format() {
    insta::assert_snapshot!("known_bugs_junit", render(Format::Junit, &known_bugs()));
    insta::assert_snapshot!("known_bugs_markdown", render(Format::Markdown, &known_bugs()));
    insta::assert_snapshot!("known_bugs_console", console(&known_bugs()));
    let summary = RunSummary::from_events(&known_bugs());
    let Tally { failed, xfailed, xpassed, tolerated, .. } = summary.tally;
    assert_eq!((failed, xfailed, xpassed, tolerated, summary.exit_code), (1, 1, 1, 1, events::exit::FAILED));
}

/// A run that was killed right after the failure of a known bug: it is that bug all the same.
#[test]
fn a_known_bug_is_known_in_a_recording_that_breaks_off() {
    let events = known_bugs();
    let failed = events.iter().position(|event| matches!(event.kind, events::EventKind::Failed { .. })).unwrap();
    let summary = RunSummary::from_events(&events[..=failed]);
    assert_eq!(summary.scenarios[0].outcome, Outcome::Xfailed);
    assert_eq!(summary.exit_code, events::exit::INTERRUPTED);
}

#[test]
fn json_reads_back_as_the_summary_it_was() {
    for events in [every_outcome(), one_passed(), hostile(), known_bugs()] {
        let text = render(Format::Json, &events);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["format"], SUMMARY_FORMAT);
        assert_eq!(serde_json::from_str::<RunSummary>(&text).unwrap(), RunSummary::from_events(&events));
    }
}

#[test]
fn every_report_carries_the_notice() {
    let notice = "simulated: says nothing about Cilium itself";
    let events = one_passed();
    for format in Format::ALL {
        assert!(render(format, &events).contains(notice), "{format:?}");
    }
    assert_eq!(console(&events).matches(notice).count(), 2, "at the beginning and at the end");
}

/// What one test case of a JUnit file says.
#[derive(Debug, Default)]
struct Case {
    class: String,
    children: Vec<String>,
    output: String,
}

/// Reads JUnit the way a CI system does, and fails on anything that is not XML 1.0.
fn cases(xml: &str) -> (BTreeMap<String, Case>, BTreeMap<String, String>) {
    let allowed =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(allowed), "a character that XML does not have");
    let attribute = |tag: &BytesStart<'_>, name: &str| {
        let found = tag.attributes().map(Result::unwrap).find(|found| found.key.as_ref() == name.as_bytes());
        found.map(|found| found.normalized_value(XmlVersion::Implicit1_0).unwrap().into_owned()).unwrap_or_default()
    };
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let (mut cases, mut suite) = (BTreeMap::<String, Case>::new(), BTreeMap::new());
    let (mut name, mut path) = (String::new(), Vec::new());
    loop {
        let event = reader.read_event().unwrap();
        let closed = matches!(event, Xml::Empty(_));
        match event {
            Xml::Start(tag) | Xml::Empty(tag) => {
                let word = String::from_utf8(tag.name().as_ref().to_vec()).unwrap();
                match word.as_str() {
                    "testsuite" => {
                        for key in ["tests", "failures", "errors", "skipped"] {
                            suite.insert(key.to_owned(), attribute(&tag, key));
                        }
                    }
                    "testcase" => {
                        name = attribute(&tag, "name");
                        let class = attribute(&tag, "classname");
                        cases.insert(name.clone(), Case { class, ..Case::default() });
                    }
                    "failure" | "error" | "skipped" => {
                        cases.get_mut(&name).unwrap().children.push(word.clone());
                    }
                    _ => {}
                }
                if !closed {
                    path.push(word);
                }
            }
            Xml::End(_) => {
                path.pop();
            }
            Xml::Text(text) if path.last().is_some_and(|word| word == "system-out") && path.len() == 4 => {
                cases.get_mut(&name).unwrap().output += &text.decode().unwrap();
            }
            Xml::Eof => return (cases, suite),
            _ => {}
        }
    }
}

fn console(events: &[Event]) -> String {
    let mut narrator = Narrator::new(true);
    let lines: Vec<_> = events.iter().flat_map(|event| narrator.event(event)).collect();
    let end = narrator.finish();
    lines.iter().chain(&end).map(|line| line.text() + "\n").collect()
}

/// Scenario and outcome of each row of a table whose columns are apart by that.
fn rows(text: &str, head: &str, apart: &str) -> BTreeMap<String, String> {
    let table = text.lines().skip_while(|line| !line.starts_with(head)).skip(1);
    let rows = table.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("|---"));
    rows.map(|line| {
        let mut cells = line.split(apart).map(|cell| cell.trim().trim_matches('*')).filter(|cell| !cell.is_empty());
        (cells.next().unwrap().to_owned(), cells.next().unwrap().to_owned())
    })
    .collect()
}

#[test]
fn all_reports_agree_wherever_the_events_end() {
    let all = every_outcome();
    for length in 1..=all.len() {
        let events = &all[..length];
        let summary = RunSummary::from_events(events);
        let expected: BTreeMap<_, _> = summary
            .scenarios
            .iter()
            .map(|scenario| (scenario.name.clone(), scenario.outcome.as_str().to_owned()))
            .collect();
        assert_eq!(expected.len(), 6);

        assert_eq!(rows(&console(events), "scenario ", "  "), expected, "console after {length} events");
        let markdown = render(Format::Markdown, events);
        assert_eq!(rows(&markdown, "| scenario ", "|"), expected, "Markdown after {length} events");

        let json: serde_json::Value = serde_json::from_str(&render(Format::Json, events)).unwrap();
        let rows = json["scenarios"].as_array().unwrap().iter();
        let found: BTreeMap<_, _> = rows
            .map(|row| (row["name"].as_str().unwrap().to_owned(), row["outcome"].as_str().unwrap().to_owned()))
            .collect();
        assert_eq!(found, expected, "JSON after {length} events");

        let (cases, suite) = cases(&render(Format::Junit, events));
        let found: BTreeMap<_, _> = cases.iter().map(|(name, case)| (name.clone(), case.children.join(" "))).collect();
        let as_junit = |outcome: &str| match outcome {
            "failed" => "failure",
            "error" | "interrupted" => "error",
            "skipped" => "skipped",
            _ => "",
        };
        let junit: BTreeMap<_, _> =
            expected.iter().map(|(name, outcome)| (name.clone(), as_junit(outcome).to_owned())).collect();
        assert_eq!(found, junit, "JUnit after {length} events");

        let Tally { failed, error, interrupted, skipped, .. } = summary.tally;
        let counts = [("tests", 6), ("failures", failed), ("errors", error + interrupted), ("skipped", skipped)];
        for (key, number) in counts {
            assert_eq!(suite[key], number.to_string(), "JUnit's {key} after {length} events");
        }
        let counted: Vec<String> =
            [Outcome::Passed, Outcome::Failed, Outcome::Error, Outcome::Interrupted, Outcome::Skipped]
                .into_iter()
                .map(|outcome| (outcome, expected.values().filter(|word| *word == outcome.as_str()).count()))
                .filter(|(_, number)| *number > 0)
                .map(|(outcome, number)| format!("{number} {}", outcome.as_str()))
                .collect();
        let counted = counted.join(", ");
        assert!(console(events).contains(&format!("6 scenarios: {counted} in ")), "console: {counted}");
        assert!(markdown.starts_with(&format!("## cilium-ipam-e2e: {counted}\n")), "Markdown: {counted}");
    }
}

#[test]
fn junit_attaches_every_file_and_names_what_it_is_about() {
    let (cases, _) = cases(&render(Format::Junit, &every_outcome()));
    let case = &cases["cidr-change-slash-30"];
    assert_eq!(case.class, "kind/cilium-1.18.4");
    assert!(case.output.contains("3/3 failed expect operatorStatus of every node: clear"), "{}", case.output);
    let attachments: Vec<_> = case.output.lines().filter(|line| line.starts_with("[[ATTACHMENT|")).collect();
    assert_eq!(
        attachments,
        [
            "[[ATTACHMENT|target/e2e/r7f3a/cidr-change-slash-30/ciliumnodes.yaml]]",
            "[[ATTACHMENT|target/e2e/r7f3a/cidr-change-slash-30/logs/cilium-operator.log]]",
        ]
    );
}

#[test]
fn hostile_text_stays_text_in_every_format() {
    let events = hostile();
    let (cases, suite) = cases(&render(Format::Junit, &events));
    assert_eq!((cases.len(), suite["failures"].as_str()), (1, "1"));
    let output = &cases.values().next().unwrap().output;
    let attachments = output.lines().filter(|line| line.starts_with("[[ATTACHMENT|")).count();
    assert_eq!(attachments, 1, "only the file that the engine wrote: {output}");

    let markdown = render(Format::Markdown, &events);
    assert!(markdown.lines().filter(|line| line.starts_with("| ")).count() == 2, "one row and its head: {markdown}");
    let (outside, _) = markdown.split_once("````text").unwrap();
    assert!(!outside.contains("<b>"), "{outside}");
    assert!(markdown.contains("\n````\n\n</details>"), "the fence is longer than any in the text: {markdown}");
    assert!(markdown.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn a_summary_page_is_never_too_large() {
    let mut events = every_outcome();
    for event in &mut events {
        if let events::EventKind::Failed { failure } = &mut event.kind {
            failure.causes = vec!["x".repeat(400 * 1024)];
        }
    }
    let text = render(Format::Markdown, &events);
    assert!(text.len() < 1024 * 1024);
    assert!(text.contains("1 further failure did not fit here: see summary.json."), "{}", &text[text.len() - 200..]);
}

#[test]
fn files_are_written_at_the_end_also_of_a_run_that_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().join("new/run")).unwrap();
    let mut reporter = Reporter::new();
    for format in Format::ALL {
        reporter = reporter.with(AtEnd::new(format, path.join(format.file_name())));
    }
    let events = &every_outcome()[..20];
    for event in events {
        reporter.event(event);
    }
    assert!(!path.exists(), "nothing before the end");
    reporter.finish().unwrap();
    for format in Format::ALL {
        assert_eq!(fs_err::read_to_string(path.join(format.file_name())).unwrap(), render(format, events));
    }
}
