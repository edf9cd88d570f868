//! `cargo xtask bisect` as a user types it, on simulated clusters.

#![expect(clippy::unwrap_used, reason = "a test says what it needs by failing")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use rstest::rstest;
use serde_json::Value;
use xshell::{Shell, cmd};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

/// A node gets the block of another. It keeps it, until 1.20 puts back what the operator has in memory.
const DUPLICATE: &str = r#"
name: duplicate
summary: A block that another node has stays where it was written, and is named in operator-status.
cluster: {workers: 1}
invariants:
  off: {podcidrs-disjoint: A block is given to two nodes on purpose., podcidrs-never-emptied: "From 1.20 on it is, which is looked for."}
cilium:
  ipam: {mode: cluster-pool, clusterPoolIPv4PodCIDRList: [10.42.0.0/16], clusterPoolIPv4MaskSize: 24}
steps:
  - name: doubled
    patch: {kind: CiliumNode, name: worker, merge: {spec: {ipam: {podCIDRs: ["${control-plane.ciliumNode.podCIDR}"]}}}}
  - wait: {settled: 5s}
  - expect:
      podCIDRs: {of: ciliumNode, every: {unchanged: doubled}}
      within: 20s
"#;

/// The same where the scenario knows of both.
const BY_VERSION: &str = r#"
  - versions: ">=1.20"
    expect:
      podCIDRs: {of: ciliumNode, every: {unchanged: start}}
"#;

struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

/// A folder with the scenario, in which the command is run.
struct Place(tempfile::TempDir);

impl Place {
    fn new(scenario: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("duplicate.yaml"), scenario).unwrap();
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Answer {
        let shell = Shell::new().unwrap();
        shell.change_dir(self.path());
        let output = cmd!(shell, "{XTASK} bisect {arguments...}")
            .env("PATH", "/nonexistent")
            .env("NO_COLOR", "1")
            .ignore_status()
            .quiet()
            .output()
            .unwrap();
        Answer {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.path().join(file)).unwrap()).unwrap()
    }
}

const SEARCH: &[&str] =
    &["./duplicate.yaml", "--cluster", "sim", "--good", "1.18.0", "--bad", "1.20.2", "--report-dir", "search"];

#[test]
fn finds_the_first_bad_version_of_all_that_are_known() {
    let place = Place::new(DUPLICATE);
    let answer = place.run(SEARCH);
    assert_eq!(answer.code, 0, "{}\n{}", answer.stdout, answer.stderr);
    for text in [
        "looking for the first bad version from 1.18.0 to 1.20.2: 14 versions",
        "first bad version: 1.20.0 (last good: 1.19.3)",
        "https://github.com/cilium/cilium/compare/v1.19.3...v1.20.0",
        "CiliumNode/",
        "cilium-config: ",
        "chart values: ",
        "1.20.0 failed: search/",
        "1.19.3 passed: search/",
        sim_notice(),
    ] {
        assert!(answer.stdout.contains(text), "{text} is not in:\n{}", answer.stdout);
    }
    let result = place.json("search/result.json");
    assert_eq!((&result["first"], &result["before"]), (&Value::from("1.20.0"), &Value::from("1.19.3")));
    assert!(result["runs"].as_u64().unwrap() <= 6, "{result}");
    assert!(!result["ciliumConfig"].as_array().unwrap().is_empty(), "{result}");
    assert!(place.path().join("search/report.txt").is_file());

    // It is over, and says the same again.
    let again = place.run(&["--resume", "search"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stdout.contains("first bad version: 1.20.0"), "{}", again.stdout);
    assert_eq!(place.json("search/result.json"), result);
}

fn sim_notice() -> &'static str {
    "says nothing about Cilium"
}

#[test]
fn the_first_good_version_is_found_when_good_is_newer() {
    // The other way round: that it stays is the fault.
    let mends = DUPLICATE.replace("unchanged: doubled", "unchanged: start");
    let place = Place::new(&mends);
    let answer =
        place.run(&["./duplicate.yaml", "--cluster", "sim", "--good", "1.20", "--bad", "1.18.4", "--report-dir", "s"]);
    assert_eq!(answer.code, 0, "{}\n{}", answer.stdout, answer.stderr);
    assert!(answer.stderr.contains("--good: Cilium 1.20.2: the newest known version in \"1.20\""), "{}", answer.stderr);
    assert!(answer.stdout.contains("first good version: 1.20.0 (last bad: 1.19.3)"), "{}", answer.stdout);
}

