//! Files that are wrong: every problem, with its place and its words.

use camino::{Utf8Path, Utf8PathBuf};
use rstest::rstest;
use scenario::{MAX_BYTES, Severity, parse, parse_all};

/// Steps after `- deploy: alpine`, each line indented as an item; the first is in line 6.
fn steps(lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("  {line}\n")).collect();
    format!("name: x\nsummary: s\nworkloads: {{alpine: {{}}}}\nsteps:\n  - deploy: alpine\n{lines}")
}

/// Fields at the top; the first is in line 3.
fn top(lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    format!("name: x\nsummary: s\n{lines}workloads: {{alpine: {{}}}}\nsteps:\n  - deploy: alpine\n")
}

/// The whole file.
fn file(text: &str) -> String {
    text.to_owned()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let (scenario, diagnostics) = parse(Utf8Path::new("scenarios/x.yaml"), text.as_bytes());
    let found: Vec<String> =
        diagnostics.iter().map(|d| format!("{}:{} {}: {}", d.line, d.column, d.code, d.message)).collect();
    assert_eq!(found, expected, "\n{text}");
    assert!(scenario.is_none(), "a file with errors is no scenario");
    for diagnostic in &diagnostics {
        assert!(diagnostic.help.is_some(), "what to write instead:\n{}", diagnostic.render());
        assert!(text.is_empty() || diagnostic.excerpt.is_some(), "an excerpt:\n{}", diagnostic.render());
    }
}

/// The file as a whole.
#[rstest]
#[case::empty(file(""), &[
    "1:1 empty-file: the file holds no scenario",
])]
#[case::comment_only(file("# nothing\n"), &[
    "1:1 empty-file: the file holds no scenario",
])]
#[case::empty_documents(file("---\n---\n"), &[
    "1:1 empty-file: the file holds no scenario",
])]
#[case::two_documents(file("name: x\nsummary: s\nworkloads: {alpine: {}}\nsteps:\n  - deploy: alpine\n---\nname: y\n"), &[
    "7:1 many-documents: a second document begins here; a file holds one scenario",
])]
#[case::tabs(file("name: x\n\tsummary: s\nsteps:\n\t- deploy: a\n"), &[
    "2:1 tab: a tab is used for indentation, which YAML does not allow",
    "4:1 tab: a tab is used for indentation, which YAML does not allow",
])]
#[case::unclosed_bracket(file("name: x\nsummary: [a\n"), &[
    "2:10 yaml-syntax: unclosed bracket '['",
])]
#[case::unclosed_quote(file("name: 'x\nsteps: []\n"), &[
    "1:7 yaml-syntax: unclosed quote",
])]
#[case::colon_in_text(file("name: x\nsummary: s: t\n"), &[
    "2:11 yaml-syntax: mapping values are not allowed in this context",
])]
#[case::key_without_colon(file("name: x\nsummary\nsteps: []\n"), &[
    "2:1 yaml-syntax: simple key expected ':'",
])]
#[case::reserved_character(file("name: x\nsummary: @a\nsteps: []\n"), &[
    "2:10 yaml-syntax: unexpected character: `@'",
])]
#[case::merge_key(file("name: x\nsummary: s\n<<: {a: b}\nsteps: []\n"), &[
    "3:1 yaml-syntax: merge keys (`<<`) are not part of a scenario's YAML",
])]
#[case::unknown_alias(file("name: x\nsummary: s\nsteps: *b\n"), &[
    "3:8 yaml-syntax: no anchor (`&name`) of that name comes before this",
])]
#[case::tag(file("name: x\nsummary: s\nsteps: !foo [1]\n"), &[
    "3:13 yaml-syntax: unsupported tag `!foo`",
])]
#[case::key_that_is_a_list(file("? [a]\n: b\n"), &[
    "1:3 yaml-syntax: the key of a map must be a text",
])]
#[case::text(file("just text\n"), &[
    r#"1:1 wrong-type: a scenario must be a map, not the text "just text""#,
])]
#[case::list(file("- a\n- b\n"), &[
    "1:1 wrong-type: a scenario must be a map, not a list",
])]
#[case::duplicate_keys(file("name: x\nname: y\nsummary: s\nsteps: [{cordon: worker, cordon: worker}]\n"), &[
    "2:1 duplicate-key: `name` is there twice",
    "4:26 duplicate-key: `cordon` is there twice",
])]
fn file_problems(#[case] text: String, #[case] expected: &[&str]) {
    check(&text, expected);
}

