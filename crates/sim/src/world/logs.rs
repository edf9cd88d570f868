//! What processes have written.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{ByName, Name};

/// A line of a container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// Without the line's end.
    pub text: String,
}

#[derive(Debug, Default)]
struct Log {
    current: Vec<LogLine>,
    previous: Option<Vec<LogLine>>,
}

/// Logs of the containers that write any, by pod and container.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    kept: ByName<BTreeMap<Box<str>, Log>>,
}

impl Logs {
    pub(crate) fn write(&mut self, pod: &Name, container: &str, at: Timestamp, text: impl Into<String>) {
        let log = self.kept.entry(pod.clone()).or_default().entry(container.into()).or_default();
        log.current.push(LogLine { at, text: text.into() });
    }

    /// A container starts anew: what its predecessor wrote stays as the previous log.
    pub(crate) fn turn(&mut self, pod: &Name, container: &str) {
        if let Some(log) = self.kept.get_mut(pod).and_then(|containers| containers.get_mut(container)) {
            log.previous = Some(std::mem::take(&mut log.current));
        }
    }

    pub(crate) fn read(&self, pod: &str, container: &str, previous: bool) -> Option<&[LogLine]> {
        let log = self.kept.get(pod).and_then(|containers| containers.get(container));
        match (log, previous) {
            (Some(log), false) => Some(&log.current),
            (None, false) => Some(&[]),
            (Some(log), true) => log.previous.as_deref(),
            (None, true) => None,
        }
    }

    pub(crate) fn forget(&mut self, pod: &str) {
        self.kept.remove(pod);
    }
}
