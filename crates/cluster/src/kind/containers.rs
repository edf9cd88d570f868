//! Node containers, as Docker sees them.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::KIND_LABEL;
use crate::error::Fault;
use crate::tools::{Door, Invocation, Tool, ToolError};

/// For docker commands that only ask.
pub(super) const ASK: Duration = Duration::from_secs(30);

/// Names of the cluster's containers, in any state.
pub(super) async fn list(door: &Door, cluster: &str) -> Result<Vec<String>, ToolError> {
    let label = format!("label={KIND_LABEL}={cluster}");
    let out =
        door.docker("list node containers", ASK, ["ps", "-a", "--filter", &label, "--format", "{{.Names}}"]).await?;
    let mut names: Vec<String> =
        out.stdout.lines().map(str::trim).filter(|n| !n.is_empty()).map(str::to_owned).collect();
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

/// Adds each of `nodes` to `started` as its container starts. Ends when all have.
pub(super) async fn watch_starts(
    door: &Door,
    cluster: &str,
    nodes: &[String],
    deadline: Duration,
    started: &watch::Sender<BTreeSet<String>>,
) -> Result<(), Fault> {
    let label = format!("label={KIND_LABEL}={cluster}");
    // Looks back, so that nothing is missed between the start of this program and its connection to the engine.
    let since = (jiff::Timestamp::now().as_second() - 60).to_string();
    let run = Invocation::new(Tool::Docker, "watch containers", deadline)
        .args([
            "events",
            "--since",
            &since,
            "--filter",
            "type=container",
            "--filter",
            "event=start",
            "--filter",
            &label,
        ])
        .args(["--format", "{{.Actor.Attributes.name}}"])
        .stdout_piped();
    let fault = |error: &ToolError| Fault::tool("watch containers of", error);
    let mut running = door.spawn(run).map_err(|error| fault(&error))?;
    let Some(stdout) = running.stdout() else { return Err(Fault::new("watch containers of", "no output")) };
    let mut lines = BufReader::new(stdout).lines();
    let end = Instant::now() + deadline;
    loop {
        let missing: Vec<&String> = nodes.iter().filter(|node| !started.borrow().contains(*node)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        match timeout_at(end, lines.next_line()).await {
            Ok(Ok(Some(name))) => started.send_modify(|set| {
                set.insert(name.trim().to_owned());
            }),
            Ok(_) => {
                let error = running.finish().await.err();
                return Err(
                    error.map_or_else(|| Fault::new("watch containers of", "docker events ended"), |e| fault(&e))
                );
            }
            Err(_) => {
                let cause = format!("{missing:?} did not start within {} s", deadline.as_secs());
                return Err(Fault::new("watch containers of", cause));
            }
        }
    }
}
