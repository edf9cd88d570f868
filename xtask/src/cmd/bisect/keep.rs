//! A search on disk: written whole after each run, so that what is there is always a search.

use std::fs::File;
use std::io::Write as _;

use anyhow::{Context, Result};
use bisect::{Run, Search};
use camino::{Utf8Path, Utf8PathBuf};
use events::ClusterKind;
use serde::{Deserialize, Serialize};

use crate::outcome::BadInput;

/// The file in the search's folder.
const FILE: &str = "bisect.json";

/// Everything that a search needs to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kept {
    /// [`bisect::FORMAT`].
    pub(super) format: u32,
    /// The scenario's name.
    pub(super) scenario: String,
    /// Its file.
    pub(super) file: Utf8PathBuf,
    /// The file's text: a search over two scenarios would find nothing.
    pub(super) text: String,
    /// Kind of cluster.
    pub(super) cluster: ClusterKind,
    /// kubeconfig context, on an existing cluster.
    pub(super) context: Option<String>,
    /// Of the simulation.
    pub(super) seed: Option<u64>,
    /// Of the simulation.
    pub(super) faults: Vec<String>,
    /// Stretches every deadline.
    pub(super) timeout_scale: f64,
    /// Whether each run gets a new cluster.
    #[serde(default)]
    pub(super) fresh: bool,
    /// Candidates and runs.
    pub(super) search: Search,
}

/// A search with its folder, which no other process writes to.
pub(super) struct Keeper {
    pub(super) dir: Utf8PathBuf,
    pub(super) kept: Kept,
    /// Held as long as this lives.
    _lock: File,
}

impl Keeper {
    /// A new search in a new folder.
    pub(super) fn create(dir: Utf8PathBuf, kept: Kept) -> Result<Self> {
        fs_err::create_dir_all(&dir).with_context(|| format!("create folder {dir}"))?;
        if dir.join(FILE).exists() {
            let text =
                format!("{dir} has a search already: --resume {dir} goes on with it; --report-dir names another");
            return Err(BadInput(text).into());
        }
        let keeper = Self { _lock: lock(&dir)?, dir, kept };
        keeper.save()?;
        Ok(keeper)
    }

    /// A search that is there.
    pub(super) fn open(dir: &Utf8Path) -> Result<Self> {
        let path = dir.join(FILE);
        if !path.is_file() {
            return Err(BadInput(format!("--resume {dir}: there is no search, no {FILE}, in it")).into());
        }
        let lock = lock(dir)?;
        let text = fs_err::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let bad = |why: String| BadInput(format!("{path}: {why}"));
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        if let Some(newer) = value["format"].as_u64().filter(|format| *format > u64::from(bisect::FORMAT)) {
            let ours = bisect::FORMAT;
            return Err(bad(format!(
                "written by a newer version of this tool (format {newer}, this one reads {ours})"
            ))
            .into());
        }
        let kept: Kept = serde_json::from_value(value).map_err(|error| bad(error.to_string()))?;
        let count = kept.search.candidates.len();
        if count < 2 || kept.search.runs.iter().any(|run| run.candidate >= count) {
            return Err(bad("its runs and candidates do not belong together".to_owned()).into());
        }
        Ok(Self { dir: dir.to_owned(), kept, _lock: lock })
    }

    /// Adds a run, on disk first of all.
    pub(super) fn add(&mut self, run: Run) -> Result<()> {
        self.kept.search.runs.push(run);
        self.save()
    }

    /// The folder for the next run, in that of the search: one that is not there, for a run that was killed may have left its own.
    pub(super) fn run_dir(&self, candidate: usize) -> Result<String> {
        let search = &self.kept.search;
        let name = search.candidates[candidate].to_string().replace(['@', ':', '/'], "-");
        let number = search.runs.len() + 1;
        let names = (1..).map(|attempt| match attempt {
            1 => format!("{number:02}-{name}"),
            _ => format!("{number:02}-{name}-{attempt}"),
        });
        let free = names.take(1000).find(|name| !self.dir.join(name).exists());
        free.with_context(|| format!("{} has a thousand runs of {name}", self.dir))
    }

