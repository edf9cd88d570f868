//! What `kubectl` prints: the same commands against a real cluster with Cilium and against a simulated one of the same shape.
//!
//! `commands/*.yaml` hold the commands as people type them, chapter by chapter; `golden/*.yaml` what `kubectl` printed against a real
//! cluster, after `normal.yaml` has taken out what differs from one real cluster to the next. Each of its rules says why. A golden
//! file is never edited by hand: where the two differ, the simulation is wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "as in tests")]

mod chapter;
mod normal;
mod run;

use std::path::{Path, PathBuf};

use chapter::Chapter;
use normal::Normal;
use run::{Recorded, Target};

/// Names the kubeconfig of a real cluster: see `real-cluster`.
const KUBECONFIG: &str = "IPAM_E2E_KUBECTL_KUBECONFIG";
/// Of which Cilium the golden files are.
const CILIUM: &str = "1.18.4";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubectl").join(name)
}

/// Every chapter with its name, in order.
fn chapters() -> Vec<(String, Chapter)> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder("commands")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let chapter = serde_yaml::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), chapter)
    };
    paths.into_iter().map(read).collect()
}

/// What `kubectl` printed against a real cluster, in the chapter's order.
fn golden(chapter: &str) -> Vec<Recorded> {
    let text = std::fs::read_to_string(folder("golden").join(format!("{chapter}.yaml"))).unwrap_or_default();
    if text.is_empty() { Vec::new() } else { serde_yaml::from_str(&text).unwrap() }
}

/// Only chapters whose name has this text in it, for work on one of them.
fn chosen(name: &str) -> bool {
    std::env::var("IPAM_E2E_KUBECTL_CHAPTER").map_or(true, |part| name.contains(&part))
}

/// Runs the chapters. Differences from the golden files, with both sides.
async fn differences(target: &Target) -> Vec<String> {
    let normal = Normal::read(&folder("normal.yaml"));
    let mut out = Vec::new();
    for (name, chapter) in chapters().into_iter().filter(|(name, _)| chosen(name)) {
        let mut golden = golden(&name).into_iter();
        let commands = chapter.commands.iter().filter(|command| !command.unseen);
        for (command, found) in commands.zip(run::chapter(target, &chapter, &normal).await) {
            let expected = golden.next().filter(|expected| expected.run == found.run);
            let expected =
                expected.unwrap_or_else(|| panic!("{name}: $ {}\nwas not recorded at this place", found.run));
            // A rule that is new since the recording holds for it as well.
            let expected = normal.printed(&expected.printed, &command.free);
            if found.printed != expected {
                out.push(format!("{name}: $ {}\n{}", found.run, found.printed.against(&expected)));
            }
        }
    }
    out
}

fn report(differences: &[String]) {
    assert!(differences.is_empty(), "{}\n\n{} differences", differences.join("\n\n"), differences.len());
}

#[test]
#[ignore = "needs kubectl"]
fn a_simulated_cluster_prints_what_a_real_one_did() {
    sim::runtime(false).unwrap().block_on(async {
        let target = run::simulated(CILIUM).await;
        report(&differences(&target).await);
    });
}

#[tokio::test]
#[ignore = "needs kubectl and a real cluster: IPAM_E2E_KUBECTL_KUBECONFIG"]
async fn a_real_cluster_still_prints_it() {
    report(&differences(&run::real(KUBECONFIG)).await);
}

#[tokio::test]
#[ignore = "needs kubectl and a real cluster: IPAM_E2E_KUBECTL_KUBECONFIG; writes the golden files"]
async fn record() {
    let target = run::real(KUBECONFIG);
    let normal = Normal::read(&folder("normal.yaml"));
    for (name, chapter) in chapters().into_iter().filter(|(name, _)| chosen(name)) {
        let golden = run::chapter(&target, &chapter, &normal).await;
        std::fs::write(folder("golden").join(format!("{name}.yaml")), serde_yaml::to_string(&golden).unwrap()).unwrap();
    }
}

#[test]
fn the_list_is_not_small_and_each_command_is_recorded() {
    let mut count = 0;
    for (name, chapter) in chapters() {
        let golden = golden(&name);
        let recorded: Vec<&str> = golden.iter().map(|one| one.run.as_str()).collect();
        assert_eq!(recorded, chapter.compared().collect::<Vec<_>>(), "{name}: record it anew");
        count += recorded.len();
    }
    assert!(count >= 120, "{count} commands");
}
