//! Which values a chart has, and which it has no longer: data beside the code.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use semver::Version;
use serde::Deserialize;

/// The minors of Cilium 1 whose charts are known.
pub const CHARTS: [u64; 3] = [18, 19, 20];

/// A chart version whose keys are not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the keys of chart {0} are not known (known: 1.18, 1.19, 1.20, with any patch)")]
pub struct UnknownChart(pub Version);

/// A chart's keys. A scalar is `None`; a map into which anything may be put is empty.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Keys(pub(crate) BTreeMap<String, Option<Keys>>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chart {
    /// The version that they were taken from.
    #[serde(rename = "chart")]
    pub(crate) version: String,
    pub(crate) keys: Keys,
}

/// A key that later charts have no longer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Removed {
    pub(crate) key: String,
    /// The first minor without it.
    pub(crate) since: String,
    /// The minors whose chart fails over it; others ignore it.
    pub(crate) refused: Vec<String>,
    /// What took its place.
    pub(crate) instead: Option<String>,
    /// What says so.
    pub(crate) source: String,
}

#[expect(clippy::expect_used, reason = "data files of this crate, read by its tests")]
static DATA: LazyLock<(Vec<Chart>, Vec<Removed>)> = LazyLock::new(|| {
    let charts = [
        include_str!("../data/chart-1.18.json"),
        include_str!("../data/chart-1.19.json"),
        include_str!("../data/chart-1.20.json"),
    ];
    let charts = charts.map(|text| serde_json::from_str(text).expect("a data file of this crate"));
    let removed = serde_json::from_str(include_str!("../data/removed-keys.json")).expect("a data file of this crate");
    (charts.into(), removed)
});

/// The chart of that version's minor.
pub(crate) fn chart(version: &Version) -> Result<&'static Chart, UnknownChart> {
    let index = CHARTS.iter().position(|minor| version.major == 1 && *minor == version.minor);
    index.and_then(|index| DATA.0.get(index)).ok_or_else(|| UnknownChart(version.clone()))
}

/// Every key that the chart of that version has a value for, as a dotted path.
///
/// # Errors
/// When the chart is not known.
pub fn chart_keys(version: &Version) -> Result<BTreeSet<String>, UnknownChart> {
    fn walk(keys: &Keys, path: &str, all: &mut BTreeSet<String>) {
        for (key, below) in &keys.0 {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match below {
                Some(below) if !below.0.is_empty() => walk(below, &path, all),
                _ => drop(all.insert(path)),
            }
        }
    }
    let mut all = BTreeSet::new();
    walk(&chart(version)?.keys, "", &mut all);
    Ok(all)
}

/// What is known of a key that the chart of that version does not have.
pub(crate) fn removed(path: &str, version: &Version) -> Option<&'static Removed> {
    DATA.1.iter().find(|removed| removed.key == path && minor(&removed.since) <= version.minor)
}

/// The keys that were removed by that version.
pub(crate) fn all_removed() -> &'static [Removed] {
    &DATA.1
}

fn minor(text: &str) -> u64 {
    text.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(u64::MAX)
}

impl Removed {
    /// Whether the chart of that version fails over it.
    pub(crate) fn is_refused(&self, version: &Version) -> bool {
        self.refused.iter().any(|text| minor(text) == version.minor)
    }
}

impl Keys {
    /// Whether a dotted path is one of them.
    pub(crate) fn has(&self, path: &str) -> bool {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        match (self.0.get(first), rest) {
            (None, _) => false,
            (Some(Some(inner)), Some(rest)) => inner.0.is_empty() || inner.has(rest),
            (Some(_), None) => true,
            (Some(None), Some(_)) => false,
        }
    }

    /// Every path whose last part is `name`, whatever its case.
    pub(crate) fn paths_to(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (key, inner) in &self.0 {
            if key.eq_ignore_ascii_case(name) {
                found.push(key.clone());
            }
            if let Some(inner) = inner {
                found.extend(inner.paths_to(name).into_iter().map(|path| format!("{key}.{path}")));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(minor: u64) -> Version {
        Version::new(1, minor, 0)
    }

    #[test]
    fn every_known_chart_has_its_data() {
        for minor in CHARTS {
            let chart = chart(&version(minor)).unwrap();
            assert!(chart.version.starts_with(&format!("1.{minor}.")), "{}", chart.version);
            for path in
                ["ipam.mode", "ipam.operator.clusterPoolIPv4PodCIDRList", "cluster.name", "nodeSelector.my/label"]
            {
                assert!(chart.keys.has(path), "1.{minor}: {path}");
            }
            for path in ["ipam.operator.clusterPoolIPv4PodCIDR", "ipam.Mode", "ipam.mode.x", "nothing"] {
                assert!(!chart.keys.has(path), "1.{minor}: {path}");
            }
        }
        assert!(chart(&version(17)).unwrap_err().to_string().contains("known: 1.18, 1.19, 1.20"));
        assert!(chart(&Version::new(2, 18, 0)).is_err());
    }

    #[test]
    fn what_was_removed_is_not_there_and_what_took_its_place_is() {
        for removed in all_removed() {
            for minor in CHARTS {
                let chart = chart(&version(minor)).unwrap();
                if super::minor(&removed.since) <= minor {
                    assert!(!chart.keys.has(&removed.key), "1.{minor}: {}", removed.key);
                    assert!(super::removed(&removed.key, &version(minor)).is_some());
                    if let Some(instead) = &removed.instead {
                        assert!(chart.keys.has(instead), "1.{minor}: {instead}");
                    }
                } else {
                    assert!(chart.keys.has(&removed.key), "1.{minor}: {}", removed.key);
                }
            }
            assert!(!removed.source.is_empty());
        }
    }

    #[test]
    fn finds_a_key_that_stands_in_another_place() {
        let chart = chart(&version(20)).unwrap();
        assert_eq!(chart.keys.paths_to("clusterPoolIPv4PodCidrList"), ["ipam.operator.clusterPoolIPv4PodCIDRList"]);
    }
}
