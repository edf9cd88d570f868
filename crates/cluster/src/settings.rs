//! Where tools, images and charts come from: flags and environment, read once and passed on.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use crate::tools::Tool;

/// Chart repository used unless another is named.
pub const DEFAULT_CHART_REPO: &str = "https://helm.cilium.io/";

/// Folder of the ledger, below the folder the command is started in, unless another is named.
pub const DEFAULT_LEDGER: &str = "target/e2e/ledger";

/// Every environment variable that this crate reads, with what it is for. The one table, for help texts.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    ("IPAM_E2E_DOCKER", "path of the docker program"),
    ("IPAM_E2E_KIND", "path of the kind program"),
    ("IPAM_E2E_HELM", "path of the helm program"),
    ("IPAM_E2E_KUBECTL", "path of the kubectl program"),
    ("IPAM_E2E_NODE_IMAGE", "node image for kind (kind's own default otherwise)"),
    ("IPAM_E2E_CHART_DIR", "folder with cilium-VERSION.tgz charts"),
    ("IPAM_E2E_CHART_REPO", "Helm repository, where the chart folder lacks the version"),
    ("IPAM_E2E_REGISTRY_MIRROR", "registry that nodes ask first, as http(s)://host[:port][/path]"),
    ("IPAM_E2E_IMAGES", "how images reach kind's nodes: auto (share Docker's layers where that works) or stream"),
    ("IPAM_E2E_LEDGER_DIR", "folder of the ledger of clusters"),
    ("HTTP_PROXY", "handed on to docker, kind and helm, and by kind to the nodes"),
    ("HTTPS_PROXY", "as HTTP_PROXY"),
    ("NO_PROXY", "as HTTP_PROXY"),
];

/// How images that Docker has reach kind's nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImageMode {
    /// Nodes mount Docker's layers where Docker and nodes keep them alike; otherwise as [`ImageMode::Stream`].
    #[default]
    Auto,
    /// One archive of all images, imported by every node.
    Stream,
}

impl std::str::FromStr for ImageMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "stream" => Ok(Self::Stream),
            other => Err(format!("`{other}` is neither `auto` nor `stream`")),
        }
    }
}

/// A variable whose value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read {name}: {why}")]
pub struct SettingsError {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with it.
    pub why: String,
}

/// What may be said about the machine's surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Programs that are not to be looked for on `PATH`.
    pub programs: BTreeMap<Tool, Utf8PathBuf>,
    /// `PATH`, for looking up the others.
    pub path: String,
    /// Node image for kind.
    pub node_image: Option<String>,
    /// Folder with `cilium-VERSION.tgz`.
    pub chart_dir: Option<Utf8PathBuf>,
    /// Chart repository, asked when the folder does not have the chart.
    pub chart_repo: String,
    /// Registry that nodes ask before the public ones.
    pub registry_mirror: Option<String>,
    /// How images reach nodes.
    pub images: ImageMode,
    /// Proxy variables as given, keys as given. Programs inherit them; they are here for checks.
    pub proxies: BTreeMap<String, String>,
    /// Folder of the ledger.
    pub ledger_dir: Utf8PathBuf,
}

