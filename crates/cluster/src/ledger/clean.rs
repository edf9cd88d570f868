//! Removal of what dead runs left, and of nothing else.

use std::sync::Arc;
use std::time::Duration;

use super::entry::is_ours;
use super::{Entry, Ledger, Life, Target};
use crate::error::Fault;
use crate::kind::{self, Thoroughness};
use crate::tools::{Door, ToolError};
use crate::{ClusterError, Leftovers, Settings, existing};

/// What is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sweep {
    /// What dead runs left by accident: for the start of a run.
    Remnants,
    /// That, and what was kept on purpose: for the command.
    KeptToo,
}

/// A cluster that stays, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// `run k3f9 (process 4711) is using it`.
    pub reason: String,
}

/// What became of everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CleanReport {
    /// Names of clusters that are gone.
    pub removed: Vec<String>,
    /// Clusters that stay.
    pub kept: Vec<Kept>,
    /// Clusters that should be gone and are not; they stay in the ledger.
    pub failed: Vec<ClusterError>,
}

/// What is known of a cluster when it is decided about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Case {
    name: String,
    life: Life,
    /// `run k3f9 (process 4711)`.
    owner: String,
    /// Why it was kept on purpose.
    kept: Option<String>,
    /// Another ledger that has it.
    ledger_elsewhere: Option<String>,
}

/// What happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Decision {
    Remove,
    Keep(String),
}

/// Only names that this tool gives, only owners that are certainly dead, and only what no other ledger looks after.
fn decide(case: &Case, sweep: Sweep) -> Decision {
    let Case { name, life, owner, kept, ledger_elsewhere } = case;
    if !is_ours(name) {
        return Decision::Keep("its name is none that this tool gives".to_owned());
    }
    if let Some(ledger) = ledger_elsewhere {
        return Decision::Keep(format!("it is in another ledger, {ledger}"));
    }
    match (life, kept, sweep) {
        (Life::Live, _, _) => Decision::Keep(format!("{owner} is using it")),
        (Life::Elsewhere, _, _) => Decision::Keep(format!("{owner} made it, which cannot be seen from here")),
        (Life::Dead, Some(why), Sweep::Remnants) => Decision::Keep(format!("kept on purpose ({why})")),
        (Life::Dead, _, _) => Decision::Remove,
    }
}

/// Removes what dead runs left. Runs of this at the same time wait for each other.
///
/// # Errors
/// When the ledger cannot be locked or read. What could not be removed is in the report.
pub async fn clean(settings: Arc<Settings>, sweep: Sweep) -> Result<CleanReport, ClusterError> {
    let ledger = Ledger::new(&settings.ledger_dir);
    let whole =
        |fault: Fault| fault.on("clusters of dead runs", Leftovers::Unknown { remove: "cargo xtask clean".to_owned() });
    let _lock = ledger.lock(Duration::from_secs(300)).await.map_err(|error| whole(Fault::ledger(&error)))?;
    let (entries, broken) = ledger.list().map_err(|error| whole(Fault::ledger(&error)))?;
    let mut report = CleanReport::default();
    for error in &broken {
        let hint = "if no run of yours needs it, delete the file and run `cargo xtask clean` again";
        report.failed.push(whole(Fault::ledger(error).hint(hint)));
    }
    for entry in &entries {
        let case = Case {
            name: entry.name.clone(),
            life: entry.owner.life(),
            owner: format!("run {} (process {} on {})", entry.run, entry.owner.pid, entry.owner.host),
            kept: entry.kept.clone(),
            ledger_elsewhere: None,
        };
        match decide(&case, sweep) {
            Decision::Keep(reason) => report.kept.push(Kept { name: case.name, reason }),
            Decision::Remove => note(&mut report, &entry.name, remove(&settings, &ledger, entry).await),
        }
    }
    unlisted(&settings, &ledger, sweep, &mut report).await;
    Ok(report)
}

/// Clusters that no ledger knows any more, found by the labels of their networks.
async fn unlisted(settings: &Arc<Settings>, ledger: &Ledger, sweep: Sweep, report: &mut CleanReport) {
    let door = Door::new(settings.clone());
    let found = match kind::orphans(&door).await {
        Ok(found) => found,
        // Without Docker there are none.
        Err(ToolError::Lookup(_)) => return,
        Err(error) if error.says("cannot connect to the docker daemon") => return,
        Err(error) => {
            let left = Leftovers::Unknown { remove: "cargo xtask clean".to_owned() };
            report.failed.push(Fault::tool("look for", &error).on("networks of dead runs", left));
            return;
        }
    };
    let here = ledger.absolute();
    for network in found {
        let name = network.cluster;
        let seen = report.removed.contains(&name)
            || report.kept.iter().any(|kept| kept.name == name)
            || report.failed.iter().any(|error| error.object.ends_with(&name));
        if seen || (network.ledger == here && ledger.path(&name).exists()) {
            continue;
        }
        let elsewhere = network.ledger != here && network.ledger.join(format!("{name}.json")).exists();
        let case = Case {
            life: network.owner.life(),
            owner: format!("process {} on {}", network.owner.pid, network.owner.host),
            kept: None,
            ledger_elsewhere: elsewhere.then(|| network.ledger.into_string()),
            name: name.clone(),
        };
        match decide(&case, sweep) {
            Decision::Keep(reason) => report.kept.push(Kept { name, reason }),
            Decision::Remove => {
                // How many workers it had is not known; the names of the first few cost little to ask for.
                let nodes = kind::node_names(&name, 3);
                note(report, &name, kind::remove(&door, &name, &nodes, Thoroughness::CutOff, 1.0).await);
            }
        }
    }
}

