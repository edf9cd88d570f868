//! The JSON schema of scenario files, made from the raw form.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::check::{ACTIONS, CHECKS};
use crate::codes;
use crate::model::IpamMode;
use crate::raw::RawScenario;

/// The schema.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<RawScenario>();
    schema.insert("title".to_owned(), json!("A scenario of cilium-ipam-e2e"));
    schema.to_value()
}

/// The schema as it is kept in `scenarios/schema.json`.
pub fn text() -> String {
    format!("{:#}\n", schema())
}

/// Names of the IPAM modes, for the schema.
pub(crate) fn modes() -> Vec<&'static str> {
    IpamMode::ALL.iter().map(|mode| mode.as_str()).collect()
}

/// The codes that `allow` may name.
pub(crate) fn allowable() -> Value {
    let own = codes::ALL.iter().filter(|code| code.allowable).map(|code| code.name);
    let names: Vec<&str> = own.chain(codes::DOMAIN.iter().copied()).collect();
    json!({"enum": names})
}

/// The invariants that `invariants.off` may name.
pub(crate) fn invariants() -> Value {
    json!({"enum": events::Invariant::names().collect::<Vec<_>>()})
}

fn one_required(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| json!({"required": [name]})).collect()
}

/// Exactly one of a step's actions.
pub(crate) fn exactly_one_action(schema: &mut Schema) {
    schema.insert("oneOf".to_owned(), Value::Array(one_required(&ACTIONS)));
    // The deadline of an expect is written inside it.
    let inside = json!({"required": ["expect", "within"], "properties": {"expect": {"type": "object"}}});
    schema.insert("not".to_owned(), inside);
}

/// At least one of an expect's checks, and not both timings.
pub(crate) fn at_least_one_check(schema: &mut Schema) {
    schema.insert("anyOf".to_owned(), Value::Array(one_required(&CHECKS)));
    schema.insert("not".to_owned(), json!({"required": ["holds", "never"]}));
}

/// At least one of a check's quantifiers.
pub(crate) fn at_least_one_quantifier(schema: &mut Schema) {
    schema.insert("anyOf".to_owned(), Value::Array(one_required(&["every", "some", "none", "exactly"])));
}
