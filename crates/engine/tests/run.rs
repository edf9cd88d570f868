//! Whole runs against a scripted Kubernetes API in this process, on a paused clock: what a real cluster does only now and then.

#![expect(clippy::unwrap_used, reason = "a test says what it needs by failing")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use engine::{Emitter, Keep, RunOptions, Stop, StopLevel};
use events::{ClusterKind, Event, EventKind, Failure, FailureClass, Kept, Outcome, Phase, StepOutcome};
use http::Method;
use rstest::rstest;
use serde_json::json;

use support::api::{Trouble, Which};
use support::cluster::{Lab, Script};

const PASSING: &str = "\
name: t
summary: A mode switch, seen from a scripted API.
cilium: {ipam: {mode: cluster-pool, clusterPoolIPv4PodCIDRList: [10.0.0.0/8]}}
workloads: {alpine: {replicas: 3}}
steps:
  - deploy: alpine
  - expect:
      podIPs: {of: alpine, every: {within: ciliumNode.podCIDRs}}
      operatorStatus: {every: clear}
  - configure: {ipam: kubernetes}
  - expect: {pods: {of: alpine, unchanged: true}, holds: 5s}
  - restart: cilium-agent
  - expect:
      agents: {every: {ipam: kubernetes}}
      operatorStatus: {every: {error: \"node has CIDRs allocated (${ciliumNode.podCIDRs@start}) that conflict with requested CIDRs ${node.podCIDRs}\"}}
";

/// A run and what came of it.
struct Ran {
    code: u8,
    events: Vec<Event>,
    dir: tempfile::TempDir,
    lab: Lab,
}

impl Ran {
    fn outcome(&self) -> Outcome {
        let ended = self.events.iter().find_map(|event| match &event.kind {
            EventKind::ScenarioEnded { outcome, .. } => Some(*outcome),
            _ => None,
        });
        ended.expect("the scenario has ended")
    }

    fn kept(&self) -> Option<Kept> {
        self.events.iter().find_map(|event| match &event.kind {
            EventKind::ScenarioEnded { kept, .. } => kept.clone(),
            _ => None,
        })
    }

    fn failure(&self) -> Failure {
        let failed = self.events.iter().find_map(|event| match &event.kind {
            EventKind::Failed { failure } => Some(failure.clone()),
            _ => None,
        });
        failed.unwrap_or_else(|| panic!("no failure in {:#?}", self.events.last()))
    }

    fn file(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().join("t").join(name)
    }
}

/// Runs a scenario; `meanwhile` is called for each event, with the lab and the way to stop.
async fn run(text: &str, script: Script, keep: Keep, meanwhile: impl Fn(&Event, &Lab, &Stop) + Send + 'static) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let (parsed, problems) = scenario::parse(Utf8Path::new("t.yaml"), text.as_bytes());
    let parsed = Arc::new(parsed.unwrap_or_else(|| panic!("{problems:?}")));
    let version = semver::Version::new(1, 18, 4);
    let plan = engine::plan(&parsed, &version, ClusterKind::Kind, 1.0).unwrap();
    let options = RunOptions {
        run: "r1".to_owned(),
        dir: Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap(),
        keep,
        fail_fast: false,
        timeout_scale: 1.0,
        tool: "test".to_owned(),
        why: "a test".to_owned(),
        cilium: version,
        seed: None,
        notice: None,
        settle: false,
        defer_xpass: false,
        record: false,
        model: false,
    };
    let lab = Lab::new(script);
    let stop = Stop::default();
    let events = Arc::new(Mutex::new(Vec::new()));
    let (sink, in_sink, stop_in_sink) = (events.clone(), lab.clone(), stop.clone());
    let emitter = Emitter::new(Box::new(move |event: &Event| {
        sink.lock().unwrap().push(event.clone());
        meanwhile(event, &in_sink, &stop_in_sink);
    }));
    let code = engine::run(&[plan], &lab, &options, &emitter, &stop, events::exit::code).await;
    let events = events.lock().unwrap().clone();
    Ran { code, events, dir, lab }
}

fn nothing(_: &Event, _: &Lab, _: &Stop) {}

fn step_begins(event: &Event, wanted: usize) -> bool {
    matches!(&event.kind, EventKind::StepStarted { index } if *index == wanted)
}

#[tokio::test(start_paused = true)]
async fn a_scenario_passes_and_its_cluster_is_removed() {
    let ran = run(PASSING, Script::default(), Keep::Never, nothing).await;
    assert_eq!((ran.code, ran.outcome()), (0, Outcome::Passed), "{:#?}", ran.events.last());
    let steps = ran
        .events
        .iter()
        .filter(|event| matches!(&event.kind, EventKind::StepEnded { outcome: StepOutcome::Passed, .. }));
    assert_eq!(steps.count(), 6);
    assert_eq!(ran.lab.calls().last().map(String::as_str), Some("destroy"));
    assert_eq!(ran.kept(), None);
    let gaps = ran.events.iter().filter(|event| matches!(event.kind, EventKind::Gap { .. })).count();
    assert_eq!(gaps, 0);
}

/// kind says that it is done before the last kubelet has registered. What is expected of every node is expected of that one too.
#[tokio::test(start_paused = true)]
async fn no_step_begins_before_every_node_has_joined() {
    let late = Duration::from_secs(40);
    let script = Script { last_node_after: Some(late), ..Script::default() };
    let ran = run(PASSING, script, Keep::Never, nothing).await;
    assert_eq!((ran.code, ran.outcome()), (0, Outcome::Passed), "{:#?}", ran.events.last());
    let first = ran.events.iter().find(|event| step_begins(event, 0)).unwrap();
    assert!(first.at_ms >= 40_000, "{}", first.at_ms);
    let waited = |event: &&Event| matches!(&event.kind, EventKind::Waiting { last, .. } if last == "2 of 3 Nodes");
    assert!(ran.events.iter().any(|event| waited(&event)));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_expectation_names_node_values_and_the_next_command_and_leaves_evidence() {
    let text = PASSING.replace("operatorStatus: {every: clear}", "operatorStatus: {every: {error: allocator full}}, within: 3s")
        .replace("      podIPs: {of: alpine, every: {within: ciliumNode.podCIDRs}}\n      operatorStatus: {every: {error: allocator full}}, within: 3s",
            "      operatorStatus: {every: {error: allocator full}}\n      within: 3s");
    let ran = run(&text, Script::default(), Keep::Never, nothing).await;
    assert_eq!((ran.code, ran.outcome()), (1, Outcome::Failed));
    let failure = ran.failure();
    assert_eq!(failure.class, FailureClass::Product);
    assert_eq!(failure.location.as_deref(), Some("t.yaml:7"));
    assert_eq!(failure.mismatches.len(), 3);
    for mismatch in &failure.mismatches {
        assert!(mismatch.object.starts_with("CiliumNode/"), "{mismatch:?}");
        assert_eq!((mismatch.expected.as_str(), mismatch.observed.as_str()), ("allocator full", "clear"));
        assert!(mismatch.since_ms.is_some());
    }
    assert!(!failure.history.is_empty());
    assert!(failure.next.iter().any(|next| next.starts_with("cargo xtask e2e t ")), "{:?}", failure.next);
    for file in
        ["history/CiliumNode.ndjson", "objects/Pod.json", "cilium-config.json", "helm-values.json", "scenario.yaml"]
    {
        let mode = std::fs::metadata(ran.file(file)).unwrap_or_else(|e| panic!("{file}: {e}")).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

/// An error that is written and erased 100 ms later, while a later step is busy with something else.
#[tokio::test(start_paused = true)]
async fn what_was_written_and_erased_breaks_a_never() {
    let text = "\
name: t
summary: An error that does not stay.
workloads: {alpine: {replicas: 1}}
steps:
  - expect: {operatorStatus: {some: {matches: full}}, never: {steps: rest}}
  - deploy: alpine
  - expect: {pods: {of: alpine, ready: 1}, holds: 5s}
";
    let ran = run(text, Script::default(), Keep::Never, |event, lab, _| {
        if step_begins(event, 2) {
            let api = lab.api.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let node = api.all("CiliumNode")[0]["metadata"]["name"].as_str().unwrap().to_owned();
                let set = |error: serde_json::Value| {
                    api.edit("CiliumNode", "", &node, |object| object["status"]["ipam"]["operator-status"] = error);
                };
                set(json!({"error": "allocator full"}));
                set(json!({}));
            });
        }
    })
    .await;
    assert_eq!(ran.outcome(), Outcome::Failed);
    let failure = ran.failure();
    assert!(failure.message.contains("line 5"), "{}", failure.message);
    assert!(failure.history.iter().any(|change| change.what.contains("allocator full")), "{:#?}", failure.history);
}

#[rstest]
#[case::away_for_20_seconds("away")]
#[case::watches_break("broken")]
#[case::watches_close("closed")]
#[case::gone_by_status("gone")]
#[case::gone_in_the_stream("gone in stream")]
#[case::errors_for_a_while("500")]
#[case::slow_answers("slow")]
#[tokio::test(start_paused = true)]
async fn trouble_of_the_api_is_survived(#[case] trouble: &'static str) {
    let ran = run(PASSING, Script::default(), Keep::Never, move |event, lab, _| {
        if !step_begins(event, 4) {
            return;
        }
        let api = &lab.api;
        match trouble {
            "away" => api.away(Duration::from_secs(20)),
            "broken" => api.break_watches(None),
            "closed" => api.close_watches(None),
            "gone" | "gone in stream" => {
                api.compact(trouble == "gone in stream");
                api.break_watches(None);
            }
            "500" => api.fail_for(
                Which::any(),
                Trouble::Status(500, "InternalError", "etcdserver: leader changed"),
                Duration::from_secs(8),
            ),
            _ => api.fail_for(Which::any(), Trouble::Slow(Duration::from_millis(700)), Duration::from_secs(30)),
        }
    })
    .await;
    assert_eq!(
        (ran.code, ran.outcome()),
        (0, Outcome::Passed),
        "{:#?}",
        ran.events.iter().rev().take(6).collect::<Vec<_>>()
    );
    // Only what had to be listed anew may have holes, and then it is said.
    let gaps = ran.events.iter().any(|event| matches!(event.kind, EventKind::Gap { .. }));
    assert_eq!(gaps, trouble.starts_with("gone"), "{trouble}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_while_the_api_is_away_is_not_a_mismatch() {
    let text = "\
name: t
summary: The API goes away and does not come back.
steps:
  - expect: {operatorStatus: {every: {error: allocator full}}, within: 30s}
";
    let ran = run(text, Script::default(), Keep::Never, |event, lab, _| {
        if step_begins(event, 0) {
            lab.api.away(Duration::from_secs(3600));
        }
    })
    .await;
    assert_eq!((ran.code, ran.outcome()), (3, Outcome::Error));
    let failure = ran.failure();
    assert_eq!(failure.class, FailureClass::Infrastructure);
    assert!(failure.message.contains("down"), "{}", failure.message);
    assert!(failure.last_api_error.is_some());
}

#[rstest]
#[case::forbidden(403, "Forbidden", "configmaps \"cilium-config\" is forbidden")]
#[case::invalid(422, "Invalid", "ConfigMap \"cilium-config\" is invalid")]
#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_as_it_is(#[case] code: u16, #[case] reason: &'static str, #[case] message: &'static str) {
    let ran = run(PASSING, Script::default(), Keep::Never, move |event, lab, _| {
        if step_begins(event, 2) {
            lab.api.fail(Which::writes(Method::PATCH, "configmaps"), Trouble::Status(code, reason, message), 1);
        }
    })
    .await;
    assert_eq!((ran.code, ran.outcome()), (3, Outcome::Error));
    let failure = ran.failure();
    assert_eq!(failure.class, FailureClass::Infrastructure);
    assert!(failure.message.contains(reason) && failure.message.contains(message), "{}", failure.message);
    assert!(failure.message.contains("cilium-config"), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_missing_says_nothing_about_cilium() {
    let script = Script { missing_image: Some("alpine:3.22"), ..Script::default() };
    let ran = run(PASSING, script, Keep::Never, nothing).await;
    assert_eq!((ran.code, ran.outcome()), (3, Outcome::Error));
    let failure = ran.failure();
    assert_eq!(failure.class, FailureClass::Infrastructure);
    assert!(failure.message.contains("alpine"), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_runs_the_old_configuration_is_not_back() {
    let script = Script { agents_ignore_config: true, ..Script::default() };
    let ran = run(PASSING, script, Keep::Never, nothing).await;
    assert_eq!(ran.outcome(), Outcome::Failed);
    let message = ran.failure().message;
    assert!(message.contains("runs ipam cluster-pool") && message.contains("kubernetes"), "{message}");
}

/// While a check waits, nothing is asked of the server: the watches tell.
#[tokio::test(start_paused = true)]
async fn waiting_sends_no_requests() {
    let text = "\
name: t
summary: Something that comes late.
steps:
  - expect: {operatorStatus: {some: {error: allocator full}}, within: 60s}
";
    let at = Arc::new(Mutex::new((0, 0)));
    let counts = at.clone();
    let ran = run(text, Script::default(), Keep::Never, move |event, lab, _| {
        if step_begins(event, 0) {
            counts.lock().unwrap().0 = lab.api.requests().len();
            let api = lab.api.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(50)).await;
                let node = api.all("CiliumNode")[0]["metadata"]["name"].as_str().unwrap().to_owned();
                api.edit("CiliumNode", "", &node, |object| {
                    object["status"]["ipam"]["operator-status"] = json!({"error": "allocator full"});
                });
            });
        }
        if matches!(event.kind, EventKind::StepEnded { .. }) {
            counts.lock().unwrap().1 = lab.api.requests().len();
        }
    })
    .await;
    assert_eq!(ran.outcome(), Outcome::Passed);
    let (before, after) = *at.lock().unwrap();
    assert_eq!(before, after, "{:#?}", &ran.lab.api.requests()[before..after]);
}

#[rstest]
#[case::once(1, true)]
#[case::twice(2, false)]
#[tokio::test(start_paused = true)]
async fn a_stop_collects_evidence_once_and_always_cleans_up(#[case] signals: u32, #[case] evidence: bool) {
    let ran = run(PASSING, Script::default(), Keep::Never, move |event, _, stop| {
        if step_begins(event, 3) {
            for _ in 0..signals {
                stop.harder();
            }
        }
    })
    .await;
    assert_eq!((ran.code, ran.outcome()), (130, Outcome::Interrupted));
    let collected = ran.events.iter().any(|event| matches!(event.kind, EventKind::Evidence { .. }));
    assert_eq!(collected, evidence);
    assert_eq!(ran.lab.calls().last().map(String::as_str), Some("destroy"));
    assert_eq!(ran.kept(), None);
}

#[tokio::test(start_paused = true)]
async fn a_third_stop_leaves_and_says_what_is_left() {
    let script = Script { destroy_hangs: true, ..Script::default() };
    let ran = run(PASSING, script, Keep::Never, |event, _, stop| {
        if matches!(&event.kind, EventKind::PhaseStarted { phase: Phase::Remove }) {
            while stop.harder() < StopLevel::Leave {}
        }
    })
    .await;
    let kept = ran.kept().expect("what is left is named");
    assert_eq!((kept.cluster.as_str(), kept.remove.as_str()), ("t", "cargo xtask clean --run r1"));
}

#[rstest]
#[case::passed_and_never(Keep::Never, "clear", false)]
#[case::failed_and_never(Keep::Never, "{error: allocator full}", false)]
#[case::passed_and_on_failure(Keep::OnFailure, "clear", false)]
#[case::failed_and_on_failure(Keep::OnFailure, "{error: allocator full}", true)]
#[case::passed_and_always(Keep::Always, "clear", true)]
#[tokio::test(start_paused = true)]
async fn keep_is_kept(#[case] keep: Keep, #[case] status: &str, #[case] stays: bool) {
    let text = format!(
        "name: t\nsummary: Kept or not.\nsteps:\n  - expect: {{operatorStatus: {{every: {status}}}, within: 2s}}\n"
    );
    let ran = run(&text, Script::default(), keep, nothing).await;
    assert_eq!(ran.kept().is_some(), stays);
    assert_eq!(ran.lab.calls().contains(&"destroy".to_owned()), !stays);
    if let Some(kept) = ran.kept() {
        assert_eq!(kept.kubeconfig.as_deref(), Some("/run/kubeconfig"));
        assert!(ran.lab.calls().contains(&"keep".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_cannot_be_made_is_the_providers_error() {
    let script = Script { create_fails: Some("no space left on device"), ..Script::default() };
    let ran = run(PASSING, script, Keep::Never, nothing).await;
    assert_eq!((ran.code, ran.outcome()), (3, Outcome::Error));
    assert!(ran.failure().message.contains("no space left on device"));
}

/// `PASSING` with a known bug on record, and an expectation that does not come true.
fn with_known_bug(mark: &str, wrong: bool) -> String {
    let text = PASSING.replace("workloads:", &format!("xfail: {mark}\nworkloads:"));
    if wrong {
        text.replace("agents: {every: {ipam: kubernetes}}", "agents: {every: {ipam: multi-pool}}")
    } else {
        text
    }
}

const BUG: &str = "{issue: a/b#1, reason: the wrong mode, versions: '1.18', match: 'expected ipam multi-pool, observed ipam kubernetes'}";

#[tokio::test(start_paused = true)]
async fn a_known_bug_fails_as_recorded_and_leaves_evidence() {
    let ran = run(&with_known_bug(BUG, true), Script::default(), Keep::OnFailure, nothing).await;
    assert_eq!((ran.code, ran.outcome()), (0, Outcome::Xfailed), "{:#?}", ran.failure());
    assert_eq!(ran.failure().known.as_deref(), Some("a/b#1: the wrong mode"));
    assert_eq!(ran.kept(), None, "a known bug's cluster is not kept");
    assert!(ran.file("history/CiliumNode.ndjson").is_file());
}

#[tokio::test(start_paused = true)]
async fn another_failure_than_the_known_one_is_a_failure() {
    let mark = BUG.replace("multi-pool, observed", "crd, observed");
    let ran = run(&with_known_bug(&mark, true), Script::default(), Keep::Never, nothing).await;
    assert_eq!((ran.code, ran.outcome()), (1, Outcome::Failed));
    assert_eq!(ran.failure().known, None);
}

#[tokio::test(start_paused = true)]
async fn a_pass_where_a_known_bug_should_show_is_red_with_evidence_and_the_command() {
    let ran = run(&with_known_bug(BUG, false), Script::default(), Keep::Never, nothing).await;
    assert_eq!((ran.code, ran.outcome()), (1, Outcome::Xpassed));
    let failure = ran.failure();
    assert_eq!(failure.class, FailureClass::Unexpected);
    assert_eq!(failure.next, ["cargo xtask e2e t --cluster kind --cilium 1.18.4 --keep on-failure"]);
    assert!(ran.file("history/CiliumNode.ndjson").is_file());

    let shaky = BUG.replace("reason:", "intermittent: true, reason:");
    let ran = run(&with_known_bug(&shaky, false), Script::default(), Keep::Never, nothing).await;
    assert_eq!((ran.code, ran.outcome()), (0, Outcome::Tolerated));
}

/// A disk that is full, an image that is not there, an API server that went away: never the known bug, whatever its `match` takes.
#[rstest]
#[case::full_disk(Script { create_fails: Some("no space left on device"), ..Script::default() }, false)]
#[case::missing_image(Script { missing_image: Some("alpine:3.22"), ..Script::default() }, false)]
#[case::api_away(Script::default(), true)]
#[tokio::test(start_paused = true)]
async fn an_error_of_the_machine_is_never_a_known_bug(#[case] script: Script, #[case] away: bool) {
    let mark = BUG.replace("expected ipam multi-pool, observed ipam kubernetes", "[a-z]");
    let ran = run(&with_known_bug(&mark, true), script, Keep::Never, move |event, lab, _| {
        if away && step_begins(event, 5) {
            lab.api.away(Duration::from_secs(3600));
        }
    })
    .await;
    assert_eq!((ran.code, ran.outcome()), (3, Outcome::Error));
    assert_eq!((ran.failure().class, ran.failure().known), (FailureClass::Infrastructure, None));
}
