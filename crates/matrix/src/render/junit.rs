//! JUnit: a suite for each column, a case for each scenario. Runs that were repeated are in it as reruns and flaky runs.

use std::io;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};
use report::text::{clean, one_line};

use crate::fold::Attempt;
use crate::result::{CellResult, MatrixResult, Status};

/// The report's text.
///
/// # Errors
/// The serialiser refuses the data; nothing is known that it would refuse.
pub fn junit(result: &MatrixResult) -> io::Result<String> {
    let mut report = Report::new("cilium-ipam-e2e");
    report.set_time(Duration::from_millis(result.took_ms));
    for column in result.plan.columns() {
        let class = format!("{}/cilium-{column}", result.plan.cluster);
        let cells: Vec<&CellResult> = result.cells.iter().filter(|cell| cell.column == *column).collect();
        if cells.is_empty() {
            continue;
        }
        let mut suite = TestSuite::new(class.as_str());
        suite.set_time(Duration::from_millis(cells.iter().map(|cell| cell.took_ms).sum()));
        suite.add_property(Property::new("plan", result.plan_id.as_str()));
        if let Some(notice) = &result.notice {
            suite.add_property(Property::new("notice", one_line(notice)));
        }
        if let Some(shard) = result.shard {
            suite.add_property(Property::new("shard", shard.to_string()));
        }
        for cell in cells {
            suite.add_test_case(case(cell, &class));
        }
        report.add_test_suite(suite);
    }
    report.to_string().map_err(io::Error::other)
}

fn case(cell: &CellResult, class: &str) -> TestCase {
    let mut case = TestCase::new(one_line(&cell.scenario), status(cell));
    case.set_classname(class);
    case.set_time(Duration::from_millis(cell.took_ms));
    let mut output = String::new();
    if let Some(fingerprint) = &cell.fingerprint {
        output += &format!("fingerprint {fingerprint}\n");
    }
    for dir in cell.attempts.iter().filter_map(|attempt| attempt.dir.as_ref()) {
        output += &format!("[[ATTACHMENT|{}/{}]]\n", one_line(dir), report::ndjson::FILE_NAME);
    }
    if cell.status == Status::XpassTolerated {
        output += &format!("xpass: {}\n", one_line(cell.reason.as_deref().unwrap_or_default()));
    }
    if !output.is_empty() {
        case.set_system_out(output);
    }
    case
}

fn status(cell: &CellResult) -> TestCaseStatus {
    let reason = cell.reason.as_deref().map(one_line).unwrap_or_default();
    let earlier = cell.attempts.len().saturating_sub(1);
    let reruns = cell.attempts[..earlier].iter().map(rerun);
    let kind = match cell.status {
        Status::Pass | Status::XpassTolerated | Status::Flaky => {
            let mut status = TestCaseStatus::success();
            status.add_reruns(reruns);
            return status;
        }
        Status::Skipped | Status::Xfail => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason);
            if cell.status == Status::Xfail {
                status.set_type("xfail");
            }
            return status;
        }
        Status::Fail | Status::Xpass => NonSuccessKind::Failure,
        Status::Infrastructure | Status::Input | Status::Interrupted => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(match (cell.status, cell.cause) {
        (Status::Infrastructure, Some(cause)) => format!("infrastructure:{}", cause.as_str()),
        (status, _) => status.as_str().to_owned(),
    });
    status.set_message(reason);
    if let Some(failure) = cell.attempts.last().and_then(|attempt| attempt.failure.as_ref()) {
        status.set_description(clean(&failure.text()).into_owned());
    }
    status.add_reruns(reruns);
    status
}

fn rerun(attempt: &Attempt) -> TestRerun {
    let mut rerun = TestRerun::new(NonSuccessKind::Error);
    rerun.set_type("infrastructure");
    rerun.set_message(attempt.reason.as_deref().map(one_line).unwrap_or_default());
    rerun.set_time(Duration::from_millis(attempt.took_ms));
    rerun
}
