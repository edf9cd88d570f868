//! Every rule fires on its bad case, says where and what to write, and is silent on the good one.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

use lint::{Finding, Report, Severity};
use rstest::rstest;
use semver::Version;
use serde_json::{Value, json};

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn values_on(text: &str, chart: &str, around: impl FnOnce(&mut lint::Surroundings)) -> Report {
    let (mut settings, refused) = lint::values("values.yaml", text.as_bytes(), &version(chart)).unwrap();
    around(&mut settings.around);
    lint::lint(&settings, refused.as_ref(), Vec::new())
}

fn values(text: &str, chart: &str) -> Report {
    values_on(text, chart, |_| {})
}

fn pools(list: &str, mask: &str) -> String {
    format!(
        "ipam: {{mode: cluster-pool, operator: {{clusterPoolIPv4PodCIDRList: {list}, clusterPoolIPv4MaskSize: {mask}}}}}\n"
    )
}

fn config(pairs: &[(&str, &str)], version_text: &str) -> Report {
    let data: serde_json::Map<String, Value> =
        pairs.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let text = json!({"kind": "ConfigMap", "metadata": {"name": "cilium-config"}, "data": data}).to_string();
    let (settings, found) = lint::config_map("cm.json", text.as_bytes(), &version(version_text)).unwrap();
    lint::lint(&settings, None, found)
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.code).collect()
}

#[track_caller]
fn only<'a>(report: &'a Report, code: &str) -> &'a Finding {
    assert_eq!(codes(report), [code], "{:#?}", report.findings);
    &report.findings[0]
}

const ALL: [&str; 3] = ["1.18.4", "1.19.1", "1.20.2"];

#[test]
fn sound_settings_are_silent() {
    let good = [
        String::new(),
        pools("[10.0.0.0/16]", "24"),
        pools("[10.0.0.0/16, 10.2.0.0/16]", "26"),
        pools("10.0.0.0/16", "24"),
        "ipam: {mode: kubernetes}\n".to_owned(),
        "ipam: {mode: multi-pool}\nnodeSelector: {anything/goes: here}\nextraConfig: {any: thing}\n".to_owned(),
        "ipv6: {enabled: true}\nipam: {operator: {clusterPoolIPv6PodCIDRList: [fd00::/104]}}\n".to_owned(),
    ];
    for text in &good {
        for chart in ALL {
            let report = values_on(text, chart, |around| {
                around.node_count = Some(3);
                around.services = vec!["172.20.0.0/16".parse().unwrap()];
                around.pod_subnets = vec!["172.21.0.0/16".parse().unwrap()];
                around.node_networks = vec!["192.168.0.0/24".parse().unwrap()];
            });
            assert_eq!(report.findings, [], "{text} on {chart}");
        }
    }
}

#[rstest]
#[case::bad_cidr("[banana]", "24", "bad-cidr", "`banana` is not an IP range", "10.0.0.0/8")]
#[case::wrong_family("[fd00::/104]", "24", "wrong-family", "IPv6 range in the list of IPv4", "cluster-pool-ipv6-cidr")]
#[case::overlap("[10.0.0.0/8, 10.1.0.0/16]", "24", "overlapping-ranges", "overlaps 10.0.0.0/8", "remove one")]
#[case::twice("[10.0.0.0/8, 10.0.0.0/8]", "24", "overlapping-ranges", "the same range", "remove one")]
#[case::mask("[10.0.0.0/8]", "33", "mask-out-of-range", "no mask size 33", "up to 32")]
#[case::unaligned("[192.168.54.16/26]", "28", "unaligned-pool", "192.168.54.0/26", "write 192.168.54.0/26")]
#[case::small("[10.0.0.0/30]", "24", "pool-smaller-than-mask", "full from the start", "a pool of /24")]
#[case::no_pods("[10.0.0.0/16]", "30", "range-too-small-for-pods", "range is full", "29 or less")]
fn pools_of_a_values_file(
    #[case] list: &str,
    #[case] mask: &str,
    #[case] code: &str,
    #[case] message: &str,
    #[case] help: &str,
) {
    for chart in ALL {
        let report = values(&pools(list, mask), chart);
        let finding = only(&report, code);
        assert!(finding.message.contains(message), "{}", finding.message);
        assert!(finding.help.as_ref().unwrap().contains(help), "{:?}", finding.help);
        assert_eq!((finding.place.file.as_deref(), finding.place.line), (Some("values.yaml"), 1));
    }
}

