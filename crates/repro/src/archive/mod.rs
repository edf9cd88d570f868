//! One file with everything: a gzipped tar with one folder in it, and a list of its files.
//!
//! ```text
//! NAME-VERSION/
//!   manifest.json     format, tool, scenario, version, the list of files
//!   README.md         the text of an issue
//!   repro.sh          runs without this project
//!   scenario.yaml  values.json  kind.json
//!   observed/         what an earlier run saw, if one was given: events, recording, logs, objects
//! ```

mod read;
mod write;

pub use read::{Limits, ReadError, read};
pub use write::write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Version of the archive's layout.
pub const FORMAT: u32 = 1;
/// The list of files.
pub const MANIFEST: &str = "manifest.json";
/// The issue's text.
pub const README: &str = "README.md";
/// The script.
pub const SCRIPT: &str = "repro.sh";
/// The scenario.
pub const SCENARIO: &str = "scenario.yaml";
/// Helm's values.
pub const VALUES: &str = "values.json";
/// kind's configuration.
pub const KIND: &str = "kind.json";
/// Where what was seen is.
pub const OBSERVED: &str = "observed/";

/// What an archive says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// See [`FORMAT`].
    pub format: u32,
    /// Version of this tool that wrote it.
    pub tool: String,
    /// The scenario's name.
    pub scenario: String,
    /// Cilium's version.
    pub cilium: String,
    /// When it was written.
    pub created: jiff::Timestamp,
    /// Size of each other file.
    pub files: BTreeMap<String, u64>,
}

/// An archive in memory: paths inside its folder, and what they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// What it says of itself.
    pub manifest: Manifest,
    /// All files but the manifest.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Archive {
    /// A file as text; what is not UTF-8 in it is replaced.
    pub fn text(&self, path: &str) -> Option<String> {
        self.files.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests;
