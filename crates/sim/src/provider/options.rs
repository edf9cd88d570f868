//! How simulated clusters run.

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
}

impl Default for SimOptions {
    fn default() -> Self {
        // The first second of 2026.
        let epoch = Timestamp::constant(1_767_225_600, 0);
        Self { seed: 0, speed: 1.0, epoch, token: None }
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
