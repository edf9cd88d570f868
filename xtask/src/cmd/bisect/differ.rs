//! What differs between the two sides, besides Cilium's code: the data of `cilium-config` and the chart's own values.

use std::collections::BTreeMap;

use bisect::{Candidate, Change, Conclusion};
use events::ClusterKind;
use scenario::Scenario;
use serde_json::{Map, Value};

use super::Settings;
use super::keep::Kept;
use crate::versions::versions;

/// The template that becomes `cilium-config`.
const TEMPLATE: &str = "templates/cilium-configmap.yaml";

/// Both, with where they come from; or why they are not known.
pub(super) struct Differences {
    /// `as Helm renders them`.
    pub(super) source: String,
    pub(super) config: Result<Vec<Change>, String>,
    pub(super) values: Result<Vec<Change>, String>,
}

pub(super) fn differences(
    kept: &Kept,
    scenario: &Scenario,
    conclusion: &Conclusion,
    settings: &Settings,
) -> Differences {
    let sides = [conclusion.before, conclusion.after].map(|place| &kept.search.candidates[place]);
    let values = predict::installation(scenario);
    if kept.cluster != ClusterKind::Sim {
        let charts = charts(&sides, &values, settings);
        if charts.config.is_ok() || charts.values.is_ok() {
            return charts;
        }
        let why = charts.config.err().unwrap_or_default();
        let known = known(&sides, &values);
        return Differences { source: format!("{}, since Helm says nothing ({why})", known.source), ..known };
    }
    known(&sides, &values)
}

/// As the charts have it.
fn charts(sides: &[&Candidate; 2], values: &Map<String, Value>, settings: &Settings) -> Differences {
    let source = "as the two charts have them, rendered with the scenario's values".to_owned();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let why = error.to_string();
            return Differences { source, config: Err(why.clone()), values: Err(why) };
        }
    };
    let kubernetes = versions().kubernetes.default.to_string();
    let config = sides.map(|side| {
        let text = runtime.block_on(cluster::helm::render(
            settings.clone(),
            &side.version.to_string(),
            TEMPLATE,
            &kubernetes,
            values,
        ))?;
        let map: Value = serde_yaml::from_str(&text).map_err(|error| format!("{TEMPLATE} of {side}: {error}"))?;
        Ok(bisect::flatten(&map["data"]))
    });
    let shipped = sides.map(|side| {
        let text = runtime.block_on(cluster::helm::chart_values(settings.clone(), &side.version.to_string()))?;
        let all: Value = serde_yaml::from_str(&text).map_err(|error| format!("values.yaml of {side}: {error}"))?;
        Ok(bisect::flatten(&all))
    });
    Differences { source, config: compare(config), values: compare(shipped) }
}

/// As far as this project knows the charts: by minor release, and of values only which there are.
fn known(sides: &[&Candidate; 2], values: &Map<String, Value>) -> Differences {
    let config = sides.map(|side| {
        cilium::values::configmap_for(values, &side.version).map_err(|error| format!("chart of {side}: {error}"))
    });
    let keys = sides.map(|side| lint::chart_keys(&side.version).map_err(|error| error.to_string()));
    let [before, after] = keys;
    Differences {
        source: "as this project knows the charts, by minor release".to_owned(),
        config: compare(config),
        values: before.and_then(|before| Ok(bisect::missing(&before, &after?))),
    }
}

fn compare(sides: [Result<BTreeMap<String, String>, String>; 2]) -> Result<Vec<Change>, String> {
    let [before, after] = sides;
    Ok(bisect::differences(&before?, &after?))
}
