//! Every kind of check with every quantity.

use rstest::rstest;

use super::check;
use super::scene::Scene;

/// A check without its quantifier: what stands before it, the matcher alone, and the matcher beside a count.
#[derive(Debug)]
struct Form {
    before: &'static str,
    alone: &'static str,
    beside: &'static str,
}

const POD_IPS: Form =
    Form { before: "podIPs: {of: alpine, ", alone: "{within: 10.0.0.0/8}", beside: "within: 10.0.0.0/8" };
const STATUS: Form = Form { before: "operatorStatus: {", alone: "clear", beside: "clear: true" };
const CILIUM_NODE: Form =
    Form { before: "podCIDRs: {of: ciliumNode, ", alone: "{within: pool}", beside: "within: pool" };
const AGENTS: Form = Form { before: "agents: {", alone: "{ready: true}", beside: "ready: true" };
const CEL: Form = Form {
    before: "cel: {kind: CiliumNode, apiVersion: cilium.io/v2, ",
    alone: "'self.spec.ipam.podCIDRs[0].startsWith(\"10.\")'",
    beside: "cel: 'self.spec.ipam.podCIDRs[0].startsWith(\"10.\")'",
};
const REACH: Form =
    Form { before: "reachability: {from: alpine, to: alpine, ", alone: "reachable", beside: "reach: reachable" };

/// All subjects match, some do, or there are none.
#[derive(Debug, Clone, Copy)]
enum How {
    All,
    Some,
    NoSubjects,
}

#[rstest]
fn quantity(
    #[values(&POD_IPS, &STATUS, &CILIUM_NODE, &AGENTS, &CEL, &REACH)] form: &Form,
    #[values(How::All, How::Some, How::NoSubjects)] how: How,
) {
    let scene = match how {
        How::All => Scene::full(),
        How::Some => Scene::one_differs(),
        How::NoSubjects => Scene::empty(),
    };
    let pairs = form.before.starts_with("reachability");
    let (all, some) = if pairs { (6, 4) } else { (3, 2) };
    let matching = match how {
        How::All => all,
        How::Some => some,
        How::NoSubjects => 0,
    };
    let subjects = !matches!(how, How::NoSubjects);
    let Form { before, alone, beside } = form;
    check(&scene, &format!("{before}every: {alone}}}"), subjects && matching == all, &[]);
    check(&scene, &format!("{before}some: {alone}}}"), matching > 0, &[]);
    check(&scene, &format!("{before}none: {alone}}}"), subjects && matching == 0, &[]);
    for count in 0..=all {
        let text = format!("{before}exactly: {{count: {count}, {beside}}}}}");
        check(&scene, &text, subjects && matching == count, &[]);
    }
    if !subjects {
        check(&scene, &format!("{before}none: {alone}}}"), false, &["objects to look at | at least one | none"]);
    }
}

#[test]
fn none_holds_where_there_is_something_and_it_does_not_match() {
    let scene = Scene::full();
    check(&scene, "podIPs: {of: alpine, none: {within: 10.9.0.0/16}}", true, &[]);
    check(&scene, "operatorStatus: {none: {matches: boom}}", true, &[]);
    check(&scene, "podCIDRs: {of: ciliumNode, none: {empty: true}}", true, &[]);
    check(&scene, "agents: {none: {ipam: kubernetes}}", true, &[]);
    check(&scene, "cel: {kind: Node, none: 'self.metadata.name == \"x\"'}", true, &[]);
    check(&scene, "reachability: {from: alpine, to: alpine, none: unreachable}", true, &[]);
}

#[test]
fn each_quantity_words_its_own_mismatch() {
    let scene = Scene::one_differs();
    check(
        &scene,
        "operatorStatus: {every: clear}",
        false,
        &["CiliumNode/t-worker2 | status.ipam.operator-status.error | clear | boom"],
    );
    check(&scene, "operatorStatus: {none: {matches: bo+m}}", false, &["| not an error that matches /bo+m/ | boom"]);
    check(
        &scene,
        "operatorStatus: {some: {matches: bang}}",
        false,
        &["an error that matches /bang/ (on at least one of 3) | clear"],
    );
    check(
        &scene,
        "operatorStatus: {exactly: {count: 3, clear: true}}",
        false,
        &[
            "t-worker | status.ipam.operator-status.error | clear (on exactly 3 of 3; this one matches) | clear",
            "does not match) | boom",
        ],
    );
}

#[test]
fn on_narrows_the_subjects() {
    let scene = Scene::one_differs();
    check(&scene, "operatorStatus: {on: [control-plane, worker], every: clear}", true, &[]);
    check(&scene, "operatorStatus: {on: [worker2], every: clear}", false, &["t-worker2"]);
    check(&scene, "podIPs: {of: alpine, on: [worker], every: {within: 10.0.1.0/24}}", true, &[]);
    check(&scene, "pods: {of: alpine, on: [worker], count: 1}", true, &[]);
    check(&scene, "agents: {on: [worker2], every: {ready: false}}", true, &[]);
}

#[test]
fn a_removed_node_keeps_its_role_and_has_nothing() {
    let mut scene = Scene::full();
    scene.delete("Node", "t-worker2");
    scene.delete("CiliumNode", "t-worker2");
    scene.delete("Pod", "cilium-2");
    scene.delete("Pod", "alpine-2");
    check(&scene, "operatorStatus: {every: clear}", true, &[]);
    check(
        &scene,
        "operatorStatus: {on: [worker2], every: clear}",
        false,
        &["CiliumNode/t-worker2 | status.ipam.operator-status.error | clear | no such CiliumNode"],
    );
    check(&scene, "agents: {on: [worker2], none: {ready: true}}", false, &["no agent pod"]);
    check(&scene, "podIPs: {of: alpine, on: [worker2], none: {within: pool}}", false, &["at least one | none"]);
    check(
        &scene,
        "podCIDRs: {of: node, on: [worker2], every: {empty: false}}",
        false,
        &["Node/t-worker2 is not there"],
    );
    check(&scene, "cel: {kind: Node, name: worker2, every: 'true'}", false, &["at least one | none"]);
}