#[test]
fn places_are_those_of_the_elements() {
    let text = "ipam:\n  operator:\n    clusterPoolIPv4PodCIDRList:\n      - 10.0.0.0/16\n      - 10.0.5.0/24\n";
    let report = values(text, "1.19.1");
    let finding = only(&report, "overlapping-ranges");
    assert_eq!((finding.place.line, finding.place.column), (5, 9));
    assert_eq!(finding.place.path, "ipam.operator.clusterPoolIPv4PodCIDRList[1]");
    assert_eq!(finding.related[0].place.line, 4);
}

#[test]
fn all_problems_of_a_list_are_said_at_once() {
    let report = values(&pools("[banana, 10.0.0.0/16, fd00::/104, 10.0.1.0/24, 172.16.3.0/20]", "24"), "1.20.2");
    let mut found = codes(&report);
    found.sort_unstable();
    assert_eq!(found, ["bad-cidr", "overlapping-ranges", "unaligned-pool", "wrong-family"]);
}

#[test]
fn an_ipv6_pool_that_is_too_far_from_its_mask() {
    let text = "ipv6: {enabled: true}\nipam: {operator: {clusterPoolIPv6PodCIDRList: [fd00::/64]}}\n";
    let report = values(text, "1.19.1");
    assert!(only(&report, "mask-too-far").message.contains("2^56"));
}

#[test]
fn anchors_and_merges_are_seen_through() {
    let text = "_pools: &pools\n  clusterPoolIPv4PodCIDRList: [10.0.0.0/30]\nshared: &mode {mode: cluster-pool}\nipam:\n  <<: *mode\n  operator:\n    <<: *pools\n    clusterPoolIPv4MaskSize: 24\n";
    let report = values(text, "1.19.1");
    assert_eq!(codes(&report), ["pool-smaller-than-mask"]);
    assert_eq!(report.capacity[0].ranges, 0);
}

#[rstest]
#[case::typing_error(
    "ipam: {operator: {clusterPoolIPv4PodCidrList: [10.60.0.0/16]}}",
    "ipam.operator.clusterPoolIPv4PodCIDRList"
)]
#[case::at_the_top("clusterPoolIPv4PodCIDRList: [10.60.0.0/16]", "ipam.operator.clusterPoolIPv4PodCIDRList")]
#[case::top_level("impa: {mode: kubernetes}", "ipam")]
#[case::cluster("cluster: {nmae: x}", "cluster.name")]
fn unknown_keys_come_with_the_one_that_was_meant(#[case] text: &str, #[case] meant: &str) {
    for chart in ALL {
        let report = values(text, chart);
        let finding = only(&report, "unknown-key");
        assert_eq!(finding.help.as_deref(), Some(format!("write `{meant}`").as_str()));
    }
}

#[test]
fn the_singular_key_is_refused_by_one_chart_and_ignored_by_the_next() {
    let text = "ipam: {operator: {clusterPoolIPv4PodCIDR: 10.1.0.0/16}}\n";
    for (chart, what) in [("1.18.4", "refuses to render"), ("1.19.1", "ignores it"), ("1.20.2", "ignores it")] {
        let report = values(text, chart);
        let finding = only(&report, "removed-key");
        assert!(finding.message.contains(what), "{chart}: {}", finding.message);
        assert_eq!(finding.help.as_deref(), Some("write `ipam.operator.clusterPoolIPv4PodCIDRList`"));
        assert_eq!(finding.severity, Severity::Error);
    }
}

#[test]
fn a_key_is_removed_only_from_the_chart_on_that_lost_it() {
    let text = "encryption: {strictMode: {enabled: true}}\n";
    assert_eq!(values(text, "1.19.1").findings, []);
    assert_eq!(codes(&values(text, "1.20.2")), ["removed-key"]);
    assert_eq!(codes(&values("proxy: {prometheus: {port: 1}}\n", "1.20.2")), ["removed-key"]);
}

#[test]
fn cilium_as_a_part_of_another_chart_is_one_finding() {
    let report = values("cilium: {ipam: {mode: kubernetes}}\nother: {a: 1}\n", "1.19.1");
    assert!(only(&report, "unknown-key").help.as_ref().unwrap().contains("under `cilium:`"));
}

