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
    /// How many times shorter than real every wait is; none for real ones.
    speed: Option<f64>,
    began: Instant,
}

impl Timers {
    /// `speed`: how many times shorter than real every wait is. What is no such number counts as 1.
    pub(crate) fn new(speed: f64) -> Self {
        let speed = Some(speed).filter(|speed| speed.is_finite() && *speed > 0.0 && (speed - 1.0).abs() > f64::EPSILON);
        Self { queue: BTreeMap::new(), asked: 0, speed, began: Instant::now() }
    }

    /// Does `task` in `delay`.
    pub(crate) fn after(&mut self, delay: Duration, task: Task) {
        self.asked += 1;
        let wait = self.speed.map_or(delay, |speed| delay.div_f64(speed));
        self.queue.insert((Instant::now() + wait, self.asked), task);
    }

    /// The world's own time: runs `speed` times as fast as the clock.
    pub(crate) fn now(&self) -> Duration {
        let passed = self.began.elapsed();
        self.speed.map_or(passed, |speed| passed.mul_f64(speed))
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