impl Settings {
    /// Reads settings through `lookup` (usually the process's environment). An empty value counts as absent.
    ///
    /// # Errors
    /// When a value cannot be used.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let get = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let programs =
            Tool::ALL.into_iter().filter_map(|tool| Some((tool, Utf8PathBuf::from(get(tool.env())?)))).collect();
        let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), get(name)?)))
            .collect();
        let images = get("IPAM_E2E_IMAGES").map_or(Ok(ImageMode::default()), |text| text.parse());
        let registry_mirror = get("IPAM_E2E_REGISTRY_MIRROR");
        if let Some(url) = &registry_mirror
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            let why = format!("`{url}` does not begin with http:// or https://");
            return Err(SettingsError { name: "IPAM_E2E_REGISTRY_MIRROR", why });
        }
        Ok(Self {
            programs,
            path: get("PATH").unwrap_or_default(),
            node_image: get("IPAM_E2E_NODE_IMAGE"),
            chart_dir: get("IPAM_E2E_CHART_DIR").map(Utf8PathBuf::from),
            chart_repo: get("IPAM_E2E_CHART_REPO").unwrap_or_else(|| DEFAULT_CHART_REPO.to_owned()),
            registry_mirror,
            images: images.map_err(|why| SettingsError { name: "IPAM_E2E_IMAGES", why })?,
            proxies,
            ledger_dir: get("IPAM_E2E_LEDGER_DIR").unwrap_or_else(|| DEFAULT_LEDGER.to_owned()).into(),
        })
    }

    /// The chart archive for a version in the chart folder, whether or not it exists.
    pub fn chart_file(&self, version: &str) -> Option<Utf8PathBuf> {
        self.chart_dir.as_deref().map(|dir: &Utf8Path| dir.join(format!("cilium-{version}.tgz")))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let map: BTreeMap<&str, &str> = pairs.iter().copied().collect();
        Settings::from_env(|name| map.get(name).map(|v| (*v).to_owned())).unwrap()
    }

    #[rstest]
    #[case("IPAM_E2E_IMAGES", "magic", "read IPAM_E2E_IMAGES: `magic` is neither `auto` nor `stream`")]
    #[case(
        "IPAM_E2E_REGISTRY_MIRROR",
        "mirror:5000",
        "read IPAM_E2E_REGISTRY_MIRROR: `mirror:5000` does not begin with http:// or https://"
    )]
    fn a_value_that_cannot_be_used_is_an_error(#[case] name: &str, #[case] value: &str, #[case] expected: &str) {
        let error = Settings::from_env(|n| (n == name).then(|| value.to_owned())).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn nothing_set_gives_the_documented_defaults() {
        let s = settings(&[]);
        assert_eq!(s.chart_repo, DEFAULT_CHART_REPO);
        assert_eq!(s.ledger_dir, Utf8PathBuf::from(DEFAULT_LEDGER));
        assert_eq!((s.node_image, s.chart_dir, s.registry_mirror), (None, None, None));
        assert!(s.programs.is_empty());
    }

    #[rstest]
    #[case("IPAM_E2E_NODE_IMAGE", "kindest/node:v1.34.4", |s: &Settings| s.node_image.clone())]
    #[case("IPAM_E2E_CHART_DIR", "/charts", |s: &Settings| s.chart_dir.clone().map(String::from))]
    #[case("IPAM_E2E_CHART_REPO", "oci://example.org/charts", |s: &Settings| Some(s.chart_repo.clone()))]
    #[case("IPAM_E2E_REGISTRY_MIRROR", "http://mirror.example:5000", |s: &Settings| s.registry_mirror.clone())]
    #[case("IPAM_E2E_LEDGER_DIR", "/var/ledger", |s: &Settings| Some(s.ledger_dir.to_string()))]
    #[case("IPAM_E2E_KIND", "/opt/kind", |s: &Settings| s.programs.get(&Tool::Kind).map(ToString::to_string))]
    #[case("https_proxy", "http://proxy:3128", |s: &Settings| s.proxies.get("https_proxy").cloned())]
    fn a_variable_reaches_its_field(
        #[case] name: &str,
        #[case] value: &str,
        #[case] field: fn(&Settings) -> Option<String>,
    ) {
        assert_eq!(field(&settings(&[(name, value)])).as_deref(), Some(value));
    }

    #[test]
    fn an_empty_variable_counts_as_absent() {
        let s = settings(&[("IPAM_E2E_NODE_IMAGE", " "), ("IPAM_E2E_CHART_REPO", "")]);
        assert_eq!(s.node_image, None);
        assert_eq!(s.chart_repo, DEFAULT_CHART_REPO);
    }

    #[test]
    fn the_chart_file_is_named_by_version() {
        let s = settings(&[("IPAM_E2E_CHART_DIR", "/charts")]);
        assert_eq!(s.chart_file("1.18.4"), Some("/charts/cilium-1.18.4.tgz".into()));
        assert_eq!(settings(&[]).chart_file("1.18.4"), None);
    }

    #[test]
    fn the_table_names_every_tool() {
        for tool in Tool::ALL {
            assert!(ENVIRONMENT.iter().any(|(name, _)| *name == tool.env()), "{tool} is missing");
        }
    }
}