/// Fields outside `steps`.
#[rstest]
#[case::missing_fields(file("tags: [a]\n"), &[
    "1:1 missing-field: `name` is missing",
    "1:1 missing-field: `summary` is missing",
    "1:1 missing-field: `steps` is missing",
])]
#[case::steps_without_value(file("name: x\nsummary: s\nsteps:\n"), &[
    "3:6 wrong-type: `steps` has no value; it must be a list",
])]
#[case::no_steps(file("name: x\nsummary: s\nsteps: []\n"), &[
    "3:8 empty-steps: the scenario has no steps, so it would show nothing",
])]
#[case::bad_name(file("name: X_y\nsummary: ''\nsteps: [{wait: {settled: 5s}}]\n"), &[
    "1:7 bad-name: scenario name `X_y` is not made of small letters, digits and hyphens (at most 63, a hyphen neither first nor last)",
    "2:10 empty-value: `summary` is empty",
])]
#[case::name_of_another_file(file("name: y\nsummary: s\nsteps: [{wait: {settled: 5s}}]\n"), &[
    "1:7 name-not-stem: the scenario is called `y`, and its file `x`",
])]
#[case::unknown_field(top(&["refrences: [a]"]), &[
    "3:1 unknown-field: unknown field `refrences` in a scenario",
])]
#[case::text_for_list(top(&["tags: a"]), &[
    r#"3:7 wrong-type: `tags` must be a list, not the text "a""#,
])]
#[case::tags_twice_and_empty(top(&["tags: [a, a, '']"]), &[
    "3:11 duplicate-item: `tags` names `a` twice",
    "3:14 empty-value: an item of `tags` is empty",
])]
#[case::clusters(top(&["clusters: [kind, docker, kind]"]), &[
    "3:11 clusters-reason: `clusters` is limited without a reason",
    "3:18 unknown-word: an item of `clusters` cannot be `docker`",
    "3:26 duplicate-item: `clusters` names `kind` twice",
])]
#[case::clusters_reason_alone(top(&["clustersReason: because"]), &[
    "3:17 clusters-reason: a reason without `clusters`: the scenario runs on all kinds",
])]
#[case::clusters_empty(top(&["clusters: []", "clustersReason: x"]), &[
    "3:11 empty-value: `clusters` is an empty list: the scenario could run nowhere",
])]
#[case::allow(top(&["allow: {unknown-mode: why, nonsense: why, wrong-type: why, bad-cidr: ''}"]), &[
    "3:9 stale-allow: nothing in this file is `unknown-mode`, so it need not be allowed",
    "3:28 unknown-code: there is no diagnostic `nonsense`",
    "3:43 unknown-code: `wrong-type` cannot be allowed: a value of the wrong type or out of range",
    "3:60 stale-allow: nothing in this file is `bad-cidr`, so it need not be allowed",
    "3:70 empty-value: `bad-cidr` is allowed without a reason",
])]
#[case::expect_a_word(steps(&["- expect: modle"]), &[
    "6:13 unknown-word: an expect is a map of checks, or the word `model`, and not `modle`",
])]
#[case::invariants(top(&["invariants: {off: {podcidr-disjoint: why, pod-ips-unique: ' ', router-in-podcidr: {versions: x}}}"]), &[
    "3:20 unknown-invariant: there is no invariant `podcidr-disjoint`",
    "3:59 empty-value: `pod-ips-unique` is off without a reason",
    "3:83 missing-field: `reason` is missing",
])]
#[case::no_invariants(top(&["invariants: {}"]), &[
    "3:13 missing-field: `off` is missing",
])]
#[case::no_invariant_off(top(&["invariants: {off: {}}"]), &[
    "3:19 empty-value: `off` names no invariant",
])]
#[case::workloads(file("name: x\nsummary: s\nworkloads:\n  Bad_Name: {}\n  coredns: {}\n  b: {image: '', command: [], node: worker8, hostNetwork: yes, namespace: A, replica: 3}\n  c: {replicas: -1}\nsteps:\n  - wait: {settled: 1s}\n"), &[
    "4:3 bad-name: workload name `Bad_Name` is not made of small letters, digits and hyphens (at most 63, a hyphen neither first nor last)",
    "4:3 unused-workload: no step deploys workload `Bad_Name`",
    "5:3 reserved-name: `coredns` already means a part of the cluster, so no workload can have that name",
    "5:3 unused-workload: no step deploys workload `coredns`",
    "6:3 unused-workload: no step deploys workload `b`",
    "6:14 empty-value: `image` is empty",
    "6:27 empty-value: `command` is an empty list",
    "6:37 unknown-node: there is no node `worker8`: the cluster has 2 workers",
    r#"6:59 wrong-type: `hostNetwork` must be true or false, not the text "yes""#,
    "6:75 bad-name: namespace `A` is not made of small letters, digits and hyphens (at most 63, a hyphen neither first nor last)",
    "6:78 unknown-field: unknown field `replica` in `b`",
    "7:3 unused-workload: no step deploys workload `c`",
    "7:17 wrong-type: `replicas` must be a whole number, 0 or more, not the number -1",
])]
fn top_problems(#[case] text: String, #[case] expected: &[&str]) {
    check(&text, expected);
}

