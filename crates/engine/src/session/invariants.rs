//! Invariants, judged at every single observation of a session.

use std::time::Duration;

use events::{EventKind, Mismatch};
use tokio::time::Instant;

use super::{BACK_AGAIN, Level, Session};
use crate::failure::StepError;
use crate::invariant::{Broken, Touch, View};
use crate::world::Effect;

/// Longer than this nothing may be wrong by rights.
const LONGEST_GRACE: Duration = Duration::from_secs(60);

impl Session {
    /// Judges what an observation has changed.
    pub(super) fn judge_effects(&mut self, at: Instant, effects: &[Effect]) {
        let touches: Vec<Touch<'_>> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Object { kind, before, after, deleted } => {
                    Some(Touch::Object { kind: &kind.kind, before: before.as_deref(), after, deleted: *deleted })
                }
                Effect::Gap { .. } | Effect::Lost { .. } | Effect::Resumed { .. } => None,
            })
            .collect();
        self.judge(at, &touches);
    }

    /// The same for what an agent said.
    pub(super) fn judge_agent(&mut self, at: Instant, node: &str) {
        self.judge(at, &[Touch::Agent { node }]);
    }

    fn judge(&mut self, at: Instant, touches: &[Touch<'_>]) {
        let view = View { world: &self.world, history: &self.history };
        let off = self.invariants.look(at, touches, view);
        for broken in off {
            let why = self.invariants.why_off(broken.invariant).unwrap_or_default();
            let text = format!("{} (off in this scenario: {why})", broken.sentence(|at| self.emitter.ms(at)));
            self.emitter.emit_at(at, EventKind::Warning { text });
        }
    }

    /// Judges once more what has been wrong for as long as it may be, although nothing has changed.
    pub(super) fn judge_due(&mut self) -> Result<(), StepError> {
        let now = Instant::now();
        if self.receiver.is_empty() && self.invariants.due().is_some_and(|due| due <= now) {
            self.judge(now, &[]);
            self.invariant_holds()?;
        }
        Ok(())
    }

    /// An error if an invariant that is on was violated.
    pub(super) fn invariant_holds(&self) -> Result<(), StepError> {
        match self.invariants.broken() {
            None => Ok(()),
            Some(broken) => Err(self.violated(broken)),
        }
    }

    fn violated(&self, broken: &Broken) -> StepError {
        let ms = |at| self.emitter.ms(at);
        let finding = &broken.finding;
        let mismatch = Mismatch {
            object: finding.seen.first().map(|seen| seen.object.clone()).unwrap_or_default(),
            field: finding.field.to_owned(),
            expected: finding.expected.clone(),
            observed: finding.observed.clone(),
            since_ms: Some(ms(broken.since)),
        };
        StepError::Violated {
            message: broken.sentence(ms),
            violation: Box::new(broken.violation(ms)),
            mismatches: vec![mismatch],
        }
    }

    /// Judges to the end: waits until nothing is in doubt, with every watch up.
    pub(crate) async fn end_invariants(&mut self) -> Result<(), StepError> {
        self.drain()?;
        let kinds = self.invariants.kinds();
        let deadline = Instant::now() + BACK_AGAIN + LONGEST_GRACE;
        self.until(deadline, "what is in doubt to be cleared up", &kinds, |session| {
            match session.invariants.in_doubt() {
                None => Level::Done(()),
                Some(last) => Level::NotYet { last, wake: session.invariants.due() },
            }
        })
        .await?;
        for (invariant, why) in self.invariants.needlessly_off() {
            let text = format!("invariant {invariant} is off in this scenario ({why}), and held");
            self.emitter.emit(EventKind::Warning { text });
        }
        Ok(())
    }
}
