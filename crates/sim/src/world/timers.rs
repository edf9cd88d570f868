//! What is to be done later, in order.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::Task;

/// A queue of tasks by time; among equal times, the first asked for comes first.
#[derive(Debug)]
pub(crate) struct Timers {
    queue: BTreeMap<(Instant, u64), Task>,
    asked: u64,
    speed: f64,
}

impl Timers {
    /// `speed`: how many times shorter than real every wait is.
    pub(crate) fn new(speed: f64) -> Self {
        let speed = if speed.is_finite() && speed > 0.0 { speed } else { 1.0 };
        Self { queue: BTreeMap::new(), asked: 0, speed }
    }

    /// Does `task` in `delay`.
    pub(crate) fn after(&mut self, delay: Duration, task: Task) {
        self.asked += 1;
        self.queue.insert((Instant::now() + delay.div_f64(self.speed), self.asked), task);
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    /// The next one that is due now.
    pub(crate) fn due(&mut self) -> Option<Task> {
        let entry = self.queue.first_entry()?;
        (entry.key().0 <= Instant::now()).then(|| entry.remove())
    }
}
