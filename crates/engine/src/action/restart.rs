//! `restart`: old pods out, successors in, with the configuration that was asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cilium::components;
use scenario::model::{Component, PodSet, RestartItem, RestartTarget};
use tokio::time::Instant;

use super::{Done, object, workload};
use crate::failure::StepError;
use crate::observe::KindName;
use crate::session::{Level, Session};
use crate::world::PodFacts;

/// Cilium's part by the scenario's word.
pub(super) fn part(component: Component) -> &'static components::Component {
    match component {
        Component::Agent => &components::AGENT,
        Component::Operator => &components::OPERATOR,
        Component::HubbleRelay => &components::HUBBLE_RELAY,
        Component::CoreDns => &components::COREDNS,
    }
}

/// What has to be replaced.
struct Replacing {
    component: Component,
    old: Vec<Arc<PodFacts>>,
    leader: Option<Arc<str>>,
    ready: bool,
}

pub(super) async fn restart(
    session: &mut Session,
    deadline: Instant,
    items: &[RestartItem],
) -> Result<Done, StepError> {
    let mut details = Vec::new();
    // All at once: their pods come back side by side, as after `kubectl delete pods`.
    let mut replacing = Vec::new();
    session.drain()?;
    for item in items {
        if let RestartTarget::Component(component) = item.target {
            replacing.push(delete(session, deadline, component, item).await?);
        }
    }
    for item in &replacing {
        details.push(back(session, deadline, item).await?);
    }
    for item in items {
        if let RestartTarget::Workload(name) = &item.target {
            details.push(workload::restart(session, deadline, name, item.ready).await?.detail);
        }
    }
    Ok(Done::new(details.join("; ")))
}

async fn delete(
    session: &mut Session,
    deadline: Instant,
    component: Component,
    item: &RestartItem,
) -> Result<Replacing, StepError> {
    let nodes: Option<BTreeSet<String>> = if item.on.is_empty() {
        None
    } else {
        Some(item.on.iter().map(|role| session.node(*role)).collect::<Result<_, _>>()?)
    };
    let on =
        |pod: &PodFacts| nodes.as_ref().is_none_or(|nodes| pod.node.as_ref().is_some_and(|node| nodes.contains(node)));
    let old: Vec<Arc<PodFacts>> =
        session.world.component(part(component)).filter(|pod| pod.is_live() && on(pod)).collect();
    if old.is_empty() {
        let on = item.on.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let place = if on.is_empty() { String::new() } else { format!(" on {on}") };
        return Err(StepError::Input {
            message: format!("there is no pod of {}{place} to restart", component.as_str()),
        });
    }
    let leader = session.world.operator_leader().cloned();
    let kind = KindName::new("v1", "Pod");
    for pod in &old {
        object::delete(session, deadline, &kind, Some(&pod.namespace), &pod.name, Some(&pod.uid), false).await?;
    }
    Ok(Replacing { component, old, leader, ready: item.ready })
}

async fn back(session: &mut Session, deadline: Instant, item: &Replacing) -> Result<String, StepError> {
    let what = format!("{} to be back", item.component.as_str());
    let kinds = [KindName::new("v1", "Pod"), KindName::new("v1", "Node")];
    let count = session
        .until(deadline, &what, &kinds, |session| match look(session, item) {
            Ok(count) => Level::Done(count),
            Err(last) => Level::not_yet(last),
        })
        .await?;
    let set = match item.component {
        Component::CoreDns => Some(PodSet::CoreDns),
        Component::HubbleRelay => Some(PodSet::HubbleRelay),
        Component::Agent | Component::Operator => None,
    };
    if let Some(set) = set {
        let pods = session.world.live(&set, &session.scenario.workloads);
        session.rolled_out(set, pods);
    }
    Ok(format!("{count} of {} {}", item.component.as_str(), if item.ready { "back" } else { "replaced" }))
}

/// How many successors are as they should be, once all are; else what is missing.
fn look(session: &Session, item: &Replacing) -> Result<usize, String> {
    let old: BTreeSet<&str> = item.old.iter().map(|pod| pod.uid.as_str()).collect();
    let new: Vec<Arc<PodFacts>> = session
        .world
        .component(part(item.component))
        .filter(|pod| pod.is_live() && !old.contains(pod.uid.as_str()))
        .collect();
    if let Some(pod) =
        session.world.component(part(item.component)).find(|pod| pod.is_live() && old.contains(pod.uid.as_str()))
    {
        return Err(format!("{} is still there", pod.name));
    }
    let state = |pod: &PodFacts| {
        let reason = pod.waiting.clone().unwrap_or_else(|| format!("{}, not ready", pod.phase));
        format!("{} on {}: {reason}", pod.name, pod.node.as_deref().unwrap_or("no node"))
    };
    if item.component == Component::Agent {
        // One a node: every node that lost its agent must have a new one, with the mode that the ConfigMap asks for.
        let by_node: BTreeMap<&str, &Arc<PodFacts>> =
            new.iter().filter_map(|pod| Some((pod.node.as_deref()?, pod))).collect();
        for node in item.old.iter().filter_map(|pod| pod.node.as_deref()) {
            if !session.world.nodes.contains_key(node) {
                continue;
            }
            let pod = by_node.get(node).ok_or_else(|| format!("no new agent on {node}"))?;
            if !item.ready {
                continue;
            }
            if !pod.ready {
                return Err(state(pod));
            }
            let agent = session.world.agent_on(node).ok_or_else(|| session.world.silence_on(node))?;
            let wanted = session.world.config_value(cilium::config::IPAM).unwrap_or(cilium::config::DEFAULT_MODE);
            if agent.ipam != wanted {
                return Err(format!("the agent on {node} runs ipam {}, cilium-config says {wanted}", agent.ipam));
            }
        }
        return Ok(item.old.len());
    }
    if new.len() < item.old.len() {
        return Err(format!("{} of {} new pods", new.len(), item.old.len()));
    }
    if item.ready {
        if let Some(pod) = new.iter().find(|pod| !pod.ready) {
            return Err(state(pod));
        }
        if item.component == Component::Operator {
            // A ready operator only reaches the API; it acts once it leads.
            match session.world.operator_leader() {
                Some(leader) if Some(leader) != item.leader.as_ref() => {}
                Some(leader) => return Err(format!("the lease is still held by {leader}")),
                None => return Err("no operator leads".to_owned()),
            }
        }
    }
    Ok(item.old.len())
}
