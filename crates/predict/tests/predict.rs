//! Predictions against what real clusters did, and against what Cilium's own allocator does.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

use predict::{AgentState, NotCovered, OperatorState, Prediction, State};
use semver::Version;
use serde_json::json;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn scenario(text: &str) -> scenario::Scenario {
    let text = format!("name: x\nsummary: y\n{text}");
    let (scenario, problems) = scenario::parse("x.yaml".into(), text.as_bytes());
    scenario.unwrap_or_else(|| panic!("{problems:#?}"))
}

fn run(text: &str, on: &str) -> Prediction {
    predict::predict(&predict::plan(&scenario(text), &version(on)).unwrap()).unwrap()
}

/// `node podCIDRs error`, one for each node.
fn lines(state: &State) -> Vec<String> {
    state
        .nodes
        .iter()
        .map(|node| format!("{} {} {}", node.name, node.pod_cidrs().join(","), node.error()).trim_end().to_owned())
        .collect()
}

fn serves(state: &State, name: &str) -> Vec<String> {
    match &state.node(name).unwrap().agent {
        AgentState::Serving { cidrs, .. } => cidrs.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

const SETUP: &str = "cluster: {workers: 2, podSubnet: 10.224.0.0/16}\ncilium: {ipam: {mode: cluster-pool, clusterPoolIPv4PodCIDRList: [10.0.0.0/8]}}\n";

const ALL: [&str; 3] = ["1.18.4", "1.19.1", "1.20.2"];

/// The sequence that was recorded on kind with 1.18.4, 1.19.1 and 1.20.2.
#[test]
fn the_recorded_switch_of_the_mode_and_the_way_back() {
    let steps = "steps:\n  - configure: {ipam: kubernetes}\n  - restart: cilium-agent\n  - restart: cilium-operator\n  - configure: {ipam: cluster-pool}\n  - restart: cilium-agent\n  - restart: cilium-operator\n  - configure: {cluster-pool-ipv4-cidr: 192.168.0.0/16}\n  - restart: cilium-operator\n";
    for on in ["1.18.4", "1.19.1"] {
        let seen = run(&format!("{SETUP}{steps}"), on);
        let fresh = ["control-plane 10.0.0.0/24", "worker 10.0.1.0/24", "worker2 10.0.2.0/24"];
        assert_eq!(lines(&seen.start.state), fresh);
        assert_eq!(lines(&seen.steps[0].state), fresh, "nothing reads the ConfigMap while it runs");
        let conflict = "worker 10.224.1.0/24 node has CIDRs allocated ([10.0.1.0/24]) that conflict with requested CIDRs [10.224.1.0/24]";
        for step in 1..=4 {
            assert_eq!(lines(&seen.steps[step].state)[1], conflict, "{on}: step {step}");
        }
        assert_eq!(lines(&seen.steps[5].state)[1], "worker 10.224.1.0/24", "adopted: it lies in the pool");
        let outside = "worker 10.224.1.0/24 allocator not configured for the requested CIDR 10.224.1.0/24";
        assert_eq!(lines(&seen.steps[7].state)[1], outside);
        assert_eq!(serves(&seen.steps[7].state, "worker"), ["10.224.1.0/24"]);
    }
    let seen = run(&format!("{SETUP}{steps}"), "1.20.2");
    let switched = &seen.steps[1];
    assert_eq!(lines(&switched.state)[1], "worker 10.0.1.0/24");
    assert_eq!(serves(&switched.state, "worker"), ["10.224.1.0/24"], "CiliumNode and agent differ");
    let flash = switched.passing.iter().find(|moment| moment.node == "worker" && !moment.error.is_empty()).unwrap();
    assert_eq!(
        flash.error,
        "node has CIDRs allocated ([10.0.1.0/24]) that conflict with requested CIDRs [10.224.1.0/24]"
    );
}

#[test]
fn exhaustion_and_a_list_that_grows() {
    let text = "cilium: {ipam: {mode: cluster-pool, clusterPoolIPv4PodCIDRList: [10.9.0.0/23]}}\nsteps:\n  - configure: {cluster-pool-ipv4-cidr: 10.9.0.0/23 10.9.2.0/24}\n  - restart: cilium-operator\n";
    for on in ALL {
        let seen = run(text, on);
        assert_eq!(
            lines(&seen.start.state),
            ["control-plane 10.9.0.0/24", "worker 10.9.1.0/24", "worker2  allocator full"]
        );
        let AgentState::Waiting { error, .. } = &seen.start.state.node("worker2").unwrap().agent else {
            panic!("{:?}", seen.start.state)
        };
        assert_eq!(error, "required IPv4 PodCIDR not available");
        assert_eq!(lines(&seen.steps[1].state)[2], "worker2 10.9.2.0/24");
        assert_eq!(serves(&seen.steps[1].state, "worker2"), ["10.9.2.0/24"]);
    }
}

#[test]
fn nodes_that_leave_and_come_and_ciliumnodes_that_are_deleted() {
    let text = format!(
        "{SETUP}steps:\n  - removeNode: worker2\n  - addNode: worker2\n  - deleteCiliumNode: worker\n  - restart: {{of: cilium-agent, on: [worker]}}\n"
    );
    for on in ALL {
        let seen = run(&text, on);
        assert_eq!(lines(&seen.steps[0].state), ["control-plane 10.0.0.0/24", "worker 10.0.1.0/24"]);
        assert_eq!(lines(&seen.steps[1].state)[2], "worker2 10.0.3.0/24", "next-fit");
        assert_eq!(seen.steps[2].state.node("worker").unwrap().cilium_node, None);
        assert_eq!(serves(&seen.steps[2].state, "worker"), ["10.0.1.0/24"], "its agent does not notice");
        assert_eq!(lines(&seen.steps[3].state)[1], "worker 10.0.4.0/24");
    }
}

#[test]
fn edits_by_hand_with_variables() {
    let text = format!(
        "{SETUP}steps:\n  - patch: {{kind: CiliumNode, name: worker2, merge: {{spec: {{ipam: {{podCIDRs: ['${{worker.ciliumNode.podCIDR}}']}}}}}}}}\n  - restart: cilium-operator\n"
    );
    let old = run(&text, "1.19.1");
    assert_eq!(lines(&old.steps[1].state)[2], "worker2 10.0.1.0/24 requested CIDR (10.0.1.0/24) is already allocated");
    let new = run(&text, "1.20.2");
    assert_eq!(lines(&new.steps[0].state)[2], "worker2 10.0.2.0/24", "put back");
}

#[test]
fn a_mode_that_does_not_exist_and_a_pool_that_is_refused() {
    let text = format!(
        "{SETUP}allow: {{unknown-mode: on purpose, overlapping-ranges: on purpose}}\nsteps:\n  - configure: {{ipam: cluster-role}}\n  - restart: [cilium-operator, cilium-agent]\n  - configure: {{ipam: cluster-pool, cluster-pool-ipv4-cidr: 10.0.0.0/8 10.1.0.0/16}}\n  - restart: cilium-operator\n"
    );
    for on in ALL {
        let seen = run(&text, on);
        let state = &seen.steps[1].state;
        assert_eq!(state.operator, OperatorState::Idle { mode: "cluster-role".to_owned() });
        assert!(
            matches!(&state.nodes[0].agent, AgentState::Exiting { error, .. } if error == "Unknown IPAM backend cluster-role")
        );
        let OperatorState::Refusing { error } = &seen.steps[3].state.operator else {
            panic!("{:?}", seen.steps[3].state)
        };
        assert!(error.contains("collides with"), "{error}");
    }
}

#[test]
fn a_mode_that_is_not_covered_is_said_and_not_guessed() {
    let text = format!("{SETUP}steps:\n  - configure: {{ipam: multi-pool}}\n  - restart: cilium-operator\n");
    let plan = predict::plan(&scenario(&text), &version("1.19.1")).unwrap();
    let error: NotCovered = predict::predict(&plan).unwrap_err();
    assert!(error.to_string().contains("multi-pool"), "{error}");
    let eni = json!({"ipam": {"mode": "eni"}});
    let plan = predict::of_values("v.yaml", eni.as_object().unwrap(), &version("1.20.2"), 3, &[]).unwrap();
    assert!(predict::predict(&plan).unwrap_err().to_string().contains("mode eni"));
}

#[test]
fn an_upgrade_is_helm_s_and_restarts_what_the_chart_restarts() {
    let text = format!(
        "{SETUP}steps:\n  - upgrade: {{ipam: {{operator: {{clusterPoolIPv4PodCIDRList: [10.77.0.0/16]}}}}}}\n  - upgrade: {{operator: {{rollOutPods: true}}, ipam: {{operator: {{clusterPoolIPv4PodCIDRList: [10.78.0.0/16]}}}}}}\n"
    );
    let seen = run(&text, "1.19.1");
    assert_eq!(lines(&seen.steps[0].state), lines(&seen.start.state));
    assert!(lines(&seen.steps[1].state)[0].contains("allocator not configured"), "{:?}", lines(&seen.steps[1].state));
}

#[test]
fn steps_for_other_versions_are_left_out() {
    let text = format!("{SETUP}steps:\n  - versions: \"<1.19\"\n    restart: cilium-operator\n");
    assert!(run(&text, "1.19.1").steps[0].skipped.as_ref().unwrap().contains("this is 1.19.1"));
    assert_eq!(run(&text, "1.18.4").steps[0].skipped, None);
}

fn picture(list: &str, mask: u8, nodes: u32) -> String {
    let values = json!({"ipam": {"operator": {"clusterPoolIPv4PodCIDRList": [list], "clusterPoolIPv4MaskSize": mask}}});
    let plan = predict::of_values("v.yaml", values.as_object().unwrap(), &version("1.19.1"), nodes, &[]).unwrap();
    predict::picture(&predict::predict(&plan).unwrap().start.state)
}

#[test]
fn a_small_pool_is_one_row() {
    assert_eq!(
        picture("10.0.0.0/28", 30, 3),
        "pool 10.0.0.0/28 in ranges of /30: 3 of 4 used, 1 free\n  [ABC.]\n  free: 10.0.0.12/30\n  A node-1 10.0.0.0/30   B node-2 10.0.0.4/30   C node-3 10.0.0.8/30\n"
    );
    assert!(picture("10.0.0.0/24", 26, 5).contains("[ABCD]\n  free: nothing"));
    assert!(picture("10.0.0.0/30", 24, 1).contains("no room for a range of /24"));
}

#[test]
fn a_large_pool_is_the_whole_and_what_is_used_of_it() {
    let drawn = picture("10.0.0.0/8", 24, 3);
    let expected = format!(
        "pool 10.0.0.0/8 in ranges of /24: 3 of 65,536 used, 65,533 free\n  [+{}] each character is 1,024 ranges\n  [ABC{}] from 10.0.0.0/24\n  free: 10.0.3.0/24 and 65,532 after it\n",
        ".".repeat(63),
        ".".repeat(61)
    );
    assert!(drawn.starts_with(&expected), "{drawn}");
}

#[test]
fn a_hundred_nodes_fit_on_a_page() {
    let values =
        json!({"ipam": {"operator": {"clusterPoolIPv4PodCIDRList": ["10.0.0.0/18"], "clusterPoolIPv4MaskSize": 24}}});
    let plan = predict::of_values("v.yaml", values.as_object().unwrap(), &version("1.19.1"), 100, &[]).unwrap();
    let seen = predict::predict(&plan).unwrap();
    assert_eq!(seen.start.state.nodes.iter().filter(|node| node.error() == "allocator full").count(), 36);
    let text = predict::timeline(&seen);
    assert!(text.lines().count() < 50, "{text}");
    assert!(text.contains("and 80 more: 36 with an error in operator-status, 36 without podCIDRs"), "{text}");
}

#[test]
fn the_timeline_says_as_before_where_nothing_changes() {
    let seen = run(&format!("{SETUP}steps:\n  - backup: cilium-config\n"), "1.19.1");
    let text = predict::timeline(&seen);
    assert!(text.contains("1/1  backup cilium-config\n       as before"), "{text}");
}
