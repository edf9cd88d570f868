//! The JSON schema: committed, and it accepts what the parser accepts.

use rstest::rstest;
use scenario::schema;
use serde_json::Value;

fn valid(text: &str) -> Result<(), String> {
    let value: Value = serde_yaml::from_str(text).expect("YAML");
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("schema.json", schema::schema()).expect("a document");
    let mut schemas = boon::Schemas::new();
    let index = compiler.compile("schema.json", &mut schemas).expect("a schema");
    schemas.validate(&value, index).map_err(|error| format!("{error:#}"))
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let committed = std::fs::read_to_string("../../scenarios/schema.json").unwrap();
    assert!(committed == schema::text(), "scenarios/schema.json is out of date: cargo xtask schema");
}

#[test]
fn every_form_is_valid() {
    assert_eq!(valid(include_str!("samples/every-form.yaml")), Ok(()));
}

#[rstest]
fn shipped_scenarios_are_valid(#[files("../../scenarios/*/*.yaml")] path: std::path::PathBuf) {
    assert_eq!(valid(&std::fs::read_to_string(path).unwrap()), Ok(()));
}

/// What the schema alone shows in an editor.
#[rstest]
#[case::unknown_field("name: x\nsummary: s\nsumary: t\nsteps: [{cordon: worker}]")]
#[case::no_steps("name: x\nsummary: s\nsteps: []")]
#[case::missing_summary("name: x\nsteps: [{cordon: worker}]")]
#[case::bad_name("name: X\nsummary: s\nsteps: [{cordon: worker}]")]
#[case::unknown_mode("name: x\nsummary: s\ncilium: {ipam: {mode: cluster-role}}\nsteps: [{cordon: worker}]")]
#[case::unknown_action("name: x\nsummary: s\nsteps: [{cordn: worker}]")]
#[case::no_action("name: x\nsummary: s\nsteps: [{name: a}]")]
#[case::two_actions("name: x\nsummary: s\nsteps: [{cordon: worker, uncordon: worker}]")]
#[case::within_outside("name: x\nsummary: s\nsteps: [{expect: {config: {a: b}}, within: 5s}]")]
#[case::no_checks("name: x\nsummary: s\nsteps: [{expect: {within: 5s}}]")]
#[case::two_timings("name: x\nsummary: s\nsteps: [{expect: {config: {a: b}, holds: 5s, never: 5s}}]")]
#[case::no_quantifier("name: x\nsummary: s\nsteps: [{expect: {podIPs: {of: alpine}}}]")]
#[case::exactly_without_count(
    "name: x\nsummary: s\nsteps: [{expect: {podIPs: {of: alpine, exactly: {within: pool}}}}]"
)]
#[case::wait_for_two("name: x\nsummary: s\nsteps: [{wait: {settled: 5s, ready: [coredns]}}]")]
#[case::allow_of_an_error("name: x\nsummary: s\nallow: {wrong-type: a}\nsteps: [{cordon: worker}]")]
#[case::expect_a_word("name: x\nsummary: s\nsteps: [{expect: modle}]")]
#[case::unknown_invariant("name: x\nsummary: s\ninvariants: {off: {peace: a}}\nsteps: [{cordon: worker}]")]
fn wrong_files_are_invalid(#[case] text: &str) {
    assert!(valid(text).is_err());
}

#[test]
fn everything_is_described() {
    let schema = schema::schema();
    let mut bare = Vec::new();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        for (field, property) in definition["properties"].as_object().into_iter().flatten() {
            if property["description"].as_str().is_none_or(str::is_empty) {
                bare.push(format!("{name}.{field}"));
            }
        }
    }
    assert!(bare.is_empty(), "without description: {bare:?}");
}
