//! Small streams by hand: every kind of difference is found, and every freedom is one.

mod streams;

use events::{CiliumNodeSeen, Outcome, PodSeen, State};
use rstest::rstest;

use crate::{Comparison, Recording, compare, differences, reduce, table};
use streams::{Stream, pod, seen, start};

fn reduced(states: Vec<State>) -> Recording {
    let events = Stream::of(states).events();
    let mut recordings = reduce(&events);
    recordings.remove("s").expect("the scenario").expect("comparable")
}

/// A run with a second phase, in which nothing has happened, and the same but for a change in it.
fn after(change: impl FnOnce(&mut State)) -> Comparison {
    let real = reduced(vec![start(), start()]);
    let mut second = start();
    change(&mut second);
    compare(&real, &reduced(vec![start(), second]))
}

/// A pod comes into another condition.
fn then(state: &mut State, pod: usize, change: impl FnOnce(&mut PodSeen)) {
    let mut one = state.pods[pod].seen[0].clone();
    change(&mut one);
    state.pods[pod].seen.push(one);
}

fn subjects(comparison: &Comparison) -> Vec<&str> {
    comparison.differences.iter().map(|difference| difference.subject.as_str()).collect()
}

#[test]
fn a_run_equals_itself() {
    let comparison = after(|_| {});
    assert!(comparison.is_equal());
    assert_eq!((comparison.tally.phases, comparison.tally.equal), (2, 2));
    assert!(comparison.tally.facts > 50, "{}", comparison.tally.facts);
}