/// `cluster` and `cilium`.
#[rstest]
#[case::wrong_types(top(&["cluster: {workers: three, podSubnet: 10.0.0.0/33, ipFamily: v4}"]), &[
    r#"3:20 wrong-type: `workers` must be a whole number, 0 or more, not the text "three""#,
    "3:38 bad-cidr: `10.0.0.0/33` is not an IP range: the prefix length is not a number from 0 to 32",
    "3:61 unknown-word: `ipFamily` cannot be `v4`",
])]
#[case::subnets_overlap(top(&["cluster: {podSubnet: 10.0.0.0/8, serviceSubnet: 10.96.0.0/16}"]), &[
    "3:49 overlapping-ranges: the service range 10.96.0.0/16 overlaps the pod range 10.0.0.0/8",
])]
#[case::default_subnet_overlaps(top(&["cluster: {podSubnet: 10.96.128.0/24}"]), &[
    "3:22 overlapping-ranges: the service range 10.96.0.0/16 overlaps the pod range 10.96.128.0/24",
])]
#[case::one_subnet_for_dual(top(&["cluster: {ipFamily: dual, podSubnet: 10.244.0.0/16}"]), &[
    "3:38 wrong-family: `podSubnet` must be one range per address family: IPv4, then IPv6",
])]
#[case::dual_in_the_wrong_order(top(&["cluster: {ipFamily: dual, podSubnet: [fd00::/56, 10.244.0.0/16]}"]), &[
    "3:39 wrong-family: fd00::/56 is an IPv6 range, and `podSubnet` holds IPv4 ranges",
    "3:50 wrong-family: 10.244.0.0/16 is an IPv4 range, and `podSubnet` holds IPv6 ranges",
])]
#[case::controller_manager(top(&["cluster: {kubeControllerManager: {--v: 4, w: null, x: [1]}}"]), &[
    "3:35 bad-name: flag `--v` is written with its dashes",
    "3:46 wrong-type: flag `w` has no value",
    "3:55 wrong-type: `x` must be a text, a number, true, false or null, not a list",
])]
#[case::version_as_number(top(&["cilium: {versions: 1.20}"]), &[
    "3:20 wrong-type: `versions` must be a text, not the number 1.20",
])]
#[case::bad_version_range(top(&["cilium: {versions: new}"]), &[
    r#"3:20 bad-version-range: "new" is not a version range (unexpected character 'n' while parsing major version number)"#,
])]
#[case::unknown_mode(top(&["cilium: {ipam: {mode: cluster-role}}"]), &[
    "3:23 unknown-mode: Cilium has no IPAM mode `cluster-role`",
])]
#[case::pool_smaller_than_mask(top(&["cilium:", "  ipam: {clusterPoolIPv4PodCIDRList: [10.0.0.0/30], clusterPoolIPv4MaskSize: 24}"]), &[
    "4:39 pool-smaller-than-mask: pool 10.0.0.0/30 is smaller than one node's range, a /24: it counts as full from the start",
])]
#[case::pool_smaller_than_default_mask(top(&["cilium:", "  ipam: {clusterPoolIPv4PodCIDRList: [10.0.0.0/30]}"]), &[
    "4:39 pool-smaller-than-mask: pool 10.0.0.0/30 is smaller than one node's range, a /24: it counts as full from the start",
])]
#[case::mask_smaller_than_default_pool(top(&["cilium:", "  ipam: {clusterPoolIPv4MaskSize: 7}"]), &[
    "4:35 pool-smaller-than-mask: pool 10.0.0.0/8 is smaller than one node's range, a /7: it counts as full from the start",
])]
#[case::mask_33(top(&["cilium:", "  ipam: {clusterPoolIPv4MaskSize: 33}"]), &[
    "4:35 mask-out-of-range: IPv4 has no mask size 33",
])]
#[case::mask_129(top(&["cilium:", "  ipam: {clusterPoolIPv6MaskSize: 129}"]), &[
    "4:35 mask-out-of-range: IPv6 has no mask size 129",
])]
#[case::mask_300(top(&["cilium:", "  ipam: {clusterPoolIPv4MaskSize: 300}"]), &[
    "4:35 wrong-type: `clusterPoolIPv4MaskSize` must be a whole number from 0 to 255, not the number 300",
])]
#[case::mask_as_text(top(&["cilium:", r#"  ipam: {clusterPoolIPv4MaskSize: "24"}"#]), &[
    r#"4:35 wrong-type: `clusterPoolIPv4MaskSize` must be a whole number from 0 to 255, not the text "24""#,
])]
#[case::ipv4_pools(top(&["cilium:", "  ipam:", "    clusterPoolIPv4PodCIDRList:", "      - 10.0.0.0/8", "      - 10.1.0.0/16", "      - fd00::/104", "      - 300.0.0.0/8", "      - 10.0.0.1", "      - 10.0.0.0/33"]), &[
    "7:9 overlapping-ranges: 10.1.0.0/16 overlaps 10.0.0.0/8",
    "8:9 wrong-family: fd00::/104 is an IPv6 range, and `clusterPoolIPv4PodCIDRList` holds IPv4 ranges",
    "9:9 bad-cidr: `300.0.0.0/8` is not an IP range: the part before the slash is not an address",
    "10:9 bad-cidr: `10.0.0.1` is an address, not a range",
    "11:9 bad-cidr: `10.0.0.0/33` is not an IP range: the prefix length is not a number from 0 to 32",
])]
#[case::ipv6_pools(top(&["cilium:", "  ipam: {clusterPoolIPv6PodCIDRList: [fd00::/64, 10.0.0.0/8, 'fd01::/129']}"]), &[
    "4:39 mask-too-far: pool fd00::/64 with mask size 120 would hold 2^56 node ranges; Cilium refuses more than 2^16",
    "4:50 wrong-family: 10.0.0.0/8 is an IPv4 range, and `clusterPoolIPv6PodCIDRList` holds IPv6 ranges",
    "4:62 bad-cidr: `fd01::/129` is not an IP range: the prefix length is not a number from 0 to 128",
])]
#[case::same_pool_twice(top(&["cilium:", "  ipam: {clusterPoolIPv4PodCIDRList: [10.0.0.0/16, 10.0.5.7/16]}"]), &[
    "4:52 overlapping-ranges: 10.0.5.7/16 is the same range as 10.0.0.0/16 before it",
])]
#[case::no_pools(top(&["cilium:", "  ipam: {clusterPoolIPv4PodCIDRList: []}"]), &[
    "4:38 empty-value: `clusterPoolIPv4PodCIDRList` is an empty list",
])]
#[case::typed_values(top(&["cilium: {values: {ipam: {mode: kubernetes, operator: {clusterPoolIPv4MaskSize: 25}}}}"]), &[
    "3:26 ipam-in-values: `values` sets `mode`, which has a place of its own",
    "3:55 ipam-in-values: `values` sets `clusterPoolIPv4MaskSize`, which has a place of its own",
])]
#[case::values_as_number(top(&["cilium: {values: 5}"]), &[
    "3:18 wrong-type: `values` must be a map, not the number 5",
])]
fn cluster_problems(#[case] text: String, #[case] expected: &[&str]) {
    check(&text, expected);
}

