//! Helm values, `upgrade` and `reinstall`.

use cilium::components;
use cilium::values::{IpamValues, merge, with_ipam};
use cluster::HelmAction;
use scenario::Scenario;
use scenario::model::IpFamily;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{Done, install, object};
use crate::api;
use crate::failure::StepError;
use crate::observe::KindName;
use crate::session::{Level, Session};

/// All values that Cilium is installed with for a scenario.
pub fn values(scenario: &Scenario) -> Map<String, Value> {
    let ipam = &scenario.cilium.ipam;
    let text = |pools: &[ipnet::IpNet]| pools.iter().map(ToString::to_string).collect();
    let mut values = with_ipam(&IpamValues {
        mode: ipam.mode.as_str().to_owned(),
        ipv4_enabled: scenario.cluster.ip_family != IpFamily::Ipv6,
        ipv6_enabled: scenario.cluster.ip_family != IpFamily::Ipv4,
        ipv4_pools: text(&ipam.ipv4_pools),
        ipv4_mask: ipam.ipv4_mask,
        ipv6_pools: text(&ipam.ipv6_pools),
        ipv6_mask: ipam.ipv6_mask,
    });
    merge(&mut values, &scenario.cilium.values);
    values
}

/// Lays values over those in force and applies the chart. What the chart does not restart keeps its old configuration.
pub(super) async fn upgrade(
    session: &mut Session,
    deadline: Instant,
    over: &Map<String, Value>,
) -> Result<Done, StepError> {
    let before = session.world.config.clone();
    apply(session, deadline, over).await?;
    let after = &session.world.config;
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed: Vec<String> = keys
        .into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| format!("{key}: {} -> {}", before.get(key).map_or("-", |v| v), after.get(key).map_or("-", |v| v)))
        .collect();
    Ok(Done::new(if changed.is_empty() { "cilium-config is unchanged".to_owned() } else { changed.join(", ") }))
}

/// Takes Cilium's release away and installs it anew, with values over those in force. What Helm did not make stays: custom resources,
/// and what agents have left on their nodes.
pub(super) async fn reinstall(
    session: &mut Session,
    deadline: Instant,
    over: &Map<String, Value>,
) -> Result<Done, StepError> {
    session.drain()?;
    let parts = [&components::AGENT, &components::OPERATOR, &components::HUBBLE_RELAY];
    let old = |session: &Session| -> Vec<String> {
        parts.iter().flat_map(|part| session.world.component(part)).map(|pod| pod.name.clone()).collect()
    };
    let cluster = session.cluster.clone();
    let remove = async { cluster.helm(&HelmAction::Uninstall).await };
    session.bounded(deadline, "helm uninstall", remove).await?;
    let kinds = [KindName::new("v1", "Pod")];
    session
        .until(deadline, "Cilium's pods to be gone", &kinds, |session| match old(session) {
            left if left.is_empty() => Level::Done(()),
            left => Level::not_yet(format!("still there: {}", left.join(" "))),
        })
        .await?;
    let kept = session.world.cilium_nodes.len();
    apply(session, deadline, over).await?;
    install::cilium_ready(session, deadline).await?;
    Ok(Done::new(format!("Cilium is back, and found {kept} CiliumNodes")))
}

/// `helm upgrade --install`; ends when the watch has the new `cilium-config`.
async fn apply(session: &mut Session, deadline: Instant, over: &Map<String, Value>) -> Result<(), StepError> {
    let mut values = session.values.clone();
    merge(&mut values, over);
    let version = session.world.cilium_version.as_ref().map(ToString::to_string).unwrap_or_default();
    let cluster = session.cluster.clone();
    let action = HelmAction::Apply { version, values: values.clone() };
    session.bounded(deadline, "helm upgrade", async { cluster.helm(&action).await }).await?;
    session.values = values;

    // Helm has returned, so the API server has the new ConfigMap; wait until the watch has it too.
    let kind = KindName::new("v1", "ConfigMap");
    let maps = api::dynamic(&session.client, &kind, Some(cilium::components::NAMESPACE));
    let name = cilium::config::CONFIG_MAP;
    let get = api::request(deadline, "get", "ConfigMap/kube-system/cilium-config", || maps.get(name));
    let version = session.during(get).await??.metadata.resource_version.unwrap_or_default();
    object::seen(session, deadline, &kind, cilium::components::NAMESPACE, name, &version).await
}