#[rstest]
#[case::another_error(|s: &mut State| s.nodes[1].cilium.as_mut().unwrap().error = Some("allocator full".into()), "worker: operator-status")]
#[case::a_status_that_nobody_wrote(|s: &mut State| s.nodes[1].cilium.as_mut().unwrap().operator_status = false, "worker: operator-status")]
#[case::no_podcidr(|s: &mut State| s.nodes[1].cilium.as_mut().unwrap().pod_cidrs.clear(), "worker: CiliumNode podCIDRs")]
#[case::another_size(|s: &mut State| s.nodes[1].cilium.as_mut().unwrap().pod_cidrs = vec!["10.0.1.0/25".into()], "worker: CiliumNode podCIDRs")]
#[case::a_block_of_another_node(|s: &mut State| s.nodes[1].cilium.as_mut().unwrap().pod_cidrs = vec!["10.0.2.0/24".into()], "worker: CiliumNode podCIDRs")]
#[case::the_nodes_block(|s: &mut State| s.nodes[1].cilium.as_mut().unwrap().pod_cidrs = vec!["10.224.1.0/24".into()], "worker: CiliumNode podCIDRs")]
#[case::a_block_too_high(|s: &mut State| s.nodes[1].cilium.as_mut().unwrap().pod_cidrs = vec!["10.0.9.0/24".into()], "podCIDRs handed out so far")]
#[case::another_ciliumnode(|s: &mut State| s.nodes[1].cilium.as_mut().unwrap().uid = "other".into(), "worker: CiliumNode")]
#[case::no_ciliumnode(|s: &mut State| s.nodes[1].cilium = None, "worker: CiliumNode")]
#[case::no_node(|s: &mut State| s.nodes[1].node = None, "worker: Node")]
#[case::a_cordon(|s: &mut State| s.nodes[1].node.as_mut().unwrap().unschedulable = true, "worker: Node condition")]
#[case::not_ready(|s: &mut State| s.nodes[1].node.as_mut().unwrap().ready = false, "worker: Node condition")]
#[case::a_taint(|s: &mut State| s.nodes[1].node.as_mut().unwrap().taints.push("t".into()), "worker: Node taints")]
#[case::another_mode(|s: &mut State| s.nodes[1].agent.as_mut().unwrap().ipam = "kubernetes".into(), "worker: agent's mode")]
#[case::another_range(|s: &mut State| s.nodes[1].agent.as_mut().unwrap().pod_cidrs = vec!["10.224.1.0/24".into()], "worker: agent's range")]
#[case::a_silent_agent(|s: &mut State| s.nodes[1].agent = None, "worker: agent's mode")]
#[case::another_router(|s: &mut State| s.nodes[1].cilium.as_mut().unwrap().router = vec!["10.0.1.77".into()], "worker: router")]
#[case::an_error_that_was_erased(
    |s: &mut State| s.nodes[1].seen = vec![seen("10.0.1.0/24", None), seen("10.0.1.0/24", Some("e")), seen("10.0.1.0/24", None)],
    "worker: CiliumNode history"
)]
#[case::a_ciliumnode_that_was_away(
    |s: &mut State| s.nodes[1].seen.insert(1, CiliumNodeSeen { absent: true, ..CiliumNodeSeen::default() }),
    "worker: CiliumNode history"
)]
#[case::another_pool(|s: &mut State| s.pools = vec!["192.168.0.0/16".into()], "pools")]
#[case::one_pod_fewer(|s: &mut State| { s.pods.remove(0); }, "pods of alpine")]
#[case::a_pod_that_failed(|s: &mut State| s.pods[0].phase = "Failed".into(), "pods of alpine")]
#[case::a_replaced_pod(|s: &mut State| s.pods[0].uid = "other".into(), "pods of alpine that were on worker")]
#[case::a_pod_that_came_and_went(|s: &mut State| { let mut p = pod("alpine", "x", "worker", "10.0.1.7"); p.gone = true; s.pods.push(p); }, "pods of alpine: came and went")]
#[case::another_address(|s: &mut State| s.pods[0].ips = vec!["10.0.1.99".into()], "kept pods of alpine on worker")]
#[case::an_address_of_the_node(|s: &mut State| s.pods[0].ips = vec!["10.224.1.9".into()], "kept pods of alpine on worker")]
#[case::no_endpoint(|s: &mut State| s.pods[0].endpoint = None, "kept pods of alpine on worker")]
#[case::an_endpoint_with_another_address(|s: &mut State| s.pods[0].endpoint = Some(vec!["10.0.1.98".into()]), "kept pods of alpine on worker")]
#[case::a_restart(|s: &mut State| then(s, 0, |one| one.restarts = 1), "kept pods of alpine on worker")]
#[case::a_moment_without_readiness(
    |s: &mut State| { let one = s.pods[0].seen[0].clone(); s.pods[0].seen.extend([PodSeen { ready: false, ..one.clone() }, one]); },
    "kept pods of alpine on worker"
)]
#[case::an_agent_that_was_replaced(|s: &mut State| s.pods[2].uid = "other".into(), "pods of cilium that were on worker")]
#[case::an_agent_that_crashed(
    |s: &mut State| then(s, 2, |one| (one.crashing, one.ready) = (true, false)),
    "kept pods of cilium on worker"
)]
#[case::an_agent_that_is_missing(|s: &mut State| { s.pods.remove(2); }, "pods of cilium")]
fn finds(#[case] change: impl FnOnce(&mut State), #[case] subject: &str) {
    let comparison = after(change);
    assert!(!comparison.is_equal());
    assert!(subjects(&comparison).contains(&subject), "{subject} is not in {:#?}", comparison.differences);
    assert_eq!(comparison.tally.different, 1, "only the phase in which it happened");
}

/// Another run of the same: other names, other blocks for each node, other addresses, pods elsewhere.
fn permuted() -> State {
    let mut state = start();
    let text = serde_json::to_string(&state).expect("a text");
    let text = text
        .replace("10.0.1.", "10.0.@.")
        .replace("10.0.2.", "10.0.1.")
        .replace("10.0.@.", "10.0.2.")
        .replace("10.224.1.", "10.224.3.")
        .replace(".5\"", ".44\"")
        .replace("uid-", "other-");
    state = serde_json::from_str(&text).expect("a state");
    state
}