#[test]
fn steps_are_those_of_the_good_end() {
    let text =
        DUPLICATE.replace("  - expect:", "  - versions: \"<1.20\"\n    expect:") + BY_VERSION.trim_start_matches('\n');
    let place = Place::new(&text);
    let answer = place.run(&[SEARCH, &["--among", "1.18.4,1.19.1,1.20.2"]].concat());
    assert_eq!(answer.code, 0, "{}\n{}", answer.stdout, answer.stderr);
    assert!(answer.stdout.contains("taken as for 1.18.0"), "{}", answer.stdout);
    let untried = "not among those tried, though between the two: 1.19.2, 1.19.3, 1.20.0, 1.20.1\n";
    assert!(answer.stdout.contains(untried), "{}", answer.stdout);
    assert!(answer.stdout.contains("first bad version: 1.20.2 (last good: 1.19.1)"), "{}", answer.stdout);
}

#[test]
fn killed_in_the_middle_it_goes_on() {
    let place = Place::new(DUPLICATE);
    // Slow enough that the kill comes in the middle of a run.
    #[expect(clippy::disallowed_methods, reason = "a test drives the built command and kills it")]
    let mut child = Command::new(XTASK)
        .arg("bisect")
        .args(SEARCH)
        .current_dir(place.path())
        .env("PATH", "/nonexistent")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The third run has been announced: two are kept, and it is under way.
    let third = lines.find(|line| line.as_ref().unwrap().starts_with("run 3: "));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(third.is_some());
    let kept = place.json("search/bisect.json");
    let runs = kept["search"]["runs"].as_array().unwrap().clone();
    assert!((2..=4).contains(&runs.len()), "{kept:#}");
    assert!(!place.path().join("search/result.json").exists());

    let answer = place.run(&["--resume", "search"]);
    assert_eq!(answer.code, 0, "{}\n{}", answer.stdout, answer.stderr);
    assert!(answer.stdout.contains("runs are known already"), "{}", answer.stdout);
    assert!(answer.stdout.contains("first bad version: 1.20.0 (last good: 1.19.3)"), "{}", answer.stdout);
    let after = place.json("search/bisect.json");
    assert_eq!(after["search"]["runs"].as_array().unwrap()[..runs.len()], runs[..], "what was known was not run again");
}

#[test]
fn a_machine_that_gets_in_the_way_is_neither_good_nor_bad() {
    let place = Place::new(DUPLICATE);
    // Nearly every request to the API fails: no run can come to a verdict.
    let answer = place.run(&[SEARCH, &["--among", "1.19.1", "--fault", "errors=0.97"]].concat());
    assert_eq!(answer.code, 3, "{}\n{}", answer.stdout, answer.stderr);
    assert!(answer.stdout.contains("neither good nor bad"), "{}", answer.stdout);
    assert!(answer.stderr.contains("cannot be tried here"), "{}", answer.stderr);
    assert!(!answer.stdout.contains("  bad, in"), "{}", answer.stdout);
}

/// A workload in a namespace of its own, other settings, and a cordon: much to be taken back between two runs.
fn much() -> String {
    let workload =
        "workloads:\n  alpine: {replicas: 3, namespace: of-its-own}\nsteps:\n  - deploy: alpine\n  - cordon: worker2\n";
    let settings = "  - configure: {cluster-pool-ipv4-mask-size: \"25\"}\n  - restart: [cilium-operator]\n";
    DUPLICATE
        .replace("{workers: 1}", "{workers: 2, kubeControllerManager: {node-cidr-mask-size: \"26\"}}")
        .replace("steps:\n", &format!("{workload}{settings}"))
}

