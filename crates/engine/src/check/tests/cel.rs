//! CEL over any object.

use rstest::rstest;
use serde_json::json;

use super::check;
use super::scene::Scene;
use crate::check::Programs;

#[rstest]
#[case::field("self.metadata.name.startsWith('t-')", true)]
#[case::list("self.spec.podCIDRs[0].endsWith('/24')", true)]
#[case::cidr_library("cidr('10.244.0.0/16').containsCIDR(self.spec.podCIDR)", true)]
#[case::has("!has(self.spec.unschedulable)", true)]
#[case::number("size(self.status.conditions) == 1", true)]
#[case::no("self.metadata.name == 't-worker'", false)]
fn over_nodes(#[case] expression: &str, #[case] held: bool) {
    check(&Scene::full(), &format!("cel: {{kind: Node, every: \"{expression}\"}}"), held, &[]);
}

#[test]
fn an_expression_without_a_value_neither_holds_nor_fails_to() {
    let scene = Scene::full();
    let says = &["the expression has no value: "];
    check(&scene, "cel: {kind: Node, every: 'self.spec.nothing == 1'}", false, says);
    check(&scene, "cel: {kind: Node, none: 'self.spec.nothing == 1'}", false, says);
    check(&scene, "cel: {kind: Node, none: 'has(self.spec.nothing) && self.spec.nothing == 1'}", true, &[]);
}

#[test]
fn what_is_no_boolean_neither_holds_nor_fails_to() {
    let scene = Scene::full();
    check(&scene, "cel: {kind: Node, every: 'self.metadata.name'}", false, &["which is not a boolean"]);
    check(&scene, "cel: {kind: Node, none: 'self.metadata.name'}", false, &["which is not a boolean"]);
}

#[test]
fn only_the_named_object() {
    let mut scene = Scene::full();
    scene.edit("Node", "t-worker2", |node| node["spec"]["unschedulable"] = json!(true));
    let cordoned = "has(self.spec.unschedulable) && self.spec.unschedulable";
    check(&scene, &format!("cel: {{kind: Node, name: worker2, every: '{cordoned}'}}"), true, &[]);
    check(&scene, &format!("cel: {{kind: Node, name: worker, every: '{cordoned}'}}"), false, &["Node/t-worker | has("]);
    check(&scene, "cel: {kind: Pod, namespace: alpine, exactly: {count: 3, cel: 'true'}}", true, &[]);
    check(&scene, "cel: {kind: Pod, namespace: nowhere, every: 'true'}", false, &["Pod objects | objects to look at"]);
    check(
        &scene,
        "cel: {kind: Pod, namespace: alpine, name: alpine-1, every: 'false'}",
        false,
        &["Pod/alpine/alpine-1 | false | true | false"],
    );
}

#[test]
fn what_does_not_compile_says_so() {
    let why = Programs::default().add("self.spec. == 1").expect_err("it is not CEL");
    assert!(!why.is_empty());
}