/// Steps.
#[rstest]
#[case::unknown_action(steps(&["- restrt: cilium-agent"]), &[
    "6:5 unknown-action: unknown action `restrt`",
])]
#[case::unknown_action_far(steps(&["- reboot: worker"]), &[
    "6:5 unknown-action: unknown action `reboot`",
])]
#[case::no_action(steps(&["- {name: a}"]), &[
    "6:5 not-one-action: this step has no action",
])]
#[case::empty_step(steps(&["- {}"]), &[
    "6:5 not-one-action: this step has no action",
])]
#[case::two_actions(steps(&["- {deploy: alpine, delete: alpine}"]), &[
    "6:5 not-one-action: this step has 2 actions: `deploy`, `delete`",
])]
#[case::not_a_map(steps(&["- 5", "- [b]"]), &[
    "6:5 wrong-type: an item of `steps` must be a map, not the number 5",
    "7:5 wrong-type: an item of `steps` must be a map, not a list",
])]
#[case::several_steps(steps(&["- deploy: nope", "- cordon: worker", "- configure: {a: [1]}", "- expct: {}"]), &[
    "6:13 unknown-workload: there is no workload `nope`",
    "8:20 wrong-type: `a` must be a text, a number, true, false or null, not a list",
    "9:5 unknown-action: unknown action `expct`",
])]
#[case::unknown_workload(steps(&["- deploy: alpin"]), &[
    "6:13 unknown-workload: there is no workload `alpin`",
])]
#[case::unknown_field_of_action(steps(&["- deploy: {workload: alpine, redy: true}"]), &[
    "6:32 unknown-field: unknown field `redy` in `deploy`",
])]
#[case::missing_workload(steps(&["- deploy: {ready: true}"]), &[
    "6:13 missing-field: `workload` is missing",
])]
#[case::misspelt_workload(steps(&["- deploy: {worklod: alpine}"]), &[
    "6:14 unknown-field: unknown field `worklod` in `deploy`",
])]
#[case::deploy_a_number(steps(&["- deploy: 5"]), &[
    "6:13 wrong-type: `deploy` must be a text or a map, not the number 5",
])]
#[case::scale(steps(&["- scale: {workload: alpine, replicas: many}", "- scale: {workload: alpine}", "- scale: alpine"]), &[
    r#"6:41 wrong-type: `replicas` must be a whole number, 0 or more, not the text "many""#,
    "7:12 missing-field: `replicas` is missing",
    r#"8:12 wrong-type: `scale` must be a map, not the text "alpine""#,
])]
#[case::unknown_mode(steps(&["- configure: {ipam: cluster-role}"]), &[
    "6:23 unknown-mode: Cilium has no IPAM mode `cluster-role`",
])]
#[case::configured_pool_smaller_than_mask(steps(&["- configure: {cluster-pool-ipv4-cidr: 192.168.255.0/30}"]), &[
    "6:41 pool-smaller-than-mask: pool 192.168.255.0/30 is smaller than one node's range, a /24: it counts as full from the start",
])]
#[case::configured_pools(steps(&[r#"- configure: {cluster-pool-ipv4-cidr: "10.0.0.0/8, 10.1.0.0/16 fd00::/8 x", cluster-pool-ipv4-mask-size: 024}"#]), &[
    "6:42 bad-cidr: `10.0.0.0/8,` is not an IP range",
    "6:66 wrong-family: fd00::/8 is an IPv6 range, and `cluster-pool-ipv4-cidr` holds IPv4 ranges",
    "6:75 bad-cidr: `x` is not an IP range: the part before the slash is not an address",
    "6:108 mask-out-of-range: `024` is not a mask size",
])]
#[case::configured_mask(steps(&["- configure: {cluster-pool-ipv4-mask-size: 7}", "- configure: {cluster-pool-ipv6-mask-size: 130}", "- configure: {cluster-pool-ipv4-cidr: ''}"]), &[
    "6:46 pool-smaller-than-mask: pool 10.0.0.0/8 is smaller than one node's range, a /7: it counts as full from the start",
    "7:46 mask-out-of-range: IPv6 has no mask size 130",
    "8:41 bad-cidr: `cluster-pool-ipv4-cidr` holds no range",
])]
#[case::mask_of_an_earlier_step(steps(&["- configure: {cluster-pool-ipv4-mask-size: 26}", "- configure: {cluster-pool-ipv4-cidr: 192.168.0.0/27}"]), &[
    "7:41 pool-smaller-than-mask: pool 192.168.0.0/27 is smaller than one node's range, a /26: it counts as full from the start",
])]
#[case::configure(steps(&["- configure: {}", "- configure: {a: [1]}"]), &[
    "6:16 empty-value: `configure` changes nothing",
    "7:20 wrong-type: `a` must be a text, a number, true, false or null, not a list",
])]
#[case::upgrade(steps(&["- upgrade: {ipam: {mode: cluster-role, operator: {clusterPoolIPv4PodCIDRList: [10.0.0.0/30]}}}", "- upgrade: [a]"]), &[
    "6:28 unknown-mode: Cilium has no IPAM mode `cluster-role`",
    "6:82 pool-smaller-than-mask: pool 10.0.0.0/30 is smaller than one node's range, a /24: it counts as full from the start",
    "7:14 wrong-type: `upgrade` must be a map, not a list",
])]
#[case::restore_without_backup(steps(&["- restore: cilium-config", "- backup: cilium-confg"]), &[
    "6:14 restore-without-backup: there is nothing to restore at this step",
    "7:13 unknown-word: `backup` cannot be `cilium-confg`",
])]
#[case::restart(steps(&["- restart: [cilum-agent, alpine, alpine]", "- restart: []", "- restart: {of: cilium-agent, on: [worker9, workr]}"]), &[
    "6:15 unknown-workload: `cilum-agent` is neither a workload nor a part of Cilium",
    "6:36 duplicate-item: `restart` names this twice",
    "7:14 empty-value: `restart` names nothing",
    "8:38 unknown-node: there is no node `worker9`: the cluster has 2 workers",
    "8:47 unknown-node: `workr` is not a node's role",
])]
#[case::node_flow(steps(&["- addNode: worker", "- removeNode: worker", "- cordon: worker", "- removeNode: control-plane", "- addNode: worker"]), &[
    "6:14 node-not-removed: node `worker` is there already at this step",
    "8:13 node-removed: node `worker` is not there at this step",
    "9:17 unknown-node: the control-plane node cannot be removed: the API runs on it",
])]
#[case::worker1(steps(&["- cordon: worker1"]), &[
    "6:13 unknown-node: `worker1` is not a node's role",
])]
#[case::patch_names(steps(&["- patch: {kind: CiliumNode, name: worker3, merge: {}}", "- patch: {kind: CilumNode, name: a, merge: {a: b}}"]), &[
    "6:37 unknown-node: there is no node `worker3`: the cluster has 2 workers",
    "6:53 empty-value: `merge` changes nothing",
    "7:19 unknown-kind: the apiVersion of kind `CilumNode` is not known",
])]
#[case::patch_variables(steps(&["- patch: {kind: ConfigMap, name: a, merge: {a: '${worker.ciliumNode.podCDIR} ${node.podCIDR}'}}"]), &[
    "6:12 missing-field: `namespace` is missing: kind `ConfigMap` has namespaces",
    "6:51 unknown-variable: there is no variable `${worker.ciliumNode.podCDIR}`",
    "6:80 unknown-variable: `${node.podCIDR}` does not begin with a node's role",
])]
#[case::patch_rest(steps(&["- patch: {kind: Node, namespace: a, name: worker, subresource: spec, merge: 5}"]), &[
    "6:36 unknown-field: kind `Node` has no namespaces",
    "6:66 unknown-word: `spec` is not a subresource that can be patched",
    "6:79 wrong-type: `merge` must be a map, not the number 5",
])]
#[case::exec(steps(&["- exec: {of: alpine, command: [], stdout: '('}", "- exec: {of: cilium-agent, command: ls}"]), &[
    "6:33 empty-value: `command` is an empty list",
    "6:45 bad-regex: not a regular expression: unclosed group",
    "7:16 unknown-workload: `cilium-agent` is not a set of pods to look at: its pods use the host's network",
    r#"7:39 wrong-type: `command` must be a list, not the text "ls""#,
])]
#[case::wait(steps(&["- wait: {}", "- wait: {settled: 5}", "- wait: {settled: 0s, ready: []}", "- wait: {log: {of: cilium-op, contains: ''}}", "- wait: 5s"]), &[
    "6:11 not-one-choice: `wait` does not say for what",
    "7:21 wrong-type: `settled` must be a text, not the number 5",
    "8:11 not-one-choice: `wait` has `settled`, `ready`, which exclude each other",
    "9:22 unknown-word: `cilium-op` is not a part of Cilium",
    "9:43 empty-value: `contains` is empty",
    r#"10:11 wrong-type: `wait` must be a map, not the text "5s""#,
])]
#[case::labels(steps(&["- name: a", "  cordon: worker", "- name: a", "  cordon: worker", "- name: start", "  cordon: worker", "- name: 'a b'", "  cordon: worker"]), &[
    "8:11 duplicate-label: an earlier step has the name `a` already",
    "10:11 reserved-name: `start` already means something else: no step can have that name",
    "12:11 bad-name: step name `a b` is not made of letters, digits, `-` and `_`",
])]
#[case::modifiers(steps(&["- versions: '=>1'", "  cordon: worker", "- within: 5 parsecs", "  cordon: worker", "- within: 0s", "  cordon: worker"]), &[
    r#"6:15 bad-version-range: "=>1" is not a version range (unexpected character '>' while parsing major version number)"#,
    "8:13 bad-duration: `5 parsecs` is not a span of time",
    "10:13 zero-duration: `0s` is no time at all",
])]
#[case::not_deployed(file("name: x\nsummary: s\nworkloads: {alpine: {}}\nsteps:\n  - delete: alpine\n  - restart: alpine\n  - deploy: alpine\n"), &[
    "5:13 not-deployed: workload `alpine` is not deployed at this step",
    "6:14 not-deployed: workload `alpine` is not deployed at this step",
])]
fn steps_problems(#[case] text: String, #[case] expected: &[&str]) {
    check(&text, expected);
}

