//! Events and summaries to lines: no IO, no clock, no terminal.

mod end;
mod failure;
mod header;
mod kept;
mod live;
mod narrator;

pub(crate) use end::reason;
pub use end::{counts, end};
pub use failure::{Context, failure};
pub use header::header;
pub use kept::kept;
pub use live::{LiveScenario, LiveView};
pub use narrator::{Narrator, WAIT_LINE_EVERY_MS};

use events::Outcome;

use crate::text::Role;

/// How an outcome looks.
pub(crate) fn outcome_role(outcome: Outcome) -> Role {
    match outcome {
        Outcome::Passed => Role::Good,
        Outcome::Failed | Outcome::Error | Outcome::Xpassed => Role::Bad,
        Outcome::Interrupted | Outcome::Xfailed | Outcome::Tolerated => Role::Warn,
        Outcome::Skipped => Role::Faint,
    }
}
