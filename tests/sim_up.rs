//! `sim up` and input that cannot be: a clear answer each time, and the server stays up.

#![expect(clippy::unwrap_used, reason = "a test says what it needs by failing")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use rstest::rstest;
use serde_yaml::Value;

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

#[expect(clippy::disallowed_methods, reason = "a test drives the built command and ends it")]
fn command(arguments: &[&str], state: &Path) -> Command {
    let mut command = Command::new(XTASK);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    command.args(["sim", "up"]).args(arguments).current_dir(root).env("NO_COLOR", "1").env("CARGO_TARGET_DIR", state);
    command
}

fn refused(arguments: &[&str]) -> (i32, String) {
    let state = tempfile::tempdir().unwrap();
    let Output { status, stdout, stderr } = command(arguments, state.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&stdout), "");
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

#[rstest]
#[case::no_nodes(&["--nodes", "0"], 2, "1..=20000")]
#[case::unknown_version(&["--cilium", "1.99.0"], 2, "unknown Cilium version 1.99.0; the nearest known is ")]
#[case::no_version(&["--cilium", "new"], 2, "write a version such as 1.18.4")]
#[case::no_pool(&["--pool", "nonsense"], 2, "not an IPv4 range: write one such as 10.0.0.0/8")]
#[case::pools_that_overlap(&["--pool", "10.0.0.0/8", "--pool", "10.1.0.0/16"], 2, "--pool 10.0.0.0/8 --pool 10.1.0.0/16: the operator ends with `")]
#[case::no_speed(&["--speed", "0"], 2, "a number from 0.1 to 1000")]
fn what_cannot_be_is_refused(#[case] arguments: &[&str], #[case] code: i32, #[case] text: &str) {
    let (found, stderr) = refused(arguments);
    assert_eq!(found, code, "{stderr}");
    assert!(stderr.contains(text), "{text} is not in:\n{stderr}");
}

#[test]
fn a_taken_port_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (code, stderr) = refused(&["--port", &port]);
    assert_eq!(code, 3, "{stderr}");
    let expected = format!("port {port} on 127.0.0.1 is taken: choose another, or 0 for any that is free");
    assert!(stderr.contains(&expected), "{stderr}");
}

/// A simulated cluster that ends with its test.
struct Up {
    child: Child,
    /// Kept open: a command whose output nobody reads ends.
    _output: BufReader<ChildStdout>,
    address: String,
    /// What each path begins with.
    prefix: String,
    /// Goes with it.
    _state: tempfile::TempDir,
}

impl Drop for Up {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer: its status code, and its body as JSON where it is some.
struct Answer {
    code: u16,
    body: Value,
}

impl Up {
    fn start(arguments: &[&str]) -> (Self, String) {
        let state = tempfile::tempdir().unwrap();
        let mut child = command(arguments, state.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        let mut line = String::new();
        while !line.starts_with("export KUBECONFIG=") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "it ended before it was up");
        }
        let path = line.trim().strip_prefix("export KUBECONFIG=").unwrap();
        let config: Value = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let server = config["clusters"][0]["cluster"]["server"].as_str().unwrap();
        let (address, prefix) = server.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let up = Self { child, _output: output, address: address.to_owned(), prefix: prefix.to_owned(), _state: state };
        (up, first)
    }

    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let head = format!(
            "{method} /{}{path} HTTP/1.1\r\nHost: sim\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.prefix,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // A server that has read enough to refuse need not read the rest.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        // Nor must it wait for it: what it has said counts.
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let code =
            text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{path}: {text}"));
        let body = text.split_once("\r\n\r\n").map_or(Value::Null, |(_, body)| json(body));
        Answer { code, body }
    }
}

/// The JSON in a body, which may come in chunks.
fn json(body: &str) -> Value {
    let from = body.find('{').unwrap_or_default();
    let to = body.rfind('}').map_or(from, |at| at + 1);
    serde_yaml::from_str(&body[from..to]).unwrap_or(Value::Null)
}

#[test]
fn a_newer_patch_is_taken_as_its_minor_and_says_so() {
    let (_up, first) = Up::start(&["--cilium", "1.19.99", "--nodes", "1", "--speed", "50"]);
    assert!(first.starts_with("Cilium 1.19.99 as of 1.19"), "{first}");
}

#[test]
fn nonsense_is_answered_in_kubernetes_form_and_the_server_stays_up() {
    let (mut up, _) = Up::start(&["--nodes", "1", "--speed", "50"]);
    let maps = "/api/v1/namespaces/default/configmaps";
    let big = format!("{{\"metadata\":{{\"name\":\"big\"}},\"data\":{{\"k\":\"{}\"}}}}", "x".repeat(10 << 20));
    let cases: &[(&str, &str, &[u8], u16, &str)] = &[
        ("GET", "/apis/nothing.io/v1/things", b"", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/default/nothings", b"", 404, "NotFound"),
        ("GET", "/apis/batch/v1/jobs", b"", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/default/configmaps/none", b"", 404, "NotFound"),
        ("POST", maps, b"{bad", 400, "BadRequest"),
        ("POST", maps, b"", 400, "BadRequest"),
        ("POST", maps, b"\x00\xff\xfe", 400, "BadRequest"),
        ("POST", maps, big.as_bytes(), 413, "RequestEntityTooLarge"),
        // As a real server answers it: without a reason.
        ("GET", "/api/v1/pods?watch=1&resourceVersion=abc", b"", 500, ""),
        ("GET", "/api/v1/pods?watch=1&labelSelector=a%20b", b"", 400, "BadRequest"),
        ("GET", "/api/v1/pods?watch=1&fieldSelector=spec.none%3Dx", b"", 400, "BadRequest"),
        ("GET", "/api/v1/nothings?watch=1", b"", 404, "NotFound"),
        ("BREW", "/api/v1/pods", b"", 405, "MethodNotAllowed"),
    ];
    for (method, path, body, code, reason) in cases {
        let answer = up.ask(method, path, body);
        assert_eq!(answer.code, *code, "{method} {path}: {:?}", answer.body);
        if answer.body["kind"] == "Status" {
            let found = answer.body["reason"].as_str().unwrap_or_default();
            assert_eq!(found, *reason, "{method} {path}: {:?}", answer.body);
            assert_eq!(answer.body["code"], i64::from(*code), "{method} {path}");
        } else {
            // What no route of a real server answers has no Status either.
            assert_eq!(*code, 404, "{method} {path}: {:?}", answer.body);
        }
        let nodes = up.ask("GET", "/api/v1/nodes", b"");
        assert_eq!(
            (nodes.code, nodes.body["items"].as_sequence().map(|list| list.len())),
            (200, Some(1)),
            "after {method} {path}"
        );
    }
    // Not HTTP at all.
    let mut stream = TcpStream::connect(&up.address).unwrap();
    stream.write_all(b"\x16\x03\x01 hello\r\n\r\n").unwrap();
    drop(stream);
    assert_eq!(up.ask("GET", "/version", b"").code, 200);
    assert!(up.child.try_wait().unwrap().is_none(), "it has ended");
}
