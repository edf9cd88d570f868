//! Asking a running agent what it runs, instead of assuming it.

use std::time::Duration;

use cluster::{Cluster, ClusterError};

use crate::world::{AgentFacts, PodFacts, Silence};

/// An agent's answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Which run of its process.
    pub(crate) incarnation: String,
    /// What it said, or why it did not.
    pub(crate) outcome: Result<AgentFacts, Silence>,
}

const DEADLINE: Duration = Duration::from_secs(20);
const TRIES: u32 = 3;

/// Asks the agent in this pod.
pub(crate) async fn ask(cluster: &dyn Cluster, pod: &PodFacts) -> Answer {
    let incarnation = pod.incarnation();
    let mut outcome = Err(Silence { cause: "never asked".to_owned(), asked: false });
    for attempt in 0..TRIES {
        outcome = once(cluster, pod).await;
        if outcome.is_ok() || attempt + 1 == TRIES {
            break;
        }
        // A ready agent answers; a connection may still break under a restarting API server.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Answer { incarnation, outcome }
}

async fn once(cluster: &dyn Cluster, pod: &PodFacts) -> Result<AgentFacts, Silence> {
    let run = |command: &[&str]| {
        let command: Vec<String> = command.iter().map(|&part| part.to_owned()).collect();
        async move {
            let output = cluster
                .exec(&pod.namespace, &pod.name, Some(cilium::components::AGENT.container), &command, DEADLINE)
                .await
                .map_err(|error: ClusterError| Silence { cause: error.to_string(), asked: false })?;
            if output.code == 0 {
                Ok(output.stdout)
            } else {
                Err(said(format!("`{}` ended with {}: {}", command.join(" "), output.code, output.stderr.trim())))
            }
        }
    };
    let (status, mode) = tokio::join!(run(cilium::status::COMMAND), run(cilium::status::MODE_COMMAND));
    let ranges = cilium::status::parse(&status?).map_err(|why| said(why.to_string()))?;
    let ipam = cilium::status::ipam_mode(&mode?).map_err(|why| said(why.to_string()))?;
    let pod_cidrs = ranges.ipv4.into_iter().chain(ranges.ipv6).map(|usage| usage.range).collect();
    Ok(AgentFacts { node: pod.node.clone().unwrap_or_default(), pod_uid: pod.uid.clone(), ipam, pod_cidrs })
}

/// An answer that is none.
fn said(cause: String) -> Silence {
    Silence { cause, asked: true }
}