#[test]
fn names_numbers_and_addresses_are_free() {
    let real = reduced(vec![start(), start()]);
    let other = reduced(vec![permuted(), permuted()]);
    let comparison = compare(&real, &other);
    assert!(comparison.is_equal(), "{}", differences(&[comparison]));
}

#[test]
fn the_node_that_the_scheduler_takes_is_free_but_not_the_number_of_pods() {
    let moved = || {
        let mut state = start();
        state.pods[0].node = Some("worker2".to_owned());
        state.pods[0].ips = vec!["10.0.2.5".to_owned()];
        state.pods[0].endpoint = Some(vec!["10.0.2.5".to_owned()]);
        state.pods[0].seen[0].ips = vec!["10.0.2.5".to_owned()];
        state
    };
    let real = reduced(vec![start(), start()]);
    let comparison = compare(&real, &reduced(vec![moved(), moved()]));
    assert!(comparison.is_equal());
    assert_eq!(comparison.tally.elsewhere, 6, "told, since nobody compared them");
    let pinned = |mut state: State| {
        state.pods[0].pinned = true;
        state
    };
    let real = reduced(vec![pinned(start())]);
    let comparison = compare(&real, &reduced(vec![pinned(moved())]));
    assert_eq!(subjects(&comparison), ["new pods of alpine on worker", "new pods of alpine on worker2"]);
}

#[test]
fn restarts_of_a_pod_without_a_network_are_a_matter_of_time() {
    let lost = |restarts| {
        let mut state = start();
        state.pods[1].endpoint = None;
        then(&mut state, 1, |one| (one.ready, one.restarts) = (false, restarts));
        state
    };
    let real = reduced(vec![start(), lost(2)]);
    assert!(compare(&real, &reduced(vec![start(), lost(5)])).is_equal());
    assert!(!compare(&real, &reduced(vec![start(), start()])).is_equal(), "that it was lost is a fact");
}

#[test]
fn a_probe_that_fell_into_an_interruption_is_a_matter_of_time_where_it_is_over() {
    let flapped = |back| {
        let mut state = start();
        then(&mut state, 1, |one| one.ready = false);
        then(&mut state, 1, |one| one.ready = back);
        state
    };
    let real = reduced(vec![start(), flapped(true)]);
    assert!(compare(&real, &reduced(vec![start(), start()])).is_equal());
    assert!(!compare(&real, &reduced(vec![start(), flapped(false)])).is_equal());
}

#[test]
fn errors_are_compared_to_the_letter_but_for_the_numbers_of_blocks() {
    let with = |mut state: State, text: &str| {
        state.nodes[1].cilium.as_mut().expect("a CiliumNode").error = Some(text.to_owned());
        reduced(vec![state])
    };
    let text = "node has CIDRs allocated ([10.0.1.0/24]) that conflict with requested CIDRs [10.224.1.0/24]";
    let same = "node has CIDRs allocated ([10.0.2.0/24]) that conflict with requested CIDRs [10.224.3.0/24]";
    let other = "node has CIDRs allocated ([10.0.1.0/24]) that conflict with requested CIDRs [10.224.3.0/24]";
    let real = with(start(), text);
    assert!(compare(&real, &with(permuted(), same)).is_equal());
    assert!(!compare(&real, &with(permuted(), other)).is_equal(), "another node's block");
    assert!(!compare(&real, &with(start(), &text.replace("conflict", "conflicts"))).is_equal());
}

#[test]
fn a_state_between_two_states_is_not_compared_and_told() {
    let comparison = after(|state| state.unsettled = Some("a pod of alpine is not ready".to_owned()));
    assert_eq!((comparison.tally.phases, comparison.tally.unsettled), (1, 1));
    assert_eq!(comparison.unsettled, ["step 1: deploy alpine (sim: a pod of alpine is not ready)"]);
    assert!(!comparison.is_equal(), "what was not compared is not equal");
}