    /// Writes a file beside the search.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.dir.join(name);
        fs_err::write(&path, text).with_context(|| format!("write {path}"))
    }

    /// Whole or not at all: a new file takes the place of the old one once it is on the disk.
    fn save(&self) -> Result<()> {
        let path = self.dir.join(FILE);
        let new = self.dir.join(format!("{FILE}.new"));
        let text = serde_json::to_vec_pretty(&self.kept).context("write the search")?;
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&new)?;
            file.write_all(&text)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
            File::open(&self.dir)?.sync_all()
        };
        write().with_context(|| format!("write {path}"))
    }
}

/// One process at a time. The system lets go of it, however the process ends.
fn lock(dir: &Utf8Path) -> Result<File> {
    let path = dir.join("lock");
    let file = File::create(&path).with_context(|| format!("create {path}"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(BadInput(format!("{dir}: another process goes on with this search")).into())
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("lock {path}")),
    }
}

#[cfg(test)]
mod tests {
    use bisect::{Candidate, Direction, Verdict};

    use super::*;

    fn kept() -> Kept {
        let candidates = ["1.18.4", "1.19.1", "1.20.2"].map(|text| Candidate::release(text.parse().unwrap()));
        let search = Search {
            candidates: candidates.into(),
            direction: Direction::Break,
            repeat: 2,
            retries: 1,
            runs: Vec::new(),
        };
        Kept {
            format: bisect::FORMAT,
            scenario: "a".to_owned(),
            file: "a.yaml".into(),
            text: "name: a\n".to_owned(),
            cluster: ClusterKind::Sim,
            context: None,
            seed: None,
            faults: Vec::new(),
            timeout_scale: 1.0,
            fresh: false,
            search,
        }
    }

    fn home() -> (tempfile::TempDir, Utf8PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(home.path().join("search")).unwrap();
        (home, dir)
    }

    #[test]
    fn what_was_added_is_there_when_it_is_opened_again() {
        let (_home, dir) = home();
        let mut keeper = Keeper::create(dir.clone(), kept()).unwrap();
        keeper
            .add(Run { candidate: 2, verdict: Verdict::Good, dir: "01-1.20.2".to_owned(), took_ms: 5, cluster: None })
            .unwrap();
        let written = keeper.kept.clone();
        let error = Keeper::open(&dir).err().unwrap().to_string();
        assert!(error.contains("another process"), "{error}");
        drop(keeper);
        assert_eq!(Keeper::open(&dir).unwrap().kept, written);
        let error = Keeper::create(dir, kept()).err().unwrap().to_string();
        assert!(error.contains("has a search already"), "{error}");
    }

    #[test]
    fn a_folder_that_a_killed_run_left_is_not_used_again() {
        let (_home, dir) = home();
        let keeper = Keeper::create(dir.clone(), kept()).unwrap();
        assert_eq!(keeper.run_dir(1).unwrap(), "01-1.19.1");
        std::fs::create_dir(dir.join("01-1.19.1")).unwrap();
        assert_eq!(keeper.run_dir(1).unwrap(), "01-1.19.1-2");
    }

    #[test]
    fn what_is_no_search_is_refused() {
        let (_home, dir) = home();
        let refused = |text: &str, why: &str| {
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join(FILE), text).unwrap();
            let error = Keeper::open(&dir).err().unwrap();
            assert!(error.is::<BadInput>() && error.to_string().contains(why), "{error}");
        };
        refused("{", "bisect.json: ");
        refused(r#"{"format": 99}"#, "newer version of this tool (format 99");
        let mut other = kept();
        other.search.runs.push(Run {
            candidate: 7,
            verdict: Verdict::Good,
            dir: String::new(),
            took_ms: 0,
            cluster: None,
        });
        refused(&serde_json::to_string(&other).unwrap(), "do not belong together");
        let error = Keeper::open(&dir.join("nowhere")).err().unwrap();
        assert!(error.to_string().contains("there is no search"), "{error}");
    }
}
