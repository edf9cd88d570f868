//! What an earlier run saw of a scenario: its events, and the evidence beside them.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use events::{ClusterKind, Event, EventKind, Failure, Outcome};
use report::ndjson;

/// What an earlier run saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The run's own events and the scenario's.
    pub events: Vec<Event>,
    /// Evidence, by path in the scenario's folder.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
}

/// A run that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ObservedError {
    /// No recording, or one that cannot be read.
    #[error("{dir} is not the folder of a run")]
    NoRun {
        /// The folder.
        dir: Utf8PathBuf,
        /// Why.
        #[source]
        source: ndjson::ReadError,
    },
    /// It ran other scenarios.
    #[error("the run in {dir} has no scenario {scenario}; it has {known}")]
    NoScenario {
        /// The folder.
        dir: Utf8PathBuf,
        /// Asked for.
        scenario: String,
        /// What it has.
        known: String,
    },
    /// A file of it cannot be read.
    #[error("reading {path}")]
    File {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Bytes that are taken of one file: of a log that is longer, its end.
const LONGEST: usize = 8 << 20;
/// What is taken of a scenario's folder: nothing that lets one into a cluster, and nothing that is only the machine's.
const FILES: [&str; 3] = ["recording.ndjson", "cilium-config.json", "agents.json"];
const FOLDERS: [&str; 3] = ["logs", "agents", "objects"];

impl Observed {
    /// Reads a run's folder.
    ///
    /// # Errors
    /// A folder without a run, a run without the scenario, a file that cannot be read.
    pub fn read(dir: &Utf8Path, scenario: &str) -> Result<Self, ObservedError> {
        let recording = ndjson::read(&dir.join(ndjson::FILE_NAME))
            .map_err(|source| ObservedError::NoRun { dir: dir.to_owned(), source })?;
        let known = recording.events.iter().find_map(|event| match &event.kind {
            EventKind::RunStarted { scenarios, .. } => Some(scenarios.clone()),
            _ => None,
        });
        let known = known.unwrap_or_default();
        if !known.iter().any(|one| one == scenario) {
            let (dir, scenario) = (dir.to_owned(), scenario.to_owned());
            return Err(ObservedError::NoScenario { dir, scenario, known: known.join(", ") });
        }
        let own = |event: &Event| event.scenario.as_deref().is_none_or(|name| name == scenario);
        let events = recording.events.into_iter().filter(own).collect();
        let mut observed = Self { events, files: BTreeMap::new(), left_out: Vec::new() };
        let folder = dir.join(scenario);
        for name in FILES {
            observed.take(&folder, Utf8Path::new(name))?;
        }
        for name in FOLDERS {
            observed.walk(&folder, Utf8Path::new(name))?;
        }
        Ok(observed)
    }

    fn walk(&mut self, folder: &Utf8Path, path: &Utf8Path) -> Result<(), ObservedError> {
        let failed = |source| ObservedError::File { path: folder.join(path), source };
        let entries = match folder.join(path).read_dir_utf8() {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let path = path.join(entry.file_name());
            if entry.file_type().map_err(failed)?.is_dir() {
                self.walk(folder, &path)?
            } else {
                self.take(folder, &path)?
            }
        }
        Ok(())
    }

    fn take(&mut self, folder: &Utf8Path, path: &Utf8Path) -> Result<(), ObservedError> {
        // What Secrets hold is in no evidence; neither is it here, if it should be.
        if path.file_stem() == Some("Secret") {
            return Ok(());
        }
        match fs_err::read(folder.join(path)) {
            Ok(bytes) => {
                let bytes = match bytes.len().checked_sub(LONGEST) {
                    None | Some(0) => bytes,
                    // Half a recording would be a false one; half a log is still one.
                    Some(_) if !path.starts_with("logs") => {
                        self.left_out.push(format!("{path}: {} bytes are more than is taken", bytes.len()));
                        return Ok(());
                    }
                    Some(over) => {
                        self.left_out.push(format!("{path}: its first {over} bytes"));
                        bytes[over..].to_vec()
                    }
                };
                self.files.insert(path.to_string(), bytes);
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(ObservedError::File { path: folder.join(path), source }),
        }
    }

    /// Cilium's version and the kind of cluster then.
    pub fn circumstances(&self) -> Option<(&str, ClusterKind, Option<&str>)> {
        self.events.iter().find_map(|event| match &event.kind {
            EventKind::RunStarted { cilium, cluster, notice, .. } => {
                Some((cilium.as_str(), *cluster, notice.as_deref()))
            }
            _ => None,
        })
    }

    /// How the scenario ended.
    pub fn outcome(&self) -> Option<Outcome> {
        self.events.iter().find_map(|event| match &event.kind {
            EventKind::ScenarioEnded { outcome, .. } => Some(*outcome),
            _ => None,
        })
    }

    /// Why it did not pass.
    pub fn failure(&self) -> Option<&Failure> {
        self.events.iter().find_map(|event| match &event.kind {
            EventKind::Failed { failure } => Some(failure),
            _ => None,
        })
    }
}
