//! SIGINT and SIGTERM make the run stop: each further one harder.

use engine::{Stop, StopLevel};
use tokio::signal::unix::{SignalKind, signal};

/// Listens until the process ends and says nothing: for what just ends.
pub(crate) fn listen_quietly(stop: &Stop) -> std::io::Result<()> {
    watch(stop, |_| {}).map(drop)
}

/// Listens until the process ends.
pub(crate) fn listen(stop: &Stop) -> std::io::Result<()> {
    watch(stop, |text| eprintln!("\n{text}")).map(drop)
}

/// Listens as long as the answer is kept: for a run that is one of several in a process.
pub(crate) fn listen_meanwhile(stop: &Stop) -> std::io::Result<Listening> {
    watch(stop, |text| eprintln!("\n{text}")).map(Listening)
}

/// Ends with its owner.
pub(crate) struct Listening(tokio::task::JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn watch(stop: &Stop, tell: impl Fn(&str) + Send + 'static) -> std::io::Result<tokio::task::JoinHandle<()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = stop.clone();
    Ok(tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            let text = match stop.harder() {
                StopLevel::Run => continue,
                StopLevel::Stop => {
                    "stopping: evidence is collected, then what was made is removed (again: remove only)"
                }
                StopLevel::CleanUp => "removing what was made (again: leave at once)",
                StopLevel::Leave => "leaving; `cargo xtask clean` removes what is left",
            };
            tell(text);
        }
    }))
}
