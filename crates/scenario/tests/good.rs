//! Files that are right.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use events::ClusterKind;
use rstest::rstest;
use scenario::model::{
    Action, At, Check, CidrMatcher, CidrRef, CidrSource, Component, IpFamily, IpMatcher, IpamMode, NodePart, NodeRef,
    NodeTemplate, ObjectName, PodSet, Quantity, RestartItem, RestartTarget, Span, StatusMatcher, TemplatePart, Timing,
    ValueMatcher, Variable,
};
use scenario::{Diagnostic, Scenario, parse};
use serde_json::json;

const EVERY_FORM: &str = include_str!("samples/every-form.yaml");

#[track_caller]
fn good(path: &str, text: &str) -> Scenario {
    let (scenario, diagnostics) = parse(Utf8Path::new(path), text.as_bytes());
    let rendered: String = diagnostics.iter().map(Diagnostic::render).collect();
    assert!(diagnostics.is_empty(), "{rendered}");
    scenario.expect("no diagnostics, so a scenario")
}

/// The actions of these steps.
#[track_caller]
fn actions(steps: &str) -> Vec<Action> {
    let text = format!("name: x\nsummary: s\nworkloads: {{alpine: {{}}}}\nsteps:\n  - deploy: alpine\n{steps}");
    good("x.yaml", &text).steps.into_iter().skip(1).map(|step| step.action).collect()
}

/// The one `expect` of this text, and its step's deadline.
#[track_caller]
fn expect(text: &str) -> (Vec<Check>, Timing, Duration) {
    let text =
        format!("name: x\nsummary: s\nworkloads: {{alpine: {{}}}}\nsteps:\n  - deploy: alpine\n  - expect: {text}\n");
    let step = good("x.yaml", &text).steps.remove(1);
    let deadline = step.deadline();
    let Action::Expect(expect) = step.action else { panic!("an expect") };
    (expect.checks, expect.timing, deadline)
}

