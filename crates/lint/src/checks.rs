//! The rules, each a function of the settings.

mod around;
mod change;
mod config_keys;
mod keys;
mod mode;
mod pools;
mod room;

use cilium::values::ChartError;

use crate::document::Node;
use crate::rules;
use crate::{Capacity, Finding, Place, Preview, Settings};

pub(crate) use keys::{chart_keys, chart_refuses};

/// Every rule that needs nothing but the settings.
pub(crate) fn all(settings: &Settings, capacity: &[Capacity]) -> Vec<Finding> {
    let mut findings = Vec::new();
    mode::check(settings, &mut findings);
    config_keys::check(settings, &mut findings);
    if settings.is_cluster_pool() {
        pools::check(settings, &mut findings);
        around::check(settings, &mut findings);
        room::check(settings, capacity, &mut findings);
    }
    findings
}

/// The rules about a running cluster and the change to it.
pub(crate) fn against(settings: &Settings, preview: &Preview) -> Vec<Finding> {
    change::check(settings, preview)
}

/// Data of a ConfigMap that is not a text.
pub(crate) fn unreadable_data(key: &str, node: &Node, place: Place) -> Finding {
    let message = format!("`{key}` must be a text, not {}: the API server does not take it", node.describe());
    let finding = Finding::new(&rules::UNREADABLE_VALUE, place, message);
    match &node.value {
        crate::document::Shape::List(_) | crate::document::Shape::Map(_) => finding.help("write one text, in quotes"),
        _ => finding.help(format!("write `{key}: \"{}\"`", node.to_json())),
    }
}

/// What the chart refuses, as findings.
pub(crate) fn refused(settings: &Settings, error: &ChartError) -> Vec<Finding> {
    chart_refuses(settings, error)
}
