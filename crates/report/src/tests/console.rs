//! The console's lines, and what a terminal shows.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use events::{
    ClusterKind, Event, EventKind, Failure, FailureClass, Invariant, Mismatch, Outcome, StepOutcome, Violation, Witness,
};
use indicatif::{InMemoryTerm, TermLike};

use super::sample::{Script, every_outcome, failure, hostile, one_passed, product_failure};
use crate::render::{Context, LiveView, Narrator};
use crate::summary::RecordedFailure;
use crate::text::plain_text;
use crate::{Console, Sink};

/// What is written, for looking at afterwards.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn plain(events: &[Event], colour: bool) -> String {
    let page = Page::default();
    let mut console = Console::plain(page.clone(), colour);
    for event in events {
        console.event(event).unwrap();
    }
    console.finish().unwrap();
    page.text()
}

#[test]
fn a_run_with_every_outcome() {
    insta::assert_snapshot!(plain(&every_outcome(), false));
}

#[test]
fn a_run_of_one_scenario_on_sim() {
    insta::assert_snapshot!(plain(&one_passed(), false));
}

#[test]
fn a_run_that_was_cut_off_still_has_its_end() {
    let events = every_outcome();
    let cut = events.iter().position(|event| matches!(event.kind, EventKind::Evidence { .. })).unwrap();
    let text = plain(&events[..cut], false);
    let tail = &text[text.find("evidence:").or(text.rfind("scenario ")).unwrap()..];
    insta::assert_snapshot!(tail);
}

#[test]
fn colours_change_nothing_but_colours() {
    for events in [every_outcome(), one_passed(), hostile()] {
        let coloured = plain(&events, true);
        assert!(coloured.contains("\u{1b}["));
        let stripped: Vec<_> =
            console::strip_ansi_codes(&coloured).lines().map(|line| line.trim_end().to_owned()).collect();
        assert_eq!(stripped, plain(&events, false).lines().collect::<Vec<_>>());
    }
}

#[test]
fn nothing_that_a_cluster_says_controls_the_terminal() {
    let text = plain(&hostile(), false);
    let control: Vec<char> = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
    assert!(control.is_empty(), "{control:?}");
    assert!(text.contains("\\u{202e}"), "{text}");
}

#[test]
fn waits_are_written_when_they_change_and_not_too_often() {
    let mut script = Script::new(ClusterKind::Kind, None, &["a"]);
    script.scenario("a", "", &["one", "two"]);
    script.push(EventKind::StepStarted { index: 0 });
    let start = script.events.len();
    for second in 0..25 {
        script.waiting("agents", &format!("{second} back"));
        script.after(1_000);
    }
    script.push(EventKind::StepEnded {
        index: 0,
        outcome: StepOutcome::Passed,
        took_ms: 25_000,
        subjects: None,
        detail: String::new(),
    });
    script.push(EventKind::StepStarted { index: 1 });
    script.after(60_000).push(EventKind::Warning { text: "an hour later".into() });
    let mut narrator = Narrator::new(true);
    let mut waits = Vec::new();
    for (index, event) in script.events.iter().enumerate() {
        let lines = narrator.event(event);
        if index >= start {
            waits.extend(lines.iter().map(|line| line.text()).filter(|line| line.contains("wait")));
        }
    }
    assert_eq!(
        waits,
        [
            " wait   0:00.0  for agents | last: 0 back",
            " wait   0:10.0  for agents | last: 10 back",
            " wait   0:20.0  for agents | last: 20 back"
        ]
    );
}

#[test]
fn a_wait_that_was_held_back_is_written_with_a_later_event_of_any_scenario() {
    let mut script = Script::new(ClusterKind::Kind, None, &["a", "b"]);
    script.scenario("a", "", &["one"]);
    script.waiting("agents", "1 back");
    script.after(3_000).waiting("agents", "2 back");
    script.after(9_000).scenario("b", "", &[]);
    let mut narrator = Narrator::new(true);
    let lines: Vec<_> = script.events.iter().flat_map(|event| narrator.event(event)).map(|line| line.text()).collect();
    assert!(lines.contains(&" wait   0:12.0  a  for agents | last: 2 back".to_owned()), "{lines:#?}");
}

#[test]
fn a_failure_of_many_objects_shows_some_and_says_how_many_more() {
    let mut failure = product_failure();
    failure.mismatches = (0..5_000)
        .map(|node| Mismatch {
            object: format!("CiliumNode/node-{node}"),
            field: "spec.ipam.podCIDRs".into(),
            expected: "within 10.0.0.0/8".into(),
            observed: format!("10.{}.{}.0/24", node / 256 + 1, node % 256),
            since_ms: None,
        })
        .collect();
    let recorded = RecordedFailure { at_ms: 187_000, failure };
    let text = plain_text(&crate::render::failure(Context::default(), &recorded));
    assert!(text.lines().count() < 60, "{text}");
    assert!(text.contains("and 4988 differences more, in events.ndjson"), "{text}");
}

