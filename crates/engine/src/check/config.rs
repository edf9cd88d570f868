//! `config`: keys of `cilium-config`.

use std::collections::BTreeMap;

use scenario::model::{Quantity, ValueMatcher};

use super::{Context, Subject, Verdict};

pub(super) fn evaluate(context: &Context<'_>, keys: &BTreeMap<String, ValueMatcher>) -> Verdict {
    if context.world.config.is_empty() {
        return Verdict::nothing("ConfigMap/kube-system/cilium-config");
    }
    let subjects: Vec<Subject> = keys
        .iter()
        .map(|(key, matcher)| {
            let observed = context.world.config_value(key);
            let (expected, matches) = match matcher {
                ValueMatcher::Equal(value) => (format!("\"{value}\""), observed == Some(value.as_str())),
                ValueMatcher::Absent => ("no such key".to_owned(), observed.is_none()),
            };
            Subject {
                object: "ConfigMap/kube-system/cilium-config".to_owned(),
                field: format!("data.{key}"),
                expected,
                observed: observed.map_or_else(|| "no such key".to_owned(), |value| format!("\"{value}\"")),
                matches: Some(matches),
            }
        })
        .collect();
    Verdict::quantify(Quantity::Every, "keys of cilium-config", &subjects)
}
