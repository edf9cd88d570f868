//! `lint values`, `lint configmap`, `lint cluster` and `predict`, as a user types them.

#![expect(clippy::unwrap_used, reason = "a test says what it needs by failing")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use rstest::rstest;
use xshell::{Shell, cmd};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }
}

fn run_in(dir: &Path, arguments: &[&str]) -> Answer {
    let shell = Shell::new().unwrap();
    shell.change_dir(dir);
    let output = cmd!(shell, "{XTASK} {arguments...}")
        .env("PATH", "/nonexistent")
        .env("NO_COLOR", "1")
        .env_remove("KUBECONFIG")
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
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

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

const GOOD: &str = "ipam: {mode: cluster-pool, operator: {clusterPoolIPv4PodCIDRList: [10.42.0.0/16]}}\n";
const BAD: &str = "ipam:\n  mode: cluster-pool\n  operator:\n    clusterPoolIPv4PodCIDRList: [10.0.0.0/8, 10.1.0.0/16]\n    clusterPoolIPv4PodCIDR: 10.2.0.0/16\n";
const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config, namespace: kube-system}\ndata:\n  ipam: cluster-pool\n  enable-ipv6: \"false\"\n  cluster-pool-ipv4-cidr: 10.77.0.0/16\n  cluster-pool-ipv4-mask-size: \"24\"\n";
const NODES: &str = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: cilium.io/v2, kind: CiliumNode, metadata: {name: n1}, spec: {ipam: {podCIDRs: [10.0.0.0/24]}}}\n- {apiVersion: cilium.io/v2, kind: CiliumNode, metadata: {name: n2}, spec: {ipam: {podCIDRs: [10.77.9.0/24]}}}\n";

#[test]
fn sound_values_pass_and_say_how_much_room_there_is() {
    let dir = folder(&[("v.yaml", GOOD)]);
    let answer = run_in(dir.path(), &["lint", "values", "v.yaml", "--nodes", "3"]);
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    assert!(answer.stdout.contains("256 nodes, 3 wanted (1.2 %); node 257 gets none"), "{}", answer.stdout);
    assert!(answer.stdout.contains("0 errors, 0 warnings, 0 notes"), "{}", answer.stdout);
}

#[test]
fn bad_values_are_bad_input_with_places_and_what_to_write() {
    let dir = folder(&[("v.yaml", BAD)]);
    let answer = run_in(dir.path(), &["lint", "values", "v.yaml", "--chart", "1.19.1"]);
    assert_eq!(answer.code, 2);
    for text in [
        "error[overlapping-ranges]: pool 10.1.0.0/16 overlaps 10.0.0.0/8",
        "v.yaml:4:46",
        "error[removed-key]: `ipam.operator.clusterPoolIPv4PodCIDR`",
        "help: write `ipam.operator.clusterPoolIPv4PodCIDRList`",
        "v.yaml:5:5",
    ] {
        assert!(answer.stdout.contains(text), "{text} is not in:\n{}", answer.stdout);
    }
    let json = run_in(dir.path(), &["lint", "values", "v.yaml", "--format", "json"]).json();
    assert_eq!(json["findings"].as_array().unwrap().len(), 2);
    let sarif = run_in(dir.path(), &["lint", "values", "v.yaml", "--format", "sarif"]).json();
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "v.yaml");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 4);
}

#[test]
fn a_config_map_against_a_cluster_in_a_file() {
    let dir = folder(&[("cm.yaml", CONFIG), ("nodes.yaml", NODES)]);
    let answer = run_in(dir.path(), &["lint", "configmap", "cm.yaml"]);
    assert_eq!(answer.code, 0, "{}", answer.stdout);
    let answer = run_in(dir.path(), &["lint", "configmap", "cm.yaml", "--against", "nodes.yaml"]);
    assert_eq!(answer.code, 2, "{}{}", answer.stdout, answer.stderr);
    let status = "allocator not configured for the requested CIDR 10.0.0.0/24";
    assert!(answer.stdout.contains(&format!("operator-status of n1 will say \"{status}\"")), "{}", answer.stdout);
    assert!(answer.stdout.contains("n2    10.77.9.0/24  clear"), "{}", answer.stdout);
    assert!(answer.stdout.contains("1 ranges used"), "{}", answer.stdout);
}

