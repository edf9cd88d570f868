//! A session against a scripted API: waiting, and what a deadline is blamed on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::Utf8Path;
use events::{Event, EventKind, FailureClass};
use rstest::rstest;
use serde_json::{Map, json};
use tokio::time::Instant;

use super::{Level, Session, Setup};
use crate::action;
use crate::emit::Emitter;
use crate::failure::StepError;
use crate::observe::KindName;
use crate::support::api::{Trouble, Which};
use crate::support::cluster::{Lab, Script};
use crate::support::objects::{NODES, cilium_node};

const SECOND: Duration = Duration::from_secs(1);

/// A session on a cluster with Cilium, before the first step; the steps are the scenario's.
struct Begun {
    session: Session,
    lab: Lab,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Begun {
    #[track_caller]
    fn new(steps: &str, extra_kinds: Vec<KindName>) -> Self {
        let text = format!("name: t\nsummary: s\nworkloads: {{alpine: {{replicas: 3}}}}\nsteps:\n{steps}");
        let (scenario, problems) = scenario::parse(Utf8Path::new("t.yaml"), text.as_bytes());
        let scenario = scenario.unwrap_or_else(|| panic!("{text}\n{problems:#?}"));
        let lab = Lab::new(Script::default());
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = events.clone();
        let emitter = Emitter::new(Box::new(move |event| sink.lock().expect("one thread").push(event.clone())));
        let setup = Setup {
            version: semver::Version::new(1, 19, 1),
            values: Map::new(),
            run: "r1".to_owned(),
            emitter,
            model: false,
            extra_kinds,
            expressions: Vec::new(),
        };
        lab.bring_up();
        lab.install("cluster-pool");
        let session = Session::new(Arc::new(scenario), Arc::new(lab.clone()), setup);
        Self { session, lab, events }
    }

    async fn ready(steps: &str) -> Self {
        let mut begun = Self::new(steps, Vec::new());
        action::ready(&mut begun.session, Instant::now() + 60 * SECOND).await.expect("all is well");
        begun.session.label(crate::START);
        begun
    }

    /// Carries out the only step.
    async fn step(&mut self) -> Result<action::Done, StepError> {
        let step = self.session.scenario.steps[0].clone();
        let now = Instant::now();
        action::carry_out(&mut self.session, 0, &step, now, now + step.deadline()).await
    }

    fn told(&self, what: impl Fn(&EventKind) -> bool) -> usize {
        self.events.lock().expect("one thread").iter().filter(|event| what(&event.kind)).count()
    }
}

fn kind() -> KindName {
    KindName::new("cilium.io/v2", "CiliumNode")
}

#[track_caller]
fn check(error: &StepError, class: FailureClass, says: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.class(), class, "{text}");
    for part in says {
        assert!(text.contains(part), "`{text}` does not say `{part}`");
    }
}

async fn fail(session: &mut Session, within: Duration) -> StepError {
    let deadline = Instant::now() + within;
    let outcome = session.until::<()>(deadline, "a miracle", &[kind()], |_| Level::not_yet("nothing yet")).await;
    outcome.expect_err("it never comes")
}

const STEP: &str = "  - expect: {operatorStatus: {every: {error: allocator full}}, within: 10s}\n";

