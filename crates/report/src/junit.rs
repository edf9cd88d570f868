//! JUnit XML: one test case per scenario.
//!
//! JUnit knows failures, errors and skipped cases. A scenario that was interrupted is an error there: it must not look as if
//! it had passed, nor as if nobody had wanted it. A known bug is a skipped case, as other test runners write it, with its failure; one
//! that should have shown and did not is a failure.

use std::io;
use std::time::Duration;

use events::Outcome;
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::RunSummary;
use crate::render::{Context, failure};
use crate::summary::{ScenarioSummary, StepSummary};
use crate::text::{clean, duration, one_line, plain_text};

pub(crate) fn render(summary: &RunSummary) -> io::Result<String> {
    let class = class_name(summary);
    let mut suite = TestSuite::new(class.as_str());
    suite.set_time(Duration::from_millis(summary.took_ms));
    for (name, value) in properties(summary) {
        suite.add_property(Property::new(name, one_line(&value)));
    }
    for scenario in &summary.scenarios {
        suite.add_test_case(case(scenario, &class, summary.notice()));
    }
    let outside = outside(summary);
    if !outside.is_empty() {
        suite.set_system_err(outside);
    }
    let mut report = Report::new("cilium-ipam-e2e");
    report.set_time(Duration::from_millis(summary.took_ms));
    report.add_test_suite(suite);
    report.to_string().map_err(io::Error::other)
}

/// What the results speak about: `kind/cilium-1.18.4`.
fn class_name(summary: &RunSummary) -> String {
    match &summary.run {
        Some(run) => one_line(&format!("{}/cilium-{}", run.cluster, run.cilium)),
        None => "unknown".to_owned(),
    }
}

fn properties(summary: &RunSummary) -> Vec<(&'static str, String)> {
    let mut properties = Vec::new();
    if let Some(run) = &summary.run {
        properties.push(("run", run.id.clone()));
        properties.push(("tool", run.tool.clone()));
        properties.push(("cluster", run.cluster.to_string()));
        properties.push(("why", run.why.clone()));
        properties.push(("cilium", run.cilium.clone()));
        properties.extend(run.notice.iter().map(|notice| ("notice", notice.clone())));
        properties.extend(run.seed.map(|seed| ("seed", seed.to_string())));
        properties.push(("format", run.events_format.to_string()));
    }
    properties.push(("exit_code", summary.exit_code.to_string()));
    if summary.cut_off {
        properties.push(("cut_off", "true".to_owned()));
    }
    properties
}

/// What went wrong outside any scenario.
fn outside(summary: &RunSummary) -> String {
    let failures = summary.failures.iter().map(|recorded| plain_text(&failure(Context::default(), recorded)));
    let remarks = summary.remarks.iter().map(|remark| one_line(remark) + "\n");
    failures.chain(remarks).collect()
}

fn case(scenario: &ScenarioSummary, class: &str, notice: Option<&str>) -> TestCase {
    let mut case = TestCase::new(one_line(&scenario.name), status(scenario, notice));
    case.set_classname(class);
    case.set_time(Duration::from_millis(scenario.took_ms));
    let output = output(scenario, notice);
    if !output.is_empty() {
        case.set_system_out(output);
    }
    case
}

fn status(scenario: &ScenarioSummary, notice: Option<&str>) -> TestCaseStatus {
    let kind = match scenario.outcome {
        // That it was tolerated is in the output.
        Outcome::Passed | Outcome::Tolerated => return TestCaseStatus::success(),
        Outcome::Skipped | Outcome::Xfailed => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(scenario.reason.as_deref().map(one_line).unwrap_or_default());
            if scenario.outcome == Outcome::Xfailed {
                status.set_type("xfail");
                status.set_description(failures(scenario, notice));
            }
            return status;
        }
        Outcome::Failed | Outcome::Xpassed => NonSuccessKind::Failure,
        Outcome::Error | Outcome::Interrupted => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(match (scenario.outcome, &scenario.failure) {
        (Outcome::Interrupted, _) => "interrupted",
        (_, Some(recorded)) if recorded.failure.violation.is_some() => "invariant",
        (_, Some(recorded)) => class_word(recorded.failure.class),
        (outcome, None) => outcome.as_str(),
    });
    let reason = crate::render::reason(scenario).unwrap_or_else(|| scenario.outcome.as_str().to_owned());
    status.set_message(reason);
    let text = failures(scenario, notice);
    if !text.is_empty() {
        status.set_description(text);
    }
    status
}

fn failures(scenario: &ScenarioSummary, notice: Option<&str>) -> String {
    let context = Context { scenario: Some(&scenario.name), steps: &scenario.steps, evidence: &scenario.evidence };
    let mut text: String =
        scenario.failures().map(|recorded| plain_text(&failure(context, recorded))).collect::<Vec<_>>().join("\n");
    text.extend(notice.map(|notice| format!("{}\n", one_line(notice))));
    text
}

fn class_word(class: events::FailureClass) -> &'static str {
    use events::FailureClass::{Infrastructure, Input, Interrupted, Product, Unexpected};
    match class {
        Product => "product",
        Infrastructure => "infrastructure",
        Input => "input",
        Interrupted => "interrupted",
        Unexpected => "xpass",
    }
}

/// The steps, then every file of evidence as an attachment (a convention that GitLab, Jenkins and others read:
/// <https://docs.gitlab.com/ci/testing/unit_test_reports/#view-junit-screenshots-on-gitlab>).
fn output(scenario: &ScenarioSummary, notice: Option<&str>) -> String {
    let mut lines: Vec<String> = Vec::new();
    if !scenario.steps.is_empty() {
        lines.extend(notice.map(one_line));
    }
    if scenario.outcome == Outcome::Tolerated {
        lines.extend(scenario.reason.as_deref().map(|reason| format!("xpass: {}", one_line(reason))));
    }
    let total = scenario.steps.len();
    lines.extend(scenario.steps.iter().enumerate().map(|(index, step)| step_line(index + 1, total, step)));
    lines.extend(scenario.remarks.iter().map(|remark| format!("note: {}", one_line(remark))));
    lines.extend(scenario.model.iter().map(|model| format!("model: {}", one_line(&model.sentence()))));
    if let Some(kept) = &scenario.kept {
        lines.extend(crate::render::kept(kept).iter().map(|line| line.text()));
    }
    for evidence in &scenario.evidence {
        lines.extend(evidence.missing.iter().map(|missing| format!("evidence missing: {}", one_line(missing))));
        for file in &evidence.files {
            lines.push(format!("[[ATTACHMENT|{}/{}]]", one_line(evidence.dir.trim_end_matches('/')), one_line(file)));
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

fn step_line(number: usize, total: usize, step: &StepSummary) -> String {
    let took = step.took_ms.map(|ms| format!(" ({})", duration(ms))).unwrap_or_default();
    let subjects = step.subjects.map(|subjects| format!(", {subjects} looked at")).unwrap_or_default();
    let detail = if step.detail.is_empty() { String::new() } else { format!(": {}", clean(&step.detail)) };
    one_line(&format!("{number}/{total} {} {}{took}{subjects}{detail}", step.state.as_str(), step.title))
}
