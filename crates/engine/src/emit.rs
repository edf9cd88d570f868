//! The run's events: numbered, timed, handed to whoever reports.

use std::sync::{Arc, Mutex, PoisonError};

use events::{Event, EventKind};
use tokio::time::Instant;

/// The one source of events. Cheap to clone; a clone may speak for a scenario.
#[derive(Clone)]
pub struct Emitter {
    inner: Arc<Mutex<Inner>>,
    start: Instant,
    scenario: Option<Arc<str>>,
}

struct Inner {
    seq: u64,
    sink: Box<dyn FnMut(&Event) + Send>,
}

impl Emitter {
    /// Hands each event to `sink`, in order. The run's clock starts now.
    pub fn new(sink: Box<dyn FnMut(&Event) + Send>) -> Self {
        Self { inner: Arc::new(Mutex::new(Inner { seq: 0, sink })), start: Instant::now(), scenario: None }
    }

    /// The same, for a scenario's events.
    pub fn scenario(&self, name: &str) -> Self {
        Self { scenario: Some(name.into()), ..self.clone() }
    }

    /// Tells an event that happens now.
    pub fn emit(&self, kind: EventKind) {
        self.emit_at(Instant::now(), kind);
    }

    /// Tells an event that happened at `at`.
    pub(crate) fn emit_at(&self, at: Instant, kind: EventKind) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let event = Event {
            seq: inner.seq,
            at_ms: self.ms(at),
            wall: jiff::Timestamp::now(),
            scenario: self.scenario.as_deref().map(str::to_owned),
            kind,
        };
        inner.seq += 1;
        (inner.sink)(&event);
    }

    /// Milliseconds of the run's clock.
    pub(crate) fn ms(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }
}