#[test]
fn a_failure_with_nothing_known_is_two_lines() {
    let recorded = RecordedFailure { at_ms: 0, failure: failure(FailureClass::Input, "workload alpine is not there") };
    let lines = crate::render::failure(Context { scenario: Some("a"), ..Context::default() }, &recorded);
    insta::assert_snapshot!(plain_text(&lines), @r"
    ERROR a  input: the scenario asks for something that is not there
      message   workload alpine is not there
    ");
}

#[test]
fn a_reason_that_is_the_message_is_said_once() {
    let mut script = Script::new(ClusterKind::Kind, None, &["a"]);
    script.scenario("a", "S.", &["deploy alpine"]);
    script.push(EventKind::Failed { failure: failure(FailureClass::Interrupted, "stopped by the user") });
    script.end(Outcome::Interrupted, Some("stopped by the user"), None);
    let text = plain(&script.finish(), false);
    assert!(text.contains("interrupted  a: stopped by the user\n"), "{text}");
}

#[test]
fn a_violated_invariant_names_both_objects_with_versions_and_times() {
    let witness = |node: &str, version: &str, at_ms| Witness {
        object: format!("CiliumNode/{node}"),
        version: version.into(),
        at_ms,
        what: "spec.ipam.podCIDRs 10.0.1.0/24".into(),
    };
    let violation = Violation {
        invariant: Invariant::PodCidrsDisjoint,
        since_ms: 35_900,
        at_ms: 35_900,
        witnesses: vec![witness("worker2", "130", 35_900), witness("worker", "123", 35_100)],
    };
    let failure = Failure {
        violation: Some(violation),
        ..failure(FailureClass::Product, "invariant podcidrs-disjoint is violated")
    };
    let recorded = RecordedFailure { at_ms: 36_000, failure };
    let lines = crate::render::failure(Context { scenario: Some("a"), ..Context::default() }, &recorded);
    insta::assert_snapshot!(plain_text(&lines), @r"
    FAILED a  invariant: what must be so in every scenario was not
      message   invariant podcidrs-disjoint is violated
      invariant podcidrs-disjoint: no two live CiliumNodes' podCIDRs overlap
      since     0:35.9, certain at 0:35.9

      objects
        CiliumNode/worker2  resourceVersion 130, seen at 0:35.9
          spec.ipam.podCIDRs 10.0.1.0/24
        CiliumNode/worker  resourceVersion 123, seen at 0:35.1
          spec.ipam.podCIDRs 10.0.1.0/24
    ");
}

#[test]
fn a_closed_pipe_ends_the_console_and_not_the_run() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let page = Page::default();
    let mut reporter =
        crate::Reporter::new().with(Console::plain(Closed, false)).with(Console::plain(page.clone(), false));
    for event in one_passed() {
        reporter.event(&event);
    }
    assert_eq!(reporter.finish().unwrap_err().len(), 1);
    assert!(page.text().contains("report console is incomplete: broken pipe"), "{}", page.text());
    assert!(page.text().contains("1 scenario: 1 passed"), "{}", page.text());
}

#[test]
fn the_progress_lines_say_where_a_run_is() {
    let mut view = LiveView::default();
    let mut seen = Vec::new();
    for event in &every_outcome() {
        view.apply(event);
        for (name, scenario) in view.running() {
            let wait = scenario.waiting().map(|line| format!("\n  {}", line.text())).unwrap_or_default();
            let overall = view.overall().map(|line| format!("\n  {}", line.text())).unwrap_or_default();
            let now = format!("{}{wait}{overall}", view.line(name, scenario).text());
            if seen.last() != Some(&now) {
                seen.push(now);
            }
        }
    }
    assert!(view.running().is_empty());
    insta::assert_snapshot!(seen.join("\n"));
}

#[test]
fn a_terminal_shows_progress_below_the_lines_and_nothing_of_it_stays() {
    let screen = InMemoryTerm::new(60, 120);
    let mut console = Console::live(Arc::new(screen.clone()), false);
    let events = every_outcome();
    let failed = events.iter().position(|event| matches!(event.kind, EventKind::StepEnded { .. })).unwrap();
    for event in &events[..failed] {
        console.event(event).unwrap();
    }
    // Progress is drawn so many times a second, and always when a line is printed.
    let warning = EventKind::Warning { text: "look".into() };
    console.event(&Event { kind: warning, ..events[failed - 1].clone() }).unwrap();
    let text = screen.contents();
    let last: Vec<_> = text.lines().rev().take(2).collect();
    assert!(text.contains("ok   1:00.4  fresh-cluster-pool          install (22.4s)"), "{text}");
    assert!(last[1].contains("fresh-cluster-pool  steps 1/2 deploy alpine (limit 1m 00s)"), "{text}");
    assert_eq!(last[0].trim(), "0 of 6 done");

    for event in &events[failed..] {
        console.event(event).unwrap();
    }
    console.finish().unwrap();
    let text = screen.contents();
    assert!(!text.contains("done,") && !text.contains("limit"), "{text}");
    // The screen holds the run's last lines, each of them once, as they are without a terminal.
    let lines = plain(&events, false);
    let plain_lines: Vec<_> = lines.lines().collect();
    let shown: Vec<_> = text.lines().map(str::trim_end).collect();
    let tail = shown.len().min(25);
    assert_eq!(shown[shown.len() - tail..], plain_lines[plain_lines.len() - tail..], "{text}");
}

#[test]
fn a_terminal_that_is_gone_ends_the_console_without_a_panic() {
    #[derive(Debug)]
    struct Gone;
    impl TermLike for Gone {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn write_line(&self, _: &str) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn write_str(&self, _: &str) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn clear_line(&self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let mut console = Console::live(Arc::new(Gone), true);
    let mut errors = 0;
    for event in every_outcome() {
        errors += usize::from(console.event(&event).is_err());
    }
    assert!(errors > 10, "{errors}");
}

#[test]
fn outcomes_have_a_mark_each() {
    let text = plain(&every_outcome(), false);
    for (outcome, mark) in [
        (Outcome::Passed, "PASS"),
        (Outcome::Failed, "FAIL"),
        (Outcome::Error, "ERROR"),
        (Outcome::Interrupted, "STOP"),
        (Outcome::Skipped, "SKIP"),
    ] {
        let found = text.lines().any(|line| line.trim_start().starts_with(mark) && line.contains(outcome.as_str()));
        assert!(found, "{mark} {}", outcome.as_str());
    }
}
