//! How simulated clusters run.

use std::str::FromStr;
use std::time::Duration;

use events::{Fault, NoFault};
use jiff::Timestamp;

/// What every report of a simulated cluster says.
pub const NOTICE: &str = "simulated: says nothing about Cilium itself";

/// How simulated clusters run.
#[derive(Debug, Clone, PartialEq)]
pub struct SimOptions {
    /// Decides everything that real life leaves open. Each scenario draws its own sequence from it.
    pub seed: u64,
    /// How many times shorter than on a real cluster everything takes. Of no consequence in virtual time.
    pub speed: f64,
    /// When a cluster's life begins by its own clock. Fixed by default, so that two runs write the same times; a cluster that people
    /// look at in real time begins now.
    pub epoch: Timestamp,
    /// The token that clients on the loopback port have to show. Clients within the process need none.
    pub token: Option<String>,
    /// What goes wrong in the life of every cluster.
    pub faults: Vec<TimedFault>,
}

/// A fault with its time, counted from the moment at which the cluster was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct TimedFault {
    /// What. Nodes are given by role: `worker2`.
    pub fault: Fault,
    /// When.
    pub when: When,
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// After so long: `@20s`. Without a time: from the beginning.
    After(Duration),
    /// Every so often: `/20s`.
    Every(Duration),
}

/// A text that is no fault with a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTimedFault {
    /// The fault.
    #[error(transparent)]
    Fault(#[from] NoFault),
    /// The time.
    #[error("\"{text}\": \"{time}\" is no time: write @20s for once after 20 s, or /20s for every 20 s")]
    Time {
        /// The whole text.
        text: String,
        /// The part that should be a time.
        time: String,
    },
}

impl FromStr for TimedFault {
    type Err = NoTimedFault;

    fn from_str(text: &str) -> Result<Self, NoTimedFault> {
        let Some(at) = text.find(['@', '/']) else {
            return Ok(Self { fault: text.parse()?, when: When::After(Duration::ZERO) });
        };
        let (fault, time) = (&text[..at], &text[at + 1..]);
        let span = humantime::parse_duration(time).ok().filter(|span| text.as_bytes()[at] == b'@' || !span.is_zero());
        let span = span.ok_or_else(|| NoTimedFault::Time { text: text.to_owned(), time: time.to_owned() })?;
        let when = if text.as_bytes()[at] == b'@' { When::After(span) } else { When::Every(span) };
        Ok(Self { fault: fault.parse()?, when })
    }
}

impl Default for SimOptions {
    fn default() -> Self {
        // The first second of 2026.
        let epoch = Timestamp::constant(1_767_225_600, 0);
        Self { seed: 0, speed: 1.0, epoch, token: None, faults: Vec::new() }
    }
}

/// A runtime for simulated clusters: one thread, so that the order of events is that of the seed. In virtual time its clock stands
/// still while anything runs, and jumps to the next timer when nothing does.
///
/// # Errors
/// When the system gives no runtime.
pub fn runtime(virtual_time: bool) -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(virtual_time).build()
}
