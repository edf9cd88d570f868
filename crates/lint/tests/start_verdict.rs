//! The operator's own start-up verdict on good and bad pool settings, against the linter's, for three versions.
//!
//! `data/start-verdicts.json` holds what real operators answered, to the letter; `record-start-verdicts` asks them again. The model must
//! say the same, and the linter must have an error exactly where the operator does not start.

use std::collections::{BTreeMap, BTreeSet};

use ipam::Release;
use ipam::operator::{Operator, OperatorConfig, Timing};
use lint::Severity;
use semver::Version;
use serde::Deserialize;

const VERSIONS: [&str; 3] = ["1.18.4", "1.19.1", "1.20.2"];

/// A setting, and what each operator made of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Keys of `cilium-config`; beside them, `ipam` is `cluster-pool`.
    data: BTreeMap<String, String>,
    /// By version; empty where the operator starts.
    verdicts: BTreeMap<String, String>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("data/start-verdicts.json")).expect("the recording is in the form of `Case`")
}

/// What the model's operator says; empty if it starts.
fn operator(data: &BTreeMap<String, String>, release: Release) -> String {
    match OperatorConfig::from_config_map(data, release) {
        Err(error) => error.to_string(),
        Ok(config) => match Operator::start(&config, release, Timing::default()) {
            Err(error) => error.to_string(),
            Ok(_) => String::new(),
        },
    }
}

/// What of a verdict is about the setting. 1.20 says around it which of its parts did not start, and how to write Go.
fn cause(verdict: &str) -> &str {
    let inner = verdict.strip_prefix("unable to init ClusterPool allocator: ").unwrap_or(verdict);
    let listed = inner.lines().find_map(|line| line.strip_prefix("* "));
    listed.map_or(inner, |line| line.trim_end_matches('.'))
}

#[test]
fn twenty_settings_and_more_were_put_to_each_version() {
    let cases = cases();
    assert!(cases.len() >= 20, "{} settings", cases.len());
    let different: BTreeSet<_> = cases.iter().map(|case| &case.data).collect();
    assert_eq!(different.len(), cases.len(), "a setting is there twice");
    for case in &cases {
        assert_eq!(case.verdicts.keys().map(String::as_str).collect::<Vec<_>>(), VERSIONS, "{}", case.name);
    }
    for version in VERSIONS {
        let bad = cases.iter().filter(|case| !case.verdicts[version].is_empty()).count();
        assert!(bad >= 8 && cases.len() - bad >= 8, "{version}: {bad} bad ones of {}", cases.len());
    }
}

#[test]
fn the_model_says_what_real_operators_said() {
    for case in cases() {
        for (version, verdict) in &case.verdicts {
            assert_eq!(operator(&case.data, version.parse().unwrap()), cause(verdict), "{} on {version}", case.name);
        }
    }
}

#[test]
fn the_linter_has_an_error_exactly_where_the_operator_does_not_start() {
    for case in cases() {
        let lines: String = case.data.iter().map(|(key, value)| format!("  {key}: \"{value}\"\n")).collect();
        let text = format!("kind: ConfigMap\nmetadata: {{name: cilium-config}}\ndata:\n{lines}");
        for (version, verdict) in &case.verdicts {
            let version: Version = version.parse().unwrap();
            let (settings, found) = lint::config_map("cm.yaml", text.as_bytes(), &version).unwrap();
            let report = lint::lint(&settings, None, found);
            let refused = report.count(Severity::Error) > 0;
            assert_eq!(refused, !verdict.is_empty(), "{} on {version}: {:#?}", case.name, report.findings);
        }
    }
}
