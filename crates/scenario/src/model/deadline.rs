//! How long a step may take where the file does not say.

use std::time::Duration;

use super::{Action, Expect, Span, Step, Timing, WaitFor};

impl Action {
    /// The deadline where `within` is not written: several times what the action takes on a small cluster, so that only a
    /// step that hangs meets it.
    pub fn default_deadline(&self) -> Duration {
        let seconds = match self {
            Self::Inject(_) | Self::Cordon(_) | Self::Uncordon(_) | Self::Backup | Self::Patch(_) => 30,
            Self::Configure(_) | Self::Restore | Self::DeleteCiliumNode(_) => 30,
            Self::Exec(_) => 60,
            Self::Deploy { .. } | Self::Scale { .. } | Self::Delete { .. } | Self::Upgrade(_) => 120,
            Self::Restart(_) | Self::Model => 180,
            Self::Reinstall(_) => 300,
            Self::RemoveNode(_) | Self::AddNode { .. } => 240,
            Self::Wait(WaitFor::Settled(quiet)) => return Duration::from_secs(120) + *quiet,
            Self::Wait(WaitFor::Ready(_)) => 180,
            Self::Wait(WaitFor::Log { .. }) => 60,
            Self::Expect(expect) => return expect.default_deadline(),
        };
        Duration::from_secs(seconds)
    }
}

impl Expect {
    /// Sixty seconds, and the span that the checks must hold or never hold. A span of steps ends by itself.
    fn default_deadline(&self) -> Duration {
        let base = Duration::from_secs(60);
        match self.timing {
            Timing::Holds(Span::For(span)) | Timing::Never(Span::For(span)) => base + span,
            Timing::Eventually | Timing::Holds(_) | Timing::Never(_) => base,
        }
    }
}

impl Step {
    /// `within`, or the action's default.
    pub fn deadline(&self) -> Duration {
        self.within.unwrap_or_else(|| self.action.default_deadline())
    }
}
