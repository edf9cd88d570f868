//! Node containers, as Docker sees them.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::mpsc;

use super::KIND_LABEL;
use crate::error::Fault;
use crate::tools::{Door, Invocation, Tool, ToolError};

/// For docker commands that only ask.
pub(super) const ASK: Duration = Duration::from_secs(30);

/// Names of the cluster's containers, in any state.
pub(super) async fn list(door: &Door, cluster: &str) -> Result<Vec<String>, ToolError> {
    let label = format!("label={KIND_LABEL}={cluster}");
    let out = door.docker("list node containers", ASK, ["ps", "-a", "--filter", &label, "--format", "{{.Names}}"]).await?;
    let mut names: Vec<String> = out.stdout.lines().map(str::trim).filter(|n| !n.is_empty()).map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

/// `docker inspect` of a container.
pub(super) async fn inspect(door: &Door, container: &str) -> Result<serde_json::Value, Fault> {
    let out = door
        .docker("inspect node", ASK, ["inspect", "--type", "container", container])
        .await
        .map_err(|error| Fault::tool("inspect node of", &error))?;
    serde_json::from_str(&out.stdout).map_err(|error| Fault::new("inspect node of", format!("{container}: {error}")))
}

/// Tells each of `nodes` once, as its container starts. Ends when all have started, or after `deadline`, or when the receiver is
/// dropped.
pub(super) async fn watch_starts(
    door: &Door,
    cluster: &str,
    nodes: &[String],
    deadline: Duration,
    started: mpsc::Sender<String>,
) -> Result<(), Fault> {
    let label = format!("label={KIND_LABEL}={cluster}");
    // Looks back, so that nothing is missed between the start of this program and its connection to the engine.
    let since = (jiff::Timestamp::now().as_second() - 60).to_string();
    let run = Invocation::new(Tool::Docker, "watch containers", deadline)
        .args(["events", "--since", &since, "--filter", "type=container", "--filter", "event=start", "--filter", &label])
        .args(["--format", "{{.Actor.Attributes.name}}"])
        .stdout_piped();
    let fault = |error: &ToolError| Fault::tool("watch containers of", error);
    let mut running = door.spawn(run).map_err(|error| fault(&error))?;
    let Some(stdout) = running.stdout() else { return Err(Fault::new("watch containers of", "no output")) };
    let mut lines = BufReader::new(stdout).lines();
    let mut waiting: Vec<String> = nodes.to_vec();
    while !waiting.is_empty() {
        let line = tokio::time::timeout(deadline, lines.next_line());
        match line.await {
            Ok(Ok(Some(name))) => {
                if let Some(at) = waiting.iter().position(|node| *node == name.trim()) {
                    let name = waiting.swap_remove(at);
                    if started.send(name).await.is_err() {
                        return Ok(());
                    }
                }
            }
            Ok(_) => {
                let error = running.finish().await.err();
                return Err(error.map_or_else(|| Fault::new("watch containers of", "docker events ended"), |e| fault(&e)));
            }
            Err(_) => {
                let cause = format!("{} did not start within {} s", waiting.join(", "), deadline.as_secs());
                return Err(Fault::new("watch containers of", cause));
            }
        }
    }
    Ok(())
}