#[rstest]
#[case("ipam: {mode: cluster-pol}", "unknown-mode", "write `cluster-pool`")]
#[case("ipam: {mode: Cluster-Pool}", "unknown-mode", "write `cluster-pool`")]
#[case("ipam: {mode: banana}", "unknown-mode", "known: kubernetes, cluster-pool")]
#[case(
    "ipam: {mode: kubernetes, operator: {clusterPoolIPv4MaskSize: 25}}",
    "pool-without-effect",
    "mode: cluster-pool"
)]
#[case("ipam: {mode: 7}", "chart-refuses", "")]
#[case("cluster: {name: NotLower}", "chart-refuses", "")]
fn modes_and_refusals(#[case] text: &str, #[case] code: &str, #[case] help: &str) {
    for chart in ALL {
        let report = values(text, chart);
        let finding = only(&report, code);
        assert!(finding.help.as_deref().unwrap_or_default().contains(help), "{:?}", finding.help);
    }
}

#[rstest]
#[case::service("pool-overlaps-service-cidr", "10.96.0.0/16", "24,577th node", Severity::Warning)]
#[case::pods("pool-overlaps-pod-subnet", "10.244.0.0/16", "62,465th node", Severity::Warning)]
#[case::nodes("pool-overlaps-node-network", "10.0.1.0/24", "2nd node", Severity::Error)]
#[case::far_nodes("pool-overlaps-node-network", "10.200.0.0/16", "51,201st node", Severity::Warning)]
fn what_is_around_the_default_pool(
    #[case] code: &str,
    #[case] net: &str,
    #[case] when: &str,
    #[case] severity: Severity,
) {
    let net = net.parse().unwrap();
    let report = values_on("", "1.19.1", |around| {
        around.node_count = Some(3);
        match code {
            "pool-overlaps-service-cidr" => around.services = vec![net],
            "pool-overlaps-pod-subnet" => around.pod_subnets = vec![net],
            _ => around.node_networks = vec![net],
        }
    });
    let finding = only(&report, code);
    assert!(finding.message.contains(when), "{}", finding.message);
    assert_eq!(finding.severity, severity);
}

#[test]
fn the_native_routing_cidr_must_hold_the_pool() {
    let report = values("ipv4NativeRoutingCIDR: 172.16.0.0/12\n", "1.19.1");
    only(&report, "pool-outside-native-routing-cidr");
    assert_eq!(values("ipv4NativeRoutingCIDR: 10.0.0.0/8\n", "1.19.1").findings, []);
}

#[rstest]
#[case(2, None, None)]
#[case(4, Some("pool-nearly-full"), Some("room for 0 more"))]
#[case(5, Some("pool-too-small-for-nodes"), Some("1 get none"))]
fn room_for_nodes(#[case] nodes: u64, #[case] code: Option<&str>, #[case] message: Option<&str>) {
    let report = values_on(&pools("[10.0.0.0/22]", "24"), "1.19.1", |around| around.node_count = Some(nodes));
    assert_eq!(codes(&report), code.into_iter().collect::<Vec<_>>());
    if let Some(message) = message {
        assert!(report.findings[0].message.contains(message), "{}", report.findings[0].message);
    }
    assert_eq!((report.capacity[0].ranges, report.capacity[0].first_without), (4, 5));
}

#[test]
fn a_config_map_is_read_as_the_operator_reads_it() {
    let v4 = ("cluster-pool-ipv4-cidr", "10.0.0.0/16");
    let off = ("enable-ipv6", "false");
    assert_eq!(config(&[v4, off], "1.19.1").findings, []);
    assert_eq!(codes(&config(&[v4], "1.19.1")), ["no-pool"]);
    assert_eq!(
        codes(&config(&[v4, off, ("cluster-pool-ipv6-cidr", "fd00::/104")], "1.19.1")),
        ["pool-of-disabled-family"]
    );
    assert_eq!(codes(&config(&[v4, off, ("cluster-pool-ipv4-mask-size", "abc")], "1.19.1")), ["unreadable-value"]);
    assert_eq!(codes(&config(&[v4, off, ("enable-ipv4", "yes")], "1.19.1")), ["unreadable-value"]);
    let report = config(&[v4, off, ("cluster-pool-ipv4-cidrs", "10.1.0.0/16")], "1.19.1");
    assert_eq!(only(&report, "unknown-key").help.as_deref(), Some("write `cluster-pool-ipv4-cidr`"));
    assert_eq!(codes(&config(&[off, ("ipam", "eni")], "1.19.1")), ["operator-refuses"]);
    assert_eq!(config(&[off, ("ipam", "eni")], "1.20.2").findings, []);
}

