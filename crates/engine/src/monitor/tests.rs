//! Checks that go on.

use rstest::rstest;
use tokio::time::Instant;

use super::Monitor;
use crate::check::Programs;
use crate::check::tests::scene::{Scene, expect};
use crate::support::objects::{NODES, cilium_node};

#[track_caller]
fn monitor(text: &str) -> Monitor {
    Monitor::new(4, &expect(text)).expect("its span is counted in steps")
}

fn look(monitor: &mut Monitor, scene: &Scene) {
    monitor.look(Instant::now(), &scene.context(&Programs::default()));
}

const CLEAR: &str = "operatorStatus: {every: clear}\nholds: {steps: 2}";
const NO_ERROR: &str = "operatorStatus: {some: {matches: boom}}\nnever: {steps: rest}";

#[rstest]
#[case::eventually("operatorStatus: {every: clear}")]
#[case::for_a_time("operatorStatus: {every: clear}\nholds: 5s")]
#[case::never_for_a_time("operatorStatus: {every: clear}\nnever: 5s")]
fn is_none(#[case] text: &str) {
    assert!(Monitor::new(0, &expect(text)).is_none());
}

#[rstest]
#[case::two_steps(CLEAR, 6)]
#[case::one_step("operatorStatus: {every: clear}\nholds: {steps: 1}", 5)]
#[case::rest(NO_ERROR, usize::MAX)]
fn ends_with_its_last_step(#[case] text: &str, #[case] last: usize) {
    let monitor = monitor(text);
    assert!(!monitor.ends_with(last - 1));
    assert!(monitor.ends_with(last));
    assert!(monitor.ends_with(last.saturating_add(1)));
}

#[rstest]
#[case::holds(CLEAR, "holds")]
#[case::never(NO_ERROR, "never")]
fn an_error_that_is_erased_again_stays_seen(#[case] text: &str, #[case] word: &str) {
    let mut scene = Scene::full();
    let mut monitor = monitor(text);
    look(&mut monitor, &scene);
    assert!(monitor.violated(false).is_none());
    scene.put(cilium_node(NODES[1], &["10.0.1.0/24"], Some("boom")));
    look(&mut monitor, &scene);
    scene.put(cilium_node(NODES[1], &["10.0.1.0/24"], None));
    look(&mut monitor, &scene);
    let (at, verdict) = monitor.violated(false).expect("it was seen");
    assert!(at.is_some());
    assert_eq!(monitor.word(), word);
    let named: Vec<_> = verdict.mismatches.iter().map(|one| (one.object.as_str(), one.observed.as_str())).collect();
    assert_eq!(named, [("CiliumNode/t-worker", "boom")]);
}

#[test]
fn never_without_anything_to_look_at_is_no_success() {
    let mut monitor = monitor(NO_ERROR);
    look(&mut monitor, &Scene::empty());
    assert!(monitor.violated(false).is_none(), "there may yet be something");
    let (at, verdict) = monitor.violated(true).expect("there was nothing");
    assert!(at.is_none() && !verdict.held);
    look(&mut monitor, &Scene::full());
    assert!(monitor.violated(true).is_none(), "once is enough");
}

#[test]
fn each_check_of_never_needs_something_to_look_at() {
    let text = "operatorStatus: {some: {matches: boom}}\npods: {of: coredns, ready: 1}\nnever: {steps: 1}";
    let mut monitor = monitor(text);
    look(&mut monitor, &Scene::full());
    assert!(monitor.violated(true).is_some(), "there is no CoreDNS: the two can never hold together");
}

#[test]
fn holds_needs_something_at_every_moment() {
    let mut monitor = monitor(CLEAR);
    look(&mut monitor, &Scene::empty());
    assert!(monitor.violated(false).is_some());
}
