//! A reproducer as a whole: packed, redacted, unpacked.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

use std::collections::BTreeMap;

use camino::Utf8Path;
use events::{Change, ClusterKind, Event, EventKind, Failure, FailureClass, Mismatch, Outcome};
use repro::archive::{self, Limits};
use repro::redact::Identity;
use repro::script::Defaults;
use repro::{Ingredients, Observed, pack};
use scenario::Scenario;

const TEXT: &str = "\
name: pool-ignored
summary: A node keeps its block.
references: [cilium/cilium#23872]
cluster: {workers: 1}
cilium: {versions: '>=1.18', ipam: {clusterPoolIPv4PodCIDRList: [20.0.0.0/8]}}
steps:
  - configure: {cluster-pool-ipv4-cidr: 192.168.0.0/16}
  - restart: cilium-operator
  - versions: '<1.20'
    expect: {operatorStatus: {every: clear}}
";

fn scenario() -> Scenario {
    let (scenario, problems) = scenario::parse(Utf8Path::new("scenarios/pool-ignored.yaml"), TEXT.as_bytes());
    scenario.unwrap_or_else(|| panic!("{problems:?}"))
}

fn event(seq: u64, at_ms: u64, kind: EventKind) -> Event {
    Event { seq, at_ms, wall: jiff::Timestamp::UNIX_EPOCH, scenario: Some("pool-ignored".to_owned()), kind }
}

fn observed() -> Observed {
    let started = EventKind::RunStarted {
        format: events::FORMAT,
        run: "r1".to_owned(),
        tool: "0.1.0".to_owned(),
        cluster: ClusterKind::Kind,
        why: "--cluster kind".to_owned(),
        cilium: "1.18.4".to_owned(),
        scenarios: vec!["pool-ignored".to_owned()],
        seed: None,
        notice: None,
    };
    let change = |at_ms, object: &str, what: &str| {
        let change = Change { at_ms, object: object.to_owned(), version: "7".to_owned(), what: what.to_owned() };
        event(at_ms, at_ms, EventKind::Changed { change })
    };
    let failure = Failure {
        class: FailureClass::Product,
        message: "what is expected was not so within 60s".to_owned(),
        step: Some(2),
        location: Some("/home/annab/ipam/scenarios/pool-ignored.yaml:9".to_owned()),
        mismatches: vec![Mismatch {
            object: "CiliumNode/x-worker".to_owned(),
            field: "status.ipam.operator-status.error".to_owned(),
            expected: "clear".to_owned(),
            observed: "allocator not configured for the requested CIDR 20.0.1.0/24 | really".to_owned(),
            since_ms: Some(5100),
        }],
        history: Vec::new(),
        causes: Vec::new(),
        last_api_error: None,
        violation: None,
        known: None,
        next: vec!["export KUBECONFIG=/home/annab/ipam/target/e2e/r1/kubeconfig".to_owned()],
    };
    let node = r#"[{"metadata":{"name":"x-worker"},"status":{"nodeInfo":{"kubeletVersion":"v1.34.4","kernelVersion":"6.1.0","machineID":"0123abcd"},"addresses":[{"type":"InternalIP","address":"172.18.0.3"}]}}]"#;
    let log = "level=info msg=\"x\"\nlevel=warn msg=\"CIDR 20.0.1.0/24 via anna-laptop 198.51.100.7 93.184.216.34\"\n";
    Observed {
        events: vec![
            event(0, 0, started),
            event(1, 1000, EventKind::StepStarted { index: 1 }),
            change(
                5100,
                "CiliumNode/x-worker",
                "operator-status: clear -> allocator not configured for the requested CIDR 20.0.1.0/24",
            ),
            change(5200, "Pod/kube-system/other", "Ready: true -> false"),
            event(4, 6000, EventKind::Failed { failure }),
            event(
                5,
                7000,
                EventKind::ScenarioEnded { outcome: Outcome::Failed, took_ms: 7000, reason: None, kept: None },
            ),
        ],
        files: BTreeMap::from([
            ("objects/Node.json".to_owned(), node.as_bytes().to_vec()),
            ("logs/cilium-operator-1.log".to_owned(), log.as_bytes().to_vec()),
        ]),
        left_out: Vec::new(),
    }
}

fn identity() -> Identity {
    Identity::new(Some("anna-laptop"), Some("annab"), &[(Some("/home/annab".to_owned()), "<home>")], [])
}

fn packed(observed: Option<Observed>, identity: Identity) -> repro::Packed {
    let scenario = scenario();
    pack(Ingredients {
        scenario: &scenario,
        defaults: Defaults {
            cilium: "1.18.4".parse().unwrap(),
            node_image: "kindest/node:v1.34.4".to_owned(),
            chart_repo: "https://helm.cilium.io".to_owned(),
        },
        observed,
        identity,
        tool: "0.1.0".to_owned(),
        created: jiff::Timestamp::UNIX_EPOCH,
    })
    .unwrap()
}

#[test]
fn the_text_of_an_issue() {
    let issue = packed(Some(observed()), identity()).issue;
    for part in [
        "# A node keeps its block.\n",
        "Scenario `pool-ignored` on Cilium 1.18.4.",
        "| Kubernetes | v1.34.4 |",
        "CILIUM_VERSION=1.18.4 bash repro.sh",
        "Step 3, expect operatorStatus every clear:",
        // A bar in a text ends no cell.
        "| clear | allocator not configured for the requested CIDR 20.0.1.0/24 \\| really |",
        "     5.1 s  CiliumNode/x-worker  operator-status: clear -> allocator",
        "level=warn msg=\"CIDR 20.0.1.0/24 via <host>",
    ] {
        assert!(issue.contains(part), "{part}\n{issue}");
    }
    // Other objects' changes are in the archive alone.
    assert!(!issue.contains("Pod/kube-system/other"), "{issue}");
}

#[test]
fn the_text_of_an_issue_that_nobody_ran() {
    let issue = packed(None, identity()).issue;
    assert!(issue.contains("Nothing was recorded yet"), "{issue}");
    assert!(!issue.contains("observed/"), "{issue}");
}

#[test]
fn nothing_of_the_machine_is_in_an_archive_and_all_of_cilium_is() {
    let packed = packed(Some(observed()), identity());
    let mut bytes = Vec::new();
    archive::write(&packed.archive, &mut bytes).unwrap();
    let read = archive::read(&bytes[..], bytes.len() as u64, Limits::default()).unwrap();
    assert_eq!(read, packed.archive);
    let all: String = read.files.keys().map(|path| format!("{path}\n{}\n", read.text(path).unwrap())).collect();
    for gone in ["anna", "0123abcd", "93.184.216.34"] {
        assert!(!all.contains(gone), "{gone}");
    }
    for kept in ["20.0.1.0/24", "172.18.0.3", "x-worker", "192.168.0.0/16", "v1.34.4"] {
        assert!(all.contains(kept), "{kept}");
    }
    // It is still what it was: the scenario can be read, and so can each event.
    let (scenario, problems) = scenario::parse(Utf8Path::new("pool-ignored.yaml"), &read.files["scenario.yaml"]);
    assert!(scenario.is_some(), "{problems:?}");
    for line in read.text("observed/events.ndjson").unwrap().lines() {
        let _: Event = serde_json::from_str(line).unwrap();
    }
}

#[test]
fn a_machine_that_nothing_is_known_of_changes_no_script() {
    let scenario = scenario();
    let packed = packed(None, Identity::default());
    let defaults = Defaults {
        cilium: "1.18.4".parse().unwrap(),
        node_image: "kindest/node:v1.34.4".to_owned(),
        chart_repo: "https://helm.cilium.io".to_owned(),
    };
    assert_eq!(packed.archive.text("repro.sh").unwrap(), repro::script::script(&scenario, &defaults).unwrap().text);
    assert_eq!(packed.archive.text("scenario.yaml").unwrap(), TEXT);
}