#[rstest]
#[case::little(DUPLICATE.to_owned())]
#[case::much(much())]
fn a_cluster_that_is_handed_on_comes_to_the_same(#[case] scenario: String) {
    let place = Place::new(&scenario);
    let handed_on = place.run(SEARCH);
    assert_eq!(handed_on.code, 0, "{}\n{}", handed_on.stdout, handed_on.stderr);
    let mut fresh = SEARCH.to_vec();
    fresh.extend(["--fresh"]);
    *fresh.iter_mut().find(|word| **word == "search").unwrap() = "fresh";
    let fresh = place.run(&fresh);
    assert_eq!(fresh.code, 0, "{}\n{}", fresh.stdout, fresh.stderr);

    for text in [
        "  a new cluster: from Cilium 1.20.2 to 1.18.0 is more than one minor release\n",
        "s on a reused cluster",
        "  reused, up in ",
        "  4 of 6 on a reused cluster: first steps ",
        "  on a cluster that another run had; --fresh gives each run a new one\n",
    ] {
        assert!(handed_on.stdout.contains(text), "{text:?} is not in:\n{}", handed_on.stdout);
    }
    assert!(!handed_on.stdout.contains("is left"), "{}", handed_on.stdout);
    assert!(fresh.stdout.contains("each run gets a new cluster: --fresh\n"), "{}", fresh.stdout);
    assert!(!fresh.stdout.contains("reused"), "{}", fresh.stdout);

    let kept = |file: &str| {
        let runs = place.json(file)["search"]["runs"].clone();
        let runs = runs.as_array().unwrap().clone();
        let verdicts: Vec<Value> =
            runs.iter().map(|run| serde_json::json!([run["candidate"], run["verdict"], run["what"]])).collect();
        let reused: Vec<bool> = runs.iter().map(|run| run["cluster"]["reused"].as_bool().unwrap()).collect();
        (verdicts, reused)
    };
    let (verdicts, reused) = kept("search/bisect.json");
    assert_eq!(reused, [false, false, true, true, true, true]);
    assert_eq!(kept("fresh/bisect.json"), (verdicts, vec![false; 6]));
    let mut results = ["search", "fresh"].map(|dir| place.json(&format!("{dir}/result.json")));
    assert_eq!(results[0]["runsOnReusedClusters"], 4);
    for result in &mut results {
        result.as_object_mut().unwrap().remove("runsOnReusedClusters");
    }
    assert_eq!(results[0], results[1]);
}

#[test]
fn what_cannot_be_taken_back_gets_new_clusters() {
    let labels = "{kind: Node, apiVersion: v1, name: worker, merge: {metadata: {labels: {a: b}}}}";
    let place = Place::new(&DUPLICATE.replace("steps:\n", &format!("steps:\n  - patch: {labels}\n")));
    let answer = place.run(&[SEARCH, &["--among", "1.19.1"]].concat());
    assert_eq!(answer.code, 0, "{}\n{}", answer.stdout, answer.stderr);
    let why = "each run gets a new cluster: step 1 changes what is not Cilium's\n";
    assert!(answer.stdout.contains(why), "{}", answer.stdout);
    assert!(!answer.stdout.contains("reused"), "{}", answer.stdout);
}

#[test]
fn a_cluster_that_cannot_be_brought_back_is_replaced() {
    // Nobody takes this finalizer away.
    let held = "{kind: CiliumNode, name: worker, merge: {metadata: {finalizers: [example.com/held]}}}";
    let place = Place::new(&DUPLICATE.replace("steps:\n", &format!("steps:\n  - patch: {held}\n")));
    let answer = place.run(&[
        "./duplicate.yaml",
        "--cluster",
        "sim",
        "--report-dir",
        "s",
        "--good",
        "1.19.1",
        "--bad",
        "1.20.2",
        "--among",
        "1.19.3",
    ]);
    assert_eq!(answer.code, 0, "{}\n{}", answer.stdout, answer.stderr);
    let why = "  a new cluster: wait for the end of Cilium's objects of sim: not so in time; last: CiliumNode sim-worker is there\n";
    assert!(answer.stdout.contains(why), "{}", answer.stdout);
    assert!(!answer.stdout.contains("reused"), "{}", answer.stdout);
    assert!(answer.stdout.contains("first bad version: 1.20.2 (last good: 1.19.3)"), "{}", answer.stdout);
}

