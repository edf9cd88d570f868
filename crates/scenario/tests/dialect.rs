//! One dialect: what serde-saphyr reads with our options is what the YAML organisation's library reads.

use camino::Utf8Path;
use rstest::rstest;
use scenario::model::Action;
use serde_json::{Value, json};

/// `value` as our reader sees it in Helm values, which are kept as JSON.
#[track_caller]
fn ours(value: &str) -> Value {
    let text = format!("name: x\nsummary: s\nsteps:\n  - upgrade:\n      value: {value}\n");
    let (scenario, diagnostics) = scenario::parse(Utf8Path::new("x.yaml"), text.as_bytes());
    let scenario = scenario.unwrap_or_else(|| panic!("{}", diagnostics[0].render()));
    let Action::Upgrade(values) = &scenario.steps[0].action else { panic!("an upgrade") };
    values["value"].clone()
}

#[rstest]
#[case("yes", json!("yes"))]
#[case("no", json!("no"))]
#[case("on", json!("on"))]
#[case("off", json!("off"))]
#[case("y", json!("y"))]
#[case("true", json!(true))]
#[case("False", json!(false))]
#[case("0755", json!("0755"))]
#[case("1_000", json!("1_000"))]
#[case("12", json!(12))]
#[case("-3", json!(-3))]
#[case("1.5", json!(1.5))]
#[case("1.20", json!(1.2))]
#[case("1.2.3", json!("1.2.3"))]
#[case("0x10", json!(16))]
#[case("1e3", json!(1000.0))]
#[case("~", json!(null))]
#[case("null", json!(null))]
#[case("", json!(null))]
#[case("\"\"", json!(""))]
#[case("'no'", json!("no"))]
#[case("2001-01-01", json!("2001-01-01"))]
#[case("12:30:45", json!("12:30:45"))]
#[case("fd00::/104", json!("fd00::/104"))]
#[case("10.0.0.0/8", json!("10.0.0.0/8"))]
#[case("a b # c", json!("a b"))]
#[case("[a, [b], {c: d}]", json!(["a", ["b"], {"c": "d"}]))]
#[case("|\n        a\n        b\n", json!("a\nb\n"))]
#[case(">-\n        a\n        b\n", json!("a b"))]
fn scalars(#[case] text: &str, #[case] expected: Value) {
    assert_eq!(ours(text), expected);
    let theirs: Value = serde_yaml::from_str(&format!("value: {text}\n")).unwrap();
    assert_eq!(theirs["value"], expected);
}

/// Our reader's view of a whole file: the same text as the single value of a Helm upgrade.
#[track_caller]
fn compare(text: &str) {
    let indented: String = text.lines().map(|line| format!("        {line}\n")).collect();
    let theirs: Value = serde_yaml::from_str(text).expect("YAML");
    assert_eq!(ours(&format!("\n{indented}")), theirs);
}

#[test]
fn every_form_is_read_alike() {
    compare(include_str!("samples/every-form.yaml"));
}

#[rstest]
fn shipped_scenarios_are_read_alike(#[files("../../scenarios/*/*.yaml")] path: std::path::PathBuf) {
    compare(&std::fs::read_to_string(path).unwrap());
}
