//! The file: what it says, in types.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use semver::Version;
use serde::Deserialize;

use crate::FILE;

/// `kind/versions.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Catalogue {
    /// Cilium's versions.
    pub cilium: Cilium,
    /// Kubernetes' versions.
    pub kubernetes: Kubernetes,
}

/// Cilium's versions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cilium {
    /// What a run takes where the command line does not say.
    pub default: Version,
    /// What every shipped scenario is run with on real clusters.
    pub proven: Vec<Version>,
    /// Where charts come from.
    pub chart: Chart,
    /// Names of the images of an installation, without tags.
    pub images: Vec<String>,
    /// Minor releases, oldest first.
    pub releases: Vec<Release>,
}

/// Where charts come from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chart {
    /// Name of the archive in the chart folder, with `VERSION` in it.
    pub file: String,
    /// Helm repository, for versions that the folder does not have.
    pub repository: String,
}

/// A minor release of Cilium.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Release {
    /// Which.
    pub minor: Minor,
    /// Its known patches, lowest first.
    pub patches: Vec<u64>,
    /// The minors of Kubernetes that clusters with it are made of.
    pub kubernetes: Vec<Minor>,
    /// Why it is known without clusters.
    pub why: Option<String>,
}

/// Kubernetes' versions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kubernetes {
    /// What a kind cluster has where nothing else is said.
    pub default: Version,
    /// kind's node images.
    pub node_images: BTreeMap<Version, String>,
}

/// `1.18`: a minor release of whatever it is a version of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Minor {
    /// 1 in 1.18.
    pub major: u64,
    /// 18 in 1.18.
    pub minor: u64,
}

/// The file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{FILE}: {0}")]
pub struct FileError(String);

impl Catalogue {
    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        serde_yaml::from_str(text).map_err(|error| FileError(error.to_string()))
    }

    /// Every known version of Cilium, oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = Version> + '_ {
        self.cilium.releases.iter().flat_map(Release::versions)
    }

    /// Those that clusters are made with, oldest first.
    pub fn with_clusters(&self) -> impl DoubleEndedIterator<Item = Version> + '_ {
        self.cilium.releases.iter().filter(|release| !release.kubernetes.is_empty()).flat_map(Release::versions)
    }

    /// Whether this very version is known.
    pub fn knows(&self, version: &Version) -> bool {
        version.pre.is_empty() && self.release(version).is_some_and(|release| release.patches.contains(&version.patch))
    }

    /// The minor release that a version belongs to.
    pub fn release(&self, version: &Version) -> Option<&Release> {
        let minor = Minor { major: version.major, minor: version.minor };
        self.cilium.releases.iter().find(|release| release.minor == minor)
    }

    /// The known version next to this one: first of its own minor, then of the minor next to that; of two as near, the older.
    pub fn nearest(&self, version: &Version) -> Option<Version> {
        let distance = |known: &Version| {
            let minor = known.minor.abs_diff(version.minor);
            (
                known.major.abs_diff(version.major),
                minor,
                if minor == 0 { known.patch.abs_diff(version.patch) } else { 0 },
            )
        };
        let best = self.all().map(|known| distance(&known)).min()?;
        let mut near = self.all().filter(|known| distance(known) == best);
        // Of another minor there are many as near: its newest, if that minor is older, is what came just before.
        if best.1 > 0 { near.next_back() } else { near.next() }
    }

    /// `1.16.0 to 1.16.12, 1.17.0 to 1.17.4, ...`: all known versions, for messages.
    pub fn in_words(&self) -> String {
        let spans = self.cilium.releases.iter().filter_map(|release| {
            let (first, last) = (release.patches.first()?, release.patches.last()?);
            let minor = release.minor;
            Some(if first == last { format!("{minor}.{first}") } else { format!("{minor}.{first} to {minor}.{last}") })
        });
        spans.collect::<Vec<_>>().join(", ")
    }

    /// Images of an installation of this version (or of this tag, as it is).
    pub fn images(&self, tag: &str) -> Vec<String> {
        self.cilium.images.iter().map(|name| format!("{name}:{tag}")).collect()
    }

    /// Whether clusters of this version of Cilium are made of this version of Kubernetes.
    pub fn supports(&self, cilium: &Version, kubernetes: &Version) -> bool {
        let minor = Minor { major: kubernetes.major, minor: kubernetes.minor };
        self.release(cilium).is_some_and(|release| release.kubernetes.contains(&minor))
    }
}

impl Kubernetes {
    /// kind's node image where nothing else is said.
    pub fn node_image(&self) -> &str {
        // That there is one is checked by a test of the file.
        self.node_images.get(&self.default).map(String::as_str).unwrap_or_default()
    }
}

impl Release {
    /// Its known versions, oldest first.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = Version> + '_ {
        self.patches.iter().map(|patch| Version::new(self.minor.major, self.minor.minor, *patch))
    }
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Minor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.trim();
        let bare = bare.strip_prefix('v').unwrap_or(bare);
        let numbers = bare.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        let (major, minor) =
            numbers.ok_or_else(|| format!("\"{text}\" is not a minor release: write one such as 1.19"))?;
        Ok(Self { major, minor })
    }
}

impl TryFrom<String> for Minor {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