/// Expectations.
#[rstest]
#[case::without_checks(steps(&["- expect: {}", "- expect: {within: 5s}"]), &[
    "6:13 empty-expect: this expect checks nothing, so it would always hold",
    "7:13 empty-expect: this expect checks nothing, so it would always hold",
])]
#[case::within_outside(steps(&["- expect: {pods: {of: alpine, count: 3}}", "  within: 60s"]), &[
    "7:13 within-outside-expect: the deadline of an expect is written inside it",
])]
#[case::fails_nothing(steps(&["- cordon: worker", "  fails: not found"]), &[
    "7:12 fails-nothing: only an `upgrade` or a `patch` can be refused",
])]
#[case::scaled_part(steps(&["- scale: {workload: cilium-agent, replicas: 0}"]), &[
    "6:23 unknown-workload: `cilium-agent` cannot be scaled",
])]
#[case::unknown_check(steps(&["- expect: {pod: {of: alpine, count: 3}}"]), &[
    "6:14 unknown-check: unknown check `pod`",
])]
#[case::pods(steps(&["- expect: {pods: {of: alpine}}", "- expect: {pods: {of: alpin, count: 3}}", "- expect: {pods: {of: alpine, unchanged: false}}", "- expect: {pods: {of: alpine, unchanged: swiched}}"]), &[
    "6:20 empty-value: this does not say what the pods must be",
    "7:25 unknown-workload: there is no workload `alpin`",
    "8:44 unknown-word: `unchanged: false` says nothing about pods",
    "9:44 unknown-label: no earlier step has the name `swiched`",
])]
#[case::misspelt_quantifier(steps(&["- expect: {podIPs: {of: alpine, evry: {within: pool}}}"]), &[
    "6:35 unknown-field: unknown field `evry` in `podIPs`",
])]
#[case::pod_ips(steps(&["- expect: {podIPs: {of: alpine}}", "- expect: {podIPs: {of: alpine, every: {}}}", "- expect: {podIPs: {of: alpine, exactly: {within: 10.0.0.0/33}}}"]), &[
    "6:22 not-one-choice: this check does not say how many must match",
    "7:42 missing-field: `within` is missing",
    "8:44 missing-field: `count` is missing",
])]
#[case::range_names(steps(&["- expect: {podIPs: {of: alpine, every: {within: ciliumnode.podCIDRs}}}", "- expect: {podIPs: {of: alpine, every: {within: pool@start}}}", "- expect: {podIPs: {of: alpine, every: {within: [node.podCIDR, 10.0.0.0]}}}"]), &[
    "6:51 unknown-range: there are no ranges by the name `ciliumnode.podCIDRs`",
    "7:51 unknown-range: `pool` is always taken as it is at the check",
    "8:52 bad-cidr: a list holds ranges such as 10.0.0.0/8, not `node.podCIDR`",
    "8:66 bad-cidr: `10.0.0.0` is an address, not a range",
])]
#[case::label_of_a_later_step(steps(&["- expect: {podIPs: {of: alpine, every: {within: node.podCIDR@later}}}", "- name: later", "  cordon: worker"]), &[
    "6:64 unknown-label: step `later` has not ended yet at this step",
])]
#[case::status(steps(&["- expect: {operatorStatus: {every: ok}}", "- expect: {operatorStatus: {every: {matches: '('}}}", "- expect: {operatorStatus: {on: worker, every: clear}}", "- expect: {operatorStatus: {on: [worker, worker, worker7], every: {error: a, matches: b}}}"]), &[
    "6:38 unknown-word: `ok` is not an operator-status",
    "7:48 bad-regex: not a regular expression: unclosed group",
    r#"8:35 wrong-type: `on` must be a list, not the text "worker""#,
    "9:44 duplicate-item: `on` names `worker` twice",
    "9:52 unknown-node: there is no node `worker7`: the cluster has 2 workers",
    "9:69 not-one-choice: an operator-status is one of `clear`, `error` and `matches`",
])]
#[case::variables(steps(&["- expect: {operatorStatus: {every: {error: '${ciliumNode.podCIDR@strt} ${nodes.name} ${x'}}}"]), &[
    "6:68 unknown-label: no earlier step has the name `strt`",
    "6:74 unknown-variable: there is no variable `${nodes.name}`",
    "6:88 unknown-variable: `${` without its `}`",
])]
#[case::pod_cidrs(steps(&["- expect: {podCIDRs: {of: node, every: {}}}", "- expect: {podCIDRs: {of: nod, every: {mask: 200}}}", "- expect: {podCIDRs: {every: {unchanged: strt, equal: []}}}", "- expect: {podCIDRs: {of: node, exactly: {count: 2}}}"]), &[
    "6:42 empty-value: this does not say what the podCIDRs must be",
    "7:29 unknown-word: nobody called `nod` has podCIDRs",
    "7:48 mask-out-of-range: no address family has mask size 200",
    "8:24 missing-field: `of` is missing",
    "8:44 unknown-label: no earlier step has the name `strt`",
    "8:57 empty-value: an empty list of ranges",
    "9:44 empty-value: this does not say what the podCIDRs must be",
])]
#[case::agents(steps(&["- expect: {agents: {every: {ipam: kubernete}}}", "- expect: {agents: {every: {}}}"]), &[
    "6:37 unknown-mode: Cilium has no IPAM mode `kubernete`",
    "7:30 empty-value: this does not say what the agents must be",
])]
#[case::cel(steps(&["- expect: {cel: {kind: CiliumNode, every: ''}}", "- expect: {cel: {kind: Foo, every: 'true'}}", "- expect: {cel: {kind: CiliumNode, exactly: {count: 1}}}"]), &[
    "6:45 empty-value: `cel` is empty",
    "7:26 unknown-kind: the apiVersion of kind `Foo` is not known",
    "8:47 missing-field: `exactly` does not say what must match",
])]
#[case::reachability(steps(&["- expect: {reachability: {from: alpine, every: reachabl}}"]), &[
    "6:28 missing-field: `to` is missing",
    "6:50 unknown-word: `every` cannot be `reachabl`",
])]
#[case::timing(steps(&["- expect: {config: {}, holds: 5s, never: 5s}", "- expect: {config: {a: b}, holds: {steps: 0}}", "- expect: {config: {a: b}, holds: {steps: all}}", "- expect: {config: {a: b}, holds: soon}", "- expect: {config: {a: b}, within: 0s}", "- expect: {config: {a: b}, never: 5s, within: 5s}"]), &[
    "6:22 empty-value: `config` names no key",
    "6:44 not-one-choice: `holds` and `never` exclude each other",
    "7:45 zero-duration: `holds` for no step at all",
    "8:45 unknown-word: `all` is neither a number of steps nor `rest`",
    "9:37 bad-duration: `soon` is not a span of time",
    "10:38 zero-duration: `0s` is no time at all",
    "11:49 not-one-choice: `never` begins at once, so `within` says nothing",
])]
fn expect_problems(#[case] text: String, #[case] expected: &[&str]) {
    check(&text, expected);
}

