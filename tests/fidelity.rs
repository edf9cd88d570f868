//! The simulated cluster against what real ones did: the recordings in `tests/fidelity`.

#![expect(clippy::unwrap_used, reason = "a test says what it needs by failing")]

use std::path::{Path, PathBuf};

use rstest::rstest;
use xshell::{Shell, cmd};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Exit code and standard output of the command, run in a folder that is the project to it.
fn fidelity(dir: &Path, arguments: &[&str]) -> (i32, String) {
    let shell = Shell::new().unwrap();
    shell.change_dir(dir);
    let json = tempfile::NamedTempFile::new().unwrap();
    let json = json.path();
    let output = cmd!(shell, "{XTASK} fidelity --recorded --json {json} {arguments...}")
        .env("PATH", "/nonexistent")
        .env("NO_COLOR", "1")
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("KUBECONFIG")
        .ignore_status()
        .quiet()
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// Every scenario that runs on kind, under several orders of what real life leaves open. One without a recording counts as different.
#[rstest]
fn does_what_real_clusters_did(
    #[values("1.18.4", "1.19.1", "1.20.2")] cilium: &str,
    #[values("0", "1", "2")] seed: &str,
) {
    let (code, told) = fidelity(&project(), &["--cilium", cilium, "--seed", seed]);
    assert_eq!(code, 0, "{told}");
}

/// The project with one scenario, and its recording as `change` makes it; none: no recording.
fn with_recording(change: impl FnOnce(String) -> Option<String>) -> tempfile::TempDir {
    const RECORDING: &str = "tests/fidelity/1.18.4/fresh-kubernetes.json";
    let dir = tempfile::tempdir().unwrap();
    let copy = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let read = |name: &str| std::fs::read_to_string(project().join(name)).unwrap();
    copy("scenarios/fresh-kubernetes.yaml", &read("scenarios/install/fresh-kubernetes.yaml"));
    if let Some(text) = change(read(RECORDING)) {
        copy(RECORDING, &text);
    }
    dir
}

#[test]
fn a_recording_that_says_something_else_is_told_with_both_sides() {
    let dir = with_recording(|text| {
        let changed = text.replacen("\"worker: agent's mode\": \"kubernetes\"", "\"worker: agent's mode\": \"eni\"", 1);
        assert_ne!(changed, text);
        Some(changed)
    });
    let (code, told) = fidelity(dir.path(), &["--cilium", "1.18.4"]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("worker: agent's mode\n  real: eni\n  sim:  kubernetes\n"), "{told}");
}

#[rstest]
#[case::none(None, "there is no tests/fidelity/1.18.4/fresh-kubernetes.json")]
#[case::broken(Some("{"), "fresh-kubernetes.json: EOF while parsing")]
fn without_a_recording_nothing_is_equal(#[case] recording: Option<&str>, #[case] words: &str) {
    let dir = with_recording(|_| recording.map(str::to_owned));
    let (code, told) = fidelity(dir.path(), &["--cilium", "1.18.4"]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains(words), "{told}");
}
