//! Situations that people meet, and what Cilium makes of them, version by version.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod steps;

use ipam::history::{NodeOutcome, Step, preview};
use ipam::operator::OperatorConfig;
use rstest::rstest;
use steps::{ALL, LEGACY, check, delete, last_writes, node, node_with, set, start, start_dual};

const G20: [&str; 1] = ["1.20.2"];
const P: &[&str] = &["10.0.0.0/16"];

/// Three nodes in pool P, mask 24.
fn fresh() -> Vec<Step> {
    vec![start(P, 24), node("n1"), node("n2"), node("n3")]
}

fn then(steps: Vec<Step>, more: impl IntoIterator<Item = Step>) -> Vec<Step> {
    steps.into_iter().chain(more).collect()
}

#[test]
fn fresh_install() {
    check(&ALL, &fresh(), &["n1 10.0.0.0/24", "n2 10.0.1.0/24", "n3 10.0.2.0/24"]);
}

#[test]
fn a_replaced_node_gets_the_next_cidr_and_a_restart_starts_from_the_lowest() {
    let replaced = then(fresh(), [delete("n2"), node("n2")]);
    check(&ALL, &replaced, &["n1 10.0.0.0/24", "n2 10.0.3.0/24", "n3 10.0.2.0/24"]);
    let restarted = then(replaced, [start(P, 24), node("n4")]);
    check(&ALL, &restarted, &["n1 10.0.0.0/24", "n2 10.0.3.0/24", "n3 10.0.2.0/24", "n4 10.0.1.0/24"]);
}