#[rstest]
#[case::no_file(&["lint", "values", "nowhere.yaml"], "nowhere.yaml: there is no such file")]
#[case::chart(&["lint", "values", "v.yaml", "--chart", "1.16.0"], "known: 1.18, 1.19, 1.20")]
#[case::not_yaml(&["lint", "values", "broken.yaml"], "broken.yaml:")]
#[case::not_a_map(&["lint", "configmap", "v.yaml"], "use `lint values`")]
#[case::not_values(&["lint", "values", "cm.yaml"], "use `lint configmap`")]
#[case::not_nodes(&["lint", "values", "v.yaml", "--against", "cm.yaml"], "kubectl get ciliumnodes,nodes -o yaml")]
#[case::no_code(&["lint", "--explain", "overlaping-ranges"], "did you mean overlapping-ranges?")]
#[case::no_kubeconfig(&["lint", "cluster", "--context", "x", "--kubeconfig", "nowhere"], "there is no such kubeconfig")]
#[case::no_span(&["lint", "cluster", "--context", "x", "--timeout", "soon"], "write one such as 15s")]
#[case::mode(&["predict", "--values", "eni.yaml"], "does not cover IPAM mode eni")]
#[case::refused(&["predict", "--values", "refused.yaml"], "the chart refuses these values")]
#[case::nothing(&["predict"], "--values")]
fn bad_input_is_answered_with_what_to_write(#[case] arguments: &[&str], #[case] text: &str) {
    let dir = folder(&[
        ("v.yaml", GOOD),
        ("cm.yaml", CONFIG),
        ("broken.yaml", "a: [\n"),
        ("eni.yaml", "ipam: {mode: eni}\n"),
        ("refused.yaml", "cluster: {name: NotLower}\n"),
    ]);
    let answer = run_in(dir.path(), arguments);
    assert_eq!(answer.code, 2, "{}\n{}", answer.stdout, answer.stderr);
    assert!(answer.stderr.contains(text), "{text} is not in:\n{}", answer.stderr);
}

#[test]
fn every_code_is_listed_and_has_a_page() {
    let list = run_in(root(), &["lint", "--explain"]);
    assert_eq!(list.code, 0);
    for code in ["unaligned-pool", "node-status-after-change", "empty-steps"] {
        assert!(list.stdout.contains(code), "{}", list.stdout);
        assert!(run_in(root(), &["lint", "--explain", code]).stdout.starts_with(&format!("# {code}\n")));
    }
}

#[test]
fn scenarios_get_the_domain_rules_in_every_format() {
    let text = "name: x\nsummary: a pool with host bits\ncilium: {ipam: {clusterPoolIPv4PodCIDRList: [192.168.54.16/26], clusterPoolIPv4MaskSize: 28}}\nsteps:\n  - backup: cilium-config\n";
    let dir = folder(&[("x.yaml", text)]);
    let answer = run_in(dir.path(), &["lint", "./x.yaml"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stderr.contains("warning[unaligned-pool]"), "{}", answer.stderr);
    assert_eq!(run_in(dir.path(), &["lint", "./x.yaml", "--json"]).json()[0]["code"], "unaligned-pool");
    let sarif = run_in(dir.path(), &["lint", "./x.yaml", "--format", "sarif"]).json();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "unaligned-pool");
}

/// What a small API server does with a request.
#[derive(Clone, Copy)]
enum Manner {
    /// Never answers.
    Silent,
    /// Forbids to list CiliumNodes, and knows nothing else.
    Forbids,
    /// Has a cluster of two nodes.
    Serves,
}

/// An API server on a port of its own, and a kubeconfig for it.
fn server(manner: Manner, dir: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config = format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: '{url}'}}}}]\nusers: [{{name: u, user: {{}}}}]\ncontexts: [{{name: test, context: {{cluster: c, user: u}}}}]\n"
    );
    std::fs::write(dir.join("kubeconfig"), config).unwrap();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0_u8; 4096];
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(count) => request.extend_from_slice(&buffer[..count]),
                }
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let path = request.split_whitespace().nth(1).unwrap_or_default().to_owned();
            let (code, body) = match manner {
                Manner::Silent => {
                    held.push(stream);
                    continue;
                }
                Manner::Forbids => forbid(&path),
                Manner::Serves => serve(&path),
            };
            let head = format!(
                "HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        }
    });
}

fn status(code: u16, reason: &str, message: &str) -> (u16, String) {
    let body = serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": message});
    (code, body.to_string())
}

fn forbid(path: &str) -> (u16, String) {
    if path.starts_with("/apis/cilium.io/v2/ciliumnodes") {
        return status(403, "Forbidden", "ciliumnodes.cilium.io is forbidden: User \"reader\" cannot list resource");
    }
    serve(path)
}

fn serve(path: &str) -> (u16, String) {
    let body = match path.split('?').next().unwrap_or_default() {
        "/api/v1/namespaces/kube-system/configmaps/cilium-config" => serde_json::json!({"kind": "ConfigMap",
            "metadata": {"name": "cilium-config"}, "data": {"ipam": "cluster-pool", "enable-ipv6": "false",
            "cluster-pool-ipv4-cidr": "10.77.0.0/16", "cluster-pool-ipv4-mask-size": "24"}}),
        "/apis/cilium.io/v2/ciliumnodes" => serde_json::json!({"kind": "CiliumNodeList", "metadata": {}, "items": [
            {"metadata": {"name": "n1"}, "spec": {"ipam": {"podCIDRs": ["10.0.0.0/24"]}}},
            {"metadata": {"name": "n2"}, "spec": {"ipam": {"podCIDRs": ["10.77.0.0/24"]}}}]}),
        "/api/v1/nodes" => serde_json::json!({"kind": "NodeList", "metadata": {}, "items": [
            {"metadata": {"name": "n1"}, "status": {"addresses": [{"type": "InternalIP", "address": "172.18.0.2"}]}},
            {"metadata": {"name": "n2"}, "status": {"addresses": [{"type": "InternalIP", "address": "172.18.0.3"}]}}]}),
        "/apis/apps/v1/namespaces/kube-system/daemonsets/cilium" => serde_json::json!({"kind": "DaemonSet",
            "metadata": {"name": "cilium"}, "spec": {"template": {"spec": {"containers": [
            {"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.18.4"}]}}}}),
        "/apis/networking.k8s.io/v1/servicecidrs" => {
            return status(403, "Forbidden", "servicecidrs.networking.k8s.io is forbidden");
        }
        _ => return status(404, "NotFound", "not found"),
    };
    (200, body.to_string())
}