#[test]
fn numbers_in_a_config_map_are_not_taken_by_the_api_server() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config}\ndata:\n  enable-ipv6: \"false\"\n  cluster-pool-ipv4-cidr: 10.0.0.0/16\n  cluster-pool-ipv4-mask-size: 24\n";
    let (settings, found) = lint::config_map("cm.yaml", text.as_bytes(), &version("1.19.1")).unwrap();
    let report = lint::lint(&settings, None, found);
    let finding = only(&report, "unreadable-value");
    assert_eq!((finding.place.line, finding.help.as_deref()), (7, Some("write `cluster-pool-ipv4-mask-size: \"24\"`")));
}

#[test]
fn ten_thousand_keys_are_no_trouble() {
    let mut text = String::from("kind: ConfigMap\nmetadata: {name: cilium-config}\ndata:\n  enable-ipv6: \"false\"\n");
    for index in 0..10_000 {
        text.push_str(&format!("  some-key-{index}: \"value {index}\"\n"));
    }
    text.push_str("  cluster-pool-ipv4-cidr: 10.0.0.0/16 10.0.0.0/24\n");
    let (settings, found) = lint::config_map("cm.yaml", text.as_bytes(), &version("1.19.1")).unwrap();
    let report = lint::lint(&settings, None, found);
    assert_eq!(only(&report, "overlapping-ranges").place.line, 10_005);
}

#[rstest]
#[case("", "the file is empty")]
#[case("ipam: {mode: x}\n", "use `lint values`")]
#[case("kind: Secret\n", "this is a Secret")]
#[case("kind: ConfigMap\n", "has no `data`")]
#[case("kind: ConfigMap\ndata: [a]\n", "a map of texts")]
#[case(
    "kind: List\nitems: [{kind: ConfigMap, metadata: {name: a}}, {kind: ConfigMap, metadata: {name: b}}]\n",
    "none is `cilium-config`"
)]
#[case("data: [\n", "not YAML")]
fn what_is_no_config_map(#[case] text: &str, #[case] message: &str) {
    let error = lint::config_map("cm.yaml", text.as_bytes(), &version("1.19.1")).unwrap_err().to_string();
    assert!(error.contains(message) && error.starts_with("cm.yaml:"), "{error}");
}