#[test]
fn every_form_is_read() {
    let scenario = good("scenarios/every-form.yaml", EVERY_FORM);
    let titles: Vec<String> = scenario.steps.iter().map(|step| format!("{:>2} {}", step.line, step.title())).collect();
    insta::assert_snapshot!(titles.join("\n"), @r#"
    32 deploy alpine
    33 deploy plain without waiting
    34 scale alpine to 5
    35 delete plain
    36 deploy plain
    37 backup cilium-config
    38 configure flag=true, ipam=kubernetes, number=1.10, other=0755, remove some-key
    39 configure ipam=cluster-role
    40 configure cluster-pool-ipv4-cidr=192.168.255.0/30
    41 restore cilium-config
    42 upgrade with ipam.mode=kubernetes
    43 restart cilium-agent, hubble-relay
    45 restart alpine
    46 restart cilium-agent on worker without waiting, coredns
    47 restart cilium-operator
    48 delete CiliumNode of worker
    49 cordon worker
    50 uncordon worker
    51 remove node worker
    52 add node worker
    53 remove node worker3
    54 add node worker3 without waiting
    55 patch CiliumNode worker
    56 patch ConfigMap kube-system/worker
    57 patch status of CiliumNode worker2
    58 exec ip addr in alpine
    59 wait until settled for 5s
    60 wait until ready: alpine, cilium-agent
    61 wait for log of cilium-operator: "text ${node.podCIDR}"
    62 expect podIPs of alpine on worker, worker2 every within ciliumNode.podCIDRs; podIPs of alpine on worker, worker2 none within 10.9.0.0/16, fd00::/8; operatorStatus every clear; podCIDRs of ciliumNode every equal node.podCIDRs, unchanged since start, mask 24, not empty; pods of alpine unchanged, count 5, ready 5, endpoints 5; config gone-key absent, ipam=kubernetes, size=24; agents every ipam kubernetes, ready, not crash-looping; cel over CiliumNode worker every size(self.spec.ipam.podCIDRs) == 1; reachability from alpine to alpine every reachable; holds for 5s
    75 expect podIPs of alpine exactly 2 within pool; podIPs of coredns some within 10.0.0.0/8; operatorStatus on worker every error "text ${ciliumNode.podCIDRs@start} ${node.name}"; operatorStatus none matches /allocator .* full/; operatorStatus exactly 1 error "full"; podCIDRs of agent some within pool; podCIDRs of agent none disjoint from node.podCIDRs@switched; podCIDRs of agent exactly 1 mask 25; pods of hubble-relay unchanged since switched; pods of alpine count 0; agents exactly 3 ready; cel over Widget in a exactly 0 true; reachability from alpine to plain exactly 0 unreachable; never until the end
    88 expect pods of alpine unchanged since switched; holds until the next 2 steps have ended
    89 expect pods of alpine unchanged since start; holds until the end
    90 expect config ipam=kubernetes; never for 3s
    91 expect model
    "#);
    assert_eq!(scenario.clusters, [ClusterKind::Kind, ClusterKind::Sim]);
    assert_eq!(scenario.cluster.workers, 3);
    assert_eq!(scenario.cluster.controller_manager["node-cidr-mask-size"], "25");
    assert_eq!(scenario.cluster.controller_manager["v"], "4");
    assert_eq!(scenario.cilium.ipam.ipv4_pools[1].to_string(), "172.16.5.1/16", "host bits are kept");
    assert_eq!(
        serde_json::Value::Object(scenario.cilium.values.clone()),
        json!({"routingMode": "tunnel", "operator": {"replicas": 1}, "extraArgs": ["a", 1, 1.5, true, null]})
    );
    assert_eq!(scenario.workloads["alpine"].node, Some(NodeRef::Worker(2)));
    assert_eq!(scenario.allow["pool-smaller-than-mask"], "the how-to's closing command");
    assert_eq!(&*scenario.source.text, EVERY_FORM);
    assert_eq!(scenario.source.path, "scenarios/every-form.yaml");
}

#[test]
fn defaults() {
    let scenario = good("x.yaml", "name: x\nsummary: s\nworkloads: {web: {}}\nsteps: [{deploy: web}]\n");
    assert_eq!(scenario.clusters, [ClusterKind::Kind, ClusterKind::Existing, ClusterKind::Sim]);
    assert_eq!(scenario.cluster.workers, 2);
    assert_eq!(scenario.cluster.ip_family, IpFamily::Ipv4);
    assert_eq!(scenario.cluster.pod_subnet, ["10.244.0.0/16".parse().unwrap()]);
    assert_eq!(scenario.cluster.service_subnet, ["10.96.0.0/16".parse().unwrap()]);
    assert_eq!(scenario.cilium.versions.to_string(), "*");
    assert_eq!(scenario.cilium.ipam.mode, IpamMode::ClusterPool);
    assert_eq!(scenario.cilium.ipam.ipv4_pools, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!((scenario.cilium.ipam.ipv4_mask, scenario.cilium.ipam.ipv6_mask), (24, 120));
    assert_eq!(scenario.cilium.ipam.ipv6_pools, ["fd00::/104".parse().unwrap()]);
    let web = &scenario.workloads["web"];
    assert_eq!((web.image.as_str(), web.replicas, web.namespace.as_str()), ("alpine:3.22", 3, "web"));
    assert_eq!(scenario.steps[0].deadline(), Duration::from_secs(120));
}

#[rstest]
#[case("ipFamily: ipv6", IpFamily::Ipv6, &["fd00:10:244::/56"])]
#[case("ipFamily: dual", IpFamily::Dual, &["10.244.0.0/16", "fd00:10:244::/56"])]
#[case("ipFamily: dual, podSubnet: [10.1.0.0/16, 'fd01::/56']", IpFamily::Dual, &["10.1.0.0/16", "fd01::/56"])]
fn families(#[case] cluster: &str, #[case] family: IpFamily, #[case] pods: &[&str]) {
    let scenario =
        good("x.yaml", &format!("name: x\nsummary: s\ncluster: {{{cluster}}}\nsteps: [{{wait: {{settled: 1s}}}}]\n"));
    assert_eq!(scenario.cluster.ip_family, family);
    assert_eq!(scenario.cluster.pod_subnet.iter().map(ToString::to_string).collect::<Vec<_>>(), pods);
}

#[test]
fn an_installation_that_is_not_waited_for_and_a_refusal() {
    let text = "name: x\nsummary: s\ncilium: {ready: false}\nsteps:\n  - upgrade: {l7Proxy: maybe}\n    fails: not a bool\n  \
                - reinstall: {ipam: {operator: {clusterPoolIPv4MaskSize: 25}}}\n  - reinstall: {}\n  \
                - scale: {workload: cilium-operator, replicas: 0}\n";
    let scenario = good("x.yaml", text);
    assert!(!scenario.cilium.ready);
    assert_eq!(scenario.steps[0].fails.as_deref(), Some("not a bool"));
    let titles: Vec<String> = scenario.steps.iter().map(scenario::model::Step::title).collect();
    assert_eq!(
        titles,
        [
            "upgrade with l7Proxy=maybe, refused: \"not a bool\"",
            "reinstall Cilium with ipam.operator.clusterPoolIPv4MaskSize=25",
            "reinstall Cilium",
            "scale cilium-operator to 0",
        ]
    );
}

#[test]
fn configure_keeps_what_is_written() {
    let [Action::Configure(data)] =
        &actions("  - configure: {a: 1.10, b: true, c: 0755, d: null, e: 'x', f: 10}\n")[..]
    else {
        panic!("one configure")
    };
    let data: Vec<_> = data.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
    assert_eq!(
        data,
        [
            ("a", Some("1.10")),
            ("b", Some("true")),
            ("c", Some("0755")),
            ("d", None),
            ("e", Some("x")),
            ("f", Some("10"))
        ]
    );
}

#[test]
fn restart_takes_one_or_many() {
    let item = |component| RestartItem { target: RestartTarget::Component(component), on: vec![], ready: true };
    let found = actions(
        "  - restart: cilium-agent\n  - restart: [cilium-agent, coredns]\n  - restart: [{of: alpine, on: [worker2], ready: false}]\n",
    );
    assert_eq!(
        found,
        [
            Action::Restart(vec![item(Component::Agent)]),
            Action::Restart(vec![item(Component::Agent), item(Component::CoreDns)]),
            Action::Restart(vec![RestartItem {
                target: RestartTarget::Workload("alpine".to_owned()),
                on: vec![NodeRef::Worker(2)],
                ready: false
            }]),
        ]
    );
}

#[rstest]
#[case("kind: CiliumNode, name: worker2", "cilium.io/v2", ObjectName::Node(NodeRef::Worker(2)))]
#[case("kind: Node, name: control-plane", "v1", ObjectName::Node(NodeRef::ControlPlane))]
#[case("kind: Node, name: {node: worker}", "v1", ObjectName::Node(NodeRef::Worker(1)))]
#[case("kind: Node, name: my-node", "v1", ObjectName::Literal("my-node".to_owned()))]
#[case("kind: ConfigMap, namespace: a, name: worker", "v1", ObjectName::Literal("worker".to_owned()))]
#[case("kind: CiliumPodIPPool, name: default", "cilium.io/v2alpha1", ObjectName::Literal("default".to_owned()))]
#[case("kind: Foo, apiVersion: a/v1, name: b", "a/v1", ObjectName::Literal("b".to_owned()))]
fn objects(#[case] object: &str, #[case] api_version: &str, #[case] name: ObjectName) {
    let [Action::Patch(patch)] = &actions(&format!("  - patch: {{{object}, merge: {{a: b}}}}\n"))[..] else {
        panic!("one patch")
    };
    assert_eq!(patch.object.api_version, api_version);
    assert_eq!(patch.object.name, name);
    assert_eq!(patch.merge, json!({"a": "b"}));
}

#[test]
fn patch_variables_are_found() {
    let [Action::Patch(patch)] = &actions(
        "  - patch: {kind: CiliumNode, name: worker, merge: {a: ['x', 'is ${worker2.node.podCIDR}'], 'b/c': '${ciliumNode.podCIDRs@start}'}}\n",
    )[..] else {
        panic!("one patch")
    };
    let variable = |node, variable| NodePart::Variable { node: NodeRef::Worker(node), variable };
    let start = At::Label("start".to_owned());
    assert_eq!(
        patch.templates,
        [
            ("/a/1", vec![NodePart::Text("is ".to_owned()), variable(2, Variable::First(CidrSource::Node, At::Now))]),
            ("/b~1c", vec![variable(1, Variable::List(CidrSource::CiliumNode, start))]),
        ]
        .map(|(pointer, parts)| (pointer.to_owned(), NodeTemplate { parts }))
    );
    assert!(patch.templates.iter().all(|(pointer, _)| patch.merge.pointer(pointer).is_some()));
}

#[rstest]
#[case("ciliumNode.podCIDRs", CidrRef::Of(CidrSource::CiliumNode, At::Now))]
#[case("node.podCIDR@start", CidrRef::Of(CidrSource::Node, At::Label("start".to_owned())))]
#[case("agent.podCIDR", CidrRef::Of(CidrSource::Agent, At::Now))]
#[case("pool", CidrRef::Pool)]
#[case("10.0.0.0/8", CidrRef::Literal(vec!["10.0.0.0/8".parse().unwrap()]))]
#[case("[10.0.0.0/8, 'fd00::/8']", CidrRef::Literal(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]))]
fn ranges(#[case] text: &str, #[case] range: CidrRef) {
    let (checks, timing, deadline) = expect(&format!("{{podIPs: {{of: alpine, every: {{within: {text}}}}}}}"));
    let of = PodSet::Workload("alpine".to_owned());
    let matcher = IpMatcher::Within(range);
    assert_eq!(checks, [Check::PodIps { of, on: vec![], quantity: Quantity::Every, matcher }]);
    assert_eq!((timing, deadline), (Timing::Eventually, Duration::from_secs(60)));
}

#[test]
fn templates_are_taken_apart() {
    let (checks, ..) = expect(
        "{operatorStatus: {every: {error: 'node has CIDRs allocated (${ciliumNode.podCIDRs@start}) of ${node.name}: ${node.podCIDR} $x'}}}",
    );
    let [Check::OperatorStatus { matcher: StatusMatcher::Error(template), .. }] = &checks[..] else {
        panic!("one status")
    };
    let text = |text: &str| TemplatePart::Text(text.to_owned());
    assert_eq!(
        template.parts,
        [
            text("node has CIDRs allocated ("),
            TemplatePart::Variable(Variable::List(CidrSource::CiliumNode, At::Label("start".to_owned()))),
            text(") of "),
            TemplatePart::Variable(Variable::NodeName),
            text(": "),
            TemplatePart::Variable(Variable::First(CidrSource::Node, At::Now)),
            text(" $x"),
        ]
    );
}

#[test]
fn several_quantifiers_are_several_checks() {
    let (checks, ..) = expect(
        "{podCIDRs: {of: node, on: [worker], every: {mask: 24, empty: false}, none: {equal: pool}, exactly: {count: 1, unchanged: start}}}",
    );
    let check =
        |quantity, matcher| Check::PodCidrs { of: CidrSource::Node, on: vec![NodeRef::Worker(1)], quantity, matcher };
    assert_eq!(
        checks,
        [
            check(Quantity::Every, vec![CidrMatcher::Mask(24), CidrMatcher::Empty(false)]),
            check(Quantity::None, vec![CidrMatcher::Equal(CidrRef::Pool)]),
            check(Quantity::Exactly(1), vec![CidrMatcher::Unchanged(At::Label("start".to_owned()))]),
        ]
    );
}

#[test]
fn config_values_are_texts() {
    let (checks, ..) = expect("{config: {ipam: kubernetes, size: 24, flag: true, gone: null}}");
    let [Check::Config(keys)] = &checks[..] else { panic!("one config") };
    assert_eq!(keys["size"], ValueMatcher::Equal("24".to_owned()));
    assert_eq!(keys["flag"], ValueMatcher::Equal("true".to_owned()));
    assert_eq!(keys["gone"], ValueMatcher::Absent);
}

#[rstest]
#[case("within: 90s", Timing::Eventually, 90)]
#[case("holds: 5s", Timing::Holds(Span::For(Duration::from_secs(5))), 65)]
#[case("holds: 5s, within: 10s", Timing::Holds(Span::For(Duration::from_secs(5))), 10)]
#[case("holds: {steps: 2}", Timing::Holds(Span::Steps(2)), 60)]
#[case("never: {steps: rest}", Timing::Never(Span::Rest), 60)]
#[case("never: 1m 30s", Timing::Never(Span::For(Duration::from_secs(90))), 150)]
fn timing(#[case] text: &str, #[case] expected: Timing, #[case] deadline: u64) {
    let (_, timing, found) = expect(&format!("{{config: {{a: b}}, {text}}}"));
    assert_eq!((timing, found), (expected, Duration::from_secs(deadline)));
}

/// What is the same for some versions only is not called wrong for the others.
#[test]
fn steps_for_some_versions() {
    let text = "name: x\nsummary: s\nsteps:
  - {removeNode: worker, versions: '<1.20'}
  - {cordon: worker, versions: '>=1.20'}
  - addNode: worker
  - cordon: worker
";
    assert_eq!(good("x.yaml", text).steps.len(), 4);
}

/// The how-to's closing command is wrong on purpose.
#[test]
fn allow_drops_what_is_meant() {
    let text = "name: x\nsummary: s\nallow: {pool-smaller-than-mask: the how-to says so}\nsteps:
  - configure: {cluster-pool-ipv4-cidr: 192.168.255.0/30}
";
    let scenario = good("x.yaml", text);
    assert_eq!(scenario.allow.keys().collect::<Vec<_>>(), ["pool-smaller-than-mask"]);
}

#[rstest]
fn shipped_scenarios_are_right(#[files("../../scenarios/*/*.yaml")] path: std::path::PathBuf) {
    let path = Utf8PathBuf::from_path_buf(path).unwrap();
    good(path.as_str(), &std::fs::read_to_string(&path).unwrap());
}

#[test]
fn invariants_are_off_for_all_versions_or_for_some() {
    let off = good("scenarios/every-form.yaml", EVERY_FORM).invariants_off;
    let found: Vec<_> = off
        .iter()
        .map(|(invariant, off)| (invariant.as_str(), off.reason.as_str(), off.applies(&semver::Version::new(1, 19, 1))))
        .collect();
    assert_eq!(
        found,
        [
            ("pod-ip-in-podcidr", "the operator gives the range away", false),
            ("podcidrs-never-emptied", "a step empties them by hand", true),
        ]
    );
}
