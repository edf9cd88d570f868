//! The operator as its embedding sees it: order, pace, conflicts, and what it does with many nodes.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

use std::collections::BTreeMap;
use std::time::Duration;

use ipam::operator::{
    ApiAnswer, ApiRequest, ByName, Change, Choice, CiliumNodeApi, Event, Family, NodeSnapshot, Operator,
    OperatorConfig, Order, Output, Seeded, Timing,
};
use ipam::{Release, cidr};
use proptest::prelude::*;
use rstest::rstest;

const NOW: Duration = Duration::from_secs(100);

fn release(text: &str) -> Release {
    text.parse().unwrap()
}

fn operator(version: &str, timing: Timing) -> Operator {
    Operator::start(&OperatorConfig::ipv4(["10.0.0.0/16"], 24), release(version), timing).unwrap()
}

fn at_once() -> Timing {
    Timing { write_delay: Duration::ZERO, ..Timing::default() }
}

fn snapshot(name: &str, cidrs: &[&str]) -> NodeSnapshot {
    let pod_cidrs = cidrs.iter().map(|cidr| (*cidr).to_owned()).collect();
    NodeSnapshot { name: name.to_owned(), resource_version: 7, pod_cidrs, ..NodeSnapshot::default() }
}

fn upsert(node: NodeSnapshot) -> Event {
    Event::Upsert { node, change: Change::Content }
}

fn requests(outputs: &[Output]) -> Vec<ApiRequest> {
    let request = |output: &Output| match output {
        Output::Request { request, .. } => Some(request.clone()),
        Output::Log { .. } => None,
    };
    outputs.iter().filter_map(request).collect()
}

fn update(name: &str, resource_version: u64, cidr: &str) -> ApiRequest {
    ApiRequest::Update { name: name.to_owned(), resource_version, pod_cidrs: vec![cidr.to_owned()] }
}

fn status(name: &str, resource_version: u64, error: &str) -> ApiRequest {
    ApiRequest::UpdateStatus { name: name.to_owned(), resource_version, error: error.to_owned() }
}

#[test]
fn spec_then_status_one_at_a_time_with_events_kept_meanwhile() {
    let mut operator = operator("1.19.1", at_once());
    let order = &mut ByName;
    operator.handle(NOW, Event::Synced, order);
    let later = NOW + Duration::from_secs(5);
    let out = operator.handle(later, upsert(snapshot("a", &[])), order);
    assert_eq!(requests(&out), [update("a", 7, "10.0.0.0/24")]);
    // The lock is held: another node has to wait.
    assert_eq!(operator.handle(later, upsert(snapshot("b", &[])), order), []);
    let written = NodeSnapshot { resource_version: 8, ..snapshot("a", &["10.0.0.0/24"]) };
    let out = operator.handle(later, Event::Answer(ApiAnswer::Ok(written.clone())), order);
    assert_eq!(requests(&out), [status("a", 8, "")]);
    let out = operator.handle(later, Event::Answer(ApiAnswer::Ok(written)), order);
    // The second node is allocated now, and written when the interval is over.
    assert_eq!((requests(&out), operator.record("b")), (vec![], Some(vec!["10.0.1.0/24".to_owned()])));
    assert_eq!(operator.next_timer(), Some(later + Duration::from_secs(1)));
    let out = operator.on_time(later + Duration::from_secs(1), order);
    assert_eq!(requests(&out), [update("b", 7, "10.0.1.0/24")]);
}

#[test]
fn a_conflict_is_read_again_and_tried_again_later() {
    let mut operator = operator("1.19.1", at_once());
    let order = &mut ByName;
    operator.handle(NOW - Duration::from_secs(9), Event::Synced, order);
    operator.handle(NOW, upsert(snapshot("a", &[])), order);
    let out = operator.handle(NOW, Event::Answer(ApiAnswer::Conflict), order);
    assert_eq!(requests(&out), [ApiRequest::Get { name: "a".to_owned() }]);
    let now_at = NodeSnapshot { resource_version: 20, ..snapshot("a", &[]) };
    let out = operator.handle(NOW, Event::Answer(ApiAnswer::Ok(now_at)), order);
    assert_eq!((requests(&out), operator.next_timer()), (vec![], Some(NOW + Duration::from_secs(1))));
    let out = operator.on_time(NOW + Duration::from_secs(1), order);
    assert_eq!(requests(&out), [update("a", 20, "10.0.0.0/24")]);
    // Failing again: two seconds, then three.
    for wait in [2, 3] {
        let at = operator.next_timer().unwrap_or(NOW + Duration::from_secs(1));
        operator.handle(at, Event::Answer(ApiAnswer::Failed), order);
        assert_eq!(operator.next_timer(), Some(at + Duration::from_secs(wait)));
        operator.on_time(at + Duration::from_secs(wait), order);
    }
    let at = NOW + Duration::from_secs(60);
    operator.handle(at, Event::Answer(ApiAnswer::NotFound), order);
    assert!(operator.is_idle() && operator.next_timer().is_none());
}

