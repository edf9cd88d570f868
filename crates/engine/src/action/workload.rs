//! `deploy`, `scale`, `delete`: Deployments of the scenario's own.

use std::sync::Arc;

use scenario::model::{PodSet, Workload};
use serde_json::json;
use tokio::time::Instant;

use super::{Done, object};
use crate::failure::StepError;
use crate::observe::KindName;
use crate::session::{Level, Session};
use crate::world::PodFacts;
use crate::{RUN_LABEL, WORKLOAD_LABEL};

fn deployment() -> KindName {
    KindName::new("apps/v1", "Deployment")
}

fn pod_kind() -> KindName {
    KindName::new("v1", "Pod")
}

/// The workload of that name; validation has seen to it that there is one.
pub(super) fn find(session: &Session, name: &str) -> Result<Workload, StepError> {
    let workload = session.scenario.workloads.get(name).cloned();
    workload.ok_or_else(|| StepError::Input { message: format!("there is no workload {name}") })
}

pub(super) async fn deploy(
    session: &mut Session,
    deadline: Instant,
    name: &str,
    ready: bool,
) -> Result<Done, StepError> {
    let workload = find(session, name)?;
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": workload.namespace, "labels": {RUN_LABEL: session.run}},
    });
    object::create(session, deadline, &KindName::new("v1", "Namespace"), None, namespace).await?;
    let node = workload.node.map(|role| session.node(role)).transpose()?;
    let manifest = crate::recipe::deployment(name, &workload, node.as_deref(), &session.run);
    object::create(session, deadline, &deployment(), Some(&workload.namespace), manifest).await?;
    rolled_out(session, deadline, name, workload.replicas as usize, ready, &[]).await
}

pub(super) async fn scale(
    session: &mut Session,
    deadline: Instant,
    name: &str,
    replicas: u32,
    ready: bool,
) -> Result<Done, StepError> {
    let workload = find(session, name)?;
    let patch = json!({"spec": {"replicas": replicas}});
    object::merge(session, deadline, &deployment(), Some(&workload.namespace), name, Some("scale"), &patch).await?;
    rolled_out(session, deadline, name, replicas as usize, ready, &[]).await
}

pub(super) async fn delete(session: &mut Session, deadline: Instant, name: &str) -> Result<Done, StepError> {
    let workload = find(session, name)?;
    object::delete(session, deadline, &deployment(), Some(&workload.namespace), name, None, false).await?;
    session
        .until(deadline, &format!("the pods of {name} to be gone"), &[pod_kind()], |session| {
            let left: Vec<String> =
                session.world.labelled(&workload.namespace, WORKLOAD_LABEL, name).map(|pod| pod.name.clone()).collect();
            if left.is_empty() { Level::Done(()) } else { Level::not_yet(format!("still there: {}", left.join(" "))) }
        })
        .await?;
    session.taken_away(&PodSet::Workload(name.to_owned()));
    Ok(Done::new("gone"))
}

/// Restarts by a change of the pod template, as `kubectl rollout restart` does.
pub(super) async fn restart(
    session: &mut Session,
    deadline: Instant,
    name: &str,
    ready: bool,
) -> Result<Done, StepError> {
    let workload = find(session, name)?;
    session.drain()?;
    let old = live(session, name);
    if old.is_empty() {
        return Err(StepError::Input { message: format!("{name} has no live pods to restart: deploy it first") });
    }
    let mark = format!("{}-{}", session.run, old.iter().map(|pod| pod.uid.as_str()).min().unwrap_or(""));
    let patch = json!({"spec": {"template": {"metadata": {"annotations": {"ipam-e2e.cilium.io/restarted": mark}}}}});
    let answer = object::merge(session, deadline, &deployment(), Some(&workload.namespace), name, None, &patch).await?;
    // As many as it asks for, which may be more than there are yet.
    let replicas = answer.data["spec"]["replicas"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(old.len());
    let uids: Vec<String> = old.iter().map(|pod| pod.uid.clone()).collect();
    rolled_out(session, deadline, name, replicas, ready, &uids).await
}

fn live(session: &Session, name: &str) -> Vec<Arc<PodFacts>> {
    session
        .scenario
        .workloads
        .get(name)
        .into_iter()
        .flat_map(|workload| session.world.labelled(&workload.namespace, WORKLOAD_LABEL, name))
        .filter(|pod| pod.is_live())
        .collect()
}

/// Waits until exactly so many live pods are there, none of the old ones among them, all of them ready if asked for.
async fn rolled_out(
    session: &mut Session,
    deadline: Instant,
    name: &str,
    replicas: usize,
    ready: bool,
    old: &[String],
) -> Result<Done, StepError> {
    let what = format!("{replicas} {}pods of {name}", if ready { "ready " } else { "" });
    let pods = session
        .until(deadline, &what, &[pod_kind()], |session| {
            let pods = live(session, name);
            let stale = pods.iter().filter(|pod| old.contains(&pod.uid)).count();
            let is_ready = pods.iter().filter(|pod| pod.ready).count();
            if pods.len() == replicas && stale == 0 && (!ready || is_ready == replicas) {
                return Level::Done(pods);
            }
            let mut last = format!("{} live, {is_ready} ready", pods.len());
            if stale > 0 {
                last = format!("{last}, {stale} not yet replaced");
            }
            if let Some(pod) = pods.iter().find(|pod| !pod.ready && !old.contains(&pod.uid)) {
                let state = pod.waiting.clone().unwrap_or_else(|| pod.phase.clone());
                last = format!("{last}; {}: {state} on {}", pod.name, pod.node.as_deref().unwrap_or("no node"));
            }
            Level::not_yet(last)
        })
        .await?;
    let places: Vec<String> = pods
        .iter()
        .map(|pod| {
            let ip = pod.ips.first().map_or_else(|| "no address".to_owned(), ToString::to_string);
            format!("{ip} on {}", pod.node.as_deref().unwrap_or("no node"))
        })
        .collect();
    session.rolled_out(PodSet::Workload(name.to_owned()), pods);
    Ok(Done::new(places.join(", ")))
}