#[test]
fn a_verdict_in_doubt_is_repeated_on_a_new_cluster() {
    // The good end is as bad as the bad one, which is its neighbour: so it is looked at again, and each time on a cluster of its own.
    let place = Place::new(DUPLICATE);
    let answer = place.run(&[
        "./duplicate.yaml",
        "--cluster",
        "sim",
        "--report-dir",
        "s",
        "--good",
        "1.20.0",
        "--bad",
        "1.20.2",
    ]);
    assert_eq!(answer.code, 2, "{}\n{}", answer.stdout, answer.stderr);
    let runs = place.json("s/bisect.json")["search"]["runs"].clone();
    let reused: Vec<bool> =
        runs.as_array().unwrap().iter().map(|run| run["cluster"]["reused"].as_bool().unwrap()).collect();
    assert_eq!(reused, [false, true, false, false], "{runs:#}");
}

#[rstest]
#[case::one_version(&["--good", "1.18.4", "--bad", "1.18.4"], "--good and --bad are both 1.18.4")]
#[case::one_version_by_range(&["--good", "1.18.6", "--bad", "1.18"], "--good and --bad are both 1.18.6")]
#[case::unknown(&["--good", "1.18.4", "--bad", "1.20.9"], "--bad: unknown Cilium version 1.20.9; the nearest known is 1.20.2")]
#[case::empty_range(&["--good", "<1.10", "--bad", "1.20.2"], "no known version of Cilium is in \"<1.10\"")]
#[case::among(&["--good", "1.18.4", "--bad", "1.20.2", "--among", "1.19.x7"], "--among: ")]
#[case::tag_on_sim(&["--good", "1.18.4", "--bad", "mine@1.20.2", "--among", "1.18.4,mine@1.20.2"], "a simulated cluster runs no images")]
#[case::not_among(&["--good", "1.18.4", "--bad", "mine@1.20.2"], "--bad mine@1.20.2 is not in --among")]
#[case::here(&["--good", "1.18.4", "--bad", "1.20.2", "--among", "here"], "neither charts nor images")]
#[case::excluded(&["--good", "1.16.0", "--bad", "1.20.2"], "the scenario is for Cilium >=1.18 only")]
#[case::ends_alike(&["--good", "1.18.4", "--bad", "1.19.1"], "--bad 1.19.1 is not bad: it passes (3 runs, in search)")]
#[case::ends_alike_the_other_way(&["--good", "1.20.0", "--bad", "1.20.2"], "--good 1.20.0 is not good: named as good, but it fails")]
fn bad_input(#[case] ends: &[&str], #[case] why: &str) {
    let place = Place::new(&DUPLICATE.replace("cilium:\n", "cilium:\n  versions: \">=1.18\"\n"));
    let answer = place.run(&[&["./duplicate.yaml", "--cluster", "sim", "--report-dir", "search"], ends].concat());
    assert_eq!(answer.code, 2, "{}\n{}", answer.stdout, answer.stderr);
    assert!(answer.stderr.contains(why), "{why} is not in:\n{}", answer.stderr);
}

#[test]
fn a_search_is_for_one_scenario() {
    let place = Place::new(DUPLICATE);
    let dry = place.run(&[SEARCH, &["--among", "1.19", "--dry-run"]].concat());
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    assert!(dry.stdout.contains("candidates: 1.18.0, 1.19.0, 1.19.1, 1.19.2, 1.19.3, 1.20.2"), "{}", dry.stdout);
    assert!(!place.path().join("search").exists());

    assert_eq!(place.run(&[SEARCH, &["--among", "1.19.1"]].concat()).code, 0);
    let twice = place.run(SEARCH);
    assert!(twice.code == 2 && twice.stderr.contains("has a search already"), "{}", twice.stderr);
    std::fs::write(place.path().join("duplicate.yaml"), DUPLICATE.replace("20s", "30s")).unwrap();
    let changed = place.run(&["--resume", "search"]);
    assert!(changed.code == 2 && changed.stderr.contains("is not what it was"), "{}", changed.stderr);
    let nowhere = place.run(&["--resume", "nowhere"]);
    assert!(nowhere.code == 2 && nowhere.stderr.contains("there is no search"), "{}", nowhere.stderr);
    let both = place.run(&["x", "--resume", "search"]);
    assert!(both.code == 2 && both.stderr.contains("cannot be used with"), "{}", both.stderr);
}
