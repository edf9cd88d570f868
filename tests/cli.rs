//! The built command, as a user types it, without Docker and without a cluster.

#![expect(clippy::unwrap_used, reason = "a test says what it needs by failing")]

use std::path::Path;

use rstest::rstest;
use xshell::{Shell, cmd};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

/// What a command printed and how it ended.
struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run_in(dir: &Path, arguments: &[&str]) -> Answer {
    let shell = Shell::new().unwrap();
    shell.change_dir(dir);
    // No Docker, kind or helm: what these tests say must hold on a bare machine.
    let output = cmd!(shell, "{XTASK} {arguments...}")
        .env("PATH", "/nonexistent")
        .env("NO_COLOR", "1")
        .env_remove("KUBECONFIG")
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

fn run(arguments: &[&str]) -> Answer {
    run_in(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap(), arguments)
}

#[rstest]
#[case::top(&["--help"], &["e2e", "list", "lint", "schema", "doctor", "clean", "adopt", "completions", "Exit codes:"])]
#[case::e2e(&["e2e", "--help"], &["--cluster", "--cilium", "--keep", "--fail-fast", "--timeout-scale", "--report-dir", "--dry-run", "IPAM_E2E_NODE_IMAGE"])]
#[case::adopt(&["adopt", "--help"], &["--context", "--yes"])]
fn help_names_everything(#[case] arguments: &[&str], #[case] words: &[&str]) {
    let answer = run(arguments);
    assert_eq!(answer.code, 0);
    for word in words {
        assert!(answer.stdout.contains(word), "{word} is not in:\n{}", answer.stdout);
    }
}

#[test]
fn lists_every_scenario_with_its_summary() {
    let answer = run(&["list", "--json"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let scenarios: serde_yaml::Value = serde_yaml::from_str(&answer.stdout).unwrap();
    let names: Vec<&str> = scenarios.as_sequence().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    for name in ["fresh-cluster-pool", "cluster-pool-to-kubernetes", "cidr-change-ignored", "config-backup-restore"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
}

#[test]
fn the_shipped_scenarios_and_their_schema_are_in_order() {
    let answer = run(&["lint"]);
    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{}", answer.stdout);
    let answer = run(&["schema", "--check"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
}

#[test]
fn a_dry_run_prints_the_plan_and_needs_nothing() {
    let answer = run(&["e2e", "cidr-change-ignored", "--cluster", "kind", "--cilium", "1.19.1", "--dry-run"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stdout.contains("Cilium:  1.19.1"), "{}", answer.stdout);
    assert!(answer.stdout.contains("1. deploy alpine [within"), "{}", answer.stdout);
    assert!(answer.stdout.contains("restart cilium-operator"), "{}", answer.stdout);
}

#[test]
fn a_range_is_its_newest_version_and_that_is_said() {
    let answer = run(&["e2e", "cidr-change-ignored", "--cluster", "kind", "--cilium", ">=1.18, <1.20", "--dry-run"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stdout.contains("Cilium:  1.19.3"), "{}", answer.stdout);
    assert!(
        answer.stderr.contains("Cilium 1.19.3: the newest known version in \">=1.18, <1.20\""),
        "{}",
        answer.stderr
    );
}

#[test]
fn versions_are_listed_with_what_is_here_of_each() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("cilium-1.19.1.tgz"), "").unwrap();
    let charts = dir.path().to_str().unwrap();
    let answer = run(&["versions", "1.19", "--chart-dir", charts]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let line = |version: &str| answer.stdout.lines().find(|line| line.contains(version)).unwrap_or_default().to_owned();
    assert!(line("1.19.1").contains("proven") && line("1.19.1").contains("in the folder"), "{}", answer.stdout);
    assert!(line("1.19.3").contains("helm.cilium.io"), "{}", answer.stdout);
    assert!(!answer.stdout.contains("1.18.4"), "{}", answer.stdout);
    assert!(answer.stdout.contains("Docker does not say which images it has: "), "{}", answer.stdout);

    let answer = run(&["versions", "--json"]);
    let all: serde_yaml::Value = serde_yaml::from_str(&answer.stdout).unwrap();
    let cilium = all["cilium"].as_sequence().unwrap();
    let named = |name: &str| cilium.iter().find(|one| one["version"].as_str() == Some(name)).unwrap();
    assert_eq!(named("1.18.4")["default"].as_bool(), Some(true), "{}", answer.stdout);
    assert_eq!(
        named("1.20.2")["images"][0]["here"],
        serde_yaml::Value::Null,
        "not known without Docker: {}",
        answer.stdout
    );

    let answer = run(&["versions", "--check"]);
    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{}", answer.stdout);
}

#[rstest]
#[case::unknown_scenario(&["e2e", "cidr-change-ignord"], 4, "did you mean cidr-change-ignored?")]
#[case::no_such_tag(&["e2e", "--tag", "nothing-has-this", "--cluster", "kind", "--dry-run"], 4, "nothing-has-this")]
#[case::not_a_version(&["e2e", "--cilium", "1.l8"], 2, "write a version such as 1.18.4, or a range")]
#[case::unknown_version(&["e2e", "--cilium", "1.19.77"], 2, "unknown Cilium version 1.19.77; the nearest known is 1.19.3")]
#[case::empty_range(&["e2e", "--cilium", ">=1.21"], 2, "no known version of Cilium is in \">=1.21\"; known are 1.16.0 to")]
#[case::latest_of_none(&["predict", "fresh-kubernetes", "--cilium", "latest-patch-of 1.42"], 2, "no version of Cilium 1.42 is known")]
#[case::not_a_factor(&["e2e", "--timeout-scale", "0"], 2, "a number above 0")]
#[case::no_such_file(&["lint", "nowhere/x.yaml"], 2, "nowhere/x.yaml: there is no such file")]
#[case::existing_without_context(&["e2e", "--cluster", "existing"], 2, "--context")]
#[case::no_docker(&["e2e", "fresh-kubernetes", "--cluster", "kind"], 3, "docker")]
fn bad_input_is_answered_with_what_to_write(#[case] arguments: &[&str], #[case] code: i32, #[case] text: &str) {
    let answer = run(arguments);
    assert_eq!(answer.code, code, "{}\n{}", answer.stdout, answer.stderr);
    assert!(answer.stderr.contains(text), "{text} is not in:\n{}", answer.stderr);
}

#[test]
fn all_problems_of_all_files_are_reported_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "one.yaml",
        "name: one\nsummary: a typing error\ncilium: {ipam: {mode: cluster-role}}\nworkloads: {alpine: {}}\nsteps:\n  - deploy: alpin\n  - restrat: alpine\n",
    );
    write(
        "two.yaml",
        "name: two\nsummary: a range that is none\ncilium: {ipam: {clusterPoolIPv4PodCIDRList: [10.0.0.0/33]}}\nsteps:\n  - backup: cilium-config\n",
    );
    write("three.yaml", "");
    let answer = run_in(dir.path(), &["e2e", "./one.yaml", "./two.yaml", "./three.yaml", "--cluster", "kind"]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    for text in [
        "one.yaml:3:",
        "cluster-pool",
        "one.yaml:6:",
        "alpine",
        "one.yaml:7:",
        "restart",
        "two.yaml:3:",
        "10.0.0.0/33",
        "three.yaml",
        "no cluster was touched",
    ] {
        assert!(answer.stderr.contains(text), "{text} is not in:\n{}", answer.stderr);
    }
}

#[test]
fn completions_are_for_the_shell_that_was_asked() {
    let answer = run(&["completions", "bash"]);
    assert_eq!(answer.code, 0);
    assert!(answer.stdout.contains("complete -F"), "{}", answer.stdout);
}