const CLUSTER: [&str; 6] = ["lint", "cluster", "--context", "test", "--kubeconfig", "kubeconfig"];

#[test]
fn a_running_cluster_is_read_and_what_was_refused_is_named() {
    let dir = folder(&[("v.yaml", GOOD)]);
    server(Manner::Serves, dir.path());
    let answer = run_in(dir.path(), &CLUSTER);
    assert_eq!(answer.code, 2, "{}{}", answer.stdout, answer.stderr);
    for text in [
        "operator-status of n1 will say \"allocator not configured for the requested CIDR 10.0.0.0/24\" at the operator's next start",
        "--> CiliumNode/n1: status.ipam.operator-status",
        "not checked: the ranges of Services: the right to list servicecidrs.networking.k8s.io is missing",
        "(Cilium 1.18.4, mode cluster-pool)",
    ] {
        assert!(answer.stdout.contains(text), "{text} is not in:\n{}", answer.stdout);
    }
    let against = ["lint", "values", "v.yaml", "--context", "test", "--kubeconfig", "kubeconfig"];
    let answer = run_in(dir.path(), &against);
    assert_eq!(answer.code, 2, "{}{}", answer.stdout, answer.stderr);
    assert!(answer.stdout.contains("warning[pool-element-changed]"), "{}", answer.stdout);
}

#[test]
fn a_missing_right_is_named_with_the_role_that_gives_it() {
    let dir = folder(&[]);
    server(Manner::Forbids, dir.path());
    let answer = run_in(dir.path(), &CLUSTER);
    assert_eq!(answer.code, 2, "{}{}", answer.stdout, answer.stderr);
    for text in [
        "list ciliumnodes.cilium.io (ciliumnodes.cilium.io is forbidden",
        "kind: ClusterRole",
        "{apiGroups: [cilium.io], resources: [ciliumnodes], verbs: [list]}",
    ] {
        assert!(answer.stderr.contains(text), "{text} is not in:\n{}", answer.stderr);
    }
}

#[test]
fn a_server_that_does_not_answer_is_given_up_in_time() {
    let dir = folder(&[]);
    server(Manner::Silent, dir.path());
    let answer = run_in(dir.path(), &[&CLUSTER[..], &["--timeout", "300ms"]].concat());
    assert_eq!(answer.code, 3, "{}{}", answer.stdout, answer.stderr);
    for text in ["get configmaps in context test: no answer within 0.3 s", "--timeout 60s"] {
        assert!(answer.stderr.contains(text), "{text} is not in:\n{}", answer.stderr);
    }
}

#[test]
fn an_unknown_context_is_named_with_those_that_there_are() {
    let dir = folder(&[]);
    server(Manner::Serves, dir.path());
    let answer = run_in(dir.path(), &["lint", "cluster", "--context", "other", "--kubeconfig", "kubeconfig"]);
    assert!(answer.code != 0 && answer.stderr.contains("there are: test"), "{}", answer.stderr);
}

#[test]
fn a_prediction_is_a_table_and_a_picture() {
    let answer = run_in(root(), &["predict", "cluster-pool-to-kubernetes", "--cilium", "1.19.1"]);
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    for text in [
        "start  install Cilium 1.19.1 on 3 nodes",
        "pool 10.0.0.0/8 in ranges of /24: 3 of 65,536 used",
        "node has CIDRs allocated ([10.0.1.0/24]) that conflict with requested CIDRs [10.224.1.0/24]",
        "as before",
        "left out: for Cilium >=1.20, this is 1.19.1",
    ] {
        assert!(answer.stdout.contains(text), "{text} is not in:\n{}", answer.stdout);
    }
    let json = run_in(root(), &["predict", "cluster-pool-to-kubernetes", "--cilium", "1.20.2", "--json"]).json();
    assert_eq!(json["start"]["state"]["nodes"][1]["ciliumNode"]["podCIDRs"][0], "10.0.1.0/24");
}

#[test]
fn a_prediction_for_values_and_so_many_nodes() {
    let dir = folder(&[(
        "v.yaml",
        "ipam: {operator: {clusterPoolIPv4PodCIDRList: [10.0.0.0/28], clusterPoolIPv4MaskSize: 30}}\n",
    )]);
    let answer = run_in(dir.path(), &["predict", "--values", "v.yaml", "--nodes", "5"]);
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    assert!(answer.stdout.contains("node-5  -             allocator full"), "{}", answer.stdout);
    assert!(answer.stdout.contains("[ABCD]"), "{}", answer.stdout);
}
