//! `wait`: for a level, never for time alone.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{AsyncBufReadExt, TryStreamExt};
use kube::api::LogParams;
use scenario::model::{Component, RestartTarget, WaitFor};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::restart::part;
use super::{Done, workload};
use crate::api;
use crate::check::render;
use crate::failure::StepError;
use crate::observe::KindName;
use crate::session::{Level, Session};

pub(super) async fn wait(
    session: &mut Session,
    began: Instant,
    deadline: Instant,
    wait: &WaitFor,
) -> Result<Done, StepError> {
    match wait {
        WaitFor::Settled(quiet) => settled(session, began, deadline, *quiet).await,
        WaitFor::Ready(targets) => {
            for target in targets {
                ready(session, deadline, target).await?;
            }
            Ok(Done::new("ready"))
        }
        WaitFor::Log { component, contains } => log(session, deadline, *component, contains).await,
    }
}

/// What the operator and the agents write of IPAM into each CiliumNode.
type Written = BTreeMap<String, (Vec<String>, Option<String>)>;

/// Until every CiliumNode's podCIDRs and operator-status were unchanged for so long: Cilium's own triggers and controllers write up to
/// a second after an event (cilium/cilium: podcidr.go, trigger MinInterval 1 s), and 1.20 clears an error a second after writing it.
async fn settled(session: &mut Session, began: Instant, deadline: Instant, quiet: Duration) -> Result<Done, StepError> {
    let written = |session: &Session| -> Written {
        let nodes = session.world.cilium_nodes.iter();
        nodes.map(|(name, node)| (name.clone(), (node.pod_cidrs.clone(), node.error.clone()))).collect()
    };
    session.drain()?;
    let mut last = written(session);
    let mut since = began;
    let kind = KindName::new("cilium.io/v2", "CiliumNode");
    session
        .until(deadline, &format!("CiliumNodes quiet for {}", humantime::format_duration(quiet)), &[kind], |session| {
            let now = written(session);
            if now != last {
                last = now;
                since = Instant::now();
            }
            if since.elapsed() >= quiet && !last.is_empty() {
                return Level::Done(());
            }
            let changed = since.elapsed().as_millis().div_ceil(1000);
            Level::NotYet { last: format!("last change {changed}s ago"), wake: Some(since + quiet) }
        })
        .await?;
    Ok(Done::new(format!("{} CiliumNodes quiet", last.len())))
}

async fn ready(session: &mut Session, deadline: Instant, target: &RestartTarget) -> Result<(), StepError> {
    let pod_kind = KindName::new("v1", "Pod");
    match target {
        RestartTarget::Component(Component::Agent) => super::install::agents_ready(session, deadline).await,
        RestartTarget::Component(component) => {
            let what = format!("{} to be ready", component.as_str());
            session
                .until(deadline, &what, &[pod_kind], |session| {
                    let pods: Vec<_> = session.world.component(part(*component)).filter(|pod| pod.is_live()).collect();
                    match pods.iter().find(|pod| !pod.ready) {
                        None if pods.is_empty() => Level::not_yet("no pods"),
                        None => Level::Done(()),
                        Some(pod) => {
                            Level::not_yet(format!("{}: {}", pod.name, pod.waiting.as_ref().unwrap_or(&pod.phase)))
                        }
                    }
                })
                .await
        }
        RestartTarget::Workload(name) => {
            let workload = workload::find(session, name)?;
            session
                .until(deadline, &format!("{name} to be ready"), &[pod_kind], |session| {
                    let pods: Vec<_> = session
                        .world
                        .labelled(&workload.namespace, crate::WORKLOAD_LABEL, name)
                        .filter(|pod| pod.is_live())
                        .collect();
                    match pods.iter().find(|pod| !pod.ready) {
                        None if pods.is_empty() => Level::not_yet("no pods"),
                        None => Level::Done(()),
                        Some(pod) => {
                            Level::not_yet(format!("{}: {}", pod.name, pod.waiting.as_ref().unwrap_or(&pod.phase)))
                        }
                    }
                })
                .await
        }
    }
}

/// Follows the logs of a component's live pods until a line has the text.
async fn log(
    session: &mut Session,
    deadline: Instant,
    component: Component,
    contains: &scenario::model::Template,
) -> Result<Done, StepError> {
    session.drain()?;
    let context = session.context();
    // A text with variables may speak of any node.
    let texts: Vec<String> =
        session.world.nodes.keys().filter_map(|node| render(&context, contains, node).ok()).collect();
    let pods: Vec<_> = session.world.component(part(component)).filter(|pod| pod.is_live()).collect();
    if pods.is_empty() || texts.is_empty() {
        let message = format!("there is no log of {} to read, or no node to name", component.as_str());
        return Err(StepError::Mismatch { message, mismatches: Vec::new() });
    }
    let (sender, mut lines) = mpsc::unbounded_channel::<Result<String, String>>();
    let mut readers = Vec::new();
    for pod in pods {
        let api: kube::Api<k8s_openapi::api::core::v1::Pod> =
            kube::Api::namespaced(session.client.clone(), &pod.namespace);
        let sender = sender.clone();
        let container = part(component).container.to_owned();
        readers.push(tokio::spawn(async move {
            let params = LogParams { follow: true, container: Some(container), ..LogParams::default() };
            let unread = |cause: String| format!("the log of {} could not be read: {cause}", pod.name);
            let mut stream = match api.log_stream(&pod.name, &params).await {
                Ok(stream) => stream.lines(),
                Err(error) => return drop(sender.send(Err(unread(api::text(&error))))),
            };
            loop {
                let line = match stream.try_next().await {
                    Ok(Some(line)) => Ok(line),
                    Ok(None) => return,
                    Err(error) => Err(unread(error.to_string())),
                };
                let over = line.is_err();
                if sender.send(line).is_err() || over {
                    return;
                }
            }
        }));
    }
    drop(sender);
    let found = session
        .during(tokio::time::timeout_at(deadline, async {
            let mut unread = None;
            while let Some(line) = lines.recv().await {
                match line {
                    Ok(line) if texts.iter().any(|text| line.contains(text)) => return Ok(line),
                    Ok(_) => {}
                    Err(cause) => unread = Some(cause),
                }
            }
            Err(unread)
        }))
        .await;
    for reader in readers {
        reader.abort();
    }
    match found? {
        Ok(Ok(line)) => Ok(Done::new(line)),
        // A log that breaks off says nothing about what would have been in it.
        Ok(Err(Some(message))) => Err(StepError::Infrastructure { message, mismatches: Vec::new() }),
        Ok(Err(None)) | Err(_) => Err(StepError::Mismatch {
            message: format!("the log of {} has no line with \"{}\"", component.as_str(), contains.text),
            mismatches: Vec::new(),
        }),
    }
}
