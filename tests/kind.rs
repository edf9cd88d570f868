//! Real clusters. `cargo test --workspace --test kind -- --ignored --test-threads=1`, with Docker, kind and helm at hand.

#![expect(clippy::unwrap_used, reason = "a test says what it needs by failing")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use xshell::{Shell, cmd};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Containers, networks and volumes of Docker, one a line.
fn docker_state() -> String {
    let shell = Shell::new().unwrap();
    let containers = cmd!(shell, "docker ps -aq").quiet().read().unwrap();
    let networks = cmd!(shell, "docker network ls -q").quiet().read().unwrap();
    let volumes = cmd!(shell, "docker volume ls -q").quiet().read().unwrap();
    let mut lines: Vec<&str> = [containers.as_str(), &networks, &volumes].into_iter().flat_map(str::lines).collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[expect(clippy::disallowed_methods, reason = "a test drives the built command and kills it")]
fn start(arguments: &[&str]) -> Running {
    let child = Command::new(XTASK)
        .args(arguments)
        .current_dir(root())
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    Running::new(child)
}

/// A child process that does not outlive its test.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
    /// What was read so far.
    read: String,
}

impl Running {
    fn new(mut child: Child) -> Running {
        let output = BufReader::new(child.stdout.take().unwrap());
        Running { child, output, read: String::new() }
    }

    /// Reads the output until a line is as wanted.
    fn until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "it ended before {what}:\n{}", self.read);
            self.read.push_str(&line);
            if wanted(&line) {
                return;
            }
        }
    }

    /// Reads on until the step or phase has passed.
    fn until_passed(&mut self, step: &str) {
        self.until(step, |line| line.starts_with("   ok") && line.contains(step));
    }

    fn interrupt(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Exit code and the whole output.
    fn end(mut self) -> (Option<i32>, String) {
        self.output.read_to_string(&mut self.read).unwrap();
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.read))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already, or the test failed.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Prints the name of each container that starts.
#[expect(clippy::disallowed_methods, reason = "it is read while something else runs")]
fn containers_started() -> Running {
    let child = Command::new("docker")
        .args([
            "events",
            "--filter",
            "type=container",
            "--filter",
            "event=start",
            "--format",
            "{{.Actor.Attributes.name}}",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    Running::new(child)
}

/// A run that is killed in each of its phases leaves nothing once `clean` has run.
#[test]
#[ignore = "needs docker, kind and helm"]
fn what_sigkill_leaves_is_removed() {
    // Another test may have left something by failing.
    start(&["clean"]).end();
    let before = docker_state();
    for moment in ["the first node's start", "create", "install", "deploy alpine", "configure"] {
        let mut docker = containers_started();
        let mut run = start(&["e2e", "cidr-change-ignored", "--cluster", "kind"]);
        if moment == "the first node's start" {
            // In the middle of `kind create`.
            docker.until(moment, |line| line.starts_with("ipam-e2e-"));
        } else {
            run.until_passed(moment);
        }
        docker.kill();
        run.kill();
        let (code, told) = start(&["clean"]).end();
        assert_eq!(code, Some(0), "{told}");
        assert_eq!(docker_state(), before, "killed at {moment:?}");
    }
}

/// A search that ends while its cluster is being brought back leaves nothing: interrupted at once, killed once `clean` has run. One that is
/// resumed makes a cluster of its own.
#[test]
#[ignore = "needs docker, kind and helm"]
fn a_search_that_ends_between_two_uses_of_its_cluster_leaves_nothing() {
    start(&["clean"]).end();
    let before = docker_state();
    let dir = tempfile::tempdir().unwrap();
    let scenario = dir.path().join("wrong.yaml");
    let text = "name: wrong\nsummary: An expectation that is not so.\ncluster: {workers: 0}\nsteps:\n  - expect:\n      operatorStatus: {every: {error: \"allocator full\"}}\n      within: 5s\n";
    std::fs::write(&scenario, text).unwrap();
    let (scenario, search) = (scenario.to_str().unwrap(), dir.path().join("search"));
    let search = search.to_str().unwrap();
    let ends = ["--good", "1.19.1", "--bad", "1.20.2", "--among", "1.19.1,1.20.2"];
    let back = |line: &str| line.contains("bringing the cluster back");

    let mut run = start(&[&["bisect", scenario, "--cluster", "kind", "--report-dir", search], &ends[..]].concat());
    run.until("the second use", back);
    run.interrupt();
    let (code, told) = run.end();
    assert_eq!(code, Some(130), "{told}");
    assert_eq!(docker_state(), before, "{told}");

    // What failed there fails here as well, so this end is looked at again, on new clusters.
    let mut run = start(&["bisect", "--resume", search]);
    run.until_passed("create");
    run.kill();
    let (code, told) = start(&["clean"]).end();
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(docker_state(), before);
}

/// An API server that dies in the middle is survived, or named as the cause: never taken for an answer about Cilium.
#[test]
#[ignore = "needs docker, kind and helm"]
fn an_api_server_that_dies_is_survived_or_named() {
    let shell = Shell::new().unwrap();
    let before = docker_state();
    let mut run = start(&["e2e", "cidr-change-ignored", "--cluster", "kind"]);
    run.until_passed("configure");
    let format = "{{.Names}}";
    let names = cmd!(shell, "docker ps --format {format} --filter name=ipam-e2e-").quiet().read().unwrap();
    let node = names.lines().find(|name| name.ends_with("-control-plane")).unwrap();
    // The kubelet starts its container again.
    cmd!(shell, "docker exec {node} pkill -KILL -x kube-apiserver").quiet().run().unwrap();
    let (code, stdout) = run.end();
    match code {
        Some(0) => assert!(stdout.contains("the watch on"), "nothing was noticed:\n{stdout}"),
        Some(3) => assert!(stdout.contains("infrastructure"), "{stdout}"),
        other => panic!("exit code {other:?}\n{stdout}"),
    }
    assert_eq!(docker_state(), before);
}

/// An expectation that is wrong is reported with the node, both values and the next command; evidence is there.
#[test]
#[ignore = "needs docker, kind and helm"]
fn a_wrong_expectation_is_told_with_its_node_and_both_values() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = dir.path().join("wrong.yaml");
    let text = "name: wrong\nsummary: An expectation that is not so.\nsteps:\n  - expect:\n      operatorStatus: {every: {error: \"allocator full\"}}\n      within: 5s\n";
    std::fs::write(&scenario, text).unwrap();
    let report = dir.path().join("report");
    let run =
        start(&["e2e", scenario.to_str().unwrap(), "--cluster", "kind", "--report-dir", report.to_str().unwrap()]);
    let (code, stdout) = run.end();
    assert_eq!(code, Some(1), "{stdout}");
    for text in ["-worker2", "allocator full", "clear", "cargo xtask e2e wrong", "wrong.yaml:4"] {
        assert!(stdout.contains(text), "{text} is not in:\n{stdout}");
    }
    for file in ["history/CiliumNode.ndjson", "cilium-config.json", "objects/Pod.json", "helm-values.json"] {
        assert!(report.join("wrong").join(file).is_file(), "{file} is missing");
    }
}
