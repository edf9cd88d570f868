//! What is collected when a scenario did not pass. In parallel, with a bound of its own, and never a Secret.

use std::fmt::Write as _;
use std::time::Duration;

use camino::Utf8Path;
use cilium::components;
use futures::StreamExt;
use futures::future::BoxFuture;
use kube::api::LogParams;
use serde_json::{Map, Value, json};

use crate::failure::StepError;
use crate::observe::KindName;
use crate::session::Session;
use crate::world::PodFacts;

/// The bound for all of it.
pub(crate) const BOUND: Duration = Duration::from_secs(60);
/// The bound for one item.
const ITEM: Duration = Duration::from_secs(20);
const AT_ONCE: usize = 8;
const LOG_LINES: i64 = 5000;

/// What was written, and what could not be had.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) files: Vec<String>,
    pub(crate) missing: Vec<String>,
}

/// An item: where it goes, and how it is had.
type Item<'a> = (String, BoxFuture<'a, Result<String, String>>);

/// Writes everything into `dir`.
pub(crate) async fn collect(session: &mut Session, dir: &Utf8Path) -> Collected {
    // What is known already needs no cluster: it is written first, and always.
    drop::<Result<(), StepError>>(session.drain());
    let mut collected = Collected::default();
    for (name, text) in known(session) {
        write(dir, &name, &text, &mut collected);
    }
    let session = &*session;
    let work = async {
        let mut items: Vec<Item<'_>> = logs(session);
        items.extend(agents(session));
        let mut done = Collected::default();
        let total = items.len();
        let mut stream = futures::stream::iter(items)
            .map(|(name, work)| async move {
                let text = tokio::time::timeout(ITEM, work)
                    .await
                    .unwrap_or_else(|_| Err(format!("no answer in {}s", ITEM.as_secs())));
                (name, text)
            })
            .buffer_unordered(AT_ONCE);
        let mut seen = 0;
        let end = tokio::time::Instant::now() + BOUND;
        loop {
            match tokio::time::timeout_at(end, stream.next()).await {
                Ok(Some((name, Ok(text)))) => write(dir, &name, &text, &mut done),
                Ok(Some((name, Err(why)))) => done.missing.push(format!("{name}: {why}")),
                Ok(None) => break,
                Err(_) => {
                    done.missing.push(format!(
                        "{} more items: not collected within {}s",
                        total - seen,
                        BOUND.as_secs()
                    ));
                    break;
                }
            }
            seen += 1;
        }
        done
    };
    let provider = async {
        tokio::time::timeout(BOUND, session.cluster.evidence(dir)).await.unwrap_or_else(|_| {
            (Vec::new(), vec![format!("the nodes' own state: not collected within {}s", BOUND.as_secs())])
        })
    };
    let (asked, (files, missing)) = tokio::join!(work, provider);
    collected.files.extend(asked.files);
    collected.files.extend(files);
    collected.missing.extend(asked.missing);
    collected.missing.extend(missing);
    collected.files.sort();
    collected
}

/// Files that only need what the watches delivered.
fn known(session: &Session) -> Vec<(String, String)> {
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    let mut files = vec![
        ("helm-values.json".to_owned(), pretty(&Value::Object(redacted(&session.values)))),
        ("cilium-config.json".to_owned(), pretty(&json!(*session.world.config))),
        ("scenario.yaml".to_owned(), session.scenario.source.text.to_string()),
    ];
    if let Some(broken) = session.invariants.broken() {
        let violation = broken.violation(|at| session.emitter.ms(at));
        let objects: Vec<&Value> = broken.finding.seen.iter().map(|seen| &*seen.value).collect();
        files.push(("violation.json".to_owned(), pretty(&json!({"violation": violation, "objects": objects}))));
    }
    // An expression may look at Secrets; what they hold is written nowhere.
    let open = |kind: &KindName| kind.kind != "Secret";
    for (kind, objects) in session.world.objects.iter().filter(|(kind, _)| open(kind)) {
        let items: Vec<&Value> = objects.values().map(|object| &**object).collect();
        files.push((format!("objects/{}.json", kind.kind), pretty(&json!(items))));
    }
    for kind in session.history.kinds().filter(|kind| open(kind)) {
        let mut lines = String::new();
        for (_, versions) in session.history.kind(kind) {
            for version in versions {
                let seen = match version.seen {
                    crate::observe::Seen::Applied => "applied",
                    crate::observe::Seen::AfterGap => "after a gap",
                    crate::observe::Seen::Deleted => "deleted",
                };
                let line = json!({"at_ms": session.emitter.ms(version.at), "seen": seen, "object": *version.object});
                let _ = writeln!(lines, "{line}");
            }
        }
        files.push((format!("history/{}.ndjson", kind.kind), lines));
    }
    let agents: Map<String, Value> = session
        .world
        .agents
        .iter()
        .map(|(incarnation, agent)| {
            let cidrs: Vec<String> = agent.pod_cidrs.iter().map(ToString::to_string).collect();
            (incarnation.clone(), json!({"node": agent.node, "ipam": agent.ipam, "podCIDRs": cidrs}))
        })
        .collect();
    files.push(("agents.json".to_owned(), pretty(&Value::Object(agents))));
    files
}

