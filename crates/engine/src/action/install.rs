//! Installing Cilium and waiting until the cluster is ready for the first step.

use cilium::components;
use cluster::HelmAction;
use events::ClusterKind;
use tokio::time::Instant;

use crate::failure::StepError;
use crate::observe::KindName;
use crate::session::{Level, Session};

/// Applies the chart.
pub(crate) async fn install(session: &mut Session, deadline: Instant) -> Result<(), StepError> {
    let version = session.world.cilium_version.as_ref().map(ToString::to_string).unwrap_or_default();
    let action = HelmAction::Apply { version, values: session.values.clone() };
    let cluster = session.cluster.clone();
    session.bounded(deadline, "helm upgrade", async { cluster.helm(&action).await }).await
}

/// Waits until every node is there with a ready agent that has answered, the operator leads, and pods can be scheduled; where the
/// scenario does not ask for ready agents, until every node has one that runs.
pub(crate) async fn ready(session: &mut Session, deadline: Instant) -> Result<(), StepError> {
    let cluster = session.cluster.clone();
    session.bounded(deadline, "bringing up the cluster", async { cluster.ready().await }).await?;
    joined(session, deadline).await?;
    if session.scenario.cilium.ready {
        cilium_ready(session, deadline).await
    } else {
        agents_run(session, deadline).await?;
        operator_leads(session, deadline).await
    }
}

/// Waits until every node is ready and has a ready agent, and the operator leads.
pub(super) async fn cilium_ready(session: &mut Session, deadline: Instant) -> Result<(), StepError> {
    agents_ready(session, deadline).await?;
    let kinds = [KindName::new("v1", "Pod"), KindName::new("v1", "Node"), KindName::new("cilium.io/v2", "CiliumNode")];
    session
        .until(deadline, "the cluster to be ready for the first step", &kinds, |session| {
            let world = &session.world;
            for (name, node) in &world.nodes {
                if !node.ready {
                    return Level::not_yet(format!("node {name} is not Ready"));
                }
                if node.taints.iter().any(|taint| taint == components::AGENT_NOT_READY_TAINT) {
                    return Level::not_yet(format!("node {name} is tainted {}", components::AGENT_NOT_READY_TAINT));
                }
                if !world.cilium_nodes.contains_key(name) {
                    return Level::not_yet(format!("there is no CiliumNode {name}"));
                }
            }
            Level::Done(())
        })
        .await?;
    operator_leads(session, deadline).await
}

async fn operator_leads(session: &mut Session, deadline: Instant) -> Result<(), StepError> {
    session
        .until(deadline, "the operator to lead", &[KindName::new("v1", "Pod")], |session| {
            let world = &session.world;
            let operators: Vec<_> = world.component(&components::OPERATOR).filter(|pod| pod.is_live()).collect();
            match operators.iter().find(|pod| !pod.ready) {
                Some(pod) => return Level::not_yet(format!("{} is not ready", pod.name)),
                None if operators.is_empty() => return Level::not_yet("there is no operator"),
                None => {}
            }
            match world.operator_leader() {
                Some(_) => Level::Done(()),
                None => Level::not_yet("no operator leads"),
            }
        })
        .await
}

/// Waits until every node of a cluster that was made for this scenario has its Node. kind is done before: `kubeadm join` of 1.34 no longer
/// waits for the kubelet to register (kubeadm's feature NodeLocalCRISocket), and on a busy machine that comes seconds later.
async fn joined(session: &mut Session, deadline: Instant) -> Result<(), StepError> {
    if session.cluster.kind() == ClusterKind::Existing {
        return Ok(());
    }
    let wanted = session.scenario.cluster.workers as usize + 1;
    session
        .until(deadline, "every node to join", &[KindName::new("v1", "Node")], |session| {
            match session.world.nodes.len() {
                there if there >= wanted => Level::Done(()),
                there => Level::not_yet(format!("{there} of {wanted} Nodes")),
            }
        })
        .await
}

/// Waits until every node has an agent that runs, whatever becomes of it.
async fn agents_run(session: &mut Session, deadline: Instant) -> Result<(), StepError> {
    let kinds = [KindName::new("v1", "Pod"), KindName::new("v1", "Node")];
    session
        .until(deadline, "a running agent on every node", &kinds, |session| {
            let pods = session.world.agent_pods();
            for name in session.world.nodes.keys() {
                let Some(pod) = pods.get(name) else { return Level::not_yet(format!("no agent on {name}")) };
                if pod.phase != "Running" {
                    let state = pod.waiting.as_ref().unwrap_or(&pod.phase);
                    return Level::not_yet(format!("{} on {name}: {state}", pod.name));
                }
            }
            Level::Done(())
        })
        .await
}

/// Waits until every node has a ready agent that has said what it runs.
pub(super) async fn agents_ready(session: &mut Session, deadline: Instant) -> Result<(), StepError> {
    let kinds = [KindName::new("v1", "Pod"), KindName::new("v1", "Node")];
    session
        .until(deadline, "a ready agent on every node", &kinds, |session| {
            let world = &session.world;
            if world.nodes.is_empty() {
                return Level::not_yet("no nodes");
            }
            let pods = world.agent_pods();
            for name in world.nodes.keys() {
                let Some(pod) = pods.get(name) else { return Level::not_yet(format!("no agent on {name}")) };
                if !pod.ready {
                    let state = pod.waiting.as_ref().unwrap_or(&pod.phase);
                    return Level::not_yet(format!("{} on {name}: {state}, not ready", pod.name));
                }
                if !world.agents.contains_key(&pod.incarnation()) {
                    return Level::not_yet(world.silence_of(name, pod));
                }
            }
            Level::Done(())
        })
        .await
}
