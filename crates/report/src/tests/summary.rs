//! What a run comes to, wherever its events end.

use events::{ClusterKind, EventKind, FailureClass, Outcome, Phase, StepOutcome, Tally, exit};

use super::sample::{Script, every_outcome, failure, one_passed, product_failure};
use crate::RunSummary;
use crate::summary::StepState;

#[test]
fn a_whole_run_agrees_with_its_last_event() {
    let events = every_outcome();
    let summary = RunSummary::from_events(&events);
    let Some(EventKind::RunEnded { tally, exit_code, took_ms }) = events.last().map(|event| event.kind.clone()) else {
        panic!("the sample has no end");
    };
    assert_eq!((summary.tally, summary.exit_code, summary.took_ms), (tally, exit_code, took_ms));
    assert_eq!(tally, Tally { passed: 1, failed: 1, error: 1, interrupted: 2, skipped: 1, ..Tally::default() });
    assert_eq!(summary.exit_code, exit::FAILED);
    assert!(!summary.cut_off && summary.remarks.is_empty(), "{:?}", summary.remarks);
}

#[test]
fn a_run_that_is_cut_off_anywhere_never_passes_and_loses_no_scenario() {
    for events in [every_outcome(), one_passed()] {
        let planned = RunSummary::from_events(&events).scenarios.len();
        for length in 1..events.len() {
            let summary = RunSummary::from_events(&events[..length]);
            assert!(summary.cut_off, "after {length} events");
            assert_ne!(summary.exit_code, exit::PASSED, "after {length} events");
            assert_eq!(summary.scenarios.len(), planned, "after {length} events");
            assert_eq!(summary.tally.total(), planned, "after {length} events");
        }
    }
}

#[test]
fn a_scenario_without_an_end_is_interrupted_with_what_was_done() {
    let mut script = Script::new(ClusterKind::Kind, None, &["a", "b"]);
    script.scenario("a", "", &["one", "two", "three"]);
    script.phase(Phase::Create, 1_000);
    script.push(EventKind::PhaseStarted { phase: Phase::Steps });
    script.step(0, 100, StepOutcome::Passed, None, "");
    script.push(EventKind::StepStarted { index: 1 });
    script.after(400).waiting("x", "y");
    let summary = RunSummary::from_events(&script.events);

    let a = &summary.scenarios[0];
    assert_eq!((a.outcome, a.took_ms), (Outcome::Interrupted, 1_500));
    assert_eq!(a.reason.as_deref(), Some("the run was cut off"));
    let states: Vec<_> = a.steps.iter().map(|step| (step.state, step.took_ms)).collect();
    assert_eq!(states, [(StepState::Passed, Some(100)), (StepState::Unfinished, Some(400)), (StepState::NotRun, None)]);
    assert_eq!((a.phase_ms(Phase::Steps), a.phases[1].ended), (Some(500), false));
    assert_eq!(a.phase_ms(Phase::Remove), None);

    let b = &summary.scenarios[1];
    assert_eq!((b.outcome, b.took_ms), (Outcome::Interrupted, 0));
    assert_eq!(b.reason.as_deref(), Some("the run was cut off before it began"));
    assert_eq!(summary.exit_code, exit::INTERRUPTED);
}

#[test]
fn a_recorded_failure_decides_also_without_an_end() {
    for (failure, outcome, code) in [
        (product_failure(), Outcome::Failed, exit::FAILED),
        (failure(FailureClass::Infrastructure, "x"), Outcome::Error, exit::ERROR),
        (failure(FailureClass::Input, "x"), Outcome::Error, exit::ERROR),
        (failure(FailureClass::Interrupted, "x"), Outcome::Interrupted, exit::INTERRUPTED),
        (failure(FailureClass::Unexpected, "x"), Outcome::Xpassed, exit::FAILED),
    ] {
        let mut script = Script::new(ClusterKind::Kind, None, &["a"]);
        script.scenario("a", "", &[]);
        script.push(EventKind::Failed { failure });
        let summary = RunSummary::from_events(&script.events);
        assert_eq!((summary.scenarios[0].outcome, summary.exit_code), (outcome, code));
    }
}

#[test]
fn what_the_plan_did_not_have_is_reported_too() {
    let mut script = Script::new(ClusterKind::Kind, None, &["a"]);
    script.scenario("a", "", &[]);
    script.step(1, 5, StepOutcome::Passed, None, "done");
    script.end(Outcome::Passed, None, None);
    script.scenario("a", "again", &[]);
    script.end(Outcome::Failed, None, None);
    script.unbegun("stranger", Outcome::Skipped, "not announced");
    let summary = RunSummary::from_events(&script.finish());
    let found: Vec<_> = summary.scenarios.iter().map(|scenario| (scenario.name.as_str(), scenario.outcome)).collect();
    assert_eq!(found, [("a", Outcome::Passed), ("a", Outcome::Failed), ("stranger", Outcome::Skipped)]);
    assert_eq!(summary.scenarios[0].steps[1].state, StepState::Passed);
}

#[test]
fn counts_that_differ_from_the_results_are_not_believed() {
    let mut events = every_outcome();
    if let Some(EventKind::RunEnded { tally, exit_code, .. }) = events.last_mut().map(|event| &mut event.kind) {
        *tally = Tally { passed: 6, ..Tally::default() };
        *exit_code = exit::PASSED;
    }
    let summary = RunSummary::from_events(&events);
    assert_eq!((summary.tally.failed, summary.exit_code), (1, exit::FAILED));
    assert_eq!(summary.remarks, ["the run's own counts differ from its scenarios' results"]);
}

#[test]
fn a_failure_outside_any_scenario_is_kept() {
    let mut script = Script::new(ClusterKind::Kind, None, &["a"]);
    script.push(EventKind::Failed { failure: failure(FailureClass::Infrastructure, "docker went away") });
    let summary = RunSummary::from_events(&script.events);
    assert_eq!(summary.failures[0].failure.message, "docker went away");
    assert_eq!(summary.exit_code, exit::INTERRUPTED, "its scenario was not run, nothing else is known");
}

#[test]
fn no_events_at_all_are_a_run_that_was_cut_off() {
    let summary = RunSummary::from_events([]);
    assert!(summary.cut_off && summary.run.is_none());
    assert_eq!(summary.exit_code, exit::INTERRUPTED);
}