/// Logs of Cilium's parts and of pods that are not ready, this run's and the one before a restart.
fn logs(session: &Session) -> Vec<Item<'static>> {
    let parts = [&components::AGENT, &components::OPERATOR, &components::HUBBLE_RELAY];
    let mut pods: Vec<(PodFacts, Option<&'static str>)> = Vec::new();
    for part in parts {
        pods.extend(session.world.component(part).map(|pod| ((*pod).clone(), Some(part.container))));
    }
    let workloads = session.world.pods.values().filter(|pod| pod.labels.contains_key(crate::WORKLOAD_LABEL));
    pods.extend(workloads.filter(|pod| !pod.ready).map(|pod| ((**pod).clone(), None)));
    let mut items: Vec<Item<'static>> = Vec::new();
    for (pod, container) in pods {
        for previous in [false, true] {
            if previous && pod.restarts == 0 {
                continue;
            }
            let client = session.client.clone();
            let name = format!("logs/{}{}.log", pod.name, if previous { "-previous" } else { "" });
            let pod = pod.clone();
            items.push((
                name,
                Box::pin(async move {
                    let api: kube::Api<k8s_openapi::api::core::v1::Pod> = kube::Api::namespaced(client, &pod.namespace);
                    let params = LogParams {
                        container: container.map(str::to_owned),
                        previous,
                        timestamps: true,
                        tail_lines: Some(LOG_LINES),
                        ..LogParams::default()
                    };
                    api.logs(&pod.name, &params).await.map_err(|error| crate::api::text(&error))
                }),
            ));
        }
    }
    items
}

/// What the running agents say of themselves.
fn agents(session: &Session) -> Vec<Item<'static>> {
    const ASK: [(&str, &[&str]); 2] = [
        ("status.txt", &["cilium-dbg", "status", "--verbose"]),
        ("addresses.txt", &["cilium-dbg", "status", "--all-addresses", "-o", "json"]),
    ];
    let mut items: Vec<Item<'static>> = Vec::new();
    for (node, pod) in session.world.agent_pods() {
        for (file, command) in ASK {
            let (cluster, pod) = (session.cluster.clone(), pod.clone());
            let command: Vec<String> = command.iter().map(|&part| part.to_owned()).collect();
            items.push((
                format!("agents/{node}/{file}"),
                Box::pin(async move {
                    let container = Some(components::AGENT.container);
                    let answer = cluster.exec(&pod.namespace, &pod.name, container, &command, ITEM).await;
                    let output = answer.map_err(|error| error.to_string())?;
                    let note = if output.code == 0 {
                        String::new()
                    } else {
                        format!("\n[exit code {}]\n{}", output.code, output.stderr)
                    };
                    Ok(output.stdout + &note)
                }),
            ));
        }
    }
    items
}

fn write(dir: &Utf8Path, name: &str, text: &str, collected: &mut Collected) {
    match write_private(dir, name, text) {
        Ok(()) => collected.files.push(name.to_owned()),
        Err(error) => collected.missing.push(format!("{name}: {error}")),
    }
}

/// Writes a file that only its owner reads.
pub(crate) fn write_private(dir: &Utf8Path, name: &str, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let path = dir.join(name);
    let parent = path.parent().unwrap_or(dir);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    let mut file = std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&path)?;
    file.write_all(text.as_bytes())
}

/// Helm values without what might be secret.
fn redacted(values: &Map<String, Value>) -> Map<String, Value> {
    const SECRET: [&str; 6] = ["password", "token", "secret", "privatekey", "credentials", "accesskey"];
    values
        .iter()
        .map(|(key, value)| {
            let lower = key.to_ascii_lowercase();
            let value = match value {
                Value::String(_) if SECRET.iter().any(|word| lower.contains(word)) => json!("[not written]"),
                Value::Object(map) => Value::Object(redacted(map)),
                Value::Array(items) => Value::Array(
                    items
                        .iter()
                        .map(|item| match item {
                            Value::Object(map) => Value::Object(redacted(map)),
                            other => other.clone(),
                        })
                        .collect(),
                ),
                other => other.clone(),
            };
            (key.clone(), value)
        })
        .collect()
}