#[rstest]
#[case("[a]\n", "1.19.1", "a values file is a map")]
#[case("kind: ConfigMap\napiVersion: v1\n", "1.19.1", "use `lint configmap`")]
#[case("a: 1\n---\nb: 2\n", "1.19.1", "a second document")]
#[case("a: *nowhere\n", "1.19.1", "not YAML")]
#[case("", "1.17.0", "known: 1.18, 1.19, 1.20")]
fn what_is_no_values_file(#[case] text: &str, #[case] chart: &str, #[case] message: &str) {
    let error = lint::values("values.yaml", text.as_bytes(), &version(chart)).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

fn cilium_node(name: &str, cidr: &str) -> Value {
    json!({"kind": "CiliumNode", "metadata": {"name": name}, "spec": {"ipam": {"podCIDRs": [cidr]}}})
}

/// A cluster of three nodes in 10.0.0.0/16 with mask 24, and what `change` makes of its configuration.
fn change(change: &[(&str, &str)], version_text: &str) -> Report {
    let data = json!({"ipam": "cluster-pool", "enable-ipv6": "false", "cluster-pool-ipv4-cidr": "10.0.0.0/16",
        "cluster-pool-ipv4-mask-size": "24"});
    let mut objects = lint::Objects::default();
    for index in 0..3 {
        objects.add(&cilium_node(&format!("n{index}"), &format!("10.0.{index}.0/24")));
        objects.add(&json!({"kind": "Node", "metadata": {"name": format!("n{index}")}, "spec": {"podCIDRs": [format!("10.244.{index}.0/24")]}}));
    }
    objects.add(&json!({"kind": "ConfigMap", "metadata": {"name": "cilium-config"}, "data": data}));
    let mut settings = lint::live("context test", &objects, &version(version_text)).unwrap();
    settings.config.extend(change.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    lint::lint(&settings, None, Vec::new())
}

#[test]
fn a_cluster_as_it_is_and_a_list_that_grows_are_silent() {
    for version in ALL {
        assert_eq!(change(&[], version).findings, []);
        assert_eq!(change(&[("cluster-pool-ipv4-cidr", "10.0.0.0/16 10.1.0.0/16")], version).findings, []);
    }
    let report = change(&[], "1.19.1");
    assert_eq!((report.capacity[0].used, report.capacity[0].ranges), (Some(3), 256));
}

#[test]
fn a_replaced_pool_says_what_each_operator_status_will_be() {
    for version in ALL {
        let report = change(&[("cluster-pool-ipv4-cidr", "10.77.0.0/16")], version);
        let said: Vec<&Finding> =
            report.findings.iter().filter(|finding| finding.code == "node-status-after-change").collect();
        assert_eq!(said.len(), 3);
        assert_eq!(said[1].node.as_deref(), Some("n1"));
        assert!(
            said[1].message.contains("\"allocator not configured for the requested CIDR 10.0.1.0/24\""),
            "{}",
            said[1].message
        );
        assert!(codes(&report).contains(&"pool-element-changed"));
        let preview = report.preview.unwrap();
        assert_eq!(preview.nodes[2].error_after, "allocator not configured for the requested CIDR 10.0.2.0/24");
    }
}

#[test]
fn a_wider_mask_takes_podcidrs_away_on_1_20_alone() {
    let wider = [("cluster-pool-ipv4-mask-size", "23")];
    let old = change(&wider, "1.19.1");
    assert_eq!(codes(&old), ["node-status-after-change", "mask-change"]);
    assert!(old.findings[0].message.contains("requested CIDR (10.0.1.0/24) is already allocated"));
    let new = change(&wider, "1.20.2");
    assert_eq!(codes(&new), ["podcidrs-emptied-by-change", "mask-change"]);
    assert_eq!(new.findings[0].node.as_deref(), Some("n1"));
}

#[test]
fn a_switch_of_the_mode_is_previewed_by_version() {
    let switch = [("ipam", "kubernetes")];
    let old = change(&switch, "1.19.1");
    assert_eq!(codes(&old).iter().filter(|code| **code == "mode-change").count(), 1);
    assert_eq!(
        old.preview.unwrap().nodes[0].error_after,
        "node has CIDRs allocated ([10.0.0.0/24]) that conflict with requested CIDRs [10.244.0.0/24]"
    );
    let new = change(&switch, "1.20.2");
    assert_eq!(codes(&new), ["mode-change"]);
    assert_eq!(new.preview.unwrap().nodes[0].pod_cidrs_after, ["10.0.0.0/24"]);
    let foreign = change(&[("ipam", "multi-pool")], "1.20.2");
    assert!(foreign.not_checked[0].contains("does not cover mode multi-pool"), "{:?}", foreign.not_checked);
}

#[test]
fn a_pool_that_the_operator_refuses_changes_nothing_and_says_so() {
    let report = change(&[("cluster-pool-ipv4-cidr", "10.0.0.0/16 10.0.0.0/8")], "1.19.1");
    assert_eq!(codes(&report), ["overlapping-ranges"]);
    assert!(report.preview.unwrap().start_error.unwrap().contains("collides with"));
}

#[test]
fn two_nodes_with_one_range() {
    let mut objects = lint::Objects::default();
    objects.add(&cilium_node("n1", "10.0.1.0/24"));
    objects.add(&cilium_node("n2", "10.0.1.0/24"));
    objects.add(&cilium_node("n3", "10.0.2.0/24"));
    objects.add(&json!({"kind": "ConfigMap", "metadata": {"name": "cilium-config"},
        "data": {"enable-ipv6": "false", "cluster-pool-ipv4-cidr": "10.0.0.0/16"}}));
    let settings = lint::live("context test", &objects, &version("1.19.1")).unwrap();
    let report = lint::lint(&settings, None, Vec::new());
    let mut found = codes(&report);
    found.sort_unstable();
    assert_eq!(found, ["node-status-after-change", "podcidr-overlap"]);
    let settings = lint::live("context test", &objects, &version("1.20.2")).unwrap();
    let mut found = codes(&lint::lint(&settings, None, Vec::new()));
    found.sort_unstable();
    assert_eq!(found, ["podcidr-overlap", "podcidrs-emptied-by-change"]);
}

#[test]
fn more_pods_than_addresses() {
    let mut objects = lint::Objects::default();
    objects.add(&cilium_node("n1", "10.0.0.0/26"));
    objects.add(&json!({"kind": "Node", "metadata": {"name": "n1"}, "status": {"allocatable": {"pods": "110"}}}));
    objects.add(&json!({"kind": "ConfigMap", "metadata": {"name": "cilium-config"}, "data": {"enable-ipv6": "false",
        "cluster-pool-ipv4-cidr": "10.0.0.0/16", "cluster-pool-ipv4-mask-size": "26"}}));
    let settings = lint::live("context test", &objects, &version("1.19.1")).unwrap();
    let report = lint::lint(&settings, None, Vec::new());
    let finding = only(&report, "range-smaller-than-max-pods");
    assert_eq!((finding.severity, finding.node.as_deref()), (Severity::Note, Some("n1")));
    assert!(finding.message.contains("110 pods") && finding.message.contains("60"), "{}", finding.message);
}

fn scenario(extra: &str) -> Vec<Finding> {
    let text = format!("name: x\nsummary: y\n{extra}steps:\n  - backup: cilium-config\n");
    let (scenario, problems) = scenario::parse("x.yaml".into(), text.as_bytes());
    let scenario = scenario.unwrap_or_else(|| panic!("{problems:#?}"));
    let ipam = &scenario.cilium.ipam;
    let list: Vec<String> = ipam.ipv4_pools.iter().map(ToString::to_string).collect();
    let mut values = serde_json::Map::new();
    cilium::values::merge(
        &mut values,
        json!({"ipam": {"mode": ipam.mode.as_str(), "operator": {"clusterPoolIPv4PodCIDRList": list,
            "clusterPoolIPv4MaskSize": ipam.ipv4_mask}}})
        .as_object()
        .unwrap(),
    );
    cilium::values::merge(&mut values, &scenario.cilium.values);
    lint::scenario(&scenario, &values, &ALL.map(version)).unwrap()
}

#[test]
fn scenarios_are_held_against_the_same_rules() {
    // The default pool holds the default range of Services, which no scenario lives long enough to reach.
    assert_eq!(scenario(""), []);
    let bad = "cilium: {ipam: {clusterPoolIPv4PodCIDRList: [192.168.54.16/26], clusterPoolIPv4MaskSize: 28}}\n";
    let found = scenario(bad);
    assert_eq!(found.iter().map(|f| (f.code, f.place.line)).collect::<Vec<_>>(), [("unaligned-pool", 3)]);
    assert_eq!(scenario(&format!("{bad}allow: {{unaligned-pool: what this is about}}\n")), []);
    let stale = scenario("allow: {unaligned-pool: not so}\n");
    assert_eq!(stale.iter().map(|f| (f.code, f.place.line)).collect::<Vec<_>>(), [("stale-allow", 3)]);
    let near = scenario("cluster: {serviceSubnet: 10.0.1.0/24}\n");
    assert_eq!(near.iter().map(|f| f.code).collect::<Vec<_>>(), ["pool-overlaps-service-cidr"]);
    let removed = scenario("cilium: {values: {ipam: {operator: {clusterPoolIPv4PodCIDR: 10.1.0.0/16}}}}\n");
    assert!(removed.iter().all(|f| f.code == "removed-key") && !removed.is_empty(), "{removed:#?}");
}

/// Settings that a rule is there for.
fn bad_case(code: &str) -> Report {
    let default_pool = |around: fn(&mut lint::Surroundings)| values_on("", "1.19.1", around);
    let nodes =
        |count| values_on(&pools("[10.0.0.0/22]", "24"), "1.19.1", move |around| around.node_count = Some(count));
    let (v4, off) = (("cluster-pool-ipv4-cidr", "10.0.0.0/16"), ("enable-ipv6", "false"));
    let live = |objects: &[Value], mask: &str| {
        let mut all = lint::Objects::default();
        objects.iter().for_each(|object| all.add(object));
        all.add(&json!({"kind": "ConfigMap", "metadata": {"name": "cilium-config"}, "data": {"enable-ipv6": "false",
            "cluster-pool-ipv4-cidr": "10.0.0.0/16", "cluster-pool-ipv4-mask-size": mask}}));
        lint::lint(&lint::live("context test", &all, &version("1.19.1")).unwrap(), None, Vec::new())
    };
    match code {
        "bad-cidr" => values(&pools("[banana]", "24"), "1.19.1"),
        "wrong-family" => values(&pools("[fd00::/104]", "24"), "1.19.1"),
        "overlapping-ranges" => values(&pools("[10.0.0.0/8, 10.1.0.0/16]", "24"), "1.19.1"),
        "mask-out-of-range" => values(&pools("[10.0.0.0/8]", "33"), "1.19.1"),
        "mask-too-far" => {
            values("ipv6: {enabled: true}\nipam: {operator: {clusterPoolIPv6PodCIDRList: [fd00::/64]}}\n", "1.19.1")
        }
        "no-pool" => config(&[v4], "1.19.1"),
        "pool-of-disabled-family" => config(&[v4, off, ("cluster-pool-ipv6-cidr", "fd00::/104")], "1.19.1"),
        "unreadable-value" => config(&[v4, off, ("enable-ipv4", "yes")], "1.19.1"),
        "operator-refuses" => config(&[off, ("ipam", "eni")], "1.19.1"),
        "unknown-mode" => values("ipam: {mode: cluster-role}", "1.19.1"),
        "chart-refuses" => values("cluster: {name: NotLower}", "1.19.1"),
        "removed-key" => values("ipam: {operator: {clusterPoolIPv4PodCIDR: 10.1.0.0/16}}", "1.19.1"),
        "unknown-key" => values("impa: {mode: kubernetes}", "1.19.1"),
        "pool-without-effect" => values("ipam: {mode: kubernetes, operator: {clusterPoolIPv4MaskSize: 25}}", "1.19.1"),
        "unaligned-pool" => values(&pools("[192.168.54.16/26]", "28"), "1.19.1"),
        "pool-smaller-than-mask" => values(&pools("[10.0.0.0/30]", "24"), "1.19.1"),
        "range-too-small-for-pods" => values(&pools("[10.0.0.0/16]", "30"), "1.19.1"),
        "range-smaller-than-max-pods" => live(
            &[
                cilium_node("n1", "10.0.0.0/26"),
                json!({"kind": "Node", "metadata": {"name": "n1"}, "status": {"allocatable": {"pods": "110"}}}),
            ],
            "26",
        ),
        "pool-too-small-for-nodes" => nodes(5),
        "pool-nearly-full" => nodes(4),
        "pool-overlaps-service-cidr" => default_pool(|around| around.services = vec!["10.0.1.0/24".parse().unwrap()]),
        "pool-overlaps-node-network" => {
            default_pool(|around| around.node_networks = vec!["10.0.1.0/24".parse().unwrap()])
        }
        "pool-overlaps-pod-subnet" => default_pool(|around| around.pod_subnets = vec!["10.0.1.0/24".parse().unwrap()]),
        "pool-outside-native-routing-cidr" => values("ipv4NativeRoutingCIDR: 172.16.0.0/12\n", "1.19.1"),
        "podcidr-overlap" => live(&[cilium_node("n1", "10.0.1.0/24"), cilium_node("n2", "10.0.1.0/24")], "24"),
        "node-status-after-change" | "pool-element-changed" => {
            change(&[("cluster-pool-ipv4-cidr", "10.77.0.0/16")], "1.19.1")
        }
        "podcidrs-emptied-by-change" | "mask-change" => change(&[("cluster-pool-ipv4-mask-size", "23")], "1.20.2"),
        "mode-change" => change(&[("ipam", "kubernetes")], "1.20.2"),
        other => panic!("{other} has no bad case: a rule that nothing proves"),
    }
}

#[test]
fn every_rule_fires_on_its_bad_case() {
    for rule in lint::ALL {
        let report = bad_case(rule.code);
        assert!(codes(&report).contains(&rule.code), "{}: {:#?}", rule.code, report.findings);
    }
}
