//! `expect`: eventually, holds, never.

use std::time::Duration;

use scenario::model::{Check, Expect, Span, Timing};
use tokio::time::Instant;

use super::{Done, exec};
use crate::check::{Looked, Ping, Verdict, evaluate_all, evaluate_counting, kinds};
use crate::failure::StepError;
use crate::monitor::Monitor;
use crate::observe::KindName;
use crate::session::{BACK_AGAIN, Level, Session, duration};

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
    let pings = expect.checks.iter().any(|check| matches!(check, Check::Reachability { .. }));
    let watched: Vec<KindName> = expect.checks.iter().flat_map(kinds).collect();
    let look = Look { checks: &expect.checks, pings, watched: &watched };
    // What is to be so from now on is judged by what is so now, not by what was last seen before a watch went down.
    if expect.timing != Timing::Eventually {
        session.fresh(deadline, &watched).await?;
    }
    if let Timing::Holds(_) = expect.timing {
        // Without a deadline of its own it must hold from the start.
        look.reach(session, if has_deadline { deadline } else { began }).await?;
    }
    if let Some(mut monitor) = Monitor::new(index, expect) {
        session.drain()?;
        monitor.look(Instant::now(), &session.context());
        let word = monitor.word();
        session.monitors.push(monitor);
        session.violation(None)?;
        return Ok(Done::new(format!("{word}: watched from here on")));
    }
    match expect.timing {
        Timing::Eventually => look.reach(session, deadline).await.map(|verdict| done(&verdict, "")),
        Timing::Holds(Span::For(span)) => {
            let verdict = look.keep(session, Instant::now() + span, true).await?;
            Ok(done(&verdict, &format!("held for {}", humantime::format_duration(span))))
        }
        Timing::Never(Span::For(span)) => {
            let verdict = look.keep(session, began + span, false).await?;
            Ok(done(&verdict, &format!("never so for {}", humantime::format_duration(span))))
        }
        // Spans over steps are monitors.
        Timing::Holds(_) | Timing::Never(_) => Ok(Done::default()),
    }
}

fn done(verdict: &Verdict, detail: &str) -> Done {
    Done { subjects: Some(verdict.subjects), detail: detail.to_owned() }
}

struct Look<'a> {
    checks: &'a [Check],
    pings: bool,
    watched: &'a [KindName],
}

impl Look<'_> {
    /// Waits until the checks hold.
    async fn reach(&self, session: &mut Session, deadline: Instant) -> Result<Verdict, StepError> {
        session.drain()?;
        let began = Instant::now();
        loop {
            if self.pings {
                exec::ping(session, self.checks).await?;
            }
            // No watch tells of pings: look by look until the next round of them.
            let round = self.pings.then(|| Instant::now() + PING_PAUSE).filter(|round| *round < deadline);
            let outcome = session
                .until(deadline, "what is expected", self.watched, |session| {
                    let verdict = evaluate_all(self.checks, &session.context());
                    if verdict.held {
                        return Level::Done(Some(verdict));
                    }
                    match round {
                        Some(round) if Instant::now() >= round => Level::Final(None),
                        wake => Level::NotYet { last: in_a_line(&verdict), wake },
                    }
                })
                .await;
            match outcome {
                Ok(Some(verdict)) => return Ok(verdict),
                Ok(None) => {}
                Err(StepError::Mismatch { .. }) => {
                    let verdict = evaluate_all(self.checks, &session.context());
                    let waited = began.elapsed();
                    return Err(if waited.is_zero() {
                        self.mismatch(session, "what is expected is not so", &verdict)
                    } else {
                        let message = format!("what is expected was not so within {}", duration(waited));
                        self.mismatch(session, &message, &verdict)
                    });
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
        let mut looked = Looked::default();
        let mut next_ping = Instant::now();
        let began = Instant::now();
        let mut last = Verdict::nothing("the checks");
        loop {
            if self.pings && Instant::now() >= next_ping {
                exec::ping(session, self.checks).await?;
                next_ping = Instant::now() + PING_PAUSE;
            }
            let wake = if self.pings { next_ping.min(end) } else { end };
            // Where a watch is down at the end, what it missed is waited for: it may tell that it did not stay so.
            let broken = session
                .at_each(end + BACK_AGAIN, "that it stays so", self.watched, |session| {
                    let verdict = evaluate_counting(self.checks, &session.context(), &mut looked);
                    let broken = verdict.held != held;
                    last = verdict;
                    let now = Instant::now();
                    if broken {
                        Level::Final(true)
                    } else if now >= end {
                        Level::Done(false)
                    } else if now >= wake {
                        Level::Final(false)
                    } else {
                        let left = end.saturating_duration_since(now).as_millis().div_ceil(1000);
                        Level::NotYet { last: format!("as it should be; {left}s to go"), wake: Some(wake) }
                    }
                })
                .await?;
            if broken {
                let after = duration(began.elapsed());
                let message = if held {
                    format!("it did not hold: after {after} it was no longer so")
                } else {
                    format!("it must never be so, and after {after} it was")
                };
                return Err(self.mismatch(session, &message, &last.against()));
            }
            if Instant::now() >= end {
                return match looked.subjects() {
                    Some(subjects) => Ok(Verdict { subjects, ..last }),
                    None => {
                        Err(self.mismatch(session, "there was nothing to look at", &Verdict::nothing("the checks")))
                    }
                };
            }
        }
    }

    /// What is there is not what was expected; but a ping that could not be sent says nothing about the network.
    fn mismatch(&self, session: &Session, message: &str, verdict: &Verdict) -> StepError {
        let untried = session.pings.values().find_map(|ping| match ping {
            Ping::Untried(cause) if self.pings => Some(cause),
            _ => None,
        });
        match untried {
            Some(cause) => StepError::Infrastructure {
                message: format!("{message}, but a ping could not be sent: {cause}"),
                mismatches: verdict.mismatches.clone(),
            },
            None => mismatch(message, verdict),
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
