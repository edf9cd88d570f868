//! All that is said about settings.

use cilium::values::ChartError;
use serde::Serialize;

use crate::capacity::capacity;
use crate::change::preview_of;
use crate::checks;
use crate::{Capacity, Finding, Origin, Preview, Settings, Severity};

/// What the linter says about one thing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// A file, a context.
    pub subject: String,
    /// Cilium's version.
    pub version: String,
    /// The IPAM mode.
    pub mode: String,
    /// By place and code.
    pub findings: Vec<Finding>,
    /// The room in the pools, in cluster-pool mode.
    pub capacity: Vec<Capacity>,
    /// What becomes of each node, where there is a cluster to hold the settings against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
    /// What could not be looked at, and why.
    #[serde(rename = "notChecked", skip_serializing_if = "Vec::is_empty")]
    pub not_checked: Vec<String>,
}

/// Applies every rule. `refused` is what the chart said to the values, `found` what was found while reading.
pub fn lint(settings: &Settings, refused: Option<&ChartError>, found: Vec<Finding>) -> Report {
    let mut findings = found;
    if let Origin::Values { document, .. } = &settings.origin {
        checks::chart_keys(document, &settings.version, &settings.top, &mut findings);
    }
    if let Origin::Scenario { own: Some(own), .. } = &settings.origin {
        checks::chart_keys(own, &settings.version, &settings.top, &mut findings);
    }
    if let Some(error) = refused {
        findings.extend(checks::refused(settings, error));
    }
    let capacity = capacity(settings);
    findings.extend(checks::all(settings, &capacity));
    let preview = preview_of(settings);
    if let Some(preview) = &preview {
        findings.extend(checks::against(settings, preview));
    }
    findings.sort_by(|a, b| (&a.place, a.code, &a.message).cmp(&(&b.place, b.code, &b.message)));
    findings.dedup();
    let not_checked = preview.iter().filter_map(|preview| preview.not_covered.clone()).collect();
    Report {
        subject: settings.name.clone(),
        version: settings.version.to_string(),
        mode: settings.mode().to_owned(),
        findings,
        capacity,
        preview,
        not_checked,
    }
}

impl Report {
    /// How many findings there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}
