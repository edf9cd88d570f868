//! Stopping: politely first, then surely.

use tokio::sync::watch;

/// How hard a run was asked to stop. Ordered: each level includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopLevel {
    /// Not at all.
    Run,
    /// Stop, collect evidence, clean up.
    Stop,
    /// Clean up only.
    CleanUp,
    /// Leave at once; say what is left.
    Leave,
}

/// Told by signals, listened to by everything that waits.
#[derive(Debug, Clone)]
pub struct Stop {
    sender: std::sync::Arc<watch::Sender<StopLevel>>,
    receiver: watch::Receiver<StopLevel>,
}

impl Default for Stop {
    fn default() -> Self {
        let (sender, receiver) = watch::channel(StopLevel::Run);
        Self { sender: std::sync::Arc::new(sender), receiver }
    }
}

impl Stop {
    /// One step harder than before.
    pub fn harder(&self) -> StopLevel {
        self.sender.send_modify(|level| {
            *level = match level {
                StopLevel::Run => StopLevel::Stop,
                StopLevel::Stop => StopLevel::CleanUp,
                StopLevel::CleanUp | StopLevel::Leave => StopLevel::Leave,
            };
        });
        self.level()
    }

    /// How hard, now.
    pub fn level(&self) -> StopLevel {
        *self.receiver.borrow()
    }

    /// Ends when at least this level is asked for.
    pub async fn at_least(&self, level: StopLevel) {
        let mut receiver = self.receiver.clone();
        if receiver.wait_for(|now| *now >= level).await.is_err() {
            // The sender lives in `self`; nobody can drop it while this runs.
            std::future::pending::<()>().await;
        }
    }
}
