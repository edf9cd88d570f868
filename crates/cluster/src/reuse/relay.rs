//! Progress of a cluster that outlives those who listen to it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::Progress;

/// Hands on what a cluster tells to whoever has it now. Between two of them nobody is told, and none is kept alive.
#[derive(Default)]
pub(super) struct Relay(Mutex<Option<Arc<dyn Progress>>>);

/// Lets the listener go unless what it listens to comes to be: it may be given up at any time, and outlives that.
pub(super) struct Hearing<'a>(Option<&'a Relay>);

impl Hearing<'_> {
    /// It has come to be: whoever has it lets the listener go.
    pub(super) fn goes_on(mut self) {
        self.0 = None;
    }
}

impl Drop for Hearing<'_> {
    fn drop(&mut self) {
        if let Some(relay) = self.0 {
            relay.to(None);
        }
    }
}

impl Relay {
    pub(super) fn begin(&self, listener: Arc<dyn Progress>) -> Hearing<'_> {
        self.to(Some(listener));
        Hearing(Some(self))
    }

    pub(super) fn to(&self, listener: Option<Arc<dyn Progress>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = listener;
    }

    fn listener(&self) -> Option<Arc<dyn Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Progress for Relay {
    fn now(&self, what: &str) {
        if let Some(listener) = self.listener() {
            listener.now(what);
        }
    }

    fn warn(&self, what: &str) {
        if let Some(listener) = self.listener() {
            listener.warn(what);
        }
    }
}
