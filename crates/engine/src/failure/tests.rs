//! What a reader is told of a failure.

use std::sync::Arc;
use std::time::Duration;

use cluster::{ClusterError, Leftovers};
use events::{Failure, FailureClass, Mismatch};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Circumstances, StepError, describe};
use crate::observe::{History, KindName, Seen, Version};

struct Past {
    history: History,
    start: Instant,
}

impl Past {
    fn new() -> Self {
        Self { history: History::default(), start: Instant::now() }
    }

    fn at(&mut self, ms: u64, seen: Seen, object: Value) {
        let kind = KindName::new("cilium.io/v2", "CiliumNode");
        let at = self.start + Duration::from_millis(ms);
        self.history.push(&kind, Version { at, seen, object: Arc::new(object) });
    }

    fn describe(&self, error: &StepError) -> Failure {
        let start = self.start;
        let ms = move |at: Instant| u64::try_from((at - start).as_millis()).unwrap_or(u64::MAX);
        describe(
            error,
            Circumstances {
                step: Some(3),
                location: Some("scenarios/t.yaml:31".to_owned()),
                history: &self.history,
                ms: &ms,
                last_api_error: None,
                next: vec!["kubectl get ciliumnodes".to_owned()],
            },
        )
    }
}

fn node(version: u64, error: Option<&str>, router: &str) -> Value {
    json!({
        "metadata": {"name": "w", "resourceVersion": version.to_string()},
        "spec": {"ipam": {"podCIDRs": ["10.0.1.0/24"]}, "addresses": [{"type": "CiliumInternalIP", "ip": router}]},
        "status": {"ipam": {"operator-status": error.map_or_else(|| json!({}), |e| json!({"error": e}))}},
    })
}

fn mismatch(object: &str, field: &str) -> StepError {
    let mismatches = vec![Mismatch {
        object: object.to_owned(),
        field: field.to_owned(),
        expected: "a".to_owned(),
        observed: "b".to_owned(),
        since_ms: None,
    }];
    StepError::Mismatch { message: "it is not so".to_owned(), mismatches }
}

const STATUS: &str = "status.ipam.operator-status.error";

#[test]
fn since_is_when_that_field_took_its_value() {
    let mut past = Past::new();
    past.at(100, Seen::Applied, node(1, None, "10.0.0.1"));
    past.at(200, Seen::Applied, node(2, Some("boom"), "10.0.0.1"));
    past.at(300, Seen::Applied, node(3, Some("boom"), "10.0.0.2"));
    let since = |field: &str| past.describe(&mismatch("CiliumNode/w", field)).mismatches[0].since_ms;
    assert_eq!(since(STATUS), Some(200), "the address changed later, the error did not");
    assert_eq!(since("spec.ipam.podCIDRs"), Some(100));
    assert_eq!(since("self.spec.x == 1"), None, "nobody knows that of an expression");
}

#[rstest]
#[case::written_twice(&[(1, Some("boom")), (2, None), (3, Some("boom"))], 3)]
#[case::erased(&[(1, Some("boom")), (2, None)], 2)]
#[case::empty_is_none(&[(1, None), (2, Some(""))], 1)]
fn since_counts_back_to_the_last_change(#[case] versions: &[(u64, Option<&str>)], #[case] since: u64) {
    let mut past = Past::new();
    for (version, error) in versions {
        past.at(*version, Seen::Applied, node(*version, *error, "10.0.0.1"));
    }
    assert_eq!(past.describe(&mismatch("CiliumNode/w", STATUS)).mismatches[0].since_ms, Some(since));
}

#[test]
fn what_is_gone_is_so_since_its_deletion() {
    let mut past = Past::new();
    past.at(100, Seen::Applied, node(1, None, "10.0.0.1"));
    past.at(500, Seen::Deleted, node(2, None, "10.0.0.1"));
    let failure = past.describe(&mismatch("CiliumNode/w", STATUS));
    assert_eq!(failure.mismatches[0].since_ms, Some(500));
    assert_eq!(failure.history.last().map(|change| change.what.as_str()), Some("deleted"));
}

#[test]
fn the_last_changes_are_shown_oldest_first_and_not_all_of_them() {
    let mut past = Past::new();
    for version in 1..=9 {
        past.at(version * 10, Seen::Applied, node(version, Some(&format!("error {version}")), "10.0.0.1"));
    }
    let failure = past.describe(&mismatch("CiliumNode/w", STATUS));
    let shown: Vec<u64> = failure.history.iter().map(|change| change.at_ms).collect();
    assert_eq!(shown, [50, 60, 70, 80, 90]);
    assert_eq!(failure.history[4].what, "status.ipam.operator-status.error: error 8 -> error 9");
    assert_eq!(failure.history[4].version, "9");
}

#[test]
fn an_agent_is_told_by_its_ciliumnode() {
    let mut past = Past::new();
    past.at(100, Seen::Applied, node(1, None, "10.0.0.1"));
    let failure = past.describe(&mismatch("Agent/w", "running agent"));
    assert_eq!(failure.history.len(), 1);
    assert_eq!(failure.mismatches[0].since_ms, None);
}

#[rstest]
#[case::no_object("live pods of alpine")]
#[case::never_seen("CiliumNode/other")]
#[case::kind_that_is_not_watched("Deployment/alpine/alpine")]
fn what_has_no_history_is_described_without(#[case] object: &str) {
    let mut past = Past::new();
    past.at(100, Seen::Applied, node(1, None, "10.0.0.1"));
    let failure = past.describe(&mismatch(object, STATUS));
    assert_eq!((failure.history.len(), failure.mismatches[0].since_ms), (0, None));
}

#[test]
fn classes_never_mix() {
    let cluster = ClusterError {
        operation: "load images into".to_owned(),
        object: "kind cluster t".to_owned(),
        cause: "no space left on device".to_owned(),
        output: Some("one\ntwo".to_owned()),
        hint: Some("free disk space".to_owned()),
        leftovers: Leftovers::Clear,
    };
    let api = StepError::Api {
        operation: "patch".to_owned(),
        object: "Node/w".to_owned(),
        error: "403 Forbidden: no".to_owned(),
    };
    let class = |error: &StepError| Past::new().describe(error).class;
    assert_eq!(class(&mismatch("Node/w", "x")), FailureClass::Product);
    assert_eq!(class(&api), FailureClass::Infrastructure);
    assert_eq!(class(&StepError::Input { message: "x".to_owned() }), FailureClass::Input);
    assert_eq!(class(&StepError::Interrupted), FailureClass::Interrupted);
    assert_eq!(Past::new().describe(&api).message, "patch Node/w: 403 Forbidden: no");
    let failure = Past::new().describe(&cluster.into());
    assert_eq!(failure.class, FailureClass::Infrastructure);
    assert_eq!(failure.message, "load images into kind cluster t: no space left on device");
    assert_eq!(failure.causes, ["one", "two", "hint: free disk space", "nothing was left behind"]);
}
