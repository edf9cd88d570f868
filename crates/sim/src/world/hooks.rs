//! The world behind the API's `exec` and `log`.

use async_trait::async_trait;

use super::{ExecError, LogLine, World};
use crate::api::{ExecResult, Hooks, LogOptions};
use crate::store::{Status, Stored};

#[async_trait]
impl Hooks for World {
    async fn exec(&self, pod: &Stored, container: &str, command: &[String]) -> Result<ExecResult, Status> {
        let (code, stdout, stderr) = World::exec(self, &pod.meta.namespace, &pod.meta.name, Some(container), command)
            .map_err(|error| refusal(&error))?;
        if stderr.starts_with(crate::cilium::NO_PROGRAM) {
            return Err(not_started(self, &stderr));
        }
        Ok(ExecResult { code, stdout, stderr })
    }

    fn log(&self, pod: &Stored, container: &str, options: &LogOptions) -> Result<String, Status> {
        let lines = self
            .logs(&pod.meta.namespace, &pod.meta.name, Some(container), options.previous)
            .map_err(|error| refusal(&error))?;
        let now = self.store().now();
        let from = match (&options.since_time, options.since_seconds) {
            (Some(text), _) => text.parse().ok(),
            (None, Some(seconds)) => now.checked_sub(jiff::SignedDuration::from_secs(seconds)).ok(),
            (None, None) => None,
        };
        let wanted = |line: &&LogLine| from.is_none_or(|from: jiff::Timestamp| line.at >= from);
        let shown = |line: &LogLine| {
            if options.timestamps { format!("{:.9} {}\n", line.at, line.text) } else { format!("{}\n", line.text) }
        };
        Ok(lines.iter().filter(wanted).map(shown).collect())
    }
}

/// A kubelet's complaint about a command that containerd could not start.
fn not_started(world: &World, why: &str) -> Status {
    let id = format!("{}{}", world.store().new_uid(), world.store().new_uid()).replace('-', "");
    let text = format!("failed to exec in container: failed to start exec {id:?}: {}: unknown", why.trim_end());
    Status::internal(format!("Internal error occurred: error executing command in container: {text}"))
}

fn refusal(error: &ExecError) -> Status {
    match error {
        ExecError::NoContainer { .. } | ExecError::NoPrevious { .. } => Status::bad_request(error.to_string()),
        ExecError::NoPod { .. } => Status::new(404, "NotFound", error.to_string()),
        _ => Status::internal(error.to_string()),
    }
}