#[test]
fn a_phase_that_one_side_has_not_is_a_difference() {
    let real = reduced(vec![start(), start()]);
    let comparison = compare(&real, &reduced(vec![start()]));
    assert_eq!(subjects(&comparison), ["the phase"]);
}

#[test]
fn another_version_is_not_compared_with() {
    let real = reduced(vec![start()]);
    let other = Recording { cilium: "1.20.2".to_owned(), ..real.clone() };
    assert_eq!(subjects(&compare(&real, &other)), ["Cilium's version"]);
    let other = Recording { format: 0, ..real.clone() };
    assert_eq!(subjects(&compare(&real, &other)), ["the form of the recording"]);
}

#[test]
fn nothing_to_compare_is_not_equal() {
    let real = Recording { phases: Vec::new(), ..reduced(vec![start()]) };
    assert!(!compare(&real, &real.clone()).is_equal());
    assert!(!Comparison::impossible("s", "1.18.4", None, None).is_equal());
}

#[rstest]
#[case::failed(Stream::of(vec![start()]).ending(Outcome::Failed), "failed: what was expected was not so")]
#[case::cut_off(Stream::of(vec![start()]).cut_off(), "the recording breaks off")]
#[case::without_states(
    Stream::of(Vec::new()),
    "the recording has no states: it was made by an older version of this tool"
)]
fn says_why_a_run_is_not_comparable(#[case] stream: Stream, #[case] why: &str) {
    let recordings = reduce(&stream.events());
    assert_eq!(recordings["s"].as_ref().expect_err("not comparable").to_string(), why);
}

#[test]
fn how_often_a_part_that_crash_loops_has_ended_is_free() {
    let looping = |restarts: u64, ready: bool| {
        let mut state = start();
        state.pods[2].restarts = restarts;
        then(&mut state, 2, |one| (one.crashing, one.ready, one.restarts) = (!ready, ready, restarts));
        reduced(vec![start(), state])
    };
    let comparison = compare(&looping(2, false), &looping(5, true));
    assert!(comparison.is_equal(), "{}", differences(&[comparison]));
    assert!(!compare(&looping(0, true), &looping(2, false)).is_equal(), "that it does is none");
}

#[test]
fn a_pod_that_waits_where_an_agent_hangs_may_have_been_put_elsewhere() {
    let hung = |waits: bool| {
        let mut state = start();
        state.nodes[1].agent = None;
        if waits {
            state.pods[0].phase = "Pending".to_owned();
        }
        reduced(vec![start(), state])
    };
    let comparison = compare(&hung(true), &hung(false));
    assert!(!subjects(&comparison).contains(&"pods of alpine"), "{}", differences(&[comparison]));
}

#[test]
fn a_skipped_scenario_is_left_out() {
    assert!(reduce(&Stream::of(Vec::new()).ending(Outcome::Skipped).events()).is_empty());
}

#[test]
fn tells_both_sides() {
    let comparison = after(|state| {
        state.nodes[1].cilium.as_mut().expect("a CiliumNode").error = Some("allocator full".to_owned());
    });
    let comparisons = [comparison];
    assert_eq!(
        differences(&comparisons),
        "s (1.18.4), step 1: deploy alpine: worker: operator-status\n  real: clear\n  sim:  allocator full\n"
    );
    let table = table(&comparisons);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "scenario  cilium    phases  equal  different  unsettled  facts  elsewhere  orders");
    assert!(lines[1].starts_with("s         1.18.4         2      1          1          0"), "{}", lines[1]);
    assert!(lines[2].starts_with("all "), "{}", lines[2]);
}

#[test]
fn a_recording_is_read_back_as_it_was() {
    let recording = reduced(vec![start(), start()]);
    let text = serde_json::to_string_pretty(&recording).expect("a text");
    assert_eq!(serde_json::from_str::<Recording>(&text).expect("a recording"), recording);
    assert!(!text.contains("uid-") && !text.contains("10.0.1.5"), "names and addresses are not in it: {text}");
}
