//! Checks that go on while later steps run: `holds` and `never` over steps.

use std::sync::Arc;

use scenario::model::{Expect, Span, Timing};
use tokio::time::Instant;

use crate::check::{Context, Looked, Verdict, evaluate_counting, kinds};
use crate::observe::KindName;

/// A check that goes on.
#[derive(Debug)]
pub(crate) struct Monitor {
    /// The step that began it.
    pub(crate) step: usize,
    /// The last step it covers.
    last: usize,
    expect: Arc<Expect>,
    never: bool,
    /// Whether there was ever anything to look at.
    looked: Looked,
    /// The first violation.
    violation: Option<(Instant, Verdict)>,
}

impl Monitor {
    /// One for an `expect` whose span is counted in steps; none for others.
    pub(crate) fn new(step: usize, expect: &Expect) -> Option<Self> {
        let (span, never) = match expect.timing {
            Timing::Holds(span) => (span, false),
            Timing::Never(span) => (span, true),
            Timing::Eventually => return None,
        };
        let last = match span {
            Span::For(_) => return None,
            Span::Steps(n) => step + n as usize,
            Span::Rest => usize::MAX,
        };
        Some(Self { step, last, expect: Arc::new(expect.clone()), never, looked: Looked::default(), violation: None })
    }

    /// Looks at the world once more.
    pub(crate) fn look(&mut self, at: Instant, context: &Context<'_>) {
        if self.violation.is_some() {
            return;
        }
        let verdict = evaluate_counting(&self.expect.checks, context, &mut self.looked);
        if verdict.held == self.never {
            self.violation = Some((at, verdict.against()));
        }
    }

    /// Whether it ends with this step.
    pub(crate) fn ends_with(&self, step: usize) -> bool {
        step >= self.last
    }

    /// The violation, with the moment, if there was one; at its end also a lack of anything to look at.
    pub(crate) fn violated(&self, ended: bool) -> Option<(Option<Instant>, Verdict)> {
        match &self.violation {
            Some((at, verdict)) => Some((Some(*at), verdict.clone())),
            None if ended && self.looked.subjects().is_none() => Some((None, Verdict::nothing("the checks"))),
            None => None,
        }
    }

    /// The kinds that it looks at.
    pub(crate) fn kinds(&self) -> Vec<KindName> {
        self.expect.checks.iter().flat_map(kinds).collect()
    }

    /// `never` or `holds`.
    pub(crate) fn word(&self) -> &'static str {
        if self.never { "never" } else { "holds" }
    }
}

#[cfg(test)]
mod tests;
