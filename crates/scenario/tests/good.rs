//! Files that are right.

use camino::Utf8Path;
use scenario::model::*;
use scenario::{Diagnostic, Scenario, parse};

const EVERY_FORM: &str = include_str!("samples/every-form.yaml");

#[track_caller]
fn good(path: &str, text: &str) -> Scenario {
    let (scenario, diagnostics) = parse(Utf8Path::new(path), text.as_bytes());
    let rendered: String = diagnostics.iter().map(Diagnostic::render).collect();
    assert!(diagnostics.is_empty(), "{rendered}");
    scenario.expect("no diagnostics, so a scenario")
}

#[test]
fn every_form_is_read() {
    let scenario = good("scenarios/every-form.yaml", EVERY_FORM);
    let titles: Vec<String> = scenario.steps.iter().map(|step| format!("{:>2} {}", step.line, step.title())).collect();
    insta::assert_snapshot!(titles.join("\n"), @"");
}
