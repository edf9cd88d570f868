//! Faults on request: what a bad day at the API server looks like to its clients.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::store::{Ids, Status};

/// What the server does wrong. Everything off by default.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FaultPlan {
    /// Share of requests (0.0 to 1.0) that fail.
    pub error_rate: f64,
    /// How they fail.
    pub error: ErrorFault,
    /// Writes take this long.
    pub slow_writes: Duration,
    /// Reads take this long.
    pub slow_reads: Duration,
}

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorFault {
    /// 500 InternalError.
    #[default]
    Internal,
    /// 429 TooManyRequests with `Retry-After: 1`.
    TooMany,
    /// 503 ServiceUnavailable.
    Unavailable,
}

/// What a watch is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Signals {
    pub(crate) drops: u64,
    pub(crate) expiries: u64,
}

/// Shared switch of faults; clones are the same one.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<(FaultPlan, Ids)>,
    signals: watch::Sender<Signals>,
}

impl Faults {
    /// No faults. `seed` decides which requests fail once there are some.
    pub fn new(seed: u64) -> Faults {
        let (signals, _) = watch::channel(Signals::default());
        Faults(Arc::new(Inner { state: Mutex::new((FaultPlan::default(), Ids::new(seed))), signals }))
    }

    /// Replaces the plan.
    pub fn set(&self, plan: FaultPlan) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).0 = plan;
    }

    /// The plan.
    pub fn plan(&self) -> FaultPlan {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Cuts every watch's connection.
    pub fn drop_watches(&self) {
        self.0.signals.send_modify(|s| s.drops += 1);
    }

    /// Ends every watch with a 410 event.
    pub fn expire_watches(&self) {
        self.0.signals.send_modify(|s| s.expiries += 1);
    }

    pub(crate) fn signals(&self) -> watch::Receiver<Signals> {
        self.0.signals.subscribe()
    }

    /// What befalls a request: a delay first, then perhaps an error.
    pub(crate) fn next(&self, write: bool) -> (Duration, Option<Status>) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = state.0;
        let delay = if write { plan.slow_writes } else { plan.slow_reads };
        let fails = plan.error_rate > 0.0 && {
            // 53 bits make an even share of 0..1.
            let share = (state.1.bits() >> 11) as f64 / (1u64 << 53) as f64;
            share < plan.error_rate
        };
        (delay, fails.then(|| plan.error.status()))
    }
}

impl ErrorFault {
    fn status(self) -> Status {
        match self {
            ErrorFault::Internal => Status::internal("injected fault"),
            ErrorFault::TooMany => Status {
                details: Some(serde_json::json!({"retryAfterSeconds": 1})),
                ..Status::new(429, "TooManyRequests", "Too many requests, please try again later.")
            },
            ErrorFault::Unavailable => Status {
                details: Some(serde_json::json!({"retryAfterSeconds": 1})),
                ..Status::new(503, "ServiceUnavailable", "the server is currently unable to handle the request")
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_which_requests_fail() {
        let run = |seed| {
            let faults = Faults::new(seed);
            faults.set(FaultPlan { error_rate: 0.3, ..FaultPlan::default() });
            (0..1000).map(|_| faults.next(false).1.is_some()).collect::<Vec<bool>>()
        };
        let failed = run(1).iter().filter(|f| **f).count();
        assert!((200..400).contains(&failed), "{failed}");
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }
}
