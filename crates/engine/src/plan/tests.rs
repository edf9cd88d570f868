//! Plans.

use std::sync::Arc;
use std::time::Duration;

use camino::Utf8Path;
use events::ClusterKind;
use rstest::rstest;
use semver::Version;

use super::{Plan, PlanError, plan};

#[track_caller]
fn planned(text: &str, version: &str, kind: ClusterKind, scale: f64) -> Result<Plan, PlanError> {
    let (scenario, problems) = scenario::parse(Utf8Path::new("t.yaml"), text.as_bytes());
    let scenario = Arc::new(scenario.unwrap_or_else(|| panic!("{text}\n{problems:#?}")));
    plan(&scenario, &version.parse::<Version>().expect("a version"), kind, scale)
}

const HEAD: &str = "name: t\nsummary: s\nworkloads: {alpine: {}}\n";

#[test]
fn every_step_has_a_title_a_line_and_a_deadline() {
    let text = format!(
        "{HEAD}steps:\n  - deploy: alpine\n  - expect:\n      operatorStatus: {{every: clear}}\n      within: 7s\n"
    );
    let plan = planned(&text, "1.19.1", ClusterKind::Kind, 2.0).expect("a plan");
    assert_eq!((plan.skip.as_deref(), plan.steps.len()), (None, 2));
    assert_eq!((plan.steps[0].line, plan.steps[0].title.as_str()), (5, "deploy alpine"));
    assert_eq!(plan.steps[0].within, plan.scenario.steps[0].deadline() * 2);
    assert_eq!(plan.steps[1].within, Duration::from_secs(14));
    assert!(plan.steps.iter().all(|step| step.skip.is_none()));
    assert_eq!(plan.events()[1].deadline_ms, 14_000);
}

#[rstest]
#[case::inside("1.19.1", None)]
#[case::pre_release_counts_as_its_release("1.19.0-rc.1", None)]
#[case::below("1.17.9", Some("for Cilium >=1.18, <1.20, this is 1.17.9"))]
#[case::above("1.20.0", Some("for Cilium >=1.18, <1.20, this is 1.20.0"))]
fn a_scenario_for_other_versions_is_skipped(#[case] version: &str, #[case] skip: Option<&str>) {
    let text = format!("{HEAD}cilium: {{versions: \">=1.18, <1.20\"}}\nsteps:\n  - deploy: alpine\n");
    let plan = planned(&text, version, ClusterKind::Kind, 1.0).expect("a plan");
    assert_eq!(plan.skip.as_deref(), skip);
}

#[rstest]
#[case("1.18.4", true)]
#[case("1.20.2", false)]
fn so_is_a_step(#[case] version: &str, #[case] runs: bool) {
    let text = format!("{HEAD}steps:\n  - deploy: alpine\n  - versions: \"<1.20\"\n    restart: cilium-agent\n");
    let plan = planned(&text, version, ClusterKind::Kind, 1.0).expect("a plan");
    assert_eq!(plan.steps[0].skip, None);
    assert_eq!(plan.steps[1].skip.is_none(), runs);
    assert!(runs || plan.steps[1].skip.as_deref() == Some("for Cilium <1.20, this is 1.20.2"));
}

#[rstest]
#[case(ClusterKind::Kind, None)]
#[case(ClusterKind::Existing, None)]
#[case(ClusterKind::Sim, Some("for kind and existing only: sim has no image pulls"))]
fn so_is_a_scenario_for_other_clusters(#[case] kind: ClusterKind, #[case] skip: Option<&str>) {
    let text = format!(
        "{HEAD}clusters: [kind, existing]\nclustersReason: sim has no image pulls\nsteps:\n  - deploy: alpine\n"
    );
    let plan = planned(&text, "1.19.1", kind, 1.0).expect("a plan");
    assert_eq!(plan.skip.is_some(), skip.is_some(), "{:?}", plan.skip);
    assert!(skip.is_none_or(|skip| plan.skip.is_some_and(|text| text.starts_with(skip))));
}

#[test]
fn an_expression_that_does_not_compile_is_bad_input() {
    let text =
        format!("{HEAD}steps:\n  - deploy: alpine\n  - expect:\n      cel: {{kind: Node, every: 'self.spec. == 1'}}\n");
    let error = planned(&text, "1.19.1", ClusterKind::Sim, 1.0).expect_err("it is not CEL");
    assert_eq!((error.path.as_str(), error.line), ("t.yaml", 6));
    assert!(error.message.starts_with("the CEL expression `self.spec. == 1` does not compile: "), "{error}");
}

#[rstest]
#[case::holds_over_steps("holds: {steps: 1}", true)]
#[case::never_until_the_end("never: {steps: rest}", true)]
#[case::holds_for_a_time("holds: 5s", false)]
#[case::eventually("within: 5s", false)]
fn pings_cannot_go_on_while_other_steps_run(#[case] timing: &str, #[case] refused: bool) {
    let text = format!(
        "{HEAD}steps:\n  - deploy: alpine\n  - expect:\n      reachability: {{from: alpine, to: alpine, every: reachable}}\n      {timing}\n  - restart: cilium-agent\n"
    );
    let plan = planned(&text, "1.19.1", ClusterKind::Sim, 1.0);
    assert_eq!(plan.is_err(), refused);
    if let Err(error) = plan {
        assert!(error.to_string().contains("write a time instead of steps (`holds: 5s`)"), "{error}");
    }
}