#[test]
fn a_deleted_node_takes_its_pending_write_along() {
    let mut operator = operator("1.20.2", Timing::default());
    let order = &mut ByName;
    operator.handle(NOW, Event::Synced, order);
    operator.handle(NOW, upsert(snapshot("a", &[])), order);
    let out = operator.handle(NOW, Event::Deleted { name: "a".to_owned() }, order);
    let logged: Vec<_> = out.iter().filter_map(Output::log).map(|line| line.message.as_str()).collect();
    assert_eq!(logged, ["node released CIDRs"]);
    let mut now = NOW;
    while let Some(at) = operator.next_timer() {
        now = at;
        assert_eq!(requests(&operator.on_time(at, order)), []);
    }
    assert!(operator.is_idle() && now <= NOW + Duration::from_secs(3));
}

#[rstest]
#[case("1.17", false, false, true)]
#[case("1.18", true, false, true)]
#[case("1.19", true, true, false)]
#[case("1.20", true, true, false)]
fn what_reaches_the_allocator(
    #[case] version: &str,
    #[case] ignores: bool,
    #[case] sees_metadata: bool,
    #[case] frees_deleting: bool,
) {
    let order = &mut ByName;
    let mut operator = operator(version, at_once());
    operator.handle(NOW, Event::Synced, order);
    let ignored = NodeSnapshot { ignore: Some("True".to_owned()), ..snapshot("ignored", &["10.0.9.0/24"]) };
    operator.handle(NOW, upsert(ignored), order);
    assert_eq!(operator.record("ignored").is_none(), ignores);
    let touched = Event::Upsert { node: snapshot("touched", &["10.0.8.0/24"]), change: Change::Metadata };
    let mut operator = self::operator(version, at_once());
    operator.handle(NOW, touched, order);
    assert_eq!(operator.record("touched").is_some(), sees_metadata);
    let mut operator = self::operator(version, Timing::default());
    operator.handle(NOW, upsert(snapshot("going", &["10.0.7.0/24"])), order);
    let going = NodeSnapshot { deleting: true, ..snapshot("going", &["10.0.7.0/24"]) };
    operator.handle(NOW, upsert(going), order);
    assert_eq!(operator.record("going").is_none(), frees_deleting);
}

#[test]
fn the_first_list_is_by_name_up_to_1_18() {
    let mut backwards = |_: Choice, names: &mut [String]| names.reverse();
    for (version, first) in [("1.18", "a"), ("1.19", "c")] {
        let mut names: Vec<String> = ["b", "c", "a"].map(str::to_owned).to_vec();
        Operator::arrange_list(release(version), &mut names, &mut backwards);
        assert_eq!(names[0], first);
    }
}

#[test]
fn postponed_nodes_are_served_in_the_order_given() {
    let mut operator = operator("1.19.1", Timing::default());
    let mut backwards = |choice: Choice, names: &mut [String]| {
        if choice == Choice::Postponed {
            names.reverse();
        }
    };
    for name in ["a", "b", "c"] {
        operator.handle(NOW, upsert(snapshot(name, &[])), &mut backwards);
    }
    assert!(!operator.is_synced() && operator.recorded().next().is_none());
    operator.handle(NOW, Event::Synced, &mut backwards);
    assert_eq!(operator.record("c"), Some(vec!["10.0.0.0/24".to_owned()]));
    assert_eq!(operator.record("a"), Some(vec!["10.0.2.0/24".to_owned()]));
}

/// An API server that takes every write.
#[derive(Default)]
struct Api(BTreeMap<String, NodeSnapshot>);

impl CiliumNodeApi for Api {
    fn call(&mut self, _at: Duration, request: &ApiRequest) -> ApiAnswer {
        let Some(node) = self.0.get_mut(request.name()) else { return ApiAnswer::NotFound };
        match request {
            ApiRequest::Update { pod_cidrs, .. } => node.pod_cidrs.clone_from(pod_cidrs),
            ApiRequest::UpdateStatus { error, .. } => node.error.clone_from(error),
            ApiRequest::Get { .. } => {}
        }
        node.resource_version += 1;
        ApiAnswer::Ok(node.clone())
    }
}

