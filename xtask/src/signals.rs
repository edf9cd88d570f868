//! SIGINT and SIGTERM make the run stop: each further one harder.

use engine::{Stop, StopLevel};
use tokio::signal::unix::{SignalKind, signal};

/// Listens until the process ends and says nothing: for what just ends.
pub(crate) fn listen_quietly(stop: &Stop) -> std::io::Result<()> {
    watch(stop, |_| {})
}

/// Listens until the process ends.
pub(crate) fn listen(stop: &Stop) -> std::io::Result<()> {
    watch(stop, |text| eprintln!("\n{text}"))
}

fn watch(stop: &Stop, tell: impl Fn(&str) + Send + 'static) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = stop.clone();
    tokio::spawn(async move {
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
    });
    Ok(())
}
