//! `expect`: eventually, holds, never.

use std::time::Duration;

use scenario::model::{Check, Expect, Span, Timing};
use tokio::time::Instant;

use super::{Done, exec};
use crate::check::{Verdict, evaluate_all, kinds};
use crate::failure::StepError;
use crate::monitor::Monitor;
use crate::observe::KindName;
use crate::session::{Level, Session};

/// Between two rounds of pings: the one thing that no watch tells.
const PING_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn expect(
    session: &mut Session,
    index: usize,
    began: Instant,
    deadline: Instant,
    expect: &Expect,
    has_deadline: bool,
) -> Result<Done, StepError> {
    if let Some(mut monitor) = Monitor::new(index, expect) {
        session.drain()?;
        monitor.look(Instant::now(), &session.context());
        let word = monitor.word();
        session.monitors.push(monitor);
        session.violation(None)?;
        return Ok(Done::new(format!("{word}: watched from here on")));
    }
    let pings = expect.checks.iter().any(|check| matches!(check, Check::Reachability { .. }));
    let watched: Vec<KindName> = expect.checks.iter().flat_map(kinds).collect();
    let look = Look { checks: &expect.checks, pings, watched: &watched };
    match expect.timing {
        Timing::Eventually => look.reach(session, deadline, true).await.map(|verdict| done(&verdict, "")),
        Timing::Holds(Span::For(span)) => {
            // Without a deadline of its own it must hold from the start.
            let reach_by = if has_deadline { deadline } else { began };
            look.reach(session, reach_by, true).await?;
            let verdict = look.keep(session, Instant::now() + span, true).await?;
            Ok(done(&verdict, &format!(", held for {}", humantime::format_duration(span))))
        }
        Timing::Never(Span::For(span)) => {
            let verdict = look.keep(session, began + span, false).await?;
            Ok(done(&verdict, &format!(", never so for {}", humantime::format_duration(span))))
        }
        // Spans over steps are monitors.
        Timing::Holds(_) | Timing::Never(_) => Ok(Done::default()),
    }
}

fn done(verdict: &Verdict, extra: &str) -> Done {
    let objects = if verdict.subjects == 1 { "object" } else { "objects" };
    Done { subjects: Some(verdict.subjects), detail: format!("{} {objects} looked at{extra}", verdict.subjects) }
}

struct Look<'a> {
    checks: &'a [Check],
    pings: bool,
    watched: &'a [KindName],
}

impl Look<'_> {
    /// Waits until the checks hold.
    async fn reach(&self, session: &mut Session, deadline: Instant, wanted: bool) -> Result<Verdict, StepError> {
        session.drain()?;
        loop {
            if self.pings {
                exec::ping(session, self.checks).await?;
            }
            // With pings, one look and then the next round; else until the deadline, look by look.
            let until = if self.pings { deadline.min(Instant::now() + PING_PAUSE) } else { deadline };
            let outcome = session
                .until(until, "what is expected", self.watched, |session| {
                    let verdict = evaluate_all(self.checks, &session.context());
                    if verdict.held == wanted { Level::Done(verdict) } else { Level::not_yet(in_a_line(&verdict)) }
                })
                .await;
            match outcome {
                Ok(verdict) => return Ok(verdict),
                Err(StepError::Mismatch { .. }) if self.pings && Instant::now() < deadline => {}
                Err(StepError::Mismatch { .. }) => {
                    let verdict = evaluate_all(self.checks, &session.context());
                    return Err(mismatch("what is expected is not so", &verdict));
                }
                Err(StepError::Infrastructure { message, mut mismatches }) => {
                    mismatches.extend(evaluate_all(self.checks, &session.context()).mismatches);
                    return Err(StepError::Infrastructure { message, mismatches });
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// Sees to it that the checks stay as they are (`held`) until `end`, at every single observation.
    async fn keep(&self, session: &mut Session, end: Instant, held: bool) -> Result<Verdict, StepError> {
        session.drain()?;
        let mut subjects = 0;
        let mut next_ping = Instant::now();
        let began = Instant::now();
        let mut last = Verdict::nothing("the checks");
        loop {
            if self.pings && Instant::now() >= next_ping {
                exec::ping(session, self.checks).await?;
                next_ping = Instant::now() + PING_PAUSE;
            }
            let wake = if self.pings { next_ping.min(end) } else { end };
            // Each turn of this loop is one observation or one moment to look again.
            let mut looked = false;
            let broken = session
                .until(wake + Duration::from_secs(3600), "that it stays so", self.watched, |session| {
                    let verdict = evaluate_all(self.checks, &session.context());
                    subjects = subjects.max(verdict.subjects);
                    let broken = verdict.held != held;
                    last = verdict;
                    if broken {
                        return Level::Done(true);
                    }
                    if Instant::now() >= wake {
                        return Level::Done(false);
                    }
                    looked = true;
                    let left = end.saturating_duration_since(Instant::now()).as_millis().div_ceil(1000);
                    Level::NotYet { last: format!("as it should be; {left}s to go"), wake: Some(wake) }
                })
                .await?;
            if broken {
                let after = humantime::format_duration(Duration::from_millis(
                    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                ));
                let message = if held {
                    format!("it did not hold: after {after} it was no longer so")
                } else {
                    format!("it must never be so, and after {after} it was")
                };
                return Err(mismatch(&message, &last));
            }
            if Instant::now() >= end {
                if subjects == 0 {
                    return Err(mismatch("there was nothing to look at", &Verdict::nothing("the checks")));
                }
                return Ok(Verdict { subjects, ..last });
            }
        }
    }
}

fn mismatch(message: &str, verdict: &Verdict) -> StepError {
    let message = match verdict.mismatches.as_slice() {
        [] => message.to_owned(),
        [one] => format!("{message}: {}: {} is {}, expected {}", one.object, one.field, one.observed, one.expected),
        [one, rest @ ..] => format!(
            "{message}: {}: {} is {}, expected {} (and {} more)",
            one.object,
            one.field,
            one.observed,
            one.expected,
            rest.len()
        ),
    };
    StepError::Mismatch { message, mismatches: verdict.mismatches.clone() }
}

fn in_a_line(verdict: &Verdict) -> String {
    match verdict.mismatches.first() {
        Some(one) => {
            let more = match verdict.mismatches.len() {
                1 => String::new(),
                n => format!(" (and {} more)", n - 1),
            };
            format!("{}: {} is {}, expected {}{more}", one.object, one.field, one.observed, one.expected)
        }
        None => format!("{} objects looked at", verdict.subjects),
    }
}