#[tokio::test(start_paused = true)]
async fn a_deadline_says_how_long_for_what_and_the_last_value() {
    let mut begun = Begun::ready(STEP).await;
    check(
        &fail(&mut begun.session, 10 * SECOND).await,
        FailureClass::Product,
        &["waited 10s for a miracle: nothing yet"],
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_while_the_watch_is_down_is_blamed_on_that() {
    let mut begun = Begun::ready(STEP).await;
    begun.lab.api.fail_for(Which::watches("ciliumnodes"), Trouble::Refused, 100 * SECOND);
    begun.lab.api.break_watches(Some("ciliumnodes"));
    let error = fail(&mut begun.session, 10 * SECOND).await;
    check(
        &error,
        FailureClass::Infrastructure,
        &["the watch on CiliumNode has been down for 10s: ", "connection reset"],
    );
}

#[tokio::test(start_paused = true)]
async fn another_kinds_watch_is_not_to_blame() {
    let mut begun = Begun::ready(STEP).await;
    begun.lab.api.fail_for(Which::watches("events"), Trouble::Refused, 100 * SECOND);
    begun.lab.api.break_watches(Some("events"));
    check(&fail(&mut begun.session, 10 * SECOND).await, FailureClass::Product, &["nothing yet"]);
}

#[rstest]
#[case::hangs(Trouble::Hang, "the API server does not answer: nothing in 5s")]
#[case::broken(
    Trouble::Status(500, "InternalError", "boom"),
    "the API server does not answer: 500 InternalError: boom"
)]
#[tokio::test(start_paused = true)]
async fn a_deadline_while_the_server_does_not_answer_is_blamed_on_that(#[case] trouble: Trouble, #[case] says: &str) {
    let mut begun = Begun::ready(STEP).await;
    // Its watches stay open, and are silent.
    begun.lab.api.mute("ciliumnodes");
    begun.lab.api.fail_for(Which::any(), trouble, 100 * SECOND);
    check(&fail(&mut begun.session, 10 * SECOND).await, FailureClass::Infrastructure, &[says]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_a_sign_of_life() {
    let mut begun = Begun::ready(STEP).await;
    begun.lab.api.fail_for(Which::any(), Trouble::Status(403, "Forbidden", "no"), 100 * SECOND);
    check(&fail(&mut begun.session, 10 * SECOND).await, FailureClass::Product, &["nothing yet"]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_was_never_listed_is_to_blame() {
    let mut begun = Begun::new(STEP, Vec::new());
    begun.lab.api.fail_for(Which::lists("ciliumnodes"), Trouble::Hang, 100 * SECOND);
    let says = "the API server has not listed ciliumnodes yet";
    check(&fail(&mut begun.session, 10 * SECOND).await, FailureClass::Infrastructure, &[says]);
}

#[tokio::test(start_paused = true)]
async fn what_has_arrived_by_the_deadline_counts() {
    let mut begun = Begun::ready(STEP).await;
    begun.lab.api.put(cilium_node(NODES[1], &["10.0.1.0/24"], Some("boom")));
    // The event is on its way before the deadline, which has passed when it is looked for.
    tokio::time::sleep(SECOND).await;
    let kinds = [kind()];
    let seen = begun.session.until(Instant::now(), "boom", &kinds, |session| {
        match session.world.cilium_nodes[NODES[1]].error.as_deref() {
            Some(error) => Level::Done(error.to_owned()),
            None => Level::not_yet("no error"),
        }
    });
    assert_eq!(seen.await.expect("it was there"), "boom");
}

#[tokio::test(start_paused = true)]
async fn a_wake_at_the_deadline_is_a_last_look() {
    let mut begun = Begun::ready(STEP).await;
    let deadline = Instant::now() + 5 * SECOND;
    let kinds = [kind()];
    let reached = begun.session.until(deadline, "the time", &kinds, |_| {
        if Instant::now() >= deadline {
            Level::Done(())
        } else {
            Level::NotYet { last: "early".to_owned(), wake: Some(deadline) }
        }
    });
    reached.await.expect("it is time");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_reached_while_its_watch_is_down_but_what_is_seen_is_seen() {
    let mut begun = Begun::ready(STEP).await;
    begun.lab.api.away(8 * SECOND);
    tokio::time::sleep(SECOND).await;
    begun.session.drain().expect("no check goes on");
    let began = Instant::now();
    begun.session.fresh(began + 60 * SECOND, &[kind()]).await.expect("it comes back");
    assert!(began.elapsed() >= 6 * SECOND, "{:?}", began.elapsed());
    begun.lab.api.away(8 * SECOND);
    tokio::time::sleep(SECOND).await;
    begun.session.drain().expect("no check goes on");
    let now = Instant::now();
    let seen = begun.session.until(now + 60 * SECOND, "it", &[kind()], |_| Level::Final(())).await;
    assert!(seen.is_ok() && now.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn an_error_between_two_messages_is_caught_by_a_check_that_goes_on() {
    let steps = "  - expect: {operatorStatus: {every: clear}, holds: {steps: 1}}\n  - restart: cilium-agent\n";
    let mut begun = Begun::ready(steps).await;
    begun.step().await.expect("it is so now");
    begun.lab.api.put(cilium_node(NODES[1], &["10.0.1.0/24"], Some("flash")));
    begun.lab.api.put(cilium_node(NODES[1], &["10.0.1.0/24"], None));
    tokio::time::sleep(SECOND).await;
    let error = begun.session.drain().expect_err("it was seen");
    check(&error, FailureClass::Product, &["what line 5 says must hold did not"]);
    assert_eq!(begun.session.world.cilium_nodes[NODES[1]].error.as_deref(), Some("flash"), "at that very moment");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_goes_on_does_not_end_before_its_watch_is_back() {
    let steps = "  - expect: {operatorStatus: {every: clear}, holds: {steps: 1}}\n  - restart: cilium-agent\n";
    let mut begun = Begun::ready(steps).await;
    begun.step().await.expect("it is so now");
    begun.lab.api.away(20 * SECOND);
    begun.lab.api.put(cilium_node(NODES[1], &["10.0.1.0/24"], Some("unseen")));
    begun.lab.api.put(cilium_node(NODES[1], &["10.0.1.0/24"], None));
    tokio::time::sleep(SECOND).await;
    let error = begun.session.end_monitors(1).await.expect_err("it was told in the end");
    check(&error, FailureClass::Product, &["what line 5 says must hold did not"]);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_holds_over_steps_may_take_its_time_first() {
    let steps = "  - expect: {operatorStatus: {every: {error: boom}}, within: 30s, holds: {steps: 1}}\n  - restart: cilium-agent\n";
    let mut begun = Begun::ready(steps).await;
    let api = begun.lab.api.clone();
    tokio::spawn(async move {
        tokio::time::sleep(10 * SECOND).await;
        for (place, node) in NODES.iter().enumerate() {
            api.put(cilium_node(node, &[&format!("10.0.{place}.0/24")], Some("boom")));
        }
    });
    begun.step().await.expect("it came within 30 s");
    assert_eq!(begun.session.monitors.len(), 1);
    begun.session.end_monitors(1).await.expect("it held");
    assert!(begun.session.monitors.is_empty());
}

#[tokio::test(start_paused = true)]
async fn two_watches_of_one_kind_are_one() {
    let begun = Begun::new(STEP, vec![KindName::new("v1", "ConfigMap"), KindName::new("apps/v1", "Deployment")]);
    tokio::time::sleep(SECOND).await;
    let requests = begun.lab.api.requests();
    let maps: Vec<_> = requests.iter().filter(|asked| asked.path.ends_with("configmaps") && asked.is_watch()).collect();
    assert_eq!(maps.len(), 1);
    assert!(!maps[0].path.contains("namespaces") && !maps[0].query.contains("fieldSelector"), "{maps:?}");
    assert_eq!(
        requests.iter().filter(|asked| asked.path == "/apis/apps/v1/deployments" && asked.is_watch()).count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn one_object_of_a_kind_is_all_that_is_asked_for() {
    let begun = Begun::ready(STEP).await;
    let requests = begun.lab.api.requests();
    let narrow = |path: &str, name: &str| {
        requests
            .iter()
            .filter(|a| a.path.ends_with(path))
            .all(|a| a.query.ends_with(&format!("metadata.name%3D{name}")))
    };
    assert!(narrow("/api/v1/namespaces/kube-system/configmaps", "cilium-config"));
    assert!(narrow("namespaces/kube-system/leases", "cilium-operator-resource-lock"));
    for plural in ["nodes", "pods", "configmaps", "leases", "events", "ciliumnodes", "ciliumendpoints"] {
        assert_eq!(begun.lab.api.counts(plural), (1, 1), "{plural}: one list, one watch");
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_cannot_be_asked_is_asked_until_it_can() {
    let mut begun = Begun::new(STEP, Vec::new());
    let until = Instant::now() + 40 * SECOND;
    begun.lab.script(|script| script.exec_down_until = Some(until));
    action::ready(&mut begun.session, Instant::now() + 120 * SECOND).await.expect("it answers in the end");
    assert!(Instant::now() >= until);
    assert!(begun.session.world.silent.is_empty());
    assert!(begun.session.last_api_error().is_some_and(|error| error.contains("connection refused")));
}

#[tokio::test(start_paused = true)]
async fn one_that_never_can_says_nothing_about_cilium() {
    let mut begun = Begun::new(STEP, Vec::new());
    begun.lab.script(|script| script.exec_down_until = Some(Instant::now() + 4000 * SECOND));
    let error = action::ready(&mut begun.session, Instant::now() + 60 * SECOND).await.expect_err("it never answers");
    check(
        &error,
        FailureClass::Infrastructure,
        &["does not answer: exec cluster t: connection refused", "could not be asked"],
    );
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_asked_once_for_each_run_of_its_process() {
    let mut begun = Begun::ready(STEP).await;
    let asked = |lab: &Lab| lab.calls().iter().filter(|call| call.contains("cilium-dbg status")).count();
    assert_eq!(asked(&begun.lab), 3);
    let pods = begun.lab.api.all("Pod");
    let agent = pods.iter().find(|pod| pod["metadata"]["labels"]["k8s-app"] == "cilium").expect("there is one");
    let name = agent["metadata"]["name"].as_str().expect("a name").to_owned();
    begun.lab.api.edit("Pod", "kube-system", &name, |pod| pod["metadata"]["annotations"] = json!({"a": "b"}));
    tokio::time::sleep(SECOND).await;
    begun.session.drain().expect("no check goes on");
    tokio::time::sleep(SECOND).await;
    assert_eq!(asked(&begun.lab), 3, "nothing that it says has changed");
    begun.lab.api.edit("Pod", "kube-system", &name, |pod| {
        pod["status"]["containerStatuses"][0]["restartCount"] = json!(1);
    });
    tokio::time::sleep(SECOND).await;
    begun.session.drain().expect("no check goes on");
    tokio::time::sleep(SECOND).await;
    assert_eq!(asked(&begun.lab), 4);
}

#[tokio::test(start_paused = true)]
async fn a_patch_of_what_is_not_watched_is_not_waited_for() {
    let step = "  - patch: {kind: ConfigMap, namespace: kube-system, name: coredns, merge: {data: {Corefile: x}}}\n";
    let mut begun = Begun::ready(step).await;
    let metadata = json!({"name": "coredns", "namespace": "kube-system"});
    begun.lab.api.put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}));
    let began = Instant::now();
    begun.step().await.expect("it was patched");
    assert!(began.elapsed() < SECOND);
    let patched = begun.lab.api.get("ConfigMap", "kube-system", "coredns").expect("it is there");
    assert_eq!(patched["data"]["Corefile"], "x");
}

#[tokio::test(start_paused = true)]
async fn variables_in_a_patch_are_those_of_their_node() {
    let step = "  - patch: {kind: CiliumNode, name: worker, merge: {spec: {ipam: {podCIDRs: ['${worker2.ciliumNode.podCIDR}', '${node.podCIDR@start}']}}}}\ninvariants: {off: {podcidrs-disjoint: only the variables matter here}}\n";
    let mut begun = Begun::ready(step).await;
    begun.step().await.expect("it was patched");
    let node = begun.lab.api.get("CiliumNode", "", NODES[1]).expect("it is there");
    assert_eq!(node["spec"]["ipam"]["podCIDRs"], json!(["10.0.2.0/24", "10.244.1.0/24"]));
    assert_eq!(begun.session.world.cilium_nodes[NODES[1]].pod_cidrs, ["10.0.2.0/24", "10.244.1.0/24"]);
}

#[tokio::test(start_paused = true)]
async fn waiting_is_told_when_it_changes_not_again_and_again() {
    let mut begun = Begun::ready(STEP).await;
    let before = begun.told(|kind| matches!(kind, EventKind::Waiting { .. }));
    for version in 0..20 {
        begun.lab.api.edit("CiliumNode", "", NODES[0], |node| node["spec"]["bootid"] = json!(version.to_string()));
    }
    fail(&mut begun.session, 10 * SECOND).await;
    assert_eq!(begun.told(|kind| matches!(kind, EventKind::Waiting { .. })) - before, 1);
}

#[rstest]
#[case::changes_of_other_fields_do_not_count(None, 5)]
#[case::after_a_change(Some(3), 8)]
#[tokio::test(start_paused = true)]
async fn settled_is_quiet_for_so_long(#[case] change_at: Option<u64>, #[case] expected: u64) {
    let mut begun = Begun::ready("  - wait: {settled: 5s}\n").await;
    let api = begun.lab.api.clone();
    tokio::spawn(async move {
        tokio::time::sleep(2 * SECOND).await;
        api.edit("CiliumNode", "", NODES[0], |node| node["spec"]["bootid"] = json!("another"));
        if let Some(at) = change_at {
            tokio::time::sleep(Duration::from_secs(at - 2)).await;
            api.put(cilium_node(NODES[1], &["10.0.1.0/24"], Some("boom")));
        }
    });
    let began = Instant::now();
    begun.step().await.expect("it settles");
    assert_eq!(began.elapsed().as_secs(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_a_broken_watch_does_not_tell_is_not_quiet() {
    let mut begun = Begun::ready("  - wait: {settled: 5s}\n").await;
    begun.lab.api.away(20 * SECOND);
    let api = begun.lab.api.clone();
    tokio::spawn(async move {
        tokio::time::sleep(19 * SECOND).await;
        api.put(cilium_node(NODES[1], &["10.0.1.0/24"], Some("boom")));
    });
    let began = Instant::now();
    begun.step().await.expect("it settles");
    assert!(began.elapsed() >= 24 * SECOND, "{:?}", began.elapsed());
}