async fn remove(settings: &Arc<Settings>, ledger: &Ledger, entry: &Entry) -> Result<(), Fault> {
    match &entry.target {
        Target::Kind { nodes, .. } => {
            let door = Door::new(settings.clone());
            kind::remove(&door, &entry.name, nodes, Thoroughness::CutOff, 1.0).await?;
        }
        Target::Existing { context, kubeconfig } => {
            existing::remove(settings.clone(), &entry.dir, context, kubeconfig.as_deref(), &entry.run).await?;
        }
    }
    ledger.remove(&entry.name).map_err(|error| Fault::ledger(&error))
}

fn note(report: &mut CleanReport, name: &str, result: Result<(), Fault>) {
    match result {
        Ok(()) => report.removed.push(name.to_owned()),
        Err(fault) => {
            let left = Leftovers::Remaining { what: name.to_owned(), remove: "cargo xtask clean".to_owned() };
            report.failed.push(fault.on(format!("cluster {name}"), left));
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NAME: &str = "ipam-e2e-k3f9-1";

    #[rstest]
    #[case::remnant(NAME, Life::Dead, None, None, Sweep::Remnants, None)]
    #[case::in_use(NAME, Life::Live, None, None, Sweep::KeptToo, Some("run x is using it"))]
    #[case::kept_and_in_use(NAME, Life::Live, Some("--keep"), None, Sweep::KeptToo, Some("run x is using it"))]
    #[case::kept(
        NAME,
        Life::Dead,
        Some("--keep always"),
        None,
        Sweep::Remnants,
        Some("kept on purpose (--keep always)")
    )]
    #[case::kept_and_asked_for(NAME, Life::Dead, Some("--keep always"), None, Sweep::KeptToo, None)]
    #[case::other_machine(
        NAME,
        Life::Elsewhere,
        None,
        None,
        Sweep::KeptToo,
        Some("run x made it, which cannot be seen from here")
    )]
    #[case::other_checkout(
        NAME,
        Life::Dead,
        None,
        Some("/o/ledger"),
        Sweep::KeptToo,
        Some("it is in another ledger, /o/ledger")
    )]
    #[case::not_ours("kind", Life::Dead, None, None, Sweep::KeptToo, Some("its name is none that this tool gives"))]
    fn decisions(
        #[case] name: &str,
        #[case] life: Life,
        #[case] kept: Option<&str>,
        #[case] elsewhere: Option<&str>,
        #[case] sweep: Sweep,
        #[case] stays: Option<&str>,
    ) {
        let case = Case {
            name: name.to_owned(),
            life,
            owner: "run x".to_owned(),
            kept: kept.map(str::to_owned),
            ledger_elsewhere: elsewhere.map(str::to_owned),
        };
        let expected = stays.map_or(Decision::Remove, |reason| Decision::Keep(reason.to_owned()));
        assert_eq!(decide(&case, sweep), expected);
    }

    #[tokio::test]
    async fn without_docker_and_without_entries_there_is_nothing_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap().to_owned();
        let settings = Settings::from_env(|name| (name == "IPAM_E2E_LEDGER_DIR").then(|| path.clone())).unwrap();
        assert_eq!(clean(Arc::new(settings), Sweep::KeptToo).await, Ok(CleanReport::default()));
    }

    #[tokio::test]
    async fn a_file_that_is_not_understood_is_reported_and_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap().to_owned();
        fs_err::write(dir.path().join("ipam-e2e-a-1.json"), "[]").unwrap();
        let settings = Settings::from_env(|name| (name == "IPAM_E2E_LEDGER_DIR").then(|| path.clone())).unwrap();
        let report = clean(Arc::new(settings), Sweep::KeptToo).await.unwrap();
        assert_eq!(report.failed.len(), 1);
        assert!(report.failed[0].cause.contains("ipam-e2e-a-1.json"), "{:?}", report.failed);
        assert!(dir.path().join("ipam-e2e-a-1.json").exists());
    }
}
