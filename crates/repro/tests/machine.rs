//! The script on machines that get in the way: exit code 3, whatever happens, and never 1.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use camino::Utf8Path;
use repro::script::{Defaults, script};
use rstest::rstest;
use xshell::{Shell, cmd};

const SCENARIO: &str = "\
name: a-case
summary: A node keeps its block.
cluster: {workers: 1}
cilium: {versions: '>=1.18'}
workloads: {alpine: {replicas: 1}}
steps:
  - deploy: alpine
  - expect: {operatorStatus: {every: clear}}
";

/// Tools that do nothing, but for the one whose trouble is asked for.
const KIND: &str = r#"#!/bin/sh
case "$TROUBLE:$1 $2" in
  "kind:create cluster") echo "ERROR: failed to pull image" >&2; exit 1 ;;
  "taken:get clusters") echo repro ;;
esac
"#;
const HELM: &str = r#"#!/bin/sh
[ "$TROUBLE:$1" != helm:upgrade ] || { echo "Error: chart not found" >&2; exit 1; }
"#;
/// No API server, or one that has nodes and never a pod of Cilium's.
const KUBECTL: &str = r#"#!/bin/sh
[ "$1" != version ] || { echo "Client Version: v1"; exit 0; }
if [ "$TROUBLE" = image ]; then
  case "$*" in
    *watch=true*) sleep 60 ;;
    *--raw*/readyz*) echo ok ;;
    *--raw*/nodes*) echo '{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"repro-worker"},"spec":{},"status":{}}]}' ;;
    *--raw*/pods*) echo '{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"cilium-1","namespace":"kube-system","uid":"u","labels":{"k8s-app":"cilium"}},"spec":{"nodeName":"repro-worker"},"status":{"phase":"Pending","containerStatuses":[{"restartCount":0,"state":{"waiting":{"reason":"ImagePullBackOff"}}}]}}]}' ;;
    *--raw*) echo '{"metadata":{"resourceVersion":"1"},"items":[]}' ;;
  esac
  exit 0
fi
echo "The connection to the server was refused" >&2
exit 1
"#;

fn tool(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn run(trouble: &str, version: &str) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("kind", KIND), ("helm", HELM), ("kubectl", KUBECTL)] {
        tool(dir.path(), name, text);
    }
    let (scenario, problems) = scenario::parse(Utf8Path::new("a-case.yaml"), SCENARIO.as_bytes());
    let scenario = scenario.unwrap_or_else(|| panic!("{problems:?}"));
    let defaults = Defaults {
        cilium: "1.18.4".parse().unwrap(),
        node_image: "kindest/node:v1.34.4".to_owned(),
        chart_repo: "https://helm.cilium.io".to_owned(),
    };
    // Nobody waits ten minutes for a cluster that never comes.
    let text = script(&scenario, &defaults).unwrap().text.replace("until_so 600 ", "until_so 2 ");
    let file = dir.path().join("repro.sh");
    std::fs::write(&file, text).unwrap();
    let shell = Shell::new().unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let output = cmd!(shell, "bash {file}")
        .env("PATH", path)
        .env("TROUBLE", trouble)
        .env("CILIUM_VERSION", version)
        .env("STATE_DIR", dir.path().join("state"))
        .quiet()
        .ignore_status()
        .output()
        .unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[rstest]
#[ignore = "needs jq"]
#[case::no_node_image("kind", 3, "MACHINE: kind create cluster: ERROR: failed to pull image")]
#[case::no_chart("helm", 3, "MACHINE: helm upgrade: Error: chart not found")]
#[case::no_api_server("server", 3, "the API server does not answer: The connection to the server was refused")]
#[case::no_image("image", 3, "but Pod kube-system/cilium-1: ImagePullBackOff")]
#[case::not_ours("taken", 2, "there is a kind cluster named repro already")]
fn gets_in_the_way(#[case] trouble: &str, #[case] code: i32, #[case] text: &str) {
    let (got, output) = run(trouble, "1.18.4");
    assert_eq!(got, code, "{output}");
    assert!(output.contains(text), "{output}");
}

#[rstest]
#[ignore = "needs jq"]
#[case::no_version("x", "is not a version")]
#[case::another("1.17.0", "the scenario is for Cilium >=1.18")]
fn versions(#[case] version: &str, #[case] text: &str) {
    let (code, output) = run("", version);
    assert_eq!(code, 2, "{output}");
    assert!(output.contains(text), "{output}");
}
