//! `deleteCiliumNode`, `cordon`, `uncordon`, `removeNode`, `addNode`.

use events::Fault;
use scenario::model::NodeRef;
use serde_json::json;
use tokio::time::Instant;

use super::{Done, object};
use crate::failure::StepError;
use crate::observe::KindName;
use crate::session::{Level, Session};

fn node_kind() -> KindName {
    KindName::new("v1", "Node")
}

fn cilium_node_kind() -> KindName {
    KindName::new("cilium.io/v2", "CiliumNode")
}

pub(super) async fn delete_cilium_node(
    session: &mut Session,
    deadline: Instant,
    role: NodeRef,
) -> Result<Done, StepError> {
    let name = session.node(role)?;
    session.drain()?;
    let Some(old) = session.world.cilium_nodes.get(&name).cloned() else {
        return Err(StepError::Input { message: format!("there is no CiliumNode {name} to delete") });
    };
    object::delete(session, deadline, &cilium_node_kind(), None, &name, Some(&old.uid), false).await?;
    session
        .until(deadline, &format!("CiliumNode {name} to be gone"), &[cilium_node_kind()], |session| {
            match session.world.cilium_nodes.get(&name) {
                Some(node) if node.uid == old.uid => Level::not_yet("still there"),
                _ => Level::Done(()),
            }
        })
        .await?;
    Ok(Done::new(format!("had podCIDRs [{}]", old.pod_cidrs.join(" "))))
}

/// Lets something go wrong; a node is given by its role.
pub(super) async fn inject(session: &mut Session, fault: &Fault) -> Result<Done, StepError> {
    let named = |session: &Session, role: &str| {
        let role = NodeRef::parse(role)
            .ok_or_else(|| StepError::Input { message: format!("`{role}` is not a node's role") })?;
        session.node(role)
    };
    let fault = match fault {
        Fault::AgentCrash(role) => Fault::AgentCrash(named(session, role)?),
        Fault::NodeLoss(role) => Fault::NodeLoss(named(session, role)?),
        other => other.clone(),
    };
    session.cluster.inject(&fault).await?;
    Ok(Done::new(fault.to_string()))
}

pub(super) async fn cordon(
    session: &mut Session,
    deadline: Instant,
    role: NodeRef,
    on: bool,
) -> Result<Done, StepError> {
    let name = session.node(role)?;
    let patch = json!({"spec": {"unschedulable": on}});
    object::merge(session, deadline, &node_kind(), None, &name, None, &patch).await?;
    Ok(Done::new(format!("{name} is {}", if on { "unschedulable" } else { "schedulable" })))
}

/// Takes a node out, as one takes out a machine for good: nothing of it stays in the API.
pub(super) async fn remove(session: &mut Session, deadline: Instant, role: NodeRef) -> Result<Done, StepError> {
    let name = session.node(role)?;
    session.drain()?;
    if !session.world.nodes.contains_key(&name) {
        return Err(StepError::Input { message: format!("node {name} is not in the cluster") });
    }
    cordon(session, deadline, role, true).await?;
    let pod_kind = KindName::new("v1", "Pod");
    // First what can move: its successor must not come back here. Then the machine, then what was bound to it.
    let movable: Vec<_> = on_node(session, &name).into_iter().filter(|pod| !pod.host_network).collect();
    for pod in &movable {
        object::delete(session, deadline, &pod_kind, Some(&pod.namespace), &pod.name, Some(&pod.uid), false).await?;
    }
    session
        .until(deadline, &format!("pods to leave {name}"), std::slice::from_ref(&pod_kind), |session| {
            let left: Vec<String> = on_node(session, &name)
                .into_iter()
                .filter(|pod| movable.iter().any(|old| old.uid == pod.uid))
                .map(|pod| pod.name.clone())
                .collect();
            if left.is_empty() { Level::Done(()) } else { Level::not_yet(format!("still there: {}", left.join(" "))) }
        })
        .await?;
    let cluster = session.cluster.clone();
    session.bounded(deadline, &format!("stopping {name}"), async { cluster.stop_node(&name).await }).await?;
    session.removed.insert(role, name.clone());
    object::delete(session, deadline, &node_kind(), None, &name, None, false).await?;
    for pod in on_node(session, &name) {
        object::delete(session, deadline, &pod_kind, Some(&pod.namespace), &pod.name, Some(&pod.uid), true).await?;
    }
    let kinds = [node_kind(), cilium_node_kind()];
    session
        .until(deadline, &format!("{name} to be gone"), &kinds, |session| {
            let world = &session.world;
            let left: Vec<&str> =
                [(world.nodes.contains_key(&name), "Node"), (world.cilium_nodes.contains_key(&name), "CiliumNode")]
                    .into_iter()
                    .filter_map(|(there, what)| there.then_some(what))
                    .collect();
            if left.is_empty() { Level::Done(()) } else { Level::not_yet(format!("still there: {}", left.join(", "))) }
        })
        .await?;
    Ok(Done::new(format!("{name} is out, its CiliumNode is gone")))
}

fn on_node(session: &Session, node: &str) -> Vec<std::sync::Arc<crate::world::PodFacts>> {
    session.world.pods.values().filter(|pod| pod.node.as_deref() == Some(node)).cloned().collect()
}

/// Brings a removed node back.
pub(super) async fn add(
    session: &mut Session,
    deadline: Instant,
    role: NodeRef,
    ready: bool,
) -> Result<Done, StepError> {
    let Some(name) = session.removed.get(&role).cloned() else {
        return Err(StepError::Input { message: format!("node {role} was not removed by a step before this one") });
    };
    let cluster = session.cluster.clone();
    session.bounded(deadline, &format!("starting {name}"), async { cluster.start_node(&name).await }).await?;
    session.removed.remove(&role);
    let kinds = [node_kind(), KindName::new("v1", "Pod"), cilium_node_kind()];
    session
        .until(deadline, &format!("{name} to be back"), &kinds, |session| {
            let Some(node) = session.world.nodes.get(&name) else { return Level::not_yet("not registered") };
            if !ready {
                return Level::Done(());
            }
            if !node.ready {
                return Level::not_yet("registered, not Ready");
            }
            let Some(pod) = session.world.agent_pods().remove(&name) else {
                return Level::not_yet("Ready, without an agent");
            };
            if session.world.agent_on(&name).is_none() {
                let state = pod.waiting.clone().unwrap_or_else(|| pod.phase.clone());
                return Level::not_yet(format!("agent {}: {state}", pod.name));
            }
            if !session.world.cilium_nodes.contains_key(&name) {
                return Level::not_yet("agent ready, no CiliumNode");
            }
            match node.taints.iter().find(|taint| taint.as_str() == cilium::components::AGENT_NOT_READY_TAINT) {
                Some(taint) => Level::not_yet(format!("tainted {taint}")),
                None => Level::Done(()),
            }
        })
        .await?;
    let cidrs = session.world.cilium_nodes.get(&name).map(|node| node.pod_cidrs.join(" ")).unwrap_or_default();
    Ok(Done::new(format!("{name} is back with podCIDRs [{cidrs}]")))
}