#[test]
fn pools_in_order_then_full_then_starving() {
    let pools = &["10.9.0.0/25", "10.1.0.0/24"];
    let six = (1..=6).map(|i| node(&format!("n{i}")));
    let full = then(vec![start(pools, 26)], six.chain([node("n7")]));
    let given = ["10.9.0.0/26", "10.9.0.64/26", "10.1.0.0/26", "10.1.0.64/26", "10.1.0.128/26", "10.1.0.192/26"];
    let mut lines: Vec<String> = given.iter().enumerate().map(|(i, cidr)| format!("n{} {cidr}", i + 1)).collect();
    lines.push("n7  allocator full".to_owned());
    let expect = |lines: &[String], steps: &[Step]| {
        check(&ALL, steps, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    };
    expect(&lines, &full);
    // Room does not help the starving node by itself; a later node takes it.
    let freed = then(full, [delete("n3")]);
    lines.remove(2);
    expect(&lines, &freed);
    let later = then(freed.clone(), [node("n8")]);
    let mut with_later = lines.clone();
    with_later.push("n8 10.1.0.0/26".to_owned());
    expect(&with_later, &later);
    // A restart of the operator does.
    *lines.last_mut().unwrap() = "n7 10.1.0.0/26".to_owned();
    expect(&lines, &then(freed, [start(pools, 26)]));
}

#[test]
fn pool_replaced_and_back() {
    let replaced = then(fresh(), [start(&["10.77.0.0/16"], 24), node("n4")]);
    let e2 = |name: &str, cidr: &str| format!("{name} {cidr} allocator not configured for the requested CIDR {cidr}");
    let lines =
        [e2("n1", "10.0.0.0/24"), e2("n2", "10.0.1.0/24"), e2("n3", "10.0.2.0/24"), "n4 10.77.0.0/24".to_owned()];
    check(&ALL, &replaced, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let back = then(replaced, [start(P, 24)]);
    check(&ALL, &back, &["n1 10.0.0.0/24", "n2 10.0.1.0/24", "n3 10.0.2.0/24", &e2("n4", "10.77.0.0/24")]);
    let first = then(fresh(), [start(&["10.77.0.0/16", P[0]], 24), node("n4")]);
    check(&ALL, &first, &["n1 10.0.0.0/24", "n2 10.0.1.0/24", "n3 10.0.2.0/24", "n4 10.77.0.0/24"]);
}

#[rstest]
#[case::overlap(&["10.0.0.0/16", "10.0.0.0/8"], 24, "requested CIDR 10.0.0.0/8 collides with clusterCIDR: 10.0.0.0/16, nodeMask: 24")]
#[case::overlap_is_shown_as_written(&["10.0.0.0/8", "10.5.1.2/16"], 24, "requested CIDR 10.5.1.2/16 collides with clusterCIDR: 10.0.0.0/8, nodeMask: 24")]
#[case::equal(&["10.0.0.0/16", "10.0.0.0/16"], 24, "requested CIDR 10.0.0.0/16 collides with clusterCIDR: 10.0.0.0/16, nodeMask: 24")]
#[case::mask(&["10.0.0.0/16"], 33, "SubNetMask is invalid, should be lower or equal to 32 for IPv4 and to 128 for IPv6")]
#[case::empty(&[], 24, "cluster-pool-ipv4-cidr must be provided when using ClusterPool")]
#[case::family(&["fd00::/104"], 24, "CIDR is not v4 family: fd00::/104")]
fn refused_configurations(#[case] pools: &[&str], #[case] mask: i64, #[case] error: &str) {
    let steps = [start(P, 24), node("n1"), start(pools, mask), node("n2")];
    // Nothing is touched, and no operator runs.
    check(&ALL, &steps[..3], &[error, "n1 10.0.0.0/24"]);
    check(&ALL, &steps, &["n1 10.0.0.0/24", "n2"]);
}

#[rstest]
#[case("10.0.0.0/16,10.1.0.0/16", "invalid CIDR address: 10.0.0.0/16,10.1.0.0/16")]
#[case("10.0.0.0", "invalid CIDR address: 10.0.0.0")]
#[case("10.0.0.0/33", "invalid CIDR address: 10.0.0.0/33")]
fn legacy_syntax(#[case] pool: &str, #[case] error: &str) {
    check(&LEGACY, &[start(&[pool], 24)], &[error]);
}

#[rstest]
#[case("10.0.0.0", "netip.ParsePrefix(\"10.0.0.0\"): no '/'")]
#[case("10.0.0.0/33", "netip.ParsePrefix(\"10.0.0.0/33\"): prefix length out of range")]
#[case("fd00::1/104", "CIDR is not v4 family: fd00::1/104")]
fn g20_syntax(#[case] pool: &str, #[case] error: &str) {
    check(&G20, &[start(&[pool], 24)], &[error]);
}

#[rstest]
#[case("fd00::/64", 120, "New CIDR set failed; the node CIDR size is too big")]
#[case("10.0.0.0/16", 120, "CIDR is not v6 family: 10.0.0.0/16")]
#[case("fd00::/104", 129, "SubNetMask is invalid, should be lower or equal to 32 for IPv4 and to 128 for IPv6")]
fn refused_ipv6_configurations(#[case] pool: &str, #[case] mask: i64, #[case] error: &str) {
    check(&ALL, &[start_dual(P, 24, &[pool], mask)], &[error]);
}

#[test]
fn pool_smaller_than_a_node_cidr() {
    let steps = [start(P, 24), node("n1"), start(&["10.0.0.0/30"], 24), node("n2")];
    let full = "n1 10.0.0.0/24 allocator clusterCIDR: 10.0.0.0/30, nodeMask: 24 full";
    check(&ALL, &steps, &[full, "n2  allocator full"]);
}

#[test]
fn host_bits_are_dropped() {
    check(&ALL, &[start(&["10.0.5.7/16"], 24), node("n1")], &["n1 10.0.0.0/24"]);
    check(&ALL, &[start(&["192.168.54.16/26"], 28), node("n1")], &["n1 192.168.54.0/28"]);
    check(&ALL, &[start(P, 24), node_with("n1", &["10.0.7.9/24"])], &["n1 10.0.7.0/24"]);
}

#[test]
fn duplicates() {
    let steps = [node_with("n1", &["10.0.1.0/24"]), node_with("n2", &["10.0.1.0/24"]), start(P, 24)];
    let taken = "n2 10.0.1.0/24 requested CIDR (10.0.1.0/24) is already allocated";
    check(&LEGACY, &steps, &["n1 10.0.1.0/24", taken]);
    check(&G20, &steps, &["n1 10.0.1.0/24", "n2"]);
    // The loser stays as it is when the winner goes, until the operator is started again.
    let gone = then(steps.to_vec(), [delete("n1")]);
    check(&LEGACY, &gone, &[taken]);
    check(&G20, &gone, &["n2"]);
    // On 1.20 even an edit by hand that asks for it again works only as a claim; nothing is given on its own.
    check(&LEGACY, &then(gone.clone(), [start(P, 24)]), &["n2 10.0.1.0/24"]);
    check(&G20, &then(gone, [start(P, 24)]), &["n2 10.0.0.0/24"]);
    let full = [node_with("n1", &["10.0.1.0/24"]), node_with("n2", &["10.0.1.0/24"]), start(&["10.0.1.0/24"], 24)];
    let reason = "n2 10.0.1.0/24 allocator clusterCIDR: 10.0.1.0/24, nodeMask: 24 full";
    check(&ALL, &full, &["n1 10.0.1.0/24", reason]);
}

#[test]
fn a_mode_switch_writes_foreign_cidrs() {
    // What agents in kubernetes mode write over a running cluster-pool operator, and what is left after each restart.
    let steps = [start(&["10.10.0.0/16"], 24), node("n1"), set("n1", &["10.244.0.0/24"])];
    let conflict =
        "n1 10.244.0.0/24 node has CIDRs allocated ([10.10.0.0/24]) that conflict with requested CIDRs [10.244.0.0/24]";
    check(&LEGACY, &steps, &[conflict]);
    check(&G20, &steps, &["n1 10.10.0.0/24"]);
    let stopped = then(steps.to_vec(), [Step::Stop]);
    check(&LEGACY, &stopped, &[conflict]);
    let outside = "n1 10.244.0.0/24 allocator not configured for the requested CIDR 10.244.0.0/24";
    check(&LEGACY, &then(stopped.clone(), [start(&["10.10.0.0/16"], 24)]), &[outside]);
    check(&LEGACY, &then(stopped, [start(&["10.0.0.0/8"], 24), node("n2")]), &["n1 10.244.0.0/24", "n2 10.0.0.0/24"]);
}

#[test]
fn edits_by_hand() {
    let edited = then(fresh(), [set("n1", &["10.0.9.0/24"])]);
    let conflict =
        "n1 10.0.9.0/24 node has CIDRs allocated ([10.0.0.0/24]) that conflict with requested CIDRs [10.0.9.0/24]";
    check(&LEGACY, &edited, &[conflict, "n2 10.0.1.0/24", "n3 10.0.2.0/24"]);
    check(&G20, &edited, &["n1 10.0.0.0/24", "n2 10.0.1.0/24", "n3 10.0.2.0/24"]);
    let restored = then(edited, [set("n1", &["10.0.0.0/24"])]);
    check(&ALL, &restored, &["n1 10.0.0.0/24", "n2 10.0.1.0/24", "n3 10.0.2.0/24"]);
    let emptied = then(fresh(), [set("n1", &[])]);
    check(&ALL, &emptied, &["n1 10.0.0.0/24", "n2 10.0.1.0/24", "n3 10.0.2.0/24"]);
    let emptied_while_down = then(fresh(), [Step::Stop, delete("n2"), set("n3", &[]), start(P, 24)]);
    check(&ALL, &emptied_while_down, &["n1 10.0.0.0/24", "n3 10.0.1.0/24"]);
}

#[test]
fn mask_changes() {
    let narrower = then(fresh(), [start(P, 25), node("n4")]);
    check(&ALL, &narrower, &["n1 10.0.0.0/24", "n2 10.0.1.0/24", "n3 10.0.2.0/24", "n4 10.0.3.0/25"]);
    let wider = then(fresh(), [start(P, 23), node("n4")]);
    let taken = "n2 10.0.1.0/24 requested CIDR (10.0.1.0/24) is already allocated";
    check(&LEGACY, &wider, &["n1 10.0.0.0/24", taken, "n3 10.0.2.0/24", "n4 10.0.4.0/23"]);
    check(&G20, &wider, &["n1 10.0.0.0/24", "n2", "n3 10.0.2.0/24", "n4 10.0.4.0/23"]);
}

#[test]
fn a_wide_cidr_takes_the_pool() {
    let steps = [start(P, 24), node_with("n1", &["10.0.0.0/8"]), node("n2")];
    check(&ALL, &steps, &["n1 10.0.0.0/8", "n2  allocator full"]);
}

#[test]
fn partial_overlaps() {
    let fits = [start(P, 25), node_with("n1", &["10.0.0.0/25"]), node_with("n2", &["10.0.0.0/24"])];
    check(&ALL, &fits, &["n1 10.0.0.0/25", "n2 10.0.0.0/24"]);
    let inside = [start(P, 25), node_with("n1", &["10.0.0.0/24"]), node_with("n2", &["10.0.0.0/25"])];
    check(&LEGACY, &inside, &["n1 10.0.0.0/24", "n2 10.0.0.0/25 requested CIDR (10.0.0.0/25) is already allocated"]);
}

#[test]
fn nonsense_and_foreign_families() {
    let nonsense = [start(P, 24), node_with("n1", &["nonsense"])];
    check(&LEGACY, &nonsense, &["n1 nonsense invalid CIDR address: nonsense"]);
    check(&G20, &nonsense, &[]);
    let foreign = [start(P, 24), node_with("n1", &["fd00::/112"])];
    let error = "n1 fd00::/112 unable to allocate CIDR [fd00::/112] since allocator for IPv6 addresses does not exist";
    check(&ALL, &foreign, &[error]);
}

const V6: &[&str] = &["fd00::/104"];

#[test]
fn dual_stack_on_and_off() {
    let on = [start(P, 24), node("n1"), node("n2"), start_dual(P, 24, V6, 120)];
    check(&ALL, &on, &["n1 10.0.0.0/24,fd00::/120", "n2 10.0.1.0/24,fd00::100/120"]);
    let off = then(on.to_vec(), [start(P, 24)]);
    let error =
        |cidr: &str| format!("unable to allocate CIDR [{cidr}] since allocator for IPv6 addresses does not exist");
    let lines = [
        format!("n1 10.0.0.0/24,fd00::/120 {}", error("fd00::/120")),
        format!("n2 10.0.1.0/24,fd00::100/120 {}", error("fd00::100/120")),
    ];
    check(&ALL, &off, &[&lines[0], &lines[1]]);
}

#[test]
fn dual_stack_with_an_ipv6_duplicate() {
    let steps = [
        node_with("n1", &["10.0.0.0/24", "fd00::/120"]),
        node_with("n2", &["10.0.1.0/24", "fd00::/120"]),
        start_dual(P, 24, V6, 120),
        node("n3"),
    ];
    // Up to 1.19 the whole node is refused, so its IPv4 CIDR is free, and another node is given it.
    let refused = "n2 10.0.1.0/24,fd00::/120 requested CIDR (fd00::/120) is already allocated";
    check(&LEGACY, &steps, &["n1 10.0.0.0/24,fd00::/120", refused, "n3 10.0.1.0/24,fd00::100/120"]);
    check(&G20, &steps, &["n1 10.0.0.0/24,fd00::/120", "n2 10.0.1.0/24", "n3 10.0.2.0/24,fd00::200/120"]);
}

#[test]
fn writes_and_their_times() {
    // The first write is immediate; an error that is erased again shows as two writes a second apart.
    let steps = [start(&["10.10.0.0/16"], 24), node("n1"), set("n1", &["10.244.0.0/24"])];
    let error =
        "n1 error \"node has CIDRs allocated ([10.10.0.0/24]) that conflict with requested CIDRs [10.244.0.0/24]\"";
    assert_eq!(last_writes("1.19.1", &steps), [(1, error.to_owned())]);
    assert_eq!(
        last_writes("1.20.2", &steps),
        [(1, "n1 spec [10.10.0.0/24]".to_owned()), (1, error.to_owned()), (1001, "n1 error \"\"".to_owned()),]
    );
    let duplicate = [node_with("n1", &["10.0.1.0/24"]), node_with("n2", &["10.0.1.0/24"]), start(P, 24)];
    let writes: Vec<_> =
        last_writes("1.20.2", &duplicate).into_iter().filter(|(_, text)| text.starts_with("n2")).collect();
    assert_eq!(
        writes,
        [
            (1, "n2 spec []".to_owned()),
            (1, "n2 error \"requested CIDR (10.0.1.0/24) is already allocated\"".to_owned()),
            (1001, "n2 error \"\"".to_owned()),
        ]
    );
}

#[test]
fn what_a_configuration_would_do_to_a_cluster() {
    let release: ipam::Release = "1.19.1".parse().unwrap();
    let node = |cidr: &str, error: &str| NodeOutcome { pod_cidrs: vec![cidr.to_owned()], error: error.to_owned() };
    let nodes = [
        ("n1".to_owned(), node("10.0.0.0/24", "allocator full")),
        ("n2".to_owned(), node("10.9.0.0/24", "")),
        ("n3".to_owned(), NodeOutcome::default()),
    ];
    let after = preview(&OperatorConfig::ipv4(["10.0.0.0/16"], 24), release, nodes.clone().into()).unwrap();
    let outside = "allocator not configured for the requested CIDR 10.9.0.0/24";
    let expected =
        [("n1", node("10.0.0.0/24", "")), ("n2", node("10.9.0.0/24", outside)), ("n3", node("10.0.1.0/24", ""))];
    assert_eq!(after, expected.map(|(name, node)| (name.to_owned(), node)).into());
    let error = preview(&OperatorConfig::ipv4(["10.0.0.0/16"], 33), release, nodes.into()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "unable to initialize IPv4 allocator: SubNetMask is invalid, should be lower or equal to 32 for IPv4 and to 128 for IPv6"
    );
}