/// Starts an operator on nodes, and lets it come to rest.
fn settled(config: &OperatorConfig, version: &str, nodes: &[String], order: &mut dyn Order) -> (Operator, Api) {
    let mut operator = Operator::start(config, release(version), Timing::default()).unwrap();
    let mut api = Api(nodes.iter().map(|name| (name.clone(), snapshot(name, &[]))).collect());
    for name in nodes {
        operator.handle_with(NOW, upsert(snapshot(name, &[])), order, &mut api);
    }
    operator.handle_with(NOW, Event::Synced, order, &mut api);
    while let Some(at) = operator.next_timer() {
        operator.on_time_with(at, order, &mut api);
    }
    (operator, api)
}

#[test]
fn many_nodes_in_a_huge_pool() {
    let config = OperatorConfig::dual_stack(["10.0.0.0/8"], 32, ["fd00::/104"], 120);
    let nodes: Vec<String> = (0..5000).map(|i| format!("node-{i:04}")).collect();
    let (operator, api) = settled(&config, "1.20.2", &nodes, &mut Seeded::new(1));
    assert!(api.0.values().all(|node| node.pod_cidrs.len() == 2 && node.error.is_empty()));
    let views: Vec<_> = operator.pools(Family::V4).collect();
    assert_eq!((views[0].slots, views[0].used, views[0].used_ranges.len()), (1 << 24, 5000, 1));
    assert!(operator.is_idle());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However nodes come and go, no two have overlapping podCIDRs, everything lies in a pool, and what is freed is given
    /// again before anybody starves.
    #[test]
    fn nobody_overlaps(
        seed: u64,
        version in prop::sample::select(vec!["1.18.4", "1.19.1", "1.20.2"]),
        count in 1_usize..40,
        mask in 20_i64..=26,
        gone in prop::collection::vec(0_usize..40, 0..30),
    ) {
        let config = OperatorConfig::ipv4(["10.0.0.0/20", "10.9.0.0/21"], mask);
        let nodes: Vec<String> = (0..count).map(|i| format!("n{i}")).collect();
        let order = &mut Seeded::new(seed);
        let (mut operator, mut api) = settled(&config, version, &nodes, order);
        let capacity: usize = operator.pools(Family::V4).map(|pool| usize::try_from(pool.slots).unwrap()).sum();
        let expected = (1_usize << (mask - 20)) + if mask >= 21 { 1 << (mask - 21) } else { 0 };
        prop_assert_eq!(capacity, expected);
        let mut now = NOW + Duration::from_secs(10);
        for (i, victim) in gone.iter().enumerate() {
            now += Duration::from_secs(3);
            let victim = format!("n{victim}");
            if api.0.remove(&victim).is_some() {
                operator.handle_with(now, Event::Deleted { name: victim }, order, &mut api);
            }
            let fresh = snapshot(&format!("m{i}"), &[]);
            api.0.insert(fresh.name.clone(), fresh.clone());
            operator.handle_with(now, upsert(fresh), order, &mut api);
            while let Some(at) = operator.next_timer() {
                operator.on_time_with(at, order, &mut api);
            }
        }
        let pools = cidr::parse_list(["10.0.0.0/20", "10.9.0.0/21"]).unwrap();
        let given: Vec<ipnet::IpNet> =
            api.0.values().flat_map(|node| &node.pod_cidrs).map(|cidr| cidr.parse().unwrap()).collect();
        for (i, a) in given.iter().enumerate() {
            prop_assert!(cidr::is_subset_of_any(a, &pools), "{} is in no pool", a);
            for b in &given[i + 1..] {
                prop_assert!(!cidr::overlaps(a, b), "{} and {}", a, b);
            }
        }
        let starving = api.0.values().filter(|node| node.error == "allocator full").count();
        prop_assert_eq!(given.len() + starving, api.0.len());
        let used: u64 = operator.pools(Family::V4).map(|pool| pool.used).sum();
        prop_assert_eq!(used, given.len() as u64);
        if starving > 0 && gone.is_empty() {
            prop_assert_eq!(given.len(), capacity);
        }
    }

    /// The same seed gives the same run.
    #[test]
    fn seeds_repeat(seed: u64) {
        let nodes: Vec<String> = (0..20).map(|i| format!("n{i}")).collect();
        let config = OperatorConfig::ipv4(["10.0.0.0/16"], 24);
        let (_, one) = settled(&config, "1.19.1", &nodes, &mut Seeded::new(seed));
        let (_, two) = settled(&config, "1.19.1", &nodes, &mut Seeded::new(seed));
        prop_assert_eq!(one.0, two.0);
    }
}
