//! The model beside a cluster, over streams of what was seen: right worlds and wrong ones.

use std::collections::BTreeMap;

use predict::oracle::{Difference, Happened, Oracle, SeenNode, SeenNodes, Verdict};
use rstest::rstest;

type Config = BTreeMap<String, String>;

fn config(mode: &str, pool: &str, mask: &str) -> Config {
    let pairs = [
        ("ipam", mode),
        ("cluster-pool-ipv4-cidr", pool),
        ("cluster-pool-ipv4-mask-size", mask),
        ("enable-ipv4", "true"),
        ("enable-ipv6", "false"),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Nodes with their podCIDRs, `-` for none, and their errors.
fn seen(nodes: &[(&str, &str, &str)]) -> SeenNodes {
    let node = |cidr: &str, error: &str| SeenNode {
        pod_cidrs: (cidr != "-").then(|| cidr.to_owned()).into_iter().collect(),
        error: error.to_owned(),
    };
    nodes.iter().map(|(name, cidr, error)| ((*name).to_owned(), node(cidr, error))).collect()
}

/// Three nodes join, their agents start, then an operator leads.
fn installed(version: &str, config: &Config) -> Oracle {
    let mut oracle = Oracle::new(version);
    for (place, node) in ["a", "b", "c"].into_iter().enumerate() {
        oracle
            .happened(Happened::NodeJoined { node: node.to_owned(), pod_cidrs: vec![format!("10.224.{place}.0/24")] });
    }
    for node in ["a", "b", "c"] {
        oracle.happened(Happened::AgentStarted { node: node.to_owned(), config: config.clone() });
    }
    oracle.happened(Happened::OperatorLeads { config: config.clone() });
    oracle
}

fn pool() -> Config {
    config("cluster-pool", "10.0.0.0/8", "24")
}

#[track_caller]
fn agrees(oracle: &mut Oracle, nodes: &[(&str, &str, &str)]) {
    assert_eq!(oracle.compare(&seen(nodes), true), Verdict::Agrees { nodes: nodes.len() });
}

#[track_caller]
fn differs(oracle: &mut Oracle, nodes: &[(&str, &str, &str)]) -> Vec<Difference> {
    match oracle.compare(&seen(nodes), true) {
        Verdict::Differs(differences) => differences,
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::by_name(["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"])]
#[case::backwards(["10.0.2.0/24", "10.0.1.0/24", "10.0.0.0/24"])]
#[case::mixed(["10.0.1.0/24", "10.0.2.0/24", "10.0.0.0/24"])]
fn which_node_gets_which_range_is_open(
    #[case] ranges: [&str; 3],
    #[values("1.18.4", "1.19.1", "1.20.2")] version: &str,
) {
    let mut oracle = installed(version, &pool());
    agrees(&mut oracle, &[("a", ranges[0], ""), ("b", ranges[1], ""), ("c", ranges[2], "")]);
}

#[rstest]
fn in_which_order_agents_and_operator_come_up_is_open(#[values("1.18.4", "1.20.2")] version: &str) {
    let mut oracle = Oracle::new(version);
    let node = |name: &str| Happened::NodeJoined { node: name.to_owned(), pod_cidrs: Vec::new() };
    let agent = |name: &str| Happened::AgentStarted { node: name.to_owned(), config: pool() };
    oracle.happened(node("a"));
    oracle.happened(agent("a"));
    oracle.happened(Happened::OperatorLeads { config: pool() });
    for name in ["b", "c"] {
        oracle.happened(node(name));
        oracle.happened(agent(name));
    }
    // The agent of the first node was slow.
    agrees(&mut oracle, &[("a", "10.0.2.0/24", ""), ("b", "10.0.1.0/24", ""), ("c", "10.0.0.0/24", "")]);
}

#[rstest]
#[case::not_the_next("10.0.3.0/24", "", "spec.ipam.podCIDRs")]
#[case::another_mask("10.0.2.0/25", "", "spec.ipam.podCIDRs")]
#[case::none("-", "", "spec.ipam.podCIDRs")]
#[case::an_error("10.0.2.0/24", "allocator full", "status.ipam.operator-status.error")]
fn which_ranges_there_are_is_not(#[case] range: &str, #[case] error: &str, #[case] field: &str) {
    let mut oracle = installed("1.19.1", &pool());
    let found = differs(&mut oracle, &[("a", "10.0.0.0/24", ""), ("b", "10.0.1.0/24", ""), ("c", range, error)]);
    assert_eq!(found.iter().map(|one| (one.node.as_str(), one.field)).collect::<Vec<_>>(), [("c", field)], "{found:?}");
}

#[test]
fn a_cilium_node_too_few_or_too_many() {
    let mut oracle = installed("1.19.1", &pool());
    let two = [("a", "10.0.0.0/24", ""), ("b", "10.0.1.0/24", "")];
    let found = differs(&mut oracle, &two);
    assert_eq!(found[0].to_string(), "c: CiliumNode is not there, the model says there");
    let mut oracle = installed("1.19.1", &pool());
    let four = [two[0], two[1], ("c", "10.0.2.0/24", ""), ("d", "10.0.3.0/24", "")];
    assert_eq!(differs(&mut oracle, &four)[0].to_string(), "d: CiliumNode is there, the model says not there");
}

#[rstest]
fn another_pool_changes_nothing_but_operator_status(#[values("1.18.4", "1.19.1", "1.20.2")] version: &str) {
    let mut oracle = installed(version, &pool());
    let ranges = ["10.0.1.0/24", "10.0.0.0/24", "10.0.2.0/24"];
    agrees(&mut oracle, &[("a", ranges[0], ""), ("b", ranges[1], ""), ("c", ranges[2], "")]);
    oracle.happened(Happened::OperatorGone);
    oracle.happened(Happened::OperatorLeads { config: config("cluster-pool", "192.168.0.0/16", "24") });
    let errors = ranges.map(|range| format!("allocator not configured for the requested CIDR {range}"));
    // Before it has come to rest, what is there is no difference for good.
    let before = seen(&[("a", ranges[0], ""), ("b", ranges[1], ""), ("c", ranges[2], "")]);
    assert!(matches!(oracle.compare(&before, false), Verdict::Differs(found) if found.len() == 3));
    agrees(&mut oracle, &[("a", ranges[0], &errors[0]), ("b", ranges[1], &errors[1]), ("c", ranges[2], &errors[2])]);
    // A model that had not heard of the new pool would be found out.
    let mut deaf = installed(version, &pool());
    agrees(&mut deaf, &[("a", ranges[0], ""), ("b", ranges[1], ""), ("c", ranges[2], "")]);
    let found = differs(&mut deaf, &[("a", ranges[0], &errors[0]), ("b", ranges[1], ""), ("c", ranges[2], "")]);
    assert_eq!(found[0].predicted, "none");
}

#[test]
fn the_last_one_finds_the_allocator_full() {
    let mut oracle = installed("1.19.1", &config("cluster-pool", "10.0.0.0/23", "24"));
    let full = |oracle: &mut Oracle, without: &str| {
        let mut ranges = ["10.0.0.0/24", "10.0.1.0/24"].into_iter();
        let node =
            |name| if name == without { (name, "-", "allocator full") } else { (name, ranges.next().unwrap(), "") };
        agrees(oracle, &["a", "b", "c"].map(node));
    };
    for without in ["a", "b", "c"] {
        full(&mut oracle.clone(), without);
    }
    full(&mut oracle, "b");
}

#[test]
fn a_node_that_comes_back_gets_a_range_of_the_pool_in_force() {
    let mut oracle = installed("1.20.2", &pool());
    let ranges = ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"];
    agrees(&mut oracle, &[("a", ranges[0], ""), ("b", ranges[1], ""), ("c", ranges[2], "")]);
    let other = config("cluster-pool", "192.168.0.0/16", "24");
    let error = |range: &str| format!("allocator not configured for the requested CIDR {range}");
    oracle.happened(Happened::OperatorLeads { config: other.clone() });
    oracle.happened(Happened::NodeLeft { node: "c".to_owned() });
    oracle.happened(Happened::CiliumNodeDeleted { node: "c".to_owned() });
    oracle.happened(Happened::NodeJoined { node: "c".to_owned(), pod_cidrs: vec!["10.224.3.0/24".to_owned()] });
    oracle.happened(Happened::AgentStarted { node: "c".to_owned(), config: other });
    agrees(
        &mut oracle,
        &[("a", ranges[0], &error(ranges[0])), ("b", ranges[1], &error(ranges[1])), ("c", "192.168.0.0/24", "")],
    );
}

#[rstest]
#[case::up_to_1_19_only_reports("1.19.1", "10.224", Some("node has CIDRs allocated"))]
#[case::from_1_20_on_writes_back("1.20.2", "10.0", None)]
fn agents_that_switch_to_kubernetes(#[case] version: &str, #[case] prefix: &str, #[case] error: Option<&str>) {
    let mut oracle = installed(version, &pool());
    let nodes = ["a", "b", "c"];
    let of = |prefix: &str, place: usize| format!("{prefix}.{place}.0/24");
    let old: Vec<String> = (0..3).map(|place| of("10.0", place)).collect();
    agrees(&mut oracle, &[("a", &old[0], ""), ("b", &old[1], ""), ("c", &old[2], "")]);
    for node in nodes {
        oracle.happened(Happened::AgentStarted {
            node: node.to_owned(),
            config: config("kubernetes", "10.0.0.0/8", "24"),
        });
    }
    let now: SeenNodes = nodes
        .iter()
        .enumerate()
        .map(|(place, node)| {
            let conflict = format!(
                "node has CIDRs allocated ([{}]) that conflict with requested CIDRs [{}]",
                of("10.0", place),
                of("10.224", place)
            );
            let error = error.map(|_| conflict).unwrap_or_default();
            ((*node).to_owned(), SeenNode { pod_cidrs: vec![of(prefix, place)], error })
        })
        .collect();
    assert_eq!(oracle.compare(&now, true), Verdict::Agrees { nodes: 3 });
}

#[test]
fn what_somebody_writes_by_hand_is_followed() {
    let mut oracle = installed("1.19.1", &pool());
    let ranges = ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"];
    agrees(&mut oracle, &[("a", ranges[0], ""), ("b", ranges[1], ""), ("c", ranges[2], "")]);
    oracle.happened(Happened::PodCidrsSet { node: "c".to_owned(), pod_cidrs: vec!["10.0.1.0/24".to_owned()] });
    let Verdict::Differs(found) =
        oracle.compare(&seen(&[("a", ranges[0], ""), ("b", ranges[1], ""), ("c", "10.0.1.0/24", "")]), true)
    else {
        panic!("the operator does not like that");
    };
    assert_eq!((found[0].node.as_str(), found[0].field), ("c", "status.ipam.operator-status.error"), "{found:?}");
}

#[rstest]
#[case::a_mode(Happened::OperatorLeads { config: config("multi-pool", "10.0.0.0/8", "24") }, "does not cover IPAM mode multi-pool")]
#[case::not_known(Happened::NotKnown("which cilium-config the operator has read".to_owned()), "which cilium-config")]
fn what_is_not_covered_is_said_and_never_guessed(#[case] happened: Happened, #[case] says: &str) {
    let mut oracle = installed("1.19.1", &pool());
    oracle.happened(happened);
    for _ in 0..2 {
        match oracle.compare(&seen(&[("a", "10.0.0.0/24", "")]), true) {
            Verdict::NotCovered(why) => assert!(why.contains(says), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(Oracle::new("9.9.9").compare(&SeenNodes::new(), true), Verdict::NotCovered(_)));
}