#[rstest]
#[case::latin1(
    b"a: b\nname: caf\xe9s\n",
    "2:10 not-text: the file is not text: byte 14 is not UTF-8",
    "name: caf\u{fffd}s"
)]
#[case::nul(b"name: a\0b\n", "1:8 not-text: the file is not text: byte 7 is a NUL", "name: a b")]
#[case::elf(b"\x7fELF\x02\x01\x01\0\0", "1:8 not-text: the file is not text: byte 7 is a NUL", " ELF")]
fn binary_files(#[case] bytes: &[u8], #[case] expected: &str, #[case] excerpt: &str) {
    let (scenario, diagnostics) = parse(Utf8Path::new("scenarios/x.yaml"), bytes);
    assert!(scenario.is_none());
    let [found] = &diagnostics[..] else { panic!("one problem: {diagnostics:?}") };
    assert_eq!(format!("{}:{} {}: {}", found.line, found.column, found.code, found.message), expected);
    assert_eq!(found.excerpt.as_ref().unwrap().text, excerpt);
}

#[test]
fn a_file_of_10_mb_is_refused_unread() {
    // Not even UTF-8: the size is looked at first.
    let (scenario, diagnostics) = parse(Utf8Path::new("scenarios/x.yaml"), &vec![0xff; 10_000_000]);
    assert!(scenario.is_none());
    insta::assert_snapshot!(diagnostics[0].render(), @r"
    error[too-large]: the file has 9766 KiB; a scenario has at most 1024 KiB
     --> scenarios/x.yaml:1:1
      = help: check that this is a scenario file
    ");
}

#[test]
fn a_file_of_just_1_mib_is_read() {
    let mut text = "name: x\nsummary: s\nsteps: [{wait: {settled: 1s}}]\n#".to_owned();
    text.push_str(&"x".repeat(MAX_BYTES - text.len()));
    let (scenario, diagnostics) = parse(Utf8Path::new("scenarios/x.yaml"), text.as_bytes());
    assert!(diagnostics.is_empty(), "{}", diagnostics[0].render());
    assert!(scenario.is_some());
}

/// What would make the parser take long, or run out of stack.
#[rstest]
#[case::nested_lists(format!("steps: {}{}", "[".repeat(100_000), "]".repeat(100_000)))]
#[case::nested_maps("{a: ".repeat(50_000))]
#[case::many_values(format!("references: [{}]", "a, ".repeat(300_000)))]
#[case::aliases((1..12).fold("a0: &a0 [x]\n".to_owned(), |text, n| format!("{text}a{n}: &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(9))))]
fn hostile_files(#[case] text: String) {
    let (scenario, diagnostics) = parse(Utf8Path::new("scenarios/x.yaml"), text.as_bytes());
    assert!(scenario.is_none());
    assert_eq!(diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["yaml-syntax"]);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let (scenario, diagnostics) =
        parse(Utf8Path::new("x.yaml"), "\u{feff}name: x\nsummary: s\nsteps: [{wait: {settled: 1s}}]\n".as_bytes());
    assert!(diagnostics.is_empty(), "{}", diagnostics[0].render());
    assert!(scenario.is_some());
}

#[test]
fn all_problems_of_all_files_come_at_once() {
    let good = "summary: s\nsteps: [{wait: {settled: 1s}}]\n";
    let files: Vec<(Utf8PathBuf, Vec<u8>)> = [
        ("scenarios/a.yaml", format!("name: a\n{good}")),
        ("scenarios/b.yaml", format!("{good}name: a\n")),
        ("scenarios/c.yaml", "name: c\nsummary: s\nsteps: [{wate: 1}, {cordon: worker7}]\n".to_owned()),
        ("scenarios/d.yaml", String::new()),
        ("scenarios/e.yaml", format!("name: e\n{good}")),
    ]
    .into_iter()
    .map(|(path, text)| (path.into(), text.into_bytes()))
    .collect();
    let (scenarios, diagnostics) = parse_all(&files);
    assert_eq!(scenarios.iter().map(|scenario| scenario.name.as_str()).collect::<Vec<_>>(), ["a", "e"]);
    insta::assert_snapshot!(diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), @r"
    scenarios/b.yaml:3:7: error[name-not-stem]: the scenario is called `a`, and its file `b`
    scenarios/b.yaml:3:7: error[duplicate-name]: a scenario with the name `a` is there already
    scenarios/c.yaml:3:10: error[unknown-action]: unknown action `wate`
    scenarios/c.yaml:3:29: error[unknown-node]: there is no node `worker7`: the cluster has 2 workers
    scenarios/d.yaml:1:1: error[empty-file]: the file holds no scenario
    ");
    insta::assert_snapshot!(diagnostics[1].render(), @r"
    error[duplicate-name]: a scenario with the name `a` is there already
     --> scenarios/b.yaml:3:7
      |
    3 | name: a
      |       ^
      = scenarios/a.yaml:1:7: the other one
      = help: give each scenario a name of its own: that of its file
    ");
}

#[test]
fn a_warning_does_not_stop_the_scenario() {
    let text = "name: x\nsummary: s\nworkloads: {idle: {}}\nsteps: [{wait: {settled: 1s}}]\n";
    let (scenario, diagnostics) = parse(Utf8Path::new("x.yaml"), text.as_bytes());
    assert!(scenario.is_some());
    assert_eq!(
        diagnostics.iter().map(|d| (d.code, d.severity)).collect::<Vec<_>>(),
        [("unused-workload", Severity::Warning)]
    );
}

#[test]
fn a_diagnostic_looks_like_rustc() {
    let text = steps(&["- restart: [cilium-agent, cilium-operatr]"]);
    let (_, diagnostics) = parse(Utf8Path::new("scenarios/x.yaml"), text.as_bytes());
    insta::assert_snapshot!(diagnostics[0].render(), @r"
    error[unknown-workload]: `cilium-operatr` is neither a workload nor a part of Cilium
     --> scenarios/x.yaml:6:29
      |
    6 |   - restart: [cilium-agent, cilium-operatr]
      |                             ^^^^^^^^^^^^^^
      = help: write `cilium-operator`; known: `cilium-agent`, `cilium-operator`, `hubble-relay`, `coredns`, `alpine`
    ");
    assert!(diagnostics[0].render_coloured().starts_with("\u{1b}[1;31merror[unknown-workload]\u{1b}[0m"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&diagnostics[0]).unwrap(), @r#"
    {
      "code": "unknown-workload",
      "severity": "error",
      "path": "scenarios/x.yaml",
      "line": 6,
      "column": 29,
      "excerpt": {
        "text": "  - restart: [cilium-agent, cilium-operatr]",
        "start": 28,
        "length": 14
      },
      "message": "`cilium-operatr` is neither a workload nor a part of Cilium",
      "help": "write `cilium-operator`; known: `cilium-agent`, `cilium-operator`, `hubble-relay`, `coredns`, `alpine`",
      "related": []
    }
    "#);
}

#[test]
fn a_long_line_is_cut_around_its_place() {
    let text = steps(&[&format!("- exec: {{of: alpine, command: [{} x], stdout: \"(\"}}", "abcdefgh, ".repeat(30))]);
    let (_, diagnostics) = parse(Utf8Path::new("scenarios/x.yaml"), text.as_bytes());
    insta::assert_snapshot!(diagnostics[0].render(), @r#"
    error[bad-regex]: not a regular expression: unclosed group
     --> scenarios/x.yaml:6:347
      |
    6 | ...h, abcdefgh, abcdefgh,  x], stdout: "("}
      |                                        ^^^
      = help: put a backslash before a character that is meant as it is: `\(`, `\[`, `\.`
    "#);
}

#[test]
fn columns_count_characters() {
    let (_, diagnostics) = parse(
        Utf8Path::new("x.yaml"),
        "name: x\nsummary: s\nworkloads: {\"käse\": {imäge: a}}\nsteps: [{wait: {settled: 1s}}]\n".as_bytes(),
    );
    let places: Vec<_> = diagnostics.iter().map(|d| (d.code, d.line, d.column)).collect();
    assert_eq!(places, [("bad-name", 3, 13), ("unused-workload", 3, 13), ("unknown-field", 3, 22)]);
}

/// Known bugs: which, why, where and how it shows.
#[rstest]
#[case::without_anything(top(&["xfail: {intermittent: true}"]), &[
    "3:8 missing-field: `issue` is missing",
    "3:8 missing-field: `reason` is missing",
    "3:8 missing-field: `versions` is missing",
    "3:8 missing-field: `match` is missing",
])]
#[case::no_issue_to_open(top(&["xfail: {issue: JIRA-7, reason: r, versions: '1.20', match: m}"]), &[
    "3:16 bad-issue: `JIRA-7` is not an issue that a reader can open",
])]
#[case::issue_without_number(top(&["xfail: {issue: a/b#x, reason: r, versions: '1.20', match: m}"]), &[
    "3:16 bad-issue: `a/b#x` is not an issue that a reader can open",
])]
#[case::takes_any_failure(top(&["xfail: {issue: a/b#1, reason: r, versions: '1.20', match: '.*'}"]), &[
    "3:59 matches-anything: `.*` matches every failure, so a new bug would pass for the known one",
])]
#[case::no_regular_expression(top(&["xfail: {issue: a/b#1, reason: r, versions: '1.20', match: '('}"]), &[
    "3:59 bad-regex: not a regular expression: unclosed group",
])]
#[case::no_range(top(&["xfail: {issue: a/b#1, reason: r, versions: newest, match: m}"]), &[
    "3:44 bad-version-range: \"newest\" is not a version range (unexpected character 'n' while parsing major version number)",
])]
#[case::twice(top(&["xfail:", "- {issue: a/b#1, reason: r, versions: '1.20', match: m}", "- {issue: a/b#1, reason: q, versions: '1.18', match: m}"]), &[
    "5:3 duplicate-item: `xfail` has a/b#1 with this `match` twice",
])]
#[case::empty_list(top(&["xfail: []"]), &[
    "3:8 empty-value: `xfail` is an empty list",
])]
#[case::typing_error(top(&["xfail: {isue: a/b#1, reason: r, versions: '1.20', match: m}"]), &[
    "3:9 unknown-field: unknown field `isue` in `xfail`",
])]
fn known_bug_problems(#[case] text: String, #[case] expected: &[&str]) {
    check(&text, expected);
}
