//! `kind/versions.yaml`, and what a text on the command line means by it.

use semver::Version;

/// The file, as it was when this was built. `main` has looked at it before anything else.
pub(crate) fn versions() -> &'static versions::Catalogue {
    versions::known()
}

/// What a list of versions and ranges stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VersionList(pub(crate) Vec<Version>);

/// Value of a flag that takes one version: the version itself, or the newest known of a range, which is said.
pub(crate) fn one(text: &str) -> Result<Version, String> {
    said(versions::one(text, versions()))
}

/// The same for a cluster to play with, which takes a newer patch of a known minor as that minor.
pub(crate) fn one_or_newer_patch(text: &str) -> Result<Version, String> {
    said(versions::one_or_newer_patch(text, versions()))
}

fn said(one: Result<versions::One, versions::AskError>) -> Result<Version, String> {
    let one = one.map_err(|error| error.to_string())?;
    if let Some(note) = one.note {
        // Not on standard output: that may be JSON.
        eprintln!("note: {note}");
    }
    Ok(one.version)
}

/// Value of a flag that takes several: `1.18.4,1.20`, `>=1.18,<1.20`, `latest-patch-of 1.19`.
pub(crate) fn many(text: &str) -> Result<VersionList, String> {
    versions::many(text, versions()).map(VersionList).map_err(|error| error.to_string())
}

/// All of several such flags, each version once.
pub(crate) fn all(lists: &[VersionList]) -> Vec<Version> {
    let mut all = Vec::new();
    for version in lists.iter().flat_map(|list| &list.0) {
        if !all.contains(version) {
            all.push(version.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_knows_every_version_and_charts_come_from_where_the_file_says() {
        assert!(versions().all().count() > 10);
        for version in versions().all() {
            assert!(version.to_string().parse::<ipam::Release>().is_ok(), "{version}");
        }
        let chart = &versions().cilium.chart;
        assert_eq!(chart.repository, cluster::DEFAULT_CHART_REPO);
        let settings = cluster::Settings::from_env(|name| (name == "IPAM_E2E_CHART_DIR").then(|| "d".to_owned()));
        let file = settings.ok().and_then(|settings| settings.chart_file("VERSION"));
        assert_eq!(file, Some(camino::Utf8Path::new("d").join(&chart.file)));
    }

    #[test]
    fn lists_are_joined() {
        let lists = [many("1.20.2,1.18.4").unwrap(), many("1.20").unwrap()];
        let all: Vec<String> = all(&lists).iter().map(ToString::to_string).collect();
        assert_eq!(all, ["1.20.2", "1.18.4", "1.20.0", "1.20.1"]);
    }
}
