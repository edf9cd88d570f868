//! `kind/versions.yaml`: the versions that this project is run with.

use std::sync::LazyLock;

use semver::Version;
use serde::Deserialize;

/// The file, as it was when this was built.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Versions {
    pub(crate) cilium: Cilium,
    pub(crate) kubernetes: Kubernetes,
}

/// Cilium's versions.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Cilium {
    /// What a run takes where the command line does not say.
    pub(crate) default: Version,
    /// What every shipped scenario is run with on real clusters.
    pub(crate) proven: Vec<Version>,
}

/// Kubernetes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Kubernetes {
    /// kind's node image where nothing else is said.
    pub(crate) node_image: String,
}

static VERSIONS: LazyLock<Versions> = LazyLock::new(|| {
    // A test reads it too, so a build that was tested has a file that can be read.
    serde_yaml::from_str(include_str!("../../kind/versions.yaml"))
        .unwrap_or_else(|error| panic!("kind/versions.yaml: {error}"))
});

/// The file.
pub(crate) fn versions() -> &'static Versions {
    &VERSIONS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_proven_and_the_model_knows_every_version() {
        let cilium = &versions().cilium;
        assert!(cilium.proven.contains(&cilium.default));
        for version in &cilium.proven {
            assert!(version.to_string().parse::<ipam::Release>().is_ok(), "{version}");
        }
        assert!(versions().kubernetes.node_image.starts_with("kindest/node:v"));
    }
}
