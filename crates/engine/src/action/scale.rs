//! `scale` of a part of Cilium: the operator, which a cluster can be without for a while.

use scenario::model::Component;
use serde_json::json;
use tokio::time::Instant;

use super::restart::part as known;
use super::{Done, object};
use crate::failure::StepError;
use crate::observe::KindName;
use crate::session::{Level, Session};

/// Sets the number of its pods; ends when so many are there, ready and with one that leads.
pub(super) async fn part(
    session: &mut Session,
    deadline: Instant,
    component: Component,
    replicas: u32,
    ready: bool,
) -> Result<Done, StepError> {
    let deployment = KindName::new("apps/v1", "Deployment");
    let namespace = Some(cilium::components::NAMESPACE);
    let name = known(component).name;
    let patch = json!({"spec": {"replicas": replicas}});
    object::merge(session, deadline, &deployment, namespace, name, Some("scale"), &patch).await?;
    let kinds = [KindName::new("v1", "Pod"), KindName::new("coordination.k8s.io/v1", "Lease")];
    let what = format!("{replicas} {}pods of {name}", if ready { "ready " } else { "" });
    session
        .until(deadline, &what, &kinds, |session| {
            // Those on their way out count: until they are gone, one of them may lead.
            let pods: Vec<_> = session.world.component(known(component)).collect();
            let is_ready = pods.iter().filter(|pod| pod.ready).count();
            if pods.len() != replicas as usize || (ready && is_ready != pods.len()) {
                return Level::not_yet(format!("{} there, {is_ready} ready", pods.len()));
            }
            let leads = component != Component::Operator || replicas == 0 || session.world.operator_leader().is_some();
            if ready && !leads { Level::not_yet("no operator leads") } else { Level::Done(()) }
        })
        .await?;
    Ok(Done::new(format!("{replicas} of {name}")))
}
