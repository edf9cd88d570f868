//! `exec`, and pings for `reachability`.

use std::time::Duration;

use events::Mismatch;
use futures::StreamExt;
use scenario::model::{Check, ExecStep};
use tokio::time::Instant;

use super::Done;
use crate::check::{Ping, pairs};
use crate::failure::StepError;
use crate::session::Session;

/// Runs a command in every live pod of a set.
pub(super) async fn exec(session: &mut Session, deadline: Instant, step: &ExecStep) -> Result<Done, StepError> {
    session.drain()?;
    let pods = session.world.live(&step.pods, &session.scenario.workloads);
    if pods.is_empty() {
        let message = format!("there is no live pod of {} to run `{}` in", step.pods, step.command.join(" "));
        return Err(StepError::Mismatch { message, mismatches: Vec::new() });
    }
    let cluster = session.cluster.clone();
    let mut mismatches = Vec::new();
    for pod in &pods {
        let left = deadline.saturating_duration_since(Instant::now());
        let run = cluster.exec(&pod.namespace, &pod.name, None, &step.command, left);
        let output = session.during(run).await??;
        let mut differ = |field: &str, expected: String, observed: String| {
            mismatches.push(Mismatch {
                object: pod.object(),
                field: field.to_owned(),
                expected,
                observed,
                since_ms: None,
            });
        };
        if output.code != step.exit_code {
            let stderr = output.stderr.trim();
            let tail = if stderr.is_empty() { String::new() } else { format!(": {stderr}") };
            differ("exit code", step.exit_code.to_string(), format!("{}{tail}", output.code));
        }
        if let Some(pattern) = &step.stdout
            && !regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(&output.stdout))
        {
            differ("standard output", format!("a match of /{pattern}/"), output.stdout.trim().to_owned());
        }
    }
    if mismatches.is_empty() {
        return Ok(Done { subjects: Some(pods.len()), detail: format!("as expected in {} pods", pods.len()) });
    }
    let message =
        format!("`{}` did not end as expected in {} pods of {}", step.command.join(" "), pods.len(), step.pods);
    Err(StepError::Mismatch { message, mismatches })
}

/// How many pings are under way at once.
const AT_ONCE: usize = 8;
/// How long one may take: `ping` itself is told to wait a second for the answer.
const PING: Duration = Duration::from_secs(10);

/// One round of pings for every `reachability` among these checks. The answers are kept in the session.
pub(super) async fn ping(session: &mut Session, checks: &[Check]) -> Result<(), StepError> {
    let mut wanted = Vec::new();
    for check in checks {
        if let Check::Reachability { from, to, .. } = check {
            wanted.extend(pairs(&session.context(), from, to).into_iter().filter_map(|(_, _, pair)| pair.ok()));
        }
    }
    wanted.sort();
    wanted.dedup();
    let cluster = session.cluster.clone();
    let round = futures::stream::iter(wanted)
        .map(|pair| {
            let cluster = cluster.clone();
            async move {
                let (namespace, pod, ip) = &pair;
                let command = ["ping", "-c", "1", "-W", "1", &ip.to_string()].map(str::to_owned);
                let answer = cluster.exec(namespace, pod, None, &command, PING).await;
                (pair, answer)
            }
        })
        .buffered(AT_ONCE)
        .collect::<Vec<_>>();
    for (pair, answer) in session.during(round).await? {
        // Exit code 1 is ping's word for "no answer"; anything else means that it could not be tried.
        match answer {
            Ok(output) if output.code == 0 => session.pinged(pair, Ping::Answered),
            Ok(output) if output.code == 1 => session.pinged(pair, Ping::Unanswered),
            Ok(output) => {
                let message =
                    format!("ping in {}/{} ended with {}: {}", pair.0, pair.1, output.code, output.stderr.trim());
                return Err(StepError::Infrastructure { message, mismatches: Vec::new() });
            }
            // A pod that is on its way out, an API server that restarts: the next round tries again.
            Err(error) => session.pinged(pair, Ping::Untried(error.to_string())),
        };
    }
    Ok(())
}
