//! The workflows' shell steps, run as they are written, with simulated clusters for real ones and stubs for what only GitHub has.

#![expect(clippy::unwrap_used, reason = "a test says what it needs by failing")]
#![expect(clippy::disallowed_methods, reason = "a step's shell is a runner's, not a program of this tool")]
#![expect(clippy::print_stderr, reason = "what a step printed is what one wants to see when it fails")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_yaml::Value;

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn workflow(name: &str) -> Value {
    let text = std::fs::read_to_string(root().join(".github/workflows").join(name)).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

/// A place like a runner's: a checkout (its files by links), stub programs, the files that steps write to.
struct Runner {
    dir: tempfile::TempDir,
    /// What expressions stand for.
    values: BTreeMap<String, String>,
    env: BTreeMap<String, String>,
}

impl Runner {
    fn new(workflow: &Value, values: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        for name in ["bin", "home", "work"] {
            std::fs::create_dir(path.join(name)).unwrap();
        }
        for name in ["scenarios", "kind", "Cargo.toml"] {
            std::os::unix::fs::symlink(root().join(name), path.join("work").join(name)).unwrap();
        }
        let runner = Self {
            dir,
            values: values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            env: BTreeMap::new(),
        };
        // `cargo xtask` is this build; what GitHub's own program is asked is written down.
        runner.program(
            "cargo",
            &format!(
                "[ \"$1\" = xtask ] || {{ echo \"cargo $*\" >> \"$CALLS\"; exit 0; }}\nshift\nexec {XTASK} \"$@\"\n"
            ),
        );
        runner.program("rustup", "echo \"rustup $*\" >> \"$CALLS\"\n");
        runner.program("gh", "echo \"gh $*\" >> \"$CALLS\"\ncase \"$1 $2\" in 'issue list') [ ! -e \"$OPEN\" ] || cat \"$OPEN\" ;; esac\n");
        let mut runner = runner;
        runner.take_env(workflow);
        runner
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        std::fs::write(&path, format!("#!/bin/bash\n{text}")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// `env` of a workflow, a job or a step, with its expressions filled in.
    fn take_env(&mut self, of: &Value) {
        let Some(table) = of.get("env").and_then(Value::as_mapping) else { return };
        for (name, value) in table {
            let text = self.filled(value.as_str().unwrap());
            // Real clusters are what this test does without.
            let text = if name.as_str() == Some("CLUSTER") { "sim".to_owned() } else { text };
            self.env.insert(name.as_str().unwrap().to_owned(), text);
        }
    }

    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        while let Some(start) = text.find("${{") {
            let end = start + text[start..].find("}}").unwrap() + 2;
            let name = text[start + 3..end - 2].trim().to_owned();
            let value = self.values.get(&name).unwrap_or_else(|| panic!("nothing is said about {name}"));
            text.replace_range(start..end, value);
        }
        text
    }

    /// Runs the step of that name as GitHub's bash does; answers its exit code.
    fn step(&mut self, job: &Value, name: &str) -> i32 {
        let steps = job["steps"].as_sequence().unwrap();
        let step =
            steps.iter().find(|step| step["name"].as_str() == Some(name)).unwrap_or_else(|| panic!("no step {name}"));
        let script = step["run"].as_str().unwrap();
        assert!(
            !script.contains("${{"),
            "{name}: what comes from outside is handed over by env, not written into a script"
        );
        self.take_env(job);
        self.take_env(step);
        let file = self.path("step.sh");
        std::fs::write(&file, script).unwrap();
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail"])
            .arg(&file)
            .current_dir(self.path("work"))
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("CARGO_TARGET_DIR")
            .envs(&self.env)
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()))
            .env("HOME", self.path("home"))
            .env("CALLS", self.path("calls"))
            .env("OPEN", self.path("open"))
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("GITHUB_STEP_SUMMARY", self.path("summary"))
            .output()
            .unwrap();
        eprintln!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        output.status.code().unwrap()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

#[test]
fn the_nightly_plans_runs_merges_and_files() {
    let nightly = workflow("nightly.yaml");
    let jobs = &nightly["jobs"];
    let values = [("inputs.cilium", "1.18.4,1.20.2"), ("inputs.scenario", "fresh-*"), ("github.token", "none")];
    let mut runner = Runner::new(&nightly, &values);

    assert_eq!(runner.step(&jobs["plan"], "Plan the shards"), 0);
    let output = runner.read("output");
    let matrix: serde_json::Value = serde_json::from_str(output.trim().strip_prefix("matrix=").unwrap()).unwrap();
    let include = matrix["include"].as_array().unwrap();
    assert!(!include.is_empty());
    for job in include {
        runner.values.insert("matrix.shard".to_owned(), job["shard"].as_str().unwrap().to_owned());
        assert_eq!(runner.step(&jobs["cells"], "Run the shard"), 0);
        // The artifact goes up as `result` and comes down under its name.
        let artifact = job["artifact"].as_str().unwrap();
        assert!(artifact.starts_with("shard-"), "the report's pattern takes it");
        std::fs::create_dir_all(runner.path("work/shards")).unwrap();
        std::fs::rename(runner.path("work/result"), runner.path("work/shards").join(artifact)).unwrap();
    }
    assert_eq!(runner.step(&jobs["report"], "Fetch the last night's result"), 0);
    assert_eq!(runner.step(&jobs["report"], "Merge the shards"), 0);
    assert!(runner.read("summary").starts_with("## cilium-ipam-e2e matrix: 4 pass\n"), "{}", runner.read("summary"));

    // The next night has this one's result, and trouble: one issue for each kind, and a comment where one is open.
    std::fs::rename(runner.path("work/result"), runner.path("work/baseline")).unwrap();
    assert_eq!(runner.step(&jobs["report"], "Merge the shards"), 0);
    assert!(runner.read("summary").contains("### Since the baseline"), "{}", runner.read("summary"));
    let issues = runner.path("work/result/issues");
    std::fs::create_dir_all(&issues).unwrap();
    std::fs::write(issues.join("disk-full.md"), "[disk-full] infrastructure: disk-full\n\nNo room.\n").unwrap();
    assert_eq!(runner.step(&jobs["report"], "One issue for each kind of trouble"), 0);
    std::fs::write(runner.path("open"), "17\n").unwrap();
    assert_eq!(runner.step(&jobs["report"], "One issue for each kind of trouble"), 0);
    let calls = runner.read("calls");
    assert!(
        calls.contains("gh issue create --title [disk-full] infrastructure: disk-full --body-file body.md\n"),
        "{calls}"
    );
    assert!(calls.contains("gh issue comment 17 --body-file body.md\n"), "{calls}");
    assert_eq!(runner.read("work/body.md"), "No room.\n");
}

#[test]
fn the_shards_that_failed_still_make_a_page_and_a_red_job() {
    let nightly = workflow("nightly.yaml");
    let values =
        [("inputs.cilium", "1.18.4"), ("inputs.scenario", ""), ("github.token", "none"), ("matrix.shard", "1/1")];
    let mut runner = Runner::new(&nightly, &values);
    let scenario =
        "name: wrong\nsummary: Never so.\nsteps:\n  - expect: {operatorStatus: {every: {error: never}}, within: 1s}\n";
    std::fs::write(runner.path("work/wrong.yaml"), scenario).unwrap();
    runner.values.insert("inputs.scenario".to_owned(), "./wrong.yaml".to_owned());
    runner.take_env(&nightly);
    assert_eq!(runner.step(&nightly["jobs"]["cells"], "Run the shard"), 1);
    std::fs::create_dir_all(runner.path("work/shards")).unwrap();
    std::fs::rename(runner.path("work/result"), runner.path("work/shards/shard-1-of-1")).unwrap();
    assert_eq!(runner.step(&nightly["jobs"]["report"], "Merge the shards"), 1);
    assert!(runner.read("summary").starts_with("## cilium-ipam-e2e matrix: 1 fail\n"), "{}", runner.read("summary"));
    assert_eq!(std::fs::read_dir(runner.path("work/result/issues")).unwrap().count(), 1);
}

#[test]
fn the_steps_of_every_push_run() {
    let ci = workflow("ci.yaml");
    let mut runner = Runner::new(&ci, &[]);
    // What cargo itself does is the gate's own business; here it is written down.
    for step in ["Toolchain", "Formatting", "Clippy", "Tests"] {
        assert_eq!(runner.step(&ci["jobs"]["check"], step), 0);
    }
    assert!(runner.read("calls").contains("cargo clippy --workspace --all-targets -- -D warnings\n"));
    assert_eq!(runner.step(&ci["jobs"]["check"], "Schema and scenarios"), 0);
    assert_eq!(runner.step(&ci["jobs"]["kind"], "One scenario on a real cluster"), 0);
    assert!(runner.read("summary").starts_with("## cilium-ipam-e2e matrix: 1 pass\n"), "{}", runner.read("summary"));
}

/// Actions by digest, least rights, a deadline for each job.
#[test]
fn workflows_are_pinned_and_bounded() {
    for name in ["ci.yaml", "nightly.yaml"] {
        let workflow = workflow(name);
        assert_eq!(workflow["permissions"]["contents"].as_str(), Some("read"), "{name}");
        for (job, content) in workflow["jobs"].as_mapping().unwrap() {
            assert!(content["timeout-minutes"].as_u64().is_some(), "{name}: {job:?} has no deadline");
            for step in content["steps"].as_sequence().unwrap() {
                let Some(uses) = step["uses"].as_str() else { continue };
                let digest = uses.split_once('@').unwrap().1;
                assert!(digest.len() == 40 && digest.bytes().all(|b| b.is_ascii_hexdigit()), "{name}: {uses}");
            }
        }
    }
}
