//! `matrix` and `report merge`, as a user types them, on simulated clusters.

#![expect(clippy::unwrap_used, reason = "a test says what it needs by failing")]

use std::path::Path;

use rstest::rstest;
use serde_json::Value;
use xshell::{Shell, cmd};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(arguments: &[&str]) -> Answer {
    let shell = Shell::new().unwrap();
    shell.change_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
    let output = cmd!(shell, "{XTASK} {arguments...}")
        .env("PATH", "/nonexistent")
        .env("NO_COLOR", "1")
        .env_remove("KUBECONFIG")
        .env_remove("IPAM_E2E_CHART_DIR")
        .env_remove("IPAM_E2E_NODE_IMAGE")
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

/// A few scenarios on two versions, into `dir`, with further arguments.
fn few(dir: &Path, more: &[&str]) -> Answer {
    let mut arguments =
        vec!["matrix", "fresh-*", "cidr-change-ignored", "--cluster", "sim", "--cilium", "1.18.4,1.20.2"];
    arguments.extend(["--report-dir", dir.to_str().unwrap()]);
    arguments.extend(more);
    run(&arguments)
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The cells of a result, without what each run takes anew.
fn cells(dir: &Path) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let cells = json(&dir.join("matrix.json"));
    let one = |cell: &Value| (text(&cell["scenario"]), text(&cell["cilium"]), text(&cell["status"]));
    cells["cells"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn two_shards_and_their_merge_are_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let whole = few(&path("whole"), &[]);
    assert_eq!(whole.code, 0, "{}\n{}", whole.stdout, whole.stderr);
    assert!(whole.stdout.contains("6 cells: 6 pass in "), "{}", whole.stdout);
    for shard in ["1/2", "2/2"] {
        let answer = few(&path(&shard[..1]), &["--shard", shard]);
        assert_eq!(answer.code, 0, "{}\n{}", answer.stdout, answer.stderr);
    }
    let (one, two, merged) = (path("1"), path("2"), path("merged"));
    let (one, two, into) = (one.to_str().unwrap(), two.to_str().unwrap(), merged.to_str().unwrap());
    let answer =
        run(&["report", "merge", one, two, "--report-dir", into, "--baseline", path("whole").to_str().unwrap()]);
    assert_eq!(answer.code, 0, "{}\n{}", answer.stdout, answer.stderr);
    assert_eq!(cells(&merged), cells(&path("whole")));
    assert_eq!(cells(&path("1")).len() + cells(&path("2")).len(), 6);
    for file in ["junit.xml", "summary.md", "changes.json"] {
        assert!(merged.join(file).is_file(), "{file}");
    }

    // What does not belong together.
    let other = few(&path("other"), &["--shard", "2/2", "--seed", "3"]);
    assert_eq!(other.code, 0, "{}", other.stderr);
    let other = path("other");
    let other = other.to_str().unwrap();
    for (dirs, why) in [
        (vec![one], "of 2 shards, 2/2 is missing"),
        (vec![one, one], "are both shard 1/2"),
        (vec![one, other], "are of different plans (seed or options)"),
        (vec![one, "scenarios"], "scenarios is not the folder of a matrix"),
    ] {
        let answer = run(&[&["report", "merge"], dirs.as_slice()].concat());
        assert_eq!(answer.code, 2, "{}", answer.stdout);
        assert!(answer.stderr.contains(why), "{why} is not in:\n{}", answer.stderr);
    }
}

/// An API that answers nothing is never the product's failure.
#[test]
fn a_machine_that_gets_in_the_way_is_run_again_and_told_as_that() {
    let dir = tempfile::tempdir().unwrap();
    let answer = few(dir.path(), &["--fault", "errors=1"]);
    assert_eq!(answer.code, 3, "{}\n{}", answer.stdout, answer.stderr);
    assert!(answer.stdout.contains("6 cells: 6 infrastructure; 6 runs repeated"), "{}", answer.stdout);
    let result = json(&dir.path().join("matrix.json"));
    for cell in result["cells"].as_array().unwrap() {
        assert_eq!(cell["attempts"].as_array().unwrap().len(), 2, "{cell}");
        assert_eq!((&cell["cause"], &cell["fingerprint"]), (&"api-server".into(), &"api-server".into()), "{cell}");
    }
    let issues: Vec<_> = std::fs::read_dir(dir.path().join("issues")).unwrap().collect();
    assert_eq!(issues.len(), 1, "one text for one kind of trouble");
    let text = std::fs::read_to_string(dir.path().join("issues/api-server.md")).unwrap();
    assert!(text.starts_with("[api-server] infrastructure: api-server\n"), "{text}");
}

const TROUBLE: &str = "\
name: trouble
summary: Everything that fails is taken for a known bug, if it can be.
xfail: {issue: cilium/cilium#1, reason: anything, versions: '*', match: '[a-z]'}
workloads: {alpine: {replicas: 3}}
steps:
  - deploy: alpine
  - expect: {pods: {of: alpine, ready: 3}, holds: 30s}
  - scale: {workload: alpine, replicas: 6}
  - expect: {operatorStatus: {every: clear}}
";

/// A missing image, full disks, an API server that is killed: neither the product's failure nor the known bug, in the table, in JUnit and in
/// the texts for trackers; and it is said what got in the way.
#[rstest]
#[case::image_missing(&["image-missing=alpine"], "image-missing")]
#[case::disks_full(&["disk-full=worker@20s", "disk-full=worker2@20s"], "disk-full")]
#[case::api_server_killed(&["errors=1@20s"], "api-server")]
fn trouble_beneath_is_never_a_failure_nor_a_known_bug(#[case] faults: &[&str], #[case] cause: &str) {
    let dir = tempfile::tempdir().unwrap();
    let scenario = dir.path().join("trouble.yaml");
    std::fs::write(&scenario, TROUBLE).unwrap();
    let into = dir.path().join("result");
    let mut arguments = vec!["matrix", scenario.to_str().unwrap(), "--cluster", "sim", "--cilium", "1.18.4,1.20.2"];
    arguments.extend(["--report-dir", into.to_str().unwrap()]);
    // Without the trouble it passes, and the mark is out of date.
    let calm = run(&arguments);
    assert_eq!(calm.code, 1, "{}", calm.stdout);
    assert!(calm.stdout.contains("2 cells: 2 xpass in "), "{}", calm.stdout);

    arguments.extend(faults.iter().flat_map(|fault| ["--fault", fault]));
    let answer = run(&arguments);
    assert_eq!(answer.code, 3, "{}\n{}", answer.stdout, answer.stderr);
    assert!(answer.stdout.contains("2 cells: 2 infrastructure; 2 runs repeated in "), "{}", answer.stdout);
    let result = json(&into.join("matrix.json"));
    for cell in result["cells"].as_array().unwrap() {
        assert_eq!(cell["cause"], cause, "{cell:#}");
    }
    let junit = std::fs::read_to_string(into.join("junit.xml")).unwrap();
    assert_eq!(junit.matches(&format!("type=\"infrastructure:{cause}\"")).count(), 2, "{junit}");
    assert!(!junit.contains("<failure") && !junit.contains("xfail"), "{junit}");
    let issues: Vec<_> =
        std::fs::read_dir(into.join("issues")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(issues.len(), 1, "one kind of trouble: {issues:?}");
    assert!(issues[0].to_str().unwrap().starts_with(cause), "{issues:?}");
}

#[test]
fn a_finished_matrix_is_resumed_without_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let first = few(dir.path(), &[]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let cell = dir.path().join("cells/cidr-change-ignored@1.18.4.json");
    std::fs::remove_file(&cell).unwrap();
    let again = |more: &[&str]| {
        let dir = dir.path().to_str().unwrap();
        let line = ["matrix", "fresh-*", "cidr-change-ignored", "--cluster", "sim", "--resume", dir, "--cilium"];
        run(&[&line[..], more].concat())
    };
    let resumed = again(&["1.18.4,1.20.2"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    assert!(resumed.stdout.contains("5 cells have a verdict already"), "{}", resumed.stdout);
    assert!(resumed.stdout.contains("6 cells: 6 pass in "), "{}", resumed.stdout);
    let other = again(&["1.18.4"]);
    assert_eq!(other.code, 2);
    assert!(other.stderr.contains("it is of another plan (6 cells, this one has 3)"), "{}", other.stderr);
}

/// Each cell's folder is an ordinary run's.
#[test]
fn a_cell_is_compared_like_any_run() {
    let dir = tempfile::tempdir().unwrap();
    let answer = few(dir.path(), &["--settle"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let cell = dir.path().join("cells/cidr-change-ignored@1.20.2");
    let compared = dir.path().join("fidelity.json");
    let line =
        ["fidelity", "cidr-change-ignored", "--real", cell.to_str().unwrap(), "--json", compared.to_str().unwrap()];
    let answer = run(&line);
    assert_eq!(answer.code, 0, "{}\n{}", answer.stdout, answer.stderr);
    assert!(answer.stdout.contains("1.20.2"), "{}", answer.stdout);
}

#[test]
fn the_matrix_of_a_workflow_has_a_job_for_each_shard() {
    let answer = run(&["matrix", "fresh-*", "--cluster", "kind", "--emit", "github", "--shards", "2"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let matrix: Value = serde_json::from_str(&answer.stdout).unwrap();
    let shards: Vec<&str> =
        matrix["include"].as_array().unwrap().iter().map(|job| job["shard"].as_str().unwrap()).collect();
    assert_eq!(shards, ["1/2", "2/2"]);
    assert_eq!(answer.stdout.trim().lines().count(), 1, "GITHUB_OUTPUT takes one line");
}

#[test]
fn a_dry_run_tells_the_order_and_the_estimate() {
    let answer = run(&["matrix", "fresh-*", "--cluster", "kind", "--dry-run"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(
        answer.stdout.contains("6 cells on kind (--cluster kind), 0 skipped, 1 side by side, about "),
        "{}",
        answer.stdout
    );
    assert!(answer.stdout.contains("fresh-kubernetes@1.19.1"), "{}", answer.stdout);
}

#[rstest]
#[case::shard(&["--shard", "5/4"], 2, "\"5/4\" is no shard: there are 4: write 1/4 to 4/4")]
#[case::unknown_version(&["--cilium", "1.18.40"], 2, "the nearest known is 1.18")]
#[case::empty_range(&["--cilium", ">=1.30"], 2, "no known version of Cilium is in")]
#[case::unknown_scenario(&["--scenario", "fresh-kubernets"], 4, "did you mean fresh-kubernetes?")]
#[case::unknown_kubernetes(&["--kubernetes", "1.99.0"], 2, "there is no node image of Kubernetes 1.99.0; the nearest is 1.34.4")]
#[case::kubernetes_on_sim(&["--kubernetes", "1.34"], 2, "--kubernetes is for kind")]
#[case::existing(&["--cluster", "existing"], 2, "a matrix makes its own clusters")]
#[case::no_baseline(&["--baseline", "scenarios"], 2, "scenarios is not the folder of a matrix")]
#[case::no_folder(&["--resume", "scenarios"], 2, "scenarios is not the folder of a matrix")]
fn bad_input_is_answered_with_what_to_write(#[case] arguments: &[&str], #[case] code: i32, #[case] text: &str) {
    let cluster: &[&str] = if arguments.contains(&"--cluster") { &["matrix"] } else { &["matrix", "--cluster", "sim"] };
    let answer = run(&[cluster, arguments].concat());
    assert_eq!(answer.code, code, "{}\n{}", answer.stdout, answer.stderr);
    assert!(answer.stderr.contains(text), "{text} is not in:\n{}", answer.stderr);
}
